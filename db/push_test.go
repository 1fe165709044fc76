package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

func (f *fixture) states(t *testing.T) map[ledger.State]int {
	t.Helper()
	counts, err := f.store.CountWrites(t.Context(), db.WriteFilter{UserID: f.userID})
	if err != nil {
		t.Fatal(err)
	}
	return counts.ByState
}

func TestPushIsStoredOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.plan(t, f.cell(0, 0), 60, "")
	const mutation = "the-same-form"
	again := make(chan error, 1)
	f.in(t, func(tx *db.Tx) error {
		if n, err := f.pushIn(ctx, tx, mutation, nil); err != nil || n != 1 {
			t.Errorf("%d lines, %v", n, err)
		}
		go func() { // a double click
			again <- f.store.InTx(context.WithoutCancel(ctx), func(tx *db.Tx) error {
				n, err := f.pushIn(context.WithoutCancel(ctx), tx, mutation, nil)
				if n != 0 {
					t.Errorf("the second click stored %d lines", n)
				}
				return err
			})
		}()
		f.blocked(t, 1)
		return nil
	})
	if err := <-again; err != nil {
		t.Error(err)
	}
	if n := f.int(t, "select count(*) from writes"); n != 1 {
		t.Errorf("%d writes", n)
	}
}

// TestSupersede: what has provably not been sent gives way to what is meant
// now; what may have been sent does not.
func TestSupersede(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	cell := f.cell(0, 0)
	f.plan(t, cell, 60, "one")
	f.push(t, nil)
	if n := f.push(t, nil); n != 0 {
		t.Errorf("%d lines while the same waits", n)
	}
	f.plan(t, cell, 90, "two")
	f.push(t, nil)
	if s := f.states(t); s[ledger.Superseded] != 1 || s[ledger.Pending] != 1 {
		t.Errorf("states %v", s)
	}
	box := f.mustTake(t)
	w := next(t, box)
	if w.Op != ledger.OpCreate || w.Entry.Hours != 150 || w.Entry.Notes != "two" {
		t.Errorf("write %+v", w)
	}
	if err := box.Begin(ctx, w); err != nil {
		t.Fatal(err)
	}

	// On its way: what is meant later waits behind it, and only the last of that.
	f.plan(t, cell, 105, "three")
	if n := f.push(t, nil); n != 1 {
		t.Errorf("%d lines over one on its way", n)
	}
	f.plan(t, cell, 120, "three")
	if n := f.push(t, nil); n != 1 {
		t.Errorf("%d lines over one on its way", n)
	}
	if s := f.states(t); s[ledger.Sending] != 1 || s[ledger.Pending] != 1 || s[ledger.Superseded] != 2 {
		t.Errorf("states %v", s)
	}
	if first := next(t, box); first.ID != w.ID {
		t.Errorf("write %d comes before the one that is on its way", first.ID)
	}
	line := ledger.Line{Cell: cell, Ticked: true, Planned: 120, Note: "three", Hours: 200}
	for _, action := range []ledger.LineAction{ledger.LineSkip, ledger.LineBlocked} {
		line.Action = action
		err := f.store.InTx(ctx, func(tx *db.Tx) error {
			return tx.AddWrites(ctx, f.userID, f.connectionID, ledger.Connected, f.weekPlan(t), []ledger.Line{line}, "stale-form")
		})
		if !errors.Is(err, planner.ErrConflict) {
			t.Errorf("a %s line: %v", action, err)
		}
	}

	// Proven not applied: the last version goes out instead, as one create.
	settle(t, box, w, ledger.Result{State: ledger.Retry, Wait: time.Hour, Attempt: ledger.Attempt{Outcome: "not_sent", Reason: "unreachable"}})
	got := next(t, box)
	if got.Op != ledger.OpCreate || got.Entry.Notes != "three" || got.Entry.Hours != 200 || got.Reference != w.Reference {
		t.Errorf("write %+v", got)
	}
	if err := box.Settle(ctx, w, ledger.Result{State: ledger.Done}); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("the end of a superseded write: %v", err)
	}

	// Taken back before it was sent: nothing is left of it.
	f.plan(t, cell, 0, "")
	if n := f.push(t, func(l ledger.Line) bool { return l.Reason == ledger.LineTakenBack }); n != 1 {
		t.Errorf("%d lines", n)
	}
	none(t, box)
	if c := f.at(t, cell); c.Ours != nil || c.Mark() != ledger.MarkBlank {
		t.Errorf("cell %+v", c)
	}
	if s := f.states(t); s[ledger.Superseded] != 4 || len(s) != 1 {
		t.Errorf("states %v", s)
	}
}

