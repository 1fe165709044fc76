package jobs_test

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// errDied is what a drain sees from the moment on at which its process is
// taken to be killed: nothing that it does has an effect any more.
var errDied = errors.New("died")

// mortal is an outbox whose process dies at a step.
type mortal struct {
	ledger.LeasedOutbox
	at    step // empty: never
	after int  // at the write of this number, from 0 on
	dead  bool
}

func (m *mortal) dies(s step) bool {
	if s == m.at {
		m.dead = m.dead || m.after == 0
		m.after--
	}
	return m.dead
}

func (m *mortal) Next(ctx context.Context) (ledger.Write, bool, error) {
	if m.dies(stepLeased) {
		return ledger.Write{}, false, errDied
	}
	return m.LeasedOutbox.Next(ctx)
}

func (m *mortal) Begin(ctx context.Context, w ledger.Write) error {
	if m.dead {
		return errDied
	}
	if err := m.LeasedOutbox.Begin(ctx, w); err != nil {
		return err
	}
	if m.dies(stepBegun) {
		return errDied
	}
	return nil
}

func (m *mortal) Settle(ctx context.Context, w ledger.Write, r ledger.Result) error {
	if m.dies(stepAnswered) {
		return errDied
	}
	if err := m.LeasedOutbox.Settle(ctx, w, r); err != nil {
		return err
	}
	if m.dies(stepSettled) {
		return errDied
	}
	return nil
}

func (m *mortal) Postpone(ctx context.Context, wait time.Duration, why ledger.WaitReason) error {
	if m.dead {
		return errDied
	}
	return m.LeasedOutbox.Postpone(ctx, wait, why)
}

