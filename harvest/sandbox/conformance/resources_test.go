package conformance_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	projectAssignmentFields = "id int, is_project_manager bool, is_active bool, use_default_rates bool, budget dec?, created_at dt, updated_at dt, hourly_rate dec?, project obj, client obj, task_assignments list"
	userFields              = "id int, first_name str, last_name str, email str, telephone str, timezone str, weekly_capacity int, has_access_to_all_future_projects bool, is_contractor bool, is_active bool, calendar_integration_enabled bool, calendar_integration_source str?, created_at dt, updated_at dt, can_create_projects bool, default_hourly_rate dec?, cost_rate dec?, roles list, access_roles list, permissions_claims list, avatar_url str"
	clientFields            = "id int, name str, is_active bool, address str?, statement_key str, created_at dt, updated_at dt, currency str"
	projectFields           = "id int, name str, code str?, is_active bool, is_billable bool, is_fixed_fee bool, bill_by str, budget dec?, budget_by str, budget_is_monthly bool, notify_when_over_budget bool, over_budget_notification_percentage dec, show_budget_to_all bool, created_at dt, updated_at dt, starts_on date?, ends_on date?, over_budget_notification_date date?, notes str?, cost_budget dec?, cost_budget_include_expenses bool, hourly_rate dec?, fee dec?, client obj"
	taskFields              = "id int, name str, billable_by_default bool, default_hourly_rate dec?, is_default bool, is_active bool, created_at dt, updated_at dt"
	taskAssignmentFields    = "id int, billable bool, is_active bool, created_at dt, updated_at dt, hourly_rate dec?, budget dec?, project obj, task obj"
	userAssignmentFields    = "id int, is_project_manager bool, is_active bool, use_default_rates bool, budget dec?, created_at dt, updated_at dt, hourly_rate dec?, project obj, user obj"
	entryFields             = "id int, spent_date date, hours dec, hours_without_timer dec, rounded_hours dec, notes str?, is_locked bool, locked_reason str?, approval_status str, is_closed bool, is_billed bool, timer_started_at dt?, started_time time?, ended_time time?, is_running bool, billable bool, budgeted bool, billable_rate dec?, cost_rate dec?, created_at dt, updated_at dt, user obj, client obj, project obj, task obj, user_assignment obj?, task_assignment obj?, invoice obj?, external_reference obj?"
)

// row is the first row of a list that an administrator may read.
func (s *service) row(t *testing.T, path, key string) value {
	t.Helper()
	r := s.get(t, path)
	s.need(t, r.status == 200, "right to read "+path)
	rows := r.list(t, key)
	s.need(t, len(rows) > 0, key)
	return rows[0]
}

// filtered checks is_active of a list.
func filtered(name, path, key string) statement {
	return statement{name, own, func(t *testing.T, s *service) {
		sum := 0
		for _, active := range []string{"true", "false"} {
			r := s.get(t, path+"?is_active="+active).want(t, 200)
			for _, row := range r.list(t, key) {
				row.is(t, "is_active", active)
			}
			sum += r.number(t, "total_entries")
		}
		s.get(t, path).is(t, "total_entries", strconv.Itoa(sum))
		s.get(t, path+"?is_active=1").want(t, 422)
	}}
}

// shown checks that a record alone is what the list holds.
func shown(name, path, key string) statement {
	return statement{name, own, func(t *testing.T, s *service) {
		row := s.row(t, path, key)
		s.get(t, path+"/"+string(row.at("id"))).want(t, 200).body(t, string(row))
		s.get(t, path+"/1").want(t, 404)
	}}
}

