package handlers

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// showQuick shows what a line of quick add would do.
func (h *weekHandler) showQuick(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	line, err := h.readQuick(r, week, queryText(r, "line", planner.MaxQuick), r.URL.Query().Get("row"))
	if err != nil {
		return err
	}
	return h.quickPage(w, r, http.StatusOK, line.form)
}

func (h *weekHandler) quickPage(w http.ResponseWriter, r *http.Request, status int, form views.QuickForm) error {
	if r.Method == http.MethodPost && wantsFragment(r) {
		w.Header().Set(hxRetarget, "#quick-chips")
		w.Header().Set(hxReswap, "outerMorph")
		return h.render(w, r, status, form.View())
	}
	return h.render(w, r, status, views.QuickPage{Chrome: h.bareChrome(r, "Quick add"), Form: form}.View())
}

// quickLine is a line that was read: what it means, and how that is shown.
type quickLine struct {
	planner.Quick

	row  rowChoice // the chosen one, if there are any
	form views.QuickForm
}

// readQuick takes a line apart, and tells what it does to the plan. key is the
// row that the reader chose among those that the line may mean.
func (h *weekHandler) readQuick(r *http.Request, week planner.Week, line, key string) (quickLine, error) {
	user := currentUser(r)
	plan, choices, err := h.rowChoices(r, week)
	if err != nil {
		return quickLine{}, err
	}
	q := quickLine{Quick: planner.ParseQuick(line, choices.named, week, user.Profile.Today(h.now()))}
	q.form = views.QuickForm{
		Week: week, Format: user.Profile.DurationFormat, Line: line, MutationID: rand.Text(),
		Duration: q.Duration, AnyDay: q.AnyDay, Every: q.Every, Note: q.Note,
	}
	q.form.DurationWhy, q.form.Choices = askDuration(&q.Quick)
	if q.Spare {
		q.form.Spare = q.Part(planner.QuickDuration)
	}
	chosen := max(0, slices.IndexFunc(q.Rows, func(m planner.Match) bool { return optionKey(choices.rows[m.At].id) == key }))
	for i, m := range q.Rows {
		q.form.Rows = append(q.form.Rows, views.QuickRowOption{Row: choices.option(m), Chosen: i == chosen})
	}
	if len(q.Rows) > 0 {
		q.row = choices.rows[q.Rows[chosen].At]
	}
	if err := h.leaveLocked(r, user, plan, &q); err != nil {
		return quickLine{}, err
	}
	if len(q.Rows) == 0 {
		for _, day := range q.Days {
			q.form.Days = append(q.form.Days, views.QuickDay{Date: day})
		}
	} else if err := h.readQuickDays(r, user.ID, &q); err != nil {
		return quickLine{}, err
	}
	slices.SortFunc(q.form.Days, func(a, b views.QuickDay) int { return int(a.Date - b.Date) })
	return q, nil
}

// leaveLocked leaves the days out on which Harvest takes no changes, and tells
// why. plan is one of the weeks in which the days may be.
func (h *weekHandler) leaveLocked(r *http.Request, user db.User, plan ledger.WeekPlan, q *quickLine) error {
	plans := map[planner.Week]ledger.WeekPlan{plan.Week: plan}
	var open []planner.Date
	for _, day := range q.Days {
		of := planner.WeekOf(day, user.Profile.WeekStart)
		if _, read := plans[of]; !read {
			var err error
			if plans[of], err = h.store.WeekPlan(r.Context(), user.ID, of); err != nil {
				return err
			}
		}
		if lock := plans[of].Lock(planner.CellID{RowID: q.row.id, Date: day}); lock != "" {
			q.form.Days = append(q.form.Days, views.QuickDay{Date: day, Locked: lockSentence(lock)})
		} else {
			open = append(open, day)
		}
	}
	q.Days = open
	return nil
}

// ids are the cells of a line.
func (q *quickLine) ids() []planner.CellID {
	ids := make([]planner.CellID, len(q.Days))
	for i, day := range q.Days {
		ids[i] = planner.CellID{RowID: q.row.id, Date: day}
	}
	return ids
}

// over is what the line makes of its cells, which are as read.
func (q *quickLine) over(cells []ledger.Cell) []planner.QuickCell {
	have := make(map[planner.CellID]planner.Cell, len(cells))
	for i, id := range q.ids() {
		have[id] = cells[i].Plan()
	}
	return q.Cells(q.row.id, func(id planner.CellID) planner.Cell { return have[id] })
}

