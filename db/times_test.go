package db_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// trackTimes makes the account one with start and end times.
func (f *fixture) trackTimes(t *testing.T) {
	t.Helper()
	f.exec(t, "update harvest_connections set timestamp_timers = true where id = $1", f.connectionID)
}

// timed is an entry of Harvest's from one time to another.
func (f *fixture) timed(id int64, day int, start, end string, change func(*ledger.RemoteEntry)) ledger.RemoteEntry {
	return f.remote(id, 11, 21, day, 100, func(e *ledger.RemoteEntry) {
		e.StartedTime, e.EndedTime = timeOfDay(start), timeOfDay(end)
		if change != nil {
			change(e)
		}
	})
}

// timeOfDay is none for a text that is none.
func timeOfDay(text string) planner.TimeOfDay {
	at, err := planner.ParseTimeOfDay(text)
	if err != nil {
		return 0
	}
	return at
}

// TestSpans: the mirror keeps when entries start and end, and a week tells it.
func TestSpans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other, _ := f.user(t, "jonas@example.com", 2)
	f.store1(t, other, f.timed(9, 0, "9:00", "10:00", nil))
	f.store1(t, f.userID,
		f.timed(1, 0, "9:00", "10:30", nil),
		f.timed(2, 0, "0:00", "0:20", nil),
		f.timed(3, 1, "22:00", "1:00", nil),
		f.timed(4, 2, "13:15", "", func(e *ledger.RemoteEntry) { e.IsRunning = true }),
		f.timed(5, 3, "", "", nil),
		f.timed(6, -1, "9:00", "10:00", nil),
		f.timed(7, 4, "9:00", "23:59", nil),
	)
	spans := func() []ledger.Span {
		spans := f.weekPlan(t).Spans
		slices.SortFunc(spans, func(a, b ledger.Span) int { return cmp.Compare(a.RemoteID, b.RemoteID) })
		return spans
	}
	span := func(id int64, day int, start, end planner.Minutes) ledger.Span {
		return ledger.Span{RemoteID: id, Date: f.week.Day(day), Start: start, End: end}
	}
	running := span(4, 2, 795, -1)
	running.Running = true
	got := spans()
	for i := range got {
		if got[i].Running {
			got[i].End = -1 // it has none
		}
	}
	if diff := gocmp.Diff([]ledger.Span{span(1, 0, 540, 630), span(2, 0, 0, 20), span(3, 1, 1320, planner.MaxCell), running, span(7, 4, 540, 1439)}, got); diff != "" {
		t.Error(diff)
	}

	// A change of the times alone is news, and one that is deleted is not there.
	f.store1(t, f.userID, f.timed(1, 0, "8:00", "9:30", nil), f.timed(2, 0, "", "", nil))
	f.exec(t, "update time_entries set deleted_at = now() where harvest_id in (3, 4, 7)")
	if diff := gocmp.Diff([]ledger.Span{span(1, 0, 480, 570)}, spans()); diff != "" {
		t.Error(diff)
	}
}

