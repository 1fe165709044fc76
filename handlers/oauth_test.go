package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
)

const (
	tokenEndpoint    = "/v2/oauth2/token"
	accountsEndpoint = "/v2/accounts"
)

// loginAtHarvest is a program whose users can log in at a sandbox.
type loginAtHarvest struct {
	*testBundle
	sandbox *sandboxtest.Sandbox
	harvest *harvest.Harvest

	mu      sync.Mutex
	more    []ledger.AccountChoice // accounts beside those that the sandbox tells
	fewer   bool                   // no accounts at all
	secrets []ledger.Secret        // all that went over the wire
}

func withOAuth(t *testing.T) *loginAtHarvest {
	t.Helper()
	l := &loginAtHarvest{sandbox: sandboxtest.Start(t, "")}
	var err error
	log := &lockedBuffer{}
	l.harvest, err = harvest.New(harvest.Config{
		BaseURL: l.sandbox.URL, IDURL: l.sandbox.URL, ClientID: sandboxtest.OAuthClient, ClientSecret: sandboxtest.OAuthSecret,
		Contact: "test@example.com", Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.harvest.Close)
	l.testBundle = setup(t, throughHarvest(t, l.sandbox.URL), func(d *Deps) {
		d.OAuth = &OAuth{AuthorizeURL: l.harvest.AuthorizeURL, Exchange: l.exchange, Accounts: l.accounts}
	})
	t.Cleanup(func() {
		for _, secret := range append(l.seen(), sandboxtest.OAuthSecret) {
			if strings.Contains(log.String(), secret.Reveal()) {
				t.Error("the adapter logs a secret")
			}
		}
	})
	return l
}

func (l *loginAtHarvest) exchange(ctx context.Context, code, verifier, redirectURI string) (ledger.TokenPair, error) {
	pair, err := l.harvest.Exchange(ctx, code, verifier, redirectURI)
	l.note(ledger.Secret(code), ledger.Secret(verifier), pair.Access, pair.Refresh)
	return pair, err
}

func (l *loginAtHarvest) accounts(ctx context.Context, token ledger.Secret) ([]ledger.AccountChoice, error) {
	accounts, err := l.harvest.Accounts(ctx, token)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fewer {
		return nil, err
	}
	return append(accounts, l.more...), err
}

func (l *loginAtHarvest) note(secrets ...ledger.Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range secrets {
		if s != "" {
			l.secrets = append(l.secrets, s)
		}
	}
}

func (l *loginAtHarvest) seen() []ledger.Secret {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]ledger.Secret(nil), l.secrets...)
}

// start presses the button and returns where it leads.
func (l *loginAtHarvest) start(in *browser) *url.URL {
	l.t.Helper()
	got := in.post("/settings/harvest/oauth", nil)
	to, err := url.Parse(got.location())
	if err != nil || got.status != http.StatusSeeOther || to.Path != "/oauth2/authorize" {
		l.t.Fatalf("start: status %d to %q", got.status, got.location())
	}
	l.note(ledger.Secret(to.Query().Get("state")))
	return to
}

// allow presses the button at Harvest, as a person ("" is Ida), and returns the
// address of ours that Harvest leads to.
func (l *loginAtHarvest) allow(to *url.URL, email string) string {
	l.t.Helper()
	address := to.String()
	if email != "" {
		address += "&login_hint=" + url.QueryEscape(email)
	}
	back := l.sandbox.AllowOAuth(l.t, address)
	l.note(ledger.Secret(back.Query().Get("code")))
	return back.RequestURI()
}

// connect logs in at Harvest from button to end.
func (l *loginAtHarvest) connect(in *browser, email string) answer {
	l.t.Helper()
	return in.get(l.allow(l.start(in), email))
}

// told is what the page says that an answer leads to.
func (l *loginAtHarvest) told(in *browser, got answer) string {
	l.t.Helper()
	if got.status != http.StatusSeeOther || got.location() != "/settings/harvest" {
		l.t.Errorf("status %d to %q, want back to the connection", got.status, got.location())
		return ""
	}
	return in.get(got.location()).text(l.t, ".flash.bad")
}

