package handlers

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
)

// staff is somebody logged in who has a role.
func (b *testBundle) staff(role db.Role) *browser {
	b.t.Helper()
	email := string(role) + "@example.com"
	b.user(email, false)
	if err := b.store.SetRole(b.t.Context(), email, role); err != nil {
		b.t.Fatal(err)
	}
	return b.loggedIn(email)
}

func held(reason, term string) url.Values { return url.Values{"reason": {reason}, "term": {term}} }

// An operator pauses a connection with a reason and for a time. Its owner is told
// on every page that shows what waits, and can go on pushing; viewers see it, and
// get no buttons.
func TestAdminPausesConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	waits := b.write(id, connection, seeded{state: ledger.Retry, reason: "server", status: 503, wait: 5 * time.Minute})
	operator, viewer, ida := b.staff(db.RoleOperator), b.staff(db.RoleViewer), b.loggedIn(idaEmail)
	page := path("admin", "connections", connection)

	for _, bad := range []url.Values{held("", "1h"), held("no", "1h"), held(strings.Repeat("x", mostReason+1), "1h"), held("a reason", "5m"), held("a reason", "")} {
		if got := operator.post(page+"/pause", bad); got.status != http.StatusUnprocessableEntity || got.text(t, ".error") == "" {
			t.Errorf("%v: status %d, %q", bad, got.status, got.text(t, ".error"))
		}
	}
	if got := operator.post(path("admin", "connections", connection+1, "pause"), held("a reason", "1h")); got.status != http.StatusNotFound {
		t.Errorf("no such connection: status %d", got.status)
	}
	if n := b.count("select count(*) from harvest_connections where paused_until is not null"); n != 0 {
		t.Fatal("what was refused paused it")
	}
	if got := operator.post(page+"/pause", held(" The account \n is being moved ", "4h")); got.status != http.StatusSeeOther || got.location() != page {
		t.Fatalf("status %d to %q", got.status, got.location())
	}

	const why = "“The account is being moved”"
	for address, selector := range map[string]string{
		"/weeks/2026-11-23": "#sync-status", "/weeks/2026-11-23/push": ".flash.note", "/settings/harvest": ".flash.note",
		"/ledger": "#w-" + strconv.FormatInt(waits, 10) + " .why", path("ledger", waits): ".verdict",
	} {
		got := ida.get(address)
		if text := got.text(t, selector); !strings.Contains(text, "paused") || !strings.Contains(text, why) || !strings.Contains(text, "until") {
			t.Errorf("its owner's %s says %q", address, text)
		}
		if strings.Contains(got.body, "Next try in") || strings.Contains(got.body, "on their way") && address != "/ledger" {
			t.Errorf("its owner's %s promises to send it", address)
		}
	}
	list := viewer.get("/admin/connections?state=paused").text(t, "table.list")
	if !strings.Contains(list, idaEmail) || !strings.Contains(list, "The account is being moved") || !strings.Contains(list, "nobody, it ends by itself") {
		t.Errorf("viewers see %q", list)
	}
	if got := viewer.get(page); got.status != http.StatusOK || strings.Contains(got.body, "<form method=\"post\" action=\"/admin") || !strings.Contains(got.text(t, ".why"), "operator@example.com has paused it") {
		t.Errorf("viewers see buttons, or not by whom: status %d, %q", got.status, got.text(t, "main"))
	}
	if got := viewer.post(page+"/resume", nil); got.status != http.StatusNotFound {
		t.Errorf("a viewer resumes it: status %d", got.status)
	}

	if got := operator.post(page+"/resume", nil); got.status != http.StatusSeeOther || b.rung(connection) != 1 {
		t.Errorf("resume: status %d, rung %d times", got.status, b.rung(connection))
	}
	if got := operator.post(page+"/resume", nil); got.status != http.StatusConflict {
		t.Errorf("resume twice: status %d", got.status)
	}
	paused, resumed := b.audited("connections.pause"), b.audited("connections.resume")
	if len(paused) != 1 || paused[0]["subject"] != fmt.Sprintf("connection %d", connection) || paused[0]["reason"] != "The account is being moved" || paused[0]["before"] != "not paused" || paused[0]["actor"] != "operator@example.com" {
		t.Errorf("audited: %v", paused)
	}
	if len(resumed) != 1 || resumed[0]["after"] != "not paused" {
		t.Errorf("audited: %v", resumed)
	}
	if text := operator.get("/admin/audit?subject="+url.QueryEscape(fmt.Sprintf("connection %d", connection))).text(t, "table.list"); !strings.Contains(text, "not paused → paused until ") || !strings.Contains(text, "reason: The account is being moved") {
		t.Errorf("the audit says %q", text)
	}
}

