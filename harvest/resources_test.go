package harvest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

// withToken acts with another personal token of account 1001.
func withToken(token ledger.Secret, userID int64) func(*harvest.Config, *harvest.Credentials) {
	return func(_ *harvest.Config, c *harvest.Credentials) {
		c.Tokens, c.UserID = ledger.StaticToken(token), userID
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	for _, paging := range []string{"page", "cursor", "mixed"} {
		for _, size := range []int{1, 3, 2000} {
			t.Run(paging, func(t *testing.T) {
				t.Parallel()
				b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.PageSize = size })
				b.Switch(t, map[string]any{"paging": map[string]string{"*": paging}, "limits": map[string]int{"general": 0}})
				b.checkResources(t)
			})
		}
	}
}

// checkResources compares every list with what the sandbox holds.
func (b *testBundle) checkResources(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	account := b.State(t).Account(sandboxtest.AccountID)

	clients, err := b.client.Clients(ctx, ledger.ResourceFilter{})
	if err != nil || len(clients) != len(account.Clients) || len(clients) < 4 {
		t.Fatalf("%d clients of %d, %v", len(clients), len(account.Clients), err)
	}
	for _, want := range account.Clients {
		i := slices.IndexFunc(clients, func(c ledger.Client) bool { return c.ID == want.ID })
		if i < 0 || clients[i].Name != want.Name || clients[i].Currency != want.Currency || clients[i].IsActive != want.IsActive || clients[i].UpdatedAt.IsZero() {
			t.Errorf("client %+v is not in %+v", want, clients)
		}
	}

	projects, err := b.client.Projects(ctx, ledger.ResourceFilter{})
	if err != nil || len(projects) != len(account.Projects) || len(projects) < 4 {
		t.Fatalf("%d projects of %d, %v", len(projects), len(account.Projects), err)
	}
	for _, want := range account.Projects {
		i := slices.IndexFunc(projects, func(p ledger.Project) bool { return p.ID == want.ID })
		if i < 0 {
			t.Errorf("project %d is missing", want.ID)
			continue
		}
		got := projects[i]
		if got.Name != want.Name || got.Code != want.Code || got.ClientID != want.Client.ID || got.ClientName != want.Client.Name || got.Currency != want.Client.Currency ||
			got.IsActive != want.IsActive || got.IsBillable != want.IsBillable || string(got.BudgetBy) != want.BudgetBy || got.BudgetIsMonthly != want.BudgetIsMonthly {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		if want.Budget != nil && got.BudgetHours+got.BudgetMoney != ledger.Amount(want.Budget.String()) {
			t.Errorf("budget of %+v, want %v", got, want.Budget)
		}
		if got.BudgetBy.InMoney() && got.BudgetHours != "" || !got.BudgetBy.InMoney() && got.BudgetMoney != "" {
			t.Errorf("a budget in the wrong unit: %+v", got)
		}
	}
	of, err := b.client.Projects(ctx, ledger.ResourceFilter{OnlyActive: true, ClientID: projects[0].ClientID})
	if err != nil || len(of) == 0 || slices.ContainsFunc(of, func(p ledger.Project) bool { return p.ClientID != projects[0].ClientID || !p.IsActive }) {
		t.Errorf("projects of client %d: %+v, %v", projects[0].ClientID, of, err)
	}
	later, err := b.client.Projects(ctx, ledger.ResourceFilter{UpdatedSince: b.Now(t)})
	if err != nil || len(later) != 0 {
		t.Errorf("projects changed since now: %+v, %v", later, err)
	}

	tasks, err := b.client.Tasks(ctx, ledger.ResourceFilter{})
	if err != nil || len(tasks) != len(account.Tasks) || len(tasks) < 4 {
		t.Fatalf("%d tasks of %d, %v", len(tasks), len(account.Tasks), err)
	}
	for _, want := range account.Tasks {
		if !slices.ContainsFunc(tasks, func(g ledger.Task) bool { return g.ID == want.ID && g.Name == want.Name && g.IsActive == want.IsActive }) {
			t.Errorf("task %+v is not in %+v", want, tasks)
		}
	}

	budgets, err := b.client.ProjectBudgets(ctx)
	if err != nil || len(budgets) == 0 {
		t.Fatalf("budgets %+v, %v", budgets, err)
	}
	for _, got := range budgets {
		i := slices.IndexFunc(account.Projects, func(p sandboxtest.Project) bool { return p.ID == got.ProjectID })
		if i < 0 || !got.IsActive || string(got.BudgetBy) != account.Projects[i].BudgetBy || got.ClientName == "" || (got.Spent == "") != (got.BudgetBy == ledger.BudgetNone) {
			t.Errorf("budget %+v", got)
			continue
		}
		if got.Budget != "" && !amount(t, got.Budget).Sub(amount(t, got.Spent)).Equal(amount(t, got.Remaining)) {
			t.Errorf("budget %+v does not add up", got)
		}
	}

	today := planner.DateOf(b.Now(t))
	open, err := b.client.Uninvoiced(ctx, today.AddDays(-90), today)
	if err != nil || len(open) == 0 {
		t.Fatalf("uninvoiced %+v, %v", open, err)
	}
	var total decimal.Decimal
	for _, got := range open {
		if got.ProjectID == 0 || got.ProjectName == "" || got.Currency == "" || amount(t, got.UninvoicedHours).GreaterThan(amount(t, got.TotalHours)) {
			t.Errorf("line %+v", got)
		}
		total = total.Add(amount(t, got.TotalHours))
	}
	var want decimal.Decimal
	for _, e := range account.Entries {
		if date, err := planner.ParseDate(e.SpentDate); err == nil && date >= today.AddDays(-90) && date <= today && !e.IsRunning {
			want = want.Add(e.RoundedHours)
		}
	}
	if total.Sub(want).Abs().GreaterThan(decimal.New(2, 0)) { // a running timer grows
		t.Errorf("%v hours in all, want %v", total, want)
	}
}

func amount(t *testing.T, a ledger.Amount) decimal.Decimal {
	t.Helper()
	d, err := decimal.NewFromString(string(a))
	if err != nil {
		t.Errorf("amount %q: %v", a, err)
	}
	return d
}

func TestUninvoicedPeriod(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, nil)
	today := planner.DateOf(b.Now(t))
	sent := b.count(t, sandboxtest.Match{Path: "/v2/reports"})
	for _, from := range []planner.Date{today + 1, today.AddDays(-366)} {
		_, err := b.client.Uninvoiced(t.Context(), from, today)
		checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 0)
	}
	if n := sent(); n != 0 {
		t.Errorf("sent %d times", n)
	}
	if _, err := b.client.Uninvoiced(t.Context(), today.AddDays(-365), today); err != nil {
		t.Error(err)
	}
	for _, r := range b.requests(t, "/v2/reports/uninvoiced") {
		if !strings.Contains(r.Query, "to="+strings.ReplaceAll(today.String(), "-", "")) {
			t.Errorf("asked for %s", r.Query)
		}
	}
}

