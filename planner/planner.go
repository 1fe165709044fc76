// Package planner is the planning domain: weeks, dates, planned time, rows and
// cells, capacity, and the rules that turn a plan into lines to push.
//
// It is pure. It has no clock, no I/O and no knowledge of Harvest's wire
// format, of SQL or of HTML; "now" and "today" come in as arguments. What was
// asked of Harvest and what is known of it lives in package ledger.
package planner

import "errors"

// Outcomes that callers branch on. They are wrapped with what was being done.
var (
	// ErrNotFound: the thing does not exist, or belongs to somebody else.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the thing is not in a state that allows the action.
	ErrConflict = errors.New("conflict")
	// ErrForbidden: the user may see the thing but not do this to it.
	ErrForbidden = errors.New("forbidden")
)

// FieldErrors says for each form field, by name, why its value was refused, in
// a sentence for the person who typed it.
type FieldErrors map[string]string

// Error joins nothing: the sentences are for the page, not for a log.
func (e FieldErrors) Error() string { return "invalid fields" }
