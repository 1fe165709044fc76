package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"furrow/views"
)

func credentials(email, password string) url.Values {
	return url.Values{"email": {email}, "password": {password}}
}

func TestHomeLeadsOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stranger := b.browser()
	if got := stranger.get("/").location(); got != views.SetupPath {
		t.Errorf("an empty instance leads to %q", got)
	}
	if got := stranger.get("/login").location(); got != views.SetupPath {
		t.Errorf("the login page of an empty instance leads to %q", got)
	}
	b.ida()
	if got := stranger.get("/").location(); got != views.LoginPath {
		t.Errorf("a stranger is led to %q", got)
	}
	if got := stranger.get("/setup").location(); got != views.HomePath {
		t.Errorf("the setup of a set up instance leads to %q", got)
	}
	if got := b.loggedIn(idaEmail).get("/").location(); got != views.ThisWeekPath {
		t.Errorf("a user is led to %q", got)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	const wrong = "The email address and the password do not fit together."
	for _, test := range []struct {
		name, email, password string
		wantStatus            int
		wantError             string
	}{
		{"right", idaEmail, idaPassword, http.StatusSeeOther, ""},
		{"address in capitals, with blanks", "  IDA@example.com ", idaPassword, http.StatusSeeOther, ""},
		{"wrong password", idaEmail, "a field of wheat", http.StatusUnprocessableEntity, wrong},
		{"unknown address", "nobody@example.com", idaPassword, http.StatusUnprocessableEntity, wrong},
		{"nothing", "", "", http.StatusUnprocessableEntity, wrong},
		{"very long password", idaEmail, strings.Repeat("x", 100_000), http.StatusUnprocessableEntity, wrong},
		{"zero byte", "ida@example.com\x00", idaPassword, http.StatusBadRequest, ""},
		{"not UTF-8", "ida\xff@example.com", idaPassword, http.StatusBadRequest, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := b.browser()
			got := in.post("/login", credentials(test.email, test.password))
			if got.status != test.wantStatus || got.text(t, "[role=alert]") != test.wantError {
				t.Fatalf("status %d, says %q; want %d, %q", got.status, got.text(t, "[role=alert]"), test.wantStatus, test.wantError)
			}
			if strings.Contains(got.body, test.password) && len(test.password) > 0 {
				t.Error("the password comes back in the page")
			}
			loggedIn := in.get("/").location() == views.ThisWeekPath
			if loggedIn != (test.wantStatus == http.StatusSeeOther) {
				t.Errorf("logged in: %v", loggedIn)
			}
		})
	}
}

func TestLoginThrottlesAnAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	for _, email := range []string{idaEmail, "nobody@example.com"} {
		in := b.browser()
		for i := range 5 {
			if got := in.post("/login", credentials(email, "a wrong password")); got.status != http.StatusUnprocessableEntity {
				t.Fatalf("%s: try %d: status %d", email, i+1, got.status)
			}
		}
		// The lock is for a second, which checking a password may take on a busy machine.
		if n := b.count(`with longer as (
			update login_throttles set locked_until = locked_until + interval '1 minute' where subject like 'account:%' and failures >= 5 and isfinite(locked_until) returning 1
		) select count(*) from longer`); n == 0 {
			t.Errorf("%s is not locked after 5 failures", email)
		}
		got := in.post("/login", credentials(email, idaPassword))
		if wait, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != http.StatusTooManyRequests || err != nil || wait > 61 {
			t.Errorf("%s: after 5 failures: status %d, Retry-After %q", email, got.status, got.header.Get("Retry-After"))
		}
		if got.text(t, "[role=alert]") == "" {
			t.Errorf("%s: nothing is said", email)
		}
		b.clock.Add(120) // also past the window of the address
	}
	in := b.browser()
	if got := in.post("/login", credentials(idaEmail, idaPassword)); got.status != http.StatusSeeOther {
		t.Errorf("after the wait: status %d", got.status)
	}
	if n := b.count("select count(*) from login_throttles where subject like 'account:%' and failures > 0"); n != 1 {
		t.Errorf("%d accounts have failures, want that of nobody only", n)
	}
	if n := b.count("select count(*) from login_throttles where subject like '%example%'"); n != 0 {
		t.Error("what was typed is stored as it is")
	}
}

func TestLoginThrottlesAnAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	const tries = 30
	statuses := make([]int, tries)
	var wg sync.WaitGroup
	for i := range tries { // at the same time: counting comes before comparing
		wg.Go(func() {
			statuses[i] = b.browser().insist("/login", credentials(fmt.Sprintf("u%d@example.com", i), "a wrong password")).status
		})
	}
	wg.Wait()
	refused, compared := 0, 0
	for _, status := range statuses {
		switch status {
		case http.StatusTooManyRequests:
			refused++
		case http.StatusUnprocessableEntity:
			compared++
		}
	}
	if compared > 20 || refused+compared != tries {
		t.Errorf("%d of %d tries were refused, %d compared; want 20 compared at the most", refused, tries, compared)
	}
	if got := b.browser().post("/login", credentials(idaEmail, idaPassword)); got.status != http.StatusTooManyRequests {
		t.Errorf("the 21st try: status %d", got.status)
	}
	b.clock.Add(61)
	if got := b.browser().post("/login", credentials(idaEmail, idaPassword)); got.status != http.StatusSeeOther {
		t.Errorf("a minute later: status %d", got.status)
	}
}

func TestLoginRenewsTheToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	b.user("mallory@example.com", false)
	mallory := b.loggedIn("mallory@example.com")
	for _, planted := range []string{mallory.cookie().Value, "made-up-token"} {
		victim := b.browser()
		victim.plant(planted)
		if got := victim.post("/login", credentials(idaEmail, idaPassword)); got.status != http.StatusSeeOther {
			t.Fatalf("status %d", got.status)
		}
		if victim.cookie().Value == planted {
			t.Error("the planted token is still in use")
		}
		if got := mallory.get("/settings"); got.status != http.StatusSeeOther {
			t.Errorf("who planted the token gets status %d", got.status)
		}
		if !strings.Contains(victim.get("/settings").body, idaEmail) {
			t.Error("the victim is not logged in as themselves")
		}
	}
}

func TestLogoutEndsTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	in := b.loggedIn(idaEmail)
	stolen := b.browser()
	stolen.plant(in.cookie().Value)
	if got := stolen.get("/settings"); got.status != http.StatusOK {
		t.Fatalf("the copied cookie gives status %d before the logout", got.status)
	}
	got := in.post("/logout", nil)
	if got.status != http.StatusSeeOther || got.location() != views.LoginPath || in.cookie().Value != "" {
		t.Errorf("logout: status %d to %q, cookie %q", got.status, got.location(), in.cookie().Value)
	}
	if got := stolen.get("/settings"); got.status != http.StatusSeeOther {
		t.Errorf("the copied cookie gives status %d after the logout", got.status)
	}
	if n := b.count("select count(*) from sessions"); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if got := in.get("/logout"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET /logout: status %d", got.status)
	}
}

func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	for _, test := range []struct{ next, want string }{
		{"/weeks/2026-11-23?day=2026-11-24", "/weeks/2026-11-23?day=2026-11-24"},
		{"/ledger#latest", "/ledger#latest"},
		{"", "/"},
		{"https://evil.example/", "/"},
		{"//evil.example/", "/"},
		{"///evil.example/", "/"},
		{`/\evil.example/`, "/"},
		{`\\evil.example/`, "/"},
		{"/\t/evil.example/", "/"},
		{"/\n/evil.example/", "/"},
		{"javascript:alert(1)", "/"},
		{"evil.example", "/"},
		{"/%zz", "/"},
	} {
		t.Run(test.next, func(t *testing.T) {
			form := credentials(idaEmail, idaPassword)
			form.Set("next", test.next)
			in := b.browser()
			if got := in.post("/login", form).location(); got != test.want {
				t.Errorf("the login leads to %q, want %q", got, test.want)
			}
			if got := in.get("/login?next=" + url.QueryEscape(test.next)).location(); got != test.want {
				t.Errorf("the login page leads a user to %q, want %q", got, test.want)
			}
			if got := in.post("/sandbox/outage", url.Values{"mode": {"503"}, "next": {test.next}}).location(); got != test.want {
				t.Errorf("the outage switch leads to %q, want %q", got, test.want)
			}
		})
	}
}

