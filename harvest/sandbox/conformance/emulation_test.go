package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// bound ends requests with a context.
type bound struct {
	ctx  context.Context
	next http.RoundTripper
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.next.RoundTrip(r.WithContext(b.ctx))
}

// eventually waits for something that does not come with an answer.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never %s", what)
		}
	}
}

// emulation is what section 12 asks for beyond the statements before it: faults, and the control calls.
func emulation() []statement {
	// fault arms something for the next create and checks what comes back and how often it was applied.
	fault := func(name string, f sandboxtest.Fault, applied, status int, broken error) statement {
		return statement{"12/faults/" + name, own, func(t *testing.T, s *service) {
			f.Match, f.Times = sandboxtest.Match{Method: "POST", Path: "/v2/time_entries"}, 1
			s.box.Fault(t, f)
			r, err := s.try(t, "POST", "/v2/time_entries", s.entry("external_reference", object("id", "fault")))
			if broken != nil && !errors.Is(err, broken) || broken == nil && err != nil {
				t.Fatalf("error %v, want %v", err, broken)
			}
			if err == nil {
				r.want(t, status)
			}
			// A late one is applied after its connection is gone.
			eventually(t, "applied", func() bool { return s.count(t, "external_reference_id=fault") == applied })
			s.post(t, "/v2/time_entries", s.entry()).want(t, 201)
		}}
	}
	link := func(name, kind string, check func(*testing.T, *service, reply)) statement {
		return statement{"12/links/" + name, own, func(t *testing.T, s *service) {
			s.box.Fault(t, sandboxtest.Fault{Fault: kind, Times: 1})
			check(t, s, s.get(t, "/v2/time_entries?per_page=10").want(t, 200))
		}}
	}
	return []statement{
		fault("reset_before", sandboxtest.Fault{Fault: "drop_before"}, 0, 0, syscall.ECONNRESET),
		fault("reset_after_applying", sandboxtest.Fault{Fault: "apply_then_drop"}, 1, 0, syscall.ECONNRESET),
		fault("500_after_applying", sandboxtest.Fault{Fault: "apply_then_status", Status: 500}, 1, 500, nil),
		fault("502_after_applying", sandboxtest.Fault{Fault: "apply_then_status", Status: 502}, 1, 502, nil),
		fault("503_after_applying", sandboxtest.Fault{Fault: "apply_then_status", Status: 503}, 1, 503, nil),
		fault("truncated_json", sandboxtest.Fault{Fault: "apply_then_truncate"}, 1, 0, io.ErrUnexpectedEOF),
		fault("applied_late", sandboxtest.Fault{Fault: "apply_late", DelayMS: 2}, 1, 0, syscall.ECONNRESET),
		fault("delivered_twice", sandboxtest.Fault{Fault: "apply_twice"}, 2, 201, nil),
		fault("slow_drip", sandboxtest.Fault{Fault: "slow_body", DelayMS: 40}, 1, 201, nil),
		fault("slow_answer", sandboxtest.Fault{Fault: "delay", DelayMS: 20}, 1, 201, nil),
		fault("page_with_200", sandboxtest.Fault{Fault: "html_200"}, 0, 200, nil),
		fault("redirect", sandboxtest.Fault{Fault: "redirect"}, 0, 302, nil),
		fault("huge_body", sandboxtest.Fault{Fault: "huge_body", Bytes: 1 << 18}, 0, 200, nil),
		fault("status", sandboxtest.Fault{Fault: "status", Status: 503}, 0, 503, nil),
		{"12/faults/timeout_after_applying", own, func(t *testing.T, s *service) {
			s.box.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "POST"}, Fault: "delay", DelayMS: 100, Times: 1})
			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			hasty := *s
			hasty.client = plain(bound{ctx, s.client.Transport})
			var answered sync.WaitGroup
			answered.Go(func() {
				if _, err := hasty.try(t, "POST", "/v2/time_entries", s.entry("external_reference", object("id", "late"))); err == nil {
					t.Error("answered")
				}
			})
			eventually(t, "arrived", func() bool { return s.box.Faults(t)[0].Struck == 1 })
			giveUp()
			answered.Wait()
			eventually(t, "applied", func() bool { return s.count(t, "external_reference_id=late") == 1 })
		}},
		{"12/faults/per_route_and_count", own, func(t *testing.T, s *service) {
			s.box.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "GET", Path: "/v2/users"}, Fault: "status", Status: 500, After: 1, Times: 2})
			var got []int
			for range 4 {
				got = append(got, s.get(t, "/api/v2/users/me.json").status)
			}
			same(t, "statuses", got, "[200 500 500 200]")
			s.get(t, "/v2/company").want(t, 200)
		}},
		{"12/clock_skew", own, func(t *testing.T, s *service) {
			s.box.Advance(t, -48*time.Hour)
			same(t, "Date", s.get(t, "/v2/users/me").header.Get("Date"), "Mon, 12 Jan 2026 11:00:00 GMT")
			s.create(t, "spent_date", "2026-01-12").is(t, "created_at", `"2026-01-12T11:00:00Z"`)
		}},
		link("foreign_host", "foreign_next_link", func(t *testing.T, s *service, r reply) {
			if next := r.text(t, "links.next"); bytes.HasPrefix([]byte(next), []byte(s.url)) {
				t.Errorf("next is %s", next)
			}
		}),
		link("repeated", "repeat_next_link", func(t *testing.T, s *service, r reply) {
			same(t, "next", r.text(t, "links.next"), s.url+"/v2/time_entries?per_page=10")
		}),
		link("missing", "no_links", func(t *testing.T, _ *service, r reply) {
			if r.at("links") != nil {
				t.Error("there are links")
			}
		}),
		{"12/control/reset", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.box.Reset(t, "demo")
			s.get(t, made.path("time_entries")).want(t, 404)
		}},
		{"12/control/request_log_has_no_secrets", own, func(t *testing.T, s *service) {
			s.get(t, "/v2/users/me?access_token="+s.token).want(t, 200)
			log := s.get(t, "/_sandbox/requests").want(t, 200)
			if bytes.Contains(log.value, []byte(s.token)) {
				t.Error("the token is in the log")
			}
			log.is(t, "requests.0.token", `"1.pt"`)
			log.is(t, "requests.0.status", "200")
		}},
		{"12/control/web_app", own, func(t *testing.T, s *service) {
			made := s.box.WebCreate(t, s.entry("spent_date", "2026-01-08", "user_id", 2302))
			s.get(t, fmt.Sprintf("/v2/time_entries/%d", made.ID)).want(t, 200).is(t, "user.id", "2302")
		}},
		{"12/control/unknown_switch", own, func(t *testing.T, s *service) {
			s.post(t, "/_sandbox/switches", object("nonsense", 1)).want(t, 400)
			s.post(t, "/_sandbox/switches", object("throttle_status", 418)).want(t, 400)
		}},
		{"12/parallel_clients", own, func(t *testing.T, s *service) {
			var wait sync.WaitGroup
			for n := range 6 {
				wait.Go(func() {
					for _, caller := range []*service{s, s.member(), s} {
						r, err := caller.try(t, "POST", "/v2/time_entries", s.entry("hours", nil, "external_reference", object("id", fmt.Sprint("p", n))))
						if err != nil || r.status != 201 {
							t.Errorf("create: %v %s", err, r.value)
							return
						}
						for _, path := range []string{"/v2/time_entries?per_page=50", "/v2/reports/time/team?from=20251201&to=20260114", "/v2/users/me/project_assignments", "/_sandbox/requests"} {
							if r, err := caller.try(t, "GET", path, nil); err != nil || r.status != 200 {
								t.Errorf("%s: %v %d", path, err, r.status)
							}
						}
					}
				})
			}
			s.get(t, "/_sandbox/state?account=2002").want(t, 200)
			wait.Wait()
			same(t, "running", s.count(t, "is_running=true"), 2)
			for n := range 6 {
				same(t, "made", s.count(t, fmt.Sprint("external_reference_id=p", n)), 3)
			}
		}},
	}
}
