package db_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// start starts a timer on a cell as its form does.
func (f *fixture) start(t *testing.T, cell planner.CellID, mutation string) error {
	t.Helper()
	return f.store.InTx(t.Context(), func(tx *db.Tx) error {
		if _, _, err := tx.LockConnection(t.Context(), f.userID); err != nil {
			return err
		}
		if stored, err := tx.PushStored(t.Context(), f.userID, mutation); err != nil || stored {
			return err
		}
		plan, err := tx.WeekPlan(t.Context(), f.userID, f.week)
		if err != nil {
			return err
		}
		return tx.StartTimer(t.Context(), f.userID, plan, db.TimerStart{Cell: cell, Today: cell.Date, MutationID: mutation})
	})
}

func (f *fixture) mustStart(t *testing.T, cell planner.CellID) {
	t.Helper()
	if err := f.start(t, cell, rand.Text()); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) stop(t *testing.T, cell planner.CellID) (timer ledger.Timer, outcome db.StopOutcome) {
	t.Helper()
	f.in(t, func(tx *db.Tx) error {
		id, state, err := tx.LockConnection(t.Context(), f.userID)
		if err != nil {
			return err
		}
		timer, outcome, err = tx.StopTimer(t.Context(), f.userID, ledger.Connection{ID: id, State: state}, cell, rand.Text())
		return err
	})
	return timer, outcome
}

// answered brings the first due write, which must be of the given kind, to its
// end: Harvest says that the entry has the hours, and runs after a start.
func (f *fixture) answered(t *testing.T, op ledger.Op, id int64, hours planner.Hours) ledger.Write {
	t.Helper()
	box := f.mustTake(t)
	w := next(t, box)
	if w.Op != op {
		t.Fatalf("the next write is %+v, want %s", w, op)
	}
	if err := box.Begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	remote := f.made(w, id)
	remote.Hours, remote.IsRunning = hours, op == ledger.OpStart
	if remote.IsRunning {
		remote.TimerStartedAt, remote.TimerBefore = time.Now().Add(-10*time.Minute).Truncate(time.Second), hours
	}
	settle(t, box, w, ledger.Result{State: ledger.Done, Remote: remote, Attempt: ledger.Attempt{Outcome: ledger.OutcomeApplied}})
	f.release(t, box)
	return w
}

func (f *fixture) release(t *testing.T, box ledger.LeasedOutbox) {
	t.Helper()
	if _, _, err := box.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// timerState is where the timer of a cell stands; empty for none.
func (f *fixture) timerState(t *testing.T, cell planner.CellID) ledger.TimerState {
	t.Helper()
	timer := f.at(t, cell).Timer
	if timer == nil {
		return ""
	}
	return timer.State()
}

func (f *fixture) wantTimer(t *testing.T, cell planner.CellID, want ledger.TimerState) {
	t.Helper()
	if got := f.timerState(t, cell); got != want {
		t.Errorf("the timer is %q, want %q", got, want)
	}
}

// TestTimer follows a timer from its start to the push of what is missing.
func TestTimer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cell := f.cell(0, 0)
	f.plan(t, cell, 120, "prep call")
	mutation := rand.Text()
	for range 2 { // the form is sent twice
		if err := f.start(t, cell, mutation); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.start(t, cell, rand.Text()); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("a second start: %v", err)
	}
	f.wantTimer(t, cell, ledger.TimerStarting)
	w := f.answered(t, ledger.OpStart, 70, 0)
	if w.RemoteID != 0 || w.Entry.Notes != "prep call" || w.Entry.SpentDate != cell.Date || w.Reference == "" {
		t.Errorf("start %+v", w)
	}
	f.wantTimer(t, cell, ledger.TimerRunning)
	timer := f.at(t, cell).Timer
	if got := timer.Elapsed(time.Now()); !timer.Ours() || timer.RemoteID != 70 || got < 10 || got > 11 {
		t.Errorf("timer %+v, %v elapsed", timer, got)
	}
	if line := f.weekPlan(t).PushLines(nil, cell.Date)[0]; line.Ticked || line.Reason != ledger.LineRunning || line.Hours != 200 {
		t.Errorf("line %+v while the timer runs", line)
	}
	if err := f.start(t, cell, rand.Text()); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("a start while it runs: %v", err)
	}

	for range 2 {
		if _, outcome := f.stop(t, cell); outcome != db.StopAsked {
			t.Errorf("stop: %s", outcome)
		}
	}
	f.wantTimer(t, cell, ledger.TimerStopping)
	if stop := f.answered(t, ledger.OpStop, 70, 75); stop.RemoteID != 70 || stop.Reference != w.Reference {
		t.Errorf("stop %+v", stop)
	}
	f.wantTimer(t, cell, "")
	if c := f.at(t, cell); c.Tracked() != 75 || c.Others != 75 || c.Ours != nil {
		t.Errorf("cell %+v", c)
	}
	if line := f.weekPlan(t).PushLines(nil, cell.Date)[0]; !line.Ticked || line.Action != ledger.LineCreate || line.Hours != 125 || line.After != 200 {
		t.Errorf("line %+v, want the missing 1:15", line)
	}
	if n := f.int(t, "select count(*) from writes"); n != 2 {
		t.Errorf("%d writes", n)
	}
	if _, outcome := f.stop(t, cell); outcome != db.StopNothing {
		t.Errorf("stop of nothing: %s", outcome)
	}
}

