package db

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// Choice is a person's answer to a difference between the plan and Harvest.
type Choice struct {
	Cell       planner.CellID
	MutationID string // 8 to 64 characters, one per submitted form
	Seen       int64  // newest plan event that the form was based on
}

// TakeTheirs makes the plan of a cell what Harvest has of it: the time that is
// tracked there, with the note of the entry of ours if there is one; or, if
// somebody put that on another cell, there. What was meant stays in the history
// of the plan, and its writes in the ledger. The caller has locked the connection
// and read plan in the same transaction. [planner.ErrConflict]: there is nothing
// to take, a write is on its way, or the plan was changed after choice.Seen.
func (tx *Tx) TakeTheirs(ctx context.Context, userID int64, plan ledger.WeekPlan, choice Choice) error {
	err := tx.takeTheirs(ctx, userID, plan.Cell(choice.Cell), choice)
	if err != nil {
		return fmt.Errorf("take what Harvest has of cell %v of user %d: %w", choice.Cell, userID, err)
	}
	return nil
}

func (tx *Tx) takeTheirs(ctx context.Context, userID int64, c ledger.Cell, choice Choice) error {
	if c.InStep() || c.Ours != nil && c.Ours.InFlight {
		return planner.ErrConflict
	}
	planned, note := c.Taken()
	note = cutNote(note)
	if err := tx.planAs(ctx, userID, choice, planned, note, planner.ChangeTake); err != nil || c.Ours == nil {
		return err
	}
	if err := tx.giveUpWrites(ctx, c.Ours.ID); err != nil {
		return err
	}
	switch {
	case c.Ours.RemoteID == 0 || c.Ours.Gone:
		return tx.q.PushedRemove(ctx, c.Ours.ID)
	case c.Ours.MovedTo != nil:
		return tx.takeMoved(ctx, userID, c, choice)
	default:
		return tx.q.PushedTake(ctx, dbgen.PushedTakeParams{ID: c.Ours.ID, UserID: userID, PlannedMinutes: int32(planned), PlannedNote: note})
	}
}

// giveUpWrites gives up what was to be sent of an entry, because Harvest's side
// was taken.
func (tx *Tx) giveUpWrites(ctx context.Context, pushedID string) error {
	writes, err := tx.q.WritesTake(ctx, pushedID)
	if err != nil {
		return err
	}
	for _, id := range writes {
		if err := tx.noteByPerson(ctx, id, ledger.ActionTake); err != nil {
			return err
		}
	}
	return nil
}

// takeMoved lets the plan of a cell go where its entry has gone, beside what is
// planned there. If there is an entry of ours already, the one that came is
// tracked time beside it.
func (tx *Tx) takeMoved(ctx context.Context, userID int64, c ledger.Cell, choice Choice) error {
	choice.Cell = *c.Ours.MovedTo
	there, err := tx.CellNow(ctx, userID, choice.Cell)
	if err != nil {
		return err
	}
	// Nothing that is planned there is overwritten, so it need not have been seen.
	// It may well be of another week, which the form knew nothing of.
	choice.Seen = there.Version
	moved, note := tracked(c.Ours.RemoteHours), cutNote(c.Ours.RemoteNotes)
	if err := tx.planMore(ctx, userID, choice, there, moved, note, planner.ChangeTake); err != nil {
		return err
	}
	taken, err := tx.q.PushedOnCell(ctx, dbgen.PushedOnCellParams{
		UserID: userID, ProjectID: choice.Cell.ProjectID, TaskID: choice.Cell.TaskID, SpentDate: choice.Cell.Date,
	})
	if err != nil {
		return err
	}
	if taken {
		return tx.q.PushedRemove(ctx, c.Ours.ID)
	}
	return tx.q.PushedTake(ctx, dbgen.PushedTakeParams{ID: c.Ours.ID, UserID: userID, PlannedMinutes: int32(moved), PlannedNote: note})
}

// MoveRest moves what is planned on a cell and was not tracked to another day of
// the week, which keeps what is planned there. It is [Tx.TakeTheirs] for the
// cell itself. [planner.ErrConflict] is returned as there, and if nothing is
// left to move, to is not another day of the week, or has no room for it.
func (tx *Tx) MoveRest(ctx context.Context, userID int64, plan ledger.WeekPlan, to planner.Date, choice Choice) error {
	err := tx.moveRest(ctx, userID, plan, to, choice)
	if err != nil {
		return fmt.Errorf("move the rest of cell %v of user %d to %s: %w", choice.Cell, userID, to, err)
	}
	return nil
}

func (tx *Tx) moveRest(ctx context.Context, userID int64, plan ledger.WeekPlan, to planner.Date, choice Choice) error {
	c := plan.Cell(choice.Cell)
	rest := c.Planned - tracked(c.Tracked())
	if rest <= 0 || to == choice.Cell.Date || !plan.Week.Contains(to) {
		return planner.ErrConflict
	}
	if err := tx.takeTheirs(ctx, userID, c, choice); err != nil {
		return err
	}
	choice.Cell.Date = to
	there, err := tx.CellNow(ctx, userID, choice.Cell)
	if err != nil {
		return err
	}
	if there.Planned+rest > planner.MaxCell {
		return planner.ErrConflict
	}
	return tx.planMore(ctx, userID, choice, there, rest, c.Note, planner.ChangeSettle)
}

// planMore adds to the plan of a cell, as far as a day goes; the note comes along
// if there is none.
func (tx *Tx) planMore(ctx context.Context, userID int64, choice Choice, there ledger.Cell, more planner.Minutes, note string, kind planner.ChangeKind) error {
	if there.Note != "" {
		note = there.Note
	}
	return tx.planAs(ctx, userID, choice, min(there.Planned+more, planner.MaxCell), note, kind)
}

