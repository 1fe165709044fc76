package db_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/db"
	"furrow/planner"
)

// change stores a change, which must be possible.
func (f *fixture) change(t *testing.T, c db.PlanChange) (changed db.Changed) {
	t.Helper()
	if c.MutationID == "" {
		c.MutationID = rand.Text()
	}
	err := f.store.InMutation(t.Context(), func(tx *db.Tx) (err error) {
		changed, err = tx.ChangePlan(t.Context(), f.userID, c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func (f *fixture) undo(ctx context.Context, id int64, mutation string) (undone db.Undone, err error) {
	err = f.store.InMutation(ctx, func(tx *db.Tx) (err error) {
		undone, err = tx.Undo(ctx, f.userID, f.week, id, mutation)
		return err
	})
	return undone, err
}

func (f *fixture) redo(ctx context.Context, mutation string) (undone db.Undone, err error) {
	err = f.store.InMutation(ctx, func(tx *db.Tx) (err error) {
		undone, err = tx.Redo(ctx, f.userID, f.week, mutation)
		return err
	})
	return undone, err
}

// planned is the plan of the fixture's week, the rows kept in it, and its days
// off.
type planned struct {
	Cells map[planner.CellID]planner.Cell
	Kept  []planner.RowID
	Off   []planner.DayOff
}

func (f *fixture) planned(ctx context.Context) (planned, error) {
	plan, err := f.store.WeekPlan(ctx, f.userID, f.week)
	p := planned{Cells: map[planner.CellID]planner.Cell{}, Off: plan.Off}
	for _, row := range plan.Rows {
		for d, c := range row.Cells {
			if c.Planned > 0 || c.Note != "" {
				p.Cells[planner.CellID{RowID: row.ID, Date: f.week.Day(d)}] = planner.Cell{Planned: c.Planned, Note: c.Note}
			}
		}
		if row.Kept {
			p.Kept = append(p.Kept, row.ID)
		}
	}
	return p, err
}

func to(cell planner.CellID, minutes planner.Minutes) planner.Edit {
	return planner.Edit{Cell: cell, To: planner.Cell{Planned: minutes}}
}

// Whatever is changed and taken back, in whatever order: the plan is what the
// changes that stand make of it, and each form counts once.
func TestUndoRestoresExactly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		for _, table := range []string{"cells", "plan_events", "week_rows", "days_off", "plan_changes"} {
			if _, err := f.pool.Exec(ctx, "delete from "+table); err != nil {
				rt.Fatal(err)
			}
		}
		now := func() planned {
			p, err := f.planned(ctx)
			if err != nil {
				rt.Fatal(err)
			}
			return p
		}
		done, undone := []planned{now()}, []planned{} // what was before each change that stands; and after each undone one
		done = done[:0]
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			before, mutation := now(), rand.Text()
			sent := rapid.IntRange(1, 2).Draw(rt, "times that the form is sent")
			switch what := rapid.SampledFrom([]string{"change", "change", "change", "undo", "undo", "redo"}).Draw(rt, "what"); what {
			case "change":
				change := f.drawChange(rt)
				change.MutationID = mutation
				var id int64
				for i := range sent {
					err := f.store.InMutation(ctx, func(tx *db.Tx) error {
						changed, err := tx.ChangePlan(ctx, f.userID, change)
						if i == 0 {
							id = changed.ID
						} else if len(changed.Cells)+len(changed.Days) > 0 {
							return fmt.Errorf("the same form again: %+v", changed)
						}
						return err
					})
					if err != nil {
						rt.Fatal(err)
					}
				}
				if (id == 0) != cmp.Equal(before, now()) {
					rt.Fatalf("change %d: %+v became %+v", id, before, now())
				}
				if id != 0 {
					done, undone = append(done, before), nil
				}
			default:
				from, back := &done, &undone
				take := func() error { _, err := f.undo(ctx, 0, mutation); return err }
				if what == "redo" {
					from, back = back, from
					take = func() error { _, err := f.redo(ctx, mutation); return err }
				}
				for i := range sent {
					if err := take(); err != nil && (i > 0 || len(*from) > 0 || !errors.Is(err, planner.ErrNotFound)) {
						rt.Fatalf("%s with %d to take back: %v", what, len(*from), err)
					} else if err != nil {
						break
					}
				}
				if last := len(*from) - 1; last >= 0 {
					if diff := cmp.Diff((*from)[last], now()); diff != "" {
						rt.Fatalf("after the %s (-want +got):\n%s", what, diff)
					}
					*from, *back = (*from)[:last], append(*back, before)
				}
			}
		}
	})
}

