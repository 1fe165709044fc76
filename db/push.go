package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// LockConnection locks the user's connection until the end of the transaction.
// Whoever adds writes does this first, so that a drain that is about to end
// either sees them or is rung again. [planner.ErrNotFound]: never connected.
func (tx *Tx) LockConnection(ctx context.Context, userID int64) (connectionID int64, state ledger.ConnectionState, err error) {
	row, err := tx.q.ConnectionLock(ctx, userID)
	if err != nil {
		return 0, "", fmt.Errorf("lock the connection of user %d: %w", userID, notFound(err))
	}
	return row.ID, ledger.ConnectionState(row.State), nil
}

// PushStored reports whether the push with this mutation id was stored before,
// so that a form that is sent twice does nothing twice.
func (tx *Tx) PushStored(ctx context.Context, userID int64, mutationID string) (bool, error) {
	n, err := tx.q.PushDone(ctx, dbgen.PushDoneParams{UserID: userID, MutationID: mutationID})
	if err != nil {
		return false, fmt.Errorf("look for push %s of user %d: %w", mutationID, userID, err)
	}
	return n > 0, nil
}

// AddWrites turns confirmed lines of plan into writes. The caller has locked
// the connection, and has compared the lines with the plan in the same
// transaction. [planner.ErrConflict]: a line is not one that can be sent now.
func (tx *Tx) AddWrites(ctx context.Context, userID, connectionID int64, state ledger.ConnectionState, plan ledger.WeekPlan, lines []ledger.Line, mutationID string) error {
	ours := map[planner.CellID]*ledger.Pushed{}
	for _, row := range plan.Rows {
		for i, c := range row.Cells {
			ours[planner.CellID{RowID: row.ID, Date: plan.Week.Day(i)}] = c.Ours
		}
	}
	w := writeAdder{tx: tx, userID: userID, connectionID: connectionID, mutationID: mutationID, state: firstState(state)}
	for _, line := range lines {
		if err := w.add(ctx, line, ours[line.Cell]); err != nil {
			return fmt.Errorf("write for cell %v of user %d: %w", line.Cell, userID, err)
		}
	}
	return nil
}

// firstState is that of a new write: what cannot be sent before its owner has
// connected waits for that.
func firstState(connection ledger.ConnectionState) ledger.State {
	if connection != ledger.Connected {
		return ledger.Blocked
	}
	return ledger.Pending
}

// entryOn is an entry on a cell, in Harvest's ids, that says nothing yet.
// [planner.ErrConflict]: the row is known only here.
func (tx *Tx) entryOn(ctx context.Context, userID int64, cell planner.CellID) (ledger.Entry, error) {
	ids, err := tx.q.HarvestIDs(ctx, dbgen.HarvestIDsParams{UserID: userID, ProjectID: cell.ProjectID, TaskID: cell.TaskID})
	if err != nil {
		return ledger.Entry{}, notFound(err)
	}
	if ids.ProjectID == nil || ids.TaskID == nil {
		return ledger.Entry{}, planner.ErrConflict
	}
	return ledger.Entry{ProjectID: *ids.ProjectID, TaskID: *ids.TaskID, SpentDate: cell.Date}, nil
}

type writeAdder struct {
	tx           *Tx
	userID       int64
	connectionID int64
	mutationID   string
	state        ledger.State
}

func (a writeAdder) add(ctx context.Context, line ledger.Line, ours *ledger.Pushed) error {
	if !line.Sendable() || line.Timed && line.Start.IsZero() {
		return planner.ErrConflict
	}
	if ours == nil {
		return a.create(ctx, line)
	}
	// What has provably not reached Harvest gives way to what is meant now. What
	// is on its way does not: this one waits behind it.
	if err := a.tx.q.WriteSupersede(ctx, ours.ID); err != nil {
		return err
	}
	if line.Action == ledger.LineDelete && ours.RemoteID == 0 && !ours.InFlight {
		return a.tx.q.PushedRemove(ctx, ours.ID) // never sent, so there is nothing to delete
	}
	if line.Timed && !line.Moves(ours) {
		line.Start = 0
	}
	return a.change(ctx, line, ours)
}

