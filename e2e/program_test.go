// Package e2e tests the built program as people use it: in a real Chromium,
// each test with a running program, a database and a Harvest of its own.
// Elements are found as people find them, by their role and their words.
//
// A test that fails keeps what it saw (pages, screenshots, the program's log)
// and says where; with `go test -artifacts` that is beside its other output.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"furrow/db/dbtest"
)

// Times that are waited at most. They only pass where something is wrong.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
	patience     = 20 * time.Second // for what should happen at once, on a busy machine
)

// shared is what the tests of one run share: the built program, and a browser.
type shared struct {
	binary  func() (string, error)
	browser func() (context.Context, error)
	tabs    atomic.Int64 // opened so far
}

// run is made by TestMain before any test runs.
var run shared

// atOnce is how many tests run at once, unless -parallel says: more than there
// are processors, for they wait most of the time.
const atOnce = 4

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	os.Exit(func() int {
		if !given {
			if err := flag.Set("test.parallel", strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0)))); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		dir, err := os.MkdirTemp("", "furrow-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		endBrowser := func() {}
		run.binary = sync.OnceValues(func() (string, error) { return build(filepath.Join(dir, "furrow")) })
		run.browser = sync.OnceValues(func() (context.Context, error) {
			ctx, end, err := startBrowser(filepath.Join(dir, "chromium"))
			endBrowser = end
			return ctx, err
		})
		defer func() { endBrowser() }()
		return m.Run()
	}())
}

// build builds the program as it is shipped.
func build(binary string) (string, error) {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "furrow")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return binary, nil
}

// program is one that runs, or was killed and may be started again. It keeps
// its address, its database and its data directory.
type program struct {
	URL string // without a final slash

	tb     testing.TB
	args   []string
	ready  string // the path that answers 200 when it is ready
	home   string
	log    string // path
	cmd    *exec.Cmd
	exited chan error

	// command makes the process; nil: the program as built, with an environment of its own.
	command func(args ...string) *exec.Cmd
}

// startProgram starts a program with more arguments, on a free port with a
// database of its own. It stops with the test.
func startProgram(tb testing.TB, args ...string) *program {
	tb.Helper()
	return startOn(tb, dbtest.URL(tb), filepath.Join(tb.TempDir(), "data"), args...)
}

// startOn is startProgram with a database and a data directory that others may
// use as well.
func startOn(tb testing.TB, database, dataDir string, args ...string) *program {
	tb.Helper()
	return startCommand(tb, "/readyz", append([]string{"serve", "--database-url", database, "--data-dir", dataDir}, args...)...)
}

// startCommand starts one of the program's commands that listen.
func startCommand(tb testing.TB, ready string, args ...string) *program {
	tb.Helper()
	p := &program{tb: tb, ready: ready, home: tb.TempDir()}
	p.log = filepath.Join(p.home, "program.log")
	address := freeAddress(tb)
	p.URL = "http://" + address
	p.args = append(slices.Clone(args), "--listen", address)
	tb.Cleanup(func() {
		if p.cmd != nil {
			p.stop()
		}
		if tb.Failed() {
			if log, err := os.ReadFile(p.log); err == nil {
				keep(tb, "program-"+strings.TrimPrefix(address, "127.0.0.1:")+".log", log)
			}
		}
	})
	p.start()
	return p
}

// start starts it and waits until it is ready.
func (p *program) start() {
	p.tb.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer log.Close()
	command := p.command
	if command == nil {
		command = p.built
	}
	cmd := command(p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.tb.Fatalf("start the program: %v", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	p.cmd, p.exited = cmd, exited
	waitFor(p.tb, startTimeout, "the program to be ready", func() error {
		select {
		case err := <-exited:
			exited <- err
			said, _ := os.ReadFile(p.log)
			p.tb.Fatalf("the program ended: %v\n%s", err, tail(said, 20))
		default:
		}
		status, err := p.get(p.ready)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}

// built runs the program as it was built for these tests.
func (p *program) built(args ...string) *exec.Cmd {
	p.tb.Helper()
	binary, err := run.binary()
	if err != nil {
		p.tb.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH")}
	return cmd
}

func (p *program) get(path string) (status int, err error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(p.tb.Context()), http.MethodGet, p.URL+path, nil)
	if err != nil {
		return 0, err
	}
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// kill ends it as kill -9 does.
func (p *program) kill() {
	p.tb.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.tb.Fatalf("kill the program: %v", err)
	}
	<-p.exited
	p.cmd = nil
}

// stop asks it to end, which it must do in good order.
func (p *program) stop() {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.tb.Errorf("stop the program: %v", err)
	}
	select {
	case err := <-p.exited:
		if err != nil {
			p.tb.Errorf("the program ended badly: %v", err)
		}
	case <-time.After(stopTimeout):
		p.tb.Errorf("the program does not stop within %s", stopTimeout)
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	p.cmd = nil
}

// freeAddress finds a port below those that systems give to outgoing
// connections, so that a program finds it free again after a restart.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		var listen net.ListenConfig
		listener, err := listen.Listen(tb.Context(), "tcp", address)
		if err == nil {
			listener.Close()
			return address
		}
	}
	tb.Fatal("no free port was found")
	return ""
}

// waitFor tries until check returns nil.
func waitFor(tb testing.TB, most time.Duration, what string, check func() error) {
	tb.Helper()
	deadline := time.Now().Add(most)
	// What takes long is asked for less and less often: asking is work as well.
	for pause := 10 * time.Millisecond; ; pause = min(pause*3/2, 250*time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("waited %s for %s: %v", most, what, err)
		}
		<-time.After(pause)
	}
}

// keep stores what a failed test leaves behind, and says where.
func keep(tb testing.TB, name string, content []byte) {
	tb.Helper()
	var dir string
	if artifacts := flag.Lookup("test.artifacts"); artifacts != nil && artifacts.Value.String() == "true" {
		dir = tb.ArtifactDir()
	} else {
		dir = filepath.Join(os.TempDir(), "furrow-e2e-failed", strings.ReplaceAll(tb.Name(), "/", "-"))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			tb.Log(err)
			return
		}
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Log(err)
		return
	}
	tb.Logf("kept: %s", path)
}

// tail is the last lines of a text.
func tail(text []byte, lines int) []byte {
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))
}
