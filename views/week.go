package views

import (
	"strconv"

	"furrow/planner"
)

// WeekPage is the page of one week.
type WeekPage struct {
	Chrome     Chrome
	Week       planner.Week
	IsThisWeek bool
	Status     SyncStatus
	Begin      *Begin // not nil: nothing is here yet; the ways to begin
	Grid       WeekGrid
	AddRow     AddRow
}

// Begin is what an empty week offers to somebody new.
type Begin struct {
	Connected bool // then only rows are missing
	Sandbox   bool // the sandbox is on, and its token is known
}

// WeekGrid is the table of a week.
type WeekGrid struct {
	Week   planner.Week
	Format planner.DurationFormat

	// Version is the id of the newest plan event that the page shows. It comes
	// back with every form, so that an edit in another tab is noticed.
	Version int64

	Days    [planner.DaysInWeek]Day
	Clients []ClientRows

	Planned  planner.Minutes
	Tracked  planner.Hours
	Capacity planner.Minutes

	// Sendable counts the lines that a push of the week would send.
	Sendable int
}

// Day is a column of the grid.
type Day struct {
	Date     planner.Date
	Today    bool
	Capacity planner.Minutes // 0 on a day off
	Planned  planner.Minutes
	Tracked  planner.Hours
	Locked   string // why the day takes no changes; empty if it does
	Sendable int    // lines that a push of the day would send
}

// ClientRows are the rows of one client.
type ClientRows struct {
	Key     string // names the group on the page: letters, digits and "-" only
	Name    string
	Hue     int // 0 to 11
	Rows    []Row
	Planned planner.Minutes
	Tracked planner.Hours
}

// Row is a project and task on the seven days.
type Row struct {
	Key     string // names the row in addresses and fields: letters, digits and "-" only
	Client  string
	Project string
	Task    string
	Hue     int // of the client, 0 to 11

	NotPlanned bool // only here because Harvest has time on it
	Removable  bool // empty, so it can go without a question

	Cells   [planner.DaysInWeek]Cell
	Planned planner.Minutes
	Tracked planner.Hours
}

// Cell is a row on a date.
type Cell struct {
	Planned planner.Minutes
	Tracked planner.Hours
	Note    string
	Running bool // a timer runs in Harvest; Tracked is as of the last sync

	State CellState
	// Why is a sentence about the state, if there is more to say than its word:
	// the reason, and the next try. When tells the next try in short.
	Why  string
	When Moment

	// What was typed and not stored, and the sentence or question about it, with
	// the answers to choose from: "30 min" or "30 h", or the two values of a
	// cell that was changed in another tab meanwhile.
	Typed   string
	Error   string
	Choices []Choice
}

// Choice is an answer to a question about a cell: a button that sends Value as
// if it had been typed.
type Choice struct {
	Value string // "30m"
	Label string // "30 min"
}

// AskHoursOrMinutes returns the question about a bare number, and its answers.
// More hours than a day has are not offered.
func AskHoursOrMinutes(number int) (question string, choices []Choice) {
	n := strconv.Itoa(number)
	choices = []Choice{{Value: n + "m", Label: n + " min"}}
	if planner.Minutes(number)*60 <= planner.MaxCell {
		choices = append(choices, Choice{Value: n + "h", Label: n + " h"})
	}
	return n + " min?", choices
}

// CellState is where a cell stands between here and Harvest.
type CellState uint8

// The states of a cell. A cell without plan and without writes is blank.
const (
	CellBlank     CellState = iota
	CellPlanned             // only here
	CellWaiting             // queued for Harvest
	CellInHarvest           // Harvest has confirmed it
	CellUncertain           // Harvest may or may not have it
	CellNeedsYou            // refused
	CellChanged             // changed in Harvest
	CellLocked              // takes no changes
)

// Word is the state in a word or two; nothing for a blank cell.
func (s CellState) Word() string {
	switch s {
	case CellPlanned:
		return "planned"
	case CellWaiting:
		return "waiting"
	case CellInHarvest:
		return "in Harvest"
	case CellUncertain:
		return "uncertain"
	case CellNeedsYou:
		return "needs you"
	case CellChanged:
		return "changed in Harvest"
	case CellLocked:
		return "locked"
	default:
		return ""
	}
}

// class is the CSS class that carries the mark and the colour of the state.
func (s CellState) class() string {
	switch s {
	case CellPlanned:
		return "s-planned"
	case CellWaiting:
		return "s-waiting"
	case CellInHarvest:
		return "s-sent"
	case CellUncertain:
		return "s-unsure"
	case CellNeedsYou:
		return "s-needs"
	case CellChanged:
		return "s-changed"
	case CellLocked:
		return "s-locked"
	default:
		return ""
	}
}

// WeekChange is the answer to an edit made with htmx: the rows that changed
// since the version the edit was based on, the totals, and the new version.
// Rows are only replaced; when a row came or went, send the grid.
type WeekChange struct {
	Grid WeekGrid // days, totals and version; Clients is not read
	// Clients holds the changed rows under their client, with its totals.
	Clients []ClientRows
	Say     string // for the live region; may be empty
}

// AddRow is the form that adds a row to the week.
type AddRow struct {
	Week    planner.Week
	Clients []ClientAssignments // what may be logged in Harvest; rows already shown left out
	Fields  Fields              // project_task; or client, project, task
}

// ClientAssignments are the assignments of one client.
type ClientAssignments struct {
	Name        string
	Assignments []AssignmentOption
}

// AssignmentOption is a project and task to choose.
type AssignmentOption struct {
	Value   string // of the field project_task: "projectID:taskID"
	Project string
	Task    string
}
