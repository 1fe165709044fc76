package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *Server) showCompany(c *call) answer {
	// Only administrators by the documentation; what members get is a switch.
	if !c.me.admin() && s.world.Switches.CompanyForMembers == "403" {
		return forbidden()
	}
	return asJSON(http.StatusOK, c.account.Company)
}

func (s *Server) updateCompany(c *call) answer {
	if !c.me.admin() {
		return forbidden()
	}
	if v, ok := c.params.truth("wants_timestamp_timers"); ok {
		c.account.Company.WantsTimestampTimers = v
	}
	if c.params.given("weekly_capacity") {
		n, err := c.params.number("weekly_capacity")
		if err != nil || n == nil || n.IsNegative() {
			return invalid("Weekly capacity is not a number")
		}
		c.account.Company.WeeklyCapacity = n.IntPart()
	}
	return asJSON(http.StatusOK, c.account.Company)
}

// userView is a user as sent (section 10.2).
type userView struct {
	ID                int64     `json:"id"`
	FirstName         string    `json:"first_name"`
	LastName          string    `json:"last_name"`
	Email             string    `json:"email"`
	Telephone         string    `json:"telephone"`
	Timezone          string    `json:"timezone"`
	WeeklyCapacity    int64     `json:"weekly_capacity"`
	AllFutureProjects bool      `json:"has_access_to_all_future_projects"`
	IsContractor      bool      `json:"is_contractor"`
	IsActive          bool      `json:"is_active"`
	CalendarEnabled   bool      `json:"calendar_integration_enabled"`
	CalendarSource    *string   `json:"calendar_integration_source"`
	CreatedAt         time.Time `json:"created_at"`
	UpdatedAt         time.Time `json:"updated_at"`
	CanCreateProjects bool      `json:"can_create_projects"`
	DefaultHourlyRate *dec      `json:"default_hourly_rate"`
	CostRate          *dec      `json:"cost_rate"`
	Roles             []string  `json:"roles"`
	AccessRoles       []string  `json:"access_roles"`
	PermissionsClaims []string  `json:"permissions_claims"`
	AvatarURL         string    `json:"avatar_url"`
}

