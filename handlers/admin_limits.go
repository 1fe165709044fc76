package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// mostGates is how many scopes the page lists: those that hold calls back come
// first.
const mostGates = 200

func (h *adminHandler) limits(w http.ResponseWriter, r *http.Request) error {
	page, err := h.limitsPage(r)
	if err != nil {
		return err
	}
	return h.table(w, r, page)
}

// limitsPage shows what holds calls to Harvest back, until when, and whose doing
// that is.
func (h *adminHandler) limitsPage(r *http.Request) (views.AdminTablePage, error) {
	gates, scopes, err := h.store.Gates(r.Context(), "", mostGates)
	if err != nil {
		return views.AdminTablePage{}, err
	}
	page := views.AdminTablePage{
		Tab: views.AdminLimits, Heading: "Limits",
		Intro: "What holds calls to Harvest back: the pace that keeps below Harvest's limits, pauses that Harvest asked for, and breakers that open when it keeps failing.",
		Table: views.AdminTable{
			Columns: []views.Column{{Name: "Calls"}, {Name: "Now", Short: true}, {Name: "Until", Short: true}, {Name: "By whom"}, {Name: "Failures in a row", Numbers: true}, {Name: "Free now", Numbers: true}},
			Empty:   "Harvest has not been called yet.",
		},
	}
	if scopes > len(gates) {
		page.Table.Summary = fmt.Sprintf("The first %d of %d. The others hold nothing back.", len(gates), scopes)
	}
	moment, now := h.moments(r), h.now()
	for i := range gates {
		g := &gates[i]
		held := heldBack(g)
		if held.wait > 0 {
			page.Table.Poll = views.AdminLiveURL(views.AdminLimits, nil)
		}
		free, reason := "", ""
		if g.ConnectionID != 0 {
			free = strconv.Itoa(g.Free)
		}
		if g.Forced {
			reason = g.ForcedReason
		}
		page.Table.Rows = append(page.Table.Rows, []views.TableCell{
			{Text: gateName(g), URL: views.AdminGatePath(g.Scope)}, held.stand, {Text: heldUntil(held.wait, now, moment)}, {Text: held.by, Note: reason},
			{Text: strconv.Itoa(g.Failures)}, {Text: free},
		})
	}
	return page, nil
}

// gateName tells which calls a scope is about.
func gateName(g *db.GateStatus) string {
	if g.ConnectionID == 0 {
		return "Harvest as a whole"
	}
	return fmt.Sprintf("%s, connection %d, %s calls", orWords(g.Email, "deleted user"), g.ConnectionID, g.Class)
}

// heldBy is what holds the calls of a scope back: for how long, and whose doing
// that is.
type heldBy struct {
	stand views.TableCell
	wait  time.Duration
	by    string
}

// heldBack tells the longest of what holds a scope back.
func heldBack(g *db.GateStatus) heldBy {
	switch {
	case g.Broken > 0 && g.Broken >= g.Asked && g.Forced:
		return heldBy{views.TableCell{Text: "no call", Tone: views.FlashBad}, g.Broken, g.ForcedBy}
	case g.Asked > 0 && g.Asked >= g.Broken:
		return heldBy{views.TableCell{Text: "no call", Tone: views.FlashNote}, g.Asked, "Harvest asked for it"}
	case g.Broken > 0 && g.Breaker == db.BreakerProbing:
		return heldBy{views.TableCell{Text: "trying one call", Tone: views.FlashNote}, g.Broken, "the breaker, after failures"}
	case g.Broken > 0:
		return heldBy{views.TableCell{Text: "no call", Tone: views.FlashBad}, g.Broken, "the breaker, after failures"}
	case g.Breaker != db.BreakerClosed:
		return heldBy{views.TableCell{Text: "the next call is a try", Tone: views.FlashNote}, 0, "the breaker, after failures"}
	case g.Paced > 0:
		return heldBy{views.TableCell{Text: "no call", Tone: views.FlashNote}, g.Paced, "our own pace"}
	default:
		return heldBy{stand: views.TableCell{Text: "calls go through", Tone: views.FlashGood}}
	}
}

func (h *adminHandler) gate(w http.ResponseWriter, r *http.Request) error {
	return h.gatePage(w, r, holdForm{}, nil)
}

