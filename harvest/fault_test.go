package harvest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

// outcome is what a failed call must come to. Wait, if not zero, asks for a
// WaitError of that long at least.
type outcome struct {
	class  ledger.Class
	reason ledger.Reason
	status int
	wait   time.Duration
}

func (o outcome) check(t *testing.T, err error) {
	t.Helper()
	if o == (outcome{}) {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	if o.wait == 0 {
		checkCall(t, err, o.class, o.reason, o.status)
		return
	}
	var wait *ledger.WaitError
	if !errors.As(err, &wait) || wait.Why != ledger.WaitAsked || wait.Status != o.status || wait.Wait < o.wait || wait.Wait > o.wait*12/10+time.Millisecond {
		t.Errorf("error %v, want to be asked by %d to wait %v", err, o.status, o.wait)
	}
}

// TestFaults makes each call at a Harvest with each fault. After a create that
// is not known to have failed, the look-up must tell whether it has worked.
func TestFaults(t *testing.T) {
	t.Parallel()
	const unlimited = 0 // strikes until cleared
	unknown := func(reason ledger.Reason, status int) outcome {
		return outcome{class: ledger.Unknown, reason: reason, status: status}
	}
	refused := func(reason ledger.Reason, status int) outcome {
		return outcome{class: ledger.Refused, reason: reason, status: status}
	}
	fine := outcome{}
	status := func(status int) sandboxtest.Fault {
		return sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: status}
	}
	withWait := func(status, seconds int) sandboxtest.Fault {
		return sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: status, RetryAfter: seconds}
	}
	html := func(status int) sandboxtest.Fault {
		return sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: status, Body: "html"}
	}
	for _, tt := range []struct {
		name    string
		fault   sandboxtest.Fault
		times   int
		create  outcome // of each write
		applied bool    // whether the create has worked all the same
		read    outcome
		reads   int // requests made by one read
	}{
		{"drop before", sandboxtest.Fault{Fault: sandbox.FaultDropBefore}, unlimited, unknown(ledger.ReasonBroken, 0), false, unknown(ledger.ReasonBroken, 0), 3},
		{"drop before once", sandboxtest.Fault{Fault: sandbox.FaultDropBefore}, 1, unknown(ledger.ReasonBroken, 0), false, fine, 2},
		{"apply then drop", sandboxtest.Fault{Fault: sandbox.FaultApplyThenDrop}, 1, unknown(ledger.ReasonBroken, 0), true, fine, 2},
		{"apply then status", sandboxtest.Fault{Fault: sandbox.FaultApplyThenStatus}, 1, unknown(ledger.ReasonServer, 502), true, fine, 2},
		{"apply then truncate", sandboxtest.Fault{Fault: sandbox.FaultApplyThenTruncate}, 1, unknown(ledger.ReasonBroken, 201), true, fine, 2},
		{"apply late", sandboxtest.Fault{Fault: sandbox.FaultApplyLate, DelayMS: 1}, 1, unknown(ledger.ReasonBroken, 0), true, fine, 2},
		{"page with 200", sandboxtest.Fault{Fault: sandbox.FaultHTML200}, unlimited, unknown(ledger.ReasonUnreadable, 200), false, unknown(ledger.ReasonUnreadable, 200), 1},
		{"huge body", sandboxtest.Fault{Fault: sandbox.FaultHugeBody, Bytes: 12 << 20}, unlimited, unknown(ledger.ReasonUnreadable, 200), false, unknown(ledger.ReasonUnreadable, 200), 1},
		{"redirect", sandboxtest.Fault{Fault: sandbox.FaultRedirect}, unlimited, unknown(ledger.ReasonUnreadable, 302), false, unknown(ledger.ReasonUnreadable, 302), 1},
		{"redirect to itself", sandboxtest.Fault{Fault: sandbox.FaultRedirect, Location: "/v2/users/me"}, unlimited, unknown(ledger.ReasonUnreadable, 302), false, unknown(ledger.ReasonUnreadable, 302), 1},
		{"delay", sandboxtest.Fault{Fault: sandbox.FaultDelay, DelayMS: 900}, unlimited, unknown(ledger.ReasonTimeout, 0), true, unknown(ledger.ReasonTimeout, 0), 1},
		{"slow body", sandboxtest.Fault{Fault: sandbox.FaultSlowBody, DelayMS: 5000}, unlimited, unknown(ledger.ReasonTimeout, 201), true, unknown(ledger.ReasonTimeout, 200), 1},
		{"500", status(500), unlimited, unknown(ledger.ReasonServer, 500), false, unknown(ledger.ReasonServer, 500), 3},
		{"500 once", status(500), 1, unknown(ledger.ReasonServer, 500), false, fine, 2},
		{"502", status(502), unlimited, unknown(ledger.ReasonServer, 502), false, unknown(ledger.ReasonServer, 502), 3},
		{"503", status(503), unlimited, unknown(ledger.ReasonServer, 503), false, unknown(ledger.ReasonServer, 503), 3},
		{"503 with a wait", withWait(503, 7), unlimited, unknown(ledger.ReasonServer, 503), false, outcome{wait: 7 * time.Second, status: 503}, 1},
		{"504", status(504), unlimited, unknown(ledger.ReasonServer, 504), false, unknown(ledger.ReasonServer, 504), 3},
		{"400", status(400), unlimited, refused(ledger.ReasonInvalid, 400), false, refused(ledger.ReasonInvalid, 400), 1},
		{"401", status(401), unlimited, refused(ledger.ReasonAuth, 401), false, refused(ledger.ReasonAuth, 401), 1},
		{"403", status(403), unlimited, refused(ledger.ReasonForbidden, 403), false, refused(ledger.ReasonForbidden, 403), 1},
		{"404", status(404), unlimited, refused(ledger.ReasonNotFound, 404), false, refused(ledger.ReasonNotFound, 404), 1},
		{"409", status(409), unlimited, refused(ledger.ReasonInvalid, 409), false, refused(ledger.ReasonInvalid, 409), 1},
		{"413", status(413), unlimited, refused(ledger.ReasonInvalid, 413), false, refused(ledger.ReasonInvalid, 413), 1},
		{"422", status(422), unlimited, refused(ledger.ReasonInvalid, 422), false, refused(ledger.ReasonInvalid, 422), 1},
		{"401 of somebody else", html(401), unlimited, unknown(ledger.ReasonUnreadable, 401), false, unknown(ledger.ReasonUnreadable, 401), 1},
		{"403 of somebody else", html(403), unlimited, unknown(ledger.ReasonUnreadable, 403), false, unknown(ledger.ReasonUnreadable, 403), 1},
		{"404 of somebody else", html(404), unlimited, unknown(ledger.ReasonUnreadable, 404), false, unknown(ledger.ReasonUnreadable, 404), 1},
		{"429", withWait(429, 7), unlimited, outcome{wait: 7 * time.Second, status: 429}, false, outcome{wait: 7 * time.Second, status: 429}, 1},
		{"429 for a year", withWait(429, 365*24*3600), unlimited, outcome{wait: 15 * time.Minute, status: 429}, false, outcome{wait: 15 * time.Minute, status: 429}, 1},
		{"429 without a wait", status(429), unlimited, outcome{wait: 15 * time.Second, status: 429}, false, outcome{wait: 15 * time.Second, status: 429}, 1},
		{"429 in JSON", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 429, RetryAfter: 7, Body: "json"}, unlimited, outcome{wait: 7 * time.Second, status: 429}, false, outcome{wait: 7 * time.Second, status: 429}, 1},
		{"200 with nothing", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 200, Body: "empty"}, unlimited, unknown(ledger.ReasonUnreadable, 200), false, unknown(ledger.ReasonUnreadable, 200), 1},
		{"200 with other JSON", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 200, Body: "json"}, unlimited, unknown(ledger.ReasonUnreadable, 200), false, unknown(ledger.ReasonUnreadable, 200), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) {
				if tt.fault.DelayMS > 500 {
					cfg.WriteTimeout, cfg.ReadTimeout = 400*time.Millisecond, 400*time.Millisecond
				}
			})
			entry := b.freshEntry(t)
			arm := func(method, path string) (sent func() int) {
				b.ClearFaults(t)
				fault := tt.fault
				fault.Times, fault.Match = tt.times, sandboxtest.Match{Method: method, Path: path}
				b.Fault(t, fault)
				return b.count(t, fault.Match)
			}

			sent := arm(http.MethodPost, "")
			_, err := b.client.CreateEntry(t.Context(), entry, "reference", "")
			tt.create.check(t, err)
			if revoked := errors.Is(err, ledger.ErrAccessRevoked); revoked != (tt.create.reason == ledger.ReasonAuth) {
				t.Errorf("access revoked: %v", revoked)
			}
			if n := sent(); n != 1 {
				t.Errorf("a create was sent %d times", n)
			}
			b.ClearFaults(t)
			deadline := time.Now().Add(5 * time.Second)
			for {
				found, err := b.client.EntriesByReference(t.Context(), "reference")
				if err != nil {
					t.Fatal(err)
				}
				if tt.applied == (len(found) == 1) && len(found) <= 1 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the look-up finds %d, want applied %v", len(found), tt.applied)
				}
				time.Sleep(20 * time.Millisecond)
			}

			// Updates and deletes are judged alike, on an entry that exists.
			existing, err := b.client.CreateEntry(t.Context(), entry, "existing", "")
			if err != nil {
				t.Fatal(err)
			}
			want := tt.create
			if want.status == 201 {
				want.status = 200
			}
			sent = arm(http.MethodPatch, "")
			notes := "changed"
			_, err = b.client.UpdateEntry(t.Context(), existing.ID, ledger.Changes{Notes: &notes})
			want.check(t, err)
			if n := sent(); n != 1 {
				t.Errorf("an update was sent %d times", n)
			}
			sent = arm(http.MethodDelete, "")
			err = b.client.DeleteEntry(t.Context(), existing.ID)
			if tt.name != "200 with nothing" && tt.name != "200 with other JSON" { // which a delete may be answered with
				want.check(t, err)
			}
			if n := sent(); n != 1 {
				t.Errorf("a delete was sent %d times", n)
			}

			sent = arm(http.MethodGet, "/v2/users/me")
			_, err = b.client.Account(t.Context())
			tt.read.check(t, err)
			if n := sent(); n != tt.reads {
				t.Errorf("a read was sent %d times, want %d", n, tt.reads)
			}
			b.noSecret(t, err)
		})
	}
}

