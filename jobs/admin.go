package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"furrow/planner"
)

// Record is a job as admins see it.
type Record struct {
	ID          int64
	Kind        string
	Queue       string
	State       string
	Args        string // JSON; ids only
	Attempt     int
	MaxAttempts int
	CreatedAt   time.Time
	ScheduledAt time.Time
	AttemptedAt time.Time // when the latest run began; zero if there was none
	FinishedAt  time.Time // zero if it is not over
	Errors      []RecordError
	Snoozes     int    // runs that ended with waiting, which is no failure
	Rescues     int    // runs of which the process died
	Request     string // id of the request that asked for it; empty: nobody did
}

// RecordError is one failed run of a job.
type RecordError struct {
	At      time.Time
	Attempt int
	Text    string
}

// Over reports whether the job will not run any more by itself.
func (r Record) Over() bool { return !r.FinishedAt.IsZero() }

// Retryable reports whether a retry makes sense: the job waits, or has ended
// badly. A completed or running job would only be done twice.
func (r Record) Retryable() bool { return RetryJob.may(rivertype.JobState(r.State)) }

// Cancellable reports whether the job may be told to stop, or not to begin.
func (r Record) Cancellable() bool { return CancelJob.may(rivertype.JobState(r.State)) }

// Action is what an operator does to jobs.
type Action string

// The actions.
const (
	RetryJob  Action = "retry"
	CancelJob Action = "cancel"
)

// States are those in which the action makes sense, in the order of their life.
func (a Action) States() []string {
	var states []string
	for _, s := range rivertype.JobStates() {
		if a.may(s) {
			states = append(states, string(s))
		}
	}
	return states
}

func (a Action) may(state rivertype.JobState) bool {
	switch state {
	case rivertype.JobStateRetryable, rivertype.JobStateScheduled:
		return true
	case rivertype.JobStateCancelled, rivertype.JobStateDiscarded:
		return a == RetryJob
	case rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning:
		return a == CancelJob
	default:
		return false
	}
}

// RefusedError says that an action on a job makes no sense. It is a
// [planner.ErrConflict].
type RefusedError struct {
	State string // of the job
	Twin  bool   // its state allows it, but there is another one of its kind that must be alone
}

func (e *RefusedError) Error() string {
	if e.Twin {
		return "the job has a live twin"
	}
	return "the job is " + e.State
}

// Unwrap implements the interface of package errors.
func (e *RefusedError) Unwrap() error { return planner.ErrConflict }

// States are the states that jobs are listed by, in the order of their life.
func States() []string {
	var states []string
	for _, s := range rivertype.JobStates() {
		states = append(states, string(s))
	}
	return states
}

// Filter chooses jobs. Zero fields do not filter.
type Filter struct {
	State      string // one of States
	Kind       string
	Queue      string
	ID         int64
	Connection int64 // that it is for
	Run        int64 // sync run that it is for
	UpTo       int64 // highest id
	Before     int64 // only ids below
	Most       int   // 1 to 1000; 0: 50
}

const (
	pageOfJobs = 50
	mostJobs   = 1000
	scanDepth  = 5000 // jobs of a state and a kind that are looked through
)

func (f Filter) check() error {
	if f.State != "" && !slices.Contains(States(), f.State) {
		return fmt.Errorf("jobs in state %q: %w", f.State, planner.ErrNotFound)
	}
	return nil
}

// args are what arguments must hold; empty for any.
func (f Filter) args() string {
	switch {
	case f.Connection != 0:
		return fmt.Sprintf(`{"connection_id": %d}`, f.Connection)
	case f.Run != 0:
		return fmt.Sprintf(`{"sync_run_id": %d}`, f.Run)
	default:
		return ""
	}
}

const walks = "unnest(@states::text[]) st(state) cross join unnest(@kinds::text[]) k(kind)"

const ordered = " order by j.state desc, j.id desc"

// upTo is the highest id that matches, and above one below the lowest.
func (f Filter) upTo() int64 {
	highest := int64(math.MaxInt64)
	for _, bound := range []int64{f.ID, f.UpTo, f.Before - 1} {
		if bound > 0 {
			highest = min(highest, bound)
		}
	}
	return highest
}

func (f Filter) above() int64 { return max(f.ID-1, 0) }

