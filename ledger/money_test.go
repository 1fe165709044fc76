package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/ledger"
	"furrow/planner"
)

// financed is the week of 30 November 2026, whose month is December, with a row
// on a monthly budget, one on a budget of money and one on a budget by task.
// Harvest reported on the first of December.
func financed() ledger.WeekPlan {
	eur := planner.Rate{PerHour: planner.Money{Minor: 6000, Currency: "EUR"}, Known: true}
	row := func(project int64, cells ...ledger.Cell) ledger.Row {
		r := ledger.Row{ID: planner.RowID{ProjectID: project, TaskID: 1}, Rate: eur, Billable: true}
		copy(r.Cells[:], cells)
		return r
	}
	budget := func(project, limit, spent int64, by ledger.BudgetBy, monthly bool) ledger.WeekBudget {
		return ledger.WeekBudget{Budget: planner.Budget{ProjectID: project, InMoney: by.InMoney(), Limit: limit, Spent: spent}, By: by, Monthly: monthly}
	}
	return ledger.WeekPlan{
		Week:    planner.Week{Start: planner.NewDate(2026, time.November, 30)},
		Profile: planner.Profile{WeekStart: time.Monday, TimeZone: "Europe/Copenhagen"},
		Rows: []ledger.Row{
			// Monday is still November; of Tuesday half is tracked.
			row(1, ledger.Cell{Planned: 60}, ledger.Cell{Planned: 120, Others: 100, OthersCount: 1, Billed: 100}, ledger.Cell{Planned: 240}),
			row(2, ledger.Cell{Planned: 60}, ledger.Cell{}, ledger.Cell{}, ledger.Cell{Planned: 30, Others: 200, Billed: 50}),
			row(3, ledger.Cell{Planned: 600}),
		},
		Finance: ledger.Finance{
			BudgetsAt: time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC),
			Budgets: []ledger.WeekBudget{
				budget(1, 600, 300, ledger.BudgetProject, true), budget(2, 24_000, 16_000, ledger.BudgetCost, false), budget(3, 600, 570, ledger.BudgetTask, false),
			},
			Elsewhere: []planner.Work{{Row: planner.RowID{ProjectID: 1, TaskID: 1}, Rate: eur, Billable: true, Planned: 90, Tracked: 50, Billed: 50}},
			Ahead: []planner.Ahead{
				{Cell: planner.CellID{RowID: planner.RowID{ProjectID: 2, TaskID: 1}, Date: planner.NewDate(2026, time.December, 10)}, Rest: 60, Rate: eur, Billable: true},
				{Cell: planner.CellID{RowID: planner.RowID{ProjectID: 1, TaskID: 1}, Date: planner.NewDate(2027, time.January, 4)}, Rest: 6000},
				{Cell: planner.CellID{RowID: planner.RowID{ProjectID: 2, TaskID: 1}, Date: planner.NewDate(2026, time.November, 29)}, Rest: 6000, Rate: eur, Billable: true},
			},
		},
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	plan := financed()
	week, month := plan.Figures()
	want := planner.Figures{
		Planned: []planner.Money{{Minor: 111_000, Currency: "EUR"}}, Earned: []planner.Money{{Minor: 9000, Currency: "EUR"}},
		PlannedTime: 1110, PlannedBillable: 1110, TrackedTime: 300, TrackedBillable: 150,
	}
	if diff := cmp.Diff(want, week); diff != "" {
		t.Errorf("week: %s", diff)
	}
	want = planner.Figures{
		Planned: []planner.Money{{Minor: 48_000, Currency: "EUR"}}, Earned: []planner.Money{{Minor: 12_000, Currency: "EUR"}},
		PlannedTime: 480, PlannedBillable: 480, TrackedTime: 350, TrackedBillable: 200,
	}
	if diff := cmp.Diff(want, month); diff != "" {
		t.Errorf("December: %s", diff)
	}
}

// Of Tuesday half is tracked, of the second row's Thursday more than planned.
func TestRest(t *testing.T) {
	t.Parallel()
	plan := financed()
	rest := plan.Rest()
	if rest.PlannedTime != 60+60+240+60+600 || rest.TrackedTime != 0 || planner.In("EUR", rest.Planned).Minor != 102_000 {
		t.Errorf("rest %+v", rest)
	}
}

