package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// spaced is the text of an element with a blank between its pieces.
func spaced(s *goquery.Selection) string {
	if s.Length() == 0 {
		return ""
	}
	var texts []string
	for node := range s.Nodes[0].Descendants() {
		if node.Type == html.TextNode {
			texts = append(texts, strings.Fields(node.Data)...)
		}
	}
	return strings.Join(texts, " ")
}

// found are the things that a list offers, in words.
func (a answer) found(t *testing.T) []string {
	t.Helper()
	return a.page(t).Find(".found li").Map(func(_ int, s *goquery.Selection) string { return spaced(s) })
}

func TestFindRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	in.post(adaPath+"/rows/remove", url.Values{"row": {b.secondRow(ada)}})
	for _, test := range []struct {
		name, query string
		want        []string
	}{
		{"everything", "", []string{"Ada's client Ada's project Ada's task in this week", "Ada's client Ada's project Second task"}},
		{"by two words", "cli sec", []string{"Ada's cli ent Ada's project Sec ond task"}},
		{"nothing", "nothing of hers", []string{}},
	} {
		got := in.get(adaPath + "/find?q=" + url.QueryEscape(test.query))
		if diff := cmp.Diff(test.want, got.found(t)); got.status != http.StatusOK || diff != "" {
			t.Errorf("%s: status %d (-want +got):\n%s", test.name, got.status, diff)
		}
	}
	if got := in.get(adaPath+"/find?q=zz").text(t, ".help"); !strings.Contains(got, "Your rows come from Harvest") {
		t.Errorf("nothing found: %q", got)
	}
	if got := in.get("/weeks/2026-11-24/find"); got.status != http.StatusNotFound {
		t.Errorf("of a day: status %d", got.status)
	}
	if marked := in.get(adaPath + "/find?q=sec").page(t).Find("mark").First().Text(); marked != "Sec" {
		t.Errorf("marked %q, want what was typed", marked)
	}
}

// Who has no Harvest finds the rows made before, and makes new ones.
func TestFindLocalRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(bobEmail, false)
	in := b.loggedIn(bobEmail)
	if got := in.get(adaPath + "/find?q=own"); len(got.found(t)) != 0 || !strings.Contains(got.text(t, ".help"), "type client / project / task") {
		t.Errorf("nothing yet: %s", got.body)
	}
	name := "Own / Garden / Thinking"
	got := in.get(adaPath + "/find?q=" + url.QueryEscape(name))
	if diff := cmp.Diff([]string{"Make a new row: " + name}, got.found(t)); diff != "" {
		t.Fatalf("a new row (-want +got):\n%s", diff)
	}
	form := url.Values{"new_row": {got.page(t).Find("[name=new_row]").AttrOr("value", "")}, "mutation_id": {got.field(t, "mutation_id")}}
	made := in.post(adaPath+"/rows", form, htmxHeaders...)
	if made.status != http.StatusOK || !strings.Contains(made.text(t, ".toast"), "The row is in the week.") || made.page(t).Find("#week-grid tr[id^=r-]").Length() != 1 {
		t.Fatalf("make it: status %d: %s", made.status, made.body)
	}
	if diff := cmp.Diff([]string{"Own Garden Thinking in this week"}, in.get(adaPath+"/find").found(t)); diff != "" {
		t.Errorf("in its week (-want +got):\n%s", diff)
	}
	const next = "/weeks/2026-11-30"
	got = in.get(next + "/find")
	if diff := cmp.Diff([]string{"Own Garden Thinking"}, got.found(t)); diff != "" {
		t.Errorf("in the next week (-want +got):\n%s", diff)
	}
	if got := in.post(next+"/rows", url.Values{"project_task": {got.page(t).Find("[name=project_task]").AttrOr("value", "")}}); got.status != http.StatusSeeOther {
		t.Errorf("put it there: status %d", got.status)
	}
	undone := in.post(next+"/undo", url.Values{}, htmxHeaders...)
	if text := undone.text(t, ".toast"); !strings.Contains(text, "Undone: adding a row.") || undone.page(t).Find("#week-grid tr[id^=r-]").Length() != 0 {
		t.Errorf("undo: %q", text)
	}
	for _, bad := range []string{"", "a / b", strings.Repeat("x", 101) + " / b / c"} {
		if got := in.post(adaPath+"/rows", url.Values{"new_row": {bad}}, htmxHeaders...); got.status != http.StatusUnprocessableEntity {
			t.Errorf("a new row called %q: status %d", bad, got.status)
		}
	}
}

