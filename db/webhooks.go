package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger/notice"
)

// TakeWebhook is [Store.TakeMail] for a webhook.
func (s *Store) TakeWebhook(ctx context.Context, id int64) (w notice.Webhook, ok bool, err error) {
	row, err := s.q.WebhookTake(ctx, dbgen.WebhookTakeParams{ID: id, Term: deliveryTerm})
	if errors.Is(err, pgx.ErrNoRows) {
		return notice.Webhook{}, false, nil
	}
	if err != nil {
		return notice.Webhook{}, false, fmt.Errorf("take webhook %d: %w", id, err)
	}
	return notice.Webhook{ID: id, MessageID: row.MessageID, Body: row.Body, Attempt: int(row.Attempts), CreatedAt: row.CreatedAt}, true, nil
}

// EndWebhook notes how a webhook that was taken ended, and why if it is not sent.
func (s *Store) EndWebhook(ctx context.Context, w notice.Webhook, end notice.End, reason string) error {
	_, err := s.q.WebhookEnd(ctx, dbgen.WebhookEndParams{ID: w.ID, Attempt: int32(w.Attempt), State: string(end), Error: oneLine(reason)})
	if err != nil {
		return fmt.Errorf("end webhook %d: %w", w.ID, err)
	}
	return nil
}

// DelayWebhook gives back a webhook that was taken, to be tried again after wait.
func (s *Store) DelayWebhook(ctx context.Context, w notice.Webhook, wait time.Duration, reason string) error {
	_, err := s.q.WebhookDelay(ctx, dbgen.WebhookDelayParams{ID: w.ID, Attempt: int32(w.Attempt), Wait: wait, Error: oneLine(reason)})
	if err != nil {
		return fmt.Errorf("delay webhook %d: %w", w.ID, err)
	}
	return nil
}

// LostWebhooks is [Store.LostMails] for webhooks.
func (s *Store) LostWebhooks(ctx context.Context) ([]int64, error) {
	ids, err := s.q.WebhooksLost(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for lost webhooks: %w", err)
	}
	return ids, nil
}
