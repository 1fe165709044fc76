package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/ledger/notice"
)

// receiver is where webhooks arrive.
type receiver struct {
	fail func(notice.Webhook) error // nil: it takes all

	mu  sync.Mutex
	got []notice.Webhook
}

func (r *receiver) Post(_ context.Context, webhook notice.Webhook) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, webhook)
	if r.fail != nil {
		return r.fail(webhook)
	}
	return nil
}

func (r *receiver) attempts() []notice.Webhook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// watchOver looks often, until the test ends.
func watchOver(t *testing.T, w *jobs.Watch) {
	t.Helper()
	w.Host, w.Every, w.Log = "host", 50*time.Millisecond, slog.New(slog.DiscardHandler)
	if w.Disks == nil {
		w.Disks = func() ([]notice.Disk, error) { return nil, nil }
	}
	if err := w.Announce(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestWebhook: an alert and its end reach a receiver that is down at first, by
// attempts under the same id.
func TestWebhook(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	r := &receiver{}
	r.fail = func(webhook notice.Webhook) error {
		if webhook.Attempt < 3 {
			return errors.New("down")
		}
		return nil
	}
	o.run(t, &jobs.Work{Poster: r})
	var mu sync.Mutex
	low := true
	watchOver(t, &jobs.Watch{Store: o.store, Queue: o.bell, Role: "worker", Channels: notice.Channels{Webhook: true}, Disks: func() ([]notice.Disk, error) {
		mu.Lock()
		defer mu.Unlock()
		return []notice.Disk{{Path: "/data", Low: low}}, nil
	}})
	sent := func(n string) func() bool {
		return func() bool { return o.one(t, "select count(*)::text from webhooks where state = 'sent'") == n }
	}
	waitFor(t, "the alert to be posted", sent("1"))
	mu.Lock()
	low = false
	mu.Unlock()
	waitFor(t, "its end to be posted", sent("2"))
	attempts := r.attempts()
	ids := map[string]int{}
	for _, a := range attempts {
		ids[a.MessageID]++
	}
	if len(attempts) != 6 || len(ids) != 2 || ids[attempts[0].MessageID] != 3 {
		t.Errorf("attempts by id: %v, want 3 of each of 2", ids)
	}
	if !strings.Contains(attempts[0].Body, `"type":"alert.opened"`) || !strings.Contains(attempts[5].Body, `"type":"alert.resolved"`) {
		t.Errorf("posted %s and %s", attempts[0].Body, attempts[5].Body)
	}
}

// TestWebhookGivenUp: a receiver that has been down for a day is let be.
func TestWebhookGivenUp(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.exec(t, "insert into webhooks (body, created_at, ring_at) values ('{}', now() - interval '25 hours', now())")
	o.run(t, &jobs.Work{Poster: &receiver{fail: func(notice.Webhook) error { return errors.New("down") }}})
	waitFor(t, "it to be given up", func() bool { return o.one(t, "select state || attempts || error from webhooks") == "given_up1down" })
}

// TestWatchIsRecorded: operators see when it was last looked for what is wrong, and
// what came of it.
func TestWatchIsRecorded(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	var broken atomic.Bool
	watchOver(t, &jobs.Watch{Store: o.store, Queue: o.bell, Role: "web", Disks: func() ([]notice.Disk, error) {
		if broken.Load() {
			return nil, errors.New("no such disk")
		}
		return nil, nil
	}})
	is := func(condition string) func() bool {
		return func() bool {
			return o.one(t, "select count(*)::text from schedules where name = $1 and every = '50 ms' and "+condition, jobs.ScheduleWatch) == "1"
		}
	}
	waitFor(t, "a look that went well", is("failures = 0 and error = '' and ended_well >= started_at"))
	broken.Store(true)
	waitFor(t, "looks that failed", is("failures > 1 and error = 'no such disk'"))
	broken.Store(false)
	waitFor(t, "one that went well after them", is("failures = 0 and error = ''"))
}

// TestNobodyWorks: when no worker is left, the web process itself tells so, and
// what waits to be told; a process that works leaves that to its jobs.
func TestNobodyWorks(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	r := &receiver{}
	var mu sync.Mutex
	var letters []string
	mailer := mailerFunc(func(l notice.Letter) error {
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l.To)
		return nil
	})
	o.exec(t, "insert into process_reports (process, host, role, facts, started_at, seen_at) values ('dead', 'host', 'worker', '{}', now() - interval '1 hour', now() - interval '6 minutes')")
	watchOver(t, &jobs.Watch{Store: o.store, Queue: o.bell, Role: "web", Mailer: mailer, Poster: r, Channels: notice.Channels{Mail: true, MailTo: []string{"ops@example.com"}, Webhook: true}})
	waitFor(t, "the notices", func() bool {
		return o.one(t, "select (select count(*) from mails)::text || (select count(*) from webhooks)") == "11"
	})
	o.exec(t, "update mails set ring_at = now()")
	o.exec(t, "update webhooks set ring_at = now()")
	waitFor(t, "them to be delivered", func() bool {
		return o.one(t, "select (select state from mails) || (select state from webhooks)") == "sentsent"
	})
	mu.Lock()
	defer mu.Unlock()
	if posts := r.attempts(); len(posts) != 1 || !strings.Contains(posts[0].Body, notice.NoWorkers) || !slices.Equal(letters, []string{"ops@example.com"}) {
		t.Errorf("posted %v, mailed %v", posts, letters)
	}
}

// TestOutageAtNight: Harvest answers 503. Once the breaker has been open for long
// enough, the operators are told that, and nothing else; and when it is over.
func TestOutageAtNight(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{gate: true})
	b.sandbox.Fault(t, sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 503})
	b.plan(t, b.cell(0, 0), 60, "night")
	b.confirm(t, nil)
	b.run(t, b.work())
	waitFor(t, "the breaker to open", func() bool {
		return b.number(t, "select count(*) from api_gates where scope = 'provider' and cb_state <> 0") == 1
	})
	b.exec(t, "update writes set created_at = now() - interval '8 hours'")

	watchOver(t, &jobs.Watch{Store: b.store, Queue: b.bell, Role: "all", Channels: notice.Channels{Webhook: true}})
	causes := func(so string) int { return b.number(t, "select count(*) from alerts where "+so) }
	waitFor(t, "the outage to be found", func() bool { return causes("key = 'outage'") == 1 })
	if n := causes("opened_at is not null"); n != 0 {
		t.Errorf("%d alerts in the first minutes", n)
	}
	b.exec(t, "update alerts set found_at = found_at - interval '6 hours'")
	waitFor(t, "the outage to be told", func() bool { return causes("key = 'outage' and severity = 'information' and told_at is not null") == 1 })

	b.sandbox.ClearFaults(t)
	b.exec(t, "update api_gates set cb_open_until = now()") // not to wait for up to a minute
	b.settled(t, ledger.Done)
	waitFor(t, "the end to be told", func() bool { return causes("key = 'outage' and end_told_at is not null") == 1 })
	if n := causes("key <> 'outage' and opened_at is not null"); n != 0 {
		t.Errorf("%d other alerts", n)
	}
	if n := b.number(t, "select count(*) from webhooks"); n != 2 {
		t.Errorf("%d webhooks, want 2", n)
	}
}
