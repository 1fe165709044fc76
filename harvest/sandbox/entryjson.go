package sandbox

import (
	"strconv"
	"time"
)

// entryWriter writes entries as one caller sees them. It is written by hand because lists of 50,000
// entries are what the sandbox is timed with.
type entryWriter struct {
	account   *account
	now       time.Time
	rates     bool // may see billable rates
	costs     bool // may see cost rates
	bare      bool // the assignments are null
	ticking   bool // updated_at follows a running timer
	clock     string
	templates map[int64][]byte // rendered client and project, by project
}

func (s *Server) entryWriter(c *call) *entryWriter {
	return &entryWriter{
		bare: s.world.Switches.NullAssignments, ticking: s.world.Switches.TimerTouchesEntries,
		account: c.account, now: c.now, rates: c.seesRates(), costs: c.web || c.me.admin(),
		clock: c.account.Company.Clock, templates: map[int64][]byte{},
	}
}

// seesRates reports whether billable rates are shown to the caller.
func (c *call) seesRates() bool {
	if c.web || c.me.admin() {
		return true
	}
	for _, r := range c.me.AccessRoles {
		if r == "billable_rates_manager" {
			return true
		}
	}
	return false
}

// append writes the entry with the fields in the order seen (section 10.8).
func (w *entryWriter) append(b []byte, e *entry) []byte {
	a := w.account
	reason := a.lockReason(e)
	hours := e.hoursAt(w.now)
	p := a.Projects[e.ProjectID]
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, e.ID, 10)
	b = append(b, `,"spent_date":"`...)
	b = append(b, e.Date...)
	b = append(b, `","hours":`...)
	b = hours.append(b)
	b = append(b, `,"hours_without_timer":`...)
	b = e.Hours.append(b)
	b = append(b, `,"rounded_hours":`...)
	b = a.rounded(hours).append(b)
	b = append(b, `,"notes":`...)
	b = appendText(b, e.Notes)
	b = appendFlag(b, `,"is_locked":`, reason != "")
	b = append(b, `,"locked_reason":`...)
	if reason == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, reason)
	}
	status := a.approvalStatus(e)
	b = append(b, `,"approval_status":"`...)
	b = append(b, status...)
	b = append(b, '"')
	b = appendFlag(b, `,"is_closed":`, status == "approved")
	b = appendFlag(b, `,"is_billed":`, e.InvoiceID != 0)
	b = append(b, `,"timer_started_at":`...)
	if e.running() {
		b = appendInstant(b, *e.TimerStarted)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"started_time":`...)
	b = w.appendMinute(b, e.Started)
	b = append(b, `,"ended_time":`...)
	b = w.appendMinute(b, e.Ended)
	b = appendFlag(b, `,"is_running":`, e.running())
	b = appendFlag(b, `,"billable":`, e.Billable)
	b = appendFlag(b, `,"budgeted":`, p != nil && p.BudgetBy != "none")
	b = append(b, `,"billable_rate":`...)
	if w.rates {
		b = appendDec(b, e.BillableRate)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"cost_rate":`...)
	if w.costs {
		b = appendDec(b, e.CostRate)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"created_at":`...)
	b = appendInstant(b, e.CreatedAt)
	b = append(b, `,"updated_at":`...)
	b = appendInstant(b, e.updatedAt(w.now, w.ticking))
	b = append(b, `,"user":`...)
	if u := a.Users[e.UserID]; u != nil {
		b = appendNamed(b, u.ID, u.name())
		b = append(b, '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, w.surroundings(e.ProjectID)...)
	b = append(b, `,"task":`...)
	if t := a.Tasks[e.TaskID]; t != nil {
		b = appendNamed(b, t.ID, t.Name)
		b = append(b, '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"user_assignment":`...)
	b = w.appendUserAssignment(b, a.userJobs[pair{e.ProjectID, e.UserID}])
	b = append(b, `,"task_assignment":`...)
	b = w.appendTaskAssignment(b, a.taskJobs[pair{e.ProjectID, e.TaskID}])
	b = append(b, `,"invoice":`...)
	if inv := a.Invoices[e.InvoiceID]; inv != nil {
		b = append(b, `{"id":`...)
		b = strconv.AppendInt(b, inv.ID, 10)
		b = append(b, `,"number":`...)
		b = appendString(b, inv.Number)
		b = append(b, '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"external_reference":`...)
	b = appendReference(b, e.Reference)
	return append(b, '}')
}

// surroundings are the client and project objects; the same for all entries of a project.
func (w *entryWriter) surroundings(projectID int64) []byte {
	if b, ok := w.templates[projectID]; ok {
		return b
	}
	var b []byte
	p := w.account.Projects[projectID]
	b = append(b, `,"client":`...)
	if p == nil || w.account.Clients[p.ClientID] == nil {
		b = append(b, "null"...)
	} else {
		cl := w.account.Clients[p.ClientID]
		b = appendNamed(b, cl.ID, cl.Name)
		b = append(b, `,"currency":`...)
		b = appendString(b, cl.Currency)
		b = append(b, '}')
	}
	b = append(b, `,"project":`...)
	if p == nil {
		b = append(b, "null"...)
	} else {
		b = appendNamed(b, p.ID, p.Name)
		b = append(b, `,"code":`...)
		b = appendText(b, p.Code)
		b = append(b, '}')
	}
	w.templates[projectID] = b
	return b
}

func (w *entryWriter) appendUserAssignment(b []byte, ua *userAssignment) []byte {
	if ua == nil || w.bare {
		return append(b, "null"...)
	}
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, ua.ID, 10)
	b = appendFlag(b, `,"is_project_manager":`, ua.IsProjectManager)
	b = appendFlag(b, `,"is_active":`, ua.IsActive)
	b = appendFlag(b, `,"use_default_rates":`, ua.UseDefaultRates)
	b = append(b, `,"budget":`...)
	b = appendDec(b, ua.Budget)
	b = append(b, `,"created_at":`...)
	b = appendInstant(b, ua.CreatedAt)
	b = append(b, `,"updated_at":`...)
	b = appendInstant(b, ua.UpdatedAt)
	b = append(b, `,"hourly_rate":`...)
	if w.rates {
		b = appendDec(b, w.account.shownRate(ua))
	} else {
		b = append(b, "null"...)
	}
	return append(b, '}')
}

