package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// changesPerPage is how many changes a page of the history has.
const changesPerPage = 30

// history lists what was done to the plan of a week.
func (h *weekHandler) history(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	week, err := exactWeek(r, user)
	if err != nil {
		return err
	}
	before, err := filterID("before", r.URL.Query().Get("before"))
	if err != nil {
		return err
	}
	changes, err := h.store.Changes(r.Context(), user.ID, week, before, changesPerPage+1)
	if err != nil {
		return err
	}
	page := views.HistoryPage{Chrome: h.chrome(r, "History", views.NavWeek), Week: week, Newer: before > 0}
	if len(changes) > changesPerPage {
		changes = changes[:changesPerPage]
		page.Older = views.HistoryURL(week, changes[changesPerPage-1].ID)
	}
	t := changeTeller{user.Profile, h.now()}
	for i := range changes {
		page.Changes = append(page.Changes, t.change(&changes[i]))
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// undoFromHistory takes one change back, and shows the history again.
func (h *weekHandler) undoFromHistory(w http.ResponseWriter, r *http.Request) error {
	user, week, f, mutation, err := weekMutation(r)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(f.Get("change"), 10, 64)
	if err != nil || id <= 0 {
		return errMalformed
	}
	var undone db.Undone
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
		undone, err = tx.Undo(r.Context(), user.ID, week, id, mutation)
		return err
	})
	switch {
	case errors.Is(err, planner.ErrConflict):
		h.sessions.flash(r.Context(), views.FlashNote, "It was undone already, or all of it was changed again since.")
	case err != nil:
		return err
	default:
		h.sessions.flash(r.Context(), views.FlashGood, undoneSentence(undone))
	}
	return h.redirect(w, r, views.HistoryURL(week, 0))
}

// restoration is what makes a week what it was.
type restoration struct {
	at    time.Time // zero: before all changes
	cells []planner.Edit
	rows  []db.RowChange
	days  []db.ChangedDay
	plan  ledger.WeekPlan // as it is now
	seen  int64           // the latest change of the week
	names map[planner.RowID]db.RowName
}

// restorationTo returns what is different from how a week was after a change;
// before all changes if that is 0. Nobody else changes the plan before the end
// of the transaction.
func restorationTo(ctx context.Context, tx *db.Tx, userID int64, week planner.Week, change int64) (to restoration, err error) {
	if change > 0 {
		if to.at, err = tx.ChangeAt(ctx, userID, week, change); err != nil {
			return to, err
		}
	}
	if _, err = tx.CellsNow(ctx, userID, nil); err != nil { // locks the plan
		return to, err
	}
	if to.seen, err = tx.LatestChange(ctx, userID, week); err != nil {
		return to, err
	}
	back, err := tx.BackTo(ctx, userID, week, change)
	if err != nil {
		return to, err
	}
	if to.plan, err = tx.WeekPlan(ctx, userID, week); err != nil {
		return to, err
	}
	var ids []planner.RowID
	for _, edit := range back.Cells {
		if now := to.plan.Cell(edit.Cell); now.Plan() != edit.To {
			to.cells, ids = append(to.cells, edit), append(ids, edit.Cell.RowID)
		}
	}
	kept := map[planner.RowID]bool{}
	for i := range to.plan.Rows {
		kept[to.plan.Rows[i].ID] = to.plan.Rows[i].Kept
	}
	for _, row := range back.Rows {
		if kept[row.Row] != row.Kept {
			to.rows, ids = append(to.rows, row), append(ids, row.Row)
		}
	}
	for _, edit := range back.Days {
		name, off := to.plan.DayOff(edit.Date)
		if now := (planner.Workday{Off: off, Name: name}); now != edit.To {
			to.days = append(to.days, db.ChangedDay{Date: edit.Date, Before: now, After: edit.To})
		}
	}
	to.names, err = tx.RowNames(ctx, userID, ids)
	return to, err
}

// pathChange reads the change of the address; 0 stands for before all changes.
func pathChange(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("change"), 10, 64)
	if err != nil || id < 0 {
		return 0, fmt.Errorf("change in the path: %w", planner.ErrNotFound)
	}
	return id, nil
}

// showRestore shows what would become of a week.
func (h *weekHandler) showRestore(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	return h.restorePage(w, r, http.StatusOK, week, "")
}

