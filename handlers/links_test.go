package handlers

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"furrow/db"
	"furrow/ledger"
)

const evePassword = "an orchard of pears"

func withMail(d *Deps) { d.Mail = true }

// linkOn is the address of the link that a page shows, without the host.
func linkOn(t *testing.T, a answer) string {
	t.Helper()
	_, path, found := strings.Cut(a.text(t, "code.secret"), "://")
	_, path, _ = strings.Cut(path, "/")
	if !found {
		t.Fatalf("no link is shown: status %d: %s", a.status, a.text(t, "main"))
	}
	return "/" + path
}

// An admin invites somebody, who chooses a password and is in, with the role that
// was given. Whoever looks at the link, as those do who check mails, uses nothing up.
func TestInvite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(idaEmail, true)
	ida := b.loggedIn(idaEmail)
	for _, test := range []struct {
		form   url.Values
		status int
		says   string
	}{
		{url.Values{"email": {"eve"}, "role": {"user"}}, http.StatusUnprocessableEntity, "does not look like"},
		{url.Values{"email": {idaEmail}, "role": {"user"}}, http.StatusConflict, "already"},
		{url.Values{"email": {"eve@example.com"}, "role": {"root"}}, http.StatusBadRequest, ""},
	} {
		if got := ida.post("/admin/users/invite", test.form); got.status != test.status || !strings.Contains(got.body, test.says) {
			t.Errorf("%v: status %d: %s", test.form, got.status, got.text(t, "main"))
		}
	}
	link := linkOn(t, ida.post("/admin/users/invite", url.Values{"email": {" Eve@Example.com"}, "role": {"viewer"}}))
	if got := ida.get("/admin/users/invite"); strings.Contains(got.body, link) || !strings.Contains(got.text(t, "ul.tokens"), "eve@example.com") {
		t.Errorf("the list: %s", got.text(t, "main"))
	}

	eve := b.browser()
	for range 2 {
		got := eve.get(link)
		if got.status != http.StatusOK || !strings.Contains(got.text(t, "main"), "eve@example.com") || got.header.Get("Referrer-Policy") != "no-referrer" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("the link: status %d, %v: %s", got.status, got.header, got.text(t, "main"))
		}
	}
	if got := eve.post(link, url.Values{"password": {"pears"}}); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "at least 12") {
		t.Errorf("a short password: status %d", got.status)
	}
	if got := eve.post(link, url.Values{"password": {evePassword}}); got.status != http.StatusSeeOther || got.location() != "/" {
		t.Fatalf("joined: status %d: %s", got.status, got.text(t, "main"))
	}
	if got := eve.get("/admin/writes"); got.status != http.StatusOK {
		t.Errorf("a viewer's admin pages: status %d", got.status)
	}
	if got := b.browser().post(link, url.Values{"password": {evePassword}}); got.status != http.StatusNotFound || !strings.Contains(got.body, "does not work any more") {
		t.Errorf("the link again: status %d: %s", got.status, got.text(t, "main"))
	}

	ida.post("/admin/users/invite", url.Values{"email": {"al@example.com"}, "role": {"user"}})
	page := ida.get("/admin/users/invite")
	revoke := regexp.MustCompile(`/admin/users/invite/\d+/revoke`).FindString(page.body)
	if got := ida.post(revoke, nil); got.status != http.StatusSeeOther {
		t.Errorf("take it back: status %d", got.status)
	}
	if got := ida.get("/admin/users/invite"); strings.Contains(got.body, "al@example.com") {
		t.Error("it is still listed")
	}
	b.keptSecret(link)
}

// keptSecret fails the test if the token of a link is in the log or in the database.
func (b *testBundle) keptSecret(link string) {
	b.t.Helper()
	token := link[strings.LastIndex(link, "/")+1:]
	if len(token) < 40 {
		b.t.Fatalf("%s holds no token", link)
	}
	if strings.Contains(b.log.String(), token) {
		b.t.Error("the log holds the token")
	}
	if n := b.count("select count(*) from account_links l where strpos(l::text, $1) > 0", token); n != 0 {
		b.t.Error("the database holds the token")
	}
}

// With mail, the link goes to the mailbox and nowhere else.
func TestInviteByMail(t *testing.T) {
	t.Parallel()
	b := setup(t, withMail)
	b.user(idaEmail, true)
	bob := b.user(bobEmail, false)
	ida := b.loggedIn(idaEmail)
	got := ida.post("/admin/users/invite", url.Values{"email": {"eve@example.com"}, "role": {"user"}})
	if got.status != http.StatusSeeOther || got.location() != "/admin/users/invite" {
		t.Errorf("invited: status %d: %s", got.status, got.text(t, "main"))
	}
	if page := ida.get("/admin/users/invite"); !strings.Contains(page.body, "eve@example.com gets a mail") || strings.Contains(page.body, "/join/") {
		t.Errorf("afterwards: %s", page.text(t, "body"))
	}
	if got := ida.post("/admin/users/"+strconv.FormatInt(bob, 10)+"/reset-link", nil); got.status != http.StatusSeeOther || got.location() != "/admin/users" {
		t.Errorf("a link for Bob: status %d: %s", got.status, got.text(t, "main"))
	}
	for _, to := range []string{"eve@example.com", bobEmail} {
		if n := b.count(`select count(*) from mails m join river_job j on j.kind = 'send_mail' and (j.args ->> 'mail_id')::bigint = m.id where m.recipient = $1`, to); n != 1 {
			t.Errorf("%d mails to %s", n, to)
		}
	}
}