// TestRoles: what a member may not see is refused, and said to be.
func TestRoles(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, withToken(sandboxtest.MemberToken, sandboxtest.MemberUserID))
	today := planner.DateOf(b.Now(t))
	for name, call := range map[string]func(context.Context) error{
		"clients":    func(ctx context.Context) error { _, err := b.client.Clients(ctx, ledger.ResourceFilter{}); return err },
		"projects":   func(ctx context.Context) error { _, err := b.client.Projects(ctx, ledger.ResourceFilter{}); return err },
		"uninvoiced": func(ctx context.Context) error { _, err := b.client.Uninvoiced(ctx, today, today); return err },
	} {
		var refused *ledger.CallError
		if err := call(t.Context()); !errors.As(err, &refused) || refused.Class != ledger.Refused || refused.Reason != ledger.ReasonForbidden || refused.Status != http.StatusForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Budgets are told to whom the project shows them.
	budgets, err := b.client.ProjectBudgets(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, budget := range budgets {
		if budget.BudgetBy.InMoney() && budget.Spent != "" {
			t.Errorf("a member sees money: %+v", budget)
		}
	}
	// Timers are everybody's own.
	assignments, err := b.client.Assignments(t.Context())
	if err != nil || len(assignments) == 0 {
		t.Fatal(err)
	}
	a := assignments[0]
	timer, err := b.client.StartTimer(t.Context(), ledger.TimerStart{ProjectID: a.ProjectID, TaskID: a.TaskID, SpentDate: today}, "", "")
	if err != nil || timer.UserID != sandboxtest.MemberUserID || !timer.IsRunning {
		t.Errorf("timer %+v, %v", timer, err)
	}
}

// TestReportsPace: reports are asked for under their own limit.
func TestReportsPace(t *testing.T) {
	t.Parallel()
	gate := &gateLog{}
	b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.Gate = gate })
	if _, err := b.client.ProjectBudgets(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := gate.take(); got != "admit 1 reports reserve 0, succeeded" {
		t.Errorf("gate: %s", got)
	}
	b.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Path: "/v2/reports"}, Fault: sandbox.FaultStatus, Status: 429})
	today := planner.DateOf(b.Now(t))
	_, err := b.client.Uninvoiced(t.Context(), today, today)
	outcome{wait: time.Minute, status: 429}.check(t, err)
}

