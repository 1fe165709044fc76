package planner

import "time"

// Weekdays are days of the week, a bit for each time.Weekday.
type Weekdays uint8

// WeekdaysOf returns a set of days.
func WeekdaysOf(days ...time.Weekday) Weekdays {
	var w Weekdays
	for _, d := range days {
		w |= 1 << d
	}
	return w
}

// Has reports whether a day is among them.
func (w Weekdays) Has(d time.Weekday) bool { return w&(1<<d) != 0 }

// Recurrence is work that comes again every week.
type Recurrence struct {
	ID       int64
	Row      RowID
	Days     Weekdays
	Each     Cell // what is planned on each of the days
	StartsOn Date
	EndsOn   *Date // the last date; nil: it goes on
}

// Horizon returns up to which date recurring work is planned: the end of the
// 26th week after the one of today.
func Horizon(today Date, weekStart time.Weekday) Date {
	return WeekOf(today, weekStart).End().AddDays(26 * DaysInWeek)
}

// Falls reports whether the work comes on a date.
func (r *Recurrence) Falls(d Date) bool {
	return d >= r.StartsOn && (r.EndsOn == nil || d <= *r.EndsOn) && r.Days.Has(d.Weekday())
}

// RecurringCell is a cell as recurrences see it.
type RecurringCell struct {
	Cell

	Rule    int64 // the recurrence that wrote it last; 0: none did
	Touched bool  // something else than a recurrence has written it, ever
}

// free reports whether a recurrence may write the cell.
func (c RecurringCell) free() bool { return !c.Touched && c.Cell == Cell{} }

// Replace returns what the dates from one to another become when one recurrence
// takes the place of another of the same row; either may be nil. Cells that are
// not what the old one made of them stay as they are, and only what nobody ever
// planned or cleared is filled.
func Replace(old, next *Recurrence, from, to Date, cells map[Date]RecurringCell) []Edit {
	var row RowID
	if old != nil {
		row = old.Row
	}
	if next != nil {
		row = next.Row
	}
	var edits []Edit
	for d := from; d <= to; d++ {
		c := cells[d]
		mine := old != nil && c.Rule == old.ID && c.Cell == old.Each
		comes := next != nil && next.Falls(d)
		if !mine && (!comes || !c.free()) {
			continue
		}
		edit := Edit{Cell: CellID{RowID: row, Date: d}}
		if comes {
			edit.To = next.Each
		}
		if edit.To != c.Cell {
			edits = append(edits, edit)
		}
	}
	return edits
}
