package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

const (
	bobEmail  = "bob@example.com"
	rootEmail = "root@example.com"
)

// canaryToken is a token that must be found nowhere.
const canaryToken = "canary-1234567890-token"

// connect stores a connection of the user as if Harvest had confirmed it.
func (b *testBundle) connect(userID int64) (connectionID int64) {
	b.t.Helper()
	account := ledger.Account{
		AccountID: 1000 + userID, CompanyName: "Berg Studio", BaseURI: "https://berg.example.com", UserID: 2000 + userID, UserName: "Ida Berg",
		TimeZone: "Europe/Berlin", WeekStart: time.Monday, Clock: "24h", DurationFormat: planner.HoursMinutes, WeeklyCapacity: 35 * 60, CompanyVisible: true,
	}
	err := b.store.InTx(b.t.Context(), func(tx *db.Tx) (err error) {
		connectionID, err = tx.Connect(b.t.Context(), userID, canaryToken, account)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return connectionID
}

// seeded is a write to be put into the ledger as it is.
type seeded struct {
	state   ledger.State
	op      ledger.Op // create, if empty
	reason  string
	status  int
	message string
	wait    time.Duration // until the next try
	after   int64         // a write of the same entry; 0: an entry of its own
}

// write stores a write of the user, of 1:30 each on a date of its own.
func (b *testBundle) write(userID, connectionID int64, s seeded) (id int64) {
	b.t.Helper()
	if s.op == "" {
		s.op = ledger.OpCreate
	}
	const statement = `
with client as (
    insert into clients (user_id, harvest_id, name) values ($1, 1, 'Birch & Sons')
    on conflict (user_id, harvest_id) do update set name = excluded.name returning id
), project as (
    insert into projects (user_id, client_id, harvest_id, name) select $1, id, 2, 'Website' from client
    on conflict (user_id, harvest_id) do update set name = excluded.name returning id
), task as (
    insert into tasks (user_id, harvest_id, name) values ($1, 3, 'Design')
    on conflict (user_id, harvest_id) do update set name = excluded.name returning id
), day as (
    select date '2026-11-23' + count(*)::int as spent from writes where user_id = $1
), made as (
    insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes)
    select $1, $2, project.id, task.id, day.spent, 90, '', 150, 'Header' from project, task, day where $8::bigint = 0
    returning id
), entry as (
    select id from made union all select pushed_entry_id from writes where id = $8
)
insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, mutation_id, state, error_reason, error_status, error_message, not_before, remote_id)
select $1, $2, entry.id, $3, 'furrow:' || entry.id, jsonb_build_object('project_id', 2, 'task_id', 3, 'spent_date', day.spent, 'hours', 150, 'notes', 'Header'),
       'mutation-' || gen_random_uuid(), $4, $5, $6, $7, now() + make_interval(secs => $9), case when $3 = 'create' then null else 77 end
from entry, day
returning id`
	err := b.pool.QueryRow(b.t.Context(), statement, userID, connectionID, string(s.op), string(s.state), s.reason, s.status, s.message, s.after, s.wait.Seconds()).Scan(&id)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// attempt adds a line of history to a write.
func (b *testBundle) attempt(writeID int64, a ledger.Attempt) {
	b.t.Helper()
	_, err := b.pool.Exec(b.t.Context(),
		"insert into write_attempts (write_id, action, outcome, reason, status, request_id, message, latency_ms) values ($1, $2, $3, $4, $5, $6, $7, $8)",
		writeID, string(a.Action), string(a.Outcome), a.Reason, a.Status, a.RequestID, a.Message, a.Latency.Milliseconds())
	if err != nil {
		b.t.Fatal(err)
	}
}

// stateOf is the stored state of a write.
func (b *testBundle) stateOf(writeID int64) ledger.State {
	b.t.Helper()
	w, err := b.store.Write(b.t.Context(), 0, writeID)
	if err != nil {
		b.t.Fatal(err)
	}
	return w.State
}

// rung counts the doorbells of a connection.
func (b *testBundle) rung(connectionID int64) int {
	b.t.Helper()
	return b.count("select count(*) from river_job where kind = 'harvest_push' and (args->>'connection_id')::bigint = $1", connectionID)
}

func path(parts ...any) string {
	var s strings.Builder
	for _, part := range parts {
		s.WriteByte('/')
		switch part := part.(type) {
		case string:
			s.WriteString(part)
		case int64:
			s.WriteString(strconv.FormatInt(part, 10))
		}
	}
	return s.String()
}

func TestLedger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	other := b.user(bobEmail, false)
	b.write(other, b.connect(other), seeded{state: ledger.Done})
	retry := b.write(id, connection, seeded{state: ledger.Retry, reason: "server", status: 503, message: "<b>busy</b>", wait: 5 * time.Minute})
	b.attempt(retry, ledger.Attempt{Action: ledger.ActionSend, Outcome: ledger.OutcomeKind(ledger.Unknown), Reason: "server", Status: 503, RequestID: "r-503", Latency: 240 * time.Millisecond})
	refused := b.write(id, connection, seeded{state: ledger.Rejected, reason: "invalid", status: 422, message: "Project is archived"})
	gone := b.write(id, connection, seeded{state: ledger.Conflict, op: ledger.OpUpdate})
	b.attempt(gone, ledger.Attempt{Action: ledger.ActionSend, Outcome: ledger.OutcomeGone})
	done := b.write(id, connection, seeded{state: ledger.Done, op: ledger.OpUpdate})

	ida := b.loggedIn(idaEmail)
	page := ida.get("/ledger")
	if page.status != http.StatusOK {
		t.Fatalf("status %d: %s", page.status, page.body)
	}
	for _, want := range []struct{ selector, text string }{
		{"#w-" + strconv.FormatInt(retry, 10) + " .why", "Harvest did not answer (503). It is safe here. Next try "},
		{"#w-" + strconv.FormatInt(retry, 10) + " .theirs", "Harvest said: <b>busy</b>"},
		{"#w-" + strconv.FormatInt(retry, 10) + " .attempts", "Create the entry"},
		{"#w-" + strconv.FormatInt(retry, 10) + " .attempts", "Harvest may or may not have done it."},
		{"#w-" + strconv.FormatInt(retry, 10) + " .attempts", "status 503 · 240 ms · request r-503"},
		{"#w-" + strconv.FormatInt(refused, 10) + " .why", "Harvest refused it (422). Change it in the week and push again, or give it up."},
		{"#w-" + strconv.FormatInt(refused, 10) + " .theirs", "Project is archived"},
		{"#w-" + strconv.FormatInt(gone, 10) + " .why", "Somebody deleted the entry in Harvest meanwhile"},
		{"#w-" + strconv.FormatInt(done, 10) + " .line", "Change to 1:30"},
		{"#w-" + strconv.FormatInt(done, 10) + " .line", "Birch & Sons"},
		{".filter a[href='/ledger'] .count", "4"},
		{".filter a[href='/ledger?state=needs-you'] .count", "1"},
		{".filter a[href='/ledger?state=waiting'] .count", "1"},
	} {
		if got := page.text(t, want.selector); !strings.Contains(got, want.text) {
			t.Errorf("%s says %q, want %q", want.selector, got, want.text)
		}
	}
	if strings.Contains(page.body, "<b>busy") || strings.Contains(page.body, bobEmail) {
		t.Error("foreign text is markup, or a foreign write is shown")
	}
	for filter, want := range map[string]int64{"waiting": retry, "needs-you": refused, "changed": gone, "sent": done} {
		got := ida.get("/ledger?state=" + filter)
		if articles := strings.Count(got.body, "<article"); articles != 1 || !strings.Contains(got.body, "w-"+strconv.FormatInt(want, 10)) {
			t.Errorf("filter %s: %d writes, want write %d", filter, articles, want)
		}
	}
	one := ida.get(path("ledger", done))
	if link := one.text(t, ".pairs a[rel=noreferrer]"); one.status != http.StatusOK || link != "entry 77 in Harvest" || !strings.Contains(one.body, `href="https://berg.example.com/time"`) {
		t.Errorf("status %d, link %q", one.status, link)
	}
	for _, bad := range []string{"/ledger?state=rotten", "/ledger?before=x", "/ledger?before=-1", "/ledger/x", "/ledger/0", "/ledger/999999"} {
		if got := ida.get(bad); got.status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", bad, got.status)
		}
	}
}

func TestLedgerPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	const writes = pageOfWrites + 7
	for i := range writes {
		state := ledger.Retry
		if i%2 == 0 {
			state = ledger.Pending // both are "waiting": two queries make a page
		}
		b.write(id, connection, seeded{state: state})
	}
	ida := b.loggedIn(idaEmail)
	for _, start := range []string{"/ledger", "/ledger?state=waiting"} {
		seen, last := map[string]bool{}, ""
		for at, pages := start, 0; at != ""; pages++ {
			if pages > 2 {
				t.Fatalf("%s: more than two pages", start)
			}
			page := ida.get(at)
			for part := range strings.SplitSeq(page.body, `<article id="w-`) {
				if n, _, ok := strings.Cut(part, `"`); ok && !strings.Contains(n, "<") {
					if seen[n] {
						t.Errorf("%s: write %s is shown twice", start, n)
					}
					seen[n], last = true, n
				}
			}
			at = page.page(t).Find(".older a[rel=next]").AttrOr("href", "")
		}
		if len(seen) != writes || last == "" {
			t.Errorf("%s: %d writes on the pages, want %d", start, len(seen), writes)
		}
	}
}

