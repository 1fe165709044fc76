package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// movedOn is the answer to a choice that was made on an old page.
const movedOn = "Things changed since this page was shown, so nothing was done. This is how they stand now."

// choiceForm is what a form about a cell comes with.
func choiceForm(action string, plan ledger.WeekPlan, id planner.CellID) views.ChoiceForm {
	return views.ChoiceForm{Action: action, Version: plan.Version, Theirs: theirsOf(plan.Cell(id)), MutationID: rand.Text()}
}

// theirsOf names what Harvest has of a cell, so that a choice between the plan
// and something else than was shown is noticed.
func theirsOf(c ledger.Cell) string {
	hash := fnv.New64a()
	fmt.Fprint(hash, c.Others, c.OthersCount)
	if o := c.Ours; o != nil {
		fmt.Fprintf(hash, "%s %d %d %t %t %q", o.ID, o.RemoteID, o.RemoteHours, o.Gone, o.InFlight, o.RemoteNotes)
		if o.MovedTo != nil {
			fmt.Fprint(hash, *o.MovedTo)
		}
		if o.Write != nil {
			fmt.Fprint(hash, o.Write.ID, o.Write.State)
		}
	}
	return strconv.FormatUint(hash.Sum64(), 36)
}

// chooseCell takes an answer to how a cell differs from Harvest, on its page.
func (h *weekHandler) chooseCell(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	id, day, err := cellOf(r, week)
	if err != nil {
		return err
	}
	said, err := h.choose(r.Context(), user, week, id, f)
	if errors.Is(err, planner.ErrConflict) {
		return h.cellPage(w, r, http.StatusConflict, week, views.Fields{Errors: planner.FieldErrors{"": movedOn}}, nil)
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, said)
	if wantsFragment(r) {
		return h.redirect(w, r, views.WeekPath(week)) // the cell is open over its week
	}
	return h.redirect(w, r, views.CellPath(week, r.PathValue("row"), day))
}

// choose does what was chosen about a cell, and says what that was.
// [planner.ErrConflict]: the form was based on something else.
func (h *weekHandler) choose(ctx context.Context, user db.User, week planner.Week, id planner.CellID, f form) (said string, err error) {
	c := db.Choice{Cell: id}
	if c.Seen, err = strconv.ParseInt(f.Get("version"), 10, 64); err != nil {
		return "", errMalformed
	}
	if c.MutationID, err = mutationID(f); err != nil {
		return "", err
	}
	err = h.store.InMutation(ctx, func(tx *db.Tx) error {
		if f.Get("choice") == views.AnswerRestore {
			said = "The earlier plan is back. What it replaced is in the history."
			return h.putBack(ctx, tx, user, c, f)
		}
		said, err = h.answer(ctx, tx, user, week, c, f)
		return err
	})
	return said, err
}

func (h *weekHandler) answer(ctx context.Context, tx *db.Tx, user db.User, week planner.Week, c db.Choice, f form) (said string, err error) {
	connectionID, state, err := tx.LockConnection(ctx, user.ID)
	if err != nil {
		return "", err
	}
	if stored, err := tx.ChoiceStored(ctx, user.ID, c.MutationID); err != nil || stored {
		return "That is done already.", err // the same form again
	}
	plan, err := tx.WeekPlan(ctx, user.ID, week)
	if err != nil {
		return "", err
	}
	if theirsOf(plan.Cell(c.Cell)) != f.Get("theirs") {
		return "", planner.ErrConflict
	}
	switch f.Get("choice") {
	case views.AnswerTake:
		return "The plan is what Harvest has. What you had planned is in the history of the cell.", tx.TakeTheirs(ctx, user.ID, plan, c)
	case views.AnswerMove:
		to, err := planner.ParseDate(f.Get("to"))
		if err != nil {
			return "", errMalformed
		}
		return "The rest is planned for " + to.Format("Monday 2 January") + " now.", tx.MoveRest(ctx, user.ID, plan, to, c)
	case views.AnswerAdopt:
		entry, err := strconv.ParseInt(f.Get("entry"), 10, 64)
		if err != nil {
			return "", errMalformed
		}
		if err := tx.Adopt(ctx, user.ID, plan, entry, c); err != nil {
			return "", err
		}
		return "It becomes Furrow's as soon as Harvest has confirmed it.", h.queue.Push(ctx, tx, connectionID)
	case views.AnswerSend:
		lines, err := h.linesOf(user, plan, &c.Cell.Date, f)
		if err != nil {
			return "", err
		}
		if len(lines) != 1 || lines[0].Cell != c.Cell {
			return "", planner.ErrConflict
		}
		if err := tx.AddWrites(ctx, user.ID, connectionID, state, plan, lines, c.MutationID); err != nil {
			return "", err
		}
		return pushedSentence(1), h.queue.Push(ctx, tx, connectionID)
	default:
		return "", errMalformed
	}
}

// putBack makes an earlier plan of the cell the plan again.
func (h *weekHandler) putBack(ctx context.Context, tx *db.Tx, user db.User, c db.Choice, f form) error {
	event, err := strconv.ParseInt(f.Get("event"), 10, 64)
	if err != nil {
		return errMalformed
	}
	before, err := tx.PlanBefore(ctx, user.ID, c.Cell, event)
	if err != nil {
		return err
	}
	_, err = tx.EditCell(ctx, user.ID, db.CellEdit{
		Cell: c.Cell, Planned: before.Planned, Note: &before.Note, MutationID: c.MutationID, Seen: c.Seen,
	})
	return err
}
