package e2e

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// farMonday begins a week in which nothing is but what a test puts there.
func farMonday() time.Time { return time.Date(2031, time.January, 6, 0, 0, 0, 0, time.UTC) }

func weekPath(monday time.Time) string { return "/weeks/" + monday.Format(time.DateOnly) }

// addRows puts rows into a week.
func (p *person) addRows(monday time.Time, rows ...row) {
	p.tb.Helper()
	options := p.get(weekPath(monday)).Find("#add-row option")
	for _, r := range rows {
		for _, option := range options.EachIter() {
			if option.Parent().AttrOr("label", "") == r.client && option.Text() == r.project+" · "+r.task {
				p.post(weekPath(monday)+"/rows", url.Values{"project_task": {option.AttrOr("value", "")}})
			}
		}
	}
}

// stored is what the server has in the cells of a row, from Monday on.
func (p *person) stored(monday time.Time, r row) (texts [7]string) {
	p.tb.Helper()
	week := p.get(weekPath(monday))
	for day := range texts {
		spoken := r.String() + ", " + spoken(monday.AddDate(0, 0, day))
		texts[day] = week.Find(fmt.Sprintf("input[aria-label^=%q]", spoken)).AttrOr("value", "")
	}
	return texts
}

// chord presses a key together with others.
func (p *page) chord(with chromedp.Modifier, key string) {
	p.tb.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.KeyEvent(key, chromedp.KeyModifiers(with))))
}

// at waits until the focus is in a cell.
func (p *page) at(r row, day time.Time) {
	p.tb.Helper()
	waitFor(p.tb, patience, "the focus to be at "+r.String()+", "+spoken(day), func() error {
		focused, err := call[bool](p.cell(r, day), `function() { return this === document.activeElement }`)
		if err == nil && !focused {
			err = fmt.Errorf("it is at %s", p.focused())
		}
		return err
	})
}

// focused is how what has the focus is called, or what it reads.
func (p *page) focused() string {
	p.tb.Helper()
	return eval[string](p, `(e => e.ariaLabel || e.innerText || e.getAttribute("name") || e.tagName)(document.activeElement)`)
}

// planning is somebody who has put so many rows into a week, with a tab of theirs.
func planning(t *testing.T, n int) (ida *person, p *page, monday time.Time, rows []row) {
	t.Helper()
	program := startProgram(t, "--sandbox")
	ida = newPerson(t, program)
	ida.setUp()
	monday, rows = farMonday(), freeRows()[:n] // in the order of the grid
	ida.addRows(monday, rows...)
	return ida, openTab(t, program).loggedIn(ida), monday, rows
}

