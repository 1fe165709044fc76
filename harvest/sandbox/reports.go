package sandbox

import (
	"cmp"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// budgetRow is a line of the project budget report (section 10.9).
type budgetRow struct {
	ProjectID       int64  `json:"project_id"`
	ProjectName     string `json:"project_name"`
	ClientID        int64  `json:"client_id"`
	ClientName      string `json:"client_name"`
	BudgetIsMonthly bool   `json:"budget_is_monthly"`
	BudgetBy        string `json:"budget_by"`
	IsActive        bool   `json:"is_active"`
	Budget          *dec   `json:"budget"`
	BudgetSpent     *dec   `json:"budget_spent"`
	BudgetRemaining *dec   `json:"budget_remaining"`
}

func (s *Server) reportBudget(c *call) answer {
	f, faults := readCommon(c)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	a := c.account
	month := c.now.In(c.me.location()).Format("2006-01")
	hours, money := map[int64]hundredths{}, map[int64]decimal.Decimal{}
	for _, e := range a.byDate {
		p := a.Projects[e.ProjectID]
		if p == nil || p.BudgetIsMonthly && e.Date[:7] != month {
			continue
		}
		h := a.rounded(e.hoursAt(c.now))
		hours[p.ID] += h
		if e.BillableRate != nil {
			money[p.ID] = money[p.ID].Add(h.dec().Mul(e.BillableRate.Decimal))
		}
	}
	var rows []budgetRow
	for _, p := range newest(a.Projects, projectPosition) {
		without := p.BudgetBy == "none"
		if without && !s.world.Switches.BudgetReportWithoutBudget || f.active != nil && *f.active != p.IsActive || !c.seesBudget(p) ||
			f.active == nil && !p.IsActive && !s.world.Switches.BudgetReportArchived {
			continue
		}
		row := budgetRow{
			ProjectID: p.ID, ProjectName: p.Name, ClientID: p.ClientID, BudgetIsMonthly: p.BudgetIsMonthly, BudgetBy: p.BudgetBy, IsActive: p.IsActive,
		}
		if cl := a.Clients[p.ClientID]; cl != nil {
			row.ClientName = cl.Name
		}
		inMoney := p.BudgetBy == "project_cost" || p.BudgetBy == "task_fees"
		if !without && (!inMoney || c.seesRates()) {
			row.Budget = a.budget(p)
			spent := hours[p.ID].dec()
			if inMoney {
				spent = dec{money[p.ID].Round(2)}
			}
			row.BudgetSpent = &spent
			if row.Budget != nil {
				row.BudgetRemaining = &dec{row.Budget.Sub(spent.Decimal)}
			}
		}
		rows = append(rows, row)
	}
	return answerReport(s, c, rows)
}

// seesBudget reports whether the caller sees the project's budget: administrators, its managers, and
// all who are assigned if the project says so.
func (c *call) seesBudget(p *project) bool {
	if c.mayManage(p.ID) {
		return true
	}
	ua := c.account.userJobs[pair{p.ID, c.me.ID}]
	return p.ShowBudgetToAll && ua != nil && ua.IsActive
}

// budget is the project's whole budget, summed up where tasks or people have their own.
func (a *account) budget(p *project) *dec {
	var sum decimal.Decimal
	switch p.BudgetBy {
	case "project_cost":
		if p.CostBudget != nil {
			return p.CostBudget
		}
		return p.Budget
	case "task", "task_fees":
		for _, ta := range a.TaskAssignments {
			if ta.ProjectID == p.ID && ta.Budget != nil {
				sum = sum.Add(ta.Budget.Decimal)
			}
		}
	case "person":
		for _, ua := range a.UserAssignments {
			if ua.ProjectID == p.ID && ua.Budget != nil {
				sum = sum.Add(ua.Budget.Decimal)
			}
		}
	default:
		return p.Budget
	}
	return &dec{sum}
}

// answerReport pages a report; reports are paged by number only.
func answerReport[T any](s *Server, c *call, rows []T) answer {
	return answerList(s, c, listing[T]{key: "results", rows: rows, append: appendAsJSON(func(row T) any { return row })})
}

// period reads from and to, which a report needs and which may lie 365 days apart at most.
func (c *call) period() (from, to string, refusal answer, ok bool) {
	var faults []string
	read := func(name string) string {
		text := lastOf(c.query, name)
		date, valid := parseDate(text)
		switch {
		case text == "":
			faults = append(faults, name+" can't be blank")
		case !valid:
			faults = append(faults, name+" is not a valid date")
		}
		return date
	}
	from, to = read("from"), read("to")
	if len(faults) == 0 {
		start, _ := time.Parse(time.DateOnly, from)
		end, _ := time.Parse(time.DateOnly, to)
		switch days := end.Sub(start).Hours() / 24; {
		case days < 0:
			faults = append(faults, "from must be before to")
		case days > 365:
			faults = append(faults, "The time frame can't be longer than 365 days")
		}
	}
	if len(faults) > 0 {
		return "", "", invalid(faults...), false
	}
	return from, to, answer{}, true
}

// entriesBetween are the entries of a period that the caller may see.
func (c *call) entriesBetween(from, to string) []*entry {
	var rows []*entry
	for _, e := range c.account.byDate {
		if from <= e.Date && e.Date <= to && c.visible(e) {
			rows = append(rows, e)
		}
	}
	return rows
}

// timeRow is a line of a time report; only the columns of its grouping are filled.
type timeRow struct {
	UserID         *int64  `json:"user_id,omitempty"`
	UserName       *string `json:"user_name,omitempty"`
	ClientID       *int64  `json:"client_id,omitempty"`
	ClientName     *string `json:"client_name,omitempty"`
	ProjectID      *int64  `json:"project_id,omitempty"`
	ProjectName    *string `json:"project_name,omitempty"`
	TaskID         *int64  `json:"task_id,omitempty"`
	TaskName       *string `json:"task_name,omitempty"`
	IsContractor   *bool   `json:"is_contractor,omitempty"`
	WeeklyCapacity *int64  `json:"weekly_capacity,omitempty"`
	AvatarURL      *string `json:"avatar_url,omitempty"`
	TotalHours     dec     `json:"total_hours"`
	BillableHours  dec     `json:"billable_hours"`
	Currency       *string `json:"currency,omitempty"`
	BillableAmount *dec    `json:"billable_amount,omitempty"`
}

// subject is what a report groups by: a record and a currency.
type subject struct {
	id       int64
	currency string
}

type sums struct {
	total, billable, uninvoiced  hundredths
	billableAmount, uninvoicedAt decimal.Decimal
}

func (t *sums) add(e *entry, h hundredths, priced bool) {
	t.total += h
	if !e.Billable {
		return
	}
	amount := decimal.Zero
	if e.BillableRate != nil && priced {
		amount = h.dec().Mul(e.BillableRate.Decimal)
	}
	t.billable += h
	t.billableAmount = t.billableAmount.Add(amount)
	if e.InvoiceID == 0 {
		t.uninvoiced += h
		t.uninvoicedAt = t.uninvoicedAt.Add(amount)
	}
}

// total sums entries up by subject, and lists the subjects by id and currency.
//
// Amounts of projects with a fixed fee count if withFee.
func (c *call) total(entries []*entry, withFee bool, id func(*entry, *project) int64) ([]subject, map[subject]*sums) {
	a := c.account
	by := map[subject]*sums{}
	var order []subject
	for _, e := range entries {
		p := a.Projects[e.ProjectID]
		if p == nil {
			continue
		}
		key := subject{id: id(e, p)}
		if cl := a.Clients[p.ClientID]; cl != nil {
			key.currency = cl.Currency
		}
		if by[key] == nil {
			by[key] = &sums{}
			order = append(order, key)
		}
		by[key].add(e, a.rounded(e.hoursAt(c.now)), withFee || !p.IsFixedFee)
	}
	slices.SortFunc(order, func(x, y subject) int {
		return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.currency, y.currency))
	})
	return order, by
}

