package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"furrow/db/dbgen"
)

// AuditEvent is one thing that an admin did, or the program by itself.
type AuditEvent struct {
	ID      int64
	At      time.Time
	Actor   string // e-mail at the time
	Action  string // "writes.retry"
	Subject string // what it was done to: "write 12"
	Detail  string // JSON
}

// Audit records what an admin does, or the program by itself (actorID 0), in the
// transaction that does it. detail holds ids, filters and counts, never secrets or notes.
func (tx *Tx) Audit(ctx context.Context, actorID int64, action, subject string, detail map[string]any) error {
	text, err := json.Marshal(detail)
	switch {
	case err != nil:
	case actorID == 0:
		err = tx.q.AuditOwn(ctx, dbgen.AuditOwnParams{Action: action, Subject: subject, Detail: text})
	default:
		err = tx.q.AuditAdd(ctx, dbgen.AuditAddParams{ActorID: actorID, Action: action, Subject: subject, Detail: text})
	}
	if err != nil {
		return fmt.Errorf("audit %s of %s: %w", action, subject, err)
	}
	return nil
}

// AuditEvents returns at most most events, newest first, with ids below before
// (0: from the newest).
func (s *Store) AuditEvents(ctx context.Context, before int64, most int) ([]AuditEvent, error) {
	rows, err := s.q.AuditList(ctx, dbgen.AuditListParams{Before: nonzero(before), Most: int32(most)})
	if err != nil {
		return nil, fmt.Errorf("list audit events: %w", err)
	}
	events := make([]AuditEvent, len(rows))
	for i, r := range rows {
		events[i] = AuditEvent{ID: r.ID, At: r.At, Actor: r.Actor, Action: r.Action, Subject: r.Subject, Detail: string(r.Detail)}
	}
	return events, nil
}
