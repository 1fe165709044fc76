package harvest

import (
	"encoding/json"
	"strings"
	"testing"

	"furrow/ledger"
)

func TestDecodeList(t *testing.T) {
	t.Parallel()
	const end = `,"links":{"next":null}}`
	for _, tt := range []struct {
		body string
		want *ledger.Project // nil is an error
	}{
		{`{"projects":[{"id":"9007199254740993","name":7,"code":null,"client":null,"budget":"120.50","budget_by":"project","x":[]}]` + end,
			&ledger.Project{ID: 9007199254740993, Name: "7", IsActive: true, BudgetBy: ledger.BudgetProject, BudgetHours: "120.5"}},
		{`{"projects":[{"id":1,"is_active":false,"cost_budget":1e3,"budget":7,"budget_by":"project_cost","hourly_rate":0.10,"fee":null,"starts_on":""}]` + end,
			&ledger.Project{ID: 1, BudgetBy: ledger.BudgetCost, BudgetMoney: "1000", HourlyRate: "0.1"}},
		{`{"projects":[{"id":1,"budget":7,"budget_by":"task_fees","is_active":null}]` + end, &ledger.Project{ID: 1, IsActive: true, BudgetBy: ledger.BudgetTaskMoney, BudgetMoney: "7"}},
		{`{"projects":[{"id":1,"budget_by":null,"name":"a\u0000b"}]` + end, &ledger.Project{ID: 1, IsActive: true, BudgetBy: ledger.BudgetNone, Name: "ab"}},
		{`{"projects":[{"id":null}]` + end, nil},
		{`{"projects":[{"id":1.5}]` + end, nil},
		{`{"projects":[{"id":99999999999999999999}]` + end, nil},
		{`{"projects":[{"id":1,"budget":"canary"}]` + end, nil},
		{`{"projects":[{"id":1,"budget":1e400}]` + end, nil},
		{`{"projects":[{"id":1,"starts_on":"canary"}]` + end, nil},
		{`{"projects":[{"id":1,"updated_at":"canary"}]` + end, nil},
		{`{"projects":[{"id":1,"name":"a"}]}`, nil},
		{`{"projects":[{"id":1}],"links":{}}`, nil},
		{`{"projects":null` + end, nil},
		{`{"project":[]` + end, nil},
		{`canary`, nil},
	} {
		rows, next, err := decodeList([]byte(tt.body), "projects", readProject)
		switch {
		case tt.want == nil:
			if err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: error %v", tt.body, err)
			}
		case err != nil || next != "" || len(rows) != 1 || rows[0] != *tt.want:
			t.Errorf("%s:\n got %+v, %v\nwant %+v", tt.body, rows, err, *tt.want)
		}
	}
}

// FuzzDecodeList: every reader of a list refuses what is no JSON, and gives no
// row without an id and no amount that is no number.
func FuzzDecodeList(f *testing.F) {
	for _, seed := range []string{
		`{"rows":[{"id":1,"project_id":"2","name":"n","budget":1.50,"budget_spent":-3,"currency":"EUR","updated_at":"2026-01-15T14:02:11Z","starts_on":"2026-01-15"}],"links":{"next":"http://127.0.0.1/v2/x?page=2"}}`,
		`{"rows":[{"id":null,"client":null,"code":5}],"links":{"next":null}}`, `{"rows":[],"links":null}`, `{"rows":{}}`, `[]`, `null`, ``,
		`{"id":1,"spent_date":"2026-01-15","hours":1.5,"is_running":true,"timer_started_at":"2026-01-15T14:02:11Z","hours_without_timer":"0.5"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ids := func(ids []int64, err error, amounts ...ledger.Amount) {
			if err == nil && !json.Valid(body) {
				t.Error("no JSON, no error")
			}
			for _, id := range ids {
				if id <= 0 {
					t.Errorf("id %d", id)
				}
			}
			for _, a := range amounts {
				if _, err := exact(string(a)); a != "" && err != nil && len(a) <= 40 {
					t.Errorf("amount %q", a)
				}
			}
		}
		clients, _, err := decodeList(body, "rows", readClient)
		for _, r := range clients {
			ids([]int64{r.ID}, err)
		}
		projects, _, err := decodeList(body, "rows", readProject)
		for _, r := range projects {
			ids([]int64{r.ID}, err, r.HourlyRate, r.Fee, r.BudgetHours, r.BudgetMoney, r.WarnAtPercent)
		}
		tasks, _, err := decodeList(body, "rows", readTask)
		for _, r := range tasks {
			ids([]int64{r.ID}, err, r.HourlyRate)
		}
		budgets, _, err := decodeList(body, "rows", readBudget)
		for _, r := range budgets {
			ids([]int64{r.ProjectID}, err, r.Budget, r.Spent, r.Remaining)
		}
		open, _, err := decodeList(body, "rows", readUninvoiced)
		for _, r := range open {
			ids([]int64{r.ProjectID}, err, r.TotalHours, r.UninvoicedHours, r.UninvoicedExpenses, r.UninvoicedAmount)
		}
	})
}
