package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/planner"
)

// ConnectionSummary is a connection as operators see it.
type ConnectionSummary struct {
	ID               int64
	UserID           int64
	Email            string // of the owner
	State            ledger.ConnectionState
	CompanyName      string
	HarvestAccountID int64
	ConnectedAt      time.Time
	PulledAt         time.Time // zero: never
	SendingUntil     time.Time // of the lease of whoever sends for it; zero if nobody does
	Held             bool      // see hold.go
	Pause            ledger.Pause
	PausedBy         string
	Unfinished       int
	OldestUnsent     time.Time // when the oldest unfinished write was made; zero: none
	Reason           string    // of what went wrong last with that write, or with the latest sync
	Status           int
}

// ConnectionFilter chooses connections. Zero fields do not filter.
type ConnectionFilter struct {
	ID     int64
	State  ledger.ConnectionState
	Paused bool
	Held   bool
	Search string // in the owner's address, the company's name and the account's number
	After  int64  // only ids above
	Most   int    // at most so many; 0: 50
}

// Connections returns the connections that match, oldest first.
func (s *Store) Connections(ctx context.Context, f ConnectionFilter) ([]ConnectionSummary, error) {
	rows, err := s.plannedAnew().ConnectionsList(ctx, dbgen.ConnectionsListParams{
		ID: nonzero(f.ID), State: string(f.State), Paused: f.Paused, Held: f.Held, After: nonzero(f.After),
		Pattern: WriteFilter{Search: f.Search}.pattern(), Most: WriteFilter{Most: f.Most}.most(),
	})
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	list := make([]ConnectionSummary, len(rows))
	for i, r := range rows {
		list[i] = ConnectionSummary{
			ID: r.ID, UserID: r.UserID, Email: r.Email, State: ledger.ConnectionState(r.State), CompanyName: r.CompanyName, HarvestAccountID: r.HarvestAccountID,
			ConnectedAt: r.ConnectedAt, PulledAt: deref(r.PulledAt), SendingUntil: instant(r.SendingUntil), Held: r.Held,
			Pause: ledger.Pause{Until: instant(r.PausedUntil), Reason: r.PausedReason}, PausedBy: r.PausedBy,
			Unfinished: int(r.Unfinished), OldestUnsent: instant(r.OldestUnsent), Reason: r.ErrorReason, Status: int(r.ErrorStatus),
		}
	}
	return list, nil
}

// ConnectionSummary returns one connection; [planner.ErrNotFound] if there is
// none of that id.
func (s *Store) ConnectionSummary(ctx context.Context, id int64) (ConnectionSummary, error) {
	list, err := s.Connections(ctx, ConnectionFilter{ID: id})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("connection %d: %w", id, planner.ErrNotFound)
	}
	if err != nil {
		return ConnectionSummary{}, err
	}
	return list[0], nil
}

// ConnectionCounts are how many connections there are. Paused and held ones are
// counted by their state, too.
type ConnectionCounts struct {
	Connected, NeedsReauth, Disconnected int
	Paused, Held                         int
}

// CountConnections counts all connections.
func (s *Store) CountConnections(ctx context.Context) (ConnectionCounts, error) {
	r, err := s.q.ConnectionsCount(ctx)
	if err != nil {
		return ConnectionCounts{}, fmt.Errorf("count connections: %w", err)
	}
	return ConnectionCounts{
		Connected: int(r.Connected), NeedsReauth: int(r.NeedsReauth), Disconnected: int(r.Disconnected), Paused: int(r.Paused), Held: int(r.Held),
	}, nil
}

// PauseConnection has nothing exchanged with Harvest for a connection until term
// is over. A call that is under way is still waited for, and what it came to is
// recorded. Pushes are taken meanwhile. A second pause takes the place of the
// first. [planner.ErrNotFound]: there is no such connection.
func (tx *Tx) PauseConnection(ctx context.Context, actorID, connectionID int64, term time.Duration, reason string) (until time.Time, err error) {
	end, err := tx.q.ConnectionPause(ctx, dbgen.ConnectionPauseParams{ID: connectionID, ActorID: actorID, Term: term, Reason: reason})
	if err != nil {
		return time.Time{}, fmt.Errorf("pause connection %d: %w", connectionID, notFound(err))
	}
	return deref(end), nil
}

// ResumeConnection ends the pause of a connection before its time.
// [planner.ErrConflict]: it is not paused. The caller rings for it.
func (tx *Tx) ResumeConnection(ctx context.Context, connectionID int64) error {
	n, err := tx.q.ConnectionResume(ctx, connectionID)
	if err == nil && n == 0 {
		err = planner.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("resume connection %d: %w", connectionID, err)
	}
	return nil
}

// QueuePause says until when an operator has a queue paused, why, and who it was.
type QueuePause struct {
	Queue  string
	At     time.Time
	Until  time.Time
	Reason string
	By     string
}

// PauseQueue notes the pause of a queue, which the caller has the queue do in the
// same transaction.
func (tx *Tx) PauseQueue(ctx context.Context, actorID int64, queue string, term time.Duration, reason string) (until time.Time, err error) {
	until, err = tx.q.QueuePauseSet(ctx, dbgen.QueuePauseSetParams{Queue: queue, ActorID: actorID, Term: term, Reason: reason})
	if err != nil {
		return time.Time{}, fmt.Errorf("pause queue %s: %w", queue, err)
	}
	return until, nil
}

// EndQueuePause forgets the pause of a queue; see [Tx.PauseQueue].
func (tx *Tx) EndQueuePause(ctx context.Context, queue string) error {
	if _, err := tx.q.QueuePauseEnd(ctx, queue); err != nil {
		return fmt.Errorf("end the pause of queue %s: %w", queue, err)
	}
	return nil
}