// count returns a function that tells how many matching requests have come in
// since, those that armed faults were for included.
func (b *testBundle) count(t *testing.T, match sandboxtest.Match) func() int {
	t.Helper()
	b.Fault(t, sandboxtest.Fault{Match: match, Fault: sandbox.FaultDelay})
	return func() int {
		n := 0
		for _, f := range b.Faults(t) {
			n += f.Struck
		}
		return n
	}
}

// noSecret fails if the token is in the error or the log.
func (b *testBundle) noSecret(t *testing.T, err error) {
	t.Helper()
	for _, form := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), b.log.String()} {
		if strings.Contains(form, sandboxtest.Token) {
			t.Errorf("the token is told in %q", form)
		}
	}
}

func TestLinkFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{sandbox.FaultForeignNextLink, sandbox.FaultRepeatNextLink, sandbox.FaultNoLinks} {
		for _, after := range []int{0, 2} {
			t.Run(fmt.Sprint(fault, after), func(t *testing.T) {
				t.Parallel()
				b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.PageSize = 100 })
				b.Fault(t, sandboxtest.Fault{Fault: fault, After: after})
				pages := 0
				var last error
				for page, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{}) {
					if last = err; err == nil {
						pages++
						if len(page.Entries) == 0 {
							t.Error("an empty page")
						}
					}
				}
				checkCall(t, last, ledger.Unknown, ledger.ReasonUnreadable, 200)
				if requests := b.Faults(t)[0].Matched; pages != after || requests != after+1 {
					t.Errorf("%d pages of %d requests, want %d", pages, requests, after)
				}
				b.noSecret(t, last)
			})
		}
	}

	t.Run("Assignments", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.PageSize = 3 })
		b.Fault(t, sandboxtest.Fault{Fault: sandbox.FaultForeignNextLink, After: 1})
		_, err := b.client.Assignments(t.Context())
		checkCall(t, err, ledger.Unknown, ledger.ReasonUnreadable, 200)
	})
}

