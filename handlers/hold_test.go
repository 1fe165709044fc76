package handlers

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/ledger"
)

// TestHeld: while a connection is held, every page that shows what waits says
// why nothing is sent, and promises no time.
func TestHeld(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.ida()
	connection := b.connect(id)
	waits := b.write(id, connection, seeded{state: ledger.Retry, reason: "server", status: 503, wait: 5 * time.Minute})
	ida := b.loggedIn(idaEmail)
	const week, why = "/weeks/2026-11-23", "Furrow's database was put back to an earlier state. Nothing is sent until Harvest has been compared with it."
	if body := ida.get(week).body; strings.Contains(body, why) || !strings.Contains(body, "Next try ") {
		t.Error("the week speaks of a hold before there is one, or not of the next try")
	}
	if _, err := b.store.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}

	page := ida.get(week)
	for _, want := range []struct{ selector, text string }{
		{"#sync-status .headline", "Sync with Harvest queued"},
		{"#sync-status .sentence", why + " 1 change is safe here."},
	} {
		if got := page.text(t, want.selector); got != want.text {
			t.Errorf("%s says %q, want %q", want.selector, got, want.text)
		}
	}
	if !strings.Contains(page.body, `hx-get="/sync/status`) {
		t.Error("the page does not ask for the end of the hold")
	}
	if got := ida.get(week+"/push").text(t, ".flash.note"); !strings.Contains(got, why) {
		t.Errorf("the review says %q", got)
	}
	if got := ida.get("/ledger").text(t, "#w-"+strconv.FormatInt(waits, 10)+" .why"); got != why+" After that it is sent by itself, unless Harvest has it already." {
		t.Errorf("the ledger says %q", got)
	}
	b.user(rootEmail, true)
	if body := b.loggedIn(rootEmail).get("/admin/connections").body; !strings.Contains(body, "not before a sync") {
		t.Error("admins do not see the hold")
	}
	for _, address := range []string{week, week + "/push", "/ledger"} {
		if strings.Contains(ida.get(address).body, "Next try ") {
			t.Errorf("%s promises a time", address)
		}
	}
}
