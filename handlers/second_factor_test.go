package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/pquerna/otp/totp"
)

// app is somebody's app for one-time codes.
type app struct {
	b        *testBundle
	secret   string
	recovery []string
}

// enrol sets the second factor of who is logged in up.
func (in *browser) enrol() *app {
	t := in.b.t
	t.Helper()
	if got := in.post("/settings/second-factor/begin", nil); got.status != http.StatusSeeOther {
		t.Fatalf("begin: status %d: %s", got.status, got.text(t, "main"))
	}
	a := &app{b: in.b, secret: strings.ReplaceAll(in.get("/settings/second-factor").text(t, ".secret"), " ", "")}
	got := in.post("/settings/second-factor", url.Values{"code": {a.code()}})
	page, err := goquery.NewDocumentFromReader(strings.NewReader(got.body))
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("status %d, %v: %s", got.status, err, got.text(t, "main"))
	}
	a.recovery = page.Find(".codes code").Map(func(_ int, code *goquery.Selection) string { return code.Text() })
	return a
}

// code is what the app shows.
func (a *app) code() string {
	a.b.t.Helper()
	code, err := totp.GenerateCode(a.secret, a.b.clockNow())
	if err != nil {
		a.b.t.Fatal(err)
	}
	return code
}

// next waits for the next code.
func (a *app) next() string {
	a.b.clock.Add(30)
	return a.code()
}

// password is the first step of a log-in with a code.
func (in *browser) password() {
	in.b.t.Helper()
	form := credentials(idaEmail, idaPassword)
	form.Set("next", "/ledger")
	if got := in.post("/login", form); got.status != http.StatusSeeOther || got.location() != "/login/code?next=%2Fledger" {
		in.b.t.Fatalf("the password: status %d to %q", got.status, got.location())
	}
}

func (in *browser) code(code string) answer {
	in.b.t.Helper()
	return in.post("/login/code", url.Values{"code": {code}, "next": {"/ledger"}})
}

