package planner_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/planner"
)

func rowID(n int64) planner.RowID { return planner.RowID{ProjectID: n, TaskID: 100 + n} }

// sheetRow is a row with what is planned and tracked on its days.
func sheetRow(n int64, planned, tracked [planner.DaysInWeek]planner.Minutes, notes ...string) planner.SheetRow {
	r := planner.SheetRow{ID: rowID(n)}
	for day := range r.Cells {
		r.Cells[day].Planned, r.Cells[day].Tracked = planned[day], tracked[day]
		if day < len(notes) {
			r.Cells[day].Note = notes[day]
		}
	}
	return r
}

type days = [planner.DaysInWeek]planner.Minutes

// lastWeek has a bit of everything.
func lastWeek() planner.Sheet {
	archived := sheetRow(4, days{0: 60}, days{})
	archived.Archived = true
	return planner.Sheet{
		Week: planner.Week{Start: planner.NewDate(2026, time.November, 16)},
		Rows: []planner.SheetRow{
			sheetRow(1, days{0: 120, 2: 60}, days{0: 30, 2: 60}, "draft", "", "send"),
			sheetRow(2, days{1: 60, 3: 60}, days{4: 90}, "", "call"), // made up for on Friday, for the most part
			sheetRow(3, days{}, days{5: 45}),
			archived,
			sheetRow(5, days{}, days{}),
		},
	}
}

