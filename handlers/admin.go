package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// adminHandler is what admins see of everybody, and may set in motion again.
// Each action is audited in the transaction that does it.
type adminHandler struct {
	*site
	store *db.Store
	queue *jobs.Queue
}

func (h *adminHandler) home(w http.ResponseWriter, r *http.Request) error {
	return h.redirect(w, r, views.AdminWritesPath)
}

// moments tells instants to the reader of the request.
func (h *adminHandler) moments(r *http.Request) func(time.Time) views.Moment {
	profile, now := currentUser(r).Profile, h.now()
	zone := profile.Location()
	return func(t time.Time) views.Moment { return views.MomentAt(t, now, zone, profile.Clock) }
}

func (h *adminHandler) writes(w http.ResponseWriter, r *http.Request) error {
	user, query := currentUser(r), r.URL.Query()
	group, err := writeGroupOf(query.Get("state"))
	if err != nil {
		return err
	}
	before, err := beforeOf(query)
	if err != nil {
		return err
	}
	writes, older, err := writesPage(r.Context(), h.store, group, db.WriteFilter{Before: before})
	if err != nil {
		return err
	}
	counts, err := h.store.CountWrites(r.Context(), db.WriteFilter{})
	if err != nil {
		return err
	}
	page := views.AdminWritesPage{
		Chrome: h.chrome(r, "Writes", views.NavAdmin), States: writeOptions(group, counts.ByState), State: group.value, Writes: make([]views.Write, len(writes)),
	}
	for state, n := range counts.ByState {
		// Blocked ones wait for their owners, and go on by themselves then.
		if group.holds(state) && state.Retryable() && state != ledger.Blocked {
			page.Retryable += n
		}
	}
	to := newTeller(user.Profile, h.now())
	for i := range writes {
		page.Writes[i] = to.write(&writes[i])
		page.Writes[i].Owner, page.Writes[i].CanDrop = writes[i].Email, false
	}
	if older != "" {
		page.Older = views.AdminWritesURL(group.value, older)
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// retryWrite tries one write again at once.
func (h *adminHandler) retryWrite(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	before, err := h.store.Write(r.Context(), 0, id)
	if err != nil {
		return err
	}
	actor, retried := currentUser(r).ID, false
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		writes, connections, err := tx.RetryWrites(r.Context(), db.WriteFilter{ID: id})
		retried = len(writes) > 0
		if err != nil || !retried {
			return err
		}
		err = tx.Audit(r.Context(), actor, "writes.retry", "write "+strconv.FormatInt(id, 10), map[string]any{
			"before": before.State, "after": ledger.Pending, "owner": before.UserID, "connections": connections,
		})
		if err != nil {
			return err
		}
		return ring(r.Context(), tx, h.queue, connections)
	})
	if err == nil && !retried {
		err = notRetried(r.Context(), h.store, 0, id)
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, fmt.Sprintf("Write %d is tried again now.", id))
	return h.redirect(w, r, backTo(r, views.AdminWritesPath))
}

// retryWrites tries all writes again that match the filter and may be, not
// only those on the page.
func (h *adminHandler) retryWrites(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	group, err := writeGroupOf(f.Get("state"))
	if err != nil {
		return err
	}
	actor, count := currentUser(r).ID, 0
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		writes, connections, err := tx.RetryWrites(r.Context(), db.WriteFilter{States: group.states})
		if err != nil {
			return err
		}
		count = len(writes)
		err = tx.Audit(r.Context(), actor, "writes.retry_all", "writes", map[string]any{
			"state": group.value, "count": count, "writes": someOf(writes), "connections": connections,
		})
		if err != nil {
			return err
		}
		return ring(r.Context(), tx, h.queue, connections)
	})
	if err != nil {
		return err
	}
	h.flashRetried(r.Context(), count, "write is", "writes are")
	return h.redirect(w, r, views.AdminWritesURL(group.value, ""))
}

// mostAudited is how many ids an audit row names.
const mostAudited = 100

func someOf(ids []int64) []int64 { return ids[:min(len(ids), mostAudited)] }

// flashRetried says how many things are tried again.
func (h *adminHandler) flashRetried(ctx context.Context, count int, one, many string) {
	switch count {
	case 0:
		h.sessions.flash(ctx, views.FlashNote, "Nothing of these can be tried again now. Each one says why.")
	case 1:
		h.sessions.flash(ctx, views.FlashGood, "1 "+one+" tried again now.")
	default:
		h.sessions.flash(ctx, views.FlashGood, strconv.Itoa(count)+" "+many+" tried again now.")
	}
}

