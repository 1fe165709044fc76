package ledger

import "time"

// Write is one intended change in Harvest, as the drain needs it.
type Write struct {
	ID        int64
	Op        Op
	State     State
	Reference string        // external reference of the entry; constant for its life
	Permalink string        // where the user finds the cell again
	Entry     Entry         // what the entry is meant to say
	RemoteID  int64         // what the operation aims at; 0 if that is to be made
	KeepID    int64         // of OpRemoveDouble: the entry that stays
	Base      *Base         // what Harvest had when the change was meant; nil for what is to be made
	Seen      *Entry        // what Harvest had just before it was sent; nil for nothing
	left      Changes       // what is to be sent of an update
	Late      bool          // the entry's date is over
	Failures  int           // failed attempts of any kind, for the back-off
	Lookups   int           // look-ups since the last sending that found nothing
	SentAt    time.Time     // last sending; zero if never sent
	SentAgo   time.Duration // since then, by the store's clock
	Request   string        // id of the request that asked for it; empty: nobody did
}

// makes reports whether w makes an entry, which must be looked for by its
// reference; other operations know the id of theirs.
func (w Write) makes() bool { return w.Op == OpCreate || w.Op == OpStart && w.RemoteID == 0 }

// deletes reports whether the entry is gone when w is done.
func (w Write) deletes() bool { return w.Op == OpDelete || w.Op == OpRemoveDouble }

// Base is the state in Harvest that a change starts from: what was last agreed
// on, or what somebody made of it since and a person chose to go over.
type Base struct {
	Entry
	UpdatedAt time.Time `json:"updated_at"`
}

// Action is what an attempt did.
type Action string

// The actions of an attempt.
const (
	ActionLook  Action = "look"  // asked Harvest what it has
	ActionSend  Action = "send"  // asked Harvest to change something
	ActionRetry Action = "retry" // a person asked for another try
	ActionDrop  Action = "drop"  // a person gave up
	ActionTake  Action = "take"  // a person took what Harvest has instead
)

// OutcomeKind is what an attempt showed: one of the constants below, or a
// [Class] as text if the call failed.
type OutcomeKind string

// The outcomes of an attempt that did not fail.
const (
	OutcomeApplied  OutcomeKind = "applied"   // Harvest confirmed the change
	OutcomeMerged   OutcomeKind = "merged"    // confirmed, beside changes that somebody else made to other fields
	OutcomeFound    OutcomeKind = "found"     // Harvest already has it
	OutcomeAbsent   OutcomeKind = "absent"    // Harvest does not have it
	OutcomeChanged  OutcomeKind = "changed"   // somebody else changed it meanwhile
	OutcomeGone     OutcomeKind = "gone"      // somebody else deleted it meanwhile
	OutcomeWait     OutcomeKind = "wait"      // nothing was tried; calls are held back
	OutcomeRevoked  OutcomeKind = "revoked"   // the credentials are no longer good
	OutcomeByPerson OutcomeKind = "asked"     // see Action
	OutcomeByStaff  OutcomeKind = "operator"  // the same, by somebody who runs the program
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
	JobID     int64 // the job that made it; 0 if that is not known
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