func TestOAuthConnect(t *testing.T) {
	t.Parallel()
	l := withOAuth(t)
	id := l.user(idaEmail, true)
	ida := l.loggedIn(idaEmail)
	page := ida.get("/settings/harvest")
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' "+l.sandbox.URL+";") || page.text(t, "#h-oauth") == "" {
		t.Errorf("the page has policy %q", policy)
	}
	if policy := ida.get("/settings").header.Get("Content-Security-Policy"); policy != csp {
		t.Errorf("another page has policy %q", policy)
	}

	to := l.start(ida)
	query := to.Query()
	if query.Get("redirect_uri") != l.server.URL+"/settings/harvest/callback" || query.Get("code_challenge_method") != "S256" ||
		len(query.Get("code_challenge")) != 43 || len(query.Get("state")) != 43 || query.Get("client_id") != sandboxtest.OAuthClient {
		t.Errorf("led to %s", to)
	}
	back := l.allow(to, "")
	got := ida.get(back)
	if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location(), "/weeks/") {
		t.Fatalf("status %d to %q: %s", got.status, got.location(), got.body)
	}
	c, err := l.store.Connection(t.Context(), id)
	if err != nil || c.State != ledger.Connected || c.Account.AccountID != sandboxtest.AccountID || c.Account.UserID != sandboxtest.UserID {
		t.Fatalf("connection %+v, error %v", c, err)
	}
	credentials, err := l.store.Credentials(t.Context(), c.ID)
	if err != nil || credentials.Kind != db.OAuthGrant {
		t.Errorf("credentials of kind %q, error %v", credentials.Kind, err)
	}
	account, err := l.harvest.Client(harvest.Credentials{Tokens: l.store.Tokens(c.ID, l.harvest.Refresh), AccountID: sandboxtest.AccountID}, harvest.Interactive).Account(t.Context())
	if err != nil || account.UserID != sandboxtest.UserID {
		t.Errorf("the stored token opens %+v, error %v", account, err)
	}
	if runs := l.count("select count(*) from sync_runs where user_id = $1 and trigger = 'connect'", id); runs != 1 || l.rung(c.ID) != 1 {
		t.Errorf("%d first syncs, rung %d times", runs, l.rung(c.ID))
	}
	if text := ida.get(got.location()).text(t, ".flash.good"); !strings.Contains(text, "Connected with") {
		t.Errorf("told %q", text)
	}

	if text := l.told(ida, ida.get(back)); !strings.Contains(text, "used already") {
		t.Errorf("the same once more: told %q", text)
	}
	if n := l.count("select count(*) from oauth_attempts"); n != 0 {
		t.Errorf("%d log-ins are left", n)
	}
	for _, secret := range append(l.seen(), sandboxtest.OAuthSecret) {
		l.searchToken(t, ida, secret.Reveal())
	}

	if got := ida.post("/settings/harvest/disconnect", nil); got.status != http.StatusSeeOther {
		t.Errorf("disconnect: status %d", got.status)
	}
	if n := l.count("select count(*) from harvest_connections where credentials is null and state = 'disconnected'"); n != 1 {
		t.Error("the credentials are still there")
	}
}

