package views

import (
	"furrow/ledger"
	"furrow/planner"
)

// CheckPage compares what was sent in a week with what Harvest has.
type CheckPage struct {
	Chrome    Chrome
	Week      planner.Week
	Connected bool
	Result    CheckResult
}

// CheckResult is the comparison. It is its own swap target, and asks for itself
// while Poll is set.
type CheckResult struct {
	Poll     string // [CheckResultURL]; empty when all is final
	Summary  string // "12 sent, 12 found, 0 double."
	Good     bool   // nothing differs, and Harvest was asked just now
	Fresh    bool   // Harvest was asked for it
	Read     Moment // when Harvest was last read; zero if never
	Sentence string // why it is not fresh, if there is something to say
	Findings []CheckLine
	Unsent   []CheckLine
}

// CheckLine is something that differs, or is not sent yet.
type CheckLine struct {
	Client, Project, Task string // empty: the row is not known
	Hue                   int
	Day                   string           // "Tue 24 Nov"
	URL                   string           // of the cell
	Kind                  ledger.CheckKind // of what differs; empty for what is not sent
	State                 ledger.State     // of what is not sent
	Text                  string
	Write                 int64 // a write to look at; 0: none
}

// asOf says how far the summary can be trusted.
func (r CheckResult) asOf() string {
	switch {
	case r.Fresh:
		return "Read from Harvest at "
	case r.Read.IsZero():
		return "As far as Furrow knows; Harvest has not been read yet."
	default:
		return "As far as Furrow knows; last read "
	}
}

// class is the mark of the line.
func (l CheckLine) class() string {
	switch l.Kind {
	case "":
		return stateClass(l.State)
	case ledger.CheckDouble:
		return "s-needs"
	case ledger.CheckUnknown:
		return "s-unsure"
	default:
		return "s-changed"
	}
}

// word is the line in a word or two.
func (l CheckLine) word() string {
	switch l.Kind {
	case ledger.CheckGone:
		return "not found"
	case ledger.CheckChanged:
		return "changed"
	case ledger.CheckMoved:
		return "moved"
	case ledger.CheckDouble:
		return "double"
	case ledger.CheckUnknown:
		return "not known here"
	default:
		return stateWord(l.State)
	}
}
