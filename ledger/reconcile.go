package ledger

import "furrow/planner"

// DifferenceKind is in what a cell's plan and Harvest differ.
type DifferenceKind string

// The kinds. The first three are somebody's change in Harvest.
const (
	DiffersNot     DifferenceKind = ""
	DiffersChanged DifferenceKind = "changed" // the entry of ours says something else than was agreed
	DiffersMoved   DifferenceKind = "moved"   // the entry of ours is on another cell
	DiffersGone    DifferenceKind = "gone"    // the entry of ours is not there any more
	DiffersRefused DifferenceKind = "refused" // Harvest did not take what was sent
	DiffersLess    DifferenceKind = "less"    // less is tracked than planned
	DiffersMore    DifferenceKind = "more"    // more is tracked than planned
)

// Difference is a cell that a person should settle, with what can be done. What
// Harvest has can always be taken.
type Difference struct {
	ID   planner.CellID
	Kind DifferenceKind
	Row  *Row
	Cell *Cell
	// Line is what a push would do about it; its action is [LineSkip] or
	// [LineBlocked] if nothing can be sent. nil: a push has nothing to do with it.
	Line *Line
	// MoveTo are the days that what was not tracked may move to.
	MoveTo []planner.Date
}

// Sendable reports whether a push of the cell's line alone would settle it, as
// it stands. What was never in Harvest is taken back by taking Harvest's side.
func (d Difference) Sendable() bool {
	return d.Line != nil && d.Line.Sendable() && d.Line.Reason != LineTakenBack && (!d.Line.Timed || !d.Line.Start.IsZero())
}

// Rest is the planned time that was not tracked; less than zero if more was
// tracked.
func (c Cell) Rest() planner.Minutes {
	tracked, _ := c.Taken()
	return c.Planned - tracked
}

// difference tells in what a cell differs, if that is for a person to settle:
// what is under way is not, nor is what is being worked, or will be.
func (c *Cell) difference(future bool) DifferenceKind {
	ours := c.Ours
	switch {
	case !c.Settled() || ours != nil && ours.InFlight:
		return DiffersNot
	case ours != nil && (c.Planned > 0 || c.Note != "") && (ours.Gone || ours.RemoteID == 0 && c.Differs()):
		return DiffersGone
	case ours != nil && ours.MovedTo != nil:
		return DiffersMoved
	case c.Differs() && !ours.Gone:
		return DiffersChanged
	case ours != nil && ours.Write != nil && ours.Write.State == Rejected:
		return DiffersRefused
	case c.asTracked() || c.Running || c.Timer != nil && c.Timer.Active() || c.Rest() > 0 && future:
		return DiffersNot
	case c.Rest() > 0:
		return DiffersLess
	default:
		return DiffersMore
	}
}

// Differences returns the cells of the week that a person should settle, by date
// and then in the order of the rows. today is the user's date: what is planned
// for later days is not missing. Without a connection there is nothing to
// compare with.
func (p *WeekPlan) Differences(today planner.Date) []Difference {
	var found []Difference
	p.eachDifference(today, func(d Difference) { found = append(found, d) })
	if len(found) == 0 {
		return nil
	}
	lines := map[planner.CellID]*Line{}
	all := p.PushLines(nil, today)
	for i := range all {
		lines[all[i].Cell] = &all[i]
	}
	for i := range found {
		d := &found[i]
		d.Line, d.MoveTo = lines[d.ID], p.daysFor(d, today)
	}
	return found
}

// CountDifferences returns how many there are.
func (p *WeekPlan) CountDifferences(today planner.Date) int {
	n := 0
	p.eachDifference(today, func(Difference) { n++ })
	return n
}

func (p *WeekPlan) eachDifference(today planner.Date, f func(Difference)) {
	if p.Connection == nil {
		return
	}
	for i, date := range p.Week.Days() {
		for r := range p.Rows {
			row := &p.Rows[r]
			if kind := row.Cells[i].difference(date > today); kind != DiffersNot {
				f(Difference{ID: planner.CellID{RowID: row.ID, Date: date}, Kind: kind, Row: row, Cell: &row.Cells[i]})
			}
		}
	}
}

// daysFor returns the other days of the week, from today on, that have room for
// what was not tracked and are not locked. What is somewhere else in Harvest was
// tracked.
func (p *WeekPlan) daysFor(d *Difference, today planner.Date) []planner.Date {
	if d.Cell.Rest() <= 0 || d.Kind == DiffersMoved {
		return nil
	}
	var days []planner.Date
	for i, date := range p.Week.Days() {
		there := &d.Row.Cells[i]
		if date >= today && date != d.ID.Date && there.lockedOn(p.DayLocks[i]) == "" && there.Planned+d.Cell.Rest() <= planner.MaxCell {
			days = append(days, date)
		}
	}
	return days
}
