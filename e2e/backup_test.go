package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"furrow/db/localpg/testpg"
	"furrow/harvest/sandbox/sandboxtest"
)

// onMachine is a program with a private PostgreSQL under a data directory, on a
// machine of its own so to say. It is not started.
func onMachine(tb testing.TB, dataDir string, args ...string) *program {
	tb.Helper()
	p := &program{tb: tb, home: tb.TempDir()}
	p.log = filepath.Join(p.home, "program.log")
	address := freeAddress(tb)
	p.URL = "http://" + address
	p.args = append([]string{"serve", "--listen", address, "--data-dir", dataDir}, args...)
	tb.Cleanup(func() {
		if p.cmd != nil {
			p.stop()
		}
	})
	return p
}

// runCommand runs a command to its end. It returns what was said, on both
// outputs, and the exit status.
func runCommand(tb testing.TB, name string, args ...string) (said string, status int) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "FURROW_LOG=error"}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		tb.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// logIn is with the account that setUp made.
func (p *person) logIn() {
	p.tb.Helper()
	p.post("/login", url.Values{"email": {email}, "password": {password}})
}

func (p *person) grid() string {
	p.tb.Helper()
	grid := p.get("/week").Find("#week-grid")
	grid.Find("input[name=mutation_id]").RemoveAttr("value") // another one each time
	html, err := grid.Html()
	if err != nil || !strings.Contains(html, "1:30") {
		p.tb.Fatalf("%v: the week shows %s", err, html)
	}
	return html
}

func (p *person) inStep() {
	p.tb.Helper()
	waitFor(p.tb, patience, "all to be in step", func() error {
		if status := words(p.get("/week").Find("#sync-status").Text()); !strings.Contains(status, "In step with Harvest") {
			return errors.New(status)
		}
		return nil
	})
}

