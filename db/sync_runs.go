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

// Trigger is why a sync run was asked for.
type Trigger string

// The triggers.
const (
	TriggerConnect  Trigger = "connect"  // right after connecting
	TriggerUser     Trigger = "user"     // somebody pressed the button
	TriggerAPI      Trigger = "api"      // a program asked
	TriggerSchedule Trigger = "schedule" // the last pull has grown old
)

// StartRun records that the user's mirror is to be brought up to date. If a run
// is live already, that one is returned and joined is true: no second one is
// made. week, if not nil, is looked at for deletions too. today is the user's
// date. [planner.ErrNotFound]: the user has no working connection.
func (tx *Tx) StartRun(ctx context.Context, userID int64, trigger Trigger, week *planner.Week, today planner.Date) (runID int64, joined bool, err error) {
	var first *planner.Date
	if week != nil {
		first = &week.Start
	}
	from := planner.DateOf(today.Time().AddDate(-1, 0, 0))
	id, err := tx.q.SyncRunAdd(ctx, dbgen.SyncRunAddParams{Trigger: string(trigger), Week: first, Overlap: ledger.Overlap, YearFrom: from, UserID: userID})
	if err == nil {
		return id, false, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return 0, false, fmt.Errorf("start a sync of user %d: %w", userID, err)
	}
	live, err := tx.q.SyncRunLive(ctx, userID)
	if err != nil {
		return 0, false, fmt.Errorf("start a sync of user %d: %w", userID, notFound(err))
	}
	return live, true, nil
}

// Run returns a sync run for the worker that is to do it. now decides which
// weeks are in view.
func (s *Store) Run(ctx context.Context, runID int64, now time.Time) (ledger.Run, error) {
	r, err := s.q.SyncRun(ctx, dbgen.SyncRunParams{ID: runID})
	if err != nil {
		return ledger.Run{}, fmt.Errorf("sync run %d: %w", runID, notFound(err))
	}
	today := planner.Profile{TimeZone: r.TimeZone}.Today(now)
	run := ledger.Run{
		ID: runID, UserID: r.UserID, ConnectionID: r.ConnectionID, State: ledger.RunState(r.State), Phase: ledger.Phase(r.Phase), Resume: r.Resume, UpdatedSince: deref(r.UpdatedSince),
		Total: int(r.Total), Shifted: r.Shifted, Relisted: int(r.Relisted),
		Window: ledger.Window{From: today.AddDays(-windowBefore), To: today.AddDays(windowAfter)},
	}
	if r.YearFrom != nil {
		run.YearFrom = *r.YearFrom
	}
	if r.Week != nil {
		run.Window.From = min(run.Window.From, *r.Week)
		run.Window.To = max(run.Window.To, planner.Week{Start: *r.Week}.End())
	}
	run.Paused = seconds(r.PausedSeconds)
	if !r.Held {
		return run, nil
	}
	run.Held = true
	unfinished, err := s.q.UnfinishedDates(ctx, r.ConnectionID)
	if err != nil {
		return ledger.Run{}, fmt.Errorf("sync run %d: dates of unfinished writes: %w", runID, err)
	}
	run.Window.From = min(run.Window.From, unfinished.FirstDay)
	run.Window.To = max(run.Window.To, unfinished.LastDay)
	return run, nil
}

// RunStatus returns how a run of the user stands; [planner.ErrNotFound] if it
// is not the user's.
func (s *Store) RunStatus(ctx context.Context, userID, runID int64) (ledger.RunStatus, error) {
	r, err := s.q.SyncRun(ctx, dbgen.SyncRunParams{ID: runID, UserID: &userID})
	if err != nil {
		return ledger.RunStatus{}, fmt.Errorf("sync run %d of user %d: %w", runID, userID, notFound(err))
	}
	return ledger.RunStatus{
		ID: r.ID, State: ledger.RunState(r.State), Phase: ledger.Phase(r.Phase), Page: int(r.Page), Pages: int(r.Pages),
		Entries: int(r.Entries), NextTry: deref(r.NextTryAt), Reason: r.ErrorReason, Status: int(r.ErrorStatus), CreatedAt: r.CreatedAt, FinishedAt: deref(r.FinishedAt),
	}, nil
}

// DelayRun records that a run could not go on, why, and when it is tried again.
func (s *Store) DelayRun(ctx context.Context, runID int64, wait time.Duration, reason string, status int) error {
	err := s.q.SyncRunWait(ctx, dbgen.SyncRunWaitParams{ID: runID, Wait: wait, ErrorReason: reason, ErrorStatus: int32(status)})
	if err != nil {
		return fmt.Errorf("delay sync run %d: %w", runID, err)
	}
	return nil
}

// FailRun records that a run is given up. What it has stored stays.
func (s *Store) FailRun(ctx context.Context, runID int64, reason string, status int) error {
	err := s.q.SyncRunFail(ctx, dbgen.SyncRunFailParams{ID: runID, ErrorReason: reason, ErrorStatus: int32(status)})
	if err != nil {
		return fmt.Errorf("fail sync run %d: %w", runID, err)
	}
	return nil
}

