package harvest

import (
	"context"
	"encoding/json"
	"errors"

	"furrow/ledger"
)

// assignmentsPath lists what the user may log time on; it needs no rights
// (users-api/project-assignments).
const assignmentsPath = "/v2/users/me/project_assignments"

type wireAssignment struct {
	IsActive   *bool  `json:"is_active"`
	HourlyRate number `json:"hourly_rate"`
	Project    struct {
		ID   number `json:"id"`
		Name string `json:"name"`
		Code string `json:"code"`
	} `json:"project"`
	Client wireClient           `json:"client"`
	Tasks  []wireTaskAssignment `json:"task_assignments"`
}

type wireTaskAssignment struct {
	IsActive   *bool  `json:"is_active"`
	Billable   bool   `json:"billable"`
	HourlyRate number `json:"hourly_rate"`
	Task       named  `json:"task"`
}

// Assignments returns the active tasks of the user's active projects, in
// Harvest's order. Harvest lists active projects only, but their inactive
// tasks too (harvest-api.md, section 10.3). The rate is the task's, else the
// user's on the project; Harvest hides both from users without the right.
func (c *Client) Assignments(ctx context.Context) ([]ledger.Assignment, error) {
	var all []ledger.Assignment
	err := walk(ctx, c, assignmentsPath, assignmentsPath+"?per_page="+c.h.perPage, decodeAssignments, func(page []ledger.Assignment, _ string) bool {
		all = append(all, page...)
		return true
	})
	if err != nil {
		return nil, err
	}
	// Rows can repeat when assignments change between two pages.
	seen := make(map[[2]int64]bool, len(all))
	unique := all[:0]
	for _, a := range all {
		if key := [2]int64{a.ProjectID, a.TaskID}; !seen[key] {
			seen[key] = true
			unique = append(unique, a)
		}
	}
	return unique, nil
}

func decodeAssignments(body []byte) (assignments []ledger.Assignment, next string, err error) {
	var wire struct {
		envelope
		Assignments []wireAssignment `json:"project_assignments"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, "", describe(err)
	}
	if wire.Assignments == nil {
		return nil, "", errors.New("project_assignments: missing")
	}
	if next, err = wire.next(); err != nil {
		return nil, "", err
	}
	for i := range wire.Assignments {
		if assignments, err = wire.Assignments[i].append(assignments); err != nil {
			return nil, "", err
		}
	}
	return assignments, next, nil
}

func (w *wireAssignment) append(assignments []ledger.Assignment) ([]ledger.Assignment, error) {
	if w.IsActive != nil && !*w.IsActive {
		return assignments, nil
	}
	var problem fieldErrors
	project := problem.id("project.id", w.Project.ID)
	client := problem.id("client.id", w.Client.ID)
	for _, t := range w.Tasks {
		if t.IsActive != nil && !*t.IsActive {
			continue
		}
		task := problem.id("task.id", t.Task.ID)
		if problem.err != nil {
			return nil, problem.err
		}
		if project <= 0 || task <= 0 {
			return nil, errors.New("project.id or task.id: missing")
		}
		hourly := rate(t.HourlyRate)
		if hourly == "" {
			hourly = rate(w.HourlyRate)
		}
		assignments = append(assignments, ledger.Assignment{
			ClientID:    client,
			ClientName:  plain(w.Client.Name),
			Currency:    plain(w.Client.Currency),
			ProjectID:   project,
			ProjectName: plain(w.Project.Name),
			ProjectCode: plain(w.Project.Code),
			TaskID:      task,
			TaskName:    plain(t.Task.Name),
			Billable:    t.Billable,
			HourlyRate:  hourly,
		})
	}
	return assignments, nil
}

// rate returns the decimal text of a rate, empty if there is none to be read.
func rate(n number) string {
	if n == "" {
		return ""
	}
	d, err := exact(string(n))
	if err != nil || d.IsNegative() {
		return ""
	}
	return d.String()
}
