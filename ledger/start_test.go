package ledger_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"furrow/ledger"
	"furrow/planner"
)

func clock(hour, minute planner.Minutes) planner.Minutes { return hour*60 + minute }

// timedWeek is a week of an account with start and end times, with a row for
// each cell of Monday.
func timedWeek(cells ...ledger.Cell) ledger.WeekPlan {
	plan := ledger.WeekPlan{Week: week, Connection: &ledger.Connection{State: ledger.Connected, Account: ledger.Account{TimestampTimers: true}}}
	for i, c := range cells {
		row := ledger.Row{ID: planner.RowID{ProjectID: int64(i + 1), TaskID: 1}, Active: true}
		row.Cells[0] = c
		plan.Rows = append(plan.Rows, row)
	}
	return plan
}

// tracked is an entry of Harvest's on a day of the week.
func tracked(remoteID int64, day int, start, end planner.Minutes) ledger.Span {
	return ledger.Span{RemoteID: remoteID, Date: week.Day(day), Start: start, End: end}
}

// at is p with a start.
func at(p *ledger.Pushed, start planner.Minutes) *ledger.Pushed {
	p.Start = planner.TimeAt(start)
	return p
}

func TestStarts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		cells []ledger.Cell
		spans []ledger.Span
		want  []string // what each line does, its hours, when, and what is odd about it
	}{
		{
			name: "an empty day", cells: []ledger.Cell{{Planned: 90}, {Planned: 20}, {Planned: 60}},
			want: []string{"create 150 09:00-10:30 ticked", "create 33 10:30-10:50 ticked", "create 100 10:50-11:50 ticked"},
		},
		{
			name: "after the day's last entry", cells: []ledger.Cell{{Planned: 90}, {Planned: 60}},
			spans: []ledger.Span{tracked(1, 0, clock(13, 0), clock(14, 15)), tracked(2, 0, clock(8, 0), clock(9, 0)), tracked(3, 1, clock(9, 0), clock(20, 0))},
			want:  []string{"create 150 14:15-15:45 ticked", "create 100 15:45-16:45 ticked"},
		},
		{
			name: "after an early one", cells: []ledger.Cell{{Planned: 60}},
			spans: []ledger.Span{tracked(1, 0, clock(6, 0), clock(7, 0))},
			want:  []string{"create 100 07:00-08:00 ticked"},
		},
		{
			name: "a timer runs", cells: []ledger.Cell{{Planned: 60}},
			spans: []ledger.Span{{RemoteID: 1, Date: week.Day(0), Start: clock(11, 0), Running: true}},
			want:  []string{"create 100 11:00-12:00 ticked overlaps"},
		},
		{
			name: "no room before midnight", cells: []ledger.Cell{{Planned: 60}, {Planned: 30}},
			spans: []ledger.Span{tracked(1, 0, clock(22, 0), clock(23, 15))},
			want:  []string{"create 100", "create 50 23:15-23:45 ticked"},
		},
		{
			name: "until midnight is too long", cells: []ledger.Cell{{Planned: 60}},
			spans: []ledger.Span{tracked(1, 0, clock(22, 0), clock(23, 0))},
			want:  []string{"create 100"},
		},
		{
			name: "the last entry goes over midnight", cells: []ledger.Cell{{Planned: 10}},
			spans: []ledger.Span{tracked(1, 0, clock(22, 0), planner.MaxCell)},
			want:  []string{"create 17"},
		},
		{
			name: "a whole day", cells: []ledger.Cell{{Planned: planner.MaxCell}, {Planned: 60}},
			want: []string{"blocked 2400 too_long", "create 100 09:00-10:00 ticked"},
		},
		{
			name: "nearly a whole day", cells: []ledger.Cell{{Planned: planner.MaxCell - 1}},
			want: []string{"create 2398"},
		},
		{
			name: "an update keeps its start", cells: []ledger.Cell{{Planned: 30}, {Planned: 90, Note: "note", Ours: at(pushed(nil), clock(13, 0))}},
			spans: []ledger.Span{tracked(7, 0, clock(13, 0), clock(14, 0)), tracked(8, 0, clock(9, 0), clock(12, 0))},
			want:  []string{"create 50 14:30-15:00 ticked", "update 150 13:00-14:30 ticked"},
		},
		{
			name: "an update grows into the next entry", cells: []ledger.Cell{{Planned: 90, Note: "note", Ours: at(pushed(nil), clock(9, 0))}},
			spans: []ledger.Span{tracked(7, 0, clock(9, 0), clock(10, 0)), tracked(8, 0, clock(10, 0), clock(12, 0))},
			want:  []string{"update 150 09:00-10:30 ticked overlaps"},
		},
		{
			name: "an update without a start, from before there were times", cells: []ledger.Cell{{Planned: 90, Note: "note", Ours: pushed(nil)}},
			spans: []ledger.Span{tracked(8, 0, clock(10, 0), clock(12, 0))},
			want:  []string{"update 150 12:00-13:30 ticked"},
		},
		{
			name: "an update of the note alone tells no times", cells: []ledger.Cell{{Planned: 60, Note: "else", Ours: at(pushed(nil), clock(9, 0))}},
			spans: []ledger.Span{tracked(7, 0, clock(9, 0), clock(10, 0))},
			want:  []string{"update 100 untimed ticked"},
		},
		{
			name: "a delete tells no times, and frees its own", cells: []ledger.Cell{{Ours: at(pushed(nil), clock(9, 0))}, {Planned: 60}},
			spans: []ledger.Span{tracked(7, 0, clock(9, 0), clock(10, 0))},
			want:  []string{"delete 0 untimed ticked", "create 100 09:00-10:00 ticked"},
		},
		{
			name: "an earlier push is on its way", cells: []ledger.Cell{{Planned: 60, Note: "note", Ours: at(unsent(ledger.Sending), clock(9, 30))}, {Planned: 60}},
			want: []string{"skip 0 untimed on_its_way", "create 100 10:30-11:30 ticked"},
		},
		{
			name: "one on its way that is changed keeps its start", cells: []ledger.Cell{{Planned: 30}, {Planned: 120, Note: "note", Ours: at(unsent(ledger.Pending), clock(7, 30))}},
			want: []string{"create 50 09:30-10:00 ticked", "create 200 07:30-09:30 ticked"},
		},
		{
			name: "one that was deleted in Harvest", cells: []ledger.Cell{{Planned: 60, Note: "note", Ours: gone()}},
			want: []string{"create 100 09:00-10:00 gone"},
		},
		{
			name: "the rest after others is of whole minutes", cells: []ledger.Cell{{Planned: 60, Others: 99, OthersCount: 1}, {Planned: 60, Others: 33, OthersCount: 1}, {Planned: 61, Others: 100, OthersCount: 1}},
			want: []string{"skip 0 untimed already_tracked", "create 67 09:00-09:40 ticked", "create 2 09:40-09:41 ticked"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := timedWeek(tt.cells...)
			plan.Spans = tt.spans
			lines := plan.PushLines(nil, today)
			overlaps := plan.Overlapping(lines)
			var got []string
			for _, l := range lines {
				text := fmt.Sprintf("%s %d", l.Action, l.Hours)
				switch {
				case !l.Start.IsZero():
					text += fmt.Sprintf(" %s-%s", l.Start, l.End())
				case !l.Timed && l.Sendable() || l.Action == ledger.LineSkip:
					text += " untimed"
				}
				if l.Ticked {
					text += " ticked"
				}
				if l.Reason != "" {
					text += " " + string(l.Reason)
				}
				if overlaps[l.Cell] {
					text += " overlaps"
				}
				if l.Timed && l.Hours.Minutes().Hours() != l.Hours {
					t.Errorf("%s: not whole minutes", text)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStartsOfDurations: an account that tracks durations is told no times,
// whatever is known of them.
func TestStartsOfDurations(t *testing.T) {
	t.Parallel()
	plan := timedWeek(ledger.Cell{Planned: 61, Others: 50, OthersCount: 1}, ledger.Cell{Planned: planner.MaxCell}, ledger.Cell{Planned: 90, Note: "note", Ours: at(pushed(nil), clock(9, 0))})
	plan.Connection.Account.TimestampTimers = false
	plan.Spans = []ledger.Span{tracked(7, 0, clock(9, 0), clock(10, 0))}
	for _, l := range plan.PushLines(nil, today) {
		if l.Timed || !l.Start.IsZero() || !l.Sendable() {
			t.Errorf("%+v", l)
		}
	}
}

func TestStartAt(t *testing.T) {
	t.Parallel()
	line := ledger.Line{Hours: 150, Timed: true}
	for _, tt := range []struct {
		start, wantEnd string
		want           bool
	}{
		{"0:00", "01:30", true}, {"22:29", "23:59", true}, {"22:30", "", false}, {"23:59", "", false},
	} {
		start, err := planner.ParseTimeOfDay(tt.start)
		if err != nil {
			t.Fatal(err)
		}
		before := line.Start
		if got := line.StartAt(start); got != tt.want || tt.want && (line.Start != start || line.End().String() != tt.wantEnd) || !tt.want && line.Start != before {
			t.Errorf("%s: %t, starts %s, ends %s", tt.start, got, line.Start, line.End())
		}
	}
	if line.StartAt(0) {
		t.Error("starts at no time")
	}
}

// TestOverlapping: lines that somebody has let start at the same time, or in
// the middle of another entry, are told; those that touch are not.
func TestOverlapping(t *testing.T) {
	t.Parallel()
	plan := timedWeek(ledger.Cell{Planned: 60}, ledger.Cell{Planned: 60}, ledger.Cell{Planned: 60})
	plan.Spans = []ledger.Span{tracked(1, 0, clock(13, 0), clock(14, 0)), tracked(2, 1, clock(9, 0), clock(20, 0))}
	for _, tt := range []struct {
		starts [3]planner.Minutes
		want   [3]bool
	}{
		{[3]planner.Minutes{clock(9, 0), clock(10, 0), clock(11, 0)}, [3]bool{}},
		{[3]planner.Minutes{clock(9, 0), clock(9, 59), clock(11, 0)}, [3]bool{true, true, false}},
		{[3]planner.Minutes{clock(12, 0), clock(14, 0), clock(12, 1)}, [3]bool{true, false, true}},
		{[3]planner.Minutes{clock(13, 30), clock(15, 0), clock(16, 0)}, [3]bool{true, false, false}},
	} {
		lines := plan.PushLines(nil, today)
		for i := range lines {
			if !lines[i].StartAt(planner.TimeAt(tt.starts[i])) {
				t.Fatal("does not fit")
			}
		}
		overlapping := plan.Overlapping(lines)
		for i, l := range lines {
			if overlapping[l.Cell] != tt.want[i] {
				t.Errorf("%v: line %d overlaps: %t", tt.starts, i, overlapping[l.Cell])
			}
		}
	}
}
