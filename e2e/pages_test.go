package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
)

// No page offends against its own Content-Security-Policy or breaks a script,
// whatever state it is in. Every tab is watched for that, here on all pages.
func TestCSP(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	day := today(t)
	rows := freeRows()
	p := openTab(t, program)

	p.open("/setup")
	p.sees("Welcome to Furrow")
	ida.setUp()
	p.open("/login")
	p.fill("Email", email)
	p.fill("Password", "not the password at all")
	p.expect("/login") // answers 422 to that
	p.click("button", "Log in")
	p.find("alert", func(string) bool { return true })
	p.fill("Password", password)
	p.click("button", "Log in")
	p.sees("In step with Harvest")

	ida.plan(day, rows[:3], "1:30", "2", "45m")
	ida.push()
	locked := day.Format(time.DateOnly)
	p.open("/week")
	p.cellShows(patience, rows[2], day, "in Harvest")
	sandbox.Lock(t, sandboxtest.UserID, locked, locked)
	p.edit(rows[0], day, "1")
	p.cellHolds(rows[0], day, "1:00")
	p.push()
	p.cellShows(patience, rows[0], day, "needs you")
	p.expect("/cells") // answers 422 to a question
	p.edit(rows[1], day, "30")
	p.cellShows(patience, rows[1], day, "30 min?")
	p.press(kb.Escape)
	p.openPanel(rows[2], day)
	p.fill("Planned", "1:15")
	p.click("button", "Save")
	p.panelCloses()
	p.cellHolds(rows[2], day, "1:15")

	week := p.path()
	last := day.AddDate(0, 0, -7).Format(time.DateOnly)
	cell := ida.get(week).Find("td > a").First().AttrOr("href", "")
	write := ida.get("/ledger").Find("article a").First().AttrOr("href", "")
	for _, path := range []string{
		week, "/weeks/" + last, "/weeks/2031-01-06", cell, week + "/push", week + "/push?day=" + day.Format(time.DateOnly), "/ledger", "/ledger?state=needs-you", write,
		"/settings", "/settings/harvest", "/admin/writes", "/admin/jobs", "/admin/connections", "/admin/limits", "/admin/audit", "/admin/users",
	} {
		p.open(path)
		if seen := p.text(); !strings.Contains(seen, "Log out") {
			t.Errorf("%s says: %s", path, seen)
		}
		policyOf(t, ida, path, http.StatusOK)
	}
	policyOf(t, ida, "/nothing/here", http.StatusNotFound)
	policyOf(t, ida, "/sync/status?week=2031-01-06", http.StatusOK)
	policyOf(t, ida, "/ledger/live", http.StatusOK)
	policyOf(t, ida, "/ledger.csv", http.StatusOK)

	p.open("/settings")
	p.fill("Name of a new token", "script")
	p.click("button", "Make a token")
	p.sees("This is the new token.")
	p.open("/settings/harvest")
	p.click("button", "Disconnect")
	p.sees("disconnected")
	p.open(week)
	p.sees("Not connected")

	// An offence would be noticed.
	p.expect("inline")
	eval[any](p, `document.body.append(Object.assign(document.createElement("script"), { textContent: "1" }))`)
	waitFor(t, patience, "the browser to tell of an offence", func() error {
		p.trace.mu.Lock()
		defer p.trace.mu.Unlock()
		for _, problem := range p.trace.problems {
			if strings.Contains(problem, "Content Security Policy") {
				return nil
			}
		}
		return errors.New("it says nothing of it")
	})
}

// policyOf checks the head of an answer.
func policyOf(t *testing.T, as *person, path string, status int) {
	t.Helper()
	d := as.get(path)
	policy := d.header.Get("Content-Security-Policy")
	if d.status != status || !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s: status %d, want %d; policy %q", path, d.status, status, policy)
	}
}

// Sizes on the wire, in bytes, heads of answers included.
const (
	mostFirstVisit = 60_000
	mostFiles      = 5
	mostEdit       = 3_000
	rowsOfBigWeek  = 40
)

// The first visit and an edit are small, in a week of 40 rows too.
func TestSizes(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "demo")
	program := startProgram(t, "--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL)
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	rows := freeRows()
	ida.plan(day, rows, "1:30", "2", "45m", "3", "1")
	ida.fillWeek(day, rowsOfBigWeek)
	p := openTab(t, program).loggedIn(ida)
	week := "/weeks/" + day.AddDate(0, 0, -dayOf(day)).Format(time.DateOnly)
	p.open(week)
	p.cellHolds(rows[0], day, "1:30")

	total, files := int64(0), p.loaded(program.URL)
	for _, r := range files {
		t.Logf("%6d bytes %-4s %s", r.bytes, r.encoding, r.url)
		total += r.bytes
		if r.encoding == "" && r.bytes > 2_000 {
			t.Errorf("%s is not compressed", r.url)
		}
	}
	t.Logf("the first visit: %d bytes in %d requests", total, len(files))
	if total > mostFirstVisit || len(files) > mostFiles {
		t.Errorf("the first visit takes %d bytes in %d requests, want at most %d in %d", total, len(files), mostFirstVisit, mostFiles)
	}

	p.edit(rows[0], day, "2:30")
	p.cellHolds(rows[0], day, "2:30")
	edits := p.loaded("/cells")
	if len(edits) != 1 {
		t.Fatalf("an edit made %d requests", len(edits))
	}
	t.Logf("an edit: %d bytes", edits[0].bytes)
	if edits[0].bytes > mostEdit {
		t.Errorf("an edit takes %d bytes, want at most %d", edits[0].bytes, mostEdit)
	}

	// Everything but the page itself is kept by the browser.
	before := len(p.asked(program.URL))
	p.open(week)
	p.cellHolds(rows[0], day, "2:30")
	sent := 0
	for _, r := range p.loaded(program.URL)[before:] {
		if r.bytes == 0 {
			continue
		}
		sent++
		t.Logf("the second visit: %d bytes of %s", r.bytes, r.url)
		if !strings.HasSuffix(r.url, week) {
			t.Errorf("a second visit loads %s again", r.url)
		}
	}
	if sent != 1 {
		t.Errorf("a second visit makes %d requests, want the page alone", sent)
	}
}

// fillWeek adds rows to the week of a day until it has as many as wanted, and
// plans half an hour on most of its days.
func (p *person) fillWeek(day time.Time, rows int) {
	p.tb.Helper()
	week := "/weeks/" + day.AddDate(0, 0, -dayOf(day)).Format(time.DateOnly)
	for n := p.get(week).Find("tr[id^=r-]").Length(); n < rows; n++ {
		p.post(week+"/rows", url.Values{"client": {fmt.Sprintf("Client %d", n/4)}, "project": {fmt.Sprintf("Project %d", n/2)}, "task": {fmt.Sprintf("Task %d", n)}})
	}
	d := p.get(week)
	form := url.Values{"version": {d.Find("#week-version").AttrOr("value", "")}}
	d.Find("#week-grid td > input").Each(func(i int, cell *goquery.Selection) {
		if cell.AttrOr("value", "") == "" && i%3 > 0 {
			form.Set(cell.AttrOr("name", ""), "0:30")
		}
	})
	p.post(week+"/cells", form)
}
