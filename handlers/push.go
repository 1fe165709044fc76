package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// reviewPush shows what a push of a week, or of one of its days, would do.
func (h *weekHandler) reviewPush(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	week, err := exactWeek(r, user)
	if err != nil {
		return err
	}
	day, err := dayOf(r.URL.Query().Get("day"), week)
	if err != nil {
		return err
	}
	return h.pushPage(w, r, http.StatusOK, week, day, "", nil)
}

// dayOf reads the day that a push is limited to; nil stands for the week.
func dayOf(text string, week planner.Week) (*planner.Date, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no day is a choice, not a failure
	}
	day, err := planner.ParseDate(text)
	if err != nil || !week.Contains(day) {
		return nil, fmt.Errorf("day of week %s: %w", week, planner.ErrNotFound)
	}
	return &day, nil
}

// pushPage shows the review. typed, if not nil, is a form that was refused for
// some of its fields, to be shown as it was.
func (h *weekHandler) pushPage(w http.ResponseWriter, r *http.Request, status int, week planner.Week, day *planner.Date, problem string, typed *pushForm) error {
	user := currentUser(r)
	plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	b := h.builder(user, plan)
	page := views.PushPage{
		Chrome: h.chrome(r, "Push to Harvest", views.NavWeek), Week: week, Day: day, Format: plan.Profile.DurationFormat,
		MutationID: rand.Text(), Error: problem, Days: b.pushDays(day, typed),
		Connected: plan.Connection != nil && plan.Connection.State != ledger.Disconnected,
	}
	if page.Connected {
		page.Sentence = b.sentence()
	}
	return h.render(w, r, status, page.View())
}

// pushForm is a posted review, and what is wrong with its fields.
type pushForm struct {
	form
	errs planner.FieldErrors
}

// pushDays are the lines of the review by date.
func (b *weekBuilder) pushDays(day *planner.Date, typed *pushForm) []views.PushDay {
	var days []views.PushDay
	rows := make(map[planner.RowID]*ledger.Row, len(b.plan.Rows))
	for i := range b.plan.Rows {
		rows[b.plan.Rows[i].ID] = &b.plan.Rows[i]
	}
	lines := b.plan.PushLines(day, b.today)
	overlapping := b.plan.Overlapping(lines)
	for _, line := range lines {
		date := line.Cell.Date
		last := len(days) - 1
		if last < 0 || days[last].Date != date {
			days = append(days, views.PushDay{
				Date: date, Future: date > b.today, Locked: lockSentence(b.plan.DayLocks[date-b.plan.Week.Start]),
			})
			last++
		}
		row := rows[line.Cell.RowID]
		shown := views.PushLine{
			Value: lineValue(line), Action: views.PushAction(line.Action), Ticked: line.Ticked,
			Client: row.Client, Project: row.Project, Task: row.Task, Hue: hue(row.ClientID),
			Before: line.Before, After: line.After, Note: line.Note,
			Money: worth(row, line.After-line.Before), Reason: sentences(lineSentence(line), startSentence(line, overlapping[line.Cell])),
		}
		if typed != nil {
			shown.Ticked = slices.Contains(typed.Values["line"], shown.Value)
		}
		if line.Timed {
			shown.Start = b.pushStart(line, typed)
		}
		days[last].Lines = append(days[last].Lines, shown)
	}
	return days
}

// pushStart is the field in which the start of a line is chosen.
func (b *weekBuilder) pushStart(line ledger.Line, typed *pushForm) *views.PushStart {
	clock := b.plan.Profile.Clock
	start := &views.PushStart{Name: startField(line), Value: line.Start.Format(clock)}
	if !line.Start.IsZero() {
		start.Times = line.Start.Format(clock) + "–" + line.End().Format(clock)
	}
	if typed != nil {
		start.Error = typed.errs[start.Name]
		if typed.Has(start.Name) {
			start.Value = typed.Get(start.Name)
		}
	}
	return start
}

