package planner

import "time"

// DaysInWeek is the number of days in a week.
const DaysInWeek = 7

// Week is seven consecutive dates from its first one. Which weekday starts a
// week is the user's setting, so a week is only meaningful for that user.
type Week struct {
	Start Date
}

// WeekOf returns the week that holds d, when weeks begin on start.
func WeekOf(d Date, start time.Weekday) Week {
	back := (int(d.Weekday()) - int(start) + DaysInWeek) % DaysInWeek
	return Week{Start: d.AddDays(-back)}
}

// Day returns the i-th date of the week, i from 0 to 6.
func (w Week) Day(i int) Date { return w.Start.AddDays(i) }

// Days returns the seven dates in order.
func (w Week) Days() [DaysInWeek]Date {
	var days [DaysInWeek]Date
	for i := range days {
		days[i] = w.Day(i)
	}
	return days
}

// End returns the last date of the week.
func (w Week) End() Date { return w.Start.AddDays(DaysInWeek - 1) }

// Contains reports whether d is one of the seven dates.
func (w Week) Contains(d Date) bool { return d >= w.Start && d <= w.End() }

// Next returns the week after w.
func (w Week) Next() Week { return Week{Start: w.Start.AddDays(DaysInWeek)} }

// Previous returns the week before w.
func (w Week) Previous() Week { return Week{Start: w.Start.AddDays(-DaysInWeek)} }

// String returns the ISO 8601 date of the first day.
func (w Week) String() string { return w.Start.String() }
