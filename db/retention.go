package db

import (
	"context"
	"fmt"
	"time"

	"furrow/db/dbgen"
)

// cleanPart is how many rows one statement removes, or looks at: few enough for
// nobody to wait for it.
const cleanPart = 1000

// CleanWrites removes, of the next part of the writes behind the id after, those
// that ended more than age ago and that nothing depends on any more, with their
// attempts. It returns where the next part begins; 0: that was the last one.
func (s *Store) CleanWrites(ctx context.Context, age time.Duration, after int64) (removed int, next int64, err error) {
	row, err := s.q.WritesClean(ctx, dbgen.WritesCleanParams{After: after, Age: age, Most: cleanPart})
	if err != nil {
		return 0, 0, fmt.Errorf("clean writes: %w", err)
	}
	if row.Seen == cleanPart {
		next = row.Last
	}
	return int(row.Gone), next, nil
}

// CleanAttempts removes attempts of more than age ago, of writes that are over.
// Like all that follow, it removes a part, and more reports that there may be
// another.
func (s *Store) CleanAttempts(ctx context.Context, age time.Duration) (removed int, more bool, err error) {
	n, err := s.q.AttemptsClean(ctx, dbgen.AttemptsCleanParams{Age: age, Most: cleanPart})
	return cleaned("attempts", n, err)
}

// CleanAudit removes what was done more than age ago.
func (s *Store) CleanAudit(ctx context.Context, age time.Duration) (removed int, more bool, err error) {
	n, err := s.q.AuditClean(ctx, dbgen.AuditCleanParams{Age: age, Most: cleanPart})
	return cleaned("the audit", n, err)
}

// CleanOrders removes orders over many writes that were through more than age ago,
// with their batches.
func (s *Store) CleanOrders(ctx context.Context, age time.Duration) (removed int, more bool, err error) {
	batches, err := s.q.WriteActionBatchesClean(ctx, dbgen.WriteActionBatchesCleanParams{Age: age, Most: cleanPart})
	var orders int64
	if err == nil {
		orders, err = s.q.WriteActionsClean(ctx, dbgen.WriteActionsCleanParams{Age: age, Most: cleanPart})
	}
	_, more, err = cleaned("orders", max(batches, orders), err)
	return int(batches + orders), more, err
}

// CleanSyncRuns removes runs that ended more than age ago, but each user's latest.
func (s *Store) CleanSyncRuns(ctx context.Context, age time.Duration) (removed int, more bool, err error) {
	n, err := s.q.SyncRunsClean(ctx, dbgen.SyncRunsCleanParams{Age: age, Most: cleanPart})
	return cleaned("sync runs", n, err)
}

// CleanNotices removes alerts, mails and webhooks that were over more than age ago.
func (s *Store) CleanNotices(ctx context.Context, age time.Duration) (removed int, more bool, err error) {
	alerts, err := s.q.AlertsClean(ctx, dbgen.AlertsCleanParams{Age: age, Most: cleanPart})
	var mails, webhooks int64
	if err == nil {
		mails, err = s.q.MailsClean(ctx, dbgen.MailsCleanParams{Age: age, Most: cleanPart})
	}
	if err == nil {
		webhooks, err = s.q.WebhooksClean(ctx, dbgen.WebhooksCleanParams{Age: age, Most: cleanPart})
	}
	_, more, err = cleaned("notices", max(alerts, mails, webhooks), err)
	return int(alerts + mails + webhooks), more, err
}

func cleaned(what string, n int64, err error) (removed int, more bool, _ error) {
	if err != nil {
		return 0, false, fmt.Errorf("clean %s: %w", what, err)
	}
	return int(n), n == cleanPart, nil
}
