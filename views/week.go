package views

import (
	"slices"
	"strconv"
	"time"

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
	Fill       FillMenu
	MutationID string // of a timer that is started from this page
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

	Undo  UndoBar
	Money Money

	// Sendable counts the lines that a push of the week would send.
	Sendable int
	// Differ counts the cells that a person should settle with Harvest.
	Differ int
}

// Day is a column of the grid.
type Day struct {
	Date     planner.Date
	Today    bool
	Capacity planner.Minutes // 0 on a day off
	Off      bool            // by the user's word
	OffFor   string          // what for; may be empty
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
	Key string // names the row in addresses and fields: letters, digits and "-" only
	// ProjectID tells which rows are of one project.
	ProjectID int64
	Client    string
	Project   string
	Task      string
	Hue       int // of the client, 0 to 11; read where the row stands alone

	NotPlanned bool // only here because Harvest has time on it
	Removable  bool // empty, so it can go without a question

	// Budget is not nil on the first row of a project that has one.
	Budget *BudgetMark

	Cells   [planner.DaysInWeek]Cell
	Planned planner.Minutes
	Tracked planner.Hours
}

// Cell is a row on a date.
type Cell struct {
	Planned planner.Minutes
	Tracked planner.Hours
	Note    string
	Running bool // a timer runs in Harvest; Tracked goes on with it
	Timer   CellTimer

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

// WeekChange is the answer to a change made with htmx: the rows that changed,
// the totals, and the new version. Rows are only replaced; when a row may have
// come or gone, the answer is the whole grid.
type WeekChange struct {
	Whole bool
	Grid  WeekGrid // if not Whole: days, totals and version; Clients is not read
	// Clients holds the changed rows under their client, with its totals.
	Clients []ClientRows
	Days    []int  // whose heads changed; none stands for all
	Marked  []Row  // other rows, whose budget marks may have changed
	Toast   *Toast // may be nil
}

// heads are the days whose heads are sent. The days of a weekend fold together.
func (c *WeekChange) heads() []int {
	weekend := func(i int) bool {
		day := c.Grid.Days[i].Date.Weekday()
		return day == time.Saturday || day == time.Sunday
	}
	folds := slices.ContainsFunc(c.Days, weekend)
	var heads []int
	for i := range c.Grid.Days {
		if len(c.Days) == 0 || slices.Contains(c.Days, i) || folds && weekend(i) {
			heads = append(heads, i)
		}
	}
	return heads
}

// WeekPreview is what a week would come to with what was typed and is not
// stored.
type WeekPreview struct {
	Grid WeekGrid
}

// weekTitle is the range of a week: "23 – 29 November 2026".
func weekTitle(w planner.Week) string { return datesBetween(w.Start, w.End()) }

// datesBetween tells two dates without repeating what they share.
func datesBetween(a, b planner.Date) string {
	first, last := a.Time(), b.Time()
	switch {
	case first.Year() != last.Year():
		return first.Format("2 January 2006") + " – " + last.Format("2 January 2006")
	case first.Month() != last.Month():
		return first.Format("2 January") + " – " + last.Format("2 January 2006")
	default:
		return first.Format("2") + " – " + last.Format("2 January 2006")
	}
}

// dayName is a date as it is spoken: "Tuesday 24 November".
func dayName(d planner.Date) string { return d.Format("Monday 2 January") }

// shownDay is the day that narrow screens show first: today, or the first one.
func (g *WeekGrid) shownDay() int {
	for i := range g.Days {
		if g.Days[i].Today {
			return i
		}
	}
	return 0
}

// class tells the style sheet which column is today, if one is.
func (g *WeekGrid) class() string {
	for i := range g.Days {
		if g.Days[i].Today {
			return "grid t" + itoa(i)
		}
	}
	return "grid"
}

// blank reports whether the cell shows nothing but its input.
func (c *Cell) blank() bool {
	return c.State == CellBlank && c.Tracked == 0 && c.Planned == 0 && c.Note == "" && c.Error == "" && !c.Running && c.Timer.Word == ""
}

// stored is the planned time as text, empty for none.
func (c *Cell) stored(f planner.DurationFormat) string {
	if c.Planned == 0 {
		return ""
	}
	return f.Format(c.Planned)
}

// value is what the input holds: what was typed if it was refused.
func (c *Cell) value(f planner.DurationFormat) string {
	if c.Error != "" {
		return c.Typed
	}
	return c.stored(f)
}

func (c *Cell) tdClass(d *Day) string {
	if c.State == CellBlank && d.Locked != "" {
		return CellLocked.class()
	}
	return c.State.class()
}

// title is the hint over the link: why, and the note.
func (c *Cell) title() string {
	switch {
	case c.Why != "" && c.Note != "":
		return c.Why + "\n" + c.Note
	case c.Why != "":
		return c.Why
	default:
		return c.Note
	}
}

// shown is the visible word of the state. What is only planned, or blank, has
// none: its mark says so.
func (c *Cell) shown() string {
	if c.State == CellChanged {
		return "changed"
	}
	if c.State == CellPlanned {
		return ""
	}
	return c.State.Word()
}

// hidden is the link's text where no word is shown.
func (c *Cell) hidden() string {
	word := "details"
	if c.Note != "" {
		word = "note and details"
	}
	if c.State == CellPlanned {
		return "planned, " + word
	}
	return word
}

// difference is tracked against planned, in words, where both are known.
func (c *Cell) difference(f planner.DurationFormat) string {
	tracked := c.Tracked.Minutes()
	switch {
	case tracked == 0 || c.Planned == 0 || tracked == c.Planned:
		return ""
	case c.Running && tracked > c.Planned:
		return f.Format(tracked-c.Planned) + " over the plan"
	case c.Running:
		return ""
	case tracked > c.Planned:
		return f.Format(tracked-c.Planned) + " over"
	default:
		return f.Format(c.Planned-tracked) + " under"
	}
}
