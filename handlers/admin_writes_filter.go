package handlers

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// writesFilter is what of all writes an address asks for.
type writesFilter struct {
	query  views.WriteQuery
	search db.WriteSearch
	oldest bool  // first, instead of newest
	from   int64 // where the page begins; 0: at the beginning
}

// parseWritesFilter reads the filters of an address, or of a form that carries
// them on. Ages are as of now. What no page of ours leads to is not found.
func parseWritesFilter(values url.Values, now time.Time) (f writesFilter, err error) {
	text := func(name string) string {
		value, wrong := filterText(values, name)
		err = cmp.Or(err, wrong)
		return value
	}
	number := func(name string) int64 {
		n, wrong := filterID(name, text(name))
		err = cmp.Or(err, wrong)
		return n
	}
	one := func(name string, of []string) string {
		value := text(name)
		if value != "" && !slices.Contains(of, value) {
			err = fmt.Errorf("filter %s %q: %w", name, value, planner.ErrNotFound)
		}
		return value
	}
	f.query = views.WriteQuery{
		State: text("state"), User: text("user"), Project: text("project"), Search: text("q"), Reason: one("reason", reasons()),
		Status: text("status"), Op: one("op", ops()), Connection: text("connection"), Age: one("age", ages()), Sent: one("sent", ages()),
		Sort: one("sort", []string{views.OldestFirst}), From: text("from"),
	}
	if len(f.query.Status) > len("503") {
		return f, fmt.Errorf("filter status %q: %w", f.query.Status, planner.ErrNotFound)
	}
	q, s := f.query, &f.search
	s.User, s.Project, s.Reason, s.Op = q.User, q.Project, q.Reason, ledger.Op(q.Op)
	s.Connection, s.Status, f.from = number("connection"), int(number("status")), number("from")
	s.CreatedBefore, s.SentBefore = agoIn(q.Age, now), agoIn(q.Sent, now)
	f.oldest = q.Sort == views.OldestFirst
	searchFor(s, q.Search)
	if err != nil {
		return f, err
	}
	s.States, err = statesOf(q.State)
	if f.oldest && len(s.States) == 0 {
		s.States = slices.DeleteFunc(db.AllStates(), ledger.State.Finished)
	}
	return f, err
}

// statesOf reads the filter "state": a group, or a single state.
func statesOf(value string) ([]ledger.State, error) {
	if g, err := writeGroupOf(value); err == nil {
		return g.states, nil
	}
	state := ledger.State(value)
	if !slices.Contains(db.AllStates(), state) {
		return nil, fmt.Errorf("filter state %q: %w", value, planner.ErrNotFound)
	}
	return []ledger.State{state}, nil
}

// leastReference is how much of the id of an entry tells it from a word.
const leastReference = 8

// searchFor reads what was typed: a number is the id of a write, or of an entry
// in Harvest; a reference is known by how it begins; the rest are Harvest's words.
func searchFor(s *db.WriteSearch, text string) {
	reference, whole := strings.CutPrefix(text, ledger.ReferenceGroup+":")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		s.Number = n
	} else if whole || len(text) >= leastReference && strings.Trim(strings.ToLower(text), "0123456789abcdef-:") == "" {
		s.Reference = strings.ToLower(reference)
	} else {
		s.Said = text
	}
}

// ages are the choices of the filters by age.
func ages() []string { return []string{"15m", "1h", "24h", "168h", "720h"} }

func ageWords(age string) string {
	switch age {
	case "15m":
		return "15 minutes"
	case "1h":
		return "an hour"
	case "24h":
		return "a day"
	case "168h":
		return "a week"
	default:
		return "30 days"
	}
}

// agoIn is the instant that an age was ago; zero for none.
func agoIn(age string, now time.Time) time.Time {
	d, err := time.ParseDuration(age)
	if err != nil {
		return time.Time{}
	}
	return now.Add(-d)
}

func ops() []string {
	return []string{
		string(ledger.OpCreate), string(ledger.OpUpdate), string(ledger.OpDelete), string(ledger.OpStart), string(ledger.OpStop),
		string(ledger.OpAdopt), string(ledger.OpRemoveDouble),
	}
}

func opWords(op string) string {
	switch ledger.Op(op) {
	case ledger.OpUpdate:
		return "Change"
	case ledger.OpDelete:
		return "Delete"
	case ledger.OpStart:
		return "Start a timer"
	case ledger.OpStop:
		return "Stop a timer"
	case ledger.OpAdopt:
		return "Take an entry over"
	case ledger.OpRemoveDouble:
		return "Remove a double"
	default:
		return "Create"
	}
}

// reasons are the choices of the filter by cause.
func reasons() []string {
	return []string{
		string(ledger.ReasonUnreachable), string(ledger.ReasonTimeout), string(ledger.ReasonBroken), string(ledger.ReasonServer), string(ledger.ReasonUnreadable),
		string(ledger.ReasonAuth), string(ledger.ReasonForbidden), string(ledger.ReasonNotFound), string(ledger.ReasonInvalid), string(ledger.ReasonTimes),
		string(ledger.ReasonMode), string(ledger.ReasonIgnored), string(ledger.ReasonLate), string(ledger.ReasonForeign),
		string(ledger.WaitAsked), string(ledger.WaitLimit), string(ledger.WaitBreaker), string(ledger.WaitUntrusted), string(ledger.WaitPaused),
	}
}

// reasonWords tell a cause in a few words, for lists of them.
func reasonWords(reason string) string {
	switch ledger.Reason(reason) {
	case ledger.ReasonUnreachable:
		return "Not reached"
	case ledger.ReasonTimeout:
		return "No answer in time"
	case ledger.ReasonBroken:
		return "Broke off in the middle"
	case ledger.ReasonServer:
		return "Failure at Harvest (5xx)"
	case ledger.ReasonUnreadable:
		return "Answer not readable"
	case ledger.ReasonAuth:
		return "Token not accepted"
	case ledger.ReasonForbidden:
		return "Not allowed (403)"
	case ledger.ReasonNotFound:
		return "Not known there (404)"
	case ledger.ReasonInvalid:
		return "Refused"
	case ledger.ReasonTimes:
		return "Needs start and end"
	case ledger.ReasonMode:
		return "Account tracks otherwise"
	case ledger.ReasonIgnored:
		return "Done, said Harvest, but was not"
	case ledger.ReasonLate:
		return "Too late to start a timer"
	case ledger.ReasonForeign:
		return "Belongs to another program"
	}
	switch ledger.WaitReason(reason) {
	case ledger.WaitAsked:
		return "Harvest asked for a pause"
	case ledger.WaitLimit:
		return "Below the limit of calls"
	case ledger.WaitBreaker:
		return "Breaker is open"
	case ledger.WaitUntrusted:
		return "Could not prove to be Harvest"
	case ledger.WaitPaused:
		return "Paused by an operator"
	default:
		return reason
	}
}

// stateWords tell a single state to those who run the program.
func stateWords(state ledger.State) string {
	switch state {
	case ledger.Pending:
		return "queued"
	case ledger.Sending:
		return "being sent"
	case ledger.Uncertain:
		return "uncertain"
	case ledger.Retry:
		return "waits for another try"
	case ledger.Blocked:
		return "waits for its owner to connect"
	case ledger.Rejected:
		return "refused"
	case ledger.Conflict:
		return "changed in Harvest"
	case ledger.Done:
		return "in Harvest"
	case ledger.Superseded:
		return "replaced"
	default:
		return "given up"
	}
}