// querier is the pool, or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// scan is the filter as SQL: for each state and kind one walk along the index
// over both, newest first, which ends after a while whatever is asked of what it
// meets. Only arguments have an index of their own. River's list knows no such
// thing, and would go through a million jobs for one that is not there.
type scan struct {
	args  pgx.NamedArgs
	walk  string // what a walk reads, but its end
	match string // what of that counts
}

func (q *Queue) scan(ctx context.Context, conn querier, f Filter, states []string) (*scan, error) {
	kinds := []string{f.Kind}
	if f.Kind == "" {
		var err error
		if kinds, err = q.kinds(ctx, conn); err != nil {
			return nil, err
		}
	}
	s := &scan{
		args:  pgx.NamedArgs{"states": states, "kinds": kinds, "depth": scanDepth},
		match: "true",
	}
	s.args["above"], s.args["up_to"] = f.above(), f.upTo()
	// Two places in the index. By the name of the state, the index of ids alone would
	// do as well, and be tried with a state that nothing is in.
	s.walk = "river_job j where j.kind = k.kind and (j.state, j.id) > (st.state::river_job_state, @above::bigint)" +
		" and (j.state, j.id) <= (st.state::river_job_state, @up_to::bigint)" + ordered
	if f.Queue != "" {
		s.args["queue"], s.match = f.Queue, "j.queue = @queue"
	}
	return s, nil
}

// query asks for something of each walk, of which walked is what matches.
func (s *scan) query(ctx context.Context, conn querier, sql string) (pgx.Rows, error) {
	sql += " from " + walks + ` cross join lateral (
	select array(select j.id from (select j.* from ` + s.walk + ` limit @depth) j
		where ` + s.match + ordered + ` limit @most) as ids offset 0) found`
	return conn.Query(ctx, sql, pgx.QueryExecModeCacheDescribe, s.args)
}

// unread is the first job that a walk did not get to, if that is why it has found few.
func (s *scan) unread() string {
	return "case when cardinality(found.ids) < @most then (select j.id from " + s.walk + " offset @depth limit 1) end"
}

