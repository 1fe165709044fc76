// Package jobs is the queue: what can be enqueued, the workers, the sweeper,
// and the list and retry of jobs for admins. Nothing outside of it knows River,
// apart from its migrations.
//
// A job is only a doorbell. What is to be done, and what has been, is in the
// store; a job that is lost, run twice or stopped half-way costs time and
// nothing else.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/planner"
)

// Store is what the workers need of the store.
type Store interface {
	TakeOutbox(ctx context.Context, connectionID int64, term time.Duration, cellURL func(planner.Date) string) (ledger.LeasedOutbox, bool, error)
	Run(ctx context.Context, runID int64, now time.Time) (ledger.Run, error)
	Mirror(run ledger.Run) ledger.Mirror
	ReviveRun(ctx context.Context, runID int64) (revived bool, err error)
	DelayRun(ctx context.Context, runID int64, wait time.Duration, reason string, status int) error
	FailRun(ctx context.Context, runID int64, reason string, status int) error
	LiveRuns(ctx context.Context, age time.Duration) ([]int64, error)
	RevokeConnection(ctx context.Context, connectionID int64) error
	ConnectionsWithDueWrites(ctx context.Context) ([]int64, error)
	UsersWithOldPull(ctx context.Context, age time.Duration) ([]int64, error)
	UsersWithShortRecurrences(ctx context.Context) ([]int64, error)
	ExtendRecurrences(ctx context.Context, userID int64, now time.Time) error
	IssueReset(ctx context.Context, linkID int64, write func(email string, token ledger.Secret) notice.Mail, ring func(tx pgx.Tx, mailID int64) error) error
	EndQueuePauses(ctx context.Context, resume func(ctx context.Context, tx pgx.Tx, queue string) error) error
	RanSchedule(ctx context.Context, name string, every time.Duration, started time.Time, outcome error) error
	Sample(ctx context.Context) error
	Outbound
	Attic
	StepAction(ctx context.Context, orderID int64, ring func(ctx context.Context, tx pgx.Tx, connectionID int64) error) (more bool, err error)
	OpenActions(ctx context.Context, age time.Duration) ([]int64, error)
	Clock(ctx context.Context) (time.Time, error)
}

// Urgency says who waits for a call.
type Urgency bool

// The urgencies. Background calls leave room for those that somebody waits for.
const (
	Interactive Urgency = true
	Background  Urgency = false
)

// Work is what a process that works jobs needs. A process without it only
// enqueues.
type Work struct {
	Store Store
	// Remote opens Harvest for a connection; [ledger.ErrAccessRevoked] if it
	// has no usable credentials.
	Remote func(ctx context.Context, connectionID int64, urgency Urgency) (ledger.Remote, error)
	// StartPull records and enqueues a scheduled sync run of a user.
	StartPull func(ctx context.Context, userID int64) error
	// CellURL is where a user finds a date again.
	CellURL func(planner.Date) string
	// Timing of the drain; the zero value stands for [ledger.DefaultTiming].
	Timing ledger.Timing
	// Sweep is how often due writes without a worker are looked for; 10 s if zero.
	Sweep time.Duration
	// PullAge is the age at which a mirror is refreshed unasked; 15 min if zero.
	PullAge time.Duration
	// Mailer and Poster deliver mails and webhooks; nil: these are left to a
	// process that has one.
	Mailer Mailer
	Poster Poster
	// ResetMail writes the mail that leads to a new password; nil: that is
	// left to a process that does.
	ResetMail func(email string, token ledger.Secret) notice.Mail
	// NoticeRetry is the wait after the first failed attempt to deliver; 15 s if zero.
	NoticeRetry time.Duration
	// PollOnly: the pool's connections do not last, so that nothing can be listened
	// for. New jobs are looked for instead, a few times in a second.
	PollOnly bool
	// Keep is how long what is over is kept.
	Keep Retention
	// Now is the clock of this process; time.Now if nil.
	Now func() time.Time
	// Observer is told what is done; nobody if nil.
	Observer Observer
}

// Observer measures what a process works. Its methods must be quick, and are
// called by many at once.
type Observer interface {
	// Job: a job was run. outcome is "done", "waits" (it is run again later) or
	// "failed"; waited is the time since it was due.
	Job(kind, outcome string, waited, took time.Duration)
	// Attempt: a write was brought on a step.
	Attempt(a ledger.Attempt)
}

type noObserver struct{}

func (noObserver) Job(string, string, time.Duration, time.Duration) {}
func (noObserver) Attempt(ledger.Attempt)                           {}

// Queue enqueues jobs and, where it was given work, works them. It is safe for
// concurrent use.
type Queue struct {
	river   *river.Client[pgx.Tx]
	pool    *pgxpool.Pool
	work    *Work
	clock   *clock
	courier *courier
	log     *slog.Logger

	stopping     atomic.Bool
	stopSweeping context.CancelFunc
	sweeping     sync.WaitGroup
	sampled      time.Time // by this process; for the sweep alone
}

