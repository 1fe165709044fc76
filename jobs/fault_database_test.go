package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// number is what a query counts.
func (b *bench) number(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	if err := b.pool.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *bench) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// insertJob puts a job into the queue of pushes, as a process would that tells
// nobody about it.
func (b *bench) insertJob(t *testing.T, kind, args string) int64 {
	t.Helper()
	var id int64
	err := b.pool.QueryRow(t.Context(), `insert into river_job (kind, args, queue, state, max_attempts, priority)
		values ($1, $2, 'push', 'available', 10, 1) returning id`, kind, args).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// struck waits until a fault has met its call.
func (b *bench) struck(t *testing.T) {
	t.Helper()
	waitFor(t, "a call that meets the fault", func() bool {
		for _, f := range b.sandbox.Faults(t) {
			if f.Struck > 0 {
				return true
			}
		}
		return false
	})
}

// A process that is told to stop ends the call that it is at, takes no other
// write, and leaves the rest as it was. No attempt is used up.
func TestFault42_Stop(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	for i := range 4 {
		b.plan(t, b.cell(i, 1), 60, "before the stop")
	}
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultDelay, 1, func(f *sandboxtest.Fault) { f.DelayMS = 1000 })
	stop := b.run(t, b.work())
	b.confirm(t, nil)
	b.struck(t)
	began := time.Now()
	stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	if n := b.posts(t); n != 1 {
		t.Errorf("%d creates left the process, want the one that was under way", n)
	}
	states := map[ledger.State]int{}
	for _, w := range b.writes(t) {
		states[w.State]++
	}
	if states[ledger.Done] != 1 || states[ledger.Pending] != 3 {
		t.Errorf("it left %v", states)
	}
	b.noAttemptUsed(t)

	b.run(t, b.work())
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	if n := b.posts(t); n != 4 {
		t.Errorf("%d creates", n)
	}
}

// newerArgs are of a kind that only a newer version knows.
type newerArgs struct {
	Hint string `json:"hint"`
}

func (newerArgs) Kind() string { return "harvest_newer" }

// Two versions run side by side. What only the newer one knows waits for it; and
// what it adds to arguments and payloads is no hindrance to the older one.
func TestFault47_TwoVersions(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	newer := b.insertJob(t, newerArgs{}.Kind(), `{"hint": "for the next version"}`)
	b.plan(t, b.cell(0, 1), 75, "Grid and type")
	b.confirm(t, nil)
	b.exec(t, "delete from river_job where kind = $1", jobs.PushArgs{}.Kind())
	b.exec(t, `update writes set payload = payload || '{"color": {"of": "the newer version"}}'`)
	args := b.insertJob(t, jobs.PushArgs{}.Kind(), fmt.Sprintf(`{"connection_id": %d, "since": "2027"}`, b.connectionID))
	b.run(t, b.work())
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	waitFor(t, "the job with more arguments", func() bool {
		return b.number(t, "select count(*) from river_job where id = $1 and state = 'completed'", args) == 1
	})
	if b.number(t, "select count(*) from river_job where id = $1 and state = 'available' and attempt = 0 and errors is null", newer) != 1 {
		t.Error("the older version has touched a job of the newer one")
	}

	// The newer version comes.
	worked := make(chan string, 1)
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(_ context.Context, job *river.Job[newerArgs]) error {
		worked <- job.Args.Hint
		return nil
	}))
	client, err := river.NewClient(riverpgxv5.New(b.pool), &river.Config{
		Workers: workers, Queues: map[string]river.QueueConfig{"push": {MaxWorkers: 1}}, FetchOnlyKnownKinds: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	select {
	case hint := <-worked:
		if hint != "for the next version" {
			t.Errorf("hint %q", hint)
		}
	case <-time.After(10 * time.Second):
		t.Error("the newer version does not find its job")
	}
}

// While Harvest takes its time, no transaction is open: nothing waits for it
// but the job.
func TestFault56_NoTransactionAcrossCalls(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		pull         bool
	}{
		{"a look", http.MethodGet, false},
		{"a create", http.MethodPost, false},
		{"a page of a pull", http.MethodGet, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{gate: true})
			const delay = 1700 * time.Millisecond
			b.fault(t, tt.method, entriesPath, sandbox.FaultDelay, 1, func(f *sandboxtest.Fault) { f.DelayMS = int(delay.Milliseconds()) })
			b.run(t, b.work())
			if tt.pull {
				b.startRun(t)
			} else {
				b.plan(t, b.cell(0, 1), 75, "Grid and type")
				b.confirm(t, nil)
			}
			b.struck(t)
			// A young one is somebody else's; one that was open when the call began is as old as it.
			for began := time.Now(); time.Since(began) < delay*9/10; time.Sleep(10 * time.Millisecond) {
				n := b.number(t, `select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
					and clock_timestamp() - xact_start > interval '1 s'`)
				if n > 0 {
					t.Fatalf("%d transactions are open during the call", n)
				}
			}
			b.jobsEnd(t)
			b.settled(t, ledger.Done)
		})
	}
}