// The whole keyboard map of the grid: moving, and editing.
func TestGridKeys(t *testing.T) {
	t.Parallel()
	ida, p, monday, rows := planning(t, 3)
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	p.expect("status of 422")
	p.open(weekPath(monday))

	// Tab finds one cell, and the next Tab leaves the grid.
	p.cell(rows[0], day(0))
	mustCall[any](p.find("link", is("Next week")), `function() { this.focus() }`)
	for p.focused() != "Review and push" {
		p.press(kb.Tab)
	}
	p.press(kb.Tab)
	p.at(rows[0], day(0))
	p.press(kb.Tab)
	if inside := eval[bool](p, `!!document.activeElement.closest("[role=grid]")`); inside {
		t.Errorf("a second Tab is still in the grid, at %s", p.focused())
	}
	p.chord(chromedp.ModifierShift, kb.Tab)
	p.at(rows[0], day(0))

	const shift, ctrl = chromedp.ModifierShift, chromedp.ModifierCtrl
	move := func(with chromedp.Modifier, key string, row, n int) {
		t.Helper()
		p.chord(with, key)
		p.at(rows[row], day(n))
	}
	p.press(kb.ArrowUp)
	if head := words(p.focused()); head != "Day off on Monday 6 January" {
		t.Errorf("above the first row is %s", head)
	}
	move(0, kb.ArrowDown, 0, 0)
	move(0, kb.ArrowDown, 1, 0)
	move(0, kb.ArrowRight, 1, 1)
	move(0, kb.End, 1, 6)
	move(0, kb.ArrowRight, 1, 6)
	move(0, kb.ArrowDown, 2, 6)
	move(0, kb.ArrowDown, 2, 6)
	move(ctrl, kb.Home, 0, 0)
	move(ctrl, kb.End, 2, 6)
	move(0, kb.Home, 2, 0)
	p.press(kb.ArrowLeft)
	if head := p.focused(); head != "Remove Brand Identity Research" {
		t.Errorf("left of the first day is %s", head)
	}
	move(0, kb.ArrowRight, 2, 0)
	if values := ida.stored(monday, rows[2]); values != [7]string{} {
		t.Errorf("moving stored %q", values)
	}

	// Typing replaces; Enter goes down, Tab right, with Shift up and left; an
	// arrow commits and moves.
	move(ctrl, kb.Home, 0, 0)
	p.press("1")
	move(0, kb.Enter, 1, 0)
	p.press("2")
	move(0, kb.Tab, 1, 1)
	p.press("3")
	move(shift, kb.Enter, 0, 1)
	p.press("4")
	move(shift, kb.Tab, 0, 0)
	p.press(":30")
	move(0, kb.ArrowRight, 0, 1)
	p.cellHolds(rows[0], day(0), "0:30")
	p.cellHolds(rows[0], day(1), "4:00")
	p.cellHolds(rows[1], day(0), "2:00")
	p.cellHolds(rows[1], day(1), "3:00")

	// F2 and Enter keep the text, and the arrows move the caret in it.
	p.press(kb.F2 + kb.ArrowLeft + kb.ArrowLeft + kb.Backspace + kb.Backspace + "1:")
	move(0, kb.Enter, 1, 1)
	p.cellHolds(rows[0], day(1), "1:00")
	p.press(kb.Enter + kb.Backspace + kb.Backspace + "45")
	move(0, kb.ArrowUp, 0, 1)
	p.cellHolds(rows[1], day(1), "3:45")

	// Escape takes back what is typed, and sends nothing.
	before := len(p.asked("/cells"))
	p.press("7" + kb.Escape)
	p.at(rows[0], day(1))
	p.cellHolds(rows[0], day(1), "1:00")
	p.press(kb.F2 + "5" + kb.Escape)
	p.cellHolds(rows[0], day(1), "1:00")

	// Letters are no text. In a cell that is edited they are, and are answered.
	p.press("xyz")
	p.cellHolds(rows[0], day(1), "1:00")
	if after := len(p.asked("/cells")); after > before {
		t.Errorf("%d requests for what was taken back", after-before)
	}
	p.press("2x" + kb.Enter)
	p.cellShows(patience, rows[0], day(1), "Not a duration.")
	p.press(kb.ArrowUp)
	if typed := p.cell(rows[0], day(1)).value(); typed != "2x" {
		t.Errorf("what was refused is now %q", typed)
	}
	p.press(kb.Escape)
	p.cellHolds(rows[0], day(1), "1:00")

	// The answers to a question follow its cell.
	p.press("30" + kb.ArrowDown)
	p.cellShows(patience, rows[0], day(1), "30 min?")
	p.press(kb.ArrowUp + kb.Tab + kb.Enter)
	p.cellHolds(rows[0], day(1), "0:30")

	// Delete clears.
	p.cell(rows[1], day(0)).focus()
	p.press(kb.Delete)
	p.cellHolds(rows[1], day(0), "")
	p.at(rows[1], day(0))

	// A click focuses, the next one edits.
	p.cell(rows[1], day(1)).focus()
	p.press("x")
	p.must(p.cell(rows[1], day(1)).click())
	p.press(kb.End + "5")
	move(0, kb.Enter, 2, 1)
	p.cellShows(patience, rows[1], day(1), "Not a duration.")
	if typed := p.cell(rows[1], day(1)).value(); typed != "3:455" {
		t.Errorf("after a second click and a 5 it reads %q", typed)
	}

	// What is stored is what was seen.
	for i, want := range [][7]string{{"0:30", "0:30"}, {"", "3:45"}, {}} {
		if got := ida.stored(monday, rows[i]); got != want {
			t.Errorf("%s: stored is %q, want %q", rows[i], got, want)
		}
	}
}

