package ledger

import "furrow/planner"

// LineAction is what a line of the reviewed diff would do in Harvest.
type LineAction string

// The actions. Skip and Blocked lines are shown so that nothing is passed over
// in silence; they cannot be sent.
const (
	LineCreate  LineAction = "create"
	LineUpdate  LineAction = "update"
	LineDelete  LineAction = "delete"
	LineSkip    LineAction = "skip"
	LineBlocked LineAction = "blocked"
)

// LineReason explains a line that is not simply ticked.
type LineReason string

// The reasons.
const (
	LineAlreadySent    LineReason = "already_sent"    // Harvest has it as planned
	LineAlreadyTracked LineReason = "already_tracked" // other entries cover the plan
	LineOnItsWay       LineReason = "on_its_way"      // a write of the same is not over
	LineFollows        LineReason = "follows"         // goes after an earlier write that is on its way
	LineFuture         LineReason = "future"          // not worked yet
	LineLocked         LineReason = "locked"          // Harvest takes no changes
	LineNotAssigned    LineReason = "not_assigned"    // not, or no longer, to be logged on
	LineTooLong        LineReason = "too_long"        // an entry with a start and an end cannot fill a day
	LineRefused        LineReason = "refused"         // an earlier write of the same was refused
	LineChanged        LineReason = "changed"         // changed in Harvest meanwhile
	LineGone           LineReason = "gone"            // deleted in Harvest meanwhile
	LineRunning        LineReason = "running"         // a timer runs there, so what is missing is not known yet
	LineTakenBack      LineReason = "taken_back"      // not sent yet, so nothing to undo there
)

// Line is one cell in the reviewed diff of a push.
type Line struct {
	Cell    planner.CellID
	Action  LineAction
	Reason  LineReason // empty for a plain line
	Detail  string     // Harvest's own words, if there are any
	Ticked  bool       // proposed to be sent
	Planned planner.Minutes
	Note    string
	Before  planner.Hours // what Harvest has on the cell, all entries
	After   planner.Hours // what it will have
	Hours   planner.Hours // what the entry of ours will say; 0 for a delete

	// Timed: Harvest is told when the entry starts and ends. Start is when; none
	// if it would not end before midnight where it is proposed. Then it cannot be
	// sent before somebody says when it starts.
	Timed bool
	Start planner.TimeOfDay
}

// Sendable reports whether the line may be sent.
func (l Line) Sendable() bool { return l.Action != LineSkip && l.Action != LineBlocked }

// PushLines compares the plan with what is known of Harvest and returns a line
// for each cell that has a plan or an entry of ours, by date and then in the
// order of the rows; only for day, if it is not nil. Only what is missing is
// sent: time that other entries already cover is not. today is the user's
// date; later days start unticked. In accounts that track start and end times
// the lines propose when their entries start.
func (p WeekPlan) PushLines(day *planner.Date, today planner.Date) []Line {
	lines := make([]Line, 0, 4*len(p.Rows)) // most rows are planned on a few days
	timestamps := p.Connection != nil && p.Connection.Account.TimestampTimers
	for i, date := range p.Week.Days() {
		if day != nil && *day != date {
			continue
		}
		for r := range p.Rows {
			row := &p.Rows[r]
			line, ok := row.Cells[i].line()
			if !ok {
				continue
			}
			line.Cell = planner.CellID{RowID: row.ID, Date: date}
			if timestamps {
				line.setTimed(&row.Cells[i])
			}
			if line.Sendable() {
				line.hold(row, &row.Cells[i], row.Cells[i].lockedOn(p.DayLocks[i]), date > today)
			}
			lines = append(lines, line)
		}
	}
	if timestamps {
		p.setStarts(lines)
	}
	return lines
}

// hold blocks or unticks a line for reasons that lie outside of its cell.
func (l *Line) hold(row *Row, c *Cell, locked string, future bool) {
	block := func(why LineReason, detail string) {
		l.Action, l.Reason, l.Detail, l.Ticked = LineBlocked, why, detail, false
		l.After, l.Timed = l.Before, false
	}
	switch {
	case l.Reason == LineTakenBack:
	case locked != "":
		block(LineLocked, locked)
	case !row.Active && l.Action != LineDelete:
		block(LineNotAssigned, "")
	case l.Timed && l.Hours.Minutes() >= planner.MaxCell:
		block(LineTooLong, "")
	case c.Running && l.Ticked && l.Action != LineDelete:
		l.Ticked, l.Reason = false, LineRunning
	case future && l.Ticked:
		l.Ticked, l.Reason = false, LineFuture
	}
}

