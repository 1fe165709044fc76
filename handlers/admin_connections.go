package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// overdue is how long a write may wait, if nothing holds it back, before that
// is worth somebody's attention.
const overdue = 15 * time.Minute

// Values of the filter "state" that are no states of a connection.
const (
	onlyPaused = "paused"
	onlyHeld   = "held"
)

func (h *adminHandler) connections(w http.ResponseWriter, r *http.Request) error {
	page, err := h.connectionsPage(r)
	if err != nil {
		return err
	}
	return h.table(w, r, page)
}

// connectionFilterOf reads the filters of the address.
func connectionFilterOf(query url.Values) (f db.ConnectionFilter, err error) {
	switch state := query.Get("state"); state {
	case "":
	case onlyPaused:
		f.Paused = true
	case onlyHeld:
		f.Held = true
	default:
		f.State = ledger.ConnectionState(state)
		if connectionWord(f.State) == connectionWord("") {
			return f, fmt.Errorf("connections in state %q: %w", state, planner.ErrNotFound)
		}
	}
	if f.After, err = filterID("after", query.Get("after")); err != nil {
		return f, err
	}
	f.Most = pageOfWrites + 1
	f.Search, err = filterText(query, "q")
	return f, err
}

func (h *adminHandler) connectionsPage(r *http.Request) (views.AdminTablePage, error) {
	query, none := r.URL.Query(), views.AdminTablePage{}
	f, err := connectionFilterOf(query)
	if err != nil {
		return none, err
	}
	list, err := h.store.Connections(r.Context(), f)
	if err != nil {
		return none, err
	}
	n, err := h.store.CountConnections(r.Context())
	if err != nil {
		return none, err
	}
	page := views.AdminTablePage{
		Tab: views.AdminConnections, Heading: "Connections", Intro: "Who is connected with which Harvest account, and what waits to be sent.",
		Filter: &views.AdminFilter{Path: views.AdminConnsPath, Filtered: query.Get("state")+f.Search != "", Fields: []views.AdminField{
			{Name: "q", Label: "Search", Type: "search", Value: f.Search, Most: mostSearched, Hint: "Email, company or account"},
			{Name: "state", Label: "State", Options: choices(query.Get("state"), "All",
				string(ledger.Connected), "Connected", string(ledger.NeedsReauth), "Must connect again", string(ledger.Disconnected), "Disconnected",
				onlyPaused, "Paused", onlyHeld, "Held since a restore")},
		}},
	}
	page.Table = views.AdminTable{
		Summary: fmt.Sprintf("%d connected, %d must connect again, %d disconnected, %d paused, %d held.", n.Connected, n.NeedsReauth, n.Disconnected, n.Paused, n.Held),
		Columns: []views.Column{
			{Name: "Id", Numbers: true}, {Name: "User"}, {Name: "Account"}, {Name: "State"}, {Name: "Unsent", Numbers: true}, {Name: "Oldest unsent", Short: true},
			{Name: "Who must act"}, {Name: "What was wrong last"}, {Name: "Last sync", Short: true},
		},
		Empty: "Nobody has connected with Harvest yet.",
	}
	if page.Filter.Filtered {
		page.Table.Empty = "No connection matches."
	}
	if len(list) > pageOfWrites {
		list = list[:pageOfWrites]
		next := url.Values{"after": {strconv.FormatInt(list[pageOfWrites-1].ID, 10)}}
		for _, name := range []string{"q", "state"} {
			if value := query.Get(name); value != "" {
				next.Set(name, value)
			}
		}
		page.Table.Older = views.AdminConnsPath + "?" + next.Encode()
	}
	moment, now := h.moments(r), h.now()
	for i := range list {
		c := &list[i]
		page.Table.Rows = append(page.Table.Rows, []views.TableCell{
			{Text: strconv.FormatInt(c.ID, 10), URL: views.AdminConnPath(c.ID)}, {Text: c.Email, URL: views.AdminUserPath(c.UserID)},
			{Text: accountWords(c.CompanyName, c.HarvestAccountID)}, standOf(c, moment), {Text: strconv.Itoa(c.Unfinished)},
			{Text: ageOf(c.OldestUnsent, now)}, {Text: mustAct(c, now)}, {Text: causeSentence(c.Reason, c.Status)}, {Text: orWords(moment(c.PulledAt).Text, "none yet")},
		})
		if !c.SendingUntil.IsZero() {
			page.Table.Poll = views.AdminLiveURL(views.AdminConnections, query)
		}
	}
	return page, nil
}