// ids are at most most ids that match, newest first. The next page lies below
// next; 0: there is none.
func (q *Queue) ids(ctx context.Context, conn querier, f Filter, states []string, most int) (ids []int64, next int64, err error) {
	if f.args() != "" {
		return idsHolding(ctx, conn, f, states, most)
	}
	s, err := q.scan(ctx, conn, f, states)
	if err != nil {
		return nil, 0, err
	}
	s.args["most"] = most + 1
	rows, err := s.query(ctx, conn, "select found.ids, "+s.unread())
	if err != nil {
		return nil, 0, err
	}
	var some []int64
	var unread *int64
	_, err = pgx.ForEachRow(rows, []any{&some, &unread}, func() error {
		ids = append(ids, some...)
		if unread != nil {
			next = max(next, *unread+1)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(ids, func(a, b int64) int { return int(b - a) })
	ids = slices.DeleteFunc(ids, func(id int64) bool { return id < next }) // beyond it, some may be missing
	if len(ids) > most {
		ids = ids[:most]
		next = ids[most-1]
	}
	return ids, next, nil
}

// holding are the jobs that are for something: arguments have an index of their
// own, in no order, so that all of them are read. They are the jobs of a day.
const holding = "with held as materialized (select id, state, kind, queue from river_job where args @> @args::jsonb) "

func (f Filter) held(states []string) pgx.NamedArgs {
	return pgx.NamedArgs{"args": f.args(), "states": states, "kind": f.Kind, "queue": f.Queue, "above": f.above(), "up_to": f.upTo()}
}

const heldMatch = ` from held where state = any(@states::text[]::river_job_state[]) and id > @above and id <= @up_to
	and (@kind = '' or kind = @kind) and (@queue = '' or queue = @queue) `

func idsHolding(ctx context.Context, conn querier, f Filter, states []string, most int) (ids []int64, next int64, err error) {
	args := f.held(states)
	args["most"] = most + 1
	rows, err := conn.Query(ctx, holding+"select id"+heldMatch+"order by id desc limit @most", pgx.QueryExecModeCacheDescribe, args)
	if err != nil {
		return nil, 0, err
	}
	ids, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	if err == nil && len(ids) > most {
		ids = ids[:most]
		next = ids[most-1]
	}
	return ids, next, err
}

// Page are jobs, newest first. Further ones lie below Next; 0: there are none. A
// page may hold fewer than there are, and has a next one then.
type Page struct {
	Jobs []Record
	Next int64
}

// Page returns the newest jobs that match. An unknown state gives
// [planner.ErrNotFound].
func (q *Queue) Page(ctx context.Context, f Filter) (Page, error) {
	if err := f.check(); err != nil {
		return Page{}, err
	}
	most := min(f.Most, mostJobs)
	if most <= 0 {
		most = pageOfJobs
	}
	states := States()
	if f.State != "" {
		states = []string{f.State}
	}
	ids, next, err := q.ids(ctx, q.pool, f, states, most)
	if err != nil {
		return Page{}, fmt.Errorf("find jobs: %w", err)
	}
	page := Page{Jobs: make([]Record, 0, len(ids)), Next: next}
	if len(ids) == 0 {
		return page, nil
	}
	list, err := q.river.JobList(ctx, river.NewJobListParams().IDs(ids...).First(len(ids)).OrderBy(river.JobListOrderByID, river.SortOrderDesc))
	if err != nil {
		return Page{}, fmt.Errorf("list jobs: %w", err)
	}
	for _, job := range list.Jobs {
		page.Jobs = append(page.Jobs, record(job))
	}
	return page, nil
}

func record(job *rivertype.JobRow) Record {
	r := Record{
		ID: job.ID, Kind: job.Kind, Queue: job.Queue, State: string(job.State), Args: string(job.EncodedArgs),
		Attempt: job.Attempt, MaxAttempts: job.MaxAttempts, CreatedAt: job.CreatedAt, ScheduledAt: job.ScheduledAt,
	}
	if job.AttemptedAt != nil {
		r.AttemptedAt = *job.AttemptedAt
	}
	if job.FinalizedAt != nil {
		r.FinishedAt = *job.FinalizedAt
	}
	var known struct {
		traced

		Snoozes int `json:"snoozes"`
		Rescues int `json:"river:rescue_count"`
	}
	_ = json.Unmarshal(job.Metadata, &known) // of a version to come; then nothing of it is told
	r.Snoozes, r.Rescues, r.Request = known.Snoozes, known.Rescues, known.Request
	for i := len(job.Errors) - 1; i >= 0; i-- {
		r.Errors = append(r.Errors, RecordError{At: job.Errors[i].At, Attempt: job.Errors[i].Attempt, Text: job.Errors[i].Error})
	}
	return r
}

// Kinds are the kinds of the jobs there are.
func (q *Queue) Kinds(ctx context.Context) ([]string, error) { return q.kinds(ctx, q.pool) }

func (q *Queue) kinds(ctx context.Context, conn querier) ([]string, error) {
	// From each kind to the next one, by the index.
	rows, err := conn.Query(ctx, `
with recursive kinds as (
	(select kind from river_job order by kind limit 1)
	union all
	select (select j.kind from river_job j where j.kind > k.kind order by j.kind limit 1) from kinds k where k.kind is not null
)
select kind from kinds where kind is not null`)
	if err != nil {
		return nil, fmt.Errorf("list kinds of jobs: %w", err)
	}
	kinds, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list kinds of jobs: %w", err)
	}
	return kinds, nil
}

// Queues are the names of the queues that jobs may be in.
func Queues() []string { return []string{queuePush, queuePull, queueNotices, queueUpkeep} }

// Count is a number that was counted no further than need be.
type Count struct {
	N    int
	More bool // there are, or may be, more
}

// Count counts the jobs that match by state, each no further than a thousand.
// The filter's own state, and where its page begins, count for nothing.
func (q *Queue) Count(ctx context.Context, f Filter) (map[string]Count, error) {
	f.Before = 0
	counts := map[string]Count{}
	rows, err := q.countRows(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	var state string
	var n int
	var more bool
	_, err = pgx.ForEachRow(rows, []any{&state, &n, &more}, func() error {
		c := counts[state]
		c.N += n
		c.More = c.More || more || c.N > mostJobs
		c.N = min(c.N, mostJobs)
		counts[state] = c
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	return counts, nil
}

func (q *Queue) countRows(ctx context.Context, f Filter) (pgx.Rows, error) {
	if f.args() != "" {
		return q.pool.Query(ctx, holding+"select state::text, count(*), false"+heldMatch+"group by state", pgx.QueryExecModeCacheDescribe, f.held(States()))
	}
	s, err := q.scan(ctx, q.pool, f, States())
	if err != nil {
		return nil, err
	}
	s.args["most"] = mostJobs + 1
	return s.query(ctx, q.pool, "select st.state, cardinality(found.ids), ("+s.unread()+") is not null")
}

// Act does an action to one job. [planner.ErrNotFound]: there is none of that id;
// [*RefusedError]: it makes no sense.
func (q *Queue) Act(ctx context.Context, tx pgx.Tx, a Action, id int64) error {
	job, err := q.river.JobGetTx(ctx, tx, id)
	if errors.Is(err, rivertype.ErrNotFound) {
		err = planner.ErrNotFound
	}
	if err == nil && !a.may(job.State) {
		err = &RefusedError{State: string(job.State)}
	}
	if err == nil {
		err = q.act(ctx, tx, a, job)
	}
	if err != nil {
		return fmt.Errorf("%s job %d: %w", a, id, err)
	}
	return nil
}

// act does it in a savepoint: a unique job that has a live twin breaks the
// transaction otherwise.
func (q *Queue) act(ctx context.Context, tx pgx.Tx, a Action, job *rivertype.JobRow) error {
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	if a == RetryJob {
		_, err = q.river.JobRetryTx(ctx, savepoint, job.ID)
	} else {
		_, err = q.river.JobCancelTx(ctx, savepoint, job.ID)
	}
	if err != nil {
		err = errors.Join(err, savepoint.Rollback(context.WithoutCancel(ctx)))
	} else {
		err = savepoint.Commit(ctx)
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "23505" {
		return &RefusedError{State: string(job.State), Twin: true}
	}
	return err
}

// Preview counts, by state, the jobs that match and that the action makes sense
// for, each one; and the highest id there is.
func (q *Queue) Preview(ctx context.Context, a Action, f Filter) (can map[string]int, upTo int64, err error) {
	if err := f.check(); err != nil {
		return nil, 0, err
	}
	if err := q.pool.QueryRow(ctx, "select coalesce(max(id), 0) from river_job").Scan(&upTo); err != nil {
		return nil, 0, fmt.Errorf("preview: %w", err)
	}
	f.UpTo, f.Before = upTo, 0
	rows, err := q.previewRows(ctx, f, a.among(f.State))
	if err != nil {
		return nil, 0, fmt.Errorf("preview: %w", err)
	}
	can = map[string]int{}
	var state string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&state, &n}, func() error {
		can[state] += n
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("preview: %w", err)
	}
	return can, upTo, nil
}

func (q *Queue) previewRows(ctx context.Context, f Filter, states []string) (pgx.Rows, error) {
	if f.args() != "" {
		return q.pool.Query(ctx, holding+"select state::text, count(*)"+heldMatch+"group by state", pgx.QueryExecModeCacheDescribe, f.held(states))
	}
	s, err := q.scan(ctx, q.pool, f, states)
	if err != nil {
		return nil, err
	}
	return q.pool.Query(ctx, "select st.state, c.n from "+walks+" cross join lateral (select count(*) as n from (select j.* from "+s.walk+") j where "+s.match+") c where c.n > 0",
		pgx.QueryExecModeCacheDescribe, s.args)
}

// among are the states that the action makes sense in, of those that a filter chooses.
func (a Action) among(state string) []string {
	if state == "" {
		return a.States()
	}
	if slices.Contains(a.States(), state) {
		return []string{state}
	}
	return []string{}
}

// ActAll does an action to at most most jobs that match, newest first, and
// returns their ids, and how many were left alone because each has a live twin.
// More of them lie below next, if it is not 0.
func (q *Queue) ActAll(ctx context.Context, tx pgx.Tx, a Action, f Filter, most int) (acted []int64, twins int, next int64, err error) {
	if err := f.check(); err != nil {
		return nil, 0, 0, err
	}
	ids, next, err := q.ids(ctx, tx, f, a.among(f.State), most)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("find jobs to %s: %w", a, err)
	}
	for _, id := range ids {
		err := q.Act(ctx, tx, a, id)
		var refused *RefusedError
		switch {
		case errors.As(err, &refused) && refused.Twin:
			twins++
		case errors.Is(err, planner.ErrConflict), errors.Is(err, planner.ErrNotFound): // it went on meanwhile
		case err != nil:
			return nil, 0, 0, err
		default:
			acted = append(acted, id)
		}
	}
	return acted, twins, next, nil
}
