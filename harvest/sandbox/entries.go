package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"
)

// visible reports whether the caller may see the entry (section 10.8): administrators all of the
// account, managers their own, their teammates' and those of projects they manage, members their own.
func (c *call) visible(e *entry) bool {
	switch {
	case c.web || c.me.admin() || e.UserID == c.me.ID:
		return true
	case c.me.manager():
		return slices.Contains(c.me.Teammates, e.UserID) || c.managesProject(e.ProjectID)
	}
	return false
}

// managesProject reports whether the caller is a project manager of the project.
func (c *call) managesProject(projectID int64) bool {
	ua := c.account.userJobs[pair{projectID, c.me.ID}]
	return ua != nil && ua.IsProjectManager
}

// entryFilter is the query of the list, one value per filter.
type entryFilter struct {
	userID, clientID, projectID, taskID int64
	reference                           string
	billed, running                     *bool
	approval                            string
	since                               *time.Time
	from, to                            string
}

func newEntryFilter(q url.Values) (entryFilter, []string) {
	var f entryFilter
	var faults []string
	for name, into := range map[string]*int64{"user_id": &f.userID, "client_id": &f.clientID, "project_id": &f.projectID, "task_id": &f.taskID} {
		if text := lastOf(q, name); text != "" {
			id, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				id = -1 // matches nothing
			}
			*into = id
		}
	}
	for name, into := range map[string]*string{"from": &f.from, "to": &f.to} {
		if text := lastOf(q, name); text != "" {
			date, ok := parseDate(text)
			if !ok {
				faults = append(faults, name+" is not a valid date")
			}
			*into = date
		}
	}
	var fault string
	if f.billed, fault = boolFilter(q, "is_billed"); fault != "" {
		faults = append(faults, fault)
	}
	if f.running, fault = boolFilter(q, "is_running"); fault != "" {
		faults = append(faults, fault)
	}
	if f.since, fault = sinceFilter(q); fault != "" {
		faults = append(faults, fault)
	}
	f.reference = lastOf(q, "external_reference_id")
	f.approval = lastOf(q, "approval_status")
	slices.Sort(faults)
	return f, faults
}

