package handlers

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// maxName is the longest name in characters of a client, project or task made here.
const maxName = 100

// addRow puts a row into a week: one that may be logged in Harvest, or one
// that only exists here.
func (h *weekHandler) addRow(w http.ResponseWriter, r *http.Request) error {
	user, week, f, mutation, err := weekMutation(r)
	if err != nil {
		return err
	}
	var changed db.Changed
	errs := planner.FieldErrors{}
	if f.Has("project_task") {
		row, err := parseRowKey(f.Get("project_task"), ":")
		if err == nil {
			err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
				changed, err = tx.KeepRow(r.Context(), user.ID, mutation, week, row)
				return err
			})
		}
		if errors.Is(err, planner.ErrNotFound) {
			errs["project_task"], err = "Choose a project and task from the list.", nil
		}
		if err != nil {
			return err
		}
	} else if name := newRowName(f, errs); len(errs) == 0 {
		err := h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
			_, changed, err = tx.AddLocalRow(r.Context(), user.ID, mutation, week, name)
			return err
		})
		if err != nil {
			return err
		}
	}
	switch {
	case len(errs) == 0:
		return h.changed(w, r, week, "The row is in the week.", changed)
	case wantsFragment(r):
		return errs
	default:
		page, err := h.page(r, week, f.fields(errs, "project_task", "client", "project", "task"))
		if err != nil {
			return err
		}
		return h.render(w, r, http.StatusUnprocessableEntity, page.View())
	}
}

// newRowName reads the names of a row to make, from three fields or from one.
func newRowName(f form, errs planner.FieldErrors) db.RowName {
	client, project, task, ok := planner.SplitRow(f.Get("new_row"))
	if !ok {
		client, project, task = f.text("client"), f.text("project"), f.text("task")
	}
	for name, text := range map[string]string{"client": client, "project": project, "task": task} {
		switch n := utf8.RuneCountInString(text); {
		case n == 0:
			errs[name] = "Give it a name."
		case n > maxName:
			errs[name] = "That name is too long; 100 characters are the most."
		}
	}
	return db.RowName{Client: client, Project: project, Task: task}
}

// showRow is the page of a row.
func (h *weekHandler) showRow(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	id, err := parseRowKey(r.PathValue("row"), "-")
	if err != nil {
		return err
	}
	return h.rowPage(w, r, http.StatusOK, week, id, "")
}

// rowPage shows a row, with a sentence about what was not done.
func (h *weekHandler) rowPage(w http.ResponseWriter, r *http.Request, status int, week planner.Week, id planner.RowID, refused string) error {
	user := currentUser(r)
	plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	row, err := h.rowOf(r, plan, id)
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	gone := removalOf(&plan, row)
	clients, rows := plan.Clients(), plan.RowsOf(row.ClientID)
	atClient, at := slices.Index(clients, row.ClientID), slices.Index(rows, id)
	form := views.RowForm{
		Week: week, Row: b.row(row), ClientKey: clientKey(row.ClientID), Format: plan.Profile.DurationFormat,
		Version: plan.Version, MutationID: rand.Text(), Error: refused,
		Up: at > 0, Down: at >= 0 && at < len(rows)-1,
		ClientUp: atClient > 0, ClientDown: atClient >= 0 && atClient < len(clients)-1,
		Goes: gone.sentence(plan.Profile.DurationFormat), Stays: gone.stays(row), Removable: row.Kept || len(gone.edits) > 0,
	}
	if r.Method == http.MethodPost && wantsFragment(r) {
		return h.render(w, r, status, form.View())
	}
	chrome := h.chrome(r, row.Project+" · "+row.Task, views.NavWeek)
	return h.render(w, r, status, views.RowPage{Chrome: chrome, Form: form}.View())
}

// removal is what goes when a row is removed from a week.
type removal struct {
	edits   []planner.Edit
	planned planner.Minutes
	days    int // with planned time
	notes   int
	locked  bool // something stays because Harvest has locked it
}

