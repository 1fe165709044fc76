package e2e

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
	"furrow/planner"
)

//go:embed testdata/axe/axe.min.js
var axe string

// axeSHA256 is the hash of axe.min.js in the npm package axe-core@4.14.1.
const axeSHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

func TestAxeIsTheOnePinned(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte(axe))
	if got := hex.EncodeToString(sum[:]); got != axeSHA256 {
		t.Errorf("axe.min.js has hash %s, want %s", got, axeSHA256)
	}
}

// withAxe puts axe-core into every document that the tab loads from here on. The
// browser does that itself, so the Content-Security-Policy has no say in it.
func (p *page) withAxe() *page {
	p.tb.Helper()
	command(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: axe})
	return p
}

// barriers fails the test for every barrier that axe-core finds in what the tab
// shows: with a wide and a narrow window, in light and in dark. The page is not
// loaded again in between, so that what is open stays open.
func (p *page) barriers(state string) {
	p.tb.Helper()
	for _, width := range []int64{375, 1280} {
		p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(width, 800)))
		for _, scheme := range []string{"dark", "light"} {
			command(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
			}})
			for _, found := range p.axe(`{ resultTypes: ["violations"] }`) {
				p.tb.Errorf("%s, %d pixels wide, %s: %s", state, width, scheme, found)
			}
		}
	}
}

// axe runs axe-core and returns what it complains about.
func (p *page) axe(options string) (complaints []string) {
	p.tb.Helper()
	script := `axe.run(document, ` + options + `).then(({ violations }) => violations.flatMap((v) =>
		v.nodes.map((n) => v.id + " (" + v.help + "): " + n.html.slice(0, 300) + " " + n.failureSummary)))`
	waitFor(p.tb, patience, "axe to run", func() (err error) {
		complaints, err = chromedp.Run(p.ctx, chromedp.Evaluate[[]string](script, chromedp.EvalAwaitPromise))
		return err
	})
	return complaints
}

