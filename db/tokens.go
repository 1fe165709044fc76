package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// Times of renewing tokens. The lease outlives the call it is for, so that two
// never ask with the same refresh token.
const (
	refreshMargin  = 15 * time.Minute // before a token expires
	refreshTimeout = 10 * time.Second // of asking Harvest
	refreshLease   = 30 * time.Second
	refreshPause   = 30 * time.Second // after Harvest could not say yes or no
	refreshPoll    = 75 * time.Millisecond
	// How long the others wait for the one who asks: with a token that still
	// works, and without.
	patienceWith    = 2 * time.Second
	patienceWithout = refreshTimeout + 2*time.Second
	// Storing a pair is worth more than one try: it is the only one that works.
	storeTimeout = 5 * time.Second
	storeAgain   = 250 * time.Millisecond
)

// RefreshFunc asks Harvest for a new pair. It returns
// [ledger.ErrAccessRevoked] only if Harvest said that refresh is worth nothing
// any more; [*ledger.WaitError] if it asked for silence.
type RefreshFunc func(ctx context.Context, refresh ledger.Secret) (ledger.TokenPair, error)

// Tokens returns where the tokens of a connection come from. They are renewed
// by refresh, which all processes together call once at a time: whoever has the
// lease on the connection's row asks, and stores the answer before anybody uses
// it; the others look at the row until it is there. No transaction is open
// meanwhile.
//
// If Harvest cannot say yes or no, it is left alone for [refreshPause], and the
// old token is used for as long as it lives; after that the answer is a
// [*ledger.WaitError]. An answer that got lost looks the same: the old refresh
// token is tried again, and if Harvest has replaced it, the owner must connect
// again. A connection that Harvest gives no tokens for is revoked, with its
// writes blocked, not lost.
func (s *Store) Tokens(connectionID int64, refresh RefreshFunc) ledger.TokenSource {
	return &tokens{store: s, connectionID: connectionID, refresh: refresh, turn: make(chan struct{}, 1)}
}

type tokens struct {
	store        *Store
	connectionID int64
	refresh      RefreshFunc
	turn         chan struct{} // guards known
	known        grant
}

// grant is what a connection's row holds, opened.
type grant struct {
	dbgen.GrantRow
	sealedCredentials
	read time.Time // by this process's clock
}

// left is how long the token lives, by the database's clock.
func (g grant) left() time.Duration {
	if g.ExpiresAt.IsZero() {
		return 1 << 62
	}
	return g.ExpiresAt.Sub(g.Now) - time.Since(g.read)
}

// usable reports whether the token can be sent, now that rejected was refused.
func (g grant) usable(rejected ledger.Secret) bool {
	return g.Token != "" && g.Token != rejected.Reveal() && g.left() > 0
}

func (g grant) fresh(rejected ledger.Secret) bool {
	return g.usable(rejected) && (g.left() > refreshMargin || g.Kind != OAuthGrant)
}

// Token implements [ledger.TokenSource].
func (t *tokens) Token(ctx context.Context) (ledger.Secret, error) { return t.get(ctx, "") }

// Renew implements [ledger.TokenSource].
func (t *tokens) Renew(ctx context.Context, rejected ledger.Secret) (ledger.Secret, error) {
	return t.get(ctx, rejected)
}

func (t *tokens) get(ctx context.Context, rejected ledger.Secret) (ledger.Secret, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if !t.known.fresh(rejected) {
		if err := t.renew(ctx, rejected); err != nil {
			return "", fmt.Errorf("token of connection %d: %w", t.connectionID, err)
		}
	}
	return ledger.Secret(t.known.Token), nil
}

