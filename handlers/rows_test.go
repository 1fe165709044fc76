package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
)

// keeper is somebody with rows of their own: two of Acme, one of Birch.
func keeper(t *testing.T) (*browser, []string) {
	t.Helper()
	b := setup(t)
	b.user(bobEmail, false)
	in := b.loggedIn(bobEmail)
	for _, task := range []string{"Acme/Website/Design", "Acme/Website/Review", "Birch/Consulting/Calls"} {
		names := strings.Split(task, "/")
		if got := in.post(adaPath+"/rows", url.Values{"client": {names[0]}, "project": {names[1]}, "task": {names[2]}}); got.status != http.StatusSeeOther {
			t.Fatalf("add a row: status %d", got.status)
		}
	}
	return in, rowsShown(t, in.get(adaPath))
}

// rowsShown are the keys of the rows of a page, in order.
func rowsShown(t *testing.T, page answer) []string {
	t.Helper()
	return page.page(t).Find("#week-grid tbody tr[id^=r-]").Map(func(_ int, row *goquery.Selection) string {
		return strings.TrimPrefix(row.AttrOr("id", ""), "r-")
	})
}

// Rows and clients are put elsewhere by a step or before another one, in every
// week; each is undone as one, and a form counts once.
func TestOrderRows(t *testing.T) {
	t.Parallel()
	in, rows := keeper(t)
	client := func(i int) string {
		id, _ := in.get(adaPath).page(t).Find("#r-" + rows[i]).Parent().Find("tr.client").Attr("id")
		return strings.TrimPrefix(id, "c-")
	}
	acme, birch := client(0), client(2)
	const next = "/weeks/2026-11-30"
	in.post(next+"/rows", url.Values{"client": {"Acme"}, "project": {"Website"}, "task": {"Design"}})
	in.post(next+"/rows", url.Values{"client": {"Acme"}, "project": {"Website"}, "task": {"Review"}})

	tests := []struct {
		name string
		form url.Values
		want []int
		says string
	}{
		{"down", url.Values{"row": {rows[0]}, "by": {"down"}}, []int{1, 0, 2}, "Website · Design has its new place."},
		{"up", url.Values{"row": {rows[1]}, "by": {"up"}}, []int{1, 0, 2}, "Website · Review has its new place."},
		{"up at the top", url.Values{"row": {rows[0]}, "by": {"up"}}, []int{0, 1, 2}, "Website · Design stays where it is."},
		{"down at the end", url.Values{"row": {rows[1]}, "by": {"down"}}, []int{0, 1, 2}, "Website · Review stays where it is."},
		{"before", url.Values{"row": {rows[1]}, "before": {rows[0]}}, []int{1, 0, 2}, "Website · Review has its new place."},
		{"to the end", url.Values{"row": {rows[0]}, "before": {""}}, []int{1, 0, 2}, "Website · Design has its new place."},
		{"before itself", url.Values{"row": {rows[0]}, "before": {rows[0]}}, []int{0, 1, 2}, "Website · Design stays where it is."},
		{"client down", url.Values{"client": {acme}, "by": {"down"}}, []int{2, 0, 1}, "Acme has its new place."},
		{"client before", url.Values{"client": {birch}, "before": {acme}}, []int{2, 0, 1}, "Birch has its new place."},
		{"client at its end", url.Values{"client": {birch}, "before": {""}}, []int{0, 1, 2}, "Birch stays where it is."},
	}
	for _, tt := range tests {
		tt.form.Set("mutation_id", "an order: "+tt.name)
		for range 2 { // the second time because the answer got lost
			if got := in.post(adaPath+"/rows/order", tt.form); got.status != http.StatusSeeOther {
				t.Fatalf("%s: status %d: %s", tt.name, got.status, got.body)
			}
			page := in.get(adaPath)
			if said := page.text(t, "#notice"); !strings.Contains(said, tt.says) {
				t.Errorf("%s: it says %q, want %q", tt.name, said, tt.says)
			}
			want := []string{rows[tt.want[0]], rows[tt.want[1]], rows[tt.want[2]]}
			if diff := cmp.Diff(want, rowsShown(t, page)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
		if tt.name == "down" {
			if diff := cmp.Diff([]string{rows[1], rows[0]}, rowsShown(t, in.get(next))); diff != "" {
				t.Errorf("in the next week (-want +got):\n%s", diff)
			}
		}
		if strings.Contains(tt.says, "new place") {
			if got := in.post(adaPath+"/undo", url.Values{}); got.status != http.StatusSeeOther {
				t.Fatalf("undo %s: status %d", tt.name, got.status)
			}
		}
		if diff := cmp.Diff(rows, rowsShown(t, in.get(adaPath))); diff != "" {
			t.Errorf("%s undone (-want +got):\n%s", tt.name, diff)
		}
	}
	// The history says what was before. The order is that of all weeks, so a week
	// that is restored has it still.
	in.post(adaPath+"/rows/order", url.Values{"row": {rows[0]}, "by": {"down"}})
	in.post(adaPath+"/rows/order", url.Values{"client": {acme}, "by": {"down"}})
	history := in.get(adaPath + "/history")
	if diff := cmp.Diff([]string{"A new order: the clients", "A new order: Acme"}, history.names(t)[:2]); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	for i, want := range []string{"Order of the clients by name Birch, Acme", "Order of Acme by name Website · Review, Website · Design"} {
		if got := spaced(history.page(t).Find(".changes > li").Eq(i).Find("tbody tr")); got != want {
			t.Errorf("change %d tells %q, want %q", i, got, want)
		}
	}
	restore := in.get(adaPath + "/history/0")
	in.post(adaPath+"/history/0", url.Values{"seen": {restore.field(t, "seen")}, "mutation_id": {restore.field(t, "mutation_id")}})
	if said := history.text(t, ".lead"); !strings.Contains(said, "a restore leaves their order alone") {
		t.Errorf("the history says %q", said)
	}
	in.post(adaPath+"/undo", url.Values{})
	if diff := cmp.Diff([]string{rows[2], rows[1], rows[0]}, rowsShown(t, in.get(adaPath))); diff != "" {
		t.Errorf("restored, and that undone (-want +got):\n%s", diff)
	}

	for _, form := range []url.Values{
		{"row": {"1-99999"}, "by": {"up"}}, {"row": {rows[0]}, "before": {rows[2]}}, {"row": {rows[0]}, "before": {"x"}},
		{"client": {"99999"}, "by": {"up"}}, {"client": {"x"}, "by": {"up"}}, {},
	} {
		if got := in.post(adaPath+"/rows/order", form); got.status != http.StatusNotFound {
			t.Errorf("%v: status %d, want 404", form, got.status)
		}
	}
	if got := in.post(adaPath+"/rows/order", url.Values{"row": {rows[0]}, "by": {"sideways"}}); got.status != http.StatusBadRequest {
		t.Errorf("sideways: status %d", got.status)
	}
}

// A row with a plan is removed after a page has told what goes; an empty one at
// once. Both are undone as one.
func TestRemoveRow(t *testing.T) {
	t.Parallel()
	in, rows := keeper(t)
	row := rows[0]
	cells := func() string { return in.get(adaPath).page(t).Find("#r-" + row).Text() }
	in.post(adaPath+"/cells", url.Values{"version": {"0"}, "p." + row + ".0": {"1:30"}, "p." + row + ".3": {"5"}})
	in.post(adaPath+"/cells/"+row+"/3", url.Values{"version": {"99999"}, "planned": {"5"}, "note": {"call"}})
	before := cells()

	page := in.get(adaPath + "/rows/" + row)
	for _, says := range []string{"Remove Website · Design? 6:30 on 2 days and 1 note go.", "Monday 23 November1:30", "Thursday 26 November5:00"} {
		if text := page.text(t, "main"); page.status != http.StatusOK || !strings.Contains(text, says) {
			t.Errorf("status %d, it does not say %q: %s", page.status, says, text)
		}
	}
	if got := in.post(adaPath+"/rows/remove", url.Values{"row": {row}}); got.status != http.StatusSeeOther || got.location() != adaPath+"/rows/"+row {
		t.Errorf("without a word: status %d to %q, want the page that asks", got.status, got.location())
	}
	form := url.Values{"row": {row}, "confirm": {"yes"}, "version": {page.field(t, "version")}, "mutation_id": {page.field(t, "mutation_id")}}

	// What was planned after the question is not what was agreed to.
	in.post(adaPath+"/cells", url.Values{"version": {"99999"}, "p." + row + ".5": {"1"}})
	if got := in.post(adaPath+"/rows/remove", form); got.status != http.StatusConflict || !strings.Contains(got.text(t, "main"), "7:30 on 3 days and 1 note go.") {
		t.Errorf("planned meanwhile: status %d: %s", got.status, got.text(t, "main"))
	}
	in.post(adaPath+"/undo", url.Values{})
	form.Set("version", in.get(adaPath+"/rows/"+row).field(t, "version"))
	for _, says := range []string{"Website · Design is removed from this week, with 6:30 on 2 days and 1 note.", "It is removed already."} {
		if got := in.post(adaPath+"/rows/remove", form); got.status != http.StatusSeeOther || got.location() != adaPath {
			t.Fatalf("remove: status %d: %s", got.status, got.body)
		}
		if said := in.get(adaPath).text(t, "#notice"); !strings.Contains(said, says) {
			t.Errorf("it says %q, want %q", said, says)
		}
	}
	if diff := cmp.Diff(rows[1:], rowsShown(t, in.get(adaPath))); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	in.post(adaPath+"/undo", url.Values{})
	if got := cells(); got != before {
		t.Errorf("undone: %q, want %q", got, before)
	}

	if got := in.post(adaPath+"/rows/remove", url.Values{"row": {rows[2]}}); got.status != http.StatusSeeOther || got.location() != adaPath {
		t.Errorf("an empty row: status %d to %q", got.status, got.location())
	}
	if diff := cmp.Diff(rows[:2], rowsShown(t, in.get(adaPath))); diff != "" {
		t.Errorf("the empty row removed (-want +got):\n%s", diff)
	}
}

// A row that Harvest has something of stays in the week, and says so.
func TestRemoveTrackedRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	b.exec(`insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, created_at, updated_at)
		select user_id, 1, project_id, task_id, date '2026-11-25', 100, now(), now() from assignments where user_id = $1`, ada.user)
	page := in.get(adaPath + "/rows/" + ada.row)
	if text := page.text(t, "main"); !strings.Contains(text, "What is in Harvest stays there, so the row stays in this week as “not planned”.") {
		t.Errorf("it says %s", text)
	}
	in.post(adaPath+"/rows/remove", url.Values{"row": {ada.row}, "confirm": {"yes"}, "version": {page.field(t, "version")}})
	if row := in.get(adaPath).page(t).Find("#r-" + ada.row); !strings.Contains(row.Text(), "not planned") || b.planned(ada, 0) != 0 {
		t.Errorf("the row: %q, %d minutes", row.Text(), b.planned(ada, 0))
	}
	if got := in.get(adaPath + "/rows/" + ada.row); got.page(t).Find("[name=confirm]").Length() != 0 {
		t.Error("what has no plan can be removed again")
	}
}
