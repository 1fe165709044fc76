package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// A hold keeps everything from being sent for a connection while the store may
// have forgotten what was sent. Pushes are accepted meanwhile, and wait. A sync
// run that began under the hold shows what Harvest has; when it ends well, the
// entries that carry a reference of ours are made known again, and the hold ends.

// Hold holds all connections, also those that are not in use, and returns how
// many there are. Whoever puts the database back to an earlier state calls it
// before anything is sent. Who is sending is fenced off.
func (s *Store) Hold(ctx context.Context) (connections int, err error) {
	n, err := s.q.ConnectionsHold(ctx)
	if err != nil {
		return 0, fmt.Errorf("hold all connections: %w", err)
	}
	return int(n), nil
}

// FinishRestore holds all connections if a restore has loaded everything and was
// ended before it did so itself. It reports whether that was so.
func (s *Store) FinishRestore(ctx context.Context) (bool, error) {
	unfinished, err := s.q.RestoreUnfinished(ctx)
	if err != nil {
		return false, fmt.Errorf("look for an unfinished restore: %w", err)
	}
	if unfinished {
		_, err = s.Hold(ctx)
	}
	return unfinished, err
}

// release ends the hold of a connection if the run that has now read what
// Harvest has began after it. The caller has locked the connection, so that no
// push is confirmed meanwhile that knows nothing of what is found here.
func (tx *Tx) release(ctx context.Context, userID, connectionID int64, began time.Time) error {
	n, err := tx.q.ConnectionRelease(ctx, dbgen.ConnectionReleaseParams{ID: connectionID, Began: began})
	if err != nil || n == 0 {
		return err
	}
	rows, err := tx.q.EntriesUnlinked(ctx, userID)
	if err != nil {
		return fmt.Errorf("find entries of ours in Harvest: %w", err)
	}
	for i := range rows {
		if err := tx.relink(ctx, userID, connectionID, &rows[i]); err != nil {
			return fmt.Errorf("make entry %d known again: %w", rows[i].HarvestID, err)
		}
	}
	return nil
}

// relink makes an entry in Harvest one of ours again, unless its cell has
// another one by now; then it counts as tracked by others.
func (tx *Tx) relink(ctx context.Context, userID, connectionID int64, e *dbgen.EntriesUnlinkedRow) error {
	ours, ok := ledger.Unlinked{
		RemoteID: e.HarvestID, Reference: e.ReferenceID, Hours: planner.Hours(e.Hours), Notes: e.Notes,
		Cell: ledger.Cell{Planned: planner.Minutes(e.Planned), Note: e.Note, Others: planner.Hours(e.Others), OthersCount: int(e.OthersCount)},
	}.Relink()
	if !ok {
		return nil
	}
	linked, err := tx.q.PushedLink(ctx, dbgen.PushedLinkParams{
		ID: ours.ID, UserID: userID, Generation: int32(ours.Generation), RemoteID: e.HarvestID, UpdatedAt: e.UpdatedAt,
	})
	if err != nil || linked > 0 {
		return err
	}
	exists, err := tx.q.PushedExists(ctx, ours.ID)
	if err != nil || exists {
		return err
	}
	// Somebody may have pushed the cell once more, not knowing that it was sent.
	unsent, err := tx.q.PushedGiveWay(ctx, dbgen.PushedGiveWayParams{
		UserID: userID, SpentDate: e.SpentDate, ProjectID: e.ProjectID, TaskID: e.TaskID, ReferenceGroup: ledger.ReferenceGroup,
	})
	gaveWay := err == nil
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	adopted, err := tx.q.PushedAdopt(ctx, adoption(userID, connectionID, ours, e))
	if err != nil || adopted == 0 || !gaveWay {
		return err
	}
	return tx.takeOverWrites(ctx, userID, unsent, ours.ID, e)
}

func adoption(userID, connectionID int64, ours ledger.Relinked, e *dbgen.EntriesUnlinkedRow) dbgen.PushedAdoptParams {
	p := dbgen.PushedAdoptParams{
		ID: ours.ID, UserID: userID, ConnectionID: connectionID, ProjectID: e.ProjectID, TaskID: e.TaskID, SpentDate: e.SpentDate,
		Generation: int32(ours.Generation), PlannedMinutes: int32(ours.PlannedMinutes), PlannedNote: ours.PlannedNote,
		Hours: int32(ours.Meant), Notes: ours.MeantNotes, RemoteID: &ours.RemoteID,
	}
	if ours.Agreed {
		hours := int32(ours.AgreedHours)
		p.AgreedHours, p.AgreedNotes, p.AgreedUpdatedAt = &hours, &ours.AgreedNotes, &e.UpdatedAt
	}
	return p
}

// takeOverWrites ends what was to be sent for an entry that gave way to one that
// is in Harvest: there is nothing left to send if that says the same, and else
// its owner decides.
func (tx *Tx) takeOverWrites(ctx context.Context, userID int64, unsent dbgen.PushedGiveWayRow, id string, e *dbgen.EntriesUnlinkedRow) error {
	state, outcome := ledger.Done, ledger.OutcomeFound
	if unsent.Hours != e.Hours || unsent.Notes != e.Notes {
		state, outcome = ledger.Conflict, ledger.OutcomeChanged
	}
	writes, err := tx.q.WritesMove(ctx, dbgen.WritesMoveParams{
		FromID: unsent.ID, ToID: id, UserID: userID, RemoteID: &e.HarvestID, State: string(state),
	})
	if err != nil {
		return err
	}
	for _, w := range writes {
		if w.State != string(state) {
			continue
		}
		err := tx.q.WriteAttemptAdd(ctx, dbgen.WriteAttemptAddParams{WriteID: w.ID, Action: string(ledger.ActionLook), Outcome: string(outcome)})
		if err != nil {
			return err
		}
	}
	return tx.q.PushedForget(ctx, dbgen.PushedForgetParams{ID: unsent.ID, UserID: userID})
}
