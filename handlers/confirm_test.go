package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"furrow/db"
	"furrow/ledger"
)

// grow makes all sessions older: logged in that long ago, an SQL interval.
func (b *testBundle) grow(older string) {
	b.t.Helper()
	b.exec("update sessions set authenticated_at = authenticated_at - $1::text::interval", older)
}

// What matters needs a log-in of the last 15 minutes; it is not done by itself
// after one.
func TestAdminActionsNeedAFreshLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	write := b.write(id, connection, seeded{state: ledger.Rejected, reason: "invalid", status: 422})
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	retry, list := path("admin", "writes", write, "retry"), "/admin/writes?state=needs-you"
	referer := []string{"Referer", b.server.URL + list}
	b.grow("16 minutes")

	if got := root.get(list); got.status != http.StatusOK {
		t.Errorf("a page of an older log-in: status %d", got.status)
	}
	got := root.post(retry, nil, referer...)
	if got.status != http.StatusForbidden || got.text(t, "h1") != "Confirm that it is you" || !strings.Contains(got.body, `name="next" value="`+list+`"`) {
		t.Fatalf("status %d: %s", got.status, got.text(t, "main"))
	}
	got = root.post(retry, nil, append(referer, "HX-Request", "true")...)
	if want := "/confirm?next=" + url.QueryEscape(list); got.status != http.StatusForbidden || got.header.Get("HX-Redirect") != want || got.body != "" {
		t.Errorf("by script: status %d to %q, want %q", got.status, got.header.Get("HX-Redirect"), want)
	}
	if b.stateOf(write) != ledger.Rejected || len(b.audited("writes.retry")) != 0 {
		t.Error("it was done all the same")
	}

	old := root.cookie().Value
	got = root.post("/confirm", url.Values{"password": {"a field of weeds"}, "next": {list}})
	if got.status != http.StatusUnprocessableEntity || got.text(t, "[role=alert]") != "This is not your password." || root.post(retry, nil).status != http.StatusForbidden {
		t.Errorf("a wrong password: status %d, %q", got.status, got.text(t, "[role=alert]"))
	}
	got = root.post("/confirm", url.Values{"password": {idaPassword}, "next": {list}})
	if got.status != http.StatusSeeOther || got.location() != list {
		t.Fatalf("status %d to %q", got.status, got.location())
	}
	stolen := b.browser()
	stolen.plant(old)
	if got := stolen.get("/settings"); got.status != http.StatusSeeOther || root.cookie().Value == old {
		t.Errorf("the token of before is still good: status %d", got.status)
	}
	if b.stateOf(write) != ledger.Rejected {
		t.Error("it was done by itself")
	}
	if got := root.post(retry, nil); got.status != http.StatusSeeOther || b.stateOf(write) != ledger.Pending {
		t.Errorf("after the log-in: status %d, the write is %s", got.status, b.stateOf(write))
	}
}

func TestConfirmIsThrottled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	in := b.loggedIn(idaEmail)
	for range 4 {
		in.post("/confirm", url.Values{"password": {"a field of weeds"}})
	}
	// The fifth failure locks for a second only, which a busy machine may take for the next request.
	b.exec("update login_throttles set locked_until = now() + interval '1 minute' where subject like 'account:%'")
	got := in.post("/confirm", url.Values{"password": {idaPassword}})
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
}

// The settings hide the forms that would be refused, so that nothing is typed
// in vain.
func TestSettingsOfAnOlderLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	in := b.loggedIn(idaEmail)
	if got := in.get("/settings"); strings.Count(got.body, `name="new_password"`) != 1 || strings.Contains(got.body, "/confirm") {
		t.Error("a fresh log-in does not see the forms")
	}
	b.grow(db.FreshLogin.String())
	if got := in.get("/settings"); strings.Contains(got.body, `name="new_password"`) || strings.Count(got.body, `href="/confirm?next=%2Fsettings%23h-`) != 2 {
		t.Error("an older one sees the forms")
	}
	for action, form := range map[string]url.Values{
		"/settings/password": {"current_password": {idaPassword}, "new_password": {"a field of oats and rye"}},
		"/settings/tokens":   {"name": {"laptop"}},
	} {
		if got := in.post(action, form); got.status != http.StatusForbidden {
			t.Errorf("POST %s: status %d", action, got.status)
		}
	}
	if got := b.browser().post("/login", credentials(idaEmail, idaPassword)); got.status != http.StatusSeeOther || b.count("select count(*) from api_tokens") != 0 {
		t.Error("something was done")
	}
}
