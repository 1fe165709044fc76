package sandbox_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
)

// Section 1: prefixes, .json, slash before the query, kinds of bodies, coercion, unknown keys.
func TestAddressesAndBodies(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	for _, path := range []string{"/v2/users/me", "/api/v2/users/me", "/v2/users/me.json", "/v2/users/me/", "/api/v2/users/me.json?x=1", "/v2/users/me/?x=1"} {
		equal(t, path, c.get(path).want(t, 200).json["id"], 2301)
	}
	if got := c.get("/v2/users/me").header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	for name, r := range map[string]reply{
		"json":    c.do("POST", "/v2/time_entries", entryOn("2026-01-14")),
		"strings": c.do("POST", "/v2/time_entries", map[string]any{"project_id": "3101", "task_id": "4101", "spent_date": "2026-01-14", "hours": "1.5", "id": 7, "created_at": "x", "user": map[string]any{"id": 3}}),
		"form":    c.with("Content-Type", "application/x-www-form-urlencoded").do("POST", "/v2/time_entries", "project_id=3101&task_id=4101&spent_date=2026-01-14&hours=1.5"),
		"query":   c.do("POST", "/v2/time_entries?project_id=3101&task_id=4101&spent_date=2026-01-14&hours=1.5", nil),
	} {
		r.want(t, 201)
		equal(t, name, r.json["hours"], 1.5)
		if !strings.Contains(string(r.body), `"hours":1.5,`) || !strings.Contains(string(r.body), `"billable_rate":95.0,`) {
			t.Errorf("%s: decimals are not printed like Harvest's: %s", name, r.body)
		}
		want := fmt.Sprintf("%s/api/v2/time_entries/%d", sb.URL, r.id(t))
		if got := r.header.Get("Location"); got != want {
			t.Errorf("%s: Location %q, want %q", name, got, want)
		}
	}
	c.with("Content-Type", "text/plain").do("POST", "/v2/time_entries", `{"project_id":3101}`).want(t, 422)
	c.with("Content-Type", "application/json").do("POST", "/v2/time_entries", `{"project_id":`).want(t, 400)
	form := c.with("Content-Type", "application/x-www-form-urlencoded").do("POST", "/v2/time_entries",
		"project_id=3101&task_id=4101&spent_date=2026-01-14&hours=2&external_reference[id]=f1").want(t, 201)
	equal(t, "nested form", form.at("external_reference", "id"), "f1")
}

