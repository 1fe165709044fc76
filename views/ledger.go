package views

import (
	"furrow/ledger"
	"furrow/planner"
)

// LedgerPage is the list of one's writes, newest first.
type LedgerPage struct {
	Chrome Chrome
	States []Option // of the filter "state"; counts are shown
	Writes []Write
	Older  string // address of the next page; empty on the last one
}

// WritePage is one write with its whole history.
type WritePage struct {
	Chrome Chrome
	Write  Write
}

// WriteState is a ledger state as people are told it.
type WriteState struct{ State ledger.State }

// WriteLine says what a write means to do.
type WriteLine struct {
	Op      ledger.Op
	Amount  string // "1:30", in the reader's format; empty for a delete
	Client  string
	Project string
	Task    string
	Hue     int
	Date    planner.Date
	Note    string
}

// Write is an entry of the ledger.
type Write struct {
	ID       int64
	Line     WriteLine
	State    ledger.State
	Why      string // in plain words: what happened and what can be done
	Queued   Moment
	Finished Moment
	NextTry  Moment
	EntryID  int64  // Harvest's; 0 if none is known
	EntryURL string // in Harvest; empty if not known
	Message  string // Harvest's own words, shown as such
	Attempts []Attempt
	CanRetry bool
	CanDrop  bool
	Owner    string // shown to admins; empty elsewhere
}

// Attempt is one try of a write.
type Attempt struct {
	At        Moment
	What      string // what was tried: "Look for the entry", "Create the entry"
	Outcome   string // in plain words
	Good      bool
	Status    int    // HTTP status; 0 if there was no answer
	Latency   string // "240 ms"
	RequestID string // Harvest's
}
