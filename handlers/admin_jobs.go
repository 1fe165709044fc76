package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/planner"
	"furrow/views"
)

// parseJobsFilter reads the filters of an address, or of a form that carries
// them on. What no page of ours leads to is not found.
func parseJobsFilter(values url.Values) (q views.JobQuery, f jobs.Filter, err error) {
	number := func(name string) (text string, n int64) {
		text = values.Get(name)
		n, wrong := filterID(name, text)
		err = cmp.Or(err, wrong)
		return text, n
	}
	f = jobs.Filter{State: values.Get("state"), Kind: values.Get("kind"), Queue: values.Get("queue"), Most: pageOfWrites}
	q = views.JobQuery{State: f.State, Kind: f.Kind, Queue: f.Queue}
	q.ID, f.ID = number("id")
	q.Connection, f.Connection = number("connection")
	q.Run, f.Run = number("run")
	q.Before, f.Before = number("before")
	if f.State != "" && !slices.Contains(jobs.States(), f.State) {
		err = fmt.Errorf("jobs in state %q: %w", f.State, planner.ErrNotFound)
	}
	return q, f, err
}

func (h *adminHandler) jobs(w http.ResponseWriter, r *http.Request) error {
	return h.jobsPage(w, r, http.StatusOK, r.URL.Query(), 0, "")
}

// jobsPage shows the jobs that values choose. conflict says why nothing was done
// to one of them, beside it.
func (h *adminHandler) jobsPage(w http.ResponseWriter, r *http.Request, status int, values url.Values, job int64, conflict string) error {
	list, err := h.jobsList(r, values)
	if err != nil {
		return err
	}
	q := list.Query
	kinds, err := h.queue.Kinds(r.Context())
	if err != nil {
		return err
	}
	if q.Kind != "" && !slices.Contains(kinds, q.Kind) {
		return fmt.Errorf("jobs of the kind %q: %w", q.Kind, planner.ErrNotFound)
	}
	same := func(text string) string { return text }
	page := views.AdminJobsPage{Chrome: h.chrome(r, "Jobs", views.NavAdmin), List: list, Filter: views.JobsFilter{
		Query: q, Kinds: optionsOf("Any", kinds, same, q.Kind), Queues: optionsOf("Any", jobs.Queues(), same, q.Queue),
	}}
	for i := range page.List.Jobs {
		if page.List.Jobs[i].ID == job {
			page.List.Jobs[i].Conflict = conflict
		}
	}
	return h.render(w, r, status, page.View())
}

// jobsLive is the polled list.
func (h *adminHandler) jobsLive(w http.ResponseWriter, r *http.Request) error {
	list, err := h.jobsList(r, r.URL.Query())
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, list.View())
}

func (h *adminHandler) jobsList(r *http.Request, values url.Values) (list views.JobsList, err error) {
	q, f, err := parseJobsFilter(values)
	if err != nil {
		return list, err
	}
	page, err := h.queue.Page(r.Context(), f)
	if err != nil {
		return list, err
	}
	counts, err := h.queue.Count(r.Context(), f)
	if err != nil {
		return list, err
	}
	list = views.JobsList{
		Query: q, States: jobLinks(q, counts), CanAct: mayAct(r), Short: page.Next != 0 && len(page.Jobs) < f.Most,
	}
	moment, moving := h.moments(r), false
	for i := range page.Jobs {
		list.Jobs = append(list.Jobs, jobOf(&page.Jobs[i], moment))
		moving = moving || !page.Jobs[i].Over()
	}
	if list.CanAct {
		for _, a := range []jobs.Action{jobs.RetryJob, jobs.CancelJob} {
			if slices.ContainsFunc(a.States(), func(state string) bool {
				return (f.State == "" || f.State == state) && counts[state].N > 0
			}) {
				list.Actions = append(list.Actions, views.CountedLink{Label: jobActionWords(a).label, URL: views.AdminJobsPreviewURL(string(a), q)})
			}
		}
	}
	if page.Next != 0 {
		next := q
		next.Before = strconv.FormatInt(page.Next, 10)
		list.Next = views.AdminJobsURL(next)
	}
	if moving && f.Before == 0 {
		list.Poll = views.AdminJobsLiveURL(q)
	}
	return list, nil
}