func removalOf(plan *ledger.WeekPlan, row *ledger.Row) removal {
	var gone removal
	for i, c := range row.Cells {
		id := planner.CellID{RowID: row.ID, Date: plan.Week.Day(i)}
		switch {
		case c.Planned == 0 && c.Note == "":
			continue
		case plan.TakesNoChanges(id):
			gone.locked = true
			continue
		}
		gone.edits = append(gone.edits, planner.Edit{Cell: id})
		gone.planned += c.Planned
		if c.Planned > 0 {
			gone.days++
		}
		if c.Note != "" {
			gone.notes++
		}
	}
	return gone
}

// count is what goes: "6:30 on 3 days and 1 note"; empty if nothing does.
func (g removal) count(format planner.DurationFormat) string {
	var parts []string
	if g.days > 0 {
		parts = append(parts, format.Format(g.planned)+" on "+counted(g.days, "day", "days"))
	}
	if g.notes > 0 {
		parts = append(parts, counted(g.notes, "note", "notes"))
	}
	return strings.Join(parts, " and ")
}

func (g removal) sentence(format planner.DurationFormat) string {
	switch {
	case len(g.edits) == 0:
		return ""
	case g.days+g.notes == 1:
		return g.count(format) + " goes."
	default:
		return g.count(format) + " go."
	}
}

// stays tells what a removal leaves.
func (g removal) stays(row *ledger.Row) string {
	var locked, there string
	if g.locked {
		locked = "What is planned on locked days stays."
	}
	if slices.ContainsFunc(row.Cells[:], func(c ledger.Cell) bool { return c.Tracked() > 0 || c.Timer != nil || c.Ours != nil && !c.Ours.Gone }) {
		there = "What is in Harvest stays there, so the row stays in this week as “not planned”."
	}
	return sentences(locked, there)
}

// removeRow takes a row out of a week: an empty one at once, one with a plan when
// that was confirmed.
func (h *weekHandler) removeRow(w http.ResponseWriter, r *http.Request) error {
	user, week, f, mutation, err := weekMutation(r)
	if err != nil {
		return err
	}
	id, err := parseRowKey(f.Get("row"), "-")
	if err != nil {
		return err
	}
	change := db.PlanChange{Kind: planner.ChangeRemove, MutationID: mutation, Rows: []db.RowChange{{Week: week, Row: id}}}
	confirmed := f.Has("confirm")
	if confirmed {
		if change.Seen, err = strconv.ParseInt(f.Get("version"), 10, 64); err != nil {
			return errMalformed
		}
	}
	var changed db.Changed
	var said string
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) error {
		if changed.ID, err = tx.Stored(r.Context(), user.ID, mutation); err != nil || changed.ID != 0 {
			said = "It is removed already."
			return err // the same form again
		}
		plan, err := tx.WeekPlan(r.Context(), user.ID, week)
		if err != nil {
			return err
		}
		row := plan.Row(id)
		if row == nil {
			return planner.ErrNotFound
		}
		gone := removalOf(&plan, row)
		if len(gone.edits) > 0 && !confirmed {
			return errAsk
		}
		change.Cells = gone.edits
		said = removedSentence(row, gone, plan.Profile.DurationFormat)
		changed, err = tx.ChangePlan(r.Context(), user.ID, change)
		return err
	})
	switch {
	case errors.Is(err, errAsk):
		return h.redirect(w, r, views.RowPath(week, f.Get("row")))
	case errors.Is(err, planner.ErrConflict):
		return h.rowPage(w, r, http.StatusConflict, week, id, "Something was planned here meanwhile, so nothing was removed. This is what would go now.")
	case err != nil:
		return err
	}
	return h.changed(w, r, week, said, changed)
}

// errAsk: it is to be confirmed first.
var errAsk = errors.New("not confirmed")

func removedSentence(row *ledger.Row, gone removal, format planner.DurationFormat) string {
	said := row.Project + " · " + row.Task + " is removed from this week"
	if count := gone.count(format); count != "" {
		said += ", with " + count
	}
	return sentences(said+".", gone.stays(row))
}
