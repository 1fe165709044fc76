package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// movable are rows to move in, as the grid lists them: two of one client, and one
// of another.
func movable() []row {
	return []row{
		{"Birch & Co", "Consulting", "Consulting"},
		{"Birch & Co", "Consulting", "Workshops"},
		{"Harbour Books", "Catalogue Redesign", "Illustration"},
	}
}

// point is a point of an element, as shares of its width and height, once the
// element stays where it is.
func (e element) point(x, y float64) (at spot) {
	e.page.tb.Helper()
	waitFor(e.page.tb, patience, e.name+" to stay in its place", func() error {
		measure := func() (spot, error) {
			return call[spot](e, fmt.Sprintf(`function() {
				this.scrollIntoViewIfNeeded();
				const r = this.getBoundingClientRect(), X = r.x + r.width * %f, Y = r.y + r.height * %f, top = document.elementFromPoint(X, Y);
				return { X, Y, Hit: this.parentElement.contains(top), Over: top?.outerHTML.slice(0, 200) ?? "nothing" };
			}`, x, y))
		}
		before, err := measure()
		if err != nil {
			return err
		}
		<-time.After(30 * time.Millisecond) // two frames
		if at, err = measure(); err == nil && (at != before || !at.Hit) {
			err = fmt.Errorf("it moves, or is behind %s", at.Over)
		}
		return err
	})
	return at
}

func (p *page) mouse(kind input.DispatchMouseEventType, at spot, with chromedp.Modifier) {
	p.tb.Helper()
	held := int64(1)
	if kind == input.DispatchMouseEventTypeMouseMoved {
		held = 0
	}
	command(p, input.DispatchMouseEvent, input.DispatchMouseEventParams{
		Type: kind, X: at.X, Y: at.Y, Button: input.MouseButtonLeft, Buttons: held, ClickCount: held, Modifiers: int64(with),
	})
}

// edge is where the handle of a cell is, and what makes rows stand before others.
func (e element) edge() spot {
	e.page.tb.Helper()
	return e.point(.04, .2)
}

// lift presses the mouse on the handle of a cell, or of a row or client, and
// moves it over an element.
func (p *page) lift(handle, over element) spot {
	p.tb.Helper()
	from := handle.edge()
	p.mouse(input.DispatchMouseEventTypeMouseMoved, from, 0)
	waitFor(p.tb, patience, "the handle of "+handle.name, func() error {
		title := eval[string](p, fmt.Sprintf(`document.elementFromPoint(%f, %f).title`, from.X, from.Y))
		if !strings.Contains(strings.ToLower(title), "drag to") {
			return fmt.Errorf("there is %q", title)
		}
		return nil
	})
	p.mouse(input.DispatchMouseEventTypeMousePressed, from, 0)
	to := over.edge()
	p.mouse(input.DispatchMouseEventTypeMouseMoved, spot{X: (from.X + to.X) / 2, Y: (from.Y+to.Y)/2 + 9}, 0)
	p.mouse(input.DispatchMouseEventTypeMouseMoved, to, 0)
	return to
}

// drag drags something by its handle to an element, with a key held or not.
func (p *page) drag(handle, to element, with chromedp.Modifier) {
	p.tb.Helper()
	p.mouse(input.DispatchMouseEventTypeMouseReleased, p.lift(handle, to), with)
}

