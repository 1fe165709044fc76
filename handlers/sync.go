package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// startWeekSync asks for a sync run. One that is under way already is shown
// instead of making a second one.
func (h *weekHandler) startWeekSync(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	week, err := exactWeek(r, user)
	if err != nil {
		return err
	}
	_, joined, err := StartSync(r.Context(), h.store, h.queue, user.ID, db.TriggerUser, &week, user.Profile.Today(h.now()))
	if errors.Is(err, planner.ErrNotFound) {
		return say(planner.ErrConflict, "Harvest is not connected, so there is nothing to sync with. Connect it in the settings.")
	}
	if err != nil {
		return err
	}
	if !wantsFragment(r) {
		if joined {
			h.sessions.flash(r.Context(), views.FlashNote, "A sync is under way already. Its progress is shown here.")
		}
		return h.redirect(w, r, views.WeekPath(week))
	}
	plan, assignments, err := h.store.WeekPage(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	b.choosable = len(assignments) > 0
	return h.render(w, r, http.StatusOK, b.status().View())
}

// syncStatus is the polled component, with the grid if it differs from what
// the page shows.
func (h *weekHandler) syncStatus(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	date, err := planner.ParseDate(r.URL.Query().Get("week"))
	if err != nil {
		return planner.ErrNotFound
	}
	plan, assignments, err := h.store.WeekPage(r.Context(), user.ID, planner.WeekOf(date, user.Profile.WeekStart))
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	b.choosable = len(assignments) > 0
	live := views.LivePartial{Status: b.status(), Timer: h.timerBar(r, &user)}
	if live.Timer != nil {
		live.Timer.Next = views.WeekPath(plan.Week) // the page that asks
	}
	since := r.URL.Query().Get("since")
	if since != b.fingerprint() {
		grid := b.grid()
		live.Grid = &grid
	}
	if b.choosable && !strings.HasPrefix(since, choosableMark) {
		form := addRowForm(plan, assignments, views.Fields{})
		live.AddRow = &form
	}
	return h.render(w, r, http.StatusOK, live.View())
}

// apiHandler answers programs.
type apiHandler struct {
	*weekHandler
}

// apiRun is a sync run as programs see it.
type apiRun struct {
	ID    int64           `json:"id"`
	State ledger.RunState `json:"state"`
	URL   string          `json:"url"`
}

type apiSync struct {
	Message string `json:"message"`
	Run     apiRun `json:"run"`
}

// sync asks for a sync run and answers at once; the work is a job.
func (h *apiHandler) sync(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	id, joined, err := StartSync(r.Context(), h.store, h.queue, user.ID, db.TriggerAPI, nil, user.Profile.Today(h.now()))
	if errors.Is(err, planner.ErrNotFound) {
		return say(planner.ErrConflict, "Harvest is not connected. Connect it in the settings first.")
	}
	if err != nil {
		return err
	}
	answer := apiSync{Message: "The sync is scheduled.", Run: apiRun{ID: id, State: ledger.RunQueued, URL: runURL(id)}}
	if joined {
		run, err := h.store.RunStatus(r.Context(), user.ID, id)
		if err != nil {
			return err
		}
		answer.Message, answer.Run.State = "A sync is under way already.", run.State
	}
	return h.writeJSON(w, r, http.StatusAccepted, answer)
}

func runURL(id int64) string { return "/api/harvest-sync/" + strconv.FormatInt(id, 10) }

// apiRunStatus is how far a run has come.
type apiRunStatus struct {
	apiRun

	Phase   ledger.Phase `json:"phase"`
	Page    int          `json:"page"`
	Pages   int          `json:"pages"`
	Entries int          `json:"entries"`
	Reason  string       `json:"reason,omitempty"`
}

// run tells how a sync run of the user stands.
func (h *apiHandler) run(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	run, err := h.store.RunStatus(r.Context(), currentUser(r).ID, id)
	if err != nil {
		return err
	}
	return h.writeJSON(w, r, http.StatusOK, apiRunStatus{
		apiRun: apiRun{ID: run.ID, State: run.State, URL: runURL(run.ID)}, Phase: run.Phase,
		Page: run.Page, Pages: run.Pages, Entries: run.Entries, Reason: run.Reason,
	})
}
