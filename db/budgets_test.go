package db_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// ago makes the connection's times of reading and asking longer ago.
func (f *fixture) ago(t *testing.T, by time.Duration) {
	t.Helper()
	_, err := f.pool.Exec(t.Context(), `update harvest_connections set account_at = account_at - $1::interval, account_asked_at = account_asked_at - $1::interval,
		budgets_asked_at = budgets_asked_at - $1::interval where user_id = $2`, by, f.userID)
	if err != nil {
		t.Fatal(err)
	}
}

// TestDue: what has grown old is asked for by the first who finds out, and again
// after a while.
func TestDue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mirror := f.mirror(f.userID)
	check := func(step string, wantAccount, wantBudgets bool) {
		t.Helper()
		account, err := mirror.AccountDue(t.Context(), 24*time.Hour, time.Hour)
		if err != nil || account != wantAccount {
			t.Errorf("%s: settings are due: %t, %v; want %t", step, account, err, wantAccount)
		}
		budgets, err := mirror.BudgetsDue(t.Context(), time.Hour)
		if err != nil || budgets != wantBudgets {
			t.Errorf("%s: budgets are due: %t, %v; want %t", step, budgets, err, wantBudgets)
		}
	}
	check("connected", false, true)
	check("asked", false, false)
	f.ago(t, 61*time.Minute)
	check("after an hour", false, true)
	f.ago(t, 23*time.Hour)
	check("after a day", true, true)
	check("asked", false, false)
	f.ago(t, 61*time.Minute)
	check("not answered", true, true)
	if err := mirror.SaveAccount(t.Context(), account(1)); err != nil {
		t.Fatal(err)
	}
	f.ago(t, 2*time.Hour)
	check("answered", false, true)
	f.in(t, func(tx *db.Tx) error {
		_, err := tx.Connect(t.Context(), f.userID, token, account(1))
		return err
	})
	check("connected again", false, true)
}

func TestSaveAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mirror := f.mirror(f.userID)
	for _, change := range []func(*ledger.Account){
		func(a *ledger.Account) { a.AccountID++ },
		func(a *ledger.Account) { a.UserID++ },
	} {
		other := account(1)
		other.TimeZone = "Asia/Tokyo"
		change(&other)
		if err := mirror.SaveAccount(t.Context(), other); !errors.Is(err, planner.ErrConflict) {
			t.Errorf("of another: %v", err)
		}
	}
	f.user(t, "bob@example.com", 2)
	if c, err := f.store.Connection(t.Context(), f.userID); err != nil || c.Account != account(1) {
		t.Errorf("connection %+v, %v", c, err)
	}

	changed := account(1)
	changed.WeekStart, changed.TimestampTimers, changed.Clock, changed.WeeklyCapacity = time.Sunday, true, "12h", 1200
	if err := mirror.SaveAccount(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if c, err := f.store.Connection(t.Context(), f.userID); err != nil || c.Account != changed {
		t.Errorf("connection %+v, %v; want %+v", c, err, changed)
	}
	if c, err := f.store.Credentials(t.Context(), f.connectionID); err != nil || !c.TimestampTimers {
		t.Errorf("credentials %+v, %v", c, err)
	}
	if n := f.int(t, "select count(*) from harvest_connections where user_id <> $1 and clock = '24h'", f.userID); n != 1 {
		t.Error("somebody else's settings were changed")
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mirror := f.mirror(f.userID)
	bob, _ := f.user(t, "bob@example.com", 2)
	f.assign(t, bob, assignment(1, 11, 21))
	check := func(step string, userID int64, want ...db.Budget) {
		t.Helper()
		got, err := f.store.Budgets(t.Context(), userID)
		if diff := cmp.Diff(want, append([]db.Budget(nil), got...)); err != nil || diff != "" {
			t.Errorf("%s: %v %s", step, err, diff)
		}
	}
	hours := ledger.ProjectBudget{
		ProjectID: 12, ProjectName: "Project 12", ClientID: 1, ClientName: "Client 1", BudgetBy: ledger.BudgetProject, IsMonthly: true, IsActive: true,
		Budget: "460", Spent: "417.425", Remaining: "42.575",
	}
	money := ledger.ProjectBudget{
		ProjectID: 13, ProjectName: "Project 13", ClientID: 2, ClientName: "Client 2", BudgetBy: ledger.BudgetCost, IsActive: true,
		Budget: "21000.50", Remaining: "-1",
	}
	unknown := ledger.ProjectBudget{ProjectID: 99, ProjectName: "Not hers", BudgetBy: ledger.BudgetProject, Budget: "1"}
	none := ledger.ProjectBudget{ProjectID: 11, BudgetBy: ledger.BudgetNone}
	check("nothing read", f.userID)

	for range 2 {
		if err := mirror.SaveBudgets(t.Context(), []ledger.ProjectBudget{money, unknown, hours, none}); err != nil {
			t.Fatal(err)
		}
		check("read", f.userID, db.Budget{ProjectBudget: hours, Currency: "EUR"}, db.Budget{ProjectBudget: money, Currency: "EUR"})
	}
	check("of somebody else", bob)
	if n := f.int(t, "select count(*) from projects where harvest_id = 99"); n != 0 {
		t.Error("a project came into being by its budget")
	}

	if err := mirror.HideBudgets(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := f.store.Connection(t.Context(), f.userID)
	if err != nil || !c.BudgetsHidden || c.BudgetsAt.IsZero() {
		t.Errorf("hidden: %+v, %v", c, err)
	}
	check("hidden", f.userID, db.Budget{ProjectBudget: hours, Currency: "EUR"}, db.Budget{ProjectBudget: money, Currency: "EUR"})

	if err := mirror.SaveBudgets(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	check("none any more", f.userID)
	if c, err := f.store.Connection(t.Context(), f.userID); err != nil || c.BudgetsHidden {
		t.Errorf("seen again: %+v, %v", c, err)
	}
}