// What was typed is stored once, whatever happens to the answers.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	ida, p, monday, rows := planning(t, 1)
	r := rows[0]
	p.expect("")
	p.open(weekPath(monday))

	// The server stores it, and the answer never comes: the page is left first.
	eval[any](p, `(() => {
		const fetch = window.fetch;
		window.fetch = async (url, init) => {
			const answer = await fetch(url, init);
			if (!String(url).endsWith("/cells")) return answer;
			window.bodies = [...(window.bodies ?? []), String(init.body)];
			if (window.bodies.length < 3) throw new TypeError("lost");
			return answer;
		};
	})()`)
	p.cell(r, monday).focus()
	p.press("2" + kb.Enter)
	p.sees("Not saved: the server cannot be reached.")
	p.press("3" + kb.Enter) // waits for its turn
	p.cellHolds(r, monday, "3:00")
	bodies := eval[[]string](p, `window.bodies`)
	if len(bodies) != 4 || bodies[0] != bodies[1] || bodies[1] != bodies[2] || bodies[3] == bodies[2] {
		t.Errorf("requests: %q", bodies)
	}

	// The page is loaded again before the answer.
	eval[any](p, `window.fetch = async () => { throw new TypeError("lost") }`)
	p.press("4" + kb.Enter)
	p.sees("Not saved: the server cannot be reached.")
	p.reload()
	p.cellHolds(r, monday, "4:00")

	cell := ida.get(weekPath(monday)).Find("td a").First().AttrOr("href", "")
	history := words(ida.get(cell).Find("main").Text())
	if n := strings.Count(history, "edited"); n != 3 {
		t.Errorf("%d edits are told, want 3: %s", n, history)
	}
}

// Somebody who is logged out meanwhile keeps what they typed, and it is stored
// when they are back.
func TestLoggedOutWhileTyping(t *testing.T) {
	t.Parallel()
	_, p, monday, rows := planning(t, 1)
	r := rows[0]
	p.expect("status of 401")
	other := p.secondTab()
	p.open(weekPath(monday))
	p.cell(r, monday).focus()
	p.press("2")
	other.open("/settings")
	other.click("button", "Log out")
	other.sees("Log in")
	p.press(kb.Enter)
	p.sees("You are logged out, so this is not saved yet.")
	if typed := p.cell(r, monday).value(); typed != "2" {
		t.Errorf("the cell holds %q", typed)
	}
	other.open("/login")
	other.fill("Email", email)
	other.fill("Password", password)
	other.click("button", "Log in")
	p.cellHolds(r, monday, "2:00")
}

// After a change of the whole grid the focus is in the cell it was in, or the
// nearest one.
func TestFocusAfterMorph(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	rows := freeRows()[:3]
	ida.plan(day, rows, "1", "2", "3")
	p := openTab(t, program).loggedIn(ida)
	p.open("/week")
	p.cell(rows[1], day).focus()
	p.chord(chromedp.ModifierShift, kb.ArrowUp)
	focus := p.focused()

	swap := func(change string) {
		t.Helper()
		eval[any](p, `(() => {
			const next = document.getElementById("week-grid").cloneNode(true);
			for (const e of next.querySelectorAll("[tabindex], [aria-selected]")) { e.removeAttribute("tabindex"); e.removeAttribute("aria-selected"); }
			next.removeAttribute("role");
			(`+change+`)(next);
			window.swapped = false;
			htmx.swap({ text: '<hx-partial hx-target="#week-grid" hx-swap="outerMorph">' + next.outerHTML + '</hx-partial>', sourceElement: document.body, target: document.body, swap: "none" }).then(() => window.swapped = true);
		})()`)
		waitFor(t, patience, "the swap", func() error {
			if !eval[bool](p, `window.swapped`) {
				return errors.New("it goes on")
			}
			return nil
		})
	}
	swap(`() => {}`)
	if now := p.focused(); now != focus {
		t.Errorf("the focus is at %s, want %s", now, focus)
	}
	if n := eval[int](p, `document.querySelectorAll("[role=grid] [aria-selected=true]").length`); n != 2 {
		t.Errorf("%d cells are selected, want 2", n)
	}
	if n := eval[int](p, `[...document.querySelectorAll("[role=grid] tbody :is(input, a, button)")].filter((e) => e.tabIndex === 0).length`); n != 1 {
		t.Errorf("%d cells can be reached by Tab, want 1", n)
	}

	// The row goes away.
	swap(`(next) => next.querySelector("input[name='" + document.activeElement.name + "']").closest("tr").remove()`)
	if column := eval[int](p, `document.activeElement.closest("[role=grid] td")?.cellIndex ?? -1`); column != dayOf(day)+1 {
		t.Errorf("the focus is at %s", p.focused())
	}
}

