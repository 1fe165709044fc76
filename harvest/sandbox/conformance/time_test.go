package conformance_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// hours is section 7 and 7.1: dates, zones, decimals and the two kinds of accounts.
func hours() []statement {
	rounding := func(choice, want string) statement {
		return statement{"7/rounded_hours/" + choice, own, func(t *testing.T, s *service) {
			made := s.create(t, "hours", 1.28)
			s.set(t, "rounding", choice)
			r := s.get(t, made.path("time_entries"))
			r.is(t, "hours", "1.28")
			r.is(t, "rounded_hours", want)
		}}
	}
	stamps := func(s *service, t *testing.T) { t.Helper(); s.set(t, "account_mode", "timestamp") }
	return []statement{
		{"7/clock/24h", own, func(t *testing.T, s *service) {
			s.create(t, "hours", nil).is(t, "started_time", `"12:00"`)
		}},
		{"7/clock/12h", own, func(t *testing.T, s *service) {
			s.set(t, "clock", "12h")
			s.create(t, "hours", nil).is(t, "started_time", `"12:00pm"`)
			s.get(t, "/v2/company").is(t, "clock", `"12h"`)
		}},
		{"7/clock/both_are_read", own, func(t *testing.T, s *service) {
			stamps(s, t)
			for _, text := range []string{"2:59pm", "14:59", "2:59 PM"} {
				s.create(t, "hours", nil, "started_time", text, "ended_time", "16:00").is(t, "started_time", `"14:59"`)
			}
		}},
		{"7/dates/undashed_in_filters", read, func(t *testing.T, s *service) {
			same(t, "rows", s.count(t, "from=20240101&to=20301231"), s.count(t, "from=2024-01-01&to=2030-12-31"))
		}},
		{"7/dates/both_forms_in_reports", read, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/reports/time/projects?from=20260101&to=20260131").want(t, 200)
			same(t, "results", string(s.get(t, "/v2/reports/time/projects?from=2026-01-01&to=2026-01-31").want(t, 200).at("results")), string(r.at("results")))
		}},
		{"7/zones/times_of_day_are_the_users", own, func(t *testing.T, s *service) {
			s.set(t, "timezone", "Eastern Time (US & Canada)")
			r := s.create(t, "hours", nil)
			r.is(t, "started_time", `"06:00"`)
			r.is(t, "timer_started_at", `"2026-01-14T11:00:00Z"`)
		}},
		{"7/zones/seconds_are_dropped", own, func(t *testing.T, s *service) {
			s.box.Advance(t, 59*time.Second)
			s.create(t, "hours", nil).is(t, "started_time", `"12:00"`)
		}},
		{"7/zones/spent_date_has_none", write, func(t *testing.T, s *service) {
			s.create(t).is(t, "spent_date", `"`+s.today+`"`)
		}},
		{"7/zones/rails_names", own, func(t *testing.T, s *service) {
			for _, name := range []string{"Kyiv", "Copenhagen", "Eastern Time (US & Canada)", "UTC", "Nuku'alofa", "Kathmandu", "Chatham Is."} {
				s.set(t, "timezone", name)
				same(t, "timezone", s.get(t, "/v2/users/me").text(t, "timezone"), name)
			}
		}},
		{"7/decimals/json_numbers_with_a_fraction", write, func(t *testing.T, s *service) {
			r := s.create(t, "hours", 2)
			if s.box != nil || string(r.at("hours")) != "2" {
				r.is(t, "hours", "2.0")
			}
		}},
		{"7/decimals/hundredths_are_kept", write, func(t *testing.T, s *service) {
			s.create(t, "hours", 2.11).is(t, "hours", "2.11")
		}},
		{"7/decimals/more_digits/rounded", own, func(t *testing.T, s *service) {
			s.create(t, "hours", 1.337).is(t, "hours", "1.34")
		}},
		{"7/decimals/more_digits/truncated", own, func(t *testing.T, s *service) {
			s.set(t, "hours_digits", "truncated")
			s.create(t, "hours", 1.337).is(t, "hours", "1.33")
		}},
		{"7/decimals/78_seconds_are_0.02", own, func(t *testing.T, s *service) {
			made := s.create(t, "hours", nil)
			s.box.Advance(t, 78*time.Second)
			s.patch(t, made.path("time_entries")+"/stop", nil).is(t, "hours", "0.02")
		}},
		rounding("off", "1.28"), rounding("nearest_6", "1.3"), rounding("nearest_15", "1.25"), rounding("nearest_30", "1.5"),
		rounding("up_6", "1.3"), rounding("up_15", "1.5"), rounding("up_30", "1.5"),
		{"7/hours_without_timer/equals_hours_when_stopped", write, func(t *testing.T, s *service) {
			r := s.create(t, "hours", 1.75)
			r.is(t, "hours_without_timer", string(r.at("hours")))
		}},
		{"7/hours_without_timer/before_the_current_run", own, func(t *testing.T, s *service) {
			made := s.create(t, "hours", 1.5)
			s.patch(t, made.path("time_entries")+"/restart", nil).want(t, 200)
			s.box.Advance(t, 30*time.Minute)
			r := s.get(t, made.path("time_entries"))
			r.is(t, "hours", "2.0")
			r.is(t, "hours_without_timer", "1.5")
		}},
		{"7/ids_are_integers", read, func(t *testing.T, s *service) {
			rows := s.get(t, "/v2/time_entries?per_page=1").list(t, "time_entries")
			s.need(t, len(rows) > 0, "time entries")
			rows[0].number(t, "id")
		}},
		{"7.1/company_says_the_mode", own, func(t *testing.T, s *service) {
			s.get(t, "/v2/company").is(t, "wants_timestamp_timers", "false")
			s.other().get(t, "/v2/company").is(t, "wants_timestamp_timers", "true")
		}},
		{"7.1/duration/finished", own, func(t *testing.T, s *service) {
			r := s.create(t)
			r.is(t, "is_running", "false")
			same(t, "times", fmt.Sprintf("%s %s %s", r.at("timer_started_at"), r.at("started_time"), r.at("ended_time")), "null null null")
		}},
		{"7.1/duration/running", own, func(t *testing.T, s *service) {
			r := s.create(t, "hours", nil)
			r.is(t, "is_running", "true")
			r.is(t, "hours", "0.0")
			r.is(t, "timer_started_at", `"2026-01-14T11:00:00Z"`)
			r.is(t, "started_time", `"12:00"`)
			r.is(t, "ended_time", "null")
		}},
		{"7.1/duration/counts_up_when_read", own, func(t *testing.T, s *service) {
			made := s.create(t, "hours", nil)
			s.box.Advance(t, 90*time.Minute)
			s.get(t, made.path("time_entries")).is(t, "hours", "1.5")
		}},
		{"7.1/duration/times_are_ignored", own, func(t *testing.T, s *service) {
			r := s.create(t, "started_time", "08:00", "ended_time", "11:00")
			r.is(t, "hours", "1.5")
			r.is(t, "started_time", "null")
			s.create(t, "hours", nil, "started_time", "08:00", "ended_time", "11:00").is(t, "is_running", "true")
		}},
		{"7.1/duration/times_of_a_change_are_ignored", own, func(t *testing.T, s *service) {
			r := s.create(t)
			r = s.patch(t, r.path("time_entries"), object("started_time", "08:00", "ended_time", "11:00")).want(t, 200)
			r.is(t, "hours", "1.5")
			r.is(t, "started_time", "null")
		}},
		{"7.1/timestamp/change_of_times", own, func(t *testing.T, s *service) {
			stamps(s, t)
			for _, clock := range []struct{ name, start, end, wantEnd string }{
				{"24h", "10:00", "10:20", `"10:20"`}, {"12h", "10:00am", "1:20pm", `"1:20pm"`},
			} {
				s.set(t, "clock", clock.name)
				made := s.create(t, "hours", nil, "started_time", "9:10", "ended_time", "14:40")
				r := s.patch(t, made.path("time_entries"), object("started_time", clock.start, "ended_time", clock.end)).want(t, 200)
				r.is(t, "ended_time", clock.wantEnd)
				r.is(t, "hours", map[string]string{"24h": "0.33", "12h": "3.33"}[clock.name])
				s.patch(t, made.path("time_entries"), object("notes", "x")).is(t, "ended_time", clock.wantEnd)
			}
		}},
		{"7.1/timestamp/change_of_the_end_alone", own, func(t *testing.T, s *service) {
			stamps(s, t)
			made := s.create(t, "hours", nil, "started_time", "9:00", "ended_time", "10:00")
			r := s.patch(t, made.path("time_entries"), object("ended_time", "11:30")).want(t, 200)
			r.is(t, "started_time", `"09:00"`)
			r.is(t, "hours", "2.5")
		}},
		{"7.1/timestamp/what_is_no_time_is_refused", own, func(t *testing.T, s *service) {
			stamps(s, t)
			s.post(t, "/v2/time_entries", s.entry("hours", nil, "started_time", "25:00", "ended_time", "26:00")).want(t, 422)
		}},
		{"7.1/timestamp/finished", own, func(t *testing.T, s *service) {
			stamps(s, t)
			r := s.create(t, "hours", nil, "started_time", "9:10", "ended_time", "14:40")
			r.is(t, "hours", "5.5")
			r.is(t, "started_time", `"09:10"`)
			r.is(t, "ended_time", `"14:40"`)
			r.is(t, "is_running", "false")
		}},
		{"7.1/timestamp/running_from_a_time", own, func(t *testing.T, s *service) {
			stamps(s, t)
			r := s.create(t, "hours", nil, "started_time", "11:30")
			r.is(t, "is_running", "true")
			r.is(t, "hours", "0.5")
			r.is(t, "started_time", `"11:30"`)
		}},
		{"7.1/timestamp/running_from_now", own, func(t *testing.T, s *service) {
			stamps(s, t)
			r := s.create(t, "hours", nil)
			r.is(t, "is_running", "true")
			r.is(t, "started_time", `"12:00"`)
			r.is(t, "hours", "0.0")
		}},
		{"7.1/timestamp/hours_alone/accepted", own, func(t *testing.T, s *service) {
			stamps(s, t)
			r := s.create(t)
			r.is(t, "hours", "1.5")
			r.is(t, "started_time", `"10:30"`)
		}},
		{"7.1/timestamp/hours_alone/rejected", own, func(t *testing.T, s *service) {
			stamps(s, t)
			s.set(t, "hours_on_timestamp_account", "rejected")
			s.post(t, "/v2/time_entries", s.entry()).want(t, 422)
		}},
		{"7.1/timestamp/hours_beside_times/times", own, func(t *testing.T, s *service) {
			stamps(s, t)
			r := s.create(t, "started_time", "09:00", "ended_time", "12:00")
			r.is(t, "hours", "3.0")
			s.patch(t, r.path("time_entries"), object("hours", 1, "started_time", "10:00", "ended_time", "12:00")).is(t, "hours", "2.0")
		}},
		{"7.1/timestamp/hours_beside_times/hours", own, func(t *testing.T, s *service) {
			stamps(s, t)
			s.set(t, "hours_and_times", "hours")
			r := s.create(t, "started_time", "09:00", "ended_time", "12:00")
			r.is(t, "hours", "1.5")
			r.is(t, "ended_time", `"10:30"`)
			s.patch(t, r.path("time_entries"), object("hours", 1, "started_time", "10:00", "ended_time", "12:00")).is(t, "hours", "1.0")
		}},
		{"7.1/hours_zero/starts_a_timer", own, func(t *testing.T, s *service) {
			s.create(t, "hours", 0).is(t, "is_running", "true")
			s.create(t, "hours", "0.0").is(t, "is_running", "true")
		}},
		{"7.1/hours_zero/is_zero", own, func(t *testing.T, s *service) {
			s.set(t, "hours_zero_starts_timer", false)
			r := s.create(t, "hours", 0)
			r.is(t, "is_running", "false")
			r.is(t, "hours", "0.0")
		}},
		{"7.1/company_for_members/403", own, func(t *testing.T, s *service) {
			s.member().get(t, "/v2/company").want(t, 403)
		}},
		{"7.1/company_for_members/200", own, func(t *testing.T, s *service) {
			s.set(t, "company_for_members", "200")
			s.member().get(t, "/v2/company").want(t, 200)
		}},
	}
}