func (c *call) viewUser(u *user) userView {
	v := userView{
		ID: u.ID, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Telephone: u.Telephone, Timezone: u.Timezone,
		WeeklyCapacity: u.WeeklyCapacity, AllFutureProjects: u.AllFutureProjects, IsContractor: u.IsContractor, IsActive: u.IsActive,
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
		CanCreateProjects: u.admin() || slices.Contains(u.AccessRoles, "project_creator"),
		Roles:             orEmpty(u.Roles), AccessRoles: orEmpty(u.AccessRoles),
		PermissionsClaims: []string{"timers:read:own", "timers:write:own"},
		AvatarURL:         "https://cache.harvestapp.com/assets/profile_images/default.png",
	}
	if u.admin() {
		v.PermissionsClaims = []string{"timers:read:all", "timers:write:all"}
	}
	if c.seesRates() {
		v.DefaultHourlyRate = u.DefaultHourlyRate
	}
	if c.web || c.me.admin() {
		v.CostRate = u.CostRate
	}
	return v
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (s *Server) showMe(c *call) answer { return asJSON(http.StatusOK, c.viewUser(c.me)) }

// mayRead reports whether the caller may read another user: administrators all, managers their teammates.
func (c *call) mayRead(u *user) bool {
	return c.me.admin() || c.me.manager() && (u.ID == c.me.ID || slices.Contains(c.me.Teammates, u.ID))
}

func byCreation(at time.Time, id int64) position { return position{at.Format(time.RFC3339), id} }

// commonFilters are is_active and updated_since, which most lists know.
type commonFilters struct {
	active *bool
	since  *time.Time
}

func readCommon(c *call) (commonFilters, []string) {
	var f commonFilters
	var faults []string
	var fault string
	if f.active, fault = boolFilter(c.query, "is_active"); fault != "" {
		faults = append(faults, fault)
	}
	if f.since, fault = sinceFilter(c.query); fault != "" {
		faults = append(faults, fault)
	}
	return f, faults
}

func (f commonFilters) match(active bool, updated time.Time) bool {
	return (f.active == nil || *f.active == active) && (f.since == nil || updated.After(*f.since))
}

func (s *Server) listUsers(c *call) answer {
	if !c.me.admin() && !c.me.manager() {
		return forbidden()
	}
	f, faults := readCommon(c)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	at := func(u *user) position { return byCreation(u.CreatedAt, u.ID) }
	rows := newest(c.account.Users, at)
	rows = slices.DeleteFunc(rows, func(u *user) bool { return !c.mayRead(u) || !f.match(u.IsActive, u.UpdatedAt) })
	return answerList(s, c, listing[*user]{
		resource: "users", key: "users", rows: rows, position: at,
		append: appendAsJSON(func(u *user) any { return c.viewUser(u) }),
	})
}

func (s *Server) showUser(c *call) answer {
	if !c.me.admin() && !c.me.manager() {
		return forbidden()
	}
	u := c.account.Users[c.ids[0]]
	if u == nil {
		return notFound()
	}
	if !c.mayRead(u) {
		return forbidden()
	}
	return asJSON(http.StatusOK, c.viewUser(u))
}

// set applies a request to a user and returns the faults.
func (u *user) set(p params) []string {
	setText(p, "first_name", &u.FirstName)
	setText(p, "last_name", &u.LastName)
	setText(p, "email", &u.Email)
	setText(p, "telephone", &u.Telephone)
	setText(p, "timezone", &u.Timezone)
	setTruth(p, "is_active", &u.IsActive)
	setTruth(p, "is_contractor", &u.IsContractor)
	setTruth(p, "has_access_to_all_future_projects", &u.AllFutureProjects)
	var faults []string
	setNumber(p, "default_hourly_rate", "Default hourly rate", &u.DefaultHourlyRate, &faults)
	setNumber(p, "cost_rate", "Cost rate", &u.CostRate, &faults)
	if p.given("weekly_capacity") {
		u.WeeklyCapacity = p.id("weekly_capacity")
	}
	if _, err := zone(u.Timezone); err != nil {
		faults = append(faults, "Timezone is not included in the list")
	}
	if list, ok := p["access_roles"].([]any); ok {
		u.AccessRoles = texts(list)
	}
	if list, ok := p["roles"].([]any); ok {
		u.Roles = texts(list)
	}
	for _, needed := range []struct{ label, value string }{{"First name", u.FirstName}, {"Last name", u.LastName}, {"Email", u.Email}} {
		if needed.value == "" {
			faults = append(faults, needed.label+" can't be blank")
		}
	}
	return faults
}

// createUser adds a person to the account. Harvest also sends an invitation; here nobody gets one, and
// the person has no token.
func (s *Server) createUser(c *call) answer {
	if !c.me.admin() {
		return forbidden()
	}
	a := c.account
	u := &user{
		Timezone: c.me.Timezone, WeeklyCapacity: a.Company.WeeklyCapacity, IsActive: true, AccessRoles: []string{"member"},
		CreatedAt: second(c.now), UpdatedAt: second(c.now),
	}
	faults := u.set(c.params)
	for _, other := range a.Users {
		if u.Email != "" && strings.EqualFold(other.Email, u.Email) {
			faults = append(faults, "Email has already been taken")
		}
	}
	if len(faults) > 0 {
		return invalid(faults...)
	}
	u.ID = s.world.id(kindUser)
	a.Users[u.ID] = u
	return c.created("users", u.ID, c.viewUser(u))
}

func (s *Server) updateUser(c *call) answer {
	if !c.me.admin() {
		return forbidden()
	}
	u := c.account.Users[c.ids[0]]
	if u == nil {
		return notFound()
	}
	next := *u
	if faults := next.set(c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	next.UpdatedAt = second(c.now)
	*u = next
	return asJSON(http.StatusOK, c.viewUser(u))
}

func (s *Server) deleteUser(c *call) answer {
	if !c.me.admin() {
		return forbidden()
	}
	a := c.account
	u := a.Users[c.ids[0]]
	if u == nil {
		return notFound()
	}
	for _, e := range a.Entries {
		if e.UserID == u.ID {
			return refusedDelete("This user is not removable. They still have time entries and/or expenses.")
		}
	}
	for _, x := range a.Expenses {
		if x.UserID == u.ID {
			return refusedDelete("This user is not removable. They still have time entries and/or expenses.")
		}
	}
	shown := asJSON(http.StatusOK, c.viewUser(u))
	deleteWhere(a.UserAssignments, func(ua *userAssignment) bool { return ua.UserID == u.ID })
	delete(a.Users, u.ID)
	a.index()
	return s.deleted(shown)
}

// teammateView is a person whom a manager manages.
type teammateView struct {
	ID        int64  `json:"id"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Email     string `json:"email"`
}

// managerOfPath finds the user whose teammates the path names, or the refusal.
func (c *call) managerOfPath() (*user, answer) {
	u := c.account.Users[c.ids[0]]
	switch {
	case !c.me.admin() && !c.me.manager():
		return nil, forbidden()
	case u == nil:
		return nil, notFound()
	case !c.mayRead(u):
		return nil, forbidden()
	}
	return u, answer{}
}

func (s *Server) answerTeammates(c *call, u *user) answer {
	var rows []teammateView
	for _, id := range u.Teammates {
		if mate := c.account.Users[id]; mate != nil {
			rows = append(rows, teammateView{mate.ID, mate.FirstName, mate.LastName, mate.Email})
		}
	}
	return answerList(s, c, listing[teammateView]{
		resource: "teammates", key: "teammates", rows: rows, append: appendAsJSON(func(row teammateView) any { return row }),
	})
}

func (s *Server) listTeammates(c *call) answer {
	u, refusal := c.managerOfPath()
	if u == nil {
		return refusal
	}
	return s.answerTeammates(c, u)
}

// updateTeammates sets whom a manager manages; all of teammate_ids must be people of the account.
func (s *Server) updateTeammates(c *call) answer {
	if !c.me.admin() {
		return forbidden()
	}
	u, refusal := c.managerOfPath()
	if u == nil {
		return refusal
	}
	if !u.manager() {
		return invalid("User is not a manager")
	}
	list, _ := c.params["teammate_ids"].([]any)
	mates := make([]int64, 0, len(list))
	for _, v := range list {
		id := params{"id": v}.id("id")
		if c.account.Users[id] == nil {
			return invalid("Teammate must exist")
		}
		mates = append(mates, id)
	}
	u.Teammates, u.UpdatedAt = mates, second(c.now)
	return s.answerTeammates(c, u)
}

func texts(list []any) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

func setText(p params, key string, into *string) {
	if v, ok := p.text(key); ok {
		*into = v
	}
}

func setTextOrNil(p params, key string, into **string) {
	if p.has(key) {
		*into = p.textOrNil(key)
	}
}

func setTruth(p params, key string, into *bool) {
	if v, ok := p.truth(key); ok {
		*into = v
	}
}

// setNumber sets a column that may be null; a text that is no number is a fault.
func setNumber(p params, key, label string, into **dec, faults *[]string) {
	if !p.has(key) {
		return
	}
	d, err := p.number(key)
	if err != nil {
		*faults = append(*faults, label+" is not a number")
		return
	}
	*into = d
}

// role is a named group of people.
type role struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	UserIDs   []int64   `json:"user_ids"`
}

func (s *Server) listRoles(c *call) answer {
	if !c.me.admin() {
		return forbidden()
	}
	at := func(r *role) position { return byCreation(r.CreatedAt, r.ID) }
	return answerList(s, c, listing[*role]{
		resource: "roles", key: "roles", rows: newest(c.account.Roles, at), position: at,
		append: appendAsJSON(func(r *role) any { return r }),
	})
}

func (s *Server) showRole(c *call) answer {
	if !c.me.admin() {
		return forbidden()
	}
	r := c.account.Roles[c.ids[0]]
	if r == nil {
		return notFound()
	}
	return asJSON(http.StatusOK, r)
}

// Short forms of records inside others.

type namedView struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type clientView struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Currency string `json:"currency"`
}

type projectView struct {
	ID   int64   `json:"id"`
	Name string  `json:"name"`
	Code *string `json:"code"`
}

func (a *account) viewProject(id int64) *projectView {
	if p := a.Projects[id]; p != nil {
		return &projectView{p.ID, p.Name, p.Code}
	}
	return nil
}

func (a *account) viewClient(id int64) *clientView {
	if cl := a.Clients[id]; cl != nil {
		return &clientView{cl.ID, cl.Name, cl.Currency}
	}
	return nil
}

// projectAssignmentView is a project that a user may track time on (section 10.3).
type projectAssignmentView struct {
	ID               int64                `json:"id"`
	IsProjectManager bool                 `json:"is_project_manager"`
	IsActive         bool                 `json:"is_active"`
	UseDefaultRates  bool                 `json:"use_default_rates"`
	Budget           *dec                 `json:"budget"`
	CreatedAt        time.Time            `json:"created_at"`
	UpdatedAt        time.Time            `json:"updated_at"`
	HourlyRate       *dec                 `json:"hourly_rate"`
	Project          assignedProjectView  `json:"project"`
	Client           *clientView          `json:"client"`
	TaskAssignments  []taskAssignmentView `json:"task_assignments"`
}

type assignedProjectView struct {
	ID         int64   `json:"id"`
	Name       string  `json:"name"`
	Code       *string `json:"code"`
	IsBillable bool    `json:"is_billable"`
}

// shownRate is what hourly_rate of a user assignment shows: the person's own rate where that is used.
func (a *account) shownRate(ua *userAssignment) *dec {
	if u := a.Users[ua.UserID]; ua.UseDefaultRates && u != nil {
		return u.DefaultHourlyRate
	}
	return ua.HourlyRate
}

func (c *call) viewProjectAssignment(ua *userAssignment) projectAssignmentView {
	a := c.account
	p := a.Projects[ua.ProjectID]
	v := projectAssignmentView{
		ID: ua.ID, IsProjectManager: ua.IsProjectManager, IsActive: ua.IsActive, UseDefaultRates: ua.UseDefaultRates, Budget: ua.Budget,
		CreatedAt: ua.CreatedAt, UpdatedAt: ua.UpdatedAt, TaskAssignments: []taskAssignmentView{},
	}
	if c.seesRates() {
		v.HourlyRate = a.shownRate(ua)
	}
	if p != nil {
		v.Project = assignedProjectView{p.ID, p.Name, p.Code, p.IsBillable}
		v.Client = a.viewClient(p.ClientID)
	}
	for _, ta := range newest(a.TaskAssignments, taskAssignmentPosition) {
		if ta.ProjectID == ua.ProjectID {
			v.TaskAssignments = append(v.TaskAssignments, c.viewTaskAssignment(ta, false))
		}
	}
	return v
}

func (s *Server) listMyProjects(c *call) answer {
	return s.listProjectAssignments(c, c.me, "my_project_assignments")
}

func (s *Server) listUserProjects(c *call) answer {
	u := c.account.Users[c.ids[0]]
	if u == nil {
		if c.me.admin() {
			return notFound()
		}
		return forbidden()
	}
	// One's own are allowed: the links of /users/me/project_assignments lead here.
	if u.ID != c.me.ID && !c.mayRead(u) {
		return forbidden()
	}
	return s.listProjectAssignments(c, u, "project_assignments")
}

func (s *Server) listProjectAssignments(c *call, u *user, resource string) answer {
	since, fault := sinceFilter(c.query)
	if fault != "" {
		return invalid(fault)
	}
	a := c.account
	at := func(ua *userAssignment) position { return byCreation(ua.CreatedAt, ua.ID) }
	rows := newest(a.UserAssignments, at)
	rows = slices.DeleteFunc(rows, func(ua *userAssignment) bool {
		p := a.Projects[ua.ProjectID]
		return ua.UserID != u.ID || !ua.IsActive || p == nil || !p.IsActive || since != nil && !ua.UpdatedAt.After(*since)
	})
	l := listing[*userAssignment]{
		resource: resource, key: "project_assignments", rows: rows, position: at,
		path:   "/v2/users/" + itoa(u.ID) + "/project_assignments",
		append: appendAsJSON(func(ua *userAssignment) any { return c.viewProjectAssignment(ua) }),
	}
	return answerList(s, c, l)
}
