package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// paste pastes a text into what has the focus, as a spreadsheet leaves it in the
// clipboard.
func (p *page) paste(text string) {
	p.tb.Helper()
	eval[any](p, `(() => {
		const clipboardData = new DataTransfer();
		clipboardData.setData("text/plain", `+strconv.Quote(text)+`);
		document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
	})()`)
}

// copied is what copying gives, as plain text and as HTML.
func (p *page) copied() []string {
	p.tb.Helper()
	return eval[[]string](p, `(() => {
		const clipboardData = new DataTransfer();
		document.activeElement.dispatchEvent(new ClipboardEvent("copy", { clipboardData, bubbles: true, cancelable: true }));
		return [clipboardData.getData("text/plain"), clipboardData.getData("text/html")];
	})()`)
}

// Blocks are pasted from spreadsheets, copied, filled and cleared, each as one
// change.
func TestPaste(t *testing.T) {
	t.Parallel()
	ida, p, monday, rows := planning(t, 3)
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	p.expect("status of 422")
	p.open(weekPath(monday))
	const shift, ctrl = chromedp.ModifierShift, chromedp.ModifierCtrl

	// become waits until the cells are so and stored.
	become := func(what string, want ...[7]string) {
		t.Helper()
		waitFor(t, patience, what, func() error {
			for i := range want {
				if got := ida.stored(monday, rows[i]); got != want[i] {
					return fmt.Errorf("%s: stored is %q, want %q", rows[i], got, want[i])
				}
			}
			return nil
		})
		for n, text := range want[0] {
			p.cellHolds(rows[0], day(n), text)
		}
	}
	requests := func() int { return len(p.asked("/cells")) }

	// A block with quotes, blanks and a last line end.
	p.cell(rows[0], day(0)).focus()
	p.paste("1:30\t\"2,5\"\t\r\n45m\t\t1h30\r\n")
	become("the pasted block", [7]string{"1:30", "2:30"}, [7]string{"0:45", "", "1:30"}, [7]string{})
	if n := requests(); n != 1 {
		t.Errorf("the block took %d requests", n)
	}

	// It is selected, and copied in the same way.
	if got := p.copied(); got[0] != "1:30\t2:30\t\n0:45\t\t1:30" || !strings.HasPrefix(got[1], "<table><tr><td>1:30</td><td>2:30</td>") {
		t.Errorf("copied: %q", got)
	}

	// By the keys of the browser, into another place.
	p.press(kb.ArrowDown) // from where the focus is; nothing else is selected then
	p.cell(rows[0], day(0)).focus()
	p.chord(shift, kb.ArrowRight)
	p.chord(ctrl, "c")
	p.cell(rows[2], day(2)).focus()
	p.chord(ctrl, "v")
	become("the copied block", [7]string{"1:30", "2:30"}, [7]string{"0:45", "", "1:30"}, [7]string{"", "", "1:30", "2:30"})

	// One value fills what is selected; fill copies the first row down.
	p.cell(rows[0], day(4)).focus()
	p.chord(shift, kb.ArrowDown)
	p.chord(shift, kb.ArrowRight)
	p.paste("3")
	become("the filled selection", [7]string{"1:30", "2:30", "", "", "3:00", "3:00"}, [7]string{"0:45", "", "1:30", "", "3:00", "3:00"})
	p.cell(rows[0], day(0)).focus()
	p.chord(shift|ctrl, kb.End)
	p.chord(ctrl, "d")
	all := [7]string{"1:30", "2:30", "", "", "3:00", "3:00"}
	become("the filled rows", all, all, all)

	// Delete clears all that is selected, and Shift and a click select as well.
	p.cell(rows[1], day(0)).focus()
	click(t, p.cell(rows[2], day(5)), shift)
	before := requests()
	p.press(kb.Delete)
	become("the cleared rows", all, [7]string{}, [7]string{})
	if n := requests() - before; n != 1 {
		t.Errorf("clearing took %d requests", n)
	}
	// A single cell is filled from above, a row from its first cell.
	p.cell(rows[1], day(1)).focus()
	p.chord(ctrl, "d")
	become("the cell under another", all, [7]string{"", "2:30"})
	p.chord(shift, kb.ArrowRight)
	p.chord(shift, kb.ArrowRight)
	p.chord(ctrl, "d")
	become("the filled row", all, [7]string{"", "2:30", "2:30", "2:30"}, [7]string{})

	// What reaches over the edge is left out, and what cannot be read stays.
	p.cell(rows[1], day(5)).focus()
	p.paste("1\tlots\t9\n2\n4\n5")
	p.sees("The week has no place for 2 rows and 1 column of the block.")
	p.cellShows(patience, rows[1], day(6), "Not a duration.")
	if typed := p.cell(rows[1], day(6)).value(); typed != "lots" {
		t.Errorf("what was pasted is now %q", typed)
	}
	become("the part that fits", all, [7]string{"", "2:30", "2:30", "2:30", "", "1:00"}, [7]string{"", "", "", "", "", "2:00"})

	// Cut takes it along.
	p.cell(rows[0], day(0)).focus()
	p.chord(ctrl, "a")
	p.chord(ctrl, "x")
	become("nothing", [7]string{}, [7]string{}, [7]string{})
	p.press(kb.Escape)
	p.chord(ctrl, "v")
	become("all of it", all)
}

// click clicks an element while other keys are held.
func click(t *testing.T, e element, with chromedp.Modifier) {
	t.Helper()
	at, err := e.spot()
	e.page.must(err)
	e.page.must(chromedp.Do(e.page.ctx, chromedp.MouseClickXY(at.X, at.Y, chromedp.ButtonModifiers(with))))
}
