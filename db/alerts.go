package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger/notice"
)

// alertsLock is the key of the advisory lock under which causes are looked for.
const alertsLock = 0x616c_6572_7473

// KeepAlerts finds what is wrong, opens an alert for each cause that has lasted
// long enough, and resolves those whose cause has been away for so long. What is
// to be told through the channels of this process is stored, and enqueued by ring
// in the same transaction; what it has no channel for is left to others. It returns the
// alerts that began or ended by it. While another process looks, it does nothing.
func (s *Store) KeepAlerts(ctx context.Context, ch notice.Channels, away time.Duration, ring func(ctx context.Context, tx pgx.Tx, mails, webhooks []int64) error) (changed []notice.Alert, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		changed = nil
		lock, err := tx.q.AlertsLock(ctx, alertsLock)
		if err != nil || !lock.Locked {
			return err
		}
		facts, err := tx.facts(ctx, lock.Now)
		if err != nil {
			return err
		}
		facts.MailsUsers = ch.Mail
		if changed, err = tx.keepCauses(ctx, notice.Causes(facts), lock.Now, away); err != nil {
			return err
		}
		mails, webhooks, err := tx.tell(ctx, ch, lock.Now)
		if err != nil {
			return err
		}
		return ring(ctx, tx, mails, webhooks)
	})
	if err != nil {
		return nil, fmt.Errorf("keep the alerts: %w", err)
	}
	return changed, nil
}

// facts are read without locks: none of them needs to be of the very same moment.
func (tx *Tx) facts(ctx context.Context, now time.Time) (notice.Facts, error) {
	f := notice.Facts{Now: now}
	old, err := tx.q.WritesOld(ctx, notice.UnsentAge)
	if err != nil {
		return f, fmt.Errorf("look for old writes: %w", err)
	}
	for _, r := range old {
		writes := notice.Writes{Count: int(r.Writes), Connections: int(r.Connections), Oldest: r.Oldest}
		if r.Harvests {
			f.Failing = writes
		} else {
			f.Stuck = writes
		}
	}
	if f.Outage, err = tx.q.ProviderBroken(ctx); err != nil {
		return f, fmt.Errorf("look at the breaker: %w", err)
	}
	revoked, err := tx.q.ConnectionsRevoked(ctx)
	if err != nil {
		return f, fmt.Errorf("look for connections that need their user: %w", err)
	}
	for _, r := range revoked {
		f.Revoked = append(f.Revoked, notice.Revoked{ConnectionID: r.ID, UserID: r.UserID})
	}
	if f.Queue, err = tx.queue(ctx); err != nil {
		return f, err
	}
	f.Processes, err = tx.processes(ctx)
	return f, err
}

// queue looks into River's tables, which sqlc does not know. Both parts read what
// is not over from the front of indexes.
func (tx *Tx) queue(ctx context.Context) (q notice.Queue, err error) {
	const due = `
select count(*)::int, min(scheduled_at), coalesce(array_agg(distinct kind order by kind), '{}')
from river_job j
where state in ('available', 'retryable', 'scheduled') and scheduled_at < clock_timestamp()
  and not exists (select from river_queue r where r.name = j.queue and r.paused_at is not null)`
	const running = `
select (select min(attempted_at) from river_job where state = 'running'),
    exists (select from river_queue where name = 'push' and paused_at is not null)`
	var dueAt, runningAt *time.Time
	err = tx.QueryRow(ctx, due).Scan(&q.Due, &dueAt, &q.Kinds)
	if err == nil {
		err = tx.QueryRow(ctx, running).Scan(&runningAt, &q.PushPaused)
	}
	if err != nil {
		return q, fmt.Errorf("look at the queue: %w", err)
	}
	q.DueAt, q.Running = deref(dueAt), deref(runningAt)
	return q, nil
}

