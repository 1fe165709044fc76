package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/jackc/pgx/v5"

	"furrow/db"
	"furrow/ledger"
	"furrow/views"
)

// writeIDs are the ids of the writes that a list shows, in order.
func (a answer) writeIDs(t *testing.T) (ids []int64) {
	t.Helper()
	a.page(t).Find("#admin-writes tbody tr").Each(func(_ int, tr *goquery.Selection) {
		id, err := strconv.ParseInt(strings.TrimPrefix(tr.AttrOr("id", ""), "w-"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	})
	return ids
}

// confirm sends the form of a preview, with more fields.
func (in *browser) confirm(preview answer, more url.Values) answer {
	in.b.t.Helper()
	form := preview.page(in.b.t).Find("form.preview")
	values := url.Values{}
	form.Find("input[type=hidden]").Each(func(_ int, input *goquery.Selection) {
		values.Add(input.AttrOr("name", ""), input.AttrOr("value", ""))
	})
	for name, value := range more {
		values[name] = value
	}
	return in.post(form.AttrOr("action", ""), values)
}

// carryOut does what the worker does with the order whose page is at an address.
func (b *testBundle) carryOut(at string) {
	b.t.Helper()
	id, err := strconv.ParseInt(strings.TrimPrefix(at, "/admin/orders/"), 10, 64)
	if err != nil {
		b.t.Fatalf("no order at %q", at)
	}
	for more := true; more; {
		more, err = b.store.StepAction(b.t.Context(), id, func(ctx context.Context, tx pgx.Tx, connection int64) error { return b.queue.Push(ctx, tx, connection) })
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// Every filter chooses what it should, alone and together with others; what the
// page leads to keeps them.
func TestAdminWritesFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, other := b.ida(), b.user(bobEmail, false)
	mine, theirs := b.connect(id), b.connect(other)
	refused := b.write(id, mine, seeded{state: ledger.Rejected, reason: "invalid", status: 422, message: "Project is archived"})
	done := b.write(id, mine, seeded{state: ledger.Done, op: ledger.OpUpdate})
	waiting := b.write(other, theirs, seeded{state: ledger.Retry, reason: "server", status: 503})
	deleting := b.write(other, theirs, seeded{state: ledger.Pending, op: ledger.OpDelete})
	b.exec(`update writes set created_at = now() - interval '2 hours', sent_at = now() - interval '2 hours' where id = $1;
`, refused)
	b.exec("update clients set name = 'Lumen' where user_id = $1", other)
	reference := b.text("select pushed_entry_id::text from writes where id = $1", waiting)
	root := b.staff(db.RoleOperator)
	all := []int64{deleting, waiting, done, refused}
	for query, want := range map[string][]int64{
		"":                                    all,
		"state=needs-you":                     {refused},
		"state=rejected":                      {refused},
		"state=retry":                         {waiting},
		"user=IDA@":                           {done, refused},
		"user=example.com":                    all,
		"user=nobody":                         nil,
		"user=100%25":                         nil,
		"project=lumen":                       {deleting, waiting},
		"project=WEBSITE":                     all,
		"project=Desi&user=ida":               {done, refused},
		"project=birch&user=bob":              nil,
		"q=" + strconv.FormatInt(waiting, 10): {waiting},
		"q=77":                                {deleting, done}, // the entry in Harvest
		"q=furrow:" + reference:               {waiting},
		"q=" + reference[:9]:                  {waiting},
		"q=" + reference + "&state=rejected":  nil,
		"q=archived":                          {refused},
		"q=_":                                 nil,
		"reason=server":                       {waiting},
		"reason=server&status=422":            nil,
		"reason=invalid&status=422&user=ida":  {refused},
		"status=503":                          {waiting},
		"op=delete":                           {deleting},
		"op=create":                           {waiting, refused},
		"op=delete&user=ida":                  nil,
		"connection=" + strconv.FormatInt(mine, 10): {done, refused},
		"connection=999":                      nil,
		"age=1h":                              {refused},
		"age=24h":                             nil,
		"sent=15m":                            {refused},
		"sent=15m&state=waiting":              nil,
		"sort=oldest":                         {waiting, deleting},
		"sort=oldest&state=sent":              {done},
		"from=" + strconv.FormatInt(done, 10): {refused},
		"sort=oldest&from=" + strconv.FormatInt(waiting, 10): {deleting},
	} {
		page := root.get("/admin/writes?" + query)
		if got := page.writeIDs(t); page.status != http.StatusOK || !slices.Equal(got, want) {
			t.Errorf("%s: status %d, %v; want %v", query, page.status, got, want)
		}
	}
	for _, query := range []string{"state=rotten", "reason=rotten", "op=rotten", "age=1s", "sort=up", "from=x", "connection=0", "status=5033", "status=-1", "q=%00", "user=%ff"} {
		if got := root.get("/admin/writes?" + query); got.status != http.StatusNotFound {
			t.Errorf("%s: status %d", query, got.status)
		}
	}

	// What is shown of a filter, and where it leads.
	page := root.get("/admin/writes?user=ida&status=422").page(t)
	if text := page.Find("#admin-writes nav").Text(); !strings.Contains(strings.Join(strings.Fields(text), " "), "All 1Waiting 0Uncertain 0Needs somebody 1") {
		t.Errorf("the counts do not go by the filter: %q", text)
	}
	page.Find("#admin-writes nav a, .onall a").Each(func(_ int, a *goquery.Selection) {
		if href := a.AttrOr("href", ""); !strings.Contains(href, "user=ida") || !strings.Contains(href, "status=422") {
			t.Errorf("%q forgets the filter: %s", a.Text(), href)
		}
	})
	if page.Find("details.more[open]").Length() != 1 || page.Find("#f-status").AttrOr("value", "") != "422" {
		t.Error("the filter is not shown")
	}
	if labels := page.Find("#f-reason").Text(); !strings.Contains(labels, "Refused (1)") || page.Find(`#l-user option[value="`+idaEmail+`"]`).Text() != "1 write" {
		t.Errorf("nothing is suggested: %q", labels)
	}
	if strings.Contains(root.get("/admin/writes").body, "Header") {
		t.Error("a note is shown")
	}
}

// A page ends, and leads to the next one, in both orders.
func TestAdminWritesPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	for i := range 2*pageOfWrites + 3 {
		b.write(id, connection, seeded{state: []ledger.State{ledger.Retry, ledger.Rejected, ledger.Blocked}[i%3]})
	}
	root := b.staff(db.RoleViewer)
	for query, sign := range map[string]int64{"": -1, "?sort=oldest&state=needs-you": 1} {
		var all []int64
		for at := "/admin/writes" + query; at != ""; {
			page := root.get(at)
			all = append(all, page.writeIDs(t)...)
			at = page.page(t).Find("a[rel=next]").AttrOr("href", "")
		}
		if !slices.IsSortedFunc(all, func(a, b int64) int { return int(sign * (a - b)) }) || len(slices.Compact(all)) != len(all) {
			t.Errorf("%q: not in order, or twice: %v", query, all)
		}
		if want := b.count("select count(*) from writes where $1 = '' or state in ('rejected', 'blocked')", query); len(all) != want {
			t.Errorf("%q: %d writes on all pages, want %d", query, len(all), want)
		}
	}
}

func TestAdminActsOnOneWrite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	root := b.staff(db.RoleOperator)
	refused := b.write(id, connection, seeded{state: ledger.Rejected, reason: "invalid", status: 422, message: "No <b>such</b> task"})
	b.attempt(refused, ledger.Attempt{Action: ledger.ActionSend, Outcome: ledger.OutcomeKind(ledger.Refused), Reason: "invalid", Status: 422, RequestID: "r-422", Latency: 240 * time.Millisecond})
	b.exec("update write_attempts set job_id = 812; update writes set request_id = 'req-7'")
	page := root.get(path("admin", "writes", refused))
	for _, want := range []string{idaEmail, "422", "240 ms", "r-422", "job 812", "req-7", "must act: its owner", "No <b>such</b> task", "Berg", "1:30"} {
		if want != "Berg" && !strings.Contains(page.text(t, "main"), want) {
			t.Errorf("the page of a write does not say %q: %s", want, page.text(t, "main"))
		}
	}
	if strings.Contains(page.body, "Header") {
		t.Error("the note is shown")
	}

	got := root.post(path("admin", "writes", refused, "retry"), nil, "Referer", b.server.URL+"/admin/writes?state=needs-you")
	if got.status != http.StatusSeeOther || got.location() != "/admin/writes?state=needs-you" {
		t.Fatalf("status %d to %q: %s", got.status, got.location(), got.body)
	}
	if state := b.stateOf(refused); state != ledger.Pending || b.rung(connection) != 1 {
		t.Errorf("the write is %s, rung %d times", state, b.rung(connection))
	}
	rows := b.audited("writes.retry")
	if len(rows) != 1 || rows[0]["actor"] != "operator@example.com" || rows[0]["subject"] != "write "+strconv.FormatInt(refused, 10) ||
		rows[0]["before"] != "rejected" || rows[0]["after"] != "pending" {
		t.Errorf("audited: %v", rows)
	}
	if page := root.get("/admin/audit"); !strings.Contains(page.text(t, "table"), "tried a write again") || !strings.Contains(page.body, path("admin", "writes", refused)) {
		t.Errorf("the audit says %q", page.text(t, "table"))
	}

	// Cancelled with a reason, which its owner reads.
	got = root.post(path("admin", "writes", refused, "cancel"), url.Values{"note": {"Sent from a test import."}})
	if got.status != http.StatusSeeOther || b.stateOf(refused) != ledger.Dropped {
		t.Fatalf("cancel: status %d, the write is %s", got.status, b.stateOf(refused))
	}
	if text := b.loggedIn(idaEmail).get(path("ledger", refused)).text(t, "main"); !strings.Contains(text, "Dropped by an operator: Sent from a test import.") || !strings.Contains(text, "Done by an operator.") {
		t.Errorf("its owner reads %q", text)
	}
	if rows := b.audited("writes.cancel"); len(rows) != 1 || rows[0]["before"] != "pending" || rows[0]["after"] != "dropped" || rows[0]["note"] != "Sent from a test import." {
		t.Errorf("audited: %v", rows)
	}
	doubt := b.write(id, connection, seeded{state: ledger.Uncertain, wait: time.Hour})
	if got := root.post(path("admin", "writes", doubt, "look"), nil); got.status != http.StatusSeeOther || b.stateOf(doubt) != ledger.Uncertain ||
		b.count("select count(*) from writes where id = $1 and not_before <= clock_timestamp()", doubt) != 1 || b.rung(connection) != 2 {
		t.Errorf("look: status %d, the write is %s, rung %d times", got.status, b.stateOf(doubt), b.rung(connection))
	}

	overtaken := b.write(id, connection, seeded{state: ledger.Rejected})
	b.write(id, connection, seeded{state: ledger.Pending, after: overtaken})
	other := b.user(bobEmail, false)
	revoked := b.connect(other)
	blocked := b.write(other, revoked, seeded{state: ledger.Retry})
	if err := b.store.RevokeConnection(t.Context(), revoked); err != nil {
		t.Fatal(err)
	}
	done, why := b.write(id, connection, seeded{state: ledger.Done}), url.Values{"note": {"not needed"}}
	before := b.count("select count(*) from audit_events")
	for _, test := range []struct {
		name       string
		path       string
		form       url.Values
		wantStatus int
		wantWords  string
	}{
		{"retry of a done one", path("admin", "writes", done, "retry"), nil, http.StatusConflict, "book it twice"},
		{"retry of one in doubt", path("admin", "writes", doubt, "retry"), nil, http.StatusConflict, "looked up"},
		{"retry of a cancelled one", path("admin", "writes", refused, "retry"), nil, http.StatusConflict, "given up"},
		{"retry of an overtaken one", path("admin", "writes", overtaken, "retry"), nil, http.StatusConflict, "overtook"},
		{"retry of a revoked connection's", path("admin", "writes", blocked, "retry"), nil, http.StatusConflict, "owner must connect"},
		{"cancel twice", path("admin", "writes", refused, "cancel"), why, http.StatusConflict, "given up by now"},
		{"cancel one in doubt", path("admin", "writes", doubt, "cancel"), why, http.StatusConflict, "uncertain by now"},
		{"drop a done one", path("admin", "writes", done, "drop"), why, http.StatusConflict, "in Harvest by now"},
		{"drop without a reason", path("admin", "writes", overtaken, "drop"), nil, http.StatusUnprocessableEntity, "Say why"},
		{"drop with a long reason", path("admin", "writes", overtaken, "drop"), url.Values{"note": {strings.Repeat("ü", 501)}}, http.StatusUnprocessableEntity, "at most 500"},
		{"take what is not there", path("admin", "writes", blocked, "resolve"), why, http.StatusConflict, "not known to have the entry"},
		{"look for a done one", path("admin", "writes", done, "look"), nil, http.StatusConflict, "in Harvest by now"},
		{"unknown", "/admin/writes/999999/retry", nil, http.StatusNotFound, "nothing at this address"},
		{"no id", "/admin/writes/x/retry", nil, http.StatusNotFound, "nothing at this address"},
		{"no action", path("admin", "writes", overtaken, "burn"), nil, http.StatusNotFound, "nothing at this address"},
	} {
		got := root.post(test.path, test.form)
		if got.status != test.wantStatus || !strings.Contains(got.text(t, ".problem"), test.wantWords) {
			t.Errorf("%s: status %d, %q", test.name, got.status, got.text(t, ".problem"))
		}
	}
	if n := b.count("select count(*) from audit_events"); n != before || b.rung(connection) != 2 {
		t.Errorf("what was refused is audited (%d rows more), or rang", n-before)
	}
}

// Viewers see, and do nothing.
func TestAdminViewerOnlyLooks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	write, job := b.write(id, connection, seeded{state: ledger.Retry}), b.job("discarded")
	in := b.staff(db.RoleViewer)
	for _, page := range []string{"/admin/writes", "/admin/writes/live", path("admin", "writes", write), "/admin/orders", "/admin/jobs", "/admin/jobs/live"} {
		got := in.get(page)
		if got.status != http.StatusOK || got.page(t).Find("main form[method=post], .onall a").Length() != 0 {
			t.Errorf("%s: status %d, or an action is offered", page, got.status)
		}
	}
	for _, page := range []string{"/admin/writes/preview?action=retry", "/admin/jobs/preview?action=retry"} {
		if got := in.get(page); got.status != http.StatusNotFound {
			t.Errorf("%s: status %d", page, got.status)
		}
	}
	for _, action := range []string{path("admin", "writes", write, "retry"), "/admin/orders", path("admin", "jobs", job, "retry"), "/admin/jobs/all/retry"} {
		if got := in.post(action, url.Values{"action": {"retry"}, "up_to": {"9"}}); got.status != http.StatusNotFound {
			t.Errorf("%s: status %d", action, got.status)
		}
	}
	if b.stateOf(write) != ledger.Retry || b.jobState(job) != "discarded" || b.count("select count(*) from audit_events where action like 'writes.%' or action like 'jobs.%'") != 0 {
		t.Error("something was done")
	}
}

