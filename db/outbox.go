package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// outbox is the store of one connection's writes under a lease; it implements
// [ledger.LeasedOutbox]. The lease is a token on the connection's row: whoever holds
// another one changes nothing.
type outbox struct {
	store        *Store
	connectionID int64
	lease        string
	term         time.Duration
	cellURL      func(planner.Date) string
}

var _ ledger.LeasedOutbox = (*outbox)(nil)

// TakeOutbox takes the lease of a connection for term and returns its outbox.
// ok is false if somebody else holds it, or the connection cannot be used.
// cellURL is where the user finds a date again, for the entries' permalinks.
func (s *Store) TakeOutbox(ctx context.Context, connectionID int64, term time.Duration, cellURL func(planner.Date) string) (box ledger.LeasedOutbox, ok bool, err error) {
	lease, err := s.q.LeaseTake(ctx, dbgen.LeaseTakeParams{ID: connectionID, Term: term})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("take the lease of connection %d: %w", connectionID, err)
	}
	return &outbox{store: s, connectionID: connectionID, lease: lease, term: term, cellURL: cellURL}, true, nil
}

// Release implements [ledger.LeasedOutbox]. Giving the lease back locks the
// connection's row, which whoever adds writes has locked before.
func (b *outbox) Release(ctx context.Context) (wait time.Duration, more bool, err error) {
	err = b.store.InTx(ctx, func(tx *Tx) error {
		if err := tx.q.LeaseRelease(ctx, dbgen.LeaseReleaseParams{ID: b.connectionID, Lease: &b.lease}); err != nil {
			return err
		}
		next, err := tx.q.WritesNextDue(ctx, b.connectionID)
		if err != nil {
			return err
		}
		more = next.Due > 0
		wait = max(0, seconds(next.Wait))
		return nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("release the lease of connection %d: %w", b.connectionID, err)
	}
	return wait, more, nil
}

// Next implements [ledger.Outbox].
func (b *outbox) Next(ctx context.Context) (w ledger.Write, ok bool, err error) {
	if err := fenced(b.store.q.LeaseRenew(ctx, dbgen.LeaseRenewParams{ID: b.connectionID, Lease: &b.lease, Term: b.term})); err != nil {
		return ledger.Write{}, false, err
	}
	r, err := b.store.q.WriteNext(ctx, dbgen.WriteNextParams{ConnectionID: b.connectionID, Lease: &b.lease})
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger.Write{}, false, nil
	}
	if err != nil {
		return ledger.Write{}, false, err
	}
	w = ledger.Write{
		ID: r.ID, Op: ledger.Op(r.Op), State: ledger.State(r.State), Reference: r.Reference, Permalink: b.cellURL(r.SpentDate),
		Failures: int(r.Failures), Lookups: int(r.Lookups), SentAt: deref(r.SentAt), SentAgo: seconds(r.SentAgo), Late: r.Late,
		Request: r.RequestID,
	}
	if err := json.Unmarshal(r.Payload, &w.Entry); err != nil {
		return ledger.Write{}, false, fmt.Errorf("read write %d: %w", r.ID, err)
	}
	w.RemoteID, w.KeepID = derefID(r.RemoteID), derefID(r.KeptID)
	switch {
	case r.Base != nil:
		w.Base = new(ledger.Base)
		if err := json.Unmarshal(r.Base, w.Base); err != nil {
			return ledger.Write{}, false, fmt.Errorf("read what write %d starts from: %w", r.ID, err)
		}
	case r.AgreedHours != nil && r.AgreedNotes != nil:
		w.Base = &ledger.Base{Entry: w.Entry, UpdatedAt: deref(r.AgreedUpdatedAt)}
		w.Base.Hours, w.Base.Notes = planner.Hours(*r.AgreedHours), *r.AgreedNotes
	}
	return w, true, nil
}

// Begin implements [ledger.Outbox].
func (b *outbox) Begin(ctx context.Context, w ledger.Write) error {
	seen, err := jsonOf(w.Seen)
	if err != nil {
		return err
	}
	n, err := b.store.q.WriteBegin(ctx, dbgen.WriteBeginParams{
		ID: w.ID, ConnectionID: b.connectionID, Lease: &b.lease, Term: b.term, RemoteBefore: seen,
	})
	return fenced(n, err)
}

// jsonOf is null for nothing.
func jsonOf[T any](v *T) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}

func fenced(rows int64, err error) error {
	if err == nil && rows == 0 {
		return ledger.ErrFenced
	}
	return err
}

