package ledger

import (
	"context"
	"time"
)

// Gate decides whether a call to Harvest may be made now. It keeps the pace
// below Harvest's limits, keeps everybody silent for as long as Harvest asked,
// and stops calling a Harvest that keeps failing. All processes share its
// state, so that no limit is multiplied by their number.
//
// There is a scope for every connection and [GateClass], and one for the
// provider as a whole, which knows no pace, only a breaker. Every admitted
// call ends in one of Blocked, Failed or Succeeded, or in none of them if
// nothing was learnt about Harvest, as when the caller gave up.
//
// A gate that cannot tell, because its store is away, lets nothing through:
// the outcome of a call could not be recorded then either.
type Gate interface {
	// Admit takes one call's share of the pace. It returns [*WaitError], with
	// WaitAsked, WaitLimit or WaitBreaker, if the call must not be made now;
	// any other error means that the gate itself does not work.
	Admit(ctx context.Context, request GateRequest) (GatePass, error)

	// Blocked records that Harvest asked for silence: no call of this
	// connection and class is admitted before wait is over. A longer silence
	// that is known already stays.
	Blocked(ctx context.Context, pass GatePass, wait time.Duration) error

	// Failed counts towards the breakers that failure concerns.
	Failed(ctx context.Context, pass GatePass, failure GateFailure) error

	// Succeeded closes what the admitted call was a probe of and forgets
	// earlier failures. Any answer that Harvest gave on purpose is a success
	// here, refusals included.
	Succeeded(ctx context.Context, pass GatePass) error
}

// GateClass names the limit that a call counts against.
type GateClass string

// The classes (harvest-api.md, section 3).
const (
	GateGeneral GateClass = "general" // 100 calls in 15 s
	GateReports GateClass = "reports" // 100 calls in 15 min, everything below /v2/reports
)

// GateRequest asks for one call.
type GateRequest struct {
	ConnectionID int64
	Class        GateClass
	// Reserve is how many calls must stay free for others: background work
	// leaves room so that a person's click does not wait behind it.
	Reserve int
}

// GatePass is an admitted call. It is handed back with the outcome, so that a
// late outcome cannot change a breaker that has moved on since.
type GatePass struct {
	ConnectionID  int64
	Class         GateClass
	Epoch         int64 // of the connection's breaker when the call was admitted
	ProviderEpoch int64
	// Unsettled: a breaker was not closed, or had failures, when the call was
	// admitted. If not, a success has nothing to record and costs nothing.
	Unsettled bool
}

// GateFailure says whose failure it was.
type GateFailure string

// The failures.
const (
	// FailureConnection: Harvest failed on this request (500). It counts for
	// the connection alone: one bad entry must not stop everybody.
	FailureConnection GateFailure = "connection"
	// FailureProvider: Harvest could not be reached, did not answer in time,
	// answered from its front end (502, 503, 504) or with something unreadable.
	FailureProvider GateFailure = "provider"
)