// readQuickDays tells what becomes of the cells of a line.
func (h *weekHandler) readQuickDays(r *http.Request, userID int64, q *quickLine) error {
	cells, err := h.store.Cells(r.Context(), userID, q.ids())
	if err != nil {
		return err
	}
	for _, c := range cells {
		q.form.Version = max(q.form.Version, c.Version)
	}
	for _, c := range q.over(cells) {
		q.form.Days = append(q.form.Days, views.QuickDay{
			Date: c.Cell.Date, Before: c.Before.Planned, After: c.To.Planned, Problem: quickProblem(c.Err),
		})
	}
	return nil
}

func quickProblem(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, planner.ErrTooLong):
		return "would be more than 24 hours"
	default:
		return "its note would be too long"
	}
}

// askDuration asks how long, if the line does not say.
func askDuration(q *planner.Quick) (why string, choices []views.QuickChoice) {
	var ambiguous *planner.AmbiguousError
	switch {
	case q.DurationErr == nil:
		return "", nil
	case errors.Is(q.DurationErr, planner.ErrNoDuration):
		return "How long? Add 2h, 1:30 or 90m.", nil
	case errors.Is(q.DurationErr, planner.ErrSeveralDurations):
		return "Which number is the time? Write it as 2h or 30m.", nil
	case errors.As(q.DurationErr, &ambiguous):
		question, answers := views.AskHoursOrMinutes(ambiguous.Number)
		for _, a := range answers {
			choices = append(choices, views.QuickChoice{Label: a.Label, Line: q.WithDuration(a.Value)})
		}
		return question, choices
	case errors.Is(q.DurationErr, planner.ErrNegative):
		return negative, nil
	default:
		return tooLong, nil
	}
}

// quickAdd adds what a line says to the plan, if that is what was shown.
func (h *weekHandler) quickAdd(w http.ResponseWriter, r *http.Request) error {
	user, week, f, mutation, err := weekMutation(r)
	if err != nil {
		return err
	}
	text := f.Get("line")
	if runes := []rune(text); len(runes) > planner.MaxQuick {
		text = string(runes[:planner.MaxQuick])
	}
	line, err := h.readQuick(r, week, text, f.Get("row"))
	if err != nil {
		return err
	}
	if ready := line.form.DurationWhy == "" && len(line.Rows) > 0 && len(line.Days) > 0; !ready || f.Get("shown") != line.form.Shown() {
		return h.quickPage(w, r, http.StatusUnprocessableEntity, line.form)
	}
	seen, err := strconv.ParseInt(f.Get("version"), 10, 64)
	if err != nil {
		return errMalformed
	}
	var changed db.Changed
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) error {
		changed, err = h.storeQuick(r, tx, user.ID, &line, mutation, seen)
		return err
	})
	switch {
	case errors.Is(err, planner.ErrConflict):
		line.form.Problem = "The plan of these days was changed meanwhile. Below is what it would be now."
		return h.quickPage(w, r, http.StatusConflict, line.form)
	case errors.Is(err, planner.ErrTooLong), errors.Is(err, planner.ErrNoteTooLong):
		return h.quickPage(w, r, http.StatusUnprocessableEntity, line.form)
	case err != nil:
		return err
	}
	return h.changed(w, r, week, quickSentence(&line), changed)
}

// storeQuick adds to the cells as they are now. A line that was stored before is
// not added once more.
func (h *weekHandler) storeQuick(r *http.Request, tx *db.Tx, userID int64, line *quickLine, mutation string, seen int64) (db.Changed, error) {
	now, err := tx.CellsNow(r.Context(), userID, line.ids())
	if err != nil {
		return db.Changed{}, err
	}
	if id, err := tx.Stored(r.Context(), userID, mutation); err != nil || id != 0 {
		return db.Changed{ID: id}, err
	}
	change := db.PlanChange{Kind: planner.ChangeQuick, MutationID: mutation, Seen: seen}
	for _, c := range line.over(now) {
		if c.Err != nil {
			return db.Changed{}, c.Err
		}
		change.Cells = append(change.Cells, c.Edit)
	}
	return tx.ChangePlan(r.Context(), userID, change)
}

// quickSentence says what was added: "Website · Design: 2:00 added on Tue 24 Nov
// and Thu 26 Nov."
func quickSentence(line *quickLine) string {
	days := make([]string, len(line.Days))
	for i, day := range line.Days {
		days[i] = shortDay(day)
	}
	name := line.row.name
	return name.Project + " · " + name.Task + ": " + line.form.Format.Format(line.Duration) + " added on " + strings.Join(days, ", ") + "."
}
