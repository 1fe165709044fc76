package views

import (
	"strconv"

	"furrow/planner"
)

// FillMenu leads to the ways to fill a week without typing.
type FillMenu struct {
	Week     planner.Week
	IsThis   bool   // so that there may be a rest to spread
	Carry    string // what the week before has left, "6:30"; empty if nothing, or if nobody wants to hear of it
	CopyLast bool   // the week is empty, and the one before is not
}

// FillPage shows what a week gets from another one, or from a template, before it
// does.
type FillPage struct {
	Chrome     Chrome
	Week       planner.Week
	Title      string
	Action     string // where the form goes
	Ways       []FillWay
	Source     *FillSource // nil: a template
	Format     planner.DurationFormat
	Days       [planner.DaysInWeek]FillDay
	Rows       []FillRow // that are added
	Skipped    []FillRow // that are not
	Added      planner.Minutes
	MutationID string
	Shown      string // names what is shown, so that nothing else is stored; instead of a version
	Error      string
}

// FillWay is a way to copy a week.
type FillWay struct {
	Label, Help, URL string
	Current          bool
}

// FillSource is the week that is copied, and those beside it.
type FillSource struct {
	Week           planner.Week
	Earlier, Later string // addresses
}

// FillDay is a day of the week that is filled.
type FillDay struct {
	Date     planner.Date
	Planned  planner.Minutes // with what is added
	Capacity planner.Minutes
}

// FillRow is a row that is added, or why it is not.
type FillRow struct {
	Client, Project, Task string
	Hue                   int
	Cells                 [planner.DaysInWeek]FillCell
	Planned               planner.Minutes
	Why                   string // it is not added
}

// FillCell is what is added to a day.
type FillCell struct {
	Planned planner.Minutes
	Note    string
	Locked  bool // so that nothing is added
}

func (p FillPage) button() string {
	label := "Add " + counted(len(p.Rows), "row", "rows")
	if p.Added > 0 {
		label += " and " + p.Format.Format(p.Added)
	}
	return label
}

// whyNothing says why no row is added.
func (p FillPage) whyNothing() string {
	if len(p.Skipped) > 0 {
		return "Each row below says why."
	}
	return "There is nothing of that kind there."
}

// load is what a day will have, beside its capacity.
func (d FillDay) load(f planner.DurationFormat) string {
	switch {
	case d.Capacity == 0 && d.Planned == 0:
		return "–"
	case d.Capacity == 0:
		return f.Format(d.Planned)
	default:
		return f.Format(d.Planned) + " of " + f.Format(d.Capacity)
	}
}

// over is how much more than fits a day will have; empty if it fits.
func (d FillDay) over(f planner.DurationFormat) string {
	if d.Planned <= d.Capacity {
		return ""
	}
	return f.Format(d.Planned-d.Capacity) + " over"
}

// CarryPage proposes where what the week before has left goes.
type CarryPage struct {
	Chrome     Chrome
	Week       planner.Week
	Format     planner.DurationFormat
	Current    bool // the only one into which work is carried, as the one before is over
	Rows       []CarryRow
	MutationID string
	Shown      string
	Error      string
}

// CarryRow is a row with time left. The field "row" holds its key if it is
// ticked, and the field that [CarryField] names the day.
type CarryRow struct {
	Key                   string
	Client, Project, Task string
	Hue                   int
	Amount                planner.Minutes
	Days                  []Option // that it may go to; none if it fits into no day
	Ticked                bool
}

// CarryField is the name of the field that says to which day a row goes.
func CarryField(key string) string { return "day." + key }

// SpreadPage proposes how what is left of past days goes to the rest of the week.
type SpreadPage struct {
	Chrome     Chrome
	Week       planner.Week
	Row        string // key of the only row; empty: the whole week
	Format     planner.DurationFormat
	Days       []SpreadDay
	Rows       []SpreadRow
	MutationID string
	Shown      string
	Error      string
}

// SpreadDay is a day that may take something.
type SpreadDay struct {
	Day  int // of the week, 0 to 6
	Date planner.Date
	Free planner.Minutes // before anything is added
}

// SpreadRow is a row with time left. Its inputs are named by [CellField].
type SpreadRow struct {
	Key                   string
	Client, Project, Task string
	Hue                   int
	Left                  planner.Minutes
	Adds                  [planner.DaysInWeek]string // as it is typed; empty: nothing
	Locked                [planner.DaysInWeek]bool
	Error                 string
	Unplaced              string // a sentence about what does not fit
}

// TemplatesPage lists the user's templates.
type TemplatesPage struct {
	Chrome    Chrome
	Week      planner.Week // that they may be applied to, and that may be kept as one
	Format    planner.DurationFormat
	Templates []Template
	Rows      int    // of the week
	Fields    Fields // "name" of a new one
	Renaming  int64  // whose new name is refused; 0: none
}

