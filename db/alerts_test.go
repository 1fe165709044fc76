package db_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"furrow/db"
	"furrow/ledger/notice"
)

// guard is a fixture whose alerts are kept by hand.
type guard struct {
	*fixture
	channels        notice.Channels
	mails, webhooks int // rung for so far
}

func newGuard(t *testing.T) *guard {
	t.Helper()
	g := &guard{fixture: newFixture(t), channels: notice.Channels{Mail: true, MailTo: []string{"ops@example.com", "night@example.com"}, Webhook: true, Site: "https://furrow.example"}}
	g.report(t, "worker", notice.Finding{})
	return g
}

func (g *guard) report(t *testing.T, role string, found notice.Finding) {
	t.Helper()
	if err := g.store.Report(t.Context(), "process of "+role, "host", role, found); err != nil {
		t.Fatal(err)
	}
}

// ring counts, in place of a queue.
func (g *guard) ring(_ context.Context, _ pgx.Tx, mails, webhooks []int64) error {
	g.mails += len(mails)
	g.webhooks += len(webhooks)
	return nil
}

// look looks once. What was not found is over when it has been away for so long.
func (g *guard) look(t *testing.T, away time.Duration) (changed []notice.Alert) {
	t.Helper()
	changed, err := g.store.KeepAlerts(t.Context(), g.channels, away, g.ring)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// pass lets time pass for the causes that have been found.
func (g *guard) pass(t *testing.T, span time.Duration) {
	t.Helper()
	g.exec(t, "update alerts set found_at = found_at - $1::interval, seen_at = seen_at - $1::interval where resolved_at is null", span)
}

// open are the keys of the alerts that are open.
func (g *guard) open(t *testing.T) []string {
	t.Helper()
	return column[string](t, g.pool, "select key from alerts where opened_at is not null and resolved_at is null order by key")
}

// opens checks that there is no alert before the grace is over, one after it, that
// it is told once to everybody it concerns, and that its end is when heal has
// taken its cause away.
func (g *guard) opens(t *testing.T, key string, grace time.Duration, heal func()) {
	t.Helper()
	if grace > 0 {
		g.look(t, time.Hour)
		g.pass(t, grace-time.Minute)
		if changed := g.look(t, time.Hour); len(changed) > 0 || len(g.open(t)) > 0 {
			t.Errorf("alerts before %v: %v", grace, changed)
		}
		g.pass(t, time.Minute)
	}
	changed := g.look(t, time.Hour)
	if len(changed) != 1 || changed[0].Key != key || changed[0].Resolved() {
		t.Fatalf("alerts %v, want %s", changed, key)
	}
	a := changed[0]
	if a.Sentence == "" || a.Advice == "" || !strings.HasPrefix(a.Path, "/") || strings.Contains(a.Sentence, "@") {
		t.Errorf("the alert says %+v", a)
	}
	if g.mails != 2 || g.webhooks != 1 {
		t.Errorf("%d mails and %d webhooks, want 2 and 1", g.mails, g.webhooks)
	}
	if changed := g.look(t, time.Hour); len(changed) != 0 || g.mails != 2 || g.webhooks != 1 {
		t.Errorf("it was told again: %v, %d mails and %d webhooks", changed, g.mails, g.webhooks)
	}
	heal()
	if changed := g.look(t, time.Hour); len(changed) != 0 {
		t.Errorf("it is over at once: %v", changed)
	}
	if changed := g.look(t, 0); len(changed) != 1 || !changed[0].Resolved() || changed[0].ID != a.ID || changed[0].UID != a.UID {
		t.Errorf("%v, want the alert to be over", changed)
	}
	g.look(t, 0)
	if g.mails != 4 || g.webhooks != 2 {
		t.Errorf("after its end %d mails and %d webhooks, want 4 and 2", g.mails, g.webhooks)
	}
	open, over, err := g.store.Alerts(t.Context(), 10)
	if err != nil || len(open) != 0 || len(over) != 1 || over[0].Key != key {
		t.Errorf("the list has %v and %v (%v)", open, over, err)
	}
}

// stuck is a guard with a write that was confirmed 16 minutes ago.
func stuck(t *testing.T) *guard {
	t.Helper()
	g := newGuard(t)
	g.plan(t, g.cell(0, 0), 60, "")
	g.push(t, nil)
	g.exec(t, "update writes set created_at = now() - interval '16 minutes'")
	return g
}

func TestAlertUnsent(t *testing.T) {
	t.Parallel()
	g := stuck(t)
	g.exec(t, "insert into api_gates (scope, step, burst) values ('provider', '0', 0)")
	g.opens(t, "unsent", 5*time.Minute, func() { g.exec(t, "update writes set state = 'done', finished_at = now()") })
}

// TestAlertUnsentQuiet: a write that waits for good reason alarms nobody.
func TestAlertUnsentQuiet(t *testing.T) {
	t.Parallel()
	gate := "insert into api_gates (scope, step, burst, %s) values ('%s', '0', 0, %s)"
	for name, statement := range map[string]string{
		"an outage":                   fmt.Sprintf(gate, "cb_state, cb_open_until", "provider", "1, now() + interval '30 s'"),
		"a probe in an outage":        fmt.Sprintf(gate, "cb_state, cb_probe_until", "provider", "2, now() + interval '30 s'"),
		"its connection fails":        fmt.Sprintf(gate, "cb_state", "connection:1:general", "1"),
		"Harvest wants silence":       fmt.Sprintf(gate, "blocked_until", "connection:1:general", "now() + interval '5 minutes'"),
		"it is held":                  "update harvest_connections set held_since = now()",
		"it is paused":                "update harvest_connections set paused_until = now() + interval '1 hour'",
		"it needs its user":           "update harvest_connections set state = 'needs_reauth'",
		"it is over":                  "update writes set state = 'rejected', finished_at = now()",
		"it is young":                 "update writes set created_at = now() - interval '9 minutes'",
		"Harvest failed just now":     "update writes set state = 'retry', error_reason = 'server', error_status = 503, not_before = now() + interval '1 minute'",
		"an operator paused the push": "insert into river_queue (name, created_at, updated_at, paused_at) values ('push', now(), now(), now())",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := stuck(t)
			g.exec(t, strings.ReplaceAll(statement, "connection:1:", fmt.Sprintf("connection:%d:", g.connectionID)))
			g.look(t, time.Hour)
			g.pass(t, 50*time.Minute)
			g.look(t, time.Hour)
			if open := g.open(t); slices.Contains(open, "unsent") {
				t.Errorf("the alerts are %v", open)
			}
		})
	}
}