func TestTimers(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, b *testBundle) ledger.TimerStart {
		t.Helper()
		entry := b.freshEntry(t)
		return ledger.TimerStart{ProjectID: entry.ProjectID, TaskID: entry.TaskID, SpentDate: entry.SpentDate, Notes: "Grid ½"}
	}
	for _, mode := range []string{"duration", "timestamp"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, sandbox.SeedDemo, nil)
			b.Switch(t, map[string]any{"account_mode": mode})
			b.FreezeClock(t, b.Now(t).Truncate(24*time.Hour).Add(10*time.Hour))
			what := start(t, b)
			timer, err := b.client.StartTimer(t.Context(), what, "reference", "https://furrow.example/1")
			if err != nil || !timer.IsRunning || !timer.Is("reference") || timer.Notes != what.Notes || timer.Hours != 0 || timer.TimerBefore != 0 || !timer.TimerStartedAt.Equal(b.Now(t)) {
				t.Fatalf("started %+v, %v", timer, err)
			}
			b.Advance(t, 90*time.Minute)
			second, err := b.client.StartTimer(t.Context(), what, "", "")
			if err != nil || second.ID == timer.ID || second.ReferenceID != "" {
				t.Fatalf("started %+v, %v", second, err)
			}
			// One timer for each person: the first has stopped.
			first, err := b.client.Entry(t.Context(), timer.ID)
			if err != nil || first.IsRunning || first.Hours != 150 {
				t.Errorf("the first timer: %+v, %v", first, err)
			}
			_, err = b.client.StopTimer(t.Context(), timer.ID)
			if call := checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 422); call.Message == "" || call.Call != "PATCH /v2/time_entries/{id}/stop" {
				t.Errorf("error %+v", call)
			}
			b.Advance(t, 30*time.Minute)
			stopped, err := b.client.StopTimer(t.Context(), second.ID)
			if err != nil || stopped.IsRunning || stopped.Hours != 50 || stopped.TimerBefore != 0 || !stopped.TimerStartedAt.IsZero() {
				t.Errorf("stopped %+v, %v", stopped, err)
			}
			again, err := b.client.RestartTimer(t.Context(), timer.ID)
			if err != nil || !again.IsRunning || again.SpentDate != what.SpentDate || (again.ID == timer.ID) != (mode == "duration") {
				t.Fatalf("restarted %+v, %v", again, err)
			}
			if want := planner.Hours(150); mode == "duration" && again.TimerBefore != want {
				t.Errorf("restarted %+v, want %v from before", again, want)
			}
			_, err = b.client.RestartTimer(t.Context(), again.ID)
			checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 422)
			_, err = b.client.StopTimer(t.Context(), 1)
			checkCall(t, err, ledger.Refused, ledger.ReasonNotFound, 404)
			running := 0
			for _, e := range b.State(t).Entries() {
				if e.IsRunning && e.User.ID == sandboxtest.UserID {
					running++
				}
			}
			if running != 1 {
				t.Errorf("%d timers run", running)
			}
		})
	}

	t.Run("Twice", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, nil)
		what := start(t, b)
		b.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: http.MethodPost}, Fault: sandbox.FaultApplyTwice, Times: 1})
		timer, err := b.client.StartTimer(t.Context(), what, "reference", "")
		if err != nil {
			t.Fatal(err)
		}
		found, err := b.client.EntriesByReference(t.Context(), "reference")
		if err != nil || len(found) != 2 || found[0].ID != timer.ID || found[0].IsRunning || !found[1].IsRunning {
			t.Errorf("the look-up does not tell both: %+v, %v", found, err)
		}
	})

	t.Run("Locked", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, nil)
		entry := b.freshEntry(t)
		created, err := b.client.CreateEntry(t.Context(), entry, "r", "")
		if err != nil {
			t.Fatal(err)
		}
		b.Lock(t, sandboxtest.UserID, entry.SpentDate.String(), entry.SpentDate.String())
		_, err = b.client.RestartTimer(t.Context(), created.ID)
		checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 422)
		b.Switch(t, map[string]any{"lock_answer": "dropped"})
		same, err := b.client.RestartTimer(t.Context(), created.ID)
		if err != nil || same.IsRunning || same.ID != created.ID {
			t.Errorf("restarted %+v, %v", same, err)
		}
	})
}

