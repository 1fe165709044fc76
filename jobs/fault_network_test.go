package jobs_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
)

// Histories of a create with which one thing went wrong.
const (
	storyAdopted = "send unknown, look found"
	storyResent  = "send unknown, look absent, look absent, send applied"
	storyNoTouch = "send applied"
)

// create is the path of a fault that a create meets.
func create(kind string, change func(*sandboxtest.Fault)) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) { b.fault(t, http.MethodPost, entriesPath, kind, 1, change) }
}

// onWire arms faults below HTTP.
func onWire(faults ...sandboxtest.WireFault) func(*testing.T, *bench) {
	return func(_ *testing.T, b *bench) {
		for _, f := range faults {
			b.wire.Break(f)
		}
	}
}

func answering(status int) func(*sandboxtest.Fault) {
	return func(f *sandboxtest.Fault) { f.Status = status }
}

// TestFaultMatrix lets one thing go wrong with the first sending of a create.
// The numbers are the rows of e2e/FAULTS.md. However it goes, the write ends
// done, and Harvest has one entry.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	open := &sandboxtest.WireOptions{}
	authority := sandboxtest.NewAuthority(t)
	good := authority.Issue(t, "127.0.0.1", time.Now().Add(time.Hour))
	overTLS := &sandboxtest.WireOptions{OnceEach: true, Certificate: func() *tls.Certificate { return good }}
	for _, tt := range []struct {
		name    string
		options benchOptions
		arm     func(*testing.T, *bench)
		// wantReasons, if any, are what the write may wait for until the wire is healed.
		wantReasons []string
		wantPosts   int    // that reach Harvest whole
		wantStory   string // empty: not told
		check       func(*testing.T, *bench)
	}{
		{
			name: "01_packets_vanish", options: benchOptions{wire: &sandboxtest.WireOptions{Full: true}, gate: true},
			wantReasons: []string{string(ledger.ReasonUnreachable), string(ledger.ReasonTimeout)}, wantPosts: 1,
			check: neverSentBefore,
		}, {
			name: "01_connection_refused", options: benchOptions{wire: &sandboxtest.WireOptions{Closed: true}},
			wantReasons: []string{string(ledger.ReasonUnreachable)}, wantPosts: 1, check: neverSentBefore,
		}, {
			// The create's connection, not that of the look before it, ends in the handshake,
			// as often as it is tried at once.
			name: "04_reset_before_headers", options: benchOptions{wire: overTLS, roots: authority.Pool},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireReset, After: 1, Times: 3}),
			wantPosts: 1, wantStory: "send not_sent, send applied",
		}, {
			name: "04_reset_on_connect", options: benchOptions{wire: &sandboxtest.WireOptions{OnceEach: true}},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireReset, After: 1, Times: 3}),
			wantPosts: 1, // whether a byte has left is told by chance
		}, {
			name: "05_reset_after_processing", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireLoseAnswer, Method: http.MethodPost, Times: 1}),
			wantPosts: 1, wantStory: storyAdopted,
		}, {
			name: "05_closed_after_processing", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireCutAnswer, Method: http.MethodPost, Times: 1}),
			wantPosts: 1, wantStory: storyAdopted,
		}, {
			name: "05_and_the_reference_filter_lags", wantPosts: 1, wantStory: "send unknown, look absent, look found",
			arm: func(t *testing.T, b *bench) {
				b.sandbox.Switch(t, map[string]any{"reference_filter_lag_ms": 120_000})
				create(sandbox.FaultApplyThenDrop, nil)(t, b)
			},
		}, {
			name: "06_reset_after_half_the_request", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireCutRequest, Method: http.MethodPost, Part: 0.5, Times: 1}),
			wantPosts: 1, wantStory: storyResent,
		}, {
			name: "06_reset_before_the_last_byte", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireCutRequest, Method: http.MethodPost, Part: 0.999, Times: 1}),
			wantPosts: 1, wantStory: storyResent,
		}, {
			name: "07_applied_late", wantPosts: 1, wantStory: storyAdopted,
			arm: create(sandbox.FaultApplyLate, func(f *sandboxtest.Fault) { f.DelayMS = 700 }),
		}, {
			name: "07_answer_after_the_deadline", wantPosts: 1, wantStory: storyAdopted,
			arm: create(sandbox.FaultDelay, func(f *sandboxtest.Fault) { f.DelayMS = 2200 }),
		}, {
			name: "07_no_answer", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireSilence, Method: http.MethodPost, Times: 1}),
			wantPosts: 1, wantStory: storyResent,
		}, {
			name: "09_a_byte_at_a_time", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireDrip, Method: http.MethodPost, Every: 50 * time.Millisecond, Times: 1}),
			wantPosts: 1, wantStory: storyAdopted,
			check: func(t *testing.T, b *bench) {
				if took := b.last(t).Attempts[0].Latency; took < quick().Deadline || took > quick().Deadline+time.Second {
					t.Errorf("it was waited for %v, want the deadline", took)
				}
			},
		}, {
			name: "10_half_of_the_JSON", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireCutAnswer, Method: http.MethodPost, Part: 0.75, Times: 1}),
			wantPosts: 1, wantStory: storyAdopted,
		}, {
			name: "11_200_with_a_page", wantPosts: 2, wantStory: storyResent, arm: create(sandbox.FaultHTML200, nil),
		}, {
			name: "12_201_with_nothing", wantPosts: 2, wantStory: storyResent,
			arm: create(sandbox.FaultStatus, func(f *sandboxtest.Fault) { f.Status, f.Body = http.StatusCreated, "empty" }),
		}, {
			name: "12_less_than_promised", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireCutAnswer, Method: http.MethodPost, Part: 0.999, Times: 1}),
			wantPosts: 1, wantStory: storyAdopted,
		}, {
			name: "13_redirect_to_another_host", wantPosts: 2, wantStory: storyResent,
			arm: func(t *testing.T, b *bench) {
				elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					t.Errorf("%s %s with the token %q went elsewhere", r.Method, r.URL.Path, r.Header.Get("Authorization"))
				}))
				t.Cleanup(elsewhere.Close)
				create(sandbox.FaultRedirect, func(f *sandboxtest.Fault) { f.Location = elsewhere.URL + entriesPath })(t, b)
			},
		}, {
			name: "14_redirect_to_itself", wantPosts: 2, wantStory: storyResent,
			arm: create(sandbox.FaultRedirect, func(f *sandboxtest.Fault) { f.Location = entriesPath }),
		}, {
			name: "14_a_body_without_end", wantPosts: 2, wantStory: storyResent,
			arm: create(sandbox.FaultHugeBody, func(f *sandboxtest.Fault) { f.Bytes = 12 << 20 }),
		}, {
			name: "15_kept-alive_connection_closed_under_a_create", options: benchOptions{wire: open},
			arm:       onWire(sandboxtest.WireFault{Kind: sandboxtest.WireCutRequest, Method: http.MethodPost, Times: 1}),
			wantPosts: 1, wantStory: storyResent,
			check: func(t *testing.T, b *bench) {
				if n := b.wire.Connections(); n != 2 {
					t.Errorf("%d connections, want the one that was kept and a new one", n)
				}
			},
		}, {
			name: "15_kept-alive_connection_closed_under_a_look", options: benchOptions{wire: open},
			arm: func(t *testing.T, b *bench) {
				b.plan(t, b.cell(1, 1), 15, "")
				b.wire.Break(sandboxtest.WireFault{Kind: sandboxtest.WireCutRequest, Method: http.MethodGet, After: 1, Times: 1})
			},
			wantPosts: 2, wantStory: storyNoTouch,
		}, {
			name: "16_429", wantPosts: 2, wantStory: "send wait, send applied",
			arm: create(sandbox.FaultStatus, func(f *sandboxtest.Fault) { f.Status, f.RetryAfter = http.StatusTooManyRequests, 1 }),
		}, {
			name: "16_429_to_the_look_before", wantPosts: 1, wantStory: "look wait, send applied",
			arm: func(t *testing.T, b *bench) {
				b.fault(t, http.MethodGet, entriesPath, sandbox.FaultStatus, 1, func(f *sandboxtest.Fault) { f.Status, f.RetryAfter = 429, 1 })
			},
		}, {
			name: "19_500_once", wantPosts: 2, wantStory: storyResent, arm: create(sandbox.FaultStatus, answering(500)),
		}, {
			name: "19_500_once_it_was_done", wantPosts: 1, wantStory: storyAdopted, arm: create(sandbox.FaultApplyThenStatus, answering(500)),
			options: benchOptions{gate: true}, check: breakersClosed,
		}, {
			name: "19_500_and_the_look-up_fails_too", wantPosts: 2,
			arm: func(t *testing.T, b *bench) {
				create(sandbox.FaultStatus, answering(500))(t, b)
				b.fault(t, http.MethodGet, entriesPath, sandbox.FaultStatus, 5, func(f *sandboxtest.Fault) { f.Status, f.After = 500, 1 })
			},
		}, {
			name: "20_503_once", wantPosts: 2, wantStory: storyResent, arm: create(sandbox.FaultStatus, answering(503)),
		}, {
			name: "20_502_once_it_was_done", wantPosts: 1, wantStory: storyAdopted, arm: create(sandbox.FaultApplyThenStatus, nil),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, tt.options)
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			if tt.arm != nil {
				tt.arm(t, b)
			}
			lines := b.confirm(t, nil)
			b.run(t, b.work())
			if len(tt.wantReasons) > 0 {
				waitFor(t, "a write that waits and says why", func() bool {
					w := b.last(t)
					return w.State == ledger.Retry && slices.Contains(tt.wantReasons, w.Reason) && w.NotBefore.After(time.Now())
				})
				b.toldToWait(t, lines)
				b.wire.Heal(t)
			}
			b.settled(t, ledger.Done)
			if got := story(b.last(t)); tt.wantStory != "" && got != tt.wantStory {
				t.Errorf("history %q, want %q", got, tt.wantStory)
			}
			if n := b.posts(t); n != tt.wantPosts {
				t.Errorf("%d creates arrived, want %d", n, tt.wantPosts)
			}
			b.exactlyAsPlanned(t)
			if tt.check != nil {
				tt.check(t, b)
			}
			if t.Failed() {
				b.tell(t, b.writes(t))
			}
		})
	}
}

