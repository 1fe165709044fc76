package testpg

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// userEnv makes a copy of this test program use the server in the directory given, and then end without release.
const userEnv = "FURROW_TESTPG_USER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(userEnv); dir != "" {
		address, _, err := start(context.Background(), dir)
		if err == nil {
			err = ping(address)
		}
		if err != nil {
			os.Stderr.WriteString(err.Error()) // The exit code tells.
			os.Exit(1)
		}
		os.Exit(0)
	}
	m.Run()
}

func ping(address string) error {
	conn, err := pgx.Connect(context.Background(), address)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	return conn.Ping(context.Background())
}

func TestProcessesShareOneServerAndItEndsAfterThem(t *testing.T) {
	t.Setenv(idleEnv, "500ms")
	dir := DataDir(t)
	// So that the reaper does not come between two of the processes.
	use, err := lock(filepath.Join(dir, "users.lock"), syscall.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), userEnv+"="+dir, "GORACE=atexit_sleep_ms=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("a user of the server: %v: %s", err, out)
			}
		})
	}
	users.Wait()
	if _, err := os.Readlink(filepath.Join(dir, "postgres")); err == nil {
		t.Error("the server's user cannot reach the data directory")
	}
	if t.Failed() {
		return
	}
	log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	// initdb writes elsewhere, so each of these is a start of the server.
	if got := strings.Count(string(log), "LOG:  starting PostgreSQL"); got != 1 {
		t.Errorf("the server was started %d times, want 1", got)
	}

	// While this process uses it, it stays, however long that is.
	address, release, err := start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(use) // Nothing was written.
	time.Sleep(2 * time.Second)
	if err := ping(address); err != nil {
		t.Fatalf("the server ended while it was in use: %v", err)
	}
	release()
	release() // does nothing

	reaperGone := func() bool {
		fd, err := lock(filepath.Join(dir, "reaper.lock"), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			return false
		}
		syscall.Close(fd) // Nothing was written.
		return true
	}
	deadline := time.Now().Add(time.Minute)
	for !reaperGone() {
		if time.Now().After(deadline) {
			t.Fatal("the server is still there")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := os.Stat(filepath.Join(dir, "postgres")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data of the ended server: %v, want them gone", err)
	}
	if err := ping(address); err == nil {
		t.Error("the ended server answers")
	}

	// Who comes after the end begins anew.
	address, release, err = start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := ping(address); err != nil {
		t.Error(err)
	}
	release()
	for !reaperGone() {
		time.Sleep(50 * time.Millisecond)
	}
}

func TestADirectoryThatOthersCanWriteIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "shared")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := start(t.Context(), dir); err == nil {
		t.Error("a directory that everybody can write to was accepted")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("the refused directory holds %v (%v), want nothing", entries, err)
	}
}

func TestStartForTests(t *testing.T) {
	t.Parallel()
	address, release, err := StartForTests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := ping(address); err != nil {
		t.Error(err)
	}
}
