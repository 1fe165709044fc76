package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
)

// tabTo presses Tab until the focus is on what is called so.
func (p *page) tabTo(name match) {
	p.tb.Helper()
	var passed []string
	for range 60 {
		p.press(kb.Tab)
		at := words(eval[string](p, `(e => e.ariaLabel || e.innerText || e.tagName)(document.activeElement)`))
		if name(at) {
			return
		}
		passed = append(passed, at)
	}
	p.tb.Fatalf("Tab does not get there, but to %q", passed)
}

// down goes to a cell from the first row of its day.
func (p *page) down(r row, day time.Time) {
	p.tb.Helper()
	for range 60 {
		if mustCall[bool](p.cell(r, day), `function() { return this === document.activeElement }`) {
			return
		}
		p.press(kb.ArrowDown)
	}
	p.tb.Fatalf("down there is no %s", r)
}

// A whole week is planned, copied, undone, done again and pushed without a mouse.
func TestKeyboardOnly(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	ida.setUp()
	rows := freeRows()[:2] // in the order of the grid
	now := today(t)
	this := now.AddDate(0, 0, -dayOf(now))
	next := this.AddDate(0, 0, 7) // like this, a Monday
	p := openTab(t, program).loggedIn(ida)
	const ctrl = chromedp.ModifierCtrl

	// Two rows.
	p.open("/week")
	p.arrives(weekPath(this))
	for _, r := range rows {
		p.press("a")
		p.finding()
		p.chord(ctrl, "a") // the browser's protocol types a letter also where its key has done something
		p.press(r.String())
		p.chosen(is(r.String()))
		p.press(kb.Enter)
		p.at(r, this)
	}

	// A day after the other, and the second row filled from the first.
	p.chord(ctrl, kb.Home)
	p.down(rows[0], this)
	planned := []string{"1:30", "2:00", "0:45", "0:30", "1:00"}
	p.press("1:30" + kb.Tab + "2" + kb.Tab + "45m" + kb.Tab + ":30" + kb.Tab + "1" + kb.Enter)
	p.press(kb.Home + kb.ArrowUp)
	p.down(rows[0], this)
	for range 4 {
		p.chord(chromedp.ModifierShift, kb.ArrowRight)
	}
	p.chord(ctrl, "c")
	p.press(kb.Home)
	p.down(rows[1], this)
	p.chord(ctrl, "v")
	holds := func(monday time.Time) {
		t.Helper()
		for _, r := range rows {
			for n, text := range planned {
				p.cellHolds(r, monday.AddDate(0, 0, n), text)
			}
		}
	}
	holds(this)

	// All of it into the next week; back, and forth again.
	p.press("]")
	p.arrives(weekPath(next))
	p.tabTo(is("Fill the week"))
	p.press(kb.Enter)
	p.tabTo(begins("Copy last week"))
	p.press(kb.Enter)
	p.sees("Nothing is changed yet.")
	p.tabTo(begins("Rows and plan"))
	p.press(kb.Enter)
	p.tabTo(begins("Add 4 rows and 11:30"))
	p.press(kb.Enter)
	p.arrives(weekPath(next))
	holds(next)
	p.chord(ctrl, "z")
	waitFor(t, patience, "the copied rows to go", func() error {
		if seen := p.text(); strings.Contains(seen, "11:30") {
			return fmt.Errorf("the page says: %s", seen)
		}
		return nil
	})
	p.chord(ctrl, "y")
	holds(next)

	// This week to Harvest, with the days that are still to come.
	p.press("t")
	p.arrives(weekPath(this))
	p.press("p")
	p.arrives(weekPath(this) + "/push")
	for range 2 * len(planned) {
		p.tabTo(func(name string) bool {
			return strings.Contains(name, rows[0].task) || strings.Contains(name, rows[1].task)
		})
		if !eval[bool](p, `document.activeElement.checked`) {
			p.press(" ")
		}
	}
	p.tabTo(begins("Send "))
	p.press(kb.Enter)
	p.sees("10 lines are scheduled.")
	hours := []string{"1.5", "2", "0.75", "0.5", "1"}
	for _, r := range rows {
		for n, want := range hours {
			p.cellShows(patience, r, this.AddDate(0, 0, n), "in Harvest")
			checkOnce(t, sandbox, r, this.AddDate(0, 0, n), want, "")
		}
	}
}
