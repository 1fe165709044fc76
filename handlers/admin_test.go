package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
)

// audited returns what an audit row of an action says in detail.
func (b *testBundle) audited(action string) []map[string]any {
	b.t.Helper()
	events, err := b.store.AuditEvents(b.t.Context(), 0, 100)
	if err != nil {
		b.t.Fatal(err)
	}
	var details []map[string]any
	for _, e := range events {
		if e.Action != action {
			continue
		}
		detail := map[string]any{"actor": e.Actor, "subject": e.Subject}
		if err := json.Unmarshal([]byte(e.Detail), &detail); err != nil {
			b.t.Fatal(err)
		}
		details = append(details, detail)
	}
	return details
}

// job puts a job into the queue as it is.
func (b *testBundle) job(state string) (id int64) {
	b.t.Helper()
	finished := state == "completed" || state == "cancelled" || state == "discarded"
	err := b.pool.QueryRow(b.t.Context(), `
insert into river_job (state, attempt, max_attempts, attempted_at, finalized_at, scheduled_at, args, kind, queue, priority, errors)
values ($1::text::river_job_state, 3, 10, now(), case when $2 then now() end, now() + interval '1 hour', '{"sync_run_id": 5}', 'harvest_pull', 'pull', 2,
        array['{"at": "2026-11-23T14:00:00Z", "attempt": 1, "error": "store is <away>", "trace": ""}'::jsonb])
returning id`, state, finished).Scan(&id)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *testBundle) jobState(id int64) (state string) {
	b.t.Helper()
	if err := b.pool.QueryRow(b.t.Context(), "select state::text from river_job where id = $1", id).Scan(&state); err != nil {
		b.t.Fatal(err)
	}
	return state
}

func adminPages() []string {
	return []string{"/admin", "/admin/writes", "/admin/jobs", "/admin/connections", "/admin/limits", "/admin/audit", "/admin/users"}
}

func TestAdminIsForAdmins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	write, job := b.write(id, connection, seeded{state: ledger.Retry}), b.job("discarded")
	actions := []string{"/admin/writes/retry", path("admin", "writes", write, "retry"), "/admin/jobs/retry", path("admin", "jobs", job, "retry")}
	for _, who := range []struct {
		name      string
		in        *browser
		get, post int
	}{
		{"the owner", b.loggedIn(idaEmail), http.StatusNotFound, http.StatusNotFound},
		{"nobody", b.browser(), http.StatusSeeOther, http.StatusUnauthorized},
	} {
		for _, page := range adminPages() {
			got := who.in.get(page)
			if got.status != who.get {
				t.Errorf("%s: GET %s gives %d, want %d", who.name, page, got.status, who.get)
			}
			if want := "/login?next=" + url.QueryEscape(page); got.status == http.StatusSeeOther && got.location() != want {
				t.Errorf("%s: GET %s leads to %q, want %q", who.name, page, got.location(), want)
			}
		}
		for _, action := range actions {
			if got := who.in.post(action, url.Values{"state": {""}}); got.status != who.post {
				t.Errorf("%s: POST %s gives %d, want %d", who.name, action, got.status, who.post)
			}
		}
	}
	if b.stateOf(write) != ledger.Retry || b.jobState(job) != "discarded" || b.rung(connection) != 0 || b.count("select count(*) from audit_events") != 0 {
		t.Error("something was done")
	}
}