// TestAlertUnsentAgain: what failed at Harvest long ago, and was not tried again,
// is ours.
func TestAlertUnsentAgain(t *testing.T) {
	t.Parallel()
	g := stuck(t)
	g.exec(t, "update writes set state = 'retry', error_reason = 'server', error_status = 503, not_before = now() - interval '4 minutes'")
	g.opens(t, "unsent", 5*time.Minute, func() { g.exec(t, "update writes set state = 'dropped', finished_at = now()") })
}

// TestAlertOutage: an outage is told as information, and so is a Harvest that
// answers but takes nothing; a breaker that an operator opened is not one.
func TestAlertOutage(t *testing.T) {
	t.Parallel()
	t.Run("of all", func(t *testing.T) {
		t.Parallel()
		g := stuck(t)
		g.exec(t, "insert into api_gates (scope, step, burst, cb_state, cb_open_until) values ('provider', '0', 0, 1, now())")
		g.opens(t, "outage", 5*time.Minute, func() { g.exec(t, "update api_gates set cb_state = 0"); g.exec(t, "delete from writes") })
		if severity := column[string](t, g.pool, "select severity from alerts"); !slices.Equal(severity, []string{"information"}) {
			t.Errorf("severity %v", severity)
		}
	})
	t.Run("of changes alone", func(t *testing.T) {
		t.Parallel()
		g := stuck(t)
		g.exec(t, "update writes set state = 'retry', error_reason = 'server', error_status = 503, not_before = now() + interval '1 minute'")
		g.opens(t, "outage", 5*time.Minute, func() { g.exec(t, "delete from writes") })
	})
	t.Run("by an operator", func(t *testing.T) {
		t.Parallel()
		g := stuck(t)
		g.exec(t, "insert into api_gates (scope, step, burst, cb_state, cb_open_until, forced_until) select 'provider', '0', 0, 1, t, t from (select now() + interval '1 hour' as t) x")
		g.look(t, time.Hour)
		g.pass(t, 50*time.Minute)
		if changed := g.look(t, time.Hour); len(changed) != 0 {
			t.Errorf("alerts %v", changed)
		}
	})
}

