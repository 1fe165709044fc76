package handlers

import (
	"net/http"

	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// settle shows how a cell differs from Harvest, and what can be done about it.
func (h *weekHandler) settle(r *http.Request, b *weekBuilder, d ledger.Difference, form views.ChoiceForm) (*views.Settle, error) {
	s := &views.Settle{
		Title: b.difference(d), Kind: d.Kind, Sides: b.sides(d), Sentence: b.differenceSentence(d),
		Answers: views.Answers{ChoiceForm: form, Buttons: b.buttons(d)},
	}
	if d.Sendable() {
		s.Answers.Line = lineValue(*d.Line)
	}
	if len(d.MoveTo) > 0 {
		s.Answers.Move = "Move " + b.amount(d.Cell.Rest()) + " to"
		for _, day := range d.MoveTo {
			s.Answers.MoveTo = append(s.Answers.MoveTo, views.Option{Value: day.String(), Label: shortDay(day)})
		}
	}
	if d.Kind == ledger.DiffersMoved {
		where, err := h.whereOf(r, b.plan, d.ID.RowID, *d.Cell.Ours.MovedTo)
		if err != nil {
			return nil, err
		}
		s.Sides[1].Where = where
	}
	return s, nil
}

// whereOf is a cell as it is called from another row.
func (h *weekHandler) whereOf(r *http.Request, plan ledger.WeekPlan, from planner.RowID, to planner.CellID) (string, error) {
	where := "on " + shortDay(to.Date)
	if to.RowID == from {
		return where, nil
	}
	row, err := h.rowOf(r, plan, to.RowID)
	if err != nil {
		return "", err
	}
	return where + " · " + row.Client + " " + row.Project + " " + row.Task, nil
}

// difference is in what a cell differs, in a few words.
func (b *weekBuilder) difference(d ledger.Difference) string {
	rest := d.Cell.Rest()
	switch d.Kind {
	case ledger.DiffersChanged:
		return "Changed in Harvest"
	case ledger.DiffersMoved:
		return "Moved in Harvest"
	case ledger.DiffersGone:
		return "Deleted in Harvest"
	case ledger.DiffersRefused:
		return "Harvest refused it"
	case ledger.DiffersLess:
		return b.amount(rest) + " less than planned"
	default:
		if d.Cell.Planned == 0 {
			return b.amount(-rest) + " tracked, not planned"
		}
		return b.amount(-rest) + " more than planned"
	}
}

// sides are the values beside each other: the plan, Harvest, and what was agreed
// before if somebody changed it.
func (b *weekBuilder) sides(d ledger.Difference) []views.Side {
	c := d.Cell
	plan := views.Side{Name: "Planned here", Amount: b.amount(c.Planned), Note: c.Note}
	harvest := views.Side{Name: "In Harvest", Amount: b.amount(c.Tracked().Minutes()), Parts: b.parts(c)}
	if c.Ours != nil {
		harvest.Note = c.Ours.RemoteNotes
	}
	sides := []views.Side{plan, harvest}
	switch d.Kind {
	case ledger.DiffersMoved:
		sides[1].Amount, sides[1].Parts = b.amount(c.Ours.RemoteHours.Minutes()), ""
	case ledger.DiffersChanged, ledger.DiffersGone:
	default:
		return sides
	}
	if c.Ours.AgreedHours != 0 {
		sides = append(sides, views.Side{Name: "Sent before", Amount: b.amount(c.Ours.AgreedHours.Minutes()), Note: c.Ours.AgreedNotes})
	}
	return sides
}

// parts says whose tracked time it is, where that is not plain.
func (b *weekBuilder) parts(c *ledger.Cell) string {
	others := c.Others.Minutes()
	switch {
	case others == 0:
		return ""
	case c.Tracked() == c.Others:
		return "not pushed from here"
	default:
		return b.amount((c.Tracked() - c.Others).Minutes()) + " pushed from here, " + b.amount(others) + " not"
	}
}

// differenceSentence says more about a difference, or why nothing can be sent.
func (b *weekBuilder) differenceSentence(d ledger.Difference) string {
	said := ""
	switch ours := d.Cell.Ours; d.Kind {
	case ledger.DiffersChanged:
		if ours.RemoteHours == ours.AgreedHours && ours.RemoteNotes != ours.AgreedNotes {
			said = "Only the note was changed."
		}
	case ledger.DiffersGone:
		said = "It is not sent again unless you say so."
	case ledger.DiffersRefused:
		said = sentences(causeSentence(ours.Write.Reason, ours.Write.Status), harvestSaid(ours.Write.Message))
	}
	if d.Line != nil && d.Line.Action == ledger.LineBlocked {
		return sentences(said, lineSentence(*d.Line))
	}
	if d.Line != nil && d.Line.Sendable() && !d.Sendable() && d.Line.Timed {
		return sentences(said, "It can be sent by “Review and push”, where you say when it starts.")
	}
	return said
}

// buttons are the answers but the move.
func (b *weekBuilder) buttons(d ledger.Difference) []views.Answer {
	buttons := []views.Answer{{Value: views.AnswerTake, Label: b.takeLabel(d)}}
	if d.Sendable() && b.plan.Connection.State != ledger.Disconnected {
		buttons = append(buttons, views.Answer{Value: views.AnswerSend, Label: b.sendLabel(d)})
	}
	return buttons
}

func (b *weekBuilder) takeLabel(d ledger.Difference) string {
	planned, _ := d.Cell.Taken()
	switch {
	case d.Kind == ledger.DiffersMoved:
		return "Take Harvest's, plan it there"
	case d.Kind == ledger.DiffersChanged:
		return "Take Harvest's"
	case d.Kind == ledger.DiffersGone && planned == 0:
		return "Clear it here too"
	case planned == 0:
		return "Plan nothing, as tracked"
	default:
		return "Plan " + b.amount(planned) + ", as tracked"
	}
}

func (b *weekBuilder) sendLabel(d ledger.Difference) string {
	switch {
	case d.Line.Action == ledger.LineDelete:
		return "Delete it in Harvest"
	case d.Kind == ledger.DiffersMoved:
		return "Keep mine, move it back"
	case d.Kind == ledger.DiffersChanged:
		return "Keep mine"
	case d.Kind == ledger.DiffersGone, d.Kind == ledger.DiffersRefused:
		return "Send it again"
	case d.Kind == ledger.DiffersLess:
		return "Send the missing " + b.amount((d.Line.After - d.Line.Before).Minutes())
	default:
		return "Change Harvest to " + b.amount(d.Line.After.Minutes())
	}
}

// shortDay is a date in a list.
func shortDay(d planner.Date) string { return d.Format("Mon 2 Jan") }
