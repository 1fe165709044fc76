package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbtest"
	"furrow/db/localpg"
	"furrow/db/localpg/testpg"
	"furrow/harvest/sandbox/sandboxtest"
)

// answersAtMost is how long a page may take to say that the database is away.
const answersAtMost = 3 * time.Second

// away checks that pages and forms say in words, and soon, that the database is
// away.
func (s *site) away() {
	s.t.Helper()
	for name, ask := range map[string]func() (int, string, error){
		"a page": func() (int, string, error) { return s.ida.try("/weeks/"+oldWeek.String(), nil) },
		"a form": func() (int, string, error) {
			return s.ida.try("/weeks/"+oldWeek.String()+"/cells", url.Values{"version": {"0"}})
		},
		"health": func() (int, string, error) { return s.ida.try("/readyz", nil) },
	} {
		began := time.Now()
		status, body, err := ask()
		switch took := time.Since(began); {
		case err != nil || status != http.StatusServiceUnavailable || took > answersAtMost:
			s.t.Errorf("%s: status %d after %s, %v: %s", name, status, took, err, body)
		case name == "health":
		case !strings.Contains(body, "The database does not answer right now") || strings.Contains(body, "SQLSTATE") || strings.Contains(body, "dial"):
			s.t.Errorf("%s says %q", name, body)
		}
	}
}

// again waits until pages are served again.
func (s *site) again(most time.Duration) {
	s.t.Helper()
	waitFor(s.t, most, "the pages", func() error {
		status, body, err := s.ida.try("/weeks/"+oldWeek.String(), nil)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
}

// The database is gone for a while, under a program that pushes. What was
// typed meanwhile is sent again when it is back, and all goes on by itself.
func TestFault48_DatabaseRestarts(t *testing.T) {
	for _, outage := range []time.Duration{5 * time.Second, 40 * time.Second} {
		t.Run(outage.String(), func(t *testing.T) {
			chaos(t)
			config := localpg.Config{DataDir: testpg.DataDir(t)}
			server, err := localpg.Start(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
			s := newSite(t, server.ConnString())
			s.setUp(s.program())
			s.sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "POST"}, Fault: "delay", DelayMS: 300})
			const lines = 10
			form := s.ida.lines(oldWeek.Next(), 1)
			s.send(oldWeek, lines)
			s.waitDone(patience, 2)

			// As pg_ctl stop -m immediate does it.
			if err := syscall.Kill(postmaster(t, config.DataDir), syscall.SIGQUIT); err != nil {
				t.Fatal(err)
			}
			<-server.Exited()
			if err := server.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			ends := time.Now().Add(outage)
			path := "/weeks/" + oldWeek.Next().String() + "/push"
			s.away()
			if status, _, err := s.ida.try(path, form); err != nil || status != http.StatusServiceUnavailable {
				t.Errorf("the push: %d, %v", status, err)
			}
			time.Sleep(time.Until(ends))
			s.away()
			again, err := localpg.Start(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			server = again
			s.again(patience)
			for range 2 {
				if status, body, err := s.ida.try(path, form); err != nil || status != http.StatusSeeOther {
					t.Fatalf("the push again: %d %s, %v", status, body, err)
				}
			}
			t.Logf("all was sent %s after the database was back", s.waitDone(maxSettle, lines+1).Round(time.Millisecond))
			s.exactly(lines + 1)
		})
	}
}

// postmaster is the process id of the server of a data directory.
func postmaster(t *testing.T, dataDir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dataDir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// The program's own PostgreSQL is killed. The program starts it again.
func TestFault48_PrivateServerIsKilled(t *testing.T) {
	chaos(t)
	data := testpg.DataDir(t)
	stand := startCommand(t, "/_sandbox/clock", "sandbox")
	p := startCommand(t, "/readyz", "serve", "--data-dir", data, "--harvest-url", stand.URL, "--harvest-id-url", stand.URL)
	s := &site{t: t, sandbox: sandboxtest.Control{BaseURL: stand.URL}}
	s.setUp(p)
	s.sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "POST"}, Fault: "delay", DelayMS: 300})
	const lines = 6
	s.send(oldWeek, lines)
	s.struck()
	if err := syscall.Kill(postmaster(t, data), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	began, refused := time.Now(), 0
	waitFor(t, patience, "the server to run again", func() error {
		asked := time.Now()
		status, body, err := s.ida.try("/weeks/"+oldWeek.String(), nil)
		if took := time.Since(asked); err != nil || took > answersAtMost || status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Errorf("a page: %d after %s, %v: %s", status, took, err, body)
		}
		if status == http.StatusServiceUnavailable {
			refused++
		}
		if log, err := os.ReadFile(p.log); err != nil || !strings.Contains(string(log), "PostgreSQL runs again") {
			return fmt.Errorf("the log does not say so (%w)", err)
		}
		return nil
	})
	s.again(answersAtMost)
	t.Logf("it ran again after %s, %d pages were refused meanwhile", time.Since(began).Round(time.Millisecond), refused)
	s.open(localpgURL(t, data))
	s.waitDone(maxSettle, lines)
	s.exactly(lines)
	s.pool.Close()
}

