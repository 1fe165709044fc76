package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
)

// Retention is how long what is over is kept; zero: for ever. Whatever is not
// over, or decides what is shown and sent, is kept whatever its age.
type Retention struct {
	Jobs     time.Duration // since they ended
	Writes   time.Duration // since they ended, their attempts included
	Attempts time.Duration // of writes that are kept
	Audit    time.Duration
	Orders   time.Duration // of operators over many writes, since they were through
	SyncRuns time.Duration
	Notices  time.Duration // alerts, mails and webhooks
}

// Attic is what cleaning needs of the store. What is returned as more, or as a
// next that is not zero, is for another call.
type Attic interface {
	CleanWrites(ctx context.Context, age time.Duration, after int64) (removed int, next int64, err error)
	CleanAttempts(ctx context.Context, age time.Duration) (removed int, more bool, err error)
	CleanAudit(ctx context.Context, age time.Duration) (removed int, more bool, err error)
	CleanOrders(ctx context.Context, age time.Duration) (removed int, more bool, err error)
	CleanSyncRuns(ctx context.Context, age time.Duration) (removed int, more bool, err error)
	CleanNotices(ctx context.Context, age time.Duration) (removed int, more bool, err error)
}

// CleanArgs asks for what is too old to be removed.
type CleanArgs struct{}

// Kind implements [river.JobArgs]. It outlives deploys and never changes.
func (CleanArgs) Kind() string { return "clean" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. Whichever process leads,
// there is one job a day.
func (CleanArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueUpkeep, Priority: 4, MaxAttempts: 5, UniqueOpts: river.UniqueOpts{ByPeriod: cleanEvery}}
}

const cleanEvery = 24 * time.Hour

// cleanDaily enqueues the job at the start, too, like recurDaily.
func cleanDaily() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(cleanEvery), func() (river.JobArgs, *river.InsertOpts) {
		return CleanArgs{}, nil
	}, &river.PeriodicJobOpts{ID: CleanArgs{}.Kind(), RunOnStart: true})
}

// kept is a retention as River has it: -1 is for ever.
func kept(age time.Duration) time.Duration {
	if age == 0 {
		return -1
	}
	return age
}

type cleanWorker struct {
	river.WorkerDefaults[CleanArgs]
	work *Work
	log  *slog.Logger
}

// Work removes what is too old, part by part, each in a transaction of its own.
// It may run anywhere at any time, also twice at once, and goes on another day
// where it was broken off. River removes its jobs itself.
func (w *cleanWorker) Work(ctx context.Context, _ *river.Job[CleanArgs]) error {
	started := w.work.Now()
	err := w.clean(ctx)
	return errors.Join(err, w.work.ran(ctx, ScheduleKeep, cleanEvery, started, err))
}

func (w *cleanWorker) clean(ctx context.Context) error {
	store, keep := w.work.Store, w.work.Keep
	err := w.writes(ctx, store, keep.Writes)
	for _, c := range []struct {
		what string
		age  time.Duration
		part func(ctx context.Context, age time.Duration) (removed int, more bool, err error)
	}{
		{"attempts", keep.Attempts, store.CleanAttempts},
		{"audit", keep.Audit, store.CleanAudit},
		{"orders", keep.Orders, store.CleanOrders},
		{"sync runs", keep.SyncRuns, store.CleanSyncRuns},
		{"notices", keep.Notices, store.CleanNotices},
	} {
		total := 0
		for more := c.age > 0 && err == nil; more; {
			var removed int
			removed, more, err = c.part(ctx, c.age)
			total += removed
		}
		w.tell(c.what, total)
	}
	return err
}

func (w *cleanWorker) writes(ctx context.Context, store Attic, age time.Duration) error {
	if age == 0 {
		return nil
	}
	total := 0
	defer func() { w.tell("writes", total) }()
	for after := int64(0); ; {
		removed, next, err := store.CleanWrites(ctx, age, after)
		total += removed
		if err != nil || next == 0 {
			return err
		}
		after = next
	}
}

func (w *cleanWorker) tell(what string, removed int) {
	if removed > 0 {
		w.log.Info("removed what was too old", "what", what, "rows", removed)
	}
}

// Timeout implements [river.Worker]. A first cleaning of years may take long; it
// must be over before it is thought to be stuck, and another try goes on.
func (*cleanWorker) Timeout(*river.Job[CleanArgs]) time.Duration { return jobTimeout }
