package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"

	"furrow/harvest/sandbox/sandboxtest"
)

// Harvest turns away all that somebody pushes. Who runs Furrow finds it, sees why,
// and has it tried again once Harvest is well: the list tells by itself how it gets
// there, and it is there once.
func TestRetryAllThatMatch(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida, eve := newPerson(t, program), newPerson(t, program)
	ida.post("/setup", url.Values{"email": {email}, "password": {password}})
	d := ida.post("/admin/users/invite", url.Values{"email": {"eve@example.com"}, "role": {"user"}})
	invitation := words(d.Find("code.secret").Text())
	eve.post(invitation[len(program.URL):], url.Values{"password": {password}})
	eve.connect(sandboxtest.Token)
	day, rows := today(t), freeRows()[:3]
	eve.plan(day, rows, "1", "2", "0:45")
	create := sandboxtest.Match{Method: http.MethodPost, Path: "/v2/time_entries"}
	sandbox.Fault(t, sandboxtest.Fault{Match: create, Fault: "status", Status: http.StatusForbidden})
	eve.push()
	waitFor(t, patience, "all to be turned away", func() error {
		if n := eve.get("/ledger?state=needs-you").Find("article").Length(); n != len(rows) {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})

	p := openTab(t, program).loggedIn(ida)
	p.open("/admin/writes")
	p.clickOn("link", begins("Needs somebody 3"))
	p.find("combobox", is("Owner")).write("nobody@")
	p.choose("Cause", "Not allowed (403) (3)")
	p.click("button", "Show")
	p.sees("No writes match.")
	p.find("combobox", is("Owner")).write("eve@")
	p.click("button", "Show")
	p.shows(len(rows), "refused")
	filter := eval[map[string]string](p, `Object.fromEntries(new URLSearchParams(location.search))`)
	if filter["state"] != "needs-you" || filter["user"] != "eve@" || filter["reason"] != "forbidden" {
		t.Errorf("the address filters by %v", filter)
	}

	list := p.path() + eval[string](p, `location.search`)
	p.click("link", "1")
	p.arrives("/admin/writes/1")
	p.sees("must act: its owner")
	p.sees("Queued")
	p.sees("Create the entry Harvest does not allow it (403). Harvest said: Not authorized! status 403")

	p.open(list)
	p.click("link", "Try again…")
	p.sees("3 writes will be acted on")
	p.sees("3 refused")
	sandbox.ClearFaults(t)
	sandbox.Fault(t, sandboxtest.Fault{Match: create, Fault: "delay", DelayMS: 1000}) // so that they can be seen on their way
	p.click("button", "Try again now")
	p.arrives("/admin/orders/1")
	all := p.secondTab()
	all.must(chromedp.Do(all.ctx, chromedp.EmulateViewport(375, 800)))
	all.open("/admin/writes?user=eve%40")
	all.shows(len(rows), "in Harvest")
	p.sees("3 of 3 done.")
	for i, hours := range []string{"1", "2", "0.75"} {
		checkOnce(t, sandbox, rows[i], day, hours, "")
	}

	p.open("/admin/audit")
	p.sees(email + " ordered to try all writes again that match order 1")
}

// shows waits until the list of writes has so many rows, each in a state.
func (p *page) shows(n int, state string) {
	p.tb.Helper()
	waitFor(p.tb, recovery, fmt.Sprintf("%d writes to be %s", n, state), func() error {
		all, err := p.lookFor("cell", is("eve@example.com"))
		if err != nil {
			return err
		}
		in, err := p.lookFor("cell", is(state))
		if err == nil && (len(all) != n || len(in) != n) {
			err = fmt.Errorf("%d of %d are", len(in), len(all))
		}
		return err
	})
}
