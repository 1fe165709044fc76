package planner

import "cmp"

// RowID names a row: a project and a task by our ids.
type RowID struct {
	ProjectID, TaskID int64
}

// CellID names a cell: a row on a date.
type CellID struct {
	RowID
	Date Date
}

// Compare orders cells by project, task and date, for [slices.SortFunc].
func (c CellID) Compare(other CellID) int {
	return cmp.Or(cmp.Compare(c.ProjectID, other.ProjectID), cmp.Compare(c.TaskID, other.TaskID), cmp.Compare(c.Date, other.Date))
}

// Cell is what is planned on a row and date. The zero value is nothing.
type Cell struct {
	Planned Minutes
	Note    string
}

// MaxNote is the longest note of a cell, in characters; Harvest takes longer ones.
const MaxNote = 2000

// Edit makes a cell what To says.
type Edit struct {
	Cell     CellID
	To       Cell
	KeepNote bool // the note stays as it is; To's is not read
}

// After is what the edit makes of a cell.
func (e Edit) After(before Cell) Cell {
	if e.KeepNote {
		return Cell{Planned: e.To.Planned, Note: before.Note}
	}
	return e.To
}