// LiveRuns returns the runs that are not over and were asked for longer ago than
// age.
func (s *Store) LiveRuns(ctx context.Context, age time.Duration) ([]int64, error) {
	ids, err := s.q.SyncRunsLive(ctx, age)
	if err != nil {
		return nil, fmt.Errorf("list live sync runs: %w", err)
	}
	return ids, nil
}

// ReviveRun lets a run that was given up go on where it stopped. revived is
// false if it was not given up, or another run of the connection is live.
func (s *Store) ReviveRun(ctx context.Context, runID int64) (revived bool, err error) {
	n, err := s.q.SyncRunRevive(ctx, runID)
	if err != nil {
		return false, fmt.Errorf("revive sync run %d: %w", runID, err)
	}
	return n > 0, nil
}

// mirror is the store of one sync run; it implements [ledger.Mirror].
type mirror struct {
	store  *Store
	userID int64
	runID  int64
	known  named // from the pages stored so far
}

// Mirror returns the store of a run.
func (s *Store) Mirror(run ledger.Run) ledger.Mirror {
	return &mirror{store: s, userID: run.UserID, runID: run.ID}
}

var _ ledger.Mirror = (*mirror)(nil)

func running(rows int64, err error) error {
	if err == nil && rows == 0 {
		return ledger.ErrRunOver
	}
	return err
}

// Enter implements [ledger.Mirror].
func (m *mirror) Enter(ctx context.Context, phase ledger.Phase) error {
	return running(m.store.q.SyncRunEnter(ctx, dbgen.SyncRunEnterParams{ID: m.runID, Phase: string(phase)}))
}

// SaveAssignments implements [ledger.Mirror].
func (m *mirror) SaveAssignments(ctx context.Context, assignments []ledger.Assignment) error {
	return m.store.InTx(ctx, func(tx *Tx) error { return tx.saveAssignments(ctx, m.userID, assignments) })
}

// SavePage implements [ledger.Mirror].
func (m *mirror) SavePage(ctx context.Context, page ledger.EntryPage) error {
	err := m.store.InTx(ctx, func(tx *Tx) error {
		changed, err := tx.mergeEntries(ctx, m.userID, page.Entries, &m.known)
		if err != nil {
			return fmt.Errorf("store a page of %d entries: %w", len(page.Entries), err)
		}
		var newest *time.Time
		for i := range page.Entries {
			if at := &page.Entries[i].UpdatedAt; newest == nil || at.After(*newest) {
				newest = at
			}
		}
		return running(tx.q.SyncRunPage(ctx, dbgen.SyncRunPageParams{
			ID: m.runID, Pages: int32(page.Pages), Entries: int32(len(page.Entries)), Changed: int32(changed), Resume: page.Next,
			Total: int32(page.Total), Shifted: page.Shifted, CursorSeen: newest,
		}))
	})
	if err == nil {
		m.known.add(page.Entries)
	}
	return err
}

// Known implements [ledger.Mirror].
func (m *mirror) Known(ctx context.Context, window ledger.Window) ([]int64, error) {
	return m.store.knownEntries(ctx, m.userID, window)
}

// SaveEntry implements [ledger.Mirror].
func (m *mirror) SaveEntry(ctx context.Context, entry ledger.RemoteEntry) error {
	return m.store.InTx(ctx, func(tx *Tx) error {
		_, err := tx.mergeEntries(ctx, m.userID, []ledger.RemoteEntry{entry}, &m.known)
		return err
	})
}

// MarkGone implements [ledger.Mirror].
func (m *mirror) MarkGone(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	return m.store.InTx(ctx, func(tx *Tx) error {
		n, err := tx.markGone(ctx, m.userID, ids)
		if err != nil {
			return err
		}
		return tx.q.SyncRunGone(ctx, dbgen.SyncRunGoneParams{ID: m.runID, Removed: int32(n)})
	})
}

// Finish implements [ledger.Mirror].
func (m *mirror) Finish(ctx context.Context) error {
	return m.store.InTx(ctx, func(tx *Tx) error {
		run, err := tx.q.SyncRunFinish(ctx, m.runID)
		if errors.Is(err, pgx.ErrNoRows) {
			return ledger.ErrRunOver
		}
		if err != nil {
			return fmt.Errorf("finish sync run %d: %w", m.runID, err)
		}
		err = tx.q.ConnectionPulled(ctx, dbgen.ConnectionPulledParams{ID: run.ConnectionID, CursorSeen: run.CursorSeen})
		if err != nil {
			return fmt.Errorf("finish sync run %d: %w", m.runID, err)
		}
		if err := tx.release(ctx, m.userID, run.ConnectionID, run.CreatedAt); err != nil {
			return err
		}
		return tx.removeDoubles(ctx, m.userID, run.ConnectionID)
	})
}
