package e2e

import "testing"

// Somebody who is invited follows the link, plans, and deletes the account again.
func TestInvitedAndGone(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	d := ida.post("/admin/users/invite", map[string][]string{"email": {"eve@example.com"}, "role": {"user"}})
	link := words(d.Find("code.secret").Text())
	p := openTab(t, program)
	p.open(link[len(program.URL):])
	p.sees("eve@example.com")
	p.fill("New password", "an orchard of pears")
	p.click("button", "Make the account")
	p.sees("Log out")
	p.open("/settings")
	p.click("link", "Delete the account")
	p.sees("All time entries in Harvest")
	p.fill("Your password", "an orchard of pears")
	p.click("button", "Delete the account for good")
	p.sees("Your account is deleted")
	p.open("/week")
	p.sees("Forgot your password?")
}
