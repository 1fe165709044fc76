package db

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"furrow/db/dbgen"
	"furrow/planner"
)

// DoneChange is a change of the plan that was stored.
type DoneChange struct {
	ID   int64
	Kind planner.ChangeKind
	At   time.Time
	// UndoesKind is what an undo took back, or a redo did again; empty for others.
	UndoesKind planner.ChangeKind
	UndoneAt   time.Time // zero: it was not taken back
	Cells      []ChangedCell
	Rows       []ChangedRow
	Days       []ChangedDay
	Order      *ChangedOrder // nil: it is no change of an order
}

// ChangedOrder is what a change made of the order of clients, or of the rows of
// one. What the user has no more is left out.
type ChangedOrder struct {
	Of            RowName // the client; empty for the order of clients
	Before, After []RowName
}

// ChangedCell is what a change made of a cell.
type ChangedCell struct {
	Cell          planner.CellID
	Name          RowName
	Before, After planner.Cell
	Stands        bool // the cell is still so
}

// ChangedRow is a row that was put into a week, or taken out of it.
type ChangedRow struct {
	RowChange

	Name RowName
}

// ChangedDay is what a change made of a date.
type ChangedDay struct {
	Date          planner.Date
	Before, After planner.Workday
	Stands        bool // the date is still so
}

// Changes returns the changes that touch a week, latest first: those with an id
// below before, if that is not 0, and at most so many. What they did in other
// weeks is told too.
func (s *Store) Changes(ctx context.Context, userID int64, week planner.Week, before int64, most int) ([]DoneChange, error) {
	changes, err := s.changes(ctx, userID, week, before, most)
	if err != nil {
		return nil, fmt.Errorf("changes of week %s of user %d: %w", week, userID, err)
	}
	return changes, nil
}

func (s *Store) changes(ctx context.Context, userID int64, week planner.Week, before int64, most int) ([]DoneChange, error) {
	found, err := s.q.HistoryChanges(ctx, dbgen.HistoryChangesParams{
		UserID: userID, FirstDay: week.Start, LastDay: week.End(), Before: before, Most: int32(most),
	})
	if err != nil {
		return nil, err
	}
	changes, ids := make([]DoneChange, len(found)), make([]int64, len(found))
	at := make(map[int64]*DoneChange, len(found))
	for i, c := range found {
		changes[i] = DoneChange{
			ID: c.ID, Kind: planner.ChangeKind(c.Kind), At: c.At, UndoesKind: planner.ChangeKind(c.UndoesKind), UndoneAt: deref(c.UndoneAt),
		}
		ids[i], at[c.ID] = c.ID, &changes[i]
	}
	cells, err := s.q.HistoryCells(ctx, dbgen.HistoryCellsParams{UserID: userID, Ids: ids})
	if err != nil {
		return nil, err
	}
	for _, c := range cells {
		change := at[c.ID]
		change.Cells = append(change.Cells, ChangedCell{
			Cell:   planner.CellID{RowID: planner.RowID{ProjectID: c.ProjectID, TaskID: c.TaskID}, Date: c.Date},
			Name:   RowName{ClientID: c.ClientID, Client: c.Client, Project: c.Project, Task: c.Task},
			Before: planner.Cell{Planned: planner.Minutes(c.MinutesBefore), Note: c.NoteBefore},
			After:  planner.Cell{Planned: planner.Minutes(c.MinutesAfter), Note: c.NoteAfter},
			Stands: c.Stands,
		})
	}
	rows, err := s.q.HistoryRows(ctx, dbgen.HistoryRowsParams{UserID: userID, Ids: ids})
	for _, r := range rows {
		change := at[r.ID]
		change.Rows = append(change.Rows, ChangedRow{
			RowChange: RowChange{Week: planner.Week{Start: r.Week}, Row: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Kept: r.Kept},
			Name:      RowName{ClientID: r.ClientID, Client: r.Client, Project: r.Project, Task: r.Task},
		})
	}
	if err != nil {
		return nil, err
	}
	if err := s.nameOrders(ctx, userID, ids, at); err != nil {
		return nil, err
	}
	days, err := s.q.HistoryDays(ctx, dbgen.HistoryDaysParams{UserID: userID, Ids: ids})
	for _, d := range days {
		change := at[d.ID]
		change.Days = append(change.Days, ChangedDay{
			Date: d.Date, Before: planner.Workday{Off: d.OffBefore, Name: d.NameBefore}, After: planner.Workday{Off: d.OffAfter, Name: d.NameAfter}, Stands: d.Stands,
		})
	}
	return changes, err
}