// TestTimerGoesOn: the cell's entry of before is restarted where that is right.
func TestTimerGoesOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change string // of the database
		same   bool
	}{
		{"as it was", "", true},
		{"start and end times", "update harvest_connections set timestamp_timers = true", false},
		{"another note", "update cells set note = 'another'", false},
		{"locked", "update time_entries set is_locked = true, locked_reason = 'billed' where harvest_id = 70", false},
		{"deleted there", "update time_entries set deleted_at = now() where harvest_id = 70", false},
		{"moved there", "update time_entries set spent_date = spent_date + 1 where harvest_id = 70", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			cell := f.cell(0, 0)
			f.plan(t, cell, 60, "a")
			f.mustStart(t, cell)
			first := f.answered(t, ledger.OpStart, 70, 0)
			f.stop(t, cell)
			f.answered(t, ledger.OpStop, 70, 20)
			if tt.change != "" {
				f.exec(t, tt.change)
			}
			err := f.start(t, cell, rand.Text())
			if tt.name == "locked" {
				if !errors.Is(err, planner.ErrConflict) {
					t.Errorf("start on a locked cell: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			box := f.mustTake(t)
			w := next(t, box)
			if w.Op != ledger.OpStart || (w.RemoteID == 70) != tt.same || (w.Reference == first.Reference) != tt.same {
				t.Errorf("second start %+v, first %+v", w, first)
			}
		})
	}
}

// TestStartRefused: what refuses a start makes no write.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cell := f.cell(0, 0)
	f.plan(t, cell, 60, "")
	for _, tt := range []struct {
		want   ledger.StartRefusal
		cell   planner.CellID
		today  planner.Date
		change string
	}{
		{ledger.MayStart, cell, cell.Date, ""},
		{ledger.StartNotToday, cell, cell.Date + 1, ""},
		{ledger.StartNoRow, f.cell(1, 0), cell.Date, ""},
		{ledger.StartNotAssigned, cell, cell.Date, "update assignments set active = false"},
		{ledger.StartNotConnected, cell, cell.Date, "update harvest_connections set state = 'needs_reauth'"},
	} {
		if tt.change != "" {
			f.exec(t, tt.change)
		}
		plan := f.weekPlan(t)
		if got := plan.StartRefusal(tt.cell, tt.today); got != tt.want {
			t.Errorf("refused for %q, want %q", got, tt.want)
		}
	}
	if err := f.start(t, cell, rand.Text()); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("start: %v", err)
	}
	if n := f.int(t, "select count(*) from writes"); n != 0 {
		t.Errorf("%d writes", n)
	}
}

