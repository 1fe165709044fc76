package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// ResetArgs asks for the link with which somebody chooses a new password. Whether
// anybody has the address that it was asked for is found out here, and not while
// the one who asks waits: how long that takes would tell it.
type ResetArgs struct {
	LinkID int64 `json:"link_id"`
}

// Kind implements [river.JobArgs]. It outlives deploys and never changes.
func (ResetArgs) Kind() string { return "password_reset" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. A lost one is not looked
// for: whoever waits for the mail asks again.
func (ResetArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueNotices, Priority: 1, MaxAttempts: 5}
}

// Reset enqueues a link in the transaction in which it was asked for.
func (q *Queue) Reset(ctx context.Context, tx pgx.Tx, linkID int64) error {
	if _, err := q.river.InsertTx(ctx, tx, ResetArgs{LinkID: linkID}, nil); err != nil {
		return fmt.Errorf("enqueue reset %d: %w", linkID, err)
	}
	return nil
}

// addReset has the links made, where this process can.
func addReset(workers *river.Workers, work *Work) error {
	if work.ResetMail == nil {
		return nil
	}
	return river.AddWorkerSafely(workers, &resetWorker{work: work})
}

type resetWorker struct {
	river.WorkerDefaults[ResetArgs]
	work *Work
}

// Work makes the link and the mail that holds it, once.
func (w *resetWorker) Work(ctx context.Context, job *river.Job[ResetArgs]) error {
	client := river.ClientFromContext[pgx.Tx](ctx)
	return w.work.Store.IssueReset(ctx, job.Args.LinkID, w.work.ResetMail, func(tx pgx.Tx, mailID int64) error {
		_, err := client.InsertTx(ctx, tx, MailArgs{MailID: mailID}, nil)
		return err
	})
}

// Timeout implements [river.Worker].
func (w *resetWorker) Timeout(*river.Job[ResetArgs]) time.Duration { return jobTimeout }