func (in *browser) isIn() bool { return in.get("/settings").status == http.StatusOK }

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	in, elsewhere := b.loggedIn(idaEmail), b.loggedIn(idaEmail)
	if got := in.post("/settings/second-factor", url.Values{"code": {"123456"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a code of nothing: status %d", got.status)
	}
	in.post("/settings/second-factor/begin", nil)
	if got := in.post("/settings/second-factor", url.Values{"code": {"123456"}}); got.status != http.StatusUnprocessableEntity || got.text(t, "#f-code-error") == "" {
		t.Errorf("a wrong first code: status %d", got.status)
	}
	if b.browser().post("/login", credentials(idaEmail, idaPassword)).location() != "/" {
		t.Error("a code is asked for before the first one was right")
	}
	a := in.enrol()
	enrolled := a.code()
	if len(a.recovery) != 10 || len(slices.Compact(slices.Sorted(slices.Values(a.recovery)))) != 10 {
		t.Fatalf("recovery codes: %v", a.recovery)
	}
	if !in.isIn() || elsewhere.isIn() {
		t.Error("this session ended, or one that was begun without the code did not")
	}
	var stored string
	if err := b.pool.QueryRow(t.Context(), "select string_agg(f::text || c::text || encode(f.sealed, 'escape'), ' ') from second_factors f, recovery_codes c").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stored, a.secret) || strings.Contains(stored, a.recovery[0]) || b.count("select count(*) from recovery_codes where length(code_hash) = 32") != 10 {
		t.Error("secrets are stored as they are")
	}

	in = b.browser()
	in.password()
	pending := in.cookie().Value
	if in.isIn() || in.get("/login/code").status != http.StatusOK {
		t.Error("the password alone lets in, or the code cannot be typed")
	}
	for name, code := range map[string]string{"a wrong one": "000000", "the one of before": enrolled, "nothing": "", "no recovery code": "aaaa-bbbb-cccc-dddd"} {
		if got := in.code(code); got.status != http.StatusUnprocessableEntity || got.text(t, "[role=alert]") != wrongCode || in.isIn() {
			t.Errorf("%s: status %d, %q", name, got.status, got.text(t, "[role=alert]"))
		}
	}
	code := a.next()
	if got := in.code(code[:3] + " " + code[3:]); got.status != http.StatusSeeOther || got.location() != "/ledger" || !in.isIn() || in.cookie().Value == pending {
		t.Errorf("the code: status %d to %q, with the token of before: %t", got.status, got.location(), in.cookie().Value == pending)
	}
	other := b.browser()
	other.password()
	if got := other.code(code); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the same code once more: status %d", got.status)
	}
	if got := other.code(strings.ToUpper(strings.ReplaceAll(a.recovery[3], "-", " "))); got.status != http.StatusSeeOther || !strings.Contains(other.get("/ledger").text(t, ".flash"), "9 left") {
		t.Errorf("a recovery code: status %d", got.status)
	}
	again := b.browser()
	again.password()
	if got := again.code(a.recovery[3]); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a recovery code once more: status %d", got.status)
	}

	// New recovery codes make the old ones worthless.
	if got := in.post("/settings/second-factor/codes", nil); got.status != http.StatusOK || strings.Contains(got.body, a.recovery[0]) || !strings.Contains(got.body, `download="furrow-recovery-codes.txt"`) {
		t.Errorf("new codes: status %d", got.status)
	}
	if got := again.code(a.recovery[0]); got.status != http.StatusUnprocessableEntity {
		t.Errorf("an old recovery code: status %d", got.status)
	}

	if got := in.post("/settings/second-factor/remove", url.Values{"code": {"000000"}}); got.status != http.StatusUnprocessableEntity || b.count("select count(*) from second_factors") != 1 {
		t.Errorf("switched off without a code: status %d", got.status)
	}
	if got := in.post("/settings/second-factor/remove", url.Values{"code": {a.next()}}); got.status != http.StatusSeeOther || b.count("select count(*) from second_factors") != 0 {
		t.Errorf("switch it off: status %d", got.status)
	}
	if got := b.browser().post("/login", credentials(idaEmail, idaPassword)); got.location() != "/" {
		t.Errorf("without it: status %d to %q", got.status, got.location())
	}
	for _, action := range []string{"second_factor.enable", "recovery_codes.use", "recovery_codes.make", "second_factor.disable"} {
		if rows := b.audited(action); len(rows) != 1 || rows[0]["actor"] != idaEmail || rows[0]["subject"] != "user "+strconv.FormatInt(id, 10) {
			t.Errorf("%s is audited as %v", action, rows)
		}
	}
}

// Who knows the password cannot try codes faster than passwords, however often
// they give it; and the audit tells.
func TestCodesAreThrottled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	a := b.loggedIn(idaEmail).enrol()
	in := b.browser()
	for i := range 5 {
		in.password()
		if got := in.code("000000"); got.status != http.StatusUnprocessableEntity {
			t.Fatalf("try %d: status %d", i+1, got.status)
		}
	}
	if n := b.count("select failures from login_throttles where subject like 'account:%'"); n != 5 {
		t.Errorf("%d failures are counted, want 5", n)
	}
	b.exec("update login_throttles set locked_until = now() + interval '1 minute' where subject like 'account:%'")
	if got := in.code(a.code()); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || in.isIn() {
		t.Errorf("after them: status %d", got.status)
	}
	if got := in.post("/login", credentials(idaEmail, idaPassword)); got.status != http.StatusTooManyRequests {
		t.Errorf("the password after them: status %d", got.status)
	}
	if rows := b.audited("login.code_failed"); len(rows) != 1 || rows[0]["failures"] != float64(5) {
		t.Errorf("audited: %v", rows)
	}
	b.clock.Add(120)
	in.password()
	if got := in.code(a.code()); got.status != http.StatusSeeOther || b.count("select count(*) from login_throttles where subject like 'account:%'") != 0 {
		t.Errorf("after the wait: status %d", got.status)
	}
}

