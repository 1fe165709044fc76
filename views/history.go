package views

import "furrow/planner"

// HistoryPage is what was done to the plan of a week, latest first.
type HistoryPage struct {
	Chrome  Chrome
	Week    planner.Week
	Changes []HistoryChange
	Newer   bool   // the page does not begin with the latest change
	Older   string // address of the next page; empty on the last one
}

// HistoryChange is one change of the plan, with the ways back.
type HistoryChange struct {
	ID     int64
	At     Moment
	Name   string // what was done, in words
	Cells  []HistoryCell
	Rows   []HistoryRow
	Days   []HistoryDays
	Order  *HistoryOrder // nil: it changed none
	Undone Moment        // when it was taken back; zero if it was not
	// Since says what of it was changed again, so that it cannot be undone, or only
	// in part. Empty if all of it stands.
	Since      string
	CanUndo    bool
	MutationID string // of undoing it
}

// told reports whether the name tells all there is to tell.
func (c *HistoryChange) told() bool {
	if c.Order != nil {
		return false
	}
	if len(c.Days) > 0 {
		return len(c.Cells)+len(c.Rows) == 0 && len(c.Days) == 1
	}
	return len(c.Cells)+len(c.Rows) == 0 || len(c.Rows) == 0 && len(c.Cells) == 1 && c.Cells[0].Before.Note == c.Cells[0].After.Note ||
		len(c.Cells) == 0 && len(c.Rows) == 1
}

// HistoryCell is what became of a cell, or would become of it.
type HistoryCell struct {
	Hue                   int
	Client, Project, Task string
	Day                   string
	Before, After         PlanValue
}

// HistoryRow is a row that was put into a week or taken out of it, or would be.
type HistoryRow struct {
	Hue                   int
	Client, Project, Task string
	Kept                  bool
}

// HistoryDays are dates that follow each other and were made days off or working
// days, or would be.
type HistoryDays struct {
	Days          string
	Before, After string
}

// HistoryOrder is what became of the order of clients, or of the rows of one.
type HistoryOrder struct {
	Hue           int
	Of            string
	Before, After string
}

// RestorePage shows what a week would become.
type RestorePage struct {
	Chrome     Chrome
	Week       planner.Week
	Change     int64 // the week as it was after it; 0: before all changes
	At         Moment
	Cells      []HistoryCell
	Rows       []HistoryRow
	Days       []HistoryDays
	Seen       int64 // the latest change of the week when it was shown
	MutationID string
	Problem    string // why it was not restored
}

func (p *RestorePage) title() string {
	if p.Change == 0 {
		return "The week before its first change"
	}
	return "The week as it was at " + p.At.Text
}
