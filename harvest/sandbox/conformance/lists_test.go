package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// envelope is what stands beside the collection of every list.
const envelope = ",per_page,total_pages,total_entries,next_page,previous_page,page,links"

// collections are the lists and the keys of their rows.
func collections() map[string]string {
	return map[string]string{
		"/v2/time_entries": "time_entries", "/v2/clients": "clients", "/v2/projects": "projects", "/v2/tasks": "tasks", "/v2/users": "users",
		"/v2/task_assignments": "task_assignments", "/v2/user_assignments": "user_assignments",
		"/v2/users/me/project_assignments": "project_assignments", "/v2/roles": "roles", "/v2/expenses": "expenses",
		"/v2/expense_categories": "expense_categories", "/v2/reports/project_budget": "results",
	}
}

func query(t *testing.T, link string) url.Values {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// pages is section 5.
func pages() []statement {
	const list = "/v2/time_entries"
	entriesOf := func(t *testing.T, s *service, least int) {
		t.Helper()
		s.need(t, s.count(t, "") >= least, "sufficient time entries")
	}
	style := func(resource, path, key, want string) statement {
		return statement{"5/default_style/" + resource, own, func(t *testing.T, s *service) {
			first := s.get(t, path+"?per_page=1").want(t, 200)
			q := query(t, first.text(t, "links.next"))
			switch want {
			case "cursor":
				same(t, "ref", q.Get("ref"), "next_cursor")
				middle := s.get(t, first.text(t, "links.next")).want(t, 200)
				if string(middle.at("links.next")) != "null" {
					same(t, "numbers", fmt.Sprintf("%s %s %s", middle.at("page"), middle.at("next_page"), middle.at("previous_page")), "null null null")
				}
			case "mixed":
				same(t, "ref", q.Get("ref"), "next_cursor")
				s.get(t, first.text(t, "links.next")).want(t, 200).is(t, "page", "2")
			default:
				same(t, "page", q.Get("page"), "2")
			}
			if len(first.list(t, key)) != 1 {
				t.Error("not one row")
			}
		}}
	}
	walk := func(choice string) statement {
		return statement{"5/styles/" + choice + "/every_row_once", own, func(t *testing.T, s *service) {
			s.set(t, "paging", object("*", choice))
			for path, key := range collections() {
				narrow := "?per_page=1"
				if key == "time_entries" {
					narrow = "?from=2025-11-20&per_page=20"
				}
				rows, _ := s.walk(t, path+narrow, key)
				seen := map[string]bool{}
				for _, row := range rows {
					id := string(row.at("id")) + string(row.at("project_id"))
					if seen[id] {
						t.Errorf("%s: %s twice", path, id)
					}
					seen[id] = true
				}
				same(t, path, len(rows), s.get(t, path+narrow).number(t, "total_entries"))
			}
		}}
	}
	all := []statement{
		{"5/envelope/collection_first_key", own, func(t *testing.T, s *service) {
			for path, key := range collections() {
				r := s.get(t, path+"?per_page=1").want(t, 200)
				if !strings.HasPrefix(string(r.value), `{"`+key+`":[`) {
					t.Errorf("%s starts with %.60s", path, r.value)
				}
			}
		}},
		{"5/envelope/collection_first_key_of_entries", read, func(t *testing.T, s *service) {
			same(t, "first key", s.get(t, list+"?per_page=1").want(t, 200).keys(t)[0], "time_entries")
		}},
		{"5/envelope/members", read, func(t *testing.T, s *service) {
			r := s.get(t, list+"?per_page=1").want(t, 200)
			same(t, "members", strings.Join(r.keys(t), ","), "time_entries"+envelope)
		}},
		{"5/per_page/default_is_2000", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/users/me/project_assignments").want(t, 200).is(t, "per_page", "2000")
		}},
		{"5/per_page/up_to_2000", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/users/me/project_assignments?per_page=2000").want(t, 200)
			s.get(t, list+"?per_page=2001").want(t, 422)
		}},
		{"5/per_page/at_least_1", read, func(t *testing.T, s *service) {
			s.get(t, list+"?per_page=0").want(t, 422)
		}},
		{"5/per_page/is_kept_to", read, func(t *testing.T, s *service) {
			entriesOf(t, s, 4)
			r := s.get(t, list+"?per_page=3").want(t, 200)
			r.is(t, "per_page", "3")
			same(t, "rows", len(r.list(t, "time_entries")), 3)
		}},
		{"5/numbers/total_pages", read, func(t *testing.T, s *service) {
			r := s.get(t, list+"?per_page=7").want(t, 200)
			same(t, "total_pages", r.number(t, "total_pages"), max(1, (r.number(t, "total_entries")+6)/7))
		}},
		{"5/numbers/first_page", read, func(t *testing.T, s *service) {
			entriesOf(t, s, 3)
			r := s.get(t, list+"?per_page=1").want(t, 200)
			same(t, "numbers", fmt.Sprintf("%s %s %s", r.at("page"), r.at("next_page"), r.at("previous_page")), "1 2 null")
		}},
		{"5/numbers/null_in_the_middle_of_cursors", own, func(t *testing.T, s *service) {
			s.set(t, "paging", object("time_entries", "cursor"))
			r := s.get(t, list+"?from=2025-12-01&per_page=20").want(t, 200)
			r.is(t, "page", "1")
			r.is(t, "next_page", "2")
			for r = s.get(t, r.text(t, "links.next")); string(r.at("links.next")) != "null"; r = s.get(t, r.text(t, "links.next")) {
				same(t, "numbers", fmt.Sprintf("%s %s %s", r.at("page"), r.at("next_page"), r.at("previous_page")), "null null null")
			}
			pages := r.number(t, "total_pages")
			same(t, "last", fmt.Sprintf("%s %s %s", r.at("page"), r.at("next_page"), r.at("previous_page")), fmt.Sprintf("%d null %d", pages, pages-1))
		}},
		{"5/numbers/beside_cursors", own, func(t *testing.T, s *service) {
			s.set(t, "paging", object("time_entries", "mixed"))
			r := s.get(t, s.get(t, list+"?per_page=50").text(t, "links.next")).want(t, 200)
			same(t, "numbers", fmt.Sprintf("%s %s %s", r.at("page"), r.at("next_page"), r.at("previous_page")), "2 3 1")
			if !query(t, r.text(t, "links.next")).Has("cursor") {
				t.Error("the next link has no cursor")
			}
		}},
		{"5/numbers/page_is_always_served", own, func(t *testing.T, s *service) {
			for _, choice := range []string{"page", "cursor", "mixed"} {
				s.set(t, "paging", object("*", choice))
				byLink := s.get(t, s.get(t, list+"?per_page=9").text(t, "links.next")).want(t, 200)
				r := s.get(t, list+"?per_page=9&page=2").want(t, 200)
				same(t, choice, string(r.at("time_entries")), string(byLink.at("time_entries")))
				r.is(t, "page", "2")
			}
		}},
		{"5/cursor/wins_over_page", read, func(t *testing.T, s *service) {
			entriesOf(t, s, 3)
			next := s.get(t, list+"?per_page=1").text(t, "links.next")
			s.need(t, query(t, next).Has("cursor"), "cursors")
			s.get(t, next+"&page=1").want(t, 200).is(t, "time_entries.0.id", string(s.get(t, next).at("time_entries.0.id")))
		}},
		{"5/cursor/base64_of_json", own, func(t *testing.T, s *service) {
			text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(query(t, s.get(t, list+"?per_page=1").text(t, "links.next")).Get("cursor"), "="))
			var cursor map[string]map[string]any
			if err != nil || json.Unmarshal(text, &cursor) != nil || cursor["after"]["id"] == nil {
				t.Errorf("the cursor is %s (%v)", text, err)
			}
		}},
		{"5/cursor/steady_when_rows_go", own, func(t *testing.T, s *service) {
			first := s.get(t, list+"?per_page=10").want(t, 200)
			want := string(s.get(t, first.text(t, "links.next")).at("time_entries.0.id"))
			s.delete(t, "/v2/time_entries/"+string(first.at("time_entries.0.id"))).want(t, 200)
			s.get(t, first.text(t, "links.next")).is(t, "time_entries.0.id", want)
		}},
		{"5/page/skips_when_rows_go", own, func(t *testing.T, s *service) {
			s.set(t, "paging", object("time_entries", "page"))
			first := s.get(t, list+"?per_page=10").want(t, 200)
			second := s.get(t, first.text(t, "links.next"))
			s.delete(t, "/v2/time_entries/"+string(first.at("time_entries.0.id"))).want(t, 200)
			s.get(t, first.text(t, "links.next")).is(t, "time_entries.0.id", string(second.at("time_entries.1.id")))
		}},
		{"5/page/repeats_when_rows_come", own, func(t *testing.T, s *service) {
			s.set(t, "paging", object("time_entries", "page"))
			first := s.get(t, list+"?per_page=10").want(t, 200)
			s.create(t)
			s.get(t, first.text(t, "links.next")).is(t, "time_entries.0.id", string(first.at("time_entries.9.id")))
		}},
		{"5/links/four_keys", read, func(t *testing.T, s *service) {
			same(t, "links", s.get(t, list+"?per_page=1").want(t, 200).at("links").keys(t), "[first next previous last]")
		}},
		{"5/links/on_single_pages_too", read, func(t *testing.T, s *service) {
			r := s.get(t, list+"?from=1999-01-01&to=1999-01-02").want(t, 200)
			same(t, "links", fmt.Sprintf("%s %s", r.at("links.next"), r.at("links.previous")), "null null")
			if r.text(t, "links.first") == "" || r.text(t, "links.last") == "" {
				t.Error("first and last are empty")
			}
		}},
		{"5/links/absolute_on_the_called_host", own, func(t *testing.T, s *service) {
			for path := range collections() {
				if got := s.get(t, path+"?per_page=1").text(t, "links.first"); !strings.HasPrefix(got, s.url+"/v2/") {
					t.Errorf("%s: %s", path, got)
				}
			}
			if got := s.with("Host", "").get(t, strings.Replace(s.url, "127.0.0.1", "localhost", 1)+list+"?per_page=1").text(t, "links.next"); !strings.HasPrefix(got, "http://localhost:") {
				t.Errorf("called as localhost: %s", got)
			}
		}},
		{"5/links/repeat_the_filters", read, func(t *testing.T, s *service) {
			q := query(t, s.get(t, list+"?from=2020-01-01&is_running=false&per_page=1").text(t, "links.last"))
			same(t, "filters", q.Get("from")+" "+q.Get("is_running")+" "+q.Get("per_page"), "2020-01-01 false 1")
		}},
		{"5/links/parameters_sorted", read, func(t *testing.T, s *service) {
			_, text, _ := strings.Cut(s.get(t, list+"?to=2030-01-01&from=2020-01-01&per_page=1").text(t, "links.first"), "?")
			parts := strings.Split(text, "&")
			if !slices.IsSorted(parts) {
				t.Errorf("the query is %s", text)
			}
		}},
		{"5/links/ref", own, func(t *testing.T, s *service) {
			for choice, want := range map[string]string{"cursor": "first next_cursor previous_cursor last", "page": "first next previous last"} {
				s.set(t, "paging", object("*", choice))
				r := s.get(t, list+"?per_page=9&page=2").want(t, 200)
				var refs []string
				for _, name := range []string{"first", "next", "previous", "last"} {
					refs = append(refs, query(t, r.text(t, "links."+name)).Get("ref"))
				}
				same(t, choice, strings.Join(refs, " "), want)
			}
		}},
		{"5/links/previous_leads_back", own, func(t *testing.T, s *service) {
			for _, choice := range []string{"page", "cursor", "mixed"} {
				s.set(t, "paging", object("*", choice))
				first := s.get(t, list+"?per_page=9")
				second := s.get(t, first.text(t, "links.next"))
				same(t, choice, string(s.get(t, second.text(t, "links.previous")).at("time_entries")), string(first.at("time_entries")))
			}
		}},
		{"5/links/no_credentials", own, func(t *testing.T, s *service) {
			r := s.with("Authorization", "").get(t, list+"?per_page=1&access_token="+s.token+"&account_id=1001").want(t, 200)
			if strings.Contains(string(r.at("links")), "sandbox") || strings.Contains(string(r.at("links")), "account_id") {
				t.Errorf("the links are %s", r.at("links"))
			}
		}},
		{"5/links/of_me_name_the_user", own, func(t *testing.T, s *service) {
			next := s.get(t, "/v2/users/me/project_assignments?per_page=1").text(t, "links.next")
			if !strings.HasPrefix(next, s.url+"/v2/users/2301/project_assignments?") {
				t.Errorf("next is %s", next)
			}
			s.get(t, next).want(t, 200)
		}},
		{"5/empty_list", read, func(t *testing.T, s *service) {
			r := s.get(t, list+"?from=1999-01-01&to=1999-01-02").want(t, 200)
			r.is(t, "time_entries", "[]")
			same(t, "numbers", fmt.Sprintf("%s %s %s %s %s", r.at("total_pages"), r.at("total_entries"), r.at("page"), r.at("next_page"), r.at("previous_page")), "1 0 1 null null")
		}},
		{"5/beyond_the_last_page", own, func(t *testing.T, s *service) {
			s.get(t, list+"?page=999").want(t, 200).is(t, "time_entries", "[]")
		}},
		{"5/order/entries_by_date", read, func(t *testing.T, s *service) {
			rows := s.get(t, list+"?per_page=100").want(t, 200).list(t, "time_entries")
			if !slices.IsSortedFunc(rows, func(a, b value) int { return strings.Compare(b.text(t, "spent_date"), a.text(t, "spent_date")) }) {
				t.Error("not newest first")
			}
		}},
		{"5/order/others_by_creation", own, func(t *testing.T, s *service) {
			for path, key := range collections() {
				if key == "time_entries" || key == "expenses" || key == "results" {
					continue
				}
				rows := s.get(t, path).want(t, 200).list(t, key)
				if !slices.IsSortedFunc(rows, func(a, b value) int { return strings.Compare(b.text(t, "created_at"), a.text(t, "created_at")) }) {
					t.Errorf("%s: not newest first", path)
				}
			}
		}},
		{"5/order/in_a_day/highest_id_first", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.get(t, list+"?from=2026-01-14").is(t, "time_entries.0.id", string(made.at("id")))
		}},
		{"5/order/in_a_day/lowest_id_first", own, func(t *testing.T, s *service) {
			s.set(t, "order_in_day", "lowest_id_first")
			made := s.create(t)
			rows := s.get(t, list+"?from=2026-01-14&to=2026-01-14").list(t, "time_entries")
			rows[len(rows)-1].is(t, "id", string(made.at("id")))
			walked, _ := s.walk(t, list+"?from=2025-12-01&per_page=20", "time_entries")
			same(t, "rows", len(walked), s.count(t, "from=2025-12-01"))
		}},
		{"5/no_sort_parameter", own, func(t *testing.T, s *service) {
			same(t, "rows", string(s.get(t, list+"?per_page=5&sort=hours").at("time_entries")), string(s.get(t, list+"?per_page=5").at("time_entries")))
		}},
		walk("page"), walk("cursor"), walk("mixed"),
	}
	for resource, path := range map[string]string{
		"clients": "/v2/clients", "projects": "/v2/projects", "tasks": "/v2/tasks", "users": "/v2/users", "task_assignments": "/v2/task_assignments",
		"user_assignments": "/v2/user_assignments", "expense_categories": "/v2/expense_categories",
	} {
		all = append(all, style(resource, path, resource, "cursor"))
	}
	return append(all,
		style("project_assignments", "/v2/users/2301/project_assignments", "project_assignments", "cursor"),
		style("time_entries", list, "time_entries", "mixed"),
		style("expenses", "/v2/expenses", "expenses", "page"),
		style("project_task_assignments", "/v2/projects/3101/task_assignments", "task_assignments", "page"),
		style("project_user_assignments", "/v2/projects/3101/user_assignments", "user_assignments", "page"),
		style("my_project_assignments", "/v2/users/me/project_assignments", "project_assignments", "page"),
		style("reports", "/v2/reports/project_budget", "results", "page"),
	)
}

