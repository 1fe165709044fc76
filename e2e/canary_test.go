package e2e

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"furrow/harvest/sandbox/sandboxtest"
)

// The token is a canary: after everything that can go wrong with Harvest has
// gone wrong, it is found in no log, however much is logged, on no page, in no
// metric, in nothing that people take out or are told, and in no dump of the
// database, job arguments, mails, webhooks and errors included.
func TestCanary(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "demo")
	metrics := freeAddress(t)
	program := startProgram(t, "--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL, "--metrics-listen", metrics)
	program.stop()
	program.command = func(args ...string) *exec.Cmd { // from here on it logs all it can
		cmd := program.built(args...)
		cmd.Env = append(cmd.Env, "FURROW_LOG=debug")
		return cmd
	}
	program.start()
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
	for _, path := range []string{"/week", week + "/push", "/ledger", "/settings", "/settings/harvest", "/settings/sessions", "/settings/delete", "/admin", "/admin/alerts", "/admin/queues", "/admin/schedules", "/admin/users/invite", "/admin/writes", "/admin/jobs", "/admin/connections", "/admin/limits", "/admin/audit", "/admin/users"} {
		html, err := ida.get(path).Html()
		if err != nil {
			t.Fatal(err)
		}
		searched[path] = html
	}
	searched["the export"] = unzipped(t, ida)
	searched["a backup"] = program.backedUp(t)
	searched["the doctor"] = program.diagnosed(t)
	searched["the metrics"] = textAt(t, "http://"+metrics+"/metrics")
	log, err := os.ReadFile(program.log)
	if err != nil {
		t.Fatal(err)
	}
	searched["the log"] = string(log)
	searched["the dump"] = dump(t, program)
	for what, wanted := range map[string]string{
		"the export": "company_name", "a backup": "tables/harvest_connections", "the doctor": "secret", "the metrics": "furrow_", "/settings/sessions": "this",
		"the log": "level=DEBUG", "the dump": "harvest_push", "/admin/jobs": "harvest_pull", "/ledger": "Harvest",
	} {
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

// unzipped is all that is in somebody's export.
func unzipped(t *testing.T, p *person) string {
	t.Helper()
	answer, err := p.client.PostForm(p.program.URL+"/settings/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatalf("the export, %d: %v", answer.StatusCode, err)
	}
	var all strings.Builder
	for _, member := range archive.File {
		r, err := member.Open()
		if err == nil {
			_, err = io.Copy(&all, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// flag is the value of one of the program's flags.
func (p *program) flag(name string) string {
	for i, arg := range p.args {
		if arg == name {
			return p.args[i+1]
		}
	}
	return ""
}

// backedUp is a backup of the program, no longer compressed.
func (p *program) backedUp(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "furrow.backup")
	out, err := p.built("backup", file, "--database-url", p.flag("--database-url"), "--data-dir", p.flag("--data-dir")).CombinedOutput()
	if err != nil {
		t.Fatalf("back up: %v: %s", err, out)
	}
	content, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	zipped, err := gzip.NewReader(content)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zipped)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// diagnosed is what the doctor says, whatever it thinks of this machine.
func (p *program) diagnosed(t *testing.T) string {
	t.Helper()
	out, err := p.built("doctor", "--database-url", p.flag("--database-url"), "--data-dir", p.flag("--data-dir"), "--harvest-url", p.flag("--harvest-url"), "--harvest-id-url", p.flag("--harvest-id-url")).CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out)
}

func textAt(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