// standOf tells how a connection stands.
func standOf(c *db.ConnectionSummary, moment func(time.Time) views.Moment) views.TableCell {
	cell := views.TableCell{Text: connectionWord(c.State), Tone: views.FlashGood}
	switch {
	case c.State == ledger.NeedsReauth:
		cell.Tone = views.FlashBad
	case c.State != ledger.Connected:
		cell.Tone = ""
	case c.Held:
		cell = views.TableCell{Text: "not before a sync", Tone: views.FlashNote}
	case !c.SendingUntil.IsZero():
		cell.Text = "sending"
	}
	if !c.Pause.Until.IsZero() {
		cell.Text, cell.Tone, cell.Note = "paused", views.FlashNote, "until "+moment(c.Pause.Until).Text+", "+c.Pause.Reason
	}
	return cell
}

// mustAct tells who has to do something for a connection to go on.
func mustAct(c *db.ConnectionSummary, now time.Time) string {
	switch {
	case c.State == ledger.NeedsReauth:
		return "its user"
	case !c.Pause.Until.IsZero():
		return "nobody, it ends by itself"
	case c.State == ledger.Connected && !c.Held && !c.OldestUnsent.IsZero() && now.Sub(c.OldestUnsent) > overdue && !holdsBack(c.Reason):
		return "an operator"
	default:
		return "nobody"
	}
}

// ageOf is how long ago something was; empty for never.
func ageOf(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(now.Sub(t)) + " ago"
}

// accountWords names a Harvest account. Members may not see the company's name.
func accountWords(company string, id int64) string {
	number := strconv.FormatInt(id, 10)
	if company == "" {
		return "account " + number
	}
	return company + " (" + number + ")"
}

func (h *adminHandler) connection(w http.ResponseWriter, r *http.Request) error {
	return h.connectionPage(w, r, holdForm{}, nil)
}

// connectionPage is one connection, with the form for pausing it as it was typed.
func (h *adminHandler) connectionPage(w http.ResponseWriter, r *http.Request, typed holdForm, errs planner.FieldErrors) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	c, err := h.store.ConnectionSummary(r.Context(), id)
	if err != nil {
		return err
	}
	moment, now := h.moments(r), h.now()
	page := views.AdminThingPage{
		Tab: views.AdminConnections, Back: views.AdminLink{URL: views.AdminConnsPath, Label: "Connections"},
		Heading: "Connection " + strconv.FormatInt(id, 10) + " of " + c.Email, Stand: standOf(&c, moment),
		Facts: []views.AdminFact{
			{Name: "User", Value: views.TableCell{Text: c.Email, URL: views.AdminUserPath(c.UserID)}},
			{Name: "Account", Value: views.TableCell{Text: accountWords(c.CompanyName, c.HarvestAccountID)}},
			{Name: "Connected since", Value: views.TableCell{Text: moment(c.ConnectedAt).Text}},
			{Name: "Last sync", Value: views.TableCell{Text: orWords(moment(c.PulledAt).Text, "none yet")}},
			{Name: "Unsent writes", Value: views.TableCell{Text: strconv.Itoa(c.Unfinished)}},
			{Name: "Oldest unsent", Value: views.TableCell{Text: orWords(ageOf(c.OldestUnsent, now), "none")}},
			{Name: "What was wrong last", Value: views.TableCell{Text: orWords(causeSentence(c.Reason, c.Status), "nothing")}},
			{Name: "Who must act", Value: views.TableCell{Text: mustAct(&c, now)}},
			// There is no way to take the lease away. One that has lapsed is free for the
			// next worker, without anybody's help; one that has not is somebody who may
			// be in the middle of a call.
			{Name: "Being sent by a worker", Value: views.TableCell{Text: orWords(untilWords(moment(c.SendingUntil)), "no")}},
		},
		Links: []views.AdminLink{
			{URL: views.AdminWritesPath + "?connection=" + strconv.FormatInt(id, 10), Label: "Its writes"},
			{URL: views.AdminAuditURL("", connectionSubject(id)), Label: "What was done to it"},
		},
	}
	if c.Pause.Until.IsZero() {
		page.Said = wentBackIf(c.Held)
	} else {
		page.Stand.Note = "" // the sentence says it all
		page.Said = sentences(c.PausedBy+" has paused it until "+moment(c.Pause.Until).Text+": “"+c.Pause.Reason+"”.", "Nothing is exchanged with Harvest until then. What its user pushes waits, and is sent by itself after that.")
	}
	if mayAct(r) {
		page.Forms = connectionForms(&c, typed, errs)
	}
	return h.thing(w, r, statusOf(errs), page)
}

