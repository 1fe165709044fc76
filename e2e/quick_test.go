package e2e

import (
	"errors"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chosen waits until an option is the one that Enter takes.
func (p *page) chosen(name match) {
	p.tb.Helper()
	waitFor(p.tb, patience, "an option to be chosen", func() error {
		is, err := call[bool](p.find("option", name), `function() { return this.ariaSelected === "true" && document.activeElement.getAttribute("aria-activedescendant") === this.id }`)
		if err == nil && !is {
			err = errors.New("another one is")
		}
		return err
	})
}

// ready waits until the scripts of the page have run.
func (p *page) ready() {
	p.tb.Helper()
	waitFor(p.tb, patience, "the page to be ready", func() error {
		if state := eval[string](p, `document.readyState`); state != "complete" {
			return errors.New(state)
		}
		return nil
	})
}

// Rows are found and added, a line is taken apart and added, and everything is
// found in the palette, all by keys.
func TestQuick(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	as := newPerson(t, program)
	as.setUp()
	monday, workshops, illustration := farMonday(), freeRows()[0], freeRows()[1]
	tuesday, week := monday.AddDate(0, 0, 1), weekPath(monday)
	p := openTab(t, program).loggedIn(as)

	// The finder.
	p.open(week)
	finder := p.find("combobox", is("Find a row"))
	finder.write("cat")
	p.chosen(begins("Harbour Books Catalogue Redesign"))
	first := p.find("option", begins("Harbour Books Catalogue Redesign")).name
	p.press(kb.ArrowDown)
	p.chosen(func(name string) bool { return name != first })
	p.press(kb.ArrowUp)
	p.chosen(is(first))
	p.press(kb.Escape)
	p.gone("option", first)
	finder.write("ill cat")
	p.chosen(is(illustration.String()))
	p.press(kb.Enter)
	p.at(illustration, monday)
	p.find("combobox", is("Find a row")).write("cat ill")
	p.chosen(is(illustration.String() + " in this week"))
	p.press(kb.Enter)
	p.at(illustration, monday)

	// Quick add.
	const line = "Row, time, days and note"
	eval[any](p, `document.dispatchEvent(new Event("furrow:quick"))`)
	p.press("works consulting 2h mon+tue prep call") // without waiting for the dialog
	p.sees("prep call")
	p.find("button", is("Add 4:00"))
	p.press(kb.Enter)
	p.cellHolds(workshops, monday, "2:00")
	p.cellHolds(workshops, tuesday, "2:00")
	p.gone("dialog", "Quick add")
	p.click("link", "Quick add")
	p.fill(line, "works consulting 20 tue")
	p.sees("Tue 7 Jan")
	p.click("link", "20 min")
	p.sees("2:00 → becomes 2:20")
	p.click("button", "Add 0:20")
	p.cellHolds(workshops, tuesday, "2:20")
	p.sees("Consulting · Workshops: 0:20 added on Tue 7 Jan.")
	p.open(week)
	p.clickOn("button", begins("Undo"))
	p.cellHolds(workshops, tuesday, "2:00")
	p.clickOn("button", begins("Undo"))
	p.rowGone(workshops, monday)

	// The palette.
	eval[any](p, `document.dispatchEvent(new Event("furrow:palette"))`)
	p.find("combobox", is("Command, row or date")).write("consulting works")
	p.chosen(is(workshops.String() + " add to this week"))
	p.press(kb.Enter)
	p.at(workshops, monday)
	p.click("link", "Find…")
	p.find("combobox", is("Command, row or date")).write("hist")
	p.chosen(is("History"))
	p.press(kb.Enter)
	p.sees("Every change of the plan of this week.")
	p.ready()
	p.chord(chromedp.ModifierCtrl, "k")
	p.find("combobox", is("Command, row or date")).write(tuesday.Format(time.DateOnly))
	p.chosen(begins(spoken(tuesday)))
	p.press(kb.Enter)
	p.cell(workshops, tuesday)
	if path := p.path(); path != week {
		t.Errorf("a date leads to %s, want %s", path, week)
	}

	// Without script: the same line, as a page and a form.
	plain := p.secondTab()
	command(plain, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	plain.open(week)
	plain.click("link", "Quick add")
	plain.fill(line, "works consulting 1:30 tue")
	plain.click("button", "Show what it means")
	plain.click("button", "Add 1:30")
	plain.sees("Consulting · Workshops: 1:30 added on Tue 7 Jan.")
	plain.cellHolds(workshops, tuesday, "1:30")
	plain.click("link", "Find…")
	plain.click("link", "Previous week [")
	plain.sees("30 December 2030 – 5 January 2031")
}
