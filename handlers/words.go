package handlers

import (
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/views"
)

// Sentences that several pages say.
const (
	safeHere   = "It is safe here."
	revoked    = "Harvest no longer accepts the token."
	reconnect  = "Connect again in the settings, then it is sent by itself."
	mayHaveIt  = "Harvest may or may not have it, so it is looked up before anything is sent again."
	canBeGiven = "Change it in the week and push again, or give it up."

	changedThere = "Somebody changed or deleted the entry in Harvest meanwhile, so nothing was sent over it. Push it again to put yours there, or give it up."
	deletedThere = "Somebody deleted the entry in Harvest meanwhile, so there was nothing to change. Push it again to make it anew, or give it up."
)

// sentences joins those that say something.
func sentences(parts ...string) string {
	said := parts[:0:0]
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, " ")
}

// counted tells a number of things: "1 line is", "2 lines are".
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// withStatus puts an HTTP status behind a clause: "Harvest did not answer
// (503).".
func withStatus(clause string, status int) string {
	if status == 0 {
		return clause + "."
	}
	return clause + " (" + strconv.Itoa(status) + ")."
}

// causeSentence tells a ledger.Reason or a ledger.WaitReason: what happened
// and who did it. It is empty for a reason that needs no words.
func causeSentence(reason string, status int) string {
	switch ledger.Reason(reason) {
	case ledger.ReasonUnreachable:
		return "Harvest could not be reached."
	case ledger.ReasonTimeout:
		return "Harvest did not answer in time."
	case ledger.ReasonBroken:
		return "The connection to Harvest broke off in the middle."
	case ledger.ReasonServer:
		if status == 500 {
			return withStatus("Harvest reported a failure of its own", status)
		}
		return withStatus("Harvest did not answer", status)
	case ledger.ReasonUnreadable:
		return withStatus("What came back could not be read as an answer of Harvest's", status)
	case ledger.ReasonAuth:
		return revoked
	case ledger.ReasonForbidden:
		return withStatus("Harvest does not allow it", status)
	case ledger.ReasonNotFound:
		return withStatus("Harvest knows no such project, task or entry", status)
	case ledger.ReasonInvalid:
		return withStatus("Harvest refused it", status)
	case ledger.ReasonTimes:
		return "Harvest tracks start and end times in this account, and the entry has none, so nothing was sent."
	case ledger.ReasonMode:
		return "Harvest took the entry, but not its hours: the account tracks time in another way than it did."
	case ledger.ReasonIgnored:
		return "Harvest answered as if it was done, but the entry stayed as it was. As a rule it is locked."
	case ledger.ReasonLate:
		return "Its day was over before Harvest could be told, so no timer was started."
	case ledger.ReasonForeign:
		return "The entry belongs to another program, which has its own reference on it."
	}
	switch ledger.WaitReason(reason) {
	case ledger.WaitAsked:
		return "Harvest asked for a pause."
	case ledger.WaitLimit:
		return "Furrow keeps below the number of calls that Harvest allows."
	case ledger.WaitBreaker:
		return "Harvest keeps failing, so it is asked only now and then."
	case ledger.WaitPaused:
		return "The people who run Furrow here have paused the exchange with Harvest."
	case ledger.WaitUntrusted:
		return "What answers at Harvest's address could not prove that it is Harvest, so it was told nothing."
	default:
		return ""
	}
}

// holdsBack reports whether a reason says that calls wait, rather than that
// one failed.
func holdsBack(reason string) bool {
	switch ledger.WaitReason(reason) {
	case ledger.WaitAsked, ledger.WaitLimit, ledger.WaitBreaker, ledger.WaitPaused, ledger.WaitUntrusted:
		return true
	default:
		return false
	}
}

// nextSentence tells when something is tried. A zero moment is one that has
// come already.
func nextSentence(what string, next views.Moment) string {
	if next.IsZero() {
		return what + " in a moment."
	}
	return what + " " + next.Text + "."
}

// writeSentence tells where a write stands: the cause, what is done about it,
// what the owner can do, and when next. reason and status are those of the
// latest failure. message is what Harvest said, and is quoted as that; pass
// none where it is shown elsewhere. nextTry is zero if it is due already.
func writeSentence(state ledger.State, reason string, status int, message string, nextTry views.Moment) string {
	switch state {
	case ledger.Pending:
		if !holdsBack(reason) || nextTry.IsZero() {
			// Other reasons are of a try before, and settled: somebody asked for another.
			return nextSentence("It waits to be sent. Next try", nextTry)
		}
		return sentences(causeSentence(reason, status), safeHere, nextSentence("Next try", nextTry))
	case ledger.Retry:
		return sentences(causeSentence(reason, status), harvestSaid(message), safeHere, nextSentence("Next try", nextTry))
	case ledger.Sending:
		return "It is on its way to Harvest."
	case ledger.Uncertain:
		return sentences(causeSentence(reason, status), mayHaveIt, nextSentence("Next look", nextTry))
	case ledger.Blocked:
		return blockedSentence(reason == string(ledger.ReasonAuth))
	case ledger.Rejected:
		return sentences(causeSentence(reason, status), harvestSaid(message), refusedAdvice(reason))
	case ledger.Conflict:
		return changedThere
	case ledger.Done:
		return "Harvest has confirmed it."
	case ledger.Superseded:
		return "A later change of the same entry took its place before it was sent."
	case ledger.Dropped:
		return "It was given up. Nothing of it is sent any more."
	default:
		return ""
	}
}