func wentBackIf(held bool) string {
	if held {
		return wentBack
	}
	return ""
}

func untilWords(m views.Moment) string {
	if m.IsZero() {
		return ""
	}
	return "until " + m.Text
}

// connectionForms are what an operator may do to a connection.
func connectionForms(c *db.ConnectionSummary, typed holdForm, errs planner.FieldErrors) []views.AdminForm {
	path := views.AdminConnPath(c.ID)
	pause := views.AdminForm{
		ID: "pause", Action: path + "/pause", Title: "Pause", Button: "Pause",
		Help:   "Nothing is sent or read for this connection until the time is over. A call that is under way comes to its end. What its user pushes waits.",
		Fields: typed.fields(errs, "Its user is told this sentence."),
	}
	forms := []views.AdminForm{}
	if !c.Pause.Until.IsZero() {
		pause.Title, pause.Button = "Pause it for another time", "Change the pause"
		forms = append(forms, views.AdminForm{ID: "resume", Action: path + "/resume", Title: "Resume", Button: "Resume now", Help: "What waits is sent at once."})
	} else if c.State == ledger.Connected {
		forms = append(forms, views.AdminForm{ID: "sync", Action: path + "/sync", Title: "Sync", Button: "Sync now", Help: "Reads what has changed in Harvest. One that is under way is not joined by a second one."})
	}
	return append(forms, pause)
}

func connectionSubject(id int64) string { return "connection " + strconv.FormatInt(id, 10) }

func (h *adminHandler) pauseConnection(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	typed, err := readHold(r)
	if err != nil {
		return err
	}
	term, errs := typed.parse()
	if len(errs) > 0 {
		return h.connectionPage(w, r, typed, errs)
	}
	before, err := h.store.ConnectionSummary(r.Context(), id)
	if err != nil {
		return err
	}
	actor, until := currentUser(r).ID, time.Time{}
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		if until, err = tx.PauseConnection(r.Context(), actor, id, term, typed.reason); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "connections.pause", connectionSubject(id), map[string]any{
			"before": pauseDetail(before.Pause.Until), "after": pauseDetail(until), "reason": typed.reason,
		})
	})
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "It is paused until "+h.moments(r)(until).Text+". What its user pushes waits until then.")
	return h.redirect(w, r, views.AdminConnPath(id))
}

// pauseDetail tells a pause to the audit.
func pauseDetail(until time.Time) string {
	if until.IsZero() {
		return "not paused"
	}
	return "paused until " + until.UTC().Format(time.RFC3339)
}

func (h *adminHandler) resumeConnection(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	c, err := h.store.ConnectionSummary(r.Context(), id)
	if err != nil {
		return err
	}
	actor := currentUser(r).ID
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		if err := tx.ResumeConnection(r.Context(), id); err != nil {
			return err
		}
		if err := h.queue.Push(r.Context(), tx, id); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "connections.resume", connectionSubject(id), map[string]any{"before": pauseDetail(c.Pause.Until), "after": pauseDetail(time.Time{})})
	})
	if errors.Is(err, planner.ErrConflict) {
		return say(err, "It is not paused, or the pause is over by now. Nothing was done.")
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "It goes on. What waited is sent now.")
	return h.redirect(w, r, views.AdminConnPath(id))
}

// syncConnection starts a sync run for somebody, unless one is under way.
func (h *adminHandler) syncConnection(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	c, err := h.store.ConnectionSummary(r.Context(), id)
	if err != nil {
		return err
	}
	owner, err := h.store.User(r.Context(), c.UserID)
	if err != nil {
		return err
	}
	actor, joined := currentUser(r).ID, false
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		var run int64
		if run, joined, err = startSync(r.Context(), tx, h.queue, owner.ID, db.TriggerUser, nil, owner.Profile.Today(h.now())); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "connections.sync", connectionSubject(id), map[string]any{"run": run, "joined": joined})
	})
	if errors.Is(err, planner.ErrNotFound) {
		return say(planner.ErrConflict, "Its user is not connected with Harvest, so there is nothing to sync with.")
	}
	if err != nil {
		return err
	}
	said := "The sync is scheduled."
	if joined {
		said = "A sync is under way already, so no second one was started."
	}
	h.sessions.flash(r.Context(), views.FlashGood, said)
	return h.redirect(w, r, views.AdminConnPath(id))
}
