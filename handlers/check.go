package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// startCheck asks for a sync of the week, and shows the comparison that follows it.
func (h *weekHandler) startCheck(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	week, err := exactWeek(r, user)
	if err != nil {
		return err
	}
	run, _, err := StartSync(r.Context(), h.store, h.queue, user.ID, db.TriggerUser, &week, user.Profile.Today(h.now()))
	if errors.Is(err, planner.ErrNotFound) {
		return say(planner.ErrConflict, "Harvest is not connected, so there is nothing to compare with. Connect it in the settings.")
	}
	if err != nil {
		return err
	}
	return h.redirect(w, r, views.CheckURL(week, strconv.FormatInt(run, 10)))
}

func (h *weekHandler) showCheck(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	result, plan, err := h.check(r, week)
	if err != nil {
		return err
	}
	page := views.CheckPage{
		Chrome: h.chrome(r, "Check with Harvest", views.NavWeek), Week: week, Result: result,
		Connected: plan.Connection != nil && plan.Connection.State == ledger.Connected,
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// checkResult is the polled component.
func (h *weekHandler) checkResult(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	result, _, err := h.check(r, week)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, result.View())
}

// check compares what was sent in a week with the mirror. The query may name the
// sync run that was asked for it: until that is over, and has read the week, the
// comparison is only as good as what was read before.
func (h *weekHandler) check(r *http.Request, week planner.Week) (views.CheckResult, ledger.WeekPlan, error) {
	user, ctx := currentUser(r), r.Context()
	var result views.CheckResult
	run, covers, err := h.runOfCheck(r, week)
	if err != nil {
		return result, ledger.WeekPlan{}, err
	}
	// The run came first, so that all that it has read is compared if it is over.
	plan, err := h.store.WeekPlan(ctx, user.ID, week)
	if err != nil {
		return result, plan, err
	}
	sent, found, err := h.store.WeekEntries(ctx, user.ID, week)
	if err != nil {
		return result, plan, err
	}
	b := h.builder(user, plan)
	check := ledger.CheckEntries(sent, found)
	result.Summary = fmt.Sprintf("%d sent, %d found, %d double.", check.Sent, check.Found, check.Doubles)
	result.Fresh = run.State == ledger.RunDone && covers
	result.Good = result.Fresh && len(check.Findings) == 0
	switch {
	case result.Fresh:
		result.Read = b.moment(run.FinishedAt)
	case plan.Connection != nil:
		result.Read = b.moment(plan.Connection.PulledAt)
	}
	switch {
	case run.State.Live():
		result.Poll, result.Sentence = views.CheckResultURL(week, strconv.FormatInt(run.ID, 10)), b.sentence()
	case run.State == ledger.RunDone && !covers:
		result.Sentence = "A sync that was under way already did not read all of this week. Check once more."
	case !result.Fresh:
		result.Sentence = b.sentence()
	}
	for _, f := range check.Findings {
		line, err := h.findingLine(r, b, f)
		if err != nil {
			return result, plan, err
		}
		result.Findings = append(result.Findings, line)
	}
	for _, s := range check.Unsent {
		line, err := h.unsentLine(r, b, s)
		if err != nil {
			return result, plan, err
		}
		result.Unsent = append(result.Unsent, line)
	}
	return result, plan, nil
}

// runOfCheck is the sync run that the query names, and whether it reads all of
// the week; the zero run if none is named.
func (h *weekHandler) runOfCheck(r *http.Request, week planner.Week) (run ledger.RunStatus, covers bool, err error) {
	text := r.URL.Query().Get("run")
	if text == "" {
		return run, false, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return run, false, fmt.Errorf("sync run %q: %w", text, planner.ErrNotFound)
	}
	if run, err = h.store.RunStatus(r.Context(), currentUser(r).ID, id); err != nil {
		return run, false, err
	}
	asked, err := h.store.Run(r.Context(), id, run.CreatedAt)
	if err != nil {
		return run, false, err
	}
	return run, asked.Window.From <= week.Start && week.End() <= asked.Window.To, nil
}

// checkLine names the cell that something is said about.
func (h *weekHandler) checkLine(r *http.Request, b *weekBuilder, id planner.CellID) (views.CheckLine, error) {
	row, err := h.rowOf(r, b.plan, id.RowID)
	if err != nil {
		return views.CheckLine{}, err
	}
	week := planner.WeekOf(id.Date, b.plan.Week.Start.Time().Weekday())
	return views.CheckLine{
		Client: row.Client, Project: row.Project, Task: row.Task, Hue: hue(row.ClientID), Day: shortDay(id.Date),
		URL: views.CellPath(week, rowKey(id.RowID), int(id.Date-week.Start)),
	}, nil
}

// findingLine tells what the self-check found.
func (h *weekHandler) findingLine(r *http.Request, b *weekBuilder, f ledger.Finding) (views.CheckLine, error) {
	if f.Sent == nil {
		line, err := h.checkLine(r, b, f.Found.Cell)
		line.Kind = f.Kind
		line.Text = "Entry " + strconv.FormatInt(f.Found.RemoteID, 10) + " with " + b.hours(f.Found.Hours) +
			" says that Furrow made it, but nothing here knows it. It may be of another Furrow, or of an earlier state of this one. It counts as tracked; delete it in Harvest if it is wrong."
		return line, err
	}
	line, err := h.checkLine(r, b, f.Sent.Cell)
	if err != nil {
		return line, err
	}
	if f.Sent.Write != nil {
		line.Write = f.Sent.Write.ID
	}
	agreed, remote := b.hours(f.Sent.AgreedHours), b.hours(f.Sent.RemoteHours)
	line.Kind = f.Kind
	switch f.Kind {
	case ledger.CheckGone:
		line.Text = agreed + " was sent, and was deleted in Harvest since."
	case ledger.CheckMoved:
		where, err := h.whereOf(r, b.plan, f.Sent.Cell.RowID, *f.Sent.MovedTo)
		if err != nil {
			return line, err
		}
		line.Text = "It was moved in Harvest and is " + where + " now, with " + remote + "."
	case ledger.CheckChanged:
		line.Text = agreed + " was sent, Harvest has " + remote + "."
		if f.Sent.AgreedHours == f.Sent.RemoteHours {
			line.Text = remote + " as it was sent, but the note was changed: " + noteWords(f.Sent.AgreedNotes) + " was sent, Harvest has " + noteWords(f.Sent.RemoteNotes) + "."
		}
	default:
		line.Text = doubleSentence(f)
		if f.Found.Removal != nil {
			line.Write = f.Found.Removal.ID
		}
	}
	return line, nil
}

func (b *weekBuilder) hours(h planner.Hours) string {
	return b.plan.Profile.DurationFormat.Format(h.Minutes())
}

func noteWords(note string) string {
	if note == "" {
		return "none"
	}
	return "“" + note + "”"
}

// doubleSentence tells of an entry that Harvest has beside the one that was
// sent, and what happens to it.
func doubleSentence(f ledger.Finding) string {
	said := "It was booked a second time, as entry " + strconv.FormatInt(f.Found.RemoteID, 10) + "."
	if f.Sent.RemoteID != 0 {
		said += " Entry " + strconv.FormatInt(f.Sent.RemoteID, 10) + " stays."
	}
	switch removal := f.Found.Removal; {
	case removal != nil && !removal.State.Finished():
		return said + " The other one is being removed."
	case removal != nil && removal.State == ledger.Done:
		return said + " The other one was removed."
	case f.Sent.RemoteID == 0:
		return said + " It is removed as soon as it is known which one stays."
	default:
		return said + " The other one is not removed by itself, because it says something else, is locked, or was changed. Delete the wrong one in Harvest."
	}
}

// unsentLine tells of an entry whose latest write is not through.
func (h *weekHandler) unsentLine(r *http.Request, b *weekBuilder, s *ledger.SentEntry) (views.CheckLine, error) {
	line, err := h.checkLine(r, b, s.Cell)
	w := s.Write
	line.Write, line.State = w.ID, w.State
	line.Text = writeSentence(w.State, w.Reason, w.Status, w.Message, b.nextTry(w.NextTry))
	if stopped := b.stopped(w.State); stopped != "" {
		line.Text = stopped
	}
	return line, err
}
