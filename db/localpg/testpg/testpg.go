// Package testpg owns the PostgreSQL that the test processes of one user share, so that plain `go test ./...` works with
// nothing set up and pays for the start once. It is fast and forgets: after a power cut it is worth nothing. What is in
// it is left to package dbtest. For tests only.
//
// Each process holds a shared lock on the file users.lock while it uses the server. The first one also starts a copy of
// itself, the reaper, which stops the server and deletes its data when nobody has held that lock for a while.
package testpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"furrow/db/localpg"
)

const (
	reapEnv  = "FURROW_TESTPG_REAP"      // the directory; its presence makes a process the reaper
	idleEnv  = "FURROW_TESTPG_REAP_IDLE" // a duration; set by this package's tests
	idleTime = 5 * time.Minute           // long enough to look at the database that a failed test kept
)

// init makes the copy of the test program that startReaper runs into the reaper, before it is anything else.
func init() {
	dir := os.Getenv(reapEnv)
	if dir == "" {
		return
	}
	idle, err := time.ParseDuration(os.Getenv(idleEnv))
	if err != nil {
		idle = idleTime
	}
	if err := reap(dir, idle); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// directory is asked for by each test and takes running a program to know.
var directory = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // It never changes.
	major, err := localpg.Major(context.Background())
	return filepath.Join(os.TempDir(), fmt.Sprintf("furrow-test-pg-%d-%d", os.Geteuid(), major)), err
})

// StartForTests returns the address of the shared server, as [localpg.Server.ConnString] does, and starts it if need
// be. The server runs at least until release is called or the process ends.
func StartForTests(ctx context.Context) (connString string, release func(), err error) {
	dir, err := directory()
	if err != nil {
		return "", nil, err
	}
	return start(ctx, dir)
}

// DataDir makes a data directory for a test of a program that runs its own server. As root that server runs as another
// user, who cannot pass through what t.TempDir makes; the program would have to put its files elsewhere and leave them.
func DataDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "furrow-test-data-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("remove the data directory: %v", err)
		}
	})
	return dir
}

func start(ctx context.Context, dir string) (connString string, release func(), err error) {
	if err := makePrivate(dir); err != nil {
		return "", nil, err
	}
	// A bare descriptor, which the garbage collector does not close for somebody who forgets release.
	users, err := lock(filepath.Join(dir, "users.lock"), syscall.LOCK_SH)
	if err != nil {
		return "", nil, err
	}
	server, err := localpg.Attach(ctx, config(dir))
	if err == nil {
		err = startReaper(dir)
	}
	if err != nil {
		syscall.Close(users) // The first error counts.
		return "", nil, fmt.Errorf("the PostgreSQL for tests (delete %s if this stays): %w", dir, err)
	}
	return server.ConnString(), sync.OnceFunc(func() {
		server.Stop(context.Background()) //nolint:errcheck // It is not ours and runs on.
		syscall.Close(users)              // Only a lock was on it.
	}), nil
}

func config(dir string) localpg.Config {
	return localpg.Config{DataDir: dir, Detached: true, Settings: []string{
		"fsync=off", "full_page_writes=off", "synchronous_commit=off", "wal_level=minimal", "max_wal_senders=0",
		"max_connections=300", "shared_buffers=128MB", "max_wal_size=1GB",
	}}
}

// makePrivate makes dir and refuses one that another user has put there.
func makePrivate(dir string) error {
	// The user that the server runs as passes through; the cluster in it is 0700.
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a directory that only this user can write to: remove it", dir)
	}
	return nil
}

// startReaper starts the reaper if there is none. The lock that says so is passed on to it with the open file.
func startReaper(dir string) error {
	fd, err := lock(filepath.Join(dir, "reaper.lock"), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "reaper.lock")
	defer file.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), reapEnv+"="+dir)
	cmd.ExtraFiles = []*os.File{file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the reaper: %w", err)
	}
	return cmd.Process.Release()
}

// reap waits until nobody has used the server for as long as idle, and ends it.
func reap(dir string, idle time.Duration) error {
	only := os.NewFile(3, "reaper.lock")
	users, err := lock(filepath.Join(dir, "users.lock"), syscall.LOCK_SH)
	if err != nil {
		return err
	}
	for last := time.Now(); ; time.Sleep(min(time.Second, idle/4)) {
		if flock(users, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			last = time.Now()
			continue
		}
		if time.Since(last) >= idle {
			break // with the lock: who comes now waits for our end, and starts anew
		}
		if err := flock(users, syscall.LOCK_UN); err != nil {
			return err
		}
	}
	defer only.Close() // and after it users.lock, with the process
	cluster := filepath.Join(dir, "postgres")
	if _, err := os.Stat(filepath.Join(cluster, "postmaster.pid")); err == nil {
		cfg := config(dir)
		cfg.Detached = false
		server, err := localpg.Start(context.Background(), cfg)
		if err != nil {
			return err
		}
		if err := server.Stop(context.Background()); err != nil {
			return err
		}
	}
	return os.RemoveAll(cluster)
}

func lock(path string, how int) (fd int, err error) {
	fd, err = syscall.Open(path, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err == nil {
		if err = flock(fd, how); err == nil {
			return fd, nil
		}
		syscall.Close(fd) // Nothing was written.
	}
	return -1, fmt.Errorf("lock %s: %w", path, err)
}

func flock(fd, how int) error {
	for {
		if err := syscall.Flock(fd, how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
