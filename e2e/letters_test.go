package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
)

// arrives waits until the tab is at a path, and its scripts have run.
func (p *page) arrives(path string) {
	p.tb.Helper()
	waitFor(p.tb, patience, "to be at "+path, func() error {
		if at := eval[string](p, `document.readyState + " " + location.pathname`); at != "complete "+path {
			return errors.New("it is at " + at)
		}
		return nil
	})
}

// finding waits until the focus is where rows are found.
func (p *page) finding() {
	p.tb.Helper()
	waitFor(p.tb, patience, "the focus to be in the finder", func() error {
		if !eval[bool](p, `document.activeElement.matches("[role=combobox]")`) {
			return errors.New("it is at " + p.focused())
		}
		return nil
	})
}

// heard makes the page remember the events that keys raise for others.
func (p *page) heard() func(want string) {
	p.tb.Helper()
	eval[any](p, `window.heard = []; for (const n of ["quick", "palette"]) document.addEventListener("furrow:" + n, () => window.heard.push(n))`)
	return func(want string) {
		p.tb.Helper()
		if got := strings.Join(eval[[]string](p, `window.heard`), " "); got != want {
			p.tb.Errorf("raised: %q, want %q", got, want)
		}
	}
}

// Single letters do what the list of keys says, and keys with Ctrl what they do
// everywhere.
func TestLetters(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	ida.setUp()
	day, rows := today(t), freeRows()[:2]
	ida.plan(day, rows, "1", "2")
	p := openTab(t, program).loggedIn(ida)
	const shift, ctrl = chromedp.ModifierShift, chromedp.ModifierCtrl
	p.open("/week")
	week := p.path()

	// The note of a cell, and Escape back to the cell.
	p.cell(rows[0], day).focus()
	p.press("n")
	note := p.find("textbox", is("Note"))
	waitFor(t, patience, "the focus to be in the note", func() error {
		if !mustCall[bool](note, `function() { return this === document.activeElement }`) {
			return errors.New("it is at " + p.focused())
		}
		return nil
	})
	p.press("nap" + kb.Escape) // letters are text here
	p.panelCloses()
	p.at(rows[0], day)

	// Undo and redo, as often as they are pressed.
	p.press("3" + kb.Enter)
	p.cellHolds(rows[0], day, "3:00")
	p.cell(rows[0], day).focus()
	p.press("4" + kb.Enter)
	p.cell(rows[1], day).focus()
	p.press(kb.Delete)
	p.press("uu")
	p.chord(ctrl, "z")
	p.cellHolds(rows[0], day, "1:00")
	p.cellHolds(rows[1], day, "2:00")
	p.chord(ctrl|shift, "Z")
	p.chord(ctrl, "y")
	p.cellHolds(rows[0], day, "4:00")
	p.cellHolds(rows[1], day, "2:00")

	// In a cell that is edited, Ctrl+Z is the browser's.
	p.cell(rows[0], day).focus()
	p.press(kb.F2 + "5")
	p.chord(ctrl, "z")
	p.press(kb.Escape)
	p.cellHolds(rows[0], day, "4:00")

	// Others, of this page and of no page.
	heard := p.heard()
	for _, key := range []string{"q", "/"} {
		p.press(key)
		p.find("textbox", is("Row, time, days and note"))
		p.press(kb.Escape)
		p.gone("textbox", "Row, time, days and note")
	}
	p.chord(ctrl, "k")
	p.find("dialog", is("Find anything"))
	p.press(kb.Escape)
	p.gone("dialog", "Find anything")
	heard("quick quick palette")
	p.press("a")
	p.finding()

	// Through the weeks, in the same cell.
	p.cell(rows[0], day).focus()
	p.press("]")
	next := day.AddDate(0, 0, 7)
	p.arrives(weekPath(next.AddDate(0, 0, -dayOf(next))))
	p.press("[")
	p.arrives(week)
	p.press("[")
	p.arrives(weekPath(day.AddDate(0, 0, -7-dayOf(day))))
	p.press("t")
	p.arrives(week)

	// The timer, and what is to be pushed.
	p.cell(rows[0], day).focus()
	p.press("s")
	p.sees("The timer is starting.")
	waitFor(t, patience, "Harvest to have the timer", func() error {
		if found := entriesOf(t, sandbox, rows[0], day); len(found) != 1 || !found[0].IsRunning {
			return fmt.Errorf("it has %v", found)
		}
		return nil
	})
	p.press("p")
	p.arrives(week + "/push")

	// The list, and its switch.
	p.open("/week")
	p.press("?")
	p.find("dialog", is("Keys"))
	p.sees("Single letters are switched on.")
	p.press("n") // nothing behind it
	p.click("link", "Change that")
	p.arrives("/settings")
	p.choose("Single-letter keys", "Off")
	p.click("button", "Save")
	p.sees("Your settings are saved.")
	p.open("/week")
	heard = p.heard()
	p.cell(rows[0], day).focus()
	p.press("nqt?")
	heard("")
	if open, err := p.lookFor("dialog", func(string) bool { return true }); err != nil || len(open) > 0 {
		t.Errorf("a letter opened something: %v %v", open, err)
	}
	if at := p.path(); at != week {
		t.Errorf("a letter led to %s", at)
	}
	p.chord(shift, kb.F2)
	p.find("textbox", is("Note"))
	p.press(kb.Escape)
	p.panelCloses()
	p.click("link", "Keys")
	p.sees("Single letters are switched off.")
}

// A cell with nothing in it says so, and its note can be opened.
func TestBlankCell(t *testing.T) {
	t.Parallel()
	_, p, monday, rows := planning(t, 1)
	r := rows[0]
	p.open(weekPath(monday))
	tuesday := monday.Add(24 * time.Hour)

	blank := p.find("textbox", is(r.String()+" Tuesday 7 January, nothing planned"))
	if in := mustCall[string](blank, `function() { return this.closest("td").computedRole ?? "gridcell" }`); in != "gridcell" {
		t.Errorf("it is in a %s", in)
	}
	p.cell(r, tuesday).focus()
	p.press("n")
	p.find("textbox", is("Note")).write("Bring the plans")
	p.click("button", "Save")
	p.panelCloses()
	p.find("link", is("planned, note and details"))
	p.cell(r, tuesday).focus()
	p.press("1:30" + kb.Enter)
	p.find("textbox", is(r.String()+", Tuesday 7 January, planned 1 hour 30"))
}
