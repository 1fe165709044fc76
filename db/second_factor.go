package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// recoveryCodes is how many somebody gets, each good once.
const recoveryCodes = 10

// CodeCheck compares what was typed with the codes of a secret: the step is that
// of the code, which grows with time.
type CodeCheck func(secret ledger.Secret) (step int64, fits bool)

// BeginSecondFactor keeps the secret that codes of the user's are going to be
// made of, once a first one is shown. It returns [planner.ErrConflict] if they
// have a second factor already.
func (s *Store) BeginSecondFactor(ctx context.Context, userID int64, secret ledger.Secret) error {
	n, err := s.q.SecondFactorBegin(ctx, dbgen.SecondFactorBeginParams{UserID: userID, Sealed: s.sealer.seal([]byte(secret.Reveal()), sealedFactor, userID)})
	if err == nil && n == 0 {
		err = planner.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("begin the second factor of user %d: %w", userID, err)
	}
	return nil
}

// PendingSecondFactor returns the secret of a second factor that was begun;
// [planner.ErrNotFound] for none.
func (s *Store) PendingSecondFactor(ctx context.Context, userID int64) (ledger.Secret, error) {
	sealed, err := s.q.SecondFactorPending(ctx, userID)
	if err != nil {
		return "", fmt.Errorf("second factor of user %d: %w", userID, notFound(err))
	}
	plain, err := s.sealer.open(sealed, sealedFactor, userID)
	if err != nil {
		return "", fmt.Errorf("second factor of user %d: %w", userID, err)
	}
	return ledger.Secret(plain), nil
}

// ConfirmSecondFactor puts the one that was begun in force, if the first code
// fits, and ends all sessions of the user's but this one: they were begun without.
// It returns the recovery codes, which cannot be had again, or
// [planner.ErrNotFound] if the code does not fit or nothing was begun.
func (s *Store) ConfirmSecondFactor(ctx context.Context, userID, sessionID int64, check CodeCheck) (codes []ledger.Secret, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.takeCode(ctx, userID, false, check); err != nil {
			return err
		}
		if codes, err = tx.makeRecoveryCodes(ctx, userID); err != nil {
			return err
		}
		if _, err := tx.q.SessionsRevokeOthers(ctx, dbgen.SessionsRevokeOthersParams{UserID: userID, ID: sessionID}); err != nil {
			return err
		}
		return tx.Audit(ctx, userID, "second_factor.enable", userSubject(userID), map[string]any{})
	})
	if err != nil {
		return nil, fmt.Errorf("confirm the second factor of user %d: %w", userID, err)
	}
	return codes, nil
}

// TakeCode takes a code of the user's second factor, once. It returns
// [planner.ErrNotFound] if it does not fit, or one as late as it was taken before.
func (s *Store) TakeCode(ctx context.Context, userID int64, check CodeCheck) error {
	err := s.InTx(ctx, func(tx *Tx) error { return tx.takeCode(ctx, userID, true, check) })
	if err != nil {
		return fmt.Errorf("take a code of user %d: %w", userID, err)
	}
	return nil
}

func (tx *Tx) takeCode(ctx context.Context, userID int64, confirmed bool, check CodeCheck) error {
	row, err := tx.q.SecondFactorLock(ctx, dbgen.SecondFactorLockParams{UserID: userID, Confirmed: confirmed})
	if err != nil {
		return notFound(err)
	}
	secret, err := tx.sealer.open(row.Sealed, sealedFactor, userID)
	if err != nil {
		return err
	}
	step, fits := check(ledger.Secret(secret))
	if !fits || step <= row.LastStep {
		return planner.ErrNotFound
	}
	return tx.q.SecondFactorTake(ctx, dbgen.SecondFactorTakeParams{UserID: userID, Step: step})
}

// TakeRecoveryCode takes a recovery code of the user's, once, and returns how
// many are left. It returns [planner.ErrNotFound] for any other.
func (s *Store) TakeRecoveryCode(ctx context.Context, userID int64, code ledger.Secret) (left int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.q.RecoveryCodeTake(ctx, dbgen.RecoveryCodeTakeParams{UserID: userID, CodeHash: hashRecoveryCode(code)})
		if err != nil {
			return err
		}
		if n == 0 {
			return planner.ErrNotFound
		}
		if left, err = tx.q.RecoveryCodesLeft(ctx, userID); err != nil {
			return err
		}
		return tx.Audit(ctx, userID, "recovery_codes.use", userSubject(userID), map[string]any{"left": left})
	})
	if err != nil {
		return 0, fmt.Errorf("take a recovery code of user %d: %w", userID, err)
	}
	return left, nil
}

