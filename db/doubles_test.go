package db_test

import (
	"slices"
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
)

// finishRun ends a sync run that has read entries.
func (f *fixture) finishRun(t *testing.T, entries ...ledger.RemoteEntry) {
	t.Helper()
	var id int64
	f.in(t, func(tx *db.Tx) (err error) {
		id, _, err = tx.StartRun(t.Context(), f.userID, db.TriggerUser, nil, f.week.Start)
		return err
	})
	run, err := f.store.Run(t.Context(), id, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	mirror := f.store.Mirror(run)
	if err := mirror.SavePage(t.Context(), ledger.EntryPage{Entries: entries}); err != nil {
		t.Fatal(err)
	}
	if err := mirror.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestDoubles: which of the entries with one reference stays, and which go.
func TestDoubles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(double *ledger.RemoteEntry)
		gone   bool  // the entry that the ledger knows is deleted
		sent   bool  // a write of the entry is on its way
		keep   int64 // remote id afterwards
		remove []int64
	}{
		{name: "the same", keep: 71, remove: []int64{70, 72}},
		{name: "other hours", change: func(e *ledger.RemoteEntry) { e.Hours++ }, keep: 71, remove: []int64{72}},
		{name: "other notes", change: func(e *ledger.RemoteEntry) { e.Notes = "by hand" }, keep: 71, remove: []int64{72}},
		{name: "another day", change: func(e *ledger.RemoteEntry) { e.SpentDate++ }, keep: 71, remove: []int64{72}},
		{name: "locked", change: func(e *ledger.RemoteEntry) { e.IsLocked = true }, keep: 71, remove: []int64{72}},
		{name: "running", change: func(e *ledger.RemoteEntry) { e.IsRunning = true }, keep: 71, remove: []int64{72}},
		{name: "another reference", change: func(e *ledger.RemoteEntry) { e.ReferenceID += "1" }, keep: 71, remove: []int64{72}},
		{name: "of another program", change: func(e *ledger.RemoteEntry) { e.ReferenceGroup = "other" }, keep: 71, remove: []int64{72}},
		{name: "the known one is gone", gone: true, keep: 70, remove: []int64{72}},
		{name: "in doubt", sent: true, keep: 71},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			cell := f.cell(0, 0)
			f.plan(t, cell, 60, "note")
			f.push(t, nil)
			w := f.sent(t, 71)
			first, last := *f.made(w, 70), *f.made(w, 72)
			if tt.change != nil {
				tt.change(&first)
			}
			if tt.gone {
				if err := f.mirror(f.userID).MarkGone(t.Context(), []int64{71}); err != nil {
					t.Fatal(err)
				}
			}
			if tt.sent {
				f.plan(t, cell, 90, "note")
				f.push(t, nil)
				box := f.mustTake(t)
				if err := box.Begin(t.Context(), next(t, box)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // a second pull finds nothing new
				f.finishRun(t, first, last)
			}
			rows, err := f.pool.Query(t.Context(), "select remote_id from writes where op = 'remove_double' order by remote_id")
			if err != nil {
				t.Fatal(err)
			}
			var removed []int64
			for rows.Next() {
				var id int64
				if err := rows.Scan(&id); err != nil {
					t.Fatal(err)
				}
				removed = append(removed, id)
			}
			if rows.Err() != nil || !slices.Equal(removed, tt.remove) {
				t.Errorf("removes %v, want %v (%v)", removed, tt.remove, rows.Err())
			}
			if c := f.at(t, cell); c.Ours == nil || c.Ours.RemoteID != tt.keep {
				t.Errorf("keeps %+v, want %d", c.Ours, tt.keep)
			}
			if n := f.int(t, "select count(*) from audit_events where action = 'ledger.remove_double' and actor = 'furrow' and actor_id is null"); n != len(tt.remove) {
				t.Errorf("%d audit events", n)
			}
		})
	}
}
