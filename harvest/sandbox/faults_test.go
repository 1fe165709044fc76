package sandbox_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
)

// serve puts a server that the test closes itself on a port.
func serve(t testing.TB, s *sandbox.Server) *sandboxtest.Sandbox {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return &sandboxtest.Sandbox{Control: sandboxtest.Control{BaseURL: web.URL}, URL: web.URL, Server: s}
}

// Section 12, point 12: every fault, on a create: what the client sees, and whether it was applied.
func TestFaultsOnCreate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		fault   sandboxtest.Fault
		applied int
		status  int // 0: the client sees no whole answer
		isErr   error
	}{
		{"status", sandboxtest.Fault{Fault: "status", Status: 503, RetryAfter: 7}, 0, 503, nil},
		{"status 422", sandboxtest.Fault{Fault: "status", Status: 422, Message: "Nope"}, 0, 422, nil},
		{"drop_before", sandboxtest.Fault{Fault: "drop_before"}, 0, 0, syscall.ECONNRESET},
		{"apply_then_drop", sandboxtest.Fault{Fault: "apply_then_drop"}, 1, 0, syscall.ECONNRESET},
		{"apply_then_status", sandboxtest.Fault{Fault: "apply_then_status"}, 1, 502, nil},
		{"apply_then_status 200", sandboxtest.Fault{Fault: "apply_then_status", Status: 200}, 1, 200, nil},
		{"apply_then_truncate", sandboxtest.Fault{Fault: "apply_then_truncate"}, 1, 0, io.ErrUnexpectedEOF},
		{"apply_late", sandboxtest.Fault{Fault: "apply_late", DelayMS: 1}, 1, 0, syscall.ECONNRESET},
		{"apply_twice", sandboxtest.Fault{Fault: "apply_twice"}, 2, 201, nil},
		{"delay", sandboxtest.Fault{Fault: "delay", DelayMS: 30}, 1, 201, nil},
		{"slow_body", sandboxtest.Fault{Fault: "slow_body", DelayMS: 60}, 1, 201, nil},
		{"html_200", sandboxtest.Fault{Fault: "html_200"}, 0, 200, nil},
		{"huge_body", sandboxtest.Fault{Fault: "huge_body", Bytes: 1 << 20}, 0, 200, nil},
		{"redirect", sandboxtest.Fault{Fault: "redirect"}, 0, 302, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sb := start(t, "demo")
			c := ida(t, sb)
			tt.fault.Match = sandboxtest.Match{Method: "POST", Path: "/v2/time_entries", Token: sandboxtest.Token}
			tt.fault.Times = 1
			sb.Fault(t, tt.fault)
			began := time.Now()
			r, err := c.try("POST", "/v2/time_entries", entryOn("2026-01-14", "external_reference", map[string]any{"id": "f"}))
			if (err == nil) != (tt.status != 0) {
				t.Fatalf("error %v, answer %d %.200s", err, r.status, r.body)
			}
			if tt.isErr != nil && !errors.Is(err, tt.isErr) {
				t.Errorf("error %v, want %v", err, tt.isErr)
			}
			if tt.status != 0 {
				r.want(t, tt.status)
			}
			if tt.fault.DelayMS >= 30 && time.Since(began) < 30*time.Millisecond {
				t.Errorf("answered after %v", time.Since(began))
			}
			for range 200 {
				if len(sb.State(t).EntriesByReference("f")) == tt.applied {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			equal(t, "applied", len(sb.State(t).EntriesByReference("f")), tt.applied)
			log := sb.Requests(t)
			equal(t, "logged", log[len(log)-1].Fault, tt.fault.Fault)
			if tt.fault.RetryAfter > 0 {
				equal(t, "Retry-After", r.header.Get("Retry-After"), "7")
			}
			c.do("POST", "/v2/time_entries", entryOn("2026-01-14")).want(t, 201) // struck once
		})
	}
}

// Section 5, hostile links.
func TestFaultsOfLinks(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	const path = "/v2/time_entries?per_page=10"
	sb.Fault(t, sandboxtest.Fault{Fault: "foreign_next_link", Times: 1})
	if next := fmt.Sprint(c.get(path).at("links", "next")); strings.HasPrefix(next, sb.URL) || next == "<nil>" {
		t.Errorf("foreign: %s", next)
	}
	sb.Fault(t, sandboxtest.Fault{Fault: "repeat_next_link", Times: 1})
	equal(t, "repeat", c.get(path).at("links", "next"), sb.URL+path)
	sb.Fault(t, sandboxtest.Fault{Fault: "no_links", Times: 1})
	if _, ok := c.get(path).json["links"]; ok {
		t.Error("there are links")
	}
	if _, ok := c.get(path).json["links"]; !ok {
		t.Error("no links without a fault")
	}
}