// TestStopBeforeStart: a start that Harvest was never told of is taken back, and
// one that it may know of is waited for.
func TestStopBeforeStart(t *testing.T) {
	t.Parallel()

	t.Run("never told", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		cell := f.cell(0, 0)
		f.plan(t, cell, 60, "")
		f.mustStart(t, cell)
		timer, outcome := f.stop(t, cell)
		if outcome != db.StopUnsaid || time.Since(timer.AskedAt) > time.Minute {
			t.Errorf("stop: %s of %+v", outcome, timer)
		}
		f.wantTimer(t, cell, "")
		none(t, f.mustTake(t))
		if n := f.int(t, "select count(*) from writes where state <> 'superseded' or op <> 'start'"); n != 0 {
			t.Errorf("%d other writes", n)
		}
		if n := f.int(t, "select count(*) from pushed_entries where removed_at is null"); n != 0 {
			t.Errorf("%d entries are meant", n)
		}
	})

	t.Run("a restart never told", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		cell := f.cell(0, 0)
		f.plan(t, cell, 60, "")
		f.mustStart(t, cell)
		f.answered(t, ledger.OpStart, 70, 0)
		f.stop(t, cell)
		f.answered(t, ledger.OpStop, 70, 20)
		f.mustStart(t, cell)
		if _, outcome := f.stop(t, cell); outcome != db.StopUnsaid {
			t.Errorf("stop: %s", outcome)
		}
		if c := f.at(t, cell); c.Timer != nil || c.Tracked() != 20 {
			t.Errorf("cell %+v", c)
		}
		f.mustStart(t, cell)
		if w := next(t, f.mustTake(t)); w.Op != ledger.OpStart || w.RemoteID != 70 {
			t.Errorf("the next start %+v", w)
		}
	})

	for _, tt := range []struct {
		name  string
		state ledger.State
		want  ledger.State // of the stop
	}{
		{"it was started", ledger.Done, ledger.Pending},
		{"it was not", ledger.Pending, ledger.Superseded},
		{"it was refused", ledger.Rejected, ledger.Superseded},
	} {
		t.Run("in doubt, "+tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			cell := f.cell(0, 0)
			f.plan(t, cell, 60, "")
			f.mustStart(t, cell)
			box := f.mustTake(t)
			w := next(t, box)
			if err := box.Begin(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			settle(t, box, w, ledger.Result{State: ledger.Uncertain, Wait: time.Hour, Attempt: ledger.Attempt{Outcome: ledger.OutcomeKind(ledger.Unknown), Reason: "broken"}})
			if _, outcome := f.stop(t, cell); outcome != db.StopAsked {
				t.Errorf("stop: %s", outcome)
			}
			f.wantTimer(t, cell, ledger.TimerStopping)
			none(t, box) // it waits behind the start
			r := ledger.Result{State: tt.state, Attempt: ledger.Attempt{Action: ledger.ActionLook, Outcome: ledger.OutcomeFound}}
			if tt.state == ledger.Done {
				r.Remote = f.made(w, 70)
				r.Remote.IsRunning, r.Remote.TimerStartedAt = true, time.Now()
			}
			settle(t, box, w, r)
			list, err := f.store.Writes(t.Context(), db.WriteFilter{UserID: f.userID})
			if err != nil || len(list) != 2 || list[0].Op != ledger.OpStop || list[0].State != tt.want {
				t.Fatalf("writes %+v, %v", list, err)
			}
			if tt.state != ledger.Done {
				none(t, box)
				left := ledger.TimerRefused
				if tt.state == ledger.Pending { // and is not started any more
					left = ""
				}
				f.wantTimer(t, cell, left)
				return
			}
			if stop := next(t, box); stop.RemoteID != 70 {
				t.Errorf("stop %+v", stop)
			}
		})
	}
}

// TestRefusedTimerGivesWay: what was refused is over when a timer is started anew,
// on the same entry of ours, which never came to be.
func TestRefusedTimerGivesWay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cell := f.cell(0, 0)
	f.plan(t, cell, 60, "")
	f.mustStart(t, cell)
	box := f.mustTake(t)
	w := next(t, box)
	if err := box.Begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	settle(t, box, w, ledger.Result{State: ledger.Rejected, Attempt: ledger.Attempt{Outcome: ledger.OutcomeKind(ledger.Refused), Reason: "invalid", Message: "Project is archived"}})
	f.release(t, box)
	f.wantTimer(t, cell, ledger.TimerRefused)
	if refused := f.at(t, cell).Timer.Refusal(); refused == nil || refused.Message != "Project is archived" {
		t.Errorf("refusal %+v", refused)
	}
	if _, outcome := f.stop(t, cell); outcome != db.StopNothing {
		t.Errorf("stop: %s", outcome)
	}
	f.mustStart(t, cell)
	f.wantTimer(t, cell, ledger.TimerStarting)
	if again := f.answered(t, ledger.OpStart, 70, 0); again.Reference != w.Reference {
		t.Errorf("reference %s, then %s", w.Reference, again.Reference)
	}
	if got := f.states(t); got[ledger.Rejected] != 0 || got[ledger.Done] != 1 {
		t.Errorf("states %v", got)
	}
}