// No page has a barrier that axe-core knows, in any of its states. A new page is
// a line in one of the lists; a new state is brought about and looked at.
func TestBarriers(t *testing.T) {
	chaos(t)
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	day, rows := today(t), freeRows()
	p := openTab(t, program).withAxe()
	p.expect("status of 4") // refused forms, and pages that are not there
	looks := func(paths ...string) {
		t.Helper()
		for _, path := range paths {
			if path == "" {
				t.Fatalf("a page is not linked to: %q", paths)
			}
			p.open(path)
			p.barriers(path)
		}
	}

	// Before there is anything.
	looks("/setup")
	p.fill("Email", "nobody")
	p.fill("Password", "too short for us")
	eval[any](p, `document.querySelector("main form").noValidate = true`)
	p.click("button", "Make the account")
	p.sees("does not look like an email address")
	p.barriers("a refused account")
	ida.post("/setup", url.Values{"email": {email}, "password": {password}})
	looks("/login", "/login/forgot", "/nothing/here")
	p.loggedIn(ida)
	looks("/week", "/weeks/2031-01-06", "/weeks/2031-01-06/push", "/ledger", "/settings", "/settings/harvest")

	// With data, sent, refused and waiting.
	ida.connect(sandboxtest.Token)
	ida.plan(day, rows, "1:30", "2", "45m", "9", "1")
	ida.push()
	p.open("/week")
	week := p.path()
	p.cellShows(recovery, rows[2], day, "in Harvest")
	p.sees("In step with Harvest")
	p.barriers("a week in step")
	p.openPanel(rows[2], day)
	p.barriers("the panel of a cell")
	p.press(kb.Escape)
	rowPage := mustCall[string](p.options("Consulting Workshops"), `function() { return this.pathname }`)
	p.click("link", "Options of Consulting Workshops")
	p.find("heading", begins("Remove it"))
	p.barriers("the panel of a row")
	looks(rowPage)
	p.open("/week")
	p.edit(rows[1], day, "30")
	p.cellShows(patience, rows[1], day, "30 min?")
	p.edit(rows[4], day, "soon")
	p.cellShows(patience, rows[4], day, "Not a duration.")
	p.barriers("a cell that asks, and one that was refused")

	// Both values of a cell that was changed in Harvest, and what to settle.
	sandbox.WebUpdate(t, entriesOf(t, sandbox, rows[0], day)[0].ID, map[string]any{"hours": 1.75, "notes": "With the drawings"})
	ida.post(week+"/sync", url.Values{})
	p.open(week)
	p.cellShows(recovery, rows[0], day, "changed")
	p.openPanel(rows[0], day)
	p.barriers("the panel of a cell that was changed in Harvest")
	p.press(kb.Escape)
	p.edit(rows[3], day, "8")
	p.cellHolds(rows[3], day, "8:00")
	looks(week+"/quick?line=consulting+20+every+mon", week+"/quick?line=design+2h+mon-wed+note", "/palette?q=des", week+"/history", week+"/history/0")
	p.open(week)
	p.find("combobox", is("Find a row")).write("design")
	p.find("option", begins("Birch & Co"))
	p.barriers("the row finder")
	p.click("link", "Quick add")
	p.fill("Row, time, days and note", "illustration 2h mon call")
	p.find("button", is("Add 2:00"))
	p.barriers("quick add over the week")
	p.press(kb.Escape)
	p.click("link", "Find…")
	p.find("option", begins("Quick add"))
	p.barriers("the palette over the week")
	p.press(kb.Escape)
	looks(week+"/reconcile", week+"/push", week+"/push?day="+day.Format(time.DateOnly), week+"/check")
	p.click("button", "Read Harvest and check")
	p.seesWithin(recovery, "Read from Harvest at")
	p.barriers("a week that was checked")

	// Refused, waiting, and a Harvest that is down.
	locked := day.Format(time.DateOnly)
	sandbox.Lock(t, sandboxtest.UserID, locked, locked)
	ida.push()
	p.open(week)
	p.cellShows(recovery, rows[3], day, "needs you")
	p.barriers("a cell that needs its user")
	refused := ida.get("/ledger").Find("article a").First().AttrOr("href", "")
	looks("/ledger", "/ledger?state=needs-you", "/ledger?q=nothing+like+this", refused)
	sandbox.Unlock(t, sandboxtest.UserID, locked, locked)
	for _, mode := range []string{"Slow down", "Drops answers", "Down"} {
		p.click("button", mode)
		waitFor(t, patience, "the switch to be at "+mode, func() error {
			_, err := call[any](p.find("button", is(mode)), `function() { if (this.ariaPressed !== "true") throw "it is not pressed" }`)
			return err
		})
		p.barriers("the sandbox: " + mode)
	}
	p.open(week)
	p.edit(rows[1], day, "3")
	p.cellHolds(rows[1], day, "3:00")
	ida.push()
	p.open(week)
	p.cellShows(patience, rows[1], day, "waiting")
	p.barriers("a week while Harvest is down")
	ida.post("/sandbox/outage", url.Values{"mode": {"well"}})

	ida.fillWeek(day, rowsOfBigWeek)
	looks(week)

	// Filling a week.
	following := "/weeks/" + day.AddDate(0, 0, 7-dayOf(day)).Format(time.DateOnly)
	first := strings.TrimPrefix(ida.get(week).Find("tr[id^=r-]").First().AttrOr("id", ""), "r-")
	ida.post("/templates", url.Values{"week": {strings.TrimPrefix(week, "/weeks/")}, "name": {"A usual week"}})
	ida.post("/recurring", url.Values{
		"mutation_id": {"every-week-of-this-test"}, "row": {first}, "day": {"1", "3"}, "duration": {"1:00"}, "from": {day.Format(time.DateOnly)},
	})
	rule := ida.get("/recurring").Find("main a[href^='/recurring/']").FilterFunction(func(_ int, a *goquery.Selection) bool {
		return a.AttrOr("href", "") != "/recurring/new"
	}).AttrOr("href", "")
	template := ida.get("/templates?week="+strings.TrimPrefix(following, "/weeks/")).Find("main a[href*='/templates/']").AttrOr("href", "")
	start, err := planner.ParseDate(strings.TrimPrefix(week, "/weeks/"))
	if err != nil {
		t.Fatal(err)
	}
	ida.planOn(start.AddDays(-6).Time(), start-7, rows[0], "1:30") // so that there is something to carry over
	looks(following+"/copy", week+"/carry", week+"/spread", "/templates", "/recurring", "/recurring/new", rule, template, week+"/rows/"+first)
	looks(week+"/quick?line=birch+consulting+2h+tue%2Bthu+prep+call", week+"/quick?line=nothing+like+this", week+"/history", "/palette?q=lum")
	p.open(following)
	eval[any](p, `document.querySelectorAll("details").forEach((d) => d.open = true)`)
	p.barriers("open menus")
	p.clickOn("link", is("Keys"))
	p.barriers("the keys")

	// Everything else.
	looks("/settings/harvest", "/settings/week", "/settings/rates", "/settings/export", "/settings/delete", "/admin", "/admin/writes", "/admin/writes?status=422&user=ida", "/admin/writes/1", "/admin/writes/preview?action=drop", "/admin/writes/preview?action=retry", "/admin/orders", "/admin/jobs", "/admin/jobs/preview?action=cancel", "/admin/connections", "/admin/connections/1", "/admin/limits", "/admin/limits/provider", "/admin/queues", "/admin/queues/push", "/admin/schedules", "/admin/audit", "/admin/users", "/admin/users/1", "/admin/users/invite")
	p.open("/settings")
	p.fill("Current password", "not the one I have")
	p.fill("New password", password+" at all")
	p.click("button", "Change the password")
	p.sees("This is not your current password.")
	p.barriers("settings that were refused")

	// Logging in.
	looks("/settings/second-factor", "/settings/sessions", "/confirm?next=/settings")
	p.enrol(p.barriers)
	p.click("button", "Log out")
	p.arrives("/login")
	p.logIn()
	p.sees("Six digits from your app")
	p.click("DisclosureTriangle", "Without your phone?")
	p.barriers("a log-in with a code")

	// A barrier would be noticed.
	eval[any](p, `document.body.append(document.createElement("img"))`)
	if found := p.axe(`{}`); len(found) == 0 {
		t.Error("axe-core does not see an image without a text")
	}
}
