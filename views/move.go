package views

import "furrow/planner"

// MoveForm moves, copies or splits what is planned in a cell. Its fields are
// "how", "to" (dates; several for a split), "to_row" (left out: the same row),
// "version" and "mutation_id".
type MoveForm struct {
	Action     string
	Date       planner.Date // of the cell
	Days       [planner.DaysInWeek]MoveDay
	Version    int64
	MutationID string
}

// MoveDay is a day of the week to split a cell over.
type MoveDay struct {
	Date   planner.Date
	Locked bool
}

// The ways to move a cell: values of the field "how".
const (
	HowMove  = "move"
	HowCopy  = "copy"
	HowSplit = "split"
)
