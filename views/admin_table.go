package views

// AdminTablePage is a table under one of the tabs, with what it is filtered by.
type AdminTablePage struct {
	Chrome  Chrome
	Tab     AdminNav
	Heading string
	Intro   string
	Filter  *AdminFilter // nil: nothing to filter by
	Links   []AdminLink
	Table   AdminTable
}

// AdminTable is the part of the page that changes by itself. While Poll is set
// it asks for itself every two seconds.
type AdminTable struct {
	Heading string
	Summary string // what is shown of how much
	Columns []Column
	Rows    [][]TableCell
	Empty   string // said when there are no rows
	CSV     string // address of all that matches, as a file; empty: there is none
	Older   string // address of the next page; empty on the last one
	Poll    string // [AdminLiveURL]; empty when nothing moves
}

// AdminFilter is a form that chooses rows.
type AdminFilter struct {
	Path     string
	Fields   []AdminField
	Filtered bool // something is left out
}

// AdminField is a field of a form. With Options it is a choice.
type AdminField struct {
	Name    string
	Label   string
	Type    string // of the input; empty: text
	Value   string
	Help    string
	Hint    string // an example, while nothing is typed
	Error   string
	Most    int // characters; 0: any number
	Options []Option
}

func (f AdminField) model() fieldModel {
	return fieldModel{Name: f.Name, Label: f.Label, Type: f.Type, Value: f.Value, Help: f.Help, Error: f.Error, Required: true}
}

// AdminThingPage is one thing that operators look at and act on: a connection,
// a queue, what holds calls back, a user.
type AdminThingPage struct {
	Chrome  Chrome
	Tab     AdminNav
	Back    AdminLink // the list that it is in
	Heading string
	Stand   TableCell // how it stands, in a word
	Said    string    // the same in a sentence or two; may be empty
	Facts   []AdminFact
	Links   []AdminLink
	Forms   []AdminForm // what the reader may do
}

// AdminFact is something to know of a thing.
type AdminFact struct {
	Name  string
	Value TableCell
}

// AdminLink leads to another page of the administration.
type AdminLink struct{ URL, Label string }

// AdminForm does something to a thing.
type AdminForm struct {
	ID     string // unique on the page
	Action string
	Title  string
	Help   string
	Fields []AdminField
	Button string
}

// Column is a heading of a table.
type Column struct {
	Name    string
	Numbers bool // set right-aligned, in tabular figures
	Short   bool // never broken into lines: a state, a time
}

// TableCell is text with, at most, an address, a tone, or actions.
type TableCell struct {
	Text    string
	URL     string
	Tone    FlashKind // good, bad, note, or none
	Note    string    // in small print below
	Actions []TableAction
}

func (t TableCell) empty() bool { return t.Text == "" && t.Note == "" && len(t.Actions) == 0 }

// mark is the class of the mark that goes with the tone; empty for none.
func (t TableCell) mark() string {
	switch t.Tone {
	case FlashGood:
		return "s-sent"
	case FlashBad:
		return "s-needs"
	case FlashNote:
		return "s-waiting"
	default:
		return ""
	}
}

// TableAction is a button of a row.
type TableAction struct {
	URL   string // where it posts to
	Label string
	Of    string // what it is done to, for those who do not see the row
}

func columnClass(c Column) string {
	switch {
	case c.Numbers:
		return "num"
	case c.Short:
		return "short"
	default:
		return "text"
	}
}

// cellClass is the class of the i-th column; further cells are text.
func (t AdminTable) cellClass(i int) string {
	if i < len(t.Columns) {
		return columnClass(t.Columns[i])
	}
	return "text"
}

// label names the i-th cell of a row where the head of the table is not shown: on
// a narrow screen. The first says what the row is about, and needs no name.
func (t AdminTable) label(i int) string {
	if i >= len(t.Columns) || i == 0 && !t.Columns[0].Numbers {
		return ""
	}
	return t.Columns[i].Name
}
