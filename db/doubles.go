package db

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// removeDoubles makes a write for each entry of the user that Harvest has twice,
// as the mirror shows. Harvest knows no idempotency keys, so a request that is
// carried out long after it was given up books a second time; this is what
// mends that. Each double gets one write, ever: if that is refused, a person
// must look.
func (tx *Tx) removeDoubles(ctx context.Context, userID, connectionID int64) error {
	if err := tx.q.TimerRelink(ctx, dbgen.TimerRelinkParams{UserID: userID, ReferenceGroup: ledger.ReferenceGroup}); err != nil {
		return fmt.Errorf("look for the timer of user %d: %w", userID, err)
	}
	doubles, err := tx.q.Doubles(ctx, dbgen.DoublesParams{UserID: userID, ReferenceGroup: ledger.ReferenceGroup})
	if err != nil {
		return fmt.Errorf("look for doubles of user %d: %w", userID, err)
	}
	for _, d := range doubles {
		if d.Relink {
			err := tx.q.PushedAgree(ctx, dbgen.PushedAgreeParams{
				ID: d.PushedEntryID, RemoteID: &d.KeepID, Hours: &d.Hours, Notes: &d.Notes, UpdatedAt: &d.UpdatedAt,
			})
			if err != nil {
				return err
			}
		}
		payload, err := json.Marshal(ledger.Entry{
			ProjectID: derefID(d.ProjectID), TaskID: derefID(d.TaskID), SpentDate: d.SpentDate, Hours: planner.Hours(d.Hours), Notes: d.Notes,
		})
		if err != nil {
			return err
		}
		id := strconv.FormatInt(d.DoubleID, 10)
		_, err = tx.q.WriteAdd(ctx, dbgen.WriteAddParams{
			UserID: userID, ConnectionID: connectionID, PushedEntryID: d.PushedEntryID, Op: string(ledger.OpRemoveDouble), Reference: d.ReferenceID,
			Payload: payload, RemoteID: &d.DoubleID, MutationID: "double " + id, State: string(ledger.Pending),
			RequestID: ledger.TraceOf(ctx).Request,
		})
		if err != nil {
			return fmt.Errorf("write for double %s: %w", id, err)
		}
		err = tx.Audit(ctx, 0, "ledger.remove_double", "time entry "+id, map[string]any{"user": userID, "stays": d.KeepID, "reference": d.ReferenceID})
		if err != nil {
			return err
		}
	}
	return nil
}
