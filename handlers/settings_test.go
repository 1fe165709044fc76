package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"furrow/ledger"
	"furrow/planner"
)

func TestPreferences(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	ida := b.loggedIn(idaEmail)
	for _, test := range []struct {
		name                    string
		weekStart, zone, format string
		wantStatus              int
		wantField               string
		wantDay                 time.Weekday
		wantZone                string
		wantFormat              planner.DurationFormat
	}{
		{"all chosen", "6", "Europe/Berlin", "decimal", http.StatusSeeOther, "", time.Saturday, "Europe/Berlin", planner.Decimal},
		{"a place not on the list", "0", "America/Inuvik", "hours_minutes", http.StatusSeeOther, "", time.Sunday, "America/Inuvik", planner.HoursMinutes},
		{"wrong day", "3", "", "", http.StatusUnprocessableEntity, "week_start", time.Sunday, "America/Inuvik", planner.HoursMinutes},
		{"wrong zone", "", "Mars/Olympus", "", http.StatusUnprocessableEntity, "time_zone", time.Sunday, "America/Inuvik", planner.HoursMinutes},
		{"the server's zone", "", "Local", "", http.StatusUnprocessableEntity, "time_zone", time.Sunday, "America/Inuvik", planner.HoursMinutes},
		{"a file of the server", "", "../../etc/passwd", "", http.StatusUnprocessableEntity, "time_zone", time.Sunday, "America/Inuvik", planner.HoursMinutes},
		{"wrong format", "1", "", "roman", http.StatusUnprocessableEntity, "duration_format", time.Sunday, "America/Inuvik", planner.HoursMinutes},
		{"as Harvest says", "", "", "", http.StatusSeeOther, "", time.Monday, "UTC", planner.HoursMinutes},
	} {
		got := ida.post("/settings", url.Values{"week_start": {test.weekStart}, "time_zone": {test.zone}, "duration_format": {test.format}})
		if got.status != test.wantStatus {
			t.Fatalf("%s: status %d, want %d", test.name, got.status, test.wantStatus)
		}
		if test.wantField != "" && got.text(t, "#f-"+test.wantField+"-error") == "" {
			t.Errorf("%s: nothing is said about %s", test.name, test.wantField)
		}
		user, err := b.store.User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if p := user.Profile; p.WeekStart != test.wantDay || p.TimeZone != test.wantZone || p.DurationFormat != test.wantFormat {
			t.Errorf("%s: in force is %+v", test.name, p)
		}
		if test.wantStatus == http.StatusSeeOther {
			page := ida.get("/settings")
			if page.text(t, ".flash.good") == "" {
				t.Errorf("%s: nothing is said after saving", test.name)
			}
			if again := ida.get("/settings"); again.text(t, ".flash.good") != "" {
				t.Errorf("%s: it is said twice", test.name)
			}
			if zone := page.text(t, "#f-time_zone option[selected]"); test.zone != "" && zone != test.zone {
				t.Errorf("%s: the page shows %q", test.name, zone)
			}
		}
	}
}

// Single letters are switched off and on again, for all pages.
func TestLetterKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida := b.loggedIn(idaEmail)
	for _, choice := range []string{"off", "on"} {
		ida.post("/settings", url.Values{"letter_keys": {choice}})
		page := ida.get("/settings")
		if got := page.page(t).Find("body").AttrOr("data-letters", "on"); got != choice {
			t.Errorf("after %s, the pages say %s", choice, got)
		}
		if got := page.page(t).Find("#f-letter_keys option[selected]").AttrOr("value", ""); got != choice {
			t.Errorf("after %s, the settings show %q", choice, got)
		}
	}
}

func TestPasswordChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	here, there := b.loggedIn(idaEmail), b.loggedIn(idaEmail)
	before := here.cookie().Value
	change := func(current, next string) answer {
		return here.post("/settings/password", url.Values{"current_password": {current}, "new_password": {next}})
	}
	const other = "a field of oats and rye"
	if got := change("not the password", other); got.status != http.StatusUnprocessableEntity || got.text(t, "#f-current_password-error") == "" {
		t.Errorf("wrong password: status %d", got.status)
	}
	if got := change(idaPassword, "short"); got.status != http.StatusUnprocessableEntity || got.text(t, "#f-new_password-error") == "" {
		t.Errorf("short password: status %d", got.status)
	}
	if got := there.get("/settings"); got.status != http.StatusOK {
		t.Fatalf("a refused change ended a session: status %d", got.status)
	}
	if got := change(idaPassword, other); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	if got := there.get("/settings"); got.status != http.StatusSeeOther {
		t.Errorf("the other session still works: status %d", got.status)
	}
	if got := here.get("/settings"); got.status != http.StatusOK || here.cookie().Value == before {
		t.Errorf("this session: status %d, token renewed: %v", got.status, here.cookie().Value != before)
	}
	old := b.browser()
	old.plant(before)
	if got := old.get("/settings"); got.status != http.StatusSeeOther {
		t.Errorf("the old token still works: status %d", got.status)
	}
	if got := old.post("/login", credentials(idaEmail, idaPassword)); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the old password still works: status %d", got.status)
	}
	if got := old.post("/login", credentials(idaEmail, other)); got.status != http.StatusSeeOther {
		t.Errorf("the new password does not work: status %d", got.status)
	}
}

