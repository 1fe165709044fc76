package planner

// Month is a calendar month.
type Month struct {
	Start Date // its first day
}

// MonthOf returns the month of d.
func MonthOf(d Date) Month { return Month{Start: d.AddDays(1 - d.Time().Day())} }

// End returns the last date of the month.
func (m Month) End() Date { return m.Next().Start.AddDays(-1) }

// Next returns the month after m.
func (m Month) Next() Month { return MonthOf(m.Start.AddDays(31)) }

// Contains reports whether d is in the month.
func (m Month) Contains(d Date) bool { return d >= m.Start && d <= m.End() }

// Month returns the month that holds most of the week: that of its middle day.
func (w Week) Month() Month { return MonthOf(w.Day(DaysInWeek / 2)) }
