package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
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

// Sentences about a typed duration that was not stored.
const (
	notDuration = "Not a duration. Type 1:30, 1.5, 90m or 1h30."
	negative    = "Time cannot be negative."
	tooLong     = "A day has 24 hours."
)

// refuse tells why a typed duration was not stored, or asks what it means.
func refuse(typed string, err error) refusedCell {
	cell := refusedCell{typed: typed}
	var ambiguous *planner.AmbiguousError
	switch {
	case errors.As(err, &ambiguous):
		cell.sentence, cell.choices = views.AskHoursOrMinutes(ambiguous.Number)
	case errors.Is(err, planner.ErrNegative):
		cell.sentence = negative
	case errors.Is(err, planner.ErrTooLong):
		cell.sentence = tooLong
	default:
		cell.sentence = notDuration
	}
	return cell
}

// typedCells are the inputs of the grid that came with a form.
type typedCells struct {
	planned    map[planner.CellID]planner.Minutes
	text       map[planner.CellID]string
	refused    map[planner.CellID]refusedCell
	version    int64  // of the plan that the form was based on
	mutationID string // one per submitted form
}

// readCells reads the inputs of the grid. Names that no cell has are left to
// others; of several values of one name the last one counts.
func readCells(f form, week planner.Week) (typedCells, error) {
	t := typedCells{
		planned: map[planner.CellID]planner.Minutes{}, text: map[planner.CellID]string{}, refused: map[planner.CellID]refusedCell{},
	}
	version, err := strconv.ParseInt(f.Get("version"), 10, 64)
	if err != nil {
		return t, errMalformed
	}
	t.version = version
	if t.mutationID, err = mutationID(f); err != nil {
		return t, err
	}
	for name, values := range f.Values {
		key, day, ok := views.ParseCellField(name)
		if !ok {
			continue
		}
		row, err := parseRowKey(key, "-")
		if err != nil {
			return t, err
		}
		id := planner.CellID{RowID: row, Date: week.Day(day)}
		text := strings.TrimSpace(values[len(values)-1])
		t.text[id] = text
		minutes, err := planner.ParseDuration(text)
		if err != nil {
			t.refused[id] = refuse(text, err)
			continue
		}
		t.planned[id] = minutes
	}
	return t, nil
}

// saveCells stores what was typed into the grid: one cell with htmx, all of
// them without script. What cannot be stored stays in its input with a
// sentence beside it, and keeps nothing else from being stored.
func (h *weekHandler) saveCells(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	typed, err := readCells(f, week)
	if err != nil {
		return err
	}
	changed, err := h.storeCells(r.Context(), user, week, &typed)
	if err != nil {
		return err
	}
	if !wantsFragment(r) && len(typed.refused) == 0 {
		return h.redirect(w, r, views.WeekPath(week))
	}
	return h.answerCells(w, r, week, typed, changed)
}

// storeCells stores each typed cell that differs from what the form showed, as
// one change.
func (h *weekHandler) storeCells(ctx context.Context, user db.User, week planner.Week, typed *typedCells) (db.Changed, error) {
	change := db.PlanChange{Kind: planner.ChangeEdit, MutationID: typed.mutationID, Seen: typed.version, Partly: true, KeepIn: &week}
	if len(typed.planned) > 1 {
		change.Kind = planner.ChangePaste
	}
	for _, id := range slices.SortedFunc(maps.Keys(typed.planned), planner.CellID.Compare) {
		change.Cells = append(change.Cells, planner.Edit{Cell: id, To: planner.Cell{Planned: typed.planned[id]}, KeepNote: true})
	}
	var changed db.Changed
	conflicts := map[planner.CellID]refusedCell{}
	err := h.store.InMutation(ctx, func(tx *db.Tx) (err error) {
		clear(conflicts) // the transaction may be run again
		if changed, err = tx.ChangePlan(ctx, user.ID, change); err != nil || len(changed.Conflicts) == 0 {
			return err
		}
		return h.askAbout(ctx, tx, user, week, typed, changed.Conflicts, conflicts)
	})
	maps.Copy(typed.refused, conflicts)
	return changed, err
}

