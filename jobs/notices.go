package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// MailArgs asks for a mail to be sent.
type MailArgs struct {
	MailID int64 `json:"mail_id"`
}

// Kind implements [river.JobArgs]. It outlives deploys and never changes.
func (MailArgs) Kind() string { return "send_mail" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (MailArgs) InsertOpts() river.InsertOpts { return noticeOpts() }

// WebhookArgs asks for a webhook to be posted.
type WebhookArgs struct {
	WebhookID int64 `json:"webhook_id"`
}

// Kind implements [river.JobArgs]. It outlives deploys and never changes.
func (WebhookArgs) Kind() string { return "post_webhook" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (WebhookArgs) InsertOpts() river.InsertOpts { return noticeOpts() }

// noticeOpts: the waits between attempts to deliver are snoozes, so the attempts
// that count here are those that the database failed.
func noticeOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueNotices, Priority: 1, MaxAttempts: 10}
}

// Mail enqueues a mail in the transaction that added it.
func (q *Queue) Mail(ctx context.Context, tx pgx.Tx, mailID int64) error {
	if _, err := q.river.InsertTx(ctx, tx, MailArgs{MailID: mailID}, nil); err != nil {
		return fmt.Errorf("enqueue mail %d: %w", mailID, err)
	}
	return nil
}

// Notices enqueues mails and webhooks in the transaction that added them.
func (q *Queue) Notices(ctx context.Context, tx pgx.Tx, mails, webhooks []int64) error {
	jobs := noticeBells(mails, webhooks)
	if len(jobs) == 0 {
		return nil
	}
	if _, err := q.river.InsertManyTx(ctx, tx, jobs); err != nil {
		return fmt.Errorf("enqueue mails %v and webhooks %v: %w", mails, webhooks, err)
	}
	return nil
}

func noticeBells(mails, webhooks []int64) []river.InsertManyParams {
	return append(
		bells(mails, func(id int64) river.JobArgs { return MailArgs{MailID: id} }),
		bells(webhooks, func(id int64) river.JobArgs { return WebhookArgs{WebhookID: id} })...,
	)
}

type mailWorker struct {
	river.WorkerDefaults[MailArgs]
	courier *courier
	clock   *clock
}

// Work sends a mail.
func (w *mailWorker) Work(ctx context.Context, job *river.Job[MailArgs]) error {
	wait, err := w.courier.mail(ctx, job.Args.MailID)
	return again(w.clock, wait, err)
}

// Timeout implements [river.Worker].
func (*mailWorker) Timeout(*river.Job[MailArgs]) time.Duration { return jobTimeout }

type webhookWorker struct {
	river.WorkerDefaults[WebhookArgs]
	courier *courier
	clock   *clock
}

// Work posts a webhook.
func (w *webhookWorker) Work(ctx context.Context, job *river.Job[WebhookArgs]) error {
	wait, err := w.courier.webhook(ctx, job.Args.WebhookID)
	return again(w.clock, wait, err)
}

// Timeout implements [river.Worker].
func (*webhookWorker) Timeout(*river.Job[WebhookArgs]) time.Duration { return jobTimeout }

func again(clock *clock, wait time.Duration, err error) error {
	if err != nil || wait == 0 {
		return err
	}
	return clock.snooze(wait)
}

// addCourier has mails and webhooks delivered, where this process can.
func addCourier(workers *river.Workers, courier *courier, clock *clock) error {
	var mails, webhooks error
	if courier.mailer != nil {
		mails = river.AddWorkerSafely(workers, &mailWorker{courier: courier, clock: clock})
	}
	if courier.poster != nil {
		webhooks = river.AddWorkerSafely(workers, &webhookWorker{courier: courier, clock: clock})
	}
	return errors.Join(mails, webhooks)
}

// ringNotices rings for mails and webhooks whose jobs were lost.
func (q *Queue) ringNotices(ctx context.Context) error {
	mails, webhooks, err := q.courier.lost(ctx)
	if err != nil {
		return err
	}
	return q.ring(ctx, noticeBells(mails, webhooks))
}