// Times of the queue that must fit together with [ledger.Timing]: a drain's
// slice and one call fit into a job, and a job is over before it is rescued.
const (
	jobTimeout      = 45 * time.Second
	rescueAfter     = 60 * time.Second
	lostAfter       = time.Minute // a run and its job are stored together
	pullSlice       = 15 * time.Second
	softStop        = 12 * time.Second       // longer than a call that changes something, and within what Stop is given
	fetchCooldown   = time.Millisecond       // a click should be at work within milliseconds
	fetchPoll       = 250 * time.Millisecond // where nothing tells of new jobs
	pushWorkers     = 10
	pullWorkers     = 4
	defaultSweep    = 10 * time.Second
	defaultPullAge  = 15 * time.Minute
	defaultRetry    = 15 * time.Second
	noticeWorkers   = 2
	pullFirstWait   = 2 * time.Second
	pullLongestWait = time.Minute
)

// New returns the queue over pool. work is nil in a process that only
// enqueues. The pool should be the queue's own, so that busy pages cannot keep
// jobs from being fetched and finished.
func New(pool *pgxpool.Pool, work *Work, log *slog.Logger) (*Queue, error) {
	cfg := &river.Config{
		Logger:               log,
		FetchCooldown:        fetchCooldown,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: rescueAfter,
		SoftStopTimeout:      softStop,
	}
	q := &Queue{pool: pool, log: log}
	traces := &trace{log: log, observer: noObserver{}}
	cfg.Middleware = []rivertype.Middleware{traces}
	if work != nil {
		w := *work
		if w.Timing == (ledger.Timing{}) {
			w.Timing = ledger.DefaultTiming()
		}
		if w.Sweep == 0 {
			w.Sweep = defaultSweep
		}
		if w.PullAge == 0 {
			w.PullAge = defaultPullAge
		}
		if w.NoticeRetry == 0 {
			w.NoticeRetry = defaultRetry
		}
		if w.Observer == nil {
			w.Observer = noObserver{}
		}
		traces.observer = w.Observer
		if w.Now == nil {
			w.Now = time.Now
		} else {
			cfg.Test.Time = generator(w.Now) // River has the clock of its process, too
		}
		q.work = &w
		q.clock = &clock{now: w.Now, store: w.Store, log: log}
		q.courier = &courier{store: w.Store, mailer: w.Mailer, poster: w.Poster, first: w.NoticeRetry, now: w.Now, log: log}
		workers := river.NewWorkers()
		for _, err := range []error{
			river.AddWorkerSafely(workers, &pushWorker{work: q.work, clock: q.clock, stopping: &q.stopping}),
			river.AddWorkerSafely(workers, &pullWorker{work: q.work, clock: q.clock}),
			river.AddWorkerSafely(workers, &recurWorker{work: q.work}),
			addReset(workers, q.work),
			river.AddWorkerSafely(workers, &cleanWorker{work: q.work, log: log}),
			addCourier(workers, q.courier, q.clock),
			river.AddWorkerSafely(workers, &orderWorker{work: q.work, clock: q.clock}),
		} {
			if err != nil {
				return nil, fmt.Errorf("register workers: %w", err)
			}
		}
		cfg.Workers = workers
		if w.PollOnly {
			cfg.PollOnly, cfg.FetchPollInterval = true, fetchPoll
		}
		// While versions run side by side, the job of a newer one waits for it. Only
		// a job whose process died is not safe from an older leader, which discards
		// what it does not know: what a new kind does must be found again by sweeping.
		cfg.FetchOnlyKnownKinds = true
		cfg.Queues = queues()
		cfg.CompletedJobRetentionPeriod, cfg.CancelledJobRetentionPeriod, cfg.DiscardedJobRetentionPeriod = kept(w.Keep.Jobs), kept(w.Keep.Jobs), kept(w.Keep.Jobs)
		cfg.PeriodicJobs = []*river.PeriodicJob{recurDaily(), cleanDaily()}
	}
	client, err := river.NewClient(riverpgxv5.New(pool), cfg)
	if err != nil {
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	q.river = client
	return q, nil
}

// Push rings for a connection in the caller's transaction.
func (q *Queue) Push(ctx context.Context, tx pgx.Tx, connectionID int64) error {
	if _, err := q.river.InsertTx(ctx, tx, PushArgs{ConnectionID: connectionID}, nil); err != nil {
		return fmt.Errorf("enqueue a push of connection %d: %w", connectionID, err)
	}
	return nil
}

// Pull enqueues a sync run in the transaction that made it.
func (q *Queue) Pull(ctx context.Context, tx pgx.Tx, runID int64) error {
	if _, err := q.river.InsertTx(ctx, tx, PullArgs{SyncRunID: runID}, nil); err != nil {
		return fmt.Errorf("enqueue sync run %d: %w", runID, err)
	}
	return nil
}

// failLostRuns gives up sync runs that no job will bring on any more: its process
// died on the last try, or somebody deleted it. They would keep others from
// starting.
func (q *Queue) failLostRuns(ctx context.Context) error {
	runs, err := q.work.Store.LiveRuns(ctx, lostAfter)
	if err != nil || len(runs) == 0 {
		return err
	}
	list, err := q.river.JobList(ctx, river.NewJobListParams().Kinds(PullArgs{}.Kind()).First(mostJobs).States(
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled))
	if err != nil {
		return fmt.Errorf("list pulls: %w", err)
	}
	worked := map[int64]bool{}
	for _, job := range list.Jobs {
		var args PullArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err != nil {
			return fmt.Errorf("read job %d: %w", job.ID, err)
		}
		worked[args.SyncRunID] = true
	}
	if len(list.Jobs) == mostJobs {
		return nil // there may be more; another time
	}
	for _, id := range runs {
		if !worked[id] {
			q.log.Warn("sync run without a job", "run", id)
			if err := q.work.Store.FailRun(ctx, id, "", 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// Start works jobs until Stop. In a process without work it does nothing.
func (q *Queue) Start(ctx context.Context) error {
	if q.work == nil {
		return nil
	}
	if err := q.clock.compare(ctx); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	// River's context ends its jobs at once; they are to end softly, by Stop.
	if err := q.river.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	sweepCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	q.stopSweeping = cancel
	q.sweeping.Go(func() { q.sweep(sweepCtx) })
	return nil
}

// Alive returns nil while the queue works jobs, or was given none to work.
func (q *Queue) Alive() error {
	if q.work == nil {
		return nil
	}
	select {
	case <-q.river.Stopped():
		return errors.New("the queue has stopped")
	default:
		return nil
	}
}

// Stop lets running jobs end what they are at, then cuts them short; what is left
// of them is for another process, or the next start. It gives up when ctx is over.
func (q *Queue) Stop(ctx context.Context) error {
	if q.work == nil {
		return nil
	}
	q.stopping.Store(true)
	if q.stopSweeping != nil {
		q.stopSweeping()
		q.sweeping.Wait()
	}
	if err := q.river.Stop(ctx); err != nil {
		return fmt.Errorf("stop the queue: %w", err)
	}
	return nil
}

// sweep rings for connections with due writes that nobody works on, starts pulls
// that have grown due, and ends what operators have paused for a time, at once
// and then again and again. Every process sweeps: doing so twice is harmless.
func (q *Queue) sweep(ctx context.Context) {
	for {
		started := q.work.Now()
		err := q.sweepOnce(ctx)
		if err = errors.Join(err, q.work.ran(ctx, ScheduleSweep, q.work.Sweep, started, err)); err != nil && ctx.Err() == nil {
			q.log.Warn("sweep", "error", err)
		}
		jitter := time.Duration(rand.Int64N(int64(q.work.Sweep)/5 + 1))
		select {
		case <-ctx.Done():
			return
		case <-time.After(q.work.Sweep - jitter):
		}
	}
}

func (q *Queue) sweepOnce(ctx context.Context) error {
	if err := q.clock.compare(ctx); err != nil {
		return err
	}
	if err := q.work.Store.EndQueuePauses(ctx, q.resume); err != nil {
		return err
	}
	connections, err := q.work.Store.ConnectionsWithDueWrites(ctx)
	if err != nil {
		return err
	}
	if err := q.ring(ctx, bells(connections, func(id int64) river.JobArgs { return PushArgs{ConnectionID: id} })); err != nil {
		return err
	}
	if err := errors.Join(q.failLostRuns(ctx), q.ringNotices(ctx), q.ringOrders(ctx)); err != nil {
		return err
	}
	return errors.Join(q.startPulls(ctx), q.sample(ctx))
}

// bells are jobs, one for each id.
func bells(ids []int64, args func(id int64) river.JobArgs) []river.InsertManyParams {
	jobs := make([]river.InsertManyParams, len(ids))
	for i, id := range ids {
		jobs[i].Args = args(id)
	}
	return jobs
}

// ring enqueues jobs, all in one round trip.
func (q *Queue) ring(ctx context.Context, jobs []river.InsertManyParams) error {
	if len(jobs) == 0 {
		return nil
	}
	if _, err := q.river.InsertMany(ctx, jobs); err != nil {
		return fmt.Errorf("ring for %d jobs, %s the first: %w", len(jobs), jobs[0].Args.Kind(), err)
	}
	return nil
}

// startPulls starts the pulls that have grown due.
func (q *Queue) startPulls(ctx context.Context) error {
	started := q.work.Now()
	users, err := q.work.Store.UsersWithOldPull(ctx, q.work.PullAge)
	if err != nil || len(users) == 0 {
		return err
	}
	var errs []error
	for _, id := range users {
		errs = append(errs, q.work.StartPull(ctx, id))
	}
	err = errors.Join(errs...)
	return errors.Join(err, q.work.ran(ctx, SchedulePulls, q.work.PullAge, started, err))
}
