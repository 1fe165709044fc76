package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/db/localpg/testpg"
	"furrow/harvest/sandbox/sandboxtest"
)

// pages are all pages that the person reaches by links, by their addresses, as
// they read: without what each loading makes anew. Of the weeks, which have no
// end, those close to today; none of the admin's pages, on which are the jobs,
// nor the log-ins, which no backup brings back.
func (p *person) pages() map[string]string {
	p.tb.Helper()
	found := map[string]string{}
	weeks := 0
	for queue := []string{"/week"}; len(queue) > 0; queue = queue[1:] {
		address := queue[0]
		elsewhere := func(prefix string) bool { return strings.HasPrefix(address, prefix) }
		if _, seen := found[address]; seen || slices.ContainsFunc([]string{"/admin", "/settings/sessions", "/static/"}, elsewhere) {
			continue
		}
		if strings.HasPrefix(address, "/weeks/") {
			if weeks++; weeks > 20 {
				continue
			}
		}
		d := p.get(address)
		if d.status != 200 {
			p.tb.Errorf("%s: %d", address, d.status)
		}
		d.Find("a[href]").Each(func(_ int, link *goquery.Selection) {
			to, err := d.url.Parse(link.AttrOr("href", ""))
			if err == nil && to.Host == d.url.Host {
				queue = append(queue, to.RequestURI())
			}
		})
		found[address] = p.asRead(d)
	}
	return found
}

func (p *person) asRead(d document) string {
	d.Find("#sync-status").Remove()
	// After a restore, some pages say besides that nothing is sent yet.
	d.Find("p").FilterFunction(func(_ int, s *goquery.Selection) bool {
		return strings.Contains(s.Text(), "put back to an earlier state")
	}).Remove()
	d.Find("input[name=mutation_id]").RemoveAttr("value")
	html, err := d.Html()
	if err != nil {
		p.tb.Fatal(err)
	}
	return html
}

// saved is a backup of an installation in which somebody has planned and pushed.
type saved struct {
	file      string
	pages     map[string]string
	toSandbox []string
}

// newSaved makes one, with notes of many bytes that no compression makes small.
func newSaved(t *testing.T, bytes int) *saved {
	t.Helper()
	furrow, err := run.binary()
	if err != nil {
		t.Fatal(err)
	}
	sandbox := sandboxtest.Start(t, "demo")
	s := &saved{file: filepath.Join(t.TempDir(), "furrow.backup"), toSandbox: []string{"--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL}}
	database := dbtest.URL(t)
	data := filepath.Join(t.TempDir(), "data")
	p := startOn(t, database, data, s.toSandbox...)
	ida := newPerson(t, p)
	ida.setUp()
	day, rows := today(t), freeRows()
	ida.plan(day, rows[:2], "1:30", "2")
	ida.push()
	ida.inStep()
	if bytes > 0 {
		pool, err := db.Open(t.Context(), database, 1)
		if err != nil {
			t.Fatal(err)
		}
		const audit = `insert into audit_events (actor, action, subject, detail)
			select 'ida@example.com', 'write.retry', 'write ' || n, jsonb_build_object('text', (select string_agg(md5(n || '-' || i), '') from generate_series(1, 32) i))
			from generate_series(1, $1::int) n`
		if _, err := pool.Exec(t.Context(), audit, bytes/1024); err != nil {
			t.Fatal(err)
		}
		pool.Close()
	}
	s.pages = ida.pages()
	said, status := runCommand(t, furrow, "backup", s.file, "--database-url", database, "--data-dir", data)
	if status != 0 {
		t.Fatalf("backup: %d %s", status, said)
	}
	p.stop()
	return s
}

// check starts a program where the backup was restored, and compares all pages.
func (s *saved) check(t *testing.T, args ...string) {
	t.Helper()
	p := startCommand(t, "/readyz", append(append([]string{"serve", "--role", "web"}, s.toSandbox...), args...)...)
	ida := newPerson(t, p)
	ida.logIn()
	if diff := cmp.Diff(s.pages, ida.pages()); diff != "" {
		t.Errorf("pages (-before +after):\n%s", diff)
	}
	if status := words(ida.get("/week").Find("#sync-status").Text()); !strings.Contains(status, "Nothing is sent until Harvest has been compared with it.") {
		t.Errorf("the status says %q", status)
	}
	p.stop()
}

// Who may not read or write what a restore needs is told so, and nothing is
// changed.
func TestRestoreWithoutRights(t *testing.T) {
	t.Parallel()
	built, err := run.binary()
	if err != nil {
		t.Fatal(err)
	}
	home := testpg.DataDir(t) // others may pass through it
	text, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	furrow := filepath.Join(home, "furrow") // the other one is in a directory of our own
	if err := os.WriteFile(furrow, text, 0o755); err != nil {
		t.Fatal(err)
	}
	pool := dbtest.New(t)
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	file := filepath.Join(home, "furrow.backup")
	out, err := os.Create(file)
	if err == nil {
		_, err = db.Backup(t.Context(), pool, out, spool, dbtest.SecretKey(), "v0-test")
	}
	if err := errors.Join(err, out.Close(), os.Chmod(file, 0o644)); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(home, "closed")
	unreadable := filepath.Join(home, "unreadable.key")
	if err := errors.Join(os.Mkdir(closed, 0o755), os.WriteFile(unreadable, dbtest.SecretKey(), 0), os.WriteFile(filepath.Join(home, "mine"), nil, 0)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(closed, 0o555), os.Chmod(home, 0o555)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(home, 0o755) })
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"the backup is another's", "permission denied", []string{filepath.Join(home, "mine"), "--data-dir", closed}},
		{"the key is another's", "permission denied", []string{file, "--data-dir", closed, "--secret-key-file", unreadable}},
		{"the data directory is another's", "permission denied", []string{file, "--data-dir", closed}},
		{"the data directory cannot be made", "cannot be made", []string{file, "--data-dir", filepath.Join(closed, "data")}},
		{"the key cannot be stored", "permission denied", []string{file, "--database-url", dbtest.NewLine(t, dbtest.EmptyURL(t)).URL, "--data-dir", closed}},
	} {
		cmd := exec.CommandContext(t.Context(), furrow, append([]string{"restore"}, tt.args...)...)
		cmd.Env = []string{"FURROW_LOG=error"}
		if os.Geteuid() == 0 {
			const nobody = 65534
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		said, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(said), tt.want) || strings.Count(string(said), "\n") != 1 {
			t.Errorf("%s: %v, %s", tt.name, err, said)
		}
		if names, err := os.ReadDir(closed); err != nil || len(names) > 0 {
			t.Errorf("%s: %v was made, %v", tt.name, names, err)
		}
	}
}

