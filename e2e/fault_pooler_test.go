package e2e

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbtest"
	"furrow/db/localpg/testpg"
)

// nobody is the user as whom PgBouncer runs where the tests run as root, as
// whom it refuses to.
const nobody = 65534

// startPgBouncer starts a PgBouncer before the database at an address, as
// Debian ships it but for pool_mode, and returns the address through it. It
// lends few connections, so that programs have to share them.
func startPgBouncer(t *testing.T, database, mode string) string {
	t.Helper()
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			t.Fatal("there is no pgbouncer: install it with `make deps-chaos`, or `apt-get install pgbouncer`")
		}
	}
	server, err := url.Parse(dbtest.NewLine(t, database).URL) // by TCP: the socket is another user's
	if err != nil {
		t.Fatal(err)
	}
	dir := testpg.DataDir(t)
	front := freeAddress(t)
	_, port, err := net.SplitHostPort(front)
	if err != nil {
		t.Fatal(err)
	}
	login := "user=" + server.User.Username()
	if password, given := server.User.Password(); given {
		login += " password=" + password
	}
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
%s = host=%s port=%s %s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = %d
max_client_conn = 300
`, server.Path[1:], server.Hostname(), server.Port(), login, port, mode, poolSize[mode])
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil { //nolint:gosec // PgBouncer runs as another user
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "pgbouncer.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, config) // longer than the programs
	cmd.Stdout, cmd.Stderr = log, log
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start pgbouncer: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			keep(t, "pgbouncer.log", said)
		}
	})
	server.Host = front
	address := server.String()
	waitFor(t, patience, "pgbouncer", func() error {
		conn, err := pgx.Connect(t.Context(), address)
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err
	})
	return address
}

// poolSize is how many connections PgBouncer has to the database. In session
// mode each of a program's takes one.
var poolSize = map[string]int{"session": 100, "transaction": 5}

// The ways through PgBouncer that the README tells of: two processes that serve
// pages and one that works jobs, from an empty database to lines in Harvest.
func TestFaultProcesses_PgBouncer(t *testing.T) {
	for _, tt := range []struct {
		name         string
		mode         string
		pages, jobs  []string
		directWorker bool
	}{
		{name: "session", mode: "session"},
		{name: "transaction", mode: "transaction", pages: []string{"--database-pooled"}, jobs: []string{"--database-pooled"}},
		{name: "transaction, workers direct", mode: "transaction", pages: []string{"--database-pooled"}, directWorker: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chaos(t)
			const lines = 12
			database := dbtest.EmptyURL(t)
			pooled := startPgBouncer(t, database, tt.mode)
			workers := pooled
			if tt.directWorker {
				workers = database
			}
			s := newSite(t, database)
			var pages [2]*program
			var starting sync.WaitGroup
			for i := range pages { // both find an empty database
				starting.Go(func() { pages[i] = s.programOn(pooled, append([]string{"--role", "web"}, tt.pages...)...) })
			}
			starting.Wait()
			worker := s.programOn(workers, append([]string{"--role", "worker"}, tt.jobs...)...)
			s.setUp(pages[0])
			form := s.ida.lines(oldWeek, lines)
			s.ida.program = pages[1]
			path := "/weeks/" + oldWeek.String()
			s.ida.post(path+"/push", form)
			t.Logf("%d lines were sent after %s", lines, s.waitDone(patience, lines).Round(time.Millisecond))
			worker.stop()
			s.send(oldWeek.Next(), 1)
			worker.start()
			s.ida.post(path+"/sync", url.Values{})
			s.waitDone(maxRecovery, lines+1)
			s.exactly(lines + 1)
			for _, command := range [][]string{{"backup", filepath.Join(t.TempDir(), "backup"), "--data-dir", s.data}, {"migrate", "--check"}} {
				args := append(append(command, "--database-url", pooled), tt.pages...)
				if out, err := exec.CommandContext(t.Context(), worker.cmd.Path, args...).CombinedOutput(); err != nil {
					t.Errorf("furrow %s: %v: %s", command[0], err, out)
				}
			}
		})
	}
}