// A sync that an operator starts is one like any other: two at once are one.
func TestAdminSyncsConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	operator := b.staff(db.RoleOperator)
	for range 2 {
		if got := operator.post(path("admin", "connections", connection, "sync"), nil); got.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	if n := b.count("select count(*) from sync_runs"); n != 1 || len(b.audited("connections.sync")) != 2 {
		t.Errorf("%d runs, audited %v", n, b.audited("connections.sync"))
	}
	b.exec("update sync_runs set state = 'failed', finished_at = now()")
	if err := b.store.InTx(t.Context(), func(tx *db.Tx) error { return tx.Disconnect(t.Context(), id) }); err != nil {
		t.Fatal(err)
	}
	if got := operator.post(path("admin", "connections", connection, "sync"), nil); got.status != http.StatusConflict {
		t.Errorf("disconnected: status %d", got.status)
	}
}

func TestAdminFiltersConnections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.connect(b.ida())
	lost := b.connect(b.user(bobEmail, false))
	if err := b.store.RevokeConnection(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	viewer := b.staff(db.RoleViewer)
	for query, want := range map[string][]string{
		"": {idaEmail, bobEmail}, "?state=ok": {idaEmail}, "?state=needs_reauth": {bobEmail}, "?state=disconnected": nil, "?state=paused": nil, "?state=held": nil,
		"?q=BOB": {bobEmail}, "?q=berg": {idaEmail, bobEmail}, "?q=%25": nil, "?after=" + strconv.FormatInt(lost, 10): nil,
	} {
		got := viewer.get("/admin/connections" + query)
		for _, email := range []string{idaEmail, bobEmail} {
			if strings.Contains(got.text(t, "#admin-live"), email) != slices.Contains(want, email) {
				t.Errorf("%q: status %d, %q", query, got.status, got.text(t, "#admin-live"))
			}
		}
		if live := viewer.get("/admin/live/connections" + query); live.text(t, "#admin-live") != got.text(t, "#admin-live") {
			t.Errorf("%q: the polled part says %q", query, live.text(t, "#admin-live"))
		}
	}
	for _, query := range []string{"?state=x", "?after=x", "?after=-1", "?q=%ff"} {
		if got := viewer.get("/admin/connections" + query); got.status != http.StatusNotFound {
			t.Errorf("%q: status %d", query, got.status)
		}
	}
	if got := viewer.get("/admin/live/nothing"); got.status != http.StatusNotFound {
		t.Errorf("no such tab: status %d", got.status)
	}
}

func TestAdminPausesQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	operator := b.staff(db.RoleOperator)
	for _, action := range []string{"/pause", "/resume"} {
		if got := operator.post("/admin/queues/nothing"+action, held("a reason", "1h")); got.status != http.StatusNotFound {
			t.Errorf("%s of no queue: status %d", action, got.status)
		}
	}
	if got := operator.post("/admin/queues/push/pause", held("a reason", "1h")); got.status != http.StatusConflict || b.count("select count(*) from queue_pauses") != 0 {
		t.Errorf("before any worker: status %d", got.status)
	}
	b.exec("insert into river_queue (name, created_at, updated_at) values ('push', now(), now())")
	if got := operator.post("/admin/queues/push/resume", nil); got.status != http.StatusConflict {
		t.Errorf("it is not paused: status %d", got.status)
	}
	if got := operator.post("/admin/queues/push/pause", held("x", "1h")); got.status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: status %d", got.status)
	}
	if got := operator.post("/admin/queues/push/pause", held("an upgrade", "1h")); got.status != http.StatusSeeOther || b.count("select count(*) from river_queue where paused_at is not null") != 1 {
		t.Errorf("pause: status %d", got.status)
	}
	for _, page := range []string{"/admin/queues", "/admin/queues/push", "/admin"} {
		if text := operator.get(page).text(t, "main"); !strings.Contains(text, "paused") || !strings.Contains(text, "an upgrade") {
			t.Errorf("%s says %q", page, text)
		}
	}
	if got := operator.post("/admin/queues/push/resume", nil); got.status != http.StatusSeeOther || b.count("select count(*) from river_queue where paused_at is not null") != 0 {
		t.Errorf("resume: status %d", got.status)
	}
	if one, two := b.audited("queues.pause"), b.audited("queues.resume"); len(one) != 1 || len(two) != 1 || one[0]["reason"] != "an upgrade" {
		t.Errorf("audited: %v, %v", one, two)
	}
}