// later lets all leases, settle times and waits run out. Nothing is on its way
// to the sandbox while it does, so this is what waiting would lead to.
func (b *bench) later(t *testing.T) {
	t.Helper()
	for _, statement := range []string{
		"update harvest_connections set lease_until = lease_until - interval '1 hour'",
		"update writes set not_before = not_before - interval '1 hour', sent_at = sent_at - interval '1 minute'",
	} {
		if _, err := b.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// lives runs one drain, which dies at a step or not at all.
func (b *bench) lives(ctx context.Context, at step, after int) error {
	box, ok, err := b.store.TakeOutbox(ctx, b.connectionID, time.Minute, cellURL)
	if err != nil || !ok {
		return err // one that died still has the lease, or another one works
	}
	remote, err := b.remote(ctx, b.connectionID, jobs.Interactive)
	if err != nil {
		return err
	}
	m := &mortal{LeasedOutbox: box, at: at, after: after}
	timing := quick()
	timing.Lease = time.Minute
	// A write that a later one has overtaken meanwhile ends the drain as a lost lease does.
	if err := ledger.Drain(ctx, remote, m, timing); err != nil && !errors.Is(err, errDied) && !errors.Is(err, ledger.ErrFenced) {
		return err
	}
	if m.dead {
		return nil
	}
	_, _, err = box.Release(ctx)
	return err
}

// world is what a round of TestRandomFaults has: four cells of a week, edited by
// the user here and by somebody in Harvest, and processes that die.
type world struct {
	*bench
	t     *testing.T
	rt    *rapid.T
	cells []planner.CellID
}

// begin empties the week, here and in Harvest.
func (w *world) begin() {
	w.sandbox.ClearFaults(w.t)
	for _, e := range w.harvestHas() {
		w.sandbox.WebDelete(w.t, e.ID)
	}
	for _, table := range []string{"writes", "pushed_entries", "cells", "plan_events", "time_entries", "sync_runs"} {
		w.exec("delete from " + table)
	}
	w.exec("update harvest_connections set lease = null, lease_until = null, entries_cursor = null")
}

func (w *world) exec(statement string) {
	if _, err := w.pool.Exec(w.t.Context(), statement); err != nil {
		w.rt.Fatal(err)
	}
}

// harvestHas are the user's entries of the week in Harvest.
func (w *world) harvestHas() []sandboxtest.TimeEntry {
	list := w.sandbox.Entries(w.t, w.week.Start.String(), w.week.End().String())
	return slices.DeleteFunc(list, func(e sandboxtest.TimeEntry) bool { return e.User.ID != w.harvestUser })
}

func (w *world) weekPlan() ledger.WeekPlan {
	plan, err := w.store.WeekPlan(w.t.Context(), w.userID, w.week)
	if err != nil {
		w.rt.Fatal(err)
	}
	return plan
}

// sends confirms the lines that are ticked, or with insist all that can be sent.
func (w *world) sends(insist bool) int {
	n := 0
	err := w.store.InTx(w.t.Context(), func(tx *db.Tx) (err error) {
		n, err = w.push(w.t.Context(), tx, w.bell, w.userID, w.week, rand.Text(), func(l ledger.Line) bool { return insist || l.Ticked })
		return err
	})
	if err != nil {
		w.rt.Fatalf("push: %v", err)
	}
	return n
}

// takes lets a person take what Harvest has of a cell; that may not be possible now.
func (w *world) takes(cell planner.CellID) {
	w.answers(func(tx *db.Tx, plan ledger.WeekPlan, choice db.Choice) error {
		choice.Cell = cell
		return tx.TakeTheirs(w.t.Context(), w.userID, plan, choice)
	})
}

func (w *world) answers(f func(*db.Tx, ledger.WeekPlan, db.Choice) error) {
	ctx := w.t.Context()
	err := w.store.InTx(ctx, func(tx *db.Tx) error {
		if _, _, err := tx.LockConnection(ctx, w.userID); err != nil {
			return err
		}
		plan, err := tx.WeekPlan(ctx, w.userID, w.week)
		if err != nil {
			return err
		}
		return f(tx, plan, db.Choice{MutationID: rand.Text(), Seen: plan.Version})
	})
	if err != nil && !errors.Is(err, planner.ErrConflict) && !errors.Is(err, planner.ErrNotFound) {
		w.rt.Fatal(err)
	}
}

// pulls reads Harvest, as far as that works now.
func (w *world) pulls() error {
	ctx := w.t.Context()
	var id int64
	err := w.store.InTx(ctx, func(tx *db.Tx) (err error) {
		id, _, err = tx.StartRun(ctx, w.userID, db.TriggerUser, &w.week, planner.DateOf(time.Now()))
		return err
	})
	if err != nil {
		w.rt.Fatal(err)
	}
	run, err := w.store.Run(ctx, id, time.Now())
	if err != nil {
		w.rt.Fatal(err)
	}
	remote, err := w.remote(ctx, w.connectionID, jobs.Background)
	if err != nil {
		w.rt.Fatal(err)
	}
	return ledger.Pull(ctx, remote, w.store.Mirror(run), run, time.Minute)
}

// drains runs one or two processes, each of which may die.
func (w *world) drains(steps ...step) {
	group, ctx := errgroup.WithContext(w.t.Context())
	for i, at := range steps {
		group.Go(func() error { return w.lives(ctx, at, i) })
	}
	if err := group.Wait(); err != nil {
		w.rt.Fatal(err)
	}
}

// somebody does something in Harvest to one of the entries, whoever made it.
func (w *world) somebody(does func(sandboxtest.TimeEntry)) {
	list := w.harvestHas()
	if len(list) == 0 {
		return
	}
	w.sandbox.Advance(w.t, 2*time.Second) // its times are whole seconds
	does(list[rapid.IntRange(0, len(list)-1).Draw(w.rt, "entry")])
}

func (w *world) cell() planner.CellID { return rapid.SampledFrom(w.cells).Draw(w.rt, "cell") }

func (w *world) actions() map[string]func(*rapid.T) {
	steps := []step{"", "", "", stepLeased, stepBegun, stepAnswered, stepSettled}
	edit := func(*rapid.T) {
		minutes := rapid.SampledFrom([]planner.Minutes{0, 20, 60, 95}).Draw(w.rt, "minutes")
		note := ""
		if minutes > 0 {
			note = rapid.SampledFrom([]string{"", "note", "другая ☂"}).Draw(w.rt, "note")
		}
		w.plan(w.t, w.cell(), minutes, note)
	}
	drain := func(*rapid.T) {
		w.drains(rapid.SliceOfN(rapid.SampledFrom(steps), 1, 2).Draw(w.rt, "dies")...)
	}
	return map[string]func(*rapid.T){
		"edit":         edit,
		"edit, push":   func(rt *rapid.T) { edit(rt); w.sends(false) },
		"edit, push 2": func(rt *rapid.T) { edit(rt); w.sends(false) },
		"insist":       func(*rapid.T) { w.sends(true) },
		"take theirs":  func(*rapid.T) { w.takes(w.cell()) },
		"drain":        drain,
		"drain 2":      drain,
		"wait":         func(*rapid.T) { w.later(w.t) },
		"pull":         func(*rapid.T) { _ = w.pulls() },
		"somebody edits": func(*rapid.T) {
			change := rapid.SampledFrom([]map[string]any{{"hours": 3}, {"hours": 0.25}, {"notes": "by hand"}, {"notes": ""}}).Draw(w.rt, "change")
			w.somebody(func(e sandboxtest.TimeEntry) { w.sandbox.WebUpdate(w.t, e.ID, change) })
		},
		"somebody moves": func(*rapid.T) {
			day := w.week.Day(rapid.IntRange(0, 6).Draw(w.rt, "day")).String()
			w.somebody(func(e sandboxtest.TimeEntry) { w.sandbox.WebUpdate(w.t, e.ID, map[string]any{"spent_date": day}) })
		},
		"somebody deletes": func(*rapid.T) {
			w.somebody(func(e sandboxtest.TimeEntry) { w.sandbox.WebDelete(w.t, e.ID) })
		},
		"somebody copies": func(*rapid.T) { // without our reference
			w.somebody(func(e sandboxtest.TimeEntry) {
				w.sandbox.WebCreate(w.t, map[string]any{
					"user_id": w.harvestUser, "project_id": e.Project.ID, "task_id": e.Task.ID, "spent_date": e.SpentDate, "hours": e.Hours, "notes": e.Notes,
				})
			})
		},
		"adopt": func(*rapid.T) {
			cell := w.cell()
			entries, err := w.store.CellEntries(w.t.Context(), w.userID, cell)
			if err != nil {
				w.rt.Fatal(err)
			}
			for _, e := range entries {
				w.answers(func(tx *db.Tx, plan ledger.WeekPlan, choice db.Choice) error {
					choice.Cell = cell
					return tx.Adopt(w.t.Context(), w.userID, plan, e.ID, choice)
				})
			}
		},
		"start": func(*rapid.T) {
			cell := w.cell()
			w.answers(func(tx *db.Tx, plan ledger.WeekPlan, choice db.Choice) error {
				return tx.StartTimer(w.t.Context(), w.userID, plan, db.TimerStart{Cell: cell, Today: cell.Date, MutationID: choice.MutationID})
			})
		},
		"stop": func(*rapid.T) { w.stops(w.cell()) },
		"break": func(*rapid.T) {
			f := sandboxtest.Fault{
				Match: sandboxtest.Match{Method: rapid.SampledFrom([]string{"POST", "POST", "PATCH", "DELETE", "GET"}).Draw(w.rt, "method"), Path: entriesPath},
				Fault: rapid.SampledFrom([]string{
					sandbox.FaultStatus, sandbox.FaultDropBefore, sandbox.FaultApplyThenDrop, sandbox.FaultApplyThenStatus,
					sandbox.FaultApplyThenTruncate, sandbox.FaultHTML200,
				}).Draw(w.rt, "fault"),
				Times:  rapid.IntRange(1, 2).Draw(w.rt, "times"),
				Status: rapid.SampledFrom([]int{500, 503, 408}).Draw(w.rt, "status"),
			}
			if f.Fault == sandbox.FaultStatus && rapid.Bool().Draw(w.rt, "limit") {
				f.Status, f.RetryAfter = http.StatusTooManyRequests, 1 // never of what was applied
			}
			w.sandbox.Fault(w.t, f)
		},
	}
}

// stops asks for the end of a cell's timer, if it has one.
func (w *world) stops(cell planner.CellID) {
	w.answers(func(tx *db.Tx, plan ledger.WeekPlan, choice db.Choice) error {
		_, _, err := tx.StopTimer(w.t.Context(), w.userID, *plan.Connection, cell, choice.MutationID)
		return err
	})
}

// heals lets everything go well until no timer runs, all writes are over and
// Harvest was read.
func (w *world) heals() {
	w.sandbox.ClearFaults(w.t)
	for _, cell := range w.cells {
		w.stops(cell)
	}
	for range 30 {
		w.later(w.t)
		w.drains("")
		open := slices.ContainsFunc(w.writes(w.t), func(r db.WriteRecord) bool { return !r.State.Finished() })
		if open {
			continue
		}
		if err := w.pulls(); err != nil {
			w.rt.Fatalf("pull: %v", err)
		}
		if !slices.ContainsFunc(w.writes(w.t), func(r db.WriteRecord) bool { return !r.State.Finished() }) {
			return // nor did the pull find doubles
		}
	}
	w.rt.Fatalf("writes that do not end")
}

// TestRandomFaults lets the user edit, push, take, adopt and time, somebody in Harvest
// edit, move, copy and delete, Harvest break and processes die, in random order.
// Then all is well, and: every accepted write is done, or has given way, or waits
// for a person's choice; no reference is in Harvest twice; the planner shows what
// Harvest holds; and the history tells how it came to that. When the choices are
// made, Harvest has exactly the plan.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.week = b.week.Next() // empty in the sandbox, and within every pull
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{bench: b, t: t, rt: rt, cells: []planner.CellID{b.cell(0, 0), b.cell(0, 1), b.cell(1, 1), b.cell(2, 2)}}
		w.begin()
		rt.Repeat(w.actions())
		w.heals()
		w.allOver()
		w.shownAsHeld()
		w.explained()

		// Now the user answers what is left to answer, and sends the rest.
		for _, cell := range w.cells {
			if rapid.Bool().Draw(rt, "take") {
				w.takes(cell)
			}
		}
		for range 5 {
			n := w.sends(true)
			w.heals()
			if n == 0 {
				break
			}
		}
		w.allOver()
		w.shownAsHeld()
		w.explained()
		for _, line := range w.weekPlan().PushLines(nil, w.week.End()) {
			if line.Action != ledger.LineSkip {
				rt.Errorf("left to send: %+v", line)
			}
		}
		if rt.Failed() {
			b.tell(t, b.writes(t))
		}
	})
}

