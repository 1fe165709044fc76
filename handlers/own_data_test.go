package handlers

import (
	"archive/zip"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"furrow/views"
)

// Whoever is logged in gets what is theirs as a file, and nobody else's; it is
// written down; and one download at a time is enough.
func TestExportPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	b.user(bobEmail, false)
	in := b.loggedIn(adaEmail)
	if got := in.get("/settings/export"); got.status != http.StatusOK || !strings.Contains(got.body, `action="/settings/export"`) {
		t.Errorf("the page: status %d: %s", got.status, got.body)
	}
	got := in.post("/settings/export", url.Values{})
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/zip" || got.header.Get("Cache-Control") != "no-store" ||
		!strings.HasPrefix(got.header.Get("Content-Disposition"), `attachment; filename="furrow-20`) {
		t.Fatalf("the file: status %d, %v", got.status, got.header)
	}
	archive, err := zip.NewReader(strings.NewReader(got.body), int64(len(got.body)))
	if err != nil {
		t.Fatal(err)
	}
	if archive.File[0].Name != "README.txt" || archive.File[1].Name != "plan.csv" || archive.File[1].UncompressedSize64 < 50 {
		t.Errorf("the archive holds %v", archive.File)
	}
	if n := b.count("select count(*) from audit_events where action = 'account.export' and actor_id = $1", ada.user); n != 1 {
		t.Errorf("%d audit events, want 1", n)
	}

	export, err := b.store.BeginExport(t.Context(), ada.user)
	if err != nil {
		t.Fatal(err)
	}
	if got := in.post("/settings/export", url.Values{}); got.status != http.StatusConflict || !strings.Contains(got.body, "already") {
		t.Errorf("a second one: status %d: %s", got.status, got.body)
	}
	if got := b.loggedIn(bobEmail).post("/settings/export", url.Values{}); got.status != http.StatusOK {
		t.Errorf("Bob's beside it: status %d", got.status)
	}
	export.Close()
	if got := in.post("/settings/export", url.Values{}); got.status != http.StatusOK {
		t.Errorf("after it: status %d", got.status)
	}
}

// Whoever deletes their account proves who they are, knows what is dropped, and
// is gone afterwards, in all browsers.
func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in, elsewhere := b.loggedIn(adaEmail), b.loggedIn(adaEmail)
	page := in.get("/settings/delete")
	if text := page.text(t, "main"); page.status != http.StatusOK || !strings.Contains(text, "Ada's studio") || !strings.Contains(text, "1 change has not reached Harvest") ||
		!strings.Contains(text, "All time entries in Harvest") || !strings.Contains(text, "Backups") {
		t.Errorf("the page: status %d: %s", page.status, text)
	}
	for _, test := range []struct {
		name   string
		form   url.Values
		status int
		says   string
	}{
		{"a wrong password", url.Values{"password": {"a field of weeds"}, "drop": {"yes"}}, http.StatusUnprocessableEntity, "not your password"},
		{"no password", url.Values{"drop": {"yes"}}, http.StatusUnprocessableEntity, "not your password"},
		{"without dropping", url.Values{"password": {idaPassword}}, http.StatusConflict, "Say that it is to be dropped"},
	} {
		if got := in.post("/settings/delete", test.form); got.status != test.status || !strings.Contains(got.body, test.says) {
			t.Errorf("%s: status %d: %s", test.name, got.status, got.text(t, "main"))
		}
	}
	if n := b.count("select count(*) from users where id = $1", ada.user); n != 1 {
		t.Fatal("a refused deletion deleted the account")
	}
	got := in.post("/settings/delete", url.Values{"password": {idaPassword}, "drop": {"yes"}})
	if got.status != http.StatusOK || !strings.Contains(got.body, "Your account is deleted") || strings.Contains(got.body, adaEmail) {
		t.Errorf("deleted: status %d: %s", got.status, got.text(t, "main"))
	}
	for _, session := range []*browser{in, elsewhere} {
		if got := session.get("/week"); got.status != http.StatusSeeOther || !strings.HasPrefix(got.location(), "/login") {
			t.Errorf("afterwards: status %d to %q", got.status, got.location())
		}
	}
	if got := b.browser().post("/login", url.Values{"email": {adaEmail}, "password": {idaPassword}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a log-in afterwards: status %d", got.status)
	}
}

// Admins delete others, by typing who; and the last one stays.
func TestDeleteUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(idaEmail, true)
	bob := b.user(bobEmail, false)
	ida := b.loggedIn(idaEmail)
	path := views.AdminDeleteUserPath(bob)
	if got := ida.get(path); got.status != http.StatusOK || !strings.Contains(got.text(t, "h1"), bobEmail) {
		t.Errorf("the page: status %d: %s", got.status, got.text(t, "main"))
	}
	if got := ida.post(path, url.Values{"email": {idaEmail}}); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "not the address") {
		t.Errorf("another address: status %d", got.status)
	}
	if got := ida.post(path, url.Values{"email": {" BOB@example.com"}}); got.status != http.StatusSeeOther || got.location() != "/admin/users" {
		t.Errorf("deleted: status %d: %s", got.status, got.text(t, "main"))
	}
	if n := b.count("select count(*) from audit_events where action = 'account.delete' and actor = $1", idaEmail); n != 1 {
		t.Errorf("written down %d times", n)
	}
	if got := ida.get(path); got.status != http.StatusNotFound {
		t.Errorf("the page of nobody: status %d", got.status)
	}
	if got := ida.get("/settings/delete"); got.status != http.StatusOK || !strings.Contains(got.body, "Nobody else is an admin") || strings.Contains(got.body, `name="password"`) {
		t.Errorf("the last admin's: status %d: %s", got.status, got.text(t, "main"))
	}
	if got := ida.post("/settings/delete", url.Values{"password": {idaPassword}}); got.status != http.StatusConflict {
		t.Errorf("the last admin: status %d", got.status)
	}
}
