package jobs

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
)

// maxSkew is how far the clock of a process may be off from the database's
// before that is worth a line in the log. Below leastSkew the comparison itself
// may be the reason.
const (
	maxSkew   = 2 * time.Second
	leastSkew = 100 * time.Millisecond
)

// clock is this process's clock, and what is known of how far it is behind the
// database's. Leases, paces and due times are kept by the database's clock; but
// River reckons the time of a next run by ours, and compares it with the
// database's.
type clock struct {
	now    func() time.Time
	store  Store
	log    *slog.Logger
	behind atomic.Int64 // nanoseconds; never negative
}

// compare compares the clock with the database's.
func (c *clock) compare(ctx context.Context) error {
	before := c.now()
	theirs, err := c.store.Clock(ctx)
	if err != nil {
		return err
	}
	ours := before.Add(c.now().Sub(before) / 2)
	behind := theirs.Sub(ours)
	if behind < leastSkew && behind > -leastSkew {
		behind = 0
	}
	if behind.Abs() > maxSkew {
		c.log.Warn("the clock of this machine and the database's differ; keep both by NTP", "behind", behind.Round(time.Millisecond))
	}
	c.behind.Store(int64(max(0, behind)))
	return nil
}

// later is the wait that River must be told so that a job is not run before
// wait is over: by a clock that is behind, its time would have come at once,
// and again and again. By one that is ahead it comes late, which does no harm:
// the sweep rings in time.
func (c *clock) later(wait time.Duration) time.Duration {
	return wait + time.Duration(c.behind.Load())
}

func (c *clock) snooze(wait time.Duration) error { return river.JobSnooze(c.later(wait)) }

// generator lets River use a clock that is not the machine's.
type generator func() time.Time

// Now implements [rivertype.TimeGenerator].
func (g generator) Now() time.Time { return g() }

// NowOrNil implements [rivertype.TimeGenerator]: where the database's clock
// counts, it does so here.
func (generator) NowOrNil() *time.Time { return nil }
