package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/planner"
)

// Recurrence is recurring work with what it is called.
type Recurrence struct {
	planner.Recurrence
	RowName

	Archived bool // nothing may be logged on the row any more, so that nothing is filled
	FilledTo planner.Date
}

// Recurrences returns the recurring work of a user, what has ended included, by
// client, project and task.
func (s *Store) Recurrences(ctx context.Context, userID int64) ([]Recurrence, error) {
	return recurrences(ctx, s.q, userID)
}

// Recurrence returns one of them; [planner.ErrNotFound] if the user has none of
// that id.
func (s *Store) Recurrence(ctx context.Context, userID, id int64) (Recurrence, error) {
	return recurrence(ctx, s.q, userID, id)
}

func recurrences(ctx context.Context, q *dbgen.Queries, userID int64) ([]Recurrence, error) {
	rows, err := q.Recurrences(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("recurring work of user %d: %w", userID, err)
	}
	list := make([]Recurrence, len(rows))
	for i, r := range rows {
		list[i] = Recurrence{
			Recurrence: planner.Recurrence{
				ID: r.ID, Row: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Days: planner.Weekdays(r.Weekdays),
				Each: planner.Cell{Planned: planner.Minutes(r.Minutes), Note: r.Note}, StartsOn: r.StartsOn, EndsOn: r.EndsOn,
			},
			RowName:  RowName{ClientID: r.ClientID, Client: r.Client, Project: r.Project, Task: r.Task},
			Archived: r.Archived, FilledTo: r.FilledTo,
		}
	}
	return list, nil
}

func recurrence(ctx context.Context, q *dbgen.Queries, userID, id int64) (Recurrence, error) {
	list, err := recurrences(ctx, q, userID) // somebody has a few
	if err != nil {
		return Recurrence{}, err
	}
	at := slices.IndexFunc(list, func(r Recurrence) bool { return r.ID == id })
	if at < 0 {
		return Recurrence{}, fmt.Errorf("recurring work %d of user %d: %w", id, userID, planner.ErrNotFound)
	}
	return list[at], nil
}

// MakeRecurrence begins recurring work and fills its cells, up to the horizon.
// It returns how many it has filled. The same mutation again changes nothing, and
// so many are 0. [planner.ErrNotFound]: the user has no such project or task.
func (tx *Tx) MakeRecurrence(ctx context.Context, user User, r planner.Recurrence, today planner.Date, mutationID string) (filled int, err error) {
	if stored, err := tx.recurrenceStored(ctx, user.ID, mutationID); stored || err != nil {
		return 0, err
	}
	filled, err = tx.makeRecurrence(ctx, user, nil, r, today, mutationID)
	if err != nil {
		return 0, fmt.Errorf("make recurring work of user %d: %w", user.ID, err)
	}
	return filled, nil
}

// ChangeRecurrence lets other work take the place of recurring work from a date
// on: cells that are still what the old one made of them become what the new one
// makes of them. It returns how many cells are different. Errors and repetition
// are as in [Tx.MakeRecurrence].
func (tx *Tx) ChangeRecurrence(ctx context.Context, user User, id int64, next planner.Recurrence, today planner.Date, mutationID string) (changed int, err error) {
	if stored, err := tx.recurrenceStored(ctx, user.ID, mutationID); stored || err != nil {
		return 0, err
	}
	old, err := recurrence(ctx, tx.q, user.ID, id)
	if err == nil {
		next.Row = old.Row
		changed, err = tx.makeRecurrence(ctx, user, &old, next, today, mutationID)
	}
	if err == nil {
		err = tx.endBefore(ctx, user.ID, old, next.StartsOn)
	}
	if err != nil {
		return 0, fmt.Errorf("change recurring work %d of user %d: %w", id, user.ID, err)
	}
	return changed, nil
}

// EndRecurrence ends recurring work before a date: cells from there on that are
// still what it made of them are cleared, unless they are in the past. It returns
// how many. Ending it again at the same date changes nothing.
func (tx *Tx) EndRecurrence(ctx context.Context, user User, id int64, before, today planner.Date) (cleared int, err error) {
	if _, err := tx.lockCells(ctx, user.ID, nil, ""); err != nil {
		return 0, err
	}
	old, err := recurrence(ctx, tx.q, user.ID, id)
	if err != nil {
		return 0, err
	}
	mutation := fmt.Sprintf("recurring-%d-before-%s", id, before)
	cleared, err = tx.recur(ctx, user, &old.Recurrence, nil, max(before, today), old.FilledTo, mutation)
	if err == nil {
		err = tx.endBefore(ctx, user.ID, old, before)
	}
	if err != nil {
		return 0, fmt.Errorf("end recurring work %d of user %d: %w", id, user.ID, err)
	}
	return cleared, nil
}

// ExtendRecurrences fills the cells of a user's recurring work that have come
// within the horizon. Running it again changes nothing.
func (s *Store) ExtendRecurrences(ctx context.Context, userID int64, now time.Time) error {
	user, err := s.User(ctx, userID)
	if err != nil {
		return err
	}
	err = s.InTx(ctx, func(tx *Tx) error { return tx.extendRecurrences(ctx, user, user.Profile.Today(now)) })
	if err != nil {
		return fmt.Errorf("extend recurring work of user %d: %w", userID, err)
	}
	return nil
}