func (h *adminHandler) jobs(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	state := query.Get("state")
	before, err := beforeOf(query)
	if err != nil {
		return err
	}
	list, err := h.queue.List(r.Context(), jobs.Filter{State: state, Before: before, Most: pageOfWrites + 1})
	if err != nil {
		return err
	}
	var counts map[string]int
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		counts, err = h.queue.Count(r.Context(), tx)
		return err
	})
	if err != nil {
		return err
	}
	page := views.AdminJobsPage{Chrome: h.chrome(r, "Jobs", views.NavAdmin), State: state}
	page.States, page.Retryable = jobOptions(state, counts)
	if len(list) > pageOfWrites {
		list = list[:pageOfWrites]
		page.Older = views.AdminJobsURL(state, strconv.FormatInt(list[pageOfWrites-1].ID, 10))
	}
	moment := h.moments(r)
	for i := range list {
		page.Jobs = append(page.Jobs, jobOf(&list[i], moment))
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// jobOptions are the choices of the filter, and how many jobs of the chosen
// one may be retried.
func jobOptions(chosen string, counts map[string]int) (options []views.Option, retryable int) {
	all := views.Option{Label: "all", Selected: chosen == ""}
	options = append(options, all)
	for _, state := range jobs.States() {
		n := counts[state]
		options = append(options, views.Option{Value: state, Label: state, Selected: chosen == state, Count: n})
		options[0].Count += n
		if (chosen == "" || chosen == state) && (jobs.Record{State: state}).Retryable() {
			retryable += n
		}
	}
	return options, retryable
}

func jobOf(j *jobs.Record, moment func(time.Time) views.Moment) views.Job {
	job := views.Job{
		ID: j.ID, Kind: j.Kind, Queue: j.Queue, Args: j.Args, State: j.State, Good: j.State != "cancelled" && j.State != "discarded" && j.State != "retryable",
		Attempt: j.Attempt, MaxAttempts: j.MaxAttempts, Created: moment(j.CreatedAt), Finished: moment(j.FinishedAt), CanRetry: j.Retryable(),
	}
	if j.FinishedAt.IsZero() && j.State != "running" {
		job.Scheduled = moment(j.ScheduledAt)
	}
	for _, e := range j.Errors {
		job.Errors = append(job.Errors, views.JobError{At: moment(e.At), Text: e.Text})
	}
	return job
}

// retryJob runs a job again at once.
func (h *adminHandler) retryJob(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	actor := currentUser(r).ID
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		if err := h.queue.Retry(r.Context(), tx, id); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "jobs.retry", "job "+strconv.FormatInt(id, 10), map[string]any{"after": "available"})
	})
	if errors.Is(err, planner.ErrConflict) {
		return say(err, "It runs, or has ended well, so running it again would only do it twice. Nothing was done.")
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, fmt.Sprintf("Job %d is run again now.", id))
	return h.redirect(w, r, backTo(r, views.AdminJobsPath))
}

// retryJobs runs all jobs again that match the filter and may be.
func (h *adminHandler) retryJobs(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	state := f.Get("state")
	if state != "" && !slices.Contains(jobs.States(), state) {
		return fmt.Errorf("jobs in state %q: %w", state, planner.ErrNotFound)
	}
	actor, count := currentUser(r).ID, 0
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		ids, err := h.queue.RetryAll(r.Context(), tx, state)
		if err != nil {
			return err
		}
		count = len(ids)
		return tx.Audit(r.Context(), actor, "jobs.retry_all", "jobs", map[string]any{"state": state, "count": count, "jobs": someOf(ids)})
	})
	if errors.Is(err, planner.ErrConflict) {
		return say(err, "Jobs in this state run, or have ended well, so running them again would only do them twice. Nothing was done.")
	}
	if err != nil {
		return err
	}
	h.flashRetried(r.Context(), count, "job is", "jobs are")
	return h.redirect(w, r, views.AdminJobsURL(state, ""))
}

