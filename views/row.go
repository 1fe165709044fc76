package views

import "furrow/planner"

// RowPage is everything about one row of a week: what its days hold, where it
// stands, and its removal.
type RowPage struct {
	Chrome Chrome
	Form   RowForm
}

// RowForm is the page of a row without its frame; also shown in the panel of the
// week page.
type RowForm struct {
	Week       planner.Week
	Row        Row
	ClientKey  string
	Format     planner.DurationFormat
	Version    int64
	MutationID string // of whatever is done here: one thing closes the page
	// Where the row can go among those of its client, and the client among clients.
	Up, Down             bool
	ClientUp, ClientDown bool
	// Goes is what a removal takes out of the week, "6:30 on 3 days and 1 note
	// go."; empty if nothing does. Stays tells what is not taken out.
	Goes, Stays string
	Removable   bool // there is something to remove
	Error       string
}

// The fields of an order. "row" or "client" is what moves; it moves "by" a step,
// or to stand "before" another one of its kind, which is empty for the end.
const (
	OrderUp   = "up"
	OrderDown = "down"
)
