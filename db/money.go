package db

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// noRate stands for a rate that is not known, among rates in hundredths.
const noRate = -1

// noCapacity stands for a weekday without a capacity of the user's own.
const noCapacity = -1

// ownCapacity reads what is stored for the weekdays; nothing if nobody is there.
func ownCapacity(stored []int16) (own [planner.DaysInWeek]planner.OwnCapacity) {
	for i, minutes := range stored {
		if minutes != noCapacity {
			own[i] = planner.OwnCapacity{Chosen: true, Minutes: planner.Minutes(minutes)}
		}
	}
	return own
}

func goalOf(minor int64, currency, every string) *planner.Goal {
	if minor == 0 {
		return nil
	}
	return &planner.Goal{Amount: planner.Money{Minor: minor, Currency: currency}, Every: planner.Period(every)}
}

func rateOf(minor int64, currency string) planner.Rate {
	if minor == noRate {
		return planner.Rate{}
	}
	return planner.Rate{PerHour: planner.Money{Minor: minor, Currency: currency}, Known: true}
}

func (r *weekReader) readOff() error {
	var v dbgen.WeekOffRow
	return r.each([]any{&v.Date, &v.Name}, func() {
		r.plan.Off = append(r.plan.Off, planner.DayOff{Date: v.Date, Name: v.Name})
	})
}

func (r *weekReader) readElsewhere() error {
	var v dbgen.WeekElsewhereRow
	return r.each([]any{&v.ProjectID, &v.TaskID, &v.Planned, &v.Tracked, &v.Billed}, func() {
		r.plan.Finance.Elsewhere = append(r.plan.Finance.Elsewhere, planner.Work{
			Row:     planner.RowID{ProjectID: v.ProjectID, TaskID: v.TaskID},
			Planned: planner.Minutes(v.Planned), Tracked: planner.Hours(v.Tracked), Billed: planner.Hours(v.Billed),
		})
	})
}

func (r *weekReader) readAhead() error {
	var v dbgen.WeekAheadRow
	return r.each([]any{&v.ProjectID, &v.TaskID, &v.Date, &v.Minutes, &v.Tracked}, func() {
		rest := planner.Minutes(v.Minutes) - planner.Hours(v.Tracked).Minutes()
		if rest <= 0 {
			return
		}
		r.plan.Finance.Ahead = append(r.plan.Finance.Ahead, planner.Ahead{
			Cell: planner.CellID{RowID: planner.RowID{ProjectID: v.ProjectID, TaskID: v.TaskID}, Date: v.Date}, Rest: rest,
		})
	})
}

func (r *weekReader) readBudgets() error {
	var v dbgen.WeekBudgetsRow
	return r.each([]any{&v.ProjectID, &v.BudgetBy, &v.IsMonthly, &v.Budget, &v.Spent}, func() {
		b := ledger.WeekBudget{By: ledger.BudgetBy(v.BudgetBy), Monthly: v.IsMonthly}
		b.ProjectID, b.InMoney = v.ProjectID, b.By.InMoney()
		var known [2]bool
		b.Limit, known[0] = budgetFigure(b.InMoney, v.Budget)
		b.Spent, known[1] = budgetFigure(b.InMoney, v.Spent)
		if known[0] && known[1] && b.Limit > 0 {
			r.plan.Finance.Budgets = append(r.plan.Finance.Budgets, b)
		}
	})
}

// budgetFigure reads what Harvest reports of a budget in the unit of
// [planner.Budget].
func budgetFigure(money bool, text string) (n int64, ok bool) {
	if money {
		m, ok := planner.ParseMoney(text, "")
		return m.Minor, ok
	}
	h, ok := planner.HoursOf(text)
	return int64(h.Minutes()), ok
}

func (r *weekReader) readRates() error {
	var v dbgen.WeekRatesRow
	return r.each([]any{&v.ProjectID, &v.TaskID, &v.Rate}, func() {
		if r.rates == nil {
			r.rates = map[planner.RowID]int64{}
		}
		r.rates[planner.RowID{ProjectID: v.ProjectID, TaskID: v.TaskID}] = v.Rate
	})
}

// terms are on which time is logged on a row.
type terms struct {
	rate     int64 // in hundredths, or noRate
	billable bool
}

// price gives everything its rate and its name: the user's own rate of the task,
// or else of the project, or else Harvest's. What Harvest does not know is
// billable if it has a rate.
func (r *weekReader) price(n names, assigned map[planner.RowID]terms) {
	of := func(id planner.RowID) (planner.Rate, bool) {
		t, ok := assigned[id]
		if !ok {
			t.rate = noRate
		}
		if own, ok := r.rates[id]; ok {
			t.rate = own
		} else if own, ok := r.rates[planner.RowID{ProjectID: id.ProjectID}]; ok {
			t.rate = own
		}
		return rateOf(t.rate, n.projects[id.ProjectID].currency), t.billable || !ok && t.rate != noRate
	}
	for i := range r.plan.Rows {
		row := &r.plan.Rows[i]
		row.Rate, row.Billable = of(row.ID)
	}
	f := &r.plan.Finance
	for i := range f.Elsewhere {
		f.Elsewhere[i].Rate, f.Elsewhere[i].Billable = of(f.Elsewhere[i].Row)
	}
	for i := range f.Ahead {
		f.Ahead[i].Rate, f.Ahead[i].Billable = of(f.Ahead[i].Cell.RowID)
	}
	for i := range f.Budgets {
		project := n.projects[f.Budgets[i].ProjectID]
		f.Budgets[i].Project, f.Budgets[i].Currency = project.name, project.currency
	}
	slices.SortFunc(f.Budgets, func(a, b ledger.WeekBudget) int {
		return cmp.Compare(n.projects[a.ProjectID].rank, n.projects[b.ProjectID].rank)
	})
}

