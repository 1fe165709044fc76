package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// An edit can be undone and redone, from its toast and from the page, with
// htmx and without; each form counts once.
func TestUndoAndRedo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	field := "p." + ada.row + ".1"
	form := url.Values{"version": {in.get(adaPath).field(t, "version")}, "mutation_id": {"one edit of Ada's"}, field: {"2"}}
	want := func(what string, minutes int) {
		t.Helper()
		if got := b.planned(ada, 1); int(got) != minutes {
			t.Errorf("%s: planned %d, want %d", what, got, minutes)
		}
	}

	for range 2 { // the second one because its answer got lost
		got := in.post(adaPath+"/cells", form, htmxHeaders...)
		if got.status != http.StatusOK {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
		if !strings.Contains(got.body, `value="2:00"`) {
			t.Errorf("not shown: %s", got.body)
		}
	}
	want("the edit", 120)

	got := in.get(adaPath)
	undo := url.Values{"mutation_id": {got.page(t).Find("#undo-form [name=mutation_id]").AttrOr("value", "")}}
	for range 2 {
		if got = in.post(adaPath+"/undo", undo); got.status != http.StatusSeeOther || got.location() != adaPath {
			t.Fatalf("undo: status %d to %q", got.status, got.location())
		}
	}
	want("the undo", 0)
	if said := in.get(adaPath).text(t, "#notice"); !strings.Contains(said, "undone already") {
		t.Errorf("after the second undo with the same form: %q", said)
	}
	want("the second undo with the same form", 0)

	if got = in.post(adaPath+"/redo", url.Values{}, htmxHeaders...); got.status != http.StatusOK || !strings.Contains(got.body, "Done again.") {
		t.Errorf("redo: status %d, %s", got.status, got.body)
	}
	want("the redo", 120)
	if got = in.post(adaPath+"/redo", url.Values{}); got.status != http.StatusConflict || !strings.Contains(got.body, "nothing to redo") {
		t.Errorf("redo of nothing: status %d", got.status)
	}

	got = in.post(adaPath+"/undo", url.Values{}, htmxHeaders...)
	if text := got.text(t, ".toast"); !strings.Contains(text, "Undone: an edit.") {
		t.Errorf("the toast says %q", text)
	}
	want("the undo of the redone", 0)
	in.post(adaPath+"/undo", url.Values{}) // Ada's day off
	in.post(adaPath+"/undo", url.Values{}) // what Ada had planned before
	in.post(adaPath+"/undo", url.Values{}) // the row that she put into the week
	if got = in.post(adaPath+"/undo", url.Values{}); got.status != http.StatusConflict || !strings.Contains(got.body, "nothing left to undo") {
		t.Errorf("undo of nothing: status %d", got.status)
	}
	for _, change := range []string{"x", "0", "-1"} {
		if got = in.post(adaPath+"/undo", url.Values{"change": {change}}); got.status != http.StatusBadRequest {
			t.Errorf("change %q: status %d", change, got.status)
		}
	}
}

// A row stays when its last cell is cleared.
func TestClearedRowStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	b.exec("delete from week_rows")
	page := in.get(adaPath)
	got := in.post(adaPath+"/cells/"+ada.row+"/0", url.Values{"version": {page.field(t, "version")}, "planned": {""}, "note": {""}}, htmxHeaders...)
	if got.status != http.StatusOK || b.planned(ada, 0) != 0 {
		t.Fatalf("status %d, planned %d", got.status, b.planned(ada, 0))
	}
	if got := in.get(adaPath); got.page(t).Find("#r-"+ada.row).Length() != 1 {
		t.Error("the row is gone")
	}
}
