package planner_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/planner"
)

var thisWeek = planner.Week{Start: planner.NewDate(2026, time.November, 23)}

func TestSpread(t *testing.T) {
	t.Parallel()
	full := days{0: 420, 1: 420, 2: 420, 3: 420, 4: 420}
	for _, tt := range []struct {
		name  string
		today int
		rows  []planner.SheetRow
		want  []planner.Transfer
		left  []planner.Minutes
	}{
		{"nothing is left", 2, []planner.SheetRow{sheetRow(1, days{0: 60}, days{0: 60})}, nil, nil},
		{"today is not over", 0, []planner.SheetRow{sheetRow(1, days{0: 60}, days{})}, nil, nil},
		{"by what is free", 2, []planner.SheetRow{sheetRow(1, days{0: 120, 3: 210, 4: 420}, days{})},
			[]planner.Transfer{{ID: rowID(1), Unfinished: 120, Add: days{2: 75, 3: 45}}}, []planner.Minutes{0}},
		{"less than a step goes with the first", 3, []planner.SheetRow{sheetRow(1, days{0: 50}, days{})},
			[]planner.Transfer{{ID: rowID(1), Unfinished: 50, Add: days{3: 20, 4: 30}}}, []planner.Minutes{0}},
		{"what was tracked today takes room", 4, []planner.SheetRow{sheetRow(1, days{0: 60}, days{}), sheetRow(2, days{}, days{4: 390})},
			[]planner.Transfer{{ID: rowID(1), Unfinished: 60, Add: days{4: 30}}}, []planner.Minutes{30}},
		{"the rest of the week is full", 3, []planner.SheetRow{sheetRow(1, full, days{1: 420, 2: 420})},
			[]planner.Transfer{{ID: rowID(1), Unfinished: 420}}, []planner.Minutes{420}},
		{"one row after the other", 4, []planner.SheetRow{sheetRow(1, days{0: 300}, days{}), sheetRow(2, days{0: 300}, days{})},
			[]planner.Transfer{{ID: rowID(1), Unfinished: 300, Add: days{4: 300}}, {ID: rowID(2), Unfinished: 300, Add: days{4: 120}}}, []planner.Minutes{0, 180}},
	} {
		week := planner.Sheet{Week: thisWeek, Capacity: full, Rows: tt.rows}
		got := week.Spread(thisWeek.Day(tt.today), nil)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			continue
		}
		for i := range got {
			if got[i].Left() != tt.left[i] {
				t.Errorf("%s: %d minutes do not fit, want %d", tt.name, got[i].Left(), tt.left[i])
			}
		}
	}
}

func TestCarryOver(t *testing.T) {
	t.Parallel()
	last := planner.Sheet{Week: thisWeek.Previous(), Rows: []planner.SheetRow{
		sheetRow(1, days{0: 120, 2: 60}, days{0: 30, 2: 60}), sheetRow(2, days{1: 60}, days{}), sheetRow(3, days{4: 60}, days{4: 90}),
		sheetRow(4, days{0: planner.MaxCell, 1: planner.MaxCell}, days{}),
	}}
	week := planner.Sheet{Week: thisWeek, Capacity: days{0: 420, 1: 60, 2: 420, 3: 420, 4: 420}, Locked: onDays(2), Rows: []planner.SheetRow{sheetRow(9, days{3: 420}, days{})}}
	want := []planner.Transfer{
		{ID: rowID(1), Unfinished: 90, Add: days{1: 90}}, // the first with time free, though not enough
		{ID: rowID(2), Unfinished: 60, Add: days{4: 60}}, // Tuesday is full now, Wednesday locked, Thursday full
		{ID: rowID(4), Unfinished: 2 * planner.MaxCell},  // no day is so long
	}
	if diff := cmp.Diff(want, week.CarryOver(last, thisWeek.Day(1))); diff != "" {
		t.Error(diff)
	}
	week.Capacity = days{}
	want[0].Add, want[1].Add = days{1: 90}, days{1: 60}
	if diff := cmp.Diff(want, week.CarryOver(last, thisWeek.Day(1))); diff != "" {
		t.Errorf("no day has time free: %s", diff)
	}
}

