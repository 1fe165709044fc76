package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/views"
)

// What is wrong is said in the order in which it matters; what is known, or
// heals, is no alarm.
func TestOverviewProblems(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	swept := func(ago time.Duration) []db.Schedule {
		return []db.Schedule{{Name: jobs.ScheduleSweep, Ended: now.Add(-ago)}}
	}
	well := swept(5 * time.Second)
	queue := func(change func(*jobs.QueueStatus)) []jobs.QueueStatus {
		q := jobs.QueueStatus{Backlog: jobs.Backlog{Queue: "push", Due: 1}, Known: true}
		change(&q)
		return []jobs.QueueStatus{q}
	}
	for _, tt := range []struct {
		name  string
		stand standing
		want  []string // "bad" or "note", and the beginning of each sentence
	}{
		{"all is well", standing{schedules: well, oldest: overdue, queues: queue(func(q *jobs.QueueStatus) { q.Oldest = slowQueue })}, nil},
		{"never worked", standing{}, []string{"bad No worker has run yet"}},
		{"no worker", standing{schedules: swept(3 * time.Minute)}, []string{"bad No worker has looked for work for 3 min"}},
		{
			"alerts", standing{schedules: well, alerts: []notice.Alert{{Severity: notice.Information}, {Severity: notice.Alarm, Sentence: "The disk is nearly full."}}},
			[]string{"bad An alert is open: The disk is nearly full."},
		},
		{"an old write", standing{schedules: well, oldest: 23 * time.Minute}, []string{"bad A write has waited for 23 min"}},
		{
			"an old write in an outage",
			standing{schedules: well, oldest: 3 * time.Hour, gates: db.GateSummary{Provider: db.BreakerOpen, Broken: 2}},
			[]string{"note Harvest keeps failing", "note A write has waited for 3 h"},
		},
		{"an operator's breaker", standing{schedules: well, gates: db.GateSummary{Provider: db.BreakerOpen, Forced: true}}, []string{"note An operator holds calls"}},
		{"one connection fails", standing{schedules: well, gates: db.GateSummary{Broken: 1}}, []string{"note Calls keep failing, and are held back, for 1 connection."}},
		{"a slow queue", standing{schedules: well, queues: queue(func(q *jobs.QueueStatus) { q.Oldest = 2 * time.Minute })}, []string{"bad A job has been due for 2 min"}},
		{
			"a paused queue and a failure, the failure first",
			standing{
				queues: queue(func(q *jobs.QueueStatus) { q.Oldest, q.Paused = time.Hour, true }), pauses: map[string]db.QueuePause{"push": {Queue: "push", Reason: "an upgrade"}},
				schedules: append(swept(0), db.Schedule{Name: jobs.ScheduleSample, Failures: 2}),
			},
			[]string{"bad Take samples for the charts: it has failed 2 times", "note A queue is paused: “an upgrade”."},
		},
		{
			"connections", standing{schedules: well, connections: db.ConnectionCounts{NeedsReauth: 1, Paused: 2, Held: 3}},
			[]string{"note Their users must connect again: 1 connection.", "note An operator has paused 2 connections.", "note Nothing is sent for 3 connections"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			problems := tt.stand.problems(now)
			if len(problems) != len(tt.want) {
				t.Fatalf("%+v, want %q", problems, tt.want)
			}
			for i, p := range problems {
				if said := string(p.Tone) + " " + p.Text; !strings.HasPrefix(said, tt.want[i]) || p.URL == "" || p.Link == "" {
					t.Errorf("%d: %q to %q, want %q", i, said, p.URL, tt.want[i])
				}
			}
		})
	}
}