// TestDeliveredTwice: a request that reaches Harvest twice has one answer; the
// look-up tells that there are two entries.
func TestDeliveredTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, nil)
	entry := b.freshEntry(t)
	b.Fault(t, sandboxtest.Fault{Fault: sandbox.FaultApplyTwice})
	created, err := b.client.CreateEntry(t.Context(), entry, "reference", "")
	if err != nil {
		t.Fatal(err)
	}
	found, err := b.client.EntriesByReference(t.Context(), "reference")
	if err != nil || len(found) != 2 || found[0].ID != created.ID {
		t.Fatalf("found %+v, %v", found, err)
	}
	notes := "changed"
	if updated, err := b.client.UpdateEntry(t.Context(), created.ID, ledger.Changes{Notes: &notes}); err != nil || updated.Notes != notes {
		t.Errorf("updated %+v, %v", updated, err)
	}
	for _, e := range found {
		if err := b.client.DeleteEntry(t.Context(), e.ID); err != nil {
			t.Error(err)
		}
	}
	if left := b.State(t).EntriesByReference("reference"); len(left) != 0 {
		t.Errorf("%d are left", len(left))
	}
}

// TestSwitches: whatever nobody knows of Harvest makes no difference to what
// is read and written.
func TestSwitches(t *testing.T) {
	t.Parallel()
	for _, switches := range []map[string]any{
		{"null_assignments": true},
		{"order_in_day": "lowest_id_first"},
		{"hours_digits": "truncated"},
		{"hours_and_times": "hours"},
		{"rename_touches_entries": true, "timer_touches_entries": true, "approval_touches_entries": false},
		{"budget_report_archived": true, "budget_report_without_budget": true},
		{"company_for_members": "200"},
		{"hours_zero_starts_timer": false},
		{"restart_new_entry": false, "account_mode": "timestamp"},
		{"account_mode": "timestamp", "clock": "12h", "time_format": "decimal"},
		{"delete_body": "empty"},
		{"missing_account_header": "implied"},
		{"rounding": "up_15"},
		{"timezone": "Hawaii"},
		{"project_requires": "all"},
		{"reference_limit": 100, "notes_limit": 1000},
	} {
		t.Run(fmt.Sprint(switches), func(t *testing.T) {
			t.Parallel()
			b := setup(t, sandbox.SeedDemo, nil)
			b.Switch(t, switches)
			b.checkResources(t)
			account, err := b.client.Account(t.Context())
			if err != nil || account.UserID != sandboxtest.UserID || !account.CompanyVisible {
				t.Errorf("account %+v, %v", account, err)
			}
			entry := b.freshEntry(t)
			created, err := b.client.CreateEntry(t.Context(), entry, "reference", "https://furrow.example/1")
			if err != nil || created.IsRunning || created.Hours != entry.Hours {
				t.Fatalf("created %+v, %v", created, err)
			}
			notes := "changed"
			if updated, err := b.client.UpdateEntry(t.Context(), created.ID, ledger.Changes{Notes: &notes}); err != nil || updated.Notes != notes || updated.Hours != entry.Hours {
				t.Errorf("updated %+v, %v", updated, err)
			}
			again, err := b.client.RestartTimer(t.Context(), created.ID)
			if err != nil || !again.IsRunning {
				t.Fatalf("restarted %+v, %v", again, err)
			}
			if stopped, err := b.client.StopTimer(t.Context(), again.ID); err != nil || stopped.IsRunning {
				t.Errorf("stopped %+v, %v", stopped, err)
			}
			found, err := b.client.EntriesByReference(t.Context(), "reference")
			if err != nil || len(found) == 0 || found[0].ID != created.ID {
				t.Errorf("found %+v, %v", found, err)
			}
			if err := b.client.DeleteEntry(t.Context(), created.ID); err != nil {
				t.Error(err)
			}
			_, err = b.client.Entry(t.Context(), created.ID)
			checkCall(t, err, ledger.Refused, ledger.ReasonNotFound, 404)
		})
	}

	t.Run("Limits", func(t *testing.T) {
		t.Parallel()
		for _, limit := range []map[string]any{
			{"throttle_body": "html"}, {"throttle_body": "empty"}, {"throttle_body": "json"}, {"throttle_status": 503}, {"limits_per": "account"}, {"limits_per": "ip"},
		} {
			b := setup(t, sandbox.SeedEmpty, nil)
			b.Switch(t, limit)
			b.Switch(t, map[string]any{"limits": map[string]int{"general": 1, "hourly": 0}})
			var wait *ledger.WaitError
			for range 3 {
				if _, err := b.client.Tasks(t.Context(), ledger.ResourceFilter{}); err != nil && !errors.As(err, &wait) {
					t.Errorf("%v: %v", limit, err)
				}
			}
			if wait == nil || wait.Why != ledger.WaitAsked || wait.Wait > 20*time.Second {
				t.Errorf("%v: %v, want to be asked to wait", limit, wait)
			}
		}
	})

	t.Run("OAuth", func(t *testing.T) {
		t.Parallel()
		for _, answer := range []string{"401", "400"} {
			b := setupOAuth(t, sandbox.SeedEmpty, func(cfg *harvest.Config) { cfg.ClientSecret = "client-canary" })
			b.Switch(t, map[string]any{"wrong_client": answer})
			_, err := b.harvest.Refresh(t.Context(), "refresh-canary")
			if !errors.Is(err, ledger.ErrClientRefused) || errors.Is(err, ledger.ErrAccessRevoked) {
				t.Errorf("%s: %v", answer, err)
			}
			b.noneOf(t, err, "client-canary", "refresh-canary")
		}
		b := setupOAuth(t, sandbox.SeedEmpty, nil)
		b.Switch(t, map[string]any{"code_life_s": 30, "registered_redirect": callback})
		b.connect(t)
		code := b.code(t)
		b.Advance(t, 31*time.Second)
		if _, err := b.harvest.Exchange(t.Context(), code, verifier, callback); !errors.Is(err, ledger.ErrAccessRevoked) {
			t.Errorf("a code of 31 seconds ago: %v", err)
		}
	})
}

