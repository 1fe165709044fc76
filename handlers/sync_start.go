package handlers

import (
	"context"

	"furrow/db"
	"furrow/jobs"
	"furrow/planner"
)

// StartSync records a sync run of the user and enqueues it, both or neither. If
// one is live already, that one is returned and joined is true. week, if not
// nil, is the week that the user looks at; today is the user's date. It
// returns [planner.ErrNotFound] if the user has no working connection.
func StartSync(ctx context.Context, store *db.Store, queue *jobs.Queue, userID int64, trigger db.Trigger, week *planner.Week, today planner.Date) (runID int64, joined bool, err error) {
	err = store.InTx(ctx, func(tx *db.Tx) error {
		runID, joined, err = startSync(ctx, tx, queue, userID, trigger, week, today)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	return runID, joined, nil
}

// startSync is [StartSync] in the caller's transaction.
func startSync(ctx context.Context, tx *db.Tx, queue *jobs.Queue, userID int64, trigger db.Trigger, week *planner.Week, today planner.Date) (runID int64, joined bool, err error) {
	runID, joined, err = tx.StartRun(ctx, userID, trigger, week, today)
	if err != nil || joined {
		return runID, joined, err
	}
	if err := queue.Pull(ctx, tx, runID); err != nil {
		return 0, false, err
	}
	return runID, false, nil
}
