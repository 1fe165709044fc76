package views

import "furrow/planner"

// PalettePage is the list of all that can be done from a week.
type PalettePage struct {
	Chrome Chrome
	Week   planner.Week
	Query  string
	Items  []PaletteItem
}

// PaletteItem is one thing to do: a link, or a form with one button.
type PaletteItem struct {
	Label []Piece    // what it is; or
	Row   *RowOption // the row that it leads to
	Hint  string

	URL string // leads there by GET; or
	// Post is where its form goes, with one field if there is a name for it.
	Post, Name, Value string
	MutationID        string
}
