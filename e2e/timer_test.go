package e2e

import (
	"errors"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// A timer is started in a cell, shows on another page, is stopped there, and what
// it tracked is in its cell; all by script on the page of the week, without a
// reload by hand.
func TestTimer(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	as := newPerson(t, program)
	as.setUp()
	p := openTab(t, program).loggedIn(as)
	day, workshops := today(t), freeRows()[0]

	p.open("/week")
	p.addRow(workshops)
	p.edit(workshops, day, "0:20")
	p.cellHolds(workshops, day, "0:20")
	p.click("button", "Start a timer on Consulting Workshops")
	p.sees("The timer is starting.")
	p.cellShows(patience, workshops, day, "running since")
	p.find("button", is("Stop the timer")) // in the bar, which came by the poll
	if found := entriesOf(t, sandbox, workshops, day); len(found) != 1 || !found[0].IsRunning {
		t.Errorf("Harvest has %v", found)
	}

	sandbox.Advance(t, 30*time.Minute)
	p.click("link", "Settings")
	p.find("region", is("Timer"))
	p.sees("running since")
	p.click("button", "Stop the timer")
	p.sees("The timer is stopping.")
	if got := p.path(); got != "/settings" {
		t.Errorf("stopping the timer led to %s", got)
	}
	p.click("link", "Week")
	p.cellShows(patience, workshops, day, "0:10 over")
	waitFor(t, patience, "the timer to be gone", func() error {
		bars, err := p.lookFor("region", is("Timer"))
		if err == nil && len(bars) > 0 {
			err = errors.New("it is there")
		}
		return err
	})
	if found := entriesOf(t, sandbox, workshops, day); len(found) != 1 || found[0].IsRunning || found[0].Hours.StringFixed(1) != "0.5" {
		t.Errorf("Harvest has %v", found)
	}
}