func (h *weekHandler) restorePage(w http.ResponseWriter, r *http.Request, status int, week planner.Week, problem string) error {
	user := currentUser(r)
	id, err := pathChange(r)
	if err != nil {
		return err
	}
	var to restoration
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		to, err = restorationTo(r.Context(), tx, user.ID, week, id)
		return err
	})
	if err != nil {
		return err
	}
	t := changeTeller{user.Profile, h.now()}
	page := views.RestorePage{
		Chrome: h.chrome(r, "Restore the week", views.NavWeek), Week: week, Change: id, At: t.moment(to.at),
		Seen: to.seen, Days: t.days(to.days), MutationID: rand.Text(), Problem: problem,
	}
	for _, edit := range to.cells {
		now := to.plan.Cell(edit.Cell)
		page.Cells = append(page.Cells, t.cell(edit.Cell, to.names[edit.Cell.RowID], now.Plan(), edit.To))
	}
	for _, row := range to.rows {
		page.Rows = append(page.Rows, t.row(to.names[row.Row], row.Kept))
	}
	return h.render(w, r, status, page.View())
}

// restore makes a week what it was after a change, if that is what was shown.
func (h *weekHandler) restore(w http.ResponseWriter, r *http.Request) error {
	user, week, f, mutation, err := weekMutation(r)
	if err != nil {
		return err
	}
	id, err := pathChange(r)
	if err != nil {
		return err
	}
	seen, err := strconv.ParseInt(f.Get("seen"), 10, 64)
	if err != nil {
		return errMalformed
	}
	var changed db.Changed
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) error {
		var err error
		if changed.ID, err = tx.Stored(r.Context(), user.ID, mutation); err != nil || changed.ID != 0 {
			return err
		}
		to, err := restorationTo(r.Context(), tx, user.ID, week, id)
		if err == nil && to.seen > seen {
			err = planner.ErrConflict
		}
		if err != nil {
			return err
		}
		change := db.PlanChange{Kind: planner.ChangeRestore, MutationID: mutation, Seen: db.SeenAll, Cells: to.cells, Rows: to.rows}
		for _, day := range to.days {
			change.Days = append(change.Days, planner.DayEdit{Date: day.Date, To: day.After})
		}
		changed, err = tx.ChangePlan(r.Context(), user.ID, change)
		return err
	})
	if errors.Is(err, planner.ErrConflict) {
		return h.restorePage(w, r, http.StatusConflict, week, "The plan was changed meanwhile. Below is what would change now.")
	}
	if err != nil {
		return err
	}
	return h.changed(w, r, week, "The week is restored.", changed)
}

// changeTeller tells changes of a week in the words of its reader.
type changeTeller struct {
	profile planner.Profile
	now     time.Time
}

func (t *changeTeller) moment(at time.Time) views.Moment {
	return views.MomentAt(at, t.now, t.profile.Location(), t.profile.Clock)
}

func (t *changeTeller) change(c *db.DoneChange) views.HistoryChange {
	told := views.HistoryChange{ID: c.ID, At: t.moment(c.At), Name: t.name(c), Undone: t.moment(c.UndoneAt), Days: t.days(c.Days), MutationID: rand.Text()}
	gone := 0
	for i := range c.Cells {
		cell := &c.Cells[i]
		told.Cells = append(told.Cells, t.cell(cell.Cell, cell.Name, cell.Before, cell.After))
		if !cell.Stands {
			gone++
		}
	}
	for _, row := range c.Rows {
		told.Rows = append(told.Rows, t.row(row.Name, row.Kept))
	}
	for _, day := range c.Days {
		if !day.Stands {
			gone++
		}
	}
	if c.Order != nil {
		told.Order = t.order(c.Order)
	}
	made := len(c.Cells) + len(c.Days)
	all := gone > 0 && gone == made && len(c.Rows) == 0
	told.CanUndo = c.UndoneAt.IsZero() && !all
	switch {
	case all && gone == 1:
		told.Since = "Changed again since."
	case all:
		told.Since = "All of it was changed again since."
	case gone > 0:
		told.Since = strconv.Itoa(gone) + " of " + cellsAndDays(len(c.Cells), len(c.Days)) + " were changed again since, and would stay as they are."
	}
	return told
}

// cellsAndDays counts both: "3 cells", "3 cells and 1 day".
func cellsAndDays(cells, days int) string {
	switch {
	case days == 0:
		return counted(cells, "cell", "cells")
	case cells == 0:
		return counted(days, "day", "days")
	default:
		return counted(cells, "cell", "cells") + " and " + counted(days, "day", "days")
	}
}

// order tells what became of an order. Without one, things stand by name.
func (t *changeTeller) order(c *db.ChangedOrder) *views.HistoryOrder {
	words := func(names []db.RowName) string {
		if len(names) == 0 {
			return "by name"
		}
		list := make([]string, len(names))
		for i, name := range names {
			if list[i] = name.Client; c.Of.ClientID != 0 {
				list[i] = name.Project + " · " + name.Task
			}
		}
		return strings.Join(list, ", ")
	}
	order := views.HistoryOrder{Of: "the clients", Before: words(c.Before), After: words(c.After)}
	if c.Of.ClientID != 0 {
		order.Of, order.Hue = c.Of.Client, hue(c.Of.ClientID)
	}
	return &order
}