// TestFault05_ReferenceLost: the answer is lost, and Harvest did not keep the
// reference either. The entry is known by its likeness.
func TestFault05_ReferenceLost(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.plan(t, b.cell(0, 1), 75, "Grid and type")
	b.sandbox.Switch(t, map[string]any{"drop_external_reference": true})
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultApplyThenDrop, 1, nil)
	b.confirm(t, nil)
	b.run(t, b.work())
	b.settled(t, ledger.Done)
	if got, want := story(b.last(t)), "send unknown, look absent, look found"; got != want {
		t.Errorf("history %q, want %q", got, want)
	}
	n := 0
	for _, e := range b.sandbox.Entries(t, b.week.Day(1).String(), b.week.Day(1).String()) {
		if e.Notes != nil && *e.Notes == "Grid and type" && e.CreatedAt.After(time.Now().Add(-time.Minute)) {
			n++
		}
	}
	if n != 1 || b.posts(t) != 1 {
		t.Errorf("%d entries after %d creates", n, b.posts(t))
	}
}

// toldToWait checks that the week tells its owner that so many lines wait, and for what.
func (b *bench) toldToWait(t *testing.T, lines int) {
	t.Helper()
	plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	if w := plan.Writes; w.Waiting+w.Uncertain != lines || w.Reason == "" {
		t.Errorf("the week tells %+v, want %d that wait", w, lines)
	}
}

