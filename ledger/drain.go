package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Outbox is the store of one connection's writes, under a lease that its
// methods check and renew. Any of them returns [ErrFenced] if the lease went
// to somebody else; the drain then stops without a trace.
type Outbox interface {
	// Next renews the lease and returns the first unfinished write that is due and that no earlier
	// write of the same entry stands before. ok is false if there is none.
	Next(ctx context.Context) (w Write, ok bool, err error)

	// Begin commits that w is about to be sent: state Sending, and when. The
	// first byte leaves only after it has returned.
	Begin(ctx context.Context, w Write) error

	// Settle commits what came of w, with its line of history, and what Harvest
	// was seen to hold.
	Settle(ctx context.Context, w Write, r Result) error

	// Postpone commits that Harvest must not be called for that long, so that no
	// unfinished write of the connection is due earlier.
	Postpone(ctx context.Context, wait time.Duration, why WaitReason) error

	// Revoke commits that the credentials are no longer good, and blocks the
	// connection's unfinished writes that are not in doubt.
	Revoke(ctx context.Context) error
}

// LeasedOutbox is an outbox whose lease can be given back.
type LeasedOutbox interface {
	Outbox

	// Release gives the lease back, in such a way that a write which is being
	// added meanwhile is either counted here or rings by itself. more is false
	// if nothing can become due; otherwise wait tells how long until the first
	// write is.
	Release(ctx context.Context) (wait time.Duration, more bool, err error)
}

// Timing are the times of the drain that must fit together.
type Timing struct {
	Lease     time.Duration // how long a lease lasts after it was taken or renewed
	Margin    time.Duration // what must be left of a lease when a call is over, so that its outcome can be recorded under it
	Deadline  time.Duration // for one call that changes something
	Settle    time.Duration // after Deadline, until a look-up is believed
	LookAgain time.Duration // between the two look-ups that must both find nothing
	Slice     time.Duration // one drain, before others get their turn
	Calls     int           // writes handled in one drain
	Backoff   time.Duration // first wait after a failure; doubles
	MaxWait   time.Duration // longest wait between two tries
}

// DefaultTiming returns the times that fit a deadline of 10 s.
func DefaultTiming() Timing {
	return Timing{
		Lease:     20 * time.Second,
		Margin:    3 * time.Second,
		Deadline:  10 * time.Second,
		Settle:    5 * time.Second,
		LookAgain: 30 * time.Second,
		Slice:     10 * time.Second,
		Calls:     20,
		Backoff:   2 * time.Second,
		MaxWait:   time.Minute,
	}
}

// Drain sends the due writes of one connection, one after the other, until
// none is due, the slice is over, or Harvest must not be called. The caller
// holds the connection's lease. It returns nil in all these cases: what became
// of each write is in the outbox. [ErrFenced] and failures of the outbox are
// returned.
func Drain(ctx context.Context, remote Remote, box Outbox, timing Timing) error {
	d := drain{remote: remote, box: box, timing: timing}
	end := time.Now().Add(timing.Slice)
	for range timing.Calls {
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return nil
		}
		w, ok, err := box.Next(ctx)
		if err != nil {
			return fmt.Errorf("find the next write: %w", err)
		}
		if !ok {
			return nil
		}
		goOn, err := d.handle(ctx, w)
		if err != nil {
			return fmt.Errorf("write %d: %w", w.ID, err)
		}
		if !goOn {
			return nil
		}
	}
	return nil
}

type drain struct {
	remote Remote
	box    Outbox
	timing Timing
}

// handle brings one write a step on. goOn is false if Harvest must not be
// called for now.
func (d *drain) handle(ctx context.Context, w Write) (goOn bool, err error) {
	inDoubt := w.State == Sending || w.State == Uncertain
	if inDoubt {
		// Too early, Harvest may still be at it, and a look-up would prove nothing.
		if early := d.timing.Deadline + d.timing.Settle - w.SentAgo; early > 0 {
			return true, d.box.Settle(ctx, w, Result{
				State: Uncertain, Wait: early, Lookups: w.Lookups,
				Attempt: Attempt{Action: ActionLook, Outcome: OutcomeUntried},
			})
		}
	}
	if inDoubt || w.Op == OpCreate {
		send, goOn, err := d.look(ctx, &w, inDoubt)
		if err != nil || !send {
			return goOn, err
		}
	}
	return d.send(ctx, w)
}

