package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/planner"
	"furrow/views"
)

// slowQueue is how long a due job may wait for a worker before that is worth
// somebody's attention.
const slowQueue = time.Minute

func (h *adminHandler) queues(w http.ResponseWriter, r *http.Request) error {
	page, err := h.queuesPage(r)
	if err != nil {
		return err
	}
	return h.table(w, r, page)
}

// queueStatuses are the queues as they stand, and the pauses that are in force.
func (h *adminHandler) queueStatuses(r *http.Request) (list []jobs.QueueStatus, pauses map[string]db.QueuePause, err error) {
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		list, err = h.queue.Status(r.Context(), tx)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	pauses, err = h.store.QueuePauses(r.Context())
	return list, pauses, err
}

func (h *adminHandler) queuesPage(r *http.Request) (views.AdminTablePage, error) {
	list, pauses, err := h.queueStatuses(r)
	if err != nil {
		return views.AdminTablePage{}, err
	}
	page := views.AdminTablePage{
		Tab: views.AdminQueues, Heading: "Queues", Intro: "What the workers have to do, by kind. Each queue has workers of its own in every process that works.",
		Table: views.AdminTable{Columns: []views.Column{
			{Name: "Queue"}, {Name: "State"}, {Name: "Running", Numbers: true}, {Name: "Due", Numbers: true}, {Name: "Longest wait", Short: true},
			{Name: "For later", Numbers: true}, {Name: "At once per process", Numbers: true},
		}},
	}
	moment := h.moments(r)
	for i := range list {
		q := &list[i]
		page.Table.Rows = append(page.Table.Rows, []views.TableCell{
			{Text: q.Queue, URL: views.AdminQueuePath(q.Queue), Note: queueWords(q.Queue)}, queueStand(q, pauses[q.Queue], moment), {Text: strconv.Itoa(q.Running)},
			{Text: strconv.Itoa(q.Due)}, {Text: lagWords(q)}, {Text: strconv.Itoa(q.Later)}, {Text: strconv.Itoa(q.Workers)},
		})
		if !q.Paused && q.Running+q.Due > 0 {
			page.Table.Poll = views.AdminLiveURL(views.AdminQueues, nil)
		}
	}
	return page, nil
}

// queueWords tells what a queue is for.
func queueWords(name string) string {
	switch name {
	case "push":
		return "sends what was pushed"
	case "pull":
		return "reads what changed in Harvest"
	case "upkeep":
		return "plans recurring work, and clears up"
	case "notices":
		return "sends mails and alerts"
	default:
		return ""
	}
}

func lagWords(q *jobs.QueueStatus) string {
	if q.Due == 0 {
		return ""
	}
	return span(q.Oldest)
}

// queueStand tells how a queue stands. One that is paused without a pause of ours
// was paused by another program.
func queueStand(q *jobs.QueueStatus, pause db.QueuePause, moment func(time.Time) views.Moment) views.TableCell {
	switch {
	case q.Paused && pause.Queue != "":
		return views.TableCell{Text: "paused", Tone: views.FlashNote, Note: "until " + moment(pause.Until).Text + ", " + pause.Reason}
	case q.Paused:
		return views.TableCell{Text: "paused", Tone: views.FlashNote, Note: "not from here, so without an end"}
	case !q.Known:
		return views.TableCell{Text: "never worked", Tone: views.FlashBad}
	case q.Oldest > slowQueue:
		return views.TableCell{Text: "behind", Tone: views.FlashBad}
	default:
		return views.TableCell{Text: "open", Tone: views.FlashGood}
	}
}

func (h *adminHandler) showQueue(w http.ResponseWriter, r *http.Request) error {
	return h.queuePage(w, r, holdForm{}, nil)
}

