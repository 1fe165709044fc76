package ledger

import (
	"time"

	"furrow/planner"
)

// Timer is a timer of Harvest's that runs, is to run or is to stop, or of which
// Harvest refused that.
type Timer struct {
	Cell     planner.CellID
	PushedID string // of the entry of ours that it is on; empty if it was not started from here
	RemoteID int64  // Harvest's id of the entry; 0 if not known
	Running  bool   // as of what was last heard of Harvest

	// Of one that runs: when it was started, what was on the entry before, and
	// what Harvest told last. StartedAt is zero if that is not known.
	StartedAt time.Time
	Before    planner.Hours
	Told      planner.Hours

	Write   *LastWrite // latest start or stop; nil if nothing was asked for here
	AskedAt time.Time  // when it was; zero without a write
}

// Ours reports whether the timer may be stopped from here.
func (t *Timer) Ours() bool { return t.PushedID != "" }

// TimerState is where a timer stands.
type TimerState string

// The states of a timer.
const (
	TimerStarting TimerState = "starting" // asked for, and not yet confirmed
	TimerRunning  TimerState = "running"
	TimerStopping TimerState = "stopping" // it may still run
	TimerRefused  TimerState = "refused"  // it does not run, and a person must act
)

// State tells where the timer stands.
func (t *Timer) State() TimerState {
	asked := t.Write != nil && !t.Write.State.Finished()
	switch {
	case asked && t.Write.Op == OpStop:
		return TimerStopping
	case t.Running:
		return TimerRunning
	case asked:
		return TimerStarting
	default:
		return TimerRefused
	}
}

// Active reports whether the timer runs, or is about to.
func (t *Timer) Active() bool { return t.State() != TimerRefused }

// Unsaid reports whether Harvest was not told to start it, so that it has tracked
// nothing.
func (t *Timer) Unsaid() bool { return t.State() == TimerStarting && t.Write.State.replaceable() }

// Refusal is the write that Harvest refused, or that a change made there
// overtook; nil if that is not so.
func (t *Timer) Refusal() *LastWrite {
	if t.Write == nil || t.Write.State != Rejected && t.Write.State != Conflict {
		return nil
	}
	return t.Write
}

// Elapsed is what the entry has come to at now, if its timer still runs. It is
// never less than Harvest told.
func (t *Timer) Elapsed(now time.Time) planner.Minutes {
	told := t.Told.Minutes()
	if !t.Running || t.StartedAt.IsZero() {
		return told
	}
	return max(told, t.Before.Minutes()+planner.Minutes(now.Sub(t.StartedAt)/time.Minute))
}

// Since is how much of Elapsed is not yet part of what Harvest told, and so of no
// tracked time.
func (t *Timer) Since(now time.Time) planner.Minutes { return t.Elapsed(now) - t.Told.Minutes() }

// StartRefusal says why no timer can be started on a cell.
type StartRefusal string

// The refusals. MayStart is none.
const (
	MayStart          StartRefusal = ""
	StartNoRow        StartRefusal = "no_row"        // the week does not show it
	StartNotToday     StartRefusal = "not_today"     // a timer tracks today
	StartNotConnected StartRefusal = "not_connected" // and would start at some other time
	StartLocked       StartRefusal = "locked"
	StartNotAssigned  StartRefusal = "not_assigned" // not, or no longer, to be logged on
	StartStarting     StartRefusal = "starting"     // there is one already
	StartRunning      StartRefusal = "running"
)

// StartRefusal tells whether a timer can be started on a cell; today is the
// user's date.
func (p *WeekPlan) StartRefusal(id planner.CellID, today planner.Date) StartRefusal {
	for i := range p.Rows {
		if p.Rows[i].ID == id.RowID && p.Week.Contains(id.Date) {
			return p.StartRefusalOf(&p.Rows[i], id.Date, today)
		}
	}
	return StartNoRow
}

// StartRefusalOf is [WeekPlan.StartRefusal] of a row of the plan and a date of its week.
func (p *WeekPlan) StartRefusalOf(row *Row, date, today planner.Date) StartRefusal {
	day := date - p.Week.Start
	c := &row.Cells[day]
	switch {
	case date != today:
		return StartNotToday
	case p.Connection == nil || p.Connection.State != Connected:
		return StartNotConnected
	case c.lockedOn(p.DayLocks[day]) != "":
		return StartLocked
	case !row.Active:
		return StartNotAssigned
	case c.Timer != nil && c.Timer.State() == TimerStarting:
		return StartStarting
	case c.Timer != nil && c.Timer.State() == TimerRunning:
		return StartRunning
	default:
		return MayStart
	}
}
