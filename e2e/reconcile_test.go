package e2e

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
)

// Somebody changes an entry in Harvest; it is shown with both values over the
// week, and taken. What was not worked is settled on the page that steps through
// the week, on a phone and by keyboard. The self-check says that all is well.
func TestReconcile(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	ida.setUp()
	day, rows := today(t), freeRows()
	ida.plan(day, rows[:1], "1")
	ida.push()
	week := ida.get("/week").url.Path
	var entry int64
	waitFor(t, recovery, "the entry in Harvest", func() error {
		for _, e := range sandbox.State(t).Entries() {
			if e.ExternalReference != nil && e.ExternalReference.GroupID == ledger.ReferenceGroup {
				entry = e.ID
				return nil
			}
		}
		return errors.New("it is not there")
	})
	sandbox.WebUpdate(t, entry, map[string]any{"hours": 1.75, "notes": "With the drawings"})
	ida.plan(day, rows[1:2], "2")
	ida.post(week+"/sync", url.Values{})

	p := openTab(t, program).loggedIn(ida)
	p.open(week)
	p.cellShows(recovery, rows[0], day, "1:45 changed")
	link := p.cell(rows[0], day)
	mustCall[any](link, `function() { this.closest("td").querySelector("a.d").click() }`)
	p.sees("Sent before")
	p.sees("With the drawings")
	p.click("button", "Take Harvest's")
	p.sees("The plan is what Harvest has.")
	p.cellHolds(rows[0], day, "1:45")

	p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(375, 740)))
	p.clickOn("link", func(name string) bool {
		return strings.HasSuffix(name, " differ") || strings.HasSuffix(name, " differs")
	})
	p.sees("All that differs")
	p.clickOn("link", begins(rows[1].String()))
	p.sees("2:00 less than planned")
	if wide := eval[int](p, `document.documentElement.scrollWidth`); wide > 375 {
		t.Errorf("the page is %d wide on a phone", wide)
	}
	button := p.find("button", is("Plan nothing, as tracked"))
	mustCall[any](button, `function() { this.focus() }`)
	p.press(kb.Enter)
	p.sees("The plan is what Harvest has.")
	if gone, err := p.lookFor("link", begins(rows[1].String())); err != nil || len(gone) > 0 {
		t.Errorf("it is still in the list: %d, %v", len(gone), err)
	}

	p.open(week + "/check")
	p.click("button", "Read Harvest and check")
	p.seesWithin(recovery, "Read from Harvest at")
	p.sees("1 sent, 1 found, 0 double.")
}
