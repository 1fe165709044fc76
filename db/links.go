package db

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/planner"
)

// How long a link works.
const (
	InvitationTerm = 7 * 24 * time.Hour
	ResetTerm      = time.Hour
)

// LinkPurpose is what a link that works once is for.
type LinkPurpose string

// The purposes.
const (
	LinkInvite LinkPurpose = "invite" // to make an account
	LinkReset  LinkPurpose = "reset"  // to choose a new password
)

// The limits on asking for a new password: it sends a mail to somebody.
const (
	resetsOfAccount = 3
	resetsOfAddress = 20
	resetWindow     = time.Hour
)

// Invitation is one that nobody has followed yet.
type Invitation struct {
	ID      int64
	Email   string
	Role    Role
	MadeBy  string // empty: the shell, or somebody who is gone
	Created time.Time
	Expires time.Time
}

// newLinkToken returns 256 random bits as they stand in an address.
func newLinkToken() ledger.Secret {
	random := make([]byte, 32)
	rand.Read(random) // never fails: crypto/rand ends the program instead
	return ledger.Secret(base64.RawURLEncoding.EncodeToString(random))
}

// Invite makes a link with which the owner of an address can make an account. It
// takes the place of an earlier one, and cannot be had again. actorID 0 is the
// shell. [planner.ErrConflict]: there is an account.
func (tx *Tx) Invite(ctx context.Context, actorID int64, email string, role Role) (ledger.Secret, error) {
	email = NormalEmail(email)
	token := newLinkToken()
	id, err := tx.q.InvitationSave(ctx, dbgen.InvitationSaveParams{
		Email: email, Role: string(role), MadeBy: nonzero(actorID), TokenHash: hashOf(token), Term: InvitationTerm,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = planner.ErrConflict
	}
	if err == nil {
		err = tx.Audit(ctx, actorID, "account.invite", fmt.Sprintf("invitation %d", id), map[string]any{"email": email, "role": string(role)})
	}
	if err != nil {
		return "", fmt.Errorf("invite: %w", err)
	}
	return token, nil
}

// Invitations returns those that are open, oldest first.
func (s *Store) Invitations(ctx context.Context) ([]Invitation, error) {
	rows, err := s.q.Invitations(ctx)
	if err != nil {
		return nil, fmt.Errorf("list invitations: %w", err)
	}
	list := make([]Invitation, len(rows))
	for i, r := range rows {
		list[i] = Invitation{ID: r.ID, Email: r.Email, Role: Role(r.Role), MadeBy: r.MadeBy, Created: r.CreatedAt, Expires: r.ExpiresAt}
	}
	return list, nil
}

// RevokeInvitation makes an invitation worthless. [planner.ErrNotFound]: there is
// none of that id.
func (s *Store) RevokeInvitation(ctx context.Context, actorID, id int64) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		email, err := tx.q.InvitationRevoke(ctx, id)
		if err != nil {
			return notFound(err)
		}
		return tx.Audit(ctx, actorID, "account.uninvite", fmt.Sprintf("invitation %d", id), map[string]any{"email": email})
	})
	if err != nil {
		return fmt.Errorf("revoke invitation %d: %w", id, err)
	}
	return nil
}

// LinkFor returns whose address a link is for. [planner.ErrNotFound]: it is none,
// or was used or taken back, or is too old.
func (s *Store) LinkFor(ctx context.Context, purpose LinkPurpose, token ledger.Secret) (email string, err error) {
	email, err = s.q.AccountLink(ctx, dbgen.AccountLinkParams{Purpose: string(purpose), TokenHash: hashOf(token)})
	if err != nil {
		return "", fmt.Errorf("look a link up: %w", notFound(err))
	}
	return email, nil
}

// Join makes the account that a link invites to, and returns its id.
// [planner.ErrNotFound]: the link does not work. [planner.ErrConflict]: there is
// an account for the address by now.
func (s *Store) Join(ctx context.Context, token ledger.Secret, passwordHash string) (id int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		link, err := tx.q.AccountLinkTake(ctx, dbgen.AccountLinkTakeParams{Purpose: string(LinkInvite), TokenHash: hashOf(token)})
		if err != nil {
			return notFound(err)
		}
		id, err = tx.q.UserCreate(ctx, dbgen.UserCreateParams{Email: link.Email, PasswordHash: passwordHash, Role: link.Role})
		if isUniqueViolation(err) {
			return planner.ErrConflict
		}
		if err != nil {
			return err
		}
		return tx.Audit(ctx, id, "account.join", userSubject(id), map[string]any{"role": link.Role})
	})
	if err != nil {
		return 0, fmt.Errorf("join: %w", err)
	}
	return id, nil
}