// RecoveryCodesLeft returns how many recovery codes the user has.
func (s *Store) RecoveryCodesLeft(ctx context.Context, userID int64) (int64, error) {
	left, err := s.q.RecoveryCodesLeft(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("recovery codes of user %d: %w", userID, err)
	}
	return left, nil
}

// NewRecoveryCodes gives the user recovery codes in place of those they have.
// They cannot be had again. It returns [planner.ErrNotFound] if the user has no
// second factor.
func (s *Store) NewRecoveryCodes(ctx context.Context, userID int64) (codes []ledger.Secret, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.q.SecondFactorLock(ctx, dbgen.SecondFactorLockParams{UserID: userID, Confirmed: true}); err != nil {
			return notFound(err)
		}
		if codes, err = tx.makeRecoveryCodes(ctx, userID); err != nil {
			return err
		}
		return tx.Audit(ctx, userID, "recovery_codes.make", userSubject(userID), map[string]any{})
	})
	if err != nil {
		return nil, fmt.Errorf("make recovery codes of user %d: %w", userID, err)
	}
	return codes, nil
}

func (tx *Tx) makeRecoveryCodes(ctx context.Context, userID int64) ([]ledger.Secret, error) {
	if err := tx.q.RecoveryCodesRemove(ctx, userID); err != nil {
		return nil, err
	}
	codes, hashes := make([]ledger.Secret, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		text := strings.ToLower(rand.Text()) // of which 16 letters and digits are 80 bits
		codes[i] = ledger.Secret(strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:16]}, "-"))
		hashes[i] = hashRecoveryCode(codes[i])
	}
	return codes, tx.q.RecoveryCodesAdd(ctx, dbgen.RecoveryCodesAddParams{UserID: userID, CodeHashes: hashes})
}

// hashRecoveryCode needs no salt and no slow hash: the code is 80 random bits.
// How it is grouped and written does not matter.
func hashRecoveryCode(code ledger.Secret) []byte {
	plain := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '2' && c <= '7' {
			return c
		}
		return -1
	}, strings.ToLower(code.Reveal()))
	sum := sha256.Sum256([]byte(plain))
	return sum[:]
}

// RemoveSecondFactor lets the user log in with the password alone again. It
// returns [planner.ErrConflict] if they have no second factor.
func (s *Store) RemoveSecondFactor(ctx context.Context, userID int64) error {
	err := s.InTx(ctx, func(tx *Tx) error { return tx.removeSecondFactor(ctx, userID, userID, "second_factor.disable") })
	if err != nil {
		return fmt.Errorf("remove the second factor of user %d: %w", userID, err)
	}
	return nil
}

// ResetSecondFactor does the same for the user with the address. For the shell.
// It returns [planner.ErrNotFound] if nobody has the address, and
// [planner.ErrConflict] if they have no second factor.
func (s *Store) ResetSecondFactor(ctx context.Context, email string) error {
	login, err := s.LoginByEmail(ctx, email)
	if err != nil {
		return err
	}
	err = s.InTx(ctx, func(tx *Tx) error { return tx.removeSecondFactor(ctx, 0, login.UserID, "second_factor.reset") })
	if err != nil {
		return fmt.Errorf("reset the second factor of user %d: %w", login.UserID, err)
	}
	return nil
}

func (tx *Tx) removeSecondFactor(ctx context.Context, actorID, userID int64, action string) error {
	n, err := tx.q.SecondFactorRemove(ctx, userID)
	if err != nil {
		return err
	}
	if n == 0 {
		return planner.ErrConflict
	}
	return tx.Audit(ctx, actorID, action, userSubject(userID), map[string]any{})
}

// PasswordFits takes the try back that [Store.BeginLogin] counted, when a code
// has to follow. What failed before stays counted: who knows the password must
// not get more tries at the code for it.
func (s *Store) PasswordFits(ctx context.Context, email, address string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.q.ThrottleUncount(ctx, addressSubject(address)); err != nil {
			return err
		}
		return tx.q.ThrottleUncount(ctx, accountSubject(email))
	})
	if err != nil {
		return fmt.Errorf("note a password: %w", err)
	}
	return nil
}

// CodeFailed records a wrong code in the audit once there are more of them than
// somebody mistypes: whoever tries knows the password.
func (s *Store) CodeFailed(ctx context.Context, userID int64, email string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		failures, err := tx.q.ThrottleFailures(ctx, accountSubject(email))
		if err != nil || failures < freeFailures {
			return err
		}
		return tx.Audit(ctx, userID, "login.code_failed", userSubject(userID), map[string]any{"failures": failures})
	})
	if err != nil {
		return fmt.Errorf("note a wrong code of user %d: %w", userID, err)
	}
	return nil
}
