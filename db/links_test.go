package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db"
	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/planner"
)

func (f *fixture) invite(t *testing.T, email string, role db.Role) (token ledger.Secret) {
	t.Helper()
	f.in(t, func(tx *db.Tx) (err error) {
		token, err = tx.Invite(t.Context(), 0, email, role)
		return err
	})
	return token
}

func (f *fixture) resetLink(t *testing.T, email string) (token ledger.Secret) {
	t.Helper()
	f.in(t, func(tx *db.Tx) (err error) {
		token, err = tx.ResetLink(t.Context(), 0, email)
		return err
	})
	return token
}

// TestInvitations: a link makes one account, of the role that it was made for,
// and works neither twice nor late nor after it was taken back or replaced.
func TestInvitations(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	first := f.invite(t, " Eve@Example.com", db.RoleViewer)
	second := f.invite(t, "eve@example.com", db.RoleOperator)
	if len(second) != 43 || first == second {
		t.Errorf("tokens %q and %q", first.Reveal(), second.Reveal())
	}
	open, err := f.store.Invitations(ctx)
	if err != nil || len(open) != 1 || open[0].Email != "eve@example.com" || open[0].Role != db.RoleOperator || open[0].MadeBy != "" ||
		open[0].Expires.Sub(open[0].Created).Round(time.Minute) != db.InvitationTerm {
		t.Fatalf("open invitations %+v, %v", open, err)
	}
	if _, err := f.store.Join(ctx, first, "hash"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("the one that was replaced: %v", err)
	}
	if err := f.store.UseReset(ctx, second, "hash"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("as a reset: %v", err)
	}
	if email, err := f.store.LinkFor(ctx, db.LinkInvite, second); err != nil || email != "eve@example.com" {
		t.Errorf("it is for %q, %v", email, err)
	}
	joined := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := f.store.Join(ctx, second, "hash")
			joined <- err
		}()
	}
	if a, b := <-joined, <-joined; (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), planner.ErrNotFound) {
		t.Errorf("two at once: %v and %v", a, b)
	}
	if n := f.int(t, "select count(*) from users where email = 'eve@example.com' and role = 'operator'"); n != 1 {
		t.Errorf("%d accounts", n)
	}
	err = f.store.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.Invite(ctx, 0, "EVE@example.com", db.RoleUser)
		return err
	})
	if !errors.Is(err, planner.ErrConflict) {
		t.Errorf("invite who is there: %v", err)
	}

	late, back, taken := f.invite(t, "late@example.com", db.RoleUser), f.invite(t, "back@example.com", db.RoleUser), f.invite(t, "taken@example.com", db.RoleUser)
	if _, err := f.store.CreateUser(ctx, "taken@example.com", "hash", db.RoleUser); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.Join(ctx, taken, "hash"); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("an account that was made meanwhile: %v", err)
	}
	f.exec(t, "update account_links set expires_at = now() - interval '1 second' where email = 'late@example.com'")
	id := int64(f.int(t, "select id from account_links where email = 'back@example.com'"))
	if err := f.store.RevokeInvitation(ctx, f.userID, id); err != nil {
		t.Fatal(err)
	}
	if err := f.store.RevokeInvitation(ctx, f.userID, id); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("taken back twice: %v", err)
	}
	for _, token := range []ledger.Secret{late, back, "", "no token at all"} {
		if _, err := f.store.Join(ctx, token, "hash"); !errors.Is(err, planner.ErrNotFound) {
			t.Errorf("%q: %v", token.Reveal(), err)
		}
	}
	if err := f.store.CleanLinks(ctx); err != nil {
		t.Fatal(err)
	}
	if n := f.int(t, "select count(*) from account_links"); n != 1 { // of the account that was made meanwhile
		t.Errorf("%d links are left", n)
	}
	if n := f.int(t, "select count(*) from audit_events where action in ('account.invite', 'account.uninvite', 'account.join')"); n != 5+1+1 {
		t.Errorf("%d events", n)
	}
}

