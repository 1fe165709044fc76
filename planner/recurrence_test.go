package planner_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/planner"
)

func TestHorizon(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		today string
		start time.Weekday
		want  string
	}{
		{"2026-11-23", time.Monday, "2027-05-30"},
		{"2026-11-29", time.Monday, "2027-05-30"},
		{"2026-11-29", time.Sunday, "2027-06-05"},
		{"2026-12-31", time.Monday, "2027-07-04"}, // in week 53
		{"2027-09-01", time.Saturday, "2028-03-03"},
	} {
		today, err := planner.ParseDate(tt.today)
		if err != nil {
			t.Fatal(err)
		}
		if got := planner.Horizon(today, tt.start).String(); got != tt.want {
			t.Errorf("on %s, weeks beginning on %v: %s, want %s", tt.today, tt.start, got, tt.want)
		}
	}
}

func TestRecurrence(t *testing.T) {
	t.Parallel()
	end := planner.NewDate(2028, time.March, 7)
	rule := planner.Recurrence{
		ID: 7, Row: rowID(1), Days: planner.WeekdaysOf(time.Tuesday, time.Thursday), Each: planner.Cell{Planned: 60, Note: "stand-up"},
		StartsOn: planner.NewDate(2028, time.February, 24), EndsOn: &end,
	}
	cells := map[planner.Date]planner.RecurringCell{
		planner.NewDate(2028, time.February, 29): {Touched: true}, // cleared by hand
	}
	var got []string
	for _, edit := range planner.Replace(nil, &rule, rule.StartsOn.AddDays(-30), rule.StartsOn.AddDays(60), cells) {
		if edit.Cell.RowID != rule.Row || edit.To != rule.Each {
			t.Errorf("%+v", edit)
		}
		got = append(got, edit.Cell.Date.String())
	}
	if diff := cmp.Diff([]string{"2028-02-24", "2028-03-02", "2028-03-07"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	monday := planner.NewDate(2026, time.November, 23)
	each := planner.Cell{Planned: 60}
	old := &planner.Recurrence{ID: 7, Row: rowID(1), Days: planner.WeekdaysOf(time.Monday, time.Tuesday), Each: each, StartsOn: monday.AddDays(-70)}
	next := &planner.Recurrence{Row: rowID(1), Days: planner.WeekdaysOf(time.Tuesday, time.Wednesday), Each: planner.Cell{Planned: 90, Note: "longer"}, StartsOn: monday}
	cells := map[planner.Date]planner.RecurringCell{
		monday:             {Cell: each, Rule: 7},
		monday.AddDays(1):  {Cell: each, Rule: 7},
		monday.AddDays(7):  {Cell: planner.Cell{Planned: 60, Note: "mine"}, Touched: true},
		monday.AddDays(8):  {Cell: each, Touched: true}, // typed over with the same
		monday.AddDays(9):  {Cell: each, Rule: 8},       // another one's
		monday.AddDays(15): {},                          // what the rule had put there was undone by a rule
	}
	edit := func(day int, to planner.Cell) planner.Edit {
		return planner.Edit{Cell: planner.CellID{RowID: rowID(1), Date: monday.AddDays(day)}, To: to}
	}
	got := planner.Replace(old, next, monday, monday.AddDays(15), cells)
	want := []planner.Edit{edit(0, planner.Cell{}), edit(1, next.Each), edit(2, next.Each), edit(15, next.Each)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("edited: %s", diff)
	}
	got = planner.Replace(old, nil, monday, monday.AddDays(15), cells)
	if diff := cmp.Diff([]planner.Edit{edit(0, planner.Cell{}), edit(1, planner.Cell{})}, got); diff != "" {
		t.Errorf("ended: %s", diff)
	}
}

// TestRecurrenceProperty: over any weeks, a rule fills exactly its days, once,
// writes nothing that somebody touched, and takes back what it wrote and no more.
func TestRecurrenceProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		today := drawWeek(t).Start
		rule := planner.Recurrence{
			ID: 1, Row: rowID(1), Days: planner.Weekdays(rapid.Uint8Range(1, 127).Draw(t, "days")), Each: planner.Cell{Planned: 30},
			StartsOn: today.AddDays(rapid.IntRange(-20, 20).Draw(t, "start")),
		}
		if rapid.Bool().Draw(t, "ends") {
			rule.EndsOn = new(rule.StartsOn.AddDays(rapid.IntRange(0, 100).Draw(t, "length")))
		}
		to := planner.Horizon(today, today.Weekday())
		before := map[planner.Date]planner.RecurringCell{}
		for d := today; d <= to; d++ {
			switch rapid.IntRange(0, 4).Draw(t, "cell") {
			case 0:
				before[d] = planner.RecurringCell{Touched: true}
			case 1:
				before[d] = planner.RecurringCell{Cell: planner.Cell{Note: "mine"}, Touched: true}
			}
		}
		cells := map[planner.Date]planner.RecurringCell{}
		for d, c := range before {
			cells[d] = c
		}
		for _, edit := range planner.Replace(nil, &rule, today, to, cells) {
			d := edit.Cell.Date
			if before[d] != (planner.RecurringCell{}) || !rule.Days.Has(d.Weekday()) || d < rule.StartsOn || rule.EndsOn != nil && d > *rule.EndsOn {
				t.Fatalf("%v is filled", d)
			}
			cells[d] = planner.RecurringCell{Cell: edit.To, Rule: rule.ID}
		}
		for d := today; d <= to; d++ {
			if rule.Falls(d) && before[d] == (planner.RecurringCell{}) && cells[d].Cell != rule.Each {
				t.Fatalf("%v is not filled", d)
			}
		}
		if again := planner.Replace(nil, &rule, today, to, cells); len(again) > 0 {
			t.Fatalf("filled again: %v", again)
		}
		for _, edit := range planner.Replace(&rule, nil, today, to, cells) {
			cells[edit.Cell.Date] = before[edit.Cell.Date]
			if edit.To != (planner.Cell{}) {
				t.Fatalf("%+v", edit)
			}
		}
		for d := today; d <= to; d++ {
			if cells[d] != before[d] {
				t.Fatalf("%v: %+v, was %+v", d, cells[d], before[d])
			}
		}
	})
}