// timers is section 7.2.
func timers() []statement {
	return []statement{
		{"7.2/one_per_user/on_create", own, func(t *testing.T, s *service) {
			first := s.create(t, "hours", nil)
			s.box.Advance(t, time.Hour)
			s.create(t, "hours", nil)
			r := s.get(t, first.path("time_entries"))
			r.is(t, "is_running", "false")
			r.is(t, "hours", "1.0")
			same(t, "running", s.count(t, "is_running=true"), 1)
		}},
		{"7.2/one_per_user/on_restart", own, func(t *testing.T, s *service) {
			first, second := s.create(t), s.create(t, "hours", nil)
			s.patch(t, first.path("time_entries")+"/restart", nil).want(t, 200)
			s.get(t, second.path("time_entries")).is(t, "is_running", "false")
		}},
		{"7.2/one_per_user/not_per_account", own, func(t *testing.T, s *service) {
			s.create(t, "hours", nil)
			s.member().create(t, "hours", nil)
			same(t, "running", s.count(t, "is_running=true"), 2)
		}},
		{"7.2/stop", own, func(t *testing.T, s *service) {
			made := s.create(t, "hours", nil)
			s.box.Advance(t, time.Hour)
			r := s.patch(t, made.path("time_entries")+"/stop", object()).want(t, 200)
			same(t, "entry", fmt.Sprintf("%s %s %s %s", r.at("is_running"), r.at("hours"), r.at("hours_without_timer"), r.at("timer_started_at")), "false 1.0 1.0 null")
		}},
		{"7.2/stop/only_when_running", own, func(t *testing.T, s *service) {
			s.patch(t, s.create(t).path("time_entries")+"/stop", nil).want(t, 422)
		}},
		{"7.2/restart/only_when_stopped", own, func(t *testing.T, s *service) {
			s.patch(t, s.create(t, "hours", nil).path("time_entries")+"/restart", nil).want(t, 422)
		}},
		{"7.2/restart/keeps_the_id", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.patch(t, made.path("time_entries")+"/restart", nil).want(t, 200).is(t, "id", string(made.at("id")))
		}},
		{"7.2/restart/new_entry_with_times", own, func(t *testing.T, s *service) {
			s.set(t, "account_mode", "timestamp", "restart_new_entry", true)
			made := s.create(t, "hours", nil, "started_time", "9:00", "ended_time", "10:00")
			r := s.patch(t, made.path("time_entries")+"/restart", nil).want(t, 200)
			if string(r.at("id")) == string(made.at("id")) {
				t.Error("the same entry")
			}
			s.get(t, made.path("time_entries")).is(t, "hours", "1.0")
		}},
		{"7.2/restart/same_entry_with_times", own, func(t *testing.T, s *service) {
			s.set(t, "account_mode", "timestamp", "restart_new_entry", false)
			made := s.create(t, "hours", nil, "started_time", "9:00", "ended_time", "10:00")
			s.patch(t, made.path("time_entries")+"/restart", nil).want(t, 200).is(t, "id", string(made.at("id")))
		}},
		{"7.2/restart/keeps_the_date", own, func(t *testing.T, s *service) {
			made := s.create(t, "spent_date", "2026-01-13")
			s.patch(t, made.path("time_entries")+"/restart", nil).want(t, 200).is(t, "spent_date", `"2026-01-13"`)
		}},
		{"7.2/hours_of_a_running_entry_with_times_grow", own, func(t *testing.T, s *service) {
			s.set(t, "account_mode", "timestamp")
			made := s.create(t, "hours", nil)
			s.box.Advance(t, time.Hour)
			s.patch(t, made.path("time_entries"), object("hours", 1)).want(t, 200)
			s.patch(t, made.path("time_entries")+"/stop", nil).is(t, "hours", "2.0")
		}},
		{"7.2/minutes_only_with_times", own, func(t *testing.T, s *service) {
			s.set(t, "account_mode", "timestamp")
			made := s.create(t, "hours", nil)
			s.box.Advance(t, 30*time.Minute+50*time.Second)
			r := s.patch(t, made.path("time_entries")+"/stop", nil)
			r.is(t, "hours", "0.5")
			r.is(t, "ended_time", `"12:30"`)
		}},
		{"7.2/locked_entries_do_not_restart", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.box.Lock(t, sandboxtest.UserID, s.today, s.today)
			s.patch(t, made.path("time_entries")+"/restart", nil).want(t, 422)
		}},
	}
}