func (s *Server) reportTime(group string) handler {
	return func(c *call) answer {
		from, to, refusal, ok := c.period()
		if !ok {
			return refusal
		}
		withFee, fault := boolFilter(c.query, "include_fixed_fee")
		if fault != "" {
			return invalid(fault)
		}
		order, by := c.total(c.entriesBetween(from, to), withFee != nil && *withFee, func(e *entry, p *project) int64 {
			switch group {
			case "clients":
				return p.ClientID
			case "projects":
				return p.ID
			case "tasks":
				return e.TaskID
			}
			return e.UserID
		})
		rows := make([]timeRow, 0, len(order))
		for _, key := range order {
			t := by[key]
			row := timeRow{TotalHours: t.total.dec(), BillableHours: t.billable.dec()}
			c.label(&row, group, key.id)
			if c.seesRates() {
				row.Currency = &key.currency
				row.BillableAmount = &dec{t.billableAmount.Round(2)}
			}
			rows = append(rows, row)
		}
		return answerReport(s, c, rows)
	}
}

// label fills the names of what a line is about.
func (c *call) label(row *timeRow, group string, id int64) {
	a := c.account
	switch group {
	case "clients":
		row.ClientID = &id
		if cl := a.Clients[id]; cl != nil {
			row.ClientName = &cl.Name
		}
	case "projects":
		row.ProjectID = &id
		if p := a.Projects[id]; p != nil {
			row.ProjectName, row.ClientID = new(p.Name), new(p.ClientID)
			if cl := a.Clients[p.ClientID]; cl != nil {
				row.ClientName = new(cl.Name)
			}
		}
	case "tasks":
		row.TaskID = &id
		if t := a.Tasks[id]; t != nil {
			row.TaskName = &t.Name
		}
	default:
		row.UserID = &id
		if u := a.Users[id]; u != nil {
			v := c.viewUser(u)
			row.UserName, row.IsContractor = new(u.name()), &v.IsContractor
			row.WeeklyCapacity, row.AvatarURL = &v.WeeklyCapacity, &v.AvatarURL
		}
	}
}