// gatePage is what holds the calls of one scope back, with the form for its
// breaker as it was typed.
func (h *adminHandler) gatePage(w http.ResponseWriter, r *http.Request, typed holdForm, errs planner.FieldErrors) error {
	g, err := h.gateOf(r)
	if err != nil {
		return err
	}
	held, moment, now := heldBack(&g), h.moments(r), h.now()
	page := views.AdminThingPage{
		Tab: views.AdminLimits, Back: views.AdminLink{URL: views.AdminLimitsPath, Label: "Limits"}, Heading: gateName(&g), Stand: held.stand,
		Facts: []views.AdminFact{
			{Name: "Until", Value: views.TableCell{Text: orWords(heldUntil(held.wait, now, moment), "now")}},
			{Name: "By whom", Value: views.TableCell{Text: orWords(held.by, "nobody")}},
			{Name: "Failures in a row", Value: views.TableCell{Text: strconv.Itoa(g.Failures)}},
		},
		Links: []views.AdminLink{{URL: views.AdminAuditURL("", gateSubject(g.Scope)), Label: "What was done to it"}},
	}
	if g.Forced {
		page.Said = g.ForcedBy + " has opened the breaker: “" + g.ForcedReason + "”."
	}
	if g.ConnectionID != 0 {
		page.Facts = append(page.Facts,
			views.AdminFact{Name: "Free now", Value: views.TableCell{Text: strconv.Itoa(g.Free) + " calls"}},
			views.AdminFact{Name: "Connection", Value: views.TableCell{Text: strconv.FormatInt(g.ConnectionID, 10), URL: views.AdminConnPath(g.ConnectionID)}})
	}
	if mayAct(r) {
		page.Forms = gateForms(&g, typed, errs)
	}
	return h.thing(w, r, statusOf(errs), page)
}

func (h *adminHandler) gateOf(r *http.Request) (db.GateStatus, error) {
	scope := r.PathValue("scope")
	list, _, err := h.store.Gates(r.Context(), scope, 1)
	if err == nil && (len(list) == 0 || scope == "") {
		err = fmt.Errorf("gate %q: %w", scope, planner.ErrNotFound)
	}
	if err != nil {
		return db.GateStatus{}, err
	}
	return list[0], nil
}

// heldUntil tells when a wait is over; empty if there is none.
func heldUntil(wait time.Duration, now time.Time, moment func(time.Time) views.Moment) string {
	if wait <= 0 {
		return ""
	}
	return moment(now.Add(wait)).Text + ", in " + span(wait+time.Second)
}

// gateForms are what an operator may do to a breaker.
func gateForms(g *db.GateStatus, typed holdForm, errs planner.FieldErrors) []views.AdminForm {
	forms := []views.AdminForm{}
	if g.Breaker != db.BreakerClosed {
		forms = append(forms, views.AdminForm{
			ID: "close", Action: views.ForceBreakerPath(g.Scope, false), Title: "Let calls through", Button: "Close the breaker",
			Help: "Calls are tried again at once. A pause that Harvest asked for stays.",
		})
	}
	return append(forms, views.AdminForm{
		ID: "open", Action: views.ForceBreakerPath(g.Scope, true), Title: "Hold calls back", Button: "Open the breaker",
		Help: "No call is made until the time is over. Writes wait, and nothing is lost.", Fields: typed.fields(errs, ""),
	})
}

func gateSubject(scope string) string { return "gate " + scope }

// forceBreaker opens or closes a breaker by hand.
func (h *adminHandler) forceBreaker(w http.ResponseWriter, r *http.Request) error {
	state := r.PathValue("state")
	if state != "open" && state != "closed" {
		return planner.ErrNotFound
	}
	g, err := h.gateOf(r)
	if err != nil {
		return err
	}
	typed, err := readHold(r)
	if err != nil {
		return err
	}
	opened := state == "open"
	term, errs := typed.parse()
	if opened && len(errs) > 0 {
		return h.gatePage(w, r, typed, errs)
	}
	actor, detail := currentUser(r).ID, map[string]any{"before": heldBack(&g).stand.Text, "after": state}
	if opened {
		detail["reason"], detail["for"] = typed.reason, term.String()
	} else {
		typed.reason = ""
	}
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		if err := tx.ForceBreaker(r.Context(), actor, g.Scope, opened, term, typed.reason); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "breaker."+state, gateSubject(g.Scope), detail)
	})
	if err != nil {
		return err
	}
	said := "The breaker is closed. Calls go through again, at Harvest's pace."
	if opened {
		said = "The breaker is open until " + h.moments(r)(h.now().Add(term)).Text + ". No call is made until then, or until somebody closes it."
	}
	h.sessions.flash(r.Context(), views.FlashGood, said)
	return h.redirect(w, r, views.AdminGatePath(g.Scope))
}