// look asks Harvest whether it already has w. send is true if it provably does
// not, and w may be sent. A create of which Harvest has an earlier version
// becomes a change of that.
func (d *drain) look(ctx context.Context, w *Write, inDoubt bool) (send, goOn bool, err error) {
	started := time.Now()
	// The lease was renewed with the finding of w, and must outlast the look.
	lookCtx, cancel := context.WithTimeout(ctx, d.timing.Lease-d.timing.Margin)
	defer cancel()
	var finding finding
	if w.Op == OpCreate {
		w.RemoteID, w.Base = 0, nil
		finding, err = d.lookForCreate(lookCtx, *w, inDoubt)
	} else {
		finding, err = d.lookForChange(lookCtx, *w)
	}
	attempt := Attempt{Action: ActionLook, Latency: time.Since(started)}
	if ctx.Err() != nil {
		return false, false, ctx.Err()
	}
	if err != nil {
		// A look-up changes nothing, so whatever went wrong, w is where it was.
		state := w.State
		if !inDoubt {
			state = Retry
		}
		return false, d.mayGoOn(err), d.failed(ctx, *w, state, attempt, err)
	}
	attempt.Outcome = finding.outcome
	result := Result{Attempt: attempt, Remote: finding.remote, Gone: finding.gone}
	switch finding.outcome {
	case OutcomeFound:
		result.State = Done
	case OutcomeChanged, OutcomeGone:
		result.State = Conflict
	case outcomeEarlier:
		w.RemoteID = finding.remote.ID
		w.Base = &Base{Hours: finding.remote.Hours, Notes: finding.remote.Notes, UpdatedAt: finding.remote.UpdatedAt}
		if inDoubt {
			result.State, result.Attempt.Outcome = Pending, OutcomeFound
			if err := d.box.Settle(ctx, *w, result); err != nil {
				return false, false, err
			}
		}
		return true, true, nil
	default:
		if !inDoubt {
			return true, true, nil // the plain look before a create needs no line of history
		}
		if w.Op == OpCreate && w.Lookups == 0 {
			// The filter may lag behind: one empty look-up is not yet a proof.
			result.State, result.Lookups, result.Wait = Uncertain, 1, d.timing.LookAgain
			return false, true, d.box.Settle(ctx, *w, result)
		}
		result.State = Pending
		if err := d.box.Settle(ctx, *w, result); err != nil {
			return false, false, err
		}
		return true, true, nil
	}
	return false, true, d.box.Settle(ctx, *w, result)
}

// outcomeEarlier: Harvest has an earlier version of an entry of ours, as we
// made it: the database is a restored one, or Harvest took a create that it had
// seemed to refuse, and the plan has changed since.
const outcomeEarlier OutcomeKind = "earlier"

// finding is what a look-up saw.
type finding struct {
	outcome OutcomeKind
	remote  *RemoteEntry
	gone    bool
}

// clockSkew is how far Harvest's clock may be off from ours.
const clockSkew = 2 * time.Minute

func (d *drain) lookForCreate(ctx context.Context, w Write, inDoubt bool) (finding, error) {
	found, err := d.remote.EntriesByReference(ctx, w.Reference)
	if err != nil {
		return finding{}, err
	}
	if len(found) > 0 {
		return foundFor(w, found[0]), nil
	}
	if !inDoubt || w.Lookups == 0 {
		return finding{outcome: OutcomeAbsent}, nil
	}
	// Before it is sent again, rule out that the filter does not know the entry
	// yet, or that Harvest took it and lost the reference: the day is searched
	// for the entry itself, and for its likeness.
	filter := EntryFilter{From: &w.Entry.SpentDate, To: &w.Entry.SpentDate}
	for page, err := range d.remote.EntryPages(ctx, filter) {
		if err != nil {
			return finding{}, err
		}
		for _, remote := range page.Entries {
			alike := remote.ReferenceID == "" && remote.Entry() == w.Entry && remote.CreatedAt.After(w.SentAt.Add(-clockSkew))
			if alike || remote.Is(w.Reference) {
				return foundFor(w, remote), nil
			}
		}
	}
	return finding{outcome: OutcomeAbsent}, nil
}

