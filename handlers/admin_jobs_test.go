package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"furrow/db"
	"furrow/jobs"
)

func TestAdminJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	root := b.staff(db.RoleOperator)
	discarded, waiting, completed := b.job("discarded"), b.job("retryable"), b.job("completed")
	b.exec(`update river_job set metadata = '{"snoozes": 3, "river:rescue_count": 1, "request": "req-7"}' where id = $1`, waiting)
	page := root.get("/admin/jobs")
	row := func(id int64) string { return "#j-" + strconv.FormatInt(id, 10) }
	for _, want := range []struct{ selector, text string }{
		{row(discarded), "harvest_pull"}, {row(discarded) + " code", `{"sync_run_id": 5}`}, {row(discarded) + " .errors", "store is <away>"}, {row(discarded) + " .errors", "attempt 1"},
		{row(waiting), "waited 3 times so far"}, {row(waiting), "Rescued once"}, {row(waiting), "req-7"},
		{`nav.filter a[href$="state=discarded"] .count`, "1"}, {`nav.filter a[aria-current] .count`, "3"},
	} {
		if text := page.text(t, want.selector); !strings.Contains(text, want.text) {
			t.Errorf("%s says %q, want %q", want.selector, text, want.text)
		}
	}
	if n := len(jobs.States()) + 1; page.page(t).Find("nav.filter a").Length() != n {
		t.Errorf("not all %d states can be chosen", n)
	}
	b.exec("update river_job set kind = 'harvest_push', queue = 'push', args = '{\"connection_id\": 7}' where id = $1", completed)
	for query, want := range map[string]int{
		"": 3, "state=discarded": 1, "kind=harvest_push": 1, "kind=harvest_pull&state=completed": 0, "queue=pull": 2, "queue=upkeep": 0, "id=" + strconv.FormatInt(waiting, 10): 1, "id=99999": 0,
		"connection=7": 1, "connection=7&state=discarded": 0, "run=5": 2, "run=5&state=retryable": 1, "run=6": 0, "before=" + strconv.FormatInt(completed, 10): 2, "run=5&before=" + strconv.FormatInt(waiting, 10): 1,
	} {
		if got := root.get("/admin/jobs?" + query); got.status != http.StatusOK || strings.Count(got.body, `<tr id="j-`) != want {
			t.Errorf("%q: status %d, %d jobs, want %d", query, got.status, strings.Count(got.body, `<tr id="j-`), want)
		}
	}
	for _, query := range []string{"state=rotten", "kind=rotten", "id=x", "connection=-1", "before=x"} {
		if got := root.get("/admin/jobs?" + query); got.status != http.StatusNotFound {
			t.Errorf("%q: status %d", query, got.status)
		}
	}
}

