package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// Orders are actions on all writes that match a filter, however many: they are
// previewed, confirmed, and then carried out by a job, batch by batch.

const (
	ordersShown  = 20
	batchesShown = 50
	previewGood  = 24 * time.Hour // for so long it may be confirmed
)

// previewOrder says what an action would do to all that match.
func (h *adminHandler) previewOrder(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	action, err := actionOf(values.Get("action"))
	if err != nil {
		return err
	}
	return h.showPreview(w, r, http.StatusOK, action, values, form{}, "")
}

func (h *adminHandler) showPreview(w http.ResponseWriter, r *http.Request, status int, action db.WriteAction, values url.Values, typed form, problem string) error {
	now := h.now()
	f, err := parseWritesFilter(values, now)
	if err != nil {
		return err
	}
	preview, err := h.store.PreviewAction(r.Context(), action, f.search)
	if err != nil {
		return err
	}
	counts, err := h.store.CountSearch(r.Context(), f.search)
	if err != nil {
		return err
	}
	words := actionWords(action)
	f.query.Sort, f.query.From = "", ""
	page := views.ActionPreview{
		Chrome: h.chrome(r, words.label+" all that match", views.NavAdmin), Title: words.label + ": all that match", Sentence: words.sentence,
		Back: views.AdminWritesURL(f.query), Action: views.AdminOrdersPath, All: preview.All(), One: "write", Many: "writes", Button: words.button,
		Notes: action.Notes(), Note: typed.Get("note"), Problem: problem,
	}
	for _, state := range db.AllStates() {
		n, left := preview.Can[state], counts[state]
		if n > 0 {
			page.Can = append(page.Can, views.CountLine{Count: views.Tally{N: n}, Words: stateWords(state)})
		}
		if (left.N > 0 || left.More) && !slices.Contains(action.States(), state) {
			page.Cannot = append(page.Cannot, views.CountLine{Count: views.Tally(left), Words: stateWords(state)})
		}
	}
	for _, spared := range preview.Cannot {
		page.Cannot = append(page.Cannot, views.CountLine{Count: views.Tally{N: spared.N}, Words: stateWords(spared.State) + ": " + sparedWords(spared.Why)})
	}
	page.Hidden = hiddenFields(f.query.Values(), "action", string(action), "up_to", strconv.FormatInt(preview.UpTo, 10),
		"previewed", strconv.Itoa(page.All), "at", now.UTC().Format(time.RFC3339Nano), "mutation_id", rand.Text())
	return h.render(w, r, status, page.View())
}

// hiddenFields are what a preview carries on: its filters, and more in pairs.
func hiddenFields(filters map[string]string, pairs ...string) []views.Option {
	var fields []views.Option
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		fields = append(fields, views.Option{Value: name, Label: filters[name]})
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		fields = append(fields, views.Option{Value: pairs[i], Label: pairs[i+1]})
	}
	return fields
}

// order stores what was previewed, to be carried out.
func (h *adminHandler) order(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	order, err := h.readOrder(f)
	var wrong planner.FieldErrors
	if errors.As(err, &wrong) {
		return h.showPreview(w, r, http.StatusUnprocessableEntity, order.Action, f.Values, f, wrong["note"])
	}
	if err != nil {
		return err
	}
	order.ActorID = currentUser(r).ID
	var id int64
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) error {
		stored, isNew, err := tx.OrderAction(r.Context(), order)
		id = stored
		if err != nil || !isNew {
			return err // sent twice
		}
		return h.queue.Order(r.Context(), tx, id)
	})
	if err != nil {
		return err
	}
	return h.redirect(w, r, views.AdminOrderPath(id))
}

// readOrder reads a confirmed preview: the filter as of then, up to the newest
// write of then.
func (h *adminHandler) readOrder(f form) (order db.ActionOrder, err error) {
	if order.Action, err = actionOf(f.Get("action")); err != nil {
		return order, err
	}
	at, err := time.Parse(time.RFC3339Nano, f.Get("at"))
	now := h.now()
	if err != nil || at.After(now.Add(time.Minute)) || at.Before(now.Add(-previewGood)) {
		return order, errMalformed
	}
	filter, err := parseWritesFilter(f.Values, at)
	if err != nil {
		return order, err
	}
	order.Search = filter.search
	if order.Search.UpTo, err = strconv.ParseInt(f.Get("up_to"), 10, 64); err != nil || order.Search.UpTo <= 0 {
		return order, errMalformed
	}
	if order.Previewed, err = strconv.Atoi(f.Get("previewed")); err != nil || order.Previewed < 0 {
		return order, errMalformed
	}
	if order.MutationID, err = mutationID(f); err != nil {
		return order, err
	}
	order.Note, err = noteOf(f, order.Action)
	return order, err
}

