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
	"furrow/planner"
)

// WriteRecord is a write of the ledger as people see it.
type WriteRecord struct {
	ID                    int64
	UserID                int64
	Email                 string // of the owner
	Op                    ledger.Op
	State                 ledger.State
	Reference             string // external reference of the entry
	Entry                 ledger.Entry
	Client, Project, Task string
	ClientID              int64
	RemoteID              int64 // Harvest's; 0 if not known
	BaseURI               string
	Connection            ledger.ConnectionState
	Held                  bool // nothing is sent for the connection; see ledger.Connection
	Pause                 ledger.Pause
	Sendings              int
	NotBefore             time.Time
	Reason                string // of the latest failure
	Status                int
	Message               string // Harvest's own words
	CreatedAt             time.Time
	FinishedAt            time.Time
	ConnectionID          int64
	Request               string           // id of the request that asked for it; empty if that is not known
	OperatorNote          string           // why an operator gave it up; its owner reads it
	Before                *ledger.Entry    // what Harvest had when it was sent last; nil: nothing, or not known
	After                 *ledger.Entry    // what Harvest was seen to have since; nil: nothing, or not known
	Attempts              []ledger.Attempt // oldest first
}

// WriteFilter chooses writes. Zero fields do not filter.
type WriteFilter struct {
	UserID int64 // of one user; 0: of all, for admins
	ID     int64
	IDs    []int64 // nil: any
	States []ledger.State
	Cell   *planner.CellID
	Week   *planner.Week
	Client int64
	Search string // in names, note, ids and reference, whatever the case
	Before int64  // only ids below
	Most   int    // at most so many; 0: 50
}

func (f WriteFilter) most() int32 {
	if f.Most <= 0 {
		return 50
	}
	return int32(f.Most)
}

// states is never nil, which the queries would read as unknown.
func (f WriteFilter) states() []string {
	states := make([]string, len(f.States))
	for i, state := range f.States {
		states[i] = string(state)
	}
	return states
}

// dates are the first and the last date of what is chosen; nil for any.
func (f WriteFilter) dates() (from, to *planner.Date) {
	switch {
	case f.Cell != nil:
		return &f.Cell.Date, &f.Cell.Date
	case f.Week != nil:
		last := f.Week.Day(planner.DaysInWeek - 1)
		return &f.Week.Start, &last
	default:
		return nil, nil
	}
}

// pattern is Search as LIKE reads it; nil for any.
func (f WriteFilter) pattern() *string {
	if f.Search == "" {
		return nil
	}
	pattern := like(f.Search)
	return &pattern
}

