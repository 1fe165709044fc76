package handlers

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// moves reports whether a worker brings the write on by itself.
func moves(w *db.WriteRecord) bool {
	return !w.State.Finished() && w.State != ledger.Blocked && w.Connection == ledger.Connected
}

// teller tells writes to somebody, at a time.
type teller struct {
	profile planner.Profile
	zone    *time.Location // of the profile; finding it takes longer than telling a write
	now     time.Time
}

func newTeller(profile planner.Profile, now time.Time) teller {
	return teller{profile, profile.Location(), now}
}

func (to teller) moment(t time.Time) views.Moment {
	return views.MomentAt(t, to.now, to.zone, to.profile.Clock)
}

// exactly tells an instant to the second.
func (to teller) exactly(t time.Time) views.Moment {
	return views.ExactMomentAt(t, to.now, to.zone, to.profile.Clock)
}

// due reports whether the time of the next try has come.
func (to teller) due(w *db.WriteRecord) bool { return !w.NotBefore.After(to.now) }

// write tells a write.
func (to teller) write(w *db.WriteRecord) views.Write {
	shown := views.Write{
		ID: w.ID, Line: writeLine(*w, to.profile.DurationFormat), State: w.State, Queued: to.moment(w.CreatedAt), Finished: to.moment(w.FinishedAt),
		EntryID: w.RemoteID, EntryURL: entryURL(w.BaseURI), Reference: w.Reference, Attempts: tries(w.Attempts),
		CanRetry: w.State.Retryable() && w.Connection == ledger.Connected, CanDrop: droppable(w.State),
		Starts: w.Entry.Start.Format(to.profile.Clock), Before: to.remote(w.Before, w), After: to.remote(w.After, w), History: to.history(w),
	}
	var next views.Moment
	if moves(w) && !to.due(w) {
		next = to.moment(w.NotBefore)
	}
	if w.State == ledger.Rejected || w.State == ledger.Retry {
		shown.Message = w.Message
	}
	shown.Why = writeSentence(w.State, w.Reason, w.Status, "", next)
	if w.State == ledger.Superseded {
		shown.Why = overtakenSentence(w.Op)
	}
	if w.State == ledger.Dropped && w.OperatorNote != "" {
		shown.Why = droppedByOperator(w.OperatorNote)
	}
	if stopped := stoppedSentence(w.State, w.Pause, w.Held, to.moment); stopped != "" {
		shown.Why = stopped
	}
	if !w.State.Finished() && w.State != ledger.Sending && w.Connection != ledger.Connected {
		shown.Why = blockedSentence(w.Connection == ledger.NeedsReauth)
	}
	if w.State == ledger.Conflict && goneThere(w.Attempts) {
		shown.Why = deletedThere
	}
	return shown
}

// tries counts the attempts in which Harvest was asked, or should have been.
func tries(attempts []ledger.Attempt) (n int) {
	for _, a := range attempts {
		if a.Outcome != ledger.OutcomeByPerson && a.Outcome != ledger.OutcomeByStaff && a.Outcome != ledger.OutcomeUntried {
			n++
		}
	}
	return n
}

// remote tells an entry in Harvest that the write is about; empty for none. The
// date and the start are told where they are not those of the write.
func (to teller) remote(remote *ledger.Entry, w *db.WriteRecord) string {
	if remote == nil {
		return ""
	}
	parts := []string{to.profile.DurationFormat.Format(remote.Hours.Minutes())}
	if remote.SpentDate != w.Entry.SpentDate {
		parts = append(parts, "on "+remote.SpentDate.Format("Mon 2 Jan 2006"))
	}
	if remote.Start != w.Entry.Start && !remote.Start.IsZero() {
		parts = append(parts, "from "+remote.Start.Format(to.profile.Clock))
	}
	if remote.ProjectID != w.Entry.ProjectID || remote.TaskID != w.Entry.TaskID {
		parts = append(parts, "on another project or task")
	}
	note := "without a note"
	if remote.Notes != "" {
		note = "“" + remote.Notes + "”"
	}
	return strings.Join(append(parts, note), ", ")
}

