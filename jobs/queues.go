package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"furrow/planner"
)

// queues are all queues, with how many jobs of each a process works at once.
func queues() map[string]river.QueueConfig {
	return map[string]river.QueueConfig{
		queuePush:    {MaxWorkers: pushWorkers},
		queuePull:    {MaxWorkers: pullWorkers},
		queueUpkeep:  {MaxWorkers: 1},
		queueNotices: {MaxWorkers: noticeWorkers},
	}
}

// QueueStatus is a queue as operators see it.
type QueueStatus struct {
	Backlog

	Workers int // jobs that one process works at once
	Paused  bool
	Known   bool // a worker has been there, so that it can be paused
}

// Status returns how each queue stands, by name.
func (q *Queue) Status(ctx context.Context, tx pgx.Tx) ([]QueueStatus, error) {
	at := map[string]*QueueStatus{}
	for name, config := range queues() {
		at[name] = &QueueStatus{Backlog: Backlog{Queue: name}, Workers: config.MaxWorkers}
	}
	known, err := q.river.QueueListTx(ctx, tx, river.NewQueueListParams().First(mostJobs))
	if err != nil {
		return nil, fmt.Errorf("list the queues: %w", err)
	}
	for _, k := range known.Queues {
		if s := at[k.Name]; s != nil {
			s.Known, s.Paused = true, k.PausedAt != nil
		}
	}
	backlogs, err := q.Backlogs(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, b := range backlogs {
		if s := at[b.Queue]; s != nil {
			s.Backlog = b
		}
	}
	list := make([]QueueStatus, 0, len(at))
	for _, s := range at {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b QueueStatus) int { return strings.Compare(a.Queue, b.Queue) })
	return list, nil
}

// Pause lets no process begin another job of a queue, in the caller's
// transaction. Those that run come to their end. [planner.ErrNotFound]: there is
// no such queue; [planner.ErrConflict]: no worker has been there yet.
func (q *Queue) Pause(ctx context.Context, tx pgx.Tx, name string) error {
	if _, ok := queues()[name]; !ok {
		return fmt.Errorf("pause queue %q: %w", name, planner.ErrNotFound)
	}
	err := q.river.QueuePauseTx(ctx, tx, name, nil)
	if errors.Is(err, rivertype.ErrNotFound) {
		err = planner.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("pause queue %s: %w", name, err)
	}
	return nil
}

// Resume lets a queue go on, in the caller's transaction. One that is not paused
// stays as it is. [planner.ErrNotFound]: there is no such queue.
func (q *Queue) Resume(ctx context.Context, tx pgx.Tx, name string) error {
	if _, ok := queues()[name]; !ok {
		return fmt.Errorf("resume queue %q: %w", name, planner.ErrNotFound)
	}
	return q.resume(ctx, tx, name)
}

// resume is [Queue.Resume] of any queue, whichever of them this version knows.
func (q *Queue) resume(ctx context.Context, tx pgx.Tx, name string) error {
	err := q.river.QueueResumeTx(ctx, tx, name, nil)
	if err != nil && !errors.Is(err, rivertype.ErrNotFound) {
		return fmt.Errorf("resume queue %s: %w", name, err)
	}
	return nil
}
