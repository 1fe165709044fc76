package planner

import (
	"cmp"
	"slices"
)

// DayOff is a date on which nothing is to be worked.
type DayOff struct {
	Date Date
	Name string // may be empty
}

// Workday is what a date is for: for work, or it is off.
type Workday struct {
	Off  bool
	Name string // of the day off; may be empty
}

// DayEdit makes a date a day off or a working day.
type DayEdit struct {
	Date Date
	To   Workday
}

// TimeOff is days off that follow each other and have one name.
type TimeOff struct {
	First, Last Date
	Name        string
}

// MostTimeOff is the most days that are taken off at once: a leap year.
const MostTimeOff = 366

// Days returns the dates of the time off.
func (t TimeOff) Days() []Date {
	days := make([]Date, 0, t.Last-t.First+1)
	for d := t.First; d <= t.Last; d++ {
		days = append(days, d)
	}
	return days
}

// Take returns what makes days off of the time off.
func (t TimeOff) Take() []DayEdit { return t.edits(Workday{Off: true, Name: t.Name}) }

// WorkAgain returns what makes working days of the time off.
func (t TimeOff) WorkAgain() []DayEdit { return t.edits(Workday{}) }

func (t TimeOff) edits(to Workday) []DayEdit {
	edits := make([]DayEdit, 0, t.Last-t.First+1)
	for _, day := range t.Days() {
		edits = append(edits, DayEdit{Date: day, To: to})
	}
	return edits
}

// TimesOff puts days off together, by date.
func TimesOff(days []DayOff) []TimeOff {
	days = slices.SortedFunc(slices.Values(days), func(a, b DayOff) int { return cmp.Compare(a.Date, b.Date) })
	var times []TimeOff
	for _, d := range days {
		last := len(times) - 1
		if last >= 0 && times[last].Name == d.Name && times[last].Last == d.Date-1 {
			times[last].Last = d.Date
			continue
		}
		times = append(times, TimeOff{First: d.Date, Last: d.Date, Name: d.Name})
	}
	return times
}
