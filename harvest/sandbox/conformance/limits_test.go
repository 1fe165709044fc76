package conformance_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// limits is section 3.
func limits() []statement {
	const general, reports = "/v2/users/me", "/v2/reports/project_budget"
	limit := func(t *testing.T, s *service, pairs ...any) {
		t.Helper()
		s.set(t, "limits", object(append([]any{"general", 0, "reports", 0, "hourly", 0}, pairs...)...))
	}
	one := func(t *testing.T, s *service) {
		t.Helper()
		limit(t, s, "general", 1)
		s.get(t, general).want(t, 200)
	}
	// per counts two calls that share a counter, or do not.
	per := func(choice string, shared [4]int) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			second := s.as(s.tokens(t).text(t, "access_token"), 1001) // the same user by another token
			s.set(t, "limits_per", choice)
			one(t, s)
			for i, caller := range []*service{s, second, s.member(), s.other()} {
				if got := caller.get(t, general).status; got != shared[i] {
					t.Errorf("caller %d gets %d, want %d", i, got, shared[i])
				}
			}
		}
	}
	return []statement{
		{"3/general/hundred_in_fifteen_seconds", own, func(t *testing.T, s *service) {
			limit(t, s, "general", 100, "general_window_s", 15)
			for range 100 {
				s.get(t, general).want(t, 200)
			}
			s.get(t, general).want(t, 429)
			s.box.Advance(t, 15*time.Second)
			s.get(t, general).want(t, 200)
		}},
		{"3/general/default", own, func(t *testing.T, s *service) {
			s.box.Reset(t, "")
			limits, _ := s.box.Switches(t)["limits"].(map[string]any)
			same(t, "limits", fmt.Sprint(limits["general"], limits["general_window_s"], limits["reports"], limits["reports_window_s"], limits["hourly"]), "100 15 100 900 0")
		}},
		{"3/general/window_slides", own, func(t *testing.T, s *service) {
			limit(t, s, "general", 2, "general_window_s", 15)
			s.get(t, general).want(t, 200)
			s.box.Advance(t, 10*time.Second)
			s.get(t, general).want(t, 200)
			s.box.Advance(t, 4*time.Second)
			same(t, "Retry-After", s.get(t, general).want(t, 429).header.Get("Retry-After"), 1)
			s.box.Advance(t, time.Second)
			s.get(t, general).want(t, 200)
			same(t, "Retry-After", s.get(t, general).want(t, 429).header.Get("Retry-After"), 10)
		}},
		{"3/reports/limit_of_their_own", own, func(t *testing.T, s *service) {
			limit(t, s, "reports", 1, "reports_window_s", 900, "general", 2)
			s.get(t, reports).want(t, 200)
			same(t, "Retry-After", s.get(t, reports).want(t, 429).header.Get("Retry-After"), 900)
			s.get(t, general).want(t, 200)
			s.get(t, general).want(t, 200)
			s.box.Advance(t, 899*time.Second)
			s.get(t, reports).want(t, 429)
			s.box.Advance(t, time.Second)
			s.get(t, reports).want(t, 200)
		}},
		{"3/over/retry_after_in_seconds", own, func(t *testing.T, s *service) {
			one(t, s)
			same(t, "Retry-After", s.get(t, general).want(t, 429).header.Get("Retry-After"), 15)
		}},
		{"3/over/retry_after_is_a_date", own, func(t *testing.T, s *service) {
			s.set(t, "retry_after", "date")
			one(t, s)
			same(t, "Retry-After", s.get(t, general).want(t, 429).header.Get("Retry-After"), "Wed, 14 Jan 2026 11:00:15 GMT")
		}},
		{"3/over/no_retry_after", own, func(t *testing.T, s *service) {
			s.set(t, "retry_after", "none")
			one(t, s)
			same(t, "headers", len(s.get(t, general).want(t, 429).header.Values("Retry-After")), 0)
		}},
		{"3/over/page", own, func(t *testing.T, s *service) {
			one(t, s)
			s.get(t, general).html(t, 429)
		}},
		{"3/over/empty", own, func(t *testing.T, s *service) {
			s.set(t, "throttle_body", "empty")
			one(t, s)
			s.get(t, general).want(t, 429).body(t, "")
		}},
		{"3/over/json", own, func(t *testing.T, s *service) {
			s.set(t, "throttle_body", "json")
			one(t, s)
			s.fields(t, s.get(t, general).want(t, 429).value, "message str")
		}},
		{"3/over/status_503", own, func(t *testing.T, s *service) {
			s.set(t, "throttle_status", 503)
			one(t, s)
			same(t, "Retry-After", s.get(t, general).html(t, 503).header.Get("Retry-After"), 15)
		}},
		{"3/over/writes_are_not_applied", own, func(t *testing.T, s *service) {
			before := s.count(t, "")
			one(t, s)
			s.post(t, "/v2/time_entries", s.entry()).want(t, 429)
			limit(t, s)
			same(t, "entries", s.count(t, ""), before)
		}},
		{"3/hourly/long_wait", own, func(t *testing.T, s *service) {
			limit(t, s, "hourly", 2)
			s.get(t, general).want(t, 200)
			s.box.Advance(t, time.Minute)
			s.get(t, general).want(t, 200)
			same(t, "Retry-After", s.get(t, general).want(t, 429).header.Get("Retry-After"), 3540)
		}},
		{"3/no_rate_limit_headers", read, func(t *testing.T, s *service) {
			for name := range s.get(t, general).header {
				if strings.HasPrefix(strings.ToLower(name), "x-ratelimit") {
					t.Errorf("there is %s", name)
				}
			}
		}},
		{"3/counted_per/token", own, per("token", [4]int{429, 200, 200, 200})},
		{"3/counted_per/user", own, per("user", [4]int{429, 429, 200, 200})},
		{"3/counted_per/account", own, per("account", [4]int{429, 429, 429, 200})},
		{"3/counted_per/ip", own, per("ip", [4]int{429, 429, 429, 429})},
	}
}

