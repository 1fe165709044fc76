package jobs_test

import (
	"errors"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// pause has the connection paused for term.
func (b *bench) pause(t *testing.T, term time.Duration) (until time.Time) {
	t.Helper()
	err := b.store.InTx(t.Context(), func(tx *db.Tx) (err error) {
		until, err = tx.PauseConnection(t.Context(), b.userID, b.connectionID, term, "a test")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return until
}

// swept waits until a sweep has ended that began after now.
func (b *bench) swept(t *testing.T) {
	t.Helper()
	now, err := b.store.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a sweep", func() bool {
		list, err := b.store.Schedules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.Name == jobs.ScheduleSweep && s.Started.After(now) && s.Error == "" {
				return true
			}
		}
		return false
	})
}

// idle waits until a sweep has looked for work and no job is left to run.
func (b *bench) idle(t *testing.T) {
	t.Helper()
	b.swept(t)
	waitFor(t, "no job to run", func() bool {
		var n int
		if err := b.pool.QueryRow(t.Context(), "select count(*) from river_job where state in ('available', 'running')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

// While an operator has a connection paused, nothing is asked of Harvest for it,
// pushes are kept, and others are served. Resumed, it sends what waited.
func TestPauseConnection(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	jonas := b.colleague(t)
	b.sandbox.ForgetRequests(t)
	b.pause(t, time.Hour)
	b.run(t, b.work())
	b.plan(t, b.cell(0, 1), 75, "kept")
	b.confirm(t, nil)
	jonas.plan(t, jonas.cell(0, 1), 30, "his")
	jonas.confirm(t, nil)
	jonas.settled(t, ledger.Done)
	b.idle(t)
	if w := b.last(t); w.State != ledger.Pending || w.Pause.Reason != "a test" || w.Pause.Until.IsZero() || len(w.Attempts) != 0 {
		t.Errorf("the write of a paused connection: %s, %+v, %s", w.State, w.Pause, story(w))
	}
	if ids, err := b.store.ConnectionsWithDueWrites(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("due are %v, %v", ids, err)
	}
	if users, err := b.store.UsersWithOldPull(t.Context(), 0); err != nil || len(users) != 1 || users[0] != jonas.userID {
		t.Errorf("to be pulled are %v, %v", users, err)
	}
	if age, _, err := b.store.OldestUnsent(t.Context()); err != nil || age != 0 {
		t.Errorf("what is paused counts as unsent for %v, %v", age, err)
	}
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		if err := tx.ResumeConnection(t.Context(), b.connectionID); err != nil {
			return err
		}
		return b.bell.Push(t.Context(), tx, b.connectionID)
	})
	if err != nil {
		t.Fatal(err)
	}
	b.settled(t, ledger.Done)
	if w := b.last(t); !w.Pause.Until.IsZero() {
		t.Errorf("still paused: %+v", w.Pause)
	}
	err = b.store.InTx(t.Context(), func(tx *db.Tx) error { return tx.ResumeConnection(t.Context(), b.connectionID) })
	if !errors.Is(err, planner.ErrConflict) {
		t.Errorf("resumed twice: %v", err)
	}
}

// A pause ends by itself, also for a sync that was asked for meanwhile.
func TestPauseEnds(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	until := b.pause(t, time.Second)
	b.run(t, b.work())
	b.plan(t, b.cell(0, 1), 75, "kept")
	b.confirm(t, nil)
	run := b.startRun(t)
	b.settled(t, ledger.Done)
	status := b.runEnds(t, run)
	if w := b.last(t); w.Attempts[0].At.Before(until) || status.State != ledger.RunDone || status.FinishedAt.Before(until) {
		t.Errorf("paused until %s: tried %s; the sync is %s at %s", until, w.Attempts[0].At, status.State, status.FinishedAt)
	}
}

// A call that is under way when the pause begins is waited for, and nothing is
// in doubt after it; what comes behind it waits.
func TestPauseWhileSending(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.fault(t, "POST", entriesPath, "delay", 1, func(f *sandboxtest.Fault) { f.DelayMS = 700 })
	b.run(t, b.work())
	b.plan(t, b.cell(0, 1), 75, "first")
	b.plan(t, b.cell(0, 2), 30, "second")
	b.confirm(t, nil)
	waitFor(t, "the first call", func() bool { return b.writes(t)[0].State == ledger.Sending })
	b.pause(t, time.Hour)
	waitFor(t, "the first write", func() bool { return b.writes(t)[0].State.Finished() })
	b.idle(t)
	list := b.writes(t)
	if list[0].State != ledger.Done || list[0].Sendings != 1 || list[1].State != ledger.Pending {
		b.tell(t, list)
		t.Error("want the first one in Harvest and the second one waiting")
	}
}

// A queue that is paused stays so for processes that start later, and goes on
// when the time is over.
func TestPauseQueue(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	stop := b.run(t, b.work())
	b.swept(t) // the queue is known once it has run
	act := func(f func(tx *db.Tx) error) error {
		return b.store.InTx(t.Context(), f)
	}
	if err := act(func(tx *db.Tx) error { return b.bell.Pause(t.Context(), tx, "nothing") }); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("an unknown queue: %v", err)
	}
	err := act(func(tx *db.Tx) error {
		if _, err := tx.PauseQueue(t.Context(), b.userID, "push", time.Hour, "a test"); err != nil {
			return err
		}
		return b.bell.Pause(t.Context(), tx, "push")
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	b.run(t, b.work())
	b.plan(t, b.cell(0, 1), 75, "kept")
	b.confirm(t, nil)
	b.swept(t)
	b.swept(t)
	var status jobs.QueueStatus
	err = act(func(tx *db.Tx) error {
		list, err := b.bell.Status(t.Context(), tx)
		for _, s := range list {
			if s.Queue == "push" {
				status = s
			}
		}
		return err
	})
	if err != nil || !status.Paused || status.Due == 0 || status.Running != 0 || status.Oldest <= 0 || status.Workers == 0 {
		t.Errorf("the queue stands at %+v, %v", status, err)
	}
	if w := b.last(t); w.State != ledger.Pending {
		t.Errorf("the write is %s, want it to wait for the queue", w.State)
	}
	if _, err := b.pool.Exec(t.Context(), "update queue_pauses set paused_until = now()"); err != nil {
		t.Fatal(err)
	}
	b.settled(t, ledger.Done)
	if pauses, err := b.store.QueuePauses(t.Context()); err != nil || len(pauses) != 0 {
		t.Errorf("pauses %v, %v", pauses, err)
	}
	events, err := b.store.AuditEvents(t.Context(), db.AuditFilter{Action: "queues.resume", Most: 10})
	if err != nil || len(events) != 1 || events[0].Actor != "furrow" || events[0].Subject != "queue push" {
		t.Errorf("audited: %+v, %v", events, err)
	}
}
