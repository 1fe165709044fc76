package harvest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
)

const (
	callback = "http://127.0.0.1:9/connect/back"
	verifier = "a-verifier-has-at-least-forty-three-characters"
)

// challenge is the S256 challenge of verifier.
func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// registered configures what the sandbox knows of.
func registered(cfg *harvest.Config, _ *harvest.Credentials) {
	cfg.ClientID, cfg.ClientSecret = sandboxtest.OAuthClient, sandboxtest.OAuthSecret
}

// oauthBundle is an installation that is registered, at a sandbox of its own.
type oauthBundle struct {
	*testBundle
	harvest *harvest.Harvest
}

func setupOAuth(t *testing.T, seed string, change func(*harvest.Config)) *oauthBundle {
	t.Helper()
	b := &oauthBundle{}
	b.testBundle = setup(t, seed, func(cfg *harvest.Config, c *harvest.Credentials) {
		registered(cfg, c)
		if change != nil {
			change(cfg)
		}
		var err error
		if b.harvest, err = harvest.New(*cfg); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.harvest.Close)
	})
	return b
}

// code lets Ida allow access.
func (b *oauthBundle) code(t *testing.T) string {
	t.Helper()
	back := b.AllowOAuth(t, b.harvest.AuthorizeURL("st&te", challenge(), callback))
	if got := back.Query().Get("state"); got != "st&te" {
		t.Errorf("state %q came back", got)
	}
	return back.Query().Get("code")
}