// refusals is section 4.
func refusals() []statement {
	page := func(status int) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			s.box.Fault(t, sandboxtest.Fault{Fault: "status", Status: status, Times: 1})
			s.get(t, "/v2/users/me").html(t, status)
			s.get(t, "/v2/users/me").want(t, 200)
		}
	}
	const blank = `{"message":"Project can't be blank, Task can't be blank, Spent date can't be blank, Spent date is not a valid date"}`
	return []statement{
		{"4/401/body", read, func(t *testing.T, s *service) {
			s.with("Authorization", "Bearer 1.pt.nobody").get(t, "/v2/users/me").want(t, 401).
				body(t, `{"error":"invalid_token","error_description":"The access token provided is expired, revoked, malformed or invalid for other reasons."}`)
		}},
		{"4/401/www_authenticate", read, func(t *testing.T, s *service) {
			got := s.with("Authorization", "Bearer 1.pt.nobody").get(t, "/v2/users/me").header.Get("WWW-Authenticate")
			want := `^Bearer realm="[^"]+", error="invalid_token", error_description="The access token provided is expired, revoked, malformed or invalid for other reasons\."$`
			if !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("WWW-Authenticate is %s", got)
			}
		}},
		{"4/401/content_type", read, func(t *testing.T, s *service) {
			if got := s.with("Authorization", "Bearer 1.pt.nobody").get(t, "/v2/users/me").header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
				t.Errorf("Content-Type is %s", got)
			}
		}},
		{"4/401/write_is_not_applied", own, func(t *testing.T, s *service) {
			before := s.count(t, "")
			s.with("Authorization", "Bearer x").post(t, "/v2/time_entries", s.entry()).want(t, 401)
			same(t, "entries", s.count(t, ""), before)
		}},
		{"4/403/body", own, func(t *testing.T, s *service) {
			s.member().get(t, "/v2/clients").want(t, 403).body(t, `{"message":"Not authorized!"}`)
		}},
		{"4/403/hint", own, func(t *testing.T, s *service) {
			same(t, "Hint", s.member().get(t, "/v2/clients").want(t, 403).header.Get("Hint"), "Not authorized!")
		}},
		{"4/404/record", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/time_entries/1").want(t, 404).body(t, `{"status":404,"error":"Not Found"}`)
		}},
		{"4/404/not_routed", read, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/projects//user_assignments").html(t, 404)
			same(t, "Content-Type", r.header.Get("Content-Type"), "text/html; charset=UTF-8")
			if len(r.value) < 1000 || len(r.value) > 20_000 {
				t.Errorf("%d bytes", len(r.value))
			}
		}},
		{"4/422/faults_in_one_sentence", write, func(t *testing.T, s *service) {
			s.post(t, "/v2/time_entries", object()).want(t, 422).body(t, blank)
		}},
		{"4/422/must_exist", write, func(t *testing.T, s *service) {
			message := s.post(t, "/v2/time_entries", s.entry("project_id", 1, "task_id", 1)).want(t, 422).text(t, "message")
			if !strings.Contains(message, "Project must exist") || !strings.Contains(message, ", ") || !strings.Contains(message, "Task must exist") {
				t.Errorf("the message is %s", message)
			}
		}},
		{"4/422/refused_delete", own, func(t *testing.T, s *service) {
			const text = "This client is not removable. It still has projects and/or invoices."
			r := s.delete(t, "/v2/clients/1101").want(t, 422)
			r.body(t, `{"message":"`+text+`"}`)
			same(t, "Hint", r.header.Get("Hint"), text)
			s.get(t, "/v2/clients/1101").want(t, 200)
		}},
		{"4/422/timer", write, func(t *testing.T, s *service) {
			s.patch(t, s.create(t).path("time_entries")+"/stop", nil).want(t, 422).body(t, `{"message":"can't stop a stopped timer"}`)
		}},
		{"4/422/per_page", read, func(t *testing.T, s *service) {
			if message := s.get(t, "/v2/time_entries?per_page=2001").want(t, 422).text(t, "message"); !strings.Contains(message, "Invalid per_page parameter") {
				t.Errorf("the message is %s", message)
			}
		}},
		{"4/422/has_no_field_map", write, func(t *testing.T, s *service) {
			same(t, "members", s.post(t, "/v2/time_entries", object()).want(t, 422).keys(t), "[message]")
		}},
		{"4/429/page", own, page(http.StatusTooManyRequests)},
		{"4/500/page", own, func(t *testing.T, s *service) {
			page(http.StatusInternalServerError)(t, s)
			s.box.Fault(t, sandboxtest.Fault{Fault: "status", Status: 500, Times: 1})
			if r := s.get(t, "/v2/users/me"); !strings.Contains(string(r.value), "something went wrong") {
				t.Errorf("the page says %s", r.value)
			}
		}},
		{"4/502/page", own, page(http.StatusBadGateway)},
		{"4/503/page", own, page(http.StatusServiceUnavailable)},
		{"4/504/page", own, page(http.StatusGatewayTimeout)},
		{"4/200/without_applying", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.box.Switch(t, object("lock_answer", "dropped"))
			s.box.Lock(t, sandboxtest.UserID, s.today, s.today)
			s.patch(t, made.path("time_entries"), object("hours", 9)).want(t, 200).is(t, "hours", "1.5")
		}},
		{"4/headers/request_id_and_runtime", read, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/users/me")
			if r.header.Get("X-Request-Id") == "" || !regexp.MustCompile(`^\d+\.\d+$`).MatchString(r.header.Get("X-Runtime")) {
				t.Errorf("X-Request-Id %q, X-Runtime %q", r.header.Get("X-Request-Id"), r.header.Get("X-Runtime"))
			}
		}},
	}
}