func TestRetryAndDrop(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	ida := b.loggedIn(idaEmail)

	retried := b.write(id, connection, seeded{state: ledger.Retry, reason: "server", status: 503, wait: time.Hour})
	got := ida.post(path("ledger", retried, "retry"), nil, "Referer", b.server.URL+"/ledger?state=waiting")
	if got.status != http.StatusSeeOther || got.location() != "/ledger?state=waiting" {
		t.Fatalf("retry: status %d to %q: %s", got.status, got.location(), got.body)
	}
	if state := b.stateOf(retried); state != ledger.Pending || b.rung(connection) != 1 {
		t.Errorf("state %s, rung %d times", state, b.rung(connection))
	}
	page := ida.get(path("ledger", retried))
	if page.text(t, ".flash.good") == "" || !strings.Contains(page.text(t, ".why"), "It waits to be sent. Next try in a moment.") {
		t.Errorf("after the retry the page says %q", page.text(t, ".why"))
	}

	dropped := b.write(id, connection, seeded{state: ledger.Rejected, reason: "invalid", status: 422})
	if got := ida.post(path("ledger", dropped, "drop"), nil); got.status != http.StatusSeeOther || got.location() != "/ledger" {
		t.Errorf("drop: status %d to %q", got.status, got.location())
	}
	if state := b.stateOf(dropped); state != ledger.Dropped {
		t.Errorf("state %s after it was given up", state)
	}

	overtaken := b.write(id, connection, seeded{state: ledger.Rejected})
	b.write(id, connection, seeded{state: ledger.Done, after: overtaken})
	for _, test := range []struct {
		name      string
		write     int64
		action    string
		wantWords string
	}{
		{"retry of a done one", b.write(id, connection, seeded{state: ledger.Done}), "retry", "book it twice"},
		{"retry of one in doubt", b.write(id, connection, seeded{state: ledger.Uncertain}), "retry", "looked up"},
		{"retry of one on its way", b.write(id, connection, seeded{state: ledger.Pending}), "retry", "on its way"},
		{"retry of one given up", dropped, "retry", "given up"},
		{"retry of an overtaken one", overtaken, "retry", "overtook"},
		{"drop of a done one", b.write(id, connection, seeded{state: ledger.Done}), "drop", "reached Harvest"},
		{"drop of one in doubt", b.write(id, connection, seeded{state: ledger.Uncertain}), "drop", "reached Harvest"},
	} {
		before := b.stateOf(test.write)
		got := ida.post(path("ledger", test.write, test.action), nil)
		if got.status != http.StatusConflict || !strings.Contains(got.text(t, ".problem"), test.wantWords) {
			t.Errorf("%s: status %d, %q", test.name, got.status, got.text(t, ".problem"))
		}
		if after := b.stateOf(test.write); after != before {
			t.Errorf("%s: %s became %s", test.name, before, after)
		}
	}
	if n := b.rung(connection); n != 1 {
		t.Errorf("refused retries rang: %d", n)
	}
}