func (tx *Tx) extendRecurrences(ctx context.Context, user User, today planner.Date) error {
	if _, err := tx.lockCells(ctx, user.ID, nil, ""); err != nil {
		return err
	}
	list, err := recurrences(ctx, tx.q, user.ID)
	if err != nil {
		return err
	}
	to := planner.Horizon(today, user.Profile.WeekStart)
	for i := range list {
		r := &list[i]
		if r.Archived || r.FilledTo >= to {
			continue
		}
		if _, err := tx.recur(ctx, user, nil, &r.Recurrence, max(r.FilledTo+1, today), to, fillMutation(r.ID)); err != nil {
			return err
		}
		if err := tx.q.RecurrenceFilled(ctx, dbgen.RecurrenceFilledParams{UserID: user.ID, ID: r.ID, FilledTo: to}); err != nil {
			return err
		}
	}
	return nil
}

// UsersWithShortRecurrences returns whose recurring work is to be extended.
func (s *Store) UsersWithShortRecurrences(ctx context.Context) ([]int64, error) {
	ids, err := s.q.UsersWithShortRecurrences(ctx)
	if err != nil {
		return nil, fmt.Errorf("users with recurring work to extend: %w", err)
	}
	return ids, nil
}

// recurrenceStored reports whether a form was stored before. Nobody else changes
// the user's plan, or what recurs in it, before the end of the transaction.
func (tx *Tx) recurrenceStored(ctx context.Context, userID int64, mutationID string) (bool, error) {
	if _, err := tx.lockCells(ctx, userID, nil, ""); err != nil {
		return false, err
	}
	_, err := tx.q.RecurrenceByMutation(ctx, dbgen.RecurrenceByMutationParams{UserID: userID, MutationID: mutationID})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, fmt.Errorf("recurring work of user %d: %w", userID, err)
	}
	return err == nil, nil
}

func (tx *Tx) makeRecurrence(ctx context.Context, user User, old *Recurrence, next planner.Recurrence, today planner.Date, mutationID string) (int, error) {
	to := planner.Horizon(today, user.Profile.WeekStart)
	id, err := tx.q.RecurrenceMake(ctx, dbgen.RecurrenceMakeParams{
		UserID: user.ID, MutationID: mutationID, ProjectID: next.Row.ProjectID, TaskID: next.Row.TaskID, Weekdays: int16(next.Days),
		Minutes: int32(next.Each.Planned), Note: next.Each.Note, StartsOn: next.StartsOn, EndsOn: next.EndsOn, FilledTo: to,
	})
	if err != nil {
		return 0, notFound(err)
	}
	next.ID = id
	if old == nil {
		return tx.recur(ctx, user, nil, &next, next.StartsOn, to, fillMutation(id))
	}
	return tx.recur(ctx, user, &old.Recurrence, &next, max(next.StartsOn, today), max(to, old.FilledTo), fillMutation(id))
}

// fillMutation begins the mutation ids of what a recurrence makes of cells. The
// query RecurringCells reads the id of the recurrence from them.
func fillMutation(id int64) string { return fmt.Sprintf("recurring-%d", id) }

// recur lets one recurrence take the place of another between two dates, each
// week as a change of its own. Either may be nil.
func (tx *Tx) recur(ctx context.Context, user User, old, next *planner.Recurrence, from, to planner.Date, mutation string) (changed int, err error) {
	row := next
	if row == nil {
		row = old
	}
	rows, err := tx.q.RecurringCells(ctx, dbgen.RecurringCellsParams{
		UserID: user.ID, ProjectID: row.Row.ProjectID, TaskID: row.Row.TaskID, FirstDay: from, LastDay: to,
	})
	if err != nil {
		return 0, err
	}
	cells := make(map[planner.Date]planner.RecurringCell, len(rows))
	for _, r := range rows {
		cells[r.Date] = planner.RecurringCell{
			Cell: planner.Cell{Planned: planner.Minutes(r.MinutesAfter), Note: r.NoteAfter}, Rule: r.Rule, Touched: r.Touched,
		}
	}
	edits := planner.Replace(old, next, from, to, cells)
	for len(edits) > 0 {
		week := planner.WeekOf(edits[0].Cell.Date, user.Profile.WeekStart)
		n := slices.IndexFunc(edits, func(e planner.Edit) bool { return !week.Contains(e.Cell.Date) })
		if n < 0 {
			n = len(edits)
		}
		_, err := tx.ChangePlan(ctx, user.ID, PlanChange{
			Kind: planner.ChangeRecurring, MutationID: mutation + "-" + week.String(), Seen: SeenAll, Cells: edits[:n],
		})
		if err != nil {
			return 0, err
		}
		changed += n
		edits = edits[n:]
	}
	return changed, nil
}

// endBefore makes the day before a date the last one of recurring work. Of what
// would not even have begun, nothing is left.
func (tx *Tx) endBefore(ctx context.Context, userID int64, r Recurrence, date planner.Date) error {
	last := date - 1
	if r.EndsOn != nil && *r.EndsOn <= last {
		return nil
	}
	if last < r.StartsOn {
		return tx.q.RecurrenceDelete(ctx, dbgen.RecurrenceDeleteParams{UserID: userID, ID: r.ID})
	}
	return tx.q.RecurrenceEnd(ctx, dbgen.RecurrenceEndParams{UserID: userID, ID: r.ID, EndsOn: &last})
}