func TestOAuthRefused(t *testing.T) {
	t.Parallel()
	l := withOAuth(t)
	l.ida()
	l.user(bobEmail, false)
	ida, again, bob := l.loggedIn(idaEmail), l.loggedIn(idaEmail), l.loggedIn(bobEmail)
	const unknown = "not begun here"
	edit := func(address, name, value string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set(name, value)
		if value == "" {
			query.Del(name)
		}
		u.RawQuery = query.Encode()
		return u.RequestURI()
	}
	fault := func(f sandboxtest.Fault, path string) func(string) string {
		return func(back string) string {
			f.Match.Path = path
			l.sandbox.Fault(t, f)
			return back
		}
	}
	for _, test := range []struct {
		name   string
		in     *browser
		change func(back string) string
		want   string
	}{
		{"no state", ida, func(back string) string { return edit(back, "state", "") }, unknown},
		{"wrong state", ida, func(back string) string { return edit(back, "state", "not it") }, unknown},
		{"another session", again, nil, unknown},
		{"another user", bob, nil, unknown},
		{"too late", ida, func(back string) string { l.clock.Add(601); return back }, unknown},
		{"no code", ida, func(back string) string { return edit(back, "code", "") }, "without letting Furrow in"},
		{"wrong code", ida, func(back string) string { return edit(back, "code", "not it") }, "does not accept the log-in any more"},
		{"old code", ida, func(back string) string { l.sandbox.Advance(t, 11*time.Minute); return back }, "does not accept the log-in any more"},
		{"refused", ida, func(back string) string { return edit(edit(back, "code", ""), "error", "access_denied") }, "You did not let Furrow into Harvest"},
		{"refused by nobody", ida, func(back string) string { return edit(edit(back, "state", "not it"), "error", "access_denied") }, unknown},
		{"another error", ida, func(back string) string { return edit(edit(back, "code", ""), "error", "<i>server_error") }, "without letting Furrow in"},
		{"token endpoint is down", ida, fault(sandboxtest.Fault{Fault: "status", Status: 503}, tokenEndpoint), "Harvest did not answer (503)"},
		{"accounts are down", ida, fault(sandboxtest.Fault{Fault: "status", Status: 503}, accountsEndpoint), "Harvest did not answer (503)"},
		{"account is down", ida, fault(sandboxtest.Fault{Fault: "status", Status: 503}, "/v2/users/me"), "Harvest did not answer (503)"},
		{"wait", ida, fault(sandboxtest.Fault{Fault: "status", Status: 429, RetryAfter: 30}, accountsEndpoint), "Harvest asked for a pause"},
		{"slow", ida, fault(sandboxtest.Fault{Fault: "delay", DelayMS: 30_000}, tokenEndpoint), "did not answer within 5 seconds"},
		{"not Harvest", ida, fault(sandboxtest.Fault{Fault: "html_200"}, tokenEndpoint), "could not be read"},
	} {
		l.sandbox.ClearFaults(t)
		back := l.allow(l.start(ida), "")
		if test.change != nil {
			back = test.change(back)
		}
		start := time.Now()
		got := test.in.get(back)
		if took := time.Since(start); took > 20*time.Second { // Harvest would take 30
			t.Errorf("%s: it took %s", test.name, took)
		}
		if text := l.told(test.in, got); !strings.Contains(text, test.want) {
			t.Errorf("%s: told %q, want %q", test.name, text, test.want)
		}
		if n := l.connections() + l.count("select count(*) from sync_runs") + l.count("select count(*) from river_job"); n != 0 {
			t.Fatalf("%s: something was stored", test.name)
		}
	}
	// Who is logged out loses the code, and keeps it out of the log-in page.
	if got := l.browser().get("/settings/harvest/callback?state=a&code=b"); got.location() != "/login?next=%2Fsettings%2Fharvest" {
		t.Errorf("nobody is led to %q", got.location())
	}
	for range 10 {
		l.start(ida)
	}
	if n := l.count("select count(*) from oauth_attempts"); n > 5 {
		t.Errorf("%d log-ins under way", n)
	}
	for _, secret := range append(l.seen(), sandboxtest.OAuthSecret) {
		if strings.Contains(l.log.String(), secret.Reveal()) {
			t.Error("a secret is in the log")
		}
	}
}

func TestOAuthIsSentToOnce(t *testing.T) {
	t.Parallel()
	l := withOAuth(t)
	l.ida()
	ida := l.loggedIn(idaEmail)
	back := l.allow(l.start(ida), "")
	var all sync.WaitGroup
	var connected, refused lockedBuffer
	for range 4 {
		all.Go(func() {
			got := ida.get(back)
			to := &refused
			if strings.HasPrefix(got.location(), "/weeks/") {
				to = &connected
			}
			_, _ = to.Write([]byte("x"))
		})
	}
	all.Wait()
	if connected.String() != "x" || refused.String() != "xxx" || l.connections() != 1 {
		t.Errorf("%d connected, %d refused", len(connected.String()), len(refused.String()))
	}
}

