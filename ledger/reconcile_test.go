package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/ledger"
	"furrow/planner"
)

func TestDifferences(t *testing.T) {
	t.Parallel()
	days := func(numbers ...int) []planner.Date {
		var days []planner.Date
		for _, n := range numbers {
			days = append(days, week.Day(n))
		}
		return days
	}
	rest := days(2, 3, 4, 5, 6) // today is Wednesday
	for _, tt := range []struct {
		name   string
		cell   ledger.Cell
		change func(*ledger.WeekPlan)
		day    int
		kind   ledger.DifferenceKind
		line   ledger.LineAction // empty: none
		moveTo []planner.Date
	}{
		{name: "empty"},
		{name: "only a note", cell: ledger.Cell{Note: "note"}},
		{name: "not worked", cell: ledger.Cell{Planned: 60}, kind: "less", line: "create", moveTo: rest},
		{name: "not worked today", cell: ledger.Cell{Planned: 60}, day: 2, kind: "less", line: "create", moveTo: days(3, 4, 5, 6)},
		{name: "not worked yet", cell: ledger.Cell{Planned: 60}, day: 3},
		{name: "worked in part before its day", cell: ledger.Cell{Planned: 60, Others: 50, OthersCount: 1}, day: 3},
		{name: "worked more before its day", cell: ledger.Cell{Planned: 60, Others: 150, OthersCount: 1}, day: 3, kind: "more", line: "skip"},
		{name: "on the last day", cell: ledger.Cell{Planned: 60}, day: 6, change: func(p *ledger.WeekPlan) { p.Week = week.Previous() }, kind: "less", line: "create"},
		{name: "as tracked by others", cell: ledger.Cell{Planned: 90, Others: 150, OthersCount: 2}},
		{name: "as tracked but for the rounding", cell: ledger.Cell{Planned: 60, Others: 99, OthersCount: 3}},
		{name: "20 minutes", cell: ledger.Cell{Planned: 20, Others: 33, OthersCount: 1}},
		{name: "a whole day and more", cell: ledger.Cell{Planned: planner.MaxCell, Others: 2500, OthersCount: 2}},
		{name: "a minute less", cell: ledger.Cell{Planned: 62, Others: 100, OthersCount: 1}, kind: "less", line: "create", moveTo: rest},
		{name: "tracked without plan", cell: ledger.Cell{Others: 100, OthersCount: 1}, kind: "more"},
		{name: "a timer runs", cell: ledger.Cell{Planned: 60, Others: 10, OthersCount: 1, Running: true}},
		{name: "a timer is to run", cell: ledger.Cell{Planned: 60, Timer: &ledger.Timer{Write: &ledger.LastWrite{Op: ledger.OpStart, State: ledger.Pending}}}},
		{name: "no connection", cell: ledger.Cell{Planned: 60}, change: func(p *ledger.WeekPlan) { p.Connection = nil }},
		{name: "locked", cell: ledger.Cell{Planned: 60, Others: 50, OthersCount: 1, Locked: "locked"}, kind: "less", line: "blocked", moveTo: rest},
		{name: "locked days take no rest", cell: ledger.Cell{Planned: 60}, change: func(p *ledger.WeekPlan) { p.DayLocks[2] = "approved" }, kind: "less", line: "create", moveTo: days(3, 4, 5, 6)},
		{name: "full days take no rest", cell: ledger.Cell{Planned: 60}, change: func(p *ledger.WeekPlan) { p.Rows[0].Cells[4].Planned = planner.MaxCell - 59 }, kind: "less", line: "create", moveTo: days(2, 3, 5, 6)},

		{name: "as sent", cell: ledger.Cell{Planned: 60, Note: "note", Ours: pushed(nil)}},
		{name: "another note, which is not sent yet", cell: ledger.Cell{Planned: 60, Note: "else", Ours: pushed(nil)}},
		{name: "planned more since", cell: ledger.Cell{Planned: 90, Note: "note", Ours: pushed(nil)}, kind: "less", line: "update", moveTo: rest},
		{name: "planned less since", cell: ledger.Cell{Planned: 30, Note: "note", Ours: pushed(nil)}, kind: "more", line: "update"},
		{name: "cleared since", cell: ledger.Cell{Ours: pushed(nil)}, kind: "more", line: "delete"},
		{name: "waiting", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Pending)}},
		{name: "in doubt", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Uncertain)}},
		{name: "in doubt, with a change behind it", cell: ledger.Cell{Planned: 60, Note: "note", Ours: with(inFlight(pushed(nil)), ledger.OpUpdate, ledger.Dropped)}},
		{name: "refused", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Rejected)}, kind: "refused", line: "create", moveTo: rest},
		{name: "refused tomorrow", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Rejected)}, day: 3, kind: "refused", line: "create", moveTo: days(2, 4, 5, 6)},
		{name: "a note refused", cell: ledger.Cell{Planned: 60, Note: "note", Ours: with(pushed(nil), ledger.OpUpdate, ledger.Rejected)}, kind: "refused", line: "update"},
		{name: "given up", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Dropped)}, kind: "less", line: "create", moveTo: rest},

		{name: "changed in Harvest", cell: ledger.Cell{Planned: 60, Note: "note", Ours: changedThere()}, kind: "changed", line: "update"},
		{name: "changed in Harvest tomorrow", cell: ledger.Cell{Planned: 60, Note: "note", Ours: changedThere()}, day: 3, kind: "changed", line: "update"},
		{name: "changed in Harvest, mine is on its way", cell: ledger.Cell{Planned: 60, Note: "note", Ours: with(changedThere(), ledger.OpUpdate, ledger.Pending)}},
		{name: "conflict", cell: ledger.Cell{Planned: 60, Note: "note", Ours: with(pushed(nil), ledger.OpUpdate, ledger.Conflict)}, kind: "changed", line: "update"},
		{name: "moved", cell: ledger.Cell{Planned: 60, Note: "note", Ours: moved()}, kind: "moved", line: "update"},
		{name: "moved, and cleared", cell: ledger.Cell{Ours: moved()}, kind: "moved", line: "delete"},
		{name: "gone", cell: ledger.Cell{Planned: 60, Note: "note", Ours: gone()}, kind: "gone", line: "create", moveTo: rest},
		{name: "gone, and cleared", cell: ledger.Cell{Ours: gone()}},
		{name: "gone, cleared, and tracked by hand", cell: ledger.Cell{Others: 50, OthersCount: 1, Ours: gone()}, kind: "more"},
		{name: "gone before it was adopted", cell: ledger.Cell{Planned: 60, Note: "note", Ours: adopting(ledger.Conflict)}, kind: "gone", line: "create", moveTo: rest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := on(tt.day, tt.cell)
			if tt.change != nil {
				tt.change(&plan)
			}
			list := plan.Differences(today)
			if n := plan.CountDifferences(today); n != len(list) {
				t.Errorf("%d are counted, %d listed", n, len(list))
			}
			if tt.kind == "" {
				if len(list) != 0 {
					t.Errorf("differences %+v, want none", list)
				}
				return
			}
			if len(list) != 1 {
				t.Fatalf("differences %+v, want one", list)
			}
			got := list[0]
			line := ledger.LineAction("")
			if got.Line != nil {
				line = got.Line.Action
			}
			if got.Kind != tt.kind || line != tt.line || got.ID != (planner.CellID{RowID: rowID, Date: plan.Week.Day(tt.day)}) {
				t.Errorf("difference %+v, line %+v", got, got.Line)
			}
			if diff := cmp.Diff(tt.moveTo, got.MoveTo); diff != "" {
				t.Errorf("days for the rest (-want +got)\n%s", diff)
			}
		})
	}
}

