package handlers

import (
	"net/http"
	"testing"
	"time"
)

// A log-in outlives the browser for who asks for it, and has no role.
func TestRememberedLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	b.user(rootEmail, true)
	for _, test := range []struct {
		name, email string
		remember    bool
		wantDays    int // of the cookie; 0: until the browser is closed
		wantLife    time.Duration
	}{
		{"not asked for", idaEmail, false, 0, sessionLifetime},
		{"asked for", idaEmail, true, 30, rememberedLifetime},
		{"an admin", rootEmail, true, 0, sessionLifetime},
	} {
		t.Run(test.name, func(t *testing.T) {
			form := credentials(test.email, idaPassword)
			if test.remember {
				form.Set("remember", "yes")
			}
			in := b.browser()
			check := func(when string, got answer) {
				t.Helper()
				cookie, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
				if err != nil {
					t.Fatal(err)
				}
				if days := (cookie.MaxAge + 60) / (24 * 60 * 60); days != test.wantDays {
					t.Errorf("%s: the cookie lives %d days", when, days)
				}
				if n := b.count("select count(*) from sessions where expires_at between now() + $1 and now() + $2", test.wantLife-time.Minute, test.wantLife); n != 1 {
					t.Errorf("%s: the session does not live %s", when, test.wantLife)
				}
			}
			check("logged in", in.post("/login", form))
			check("confirmed", in.post("/confirm", credentials("", idaPassword)))
			in.post("/logout", nil)
		})
	}
}

// Sessions of those who see the admin pages end when nobody is there, and after
// twelve hours; polls of an open page are nobody.
func TestStaffSessionsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	b.user(rootEmail, true)
	ida, root := b.loggedIn(idaEmail), b.loggedIn(rootEmail)
	age := func(column, older string) {
		t.Helper()
		b.exec("update sessions set "+column+" = now() - $1::text::interval", older)
	}
	seenNow := func() int {
		return b.count("select count(*) from sessions where seen_at > now() - interval '1 minute'")
	}

	age("seen_at", "59 minutes")
	if got := root.get("/ledger/live", "HX-Request", "true"); got.status != http.StatusOK || seenNow() != 0 {
		t.Errorf("a poll: status %d, and it counts for somebody", got.status)
	}
	if got := root.get("/ledger"); got.status != http.StatusOK || seenNow() != 1 {
		t.Errorf("a page: status %d, and it does not count", got.status)
	}
	age("seen_at", "3 minutes")
	if root.get("/ledger"); seenNow() != 0 {
		t.Error("every page writes to the database")
	}

	age("seen_at", "61 minutes")
	if got := root.get("/ledger"); got.status != http.StatusSeeOther {
		t.Errorf("an admin after an hour of nothing: status %d", got.status)
	}
	if got := ida.get("/ledger"); got.status != http.StatusOK {
		t.Errorf("a user after an hour of nothing: status %d", got.status)
	}
	age("seen_at", "0")
	age("authenticated_at", "12 hours")
	if got := root.get("/ledger"); got.status != http.StatusSeeOther {
		t.Errorf("an admin after 12 hours: status %d", got.status)
	}
	if got := ida.get("/ledger"); got.status != http.StatusOK {
		t.Errorf("a user after 12 hours, remembered: status %d", got.status)
	}
}

func TestDeviceWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ agent, want string }{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15", "Safari on macOS"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"},
		{"curl/8.14.1", "curl"},
		{"Mozilla/5.0 (Windows NT 10.0)", "Another browser on Windows"},
		{"", "Another program"},
	} {
		if got := deviceWords(test.agent); got != test.want {
			t.Errorf("%q is %q, want %q", test.agent, got, test.want)
		}
	}
}