// TestFault68_RetryAllThatMatch: what is previewed is what is done, to no newer
// writes, and not to what went on meanwhile; a form that is sent twice does it once.
func TestFault68_RetryAllThatMatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, other := b.ida(), b.user(bobEmail, false)
	mine, theirs := b.connect(id), b.connect(other)
	const many = 40
	var failed []int64
	for range many {
		failed = append(failed, b.write(id, mine, seeded{state: ledger.Retry, reason: "server", status: 503, wait: time.Hour}))
	}
	elsewhere := b.write(other, theirs, seeded{state: ledger.Retry, reason: "server", status: 503, wait: time.Hour})
	overtaken := b.write(id, mine, seeded{state: ledger.Rejected, reason: "server", status: 503})
	b.write(id, mine, seeded{state: ledger.Done, after: overtaken})
	root := b.staff(db.RoleOperator)

	list := root.get("/admin/writes?user=ida&reason=server")
	preview := root.get(list.page(t).Find(`.onall a[href*="action=retry"]`).AttrOr("href", ""))
	text := strings.Join(strings.Fields(preview.text(t, "form.preview")), " ")
	for _, want := range []string{"40 writes will be acted on", "40 waits for another try", "1 refused: a later write of the same entry decides"} {
		if !strings.Contains(text, want) {
			t.Errorf("the preview does not say %q: %s", want, text)
		}
	}
	newer := b.write(id, mine, seeded{state: ledger.Retry, reason: "server", status: 503, wait: time.Hour})
	if _, err := b.pool.Exec(t.Context(), "update writes set state = 'sending' where id = $1", failed[7]); err != nil { // a worker got there first
		t.Fatal(err)
	}
	for range 2 {
		got := root.confirm(preview, nil)
		if got.status != http.StatusSeeOther || b.count("select count(*) from write_actions") != 1 || b.count("select count(*) from river_job where kind = 'write_order'") != 1 {
			t.Fatalf("status %d to %q: %s", got.status, got.location(), got.text(t, "main"))
		}
		b.carryOut(got.location())
		page := root.get(got.location())
		if text := page.text(t, "[role=status]"); !strings.Contains(text, "39 of 40 done, 1 left alone.") || strings.Contains(page.body, "every 2s") {
			t.Errorf("the order says %q: %s", text, page.text(t, "main"))
		}
	}
	if n := b.count("select count(*) from writes where state = 'pending' and not_before <= clock_timestamp()"); n != many-1 {
		t.Errorf("%d writes are tried again, want %d", n, many-1)
	}
	for write, want := range map[int64]ledger.State{elsewhere: ledger.Retry, newer: ledger.Retry, overtaken: ledger.Rejected, failed[7]: ledger.Sending} {
		if state := b.stateOf(write); state != want {
			t.Errorf("write %d is %s, want %s", write, state, want)
		}
	}
	if b.rung(mine) != 1 || b.rung(theirs) != 0 {
		t.Errorf("rung %d and %d times, want once and not at all", b.rung(mine), b.rung(theirs))
	}
	ordered, batches := b.audited("writes.retry_all"), b.audited("writes.retry_batch")
	if len(ordered) != 1 || ordered[0]["previewed"] != float64(many) || fmt.Sprint(ordered[0]["filter"].(map[string]any)["Reason"]) != "server" {
		t.Errorf("audited: %v", ordered)
	}
	if len(batches) != 1 || batches[0]["count"] != float64(many-1) || fmt.Sprint(batches[0]["before"]) != "map[retry:39]" {
		t.Errorf("audited: %v", batches)
	}
	if text := root.get("/admin/orders").text(t, "table"); !strings.Contains(text, "try again") || !strings.Contains(text, "operator@example.com") {
		t.Errorf("the list of orders says %q", text)
	}
}

func TestAdminDropsAllThatMatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	refused, changed := b.write(id, connection, seeded{state: ledger.Rejected}), b.write(id, connection, seeded{state: ledger.Conflict})
	waiting, done := b.write(id, connection, seeded{state: ledger.Retry}), b.write(id, connection, seeded{state: ledger.Done})
	root := b.staff(db.RoleOperator)
	preview := root.get("/admin/writes/preview?action=drop")
	if text := strings.Join(strings.Fields(preview.text(t, "form.preview")), " "); !strings.Contains(text, "2 writes will be acted on") || !strings.Contains(text, "1 in Harvest") || !strings.Contains(text, "1 waits for another try") {
		t.Errorf("the preview says %q", text)
	}
	if got := root.confirm(preview, nil); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, "[role=alert]"), "Say why") || b.count("select count(*) from write_actions") != 0 {
		t.Fatalf("without a reason: status %d, %q", got.status, got.text(t, "[role=alert]"))
	}
	got := root.confirm(preview, url.Values{"note": {"A wrong import"}})
	b.carryOut(got.location())
	for write, want := range map[int64]ledger.State{refused: ledger.Dropped, changed: ledger.Dropped, waiting: ledger.Retry, done: ledger.Done} {
		if state := b.stateOf(write); state != want {
			t.Errorf("write %d is %s, want %s", write, state, want)
		}
	}
	if note := b.text("select operator_note from writes where id = $1", changed); note != "A wrong import" || b.rung(connection) != 0 {
		t.Errorf("the note is %q, rung %d times", note, b.rung(connection))
	}
	for _, form := range []url.Values{
		{"action": {"drop"}},
		{"action": {"drop"}, "at": {time.Now().Add(-48 * time.Hour).Format(time.RFC3339Nano)}, "up_to": {"9"}, "previewed": {"1"}, "note": {"x"}},
		{"action": {"drop"}, "at": {time.Now().Format(time.RFC3339Nano)}, "up_to": {"x"}, "previewed": {"1"}, "note": {"x"}},
	} {
		if got := root.post("/admin/orders", form); got.status != http.StatusBadRequest {
			t.Errorf("%v: status %d", form, got.status)
		}
	}
	if got := root.post("/admin/orders", url.Values{"action": {"burn"}}); got.status != http.StatusNotFound {
		t.Errorf("an unknown action: status %d", got.status)
	}
	if got := root.get("/admin/orders/999"); got.status != http.StatusNotFound {
		t.Errorf("an unknown order: status %d", got.status)
	}
}