func (c Cell) lockedOn(day string) string {
	if c.Locked != "" {
		return c.Locked
	}
	return day
}

// line compares one cell. ok is false if there is nothing to say about it.
func (c Cell) line() (line Line, ok bool) {
	line = Line{Planned: c.Planned, Note: c.Note, Before: c.Tracked(), After: c.Tracked()}
	if c.Planned == 0 {
		return c.clearedLine(line)
	}
	skip := func(why LineReason) (Line, bool) {
		line.Action, line.Reason, line.Ticked, line.Hours = LineSkip, why, false, 0
		return line, true
	}
	inFlight := c.Ours != nil && c.Ours.InFlight
	if !c.Settled() && c.asPushed() || inFlight && c.Ours.Gone || c.adopting() {
		return skip(LineOnItsWay)
	}
	inHarvest := inFlight || c.Ours != nil && c.Ours.RemoteID != 0 && !c.Ours.Gone
	line.Action = LineCreate
	if inHarvest {
		line.Action = LineUpdate
	}
	line.Ticked, line.Hours = true, c.missing()
	if c.Ours != nil {
		refused := c.Ours.Write != nil && c.Ours.Write.State == Rejected
		switch {
		case inFlight:
			line.Reason = LineFollows
		case c.Ours.Gone:
			line.Reason, line.Ticked = LineGone, false
		case c.Ours.ChangedInHarvest() || (c.Ours.Write != nil && c.Ours.Write.State == Conflict):
			line.Reason, line.Ticked = LineChanged, false
		case refused:
			line.Reason, line.Detail = LineRefused, c.Ours.Write.Message
		case inHarvest && (c.asPushed() || c.Settled() && c.saysPlan()):
			return skip(LineAlreadySent)
		}
	}
	if line.Hours == 0 {
		return skip(LineAlreadyTracked)
	}
	line.After = c.Others + line.Hours
	return line, true
}

// clearedLine is the line of a cell without plan: an entry of ours goes.
func (c Cell) clearedLine(line Line) (Line, bool) {
	if c.Ours == nil {
		return line, false
	}
	inHarvest := c.Ours.RemoteID != 0 && !c.Ours.Gone
	line.Action, line.Ticked, line.After = LineDelete, true, c.Others
	w := c.Ours.Write
	switch {
	case w != nil && !w.State.Finished() && w.Op == OpDelete, c.adopting() && c.Ours.InFlight:
		line.Action, line.Reason, line.Ticked, line.After = LineSkip, LineOnItsWay, false, line.Before
	case c.Ours.InFlight:
		line.Reason = LineFollows
	case !inHarvest && w != nil && (w.State.replaceable() || w.State == Rejected), c.Ours.RemoteID == 0 && w != nil && w.State == Conflict:
		line.Reason = LineTakenBack
	case !inHarvest:
		return line, false
	case c.Ours.ChangedInHarvest():
		line.Reason, line.Ticked = LineChanged, false
	case w != nil && w.State == Rejected:
		line.Reason, line.Detail = LineRefused, w.Message
	}
	return line, true
}

// asPushed reports whether the plan is the one that was last pushed.
func (c Cell) asPushed() bool {
	return c.Ours != nil && c.Ours.PlannedMinutes == c.Planned && c.Ours.PlannedNote == c.Note
}

// saysPlan reports whether the entry of ours says what is planned.
func (c Cell) saysPlan() bool {
	return c.missing() == c.Ours.RemoteHours && c.Note == c.Ours.RemoteNotes
}

// missing is what an entry of ours must say so that Harvest has the planned
// time. Each of the other entries may be off by half a hundredth of an hour, so
// a rest within that is none.
func (c Cell) missing() planner.Hours {
	rest := c.Planned.Hours() - c.Others
	if rest <= planner.Hours((c.OthersCount+1)/2) && c.OthersCount > 0 {
		return 0
	}
	return rest
}

// replaceable reports whether a write in this state has provably not been
// applied, so that a later one may take its place.
func (s State) replaceable() bool { return s == Pending || s == Retry || s == Blocked }
