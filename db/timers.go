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

// TimerStart asks for a timer on a cell.
type TimerStart struct {
	Cell       planner.CellID
	Today      planner.Date // the user's
	MutationID string       // 8 to 64 characters, one per submitted form
}

// StartTimer makes the write that starts a timer on a cell, and those that stop
// what else was started from here: Harvest lets one timer run for each person. In
// accounts that track durations the cell's timer of before goes on, if it is
// there and says the same; else a new entry is made. The caller has locked the
// connection, seen that the mutation is not stored yet ([Tx.PushStored]), and read
// plan, in the same transaction. [planner.ErrConflict]: the plan refuses it; see
// [ledger.WeekPlan.StartRefusal].
func (tx *Tx) StartTimer(ctx context.Context, userID int64, plan ledger.WeekPlan, start TimerStart) error {
	err := tx.startTimer(ctx, userID, plan, start)
	if err != nil {
		return fmt.Errorf("start a timer on cell %v of user %d: %w", start.Cell, userID, err)
	}
	return nil
}

func (tx *Tx) startTimer(ctx context.Context, userID int64, plan ledger.WeekPlan, start TimerStart) error {
	if plan.StartRefusal(start.Cell, start.Today) != ledger.MayStart {
		return planner.ErrConflict
	}
	others, err := tx.Timers(ctx, userID)
	if err != nil {
		return err
	}
	t := timerWriter{tx: tx, userID: userID, connection: *plan.Connection, mutationID: start.MutationID}
	for i := range others {
		if others[i].Ours() && others[i].Active() {
			if _, err := t.stop(ctx, &others[i]); err != nil {
				return err
			}
		}
	}
	id := start.Cell
	err = tx.q.TimersGiveWay(ctx, dbgen.TimersGiveWayParams{UserID: userID, ProjectID: id.ProjectID, TaskID: id.TaskID, SpentDate: id.Date})
	if err != nil {
		return err
	}
	entry, err := t.entry(ctx, id, plan.Cell(id).Note)
	if err != nil {
		return err
	}
	return t.write(ctx, ledger.OpStart, entry, id, plan.Cell(id).Note)
}

// StopOutcome tells what stopping a timer came to.
type StopOutcome string

// The outcomes.
const (
	StopAsked   StopOutcome = "asked"    // Harvest is told, or was told already
	StopUnsaid  StopOutcome = "unsaid"   // Harvest was never told to start it, so nothing was tracked
	StopNothing StopOutcome = "nothing"  // none runs there
	StopForeign StopOutcome = "not_ours" // it was not started from here, so it is not stopped from here
)

// StopTimer makes the write that stops the timer of a cell. A start that has not
// reached Harvest is taken back instead; one that may have waits to be known, and
// the stop behind it. The caller has locked the connection.
func (tx *Tx) StopTimer(ctx context.Context, userID int64, connection ledger.Connection, cell planner.CellID, mutationID string) (timer ledger.Timer, outcome StopOutcome, err error) {
	timers, err := tx.Timers(ctx, userID)
	if err != nil {
		return ledger.Timer{}, "", err
	}
	t := timerWriter{tx: tx, userID: userID, connection: connection, mutationID: mutationID}
	outcome = StopNothing
	for i := range timers {
		if timers[i].Cell != cell || !timers[i].Active() {
			continue
		}
		timer, outcome = timers[i], StopForeign
		if !timer.Ours() {
			continue
		}
		if outcome, err = t.stop(ctx, &timer); err != nil {
			return ledger.Timer{}, "", fmt.Errorf("stop the timer on cell %v of user %d: %w", cell, userID, err)
		}
		break
	}
	return timer, outcome, nil
}

// Timers returns the user's timers, in no order.
func (tx *Tx) Timers(ctx context.Context, userID int64) ([]ledger.Timer, error) {
	rows, err := tx.q.Timers(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("timers of user %d: %w", userID, err)
	}
	timers := make([]ledger.Timer, len(rows))
	for i := range rows {
		timers[i] = timerOf(&rows[i])
	}
	return timers, nil
}

func timerOf(r *dbgen.TimersRow) ledger.Timer {
	t := ledger.Timer{
		Cell:     planner.CellID{RowID: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Date: r.SpentDate},
		PushedID: r.PushedEntryID, RemoteID: r.RemoteID, Running: r.Running,
		StartedAt: deref(r.StartedAt), Before: planner.Hours(r.HoursBefore), Told: planner.Hours(r.Hours),
	}
	if r.WriteID != 0 {
		t.AskedAt = r.CreatedAt
		t.Write = &ledger.LastWrite{
			ID: r.WriteID, Op: ledger.Op(r.Op), State: ledger.State(r.State), NextTry: instant(r.NotBefore),
			Reason: r.ErrorReason, Status: int(r.ErrorStatus), Message: r.ErrorMessage,
		}
	}
	return t
}