// allOver checks that each write has ended as it may.
func (w *world) allOver() {
	for _, r := range w.writes(w.t) {
		switch r.State {
		case ledger.Done, ledger.Superseded, ledger.Conflict, ledger.Dropped:
		default:
			w.rt.Errorf("write %d (%s) ended %s: %s", r.ID, r.Op, r.State, story(r))
		}
	}
}

// shownAsHeld compares each cell of the week with Harvest, and each entry with
// the ledger.
func (w *world) shownAsHeld() {
	type cell struct {
		project, task int64
		date          string
	}
	held, references := map[cell]planner.Hours{}, map[string]int{}
	for _, e := range w.harvestHas() {
		if hours := planner.Hours(e.Hours.Shift(2).IntPart()); hours != 0 { // a timer may have run for nothing
			held[cell{e.Project.ID, e.Task.ID, e.SpentDate}] += hours
		}
		if e.ExternalReference != nil && e.ExternalReference.GroupID == ledger.ReferenceGroup {
			references[e.ExternalReference.ID]++
		}
	}
	shown := map[cell]planner.Hours{}
	for _, row := range w.weekPlan().Rows {
		var id cell
		err := w.pool.QueryRow(w.t.Context(), "select p.harvest_id, t.harvest_id from projects p, tasks t where p.id = $1 and t.id = $2",
			row.ID.ProjectID, row.ID.TaskID).Scan(&id.project, &id.task)
		if err != nil {
			w.rt.Fatal(err)
		}
		for i, c := range row.Cells {
			if id.date = w.week.Day(i).String(); c.Tracked() != 0 {
				shown[id] = c.Tracked()
			}
		}
	}
	if !maps.Equal(held, shown) {
		w.rt.Errorf("Harvest holds %v, the week shows %v", held, shown)
	}
	for reference, n := range references {
		known := 0
		err := w.pool.QueryRow(w.t.Context(), "select count(*) from writes where reference = $1", reference).Scan(&known)
		if err != nil || known == 0 || n != 1 {
			w.rt.Errorf("%d entries carry %s, of which %d writes tell (%v)", n, reference, known, err)
		}
	}
}