func TestAdminSchedules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	operator, viewer := b.staff(db.RoleOperator), b.staff(db.RoleViewer)
	now := time.Now()
	for name, run := range map[string]struct {
		ago time.Duration
		err error
	}{
		jobs.ScheduleSweep: {0, nil}, jobs.ScheduleRecur: {time.Hour, fmt.Errorf("canary of a failure")}, ScheduleClean: {3 * time.Hour, nil},
		jobs.ScheduleWatch: {0, nil}, jobs.ScheduleKeep: {0, nil},
	} {
		for range 2 {
			if err := b.store.RanSchedule(t.Context(), name, 2*time.Hour, now.Add(-run.ago), run.err); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := viewer.get("/admin/schedules").text(t, "table.list")
	for _, want := range []string{"Look for work", "Look for what is wrong", "Remove what is over", "well", "failed 2 times in a row", "canary of a failure", "60 min late"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if strings.Contains(text, "Run now") {
		t.Error("viewers see buttons")
	}
	if got := operator.post("/admin/schedules/sweep/run", nil); got.status != http.StatusNotFound {
		t.Errorf("what is not run by hand: status %d", got.status)
	}
	for range 2 {
		if got := operator.post("/admin/schedules/recurrences/run", nil); got.status != http.StatusSeeOther {
			t.Errorf("run now: status %d", got.status)
		}
	}
	// Twice if a minute ended between them.
	if n := b.count("select count(*) from river_job where kind = 'plan_recurrences'"); n < 1 || n > 2 || len(b.audited("schedules.run")) != 2 {
		t.Errorf("%d jobs, audited %v", n, b.audited("schedules.run"))
	}
}

// An admin gives others a role, never themselves; who is given one is logged out.
func TestAdminChangesRole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	rootID := b.user(rootEmail, true)
	root, operator, ida := b.loggedIn(rootEmail), b.staff(db.RoleOperator), b.loggedIn(idaEmail)
	role := func(id int64) string { return path("admin", "users", id, "role") }
	if got := operator.post(role(id), url.Values{"role": {"admin"}}); got.status != http.StatusNotFound {
		t.Errorf("an operator: status %d", got.status)
	}
	if got := root.post(role(rootID), url.Values{"role": {"user"}}); got.status != http.StatusConflict {
		t.Errorf("their own: status %d", got.status)
	}
	for _, bad := range []string{"", "root"} {
		if got := root.post(role(id), url.Values{"role": {bad}}); got.status != http.StatusNotFound {
			t.Errorf("role %q: status %d", bad, got.status)
		}
	}
	if got := root.post(role(id+1000), url.Values{"role": {"admin"}}); got.status != http.StatusNotFound {
		t.Errorf("nobody: status %d", got.status)
	}
	if got := ida.get("/week"); got.location() == "" || strings.HasPrefix(got.location(), "/login") {
		t.Fatalf("what was refused logged her out: status %d to %q", got.status, got.location())
	}
	if got := root.post(role(id), url.Values{"role": {"admin"}}); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	if got := ida.get("/admin"); !strings.HasPrefix(got.location(), "/login") {
		t.Errorf("her old session goes on: status %d", got.status)
	}
	rows := slices.DeleteFunc(b.audited("users.role"), func(row map[string]any) bool { return row["actor"] != rootEmail })
	if len(rows) != 1 || rows[0]["before"] != "user" || rows[0]["after"] != "admin" || rows[0]["subject"] != fmt.Sprintf("user %d", id) {
		t.Errorf("audited: %v", rows)
	}
	// Two admins who take the role from each other: one of them comes too late.
	ida = b.loggedIn(idaEmail)
	if got := ida.post(role(rootID), url.Values{"role": {"viewer"}}); got.status != http.StatusSeeOther {
		t.Errorf("the other one: status %d", got.status)
	}
	if n := b.count("select count(*) from users where role = 'admin'"); n != 1 {
		t.Errorf("%d admins", n)
	}
	text := ida.get("/admin/users?role=viewer").text(t, "table.list")
	if !strings.Contains(text, rootEmail) || strings.Contains(text, idaEmail) {
		t.Errorf("viewers are %q", text)
	}
	if got := ida.get("/admin/users?connection=none&q=ROOT"); !strings.Contains(got.text(t, "table.list"), rootEmail) {
		t.Errorf("filtered: status %d, %q", got.status, got.text(t, "#admin-live"))
	}
	if got := ida.get(path("admin", "users", id)); strings.Contains(got.body, `name="role"`) {
		t.Error("a form for one's own role")
	}
	if got := operator.get(path("admin", "users", id)); got.status != http.StatusOK || strings.Contains(got.body, `name="role"`) {
		t.Errorf("an operator's: status %d", got.status)
	}
}

func TestAuditFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	viewer := b.staff(db.RoleViewer) // whose role is audited, too, as the two accounts are
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		for i := range csvBatch + 2 {
			if err := tx.Audit(t.Context(), id, "jobs.retry", "job "+strconv.Itoa(i), map[string]any{"before": "discarded", "after": "available"}); err != nil {
				return err
			}
		}
		return tx.Audit(t.Context(), 0, "queues.resume", "queue push", map[string]any{"why": "=cmd()"})
	})
	if err != nil {
		t.Fatal(err)
	}
	b.exec("update audit_events set at = '2026-01-02T12:00:00Z' where subject = 'job 7'")
	for query, want := range map[string]int{
		"": pageOfWrites, "?actor=IDA@example.com": pageOfWrites, "?actor=furrow": 4, "?action=queues.resume": 1, "?subject=job+7": 1, "?actor=furrow&action=jobs.retry": 0,
		"?from=2026-01-02&to=2026-01-02": 1, "?to=2026-01-01": 0, "?from=2026-01-03&subject=job+7": 0,
	} {
		got := viewer.get("/admin/audit" + query)
		if n := strings.Count(got.body, "<tr>") - 1; got.status != http.StatusOK || max(n, 0) != want {
			t.Errorf("%q: status %d, %d rows, want %d", query, got.status, n, want)
		}
	}
	for _, query := range []string{"?from=x", "?to=2026-13-01", "?before=1", "?before=x-y", "?actor=%ff"} {
		if got := viewer.get("/admin/audit" + query); got.status != http.StatusNotFound {
			t.Errorf("%q: status %d", query, got.status)
		}
	}
	if text := viewer.get("/admin/audit?subject=job+7").text(t, "table.list"); !strings.Contains(text, "discarded → available") {
		t.Errorf("before and after: %q", text)
	}
	rows, err := csv.NewReader(strings.NewReader(viewer.get("/admin/audit.csv").body)).ReadAll()
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		seen[row[4]] = true
	}
	if err != nil || len(rows) != csvBatch+7 || len(seen) != csvBatch+5 {
		t.Errorf("the file has %d rows about %d subjects, %v", len(rows), len(seen), err)
	}
	if rows, err = csv.NewReader(strings.NewReader(viewer.get("/admin/audit.csv?action=queues.resume").body)).ReadAll(); err != nil || len(rows) != 2 || rows[1][4] != "queue push" {
		t.Errorf("filtered, the file has %v, %v", rows, err)
	}
}