// localpgURL is the address of a private server that runs.
func localpgURL(t *testing.T, data string) string {
	t.Helper()
	server, err := localpg.Attach(t.Context(), localpg.Config{DataDir: data})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(t.Context()); err != nil { // it is not ours and runs on
		t.Fatal(err)
	}
	return server.ConnString()
}

// The connection to the database is cut at a commit. The person sees the
// answer that there would have been, and everything is stored once.
func TestFault51_CutAtCommit(t *testing.T) {
	chaos(t)
	s := newSite(t, dbtest.URL(t))
	line := dbtest.NewLine(t, s.database)
	s.setUp(s.programOn(line.URL))
	lines, week := 0, oldWeek
	for _, moment := range []dbtest.Moment{dbtest.NotArrived, dbtest.NotTold} {
		cut := func(in string) { line.Cut(dbtest.Cut{At: "commit", In: in, Moment: moment}) }
		path := "/weeks/" + week.String()
		typed := s.ida.typed(week, 1)
		cut("insert into plan_events")
		if status, body, err := s.ida.try(path+"/cells", typed); err != nil || status != http.StatusSeeOther {
			t.Errorf("the cell, %s: %d %s, %v", moment, status, body, err)
		}
		form := fields(s.ida.get(path + "/push").Find("#push-form"))
		cut("insert into writes")
		if status, body, err := s.ida.try(path+"/push", form); err != nil || status != http.StatusSeeOther {
			t.Errorf("the push, %s: %d %s, %v", moment, status, body, err)
		}
		s.waitDone(patience, lines+1)

		cut("update writes") // the outcome of a call
		s.send(week.Next(), 1)
		s.waitDone(maxSettle, lines+2)
		lines, week = lines+2, week.Next().Next()
	}
	if n := line.Cuts(); n != 6 {
		t.Errorf("%d connections were cut, want 6", n)
	}
	s.exactly(lines)
}

// Pages hang on a lock and use up their connections. The others say so at
// once, and jobs do not notice.
func TestFault52_PagesHang(t *testing.T) {
	chaos(t)
	s := newSite(t, dbtest.URL(t))
	s.setUp(s.program())
	s.send(oldWeek, 1)
	s.waitDone(patience, 1)
	form := s.ida.lines(oldWeek.Next(), 30)
	s.ida.post("/weeks/"+oldWeek.Next().String()+"/push", form)
	lock, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := lock.Exec(t.Context(), "lock table sessions"); err != nil {
		t.Fatal(err)
	}
	before := s.done()
	const conns, requests = 16, 40
	var answers sync.WaitGroup
	refused := make(chan time.Duration, requests)
	for range requests {
		answers.Go(func() {
			began := time.Now()
			status, body, err := s.ida.try("/weeks/"+oldWeek.String(), nil)
			if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
				t.Errorf("a page: %d %s, %v", status, body, err)
			}
			if status == http.StatusServiceUnavailable {
				refused <- time.Since(began)
			}
		})
	}
	waitFor(t, 5*time.Second, "pages that are refused", func() error {
		if n := len(refused); n < requests-conns {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	s.waitDone(5*time.Second, before+3)
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	answers.Wait()
	close(refused)
	var slowest time.Duration
	n := 0
	for took := range refused {
		slowest, n = max(slowest, took), n+1
	}
	t.Logf("%d of %d pages were refused, the slowest after %s", n, requests, slowest.Round(time.Millisecond))
	if n != requests-conns || slowest > 2*time.Second {
		t.Errorf("%d pages were refused, want %d; the slowest after %s", n, requests-conns, slowest)
	}
	s.waitDone(maxSettle, 31)
	s.exactly(31)
}

// The database takes no changes any more. Nothing is sent that could not be
// recorded; pages say why nothing is saved; and all goes on when it does.
func TestFault53_ReadOnly(t *testing.T) {
	chaos(t)
	s := newSite(t, dbtest.URL(t))
	s.setUp(s.program())
	s.sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "POST"}, Fault: "delay", DelayMS: 300})
	const lines = 10
	s.send(oldWeek, lines)
	s.waitDone(patience, 2)
	name := pgx.Identifier{s.pool.Config().ConnConfig.Database}.Sanitize()
	readOnly := func(on string) {
		for _, statement := range []string{
			"begin read write; alter database " + name + " set default_transaction_read_only to " + on + "; commit",
			"select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
		} {
			if _, err := s.pool.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		s.pool.Reset()
	}
	readOnly("on")
	time.Sleep(time.Second) // calls that were under way arrive
	sent := s.changes()
	form := s.ida.typed(oldWeek.Next(), 1)
	cells := "/weeks/" + oldWeek.Next().String() + "/cells"
	for ends := time.Now().Add(15 * time.Second); time.Now().Before(ends); time.Sleep(3 * time.Second) {
		status, body, err := s.ida.try(cells, form)
		if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "The database takes no changes right now") {
			t.Fatalf("an edit: %d %s, %v", status, body, err)
		}
	}
	if n := s.changes(); n != sent {
		t.Errorf("%d calls were made that could not be recorded", n-sent)
	}
	readOnly("off")
	s.waitDone(maxSettle, lines)
	s.exactly(lines)
	s.ida.post(cells, form)
}

