package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// showReconcile steps through the cells of a week that differ from Harvest.
func (h *weekHandler) showReconcile(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	return h.reconcilePage(w, r, http.StatusOK, week, r.URL.Query().Get("cell"), "")
}

// reconcile takes an answer and goes on to the next cell.
func (h *weekHandler) reconcile(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	at := f.Get("row") + "." + f.Get("day")
	id, err := parseCellKey(at, week)
	if err != nil {
		return err
	}
	said, err := h.choose(r.Context(), user, week, id, f)
	if errors.Is(err, planner.ErrConflict) {
		return h.reconcilePage(w, r, http.StatusConflict, week, at, movedOn)
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, said)
	return h.redirect(w, r, views.ReconcileURL(week, at)) // it is settled, so the next one is shown
}

// parseCellKey reads what [views.CellKey] wrote.
func parseCellKey(key string, week planner.Week) (planner.CellID, error) {
	at := strings.LastIndexByte(key, '.')
	if at < 0 {
		return planner.CellID{}, fmt.Errorf("cell %q: %w", key, planner.ErrNotFound)
	}
	row, err := parseRowKey(key[:at], "-")
	if err != nil {
		return planner.CellID{}, err
	}
	day, err := strconv.Atoi(key[at+1:])
	if err != nil || day < 0 || day >= planner.DaysInWeek {
		return planner.CellID{}, fmt.Errorf("cell %q: %w", key, planner.ErrNotFound)
	}
	return planner.CellID{RowID: row, Date: week.Day(day)}, nil
}

// reconcilePage shows the cell of a key, or the next one that differs.
func (h *weekHandler) reconcilePage(w http.ResponseWriter, r *http.Request, status int, week planner.Week, key, problem string) error {
	user := currentUser(r)
	plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	list := plan.Differences(b.today)
	at, err := b.place(list, key)
	if err != nil {
		return err
	}
	page := views.ReconcilePage{Week: week, Error: problem, Sentence: b.sentence(), Cells: make([]views.ReconcileCell, len(list))}
	for i, d := range list {
		page.Cells[i] = views.ReconcileCell{
			URL: reconcileURL(week, list, i), Client: d.Row.Client, Project: d.Row.Project, Task: d.Row.Task, Hue: hue(d.Row.ClientID),
			Day: shortDay(d.ID.Date), Words: b.difference(d), Current: i == at,
		}
	}
	if at < len(list) {
		page.At = at + 1
		if at > 0 {
			page.Previous = reconcileURL(week, list, at-1)
		}
		if at+1 < len(list) {
			page.Next = reconcileURL(week, list, at+1)
		}
		if page.Item, err = h.reconcileItem(r, b, list, at); err != nil {
			return err
		}
	}
	page.Chrome = h.chrome(r, "Reconcile", views.NavWeek)
	return h.render(w, r, status, page.View())
}

func (h *weekHandler) reconcileItem(r *http.Request, b *weekBuilder, list []ledger.Difference, at int) (*views.ReconcileItem, error) {
	d, week := list[at], b.plan.Week
	settle, err := h.settle(r, b, d, choiceForm(views.ReconcileURL(week, ""), b.plan, d.ID))
	if err != nil {
		return nil, err
	}
	row, day := rowKey(d.ID.RowID), int(d.ID.Date-week.Start)
	settle.Answers.Row, settle.Answers.Day = row, strconv.Itoa(day)
	settle.Answers.Leave = reconcileURL(week, list, at+1)
	return &views.ReconcileItem{
		Client: d.Row.Client, Project: d.Row.Project, Task: d.Row.Task, Hue: hue(d.Row.ClientID),
		Day: d.ID.Date.Format("Monday 2 January"), CellURL: views.CellPath(week, row, day), Settle: *settle,
	}, nil
}

// reconcileURL is the page at the i-th difference, or past the last one.
func reconcileURL(week planner.Week, list []ledger.Difference, i int) string {
	if i == len(list) {
		return views.ReconcileURL(week, views.ReconcileEnd)
	}
	id := list[i].ID
	return views.ReconcileURL(week, views.CellKey(rowKey(id.RowID), int(id.Date-week.Start)))
}

// place is where in the list the cell of a key is, or the first one after it.
func (b *weekBuilder) place(list []ledger.Difference, key string) (int, error) {
	switch key {
	case "":
		return 0, nil
	case views.ReconcileEnd:
		return len(list), nil
	}
	id, err := parseCellKey(key, b.plan.Week)
	if err != nil {
		return 0, err
	}
	order := make(map[planner.RowID]int, len(b.plan.Rows))
	for i := range b.plan.Rows {
		order[b.plan.Rows[i].ID] = i
	}
	row, shown := order[id.RowID]
	if !shown {
		row = len(b.plan.Rows) // what was settled may have taken its row away
	}
	at := slices.IndexFunc(list, func(d ledger.Difference) bool {
		return d.ID.Date > id.Date || d.ID.Date == id.Date && order[d.ID.RowID] >= row
	})
	if at < 0 {
		at = len(list)
	}
	return at, nil
}
