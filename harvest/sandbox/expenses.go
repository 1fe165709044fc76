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
	ID             int64         `json:"id"`
	SpentDate      string        `json:"spent_date"`
	Notes          *string       `json:"notes"`
	TotalCost      dec           `json:"total_cost"`
	Units          dec           `json:"units"`
	Billable       bool          `json:"billable"`
	IsClosed       bool          `json:"is_closed"`
	ApprovalStatus string        `json:"approval_status"`
	IsLocked       bool          `json:"is_locked"`
	IsBilled       bool          `json:"is_billed"`
	LockedReason   *string       `json:"locked_reason"`
	Receipt        *struct{}     `json:"receipt"`
	CreatedAt      time.Time     `json:"created_at"`
	UpdatedAt      time.Time     `json:"updated_at"`
	User           *namedView    `json:"user"`
	Client         *clientView   `json:"client"`
	Project        *projectView  `json:"project"`
	Category       *categoryView `json:"expense_category"`
	Invoice        *struct{}     `json:"invoice"`
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
	v := expenseView{
		ID: x.ID, SpentDate: x.Date, Notes: x.Notes, TotalCost: x.TotalCost, Units: decimalOf("1"), Billable: x.Billable,
		IsClosed: approved, ApprovalStatus: "unsubmitted", IsLocked: approved, CreatedAt: x.CreatedAt, UpdatedAt: x.UpdatedAt,
		Project: a.viewProject(x.ProjectID),
	}
	if approved {
		v.ApprovalStatus = "approved"
		v.LockedReason = new("Item Approved and Locked for this Time Period")
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
	since, fault := sinceFilter(c.query)
	if fault != "" {
		return invalid(fault)
	}
	userID, projectID := lastOf(c.query, "user_id"), lastOf(c.query, "project_id")
	at := func(x *expense) position { return position{x.Date, x.ID} }
	rows := newest(c.account.Expenses, at)
	rows = slices.DeleteFunc(rows, func(x *expense) bool {
		return !c.me.admin() && x.UserID != c.me.ID || userID != "" && userID != itoa(x.UserID) ||
			projectID != "" && projectID != itoa(x.ProjectID) || since != nil && !x.UpdatedAt.After(*since)
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
	if !c.me.admin() && x.UserID != c.me.ID {
		return forbidden()
	}
	return asJSON(http.StatusOK, c.viewExpense(x))
}

func (s *Server) listCategories(c *call) answer {
	at := func(k *category) position { return byCreation(k.CreatedAt, k.ID) }
	return answerList(s, c, listing[*category]{
		resource: "expense_categories", key: "expense_categories", rows: newest(c.account.Categories, at), position: at,
		append: appendAsJSON(func(k *category) any { return k }),
	})
}