// A restore finds the disk full, at whatever point. It says so and leaves no
// account behind; with more room it succeeds.
func TestFaultRestore_DiskFull(t *testing.T) {
	chaos(t)
	furrow, err := run.binary()
	if err != nil {
		t.Fatal(err)
	}
	s := newSaved(t, 40<<20)
	data := testpg.DataDir(t)
	mount := func(options string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", options+",mode=711", "tmpfs", data).CombinedOutput(); err != nil {
			t.Skipf("without a file system of its own nothing is full: %v: %s", err, out)
		}
	}
	mount("size=10m")
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", data).CombinedOutput(); err != nil {
			t.Errorf("unmount: %v: %s", err, out)
		}
	})
	for _, megabytes := range []int{10, 60, 90, 120} { // for a cluster, its first tables, and a part of the rows
		mount(fmt.Sprintf("remount,size=%dm", megabytes))
		said, status := runCommand(t, furrow, "restore", s.file, "--data-dir", data)
		if status != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "for want of room on the disk") {
			t.Fatalf("with %d MB: %d %s", megabytes, status, said)
		}
		t.Logf("with %d MB: %s", megabytes, said)
		if _, err := os.Lstat(filepath.Join(data, "secret.key")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("with %d MB: the key is left: %v", megabytes, err)
		}
	}
	mount("remount,size=500m")
	if said, status := runCommand(t, furrow, "restore", s.file, "--data-dir", data); status != 0 {
		t.Fatalf("with room: %d %s", status, said)
	}
	s.check(t, "--data-dir", data)
}

// A restore is killed, again and again, and each time it is begun anew. It is
// done as soon as it says that the database is not empty.
func TestFaultRestore_Killed(t *testing.T) {
	chaos(t)
	furrow, err := run.binary()
	if err != nil {
		t.Fatal(err)
	}
	s := newSaved(t, 4<<20)
	database, key := dbtest.EmptyURL(t), filepath.Join(t.TempDir(), "secret.key")
	args := []string{"restore", s.file, "--database-url", database, "--data-dir", t.TempDir(), "--secret-key-file", key}
	kills := 0
	for after := 20 * time.Millisecond; ; after += 40 * time.Millisecond {
		cmd := exec.CommandContext(t.Context(), furrow, args...)
		cmd.Env = []string{"FURROW_LOG=error"}
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if ok && status.Signaled() {
			kills++
			continue
		}
		if err != nil && !strings.Contains(said.String(), "not empty") {
			t.Fatalf("after %d kills: %v, %s", kills, err, &said)
		}
		t.Logf("after %d kills, the last %s after its start: %s", kills, after, &said)
		break
	}
	s.check(t, "--database-url", database, "--data-dir", filepath.Join(t.TempDir(), "data"), "--secret-key-file", key)
}

// A restore is killed when all is loaded, and nothing is done about what is to
// be sent. The next start does it.
func TestFaultRestore_KilledWhenLoaded(t *testing.T) {
	chaos(t)
	furrow, err := run.binary()
	if err != nil {
		t.Fatal(err)
	}
	s := newSaved(t, 0)
	database, key := dbtest.EmptyURL(t), filepath.Join(t.TempDir(), "secret.key")
	line := dbtest.NewLine(t, database)
	cmd := exec.CommandContext(t.Context(), furrow, "restore", s.file, "--database-url", line.URL, "--data-dir", t.TempDir(), "--secret-key-file", key)
	line.Cut(dbtest.Cut{At: "commit", In: "pg_get_serial_sequence", Moment: dbtest.NotTold, Then: func() { _ = cmd.Process.Kill() }})
	if err := cmd.Run(); err == nil || line.Cuts() != 1 {
		t.Fatalf("it was not killed: %v, %d cuts", err, line.Cuts())
	}
	if said, status := runCommand(t, furrow, "restore", s.file, "--database-url", database, "--data-dir", t.TempDir(), "--secret-key-file", key); status != 1 || !strings.Contains(said, "not empty") {
		t.Errorf("again: %d %s", status, said)
	}
	s.check(t, "--database-url", database, "--data-dir", filepath.Join(t.TempDir(), "data"), "--secret-key-file", key)
}