// Matching, times, after, clearing, and what cannot be armed.
func TestArming(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	sb.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Path: "/v2/users", Token: "1.pt"}, Fault: "status", Status: 500, After: 1, Times: 2})
	got := []int{}
	for range 4 {
		got = append(got, c.get("/api/v2/users/me.json").status)
	}
	equal(t, "after and times", got, []int{200, 500, 500, 200})
	jonas(t, sb).get("/v2/users/me").want(t, 200)
	equal(t, "counts", []int{sb.Faults(t)[0].Matched, sb.Faults(t)[0].Struck}, []int{3, 2})
	sb.Fault(t, sandboxtest.Fault{Fault: "status", Status: 429, Body: "empty"})
	for range 3 {
		r := jonas(t, sb).get("/v2/users/me").want(t, 429)
		equal(t, "empty", len(r.body), 0)
	}
	sb.ClearFaults(t)
	c.get("/v2/users/me").want(t, 200)
	for _, bad := range []string{`{"fault":"nothing"}`, `{"fault":"status"}`, `{"fault":"delay","delay_ms":-1}`, `{`} {
		c.do("POST", "/_sandbox/faults", bad).want(t, 400)
	}
	unknown := c.do("POST", "/_sandbox/switches", map[string]any{"nonsense": 1}).want(t, 400)
	if list, _ := unknown.json["valid"].([]any); len(list) < 15 {
		t.Errorf("the valid names are missing: %s", unknown.body)
	}
	for _, bad := range []map[string]any{
		{"clock": "13h"}, {"paging": map[string]string{"clients": "odd"}}, {"paging": map[string]string{"odd": "page"}}, {"timezone": "Atlantis"}, {"account": 5},
	} {
		c.do("POST", "/_sandbox/switches", bad).want(t, 400)
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	sb.SetOutage(t, "503")
	c.get("/v2/users/me").want(t, 503)
	sb.SetOutage(t, "429")
	equal(t, "Retry-After", c.get("/v2/users/me").want(t, 429).header.Get("Retry-After"), "15")
	n := len(sb.State(t).Entries())
	if err := sb.Server.SetOutage(sandbox.OutageDrop); err != nil {
		t.Fatal(err)
	}
	if _, err := c.try("POST", "/v2/time_entries", entryOn("2026-01-14")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v", err)
	}
	sb.SetOutage(t, "well")
	c.get("/v2/users/me").want(t, 200)
	equal(t, "applied, the answer lost", len(sb.State(t).Entries()), n+1)
	if err := sb.Server.SetOutage("odd"); err == nil {
		t.Error("an unknown mode must be refused")
	}
}

// A reset drops what was to be applied late, and the web app makes, changes and deletes.
func TestResetAndWebApp(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	n := len(sb.State(t).Entries())
	for delay := 1; delay <= 50; delay += 7 { // some come due while the sandbox is reset
		sb.Fault(t, sandboxtest.Fault{Fault: "apply_late", DelayMS: delay, Times: 1})
		if _, err := c.try("POST", "/v2/time_entries", entryOn("2026-01-14")); err == nil {
			t.Error("answered")
		}
		sb.Reset(t, "demo")
		time.Sleep(100 * time.Millisecond)
		equal(t, "entries", len(sb.State(t).Entries()), n)
	}
	made := sb.WebCreate(t, entryOn("2026-01-07", "user_id", 2302, "notes", "By hand"))
	if made.User.ID != 2302 || !made.IsLocked {
		t.Errorf("made %+v", made)
	}
	equal(t, "hours", sb.WebUpdate(t, made.ID, map[string]any{"hours": 4, "submitted": true}).Hours.String(), "4")
	sb.WebDelete(t, made.ID)
	if _, ok := sb.State(t).Entry(made.ID); ok {
		t.Error("still there")
	}
	sb.FreezeClock(t, noon().Add(time.Hour))
	equal(t, "frozen", sb.Now(t), noon().Add(time.Hour))
	sb.SetClock(t, noon().Add(2*time.Hour))
	sb.ForgetRequests(t)
	equal(t, "log", len(sb.Requests(t)), 0)
	r := c.get("/v2/users/me?access_token=1.pt.sandbox").want(t, 200)
	if r.header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
	equal(t, "redacted", sb.Requests(t)[0].Query, "access_token=redacted")
}

// BenchmarkList50k reads 50,000 entries page by page over HTTP.
func BenchmarkList50k(b *testing.B) {
	sb := start(b, "large")
	client := &http.Client{}
	total := 0
	for b.Loop() {
		for page := 1; page <= 25; page++ {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, fmt.Sprintf("%s/v2/time_entries?user_id=2301&page=%d", sb.URL, page), http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+sandboxtest.Token)
			req.Header.Set("Harvest-Account-Id", "1001")
			req.Header.Set("User-Agent", "Bench (b@example.com)")
			resp, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			if err = errors.Join(err, resp.Body.Close()); err != nil || n < 1_000_000 {
				b.Fatalf("page %d: %d bytes, %v", page, n, err)
			}
			total += 2000
		}
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "entries/s")
}
