package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// Credentials are what a worker needs to call Harvest for a connection.
type Credentials struct {
	ConnectionID     int64
	UserID           int64
	HarvestAccountID int64
	HarvestUserID    int64
	Kind             CredentialKind
	TimestampTimers  bool          // the account tracks start and end times
	Clock            string        // how it writes them: "12h" or "24h"
	Token            ledger.Secret // as it was stored; one of OAuth may have expired, see [Store.Tokens]
}

// CredentialKind is how a connection was made.
type CredentialKind string

// The kinds of credentials.
const (
	PersonalToken CredentialKind = "token" // does not expire
	OAuthGrant    CredentialKind = "oauth" // expires, and is renewed
)

// sealedCredentials is the plain text under the seal. Those of before there was
// OAuth have no kind.
type sealedCredentials struct {
	Kind      CredentialKind `json:"kind"`
	Token     string         `json:"token"`
	Refresh   string         `json:"refresh,omitempty"`
	ExpiresAt time.Time      `json:"expires_at,omitzero"`
}

func sealedPair(pair ledger.TokenPair) sealedCredentials {
	return sealedCredentials{Kind: OAuthGrant, Token: pair.Access.Reveal(), Refresh: pair.Refresh.Reveal(), ExpiresAt: pair.ExpiresAt}
}

func (s *Sealer) sealCredentials(c sealedCredentials, userID int64) ([]byte, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return s.seal(plain, sealedConnection, userID), nil
}

// openCredentials returns [ErrWrongKey] for what it cannot open.
func (s *Sealer) openCredentials(sealed []byte, userID int64) (sealedCredentials, error) {
	plain, err := s.open(sealed, sealedConnection, userID)
	if err != nil {
		return sealedCredentials{}, err
	}
	var c sealedCredentials
	if err := json.Unmarshal(plain, &c); err != nil {
		return sealedCredentials{}, ErrWrongKey
	}
	if c.Kind == "" {
		c.Kind = PersonalToken
	}
	return c, nil
}

// Connection returns the user's connection; [planner.ErrNotFound] if there
// never was one.
func (s *Store) Connection(ctx context.Context, userID int64) (ledger.Connection, error) {
	row, err := s.q.ConnectionByUser(ctx, userID)
	if err != nil {
		return ledger.Connection{}, fmt.Errorf("connection of user %d: %w", userID, notFound(err))
	}
	c := row.HarvestConnection
	return ledger.Connection{
		ID: c.ID, State: ledger.ConnectionState(c.State), Held: c.HeldSince != nil, Pause: ledger.Pause{Until: instant(row.PausedNow), Reason: c.PausedReason}, ConnectedAt: c.ConnectedAt, PulledAt: deref(c.PulledAt), Unfinished: int(row.Unfinished),
		AccountAt: c.AccountAt, AssignmentsAt: deref(c.AssignmentsAt), BudgetsAt: deref(c.BudgetsAt), BudgetsHidden: c.BudgetsHidden,
		Account: ledger.Account{
			AccountID: c.HarvestAccountID, CompanyName: c.CompanyName, BaseURI: c.BaseUri, UserID: c.HarvestUserID,
			UserName: c.HarvestUserName, TimeZone: c.TimeZone, WeekStart: time.Weekday(c.WeekStart), Clock: c.Clock,
			DurationFormat: planner.DurationFormat(c.DurationFormat), WeeklyCapacity: planner.Minutes(c.WeeklyCapacity),
			TimestampTimers: c.TimestampTimers, CompanyVisible: c.CompanyVisible,
		},
	}, nil
}

// Connect stores a verified personal access token, sealed, with the settings of
// the account, and wakes what was blocked for want of it. [planner.ErrConflict]:
// the user is pinned to another Harvest account or user.
func (tx *Tx) Connect(ctx context.Context, userID int64, token ledger.Secret, account ledger.Account) (connectionID int64, err error) {
	return tx.connect(ctx, userID, sealedCredentials{Kind: PersonalToken, Token: token.Reveal()}, account)
}

// ConnectOAuth is [Tx.Connect] for what a log-in at Harvest gave. It ends the
// user's other log-ins that are under way.
func (tx *Tx) ConnectOAuth(ctx context.Context, userID int64, pair ledger.TokenPair, account ledger.Account) (connectionID int64, err error) {
	id, err := tx.connect(ctx, userID, sealedPair(pair), account)
	if err == nil {
		err = tx.endOAuth(ctx, userID)
	}
	return id, err
}

