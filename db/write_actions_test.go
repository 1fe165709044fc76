package db_test

import (
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
	if _, err := f.pool.Exec(ctx, "update writes set state = 'conflict' where op = 'update'; update time_entries set hours = 50 where harvest_id = 501"); err != nil {
		t.Fatal(err)
	}
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