// locks is section 8.
func locks() []statement {
	locked := func(t *testing.T, s *service) reply {
		t.Helper()
		made := s.member().create(t)
		s.box.Lock(t, sandboxtest.MemberUserID, s.today, s.today)
		return made
	}
	archive := func(path string) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			made := s.create(t)
			made.is(t, "is_locked", "false")
			s.patch(t, path, object("is_active", false)).want(t, 200)
			r := s.get(t, made.path("time_entries"))
			r.is(t, "is_locked", "true")
			if r.text(t, "locked_reason") == "" {
				t.Error("no reason")
			}
			r.is(t, "is_closed", "false")
			s.patch(t, made.path("time_entries"), object("hours", 2)).want(t, 422)
			s.delete(t, made.path("time_entries")).want(t, 422)
		}
	}
	answers := func(choice string, status int) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			s.set(t, "lock_answer", choice)
			made := locked(t, s)
			r := s.member().patch(t, made.path("time_entries"), object("hours", 9)).want(t, status)
			if status == 422 {
				s.fields(t, r.value, "message str")
			}
			s.member().delete(t, made.path("time_entries")).want(t, status)
			s.get(t, made.path("time_entries")).want(t, 200).is(t, "hours", "1.5")
		}
	}
	return []statement{
		{"8/free", write, func(t *testing.T, s *service) {
			r := s.create(t)
			same(t, "entry", fmt.Sprintf("%s %s %s %s", r.at("is_locked"), r.at("locked_reason"), r.at("is_closed"), r.at("is_billed")), "false null false false")
			r.is(t, "invoice", "null")
		}},
		{"8/approved", own, func(t *testing.T, s *service) {
			r := s.get(t, locked(t, s).path("time_entries"))
			r.is(t, "is_locked", "true")
			r.is(t, "is_closed", "true")
			r.is(t, "approval_status", `"approved"`)
			r.is(t, "locked_reason", `"Item Approved and Locked for this Time Period"`)
		}},
		{"8/approved_and_invoiced", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.box.Lock(t, sandboxtest.UserID, s.today, s.today)
			s.box.Invoice(t, 3101, s.today, s.today)
			s.get(t, made.path("time_entries")).is(t, "locked_reason", `"Item Invoiced and Approved and Locked for this Time Period"`)
		}},
		{"8/invoiced", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.box.Invoice(t, 3101, s.today, s.today)
			r := s.get(t, made.path("time_entries"))
			r.is(t, "is_locked", "true")
			r.is(t, "is_billed", "true")
			s.fields(t, r.at("invoice"), "id int, number str")
			s.delete(t, made.path("time_entries")).want(t, 422)
		}},
		{"8/archived/project", own, archive("/v2/projects/3101")},
		{"8/archived/task", own, archive("/v2/tasks/4101")},
		{"8/archived/client", own, archive("/v2/clients/1101")},
		{"8/archived/person", own, func(t *testing.T, s *service) {
			made := s.member().create(t)
			s.patch(t, "/v2/users/2302", object("is_active", false)).want(t, 200)
			s.get(t, made.path("time_entries")).is(t, "is_locked", "true")
		}},
		{"8/approval_status/values", own, func(t *testing.T, s *service) {
			made := s.create(t)
			made.is(t, "approval_status", `"unsubmitted"`)
			s.box.WebUpdate(t, int64(made.number(t, "id")), object("submitted", true))
			s.get(t, made.path("time_entries")).is(t, "approval_status", `"submitted"`)
		}},
		{"8/approval/covers_days_without_entries", own, func(t *testing.T, s *service) {
			s.box.Lock(t, sandboxtest.UserID, "2026-02-02", "2026-02-08")
			s.post(t, "/v2/time_entries", s.entry("spent_date", "2026-02-07")).want(t, 422)
			s.post(t, "/v2/time_entries", s.entry("spent_date", "2026-02-09")).want(t, 201)
		}},
		{"8/approval/is_per_person", own, func(t *testing.T, s *service) {
			s.box.Lock(t, sandboxtest.MemberUserID, s.today, s.today)
			s.create(t)
			s.member().post(t, "/v2/time_entries", s.entry()).want(t, 422)
		}},
		{"8/invoice/locks_the_project_for_the_period", own, func(t *testing.T, s *service) {
			s.box.Invoice(t, 3101, "2026-01-12", "2026-01-18")
			s.post(t, "/v2/time_entries", s.entry()).want(t, 422)
			s.post(t, "/v2/time_entries", s.entry("project_id", 3107, "task_id", 4102)).want(t, 201)
		}},
		{"8/moving_onto_a_locked_date", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.patch(t, made.path("time_entries"), object("spent_date", "2026-01-08")).want(t, 422)
			s.get(t, made.path("time_entries")).is(t, "spent_date", `"2026-01-14"`)
		}},
		{"8/administrators_edit_in_the_web_app", own, func(t *testing.T, s *service) {
			made := locked(t, s)
			s.box.WebUpdate(t, int64(made.number(t, "id")), object("hours", 3))
			s.get(t, made.path("time_entries")).is(t, "hours", "3.0")
		}},
		{"8/administrators_delete_closed_entries", own, func(t *testing.T, s *service) {
			made := locked(t, s)
			s.member().delete(t, made.path("time_entries")).want(t, 422)
			s.delete(t, made.path("time_entries")).want(t, 200)
		}},
		{"8/lock_answer/422", own, answers("422", 422)},
		{"8/lock_answer/403", own, answers("403", 403)},
		{"8/lock_answer/dropped", own, answers("dropped", 200)},
		{"8/lock_answer/create_is_refused_anyway", own, func(t *testing.T, s *service) {
			s.set(t, "lock_answer", "dropped")
			s.post(t, "/v2/time_entries", s.entry("spent_date", "2026-01-08")).want(t, 422)
		}},
		{"8/unlocked_again", own, func(t *testing.T, s *service) {
			made := locked(t, s)
			s.box.Unlock(t, sandboxtest.MemberUserID, s.today, s.today)
			s.member().patch(t, made.path("time_entries"), object("hours", 2)).want(t, 200).is(t, "hours", "2.0")
		}},
		{"8/rates/from_the_assignment", own, func(t *testing.T, s *service) {
			r := s.create(t) // billed by person
			r.is(t, "billable", "true")
			r.is(t, "billable_rate", "95.0")
			s.create(t, "project_id", 3107, "task_id", 4102).is(t, "billable_rate", "98.0") // by task
		}},
		{"8/rates/not_billable", own, func(t *testing.T, s *service) {
			r := s.create(t, "project_id", 3109, "task_id", 4113)
			r.is(t, "billable", "false")
			r.is(t, "billable_rate", "null")
		}},
		{"8/rates/null_without_the_permission", own, func(t *testing.T, s *service) {
			r := s.member().create(t)
			r.is(t, "billable_rate", "null")
			r.is(t, "cost_rate", "null")
			s.get(t, r.path("time_entries")).is(t, "billable_rate", "70.0")
		}},
		{"8/budgeted", own, func(t *testing.T, s *service) {
			s.create(t).is(t, "budgeted", "true")
			s.create(t, "project_id", 3109, "task_id", 4113).is(t, "budgeted", "false")
		}},
	}
}

