package handlers

import (
	"crypto/rand"
	"net/http"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// startTimer makes the write that starts a timer on a cell. Harvest is told by a
// job; until it has answered the cell says that the timer is starting.
func (h *weekHandler) startTimer(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	id, day, err := cellOf(r, week)
	if err != nil {
		return err
	}
	start := db.TimerStart{Cell: id, Today: user.Profile.Today(h.now()), MutationID: f.Get("mutation_id")}
	if len(start.MutationID) < 8 || len(start.MutationID) > 64 {
		return errMalformed
	}
	ctx := r.Context()
	err = h.store.InMutation(ctx, func(tx *db.Tx) error {
		connectionID, _, err := tx.LockConnection(ctx, user.ID)
		if err != nil {
			return err
		}
		if stored, err := tx.PushStored(ctx, user.ID, start.MutationID); err != nil || stored {
			return err // the same form again: all is done already
		}
		plan, err := tx.WeekPlan(ctx, user.ID, week)
		if err != nil {
			return err
		}
		if refusal := plan.StartRefusal(id, start.Today); refusal != ledger.MayStart {
			return startRefused(refusal)
		}
		if err := tx.StartTimer(ctx, user.ID, plan, start); err != nil {
			return err
		}
		return h.queue.Push(ctx, tx, connectionID)
	})
	if err != nil {
		return err
	}
	h.sessions.flash(ctx, views.FlashGood, startSaid(user, id))
	return h.redirect(w, r, views.DayPath(week, week.Day(day)))
}

// startSaid tells what starting a timer leads to.
func startSaid(user db.User, id planner.CellID) string {
	const said = "The timer is starting. It counts from the moment in which Harvest has started it; its cell shows when."
	t := user.Timer
	switch {
	case t == nil || t.Cell == id:
		return said
	case !t.Ours():
		return said + " Harvest stops the one on " + t.Project + ", " + t.Task + " then; what that came to shows after the next sync."
	case t.Unsaid():
		return said + " The one on " + t.Project + ", " + t.Task + " had not been started in Harvest yet, so it never ran and nothing was tracked there."
	default:
		return said
	}
}

// startRefused is the error of a start that is not possible.
func startRefused(refusal ledger.StartRefusal) error {
	switch refusal {
	case ledger.StartNotToday:
		return say(planner.ErrConflict, "A timer tracks the time of today, so only today's cells can start one. What you worked on another day you can type in and push.")
	case ledger.StartNotConnected:
		return say(planner.ErrConflict, "Harvest is not connected, so it cannot start a timer. Connect it in the settings first.")
	case ledger.StartLocked:
		return say(planner.ErrConflict, "This day is locked in Harvest, so no timer can be started on it.")
	case ledger.StartNotAssigned:
		return say(planner.ErrConflict, "Harvest does not let you log time on this project and task, so no timer was started.")
	case ledger.StartStarting:
		return say(planner.ErrConflict, "A timer is starting on this cell already, so no other one was started.")
	case ledger.StartRunning:
		return say(planner.ErrConflict, "A timer runs on this cell already, so no other one was started.")
	default:
		return planner.ErrNotFound
	}
}

// stopTimer makes the write that stops the timer of a cell, or takes back a start
// that has not reached Harvest.
func (h *weekHandler) stopTimer(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	id, day, err := cellOf(r, week)
	if err != nil {
		return err
	}
	ctx := r.Context()
	var timer ledger.Timer
	var outcome db.StopOutcome
	err = h.store.InMutation(ctx, func(tx *db.Tx) error {
		connection := ledger.Connection{}
		var err error
		if connection.ID, connection.State, err = tx.LockConnection(ctx, user.ID); err != nil {
			return err
		}
		timer, outcome, err = tx.StopTimer(ctx, user.ID, connection, id, rand.Text())
		if err != nil || outcome != db.StopAsked {
			return err
		}
		return h.queue.Push(ctx, tx, connection.ID)
	})
	if err != nil {
		return err
	}
	kind, said := h.stopSaid(user, &timer, outcome)
	h.sessions.flash(ctx, kind, said)
	next := f.Get("next")
	if next == "" {
		next = views.DayPath(week, week.Day(day))
	}
	return h.redirect(w, r, localPath(next))
}

// stopSaid tells what stopping a timer came to.
func (h *weekHandler) stopSaid(user db.User, timer *ledger.Timer, outcome db.StopOutcome) (views.FlashKind, string) {
	switch outcome {
	case db.StopAsked:
		return views.FlashGood, "The timer is stopping. Its cell shows what was tracked when Harvest has confirmed it."
	case db.StopUnsaid:
		now := h.now()
		asked := views.MomentAt(timer.AskedAt, now, user.Profile.Location(), user.Profile.Clock)
		return views.FlashNote, "Harvest could not be told to start that timer yet, so it never ran and nothing was tracked. You asked for it at " + asked.Text + ", " +
			user.Profile.DurationFormat.Format(planner.Minutes(now.Sub(timer.AskedAt)/time.Minute)) + " ago. If you worked since, type it in and push it."
	case db.StopForeign:
		return views.FlashNote, foreignTimer
	default:
		return views.FlashNote, "No timer runs on that cell any more."
	}
}

const foreignTimer = "This timer was not started from here, so it can only be stopped in Harvest."

// cellTimer is the timer of a cell as the views draw it.
func (b *weekBuilder) cellTimer(r *ledger.Row, day int) views.CellTimer {
	t := r.Cells[day].Timer
	shown := views.CellTimer{}
	if b.plan.StartRefusalOf(r, b.plan.Week.Day(day), b.today) == ledger.MayStart {
		shown.Can = views.StartTimer
	}
	if t == nil {
		return shown
	}
	if t.Active() {
		shown.Word = timerWord(t, b.moment(t.StartedAt))
		shown.Why = timerWarning(t, b.plan.Profile.DurationFormat, r.Cells[day].Planned, r.Cells[day].Tracked(), b.now, b.today)
	}
	switch {
	case t.Refusal() != nil:
		shown.Why = timerRefused(t)
	case t.Active() && !t.Ours():
		shown.Why = sentences(shown.Why, foreignTimer)
	}
	if t.Active() && t.Ours() && t.State() != ledger.TimerStopping {
		shown.Can = views.StopTimer
	}
	return shown
}

// timerRefused tells why a timer was not started or stopped.
func timerRefused(t *ledger.Timer) string {
	refused := t.Refusal()
	what, advice := "The timer was not started.", "Start it again when that is settled."
	if refused.Op == ledger.OpStop {
		what, advice = "The timer was not stopped from here.", "Stop it again, or in Harvest."
	}
	switch {
	case refused.State == ledger.Conflict:
		return sentences(what, "Somebody deleted its entry in Harvest meanwhile.")
	case refused.Reason == string(ledger.ReasonLate):
		advice = refusedAdvice(refused.Reason)
	}
	return sentences(what, causeSentence(refused.Reason, refused.Status), harvestSaid(refused.Message), advice)
}

// timerWord is where a timer stands, in words.
func timerWord(t *ledger.Timer, started views.Moment) string {
	switch {
	case t.State() == ledger.TimerRunning && started.IsZero():
		return "running"
	case t.State() == ledger.TimerRunning:
		return "running since " + started.Text
	default:
		return string(t.State())
	}
}

// timerWarning tells what its owner may have forgotten about a timer: that its
// cell is past its plan, or that its day is over. tracked is what Harvest told last.
func timerWarning(t *ledger.Timer, format planner.DurationFormat, planned planner.Minutes, tracked planner.Hours, now time.Time, today planner.Date) string {
	if !t.Running {
		return ""
	}
	over, since := "", ""
	if n := tracked.Minutes() + t.Since(now) - planned; planned > 0 && n > 0 {
		over = format.Format(n) + " over the plan."
	}
	switch {
	case t.Cell.Date == today.AddDays(-1):
		since = "It has been running since yesterday."
	case t.Cell.Date < today:
		since = "It has been running since " + t.Cell.Date.Format("Monday 2 January") + "."
	}
	return sentences(over, since)
}

// timerBar is the user's timer for the frame of a page; nil for none.
func (s *site) timerBar(r *http.Request, user *db.User) *views.TimerBar {
	t := user.Timer
	if t == nil {
		return nil
	}
	now, profile := s.now(), user.Profile
	week := planner.WeekOf(t.Cell.Date, profile.WeekStart)
	row, day := rowKey(t.Cell.RowID), int(t.Cell.Date-week.Start)
	bar := &views.TimerBar{
		Client: t.Client, Project: t.Project, Task: t.Task, Hue: hue(t.ClientID), Cell: views.CellPath(week, row, day),
		State:   timerWord(&t.Timer, views.MomentAt(t.StartedAt, now, profile.Location(), profile.Clock)),
		Warning: timerWarning(&t.Timer, profile.DurationFormat, t.Planned, t.Tracked, now, profile.Today(now)),
	}
	if t.Running {
		bar.Elapsed = profile.DurationFormat.Format(t.Elapsed(now))
	}
	switch {
	case !t.Ours():
		bar.Harvest = entryURL(t.BaseURI)
	case t.State() != ledger.TimerStopping:
		bar.Stop, bar.Next = views.StopTimerPath(week, row, day), pageOf(r)
	}
	return bar
}
