package db_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/planner"
)

// recurring is a fixture on the Wednesday of its week.
type recurring struct {
	*fixture

	user  db.User
	today planner.Date
}

func newRecurring(t *testing.T) *recurring {
	t.Helper()
	f := newFixture(t)
	user, err := f.store.User(t.Context(), f.userID)
	if err != nil {
		t.Fatal(err)
	}
	return &recurring{f, user, f.week.Day(2)}
}

// tuesdays is an hour on each Tuesday from that of the fixture's week on.
func (r *recurring) tuesdays() planner.Recurrence {
	return planner.Recurrence{Row: r.rows[0], Days: planner.WeekdaysOf(time.Tuesday), Each: planner.Cell{Planned: 60, Note: "stand-up"}, StartsOn: r.week.Day(1)}
}

func (r *recurring) make(t *testing.T, rule planner.Recurrence, mutation string) (filled int) {
	t.Helper()
	r.in(t, func(tx *db.Tx) (err error) {
		filled, err = tx.MakeRecurrence(t.Context(), r.user, rule, r.today, mutation)
		return err
	})
	return filled
}

func (r *recurring) replace(t *testing.T, id int64, rule planner.Recurrence, mutation string) (changed int) {
	t.Helper()
	r.in(t, func(tx *db.Tx) (err error) {
		changed, err = tx.ChangeRecurrence(t.Context(), r.user, id, rule, r.today, mutation)
		return err
	})
	return changed
}

func (r *recurring) end(t *testing.T, id int64, before planner.Date) (cleared int) {
	t.Helper()
	r.in(t, func(tx *db.Tx) (err error) {
		cleared, err = tx.EndRecurrence(t.Context(), r.user, id, before, r.today)
		return err
	})
	return cleared
}

