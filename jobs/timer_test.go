package jobs_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/ledger"
	"furrow/planner"
)

// today is the first row on today's date in Ida's zone, planned with two hours.
func (b *bench) today(t *testing.T) planner.CellID {
	t.Helper()
	return b.todayOn(t, 0)
}

func (b *bench) todayOn(t *testing.T, row int) planner.CellID {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	today := planner.DateOf(time.Now().In(zone))
	b.week = planner.WeekOf(today, time.Monday)
	cell := planner.CellID{RowID: b.rows[row], Date: today}
	b.plan(t, cell, 120, "prep call")
	return cell
}

// startTimer does what the handler does.
func (b *bench) startTimer(t *testing.T, cell planner.CellID) error {
	t.Helper()
	return b.store.InTx(t.Context(), func(tx *db.Tx) error {
		id, _, err := tx.LockConnection(t.Context(), b.userID)
		if err != nil {
			return err
		}
		plan, err := tx.WeekPlan(t.Context(), b.userID, b.week)
		if err != nil {
			return err
		}
		if err := tx.StartTimer(t.Context(), b.userID, plan, db.TimerStart{Cell: cell, Today: cell.Date, MutationID: rand.Text()}); err != nil {
			return err
		}
		return b.bell.Push(t.Context(), tx, id)
	})
}

func (b *bench) mustStart(t *testing.T, cell planner.CellID) {
	t.Helper()
	if err := b.startTimer(t, cell); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) stopTimer(t *testing.T, cell planner.CellID, want db.StopOutcome) {
	t.Helper()
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		id, state, err := tx.LockConnection(t.Context(), b.userID)
		if err != nil {
			return err
		}
		_, outcome, err := tx.StopTimer(t.Context(), b.userID, ledger.Connection{ID: id, State: state}, cell, rand.Text())
		if err != nil {
			return err
		}
		if outcome != want {
			t.Errorf("stopping the timer: %s, want %s", outcome, want)
		}
		return b.bell.Push(t.Context(), tx, id)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// cellNow is a cell as the week shows it.
func (b *bench) cellNow(t *testing.T, cell planner.CellID) ledger.Cell {
	t.Helper()
	plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Cell(cell)
}

// timed checks that Harvest has so many entries of ours, each reference once,
// and whether one of them runs, there and here.
func (b *bench) timed(t *testing.T, cell planner.CellID, entries int, runs bool) {
	t.Helper()
	found, running := b.entries(t), 0
	for reference, list := range found {
		if len(list) != 1 {
			t.Errorf("%d entries carry %s: %v", len(list), reference, list)
		}
		for _, e := range list {
			if e.IsRunning {
				running++
			}
		}
	}
	if len(found) != entries || (running == 1) != runs || running > 1 {
		t.Errorf("%d entries of ours, %d of them run; want %d, and one that runs: %t", len(found), running, entries, runs)
	}
	timer := b.cellNow(t, cell).Timer
	if (timer != nil && timer.State() == ledger.TimerRunning) != runs {
		t.Errorf("here the timer is %+v", timer)
	}
	if t.Failed() {
		b.tell(t, b.writes(t))
	}
}

// timerModes are the two ways in which an account tracks time.
func timerModes() map[string]func(*testing.T, *bench) {
	return map[string]func(*testing.T, *bench){
		"duration":  func(*testing.T, *bench) {},
		"timestamp": func(t *testing.T, b *bench) { t.Helper(); b.trackTimes(t, "24h") },
	}
}

// TestTimer starts, stops and starts a timer again, and pushes what is missing,
// in accounts of both modes. A timer is tracked time, so it is not sent twice.
func TestTimer(t *testing.T) {
	t.Parallel()
	for mode, track := range timerModes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			track(t, b)
			cell := b.today(t)
			b.run(t, b.work())
			begin := b.sandbox.Now(t).Truncate(24 * time.Hour).Add(9 * time.Hour)
			b.sandbox.FreezeClock(t, begin)
			b.mustStart(t, cell)
			b.settled(t, ledger.Done)
			b.timed(t, cell, 1, true)
			if timer := b.cellNow(t, cell).Timer; !timer.StartedAt.Equal(begin) {
				t.Errorf("timer %+v, want it started at %s", timer, begin)
			}
			b.sandbox.Advance(t, 30*time.Minute)
			b.stopTimer(t, cell, db.StopAsked)
			b.settled(t, ledger.Done)
			b.timed(t, cell, 1, false)

			// Again: where an entry is one span, the next one is another entry.
			entries := 1
			if mode == "timestamp" {
				entries = 2
			}
			b.mustStart(t, cell)
			b.settled(t, ledger.Done)
			b.timed(t, cell, entries, true)
			b.sandbox.Advance(t, 15*time.Minute)
			b.stopTimer(t, cell, db.StopAsked)
			b.settled(t, ledger.Done)
			b.timed(t, cell, entries, false)
			if got := b.cellNow(t, cell).Tracked(); got != 75 {
				t.Errorf("%v tracked, want 0.75 h", got)
			}

			if n := b.confirm(t, nil); n != 1 {
				t.Fatalf("%d lines", n)
			}
			b.settled(t, ledger.Done)
			if c := b.cellNow(t, cell); c.Tracked() != 200 || c.Ours == nil || c.Ours.RemoteHours != 125 || c.Mark() != ledger.MarkInHarvest {
				t.Errorf("cell %+v, ours %+v; want 1:15 sent beside the timer's 0:45", c, c.Ours)
			}
			b.timed(t, cell, entries+1, false)
			if n := b.confirm(t, nil); n != 0 {
				t.Errorf("%d lines again", n)
			}
		})
	}
}

