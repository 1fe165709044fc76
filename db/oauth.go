package db

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// OAuthAttemptTerm is how long somebody may take to log in at Harvest, and then
// again to choose an account.
const OAuthAttemptTerm = 10 * time.Minute

// oauthAttemptsKept is how many log-ins a user may have under way: one in each
// of a few tabs.
const oauthAttemptsKept = 5

// OAuthLogin is who logs in at Harvest: a user, in one session. Only hashes of
// the session's token are stored.
type OAuthLogin struct {
	UserID  int64
	Session ledger.Secret
}

func (l OAuthLogin) session() []byte { return hashOf(l.Session) }

func hashOf(secret ledger.Secret) []byte {
	sum := sha256.Sum256([]byte(secret.Reveal()))
	return sum[:]
}

// sealedOAuth holds one of the two steps: the verifier on the way to Harvest,
// the pair and the accounts on the way back.
type sealedOAuth struct {
	Verifier  string                 `json:"verifier,omitempty"`
	Token     string                 `json:"token,omitempty"`
	Refresh   string                 `json:"refresh,omitempty"`
	ExpiresAt time.Time              `json:"expires_at,omitzero"`
	Accounts  []ledger.AccountChoice `json:"accounts,omitempty"`
}

// BeginOAuth notes that somebody was sent to Harvest with state, at now. The
// verifier is kept sealed until they come back.
func (s *Store) BeginOAuth(ctx context.Context, login OAuthLogin, state, verifier ledger.Secret, now time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		return tx.addAttempt(ctx, login, hashOf(state), sealedOAuth{Verifier: verifier.Reveal()}, now)
	})
	if err != nil {
		return fmt.Errorf("begin a log-in of user %d: %w", login.UserID, err)
	}
	return nil
}

func (tx *Tx) addAttempt(ctx context.Context, login OAuthLogin, state []byte, kept sealedOAuth, now time.Time) error {
	plain, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	err = tx.q.OAuthAttemptsPrune(ctx, dbgen.OAuthAttemptsPruneParams{UserID: login.UserID, Now: now, Kept: oauthAttemptsKept - 1})
	if err != nil {
		return err
	}
	return tx.q.OAuthAttemptAdd(ctx, dbgen.OAuthAttemptAddParams{
		UserID: login.UserID, SessionHash: login.session(), StateHash: state,
		Sealed: tx.sealer.seal(plain, sealedAttempt, login.UserID), ExpiresAt: now.Add(OAuthAttemptTerm),
	})
}

// TakeOAuth returns the verifier that belongs to state, once.
// [planner.ErrNotFound]: this user did not begin such a log-in in this session,
// or too long ago, or has come back from it before.
func (s *Store) TakeOAuth(ctx context.Context, login OAuthLogin, state ledger.Secret, now time.Time) (verifier ledger.Secret, err error) {
	row, err := s.q.OAuthAttemptTake(ctx, dbgen.OAuthAttemptTakeParams{UserID: login.UserID, SessionHash: login.session(), StateHash: hashOf(state)})
	if err == nil && !now.Before(row.ExpiresAt) {
		err = planner.ErrNotFound
	}
	var kept sealedOAuth
	if err == nil {
		kept, err = s.openAttempt(row.Sealed, login.UserID)
	}
	if err != nil {
		return "", fmt.Errorf("take a log-in of user %d: %w", login.UserID, notFound(err))
	}
	return ledger.Secret(kept.Verifier), nil
}

func (s *Store) openAttempt(sealed []byte, userID int64) (sealedOAuth, error) {
	plain, err := s.sealer.open(sealed, sealedAttempt, userID)
	if err != nil {
		return sealedOAuth{}, err
	}
	var kept sealedOAuth
	if err := json.Unmarshal(plain, &kept); err != nil {
		return sealedOAuth{}, ErrWrongKey
	}
	return kept, nil
}

// KeepOAuthChoice keeps what a log-in gave, sealed, until its user has chosen
// one of accounts. It replaces an earlier choice of the same session.
func (s *Store) KeepOAuthChoice(ctx context.Context, login OAuthLogin, pair ledger.TokenPair, accounts []ledger.AccountChoice, now time.Time) error {
	kept := sealedOAuth{Token: pair.Access.Reveal(), Refresh: pair.Refresh.Reveal(), ExpiresAt: pair.ExpiresAt, Accounts: accounts}
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.q.OAuthChoicesDelete(ctx, dbgen.OAuthChoicesDeleteParams{UserID: login.UserID, SessionHash: login.session()})
		if err != nil {
			return err
		}
		return tx.addAttempt(ctx, login, nil, kept, now)
	})
	if err != nil {
		return fmt.Errorf("keep the choice of user %d: %w", login.UserID, err)
	}
	return nil
}

// OAuthChoice returns what [Store.KeepOAuthChoice] kept for this session.
// [planner.ErrNotFound]: nothing is to be chosen, or no longer.
func (s *Store) OAuthChoice(ctx context.Context, login OAuthLogin, now time.Time) (ledger.TokenPair, []ledger.AccountChoice, error) {
	sealed, err := s.q.OAuthChoice(ctx, dbgen.OAuthChoiceParams{UserID: login.UserID, SessionHash: login.session(), Now: now})
	var kept sealedOAuth
	if err == nil {
		kept, err = s.openAttempt(sealed, login.UserID)
	}
	if err != nil {
		return ledger.TokenPair{}, nil, fmt.Errorf("choice of user %d: %w", login.UserID, notFound(err))
	}
	pair := ledger.TokenPair{Access: ledger.Secret(kept.Token), Refresh: ledger.Secret(kept.Refresh), ExpiresAt: kept.ExpiresAt}
	return pair, kept.Accounts, nil
}

func (tx *Tx) endOAuth(ctx context.Context, userID int64) error {
	if err := tx.q.OAuthAttemptsDelete(ctx, userID); err != nil {
		return fmt.Errorf("end the log-ins of user %d: %w", userID, err)
	}
	return nil
}

// CleanOAuth removes log-ins that were never ended. It is meant to be called
// every few minutes, by any process.
func (s *Store) CleanOAuth(ctx context.Context) error {
	if err := s.q.OAuthAttemptsClean(ctx); err != nil {
		return fmt.Errorf("clean log-ins: %w", err)
	}
	return nil
}
