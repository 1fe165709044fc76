package handlers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

const adaPath = "/weeks/" + adaWeek

// htmxHeaders make a request one of htmx's for a part of the page.
var htmxHeaders = []string{hxRequest, "true", hxRequestType, "partial"}

func (a answer) page(t *testing.T) *goquery.Document {
	t.Helper()
	page, err := goquery.NewDocumentFromReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// field returns the value of the first input with the name.
func (a answer) field(t *testing.T, name string) string {
	t.Helper()
	value, ok := a.page(t).Find(`[name="` + name + `"]`).First().Attr("value")
	if !ok && a.page(t).Find(`[name="`+name+`"]`).Length() == 0 {
		t.Fatalf("no field %q in %s", name, a.body)
	}
	return value
}

func TestWeekAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ada()
	in := b.loggedIn(adaEmail)
	tests := []struct {
		path         string
		wantStatus   int
		wantLocation string
	}{
		{adaPath, http.StatusOK, ""},
		{"/weeks/2026-11-25", http.StatusSeeOther, adaPath},
		{"/weeks/2026-11-29", http.StatusSeeOther, adaPath},
		{"/weeks/2027-01-01", http.StatusSeeOther, "/weeks/2026-12-28"},
		{"/weeks/2026-02-29", http.StatusNotFound, ""},
		{"/weeks/1066-10-14", http.StatusNotFound, ""},
		{"/weeks/tomorrow", http.StatusNotFound, ""},
		{"/weeks/2026-11-23%00", http.StatusNotFound, ""},
		{adaPath + "/cells/1-1/7", http.StatusNotFound, ""},
		{adaPath + "/cells/none/0", http.StatusNotFound, ""},
		{adaPath + "/cells/99999999999999999999-1/0", http.StatusNotFound, ""},
		{adaPath + "/push?day=2026-11-30", http.StatusNotFound, ""},
		{adaPath + "/push?day=x", http.StatusNotFound, ""},
		{"/sync/status?week=x", http.StatusNotFound, ""},
		{"/sync/status", http.StatusNotFound, ""},
	}
	for _, tt := range tests {
		got := in.get(tt.path)
		if got.status != tt.wantStatus || got.location() != tt.wantLocation {
			t.Errorf("%s: status %d to %q, want %d to %q", tt.path, got.status, got.location(), tt.wantStatus, tt.wantLocation)
		}
	}
}

// One cell, edited with htmx: what is stored, what is answered, and what stays
// in the input.
func TestEditCell(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		typed      string
		wantStatus int
		wantStored planner.Minutes // of Tuesday, which was empty
		wantValue  string          // in the input
		wantSaid   string          // beside it
	}{
		{"hours", "2", http.StatusOK, 120, "2:00", ""},
		{"decimal comma", "2,5", http.StatusOK, 150, "2:30", ""},
		{"minutes", "90m", http.StatusOK, 90, "1:30", ""},
		{"nothing", "", http.StatusOK, 0, "", ""},
		{"a whole day", "24h", http.StatusOK, 1440, "24:00", ""},
		{"hours or minutes", "30", http.StatusUnprocessableEntity, 0, "30", "30 min?"},
		{"more than a day", "25h", http.StatusUnprocessableEntity, 0, "25h", tooLong},
		{"negative", "-1", http.StatusUnprocessableEntity, 0, "-1", negative},
		{"nonsense", "<b>later</b>", http.StatusUnprocessableEntity, 0, "<b>later</b>", notDuration},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ada := b.ada()
			in := b.loggedIn(adaEmail)
			version := in.get(adaPath).field(t, "version")
			field := "p." + ada.row + ".1"
			got := in.post(adaPath+"/cells", url.Values{"version": {version}, field: {tt.typed}}, htmxHeaders...)
			if got.status != tt.wantStatus {
				t.Fatalf("status %d, want %d: %s", got.status, tt.wantStatus, got.body)
			}
			if value := got.field(t, field); value != tt.wantValue {
				t.Errorf("the input holds %q, want %q", value, tt.wantValue)
			}
			if !strings.Contains(got.page(t).Text(), tt.wantSaid) {
				t.Errorf("%q is not said in %s", tt.wantSaid, got.page(t).Text())
			}
			if stored := b.planned(ada, 1); stored != tt.wantStored {
				t.Errorf("stored %d minutes, want %d", stored, tt.wantStored)
			}
			if strings.Contains(got.body, "<html") {
				t.Error("the answer to one cell is a whole page")
			}
		})
	}
}

