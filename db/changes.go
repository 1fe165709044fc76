package db

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// PlanChange is one act of a person on the plan: it is stored, told in the
// history and undone as one.
type PlanChange struct {
	Kind       planner.ChangeKind
	MutationID string // 8 to 64 characters, one per submitted form; the same again changes nothing
	// Seen is the newest plan event that the form was based on. A cell that was
	// changed later by another form is not overwritten. [SeenAll] overwrites.
	Seen  int64
	Cells []planner.Edit // at most one of each cell
	Rows  []RowChange
	Days  []planner.DayEdit // at most one of each date
	Order *OrderChange
	// Partly: what can be stored is stored, and the rest told as conflicts.
	// Otherwise a conflict keeps everything from being stored.
	Partly bool
	// KeepIn, if not nil, is the week in which it was done: its rows stay when
	// their last cell is cleared, and it can be undone there whatever it touched.
	KeepIn *planner.Week

	belongs []planner.Date // dates, beside those that it touches
}

// SeenAll is the version of a change that may overwrite whatever there is.
const SeenAll = math.MaxInt64

// RowChange puts a row into a week, so that it is shown while it is empty, or
// takes it out of there.
type RowChange struct {
	Week planner.Week
	Row  planner.RowID
	Kept bool
}

// Changed is what came of a change.
type Changed struct {
	ID        int64            // of the change; 0: everything was so already
	Cells     []planner.CellID // that are different now
	Rows      []RowChange      // likewise
	Days      []planner.Date   // likewise
	Reordered bool
	Conflicts []planner.CellID // not stored: changed by another form meanwhile
}

// ChangePlan stores a change of the plan with its history. What is so already
// is left alone, and so is what this mutation has stored before.
// [planner.ErrNotFound]: the user has no such project or task;
// [planner.ErrConflict]: a cell was changed after change.Seen.
func (tx *Tx) ChangePlan(ctx context.Context, userID int64, change PlanChange) (Changed, error) {
	changed, err := tx.changePlan(ctx, userID, change, nil)
	if err != nil {
		return Changed{}, fmt.Errorf("change the plan of user %d (%s): %w", userID, change.Kind, err)
	}
	return changed, nil
}

// Stored returns the change that a mutation has stored; 0 if there is none.
// Nobody else changes the user's plan before the end of the transaction.
func (tx *Tx) Stored(ctx context.Context, userID int64, mutationID string) (id int64, err error) {
	if _, err = tx.lockCells(ctx, userID, nil, ""); err == nil {
		id, err = tx.q.ChangeByMutation(ctx, dbgen.ChangeByMutationParams{UserID: userID, MutationID: mutationID})
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("look for change %q of user %d: %w", mutationID, userID, err)
	}
	return id, nil
}