// A write belongs to its owner, whoever knows its number.
func TestForeignWrites(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	write := b.write(id, connection, seeded{state: ledger.Retry})
	b.connect(b.user(bobEmail, false))
	b.user(rootEmail, true)
	bob, root, stranger := b.loggedIn(bobEmail), b.loggedIn(rootEmail), b.browser()

	for _, who := range []struct {
		name string
		in   *browser
		get  int
		post int
	}{
		{"another user", bob, http.StatusNotFound, http.StatusNotFound},
		{"an admin", root, http.StatusNotFound, http.StatusNotFound}, // looks and acts under /admin, where it is audited, and the note is not shown
		{"nobody", stranger, http.StatusSeeOther, http.StatusUnauthorized},
	} {
		if got := who.in.get(path("ledger", write)); got.status != who.get {
			t.Errorf("%s: GET gives %d, want %d", who.name, got.status, who.get)
		}
		for _, action := range []string{"retry", "drop"} {
			if got := who.in.post(path("ledger", write, action), nil); got.status != who.post {
				t.Errorf("%s: %s gives %d, want %d", who.name, action, got.status, who.post)
			}
		}
	}
	if state := b.stateOf(write); state != ledger.Retry || b.rung(connection) != 0 {
		t.Errorf("the write is %s, rung %d times", state, b.rung(connection))
	}
	if got := stranger.get("/ledger"); got.location() != "/login?next=%2Fledger" {
		t.Errorf("nobody is led to %q", got.location())
	}
	if got := bob.get("/ledger"); strings.Contains(got.body, "<article") {
		t.Error("another user's ledger has the write")
	}
}