// jobLinks are the choices of the filter by state, with how many match the others.
func jobLinks(q views.JobQuery, counts map[string]jobs.Count) []views.CountedLink {
	chosen := q.State
	q.State, q.Before = "", ""
	links := []views.CountedLink{{Label: "All", URL: views.AdminJobsURL(q), Current: chosen == ""}}
	for _, state := range jobs.States() {
		q.State = state
		n := counts[state]
		links = append(links, views.CountedLink{Label: state, URL: views.AdminJobsURL(q), Current: chosen == state, Count: views.Tally(n)})
		links[0].Count.N += n.N
		links[0].Count.More = links[0].Count.More || n.More
	}
	return links
}

func jobOf(j *jobs.Record, moment func(time.Time) views.Moment) views.Job {
	job := views.Job{
		ID: j.ID, Kind: j.Kind, Queue: j.Queue, Args: j.Args, State: j.State, Good: j.State != "cancelled" && j.State != "discarded" && j.State != "retryable",
		Attempt: j.Attempt, MaxAttempts: j.MaxAttempts, Created: moment(j.CreatedAt), Finished: moment(j.FinishedAt),
		CanRetry: j.Retryable(), CanCancel: j.Cancellable(), Request: j.Request,
	}
	switch {
	case j.Over():
	case j.State == "running":
		job.Began = moment(j.AttemptedAt)
	default:
		job.Scheduled = moment(j.ScheduledAt)
	}
	switch {
	case j.Snoozes > 0 && job.Scheduled.IsZero():
		job.Waits = timesWords("Waited", j.Snoozes) + ", which is no failure."
	case j.Snoozes > 0:
		job.Waits = "Waits for its turn, or for Harvest, until " + job.Scheduled.Text + "; " + timesWords("waited", j.Snoozes) + " so far."
	}
	if j.Rescues > 0 {
		job.Rescued = timesWords("Rescued", j.Rescues) + ": its process had died, or hung."
	}
	for _, e := range j.Errors {
		job.Errors = append(job.Errors, views.JobError{At: moment(e.At), Attempt: e.Attempt, Text: e.Text})
	}
	return job
}

func timesWords(verb string, n int) string {
	if n == 1 {
		return verb + " once"
	}
	return verb + " " + strconv.Itoa(n) + " times"
}

func jobActionWords(a jobs.Action) actionText {
	if a == jobs.CancelJob {
		return actionText{"Cancel", "Cancel", "Jobs that wait do not begin, and those that run are told to stop. What is still to be done is found again, and gets a job of its own.", "cancelled"}
	}
	return actionText{"Run again", "Run again now", "Jobs that wait, or have failed for good, run at once. One that is through, or runs, would only be done twice.", "run again now"}
}

func jobActionOf(value string) (jobs.Action, error) {
	switch a := jobs.Action(value); a {
	case jobs.RetryJob, jobs.CancelJob:
		return a, nil
	default:
		return "", fmt.Errorf("action %q on jobs: %w", value, planner.ErrNotFound)
	}
}

// actOnJob does something to one job. What makes no sense is said beside it.
func (h *adminHandler) actOnJob(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	action, err := jobActionOf(r.PathValue("action"))
	if err != nil {
		return err
	}
	actor := currentUser(r).ID
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		if err := h.queue.Act(r.Context(), tx, action, id); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "jobs."+string(action), "job "+strconv.FormatInt(id, 10), nil)
	})
	back := backTo(r, views.AdminJobsPath)
	var refused *jobs.RefusedError
	if errors.As(err, &refused) {
		values := url.Values{"id": {strconv.FormatInt(id, 10)}} // where the page that it was on is not known
		if page, err := url.Parse(back); err == nil && r.Referer() != "" {
			values = page.Query()
		}
		return h.jobsPage(w, r, http.StatusConflict, values, id, refusedJob(action, refused))
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, fmt.Sprintf("Job %d is %s.", id, jobActionWords(action).past))
	return h.redirect(w, r, back)
}