// connect gets a pair for Ida.
func (b *oauthBundle) connect(t *testing.T) ledger.TokenPair {
	t.Helper()
	pair, err := b.harvest.Exchange(t.Context(), b.code(t), verifier, callback)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// memory is a token source that keeps its pair in memory.
type memory struct {
	refresh func(context.Context, ledger.Secret) (ledger.TokenPair, error)

	mu        sync.Mutex
	pair      ledger.TokenPair
	refreshes int
}

func (m *memory) Token(context.Context) (ledger.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pair.Access, nil
}

func (m *memory) Renew(ctx context.Context, rejected ledger.Secret) (ledger.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pair.Access != rejected {
		return m.pair.Access, nil
	}
	m.refreshes++
	next, err := m.refresh(ctx, m.pair.Refresh)
	if err != nil {
		return "", err
	}
	if next.Refresh == "" {
		next.Refresh = m.pair.Refresh
	}
	m.pair = next
	return next.Access, nil
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refreshes
}

// source returns a source with a fresh pair, and a client of Ida's on it.
func (b *oauthBundle) source(t *testing.T) (*memory, *harvest.Client) {
	t.Helper()
	m := &memory{refresh: b.harvest.Refresh, pair: b.connect(t)}
	credentials := ida()
	credentials.Tokens = m
	return m, b.harvest.Client(credentials, harvest.Interactive)
}

const twoWeeks = 14 * 24 * time.Hour

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	h, err := harvest.New(harvest.Config{ClientID: "a&b", ClientSecret: "hush"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	u, err := url.Parse(h.AuthorizeURL("s t", "ch", "https://plan.example/back?x=1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Scheme + "://" + u.Host + u.Path; got != "https://id.getharvest.com/oauth2/authorize" {
		t.Errorf("address %s", got)
	}
	for key, want := range map[string]string{
		"client_id": "a&b", "response_type": "code", "state": "s t", "redirect_uri": "https://plan.example/back?x=1",
		"code_challenge": "ch", "code_challenge_method": "S256", "client_secret": "",
	} {
		if got := u.Query().Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if !h.OAuthConfigured() {
		t.Error("not configured")
	}
	if said := fmt.Sprintf("%v %+v %#v %s", h, h, h.Client(ida(), 0), h); strings.Contains(said, "hush") || strings.Contains(said, sandboxtest.Token) {
		t.Errorf("printed %s", said)
	}

	none, err := harvest.New(harvest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if none.OAuthConfigured() || none.AuthorizeURL("s", "c", "r") != "" {
		t.Error("configured with nothing")
	}
	_, err = none.Refresh(t.Context(), "refresh-canary")
	checkCall(t, err, ledger.NotSent, ledger.ReasonInvalid, 0)
	if !errors.Is(err, ledger.ErrClientRefused) {
		t.Errorf("error %v", err)
	}
	for _, half := range []harvest.Config{{ClientID: "a"}, {ClientSecret: "hush"}} {
		if _, err := harvest.New(half); err == nil || half.OAuthConfigured() || strings.Contains(err.Error(), "hush") {
			t.Errorf("half a registration: %v", err)
		}
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	b := setupOAuth(t, sandbox.SeedDemo, nil)
	began := time.Now()
	pair := b.connect(t)
	if pair.Access == "" || pair.Refresh == "" || pair.ExpiresIn != twoWeeks || pair.ExpiresAt.Before(began.Add(twoWeeks)) || pair.ExpiresAt.After(time.Now().Add(twoWeeks)) {
		t.Errorf("got %+v", pair)
	}
	accounts, err := b.harvest.Accounts(t.Context(), pair.Access)
	if want := (ledger.AccountChoice{ID: sandboxtest.AccountID, Name: "Ida Berg Studio"}); err != nil || len(accounts) != 1 || accounts[0] != want {
		t.Errorf("accounts %+v, %v", accounts, err)
	}
	account, err := b.harvest.Client(harvest.Credentials{Tokens: ledger.StaticToken(pair.Access), AccountID: accounts[0].ID}, harvest.Interactive).Account(t.Context())
	if err != nil || account.UserID != sandboxtest.UserID {
		t.Errorf("account %+v, %v", account, err)
	}

	// A code is good once, and for ten minutes.
	code := b.code(t)
	for i := range 2 {
		_, err := b.harvest.Exchange(t.Context(), code, verifier, callback)
		if i == 0 && err != nil || i == 1 && !errors.Is(err, ledger.ErrAccessRevoked) {
			t.Errorf("use %d: %v", i+1, err)
		}
	}
	code = b.code(t)
	b.Advance(t, 11*time.Minute)
	if _, err := b.harvest.Exchange(t.Context(), code, verifier, callback); !errors.Is(err, ledger.ErrAccessRevoked) || strings.Contains(err.Error(), code) {
		t.Errorf("late: %v", err)
	}

	wrong := setupOAuth(t, sandbox.SeedEmpty, func(cfg *harvest.Config) { cfg.ClientSecret = "client-canary" })
	_, err = wrong.harvest.Exchange(t.Context(), "code-canary", "verifier-canary", callback)
	checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, http.StatusUnauthorized)
	if !errors.Is(err, ledger.ErrClientRefused) || errors.Is(err, ledger.ErrAccessRevoked) {
		t.Errorf("wrong client: %v", err)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	b := setupOAuth(t, sandbox.SeedDemo, nil)
	_, err := b.harvest.Accounts(t.Context(), "9.at.accounts-canary")
	checkCall(t, err, ledger.Refused, ledger.ReasonAuth, http.StatusUnauthorized)
	if !errors.Is(err, ledger.ErrAccessRevoked) {
		t.Errorf("error %v", err)
	}
	// Of Jonas's, who opens one account.
	accounts, err := b.harvest.Accounts(t.Context(), sandboxtest.MemberToken)
	if err != nil || len(accounts) != 1 || accounts[0].ID != sandboxtest.AccountID {
		t.Errorf("accounts %+v, %v", accounts, err)
	}
}

// TestRefreshRotation reads each way in which Harvest may hand out refresh tokens.
func TestRefreshRotation(t *testing.T) {
	t.Parallel()
	for _, rotation := range []string{"rotate", "keep", "omit"} {
		t.Run(rotation, func(t *testing.T) {
			t.Parallel()
			b := setupOAuth(t, sandbox.SeedDemo, nil)
			b.Switch(t, map[string]any{"refresh_token_rotation": rotation})
			source, client := b.source(t)
			first := source.pair
			for range 3 {
				b.Advance(t, twoWeeks+time.Second)
				if _, err := client.Account(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if source.refreshes != 3 || source.pair.Access == first.Access || (source.pair.Refresh == first.Refresh) != (rotation != "rotate") {
				t.Errorf("%d refreshes; same refresh token: %v", source.refreshes, source.pair.Refresh == first.Refresh)
			}
			_, err := b.harvest.Refresh(t.Context(), first.Refresh)
			if errors.Is(err, ledger.ErrAccessRevoked) != (rotation == "rotate") {
				t.Errorf("the first refresh token: %v", err)
			}
			next, err := b.harvest.Refresh(t.Context(), source.pair.Refresh)
			if err != nil || (next.Refresh == "") != (rotation == "omit") {
				t.Errorf("next pair: refresh %v, %v", next.Refresh != "", err)
			}
		})
	}
}

// TestRefreshFaults judges a token endpoint that fails.
func TestRefreshFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault sandboxtest.Fault
		want  outcome
	}{
		{"500", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 500}, outcome{class: ledger.Unknown, reason: ledger.ReasonServer, status: 500}},
		{"503", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 503}, outcome{class: ledger.Unknown, reason: ledger.ReasonServer, status: 503}},
		{"429", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 429, RetryAfter: 7}, outcome{wait: 7 * time.Second, status: 429}},
		{"drop", sandboxtest.Fault{Fault: sandbox.FaultDropBefore}, outcome{class: ledger.Unknown, reason: ledger.ReasonBroken}},
		{"answer lost", sandboxtest.Fault{Fault: sandbox.FaultApplyThenDrop}, outcome{class: ledger.Unknown, reason: ledger.ReasonBroken}},
		{"answer cut", sandboxtest.Fault{Fault: sandbox.FaultApplyThenTruncate}, outcome{class: ledger.Unknown, reason: ledger.ReasonBroken, status: 200}},
		{"bad gateway", sandboxtest.Fault{Fault: sandbox.FaultApplyThenStatus}, outcome{class: ledger.Unknown, reason: ledger.ReasonServer, status: 502}},
		{"silence", sandboxtest.Fault{Fault: sandbox.FaultDelay, DelayMS: 3000}, outcome{class: ledger.Unknown, reason: ledger.ReasonTimeout}},
		{"slow", sandboxtest.Fault{Fault: sandbox.FaultSlowBody, DelayMS: 9000}, outcome{class: ledger.Unknown, reason: ledger.ReasonTimeout, status: 200}},
		{"page", sandboxtest.Fault{Fault: sandbox.FaultHTML200}, outcome{class: ledger.Unknown, reason: ledger.ReasonUnreadable, status: 200}},
		{"page of 400", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 400, Body: "html"}, outcome{class: ledger.Unknown, reason: ledger.ReasonUnreadable, status: 400}},
		{"huge", sandboxtest.Fault{Fault: sandbox.FaultHugeBody, Bytes: 12 << 20}, outcome{class: ledger.Unknown, reason: ledger.ReasonUnreadable, status: 200}},
		{"redirect", sandboxtest.Fault{Fault: sandbox.FaultRedirect}, outcome{class: ledger.Unknown, reason: ledger.ReasonUnreadable, status: 302}},
		{"400 of another kind", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 400}, outcome{class: ledger.Refused, reason: ledger.ReasonInvalid, status: 400}},
		{"401 for the token", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 401}, outcome{class: ledger.Refused, reason: ledger.ReasonAuth, status: 401}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setupOAuth(t, sandbox.SeedDemo, func(cfg *harvest.Config) {
				if tt.want.reason == ledger.ReasonTimeout {
					cfg.WriteTimeout = 1500 * time.Millisecond
				}
			})
			source, client := b.source(t)
			held := source.pair
			tt.fault.Match.Path = "/v2/oauth2/token"
			b.Fault(t, tt.fault)
			sent := func() int { return b.Faults(t)[0].Struck }

			_, err := b.harvest.Refresh(t.Context(), held.Refresh)
			tt.want.check(t, err)
			if sent() != 1 {
				t.Errorf("sent %d times", sent())
			}
			b.noneOf(t, err, held.Refresh, held.Access, sandboxtest.OAuthSecret)

			// A write whose access could not be renewed has not happened.
			entry := b.freshEntry(t)
			b.Advance(t, twoWeeks+time.Second)
			_, err = client.CreateEntry(t.Context(), entry, "reference", "")
			var call *ledger.CallError
			var wait *ledger.WaitError
			switch {
			case errors.As(err, &wait):
			case errors.Is(err, ledger.ErrAccessRevoked):
				if tt.name != "401 for the token" {
					t.Errorf("error %v", err)
				}
			case !errors.As(err, &call) || call.Class != ledger.NotSent:
				t.Errorf("error %v, want class not sent", err)
			}
			b.noneOf(t, err, held.Refresh, held.Access, sandboxtest.OAuthSecret)
			if found := b.State(t).EntriesByReference("reference"); len(found) != 0 {
				t.Errorf("%d entries", len(found))
			}
		})
	}
}