// references is section 9.
func references() []statement {
	ref := object
	return []statement{
		{"9/fields", write, func(t *testing.T, s *service) {
			r := s.create(t, "external_reference", ref("id", "conformance-1", "group_id", "g", "account_id", "a", "permalink", "https://tracker.example.com/i/77"))
			s.fields(t, r.at("external_reference"), "id str, group_id str, account_id str?, permalink str, service str?, service_icon_url str?")
		}},
		{"9/null_without", write, func(t *testing.T, s *service) {
			s.create(t).is(t, "external_reference", "null")
		}},
		{"9/ids_come_back_as_texts", write, func(t *testing.T, s *service) {
			r := s.create(t, "external_reference", ref("id", 1234567, "group_id", 89, "permalink", "https://tracker.example.com/i/77"))
			r.is(t, "external_reference.id", `"1234567"`)
			r.is(t, "external_reference.group_id", `"89"`)
		}},
		{"9/service_is_the_host_of_the_permalink", own, func(t *testing.T, s *service) {
			r := s.create(t, "external_reference", ref("id", "x", "permalink", "https://dev.azure.com/org/1", "service", "other", "service_icon_url", "https://example.com/x.png"))
			r.is(t, "external_reference.service", `"dev.azure.com"`)
			if !regexp.MustCompile(`^"https://.+"$`).Match(r.at("external_reference.service_icon_url")) || strings.Contains(string(r.at("external_reference")), "example.com") {
				t.Errorf("the icon is %s", r.at("external_reference.service_icon_url"))
			}
		}},
		{"9/no_permalink", own, func(t *testing.T, s *service) {
			r := s.create(t, "external_reference", ref("id", "x"))
			same(t, "reference", fmt.Sprintf("%s %s", r.at("external_reference.permalink"), r.at("external_reference.service")), "null null")
		}},
		{"9/filter/by_id_only", write, func(t *testing.T, s *service) {
			made := s.create(t, "external_reference", ref("id", "conformance-filter", "group_id", "conformance-group", "permalink", "https://tracker.example.com/i/77"))
			r := s.get(t, "/v2/time_entries?external_reference_id=conformance-filter").want(t, 200)
			r.is(t, "time_entries.0.id", string(made.at("id")))
			same(t, "by group", s.count(t, "external_reference_id=conformance-group"), 0)
		}},
		{"9/filter/combined", own, func(t *testing.T, s *service) {
			s.create(t, "external_reference", ref("id", "x"))
			same(t, "own", s.count(t, "external_reference_id=x&user_id=2301&from=2026-01-14&to=2026-01-14"), 1)
			same(t, "other", s.count(t, "external_reference_id=x&user_id=2302"), 0)
			same(t, "date", s.count(t, "external_reference_id=x&from=2026-01-15"), 0)
		}},
		{"9/filter/lag", own, func(t *testing.T, s *service) {
			s.set(t, "reference_filter_lag_ms", 3000)
			s.create(t, "external_reference", ref("id", "x"))
			same(t, "at once", s.count(t, "external_reference_id=x"), 0)
			s.box.Advance(t, 3*time.Second)
			same(t, "later", s.count(t, "external_reference_id=x"), 1)
		}},
		{"9/not_unique", write, func(t *testing.T, s *service) {
			for range 2 {
				s.create(t, "external_reference", ref("id", "conformance-twice", "permalink", "https://tracker.example.com/i/77"))
			}
			same(t, "rows", s.count(t, "external_reference_id=conformance-twice"), 2)
		}},
		{"9/update/sets_and_replaces", write, func(t *testing.T, s *service) {
			made := s.create(t)
			for _, id := range []string{"conformance-a", "conformance-b"} {
				r := s.patch(t, made.path("time_entries"), object("external_reference", ref("id", id, "permalink", "https://tracker.example.com/i/77"))).want(t, 200)
				r.is(t, "external_reference.id", `"`+id+`"`)
			}
		}},
		{"9/update/left_alone", write, func(t *testing.T, s *service) {
			made := s.create(t, "external_reference", ref("id", "conformance-keep", "permalink", "https://tracker.example.com/i/77"))
			s.patch(t, made.path("time_entries"), object("notes", "n")).is(t, "external_reference.id", `"conformance-keep"`)
		}},
		{"9/delete", write, func(t *testing.T, s *service) {
			made := s.create(t, "external_reference", ref("id", "conformance-gone", "permalink", "https://tracker.example.com/i/77"))
			s.delete(t, made.path("time_entries")+"/external_reference").want(t, 200)
			s.get(t, made.path("time_entries")).is(t, "external_reference", "null")
		}},
		{"9/length/no_limit", own, func(t *testing.T, s *service) {
			s.create(t, "external_reference", ref("id", strings.Repeat("x", 5000)), "notes", strings.Repeat("n", 50_000))
		}},
		{"9/length/limits", own, func(t *testing.T, s *service) {
			s.set(t, "reference_limit", 100, "notes_limit", 10)
			s.create(t, "external_reference", ref("id", strings.Repeat("x", 100)), "notes", strings.Repeat("ø", 10))
			s.post(t, "/v2/time_entries", s.entry("external_reference", ref("id", strings.Repeat("x", 101)))).want(t, 422)
			s.post(t, "/v2/time_entries", s.entry("notes", strings.Repeat("ø", 11))).want(t, 422)
		}},
		{"9/dropped", own, func(t *testing.T, s *service) {
			s.set(t, "drop_external_reference", true)
			s.create(t, "external_reference", ref("id", "x")).is(t, "external_reference", "null")
		}},
		{"9/reports_do_not_show_it", own, func(t *testing.T, s *service) {
			s.create(t, "external_reference", ref("id", "very-special"))
			r := s.get(t, "/v2/reports/time/projects?from=2026-01-14&to=2026-01-14").want(t, 200)
			if strings.Contains(string(r.value), "very-special") {
				t.Error("it does")
			}
		}},
	}
}