func TestTransferNotes(t *testing.T) {
	t.Parallel()
	edit := func(day int, m planner.Minutes, note string) planner.Edit {
		return planner.Edit{Cell: planner.CellID{RowID: rowID(1), Date: thisWeek.Day(day)}, To: planner.Cell{Planned: m, Note: note}}
	}
	for _, tt := range []struct {
		name string
		row  planner.SheetRow
		add  days
		want []planner.Edit
	}{
		{"goes along", sheetRow(1, days{0: 60}, days{}, "draft"), days{3: 60}, []planner.Edit{edit(3, 60, "draft"), edit(0, 0, "")}},
		{"stays with what was tracked", sheetRow(1, days{0: 60}, days{0: 20}, "draft"), days{3: 40}, []planner.Edit{edit(3, 40, "draft"), edit(0, 20, "draft")}},
		{"stays where another one is", sheetRow(1, days{0: 60, 3: 30}, days{}, "draft", "", "", "send"), days{3: 60}, []planner.Edit{edit(3, 90, "send"), edit(0, 0, "draft")}},
		{"a second one stays", sheetRow(1, days{0: 60, 1: 60}, days{}, "draft", "send"), days{4: 120}, []planner.Edit{edit(4, 120, "draft"), edit(0, 0, ""), edit(1, 0, "send")}},
		{"only a part", sheetRow(1, days{0: 60, 1: 60}, days{}), days{4: 90}, []planner.Edit{edit(4, 90, ""), edit(0, 0, ""), edit(1, 30, "")}},
	} {
		week := planner.Sheet{Week: thisWeek, Rows: []planner.SheetRow{tt.row}}
		got := planner.TransferEdits(week, week, thisWeek.Day(2), []planner.Transfer{{ID: rowID(1), Add: tt.add}})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestTransferProperty: what is proposed fits, loses and makes no minute, moves
// nothing that was tracked, and offers nothing again once it is done.
func TestTransferProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		to := drawSheet(t, "this week", drawWeek(t))
		from, today := to, to.Week.Day(rapid.IntRange(-1, planner.DaysInWeek).Draw(t, "today"))
		carry := rapid.Bool().Draw(t, "carry over")
		if carry {
			from = drawSheet(t, "last week", to.Week.Previous())
			today = max(today, to.Week.Start)
		}
		propose := func() []planner.Transfer {
			if carry {
				return to.CarryOver(from, today)
			}
			return to.Spread(today, nil)
		}
		moves := propose()
		free := to.Free()
		for _, m := range moves {
			odd := 0
			for day, add := range m.Add {
				if add < 0 || add > 0 && to.Week.Day(day) < today {
					t.Fatalf("%d minutes on day %d", add, day)
				}
				if add%15 != 0 {
					odd++
				}
				free[day] -= add
			}
			if m.Unfinished <= 0 || m.Left() < 0 || !carry && odd > 1 {
				t.Fatalf("%+v", m)
			}
		}
		for day := range free {
			if !carry && free[day] < 0 {
				t.Fatalf("day %d is %d minutes over", day, -free[day])
			}
		}
		before := planned(from, to)
		seen := map[planner.CellID]bool{}
		for _, edit := range planner.TransferEdits(from, to, today, moves) {
			week := &to
			if from.Week.Contains(edit.Cell.Date) {
				week = &from
			}
			at, _ := cellOf(*week, edit.Cell)
			if seen[edit.Cell] || edit.To.Planned < 0 || edit.To.Planned > planner.MaxCell {
				t.Fatalf("%+v", edit)
			}
			if edit.Cell.Date < today && edit.To.Planned < min(at.Planned, at.Tracked) {
				t.Fatalf("%v becomes %d, tracked were %d of %d", edit.Cell, edit.To.Planned, at.Tracked, at.Planned)
			}
			seen[edit.Cell] = true
			put(week, edit)
			if from.Week == to.Week {
				from = to
			}
		}
		if after := planned(from, to); after != before {
			t.Fatalf("%d minutes were planned, %d are", before, after)
		}
		if carry {
			for _, again := range propose() {
				if again.Left() < again.Unfinished {
					for _, m := range moves {
						if m.ID == again.ID && m.Left() == 0 {
							t.Fatalf("%+v is offered again as %+v", m, again)
						}
					}
				}
			}
		}
	})
}

func put(s *planner.Sheet, edit planner.Edit) {
	for i := range s.Rows {
		if s.Rows[i].ID == edit.Cell.RowID {
			s.Rows[i].Cells[edit.Cell.Date-s.Week.Start].Cell = edit.To
			return
		}
	}
	row := planner.SheetRow{ID: edit.Cell.RowID}
	row.Cells[edit.Cell.Date-s.Week.Start].Cell = edit.To
	s.Rows = append(s.Rows, row)
}

// planned is what is planned in a week, or in two.
func planned(from, to planner.Sheet) planner.Minutes {
	all := total(to.Planned())
	if from.Week != to.Week {
		all += total(from.Planned())
	}
	return all
}