// nameOrders adds to changes what they did to an order.
func (s *Store) nameOrders(ctx context.Context, userID int64, ids []int64, at map[int64]*DoneChange) error {
	stored, err := s.q.HistoryOrders(ctx, dbgen.HistoryOrdersParams{UserID: userID, Ids: ids})
	if err != nil || len(stored) == 0 {
		return err
	}
	did := make(map[int64]reorder, len(stored))
	var clients []int64
	var rows []planner.RowID
	for _, r := range stored {
		var d reorder
		if err := json.Unmarshal(r.Reorder, &d); err != nil {
			return err
		}
		did[r.ID] = d
		clients = slices.Concat(clients, []int64{d.Client}, d.Before.Clients, d.After.Clients)
		rows = slices.Concat(rows, d.Before.Rows, d.After.Rows)
	}
	rowNames, err := rowNames(ctx, s.q, userID, rows)
	if err != nil {
		return err
	}
	found, err := s.q.ClientNames(ctx, dbgen.ClientNamesParams{UserID: userID, Ids: clients})
	clientNames := make(map[int64]RowName, len(found))
	for _, c := range found {
		clientNames[c.ID] = RowName{ClientID: c.ID, Client: c.Name}
	}
	named := func(o Order) []RowName {
		return append(namesOf(o.Clients, clientNames), namesOf(o.Rows, rowNames)...)
	}
	for id, d := range did {
		at[id].Order = &ChangedOrder{Of: clientNames[d.Client], Before: named(d.Before), After: named(d.After)}
	}
	return err
}

// namesOf returns the names of those that have one, in order.
func namesOf[T comparable](ids []T, names map[T]RowName) (list []RowName) {
	for _, id := range ids {
		if name, ok := names[id]; ok {
			list = append(list, name)
		}
	}
	return list
}

// LatestChange returns the latest change that touches a week; 0 if there is none.
func (tx *Tx) LatestChange(ctx context.Context, userID int64, week planner.Week) (int64, error) {
	id, err := tx.q.ChangeLatest(ctx, dbgen.ChangeLatestParams{UserID: userID, FirstDay: week.Start, LastDay: week.End()})
	if err != nil {
		return 0, fmt.Errorf("latest change of week %s of user %d: %w", week, userID, err)
	}
	return id, nil
}

// ChangeAt returns when a change was made; [planner.ErrNotFound] if the user has
// none of that id in the week.
func (tx *Tx) ChangeAt(ctx context.Context, userID int64, week planner.Week, id int64) (time.Time, error) {
	at, err := tx.q.ChangeAt(ctx, dbgen.ChangeAtParams{UserID: userID, ID: id, FirstDay: week.Start, LastDay: week.End()})
	if err != nil {
		return time.Time{}, fmt.Errorf("change %d of user %d in week %s: %w", id, userID, week, notFound(err))
	}
	return at, nil
}

// RowNames returns what rows are called; those that the user does not have are
// left out.
func (tx *Tx) RowNames(ctx context.Context, userID int64, ids []planner.RowID) (map[planner.RowID]RowName, error) {
	names, err := rowNames(ctx, tx.q, userID, ids)
	if err != nil {
		return nil, fmt.Errorf("names of rows of user %d: %w", userID, err)
	}
	return names, nil
}

func rowNames(ctx context.Context, q *dbgen.Queries, userID int64, ids []planner.RowID) (map[planner.RowID]RowName, error) {
	p := dbgen.RowNamesParams{UserID: userID}
	for _, id := range ids {
		p.Projects, p.Tasks = append(p.Projects, id.ProjectID), append(p.Tasks, id.TaskID)
	}
	found, err := q.RowNames(ctx, p)
	if err != nil {
		return nil, err
	}
	names := make(map[planner.RowID]RowName, len(found))
	for _, r := range found {
		names[planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}] = RowName{ClientID: r.ClientID, Client: r.Client, Project: r.Project, Task: r.Task}
	}
	return names, nil
}
