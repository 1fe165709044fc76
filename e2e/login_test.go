package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// phone is an app for one-time codes, and the piece of paper beside it.
type phone struct {
	tb     testing.TB
	secret string
	at     time.Time // when the next code is shown
	paper  string    // a recovery code
}

// code is one that was not taken before, without the wait for it: clocks may be a
// step apart.
func (a *phone) code() string {
	a.tb.Helper()
	if now := time.Now(); now.After(a.at) {
		a.at = now
	}
	code, err := totp.GenerateCode(a.secret, a.at)
	if err != nil {
		a.tb.Fatal(err)
	}
	a.at = a.at.Add(30 * time.Second)
	return code
}

// enrol sets up a second factor for who is logged in.
func (p *page) enrol(look func(state string)) *phone {
	p.tb.Helper()
	p.open("/settings")
	p.click("link", "Second factor")
	p.click("button", "Set it up")
	p.find("image", is("The key as a QR code"))
	look("a second factor to scan")
	a := &phone{tb: p.tb, secret: strings.ReplaceAll(eval[string](p, `document.querySelector(".secret").textContent`), " ", "")}
	p.fill("Type the six digits that it shows", a.code())
	p.click("button", "Switch it on")
	p.sees("They are shown only now.")
	look("recovery codes")
	a.paper = eval[string](p, `document.querySelector(".codes code").textContent`)
	return a
}

func (p *page) logIn() {
	p.tb.Helper()
	p.open("/login")
	p.fill("Email", email)
	p.fill("Password", password)
	p.click("button", "Log in")
}

// Somebody sets a second factor up, logs in with it elsewhere, is logged out
// from the first device, and comes back with a recovery code.
func TestLogInWithACode(t *testing.T) {
	t.Parallel()
	program := startProgram(t)
	ida := newPerson(t, program)
	ida.post("/setup", url.Values{"email": {email}, "password": {password}})
	p := openTab(t, program).loggedIn(ida)
	app := p.enrol(func(string) {})

	elsewhere := openTab(t, program)
	elsewhere.logIn()
	elsewhere.fill("Six digits from your app", app.code())
	elsewhere.click("button", "Log in")
	elsewhere.sees("ways to begin")

	p.open("/settings/sessions")
	p.clickOn("button", begins("Log out Chrome"))
	p.sees("That device is logged out.")
	elsewhere.open("/settings")
	elsewhere.arrives("/login")

	elsewhere.logIn()
	elsewhere.click("DisclosureTriangle", "Without your phone?")
	elsewhere.fill("One of your recovery codes", app.paper)
	elsewhere.click("button", "Log in with it")
	elsewhere.sees("You used up a recovery code. Of those you have 9 left")
}