// table shows one of the tabs that are plain tables.
func (h *adminHandler) table(w http.ResponseWriter, r *http.Request, page views.AdminTablePage) error {
	page.Chrome = h.chrome(r, page.Heading, views.NavAdmin)
	return h.render(w, r, http.StatusOK, page.View())
}

func (h *adminHandler) connections(w http.ResponseWriter, r *http.Request) error {
	list, err := h.store.Connections(r.Context())
	if err != nil {
		return err
	}
	page := views.AdminTablePage{
		Tab: views.AdminConnections, Heading: "Connections", Intro: "Who is connected with which Harvest account, and what waits to be sent.",
		Columns: []views.Column{
			{Name: "Id", Numbers: true}, {Name: "User"}, {Name: "Account"}, {Name: "State"}, {Name: "Since"}, {Name: "Last sync"},
			{Name: "Unsent", Numbers: true}, {Name: "Being sent until"},
		},
		Empty: "Nobody has connected with Harvest yet.",
	}
	moment, now := h.moments(r), h.now()
	for _, c := range list {
		tone := views.FlashBad
		if c.State == ledger.Connected {
			tone = views.FlashGood
		}
		lease := ""
		switch {
		case c.Held:
			lease = "not before a sync"
		case c.LeaseUntil.After(now):
			lease = moment(c.LeaseUntil).Text
		}
		page.Rows = append(page.Rows, []views.TableCell{
			{Text: strconv.FormatInt(c.ID, 10)}, {Text: c.Email}, {Text: accountWords(c.CompanyName, c.HarvestAccountID)},
			{Text: connectionWord(c.State), Tone: tone}, {Text: moment(c.ConnectedAt).Text}, {Text: orWords(moment(c.PulledAt).Text, "none yet")},
			{Text: strconv.Itoa(c.Unfinished)}, {Text: lease},
		})
	}
	return h.table(w, r, page)
}

// limits shows what holds calls to Harvest back.
func (h *adminHandler) limits(w http.ResponseWriter, r *http.Request) error {
	gates, err := h.store.Gates(r.Context())
	if err != nil {
		return err
	}
	connections, err := h.store.Connections(r.Context())
	if err != nil {
		return err
	}
	owners := make(map[int64]string, len(connections))
	for _, c := range connections {
		owners[c.ID] = c.Email
	}
	page := views.AdminTablePage{
		Tab: views.AdminLimits, Heading: "Limits",
		Intro: "What holds calls to Harvest back: the pace that keeps below Harvest's limits, pauses that Harvest asked for, and breakers that open when it keeps failing.",
		Columns: []views.Column{
			{Name: "Calls"}, {Name: "Breaker"}, {Name: "Failures in a row", Numbers: true}, {Name: "Free now", Numbers: true}, {Name: "Held back until"}, {Name: "Breaker by hand"},
		},
		Empty: "Harvest has not been called yet.",
	}
	moment, now := h.moments(r), h.now()
	for _, g := range gates {
		name, free := "Harvest as a whole", ""
		if g.ConnectionID != 0 {
			name = fmt.Sprintf("%s, connection %d, %s calls", orWords(owners[g.ConnectionID], "deleted user"), g.ConnectionID, g.Class)
			free = strconv.Itoa(g.Free)
		}
		breaker := views.TableCell{Text: "closed", Tone: views.FlashGood}
		switch g.Breaker {
		case db.BreakerOpen:
			breaker = views.TableCell{Text: "open", Tone: views.FlashBad}
		case db.BreakerProbing:
			breaker = views.TableCell{Text: "trying one call", Tone: views.FlashBad}
		case db.BreakerClosed:
		}
		until := ""
		if wait := max(g.Asked, g.Broken); wait > 0 {
			until = moment(now.Add(wait)).Text
			if g.Asked >= g.Broken {
				until += ", asked for by Harvest"
			}
		}
		byHand := views.TableCell{Actions: []views.TableAction{{URL: views.ForceBreakerPath(g.Scope, true), Label: "Open", Of: name}}}
		if g.Breaker != db.BreakerClosed {
			byHand.Actions[0] = views.TableAction{URL: views.ForceBreakerPath(g.Scope, false), Label: "Close", Of: name}
		}
		page.Rows = append(page.Rows, []views.TableCell{{Text: name}, breaker, {Text: strconv.Itoa(g.Failures)}, {Text: free}, {Text: until}, byHand})
	}
	return h.table(w, r, page)
}

