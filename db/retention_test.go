package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"furrow/db"
	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

const month = 30 * 24 * time.Hour

// cleanWrites removes all that may go.
func (f *fixture) cleanWrites(t *testing.T, age time.Duration) (removed int) {
	t.Helper()
	for after := int64(0); ; {
		n, next, err := f.store.CleanWrites(t.Context(), age, after)
		if err != nil {
			t.Fatal(err)
		}
		removed += n
		if next == 0 {
			return removed
		}
		after = next
	}
}

// live gives each cell of the week an entry that says what is planned and two
// that timers made, and each of them any history of writes: of every operation,
// in every state and order, old and young. Of the timers one alone may run or
// have something open, as the week shows any one of several.
func (f *fixture) live(t *testing.T, random *rand.Rand) {
	t.Helper()
	chance := func(percent int) bool { return random.IntN(100) < percent }
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	var batch pgx.Batch
	batch.Queue("delete from pushed_entries")
	batch.Queue("delete from time_entries")
	remote := 1000
	for i := range f.rows {
		for day := range planner.DaysInWeek {
			cell := f.cell(i, day)
			for n := range 3 {
				remote++
				kind, ops := "plan", []string{"create", "update", "delete", "adopt", "remove_double"}
				if n > 0 {
					kind, ops = "timer", []string{"start", "stop", "update", "remove_double"}
				}
				entry := fmt.Sprintf("00000000-0000-0000-0000-%012d", remote)
				batch.Queue(`insert into pushed_entries (id, user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes, kind, remote_id, removed_at)
values ($1, $2, $3, $4, $5, $6, 60, '', 100, '', $7, $8, $9)`, entry, f.userID, f.connectionID, cell.ProjectID, cell.TaskID, cell.Date, kind, maybe(chance(80), remote), maybe(chance(10), time.Now()))
				if chance(80) {
					batch.Queue(`insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, is_running, timer_started_at, reference_id, created_at, updated_at)
values ($1, $2, $3, $4, $5, 100, $6, case when $6 then now() end, $7, now(), now())`, f.userID, remote, cell.ProjectID, cell.TaskID, cell.Date, n == 1 && chance(30), fmt.Sprintf("furrow:%s:1", entry))
				}
				inFlight := false
				for w := range random.IntN(7) {
					state := pick([]string{"done", "done", "done", "done", "superseded", "superseded", "dropped", "dropped", "rejected", "conflict", "pending", "retry", "blocked", "sending", "uncertain"})
					if (n == 2 || !chance(30)) && !slices.Contains([]string{"done", "superseded", "dropped"}, state) {
						state = "done"
					}
					if state == "sending" || state == "uncertain" {
						if inFlight {
							state = "retry"
						}
						inFlight = true
					}
					over := state == "done" || state == "superseded" || state == "dropped" || state == "rejected"
					batch.Queue(`insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, remote_id, mutation_id, state, created_at, not_before, finished_at)
values ($1, $2, $3, $4, 'r', '{"hours": "1.00"}', $5, $6, $7, now() - interval '1 year', now() - interval '1 year', case when $8 then now() - make_interval(days => $9) end)`,
						f.userID, f.connectionID, entry, pick(ops), remote, fmt.Sprintf("mutation %d", w), state, over, random.IntN(60))
				}
			}
		}
	}
	if err := f.pool.SendBatch(t.Context(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
}

func maybe[T any](is bool, value T) *T {
	if !is {
		return nil
	}
	return &value
}

// outlook is all that is made of writes, but for the ledger itself: what a week and
// its check show, what is to be done, and what a person or the drain would do.
type outlook struct {
	Plan     ledger.WeekPlan
	Check    ledger.Check
	Due      []int64
	Retried  []int64
	Given    []string // what gives way to a new version of its entry
	Reused   []string // the entry that a new timer of a cell goes on with
	Latest   []string // of each entry
	Open     []string
	Removed  []string // doubles
	NextDue  dbgen.WritesNextDueRow
	Unsent   dbgen.UnfinishedDatesRow
	Entries  []string
	HasWrite int
}

var errTakenBack = errors.New("taken back")

func (f *fixture) outlook(t *testing.T) (s outlook) {
	t.Helper()
	ctx, q := t.Context(), dbgen.New(f.pool)
	var err error
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	s.Plan, _, err = f.store.WeekPage(ctx, f.userID, f.week)
	check("week", err)
	s.Check = f.check(t, f.userID)
	s.Due, err = f.store.ConnectionsWithDueWrites(ctx)
	check("due", err)
	s.NextDue, err = q.WritesNextDue(ctx, f.connectionID)
	check("next due", err)
	s.NextDue.Wait = 0
	s.Unsent, err = q.UnfinishedDates(ctx, f.connectionID)
	check("unfinished", err)
	err = f.store.InTx(ctx, func(tx *db.Tx) error {
		s.Retried, _, err = tx.RetryWrites(ctx, db.WriteFilter{UserID: f.userID})
		return errors.Join(err, errTakenBack)
	})
	if !errors.Is(err, errTakenBack) {
		t.Fatal(err)
	}
	slices.Sort(s.Retried) // they come in no order
	err = f.store.InTx(ctx, func(tx *db.Tx) error {
		s.Given, err = f.givenWay(ctx, tx)
		return errors.Join(err, errTakenBack)
	})
	if !errors.Is(err, errTakenBack) {
		t.Fatal(err)
	}
	for i := range f.rows {
		for day := range planner.DaysInWeek {
			cell := f.cell(i, day)
			for _, restart := range []bool{true, false} {
				row, err := q.TimerReuse(ctx, dbgen.TimerReuseParams{UserID: f.userID, ConnectionID: f.connectionID, ProjectID: cell.ProjectID, TaskID: cell.TaskID, SpentDate: cell.Date, Restart: restart})
				if err != nil && !errors.Is(err, pgx.ErrNoRows) {
					t.Fatal(err)
				}
				s.Reused = append(s.Reused, row.ID)
			}
		}
	}
	s.Latest = column[string](t, f.pool, "select pushed_entry_id || ' ' || max(id) from writes group by pushed_entry_id order by 1")
	s.Open = column[string](t, f.pool, "select to_jsonb(w)::text from writes w where state not in ('done', 'superseded', 'dropped') order by id")
	s.Removed = column[string](t, f.pool, "select to_jsonb(w)::text from writes w where op = 'remove_double' order by id")
	s.Entries = column[string](t, f.pool, "select to_jsonb(p)::text from pushed_entries p order by id")
	s.HasWrite = f.int(t, "select count(distinct pushed_entry_id) from writes")
	return s
}

func (f *fixture) givenWay(ctx context.Context, tx *db.Tx) ([]string, error) {
	q := dbgen.New(tx)
	rows, err := tx.Query(ctx, "select id::text from pushed_entries order by id")
	if err != nil {
		return nil, err
	}
	entries, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, id := range entries {
		if err := q.WriteSupersede(ctx, id); err != nil {
			return nil, err
		}
	}
	rows, err = tx.Query(ctx, "select id || state from writes where finished_at = (select max(finished_at) from writes) and state = 'superseded' order by id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// TestRetentionShowsTheSame: whatever writes there were, removing the old ones
// changes no page of the week and nothing that is going to happen.
func TestRetentionShowsTheSame(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	total := 0
	for round := range 6 {
		seed := rand.Uint64()
		f.live(t, rand.New(rand.NewPCG(seed, 0)))
		before := f.outlook(t)
		removed := f.cleanWrites(t, month)
		total += removed
		ignored := cmp.Options{cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty()}
		if diff := cmp.Diff(before, f.outlook(t), ignored); diff != "" {
			t.Fatalf("round %d of seed %d: after %d writes are gone (-before +after):\n%s", round, seed, removed, diff)
		}
		if n := f.int(t, "select count(*) from writes where finished_at > now() - interval '29 days'"); n == 0 {
			t.Error("the young ones are gone")
		}
		if n := f.cleanWrites(t, month); n != 0 {
			t.Errorf("another %d are removed the second time", n)
		}
	}
	if total < 100 {
		t.Errorf("only %d writes were removed in all", total)
	}
}

// TestRetentionOfWrites: of an entry that was sent again and again the last
// remains, with its attempts; of one that is being sent, all.
func TestRetentionOfWrites(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i, cell := range []planner.CellID{f.cell(0, 0), f.cell(1, 0)} {
		for n := range 3 {
			f.plan(t, cell, planner.Minutes(60+n), "")
			f.push(t, nil)
			f.sent(t, int64(501+i))
		}
	}
	f.plan(t, f.cell(1, 0), 90, "")
	f.push(t, nil)
	if n := f.cleanWrites(t, month); n != 0 {
		t.Errorf("%d young writes are removed", n)
	}
	if _, err := f.pool.Exec(t.Context(), "update writes set created_at = created_at - interval '40 days', finished_at = finished_at - interval '40 days'"); err != nil {
		t.Fatal(err)
	}
	if n := f.cleanWrites(t, month); n != 2 {
		t.Errorf("%d are removed, want 2", n)
	}
	if n := f.int(t, "select count(*) from writes"); n != 5 {
		t.Errorf("%d are left, want 1 and 4", n)
	}
	if n := f.int(t, "select count(distinct write_id) from write_attempts"); n != 4 {
		t.Errorf("attempts of %d are left, want 4", n)
	}
	f.sent(t, 502) // goes on
	f.plan(t, f.cell(0, 0), 120, "")
	f.push(t, nil)
	f.sent(t, 501)
}

// TestRetention: what is over and old goes, in parts; what is open, young, or the
// latest sync of a user stays.
func TestRetention(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.plan(t, f.cell(0, 0), 60, "")
	f.push(t, nil)
	f.sent(t, 501)
	f.plan(t, f.cell(1, 0), 60, "")
	f.push(t, nil)
	for range 3 {
		f.finish(t, f.startRun(t))
	}
	for _, statement := range []string{
		"insert into write_attempts (write_id, at, action, outcome) select w.id, now() - interval '40 days', 'send', 'applied' from writes w, generate_series(1, 1200)",
		"insert into audit_events (at, actor, action, subject) select now() - interval '40 days', 'ida@example.com', 'old', 'x' from generate_series(1, 1200)",
		"insert into audit_events (at, actor, action, subject) values (now() - interval '20 days', 'ida@example.com', 'young', 'x')",
		"update sync_runs set finished_at = now() - interval '40 days'",
		"insert into alerts (key, severity, sentence, advice, path, opened_at, resolved_at) select 'a' || n, 'alert', 's', 'a', '/admin', now() - interval '90 days', case n when 1 then now() - interval '40 days' when 2 then now() - interval '20 days' end from generate_series(1, 3) n",
		"insert into mails (recipient, subject, state, finished_at) select 'ida@example.com', 's', 'sent', now() - make_interval(days => d) from unnest(array[40, 20]) d",
		"insert into mails (recipient, subject, sealed, created_at) values ('ida@example.com', 's', 'x', now() - interval '40 days')",
		"insert into webhooks (body, state, finished_at) select '{}', 'sent', now() - make_interval(days => d) from unnest(array[40, 20]) d",
		"insert into write_actions (mutation_id, action, search, up_to, previewed, finished_at) select 'order ' || d, 'retry', '{}', 1, 1, now() - make_interval(days => d) from unnest(array[40, 41, 20]) d",
		"insert into write_actions (mutation_id, action, search, up_to, previewed, created_at) values ('open order', 'retry', '{}', 1, 1, now() - interval '40 days')",
		"insert into write_action_batches (action_id, number, last_id, changed, at) select id, n, 1, 1, now() - interval '40 days' from write_actions, generate_series(1, 600) n",
		"insert into webhooks (body, created_at) values ('{}', now() - interval '40 days')",
	} {
		if _, err := f.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	attempts := f.int(t, "select count(*) from write_attempts where at > now() - interval '1 day'") + 1200 // of the write that is open
	for _, tt := range []struct {
		what  string
		clean func(context.Context, time.Duration) (int, bool, error)
		calls int
		gone  int
		left  int
		table string
	}{
		{"attempts", f.store.CleanAttempts, 2, 1200, attempts, "write_attempts"},
		{"audit", f.store.CleanAudit, 2, 1200, 1, "audit_events where action in ('old', 'young')"},
		{"orders", f.store.CleanOrders, 2, 1202, 1202, "(select action_id from write_action_batches union all select id from write_actions) o"},
		{"sync runs", f.store.CleanSyncRuns, 1, 2, 1, "sync_runs"},
		{"notices", f.store.CleanNotices, 1, 3, 6, "(select id from alerts union all select id from mails union all select id from webhooks) n"},
	} {
		gone, calls := 0, 0
		for more := true; more; calls++ {
			var n int
			var err error
			if n, more, err = tt.clean(t.Context(), month); err != nil {
				t.Fatalf("%s: %v", tt.what, err)
			}
			gone += n
		}
		if left := f.int(t, "select count(*) from "+tt.table); gone != tt.gone || calls != tt.calls || left != tt.left {
			t.Errorf("%s: %d gone in %d calls, %d left; want %d, %d and %d", tt.what, gone, calls, left, tt.gone, tt.calls, tt.left)
		}
	}
}

// TestRetentionOfMany: several processes clean at the same time, and none waits
// for another, or for somebody who holds a row.
func TestRetentionOfMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, err := f.pool.Exec(t.Context(), "insert into audit_events (at, actor, action, subject) select now() - interval '40 days', 'ida@example.com', 'old', 'x' from generate_series(1, 3000)"); err != nil {
		t.Fatal(err)
	}
	held, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(t.Context(), "select from audit_events where id in (select id from audit_events order by at, id limit 1) for update"); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			for more := true; more; {
				var err error
				if _, more, err = f.store.CleanAudit(t.Context(), month); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := held.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	for more := true; more; {
		if _, more, err = f.store.CleanAudit(t.Context(), month); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.int(t, "select count(*) from audit_events where action = 'old'"); n != 0 {
		t.Errorf("%d are left", n)
	}
}