func (w *entryWriter) appendTaskAssignment(b []byte, ta *taskAssignment) []byte {
	if ta == nil || w.bare {
		return append(b, "null"...)
	}
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, ta.ID, 10)
	b = appendFlag(b, `,"billable":`, ta.Billable)
	b = appendFlag(b, `,"is_active":`, ta.IsActive)
	b = append(b, `,"created_at":`...)
	b = appendInstant(b, ta.CreatedAt)
	b = append(b, `,"updated_at":`...)
	b = appendInstant(b, ta.UpdatedAt)
	b = append(b, `,"hourly_rate":`...)
	if w.rates {
		b = appendDec(b, ta.HourlyRate)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"budget":`...)
	b = appendDec(b, ta.Budget)
	return append(b, '}')
}

func (w *entryWriter) appendMinute(b []byte, minute *int) []byte {
	if minute == nil {
		return append(b, "null"...)
	}
	return appendString(b, formatWallClock(*minute, w.clock))
}

func appendReference(b []byte, r *reference) []byte {
	if r == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"id":`...)
	b = appendText(b, r.ID)
	b = append(b, `,"group_id":`...)
	b = appendText(b, r.GroupID)
	b = append(b, `,"account_id":`...)
	b = appendText(b, r.AccountID)
	b = append(b, `,"permalink":`...)
	b = appendText(b, r.Permalink)
	b = append(b, `,"service":`...)
	if host := r.service(); host == "" {
		b = append(b, `null,"service_icon_url":null`...)
	} else {
		b = appendString(b, host)
		b = append(b, `,"service_icon_url":`...)
		b = appendString(b, "https://proxy.harvestfiles.com/production_harvestapp_public/uploads/platform_icons/"+host+".png")
	}
	return append(b, '}')
}

func appendNamed(b []byte, id int64, name string) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"name":`...)
	return appendString(b, name)
}

func appendFlag(b []byte, key string, v bool) []byte {
	b = append(b, key...)
	return strconv.AppendBool(b, v)
}

func appendInstant(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339)
	return append(b, '"')
}