// startField names the field in which the start of a timed line is chosen:
// "start", its row and its date.
func startField(l ledger.Line) string {
	return "start/" + rowKey(l.Cell.RowID) + "/" + l.Cell.Date.String()
}

// lineValue names a line and what it showed, so that a form that comes back
// after things have changed is noticed.
func lineValue(l ledger.Line) string {
	hours := strconv.Itoa(int(l.Hours))
	if l.Timed {
		hours += "@" + l.Start.String()
	}
	return fmt.Sprintf("%s/%s/%s/%d/%s/%s", rowKey(l.Cell.RowID), l.Cell.Date, l.Action, l.Before, hours, strconv.Quote(l.Note))
}

// worth is what a change of tracked time is worth; empty if it is not billed or
// the rate is not known.
func worth(row *ledger.Row, hours planner.Hours) string {
	if !row.Billable || !row.Rate.Known || hours == 0 {
		return ""
	}
	return row.Rate.Of(hours).Signed()
}

// push turns the ticked lines into writes and rings for them, all in one
// transaction, and answers without having asked Harvest anything.
func (h *weekHandler) push(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	day, err := dayOf(f.Get("day"), week)
	if err != nil {
		return err
	}
	mutation := f.Get("mutation_id")
	if len(mutation) < 8 || len(mutation) > 64 {
		return errMalformed
	}
	if len(f.Values["line"]) == 0 {
		return h.pushPage(w, r, http.StatusUnprocessableEntity, week, day, "Nothing was ticked, so nothing was sent.", &pushForm{form: f})
	}
	sent, overlapping, err := h.addWrites(r, user, week, day, f, mutation)
	var errs planner.FieldErrors
	switch {
	case errors.As(err, &errs):
		return h.pushPage(w, r, http.StatusUnprocessableEntity, week, day, "Nothing was sent yet: a start is not right.", &pushForm{f, errs})
	case errors.Is(err, planner.ErrConflict):
		return h.pushPage(w, r, http.StatusConflict, week, day, "Things changed since this page was shown, so nothing was sent. This is how they stand now.", nil)
	case err != nil:
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, sentences(pushedSentence(sent), overlapSentence(sent, overlapping)))
	return h.redirect(w, r, views.WeekPath(week))
}

// addWrites compares the ticked lines with the plan as it stands and makes
// their writes. It returns their number, and how many of them overlap another
// entry; [planner.ErrConflict] if a line is no longer as it was shown, and
// [planner.FieldErrors] if one cannot start when it is to.
func (h *weekHandler) addWrites(r *http.Request, user db.User, week planner.Week, day *planner.Date, f form, mutation string) (count, overlapping int, err error) {
	ctx, ticked := r.Context(), f.Values["line"]
	err = h.store.InMutation(ctx, func(tx *db.Tx) error {
		count, overlapping = len(ticked), 0
		connectionID, state, err := tx.LockConnection(ctx, user.ID)
		if err != nil {
			return err
		}
		if stored, err := tx.PushStored(ctx, user.ID, mutation); err != nil || stored {
			return err // the same form again: all is done already
		}
		plan, err := tx.WeekPlan(ctx, user.ID, week)
		if err != nil {
			return err
		}
		lines, err := h.linesOf(user, plan, day, f)
		if err != nil {
			return err
		}
		overlapping = len(plan.Overlapping(lines))
		if err := tx.AddWrites(ctx, user.ID, connectionID, state, plan, lines, mutation); err != nil {
			return err
		}
		return h.queue.Push(ctx, tx, connectionID)
	})
	return count, overlapping, err
}

