package views

import "furrow/planner"

// TimerBar is the timer that runs or is about to, told on every page.
type TimerBar struct {
	Client, Project, Task string
	Hue                   int
	Cell                  string // address of its cell
	State                 string // "starting", "running since 9:14", "stopping"
	Elapsed               string // in the reader's format; empty if it does not run
	// Warning is what to look at: past the plan, or past the end of its day.
	Warning string
	// Stop is where the form that stops it goes ([StopTimerPath]), and Next the
	// page to come back to. Without Stop it was not started from here; Harvest is
	// then where it is stopped, if its address is known.
	Stop    string
	Next    string
	Harvest string
}

// TimerAction is what can be done about the timer of a cell.
type TimerAction uint8

// The actions.
const (
	NoTimer TimerAction = iota
	StartTimer
	StopTimer
)

// CellTimer is the timer of a cell.
type CellTimer struct {
	Can  TimerAction
	Word string // "running since 9:14", "starting"; empty for none
	Why  string // a sentence about it, for the cell's own page
}

// startLabel and stopLabel are the buttons as they are spoken.
func (r *Row) startLabel() string { return "Start a timer on " + r.Project + " " + r.Task }

func (r *Row) stopLabel() string { return "Stop the timer on " + r.Project + " " + r.Task }

// word is what is said beside the tracked time.
func (c *Cell) timerWord() string {
	if c.Timer.Word == "" && c.Running {
		return "running"
	}
	return c.Timer.Word
}

// StartTimerPath starts a timer on a cell (POST).
func StartTimerPath(week planner.Week, rowKey string, day int) string {
	return CellPath(week, rowKey, day) + "/start"
}

// StopTimerPath stops the timer of a cell (POST).
func StopTimerPath(week planner.Week, rowKey string, day int) string {
	return CellPath(week, rowKey, day) + "/stop"
}
