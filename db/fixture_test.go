package db_test

import (
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/ledger"
	"furrow/planner"
)

func TestMain(m *testing.M) {
	// These tests wait for each other and for the server more than they work. The command line comes later and wins.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// fixture is a user who is connected, with a few assignments.
type fixture struct {
	store        *db.Store
	pool         *pgxpool.Pool
	userID       int64
	connectionID int64
	week         planner.Week
	rows         []planner.RowID // as they are listed
}

const token = "canary-token-0123456789"

func account(id int64) ledger.Account {
	return ledger.Account{
		AccountID: 1000 + id, UserID: 2000 + id, CompanyName: "Ida Berg Studio", UserName: "Ida Berg", BaseURI: "https://idaberg.harvestapp.com",
		TimeZone: "Europe/Copenhagen", WeekStart: time.Monday, Clock: "24h", DurationFormat: planner.HoursMinutes, WeeklyCapacity: 2250, CompanyVisible: true,
	}
}

// assignment is a project of a client with a task, all with their number.
func assignment(client, project, task int64) ledger.Assignment {
	return ledger.Assignment{
		ClientID: client, ClientName: fmt.Sprintf("Client %d", client), Currency: "EUR", ProjectID: project, ProjectName: fmt.Sprintf("Project %d", project),
		ProjectCode: "P", TaskID: task, TaskName: fmt.Sprintf("Task %d", task), Billable: true, HourlyRate: "95.50",
	}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store, pool := dbtest.Store(t)
	f := &fixture{store: store, pool: pool, week: planner.Week{Start: planner.NewDate(2026, time.November, 23)}}
	f.userID, f.connectionID = f.user(t, "ida@example.com", 1)
	f.assign(t, f.userID, assignment(1, 11, 21), assignment(1, 12, 21), assignment(2, 13, 22))
	_, list, err := store.WeekPage(t.Context(), f.userID, f.week)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		f.rows = append(f.rows, a.ID)
	}
	return f
}

// user makes a connected user of a Harvest account of their own.
func (f *fixture) user(t *testing.T, email string, harvestID int64) (userID, connectionID int64) {
	t.Helper()
	userID, err := f.store.CreateUser(t.Context(), email, "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	f.in(t, func(tx *db.Tx) (err error) {
		connectionID, err = tx.Connect(t.Context(), userID, token, account(harvestID))
		return err
	})
	return userID, connectionID
}

// connectOthers makes n more connected users.
func (f *fixture) connectOthers(t *testing.T, n int) {
	t.Helper()
	f.exec(t, "insert into users (email, password_hash) select n || '@example.org', 'h' from generate_series(1, $1) n", n)
	f.exec(t, `insert into harvest_connections (user_id, state, credentials, harvest_account_id, harvest_user_id, company_name, harvest_user_name, base_uri,
		week_start, time_zone, clock, duration_format, weekly_capacity, timestamp_timers, company_visible)
		select u.id, 'ok', 'sealed', 1, u.id, '', '', '', 1, 'UTC', '24h', 'decimal', 2100, false, true
		from users u where u.id not in (select user_id from harvest_connections)`)
}

// in runs fn in a transaction that must succeed.
func (f *fixture) in(t *testing.T, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := f.store.InTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) mirror(userID int64) ledger.Mirror {
	return f.store.Mirror(ledger.Run{UserID: userID})
}

func (f *fixture) assign(t *testing.T, userID int64, list ...ledger.Assignment) {
	t.Helper()
	if err := f.mirror(userID).SaveAssignments(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) cell(i, d int) planner.CellID {
	return planner.CellID{RowID: f.rows[i], Date: f.week.Day(d)}
}

// everything is a form that has seen all events so far.
const everything = int64(1) << 60

func edit(cell planner.CellID, minutes planner.Minutes, note string, seen int64) db.CellEdit {
	return db.CellEdit{Cell: cell, Planned: minutes, Note: &note, MutationID: rand.Text(), Seen: seen}
}

func (f *fixture) plan(t *testing.T, cell planner.CellID, minutes planner.Minutes, note string) {
	t.Helper()
	f.in(t, func(tx *db.Tx) error {
		_, err := tx.EditCell(t.Context(), f.userID, edit(cell, minutes, note, everything))
		return err
	})
}

func (f *fixture) weekPlan(t *testing.T) ledger.WeekPlan {
	t.Helper()
	plan, err := f.store.WeekPlan(t.Context(), f.userID, f.week)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// at is a cell as the week shows it; the zero Cell if its row is not shown.
func (f *fixture) at(t *testing.T, id planner.CellID) ledger.Cell {
	t.Helper()
	for _, row := range f.weekPlan(t).Rows {
		if row.ID == id.RowID {
			return row.Cells[id.Date-f.week.Start]
		}
	}
	return ledger.Cell{}
}

func (f *fixture) int(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	if err := f.pool.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (f *fixture) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := f.pool.Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// waitFor waits until cond holds.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// blocked waits until n sessions of the database wait for a lock.
func (f *fixture) blocked(t *testing.T, n int) {
	t.Helper()
	waitFor(t, "a session that waits for a lock", func() bool {
		return f.int(t, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") >= n
	})
}