// The page tells how everything stands, draws what was tried, and asks for itself
// while something moves.
func TestOverview(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) { d.Version = "1.2.3" })
	id := b.ida()
	connection := b.connect(id)
	viewer := b.staff(db.RoleViewer)
	if err := b.store.RanSchedule(t.Context(), jobs.ScheduleSweep, time.Second, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	got := viewer.get("/admin")
	if got.status != http.StatusOK || got.text(t, "#admin-live .flash") != "All is well: nothing waits longer than it should." || strings.Contains(got.body, `id="ch-`) {
		t.Errorf("at first: status %d, %q", got.status, got.text(t, "main"))
	}
	if strings.Contains(got.body, "/admin/live/overview") {
		t.Error("it asks for itself while nothing moves")
	}
	b.write(id, connection, seeded{state: ledger.Pending})
	b.write(id, connection, seeded{state: ledger.Rejected, reason: "invalid", status: 422})
	b.exec(`
update writes set created_at = now() - interval '40 minutes';
update harvest_connections set connected_at = now() - interval '1 day';
insert into write_attempts (write_id, at, action, outcome, latency_ms) select w.id, now() - n * interval '7 minutes', 'send', case when n % 10 = 0 then 'unknown' else 'applied' end, n * 10 from writes w, generate_series(1, 100) n`)
	for range 2 { // twice is as once
		if err := b.store.Sample(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got = viewer.get("/admin")
	text := got.text(t, "#admin-live")
	for _, want := range []string{"A write has waited for 40 min to be sent.", "1 refused", "1.2.3", "schema "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if live := viewer.get("/admin/live/overview"); !strings.Contains(got.body, `hx-get="/admin/live/overview"`) || !strings.Contains(live.text(t, "#admin-live"), "A write has waited") {
		t.Errorf("the polled part: status %d, %q", live.status, live.text(t, "#admin-live"))
	}
	samples, err := b.store.Samples(t.Context(), time.Now().Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	attempts, unsure, slowest, oldest := 0, 0, time.Duration(0), time.Duration(0)
	for _, s := range samples {
		attempts, unsure = attempts+s.Attempts, unsure+s.Errors[ledger.OutcomeKind(ledger.Unknown)]
		slowest, oldest = max(slowest, s.P95), max(oldest, s.Oldest)
	}
	if attempts != 200 || unsure != 20 || slowest != time.Second || oldest < 40*time.Minute || oldest > time.Hour {
		t.Errorf("sampled: %d attempts, %d in doubt, slowest %s, oldest %s", attempts, unsure, slowest, oldest)
	}
	for _, span := range []string{"", "?span=1h", "?span=7d"} {
		got := viewer.get("/admin" + span)
		for _, id := range []string{"attempts", "p95", "errors", "oldest"} {
			if rows := got.text(t, "#ct-"+id+" tbody"); rows == "" {
				t.Errorf("%s: no table for %s", span, id)
			}
		}
		if !strings.Contains(got.body, "<rect ") {
			t.Errorf("%s: nothing is drawn", span)
		}
	}
	if got := viewer.get("/admin?span=1y"); got.status != http.StatusNotFound {
		t.Errorf("no such span: status %d", got.status)
	}
}

func TestChartOf(t *testing.T) {
	t.Parallel()
	span, err := chartSpanOf("1h")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 14, 32, 10, 0, time.UTC)
	first := span.first(now)
	if want := time.Date(2026, 11, 23, 13, 35, 0, 0, time.UTC); !first.Equal(want) {
		t.Errorf("begins at %s, want %s", first, want)
	}
	moment := func(t time.Time) views.Moment { return views.MomentAt(t, now, time.UTC, "24h") }
	charts := chartsOf([]db.Sample{
		{At: first.Add(-time.Minute), Attempts: 99},
		{At: first, Attempts: 3, P95: time.Second, Errors: map[ledger.OutcomeKind]int{"refused": 1, "unknown": 1}},
		{At: first.Add(55 * time.Minute), Attempts: 5, Oldest: time.Hour},
	}, span, first, moment)
	for i, want := range []string{
		"Attempts per 5 minutes from 13:35 to 14:30: at most 5, at 14:30", "95 of 100 attempts took from 13:35 to 14:30: at most 1 s, at 13:35",
		"What went wrong per 5 minutes from 13:35 to 14:30: at most 2, at 13:35", "Longest wait of a write to be sent from 13:35 to 14:30: at most 60 min, at 14:30",
	} {
		if charts[i].Summary != want {
			t.Errorf("%q, want %q", charts[i].Summary, want)
		}
	}
}