// people is sections 10.1 to 10.3, and teammates and roles.
func people() []statement {
	return []statement{
		{"10/delete_answers/object", write, func(t *testing.T, s *service) {
			made := s.post(t, "/v2/time_entries", s.entry()).want(t, 201)
			if gone := s.delete(t, made.path("time_entries")).want(t, 200); s.box != nil || len(gone.value) > 0 {
				gone.is(t, "id", string(made.at("id")))
			}
		}},
		{"10/delete_answers/empty", own, func(t *testing.T, s *service) {
			s.set(t, "delete_body", "empty")
			s.delete(t, s.create(t).path("time_entries")).want(t, 200).body(t, "")
		}},
		{"10.1/fields", read, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/company")
			s.need(t, r.status == 200, "right to read the company")
			s.fields(t, r.value, "base_uri str, full_domain str, name str, is_active bool, week_start_day str, wants_timestamp_timers bool, time_format str, date_format str, plan_type str, expense_feature bool, invoice_feature bool, estimate_feature bool, team_feature bool, weekly_capacity int, approval_feature bool, clock str, currency str, currency_code_display str, currency_symbol_display str, decimal_symbol str, thousands_separator str, color_scheme str")
		}},
		{"10.1/values", read, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/company")
			s.need(t, r.status == 200, "right to read the company")
			for name, valid := range map[string]string{"week_start_day": "Saturday Sunday Monday", "time_format": "decimal hours_minutes", "clock": "12h 24h"} {
				if !slices.Contains(strings.Fields(valid), r.text(t, name)) {
					t.Errorf("%s is %s", name, r.at(name))
				}
			}
		}},
		{"10.1/update/two_fields_only", own, func(t *testing.T, s *service) {
			r := s.patch(t, "/v2/company", object("wants_timestamp_timers", true, "weekly_capacity", 108000, "name", "Other", "clock", "12h")).want(t, 200)
			same(t, "company", fmt.Sprintf("%s %s %s %s", r.at("wants_timestamp_timers"), r.at("weekly_capacity"), r.at("name"), r.at("clock")), `true 108000 "Ida Berg Studio" "24h"`)
		}},
		{"10.1/update/administrators_only", own, func(t *testing.T, s *service) {
			s.member().patch(t, "/v2/company", object("weekly_capacity", 1)).want(t, 403)
		}},
		{"10.1/time_format_switch", own, func(t *testing.T, s *service) {
			s.set(t, "time_format", "decimal", "week_start_day", "Saturday")
			r := s.get(t, "/v2/company")
			same(t, "company", fmt.Sprintf("%s %s", r.at("time_format"), r.at("week_start_day")), `"decimal" "Saturday"`)
		}},
		{"10.2/me/fields", read, func(t *testing.T, s *service) { s.fields(t, s.get(t, "/v2/users/me").want(t, 200).value, userFields) }},
		{"10.2/me/everybody", own, func(t *testing.T, s *service) {
			s.member().get(t, "/v2/users/me").want(t, 200).is(t, "id", "2302")
		}},
		{"10.2/members_read_nobody_else", own, func(t *testing.T, s *service) {
			s.member().get(t, "/v2/users").want(t, 403)
			s.member().get(t, "/v2/users/2301").want(t, 403)
		}},
		{"10.2/managers_read_teammates", own, func(t *testing.T, s *service) {
			manager, id := s.manager(t)
			manager.get(t, "/v2/users/2302").want(t, 403)
			s.patch(t, "/v2/users/"+id+"/teammates", object("teammate_ids", []int{2302})).want(t, 200)
			manager.get(t, "/v2/users/2302").want(t, 200)
			manager.get(t, "/v2/users/2301").want(t, 403)
			manager.get(t, "/v2/users").want(t, 200).is(t, "total_entries", "2")
		}},
		filtered("10.2/filter/is_active", "/v2/users", "users"),
		shown("10.2/record", "/v2/users", "users"),
		{"10.2/vanished_fields", read, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/users/me")
			for _, name := range []string{"is_admin", "is_project_manager", "can_see_rates", "can_create_invoices"} {
				if r.at(name) != nil {
					t.Errorf("there is %s", name)
				}
			}
		}},
		{"10.2/create", own, func(t *testing.T, s *service) {
			r := s.post(t, "/v2/users", object("first_name", "Pia", "last_name", "Holm", "email", "pia@example.com")).want(t, 201)
			s.fields(t, r.value, userFields)
			same(t, "Location", r.header.Get("Location"), s.url+"/api"+r.path("users"))
			r.is(t, "access_roles", `["member"]`)
		}},
		{"10.2/create/needs_names_and_address", own, func(t *testing.T, s *service) {
			s.post(t, "/v2/users", object("first_name", "Pia")).want(t, 422).body(t, `{"message":"Last name can't be blank, Email can't be blank"}`)
		}},
		{"10.2/create/administrators_only", own, func(t *testing.T, s *service) {
			s.member().post(t, "/v2/users", object("first_name", "P", "last_name", "H", "email", "p@example.com")).want(t, 403)
		}},
		{"10.2/update", own, func(t *testing.T, s *service) {
			r := s.patch(t, "/v2/users/2302", object("telephone", "12", "is_contractor", true)).want(t, 200)
			r.is(t, "telephone", `"12"`)
			r.is(t, "first_name", `"Jonas"`)
		}},
		{"10.2/delete", own, func(t *testing.T, s *service) {
			made := s.post(t, "/v2/users", object("first_name", "Pia", "last_name", "Holm", "email", "pia@example.com"))
			s.delete(t, made.path("users")).want(t, 200).body(t, string(made.value))
			s.get(t, made.path("users")).want(t, 404)
		}},
		{"10.2/delete/not_with_time_entries", own, func(t *testing.T, s *service) { s.delete(t, "/v2/users/2302").want(t, 422) }},
		{"10.2/rates/hidden_from_members", own, func(t *testing.T, s *service) {
			s.member().get(t, "/v2/users/me").is(t, "default_hourly_rate", "null")
			s.get(t, "/v2/users/2302").is(t, "default_hourly_rate", "70.0")
		}},
		{"10.3/fields", read, func(t *testing.T, s *service) {
			row := s.row(t, "/v2/users/me/project_assignments", "project_assignments")
			s.fields(t, row, projectAssignmentFields)
			s.fields(t, row.at("project"), "id int, name str, code str?, is_billable bool")
			s.fields(t, row.at("client"), "id int, name str, currency str")
			s.need(t, len(row.list(t, "task_assignments")) > 0, "task assignments")
			s.fields(t, row.at("task_assignments.0"), "id int, billable bool, is_active bool, created_at dt, updated_at dt, hourly_rate dec?, budget dec?, task obj")
		}},
		{"10.3/active_only", read, func(t *testing.T, s *service) {
			for _, row := range s.get(t, "/v2/users/me/project_assignments").list(t, "project_assignments") {
				row.is(t, "is_active", "true")
			}
		}},
		{"10.3/left_out_when_inactive", own, func(t *testing.T, s *service) {
			row := s.row(t, "/v2/users/me/project_assignments", "project_assignments")
			s.patch(t, "/v2/projects/"+string(row.at("project.id"))+"/user_assignments/"+string(row.at("id")), object("is_active", false)).want(t, 200)
			if got := s.get(t, "/v2/users/me/project_assignments").at("project_assignments.0.id"); string(got) == string(row.at("id")) {
				t.Error("still there")
			}
		}},
		{"10.3/may_hold_inactive_tasks", own, func(t *testing.T, s *service) {
			if !strings.Contains(string(s.get(t, "/v2/users/me/project_assignments").value), `"billable":true,"is_active":false`) {
				t.Error("none")
			}
		}},
		{"10.3/of_others", own, func(t *testing.T, s *service) {
			s.get(t, "/v2/users/2302/project_assignments").want(t, 200).is(t, "total_entries", "2")
			s.get(t, "/v2/users/1/project_assignments").want(t, 404)
			s.member().get(t, "/v2/users/2301/project_assignments").want(t, 403)
			s.member().get(t, "/v2/users/2302/project_assignments").want(t, 200)
		}},
		{"10.10/teammates", own, func(t *testing.T, s *service) {
			_, id := s.manager(t)
			s.patch(t, "/v2/users/"+id+"/teammates", object("teammate_ids", []int{2302})).want(t, 200)
			s.fields(t, s.get(t, "/v2/users/"+id+"/teammates").want(t, 200).at("teammates.0"), "id int, first_name str, last_name str, email str")
			s.member().patch(t, "/v2/users/"+id+"/teammates", object("teammate_ids", []int{})).want(t, 403)
		}},
		{"10.10/roles", own, func(t *testing.T, s *service) {
			row := s.row(t, "/v2/roles", "roles")
			s.fields(t, row, "id int, name str, created_at dt, updated_at dt, user_ids list")
			s.get(t, "/v2/roles/"+string(row.at("id"))).want(t, 200).body(t, string(row))
			s.member().get(t, "/v2/roles").want(t, 403)
		}},
	}
}