func TestReferences(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, nil)
	entry := b.freshEntry(t)
	for _, body := range []string{"object", "empty"} {
		b.Switch(t, map[string]any{"delete_body": body})
		made := b.WebCreate(t, map[string]any{
			"user_id": sandboxtest.UserID, "project_id": entry.ProjectID, "task_id": entry.TaskID, "spent_date": entry.SpentDate.String(), "hours": 2, "notes": "by hand",
		})
		adopted, err := b.client.SetReference(t.Context(), made.ID, "adopted", "https://furrow.example/2")
		if err != nil || !adopted.Is("adopted") || adopted.Hours != 200 || adopted.Notes != "by hand" {
			t.Errorf("adopted %+v, %v", adopted, err)
		}
		if err := b.client.DeleteReference(t.Context(), made.ID); err != nil {
			t.Error(err)
		}
		if now, err := b.client.Entry(t.Context(), made.ID); err != nil || now.ReferenceID != "" || now.Hours != 200 {
			t.Errorf("afterwards %+v, %v", now, err)
		}
		b.Switch(t, map[string]any{"drop_external_reference": true})
		if dropped, err := b.client.SetReference(t.Context(), made.ID, "dropped", ""); err != nil || dropped.Is("dropped") {
			t.Errorf("dropped %+v, %v", dropped, err)
		}
		b.Switch(t, map[string]any{"drop_external_reference": false})
	}
	_, err := b.client.SetReference(t.Context(), 1, "r", "")
	checkCall(t, err, ledger.Refused, ledger.ReasonNotFound, 404)
	_, err = b.client.SetReference(t.Context(), 1, "", "")
	checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 0)
	checkCall(t, b.client.DeleteReference(t.Context(), 1), ledger.Refused, ledger.ReasonNotFound, 404)
}

