package ledger

import (
	"slices"

	"furrow/planner"
)

// Row returns a row of the week; nil if it is not shown.
func (p WeekPlan) Row(id planner.RowID) *Row {
	for i := range p.Rows {
		if p.Rows[i].ID == id {
			return &p.Rows[i]
		}
	}
	return nil
}

// Clients returns the clients of the rows, in their order.
func (p WeekPlan) Clients() []int64 {
	clients := make([]int64, len(p.Rows))
	for i := range p.Rows {
		clients[i] = p.Rows[i].ClientID
	}
	return slices.Compact(clients) // the rows of a client follow each other
}

// RowsOf returns the rows of a client, in their order.
func (p WeekPlan) RowsOf(clientID int64) []planner.RowID {
	var rows []planner.RowID
	for i := range p.Rows {
		if p.Rows[i].ClientID == clientID {
			rows = append(rows, p.Rows[i].ID)
		}
	}
	return rows
}

// TakesNoChanges reports whether Harvest has locked a cell of the week, so that
// its plan stays as it is.
func (p WeekPlan) TakesNoChanges(id planner.CellID) bool {
	return p.DayLocks[id.Date-p.Week.Start] != "" || p.Cell(id).Mark() == MarkLocked
}

// Lock returns why nothing that is planned in a cell of the week from now on can
// be sent to Harvest; empty if it can.
func (p WeekPlan) Lock(id planner.CellID) string {
	return p.Cell(id).lockedOn(p.DayLocks[id.Date-p.Week.Start])
}
