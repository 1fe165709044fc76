package jobs

import (
	"context"
	"errors"

	"github.com/riverqueue/river"
)

type recurWorker struct {
	river.WorkerDefaults[RecurArgs]
	work *Work
}

// Work fills what has come within the horizon, one user after the other. What one
// of them has wrong keeps nothing from the others; a next try goes on with those
// who are left.
func (w *recurWorker) Work(ctx context.Context, _ *river.Job[RecurArgs]) error {
	started := w.work.Now()
	err := w.extend(ctx)
	return errors.Join(err, w.work.ran(ctx, ScheduleRecur, recurEvery, started, err))
}

func (w *recurWorker) extend(ctx context.Context) error {
	users, err := w.work.Store.UsersWithShortRecurrences(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range users {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		errs = append(errs, w.work.Store.ExtendRecurrences(ctx, id, w.work.Now()))
	}
	return errors.Join(errs...)
}

// recurDaily enqueues the job at the start, too: a program that runs for hours a
// day would never be there after a day. The job is unique, so that starting again
// and again enqueues it once.
func recurDaily() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(recurEvery), func() (river.JobArgs, *river.InsertOpts) {
		return RecurArgs{}, nil
	}, &river.PeriodicJobOpts{ID: RecurArgs{}.Kind(), RunOnStart: true})
}
