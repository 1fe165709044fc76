package ledger

import (
	"context"
	"errors"
	"time"
)

// clockSkew is how far Harvest's clock may be off from ours.
const clockSkew = 2 * time.Minute

// finding is what a look-up saw.
type finding struct {
	outcome OutcomeKind
	remote  *RemoteEntry
	gone    bool
	left    Changes // of an update
}

// outcomeEarlier: Harvest has an earlier version of an entry of ours, as we
// made it: the database is a restored one, or Harvest took a create that it had
// seemed to refuse, and the plan has changed since.
const outcomeEarlier OutcomeKind = "earlier"

// outcomeForeign: the entry belongs to another program, so it is not touched.
const outcomeForeign OutcomeKind = "foreign"

// look asks Harvest how things stand before w is sent, for the first time or
// again. send is true if w is provably not there, and still means what it meant:
// nobody has changed the same meanwhile. A create of which Harvest has an
// earlier version becomes a change of that.
func (d *drain) look(ctx context.Context, w *Write, inDoubt bool) (send, goOn bool, err error) {
	started := time.Now()
	// The lease was renewed with the finding of w, and must outlast the look.
	lookCtx, cancel := context.WithTimeout(ctx, d.timing.Lease-d.timing.Margin)
	defer cancel()
	finding, err := d.find(lookCtx, w, inDoubt)
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
	w.left, w.Seen = finding.left, nil
	if finding.remote != nil {
		seen := finding.remote.Entry()
		w.Seen = &seen
	}
	attempt.Outcome = finding.outcome
	result := Result{Attempt: attempt, Remote: finding.remote, Gone: finding.gone}
	switch finding.outcome {
	case OutcomeFound:
		result.State = Done
	case OutcomeChanged, OutcomeGone:
		result.State = Conflict
	case outcomeForeign:
		result.State, result.Attempt.Outcome, result.Attempt.Reason = Rejected, OutcomeKind(Refused), string(ReasonForeign)
	case outcomeEarlier:
		w.RemoteID = finding.remote.ID
		if inDoubt {
			result.State, result.Attempt.Outcome = Pending, OutcomeFound
			if err := d.box.Settle(ctx, *w, result); err != nil {
				return false, false, err
			}
		}
		return true, true, nil
	default:
		if !inDoubt {
			return true, true, nil // the plain look before sending needs no line of history
		}
		if w.makes() && w.Lookups == 0 {
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

func (d *drain) find(ctx context.Context, w *Write, inDoubt bool) (finding, error) {
	if w.Op == OpCreate {
		w.RemoteID = 0 // an earlier version may have gone since
	}
	if w.makes() {
		return d.lookForReference(ctx, *w, inDoubt)
	}
	remote, err := d.remote.Entry(ctx, w.RemoteID)
	if isNotFound(err) {
		remote, err = d.askAgain(ctx, w.RemoteID)
	}
	switch {
	case errors.Is(err, errGone) && w.deletes():
		return finding{outcome: OutcomeFound, gone: true}, nil
	case errors.Is(err, errGone):
		return finding{outcome: OutcomeGone, gone: true}, nil
	case err != nil:
		return finding{}, err
	}
	if w.Op == OpRemoveDouble {
		return d.lookForDouble(ctx, *w, remote)
	}
	return w.compare(remote), nil
}

// lookForReference asks for an entry that carries the reference of w, or would
// carry it had Harvest not lost it.
func (d *drain) lookForReference(ctx context.Context, w Write, inDoubt bool) (finding, error) {
	found, err := d.remote.EntriesByReference(ctx, w.Reference)
	if err != nil {
		return finding{}, err
	}
	if len(found) > 0 {
		return w.made(found[0]), nil
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
			if remote.Is(w.Reference) || w.alike(remote) {
				return w.made(remote), nil
			}
		}
	}
	return finding{outcome: OutcomeAbsent}, nil
}

// alike reports whether remote looks like what w makes, made when w was sent.
func (w Write) alike(remote RemoteEntry) bool {
	entry := remote.Entry()
	if w.Op == OpStart {
		entry.Hours = w.Entry.Hours // they run
	}
	return remote.ReferenceID == "" && entry.says(w.Entry) && remote.CreatedAt.After(w.SentAt.Add(-clockSkew))
}

// made compares an entry that is the one that w makes with what w says.
func (w Write) made(remote RemoteEntry) finding {
	entry := remote.Entry()
	same := entry.Hours == w.Entry.Hours && entry.Notes == w.Entry.Notes
	touched := remote.UpdatedAt.After(remote.CreatedAt)
	switch {
	case w.Op == OpStart, same && (touched || entry.startsAs(w.Entry)):
		return finding{outcome: OutcomeFound, remote: &remote}
	case touched:
		return finding{outcome: OutcomeChanged, remote: &remote}
	default:
		left, _ := merge(entry, w.Entry, entry)
		if !entry.startsAs(w.Entry) {
			left.Hours, left.Start = &w.Entry.Hours, &w.Entry.Start
		}
		return finding{outcome: outcomeEarlier, remote: &remote, left: left}
	}
}

// compare tells what is left to do of a change to an entry that is there.
func (w Write) compare(remote RemoteEntry) finding {
	seen := func(outcome OutcomeKind) finding { return finding{outcome: outcome, remote: &remote} }
	foundIf := func(found bool) finding {
		if found {
			return seen(OutcomeFound)
		}
		return seen(OutcomeAbsent)
	}
	switch w.Op {
	case OpStart:
		return foundIf(remote.IsRunning)
	case OpStop:
		return foundIf(!remote.IsRunning)
	case OpAdopt:
		if remote.ReferenceID != "" && !remote.Is(w.Reference) {
			return seen(outcomeForeign)
		}
		return foundIf(remote.Is(w.Reference))
	case OpDelete:
		if w.Base == nil || !remote.Entry().says(w.Base.Entry) {
			return seen(OutcomeChanged) // what somebody changed is not deleted unseen
		}
		return seen(OutcomeAbsent)
	}
	if w.Base == nil { // never agreed on, so whatever differs is theirs
		w.Base = &Base{Entry: Entry{}}
	}
	left, ok := merge(w.Base.Entry, w.Entry, remote.Entry())
	switch {
	case !ok:
		return seen(OutcomeChanged)
	case !left.Any():
		return seen(OutcomeFound)
	}
	return finding{outcome: OutcomeAbsent, remote: &remote, left: left} // what somebody changed in other fields stays
}

// lookForDouble makes sure that the entry which is to stay is there, and that
// the other one, remote, says the same and nothing more, or has no time on it.
func (d *drain) lookForDouble(ctx context.Context, w Write, remote RemoteEntry) (finding, error) {
	kept, err := d.remote.Entry(ctx, w.KeepID)
	if err != nil && !isNotFound(err) {
		return finding{}, err
	}
	other := remote.Entry()
	if other.Hours == 0 {
		other.Hours, other.Start = kept.Hours, kept.Entry().Start
	}
	same := err == nil && kept.ID != remote.ID && kept.Is(w.Reference) && remote.Is(w.Reference) && kept.Entry() == other
	if !same || remote.IsLocked || remote.IsRunning {
		return finding{outcome: OutcomeChanged, remote: &remote}, nil
	}
	return finding{outcome: OutcomeAbsent, remote: &remote}, nil
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