// TestOneTimer: starting a timer stops what else was started from here, and
// notes that Harvest stops whatever else ran.
func TestOneTimer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, second := f.cell(0, 0), f.cell(1, 0)
	f.plan(t, first, 60, "")
	f.plan(t, second, 60, "")
	f.mustStart(t, first)
	f.answered(t, ledger.OpStart, 70, 0)
	f.mustStart(t, second)
	f.wantTimer(t, first, ledger.TimerStopping)
	f.wantTimer(t, second, ledger.TimerStarting)
	f.answered(t, ledger.OpStop, 70, 15)
	f.answered(t, ledger.OpStart, 71, 0)
	f.wantTimer(t, first, "")
	f.wantTimer(t, second, ledger.TimerRunning)
	if got := f.at(t, first).Tracked(); got != 15 {
		t.Errorf("%v tracked on the first", got)
	}

	// One that was started in Harvest is left alone, and known to be over when
	// Harvest has started another.
	elsewhere := f.cell(2, 0)
	_, err := f.pool.Exec(t.Context(), `
		insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, is_running, timer_started_at, created_at, updated_at)
		values ($1, 90, $2, $3, $4, 50, true, now() - interval '11 minutes', now(), now())`, f.userID, elsewhere.ProjectID, elsewhere.TaskID, elsewhere.Date)
	if err != nil {
		t.Fatal(err)
	}
	f.wantTimer(t, elsewhere, ledger.TimerRunning)
	if timer, outcome := f.stop(t, elsewhere); outcome != db.StopForeign || timer.Ours() {
		t.Errorf("stop: %s of %+v", outcome, timer)
	}
	f.stop(t, second)
	f.answered(t, ledger.OpStop, 71, 5)
	f.wantTimer(t, elsewhere, ledger.TimerRunning)
	f.mustStart(t, first)
	f.answered(t, ledger.OpStart, 70, 15)
	f.wantTimer(t, first, ledger.TimerRunning)
	f.wantTimer(t, elsewhere, "")
	if c := f.at(t, elsewhere); c.Running || c.Tracked() != 50 {
		t.Errorf("the other cell %+v", c)
	}
	if n := f.int(t, "select count(*) from writes w join pushed_entries p on p.id = w.pushed_entry_id where p.remote_id = 90"); n != 0 {
		t.Errorf("%d writes about what is not ours", n)
	}
}

// TestLateStart: the drain is told that the day of a write is over in the user's
// zone.
func TestLateStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	for days, late := range map[int]bool{-1: true, 1: false} {
		today := planner.DateOf(time.Now().In(zone)).AddDays(days)
		f.week = planner.WeekOf(today, time.Monday)
		cell := planner.CellID{RowID: f.rows[0], Date: today}
		f.plan(t, cell, 60, "")
		f.mustStart(t, cell)
		box := f.mustTake(t)
		if w := next(t, box); w.Late != late {
			t.Errorf("%d days off: late is %t", days, w.Late)
		}
		f.release(t, box)
		f.stop(t, cell)
	}
}

// TestSessionTimer: the session brings the timer along, in its one round trip.
func TestSessionTimer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	sessions, codec := f.store.Sessions(), db.SessionCodec{}
	data, err := codec.Encode(time.Now().Add(time.Hour), map[string]any{db.SessionUserID: f.userID})
	if err != nil {
		t.Fatal(err)
	}
	if err := sessions.CommitCtx(ctx, "hash", data, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	timer := func() *db.ActiveTimer {
		t.Helper()
		found, ok, err := sessions.FindCtx(ctx, "hash")
		if err != nil || !ok {
			t.Fatalf("session: %t, %v", ok, err)
		}
		_, values, err := codec.Decode(found)
		if err != nil {
			t.Fatal(err)
		}
		user, ok := values[db.SessionUser].(db.User)
		if !ok {
			t.Fatal("no user")
		}
		return user.Timer
	}
	if got := timer(); got != nil {
		t.Errorf("timer %+v", got)
	}
	first, second := f.cell(0, 0), f.cell(1, 0)
	f.plan(t, first, 60, "")
	f.plan(t, second, 30, "")
	f.mustStart(t, first)
	if got := timer(); got == nil || got.State() != ledger.TimerStarting || got.Cell != first || got.Project != "Project 11" || got.Client != "Client 1" || got.Planned != 60 {
		t.Errorf("timer %+v", got)
	}
	f.answered(t, ledger.OpStart, 70, 25)
	got := timer()
	if got == nil || got.State() != ledger.TimerRunning || got.Tracked != 25 || got.Before != 25 || !got.Ours() || got.BaseURI != "https://idaberg.harvestapp.com" {
		t.Errorf("timer %+v", got)
	} else if n := got.Elapsed(time.Now()); n < 25 || n > 26 {
		t.Errorf("%v elapsed", n)
	}
	f.mustStart(t, second)
	if got := timer(); got == nil || got.Cell != second || got.State() != ledger.TimerStarting {
		t.Errorf("timer %+v, want the one that is to start", got)
	}
	f.answered(t, ledger.OpStop, 70, 30)
	f.answered(t, ledger.OpStart, 71, 0)
	f.stop(t, second)
	if got := timer(); got == nil || got.State() != ledger.TimerStopping {
		t.Errorf("timer %+v", got)
	}
	f.answered(t, ledger.OpStop, 71, 1)
	if got := timer(); got != nil {
		t.Errorf("timer %+v", got)
	}
}
