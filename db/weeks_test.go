package db_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/ledger"
	"furrow/planner"
)

func TestEditCell(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	cell := f.cell(0, 2)
	do := func(e db.CellEdit) (changed bool, err error) {
		err = f.store.InTx(ctx, func(tx *db.Tx) (err error) {
			changed, err = tx.EditCell(ctx, f.userID, e)
			return err
		})
		return changed, err
	}
	want := func(what string, changed bool, err error, wantChanged bool, wantErr error, minutes planner.Minutes, note string, events int) {
		t.Helper()
		if changed != wantChanged || !errors.Is(err, wantErr) {
			t.Errorf("%s: changed %t, %v; want %t, %v", what, changed, err, wantChanged, wantErr)
		}
		if c := f.at(t, cell); c.Planned != minutes || c.Note != note {
			t.Errorf("%s: cell %+v", what, c)
		}
		if n := f.int(t, "select count(*) from plan_events"); n != events {
			t.Errorf("%s: %d events, want %d", what, n, events)
		}
	}

	first := edit(cell, 90, "", 0)
	changed, err := do(first)
	want("first", changed, err, true, nil, 90, "", 1)
	changed, err = do(first)
	want("the same form again", changed, err, false, nil, 90, "", 1)
	version := f.at(t, cell).Version
	if plan := f.weekPlan(t); version == 0 || plan.Version != version {
		t.Errorf("version %d of the cell, %d of the week", version, plan.Version)
	}

	changed, err = do(edit(cell, 60, "note", 0))
	want("a form that has not seen the first", changed, err, false, planner.ErrConflict, 90, "", 1)
	changed, err = do(edit(cell, 90, "", 0))
	want("such a form with the same", changed, err, false, nil, 90, "", 1)

	note := "a note, ☂ & <b>"
	changed, err = do(db.CellEdit{Cell: cell, Planned: 90, Note: &note, MutationID: "only-the-note", Seen: version})
	want("only the note", changed, err, true, nil, 90, note, 2)
	version = f.at(t, cell).Version
	changed, err = do(first)
	want("a form from long ago, again", changed, err, false, nil, 90, note, 2)

	changed, err = do(edit(cell, 0, "", version))
	want("cleared", changed, err, true, nil, 0, "", 3)
	if n := f.int(t, "select count(*) from cells"); n != 0 {
		t.Errorf("%d rows for cells without plan", n)
	}
	changed, err = do(edit(cell, 30, "", version))
	want("a form that has not seen the clearing", changed, err, false, planner.ErrConflict, 0, "", 3)

	other, _ := f.user(t, "jonas@example.com", 2)
	for what, e := range map[string]db.CellEdit{
		"no such project": edit(planner.CellID{RowID: planner.RowID{ProjectID: 1 << 40, TaskID: cell.TaskID}, Date: cell.Date}, 60, "", everything),
		"no such task":    edit(planner.CellID{RowID: planner.RowID{ProjectID: cell.ProjectID, TaskID: 1 << 40}, Date: cell.Date}, 60, "", everything),
	} {
		if _, err := do(e); !errors.Is(err, planner.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	err = f.store.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.EditCell(ctx, other, edit(cell, 60, "", everything))
		return err
	})
	if !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("somebody else's project: %v", err)
	}
	if n := f.int(t, "select count(*) from plan_events where user_id = $1", other); n != 0 {
		t.Errorf("%d events of somebody else", n)
	}
}