// TestRetryAfterStyles reads the wait in each form in which Harvest may send it.
func TestRetryAfterStyles(t *testing.T) {
	t.Parallel()
	for style, want := range map[string][2]time.Duration{
		"seconds": {7 * time.Second, 9 * time.Second},
		"date":    {5 * time.Second, 10 * time.Second},
		"none":    {15 * time.Second, 18001 * time.Millisecond},
	} {
		b := setup(t, sandbox.SeedEmpty, nil)
		b.Switch(t, map[string]any{"retry_after": style})
		b.Fault(t, sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 429, RetryAfter: 7})
		_, err := b.client.Account(t.Context())
		var wait *ledger.WaitError
		if !errors.As(err, &wait) || wait.Wait < want[0] || wait.Wait > want[1] {
			t.Errorf("%s: %v, want %v", style, err, want)
		}
	}
}

// TestUnsentWrite: what provably never left may be tried again, and is told so.
func TestUnsentWrite(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := harvest.New(harvest.Config{BaseURL: "http://" + address, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = h.Client(ida(), harvest.Interactive).CreateEntry(t.Context(), someEntry(), "r", "")
	checkCall(t, err, ledger.NotSent, ledger.ReasonUnreachable, 0)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = h.Client(ida(), harvest.Interactive).CreateEntry(ctx, someEntry(), "r", "")
	checkCall(t, err, ledger.NotSent, ledger.ReasonTimeout, 0)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled in it", err)
	}
}

// TestCancelledWrite: a caller who gives up in the middle has still sent it.
func TestCancelledWrite(t *testing.T) {
	t.Parallel()
	gate := &gateLog{}
	b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.Gate = gate })
	entry := b.freshEntry(t)
	b.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: http.MethodPost}, Fault: sandbox.FaultDelay, DelayMS: 2000})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := b.client.CreateEntry(ctx, entry, "r", "")
	checkCall(t, err, ledger.Unknown, ledger.ReasonTimeout, 0)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want context.DeadlineExceeded in it", err)
	}
	if got := gate.take(); strings.Contains(got, "failed") {
		t.Errorf("the gate blames Harvest: %s", got)
	}
}