func (tx *Tx) processes(ctx context.Context) ([]notice.Process, error) {
	rows, err := tx.q.ProcessReports(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the processes: %w", err)
	}
	list := make([]notice.Process, len(rows))
	for i, r := range rows {
		list[i] = notice.Process{Host: r.Host, Works: r.Role != "web", StartedAt: r.StartedAt, SeenAt: r.SeenAt}
		if err := json.Unmarshal(r.Facts, &list[i].Finding); err != nil {
			return nil, fmt.Errorf("read what a process found: %w", err)
		}
	}
	return list, nil
}

// keepCauses brings the alerts to what is found.
func (tx *Tx) keepCauses(ctx context.Context, causes []notice.Cause, now time.Time, away time.Duration) ([]notice.Alert, error) {
	found := make([]string, len(causes))
	var batch pgx.Batch
	for i, c := range causes {
		found[i] = c.Key
		batch.Queue(dbgen.AlertFound, c.Key, c.Severity, nonzero(c.UserID), c.Sentence, c.Advice, c.Path, now)
		batch.Queue(dbgen.AlertOpen, now, c.Key, c.Grace)
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("store the causes of alerts: %w", err)
	}
	err := tx.q.AlertsForget(ctx, dbgen.AlertsForgetParams{At: now, Away: away, Found: found})
	if err == nil {
		err = tx.q.AlertsResolve(ctx, dbgen.AlertsResolveParams{At: now, Away: away, Found: found})
	}
	if err != nil {
		return nil, fmt.Errorf("resolve alerts: %w", err)
	}
	rows, err := tx.q.AlertsChanged(ctx, now)
	return alertsOf(rows), err
}

// tell stores the notices of what has not been told yet.
func (tx *Tx) tell(ctx context.Context, ch notice.Channels, now time.Time) (mails, webhooks []int64, err error) {
	untold, err := tx.q.AlertsUntold(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("look for what is to be told: %w", err)
	}
	for _, row := range untold {
		a := alertOf(row.Alert)
		if a.UserID != 0 && !ch.Mail || a.UserID == 0 && !ch.Operators() {
			continue
		}
		m, w, err := tx.tellOne(ctx, ch, a, row.Email)
		if err == nil {
			err = tx.q.AlertTold(ctx, dbgen.AlertToldParams{ID: a.ID, At: now})
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tell of alert %d: %w", a.ID, err)
		}
		mails, webhooks = append(mails, m...), append(webhooks, w...)
	}
	return mails, webhooks, nil
}

func (tx *Tx) tellOne(ctx context.Context, ch notice.Channels, a notice.Alert, email string) (mails, webhooks []int64, err error) {
	to := ch.MailTo
	switch {
	case a.UserID != 0 && a.Resolved():
		return nil, nil, nil // they know: it was them
	case a.UserID != 0:
		to = []string{email}
	case ch.Webhook:
		body, err := ch.Body(a)
		if err != nil {
			return nil, nil, err
		}
		id, err := tx.q.WebhookAdd(ctx, body)
		if err != nil {
			return nil, nil, err
		}
		webhooks = []int64{id}
	}
	for _, address := range to {
		id, err := tx.AddMail(ctx, ch.Message(a, address))
		switch {
		case errors.Is(err, notice.ErrBadMail):
			// An account whose name no mail goes to: the operators hear of it later.
		case err != nil:
			return nil, nil, err
		default:
			mails = append(mails, id)
		}
	}
	return mails, webhooks, nil
}

// Alerts returns the operators' alerts: those that are open, and at most most of
// those that are over, newest first.
func (s *Store) Alerts(ctx context.Context, most int) (open, over []notice.Alert, err error) {
	rows, err := s.q.AlertsOpen(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("list the alerts: %w", err)
	}
	open = alertsOf(rows)
	if rows, err = s.q.AlertsOver(ctx, int32(most)); err != nil {
		return nil, nil, fmt.Errorf("list the alerts: %w", err)
	}
	return open, alertsOf(rows), nil
}

