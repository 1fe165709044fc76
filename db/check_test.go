package db_test

import (
	"testing"

	"furrow/db"
	"furrow/ledger"
)

func (f *fixture) check(t *testing.T, userID int64) ledger.Check {
	t.Helper()
	sent, found, err := f.store.WeekEntries(t.Context(), userID, f.week)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.CheckEntries(sent, found)
}

// copyOf lets Harvest have an entry once more under another id, with the
// reference that it had.
func (f *fixture) copyOf(t *testing.T, id, as int64) {
	t.Helper()
	_, err := f.pool.Exec(t.Context(), `insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, notes, reference_id, created_at, updated_at)
select user_id, $2, project_id, task_id, spent_date, hours, notes, reference_id, now(), now() from time_entries where harvest_id = $1`, id, as)
	if err != nil {
		t.Fatal(err)
	}
}

// TestWeekEntries: which entries in Harvest are the ones that were sent, which
// are doubles of them, and which nothing here knows.
func TestWeekEntries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other, _ := f.user(t, "jonas@example.com", 2)
	f.ours(t, f.cell(0, 0), 70)
	want := func(when string, sent, found, doubles int, kinds ...ledger.CheckKind) {
		t.Helper()
		check := f.check(t, f.userID)
		if check.Sent != sent || check.Found != found || check.Doubles != doubles || len(check.Findings) != len(kinds) {
			t.Fatalf("%s: %+v", when, check)
		}
		for i, kind := range kinds {
			if check.Findings[i].Kind != kind {
				t.Errorf("%s: finding %+v, want %s", when, check.Findings[i], kind)
			}
		}
	}
	want("sent", 1, 1, 0)
	f.copyOf(t, 70, 69)
	want("and once more", 1, 1, 1, ledger.CheckDouble)
	f.exec(t, "update time_entries set spent_date = spent_date + 30 where harvest_id = 69")
	want("and once more, in another month", 1, 1, 1, ledger.CheckDouble)
	f.gone(t, 69)

	// Moved onto another entry of ours, and taken: it is let go, and known for what it is.
	f.ours(t, f.cell(1, 1), 71)
	f.exec(t, "update time_entries set project_id = $1, task_id = $2, spent_date = $3 where harvest_id = 70",
		f.cell(1, 1).ProjectID, f.cell(1, 1).TaskID, f.cell(1, 1).Date)
	want("moved", 2, 2, 0, ledger.CheckMoved)
	if err := f.takeTheirs(t, f.cell(0, 0)); err != nil {
		t.Fatal(err)
	}
	want("moved, and taken", 1, 1, 0)

	// Deleted there and sent again: the first one has the reference of an earlier generation.
	f.gone(t, 71)
	want("deleted there", 1, 0, 0, ledger.CheckGone)
	f.push(t, func(l ledger.Line) bool { return l.Reason == ledger.LineGone })
	f.sent(t, 72)
	want("sent again", 1, 1, 0)
	f.exec(t, "update time_entries set deleted_at = null where harvest_id = 71")
	want("and the first one is back", 1, 1, 0, ledger.CheckUnknown)

	// A double that is being removed says so.
	f.gone(t, 71)
	f.copyOf(t, 72, 73)
	f.in(t, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, remote_id, mutation_id)
select user_id, connection_id, id, 'remove_double', 'r', '{}', 73, 'double 73' from pushed_entries where remote_id = 72`)
		return err
	})
	want("a double", 1, 1, 1, ledger.CheckDouble)
	if removal := f.check(t, f.userID).Findings[0].Found.Removal; removal == nil || removal.State != ledger.Pending {
		t.Errorf("removal %+v", removal)
	}
	if check := f.check(t, other); check.Sent != 0 || len(check.Findings) != 0 {
		t.Errorf("somebody else's: %+v", check)
	}
}
