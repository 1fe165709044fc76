package ledger

import (
	"time"

	"furrow/planner"
)

// Write is one intended change in Harvest, as the drain needs it.
type Write struct {
	ID        int64
	Op        Op
	State     State
	Reference string        // external reference of the entry; constant for its life
	Permalink string        // where the user finds the cell again
	Entry     Entry         // what the entry is meant to say
	RemoteID  int64         // what update and delete aim at; 0 if a create has not told yet
	Base      *Base         // what was last agreed on; nil for a create
	Failures  int           // failed attempts of any kind, for the back-off
	Lookups   int           // look-ups since the last sending that found nothing
	SentAt    time.Time     // last sending; zero if never sent
	SentAgo   time.Duration // since then, by the store's clock
}

// Base is the remote state that an update or delete starts from.
type Base struct {
	Hours     planner.Hours
	Notes     string
	UpdatedAt time.Time
}

// Action is what an attempt did.
type Action string

// The actions of an attempt.
const (
	ActionLook  Action = "look"  // asked Harvest what it has
	ActionSend  Action = "send"  // asked Harvest to change something
	ActionRetry Action = "retry" // a person asked for another try
	ActionDrop  Action = "drop"  // a person gave up
)

// OutcomeKind is what an attempt showed: one of the constants below, or a
// [Class] as text if the call failed.
type OutcomeKind string

// The outcomes of an attempt that did not fail.
const (
	OutcomeApplied  OutcomeKind = "applied"   // Harvest confirmed the change
	OutcomeFound    OutcomeKind = "found"     // Harvest already has it
	OutcomeAbsent   OutcomeKind = "absent"    // Harvest does not have it
	OutcomeChanged  OutcomeKind = "changed"   // somebody else changed it meanwhile
	OutcomeGone     OutcomeKind = "gone"      // somebody else deleted it meanwhile
	OutcomeWait     OutcomeKind = "wait"      // nothing was tried; calls are held back
	OutcomeRevoked  OutcomeKind = "revoked"   // the credentials are no longer good
	OutcomeByPerson OutcomeKind = "asked"     // see Action
	OutcomeUntried  OutcomeKind = "unsettled" // too early to look
)

// Attempt is one line of a write's history.
type Attempt struct {
	At        time.Time // set by the store
	Action    Action
	Outcome   OutcomeKind
	Reason    string // Reason or WaitReason, if any
	Status    int
	RequestID string
	Message   string // Harvest's own words
	Latency   time.Duration
}

// Result is what an attempt makes of a write.
type Result struct {
	State   State
	Wait    time.Duration // until the next try of an unfinished write
	Lookups int
	Attempt Attempt
	Remote  *RemoteEntry // what Harvest holds now, if it was told
	Gone    bool         // Harvest holds the entry no more
}
