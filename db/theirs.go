package db

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// Kinds of plan events, beside those of plain edits.
const (
	editKind  = "edit"
	takeKind  = "take_theirs" // the plan became what Harvest has
	adoptKind = "adopt"       // the same, of an entry that became ours
)

// maxNote is the longest note of a cell, in characters; Harvest takes longer ones.
const maxNote = 2000

// Choice is a person's answer to a difference between the plan and Harvest.
type Choice struct {
	Cell       ledger.CellID
	MutationID string // 8 to 64 characters, one per submitted form
	Seen       int64  // newest plan event that the form was based on
}

// TakeTheirs makes the plan of a cell what somebody made of its entry in
// Harvest: another time or note, another cell, or nothing. What was meant stays
// in the history of the plan, and its writes in the ledger. The caller has locked
// the connection and read plan in the same transaction.
// [planner.ErrConflict]: there is nothing to take, a write is on its way, or the
// plan was changed after choice.Seen.
func (tx *Tx) TakeTheirs(ctx context.Context, userID int64, plan ledger.WeekPlan, choice Choice) error {
	err := tx.takeTheirs(ctx, userID, plan.Cell(choice.Cell), choice)
	if err != nil {
		return fmt.Errorf("take what Harvest has of cell %v of user %d: %w", choice.Cell, userID, err)
	}
	return nil
}

func (tx *Tx) takeTheirs(ctx context.Context, userID int64, c ledger.Cell, choice Choice) error {
	if !c.Differs() || c.Ours.InFlight {
		return planner.ErrConflict
	}
	writes, err := tx.q.WritesTake(ctx, c.Ours.ID)
	if err != nil {
		return err
	}
	for _, id := range writes {
		if err := tx.noteByPerson(ctx, id, ledger.ActionTake); err != nil {
			return err
		}
	}
	switch {
	case c.Ours.Gone:
		if err := tx.planAs(ctx, userID, choice, choice.Cell, 0, "", takeKind); err != nil {
			return err
		}
		return tx.q.PushedRemove(ctx, c.Ours.ID)
	case c.Ours.MovedTo != nil:
		return tx.takeMoved(ctx, userID, c, choice)
	default:
		planned, note := tracked(c.Tracked()), cutNote(c.Ours.RemoteNotes)
		if err := tx.planAs(ctx, userID, choice, choice.Cell, planned, note, takeKind); err != nil {
			return err
		}
		return tx.q.PushedTake(ctx, dbgen.PushedTakeParams{ID: c.Ours.ID, UserID: userID, PlannedMinutes: int32(planned), PlannedNote: note})
	}
}

// takeMoved lets the plan of a cell go where its entry has gone. If there is an
// entry of ours already, the one that came is tracked time beside it.
func (tx *Tx) takeMoved(ctx context.Context, userID int64, c ledger.Cell, choice Choice) error {
	if err := tx.planAs(ctx, userID, choice, choice.Cell, 0, "", takeKind); err != nil {
		return err
	}
	to := *c.Ours.MovedTo
	there, err := tx.CellNow(ctx, userID, to)
	if err != nil {
		return err
	}
	planned, note := min(there.Planned+tracked(c.Ours.RemoteHours), planner.MaxCell), there.Note
	if note == "" {
		note = cutNote(c.Ours.RemoteNotes)
	}
	if err := tx.planAs(ctx, userID, choice, to, planned, note, takeKind); err != nil {
		return err
	}
	taken, err := tx.q.PushedOnCell(ctx, dbgen.PushedOnCellParams{UserID: userID, ProjectID: to.ProjectID, TaskID: to.TaskID, SpentDate: to.Date})
	if err != nil {
		return err
	}
	if taken {
		return tx.q.PushedRemove(ctx, c.Ours.ID)
	}
	return tx.q.PushedTake(ctx, dbgen.PushedTakeParams{ID: c.Ours.ID, UserID: userID, PlannedMinutes: int32(planned), PlannedNote: note})
}

func (tx *Tx) planAs(ctx context.Context, userID int64, choice Choice, cell ledger.CellID, planned planner.Minutes, note, kind string) error {
	_, err := tx.editCell(ctx, userID, CellEdit{Cell: cell, Planned: &planned, Note: &note, MutationID: choice.MutationID, Seen: choice.Seen}, kind)
	return err
}

// tracked is tracked time as a plan, which has no more than a day.
func tracked(h planner.Hours) planner.Minutes { return min(h.Minutes(), planner.MaxCell) }

func cutNote(note string) string {
	if runes := []rune(note); len(runes) > maxNote {
		return string(runes[:maxNote])
	}
	return note
}

// Adopt makes a write by which an entry in Harvest on the cell becomes ours, so
// that it follows the plan. A cell without a plan is planned as it was tracked.
// The caller has locked the connection and read plan in the same transaction.
// [planner.ErrNotFound]: the user has no such entry there; [planner.ErrConflict]:
// it is ours or locked, its timer runs, the cell has an entry of ours already, or
// the plan was changed after choice.Seen.
func (tx *Tx) Adopt(ctx context.Context, userID int64, plan ledger.WeekPlan, entryID int64, choice Choice) error {
	err := tx.adopt(ctx, userID, plan, entryID, choice)
	if err != nil {
		return fmt.Errorf("adopt entry %d of user %d: %w", entryID, userID, err)
	}
	return nil
}

func (tx *Tx) adopt(ctx context.Context, userID int64, plan ledger.WeekPlan, entryID int64, choice Choice) error {
	id := choice.Cell
	c := plan.Cell(id)
	entry, err := tx.q.EntryToAdopt(ctx, dbgen.EntryToAdoptParams{
		UserID: userID, HarvestID: entryID, ProjectID: id.ProjectID, TaskID: id.TaskID, SpentDate: id.Date,
	})
	if err != nil {
		return notFound(err)
	}
	if c.Ours != nil || plan.Connection == nil {
		return planner.ErrConflict
	}
	planned, note := tracked(c.Tracked()), cutNote(entry.Notes)
	if c.Planned == 0 && c.Note == "" {
		if err := tx.planAs(ctx, userID, choice, id, planned, note, adoptKind); err != nil {
			return err
		}
	}
	pushed, err := tx.q.PushedCreate(ctx, dbgen.PushedCreateParams{
		UserID: userID, ConnectionID: plan.Connection.ID, ProjectID: id.ProjectID, TaskID: id.TaskID, SpentDate: id.Date,
		PlannedMinutes: int32(planned), PlannedNote: note, Hours: entry.Hours, Notes: entry.Notes,
	})
	if err != nil {
		return err
	}
	payload, err := json.Marshal(ledger.Entry{
		ProjectID: derefID(entry.ProjectID), TaskID: derefID(entry.TaskID), SpentDate: id.Date, Hours: planner.Hours(entry.Hours), Notes: entry.Notes,
	})
	if err != nil {
		return err
	}
	state := ledger.Pending
	if plan.Connection.State != ledger.Connected {
		state = ledger.Blocked
	}
	_, err = tx.q.WriteAdd(ctx, dbgen.WriteAddParams{
		UserID: userID, ConnectionID: plan.Connection.ID, PushedEntryID: pushed.ID, Op: string(ledger.OpAdopt),
		Reference: reference(pushed.ID, pushed.Generation), Payload: payload, RemoteID: &entryID, MutationID: choice.MutationID, State: string(state),
	})
	return err
}

// reference is the external reference of an entry of ours.
func reference(pushedID string, generation int32) string {
	return ledger.ReferenceGroup + ":" + pushedID + ":" + strconv.Itoa(int(generation))
}
