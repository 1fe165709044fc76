package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func itoa(id int64) string { return strconv.FormatInt(id, 10) }

// mayKeepClients reports whether the caller may read and change clients and tasks.
func (c *call) mayKeepClients() bool {
	return c.me.admin() || c.me.manager() && slices.Contains(c.me.AccessRoles, "client_and_task_manager")
}

func clientPosition(cl *client) position { return byCreation(cl.CreatedAt, cl.ID) }

func (s *Server) listClients(c *call) answer {
	if !c.mayKeepClients() {
		return forbidden()
	}
	f, faults := readCommon(c)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	rows := newest(c.account.Clients, clientPosition)
	rows = slices.DeleteFunc(rows, func(cl *client) bool { return !f.match(cl.IsActive, cl.UpdatedAt) })
	return answerList(s, c, listing[*client]{
		resource: "clients", key: "clients", rows: rows, position: clientPosition,
		append: appendAsJSON(func(cl *client) any { return cl }),
	})
}

func (c *call) client() (*client, answer) {
	if !c.mayKeepClients() {
		return nil, forbidden()
	}
	cl := c.account.Clients[c.ids[0]]
	if cl == nil {
		return nil, notFound()
	}
	return cl, answer{}
}

func (s *Server) showClient(c *call) answer {
	cl, refusal := c.client()
	if cl == nil {
		return refusal
	}
	return asJSON(http.StatusOK, cl)
}

func (cl *client) set(p params) []string {
	var faults []string
	setText(p, "name", &cl.Name)
	setTruth(p, "is_active", &cl.IsActive)
	setTextOrNil(p, "address", &cl.Address)
	if p.given("currency") {
		setText(p, "currency", &cl.Currency)
	}
	if cl.Name == "" {
		faults = append(faults, "Name can't be blank")
	}
	return faults
}

func (s *Server) createClient(c *call) answer {
	if !c.mayKeepClients() {
		return forbidden()
	}
	cl := &client{IsActive: true, Currency: c.account.Company.Currency, CreatedAt: second(c.now), UpdatedAt: second(c.now)}
	faults := cl.set(c.params)
	for _, other := range c.account.Clients {
		if other.Name == cl.Name && cl.Name != "" {
			faults = append(faults, "Name has already been taken")
		}
	}
	if len(faults) > 0 {
		return invalid(faults...)
	}
	cl.ID = s.world.id(kindClient)
	cl.StatementKey = fmt.Sprintf("%032x", cl.ID*2654435761)
	c.account.Clients[cl.ID] = cl
	return c.created("clients", cl.ID, cl)
}

