package jobs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

const (
	companyPath = "/v2/company"
	budgetsPath = "/v2/reports/project_budget"
)

// age makes a time of the connection longer ago.
func (b *bench) age(t *testing.T, column string, by time.Duration) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), "update harvest_connections set "+column+" = "+column+" - $1::interval where id = $2", by, b.connectionID)
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) connection(t *testing.T) ledger.Connection {
	t.Helper()
	c, err := b.store.Connection(t.Context(), b.userID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) budgets(t *testing.T) []db.Budget {
	t.Helper()
	list, err := b.store.Budgets(t.Context(), b.userID)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// pulledWell is a run that ended as if nothing had happened.
func (b *bench) pulledWell(t *testing.T) {
	t.Helper()
	if run := b.pulled(t); run.State != ledger.RunDone || run.Reason != "" {
		t.Errorf("run %+v", run)
	}
}

// TestPullSettings: settings that were changed in Harvest are taken over, once
// a day; what Harvest does not tell stays.
func TestPullSettings(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.run(t, b.work())
	b.pulledWell(t)
	before := b.connection(t)
	b.sandbox.Switch(t, map[string]any{
		"week_start_day": "Sunday", "time_format": "decimal", "clock": "12h", "timezone": "Eastern Time (US & Canada)", "account_mode": "timestamp",
	})
	b.pulledWell(t)
	if n := b.calls(t, http.MethodGet, companyPath); n != 0 {
		t.Errorf("settings of a moment ago were asked for %d times", n)
	}

	b.age(t, "account_at", 25*time.Hour)
	old := b.connection(t)
	b.fault(t, http.MethodGet, companyPath, sandbox.FaultStatus, 20, func(f *sandboxtest.Fault) { f.Status = 500 })
	b.pulledWell(t)
	tried := b.calls(t, http.MethodGet, companyPath)
	b.pulledWell(t)
	if now := b.calls(t, http.MethodGet, companyPath); tried == 0 || now != tried {
		t.Errorf("settings that Harvest does not tell were asked for %d times, then %d", tried, now)
	}
	if diff := cmp.Diff(old.Account, b.connection(t).Account); diff != "" || !b.connection(t).AccountAt.Equal(old.AccountAt) {
		t.Errorf("the settings did not stay: %s", diff)
	}

	b.sandbox.ClearFaults(t)
	b.age(t, "account_asked_at", 2*time.Hour)
	b.pulledWell(t)
	want := before.Account
	want.WeekStart, want.DurationFormat, want.Clock, want.TimeZone, want.TimestampTimers = time.Sunday, planner.Decimal, "12h", "America/New_York", true
	now := b.connection(t)
	// What connecting was told by these tests is not what the sandbox says.
	want.CompanyName, want.BaseURI, want.UserName, want.WeeklyCapacity = now.Account.CompanyName, now.Account.BaseURI, now.Account.UserName, now.Account.WeeklyCapacity
	if diff := cmp.Diff(want, now.Account); diff != "" || !now.AccountAt.After(old.AccountAt) {
		t.Errorf("as of %s: %s", now.AccountAt, diff)
	}
	if c, err := b.store.Credentials(t.Context(), b.connectionID); err != nil || !c.TimestampTimers {
		t.Errorf("credentials %+v, %v", c, err)
	}

	// Those who may not read the company any more keep what is known of it.
	b.age(t, "account_at", 25*time.Hour)
	b.age(t, "account_asked_at", 2*time.Hour)
	b.fault(t, http.MethodGet, companyPath, sandbox.FaultStatus, 20, func(f *sandboxtest.Fault) { f.Status = 403 })
	b.pulledWell(t)
	want = now.Account
	want.CompanyVisible = false
	if diff := cmp.Diff(want, b.connection(t).Account); diff != "" {
		t.Errorf("without the company: %s", diff)
	}
}

// TestFault26_AnotherUser: an answer for another user than the connection's is not
// stored, and nothing else is done with these credentials.
func TestFault26_AnotherUser(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	if _, err := b.pool.Exec(t.Context(), "update harvest_connections set harvest_user_id = $1, time_zone = 'Asia/Tokyo'", sandboxtest.MemberUserID); err != nil {
		t.Fatal(err)
	}
	b.age(t, "account_at", 25*time.Hour)
	b.run(t, b.work())
	if run := b.pulled(t); run.State != ledger.RunFailed || run.Reason != string(ledger.ReasonAuth) {
		t.Errorf("run %+v", run)
	}
	if c := b.connection(t); c.State != ledger.NeedsReauth || c.Account.TimeZone != "Asia/Tokyo" || c.Account.UserID != sandboxtest.MemberUserID {
		t.Errorf("connection %+v", c)
	}
	if n := b.calls(t, http.MethodGet, entriesPath); n != 0 {
		t.Errorf("%d lists of entries", n)
	}
}

// TestPullBudgets: read in the first run, then once an hour; a run without news
// stays at three calls.
func TestPullBudgets(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	if c := b.connection(t); !c.BudgetsAt.IsZero() || c.AccountAt.IsZero() || c.AssignmentsAt.IsZero() {
		t.Errorf("connection %+v", c)
	}
	b.run(t, b.work())
	b.pulledWell(t)
	if n, most := len(b.sandbox.Requests(t)), (b.mirrored(t)+1999)/2000+6; n > most {
		t.Errorf("the first import took %d calls, want %d at most", n, most)
	}
	found := map[string]db.Budget{}
	for _, budget := range b.budgets(t) {
		found[budget.ProjectName] = budget
	}
	for name, want := range map[string]db.Budget{
		"Webshop":            {Currency: "EUR", ProjectBudget: ledger.ProjectBudget{BudgetBy: ledger.BudgetProject, Budget: "460"}},
		"Catalogue Redesign": {Currency: "GBP", ProjectBudget: ledger.ProjectBudget{BudgetBy: ledger.BudgetCost, Budget: "21000"}},
	} {
		got := found[name]
		if got.BudgetBy != want.BudgetBy || got.Budget != want.Budget || got.Currency != want.Currency || got.Spent == "" || got.Remaining == "" {
			t.Errorf("%s: %+v, want %+v; of %v", name, got, want, found)
		}
	}
	at := b.connection(t).BudgetsAt
	if at.IsZero() {
		t.Error("nobody knows how old the budgets are")
	}

	b.sandbox.ForgetRequests(t)
	b.pulledWell(t)
	if calls := b.sandbox.Requests(t); len(calls) > 3 || b.calls(t, http.MethodGet, budgetsPath) != 0 {
		t.Errorf("%d calls for nothing new: %v", len(calls), calls)
	}
	b.age(t, "budgets_asked_at", 2*time.Hour)
	b.pulledWell(t)
	b.pulledWell(t)
	if n := b.calls(t, http.MethodGet, budgetsPath); n != 1 || !b.connection(t).BudgetsAt.After(at) {
		t.Errorf("budgets that are due were asked for %d times", n)
	}

	// Harvest is away: what it said last is still told.
	before, c := b.budgets(t), b.connection(t)
	b.sandbox.SetOutage(t, sandbox.Outage503)
	id := b.startRun(t)
	waitFor(t, "a run that waits", func() bool {
		run, err := b.store.RunStatus(t.Context(), b.userID, id)
		return err == nil && run.State == ledger.RunWaiting
	})
	now := b.connection(t)
	if diff := cmp.Diff(before, b.budgets(t)); diff != "" || !now.BudgetsAt.Equal(c.BudgetsAt) || !now.AssignmentsAt.Equal(c.AssignmentsAt) {
		t.Errorf("budgets do not stay: %s", diff)
	}
}

// TestPullBudgetsTrouble: whatever becomes of the report, the run ends well and
// the budgets stay as they were.
func TestPullBudgetsTrouble(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		fault      sandboxtest.Fault
		wantHidden bool
	}{
		{name: "403", fault: sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 403}, wantHidden: true},
		{name: "401", fault: sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 401}},
		{name: "18_429", fault: sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 429, RetryAfter: 900}},
		{name: "500", fault: sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 500}},
		{name: "dropped", fault: sandboxtest.Fault{Fault: sandbox.FaultDropBefore}},
		{name: "html", fault: sandboxtest.Fault{Fault: sandbox.FaultHTML200}},
		{name: "no answer", fault: sandboxtest.Fault{Fault: sandbox.FaultDelay, DelayMS: 30_000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.run(t, b.work())
			b.pulledWell(t)
			before, at := b.budgets(t), b.connection(t).BudgetsAt
			if len(before) == 0 {
				t.Fatal("no budgets")
			}
			tt.fault.Match, tt.fault.Times = sandboxtest.Match{Method: http.MethodGet, Path: budgetsPath}, 20
			b.sandbox.Fault(t, tt.fault)
			b.age(t, "budgets_asked_at", 2*time.Hour)
			b.pulledWell(t)
			struck := b.sandbox.Faults(t)[0].Struck
			if struck == 0 {
				t.Error("nobody asked")
			}
			c := b.connection(t)
			if diff := cmp.Diff(before, b.budgets(t)); diff != "" || c.BudgetsHidden != tt.wantHidden || !c.BudgetsAt.Equal(at) || c.State != ledger.Connected {
				t.Errorf("connection %+v: %s", c, diff)
			}
			b.pulledWell(t)
			if now := b.sandbox.Faults(t)[0].Struck; now != struck {
				t.Errorf("asked again at once: %d calls, then %d", struck, now)
			}

			// And when it is well again, it is as if nothing had been.
			b.sandbox.ClearFaults(t)
			b.age(t, "budgets_asked_at", 2*time.Hour)
			b.pulledWell(t)
			if c := b.connection(t); c.BudgetsHidden || !c.BudgetsAt.After(at) {
				t.Errorf("connection %+v", c)
			}
		})
	}
}

// TestPullBudgetsOfAMember: who is shown some budgets only gets those.
func TestPullBudgetsOfAMember(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{jonas: true})
	b.run(t, b.work())
	b.pulledWell(t)
	for _, budget := range b.budgets(t) {
		if budget.BudgetBy.InMoney() && budget.Spent != "" {
			t.Errorf("%+v", budget)
		}
	}
	if c := b.connection(t); c.BudgetsAt.IsZero() || c.BudgetsHidden {
		t.Errorf("connection %+v", c)
	}
}