// TestCertificates: whoever cannot prove to be Harvest is told nothing, and is
// not asked again and again.
func TestCertificates(t *testing.T) {
	t.Parallel()
	trusted, stranger := sandboxtest.NewAuthority(t), sandboxtest.NewAuthority(t)
	tomorrow := time.Now().Add(24 * time.Hour)
	for _, tt := range []struct {
		name        string
		certificate *tls.Certificate
	}{
		{"expired", trusted.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour))},
		{"another host", trusted.Issue(t, "api.example.com", tomorrow)},
		{"unknown authority", stranger.Issue(t, "127.0.0.1", tomorrow)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var certificate atomic.Pointer[tls.Certificate]
			certificate.Store(tt.certificate)
			gate := &gateLog{}
			b := setup(t, sandbox.SeedDemo, nil)
			wire := sandboxtest.StartWire(t, b.Sandbox, sandboxtest.WireOptions{Certificate: certificate.Load})
			h, err := harvest.New(harvest.Config{
				BaseURL: wire.URL, RootCAs: trusted.Pool, Gate: gate, Log: slog.New(slog.NewTextHandler(b.log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(h.Close)
			client := h.Client(ida(), harvest.Interactive)
			_, read := client.Account(t.Context())
			_, write := client.CreateEntry(t.Context(), someEntry(), "r", "")
			for _, err := range []error{read, write} {
				var wait *ledger.WaitError
				if !errors.As(err, &wait) || wait.Why != ledger.WaitUntrusted || wait.Wait < time.Minute || wait.Status != 0 {
					t.Errorf("error %v, want to wait for a minute", err)
				}
				b.noSecret(t, err)
			}
			if n, requests := wire.Connections(), b.Requests(t); n != 2 || len(requests) != 0 {
				t.Errorf("%d connections for two calls, and the requests %v", n, requests)
			}
			if got, want := gate.take(), "admit 1 general reserve 0, failed provider, admit 1 general reserve 0, failed provider"; got != want {
				t.Errorf("gate: %s", got)
			}
			if log := b.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "certificate") {
				t.Errorf("the log says %q", log)
			}
			certificate.Store(trusted.Issue(t, "127.0.0.1", tomorrow))
			if _, err := client.Account(t.Context()); err != nil {
				t.Errorf("with a certificate that is good: %v", err)
			}
		})
	}
}

