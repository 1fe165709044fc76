package views

import "furrow/planner"

// CapacityPage is what fits into the user's days, and which days are off. Fields
// of the forms: [CapacityField]; first, last and name.
type CapacityPage struct {
	Chrome  Chrome
	Days    []CapacityDay // from the user's first day of the week on
	Week    string        // what fits into a week, as typed
	TimeOff []TimeOff
	Off     Fields
}

// CapacityDay is a weekday and what fits into it.
type CapacityDay struct {
	Field, Name string
	Value       string // as typed; empty follows Harvest
	Harvest     string // what Harvest says
	Error       string
}

// CapacityField is the name of a weekday's field, 0 for Sunday.
func CapacityField(weekday int) string { return "capacity-" + itoa(weekday) }

// TimeOff is a time in which nothing is to be worked.
type TimeOff struct {
	planner.TimeOff
	Past bool
}

// words tells the dates: "24 – 31 December 2026".
func (t TimeOff) words() string {
	if t.First == t.Last {
		return t.First.Format("Monday 2 January 2006")
	}
	return datesBetween(t.First, t.Last)
}

func (t TimeOff) length() string { return counted(int(t.Last-t.First)+1, "day", "days") }
