package views

import "furrow/ledger"

// Tally is a number that was counted no further than need be.
type Tally struct {
	N    int
	More bool // there are, or may be, more
}

func (t Tally) String() string {
	if t.More {
		return grouped(t.N) + "+"
	}
	return grouped(t.N)
}

// CountedLink is a link that chooses one of several, and how many it shows.
type CountedLink struct {
	Label   string
	URL     string
	Current bool
	Count   Tally
}

// AdminWritesPage lists writes of all users.
type AdminWritesPage struct {
	Chrome Chrome
	Filter WritesFilter
	List   AdminWritesList
}

// WritesFilter is the form over the list.
type WritesFilter struct {
	Query                                    WriteQuery
	States, Reasons, Ops, Ages, Sents, Sorts []Option // to choose from
	Users, Statuses                          []Option // suggested, with counts
}

// more reports whether a filter is in force that is folded away otherwise.
func (f WritesFilter) more() bool {
	q := f.Query
	return q.Status+q.Op+q.Connection+q.Age+q.Sent+q.Sort != ""
}

// AdminWritesList is the part of the page that changes by itself. While Poll is set
// it asks for itself every two seconds.
type AdminWritesList struct {
	Query   WriteQuery
	States  []CountedLink
	Actions []CountedLink // on all that match; none for those who may only look
	Orders  []CountedLink // that are under way
	Rows    []AdminWrite
	CanAct  bool
	Next    string // address of the next page; empty on the last one
	Short   bool   // the page ends where the search stopped, not because it is full
	Poll    string
}

// first leads to the first page.
func (l AdminWritesList) first() string {
	q := l.Query
	q.From = ""
	return AdminWritesURL(q)
}

// cleared leads to the list without filters, but the state.
func (l AdminWritesList) cleared() string { return AdminWritesURL(WriteQuery{State: l.Query.State}) }

// next is how the next page is called.
func (l AdminWritesList) next() string {
	switch {
	case l.Short:
		return "Look further"
	case l.Query.Sort == OldestFirst:
		return "Newer"
	default:
		return "Older"
	}
}

// Actor is who must act on a write.
type Actor string

// Those who may have to.
const (
	ActorNobody   Actor = "nobody"
	ActorOwner    Actor = "its owner"
	ActorOperator Actor = "an operator"
)

// AdminWrite is a write of somebody, without the note: what people write is none
// of the operator's business, and tells nothing of what went wrong.
type AdminWrite struct {
	ID        int64
	Line      WriteLine
	Owner     string
	State     ledger.State
	StateWord string
	Cause     string // what went wrong, if anything did
	Who       Actor  // must act; empty if it is through
	Next      Moment // next try by itself; zero: none, or in a moment
	Soon      bool   // that is in a moment
	Queued    Moment
	Tries     int
	CanRetry  bool
}

// AdminWritePage is one write with its whole history.
type AdminWritePage struct {
	Chrome Chrome
	Live   AdminWriteLive
}

// AdminWriteLive is the part of the page that changes by itself. While Poll is
// set it asks for itself every two seconds.
type AdminWriteLive struct {
	Write         AdminWrite
	Told          string // what its owner reads
	Advice        string // what an operator can do about it
	Message       string // Harvest's own words
	OperatorNote  string
	Hours         string
	Before, After string // what Harvest had, and has; empty for nothing
	EntryID       int64
	EntryURL      string
	Reference     string
	ConnectionID  int64
	Connection    string // how that stands
	Request       string // ours, that asked for the write
	History       []Point
	Actions       []WriteAction
	Poll          string
}

// WriteAction is a form of the page.
type WriteAction struct {
	Action string
	Label  string
	Help   string
	Note   bool // asks why
}

// ActionPreview says what an action would do to all that match, and does it.
type ActionPreview struct {
	Chrome    Chrome
	Title     string
	Sentence  string // what it does
	Back      string
	Action    string // where the form posts to
	Hidden    []Option
	Can       []CountLine
	Cannot    []CountLine
	All       int
	One, Many string // what is counted
	Button    string
	Note      string // as typed
	Notes     bool   // asks why
	Problem   string
}

// CountLine is a number of an enumeration.
type CountLine struct {
	Count Tally
	Words string
}

// OrderPage is how far an order is.
type OrderPage struct {
	Chrome Chrome
	Live   OrderLive
}

// OrderLive is the part of the page that changes by itself.
type OrderLive struct {
	ID                          int64
	Title                       string
	Filter                      []FilterWord
	Actor                       string
	Made                        Moment
	Finished                    Moment
	Note                        string
	Previewed, Changed, Skipped int
	Batches                     []OrderBatch
	Back                        string
	Poll                        string
}

// FilterWord is a filter in words.
type FilterWord struct{ Name, Value string }

// OrderBatch is what one batch came to.
type OrderBatch struct {
	Number  int
	At      Moment
	UpTo    int64
	Changed int
	Spared  string // how many were left alone, and why
}

// OrdersPage are the latest orders.
type OrdersPage struct {
	Chrome Chrome
	Orders []OrderLive
}

// progress is how far the order is.
func (l OrderLive) progress() string {
	said := grouped(l.Changed) + " of " + grouped(l.Previewed) + " done"
	if l.Skipped > 0 {
		said += ", " + grouped(l.Skipped) + " left alone"
	}
	if l.Finished.IsZero() {
		return said + " so far."
	}
	return said + "."
}