// clientsAndProjects is sections 10.4, 10.5 and the tasks of 10.6.
func clientsAndProjects() []statement {
	project := func(pairs ...any) map[string]any {
		m := object("client_id", 1101, "name", "New", "is_billable", true, "bill_by", "Project", "budget_by", "project")
		for k, v := range object(pairs...) {
			m[k] = v
		}
		return m
	}
	crud := func(section, collection, fields string, body map[string]any) statement {
		return statement{section + "/" + collection + "/create_change_delete", own, func(t *testing.T, s *service) {
			made := s.post(t, "/v2/"+collection, body).want(t, 201)
			s.fields(t, made.value, fields)
			same(t, "Location", made.header.Get("Location"), s.url+"/api"+made.path(collection))
			s.box.Advance(t, time.Minute)
			changed := s.patch(t, made.path(collection), object("name", "Renamed")).want(t, 200)
			changed.is(t, "name", `"Renamed"`)
			changed.is(t, "updated_at", `"2026-01-14T11:01:00Z"`)
			changed.is(t, "is_active", "true")
			s.delete(t, made.path(collection)).want(t, 200).body(t, string(changed.value))
			s.get(t, made.path(collection)).want(t, 404)
			s.post(t, "/v2/"+collection, object()).want(t, 422)
			s.member().post(t, "/v2/"+collection, body).want(t, 403)
			s.member().patch(t, made.path(collection), body).want(t, 403)
			s.member().delete(t, made.path(collection)).want(t, 403)
			s.member().get(t, "/v2/"+collection).want(t, 403)
		}}
	}
	return []statement{
		{"10.4/fields", read, func(t *testing.T, s *service) {
			s.fields(t, s.row(t, "/v2/clients?per_page=1", "clients"), clientFields)
		}},
		crud("10.4", "clients", clientFields, object("name", "New", "currency", "USD", "address", "Here")),
		filtered("10.4/filter/is_active", "/v2/clients", "clients"), shown("10.4/record", "/v2/clients", "clients"),
		{"10.4/create/only_the_name_is_needed", own, func(t *testing.T, s *service) {
			s.post(t, "/v2/clients", object("name", "New")).want(t, 201).is(t, "currency", `"EUR"`)
			s.post(t, "/v2/clients", object("currency", "USD")).want(t, 422).body(t, `{"message":"Name can't be blank"}`)
		}},
		{"10.4/delete/not_with_projects", own, func(t *testing.T, s *service) { s.delete(t, "/v2/clients/1101").want(t, 422) }},
		{"10.4/managers_with_the_right", own, func(t *testing.T, s *service) {
			plain, _ := s.manager(t)
			plain.get(t, "/v2/clients").want(t, 403)
			trusted, _ := s.manager(t, "client_and_task_manager")
			trusted.get(t, "/v2/clients").want(t, 200)
			trusted.post(t, "/v2/clients", object("name", "New")).want(t, 201)
		}},
		{"10.5/fields", read, func(t *testing.T, s *service) {
			row := s.row(t, "/v2/projects?per_page=1", "projects")
			s.fields(t, row, projectFields)
			s.fields(t, row.at("client"), "id int, name str, currency str")
		}},
		crud("10.5", "projects", projectFields, project()),
		filtered("10.5/filter/is_active", "/v2/projects", "projects"), shown("10.5/record", "/v2/projects", "projects"),
		{"10.5/filter/client_id", own, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/projects?client_id=1101").want(t, 200)
			r.is(t, "total_entries", "2")
			r.is(t, "projects.0.client.id", "1101")
		}},
		{"10.5/values", read, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/projects?per_page=100")
			s.need(t, r.status == 200, "right to read projects")
			for _, p := range r.list(t, "projects") {
				if !slices.Contains([]string{"Project", "Tasks", "People", "none"}, p.text(t, "bill_by")) ||
					!slices.Contains([]string{"project", "project_cost", "task", "task_fees", "person", "none"}, p.text(t, "budget_by")) {
					t.Errorf("bill_by %s, budget_by %s", p.at("bill_by"), p.at("budget_by"))
				}
			}
		}},
		{"10.5/create/client_and_name/enough", own, func(t *testing.T, s *service) {
			r := s.post(t, "/v2/projects", object("client_id", 1101, "name", "New")).want(t, 201)
			same(t, "defaults", fmt.Sprintf("%s %s", r.at("bill_by"), r.at("budget_by")), `"none" "none"`)
			r.is(t, "over_budget_notification_percentage", "80.0")
		}},
		{"10.5/create/client_and_name/not_enough", own, func(t *testing.T, s *service) {
			s.set(t, "project_requires", "all")
			s.post(t, "/v2/projects", object("client_id", 1101, "name", "New")).want(t, 422)
			s.post(t, "/v2/projects", project()).want(t, 201)
		}},
		{"10.5/create/odd_values", own, func(t *testing.T, s *service) {
			s.post(t, "/v2/projects", project("bill_by", "project")).want(t, 422)
			s.post(t, "/v2/projects", project("budget_by", "hours")).want(t, 422)
			s.post(t, "/v2/projects", project("client_id", 1)).want(t, 422)
		}},
		{"10.5/fee/only_with_a_fixed_fee", own, func(t *testing.T, s *service) {
			s.post(t, "/v2/projects", project("fee", 100, "is_fixed_fee", true)).is(t, "fee", "100.0")
			s.post(t, "/v2/projects", project("fee", 100)).is(t, "fee", "null")
		}},
		{"10.5/archive", own, func(t *testing.T, s *service) {
			s.patch(t, "/v2/projects/3101", object("is_active", false)).want(t, 200).is(t, "is_active", "false")
			s.post(t, "/v2/time_entries", s.entry()).want(t, 422)
			if s.count(t, "project_id=3101") == 0 {
				t.Error("the entries are gone")
			}
		}},
		{"10.5/managers_of_the_project", own, func(t *testing.T, s *service) {
			manager, id := s.manager(t)
			manager.get(t, "/v2/projects").want(t, 200).is(t, "total_entries", "0")
			manager.get(t, "/v2/projects/3101").want(t, 403)
			s.post(t, "/v2/projects/3101/user_assignments", object("user_id", id, "is_project_manager", true)).want(t, 201)
			manager.get(t, "/v2/projects/3101").want(t, 200)
			manager.patch(t, "/v2/projects/3101", object("notes", "n")).want(t, 200)
			manager.post(t, "/v2/projects", project()).want(t, 403)
			creator, _ := s.manager(t, "project_creator")
			creator.post(t, "/v2/projects", project()).want(t, 201)
		}},
		{"10.6/tasks/fields", read, func(t *testing.T, s *service) { s.fields(t, s.row(t, "/v2/tasks?per_page=1", "tasks"), taskFields) }},
		crud("10.6", "tasks", taskFields, object("name", "New", "default_hourly_rate", "80.5", "is_default", true)),
		filtered("10.6/tasks/filter/is_active", "/v2/tasks", "tasks"), shown("10.6/tasks/record", "/v2/tasks", "tasks"),
		{"10.6/tasks/delete/not_with_time_entries", own, func(t *testing.T, s *service) { s.delete(t, "/v2/tasks/4101").want(t, 422) }},
	}
}