// Settle implements [ledger.Outbox].
func (b *outbox) Settle(ctx context.Context, w ledger.Write, r ledger.Result) error {
	return b.store.InTx(ctx, func(tx *Tx) error {
		if err := fenced(tx.q.LeaseRenew(ctx, dbgen.LeaseRenewParams{ID: b.connectionID, Lease: &b.lease, Term: b.term})); err != nil {
			return err
		}
		settled := dbgen.WriteSettleParams{
			ID: w.ID, ConnectionID: b.connectionID, State: string(r.State), Lookups: int32(r.Lookups), Wait: r.Wait, Finished: r.State.Finished(),
		}
		settled.Untried = r.Attempt.Outcome == ledger.OutcomeUntried // it says nothing new
		if r.State != ledger.Done {
			settled.ErrorReason, settled.ErrorStatus, settled.ErrorMessage = r.Attempt.Reason, int32(r.Attempt.Status), r.Attempt.Message
			settled.Failed = r.Attempt.Reason != ""
		}
		if r.State == ledger.Rejected {
			if err := tx.q.AccountStale(ctx, b.connectionID); err != nil {
				return err
			}
		}
		if r.Remote != nil {
			settled.RemoteID = &r.Remote.ID
			var err error
			if settled.RemoteAfter, err = json.Marshal(r.Remote.Entry()); err != nil {
				return err
			}
		}
		row, err := tx.q.WriteSettle(ctx, settled)
		if errors.Is(err, pgx.ErrNoRows) {
			return ledger.ErrFenced // a person gave it up meanwhile
		}
		if err != nil {
			return err
		}
		err = tx.q.WriteAttemptAdd(ctx, dbgen.WriteAttemptAddParams{
			WriteID: w.ID, Action: string(r.Attempt.Action), Outcome: string(r.Attempt.Outcome), Reason: r.Attempt.Reason, Status: int32(r.Attempt.Status),
			RequestID: r.Attempt.RequestID, Message: r.Attempt.Message, LatencyMs: int32(r.Attempt.Latency.Milliseconds()),
			JobID: nonzero(ledger.TraceOf(ctx).JobID),
		})
		if err != nil {
			return err
		}
		if err := tx.settleEntry(ctx, row, w, r); err != nil {
			return err
		}
		over := r.State.Finished()
		if r.State == ledger.Retry || r.State == ledger.Pending {
			n, err := tx.q.WriteOvertaken(ctx, w.ID)
			if err != nil {
				return err
			}
			over = n > 0
		}
		if !over {
			return nil
		}
		return tx.follow(ctx, row.PushedEntryID, w, r)
	})
}

// settleEntry brings the entry of ours and its mirror to what Harvest was seen
// to hold.
func (tx *Tx) settleEntry(ctx context.Context, row dbgen.WriteSettleRow, w ledger.Write, r ledger.Result) error {
	if r.Gone {
		_, err := tx.markGone(ctx, row.UserID, []int64{w.RemoteID})
		return err
	}
	if r.Remote == nil {
		return nil
	}
	if _, err := tx.mergeEntries(ctx, row.UserID, []ledger.RemoteEntry{*r.Remote}, &named{}); err != nil {
		return fmt.Errorf("mirror entry %d: %w", r.Remote.ID, err)
	}
	if w.Op == ledger.OpStart && r.State == ledger.Done && r.Remote.IsRunning {
		err := tx.q.TimersStopped(ctx, dbgen.TimersStoppedParams{UserID: row.UserID, HarvestID: r.Remote.ID, StartedAt: r.Remote.TimerStartedAt})
		if err != nil {
			return fmt.Errorf("note what entry %d has stopped: %w", r.Remote.ID, err)
		}
	}
	agreed := r.Remote.Entry()
	switch {
	case r.State == ledger.Done && w.Op != ledger.OpRemoveDouble:
	case r.State == ledger.Conflict && w.Op == ledger.OpCreate:
		agreed = w.Entry // it was made as we said, and changed by somebody since
	case r.State == ledger.Rejected && w.Op == ledger.OpCreate && r.Attempt.Reason == string(ledger.ReasonMode):
		// it was made, though not as we said; the next push changes it
	default:
		return nil
	}
	hours := int32(agreed.Hours)
	return tx.q.PushedAgree(ctx, dbgen.PushedAgreeParams{
		ID: row.PushedEntryID, RemoteID: &r.Remote.ID, Hours: &hours, Notes: &agreed.Notes, UpdatedAt: &r.Remote.UpdatedAt,
	})
}

// follow lets what waits behind a write that is over start from what came of
// it. After a conflict it waits for a person too. An entry that is deleted, with
// nothing meant for it any more, is over as well.
func (tx *Tx) follow(ctx context.Context, pushedID string, w ledger.Write, r ledger.Result) error {
	if w.Op == ledger.OpRemoveDouble {
		return nil // says nothing of the entry that stays
	}
	deleted := w.Op == ledger.OpDelete && r.State == ledger.Done
	if deleted {
		if _, err := tx.q.PushedRenew(ctx, pushedID); err != nil {
			return err
		}
	}
	behind, err := tx.q.WritesFollow(ctx, dbgen.WritesFollowParams{
		PushedEntryID: pushedID, ID: w.ID, ReferenceGroup: ledger.ReferenceGroup, Conflict: r.State == ledger.Conflict,
	})
	if err != nil {
		return fmt.Errorf("let what is behind write %d follow: %w", w.ID, err)
	}
	for _, next := range behind {
		if next.State == string(ledger.Superseded) {
			deleted = deleted || next.Op == string(ledger.OpDelete)
		} else {
			return nil // the entry is still meant
		}
	}
	if deleted {
		return tx.q.PushedRemove(ctx, pushedID)
	}
	return nil
}

// Postpone implements [ledger.Outbox].
func (b *outbox) Postpone(ctx context.Context, wait time.Duration, why ledger.WaitReason) error {
	_, err := b.store.q.WritesPostpone(ctx, dbgen.WritesPostponeParams{ConnectionID: b.connectionID, Lease: &b.lease, Wait: wait, Reason: string(why)})
	return err
}

// Revoke implements [ledger.Outbox].
func (b *outbox) Revoke(ctx context.Context) error {
	return b.store.RevokeConnection(ctx, b.connectionID)
}