// TestBackupAndRestore moves an installation to another machine by its backup,
// and goes on there. What was pushed in between is not pushed again.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	furrow, err := run.binary()
	if err != nil {
		t.Fatal(err)
	}
	sandbox := sandboxtest.Start(t, "demo")
	toSandbox := []string{"--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL}
	here, there := testpg.DataDir(t), testpg.DataDir(t)
	file := filepath.Join(t.TempDir(), "furrow.backup")
	day, rows := today(t), freeRows()

	old := onMachine(t, here, toSandbox...)
	old.start()
	ida := newPerson(t, old)
	ida.setUp()
	ida.plan(day, rows[:2], "1:30", "2")
	ida.push()
	ida.inStep()
	before, pagesBefore := ida.grid(), ida.pages()

	// While it runs.
	said, status := runCommand(t, furrow, "backup", file, "--data-dir", here)
	if status != 0 || !strings.Contains(said, "keep it as a secret") {
		t.Fatalf("backup: exit status %d, %s", status, said)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	onlyFile := func(when string) {
		t.Helper()
		names, err := os.ReadDir(filepath.Dir(file))
		if err != nil || len(names) != 1 || names[0].Name() != filepath.Base(file) {
			t.Errorf("%s, there is beside the file: %v, %v", when, names, err)
		}
	}
	onlyFile("after the backup")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A file that grows beyond what it may is as one on a full disk.
	limited := fmt.Sprintf("ulimit -f 8; exec %q backup %q --data-dir %q", furrow, file, here)
	if said, status := runCommand(t, "sh", "-c", limited); status != 1 || !strings.Contains(said, "cannot be written to "+file) || strings.Count(said, "\n") != 1 {
		t.Errorf("without room: exit status %d, %s", status, said)
	}
	onlyFile("after one without room")
	// Neither does it take the place of an older one in a directory that keeps one.
	kept := filepath.Join(t.TempDir(), "furrow-20260101T000000Z.backup")
	if err := os.WriteFile(kept, content, 0o600); err != nil {
		t.Fatal(err)
	}
	limited = fmt.Sprintf("ulimit -f 8; exec %q backup %q --keep 1 --data-dir %q", furrow, filepath.Dir(kept), here)
	said, status = runCommand(t, "sh", "-c", limited)
	names, err := os.ReadDir(filepath.Dir(kept))
	if status != 1 || err != nil || len(names) != 1 || names[0].Name() != filepath.Base(kept) {
		t.Errorf("in a directory without room: exit status %d, %s; it holds %v, %v", status, said, names, err)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, content) {
		t.Errorf("the earlier backup is not what it was: %v", err)
	}

	saysDoctor(t, furrow, "version ", "--data-dir", here)

	// After the backup, one cell more.
	ida.plan(day, rows[2:3], "45m")
	ida.push()
	ida.inStep()
	old.stop()
	saysDoctor(t, furrow, "it does not run", "--data-dir", here)

	refused := func(name, want string, args ...string) {
		t.Helper()
		said, status := runCommand(t, furrow, append([]string{"restore"}, args...)...)
		if status != 1 || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: exit status %d, %s; want %q", name, status, said, want)
		}
	}
	// Nothing but the file is looked at before it is found to be good.
	nowhere := filepath.Join(t.TempDir(), "none")
	cut := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(cut, content[:len(content)-100], 0o600); err != nil {
		t.Fatal(err)
	}
	if said, status := runCommand(t, furrow, "backup", file, "--data-dir", nowhere); status != 1 || !strings.Contains(said, "nothing to back up") {
		t.Errorf("a backup of nothing: exit status %d, %s", status, said)
	}
	refused("no file", "no such file", nowhere, "--data-dir", nowhere)
	refused("cut off", "cut off", cut, "--data-dir", nowhere)
	refused("no backup", "not a backup", filepath.Join(here, "secret.key"), "--data-dir", nowhere)
	if _, err := os.Stat(nowhere); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a data directory was made: %v", err)
	}
	otherKey := filepath.Join(t.TempDir(), "other.key")
	if err := os.WriteFile(otherKey, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("another key", "another secret key", file, "--data-dir", nowhere, "--secret-key-file", otherKey)

	if said, status := runCommand(t, furrow, "restore", file, "--data-dir", there); status != 0 || !strings.Contains(said, "Restored") {
		t.Fatalf("restore: exit status %d, %s", status, said)
	}
	key, err := os.ReadFile(filepath.Join(there, "secret.key"))
	wantKey, wantErr := os.ReadFile(filepath.Join(here, "secret.key"))
	if err != nil || wantErr != nil || !bytes.Equal(key, wantKey) {
		t.Errorf("the secret key was not restored: %v, %v", err, wantErr)
	}
	refused("not empty", "not empty", file, "--data-dir", there)

	// Without a worker the week is as it was.
	moved := onMachine(t, there, append(toSandbox, "--role", "web")...)
	moved.start()
	ida = newPerson(t, moved)
	ida.logIn()
	if after := ida.grid(); after != before {
		t.Errorf("the week is another one:\nbefore %s\nafter %s", words(before), words(after))
	}
	if diff := cmp.Diff(pagesBefore, ida.pages()); diff != "" {
		t.Errorf("pages (-before +after):\n%s", diff)
	}
	if status := words(ida.get("/week").Find("#sync-status").Text()); !strings.Contains(status, "Nothing is sent until Harvest has been compared with it.") {
		t.Errorf("the status says %q", status)
	}
	refused("in use", "in use", file, "--data-dir", there)
	moved.stop()

	// She plans and pushes again what the backup does not know, before anything
	// has been compared.
	sandbox.ForgetRequests(t)
	moved = onMachine(t, there, append(toSandbox, "--role", "web")...)
	moved.start()
	ida.program = moved
	ida.plan(day, rows[2:4], "45m", "0:06")
	ida.push()
	moved.stop()
	moved = onMachine(t, there, toSandbox...)
	moved.start()
	ida.program = moved
	ida.inStep()
	for i, hours := range []string{"1.5", "2", "0.75", "0.1"} {
		checkOnce(t, sandbox.Control, rows[i], day, hours, "")
	}
	if got := ours(sandbox.State(t)); got != 4 {
		t.Errorf("Harvest holds %d lines, want 4", got)
	}
	posts := 0
	for _, r := range sandbox.Requests(t) {
		if r.Method == "POST" {
			posts++
		}
	}
	if posts != 1 {
		t.Errorf("%d creates, want the one of the new cell", posts)
	}
}