// assignments is the rest of 10.6, and 10.7.
func assignments() []statement {
	crud := func(section, kind, fields string, needs string, body map[string]any) statement {
		return statement{section + "/" + kind + "/create_change_delete", own, func(t *testing.T, s *service) {
			path := "/v2/projects/3102/" + kind
			made := s.post(t, path, body).want(t, 201)
			s.fields(t, made.value, fields)
			one := path + "/" + string(made.at("id"))
			same(t, "Location", made.header.Get("Location"), s.url+"/api"+one)
			s.get(t, one).want(t, 200).body(t, string(made.value))
			changed := s.patch(t, one, object("budget", "12.5", "is_active", false)).want(t, 200)
			changed.is(t, "budget", "12.5")
			changed.is(t, "is_active", "false")
			s.post(t, path, body).want(t, 422)
			s.post(t, path, object()).want(t, 422).body(t, `{"message":"`+needs+` can't be blank"}`)
			s.delete(t, one).want(t, 200).body(t, string(changed.value))
			s.get(t, one).want(t, 404)
			s.get(t, "/v2/projects/3101/"+kind+"/"+string(s.row(t, path, kind).at("id"))).want(t, 404)
			s.member().get(t, path).want(t, 403)
			s.member().get(t, "/v2/"+kind).want(t, 403)
			s.member().post(t, path, body).want(t, 403)
		}}
	}
	all := func(name, kind string) statement {
		return statement{name, own, func(t *testing.T, s *service) {
			sum := 0
			for _, p := range s.get(t, "/v2/projects").list(t, "projects") {
				sum += s.get(t, "/v2/projects/"+string(p.at("id"))+"/"+kind).want(t, 200).number(t, "total_entries")
			}
			s.get(t, "/v2/"+kind).is(t, "total_entries", strconv.Itoa(sum))
		}}
	}
	used := func(name, kind string) statement {
		return statement{name, own, func(t *testing.T, s *service) {
			made := s.create(t)
			one := strings.TrimSuffix(kind, "s")
			s.delete(t, "/v2/projects/3101/"+kind+"/"+string(made.at(one+".id"))).want(t, 422)
		}}
	}
	return []statement{
		{"10.6/task_assignments/fields", read, func(t *testing.T, s *service) {
			row := s.row(t, "/v2/task_assignments?per_page=1", "task_assignments")
			s.fields(t, row, taskAssignmentFields)
			s.fields(t, row.at("project"), "id int, name str, code str?")
			s.fields(t, row.at("task"), "id int, name str")
		}},
		all("10.6/task_assignments/of_all_projects", "task_assignments"),
		crud("10.6", "task_assignments", taskAssignmentFields, "Task", object("task_id", 4101, "billable", false)),
		filtered("10.6/task_assignments/filter/is_active", "/v2/task_assignments", "task_assignments"),
		filtered("10.6/task_assignments/filter/is_active_of_a_project", "/v2/projects/3101/task_assignments", "task_assignments"),
		used("10.6/task_assignments/delete/not_with_time_entries", "task_assignments"),
		{"10.6/entries_take_the_task_not_the_assignment", own, func(t *testing.T, s *service) {
			s.post(t, "/v2/time_entries", s.entry("task_id", s.create(t).number(t, "task_assignment.id"))).want(t, 422)
		}},
		{"10.7/fields", read, func(t *testing.T, s *service) {
			row := s.row(t, "/v2/user_assignments?per_page=1", "user_assignments")
			s.fields(t, row, userAssignmentFields)
			s.fields(t, row.at("project"), "id int, name str, code str?")
			s.fields(t, row.at("user"), "id int, name str")
		}},
		all("10.7/of_all_projects", "user_assignments"),
		crud("10.7", "user_assignments", userAssignmentFields, "User", object("user_id", 2302)),
		filtered("10.7/filter/is_active", "/v2/user_assignments", "user_assignments"),
		{"10.7/filter/user_id", own, func(t *testing.T, s *service) {
			s.get(t, "/v2/user_assignments?user_id=2302").want(t, 200).is(t, "total_entries", "2")
			s.get(t, "/v2/projects/3101/user_assignments?user_id=2302").want(t, 200).is(t, "user_assignments.0.user.id", "2302")
		}},
		used("10.7/delete/not_with_time_entries", "user_assignments"),
	}
}