// explained checks that the histories leave no gap: of the plan, that each change
// of a cell starts from the one before and the last one is what is shown; of the
// ledger, that each end has its reason.
func (w *world) explained() {
	gaps := 0
	err := w.pool.QueryRow(w.t.Context(), `
		with told as (
			select *, lag(minutes_after, 1, 0) over cell as minutes_was, lag(note_after, 1, '') over cell as note_was, lead(id) over cell as later
			from plan_events window cell as (partition by project_id, task_id, date order by id)
		)
		select count(*) from told e
		full join cells c using (user_id, project_id, task_id, date)
		where e.id is null
		   or (e.minutes_before, e.note_before) is distinct from (e.minutes_was, e.note_was)
		   or e.later is null and (e.minutes_after, e.note_after) is distinct from (coalesce(c.minutes, 0), coalesce(c.note, ''))`).Scan(&gaps)
	if err != nil || gaps != 0 {
		w.rt.Errorf("%d gaps in the history of the plan, %v", gaps, err)
	}
	reasons := map[ledger.State][]ledger.OutcomeKind{
		ledger.Done:    {ledger.OutcomeApplied, ledger.OutcomeMerged, ledger.OutcomeFound, ledger.OutcomeGone},
		ledger.Dropped: {ledger.OutcomeByPerson},
	}
	for _, r := range w.writes(w.t) {
		wanted, ok := reasons[r.State]
		if ok && !slices.ContainsFunc(r.Attempts, func(a ledger.Attempt) bool { return slices.Contains(wanted, a.Outcome) }) {
			w.rt.Errorf("write %d is %s without a reason: %s", r.ID, r.State, strings.TrimSpace(story(r)))
		}
	}
}