// Sections 2.1 and 4: who is let in, and the shapes of refusals.
func TestRefusals(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	c.with("User-Agent", "").get("/v2/users/me").want(t, 400)

	bad := c.with("Authorization", "Bearer 1.pt.wrong").get("/v2/users/me").want(t, 401)
	equal(t, "401", bad.json, map[string]string{
		"error":             "invalid_token",
		"error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
	})
	if got := bad.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="`) || !strings.Contains(got, `error="invalid_token", error_description="The access`) {
		t.Errorf("WWW-Authenticate %q", got)
	}
	equal(t, "401 type", bad.header.Get("Content-Type"), "application/json")

	none := c.with("Harvest-Account-Id", "")
	for _, status := range []int{401, 403, 404} {
		sb.Switch(t, map[string]any{"missing_account_header": strconv.Itoa(status)})
		none.get("/v2/users/me").want(t, status)
	}
	sb.Switch(t, map[string]any{"missing_account_header": "implied"})
	none.get("/v2/users/me").want(t, 200)
	for _, status := range []int{401, 403, 404} {
		sb.Switch(t, map[string]any{"foreign_account": strconv.Itoa(status)})
		c.with("Harvest-Account-Id", "2002").get("/v2/users/me").want(t, status)
		c.with("Harvest-Account-Id", "nonsense").get("/v2/users/me").want(t, status)
	}
	c.with("Authorization", "").with("Harvest-Account-Id", "").get("/v2/users/me?access_token=1.pt.sandbox&account_id=1001").want(t, 200)

	denied := jonas(t, sb).get("/v2/clients").want(t, 403)
	equal(t, "403", denied.json, map[string]string{"message": "Not authorized!"})
	equal(t, "hint", denied.header.Get("Hint"), "Not authorized!")
	equal(t, "404", c.get("/v2/clients/1").want(t, 404).json, map[string]any{"status": 404, "error": "Not Found"})
	c.get("/v2/time_entries/abc").want(t, 404)
	for _, path := range []string{"/v2/projects//user_assignments", "/v2/nothing", "/elsewhere"} {
		lost := c.get(path).want(t, 404)
		if got := lost.header.Get("Content-Type"); got != "text/html; charset=UTF-8" || len(lost.body) < 3500 {
			t.Errorf("%s: %q, %d bytes", path, got, len(lost.body))
		}
	}
	c.do("PUT", "/v2/time_entries/1", nil).want(t, 404)
	blank := c.do("POST", "/v2/time_entries", map[string]any{}).want(t, 422)
	equal(t, "422", blank.json, map[string]string{"message": "Project can't be blank, Task can't be blank, Spent date can't be blank, Spent date is not a valid date"})
}

// Section 3: sliding windows per token.
func TestLimits(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	sb.Switch(t, map[string]any{"limits": map[string]any{"general": 3, "general_window_s": 15, "reports": 1, "reports_window_s": 900}})
	c := ida(t, sb)
	for range 3 {
		c.get("/v2/users/me").want(t, 200)
		sb.Advance(t, time.Second)
	}
	over := c.get("/v2/users/me").want(t, 429)
	equal(t, "Retry-After", over.header.Get("Retry-After"), "12")
	if !strings.HasPrefix(over.header.Get("Content-Type"), "text/html") {
		t.Errorf("429 is not a page: %q", over.header.Get("Content-Type"))
	}
	jonas(t, sb).get("/v2/users/me").want(t, 200)
	c.get("/v2/reports/project_budget").want(t, 200)
	equal(t, "Retry-After", c.get("/v2/reports/project_budget").want(t, 429).header.Get("Retry-After"), "900")
	sb.Advance(t, 12*time.Second)
	c.get("/v2/users/me").want(t, 200)
	c.get("/v2/users/me").want(t, 429)

	sb.Switch(t, map[string]any{"retry_after": "date"})
	if _, err := http.ParseTime(c.get("/v2/users/me").header.Get("Retry-After")); err != nil {
		t.Errorf("Retry-After as date: %v", err)
	}
	sb.Switch(t, map[string]any{"retry_after": "none"})
	equal(t, "none", c.get("/v2/users/me").header.Get("Retry-After"), "")
	sb.Switch(t, map[string]any{"retry_after": "seconds", "limits": map[string]any{"general": 0, "hourly": 1}})
	sb.Advance(t, 2*time.Hour)
	c.get("/v2/users/me").want(t, 200)
	equal(t, "hourly", c.get("/v2/users/me").want(t, 429).header.Get("Retry-After"), "3600")
}

// Section 5: both styles walk all entries, each once; numbers, links, order.
func TestPaging(t *testing.T) {
	t.Parallel()
	for _, style := range []string{"page", "cursor", "mixed"} {
		t.Run(style, func(t *testing.T) {
			t.Parallel()
			sb := start(t, "demo")
			sb.Switch(t, map[string]any{"paging": map[string]string{"*": style}})
			c := ida(t, sb)
			total := len(sb.State(t).Entries())
			seen := map[float64]bool{}
			path := "/v2/time_entries?per_page=100&user_id="
			var last map[string]any
			pages := 0
			for path != "" {
				r := c.get(path).want(t, 200)
				pages++
				for _, e := range r.rows(t, "time_entries") {
					id, _ := e["id"].(float64)
					if seen[id] {
						t.Fatalf("entry %v twice", id)
					}
					seen[id] = true
					if last != nil && fmt.Sprint(last["spent_date"]) < fmt.Sprint(e["spent_date"]) {
						t.Fatalf("%v after %v", e["spent_date"], last["spent_date"])
					}
					last = e
				}
				equal(t, "total", r.json["total_entries"], total)
				middle := pages > 1 && r.at("links", "next") != nil
				if (r.json["page"] == nil) != (style == "cursor" && middle) {
					t.Errorf("page %d: page is %v", pages, r.json["page"])
				}
				path, _ = r.at("links", "next").(string)
				if path != "" && !strings.HasPrefix(path, sb.URL+"/v2/time_entries?") {
					t.Fatalf("next is %s", path)
				}
				if back, _ := r.at("links", "previous").(string); pages > 1 {
					rows := c.get(back).want(t, 200).rows(t, "time_entries")
					if len(rows) != 100 {
						t.Errorf("the page before %d has %d rows", pages, len(rows))
					}
				}
			}
			equal(t, "seen", len(seen), total)
			equal(t, "pages", pages, (total+99)/100)
			n := len(c.get(fmt.Sprintf("/v2/time_entries?per_page=100&page=%d", pages)).want(t, 200).rows(t, "time_entries"))
			equal(t, "last page by number", n, total-100*(pages-1))
			equal(t, "beyond", len(c.get("/v2/time_entries?page=999").want(t, 200).rows(t, "time_entries")), 0)
		})
	}
}

// Section 5: limits of per_page, empty lists, filters in links, the cursor wins, hosts.
func TestPagingEdges(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	for _, n := range []string{"2001", "0", "x"} {
		c.get("/v2/time_entries?per_page="+n).want(t, 422)
	}
	r := c.get("/v2/time_entries?per_page=2000").want(t, 200)
	equal(t, "next", r.at("links", "next"), nil)
	empty := c.get("/v2/time_entries?from=1999-01-01&to=1999-01-02").want(t, 200)
	equal(t, "empty", []any{empty.json["total_pages"], empty.json["total_entries"], empty.json["page"], empty.json["next_page"], empty.json["previous_page"]}, []any{1, 0, 1, nil, nil})
	if empty.at("links", "first") == nil || empty.at("links", "last") == nil {
		t.Error("first and last must be filled")
	}
	one := c.get("/v2/time_entries?per_page=1&user_id=2301&from=2026-01-01").want(t, 200)
	next, _ := one.at("links", "next").(string)
	u, err := url.Parse(next)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "echo", []string{u.Query().Get("user_id"), u.Query().Get("from"), u.Query().Get("per_page"), u.Query().Get("ref")}, []string{"2301", "2026-01-01", "1", "next_cursor"})
	both := c.get(next+"&page=1").want(t, 200).rows(t, "time_entries")
	equal(t, "cursor wins", both[0]["id"], c.get(next).rows(t, "time_entries")[0]["id"])
	if got := fmt.Sprint(c.with("Authorization", "").get("/v2/time_entries?per_page=1&access_token=1.pt.sandbox").at("links", "next")); strings.Contains(got, "sandbox&") || strings.Contains(got, "access_token") {
		t.Errorf("a link carries credentials: %s", got)
	}
	c.get("/v2/time_entries?cursor=nonsense").want(t, 422)
	mine := jonas(t, sb).get("/v2/users/me/project_assignments?per_page=1").want(t, 200)
	next, _ = mine.at("links", "next").(string)
	if !strings.HasPrefix(next, sb.URL+"/v2/users/2302/project_assignments?") {
		t.Fatalf("links of /me name the user: %s", next)
	}
	jonas(t, sb).get(next).want(t, 200)
	// A row removed between two cursor pages is no reason to skip another.
	first := c.get("/v2/time_entries?per_page=10").want(t, 200)
	ids := first.rows(t, "time_entries")
	second := c.get(fmt.Sprint(first.at("links", "next"))).rows(t, "time_entries")[0]["id"]
	id, _ := ids[9]["id"].(float64)
	sb.WebDelete(t, int64(id))
	equal(t, "after a delete", c.get(fmt.Sprint(first.at("links", "next"))).rows(t, "time_entries")[0]["id"], second)
}

// Section 6: updated_since is strictly greater, whole seconds; deletes leave nothing.
func TestUpdatedSinceAndDeletes(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	sb.Advance(t, 1500*time.Millisecond)
	made := c.do("POST", "/v2/time_entries", entryOn("2026-01-14")).want(t, 201)
	equal(t, "updated_at", made.json["updated_at"], "2026-01-14T11:00:01Z")
	for since, want := range map[string]int{"2026-01-14T11:00:01Z": 0, "2026-01-14T11:00:00Z": 1, "2026-01-14T12:00:00%2B01:00": 1, "2026-01-14T11:00:02Z": 0} {
		equal(t, since, len(c.get("/v2/time_entries?updated_since="+since).want(t, 200).rows(t, "time_entries")), want)
	}
	path := fmt.Sprintf("/v2/time_entries/%d", made.id(t))
	gone := c.do("DELETE", path, nil).want(t, 200)
	equal(t, "deleted object", gone.json["id"], made.json["id"])
	c.get(path).want(t, 404)
	c.do("DELETE", path, nil).want(t, 404)
	equal(t, "no trace", len(c.get("/v2/time_entries?updated_since=2026-01-14T11:00:00Z").rows(t, "time_entries")), 0)
	sb.Switch(t, map[string]any{"delete_body": "empty"})
	made = c.do("POST", "/v2/time_entries", entryOn("2026-01-14")).want(t, 201)
	equal(t, "empty", len(c.do("DELETE", fmt.Sprintf("/v2/time_entries/%d", made.id(t)), nil).want(t, 200).body), 0)
}

// Section 10.8: filters of the list and what each role sees.
func TestEntryFilters(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	count := func(query string) int {
		t.Helper()
		n, _ := c.get("/v2/time_entries?per_page=1&"+query).want(t, 200).json["total_entries"].(float64)
		return int(n)
	}
	var both, mine, birch, webshop, design, billed, approved, window int
	for _, e := range sb.State(t).Entries() {
		both++
		add := func(n *int, yes bool) {
			if yes {
				*n++
			}
		}
		add(&mine, e.User.ID == 2301)
		add(&birch, e.Client.ID == 1101)
		add(&webshop, e.Project.ID == 3101)
		add(&design, e.Task.ID == 4101)
		add(&billed, e.IsBilled)
		add(&approved, e.ApprovalStatus == "approved")
		add(&window, e.SpentDate >= "2025-12-01" && e.SpentDate <= "2025-12-07")
	}
	if mine == both || billed == 0 || approved == 0 || window == 0 {
		t.Fatal("the seed lacks something")
	}
	for query, want := range map[string]int{
		"": both, "user_id=2301": mine, "client_id=1101": birch, "project_id=3101": webshop, "task_id=4101": design, "is_billed=true": billed,
		"is_billed=false": both - billed, "approval_status=approved": approved, "from=2025-12-01&to=2025-12-07": window,
		"from=20251201&to=20251207": window, "is_running=true": 0, "user_id[]=2301": both, "user_id=1&user_id=2301": mine,
		"external_reference_id=nope": 0, "user_id=999": 0,
	} {
		equal(t, query, count(query), want)
	}
	c.get("/v2/time_entries?is_billed=1").want(t, 422)
	c.get("/v2/time_entries?from=yesterday").want(t, 422)

	member := jonas(t, sb)
	n, _ := member.get("/v2/time_entries?per_page=1").json["total_entries"].(float64)
	equal(t, "a member sees own entries", int(n), both-mine)
	row := member.get("/v2/time_entries?per_page=1").rows(t, "time_entries")[0]
	equal(t, "rates hidden", []any{row["billable_rate"], row["cost_rate"]}, []any{nil, nil})
	idas := c.get("/v2/time_entries?per_page=1&user_id=2301").rows(t, "time_entries")[0]["id"]
	member.get(fmt.Sprintf("/v2/time_entries/%.0f", idas)).want(t, 403)
	maren(t, sb).get(fmt.Sprintf("/v2/time_entries/%.0f", idas)).want(t, 404)
	member.do("POST", "/v2/time_entries", entryOn("2026-01-14", "user_id", 2301)).want(t, 403)
	equal(t, "for another", c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "user_id", 2302)).want(t, 201).at("user", "id"), 2302)

	c.do("PATCH", "/v2/users/2302", map[string]any{"access_roles": []string{"manager"}}).want(t, 200)
	before, _ := member.get("/v2/time_entries?per_page=1").json["total_entries"].(float64)
	ua := 0.0
	for _, r := range c.get("/v2/projects/3101/user_assignments").rows(t, "user_assignments") {
		if u, _ := r["user"].(map[string]any); u["id"] == 2302.0 {
			ua, _ = r["id"].(float64)
		}
	}
	c.do("PATCH", fmt.Sprintf("/v2/projects/3101/user_assignments/%.0f", ua), map[string]any{"is_project_manager": true}).want(t, 200)
	after, _ := member.get("/v2/time_entries?per_page=1").json["total_entries"].(float64)
	if after <= before {
		t.Errorf("a project manager sees the project: %v then %v", before, after)
	}
}

// Sections 7.1, 7.2: hours, timers and the clock, in an account of durations.
func TestTimers(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	equal(t, "two digits", c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", 1.337)).want(t, 201).json["hours"], 1.34)
	c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", "much")).want(t, 422)
	c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", -1)).want(t, 422)

	run := c.do("POST", "/v2/time_entries", entryOn("2026-01-13", "hours", nil)).want(t, 201)
	equal(t, "running", []any{run.json["is_running"], run.json["hours"], run.json["timer_started_at"], run.json["started_time"], run.json["ended_time"]},
		[]any{true, 0.0, "2026-01-14T11:00:00Z", "12:00", nil})
	path := fmt.Sprintf("/v2/time_entries/%d", run.id(t))
	sb.Advance(t, 78*time.Second)
	now := c.get(path)
	equal(t, "counts", []any{now.json["hours"], now.json["hours_without_timer"]}, []any{0.02, 0.0})
	c.do("PATCH", path+"/restart", nil).want(t, 422)
	stopped := c.do("PATCH", path+"/stop", map[string]any{}).want(t, 200)
	equal(t, "stopped", []any{stopped.json["hours"], stopped.json["is_running"], stopped.json["hours_without_timer"]}, []any{0.02, false, 0.02})
	equal(t, "twice", c.do("PATCH", path+"/stop", nil).want(t, 422).json["message"], "can't stop a stopped timer")

	again := c.do("PATCH", path+"/restart", nil).want(t, 200)
	equal(t, "restart keeps id and date", []any{again.json["id"], again.json["spent_date"]}, []any{run.json["id"], "2026-01-13"})
	sb.Advance(t, time.Hour)
	zero := c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", "0.0")).want(t, 201)
	equal(t, "zero starts a timer", zero.json["is_running"], true)
	first := c.get(path)
	equal(t, "the other stops by itself", []any{first.json["is_running"], first.json["hours"]}, []any{false, 1.02})
	equal(t, "is_running", c.get("/v2/time_entries?is_running=true").json["total_entries"], 1)

	zeroPath := fmt.Sprintf("/v2/time_entries/%d", zero.id(t))
	equal(t, "hours of a running entry", c.do("PATCH", zeroPath, map[string]any{"hours": 2}).want(t, 200).json["hours"], 2.0)
	sb.Advance(t, 30*time.Minute)
	equal(t, "goes on from there", c.get(zeroPath).json["hours"], 2.5)
	c.do("DELETE", zeroPath, nil).want(t, 200)
	sb.Switch(t, map[string]any{"hours_zero_starts_timer": false})
	equal(t, "zero is zero", c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", 0)).want(t, 201).json["is_running"], false)
}

// Section 7.1: an account of start and end times.
func TestTimestampMode(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	sb.Switch(t, map[string]any{"account_mode": "timestamp", "clock": "12h"})
	c := ida(t, sb)
	equal(t, "company", c.get("/v2/company").json["wants_timestamp_timers"], true)
	made := c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", nil, "started_time", "9:10am", "ended_time", "2:40pm")).want(t, 201)
	equal(t, "span", []any{made.json["hours"], made.json["started_time"], made.json["ended_time"]}, []any{5.5, "9:10am", "2:40pm"})
	path := fmt.Sprintf("/v2/time_entries/%d", made.id(t))
	equal(t, "patch", c.do("PATCH", path, map[string]any{"ended_time": "10:10"}).want(t, 200).json["hours"], 1.0)
	only := c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", 1.5)).want(t, 201)
	equal(t, "hours only", []any{only.json["hours"], only.json["started_time"], only.json["ended_time"]}, []any{1.5, "10:30am", "12:00pm"})
	sb.Switch(t, map[string]any{"hours_on_timestamp_account": "rejected"})
	c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", 1.5)).want(t, 422)

	run := c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", nil)).want(t, 201)
	sb.Advance(t, 30*time.Minute+40*time.Second)
	runPath := fmt.Sprintf("/v2/time_entries/%d", run.id(t))
	stopped := c.do("PATCH", runPath+"/stop", nil).want(t, 200)
	equal(t, "stopped", []any{stopped.json["hours"], stopped.json["started_time"], stopped.json["ended_time"]}, []any{0.5, "12:00pm", "12:30pm"})
	again := c.do("PATCH", runPath+"/restart", nil).want(t, 200)
	if again.id(t) == run.id(t) {
		t.Error("restart must make a new entry by default")
	}
	c.do("PATCH", fmt.Sprintf("/v2/time_entries/%d/stop", again.id(t)), nil).want(t, 200)
	sb.Switch(t, map[string]any{"restart_new_entry": false})
	equal(t, "same entry", c.do("PATCH", runPath+"/restart", nil).want(t, 200).json["id"], run.json["id"])
	// The other account has this mode by its seed.
	equal(t, "2002", maren(t, sb).get("/v2/company").json["wants_timestamp_timers"], true)
}

// Section 7: rounding, zone and formats are settings of the account.
func TestAccountSwitches(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	path := fmt.Sprintf("/v2/time_entries/%d", c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", 1.28)).want(t, 201).id(t))
	for rounding, want := range map[string]float64{"off": 1.28, "nearest_6": 1.3, "nearest_15": 1.25, "nearest_30": 1.5, "up_6": 1.3, "up_15": 1.5, "up_30": 1.5} {
		sb.Switch(t, map[string]any{"rounding": rounding})
		r := c.get(path)
		equal(t, rounding, []any{r.json["hours"], r.json["rounded_hours"]}, []any{1.28, want})
	}
	sb.Switch(t, map[string]any{"timezone": "Eastern Time (US & Canada)", "time_format": "decimal", "week_start_day": "Sunday"})
	equal(t, "zone", c.get("/v2/users/me").json["timezone"], "Eastern Time (US & Canada)")
	equal(t, "wall clock", c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", nil)).json["started_time"], "06:00")
	company := c.get("/v2/company")
	equal(t, "company", []any{company.json["time_format"], company.json["week_start_day"]}, []any{"decimal", "Sunday"})
	jonas(t, sb).get("/v2/company").want(t, 403)
	sb.Switch(t, map[string]any{"company_for_members": "200"})
	jonas(t, sb).get("/v2/company").want(t, 200)
	patched := c.do("PATCH", "/v2/company", map[string]any{"weekly_capacity": 108000, "wants_timestamp_timers": true, "name": "Other"}).want(t, 200)
	equal(t, "patch", []any{patched.json["weekly_capacity"], patched.json["wants_timestamp_timers"], patched.json["name"]}, []any{108000, true, "Ida Berg Studio"})
}

// Section 8: approved, invoiced and archived.
func TestLocks(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c, member := ida(t, sb), jonas(t, sb)
	c.do("POST", "/v2/time_entries", entryOn("2026-01-10")).want(t, 422) // last week's Saturday
	c.do("POST", "/v2/time_entries", entryOn("2026-01-12")).want(t, 201)
	made := member.do("POST", "/v2/time_entries", entryOn("2026-01-13")).want(t, 201)
	path := fmt.Sprintf("/v2/time_entries/%d", made.id(t))
	member.do("PATCH", path, map[string]any{"spent_date": "2026-01-08"}).want(t, 422)
	sb.Advance(t, time.Minute)
	sb.Lock(t, 2302, "2026-01-12", "2026-01-18")
	locked := member.get(path)
	equal(t, "approved", []any{locked.json["is_locked"], locked.json["is_closed"], locked.json["approval_status"], locked.json["locked_reason"], locked.json["updated_at"]},
		[]any{true, true, "approved", "Item Approved and Locked for this Time Period", "2026-01-14T11:01:00Z"})
	for answer, status := range map[string]int{"422": 422, "403": 403, "dropped": 200} {
		sb.Switch(t, map[string]any{"lock_answer": answer})
		member.do("PATCH", path, map[string]any{"hours": 9}).want(t, status)
		member.do("PATCH", path+"/restart", nil).want(t, status)
		member.do("DELETE", path, nil).want(t, status)
		equal(t, "unchanged", member.get(path).want(t, 200).json["hours"], 1.5)
	}
	equal(t, "in the web app", sb.WebUpdate(t, made.id(t), map[string]any{"hours": 3}).Hours.String(), "3")
	sb.Unlock(t, 2302, "2026-01-13", "2026-01-13")
	equal(t, "unlocked", member.get(path).json["is_locked"], false)
	sb.Switch(t, map[string]any{"lock_answer": "422"})
	member.do("POST", "/v2/time_entries", entryOn("2026-01-12")).want(t, 422)
	sb.Lock(t, 2302, "2026-01-13", "2026-01-13")
	c.do("DELETE", path, nil).want(t, 200) // administrators may delete what is only approved

	sb.Switch(t, map[string]any{"lock_answer": "422"})
	billed := c.do("POST", "/v2/time_entries", entryOn("2026-01-13")).want(t, 201)
	sb.Invoice(t, 3101, "2026-01-12", "2026-01-14")
	path = fmt.Sprintf("/v2/time_entries/%d", billed.id(t))
	r := c.get(path)
	equal(t, "invoiced", []any{r.json["is_billed"], r.json["is_locked"], r.at("invoice", "number") != nil}, []any{true, true, true})
	c.do("DELETE", path, nil).want(t, 422)
	c.do("POST", "/v2/time_entries", entryOn("2026-01-14")).want(t, 422)

	other := c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "project_id", 3109, "task_id", 4113)).want(t, 201)
	path = fmt.Sprintf("/v2/time_entries/%d", other.id(t))
	c.do("PATCH", "/v2/projects/3109", map[string]any{"is_active": false}).want(t, 200)
	equal(t, "archived", c.get(path).json["is_locked"], true)
	c.do("PATCH", path, map[string]any{"hours": 2}).want(t, 422)
	c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "project_id", 3109, "task_id", 4113)).want(t, 422)
}

// Section 9: external references.
func TestExternalReference(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	ref := map[string]any{"id": 77, "group_id": 5, "permalink": "https://tracker.example.com/i/77", "service": "mine"}
	made := c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "external_reference", ref)).want(t, 201)
	equal(t, "strings, service from the host", []any{made.at("external_reference", "id"), made.at("external_reference", "group_id"), made.at("external_reference", "account_id"), made.at("external_reference", "service")},
		[]any{"77", "5", nil, "tracker.example.com"})
	c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "external_reference", ref)).want(t, 201) // not unique
	equal(t, "filter", c.get("/v2/time_entries?external_reference_id=77").json["total_entries"], 2)
	equal(t, "combined", c.get("/v2/time_entries?external_reference_id=77&user_id=2302").json["total_entries"], 0)

	sb.Switch(t, map[string]any{"reference_filter_lag_ms": 1500})
	lagged := c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "external_reference", map[string]any{"id": "lag"})).want(t, 201)
	equal(t, "not yet", c.get("/v2/time_entries?external_reference_id=lag").json["total_entries"], 0)
	equal(t, "but listed", c.get("/v2/time_entries?from=2026-01-14&per_page=1").rows(t, "time_entries")[0]["id"], lagged.json["id"])
	sb.Advance(t, 2*time.Second)
	equal(t, "now", c.get("/v2/time_entries?external_reference_id=lag").json["total_entries"], 1)

	path := fmt.Sprintf("/v2/time_entries/%d", made.id(t))
	equal(t, "replace", c.do("PATCH", path, map[string]any{"external_reference": map[string]any{"id": "x"}}).want(t, 200).at("external_reference", "id"), "x")
	c.do("DELETE", path+"/external_reference", nil).want(t, 200)
	equal(t, "gone", c.get(path).json["external_reference"], nil)
	sb.Switch(t, map[string]any{"drop_external_reference": true})
	equal(t, "dropped", c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "external_reference", ref)).want(t, 201).json["external_reference"], nil)
	if e := sb.WebUpdate(t, lagged.id(t), map[string]any{"external_reference": nil}); e.ExternalReference != nil {
		t.Error("the web app can take a reference away")
	}
}

// Section 12, point 11: only assigned and active combinations.
func TestCombinations(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	for name, m := range map[string]map[string]any{
		"unknown project":          entryOn("2026-01-14", "project_id", 1),
		"unknown task":             entryOn("2026-01-14", "task_id", 1),
		"task of another project":  entryOn("2026-01-14", "task_id", 4113),
		"inactive task assignment": entryOn("2026-01-14", "task_id", 4112),
		"archived project":         entryOn("2026-01-14", "project_id", 3106),
		"no date":                  entryOn("2026-13-14"),
	} {
		if r := c.do("POST", "/v2/time_entries", m); r.status != 422 || r.json["message"] == "" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	jonas(t, sb).do("POST", "/v2/time_entries", entryOn("2026-01-14", "project_id", 3103)).want(t, 422)
	path := fmt.Sprintf("/v2/time_entries/%d", c.do("POST", "/v2/time_entries", entryOn("2026-01-14")).want(t, 201).id(t))
	c.do("PATCH", path, map[string]any{"task_id": 4113}).want(t, 422)
	moved := c.do("PATCH", path, map[string]any{"project_id": 3102, "task_id": 4104, "spent_date": "2026-01-12", "notes": nil, "user_id": 2302}).want(t, 200)
	equal(t, "moved", []any{moved.at("project", "id"), moved.json["spent_date"], moved.at("user", "id"), moved.json["billable_rate"]}, []any{3102, "2026-01-12", 2301, 120.0})
	equal(t, "found on the new day", c.get("/v2/time_entries?from=2026-01-12&to=2026-01-12&project_id=3102").rows(t, "time_entries")[0]["id"], moved.json["id"])
}

// Sections 10.4 to 10.7: clients, projects, tasks, assignments.
func TestRecords(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	refused := c.do("DELETE", "/v2/clients/1101", nil).want(t, 422)
	equal(t, "refused", []any{refused.json["message"], refused.header.Get("Hint")},
		[]any{"This client is not removable. It still has projects and/or invoices.", "This client is not removable. It still has projects and/or invoices."})
	c.do("POST", "/v2/clients", map[string]any{}).want(t, 422)
	cl := c.do("POST", "/v2/clients", map[string]any{"name": "Juniper", "currency": "USD"}).want(t, 201)
	clPath := fmt.Sprintf("/v2/clients/%d", cl.id(t))
	equal(t, "patched", c.do("PATCH", clPath, map[string]any{"name": "Juniper Inc"}).want(t, 200).json["name"], "Juniper Inc")

	c.do("POST", "/v2/projects", map[string]any{"name": "No client"}).want(t, 422)
	p := c.do("POST", "/v2/projects", map[string]any{"client_id": cl.id(t), "name": "Site"}).want(t, 201)
	equal(t, "defaults", []any{p.json["bill_by"], p.json["budget_by"], p.json["code"], p.json["over_budget_notification_percentage"], p.at("client", "currency")}, []any{"none", "none", nil, 80.0, "USD"})
	pPath := fmt.Sprintf("/v2/projects/%d", p.id(t))
	c.do("PATCH", pPath, map[string]any{"bill_by": "project"}).want(t, 422)
	tk := c.do("POST", "/v2/tasks", map[string]any{"name": "Audit"}).want(t, 201)
	ta := c.do("POST", pPath+"/task_assignments", map[string]any{"task_id": tk.id(t), "hourly_rate": "80"}).want(t, 201)
	equal(t, "assignment", []any{ta.at("project", "id"), ta.at("task", "id"), ta.json["hourly_rate"]}, []any{p.json["id"], tk.json["id"], 80.0})
	c.do("POST", pPath+"/task_assignments", map[string]any{"task_id": tk.id(t)}).want(t, 422)
	e := c.do("POST", "/v2/time_entries", entryOn("2026-01-14", "project_id", p.id(t), "task_id", tk.id(t))).want(t, 201)
	c.do("DELETE", fmt.Sprintf("/v2/tasks/%d", tk.id(t)), nil).want(t, 422)
	c.do("DELETE", fmt.Sprintf("%s/task_assignments/%d", pPath, ta.id(t)), nil).want(t, 422)
	c.do("DELETE", pPath, nil).want(t, 200)
	c.get(fmt.Sprintf("/v2/time_entries/%d", e.id(t))).want(t, 404) // deleted with its project
	c.do("DELETE", fmt.Sprintf("/v2/tasks/%d", tk.id(t)), nil).want(t, 200)
	c.do("DELETE", clPath, nil).want(t, 200)

	lists := map[string]int{
		"clients": 5, "projects": 9, "tasks": 14, "users": 2, "task_assignments": 30, "user_assignments": 11, "roles": 1, "expenses": 3, "expense_categories": 2,
	}
	for name, want := range lists {
		equal(t, name, len(c.get("/v2/"+name).want(t, 200).rows(t, name)), want)
	}
	equal(t, "archived", len(c.get("/v2/projects?is_active=false").rows(t, "projects")), 1)
	equal(t, "of a client", len(c.get("/v2/projects?client_id=1101").rows(t, "projects")), 2)
	mine := c.get("/v2/users/me/project_assignments").rows(t, "project_assignments")
	equal(t, "active only", len(mine), 8)
	equal(t, "newest first", mine[0]["id"], 7009)
	if ta, _ := mine[0]["task_assignments"].([]any); len(ta) == 0 {
		t.Error("no tasks")
	}
	equal(t, "of another", len(c.get("/v2/users/2302/project_assignments").want(t, 200).rows(t, "project_assignments")), 2)
	member := jonas(t, sb)
	for _, path := range []string{"/v2/users", "/v2/users/2302", "/v2/users/2301/project_assignments", "/v2/projects", "/v2/tasks", "/v2/task_assignments", "/v2/roles"} {
		member.get(path).want(t, 403)
	}
	equal(t, "currencies", maren(t, sb).get("/v2/clients").rows(t, "clients")[0]["currency"], "USD")
}

// Section 10.9: reports agree with the entries.
func TestReports(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	rows := c.get("/v2/reports/project_budget?is_active=true").want(t, 200).rows(t, "results")
	var spent float64
	for _, e := range sb.State(t).Entries() {
		if e.Project.ID == 3101 {
			spent += e.RoundedHours.InexactFloat64()
		}
	}
	for _, r := range rows {
		if got, _ := r["budget_spent"].(float64); r["project_id"] == 3101.0 && fmt.Sprintf("%.2f", got) != fmt.Sprintf("%.2f", spent) {
			t.Errorf("budget spent %v, want %.2f", got, spent)
		}
	}
	for _, group := range []string{"clients", "projects", "tasks", "team"} {
		rows := c.get("/v2/reports/time/"+group+"?from=20251201&to=20251231").want(t, 200).rows(t, "results")
		if len(rows) == 0 || rows[0]["total_hours"] == nil || rows[0]["currency"] == nil {
			t.Errorf("%s: %v", group, rows)
		}
		c.get("/v2/reports/time/"+group).want(t, 422)
	}
	c.get("/v2/reports/time/team?from=20240101&to=20251231").want(t, 422)
	if rows := c.get("/v2/reports/uninvoiced?from=20251201&to=20251231").want(t, 200).rows(t, "results"); len(rows) == 0 {
		t.Error("nothing uninvoiced")
	}
	jonas(t, sb).get("/v2/reports/uninvoiced?from=20251201&to=20251231").want(t, 403)
	seen := jonas(t, sb).get("/v2/reports/project_budget").want(t, 200).rows(t, "results")
	equal(t, "budgets shown to all", len(seen), 1)
}

// Sections 2.2 to 2.4: the identity service.
func TestOAuth(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	c := ida(t, sb)
	authorize := sb.URL + "/oauth2/authorize?client_id=sandbox-client&response_type=code&state=s1&redirect_uri=" + url.QueryEscape("http://127.0.0.1:1/back?x=1")
	page := c.get(authorize).want(t, 200)
	if n := strings.Count(string(page.body), "<button"); n != 1 || !strings.Contains(string(page.body), ">Allow</button>") {
		t.Errorf("the page must have one button: %s", page.body)
	}
	c.get(sb.URL+"/oauth2/authorize?client_id=other&response_type=code").want(t, 401)
	c.get(sb.URL+"/oauth2/authorize?client_id=sandbox-client&response_type=code").want(t, 400)
	back := sb.AllowOAuth(t, authorize)
	q := back.Query()
	equal(t, "back", []string{back.Host + back.Path, q.Get("x"), q.Get("state"), q.Get("scope")}, []string{"127.0.0.1:1/back", "1", "s1", "harvest:1001"})
	equal(t, "denied", strings.Contains(c.get(authorize+"&deny=1").want(t, 302).header.Get("Location"), "error=access_denied"), true)

	ask := func(more map[string]any) reply {
		m := map[string]any{"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
		for k, v := range more {
			m[k] = v
		}
		return c.do("POST", "/api/v2/oauth2/token", m)
	}
	equal(t, "client", ask(map[string]any{"client_secret": "x"}).want(t, 401).json["error"], "invalid_client")
	grant := map[string]any{"grant_type": "authorization_code", "code": q.Get("code")}
	tokens := ask(grant).want(t, 200)
	equal(t, "lasts", []any{tokens.json["expires_in"], tokens.json["token_type"]}, []any{1209600, "bearer"})
	equal(t, "single use", ask(grant).want(t, 400).json["error"], "invalid_grant")
	access, _ := tokens.json["access_token"].(string)
	user := c.with("Authorization", "Bearer "+access)
	user.get("/v2/users/me").want(t, 200)
	accounts := user.with("Harvest-Account-Id", "").get("/api/v2/accounts").want(t, 200)
	if list, _ := accounts.json["accounts"].([]any); len(list) != 2 || accounts.at("user", "id") == 2301.0 {
		t.Errorf("accounts: %s", accounts.body)
	}

	late := sb.AllowOAuth(t, authorize).Query().Get("code")
	sb.Advance(t, 11*time.Minute)
	ask(map[string]any{"grant_type": "authorization_code", "code": late}).want(t, 400)
	sb.Advance(t, 14*24*time.Hour)
	user.get("/v2/users/me").want(t, 401)
	refresh := map[string]any{"grant_type": "refresh_token", "refresh_token": tokens.json["refresh_token"]}
	form := url.Values{"client_id": {"sandbox-client"}, "client_secret": {"sandbox-secret"}, "grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(tokens.json["refresh_token"])}}
	fresh := c.with("Content-Type", "application/x-www-form-urlencoded").do("POST", "/api/v2/oauth2/token", form.Encode()).want(t, 200)
	ask(refresh).want(t, 400) // rotated
	sb.Switch(t, map[string]any{"refresh_token_rotation": "keep"})
	refresh["refresh_token"] = fresh.json["refresh_token"]
	equal(t, "kept", ask(refresh).want(t, 200).json["refresh_token"], fresh.json["refresh_token"])
	sb.Switch(t, map[string]any{"refresh_token_rotation": "omit"})
	equal(t, "omitted", ask(refresh).want(t, 200).json["refresh_token"], nil)

	sb.RevokeToken(t, "1.pt")
	c.get("/v2/users/me").want(t, 401)
	sb.RestoreToken(t, "1.pt")
	c.get("/v2/users/me").want(t, 200)
	for _, r := range sb.Requests(t) {
		if strings.Contains(r.Token+r.Query, "sandbox") && !strings.Contains(r.Query, "client_id") || strings.Contains(r.Query, access) {
			t.Errorf("the log holds a secret: %+v", r)
		}
	}
}

// The seeds hold what is promised of them, and today's entries.
func TestSeeds(t *testing.T) {
	t.Parallel()
	for _, day := range []string{"2026-01-14T11:00:00Z", "2026-11-22T23:30:00Z", "2027-03-28T00:10:00Z", "2026-11-23T06:00:00Z"} {
		at, err := time.Parse(time.RFC3339, day)
		if err != nil {
			t.Fatal(err)
		}
		sb := sandboxtest.StartWith(t, sandbox.Options{Now: func() time.Time { return at }})
		copenhagen, err := time.LoadLocation("Europe/Copenhagen")
		if err != nil {
			t.Fatal(err)
		}
		today := at.In(copenhagen).Format(time.DateOnly)
		var sum float64
		var mine, todays int
		for _, e := range sb.State(t).Entries() {
			if e.CreatedAt.After(at) || e.SpentDate > today {
				t.Errorf("%s: %v lies in the future", day, e)
			}
			if e.User.ID != 2301 {
				continue
			}
			mine++
			if e.SpentDate == today {
				todays++
				sum += e.Hours.InexactFloat64()
				if e.IsLocked {
					t.Errorf("%s: today is locked", day)
				}
			}
		}
		if todays != 2 || sum != 2.5 || mine < 900 || mine > 1400 {
			t.Errorf("%s: %d today of %v h, %d in all", day, todays, sum, mine)
		}
	}
	empty := start(t, "empty")
	equal(t, "empty", ida(t, empty).get("/v2/users/me/project_assignments").want(t, 200).json["total_entries"], 0)
	large := start(t, "large")
	equal(t, "large", ida(t, large).get("/v2/time_entries?per_page=1").json["total_entries"], 50000)
	equal(t, "projects", ida(t, large).get("/v2/projects?per_page=1").json["total_entries"], 40)
	if _, err := sandbox.New(sandbox.Options{Seed: "other"}); err == nil {
		t.Error("an unknown seed must be refused")
	}
}

// A state file outlives the server.
func TestStateFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	opts := sandbox.Options{StateFile: file, Now: noon}
	first, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	sb := serve(t, first)
	id := ida(t, sb).do("POST", "/v2/time_entries", entryOn("2026-01-14", "hours", nil)).want(t, 201).id(t)
	sb.Switch(t, map[string]any{"lock_answer": "403", "rounding": "up_15"})
	before := sb.State(t)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	sb = serve(t, second)
	equal(t, "state", sb.State(t), before)
	equal(t, "switch", sb.Switches(t)["lock_answer"], "403")
	ida(t, sb).do("PATCH", fmt.Sprintf("/v2/time_entries/%d/stop", id), nil).want(t, 200)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

// Many clients at once, for the race detector.
func TestParallelClients(t *testing.T) {
	t.Parallel()
	sb := start(t, "demo")
	var wg sync.WaitGroup
	for n := range 8 {
		c := ida(t, sb)
		wg.Go(func() {
			for range 10 {
				made, err := c.try("POST", "/v2/time_entries", entryOn("2026-01-14", "external_reference", map[string]any{"id": fmt.Sprint("p", n)}))
				if err != nil || made.status != 201 {
					t.Errorf("create: %v %s", err, made.body)
					return
				}
				for _, path := range []string{"/v2/time_entries?per_page=50", "/v2/reports/project_budget", "/_sandbox/requests", "/v2/users/me/project_assignments"} {
					if r, err := c.try("GET", path, nil); err != nil || r.status != 200 {
						t.Errorf("%s: %v %d", path, err, r.status)
					}
				}
				if _, err := c.try("POST", "/_sandbox/clock", map[string]any{"advance_s": 1}); err != nil {
					t.Error(err)
				}
			}
			if r, err := c.try("GET", "/_sandbox/state", nil); err != nil || r.status != 200 {
				t.Errorf("state: %v %d", err, r.status)
			}
		})
	}
	wg.Wait()
	for n := range 8 {
		equal(t, "made", len(sb.State(t).EntriesByReference(fmt.Sprint("p", n))), 10)
	}
}