// droppedByOperator is for a write that somebody who runs the program gave up.
func droppedByOperator(note string) string {
	return "Dropped by an operator: " + strings.TrimRight(note, ".") + ". Nothing of it is sent any more. What you planned is as it was, or as Harvest has it."
}

// overtakenSentence is for a write that another one took the place of.
func overtakenSentence(op ledger.Op) string {
	switch op {
	case ledger.OpStart:
		return "It was stopped, or started anew, before Harvest was told of it. It never ran, so nothing was tracked."
	case ledger.OpStop:
		return "The timer was never started, so there was nothing to stop."
	default:
		return writeSentence(ledger.Superseded, "", 0, "", views.Moment{})
	}
}

// blockedSentence is for what cannot be sent before its owner connects.
func blockedSentence(byHarvest bool) string {
	if byHarvest {
		return sentences(revoked, safeHere, reconnect)
	}
	return sentences("Furrow is not connected to Harvest.", safeHere, reconnect)
}

// refusedAdvice is what its owner can do about a write that Harvest refused.
func refusedAdvice(reason string) string {
	switch ledger.Reason(reason) {
	case ledger.ReasonForbidden:
		return "The day may be locked, or the project no longer open to you. Have that changed in Harvest and try again, or give it up."
	case ledger.ReasonNotFound:
		return "It may have been archived or deleted there. Choose another row for it and push again, or give it up."
	case ledger.ReasonMode:
		return "Sync, which reads the account's settings again, and push it again, or give it up."
	case ledger.ReasonTimes:
		return "Push it again to say when it starts, or give it up."
	case ledger.ReasonLate:
		return "Type in what you worked and push that, or give it up."
	default:
		return canBeGiven
	}
}

// harvestSaid tells Harvest's own words as such.
func harvestSaid(message string) string {
	if message == "" {
		return ""
	}
	return "Harvest said: “" + message + "”."
}

// syncSentence tells how the exchange of one user with Harvest stands, if there
// is anything to say beyond the counts: "Harvest did not answer (503). 3
// changes are safe here. Next try 14:32.". run is nil if there was none; m
// tells an instant, and gives a zero moment for one that has come already.
func syncSentence(run *ledger.RunStatus, counts ledger.WriteCounts, conn ledger.ConnectionState, m func(time.Time) views.Moment) string {
	unsent := counts.Waiting + counts.Uncertain
	switch conn {
	case ledger.Connected:
	case ledger.NeedsReauth:
		return sentences(revoked, changesSafe(unsent+counts.NeedsYou), "Connect again to go on.")
	case ledger.Disconnected:
		if unsent+counts.NeedsYou == 0 {
			return ""
		}
		return sentences(changesSafe(unsent+counts.NeedsYou), "Connect again, and they are sent.")
	default:
		return ""
	}
	waitingRun := run != nil && run.State == ledger.RunWaiting
	cause, next := "", views.Moment{}
	switch {
	case waitingRun:
		cause, next = causeSentence(run.Reason, run.Status), m(run.NextTry)
	case run != nil && run.State == ledger.RunFailed:
		cause = causeSentence(run.Reason, run.Status)
	}
	if due := m(counts.NextTry); unsent > 0 && !due.IsZero() {
		if own := causeSentence(counts.Reason, counts.Status); own != "" && (cause == "" || holdsBack(run.Reason)) {
			cause = own
		}
		if next.IsZero() || due.ISO < next.ISO {
			next = due
		}
	}
	if cause == "" {
		return ""
	}
	if !next.IsZero() || waitingRun {
		return sentences(cause, changesSafe(unsent), nextSentence("Next try", next))
	}
	return sentences(cause, changesSafe(unsent), "It is tried again within a quarter of an hour, or at once with “Sync now”.")
}

// wentBack says why nothing is sent for a connection that is held.
const wentBack = "Furrow's database was put back to an earlier state. Nothing is sent until Harvest has been compared with it."

// pausedSentence says that an operator has paused a connection, why, and until
// when; empty if nobody has.
func pausedSentence(pause ledger.Pause, moment func(time.Time) views.Moment) string {
	if pause.Until.IsZero() {
		return ""
	}
	return "The people who run Furrow here have paused the exchange with Harvest until " + moment(pause.Until).Text + ": “" + pause.Reason + "”."
}

