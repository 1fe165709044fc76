package e2e

import (
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// recovery is how long it may take after an outage until what waited is sent:
// the pauses between tries grow while it lasts.
const recovery = 60 * time.Second

// The main path of the product, start to end.
func TestMainJob(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	day := today(t)
	rows := freeRows()
	workshops, illustration, research, testing := rows[0], rows[1], rows[2], rows[3]
	p := openTab(t, program)

	p.open("/")
	p.makeAccount()
	p.sees("Three ways to begin")

	// The first import is seen as it goes.
	sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Path: "/v2/time_entries"}, Times: 1, Fault: "delay", DelayMS: 2500})
	p.click("link", "Connect Harvest")
	p.connect(sandboxtest.Token, "1001")
	p.sees("Connected with Ida Berg Studio")
	p.sees("Syncing with Harvest")
	p.sees("In step with Harvest")

	// Three cells, typed as people type, one with a note.
	for _, r := range rows[:4] {
		p.addRow(r)
	}
	p.edit(workshops, day, "1:30")
	p.edit(illustration, day, "2")
	p.edit(research, day, "45m")
	p.cellHolds(workshops, day, "1:30")
	p.cellHolds(illustration, day, "2:00")
	p.cellHolds(research, day, "0:45")
	p.openPanel(workshops, day)
	p.fill("Note", "Prep call, and slides")
	p.click("button", "Save")
	p.panelCloses()

	// Push today. The cells change by themselves.
	p.clickOn("link", begins("Push 3"))
	p.sees("Nothing has been sent yet.")
	p.sees("Prep call, and slides")
	p.click("button", "Send 3 lines")
	p.sees("3 lines are scheduled.")
	eval[any](p, `window.sameDocument = true`)
	for _, r := range []row{workshops, illustration, research} {
		p.cellShows(patience, r, day, "in Harvest")
	}
	if !eval[bool](p, `window.sameDocument === true`) {
		t.Error("the cells changed by loading the page again")
	}
	checkOnce(t, sandbox, workshops, day, "1.5", "Prep call, and slides")
	checkOnce(t, sandbox, illustration, day, "2", "")
	checkOnce(t, sandbox, research, day, "0.75", "")

	// Harvest goes down while something is pushed. Planning goes on.
	p.click("button", "Down")
	p.sees("It is down now")
	p.edit(testing, day, "3.5")
	p.cellHolds(testing, day, "3:30")
	p.push()
	p.cellShows(patience, testing, day, "waiting")
	p.sees("1 change is safe here. Next try")
	p.edit(illustration, day, "2,25")
	p.cellHolds(illustration, day, "2:15")
	if found := entriesOf(t, sandbox, testing, day); len(found) > 0 {
		t.Errorf("during the outage Harvest got %v", found)
	}

	// It comes back, and what waited is sent without a click.
	p.click("button", "All is well")
	p.sees("It answers normally.")
	p.cellShows(recovery, testing, day, "in Harvest")
	checkOnce(t, sandbox, testing, day, "3.5", "")

	// A day is locked there after it was read. The refusal says why.
	locked := day.Format(time.DateOnly)
	sandbox.Lock(t, sandboxtest.UserID, locked, locked)
	p.push()
	p.cellShows(patience, illustration, day, "needs you")
	p.openPanel(illustration, day)
	p.sees("Item Approved and Locked for this Time Period")
	p.click("link", "Back to the week")
	checkOnce(t, sandbox, illustration, day, "2", "")

	// It is unlocked there, and an admin has it tried again.
	sandbox.Unlock(t, sandboxtest.UserID, locked, locked)
	p.click("link", "Admin")
	p.click("link", "Writes")
	p.clickOn("button", begins("Try again"))
	p.sees("is tried again")
	p.click("link", "Audit")
	p.sees("tried a write again")
	p.click("link", "Week")
	p.cellShows(patience, illustration, day, "in Harvest")
	checkOnce(t, sandbox, illustration, day, "2.25", "")

	// Nothing is left, and nothing was booked besides.
	p.click("link", "Review and push")
	p.sees("Nothing to send.")
	if got := ours(sandbox.State(t)); got != len(rows[:4]) {
		t.Errorf("Harvest holds %d entries of ours, want 4", got)
	}
}