func TestAdminRetriesOneWrite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	refused := b.write(id, connection, seeded{state: ledger.Rejected, reason: "invalid", status: 422})

	page := root.get("/admin/writes?state=needs-you")
	if page.status != http.StatusOK || !strings.Contains(page.text(t, "article"), idaEmail) || page.text(t, "form.retryall button") != "Retry 1 write" {
		t.Fatalf("status %d: %s", page.status, page.text(t, "main"))
	}
	got := root.post(path("admin", "writes", refused, "retry"), nil, "Referer", b.server.URL+"/admin/writes?state=needs-you")
	if got.status != http.StatusSeeOther || got.location() != "/admin/writes?state=needs-you" {
		t.Fatalf("status %d to %q: %s", got.status, got.location(), got.body)
	}
	if state := b.stateOf(refused); state != ledger.Pending || b.rung(connection) != 1 {
		t.Errorf("the write is %s, rung %d times", state, b.rung(connection))
	}
	rows := b.audited("writes.retry")
	if len(rows) != 1 || rows[0]["actor"] != rootEmail || rows[0]["subject"] != "write "+strconv.FormatInt(refused, 10) ||
		rows[0]["before"] != "rejected" || rows[0]["after"] != "pending" {
		t.Errorf("audited: %v", rows)
	}

	overtaken := b.write(id, connection, seeded{state: ledger.Rejected})
	b.write(id, connection, seeded{state: ledger.Pending, after: overtaken})
	other := b.user(bobEmail, false)
	revoked := b.connect(other)
	blocked := b.write(other, revoked, seeded{state: ledger.Retry})
	if err := b.store.RevokeConnection(t.Context(), revoked); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string
		path       string
		wantStatus int
		wantWords  string
	}{
		{"a done one", path("admin", "writes", b.write(id, connection, seeded{state: ledger.Done}), "retry"), http.StatusConflict, "book it twice"},
		{"one in doubt", path("admin", "writes", b.write(id, connection, seeded{state: ledger.Uncertain}), "retry"), http.StatusConflict, "looked up"},
		{"twice", path("admin", "writes", refused, "retry"), http.StatusConflict, "on its way"},
		{"an overtaken one", path("admin", "writes", overtaken, "retry"), http.StatusConflict, "overtook"},
		{"of a revoked connection", path("admin", "writes", blocked, "retry"), http.StatusConflict, "owner must connect"},
		{"unknown", "/admin/writes/999999/retry", http.StatusNotFound, "nothing at this address"},
		{"no id", "/admin/writes/x/retry", http.StatusNotFound, "nothing at this address"},
	} {
		got := root.post(test.path, nil)
		if got.status != test.wantStatus || !strings.Contains(got.text(t, ".problem"), test.wantWords) {
			t.Errorf("%s: status %d, %q", test.name, got.status, got.text(t, ".problem"))
		}
	}
	if n := len(b.audited("writes.retry")); n != 1 || b.rung(connection) != 1 {
		t.Errorf("what was refused is audited (%d rows), or rang", n)
	}
	if page := root.get("/admin/audit"); !strings.Contains(page.text(t, "table"), "tried a write again") || !strings.Contains(page.body, path("ledger", refused)) {
		t.Errorf("the audit says %q", page.text(t, "table"))
	}
}

func TestAdminRetriesAllWrites(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, other := b.ida(), b.user(bobEmail, false)
	mine, theirs := b.connect(id), b.connect(other)
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	const many = pageOfWrites + 3 // more than a page shows
	for range many {
		b.write(id, mine, seeded{state: ledger.Retry, reason: "server", status: 503, wait: time.Hour})
	}
	b.write(other, theirs, seeded{state: ledger.Retry})
	refused := b.write(other, theirs, seeded{state: ledger.Rejected})
	done := b.write(id, mine, seeded{state: ledger.Done})

	got := root.post("/admin/writes/retry", url.Values{"state": {"waiting"}})
	if got.status != http.StatusSeeOther || got.location() != "/admin/writes?state=waiting" {
		t.Fatalf("status %d to %q: %s", got.status, got.location(), got.body)
	}
	if page := root.get(got.location()); !strings.Contains(page.text(t, ".flash.good"), fmt.Sprint(many+1, " writes are tried again now.")) {
		t.Errorf("it says %q", page.text(t, ".flash.good"))
	}
	if n := b.count("select count(*) from writes where state = 'pending' and not_before <= now()"); n != many+1 {
		t.Errorf("%d writes are tried again, want %d", n, many+1)
	}
	if b.stateOf(refused) != ledger.Rejected || b.stateOf(done) != ledger.Done {
		t.Error("writes that the filter does not match were changed")
	}
	if b.rung(mine) != 1 || b.rung(theirs) != 1 {
		t.Errorf("rung %d and %d times, want once each", b.rung(mine), b.rung(theirs))
	}
	rows := b.audited("writes.retry_all")
	if len(rows) != 1 || rows[0]["count"] != float64(many+1) || rows[0]["state"] != "waiting" {
		t.Errorf("audited: %v", rows)
	}

	// Once more, without a filter: what is under way is left alone.
	if got := root.post("/admin/writes/retry", url.Values{"state": {""}}); got.status != http.StatusSeeOther || b.stateOf(refused) != ledger.Pending {
		t.Errorf("all: status %d, the refused one is %s", got.status, b.stateOf(refused))
	}
	if rows := b.audited("writes.retry_all"); len(rows) != 2 || rows[0]["count"] != float64(1) {
		t.Errorf("audited: %v", rows)
	}
	if got := root.post("/admin/writes/retry", url.Values{"state": {"rotten"}}); got.status != http.StatusNotFound {
		t.Errorf("unknown filter: status %d", got.status)
	}
}

func TestAdminJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	discarded, waiting, completed := b.job("discarded"), b.job("retryable"), b.job("completed")

	page := root.get("/admin/jobs")
	row := "#j-" + strconv.FormatInt(discarded, 10)
	for selector, want := range map[string]string{
		row: "harvest_pull", row + " code": `{"sync_run_id": 5}`, row + " .errors": "store is <away>", "form.retryall button": "Retry 2 jobs",
		"button[value=discarded] .count": "1", "button[value=\"\"] .count": "3",
	} {
		if text := page.text(t, selector); !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	if got := root.get("/admin/jobs?state=discarded"); strings.Count(got.body, `<tr id="j-`) != 1 {
		t.Error("the filter does not hold")
	}
	if got := root.get("/admin/jobs?state=rotten"); got.status != http.StatusNotFound {
		t.Errorf("unknown state: status %d", got.status)
	}

	if got := root.post(path("admin", "jobs", discarded, "retry"), nil); got.status != http.StatusSeeOther || b.jobState(discarded) != "available" {
		t.Errorf("retry: status %d, the job is %s", got.status, b.jobState(discarded))
	}
	for _, test := range []struct {
		name       string
		path       string
		form       url.Values
		wantStatus int
		wantWords  string
	}{
		{"a completed one", path("admin", "jobs", completed, "retry"), nil, http.StatusConflict, "only do it twice"},
		{"unknown", "/admin/jobs/999999/retry", nil, http.StatusNotFound, "nothing at this address"},
		{"all completed ones", "/admin/jobs/retry", url.Values{"state": {"completed"}}, http.StatusConflict, "only do them twice"},
		{"unknown state", "/admin/jobs/retry", url.Values{"state": {"rotten"}}, http.StatusNotFound, "nothing at this address"},
	} {
		got := root.post(test.path, test.form)
		if got.status != test.wantStatus || !strings.Contains(got.text(t, ".problem"), test.wantWords) {
			t.Errorf("%s: status %d, %q", test.name, got.status, got.text(t, ".problem"))
		}
	}
	if state := b.jobState(completed); state != "completed" {
		t.Errorf("the completed job is %s", state)
	}
	if got := root.post("/admin/jobs/retry", url.Values{"state": {"retryable"}}); got.status != http.StatusSeeOther || b.jobState(waiting) != "available" {
		t.Errorf("all: status %d, the job is %s", got.status, b.jobState(waiting))
	}
	if one, all := b.audited("jobs.retry"), b.audited("jobs.retry_all"); len(one) != 1 || len(all) != 1 || all[0]["count"] != float64(1) {
		t.Errorf("audited: %v and %v", one, all)
	}
	if n := len(jobs.States()); strings.Count(root.get("/admin/jobs").body, `name="state"`) < n {
		t.Errorf("not all %d states can be chosen", n)
	}
}

