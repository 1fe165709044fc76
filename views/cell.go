package views

import (
	"slices"

	"furrow/ledger"
	"furrow/planner"
)

// CellPage is everything about one cell: its plan and note to edit, what was
// tracked, and how it stands with Harvest.
type CellPage struct {
	Chrome Chrome
	Form   CellForm
}

// CellForm is the form of one cell. Its fields are "planned", "note" and the
// hidden "version".
type CellForm struct {
	Week    planner.Week
	Day     int // 0 to 6
	Row     Row // its Cells[Day] is the cell
	Format  planner.DurationFormat
	Version int64
	Fields  Fields       // planned and note as typed, if refused
	Entries []CellEntry  // what Harvest has on this row and date
	Writes  []WriteBrief // latest first
	Settle  *Settle      // not nil: somebody changed it in Harvest
	History []PlanChange // latest first
	Choice  ChoiceForm   // what adopting and putting back come with
	Move    *MoveForm    // nil: nothing can be moved

	MutationID string // of a timer that is started from this page
}

// PlanChange is a change of a cell's plan.
type PlanChange struct {
	Event         int64
	At            Moment
	Why           string
	Before, After PlanValue
	PutBack       bool // Before is not what is planned now
}

// PlanValue is what was planned.
type PlanValue struct {
	Amount string // empty: nothing
	Note   string
}

// text is the value in a line.
func (v PlanValue) text() string {
	switch {
	case v.Amount == "" && v.Note == "":
		return "nothing"
	case v.Note == "":
		return v.Amount
	case v.Amount == "":
		return "“" + v.Note + "”"
	default:
		return v.Amount + " “" + v.Note + "”"
	}
}

// Cell returns the cell itself.
func (f CellForm) Cell() Cell { return f.Row.Cells[f.Day] }

// timerPath is where the form of the cell's timer goes.
func (f CellForm) timerPath() string {
	if f.Cell().Timer.Can == StopTimer {
		return StopTimerPath(f.Week, f.Row.Key, f.Day)
	}
	return StartTimerPath(f.Week, f.Row.Key, f.Day)
}

// CellEntry is a time entry of Harvest's.
type CellEntry struct {
	ID    int64
	URL   string // in Harvest; empty if not known
	Hours planner.Hours
	Notes string
	Ours  bool
	Adopt bool // it may become ours
}

// WriteBrief is a write in one line.
type WriteBrief struct {
	ID    int64
	Line  WriteLine
	State ledger.State
	At    Moment
}

func (f CellForm) plannedText() string {
	if text, typed := f.Fields.Values["planned"]; typed {
		return text
	}
	cell := f.Cell()
	return cell.stored(f.Format)
}

func (f CellForm) noteText() string {
	if text, typed := f.Fields.Values["note"]; typed {
		return text
	}
	return f.Cell().Note
}

// adopts reports whether any entry may become ours.
func (f CellForm) adopts() bool {
	return slices.ContainsFunc(f.Entries, func(e CellEntry) bool { return e.Adopt })
}