// changePlan is ChangePlan; undoes is the change that it takes back.
func (tx *Tx) changePlan(ctx context.Context, userID int64, change PlanChange, undoes *int64) (changed Changed, err error) {
	before, err := tx.lockCells(ctx, userID, change.Cells, change.MutationID)
	if err != nil {
		return changed, err
	}
	store := dbgen.ChangeStoreParams{
		UserID: userID, MutationID: change.MutationID, Kind: string(change.Kind), Undoes: undoes,
		FirstDay: math.MaxInt32, LastDay: math.MinInt32,
	}
	for i, edit := range change.Cells {
		switch is := &before[i]; {
		case is.alike(edit, change.Kind):
		case is.stored != nil || is.version > change.Seen:
			changed.Conflicts = append(changed.Conflicts, edit.Cell)
		default:
			changed.Cells = append(changed.Cells, edit.Cell)
			add(&store, is.Cell, edit)
		}
	}
	if len(changed.Conflicts) > 0 && !change.Partly {
		return Changed{}, planner.ErrConflict
	}
	rows := change.Rows
	if change.KeepIn != nil {
		rows = append(rows, cleared(*change.KeepIn, store)...)
		change.belongs = append(change.belongs, change.KeepIn.Start, change.KeepIn.End())
	}
	if changed.Rows, err = tx.storeRows(ctx, userID, rows); err != nil {
		return Changed{}, err
	}
	for _, row := range changed.Rows {
		store.FirstDay, store.LastDay = min(store.FirstDay, row.Week.Start), max(store.LastDay, row.Week.End())
	}
	days, err := tx.changedDays(ctx, userID, change.Days, change.MutationID)
	if err != nil {
		return Changed{}, err
	}
	changed.Days = days.Dates
	change.belongs = append(change.belongs, days.Dates...)
	if store.Reorder, err = tx.changeOrder(ctx, userID, change.Order); err != nil {
		return Changed{}, err
	}
	if changed.Reordered = store.Reorder != nil; changed.Reordered {
		change.belongs = append(change.belongs, change.Order.Week.Start, change.Order.Week.End())
	}
	if len(changed.Cells)+len(changed.Rows)+len(changed.Days) == 0 && !changed.Reordered && undoes == nil {
		return changed, nil
	}
	for _, day := range change.belongs {
		store.FirstDay, store.LastDay = min(store.FirstDay, day), max(store.LastDay, day)
	}
	if changed.ID, err = tx.q.ChangeStore(ctx, store); err != nil {
		return Changed{}, err
	}
	if len(changed.Days) > 0 {
		if err := tx.q.DaysStore(ctx, days); err != nil {
			return Changed{}, err
		}
	}
	return changed, tx.addRowEvents(ctx, userID, change.MutationID, changed.Rows)
}

// add puts a cell into what is to be stored.
func add(store *dbgen.ChangeStoreParams, before planner.Cell, edit planner.Edit) {
	after := edit.After(before)
	store.Projects = append(store.Projects, edit.Cell.ProjectID)
	store.Tasks = append(store.Tasks, edit.Cell.TaskID)
	store.Dates = append(store.Dates, edit.Cell.Date)
	store.MinutesBefore = append(store.MinutesBefore, int32(before.Planned))
	store.MinutesAfter = append(store.MinutesAfter, int32(after.Planned))
	store.NotesBefore = append(store.NotesBefore, before.Note)
	store.NotesAfter = append(store.NotesAfter, after.Note)
	store.FirstDay, store.LastDay = min(store.FirstDay, edit.Cell.Date), max(store.LastDay, edit.Cell.Date)
}

// cleared keeps the rows of which a cell is to be cleared.
func cleared(week planner.Week, store dbgen.ChangeStoreParams) (rows []RowChange) {
	for i, project := range store.Projects {
		row := RowChange{Week: week, Row: planner.RowID{ProjectID: project, TaskID: store.Tasks[i]}, Kept: true}
		if store.MinutesAfter[i] == 0 && store.NotesAfter[i] == "" && !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
	}
	return rows
}

// lockedCell is a cell that nobody else changes before the end of the
// transaction.
type lockedCell struct {
	planner.Cell
	version int64
	stored  *planner.Cell // what the mutation made of it, if it was stored before
}

// alike reports whether nothing is to be done for an edit: the mutation has been
// stored, or the cell is so already. Choices between the plan and Harvest leave
// their line in the history also then, as they say more than what the plan is.
func (c *lockedCell) alike(edit planner.Edit, kind planner.ChangeKind) bool {
	if c.stored != nil {
		return *c.stored == edit.After(*c.stored)
	}
	switch kind {
	case planner.ChangeTake, planner.ChangeAdopt, planner.ChangeSettle:
		return false
	default:
		return c.Cell == edit.After(c.Cell)
	}
}

