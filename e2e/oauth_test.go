package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"furrow/harvest/sandbox/sandboxtest"
)

// Connecting by logging in at Harvest, as a browser allows it: what a page may
// send forms to holds for where they lead on, too.
func TestLogInAtHarvest(t *testing.T) {
	t.Parallel()
	elsewhere := sandboxtest.Start(t, "")
	secret := filepath.Join(t.TempDir(), "client-secret")
	if err := os.WriteFile(secret, []byte(sandboxtest.OAuthSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"inside": {"--sandbox"},
		"elsewhere": {
			"--harvest-url", elsewhere.URL, "--harvest-id-url", elsewhere.URL,
			"--harvest-client-id", sandboxtest.OAuthClient, "--harvest-client-secret-file", secret,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openTab(t, startProgram(t, args...))
			p.open("/")
			p.makeAccount()
			p.sees("ways to begin")
			p.click("link", "Connect Harvest")
			p.expect("/favicon.ico") // the sandbox's page names no icon
			p.click("button", "Go to Harvest")
			p.sees("asks for access to Harvest as Ida Berg")
			p.click("button", "Allow")
			p.sees("Connected with Ida Berg Studio")
			p.sees("In step with Harvest")
		})
	}
}

// A grant in the running program: an access token that ends is renewed without
// anybody noticing; one that Harvest takes back for good makes what is pushed
// wait, until its owner has logged in again.
func TestGrantThatEnds(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	day, rows := today(t), freeRows()
	ida := newPerson(t, program)
	ida.post("/setup", map[string][]string{"email": {email}, "password": {password}})
	logIn := func() {
		t.Helper()
		page := ida.post("/settings/harvest/oauth", nil)
		if page = ida.post("/oauth2/authorize", fields(page.Find("form"))); !strings.HasPrefix(page.url.Path, "/weeks/") {
			t.Fatalf("logged in, and led to %s: %s", page.url, words(page.Find("main").Text()))
		}
	}
	endToken := func() {
		t.Helper()
		for _, token := range sandbox.State(t).Tokens {
			if strings.HasSuffix(token.Name, ".at") {
				sandbox.RevokeToken(t, token.Name)
			}
		}
		sandbox.ForgetRequests(t)
	}
	renewals := func() (n int) {
		t.Helper()
		for _, r := range sandbox.Requests(t) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/oauth2/token") {
				n++
			}
		}
		return n
	}
	arrives := func(r row) {
		t.Helper()
		waitFor(t, patience, "a push to arrive", func() error { return onceInHarvest(t, sandbox, r, day, "1.5", "") })
	}
	logIn()
	waitFor(t, patience, "the first sync to end", func() error {
		if status := words(ida.get("/week").Find("#sync-status").Text()); !strings.Contains(status, "In step with Harvest") {
			return fmt.Errorf("status: %s", status)
		}
		return nil
	})

	endToken()
	ida.plan(day, rows[:1], "1:30")
	ida.push()
	arrives(rows[0])
	if n := renewals(); n != 1 {
		t.Errorf("%d renewals", n)
	}

	endToken()
	sandbox.Fault(t, sandboxtest.Fault{Fault: "status", Status: http.StatusUnauthorized, Match: sandboxtest.Match{Path: "/v2/oauth2/token"}})
	ida.plan(day, rows[1:2], "1:30")
	ida.push()
	waitFor(t, patience, "the page to ask for a log-in", func() error {
		if text := words(ida.get("/settings/harvest").Find("main").Text()); !strings.Contains(text, "1 change is safe here") {
			return fmt.Errorf("it says: %s", text)
		}
		return nil
	})
	if n := renewals(); n != 1 {
		t.Errorf("%d tries to renew what is gone", n)
	}
	sandbox.ClearFaults(t)
	logIn()
	arrives(rows[1])
	checkOnce(t, sandbox, rows[0], day, "1.5", "")
}