func TestAdminTables(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	for page, want := range map[string]string{
		"/admin/connections": "Nobody has connected", "/admin/limits": "has not been called yet", "/admin/audit": "No admin has done anything", "/admin/writes": "No writes",
	} {
		if got := root.get(page); got.status != http.StatusOK || !strings.Contains(got.text(t, ".nothing"), want) {
			t.Errorf("empty %s: status %d, %q", page, got.status, got.text(t, ".nothing"))
		}
	}
	if got := root.get("/admin"); got.status != http.StatusSeeOther || got.location() != "/admin/writes" {
		t.Errorf("/admin: status %d to %q", got.status, got.location())
	}

	connection := b.connect(id)
	b.write(id, connection, seeded{state: ledger.Retry})
	gate := db.NewGate(b.pool)
	pass, err := gate.Admit(t.Context(), ledger.GateRequest{ConnectionID: connection, Class: ledger.GateGeneral})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := gate.Failed(t.Context(), pass, ledger.FailureConnection); err != nil {
			t.Fatal(err)
		}
	}
	if err := gate.Blocked(t.Context(), pass, time.Hour); err != nil {
		t.Fatal(err)
	}
	// A pace so slow that what is free does not grow while the test runs.
	if _, err := b.pool.Exec(t.Context(), "update api_gates set step = interval '1 hour', tat = clock_timestamp() + interval '1 hour' where burst > 0"); err != nil {
		t.Fatal(err)
	}
	for page, wants := range map[string][]string{
		"/admin/connections": {idaEmail, "Berg Studio (", "connected", "none yet"},
		"/admin/limits":      {"Harvest as a whole", "closed", fmt.Sprintf("%s, connection %d, general calls", idaEmail, connection), "open", "34", "asked for by Harvest"},
		"/admin/users":       {idaEmail, rootEmail, "admin", "Berg Studio", "never connected"},
	} {
		got := root.get(page)
		for _, want := range wants {
			if text := got.text(t, "table.list"); got.status != http.StatusOK || !strings.Contains(text, want) {
				t.Errorf("%s: status %d, no %q in %q", page, got.status, want, text)
			}
		}
	}
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	root := b.user(rootEmail, true)
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		for i := range pageOfWrites + 1 {
			if err := tx.Audit(t.Context(), root, "jobs.retry", "job "+strconv.Itoa(i), map[string]any{"after": "available"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	in := b.loggedIn(rootEmail)
	first := in.get("/admin/audit")
	_, rest, _ := strings.Cut(first.body, `<p class="older"><a class="button" href="`)
	older, _, _ := strings.Cut(rest, `"`)
	if !strings.HasPrefix(older, "/admin/audit?before=") || strings.Count(first.body, "<tr>") != pageOfWrites+1 {
		t.Fatalf("%d rows, and older ones at %q", strings.Count(first.body, "<tr>")-1, older)
	}
	if last := in.get(older); !strings.Contains(last.text(t, "table"), "job 0") || strings.Count(last.body, "<tr>") != 2 || strings.Contains(last.body, `class="older"`) {
		t.Errorf("the last page: %q", last.text(t, "table"))
	}
	if got := in.get("/admin/audit?before=x"); got.status != http.StatusNotFound {
		t.Errorf("no page: status %d", got.status)
	}
}

// A breaker that an admin opens lets nothing through, whatever calls show;
// one that an admin closes lets them through again.
func TestForceBreaker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	if got := root.post("/admin/limits/provider/open", nil); got.status != http.StatusNotFound {
		t.Errorf("before any call: status %d", got.status)
	}
	connection := b.connect(b.ida())
	gate := db.NewGate(b.pool)
	request := ledger.GateRequest{ConnectionID: connection, Class: ledger.GateGeneral}
	earlier, err := gate.Admit(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"provider", fmt.Sprintf("connection:%d:general", connection)} {
		path := "/admin/limits/" + url.PathEscape(scope)
		if got := root.post(path+"/open", nil); got.status != http.StatusSeeOther {
			t.Fatalf("open %s: status %d", scope, got.status)
		}
		earlier.Unsettled = true
		if err := gate.Succeeded(t.Context(), earlier); err != nil { // the outcome of an older call changes nothing
			t.Fatal(err)
		}
		var wait *ledger.WaitError
		if _, err := gate.Admit(t.Context(), request); !errors.As(err, &wait) || wait.Why != ledger.WaitBreaker || wait.Wait < 23*time.Hour {
			t.Errorf("%s is open, and a call gets %v", scope, err)
		}
		if text := root.get("/admin/limits").text(t, "table.list"); !strings.Contains(text, "Close") {
			t.Errorf("it cannot be closed: %q", text)
		}
		if got := root.post(path+"/closed", nil); got.status != http.StatusSeeOther {
			t.Fatalf("close %s: status %d", scope, got.status)
		}
		if _, err := gate.Admit(t.Context(), request); err != nil {
			t.Errorf("%s is closed, and a call gets %v", scope, err)
		}
	}
	if got := root.post("/admin/limits/provider/ajar", nil); got.status != http.StatusNotFound {
		t.Errorf("an unknown state: status %d", got.status)
	}
	if opened, closed := b.audited("breaker.open"), b.audited("breaker.closed"); len(opened) != 2 || len(closed) != 2 {
		t.Errorf("audited: %v and %v", opened, closed)
	}
}