// A row that was used once and is not assigned any more is not offered, but
// one that is in the week is there.
func TestChoicesOf(t *testing.T) {
	t.Parallel()
	id := func(n int64) planner.RowID { return planner.RowID{ProjectID: n, TaskID: n} }
	name := db.RowName{ClientID: 1, Client: "C", Project: "P", Task: "T"}
	plan := ledger.WeekPlan{Rows: []ledger.Row{{ID: id(1)}, {ID: id(2)}}}
	assigned := []db.Assignment{{ID: id(3)}, {ID: id(1)}}
	used := []db.UsedRow{{ID: id(4), Name: name}, {ID: id(5), Name: name, Local: true, Last: 7, Minutes: 8}, {ID: id(1), Last: 9, Minutes: 10}}
	got := choicesOf(plan, assigned, used)
	var order []int64
	var in []bool
	var times []planner.Minutes
	for i, row := range got.rows {
		order, in, times = append(order, row.id.TaskID), append(in, row.inWeek), append(times, got.named[i].Minutes)
	}
	if diff := cmp.Diff([]int64{3, 1, 2, 5}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]bool{false, true, true, false}, in); diff != "" {
		t.Errorf("in the week (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]planner.Minutes{0, 10, 0, 8}, times); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

func TestPalette(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mondayNoon()
	ada := b.ada()
	second := b.secondRow(ada)
	in := b.loggedIn(adaEmail)
	first := func(query string) *goquery.Selection {
		t.Helper()
		got := in.get("/palette?week=" + adaWeek + "&q=" + url.QueryEscape(query))
		if got.status != http.StatusOK {
			t.Fatalf("%q: status %d", query, got.status)
		}
		return got.page(t).Find(".found li").First()
	}
	for _, test := range []struct{ query, want, wantURL string }{
		{"", "Quick add q", adaPath + "/quick"},
		{"push", "Review and push p", adaPath + "/push"},
		{"theme", "Light or dark", "/settings#h-theme"},
		{"previous", "Previous week [", "/weeks/2026-11-16"},
		{"2026-12-02", "Wednesday 2 December 2026 its week", "/weeks/2026-11-30#d2"},
		{"ada's task", "Ada's client Ada's project Ada's task in this week", adaPath + "#n-" + ada.row},
		{"second", "Ada's client Ada's project Second task in this week", adaPath + "#n-" + second},
		{"nothing of the kind", "", ""},
	} {
		item := first(test.query)
		if got := spaced(item); got != test.want || item.Find("a").AttrOr("href", "") != test.wantURL {
			t.Errorf("%q: %q to %q; want %q to %q", test.query, got, item.Find("a").AttrOr("href", ""), test.want, test.wantURL)
		}
	}
	// Every address that is listed is there.
	in.get("/palette").page(t).Find(".found a").Each(func(_ int, a *goquery.Selection) {
		if got := in.get(a.AttrOr("href", "")); got.status != http.StatusOK && got.status != http.StatusSeeOther {
			t.Errorf("%s: status %d", a.Text(), got.status)
		}
	})
	undo := first("undo").Find("form")
	if got := in.post(undo.AttrOr("action", ""), url.Values{"mutation_id": {undo.Find("[name=mutation_id]").AttrOr("value", "")}}); got.status != http.StatusSeeOther || b.count("select count(*) from days_off") != 0 {
		t.Errorf("undo: status %d, and Ada's day off is one still", got.status)
	}
	if got := in.get("/palette?week=x"); got.status != http.StatusNotFound {
		t.Errorf("no week: status %d", got.status)
	}
}
