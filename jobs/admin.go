package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"furrow/planner"
)

// Record is a job as admins see it.
type Record struct {
	ID          int64
	Kind        string
	Queue       string
	State       string
	Args        string // JSON; ids only
	Attempt     int
	MaxAttempts int
	CreatedAt   time.Time
	ScheduledAt time.Time
	FinishedAt  time.Time // zero if it is not over
	Errors      []RecordError
}

// RecordError is one failed run of a job.
type RecordError struct {
	At   time.Time
	Text string
}

// Retryable reports whether a retry makes sense: the job waits, or has ended
// badly. A completed or running job would only be done twice.
func (r Record) Retryable() bool { return retryable(rivertype.JobState(r.State)) }

func retryable(state rivertype.JobState) bool {
	switch state {
	case rivertype.JobStateCancelled, rivertype.JobStateDiscarded, rivertype.JobStateRetryable, rivertype.JobStateScheduled:
		return true
	default:
		return false
	}
}

// States are the states that jobs are listed by, in the order of their life.
func States() []string {
	var states []string
	for _, s := range rivertype.JobStates() {
		states = append(states, string(s))
	}
	return states
}

// Filter chooses jobs. Zero fields do not filter.
type Filter struct {
	State  string // one of States
	Before int64  // only ids below
	Most   int    // 1 to 1000; 0: 50
}

const (
	pageOfJobs = 50
	mostJobs   = 1000
)

// List returns the jobs that match, newest first. An unknown state gives
// [planner.ErrNotFound].
func (q *Queue) List(ctx context.Context, f Filter) ([]Record, error) {
	most := f.Most
	if most <= 0 {
		most = pageOfJobs
	}
	params := river.NewJobListParams().First(min(most, mostJobs)).OrderBy(river.JobListOrderByID, river.SortOrderDesc)
	if f.State != "" {
		if !known(f.State) {
			return nil, fmt.Errorf("list jobs in state %q: %w", f.State, planner.ErrNotFound)
		}
		params = params.States(rivertype.JobState(f.State))
	}
	if f.Before > 0 {
		params = params.Where("id < @before", river.NamedArgs{"before": f.Before})
	}
	list, err := q.river.JobList(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	records := make([]Record, len(list.Jobs))
	for i, job := range list.Jobs {
		records[i] = record(job)
	}
	return records, nil
}

func known(state string) bool {
	for _, s := range rivertype.JobStates() {
		if string(s) == state {
			return true
		}
	}
	return false
}

func record(job *rivertype.JobRow) Record {
	r := Record{
		ID: job.ID, Kind: job.Kind, Queue: job.Queue, State: string(job.State), Args: string(job.EncodedArgs),
		Attempt: job.Attempt, MaxAttempts: job.MaxAttempts, CreatedAt: job.CreatedAt, ScheduledAt: job.ScheduledAt,
	}
	if job.FinalizedAt != nil {
		r.FinishedAt = *job.FinalizedAt
	}
	for i := len(job.Errors) - 1; i >= 0; i-- {
		r.Errors = append(r.Errors, RecordError{At: job.Errors[i].At, Text: job.Errors[i].Error})
	}
	return r
}

// Count counts jobs by state.
func (q *Queue) Count(ctx context.Context, tx pgx.Tx) (map[string]int, error) {
	// River has no count; the queue's table is bounded by its clean-up.
	rows, err := tx.Query(ctx, "select state::text, count(*) from river_job group by state")
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	counts := map[string]int{}
	var state string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&state, &n}, func() error {
		counts[state] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	return counts, nil
}

// Retry sets one job to be run at once. [planner.ErrNotFound]: there is none of
// that id; [planner.ErrConflict]: its state makes a retry senseless.
func (q *Queue) Retry(ctx context.Context, tx pgx.Tx, id int64) error {
	job, err := q.river.JobGetTx(ctx, tx, id)
	if errors.Is(err, rivertype.ErrNotFound) {
		err = planner.ErrNotFound
	}
	if err == nil && !retryable(job.State) {
		err = planner.ErrConflict
	}
	if err == nil {
		_, err = q.river.JobRetryTx(ctx, tx, id)
	}
	if err != nil {
		return fmt.Errorf("retry job %d: %w", id, err)
	}
	return nil
}

// RetryAll sets all jobs in a state to be run at once, or those in any state
// that may be retried if it is empty, and returns their ids. At most 1000 at a
// time. [planner.ErrConflict]: jobs in that state are not retried.
func (q *Queue) RetryAll(ctx context.Context, tx pgx.Tx, state string) ([]int64, error) {
	states := []rivertype.JobState{
		rivertype.JobStateCancelled, rivertype.JobStateDiscarded, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}
	if state != "" {
		if !retryable(rivertype.JobState(state)) {
			return nil, fmt.Errorf("retry jobs in state %q: %w", state, planner.ErrConflict)
		}
		states = []rivertype.JobState{rivertype.JobState(state)}
	}
	list, err := q.river.JobListTx(ctx, tx, river.NewJobListParams().States(states...).First(mostJobs))
	if err != nil {
		return nil, fmt.Errorf("retry jobs: %w", err)
	}
	ids := make([]int64, 0, len(list.Jobs))
	for _, job := range list.Jobs {
		if _, err := q.river.JobRetryTx(ctx, tx, job.ID); err != nil {
			return nil, fmt.Errorf("retry job %d: %w", job.ID, err)
		}
		ids = append(ids, job.ID)
	}
	return ids, nil
}
