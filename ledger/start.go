package ledger

import "furrow/planner"

// dayStart is when the first entry of a day starts, unless somebody says
// otherwise.
const dayStart planner.Minutes = 9 * 60

// Span is when a time entry of Harvest's starts and ends, in minutes after
// midnight. A running one has no end yet.
type Span struct {
	RemoteID   int64
	Date       planner.Date
	Start, End planner.Minutes
	Running    bool
}

// overlaps reports whether the two are at the same time for at least a minute.
func (s Span) overlaps(other Span) bool {
	return s.Date == other.Date && s.Start < other.until() && other.Start < s.until()
}

func (s Span) until() planner.Minutes {
	if s.Running {
		return planner.MaxCell
	}
	return s.End
}

// StartAt lets a timed line start at a time. It reports false, and changes
// nothing, if the entry would not end before midnight: Harvest's entries are of
// one day.
func (l *Line) StartAt(start planner.TimeOfDay) bool {
	if start.Add(l.Hours.Minutes()).IsZero() {
		return false
	}
	l.Start = start
	return true
}

// End is when a timed line ends; none if it has no start.
func (l Line) End() planner.TimeOfDay { return l.Start.Add(l.Hours.Minutes()) }

func (l Line) span() Span {
	return Span{Date: l.Cell.Date, Start: l.Start.Minutes(), End: l.Start.Minutes() + l.Hours.Minutes()}
}

// setTimed decides whether a line of an account with start and end times tells
// them: it does if it says how long the entry is. Times are whole minutes, so
// the hours of the entry are those of whole minutes too.
func (l *Line) setTimed(c *Cell) {
	if l.Action != LineCreate && l.Action != LineUpdate {
		return
	}
	whole := l.Hours.Minutes().Hours()
	l.After += whole - l.Hours
	l.Hours = whole
	l.Timed = l.Action == LineCreate || c.Ours.InFlight || c.Ours.RemoteHours != whole
}

// Moves reports whether a timed line has another start than its entry has in
// Harvest for certain. Otherwise the entry keeps its start, whatever that is by
// the time the line is sent.
func (l Line) Moves(ours *Pushed) bool {
	return l.Action == LineCreate || ours.InFlight || l.Start != ours.RemoteStart
}

// setStarts proposes when the entries of timed lines start. One that Harvest
// has, or is about to have, keeps its start and moves its end; the others follow
// the last entry of their day, one after the other.
func (p WeekPlan) setStarts(lines []Line) {
	ours := p.ours()
	var ends [planner.DaysInWeek]planner.Minutes // of each day's last entry so far; 0 if it has none
	until := func(day planner.Date, end planner.Minutes) {
		last := &ends[day-p.Week.Start]
		*last = max(*last, end)
	}
	for _, s := range p.beside(lines) {
		if s.Running {
			s.End = s.Start
		}
		until(s.Date, s.End)
	}
	for i := range lines {
		l := &lines[i]
		if own := ours[l.Cell]; l.Timed && own != nil && l.StartAt(own.Start) {
			until(l.Cell.Date, l.span().End)
		}
	}
	for i := range lines {
		l := &lines[i]
		if !l.Timed || !l.Start.IsZero() {
			continue
		}
		start := ends[l.Cell.Date-p.Week.Start]
		if start == 0 {
			start = dayStart
		}
		if l.StartAt(planner.TimeAt(start)) {
			until(l.Cell.Date, l.span().End)
		} else {
			l.Ticked = false
		}
	}
}

// Overlapping returns the cells of those timed lines that are at the same time
// as another entry would then be: one of Harvest's, one on its way there, or
// another of the lines.
func (p WeekPlan) Overlapping(lines []Line) map[planner.CellID]bool {
	spans := p.beside(lines)
	others := len(spans)
	for _, l := range lines {
		if l.Timed && !l.Start.IsZero() {
			spans = append(spans, l.span())
		}
	}
	cells := map[planner.CellID]bool{}
	at := others
	for _, l := range lines {
		if !l.Timed || l.Start.IsZero() {
			continue
		}
		for i, s := range spans {
			if i != at && s.overlaps(spans[at]) {
				cells[l.Cell] = true
			}
		}
		at++
	}
	return cells
}

// beside are the entries that stay as they are when the lines are sent: those
// of Harvest, and those of ours that are on their way there.
func (p WeekPlan) beside(lines []Line) []Span {
	ours := p.ours()
	moved := map[*Pushed]bool{}
	for _, l := range lines {
		if l.Timed || l.Action == LineDelete {
			moved[ours[l.Cell]] = true
		}
	}
	var spans []Span
	replaced := map[int64]bool{} // in Harvest they are not what they will be
	for cell, own := range ours {
		queued := own.Write != nil && own.Write.Op != OpDelete && !own.Write.State.Finished() && !own.Start.IsZero()
		if queued && !moved[own] {
			start := own.Start.Minutes()
			spans = append(spans, Span{RemoteID: own.RemoteID, Date: cell.Date, Start: start, End: start + own.Meant.Minutes()})
		}
		if queued || moved[own] {
			replaced[own.RemoteID] = true
		}
	}
	for _, s := range p.Spans {
		if !replaced[s.RemoteID] {
			spans = append(spans, s)
		}
	}
	return spans
}

// ours are the entries of ours in the week by their cells.
func (p WeekPlan) ours() map[planner.CellID]*Pushed {
	ours := map[planner.CellID]*Pushed{}
	for r := range p.Rows {
		row := &p.Rows[r]
		for i := range row.Cells {
			if own := row.Cells[i].Ours; own != nil {
				ours[planner.CellID{RowID: row.ID, Date: p.Week.Day(i)}] = own
			}
		}
	}
	return ours
}
