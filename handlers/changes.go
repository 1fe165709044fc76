package handlers

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// undo takes a change of the week back: the one that the form names, or the
// latest.
func (h *weekHandler) undo(w http.ResponseWriter, r *http.Request) error {
	user, week, f, mutation, err := weekMutation(r)
	if err != nil {
		return err
	}
	var id int64
	if f.Has("change") {
		if id, err = strconv.ParseInt(f.Get("change"), 10, 64); err != nil || id <= 0 {
			return errMalformed
		}
	}
	var undone db.Undone
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
		undone, err = tx.Undo(r.Context(), user.ID, week, id, mutation)
		return err
	})
	switch {
	case errors.Is(err, planner.ErrNotFound) && id == 0:
		return say(planner.ErrConflict, "There is nothing left to undo in this week.")
	case errors.Is(err, planner.ErrConflict):
		return say(planner.ErrConflict, "It was undone already, or everything of it was changed again since. The history of the week has it.")
	case err != nil:
		return err
	}
	return h.answerChange(w, r, week, undoneSentence(undone), views.Toast{Redo: true})
}

// redo takes the latest undo of the week back.
func (h *weekHandler) redo(w http.ResponseWriter, r *http.Request) error {
	user, week, _, mutation, err := weekMutation(r)
	if err != nil {
		return err
	}
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) error {
		_, err := tx.Redo(r.Context(), user.ID, week, mutation)
		return err
	})
	if errors.Is(err, planner.ErrNotFound) || errors.Is(err, planner.ErrConflict) {
		return say(planner.ErrConflict, "There is nothing to redo: the plan was changed since the last undo.")
	}
	if err != nil {
		return err
	}
	return h.answerChange(w, r, week, "Done again.", views.Toast{})
}

// changed answers a change of the plan of which rows may have come or gone: with
// htmx by the week's grid and a toast with its undo, otherwise by the week's page.
func (h *weekHandler) changed(w http.ResponseWriter, r *http.Request, week planner.Week, said string, changed db.Changed) error {
	return h.answerChange(w, r, week, said, views.Toast{Undo: changed.ID})
}

func (h *weekHandler) answerChange(w http.ResponseWriter, r *http.Request, week planner.Week, said string, toast views.Toast) error {
	if !wantsFragment(r) {
		h.sessions.flash(r.Context(), views.FlashGood, said)
		return h.redirect(w, r, views.WeekPath(week))
	}
	user := currentUser(r)
	plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	toast.Week, toast.Text, toast.MutationID = week, said, rand.Text()
	return h.render(w, r, http.StatusOK, views.WeekChange{Whole: true, Grid: h.builder(user, plan).grid(), Toast: &toast}.View())
}

// undoBar is what can be taken back in the week.
func (b *weekBuilder) undoBar() views.UndoBar {
	bar := views.UndoBar{Week: b.plan.Week, CanUndo: b.plan.Undo != 0, CanRedo: b.plan.Redo != 0, MutationID: rand.Text()}
	if bar.CanUndo {
		bar.Latest = changeName(b.plan.UndoKind)
	}
	return bar
}

// toast tells what became of typed cells; nil if nothing changed.
func (b *weekBuilder) toast(changed db.Changed) *views.Toast {
	if changed.ID == 0 {
		return nil
	}
	return &views.Toast{Week: b.plan.Week, Text: b.cellsSentence(changed.Cells), Undo: changed.ID, MutationID: rand.Text()}
}

// cellsSentence says what cells are now: "Website · Design, Tue: 2:00".
func (b *weekBuilder) cellsSentence(cells []planner.CellID) string {
	if len(cells) != 1 {
		return strconv.Itoa(len(cells)) + " cells changed."
	}
	for i := range b.plan.Rows {
		row := &b.plan.Rows[i]
		if row.ID != cells[0].RowID || !b.plan.Week.Contains(cells[0].Date) {
			continue
		}
		name, planned := row.Project+" · "+row.Task+", "+cells[0].Date.Format("Mon"), row.Cells[cells[0].Date-b.plan.Week.Start].Planned
		if planned == 0 {
			return name + ": cleared"
		}
		return name + ": " + b.amount(planned)
	}
	return "1 cell changed."
}

func undoneSentence(undone db.Undone) string {
	if undone.Kind == "" {
		return "That is undone already."
	}
	said := "Undone: " + changeName(undone.Kind) + "."
	if n := len(undone.Left); n > 0 {
		said = sentences(said, counted(n, "cell was changed again since, and stays as it is.", "cells were changed again since, and stay as they are."))
	}
	if n := len(undone.LeftDays); n > 0 {
		said = sentences(said, counted(n, "day was changed again since, and stays as it is.", "days were changed again since, and stay as they are."))
	}
	return said
}

// changeName is what a kind of change is called.
func changeName(kind planner.ChangeKind) string {
	switch kind {
	case planner.ChangeEdit:
		return "an edit"
	case planner.ChangePaste:
		return "an edit of several cells"
	case planner.ChangeTake:
		return "taking what Harvest has"
	case planner.ChangeAdopt:
		return "adopting an entry"
	case planner.ChangeSettle:
		return "moving the rest of a day"
	case planner.ChangeMove:
		return "a move"
	case planner.ChangeCopy:
		return "a copy"
	case planner.ChangeSplit:
		return "a split"
	case planner.ChangeRemove:
		return "the removal of a row"
	case planner.ChangeOrder:
		return "a new order"
	case planner.ChangeCopyWeek:
		return "copying a week"
	case planner.ChangeTemplate:
		return "applying a template"
	case planner.ChangeRecurring:
		return "recurring work"
	case planner.ChangeCarryOver:
		return "carrying over"
	case planner.ChangeSpread:
		return "spreading the rest"
	case planner.ChangeAddRow:
		return "adding a row"
	case planner.ChangeQuick:
		return "a quick add"
	case planner.ChangeTimeOff:
		return "time off"
	case planner.ChangeWorkAgain:
		return "working again"
	case planner.ChangeRestore:
		return "restoring the week"
	case planner.ChangeUndo:
		return "an undo"
	case planner.ChangeRedo:
		return "a redo"
	default:
		return "a change"
	}
}
