package e2e

import (
	"os"
	"path/filepath"
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
