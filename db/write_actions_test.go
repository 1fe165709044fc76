package db_test

import (
	"errors"
	"slices"
	"testing"

	"furrow/db"
	"furrow/ledger"
)

// What Harvest has is taken as the owner would take it, if it is known, and if
// they have not planned otherwise since.
func TestResolveWrites(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.plan(t, f.cell(0, 0), 90, "")
	f.push(t, nil)
	f.sent(t, 501)
	f.plan(t, f.cell(0, 0), 120, "")
	f.push(t, nil)
	f.plan(t, f.cell(1, 0), 60, "")
	f.push(t, nil)
	f.exec(t, "update writes set state = 'conflict' where op = 'update'; update time_entries set hours = 50 where harvest_id = 501")
	changed := int64(f.int(t, "select id from writes where op = 'update'"))
	fresh := int64(f.int(t, "select id from writes where state = 'pending'"))
	resolve := func() (acted db.Acted) {
		f.in(t, func(tx *db.Tx) (err error) {
			acted, err = tx.ActOnWrites(ctx, db.ActResolve, []int64{changed, fresh}, "Agreed by telephone")
			return err
		})
		return acted
	}
	f.plan(t, f.cell(0, 0), 150, "")
	if acted := resolve(); len(acted.Changed) != 0 || acted.Spared[db.SparedEdited] != 1 || acted.Spared[db.SparedNothing] != 1 {
		t.Errorf("after another edit: %+v", acted)
	}
	f.plan(t, f.cell(0, 0), 120, "")
	if acted := resolve(); len(acted.Changed) != 1 || acted.Changed[0] != changed || acted.Before[ledger.Conflict] != 1 || acted.Spared[db.SparedNothing] != 1 {
		t.Errorf("resolved: %+v", acted)
	}
	if n := f.int(t, "select minutes from cells where project_id = $1 and date = $2", f.rows[0].ProjectID, f.week.Day(0)); n != 30 {
		t.Errorf("%d minutes are planned, want what Harvest has", n)
	}
	if n := f.int(t, "select count(*) from writes where id = $1 and state = 'dropped' and operator_note = 'Agreed by telephone'", changed); n != 1 {
		t.Error("the write is not given up with a reason")
	}
	if acted := resolve(); len(acted.Changed) != 0 {
		t.Errorf("again: %+v", acted)
	}
}

// TestActOnWritesMoved: what goes on between the look and the act is told like
// what had gone on before.
func TestActOnWritesMoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	for i := range 3 {
		f.plan(t, f.cell(i, 0), 60, "")
	}
	f.push(t, nil)
	ids := column[int64](t, f.pool, "select id from writes order by id")
	f.exec(t, "update writes set state = 'done' where id = $1", ids[0])
	sending, err := f.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sending.Exec(ctx, "update writes set state = 'sending' where id = $1", ids[1]); err != nil {
		t.Fatal(err)
	}
	var acted db.Acted
	cancelled := make(chan error, 1)
	go func() {
		cancelled <- f.store.InTx(ctx, func(tx *db.Tx) (err error) {
			acted, err = tx.ActOnWrites(ctx, db.ActCancel, ids, "")
			return err
		})
	}()
	f.blocked(t, 1)
	if err := errors.Join(sending.Commit(ctx), <-cancelled); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(acted.Changed, ids[2:]) || acted.Spared[db.SparedMoved] != 2 {
		t.Errorf("acted %+v on %v", acted, ids)
	}
}