// touch moves a finger; without a point it goes up.
func (p *page) touch(kind input.DispatchTouchEventType, at ...spot) {
	p.tb.Helper()
	points := make([]*input.TouchPoint, len(at))
	for i := range at {
		points[i] = &input.TouchPoint{X: at[i].X, Y: at[i].Y}
	}
	command(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
}

// options finds the handle of a row or client, which is its link as well.
func (p *page) options(of string) element {
	p.tb.Helper()
	return p.find("link", is("Options of "+of))
}

// order waits until the rows of the grid are in an order.
func (p *page) order(want ...row) {
	p.tb.Helper()
	waitFor(p.tb, patience, "the order of the rows", func() error {
		heads, err := p.lookFor("rowheader", func(string) bool { return true })
		if err != nil {
			return err
		}
		var got []row
		for _, head := range heads {
			if i := slices.IndexFunc(movable(), func(r row) bool { return strings.HasPrefix(head.name, r.String()) }); i >= 0 {
				got = append(got, movable()[i])
			}
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("they are %v, want %v", got, want)
		}
		return nil
	})
}

// focusOn puts the focus on an element.
func focusOn(e element) {
	e.page.tb.Helper()
	mustCall[any](e, `function() { this.focus() }`)
}

// What is planned in a cell is moved, copied and split by keys and by the mouse;
// rows and clients are put into an order that other weeks and a reload keep; and
// a row goes with its plan, and comes back.
func TestMove(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	monday, rows := farMonday(), movable()
	before, after := monday.AddDate(0, 0, -7), monday.AddDate(0, 0, 7)
	ida.addRows(monday, rows...)
	ida.addRows(after, rows...)
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	p := openTab(t, program).loggedIn(ida)
	p.expect("status of 422")
	p.open(weekPath(monday))
	const alt, shift, ctrl = chromedp.ModifierAlt, chromedp.ModifierShift, chromedp.ModifierCtrl
	holds := func(r, n int, value string) {
		t.Helper()
		p.cellHolds(rows[r], day(n), value)
	}

	// Keys: the focus goes along, and so does what was typed and not committed.
	p.edit(rows[0], day(1), "1:30")
	holds(0, 1, "1:30")
	p.cell(rows[0], day(1)).focus()
	p.chord(alt, kb.ArrowRight)
	p.at(rows[0], day(2))
	holds(0, 1, "")
	p.chord(alt|shift, kb.ArrowRight)
	p.at(rows[0], day(3))
	holds(0, 2, "1:30")
	holds(0, 3, "1:30")
	p.cell(rows[0], day(4)).focus()
	p.press("2")
	p.chord(alt, kb.ArrowRight)
	p.at(rows[0], day(5))
	holds(0, 4, "")
	holds(0, 5, "2:00")
	p.edit(rows[0], day(0), "0:45")
	holds(0, 0, "0:45")
	p.cell(rows[0], day(0)).focus()
	p.chord(alt, kb.ArrowLeft)
	p.sees("0:45 moved to Sunday 5 January, in the week before.")
	holds(0, 0, "")
	if got := ida.stored(before, rows[0])[6]; got != "0:45" {
		t.Errorf("the week before has %q on its last day", got)
	}
	p.cell(rows[0], day(5)).focus()
	p.chord(alt, "s")
	p.find("group", is("Split evenly over"))
	waitFor(t, patience, "the focus to be in the form", func() error {
		if at := eval[string](p, `document.activeElement.parentElement.innerText`); !strings.Contains(at, "Monday 6") {
			return fmt.Errorf("it is at %q", at)
		}
		return nil
	})
	p.press(kb.Enter) // over the next day too, which is ticked
	p.panelCloses()
	holds(0, 5, "1:00")
	holds(0, 6, "1:00")

	// The mouse: moved, copied with Ctrl, asked with Shift, given up with Escape.
	p.drag(p.cell(rows[0], day(2)), p.cell(rows[1], day(0)), 0)
	holds(1, 0, "1:30")
	holds(0, 2, "")
	p.drag(p.cell(rows[1], day(0)), p.cell(rows[2], day(0)), ctrl)
	holds(2, 0, "1:30")
	holds(1, 0, "1:30")
	p.drag(p.cell(rows[2], day(0)), p.cell(rows[2], day(1)), shift)
	p.click("button", "Split half")
	holds(2, 0, "0:45")
	holds(2, 1, "0:45")
	at := p.lift(p.cell(rows[2], day(1)), p.cell(rows[2], day(2)))
	p.sees(rows[2].String() + ", " + spoken(day(2)))
	p.press(kb.Escape)
	p.mouse(input.DispatchMouseEventTypeMouseReleased, at, 0)
	p.drag(p.cell(rows[1], day(0)), p.cell(rows[1], day(4)), 0) // what comes after shows that nothing came of it
	holds(1, 4, "1:30")
	holds(2, 1, "0:45")
	holds(2, 2, "")

	// What does not fit stays, and so does the focus.
	p.edit(rows[1], day(5), "23:30")
	p.cell(rows[1], day(4)).focus()
	p.chord(alt, kb.ArrowRight)
	p.sees("Saturday 11 January would hold 25:00. A day has 24 hours.")
	p.at(rows[1], day(4))
	holds(1, 4, "1:30")

	// Order.
	p.order(rows...)
	focusOn(p.options("Consulting Workshops"))
	p.chord(alt, kb.ArrowUp)
	p.order(rows[1], rows[0], rows[2])
	if focused := p.focused(); focused != "Options of Consulting Workshops" {
		t.Errorf("the focus is on %q", focused)
	}
	p.chord(alt|shift, kb.ArrowDown) // the client
	p.order(rows[2], rows[1], rows[0])
	p.reload()
	p.order(rows[2], rows[1], rows[0])
	p.drag(p.options("Consulting Consulting"), p.options("Consulting Workshops"), 0)
	p.order(rows[2], rows[0], rows[1])
	p.drag(p.options("Birch & Co"), p.options("Harbour Books"), 0)
	p.order(rows...)
	p.drag(p.options("Harbour Books"), p.options("Birch & Co"), 0)
	p.order(rows[2], rows[0], rows[1])
	p.open(weekPath(after))
	p.order(rows[2], rows[0], rows[1])

	// An empty row goes at once, one with a plan with a word about what goes.
	p.clickOn("button", func(name string) bool { return strings.HasSuffix(name, "Remove Consulting Workshops") })
	p.order(rows[2], rows[0])
	p.open(weekPath(monday))
	focusOn(p.options("Catalogue Redesign Illustration"))
	p.press(kb.Delete)
	p.sees("Remove Catalogue Redesign · Illustration? 1:30 on 2 days go.")
	waitFor(t, patience, "the focus to be on the answer", func() error {
		if focused := p.focused(); focused != "Remove" {
			return errors.New("it is on " + focused)
		}
		return nil
	})
	p.press(kb.Enter)
	p.sees("Catalogue Redesign · Illustration is removed from this week, with 1:30 on 2 days.")
	p.order(rows[0], rows[1])
	p.click("button", "Undo")
	p.order(rows[2], rows[0], rows[1])
	holds(2, 0, "0:45")
	holds(2, 1, "0:45")

	t.Run("touch", func(t *testing.T) { moveByTouch(t, program, ida, after.AddDate(0, 0, 7)) })
	t.Run("without script", func(t *testing.T) { moveWithoutScript(t, program, ida, after.AddDate(0, 0, 14)) })
}

// moveByTouch: a long press lifts a cell, which then can be dropped on another
// one, or on a phone on a day of the strip. What happens is asked after the drop.
func moveByTouch(t *testing.T, program *program, ida *person, monday time.Time) {
	t.Helper()
	rows := movable()
	ida.addRows(monday, rows...)
	p := openTab(t, program).loggedIn(ida)
	p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(1280, 900, chromedp.EmulateTouch)))
	p.open(weekPath(monday))
	p.edit(rows[0], monday, "1:30")
	p.cellHolds(rows[0], monday, "1:30")

	lift := func(cell element) {
		t.Helper()
		p.touch(input.DispatchTouchEventTypeTouchStart, cell.point(.5, .5))
		p.sees("1:30 is lifted")
	}
	drop := func(at spot) {
		t.Helper()
		p.touch(input.DispatchTouchEventTypeTouchMove, at)
		p.touch(input.DispatchTouchEventTypeTouchEnd)
		p.find("group", is("Move, copy or split"))
	}
	tuesday := monday.AddDate(0, 0, 1)
	lift(p.cell(rows[0], monday))
	drop(p.cell(rows[1], tuesday).point(.5, .5))
	p.press(kb.Enter) // the first answer is to move
	p.cellHolds(rows[1], tuesday, "1:30")
	p.cellHolds(rows[0], monday, "")

	lift(p.cell(rows[1], tuesday))
	drop(p.cell(rows[1], monday).point(.5, .5))
	p.press(kb.Escape)
	lift(p.cell(rows[1], tuesday))
	drop(p.cell(rows[2], monday).point(.5, .5))
	p.click("button", "Copy")
	p.cellHolds(rows[2], monday, "1:30")
	p.cellHolds(rows[1], tuesday, "1:30")
	p.cellHolds(rows[1], monday, "")

	p.phone(375)
	p.reload()
	p.find("textbox", begins(rows[2].String()))
	lift(p.cell(rows[2], monday))
	drop(mustCall[spot](p.find("radio", begins(spoken(tuesday))), `function() {
		const r = this.labels[0].getBoundingClientRect();
		return { X: r.x + r.width / 2, Y: r.y + r.height / 2 };
	}`))
	p.tap("button", "Move")
	p.cellHolds(rows[2], tuesday, "1:30") // which is the day that is shown now
}

