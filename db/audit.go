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

// AuditFilter chooses events. Zero fields do not filter.
type AuditFilter struct {
	Actor, Action, Subject string    // as they are stored
	Since, Until           time.Time // from the first on, and before the second
	Before                 AuditPlace
	Most                   int
}

// AuditPlace is where a page of events ends; the next one lies before it.
type AuditPlace struct {
	At time.Time
	ID int64
}

// AuditEvents returns the events that match, newest first.
func (s *Store) AuditEvents(ctx context.Context, f AuditFilter) ([]AuditEvent, error) {
	rows, err := s.plannedAnew().AuditList(ctx, dbgen.AuditListParams{
		Actor: nonEmpty(f.Actor), Action: nonEmpty(f.Action), Subject: nonEmpty(f.Subject), Since: nonzeroTime(f.Since), Until: nonzeroTime(f.Until),
		BeforeAt: nonzeroTime(f.Before.At), BeforeID: f.Before.ID, Most: int32(f.Most),
	})
	if err != nil {
		return nil, fmt.Errorf("list audit events: %w", err)
	}
	events := make([]AuditEvent, len(rows))
	for i, r := range rows {
		events[i] = AuditEvent{ID: r.ID, At: r.At, Actor: r.Actor, Action: r.Action, Subject: r.Subject, Detail: string(r.Detail)}
	}
	return events, nil
}

// nonzeroTime is nil for the zero time, which the queries read as "any".
func nonzeroTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
