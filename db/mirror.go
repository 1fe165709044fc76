package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// The merge of time entries is written by hand: sqlc knows no temporary
// tables, and COPY into one with a single merge is several times faster than
// any statement per row.
const (
	stageTable = `create temporary table if not exists staged_entries (
    harvest_id bigint, client_id bigint, client text, currency text, project_id bigint, project text, task_id bigint, task text,
    spent_date date, hours int, started_minute smallint, ended_minute smallint, notes text, is_locked boolean, locked_reason text, approval_status text, is_billed boolean,
    is_running boolean, timer_started_at timestamptz, timer_before int, billable boolean, reference_id text, created_at timestamptz, updated_at timestamptz
) on commit `

	// Clients, projects and tasks that no assignment names any more, archived
	// ones among them, are known only from their entries.
	stageClients = `insert into clients (user_id, harvest_id, name, currency)
select distinct on (s.client_id) $1::bigint, s.client_id, s.client, s.currency
from staged_entries s
where not exists (select from clients c where c.user_id = $1 and c.harvest_id = s.client_id)
order by s.client_id
on conflict do nothing`

	stageProjects = `insert into projects (user_id, client_id, harvest_id, name)
select distinct on (s.project_id) $1::bigint, c.id, s.project_id, s.project
from staged_entries s
join clients c on c.user_id = $1 and c.harvest_id = s.client_id
where not exists (select from projects p where p.user_id = $1 and p.harvest_id = s.project_id)
order by s.project_id
on conflict do nothing`

	stageTasks = `insert into tasks (user_id, harvest_id, name)
select distinct on (s.task_id) $1::bigint, s.task_id, s.task
from staged_entries s
where not exists (select from tasks t where t.user_id = $1 and t.harvest_id = s.task_id)
order by s.task_id
on conflict do nothing`

	// A row is only rewritten if it differs, so that a sync without news writes
	// nothing. An older reading never replaces a newer one.
	stageMerge = `insert into time_entries as t (user_id, harvest_id, project_id, task_id, spent_date, hours, started_minute, ended_minute, notes, is_locked,
    locked_reason, approval_status, is_billed, is_running, timer_started_at, timer_before, billable, reference_id, created_at, updated_at)
select $1::bigint, s.harvest_id, p.id, k.id, s.spent_date, s.hours, s.started_minute, s.ended_minute, s.notes, s.is_locked,
    s.locked_reason, s.approval_status, s.is_billed, s.is_running, s.timer_started_at, s.timer_before, s.billable, s.reference_id, s.created_at, s.updated_at
from staged_entries s
join projects p on p.user_id = $1 and p.harvest_id = s.project_id
join tasks k on k.user_id = $1 and k.harvest_id = s.task_id
on conflict (user_id, harvest_id) do update
set project_id = excluded.project_id, task_id = excluded.task_id, spent_date = excluded.spent_date, hours = excluded.hours,
    started_minute = excluded.started_minute, ended_minute = excluded.ended_minute, notes = excluded.notes, is_locked = excluded.is_locked, locked_reason = excluded.locked_reason,
    approval_status = excluded.approval_status, is_billed = excluded.is_billed, is_running = excluded.is_running,
    timer_started_at = excluded.timer_started_at, timer_before = excluded.timer_before, billable = excluded.billable, reference_id = excluded.reference_id, updated_at = excluded.updated_at, deleted_at = null
where t.updated_at <= excluded.updated_at
  and (t.project_id, t.task_id, t.spent_date, t.hours, t.started_minute, t.ended_minute, t.notes, t.is_locked, t.locked_reason, t.approval_status, t.is_billed,
       t.is_running, t.timer_started_at, t.timer_before, t.billable, t.reference_id, t.updated_at, t.deleted_at)
   is distinct from
      (excluded.project_id, excluded.task_id, excluded.spent_date, excluded.hours, excluded.started_minute, excluded.ended_minute, excluded.notes, excluded.is_locked,
       excluded.locked_reason, excluded.approval_status, excluded.is_billed, excluded.is_running, excluded.timer_started_at, excluded.timer_before, excluded.billable,
       excluded.reference_id, excluded.updated_at, null::timestamptz)`
)

var stagedColumns = []string{ //nolint:gochecknoglobals // a constant list
	"harvest_id", "client_id", "client", "currency", "project_id", "project", "task_id", "task",
	"spent_date", "hours", "started_minute", "ended_minute", "notes", "is_locked", "locked_reason", "approval_status", "is_billed",
	"is_running", "timer_started_at", "timer_before", "billable", "reference_id", "created_at", "updated_at",
}

// named are the clients, projects and tasks, by Harvest's ids, that are known to
// be stored. The zero value knows none.
type named struct {
	clients, projects, tasks map[int64]bool
}

// all reports whether everything that the entries name is known.
func (n *named) all(entries []ledger.RemoteEntry) bool {
	for i := range entries {
		e := &entries[i]
		if !n.clients[e.ClientID] || !n.projects[e.ProjectID] || !n.tasks[e.TaskID] {
			return false
		}
	}
	return true
}

// add makes everything that the entries name known.
func (n *named) add(entries []ledger.RemoteEntry) {
	if n.clients == nil {
		n.clients, n.projects, n.tasks = map[int64]bool{}, map[int64]bool{}, map[int64]bool{}
	}
	for i := range entries {
		e := &entries[i]
		n.clients[e.ClientID], n.projects[e.ProjectID], n.tasks[e.TaskID] = true, true, true
	}
}