// entries is section 10.8.
func entries() []statement {
	const list = "/v2/time_entries"
	filter := func(name, query, path, want string) statement {
		return statement{"10.8/filter/" + name, own, func(t *testing.T, s *service) {
			s.box.WebUpdate(t, int64(s.create(t).number(t, "id")), object("submitted", true))
			s.create(t, "hours", nil)
			n := 0
			rows := slices.Concat( // some that are invoiced, some that are not
				s.get(t, list+"?from=2025-09-22&to=2025-10-08").list(t, "time_entries"), s.get(t, list+"?from=2026-01-06").list(t, "time_entries"))
			for _, row := range rows {
				if string(row.at(path)) == want {
					n++
				}
			}
			if n == 0 || n == len(rows) {
				t.Fatalf("%d of %d rows", n, len(rows))
			}
			got := s.count(t, "from=2025-09-22&to=2025-10-08&"+query) + s.count(t, "from=2026-01-06&"+query)
			if strings.Contains(query, "from") {
				got = s.count(t, query)
			}
			same(t, "rows", got, n)
		}}
	}
	combination := func(name string, pairs ...any) statement {
		return statement{"10.8/create/combination/" + name, own, func(t *testing.T, s *service) {
			s.post(t, list, s.entry(pairs...)).want(t, 422)
		}}
	}
	return []statement{
		{"10.8/fields", read, func(t *testing.T, s *service) {
			row := s.row(t, list+"?per_page=1", "time_entries")
			s.fields(t, row, entryFields)
			s.fields(t, row.at("user"), "id int, name str")
			s.fields(t, row.at("client"), "id int, name str, currency str")
			s.fields(t, row.at("project"), "id int, name str, code str?")
			s.fields(t, row.at("task"), "id int, name str")
		}},
		{"10.8/fields/assignments", own, func(t *testing.T, s *service) {
			r := s.create(t)
			s.fields(t, r.at("user_assignment"), "id int, is_project_manager bool, is_active bool, use_default_rates bool, budget dec?, created_at dt, updated_at dt, hourly_rate dec?")
			s.fields(t, r.at("task_assignment"), "id int, billable bool, is_active bool, created_at dt, updated_at dt, hourly_rate dec?, budget dec?")
		}},
		{"10.8/fields/assignments_may_be_null", own, func(t *testing.T, s *service) {
			s.set(t, "null_assignments", true)
			r := s.create(t)
			r.is(t, "user_assignment", "null")
			r.is(t, "task_assignment", "null")
		}},
		{"10.8/list_carries_the_whole_object", read, func(t *testing.T, s *service) {
			rows := s.get(t, list+"?is_running=false&per_page=1").want(t, 200).list(t, "time_entries")
			s.need(t, len(rows) > 0, "time entries")
			s.get(t, list+"/"+string(rows[0].at("id"))).want(t, 200).body(t, string(rows[0]))
		}},
		filter("user_id", "user_id=2302", "user.id", "2302"), filter("client_id", "client_id=1101", "client.id", "1101"),
		filter("project_id", "project_id=3101", "project.id", "3101"), filter("task_id", "task_id=4101", "task.id", "4101"),
		filter("is_billed", "is_billed=true", "is_billed", "true"), filter("is_not_billed", "is_billed=false", "is_billed", "false"),
		filter("is_running", "is_running=true", "is_running", "true"), filter("is_not_running", "is_running=false", "is_running", "false"),
		filter("approved", "approval_status=approved", "approval_status", `"approved"`),
		filter("submitted", "approval_status=submitted", "approval_status", `"submitted"`),
		filter("unsubmitted", "approval_status=unsubmitted", "approval_status", `"unsubmitted"`),
		filter("from_and_to_inclusive", "from=2026-01-13&to=2026-01-13", "spent_date", `"2026-01-13"`),
		{"10.8/filter/truth_values_are_words", read, func(t *testing.T, s *service) { s.get(t, list+"?is_billed=1").want(t, 422) }},
		{"10.8/filter/no_arrays", own, func(t *testing.T, s *service) {
			same(t, "rows", s.count(t, "user_id[]=2302"), s.count(t, ""))
			same(t, "rows", s.count(t, "user_id=2301&user_id=2302"), s.count(t, "user_id=2302"))
		}},
		{"10.8/filter/combined", own, func(t *testing.T, s *service) {
			same(t, "rows", s.count(t, "project_id=3101&client_id=1102"), 0)
		}},
		{"10.8/record/unknown", read, func(t *testing.T, s *service) { s.get(t, list+"/1").want(t, 404) }},
		{"10.8/create/answer", write, func(t *testing.T, s *service) {
			r := s.create(t, "notes", "Grid & <type>, ½ \"done\"\n🌾")
			same(t, "notes", r.text(t, "notes"), "Grid & <type>, ½ \"done\"\n🌾")
			s.get(t, r.path("time_entries")).want(t, 200).body(t, string(r.value))
		}},
		{"10.8/create/needs/project", write, func(t *testing.T, s *service) {
			s.post(t, list, s.entry("project_id", nil)).want(t, 422)
		}},
		{"10.8/create/needs/task", write, func(t *testing.T, s *service) { s.post(t, list, s.entry("task_id", nil)).want(t, 422) }},
		{"10.8/create/needs/date", write, func(t *testing.T, s *service) { s.post(t, list, s.entry("spent_date", nil)).want(t, 422) }},
		{"10.8/create/user_defaults_to_the_tokens", write, func(t *testing.T, s *service) {
			s.create(t).is(t, "user.id", string(s.get(t, "/v2/users/me").at("id")))
		}},
		{"10.8/create/for_others", own, func(t *testing.T, s *service) {
			s.create(t, "user_id", 2302).is(t, "user.id", "2302")
			s.member().post(t, list, s.entry("user_id", 2301)).want(t, 403)
		}},
		{"10.8/create/for_teammates", own, func(t *testing.T, s *service) {
			manager, id := s.manager(t)
			manager.post(t, list, s.entry("user_id", 2302)).want(t, 403)
			s.patch(t, "/v2/users/"+id+"/teammates", object("teammate_ids", []int{2302})).want(t, 200)
			manager.post(t, list, s.entry("user_id", 2302)).want(t, 201)
		}},
		combination("unknown_project", "project_id", 1), combination("unknown_task", "task_id", 1),
		combination("archived_project", "project_id", 3106), combination("task_not_assigned", "task_id", 4114),
		combination("task_assignment_inactive", "task_id", 4112), combination("user_not_assigned", "user_id", 2302, "project_id", 3102, "task_id", 4104),
		{"10.8/update/only_what_is_sent", write, func(t *testing.T, s *service) {
			made := s.create(t, "notes", "a")
			r := s.patch(t, made.path("time_entries"), object("hours", 2.25)).want(t, 200)
			same(t, "entry", fmt.Sprintf("%s %s %s", r.at("hours"), r.at("notes"), r.at("spent_date")), `2.25 "a" "`+s.today+`"`)
		}},
		{"10.8/update/project_task_date_notes", own, func(t *testing.T, s *service) {
			r := s.patch(t, s.create(t).path("time_entries"), object("project_id", 3107, "task_id", 4102, "spent_date", "2026-01-13", "notes", "x")).want(t, 200)
			same(t, "entry", fmt.Sprintf("%s %s %s %s %s", r.at("project.id"), r.at("task.id"), r.at("spent_date"), r.at("notes"), r.at("billable_rate")), `3107 4102 "2026-01-13" "x" 98.0`)
			r.is(t, "client.id", "1104")
		}},
		{"10.8/update/owner_stays", own, func(t *testing.T, s *service) {
			s.patch(t, s.create(t).path("time_entries"), object("user_id", 2302)).want(t, 200).is(t, "user.id", "2301")
		}},
		{"10.8/update/unknown", own, func(t *testing.T, s *service) { s.patch(t, list+"/1", object("hours", 1)).want(t, 404) }},
		{"10.8/visible/administrators_all", own, func(t *testing.T, s *service) {
			same(t, "rows", s.count(t, ""), s.count(t, "user_id=2301")+s.count(t, "user_id=2302"))
		}},
		{"10.8/visible/members_their_own", own, func(t *testing.T, s *service) {
			same(t, "rows", s.member().count(t, ""), s.count(t, "user_id=2302"))
			s.member().get(t, s.create(t).path("time_entries")).want(t, 403)
			s.member().delete(t, s.create(t).path("time_entries")).want(t, 403)
		}},
		{"10.8/visible/managers_teammates_and_projects", own, func(t *testing.T, s *service) {
			manager, id := s.manager(t)
			same(t, "own", manager.count(t, ""), 0)
			s.patch(t, "/v2/users/"+id+"/teammates", object("teammate_ids", []int{2302})).want(t, 200)
			same(t, "teammates", manager.count(t, ""), s.count(t, "user_id=2302"))
			s.patch(t, "/v2/users/"+id+"/teammates", object("teammate_ids", []int{})).want(t, 200)
			s.post(t, "/v2/projects/3103/user_assignments", object("user_id", id, "is_project_manager", true)).want(t, 201)
			same(t, "projects", manager.count(t, ""), s.count(t, "project_id=3103"))
		}},
	}
}