// The list asks for itself while something moves, and only then.
func TestAdminWritesPoll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	b.write(id, connection, seeded{state: ledger.Done})
	root := b.staff(db.RoleViewer)
	poll := func(page string) string {
		return root.get(page).page(t).Find("#admin-writes").AttrOr("hx-get", "")
	}
	if at := poll("/admin/writes"); at != "" {
		t.Errorf("nothing moves, and %q is asked for", at)
	}
	moving := b.write(id, connection, seeded{state: ledger.Pending})
	if at := poll("/admin/writes?user=ida"); at != "/admin/writes/live?user=ida" || poll(at) != at {
		t.Errorf("it asks for %q", at)
	}
	if at := poll("/admin/writes?state=sent"); at != "" {
		t.Errorf("nothing in view moves, and %q is asked for", at)
	}
	if got := root.get(views.AdminWriteLivePath(moving)); !strings.Contains(got.body, `hx-get="`+views.AdminWriteLivePath(moving)) {
		t.Error("the page of a write that moves does not ask for itself")
	}
}

func (b *testBundle) text(query string, args ...any) (text string) {
	b.t.Helper()
	if err := b.pool.QueryRow(b.t.Context(), query, args...).Scan(&text); err != nil {
		b.t.Fatal(err)
	}
	return text
}