// lockCells returns the cells of edits, in one round trip. Nobody else changes
// the user's plan before the end of the transaction.
func (tx *Tx) lockCells(ctx context.Context, userID int64, edits []planner.Edit, mutationID string) ([]lockedCell, error) {
	read := dbgen.CellsReadParams{UserID: userID, MutationID: mutationID}
	for _, edit := range edits {
		read.Projects = append(read.Projects, edit.Cell.ProjectID)
		read.Tasks = append(read.Tasks, edit.Cell.TaskID)
		read.Dates = append(read.Dates, edit.Cell.Date)
	}
	var batch pgx.Batch
	batch.Queue(dbgen.PlanLock, userID).QueryRow(func(row pgx.Row) error {
		var id int64
		return row.Scan(&id)
	})
	var rows []dbgen.CellsReadRow
	if len(edits) > 0 {
		batch.Queue(dbgen.CellsRead, read.Projects, read.Tasks, read.Dates, userID, mutationID).Query(func(found pgx.Rows) (err error) {
			rows, err = pgx.CollectRows(found, pgx.RowToStructByPos[dbgen.CellsReadRow])
			return err
		})
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, notFound(err)
	}
	if len(rows) < len(edits) {
		return nil, planner.ErrNotFound
	}
	cells := make([]lockedCell, len(rows))
	for i, r := range rows {
		cells[i] = lockedCell{Cell: planner.Cell{Planned: planner.Minutes(r.Minutes), Note: r.Note}, version: r.Version}
		if r.StoredBefore {
			cells[i].stored = &planner.Cell{Planned: planner.Minutes(r.StoredMinutes), Note: r.StoredNote}
		}
	}
	return cells, nil
}

// storeRows returns the rows that were not so already.
func (tx *Tx) storeRows(ctx context.Context, userID int64, rows []RowChange) ([]RowChange, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	p := dbgen.RowsStoreParams{UserID: userID}
	for _, r := range rows {
		p.Weeks, p.Projects, p.Tasks, p.Kept = append(p.Weeks, r.Week.Start), append(p.Projects, r.Row.ProjectID), append(p.Tasks, r.Row.TaskID), append(p.Kept, r.Kept)
	}
	stored, err := tx.q.RowsStore(ctx, p)
	if err != nil {
		return nil, err
	}
	changed := make([]RowChange, len(stored))
	for i, r := range stored {
		changed[i] = RowChange{Week: planner.Week{Start: r.Week}, Row: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Kept: r.Kept}
	}
	return changed, nil
}

func (tx *Tx) addRowEvents(ctx context.Context, userID int64, mutationID string, rows []RowChange) error {
	if len(rows) == 0 {
		return nil
	}
	p := dbgen.RowEventsAddParams{UserID: userID, MutationID: mutationID}
	for _, r := range rows {
		p.Weeks, p.Projects, p.Tasks, p.Kept = append(p.Weeks, r.Week.Start), append(p.Projects, r.Row.ProjectID), append(p.Tasks, r.Row.TaskID), append(p.Kept, r.Kept)
	}
	return tx.q.RowEventsAdd(ctx, p)
}

// Undone is what came of an undo.
type Undone struct {
	Changed

	Kind     planner.ChangeKind // of the change that was taken back
	Left     []planner.CellID   // changed again since, so they stay as they are
	LeftDays []planner.Date     // likewise
}

// Undo takes a change of a week back: the one with an id, or, if that is 0, the
// latest that has not been taken back. What was changed again since stays.
// [planner.ErrNotFound]: there is no such change; [planner.ErrConflict]: it was
// taken back already, or all of it was changed since. The same mutation again
// changes nothing.
func (tx *Tx) Undo(ctx context.Context, userID int64, week planner.Week, id int64, mutationID string) (Undone, error) {
	undone, err := tx.takeBack(ctx, userID, week, id, mutationID, planner.ChangeUndo)
	if err != nil {
		return Undone{}, fmt.Errorf("undo change %d of user %d in week %s: %w", id, userID, week, err)
	}
	return undone, nil
}

// Redo takes the latest undo of a week back, if nothing else was changed since.
// Errors are those of [Tx.Undo].
func (tx *Tx) Redo(ctx context.Context, userID int64, week planner.Week, mutationID string) (Undone, error) {
	undone, err := tx.takeBack(ctx, userID, week, 0, mutationID, planner.ChangeRedo)
	if err != nil {
		return Undone{}, fmt.Errorf("redo in week %s of user %d: %w", week, userID, err)
	}
	return undone, nil
}