// drawChange is a change of some cells, rows and days of the fixture's week.
func (f *fixture) drawChange(rt *rapid.T) db.PlanChange {
	cells := map[planner.CellID]planner.Edit{}
	for range rapid.IntRange(0, 4).Draw(rt, "cells") {
		id := f.cell(rapid.IntRange(0, 1).Draw(rt, "row"), rapid.IntRange(0, 2).Draw(rt, "day"))
		cells[id] = planner.Edit{
			Cell: id, KeepNote: rapid.Bool().Draw(rt, "keep the note"),
			To: planner.Cell{Planned: planner.Minutes(rapid.IntRange(0, 3).Draw(rt, "minutes") * 30), Note: rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "note")},
		}
	}
	change := db.PlanChange{Kind: planner.ChangeEdit, Seen: db.SeenAll, Cells: slices.Collect(maps.Values(cells))}
	for _, d := range rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 0, 3, rapid.ID).Draw(rt, "days") {
		to := planner.Workday{Off: rapid.Bool().Draw(rt, "off")}
		if to.Off {
			to.Name = rapid.SampledFrom([]string{"", "Christmas"}).Draw(rt, "off for")
		}
		change.Days = append(change.Days, planner.DayEdit{Date: f.week.Day(d), To: to})
	}
	if rapid.Bool().Draw(rt, "a row too") {
		change.Rows = []db.RowChange{{Week: f.week, Row: f.rows[rapid.IntRange(0, 2).Draw(rt, "row kept")], Kept: rapid.Bool().Draw(rt, "kept")}}
	}
	return change
}

// What was changed again since is left alone, and said.
func TestUndoLeavesWhatChangedSince(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a, b := f.cell(0, 0), f.cell(1, 1)
	first := f.change(t, db.PlanChange{Kind: planner.ChangePaste, Cells: []planner.Edit{to(a, 60), to(b, 60)}})
	f.change(t, db.PlanChange{Kind: planner.ChangeEdit, Seen: db.SeenAll, Cells: []planner.Edit{to(b, 90)}})

	undone, err := f.undo(t.Context(), first.ID, "undo of both")
	if err != nil || undone.Kind != planner.ChangePaste || !slices.Equal(undone.Cells, []planner.CellID{a}) || !slices.Equal(undone.Left, []planner.CellID{b}) {
		t.Errorf("%+v, %v", undone, err)
	}
	if at := [2]planner.Minutes{f.at(t, a).Planned, f.at(t, b).Planned}; at != [2]planner.Minutes{0, 90} {
		t.Errorf("planned %v", at)
	}
	if _, err := f.undo(t.Context(), first.ID, "undo it again"); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("what was undone already: %v", err)
	}
	other, _ := f.user(t, "bob@example.com", 2)
	err = f.store.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Undo(t.Context(), other, f.week, first.ID, "undo of others")
		return err
	})
	if !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("the change of another user: %v", err)
	}
}

// A conflict keeps a change from being stored at all, or just that cell.
func TestChangeConflicts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a, b := f.cell(0, 0), f.cell(1, 1)
	f.change(t, db.PlanChange{Kind: planner.ChangeEdit, Cells: []planner.Edit{to(a, 60)}})
	change := db.PlanChange{Kind: planner.ChangePaste, MutationID: "of an old page", Cells: []planner.Edit{to(a, 90), to(b, 90)}}
	err := f.store.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ChangePlan(t.Context(), f.userID, change)
		return err
	})
	if !errors.Is(err, planner.ErrConflict) || f.at(t, b).Planned != 0 {
		t.Errorf("%v, and planned is %v", err, f.at(t, b))
	}
	change.Partly = true
	for range 2 {
		got := f.change(t, change)
		if !slices.Equal(got.Conflicts, []planner.CellID{a}) || f.at(t, a).Planned != 60 || f.at(t, b).Planned != 90 {
			t.Errorf("%+v", got)
		}
	}
	// The same mutation with another text is no repetition.
	change.Cells = []planner.Edit{to(b, 30)}
	change.Seen = db.SeenAll
	if got := f.change(t, change); !slices.Equal(got.Conflicts, []planner.CellID{b}) {
		t.Errorf("another text with the same mutation: %+v", got)
	}
}

// A week goes back to what it was after any of its changes.
func TestBackTo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var states []planned
	var ids []int64
	note := func(c db.Changed) {
		p, err := f.planned(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		states, ids = append(states, p), append(ids, c.ID)
	}
	note(f.change(t, db.PlanChange{Kind: planner.ChangeEdit, Cells: []planner.Edit{to(f.cell(0, 0), 60)}}))
	note(f.change(t, db.PlanChange{Kind: "add_row", Rows: []db.RowChange{{Week: f.week, Row: f.rows[2], Kept: true}}}))
	note(f.change(t, db.PlanChange{Kind: planner.ChangeTimeOff, Days: planner.TimeOff{First: f.week.Day(2), Last: f.week.Day(3), Name: "moving"}.Take()}))
	note(f.change(t, db.PlanChange{Kind: planner.ChangeWorkAgain, Days: planner.TimeOff{First: f.week.Day(3), Last: f.week.Day(3)}.WorkAgain()}))
	note(f.change(t, db.PlanChange{Kind: planner.ChangePaste, Seen: db.SeenAll, Cells: []planner.Edit{to(f.cell(0, 0), 0), to(f.cell(1, 3), 15)}}))
	note(f.change(t, db.PlanChange{Kind: "remove_row", Rows: []db.RowChange{{Week: f.week, Row: f.rows[2]}}}))
	for i, want := range states {
		err := f.store.InTx(t.Context(), func(tx *db.Tx) error {
			back, err := tx.BackTo(t.Context(), f.userID, f.week, ids[i])
			if err != nil {
				return err
			}
			back.Kind, back.MutationID, back.Seen = planner.ChangeRestore, rand.Text(), db.SeenAll
			_, err = tx.ChangePlan(t.Context(), f.userID, back)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.planned(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("back to change %d: %v\n%s", ids[i], err, diff)
		}
	}
}
