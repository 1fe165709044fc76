package views

import (
	"strings"

	"furrow/ledger"
	"furrow/planner"
)

// Values of the filter "state" of the ledger: groups of ledger states that are
// one word to people. The empty value is everything.
const (
	LedgerWaiting   = "waiting"   // pending, retry, sending
	LedgerUncertain = "uncertain" // uncertain
	LedgerNeedsYou  = "needs-you" // blocked, rejected
	LedgerChanged   = "changed"   // conflict
	LedgerSent      = "sent"      // done
	LedgerOver      = "over"      // superseded, dropped
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

// stateWord tells a ledger state as people say it.
func stateWord(s ledger.State) string {
	switch s {
	case ledger.Pending, ledger.Retry:
		return "waiting"
	case ledger.Sending:
		return "sending"
	case ledger.Uncertain:
		return "uncertain"
	case ledger.Blocked, ledger.Rejected:
		return "needs you"
	case ledger.Done:
		return "in Harvest"
	case ledger.Conflict:
		return "changed in Harvest"
	case ledger.Superseded:
		return "replaced"
	case ledger.Dropped:
		return "given up"
	default:
		return string(s)
	}
}

// stateClass is the CSS class of the mark beside the word.
func stateClass(s ledger.State) string {
	switch s {
	case ledger.Pending, ledger.Retry, ledger.Sending:
		return "s-waiting"
	case ledger.Uncertain:
		return "s-unsure"
	case ledger.Blocked, ledger.Rejected:
		return "s-needs"
	case ledger.Done:
		return "s-sent"
	case ledger.Conflict:
		return "s-changed"
	default:
		return "s-off"
	}
}

// text is what a write did or is to do in Harvest.
func (l WriteLine) text() string {
	verb := "Create"
	switch l.Op {
	case ledger.OpUpdate:
		verb = "Change to"
	case ledger.OpDelete:
		verb = "Delete"
	case ledger.OpStart:
		verb = "Start the timer"
	case ledger.OpStop:
		verb = "Stop the timer"
	case ledger.OpAdopt:
		verb = "Take over"
	case ledger.OpRemoveDouble:
		verb = "Remove the double of"
	}
	if l.Amount != "" {
		verb += " " + l.Amount
	}
	return verb
}

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

// retryPath is the owner's address, or the admin's where owners are shown.
func (w *Write) retryPath() string {
	if w.Owner != "" {
		return AdminRetryWritePath(w.ID)
	}
	return RetryWritePath(w.ID)
}

func attemptClass(a Attempt) string {
	if a.Good {
		return "good"
	}
	return "bad"
}

// facts are the small print of an attempt: "status 503 · 240 ms · request abc".
func (a Attempt) facts() string {
	var facts []string
	if a.Status != 0 {
		facts = append(facts, "status "+itoa(a.Status))
	}
	if a.Latency != "" {
		facts = append(facts, a.Latency)
	}
	if a.RequestID != "" {
		facts = append(facts, "request "+a.RequestID)
	}
	return strings.Join(facts, " · ")
}