// TestEditCellHistory: every change stays, with what was before and after it.
func TestEditCellHistory(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.plan(t, f.cell(0, 0), 30, "a")
	f.plan(t, f.cell(0, 0), 60, "a")
	f.plan(t, f.cell(0, 0), 0, "")
	f.plan(t, f.cell(0, 0), 45, "b")
	rows, err := f.pool.Query(t.Context(), "select minutes_before, minutes_after, note_before, note_after from plan_events order by id")
	if err != nil {
		t.Fatal(err)
	}
	type event struct {
		Before, After         int
		NoteBefore, NoteAfter string
	}
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[event])
	if err != nil {
		t.Fatal(err)
	}
	want := []event{{0, 30, "", "a"}, {30, 60, "a", "a"}, {60, 0, "a", ""}, {0, 45, "", "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEditCellWaits: of two forms that have seen the same and are stored at the
// same time, one is told that it came too late, whether or not the cell has had
// a plan before.
func TestEditCellWaits(t *testing.T) {
	t.Parallel()
	for _, planned := range []planner.Minutes{0, 15} {
		f := newFixture(t)
		cell := f.cell(0, 0)
		if planned > 0 {
			f.plan(t, cell, planned, "")
		}
		seen := f.weekPlan(t).Version
		second := make(chan error, 1)
		f.in(t, func(tx *db.Tx) error {
			if _, err := tx.EditCell(t.Context(), f.userID, edit(cell, 60, "first", seen)); err != nil {
				return err
			}
			go func() {
				second <- f.store.InTx(context.WithoutCancel(t.Context()), func(tx *db.Tx) error {
					_, err := tx.EditCell(t.Context(), f.userID, edit(cell, 90, "second", seen))
					return err
				})
			}()
			f.blocked(t, 1)
			return nil
		})
		if err := <-second; !errors.Is(err, planner.ErrConflict) {
			t.Errorf("planned %d before: the second edit gave %v", planned, err)
		}
		if c := f.at(t, cell); c.Planned != 60 || c.Note != "first" {
			t.Errorf("planned %d before: cell %+v", planned, c)
		}
	}
}

// TestEditCellsAtOnce: the history of one cell is one line of events, however
// many write it.
func TestEditCellsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := f.store.InTx(t.Context(), func(tx *db.Tx) error {
				_, err := tx.EditCell(t.Context(), f.userID, edit(f.cell(0, 0), planner.Minutes(i+1), "", everything))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	broken := f.int(t, `select count(*) from (
		select minutes_before, lag(minutes_after, 1, 0) over (order by id) as previous from plan_events) e where minutes_before <> previous`)
	if broken != 0 {
		t.Errorf("%d events do not begin where the one before them ended", broken)
	}
	if last := f.int(t, "select minutes_after from plan_events order by id desc limit 1"); planner.Minutes(last) != f.at(t, f.cell(0, 0)).Planned {
		t.Errorf("the last event says %d, the cell %+v", last, f.at(t, f.cell(0, 0)))
	}
}

func TestCellsAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.plan(t, f.cell(0, 0), 30, "")
	f.plan(t, f.cell(1, 0), 45, "")
	version := f.weekPlan(t).Version
	f.plan(t, f.cell(0, 0), 60, "")
	f.plan(t, f.cell(0, 0), 90, "")
	f.plan(t, f.cell(1, 1), 15, "")
	f.plan(t, f.cell(1, 0), 45, "only a note")
	f.in(t, func(tx *db.Tx) error {
		got, err := tx.CellsAt(t.Context(), f.userID, f.week, version)
		want := map[planner.CellID]planner.Minutes{f.cell(0, 0): 30, f.cell(1, 1): 0, f.cell(1, 0): 45}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		got, err = tx.CellsAt(t.Context(), f.userID, f.week, f.weekPlan(t).Version)
		if err != nil || len(got) != 0 {
			t.Errorf("since now %v, %v", got, err)
		}
		got, err = tx.CellsAt(t.Context(), f.userID, f.week.Next(), 0)
		if err != nil || len(got) != 0 {
			t.Errorf("of another week %v, %v", got, err)
		}
		now, err := tx.CellNow(t.Context(), f.userID, f.cell(0, 0))
		if err != nil || now.Planned != 90 {
			t.Errorf("now %+v, %v", now, err)
		}
		return nil
	})
}

// remote is an entry of Harvest's.
func (f *fixture) remote(id int64, project, task int64, day int, hours planner.Hours, change func(*ledger.RemoteEntry)) ledger.RemoteEntry {
	at := f.week.Day(day).Time().Add(15 * time.Hour)
	e := ledger.RemoteEntry{
		ID: id, UserID: 2001, ClientID: 1, ClientName: "Client 1", Currency: "EUR", ProjectID: project, ProjectName: "Project", TaskID: task,
		TaskName: "Task", SpentDate: f.week.Day(day), Hours: hours, Notes: "tracked", Billable: true, CreatedAt: at, UpdatedAt: at,
	}
	if change != nil {
		change(&e)
	}
	return e
}

func (f *fixture) store1(t *testing.T, userID int64, entries ...ledger.RemoteEntry) {
	t.Helper()
	for _, e := range entries {
		if err := f.mirror(userID).SaveEntry(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWeekPlan(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	other, _ := f.user(t, "jonas@example.com", 2)
	f.assign(t, other, assignment(1, 11, 21))
	f.store1(t, other, f.remote(900, 11, 21, 0, 800, nil))

	f.plan(t, f.cell(0, 0), 90, "planned here")
	f.plan(t, f.cell(0, 6), 20, "")
	f.store1(t, f.userID,
		f.remote(1, 11, 21, 0, 50, nil),
		f.remote(2, 11, 21, 0, 33, func(e *ledger.RemoteEntry) { e.IsRunning = true }),
		f.remote(3, 12, 21, 1, 100, func(e *ledger.RemoteEntry) { e.IsLocked, e.LockedReason, e.IsBilled = true, "Item Invoiced", true }),
		f.remote(4, 77, 78, 3, 25, func(e *ledger.RemoteEntry) {
			e.ProjectName, e.TaskName, e.ClientID, e.ClientName = "Archived", "Old", 9, "aaa first"
		}),
		f.remote(5, 11, 21, -1, 10, nil), // the Sunday before
		f.remote(6, 11, 21, 7, 10, nil),  // the Monday after
	)
	f.in(t, func(tx *db.Tx) error {
		if _, err := tx.KeepRow(ctx, f.userID, "kept once", f.week, f.rows[2]); err != nil {
			return err
		}
		again, err := tx.KeepRow(ctx, f.userID, "kept again", f.week, f.rows[2])
		if again.ID != 0 {
			t.Errorf("kept again: %+v, want nothing changed", again)
		}
		return err
	})

	plan, assignments, err := f.store.WeekPage(ctx, f.userID, f.week)
	if err != nil {
		t.Fatal(err)
	}
	if len(assignments) != 3 {
		t.Errorf("%d assignments", len(assignments))
	}
	if plan.Connection == nil || plan.Connection.State != ledger.Connected || plan.Run != nil {
		t.Errorf("head %+v", plan)
	}
	wantProfile := planner.Profile{WeekStart: time.Monday, TimeZone: "Europe/Copenhagen", Clock: "24h", DurationFormat: planner.HoursMinutes, WeeklyCapacity: 2250}
	if plan.Profile != wantProfile {
		t.Errorf("profile %+v", plan.Profile)
	}
	var names []string
	for _, row := range plan.Rows {
		names = append(names, strings.Join([]string{row.Client, row.Project, row.Task}, "/"))
	}
	if diff := cmp.Diff([]string{"aaa first/Archived/Old", "Client 1/Project 11/Task 21", "Client 1/Project 12/Task 21", "Client 2/Project 13/Task 22"}, names); diff != "" {
		t.Fatal(diff)
	}
	archived, first, second, kept := plan.Rows[0], plan.Rows[1], plan.Rows[2], plan.Rows[3]
	if archived.Active || archived.Kept || !first.Active || first.Rate.PerHour.Decimal() != "95.50" || first.Rate.PerHour.Currency != "EUR" || !first.Billable || !kept.Kept || kept.Planned() != 0 {
		t.Errorf("rows %+v", plan.Rows)
	}
	monday := first.Cells[0]
	if monday.Planned != 90 || monday.Note != "planned here" || monday.Others != 83 || monday.OthersCount != 2 || !monday.Running || monday.Locked != "" || monday.Version == 0 {
		t.Errorf("monday %+v", monday)
	}
	if first.Planned() != 110 || first.Tracked() != 83 || second.Tracked() != 100 || archived.Tracked() != 25 {
		t.Errorf("sums %v %v %v %v", first.Planned(), first.Tracked(), second.Tracked(), archived.Tracked())
	}
	if second.Cells[1].Locked != "Item Invoiced" || plan.DayLocks != [7]string{} {
		t.Errorf("locks %+v %v", second.Cells[1], plan.DayLocks)
	}

	// An approval locks the whole week of the account's, days without entries
	// included, and however the user's own weeks lie.
	f.store1(t, f.userID, f.remote(7, 11, 21, 4, 10, func(e *ledger.RemoteEntry) { e.ApprovalStatus, e.IsLocked = "approved", true }))
	if plan := f.weekPlan(t); plan.DayLocks != [7]string{"approved", "approved", "approved", "approved", "approved", "approved", "approved"} {
		t.Errorf("locks %v", plan.DayLocks)
	}
	sunday, err := f.store.WeekPlan(ctx, f.userID, planner.Week{Start: f.week.Start.AddDays(-1)})
	if err != nil || sunday.DayLocks != [7]string{"", "approved", "approved", "approved", "approved", "approved", "approved"} {
		t.Errorf("locks %v, %v", sunday.DayLocks, err)
	}

	// Gone entries do not count.
	if err := f.mirror(f.userID).MarkGone(ctx, []int64{1, 7}); err != nil {
		t.Fatal(err)
	}
	if c := f.at(t, f.cell(0, 0)); c.Others != 33 || c.OthersCount != 1 {
		t.Errorf("monday %+v", c)
	}

	theirs, err := f.store.WeekPlan(ctx, other, f.week)
	if err != nil || len(theirs.Rows) != 1 || theirs.Rows[0].Tracked() != 800 || theirs.Rows[0].Planned() != 0 {
		t.Errorf("somebody else's week %+v, %v", theirs, err)
	}
	if _, err := f.store.WeekPlan(ctx, 1<<40, f.week); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("nobody's week: %v", err)
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	other, _ := f.user(t, "jonas@example.com", 2)
	err := f.store.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.KeepRow(ctx, other, "not theirs", f.week, f.rows[0])
		return err
	})
	if !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("keep somebody else's row: %v", err)
	}
	var local planner.RowID
	f.in(t, func(tx *db.Tx) error {
		var err error
		local, _, err = tx.AddLocalRow(ctx, f.userID, "a new row", f.week, db.RowName{Client: "Studio", Project: "Taxes", Task: "Forms"})
		if err != nil {
			return err
		}
		again, _, err := tx.AddLocalRow(ctx, f.userID, "the same row", f.week, db.RowName{Client: "Studio", Project: "Taxes", Task: "Forms"})
		if again != local {
			t.Errorf("the same names gave %v and %v", local, again)
		}
		return err
	})
	plan := f.weekPlan(t)
	if len(plan.Rows) != 1 || plan.Rows[0].ID != local || plan.Rows[0].Active || !plan.Rows[0].Kept {
		t.Errorf("rows %+v", plan.Rows)
	}
	f.plan(t, planner.CellID{RowID: local, Date: f.week.Start}, 60, "")
	remove := func(userID int64) (changed db.Changed, err error) {
		err = f.store.InTx(ctx, func(tx *db.Tx) (err error) {
			changed, err = tx.ChangePlan(ctx, userID, db.PlanChange{
				Kind: planner.ChangeRemove, MutationID: rand.Text(), Rows: []db.RowChange{{Week: f.week, Row: local}},
			})
			return err
		})
		return changed, err
	}
	for i, removal := range []struct {
		userID int64
		want   int // rows that changed
	}{{other, 0}, {f.userID, 1}, {f.userID, 0}} { // somebody else's, one's own, and again
		if changed, err := remove(removal.userID); err != nil || len(changed.Rows) != removal.want {
			t.Errorf("removal %d: %+v, %v", i, changed, err)
		}
	}
	if plan := f.weekPlan(t); len(plan.Rows) != 1 || plan.Rows[0].Kept {
		t.Errorf("a row with a plan must stay: %+v", plan.Rows)
	}
}

// wire counts the round trips of a connection: a reading after a writing is one.
type wire struct {
	net.Conn
	trips *atomic.Int64
	wrote atomic.Bool
}

func (w *wire) Write(p []byte) (int, error) {
	w.wrote.Store(true)
	return w.Conn.Write(p)
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 && w.wrote.Swap(false) {
		w.trips.Add(1)
	}
	return n, err
}

// TestWeekPageIsOneRoundTrip: with the statements prepared, as they are on a
// connection that has shown a week before.
func TestWeekPageIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	cfg, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var trips atomic.Int64
	cfg.MaxConns = 1
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &wire{Conn: conn, trips: &trips}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store := dbtest.StoreOver(t, pool)
	userID, err := store.CreateUser(t.Context(), "ida@example.com", "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	week := planner.Week{Start: planner.NewDate(2026, time.November, 23)}
	show := func() {
		if _, _, err := store.WeekPage(t.Context(), userID, week); err != nil {
			t.Fatal(err)
		}
	}
	show()
	trips.Store(0)
	show()
	if n := trips.Load(); n != 1 {
		t.Errorf("a week costs %d round trips, want 1", n)
	}
}
