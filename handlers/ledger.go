package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// ledgerHandler shows a user's writes, and lets them be tried again or given up.
type ledgerHandler struct {
	*site
	store *db.Store
	queue *jobs.Queue
}

// pageOfWrites is how many rows a page of a list has.
const pageOfWrites = 50

// writeGroup is what the filter "state" chooses: states that are one word to
// people. One without states is everything.
type writeGroup struct {
	value, label string
	states       []ledger.State
}

func writeGroups() []writeGroup {
	return []writeGroup{
		{"", "All", nil},
		{views.LedgerWaiting, "Waiting", []ledger.State{ledger.Pending, ledger.Retry, ledger.Sending}},
		{views.LedgerUncertain, "Uncertain", []ledger.State{ledger.Uncertain}},
		{views.LedgerNeedsYou, "Needs you", []ledger.State{ledger.Rejected, ledger.Blocked}},
		{views.LedgerChanged, "Changed in Harvest", []ledger.State{ledger.Conflict}},
		{views.LedgerSent, "In Harvest", []ledger.State{ledger.Done}},
		{views.LedgerOver, "Over", []ledger.State{ledger.Superseded, ledger.Dropped}},
	}
}

// holds reports whether writes in the state belong to the group.
func (g writeGroup) holds(state ledger.State) bool {
	return len(g.states) == 0 || slices.Contains(g.states, state)
}

// writeGroupOf reads a filter; one that does not exist is not found.
func writeGroupOf(value string) (writeGroup, error) {
	for _, g := range writeGroups() {
		if g.value == value {
			return g, nil
		}
	}
	return writeGroup{}, fmt.Errorf("filter %q: %w", value, planner.ErrNotFound)
}

// writeOptions are the choices of the filter, with how many writes each has.
func writeOptions(chosen writeGroup, counts map[ledger.State]int) []views.Option {
	groups := writeGroups()
	options := make([]views.Option, len(groups))
	for i, g := range groups {
		options[i] = views.Option{Value: g.value, Label: g.label, Selected: g.value == chosen.value}
		for state, n := range counts {
			if g.holds(state) {
				options[i].Count += n
			}
		}
	}
	return options
}

// writesPage returns a page of a group's writes, newest first. older is the id
// that the next page lies below; empty on the last page.
func writesPage(ctx context.Context, store *db.Store, g writeGroup, f db.WriteFilter) (page []db.WriteRecord, older string, err error) {
	f.Most, f.States = pageOfWrites+1, g.states
	page, err = store.Writes(ctx, f)
	if err != nil {
		return nil, "", err
	}
	if len(page) > pageOfWrites {
		page = page[:pageOfWrites]
		older = strconv.FormatInt(page[pageOfWrites-1].ID, 10)
	}
	return page, older, nil
}

func (h *ledgerHandler) list(w http.ResponseWriter, r *http.Request) error {
	list, clients, err := h.listOf(r)
	if err != nil {
		return err
	}
	page := views.LedgerPage{Chrome: h.chrome(r, "Ledger", views.NavLedger), List: list}
	profile := currentUser(r).Profile
	page.CheckWeek = planner.WeekOf(profile.Today(h.now()), profile.WeekStart)
	if filtered, err := planner.ParseDate(list.Query.Week); err == nil {
		page.CheckWeek.Start = filtered
	}
	if len(clients) > 0 {
		page.Clients = clientOptions(clients, list.Query.Client)
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// live is the polled list.
func (h *ledgerHandler) live(w http.ResponseWriter, r *http.Request) error {
	list, _, err := h.listOf(r)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, list.View())
}

// listOf is the list that the address asks for, and the clients that it may be
// filtered by.
func (h *ledgerHandler) listOf(r *http.Request) (views.LedgerList, []db.WriteClient, error) {
	user, none := currentUser(r), views.LedgerList{}
	f, clients, err := h.filterOf(r)
	if err != nil {
		return none, nil, err
	}
	before, err := filterID("before", r.URL.Query().Get("before"))
	if err != nil {
		return none, nil, err
	}
	chosen := f.chosen(user.ID)
	chosen.Before = before
	writes, older, err := writesPage(r.Context(), h.store, f.group, chosen)
	if err != nil {
		return none, nil, err
	}
	counts, err := h.store.CountWrites(r.Context(), chosen)
	if err != nil {
		return none, nil, err
	}
	list := views.LedgerList{
		Query: f.query(), States: writeOptions(f.group, counts.ByState), Moving: counts.Moving, Writes: make([]views.Write, len(writes)),
	}
	to := newTeller(user.Profile, h.now())
	for i := range writes {
		list.Writes[i] = to.write(&writes[i])
	}
	if older != "" {
		next := list.Query
		next.Before = older
		list.Older = views.LedgerURL(next)
	}
	switch {
	case before > 0:
		list.Query.Before = strconv.FormatInt(before, 10)
	case counts.Moving > 0:
		list.Poll = views.LedgerLiveURL(list.Query)
	}
	return list, clients, nil
}

// show is one write.
func (h *ledgerHandler) show(w http.ResponseWriter, r *http.Request) error {
	live, err := h.liveWrite(r)
	if err != nil {
		return err
	}
	title := "Write " + strconv.FormatInt(live.Write.ID, 10)
	page := views.WritePage{Chrome: h.chrome(r, title, views.NavLedger), Live: live}
	return h.render(w, r, http.StatusOK, page.View())
}

// showLive is the polled part of a write's page.
func (h *ledgerHandler) showLive(w http.ResponseWriter, r *http.Request) error {
	live, err := h.liveWrite(r)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, live.View())
}

