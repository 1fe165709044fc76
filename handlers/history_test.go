package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/planner"
)

// names are what the changes of a history are called, latest first.
func (a answer) names(t *testing.T) []string {
	t.Helper()
	return a.page(t).Find(".changes h2").Map(func(_ int, s *goquery.Selection) string { return s.Text() })
}

func TestHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	second := b.secondRow(ada)
	in := b.loggedIn(adaEmail)
	edit := func(values ...string) {
		t.Helper()
		form := url.Values{"version": {in.get(adaPath).field(t, "version")}}
		for i := 0; i < len(values); i += 2 {
			form.Set("p."+values[i], values[i+1])
		}
		if got := in.post(adaPath+"/cells", form); got.status != http.StatusSeeOther {
			t.Fatalf("edit: status %d: %s", got.status, got.body)
		}
	}
	edit(ada.row+".1", "2")
	edit(ada.row+".1", "3", second+".2", "1:30")
	history := in.get(adaPath + "/history")
	want := []string{
		"An edit of several cells: 2 cells, 2:00 → 4:30",
		"Ada's project · Ada's task, Tue 24 Nov: 0:00 → 2:00",
		"Time off: Fri 27 Nov: working day → day off: Ada's day off",
		"Ada's project · Ada's task, Mon 23 Nov: 0:00 → 1:30",
		"Adding a row: Ada's project · Ada's task",
	}
	if diff := cmp.Diff(want, history.names(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	items := history.page(t).Find(".changes > li")
	if cells := items.First().Find("tbody tr").Map(func(_ int, s *goquery.Selection) string { return spaced(s) }); !cmp.Equal(cells, []string{
		"Ada's client Ada's project Ada's task Tue 24 Nov 2:00 3:00", "Ada's client Ada's project Second task Wed 25 Nov nothing 1:30",
	}) {
		t.Errorf("the cells of the latest: %q", cells)
	}
	if text := items.Eq(1).Text(); !strings.Contains(text, "Changed again since.") || items.Eq(1).Find("form").Length() != 0 {
		t.Errorf("what was changed since says %q", text)
	}

	undo := items.First().Find("form")
	form := url.Values{"change": {undo.Find("[name=change]").AttrOr("value", "")}, "mutation_id": {undo.Find("[name=mutation_id]").AttrOr("value", "")}}
	if got := in.post(undo.AttrOr("action", ""), form); got.status != http.StatusSeeOther || got.location() != adaPath+"/history" || b.planned(ada, 1) != 120 {
		t.Fatalf("undo: status %d to %q, %d planned", got.status, got.location(), b.planned(ada, 1))
	}
	history = in.get(adaPath + "/history")
	if names := history.names(t); names[0] != "Undone: an edit of several cells: 2 cells, 4:30 → 2:00" {
		t.Errorf("the undo is called %q", names[0])
	}
	if text := history.page(t).Find(".changes .undone").Text(); !strings.Contains(text, "Undone ") || !strings.Contains(history.text(t, "#notice"), "Undone: an edit of several cells.") {
		t.Errorf("what was undone says %q", text)
	}
	in.post(undo.AttrOr("action", ""), url.Values{"change": form["change"]})
	if said := in.get(adaPath+"/history").text(t, "#notice"); !strings.Contains(said, "undone already") {
		t.Errorf("again: %q", said)
	}
	for _, bad := range []string{"x", "0", "-1"} {
		if got := in.post(adaPath+"/history/undo", url.Values{"change": {bad}}); got.status != http.StatusBadRequest {
			t.Errorf("change %q: status %d", bad, got.status)
		}
	}
	if got := in.get("/weeks/2026-11-16/history").text(t, ".nothing"); !strings.Contains(got, "Nothing was changed") {
		t.Errorf("another week: %q", got)
	}
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	row, err := parseRowKey(ada.row, "-")
	if err != nil {
		t.Fatal(err)
	}
	day, err := planner.ParseDate(adaWeek)
	if err != nil {
		t.Fatal(err)
	}
	for i := range changesPerPage {
		err := b.store.InMutation(t.Context(), func(tx *db.Tx) error {
			_, err := tx.EditCell(t.Context(), ada.user, db.CellEdit{
				Cell: planner.CellID{RowID: row, Date: day + 1}, Planned: planner.Minutes(i + 1), MutationID: "edit number " + string(rune('A'+i)), Seen: db.SeenAll,
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	in := b.loggedIn(adaEmail)
	first := in.get(adaPath + "/history")
	older := first.page(t).Find(".older [rel=next]").AttrOr("href", "")
	if n := len(first.names(t)); n != changesPerPage || older == "" {
		t.Fatalf("%d changes and then %q", n, older)
	}
	second := in.get(older)
	if diff := cmp.Diff([]string{"Time off: Fri 27 Nov: working day → day off: Ada's day off", "Ada's project · Ada's task, Mon 23 Nov: 0:00 → 1:30", "Adding a row: Ada's project · Ada's task"}, second.names(t)); diff != "" || second.page(t).Find(".older [rel=next]").Length() != 0 {
		t.Errorf("the last page (-want +got):\n%s", diff)
	}
}

// A week becomes what it was, as was shown before, as one change that can be
// undone.
func TestRestore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	then := adaPath + "/history/" + in.get(adaPath+"/history").field(t, "change") // one row, Monday 1:30
	quick := in.get(adaPath + "/quick?line=" + url.QueryEscape("ada's task 1h mon-wed"))
	in.post(adaPath+"/quick", quick.quickForm(t))
	same := in.get(adaPath + "/history/" + in.get(adaPath+"/history").field(t, "change"))
	if text := same.text(t, ".nothing"); !strings.Contains(text, "like that now") {
		t.Errorf("the latest: %q", text)
	}

	shown := in.get(then)
	cells := shown.page(t).Find("tbody tr").Map(func(_ int, s *goquery.Selection) string { return spaced(s) })
	if diff := cmp.Diff([]string{
		"Ada's client Ada's project Ada's task Mon 23 Nov 2:30 “Ada's note” 1:30 “Ada's note”",
		"Ada's client Ada's project Ada's task Tue 24 Nov 1:00 nothing",
		"Ada's client Ada's project Ada's task Wed 25 Nov 1:00 nothing",
	}, cells); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	form := url.Values{"seen": {shown.field(t, "seen")}, "mutation_id": {shown.field(t, "mutation_id")}}
	stale := url.Values{"seen": {"1"}, "mutation_id": {"an old restoring"}}
	if got := in.post(then, stale); got.status != http.StatusConflict || !strings.Contains(got.body, "changed meanwhile") || b.planned(ada, 1) != 60 {
		t.Errorf("over a newer change: status %d, %d planned", got.status, b.planned(ada, 1))
	}
	for range 2 { // the second one because its answer got lost
		if got := in.post(then, form); got.status != http.StatusSeeOther || got.location() != adaPath {
			t.Fatalf("status %d to %q: %s", got.status, got.location(), got.body)
		}
		if b.planned(ada, 0) != 90 || b.planned(ada, 1) != 0 {
			t.Errorf("restored: %d and %d planned", b.planned(ada, 0), b.planned(ada, 1))
		}
	}
	if names := in.get(adaPath + "/history").names(t); names[0] != "Restoring the week: 3 cells, 4:30 → 1:30" {
		t.Errorf("the history says %q", names[0])
	}
	in.post(adaPath+"/undo", url.Values{})
	if b.planned(ada, 0) != 150 || b.planned(ada, 1) != 60 {
		t.Errorf("undone: %d and %d planned", b.planned(ada, 0), b.planned(ada, 1))
	}

	before := in.get(adaPath + "/history/0")
	if rows := before.page(t).Find("tbody tr").Length(); rows != 5 || !strings.Contains(before.text(t, "tbody"), "taken out of the week") {
		t.Errorf("before all changes: %d lines: %s", rows, before.text(t, "tbody"))
	}
	in.post(adaPath+"/history/0", url.Values{"seen": {before.field(t, "seen")}, "mutation_id": {before.field(t, "mutation_id")}})
	if n := b.count("select count(*) from cells where user_id = $1", ada.user) + b.count("select count(*) from week_rows where user_id = $1", ada.user); n != 0 {
		t.Errorf("%d cells and rows are left", n)
	}
	for _, bad := range []string{"x", "-1", "999999999"} {
		if got := in.get(adaPath + "/history/" + bad); got.status != http.StatusNotFound {
			t.Errorf("change %q: status %d", bad, got.status)
		}
	}
}