// changes is section 6.
func changes() []statement {
	since := func(t *testing.T, s *service, at time.Time) int {
		t.Helper()
		return s.count(t, "updated_since="+at.UTC().Format(time.RFC3339))
	}
	// touched makes an entry, lets a minute go, does something, and returns the entry's updated_at.
	touched := func(t *testing.T, s *service, do func()) string {
		t.Helper()
		made := s.create(t)
		s.box.Advance(t, time.Minute)
		do()
		return s.get(t, made.path("time_entries")).text(t, "updated_at")
	}
	const before, after = "2026-01-14T11:00:00Z", "2026-01-14T11:01:00Z"
	rename := func(path string, on bool, want string) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			s.set(t, "rename_touches_entries", on)
			same(t, "updated_at", touched(t, s, func() { s.patch(t, path, object("name", "Another Name")).want(t, 200) }), want)
		}
	}
	approval := func(on bool, want string) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			s.set(t, "approval_touches_entries", on)
			same(t, "updated_at", touched(t, s, func() { s.box.Lock(t, sandboxtest.UserID, s.today, s.today) }), want)
		}
	}
	return []statement{
		{"6/updated_since/strictly_greater", write, func(t *testing.T, s *service) {
			made := s.create(t)
			at := made.instant(t, "updated_at")
			for _, row := range s.get(t, "/v2/time_entries?updated_since="+at.Format(time.RFC3339)).want(t, 200).list(t, "time_entries") {
				if string(row.at("id")) == string(made.at("id")) {
					t.Error("the entry is there at its own updated_at")
				}
			}
			rows := s.get(t, "/v2/time_entries?updated_since="+at.Add(-time.Second).Format(time.RFC3339)).want(t, 200).list(t, "time_entries")
			if !slices.ContainsFunc(rows, func(row value) bool { return string(row.at("id")) == string(made.at("id")) }) {
				t.Error("the entry is not there a second earlier")
			}
		}},
		{"6/updated_since/with_offset", own, func(t *testing.T, s *service) {
			s.create(t)
			same(t, "rows", s.count(t, "updated_since=2026-01-14T11:59:59%2B01:00"), 1)
			same(t, "rows", s.count(t, "updated_since=2026-01-14T12:00:00%2B01:00"), 0)
		}},
		{"6/updated_since/not_a_date", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/time_entries?updated_since=yesterday").want(t, 422)
		}},
		{"6/updated_since/every_list", own, func(t *testing.T, s *service) {
			for path := range collections() {
				if strings.HasPrefix(path, "/v2/reports") || path == "/v2/roles" {
					continue
				}
				same(t, path, s.get(t, path+"?updated_since=2026-01-15T00:00:00Z").want(t, 200).number(t, "total_entries"), 0)
			}
		}},
		{"6/timestamps/whole_seconds_utc", own, func(t *testing.T, s *service) {
			s.box.Advance(t, 1900*time.Millisecond)
			made := s.create(t)
			made.is(t, "created_at", `"2026-01-14T11:00:01Z"`)
			made.is(t, "updated_at", `"2026-01-14T11:00:01Z"`)
		}},
		{"6/timestamps/an_update_changes_updated_at", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.box.Advance(t, time.Minute)
			r := s.patch(t, made.path("time_entries"), object("notes", "x"))
			r.is(t, "created_at", `"`+before+`"`)
			r.is(t, "updated_at", `"`+after+`"`)
		}},
		{"6/rows_not_in_order_of_updated_at", own, func(t *testing.T, s *service) {
			last := s.get(t, "/v2/time_entries?to=2026-01-13&per_page=1").at("time_entries.0.id")
			s.create(t)
			s.box.Advance(t, time.Minute)
			s.patch(t, "/v2/time_entries/"+string(last), object("notes", "x")).want(t, 200)
			rows := s.get(t, "/v2/time_entries?updated_since="+"2026-01-14T10:59:59Z").list(t, "time_entries")
			same(t, "first", rows[0].text(t, "updated_at"), before)
			same(t, "last", rows[len(rows)-1].text(t, "updated_at"), after)
		}},
		{"6/deleted/404", write, func(t *testing.T, s *service) {
			made := s.post(t, "/v2/time_entries", s.entry()).want(t, 201)
			s.delete(t, made.path("time_entries")).want(t, 200)
			s.get(t, made.path("time_entries")).want(t, 404)
			s.delete(t, made.path("time_entries")).want(t, 404)
		}},
		{"6/deleted/no_trace", own, func(t *testing.T, s *service) {
			made := s.create(t)
			at := made.instant(t, "updated_at").Add(-time.Second)
			same(t, "before", since(t, s, at), 1)
			s.delete(t, made.path("time_entries")).want(t, 200)
			same(t, "after", since(t, s, at), 0)
		}},
		{"6/deleted/by_a_person_in_the_web_app", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.box.WebDelete(t, int64(made.number(t, "id")))
			s.get(t, made.path("time_entries")).want(t, 404)
		}},
		{"6/project_takes_entries_and_expenses_along", own, func(t *testing.T, s *service) {
			expense := s.get(t, "/v2/expenses").at("expenses.0")
			project := string(expense.at("project.id"))
			if s.count(t, "project_id="+project) == 0 {
				t.Fatal("no entries")
			}
			s.delete(t, "/v2/projects/"+project).want(t, 200)
			same(t, "entries", s.count(t, "project_id="+project), 0)
			s.get(t, "/v2/expenses/"+string(expense.at("id"))).want(t, 404)
			s.get(t, "/v2/projects/"+project).want(t, 404)
		}},
		{"6/total_entries_is_a_hint", write, func(t *testing.T, s *service) {
			before := s.count(t, "")
			made := s.post(t, "/v2/time_entries", s.entry()).want(t, 201)
			same(t, "total_entries", s.count(t, ""), before+1)
			s.delete(t, made.path("time_entries")).want(t, 200)
			same(t, "total_entries", s.count(t, ""), before)
		}},
		{"6/touch/rename_of_project/off", own, rename("/v2/projects/3101", false, before)},
		{"6/touch/rename_of_project/on", own, rename("/v2/projects/3101", true, after)},
		{"6/touch/rename_of_task/off", own, rename("/v2/tasks/4101", false, before)},
		{"6/touch/rename_of_task/on", own, rename("/v2/tasks/4101", true, after)},
		{"6/touch/rename_of_client/off", own, rename("/v2/clients/1101", false, before)},
		{"6/touch/rename_of_client/on", own, rename("/v2/clients/1101", true, after)},
		{"6/touch/approval/on", own, approval(true, after)},
		{"6/touch/approval/off", own, approval(false, before)},
		{"6/touch/invoice", own, func(t *testing.T, s *service) {
			same(t, "updated_at", touched(t, s, func() { s.box.Invoice(t, 3101, s.today, s.today) }), after)
		}},
		{"6/touch/running_timer/off", own, func(t *testing.T, s *service) {
			made := s.create(t, "hours", nil)
			s.box.Advance(t, time.Minute)
			s.get(t, made.path("time_entries")).is(t, "updated_at", `"`+before+`"`)
		}},
		{"6/touch/running_timer/on", own, func(t *testing.T, s *service) {
			s.set(t, "timer_touches_entries", true)
			made := s.create(t, "hours", nil)
			s.box.Advance(t, time.Minute)
			s.get(t, made.path("time_entries")).is(t, "updated_at", `"`+after+`"`)
			same(t, "rows", s.count(t, "updated_since="+before), 1)
		}},
		{"6/touch/stop_and_restart", own, func(t *testing.T, s *service) {
			made := s.create(t, "hours", nil)
			s.box.Advance(t, time.Minute)
			s.patch(t, made.path("time_entries")+"/stop", nil).is(t, "updated_at", `"`+after+`"`)
			s.box.Advance(t, time.Minute)
			s.patch(t, made.path("time_entries")+"/restart", nil).is(t, "updated_at", `"2026-01-14T11:02:00Z"`)
		}},
	}
}