func TestOAuthAccounts(t *testing.T) {
	t.Parallel()
	l := withOAuth(t)
	l.user(idaEmail, true)
	ida, again := l.loggedIn(idaEmail), l.loggedIn(idaEmail)

	l.fewer = true
	if text := l.told(ida, l.connect(ida, "")); !strings.Contains(text, "opens no account") {
		t.Errorf("no account: told %q", text)
	}
	l.fewer, l.more = false, []ledger.AccountChoice{{ID: sandboxtest.OtherAccountID, Name: "Holt <Research>"}}

	got := l.connect(ida, "")
	if got.status != http.StatusSeeOther || got.location() != "/settings/harvest/account" || l.connections() != 0 {
		t.Fatalf("several: status %d to %q", got.status, got.location())
	}
	page := ida.get(got.location())
	if text := page.text(t, "fieldset"); page.status != http.StatusOK || !strings.Contains(text, "Ida Berg Studio") || !strings.Contains(text, "Holt <Research>") || strings.Contains(text, "5001") {
		t.Errorf("the choice: status %d: %q", page.status, text)
	}
	for _, secret := range append(l.seen(), sandboxtest.OAuthSecret) {
		if strings.Contains(page.body, secret.Reveal()) {
			t.Error("a secret is on the page")
		}
		l.searchToken(t, ida, secret.Reveal())
	}
	choose := func(in *browser, id string) answer {
		return in.post("/settings/harvest/account", url.Values{"account_id": {id}})
	}
	if text := l.told(again, choose(again, "1001")); !strings.Contains(text, "no account to choose") {
		t.Errorf("another session: told %q", text)
	}
	for _, id := range []string{"", "7", "5001", "x"} {
		if got := choose(ida, id); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, ".error"), "Choose one") {
			t.Errorf("account %q: status %d", id, got.status)
		}
	}
	if got := choose(ida, "2002"); got.status != http.StatusUnprocessableEntity || got.text(t, ".flash.bad") == "" {
		t.Errorf("an account that is not open: status %d", got.status)
	}
	l.sandbox.SetOutage(t, "503")
	if got := choose(ida, "1001"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, ".flash.bad"), "(503)") {
		t.Errorf("Harvest is down: status %d", got.status)
	}
	l.sandbox.SetOutage(t, "well")
	if l.connections() != 0 {
		t.Fatal("something was stored")
	}
	if got := choose(ida, "1001"); !strings.HasPrefix(got.location(), "/weeks/") || l.connections() != 1 {
		t.Fatalf("chosen: status %d to %q: %s", got.status, got.location(), got.body)
	}
	if text := l.told(ida, choose(ida, "1001")); !strings.Contains(text, "no account to choose") {
		t.Errorf("once more: told %q", text)
	}

	// Whoever has a plan already means its account.
	if got := l.connect(ida, ""); !strings.HasPrefix(got.location(), "/weeks/") {
		t.Errorf("again: status %d to %q", got.status, got.location())
	}

	// A choice is not open for ever.
	bob := l.user(bobEmail, false)
	in := l.loggedIn(bobEmail)
	if got := l.connect(in, ""); got.location() != "/settings/harvest/account" {
		t.Fatalf("Bob's: to %q", got.location())
	}
	l.clock.Add(601)
	if text := l.told(in, in.get("/settings/harvest/account")); !strings.Contains(text, "no account to choose") {
		t.Errorf("too late: told %q", text)
	}
	l.exec("update oauth_attempts set expires_at = now()")
	if err := l.store.CleanOAuth(t.Context()); err != nil || l.count("select count(*) from oauth_attempts where user_id = $1", bob) != 0 {
		t.Errorf("it is still there, error %v", err)
	}
}

