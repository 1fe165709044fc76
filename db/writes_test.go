package db_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/ledger"
	"furrow/planner"
)

// statements notes what a pool is asked.
type statements struct {
	mu   sync.Mutex
	last []pgx.TraceQueryStartData
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = append(s.last, data)
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take returns what was asked since the last time.
func (s *statements) take() []pgx.TraceQueryStartData {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.last
	s.last = nil
	return taken
}

// traced is a store over the fixture's database that tells what it asks.
func (f *fixture) traced(t *testing.T, tracer pgx.QueryTracer) (*db.Store, *pgxpool.Pool) {
	t.Helper()
	config := f.pool.Config()
	config.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return dbtest.StoreOver(t, pool), pool
}

// The ledger of one of ten who have as many writes is read by indexes, whatever
// it is filtered by; and its plans stay so when it is read again and again.
func TestLedgerPlans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.connectOthers(t, 9)
	for _, statement := range []string{
		`insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes)
		 select c.user_id, c.id, p.id, a.task_id, date '2016-01-04' + n, 60, '', 100, ''
		 from generate_series(1, 3000) n, harvest_connections c, projects p join assignments a on a.project_id = p.id where p.id = (select min(id) from projects)`,
		`insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, mutation_id, state)
		 select user_id, connection_id, id, 'create', 'furrow:' || id || ':1', '{"spent_date": "2026-11-23", "hours": 100, "notes": "Header and footer"}', 'mutation',
		        case when (spent_date - date '2016-01-04') % 500 = 0 then 'rejected' else 'done' end
		 from pushed_entries order by spent_date`,
		`vacuum analyze writes, pushed_entries`,
	} {
		f.exec(t, statement)
	}
	asked := &statements{}
	store, pool := f.traced(t, asked)

	week := planner.Week{Start: planner.NewDate(2020, 1, 6)}
	for name, test := range map[string]struct {
		filter db.WriteFilter
		want   int // writes on the page
	}{
		"everything":          {db.WriteFilter{}, 50},
		"an older page":       {db.WriteFilter{Before: 900}, 50},
		"what is rejected":    {db.WriteFilter{States: []ledger.State{ledger.Rejected, ledger.Blocked}}, 6},
		"what is waiting":     {db.WriteFilter{States: []ledger.State{ledger.Pending, ledger.Retry, ledger.Sending}}, 0},
		"what is in Harvest":  {db.WriteFilter{States: []ledger.State{ledger.Done}}, 50},
		"a week":              {db.WriteFilter{Week: &week}, 7},
		"a week and a search": {db.WriteFilter{Week: &week, Search: "HEADER"}, 7},
	} {
		test.filter.UserID = f.userID
		for range 7 { // a prepared statement may get another plan from the sixth time on
			page, err := store.Writes(ctx, test.filter)
			if err != nil || len(page) != test.want {
				t.Fatalf("%s: %d writes, %v; want %d", name, len(page), err, test.want)
			}
		}
		if _, err := store.CountWrites(ctx, test.filter); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, query := range asked.take() {
			if !strings.Contains(query.SQL, "from writes") {
				continue
			}
			seen++
			if plan := explain(t, pool, query); strings.Contains(plan, "Seq Scan on writes") {
				t.Fatalf("%s: all writes of all users are read:\n%s\n%s", name, query.SQL, plan)
			}
		}
		if seen != 8 {
			t.Errorf("%s: %d queries of writes, want 8", name, seen)
		}
		asked.take()
	}
}

// explain is the plan of a query with its arguments. The query must be planned
// for these each time, or the plan would not be the one it gets.
func explain(t *testing.T, pool *pgxpool.Pool, query pgx.TraceQueryStartData) string {
	t.Helper()
	if len(query.Args) == 0 || query.Args[0] != pgx.QueryExecModeCacheDescribe {
		t.Fatalf("not planned anew each time: %s", query.SQL)
	}
	rows, err := pool.Query(t.Context(), "explain "+query.SQL, query.Args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("explain: %v", err)
	}
	return strings.Join(lines, "\n")
}