// TestCallsUnderFaults makes each newer call at a Harvest with each fault and
// looks for what must never be told. Reads and writes are judged as TestFaults
// has it, whatever the call is.
func TestCallsUnderFaults(t *testing.T) {
	t.Parallel()
	type judged struct {
		write, read ledger.Class // empty: it works
		wait        bool
	}
	status := func(status int) sandboxtest.Fault {
		return sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: status, Message: "no " + sandboxtest.Token}
	}
	for name, tt := range map[string]struct {
		fault sandboxtest.Fault
		want  judged
	}{
		"500":                 {status(500), judged{write: ledger.Unknown, read: ledger.Unknown}},
		"503":                 {status(503), judged{write: ledger.Unknown, read: ledger.Unknown}},
		"429":                 {sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 429, RetryAfter: 3}, judged{wait: true}},
		"401":                 {status(401), judged{write: ledger.Refused, read: ledger.Refused}},
		"403":                 {status(403), judged{write: ledger.Refused, read: ledger.Refused}},
		"422":                 {status(422), judged{write: ledger.Refused, read: ledger.Refused}},
		"drop before":         {sandboxtest.Fault{Fault: sandbox.FaultDropBefore}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"apply then drop":     {sandboxtest.Fault{Fault: sandbox.FaultApplyThenDrop}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"apply then status":   {sandboxtest.Fault{Fault: sandbox.FaultApplyThenStatus}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"apply then truncate": {sandboxtest.Fault{Fault: sandbox.FaultApplyThenTruncate}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"apply late":          {sandboxtest.Fault{Fault: sandbox.FaultApplyLate, DelayMS: 1}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"apply twice":         {sandboxtest.Fault{Fault: sandbox.FaultApplyTwice}, judged{}},
		"slow body":           {sandboxtest.Fault{Fault: sandbox.FaultSlowBody, DelayMS: 9000}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"delay":               {sandboxtest.Fault{Fault: sandbox.FaultDelay, DelayMS: 9000}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"page with 200":       {sandboxtest.Fault{Fault: sandbox.FaultHTML200}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"huge body":           {sandboxtest.Fault{Fault: sandbox.FaultHugeBody, Bytes: 12 << 20}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"redirect":            {sandboxtest.Fault{Fault: sandbox.FaultRedirect}, judged{write: ledger.Unknown, read: ledger.Unknown}},
		"foreign next link":   {sandboxtest.Fault{Fault: sandbox.FaultForeignNextLink}, judged{read: ledger.Unknown}},
		"repeated next link":  {sandboxtest.Fault{Fault: sandbox.FaultRepeatNextLink}, judged{read: ledger.Unknown}},
		"no links":            {sandboxtest.Fault{Fault: sandbox.FaultNoLinks}, judged{read: ledger.Unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) {
				cfg.PageSize = 2
				if tt.fault.DelayMS > 1000 {
					cfg.WriteTimeout, cfg.ReadTimeout = 300*time.Millisecond, 300*time.Millisecond
				}
			})
			b.Switch(t, map[string]any{"limits": map[string]int{"general": 0}})
			entry := b.freshEntry(t)
			what := ledger.TimerStart{ProjectID: entry.ProjectID, TaskID: entry.TaskID, SpentDate: entry.SpentDate}
			running, err := b.client.StartTimer(t.Context(), what, "running", "")
			if err != nil {
				t.Fatal(err)
			}
			for call, do := range map[string]func(context.Context) error{
				"GET clients":  func(ctx context.Context) error { _, err := b.client.Clients(ctx, ledger.ResourceFilter{}); return err },
				"GET projects": func(ctx context.Context) error { _, err := b.client.Projects(ctx, ledger.ResourceFilter{}); return err },
				"GET tasks":    func(ctx context.Context) error { _, err := b.client.Tasks(ctx, ledger.ResourceFilter{}); return err },
				"GET budgets":  func(ctx context.Context) error { _, err := b.client.ProjectBudgets(ctx); return err },
				"GET uninvoiced": func(ctx context.Context) error {
					_, err := b.client.Uninvoiced(ctx, entry.SpentDate.AddDays(-200), entry.SpentDate)
					return err
				},
				"POST start":       func(ctx context.Context) error { _, err := b.client.StartTimer(ctx, what, "started", ""); return err },
				"PATCH reference":  func(ctx context.Context) error { _, err := b.client.SetReference(ctx, running.ID, "r", ""); return err },
				"DELETE reference": func(ctx context.Context) error { return b.client.DeleteReference(ctx, running.ID) },
			} {
				b.ClearFaults(t)
				armed := tt.fault
				armed.Match.Method, _, _ = strings.Cut(call, " ")
				b.Fault(t, armed)
				began := time.Now()
				err := do(t.Context())
				if took := time.Since(began); took > 2*time.Second+2*time.Second { // and a busy machine
					t.Errorf("%s: took %v", call, took)
				}
				want := tt.want.write
				if armed.Match.Method == http.MethodGet {
					want = tt.want.read
				} else if n := b.Faults(t)[0].Matched; n != 1 {
					t.Errorf("%s: sent %d times", call, n)
				}
				var failed *ledger.CallError
				var wait *ledger.WaitError
				switch {
				case tt.want.wait:
					if !errors.As(err, &wait) {
						t.Errorf("%s: %v, want to wait", call, err)
					}
				case want == "":
					if err != nil {
						t.Errorf("%s: %v", call, err)
					}
				case !errors.As(err, &failed) || failed.Class != want:
					t.Errorf("%s: %v, want class %s", call, err, want)
				}
				b.noSecret(t, err)
			}
		})
	}
}

// TestMemoryStaysFlat: an answer of a gigabyte costs no more than the largest
// that is read, and none of it is kept. Not parallel, because it measures the
// whole process.
func TestMemoryStaysFlat(t *testing.T) { //nolint:paralleltest // see above
	b := setup(t, sandbox.SeedDemo, nil)
	b.Fault(t, sandboxtest.Fault{Fault: sandbox.FaultHugeBody, Bytes: 1 << 30})
	measure := func() (m runtime.MemStats) {
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m
	}
	before := measure()
	for range 3 {
		_, err := b.client.Clients(t.Context(), ledger.ResourceFilter{})
		checkCall(t, err, ledger.Unknown, ledger.ReasonUnreadable, 200)
	}
	after := measure()
	if used := after.TotalAlloc - before.TotalAlloc; used > 3*80<<20 { // half of it without the race detector
		t.Errorf("three such answers took %d MB", used>>20)
	}
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 16<<20 { // one answer is twice as long, or more
		t.Errorf("%d MB are kept of them", kept>>20)
	}
}

// TestQuickRetriesAreShort: what is tried again at once is over in two seconds.
func TestQuickRetriesAreShort(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, nil)
	b.Fault(t, sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 500})
	began := time.Now()
	_, err := b.client.Tasks(t.Context(), ledger.ResourceFilter{})
	checkCall(t, err, ledger.Unknown, ledger.ReasonServer, 500)
	if took, tries := time.Since(began), b.Faults(t)[0].Matched; took > 2*time.Second || tries != 3 {
		t.Errorf("%d tries in %v", tries, took)
	}
}
