package e2e

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// An empty week offers three ways to begin, and each of them works.
func TestBegin(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	newPerson(t, program).post("/setup", url.Values{"email": {email}, "password": {password}})
	p := openTab(t, program)
	p.phone(320)
	p.open("/login")
	p.fill("Email", email)
	p.fill("Password", password)
	p.click("button", "Log in")
	p.sees("Three ways to begin")
	if wide := eval[int](p, `document.documentElement.scrollWidth`); wide > 320 {
		t.Errorf("the page is %d wide on a phone of 320", wide)
	}

	// Just type: the first field of a new row has the focus.
	p.click("link", "Add a row")
	for _, name := range []string{"Ada", "Engine", "Notes"} {
		p.press(name + kb.Tab)
	}
	p.press(kb.Enter)
	own := row{"Ada", "Engine", "Notes"}
	day := time.Now().UTC() // who is not connected lives in UTC
	p.edit(own, day, "1:30")
	p.cellHolds(own, day, "1:30")

	// The sandbox, by one click, from a week that is still empty.
	p.open("/weeks/2031-01-06")
	p.click("button", "Use the sandbox")
	p.sees("Connected with Ida Berg Studio")
	p.sees("In step with Harvest")
	p.edit(own, today(t), "2")
	p.cellHolds(own, today(t), "2:00")
}

// Without a sandbox there are two ways, and who runs the program reads how to
// have one.
func TestBeginWithoutSandbox(t *testing.T) {
	t.Parallel()
	program := startProgram(t)
	newPerson(t, program).post("/setup", url.Values{"email": {email}, "password": {password}})
	p := openTab(t, program)
	p.open("/login")
	p.fill("Email", email)
	p.fill("Password", password)
	p.click("button", "Log in")
	p.sees("Two ways to begin")
	p.sees("furrow serve --sandbox")
	if found, err := p.lookFor("button", is("Use the sandbox")); err != nil || len(found) > 0 {
		t.Errorf("a sandbox that does not run is offered: %d, %v", len(found), err)
	}
	p.clickOn("link", is("Connect Harvest"))
	p.sees("Connect with a token")

	// Light or dark is the browser's choice, from the first paint on.
	ground := func() string {
		return eval[string](p, `getComputedStyle(document.body).backgroundColor`)
	}
	p.open("/settings")
	light := ground()
	p.click("button", "Dark")
	waitFor(t, patience, "the dark", func() error {
		if ground() == light {
			return errors.New("it is light")
		}
		return nil
	})
	p.open("/week")
	if got := ground(); got == light {
		t.Errorf("another page is %s", got)
	}
}
