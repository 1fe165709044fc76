package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backlog is what a queue has to do.
type Backlog struct {
	Queue   string
	Due     int           // jobs that a worker should take
	Oldest  time.Duration // that the longest of these has waited
	Running int
	Later   int // jobs that are due some time later, those that are tried again included
}

// Backlogs measures all queues that have anything to do.
func (q *Queue) Backlogs(ctx context.Context, tx pgx.Tx) ([]Backlog, error) {
	rows, err := tx.Query(ctx, `select queue, count(*) filter (where due), coalesce(max(extract(epoch from clock_timestamp() - scheduled_at)) filter (where due), 0)::float8,
		    count(*) filter (where state = 'running'), count(*) filter (where not due and state <> 'running')
		from (select queue, state, scheduled_at, state = 'available' and scheduled_at <= clock_timestamp() as due
		      from river_job where state in ('available', 'pending', 'retryable', 'running', 'scheduled')) j
		group by queue order by queue`)
	if err != nil {
		return nil, fmt.Errorf("measure the queues: %w", err)
	}
	backlogs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b Backlog, err error) {
		var seconds float64
		err = row.Scan(&b.Queue, &b.Due, &seconds, &b.Running, &b.Later)
		b.Oldest = time.Duration(seconds * float64(time.Second))
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("measure the queues: %w", err)
	}
	return backlogs, nil
}
