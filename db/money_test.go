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

func known(minor int64, currency string) planner.Rate {
	return planner.Rate{PerHour: planner.Money{Minor: minor, Currency: currency}, Known: true}
}

// rates are those of the rows that the fixture's week shows.
func (f *fixture) rates(t *testing.T) map[planner.RowID]planner.Rate {
	t.Helper()
	rates := map[planner.RowID]planner.Rate{}
	for _, row := range f.weekPlan(t).Rows {
		rates[row.ID] = row.Rate
	}
	return rates
}

// A task's own rate goes before its project's, and both before Harvest's.
func TestRates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	free := assignment(1, 11, 23)
	free.Billable, free.HourlyRate = false, ""
	f.assign(t, f.userID, assignment(1, 11, 21), assignment(1, 11, 22), free, assignment(2, 13, 22))
	_, list, err := f.store.WeekPage(ctx, f.userID, f.week)
	if err != nil {
		t.Fatal(err)
	}
	var rows []planner.RowID
	for _, a := range list {
		rows = append(rows, a.ID)
	}
	if len(rows) != 4 {
		t.Fatalf("assignments %v", list)
	}
	for _, id := range rows {
		f.plan(t, planner.CellID{RowID: id, Date: f.week.Start}, 60, "")
	}
	check := func(step string, want ...planner.Rate) {
		t.Helper()
		got := f.rates(t)
		for i, id := range rows {
			if got[id] != want[i] {
				t.Errorf("%s: %s is %v, want %v", step, list[i].Task, got[id], want[i])
			}
		}
	}
	harvests := known(9550, "EUR")
	check("none of one's own", harvests, harvests, planner.Rate{}, harvests)

	project := planner.RowID{ProjectID: rows[0].ProjectID}
	set := func(rates map[planner.RowID]planner.Rate) {
		t.Helper()
		if err := f.store.SetRates(ctx, f.userID, rates); err != nil {
			t.Fatal(err)
		}
	}
	set(map[planner.RowID]planner.Rate{project: known(8000, ""), rows[1]: known(12_345, "")})
	check("project and task", known(8000, "EUR"), known(12_345, "EUR"), known(8000, "EUR"), harvests)
	set(map[planner.RowID]planner.Rate{rows[1]: known(0, "")})
	check("for nothing", known(8000, "EUR"), known(0, "EUR"), known(8000, "EUR"), harvests)

	listed, err := f.store.Rates(ctx, f.userID)
	if err != nil || len(listed) != 4 {
		t.Fatalf("%d rows, %v", len(listed), err)
	}
	if r := listed[1]; r.ID != rows[1] || r.Harvest != harvests || r.Own != known(0, "EUR") || r.OfProject != known(8000, "EUR") || !r.InHarvest || !r.Billable {
		t.Errorf("listed %+v", r)
	}

	set(map[planner.RowID]planner.Rate{project: {}, rows[1]: {}})
	check("Harvest's again", harvests, harvests, planner.Rate{}, harvests)

	// Nobody sets or sees somebody else's, and a form that tries stores nothing.
	other, _ := f.user(t, "jonas@example.com", 2)
	f.assign(t, other, assignment(1, 11, 21))
	theirs, err := f.store.Rates(ctx, other)
	if err != nil || len(theirs) != 1 {
		t.Fatalf("%v, %v", theirs, err)
	}
	err = f.store.SetRates(ctx, other, map[planner.RowID]planner.Rate{theirs[0].ID: known(1, ""), rows[0]: known(1, "")})
	if !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("somebody else's row: %v", err)
	}
	if n := f.int(t, "select count(*) from rate_overrides"); n != 0 {
		t.Errorf("%d rates are stored", n)
	}
	check("after Jonas", harvests, harvests, planner.Rate{}, harvests)
}

// What only exists here is billable once it has a rate.
func TestRatesOfLocalRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var id planner.RowID
	f.in(t, func(tx *db.Tx) (err error) {
		id, _, err = tx.AddLocalRow(t.Context(), f.userID, "a new row", f.week, db.RowName{Client: "Studio", Project: "Taxes", Task: "Forms"})
		return err
	})
	if row := f.weekPlan(t).Rows[0]; row.ID != id || row.Billable || row.Rate.Known {
		t.Errorf("without a rate: %+v", row)
	}
	listed, err := f.store.Rates(t.Context(), f.userID)
	if err != nil || len(listed) != 4 || listed[3].ID != id || listed[3].InHarvest {
		t.Errorf("listed %+v, %v", listed, err)
	}
	if err := f.store.SetRates(t.Context(), f.userID, map[planner.RowID]planner.Rate{id: known(5000, "")}); err != nil {
		t.Fatal(err)
	}
	if row := f.weekPlan(t).Rows[0]; !row.Billable || row.Rate != known(5000, "") {
		t.Errorf("with a rate: %+v", row)
	}
}

