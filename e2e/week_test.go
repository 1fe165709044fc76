package e2e

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// spoken is a day as the pages say it.
func spoken(day time.Time) string { return day.Format("Monday 2 January") }

// cell finds the input of a row and day in the grid.
func (p *page) cell(r row, day time.Time) element {
	p.tb.Helper()
	return p.find("textbox", func(name string) bool {
		rest, ok := strings.CutPrefix(name, r.String())
		return ok && strings.HasPrefix(strings.TrimPrefix(rest, ","), " "+spoken(day))
	})
}

// cellSays is what can be read in a cell.
func (p *page) cellSays(r row, day time.Time) (says string) {
	p.tb.Helper()
	waitFor(p.tb, patience, "the text of a cell", func() (err error) {
		says, err = call[string](p.cell(r, day), `function() { return this.closest("td").innerText }`)
		return err
	})
	return words(says)
}

// cellShows waits until a text can be read in a cell.
func (p *page) cellShows(most time.Duration, r row, day time.Time, text string) {
	p.tb.Helper()
	waitFor(p.tb, most, fmt.Sprintf("%q in the cell of %s", text, r), func() error {
		if says := p.cellSays(r, day); !strings.Contains(says, text) {
			return fmt.Errorf("it says %q", says)
		}
		return nil
	})
}

// cellHolds waits until the input of a cell has a value that is stored.
func (p *page) cellHolds(r row, day time.Time, value string) {
	p.tb.Helper()
	waitFor(p.tb, patience, fmt.Sprintf("the cell of %s to hold %s", r, value), func() error {
		both, err := call[[]string](p.cell(r, day), `function() { return [this.value, this.defaultValue] }`)
		if err == nil && (both[0] != value || both[1] != value) {
			err = fmt.Errorf("it holds %q, stored is %q", both[0], both[1])
		}
		return err
	})
}

// edit types a duration into a cell and commits it with Enter.
func (p *page) edit(r row, day time.Time, typed string) {
	p.tb.Helper()
	p.cell(r, day).write(typed)
	p.press(kb.Enter)
}

// answers clicks an answer to the question in a cell, and waits until the
// question is gone.
func (p *page) answers(r row, day time.Time, answer string) {
	p.tb.Helper()
	p.clickOn("button", begins(answer))
	waitFor(p.tb, patience, "the question to go", func() error {
		open, err := p.lookFor("button", begins(answer))
		if err == nil && len(open) > 0 {
			err = fmt.Errorf("the cell says %q", p.cellSays(r, day))
		}
		return err
	})
}

// addRow adds a row to the week by the finder.
func (p *page) addRow(r row) {
	p.tb.Helper()
	p.ready()
	p.find("combobox", is("Find a row")).write(r.String())
	p.press(kb.Enter)
	p.cell(r, today(p.tb))
}

// addRowByForm adds a row to the week without script.
func (p *page) addRowByForm(r row) {
	p.tb.Helper()
	p.choose("Project and task", r.project+" · "+r.task)
	p.click("button", "Add")
	p.cell(r, today(p.tb))
}

// connect fills in the form that connects Harvest.
func (p *page) connect(token, account string) {
	p.tb.Helper()
	p.fill("Personal access token", token)
	p.fill("Account ID", account)
	p.click("button", "Connect")
}

// makeAccount fills in the form for the first account.
func (p *page) makeAccount() {
	p.tb.Helper()
	p.fill("Email", email)
	p.fill("Password", password)
	p.click("button", "Make the account")
}

// openPanel opens the details of a cell.
func (p *page) openPanel(r row, day time.Time) {
	p.tb.Helper()
	waitFor(p.tb, patience, "the details of "+r.String(), func() error {
		link, err := call[string](p.cell(r, day), `function() {
			const a = this.closest("td").querySelector("a");
			a.scrollIntoViewIfNeeded();
			a.focus();
			return a.href;
		}`)
		if err == nil && link == "" {
			err = errors.New("there are none")
		}
		return err
	})
	p.press(kb.Enter)
	p.find("heading", begins(r.client+" "+r.project+" · "+r.task))
}

// panelCloses waits until the details are gone.
func (p *page) panelCloses() {
	p.tb.Helper()
	waitFor(p.tb, patience, "the details to close", func() error {
		open, err := p.lookFor("dialog", is("Cell"))
		if err == nil && len(open) > 0 {
			err = errors.New("they are open")
		}
		return err
	})
}

// push sends what the review of the week has ticked.
func (p *page) push() {
	p.tb.Helper()
	p.clickOn("link", begins("Review and push"))
	p.clickOn("button", begins("Send "))
	p.sees("scheduled.")
}

// reload loads the page again.
func (p *page) reload() {
	p.tb.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.Reload()))
}

// reloadUntil loads the page again until a text is on it.
func (p *page) reloadUntil(most time.Duration, text string) {
	p.tb.Helper()
	waitFor(p.tb, most, fmt.Sprintf("%q after a reload", text), func() error {
		p.reload()
		if seen := p.text(); !strings.Contains(seen, text) {
			return fmt.Errorf("the page says: %s", seen)
		}
		return nil
	})
}

// small makes the tab so low that the week has to be scrolled.
func (p *page) small() {
	p.tb.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(1280, 500)))
}