// timerOp is a write of a timer: what comes before it, and the call it makes.
type timerOp struct {
	name, method, path string
	before             func(*testing.T, *bench, planner.CellID) // what is settled before
	do                 func(*testing.T, *bench, planner.CellID)
	runs               bool // when it is done
}

func timerOps() []timerOp {
	start := func(t *testing.T, b *bench, cell planner.CellID) { t.Helper(); b.mustStart(t, cell) }
	stop := func(t *testing.T, b *bench, cell planner.CellID) { t.Helper(); b.stopTimer(t, cell, db.StopAsked) }
	return []timerOp{
		{"start", http.MethodPost, entriesPath, func(*testing.T, *bench, planner.CellID) {}, start, true},
		{"stop", http.MethodPatch, entriesPath, func(t *testing.T, b *bench, cell planner.CellID) {
			t.Helper()
			start(t, b, cell)
			b.drain(t)
		}, stop, false},
		{"restart", http.MethodPatch, entriesPath, func(t *testing.T, b *bench, cell planner.CellID) {
			t.Helper()
			start(t, b, cell)
			b.drain(t)
			stop(t, b, cell)
			b.drain(t)
		}, start, true},
	}
}

// TestTimerFaults: whatever becomes of the call that starts, stops or restarts a
// timer, it is done once.
func TestTimerFaults(t *testing.T) {
	t.Parallel()
	for _, op := range timerOps() {
		for _, tt := range []struct {
			fault  string
			times  int
			status int
			calls  int // that Harvest was asked for the change, where that is told
		}{
			{sandbox.FaultApplyThenDrop, 1, 0, 1},
			{sandbox.FaultApplyThenStatus, 1, http.StatusBadGateway, 1},
			{sandbox.FaultDropBefore, 1, 0, 0},
			{sandbox.FaultStatus, 3, http.StatusServiceUnavailable, 4},
		} {
			for mode, track := range timerModes() {
				if op.name == "restart" && mode == "timestamp" {
					continue // another entry is started
				}
				t.Run(op.name+"/"+tt.fault+"/"+mode, func(t *testing.T) {
					t.Parallel()
					b := setUp(t, benchOptions{})
					track(t, b)
					cell := b.today(t)
					op.before(t, b, cell)
					b.sandbox.ForgetRequests(t)
					b.fault(t, op.method, op.path, tt.fault, tt.times, answering(tt.status))
					op.do(t, b, cell)
					b.run(t, b.work())
					b.settled(t, ledger.Done)
					b.timed(t, cell, 1, op.runs)
					if n := b.calls(t, op.method, op.path); tt.calls > 0 && n != tt.calls {
						t.Errorf("Harvest was asked %d times, want %d", n, tt.calls)
					}
				})
			}
		}
	}
}

// TestTimerCrash kills the process at every step of a start, a stop and a restart.
func TestTimerCrash(t *testing.T) {
	t.Parallel()
	for _, op := range timerOps() {
		for _, s := range []step{stepLeased, stepBegun, stepApplied, stepAnswered, stepSettled} {
			t.Run(op.name+"/"+string(s), func(t *testing.T) {
				t.Parallel()
				b := setUp(t, benchOptions{})
				cell := b.today(t)
				op.before(t, b, cell)
				b.sandbox.ForgetRequests(t)
				op.do(t, b, cell)
				b.killed(t, s)
				b.run(t, b.work())
				b.settled(t, ledger.Done)
				b.timed(t, cell, 1, op.runs)
				if n := b.calls(t, op.method, op.path); n != 1 {
					t.Errorf("Harvest was asked %d times", n)
				}
			})
		}
	}
}

