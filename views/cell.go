package views

import (
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

	MutationID string // of a timer that is started from this page
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
