package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"furrow/ledger"
	"furrow/planner"
)

type pullWorker struct {
	river.WorkerDefaults[PullArgs]
	work  *Work
	clock *clock
}

// Work brings a sync run on by one slice, and tells the run what keeps it.
func (w *pullWorker) Work(ctx context.Context, job *river.Job[PullArgs]) error {
	run, err := w.work.Store.Run(ctx, job.Args.SyncRunID, w.work.Now())
	if errors.Is(err, planner.ErrNotFound) {
		return nil // it went with its user
	}
	if err != nil {
		return err
	}
	if run.State == ledger.RunFailed {
		// The job of a run that was given up only comes back if an admin retries it.
		if revived, err := w.work.Store.ReviveRun(ctx, run.ID); err != nil || !revived {
			return err
		}
	} else if !run.State.Live() {
		return nil
	}
	if run.Paused > 0 {
		if err := w.work.Store.DelayRun(ctx, run.ID, run.Paused, string(ledger.WaitPaused), 0); err != nil {
			return err
		}
		return w.clock.snooze(min(run.Paused, pausedLook))
	}
	err = w.pull(ctx, run)
	if err == nil && run.Held {
		// What has waited may go now. If the bell is lost, the sweeper rings.
		_, err = river.ClientFromContext[pgx.Tx](ctx).Insert(ctx, PushArgs{ConnectionID: run.ConnectionID}, nil)
	}
	var wait *ledger.WaitError
	var call *ledger.CallError
	switch {
	case err == nil, errors.Is(err, ledger.ErrRunOver):
		return nil
	case ctx.Err() != nil:
		return err // told to stop: the queue gives the job back
	case errors.Is(err, ledger.ErrSliceOver):
		return w.clock.snooze(0)
	case errors.Is(err, ledger.ErrAccessRevoked):
		return river.JobCancel(errors.Join(err,
			w.work.Store.RevokeConnection(ctx, run.ConnectionID),
			w.work.Store.FailRun(ctx, run.ID, string(ledger.ReasonAuth), 0)))
	case errors.As(err, &wait):
		if err := w.work.Store.DelayRun(ctx, run.ID, wait.Wait, string(wait.Why), wait.Status); err != nil {
			return err
		}
		return w.clock.snooze(wait.Wait)
	case errors.As(err, &call):
		if call.Class == ledger.Refused || job.Attempt >= job.MaxAttempts {
			return river.JobCancel(errors.Join(err, w.work.Store.FailRun(ctx, run.ID, string(call.Reason), call.Status)))
		}
		return errors.Join(err, w.work.Store.DelayRun(ctx, run.ID, pullWait(job.Attempt), string(call.Reason), call.Status))
	default:
		if job.Attempt >= job.MaxAttempts {
			return errors.Join(err, w.work.Store.FailRun(ctx, run.ID, "", 0))
		}
		return err
	}
}

func (w *pullWorker) pull(ctx context.Context, run ledger.Run) error {
	remote, err := w.work.Remote(ctx, run.ConnectionID, Background)
	if err != nil {
		return err
	}
	return ledger.Pull(ctx, remote, w.work.Store.Mirror(run), run, pullSlice)
}

// pausedLook is how often a run of a paused connection looks whether an operator
// has let it go on.
const pausedLook = 15 * time.Second

// NextRetry implements [river.Worker], with the wait that the run was told.
func (w *pullWorker) NextRetry(job *river.Job[PullArgs]) time.Time {
	return w.work.Now().Add(w.clock.later(pullWait(job.Attempt)))
}

// pullWait doubles from 2 s to a minute.
func pullWait(attempt int) time.Duration {
	return min(pullFirstWait<<min(max(attempt-1, 0), 10), pullLongestWait)
}

// Timeout implements [river.Worker].
func (w *pullWorker) Timeout(*river.Job[PullArgs]) time.Duration { return jobTimeout }
