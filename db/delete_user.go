package db

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/planner"
)

// Belongings are what goes with a user, in numbers.
type Belongings struct {
	Email       string
	Cells       int // of the plan
	Changes     int // of the plan, in its history
	Templates   int
	Recurrences int
	Tokens      int    // for the API
	Writes      int    // in the ledger
	CompanyName string // of the Harvest connection; empty if there is none

	Entries   int // time entries in Harvest that Furrow made: they stay there
	Unsent    int // writes that are not in Harvest
	LastAdmin bool
}

// Reasons why a user is not deleted.
var (
	ErrLastAdmin = errors.New("nobody else is an admin")
	ErrUnsent    = errors.New("there are writes that have not reached Harvest")
	ErrSending   = errors.New("something is being sent to Harvest")
)

// Belongings returns what goes with a user; [planner.ErrNotFound] if there is none
// of that id.
func (s *Store) Belongings(ctx context.Context, userID int64) (Belongings, error) {
	row, err := s.q.UserBelongings(ctx, userID)
	if err != nil {
		return Belongings{}, fmt.Errorf("count what user %d has: %w", userID, notFound(err))
	}
	return Belongings{
		Email: row.Email, Cells: int(row.Cells), Changes: int(row.Changes), Templates: int(row.Templates), Recurrences: int(row.Recurrences),
		Tokens: int(row.Tokens), Writes: int(row.Writes), CompanyName: row.CompanyName,
		Entries: int(row.Entries), Unsent: int(row.Unsent), LastAdmin: row.LastAdmin,
	}, nil
}

// How long a deletion waits for what is being sent to be told.
const (
	sendingWait = 5 * time.Second
	sendingPoll = 200 * time.Millisecond
)

// DeleteUser deletes a user with everything of theirs. actorID is who does it; 0
// for the shell. Nothing new is sent from here on, also if it returns
// [ErrSending], because a worker is still at something after a few seconds: call
// it again then. Without dropUnsent it returns [ErrUnsent] if there are writes
// that have not reached Harvest. [ErrLastAdmin]: that would leave nobody to act
// on users. [planner.ErrNotFound]: there is no such user.
//
// Jobs of theirs find nothing to do any more, and end. The audit keeps what they
// did, without who they were: what happened to others must stay explained.
func (s *Store) DeleteUser(ctx context.Context, userID, actorID int64, dropUnsent bool) error {
	err := s.InTx(ctx, func(tx *Tx) error { return tx.mayDelete(ctx, userID, dropUnsent) })
	if err == nil {
		err = s.q.ConnectionHoldOfUser(ctx, userID)
	}
	for start := time.Now(); err == nil; {
		err = s.InTx(ctx, func(tx *Tx) error { return tx.deleteUser(ctx, userID, actorID, dropUnsent) })
		if !errors.Is(err, ErrSending) || time.Since(start) > sendingWait {
			break
		}
		select {
		case <-time.After(sendingPoll):
			err = nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return fmt.Errorf("delete user %d: %w", userID, err)
	}
	return nil
}

func (tx *Tx) mayDelete(ctx context.Context, userID int64, dropUnsent bool) error {
	row, err := tx.q.UserBelongings(ctx, userID)
	switch {
	case err != nil:
		return notFound(err)
	case row.LastAdmin:
		return ErrLastAdmin
	case row.Unsent > 0 && !dropUnsent:
		return ErrUnsent
	default:
		return nil
	}
}

func (tx *Tx) deleteUser(ctx context.Context, userID, actorID int64, dropUnsent bool) error {
	email, err := tx.lockToDelete(ctx, userID)
	if err != nil {
		return err
	}
	connection, err := tx.q.ConnectionLockToDelete(ctx, userID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if connection.Sending {
		return ErrSending
	}
	unsent, err := tx.q.WritesUnsent(ctx, userID)
	if err != nil {
		return err
	}
	if unsent > 0 && !dropUnsent {
		return ErrUnsent
	}
	if err := tx.auditDeletion(ctx, userID, actorID, email, int(unsent)); err != nil {
		return err
	}
	for _, forget := range []func() error{
		func() error { return tx.q.ThrottleForget(ctx, accountSubject(email)) },
		func() error { return tx.q.ThrottleForget(ctx, resetSubject(email)) },
		func() error { return tx.q.AccountLinksDeleteTo(ctx, email) },
		func() error { return tx.q.TemplatesDelete(ctx, userID) },
		func() error {
			_, err := tx.q.UserDelete(ctx, userID)
			return err
		},
		// Whoever was storing a mail to them held an alert or a link of theirs, and was
		// waited for.
		func() error { return tx.q.MailsDeleteTo(ctx, email) },
		// Entries have no foreign key that would stop one which is being stored
		// right now. Who stores some is waited for; who comes later finds no
		// projects of the user.
		func() error {
			_, err := tx.Exec(ctx, "lock table time_entries in share row exclusive mode")
			return err
		},
		func() error { return tx.q.TimeEntriesDelete(ctx, userID) },
	} {
		if err := forget(); err != nil {
			return err
		}
	}
	return nil
}

// lockToDelete locks the user, and all admins if they are one, and returns their
// address.
func (tx *Tx) lockToDelete(ctx context.Context, userID int64) (email string, err error) {
	rows, err := tx.q.UsersLockToDelete(ctx, userID)
	if err != nil {
		return "", err
	}
	admins, admin := 0, false
	for _, row := range rows {
		if Role(row.Role) == RoleAdmin {
			admins++
		}
		if row.ID == userID {
			email, admin = row.Email, Role(row.Role) == RoleAdmin
		}
	}
	switch {
	case email == "":
		return "", planner.ErrNotFound
	case admin && admins == 1:
		return "", ErrLastAdmin
	default:
		return email, nil
	}
}

// auditDeletion writes down that a user was deleted, and takes their address out
// of all that the program and its operators wrote down before. What other users
// wrote is theirs.
func (tx *Tx) auditDeletion(ctx context.Context, userID, actorID int64, email string, unsent int) error {
	by := "furrow"
	if actorID == userID {
		actorID, by = 0, "the user"
	}
	detail := map[string]any{"dropped": unsent}
	if actorID == 0 {
		detail["by"] = by
	}
	if err := tx.Audit(ctx, actorID, "account.delete", fmt.Sprintf("user %d", userID), detail); err != nil {
		return err
	}
	called, pattern := fmt.Sprintf("deleted user %d", userID), addressPattern(email)
	if err := tx.q.PausesForget(ctx, dbgen.PausesForgetParams{Email: email, Pattern: pattern, Called: called}); err != nil {
		return err
	}
	if err := tx.q.OrdersForget(ctx, dbgen.OrdersForgetParams{Email: email, Pattern: pattern, Called: called}); err != nil {
		return err
	}
	return tx.q.AuditForget(ctx, dbgen.AuditForgetParams{ID: &userID, Email: email, Pattern: pattern, Called: called})
}

// addressPattern finds an e-mail address in a text, for PostgreSQL, but not in a
// longer address.
func addressPattern(email string) string {
	return "(?<![[:alnum:].+_-])" + regexp.QuoteMeta(email) + `(?![[:alnum:]-]|\.[[:alnum:]])`
}
