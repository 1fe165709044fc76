package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"furrow/harvest/sandbox/sandboxtest"
)

// The token is a canary: after everything that can go wrong with Harvest has
// gone wrong, it is found in no log, no page and no dump of the database, job
// arguments and errors included.
func TestCanary(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "demo")
	program := startProgram(t, "--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL)
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	week := ida.get("/week").url.Path
	ida.plan(day, freeRows(), "1", "2", "3", "0:30", "0:45")
	for _, fault := range []sandboxtest.Fault{
		{Fault: "status", Status: 500, Body: "html", Times: 1},
		{Fault: "html_200", Times: 1},
		{Fault: "drop_before", Times: 1},
		{Fault: "redirect", Times: 1},
		{Fault: "status", Status: 422, Times: 1, Match: sandboxtest.Match{Method: "POST"}},
		{Fault: "apply_then_truncate", Times: 1, Match: sandboxtest.Match{Method: "POST"}},
		{Fault: "foreign_next_link", Times: 1, Match: sandboxtest.Match{Path: "/v2/users/me/project_assignments"}},
	} {
		sandbox.Fault(t, fault)
	}
	ida.push()
	ida.post(week+"/sync", url.Values{})
	waitFor(t, 2*patience, "every fault to strike", func() error {
		for _, f := range sandbox.Faults(t) {
			if f.Struck == 0 {
				return errors.New(f.Fault + " has not")
			}
		}
		return nil
	})
	sandbox.ClearFaults(t)
	sandbox.RevokeToken(t, sandboxtest.Token)
	ida.post(week+"/sync", url.Values{})
	waitFor(t, 2*patience, "the revoked token to be noticed", func() error {
		if !strings.Contains(ida.get("/settings/harvest").Text(), "no longer accepts") {
			return errors.New("it is not")
		}
		return nil
	})

	searched := map[string]string{}
	for _, path := range []string{"/week", week + "/push", "/ledger", "/settings", "/settings/harvest", "/admin/writes", "/admin/jobs", "/admin/connections", "/admin/limits", "/admin/audit", "/admin/users"} {
		html, err := ida.get(path).Html()
		if err != nil {
			t.Fatal(err)
		}
		searched[path] = html
	}
	log, err := os.ReadFile(program.log)
	if err != nil {
		t.Fatal(err)
	}
	searched["the log"] = string(log)
	searched["the dump"] = dump(t, program)
	for what, wanted := range map[string]string{"the log": "status=500", "the dump": "harvest_push", "/admin/jobs": "harvest_pull", "/ledger": "Harvest"} {
		if !strings.Contains(searched[what], wanted) {
			t.Errorf("%s does not even hold %q", what, wanted)
		}
	}
	token := sandboxtest.Token
	for what, text := range searched {
		for _, form := range []string{token, hex.EncodeToString([]byte(token)), base64.StdEncoding.EncodeToString([]byte(token))} {
			if strings.Contains(text, form) {
				t.Errorf("%s holds the token, as %q", what, form)
			}
		}
	}
}

// dump is the program's database as pg_dump writes it.
func dump(t *testing.T, p *program) string {
	t.Helper()
	tool, err := exec.LookPath("pg_dump")
	if err != nil {
		found, globErr := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
		if globErr != nil || len(found) == 0 {
			t.Fatalf("pg_dump, which comes with PostgreSQL, is not to be found: %v", err)
		}
		tool = found[len(found)-1]
	}
	database := ""
	for i, arg := range p.args {
		if arg == "--database-url" {
			database = p.args[i+1]
		}
	}
	out, err := exec.Command(tool, "--dbname", database).Output()
	if err != nil {
		t.Fatalf("dump: %v", err)
	}
	return string(out)
}
