package db_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	one, two := planner.CellID{RowID: f.rows[0], Date: f.week.Start}, planner.CellID{RowID: f.rows[1], Date: f.week.Start + 1}
	next := planner.CellID{RowID: f.rows[0], Date: f.week.Next().Start}
	edit := f.change(t, db.PlanChange{Kind: planner.ChangeEdit, Cells: []planner.Edit{to(one, 60)}})
	quick := f.change(t, db.PlanChange{Kind: planner.ChangeQuick, Seen: db.SeenAll, Cells: []planner.Edit{to(one, 90), to(two, 30), to(next, 15)}})
	row := f.change(t, db.PlanChange{Kind: planner.ChangeAddRow, Rows: []db.RowChange{{Week: f.week, Row: f.rows[2], Kept: true}}})
	f.change(t, db.PlanChange{Kind: planner.ChangeEdit, Seen: db.SeenAll, Cells: []planner.Edit{to(next, 45)}}) // of another week
	undone, err := f.undo(ctx, row.ID, "undo the row")
	if err != nil {
		t.Fatal(err)
	}

	names := map[planner.RowID]db.RowName{}
	f.in(t, func(tx *db.Tx) (err error) {
		names, err = tx.RowNames(ctx, f.userID, append(f.rows[:3:3], planner.RowID{ProjectID: 1 << 40, TaskID: 1}))
		return err
	})
	if len(names) != 3 {
		t.Errorf("names %v, want those of three rows", names)
	}
	cell := func(id planner.CellID, before, after planner.Minutes, stands bool) db.ChangedCell {
		return db.ChangedCell{Cell: id, Name: names[id.RowID], Before: planner.Cell{Planned: before}, After: planner.Cell{Planned: after}, Stands: stands}
	}
	put := func(kept bool) []db.ChangedRow {
		return []db.ChangedRow{{RowChange: db.RowChange{Week: f.week, Row: f.rows[2], Kept: kept}, Name: names[f.rows[2]]}}
	}
	want := []db.DoneChange{
		{ID: undone.ID, Kind: planner.ChangeUndo, UndoesKind: planner.ChangeAddRow, Rows: put(false)},
		{ID: row.ID, Kind: planner.ChangeAddRow, Rows: put(true)},
		{ID: quick.ID, Kind: planner.ChangeQuick, Cells: []db.ChangedCell{cell(one, 60, 90, true), cell(next, 0, 15, false), cell(two, 0, 30, true)}},
		{ID: edit.ID, Kind: planner.ChangeEdit, Cells: []db.ChangedCell{cell(one, 0, 60, false)}},
	}
	got, err := f.store.Changes(ctx, f.userID, f.week, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(db.DoneChange{}, "At", "UndoneAt")); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for _, c := range got {
		if c.At.IsZero() || c.UndoneAt.IsZero() != (c.ID != row.ID) {
			t.Errorf("change %d made at %v and undone at %v", c.ID, c.At, c.UndoneAt)
		}
	}
	page, err := f.store.Changes(ctx, f.userID, f.week, row.ID, 1)
	if err != nil || len(page) != 1 || page[0].ID != quick.ID {
		t.Errorf("the page below %d: %v, %v; want %d alone", row.ID, page, err, quick.ID)
	}
	other, _ := f.user(t, "jonas@example.com", 2)
	if theirs, err := f.store.Changes(ctx, other, f.week, 0, 10); err != nil || len(theirs) != 0 {
		t.Errorf("somebody else sees %v, %v", theirs, err)
	}
	for _, test := range []struct {
		name string
		user int64
		week planner.Week
		want error
	}{{"its own", f.userID, f.week, nil}, {"somebody else's", other, f.week, planner.ErrNotFound}, {"another week's", f.userID, f.week.Previous(), planner.ErrNotFound}} {
		err := f.store.InTx(ctx, func(tx *db.Tx) error {
			_, err := tx.ChangeAt(ctx, test.user, test.week, edit.ID)
			return err
		})
		if !errors.Is(err, test.want) {
			t.Errorf("when a change was made, asked as %s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestRowsUsed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	monday := f.week.Start
	f.plan(t, planner.CellID{RowID: f.rows[0], Date: monday}, 60, "")
	f.plan(t, planner.CellID{RowID: f.rows[0], Date: monday + 2}, 30, "")
	f.plan(t, planner.CellID{RowID: f.rows[1], Date: monday - 100}, 30, "") // before the first date
	f.store1(t, f.userID, f.remote(1, 77, 78, 3, 150, func(e *ledger.RemoteEntry) {
		e.ProjectName, e.TaskName, e.ClientID, e.ClientName = "Archived", "Old", 9, "Nine"
	}))
	var local planner.RowID
	f.in(t, func(tx *db.Tx) (err error) {
		local, _, err = tx.AddLocalRow(ctx, f.userID, "a new row", f.week, db.RowName{Client: "Studio", Project: "Taxes", Task: "Forms"})
		return err
	})
	got, err := f.store.RowsUsed(ctx, f.userID, monday-7, f.week.End())
	if err != nil {
		t.Fatal(err)
	}
	type used struct {
		Last    planner.Date
		Minutes planner.Minutes
		Local   bool
	}
	all := map[string]used{}
	for _, r := range got {
		all[r.Name.Client+" · "+r.Name.Project+" · "+r.Name.Task] = used{r.Last, r.Minutes, r.Local}
		if r.Name.ClientID == 0 || (r.ID == local) != r.Local {
			t.Errorf("row %+v", r)
		}
	}
	want := map[string]used{
		"Client 1 · Project 11 · Task 21": {monday + 2, 90, false},
		"Nine · Archived · Old":           {monday + 3, 90, false},
		"Studio · Taxes · Forms":          {0, 0, true},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
