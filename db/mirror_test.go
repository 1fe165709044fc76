package db_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// run starts a sync run and returns its mirror.
func (f *fixture) run(t *testing.T) (int64, ledger.Mirror) {
	t.Helper()
	var id int64
	f.in(t, func(tx *db.Tx) (err error) {
		id, _, err = tx.StartRun(t.Context(), f.userID, db.TriggerUser, nil, f.week.Start)
		return err
	})
	run, err := f.store.Run(t.Context(), id, f.week.Start.Time())
	if err != nil {
		t.Fatal(err)
	}
	return id, f.store.Mirror(run)
}

func (f *fixture) changed(t *testing.T, runID int64) int {
	t.Helper()
	return f.int(t, "select changed from sync_runs where id = $1", runID)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	id, mirror := f.run(t)
	save := func(entries ...ledger.RemoteEntry) {
		t.Helper()
		if err := mirror.SavePage(ctx, ledger.EntryPage{Entries: entries}); err != nil {
			t.Fatal(err)
		}
	}
	row := func(id int64) (text string) {
		t.Helper()
		err := f.pool.QueryRow(ctx, `select concat_ws(' ', hours, notes, is_locked, coalesce(deleted_at::text, 'there'), xmin) from time_entries
			where user_id = $1 and harvest_id = $2`, f.userID, id).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	hours := func(id int64) int {
		t.Helper()
		return f.int(t, "select hours from time_entries where user_id = $1 and harvest_id = $2", f.userID, id)
	}
	later := func(d time.Duration, h planner.Hours) func(*ledger.RemoteEntry) {
		return func(e *ledger.RemoteEntry) { e.UpdatedAt, e.Hours = e.UpdatedAt.Add(d), h }
	}

	save(f.remote(1, 11, 21, 0, 100, nil), f.remote(2, 12, 21, 0, 200, nil))
	if n := f.changed(t, id); n != 2 {
		t.Errorf("%d new", n)
	}
	before := row(1)
	save(f.remote(1, 11, 21, 0, 100, nil), f.remote(2, 12, 21, 0, 200, nil))
	if now := row(1); now != before || f.changed(t, id) != 2 {
		t.Errorf("an unchanged entry was rewritten: %q, then %q", before, now)
	}

	save(f.remote(1, 11, 21, 0, 0, later(time.Minute, 150)))
	if hours(1) != 150 {
		t.Errorf("a newer reading was not stored")
	}
	save(f.remote(1, 11, 21, 0, 0, later(30*time.Second, 110)))
	if hours(1) != 150 {
		t.Errorf("an older reading replaced a newer one")
	}
	// Locks come without a new timestamp.
	save(f.remote(1, 11, 21, 0, 0, func(e *ledger.RemoteEntry) { later(time.Minute, 150)(e); e.IsLocked = true }))
	if n := f.int(t, "select count(*) from time_entries where is_locked and harvest_id = 1"); n != 1 {
		t.Errorf("a lock was not stored")
	}

	// Rows shift while pages are fetched, so a page may hold an entry twice.
	save(f.remote(3, 11, 21, 1, 0, later(time.Minute, 30)), f.remote(3, 11, 21, 1, 0, later(0, 10)), f.remote(3, 11, 21, 1, 0, later(2*time.Minute, 40)))
	if hours(3) != 40 {
		t.Errorf("of three readings in a page %d was stored", hours(3))
	}

	// Projects and tasks that no assignment names.
	save(f.remote(4, 501, 601, 2, 25, func(e *ledger.RemoteEntry) {
		e.ClientID, e.ClientName, e.ProjectName, e.TaskName = 401, "Gone Client", "Archived", "Retired"
	}))
	rows, err := f.pool.Query(ctx, `select c.name || '/' || p.name || '/' || k.name from time_entries e
		join projects p on p.id = e.project_id join clients c on c.id = p.client_id join tasks k on k.id = e.task_id where e.harvest_id in (1, 4) order by e.harvest_id`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	// The names of what is assigned come from the assignments alone.
	if diff := cmp.Diff([]string{"Client 1/Project 11/Task 21", "Gone Client/Archived/Retired"}, names); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}

	// Gone, and there again after all.
	if err := mirror.MarkGone(ctx, []int64{2, 99}); err != nil {
		t.Fatal(err)
	}
	window := ledger.Window{From: f.week.Start, To: f.week.Start.AddDays(1)}
	known, err := mirror.Known(ctx, window)
	if diff := cmp.Diff(map[int64]bool{1: true, 3: true}, set(known)); err != nil || diff != "" {
		t.Errorf("known %v %s", err, diff)
	}
	if n := f.int(t, "select removed from sync_runs where id = $1", id); n != 1 {
		t.Errorf("%d removed", n)
	}
	save(f.remote(2, 12, 21, 0, 200, nil))
	if known, err := mirror.Known(ctx, window); err != nil || len(known) != 3 {
		t.Errorf("known %v, %v", known, err)
	}

	// Only references of ours are kept.
	save(
		f.remote(5, 11, 21, 0, 1, func(e *ledger.RemoteEntry) { e.ReferenceID, e.ReferenceGroup = "x", "somebody" }),
		f.remote(6, 11, 21, 0, 1, func(e *ledger.RemoteEntry) { e.ReferenceID, e.ReferenceGroup = "y", ledger.ReferenceGroup }),
	)
	if n := f.int(t, "select count(*) from time_entries where reference_id <> ''"); n != 1 {
		t.Errorf("%d references", n)
	}

	// Another user with the same numbers is not touched.
	other, _ := f.user(t, "jonas@example.com", 2)
	f.store1(t, other, f.remote(1, 11, 21, 0, 999, nil))
	if err := f.mirror(other).MarkGone(ctx, []int64{3}); err == nil {
		if known, err := mirror.Known(ctx, window); err != nil || len(known) != 5 || hours(1) != 150 {
			t.Errorf("known %v, %v", known, err)
		}
	}
}

func set(ids []int64) map[int64]bool {
	m := map[int64]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.plan(t, f.cell(0, 0), 60, "")
	renamed := assignment(1, 12, 21)
	renamed.ProjectName, renamed.HourlyRate, renamed.Currency = "New name", "", ""
	f.assign(t, f.userID, renamed, assignment(1, 12, 23))
	plan, list, err := f.store.WeekPage(t.Context(), f.userID, f.week)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Project != "New name" {
		t.Errorf("assignments %+v", list)
	}
	// What is planned stays, even where nothing may be logged any more.
	if len(plan.Rows) != 1 || plan.Rows[0].Active || plan.Rows[0].Project != "Project 11" || plan.Rows[0].Planned() != 60 {
		t.Errorf("rows %+v", plan.Rows)
	}
	f.assign(t, f.userID, assignment(1, 11, 21))
	if plan := f.weekPlan(t); !plan.Rows[0].Active {
		t.Errorf("an assignment that came back: %+v", plan.Rows[0])
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	today := planner.NewDate(2026, time.November, 25)
	start := func(userID int64, week *planner.Week) (id int64, joined bool, err error) {
		err = f.store.InTx(ctx, func(tx *db.Tx) (err error) {
			id, joined, err = tx.StartRun(ctx, userID, db.TriggerUser, week, today)
			return err
		})
		return id, joined, err
	}
	id, joined, err := start(f.userID, nil)
	if err != nil || joined {
		t.Fatalf("start: %t, %v", joined, err)
	}
	if again, joined, err := start(f.userID, nil); err != nil || !joined || again != id {
		t.Errorf("a second click gave run %d, %t, %v", again, joined, err)
	}
	run, err := f.store.Run(ctx, id, time.Date(2026, time.November, 24, 23, 30, 0, 0, time.UTC)) // the 25th in Copenhagen
	if err != nil || !run.First() || run.YearFrom != planner.NewDate(2025, time.November, 25) || run.Phase != ledger.PhaseQueued || run.State != ledger.RunQueued {
		t.Errorf("run %+v, %v", run, err)
	}
	if want := (ledger.Window{From: today.AddDays(-35), To: today.AddDays(14)}); run.Window != want {
		t.Errorf("window %v, want %v", run.Window, want)
	}
	other, _ := f.user(t, "jonas@example.com", 2)
	if _, err := f.store.RunStatus(ctx, other, id); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("somebody else's run: %v", err)
	}

	// The pages of a run, and from where the next one goes on.
	mirror := f.store.Mirror(run)
	if err := mirror.Enter(ctx, ledger.PhaseEntries); err != nil {
		t.Fatal(err)
	}
	newest := time.Date(2020, time.May, 4, 3, 2, 1, 0, time.UTC) // long before our clock
	at := func(id int64, updated time.Time) ledger.RemoteEntry {
		return f.remote(id, 11, 21, 0, 10, func(e *ledger.RemoteEntry) { e.UpdatedAt = updated })
	}
	for i, page := range []ledger.EntryPage{
		{Entries: []ledger.RemoteEntry{at(1, newest), at(2, newest.Add(-time.Hour))}, Pages: 2, Next: "/v2/next"},
		{Entries: []ledger.RemoteEntry{at(3, newest.Add(-time.Minute))}, Pages: 2},
	} {
		if err := mirror.SavePage(ctx, page); err != nil {
			t.Fatal(err)
		}
		run, err := f.store.Run(ctx, id, today.Time())
		if err != nil || run.Resume != page.Next || run.Phase != ledger.PhaseEntries || run.State != ledger.RunRunning {
			t.Errorf("after page %d: %+v, %v", i, run, err)
		}
	}
	if s, err := f.store.RunStatus(ctx, f.userID, id); err != nil || s.Page != 2 || s.Pages != 2 || s.Entries != 3 {
		t.Errorf("status %+v, %v", s, err)
	}
	if err := f.store.DelayRun(ctx, id, time.Minute, string(ledger.ReasonServer), 503); err != nil {
		t.Fatal(err)
	}
	if s, err := f.store.RunStatus(ctx, f.userID, id); err != nil || s.State != ledger.RunWaiting || s.Reason != "server" || s.Status != 503 || s.NextTry.IsZero() || s.Page != 2 {
		t.Errorf("status %+v, %v", s, err)
	}
	if err := mirror.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"enter":  mirror.Enter(ctx, ledger.PhaseWindow),
		"page":   mirror.SavePage(ctx, ledger.EntryPage{Entries: []ledger.RemoteEntry{at(9, newest)}}),
		"finish": mirror.Finish(ctx),
	} {
		if !errors.Is(err, ledger.ErrRunOver) {
			t.Errorf("%s after the end: %v", what, err)
		}
	}
	if n := f.int(t, "select count(*) from time_entries where harvest_id = 9"); n != 0 {
		t.Error("a page was stored after the end of its run")
	}

	week := planner.Week{Start: planner.NewDate(2026, time.March, 2)}
	second, joined, err := start(f.userID, &week)
	if err != nil || joined || second == id {
		t.Fatalf("second run %d, %t, %v", second, joined, err)
	}
	run, err = f.store.Run(ctx, second, today.Time())
	if err != nil || run.First() || !run.UpdatedSince.Equal(newest.Add(-ledger.Overlap)) {
		t.Errorf("the second run goes on from %v, want %v before the newest change; %v", run.UpdatedSince, ledger.Overlap, err)
	}
	if run.Window.From != week.Start || run.Window.To != today.AddDays(14) {
		t.Errorf("window %v", run.Window)
	}

	// Given up, revived, and not revived beside another one.
	if err := f.store.FailRun(ctx, second, string(ledger.ReasonForbidden), 403); err != nil {
		t.Fatal(err)
	}
	if s, err := f.store.RunStatus(ctx, f.userID, second); err != nil || s.State != ledger.RunFailed || s.FinishedAt.IsZero() || s.Status != 403 {
		t.Errorf("status %+v, %v", s, err)
	}
	if ok, err := f.store.ReviveRun(ctx, second); err != nil || !ok {
		t.Errorf("revive: %t, %v", ok, err)
	}
	if err := f.store.FailRun(ctx, second, "", 0); err != nil {
		t.Fatal(err)
	}
	third, _, err := start(f.userID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := f.store.ReviveRun(ctx, second); err != nil || ok {
		t.Errorf("revive beside a live one: %t, %v", ok, err)
	}
	if ok, err := f.store.ReviveRun(ctx, third); err != nil || ok {
		t.Errorf("revive a live one: %t, %v", ok, err)
	}

	// An old cursor never comes back: a run that saw nothing newer keeps it.
	if err := f.store.Mirror(ledger.Run{ID: third, UserID: f.userID}).Finish(ctx); err != nil {
		t.Fatal(err)
	}
	fourth, _, err := start(f.userID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if run, err := f.store.Run(ctx, fourth, today.Time()); err != nil || !run.UpdatedSince.Equal(newest.Add(-ledger.Overlap)) {
		t.Errorf("run %+v, %v", run, err)
	}

	nobody, err := f.store.CreateUser(ctx, "nobody@example.com", "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := start(nobody, nil); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("a run without a connection: %v", err)
	}
}

func TestStartRunAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids, made := make([]int64, 20), 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			err := f.store.InTx(t.Context(), func(tx *db.Tx) error {
				id, joined, err := tx.StartRun(t.Context(), f.userID, db.TriggerUser, nil, f.week.Start)
				mu.Lock()
				defer mu.Unlock()
				ids[i] = id
				if err == nil && !joined {
					made++
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 || f.int(t, "select count(*) from sync_runs") != 1 {
		t.Errorf("%d made", made)
	}
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("runs %v", ids)
			break
		}
	}
}

func TestOldPulls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	old := func(want ...int64) {
		t.Helper()
		got, err := f.store.UsersWithOldPull(ctx, 15*time.Minute)
		if diff := cmp.Diff(set(want), set(got)); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	}
	old() // just connected
	f.exec(t, "update harvest_connections set connected_at = now() - interval '1 hour'")
	old(f.userID)
	id, _ := f.run(t)
	old()
	if err := f.store.FailRun(ctx, id, "", 0); err != nil {
		t.Fatal(err)
	}
	old() // tried a moment ago
	f.exec(t, "update sync_runs set created_at = now() - interval '1 hour'")
	old(f.userID)
	if err := f.store.RevokeConnection(ctx, f.connectionID); err != nil {
		t.Fatal(err)
	}
	old()
}