// Nobody hears of a job: the notification is lost. It is found by looking.
func TestFault57_NotifyLost(t *testing.T) {
	t.Parallel()
	for _, listener := range []string{"silent", "cut off"} {
		t.Run(listener, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			work := b.work()
			work.Sweep = time.Hour
			b.run(t, work)
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			b.confirm(t, nil)
			b.settled(t, ledger.Done) // it runs
			b.plan(t, b.cell(1, 1), 75, "Grid and type")
			began := time.Now()
			if listener == "silent" {
				err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
					_, err := b.push(t.Context(), tx, b.bell, b.userID, b.week, "without a bell", nil)
					if err == nil {
						_, err = tx.Exec(t.Context(), "delete from river_job where state = 'available'")
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				began = time.Now()
				b.insertJob(t, jobs.PushArgs{}.Kind(), fmt.Sprintf(`{"connection_id": %d}`, b.connectionID))
			} else {
				waitFor(t, "a listener to cut off", func() bool {
					return b.number(t, `select count(pg_terminate_backend(pid)) from pg_stat_activity
						where datname = current_database() and state = 'idle' and (query ilike 'listen %' or query = '-- ping')`) > 0
				}) // it asks now and then whether it is still connected, and so do those of a pool

				b.confirm(t, nil)
			}
			b.settled(t, ledger.Done)
			took := time.Since(began)
			if took > 5*time.Second { // looked for each second; the rest is for a busy machine
				t.Errorf("the job was found after %s", took)
			}
			b.exactlyAsPlanned(t)
		})
	}
}

// The clock of the process is off by minutes. The database's counts: a lease is
// a lease, a silence that Harvest asked for is kept, and when it is over the
// write goes on; the queue neither sleeps for minutes nor runs in circles.
func TestFault58_ClockSkew(t *testing.T) {
	t.Parallel()
	for name, skew := range map[string]time.Duration{"ahead": 5 * time.Minute, "behind": -5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{gate: true})
			const silence = 5 * time.Second
			b.fault(t, http.MethodPost, entriesPath, sandbox.FaultStatus, 1, func(f *sandboxtest.Fault) {
				f.Status, f.RetryAfter = http.StatusTooManyRequests, int(silence.Seconds())
			})
			var starts atomic.Int64
			work := b.work()
			work.Now = func() time.Time { return time.Now().Add(skew) }
			work.Sweep = 2 * time.Second
			work.Store = countedStore{work.Store, &starts}
			said := &logged{}
			pool, err := db.Open(t.Context(), b.url, 12)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			queue, err := jobs.New(pool, work, slog.New(slog.NewTextHandler(said, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if err := queue.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := queue.Stop(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			b.confirm(t, nil)
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
			var posts []time.Time
			for _, r := range b.sandbox.Requests(t) {
				if r.Method == http.MethodPost {
					posts = append(posts, r.Time)
				}
			}
			if len(posts) != 2 {
				t.Fatalf("%d creates", len(posts))
			}
			if pause := posts[1].Sub(posts[0]); pause < silence || pause > 3*silence {
				t.Errorf("the second create came %s after the first, asked for were %s", pause, silence)
			}
			// Once to be refused, once when its time has come, and the sweep may ring as well. A job that finds its time come
			// again and again starts each second.
			if n := starts.Load(); n > 4 {
				t.Errorf("jobs were started %d times", n)
			}
			if !said.holds("keep both by NTP") {
				t.Error("nobody was told that the clocks differ")
			}
		})
	}
}

// countedStore counts the jobs that ask for a lease.
type countedStore struct {
	jobs.Store

	asked *atomic.Int64
}

func (s countedStore) TakeOutbox(ctx context.Context, connectionID int64, term time.Duration, cellURL func(planner.Date) string) (ledger.LeasedOutbox, bool, error) {
	s.asked.Add(1)
	return s.Store.TakeOutbox(ctx, connectionID, term, cellURL)
}
