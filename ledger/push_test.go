package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/ledger"
	"furrow/planner"
)

var (
	week  = planner.Week{Start: planner.NewDate(2026, time.November, 23)}
	today = planner.NewDate(2026, time.November, 25)
	rowID = planner.RowID{ProjectID: 3, TaskID: 4}
)

// on is a week with one row and one cell, on a day counted from Monday.
func on(day int, c ledger.Cell) ledger.WeekPlan {
	row := ledger.Row{ID: rowID, Active: true}
	row.Cells[day] = c
	return ledger.WeekPlan{Week: week, Connection: &ledger.Connection{State: ledger.Connected}, Rows: []ledger.Row{row}}
}

// pushed is an entry of ours that Harvest has as it was pushed: an hour, "note".
func pushed(change func(*ledger.Pushed)) *ledger.Pushed {
	p := &ledger.Pushed{
		ID: "id", PlannedMinutes: 60, PlannedNote: "note", Meant: 100, MeantNotes: "note", RemoteID: 7, AgreedHours: 100, AgreedNotes: "note",
		RemoteHours: 100, RemoteNotes: "note", Write: &ledger.LastWrite{ID: 1, Op: ledger.OpCreate, State: ledger.Done},
	}
	if change != nil {
		change(p)
	}
	return p
}

// unsent is an entry of ours whose create stands in a state.
func unsent(state ledger.State) *ledger.Pushed {
	return &ledger.Pushed{
		ID: "id", PlannedMinutes: 60, PlannedNote: "note", Meant: 100, MeantNotes: "note", InFlight: state == ledger.Sending || state == ledger.Uncertain,
		Write: &ledger.LastWrite{ID: 1, Op: ledger.OpCreate, State: state, Message: "Harvest's words"},
	}
}

// gone is an entry of ours that was deleted in Harvest.
func gone() *ledger.Pushed {
	return pushed(func(p *ledger.Pushed) { p.Gone, p.RemoteHours, p.RemoteNotes = true, 0, "" })
}

// changedThere is an entry of ours that somebody changed in Harvest.
func changedThere() *ledger.Pushed {
	return pushed(func(p *ledger.Pushed) { p.RemoteHours = 175 })
}

// moved is an entry of ours that somebody put on another day in Harvest.
func moved() *ledger.Pushed {
	return pushed(func(p *ledger.Pushed) { p.MovedTo = &planner.CellID{RowID: rowID, Date: week.Day(6)} })
}

// inFlight is p with an update that was sent and not answered.
func inFlight(p *ledger.Pushed) *ledger.Pushed {
	p.InFlight = true
	return with(p, ledger.OpUpdate, ledger.Uncertain)
}

// with is p with a later write.
func with(p *ledger.Pushed, op ledger.Op, state ledger.State) *ledger.Pushed {
	p.Write = &ledger.LastWrite{ID: 2, Op: op, State: state, Message: "Harvest's words"}
	return p
}

// adopting is an entry of somebody else's whose adoption stands in a state.
func adopting(state ledger.State) *ledger.Pushed { return with(unsent(state), ledger.OpAdopt, state) }

