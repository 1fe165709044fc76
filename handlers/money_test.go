package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// moneyWeek is a user with work in two currencies, in their current week, with
// budgets that are nearly spent. Rows are by client and project; the first two
// are of one project.
type moneyWeek struct {
	*browser
	userID int64
	week   planner.Week
	path   string
	rows   []planner.RowID
}

func (b *testBundle) moneyWeek(rows int) *moneyWeek {
	b.t.Helper()
	ctx := b.t.Context()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	m := &moneyWeek{userID: b.ida(), week: planner.WeekOf(planner.DateOf(b.clockNow().UTC()), time.Monday)}
	m.path = "/weeks/" + m.week.String()
	must(b.store.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.Connect(ctx, m.userID, "a token", ledger.Account{
			AccountID: 1, UserID: 2, CompanyName: "Studio", WeekStart: time.Monday, TimeZone: "UTC", Clock: "24h", DurationFormat: planner.HoursMinutes, WeeklyCapacity: 35 * 60,
		})
		return err
	}))
	assigned := make([]ledger.Assignment, rows)
	for i := range assigned {
		assigned[i] = ledger.Assignment{
			ClientID: int64(1 + i/2), ClientName: fmt.Sprintf("Client %02d", i/2), Currency: []string{"EUR", "GBP"}[i/2%2],
			ProjectID: int64(10 + i/2), ProjectName: fmt.Sprintf("Project %02d", i/2), TaskID: int64(100 + i), TaskName: fmt.Sprintf("Task %02d", i),
			Billable: i != 1, HourlyRate: "60",
		}
	}
	mirror := b.store.Mirror(ledger.Run{UserID: m.userID})
	must(mirror.SaveAssignments(ctx, assigned))
	must(mirror.SaveBudgets(ctx, []ledger.ProjectBudget{
		{ProjectID: 10, BudgetBy: ledger.BudgetProject, Budget: "40", Spent: "36"},
		{ProjectID: 11, BudgetBy: ledger.BudgetCost, Budget: "1000", Spent: "940"},
		{ProjectID: 12, BudgetBy: ledger.BudgetTask, Budget: "10", Spent: "9.5"},
	}))
	must(b.store.SetGoal(ctx, m.userID, &planner.Goal{Amount: planner.Money{Minor: 50_000, Currency: "EUR"}, Every: planner.EveryWeek}))
	_, list, err := b.store.WeekPage(ctx, m.userID, m.week)
	must(err)
	must(b.store.InTx(ctx, func(tx *db.Tx) error {
		for _, a := range list {
			m.rows = append(m.rows, a.ID)
			if _, err := tx.KeepRow(ctx, m.userID, "a row of hers", m.week, a.ID); err != nil {
				return err
			}
		}
		return nil
	}))
	m.browser = b.loggedIn(idaEmail)
	return m
}

// cells posts texts into cells of the week, "row.day" by text, by htmx.
func (m *moneyWeek) cells(t *testing.T, to string, texts map[string]string, header ...string) answer {
	t.Helper()
	form := url.Values{"version": {m.get(m.path).field(t, "version")}}
	for at, text := range texts {
		var row, day int
		if _, err := fmt.Sscanf(at, "%d.%d", &row, &day); err != nil {
			t.Fatal(err)
		}
		form.Set("p."+rowKey(m.rows[row])+"."+strconv.Itoa(day), text)
	}
	got := m.post(m.path+to, form, append(header, htmxHeaders...)...)
	// Parts of tables are only read as such in templates, which is what htmx makes of them.
	got.body = strings.NewReplacer("<hx-partial", "<template", "</hx-partial", "</template").Replace(got.body)
	return got
}