// ActiveTimer is a timer that runs or is about to, with what is known of its cell.
type ActiveTimer struct {
	ledger.Timer

	Client, Project, Task string
	ClientID              int64
	BaseURI               string // web address of the Harvest account
	Planned               planner.Minutes
	Tracked               planner.Hours // as Harvest told last, by all entries
}

func activeTimer(r *dbgen.SessionFindRow) *ActiveTimer {
	return &ActiveTimer{
		Timer: timerOf(&dbgen.TimersRow{
			ProjectID: r.TimerProjectID, TaskID: r.TimerTaskID, SpentDate: r.TimerDate, PushedEntryID: r.TimerPushedID, Running: r.TimerRunning,
			StartedAt: r.TimerStartedAt, HoursBefore: r.TimerBefore, Hours: r.TimerHours, WriteID: r.TimerWriteID, Op: r.TimerOp, State: r.TimerState,
			CreatedAt: r.TimerAskedAt,
		}),
		Client: r.TimerClient, Project: r.TimerProject, Task: r.TimerTask, ClientID: r.TimerClientID, BaseURI: r.BaseUri,
		Planned: planner.Minutes(r.TimerPlanned), Tracked: planner.Hours(r.TimerTracked),
	}
}

// timerWriter makes writes of one submitted form.
type timerWriter struct {
	tx         *Tx
	userID     int64
	connection ledger.Connection
	mutationID string
}

// timerEntry is an entry of ours that a timer is on.
type timerEntry struct {
	id         string
	generation int32
	remoteID   *int64
}

// entry returns the entry of ours that a new timer of a cell is to be on.
func (t timerWriter) entry(ctx context.Context, id planner.CellID, note string) (timerEntry, error) {
	row, err := t.tx.q.TimerReuse(ctx, dbgen.TimerReuseParams{
		UserID: t.userID, ConnectionID: t.connection.ID, ProjectID: id.ProjectID, TaskID: id.TaskID, SpentDate: id.Date,
		// With start and end times an entry is one span, so Harvest may go on in another one (harvest-api.md, section 7.2).
		Restart: !t.connection.Account.TimestampTimers, Note: note,
	})
	if err == nil {
		return timerEntry{row.ID, row.Generation, row.RemoteID}, t.tx.q.TimerMean(ctx, dbgen.TimerMeanParams{ID: row.ID, UserID: t.userID, Note: note})
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return timerEntry{}, err
	}
	made, err := t.tx.q.TimerCreate(ctx, dbgen.TimerCreateParams{
		UserID: t.userID, ConnectionID: t.connection.ID, ProjectID: id.ProjectID, TaskID: id.TaskID, SpentDate: id.Date, Note: note,
	})
	return timerEntry{made.ID, made.Generation, nil}, err
}

// stop stops a timer of ours that is active.
func (t timerWriter) stop(ctx context.Context, timer *ledger.Timer) (StopOutcome, error) {
	if timer.State() == ledger.TimerStopping {
		return StopAsked, nil
	}
	if timer.State() == ledger.TimerStarting {
		n, err := t.tx.q.StartTakeBack(ctx, dbgen.StartTakeBackParams{ID: timer.Write.ID, UserID: t.userID})
		if err != nil {
			return "", err
		}
		if n > 0 && timer.RemoteID == 0 {
			return StopUnsaid, t.tx.q.PushedRemove(ctx, timer.PushedID)
		}
		if n > 0 {
			return StopUnsaid, nil
		}
	}
	row, err := t.tx.q.TimerEntry(ctx, dbgen.TimerEntryParams{ID: timer.PushedID, UserID: t.userID})
	if err != nil {
		return "", notFound(err)
	}
	return StopAsked, t.write(ctx, ledger.OpStop, timerEntry{timer.PushedID, row.Generation, row.RemoteID}, timer.Cell, row.Notes)
}

func (t timerWriter) write(ctx context.Context, op ledger.Op, on timerEntry, id planner.CellID, note string) error {
	entry, err := t.tx.entryOn(ctx, t.userID, id)
	if err != nil {
		return err
	}
	entry.Notes = note
	payload, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	_, err = t.tx.q.WriteAdd(ctx, dbgen.WriteAddParams{
		UserID: t.userID, ConnectionID: t.connection.ID, PushedEntryID: on.id, Op: string(op), Reference: reference(on.id, on.generation),
		Payload: payload, RemoteID: on.remoteID, MutationID: t.mutationID, State: string(firstState(t.connection.State)),
		RequestID: ledger.TraceOf(ctx).Request,
	})
	return err
}
