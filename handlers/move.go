package handlers

import (
	"context"
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

// cellMove is a move, copy or split of a cell, as a form asks for it.
type cellMove struct {
	kind       planner.ChangeKind
	from       planner.CellID
	to         []planner.CellID // one, but for a split
	seen       int64
	mutationID string
}

// edits are what the move comes to.
func (m cellMove) edits(plan map[planner.CellID]planner.Cell) ([]planner.Edit, error) {
	switch m.kind {
	case planner.ChangeCopy:
		return planner.Copy(plan, m.from, m.to[0])
	case planner.ChangeSplit:
		return planner.Split(plan, m.from, m.to...)
	default:
		return planner.Move(plan, m.from, m.to[0])
	}
}

func readMove(f form, from planner.CellID) (m cellMove, err error) {
	m = cellMove{from: from}
	how := f.Values["how"] // the button that was pressed comes after what Enter does
	if len(how) == 0 {
		return m, errMalformed
	}
	switch how[len(how)-1] {
	case views.HowMove:
		m.kind = planner.ChangeMove
	case views.HowCopy:
		m.kind = planner.ChangeCopy
	case views.HowSplit:
		m.kind = planner.ChangeSplit
	default:
		return m, errMalformed
	}
	if m.seen, err = strconv.ParseInt(f.Get("version"), 10, 64); err != nil {
		return m, errMalformed
	}
	if m.mutationID, err = mutationID(f); err != nil {
		return m, err
	}
	row := from.RowID
	if f.Has("to_row") {
		if row, err = parseRowKey(f.Get("to_row"), "-"); err != nil {
			return m, err
		}
	}
	for _, text := range f.Values["to"] {
		date, err := planner.ParseDate(text)
		if err != nil {
			return m, planner.FieldErrors{"": "Choose a day, like 2026-11-24."}
		}
		m.to = append(m.to, planner.CellID{RowID: row, Date: date})
	}
	if len(m.to) == 0 {
		return m, planner.FieldErrors{"": "Choose at least one other day."}
	}
	return m, nil
}

// moveCell moves, copies or splits what is planned in a cell. What cannot be done
// changes nothing, and is told in the form that asked, or above the grid.
func (h *weekHandler) moveCell(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	from, _, err := cellOf(r, week)
	if err != nil {
		return err
	}
	var moved movedCell
	move, err := readMove(f, from)
	if err == nil {
		err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
			moved, err = moveIn(r.Context(), tx, user, week, move)
			return err
		})
	}
	if errs, refused := errors.AsType[planner.FieldErrors](err); refused && !fromGrid(r) {
		return h.cellPage(w, r, http.StatusUnprocessableEntity, week, views.Fields{Errors: errs}, nil)
	}
	if err != nil {
		return err
	}
	said, err := h.movedSentence(r, week, move, moved)
	if err != nil {
		return err
	}
	if moved.newRow || !wantsFragment(r) {
		return h.changed(w, r, week, said, moved.Changed)
	}
	return h.changedRows(w, r, week, said, moved.Changed)
}

// fromGrid reports whether a cell is asked about from the grid, rather than from
// its own form.
func fromGrid(r *http.Request) bool {
	return wantsFragment(r) && !strings.HasPrefix(r.Header.Get(hxTarget), "section")
}

// movedCell is what came of a move.
type movedCell struct {
	db.Changed

	planned planner.Minutes // on the cell, before
	newRow  bool            // something came to a row that the week did not show
}

// moveIn does a move in a transaction. [planner.FieldErrors] tell why it is not
// possible.
func moveIn(ctx context.Context, tx *db.Tx, user db.User, week planner.Week, m cellMove) (moved movedCell, err error) {
	if moved.ID, err = tx.Stored(ctx, user.ID, m.mutationID); err != nil || moved.ID != 0 {
		moved.newRow = true // the same form again: nobody knows what it has seen
		return moved, err
	}
	ids := slices.Insert(slices.Clone(m.to), 0, m.from)
	now, err := tx.CellsNow(ctx, user.ID, ids)
	if err != nil {
		return moved, err
	}
	if now[0].Version > m.seen {
		return moved, planner.FieldErrors{"": "This cell was changed meanwhile, so nothing was done. This is how it stands now."}
	}
	if moved.newRow, err = takesChanges(ctx, tx, user, week, ids); err != nil {
		return moved, err
	}
	plan := make(map[planner.CellID]planner.Cell, len(ids))
	for i, id := range ids {
		plan[id] = now[i].Plan()
	}
	moved.planned = now[0].Planned
	edits, err := m.edits(plan)
	if full, ok := errors.AsType[*planner.NoRoomError](err); ok {
		return moved, planner.FieldErrors{"": noRoomSentence(user.Profile.DurationFormat, full.Edit)}
	}
	if len(edits) == 0 {
		return moved, planner.FieldErrors{"": "There is nothing to do: no time is planned here, or it is there already."}
	}
	// The cells are locked and were read just now, so nothing can be overwritten.
	moved.Changed, err = tx.ChangePlan(ctx, user.ID, db.PlanChange{
		Kind: m.kind, MutationID: m.mutationID, Seen: db.SeenAll, Cells: edits, KeepIn: &week,
	})
	return moved, err
}

