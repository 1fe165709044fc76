package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// ledgerFilter is what of one's ledger the address asks for. Zero fields do not
// filter.
type ledgerFilter struct {
	group  writeGroup
	week   *planner.Week
	client int64
	search string
}

// filterOf reads the filters of the address, and returns the clients there are
// to choose from. What no page of ours leads to is not found.
func (h *ledgerHandler) filterOf(r *http.Request) (ledgerFilter, []db.WriteClient, error) {
	user := currentUser(r)
	f, err := parseLedgerFilter(r.URL.Query(), user.Profile)
	if err != nil {
		return f, nil, err
	}
	clients, err := h.store.WriteClients(r.Context(), user.ID)
	if err != nil {
		return f, nil, err
	}
	if f.client != 0 && !slices.ContainsFunc(clients, func(c db.WriteClient) bool { return c.ID == f.client }) {
		return f, nil, fmt.Errorf("writes of client %d: %w", f.client, planner.ErrNotFound)
	}
	return f, clients, nil
}

func parseLedgerFilter(query url.Values, profile planner.Profile) (f ledgerFilter, err error) {
	if f.group, err = writeGroupOf(query.Get("state")); err != nil {
		return f, err
	}
	if text := query.Get("week"); text != "" {
		date, err := planner.ParseDate(text)
		if err != nil {
			return f, fmt.Errorf("week %q: %w", text, planner.ErrNotFound)
		}
		week := planner.WeekOf(date, profile.WeekStart)
		f.week = &week
	}
	if f.client, err = filterID("client", query.Get("client")); err != nil {
		return f, err
	}
	f.search, err = filterText(query, "q")
	return f, err
}

// chosen is the filter as the store takes it, but for the states.
func (f ledgerFilter) chosen(userID int64) db.WriteFilter {
	return db.WriteFilter{UserID: userID, Week: f.week, Client: f.client, Search: f.search}
}

// query is the filter as addresses have it.
func (f ledgerFilter) query() views.LedgerQuery {
	q := views.LedgerQuery{State: f.group.value, Search: f.search}
	if f.week != nil {
		q.Week = f.week.String()
	}
	if f.client != 0 {
		q.Client = strconv.FormatInt(f.client, 10)
	}
	return q
}

// clientOptions are the choices of the filter "client".
func clientOptions(clients []db.WriteClient, chosen string) []views.Option {
	options := []views.Option{{Label: "All clients"}}
	for _, c := range clients {
		options = append(options, views.Option{Value: strconv.FormatInt(c.ID, 10), Label: c.Name})
	}
	return choose(chosen, options)
}