func (tx *Tx) planAs(ctx context.Context, userID int64, choice Choice, planned planner.Minutes, note string, kind planner.ChangeKind) error {
	_, err := tx.editCell(ctx, userID, CellEdit{Cell: choice.Cell, Planned: planned, Note: &note, MutationID: choice.MutationID, Seen: choice.Seen}, kind)
	return err
}

// tracked is tracked time as a plan, which has no more than a day.
func tracked(h planner.Hours) planner.Minutes { return min(h.Minutes(), planner.MaxCell) }

func cutNote(note string) string {
	if runes := []rune(note); len(runes) > planner.MaxNote {
		return string(runes[:planner.MaxNote])
	}
	return note
}

// Adopt makes a write by which an entry in Harvest on the cell becomes ours, so
// that it follows the plan. What is not planned yet is planned as it was tracked.
// The caller has locked the connection and read plan in the same transaction.
// [planner.ErrNotFound]: the user has no such entry there; [planner.ErrConflict]:
// it is ours or locked, its timer runs, the cell has an entry of ours in Harvest
// or on its way there, or the plan was changed after choice.Seen.
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
	if entry.Held || plan.Connection == nil || !c.Adopts() {
		return planner.ErrConflict
	}
	if c.Ours != nil { // what never came to be in Harvest, or is gone, stands in nobody's way
		if err := tx.giveUpWrites(ctx, c.Ours.ID); err != nil {
			return err
		}
		if err := tx.q.PushedRemove(ctx, c.Ours.ID); err != nil {
			return err
		}
	}
	trackedTime, entryNote := tracked(c.Tracked()), cutNote(entry.Notes)
	planned, note := cmp.Or(c.Planned, trackedTime), cmp.Or(c.Note, entryNote)
	if err := tx.planAs(ctx, userID, choice, planned, note, planner.ChangeAdopt); err != nil {
		return err
	}
	pushed, err := tx.q.PushedCreate(ctx, dbgen.PushedCreateParams{
		UserID: userID, ConnectionID: plan.Connection.ID, ProjectID: id.ProjectID, TaskID: id.TaskID, SpentDate: id.Date,
		PlannedMinutes: int32(trackedTime), PlannedNote: entryNote, Hours: entry.Hours, Notes: entry.Notes,
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
	_, err = tx.q.WriteAdd(ctx, dbgen.WriteAddParams{
		UserID: userID, ConnectionID: plan.Connection.ID, PushedEntryID: pushed.ID, Op: string(ledger.OpAdopt),
		Reference: reference(pushed.ID, pushed.Generation), Payload: payload, RemoteID: &entryID, MutationID: choice.MutationID,
		State: string(firstState(plan.Connection.State)), RequestID: ledger.TraceOf(ctx).Request,
	})
	return err
}

// reference is the external reference of an entry of ours.
func reference(pushedID string, generation int32) string {
	return ledger.ReferenceGroup + ":" + pushedID + ":" + strconv.Itoa(int(generation))
}

// PlanEvent is a change of a cell's plan.
type PlanEvent struct {
	ID            int64
	Kind          planner.ChangeKind
	At            time.Time
	Before, After ledger.Cell // plan and note only
}

// CellHistory returns the changes of a cell's plan, latest first; at most
// [MostEvents].
func (s *Store) CellHistory(ctx context.Context, userID int64, cell planner.CellID) ([]PlanEvent, error) {
	rows, err := s.q.CellHistory(ctx, dbgen.CellHistoryParams{UserID: userID, ProjectID: cell.ProjectID, TaskID: cell.TaskID, Date: cell.Date, Most: MostEvents})
	if err != nil {
		return nil, fmt.Errorf("history of cell %v of user %d: %w", cell, userID, err)
	}
	events := make([]PlanEvent, len(rows))
	for i, r := range rows {
		events[i] = PlanEvent{
			ID: r.ID, Kind: planner.ChangeKind(r.Kind), At: r.At,
			Before: ledger.Cell{Planned: planner.Minutes(r.MinutesBefore), Note: r.NoteBefore},
			After:  ledger.Cell{Planned: planner.Minutes(r.MinutesAfter), Note: r.NoteAfter},
		}
	}
	return events, nil
}

// PlanBefore returns what was planned on a cell before an event of its history;
// [planner.ErrNotFound] if that has no such event.
func (tx *Tx) PlanBefore(ctx context.Context, userID int64, cell planner.CellID, event int64) (ledger.Cell, error) {
	r, err := tx.q.PlanBefore(ctx, dbgen.PlanBeforeParams{UserID: userID, ProjectID: cell.ProjectID, TaskID: cell.TaskID, Date: cell.Date, ID: event})
	if err != nil {
		return ledger.Cell{}, fmt.Errorf("event %d of cell %v of user %d: %w", event, cell, userID, notFound(err))
	}
	return ledger.Cell{Planned: planner.Minutes(r.MinutesBefore), Note: r.NoteBefore}, nil
}

// MostEvents is how many changes of a cell are shown.
const MostEvents = 50

// ChoiceStored reports whether the choice with this mutation id was stored
// before, so that a form that is sent twice does nothing twice.
func (tx *Tx) ChoiceStored(ctx context.Context, userID int64, mutationID string) (bool, error) {
	stored, err := tx.q.ChoiceStored(ctx, dbgen.ChoiceStoredParams{UserID: userID, MutationID: mutationID})
	if err != nil {
		return false, fmt.Errorf("look for choice %s of user %d: %w", mutationID, userID, err)
	}
	return stored, nil
}