// RateRow is a project and task that may have a rate.
type RateRow struct {
	ID                    planner.RowID
	Client, Project, Task string
	ClientID              int64
	Currency              string
	InHarvest             bool // it may be, or might be, logged on in Harvest
	Billable              bool
	Harvest               planner.Rate
	Own, OfProject        planner.Rate // the user's
}

// Rates returns the rows that may have a rate, by client, project and task.
func (s *Store) Rates(ctx context.Context, userID int64) ([]RateRow, error) {
	rows, err := s.q.Rates(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("rates of user %d: %w", userID, err)
	}
	list := make([]RateRow, len(rows))
	for i, r := range rows {
		list[i] = RateRow{
			ID: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Client: r.Client, Project: r.Project, Task: r.Task,
			ClientID: r.ClientID, Currency: r.Currency, InHarvest: r.Assigned, Billable: r.Billable,
			Harvest: rateOf(r.Harvest, r.Currency), Own: rateOf(r.Own, r.Currency), OfProject: rateOf(r.OfProject, r.Currency),
		}
	}
	return list, nil
}

// SetRates stores the user's own rates of rows, and of projects, whose ids have
// no task. One that is not known follows Harvest. Rows that are not named stay
// as they are. [planner.ErrNotFound]: the user has no such project or task.
func (s *Store) SetRates(ctx context.Context, userID int64, rates map[planner.RowID]planner.Rate) error {
	var all dbgen.RatesForgetParams
	save := dbgen.RatesSaveParams{UserID: userID}
	for id, rate := range rates {
		all.ProjectIds, all.TaskIds = append(all.ProjectIds, id.ProjectID), append(all.TaskIds, id.TaskID)
		if rate.Known {
			save.ProjectIds, save.TaskIds = append(save.ProjectIds, id.ProjectID), append(save.TaskIds, id.TaskID)
			save.Rates = append(save.Rates, rate.PerHour.Minor)
		}
	}
	all.UserID = userID
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.q.RatesForget(ctx, all); err != nil {
			return err
		}
		n, err := tx.q.RatesSave(ctx, save)
		if err == nil && int(n) != len(save.Rates) {
			err = planner.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("set %d rates of user %d: %w", len(rates), userID, err)
	}
	return nil
}

// Goal returns what the user wants to earn; nil for no goal.
func (s *Store) Goal(ctx context.Context, userID int64) (*planner.Goal, error) {
	row, err := s.q.Goal(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("goal of user %d: %w", userID, notFound(err))
	}
	return goalOf(row.Goal, row.GoalCurrency, row.GoalEvery), nil
}

// SetGoal stores what the user wants to earn; nil for no goal.
func (s *Store) SetGoal(ctx context.Context, userID int64, goal *planner.Goal) error {
	set := dbgen.GoalSetParams{ID: userID}
	if goal != nil {
		set.Goal, set.GoalCurrency, set.GoalEvery = &goal.Amount.Minor, &goal.Amount.Currency, new(string(goal.Every))
	}
	if err := s.q.GoalSet(ctx, set); err != nil {
		return fmt.Errorf("set the goal of user %d: %w", userID, err)
	}
	return nil
}

// SetCapacity stores what the user wants to fit into each weekday, Sunday first.
func (s *Store) SetCapacity(ctx context.Context, userID int64, own [planner.DaysInWeek]planner.OwnCapacity) error {
	stored := make([]int16, len(own))
	for i, c := range own {
		stored[i] = noCapacity
		if c.Chosen {
			stored[i] = int16(c.Minutes)
		}
	}
	if err := s.q.CapacitySet(ctx, dbgen.CapacitySetParams{ID: userID, Capacity: stored}); err != nil {
		return fmt.Errorf("set the capacity of user %d: %w", userID, err)
	}
	return nil
}

// DaysOff returns the user's days off from a date on, in order.
func (s *Store) DaysOff(ctx context.Context, userID int64, from planner.Date) ([]planner.DayOff, error) {
	rows, err := s.q.DaysOff(ctx, dbgen.DaysOffParams{UserID: userID, FirstDay: from})
	if err != nil {
		return nil, fmt.Errorf("days off of user %d: %w", userID, err)
	}
	days := make([]planner.DayOff, len(rows))
	for i, r := range rows {
		days[i] = planner.DayOff(r)
	}
	return days, nil
}