// AskReset notes that somebody at a network address wants a new password for the
// account with an e-mail address, and calls ring in the same transaction, for
// [Store.IssueReset]. It does the same whether or not anybody has the address, so
// that nobody learns of it. wait is how long to wait if that was asked for too
// often.
func (s *Store) AskReset(ctx context.Context, email, address string, now time.Time, ring func(tx *Tx, linkID int64) error) (wait time.Duration, err error) {
	email = NormalEmail(email)
	err = s.InTx(ctx, func(tx *Tx) error {
		wait, err = tx.countTry(ctx, "reset "+addressSubject(address), now, windowThrottle(resetsOfAddress, resetWindow))
		if err != nil || wait > 0 {
			return err
		}
		wait, err = tx.countTry(ctx, resetSubject(email), now, windowThrottle(resetsOfAccount, resetWindow))
		if err != nil || wait > 0 {
			return err
		}
		id, err := tx.q.ResetAsk(ctx, dbgen.ResetAskParams{Email: email, Term: ResetTerm})
		if err != nil {
			return err
		}
		return ring(tx, id)
	})
	if err != nil {
		return 0, fmt.Errorf("ask for a new password: %w", err)
	}
	return wait, nil
}

func resetSubject(email string) string { return "reset " + accountSubject(email) }

// IssueReset makes the link that was asked for, and stores the mail that write
// writes with it; ring rings for that in the same transaction. If nobody has the
// address, or the link was made already, it does nothing.
func (s *Store) IssueReset(ctx context.Context, linkID int64, write func(email string, token ledger.Secret) notice.Mail, ring func(tx pgx.Tx, mailID int64) error) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		email, err := tx.q.ResetAsked(ctx, linkID)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		token, err := tx.ResetLink(ctx, 0, email)
		if errors.Is(err, planner.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		mailID, err := tx.AddMail(ctx, write(email, token))
		if err != nil {
			return err
		}
		return ring(tx, mailID)
	})
	if err != nil {
		return fmt.Errorf("issue reset %d: %w", linkID, err)
	}
	return nil
}

// ResetLink makes a link with which the owner of an account can choose a new
// password. It takes the place of an earlier one, and cannot be had again. actorID
// 0 is the program by itself, or the shell. [planner.ErrNotFound]: nobody has the
// address.
func (tx *Tx) ResetLink(ctx context.Context, actorID int64, email string) (ledger.Secret, error) {
	token := newLinkToken()
	userID, err := tx.q.ResetSave(ctx, dbgen.ResetSaveParams{Email: NormalEmail(email), TokenHash: hashOf(token), Term: ResetTerm})
	if err == nil {
		err = tx.Audit(ctx, actorID, "account.reset_link", userSubject(userID), map[string]any{})
	}
	if err != nil {
		return "", fmt.Errorf("make a link to reset a password: %w", notFound(err))
	}
	return token, nil
}

// UseReset gives the owner of a link a new password, ends all their sessions and
// forgets their failed log-ins. Their second factor stays. [planner.ErrNotFound]:
// the link does not work.
func (s *Store) UseReset(ctx context.Context, token ledger.Secret, passwordHash string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		link, err := tx.q.AccountLinkTake(ctx, dbgen.AccountLinkTakeParams{Purpose: string(LinkReset), TokenHash: hashOf(token)})
		if err != nil {
			return notFound(err)
		}
		return tx.resetPassword(ctx, link.UserID, link.UserID, link.Email, passwordHash, "account.reset")
	})
	if err != nil {
		return fmt.Errorf("use a link to reset a password: %w", err)
	}
	return nil
}

// CleanLinks removes links that are too old. It is meant to be called every few
// minutes, by any process.
func (s *Store) CleanLinks(ctx context.Context) error {
	if err := s.q.AccountLinksClean(ctx); err != nil {
		return fmt.Errorf("clean links: %w", err)
	}
	return nil
}