// linesOf are the ticked lines of a form, as plan has them now; errors as with
// addWrites.
func (h *weekHandler) linesOf(user db.User, plan ledger.WeekPlan, day *planner.Date, f form) ([]ledger.Line, error) {
	sendable := map[string]ledger.Line{}
	for _, line := range plan.PushLines(day, h.builder(user, plan).today) {
		if line.Sendable() {
			sendable[lineValue(line)] = line
		}
	}
	ticked := f.Values["line"]
	lines, errs := make([]ledger.Line, 0, len(ticked)), planner.FieldErrors{}
	for _, value := range ticked {
		line, ok := sendable[value]
		if !ok {
			return nil, planner.ErrConflict
		}
		delete(sendable, value) // the same value twice is not two lines
		if problem := chooseStart(&line, f.text(startField(line)), plan.Profile.Clock); problem != "" {
			errs[startField(line)] = problem
		}
		lines = append(lines, line)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return lines, nil
}

// chooseStart lets a line start when somebody wants it to; without a word it
// starts as proposed. It says why that cannot be.
func chooseStart(line *ledger.Line, text, clock string) (problem string) {
	switch {
	case !line.Timed:
		return ""
	case text == "" && line.Start.IsZero():
		return "Say when it starts."
	case text == "":
		return ""
	}
	start, err := planner.ParseTimeOfDay(text)
	switch {
	case err != nil && clock == "12h":
		return "That is not a time of day. Write it like 9:00am or 2:30pm."
	case err != nil:
		return "That is not a time of day. Write it like 9:00 or 14:30."
	case !line.StartAt(start):
		return "It would not end before midnight then. Let it start earlier."
	}
	return ""
}

func pushedSentence(n int) string {
	return counted(n, "line is scheduled. Its cell shows when Harvest has it.", "lines are scheduled. Each cell shows when Harvest has it.")
}

// lineSentence says why a line is not simply ticked.
func lineSentence(l ledger.Line) string {
	switch l.Reason {
	case ledger.LineAlreadySent:
		return "Harvest has it as planned."
	case ledger.LineAlreadyTracked:
		return "Already tracked in Harvest."
	case ledger.LineOnItsWay:
		return "It is on its way."
	case ledger.LineFollows:
		return "An earlier change of it is on its way. This one goes after it."
	case ledger.LineLocked:
		return lockSentence(l.Detail)
	case ledger.LineNotAssigned:
		return "Harvest does not let you log time on this project and task."
	case ledger.LineTooLong:
		return "This Harvest account tracks start and end times, and an entry of a whole day does not end before midnight."
	case ledger.LineRefused:
		return "Harvest refused it before" + quoted(l.Detail) + " Send it again when that is settled."
	case ledger.LineChanged:
		return "It was changed in Harvest meanwhile. Tick it to put yours over it."
	case ledger.LineGone:
		return "It was deleted in Harvest. Tick it to make it anew."
	case ledger.LineRunning:
		return "A timer runs there, so what is missing is not known before it stops."
	case ledger.LineTakenBack:
		return "Harvest does not have it, so it is only taken back here."
	case ledger.LineFuture: // the day says so, once for all its lines
	}
	return ""
}

// startSentence says what is odd about when a line starts.
func startSentence(l ledger.Line, overlaps bool) string {
	switch {
	case l.Timed && l.Start.IsZero():
		return "Between the day's last entry and midnight there is no room for it. Say when it starts, and tick it."
	case overlaps:
		return "It overlaps another entry of the day."
	default:
		return ""
	}
}

// overlapSentence says how many of the scheduled lines overlap another entry.
func overlapSentence(lines, overlapping int) string {
	switch {
	case overlapping == 0:
		return ""
	case lines == 1:
		return "It overlaps another entry of its day."
	case overlapping == 1:
		return "1 of them overlaps another entry of its day."
	default:
		return strconv.Itoa(overlapping) + " of them overlap another entry of their day."
	}
}

// quoted is Harvest's own words at the end of a sentence.
func quoted(message string) string {
	if message == "" {
		return "."
	}
	return "; its words: “" + message + "”."
}

// lockSentence tells why an entry cannot be changed, or why a day takes none.
func lockSentence(reason string) string {
	switch reason {
	case "":
		return ""
	case "locked":
		return "Locked in Harvest: it takes no changes here."
	case "approved":
		return "This week is approved in Harvest, so it takes no changes here."
	default:
		return "Locked in Harvest; its words: “" + reason + "”."
	}
}