// Template is a week under a name.
type Template struct {
	ID      int64
	Name    string
	Rows    int
	Planned planner.Minutes
}

// RecurringPage lists the user's recurring work.
type RecurringPage struct {
	Chrome  Chrome
	Horizon string // "30 May 2027"
	Rules   []RecurringRule
}

// RecurringRule is work that comes again every week.
type RecurringRule struct {
	ID                    int64
	Client, Project, Task string
	Hue                   int
	Words                 string // "Every Tuesday, 1:00"
	Note                  string
	Span                  string // "from 24 November 2026"
	State                 string // how far it is planned, or why it is not
	Over                  bool   // it has ended
}

// RecurringForm makes recurring work, or changes it.
type RecurringForm struct {
	Chrome     Chrome
	ID         int64  // 0: it is new
	Row        string // key; empty: one is to be chosen from Choices
	Name       string // of the row
	Choices    []ClientAssignments
	Days       []Option // by the user's first day of the week
	Fields     Fields   // "row", "day", "duration", "note", "from", "until"; "before" of the form that ends it
	Back       string
	MutationID string
	Horizon    string
}

// CopyURL shows what a week would get from another one (GET), and where that is
// stored (POST). from is a date of the other week; empty for the one before.
func CopyURL(week planner.Week, way planner.CopyWay, from string) string {
	return withQuery(WeekPath(week)+"/copy", "way", string(way), "from", from)
}

// ApplyTemplatePath shows what a week would get from a template (GET), and where
// that is stored (POST).
func ApplyTemplatePath(week planner.Week, id int64) string {
	return WeekPath(week) + "/templates/" + strconv.FormatInt(id, 10)
}

// CarryPath proposes where what the week before has left goes (GET, POST).
func CarryPath(week planner.Week) string { return WeekPath(week) + "/carry" }

// DismissCarryPath says that nobody wants to hear of that (POST).
func DismissCarryPath(week planner.Week) string { return CarryPath(week) + "/dismiss" }

// SpreadURL proposes how the rest of a row goes to the other days of its week,
// or that of all rows if row is empty (GET, POST).
func SpreadURL(week planner.Week, row string) string {
	return withQuery(WeekPath(week)+"/spread", "row", row)
}

// TemplatesURL lists templates, to apply to a week (GET), and keeps the week as
// one (POST).
func TemplatesURL(week planner.Week) string { return withQuery(TemplatesPath, "week", week.String()) }

// templatePath begins the addresses of one template.
func templatePath(id int64) string { return TemplatesPath + "/" + strconv.FormatInt(id, 10) }

// RenameTemplatePath gives a template another name (POST).
func RenameTemplatePath(id int64) string { return templatePath(id) + "/rename" }

// DeleteTemplatePath deletes a template (POST).
func DeleteTemplatePath(id int64) string { return templatePath(id) + "/delete" }

// NewRecurringURL is the form for recurring work of a row (GET), from a date on;
// both may be empty.
func NewRecurringURL(row, from string) string {
	return withQuery(RecurringPath+"/new", "row", row, "from", from)
}

// RecurringRulePath is the form of recurring work (GET, POST).
func RecurringRulePath(id int64) string { return RecurringPath + "/" + itoa64(id) }

// EndRecurringPath ends recurring work (POST).
func EndRecurringPath(id int64) string { return RecurringRulePath(id) + "/end" }

func (p TemplatesPage) nameField() fieldModel {
	f := fieldModel{Name: "name", Label: "Name", Help: "At most 100 characters.", Required: true}
	if p.Renaming == 0 {
		f.Value, f.Error = p.Fields.Value("name"), p.Fields.Err("name")
	}
	return f
}

func (p TemplatesPage) renameField(t Template) fieldModel {
	f := fieldModel{Name: "name", ID: "name-" + itoa64(t.ID), Label: "New name", Value: t.Name, Required: true}
	if p.Renaming == t.ID {
		f.Value, f.Error = p.Fields.Value("name"), p.Fields.Err("name")
	}
	return f
}

func (f RecurringForm) title() string {
	if f.ID == 0 {
		return "Repeat every week"
	}
	return "Change recurring work"
}

func (f RecurringForm) action() string {
	if f.ID == 0 {
		return RecurringPath
	}
	return RecurringRulePath(f.ID)
}

func (f RecurringForm) button() string {
	if f.ID == 0 {
		return "Repeat it"
	}
	return "Change it"
}

func (f RecurringForm) fromHelp() string {
	if f.ID == 0 {
		return "Cells that anybody has typed in stay as they are."
	}
	return "Before that day everything stays. From there on, cells that nobody has changed follow."
}