// TestSupersedeChanges: the same for changes of an entry that is in Harvest.
func TestSupersedeChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cell := f.cell(0, 0)
	f.plan(t, cell, 60, "one")
	f.push(t, nil)
	f.sent(t, 70)

	f.plan(t, cell, 90, "two")
	f.push(t, nil)
	f.plan(t, cell, 0, "")
	f.push(t, nil)
	f.plan(t, cell, 30, "three")
	f.push(t, nil)
	if s := f.states(t); s[ledger.Superseded] != 2 || s[ledger.Pending] != 1 || s[ledger.Done] != 1 {
		t.Errorf("states %v", s)
	}
	if w := f.sent(t, 70); w.Op != ledger.OpUpdate || w.RemoteID != 70 || w.Entry.Hours != 50 || w.Base.Hours != 100 {
		t.Errorf("write %+v", w)
	}
	if c := f.at(t, cell); c.Mark() != ledger.MarkInHarvest {
		t.Errorf("cell %+v", c.Ours)
	}
}

func TestLocalRowsAreNotSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	var row planner.RowID
	f.in(t, func(tx *db.Tx) (err error) {
		row, _, err = tx.AddLocalRow(ctx, f.userID, "a new row", f.week, db.RowName{Client: "Studio", Project: "Taxes", Task: "Forms"})
		return err
	})
	cell := planner.CellID{RowID: row, Date: f.week.Start}
	f.plan(t, cell, 60, "")
	if n := f.push(t, nil); n != 0 {
		t.Errorf("%d lines", n)
	}
	err := f.store.InTx(ctx, func(tx *db.Tx) error {
		line := ledger.Line{Cell: cell, Action: ledger.LineCreate, Planned: 60, Hours: 100}
		return tx.AddWrites(ctx, f.userID, f.connectionID, ledger.Connected, f.weekPlan(t), []ledger.Line{line}, "by-hand-made")
	})
	if !errors.Is(err, planner.ErrConflict) {
		t.Errorf("a row that is only here: %v", err)
	}
	if n := f.int(t, "select count(*) from writes"); n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestWithoutConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	nobody, err := f.store.CreateUser(t.Context(), "nobody@example.com", "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	err = f.store.InTx(t.Context(), func(tx *db.Tx) error {
		_, _, err := tx.LockConnection(t.Context(), nobody)
		return err
	})
	if !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("lock: %v", err)
	}
}