func (r *recurring) list(t *testing.T) []db.Recurrence {
	t.Helper()
	list, err := r.store.Recurrences(t.Context(), r.userID)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (r *recurring) extend(t *testing.T, today planner.Date) {
	t.Helper()
	if err := r.store.ExtendRecurrences(t.Context(), r.userID, today.Time().Add(12*time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// cells are the planned cells by date.
func (r *recurring) cells(t *testing.T) map[string]string {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), "select date, minutes, note from cells where user_id = $1", r.userID)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	cells := map[string]string{}
	for rows.Next() {
		var date planner.Date
		var minutes int
		var note string
		if err := rows.Scan(&date, &minutes, &note); err != nil {
			t.Fatal(err)
		}
		cells[date.String()] = fmt.Sprint(minutes, " ", note)
	}
	return cells
}

// TestRecurrenceFills: what was typed, cleared or moved stays; the rest is filled
// up to the horizon, each week as a change of its own that Ctrl+Z passes over.
func TestRecurrenceFills(t *testing.T) {
	t.Parallel()
	r := newRecurring(t)
	typed, cleared := r.cell(0, 8), r.cell(0, 15)
	r.plan(t, typed, 30, "")
	r.plan(t, cleared, 30, "")
	r.plan(t, cleared, 0, "")
	if filled := r.make(t, r.tuesdays(), "mutation-1"); filled != 25 {
		t.Errorf("%d cells are filled, want 27 Tuesdays less 2", filled)
	}
	if again := r.make(t, r.tuesdays(), "mutation-1"); again != 0 || len(r.list(t)) != 1 {
		t.Errorf("the same form again fills %d cells, there are %d rules", again, len(r.list(t)))
	}
	cells := r.cells(t)
	if cells[typed.Date.String()] != "30 " || cells[cleared.Date.String()] != "" || cells["2026-11-24"] != "60 stand-up" || cells["2027-05-25"] != "60 stand-up" || len(cells) != 26 {
		t.Errorf("planned: %v", cells)
	}
	if n := r.int(t, "select count(*) from plan_changes where kind = 'recurring' and last_day - first_day = 0"); n != 25 {
		t.Errorf("%d changes, want one for each week", n)
	}
	if undone, err := r.undo(t.Context(), 0, "undo-mutation"); err == nil && undone.Kind == planner.ChangeRecurring {
		t.Error("an undo takes back what the rule did by itself")
	}
}

// TestRecurrenceExtends: time goes by, and the horizon goes along, for the rules
// that go on. Running it again, for processes side by side too, changes nothing.
func TestRecurrenceExtends(t *testing.T) {
	t.Parallel()
	r := newRecurring(t)
	r.make(t, r.tuesdays(), "mutation-1")
	ended := r.tuesdays()
	ended.Days, ended.EndsOn = planner.WeekdaysOf(time.Friday), new(r.week.Day(4))
	r.make(t, ended, "mutation-2")
	before := r.cells(t)
	r.extend(t, r.today)
	if diff := cmp.Diff(before, r.cells(t)); diff != "" {
		t.Errorf("on the same day: %s", diff)
	}

	later := r.today.AddDays(21)
	last := r.cell(0, 27*7+1)
	r.plan(t, last, 15, "typed")
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := r.store.ExtendRecurrences(t.Context(), r.userID, later.Time().Add(time.Hour)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	before["2027-06-01"], before["2027-06-08"], before["2027-06-15"] = "15 typed", "60 stand-up", "60 stand-up"
	if diff := cmp.Diff(before, r.cells(t)); diff != "" {
		t.Errorf("three weeks later: %s", diff)
	}
	for days, want := range map[int]int{182: 0, 181: 1} {
		if _, err := r.pool.Exec(t.Context(), "update recurrences set filled_to = current_date + $1::int", days); err != nil {
			t.Fatal(err)
		}
		if users, err := r.store.UsersWithShortRecurrences(t.Context()); err != nil || len(users) != want {
			t.Errorf("planned %d days ahead, users with work to extend: %v, %v", days, users, err)
		}
	}
	if _, err := r.pool.Exec(t.Context(), "update recurrences set filled_to = $1", planner.Horizon(later, r.user.Profile.WeekStart)); err != nil {
		t.Fatal(err)
	}

	// Nothing may be logged on the row any more: it waits until that is so again.
	r.assign(t, r.userID, assignment(2, 13, 22))
	before = r.cells(t)
	r.extend(t, later.AddDays(28))
	if diff := cmp.Diff(before, r.cells(t)); diff != "" {
		t.Errorf("archived: %s", diff)
	}
}

// TestRecurrenceEnds: ending takes back what is still as the rule made it, from
// the date on and not before today; then the cells are free for another rule.
func TestRecurrenceEnds(t *testing.T) {
	t.Parallel()
	r := newRecurring(t)
	r.make(t, r.tuesdays(), "mutation-1")
	id := r.list(t)[0].ID
	r.plan(t, r.cell(0, 8), 90, "stand-up")
	r.plan(t, r.cell(0, 15), 60, "stand-up") // as it was: nothing happens
	if cleared := r.end(t, id, r.week.Day(14)); cleared != 25 {
		t.Errorf("%d cells are cleared, want 25", cleared)
	}
	want := map[string]string{"2026-11-24": "60 stand-up", "2026-12-01": "90 stand-up"}
	if diff := cmp.Diff(want, r.cells(t)); diff != "" {
		t.Error(diff)
	}
	if list := r.list(t); len(list) != 1 || list[0].EndsOn == nil || *list[0].EndsOn != r.week.Day(13) {
		t.Errorf("rules: %+v", list)
	}
	if cleared := r.end(t, id, r.week.Day(14)); cleared != 0 {
		t.Errorf("ended again, it clears %d cells", cleared)
	}
	if cleared := r.end(t, id, r.week.Day(-7)); cleared != 0 || len(r.list(t)) != 0 {
		t.Errorf("ended before it began, it clears %d cells of the past; rules: %+v", cleared, r.list(t))
	}
	if filled := r.make(t, r.tuesdays(), "mutation-2"); filled != 25 {
		t.Errorf("made again, it fills %d cells, want 25", filled)
	}
}

// TestRecurrenceChanges: a rule gets another day and another time from a date on.
func TestRecurrenceChanges(t *testing.T) {
	t.Parallel()
	r := newRecurring(t)
	r.make(t, r.tuesdays(), "mutation-1")
	r.plan(t, r.cell(0, 15), 5, "typed")
	id := r.list(t)[0].ID
	next := planner.Recurrence{Days: planner.WeekdaysOf(time.Tuesday, time.Thursday), Each: planner.Cell{Planned: 45}, StartsOn: r.week.Day(7), EndsOn: new(r.week.Day(17))}
	if changed := r.replace(t, id, next, "mutation-2"); changed != 1+2+24 {
		t.Errorf("%d cells are different", changed)
	}
	if again := r.replace(t, id, next, "mutation-2"); again != 0 {
		t.Errorf("the same form again changes %d cells", again)
	}
	want := map[string]string{"2026-11-24": "60 stand-up", "2026-12-01": "45 ", "2026-12-03": "45 ", "2026-12-08": "5 typed", "2026-12-10": "45 "}
	if diff := cmp.Diff(want, r.cells(t)); diff != "" {
		t.Error(diff)
	}
	if list := r.list(t); len(list) != 2 || *list[0].EndsOn != r.week.Day(6) || list[1].StartsOn != r.week.Day(7) {
		t.Errorf("rules: %+v", list)
	}
}

// TestRecurrenceOfOthers: nobody makes, changes or ends anything of somebody
// else's.
func TestRecurrenceOfOthers(t *testing.T) {
	t.Parallel()
	r := newRecurring(t)
	r.make(t, r.tuesdays(), "mutation-1")
	id, before := r.list(t)[0].ID, r.cells(t)
	otherID, _ := r.fixture.user(t, "bob@example.com", 2)
	other, err := r.store.User(t.Context(), otherID)
	if err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func(*db.Tx) error{
		"make": func(tx *db.Tx) error {
			_, err := tx.MakeRecurrence(t.Context(), other, r.tuesdays(), r.today, "mutation-3")
			return err
		},
		"change": func(tx *db.Tx) error {
			_, err := tx.ChangeRecurrence(t.Context(), other, id, r.tuesdays(), r.today, "mutation-3")
			return err
		},
		"end": func(tx *db.Tx) error {
			_, err := tx.EndRecurrence(t.Context(), other, id, r.today, r.today)
			return err
		},
	} {
		if err := r.store.InTx(t.Context(), do); !errors.Is(err, planner.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if diff := cmp.Diff(before, r.cells(t)); diff != "" || len(r.list(t)) != 1 {
		t.Errorf("something changed: %s", diff)
	}
}