func TestPushLines(t *testing.T) {
	t.Parallel()
	type want struct {
		Action        ledger.LineAction
		Reason        ledger.LineReason
		Detail        string
		Ticked        bool
		Before, After planner.Hours
		Hours         planner.Hours
	}
	for _, tt := range []struct {
		name   string
		cell   ledger.Cell
		change func(*ledger.WeekPlan)
		day    int // from Monday; Wednesday is today
		want   *want
	}{
		{name: "empty", cell: ledger.Cell{}},
		{name: "only a note", cell: ledger.Cell{Note: "note"}},
		{name: "tracked without plan", cell: ledger.Cell{Others: 100, OthersCount: 1}},
		{name: "planned", cell: ledger.Cell{Planned: 90}, want: &want{Action: "create", Ticked: true, After: 150, Hours: 150}},
		{name: "20 minutes", cell: ledger.Cell{Planned: 20}, want: &want{Action: "create", Ticked: true, After: 33, Hours: 33}},
		{name: "1 minute", cell: ledger.Cell{Planned: 1}, want: &want{Action: "create", Ticked: true, After: 2, Hours: 2}},
		{name: "today", cell: ledger.Cell{Planned: 60}, day: 2, want: &want{Action: "create", Ticked: true, After: 100, Hours: 100}},
		{name: "tomorrow", cell: ledger.Cell{Planned: 60}, day: 3, want: &want{Action: "create", Reason: "future", After: 100, Hours: 100}},

		// Time that others' entries cover is not sent again.
		{name: "partly tracked", cell: ledger.Cell{Planned: 90, Others: 50, OthersCount: 1}, want: &want{Action: "create", Ticked: true, Before: 50, After: 150, Hours: 100}},
		{name: "tracked", cell: ledger.Cell{Planned: 90, Others: 150, OthersCount: 2}, want: &want{Action: "skip", Reason: "already_tracked", Before: 150, After: 150}},
		{name: "tracked more", cell: ledger.Cell{Planned: 90, Others: 300, OthersCount: 2}, want: &want{Action: "skip", Reason: "already_tracked", Before: 300, After: 300}},
		{name: "tracked but for the rounding", cell: ledger.Cell{Planned: 60, Others: 99, OthersCount: 3}, want: &want{Action: "skip", Reason: "already_tracked", Before: 99, After: 99}},
		{name: "a minute is missing", cell: ledger.Cell{Planned: 61, Others: 100, OthersCount: 1}, want: &want{Action: "create", Ticked: true, Before: 100, After: 102, Hours: 2}},

		// An entry of ours is in Harvest.
		{name: "as pushed", cell: ledger.Cell{Planned: 60, Note: "note", Ours: pushed(nil)}, want: &want{Action: "skip", Reason: "already_sent", Before: 100, After: 100}},
		{name: "as pushed, beside others", cell: ledger.Cell{Planned: 60, Note: "note", Others: 50, OthersCount: 1, Ours: pushed(nil)}, want: &want{Action: "skip", Reason: "already_sent", Before: 150, After: 150}},
		{name: "other time", cell: ledger.Cell{Planned: 75, Note: "note", Ours: pushed(nil)}, want: &want{Action: "update", Ticked: true, Before: 100, After: 125, Hours: 125}},
		{name: "other note", cell: ledger.Cell{Planned: 60, Note: "else", Ours: pushed(nil)}, want: &want{Action: "update", Ticked: true, Before: 100, After: 100, Hours: 100}},
		{name: "other time, beside others", cell: ledger.Cell{Planned: 120, Note: "note", Others: 50, OthersCount: 1, Ours: pushed(nil)}, want: &want{Action: "update", Ticked: true, Before: 150, After: 200, Hours: 150}},
		{name: "other time tomorrow", cell: ledger.Cell{Planned: 75, Note: "note", Ours: pushed(nil)}, day: 3, want: &want{Action: "update", Reason: "future", Before: 100, After: 125, Hours: 125}},
		{name: "cleared", cell: ledger.Cell{Ours: pushed(nil)}, want: &want{Action: "delete", Ticked: true, Before: 100}},
		{name: "cleared but for a note", cell: ledger.Cell{Note: "x", Ours: pushed(nil)}, want: &want{Action: "delete", Ticked: true, Before: 100}},
		{name: "cleared beside others", cell: ledger.Cell{Others: 50, OthersCount: 1, Ours: pushed(nil)}, want: &want{Action: "delete", Ticked: true, Before: 150, After: 50}},

		// Something is under way.
		{name: "waiting", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Pending)}, want: &want{Action: "skip", Reason: "on_its_way"}},
		{name: "waiting, then changed", cell: ledger.Cell{Planned: 75, Note: "note", Ours: unsent(ledger.Pending)}, want: &want{Action: "create", Ticked: true, After: 125, Hours: 125}},
		{name: "retry, then changed", cell: ledger.Cell{Planned: 75, Note: "note", Ours: unsent(ledger.Retry)}, want: &want{Action: "create", Ticked: true, After: 125, Hours: 125}},
		{name: "blocked, then changed", cell: ledger.Cell{Planned: 75, Note: "note", Ours: unsent(ledger.Blocked)}, want: &want{Action: "create", Ticked: true, After: 125, Hours: 125}},
		{name: "sending", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Sending)}, want: &want{Action: "skip", Reason: "on_its_way"}},
		{name: "sending, then changed", cell: ledger.Cell{Planned: 75, Ours: unsent(ledger.Sending)}, want: &want{Action: "update", Reason: "follows", Ticked: true, After: 125, Hours: 125}},
		{name: "uncertain", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Uncertain)}, want: &want{Action: "skip", Reason: "on_its_way"}},
		{name: "uncertain, then changed", cell: ledger.Cell{Planned: 75, Ours: unsent(ledger.Uncertain)}, want: &want{Action: "update", Reason: "follows", Ticked: true, After: 125, Hours: 125}},
		{name: "waiting, then cleared", cell: ledger.Cell{Ours: unsent(ledger.Pending)}, want: &want{Action: "delete", Reason: "taken_back", Ticked: true}},
		{name: "waiting, then cleared, tomorrow", cell: ledger.Cell{Ours: unsent(ledger.Pending)}, day: 3, want: &want{Action: "delete", Reason: "taken_back", Ticked: true}},
		{name: "sending, then cleared", cell: ledger.Cell{Ours: unsent(ledger.Sending)}, want: &want{Action: "delete", Reason: "follows", Ticked: true}},
		{name: "uncertain, then cleared", cell: ledger.Cell{Ours: unsent(ledger.Uncertain)}, want: &want{Action: "delete", Reason: "follows", Ticked: true}},
		{name: "update waits, then cleared", cell: ledger.Cell{Ours: with(pushed(nil), ledger.OpUpdate, ledger.Retry)}, want: &want{Action: "delete", Ticked: true, Before: 100}},
		{name: "delete waits", cell: ledger.Cell{Ours: with(pushed(nil), ledger.OpDelete, ledger.Retry)}, want: &want{Action: "skip", Reason: "on_its_way", Before: 100, After: 100}},
		{name: "delete waits, then planned", cell: ledger.Cell{Planned: 30, Ours: with(pushed(func(p *ledger.Pushed) { p.PlannedMinutes, p.PlannedNote = 0, "" }), ledger.OpDelete, ledger.Retry)}, want: &want{Action: "update", Ticked: true, Before: 100, After: 50, Hours: 50}},

		// Something went wrong.
		{name: "refused", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Rejected)}, want: &want{Action: "create", Reason: "refused", Detail: "Harvest's words", Ticked: true, After: 100, Hours: 100}},
		{name: "refused, then cleared", cell: ledger.Cell{Ours: unsent(ledger.Rejected)}, want: &want{Action: "delete", Reason: "taken_back", Ticked: true}},
		{name: "refused update", cell: ledger.Cell{Planned: 60, Note: "note", Ours: with(pushed(nil), ledger.OpUpdate, ledger.Rejected)}, want: &want{Action: "update", Reason: "refused", Detail: "Harvest's words", Ticked: true, Before: 100, After: 100, Hours: 100}},
		{name: "refused delete", cell: ledger.Cell{Ours: with(pushed(nil), ledger.OpDelete, ledger.Rejected)}, want: &want{Action: "delete", Reason: "refused", Detail: "Harvest's words", Ticked: true, Before: 100}},
		{name: "given up", cell: ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Dropped)}, want: &want{Action: "create", Ticked: true, After: 100, Hours: 100}},
		{name: "given up, and cleared", cell: ledger.Cell{Ours: unsent(ledger.Dropped)}},
		{name: "changed in Harvest", cell: ledger.Cell{Planned: 60, Note: "note", Ours: changedThere()}, want: &want{Action: "update", Reason: "changed", Before: 175, After: 100, Hours: 100}},
		{name: "changed in Harvest, and cleared", cell: ledger.Cell{Ours: changedThere()}, want: &want{Action: "delete", Reason: "changed", Before: 175}},
		{name: "conflict", cell: ledger.Cell{Planned: 60, Note: "note", Ours: with(pushed(nil), ledger.OpUpdate, ledger.Conflict)}, want: &want{Action: "update", Reason: "changed", Before: 100, After: 100, Hours: 100}},
		{name: "gone", cell: ledger.Cell{Planned: 60, Note: "note", Ours: gone()}, want: &want{Action: "create", Reason: "gone", After: 100, Hours: 100}},
		{name: "gone after a conflict", cell: ledger.Cell{Planned: 60, Note: "note", Ours: with(gone(), ledger.OpUpdate, ledger.Conflict)}, want: &want{Action: "create", Reason: "gone", After: 100, Hours: 100}},
		{name: "gone, and cleared", cell: ledger.Cell{Ours: gone()}},
		{name: "gone while an update is on its way", cell: ledger.Cell{Planned: 75, Ours: inFlight(gone())}, want: &want{Action: "skip", Reason: "on_its_way"}},
		{name: "changed as by the update on its way", cell: ledger.Cell{Planned: 75, Note: "note", Ours: inFlight(changedThere())}, want: &want{Action: "update", Reason: "follows", Ticked: true, Before: 175, After: 125, Hours: 125}},
		{name: "moved in Harvest", cell: ledger.Cell{Planned: 60, Note: "note", Ours: moved()}, want: &want{Action: "update", Reason: "changed", After: 100, Hours: 100}},
		{name: "moved in Harvest, and cleared", cell: ledger.Cell{Ours: moved()}, want: &want{Action: "delete", Reason: "changed"}},
		{name: "planned as it is there", cell: ledger.Cell{Planned: 60, Note: "note", Ours: pushed(func(p *ledger.Pushed) { p.PlannedMinutes = 75 })}, want: &want{Action: "skip", Reason: "already_sent", Before: 100, After: 100}},

		// An entry of somebody else's is to become ours, and counts as somebody else's until then.
		{name: "adopting", cell: ledger.Cell{Planned: 60, Note: "note", Others: 100, OthersCount: 1, Ours: adopting(ledger.Pending)}, want: &want{Action: "skip", Reason: "on_its_way", Before: 100, After: 100}},
		{name: "adopting, then changed", cell: ledger.Cell{Planned: 90, Note: "note", Others: 100, OthersCount: 1, Ours: adopting(ledger.Pending)}, want: &want{Action: "skip", Reason: "on_its_way", Before: 100, After: 100}},
		{name: "adopting, then cleared", cell: ledger.Cell{Others: 100, OthersCount: 1, Ours: adopting(ledger.Pending)}, want: &want{Action: "delete", Reason: "taken_back", Ticked: true, Before: 100, After: 100}},
		{name: "adopting on its way, then cleared", cell: ledger.Cell{Others: 100, OthersCount: 1, Ours: adopting(ledger.Uncertain)}, want: &want{Action: "skip", Reason: "on_its_way", Before: 100, After: 100}},
		{name: "gone before it was adopted, then cleared", cell: ledger.Cell{Ours: adopting(ledger.Conflict)}, want: &want{Action: "delete", Reason: "taken_back", Ticked: true}},

		// What lies outside of the cell.
		{name: "locked", cell: ledger.Cell{Planned: 60, Others: 25, OthersCount: 1, Locked: "Item Invoiced"}, want: &want{Action: "blocked", Reason: "locked", Detail: "Item Invoiced", Before: 25, After: 25, Hours: 75}},
		{name: "day locked", cell: ledger.Cell{Planned: 60}, change: func(p *ledger.WeekPlan) { p.DayLocks[0] = "approved" }, want: &want{Action: "blocked", Reason: "locked", Detail: "approved", Hours: 100}},
		{name: "day locked, delete", cell: ledger.Cell{Ours: pushed(nil)}, change: func(p *ledger.WeekPlan) { p.DayLocks[0] = "approved" }, want: &want{Action: "blocked", Reason: "locked", Detail: "approved", Before: 100, After: 100}},
		{name: "day locked, taken back", cell: ledger.Cell{Ours: unsent(ledger.Pending)}, change: func(p *ledger.WeekPlan) { p.DayLocks[0] = "approved" }, want: &want{Action: "delete", Reason: "taken_back", Ticked: true}},
		{name: "day locked, as pushed", cell: ledger.Cell{Planned: 60, Note: "note", Ours: pushed(nil)}, change: func(p *ledger.WeekPlan) { p.DayLocks[0] = "approved" }, want: &want{Action: "skip", Reason: "already_sent", Before: 100, After: 100}},
		{name: "not assigned", cell: ledger.Cell{Planned: 60}, change: func(p *ledger.WeekPlan) { p.Rows[0].Active = false }, want: &want{Action: "blocked", Reason: "not_assigned", Hours: 100}},
		{name: "not assigned any more, delete", cell: ledger.Cell{Ours: pushed(nil)}, change: func(p *ledger.WeekPlan) { p.Rows[0].Active = false }, want: &want{Action: "delete", Ticked: true, Before: 100}},
		{name: "no connection", cell: ledger.Cell{Planned: 60}, change: func(p *ledger.WeekPlan) { p.Connection = nil }, want: &want{Action: "create", Ticked: true, After: 100, Hours: 100}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := on(tt.day, tt.cell)
			if tt.change != nil {
				tt.change(&plan)
			}
			lines := plan.PushLines(nil, today)
			if tt.want == nil {
				if len(lines) != 0 {
					t.Errorf("lines %+v, want none", lines)
				}
				return
			}
			if len(lines) != 1 {
				t.Fatalf("lines %+v, want one", lines)
			}
			l := lines[0]
			if diff := cmp.Diff(*tt.want, want{l.Action, l.Reason, l.Detail, l.Ticked, l.Before, l.After, l.Hours}); diff != "" {
				t.Error(diff)
			}
			if l.Cell != (planner.CellID{RowID: rowID, Date: week.Day(tt.day)}) || l.Planned != tt.cell.Planned || l.Note != tt.cell.Note {
				t.Errorf("line %+v", l)
			}
			if sendable := l.Action != ledger.LineSkip && l.Action != ledger.LineBlocked; l.Sendable() != sendable || l.Ticked && !sendable {
				t.Errorf("sendable %t, ticked %t", l.Sendable(), l.Ticked)
			}
			if l.Hours < 0 || l.Sendable() && l.Action != ledger.LineDelete && l.Hours < 1 {
				t.Errorf("%d hours would be sent", l.Hours)
			}
		})
	}
}

