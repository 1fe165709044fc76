package handlers

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
)

// TestHarvestAges: the page tells how old what it shows is, and shows it while
// Harvest is down too.
func TestHarvestAges(t *testing.T) {
	t.Parallel()
	stand := sandboxtest.Start(t, "")
	b := setup(t, throughHarvest(t, stand.URL))
	id := b.ida()
	ida := b.loggedIn(idaEmail)
	if got := ida.post("/settings/harvest", harvestForm(sandboxtest.Token, "1001")); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	stand.SetOutage(t, sandbox.Outage503)
	stand.ForgetRequests(t)

	shows := func(step string, want map[string][]string) {
		t.Helper()
		ida.get("/settings/harvest").tells(t, step, want)
	}
	const card = "section[aria-labelledby=h-budgets]"
	shows("connected", map[string][]string{
		"dl.pairs": {"Settings as of", "!Settings as of not read yet", "Projects and tasks as of not read yet", "Budgets as of not read yet"},
		card:       {"The next sync does that", "!not visible to you"},
	})

	mirror := b.store.Mirror(ledger.Run{UserID: id})
	if err := mirror.HideBudgets(t.Context()); err != nil {
		t.Fatal(err)
	}
	shows("hidden", map[string][]string{card: {"not visible to you", "!The next sync", "!As of"}})

	assignment := func(project int64, name string) ledger.Assignment {
		return ledger.Assignment{ClientID: 1, ClientName: "Birch <& Co>", Currency: "EUR", ProjectID: project, ProjectName: name, TaskID: 3, TaskName: "Design"}
	}
	if err := mirror.SaveAssignments(t.Context(), []ledger.Assignment{assignment(11, "Webshop"), assignment(12, "Catalogue"), assignment(13, "Shy")}); err != nil {
		t.Fatal(err)
	}
	err := mirror.SaveBudgets(t.Context(), []ledger.ProjectBudget{
		{ProjectID: 11, BudgetBy: ledger.BudgetProject, IsMonthly: true, Budget: "12", Spent: "13.25", Remaining: "-1.25"},
		{ProjectID: 12, BudgetBy: ledger.BudgetCost, Budget: "21000", Spent: "8250.5", Remaining: "12749.5"},
		{ProjectID: 13, BudgetBy: ledger.BudgetTaskMoney},
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{
		"dl.pairs":                             {"Budgets as of", "!not read yet"},
		card:                                   {"As of", "!not visible to you"},
		card + " tbody tr:nth-child(1)":        {"Catalogue", "Birch <& Co>", "21,000.00 EUR", "8,250.50 EUR", "12,749.50 EUR", "!per month"},
		card + " tbody tr:nth-child(2)":        {"Shy", "not shown not shown not shown"},
		card + " tbody tr:nth-child(3)":        {"Webshop", "12:00 per month 13:15 -1:15"},
		card + " tbody tr:nth-child(3) .mark":  {"-1:15"},
		card + " tbody tr:nth-child(4)":        {"!Webshop"},
		"section[aria-labelledby=h-account] p": {"connected"},
	}
	shows("read", rows)
	if err := mirror.HideBudgets(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows[card] = []string{"not visible to you", "As of"}
	shows("hidden later", rows)
	if got := ida.post("/settings", map[string][]string{"week_start": {""}, "duration_format": {"decimal"}, "time_zone": {""}}); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	shows("decimals", map[string][]string{card + " tbody tr:nth-child(3)": {"12 per month 13.25 -1.25"}})

	if calls := stand.Requests(t); slices.ContainsFunc(calls, func(r sandboxtest.Request) bool { return strings.HasPrefix(r.Path, "/v2/") }) {
		t.Errorf("the page asked Harvest: %v", calls)
	}
	b.user("bob@example.com", false)
	if page := b.loggedIn("bob@example.com").get("/settings/harvest"); strings.Contains(page.body, "Webshop") || page.text(t, "#h-budgets") != "" {
		t.Error("Bob sees Ida's budgets")
	}
}
