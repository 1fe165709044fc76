package db_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/harvest"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

// refreshPath is the token endpoint as the sandbox names it in its log and for
// its faults.
const refreshPath = "/v2/oauth2/token"

// grantBundle is a connection that was made by logging in at the sandbox, over
// a database with two stores, as two processes have them.
type grantBundle struct {
	t       *testing.T
	sandbox *sandboxtest.Sandbox
	harvest *harvest.Harvest
	stores  [2]*db.Store
	pool    *pgxpool.Pool
	userID  int64
	id      int64 // of the connection
	pair    ledger.TokenPair
	asked   atomic.Int32 // calls that began; the sandbox counts those that it has answered
}

// withGrant connects. left is how long the access token is said to live; 0 is
// what the sandbox says.
func withGrant(t *testing.T, left time.Duration) *grantBundle {
	t.Helper()
	b := &grantBundle{t: t, sandbox: sandboxtest.Start(t, "")}
	var err error
	b.harvest, err = harvest.New(harvest.Config{
		BaseURL: b.sandbox.URL, IDURL: b.sandbox.URL, ClientID: sandboxtest.OAuthClient, ClientSecret: sandboxtest.OAuthSecret,
		Contact: "test@example.com", WriteTimeout: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.harvest.Close)
	address := dbtest.URL(t)
	for i := range b.stores {
		pool, err := db.Open(t.Context(), address, 8)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		b.pool, b.stores[i] = pool, dbtest.StoreOver(t, pool)
	}
	b.userID, err = b.stores[0].CreateUser(t.Context(), "ida@example.com", "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	b.connect(left)
	return b
}

// connect logs in at the sandbox, and stores what it gave.
func (b *grantBundle) connect(left time.Duration) {
	b.t.Helper()
	const back = "http://127.0.0.1/back"
	to := b.sandbox.AllowOAuth(b.t, b.harvest.AuthorizeURL("state", "challenge", back))
	var err error
	b.pair, err = b.harvest.Exchange(b.t.Context(), to.Query().Get("code"), "verifier", back)
	if err != nil {
		b.t.Fatal(err)
	}
	if left != 0 {
		b.pair.ExpiresAt = time.Now().Add(left)
	}
	err = b.stores[0].InTx(b.t.Context(), func(tx *db.Tx) (err error) {
		b.id, err = tx.ConnectOAuth(b.t.Context(), b.userID, b.pair, ledger.Account{
			AccountID: sandboxtest.AccountID, UserID: sandboxtest.UserID, TimeZone: "UTC", Clock: "24h", DurationFormat: planner.HoursMinutes,
		})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *grantBundle) tokens(store int) ledger.TokenSource {
	return b.stores[store].Tokens(b.id, func(ctx context.Context, refresh ledger.Secret) (ledger.TokenPair, error) {
		b.asked.Add(1)
		return b.harvest.Refresh(ctx, refresh)
	})
}

func (b *grantBundle) refreshes() int {
	n := 0
	for _, r := range b.sandbox.Requests(b.t) {
		if strings.HasSuffix(r.Path, "/oauth2/token") {
			n++
		}
	}
	return n - 1 // the exchange
}

func (b *grantBundle) state() ledger.ConnectionState {
	b.t.Helper()
	c, err := b.stores[0].Connection(b.t.Context(), b.userID)
	if err != nil {
		b.t.Fatal(err)
	}
	return c.State
}

// works reports whether Harvest takes a token.
func (b *grantBundle) works(token ledger.Secret) bool {
	b.t.Helper()
	_, err := b.harvest.Accounts(b.t.Context(), token)
	if err != nil && !errors.Is(err, ledger.ErrAccessRevoked) {
		b.t.Fatal(err)
	}
	return err == nil
}

// endPause lets the time until the next try pass.
func (b *grantBundle) endPause() {
	b.t.Helper()
	if _, err := b.pool.Exec(b.t.Context(), "update harvest_connections set refresh_not_before = clock_timestamp()"); err != nil {
		b.t.Fatal(err)
	}
}

func TestTokenIsRenewedInTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		left time.Duration
		want int // calls
	}{
		{"two weeks", 0, 0},
		{"twenty minutes", 20 * time.Minute, 0},
		{"ten minutes", 10 * time.Minute, 1},
		{"over", -time.Minute, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := withGrant(t, test.left)
			tokens := b.tokens(0)
			for range 3 {
				got, err := tokens.Token(t.Context())
				if err != nil || (got == b.pair.Access) != (test.want == 0) || !b.works(got) {
					t.Errorf("the old token: %v, works: %v, error %v", got == b.pair.Access, b.works(got), err)
				}
			}
			if n := b.refreshes(); n != test.want {
				t.Errorf("%d calls, want %d", n, test.want)
			}
		})
	}
}

func TestFault22_OneRenewalForAll(t *testing.T) {
	t.Parallel()
	for _, rotation := range []string{"rotate", "keep", "omit"} {
		for _, refused := range []bool{true, false} {
			t.Run(rotation, func(t *testing.T) {
				t.Parallel()
				left := 5 * time.Minute
				if refused {
					left = 0 // believed to live for two weeks
				}
				b := withGrant(t, left)
				b.sandbox.Switch(t, map[string]any{"refresh_token_rotation": rotation})
				b.sandbox.Fault(t, sandboxtest.Fault{Fault: "delay", DelayMS: 300, Match: sandboxtest.Match{Path: refreshPath}})
				for round := range 2 {
					old := b.pair.Access
					if refused {
						b.sandbox.Advance(t, 15*24*time.Hour)
					}
					const callers = 8
					got := make([]ledger.Secret, callers)
					var all sync.WaitGroup
					for i := range callers {
						all.Go(func() {
							var err error
							tokens := b.tokens(i % 2)
							if refused {
								got[i], err = tokens.Renew(t.Context(), old)
							} else {
								got[i], err = tokens.Token(t.Context())
							}
							if err != nil {
								t.Errorf("caller %d: %v", i, err)
							}
						})
					}
					all.Wait()
					for i, token := range got {
						if token != got[0] || token == old {
							t.Errorf("round %d: caller %d has a token of its own", round, i)
						}
					}
					if n := b.refreshes(); n != round+1 {
						t.Errorf("round %d: %d calls", round, n)
					}
					if !b.works(got[0]) {
						t.Errorf("round %d: the new token does not work", round)
					}
					if !refused {
						break // the next pair lives for two weeks
					}
					b.pair.Access = got[0]
				}
			})
		}
	}
}

// A token ends in the middle of eight imports of 25 pages: one call renews it,
// and every import gets every entry once.
func TestImportsOutliveTheirToken(t *testing.T) {
	t.Parallel()
	const imports, pages = 8, 25
	b := withGrant(t, 0)
	b.sandbox.Switch(t, map[string]any{"limits": map[string]any{"general": 0, "hourly": 0}})
	mine := 0
	for _, e := range b.sandbox.State(t).Entries() {
		if e.User.ID == sandboxtest.UserID {
			mine++
		}
	}
	paged, err := harvest.New(harvest.Config{
		BaseURL: b.sandbox.URL, IDURL: b.sandbox.URL, ClientID: sandboxtest.OAuthClient, ClientSecret: sandboxtest.OAuthSecret,
		PageSize: (mine + pages - 1) / pages, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(paged.Close)
	b.harvest = paged
	var expire sync.Once
	var all sync.WaitGroup
	for i := range imports {
		client := paged.Client(harvest.Credentials{Tokens: b.tokens(i % 2), AccountID: sandboxtest.AccountID, UserID: sandboxtest.UserID}, harvest.Background)
		all.Go(func() {
			seen, count := map[int64]bool{}, 0
			for page, err := range client.EntryPages(t.Context(), ledger.EntryFilter{}) {
				if err != nil {
					t.Errorf("import %d, page %d: %v", i, count+1, err)
					return
				}
				for _, e := range page.Entries {
					if seen[e.ID] {
						t.Errorf("import %d: entry %d twice", i, e.ID)
					}
					seen[e.ID] = true
				}
				if count++; count == pages/2 {
					expire.Do(func() { b.sandbox.Advance(t, 15*24*time.Hour) })
				}
			}
			if len(seen) != mine || count != pages {
				t.Errorf("import %d: %d entries on %d pages, want %d on %d", i, len(seen), count, mine, pages)
			}
		})
	}
	all.Wait()
	if n := b.refreshes(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// Harvest can say neither yes nor no: it is left alone for a time, and the old
// token is used for as long as it lives.
func TestFault24_RenewalPauses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault sandboxtest.Fault
	}{
		{"503", sandboxtest.Fault{Fault: "status", Status: 503}},
		{"500", sandboxtest.Fault{Fault: "status", Status: 500}},
		{"429", sandboxtest.Fault{Fault: "status", Status: 429, RetryAfter: 60}},
		{"timeout", sandboxtest.Fault{Fault: "delay", DelayMS: 10_000}},
		{"not Harvest", sandboxtest.Fault{Fault: "html_200"}},
		{"broken off", sandboxtest.Fault{Fault: "drop_before"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := withGrant(t, 10*time.Minute)
			test.fault.Match.Path = refreshPath
			b.sandbox.Fault(t, test.fault)
			for range 2 {
				if got, err := b.tokens(0).Token(t.Context()); err != nil || got != b.pair.Access {
					t.Fatalf("it lives: the old token %v, error %v", got == b.pair.Access, err)
				}
			}
			_, err := b.tokens(1).Renew(t.Context(), b.pair.Access)
			var wait *ledger.WaitError
			if !errors.As(err, &wait) || wait.Wait < 20*time.Second || wait.Wait > 75*time.Second {
				t.Errorf("it is refused: %v", err)
			}
			if n := b.asked.Load(); n != 1 {
				t.Errorf("%d calls", n)
			}
			if state := b.state(); state != ledger.Connected {
				t.Errorf("the connection is %s", state)
			}
			b.sandbox.ClearFaults(t)
			b.endPause()
			if got, err := b.tokens(1).Renew(t.Context(), b.pair.Access); err != nil || !b.works(got) {
				t.Errorf("after the pause: %v", err)
			}
		})
	}
}

// The answer that held the new pair got lost. Where Harvest had replaced the
// old refresh token, its owner must connect again; elsewhere nothing is lost.
func TestFault25_RenewalLost(t *testing.T) {
	t.Parallel()
	for rotation, want := range map[string]ledger.ConnectionState{"rotate": ledger.NeedsReauth, "keep": ledger.Connected, "omit": ledger.Connected} {
		t.Run(rotation, func(t *testing.T) {
			t.Parallel()
			b := withGrant(t, -time.Minute)
			b.sandbox.Switch(t, map[string]any{"refresh_token_rotation": rotation})
			b.sandbox.Fault(t, sandboxtest.Fault{Fault: "apply_then_drop", Times: 1, Match: sandboxtest.Match{Path: refreshPath}})
			var wait *ledger.WaitError
			if _, err := b.tokens(0).Token(t.Context()); !errors.As(err, &wait) {
				t.Fatalf("lost: %v", err)
			}
			b.endPause()
			got, err := b.tokens(0).Token(t.Context())
			if (want == ledger.Connected) != (err == nil) || err != nil && !errors.Is(err, ledger.ErrAccessRevoked) {
				t.Fatalf("again: %v", err)
			}
			if state := b.state(); state != want {
				t.Errorf("the connection is %s, want %s", state, want)
			}
			if err == nil && !b.works(got) {
				t.Error("the token does not work")
			}
			asked := b.refreshes()
			_, _ = b.tokens(1).Renew(t.Context(), got)
			if n := b.refreshes(); want == ledger.NeedsReauth && n != asked {
				t.Error("Harvest is asked on")
			}
		})
	}
}

// Whoever asked and gave up must not take the answer along: it may be the only
// pair that works.
func TestRenewalOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	b := withGrant(t, -time.Minute)
	b.sandbox.Fault(t, sandboxtest.Fault{Fault: "delay", DelayMS: 500, Match: sandboxtest.Match{Path: refreshPath}})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := b.tokens(0).Token(ctx); err == nil {
		t.Error("it came in time")
	}
	got, err := b.tokens(1).Token(t.Context())
	if err != nil || !b.works(got) || b.refreshes() != 1 {
		t.Errorf("%d calls, error %v", b.refreshes(), err)
	}
}

// Somebody died while asking: the next one asks when the lease is over.
func TestRenewalAfterACrash(t *testing.T) {
	t.Parallel()
	b := withGrant(t, 10*time.Minute)
	hold := "update harvest_connections set refresh_lease = gen_random_uuid(), refresh_lease_until = clock_timestamp() + interval '3 s'"
	if _, err := b.pool.Exec(t.Context(), hold); err != nil {
		t.Fatal(err)
	}
	// With a token that lives nobody waits for long.
	if got, err := b.tokens(0).Token(t.Context()); err != nil || got != b.pair.Access {
		t.Errorf("the old token %v, error %v", got == b.pair.Access, err)
	}
	if got, err := b.tokens(0).Renew(t.Context(), b.pair.Access); err != nil || !b.works(got) {
		t.Errorf("without: %v", err)
	}
}

// Reconnecting and disconnecting while Harvest is asked: what the person did
// counts.
func TestRenewalLosesToItsOwner(t *testing.T) {
	t.Parallel()
	for _, disconnect := range []bool{true, false} {
		b := withGrant(t, -time.Minute)
		source := b.stores[0].Tokens(b.id, func(ctx context.Context, refresh ledger.Secret) (ledger.TokenPair, error) {
			if disconnect {
				if err := b.stores[1].InTx(ctx, func(tx *db.Tx) error { return tx.Disconnect(ctx, b.userID) }); err != nil {
					t.Error(err)
				}
				return b.harvest.Refresh(ctx, refresh)
			}
			b.connect(0)
			return ledger.TokenPair{}, ledger.ErrAccessRevoked
		})
		got, err := source.Token(t.Context())
		switch {
		case disconnect && (!errors.Is(err, ledger.ErrAccessRevoked) || b.state() != ledger.Disconnected):
			t.Errorf("disconnected: %v, %s", err, b.state())
		case !disconnect && (err != nil || got != b.pair.Access || b.state() != ledger.Connected):
			t.Errorf("connected again: %v, %s", err, b.state())
		}
		if n := numberOf(t, b.pool, "select count(*) from harvest_connections where refresh_lease is not null or (state = 'disconnected') <> (credentials is null)"); n != 0 {
			t.Error("something stayed behind")
		}
	}
}

// A personal access token has nothing to be renewed with; one stored by an
// older version does not say what it is.
func TestTokensOfAPersonalToken(t *testing.T) {
	t.Parallel()
	b := withGrant(t, 0)
	ctx := t.Context()
	err := b.stores[0].InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.Connect(ctx, b.userID, sandboxtest.Token, ledger.Account{
			AccountID: sandboxtest.AccountID, UserID: sandboxtest.UserID, TimeZone: "UTC", Clock: "24h", DurationFormat: planner.HoursMinutes,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := b.stores[0].Credentials(ctx, b.id); err != nil || c.Kind != db.PersonalToken || c.Token.Reveal() != sandboxtest.Token {
		t.Errorf("credentials of kind %s, error %v", c.Kind, err)
	}
	if got, err := b.tokens(0).Token(ctx); err != nil || got.Reveal() != sandboxtest.Token {
		t.Errorf("token: %v", err)
	}
	if _, err := b.tokens(0).Renew(ctx, sandboxtest.Token); !errors.Is(err, ledger.ErrAccessRevoked) {
		t.Errorf("renew: %v", err)
	}
	if n := b.refreshes(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func numberOf(t *testing.T, pool *pgxpool.Pool, query string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
