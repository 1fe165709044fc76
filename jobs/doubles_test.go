package jobs_test

import (
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
)

// doubled is a bench with one entry that Harvest has twice, by a fault of the
// create.
func doubled(t *testing.T, kind string) *bench {
	t.Helper()
	b := setUp(t, benchOptions{})
	b.plan(t, b.cell(0, 1), 75, "late")
	b.fault(t, "POST", entriesPath, kind, 1, whenTold)
	b.confirm(t, nil)
	b.run(t, b.work())
	b.settled(t, ledger.Done)
	b.sandbox.Advance(t, late)
	waitFor(t, "the second entry", func() bool { return len(b.ofCell(t)) == 2 })
	return b
}

// late is longer than any test takes: what is to be applied then is applied when
// the sandbox's clock is moved.
const late = time.Hour

func whenTold(f *sandboxtest.Fault) { f.DelayMS = int(late.Milliseconds()) }

// ofCell are the entries in Harvest with our reference.
func (b *bench) ofCell(t *testing.T) []sandboxtest.TimeEntry {
	t.Helper()
	for _, list := range b.entries(t) {
		return list
	}
	return nil
}

// TestFault08_AppliedAfterTheLook: Harvest carries out a request long after it was
// given up, looked for twice and sent again. What was booked twice is seen by
// the next pull, and the one that the ledger does not know is removed. It is told
// in the ledger and audited.
func TestFault08_AppliedAfterTheLook(t *testing.T) {
	t.Parallel()
	b := doubled(t, sandbox.FaultApplyLate)
	if got := story(b.last(t)); got != storyResent {
		t.Errorf("history %q, want %q", got, storyResent)
	}
	kept := b.last(t).RemoteID
	b.pulled(t)
	waitFor(t, "the end of the double", func() bool { return len(b.ofCell(t)) == 1 })
	b.settled(t, ledger.Done)
	if id := b.ofCell(t)[0].ID; id != kept {
		t.Errorf("entry %d stayed, want %d", id, kept)
	}
	b.exactlyAsPlanned(t)
	if w := b.last(t); w.Op != ledger.OpRemoveDouble || w.State != ledger.Done || story(w) != "send applied" {
		t.Errorf("%s of %s after %q", w.State, w.Op, story(w))
	}
	events, err := b.store.AuditEvents(t.Context(), db.AuditFilter{Action: "ledger.remove_double", Most: 10})
	if err != nil || len(events) != 1 || events[0].Actor != "furrow" {
		t.Errorf("audit %+v, %v", events, err)
	}
	b.pulled(t)
	if n := len(b.writes(t)); n != 2 {
		t.Errorf("%d writes after another pull, want 2", n)
	}
}

// TestDoubleTouched: a double that a person has worked on is not removed unseen,
// whether the pull has read their change or it came after that.
func TestDoubleTouched(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		touch string // before the pull, or before the drain
		want  []ledger.State
	}{
		{"before the pull", "pull", []ledger.State{ledger.Done}},
		{"before it is sent", "drain", []ledger.State{ledger.Done, ledger.Conflict}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := doubled(t, sandbox.FaultApplyTwice)
			kept := b.last(t).RemoteID
			touch := func() {
				for _, e := range b.ofCell(t) {
					if e.ID != kept {
						b.sandbox.Advance(t, time.Minute)
						b.sandbox.WebUpdate(t, e.ID, map[string]any{"notes": "by hand"})
					}
				}
			}
			if tt.touch == "pull" {
				touch()
			} else {
				b.fault(t, "GET", entriesPath+"/", sandbox.FaultStatus, 0, func(f *sandboxtest.Fault) { f.Status = 500 })
			}
			b.pulled(t)
			if tt.touch == "drain" {
				waitFor(t, "the try that fails", func() bool { return b.last(t).Op == ledger.OpRemoveDouble && story(b.last(t)) != "" })
				touch()
				b.sandbox.ClearFaults(t)
			}
			b.settled(t, tt.want...)
			if n := len(b.ofCell(t)); n != 2 {
				t.Errorf("%d entries, want both", n)
			}
		})
	}
}

// TestDoubleKept: if the entry that was to stay is gone when the double's turn
// has come, the double is all there is, and stays.
func TestDoubleKept(t *testing.T) {
	t.Parallel()
	b := doubled(t, sandbox.FaultApplyTwice)
	kept := b.last(t).RemoteID
	b.fault(t, "GET", entriesPath+"/", sandbox.FaultStatus, 0, func(f *sandboxtest.Fault) { f.Status = 500 })
	b.pulled(t)
	waitFor(t, "the try that fails", func() bool { return b.last(t).Op == ledger.OpRemoveDouble && story(b.last(t)) != "" })
	b.sandbox.WebDelete(t, kept)
	b.sandbox.ClearFaults(t)
	b.settled(t, ledger.Done, ledger.Conflict)
	if list := b.ofCell(t); len(list) != 1 || list[0].ID == kept {
		t.Errorf("entries %+v, want the double", list)
	}
}