// queuePage is one queue, with the form for pausing it as it was typed.
func (h *adminHandler) queuePage(w http.ResponseWriter, r *http.Request, typed holdForm, errs planner.FieldErrors) error {
	q, pause, err := h.queueOf(r)
	if err != nil {
		return err
	}
	moment := h.moments(r)
	page := views.AdminThingPage{
		Tab: views.AdminQueues, Back: views.AdminLink{URL: views.AdminQueuesPath, Label: "Queues"}, Heading: "Queue " + q.Queue, Stand: queueStand(&q, pause, moment),
		Facts: []views.AdminFact{
			{Name: "What for", Value: views.TableCell{Text: queueWords(q.Queue)}},
			{Name: "Running", Value: views.TableCell{Text: strconv.Itoa(q.Running)}},
			{Name: "Due", Value: views.TableCell{Text: strconv.Itoa(q.Due)}},
			{Name: "For later", Value: views.TableCell{Text: strconv.Itoa(q.Later)}},
		},
		Links: []views.AdminLink{{URL: views.AdminAuditURL("", queueSubject(q.Queue)), Label: "What was done to it"}},
	}
	if pause.Queue != "" {
		page.Said = pause.By + " has paused it since " + moment(pause.At).Text + "."
	}
	if mayAct(r) {
		page.Forms = queueForms(&q, typed, errs)
	}
	return h.thing(w, r, statusOf(errs), page)
}

func queueForms(q *jobs.QueueStatus, typed holdForm, errs planner.FieldErrors) []views.AdminForm {
	path := views.AdminQueuePath(q.Queue)
	pause := views.AdminForm{
		ID: "pause", Action: path + "/pause", Title: "Pause", Button: "Pause", Fields: typed.fields(errs, ""),
		Help: "No process begins another job of this queue until the time is over. Those that run come to their end.",
	}
	if !q.Paused {
		return []views.AdminForm{pause}
	}
	pause.Title, pause.Button = "Pause it for another time", "Change the pause"
	return []views.AdminForm{{ID: "resume", Action: path + "/resume", Title: "Resume", Button: "Resume now"}, pause}
}

func queueSubject(name string) string { return "queue " + name }

// queueOf is the queue that the address names.
func (h *adminHandler) queueOf(r *http.Request) (q jobs.QueueStatus, pause db.QueuePause, err error) {
	list, pauses, err := h.queueStatuses(r)
	if err != nil {
		return q, pause, err
	}
	for _, q := range list {
		if q.Queue == r.PathValue("queue") {
			return q, pauses[q.Queue], nil
		}
	}
	return q, pause, fmt.Errorf("queue %q: %w", r.PathValue("queue"), planner.ErrNotFound)
}

func (h *adminHandler) pauseQueue(w http.ResponseWriter, r *http.Request) error {
	q, before, err := h.queueOf(r)
	if err != nil {
		return err
	}
	typed, err := readHold(r)
	if err != nil {
		return err
	}
	term, errs := typed.parse()
	if len(errs) > 0 {
		return h.queuePage(w, r, typed, errs)
	}
	actor, until := currentUser(r).ID, time.Time{}
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		if until, err = tx.PauseQueue(r.Context(), actor, q.Queue, term, typed.reason); err != nil {
			return err
		}
		if err := h.queue.Pause(r.Context(), tx, q.Queue); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "queues.pause", queueSubject(q.Queue), map[string]any{
			"before": pauseDetail(before.Until), "after": pauseDetail(until), "reason": typed.reason,
		})
	})
	if errors.Is(err, planner.ErrConflict) {
		return say(err, "No worker has been at this queue yet, so there is nothing to pause. Nothing was done.")
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "The queue is paused until "+h.moments(r)(until).Text+".")
	return h.redirect(w, r, views.AdminQueuePath(q.Queue))
}

func (h *adminHandler) resumeQueue(w http.ResponseWriter, r *http.Request) error {
	q, before, err := h.queueOf(r)
	if err != nil {
		return err
	}
	if !q.Paused {
		return say(planner.ErrConflict, "The queue is not paused, or the pause is over by now. Nothing was done.")
	}
	actor := currentUser(r).ID
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		if err := tx.EndQueuePause(r.Context(), q.Queue); err != nil {
			return err
		}
		if err := h.queue.Resume(r.Context(), tx, q.Queue); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "queues.resume", queueSubject(q.Queue), map[string]any{"before": pauseDetail(before.Until), "after": pauseDetail(time.Time{})})
	})
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "The queue goes on.")
	return h.redirect(w, r, views.AdminQueuePath(q.Queue))
}
