package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// The names of what runs by itself, as it is recorded.
const (
	ScheduleSweep  = "sweep"
	SchedulePulls  = "pulls"
	ScheduleRecur  = "recurrences"
	ScheduleSample = "samples"
	ScheduleKeep   = "retention"
	ScheduleWatch  = "alerts"
)

// sampleEvery is how often a process brings the samples up to date.
const sampleEvery = time.Minute

// ran records that something has run by itself, unless that was broken off with
// the process. Work goes on without the record.
func (w *Work) ran(ctx context.Context, name string, every time.Duration, started time.Time, outcome error) error {
	if ctx.Err() != nil {
		return nil
	}
	return w.Store.RanSchedule(ctx, name, every, started, outcome)
}

// sample brings the samples up to date, if it is time.
func (q *Queue) sample(ctx context.Context) error {
	started := q.work.Now()
	if started.Sub(q.sampled) < sampleEvery {
		return nil
	}
	q.sampled = started
	outcome := q.work.Store.Sample(ctx)
	return errors.Join(outcome, q.work.ran(ctx, ScheduleSample, sampleEvery, started, outcome))
}

// RecurNow has the recurring work of everybody planned now, in the caller's
// transaction. Asked for again within a minute, it is done once.
func (q *Queue) RecurNow(ctx context.Context, tx pgx.Tx) error {
	if _, err := q.river.InsertTx(ctx, tx, RecurArgs{}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByPeriod: time.Minute}}); err != nil {
		return fmt.Errorf("enqueue recurring work: %w", err)
	}
	return nil
}