type uninvoicedRow struct {
	ClientID           int64  `json:"client_id"`
	ClientName         string `json:"client_name"`
	ProjectID          int64  `json:"project_id"`
	ProjectName        string `json:"project_name"`
	Currency           string `json:"currency"`
	TotalHours         dec    `json:"total_hours"`
	UninvoicedHours    dec    `json:"uninvoiced_hours"`
	UninvoicedExpenses dec    `json:"uninvoiced_expenses"`
	UninvoicedAmount   dec    `json:"uninvoiced_amount"`
}

func (s *Server) reportUninvoiced(c *call) answer {
	if !c.seesRates() {
		return forbidden()
	}
	from, to, refusal, ok := c.period()
	if !ok {
		return refusal
	}
	a := c.account
	withFee, fault := boolFilter(c.query, "include_fixed_fee")
	if fault != "" {
		return invalid(fault)
	}
	order, by := c.total(c.entriesBetween(from, to), true, func(_ *entry, p *project) int64 { return p.ID })
	rows := make([]uninvoicedRow, 0, len(order))
	for _, key := range order {
		p, t := a.Projects[key.id], by[key]
		if p.IsFixedFee && withFee != nil && !*withFee {
			continue
		}
		row := uninvoicedRow{
			ClientID: p.ClientID, ProjectID: p.ID, ProjectName: p.Name, Currency: key.currency, TotalHours: t.total.dec(), UninvoicedHours: t.uninvoiced.dec(),
		}
		if cl := a.Clients[p.ClientID]; cl != nil {
			row.ClientName = cl.Name
		}
		for _, x := range a.Expenses {
			if x.ProjectID == p.ID && x.Billable && from <= x.Date && x.Date <= to {
				row.UninvoicedExpenses.Decimal = row.UninvoicedExpenses.Add(x.TotalCost.Decimal)
			}
		}
		row.UninvoicedAmount = dec{t.uninvoicedAt.Add(row.UninvoicedExpenses.Decimal).Round(2)}
		rows = append(rows, row)
	}
	return answerReport(s, c, rows)
}

// expenseRow is a line of an expense report; only the columns of its grouping are filled.
type expenseRow struct {
	UserID         *int64  `json:"user_id,omitempty"`
	UserName       *string `json:"user_name,omitempty"`
	IsContractor   *bool   `json:"is_contractor,omitempty"`
	ClientID       *int64  `json:"client_id,omitempty"`
	ClientName     *string `json:"client_name,omitempty"`
	ProjectID      *int64  `json:"project_id,omitempty"`
	ProjectName    *string `json:"project_name,omitempty"`
	CategoryID     *int64  `json:"expense_category_id,omitempty"`
	CategoryName   *string `json:"expense_category_name,omitempty"`
	TotalAmount    dec     `json:"total_amount"`
	BillableAmount dec     `json:"billable_amount"`
	Currency       string  `json:"currency"`
}

func (s *Server) reportExpenses(group string) handler {
	return func(c *call) answer {
		from, to, refusal, ok := c.period()
		if !ok {
			return refusal
		}
		a := c.account
		by := map[subject]*expenseRow{}
		var order []subject
		for _, x := range a.Expenses {
			p := a.Projects[x.ProjectID]
			if p == nil || x.Date < from || x.Date > to || !c.seesExpense(x) {
				continue
			}
			key := subject{id: map[string]int64{"clients": p.ClientID, "projects": p.ID, "categories": x.CategoryID, "team": x.UserID}[group]}
			if cl := a.Clients[p.ClientID]; cl != nil {
				key.currency = cl.Currency
			}
			row := by[key]
			if row == nil {
				row = &expenseRow{Currency: key.currency}
				c.labelExpense(row, group, key.id)
				by[key] = row
				order = append(order, key)
			}
			row.TotalAmount.Decimal = row.TotalAmount.Add(x.TotalCost.Decimal)
			if x.Billable {
				row.BillableAmount.Decimal = row.BillableAmount.Add(x.TotalCost.Decimal)
			}
		}
		slices.SortFunc(order, func(x, y subject) int {
			return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.currency, y.currency))
		})
		rows := make([]expenseRow, 0, len(order))
		for _, key := range order {
			rows = append(rows, *by[key])
		}
		return answerReport(s, c, rows)
	}
}

// labelExpense fills the names of what a line is about.
func (c *call) labelExpense(row *expenseRow, group string, id int64) {
	if group == "categories" {
		row.CategoryID = &id
		if k := c.account.Categories[id]; k != nil {
			row.CategoryName = &k.Name
		}
		return
	}
	var names timeRow
	c.label(&names, group, id)
	row.ClientID, row.ClientName, row.ProjectID, row.ProjectName = names.ClientID, names.ClientName, names.ProjectID, names.ProjectName
	row.UserID, row.UserName, row.IsContractor = names.UserID, names.UserName, names.IsContractor
}