// liveWrite is the write that the address names.
func (h *ledgerHandler) liveWrite(r *http.Request) (views.WriteLive, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return views.WriteLive{}, err
	}
	user := currentUser(r)
	record, err := h.store.Write(r.Context(), user.ID, id)
	if err != nil {
		return views.WriteLive{}, err
	}
	live := views.WriteLive{Write: newTeller(user.Profile, h.now()).write(&record)}
	date := record.Entry.SpentDate
	live.Write.WeekURL = views.DayPath(planner.WeekOf(date, user.Profile.WeekStart), date)
	if moves(&record) {
		live.Poll = views.WriteLivePath(id)
	}
	return live, nil
}

// retry tries a write again at once.
func (h *ledgerHandler) retry(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	userID := currentUser(r).ID
	retried := false
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		writes, connections, err := tx.RetryWrites(r.Context(), db.WriteFilter{UserID: userID, ID: id})
		if err != nil {
			return err
		}
		retried = len(writes) > 0
		return ring(r.Context(), tx, h.queue, connections)
	})
	if err == nil && !retried {
		err = notRetried(r.Context(), h.store, userID, id)
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "It is tried again now.")
	return h.redirect(w, r, backTo(r, views.LedgerPath))
}

// drop gives a write up.
func (h *ledgerHandler) drop(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	userID := currentUser(r).ID
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error { return tx.DropWrite(r.Context(), userID, id) })
	if errors.Is(err, planner.ErrConflict) {
		err = say(err, "Only what has not reached Harvest and is not on its way there can be given up. Look at it in the ledger to see how it stands.")
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "It is given up, and stays in the ledger. The plan in your week is as it was.")
	return h.redirect(w, r, backTo(r, views.LedgerPath))
}

// ring wakes the workers of connections, once the transaction is committed.
func ring(ctx context.Context, tx *db.Tx, queue *jobs.Queue, connections []int64) error {
	for _, id := range connections {
		if err := queue.Push(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

// notRetried tells why a write was not set to be tried again: it is not there,
// or how it stands does not allow it. userID 0 stands for anybody's.
func notRetried(ctx context.Context, store *db.Store, userID, id int64) error {
	write, err := store.Write(ctx, userID, id)
	if err != nil {
		return err
	}
	return say(fmt.Errorf("retry write %d: %w", id, planner.ErrConflict), notRetriedSentence(&write))
}

func notRetriedSentence(w *db.WriteRecord) string {
	switch w.State {
	case ledger.Done:
		return "Harvest has confirmed this write. Sending it again would book it twice, so nothing was done."
	case ledger.Pending, ledger.Sending:
		return "It is on its way already. Nothing needs to be done."
	case ledger.Uncertain:
		return mayHaveIt + " That happens by itself; trying at once could book it twice."
	case ledger.Conflict:
		return "Somebody changed the entry in Harvest meanwhile. Push the cell again in the week to put yours there."
	case ledger.Superseded:
		return "A later write of the same entry overtook it, so there is nothing to try again."
	case ledger.Dropped:
		return "It was given up. Push the cell again in the week if you want it in Harvest after all."
	case ledger.Retry, ledger.Rejected, ledger.Blocked:
	}
	if w.Connection != ledger.Connected {
		return "Its owner must connect with Harvest again first. It is safe here, and is sent by itself after that."
	}
	return "A later write of the same entry overtook it, so there is nothing to try again."
}

// backTo is the page that a form was on, if it is the list or below it, and
// otherwise the list.
func backTo(r *http.Request, list string) string {
	page := pageOf(r)
	if path, _, _ := strings.Cut(page, "?"); path == list || strings.HasPrefix(path, list+"/") {
		return page
	}
	return list
}