// forcedOpen is how long a breaker stays open that an admin has opened, if
// nobody closes it: Harvest must not be forgotten.
const forcedOpen = 24 * time.Hour

// forceBreaker opens or closes a breaker by hand.
func (h *adminHandler) forceBreaker(w http.ResponseWriter, r *http.Request) error {
	scope, state := r.PathValue("scope"), r.PathValue("state")
	if state != "open" && state != "closed" {
		return planner.ErrNotFound
	}
	err := h.store.InTx(r.Context(), func(tx *db.Tx) error {
		if err := tx.ForceBreaker(r.Context(), scope, state == "open", forcedOpen); err != nil {
			return err
		}
		return tx.Audit(r.Context(), currentUser(r).ID, "breaker."+state, "gate "+scope, map[string]any{})
	})
	if err != nil {
		return err
	}
	said := "The breaker is closed. Calls go through again, at Harvest's pace."
	if state == "open" {
		said = "The breaker is open. No call is made for a day, or until you close it."
	}
	h.sessions.flash(r.Context(), views.FlashGood, said)
	return h.redirect(w, r, views.AdminLimitsPath)
}

func (h *adminHandler) audit(w http.ResponseWriter, r *http.Request) error {
	before, err := beforeOf(r.URL.Query())
	if err != nil {
		return err
	}
	events, err := h.store.AuditEvents(r.Context(), before, pageOfWrites+1)
	if err != nil {
		return err
	}
	page := views.AdminTablePage{
		Tab: views.AdminAudit, Heading: "Audit", Intro: "What admins did, newest first.", Empty: "No admin has done anything yet.",
		Columns: []views.Column{{Name: "When"}, {Name: "Who"}, {Name: "What"}, {Name: "To what"}, {Name: "Details"}},
	}
	if len(events) > pageOfWrites {
		events = events[:pageOfWrites]
		page.Older = views.AdminAuditPath + "?before=" + strconv.FormatInt(events[pageOfWrites-1].ID, 10)
	}
	moment := h.moments(r)
	for _, e := range events {
		page.Rows = append(page.Rows, []views.TableCell{
			{Text: moment(e.At).Text}, {Text: e.Actor}, {Text: auditWords(e.Action)}, auditSubject(e.Subject), {Text: e.Detail},
		})
	}
	return h.table(w, r, page)
}

// auditWords tells an action of the audit.
func auditWords(action string) string {
	switch action {
	case "writes.retry":
		return "tried a write again"
	case "writes.retry_all":
		return "tried all writes again that matched"
	case "breaker.open":
		return "opened a breaker"
	case "breaker.closed":
		return "closed a breaker"
	case "jobs.retry":
		return "ran a job again"
	case "jobs.retry_all":
		return "ran all jobs again that matched"
	default:
		return action
	}
}

// auditSubject links to the write that something was done to.
func auditSubject(subject string) views.TableCell {
	cell := views.TableCell{Text: subject}
	var id int64
	if n, err := fmt.Sscanf(subject, "write %d", &id); err == nil && n == 1 {
		cell.URL = views.WritePath(id)
	}
	return cell
}

func (h *adminHandler) users(w http.ResponseWriter, r *http.Request) error {
	list, err := h.store.Users(r.Context())
	if err != nil {
		return err
	}
	page := views.AdminTablePage{
		Tab: views.AdminUsers, Heading: "Users", Intro: "Accounts are made, promoted and given a new password from the shell: furrow admin --help.", Empty: "Nobody yet.",
		Columns: []views.Column{{Name: "Email"}, {Name: "Role"}, {Name: "Since"}, {Name: "Harvest"}, {Name: "Connection"}},
	}
	moment := h.moments(r)
	for _, u := range list {
		role := "user"
		if u.IsAdmin {
			role = "admin"
		}
		page.Rows = append(page.Rows, []views.TableCell{
			{Text: u.Email}, {Text: role}, {Text: moment(u.Created).Text}, {Text: u.CompanyName}, {Text: connectionWord(ledger.ConnectionState(u.ConnectionState))},
		})
	}
	return h.table(w, r, page)
}

// accountWords names a Harvest account. Members may not see the company's name.
func accountWords(company string, id int64) string {
	number := strconv.FormatInt(id, 10)
	if company == "" {
		return "account " + number
	}
	return company + " (" + number + ")"
}

func orWords(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