// reports is section 10.9.
func reports() []statement {
	const period = "from=20251101&to=20260114"
	row := func(group, fields string) statement {
		return statement{"10.9/time/" + group + "/fields", own, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/reports/time/"+group+"?"+period).want(t, 200)
			s.fields(t, r.at("results.0"), fields+", total_hours dec, billable_hours dec, currency str, billable_amount dec")
			hours, _ := s.walk(t, "/v2/time_entries?"+period, "time_entries")
			want, got := 0, 0
			for _, e := range hours {
				want += hundredths(t, e, "rounded_hours")
			}
			for _, row := range r.list(t, "results") {
				got += hundredths(t, row, "total_hours")
			}
			same(t, "hours", got, want)
		}}
	}
	expense := func(group, fields string) statement {
		return statement{"10.9/expenses/" + group + "/fields", own, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/reports/expenses/"+group+"?"+period).want(t, 200)
			s.fields(t, r.at("results.0"), fields+", total_amount dec, billable_amount dec, currency str")
			sum := 0
			for _, row := range r.list(t, "results") {
				sum += hundredths(t, row, "total_amount")
			}
			same(t, "amount", sum, 28645)
		}}
	}
	budget := func(name string, choice any, query string, want int) statement {
		return statement{"10.9/project_budget/" + name, own, func(t *testing.T, s *service) {
			if name, on, ok := strings.Cut(fmt.Sprint(choice), "="); ok {
				s.set(t, name, on == "true")
			}
			s.get(t, "/v2/reports/project_budget?"+query).want(t, 200).is(t, "total_entries", strconv.Itoa(want))
		}}
	}
	return []statement{
		{"10.9/envelope", read, func(t *testing.T, s *service) {
			same(t, "members", strings.Join(s.get(t, "/v2/reports/project_budget").want(t, 200).keys(t), ","), "results"+envelope)
		}},
		{"10.9/project_budget/fields", own, func(t *testing.T, s *service) {
			s.fields(t, s.get(t, "/v2/reports/project_budget").at("results.0"), "project_id int, project_name str, client_id int, client_name str, budget_is_monthly bool, budget_by str, is_active bool, budget dec?, budget_spent dec?, budget_remaining dec?")
		}},
		{"10.9/project_budget/spent_and_remaining", own, func(t *testing.T, s *service) {
			for _, row := range s.get(t, "/v2/reports/project_budget").list(t, "results") {
				same(t, row.text(t, "project_name"), hundredths(t, row, "budget_spent")+hundredths(t, row, "budget_remaining"), hundredths(t, row, "budget"))
			}
		}},
		{"10.9/project_budget/money_without_the_right", own, func(t *testing.T, s *service) {
			s.patch(t, "/v2/projects/3103", object("show_budget_to_all", true)).want(t, 200)
			s.post(t, "/v2/projects/3103/user_assignments", object("user_id", 2302)).want(t, 201)
			for _, row := range s.member().get(t, "/v2/reports/project_budget").want(t, 200).list(t, "results") {
				same(t, row.text(t, "project_name"), string(row.at("budget")) == "null", row.text(t, "budget_by") == "project_cost")
			}
		}},
		budget("with_a_budget_only", nil, "", 7), budget("is_active", nil, "is_active=true", 7), budget("is_inactive", nil, "is_active=false", 0),
		budget("without_a_budget/come_along", "budget_report_without_budget=true", "", 9),
		budget("archived/stay_away", "budget_report_archived=false", "is_active=false", 0),
		{"10.9/project_budget/archived", own, func(t *testing.T, s *service) {
			s.patch(t, "/v2/projects/3101", object("is_active", false)).want(t, 200)
			s.get(t, "/v2/reports/project_budget").is(t, "total_entries", "7")
			s.set(t, "budget_report_archived", false)
			s.get(t, "/v2/reports/project_budget").is(t, "total_entries", "6")
			s.get(t, "/v2/reports/project_budget?is_active=false").is(t, "total_entries", "1")
		}},
		{"10.9/project_budget/null_without_a_budget", own, func(t *testing.T, s *service) {
			s.set(t, "budget_report_without_budget", true)
			for _, row := range s.get(t, "/v2/reports/project_budget").list(t, "results") {
				if row.text(t, "budget_by") == "none" {
					same(t, "numbers", fmt.Sprintf("%s %s %s", row.at("budget"), row.at("budget_spent"), row.at("budget_remaining")), "null null null")
				}
			}
		}},
		{"10.9/time/needs_from_and_to", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/reports/time/projects").want(t, 422)
			s.get(t, "/v2/reports/time/projects?from=20260101").want(t, 422)
		}},
		{"10.9/time/at_most_365_days", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/reports/time/projects?from=20250101&to=20260101").want(t, 200)
			s.get(t, "/v2/reports/time/projects?from=20250101&to=20260103").want(t, 422)
		}},
		row("clients", "client_id int, client_name str"), row("projects", "client_id int, client_name str, project_id int, project_name str"),
		row("tasks", "task_id int, task_name str"),
		row("team", "user_id int, user_name str, is_contractor bool, weekly_capacity int, avatar_url str"),
		{"10.9/time/one_row_per_subject_and_currency", own, func(t *testing.T, s *service) {
			seen := map[string]int{}
			for _, row := range s.get(t, "/v2/reports/time/team?"+period).list(t, "results") {
				seen[string(row.at("user_id"))]++
			}
			same(t, "rows of Ida", seen["2301"], 2)
		}},
		{"10.9/time/amounts_without_the_right", own, func(t *testing.T, s *service) {
			row := s.member().get(t, "/v2/reports/time/projects?"+period).want(t, 200).at("results.0")
			if row.at("currency") != nil || row.at("billable_amount") != nil {
				t.Errorf("shown: %s", row)
			}
		}},
		{"10.9/time/hours_are_rounded", own, func(t *testing.T, s *service) {
			s.create(t, "hours", 1.28)
			s.set(t, "rounding", "up_30")
			rows, _ := s.walk(t, "/v2/time_entries?from=2026-01-14", "time_entries")
			want := 0
			for _, e := range rows {
				want += hundredths(t, e, "rounded_hours")
			}
			got := 0
			for _, row := range s.get(t, "/v2/reports/time/projects?from=20260114&to=20260114").list(t, "results") {
				got += hundredths(t, row, "total_hours")
			}
			same(t, "hours", got, want)
		}},
		{"10.9/time/include_fixed_fee", own, func(t *testing.T, s *service) {
			amount := func(query string) int {
				for _, row := range s.get(t, "/v2/reports/time/projects?"+period+query).want(t, 200).list(t, "results") {
					if string(row.at("project_id")) == "3105" {
						return hundredths(t, row, "billable_amount")
					}
				}
				return -1
			}
			same(t, "without", amount(""), 0)
			if amount("&include_fixed_fee=true") <= 0 {
				t.Error("no amount with it")
			}
		}},
		{"10.9/uninvoiced/fields", own, func(t *testing.T, s *service) {
			s.fields(t, s.get(t, "/v2/reports/uninvoiced?"+period).want(t, 200).at("results.0"), "client_id int, client_name str, project_id int, project_name str, currency str, total_hours dec, uninvoiced_hours dec, uninvoiced_expenses dec, uninvoiced_amount dec")
		}},
		{"10.9/uninvoiced/include_fixed_fee", own, func(t *testing.T, s *service) {
			all := s.get(t, "/v2/reports/uninvoiced?"+period).number(t, "total_entries")
			s.get(t, "/v2/reports/uninvoiced?"+period+"&include_fixed_fee=true").is(t, "total_entries", strconv.Itoa(all))
			s.get(t, "/v2/reports/uninvoiced?"+period+"&include_fixed_fee=false").is(t, "total_entries", strconv.Itoa(all-1))
		}},
		{"10.9/uninvoiced/invoicing_takes_off", own, func(t *testing.T, s *service) {
			s.box.Invoice(t, 3101, "2026-01-01", "2026-01-31")
			for _, row := range s.get(t, "/v2/reports/uninvoiced?from=20260101&to=20260114").list(t, "results") {
				if string(row.at("project_id")) == "3101" {
					row.is(t, "uninvoiced_hours", "0.0")
				}
			}
		}},
		expense("clients", "client_id int, client_name str"), expense("projects", "client_id int, client_name str, project_id int, project_name str"),
		expense("categories", "expense_category_id int, expense_category_name str"),
		expense("team", "user_id int, user_name str, is_contractor bool"),
	}
}

