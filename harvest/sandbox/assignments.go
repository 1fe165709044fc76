package sandbox

import (
	"net/http"
	"slices"
	"time"
)

// taskAssignmentView is a task assignment as sent; inside a project assignment it has no project.
type taskAssignmentView struct {
	ID         int64        `json:"id"`
	Billable   bool         `json:"billable"`
	IsActive   bool         `json:"is_active"`
	CreatedAt  time.Time    `json:"created_at"`
	UpdatedAt  time.Time    `json:"updated_at"`
	HourlyRate *dec         `json:"hourly_rate"`
	Budget     *dec         `json:"budget"`
	Project    *projectView `json:"project,omitempty"`
	Task       *namedView   `json:"task"`
}

func (c *call) viewTaskAssignment(ta *taskAssignment, withProject bool) taskAssignmentView {
	v := taskAssignmentView{
		ID: ta.ID, Billable: ta.Billable, IsActive: ta.IsActive, CreatedAt: ta.CreatedAt, UpdatedAt: ta.UpdatedAt, Budget: ta.Budget,
	}
	if c.seesRates() {
		v.HourlyRate = ta.HourlyRate
	}
	if withProject {
		v.Project = c.account.viewProject(ta.ProjectID)
	}
	if t := c.account.Tasks[ta.TaskID]; t != nil {
		v.Task = &namedView{t.ID, t.Name}
	}
	return v
}

func taskAssignmentPosition(ta *taskAssignment) position { return byCreation(ta.CreatedAt, ta.ID) }

// projectOfList is the project of a list below a project, 0 for the list of the whole account.
func (c *call) projectOfList() (int64, answer, bool) {
	if len(c.ids) > 0 {
		p, refusal := c.project()
		if p == nil {
			return 0, refusal, false
		}
		return p.ID, answer{}, true
	}
	if !c.me.admin() && !c.me.manager() {
		return 0, forbidden(), false
	}
	return 0, answer{}, true
}

func (s *Server) listTaskAssignments(c *call) answer {
	projectID, refusal, ok := c.projectOfList()
	if !ok {
		return refusal
	}
	f, faults := readCommon(c)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	rows := newest(c.account.TaskAssignments, taskAssignmentPosition)
	rows = slices.DeleteFunc(rows, func(ta *taskAssignment) bool {
		return projectID != 0 && ta.ProjectID != projectID || !c.mayManage(ta.ProjectID) || !f.match(ta.IsActive, ta.UpdatedAt)
	})
	resource := "task_assignments"
	if projectID != 0 {
		resource = "project_task_assignments"
	}
	return answerList(s, c, listing[*taskAssignment]{
		resource: resource, key: "task_assignments", rows: rows, position: taskAssignmentPosition,
		append: appendAsJSON(func(ta *taskAssignment) any { return c.viewTaskAssignment(ta, true) }),
	})
}

func (c *call) taskAssignment() (*taskAssignment, answer) {
	p, refusal := c.project()
	if p == nil {
		return nil, refusal
	}
	ta := c.account.TaskAssignments[c.ids[1]]
	if ta == nil || ta.ProjectID != p.ID {
		return nil, notFound()
	}
	return ta, answer{}
}

func (s *Server) showTaskAssignment(c *call) answer {
	ta, refusal := c.taskAssignment()
	if ta == nil {
		return refusal
	}
	return asJSON(http.StatusOK, c.viewTaskAssignment(ta, true))
}

func (ta *taskAssignment) set(p params) []string {
	var faults []string
	setTruth(p, "is_active", &ta.IsActive)
	setTruth(p, "billable", &ta.Billable)
	setNumber(p, "hourly_rate", "Hourly rate", &ta.HourlyRate, &faults)
	setNumber(p, "budget", "Budget", &ta.Budget, &faults)
	return faults
}

func (s *Server) assignTask(a *account, ta *taskAssignment) {
	ta.ID = s.world.id(kindTaskAssignment)
	a.TaskAssignments[ta.ID] = ta
	a.taskJobs[pair{ta.ProjectID, ta.TaskID}] = ta
}