// goneThere reports whether an attempt found the entry deleted in Harvest.
func goneThere(attempts []ledger.Attempt) bool {
	return slices.ContainsFunc(attempts, func(a ledger.Attempt) bool { return a.Outcome == ledger.OutcomeGone })
}

// history is everything that happened to a write, and what comes next.
func (to teller) history(w *db.WriteRecord) []views.Point {
	points := []views.Point{{Kind: views.PointPlain, At: to.exactly(w.CreatedAt), What: "Queued"}}
	for _, a := range w.Attempts {
		points = append(points, attemptPoint(a, w.Op, to.exactly(a.At)))
	}
	if !w.State.Finished() {
		return append(points, to.next(w))
	}
	outcome, kind := settledOutcome(w)
	return append(points, views.Point{Kind: kind, At: to.exactly(w.FinishedAt), What: "Settled", Outcome: outcome})
}

// next is what comes next of a write that is not finished.
func (to teller) next(w *db.WriteRecord) views.Point {
	point := views.Point{Kind: views.PointNext, What: "Next try"}
	if w.State == ledger.Uncertain {
		point.What = "Next look"
	}
	switch {
	case !moves(w):
		point.What, point.Outcome = "Waits for you", "It goes on by itself once you have connected with Harvest again."
	case w.State == ledger.Sending:
		point.What, point.Outcome = "Being sent", "Harvest has not answered yet."
	case !w.Pause.Until.IsZero():
		point.At, point.Outcome = to.exactly(w.Pause.Until), "When the pause is over."
	case w.Held:
		point.Outcome = "When Harvest has been compared."
	case to.due(w):
		point.Outcome = "In a moment."
	default:
		point.At = to.exactly(w.NotBefore)
	}
	return point
}

// attemptPoint tells an attempt of a write that does op.
func attemptPoint(a ledger.Attempt, op ledger.Op, at views.Moment) views.Point {
	outcome, good := attemptOutcome(a, op)
	point := views.Point{
		Kind: views.PointBad, At: at, What: attemptWhat(a.Action, op), Outcome: outcome,
		Message: a.Message, Status: a.Status, RequestID: a.RequestID,
	}
	switch {
	case a.Outcome == ledger.OutcomeByPerson, a.Outcome == ledger.OutcomeByStaff, a.Outcome == ledger.OutcomeUntried:
		point.Kind = views.PointPlain
	case good:
		point.Kind = views.PointGood
	}
	switch {
	case a.Latency >= time.Second:
		point.Latency = strconv.FormatFloat(a.Latency.Seconds(), 'f', 1, 64) + " s"
	case a.Latency > 0:
		point.Latency = strconv.FormatInt(a.Latency.Milliseconds(), 10) + " ms"
	}
	return point
}

// writeLine says what a write means to do, with durations in the reader's format.
func writeLine(w db.WriteRecord, format planner.DurationFormat) views.WriteLine {
	line := views.WriteLine{
		Op: w.Op, Client: w.Client, Project: w.Project, Task: w.Task, Hue: hue(w.ClientID), Date: w.Entry.SpentDate, Note: w.Entry.Notes,
	}
	if w.Op != ledger.OpDelete && w.Op != ledger.OpStart && w.Op != ledger.OpStop {
		line.Amount = format.Format(w.Entry.Hours.Minutes())
	}
	return line
}

// droppable reports whether a write in the state can be given up: it is not in
// Harvest and not on its way there.
func droppable(state ledger.State) bool {
	switch state {
	case ledger.Pending, ledger.Retry, ledger.Blocked, ledger.Rejected, ledger.Conflict:
		return true
	default:
		return false
	}
}

// entryURL is where entries are seen in Harvest; empty if the account's web
// address is not known. Harvest documents no address of a single day or entry, so
// it is the timesheet.
func entryURL(baseURI string) string {
	if baseURI == "" {
		return ""
	}
	return baseURI + "/time"
}
