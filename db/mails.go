package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger/notice"
)

// Mail is a mail that somebody is to get.
type Mail = notice.Mail

// deliveryTerm is how long one attempt to send a mail or a webhook may take.
// Whoever is not done by then has died.
const deliveryTerm = time.Minute

// maxError bounds what is kept of an error, in bytes.
const maxError = 500

// short is as much of a text as is kept of an error.
func short(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxError)], "")
}

// AddMail stores a mail to be sent and returns its id, for the queue. Without a
// mail server it waits for ever, so ask first whether there is one.
// [notice.ErrBadMail]: there is no sending it.
func (tx *Tx) AddMail(ctx context.Context, m Mail) (int64, error) {
	if err := m.Check(); err != nil {
		return 0, fmt.Errorf("add a mail: %w", err)
	}
	id, err := tx.q.MailID(ctx)
	if err == nil {
		err = tx.q.MailAdd(ctx, dbgen.MailAddParams{
			ID: id, Recipient: m.To, Subject: m.Subject, Sealed: tx.sealer.seal([]byte(m.Text), sealedMail, id),
		})
	}
	if err != nil {
		return 0, fmt.Errorf("add a mail: %w", err)
	}
	return id, nil
}

// TakeMail gives the caller a minute to send a mail, which from here on may have
// been sent; ok is false if it is over, or somebody else is at it. A mail that
// was sealed by another key is given up.
func (s *Store) TakeMail(ctx context.Context, id int64) (letter notice.Letter, ok bool, err error) {
	row, err := s.q.MailTake(ctx, dbgen.MailTakeParams{ID: id, Term: deliveryTerm})
	if errors.Is(err, pgx.ErrNoRows) {
		return notice.Letter{}, false, nil
	}
	if err != nil {
		return notice.Letter{}, false, fmt.Errorf("take mail %d: %w", id, err)
	}
	letter = notice.Letter{
		Mail: notice.Mail{To: row.Recipient, Subject: row.Subject}, ID: id, MessageID: row.MessageID, Attempt: int(row.Attempts), CreatedAt: row.CreatedAt,
	}
	text, err := s.sealer.open(row.Sealed, sealedMail, id)
	if err != nil {
		err = errors.Join(err, s.EndMail(ctx, letter, notice.GivenUp, "it was sealed by another secret key"))
		return notice.Letter{}, false, fmt.Errorf("open mail %d: %w", id, err)
	}
	letter.Text = string(text)
	return letter, true, nil
}

// EndMail notes how a mail that was taken ended, why if it is not sent, and
// erases its text. Somebody who was too slow changes nothing.
func (s *Store) EndMail(ctx context.Context, letter notice.Letter, end notice.End, reason string) error {
	_, err := s.q.MailEnd(ctx, dbgen.MailEndParams{ID: letter.ID, Attempt: int32(letter.Attempt), State: string(end), Error: oneLine(reason)})
	if err != nil {
		return fmt.Errorf("end mail %d: %w", letter.ID, err)
	}
	return nil
}

// DelayMail gives back a mail that was taken, to be tried again after wait.
func (s *Store) DelayMail(ctx context.Context, letter notice.Letter, wait time.Duration, reason string) error {
	_, err := s.q.MailDelay(ctx, dbgen.MailDelayParams{ID: letter.ID, Attempt: int32(letter.Attempt), Wait: wait, Error: oneLine(reason)})
	if err != nil {
		return fmt.Errorf("delay mail %d: %w", letter.ID, err)
	}
	return nil
}

// LostMails returns mails that should have been tried meanwhile, so that they
// are rung for again; each of them once in five minutes.
func (s *Store) LostMails(ctx context.Context) ([]int64, error) {
	ids, err := s.q.MailsLost(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for lost mails: %w", err)
	}
	return ids, nil
}

// oneLine is a text of others, made fit to be kept and shown.
func oneLine(text string) string {
	return short(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?")))
}
