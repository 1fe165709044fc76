package views

import "furrow/planner"

// AddRow is the form that adds a row to the week.
type AddRow struct {
	Week    planner.Week
	Clients []ClientAssignments // what may be logged in Harvest; rows already shown left out
	Fields  Fields              // project_task; or client, project, task
}

// firstField is the id of the field in which adding a row begins.
func (a AddRow) firstField() string {
	if len(a.Clients) > 0 {
		return "f-project_task"
	}
	return "f-client"
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

// RowFinder is what the row finder shows for what is typed in it.
type RowFinder struct {
	MutationID string // of adding one of the rows
	Options    []RowOption
	New        string // a row to make, "client / project / task"; empty for none
	Hint       string // why there is nothing to choose, and what to do
}

// RowOption is a row to choose.
type RowOption struct {
	Value                 string // as in [AssignmentOption]
	Key                   string // as in [Row]
	Hue                   int    // of the client, 0 to 11
	Client, Project, Task []Piece
	InWeek                bool // shown already
}

// Piece is a part of a name; a hit is what was typed.
type Piece struct {
	Text string
	Hit  bool
}

// Pieces cuts one part of a name where a match has marked it.
func Pieces(text string, part int, marks []planner.Mark) []Piece {
	var pieces []Piece
	at := 0
	for _, m := range marks {
		if m.Part != part {
			continue
		}
		if m.From > at {
			pieces = append(pieces, Piece{Text: text[at:m.From]})
		}
		pieces = append(pieces, Piece{Text: text[m.From:m.To], Hit: true})
		at = m.To
	}
	if at < len(text) {
		pieces = append(pieces, Piece{Text: text[at:]})
	}
	return pieces
}
