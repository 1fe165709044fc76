// Package ledger is what is meant for Harvest and what is known of it: writes
// and their states, the classes an answer can fall into, the drain that sends
// writes one at a time, and the pull that copies what Harvest knows.
//
// It is pure over small interfaces: [Remote] is Harvest as the adapter tells
// it, [Outbox] and [Mirror] are the store. It knows no HTTP, no SQL and no
// queue. Its one promise: no accepted write is lost, and none is sent again
// before it is known whether the first sending had an effect.
package ledger

import (
	"errors"
	"fmt"
	"time"

	"furrow/planner"
)

// ReferenceGroup is the group id that every external reference of ours
// carries, so that equal ids of other programs are not mistaken for ours.
const ReferenceGroup = "furrow"

// Op is what a write does in Harvest.
type Op string

// The operations.
const (
	OpCreate       Op = "create"
	OpUpdate       Op = "update"
	OpDelete       Op = "delete"
	OpStart        Op = "start"         // a timer, of a new entry or of one that is there
	OpStop         Op = "stop"          // a timer
	OpAdopt        Op = "adopt"         // an entry that was not ours becomes ours
	OpRemoveDouble Op = "remove_double" // a second entry with a reference of ours goes
)

// State is where a write stands.
type State string

// The states of a write. Pending, Sending, Uncertain, Retry and Blocked are
// unfinished; the rest are final unless a person retries.
const (
	// Pending: never sent, or proven not applied.
	Pending State = "pending"
	// Sending: committed before the first byte leaves. Found at rest, it means
	// that a process died, and is treated like Uncertain.
	Sending State = "sending"
	// Uncertain: sent, and no trustworthy answer came back.
	Uncertain State = "uncertain"
	// Retry: proven not applied; waits for its next try.
	Retry State = "retry"
	// Blocked: the connection must be repaired by its owner first.
	Blocked State = "blocked"
	// Done: Harvest has confirmed it.
	Done State = "done"
	// Rejected: Harvest refused it; a person must change something.
	Rejected State = "rejected"
	// Conflict: the entry was changed or deleted in Harvest meanwhile.
	Conflict State = "conflict"
	// Superseded: folded into a later write of the same entry before it was sent.
	Superseded State = "superseded"
	// Dropped: given up by a person, with a reason.
	Dropped State = "dropped"
)

// Finished reports whether the worker is through with a write in this state.
func (s State) Finished() bool {
	switch s {
	case Done, Rejected, Conflict, Superseded, Dropped:
		return true
	default:
		return false
	}
}

// Retryable reports whether a person may set a write in this state to be tried
// again at once.
func (s State) Retryable() bool {
	switch s {
	case Rejected, Retry, Blocked:
		return true
	default:
		return false
	}
}

// Entry is what a time entry of ours is meant to say. Project and task are
// Harvest's ids.
type Entry struct {
	ProjectID int64         `json:"project_id"`
	TaskID    int64         `json:"task_id"`
	SpentDate planner.Date  `json:"spent_date"`
	Hours     planner.Hours `json:"hours"` // hundredths of an hour, at least 1
	Notes     string        `json:"notes"`
	// Start is when it starts, in accounts that track start and end times; it ends
	// after Hours. None: as it does already, or the account tracks durations.
	Start planner.TimeOfDay `json:"start,omitzero"`
}

// End is when an entry with a start ends; none if that is not before midnight.
func (e Entry) End() planner.TimeOfDay { return e.Start.Add(e.Hours.Minutes()) }

// says reports whether an entry is as meant. When it starts counts if both tell.
func (e Entry) says(meant Entry) bool {
	same := e.startsAs(meant)
	e.Start = meant.Start
	return same && e == meant
}

func (e Entry) startsAs(meant Entry) bool {
	return e.Start == meant.Start || e.Start.IsZero() || meant.Start.IsZero()
}

// RemoteEntry is a time entry as Harvest tells it.
type RemoteEntry struct {
	ID             int64
	UserID         int64
	ClientID       int64
	ClientName     string
	Currency       string // ISO 4217; empty if Harvest did not say
	ProjectID      int64
	ProjectName    string
	TaskID         int64
	TaskName       string
	SpentDate      planner.Date
	Hours          planner.Hours
	Notes          string
	StartedTime    planner.TimeOfDay // of the user's day; none if the account tracks durations and no timer runs
	EndedTime      planner.TimeOfDay // the same; none while a timer runs
	IsLocked       bool
	LockedReason   string // Harvest's words, for display only
	ApprovalStatus string // unsubmitted, submitted or approved; may be empty
	IsBilled       bool
	IsRunning      bool
	Billable       bool
	ReferenceID    string // external_reference.id, empty if none
	ReferenceGroup string // external_reference.group_id
	CreatedAt      time.Time
	UpdatedAt      time.Time // whole seconds, UTC

	// Of a timer that runs: when it was started, and the time that was on the
	// entry before. Hours are as of the moment in which Harvest told them.
	TimerStartedAt time.Time
	TimerBefore    planner.Hours
}