// foundFor compares an entry that carries the reference of a create with what
// the create says.
func foundFor(w Write, remote RemoteEntry) finding {
	switch {
	case remote.Hours == w.Entry.Hours && remote.Notes == w.Entry.Notes:
		return finding{outcome: OutcomeFound, remote: &remote}
	case remote.UpdatedAt.After(remote.CreatedAt):
		return finding{outcome: OutcomeChanged, remote: &remote}
	default:
		return finding{outcome: outcomeEarlier, remote: &remote}
	}
}

func (d *drain) lookForChange(ctx context.Context, w Write) (finding, error) {
	remote, err := d.remote.Entry(ctx, w.RemoteID)
	if isNotFound(err) {
		remote, err = d.askAgain(ctx, w.RemoteID)
	}
	if errors.Is(err, errGone) {
		if w.Op == OpDelete {
			return finding{outcome: OutcomeFound, gone: true}, nil
		}
		return finding{outcome: OutcomeGone, gone: true}, nil
	}
	if err != nil {
		return finding{}, err
	}
	switch {
	case w.Op == OpUpdate && remote.Hours == w.Entry.Hours && remote.Notes == w.Entry.Notes:
		return finding{outcome: OutcomeFound, remote: &remote}, nil
	case w.Base != nil && remote.Hours == w.Base.Hours && remote.Notes == w.Base.Notes:
		return finding{outcome: OutcomeAbsent, remote: &remote}, nil
	default:
		return finding{outcome: OutcomeChanged, remote: &remote}, nil
	}
}

// errGone: Harvest has no such entry, and the account is the right one.
var errGone = errors.New("gone from Harvest")

// askAgain returns an entry that Harvest said it does not have, or [errGone]. A
// wrong account or lost access answers the same, so the account is asked for
// first. That it is well now does not prove that it was then, so the entry is
// asked for once more.
func (d *drain) askAgain(ctx context.Context, id int64) (RemoteEntry, error) {
	if _, err := d.remote.Account(ctx); err != nil {
		return RemoteEntry{}, err
	}
	entry, err := d.remote.Entry(ctx, id)
	if isNotFound(err) {
		err = errGone
	}
	return entry, err
}

// send commits the intent, makes the call, and commits what came of it.
func (d *drain) send(ctx context.Context, w Write) (goOn bool, err error) {
	leaseEnd := time.Now().Add(d.timing.Lease) // Begin renews it; measured from before
	if err := d.box.Begin(ctx, w); err != nil {
		return false, err
	}
	w.State, w.SentAgo, w.Lookups = Sending, 0, 0

	// A process that slept between the commit and here must not send: somebody
	// else may hold the lease by the time its bytes leave.
	// Once it has left, its outcome is recorded even if we are told to stop.
	callCtx, cancel := context.WithDeadline(ctx, leaseEnd.Add(-d.timing.Margin))
	defer cancel()
	started := time.Now()
	remote, gone, err := d.call(callCtx, w)
	ctx = context.WithoutCancel(ctx)
	attempt := Attempt{Action: ActionSend, Latency: time.Since(started)}
	if err == nil {
		attempt.Outcome = OutcomeApplied
		return true, d.box.Settle(ctx, w, Result{State: Done, Attempt: attempt, Remote: remote, Gone: gone})
	}
	if isNotFound(err) && w.RemoteID != 0 {
		_, again := d.askAgain(ctx, w.RemoteID)
		switch {
		case errors.Is(again, errGone):
			result := Result{State: Conflict, Attempt: attempt, Gone: true}
			result.Attempt.Outcome = OutcomeGone
			if w.Op == OpDelete {
				result.State = Done
			}
			return true, d.box.Settle(ctx, w, result)
		case again != nil:
			err = again
		}
		// It is there, or nobody knows. Refused it was in any case.
		return d.mayGoOn(err), d.failed(ctx, w, Retry, attempt, err)
	}
	state := Uncertain
	var call *CallError
	var wait *WaitError
	switch {
	case errors.As(err, &wait), errors.Is(err, ErrAccessRevoked):
		state = Retry
	case errors.As(err, &call) && call.Class == NotSent:
		state = Retry
	case errors.As(err, &call) && call.Class == Refused:
		state = Rejected
	}
	return d.mayGoOn(err), d.failed(ctx, w, state, attempt, err)
}

