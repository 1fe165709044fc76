package views

import "furrow/planner"

// PushPage is the review of what would be sent to Harvest.
type PushPage struct {
	Chrome     Chrome
	Week       planner.Week
	Day        *planner.Date // nil: the whole week
	Format     planner.DurationFormat
	MutationID string // makes pressing the button twice harmless
	Days       []PushDay
	Sentence   string // about the connection or an earlier push, if there is something to say
	Error      string // the last answer was refused: nothing ticked, or things changed meanwhile
	Connected  bool
}

// PushDay are the lines of one date.
type PushDay struct {
	Date   planner.Date
	Future bool // not worked yet, so its lines start unticked
	Locked string
	Lines  []PushLine
}

// PushAction is what a line would do in Harvest.
type PushAction string

// The actions. Skip and Blocked lines cannot be ticked.
const (
	PushCreate  PushAction = "create"
	PushUpdate  PushAction = "update"
	PushDelete  PushAction = "delete"
	PushSkip    PushAction = "skip"
	PushBlocked PushAction = "blocked"
)

// PushLine is one change.
type PushLine struct {
	// Value comes back in the field "line" if the line is ticked. It should name
	// the cell and carry a fingerprint of what was shown, so that the server can
	// tell that things changed since.
	Value   string
	Action  PushAction
	Ticked  bool
	Client  string
	Project string
	Task    string
	Hue     int
	Before  planner.Hours // what Harvest has of the cell now
	After   planner.Hours // what it will have
	Note    string
	Money   string     // what the change is worth, "+€120.00"; empty if unknown
	Reason  string     // why skipped or blocked, or a remark
	Start   *PushStart // nil: Harvest is not told when it starts
}

// PushStart is when a line starts, in accounts that track that.
type PushStart struct {
	Name  string // of the field in which another start is chosen; left empty, it starts as proposed
	Value string // in that field: as proposed, or as it was typed
	Times string // the proposal, "09:00–10:30"; empty if there is none
	Error string // why what was typed cannot be
}

// Tickable reports whether the line can be sent at all.
func (l PushLine) Tickable() bool {
	return l.Action != PushSkip && l.Action != PushBlocked
}

func (p PushPage) heading() string {
	if p.Day != nil {
		return "Push " + dayName(*p.Day) + " to Harvest"
	}
	return "Push the week to Harvest"
}

// span is what the page is about, in the middle of a sentence.
func (p PushPage) span() string {
	if p.Day != nil {
		return "on this day"
	}
	return "in this week"
}

func (p PushPage) lines() int {
	n := 0
	for i := range p.Days {
		n += len(p.Days[i].Lines)
	}
	return n
}

// sendable reports whether any line can be ticked at all.
func (p PushPage) sendable() bool {
	for i := range p.Days {
		for j := range p.Days[i].Lines {
			if p.Days[i].Lines[j].Tickable() {
				return true
			}
		}
	}
	return false
}

// ticked counts the ticked lines.
func (p PushPage) ticked() int {
	n := 0
	for i := range p.Days {
		for j := range p.Days[i].Lines {
			if l := &p.Days[i].Lines[j]; l.Ticked && l.Tickable() {
				n++
			}
		}
	}
	return n
}

// total is what the ticked lines add to Harvest.
func (p PushPage) total() planner.Minutes {
	var total planner.Minutes
	for i := range p.Days {
		for j := range p.Days[i].Lines {
			if l := &p.Days[i].Lines[j]; l.Ticked && l.Tickable() {
				total += l.adds()
			}
		}
	}
	return total
}

// adds is how much more Harvest will have; less than zero if it will have less.
func (l *PushLine) adds() planner.Minutes { return (l.After - l.Before).Minutes() }

// word is what the line would do, in a word.
func (l *PushLine) word() string {
	switch l.Action {
	case PushCreate:
		return "Create"
	case PushUpdate:
		return "Change"
	case PushDelete:
		return "Delete"
	case PushSkip:
		return "Skip"
	default:
		return "Blocked"
	}
}

// label is the accessible name of the tick box.
func (l *PushLine) label(d planner.Date) string {
	return l.word() + " " + l.where(d) + ", " + l.After.Minutes().Words()
}

// where is the line's cell in words.
func (l *PushLine) where(d planner.Date) string {
	return l.Client + " " + l.Project + " " + l.Task + ", " + dayName(d)
}
