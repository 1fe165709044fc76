package planner

// Sheet is a week as far as filling it, or another one from it, needs to know.
type Sheet struct {
	Week     Week
	Rows     []SheetRow // in the order in which they are shown
	Capacity [DaysInWeek]Minutes
	Locked   [DaysInWeek]bool // Harvest takes nothing on the day
}

// SheetRow is a row of a [Sheet].
type SheetRow struct {
	ID       RowID
	Archived bool // nothing may be logged on it any more
	Cells    [DaysInWeek]SheetCell
}

// SheetCell is a cell of a [Sheet]. What is on its way to Harvest counts as
// tracked.
type SheetCell struct {
	Cell

	Tracked Minutes
	Locked  bool // Harvest takes no changes of it
}

// row returns the row of an id; an empty one if the week does not have it.
func (s *Sheet) row(id RowID) (row SheetRow, shown bool) {
	for i := range s.Rows {
		if s.Rows[i].ID == id {
			return s.Rows[i], true
		}
	}
	return SheetRow{ID: id}, false
}

// Planned returns what is planned on each day.
func (s *Sheet) Planned() [DaysInWeek]Minutes {
	var sums [DaysInWeek]Minutes
	for i := range s.Rows {
		for day := range sums {
			sums[day] += s.Rows[i].Cells[day].Planned
		}
	}
	return sums
}

// Free returns what still fits into each day: its capacity without what is
// planned, or tracked where that is more. It is never negative.
func (s *Sheet) Free() [DaysInWeek]Minutes {
	free := s.Capacity
	for i := range s.Rows {
		for day, c := range s.Rows[i].Cells {
			free[day] -= max(c.Planned, c.Tracked)
		}
	}
	for day := range free {
		free[day] = max(0, free[day])
	}
	return free
}

// day is where a date is in the week: 0 for one before it, 7 for one after it.
func (s *Sheet) day(d Date) int {
	return int(min(max(d-s.Week.Start, 0), DaysInWeek))
}

// hasPlan reports whether anything is planned on the row, time or note.
func (r *SheetRow) hasPlan() bool {
	for _, c := range r.Cells {
		if c.Cell != (Cell{}) {
			return true
		}
	}
	return false
}

// rests are what was planned on each of the first days of a row and not tracked.
// More than planned on one day makes up for less on another, the earliest first,
// so that they add up to what the row has left.
func (r *SheetRow) rests(days int) [DaysInWeek]Minutes {
	var rests [DaysInWeek]Minutes
	var more Minutes
	for day, c := range r.Cells[:days] {
		rests[day] = max(0, c.Planned-c.Tracked)
		more += max(0, c.Tracked-c.Planned)
	}
	for day := range rests {
		made := min(more, rests[day])
		rests[day] -= made
		more -= made
	}
	return rests
}

func sumDays(each [DaysInWeek]Minutes) Minutes {
	var all Minutes
	for _, m := range each {
		all += m
	}
	return all
}
