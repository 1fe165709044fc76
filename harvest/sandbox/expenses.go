package sandbox

import (
	"net/http"
	"slices"
	"time"
)

// expense and category are read only here.
type expense struct {
	ID         int64     `json:"id"`
	UserID     int64     `json:"user_id"`
	ProjectID  int64     `json:"project_id"`
	CategoryID int64     `json:"expense_category_id"`
	Date       string    `json:"spent_date"`
	Notes      *string   `json:"notes"`
	TotalCost  dec       `json:"total_cost"`
	Billable   bool      `json:"billable"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

type category struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	UnitName  *string   `json:"unit_name"`
	UnitPrice *dec      `json:"unit_price"`
	IsActive  bool      `json:"is_active"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type expenseView struct {
	ID             int64                `json:"id"`
	SpentDate      string               `json:"spent_date"`
	Notes          *string              `json:"notes"`
	TotalCost      dec                  `json:"total_cost"`
	Units          dec                  `json:"units"`
	Billable       bool                 `json:"billable"`
	IsClosed       bool                 `json:"is_closed"`
	ApprovalStatus string               `json:"approval_status"`
	IsLocked       bool                 `json:"is_locked"`
	IsBilled       bool                 `json:"is_billed"`
	LockedReason   *string              `json:"locked_reason"`
	Receipt        *struct{}            `json:"receipt"`
	CreatedAt      time.Time            `json:"created_at"`
	UpdatedAt      time.Time            `json:"updated_at"`
	User           *namedView           `json:"user"`
	Client         *clientView          `json:"client"`
	Project        *projectView         `json:"project"`
	Category       *categoryView        `json:"expense_category"`
	UserAssignment *shortUserAssignment `json:"user_assignment"`
	Invoice        *struct{}            `json:"invoice"`
}

// shortUserAssignment is a user assignment without its project and user.
type shortUserAssignment struct {
	ID               int64     `json:"id"`
	IsProjectManager bool      `json:"is_project_manager"`
	IsActive         bool      `json:"is_active"`
	UseDefaultRates  bool      `json:"use_default_rates"`
	Budget           *dec      `json:"budget"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
	HourlyRate       *dec      `json:"hourly_rate"`
}

func (c *call) shortAssignment(ua *userAssignment) *shortUserAssignment {
	v := &shortUserAssignment{
		ID: ua.ID, IsProjectManager: ua.IsProjectManager, IsActive: ua.IsActive, UseDefaultRates: ua.UseDefaultRates, Budget: ua.Budget,
		CreatedAt: ua.CreatedAt, UpdatedAt: ua.UpdatedAt,
	}
	if c.seesRates() {
		v.HourlyRate = c.account.shownRate(ua)
	}
	return v
}

type categoryView struct {
	ID        int64   `json:"id"`
	Name      string  `json:"name"`
	UnitPrice *dec    `json:"unit_price"`
	UnitName  *string `json:"unit_name"`
}

func (c *call) viewExpense(x *expense) expenseView {
	a := c.account
	approved := a.approved(x.UserID, x.Date)
	reason := a.lockReason(x.asEntry())
	v := expenseView{
		ID: x.ID, SpentDate: x.Date, Notes: x.Notes, TotalCost: x.TotalCost, Units: decimalOf("1"), Billable: x.Billable,
		IsClosed: approved, ApprovalStatus: "unsubmitted", IsLocked: reason != "", CreatedAt: x.CreatedAt, UpdatedAt: x.UpdatedAt,
		Project: a.viewProject(x.ProjectID),
	}
	if approved {
		v.ApprovalStatus = "approved"
	}
	if reason != "" {
		v.LockedReason = &reason
	}
	if ua := a.userJobs[pair{x.ProjectID, x.UserID}]; ua != nil {
		v.UserAssignment = c.shortAssignment(ua)
	}
	if u := a.Users[x.UserID]; u != nil {
		v.User = &namedView{u.ID, u.name()}
	}
	if p := a.Projects[x.ProjectID]; p != nil {
		v.Client = a.viewClient(p.ClientID)
	}
	if k := a.Categories[x.CategoryID]; k != nil {
		v.Category = &categoryView{k.ID, k.Name, k.UnitPrice, k.UnitName}
	}
	return v
}

func (s *Server) listExpenses(c *call) answer {
	f, faults := newEntryFilter(c.query)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	// Expenses have neither tasks, timers nor references.
	f.taskID, f.running, f.reference = 0, nil, ""
	at := func(x *expense) position { return position{x.Date, x.ID} }
	rows := newest(c.account.Expenses, at)
	rows = slices.DeleteFunc(rows, func(x *expense) bool {
		return !c.seesExpense(x) || f.from != "" && x.Date < f.from || f.to != "" && x.Date > f.to ||
			!f.matches(c.account, x.asEntry(), c.now, 0, false)
	})
	return answerList(s, c, listing[*expense]{
		resource: "expenses", key: "expenses", rows: rows, position: at,
		append: appendAsJSON(func(x *expense) any { return c.viewExpense(x) }),
	})
}

func (s *Server) showExpense(c *call) answer {
	x := c.account.Expenses[c.ids[0]]
	if x == nil {
		return notFound()
	}
	if !c.seesExpense(x) {
		return forbidden()
	}
	return asJSON(http.StatusOK, c.viewExpense(x))
}

// asEntry is what filters and locks look at.
func (x *expense) asEntry() *entry {
	return &entry{UserID: x.UserID, ProjectID: x.ProjectID, Date: x.Date, UpdatedAt: x.UpdatedAt}
}

func (c *call) seesExpense(x *expense) bool { return c.visible(x.asEntry()) }

func (s *Server) showCategory(c *call) answer {
	k := c.account.Categories[c.ids[0]]
	if k == nil {
		return notFound()
	}
	return asJSON(http.StatusOK, k)
}

func (s *Server) listCategories(c *call) answer {
	f, faults := readCommon(c)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	at := func(k *category) position { return byCreation(k.CreatedAt, k.ID) }
	rows := slices.DeleteFunc(newest(c.account.Categories, at), func(k *category) bool { return !f.match(k.IsActive, k.UpdatedAt) })
	return answerList(s, c, listing[*category]{
		resource: "expense_categories", key: "expense_categories", rows: rows, position: at,
		append: appendAsJSON(func(k *category) any { return k }),
	})
}
