package db_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/planner"
)

// shown are the rows of a week in which all are kept, as they are listed.
func (f *fixture) shown(t *testing.T, week planner.Week) (rows []planner.RowID) {
	t.Helper()
	var changes []db.RowChange
	for _, row := range f.rows {
		changes = append(changes, db.RowChange{Week: week, Row: row, Kept: true})
	}
	f.change(t, db.PlanChange{Kind: planner.ChangeEdit, Rows: changes})
	plan, err := f.store.WeekPlan(t.Context(), f.userID, week)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range plan.Rows {
		rows = append(rows, row.ID)
	}
	return rows
}

func (f *fixture) order(t *testing.T, clientID int64) (order db.Order) {
	t.Helper()
	f.in(t, func(tx *db.Tx) (err error) {
		order, err = tx.Order(t.Context(), f.userID, clientID)
		return err
	})
	return order
}

// TestOrder: clients and rows stand as the user has put them, in every week; what
// was never put anywhere follows by name; and it is taken back like any change.
func TestOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.assign(t, f.userID, assignment(1, 11, 21), assignment(1, 12, 21), assignment(2, 13, 22), assignment(1, 10, 22), assignment(3, 14, 22))
	_, list, err := f.store.WeekPage(t.Context(), f.userID, f.week)
	if err != nil {
		t.Fatal(err)
	}
	f.rows = nil
	for _, a := range list {
		f.rows = append(f.rows, a.ID) // 10, 11 and 12 of client 1, 13 of client 2, 14 of client 3
	}
	client := func(i int) int64 {
		return int64(f.int(t, "select client_id from projects where id = $1", f.rows[i].ProjectID))
	}
	as := func(at ...int) (rows []planner.RowID) {
		for _, i := range at {
			rows = append(rows, f.rows[i])
		}
		return rows
	}
	check := func(what string, want ...int) {
		t.Helper()
		for _, week := range []planner.Week{f.week, f.week.Next()} {
			if diff := cmp.Diff(as(want...), f.shown(t, week)); diff != "" {
				t.Errorf("%s, week %s (-want +got):\n%s", what, week, diff)
			}
		}
	}
	check("by name", 0, 1, 2, 3, 4)

	rows := f.change(t, db.PlanChange{Kind: planner.ChangeOrder, Order: &db.OrderChange{Week: f.week, ClientID: client(0), To: db.Order{Rows: as(2)}}})
	check("one row was put first", 2, 0, 1, 3, 4)
	clients := f.change(t, db.PlanChange{Kind: planner.ChangeOrder, Order: &db.OrderChange{Week: f.week, To: db.Order{Clients: []int64{client(4), client(0)}}}})
	check("two clients were put first", 4, 2, 0, 1, 3)
	again := f.change(t, db.PlanChange{Kind: planner.ChangeOrder, Order: &db.OrderChange{Week: f.week, ClientID: client(0), To: db.Order{Rows: as(1, 2)}}})
	check("rows were put anew", 4, 1, 2, 0, 3)
	if same := f.change(t, db.PlanChange{Kind: planner.ChangeOrder, Order: &db.OrderChange{Week: f.week, ClientID: client(0), To: db.Order{Rows: as(1, 2)}}}); same.Reordered || same.ID != 0 {
		t.Errorf("the same order is a change: %+v", same)
	}

	if _, err := f.undo(t.Context(), rows.ID, "first of two orders"); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("an order that was changed since was taken back: %v", err)
	}
	for i, step := range []struct {
		id   int64
		want []int
	}{{clients.ID, []int{1, 2, 0, 3, 4}}, {again.ID, []int{2, 0, 1, 3, 4}}, {rows.ID, []int{0, 1, 2, 3, 4}}} {
		undone, err := f.undo(t.Context(), step.id, "undo of an order "+string(rune('a'+i)))
		if err != nil || !undone.Reordered || undone.Kind != planner.ChangeOrder {
			t.Fatalf("undo %d: %+v, %v", i, undone, err)
		}
		check("undone", step.want...)
	}
	if _, err := f.redo(t.Context(), "redo of an order"); err != nil {
		t.Fatal(err)
	}
	if got := f.order(t, client(0)); !slices.Equal(got.Rows, as(2)) {
		t.Errorf("redone: %v", got)
	}
}

// An order holds what is the user's, and for rows what is the client's.
func TestOrderOfOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other, _ := f.user(t, "bob@example.com", 2)
	f.assign(t, other, assignment(3, 31, 41))
	theirs := int64(f.int(t, "select id from clients where user_id = $1", other))
	mine := int64(f.int(t, "select client_id from projects where id = $1", f.rows[0].ProjectID))
	for name, change := range map[string]db.OrderChange{
		"a client of another user": {To: db.Order{Clients: []int64{theirs}}},
		"a row of another client":  {ClientID: mine, To: db.Order{Rows: []planner.RowID{f.rows[2]}}},
		"rows of another user":     {ClientID: theirs, To: db.Order{Rows: []planner.RowID{f.rows[0]}}},
	} {
		change.Week = f.week
		err := f.store.InTx(t.Context(), func(tx *db.Tx) error {
			_, err := tx.ChangePlan(t.Context(), f.userID, db.PlanChange{Kind: planner.ChangeOrder, MutationID: "not theirs", Order: &change})
			return err
		})
		if !errors.Is(err, planner.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := f.int(t, "select (select count(*) from client_orders) + (select count(*) from row_orders)"); n != 0 {
		t.Errorf("%d positions are stored", n)
	}
}
