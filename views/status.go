package views

import "furrow/planner"

// SyncPhase is where the exchange with Harvest stands.
type SyncPhase string

// The phases. Queued and Running are unfinished; so is any phase with Waiting
// writes.
const (
	SyncNone     SyncPhase = ""         // not connected
	SyncNever    SyncPhase = "never"    // connected, never synced
	SyncQueued   SyncPhase = "queued"   // asked for
	SyncRunning  SyncPhase = "running"  // at it
	SyncDone     SyncPhase = "done"     // as of At
	SyncFailed   SyncPhase = "failed"   // see Sentence
	SyncPaused   SyncPhase = "paused"   // the owner must connect again
	SyncOperator SyncPhase = "operator" // an operator has paused it for a time
)

// SyncStatus is the component that tells how Furrow stands with Harvest. While
// Poll is set it asks for itself every two seconds, or slower.
type SyncStatus struct {
	Week  planner.Week
	Phase SyncPhase
	At    Moment // end of the last good sync; zero if none

	// Progress of a running sync; zero where Harvest does not say.
	Page, Pages, Entries int

	Waiting  int // writes queued or being sent
	Unsure   int // writes that Harvest may or may not have
	NeedsYou int // writes that a person must decide on

	// Sentence says what happened, what is done about it, and when next, if
	// there is anything to say: "Harvest did not answer (503). 3 changes are
	// safe here. Next try 14:32."
	Sentence string

	// Poll is the address to ask again ([SyncStatusURL]); empty when all is
	// final.
	Poll string
	// Slow: nothing is under way but a timer that runs, or a pause.
	Slow bool
}

// LivePartial is the answer of the polled address: the status, and the grid if it
// changed since the last answer. It is morphed, so focus and unsent text stay.
type LivePartial struct {
	Status SyncStatus
	Timer  *TimerBar // of the frame of the page; nil: none runs
	Grid   *WeekGrid // nil: it is as it was
	// AddRow is set when there is something to choose from where there was not.
	AddRow *AddRow
}

// every is how often the status is asked for.
func (s SyncStatus) every() string {
	if s.Slow {
		return "20s"
	}
	return "2s"
}

// class is the mark of the phase.
func (s SyncStatus) class() string {
	switch s.Phase {
	case SyncQueued, SyncRunning, SyncOperator:
		return "s-waiting"
	case SyncDone:
		switch {
		case s.Waiting+s.Unsure > 0:
			return "s-waiting"
		case s.NeedsYou > 0:
			return "s-needs"
		default:
			return "s-sent"
		}
	case SyncFailed, SyncPaused:
		return "s-needs"
	default:
		return "s-off"
	}
}

// headline is the phase in words.
func (s SyncStatus) headline() string {
	switch s.Phase {
	case SyncNever:
		return "Nothing read from Harvest yet"
	case SyncQueued:
		return "Sync with Harvest queued"
	case SyncRunning:
		return "Syncing with Harvest"
	case SyncDone:
		switch {
		case s.Waiting+s.Unsure > 0:
			return "Changes are on their way to Harvest"
		case s.NeedsYou > 0:
			return "Harvest refused something"
		default:
			return "In step with Harvest"
		}
	case SyncFailed:
		return "Harvest could not be read"
	case SyncOperator:
		return "Paused by the people who run Furrow"
	case SyncPaused:
		return "Harvest wants you to connect again"
	default:
		return "Not connected to Harvest"
	}
}

// progress is how far a running sync has come: "page 3 of 11, 5,412 entries".
func (s SyncStatus) progress() string {
	entries := counted(s.Entries, "entry", "entries")
	switch {
	case s.Page > 0 && s.Pages > 0:
		return "page " + grouped(s.Page) + " of " + grouped(s.Pages) + ", " + entries
	case s.Page > 0:
		return "page " + grouped(s.Page) + ", " + entries
	default:
		return "asking for the first page"
	}
}

func (s SyncStatus) needs() string {
	if s.NeedsYou == 1 {
		return "1 needs you"
	}
	return grouped(s.NeedsYou) + " need you"
}