// Harvest takes its tokens back: the writes wait until the same person has
// logged in again.
func TestOAuthReconnect(t *testing.T) {
	t.Parallel()
	l := withOAuth(t)
	id := l.ida()
	ida := l.loggedIn(idaEmail)
	if got := l.connect(ida, ""); !strings.HasPrefix(got.location(), "/weeks/") {
		t.Fatalf("status %d to %q", got.status, got.location())
	}
	c, err := l.store.Connection(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	waiting := l.write(id, c.ID, seeded{state: ledger.Pending, wait: time.Hour})

	// Somebody else used the refresh token: the one that is stored is dead.
	secrets := l.seen()
	if _, err := l.harvest.Refresh(t.Context(), secrets[len(secrets)-1]); err != nil {
		t.Fatal(err)
	}
	tokens := l.store.Tokens(c.ID, l.harvest.Refresh)
	token, err := tokens.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.sandbox.RevokeToken(t, token.Reveal())
	_, err = l.harvest.Client(harvest.Credentials{Tokens: tokens, AccountID: sandboxtest.AccountID}, harvest.Interactive).Account(t.Context())
	if !errors.Is(err, ledger.ErrAccessRevoked) {
		t.Fatalf("revoked: %v", err)
	}
	if c, err := l.store.Connection(t.Context(), id); err != nil || c.State != ledger.NeedsReauth || l.stateOf(waiting) != ledger.Blocked {
		t.Fatalf("the connection is %s, the write %s, error %v", c.State, l.stateOf(waiting), err)
	}
	page := ida.get("/settings/harvest")
	if text := page.text(t, ".flash.bad"); !strings.Contains(text, "1 change is safe here") || page.text(t, "#h-oauth") == "" {
		t.Errorf("the page says %q", text)
	}

	for email, want := range map[string]string{"jonas@example.com": "logged in at Harvest as Jonas Lind", "maren@example.com": "so another account cannot be connected"} {
		if text := l.told(ida, l.connect(ida, email)); !strings.Contains(text, want) {
			t.Errorf("as %s: told %q", email, text)
		}
		if c, err := l.store.Connection(t.Context(), id); err != nil || c.State != ledger.NeedsReauth || c.Account.UserID != sandboxtest.UserID {
			t.Errorf("as %s: it was stored", email)
		}
	}
	rung := l.rung(c.ID)
	if got := l.connect(ida, "ida@example.com"); !strings.HasPrefix(got.location(), "/weeks/") {
		t.Fatalf("again: status %d to %q: %s", got.status, got.location(), l.told(ida, got))
	}
	if state := l.stateOf(waiting); state != ledger.Pending || l.rung(c.ID) != rung+1 {
		t.Errorf("the write is %s, rung %d more times", state, l.rung(c.ID)-rung)
	}
	if _, err := l.store.Tokens(c.ID, l.harvest.Refresh).Token(t.Context()); err != nil {
		t.Error(err)
	}
}

// Our own mistakes are not told as Harvest's, and their page does not repeat
// what came with the request.
func TestOAuthBroken(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) {
		d.OAuth = &OAuth{
			AuthorizeURL: func(state, _, _ string) string { return "https://id.example.com/?state=" + state },
			Exchange: func(context.Context, string, string, string) (ledger.TokenPair, error) {
				return ledger.TokenPair{}, errors.New("out of order")
			},
		}
	})
	b.ida()
	ida := b.loggedIn(idaEmail)
	_, state, _ := strings.Cut(ida.post("/settings/harvest/oauth", nil).location(), "state=")
	got := ida.get("/settings/harvest/callback?code=canary-code&state=" + state)
	if got.status != http.StatusInternalServerError || strings.Contains(got.body, "out of order") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if strings.Contains(got.body, "canary-code") || strings.Contains(got.body, state) || strings.Contains(b.log.String(), "canary-code") {
		t.Error("the page or the log repeats the code or the state")
	}
}

// An installation that Harvest does not know says so to its users.
func TestOAuthUnregistered(t *testing.T) {
	t.Parallel()
	l := withOAuth(t)
	l.ida()
	stranger, err := harvest.New(harvest.Config{BaseURL: l.sandbox.URL, IDURL: l.sandbox.URL, ClientID: sandboxtest.OAuthClient, ClientSecret: "not it", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stranger.Close)
	l.harvest = stranger
	ida := l.loggedIn(idaEmail)
	if text := l.told(ida, l.connect(ida, "")); !strings.Contains(text, "does not know this Furrow") {
		t.Errorf("told %q", text)
	}
}