// create makes an entry of ours for a cell that never had one.
func (a writeAdder) create(ctx context.Context, line ledger.Line) error {
	if line.Action != ledger.LineCreate {
		return planner.ErrConflict
	}
	pushed, err := a.tx.q.PushedCreate(ctx, dbgen.PushedCreateParams{
		UserID: a.userID, ConnectionID: a.connectionID, ProjectID: line.Cell.ProjectID, TaskID: line.Cell.TaskID, SpentDate: line.Cell.Date,
		PlannedMinutes: int32(line.Planned), PlannedNote: line.Note, Hours: int32(line.Hours), Notes: line.Note,
	})
	if err != nil {
		return err
	}
	return a.write(ctx, line, ledger.OpCreate, pushed.ID, pushed.Generation, nil)
}

// change writes about an entry of ours that exists, here or in Harvest.
func (a writeAdder) change(ctx context.Context, line ledger.Line, ours *ledger.Pushed) error {
	hours := line.Hours
	if line.Action == ledger.LineDelete {
		hours = ours.Meant
	}
	pushed, err := a.tx.q.PushedMean(ctx, dbgen.PushedMeanParams{
		ID: ours.ID, UserID: a.userID, PlannedMinutes: int32(line.Planned), PlannedNote: line.Note, Hours: int32(hours), Notes: line.Note,
	})
	if err != nil {
		return err
	}
	switch line.Action {
	case ledger.LineCreate:
		if ours.RemoteID != 0 { // it was there and is gone: a new one gets a new reference
			pushed.Generation, err = a.tx.q.PushedRenew(ctx, ours.ID)
			if err != nil {
				return err
			}
		}
		return a.write(ctx, line, ledger.OpCreate, pushed.ID, pushed.Generation, nil)
	case ledger.LineUpdate:
		return a.write(ctx, line, ledger.OpUpdate, pushed.ID, pushed.Generation, pushed.RemoteID)
	default:
		line.Hours = hours
		return a.write(ctx, line, ledger.OpDelete, pushed.ID, pushed.Generation, pushed.RemoteID)
	}
}

// goneOver is what Harvest has, where a line deliberately goes over a change
// made there; nil where it does not.
func (a writeAdder) goneOver(ctx context.Context, line ledger.Line, pushedID string) (*ledger.Base, error) {
	if line.Reason != ledger.LineChanged {
		return nil, nil //nolint:nilnil // nothing is gone over
	}
	return a.tx.remoteOf(ctx, a.userID, pushedID)
}

// remoteOf is what Harvest has of an entry of ours, as mirrored; nil if it has
// nothing.
func (tx *Tx) remoteOf(ctx context.Context, userID int64, pushedID string) (*ledger.Base, error) {
	e, err := tx.q.PushedRemote(ctx, dbgen.PushedRemoteParams{ID: pushedID, UserID: userID})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, err
	}
	return &ledger.Base{
		Entry: ledger.Entry{
			ProjectID: derefID(e.ProjectID), TaskID: derefID(e.TaskID), SpentDate: e.SpentDate, Hours: planner.Hours(e.Hours), Notes: e.Notes,
		},
		UpdatedAt: e.UpdatedAt,
	}, nil
}

func (a writeAdder) write(ctx context.Context, line ledger.Line, op ledger.Op, pushedID string, generation int32, remoteID *int64) error {
	entry, err := a.tx.entryOn(ctx, a.userID, line.Cell)
	if err != nil {
		return err
	}
	entry.Hours, entry.Notes, entry.Start = line.Hours, line.Note, line.Start
	payload, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	over, err := a.goneOver(ctx, line, pushedID)
	if err != nil {
		return err
	}
	base, err := jsonOf(over)
	if err != nil {
		return err
	}
	_, err = a.tx.q.WriteAdd(ctx, dbgen.WriteAddParams{
		UserID: a.userID, ConnectionID: a.connectionID, PushedEntryID: pushedID, Op: string(op),
		Reference: reference(pushedID, generation), Payload: payload, RemoteID: remoteID, Base: base, MutationID: a.mutationID, State: string(a.state),
		RequestID: ledger.TraceOf(ctx).Request,
	})
	return err
}