// nonzero is nil for zero, which the queries read as "any".
func nonzero(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// Writes returns the writes that match, newest first, with their attempts.
func (s *Store) Writes(ctx context.Context, f WriteFilter) ([]WriteRecord, error) {
	params := dbgen.WritesListParams{UserID: nonzero(f.UserID), ID: nonzero(f.ID), Ids: f.IDs, States: f.states(), Before: nonzero(f.Before), Most: f.most()}
	params.ClientID, params.Pattern = nonzero(f.Client), f.pattern()
	params.FromDate, params.ToDate = f.dates()
	if f.Cell != nil {
		params.ProjectID, params.TaskID = &f.Cell.ProjectID, &f.Cell.TaskID
	}
	rows, err := s.plannedAnew().WritesList(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list writes: %w", err)
	}
	records := make([]WriteRecord, len(rows))
	ids := make([]int64, len(rows))
	at := make(map[int64]*WriteRecord, len(rows))
	for i, r := range rows {
		records[i] = WriteRecord{
			ID: r.ID, UserID: r.UserID, Email: r.Email, Op: ledger.Op(r.Op), State: ledger.State(r.State), Reference: r.Reference, Client: r.Client, ClientID: r.ClientID,
			Project: r.Project, Task: r.Task, BaseURI: r.BaseUri, Connection: ledger.ConnectionState(r.ConnectionState), Held: r.Held, Pause: ledger.Pause{Until: instant(r.PausedUntil), Reason: r.PausedReason},
			Sendings: int(r.Attempts), NotBefore: r.NotBefore, Reason: r.ErrorReason, Status: int(r.ErrorStatus), Message: r.ErrorMessage,
			CreatedAt: r.CreatedAt, FinishedAt: deref(r.FinishedAt), RemoteID: derefID(r.RemoteID),
			ConnectionID: r.ConnectionID, Request: r.RequestID, OperatorNote: r.OperatorNote,
		}
		if err := records[i].readEntries(r.Payload, r.RemoteBefore, r.RemoteAfter); err != nil {
			return nil, fmt.Errorf("read write %d: %w", r.ID, err)
		}
		ids[i], at[r.ID] = r.ID, &records[i]
	}
	if len(ids) == 0 {
		return records, nil
	}
	attempts, err := s.q.WriteAttempts(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	for _, a := range attempts {
		w := at[a.WriteID]
		w.Attempts = append(w.Attempts, ledger.Attempt{
			At: a.At, Action: ledger.Action(a.Action), Outcome: ledger.OutcomeKind(a.Outcome), Reason: a.Reason, Status: int(a.Status),
			RequestID: a.RequestID, Message: a.Message, Latency: time.Duration(a.LatencyMs) * time.Millisecond, JobID: derefID(a.JobID),
		})
	}
	return records, nil
}

// readEntries reads the entries of a row, of which before and after may be nil.
func (w *WriteRecord) readEntries(meant, before, after []byte) error {
	err := json.Unmarshal(meant, &w.Entry)
	if err == nil && before != nil {
		err = json.Unmarshal(before, &w.Before)
	}
	if err == nil && after != nil {
		err = json.Unmarshal(after, &w.After)
	}
	return err
}

func derefID(id *int64) int64 {
	if id == nil {
		return 0
	}
	return *id
}

// Write returns one write; userID 0 stands for any user's. [planner.ErrNotFound]:
// there is none of that id, or it is somebody else's.
func (s *Store) Write(ctx context.Context, userID, id int64) (WriteRecord, error) {
	list, err := s.Writes(ctx, WriteFilter{UserID: userID, ID: id, Most: 1})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("write %d: %w", id, planner.ErrNotFound)
	}
	if err != nil {
		return WriteRecord{}, err
	}
	return list[0], nil
}

// WriteCounts are how many writes there are.
type WriteCounts struct {
	ByState map[ledger.State]int
	// Moving is how many of these a worker brings on by itself. Nothing of a user
	// who is not connected moves. It is counted for one user, not for all.
	Moving int
}

// CountWrites counts the writes that match, in whatever state they are.
func (s *Store) CountWrites(ctx context.Context, f WriteFilter) (WriteCounts, error) {
	rows, err := s.countRows(ctx, f)
	if err != nil {
		return WriteCounts{}, fmt.Errorf("count writes: %w", err)
	}
	counts := WriteCounts{ByState: make(map[ledger.State]int, len(rows))}
	for _, r := range rows {
		counts.ByState[ledger.State(r.State)] = int(r.Writes)
		counts.Moving += int(r.Moving)
	}
	return counts, nil
}

func (s *Store) countRows(ctx context.Context, f WriteFilter) ([]dbgen.WritesCountRow, error) {
	q, userID := s.plannedAnew(), nonzero(f.UserID)
	if f.Week == nil && f.Client == 0 && f.Search == "" {
		return q.WritesCount(ctx, userID) // reads nothing but an index
	}
	params := dbgen.WritesCountChosenParams{UserID: userID, ClientID: nonzero(f.Client), Pattern: f.pattern()}
	params.FromDate, params.ToDate = f.dates()
	chosen, err := q.WritesCountChosen(ctx, params)
	rows := make([]dbgen.WritesCountRow, len(chosen))
	for i, r := range chosen {
		rows[i] = dbgen.WritesCountRow(r)
	}
	return rows, err
}

// WriteClient is a client that somebody has writes of.
type WriteClient struct {
	ID   int64
	Name string
}

// WriteClients returns the clients that the user has writes of, by name.
func (s *Store) WriteClients(ctx context.Context, userID int64) ([]WriteClient, error) {
	rows, err := s.q.WriteClients(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("list clients of writes: %w", err)
	}
	clients := make([]WriteClient, len(rows))
	for i, r := range rows {
		clients[i] = WriteClient(r)
	}
	return clients, nil
}

// plannedAnew are queries whose plan depends on which of their filters are
// given. A prepared statement would sooner or later get one plan for all.
func (s *Store) plannedAnew() *dbgen.Queries { return dbgen.New(plannedAnew{s.pool}) }

// plannedAnew has PostgreSQL plan each query for its arguments, in the same
// round trip.
type plannedAnew struct{ dbgen.DBTX }

func (p plannedAnew) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return p.DBTX.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
}

// RetryWrites sets the writes that match and may be retried to be tried at
// once, notes that in their history, and returns the connections to ring.
// Others that match are left alone. It goes by user, id and states alone.
func (tx *Tx) RetryWrites(ctx context.Context, f WriteFilter) (writeIDs, connectionIDs []int64, err error) {
	rows, err := tx.q.WritesRetry(ctx, dbgen.WritesRetryParams{UserID: nonzero(f.UserID), ID: nonzero(f.ID), States: f.states()})
	if err != nil {
		return nil, nil, fmt.Errorf("retry writes: %w", err)
	}
	seen := map[int64]bool{}
	for _, r := range rows {
		if err := tx.noteByPerson(ctx, r.ID, ledger.ActionRetry); err != nil {
			return nil, nil, err
		}
		writeIDs = append(writeIDs, r.ID)
		if !seen[r.ConnectionID] {
			seen[r.ConnectionID] = true
			connectionIDs = append(connectionIDs, r.ConnectionID)
		}
	}
	return writeIDs, connectionIDs, nil
}

// DropWrite gives up a write that is not in doubt; userID 0 stands for any
// user's. [planner.ErrNotFound]: it does not exist; [planner.ErrConflict]: it
// is done, or under way.
func (tx *Tx) DropWrite(ctx context.Context, userID, id int64) error {
	_, err := tx.q.WriteDrop(ctx, dbgen.WriteDropParams{ID: id, UserID: nonzero(userID)})
	if errors.Is(err, pgx.ErrNoRows) {
		err = planner.ErrConflict
		if list, listErr := tx.q.WritesList(ctx, dbgen.WritesListParams{UserID: nonzero(userID), ID: &id, States: []string{}, Most: 1}); listErr == nil && len(list) == 0 {
			err = planner.ErrNotFound
		}
	}
	if err == nil {
		err = tx.noteByPerson(ctx, id, ledger.ActionDrop)
	}
	if err != nil {
		return fmt.Errorf("drop write %d: %w", id, err)
	}
	return nil
}

func (tx *Tx) noteByPerson(ctx context.Context, writeID int64, action ledger.Action) error {
	err := tx.q.WriteAttemptAdd(ctx, dbgen.WriteAttemptAddParams{WriteID: writeID, Action: string(action), Outcome: string(ledger.OutcomeByPerson)})
	if err != nil {
		return fmt.Errorf("note on write %d: %w", writeID, err)
	}
	return nil
}
