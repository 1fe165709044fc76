package handlers

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// maxName is the longest name in characters of a client, project or task made here.
const maxName = 100

// addRow puts a row into a week: one that may be logged in Harvest, or one
// that only exists here.
func (h *weekHandler) addRow(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	errs := planner.FieldErrors{}
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		clear(errs)
		if f.Has("project_task") {
			row, err := parseRowKey(f.Get("project_task"), ":")
			if err == nil {
				err = tx.KeepRow(r.Context(), user.ID, week, row)
			}
			if errors.Is(err, planner.ErrNotFound) {
				errs["project_task"] = "Choose a project and task from the list."
				return nil
			}
			return err
		}
		for _, name := range []string{"client", "project", "task"} {
			switch n := utf8.RuneCountInString(f.text(name)); {
			case n == 0:
				errs[name] = "Give it a name."
			case n > maxName:
				errs[name] = "That name is too long; 100 characters are the most."
			}
		}
		if len(errs) > 0 {
			return nil
		}
		_, err := tx.AddLocalRow(r.Context(), user.ID, week, f.text("client"), f.text("project"), f.text("task"))
		return err
	})
	if err != nil {
		return err
	}
	if len(errs) > 0 {
		page, err := h.page(r, week, f.fields(errs, "project_task", "client", "project", "task"))
		if err != nil {
			return err
		}
		return h.render(w, r, http.StatusUnprocessableEntity, page.View())
	}
	return h.redirect(w, r, views.WeekPath(week))
}

// removeRow takes an empty row out of a week.
func (h *weekHandler) removeRow(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	row, err := parseRowKey(f.Get("row"), "-")
	if err != nil {
		return err
	}
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error { return tx.RemoveRow(r.Context(), user.ID, week, row) })
	if err != nil {
		return err
	}
	return h.redirect(w, r, views.WeekPath(week))
}