// tells checks what parts of a page say, without white space; a leading "!" is
// for words that are not to be there.
func (a answer) tells(t *testing.T, step string, want map[string][]string) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", step, a.status, a.body)
	}
	for selector, all := range want {
		text := squeezed(a.text(t, selector))
		for _, words := range all {
			if words, absent := strings.CutPrefix(words, "!"); strings.Contains(text, squeezed(words)) == absent {
				t.Errorf("%s: %s says %q, want %q (absent: %t)", step, selector, text, words, absent)
			}
		}
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.moneyWeek(8)
	mark := func(row int) string { return "#b-" + rowKey(m.rows[row]) }
	m.get(m.path).tells(t, "nothing planned", map[string][]string{
		"#money": {
			"This week planned nothing earned nothing", "0.00 earned of 500.00 EUR each week", "500.00 EUR to go", "the plan falls 500.00 EUR short",
			"Project 00: 36:00 of 40:00, 4:00 left", "Project 01: 940.00 of 1,000.00 GBP, 60.00 left", "Project 02: 9:30 of 10:00, 0:30 left; by task, so without what is planned",
		},
		mark(0): {"4:00 of the budget left"}, mark(2): {"60.00 of the budget left"},
	})
	if n := m.get(m.path).page(t).Find(mark(1)).Length(); n != 0 {
		t.Error("the second row of a project tells its budget too")
	}

	// Five hours, of which one is not billed; and 2:30 in pounds.
	answered := m.cells(t, "/cells", map[string]string{"0.0": "4", "1.3": "1", "2.4": "2:30"})
	figures := map[string][]string{
		"#money": {
			"This week planned 240.00 EUR · 150.00 GBP earned nothing", "billable: 87 % of the planned hours", "the plan falls 260.00 EUR short",
			"Project 00: 41:00 of 40:00, crossed on Thursday", "Project 01: 1,090.00 of 1,000.00 GBP, crossed on Friday",
		},
		mark(0): {"over budget on Thursday"}, mark(2): {"over budget on Friday"},
	}
	answered.tells(t, "the answer", figures)
	m.get(m.path).tells(t, "the page", figures)
	// Only the heads of those days are sent, and all that depends on them.
	for selector, want := range map[string]int{
		"#week-head": 0, "#d0": 1, "#d1": 0, "#d2": 0, "#d3": 1, "#d4": 1, "#dw": 1, "#week-foot": 1, "#strip": 1, "#money": 1, "#b-" + rowKey(m.rows[4]): 0,
	} {
		if n := answered.page(t).Find(selector).Length(); n != want {
			t.Errorf("the answer has %s %d times, want %d", selector, n, want)
		}
	}
	weekend := m.cells(t, "/cells", map[string]string{"6.5": "0:15"}).page(t)
	if weekend.Find("#d4").Length() != 0 || weekend.Find("#d5").Length() != 1 || weekend.Find("#d6").Length() != 1 {
		t.Error("the days of a weekend are not sent together, which fold together")
	}
	m.cells(t, "/cells", map[string]string{"6.5": ""})
	// Another row of the project changes, and the mark of the first one with it.
	m.cells(t, "/cells", map[string]string{"1.3": ""}).tells(t, "less", map[string][]string{
		mark(0): {"0:00 of the budget left"}, "#money": {"Project 00: 40:00 of 40:00, 0:00 left"},
	})

	// What was tracked is earned, at the rate as it is now, and not ahead any more.
	entry := ledger.RemoteEntry{
		ID: 1, UserID: 2, ClientID: 1, ClientName: "Client 00", Currency: "EUR", ProjectID: 10, ProjectName: "Project 00", TaskID: 100, TaskName: "Task 00",
		SpentDate: m.week.Start, Hours: 300, Billable: true, CreatedAt: b.clockNow(), UpdatedAt: b.clockNow(),
	}
	if err := b.store.Mirror(ledger.Run{UserID: m.userID}).SaveEntry(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	m.get(m.path).tells(t, "tracked", map[string][]string{
		"#money": {"earned 180.00 EUR", "320.00 EUR to go", "the plan falls 260.00 EUR short", "100 % of the tracked", "Project 00: 37:00 of 40:00, 3:00 left"},
	})
	own := map[planner.RowID]planner.Rate{m.rows[0]: {PerHour: planner.Money{Minor: 20_000}, Known: true}}
	if err := b.store.SetRates(t.Context(), m.userID, own); err != nil {
		t.Fatal(err)
	}
	m.get(m.path).tells(t, "one's own rate", map[string][]string{
		"#money": {"planned 800.00 EUR", "earned 600.00 EUR", "600.00 earned of 500.00 EUR", "reached, and 100.00 EUR more", "!short"},
	})
	b.exec("update assignments set hourly_rate = null")
	m.get(m.path).tells(t, "without rates", map[string][]string{
		"#money": {"planned 800.00 EUR earned", "2:30 planned without a rate", "Project 01: 940.00 of 1,000.00 GBP, 60.00 left; 2:30 planned without a rate"},
	})

	// In another week it is told by its date.
	next := "/weeks/" + m.week.Next().String()
	m.cells(t, "/cells", map[string]string{"1.3": "5"})
	m.get(next).tells(t, "the week after", map[string][]string{
		"#money": {"crossed on " + m.week.Day(3).Format("2 January")},
	})
}

// A preview is what storing would give, without storing, in two round trips.
func TestPreview(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.moneyWeek(8)
	if got := m.cells(t, "/cells", map[string]string{"0.0": "2"}); got.status != http.StatusOK {
		t.Fatalf("status %d", got.status)
	}
	events := b.count("select count(*) from plan_events")
	before := b.queries.Load()
	typed := m.cells(t, "/preview", map[string]string{"0.0": "9", "3.2": "1:30", "2.2": "soon", "4.2": "30", "5.1": ""})
	if n := b.queries.Load() - before; n != 2 {
		t.Errorf("%d queries, want the session's for the page and for the preview, and the rest in batches", n)
	}
	sum := func(row int) string { return `[hx-target="#r-` + rowKey(m.rows[row]) + `>.sum"]` }
	typed.tells(t, "typed", map[string][]string{
		"#d0": {"9:00 of 7:00 2:00 over"}, "#d2": {"1:30 of 7:00 5:30 free"}, "#dw": {"10:30 of 35:00 24:30 free this week"},
		"#week-foot": {"10:30"}, "#strip": {"9:00"}, sum(0): {"9:00"}, sum(3): {"1:30"}, sum(2): {"!0"},
		"#money":                  {"planned 540.00 EUR · 90.00 GBP", "the plan reaches it", "Project 00: 45:00 of 40:00, crossed on Monday"},
		"#b-" + rowKey(m.rows[0]): {"over budget on Monday"},
	})
	if inputs := typed.page(t).Find("input:not([type=hidden])").Length(); inputs != 0 {
		t.Errorf("%d inputs are answered", inputs)
	}
	if !strings.Contains(squeezed(typed.text(t, "#d0")), "Push1") {
		t.Errorf("what can be sent is told by what is typed: %s", typed.text(t, "#d0"))
	}

	// Nothing typed any more: all is as it is stored.
	for step, texts := range map[string]map[string]string{"nothing": {}, "the stored text": {"0.0": "2:00"}, "nonsense": {"0.0": "never"}} {
		m.cells(t, "/preview", texts).tells(t, step, map[string][]string{
			"#d0": {"2:00 of 7:00 5:00 free"}, "#d2": {"0:00 of 7:00"}, "#money": {"planned 120.00 EUR", "Project 00: 38:00 of 40:00, 2:00 left"},
			sum(3): {"!1:30"}, "#b-" + rowKey(m.rows[0]): {"2:00 of the budget left"},
		})
	}
	if n := b.count("select count(*) from plan_events"); n != events {
		t.Errorf("%d changes were stored", n-events)
	}
	if got := m.post(m.path+"/preview", url.Values{"p.nonsense.1": {"1"}, "version": {"0"}}, htmxHeaders...); got.status != http.StatusNotFound {
		t.Errorf("a row of nonsense: status %d", got.status)
	}
}

// One change of a cell moves less than 3 kB over the wire, and so does a preview
// of it.
func TestChangeSize(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.moneyWeek(40)
	texts := map[string]string{}
	for row := range m.rows {
		texts[fmt.Sprintf("%d.%d", row, row%7)] = "1:15"
	}
	if got := m.cells(t, "/cells", texts); got.status != http.StatusOK {
		t.Fatalf("status %d", got.status)
	}
	for _, to := range []string{"/cells", "/preview"} {
		got := m.cells(t, to, map[string]string{"0.3": "2:30"}, "Accept-Encoding", "gzip")
		if got.status != http.StatusOK || got.header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: status %d, encoding %q", to, got.status, got.header.Get("Content-Encoding"))
		}
		t.Logf("%s: %d bytes", to, len(got.body))
		if len(got.body) > 3000 {
			t.Errorf("%s: %d bytes, at most 3000 are meant", to, len(got.body))
		}
	}
}

// Without rates, budgets and a goal there is no strip.
func TestMoneyWithoutAnything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	page := b.loggedIn(idaEmail).get("/weeks/2026-11-23")
	strip := page.page(t).Find("#money")
	if _, hidden := strip.Attr("hidden"); !hidden || strings.TrimSpace(strip.Text()) != "" {
		t.Errorf("there is nothing to tell, and it tells %q", strip.Text())
	}
}