// TestWeekFinance: the days of the month outside of the week are summed up by
// row, and what is ahead on budgets of projects is told by cell.
func TestWeekFinance(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.week = planner.WeekOf(planner.DateOf(time.Now().UTC()), time.Monday).Next() // what is ahead depends on today
	for f.week.Month().Start >= f.week.Start {
		f.week = f.week.Next()
	}
	month := f.week.Month()
	outside := month.Start // a day of the month that is not in the week
	on := func(i int, date planner.Date) planner.CellID { return planner.CellID{RowID: f.rows[i], Date: date} }
	at := func(date planner.Date) int { return int(date - f.week.Start) }
	notBilled := func(e *ledger.RemoteEntry) { e.Billable = false }
	f.store1(t, f.userID,
		f.remote(1, 11, 21, at(outside), 100, nil), f.remote(2, 11, 21, at(outside), 50, notBilled), f.remote(3, 11, 21, at(month.Start-1), 700, nil),
		f.remote(4, 11, 21, 0, 25, nil), f.remote(5, 11, 21, 0, 75, notBilled),
	)
	f.plan(t, on(0, outside), 90, "")
	f.plan(t, on(0, month.Start-1), 30, "")
	f.plan(t, on(0, f.week.Start), 240, "")
	next := f.week.End() + 1
	f.plan(t, on(0, next), 60, "")
	f.plan(t, on(1, next), 45, "")
	f.plan(t, on(2, next), 15, "")

	budgets := []ledger.ProjectBudget{
		{ProjectID: 13, BudgetBy: ledger.BudgetTask, Budget: "7", Spent: "1"},
		{ProjectID: 11, BudgetBy: ledger.BudgetProject, Budget: "40", Spent: "36.75", IsMonthly: true},
		{ProjectID: 12, BudgetBy: ledger.BudgetCost, Budget: "900", Spent: "12.345"},
	}
	if err := f.mirror(f.userID).SaveBudgets(t.Context(), budgets); err != nil {
		t.Fatal(err)
	}
	got := f.weekPlan(t).Finance
	if time.Since(got.BudgetsAt) > time.Minute || got.Goal != nil {
		t.Errorf("read %s, goal %v", got.BudgetsAt, got.Goal)
	}
	wantBudgets := []ledger.WeekBudget{
		{Budget: planner.Budget{ProjectID: f.rows[0].ProjectID, Currency: "EUR", Limit: 2400, Spent: 2205}, By: ledger.BudgetProject, Monthly: true, Project: "Project 11"},
		{Budget: planner.Budget{ProjectID: f.rows[1].ProjectID, InMoney: true, Currency: "EUR", Limit: 90_000, Spent: 1235}, By: ledger.BudgetCost, Project: "Project 12"},
		{Budget: planner.Budget{ProjectID: f.rows[2].ProjectID, Currency: "EUR", Limit: 420, Spent: 60}, By: ledger.BudgetTask, Project: "Project 13"},
	}
	if diff := cmp.Diff(wantBudgets, got.Budgets); diff != "" {
		t.Error(diff)
	}
	var elsewhere planner.Work
	for _, w := range got.Elsewhere {
		if w.Row == f.rows[0] {
			elsewhere.Planned += w.Planned
			elsewhere.Tracked += w.Tracked
			elsewhere.Billed += w.Billed
			elsewhere.Rate, elsewhere.Billable = w.Rate, w.Billable
		}
	}
	want := planner.Work{Rate: known(9550, "EUR"), Billable: true, Planned: 90, Tracked: 150, Billed: 100}
	if month.Contains(next) {
		want.Planned += 60
	}
	if elsewhere != want {
		t.Errorf("elsewhere in the month %+v, want %+v", elsewhere, want)
	}
	if c := f.at(t, on(0, f.week.Start)); c.Billed != 25 || c.Tracked() != 100 {
		t.Errorf("of the cell %s h are billed, of %s", c.Billed.Decimal(), c.Tracked().Decimal())
	}
	// Neither the third project, whose budget is by task, nor what is long past.
	ahead := map[planner.CellID]planner.Minutes{}
	for _, a := range got.Ahead {
		if !a.Billable || a.Rate != known(9550, "EUR") {
			t.Errorf("ahead without its rate: %+v", a)
		}
		ahead[a.Cell] = a.Rest
	}
	for id, rest := range map[planner.CellID]planner.Minutes{on(0, next): 60, on(1, next): 45, on(2, next): 0, on(0, f.week.Start): 0} {
		if ahead[id] != rest {
			t.Errorf("ahead on %v is %d, want %d", id, ahead[id], rest)
		}
	}

	// What of it is tracked already is not ahead any more.
	f.store1(t, f.userID, f.remote(9, 11, 21, 7, 25, nil), f.remote(10, 12, 21, 7, 75, nil))
	ahead = map[planner.CellID]planner.Minutes{}
	for _, a := range f.weekPlan(t).Finance.Ahead {
		ahead[a.Cell] = a.Rest
	}
	if ahead[on(0, next)] != 45 || ahead[on(1, next)] != 0 {
		t.Errorf("ahead is %v", ahead)
	}

	other, _ := f.user(t, "jonas@example.com", 2)
	theirs, err := f.store.WeekPlan(t.Context(), other, f.week)
	if diff := cmp.Diff(ledger.Finance{}, theirs.Finance); err != nil || diff != "" {
		t.Errorf("somebody else's: %v %s", err, diff)
	}
}