// The password is good for a few minutes, and not after it was changed.
func TestCodeInTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	a := b.loggedIn(idaEmail).enrol()
	for name, end := range map[string]func() error{
		"too late": func() error {
			_, err := b.pool.Exec(t.Context(), "update sessions set expires_at = expires_at - $1::interval where awaits_code", pendingLifetime)
			return err
		},
		"the password changed": func() error { return b.store.ResetPassword(t.Context(), idaEmail, "no hash") },
	} {
		in := b.browser()
		in.password()
		if n := b.count("select count(*) from sessions where awaits_code and expires_at between now() + interval '9 minutes' and now() + interval '10 minutes'"); n != 1 {
			t.Errorf("%d sessions wait for a code", n)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		rows := b.count("select count(*) from sessions")
		got := in.code(a.next())
		if got.status != http.StatusUnprocessableEntity || got.text(t, "[role=alert]") != "That took too long. Log in again." || in.isIn() {
			t.Errorf("%s: status %d, %q", name, got.status, got.text(t, "[role=alert]"))
		}
		if !strings.Contains(got.body, `name="next" value="/ledger"`) || b.count("select count(*) from sessions") != rows {
			t.Errorf("%s: it leads elsewhere, or a session was made to say so", name)
		}
		hash, err := hashOfIda()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.store.ResetPassword(t.Context(), idaEmail, hash); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever has the machine lets somebody in who lost their phone; a new password
// alone does not.
func TestResetFromTheShell(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	b.loggedIn(idaEmail).enrol()
	hash, err := hashOfIda()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.ResetPassword(t.Context(), idaEmail, hash); err != nil {
		t.Fatal(err)
	}
	b.browser().password()
	if err := b.store.ResetSecondFactor(t.Context(), strings.ToUpper(idaEmail)); err != nil {
		t.Fatal(err)
	}
	b.loggedIn(idaEmail)
	if rows := b.audited("second_factor.reset"); len(rows) != 1 || rows[0]["actor"] != "furrow" || rows[0]["subject"] != "user "+strconv.FormatInt(id, 10) {
		t.Errorf("audited: %v", rows)
	}
	if rows := b.audited("password.reset"); len(rows) != 1 || rows[0]["actor"] != "furrow" {
		t.Errorf("audited: %v", rows)
	}
	if n := b.count("select count(*) from recovery_codes"); n != 0 {
		t.Errorf("%d recovery codes are left", n)
	}
}

// The right password alone does not forgive wrong codes.
func TestPasswordForgivesNoCodes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	in := b.loggedIn(idaEmail)
	in.enrol()
	in.post("/settings/second-factor/remove", url.Values{"code": {"000000"}})
	in.post("/settings/second-factor/remove", url.Values{"code": {"000000"}})
	if got := in.post("/settings/password", url.Values{"current_password": {idaPassword}, "new_password": {idaPassword}}); got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	if n := b.count("select failures from login_throttles where subject like 'account:%'"); n != 2 {
		t.Errorf("%d failures are counted, want 2", n)
	}
}

func TestConfirmAsksForTheCode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	in := b.loggedIn(idaEmail)
	a := in.enrol()
	b.grow("16 minutes")
	for _, test := range []struct {
		name, password, code string
		want                 int
	}{
		{"no code", idaPassword, "", http.StatusUnprocessableEntity},
		{"a code that was taken", idaPassword, a.code(), http.StatusUnprocessableEntity},
		{"a wrong password", "a field of weeds", a.next(), http.StatusUnprocessableEntity},
		{"both", idaPassword, a.code(), http.StatusSeeOther}, // a wrong password takes no code
	} {
		if got := in.post("/confirm", url.Values{"password": {test.password}, "code": {test.code}}); got.status != test.want {
			t.Errorf("%s: status %d, want %d", test.name, got.status, test.want)
		}
	}
}

