package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"furrow/db/dbgen"
)

// The limits on failed logins. An account is held back for longer with each
// failure past the free ones, never for more than maxAccountWait; a failure is
// forgotten after failureMemory.
const (
	freeFailures    = 5
	maxAccountWait  = 5 * time.Minute
	failureMemory   = 24 * time.Hour
	addressFailures = 20
	addressWindow   = time.Minute
)

// BeginLogin counts a try to log in as the account with the e-mail address,
// known or not, from the network address. It returns how long to wait if the
// try must not be made now. Otherwise the try counts as failed, so that tries
// made at the same time cannot slip past the limit, until [Store.LoginSucceeded].
func (s *Store) BeginLogin(ctx context.Context, email, address string, now time.Time) (wait time.Duration, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		wait, err = tx.countTry(ctx, addressSubject(address), now, windowThrottle(addressFailures, addressWindow))
		if err != nil || wait > 0 {
			return err
		}
		wait, err = tx.countTry(ctx, accountSubject(email), now, accountThrottle)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count a login: %w", err)
	}
	return wait, nil
}

// LoginSucceeded forgets the account's failures, and takes the try back that
// [Store.BeginLogin] counted for the address.
func (s *Store) LoginSucceeded(ctx context.Context, email, address string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.q.ThrottleUncount(ctx, addressSubject(address)); err != nil {
			return err
		}
		return tx.q.ThrottleForget(ctx, accountSubject(email))
	})
	if err != nil {
		return fmt.Errorf("note a login: %w", err)
	}
	return nil
}

// throttle is what is remembered of one subject.
type throttle struct {
	failures int
	since    time.Time // an address: start of its window; an account: its last failure
	until    time.Time // no try before this
}

func (tx *Tx) countTry(ctx context.Context, subject string, now time.Time, rule func(throttle, time.Time) (throttle, time.Duration)) (time.Duration, error) {
	row, err := tx.q.ThrottleLock(ctx, dbgen.ThrottleLockParams{Subject: subject, Now: now})
	if err != nil {
		return 0, err
	}
	next, wait := rule(throttle{failures: int(row.Failures), since: row.WindowStart, until: row.LockedUntil}, now)
	if wait > 0 {
		return wait, nil
	}
	return 0, tx.q.ThrottleSet(ctx, dbgen.ThrottleSetParams{
		Subject: subject, Failures: int32(next.failures), WindowStart: next.since, LockedUntil: next.until,
	})
}

// accountThrottle lets the first failures pass; each one more doubles the wait
// for the next try: 1 s, 2 s, 4 s, up to maxAccountWait.
func accountThrottle(t throttle, now time.Time) (throttle, time.Duration) {
	if wait := t.until.Sub(now); wait > 0 {
		return t, wait
	}
	if now.Sub(t.since) > failureMemory {
		t.failures = 0
	}
	t.failures++
	t.since, t.until = now, now
	if over := t.failures - freeFailures; over >= 0 {
		t.until = now.Add(min(time.Second<<min(over, 20), maxAccountWait))
	}
	return t, 0
}

// windowThrottle lets most tries pass in each window of time.
func windowThrottle(most int, window time.Duration) func(throttle, time.Time) (throttle, time.Duration) {
	return func(t throttle, now time.Time) (throttle, time.Duration) {
		if now.Sub(t.since) >= window {
			t.failures, t.since = 0, now
		}
		if t.failures >= most {
			return t, t.since.Add(window).Sub(now)
		}
		t.failures++
		t.until = now
		return t, 0
	}
}

// accountSubject is a hash: what people type for an e-mail address may be
// anything, a password included.
func accountSubject(email string) string {
	sum := sha256.Sum256([]byte(NormalEmail(email)))
	return "account:" + hex.EncodeToString(sum[:])
}

func addressSubject(address string) string { return "address:" + address }