func someEntry() ledger.Entry {
	return ledger.Entry{ProjectID: 1, TaskID: 1, SpentDate: planner.NewDate(2026, time.November, 23), Hours: 100}
}

// gateLog admits everything, unless refuse says otherwise, and notes what it is told.
type gateLog struct {
	mu     sync.Mutex
	notes  []string
	refuse []error
}

func (g *gateLog) note(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notes = append(g.notes, fmt.Sprintf(format, args...))
}

// take returns what was noted and forgets it.
func (g *gateLog) take() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	notes := strings.Join(g.notes, ", ")
	g.notes = nil
	return notes
}

func (g *gateLog) Admit(_ context.Context, r ledger.GateRequest) (ledger.GatePass, error) {
	g.mu.Lock()
	var err error
	if len(g.refuse) > 0 {
		err, g.refuse = g.refuse[0], g.refuse[1:]
	}
	g.mu.Unlock()
	if err != nil {
		return ledger.GatePass{}, err
	}
	g.note("admit %d %s reserve %d", r.ConnectionID, r.Class, r.Reserve)
	return ledger.GatePass{ConnectionID: r.ConnectionID, Class: r.Class, Epoch: 5, Unsettled: true}, nil
}

func (g *gateLog) Blocked(_ context.Context, pass ledger.GatePass, wait time.Duration) error {
	g.note("blocked %d %s at %d", pass.ConnectionID, wait.Truncate(10*time.Second), pass.Epoch)
	return nil
}

func (g *gateLog) Failed(_ context.Context, _ ledger.GatePass, failure ledger.GateFailure) error {
	g.note("failed %s", failure)
	return nil
}

func (g *gateLog) Succeeded(context.Context, ledger.GatePass) error {
	g.note("succeeded")
	return nil
}