func alertsOf(rows []dbgen.Alert) []notice.Alert {
	list := make([]notice.Alert, len(rows))
	for i, r := range rows {
		list[i] = alertOf(r)
	}
	return list
}

func alertOf(r dbgen.Alert) notice.Alert {
	return notice.Alert{
		ID: r.ID, UID: r.Uid, Key: r.Key, Severity: notice.Severity(r.Severity), UserID: derefID(r.UserID), Sentence: r.Sentence, Advice: r.Advice, Path: r.Path,
		OpenedAt: deref(r.OpenedAt), ResolvedAt: deref(r.ResolvedAt),
	}
}

// Report stores what a process, under a name for this start of it, found out
// about itself, and that it runs. role is all, web or worker.
func (s *Store) Report(ctx context.Context, process, host, role string, found notice.Finding) error {
	err := s.InTx(ctx, func(tx *Tx) error { return tx.report(ctx, process, host, role, found) })
	if err != nil {
		return fmt.Errorf("report of this process: %w", err)
	}
	return nil
}

func (tx *Tx) report(ctx context.Context, process, host, role string, found notice.Finding) error {
	found.Keys = tx.sealer.current().marks
	text, err := json.Marshal(found)
	if err == nil {
		err = tx.q.ProcessReport(ctx, dbgen.ProcessReportParams{Process: process, Host: host, Role: role, Facts: text})
	}
	if err == nil {
		err = tx.q.ProcessReportsClean(ctx)
	}
	return err
}

// ErrOtherKey: another process uses another secret key.
var ErrOtherKey = errors.New("another process uses another secret key")

const (
	// announceLock is the key of the advisory lock under which processes announce themselves.
	announceLock = 0x616e_6e6f_756e_6365
	// processTerm is how long a process that gives no sign may still run.
	processTerm = 3 * time.Minute
)

// Announce is the first report of a process. While no credentials are stored, which
// would tell a wrong secret key, it returns [ErrOtherKey] if another process runs
// that has none of the keys of this one. Of several that start at once with
// different keys, one may run.
func (s *Store) Announce(ctx context.Context, process, host, role string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", announceLock); err != nil {
			return err
		}
		if err := tx.checkOthers(ctx); err != nil {
			return err
		}
		return tx.report(ctx, process, host, role, notice.Finding{})
	})
	if err != nil {
		return fmt.Errorf("announce this process: %w", err)
	}
	return nil
}

func (tx *Tx) checkOthers(ctx context.Context) error {
	_, err := tx.q.ConnectionAnySealed(ctx)
	if !errors.Is(err, pgx.ErrNoRows) {
		return err // the key opens it, see CheckSecretKey
	}
	others, err := tx.q.ProcessesAlive(ctx, processTerm)
	if err != nil {
		return err
	}
	ours := tx.sealer.current().marks
	for _, facts := range others {
		var found notice.Finding
		if err := json.Unmarshal(facts, &found); err != nil {
			return fmt.Errorf("read what a process found: %w", err)
		}
		if len(found.Keys) > 0 && !slices.ContainsFunc(found.Keys, func(mark string) bool { return slices.Contains(ours, mark) }) {
			return ErrOtherKey
		}
	}
	return nil
}

// foreignPage is how many credentials are opened at a time.
const foreignPage = 500

// Foreign returns connections whose credentials the key of this process does not
// open, at most most of them.
func (s *Store) Foreign(ctx context.Context, most int) ([]int64, error) {
	var ids []int64
	var after int64
	for {
		rows, err := s.q.CredentialsSealed(ctx, dbgen.CredentialsSealedParams{After: after, Most: foreignPage})
		if err != nil {
			return nil, fmt.Errorf("try the secret key: %w", err)
		}
		for _, r := range rows {
			after = r.ID
			if _, err := s.sealer.openCredentials(r.Sealed, r.UserID); err != nil {
				ids = append(ids, r.ID)
			}
			if len(ids) == most {
				return ids, nil
			}
		}
		if len(rows) < foreignPage {
			return ids, nil
		}
	}
}
