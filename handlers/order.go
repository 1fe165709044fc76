package handlers

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// orderRows puts a row elsewhere among those of its client, or a client among
// clients; weeks remember it.
func (h *weekHandler) orderRows(w http.ResponseWriter, r *http.Request) error {
	user, week, f, mutation, err := weekMutation(r)
	if err != nil {
		return err
	}
	var changed db.Changed
	var name string
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
		changed, name, err = reorder(r.Context(), tx, user.ID, week, mutation, f)
		return err
	})
	if err != nil {
		return err
	}
	said := name + " has its new place."
	if !changed.Reordered {
		said = name + " stays where it is."
	}
	return h.changed(w, r, week, said, changed)
}

// reorder returns what came of it, and what the thing is called that was to move.
func reorder(ctx context.Context, tx *db.Tx, userID int64, week planner.Week, mutation string, f form) (changed db.Changed, name string, err error) {
	stored, err := tx.Stored(ctx, userID, mutation)
	if err != nil {
		return changed, "", err
	}
	plan, err := tx.WeekPlan(ctx, userID, week)
	if err != nil {
		return changed, "", err
	}
	order := db.OrderChange{Week: week}
	if f.Has("client") {
		name, err = orderClients(ctx, tx, userID, plan, f, &order)
	} else {
		name, err = orderRowsOf(ctx, tx, userID, plan, f, &order)
	}
	if err != nil || stored != 0 {
		return db.Changed{ID: stored, Reordered: true}, name, err // the same form again
	}
	changed, err = tx.ChangePlan(ctx, userID, db.PlanChange{Kind: planner.ChangeOrder, MutationID: mutation, Order: &order})
	return changed, name, err
}

func orderClients(ctx context.Context, tx *db.Tx, userID int64, plan ledger.WeekPlan, f form, order *db.OrderChange) (name string, err error) {
	clients := plan.Clients()
	known, err := tx.Order(ctx, userID, 0)
	if err != nil {
		return "", err
	}
	moved, err := parseClientKey(f.Get("client"))
	if err == nil {
		order.To.Clients, err = putElsewhere(known.Clients, clients, moved, f, parseClientKey)
	}
	for i := range plan.Rows {
		if plan.Rows[i].ClientID == moved {
			name = plan.Rows[i].Client
		}
	}
	return name, err
}

func orderRowsOf(ctx context.Context, tx *db.Tx, userID int64, plan ledger.WeekPlan, f form, order *db.OrderChange) (name string, err error) {
	parse := func(key string) (planner.RowID, error) { return parseRowKey(key, "-") }
	moved, err := parse(f.Get("row"))
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(plan.Rows, func(row ledger.Row) bool { return row.ID == moved })
	if at < 0 {
		return "", planner.ErrNotFound
	}
	row := &plan.Rows[at]
	order.ClientID = row.ClientID
	known, err := tx.Order(ctx, userID, row.ClientID)
	if err == nil {
		order.To.Rows, err = putElsewhere(known.Rows, plan.RowsOf(row.ClientID), moved, f, parse)
	}
	return row.Project + " · " + row.Task, err
}

// putElsewhere returns an order in which one of the things that are shown has
// moved as the form says. known are those that have a place, in all weeks. They
// are returned if nothing moves.
func putElsewhere[T comparable](known, shown []T, moved T, f form, parse func(string) (T, error)) ([]T, error) {
	at := slices.Index(shown, moved)
	if at < 0 {
		return nil, planner.ErrNotFound
	}
	before, err := whereTo(shown, at, f, parse)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(known)
	for _, other := range shown {
		if !slices.Contains(known, other) {
			all = append(all, other)
		}
	}
	put := planner.PutBefore(all, moved, before)
	if slices.Equal(put, all) {
		return known, nil
	}
	return put, nil
}

// whereTo returns what a thing shall stand before; the zero value for the end.
func whereTo[T comparable](shown []T, at int, f form, parse func(string) (T, error)) (before T, err error) {
	switch f.Get("by") {
	case views.OrderUp:
		return shown[max(at-1, 0)], nil
	case views.OrderDown:
		if at+1 == len(shown) {
			return shown[at], nil
		}
		if at+2 < len(shown) {
			before = shown[at+2]
		}
		return before, nil
	case "":
		if f.Get("before") == "" {
			return before, nil
		}
		if before, err = parse(f.Get("before")); err == nil && !slices.Contains(shown, before) {
			err = planner.ErrNotFound
		}
		return before, err
	default:
		return before, errMalformed
	}
}

// parseClientKey reads what clientKey wrote.
func parseClientKey(key string) (int64, error) {
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return 0, planner.ErrNotFound
	}
	return id, nil
}