// neverSentBefore checks that what failed before was no sending.
func neverSentBefore(t *testing.T, b *bench) {
	t.Helper()
	if w := b.last(t); w.Sendings != 1 || !strings.HasPrefix(story(w), "look not_sent") {
		t.Errorf("sent %d times: %s", w.Sendings, story(w))
	}
}

// breakersClosed checks that no failure is remembered.
func breakersClosed(t *testing.T, b *bench) {
	t.Helper()
	var n int
	if err := b.pool.QueryRow(t.Context(), "select count(*) from api_gates where cb_state <> 0 or cb_failures <> 0").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d breakers remember failures, %v", n, err)
	}
}

// TestFault02_NoSuchHost: a name that cannot be resolved costs the write no sending,
// and is resolved anew each time.
func TestFault02_NoSuchHost(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{harvest: "https://harvest.invalid"})
	b.plan(t, b.cell(0, 1), 75, "Grid and type")
	b.confirm(t, nil)
	stop := b.run(t, b.work())
	waitFor(t, "a write that waits", func() bool {
		w := b.last(t)
		return w.State == ledger.Retry && (w.Reason == string(ledger.ReasonUnreachable) || w.Reason == string(ledger.ReasonTimeout))
	})
	b.toldToWait(t, 1)
	stop()
	var err error
	if b.harvest, err = harvest.New(harvest.Config{BaseURL: b.sandbox.URL}); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.work())
	b.settled(t, ledger.Done)
	neverSentBefore(t, b)
	b.exactlyAsPlanned(t)
}

