package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
)

// budgetLeaves gives a project of the demo account a budget of which so many
// hours are left.
func budgetLeaves(tb testing.TB, sandbox sandboxtest.Control, project string, hours float64) {
	tb.Helper()
	ask := func(method, path string, in any) (body []byte) {
		status, body := sandbox.API(tb, sandboxtest.Token, method, path, in)
		if status != http.StatusOK {
			tb.Fatalf("%s %s: %d %s", method, path, status, body)
		}
		return body
	}
	for _, p := range sandbox.State(tb).Account(sandboxtest.AccountID).Projects {
		if p.Name != project {
			continue
		}
		path := fmt.Sprintf("/v2/projects/%d", p.ID)
		ask(http.MethodPatch, path, map[string]any{"budget_by": "project", "budget_is_monthly": false, "budget": 1})
		var report struct {
			Results []struct {
				ID    int64   `json:"project_id"`
				Spent float64 `json:"budget_spent"`
			} `json:"results"`
		}
		if err := json.Unmarshal(ask(http.MethodGet, "/v2/reports/project_budget", nil), &report); err != nil {
			tb.Fatal(err)
		}
		for _, r := range report.Results {
			if r.ID == p.ID {
				ask(http.MethodPatch, path, map[string]any{"budget": r.Spent + hours})
				return
			}
		}
	}
	tb.Fatalf("there is no budget of %s", project)
}

// seesNot waits until a text can be read nowhere on the page.
func (p *page) seesNot(text string) {
	p.tb.Helper()
	waitFor(p.tb, patience, fmt.Sprintf("%q to go", text), func() error {
		if seen := p.text(); strings.Contains(seen, text) {
			return fmt.Errorf("the page says: %s", seen)
		}
		return nil
	})
}

// While somebody types, the day says what is over and the budget names its day;
// Escape brings back what is stored. Capacity, the goal, rates and days off are
// set by plain forms.
func TestMoneyWhileTyping(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	r, day := freeRows()[0], today(t)
	budgetLeaves(t, sandboxtest.Control{BaseURL: program.URL}, r.project, 5)
	ida := newPerson(t, program)
	ida.setUp()
	ida.plan(day, freeRows()[:1], "1")
	p := openTab(t, program).loggedIn(ida)

	p.open("/settings/week")
	p.fill(day.Weekday().String(), "7") // today takes 7:00, whatever weekday it is
	p.click("button", "Save")
	p.sees("Your capacity is saved.")

	p.open("/week")
	head := func(want string) {
		t.Helper()
		p.find("columnheader", func(name string) bool { return strings.Contains(name, spoken(day)) && strings.Contains(name, want) })
	}
	crossed := "crossed on " + day.Weekday().String()
	head("1:00 of 7:00 6:00 free")
	p.sees(r.project + ": ")
	p.seesNot(crossed)

	p.cell(r, day).write("9")
	head("9:00 of 7:00 2:00 over")
	p.sees(crossed)
	p.sees("over budget on " + day.Weekday().String())
	if stored := ida.get("/week").Find("#week-form input[value='1:00']").Length(); stored != 1 {
		t.Errorf("%d cells hold 1:00 while 9 is typed and not stored, want 1", stored)
	}
	p.press(kb.Escape)
	head("1:00 of 7:00 6:00 free")
	p.seesNot(crossed)

	// Once it is stored, the page says the same.
	p.edit(r, day, "9")
	p.cellHolds(r, day, "9:00")
	head("9:00 of 7:00 2:00 over")
	p.sees(crossed)

	p.click("link", "Set a goal")
	p.fill("Goal", "100000")
	p.click("button", "Save the goal")
	p.sees("Your goal is 100,000.00 EUR each month.")
	p.fill("Rate for "+r.String(), "200")
	p.click("button", "Save the rates")
	p.sees("Your rates are saved.")
	p.open("/week")
	p.sees("planned 1,800.00 EUR")
	p.sees("EUR to go")

	p.clickOn("button", begins("Day off on "+spoken(day)))
	p.sees(spoken(day) + " is a day off now.")
	head("9:00 on a day off")
	p.clickOn("button", begins("Work on "+spoken(day)))
	p.sees(spoken(day) + " is a working day again.")
	head("2:00 over")
}
