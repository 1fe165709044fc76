package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// write is one write of anybody's.
func (h *adminHandler) write(w http.ResponseWriter, r *http.Request) error {
	live, err := h.liveWrite(r)
	if err != nil {
		return err
	}
	page := views.AdminWritePage{Chrome: h.chrome(r, "Write "+strconv.FormatInt(live.Write.ID, 10), views.NavAdmin), Live: live}
	return h.render(w, r, http.StatusOK, page.View())
}

// writeLive is the polled part of that page.
func (h *adminHandler) writeLive(w http.ResponseWriter, r *http.Request) error {
	live, err := h.liveWrite(r)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, live.View())
}

func (h *adminHandler) liveWrite(r *http.Request) (views.AdminWriteLive, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return views.AdminWriteLive{}, err
	}
	record, err := h.store.Write(r.Context(), 0, id)
	if err != nil {
		return views.AdminWriteLive{}, err
	}
	live := newTeller(currentUser(r).Profile, h.now()).adminWriteLive(&record)
	if mayAct(r) {
		live.Actions = actionForms(&record)
	}
	return live, nil
}

// adminWriteLive tells all that is known of a write but the note.
func (to teller) adminWriteLive(w *db.WriteRecord) views.AdminWriteLive {
	own := to.write(w)
	live := views.AdminWriteLive{
		Write: to.adminWrite(w), Told: own.Why, Advice: operatorAdvice(w), Message: own.Message, OperatorNote: w.OperatorNote,
		Hours: to.profile.DurationFormat.Format(w.Entry.Hours.Minutes()), Before: to.hours(w.Before, w), After: to.hours(w.After, w),
		EntryID: w.RemoteID, EntryURL: own.EntryURL, Reference: w.Reference, ConnectionID: w.ConnectionID, Connection: connectionWord(w.Connection),
		Request: w.Request, History: own.History,
	}
	for i, a := range w.Attempts {
		live.History[i+1].JobID = a.JobID // the first point is when it was queued
	}
	if moves(w) {
		live.Poll = views.AdminWriteLivePath(w.ID)
	}
	return live
}

// hours tell an entry in Harvest as [teller.remote] does, without what is
// written on it.
func (to teller) hours(remote *ledger.Entry, w *db.WriteRecord) string {
	if remote == nil {
		return ""
	}
	told := to.profile.DurationFormat.Format(remote.Hours.Minutes())
	if remote.SpentDate != w.Entry.SpentDate {
		told += " on " + remote.SpentDate.Format("Mon 2 Jan 2006")
	}
	if remote.ProjectID != w.Entry.ProjectID || remote.TaskID != w.Entry.TaskID {
		told += ", on another project or task"
	}
	if remote.Notes != w.Entry.Notes {
		told += ", with another note"
	}
	return told
}

// operatorAdvice is what somebody who runs the program can do about a write.
func operatorAdvice(w *db.WriteRecord) string {
	switch writeNeeds(w) {
	case views.ActorNobody:
		return "Nothing needs to be done: it goes on by itself."
	case views.ActorOperator:
		return "Check what answers at Harvest's address from this machine: a proxy, a certificate, or a wrong address. After that it goes on by itself."
	case views.ActorOwner:
	default:
		return ""
	}
	switch {
	case !w.State.Finished():
		return "Its owner must connect with Harvest again. After that it goes on by itself."
	case w.State == ledger.Conflict:
		return "Its owner decides between the plan and Harvest. If that is known, take what Harvest has, or drop it."
	default:
		return "Its owner can change it and push again. If the cause is gone, try it again."
	}
}

// actionText is what an action is called, and says.
type actionText struct {
	label, button, sentence, past string
}

func actionWords(a db.WriteAction) actionText {
	switch a {
	case db.ActRetry:
		return actionText{"Try again", "Try again now", "Writes that failed, or wait, are sent at once. Nothing is sent twice: what may have reached Harvest is looked up first.", "tried again"}
	case db.ActLook:
		return actionText{"Look up", "Look up now", "Harvest is asked at once what became of writes in doubt. One of which it may still be at work is looked up a little later.", "to be looked up"}
	case db.ActResolve:
		return actionText{"Take Harvest's", "Take what Harvest has", "The plan of each cell becomes what Harvest has, as if its owner had chosen that; they can undo it. Nothing is sent.", "resolved"}
	case db.ActCancel:
		return actionText{"Cancel", "Cancel before it is sent", "Writes that wait, and provably did not reach Harvest, are given up. The plan stays as it is.", "cancelled"}
	default:
		return actionText{"Drop", "Drop it", "Writes that Harvest refused, or whose entries were changed there, are given up. The plan stays as it is.", "dropped"}
	}
}