// EndQueuePauses calls resume for each queue whose pause is over, in the
// transaction that forgets and audits the pause.
func (s *Store) EndQueuePauses(ctx context.Context, resume func(ctx context.Context, tx pgx.Tx, queue string) error) error {
	return s.InTx(ctx, func(tx *Tx) error {
		over, err := tx.q.QueuePausesOver(ctx)
		if err != nil {
			return fmt.Errorf("look for pauses that are over: %w", err)
		}
		for _, queue := range over {
			if err := resume(ctx, tx, queue); err != nil {
				return err
			}
			if err := tx.Audit(ctx, 0, "queues.resume", "queue "+queue, map[string]any{"why": "its time was over"}); err != nil {
				return err
			}
		}
		return nil
	})
}

// QueuePauses returns the pauses that are in force, by queue.
func (s *Store) QueuePauses(ctx context.Context) (map[string]QueuePause, error) {
	rows, err := s.q.QueuePauses(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the pauses of queues: %w", err)
	}
	pauses := make(map[string]QueuePause, len(rows))
	for _, r := range rows {
		pauses[r.Queue] = QueuePause{Queue: r.Queue, At: r.PausedAt, Until: r.PausedUntil, Reason: r.Reason, By: r.PausedBy}
	}
	return pauses, nil
}

// Schedule is something that runs by itself, and how it went last.
type Schedule struct {
	Name     string
	Every    time.Duration
	Started  time.Time
	Ended    time.Time
	Failures int    // in a row
	Error    string // of the last time; empty: none
}

// RanSchedule records that what runs by itself under a name, every so often, has
// run: when it began, and what came of it. Nothing depends on it; it is shown to
// operators.
func (s *Store) RanSchedule(ctx context.Context, name string, every time.Duration, started time.Time, outcome error) error {
	params := dbgen.ScheduleRanParams{Name: name, Every: every, StartedAt: started}
	if outcome != nil {
		params.Error = short(outcome.Error())
	}
	if err := s.q.ScheduleRan(ctx, params); err != nil {
		return fmt.Errorf("record that %s ran: %w", name, err)
	}
	return nil
}

// Schedules returns what has run by itself, the most frequent first.
func (s *Store) Schedules(ctx context.Context) ([]Schedule, error) {
	rows, err := s.q.Schedules(ctx)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	list := make([]Schedule, len(rows))
	for i, r := range rows {
		list[i] = Schedule{
			Name: r.Name, Every: r.Every, Started: r.StartedAt, Ended: r.EndedAt, Failures: int(r.Failures), Error: r.Error,
		}
	}
	return list, nil
}

// Processes returns the processes that run, and those that ended a short while
// ago.
func (s *Store) Processes(ctx context.Context) (list []notice.Process, err error) {
	err = s.InTx(ctx, func(tx *Tx) (err error) {
		list, err = tx.processes(ctx)
		return err
	})
	return list, err
}

// OldestUnsent returns how long the oldest write has waited that could have been
// sent, and for which connection; 0 if there is none. What waits for its owner,
// for an operator, or for the sync after a restore does not count.
func (s *Store) OldestUnsent(ctx context.Context) (age time.Duration, connectionID int64, err error) {
	r, err := s.q.OldestUnsent(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look for the oldest unsent write: %w", err)
	}
	return max(0, seconds(r.Seconds)), r.ConnectionID, nil
}

// SchemaVersion returns the number of the newest migration of the database.
func (s *Store) SchemaVersion(ctx context.Context) (int64, error) {
	var version int64
	err := s.pool.QueryRow(ctx, "select coalesce(max(version_id), 0) from goose_db_version where is_applied").Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("read the version of the schema: %w", err)
	}
	return version, nil
}

// SampleEvery is what one sample stands for.
const SampleEvery = 5 * time.Minute

// samplesKept is how long samples are shown.
const samplesKept = 8 * 24 * time.Hour

// Sample is what was tried at Harvest in five minutes, and how it went.
type Sample struct {
	At       time.Time
	Attempts int
	P95      time.Duration              // that 95 of 100 attempts took at most
	Errors   map[ledger.OutcomeKind]int // of each outcome that is not good, how many
	Oldest   time.Duration              // the longest that a write had waited which could have been sent
}

// Sample brings the samples up to now. Any number of processes may do so.
func (s *Store) Sample(ctx context.Context) error {
	oldest, _, err := s.OldestUnsent(ctx)
	if err != nil {
		return err
	}
	err = s.q.SamplesTake(ctx, dbgen.SamplesTakeParams{OldestSeconds: int32(min(oldest.Seconds(), 1<<30)), Keep: samplesKept})
	if err == nil {
		err = s.q.SamplesForget(ctx, samplesKept)
	}
	if err != nil {
		return fmt.Errorf("take a sample: %w", err)
	}
	return nil
}

// Samples returns the samples from since on, in order. Times without any have none.
func (s *Store) Samples(ctx context.Context, since time.Time) ([]Sample, error) {
	rows, err := s.q.Samples(ctx, since)
	if err != nil {
		return nil, fmt.Errorf("list samples: %w", err)
	}
	list := make([]Sample, len(rows))
	for i, r := range rows {
		list[i] = Sample{At: r.At, Attempts: int(r.Attempts), P95: time.Duration(r.P95Ms) * time.Millisecond, Oldest: time.Duration(r.OldestSeconds) * time.Second}
		if err := json.Unmarshal(r.Errors, &list[i].Errors); err != nil {
			return nil, fmt.Errorf("read the sample of %s: %w", r.At, err)
		}
	}
	return list, nil
}