func (tx *Tx) takeBack(ctx context.Context, userID int64, week planner.Week, id int64, mutationID string, kind planner.ChangeKind) (Undone, error) {
	if stored, err := tx.Stored(ctx, userID, mutationID); err != nil || stored != 0 {
		return Undone{Changed: Changed{ID: stored}}, err
	}
	if id == 0 {
		next, err := tx.q.ChangesNext(ctx, dbgen.ChangesNextParams{UserID: userID, FirstDay: week.Start, LastDay: week.End()})
		if err != nil {
			return Undone{}, err
		}
		id = next.Undo
		if kind == planner.ChangeRedo {
			id = next.Redo
		}
	}
	change, err := tx.q.ChangeByID(ctx, dbgen.ChangeByIDParams{UserID: userID, ID: id})
	if err != nil {
		return Undone{}, notFound(err)
	}
	if change.UndoneBy != nil {
		return Undone{}, planner.ErrConflict
	}
	back, left, err := tx.reverse(ctx, userID, change.MutationID)
	if err != nil {
		return Undone{}, err
	}
	if back.Order, err = tx.orderBefore(ctx, userID, week, change.MutationID); err != nil {
		return Undone{}, err
	}
	var leftDays []planner.Date
	if back.Days, leftDays, err = tx.daysBefore(ctx, userID, change.MutationID); err != nil {
		return Undone{}, err
	}
	if len(back.Cells)+len(back.Rows)+len(back.Days) == 0 && back.Order == nil {
		return Undone{}, planner.ErrConflict
	}
	back.Kind, back.MutationID, back.Seen, back.belongs = kind, mutationID, SeenAll, []planner.Date{change.FirstDay, change.LastDay}
	changed, err := tx.changePlan(ctx, userID, back, &change.ID)
	if err != nil {
		return Undone{}, err
	}
	err = tx.q.ChangeTakeBack(ctx, dbgen.ChangeTakeBackParams{UserID: userID, ID: change.ID, By: changed.ID})
	return Undone{Changed: changed, Kind: planner.ChangeKind(change.Kind), Left: left, LeftDays: leftDays}, err
}

// reverse is the change that takes a mutation back, without the cells that were
// changed again since.
func (tx *Tx) reverse(ctx context.Context, userID int64, mutationID string) (back PlanChange, left []planner.CellID, err error) {
	events, err := tx.q.ChangeEvents(ctx, dbgen.ChangeEventsParams{UserID: userID, MutationID: mutationID})
	if err != nil {
		return back, nil, err
	}
	var edits []planner.Edit
	for _, e := range events {
		edits = append(edits, planner.Edit{
			Cell: planner.CellID{RowID: planner.RowID{ProjectID: e.ProjectID, TaskID: e.TaskID}, Date: e.Date},
			To:   planner.Cell{Planned: planner.Minutes(e.MinutesBefore), Note: e.NoteBefore},
		})
	}
	now, err := tx.lockCells(ctx, userID, edits, "")
	if err != nil {
		return back, nil, err
	}
	for i, e := range events {
		if now[i].Cell == (planner.Cell{Planned: planner.Minutes(e.MinutesAfter), Note: e.NoteAfter}) {
			back.Cells = append(back.Cells, edits[i])
		} else {
			left = append(left, edits[i].Cell)
		}
	}
	rows, err := tx.q.ChangeRows(ctx, dbgen.ChangeRowsParams{UserID: userID, MutationID: mutationID})
	for _, r := range rows {
		back.Rows = append(back.Rows, RowChange{Week: planner.Week{Start: r.Week}, Row: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Kept: !r.Kept})
	}
	return back, left, err
}

// BackTo returns what makes a week what it was after a change: the cells, rows
// and days that were changed since. Some may be so again. The order of rows is
// that of all weeks, and stays.
func (tx *Tx) BackTo(ctx context.Context, userID int64, week planner.Week, change int64) (PlanChange, error) {
	back, err := tx.backTo(ctx, userID, week, change)
	if err != nil {
		return PlanChange{}, fmt.Errorf("week %s of user %d after change %d: %w", week, userID, change, err)
	}
	return back, nil
}

