package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"furrow/ledger"
	"furrow/views"
)

// TestCheck: the self-check asks for a sync and says how far it can be trusted
// until that is over; then it says what it found.
func TestCheck(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	page := b.get(b.path + "/check")
	page.says(t, "#check", "1 sent, 1 found, 0 double.", "As far as Furrow knows; Harvest has not been read yet.")

	got := b.post(b.path+"/check", nil)
	if got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	page = b.get(got.location())
	page.says(t, "#check", "As far as Furrow knows", "Harvest is asked.")
	poll := page.page(t).Find("#check").AttrOr("hx-get", "")
	part := b.get(poll)
	if part.status != http.StatusOK || strings.Contains(part.body, "<html") || part.page(t).Find("#check").AttrOr("hx-get", "") != poll {
		t.Errorf("status %d: %s", part.status, part.body)
	}
	if again := b.post(b.path+"/check", nil); again.location() != got.location() {
		t.Errorf("while one is under way: to %s, want %s", again.location(), got.location())
	}

	id := int64(b.count("select max(id) from sync_runs"))
	if err := b.store.DelayRun(t.Context(), id, time.Hour, string(ledger.ReasonServer), 503); err != nil {
		t.Fatal(err)
	}
	b.get(poll).says(t, "#check", "As far as Furrow knows", "Harvest did not answer (503).")
	run, err := b.store.Run(t.Context(), id, b.clockNow())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Mirror(run).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	part = b.get(poll)
	part.says(t, "#check", "1 sent, 1 found, 0 double. Read from Harvest at ")
	if part.page(t).Find("#check[hx-get]").Length() != 0 || part.page(t).Find("#check .s-sent").Length() != 1 {
		t.Errorf("the end: %s", part.body)
	}

	b.user(bobEmail, false)
	bob := b.loggedIn(bobEmail)
	if got := bob.get(poll); got.status != http.StatusNotFound {
		t.Errorf("somebody else's run: status %d", got.status)
	}
	if got := bob.post(b.path+"/check", nil); got.status != http.StatusConflict || !strings.Contains(got.body, "nothing to compare with") {
		t.Errorf("without a connection: status %d", got.status)
	}
	if got := bob.get(b.path + "/check"); got.status != http.StatusOK || !strings.Contains(got.body, "0 sent, 0 found, 0 double.") {
		t.Errorf("without a connection: status %d", got.status)
	}
	if got := b.get(b.path + "/check?run=x"); got.status != http.StatusNotFound {
		t.Errorf("no run: status %d", got.status)
	}
}

// TestCheckFails: a check that could not be made says so.
func TestCheckFails(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	got := b.post(b.path+"/check", nil)
	id := int64(b.count("select max(id) from sync_runs"))
	if err := b.store.FailRun(t.Context(), id, string(ledger.ReasonForbidden), 403); err != nil {
		t.Fatal(err)
	}
	page := b.get(got.location())
	page.says(t, "#check", "As far as Furrow knows", "Harvest does not allow it (403).")
	if page.page(t).Find("#check[hx-get], #check .s-sent").Length() != 0 {
		t.Errorf("%s", page.body)
	}
}

// TestCheckOfAnotherWeek: a sync that was under way already may not have read
// the week.
func TestCheckOfAnotherWeek(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	old := b.week
	for range 30 {
		old = old.Previous()
	}
	b.post(b.path+"/check", nil)
	got := b.post(views.WeekPath(old)+"/check", nil)
	id := int64(b.count("select max(id) from sync_runs"))
	run, err := b.store.Run(t.Context(), id, b.clockNow())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Mirror(run).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.get(got.location()).says(t, "#check", "As far as Furrow knows", "did not read all of this week. Check once more.")
}

// TestCheckWords: everything that differs is told in words, with a way to it.
func TestCheckWords(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	b.deleted(70)
	b.sent(0, 1, 71)
	b.entry(0, 1, 71, 175, "ours")
	b.sent(1, 0, 72)
	b.entry(1, 0, 72, 100, "theirs")
	b.sent(1, 1, 73)
	b.entry(0, 2, 73, 100, "ours")
	b.sent(1, 2, 74)
	reference := b.cell(1, 2).Ours.ID
	b.entry(1, 2, 75, 100, "ours", func(e *ledger.RemoteEntry) {
		e.ReferenceID, e.ReferenceGroup = "furrow:"+reference+":1", ledger.ReferenceGroup
	})
	b.entry(1, 3, 76, 50, "", func(e *ledger.RemoteEntry) {
		e.ReferenceID, e.ReferenceGroup = "furrow:nobody:1", ledger.ReferenceGroup
	})
	b.plan(1, 4, 60, "")
	b.sends(1, 4, refused)
	page := b.get(b.path + "/check")
	page.says(t, "#check", "5 sent, 4 found, 1 double.",
		"not found 1:00 was sent, and was deleted in Harvest since.",
		"changed 1:00 was sent, Harvest has 1:45.",
		"changed 1:00 as it was sent, but the note was changed: “ours” was sent, Harvest has “theirs”.",
		"moved It was moved in Harvest and is on "+shortDay(b.week.Day(2))+" · Birch & Sons Website Design now, with 1:00.",
		"double It was booked a second time, as entry 75. Entry 74 stays. The other one is not removed by itself",
		"not known here Entry 76 with 0:30 says that Furrow made it, but nothing here knows it.",
		"Not sent, or not settled Birch & Sons Website Review", "needs you Harvest refused it (422).",
	)
	if n := page.page(t).Find(`#check a[href^="` + b.path + `/cells/"]`).Length(); n != 7 {
		t.Errorf("%d links to cells, want 7", n)
	}
	if page.page(t).Find("#check .verdict.s-sent").Length() != 0 {
		t.Error("it says that all is well")
	}
}