// newest returns the entries with only the newest reading of each id: a page may
// have shifted while it was listed, and a merge takes each id once.
func newest(entries []ledger.RemoteEntry) []ledger.RemoteEntry {
	at := make(map[int64]int, len(entries))
	for i := range entries {
		if j, ok := at[entries[i].ID]; !ok || entries[j].UpdatedAt.Before(entries[i].UpdatedAt) {
			at[entries[i].ID] = i
		}
	}
	if len(at) == len(entries) {
		return entries
	}
	kept := make([]ledger.RemoteEntry, 0, len(at))
	for i := range entries {
		if at[entries[i].ID] == i {
			kept = append(kept, entries[i])
		}
	}
	return kept
}

// minuteOfDay is a time of day as a column holds it; nil for none.
func minuteOfDay(t planner.TimeOfDay) any {
	if t.IsZero() {
		return nil
	}
	return int16(t.Minutes())
}

// instantOrNull is an instant as a column holds it; nil for none.
func instantOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// mergeEntries stores entries of a user by Harvest's id and returns how many
// were new or different. What they name is stored too, unless it is known. The
// stage is emptied by the end of the transaction, so each has one merge at most.
func (tx *Tx) mergeEntries(ctx context.Context, userID int64, entries []ledger.RemoteEntry, known *named) (changed int, err error) {
	if len(entries) == 0 {
		return 0, nil
	}
	entries = newest(entries)
	stage := stageTable + "delete rows"
	if tx.pooled {
		stage = stageTable + "drop" // or else a program of another version would find it
	}
	if _, err := tx.Exec(ctx, stage); err != nil {
		return 0, err
	}
	source := pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) {
		e := &entries[i]
		reference := ""
		if e.ReferenceGroup == ledger.ReferenceGroup {
			reference = e.ReferenceID
		}
		return []any{
			e.ID, e.ClientID, e.ClientName, e.Currency, e.ProjectID, e.ProjectName, e.TaskID, e.TaskName,
			e.SpentDate.Time(), int32(e.Hours), minuteOfDay(e.StartedTime), minuteOfDay(e.EndedTime), e.Notes, e.IsLocked, e.LockedReason, e.ApprovalStatus, e.IsBilled,
			e.IsRunning, instantOrNull(e.TimerStartedAt), int32(e.TimerBefore), e.Billable, reference, e.CreatedAt, e.UpdatedAt,
		}, nil
	})
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"staged_entries"}, stagedColumns, source); err != nil {
		return 0, err
	}
	var batch pgx.Batch
	names := []string{stageClients, stageProjects, stageTasks}
	if known.all(entries) {
		names = nil
	}
	for _, statement := range append(names, stageMerge) {
		batch.Queue(statement, userID)
	}
	results := tx.SendBatch(ctx, &batch)
	for range names {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // the first error says more
			return 0, err
		}
	}
	tag, err := results.Exec()
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return int(tag.RowsAffected()), err
}

// saveAssignments makes the given assignments the user's active ones.
func (tx *Tx) saveAssignments(ctx context.Context, userID int64, assignments []ledger.Assignment) error {
	if err := tx.q.AssignmentsRetire(ctx, userID); err != nil {
		return err
	}
	if err := tx.q.ConnectionAssignmentsRead(ctx, userID); err != nil {
		return err
	}
	clients, projects, tasks := map[int64]int64{}, map[int64]int64{}, map[int64]int64{}
	for _, a := range assignments {
		var err error
		if _, ok := clients[a.ClientID]; !ok {
			clients[a.ClientID], err = tx.q.ClientSave(ctx, dbgen.ClientSaveParams{UserID: userID, HarvestID: &a.ClientID, Name: a.ClientName, Currency: a.Currency})
			if err != nil {
				return err
			}
		}
		if _, ok := projects[a.ProjectID]; !ok {
			projects[a.ProjectID], err = tx.q.ProjectSave(ctx, dbgen.ProjectSaveParams{
				UserID: userID, ClientID: clients[a.ClientID], HarvestID: &a.ProjectID, Name: a.ProjectName, Code: a.ProjectCode,
			})
			if err != nil {
				return err
			}
		}
		if _, ok := tasks[a.TaskID]; !ok {
			tasks[a.TaskID], err = tx.q.TaskSave(ctx, dbgen.TaskSaveParams{UserID: userID, HarvestID: &a.TaskID, Name: a.TaskName})
			if err != nil {
				return err
			}
		}
		var rate *string
		if a.HourlyRate != "" {
			rate = &a.HourlyRate
		}
		err = tx.q.AssignmentSave(ctx, dbgen.AssignmentSaveParams{
			UserID: userID, ProjectID: projects[a.ProjectID], TaskID: tasks[a.TaskID], Billable: a.Billable, HourlyRate: rate,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// knownEntries returns Harvest's ids of the user's mirrored entries in a window.
func (s *Store) knownEntries(ctx context.Context, userID int64, window ledger.Window) ([]int64, error) {
	return s.q.EntriesKnown(ctx, dbgen.EntriesKnownParams{UserID: userID, FirstDay: window.From, LastDay: window.To})
}

// markGone marks entries of the user as deleted in Harvest.
func (tx *Tx) markGone(ctx context.Context, userID int64, ids []int64) (int, error) {
	n, err := tx.q.EntriesMarkGone(ctx, dbgen.EntriesMarkGoneParams{UserID: userID, Ids: ids})
	if err != nil {
		return 0, fmt.Errorf("mark entries of user %d as gone: %w", userID, err)
	}
	return int(n), nil
}

// windowBefore and windowAfter are how many days around today every pull lists
// anew, to see what was deleted in Harvest.
const (
	windowBefore = 5 * planner.DaysInWeek
	windowAfter  = 2 * planner.DaysInWeek
)