func TestBudgetForecasts(t *testing.T) {
	t.Parallel()
	tuesday := planner.NewDate(2026, time.December, 1)
	plan := financed()
	december := plan.Week.Month()
	of := func(i int, month *planner.Month, change func(*planner.Forecast)) ledger.BudgetForecast {
		b := plan.Finance.Budgets[i]
		f := ledger.BudgetForecast{By: b.By, Month: month, Forecast: planner.Forecast{Budget: b.Budget}}
		change(&f.Forecast)
		return f
	}
	check := func(step string, p ledger.WeekPlan, today planner.Date, want ...ledger.BudgetForecast) {
		t.Helper()
		if diff := cmp.Diff(want, p.BudgetForecasts(today)); diff != "" {
			t.Errorf("%s: %s", step, diff)
		}
	}
	// Of the month: Tuesday's rest and Wednesday, to the last minute. In money: Monday and the tenth.
	monthly := of(0, &december, func(f *planner.Forecast) { f.Planned = 300 })
	money := of(1, nil, func(f *planner.Forecast) {
		f.Planned = 12_000
		f.Crossed, f.CrossedOn = true, planner.NewDate(2026, time.December, 10)
	})
	byTask := of(2, nil, func(*planner.Forecast) {})
	check("now", plan, tuesday, monthly, money, byTask)

	// From the next week on, this week's plan is past.
	crossed := money
	monthly.Planned, money.Planned, money.Crossed, money.CrossedOn = 0, 6000, false, 0
	check("a week later", plan, tuesday+7, monthly, money, byTask)

	// Reported in November: nothing of December is known but what was tracked.
	older := financed()
	older.Finance.BudgetsAt = older.Finance.BudgetsAt.AddDate(0, 0, -2)
	monthly.Planned, monthly.Spent = 300, 60+30
	check("reported before", older, tuesday, monthly, crossed, byTask)

	// A month that was over before the report has no figures.
	before := financed()
	before.Week = before.Week.Previous()
	before.Rows, before.Finance.Ahead = nil, nil
	money.Planned = 0
	check("the week before", before, tuesday, money, byTask)

	check("without budgets", ledger.WeekPlan{Week: plan.Week, Rows: plan.Rows}, tuesday)
}

// The figures of the month are those of its days, whatever the week is that
// they are seen from.
func TestFiguresOfTheMonth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		first := planner.NewDate(2026, time.November, 1)
		rate := planner.Rate{PerHour: planner.Money{Minor: 3333, Currency: "EUR"}, Known: true}
		planned := map[planner.Date]planner.Minutes{}
		for range rapid.IntRange(0, 20).Draw(rt, "cells") {
			planned[first.AddDays(rapid.IntRange(-10, 45).Draw(rt, "day"))] = planner.Minutes(rapid.IntRange(1, 1440).Draw(rt, "planned"))
		}
		november, want := planner.MonthOf(first), planner.Minutes(0)
		for date, m := range planned {
			if november.Contains(date) {
				want += m
			}
		}
		week := planner.WeekOf(first.AddDays(rapid.IntRange(0, 29).Draw(rt, "in")), time.Weekday(rapid.IntRange(0, 6).Draw(rt, "start")))
		if week.Month() != november {
			return
		}
		p := ledger.WeekPlan{Week: week, Rows: []ledger.Row{{Rate: rate, Billable: true}}}
		for date, m := range planned {
			if week.Contains(date) {
				p.Rows[0].Cells[date-week.Start].Planned = m
			} else if november.Contains(date) {
				p.Finance.Elsewhere = append(p.Finance.Elsewhere, planner.Work{Rate: rate, Billable: true, Planned: m})
			}
		}
		_, got := p.Figures()
		if got.PlannedTime != want || planner.In("EUR", got.Planned).Minor != (int64(want)*3333+30)/60 {
			rt.Errorf("%d minutes, %v; want %d", got.PlannedTime, got.Planned, want)
		}
	})
}