// What waits while nobody is connected says so, whatever it met before.
func TestLedgerWithoutConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	write := b.write(id, connection, seeded{state: ledger.Retry, reason: "server", status: 503, wait: time.Hour})
	ida := b.loggedIn(idaEmail)
	if err := b.store.InTx(t.Context(), func(tx *db.Tx) error { return tx.Disconnect(t.Context(), id) }); err != nil {
		t.Fatal(err)
	}
	page := ida.get(path("ledger", write))
	if why := page.text(t, ".why"); !strings.Contains(why, "not connected") || strings.Contains(page.body, "Try again now") {
		t.Errorf("the page says %q, or offers a retry", why)
	}
	if got := ida.post(path("ledger", write, "retry"), nil); got.status != http.StatusConflict || !strings.Contains(got.body, "connect with Harvest again") {
		t.Errorf("retry: status %d: %s", got.status, got.text(t, ".problem"))
	}
}

func TestWriteSentence(t *testing.T) {
	t.Parallel()
	later := views.Moment{ISO: "2026-11-23T13:32:00Z", Text: "14:32"}
	for _, test := range []struct {
		name    string
		state   ledger.State
		reason  string
		status  int
		message string
		next    views.Moment
		want    string
	}{
		{"new", ledger.Pending, "", 0, "", views.Moment{}, "It waits to be sent. Next try in a moment."},
		{"asked for again", ledger.Pending, "invalid", 422, "", views.Moment{}, "It waits to be sent. Next try in a moment."},
		{"held back", ledger.Pending, "asked", 429, "", later, "Harvest asked for a pause. It is safe here. Next try 14:32."},
		{"breaker", ledger.Pending, "breaker", 0, "", later, "Harvest keeps failing, so it is asked only now and then. It is safe here. Next try 14:32."},
		{"pause over", ledger.Pending, "asked", 429, "", views.Moment{}, "It waits to be sent. Next try in a moment."},
		{"503", ledger.Retry, "server", 503, "", later, "Harvest did not answer (503). It is safe here. Next try 14:32."},
		{"500", ledger.Retry, "server", 500, "", later, "Harvest reported a failure of its own (500). It is safe here. Next try 14:32."},
		{"unreachable", ledger.Retry, "unreachable", 0, "", views.Moment{}, "Harvest could not be reached. It is safe here. Next try in a moment."},
		{"sending", ledger.Sending, "", 0, "", views.Moment{}, "It is on its way to Harvest."},
		{"uncertain", ledger.Uncertain, "broken", 0, "", later, "The connection to Harvest broke off in the middle. Harvest may or may not have it, so it is looked up before anything is sent again. Next look 14:32."},
		{"blocked", ledger.Blocked, "auth", 401, "", later, "Harvest no longer accepts the token. It is safe here. Connect again in the settings, then it is sent by itself."},
		{"pushed while disconnected", ledger.Blocked, "", 0, "", later, "Furrow is not connected to Harvest. It is safe here. Connect again in the settings, then it is sent by itself."},
		{"refused", ledger.Rejected, "invalid", 422, "Hours are missing", later, "Harvest refused it (422). Harvest said: “Hours are missing”. Change it in the week and push again, or give it up."},
		{"done", ledger.Done, "", 0, "", later, "Harvest has confirmed it."},
	} {
		if got := writeSentence(test.state, test.reason, test.status, test.message, test.next); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}

func TestSyncSentence(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	at := func(t time.Time) views.Moment {
		if !t.After(now) {
			return views.Moment{}
		}
		return views.MomentAt(t, now, time.UTC, "24h")
	}
	for _, test := range []struct {
		name   string
		run    *ledger.RunStatus
		counts ledger.WriteCounts
		conn   ledger.ConnectionState
		want   string
	}{
		{"never connected", nil, ledger.WriteCounts{}, "", ""},
		{"all is well", &ledger.RunStatus{State: ledger.RunDone}, ledger.WriteCounts{Waiting: 2}, ledger.Connected, ""},
		{"revoked", nil, ledger.WriteCounts{NeedsYou: 3}, ledger.NeedsReauth, "Harvest no longer accepts the token. 3 changes are safe here. Connect again to go on."},
		{"disconnected", nil, ledger.WriteCounts{Waiting: 1}, ledger.Disconnected, "1 change is safe here. Connect again, and they are sent."},
		{"writes fail", &ledger.RunStatus{State: ledger.RunDone}, ledger.WriteCounts{Waiting: 3, NextTry: now.Add(32 * time.Minute), Reason: "server", Status: 503}, ledger.Connected,
			"Harvest did not answer (503). 3 changes are safe here. Next try 14:32."},
		{"the sync waits", &ledger.RunStatus{State: ledger.RunWaiting, Reason: "timeout", NextTry: now.Add(time.Minute)}, ledger.WriteCounts{}, ledger.Connected,
			"Harvest did not answer in time. Next try 14:01."},
		{"both, the earlier try counts", &ledger.RunStatus{State: ledger.RunWaiting, Reason: "breaker", NextTry: now.Add(5 * time.Minute)},
			ledger.WriteCounts{Uncertain: 1, NextTry: now.Add(2 * time.Minute), Reason: "server", Status: 502}, ledger.Connected,
			"Harvest did not answer (502). 1 change is safe here. Next try 14:02."},
		{"the sync was given up", &ledger.RunStatus{State: ledger.RunFailed, Reason: "unreachable"}, ledger.WriteCounts{}, ledger.Connected,
			"Harvest could not be reached. It is tried again within a quarter of an hour, or at once with “Sync now”."},
	} {
		if got := syncSentence(test.run, test.counts, test.conn, at); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}

// Every reason that a call may fail or wait for is told in words.
func TestEveryReasonHasWords(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{
		string(ledger.ReasonUnreachable), string(ledger.ReasonTimeout), string(ledger.ReasonBroken), string(ledger.ReasonServer),
		string(ledger.ReasonUnreadable), string(ledger.ReasonAuth), string(ledger.ReasonForbidden), string(ledger.ReasonNotFound),
		string(ledger.ReasonInvalid), string(ledger.ReasonTimes), string(ledger.ReasonMode), string(ledger.WaitAsked), string(ledger.WaitLimit), string(ledger.WaitBreaker), string(ledger.WaitUntrusted),
	} {
		if got := causeSentence(reason, 0); got == "" || strings.Contains(got, "(0)") {
			t.Errorf("%s is told as %q", reason, got)
		}
	}
	for _, outcome := range []ledger.OutcomeKind{
		ledger.OutcomeApplied, ledger.OutcomeFound, ledger.OutcomeAbsent, ledger.OutcomeChanged, ledger.OutcomeGone, ledger.OutcomeRevoked,
		ledger.OutcomeByPerson, ledger.OutcomeUntried,
	} {
		if got, _ := attemptOutcome(ledger.Attempt{Action: ledger.ActionSend, Outcome: outcome}, ledger.OpUpdate); got == "" {
			t.Errorf("the outcome %s has no words", outcome)
		}
	}
}

func TestStartSync(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	today := planner.NewDate(2026, time.November, 23)
	if _, _, err := StartSync(t.Context(), b.store, b.queue, id, db.TriggerUser, nil, today); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("without a connection: %v", err)
	}
	b.connect(id)
	run, joined, err := StartSync(t.Context(), b.store, b.queue, id, db.TriggerUser, nil, today)
	if err != nil || joined {
		t.Fatalf("joined %t, error %v", joined, err)
	}
	again, joined, err := StartSync(t.Context(), b.store, b.queue, id, db.TriggerAPI, nil, today)
	if err != nil || !joined || again != run {
		t.Errorf("the second one is run %d (want %d), joined %t, error %v", again, run, joined, err)
	}
	if n := b.count("select count(*) from river_job where kind = 'harvest_pull'"); n != 1 {
		t.Errorf("%d jobs, want 1", n)
	}
}
