package db

import (
	"context"
	"fmt"

	"furrow/db/dbgen"
	"furrow/planner"
)

// DaysNow returns what dates are for, in the same order. Nobody else changes the
// user's plan before the end of the transaction.
func (tx *Tx) DaysNow(ctx context.Context, userID int64, dates []planner.Date) ([]planner.Workday, error) {
	edits := make([]planner.DayEdit, len(dates))
	for i, date := range dates {
		edits[i].Date = date
	}
	_, err := tx.lockCells(ctx, userID, nil, "")
	var now []planner.Workday
	if err == nil {
		now, _, err = tx.readDays(ctx, userID, edits, "")
	}
	if err != nil {
		return nil, fmt.Errorf("days %v of user %d: %w", dates, userID, err)
	}
	return now, nil
}

// readDays returns what the dates of edits are for, and which of them the
// mutation has changed before.
func (tx *Tx) readDays(ctx context.Context, userID int64, edits []planner.DayEdit, mutationID string) (now []planner.Workday, stored []bool, err error) {
	if len(edits) == 0 {
		return nil, nil, nil
	}
	p := dbgen.DaysReadParams{UserID: userID, MutationID: mutationID}
	for _, edit := range edits {
		p.Dates = append(p.Dates, edit.Date)
	}
	rows, err := tx.q.DaysRead(ctx, p)
	for _, r := range rows {
		now, stored = append(now, planner.Workday{Off: r.Off, Name: r.Name}), append(stored, r.StoredBefore)
	}
	return now, stored, err
}

// changedDays is what is to be stored of edits: what is not so already, and not
// stored before by the same mutation.
func (tx *Tx) changedDays(ctx context.Context, userID int64, edits []planner.DayEdit, mutationID string) (store dbgen.DaysStoreParams, err error) {
	store.UserID, store.MutationID = userID, mutationID
	now, stored, err := tx.readDays(ctx, userID, edits, mutationID)
	if err != nil {
		return store, err
	}
	for i, edit := range edits {
		if stored[i] || now[i] == edit.To {
			continue
		}
		store.Dates = append(store.Dates, edit.Date)
		store.OffBefore, store.OffAfter = append(store.OffBefore, now[i].Off), append(store.OffAfter, edit.To.Off)
		store.NamesBefore, store.NamesAfter = append(store.NamesBefore, now[i].Name), append(store.NamesAfter, edit.To.Name)
	}
	return store, nil
}

// daysBefore is what takes back what a mutation made of dates, without those
// that were changed again since.
func (tx *Tx) daysBefore(ctx context.Context, userID int64, mutationID string) (back []planner.DayEdit, left []planner.Date, err error) {
	events, err := tx.q.ChangeDays(ctx, dbgen.ChangeDaysParams{UserID: userID, MutationID: mutationID})
	if err != nil {
		return nil, nil, err
	}
	all := make([]planner.DayEdit, len(events))
	for i, e := range events {
		all[i] = planner.DayEdit{Date: e.Date, To: planner.Workday{Off: e.OffBefore, Name: e.NameBefore}}
	}
	now, _, err := tx.readDays(ctx, userID, all, "")
	if err != nil {
		return nil, nil, err
	}
	for i, e := range events {
		if now[i] == (planner.Workday{Off: e.OffAfter, Name: e.NameAfter}) {
			back = append(back, all[i])
		} else {
			left = append(left, e.Date)
		}
	}
	return back, left, nil
}
