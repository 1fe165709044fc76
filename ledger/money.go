package ledger

import (
	"time"

	"furrow/planner"
)

// Finance is what the figures of a week need besides its rows.
type Finance struct {
	Goal *planner.Goal // nil: none
	// Elsewhere is the work in the week's month on days outside of the week.
	Elsewhere []planner.Work
	// Ahead is what is planned on days outside of the week, and not tracked yet, on
	// projects whose budget is their own, since before the user's current week.
	Ahead     []planner.Ahead
	Budgets   []WeekBudget // by client and project name
	BudgetsAt time.Time    // when Harvest reported them; zero if it never did
}

// WeekBudget is a budget as Harvest last reported it.
type WeekBudget struct {
	planner.Budget
	By      BudgetBy
	Monthly bool // Spent is of the month of the report
	Project string
}

// OfProject reports whether the budget is of the project as a whole. Only then
// can be told what a plan does to it: budgets of tasks and of persons are
// reported as their sum, and one may be over while another is not.
func (b BudgetBy) OfProject() bool { return b == BudgetProject || b == BudgetCost }

// Figures tells what the week comes to, and the month that it counts to.
func (p *WeekPlan) Figures() (week, month planner.Figures) {
	return planner.Sum(p.work(p.Week.Contains)), planner.Sum(append(p.work(p.Week.Month().Contains), p.Finance.Elsewhere...))
}

// Rest tells what in the week is planned and not tracked yet.
func (p *WeekPlan) Rest() planner.Figures {
	var all []planner.Work
	for i := range p.Rows {
		row := &p.Rows[i]
		for d := range row.Cells {
			all = append(all, planner.Work{Row: row.ID, Rate: row.Rate, Billable: row.Billable, Planned: row.Cells[d].rest()})
		}
	}
	return planner.Sum(all)
}

// rest is what is planned and not tracked yet.
func (c *Cell) rest() planner.Minutes { return max(c.Planned-c.Tracked().Minutes(), 0) }

// work is what is on the rows on some of the days.
func (p *WeekPlan) work(on func(planner.Date) bool) []planner.Work {
	all := make([]planner.Work, len(p.Rows), len(p.Rows)+len(p.Finance.Elsewhere))
	for i := range p.Rows {
		row := &p.Rows[i]
		w := planner.Work{Row: row.ID, Rate: row.Rate, Billable: row.Billable}
		for d := range row.Cells {
			if c := &row.Cells[d]; on(p.Week.Day(d)) {
				w.Planned += c.Planned
				w.Tracked += c.Tracked()
				w.Billed += c.Billed
			}
		}
		all[i] = w
	}
	return all
}

// BudgetForecast is a budget of a project, with what the plan does to it.
type BudgetForecast struct {
	planner.Forecast
	By      BudgetBy
	Project string
	Month   *planner.Month // of which it is; nil: it is for good
}

// BudgetForecasts tells how the budgets will stand once everything is done that
// is planned from the user's current week on and not tracked yet. today is the
// user's date. Of monthly budgets that of the week's month is meant, if it is
// not past: Harvest tells the one of its report, and in later ones nothing is
// spent yet but what the user has tracked.
func (p *WeekPlan) BudgetForecasts(today planner.Date) []BudgetForecast {
	if len(p.Finance.Budgets) == 0 {
		return nil
	}
	ahead := p.ahead(planner.WeekOf(today, p.Profile.WeekStart).Start)
	month, reported := p.Week.Month(), planner.MonthOf(p.Profile.Today(p.Finance.BudgetsAt))
	var forecasts []BudgetForecast
	for _, b := range p.Finance.Budgets {
		f := BudgetForecast{By: b.By, Project: b.Project}
		mine := ahead
		if b.Monthly {
			if month.Start < reported.Start {
				continue
			}
			if month != reported {
				b.Spent = p.tracked(b.Budget, month)
			}
			f.Month = &month
			mine = within(month, ahead)
		}
		if !b.By.OfProject() {
			mine = nil
		}
		f.Forecast = b.Forecast(mine)
		forecasts = append(forecasts, f)
	}
	return forecasts
}

// ahead is what is planned from a day on and not tracked yet.
func (p *WeekPlan) ahead(from planner.Date) []planner.Ahead {
	var all []planner.Ahead
	for _, a := range p.Finance.Ahead {
		if a.Cell.Date >= from {
			all = append(all, a)
		}
	}
	for i := range p.Rows {
		row := &p.Rows[i]
		for d := range row.Cells {
			if rest := row.Cells[d].rest(); rest > 0 && p.Week.Day(d) >= from {
				all = append(all, planner.Ahead{
					Cell: planner.CellID{RowID: row.ID, Date: p.Week.Day(d)}, Rest: rest, Rate: row.Rate, Billable: row.Billable,
				})
			}
		}
	}
	return all
}

func within(month planner.Month, all []planner.Ahead) []planner.Ahead {
	var some []planner.Ahead
	for _, a := range all {
		if month.Contains(a.Cell.Date) {
			some = append(some, a)
		}
	}
	return some
}

// tracked is what the user has tracked on a budget's project in the month of the
// week, in the unit of the budget.
func (p *WeekPlan) tracked(b planner.Budget, month planner.Month) (spent int64) {
	for _, w := range append(p.work(month.Contains), p.Finance.Elsewhere...) {
		switch {
		case w.Row.ProjectID != b.ProjectID:
		case b.InMoney:
			spent += w.Rate.Of(w.Billed).Minor
		default:
			spent += int64(w.Tracked.Minutes())
		}
	}
	return spent
}