// moveWithoutScript: all of it by plain forms.
func moveWithoutScript(t *testing.T, program *program, ida *person, monday time.Time) {
	t.Helper()
	rows := movable()
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	ida.addRows(monday, rows...)
	p := openTab(t, program).loggedIn(ida)
	command(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	p.open(weekPath(monday))
	p.order(rows[2], rows[0], rows[1]) // as the other tab has left it
	p.cell(rows[0], day(0)).write("1:30")
	p.click("button", "Save the week")
	p.cellHolds(rows[0], day(0), "1:30")

	p.openPanel(rows[0], day(0))
	p.click("button", "Move") // to the next day, which is proposed
	p.cellHolds(rows[0], day(1), "1:30")
	p.openPanel(rows[0], day(1))
	p.click("checkbox", day(3).Format("Monday 2"))
	p.click("button", "Split")
	for _, n := range []int{1, 2, 3} { // the next day was proposed
		p.cellHolds(rows[0], day(n), "0:30")
	}

	p.clickOn("link", is("Options of Consulting Consulting"))
	p.click("button", "Down Consulting · Consulting")
	p.order(rows[2], rows[1], rows[0])
	p.clickOn("link", is("Options of Birch & Co"))
	p.click("button", "Up Birch & Co")
	p.order(rows[1], rows[0], rows[2])
	p.clickOn("link", is("Options of Consulting Consulting"))
	p.sees("Remove Consulting · Consulting? 1:30 on 3 days go.")
	p.click("button", "Remove")
	p.order(rows[1], rows[2])
	p.sees("Consulting · Consulting is removed from this week, with 1:30 on 3 days.")
	p.click("button", "Undo")
	p.order(rows[1], rows[0], rows[2])
	p.cellHolds(rows[0], day(2), "0:30")
}
