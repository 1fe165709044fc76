package e2e

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// What was done to a week is told; a change is taken back long after, and the
// week becomes what it was, and is taken back from that; with script and
// without.
func TestHistory(t *testing.T) {
	t.Parallel()
	_, p, monday, rows := planning(t, 1)
	r := rows[0]
	tuesday, week := monday.AddDate(0, 0, 1), weekPath(monday)

	p.open(week)
	p.edit(r, monday, "1:30")
	p.cellHolds(r, monday, "1:30")
	p.edit(r, monday, "2")
	p.cellHolds(r, monday, "2:00")
	p.edit(r, tuesday, "3")
	p.cellHolds(r, tuesday, "3:00")

	// Take the second of three changes back.
	p.click("link", "History")
	p.find("heading", is("Consulting · Workshops, Tue 7 Jan: 0:00 → 3:00"))
	second := p.find("article", is("Consulting · Workshops, Mon 6 Jan: 1:30 → 2:00"))
	mustCall[any](second, `function() { this.querySelector("form button").click() }`)
	p.sees("Undone: an edit.")
	p.open(week)
	p.cellHolds(r, monday, "1:30")
	p.cellHolds(r, tuesday, "3:00")

	// Back to how it was after the first, and back from that.
	restore := func(p *page) {
		t.Helper()
		p.open(week + "/history")
		first := p.find("article", is("Consulting · Workshops, Mon 6 Jan: 0:00 → 1:30"))
		p.open(mustCall[string](first, `function() { return this.querySelector("a").pathname }`))
		p.sees("Tue 7 Jan 3:00 nothing")
		p.click("button", "Restore the week")
		p.sees("The week is restored.")
		p.cellHolds(r, monday, "1:30")
		p.cellHolds(r, tuesday, "")
	}
	restore(p)
	p.open(week)
	p.clickOn("button", begins("Undo"))
	p.cellHolds(r, tuesday, "3:00")

	plain := p.secondTab()
	command(plain, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	restore(plain)
	plain.click("link", "History")
	plain.find("heading", is("Restoring the week: Consulting · Workshops, Tue 7 Jan: 3:00 → 0:00"))
	plain.clickOn("button", begins("Undo this"))
	plain.sees("Undone: restoring the week.")
	plain.open(week)
	plain.cellHolds(r, tuesday, "3:00")
}
