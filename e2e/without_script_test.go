package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"furrow/harvest/sandbox/sandboxtest"
)

// The main path with scripts off: every form is a plain form, and what goes on
// is seen by loading the page again.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	day := today(t)
	rows := freeRows()[:3]
	p := openTab(t, program)
	p.expect("status of 422")
	command(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})

	p.open("/")
	p.makeAccount()
	p.click("link", "Connect Harvest")
	p.connect(sandboxtest.Token, "1001")
	p.sees("Connected with Ida Berg Studio")
	p.reloadUntil(patience, "In step with Harvest")

	// All cells in one go. What cannot be stored keeps nothing else from it.
	for _, r := range rows {
		p.addRowByForm(r)
	}
	for i, typed := range []string{"1:30", "30", "45m"} {
		p.cell(rows[i], day).write(typed)
	}
	p.click("button", "Save the week")
	p.cellShows(patience, rows[1], day, "30 min?")
	p.answers(rows[1], day, "30 min")
	p.cellHolds(rows[0], day, "1:30")
	p.cellHolds(rows[1], day, "0:30")
	p.cellHolds(rows[2], day, "0:45")

	// A note, on the cell's own page.
	p.openPanel(rows[0], day)
	if path := p.path(); !strings.Contains(path, "/cells/") {
		t.Errorf("the details are at %s, want a page of their own", path)
	}
	p.fill("Note", "Prep call\nand slides")
	p.click("button", "Save")
	p.cell(rows[0], day)

	p.push()
	p.sees("3 lines are scheduled.")
	p.reloadUntil(patience, "In step with Harvest")
	for _, r := range rows {
		p.cellShows(patience, r, day, "in Harvest")
	}
	checkOnce(t, sandbox, rows[0], day, "1.5", "Prep call\nand slides")
	checkOnce(t, sandbox, rows[1], day, "0.5", "")
	checkOnce(t, sandbox, rows[2], day, "0.75", "")

	// The same for a failure and its retry.
	locked := day.Format(time.DateOnly)
	sandbox.Lock(t, sandboxtest.UserID, locked, locked)
	p.cell(rows[2], day).write("1")
	p.click("button", "Save the week")
	p.cellHolds(rows[2], day, "1:00")
	p.push()
	p.reloadUntil(patience, "Harvest refused something")
	sandbox.Unlock(t, sandboxtest.UserID, locked, locked)
	p.click("link", "Ledger")
	p.click("button", "Try again now")
	p.sees("It is tried again now.")
	p.click("link", "Week")
	p.sees("Review and push")
	p.reloadUntil(patience, "In step with Harvest")
	checkOnce(t, sandbox, rows[2], day, "1", "")
}
