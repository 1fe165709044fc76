package db_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// TestWeekBefore: the page of a week says what the one before has left, as the
// carry-over reckons it, and nothing once it is dismissed.
func TestWeekBefore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	next := f.week.Next()
	want := func(when string, unfinished planner.Minutes, hasRows bool) {
		t.Helper()
		page, _, err := f.store.WeekPage(t.Context(), f.userID, next)
		if err != nil {
			t.Fatal(err)
		}
		if page.Before.Unfinished != unfinished || page.Before.HasRows != hasRows {
			t.Errorf("%s: %+v, want %d minutes", when, page.Before, unfinished)
		}
		last := f.weekPlan(t)
		target := page.Sheet()
		var left planner.Minutes
		for _, move := range target.CarryOver(last.Sheet(), next.Start) {
			left += move.Unfinished
		}
		if left != unfinished && when != "dismissed" {
			t.Errorf("%s: %d minutes are carried over, said are %d", when, left, unfinished)
		}
	}
	want("an empty week", 0, false)
	f.plan(t, f.cell(0, 0), 90, "")
	f.plan(t, f.cell(0, 1), 60, "")
	f.plan(t, f.cell(1, 0), 60, "")
	want("only planned", 210, true)
	f.push(t, func(l ledger.Line) bool { return l.Cell == f.cell(0, 0) })
	want("on its way", 120, true)
	f.sent(t, 501)
	want("in Harvest", 120, true)
	f.seen(t, f.inHarvest(t, f.cell(1, 3), 502, 133, "")) // 1:20 on another day
	want("more than planned, on another day", 60, true)
	f.assign(t, f.userID, assignment(1, 12, 21), assignment(2, 13, 22))
	want("archived", 0, true)
	f.assign(t, f.userID, assignment(1, 11, 21), assignment(1, 12, 21), assignment(2, 13, 22))
	want("active again", 60, true)
	if err := f.store.DismissCarryOver(t.Context(), f.userID, next); err != nil {
		t.Fatal(err)
	}
	if err := f.store.DismissCarryOver(t.Context(), f.userID, next); err != nil {
		t.Fatal(err)
	}
	want("dismissed", 0, true)
}

// TestTemplates: a template is what was kept, under a name of its own, of its
// owner alone.
func TestTemplates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pattern := planner.Pattern{{ID: f.rows[0]}, {ID: f.rows[1]}, {ID: f.rows[2]}}
	pattern[0].Cells[0] = planner.Cell{Planned: 60, Note: "Sunday"}
	pattern[0].Cells[6] = planner.Cell{Planned: 30}
	pattern[1].Cells[3] = planner.Cell{Note: "only a note"}
	save := func(userID int64, name string, p planner.Pattern) error {
		return f.store.InTx(t.Context(), func(tx *db.Tx) error { return tx.MakeTemplate(t.Context(), userID, name, p) })
	}
	list := func() []db.Template {
		t.Helper()
		list, err := f.store.Templates(t.Context(), f.userID)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(save(f.userID, "Standard", pattern))
	must(save(f.userID, strings.Repeat("é", 100), nil))
	if err := save(f.userID, "Standard", nil); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("a second one of the name: %v", err)
	}
	templates := list()
	if len(templates) != 2 || templates[0].Name != "Standard" || templates[0].Rows != 3 || templates[0].Planned != 90 || templates[1].Rows != 0 {
		t.Fatalf("%+v", templates)
	}
	id := templates[0].ID
	week, err := f.store.TemplateWeek(t.Context(), f.userID, id)
	must(err)
	if diff := cmp.Diff(pattern, week.Pattern); diff != "" || len(week.Rows) != 3 || week.Rows[2].Client != "Client 2" {
		t.Errorf("%+v %s", week.Rows, diff)
	}
	if err := f.store.RenameTemplate(t.Context(), f.userID, id, templates[1].Name); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("renamed to a name that is taken: %v", err)
	}
	must(f.store.RenameTemplate(t.Context(), f.userID, id, "Usual"))

	other, _ := f.user(t, "bob@example.com", 2)
	must(save(other, "Usual", nil))
	if _, err := f.store.TemplateWeek(t.Context(), other, id); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("read by somebody else: %v", err)
	}
	if err := f.store.RenameTemplate(t.Context(), other, id, "Mine"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("renamed by somebody else: %v", err)
	}
	if err := f.store.DeleteTemplate(t.Context(), other, id); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("deleted by somebody else: %v", err)
	}
	must(f.store.DeleteTemplate(t.Context(), f.userID, id))
	if left := list(); len(left) != 1 {
		t.Errorf("%+v", left)
	}
	if n := f.int(t, "select count(*) from template_cells"); n != 0 {
		t.Errorf("%d cells of deleted templates", n)
	}
}