func TestCopyWeek(t *testing.T) {
	t.Parallel()
	cell := func(m planner.Minutes, note string) planner.Cell { return planner.Cell{Planned: m, Note: note} }
	for _, tt := range []struct {
		way  planner.CopyWay
		want map[int64]map[int]planner.Cell // by row and day
	}{
		{planner.CopyRows, map[int64]map[int]planner.Cell{1: {}, 2: {}, 3: {}, 5: {}}},
		{planner.CopyPlan, map[int64]map[int]planner.Cell{1: {0: cell(120, "draft"), 2: cell(60, "send")}, 2: {1: cell(60, "call"), 3: cell(60, "")}, 3: {}, 5: {}}},
		{planner.CopyTracked, map[int64]map[int]planner.Cell{1: {0: cell(30, ""), 2: cell(60, "")}, 2: {4: cell(90, "")}, 3: {5: cell(45, "")}}},
		{planner.CopyUnfinished, map[int64]map[int]planner.Cell{1: {0: cell(90, "draft")}, 2: {3: cell(30, "")}}},
	} {
		source := lastWeek()
		target := planner.Sheet{Week: source.Week.Next()}
		filling := target.Fill(source.Pattern(tt.way))
		got := map[int64]map[int]planner.Cell{}
		for _, row := range filling.Rows {
			if row.ID == rowID(4) {
				if row.Skipped != planner.SkipArchived {
					t.Errorf("%s: the archived row: %q", tt.way, row.Skipped)
				}
				continue
			}
			if row.Skipped != "" {
				t.Errorf("%s: row %d is skipped: %s", tt.way, row.ID.ProjectID, row.Skipped)
			}
			got[row.ID.ProjectID] = map[int]planner.Cell{}
			for day, c := range row.Cells {
				if c != (planner.Cell{}) {
					got[row.ID.ProjectID][day] = c
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.way, diff)
		}
	}
}

func TestFillSkips(t *testing.T) {
	t.Parallel()
	source := planner.Sheet{Rows: []planner.SheetRow{
		sheetRow(1, days{0: 60}, days{}), sheetRow(2, days{0: 60}, days{}), sheetRow(3, days{0: 60, 1: 30}, days{}),
		sheetRow(4, days{}, days{}), sheetRow(5, days{0: 60}, days{}), sheetRow(6, days{0: 60, 2: 60}, days{}),
	}}
	target := planner.Sheet{Week: source.Week.Next(), Locked: onDays(0), Rows: []planner.SheetRow{
		sheetRow(1, days{6: 15}, days{}), sheetRow(2, days{}, days{}, "", "only a note"), sheetRow(3, days{}, days{1: 60}), sheetRow(4, days{}, days{}),
		sheetRow(6, days{}, days{}),
	}}
	target.Rows[4].Cells[2].Locked = true
	want := map[int64]planner.Skip{1: planner.SkipPlanned, 2: planner.SkipPlanned, 3: "", 4: planner.SkipShown, 5: planner.SkipLocked, 6: planner.SkipLocked}
	got := map[int64]planner.Skip{}
	filling := target.Fill(source.Pattern(planner.CopyPlan))
	for _, row := range filling.Rows {
		got[row.ID.ProjectID] = row.Skipped
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	edits := []planner.Edit{{Cell: planner.CellID{RowID: rowID(3), Date: target.Week.Day(1)}, To: planner.Cell{Planned: 30}}}
	if diff := cmp.Diff(edits, filling.Edits()); diff != "" {
		t.Error(diff)
	}
	if row := filling.Rows[2]; !row.Locked[0] || row.Locked[1] {
		t.Errorf("days said to be locked: %v", row.Locked)
	}
}

// onDays marks days.
func onDays(which ...int) (all [planner.DaysInWeek]bool) {
	for _, day := range which {
		all[day] = true
	}
	return all
}

// drawSheet draws a week that begins on start.
func drawSheet(t *rapid.T, label string, week planner.Week) planner.Sheet {
	s := planner.Sheet{Week: week}
	for day := range s.Capacity {
		s.Capacity[day] = planner.Minutes(rapid.SampledFrom([]int{0, 10, 60, 240, 450}).Draw(t, label+" capacity"))
		s.Locked[day] = rapid.IntRange(0, 9).Draw(t, label+" lock") == 0
	}
	times := rapid.SampledFrom([]planner.Minutes{0, 0, 0, 5, 15, 60, 95, 480, planner.MaxCell})
	for n := range rapid.IntRange(0, 6).Draw(t, label+" rows") {
		row := planner.SheetRow{ID: rowID(int64(10*n + rapid.IntRange(0, 1).Draw(t, "which"))), Archived: rapid.IntRange(0, 9).Draw(t, "archived") == 0}
		for day := range row.Cells {
			c := &row.Cells[day]
			c.Planned, c.Tracked = times.Draw(t, "planned"), times.Draw(t, "tracked")
			c.Note = rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "note")
			c.Locked = rapid.IntRange(0, 9).Draw(t, "locked") == 0
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

func drawWeek(t *rapid.T) planner.Week {
	date := planner.NewDate(2026, time.January, 1).AddDays(rapid.IntRange(-3000, 3000).Draw(t, "date"))
	return planner.WeekOf(date, time.Weekday(rapid.IntRange(0, 6).Draw(t, "week start")))
}

func cellOf(s planner.Sheet, id planner.CellID) (planner.SheetCell, bool) {
	for _, r := range s.Rows {
		if r.ID == id.RowID {
			return r.Cells[id.Date-s.Week.Start], true
		}
	}
	return planner.SheetCell{}, false
}

// TestFillProperty: whatever is copied between any two weeks, nothing is
// overwritten or put where it is locked, everything keeps its weekday and its
// amount, and what is neither added nor skipped is locked.
func TestFillProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := drawSheet(t, "source", drawWeek(t))
		target := drawSheet(t, "target", drawWeek(t)) // another week start, too
		way := rapid.SampledFrom(planner.CopyWays()).Draw(t, "way")
		pattern := source.Pattern(way)
		filling := target.Fill(pattern)
		var added planner.Minutes
		for _, edit := range filling.Edits() {
			if !target.Week.Contains(edit.Cell.Date) {
				t.Fatalf("%v is not in week %v", edit.Cell, target.Week)
			}
			day := edit.Cell.Date - target.Week.Start
			now, _ := cellOf(target, edit.Cell)
			if now.Cell != (planner.Cell{}) || now.Locked || target.Locked[day] {
				t.Fatalf("%v holds %+v, or is locked", edit.Cell, now)
			}
			added += edit.To.Planned
			for back := range planner.DaysInWeek {
				if from := source.Week.Day(back); from.Weekday() == edit.Cell.Date.Weekday() {
					was, _ := cellOf(source, planner.CellID{RowID: edit.Cell.RowID, Date: from})
					whole := map[planner.CopyWay]planner.Cell{planner.CopyPlan: was.Cell, planner.CopyTracked: {Planned: was.Tracked}}
					if want, ok := whole[way]; ok && edit.To != want {
						t.Fatalf("%v becomes %+v, want %+v", edit.Cell, edit.To, want)
					}
					if edit.To.Planned > max(was.Planned, was.Tracked) || edit.To.Note != "" && edit.To.Note != was.Note {
						t.Fatalf("%v becomes %+v of %+v", edit.Cell, edit.To, was)
					}
				}
			}
		}
		if planned := filling.Planned(); added != total(planned) {
			t.Fatalf("%d minutes are added, said are %d", added, total(planned))
		}
		if len(filling.Rows) != len(pattern) {
			t.Fatalf("%d rows, %d in the pattern", len(filling.Rows), len(pattern))
		}
		for i, row := range filling.Rows {
			for day, cell := range row.Cells {
				want := pattern[i].Cells[target.Week.Day(day).Weekday()]
				if row.Skipped == "" && cell != want && (cell != (planner.Cell{}) || !row.Locked[day]) {
					t.Fatalf("row %v gets %+v on day %d, want %+v", row.ID, cell, day, want)
				}
				if row.Skipped != "" && cell != (planner.Cell{}) {
					t.Fatalf("a skipped row gets %+v", cell)
				}
			}
		}
		// Unfinished is what the row as a whole has left.
		for _, row := range source.Rows {
			planned, tracked := planner.Minutes(0), planner.Minutes(0)
			for _, c := range row.Cells {
				planned, tracked = planned+c.Planned, tracked+c.Tracked
			}
			var left planner.Minutes
			for _, p := range source.Pattern(planner.CopyUnfinished) {
				if p.ID == row.ID {
					for _, c := range p.Cells {
						left += c.Planned
					}
				}
			}
			if left != max(0, planned-tracked) {
				t.Fatalf("%d of %d planned minutes are unfinished, %d are tracked", left, planned, tracked)
			}
		}
	})
}

func total(each [planner.DaysInWeek]planner.Minutes) (sum planner.Minutes) {
	for _, m := range each {
		sum += m
	}
	return sum
}
