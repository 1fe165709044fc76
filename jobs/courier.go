package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"furrow/ledger/notice"
)

// Mailer sends letters. A [*notice.RefusedError] is final; after any other error
// the letter may or may not have been sent, and is sent again. It is over within
// 40 s, less than a job and much less than a mail may take.
type Mailer interface {
	Send(ctx context.Context, letter notice.Letter) error
}

// Poster posts webhooks. It is over within 40 s.
type Poster interface {
	Post(ctx context.Context, webhook notice.Webhook) error
}

// Outbound is what a courier needs of the store.
type Outbound interface {
	TakeMail(ctx context.Context, id int64) (letter notice.Letter, ok bool, err error)
	EndMail(ctx context.Context, letter notice.Letter, end notice.End, reason string) error
	DelayMail(ctx context.Context, letter notice.Letter, wait time.Duration, reason string) error
	LostMails(ctx context.Context) ([]int64, error)
	TakeWebhook(ctx context.Context, id int64) (webhook notice.Webhook, ok bool, err error)
	EndWebhook(ctx context.Context, webhook notice.Webhook, end notice.End, reason string) error
	DelayWebhook(ctx context.Context, webhook notice.Webhook, wait time.Duration, reason string) error
	LostWebhooks(ctx context.Context) ([]int64, error)
}

// courier delivers mails and webhooks, one attempt at a time.
type courier struct {
	store  Outbound
	mailer Mailer // nil: mails are left to others
	poster Poster // nil: webhooks are left to others
	first  time.Duration
	now    func() time.Time
	log    *slog.Logger
}

// noticeLife is how long it is tried to deliver a mail or a webhook.
const noticeLife = 24 * time.Hour

// mail tries to send a mail, unless it is over or somebody else is at it. A wait
// that is not zero is the time until the next attempt. SMTP knows no way to ask
// whether a mail has arrived, so one that may have been sent is sent again, under
// the same Message-ID.
func (c *courier) mail(ctx context.Context, id int64) (wait time.Duration, err error) {
	letter, ok, err := c.store.TakeMail(ctx, id)
	if err != nil || !ok {
		return 0, err
	}
	sendErr := c.mailer.Send(ctx, letter)
	ctx = context.WithoutCancel(ctx) // what became of it is to be known
	if end, over := c.end(sendErr, letter.CreatedAt); over {
		c.tell("mail", id, end)
		return 0, c.store.EndMail(ctx, letter, end, reasonOf(sendErr))
	}
	wait = c.waitAfter(letter.Attempt)
	return wait, c.store.DelayMail(ctx, letter, wait, reasonOf(sendErr))
}

// webhook is mail for a webhook, which the receiver knows by its id when it comes
// again.
func (c *courier) webhook(ctx context.Context, id int64) (wait time.Duration, err error) {
	webhook, ok, err := c.store.TakeWebhook(ctx, id)
	if err != nil || !ok {
		return 0, err
	}
	postErr := c.poster.Post(ctx, webhook)
	ctx = context.WithoutCancel(ctx)
	if end, over := c.end(postErr, webhook.CreatedAt); over {
		c.tell("webhook", id, end)
		return 0, c.store.EndWebhook(ctx, webhook, end, reasonOf(postErr))
	}
	wait = c.waitAfter(webhook.Attempt)
	return wait, c.store.DelayWebhook(ctx, webhook, wait, reasonOf(postErr))
}

// end is how an attempt ended the delivery, if it did.
func (c *courier) end(err error, since time.Time) (end notice.End, over bool) {
	var refused *notice.RefusedError
	switch {
	case err == nil:
		return notice.Sent, true
	case errors.As(err, &refused):
		return notice.Refused, true
	case c.now().Sub(since) > noticeLife:
		return notice.GivenUp, true
	default:
		return "", false
	}
}

// tell logs what nobody will get. Why is stored, and not logged: servers repeat
// addresses.
func (c *courier) tell(kind string, id int64, end notice.End) {
	if end != notice.Sent {
		c.log.Warn("not delivered", "kind", kind, "id", id, "end", end)
	}
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// waitAfter is how long to wait after a failed attempt, the first of which has
// the number 1: twice as long each time, up to an hour, and a bit of chance.
func (c *courier) waitAfter(attempt int) time.Duration {
	wait := min(c.first<<min(attempt-1, 10), time.Hour)
	return wait + rand.N(wait/5+1)
}

// lost are mails and webhooks that this courier could deliver and whose jobs are
// gone.
func (c *courier) lost(ctx context.Context) (mails, webhooks []int64, err error) {
	if c.mailer != nil {
		mails, err = c.store.LostMails(ctx)
	}
	if c.poster != nil && err == nil {
		webhooks, err = c.store.LostWebhooks(ctx)
	}
	return mails, webhooks, err
}