// TestPushLinesOrder: by date, then in the order of the rows; of one day, if asked.
func TestPushLinesOrder(t *testing.T) {
	t.Parallel()
	plan := ledger.WeekPlan{Week: week}
	for i := range 3 {
		row := ledger.Row{ID: planner.RowID{ProjectID: int64(30 - i), TaskID: 1}, Active: true}
		row.Cells[0].Planned, row.Cells[i].Planned = 60, 60
		plan.Rows = append(plan.Rows, row)
	}
	ids := func(lines []ledger.Line) (ids []planner.CellID) {
		for _, l := range lines {
			ids = append(ids, l.Cell)
		}
		return ids
	}
	cell := func(project int64, day int) planner.CellID {
		return planner.CellID{RowID: planner.RowID{ProjectID: project, TaskID: 1}, Date: week.Day(day)}
	}
	all := []planner.CellID{cell(30, 0), cell(29, 0), cell(28, 0), cell(29, 1), cell(28, 2)}
	if diff := cmp.Diff(all, ids(plan.PushLines(nil, today))); diff != "" {
		t.Error(diff)
	}
	day := week.Day(0)
	if diff := cmp.Diff(all[:3], ids(plan.PushLines(&day, today))); diff != "" {
		t.Error(diff)
	}
	day = week.Day(5)
	if lines := plan.PushLines(&day, today); len(lines) != 0 {
		t.Errorf("lines %+v", lines)
	}
}

