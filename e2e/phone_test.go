package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// phone makes the tab one: narrow, and touched by fingers.
func (p *page) phone(width int64) {
	p.tb.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(width, 700, chromedp.EmulateMobile, chromedp.EmulateTouch)))
}

// tap touches an element where a person sees it.
func (p *page) tap(role, name string) {
	p.tb.Helper()
	waitFor(p.tb, patience, "a "+role+" that can be tapped", func() error { return p.find(role, is(name)).tap() })
}

// tap taps an element; what has a label in its place, there.
func (e element) tap() error {
	at, err := call[spot](e, `function() {
		const seen = this.matches(".sr") ? this.labels[0] : this;
		seen.scrollIntoViewIfNeeded();
		const r = seen.getBoundingClientRect(), X = r.x + r.width / 2, Y = r.y + r.height / 2;
		const top = document.elementFromPoint(X, Y);
		return { X, Y, Hit: seen.contains(top) && !seen.disabled, Over: top?.outerHTML.slice(0, 200) ?? "nothing" };
	}`)
	if err != nil {
		return err
	}
	if !at.Hit {
		return fmt.Errorf("%q is disabled, or behind %s", e.name, at.Over)
	}
	if _, err := chromedp.Call(e.page.ctx, input.DispatchTouchEvent, input.DispatchTouchEventParams{
		Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: []*input.TouchPoint{{X: at.X, Y: at.Y}},
	}); err != nil {
		return err
	}
	_, err = chromedp.Call(e.page.ctx, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}})
	return err
}

// A day is planned on a phone by taps alone: the strip shows one day at a time,
// the bar below sets and steps the cell, and what the day and the week come to
// is always in sight.
func TestPhone(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	day, rows := today(t), freeRows()
	ida.plan(day, rows[:2], "1:30", "2")
	next := day.AddDate(0, 0, 1)
	if dayOf(day) == 6 {
		next = day.AddDate(0, 0, -1)
	}
	p := openTab(t, program).loggedIn(ida)
	p.phone(375)
	p.open("/week")
	week := p.path()

	if shown := p.shownDays(); shown != 1 {
		t.Errorf("%d days are shown at a time", shown)
	}
	mustTap(t, p.cell(rows[0], day))
	p.tap("button", "15 minutes more")
	p.cellHolds(rows[0], day, "1:45")
	p.tap("button", "15 minutes less")
	p.tap("button", "15 minutes less")
	p.cellHolds(rows[0], day, "1:15")
	p.tap("button", "2:00")
	p.cellHolds(rows[0], day, "2:00")
	if focused := eval[string](p, `document.activeElement.name`); focused != mustCall[string](p.cell(rows[0], day), `function() { return this.name }`) {
		t.Errorf("after taps the focus is on %q", focused)
	}
	p.small44()
	p.inSight("Week 4:00")

	// Another day, and an empty cell stepped down stays empty.
	mustTap(t, p.find("radio", begins(spoken(next))))
	mustTap(t, p.cell(rows[1], next))
	p.tap("button", "15 minutes less")
	p.tap("button", "0:30")
	p.cellHolds(rows[1], next, "0:30")
	p.inSight("Day 0:30")
	if got := ida.get(week).Find(`input[value="0:30"]`).Length(); got != 1 {
		t.Errorf("%d cells hold half an hour, want one", got)
	}
	p.press(kb.Escape)

	for _, width := range []int64{320, 375} {
		p.phone(width)
		for _, path := range []string{week, week + "/push", "/ledger", "/settings", "/settings/harvest", "/settings/week", "/settings/rates", week + "/copy", "/templates", "/recurring/new", "/admin", "/admin/jobs", "/admin/connections/1"} {
			p.open(path)
			if wide := eval[int64](p, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("%s is %d wide on a phone of %d", path, wide, width)
			}
			p.small44()
		}
	}
}

func mustTap(t *testing.T, e element) {
	t.Helper()
	waitFor(t, patience, "to tap "+e.name, func() error { return e.again().tap() })
}

// shownDays counts the days whose cells can be seen.
func (p *page) shownDays() int {
	p.tb.Helper()
	return eval[int](p, `new Set([...document.querySelectorAll("#week-grid td > input")].filter((i) => i.checkVisibility()).map((i) => i.name.split(".").pop())).size`)
}

// small44 fails for what is too small for a finger: 44 pixels in height, and in
// width but for words in a line of text.
func (p *page) small44() {
	p.tb.Helper()
	for _, found := range eval[[]string](p, `[...document.querySelectorAll("button, input:not([type=hidden], .sr), select, textarea, a, summary, label[for^=v]")].filter((e) => {
		const r = (e.type === "checkbox" || e.type === "radio" ? e.labels[0] : e).getBoundingClientRect();
		return e.checkVisibility() && !e.matches(".sr, .skip") && r.width > 1 && (r.height < 43.5 || r.width < 30) && !e.closest("p, dd, .entries, td.where");
	}).map((e) => e.getBoundingClientRect().width + "x" + e.getBoundingClientRect().height + " " + e.outerHTML.slice(0, 150))`) {
		p.tb.Errorf("%s: too small for a finger: %s", p.path(), found)
	}
}

// inSight fails if a text is not in the part of the page that the tab shows.
func (p *page) inSight(text string) {
	p.tb.Helper()
	waitFor(p.tb, patience, fmt.Sprintf("%q in sight", text), func() error {
		seen := words(eval[string](p, `[...document.querySelectorAll("#week-foot td")].filter((e) => {
			const r = e.getBoundingClientRect();
			return r.height && r.bottom <= innerHeight && e.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2));
		}).map((e) => getComputedStyle(e, "::before").content.slice(1, -1) + " " + e.innerText.replace("planned", "")).join(" ")`))
		if !strings.Contains(seen, text) {
			return fmt.Errorf("in sight is %q", seen)
		}
		return nil
	})
}
