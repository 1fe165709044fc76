package views

import (
	"strings"

	"furrow/planner"
)

// QuickPage is the quick add of a week.
type QuickPage struct {
	Chrome Chrome
	Form   QuickForm
}

// QuickForm is a line of quick add, and what it was taken for.
type QuickForm struct {
	Week       planner.Week
	Format     planner.DurationFormat
	Line       string
	MutationID string
	Version    int64  // newest plan event of the cells
	Problem    string // why it was not added

	Rows []QuickRowOption // what the line may mean, best first; one is chosen

	Duration planner.Minutes
	// DurationWhy is why there is no duration; the choices are lines that have one.
	DurationWhy string
	Choices     []QuickChoice
	Spare       string // what was typed for a duration, of several

	Days   []QuickDay
	AnyDay bool // no day was typed
	Every  bool // more was asked for than these days
	Note   string
}

// QuickRowOption is a row that a line may mean.
type QuickRowOption struct {
	Row    RowOption
	Chosen bool
}

// QuickChoice is another line to send instead.
type QuickChoice struct {
	Label, Line string
}

// QuickDay is what the line does on a date.
type QuickDay struct {
	Date          planner.Date
	Before, After planner.Minutes
	Problem       string // why it cannot be
	Locked        string // why Harvest takes nothing there, so that the day is left out; empty if it does
}

// blank reports whether nothing has been typed.
func (f *QuickForm) blank() bool { return strings.TrimSpace(f.Line) == "" }

// ready reports whether the line can be added.
func (f *QuickForm) ready() bool {
	for _, d := range f.Days {
		if d.Problem != "" {
			return false
		}
	}
	return f.chosen() != "" && f.DurationWhy == "" && len(f.open()) > 0
}

// chosen is the value of the row that is chosen.
func (f *QuickForm) chosen() string {
	for _, r := range f.Rows {
		if r.Chosen {
			return r.Row.Value
		}
	}
	return ""
}

// total is what the line adds, on all days together.
func (f *QuickForm) total() planner.Minutes { return f.Duration * planner.Minutes(len(f.open())) }

// open are the days that Harvest has not locked.
func (f *QuickForm) open() []planner.Date {
	var open []planner.Date
	for _, d := range f.Days {
		if d.Locked == "" {
			open = append(open, d.Date)
		}
	}
	return open
}

// Shown is what the form was drawn for: a row, a line, and the days that Harvest
// has locked. It comes back with the form, so that nothing is added that was not
// shown before.
func (f *QuickForm) Shown() string {
	shown := []string{f.chosen(), f.Line}
	for _, d := range f.Days {
		if d.Locked != "" {
			shown = append(shown, "not", d.Date.String())
		}
	}
	return strings.Join(shown, " ")
}