func TestGate(t *testing.T) {
	t.Parallel()
	const ask = "admit 1 general reserve 0, "
	three := func(outcome string) string { return strings.TrimSuffix(strings.Repeat(ask+outcome+", ", 3), ", ") }
	for _, tt := range []struct {
		name      string
		fault     sandboxtest.Fault
		wantRead  string
		wantWrite string
	}{
		{"success", sandboxtest.Fault{}, ask + "succeeded", ask + "succeeded"},
		{"500", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 500}, three("failed connection"), ask + "failed connection"},
		{"503", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 503}, three("failed provider"), ask + "failed provider"},
		{"503 with a wait", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 503, RetryAfter: 25}, ask + "blocked 1 20s at 5", ask + "blocked 1 20s at 5"},
		{"429", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 429, RetryAfter: 25}, ask + "blocked 1 20s at 5, succeeded", ask + "blocked 1 20s at 5, succeeded"},
		{"422", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 422}, ask + "succeeded", ask + "succeeded"},
		{"401", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 401}, ask + "succeeded", ask + "succeeded"},
		{"404 of somebody else", sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 404, Body: "html"}, strings.TrimSuffix(ask, ", "), strings.TrimSuffix(ask, ", ")},
		{"drop", sandboxtest.Fault{Fault: sandbox.FaultDropBefore}, three("failed provider"), ask + "failed provider"},
		{"page", sandboxtest.Fault{Fault: sandbox.FaultHTML200}, ask + "failed provider", ask + "failed provider"},
		{"timeout", sandboxtest.Fault{Fault: sandbox.FaultDelay, DelayMS: 700}, ask + "failed provider", ask + "failed provider"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			gate := &gateLog{}
			b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) {
				cfg.Gate = gate
				if tt.fault.DelayMS > 0 {
					cfg.ReadTimeout, cfg.WriteTimeout = 400*time.Millisecond, 400*time.Millisecond
				}
			})
			created, err := b.client.CreateEntry(t.Context(), b.freshEntry(t), "r", "")
			if err != nil {
				t.Fatal(err)
			}
			gate.take()
			if tt.fault.Fault != "" {
				b.Fault(t, tt.fault)
			}
			_, _ = b.client.Entry(t.Context(), created.ID)
			if got := gate.take(); got != tt.wantRead {
				t.Errorf("read: %s\nwant: %s", got, tt.wantRead)
			}
			_ = b.client.DeleteEntry(t.Context(), created.ID)
			if got := gate.take(); got != tt.wantWrite {
				t.Errorf("write: %s\nwant: %s", got, tt.wantWrite)
			}
		})
	}

	t.Run("Refusals", func(t *testing.T) {
		t.Parallel()
		gate := &gateLog{}
		b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.Gate = gate })
		pace := &ledger.WaitError{Wait: 50 * time.Millisecond, Why: ledger.WaitLimit}
		slow := &ledger.WaitError{Wait: 3 * time.Second, Why: ledger.WaitLimit}
		broken := &ledger.WaitError{Wait: 50 * time.Millisecond, Why: ledger.WaitBreaker}
		away := errors.New("the store is away")

		gate.refuse = []error{pace, pace}
		if _, err := b.client.Assignments(t.Context()); err != nil {
			t.Errorf("a read does not sit out the pace: %v", err)
		}
		entry := b.freshEntry(t)
		gate.refuse = []error{pace, pace}
		if _, err := b.client.CreateEntry(t.Context(), entry, "r", ""); err != nil {
			t.Errorf("a write does not sit out the pace: %v", err)
		}
		for _, refusal := range []error{slow, broken} {
			gate.refuse = []error{refusal}
			if _, err := b.client.Assignments(t.Context()); !errors.Is(err, refusal) {
				t.Errorf("error %v, want %v", err, refusal)
			}
		}
		sent := b.count(t, sandboxtest.Match{})
		for _, refusal := range []error{slow, broken} {
			gate.refuse = []error{refusal}
			if _, err := b.client.CreateEntry(t.Context(), someEntry(), "r", ""); !errors.Is(err, refusal) {
				t.Errorf("error %v, want %v", err, refusal)
			}
		}
		gate.refuse = []error{away}
		_, err := b.client.CreateEntry(t.Context(), someEntry(), "r", "")
		checkCall(t, err, ledger.NotSent, ledger.ReasonUnreachable, 0)
		if !errors.Is(err, away) {
			t.Errorf("error %v, want %v in it", err, away)
		}
		if n := sent(); n != 0 {
			t.Errorf("%d requests past the gate", n)
		}
	})

	t.Run("Reserve", func(t *testing.T) {
		t.Parallel()
		gate := &gateLog{}
		b := setup(t, sandbox.SeedEmpty, nil)
		h, err := harvest.New(harvest.Config{BaseURL: b.URL, Gate: gate})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if _, err := h.Client(ida(), harvest.Background).EntriesByReference(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		if got, want := gate.take(), "admit 1 general reserve 10, succeeded"; got != want {
			t.Errorf("gate: %s, want %s", got, want)
		}
		connecting := ida()
		connecting.ConnectionID = 0
		if _, err := h.Client(connecting, harvest.Interactive).Account(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := gate.take(); got != "" {
			t.Errorf("gate asked while connecting: %s", got)
		}
	})
}

// TestKeptAliveConnectionClosed: a connection that the other side has closed
// meanwhile costs no write and doubles none.
func TestKeptAliveConnectionClosed(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, nil)
	entry := b.freshEntry(t)
	for i := range 20 {
		b.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: http.MethodGet, Path: "/v2/users/me"}, Fault: sandbox.FaultDropBefore, Times: 1})
		_, _ = b.client.Account(t.Context())
		reference := fmt.Sprint("r", i)
		_, err := b.client.CreateEntry(t.Context(), entry, reference, "")
		found, lookup := b.client.EntriesByReference(t.Context(), reference)
		if err != nil || lookup != nil || len(found) != 1 {
			t.Fatalf("create %v, look-up %v, found %d", err, lookup, len(found))
		}
		b.ClearFaults(t)
		if i == 10 {
			b.Switch(t, map[string]any{"limits": map[string]int{"general": 0}})
		}
	}
}