// takesChanges checks that Harvest has locked none of the cells. newRow: the week
// does not show the row of one of them that is in it.
func takesChanges(ctx context.Context, tx *db.Tx, user db.User, week planner.Week, ids []planner.CellID) (newRow bool, err error) {
	plans := map[planner.Week]ledger.WeekPlan{}
	for _, id := range ids {
		of := planner.WeekOf(id.Date, user.Profile.WeekStart)
		plan, read := plans[of]
		if !read {
			if plan, err = tx.WeekPlan(ctx, user.ID, of); err != nil {
				return false, err
			}
			plans[of] = plan
		}
		if plan.TakesNoChanges(id) {
			return false, planner.FieldErrors{"": id.Date.Format("Monday 2 January") + " is locked in Harvest, so nothing was done. Other days are not affected."}
		}
		if of == week && plan.Row(id.RowID) == nil {
			newRow = true
		}
	}
	return newRow, nil
}

// noRoomSentence says why a cell cannot take what was to be added.
func noRoomSentence(format planner.DurationFormat, e planner.Edit) string {
	if e.To.Planned > planner.MaxCell {
		return e.Cell.Date.Format("Monday 2 January") + " would hold " + format.Format(e.To.Planned) + ". " + tooLong + " Nothing was done."
	}
	return "The notes of both together are longer than " + strconv.Itoa(planner.MaxNote) + " characters. Shorten one of them first. Nothing was done."
}

// movedSentence says what went where.
func (h *weekHandler) movedSentence(r *http.Request, week planner.Week, m cellMove, moved movedCell) (string, error) {
	user := currentUser(r)
	if len(moved.Cells) == 0 {
		return "That is done already.", nil
	}
	from, err := h.store.RowName(r.Context(), user.ID, m.from.RowID)
	if err != nil {
		return "", err
	}
	what := from.Project + " · " + from.Task + ": "
	if moved.planned > 0 {
		what += user.Profile.DurationFormat.Format(moved.planned)
	} else {
		what += "the note"
	}
	if m.kind == planner.ChangeSplit {
		return what + " split over " + strconv.Itoa(len(moved.Cells)) + " days.", nil
	}
	verb := map[planner.ChangeKind]string{planner.ChangeMove: " moved to ", planner.ChangeCopy: " copied to "}[m.kind]
	to := m.to[0]
	where := to.Date.Format("Monday 2 January")
	if to.RowID != m.from.RowID {
		row, err := h.store.RowName(r.Context(), user.ID, to.RowID)
		if err != nil {
			return "", err
		}
		where = row.Project + " · " + row.Task + ", " + where
	}
	return what + verb + where + elsewhere(week, to.Date) + ".", nil
}

// elsewhere says so of a date that is not in the week.
func elsewhere(week planner.Week, date planner.Date) string {
	switch {
	case week.Contains(date):
		return ""
	case week.Previous().Contains(date):
		return ", in the week before"
	case week.Next().Contains(date):
		return ", in the week after"
	default:
		return ", in another week"
	}
}

// changedRows is [weekHandler.changed] for cells whose rows were shown before and
// still are: the answer to htmx is these rows.
func (h *weekHandler) changedRows(w http.ResponseWriter, r *http.Request, week planner.Week, said string, changed db.Changed) error {
	user := currentUser(r)
	plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	touched := typedCells{text: map[planner.CellID]string{}}
	for _, id := range changed.Cells {
		if week.Contains(id.Date) {
			touched.text[id] = ""
		}
	}
	answer := b.change(touched)
	answer.Toast = &views.Toast{Week: week, Text: said, Undo: changed.ID, MutationID: rand.Text()}
	return h.render(w, r, http.StatusOK, answer.View())
}

// moveForm moves what is planned in a cell; nil if there is nothing, or Harvest
// has locked it.
func moveForm(plan ledger.WeekPlan, id planner.CellID, rowKey string) *views.MoveForm {
	c := plan.Cell(id)
	if c.Planned == 0 && c.Note == "" || plan.TakesNoChanges(id) {
		return nil
	}
	form := &views.MoveForm{
		Action: views.MoveCellPath(plan.Week, rowKey, int(id.Date-plan.Week.Start)), Date: id.Date, Version: plan.Version, MutationID: rand.Text(),
	}
	for i, date := range plan.Week.Days() {
		form.Days[i] = views.MoveDay{Date: date, Locked: plan.TakesNoChanges(planner.CellID{RowID: id.RowID, Date: date})}
	}
	return form
}
