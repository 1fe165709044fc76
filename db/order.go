package db

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"furrow/db/dbgen"
	"furrow/planner"
)

// OrderChange puts the rows of a client, or the clients, into an order, which
// they have in all weeks.
type OrderChange struct {
	Week     planner.Week // in which it was done, and is undone
	ClientID int64        // whose rows; 0: the clients
	To       Order
}

// Order is an order of clients or of the rows of one client. What is not in it
// follows by name.
type Order struct {
	Clients []int64         `json:",omitempty"`
	Rows    []planner.RowID `json:",omitempty"`
}

func (o Order) equal(other Order) bool {
	return slices.Equal(o.Clients, other.Clients) && slices.Equal(o.Rows, other.Rows)
}

// reorder is what a change did to an order.
type reorder struct {
	Client        int64 `json:",omitempty"`
	Before, After Order
}

// Order returns the order of the rows of a client, or, if clientID is 0, of the
// clients. Nobody else changes it before the end of the transaction.
func (tx *Tx) Order(ctx context.Context, userID, clientID int64) (Order, error) {
	_, err := tx.lockCells(ctx, userID, nil, "")
	var o Order
	if err == nil {
		o, err = tx.order(ctx, userID, clientID)
	}
	if err != nil {
		return Order{}, fmt.Errorf("order of client %d of user %d: %w", clientID, userID, err)
	}
	return o, nil
}

func (tx *Tx) order(ctx context.Context, userID, clientID int64) (o Order, err error) {
	if clientID == 0 {
		o.Clients, err = tx.q.ClientOrder(ctx, userID)
		return o, err
	}
	rows, err := tx.q.RowOrder(ctx, dbgen.RowOrderParams{UserID: userID, ClientID: clientID})
	for _, r := range rows {
		o.Rows = append(o.Rows, planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID})
	}
	return o, err
}

// changeOrder returns what is remembered of the change; nil if all stands so
// already. [planner.ErrNotFound]: something in it is not the user's, or not the
// client's.
func (tx *Tx) changeOrder(ctx context.Context, userID int64, change *OrderChange) ([]byte, error) {
	if change == nil {
		return nil, nil
	}
	before, err := tx.order(ctx, userID, change.ClientID)
	if err != nil || before.equal(change.To) {
		return nil, err
	}
	if change.ClientID == 0 {
		err = tx.storeClientOrder(ctx, userID, change.To.Clients)
	} else {
		err = tx.storeRowOrder(ctx, userID, change.ClientID, change.To.Rows)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(reorder{Client: change.ClientID, Before: before, After: change.To})
}

func (tx *Tx) storeClientOrder(ctx context.Context, userID int64, clients []int64) error {
	if err := tx.q.ClientOrderClear(ctx, userID); err != nil {
		return err
	}
	stored, err := tx.q.ClientOrderStore(ctx, dbgen.ClientOrderStoreParams{UserID: userID, ClientIds: clients})
	return all(stored, len(clients), err)
}

func (tx *Tx) storeRowOrder(ctx context.Context, userID, clientID int64, rows []planner.RowID) error {
	if err := tx.q.RowOrderClear(ctx, dbgen.RowOrderClearParams{UserID: userID, ClientID: clientID}); err != nil {
		return err
	}
	store := dbgen.RowOrderStoreParams{UserID: userID, ClientID: clientID}
	for _, row := range rows {
		store.ProjectIds, store.TaskIds = append(store.ProjectIds, row.ProjectID), append(store.TaskIds, row.TaskID)
	}
	stored, err := tx.q.RowOrderStore(ctx, store)
	return all(stored, len(rows), err)
}

// all is [planner.ErrNotFound] if fewer were stored than there should be.
func all(stored int64, want int, err error) error {
	if err == nil && stored < int64(want) {
		return planner.ErrNotFound
	}
	return err
}

// orderBefore is what takes back what a mutation did to an order; nil if it did
// nothing to any, or the order was changed again since.
func (tx *Tx) orderBefore(ctx context.Context, userID int64, week planner.Week, mutationID string) (*OrderChange, error) {
	stored, err := tx.q.ChangeReorder(ctx, dbgen.ChangeReorderParams{UserID: userID, MutationID: mutationID})
	if err != nil || stored == nil {
		return nil, err
	}
	var did reorder
	if err := json.Unmarshal(stored, &did); err != nil {
		return nil, err
	}
	now, err := tx.order(ctx, userID, did.Client)
	if err != nil || !now.equal(did.After) {
		return nil, err
	}
	return &OrderChange{Week: week, ClientID: did.Client, To: did.Before}, nil
}