// refusedJob says why nothing was done to a job.
func refusedJob(a jobs.Action, refused *jobs.RefusedError) string {
	switch {
	case refused.Twin:
		return "Another job of its kind waits or runs already, and there may be only one. Nothing was done."
	case a == jobs.CancelJob:
		return "It is over, so there is nothing to cancel. Nothing was done."
	case refused.State == "completed":
		return "It has ended well, so running it again would only do it twice. Nothing was done."
	case refused.State == "running":
		return "It runs, so running it again would only do it twice. Nothing was done."
	default:
		return "It is about to run anyway. Nothing was done."
	}
}

// previewJobs says what an action would do to all jobs that match.
func (h *adminHandler) previewJobs(w http.ResponseWriter, r *http.Request) error {
	action, err := jobActionOf(r.URL.Query().Get("action"))
	if err != nil {
		return err
	}
	q, f, err := parseJobsFilter(r.URL.Query())
	if err != nil {
		return err
	}
	can, upTo, err := h.queue.Preview(r.Context(), action, f)
	if err != nil {
		return err
	}
	counts, err := h.queue.Count(r.Context(), f)
	if err != nil {
		return err
	}
	words := jobActionWords(action)
	q.Before = ""
	page := views.ActionPreview{
		Chrome: h.chrome(r, words.label+": all that match", views.NavAdmin), Title: words.label + ": all that match", Sentence: words.sentence,
		Back: views.AdminJobsURL(q), Action: views.AdminAllJobsPath(string(action)), One: "job", Many: "jobs", Button: words.button,
	}
	for _, state := range jobs.States() {
		if n := can[state]; n > 0 {
			page.All += n
			page.Can = append(page.Can, views.CountLine{Count: views.Tally{N: n}, Words: state})
		} else if left := counts[state]; left.N > 0 && (f.State == "" || f.State == state) && !slices.Contains(action.States(), state) {
			page.Cannot = append(page.Cannot, views.CountLine{Count: views.Tally(left), Words: state})
		}
	}
	page.Hidden = hiddenFields(q.Values(), "up_to", strconv.FormatInt(upTo, 10))
	return h.render(w, r, http.StatusOK, page.View())
}

// Jobs are acted on in transactions of so many, and a request does some of them.
const (
	jobsBatch   = 100
	jobsAtOnce  = 2000
	longestActs = 5 * time.Second // of a request
)

// actOnJobs does something to all jobs that match and were there when it was
// previewed. What is left after a while is told, and takes another go.
func (h *adminHandler) actOnJobs(w http.ResponseWriter, r *http.Request) error {
	action, err := jobActionOf(r.PathValue("action"))
	if err != nil {
		return err
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	q, f, err := parseJobsFilter(form.Values)
	if err != nil {
		return err
	}
	if f.UpTo, err = strconv.ParseInt(form.Get("up_to"), 10, 64); err != nil || f.UpTo <= 0 {
		return errMalformed
	}
	actor, done, twins, more := currentUser(r).ID, 0, 0, true
	for began := time.Now(); more && done < jobsAtOnce && time.Since(began) < longestActs; {
		var acted []int64
		var held int
		var next int64
		err := h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
			acted, held, next, err = h.queue.ActAll(r.Context(), tx, action, f, jobsBatch)
			if err != nil || len(acted) == 0 {
				return err
			}
			return tx.Audit(r.Context(), actor, "jobs."+string(action)+"_all", "jobs", map[string]any{
				"filter": q.Values(), "up_to": f.UpTo, "count": len(acted), "jobs": someOf(acted),
			})
		})
		if err != nil {
			return err
		}
		done, twins, f.Before, more = done+len(acted), twins+held, next, next != 0
	}
	h.flashJobs(r, action, done, twins, more)
	q.Before = ""
	return h.redirect(w, r, views.AdminJobsURL(q))
}

func (h *adminHandler) flashJobs(r *http.Request, action jobs.Action, done, twins int, more bool) {
	if done == 0 {
		h.sessions.flash(r.Context(), views.FlashNote, "There was nothing left to do for any of these.")
		return
	}
	said := counted(done, "job is", "jobs are") + " " + jobActionWords(action).past + "."
	if twins > 0 {
		said += fmt.Sprintf(" %d were left alone, because another one of their kind waits or runs.", twins)
	}
	if more {
		said += " There are more: do it again to go on."
	}
	h.sessions.flash(r.Context(), views.FlashGood, said)
}
