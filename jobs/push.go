package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"furrow/ledger"
)

// fencedWait keeps a worker that lost its lease from trying again at once.
const fencedWait = time.Second

type pushWorker struct {
	river.WorkerDefaults[PushArgs]
	work     *Work
	clock    *clock
	stopping *atomic.Bool
}

// Work sends the due writes of a connection, if nobody else does.
func (w *pushWorker) Work(ctx context.Context, job *river.Job[PushArgs]) error {
	id := job.Args.ConnectionID
	box, ok, err := w.work.Store.TakeOutbox(ctx, id, w.work.Timing.Lease, w.work.CellURL)
	if err != nil || !ok {
		return err
	}
	drainErr := w.drain(ctx, id, box)
	wait, more, err := box.Release(context.WithoutCancel(ctx))
	switch {
	case errors.Is(drainErr, ledger.ErrAccessRevoked):
		return nil // its owner must go on, by connecting again
	case errors.Is(drainErr, ledger.ErrFenced) && more:
		// Somebody else has the lease, or took a write back in the moment before
		// it was sent; then the rest still waits for us.
		return w.clock.snooze(max(wait, fencedWait))
	case errors.Is(drainErr, ledger.ErrFenced):
		return nil
	case drainErr != nil:
		return fmt.Errorf("push for connection %d: %w", id, drainErr)
	case err != nil:
		return err
	case more:
		return w.clock.snooze(wait)
	default:
		return nil
	}
}

func (w *pushWorker) drain(ctx context.Context, connectionID int64, box ledger.Outbox) error {
	remote, err := w.work.Remote(ctx, connectionID, Interactive)
	if err != nil {
		return err
	}
	return ledger.Drain(ctx, remote, watched{box, w.stopping, w.work.Observer}, w.work.Timing)
}

// watched is an outbox that has no next write once the process is to stop, and
// of which the attempts are measured.
type watched struct {
	ledger.Outbox

	stopping *atomic.Bool
	observer Observer
}

func (b watched) Next(ctx context.Context) (ledger.Write, bool, error) {
	if b.stopping.Load() {
		return ledger.Write{}, false, nil
	}
	return b.Outbox.Next(ctx)
}

func (b watched) Settle(ctx context.Context, w ledger.Write, r ledger.Result) error {
	b.observer.Attempt(r.Attempt)
	return b.Outbox.Settle(ctx, w, r)
}

// Timeout implements [river.Worker].
func (w *pushWorker) Timeout(*river.Job[PushArgs]) time.Duration { return jobTimeout }