func TestMark(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cell ledger.Cell
		want ledger.Mark
	}{
		{"empty", ledger.Cell{}, ledger.MarkBlank},
		{"tracked without plan", ledger.Cell{Others: 100, OthersCount: 1}, ledger.MarkBlank},
		{"locked without plan", ledger.Cell{Others: 100, OthersCount: 1, Locked: "locked"}, ledger.MarkBlank},
		{"planned", ledger.Cell{Planned: 60}, ledger.MarkPlanned},
		{"only a note", ledger.Cell{Note: "x"}, ledger.MarkPlanned},
		{"locked", ledger.Cell{Planned: 60, Locked: "locked"}, ledger.MarkLocked},
		{"queued", ledger.Cell{Planned: 60, Ours: unsent(ledger.Pending)}, ledger.MarkWaiting},
		{"queued, then cleared", ledger.Cell{Ours: unsent(ledger.Pending)}, ledger.MarkWaiting},
		{"sending", ledger.Cell{Planned: 60, Ours: unsent(ledger.Sending)}, ledger.MarkWaiting},
		{"retry", ledger.Cell{Planned: 60, Ours: unsent(ledger.Retry)}, ledger.MarkWaiting},
		{"retry where it is locked", ledger.Cell{Planned: 60, Locked: "locked", Ours: unsent(ledger.Retry)}, ledger.MarkWaiting},
		{"uncertain", ledger.Cell{Planned: 60, Ours: unsent(ledger.Uncertain)}, ledger.MarkUncertain},
		{"refused", ledger.Cell{Planned: 60, Ours: unsent(ledger.Rejected)}, ledger.MarkNeedsYou},
		{"blocked", ledger.Cell{Planned: 60, Ours: unsent(ledger.Blocked)}, ledger.MarkNeedsYou},
		{"conflict", ledger.Cell{Planned: 60, Note: "note", Ours: with(pushed(nil), ledger.OpUpdate, ledger.Conflict)}, ledger.MarkChanged},
		{"given up", ledger.Cell{Planned: 60, Note: "note", Ours: unsent(ledger.Dropped)}, ledger.MarkPlanned},
		{"given up and cleared", ledger.Cell{Ours: unsent(ledger.Dropped)}, ledger.MarkBlank},
		{"done", ledger.Cell{Planned: 60, Note: "note", Ours: pushed(nil)}, ledger.MarkInHarvest},
		{"done, then locked", ledger.Cell{Planned: 60, Note: "note", Locked: "approved", Ours: pushed(nil)}, ledger.MarkLocked},
		{"done, then edited", ledger.Cell{Planned: 90, Note: "note", Ours: pushed(nil)}, ledger.MarkPlanned},
		{"done, then another note", ledger.Cell{Planned: 60, Note: "else", Ours: pushed(nil)}, ledger.MarkPlanned},
		{"done, then cleared", ledger.Cell{Ours: pushed(nil)}, ledger.MarkPlanned},
		{"changed in Harvest", ledger.Cell{Planned: 60, Note: "note", Ours: changedThere()}, ledger.MarkChanged},
		{"note changed in Harvest", ledger.Cell{Planned: 60, Note: "note", Ours: pushed(func(p *ledger.Pushed) { p.RemoteNotes = "by hand" })}, ledger.MarkChanged},
		{"gone", ledger.Cell{Planned: 60, Note: "note", Ours: gone()}, ledger.MarkChanged},
		{"gone, and cleared here too", ledger.Cell{Ours: gone()}, ledger.MarkBlank},
		{"gone while it was changed, and cleared here too", ledger.Cell{Ours: with(gone(), ledger.OpUpdate, ledger.Conflict)}, ledger.MarkChanged},
		{"the same, and given up", ledger.Cell{Ours: with(gone(), ledger.OpUpdate, ledger.Dropped)}, ledger.MarkBlank},
		{"tracked by others as planned", ledger.Cell{Planned: 60, Others: 100, OthersCount: 1}, ledger.MarkInHarvest},
		{"tracked by others in part", ledger.Cell{Planned: 60, Others: 50, OthersCount: 1}, ledger.MarkPlanned},
		{"gone, cleared here too, but refused before", ledger.Cell{Ours: with(gone(), ledger.OpCreate, ledger.Rejected)}, ledger.MarkNeedsYou},
	} {
		if got := tt.cell.Mark(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		unfinished := tt.want == ledger.MarkWaiting || tt.want == ledger.MarkUncertain
		if unfinished && tt.cell.Settled() {
			t.Errorf("%s: settled", tt.name)
		}
	}
}

// TestStates: a state is final, or the drain still looks at it; and people are
// offered to retry only what the store retries.
func TestStates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state               ledger.State
		finished, retryable bool
	}{
		{ledger.Pending, false, false},
		{ledger.Sending, false, false},
		{ledger.Uncertain, false, false},
		{ledger.Retry, false, true},
		{ledger.Blocked, false, true},
		{ledger.Done, true, false},
		{ledger.Rejected, true, true},
		{ledger.Conflict, true, false},
		{ledger.Superseded, true, false},
		{ledger.Dropped, true, false},
	} {
		if tt.state.Finished() != tt.finished || tt.state.Retryable() != tt.retryable {
			t.Errorf("%s: finished %t, retryable %t", tt.state, tt.state.Finished(), tt.state.Retryable())
		}
	}
}