func (tx *Tx) connect(ctx context.Context, userID int64, credentials sealedCredentials, account ledger.Account) (connectionID int64, err error) {
	sealed, err := tx.sealer.sealCredentials(credentials, userID)
	if err != nil {
		return 0, fmt.Errorf("connect user %d: %w", userID, err)
	}
	id, err := tx.q.ConnectionSave(ctx, dbgen.ConnectionSaveParams{
		UserID: userID, Credentials: sealed, HarvestAccountID: account.AccountID, HarvestUserID: account.UserID,
		CompanyName: account.CompanyName, HarvestUserName: account.UserName, BaseUri: account.BaseURI, WeekStart: int16(account.WeekStart),
		TimeZone: account.TimeZone, Clock: account.Clock, DurationFormat: string(account.DurationFormat),
		WeeklyCapacity: int32(account.WeeklyCapacity), TimestampTimers: account.TimestampTimers, CompanyVisible: account.CompanyVisible,
	})
	if errors.Is(err, pgx.ErrNoRows) { // there is a row, of another account
		return 0, fmt.Errorf("connect user %d: %w", userID, planner.ErrConflict)
	}
	if err != nil {
		return 0, fmt.Errorf("connect user %d: %w", userID, err)
	}
	if err := tx.q.WritesUnblock(ctx, id); err != nil {
		return 0, fmt.Errorf("wake the writes of connection %d: %w", id, err)
	}
	return id, nil
}

// Disconnect erases the user's credentials, and those of a log-in that is under
// way. Writes that have not been sent stay
// and wait for a reconnection. [planner.ErrNotFound]: there is nothing to erase.
func (tx *Tx) Disconnect(ctx context.Context, userID int64) error {
	n, err := tx.q.ConnectionDisconnect(ctx, userID)
	if err == nil && n == 0 {
		err = planner.ErrNotFound
	}
	if err == nil {
		err = tx.endOAuth(ctx, userID)
	}
	if err != nil {
		return fmt.Errorf("disconnect user %d: %w", userID, err)
	}
	return nil
}

// Credentials opens the credentials of a connection. It returns
// [ledger.ErrAccessRevoked] if the connection is not in a state to be used, and
// [ErrWrongKey] if the secret key does not fit.
func (s *Store) Credentials(ctx context.Context, connectionID int64) (Credentials, error) {
	row, err := s.q.ConnectionCredentials(ctx, connectionID)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials of connection %d: %w", connectionID, notFound(err))
	}
	if ledger.ConnectionState(row.State) != ledger.Connected {
		return Credentials{}, fmt.Errorf("credentials of connection %d: %w", connectionID, ledger.ErrAccessRevoked)
	}
	sealed, err := s.sealer.openCredentials(row.Credentials, row.UserID)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials of connection %d: %w", connectionID, err)
	}
	return Credentials{
		ConnectionID: connectionID, UserID: row.UserID, HarvestAccountID: row.HarvestAccountID,
		HarvestUserID: row.HarvestUserID, Kind: sealed.Kind, TimestampTimers: row.TimestampTimers, Clock: row.Clock, Token: ledger.Secret(sealed.Token),
	}, nil
}

// CheckSecretKey opens one stored credential, if there is any, so that a wrong
// key is told at the start and not in the middle of the night. It returns
// [ErrWrongKey].
func (s *Store) CheckSecretKey(ctx context.Context) error {
	id, err := s.q.ConnectionAnySealed(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check the secret key: %w", err)
	}
	_, err = s.Credentials(ctx, id)
	return err
}

// RevokeConnection records that Harvest refused the credentials of a connection.
func (s *Store) RevokeConnection(ctx context.Context, connectionID int64) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.revoke(ctx, connectionID) })
}

func (tx *Tx) revoke(ctx context.Context, connectionID int64) error {
	err := tx.q.ConnectionNeedsReauth(ctx, connectionID)
	if err == nil {
		err = tx.q.WritesBlock(ctx, connectionID)
	}
	if err != nil {
		return fmt.Errorf("revoke connection %d: %w", connectionID, err)
	}
	return nil
}

// ConnectionsWithDueWrites returns the connections that have due writes and
// nobody who works on them.
func (s *Store) ConnectionsWithDueWrites(ctx context.Context) ([]int64, error) {
	ids, err := s.q.ConnectionsWithDueWrites(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for due writes: %w", err)
	}
	return ids, nil
}

// UsersWithOldPull returns the users whose last pull is older than age and who
// have none under way.
func (s *Store) UsersWithOldPull(ctx context.Context, age time.Duration) ([]int64, error) {
	ids, err := s.q.UsersWithOldPull(ctx, age)
	if err != nil {
		return nil, fmt.Errorf("look for old pulls: %w", err)
	}
	return ids, nil
}