func (d *drain) call(ctx context.Context, w Write) (remote *RemoteEntry, gone bool, err error) {
	switch {
	case w.Op == OpCreate && w.RemoteID == 0:
		entry, err := d.remote.CreateEntry(ctx, w.Entry, w.Reference, w.Permalink)
		return &entry, false, err
	case w.Op == OpCreate, w.Op == OpUpdate:
		entry, err := d.remote.UpdateEntry(ctx, w.RemoteID, w.changes())
		return &entry, false, err
	case w.Op == OpDelete:
		return nil, true, d.remote.DeleteEntry(ctx, w.RemoteID)
	default:
		return nil, false, fmt.Errorf("unknown operation %q", w.Op)
	}
}

// changes are the fields that differ from what was last agreed on.
func (w Write) changes() Changes {
	var c Changes
	if w.Base == nil || w.Base.Hours != w.Entry.Hours {
		c.Hours = &w.Entry.Hours
	}
	if w.Base == nil || w.Base.Notes != w.Entry.Notes {
		c.Notes = &w.Entry.Notes
	}
	return c
}

// mayGoOn reports whether other writes of the connection may be tried after err.
func (d *drain) mayGoOn(err error) bool {
	var wait *WaitError
	return !errors.As(err, &wait) && !errors.Is(err, ErrAccessRevoked)
}

// failed commits a failed attempt. state is where it leaves the write.
func (d *drain) failed(ctx context.Context, w Write, state State, attempt Attempt, err error) error {
	result := Result{State: state, Lookups: w.Lookups, Attempt: attempt}
	var call *CallError
	var wait *WaitError
	switch {
	case errors.Is(err, ErrAccessRevoked):
		result.Attempt.Outcome, result.Attempt.Reason = OutcomeRevoked, string(ReasonAuth)
		if state == Retry {
			result.State = Blocked
		}
		if err := d.box.Settle(ctx, w, result); err != nil {
			return err
		}
		return d.box.Revoke(ctx)
	case errors.As(err, &wait):
		if w.State == Sending || wait.Status != 0 {
			// Harvest was asked, or the write was already marked as on its way.
			result.Attempt.Outcome, result.Attempt.Reason = OutcomeWait, string(wait.Why)
			result.Attempt.Status, result.Wait = wait.Status, wait.Wait
			if err := d.box.Settle(ctx, w, result); err != nil {
				return err
			}
		}
		return d.box.Postpone(ctx, wait.Wait, wait.Why)
	case errors.As(err, &call):
		result.Attempt.Outcome, result.Attempt.Reason = OutcomeKind(call.Class), string(call.Reason)
		result.Attempt.Status, result.Attempt.RequestID, result.Attempt.Message = call.Status, call.RequestID, call.Message
		result.Wait = d.backoff(w.Failures)
	default:
		result.Attempt.Outcome, result.Attempt.Reason = OutcomeKind(Unknown), string(ReasonUnreadable)
		result.Wait = d.backoff(w.Failures)
	}
	if state == Uncertain || state == Sending {
		result.State = Uncertain
		result.Wait = max(result.Wait, d.timing.Deadline+d.timing.Settle-w.SentAgo)
	}
	return d.box.Settle(ctx, w, result)
}

// backoff doubles from the first wait to the longest, with a fifth of jitter.
func (d *drain) backoff(failures int) time.Duration {
	wait := d.timing.Backoff << min(failures, 20)
	if wait > d.timing.MaxWait {
		wait = d.timing.MaxWait
	}
	return wait + time.Duration(rand.Int64N(int64(wait)/5+1))
}

func isNotFound(err error) bool {
	var call *CallError
	return errors.As(err, &call) && call.Reason == ReasonNotFound
}
