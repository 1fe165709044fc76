package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/planner"
)

func jobFilter() jobs.Filter { return jobs.Filter{Most: 1000} }

func pullStarter(b *bench, asked chan<- int64) func(context.Context, int64) error {
	return func(ctx context.Context, userID int64) error {
		select {
		case asked <- userID:
		default:
		}
		return b.store.InTx(ctx, func(tx *db.Tx) error {
			id, joined, err := tx.StartRun(ctx, userID, db.TriggerSchedule, nil, planner.DateOf(time.Now()))
			if err != nil || joined {
				return err
			}
			return b.bell.Pull(ctx, tx, id)
		})
	}
}

// inState makes a job and puts it into a state by hand, as no healthy queue
// leaves jobs in all of them.
func (b *bench) inState(t *testing.T, state string) int64 {
	t.Helper()
	var id int64
	b.ring(t, 1)
	set := "update river_job set state = $1::river_job_state, finalized_at = case when $1 in ('cancelled', 'completed', 'discarded') then now() end, " +
		"attempt = 10, attempted_at = now(), scheduled_at = now() + interval '1 hour', " +
		"errors = array['{\"at\": \"2026-11-23T10:00:00Z\", \"attempt\": 1, \"error\": \"went wrong\", \"trace\": \"\"}'::jsonb] " +
		"where id = (select max(id) from river_job) returning id"
	if err := b.pool.QueryRow(t.Context(), set, state).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFault69_AdminRetriesJobs(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	ctx := t.Context()
	may := map[string]bool{"cancelled": true, "discarded": true, "retryable": true, "scheduled": true}
	ids := map[string]int64{}
	for _, state := range jobs.States() {
		ids[state] = b.inState(t, state)
	}

	all, err := b.bell.List(ctx, jobs.Filter{})
	if err != nil || len(all) != len(ids) {
		t.Fatalf("%d jobs, %v; want %d", len(all), err, len(ids))
	}
	for i, job := range all {
		if i > 0 && job.ID >= all[i-1].ID {
			t.Errorf("not newest first: %d after %d", job.ID, all[i-1].ID)
		}
		if ids[job.State] != job.ID || job.Kind != "harvest_push" || job.Queue != "push" || !strings.Contains(job.Args, "connection_id") {
			t.Errorf("job %+v", job)
		}
		if job.Retryable() != may[job.State] {
			t.Errorf("%s: retryable %t", job.State, job.Retryable())
		}
		if len(job.Errors) != 1 || job.Errors[0].Text != "went wrong" || job.Attempt != 10 {
			t.Errorf("job %+v", job)
		}
	}
	for state, id := range ids {
		list, err := b.bell.List(ctx, jobs.Filter{State: state})
		if err != nil || len(list) != 1 || list[0].ID != id {
			t.Errorf("list of %s: %+v, %v", state, list, err)
		}
	}
	if list, err := b.bell.List(ctx, jobs.Filter{Before: all[1].ID, Most: 2}); err != nil || len(list) != 2 || list[0].ID != all[2].ID {
		t.Errorf("page %+v, %v", list, err)
	}
	if _, err := b.bell.List(ctx, jobs.Filter{Most: 1 << 30}); err != nil {
		t.Errorf("far too many: %v", err)
	}
	if _, err := b.bell.List(ctx, jobs.Filter{State: "no such"}); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("an unknown state: %v", err)
	}

	counts, err := b.bell.Count(ctx, jobs.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for state := range ids {
		if counts[state] != (jobs.Count{N: 1}) {
			t.Errorf("%v jobs %s", counts[state], state)
		}
	}

	retry := func(id int64) error {
		return b.store.InTx(ctx, func(tx *db.Tx) error { return b.bell.Act(ctx, tx, jobs.RetryJob, id) })
	}
	if err := retry(1 << 40); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("retry of no job: %v", err)
	}
	for state, id := range ids {
		err := retry(id)
		if may[state] && err != nil || !may[state] && !errors.Is(err, planner.ErrConflict) {
			t.Errorf("retry of a job %s: %v", state, err)
		}
	}
	if list, err := b.bell.List(ctx, jobs.Filter{State: "available"}); err != nil || len(list) != 1+len(may) {
		t.Errorf("%d jobs available, %v", len(list), err)
	}

	// All that match; a roll-back takes it back.
	first, second := b.inState(t, "discarded"), b.inState(t, "discarded")
	b.inState(t, "cancelled")
	b.inState(t, "completed")
	errBack := errors.New("back")
	for _, tt := range []struct {
		state string
		want  int
		err   error
	}{
		{state: "completed"}, // there is nothing to do
		{state: "running"},
		{state: "no such", err: planner.ErrNotFound},
		{state: "discarded", want: 2},
		{state: "", want: 3},
	} {
		err := b.store.InTx(ctx, func(tx *db.Tx) error {
			ids, _, next, err := b.bell.ActAll(ctx, tx, jobs.RetryJob, jobs.Filter{State: tt.state}, 100)
			if err != nil {
				return err
			}
			if len(ids) != tt.want || next != 0 {
				t.Errorf("retried %d jobs %q, want %d; next %d", len(ids), tt.state, tt.want, next)
			}
			return errBack
		})
		want := tt.err
		if want == nil {
			want = errBack
		}
		if !errors.Is(err, want) {
			t.Errorf("retry all %q: %v, want %v", tt.state, err, want)
		}
	}
	if list, err := b.bell.List(ctx, jobs.Filter{State: "discarded"}); err != nil || len(list) != 2 || list[0].ID != second || list[1].ID != first {
		t.Errorf("after the roll-back %+v, %v", list, err)
	}
}
