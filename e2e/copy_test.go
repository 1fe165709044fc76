package e2e

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
	"furrow/planner"
)

// rowKey is how the fields of the pages name a row.
func (p *person) rowKey(r row) string {
	p.tb.Helper()
	key := p.get("/recurring/new").Find("optgroup").FilterFunction(func(_ int, s *goquery.Selection) bool {
		return s.AttrOr("label", "") == r.client
	}).Find("option").FilterFunction(func(_ int, s *goquery.Selection) bool { return s.Text() == r.project+" · "+r.task }).AttrOr("value", "")
	if key == "" {
		p.tb.Fatalf("%s is not there", r)
	}
	return key
}

// planOn puts a duration into a cell of the week that begins on start.
func (p *person) planOn(day time.Time, start planner.Date, r row, duration string) {
	p.tb.Helper()
	week := "/weeks/" + start.String()
	page := p.get(week)
	p.post(week+"/cells", url.Values{
		"version": {page.Find("#week-version").AttrOr("value", "")}, "mutation_id": {"plan " + rand.Text()},
		fmt.Sprintf("p.%s.%d", p.rowKey(r), int(planner.DateOf(day)-start)): {duration},
	})
}

// gone waits until the page has no link of a name any more.
func (p *page) gone(role, name string) {
	p.tb.Helper()
	waitFor(p.tb, patience, "the "+role+" "+name+" to go", func() error {
		found, err := p.lookFor(role, begins(name))
		if err == nil && len(found) > 0 {
			err = errors.New("it is there")
		}
		return err
	})
}

// rowGone waits until the week does not show a row any more.
func (p *page) rowGone(r row, day time.Time) {
	p.tb.Helper()
	waitFor(p.tb, patience, r.String()+" to go", func() error {
		found, err := p.lookFor("textbox", begins(r.String()))
		if err == nil && len(found) > 0 {
			err = errors.New("it is there")
		}
		return err
	})
}

// undoes presses the week's undo, and waits until it has taken something back.
func (p *page) undoes(what string) {
	p.tb.Helper()
	p.click("button", "Undo")
	p.sees("Undone: " + what + ".")
}

// fills follows an entry of the menu of the week.
func (p *page) fills(entry string) {
	p.tb.Helper()
	p.click("DisclosureTriangle", "Fill the week")
	p.click("link", entry)
}

// A week is filled without typing: copied from the one before in four ways, with
// scripts off too; from a template; by itself; with what last week left; and with
// what its own past days left. Each shows first what it does, and is one undo.
func TestFillWeek(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	now := today(t)
	if now.Weekday() == time.Monday { // so that some day of this week is over
		ida.post("/settings", url.Values{"week_start": {"6"}, "time_zone": {""}, "duration_format": {""}})
	}
	day, err := planner.ParseDate(strings.TrimPrefix(ida.get("/week").url.Path, "/weeks/"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(weeks int) string { return "/weeks/" + day.AddDays(7*weeks).String() }
	later := func(weeks int) time.Time { return now.AddDate(0, 0, 7*weeks) }
	rows := freeRows()
	ida.planOn(now, day, rows[0], "1:30")
	ida.push()
	waitFor(t, recovery, "the entry in Harvest", func() error {
		if n := len(entriesOf(t, sandboxtest.Control{BaseURL: program.URL}, rows[0], now)); n != 1 {
			return fmt.Errorf("%d entries", n)
		}
		return nil
	})
	ida.planOn(now, day, rows[0], "2:00")
	ida.planOn(now, day, rows[1], "0:45")
	p := openTab(t, program).loggedIn(ida)

	p.open(at(1))
	p.sees("This week is empty.")
	p.click("link", "Copy last week")
	for _, way := range []struct {
		label         string
		first, second string // what the rows get; "none": they are not there
	}{
		{"Rows without any time", "", ""}, {"What I tracked becomes the plan", "1:30", "none"},
		{"Unfinished only planned and not tracked, with notes", "0:30", "0:45"}, {"Rows and plan with notes", "2:00", "0:45"},
	} {
		p.click("link", way.label)
		p.sees("Nothing is changed yet.")
		p.clickOn("button", begins("Add "))
		p.cellHolds(rows[0], later(1), way.first)
		if way.second == "none" {
			p.rowGone(rows[1], later(1))
		} else {
			p.cellHolds(rows[1], later(1), way.second)
		}
		p.undoes("copying a week")
		p.rowGone(rows[0], later(1))
		p.fills("Copy last week…")
	}

	plain := openTab(t, program).loggedIn(ida)
	command(plain, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	plain.open(at(1))
	plain.fills("Copy last week…")
	plain.clickOn("link", begins("Unfinished only"))
	plain.clickOn("button", begins("Add "))
	plain.sees("with 1:15.")
	plain.cellHolds(rows[0], later(1), "0:30")
	plain.click("button", "Undo")
	plain.sees("Undone: copying a week.")
	plain.rowGone(rows[0], later(1))

	// A template.
	p.open(at(0))
	p.fills("Save as template…")
	p.fill("Name", "Usual")
	p.click("button", "Save as template")
	p.sees("kept as “Usual”")
	p.open(at(2))
	p.fills("Apply a template…")
	p.click("link", "Apply Usual")
	p.clickOn("button", begins("Add "))
	p.cellHolds(rows[0], later(2), "2:00")
	p.undoes("applying a template")
	p.rowGone(rows[0], later(2))

	// Recurring work leaves alone what was typed.
	ida.planOn(later(1), day+7, rows[0], "0:20")
	p.open(at(0))
	p.openPanel(rows[0], now)
	p.click("link", "Repeat every week…")
	p.fill("Time", "1:00")
	p.fill("Note", "Stand-up")
	p.click("button", "Repeat it")
	p.sees("Every " + now.Weekday().String() + ", 1:00")
	p.open(at(1))
	p.cellHolds(rows[0], later(1), "0:20")
	p.open(at(20))
	p.cellHolds(rows[0], later(20), "1:00")
	p.open("/recurring")
	p.clickOn("link", begins("Change or end"))
	p.click("button", "End it")
	p.sees("cells were cleared.")
	p.open(at(20))
	p.rowGone(rows[0], later(20))

	// Carry-over.
	ida.planOn(later(-1), day-7, rows[2], "3:00")
	p.open(at(0))
	p.sees("3:00 from last week is unfinished")
	p.click("link", "Carry over")
	list := p.find("combobox", begins("Day for"))
	mustCall[any](list, `function() { this.selectedIndex = 0 }`)
	p.click("button", "Carry over")
	p.sees("3:00 carried over.")
	p.cellHolds(rows[2], now, "3:00")
	p.gone("link", "Carry over")
	p.undoes("carrying over")
	p.rowGone(rows[2], now)
	p.reload()
	p.click("button", "Not this week")
	p.gone("link", "Carry over")

	// What is left of a past day.
	first := day.Time()
	ida.planOn(first, day, rows[3], "2:00")
	p.open(at(0))
	p.fills("Spread the rest…")
	where := rows[3].project + " " + rows[3].task + ", "
	for i := range 7 {
		if date := now.AddDate(0, 0, i); planner.DateOf(date) < day+7 {
			text := ""
			if i == 0 {
				text = "1:15"
			}
			p.find("textbox", is(where+spoken(date))).write(text)
		}
	}
	p.press(kb.Enter)
	p.sees("1:15 spread over the rest of the week.")
	p.cellHolds(rows[3], now, "1:15")
	p.cellHolds(rows[3], first, "0:45")
	p.undoes("spreading the rest")
	p.cellHolds(rows[3], first, "2:00")
	p.cellHolds(rows[3], now, "")
}