// noneOf fails if a secret is in the error or the log, as it is or encoded.
func (b *testBundle) noneOf(t *testing.T, err error, secrets ...ledger.Secret) {
	t.Helper()
	for _, form := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), b.log.String()} {
		for _, secret := range secrets {
			text := secret.Reveal()
			for _, hidden := range []string{text, url.QueryEscape(text), base64.StdEncoding.EncodeToString([]byte(text))} {
				if strings.Contains(form, hidden) {
					t.Errorf("a secret is told in %q", form)
				}
			}
		}
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()

	t.Run("Write", func(t *testing.T) {
		t.Parallel()
		// 401 proves that nothing was done, so a write goes out again too.
		b := setupOAuth(t, sandbox.SeedDemo, nil)
		source, client := b.source(t)
		entry := b.freshEntry(t)
		b.Advance(t, twoWeeks+time.Second)
		sent := b.count(t, sandboxtest.Match{Method: http.MethodPost, Path: "/v2/time_entries"})
		created, err := client.CreateEntry(t.Context(), entry, "reference", "")
		if err != nil || created.ID == 0 || source.refreshes != 1 || sent() != 2 {
			t.Errorf("created %d after %d refreshes and %d requests: %v", created.ID, source.refreshes, sent(), err)
		}
		if found := b.State(t).EntriesByReference("reference"); len(found) != 1 {
			t.Errorf("%d entries", len(found))
		}
	})

	t.Run("Revoked", func(t *testing.T) {
		t.Parallel()
		b := setupOAuth(t, sandbox.SeedDemo, nil)
		source, client := b.source(t)
		source.pair.Refresh = "9.rt.refresh-canary"
		b.Advance(t, twoWeeks+time.Second)
		_, err := client.Account(t.Context())
		call := checkCall(t, err, ledger.Refused, ledger.ReasonAuth, http.StatusUnauthorized)
		if !errors.Is(err, ledger.ErrAccessRevoked) || call.Call != "GET /v2/users/me" {
			t.Errorf("error %v", err)
		}
		b.noneOf(t, err, source.pair.Access, "9.rt.refresh-canary")
	})

	t.Run("SecondRefusal", func(t *testing.T) {
		t.Parallel()
		b := setupOAuth(t, sandbox.SeedDemo, nil)
		source, client := b.source(t)
		b.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Path: "/v2/users/me"}, Fault: sandbox.FaultStatus, Status: 401})
		_, err := client.Account(t.Context())
		checkCall(t, err, ledger.Refused, ledger.ReasonAuth, http.StatusUnauthorized)
		if struck := b.Faults(t)[0].Struck; !errors.Is(err, ledger.ErrAccessRevoked) || source.refreshes != 1 || struck != 2 {
			t.Errorf("error %v after %d refreshes and %d requests", err, source.refreshes, struck)
		}
	})

	t.Run("OutcomeOfTheReplayStands", func(t *testing.T) {
		t.Parallel()
		b := setupOAuth(t, sandbox.SeedDemo, nil)
		_, client := b.source(t)
		entry := b.freshEntry(t)
		b.Advance(t, twoWeeks+time.Second)
		b.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: http.MethodPost, Path: "/v2/time_entries"}, Fault: sandbox.FaultApplyThenDrop, After: 1, Times: 1})
		_, err := client.CreateEntry(t.Context(), entry, "reference", "")
		checkCall(t, err, ledger.Unknown, ledger.ReasonBroken, 0)
		if errors.Is(err, ledger.ErrAccessRevoked) || len(b.State(t).EntriesByReference("reference")) != 1 {
			t.Errorf("error %v", err)
		}
	})

	t.Run("Sources", func(t *testing.T) {
		t.Parallel()
		b := setupOAuth(t, sandbox.SeedDemo, nil)
		pace := &ledger.WaitError{Wait: time.Minute, Why: ledger.WaitBreaker}
		for name, tt := range map[string]struct {
			token, renewed ledger.Secret
			fails, refuses error
			check          func(error) bool
		}{
			"wait":            {fails: pace, check: func(err error) bool { return errors.Is(err, pace) }},
			"store away":      {fails: errors.New("away"), check: notSent(ledger.ReasonUnreachable)},
			"revoked":         {fails: ledger.ErrAccessRevoked, check: revoked},
			"unusable":        {token: "a\nb", check: revoked},
			"renew wait":      {token: "1.at.old", refuses: pace, check: func(err error) bool { return errors.Is(err, pace) }},
			"renew away":      {token: "1.at.old", refuses: errors.New("away"), check: notSent(ledger.ReasonUnreachable)},
			"renew revoked":   {token: "1.at.old", refuses: ledger.ErrAccessRevoked, check: revoked},
			"renew the same":  {token: "1.at.old", renewed: "1.at.old", check: revoked},
			"renew unusable":  {token: "1.at.old", renewed: "a b", check: revoked},
			"renew lost":      {token: "1.at.old", refuses: fmt.Errorf("refresh: %w", &ledger.CallError{Class: ledger.Unknown, Reason: ledger.ReasonServer}), check: notSent(ledger.ReasonServer)},
			"renew times out": {token: "1.at.old", refuses: context.DeadlineExceeded, check: notSent(ledger.ReasonUnreachable)},
			"renew gives":     {token: "1.at.old", renewed: sandboxtest.Token, check: func(err error) bool { return err != nil && !errors.Is(err, ledger.ErrAccessRevoked) }},
		} {
			credentials := ida()
			credentials.Tokens = fixed{tt.token, tt.fails, tt.renewed, tt.refuses}
			err := b.harvest.Client(credentials, harvest.Interactive).DeleteEntry(t.Context(), 1)
			if !tt.check(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		credentials := ida()
		credentials.Tokens = nil
		if _, err := b.harvest.Client(credentials, harvest.Interactive).Account(t.Context()); !revoked(err) {
			t.Errorf("no source: %v", err)
		}
		credentials.Tokens = blocking{}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := b.harvest.Client(credentials, harvest.Interactive).Entry(ctx, 1)
		if checkCall(t, err, ledger.NotSent, ledger.ReasonTimeout, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up: %v", err)
		}
	})
}

func revoked(err error) bool { return errors.Is(err, ledger.ErrAccessRevoked) }

func notSent(reason ledger.Reason) func(error) bool {
	return func(err error) bool {
		var call *ledger.CallError
		return errors.As(err, &call) && call.Class == ledger.NotSent && call.Reason == reason && !revoked(err)
	}
}

// fixed is a source that gives what it is told to.
type fixed struct {
	token   ledger.Secret
	fails   error
	renewed ledger.Secret
	refuses error
}

func (f fixed) Token(context.Context) (ledger.Secret, error) { return f.token, f.fails }

func (f fixed) Renew(context.Context, ledger.Secret) (ledger.Secret, error) {
	return f.renewed, f.refuses
}

// blocking is a source that never answers.
type blocking struct{}

func (blocking) Token(ctx context.Context) (ledger.Secret, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func (b blocking) Renew(ctx context.Context, _ ledger.Secret) (ledger.Secret, error) {
	return b.Token(ctx)
}

// TestExpiryInTheMiddle lets the access token expire while eight callers list
// 25 pages each.
func TestExpiryInTheMiddle(t *testing.T) {
	t.Parallel()
	const callers, pages = 8, 25
	var size int
	b := setupOAuth(t, sandbox.SeedDemo, nil)
	own := 0
	for _, e := range b.State(t).Entries() {
		if e.User.ID == sandboxtest.UserID {
			own++
		}
	}
	size = (own + pages - 1) / pages
	b = setupOAuth(t, sandbox.SeedDemo, func(cfg *harvest.Config) { cfg.PageSize = size })
	b.Switch(t, map[string]any{"limits": map[string]int{"general": 0}})
	source, client := b.source(t)

	renewed := b.count(t, sandboxtest.Match{Path: "/v2/oauth2/token"})
	var seen atomic.Int64
	var expire sync.Once
	var working sync.WaitGroup
	for range callers {
		working.Go(func() {
			ids, n := map[int64]bool{}, 0
			for page, err := range client.EntryPages(t.Context(), ledger.EntryFilter{}) {
				if err != nil {
					t.Error(err)
					return
				}
				n++
				for _, e := range page.Entries {
					if ids[e.ID] {
						t.Errorf("entry %d came twice", e.ID)
					}
					ids[e.ID] = true
				}
				if seen.Add(1) == callers*pages/2 {
					expire.Do(func() { b.Advance(t, twoWeeks+time.Second) })
				}
			}
			if len(ids) != own || n < pages-1 || n > pages {
				t.Errorf("%d entries on %d pages, want %d on %d", len(ids), n, own, pages)
			}
		})
	}
	working.Wait()
	if n := source.count(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	if n := renewed(); n != 1 {
		t.Errorf("%d requests for tokens, want 1", n)
	}
}

// requests are those of the log for a path.
func (b *testBundle) requests(t *testing.T, path string) (found []sandboxtest.Request) {
	t.Helper()
	for _, r := range b.Requests(t) {
		if strings.HasSuffix(strings.TrimPrefix(r.Path, "/api"), path) {
			found = append(found, r)
		}
	}
	return found
}
