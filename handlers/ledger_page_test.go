package handlers

import (
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/ledger"
	"furrow/views"
)

// placed is a write to be put into the ledger, of one hour.
type placed struct {
	client, project, task string
	date                  string
	note                  string
	state                 ledger.State
	op                    ledger.Op // create, if empty
	entry                 int64     // Harvest's id; 0: none
}

// place stores a write of the user. Names that are met again are the same
// client, project or task.
func (b *testBundle) place(userID, connectionID int64, w placed) (id int64) {
	b.t.Helper()
	if w.op == "" {
		w.op = ledger.OpCreate
	}
	const statement = `
with client as (
    insert into clients (user_id, harvest_id, name) values ($1, hashtext($3), $3)
    on conflict (user_id, harvest_id) do update set name = excluded.name returning id
), project as (
    insert into projects (user_id, client_id, harvest_id, name) select $1, id, hashtext($3 || $4), $4 from client
    on conflict (user_id, harvest_id) do update set name = excluded.name returning id
), task as (
    insert into tasks (user_id, harvest_id, name) values ($1, hashtext($5), $5)
    on conflict (user_id, harvest_id) do update set name = excluded.name returning id
), entry as (
    insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes, removed_at)
    select $1, $2, project.id, task.id, $6::date, 60, '', 100, $7, now() from project, task
    returning id
)
insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, mutation_id, state, remote_id, finished_at)
select $1, $2, entry.id, $8, 'furrow:' || entry.id,
       jsonb_build_object('project_id', 2, 'task_id', 3, 'spent_date', $6::date, 'hours', 100, 'notes', $7::text),
       'mutation-' || gen_random_uuid(), $9, nullif($10::bigint, 0), case when $9 in ('done', 'rejected') then now() end
from entry
returning id`
	err := b.pool.QueryRow(b.t.Context(), statement, userID, connectionID, w.client, w.project, w.task, w.date, w.note, string(w.op), string(w.state), w.entry).Scan(&id)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// clientID is the id of a user's client.
func (b *testBundle) clientID(userID int64, name string) string {
	b.t.Helper()
	return strconv.Itoa(b.count("select id from clients where user_id = $1 and name = $2", userID, name))
}

// listed are the ids of the writes on a page, in order.
func (a answer) listed(t *testing.T) []int64 {
	t.Helper()
	var ids []int64
	for _, node := range a.page(t).Find("article.write").EachIter() {
		id, err := strconv.ParseInt(strings.TrimPrefix(node.AttrOr("id", ""), "w-"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// exported are the ids of the writes in a file, in order.
func (a answer) exported(t *testing.T) []int64 {
	t.Helper()
	var ids []int64
	for _, row := range a.rows(t)[1:] {
		id, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func (a answer) rows(t *testing.T) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// query is an address of the ledger.
func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}

// Every filter, and filters together, choose the same on the page, in its
// polled part and in the file; the counts go by all filters but the state.
func TestLedgerFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	other := b.user(bobEmail, false)
	theirs := b.place(other, b.connect(other), placed{client: "Acme", project: "Website", task: "Design", date: "2026-11-24", note: "Header", state: ledger.Done})

	header := b.place(id, connection, placed{client: "Acme", project: "Website", task: "Design", date: "2026-11-23", note: "Header and footer", state: ledger.Done, entry: 636709355})
	monday := b.place(id, connection, placed{client: "Birch & Sons", project: "Website", task: "Meetings", date: "2026-11-29", note: "", state: ledger.Rejected})
	next := b.place(id, connection, placed{client: "Birch & Sons", project: "Report", task: "Design", date: "2026-11-30", note: "50% of the header_line", state: ledger.Retry})
	umlaut := b.place(id, connection, placed{client: "Acme", project: "Überblick", task: "Design", date: "2026-12-01", note: `C:\temp`, state: ledger.Dropped})
	acme, birch := b.clientID(id, "Acme"), b.clientID(id, "Birch & Sons")
	var reference string
	if err := b.pool.QueryRow(t.Context(), "select reference from writes where id = $1", monday).Scan(&reference); err != nil {
		t.Fatal(err)
	}
	ida := b.loggedIn(idaEmail)
	for _, test := range []struct {
		name string
		at   string
		want []int64
		all  string // count beside "All"
	}{
		{"nothing", "", []int64{umlaut, next, monday, header}, "4"},
		{"empty values", query("state", "", "week", "", "client", "", "q", " ", "before", ""), []int64{umlaut, next, monday, header}, "4"},
		{"state", query("state", "needs-you"), []int64{monday}, "4"},
		{"week, by its first day", query("week", "2026-11-23"), []int64{monday, header}, "2"},
		{"week, by its last day", query("week", "2026-11-29"), []int64{monday, header}, "2"},
		{"week after", query("week", "2026-11-30"), []int64{umlaut, next}, "2"},
		{"week without writes", query("week", "2031-01-06"), nil, "0"},
		{"client", query("client", birch), []int64{next, monday}, "2"},
		{"client and week", query("client", acme, "week", "2026-11-25"), []int64{header}, "1"},
		{"client, week and state", query("client", birch, "week", "2026-11-25", "state", "needs-you"), []int64{monday}, "1"},
		{"client, week and another state", query("client", birch, "week", "2026-11-25", "state", "sent"), nil, "1"},
		{"all of them", query("client", birch, "week", "2026-12-06", "state", "waiting", "q", "LINE"), []int64{next}, "1"},
		{"text of a note", query("q", "HEADER"), []int64{next, header}, "2"},
		{"text of a note and a state", query("q", "header", "state", "sent"), []int64{header}, "2"},
		{"name of a client", query("q", "birch &"), []int64{next, monday}, "2"},
		{"name of a project", query("q", "überBLICK"), []int64{umlaut}, "1"},
		{"name of a task", query("q", "meeting"), []int64{monday}, "1"},
		{"Harvest's id", query("q", "3670935"), []int64{header}, "1"},
		{"reference", query("q", strings.ToUpper(reference)), []int64{monday}, "1"},
		{"id of the write", query("q", strconv.FormatInt(next, 10), "client", birch, "state", "waiting"), []int64{next}, ""},
		{"a percent sign is one", query("q", "50% of"), []int64{next}, "1"},
		{"a percent sign is no wildcard", query("q", "head%footer"), nil, "0"},
		{"an underscore is one", query("q", "header_line"), []int64{next}, "1"},
		{"an underscore is no wildcard", query("q", "Header_and"), nil, "0"},
		{"a backslash is one", query("q", `c:\t`), []int64{umlaut}, "1"},
		{"a quote", query("q", `'; drop table writes; --`), nil, "0"},
		{"no such text", query("q", "nowhere"), nil, "0"},
		{"blanks around", query("q", "  footer "), []int64{header}, "1"},
	} {
		page := ida.get("/ledger" + test.at)
		if page.status != http.StatusOK {
			t.Errorf("%s: status %d", test.name, page.status)
			continue
		}
		if diff := cmp.Diff(test.want, page.listed(t)); diff != "" {
			t.Errorf("%s: the page lists (-want +got)\n%s", test.name, diff)
		}
		if got := page.text(t, ".filter li:first-child .count"); test.all != "" && got != test.all {
			t.Errorf("%s: %s in any state, want %s", test.name, got, test.all)
		}
		if diff := cmp.Diff(test.want, ida.get("/ledger/live"+test.at).listed(t)); diff != "" {
			t.Errorf("%s: the polled part lists (-want +got)\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.want, ida.get("/ledger.csv"+test.at).exported(t)); diff != "" {
			t.Errorf("%s: the file has (-want +got)\n%s", test.name, diff)
		}
		if len(test.want) == 0 && page.text(t, ".nothing") == "" {
			t.Errorf("%s: an empty list without a word", test.name)
		}
		if slices.Contains(page.listed(t), theirs) {
			t.Errorf("%s: somebody else's write is shown", test.name)
		}
	}

	for _, bad := range []string{
		query("state", "rotten"), query("week", "soon"), query("week", "2026-02-30"), query("client", "x"), query("client", "-1"), query("client", "999999"),
		query("client", b.clientID(other, "Acme")), query("q", "a\x00b"), query("q", "\xff"), query("before", "x"),
	} {
		for _, path := range []string{"/ledger", "/ledger/live", "/ledger.csv"} {
			if strings.HasPrefix(bad, "?before") && path == "/ledger.csv" {
				continue // a file has no pages
			}
			if got := ida.get(path + bad); got.status != http.StatusNotFound {
				t.Errorf("%s%s: status %d, want 404", path, bad, got.status)
			}
		}
	}
}

// Each link and the form keep the filters in force, and a long search is cut.
func TestLedgerFiltersStay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	for range pageOfWrites + 1 {
		b.place(id, connection, placed{client: "Acme", project: "Website", task: "Design", date: "2026-11-24", note: "Header", state: ledger.Done})
	}
	acme := b.clientID(id, "Acme")
	ida := b.loggedIn(idaEmail)
	page := ida.get("/ledger" + query("state", "sent", "week", "2026-11-25", "client", acme, "q", "head")).page(t)
	attr := func(selector, name string) string { return page.Find(selector).AttrOr(name, "") }
	kept := func(pairs ...string) string {
		return query(append([]string{"week", "2026-11-23", "client", acme, "q", "head"}, pairs...)...)
	}
	for what, want := range map[[2]string]string{
		{"#f-q", "value"}:                       "head",
		{"#f-week", "value"}:                    "2026-11-23",
		{"#f-client option[selected]", "value"}: acme,
		{".finder [name=state]", "value"}:       "sent",
		{".finder .does a", "href"}:             "/ledger",
		{".filter li:first-child a", "href"}:    "/ledger" + kept(),
		{".filter a[aria-current]", "href"}:     "/ledger" + kept("state", "sent"),
		{".above a", "href"}:                    "/ledger.csv" + kept("state", "sent"),
		{".older a[rel=next]", "href"}:          "/ledger" + kept("state", "sent", "before", "2"),
	} {
		if got := attr(what[0], what[1]); got != want {
			t.Errorf("%s %s is %q, want %q", what[0], what[1], got, want)
		}
	}
	second := ida.get(attr(".older a[rel=next]", "href"))
	if n := len(second.listed(t)); n != 1 || second.page(t).Find(".older a").AttrOr("href", "") != "/ledger"+kept("state", "sent") {
		t.Errorf("the second page has %d writes: %s", n, second.text(t, ".older"))
	}
	long := ida.get("/ledger" + query("q", strings.Repeat("ü", mostSearched)+"tail"))
	if got := long.page(t).Find("#f-q").AttrOr("value", ""); long.status != http.StatusOK || got != strings.Repeat("ü", mostSearched) {
		t.Errorf("a long search: status %d, %q", long.status, got)
	}
	if page := ida.get("/ledger"); page.page(t).Find(".finder .does a").Length() != 0 {
		t.Error("without filters there are some to be cleared")
	}
}

// A page asks the database as often for many writes as for one.
func TestLedgerRoundTrips(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	ida := b.loggedIn(idaEmail)
	asked := func(path string) int64 {
		before := b.queries.Load()
		ida.get(path)
		return b.queries.Load() - before
	}
	write := func() int64 {
		one := b.place(id, connection, placed{client: "Acme", project: "Website", task: "Design", date: "2026-11-24", note: "Header", state: ledger.Retry})
		b.attempt(one, ledger.Attempt{Action: ledger.ActionSend, Outcome: ledger.OutcomeKind(ledger.Refused), Reason: "server", Status: 503})
		return one
	}
	first := write()
	paths := []string{"/ledger", "/ledger?q=head", "/ledger/live", path("ledger", first), path("ledger", first, "live")}
	few := map[string]int64{}
	for _, p := range paths {
		few[p] = asked(p)
	}
	for range 20 {
		write()
	}
	for p, want := range map[string]int64{"/ledger": 5, "/ledger?q=head": 5, "/ledger/live": 5, paths[3]: 3, paths[4]: 3} {
		if got := asked(p); got != want || few[p] != want {
			t.Errorf("%s: %d queries for many writes, %d for one, want %d", p, got, few[p], want)
		}
	}
}

// The list and a write's page ask again while something moves, and only then.
func TestLedgerLive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	for range pageOfWrites + 1 {
		b.place(id, connection, placed{client: "Acme", project: "Website", task: "Design", date: "2026-11-24", note: "Header", state: ledger.Done})
	}
	ida := b.loggedIn(idaEmail)
	poll := func(path string) string {
		t.Helper()
		page := ida.get(path)
		root := page.page(t).Find("#ledger-list, #write-live")
		if page.status != http.StatusOK || root.Length() != 1 {
			t.Fatalf("%s: status %d, %d parts that poll", path, page.status, root.Length())
		}
		address, polls := root.Attr("hx-get")
		if trigger := root.AttrOr("hx-trigger", ""); polls != (trigger == "every 2s") {
			t.Errorf("%s: polls %q by %q", path, address, trigger)
		}
		return address
	}
	if at := poll("/ledger"); at != "" {
		t.Errorf("nothing moves, and %s is asked", at)
	}
	for _, state := range []ledger.State{ledger.Pending, ledger.Sending, ledger.Uncertain, ledger.Retry} {
		moving := b.place(id, connection, placed{client: "Birch & Sons", project: "Website", task: "Design", date: "2026-12-24", note: "", state: state})
		for path, want := range map[string]string{
			"/ledger":                      "/ledger/live",
			"/ledger?state=sent":           "/ledger/live?state=sent",
			"/ledger?week=2026-12-24&q=bi": "/ledger/live?q=bi&week=2026-12-21",
			"/ledger?week=2026-11-24":      "", // what moves is not among these
			"/ledger?before=20":            "",
			views.WritePath(moving):        views.WriteLivePath(moving),
			views.WriteLivePath(moving):    views.WriteLivePath(moving),
			views.WritePath(1):             "",
		} {
			if got := poll(path); got != want {
				t.Errorf("%s, with one that is %s: polls %q, want %q", path, state, got, want)
			}
		}
		live := ida.get("/ledger/live")
		if got := live.text(t, "[role=status]"); got != "52 writes. 1 is on its way to Harvest." {
			t.Errorf("%s: %q", state, got)
		}
		if strings.Contains(live.body, "<html") || strings.Contains(live.body, `name="q"`) || live.header.Get("Set-Cookie") != "" {
			t.Error("the polled part is a page, holds the search, or touches the session")
		}
		b.exec("update writes set state = 'blocked' where id = $1", moving)
		if at := poll("/ledger") + poll(views.WritePath(moving)); at != "" {
			t.Errorf("what is blocked does not move, and %s is asked", at)
		}
		b.exec("delete from writes where id = $1", moving)
	}
	stuck := b.place(id, connection, placed{client: "Acme", project: "Website", task: "Design", date: "2026-12-24", note: "", state: ledger.Pending})
	if err := b.store.InTx(t.Context(), func(tx *db.Tx) error { return tx.Disconnect(t.Context(), id) }); err != nil {
		t.Fatal(err)
	}
	if at := poll("/ledger") + poll(views.WritePath(stuck)); at != "" {
		t.Errorf("nobody is connected, and %s is asked", at)
	}
}

// A poll does not take the message that is meant for the next page.
func TestLedgerPollKeepsFlash(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	dropped := b.write(id, b.connect(id), seeded{state: ledger.Retry})
	ida := b.loggedIn(idaEmail)
	ida.post(path("ledger", dropped, "drop"), nil)
	for _, polled := range []string{"/ledger/live", path("ledger", dropped, "live")} {
		if got := ida.get(polled); got.status != http.StatusOK || strings.Contains(got.body, "It is given up, and stays") {
			t.Errorf("%s: status %d, or it says what the next page is to say", polled, got.status)
		}
	}
	if page := ida.get("/ledger"); page.text(t, ".flash.good") == "" {
		t.Error("the message is lost")
	}
}

// A write's history tells everything in order, in words.
func TestWriteHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	ida := b.loggedIn(idaEmail)
	history := func(write int64) []string {
		t.Helper()
		var points []string
		for _, li := range ida.get(views.WritePath(write)).page(t).Find(".attempts li").EachIter() {
			points = append(points, li.AttrOr("class", "")+": "+strings.Join(strings.Fields(li.Find("div").Text()), " "))
		}
		return points
	}
	lost := b.write(id, connection, seeded{state: ledger.Done})
	for _, a := range []ledger.Attempt{
		{Action: ledger.ActionSend, Outcome: ledger.OutcomeKind(ledger.Unknown), Reason: "timeout", Latency: 10 * time.Second},
		{Action: ledger.ActionLook, Outcome: ledger.OutcomeUntried},
		{Action: ledger.ActionLook, Outcome: ledger.OutcomeAbsent, Status: 200, Latency: 120 * time.Millisecond},
		{Action: ledger.ActionSend, Outcome: ledger.OutcomeKind(ledger.Refused), Reason: "invalid", Status: 422, RequestID: "r-1", Message: "Project <b>is archived"},
		{Action: ledger.ActionRetry, Outcome: ledger.OutcomeByPerson},
		{Action: ledger.ActionLook, Outcome: ledger.OutcomeFound, Status: 200},
	} {
		b.attempt(lost, a)
	}
	want := []string{
		"plain: Queued",
		"bad: Create the entry Harvest did not answer in time. Harvest may or may not have done it. 10.0 s",
		"plain: Look for the entry Too early to look: Harvest may still be at it.",
		"good: Look for the entry It is not there. status 200 · 120 ms",
		"bad: Create the entry Harvest refused it (422). Harvest said: Project <b>is archived status 422 · request r-1",
		"plain: Try again at once Asked for by a person.",
		"good: Look for the entry The entry is there already, so it is not made again. status 200",
		"good: Settled It is in Harvest.",
	}
	if diff := cmp.Diff(want, history(lost)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if page := ida.get("/ledger"); page.text(t, "summary") != "History: 4 attempts" {
		t.Errorf("the list says %q", page.text(t, "summary"))
	}
	for _, test := range []struct {
		write seeded
		last  string
	}{
		{seeded{state: ledger.Pending}, "next: Next try In a moment."},
		{seeded{state: ledger.Retry, reason: "server", status: 503, wait: time.Hour}, "next: Next try"},
		{seeded{state: ledger.Uncertain}, "next: Next look In a moment."},
		{seeded{state: ledger.Sending}, "next: Being sent Harvest has not answered yet."},
		{seeded{state: ledger.Blocked, reason: "auth"}, "next: Waits for you It goes on by itself once you have connected with Harvest again."},
		{seeded{state: ledger.Done, op: ledger.OpDelete}, "good: Settled It is gone from Harvest."},
		{seeded{state: ledger.Rejected, reason: "invalid", status: 422}, "bad: Settled Harvest does not take it as it is."},
		{seeded{state: ledger.Conflict, op: ledger.OpUpdate}, "bad: Settled The entry was changed in Harvest, so nothing was sent over it."},
		{seeded{state: ledger.Superseded}, "plain: Settled A later change of the same entry took its place."},
		{seeded{state: ledger.Dropped}, "plain: Settled It was given up."},
	} {
		points := history(b.write(id, connection, test.write))
		if len(points) != 2 || points[1] != test.last {
			t.Errorf("%s: %q, want %q last", test.write.state, points, test.last)
		}
	}
}

// A write's page says what was meant, what Harvest had, and what it has.
func TestWriteRemote(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	write := b.write(id, b.connect(id), seeded{state: ledger.Done, op: ledger.OpUpdate}) // of 23 November
	ida := b.loggedIn(idaEmail)
	facts := func() map[string]string {
		said := map[string]string{}
		for _, dt := range ida.get(views.WritePath(write)).page(t).Find(".pairs dt").EachIter() {
			said[dt.Text()] = strings.Join(strings.Fields(dt.Next().Text()), " ")
		}
		delete(said, "Reference")
		return said
	}
	want := map[string]string{"Day": "Mon 23 Nov 2026", "Hours": "1:30", "Note": "Header", "Where": "entry 77 in Harvest"}
	if diff := cmp.Diff(want, facts()); diff != "" {
		t.Errorf("while nothing is known of Harvest (-want +got)\n%s", diff)
	}
	b.exec(`update writes set payload = payload || '{"start": "09:00"}',
		remote_before = payload || '{"spent_date": "2026-11-20", "hours": 100, "notes": "", "task_id": 9}',
		remote_after = payload || '{"start": "09:30", "notes": "<b>Header"}' where id = $1`, write)
	want["Hours"] = "1:30 from 09:00"
	want["Harvest had"] = "1:00, on Fri 20 Nov 2026, on another project or task, without a note"
	want["Harvest has"] = "1:30, from 09:30, “<b>Header”"
	if diff := cmp.Diff(want, facts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if page := ida.get(views.WritePath(write)); page.page(t).Find(".pairs a").First().AttrOr("href", "") != "/weeks/2026-11-23#d0" {
		t.Error("the day does not lead to the week")
	}
}

// The file says everything, in the reader's zone, and nothing in it is taken
// for a formula.
func TestLedgerCSV(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id) // in Berlin
	ida := b.loggedIn(idaEmail)
	empty := ida.get("/ledger.csv")
	header := []string{
		"id", "queued", "week", "date", "client", "project", "task", "operation", "hours", "note",
		"state", "reason", "attempts", "settled", "harvest_entry_id", "reference",
	}
	if diff := cmp.Diff([][]string{header}, empty.rows(t)); diff != "" {
		t.Errorf("an empty ledger (-want +got)\n%s", diff)
	}
	plain := b.place(id, connection, placed{client: "Acme, \"Inc\"", project: "Website", task: "Design", date: "2026-11-24", note: "Header\nand footer", state: ledger.Done, entry: 77})
	gone := b.place(id, connection, placed{client: "=1+1", project: "+Website", task: "@Design", date: "2026-11-29", note: "-2", state: ledger.Done, op: ledger.OpDelete, entry: 78})
	tab := b.place(id, connection, placed{client: "\tAcme", project: "\rWebsite", task: "'=x", date: "2026-11-29", note: " =x", state: ledger.Rejected})
	b.exec("update writes set created_at = '2026-11-23T09:30:00Z', finished_at = '2026-07-01T22:30:00Z', reference = '=' || id, error_reason = 'invalid', error_status = 422, error_message = '=HYPERLINK(1)'")
	b.attempt(plain, ledger.Attempt{Action: ledger.ActionSend, Outcome: ledger.OutcomeApplied, Status: 201})

	file := ida.get("/ledger.csv")
	if file.status != http.StatusOK || file.header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		file.header.Get("Content-Disposition") != `attachment; filename="furrow-ledger-`+b.clockNow().In(berlin(t)).Format(time.DateOnly)+`.csv"` {
		t.Errorf("status %d, %v", file.status, file.header)
	}
	if !strings.HasPrefix(file.body, strings.Join(header, ",")+"\r\n") || !strings.HasSuffix(file.body, "\r\n") {
		t.Errorf("lines end otherwise than RFC 4180 says: %q", file.body)
	}
	const queued, settled = "2026-11-23T10:30:00+01:00", "2026-07-02T00:30:00+02:00"
	text := func(id int64) string { return strconv.FormatInt(id, 10) }
	want := [][]string{
		header,
		{text(tab), queued, "2026-11-23", "2026-11-29", "'\tAcme", "'Website", "'=x", "create", "1.00", " =x", "needs you",
			"Harvest refused it (422). Change it in the week and push again, or give it up. Harvest said: “=HYPERLINK(1)”.", "0", settled, "", "'=" + text(tab)},
		{text(gone), queued, "2026-11-23", "2026-11-29", "'=1+1", "'+Website", "'@Design", "delete", "", "'-2", "deleted", "Harvest has confirmed it.", "0", settled, "78", "'=" + text(gone)},
		{text(plain), queued, "2026-11-23", "2026-11-24", "Acme, \"Inc\"", "Website", "Design", "create", "1.00", "Header\nand footer", "in Harvest", "Harvest has confirmed it.", "1", settled, "77", "'=" + text(plain)},
	}
	if diff := cmp.Diff(want, file.rows(t)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// pieces notes how an answer is written.
type pieces struct {
	*httptest.ResponseRecorder

	asked   func() int64
	first   int64 // queries made when the first piece was written
	largest int
}

func (p *pieces) Write(b []byte) (int, error) {
	if p.first == 0 {
		p.first = p.asked()
	}
	p.largest = max(p.largest, len(b))
	return p.ResponseRecorder.Write(b)
}

// A long export is sent while it is read, and is complete.
func TestLedgerCSVStreams(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	const writes = 5000
	b.place(id, b.connect(id), placed{client: "Acme", project: "Website", task: "Design", date: "2026-11-24", note: strings.Repeat("long ", 100), state: ledger.Done})
	b.exec(`
insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, mutation_id, state)
select user_id, connection_id, pushed_entry_id, op, reference, payload, 'mutation-' || n, state from writes, generate_series(2, $1) n`, writes)
	cookie := b.loggedIn(idaEmail).cookie()
	before := b.queries.Load()
	w := &pieces{ResponseRecorder: httptest.NewRecorder(), asked: func() int64 { return b.queries.Load() - before }}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ledger.csv", nil)
	r.AddCookie(cookie)
	b.server.Config.Handler.ServeHTTP(w, r)

	got := answer{status: w.Code, body: w.Body.String()}
	ids := got.exported(t)
	if len(ids) != writes || !slices.IsSortedFunc(ids, func(a, b int64) int { return int(b - a) }) || len(slices.Compact(ids)) != writes {
		t.Errorf("status %d, %d writes, want %d, each once, newest first", got.status, len(ids), writes)
	}
	// The session and the clients; each batch of writes with their attempts; and
	// one more, which finds none.
	if w.first != 4 || w.asked() != 2+2*(writes/csvBatch)+1 {
		t.Errorf("%d queries before the first piece, %d in all", w.first, w.asked())
	}
	if w.largest > 64<<10 {
		t.Errorf("%d bytes are held and written at once, of %d", w.largest, len(got.body))
	}
}

// An export that breaks off must not look like one that is complete.
func TestLedgerCSVBreaksOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	b.place(id, b.connect(id), placed{client: "Acme", project: "Website", task: "Design", date: "2026-11-24", state: ledger.Done})
	b.exec(`
insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, mutation_id, state)
select user_id, connection_id, pushed_entry_id, op, reference, payload, 'mutation-' || n, state from writes, generate_series(2, $1::int) n`, csvBatch+1)
	// The last one cannot be read.
	b.exec(`update writes set payload = '{"hours": "many"}' where id = 1`)
	ida := b.loggedIn(idaEmail)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/ledger.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := ida.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := csv.NewReader(response.Body).ReadAll(); err == nil {
		t.Error("a file that lacks a write ends as if it were complete")
	}
	if !strings.Contains(b.log.String(), "export broke off") {
		t.Error("nobody is told")
	}
	if got := ida.get("/ledger.csv?q=" + strings.Repeat("x", 10)); got.status != http.StatusOK {
		t.Errorf("status %d afterwards", got.status)
	}
}
