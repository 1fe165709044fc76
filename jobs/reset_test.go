package jobs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/ledger/notice"
)

// mailbox takes every letter.
type mailbox chan notice.Letter

func (m mailbox) Send(_ context.Context, letter notice.Letter) error {
	m <- letter
	return nil
}

// TestResetByMail: whoever asks for a new password gets a mail with a link, and
// nobody else does.
func TestResetByMail(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	ctx := t.Context()
	id, err := o.store.CreateUser(ctx, "ida@example.com", "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"nobody@example.com", "ida@example.com"} {
		wait, err := o.store.AskReset(ctx, email, "127.0.0.1", time.Now(), func(tx *db.Tx, linkID int64) error { return o.bell.Reset(ctx, tx, linkID) })
		if err != nil || wait != 0 {
			t.Fatal(wait, err)
		}
	}
	box := make(mailbox, 10)
	o.run(t, &jobs.Work{Mailer: box, ResetMail: func(email string, token ledger.Secret) notice.Mail {
		return notice.Mail{To: email, Subject: "A new password", Text: "Use " + token.Reveal()}
	}})
	letter := <-box
	if letter.To != "ida@example.com" {
		t.Fatalf("the letter goes to %s", letter.To)
	}
	if err := o.store.UseReset(ctx, ledger.Secret(strings.TrimPrefix(letter.Text, "Use ")), "new hash"); err != nil {
		t.Fatal(err)
	}
	if hash, err := o.store.PasswordHash(ctx, id); err != nil || hash != "new hash" {
		t.Errorf("hash %q, %v", hash, err)
	}
	waitFor(t, "the end of all jobs", func() bool {
		list, err := o.bell.List(ctx, jobs.Filter{Most: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range list {
			if job.Kind == "password_reset" && job.State != "completed" {
				return false
			}
		}
		return true
	})
	if len(box) != 0 {
		t.Errorf("somebody else got %+v", <-box)
	}
}