// What makes no sense is said beside the job, on the page that it was on.
func TestFault69_AdminActsOnJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	root := b.staff(db.RoleOperator)
	discarded, waiting, completed, running := b.job("discarded"), b.job("retryable"), b.job("completed"), b.job("running")
	if got := root.post(path("admin", "jobs", discarded, "retry"), nil, "Referer", b.server.URL+"/admin/jobs?state=discarded"); got.status != http.StatusSeeOther ||
		got.location() != "/admin/jobs?state=discarded" || b.jobState(discarded) != "available" {
		t.Errorf("retry: status %d to %q, the job is %s", got.status, got.location(), b.jobState(discarded))
	}
	twin, live := b.job("discarded"), b.job("available")
	b.exec("update river_job set unique_key = 'only one', unique_states = B'11111111' where id in ($1, $2)", live, live)
	b.exec("update river_job set unique_key = 'only one', unique_states = B'10111111' & B'11110101' where id = $1", twin)
	for _, test := range []struct {
		name      string
		id        int64
		action    string
		wantWords string
	}{
		{"a completed one", completed, "retry", "only do it twice"},
		{"a running one", running, "retry", "It runs"},
		{"one that is about to run", discarded, "retry", "about to run anyway"},
		{"one with a twin", twin, "retry", "there may be only one"},
		{"cancel a completed one", completed, "cancel", "nothing to cancel"},
	} {
		for referer, rows := range map[string]int{"": 1, b.server.URL + "/admin/jobs?kind=harvest_pull": 6} {
			got := root.post(path("admin", "jobs", test.id, test.action), nil, "Referer", referer)
			text := got.text(t, "#j-"+strconv.FormatInt(test.id, 10)+" .error")
			if got.status != http.StatusConflict || !strings.Contains(text, test.wantWords) || strings.Count(got.body, `<tr id="j-`) != rows {
				t.Errorf("%s from %q: status %d, %q, %d rows", test.name, referer, got.status, text, strings.Count(got.body, `<tr id="j-`))
			}
		}
	}
	if got := root.post(path("admin", "jobs", waiting, "cancel"), nil); got.status != http.StatusSeeOther || b.jobState(waiting) != "cancelled" {
		t.Errorf("cancel: status %d, the job is %s", got.status, b.jobState(waiting))
	}
	for _, address := range []string{"/admin/jobs/999999/retry", path("admin", "jobs", waiting, "burn")} {
		if got := root.post(address, nil); got.status != http.StatusNotFound {
			t.Errorf("%s: status %d", address, got.status)
		}
	}
	if retried, cancelled := b.audited("jobs.retry"), b.audited("jobs.cancel"); len(retried) != 1 || len(cancelled) != 1 {
		t.Errorf("audited: %v and %v", retried, cancelled)
	}
	if state := b.jobState(completed) + b.jobState(twin); state != "completeddiscarded" {
		t.Errorf("what was refused is %s", state)
	}
}

func TestAdminActsOnAllJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	root := b.staff(db.RoleOperator)
	const many = jobsBatch + 3
	for range many {
		b.job("discarded")
	}
	waiting, completed := b.job("retryable"), b.job("completed")
	preview := root.get("/admin/jobs/preview?action=retry&state=discarded&kind=harvest_pull")
	if text := strings.Join(strings.Fields(preview.text(t, "form.preview")), " "); !strings.Contains(text, fmt.Sprint(many, " jobs will be acted on")) {
		t.Errorf("the preview says %q", text)
	}
	newer := b.job("discarded")
	told := 0
	for more := true; more; { // a slow machine does them in several goes
		got := root.confirm(preview, nil)
		if got.status != http.StatusSeeOther || got.location() != "/admin/jobs?kind=harvest_pull&state=discarded" {
			t.Fatalf("status %d to %q: %s", got.status, got.location(), got.text(t, "main"))
		}
		text := root.get(got.location()).text(t, ".flash.good")
		var done int
		if n, err := fmt.Sscanf(text, "%d jobs are run again now.", &done); n != 1 {
			t.Fatalf("it says %q (%v)", text, err)
		}
		told, more = told+done, strings.Contains(text, "There are more")
	}
	if told != many {
		t.Errorf("it tells of %d jobs, want %d", told, many)
	}
	if n := b.count("select count(*) from river_job where state = 'available'"); n != many || b.jobState(newer) != "discarded" || b.jobState(waiting) != "retryable" || b.jobState(completed) != "completed" {
		t.Errorf("%d jobs are available, want %d", n, many)
	}
	rows := b.audited("jobs.retry_all")
	if len(rows) != 2 || rows[0]["count"].(float64)+rows[1]["count"].(float64) != many {
		t.Errorf("audited: %d rows", len(rows))
	}
	cannot := root.get("/admin/jobs/preview?action=cancel&state=completed")
	if text := strings.Join(strings.Fields(cannot.text(t, "form.preview")), " "); !strings.Contains(text, "Nothing of what matches") || !strings.Contains(text, "1 completed") || strings.Contains(text, "button") {
		t.Errorf("a preview of nothing says %q", text)
	}
	for _, form := range []url.Values{nil, {"up_to": {"x"}}} {
		if got := root.post("/admin/jobs/all/retry", form); got.status != http.StatusBadRequest {
			t.Errorf("%v: status %d", form, got.status)
		}
	}
	if got := root.post("/admin/jobs/all/retry", url.Values{"state": {"rotten"}, "up_to": {"9"}}); got.status != http.StatusNotFound {
		t.Errorf("unknown state: status %d", got.status)
	}
}
