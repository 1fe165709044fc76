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
	"furrow/ledger"
)

// audited returns what an audit row of an action says in detail.
func (b *testBundle) audited(action string) []map[string]any {
	b.t.Helper()
	events, err := b.store.AuditEvents(b.t.Context(), db.AuditFilter{Most: 100})
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
	return []string{"/admin", "/admin/writes", "/admin/jobs", "/admin/connections", "/admin/limits", "/admin/queues", "/admin/schedules", "/admin/alerts", "/admin/audit", "/admin/users"}
}

func TestAdminIsForAdmins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	write, job := b.write(id, connection, seeded{state: ledger.Retry}), b.job("discarded")
	actions := []string{"/admin/orders", path("admin", "writes", write, "retry"), "/admin/jobs/all/retry", path("admin", "jobs", job, "retry")}
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
	if b.stateOf(write) != ledger.Retry || b.jobState(job) != "discarded" || b.rung(connection) != 0 || b.count("select count(*) from audit_events where action <> 'account.create'") != 0 {
		t.Error("something was done")
	}
}

func TestAdminTables(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	for page, want := range map[string]string{
		"/admin/connections": "Nobody has connected", "/admin/limits": "has not been called yet", "/admin/audit?action=writes.retry": "Nothing matches", "/admin/writes": "No writes match",
	} {
		if got := root.get(page); got.status != http.StatusOK || !strings.Contains(got.text(t, ".nothing"), want) {
			t.Errorf("empty %s: status %d, %q", page, got.status, got.text(t, ".nothing"))
		}
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
	b.exec("update api_gates set step = interval '1 hour', tat = clock_timestamp() + interval '1 hour' where burst > 0")
	for page, wants := range map[string][]string{
		"/admin/connections": {idaEmail, "Berg Studio (", "connected", "none yet"},
		"/admin/limits":      {"Harvest as a whole", "calls go through", fmt.Sprintf("%s, connection %d, general calls", idaEmail, connection), "no call", "34", "Harvest asked for it"},
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
		for i := range pageOfWrites { // with the making of the account, one more than a page
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
	if last := in.get(older); !strings.Contains(last.text(t, "table"), "made an account") || strings.Count(last.body, "<tr>") != 2 || strings.Contains(last.body, `class="older"`) {
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
	hold := url.Values{"reason": {"Harvest is being moved"}, "term": {"24h"}}
	if got := root.post("/admin/limits/provider/open", hold); got.status != http.StatusNotFound {
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
		if got := root.post(path+"/open", url.Values{"term": {"24h"}}); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, ".error"), "Say why") {
			t.Errorf("without a reason: status %d, %q", got.status, got.text(t, ".error"))
		}
		if got := root.post(path+"/open", hold); got.status != http.StatusSeeOther {
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
		if text := root.get("/admin/limits").text(t, "table.list"); !strings.Contains(text, rootEmail) || !strings.Contains(text, "Harvest is being moved") {
			t.Errorf("the list does not say by whom and why: %q", text)
		}
		if got := root.get(path); !strings.Contains(got.text(t, "main"), "Close the breaker") {
			t.Errorf("it cannot be closed: status %d, %q", got.status, got.text(t, "main"))
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