// A forgotten password is replaced by a link. Whether there is an account for an
// address is not to be learned.
func TestForgot(t *testing.T) {
	t.Parallel()
	b := setup(t, withMail)
	b.ida()
	anybody := b.browser()
	if got := anybody.get("/login"); !strings.Contains(got.body, `href="/login/forgot"`) {
		t.Error("the login page does not lead to it")
	}
	if got := anybody.post("/login/forgot", url.Values{"email": {"ida"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("no address: status %d", got.status)
	}
	known := anybody.post("/login/forgot", url.Values{"email": {idaEmail}})
	unknown := anybody.post("/login/forgot", url.Values{"email": {"eve@example.com"}})
	if known.status != http.StatusOK || known.status != unknown.status || known.body != unknown.body || !strings.Contains(known.body, "a mail is on its way") {
		t.Errorf("known: %d %s\nunknown: %d %s", known.status, known.text(t, "main"), unknown.status, unknown.text(t, "main"))
	}
	if n := b.count("select count(*) from river_job where kind = 'password_reset'"); n != 2 || b.count("select count(*) from mails") != 0 {
		t.Errorf("%d jobs, and mails while somebody waits", n)
	}
	var last answer
	for range 3 {
		last = anybody.post("/login/forgot", url.Values{"email": {idaEmail}})
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" || !strings.Contains(last.body, "too many tries") {
		t.Errorf("too often: status %d: %s", last.status, last.text(t, "main"))
	}

	quiet := setup(t)
	for _, got := range []answer{quiet.browser().get("/login/forgot"), quiet.browser().post("/login/forgot", url.Values{"email": {idaEmail}})} {
		if !strings.Contains(got.body, "sends no mails") || !strings.Contains(got.body, "furrow admin reset-link") {
			t.Errorf("without mails: status %d: %s", got.status, got.text(t, "main"))
		}
	}
	if n := quiet.count("select count(*) from account_links"); n != 0 {
		t.Errorf("%d links are asked for that nobody can send", n)
	}
}

// A link gives a new password once, and ends all sessions; it logs nobody in.
func TestResetByLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.user(idaEmail, true)
	ida := b.loggedIn(idaEmail)
	link := linkOn(t, ida.post("/admin/users/"+strconv.FormatInt(id, 10)+"/reset-link", nil))
	if got := ida.get("/week"); got.status != http.StatusSeeOther || strings.Contains(got.location(), "login") {
		t.Errorf("the link alone: status %d to %s", got.status, got.location())
	}
	with := b.browser()
	if got := with.get(link); got.status != http.StatusOK || got.header.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(got.text(t, "main"), idaEmail) {
		t.Errorf("the link: status %d: %s", got.status, got.text(t, "main"))
	}
	if got := with.post(link, url.Values{"password": {idaEmail}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the address as a password: status %d", got.status)
	}
	if got := with.post(link, url.Values{"password": {evePassword}}); got.status != http.StatusSeeOther || got.location() != "/login" {
		t.Fatalf("used: status %d: %s", got.status, got.text(t, "main"))
	}
	for name, in := range map[string]*browser{"the old session": ida, "who used it": with} {
		if got := in.get("/week"); !strings.HasPrefix(got.location(), "/login") {
			t.Errorf("%s: status %d to %s", name, got.status, got.location())
		}
	}
	if got := with.post(link, url.Values{"password": {evePassword}}); got.status != http.StatusNotFound {
		t.Errorf("the link again: status %d", got.status)
	}
	if got := with.post("/login", url.Values{"email": {idaEmail}, "password": {evePassword}}); got.status != http.StatusSeeOther {
		t.Errorf("log in: status %d", got.status)
	}
	b.keptSecret(link)
}

// Where the links in mails lead is said by the public address alone.
func TestLinkMails(t *testing.T) {
	t.Parallel()
	public := &url.URL{Scheme: "https", Host: "plan.example.com"}
	token := ledger.Secret("abc_-DEF")
	if m := ResetMail(public, idaEmail, token); m.Check() != nil || m.To != idaEmail || !strings.Contains(m.Text, "\nhttps://plan.example.com/reset/abc_-DEF\n") {
		t.Errorf("%+v", m)
	}
	if m := inviteMail(public, idaEmail, "eve@example.com", token); m.Check() != nil || m.To != "eve@example.com" || !strings.Contains(m.Text, "\nhttps://plan.example.com/join/abc_-DEF\n") || !strings.HasPrefix(m.Text, idaEmail) {
		t.Errorf("%+v", m)
	}
	if db.ResetTerm.Hours() != 1 || db.InvitationTerm.Hours() != 7*24 {
		t.Error("the mails tell other terms")
	}
}