// planned is what is stored for a day of Ada's row.
func (b *testBundle) planned(ada adaIDs, day int) planner.Minutes {
	b.t.Helper()
	date, err := planner.ParseDate(adaWeek)
	if err != nil {
		b.t.Fatal(err)
	}
	plan, err := b.store.WeekPlan(b.t.Context(), ada.user, planner.Week{Start: date})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, row := range plan.Rows {
		if rowKey(row.ID) == ada.row {
			return row.Cells[day].Planned
		}
	}
	b.t.Fatalf("row %s is not in the week", ada.row)
	return 0
}

// Without script the whole grid is posted: the good cells are stored, the bad
// ones stay as they were typed, and untouched ones are not edits.
func TestEditWholeForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	page := in.get(adaPath)
	form := url.Values{"version": {page.field(t, "version")}}
	page.page(t).Find("#week-form input").Each(func(_ int, input *goquery.Selection) {
		if name := input.AttrOr("name", ""); strings.HasPrefix(name, "p.") {
			form.Set(name, input.AttrOr("value", ""))
		}
	})
	events := b.count("select count(*) from plan_events")
	if got := in.post(adaPath+"/cells", form); got.status != http.StatusSeeOther {
		t.Fatalf("untouched form: status %d", got.status)
	}
	if n := b.count("select count(*) from plan_events"); n != events {
		t.Errorf("an untouched form made %d changes", n-events)
	}
	form.Set("p."+ada.row+".2", "1:15")
	form.Set("p."+ada.row+".3", "soon")
	got := in.post(adaPath+"/cells", form)
	if got.status != http.StatusUnprocessableEntity || got.field(t, "p."+ada.row+".3") != "soon" {
		t.Errorf("status %d with %q, want 422 with the text kept", got.status, got.field(t, "p."+ada.row+".3"))
	}
	if b.planned(ada, 2) != 75 || b.planned(ada, 3) != 0 || b.planned(ada, 0) != 90 {
		t.Errorf("stored %d, %d, %d minutes", b.planned(ada, 2), b.planned(ada, 3), b.planned(ada, 0))
	}
}

// Two tabs: the second one is asked, and nothing is lost.
func TestEditInTwoTabs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	version, field := in.get(adaPath).field(t, "version"), "p."+ada.row+".0"
	if got := in.post(adaPath+"/cells", url.Values{"version": {version}, field: {"2"}}, htmxHeaders...); got.status != http.StatusOK {
		t.Fatalf("first tab: status %d", got.status)
	}
	got := in.post(adaPath+"/cells", url.Values{"version": {version}, field: {"3"}}, htmxHeaders...)
	if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.page(t).Text(), "Changed in another tab to 2:00") {
		t.Errorf("second tab: status %d: %s", got.status, got.page(t).Text())
	}
	if got.field(t, field) != "3" || b.planned(ada, 0) != 120 {
		t.Errorf("the input holds %q, %d minutes are stored", got.field(t, field), b.planned(ada, 0))
	}
	// The answer carries the new version; choosing one's own value with it stores it.
	newer := got.field(t, "version")
	if got := in.post(adaPath+"/cells", url.Values{"version": {newer}, field: {"3", "180m"}}, htmxHeaders...); got.status != http.StatusOK || b.planned(ada, 0) != 180 {
		t.Errorf("choice: status %d, %d minutes", got.status, b.planned(ada, 0))
	}
	// The same request again, its answer lost: nothing changes twice.
	events := b.count("select count(*) from plan_events")
	if got := in.post(adaPath+"/cells", url.Values{"version": {newer}, field: {"3", "180m"}}, htmxHeaders...); got.status != http.StatusOK {
		t.Errorf("again: status %d", got.status)
	}
	if n := b.count("select count(*) from plan_events"); n != events {
		t.Errorf("a repeated request made %d changes", n-events)
	}
}

func TestCellForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	path := adaPath + "/cells/" + ada.row + "/0"
	version := in.get(path).field(t, "version")
	long := strings.Repeat("ä", planner.MaxNote+1)
	got := in.post(path, url.Values{"version": {version}, "planned": {"2"}, "note": {long}})
	if got.status != http.StatusUnprocessableEntity || got.text(t, "#f-note") != long {
		t.Errorf("a note of %d characters: status %d, kept %d", planner.MaxNote+1, got.status, len([]rune(got.text(t, "#f-note"))))
	}
	if got := in.post(path, url.Values{"version": {version}, "planned": {"soon"}, "note": {""}}, htmxHeaders...); got.status != http.StatusUnprocessableEntity || got.field(t, "planned") != "soon" || strings.Contains(got.body, "<html") {
		t.Errorf("in the panel: status %d, %.200s", got.status, got.body)
	}
	note := "Prep <b>call</b> 📞\r\nשלום"
	if got := in.post(path, url.Values{"version": {version}, "planned": {"2"}, "note": {note}}); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	if got := in.get(path).text(t, "#f-note"); got != strings.ReplaceAll(note, "\r\n", "\n") {
		t.Errorf("the note reads %q", got)
	}
	if got := in.post(path, url.Values{"version": {version}, "planned": {"1"}, "note": {""}}); got.status != http.StatusUnprocessableEntity || b.planned(ada, 0) != 120 {
		t.Errorf("over a newer change: status %d, %d minutes", got.status, b.planned(ada, 0))
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ada()
	b.user(bobEmail, false)
	in := b.loggedIn(bobEmail) // not connected: rows that only exist here
	if got := in.post(adaPath+"/rows", url.Values{"client": {"Own"}, "project": {""}, "task": {"Thinking"}}); got.status != http.StatusUnprocessableEntity || got.field(t, "client") != "Own" {
		t.Errorf("without a project: status %d", got.status)
	}
	for range 2 { // the second time is the same row
		if got := in.post(adaPath+"/rows", url.Values{"client": {"Own"}, "project": {"Garden"}, "task": {"Thinking"}}); got.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	page := in.get(adaPath)
	keys := page.page(t).Find(`[form="remove-row"]`)
	if keys.Length() != 1 {
		t.Fatalf("%d removable rows, want 1: %s", keys.Length(), page.page(t).Find("#week-grid").Text())
	}
	row := keys.AttrOr("value", "")
	if got := in.post(adaPath+"/rows/remove", url.Values{"row": {row}}); got.status != http.StatusSeeOther {
		t.Errorf("remove: status %d", got.status)
	}
	if got := in.post(adaPath+"/rows/remove", url.Values{"row": {row}}); got.status != http.StatusNotFound {
		t.Errorf("remove again: status %d", got.status)
	}
}

// A push is reviewed, confirmed once, and refused if things changed meanwhile.
func TestPush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	if got := in.get(adaPath + "/push"); !strings.Contains(got.page(t).Text(), "It is on its way.") {
		t.Errorf("the cell that was pushed: %s", got.page(t).Text())
	}
	version := in.get(adaPath).field(t, "version")
	in.post(adaPath+"/cells", url.Values{"version": {version}, "p." + ada.row + ".1": {"1"}, "p." + ada.row + ".2": {"2"}})

	review := in.get(adaPath + "/push")
	mutation := review.field(t, "mutation_id")
	var lines []string
	review.page(t).Find(`input[name="line"]:not([disabled])`).Each(func(_ int, line *goquery.Selection) {
		lines = append(lines, line.AttrOr("value", ""))
	})
	if len(lines) != 2 {
		t.Fatalf("%d lines can be sent, want 2: %v", len(lines), lines)
	}
	if got := in.post(adaPath+"/push", url.Values{"mutation_id": {mutation}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("nothing ticked: status %d", got.status)
	}
	if got := in.post(adaPath+"/push", url.Values{"mutation_id": {"short"}, "line": lines}); got.status != http.StatusBadRequest {
		t.Errorf("a malformed mutation id: status %d", got.status)
	}
	before := b.count("select count(*) from writes")
	if got := in.post(adaPath+"/push", url.Values{"mutation_id": {mutation}, "line": {lines[0], lines[1] + "x"}}); got.status != http.StatusConflict {
		t.Errorf("a line that is not there: status %d", got.status)
	}
	if got := in.post(adaPath+"/push", url.Values{"mutation_id": {mutation}, "line": {lines[0], lines[0]}}); got.status != http.StatusConflict {
		t.Errorf("a line twice: status %d", got.status)
	}
	if n := b.count("select count(*) from writes"); n != before {
		t.Fatalf("refused pushes made %d writes", n-before)
	}
	jobs := b.count("select count(*) from river_job")
	for range 2 { // the same form twice is one push
		if got := in.post(adaPath+"/push", url.Values{"mutation_id": {mutation}, "line": lines}); got.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	if n := b.count("select count(*) from writes"); n != before+2 {
		t.Errorf("%d writes, want 2", n-before)
	}
	if n := b.count("select count(*) from river_job"); n != jobs+1 {
		t.Errorf("%d jobs, want 1", n-jobs)
	}
	got := in.get(adaPath)
	if text := got.page(t).Text(); !strings.Contains(text, "2 lines are scheduled") || !strings.Contains(text, "waiting") {
		t.Errorf("after the push: %s", text)
	}
}

// The sync answers at once, joins what is under way, and is told to programs.
func TestSync(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	if got := in.post(adaPath+"/sync", nil); got.status != http.StatusSeeOther || !strings.Contains(in.get(adaPath).body, "under way already") {
		t.Errorf("a second click: status %d", got.status)
	}
	if got := in.post(adaPath+"/sync", nil, htmxHeaders...); got.status != http.StatusOK || got.page(t).Find("#sync-status[hx-get]").Length() != 1 {
		t.Errorf("with htmx: status %d: %s", got.status, got.body)
	}
	if n := b.count("select count(*) from sync_runs"); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
	if err := b.store.FailRun(t.Context(), ada.run, "timeout", 0); err != nil {
		t.Fatal(err)
	}
	token, err := b.store.CreateAPIToken(t.Context(), ada.user, "for the test")
	if err != nil {
		t.Fatal(err)
	}
	program := b.browser()
	got := program.post("/api/harvest-sync", nil, "Authorization", "Bearer "+token.Reveal())
	var answer struct {
		Message string
		Run     struct {
			ID    int64
			State string
			URL   string
		}
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
		t.Fatal(err)
	}
	if got.status != http.StatusAccepted || answer.Run.ID == ada.run || answer.Run.State != string(ledger.RunQueued) || answer.Message == "" {
		t.Errorf("status %d: %+v", got.status, answer)
	}
	if got := program.get(answer.Run.URL, "Authorization", "Bearer "+token.Reveal()); got.status != http.StatusOK {
		t.Errorf("%s: status %d", answer.Run.URL, got.status)
	}
	if got := program.post("/api/harvest-sync", nil, "Authorization", "Bearer frw_wrong"); got.status != http.StatusUnauthorized {
		t.Errorf("a wrong token: status %d", got.status)
	}
}

// While nothing is unfinished the page asks for nothing; while something is, the
// answer carries the grid only if it differs from what is shown.
func TestPolling(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	poll, ok := in.get(adaPath).page(t).Find("#sync-status").Attr("hx-get")
	if !ok {
		t.Fatal("a live run is not polled")
	}
	if got := in.get(poll); strings.Contains(got.body, "week-grid") {
		t.Error("a grid that has not changed is sent")
	}
	version := in.get(adaPath).field(t, "version")
	in.post(adaPath+"/cells", url.Values{"version": {version}, "p." + ada.row + ".1": {"1"}})
	if got := in.get(poll); !strings.Contains(got.body, "week-grid") {
		t.Error("a grid that has changed is not sent")
	}
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error { return tx.DropWrite(t.Context(), ada.user, ada.write) })
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.FailRun(t.Context(), ada.run, "timeout", 0); err != nil {
		t.Fatal(err)
	}
	if _, ok := in.get(adaPath).page(t).Find("#sync-status").Attr("hx-get"); ok {
		t.Error("it is polled although nothing is unfinished")
	}
}