// days tells what became of dates: those that follow each other, and were and
// became the same, together.
func (t *changeTeller) days(changed []db.ChangedDay) (told []views.HistoryDays) {
	for len(changed) > 0 {
		first, n := changed[0], 1
		for n < len(changed) && changed[n].Date == first.Date.AddDays(n) && changed[n].Before == first.Before && changed[n].After == first.After {
			n++
		}
		span := shortDay(first.Date)
		if n > 1 {
			span += " – " + shortDay(changed[n-1].Date)
		}
		told = append(told, views.HistoryDays{Days: span, Before: workdayWords(first.Before), After: workdayWords(first.After)})
		changed = changed[n:]
	}
	return told
}

// workdayWords says what a date is for: "day off: Christmas".
func workdayWords(d planner.Workday) string {
	switch {
	case !d.Off:
		return "working day"
	case d.Name == "":
		return "day off"
	default:
		return "day off: " + d.Name
	}
}

func (t *changeTeller) cell(id planner.CellID, name db.RowName, before, after planner.Cell) views.HistoryCell {
	return views.HistoryCell{
		Hue: hue(name.ClientID), Client: name.Client, Project: name.Project, Task: name.Task, Day: shortDay(id.Date),
		Before: t.value(before), After: t.value(after),
	}
}

func (t *changeTeller) value(c planner.Cell) views.PlanValue {
	v := views.PlanValue{Note: c.Note}
	if c.Planned > 0 {
		v.Amount = t.profile.DurationFormat.Format(c.Planned)
	}
	return v
}

func (t *changeTeller) row(name db.RowName, kept bool) views.HistoryRow {
	return views.HistoryRow{Hue: hue(name.ClientID), Client: name.Client, Project: name.Project, Task: name.Task, Kept: kept}
}

// name says what a change did: "Website · Design, Tue 24 Nov: 1:30 → 2:00", "A
// line of quick add: 2 cells, 0:00 → 4:00".
func (t *changeTeller) name(c *db.DoneChange) string {
	kind := changeName(c.Kind)
	switch c.Kind {
	case planner.ChangeUndo:
		kind = "undone: " + changeName(c.UndoesKind)
	case planner.ChangeRedo:
		kind = "done again: " + changeName(c.UndoesKind)
	}
	days := t.days(c.Days)
	switch {
	case len(c.Cells)+len(c.Rows) == 0 && len(days) == 1:
		return capital(kind) + ": " + days[0].Days + ": " + days[0].Before + " → " + days[0].After
	case len(c.Days) > 0:
	case len(c.Cells) == 1 && len(c.Rows) == 0:
		if c.Kind == planner.ChangeEdit {
			return t.cellName(&c.Cells[0])
		}
		return capital(kind) + ": " + t.cellName(&c.Cells[0])
	case len(c.Cells) == 0 && len(c.Rows) == 1:
		return capital(kind) + ": " + c.Rows[0].Name.Project + " · " + c.Rows[0].Name.Task
	}
	var before, after planner.Minutes
	for i := range c.Cells {
		before += c.Cells[i].Before.Planned
		after += c.Cells[i].After.Planned
	}
	var parts []string
	if n := len(c.Rows); n > 0 {
		parts = append(parts, counted(n, "row", "rows"))
	}
	if n := len(c.Cells); n > 0 {
		format := t.profile.DurationFormat
		parts = append(parts, counted(n, "cell", "cells"), format.Format(before)+" → "+format.Format(after))
	}
	if n := len(c.Days); n > 0 {
		parts = append(parts, counted(n, "day", "days"))
	}
	switch {
	case c.Order != nil && c.Order.Of.ClientID != 0:
		parts = append(parts, c.Order.Of.Client)
	case c.Order != nil:
		parts = append(parts, "the clients")
	}
	if len(parts) == 0 {
		return capital(kind)
	}
	return capital(kind) + ": " + strings.Join(parts, ", ")
}

// cellName says what became of one cell.
func (t *changeTeller) cellName(c *db.ChangedCell) string {
	said := c.Name.Project + " · " + c.Name.Task + ", " + shortDay(c.Cell.Date)
	if c.Before.Planned == c.After.Planned {
		return said + ": its note"
	}
	format := t.profile.DurationFormat
	return said + ": " + format.Format(c.Before.Planned) + " → " + format.Format(c.After.Planned)
}

// capital is a text that begins with a capital letter.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