// take does to a plan what taking Harvest's side of a cell does.
func take(p *ledger.WeekPlan, d ledger.Difference) {
	c := d.Cell
	ours := c.Ours
	c.Planned, c.Note = c.Taken()
	switch {
	case ours == nil:
	case ours.RemoteID == 0 || ours.Gone:
		c.Ours = nil
	case ours.MovedTo != nil:
		c.Ours = nil
		there := &p.Rows[0].Cells[ours.MovedTo.Date-p.Week.Start]
		there.Planned = min(there.Planned+ours.RemoteHours.Minutes(), planner.MaxCell)
	default:
		ours.PlannedMinutes, ours.PlannedNote = c.Planned, c.Note
		ours.AgreedHours, ours.AgreedNotes = ours.RemoteHours, ours.RemoteNotes
		ours.Write.State = ledger.Done
	}
}

// TestTakeAll: whatever a week holds, once Harvest's side of all differences is
// taken there are none, and what was taken is in step.
func TestTakeAll(t *testing.T) {
	t.Parallel()
	states := []ledger.State{ledger.Done, ledger.Pending, ledger.Uncertain, ledger.Rejected, ledger.Conflict, ledger.Dropped}
	rapid.Check(t, func(t *rapid.T) {
		plan := on(0, ledger.Cell{})
		cells := &plan.Rows[0].Cells
		for i := range cells {
			hours := rapid.IntRange(0, 3000).Draw(t, "others")
			cells[i] = ledger.Cell{
				Planned: planner.Minutes(rapid.IntRange(0, int(planner.MaxCell)).Draw(t, "planned")),
				Note:    rapid.SampledFrom([]string{"", "note", "else"}).Draw(t, "note"),
				Others:  planner.Hours(hours), OthersCount: min(hours, 2),
			}
			remote := planner.Hours(rapid.IntRange(0, 300).Draw(t, "remote"))
			state := rapid.SampledFrom(states).Draw(t, "state")
			switch rapid.IntRange(0, 5).Draw(t, "ours") {
			case 0:
				cells[i].Ours = unsent(state)
			case 1:
				cells[i].Ours = with(pushed(func(p *ledger.Pushed) { p.RemoteHours = remote }), ledger.OpUpdate, state)
			case 2:
				cells[i].Ours = with(gone(), ledger.OpUpdate, state)
			case 3: // to a cell that is otherwise in step
				to := (i + 1) % planner.DaysInWeek
				if i%2 == 0 && to%2 == 1 {
					cells[i].Ours = pushed(func(p *ledger.Pushed) {
						p.MovedTo, p.RemoteHours = &planner.CellID{RowID: rowID, Date: week.Day(to)}, remote
					})
				}
			}
		}
		taken := map[*ledger.Cell]bool{}
		for round := 0; ; round++ { // what was moved may make a cell differ that did not
			list := plan.Differences(week.End())
			if len(list) == 0 {
				break
			}
			if round == 2 {
				t.Fatalf("left: %+v", list)
			}
			for _, d := range list {
				take(&plan, d)
				taken[d.Cell] = true
			}
		}
		for c := range taken {
			if !c.InStep() {
				t.Errorf("not in step: %+v, ours %+v", c, c.Ours)
			}
		}
	})
}