// TestReset: a link gives a new password once, ends all sessions, and leaves the
// second factor as it is.
func TestReset(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	commit(t, f.store.Sessions(), "of ida", map[string]any{db.SessionUserID: f.userID})
	f.exec(t, "insert into second_factors (user_id, sealed, confirmed_at) values ($1, 'sealed', now())", f.userID)
	old := f.resetLink(t, "ida@example.com")
	token := f.resetLink(t, "IDA@example.com")
	if _, err := f.store.Join(ctx, token, "hash"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("as an invitation: %v", err)
	}
	if err := f.store.UseReset(ctx, old, "stolen"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("the one that was replaced: %v", err)
	}
	if err := f.store.UseReset(ctx, token, "new hash"); err != nil {
		t.Fatal(err)
	}
	if err := f.store.UseReset(ctx, token, "stolen"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
	if hash, err := f.store.PasswordHash(ctx, f.userID); err != nil || hash != "new hash" {
		t.Errorf("hash %q, %v", hash, err)
	}
	if n := f.int(t, "select count(*) from sessions"); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if n := f.int(t, "select count(*) from second_factors where confirmed_at is not null"); n != 1 {
		t.Error("the second factor is gone")
	}
	late := f.resetLink(t, "ida@example.com")
	f.exec(t, "update account_links set expires_at = now() - interval '1 second'")
	if err := f.store.UseReset(ctx, late, "stolen"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("too late: %v", err)
	}
	err := f.store.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.ResetLink(ctx, 0, "nobody@example.com")
		return err
	})
	if !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("for nobody: %v", err)
	}
}

// TestAskReset: what is stored when somebody asks does not tell whether there is
// an account; what comes of it does, once, and by mail alone.
func TestAskReset(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	now := time.Now()
	ask := func(email, address string) (id int64, wait time.Duration) {
		t.Helper()
		wait, err := f.store.AskReset(ctx, email, address, now, func(_ *db.Tx, linkID int64) error {
			id = linkID
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return id, wait
	}
	issue := func(id int64) (mails []notice.Mail, rung int) {
		t.Helper()
		err := f.store.IssueReset(ctx, id, func(email string, token ledger.Secret) notice.Mail {
			m := notice.Mail{To: email, Subject: "A new password", Text: "Use " + token.Reveal()}
			mails = append(mails, m)
			return m
		}, func(pgx.Tx, int64) error {
			rung++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return mails, rung
	}
	known, _ := ask("IDA@example.com", "1.2.3.4")
	unknown, _ := ask("nobody@example.com", "1.2.3.4")
	if n := f.int(t, "select count(distinct to_jsonb(l) - '{id,email,created_at,expires_at}'::text[]) from account_links l"); n != 1 || known == 0 || unknown == 0 {
		t.Errorf("%d ways to store that somebody asked", n)
	}
	if mails, rung := issue(unknown); len(mails) != 0 || rung != 0 {
		t.Errorf("nobody got %v", mails)
	}
	mails, rung := issue(known)
	if len(mails) != 1 || rung != 1 || mails[0].To != "ida@example.com" {
		t.Fatalf("Ida got %v, rung %d", mails, rung)
	}
	if again, _ := issue(known); len(again) != 0 {
		t.Errorf("she got it again: %v", again)
	}
	if email, err := f.store.LinkFor(ctx, db.LinkReset, ledger.Secret(strings.TrimPrefix(mails[0].Text, "Use "))); err != nil || email != "ida@example.com" {
		t.Errorf("her link is for %q, %v", email, err)
	}

	// Nobody's mailbox is filled, and nobody fills those of many.
	for i := 2; i <= 3; i++ {
		if _, wait := ask("ida@example.com", "5.6.7.8"); wait != 0 {
			t.Errorf("asked %d times: has to wait %s", i, wait)
		}
	}
	if _, wait := ask("ida@example.com", "9.9.9.9"); wait <= 0 || wait > time.Hour {
		t.Errorf("asked 4 times: has to wait %s", wait)
	}
	held := 0
	for i := range 30 {
		if _, wait := ask(string(rune('a'+i%26))+strings.Repeat("x", i)+"@example.com", "6.6.6.6"); wait > 0 {
			held++
		}
	}
	if held != 10 {
		t.Errorf("%d of 30 from one address were held back", held)
	}
	now = now.Add(time.Hour)
	if _, wait := ask("ida@example.com", "9.9.9.9"); wait != 0 {
		t.Errorf("an hour later: has to wait %s", wait)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := f.store.IssueReset(over, known, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop: %v", err)
	}
}