func TestSetup(t *testing.T) {
	t.Parallel()
	withToken := func(d *Deps) { d.SetupToken = "one-time-token" }
	for _, test := range []struct {
		name       string
		change     func(*Deps)
		form       url.Values
		host       string
		wantStatus int
		wantField  string // id of the error
	}{
		{"no token needed", func(*Deps) {}, credentials(idaEmail, idaPassword), "", http.StatusSeeOther, ""},
		{"another name for this machine", func(*Deps) {}, credentials(idaEmail, idaPassword), "localhost:80", http.StatusSeeOther, ""},
		{"a foreign name for this machine", func(*Deps) {}, credentials(idaEmail, idaPassword), "evil.example", http.StatusForbidden, ""},
		{"short password", func(*Deps) {}, credentials(idaEmail, "short"), "", http.StatusUnprocessableEntity, "password"},
		{"long password", func(*Deps) {}, credentials(idaEmail, strings.Repeat("xy", 600)), "", http.StatusUnprocessableEntity, "password"},
		{"easy password", func(*Deps) {}, credentials(idaEmail, "aaaaaaaaaaaaaaaa"), "", http.StatusUnprocessableEntity, "password"},
		{"the address as password", func(*Deps) {}, credentials(idaEmail, idaEmail), "", http.StatusUnprocessableEntity, "password"},
		{"no address", func(*Deps) {}, credentials("ida", idaPassword), "", http.StatusUnprocessableEntity, "email"},
		{"address with a name", func(*Deps) {}, credentials("Ida <ida@example.com>", idaPassword), "", http.StatusUnprocessableEntity, "email"},
		{"token missing", withToken, credentials(idaEmail, idaPassword), "", http.StatusUnprocessableEntity, "setup_token"},
		{"token wrong", withToken, url.Values{"email": {idaEmail}, "password": {idaPassword}, "setup_token": {"guess"}}, "", http.StatusUnprocessableEntity, "setup_token"},
		{"token right", withToken, url.Values{"email": {idaEmail}, "password": {idaPassword}, "setup_token": {"one-time-token"}}, "", http.StatusSeeOther, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.change)
			in := b.browser()
			var header []string
			if test.host != "" {
				header = []string{"Host", test.host}
			}
			got := in.post("/setup", test.form, header...)
			if got.status != test.wantStatus {
				t.Fatalf("status %d, want %d: %s", got.status, test.wantStatus, got.body)
			}
			if test.wantField != "" && got.text(t, "#f-"+test.wantField+"-error") == "" {
				t.Errorf("nothing is said about %s: %s", test.wantField, got.body)
			}
			want := 0
			if test.wantStatus == http.StatusSeeOther {
				want = 1
			}
			if n := b.count("select count(*) from users where is_admin"); n != want {
				t.Errorf("%d admins, want %d", n, want)
			}
			if loggedIn := in.get("/", header...).location() == views.ThisWeekPath; loggedIn != (want == 1) {
				t.Errorf("logged in: %v", loggedIn)
			}
		})
	}
}

func TestSetupHasOneWinner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const rivals = 8
	statuses := make([]int, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() {
			statuses[i] = b.browser().insist("/setup", credentials(fmt.Sprintf("u%d@example.com", i), idaPassword)).status
		})
	}
	wg.Wait()
	won, lost := 0, 0
	for _, status := range statuses {
		switch status {
		case http.StatusSeeOther:
			won++
		case http.StatusConflict:
			lost++
		}
	}
	if won != 1 || lost != rivals-1 {
		t.Errorf("statuses %v", statuses)
	}
	if n := b.count("select count(*) from users"); n != 1 {
		t.Errorf("%d users", n)
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct {
		name, remote, forwarded string
		proxies                 []netip.Prefix
		want                    string
	}{
		{"direct", "192.0.2.7:1234", "", nil, "192.0.2.7"},
		{"nobody is trusted", "127.0.0.1:1234", "192.0.2.7", nil, "127.0.0.1"},
		{"a stranger's claim", "192.0.2.7:1234", "198.51.100.1", proxies, "192.0.2.7"},
		{"a proxy's word", "127.0.0.1:1234", "192.0.2.7", proxies, "192.0.2.7"},
		{"a claim passed on by a proxy", "127.0.0.1:1234", "198.51.100.1, 192.0.2.7", proxies, "192.0.2.7"},
		{"two proxies", "127.0.0.1:1234", "198.51.100.1, 192.0.2.7, 10.1.2.3", proxies, "192.0.2.7"},
		{"nonsense", "127.0.0.1:1234", "unknown", proxies, "127.0.0.1"},
		{"IPv6 counts by network", "[2001:db8:1:2:3:4:5:6]:1234", "", nil, "2001:db8:1:2::/64"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.7]:1234", "", nil, "192.0.2.7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", nil)
			r.RemoteAddr = test.remote
			if test.forwarded != "" {
				r.Header.Set("X-Forwarded-For", test.forwarded)
			}
			if got := clientAddress(r, test.proxies); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