// TestFault03_Certificate: while somebody else answers at Harvest's address, it is
// asked once a minute, and told nothing.
func TestFault03_Certificate(t *testing.T) {
	t.Parallel()
	authority := sandboxtest.NewAuthority(t)
	var certificate atomic.Pointer[tls.Certificate]
	certificate.Store(authority.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour)))
	b := setUp(t, benchOptions{wire: &sandboxtest.WireOptions{Certificate: certificate.Load}, roots: authority.Pool})
	for i := range 3 {
		b.plan(t, b.cell(i, 1), 75, "")
	}
	lines := b.confirm(t, nil)
	asked := time.Now()
	b.run(t, b.work())
	waitFor(t, "writes that wait", func() bool {
		return !slices.ContainsFunc(b.writes(t), func(w db.WriteRecord) bool {
			return w.Reason != string(ledger.WaitUntrusted) || w.NotBefore.Before(asked.Add(time.Minute))
		})
	})
	b.toldToWait(t, lines)
	b.ring(t, 3)
	b.jobsRest(t)
	id := b.startRun(t)
	waitFor(t, "a pull that waits", func() bool {
		run, err := b.store.RunStatus(t.Context(), b.userID, id)
		return err == nil && run.State == ledger.RunWaiting && run.Reason == string(ledger.WaitUntrusted) && run.NextTry.After(asked.Add(time.Minute))
	})
	if n, requests := b.wire.Connections(), b.sandbox.Requests(t); n != 2 || len(requests) != 0 {
		t.Errorf("%d connections, want one of the push and one of the pull; requests %v", n, requests)
	}

	certificate.Store(authority.Issue(t, "127.0.0.1", time.Now().Add(time.Hour)))
	b.connect(t) // its owner does not wait for the minute
	b.ring(t, 1)
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	if n := b.posts(t); n != lines {
		t.Errorf("%d creates", n)
	}
}

// TestFault17_Waits: a wait that Harvest asks for is kept within bounds, and one
// that it does not name is a quarter of a minute.
func TestFault17_Waits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		style   string
		seconds int
		slow    time.Duration // how far Harvest's clock is behind
		want    time.Duration // up to a fifth more, for jitter
	}{
		{"in a year", "seconds", 365 * 24 * 3600, 0, 15 * time.Minute},
		{"at a date in a year", "date", 365 * 24 * 3600, 0, 15 * time.Minute},
		{"at a date that is over", "date", 60, time.Hour, time.Second},
		{"not told", "none", 60, 0, 15 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.sandbox.Switch(t, map[string]any{"retry_after": tt.style})
			b.sandbox.Advance(t, -tt.slow)
			b.plan(t, b.cell(0, 1), 75, "")
			b.fault(t, http.MethodPost, entriesPath, sandbox.FaultStatus, 1, func(f *sandboxtest.Fault) { f.Status, f.RetryAfter = 429, tt.seconds })
			b.confirm(t, nil)
			b.drain(t)
			w := b.last(t)
			// One is told for the attempt, and a moment later one for the whole connection.
			if wait := w.NotBefore.Sub(w.Attempts[0].At); w.State != ledger.Retry || wait < tt.want || wait > tt.want*6/5+2*time.Second {
				t.Errorf("the write is %s and waits %v, want %v", w.State, wait, tt.want)
			}
			b.connect(t) // its owner does not wait
			b.drain(t)
			if got, want := story(b.last(t)), "send wait, send applied"; got != want {
				t.Errorf("history %q, want %q", got, want)
			}
			b.exactlyAsPlanned(t)
		})
	}
}

// jobsRest waits until no job is to be worked before a time that is to come.
func (b *bench) jobsRest(t *testing.T) {
	t.Helper()
	waitFor(t, "the rest of all jobs", func() bool {
		list, err := b.bell.List(t.Context(), jobs.Filter{Most: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(list, func(job jobs.Record) bool { return job.State == "running" || job.State == "available" })
	})
}