// changes is how many calls to Harvest would have changed something.
func (s *site) changes() int {
	s.t.Helper()
	n := 0
	for _, r := range s.sandbox.Requests(s.t) {
		if r.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// The disk of the database is full, in the middle of a push. When there is
// room again, all goes on.
func TestFault53_DiskFull(t *testing.T) {
	chaos(t)
	data := testpg.DataDir(t)
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=200m,mode=711", "tmpfs", data).CombinedOutput(); err != nil {
		t.Skipf("without a file system of its own there is only TestFault53_ReadOnly: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", data).CombinedOutput(); err != nil {
			t.Errorf("unmount: %v: %s", err, out)
		}
	})
	stand := startCommand(t, "/_sandbox/clock", "sandbox")
	p := startCommand(t, "/readyz", "serve", "--data-dir", data, "--harvest-url", stand.URL, "--harvest-id-url", stand.URL)
	s := &site{t: t, sandbox: sandboxtest.Control{BaseURL: stand.URL}}
	s.setUp(p)
	const lines = 30
	form := s.ida.lines(oldWeek, lines)
	s.ida.post("/weeks/"+oldWeek.String()+"/push", form)
	s.struckPosts(3)
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)

	// Large notes need room. Somebody types them until there is none.
	refused := false
	note := strings.Repeat("A note that the disk has no room for. ", 50)
	week := oldWeek.Next()
	cell := strings.TrimPrefix(firstCell(s.ida.typed(week, 1)), "p.")
	path := "/weeks/" + week.String() + "/cells/" + strings.Replace(cell, ".", "/", 1)
	for i := 0; i < 5000 && !refused; i++ {
		status, body, err := s.ida.try(path, url.Values{"version": {strconv.Itoa(1 << 40)}, "planned": {""}, "note": {strconv.Itoa(i) + note}})
		switch {
		case err == nil && status == http.StatusSeeOther:
		case err == nil && status == http.StatusServiceUnavailable && (strings.Contains(body, "The database takes no changes right now") || strings.Contains(body, "The database does not answer right now")):
			refused = true
		default:
			t.Fatalf("edit %d: %d %s, %v", i, status, body, err)
		}
	}
	if !refused {
		t.Fatal("the disk was never full")
	}
	time.Sleep(5 * time.Second) // for what a full disk does besides
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.again(time.Minute)
	s.ida.post(path, url.Values{"version": {strconv.Itoa(1 << 40)}, "planned": {""}, "note": {""}})
	s.open(localpgURL(t, data))
	s.waitDone(maxSettle, lines)
	s.exactly(lines)
	s.pool.Close()
}

// firstCell is the name of a cell's field in a form of the grid.
func firstCell(form url.Values) string {
	for name := range form {
		if strings.HasPrefix(name, "p.") {
			return name
		}
	}
	return ""
}

// struckPosts waits until so many changes have reached Harvest.
func (s *site) struckPosts(n int) {
	s.t.Helper()
	waitFor(s.t, patience, "calls", func() error {
		if got := s.changes(); got < n {
			return fmt.Errorf("%d came", got)
		}
		return nil
	})
}

// fill writes a file until there is no room for more.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for block := make([]byte, 1<<20); len(block) >= 1<<10; {
		if _, err := file.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Somebody migrates for a while. Programs that start meanwhile wait, and the
// one that runs serves.
func TestFault55_LongMigration(t *testing.T) {
	chaos(t)
	s := newSite(t, dbtest.URL(t))
	first := s.program()
	s.setUp(first)
	const migrationLock = 0x6675_7272_6f77
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), "select pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		t.Fatal(err)
	}
	const hold = 20 * time.Second // longer than any other lock is waited for
	began := time.Now()
	started := make(chan time.Duration, 2)
	var starting sync.WaitGroup
	for range 2 {
		starting.Go(func() {
			s.program()
			started <- time.Since(began)
		})
	}
	s.send(oldWeek, 1)
	s.waitDone(3*time.Second, 1)
	for time.Since(began) < hold {
		if status, body, err := s.ida.try("/weeks/"+oldWeek.String(), nil); err != nil || status != http.StatusOK {
			t.Fatalf("a page: %d %s, %v", status, body, err)
		}
		time.Sleep(time.Second)
	}
	if len(started) > 0 {
		t.Error("a program did not wait")
	}
	if _, err := conn.Exec(t.Context(), "select pg_advisory_unlock($1)", int64(migrationLock)); err != nil {
		t.Fatal(err)
	}
	starting.Wait()
	s.exactly(1)
}
