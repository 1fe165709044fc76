package jobs_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"
	"time"

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
func (b *bench) lives(t *testing.T, at step, after int) {
	t.Helper()
	ctx := t.Context()
	box, ok, err := b.store.TakeOutbox(ctx, b.connectionID, time.Minute, cellURL)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return // one that died still has the lease
	}
	remote, err := b.remote(ctx, b.connectionID, jobs.Interactive)
	if err != nil {
		t.Fatal(err)
	}
	m := &mortal{LeasedOutbox: box, at: at, after: after}
	timing := quick()
	timing.Lease = time.Minute
	// A write that a later one has overtaken meanwhile ends the drain as a lost lease does.
	if err := ledger.Drain(ctx, remote, m, timing); err != nil && !errors.Is(err, errDied) && !errors.Is(err, ledger.ErrFenced) {
		t.Fatal(err)
	}
	if m.dead {
		return
	}
	if _, _, err := box.Release(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestRandomFaults edits, pushes, breaks Harvest and kills processes in random
// order. When all is well again, and what is left is confirmed, Harvest has
// exactly the plan.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	cells := []ledger.CellID{}
	faults := []string{
		sandbox.FaultStatus, sandbox.FaultDropBefore, sandbox.FaultApplyThenDrop, sandbox.FaultApplyThenStatus, sandbox.FaultApplyThenTruncate,
		sandbox.FaultHTML200,
	}
	steps := []step{"", "", stepLeased, stepBegun, stepAnswered, stepSettled}
	rapid.Check(t, func(rt *rapid.T) {
		b.week = b.week.Next() // another case, other cells
		cells = cells[:0]
		for i := range 3 {
			cells = append(cells, b.cell(i, i))
		}
		confirm := func() int {
			n := 0
			err := b.store.InTx(t.Context(), func(tx *db.Tx) (err error) {
				n, err = b.push(t.Context(), tx, b.bell, b.userID, b.week, rand.Text(), nil)
				return err
			})
			if err != nil {
				rt.Fatalf("push: %v", err)
			}
			return n
		}
		actions := map[string]func(*rapid.T){
			"edit": func(rt *rapid.T) {
				cell := rapid.SampledFrom(cells).Draw(rt, "cell")
				minutes := rapid.SampledFrom([]planner.Minutes{0, 20, 60, 95}).Draw(rt, "minutes")
				note := ""
				if minutes > 0 {
					note = rapid.SampledFrom([]string{"", "note", "другая ☂"}).Draw(rt, "note")
				}
				b.plan(t, cell, minutes, note)
				confirm()
			},
			"break": func(rt *rapid.T) {
				f := sandboxtest.Fault{
					Match: sandboxtest.Match{Method: rapid.SampledFrom([]string{"POST", "POST", "PATCH", "DELETE", "GET"}).Draw(rt, "method"), Path: entriesPath},
					Fault: rapid.SampledFrom(faults).Draw(rt, "fault"), Times: rapid.IntRange(1, 2).Draw(rt, "times"),
					Status: rapid.SampledFrom([]int{500, 503, 408}).Draw(rt, "status"),
				}
				if f.Fault == sandbox.FaultStatus && rapid.Bool().Draw(rt, "limit") {
					f.Status, f.RetryAfter = http.StatusTooManyRequests, 1 // never of what was applied
				}
				b.sandbox.Fault(t, f)
			},
			"drain": func(rt *rapid.T) {
				b.lives(t, rapid.SampledFrom(steps).Draw(rt, "dies"), rapid.IntRange(0, 2).Draw(rt, "after"))
			},
			"wait": func(*rapid.T) { b.later(t) },
		}
		rt.Repeat(actions)

		b.sandbox.ClearFaults(t)
		heal := func() {
			for range 20 {
				b.later(t)
				b.lives(t, "", 0)
				open := 0
				for _, w := range b.writes(t) {
					if !w.State.Finished() {
						open++
					}
				}
				if open == 0 {
					return
				}
			}
			b.tell(t, b.writes(t))
			rt.Fatalf("writes that do not end")
		}
		heal()
		for _, w := range b.writes(t) {
			if w.State != ledger.Done && w.State != ledger.Superseded {
				rt.Errorf("write %d ended %s: %s", w.ID, w.State, story(w))
			}
		}
		for reference, list := range b.entries(t) {
			if len(list) != 1 {
				rt.Errorf("%d entries carry %s", len(list), reference)
			}
		}
		confirm()
		heal()
		for _, problem := range b.notAsPlanned(t) {
			rt.Error(problem)
		}
		if n := confirm(); n != 0 {
			rt.Errorf("%d lines are left to send", n)
		}
	})
}