// TestAlertRevoked: the user hears of it at once, and the operators after an hour.
func TestAlertRevoked(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	if err := g.store.RevokeConnection(t.Context(), g.connectionID); err != nil {
		t.Fatal(err)
	}
	if changed := g.look(t, time.Hour); len(changed) != 1 || changed[0].UserID != g.userID || g.mails != 1 || g.webhooks != 0 {
		t.Fatalf("%v, %d mails, %d webhooks: want the user to be told", changed, g.mails, g.webhooks)
	}
	if to := column[string](t, g.pool, "select recipient from mails"); !slices.Equal(to, []string{"ida@example.com"}) {
		t.Errorf("mails to %v", to)
	}
	if open, _, err := g.store.Alerts(t.Context(), 10); err != nil || len(open) != 0 {
		t.Errorf("the operators' list has %v (%v)", open, err)
	}
	g.mails = 0
	g.exec(t, "delete from mails")
	g.exec(t, "update alerts set seen_at = seen_at, found_at = now() where opened_at is null")
	g.pass(t, 59*time.Minute)
	if changed := g.look(t, 2*time.Hour); len(changed) != 0 {
		t.Errorf("the operators hear after less than an hour: %v", changed)
	}
	g.pass(t, time.Minute)
	if changed := g.look(t, 2*time.Hour); len(changed) != 1 || changed[0].UserID != 0 || g.mails != 2 || g.webhooks != 1 {
		t.Errorf("%v, %d mails, %d webhooks: want the operators to be told", changed, g.mails, g.webhooks)
	}
	err := g.store.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Connect(t.Context(), g.userID, token, account(1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if changed := g.look(t, 0); len(changed) != 2 || g.mails != 4 || g.webhooks != 2 {
		t.Errorf("%v, %d mails, %d webhooks: want the end to be told to the operators", changed, g.mails, g.webhooks)
	}

	g.channels.Mail, g.channels.MailTo = false, nil
	if err := g.store.RevokeConnection(t.Context(), g.connectionID); err != nil {
		t.Fatal(err)
	}
	g.look(t, time.Hour)
	if keys := column[string](t, g.pool, "select key from alerts where resolved_at is null"); !slices.Equal(keys, []string{fmt.Sprintf("revoked:%d", g.connectionID)}) {
		t.Errorf("without mail there is %v", keys)
	}
}

// args is some job.
type args struct{}

func (args) Kind() string { return "harvest_push" }

// TestAlertQueue: jobs that are due, and nobody takes; and one that runs for ever.
func TestAlertQueue(t *testing.T) {
	t.Parallel()
	insert := func(t *testing.T, g *guard) {
		t.Helper()
		client, err := river.NewClient(riverpgxv5.New(g.pool), &river.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Insert(t.Context(), args{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("due", func(t *testing.T) {
		t.Parallel()
		g := newGuard(t)
		insert(t, g)
		if changed := g.look(t, 0); len(changed) != 0 || len(column[string](t, g.pool, "select key from alerts")) != 0 {
			t.Errorf("a job that has just come is %v", changed)
		}
		g.exec(t, "update river_job set scheduled_at = now() - interval '3 minutes'")
		g.opens(t, "queue", 3*time.Minute, func() { g.exec(t, "update river_job set state = 'completed', finalized_at = now()") })
	})
	t.Run("paused", func(t *testing.T) {
		t.Parallel()
		g := newGuard(t)
		insert(t, g)
		g.exec(t, "update river_job set scheduled_at = now() - interval '3 hours'")
		g.exec(t, "insert into river_queue (name, created_at, updated_at, paused_at) values ('default', now(), now(), now())")
		g.look(t, 0)
		if keys := column[string](t, g.pool, "select key from alerts"); len(keys) != 0 {
			t.Errorf("alerts %v", keys)
		}
	})
	t.Run("running", func(t *testing.T) {
		t.Parallel()
		g := newGuard(t)
		insert(t, g)
		g.exec(t, "update river_job set state = 'running', attempted_at = now() - interval '3 minutes'")
		g.opens(t, "running", 3*time.Minute, func() { g.exec(t, "update river_job set state = 'completed', finalized_at = now()") })
	})
}

// TestAlertNoWorkers: web processes alone are no program; nor is one that started
// a moment ago.
func TestAlertNoWorkers(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	g.exec(t, "delete from process_reports")
	g.report(t, "web", notice.Finding{})
	if changed := g.look(t, 0); len(changed) != 0 {
		t.Errorf("at the start: %v", changed)
	}
	g.exec(t, "update process_reports set started_at = now() - interval '6 minutes'")
	g.opens(t, notice.NoWorkers, 0, func() { g.report(t, "worker", notice.Finding{}) })
	g.exec(t, "update process_reports set started_at = now() - interval '1 hour', seen_at = seen_at - case role when 'worker' then interval '6 minutes' else '0' end")
	if changed := g.look(t, 0); len(changed) != 1 || changed[0].Key != notice.NoWorkers || changed[0].Resolved() {
		t.Errorf("a worker that died: %v", changed)
	}
}

// TestAlertKey: credentials that another key sealed.
func TestAlertKey(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	if ids, err := g.store.Foreign(t.Context(), 10); err != nil || len(ids) != 0 {
		t.Fatalf("foreign: %v, %v", ids, err)
	}
	sealer, err := db.NewSealer([]byte("another-key-another-key-another!"))
	if err != nil {
		t.Fatal(err)
	}
	other := db.NewStore(g.pool, sealer)
	err = other.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Connect(t.Context(), g.userID, token, account(1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := g.store.Foreign(t.Context(), 10)
	if err != nil || !slices.Equal(ids, []int64{g.connectionID}) {
		t.Fatalf("foreign: %v, %v", ids, err)
	}
	g.report(t, "worker", notice.Finding{Foreign: ids})
	g.opens(t, "key", 0, func() { g.report(t, "worker", notice.Finding{}) })
}

// TestAlertDisk: one alert for a disk, however many processes store there, until
// there is room or its process is gone.
func TestAlertDisk(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	found := notice.Finding{Disks: []notice.Disk{{Path: "/var/lib/furrow", Free: 1 << 29, Total: 20 << 30, Low: true}, {Path: "/data", Free: 1, Total: 2}}}
	g.report(t, "worker", found)
	g.report(t, "web", found)
	g.opens(t, "disk:host:/var/lib/furrow", 0, func() {
		g.report(t, "worker", notice.Finding{})
		g.exec(t, "update process_reports set seen_at = now() - interval '4 minutes' where role = 'web'")
	})
}

// TestAlertFlaps: what comes and goes is told once, and what was there for a
// moment not at all.
func TestAlertFlaps(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	low := notice.Finding{Disks: []notice.Disk{{Path: "/data", Low: true}}}
	for range 3 {
		g.report(t, "worker", low)
		g.look(t, time.Minute)
		g.report(t, "worker", notice.Finding{})
		g.look(t, time.Minute)
	}
	if g.webhooks != 1 || len(g.open(t)) != 1 {
		t.Errorf("%d webhooks, alerts %v", g.webhooks, g.open(t))
	}
	g = newGuard(t)
	g.plan(t, g.cell(0, 0), 60, "")
	g.push(t, nil)
	g.exec(t, "update writes set created_at = now() - interval '16 minutes'")
	g.look(t, time.Minute)
	g.exec(t, "update writes set state = 'done', finished_at = now()")
	g.pass(t, 10*time.Minute)
	g.look(t, time.Minute)
	if n := g.int(t, "select count(*) from alerts"); n != 0 || g.webhooks != 0 {
		t.Errorf("%d alerts, %d webhooks of what was over before its time", n, g.webhooks)
	}
}

// TestAlertChannels: a process without a way to tell the operators leaves that to
// one that has; what was never told does not end either.
func TestAlertChannels(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	channels := g.channels
	low := notice.Finding{Disks: []notice.Disk{{Path: "/data", Low: true}}}
	g.report(t, "worker", low)
	g.channels = notice.Channels{}
	if changed := g.look(t, 0); len(changed) != 1 || g.mails+g.webhooks != 0 {
		t.Errorf("%v, %d mails, %d webhooks", changed, g.mails, g.webhooks)
	}
	g.channels = channels
	if changed := g.look(t, 0); len(changed) != 0 || g.mails != 2 || g.webhooks != 1 {
		t.Errorf("%v, %d mails, %d webhooks", changed, g.mails, g.webhooks)
	}
	g.channels = notice.Channels{}
	g.report(t, "worker", notice.Finding{})
	g.look(t, 0)
	g.report(t, "worker", low)
	g.look(t, 0)
	g.report(t, "worker", notice.Finding{})
	g.look(t, 0)
	g.channels = channels
	g.look(t, 0)
	g.look(t, 0)
	if g.mails != 4 || g.webhooks != 2 {
		t.Errorf("%d mails and %d webhooks of two alerts, one of which was over before anybody could tell it; want 4 and 2", g.mails, g.webhooks)
	}
}

// TestAlertsOfMany: however many processes look at the same moment, one tells.
func TestAlertsOfMany(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	g.report(t, "worker", notice.Finding{Disks: []notice.Disk{{Path: "/data", Low: true}}})
	const looks = 8
	errs := make(chan error, looks)
	for range looks {
		go func() {
			_, err := g.store.KeepAlerts(t.Context(), g.channels, 0, func(context.Context, pgx.Tx, []int64, []int64) error { return nil })
			errs <- err
		}()
	}
	for range looks {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	g.look(t, 0)
	if alerts, webhooks := g.int(t, "select count(*) from alerts"), g.int(t, "select count(*) from webhooks"); alerts != 1 || webhooks != 1 {
		t.Errorf("%d alerts and %d webhooks", alerts, webhooks)
	}
}