func (h *adminHandler) orders(w http.ResponseWriter, r *http.Request) error {
	orders, err := h.store.ActionOrders(r.Context(), ordersShown)
	if err != nil {
		return err
	}
	page := views.OrdersPage{Chrome: h.chrome(r, "What was done to many", views.NavAdmin)}
	moment := h.moments(r)
	for i := range orders {
		page.Orders = append(page.Orders, orderView(&orders[i], moment))
	}
	return h.render(w, r, http.StatusOK, page.View())
}

func (h *adminHandler) showOrder(w http.ResponseWriter, r *http.Request) error {
	live, err := h.liveOrder(r)
	if err != nil {
		return err
	}
	page := views.OrderPage{Chrome: h.chrome(r, live.Title, views.NavAdmin), Live: live}
	return h.render(w, r, http.StatusOK, page.View())
}

// orderLive is the polled part of that page.
func (h *adminHandler) orderLive(w http.ResponseWriter, r *http.Request) error {
	live, err := h.liveOrder(r)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, live.View())
}

func (h *adminHandler) liveOrder(r *http.Request) (views.OrderLive, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return views.OrderLive{}, err
	}
	order, batches, err := h.store.ActionOrder(r.Context(), id, batchesShown)
	if err != nil {
		return views.OrderLive{}, err
	}
	moment := h.moments(r)
	live := orderView(&order, moment)
	for _, b := range batches {
		live.Batches = append(live.Batches, views.OrderBatch{
			Number: b.Number, At: moment(b.At), UpTo: b.LastID, Changed: b.Changed, Spared: sparedSentence(b.Spared),
		})
	}
	if order.FinishedAt.IsZero() {
		live.Poll = views.AdminOrderLivePath(id)
	}
	return live, nil
}

func orderView(o *db.ActionOrder, moment func(time.Time) views.Moment) views.OrderLive {
	return views.OrderLive{
		ID: o.ID, Title: orderTitle(o), Filter: searchWords(o.Search), Actor: orWords(o.Actor, "somebody who is gone"), Made: moment(o.CreatedAt),
		Finished: moment(o.FinishedAt), Note: o.Note, Previewed: o.Previewed, Changed: o.Changed, Skipped: o.Skipped, Back: views.AdminWritesPath,
	}
}

func orderTitle(o *db.ActionOrder) string {
	return fmt.Sprintf("Order %d: %s", o.ID, strings.ToLower(actionWords(o.Action).label))
}

// searchWords tell what an order was for.
func searchWords(s db.WriteSearch) []views.FilterWord {
	var words []views.FilterWord
	add := func(name, value string) {
		if value != "" && value != "0" {
			words = append(words, views.FilterWord{Name: name, Value: value})
		}
	}
	var states []string
	for _, state := range s.States {
		states = append(states, stateWords(state))
	}
	add("State", strings.Join(states, ", "))
	add("Owner", s.User)
	add("Client, project or task", s.Project)
	add("Number", strconv.FormatInt(s.Number, 10))
	add("Reference", s.Reference)
	add("Harvest said", s.Said)
	if s.Reason != "" {
		add("Cause", reasonWords(s.Reason))
	}
	add("HTTP status", strconv.Itoa(s.Status))
	if s.Op != "" {
		add("What it does", opWords(string(s.Op)))
	}
	add("Connection", strconv.FormatInt(s.Connection, 10))
	if !s.CreatedBefore.IsZero() {
		add("Created before", s.CreatedBefore.Format(time.RFC3339))
	}
	if !s.SentBefore.IsZero() {
		add("Sent before", s.SentBefore.Format(time.RFC3339))
	}
	if len(words) == 0 {
		words = []views.FilterWord{{Name: "Which", Value: "all"}}
	}
	return words
}

// sparedSentence tells how many were left alone, and why.
func sparedSentence(spared map[string]int) string {
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(spared)) {
		parts = append(parts, fmt.Sprintf("%d: %s", spared[why], sparedWords(why)))
	}
	return strings.Join(parts, "; ")
}