func (s *Server) updateClient(c *call) answer {
	cl, refusal := c.client()
	if cl == nil {
		return refusal
	}
	next := *cl
	if faults := next.set(c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	next.UpdatedAt = second(c.now)
	*cl = next
	s.touchEntries(c, func(e *entry) bool { p := c.account.Projects[e.ProjectID]; return p != nil && p.ClientID == cl.ID })
	return asJSON(http.StatusOK, cl)
}

func (s *Server) deleteClient(c *call) answer {
	cl, refusal := c.client()
	if cl == nil {
		return refusal
	}
	for _, p := range c.account.Projects {
		if p.ClientID == cl.ID {
			return refusedDelete("This client is not removable. It still has projects and/or invoices.")
		}
	}
	delete(c.account.Clients, cl.ID)
	return s.deleted(asJSON(http.StatusOK, cl))
}

// projectFullView is a project as sent: what is stored, with the client as an object.
type projectFullView struct {
	ID                         int64       `json:"id"`
	Name                       string      `json:"name"`
	Code                       *string     `json:"code"`
	IsActive                   bool        `json:"is_active"`
	IsBillable                 bool        `json:"is_billable"`
	IsFixedFee                 bool        `json:"is_fixed_fee"`
	BillBy                     string      `json:"bill_by"`
	Budget                     *dec        `json:"budget"`
	BudgetBy                   string      `json:"budget_by"`
	BudgetIsMonthly            bool        `json:"budget_is_monthly"`
	NotifyWhenOverBudget       bool        `json:"notify_when_over_budget"`
	OverBudgetPercentage       dec         `json:"over_budget_notification_percentage"`
	ShowBudgetToAll            bool        `json:"show_budget_to_all"`
	CreatedAt                  time.Time   `json:"created_at"`
	UpdatedAt                  time.Time   `json:"updated_at"`
	StartsOn                   *string     `json:"starts_on"`
	EndsOn                     *string     `json:"ends_on"`
	OverBudgetNotificationDate *string     `json:"over_budget_notification_date"`
	Notes                      *string     `json:"notes"`
	CostBudget                 *dec        `json:"cost_budget"`
	CostBudgetIncludeExpenses  bool        `json:"cost_budget_include_expenses"`
	HourlyRate                 *dec        `json:"hourly_rate"`
	Fee                        *dec        `json:"fee"`
	Client                     *clientView `json:"client"`
}

func (c *call) viewProjectFull(p *project) projectFullView {
	v := projectFullView{
		ID: p.ID, Name: p.Name, Code: p.Code, IsActive: p.IsActive, IsBillable: p.IsBillable, IsFixedFee: p.IsFixedFee, BillBy: p.BillBy,
		Budget: p.Budget, BudgetBy: p.BudgetBy, BudgetIsMonthly: p.BudgetIsMonthly, NotifyWhenOverBudget: p.NotifyWhenOverBudget,
		OverBudgetPercentage: p.OverBudgetPercentage, ShowBudgetToAll: p.ShowBudgetToAll, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
		StartsOn: p.StartsOn, EndsOn: p.EndsOn, OverBudgetNotificationDate: p.OverBudgetNotificationDate, Notes: p.Notes,
		CostBudget: p.CostBudget, CostBudgetIncludeExpenses: p.CostBudgetIncludeExpenses,
		Client: c.account.viewClient(p.ClientID),
	}
	if c.seesRates() {
		v.HourlyRate, v.Fee = p.HourlyRate, p.Fee
	}
	return v
}

// mayManage reports whether the caller may read and change the project.
func (c *call) mayManage(projectID int64) bool {
	return c.me.admin() || c.me.manager() && c.managesProject(projectID)
}

func projectPosition(p *project) position { return byCreation(p.CreatedAt, p.ID) }

func (s *Server) listProjects(c *call) answer {
	if !c.me.admin() && !c.me.manager() {
		return forbidden()
	}
	f, faults := readCommon(c)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	clientID := lastOf(c.query, "client_id")
	rows := newest(c.account.Projects, projectPosition)
	rows = slices.DeleteFunc(rows, func(p *project) bool {
		return !c.mayManage(p.ID) || !f.match(p.IsActive, p.UpdatedAt) || clientID != "" && clientID != itoa(p.ClientID)
	})
	return answerList(s, c, listing[*project]{
		resource: "projects", key: "projects", rows: rows, position: projectPosition,
		append: appendAsJSON(func(p *project) any { return c.viewProjectFull(p) }),
	})
}

// project finds the project that the path names first, or the refusal.
func (c *call) project() (*project, answer) {
	if !c.me.admin() && !c.me.manager() {
		return nil, forbidden()
	}
	p := c.account.Projects[c.ids[0]]
	if p == nil {
		return nil, notFound()
	}
	if !c.mayManage(p.ID) {
		return nil, forbidden()
	}
	return p, answer{}
}

func (s *Server) showProject(c *call) answer {
	p, refusal := c.project()
	if p == nil {
		return refusal
	}
	return asJSON(http.StatusOK, c.viewProjectFull(p))
}

// set applies a request to a project and returns the faults.
func (p *project) set(a *account, q params) []string {
	var faults []string
	if q.has("client_id") {
		p.ClientID = q.id("client_id")
	}
	if a.Clients[p.ClientID] == nil {
		if q.given("client_id") {
			faults = append(faults, "Client must exist")
		} else {
			faults = append(faults, "Client can't be blank")
		}
	}
	setText(q, "name", &p.Name)
	if p.Name == "" {
		faults = append(faults, "Name can't be blank")
	}
	setTextOrNil(q, "code", &p.Code)
	setTextOrNil(q, "notes", &p.Notes)
	setText(q, "bill_by", &p.BillBy)
	if !slices.Contains([]string{"Project", "Tasks", "People", "none"}, p.BillBy) {
		faults = append(faults, "Bill by is not included in the list")
	}
	setText(q, "budget_by", &p.BudgetBy)
	if !slices.Contains([]string{"project", "project_cost", "task", "task_fees", "person", "none"}, p.BudgetBy) {
		faults = append(faults, "Budget by is not included in the list")
	}
	for key, into := range map[string]*bool{
		"is_active": &p.IsActive, "is_billable": &p.IsBillable, "is_fixed_fee": &p.IsFixedFee, "budget_is_monthly": &p.BudgetIsMonthly,
		"notify_when_over_budget": &p.NotifyWhenOverBudget, "show_budget_to_all": &p.ShowBudgetToAll,
		"cost_budget_include_expenses": &p.CostBudgetIncludeExpenses,
	} {
		setTruth(q, key, into)
	}
	setNumber(q, "hourly_rate", "Hourly rate", &p.HourlyRate, &faults)
	setNumber(q, "budget", "Budget", &p.Budget, &faults)
	setNumber(q, "cost_budget", "Cost budget", &p.CostBudget, &faults)
	setNumber(q, "fee", "Fee", &p.Fee, &faults)
	if !p.IsFixedFee {
		p.Fee = nil
	}
	var percentage *dec
	setNumber(q, "over_budget_notification_percentage", "Over budget notification percentage", &percentage, &faults)
	if percentage != nil {
		p.OverBudgetPercentage = *percentage
	}
	for key, into := range map[string]**string{"starts_on": &p.StartsOn, "ends_on": &p.EndsOn} {
		if !q.has(key) {
			continue
		}
		*into = nil
		if text, _ := q.text(key); text != "" {
			date, ok := parseDate(text)
			if !ok {
				faults = append(faults, key+" is not a valid date")
			}
			*into = &date
		}
	}
	return faults
}

func (s *Server) createProject(c *call) answer {
	if !c.me.admin() && (!c.me.manager() || !slices.Contains(c.me.AccessRoles, "project_creator")) {
		return forbidden()
	}
	a := c.account
	p := &project{
		IsActive: true, IsBillable: true, BillBy: "none", BudgetBy: "none", OverBudgetPercentage: decimalOf("80"),
		CreatedAt: second(c.now), UpdatedAt: second(c.now),
	}
	faults := p.set(a, c.params)
	if s.world.Switches.ProjectRequires == "all" {
		for _, needed := range []struct{ key, label string }{{"is_billable", "Is billable"}, {"bill_by", "Bill by"}, {"budget_by", "Budget by"}} {
			if !c.params.given(needed.key) {
				faults = append(faults, needed.label+" can't be blank")
			}
		}
	}
	if len(faults) > 0 {
		return invalid(faults...)
	}
	p.ID = s.world.id(kindProject)
	a.Projects[p.ID] = p
	// The default tasks come along, and the person who made it may track on it.
	for _, t := range newest(a.Tasks, taskPosition) {
		if t.IsDefault && t.IsActive {
			s.assignTask(a, &taskAssignment{ProjectID: p.ID, TaskID: t.ID, Billable: t.BillableByDefault, IsActive: true, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt})
		}
	}
	for _, u := range newest(a.Users, func(u *user) position { return byCreation(u.CreatedAt, u.ID) }) {
		if u.ID == c.me.ID || u.AllFutureProjects {
			s.assignUser(a, &userAssignment{ProjectID: p.ID, UserID: u.ID, IsActive: true, IsProjectManager: u.ID == c.me.ID, UseDefaultRates: true, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt})
		}
	}
	return c.created("projects", p.ID, c.viewProjectFull(p))
}

func (s *Server) updateProject(c *call) answer {
	p, refusal := c.project()
	if p == nil {
		return refusal
	}
	next := *p
	if faults := next.set(c.account, c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	next.UpdatedAt = second(c.now)
	*p = next
	s.touchEntries(c, func(e *entry) bool { return e.ProjectID == p.ID })
	return asJSON(http.StatusOK, c.viewProjectFull(p))
}

// deleteProject takes the project's entries, expenses and assignments with it (section 6).
func (s *Server) deleteProject(c *call) answer {
	p, refusal := c.project()
	if p == nil {
		return refusal
	}
	a := c.account
	shown := asJSON(http.StatusOK, c.viewProjectFull(p))
	deleteWhere(a.Entries, func(e *entry) bool { return e.ProjectID == p.ID })
	deleteWhere(a.Expenses, func(x *expense) bool { return x.ProjectID == p.ID })
	deleteWhere(a.TaskAssignments, func(ta *taskAssignment) bool { return ta.ProjectID == p.ID })
	deleteWhere(a.UserAssignments, func(ua *userAssignment) bool { return ua.ProjectID == p.ID })
	delete(a.Projects, p.ID)
	a.index()
	return s.deleted(shown)
}

func deleteWhere[T any](m map[int64]T, match func(T) bool) {
	for id, v := range m {
		if match(v) {
			delete(m, id)
		}
	}
}

func taskPosition(t *task) position { return byCreation(t.CreatedAt, t.ID) }

func (s *Server) listTasks(c *call) answer {
	if !c.mayKeepClients() {
		return forbidden()
	}
	f, faults := readCommon(c)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	rows := newest(c.account.Tasks, taskPosition)
	rows = slices.DeleteFunc(rows, func(t *task) bool { return !f.match(t.IsActive, t.UpdatedAt) })
	return answerList(s, c, listing[*task]{
		resource: "tasks", key: "tasks", rows: rows, position: taskPosition,
		append: appendAsJSON(func(t *task) any { return t }),
	})
}

func (c *call) task() (*task, answer) {
	if !c.mayKeepClients() {
		return nil, forbidden()
	}
	t := c.account.Tasks[c.ids[0]]
	if t == nil {
		return nil, notFound()
	}
	return t, answer{}
}

func (s *Server) showTask(c *call) answer {
	t, refusal := c.task()
	if t == nil {
		return refusal
	}
	return asJSON(http.StatusOK, t)
}

func (t *task) set(p params) []string {
	var faults []string
	setText(p, "name", &t.Name)
	setTruth(p, "billable_by_default", &t.BillableByDefault)
	setTruth(p, "is_default", &t.IsDefault)
	setTruth(p, "is_active", &t.IsActive)
	setNumber(p, "default_hourly_rate", "Default hourly rate", &t.DefaultHourlyRate, &faults)
	if t.Name == "" {
		faults = append(faults, "Name can't be blank")
	}
	return faults
}

func (s *Server) createTask(c *call) answer {
	if !c.mayKeepClients() {
		return forbidden()
	}
	t := &task{IsActive: true, BillableByDefault: true, CreatedAt: second(c.now), UpdatedAt: second(c.now)}
	if faults := t.set(c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	t.ID = s.world.id(kindTask)
	c.account.Tasks[t.ID] = t
	return c.created("tasks", t.ID, t)
}

func (s *Server) updateTask(c *call) answer {
	t, refusal := c.task()
	if t == nil {
		return refusal
	}
	next := *t
	if faults := next.set(c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	next.UpdatedAt = second(c.now)
	*t = next
	s.touchEntries(c, func(e *entry) bool { return e.TaskID == t.ID })
	return asJSON(http.StatusOK, t)
}

func (s *Server) deleteTask(c *call) answer {
	t, refusal := c.task()
	if t == nil {
		return refusal
	}
	a := c.account
	for _, e := range a.byDate {
		if e.TaskID == t.ID {
			return refusedDelete("This task is not removable. It still has time entries.")
		}
	}
	deleteWhere(a.TaskAssignments, func(ta *taskAssignment) bool { return ta.TaskID == t.ID })
	delete(a.Tasks, t.ID)
	a.index()
	return s.deleted(asJSON(http.StatusOK, t))
}

func decimalOf(text string) dec {
	d, err := newDec(text)
	if err != nil {
		return dec{}
	}
	return d
}