func TestPasswordGuessingInASessionIsThrottled(t *testing.T) {
	t.Parallel()
	now := time.Now() // stands still, or a slow machine would wait out what a guess costs
	b := setup(t, func(d *Deps) { d.Now = func() time.Time { return now } })
	b.ida()
	ida := b.loggedIn(idaEmail)
	form := url.Values{"current_password": {"a wrong password"}, "new_password": {"a field of oats and rye"}}
	for range 5 {
		ida.post("/settings/password", form)
	}
	if got := ida.post("/settings/password", form); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("status %d", got.status)
	}
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	b.user("mallory@example.com", false)
	ida, mallory := b.loggedIn(idaEmail), b.loggedIn("mallory@example.com")

	for _, name := range []string{"", "   ", strings.Repeat("ü", 101)} {
		got := ida.post("/settings/tokens", url.Values{"name": {name}})
		if got.status != http.StatusUnprocessableEntity || got.text(t, "#f-name-error") == "" {
			t.Errorf("name %q: status %d", name, got.status)
		}
	}
	made := ida.post("/settings/tokens", url.Values{"name": {"laptop <b>"}})
	token := made.text(t, "code.secret")
	if made.status != http.StatusOK || !strings.HasPrefix(token, "frw_") || len(token) != 4+64 {
		t.Fatalf("status %d, token %q", made.status, token)
	}
	if page := ida.get("/settings"); strings.Contains(page.body, token) || page.text(t, ".tokens b") != "laptop <b>" {
		t.Error("the list shows the token, or not its name")
	}
	if n := b.count("select count(*) from api_tokens where encode(token_hash, 'escape') like '%frw_%'"); n != 0 {
		t.Error("the token is stored as it is")
	}
	now := time.Now()
	for i, test := range []struct {
		after     time.Duration
		wantWrite bool
	}{{0, true}, {30 * time.Second, false}, {61 * time.Second, true}} {
		before := b.count("select coalesce(extract(epoch from last_used_at)::int, 0) from api_tokens")
		user, err := b.store.APITokenUser(t.Context(), ledger.Secret(token), now.Add(test.after))
		if err != nil || user.ID != id {
			t.Fatalf("use %d: user %d, %v", i, user.ID, err)
		}
		after := b.count("select extract(epoch from last_used_at)::int from api_tokens")
		if (after != before) != test.wantWrite {
			t.Errorf("use %d: written: %v, want %v", i, after != before, test.wantWrite)
		}
	}
	if got := mallory.post("/settings/tokens/1/revoke", nil); got.status != http.StatusNotFound {
		t.Errorf("somebody else's token: status %d", got.status)
	}
	if got := ida.post("/settings/tokens/1/revoke", nil); got.status != http.StatusSeeOther {
		t.Errorf("revoke: status %d", got.status)
	}
	if _, err := b.store.APITokenUser(t.Context(), ledger.Secret(token), now); err == nil {
		t.Error("the revoked token still works")
	}
	if got := ida.post("/settings/tokens/1/revoke", nil); got.status != http.StatusNotFound {
		t.Errorf("revoke again: status %d", got.status)
	}
}

func TestOutageSwitch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida := b.loggedIn(idaEmail)
	got := ida.post("/sandbox/outage", url.Values{"mode": {"503"}, "next": {"/settings"}})
	if got.status != http.StatusSeeOther || got.location() != "/settings" || b.sandbox.Outage() != "503" {
		t.Errorf("status %d to %q, mode %q", got.status, got.location(), b.sandbox.Outage())
	}
	if page := ida.get("/settings"); page.text(t, ".sandbox button[aria-pressed=true]") != "Down" {
		t.Errorf("the bar shows %q", page.text(t, ".sandbox button[aria-pressed=true]"))
	}
	without := setup(t, func(d *Deps) { d.Sandbox = nil })
	without.ida()
	in := without.loggedIn(idaEmail)
	if got := in.post("/sandbox/outage", url.Values{"mode": {"503"}}); got.status != http.StatusNotFound {
		t.Errorf("without a sandbox: status %d", got.status)
	}
	if page := in.get("/settings"); page.text(t, ".sandbox") != "" {
		t.Error("there is a bar without a sandbox")
	}
}