// hundredths reads a decimal with at most two digits after the point.
func hundredths(t *testing.T, v value, path string) int {
	t.Helper()
	var n float64
	if _, err := fmt.Sscan(string(v.at(path)), &n); err != nil {
		t.Fatalf("%s is %s", path, v.at(path))
	}
	if n < 0 {
		return int(n*100 - 0.5)
	}
	return int(n*100 + 0.5)
}

// expenses is what 10.10 says of expenses and their categories.
func expenses() []statement {
	const list = "/v2/expenses"
	count := func(t *testing.T, s *service, query string) int {
		t.Helper()
		return s.get(t, list+"?"+query).want(t, 200).number(t, "total_entries")
	}
	return []statement{
		{"10.10/expenses/fields", own, func(t *testing.T, s *service) {
			s.fields(t, s.row(t, list, "expenses"), "id int, spent_date date, notes str?, total_cost dec, units dec, billable bool, is_closed bool, approval_status str, is_locked bool, is_billed bool, locked_reason str?, receipt obj?, created_at dt, updated_at dt, user obj, client obj, project obj, expense_category obj, user_assignment obj?, invoice obj?")
		}},
		shown("10.10/expenses/record", list, "expenses"),
		{"10.10/expenses/filters", own, func(t *testing.T, s *service) {
			row := s.row(t, list, "expenses")
			date := row.text(t, "spent_date")
			for query, want := range map[string]int{
				"user_id=2301": 3, "user_id=2302": 0, "client_id=1102": 3, "client_id=1101": 0, "project_id=3103": 3, "project_id=3101": 0,
				"is_billed=true": 0, "is_billed=false": 3, "approval_status=approved": 0, "from=" + date: 1, "to=" + date: 3, "from=" + date + "&to=" + date: 1,
				"task_id=1&is_running=true&external_reference_id=x": 3,
			} {
				same(t, query, count(t, s, query), want)
			}
		}},
		{"10.10/expenses/visible", own, func(t *testing.T, s *service) {
			same(t, "rows", count(t, s.member(), ""), 0)
			s.member().get(t, list+"/"+string(s.row(t, list, "expenses").at("id"))).want(t, 403)
		}},
		{"10.10/expenses/locked", own, func(t *testing.T, s *service) {
			s.box.Lock(t, 2301, "2025-01-01", "2026-01-14")
			row := s.row(t, list, "expenses")
			same(t, "expense", fmt.Sprintf("%s %s %s", row.at("is_locked"), row.at("is_closed"), row.at("approval_status")), `true true "approved"`)
		}},
		{"10.10/expense_categories/fields", own, func(t *testing.T, s *service) {
			s.fields(t, s.row(t, "/v2/expense_categories", "expense_categories"), "id int, name str, unit_name str?, unit_price dec?, is_active bool, created_at dt, updated_at dt")
		}},
		shown("10.10/expense_categories/record", "/v2/expense_categories", "expense_categories"),
	}
}
