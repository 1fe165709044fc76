package db_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// batches notes the queries of batches.
type batches struct {
	statements

	queries []pgx.TraceBatchQueryData
	lock    sync.Mutex
}

func (*batches) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (b *batches) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.queries = append(b.queries, data)
}

func (*batches) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// A week of one of ten who have planned, tracked and pushed for years is read
// by indexes: nothing of other weeks or of other people is gone through.
func TestWeekPagePlans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.connectOthers(t, 9)
	for _, statement := range []string{
		`insert into plan_changes (user_id, mutation_id, kind, first_day, last_day)
		 select u.id, 'mutation ' || d, 'edit', date '2027-06-01' - d, date '2027-06-01' - d from users u, generate_series(1, 1000) d`,
		`insert into plan_events (user_id, kind, mutation_id, project_id, task_id, date, minutes_before, minutes_after, note_before, note_after)
		 select c.user_id, 'edit', c.mutation_id, a.project_id, a.task_id, c.first_day, 0, 60, '', '' from plan_changes c, assignments a`,
		`insert into cells (user_id, project_id, task_id, date, minutes, version) select user_id, project_id, task_id, date, 60, id from plan_events`,
		`insert into week_rows (user_id, week, project_id, task_id) select u.id, date '2020-01-06' + n * 7, a.project_id, a.task_id from users u, assignments a, generate_series(1, 200) n`,
		`insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, created_at, updated_at)
		 select user_id, version, project_id, task_id, date, 100, now(), now() from cells`,
		`insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes, remote_id)
		 select c.user_id, h.id, c.project_id, c.task_id, c.date, 60, '', 100, '', c.version from cells c join harvest_connections h using (user_id)`,
		`insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, mutation_id, state)
		 select user_id, connection_id, id, 'create', 'furrow:' || id || ':1', '{}', 'mutation', 'done' from pushed_entries`,
		`vacuum analyze`,
	} {
		f.exec(t, statement)
	}
	asked := &batches{}
	store, _ := f.traced(t, asked)
	plan, _, err := store.WeekPage(ctx, f.userID, f.week)
	if err != nil || len(plan.Rows) != len(f.rows) || plan.Undo == 0 {
		t.Fatalf("%d rows, undo %d, %v", len(plan.Rows), plan.Undo, err)
	}
	for _, query := range asked.queries {
		rows, err := f.pool.Query(ctx, "explain (analyze, timing off) "+query.SQL, query.Args...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("explain: %v\n%s", err, query.SQL)
		}
		steps := strings.Join(lines, "\n")
		for _, table := range []string{"cells", "plan_changes", "plan_events", "week_rows", "time_entries", "pushed_entries", "writes"} {
			if strings.Contains(steps, "Seq Scan on "+table) {
				t.Errorf("all %s of all users are read:\n%s\n%s", table, query.SQL, steps)
			}
		}
		if removed := most(steps, "Rows Removed by Filter: "); removed > 1000 {
			t.Errorf("%d rows are read for nothing:\n%s\n%s", removed, query.SQL, steps)
		}
		t.Logf("%s\n%s", query.SQL[:min(len(query.SQL), 60)], lines[len(lines)-1])
	}
	if len(asked.queries) < 10 {
		t.Errorf("%d queries were seen", len(asked.queries))
	}
}

// most is the greatest number after a label.
func most(text, label string) (greatest int) {
	for _, part := range strings.Split(text, label)[1:] {
		var n int
		if _, err := fmt.Sscan(part, &n); err == nil {
			greatest = max(greatest, n)
		}
	}
	return greatest
}
