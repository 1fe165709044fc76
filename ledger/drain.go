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
		goOn, err := d.handle(WithTrace(ctx, Trace{Request: w.Request, JobID: TraceOf(ctx).JobID, WriteID: w.ID}), w)
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
	send, goOn, err := d.look(ctx, &w, inDoubt)
	if err != nil || !send {
		return goOn, err
	}
	if w.Op == OpStart && w.Late {
		// A timer that nobody expects any more would run for hours.
		return true, d.box.Settle(ctx, w, Result{
			State: Rejected, Attempt: Attempt{Action: ActionSend, Outcome: OutcomeKind(NotSent), Reason: string(ReasonLate)},
		})
	}
	return d.send(ctx, w)
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
	remote, err := d.call(callCtx, w)
	ctx = context.WithoutCancel(ctx)
	attempt := Attempt{Action: ActionSend, Latency: time.Since(started)}
	if err == nil {
		return true, d.box.Settle(ctx, w, w.answered(remote, attempt))
	}
	if isNotFound(err) && w.RemoteID != 0 {
		_, again := d.askAgain(ctx, w.RemoteID)
		switch {
		case errors.Is(again, errGone):
			result := Result{State: Conflict, Attempt: attempt, Gone: true}
			result.Attempt.Outcome = OutcomeGone
			if w.deletes() {
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

// call asks Harvest to do what w means. remote is nil if the entry is gone then.
func (d *drain) call(ctx context.Context, w Write) (remote *RemoteEntry, err error) {
	var entry RemoteEntry
	switch {
	case w.Op == OpCreate && w.RemoteID == 0:
		entry, err = d.remote.CreateEntry(ctx, w.Entry, w.Reference, w.Permalink)
	case w.Op == OpCreate, w.Op == OpUpdate:
		entry, err = d.remote.UpdateEntry(ctx, w.RemoteID, w.left)
	case w.deletes():
		return nil, d.remote.DeleteEntry(ctx, w.RemoteID)
	case w.Op == OpStart && w.RemoteID == 0:
		start := TimerStart{ProjectID: w.Entry.ProjectID, TaskID: w.Entry.TaskID, SpentDate: w.Entry.SpentDate, Notes: w.Entry.Notes}
		entry, err = d.remote.StartTimer(ctx, start, w.Reference, w.Permalink)
	case w.Op == OpStart:
		entry, err = d.remote.RestartTimer(ctx, w.RemoteID)
	case w.Op == OpStop:
		entry, err = d.remote.StopTimer(ctx, w.RemoteID)
	case w.Op == OpAdopt:
		entry, err = d.remote.SetReference(ctx, w.RemoteID, w.Reference, w.Permalink)
	default:
		return nil, fmt.Errorf("unknown operation %q", w.Op)
	}
	return &entry, err
}

// answered is what a success makes of w. Harvest may answer as if it had done
// something to a locked entry and leave the entry as it was (harvest-api.md,
// section 8), and it takes no hours, or no times, in an account whose way of
// tracking time was changed. So a success is compared with what was asked for.
func (w Write) answered(remote *RemoteEntry, attempt Attempt) Result {
	attempt.Outcome = OutcomeApplied
	if remote == nil {
		return Result{State: Done, Attempt: attempt, Gone: true}
	}
	taken, why := true, ReasonIgnored
	switch {
	case w.Op == OpStart:
		taken = remote.IsRunning
	case w.Op == OpStop:
		taken = !remote.IsRunning
	case w.Op == OpAdopt:
		taken = remote.Is(w.Reference)
	case w.RemoteID != 0:
		taken = w.left.in(remote.Entry())
		if taken && !remote.Entry().says(w.Entry) {
			attempt.Outcome = OutcomeMerged
		}
		if w.left.Start != nil && !remote.IsLocked {
			why = ReasonMode
		}
	case w.Op == OpCreate:
		taken, why = remote.Hours == w.Entry.Hours, ReasonMode
	}
	if !taken {
		attempt.Outcome, attempt.Reason = OutcomeKind(Refused), string(why)
		return Result{State: Rejected, Attempt: attempt, Remote: remote}
	}
	return Result{State: Done, Attempt: attempt, Remote: remote}
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
