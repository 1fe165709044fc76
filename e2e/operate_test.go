package e2e

import (
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// Somebody who runs Furrow pauses a connection: what is pushed waits and says why,
// and is sent once it is resumed.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	ida.setUp()
	p := openTab(t, program).loggedIn(ida)

	p.open("/admin")
	p.sees("All is well")
	p.open("/admin/connections/1")
	p.fill("Why", "The account is being moved")
	p.choose("For how long", "15 minutes")
	p.click("button", "Pause")
	p.sees("It is paused until")

	day := today(t)
	ida.plan(day, freeRows()[:1], "1")
	sandbox.ForgetRequests(t)
	ida.push()
	p.open("/week")
	p.sees("Paused by the people who run Furrow")
	p.sees("“The account is being moved”")
	p.open("/admin")
	p.sees("An operator has paused 1 connection.")
	for _, r := range sandbox.Requests(t) {
		if strings.HasPrefix(r.Path, "/v2/") {
			t.Errorf("asked although it is paused: %s %s", r.Method, r.Path)
		}
	}

	p.open("/admin/connections/1")
	p.click("button", "Resume now")
	p.sees("It goes on.")
	p.open("/week")
	p.seesWithin(10*time.Second, "In step with Harvest")
}