// TestStopBehindStart: a stop waits until it is known what came of the start.
func TestStopBehindStart(t *testing.T) {
	t.Parallel()
	uncertain := func(t *testing.T, b *bench, kind string) planner.CellID {
		t.Helper()
		cell := b.today(t)
		b.fault(t, http.MethodPost, entriesPath, kind, 1, nil)
		b.mustStart(t, cell)
		b.run(t, b.work())
		waitFor(t, "the start to be uncertain", func() bool { return b.last(t).State == ledger.Uncertain })
		return cell
	}

	t.Run("it was started", func(t *testing.T) {
		t.Parallel()
		b := setUp(t, benchOptions{})
		cell := uncertain(t, b, sandbox.FaultApplyThenDrop)
		b.stopTimer(t, cell, db.StopAsked)
		b.settled(t, ledger.Done)
		b.timed(t, cell, 1, false)
		if got := story(b.writes(t)[0]); got != storyAdopted {
			t.Errorf("history of the start %q, want %q", got, storyAdopted)
		}
	})

	t.Run("it was not, so it need not be", func(t *testing.T) {
		t.Parallel()
		b := setUp(t, benchOptions{})
		cell := uncertain(t, b, sandbox.FaultDropBefore)
		b.sandbox.ForgetRequests(t)
		b.stopTimer(t, cell, db.StopAsked)
		b.settled(t, ledger.Superseded)
		b.timed(t, cell, 0, false)
		if timer := b.cellNow(t, cell).Timer; timer != nil || b.posts(t) != 0 {
			t.Errorf("%d creates, timer %+v", b.posts(t), timer)
		}
		b.mustStart(t, cell)
		waitFor(t, "the timer to run", func() bool { return b.last(t).State == ledger.Done })
		b.timed(t, cell, 1, true)
	})

	t.Run("it was refused before", func(t *testing.T) {
		t.Parallel()
		b := setUp(t, benchOptions{})
		cell := b.today(t)
		b.activate(t, b.projectPath(t), false)
		b.mustStart(t, cell)
		b.run(t, b.work())
		b.settled(t, ledger.Rejected)
		if timer := b.cellNow(t, cell).Timer; timer == nil || timer.State() != ledger.TimerRefused {
			t.Errorf("timer %+v", timer)
		}
		b.stopTimer(t, cell, db.StopNothing)
		b.timed(t, cell, 0, false)

		// The project is open again, and the timer started: on the entry that never came to be.
		b.activate(t, b.projectPath(t), true)
		b.mustStart(t, cell)
		b.settled(t, ledger.Done, ledger.Superseded)
		b.timed(t, cell, 1, true)
	})
}

// TestStartTwice: of two tabs that start a timer on one cell at once, one does.
func TestStartTwice(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	cell := b.today(t)
	var tabs sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		tabs.Go(func() { errs[i] = b.startTimer(t, cell) })
	}
	tabs.Wait()
	refused := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if refused < 0 || !errors.Is(errs[refused], planner.ErrConflict) || errs[1-refused] != nil {
		t.Fatalf("errors %v, want one conflict", errs)
	}
	b.run(t, b.work())
	b.settled(t, ledger.Done)
	b.timed(t, cell, 1, true)
	if n := b.posts(t); n != 1 {
		t.Errorf("%d creates", n)
	}
}

// TestTimerTwice: Harvest carries out a start twice, so that the second entry stops
// the first. The next pull finds the one that runs, which is stopped from here, and
// removes the other, which has no time on it.
func TestTimerTwice(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	cell := b.today(t)
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultApplyTwice, 1, nil)
	b.run(t, b.work())
	began := time.Now()
	b.mustStart(t, cell)
	b.settled(t, ledger.Done)
	if n := len(b.ofCell(t)); n != 2 {
		t.Fatalf("%d entries", n)
	}
	b.pulledWell(t)
	waitFor(t, "the end of the double", func() bool { return len(b.ofCell(t)) == 1 })
	b.settled(t, ledger.Done)
	b.timed(t, cell, 1, true)
	b.sandbox.Advance(t, 30*time.Minute)
	b.stopTimer(t, cell, db.StopAsked)
	b.settled(t, ledger.Done)
	b.timed(t, cell, 1, false)
	if got, most := b.cellNow(t, cell).Tracked(), halfAnHourSince(began); got < 50 || got > most {
		t.Errorf("%d hundredths tracked, want 50 to %d", got, most)
	}
}