func (tx *Tx) backTo(ctx context.Context, userID int64, week planner.Week, change int64) (back PlanChange, err error) {
	cells, err := tx.q.CellsBack(ctx, dbgen.CellsBackParams{UserID: userID, FirstDay: week.Start, LastDay: week.End(), ID: change})
	if err != nil {
		return back, err
	}
	for _, c := range cells {
		back.Cells = append(back.Cells, planner.Edit{
			Cell: planner.CellID{RowID: planner.RowID{ProjectID: c.ProjectID, TaskID: c.TaskID}, Date: c.Date},
			To:   planner.Cell{Planned: planner.Minutes(c.MinutesBefore), Note: c.NoteBefore},
		})
	}
	rows, err := tx.q.RowsBack(ctx, dbgen.RowsBackParams{UserID: userID, FirstDay: week.Start, LastDay: week.End(), ID: change})
	if err != nil {
		return back, err
	}
	for _, r := range rows {
		back.Rows = append(back.Rows, RowChange{Week: planner.Week{Start: r.Week}, Row: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Kept: r.Kept})
	}
	days, err := tx.q.DaysBack(ctx, dbgen.DaysBackParams{UserID: userID, FirstDay: week.Start, LastDay: week.End(), ID: change})
	for _, d := range days {
		back.Days = append(back.Days, planner.DayEdit{Date: d.Date, To: planner.Workday{Off: d.OffBefore, Name: d.NameBefore}})
	}
	return back, err
}

// CellEdit is a change of one cell. A nil note is left alone.
type CellEdit struct {
	Cell       planner.CellID
	Planned    planner.Minutes
	Note       *string
	MutationID string
	Seen       int64
}

// EditCell is [Tx.ChangePlan] for one cell; changed is false if it was so
// already.
func (tx *Tx) EditCell(ctx context.Context, userID int64, edit CellEdit) (changed bool, err error) {
	return tx.editCell(ctx, userID, edit, planner.ChangeEdit)
}

func (tx *Tx) editCell(ctx context.Context, userID int64, edit CellEdit, kind planner.ChangeKind) (bool, error) {
	to := planner.Edit{Cell: edit.Cell, To: planner.Cell{Planned: edit.Planned}, KeepNote: edit.Note == nil}
	if edit.Note != nil {
		to.To.Note = *edit.Note
	}
	changed, err := tx.changePlan(ctx, userID, PlanChange{Kind: kind, MutationID: edit.MutationID, Seen: edit.Seen, Cells: []planner.Edit{to}}, nil)
	if err != nil {
		return false, fmt.Errorf("edit cell %v of user %d: %w", edit.Cell, userID, err)
	}
	return len(changed.Cells) > 0, nil
}

// CellNow returns the plan of a cell as it stands in the transaction, locked
// until its end.
func (tx *Tx) CellNow(ctx context.Context, userID int64, cell planner.CellID) (ledger.Cell, error) {
	cells, err := tx.CellsNow(ctx, userID, []planner.CellID{cell})
	if err != nil {
		return ledger.Cell{}, err
	}
	return cells[0], nil
}

// CellsNow is [Tx.CellNow] for several cells, in the same order.
func (tx *Tx) CellsNow(ctx context.Context, userID int64, ids []planner.CellID) ([]ledger.Cell, error) {
	edits := make([]planner.Edit, len(ids))
	for i, id := range ids {
		edits[i].Cell = id
	}
	locked, err := tx.lockCells(ctx, userID, edits, "")
	if err != nil {
		return nil, fmt.Errorf("cells %v of user %d: %w", ids, userID, err)
	}
	cells := make([]ledger.Cell, len(locked))
	for i, c := range locked {
		cells[i] = ledger.Cell{Planned: c.Planned, Note: c.Note, Version: c.version}
	}
	return cells, nil
}