// askAbout asks about cells that were changed since the form was shown, unless
// the form only says what it was shown.
func (h *weekHandler) askAbout(ctx context.Context, tx *db.Tx, user db.User, week planner.Week, typed *typedCells, conflicts []planner.CellID, ask map[planner.CellID]refusedCell) error {
	format := user.Profile.DurationFormat
	shown, err := tx.CellsAt(ctx, user.ID, week, typed.version)
	if err != nil {
		return err
	}
	now, err := tx.CellsNow(ctx, user.ID, conflicts)
	if err != nil {
		return err
	}
	for i, id := range conflicts {
		minutes := typed.planned[id]
		if was, changed := shown[id]; changed && sameText(format, was, minutes) {
			continue // this form did not touch it; another one did
		}
		ask[id] = conflictOf(format, typed.text[id], minutes, now[i].Planned)
	}
	return nil
}

// sameText reports whether two durations read the same, which is how a form
// without script tells whether an input was touched.
func sameText(format planner.DurationFormat, a, b planner.Minutes) bool {
	return format.Format(a) == format.Format(b)
}

// conflictOf asks which of two values a cell is to have.
func conflictOf(format planner.DurationFormat, text string, mine, theirs planner.Minutes) refusedCell {
	return refusedCell{
		typed:    text,
		sentence: "Changed in another tab to " + format.Format(theirs) + ". Which one?",
		choices: []views.Choice{
			{Value: exactly(mine), Label: "mine, " + format.Format(mine)},
			{Value: exactly(theirs), Label: "keep " + format.Format(theirs)},
		},
	}
}

// exactly is a duration as text that reads as the same minutes again.
func exactly(m planner.Minutes) string { return strconv.Itoa(int(m)) + "m" }