// TestPushStarts: what is stored of a push says when the entry starts, if that
// is to be told.
func TestPushStarts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.trackTimes(t)
	cell := f.cell(0, 0)
	f.store1(t, f.userID, f.timed(1, 0, "8:00", "9:30", func(e *ledger.RemoteEntry) { e.ProjectID = 12 }))
	lastStart := func() string {
		t.Helper()
		var payload []byte
		if err := f.pool.QueryRow(t.Context(), "select payload from writes order by id desc limit 1").Scan(&payload); err != nil {
			t.Fatal(err)
		}
		var entry ledger.Entry
		if err := json.Unmarshal(payload, &entry); err != nil {
			t.Fatal(err)
		}
		return entry.Start.String()
	}
	push := func(what, want string) {
		t.Helper()
		if n := f.push(t, nil); n != 1 {
			t.Fatalf("%s: %d lines", what, n)
		}
		if got := lastStart(); got != want {
			t.Errorf("%s: starts %q, want %q", what, got, want)
		}
	}
	ours := func() ledger.Pushed { return *f.at(t, cell).Ours }

	f.plan(t, cell, 60, "one")
	push("create", "09:30")
	if got := ours(); got.Start.String() != "09:30" || !got.RemoteStart.IsZero() {
		t.Errorf("on its way: %+v", got)
	}
	f.plan(t, cell, 90, "two")
	push("the same, changed before it was sent", "09:30")
	w := f.sent(t, 50)
	mirrored := f.made(w, 50)
	mirrored.StartedTime, mirrored.EndedTime = w.Entry.Start, w.Entry.End()
	f.store1(t, f.userID, *mirrored)
	if got := ours(); got.Start.String() != "09:30" || got.RemoteStart != got.Start || mirrored.EndedTime.String() != "11:00" {
		t.Errorf("in Harvest: %+v", got)
	}

	f.plan(t, cell, 90, "three")
	push("another note", "")
	f.sent(t, 50)
	mirrored.Notes, mirrored.UpdatedAt = "three", time.Now() // not before what sent has made
	f.store1(t, f.userID, *mirrored)
	f.plan(t, cell, 120, "three")
	push("more time", "")
	if got := ours(); got.Start.String() != "09:30" {
		t.Errorf("more time is on its way: %+v", got)
	}
	f.plan(t, cell, 150, "three")
	f.in(t, func(tx *db.Tx) error { return f.pushAt(t, tx, timeOfDay("14:00")) })
	if got := lastStart(); got != "14:00" {
		t.Errorf("more time, later: starts %q", got)
	}
	if got := ours(); got.Start.String() != "14:00" || got.RemoteStart.String() != "09:30" {
		t.Errorf("on its way to another time: %+v", got)
	}
	f.plan(t, cell, 0, "")
	push("delete", "")

	// Without a start it cannot be sent.
	f.plan(t, f.cell(0, 1), 60, "")
	err := f.store.InTx(t.Context(), func(tx *db.Tx) error { return f.pushAt(t, tx, 0) })
	if !errors.Is(err, planner.ErrConflict) {
		t.Errorf("without a start: %v", err)
	}
}

// pushAt pushes the timed lines of the week, each at a time of day.
func (f *fixture) pushAt(t *testing.T, tx *db.Tx, start planner.TimeOfDay) error {
	t.Helper()
	connectionID, state, err := tx.LockConnection(t.Context(), f.userID)
	if err != nil {
		return err
	}
	plan, err := tx.WeekPlan(t.Context(), f.userID, f.week)
	if err != nil {
		return err
	}
	var lines []ledger.Line
	for _, line := range plan.PushLines(nil, f.week.End()) {
		if line.Timed {
			line.Start = start
			lines = append(lines, line)
		}
	}
	return tx.AddWrites(t.Context(), f.userID, connectionID, state, plan, lines, "at another time")
}

// TestRefusalMakesSettingsStale: the account's settings are read again after
// Harvest refused something, and not before it is asked anew.
func TestRefusalMakesSettingsStale(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const age, again = 24 * 3600e9, 3600e9
	due := func(want bool) {
		t.Helper()
		if got, err := f.mirror(f.userID).AccountDue(t.Context(), age, again); err != nil || got != want {
			t.Errorf("due: %t, %v; want %t", got, err, want)
		}
	}
	due(false)
	f.plan(t, f.cell(0, 0), 60, "")
	f.push(t, nil)
	box := f.mustTake(t)
	w := next(t, box)
	if err := box.Begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	made := f.made(w, 50)
	made.Hours = 0
	settle(t, box, w, ledger.Result{State: ledger.Rejected, Remote: made, Attempt: ledger.Attempt{Outcome: ledger.OutcomeKind(ledger.Refused), Reason: string(ledger.ReasonMode)}})
	due(true)
	due(false) // it was just asked for
	if err := f.mirror(f.userID).SaveAccount(t.Context(), account(1)); err != nil {
		t.Fatal(err)
	}
	f.exec(t, "update harvest_connections set account_asked_at = null")
	due(false)

	// The entry is there, though not as it was meant, so the next push changes it.
	if got := f.at(t, f.cell(0, 0)); got.Ours == nil || got.Ours.RemoteID != 50 || got.Mark() != ledger.MarkNeedsYou {
		t.Errorf("the cell: %+v", got)
	}
	lines := f.weekPlan(t).PushLines(nil, f.week.End())
	if len(lines) != 1 || lines[0].Action != ledger.LineUpdate || lines[0].Hours != 100 {
		t.Errorf("lines %+v", lines)
	}
}