// Who has to have a second factor gets nothing before.
func TestRequiredSecondFactor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		require   Require
		ida, root bool // has to
	}{{RequireNone, false, false}, {RequireStaff, false, true}, {RequireAll, true, true}} {
		t.Run(string(test.require), func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(d *Deps) { d.RequireTOTP = test.require })
			ida := b.ida()
			b.user(rootEmail, true)
			token, err := b.store.CreateAPIToken(t.Context(), ida, "laptop")
			if err != nil {
				t.Fatal(err)
			}
			if got := b.browser().do(http.MethodGet, "/api/harvest-sync/1", nil, "Authorization", "Bearer "+token.Reveal()); got.status != http.StatusNotFound {
				t.Errorf("a program with a token: status %d", got.status)
			}
			for email, must := range map[string]bool{idaEmail: test.ida, rootEmail: test.root} {
				in := b.loggedIn(email)
				page := in.get("/ledger")
				if led := page.location() == "/settings/second-factor"; led != must {
					t.Errorf("%s: status %d to %q", email, page.status, page.location())
				}
				if !must {
					continue
				}
				for name, got := range map[string]answer{
					"a form": in.post("/settings", nil), "a program": in.post("/api/harvest-sync", nil), "an admin's form": in.post("/admin/writes/1/retry", nil),
					"a fragment": in.get("/ledger/live", "HX-Request", "true"),
				} {
					if got.status != http.StatusForbidden || name == "a fragment" && got.header.Get("HX-Redirect") != "/settings/second-factor" {
						t.Errorf("%s, %s: status %d", email, name, got.status)
					}
				}
				in.enrol()
				if got := in.get("/ledger"); got.status != http.StatusOK {
					t.Errorf("%s, enrolled: status %d", email, got.status)
				}
			}
		})
	}
}

func TestOwnSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
	phone := b.browser()
	phone.post("/login", credentials(idaEmail, idaPassword), "User-Agent", firefox)
	other, in := b.loggedIn(idaEmail), b.loggedIn(idaEmail)
	b.user("mallory@example.com", false)
	mallory := b.loggedIn("mallory@example.com")

	page := in.get("/settings/sessions")
	text := strings.Join(strings.Fields(page.text(t, ".tokens")), " ")
	if strings.Count(text, "at 127.0.0.1") != 3 || strings.Count(text, "this one") != 1 || !strings.Contains(text, "Firefox on Linux") {
		t.Errorf("the list says %q", text)
	}
	var id int64
	if err := b.pool.QueryRow(t.Context(), "select id from sessions where agent = $1", firefox).Scan(&id); err != nil {
		t.Fatal(err)
	}
	revoke := path("settings", "sessions", id, "revoke")
	if got := mallory.post(revoke, nil); got.status != http.StatusNotFound || !phone.isIn() {
		t.Errorf("somebody else's: status %d", got.status)
	}
	if got := in.post(revoke, nil); got.status != http.StatusSeeOther || phone.isIn() || !other.isIn() {
		t.Errorf("one: status %d", got.status)
	}
	if got := in.post("/settings/sessions/revoke", nil); got.status != http.StatusSeeOther || other.isIn() || !in.isIn() || !mallory.isIn() {
		t.Errorf("all others: status %d", got.status)
	}
	if rows := b.audited("sessions.revoke"); len(rows) != 2 || rows[0]["actor"] != idaEmail || rows[0]["count"] != float64(1) {
		t.Errorf("audited: %v", rows)
	}
}

// A code is that of RFC 6238, appendix B, and good for a step around it.
func TestTOTPCode(t *testing.T) {
	t.Parallel()
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	at := time.Unix(1111111109, 0)
	for _, test := range []struct {
		name string
		late time.Duration
		code string
		want int64 // the step; 0: it does not fit
	}{
		{"in time", 0, "081804", 37037036},
		{"a step late", 30 * time.Second, "081804", 37037036},
		{"a step early", -30 * time.Second, "081804", 37037036},
		{"two steps late", 60 * time.Second, "081804", 0},
		{"two steps early", -60 * time.Second, "081804", 0},
		{"another", 0, "081805", 0},
		{"seven digits", 0, "7081804", 0},
	} {
		if step, fits := totpCode(secret, test.code, at.Add(test.late)); step != test.want || fits != (test.want != 0) {
			t.Errorf("%s: step %d, %t; want %d", test.name, step, fits, test.want)
		}
	}
}