// halfAnHourSince is the most that a timer shows which was started after began,
// when the sandbox's clock was advanced by half an hour: it goes on with ours.
func halfAnHourSince(began time.Time) planner.Hours {
	return 51 + planner.Hours(time.Since(began)/(36*time.Second))
}

// TestOneTimerRuns: a timer that is started stops the one that ran, ours by a
// write of its own, so that what it came to is known at once.
func TestOneTimerRuns(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	first, second := b.today(t), b.todayOn(t, 1)
	b.run(t, b.work())
	began := time.Now()
	b.mustStart(t, first)
	b.settled(t, ledger.Done)
	b.sandbox.Advance(t, 30*time.Minute)
	b.mustStart(t, second)
	b.settled(t, ledger.Done)
	b.timed(t, second, 2, true)
	if c := b.cellNow(t, first); c.Running || c.Tracked() < 50 || c.Tracked() > halfAnHourSince(began) {
		t.Errorf("the first cell %+v", c)
	}

	// Harvest stops one that was started there. What it came to is known by the
	// next pull, and that it is over at once.
	project, task := b.harvestIDs(t)
	b.stopTimer(t, second, db.StopAsked)
	b.settled(t, ledger.Done)
	theirs := b.sandbox.WebCreate(t, map[string]any{"user_id": b.harvestUser, "project_id": project, "task_id": task, "spent_date": first.Date.String()})
	if !theirs.IsRunning {
		t.Fatalf("it does not run: %v", theirs)
	}
	b.pulledWell(t)
	if timer := b.cellNow(t, first).Timer; timer == nil || timer.Ours() || timer.State() != ledger.TimerRunning {
		t.Errorf("timer %+v", timer)
	}
	b.stopTimer(t, first, db.StopForeign)
	b.sandbox.Advance(t, time.Hour)
	b.mustStart(t, second)
	b.settled(t, ledger.Done)
	if c := b.cellNow(t, first); c.Running || c.Timer != nil {
		t.Errorf("the first cell %+v", c)
	}
	before := b.cellNow(t, first).Tracked()
	b.pulledWell(t)
	if got := b.cellNow(t, first).Tracked(); got < before+100 {
		t.Errorf("%v tracked after the pull, %v before it", got, before)
	}
}

// TestTimerModeChanged: the account's way of tracking was changed in Harvest, and
// is not known here. A timer needs no fields of either, and is not restarted
// where that would make a second entry.
func TestTimerModeChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode       string // as it is
		timestamps bool   // as we believe
	}{{"timestamp", false}, {"duration", true}} {
		t.Run("it is "+tt.mode, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.sandbox.Switch(t, map[string]any{"account_mode": tt.mode})
			b.believe(t, tt.timestamps, "24h")
			cell := b.today(t)
			b.run(t, b.work())
			for range 2 {
				b.mustStart(t, cell)
				b.settled(t, ledger.Done)
				b.sandbox.Advance(t, 6*time.Minute)
				b.stopTimer(t, cell, db.StopAsked)
				b.settled(t, ledger.Done)
			}
			b.timed(t, cell, 2, false)
		})
	}
}

// TestHoursZero: Harvest takes hours of 0 for the start of a timer; a
// timer starts with that switch and without it, and a plan starts none.
func TestHoursZero(t *testing.T) {
	t.Parallel()
	for name, starts := range map[string]bool{"starts a timer": true, "is a time": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.sandbox.Switch(t, map[string]any{"hours_zero_starts_timer": starts})
			cell := b.today(t)
			b.confirm(t, nil)
			b.run(t, b.work())
			b.settled(t, ledger.Done)
			b.timed(t, cell, 1, false)
			b.mustStart(t, cell)
			b.settled(t, ledger.Done)
			b.timed(t, cell, 2, true)
			b.stopTimer(t, cell, db.StopAsked)
			b.settled(t, ledger.Done)
			b.timed(t, cell, 2, false)
		})
	}
}

// TestLateTimer: a timer whose day was over before Harvest could be told is not
// started any more.
func TestLateTimer(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	cell := b.today(t)
	cell.Date--
	b.week = planner.WeekOf(cell.Date, time.Monday)
	b.plan(t, cell, 60, "")
	b.mustStart(t, cell)
	b.run(t, b.work())
	b.settled(t, ledger.Rejected)
	if w := b.last(t); w.Reason != string(ledger.ReasonLate) || story(w) != "send not_sent" {
		t.Errorf("write %+v, history %q", w, story(w))
	}
	if n := b.posts(t); n != 0 {
		t.Errorf("%d creates", n)
	}
}
