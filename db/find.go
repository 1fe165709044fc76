package db

import (
	"context"
	"fmt"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// UsedRow is a row with time on it, planned or tracked, or that was put into a
// week.
type UsedRow struct {
	ID   planner.RowID
	Name RowName
	// Local: Harvest does not know the row.
	Local   bool
	Last    planner.Date // with time on it; 1970-01-01: none
	Minutes planner.Minutes
}

// RowsUsed returns the rows that the user used on dates from first to last.
func (s *Store) RowsUsed(ctx context.Context, userID int64, first, last planner.Date) ([]UsedRow, error) {
	found, err := s.q.RowsUsed(ctx, dbgen.RowsUsedParams{UserID: userID, FirstDay: first, LastDay: last})
	if err != nil {
		return nil, fmt.Errorf("rows that user %d used: %w", userID, err)
	}
	rows := make([]UsedRow, len(found))
	for i, r := range found {
		rows[i] = UsedRow{
			ID: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Name: RowName{ClientID: r.ClientID, Client: r.Client, Project: r.Project, Task: r.Task},
			Local: r.Local, Last: r.Last, Minutes: planner.Minutes(r.Minutes),
		}
	}
	return rows, nil
}

// KeepRow puts a row into a week, so that it is shown while it is empty.
// Keeping it again changes nothing. [planner.ErrNotFound]: it is neither
// assigned to the user nor one of their own.
func (tx *Tx) KeepRow(ctx context.Context, userID int64, mutationID string, week planner.Week, row planner.RowID) (Changed, error) {
	known, err := tx.q.RowChoosable(ctx, dbgen.RowChoosableParams{UserID: userID, ProjectID: row.ProjectID, TaskID: row.TaskID})
	if err == nil && !known {
		err = planner.ErrNotFound
	}
	if err != nil {
		return Changed{}, fmt.Errorf("keep row %v in week %s of user %d: %w", row, week, userID, err)
	}
	return tx.ChangePlan(ctx, userID, PlanChange{
		Kind: planner.ChangeAddRow, MutationID: mutationID, Rows: []RowChange{{Week: week, Row: row, Kept: true}},
	})
}

// AddLocalRow makes a client, project and task that only exist here, where the
// user has none of these names, and keeps their row in a week.
func (tx *Tx) AddLocalRow(ctx context.Context, userID int64, mutationID string, week planner.Week, name RowName) (planner.RowID, Changed, error) {
	id, err := tx.localRow(ctx, userID, name)
	if err != nil {
		return id, Changed{}, fmt.Errorf("make a row of user %d: %w", userID, err)
	}
	changed, err := tx.KeepRow(ctx, userID, mutationID, week, id)
	return id, changed, err
}

func (tx *Tx) localRow(ctx context.Context, userID int64, name RowName) (id planner.RowID, err error) {
	clientID, err := tx.q.LocalClient(ctx, dbgen.LocalClientParams{UserID: userID, Name: name.Client})
	if err != nil {
		return id, err
	}
	id.ProjectID, err = tx.q.LocalProject(ctx, dbgen.LocalProjectParams{UserID: userID, ClientID: clientID, Name: name.Project})
	if err != nil {
		return id, err
	}
	id.TaskID, err = tx.q.LocalTask(ctx, dbgen.LocalTaskParams{UserID: userID, Name: name.Task})
	return id, err
}

// Cells returns cells as they stand, all at one moment and in the order asked
// for, each with its version. [planner.ErrNotFound]: the user has no such
// project or task.
func (s *Store) Cells(ctx context.Context, userID int64, ids []planner.CellID) ([]ledger.Cell, error) {
	read := dbgen.CellsReadParams{UserID: userID}
	for _, id := range ids {
		read.Projects, read.Tasks, read.Dates = append(read.Projects, id.ProjectID), append(read.Tasks, id.TaskID), append(read.Dates, id.Date)
	}
	found, err := s.q.CellsRead(ctx, read)
	if err == nil && len(found) < len(ids) {
		err = planner.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("cells of user %d: %w", userID, err)
	}
	cells := make([]ledger.Cell, len(found))
	for i, c := range found {
		cells[i] = ledger.Cell{Planned: planner.Minutes(c.Minutes), Note: c.Note, Version: c.Version}
	}
	return cells, nil
}