// stoppedSentence is for a write that waits while nothing is sent for its
// connection, because of a pause or a hold; empty if there is neither, or the
// state is not one that waits to be sent.
func stoppedSentence(state ledger.State, pause ledger.Pause, held bool, moment func(time.Time) views.Moment) string {
	switch state {
	case ledger.Pending, ledger.Sending, ledger.Retry, ledger.Uncertain:
	default:
		return ""
	}
	switch {
	case !pause.Until.IsZero():
		return sentences(pausedSentence(pause, moment), safeHere, "After that it is sent by itself.")
	case held:
		return sentences(wentBack, "After that it is sent by itself, unless Harvest has it already.")
	default:
		return ""
	}
}

// changesSafe says that n changes are kept; nothing if there are none.
func changesSafe(n int) string {
	if n == 0 {
		return ""
	}
	return counted(n, "change is safe here.", "changes are safe here.")
}

// attemptWhat tells what an attempt tried.
func attemptWhat(action ledger.Action, op ledger.Op) string {
	switch action {
	case ledger.ActionLook:
		return "Look for the entry"
	case ledger.ActionRetry:
		return "Try again at once"
	case ledger.ActionDrop:
		return "Give it up"
	case ledger.ActionTake:
		return "Take what Harvest has"
	case ledger.ActionSend:
	}
	switch op {
	case ledger.OpUpdate:
		return "Change the entry"
	case ledger.OpDelete:
		return "Delete the entry"
	case ledger.OpStart:
		return "Start the timer"
	case ledger.OpStop:
		return "Stop the timer"
	case ledger.OpAdopt:
		return "Take the entry over"
	case ledger.OpRemoveDouble:
		return "Remove the double"
	default:
		return "Create the entry"
	}
}

// attemptOutcome tells what an attempt of a write showed, and whether that is
// as it should be.
func attemptOutcome(a ledger.Attempt, op ledger.Op) (outcome string, good bool) {
	switch a.Outcome {
	case ledger.OutcomeApplied:
		return "Harvest confirmed it.", true
	case ledger.OutcomeMerged:
		return "Harvest confirmed it, and kept what somebody else had changed beside it.", true
	case ledger.OutcomeFound:
		if op == ledger.OpDelete || op == ledger.OpRemoveDouble {
			return "It is gone already.", true
		}
		if op == ledger.OpCreate || op == ledger.OpStart {
			// Perhaps an earlier version of it, which is changed next.
			return "The entry is there already, so it is not made again.", true
		}
		return "Harvest has it already, so it is not sent again.", true
	case ledger.OutcomeAbsent:
		if op == ledger.OpCreate || op == ledger.OpStart {
			return "It is not there.", true
		}
		return "It is as it was before.", true
	case ledger.OutcomeChanged:
		return "Somebody else changed it meanwhile.", false
	case ledger.OutcomeGone:
		return "Somebody else deleted it meanwhile.", false
	case ledger.OutcomeWait:
		return causeSentence(a.Reason, a.Status), false
	case ledger.OutcomeRevoked:
		return revoked, false
	case ledger.OutcomeByPerson:
		return "Asked for by a person.", true
	case ledger.OutcomeByStaff:
		return "Done by an operator.", true
	case ledger.OutcomeUntried:
		return "Too early to look: Harvest may still be at it.", true
	}
	cause := causeSentence(a.Reason, a.Status)
	if a.Action != ledger.ActionSend {
		return cause, false // a look changes nothing, so nothing is in doubt
	}
	switch ledger.Class(a.Outcome) {
	case ledger.NotSent:
		return sentences(cause, "Nothing was sent."), false
	case ledger.Unknown:
		return sentences(cause, "Harvest may or may not have done it."), false
	default:
		return cause, false
	}
}

// settledOutcome tells how a write that is finished ended.
func settledOutcome(w *db.WriteRecord) (outcome string, kind views.PointKind) {
	switch {
	case w.State == ledger.Done:
		return doneOutcome(w.Op), views.PointGood
	case w.State == ledger.Rejected:
		return "Harvest does not take it as it is.", views.PointBad
	case w.State == ledger.Conflict && goneThere(w.Attempts):
		return "The entry was deleted in Harvest, so there was nothing to change.", views.PointBad
	case w.State == ledger.Conflict:
		return "The entry was changed in Harvest, so nothing was sent over it.", views.PointBad
	case w.State == ledger.Superseded:
		return "A later change of the same entry took its place.", views.PointPlain
	default:
		return "It was given up.", views.PointPlain
	}
}

// doneOutcome tells what Harvest has confirmed.
func doneOutcome(op ledger.Op) string {
	switch op {
	case ledger.OpDelete, ledger.OpRemoveDouble:
		return "It is gone from Harvest."
	case ledger.OpStart:
		return "The timer was started in Harvest."
	case ledger.OpStop:
		return "The timer was stopped in Harvest."
	case ledger.OpAdopt:
		return "The entry in Harvest is Furrow's to change now."
	default:
		return "It is in Harvest."
	}
}

// connectionWord is the state of a connection.
func connectionWord(state ledger.ConnectionState) string {
	switch state {
	case ledger.Connected:
		return "connected"
	case ledger.NeedsReauth:
		return "must connect again"
	case ledger.Disconnected:
		return "disconnected"
	default:
		return "never connected"
	}
}