// answerCells shows the week as it now is, with what was refused as typed.
func (h *weekHandler) answerCells(w http.ResponseWriter, r *http.Request, week planner.Week, typed typedCells, changed db.Changed) error {
	user := currentUser(r)
	status := http.StatusOK
	if len(typed.refused) > 0 {
		status = http.StatusUnprocessableEntity
	}
	if wantsFragment(r) {
		plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
		if err != nil {
			return err
		}
		b := h.builder(user, plan)
		b.typed = typed.refused
		change := b.change(typed)
		change.Toast = b.toast(changed)
		return h.render(w, r, status, change.View())
	}
	plan, assignments, err := h.store.WeekPage(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	b.typed = typed.refused
	return h.render(w, r, status, h.weekPage(r, b, assignments, views.Fields{}).View())
}

// change holds the rows that a form touched, and the totals.
func (b *weekBuilder) change(typed typedCells) views.WeekChange {
	touched, projects, days := map[string]bool{}, map[int64]bool{}, map[int]bool{}
	for id := range typed.text {
		touched[rowKey(id.RowID)], projects[id.ProjectID], days[int(id.Date-b.plan.Week.Start)] = true, true, true
	}
	g := b.grid()
	change := views.WeekChange{Days: slices.Sorted(maps.Keys(days))}
	for _, client := range g.Clients {
		rows := client.Rows
		client.Rows = nil
		for _, row := range rows {
			switch {
			case touched[row.Key]:
				client.Rows = append(client.Rows, row)
			case row.Budget != nil && projects[row.ProjectID]:
				change.Marked = append(change.Marked, row)
			}
		}
		if len(client.Rows) > 0 {
			change.Clients = append(change.Clients, client)
		}
	}
	g.Clients = nil
	change.Grid = g
	return change
}

// cellOf reads which cell an address names.
func cellOf(r *http.Request, week planner.Week) (id planner.CellID, day int, err error) {
	id, err = parseCellKey(r.PathValue("row")+"."+r.PathValue("day"), week)
	return id, int(id.Date - week.Start), err
}

func (h *weekHandler) showCell(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	return h.cellPage(w, r, http.StatusOK, week, views.Fields{}, nil)
}

// cellPage shows one cell, with what was refused as it was typed.
func (h *weekHandler) cellPage(w http.ResponseWriter, r *http.Request, status int, week planner.Week, fields views.Fields, choices []views.Choice) error {
	user := currentUser(r)
	id, day, err := cellOf(r, week)
	if err != nil {
		return err
	}
	plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	row, err := h.rowOf(r, plan, id.RowID)
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	form := views.CellForm{Week: week, Day: day, Row: b.row(row), Format: plan.Profile.DurationFormat, Version: plan.Version, Fields: fields, MutationID: rand.Text()}
	form.Row.Cells[day].Choices = choices
	form.Move = moveForm(plan, id, form.Row.Key)
	form.Choice = choiceForm(views.CellChoicePath(week, form.Row.Key, day), plan, id)
	if form.Entries, err = h.cellEntries(r, plan, id); err != nil {
		return err
	}
	if form.Writes, err = h.cellWrites(r, b, id); err != nil {
		return err
	}
	if form.History, err = h.cellHistory(r, b, id); err != nil {
		return err
	}
	for _, d := range plan.Differences(b.today) {
		if d.ID == id {
			if form.Settle, err = h.settle(r, b, d, form.Choice); err != nil {
				return err
			}
		}
	}
	if r.Method == http.MethodPost && wantsFragment(r) {
		return h.render(w, r, status, form.View())
	}
	chrome := h.chrome(r, row.Project+", "+id.Date.Format("Monday 2 January"), views.NavWeek)
	return h.render(w, r, status, views.CellPage{Chrome: chrome, Form: form}.View())
}

// rowOf is a row of the week, or an empty one: a row whose last cell was just
// cleared has a history that can be put back.
func (h *weekHandler) rowOf(r *http.Request, plan ledger.WeekPlan, id planner.RowID) (*ledger.Row, error) {
	if row := plan.Row(id); row != nil {
		return row, nil
	}
	name, err := h.store.RowName(r.Context(), currentUser(r).ID, id)
	if err != nil {
		return nil, err
	}
	return &ledger.Row{ID: id, Client: name.Client, ClientID: name.ClientID, Project: name.Project, Task: name.Task}, nil
}

func (h *weekHandler) cellEntries(r *http.Request, plan ledger.WeekPlan, id planner.CellID) ([]views.CellEntry, error) {
	entries, err := h.store.CellEntries(r.Context(), currentUser(r).ID, id)
	if err != nil {
		return nil, err
	}
	shown := make([]views.CellEntry, len(entries))
	for i, e := range entries {
		shown[i] = views.CellEntry{ID: e.ID, Hours: e.Hours, Notes: e.Notes, Ours: e.Ours, Adopt: e.Free && plan.Cell(id).Adopts()}
		if plan.Connection != nil {
			shown[i].URL = entryURL(plan.Connection.Account.BaseURI)
		}
	}
	return shown, nil
}

func (h *weekHandler) cellHistory(r *http.Request, b *weekBuilder, id planner.CellID) ([]views.PlanChange, error) {
	events, err := h.store.CellHistory(r.Context(), currentUser(r).ID, id)
	if err != nil {
		return nil, err
	}
	now := b.plan.Cell(id)
	shown := make([]views.PlanChange, len(events))
	for i, e := range events {
		shown[i] = views.PlanChange{
			Event: e.ID, At: b.moment(e.At), Why: changeWord(e.Kind), Before: b.planValue(e.Before), After: b.planValue(e.After),
			PutBack: e.Before.Planned != now.Planned || e.Before.Note != now.Note,
		}
	}
	return shown, nil
}

func (b *weekBuilder) planValue(c ledger.Cell) views.PlanValue {
	return views.PlanValue{Amount: b.amount(c.Planned), Note: c.Note}
}

// amount is a duration; empty for none.
func (b *weekBuilder) amount(m planner.Minutes) string {
	if m == 0 {
		return ""
	}
	return b.plan.Profile.DurationFormat.Format(m)
}

// changeWord says why a plan was changed.
func changeWord(kind planner.ChangeKind) string {
	switch kind {
	case planner.ChangeTake:
		return "taken from Harvest"
	case planner.ChangeAdopt:
		return "adopted from Harvest"
	case planner.ChangeSettle:
		return "moved here"
	case planner.ChangeMove:
		return "moved"
	case planner.ChangeCopy:
		return "copied"
	case planner.ChangeSplit:
		return "split"
	case planner.ChangeRemove:
		return "removed with its row"
	case planner.ChangeCopyWeek:
		return "copied from a week"
	case planner.ChangeTemplate:
		return "from a template"
	case planner.ChangeRecurring:
		return "repeated every week"
	case planner.ChangeCarryOver:
		return "carried over"
	case planner.ChangeSpread:
		return "spread over the week"
	default:
		return "edited"
	}
}

func (h *weekHandler) cellWrites(r *http.Request, b *weekBuilder, id planner.CellID) ([]views.WriteBrief, error) {
	writes, err := h.store.Writes(r.Context(), db.WriteFilter{UserID: currentUser(r).ID, Cell: &id})
	if err != nil {
		return nil, err
	}
	briefs := make([]views.WriteBrief, len(writes))
	for i, write := range writes {
		briefs[i] = views.WriteBrief{
			ID: write.ID, Line: writeLine(write, b.plan.Profile.DurationFormat), State: write.State, At: b.moment(write.CreatedAt),
		}
	}
	return briefs, nil
}

// saveCell stores the plan and the note of one cell.
func (h *weekHandler) saveCell(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	id, day, err := cellOf(r, week)
	if err != nil {
		return err
	}
	edit, errs, choices, err := readCell(f, id)
	if err != nil {
		return err
	}
	edit.KeepIn = &week
	var changed db.Changed
	if len(errs) == 0 {
		err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
			changed, err = tx.ChangePlan(r.Context(), user.ID, edit)
			return err
		})
		if errors.Is(err, planner.ErrConflict) {
			errs, err = planner.FieldErrors{"": "This cell was changed in another tab meanwhile. Below is what you typed; save again to put it over the other."}, nil
		}
	}
	if err != nil {
		return err
	}
	if len(errs) > 0 {
		return h.cellPage(w, r, http.StatusUnprocessableEntity, week, f.fields(errs, "planned", "note"), choices)
	}
	if !wantsFragment(r) {
		return h.redirect(w, r, views.DayPath(week, week.Day(day)))
	}
	return h.answerCells(w, r, week, typedCells{text: map[planner.CellID]string{id: ""}}, changed)
}

