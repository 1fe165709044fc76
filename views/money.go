package views

import (
	"strings"

	"furrow/planner"
)

// Money is the strip of figures below the grid. Each says whether it is planned
// or earned.
type Money struct {
	Format  planner.DurationFormat
	Periods []MoneyPeriod // the week and its month
	Goal    *GoalProgress
	Budgets []BudgetNote // those that are nearly spent, or over
	AsOf    Moment       // when Harvest reported the budgets
}

// MoneyPeriod is what a week or a month comes to.
type MoneyPeriod struct {
	Name string // "This week", "November"
	planner.Figures
}

// GoalProgress is how far the user has come to what they want to earn.
type GoalProgress struct {
	planner.Goal
	Earned planner.Money // in the goal's currency
	// Ahead is what is planned and not tracked yet; nil: that is not known.
	Ahead *planner.Money
}

// BudgetNote is a project's budget with what the plan does to it.
type BudgetNote struct {
	Project string
	Text    string // "42:00 of 40:00, crossed on Thursday"
	Over    bool
}

// BudgetMark is what the first row of a project says about its budget.
type BudgetMark struct {
	Text string // "over budget on Thursday"; empty: there is nothing to say
	Over bool
}

func (m BudgetMark) class() string {
	if m.Over {
		return "budget mark s-needs"
	}
	return "budget"
}

func (n BudgetNote) class() string {
	if n.Over {
		return "mark s-needs"
	}
	return ""
}

// empty reports whether there is nothing to tell.
func (m *Money) empty() bool {
	for i := range m.Periods {
		if p := &m.Periods[i]; p.PlannedBillable > 0 || p.TrackedBillable > 0 {
			return false
		}
	}
	return m.Goal == nil && len(m.Budgets) == 0
}

// sums are sums of money beside each other, which are never added up.
func sums(all []planner.Money) string {
	if len(all) == 0 {
		return "nothing"
	}
	texts := make([]string, len(all))
	for i, m := range all {
		texts[i] = m.String()
	}
	return strings.Join(texts, " · ")
}

// share tells how much of the hours is billable: "82 % of the planned hours".
func (p *MoneyPeriod) share() string {
	var parts []string
	if percent, ok := planner.Percent(int(p.PlannedBillable), int(p.PlannedTime)); ok {
		parts = append(parts, itoa(percent)+"\u00a0% of the planned hours")
	}
	if percent, ok := planner.Percent(int(p.TrackedBillable), int(p.TrackedTime)); ok {
		parts = append(parts, itoa(percent)+"\u00a0% of the tracked")
	}
	if len(parts) == 0 {
		return ""
	}
	return "billable: " + strings.Join(parts, ", ")
}

// unrated tells how much is billable and in none of the sums.
func (p *MoneyPeriod) unrated(f planner.DurationFormat) string {
	var parts []string
	if p.PlannedUnrated > 0 {
		parts = append(parts, f.Format(p.PlannedUnrated)+" planned")
	}
	if p.TrackedUnrated > 0 {
		parts = append(parts, f.Format(p.TrackedUnrated.Minutes())+" tracked")
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, " and ") + " without a rate"
}

// toGo tells how far the goal is.
func (g *GoalProgress) toGo() string {
	switch rest := g.Amount.Minor - g.Earned.Minor; {
	case rest > 0:
		return planner.Money{Minor: rest, Currency: g.Amount.Currency}.String() + " to go"
	case rest == 0:
		return "reached"
	default:
		return "reached, and " + planner.Money{Minor: -rest, Currency: g.Amount.Currency}.String() + " more"
	}
}

// byPlan tells whether the plan reaches the goal.
func (g *GoalProgress) byPlan() string {
	rest := g.Amount.Minor - g.Earned.Minor
	if g.Ahead == nil || rest <= 0 {
		return ""
	}
	if rest -= g.Ahead.Minor; rest > 0 {
		return "the plan falls " + planner.Money{Minor: rest, Currency: g.Amount.Currency}.String() + " short"
	}
	return "the plan reaches it"
}
