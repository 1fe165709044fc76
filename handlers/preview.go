package handlers

import (
	"net/http"

	"furrow/planner"
	"furrow/views"
)

// preview answers what the week would come to with what was typed in the grid,
// by the same fields that store it. It stores nothing, and passes over what
// cannot be read. Without any cell it answers what is stored, which takes an
// earlier preview back.
func (h *weekHandler) preview(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	typed, err := readCells(f, week)
	if err != nil {
		return err
	}
	plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	sendable := b.sendable() // only what is stored can be sent
	b.overlay(typed.planned)
	page := views.WeekPreview{Grid: b.grid()}
	for i, n := range sendable {
		page.Grid.Days[i].Sendable = n
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// overlay puts typed values over the plan.
func (b *weekBuilder) overlay(typed map[planner.CellID]planner.Minutes) {
	for i := range b.plan.Rows {
		row := &b.plan.Rows[i]
		for d := range row.Cells {
			if planned, ok := typed[planner.CellID{RowID: row.ID, Date: b.plan.Week.Day(d)}]; ok {
				row.Cells[d].Planned = planned
			}
		}
	}
}
