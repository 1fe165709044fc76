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
	Chrome    Chrome
	Clients   []Option // of the filter "client"; none if there are no writes at all
	List      LedgerList
	CheckWeek planner.Week // that the self-check is offered for
}

// LedgerList is the part of the page that changes by itself. While Poll is set
// it asks for itself every two seconds.
type LedgerList struct {
	Query  LedgerQuery // in force
	States []Option    // of the filter "state"; counts are shown
	Moving int         // of these, in whatever state, a worker brings so many on
	Writes []Write
	Older  string // address of the next page; empty on the last one
	Poll   string // [LedgerLiveURL]; empty when nothing moves
}

// summary says how many writes there are, and how many of them move.
func (l LedgerList) summary() string {
	said := ""
	for _, o := range l.States {
		if o.Selected {
			said = counted(o.Count, "write", "writes")
		}
	}
	if l.Query.filters() {
		said += " found"
	}
	switch l.Moving {
	case 0:
		return said + "."
	case 1:
		return said + ". 1 is on its way to Harvest."
	default:
		return said + ". " + grouped(l.Moving) + " are on their way to Harvest."
	}
}

// stateURL leads to another state, with the other filters as they are.
func (l LedgerList) stateURL(state string) string {
	q := l.Query
	q.State, q.Before = state, ""
	return LedgerURL(q)
}

// newest leads to the first page.
func (l LedgerList) newest() string { return l.stateURL(l.Query.State) }

// WritePage is one write with its whole history.
type WritePage struct {
	Chrome Chrome
	Live   WriteLive
}

// WriteLive is the part of the page that changes by itself. While Poll is set
// it asks for itself every two seconds.
type WriteLive struct {
	Write Write
	Poll  string // [WriteLivePath]; empty when nothing moves
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
	Amount  string // "1:30", in the reader's format; empty for a delete and for timers
	Client  string
	Project string
	Task    string
	Hue     int
	Date    planner.Date
	Note    string
}

// Write is an entry of the ledger.
type Write struct {
	ID        int64
	Line      WriteLine
	WeekURL   string // the week it is of; empty for somebody else's
	State     ledger.State
	Why       string // in plain words: what happened and what can be done
	Queued    Moment
	Finished  Moment
	Starts    string // "09:00", in accounts that track start and end times
	Before    string // what Harvest had when it was sent: "1:00, “Header”"; empty for nothing
	After     string // what Harvest was seen to have since
	EntryID   int64  // Harvest's; 0 if none is known
	EntryURL  string // in Harvest; empty if not known
	Reference string // what Harvest knows the entry by as ours
	Message   string // Harvest's own words, shown as such
	Attempts  int
	History   []Point // in order
	CanRetry  bool
	CanDrop   bool
}

// PointKind is how a point of a history is marked.
type PointKind string

// The kinds.
const (
	PointPlain PointKind = "plain" // it happened
	PointGood  PointKind = "good"  // it went as it should
	PointBad   PointKind = "bad"
	PointNext  PointKind = "next" // it is still to come
)

// Point is something that happened to a write, or is to happen next.
type Point struct {
	Kind      PointKind
	At        Moment
	What      string // "Queued", "Look for the entry", "Create the entry", "Next try"
	Outcome   string // in plain words
	Message   string // Harvest's own words, shown as such
	Status    int    // HTTP status; 0 if there was no answer
	Latency   string // "240 ms"
	RequestID string // Harvest's
	JobID     int64  // ours, that made it; told to those who run the program
}

// facts are the small print of a point: "status 503 · 240 ms · request abc".
func (p Point) facts() string {
	var facts []string
	if p.Status != 0 {
		facts = append(facts, "status "+itoa(p.Status))
	}
	if p.Latency != "" {
		facts = append(facts, p.Latency)
	}
	if p.RequestID != "" {
		facts = append(facts, "request "+p.RequestID)
	}
	if p.JobID != 0 {
		facts = append(facts, "job "+itoa64(p.JobID))
	}
	return strings.Join(facts, " · ")
}

// StateWord tells where the write stands as people say it.
func (w *Write) StateWord() string {
	if w.deleted() {
		return "deleted"
	}
	return stateWord(w.State)
}

// deleted reports whether the write took the entry out of Harvest.
func (w *Write) deleted() bool {
	return w.State == ledger.Done && (w.Line.Op == ledger.OpDelete || w.Line.Op == ledger.OpRemoveDouble)
}

// confirmed reports whether the state says all that there is to say.
func (w *Write) confirmed() bool { return w.State == ledger.Done }

// attempts says how often a write was tried.
func (w *Write) attempts() string {
	if w.Attempts == 0 {
		return "no attempt"
	}
	return counted(w.Attempts, "attempt", "attempts")
}