// actionOf reads an action of an address.
func actionOf(value string) (db.WriteAction, error) {
	a := db.WriteAction(value)
	if !slices.Contains(db.WriteActions(), a) {
		return "", fmt.Errorf("action %q: %w", value, planner.ErrNotFound)
	}
	return a, nil
}

// actionForms are the actions that the state of a write allows.
func actionForms(w *db.WriteRecord) (forms []views.WriteAction) {
	for _, a := range db.WriteActions() {
		if slices.Contains(a.States(), w.State) {
			words := actionWords(a)
			forms = append(forms, views.WriteAction{Action: string(a), Label: words.button, Help: words.sentence, Note: a.Notes()})
		}
	}
	return forms
}

// mostNoted is how many characters a reason may have.
const mostNoted = 500

// noteOf reads why an operator does something that its owners should understand.
func noteOf(f form, a db.WriteAction) (string, error) {
	note := f.text("note")
	switch {
	case !a.Notes():
		return "", nil
	case note == "":
		return "", planner.FieldErrors{"note": "Say why, in words that the owners of the writes read."}
	case utf8.RuneCountInString(note) > mostNoted:
		return "", planner.FieldErrors{"note": "A reason has at most 500 characters."}
	default:
		return note, nil
	}
}

// actOnWrite does something to one write.
func (h *adminHandler) actOnWrite(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	action, err := actionOf(r.PathValue("action"))
	if err != nil {
		return err
	}
	f, err := readForm(r)
	if err != nil {
		return err
	}
	note, err := noteOf(f, action)
	if err != nil {
		return err
	}
	record, err := h.store.Write(r.Context(), 0, id)
	if err != nil {
		return err
	}
	var acted db.Acted
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		acted, err = tx.ActOnWrites(r.Context(), action, []int64{id}, note)
		if err != nil || len(acted.Changed) == 0 {
			return err
		}
		detail := map[string]any{"before": record.State, "owner": record.UserID, "connections": acted.Connections}
		if after, err := tx.WriteState(r.Context(), id); err != nil {
			return err
		} else if detail["after"] = after; note != "" {
			detail["note"] = note
		}
		if err := tx.Audit(r.Context(), currentUser(r).ID, "writes."+string(action), "write "+strconv.FormatInt(id, 10), detail); err != nil {
			return err
		}
		if !action.Rings() {
			return nil
		}
		return ring(r.Context(), tx, h.queue, acted.Connections)
	})
	if err == nil && len(acted.Changed) == 0 {
		err = h.refused(r, action, id, acted)
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, fmt.Sprintf("Write %d is %s.", id, actionWords(action).past))
	return h.redirect(w, r, backTo(r, views.AdminWritesPath))
}

// refused tells why nothing was done to a write.
func (h *adminHandler) refused(r *http.Request, a db.WriteAction, id int64, acted db.Acted) error {
	if a == db.ActRetry {
		return notRetried(r.Context(), h.store, 0, id)
	}
	record, err := h.store.Write(r.Context(), 0, id)
	if err != nil {
		return err
	}
	err = fmt.Errorf("%s write %d: %w", a, id, planner.ErrConflict)
	for why := range acted.Spared {
		if why != db.SparedMoved {
			return say(err, sentences("Nothing was done:", sparedWords(why)+"."))
		}
	}
	return say(err, "Nothing was done: it is "+stateWords(record.State)+" by now, which leaves nothing to "+string(a)+".")
}

// sparedWords tell why an action leaves a write alone.
func sparedWords(why string) string {
	switch why {
	case db.SparedOwner:
		return "its owner must connect with Harvest again first"
	case db.SparedOvertaken:
		return "a later write of the same entry decides"
	case db.SparedTimer:
		return "it is of a timer, or of an entry that is gone"
	case db.SparedDoubt:
		return "another write of the entry is on its way or in doubt; look it up first"
	case db.SparedNothing:
		return "Harvest is not known to have the entry; drop it, or let its owner sync first"
	case db.SparedEdited:
		return "its owner has planned otherwise since"
	default:
		return "it went on meanwhile"
	}
}
