package e2e

import (
	"errors"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// columns are the widths of the days' columns.
func (p *page) columns() []float64 {
	p.tb.Helper()
	return eval[[]float64](p, `[...document.querySelectorAll("[role=grid] thead th")].slice(1, 8).map((e) => e.offsetWidth)`)
}

// A weekend with nothing in it is a strip until somebody goes there, or presses
// its button.
func TestWeekend(t *testing.T) {
	t.Parallel()
	ida, p, monday, rows := planning(t, 1)
	r := rows[0]
	folded := func(want bool) {
		t.Helper()
		waitFor(t, patience, fmt.Sprintf("the weekend to be folded: %t", want), func() error {
			if c := p.columns(); (c[5] < 60 && c[6] < 60) != want || c[0] < 80 {
				return fmt.Errorf("the days are so wide: %v", c)
			}
			return nil
		})
	}
	p.open(weekPath(monday))
	folded(true)

	// The keys go on into it.
	p.cell(r, monday).focus()
	p.press(kb.End)
	p.at(r, monday.AddDate(0, 0, 6))
	folded(false)
	p.press("2" + kb.Enter)
	p.cellHolds(r, monday.AddDate(0, 0, 6), "2:00")

	// What is planned there keeps it open; the button is for one without.
	p.open(weekPath(monday))
	folded(false)
	if buttons, err := p.lookFor("button", is("Weekend")); err != nil || len(buttons) > 0 {
		t.Errorf("there is a button to fold what is planned: %v %v", buttons, err)
	}
	p.cell(r, monday.AddDate(0, 0, 6)).focus()
	p.press(kb.Delete)
	p.cellHolds(r, monday.AddDate(0, 0, 6), "")
	p.find("button", is("Weekend"))
	folded(false) // somebody is there
	p.click("button", "Weekend")
	folded(true)
	p.click("button", "Weekend")
	folded(false)
	p.reload() // which remembers
	folded(false)
	p.click("button", "Weekend")
	p.reload()
	folded(true)

	// Weeks that begin on Sunday have it at both ends.
	ida.post("/settings", map[string][]string{"week_start": {"0"}, "time_zone": {""}, "duration_format": {""}})
	p.open(weekPath(monday.AddDate(0, 0, -1)))
	waitFor(t, patience, "both ends to be folded", func() error {
		if c := p.columns(); c[0] > 60 || c[6] > 60 || c[1] < 80 {
			return fmt.Errorf("the days are so wide: %v", c)
		}
		return nil
	})
}

// Wherever the keys go, the cell is in sight: not under the head, the first
// column or the totals, at any width and when all is twice as large.
func TestCellInSight(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	monday := farMonday()
	for i, option := range ida.get(weekPath(monday)).Find("#add-row optgroup option").EachIter() {
		if i == 16 {
			break
		}
		ida.post(weekPath(monday)+"/rows", map[string][]string{"project_task": {option.AttrOr("value", "")}})
	}
	p := openTab(t, program).loggedIn(ida)
	p.open(weekPath(monday))
	inSight := func(where string) {
		t.Helper()
		waitFor(t, patience, "the cell to be in sight "+where, func() error {
			if over := eval[string](p, `(() => {
				const i = document.activeElement, r = i.getBoundingClientRect();
				if (!i.name) return "no cell has the focus";
				for (const [x, y] of [[r.left + 3, r.top + 3], [r.right - 3, r.bottom - 3]]) {
					const top = document.elementFromPoint(x, y);
					if (top !== i && !i.parentElement.contains(top)) return i.name + " is behind " + (top?.outerHTML.slice(0, 80) ?? "nothing");
				}
				return "";
			})()`); over != "" {
				return errors.New(over)
			}
			return nil
		})
	}
	for _, size := range [][2]int64{{1280, 480}, {1000, 420}, {640, 450}} {
		p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(size[0], size[1])))
		where := fmt.Sprintf("of %d × %d pixels", size[0], size[1])
		mustCall[any](p.find("textbox", func(name string) bool { return len(name) > 0 }), `function() { this.focus() }`)
		p.chord(chromedp.ModifierCtrl, kb.Home)
		for range 15 {
			p.press(kb.ArrowDown)
			inSight(where + ", down")
		}
		for range 6 {
			p.press(kb.ArrowRight)
			inSight(where + ", right")
		}
		for range 15 {
			p.press(kb.ArrowUp)
			inSight(where + ", up")
		}
		for range 6 {
			p.press(kb.ArrowLeft)
			inSight(where + ", left")
		}
	}
}
