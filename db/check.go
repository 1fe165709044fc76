package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// WeekEntries returns what the self-check of a week compares, in one round trip:
// the user's entries of ours, and the entries in Harvest that carry a reference
// of ours, as mirrored.
func (s *Store) WeekEntries(ctx context.Context, userID int64, week planner.Week) (sent []ledger.SentEntry, found []ledger.FoundEntry, err error) {
	var batch pgx.Batch
	batch.Queue(dbgen.CheckSent, userID, week.Start, week.End()).Query(func(rows pgx.Rows) error {
		sent, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (ledger.SentEntry, error) {
			r, err := pgx.RowToStructByPos[dbgen.CheckSentRow](row)
			return sentEntry(&r), err
		})
		return err
	})
	batch.Queue(dbgen.CheckFound, ledger.ReferenceGroup, userID, week.Start, week.End()).Query(func(rows pgx.Rows) error {
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (ledger.FoundEntry, error) {
			r, err := pgx.RowToStructByPos[dbgen.CheckFoundRow](row)
			return foundEntry(&r), err
		})
		return err
	})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, nil, fmt.Errorf("entries of week %s of user %d: %w", week, userID, err)
	}
	return sent, found, nil
}

func sentEntry(r *dbgen.CheckSentRow) ledger.SentEntry {
	cell := planner.CellID{RowID: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Date: r.SpentDate}
	s := ledger.SentEntry{Cell: cell, Timer: r.Timer, Pushed: ledger.Pushed{
		ID: r.ID, Meant: planner.Hours(r.Hours), MeantNotes: r.Notes, RemoteID: r.RemoteID,
		AgreedHours: planner.Hours(r.AgreedHours), AgreedNotes: r.AgreedNotes, Gone: r.Gone,
	}}
	if r.RemoteID != 0 && !r.Gone {
		s.RemoteHours, s.RemoteNotes = planner.Hours(r.RemoteHours), r.RemoteNotes
		there := planner.CellID{RowID: planner.RowID{ProjectID: r.RemoteProject, TaskID: r.RemoteTask}, Date: r.RemoteDate}
		if there != cell {
			s.MovedTo = &there
		}
	}
	if r.WriteID != 0 {
		s.Write = &ledger.LastWrite{
			ID: r.WriteID, Op: ledger.Op(r.Op), State: ledger.State(r.State), NextTry: instant(r.NotBefore),
			Reason: r.ErrorReason, Status: int(r.ErrorStatus), Message: r.ErrorMessage,
		}
	}
	return s
}

func foundEntry(r *dbgen.CheckFoundRow) ledger.FoundEntry {
	f := ledger.FoundEntry{
		RemoteID: r.HarvestID, Cell: planner.CellID{RowID: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Date: r.SpentDate},
		Hours: planner.Hours(r.Hours), Notes: r.Notes, PushedID: r.PushedID, LetGo: r.LetGo,
	}
	if r.WriteID != 0 {
		f.Removal = &ledger.LastWrite{ID: r.WriteID, Op: ledger.OpRemoveDouble, State: ledger.State(r.State)}
	}
	return f
}

// RowName is what a row is called.
type RowName struct {
	ClientID              int64
	Client, Project, Task string
}

// RowName returns what a row is called that no week at hand shows.
// [planner.ErrNotFound]: the user has no such project or task.
func (s *Store) RowName(ctx context.Context, userID int64, row planner.RowID) (RowName, error) {
	r, err := s.q.RowName(ctx, dbgen.RowNameParams{UserID: userID, ProjectID: row.ProjectID, TaskID: row.TaskID})
	if err != nil {
		return RowName{}, fmt.Errorf("name of row %v of user %d: %w", row, userID, notFound(err))
	}
	return RowName(r), nil
}
