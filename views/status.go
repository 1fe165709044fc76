package views

import "furrow/planner"

// SyncPhase is where the exchange with Harvest stands.
type SyncPhase string

// The phases. Queued and Running are unfinished; so is any phase with Waiting
// writes.
const (
	SyncNone    SyncPhase = ""        // not connected
	SyncNever   SyncPhase = "never"   // connected, never synced
	SyncQueued  SyncPhase = "queued"  // asked for
	SyncRunning SyncPhase = "running" // at it
	SyncDone    SyncPhase = "done"    // as of At
	SyncFailed  SyncPhase = "failed"  // see Sentence
	SyncPaused  SyncPhase = "paused"  // the owner must connect again
)

// SyncStatus is the component that tells how Furrow stands with Harvest. While
// Poll is set it asks for itself every two seconds.
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
}

// LivePartial is the answer of the polled address: the status, and what changed
// in the grid since the last answer. Grid replaces the whole grid (morphed, so
// focus and unsent text stay) and is needed when rows came or went; otherwise
// Change holds the rows that changed. Both may be nil.
type LivePartial struct {
	Status SyncStatus
	Grid   *WeekGrid
	Change *WeekChange
}