func (s *Server) createTaskAssignment(c *call) answer {
	p, refusal := c.project()
	if p == nil {
		return refusal
	}
	a := c.account
	ta := &taskAssignment{ProjectID: p.ID, TaskID: c.params.id("task_id"), IsActive: true, CreatedAt: second(c.now), UpdatedAt: second(c.now)}
	t := a.Tasks[ta.TaskID]
	if t == nil {
		if c.params.given("task_id") {
			return invalid("Task must exist")
		}
		return invalid("Task can't be blank")
	}
	if a.taskJobs[pair{p.ID, t.ID}] != nil {
		return invalid("Task has already been taken")
	}
	ta.Billable = t.BillableByDefault
	if faults := ta.set(c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	s.assignTask(a, ta)
	return c.created("projects/"+itoa(p.ID)+"/task_assignments", ta.ID, c.viewTaskAssignment(ta, true))
}

func (s *Server) updateTaskAssignment(c *call) answer {
	ta, refusal := c.taskAssignment()
	if ta == nil {
		return refusal
	}
	next := *ta
	if faults := next.set(c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	next.UpdatedAt = second(c.now)
	*ta = next
	return asJSON(http.StatusOK, c.viewTaskAssignment(ta, true))
}

func (s *Server) deleteTaskAssignment(c *call) answer {
	ta, refusal := c.taskAssignment()
	if ta == nil {
		return refusal
	}
	a := c.account
	for _, e := range a.byDate {
		if e.ProjectID == ta.ProjectID && e.TaskID == ta.TaskID {
			return refusedDelete("This task assignment is not removable. It still has time entries.")
		}
	}
	shown := asJSON(http.StatusOK, c.viewTaskAssignment(ta, true))
	delete(a.TaskAssignments, ta.ID)
	delete(a.taskJobs, pair{ta.ProjectID, ta.TaskID})
	return s.deleted(shown)
}

// userAssignmentView is a user assignment as sent (section 10.7).
type userAssignmentView struct {
	ID               int64        `json:"id"`
	IsProjectManager bool         `json:"is_project_manager"`
	IsActive         bool         `json:"is_active"`
	UseDefaultRates  bool         `json:"use_default_rates"`
	Budget           *dec         `json:"budget"`
	CreatedAt        time.Time    `json:"created_at"`
	UpdatedAt        time.Time    `json:"updated_at"`
	HourlyRate       *dec         `json:"hourly_rate"`
	Project          *projectView `json:"project"`
	User             *namedView   `json:"user"`
}

func (c *call) viewUserAssignment(ua *userAssignment) userAssignmentView {
	v := userAssignmentView{
		ID: ua.ID, IsProjectManager: ua.IsProjectManager, IsActive: ua.IsActive, UseDefaultRates: ua.UseDefaultRates, Budget: ua.Budget,
		CreatedAt: ua.CreatedAt, UpdatedAt: ua.UpdatedAt, Project: c.account.viewProject(ua.ProjectID),
	}
	if c.seesRates() {
		v.HourlyRate = c.account.shownRate(ua)
	}
	if u := c.account.Users[ua.UserID]; u != nil {
		v.User = &namedView{u.ID, u.name()}
	}
	return v
}

func userAssignmentPosition(ua *userAssignment) position { return byCreation(ua.CreatedAt, ua.ID) }

func (s *Server) listUserAssignments(c *call) answer {
	projectID, refusal, ok := c.projectOfList()
	if !ok {
		return refusal
	}
	f, faults := readCommon(c)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	userID := lastOf(c.query, "user_id")
	rows := newest(c.account.UserAssignments, userAssignmentPosition)
	rows = slices.DeleteFunc(rows, func(ua *userAssignment) bool {
		return projectID != 0 && ua.ProjectID != projectID || !c.mayManage(ua.ProjectID) || !f.match(ua.IsActive, ua.UpdatedAt) ||
			userID != "" && userID != itoa(ua.UserID)
	})
	resource := "user_assignments"
	if projectID != 0 {
		resource = "project_user_assignments"
	}
	return answerList(s, c, listing[*userAssignment]{
		resource: resource, key: "user_assignments", rows: rows, position: userAssignmentPosition,
		append: appendAsJSON(func(ua *userAssignment) any { return c.viewUserAssignment(ua) }),
	})
}

func (c *call) userAssignment() (*userAssignment, answer) {
	p, refusal := c.project()
	if p == nil {
		return nil, refusal
	}
	ua := c.account.UserAssignments[c.ids[1]]
	if ua == nil || ua.ProjectID != p.ID {
		return nil, notFound()
	}
	return ua, answer{}
}

func (s *Server) showUserAssignment(c *call) answer {
	ua, refusal := c.userAssignment()
	if ua == nil {
		return refusal
	}
	return asJSON(http.StatusOK, c.viewUserAssignment(ua))
}

func (ua *userAssignment) set(p params) []string {
	var faults []string
	setTruth(p, "is_active", &ua.IsActive)
	setTruth(p, "is_project_manager", &ua.IsProjectManager)
	setTruth(p, "use_default_rates", &ua.UseDefaultRates)
	setNumber(p, "hourly_rate", "Hourly rate", &ua.HourlyRate, &faults)
	setNumber(p, "budget", "Budget", &ua.Budget, &faults)
	return faults
}

func (s *Server) assignUser(a *account, ua *userAssignment) {
	ua.ID = s.world.id(kindUserAssignment)
	a.UserAssignments[ua.ID] = ua
	a.userJobs[pair{ua.ProjectID, ua.UserID}] = ua
}

func (s *Server) createUserAssignment(c *call) answer {
	p, refusal := c.project()
	if p == nil {
		return refusal
	}
	a := c.account
	u := a.Users[c.params.id("user_id")]
	if u == nil {
		if c.params.given("user_id") {
			return invalid("User must exist")
		}
		return invalid("User can't be blank")
	}
	if a.userJobs[pair{p.ID, u.ID}] != nil {
		return invalid("User has already been taken")
	}
	ua := &userAssignment{ProjectID: p.ID, UserID: u.ID, IsActive: true, UseDefaultRates: true, CreatedAt: second(c.now), UpdatedAt: second(c.now)}
	if faults := ua.set(c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	s.assignUser(a, ua)
	return c.created("projects/"+itoa(p.ID)+"/user_assignments", ua.ID, c.viewUserAssignment(ua))
}

func (s *Server) updateUserAssignment(c *call) answer {
	ua, refusal := c.userAssignment()
	if ua == nil {
		return refusal
	}
	next := *ua
	if faults := next.set(c.params); len(faults) > 0 {
		return invalid(faults...)
	}
	next.UpdatedAt = second(c.now)
	*ua = next
	return asJSON(http.StatusOK, c.viewUserAssignment(ua))
}

func (s *Server) deleteUserAssignment(c *call) answer {
	ua, refusal := c.userAssignment()
	if ua == nil {
		return refusal
	}
	a := c.account
	for _, e := range a.byDate {
		if e.ProjectID == ua.ProjectID && e.UserID == ua.UserID {
			return refusedDelete("This user assignment is not removable. It still has time entries.")
		}
	}
	shown := asJSON(http.StatusOK, c.viewUserAssignment(ua))
	delete(a.UserAssignments, ua.ID)
	delete(a.userJobs, pair{ua.ProjectID, ua.UserID})
	return s.deleted(shown)
}
