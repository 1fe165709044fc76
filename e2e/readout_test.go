package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"furrow/harvest/sandbox/sandboxtest"
)

// A screen reader has a grid with its rows and heads, whatever the style sheet
// makes of the table, and hears nothing of polls that bring nothing new.
func TestReadOut(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	ida.setUp()
	day, rows := today(t), freeRows()
	ida.plan(day, rows[:2], "1:30", "2")
	sandbox.SetOutage(t, "503")
	ida.push()
	p := openTab(t, program).loggedIn(ida)
	for _, width := range []int64{1280, 375} {
		p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(width, 800)))
		p.open("/week")
		p.find("grid", begins("Plan, "))
		p.find("columnheader", begins(spoken(day)+", planned"))
		p.find("rowheader", begins(rows[0].String()))
		p.find("row", begins(rows[0].String()))
		p.find("gridcell", func(name string) bool { return strings.HasPrefix(name, "1:30") && strings.Contains(name, "waiting") })
		p.find("textbox", is(rows[0].String()+", "+spoken(day)+", planned 1 hour 30"))
		for _, landmark := range []string{"banner", "main"} {
			p.find(landmark, is(""))
		}
		p.find("navigation", is("Main"))
		p.find("region", is("Harvest"))
	}

	eval[any](p, `{
		globalThis.heard = [];
		const listen = new MutationObserver((all) => all.forEach((m) => heard.push(m.target.textContent)));
		for (const e of document.querySelectorAll("[role=status], [role=alert], [aria-live]")) listen.observe(e, { subtree: true, childList: true, characterData: true });
	}`)
	p.polls(2)
	if heard := eval[[]string](p, `heard`); len(heard) > 0 {
		t.Errorf("polls that bring nothing new say %q", heard)
	}
	p.edit(rows[0], day, "3")
	waitFor(t, patience, "an edit to be heard", func() error {
		if heard := eval[[]string](p, `heard`); len(heard) == 0 {
			return errors.New("nothing was")
		}
		return nil
	})
}

// Names of any kind are shown as they are, and move nothing out of the page; a
// week of 500 rows can still be read and typed in.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	week := ida.get("/week").url.Path
	strange := []row{
		{`<b>Bold & "Co"</b>`, `<script>alert(1)</script>`, `O'Neil & Sons`},
		{"🦊 Fox", "👩‍👩‍👧‍👦 Family", "🎨"},
		{"מסעדת הים (2)", "אתר חדש", "עיצוב v2"},
		{strings.Repeat("X", 100), strings.Repeat("Donau", 20), strings.Repeat("ش", 100)},
	}
	add := func(r row) {
		ida.do(http.MethodPost, week+"/rows", url.Values{"client": {r.client}, "project": {r.project}, "task": {r.task}})
	}
	for _, r := range strange {
		add(r)
	}
	p := openTab(t, program).loggedIn(ida)
	for _, width := range []int64{320, 768, 1280} {
		p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(width, 800)))
		p.open(week)
		if wide := eval[int64](p, `document.documentElement.scrollWidth`); wide > width {
			t.Errorf("the week is %d wide in a window of %d", wide, width)
		}
	}
	for _, r := range strange {
		p.edit(r, day, "1:15")
		p.cellHolds(r, day, "1:15")
	}

	// Redirects are not followed: each would draw the week that grows.
	ida.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	const many = 500
	began := time.Now()
	for n := len(strange); n < many; n++ {
		add(row{fmt.Sprintf("Client %d", n/10), fmt.Sprintf("Project %d", n/2), fmt.Sprintf("Task %d", n)})
	}
	t.Logf("adding took %s", time.Since(began))
	began = time.Now()
	p.open(week)
	last := row{"Client 12", "Project 62", "Task 125"}
	p.cell(last, day)
	t.Logf("%d rows are there after %s", eval[int](p, `document.querySelectorAll("#week-grid tr[id^=r-]").length`), time.Since(began))
	began = time.Now()
	p.edit(last, day, "0:45")
	p.cellHolds(last, day, "0:45")
	took := time.Since(began)
	t.Logf("an edit among %d rows takes %s, found by its name", many, took)
}
