package handlers

import (
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// money is what the week and its month come to, with the budgets that are nearly
// spent.
func (b *weekBuilder) money(budgets []ledger.BudgetForecast) views.Money {
	p := &b.plan
	week, month := p.Figures()
	name := "Week"
	if p.Week.Contains(b.today) {
		name = "This week"
	}
	m := views.Money{
		Format: p.Profile.DurationFormat, AsOf: b.moment(p.Finance.BudgetsAt),
		Periods: []views.MoneyPeriod{{Name: name, Figures: week}, {Name: p.Week.Month().Start.Format("January"), Figures: month}},
	}
	m.Goal = goalProgress(p, week, month)
	for _, over := range []bool{true, false} { // those that are over come first
		for i := range budgets {
			if f := &budgets[i]; f.Near() && f.Over() == over {
				m.Budgets = append(m.Budgets, views.BudgetNote{Project: f.Project, Text: b.budgetWords(f), Over: over})
			}
		}
	}
	return m
}

// goalProgress is how far the user has come. Whether the plan reaches a goal is
// told of weeks, whose cells are all known.
func goalProgress(p *ledger.WeekPlan, week, month planner.Figures) *views.GoalProgress {
	goal := p.Finance.Goal
	switch {
	case goal == nil:
		return nil
	case goal.Every == planner.EveryMonth:
		return &views.GoalProgress{Goal: *goal, Earned: planner.In(goal.Amount.Currency, month.Earned)}
	default:
		ahead := planner.In(goal.Amount.Currency, p.Rest().Planned)
		return &views.GoalProgress{Goal: *goal, Earned: planner.In(goal.Amount.Currency, week.Earned), Ahead: &ahead}
	}
}

// budgetWords tells how a budget stands: "42:00 of 40:00, crossed on Thursday".
func (b *weekBuilder) budgetWords(f *ledger.BudgetForecast) string {
	said := b.budgetFigure(f, f.Total()) + " of " + b.budgetFigure(f, f.Limit)
	if f.InMoney && f.Currency != "" {
		said += "\u00a0" + f.Currency
	}
	if f.Month != nil {
		said += " in " + f.Month.Start.Format("January")
	}
	switch {
	case f.Crossed:
		said += ", crossed on " + b.budgetDay(f.CrossedOn)
	case f.Over():
		said += ", over already"
	default:
		said += ", " + b.budgetFigure(f, f.Limit-f.Total()) + " left"
	}
	switch {
	case f.By == ledger.BudgetPerson:
		said += "; by person, so without what is planned"
	case !f.By.OfProject():
		said += "; by task, so without what is planned"
	case f.Unrated > 0:
		said += "; " + b.amount(f.Unrated) + " planned without a rate"
	}
	return said
}

// budgetFigure is a figure of a budget; money is without its currency.
func (b *weekBuilder) budgetFigure(f *ledger.BudgetForecast, n int64) string {
	if f.InMoney {
		return planner.Money{Minor: n}.Amount()
	}
	return b.plan.Profile.DurationFormat.Format(planner.Minutes(n))
}

// budgetDay is a day of the shown week by its name, another one by its date.
func (b *weekBuilder) budgetDay(day planner.Date) string {
	switch {
	case b.plan.Week.Contains(day):
		return day.Weekday().String()
	case day.Time().Year() == b.today.Time().Year():
		return day.Format("2 January")
	default:
		return day.Format("2 January 2006")
	}
}

// budgetMark is what a row says about the budget of its project.
func (b *weekBuilder) budgetMark(f *ledger.BudgetForecast) *views.BudgetMark {
	mark := &views.BudgetMark{Over: f.Over()}
	switch {
	case f.Crossed:
		mark.Text = "over budget on " + b.budgetDay(f.CrossedOn)
	case f.Over():
		mark.Text = "over budget"
	case f.Near():
		mark.Text = b.budgetFigure(f, f.Limit-f.Total()) + " of the budget left"
	}
	return mark
}

// markBudgets gives the first row of each project that has a budget its mark.
func (b *weekBuilder) markBudgets(g *views.WeekGrid, budgets []ledger.BudgetForecast) {
	marks := make(map[int64]*views.BudgetMark, len(budgets))
	for i := range budgets {
		marks[budgets[i].ProjectID] = b.budgetMark(&budgets[i])
	}
	for c := range g.Clients {
		for r := range g.Clients[c].Rows {
			row := &g.Clients[c].Rows[r]
			row.Budget = marks[row.ProjectID]
			delete(marks, row.ProjectID)
		}
	}
}
