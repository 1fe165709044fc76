package e2e

import (
	"testing"
)

// Connecting by logging in at Harvest, as a browser allows it: what a page may
// send forms to holds for where they lead on, too.
func TestLogInAtHarvest(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	p := openTab(t, program)

	p.open("/")
	p.makeAccount()
	p.open("/settings/harvest")
	p.click("button", "Go to Harvest")
	p.sees("asks for access to Harvest as Ida Berg")
	p.click("button", "Allow")
	p.sees("Connected with Ida Berg Studio")
	p.sees("In step with Harvest")
	p.open("/settings/harvest")
	p.sees("Ida Berg")
}