// renew leaves a token that can be used in t.known.
func (t *tokens) renew(ctx context.Context, rejected ledger.Secret) error {
	for start := time.Now(); ; {
		if err := t.read(ctx); err != nil {
			return err
		}
		g := t.known
		if g.fresh(rejected) {
			return nil
		}
		if g.Refresh == "" {
			return g.makeDo(rejected, ledger.ErrAccessRevoked)
		}
		if g.Pause > 0 {
			return g.makeDo(rejected, &ledger.WaitError{Wait: secondsUp(g.Pause), Why: ledger.WaitBreaker})
		}
		patience := patienceWithout
		if g.usable(rejected) {
			patience = patienceWith
		}
		if time.Since(start) > patience {
			return g.makeDo(rejected, &ledger.WaitError{Wait: patienceWith, Why: ledger.WaitBreaker})
		}
		asked, err := t.ask(ctx, g)
		if err != nil {
			return err
		}
		if asked {
			continue // the row tells how it ended
		}
		select {
		case <-time.After(refreshPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// makeDo is nil if the old token still works, and otherwise err.
func (g grant) makeDo(rejected ledger.Secret, err error) error {
	if g.usable(rejected) {
		return nil
	}
	return err
}

// read fetches the row. It returns [ledger.ErrAccessRevoked] if the connection
// is not in a state to be used.
func (t *tokens) read(ctx context.Context) error {
	row, err := t.store.q.Grant(ctx, t.connectionID)
	if errors.Is(err, pgx.ErrNoRows) {
		return planner.ErrNotFound
	}
	if err != nil {
		return err
	}
	t.known = grant{GrantRow: row, read: time.Now()}
	if ledger.ConnectionState(row.State) != ledger.Connected {
		return ledger.ErrAccessRevoked
	}
	t.known.sealedCredentials, err = t.store.sealer.openCredentials(row.Credentials, row.UserID)
	return err
}

// ask asks Harvest for a new pair in place of g, if it is our turn, and brings
// the outcome into the row.
func (t *tokens) ask(ctx context.Context, g grant) (asked bool, err error) {
	if g.Refreshing {
		return false, nil
	}
	lease, err := t.store.q.RefreshTake(ctx, dbgen.RefreshTakeParams{ID: t.connectionID, Term: refreshLease, Seen: g.Credentials})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // somebody was quicker
	}
	if err != nil {
		return false, err
	}
	// From here on it must be ended whatever becomes of the caller: the next
	// answer may be the only one that works.
	ctx = context.WithoutCancel(ctx)
	asking, cancel := context.WithTimeout(ctx, refreshTimeout)
	pair, err := t.refresh(asking, ledger.Secret(g.Refresh))
	cancel()
	storing, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var wait *ledger.WaitError
	switch {
	case err == nil && pair.Access != "":
		if pair.Refresh == "" {
			pair.Refresh = ledger.Secret(g.Refresh)
		}
		return true, t.keep(storing, g, pair)
	case errors.Is(err, ledger.ErrAccessRevoked):
		return true, t.refused(storing, g)
	}
	pause := refreshPause
	if errors.As(err, &wait) {
		pause = max(pause, wait.Wait)
	}
	return true, t.store.q.RefreshPause(storing, dbgen.RefreshPauseParams{ID: t.connectionID, Lease: lease, Pause: pause})
}

// keep stores a pair. If the row has other credentials by now, those count.
func (t *tokens) keep(ctx context.Context, g grant, pair ledger.TokenPair) error {
	renewed, err := t.store.sealer.sealCredentials(sealedPair(pair), g.UserID)
	if err != nil {
		return err
	}
	for {
		_, err := t.store.q.RefreshStore(ctx, dbgen.RefreshStoreParams{ID: t.connectionID, Seen: g.Credentials, Renewed: renewed})
		if err == nil {
			return nil
		}
		select {
		case <-time.After(storeAgain):
		case <-ctx.Done():
			return fmt.Errorf("store a new pair: %w", err)
		}
	}
}

// refused records that Harvest gives no tokens any more, unless the owner has
// connected again meanwhile.
func (t *tokens) refused(ctx context.Context, g grant) error {
	return t.store.InTx(ctx, func(tx *Tx) error {
		n, err := tx.q.RefreshRefused(ctx, dbgen.RefreshRefusedParams{ID: t.connectionID, Seen: g.Credentials})
		if err == nil && n > 0 {
			err = tx.q.WritesBlock(ctx, t.connectionID)
		}
		return err
	})
}