// readCell reads the form of one cell. choices are the answers to a question
// about its duration.
func readCell(f form, id planner.CellID) (edit db.PlanChange, errs planner.FieldErrors, choices []views.Choice, err error) {
	version, err := strconv.ParseInt(f.Get("version"), 10, 64)
	if err != nil {
		return edit, nil, nil, errMalformed
	}
	mutation, err := mutationID(f)
	if err != nil {
		return edit, nil, nil, err
	}
	errs = planner.FieldErrors{}
	planned := f.Values["planned"] // an answered question comes after the input
	text := ""
	if len(planned) > 0 {
		text = planned[len(planned)-1]
	}
	minutes, parseErr := planner.ParseDuration(text)
	if parseErr != nil {
		refused := refuse(text, parseErr)
		errs["planned"], choices = refused.sentence, refused.choices
	}
	// Browsers send line ends as CRLF, whatever was typed or shown.
	note := strings.TrimSpace(strings.ReplaceAll(f.Get("note"), "\r\n", "\n"))
	checkNote(errs, note)
	edit = db.PlanChange{
		Kind: planner.ChangeEdit, MutationID: mutation, Seen: version,
		Cells: []planner.Edit{{Cell: id, To: planner.Cell{Planned: minutes, Note: note}}},
	}
	return edit, errs, choices, nil
}

// checkNote refuses a note that is too long.
func checkNote(errs planner.FieldErrors, note string) {
	if n := utf8.RuneCountInString(note); n > planner.MaxNote {
		errs["note"] = "The note has " + strconv.Itoa(n) + " characters. Harvest is sent at most " + strconv.Itoa(planner.MaxNote) + "."
	}
}