// lastOf is a parameter's value; of several the last counts, and name[]=… is a parameter nobody reads.
func lastOf(q url.Values, name string) string {
	if v := q[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// boolFilter reads a filter that must be true or false; 1 and 0 are refused.
func boolFilter(q url.Values, name string) (*bool, string) {
	switch lastOf(q, name) {
	case "":
		return nil, ""
	case "true":
		return new(true), ""
	case "false":
		return new(false), ""
	}
	return nil, name + " must be true or false"
}

// sinceFilter reads updated_since.
func sinceFilter(q url.Values) (*time.Time, string) {
	text := lastOf(q, "updated_since")
	if text == "" {
		return nil, ""
	}
	at, ok := parseInstant(text)
	if !ok {
		return nil, "updated_since is not a valid date"
	}
	return &at, ""
}

func (s *Server) listEntries(c *call) answer {
	f, faults := newEntryFilter(c.query)
	if len(faults) > 0 {
		return invalid(faults...)
	}
	a := c.account
	rows := a.byDate
	if f.to != "" {
		rows = rows[sort.Search(len(rows), func(i int) bool { return rows[i].Date <= f.to }):]
	}
	if f.from != "" {
		rows = rows[:sort.Search(len(rows), func(i int) bool { return rows[i].Date < f.from })]
	}
	plain := f == entryFilter{from: f.from, to: f.to} && c.me.admin()
	if !plain {
		lag := time.Duration(s.world.Switches.ReferenceFilterLagMS) * time.Millisecond
		matching := make([]*entry, 0, 64)
		for _, e := range rows {
			if c.visible(e) && f.matches(a, e, c.now, lag, s.world.Switches.TimerTouchesEntries) {
				matching = append(matching, e)
			}
		}
		rows = matching
	}
	at := func(e *entry) position { return position{e.Date, e.ID} }
	if s.world.Switches.OrderInDay == "lowest_id_first" {
		at = func(e *entry) position { return position{e.Date, -e.ID} }
		rows = slices.Clone(rows)
		slices.SortFunc(rows, func(x, y *entry) int { return at(x).compare(at(y)) })
	}
	w := s.entryWriter(c)
	return answerList(s, c, listing[*entry]{
		resource: "time_entries", key: "time_entries", rows: rows, position: at,
		append: w.append,
	})
}

func (f *entryFilter) matches(a *account, e *entry, now time.Time, lag time.Duration, timerTouches bool) bool {
	if f.userID != 0 && e.UserID != f.userID || f.projectID != 0 && e.ProjectID != f.projectID || f.taskID != 0 && e.TaskID != f.taskID {
		return false
	}
	if f.clientID != 0 {
		if p := a.Projects[e.ProjectID]; p == nil || p.ClientID != f.clientID {
			return false
		}
	}
	if f.reference != "" {
		if e.Reference == nil || e.Reference.ID == nil || *e.Reference.ID != f.reference {
			return false
		}
		if lag > 0 && now.Sub(e.Reference.SetAt) < lag {
			return false
		}
	}
	if f.billed != nil && *f.billed != (e.InvoiceID != 0) || f.running != nil && *f.running != e.running() {
		return false
	}
	if f.approval != "" && f.approval != a.approvalStatus(e) {
		return false
	}
	// Strictly greater: an entry changed in that very second stays out (section 6).
	return f.since == nil || e.updatedAt(now, timerTouches).After(*f.since)
}

// updatedAt is what updated_at shows.
func (e *entry) updatedAt(now time.Time, timerTouches bool) time.Time {
	if timerTouches && e.running() {
		return second(now)
	}
	return e.UpdatedAt
}

// touchEntries follows a change of a client, project or task, by the switch.
func (s *Server) touchEntries(c *call, match func(*entry) bool) {
	if !s.world.Switches.RenameTouchesEntries {
		return
	}
	for _, e := range c.account.byDate {
		if match(e) {
			e.UpdatedAt = second(c.now)
		}
	}
}

// approvalStatus is the entry's approval_status.
func (a *account) approvalStatus(e *entry) string {
	switch {
	case a.approved(e.UserID, e.Date):
		return "approved"
	case e.Submitted:
		return "submitted"
	}
	return "unsubmitted"
}

// entry finds the entry that the path names, or the refusal.
func (c *call) entry() (*entry, answer) {
	e := c.account.Entries[c.ids[0]]
	if e == nil {
		return nil, notFound()
	}
	if !c.visible(e) {
		return nil, forbidden()
	}
	return e, answer{}
}

// answerEntry shows one entry.
func (s *Server) answerEntry(c *call, status int, e *entry) answer {
	w := s.entryWriter(c)
	return rawJSON(status, w.append(nil, e))
}

func (s *Server) showEntry(c *call) answer {
	e, refusal := c.entry()
	if e == nil {
		return refusal
	}
	return s.answerEntry(c, http.StatusOK, e)
}

// locked answers an attempt to change what is locked, by the switch; drop says that the request is
// to be answered as if it had worked, with nothing changed.
func (s *Server) locked(text string) (refusal answer, drop bool) {
	switch s.world.Switches.LockAnswer {
	case "403":
		return forbidden(), false
	case "dropped":
		return answer{}, true
	}
	return invalid(text), false
}

// dateLock says why nothing can be tracked for the person on the project's day, "" if it can.
func (a *account) dateLock(userID, projectID int64, date string) string {
	switch {
	case a.approved(userID, date):
		return "Spent date is in a time period that is approved and locked"
	case a.invoiced(projectID, date):
		return "Spent date is in a time period that is invoiced and locked"
	}
	return ""
}

// checkCombination returns what stands against tracking time on the three together. A person in the
// web app is bound by it as well.
func (a *account) checkCombination(userID, projectID, taskID int64) []string {
	var faults []string
	p := a.Projects[projectID]
	t := a.Tasks[taskID]
	if p == nil {
		faults = append(faults, "Project must exist")
	}
	if t == nil {
		faults = append(faults, "Task must exist")
	}
	if len(faults) > 0 {
		return faults
	}
	if cl := a.Clients[p.ClientID]; !p.IsActive || cl == nil || !cl.IsActive {
		faults = append(faults, "Project is archived")
	}
	if !t.IsActive {
		faults = append(faults, "Task is archived")
	}
	if ua := a.userJobs[pair{projectID, userID}]; ua == nil || !ua.IsActive {
		faults = append(faults, "User is not assigned to this project")
	}
	if ta := a.taskJobs[pair{projectID, taskID}]; ta == nil || !ta.IsActive {
		faults = append(faults, "Task is not assigned to this project")
	}
	return faults
}

// price sets what follows from the combination.
func (a *account) price(e *entry) {
	p := a.Projects[e.ProjectID]
	ta := a.taskJobs[pair{e.ProjectID, e.TaskID}]
	if p == nil {
		return
	}
	e.Billable = p.IsBillable && ta != nil && ta.Billable
	e.BillableRate = a.rate(p, a.userJobs[pair{e.ProjectID, e.UserID}], ta)
	if u := a.Users[e.UserID]; u != nil {
		e.CostRate = u.CostRate
	}
}

// timing is what a request says about hours and times of day.
type timing struct {
	hours          *hundredths
	started, ended *int
}

func (s *Server) readTiming(p params) (timing, []string) {
	var t timing
	var faults []string
	d, err := p.number("hours")
	switch {
	case err != nil:
		faults = append(faults, "Hours is not a number")
	case d != nil && d.IsNegative():
		faults = append(faults, "Hours must be greater than or equal to 0")
	case d != nil && roundHours(d.Decimal) > maxHundredths:
		faults = append(faults, "Hours must be less than 10000")
	case d != nil && s.world.Switches.HoursDigits == "truncated":
		t.hours = new(roundHours(d.Truncate(2)))
	case d != nil:
		t.hours = new(roundHours(d.Decimal))
	}
	read := func(key, label string) *int {
		if !p.given(key) {
			return nil
		}
		text, _ := p.text(key)
		minute, ok := parseWallClock(text)
		if !ok {
			faults = append(faults, label+" is not a valid time")
			return nil
		}
		return &minute
	}
	t.started = read("started_time", "Started time")
	t.ended = read("ended_time", "Ended time")
	return t, faults
}

func (s *Server) createEntry(c *call) answer {
	a, p := c.account, c.params
	owner := c.me
	if p.given("user_id") && p.id("user_id") != c.me.ID {
		owner = a.Users[p.id("user_id")]
		if owner == nil {
			return invalid("User must exist")
		}
		if !c.web && !c.me.admin() && (!c.me.manager() || !slices.Contains(c.me.Teammates, owner.ID)) {
			return forbidden()
		}
	}
	var faults []string
	if !p.given("project_id") {
		faults = append(faults, "Project can't be blank")
	}
	if !p.given("task_id") {
		faults = append(faults, "Task can't be blank")
	}
	text, _ := p.text("spent_date")
	date, dated := parseDate(text)
	if text == "" {
		faults = append(faults, "Spent date can't be blank")
	}
	if !dated {
		faults = append(faults, "Spent date is not a valid date")
	}
	if p.given("project_id") && p.given("task_id") {
		faults = append(faults, a.checkCombination(owner.ID, p.id("project_id"), p.id("task_id"))...)
	}
	t, more := s.readTiming(p)
	faults = append(faults, more...)
	if faults = append(faults, s.tooLong(p)...); len(faults) > 0 {
		return invalid(faults...)
	}
	e := &entry{
		UserID: owner.ID, ProjectID: p.id("project_id"), TaskID: p.id("task_id"), Date: date, Notes: p.textOrNil("notes"),
		CreatedAt: second(c.now), UpdatedAt: second(c.now),
	}
	if why := a.dateLock(owner.ID, e.ProjectID, date); why != "" && !c.web {
		// There is no entry to answer with, so a silent drop is not possible here.
		refusal, drop := s.locked(why)
		if drop {
			refusal = invalid(why)
		}
		return refusal
	}
	if fault := s.startTiming(c, e, owner, t); fault != "" {
		return invalid(fault)
	}
	if ref, ok := p.sub("external_reference"); ok && (c.web || !s.world.Switches.DropExternalReference) {
		e.Reference = newReference(ref, c.now)
	}
	a.price(e)
	e.ID = s.world.id(kindEntry)
	if e.running() {
		s.stopOther(c, owner.ID, nil)
		a.running[owner.ID] = e
	}
	a.addEntry(e)
	return s.answerEntry(c, http.StatusCreated, e).with("Location", c.location("time_entries", e.ID))
}

// tooLong applies the switches for lengths that nobody knows.
func (s *Server) tooLong(p params) []string {
	var faults []string
	check := func(p params, key, label string, limit int) {
		if text, _ := p.text(key); limit > 0 && utf8.RuneCountInString(text) > limit {
			faults = append(faults, fmt.Sprintf("%s is too long (maximum is %d characters)", label, limit))
		}
	}
	check(p, "notes", "Notes", s.world.Switches.NotesLimit)
	if ref, ok := p.sub("external_reference"); ok {
		check(ref, "id", "External reference id", s.world.Switches.ReferenceLimit)
	}
	return faults
}

// second cuts an instant to the precision of the API.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// minuteOfDay is the wall clock in a zone, seconds dropped.
func minuteOfDay(t time.Time, loc *time.Location) int {
	t = t.In(loc)
	return t.Hour()*60 + t.Minute()
}

// between is the time from one minute of the day to another, over midnight if need be.
func between(started, ended int) hundredths {
	minutes := (ended - started + 1440) % 1440
	return roundMinutes(minutes)
}

// roundMinutes turns minutes into hundredths of an hour.
func roundMinutes(minutes int) hundredths { return hundredths((minutes*100 + 30) / 60) }

// startTiming gives a new entry its hours or starts its timer, by the mode of the account
// (section 7.1). It returns a fault.
func (s *Server) startTiming(c *call, e *entry, owner *user, t timing) string {
	loc := owner.location()
	nowMinute := minuteOfDay(c.now, loc)
	if !c.account.Company.WantsTimestampTimers {
		if t.hours != nil && (*t.hours > 0 || !s.world.Switches.HoursZeroStartsTimer || c.web) {
			e.Hours = *t.hours
			return ""
		}
		e.startTimer(c.now, nowMinute)
		return ""
	}
	if s.world.Switches.HoursAndTimes == "hours" && t.hours != nil && *t.hours > 0 && t.started != nil && t.ended != nil {
		e.Hours = *t.hours
		e.Started, e.Ended = t.started, new((*t.started+int(e.Hours)*60/100)%1440)
		return ""
	}
	switch {
	case t.started != nil && t.ended != nil, t.hours == nil && t.ended != nil:
		if t.started == nil {
			t.started = &nowMinute
		}
		e.Started, e.Ended = t.started, t.ended
		e.Hours = between(*t.started, *t.ended)
	case t.hours != nil && t.started == nil && (*t.hours > 0 || !s.world.Switches.HoursZeroStartsTimer || c.web):
		if s.world.Switches.HoursOnTimestampAccount == "rejected" {
			return "Started time can't be blank"
		}
		minutes := int(*t.hours) * 60 / 100 % 1440
		e.Hours = *t.hours
		e.Started, e.Ended = new((nowMinute-minutes+1440)%1440), &nowMinute
	case t.started != nil:
		local := c.now.In(loc)
		began := time.Date(local.Year(), local.Month(), local.Day(), 0, *t.started, 0, 0, loc)
		if began.After(c.now) {
			began = c.now
		}
		e.startTimer(began, *t.started)
	default:
		e.startTimer(c.now, nowMinute)
	}
	return ""
}

func (e *entry) startTimer(at time.Time, minute int) {
	e.TimerStarted = new(second(at))
	e.Started, e.Ended = &minute, nil
}

// stopTimer books the running time.
func (e *entry) stopTimer(c *call) {
	if !e.running() {
		return
	}
	if c.account.Company.WantsTimestampTimers {
		// Start and end are whole minutes there, and hours is what lies between them.
		loc := time.UTC
		if u := c.account.Users[e.UserID]; u != nil {
			loc = u.location()
		}
		began := e.TimerStarted.Truncate(time.Minute)
		minutes := int(max(0, c.now.Truncate(time.Minute).Sub(began)) / time.Minute)
		e.Hours += roundMinutes(minutes)
		e.Ended = new(minuteOfDay(c.now, loc))
	} else {
		e.Hours = e.hoursAt(c.now)
		e.Started, e.Ended = nil, nil
	}
	e.TimerStarted = nil
	e.UpdatedAt = second(c.now)
	if c.account.running[e.UserID] == e {
		delete(c.account.running, e.UserID)
	}
}

// stopOther keeps to one running entry per user.
func (s *Server) stopOther(c *call, userID int64, but *entry) {
	if e := c.account.running[userID]; e != nil && e != but {
		e.stopTimer(c)
	}
}

func (s *Server) updateEntry(c *call) answer {
	e, refusal := c.entry()
	if e == nil {
		return refusal
	}
	a, p := c.account, c.params
	if why := a.lockReason(e); why != "" && !c.web {
		refusal, drop := s.locked(why)
		if drop {
			return s.answerEntry(c, http.StatusOK, e)
		}
		return refusal
	}
	next := *e
	var faults []string
	if p.has("project_id") {
		next.ProjectID = p.id("project_id")
	}
	if p.has("task_id") {
		next.TaskID = p.id("task_id")
	}
	if p.has("spent_date") {
		text, _ := p.text("spent_date")
		date, ok := parseDate(text)
		if text == "" {
			faults = append(faults, "Spent date can't be blank")
		}
		if !ok {
			faults = append(faults, "Spent date is not a valid date")
		}
		next.Date = date
	}
	moved := next.ProjectID != e.ProjectID || next.TaskID != e.TaskID
	if moved {
		faults = append(faults, a.checkCombination(e.UserID, next.ProjectID, next.TaskID)...)
	}
	t, more := s.readTiming(p)
	faults = append(faults, more...)
	if faults = append(faults, s.tooLong(p)...); len(faults) > 0 {
		return invalid(faults...)
	}
	if moved || next.Date != e.Date {
		if why := a.dateLock(e.UserID, next.ProjectID, next.Date); why != "" && !c.web {
			refusal, drop := s.locked(why)
			if drop {
				return s.answerEntry(c, http.StatusOK, e)
			}
			return refusal
		}
	}
	if p.has("notes") {
		next.Notes = p.textOrNil("notes")
	}
	if ref, ok := p.sub("external_reference"); ok {
		if r := newReference(ref, c.now); r != nil && (c.web || !s.world.Switches.DropExternalReference) {
			next.Reference = r
		}
	} else if c.web && p.has("external_reference") {
		next.Reference = nil
	}
	next.retime(c, t, s.world.Switches.HoursAndTimes == "hours")
	next.UpdatedAt = second(c.now)
	if c.web {
		if v, ok := p.truth("submitted"); ok {
			next.Submitted = v
		}
	}
	if moved {
		a.price(&next)
	}
	date := next.Date
	next.Date = e.Date
	*e = next
	if !e.running() && a.running[e.UserID] == e {
		delete(a.running, e.UserID)
	}
	if date != e.Date {
		a.redate(e, date)
	}
	return s.answerEntry(c, http.StatusOK, e)
}

// retime applies hours and times of day to an existing entry.
func (e *entry) retime(c *call, t timing, hoursWin bool) {
	stamps := c.account.Company.WantsTimestampTimers
	if hoursWin && t.hours != nil {
		t.started, t.ended = nil, nil
	}
	if stamps && (t.started != nil || t.ended != nil) {
		if t.started != nil {
			e.Started = t.started
		}
		if t.ended != nil {
			e.Ended = t.ended
			e.TimerStarted = nil
		}
		if e.Started != nil && e.Ended != nil {
			e.Hours = between(*e.Started, *e.Ended)
		}
		return
	}
	if t.hours == nil {
		return
	}
	e.Hours = *t.hours
	switch {
	case e.running() && !stamps:
		// The given hours are what stands now; the timer goes on from there. With start and end times
		// it keeps its start, so the total grows, as impleri/sow issue 27 found.
		e.TimerStarted = new(second(c.now))
	case stamps && !e.running() && e.Started != nil:
		e.Ended = new((*e.Started + int(e.Hours)*60/100) % 1440)
	}
}

func (s *Server) deleteEntry(c *call) answer {
	e, refusal := c.entry()
	if e == nil {
		return refusal
	}
	a := c.account
	shown := s.answerEntry(c, http.StatusOK, e)
	if why := a.lockReason(e); why != "" && !c.web {
		// Administrators may delete entries that are approved and nothing else.
		onlyClosed := e.InvoiceID == 0 && a.archived(e) == ""
		if !onlyClosed || !c.me.admin() {
			refusal, drop := s.locked(why)
			if drop {
				return s.deleted(shown)
			}
			return refusal
		}
	}
	a.removeEntry(e)
	return s.deleted(shown)
}

func (s *Server) stopEntry(c *call) answer {
	e, refusal := c.entry()
	if e == nil {
		return refusal
	}
	if !e.running() {
		return invalid("can't stop a stopped timer")
	}
	e.stopTimer(c)
	return s.answerEntry(c, http.StatusOK, e)
}

func (s *Server) restartEntry(c *call) answer {
	e, refusal := c.entry()
	if e == nil {
		return refusal
	}
	a := c.account
	if why := a.lockReason(e); why != "" && !c.web {
		refusal, drop := s.locked(why)
		if drop {
			return s.answerEntry(c, http.StatusOK, e)
		}
		return refusal
	}
	if e.running() {
		return invalid("can't restart a running timer")
	}
	s.stopOther(c, e.UserID, e)
	loc := time.UTC
	if u := a.Users[e.UserID]; u != nil {
		loc = u.location()
	}
	if a.Company.WantsTimestampTimers && s.world.Switches.RestartNewEntry {
		// One entry holds one span there, so the timer gets an entry of its own, on the old date.
		again := *e
		again.ID = s.world.id(kindEntry)
		again.Hours, again.CreatedAt = 0, second(c.now)
		a.addEntry(&again)
		e = &again
	}
	e.startTimer(c.now, minuteOfDay(c.now, loc))
	e.UpdatedAt = second(c.now)
	a.running[e.UserID] = e
	return s.answerEntry(c, http.StatusOK, e)
}

func (s *Server) deleteReference(c *call) answer {
	e, refusal := c.entry()
	if e == nil {
		return refusal
	}
	if why := c.account.lockReason(e); why != "" && !c.web {
		refusal, drop := s.locked(why)
		if drop {
			return s.answerEntry(c, http.StatusOK, e)
		}
		return refusal
	}
	if e.Reference != nil {
		e.Reference = nil
		e.UpdatedAt = second(c.now)
	}
	return s.deleted(s.answerEntry(c, http.StatusOK, e))
}

// newReference reads an external reference; all of it is kept as text, and what Harvest sets itself
// is not read. An object without a value is no reference.
func newReference(p params, now time.Time) *reference {
	r := &reference{
		ID: p.textOrNil("id"), GroupID: p.textOrNil("group_id"), AccountID: p.textOrNil("account_id"),
		Permalink: p.textOrNil("permalink"), SetAt: now,
	}
	if r.ID == nil && r.GroupID == nil && r.AccountID == nil && r.Permalink == nil {
		return nil
	}
	return r
}

// service is the host of the permalink.
func (r *reference) service() string {
	if r.Permalink == nil {
		return ""
	}
	u, err := url.Parse(*r.Permalink)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