// TestRetryAndDrop: what a person may do with a write in each state.
func TestRetryAndDrop(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.plan(t, f.cell(0, 0), 60, "")
	f.push(t, nil)
	id := int64(f.int(t, "select id from writes"))
	other, _ := f.user(t, "jonas@example.com", 2)

	retry := func(filter db.WriteFilter) (ids []int64) {
		t.Helper()
		f.in(t, func(tx *db.Tx) (err error) {
			var connections []int64
			ids, connections, err = tx.RetryWrites(ctx, filter)
			if (len(connections) == 1) != (len(ids) > 0) {
				t.Errorf("connections %v for %v", connections, ids)
			}
			return err
		})
		return ids
	}
	drop := func(userID, id int64) error {
		return f.store.InTx(ctx, func(tx *db.Tx) error { return tx.DropWrite(ctx, userID, id) })
	}
	put := func(state ledger.State) {
		t.Helper()
		f.exec(t, "update writes set state = $1, failures = 3, not_before = now() + interval '1 hour' where id = $2", string(state), id)
	}
	for _, tt := range []struct {
		state       ledger.State
		retry, drop bool
	}{
		{ledger.Pending, false, true},
		{ledger.Sending, false, false},
		{ledger.Uncertain, false, false},
		{ledger.Retry, true, true},
		{ledger.Blocked, true, true},
		{ledger.Done, false, false},
		{ledger.Rejected, true, true},
		{ledger.Conflict, false, true},
		{ledger.Superseded, false, false},
		{ledger.Dropped, false, false},
	} {
		put(tt.state)
		if ids := retry(db.WriteFilter{UserID: other, ID: id}); len(ids) != 0 {
			t.Errorf("%s: somebody else retried it", tt.state)
		}
		if ids := retry(db.WriteFilter{UserID: f.userID, ID: id}); (len(ids) == 1) != tt.retry || tt.state.Retryable() != tt.retry {
			t.Errorf("%s: retried %v", tt.state, ids)
		} else if tt.retry {
			w := f.write(t, id)
			last := w.Attempts[len(w.Attempts)-1]
			if w.State != ledger.Pending || w.NotBefore.After(time.Now().Add(time.Second)) || last.Action != ledger.ActionRetry || last.Outcome != ledger.OutcomeByPerson {
				t.Errorf("%s: after the retry %+v", tt.state, w)
			}
		}
		put(tt.state)
		if err := drop(other, id); !errors.Is(err, planner.ErrNotFound) {
			t.Errorf("%s: somebody else dropped it: %v", tt.state, err)
		}
		err := drop(f.userID, id)
		if tt.drop && err != nil || !tt.drop && !errors.Is(err, planner.ErrConflict) {
			t.Errorf("%s: drop: %v", tt.state, err)
		}
		want := tt.state
		if tt.drop {
			want = ledger.Dropped
		}
		if w := f.write(t, id); w.State != want {
			t.Errorf("%s: after the drop %s", tt.state, w.State)
		}
	}
	if err := drop(0, 1<<40); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("drop nothing: %v", err)
	}

	// All that match a state, and not what a later write of the same entry has overtaken.
	put(ledger.Rejected)
	f.plan(t, f.cell(0, 0), 90, "")
	if n := f.push(t, nil); n != 1 {
		t.Fatalf("%d lines over a refused one", n)
	}
	if ids := retry(db.WriteFilter{States: []ledger.State{ledger.Rejected}}); len(ids) != 0 {
		t.Errorf("retried %v, which was overtaken", ids)
	}
	// Nothing is retried over a connection that needs its owner.
	f.plan(t, f.cell(1, 0), 90, "")
	f.push(t, nil)
	if err := f.store.RevokeConnection(ctx, f.connectionID); err != nil {
		t.Fatal(err)
	}
	if ids := retry(db.WriteFilter{}); len(ids) != 0 {
		t.Errorf("retried %v without access", ids)
	}
}

func TestWritesList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	for i := range 3 {
		f.plan(t, f.cell(i, i), 60, "note")
	}
	f.push(t, nil)
	other, _ := f.user(t, "jonas@example.com", 2)
	list := func(filter db.WriteFilter) []db.WriteRecord {
		t.Helper()
		list, err := f.store.Writes(ctx, filter)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	all := list(db.WriteFilter{})
	if len(all) != 3 || all[0].ID < all[2].ID || all[0].Email != "ida@example.com" || all[0].Entry.Notes != "note" || all[0].Connection != ledger.Connected ||
		all[0].Client == "" || all[0].BaseURI == "" {
		t.Errorf("writes %+v", all)
	}
	cell := f.cell(1, 1)
	for what, tt := range map[string]struct {
		filter db.WriteFilter
		want   int
	}{
		"mine":    {db.WriteFilter{UserID: f.userID}, 3},
		"theirs":  {db.WriteFilter{UserID: other}, 0},
		"state":   {db.WriteFilter{States: []ledger.State{ledger.Pending, ledger.Retry}}, 3},
		"done":    {db.WriteFilter{States: []ledger.State{ledger.Done}}, 0},
		"cell":    {db.WriteFilter{Cell: &cell}, 1},
		"before":  {db.WriteFilter{Before: all[0].ID}, 2},
		"at most": {db.WriteFilter{Most: 1}, 1},
		"id":      {db.WriteFilter{ID: all[1].ID}, 1},
	} {
		if got := list(tt.filter); len(got) != tt.want {
			t.Errorf("%s: %d writes, want %d", what, len(got), tt.want)
		}
	}
	if _, err := f.store.Write(ctx, other, all[0].ID); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("somebody else's write: %v", err)
	}
}