// on waits until the focus is on something, by its words.
func (p *page) on(want string) {
	p.tb.Helper()
	waitFor(p.tb, patience, "the focus to be on "+want, func() error {
		if now := words(p.focused()); now != want {
			return fmt.Errorf("it is on %s", now)
		}
		return nil
	})
}

// A day off is taken back by its toast, and by Ctrl+Z when the page was loaded
// again.
func TestDayOffUndone(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	monday := farMonday()
	r := freeRows()[0]
	ida.addRows(monday, r)
	p := openTab(t, program).loggedIn(ida)
	p.open(weekPath(monday))
	off, work := "Day off on "+spoken(monday), "Work on "+spoken(monday)
	p.click("button", off)
	p.sees(spoken(monday) + " is a day off now.")
	p.undoes("time off")
	p.find("button", is(off))
	p.click("button", off)
	p.find("button", is(work))
	p.open(weekPath(monday))
	p.cell(r, monday).focus()
	p.chord(chromedp.ModifierCtrl, "z")
	p.sees("Undone: time off.")
	p.find("button", is(off))
	p.chord(chromedp.ModifierCtrl|chromedp.ModifierShift, "z")
	p.find("button", is(work))
	p.at(r, monday)
	p.click("link", "History")
	p.find("heading", is("Done again: time off: Mon 6 Jan: working day → day off"))
}

// Who presses what goes away with its answer has the focus in the grid again.
func TestFocusAfterPress(t *testing.T) {
	t.Parallel()
	_, p, monday, rows := planning(t, 2)
	p.expect("status of 422")
	p.open(weekPath(monday))

	// A minus is kept and refused, instead of the number behind it.
	p.cell(rows[1], monday).focus()
	p.press("-1" + kb.Enter)
	p.sees("Time cannot be negative.")
	p.cellHolds(rows[1], monday, "-1")
	p.cell(rows[1], monday).focus()
	p.press(kb.Escape)
	p.cellHolds(rows[1], monday, "")

	p.cell(rows[0], monday).focus()
	p.press("2" + kb.Enter)
	p.sees("Mon: 2:00")
	p.at(rows[1], monday)
	eval[any](p, `document.querySelector("#toast button").focus()`)
	p.press(kb.Enter)
	p.cellHolds(rows[0], monday, "")
	p.at(rows[1], monday)

	p.click("link", "Options of "+rows[1].project+" "+rows[1].task)
	p.click("button", "Remove")
	p.rowGone(rows[1], monday)
	p.at(rows[0], monday)
	p.click("button", "Day off on Monday 6 January")
	p.sees("Monday 6 January is a day off now.")
	p.on("Work on Monday 6 January")

	// What is opened over the week does not rename it.
	p.click("link", "Quick add")
	p.find("textbox", is("Row, time, days and note"))
	p.press(kb.Escape)
	if title := eval[string](p, `document.title`); title != "Week of 6 January 2031 · Furrow" {
		t.Errorf("the page is called %q", title)
	}
}
