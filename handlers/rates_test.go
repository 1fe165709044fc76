package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"furrow/ledger"
	"furrow/planner"
)

func everyDay(minutes planner.Minutes) (own [planner.DaysInWeek]planner.OwnCapacity) {
	for i := range own {
		own[i] = planner.OwnCapacity{Chosen: true, Minutes: minutes}
	}
	return own
}

func (b *testBundle) userID(email string) int64 {
	b.t.Helper()
	login, err := b.store.LoginByEmail(b.t.Context(), email)
	if err != nil {
		b.t.Fatal(err)
	}
	return login.UserID
}

// squeezed is a text without its white space, of which there are several kinds.
func squeezed(text string) string { return strings.Join(strings.Fields(text), "") }

func TestRates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	err := b.store.Mirror(ledger.Run{UserID: id}).SaveAssignments(t.Context(), []ledger.Assignment{
		{ClientID: 1, ClientName: "Birch <& Co>", Currency: "EUR", ProjectID: 11, ProjectName: "Webshop", TaskID: 21, TaskName: "Design", Billable: true, HourlyRate: "95.5"},
		{ClientID: 1, ClientName: "Birch <& Co>", Currency: "EUR", ProjectID: 11, ProjectName: "Webshop", TaskID: 22, TaskName: "Meetings"},
		{ClientID: 2, ClientName: "Harbour", Currency: "GBP", ProjectID: 12, ProjectName: "Catalogue", TaskID: 21, TaskName: "Design", Billable: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := b.loggedIn(idaEmail)
	page := in.get("/settings/rates")
	table := squeezed(page.text(t, ".rates table"))
	for _, want := range []string{"Birch<&Co>", "Design95.50EUR", "Meetingsnotbillable", "Designnotknown"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in %q", want, table)
		}
	}
	var names []string
	for _, node := range page.page(t).Find(".rates input").Nodes {
		for _, a := range node.Attr {
			if a.Key == "name" {
				names = append(names, a.Val)
			}
		}
	}
	if len(names) != 5 { // two projects, three tasks
		t.Fatalf("fields %v", names)
	}

	for _, typed := range []string{"-1", "much", "1,000", "1e3"} {
		got := in.post("/settings/rates", url.Values{names[0]: {"80"}, names[1]: {typed}})
		if got.status != http.StatusUnprocessableEntity || got.field(t, names[0]) != "80" || got.field(t, names[1]) != typed || !strings.Contains(got.text(t, ".rates"), notMoney) {
			t.Errorf("%q: status %d: %s", typed, got.status, got.text(t, ".rates"))
		}
	}
	if n := b.count("select count(*) from rate_overrides"); n != 0 {
		t.Errorf("%d rates were stored", n)
	}
	save := func(first, second string) {
		t.Helper()
		form := url.Values{}
		for _, name := range names {
			form.Set(name, "")
		}
		form.Set(names[0], first)
		form.Set(names[1], second)
		if got := in.post("/settings/rates", form); got.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
		page := in.get("/settings/rates")
		if page.field(t, names[0]) != first || page.field(t, names[1]) != second {
			t.Errorf("the fields hold %q and %q, want %q and %q", page.field(t, names[0]), page.field(t, names[1]), first, second)
		}
	}
	save("80.00", "120.25")
	save("", "0.00")
	save("", "")
	if got := in.post("/settings/rates", url.Values{"rate.nonsense": {"1"}}); got.status != http.StatusNotFound {
		t.Errorf("a row of nonsense: status %d", got.status)
	}
}

// The review of a push tells what its lines are worth by one's own rate.
func TestRatesInPush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	row, err := parseRowKey(ada.row, "-")
	if err != nil {
		t.Fatal(err)
	}
	b.exec("update assignments set billable = true, hourly_rate = 60")
	in := b.loggedIn(adaEmail)
	in.post(adaPath+"/cells", url.Values{"version": {in.get(adaPath).field(t, "version")}, "mutation_id": {"a new plan"}, "p." + ada.row + ".1": {"2"}})
	for _, tt := range []struct {
		own  planner.Rate
		want string
	}{
		{planner.Rate{}, "+120.00EUR"}, {planner.Rate{PerHour: planner.Money{Minor: 100_000}, Known: true}, "+2,000.00EUR"},
	} {
		if err := b.store.SetRates(t.Context(), ada.user, map[planner.RowID]planner.Rate{row: tt.own}); err != nil {
			t.Fatal(err)
		}
		if said := squeezed(in.get(adaPath+"/push").text(t, "main")); !strings.Contains(said, tt.want) {
			t.Errorf("own rate %v: %q is not in %q", tt.own, tt.want, said)
		}
	}
}

func TestGoal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ada()
	in := b.loggedIn(adaEmail)
	for _, tt := range []struct{ amount, currency, every, wantSaid string }{
		{"much", "EUR", "month", notMoney}, {"0", "EUR", "month", notMoney}, {"5", "€", "month", "Choose a currency"}, {"5", "EUR", "year", "each week or each month"},
	} {
		got := in.post("/settings/rates/goal", url.Values{"amount": {tt.amount}, "currency": {tt.currency}, "every": {tt.every}})
		if got.status != http.StatusUnprocessableEntity || got.field(t, "amount") != tt.amount || !strings.Contains(got.text(t, "main"), tt.wantSaid) {
			t.Errorf("%+v: status %d: %s", tt, got.status, got.text(t, "main"))
		}
	}
	for _, amount := range []string{"4500.50", ""} {
		if got := in.post("/settings/rates/goal", url.Values{"amount": {amount}, "currency": {"EUR"}, "every": {"week"}}); got.status != http.StatusSeeOther {
			t.Fatalf("status %d", got.status)
		}
		if page := in.get("/settings/rates"); page.field(t, "amount") != amount {
			t.Errorf("the goal is %q, want %q", page.field(t, "amount"), amount)
		}
	}
}