func TestCapacityAndTimeOff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	var own [planner.DaysInWeek]planner.OwnCapacity
	own[time.Monday] = planner.OwnCapacity{Chosen: true, Minutes: 240}
	own[time.Tuesday] = planner.OwnCapacity{Chosen: true}
	own[time.Sunday] = planner.OwnCapacity{Chosen: true, Minutes: 1440}
	if err := f.store.SetCapacity(ctx, f.userID, own); err != nil {
		t.Fatal(err)
	}
	if user, err := f.store.User(ctx, f.userID); err != nil || user.Profile.OwnCapacity != own {
		t.Errorf("the user's %+v, %v", user.Profile, err)
	}
	christmas := planner.TimeOff{First: f.week.Day(2), Last: f.week.End() + 2, Name: "Christmas"}
	for _, off := range []planner.TimeOff{{First: f.week.Day(3), Last: f.week.Day(3), Name: "moving"}, christmas, christmas} {
		f.change(t, db.PlanChange{Kind: planner.ChangeTimeOff, Days: off.Take()})
	}
	capacities := func() (all []planner.Minutes) {
		plan := f.weekPlan(t)
		for _, day := range f.week.Days() {
			all = append(all, plan.Capacity(day))
		}
		return all
	}
	if diff := cmp.Diff([]planner.Minutes{240, 0, 0, 0, 0, 0, 0}, capacities()); diff != "" {
		t.Error(diff)
	}
	plan := f.weekPlan(t)
	name, off := plan.DayOff(f.week.Day(3))
	if _, also := plan.DayOff(f.week.Day(1)); name != "Christmas" || !off || also {
		t.Errorf("day off %t, %q; another one %t", off, name, also)
	}

	other, _ := f.user(t, "jonas@example.com", 2)
	work := db.PlanChange{Kind: planner.ChangeWorkAgain, MutationID: "work again", Days: planner.TimeOff{First: f.week.Day(3), Last: f.week.End()}.WorkAgain()}
	err := f.store.InTx(ctx, func(tx *db.Tx) error {
		changed, err := tx.ChangePlan(ctx, other, work)
		if changed.ID != 0 {
			t.Errorf("somebody else's days off: %+v", changed)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if changed := f.change(t, work); len(changed.Days) != 4 {
		t.Errorf("worked again: %+v", changed)
	}
	if diff := cmp.Diff([]planner.Minutes{240, 0, 0, 450, 450, 0, 1440}, capacities()); diff != "" {
		t.Error(diff)
	}
	days, err := f.store.DaysOff(ctx, f.userID, f.week.Day(3))
	if diff := cmp.Diff([]planner.TimeOff{{First: f.week.End() + 1, Last: f.week.End() + 2, Name: "Christmas"}}, planner.TimesOff(days)); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestGoal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, want := range []*planner.Goal{nil, {Amount: planner.Money{Minor: 150_050, Currency: "EUR"}, Every: planner.EveryWeek}, nil} {
		if err := f.store.SetGoal(t.Context(), f.userID, want); err != nil {
			t.Fatal(err)
		}
		got, err := f.store.Goal(t.Context(), f.userID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		if diff := cmp.Diff(want, f.weekPlan(t).Finance.Goal); diff != "" {
			t.Error(diff)
		}
	}
}