// Entry returns the part of r that we can mean. Only what has an end has a
// start of that kind: a running timer shows when it was started in accounts
// that track durations too (harvest-api.md, section 7.1).
func (r RemoteEntry) Entry() Entry {
	e := Entry{ProjectID: r.ProjectID, TaskID: r.TaskID, SpentDate: r.SpentDate, Hours: r.Hours, Notes: r.Notes}
	if !r.EndedTime.IsZero() {
		e.Start = r.StartedTime
	}
	return e
}

// Is reports whether the remote entry carries our reference id.
func (r RemoteEntry) Is(reference string) bool {
	return r.ReferenceID == reference && r.ReferenceGroup == ReferenceGroup
}

// Assignment is a project and task that the user may log time on.
type Assignment struct {
	ClientID    int64
	ClientName  string
	Currency    string // ISO 4217; empty if Harvest did not say
	ProjectID   int64
	ProjectName string
	ProjectCode string
	TaskID      int64
	TaskName    string
	Billable    bool
	HourlyRate  string // decimal text in Currency per hour; empty if unknown or not visible
}

// Account is what connecting learns: who the token belongs to, and the
// settings that Furrow takes over.
type Account struct {
	AccountID       int64 // the Harvest account the connection is pinned to
	CompanyName     string
	BaseURI         string // web address of the account, for links
	UserID          int64  // the id that time entries carry
	UserName        string
	Email           string
	TimeZone        string // IANA name
	WeekStart       time.Weekday
	Clock           string // "12h" or "24h"
	DurationFormat  planner.DurationFormat
	WeeklyCapacity  planner.Minutes
	TimestampTimers bool // the account tracks start and end times
	CompanyVisible  bool // false: the company settings could not be read and hold defaults
}

// Class is what a failed call proves about its effect in Harvest.
type Class string

// The classes of a failed call. Success is the absence of an error.
const (
	// NotSent: no byte of the request can have reached Harvest.
	NotSent Class = "not_sent"
	// Refused: Harvest answered that it did not do it.
	Refused Class = "refused"
	// Unknown: Harvest may or may not have done it.
	Unknown Class = "unknown"
)

// Reason says why a call failed, for the sentence shown and the decision taken.
type Reason string

// The reasons.
const (
	ReasonUnreachable Reason = "unreachable" // no connection: name, dial, handshake
	ReasonTimeout     Reason = "timeout"     // no answer in time
	ReasonBroken      Reason = "broken"      // the connection ended in the middle
	ReasonServer      Reason = "server"      // 5xx
	ReasonUnreadable  Reason = "unreadable"  // an answer, but not what Harvest answers
	ReasonAuth        Reason = "auth"        // 401
	ReasonForbidden   Reason = "forbidden"   // 403
	ReasonNotFound    Reason = "not_found"   // 404
	ReasonInvalid     Reason = "invalid"     // 400, 409, 413, 422
	ReasonMode        Reason = "mode"        // a success, but not with the hours that were sent: the account's way of tracking time has changed
	ReasonTimes       Reason = "times"       // the account tracks start and end times, which the entry lacks; nothing was sent
	ReasonIgnored     Reason = "ignored"     // a success that left the entry as it was; it is locked, as a rule
	ReasonForeign     Reason = "foreign"     // the entry carries the reference of another program
	ReasonLate        Reason = "late"        // the day of a timer was over before it could be started; nothing was sent
)

// CallError is a failed call to Harvest. It never holds a token, a body, a
// query string or a header, so it may be logged and stored as it is.
type CallError struct {
	Class     Class
	Reason    Reason
	Call      string // method and path template, "POST /v2/time_entries"
	Status    int    // HTTP status; 0 if there was none
	RequestID string // Harvest's X-Request-Id; may be empty
	Message   string // Harvest's own words for a refusal, at most 500 bytes; show as foreign text
}

func (e *CallError) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("%s: %s (%s, status %d)", e.Call, e.Reason, e.Class, e.Status)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Call, e.Reason, e.Class)
}

// WaitError says that nothing was done and that no call may be made before
// Wait is over: Harvest asked for it (429), a limit or the breaker holds calls
// back, or there is somebody else in its place.
type WaitError struct {
	Wait   time.Duration
	Why    WaitReason
	Status int // HTTP status if Harvest asked; 0 otherwise
}

// WaitReason tells who holds a call back.
type WaitReason string

// The reasons to wait.
const (
	WaitAsked     WaitReason = "asked"     // Harvest answered 429 or 503 with Retry-After
	WaitLimit     WaitReason = "limit"     // our own pacing
	WaitBreaker   WaitReason = "breaker"   // Harvest is failing; one probe at a time
	WaitPaused    WaitReason = "paused"    // an operator has paused the connection
	WaitUntrusted WaitReason = "untrusted" // its certificate does not prove that it is Harvest
)

func (e *WaitError) Error() string {
	return fmt.Sprintf("wait %s (%s)", e.Wait.Round(time.Second), e.Why)
}

// ErrAccessRevoked: Harvest no longer accepts the credentials. Only the owner
// can repair that, by connecting again.
var ErrAccessRevoked = errors.New("harvest access revoked")

// ErrFenced: the lease of the connection went to somebody else; stop at once
// and record nothing more.
var ErrFenced = errors.New("lease lost")
