package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// OrderArgs asks for an operator's order to be carried out: an action on all
// writes that match a search.
type OrderArgs struct {
	OrderID int64 `json:"order_id"`
}

// Kind implements [river.JobArgs]. It outlives deploys and never changes.
func (OrderArgs) Kind() string { return "write_order" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. Somebody waits for it.
func (OrderArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueUpkeep, Priority: 1, MaxAttempts: 10}
}

const (
	orderSlice = 10 * time.Second // then others in the queue have their turn
	orderLost  = time.Minute      // its batches take less
)

// Order enqueues an order in the transaction that stored it.
func (q *Queue) Order(ctx context.Context, tx pgx.Tx, orderID int64) error {
	if _, err := q.river.InsertTx(ctx, tx, OrderArgs{OrderID: orderID}, nil); err != nil {
		return fmt.Errorf("enqueue order %d: %w", orderID, err)
	}
	return nil
}

type orderWorker struct {
	river.WorkerDefaults[OrderArgs]
	work  *Work
	clock *clock
}

// Work does batch after batch. Each is a transaction, in which the order notes
// how far it is.
func (w *orderWorker) Work(ctx context.Context, job *river.Job[OrderArgs]) error {
	client := river.ClientFromContext[pgx.Tx](ctx)
	ring := func(ctx context.Context, tx pgx.Tx, connectionID int64) error {
		_, err := client.InsertTx(ctx, tx, PushArgs{ConnectionID: connectionID}, nil)
		return err
	}
	for began := time.Now(); time.Since(began) < orderSlice; {
		more, err := w.work.Store.StepAction(ctx, job.Args.OrderID, ring)
		if err != nil || !more {
			return err
		}
	}
	return w.clock.snooze(0)
}

// Timeout implements [river.Worker].
func (w *orderWorker) Timeout(*river.Job[OrderArgs]) time.Duration { return jobTimeout }

// ringOrders rings for orders that no job brings on any more. If one is at it
// after all, the second finds the order locked, and goes away.
func (q *Queue) ringOrders(ctx context.Context) error {
	orders, err := q.work.Store.OpenActions(ctx, orderLost)
	if err != nil {
		return err
	}
	return q.ring(ctx, bells(orders, func(id int64) river.JobArgs { return OrderArgs{OrderID: id} }))
}
