package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"furrow/db/localpg/testpg"
	"furrow/harvest/sandbox/sandboxtest"
)

// released is the program of a release that `make release-test` made, for this
// kind of machine.
func released(tb testing.TB, name string) []byte {
	tb.Helper()
	dir := os.Getenv("FURROW_RELEASE")
	if dir == "" {
		tb.Skip("make release-test makes a release and runs this")
	}
	found, err := filepath.Glob(filepath.Join(dir, name+"_*_linux_"+runtime.GOARCH+".tar.gz"))
	if err != nil || len(found) != 1 {
		tb.Fatalf("the release of %s: %v, %v", name, found, err)
	}
	packed, err := os.Open(found[0])
	if err != nil {
		tb.Fatal(err)
	}
	defer packed.Close()
	zipped, err := gzip.NewReader(packed)
	if err != nil {
		tb.Fatal(err)
	}
	for members := tar.NewReader(zipped); ; {
		member, err := members.Next()
		if err != nil {
			tb.Fatalf("look for the program in %s: %v", found[0], err)
		}
		if strings.HasSuffix(member.Name, "/furrow") {
			program, err := io.ReadAll(members)
			if err != nil {
				tb.Fatal(err)
			}
			return program
		}
	}
}

// emptyMachine is a directory that a program can be locked into: it holds what
// every Linux with glibc has, which is that with its locale C.UTF-8, a shell and
// the libraries of C++; and no PostgreSQL.
func emptyMachine(tb testing.TB) string {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("only root can lock a program into a directory: run make release-test as root")
	}
	root := testpg.DataDir(tb)
	put := func(path, from string) {
		tb.Helper()
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(root, path), content, 0o755)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	put("/bin/sh", "/bin/sh")
	cplusplus, err := exec.CommandContext(tb.Context(), "sh", "-c", `ldconfig -p | sed -n 's/.*libstdc++\.so\.6.* => //p' | head -1`).Output()
	if err != nil || len(cplusplus) == 0 {
		tb.Fatalf("find the libraries of C++: %q, %v", cplusplus, err)
	}
	for _, program := range []string{"/bin/sh", strings.TrimSpace(string(cplusplus))} {
		libraries, err := exec.CommandContext(tb.Context(), "ldd", program).Output()
		if err != nil {
			tb.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(/\S+) \(0x`).FindAllSubmatch(libraries, -1) {
			put(string(match[1]), string(match[1]))
		}
	}
	put(strings.TrimSpace(string(cplusplus)), strings.TrimSpace(string(cplusplus)))
	// Of glibc, and in files of their own until version 2.34.
	dir := filepath.Dir(strings.TrimSpace(string(cplusplus)))
	for _, name := range []string{"libpthread.so.0", "librt.so.1", "libdl.so.2", "libm.so.6"} {
		for _, from := range []string{dir, strings.TrimPrefix(dir, "/usr")} {
			if _, err := os.Stat(filepath.Join(from, name)); err == nil {
				put(filepath.Join(from, name), filepath.Join(from, name))
			}
		}
	}
	if err := os.CopyFS(filepath.Join(root, "usr/lib/locale/C.utf8"), os.DirFS("/usr/lib/locale/C.utf8")); err != nil {
		tb.Fatalf("the locale that glibc brings along: %v", err)
	}
	for _, dir := range []string{"tmp", "dev", "etc", "proc", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o1777); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"), 0o644); err != nil {
		tb.Fatal(err)
	}
	for name, device := range map[string]int{"null": 1<<8 | 3, "zero": 1<<8 | 5, "urandom": 1<<8 | 9} {
		path := filepath.Join(root, "dev", name)
		if err := errors.Join(syscall.Mknod(path, syscall.S_IFCHR|0o666, device), os.Chmod(path, 0o666)); err != nil {
			tb.Fatalf("make /dev/%s: %v", name, err)
		}
	}
	return root
}

// One file on an empty machine is enough: it brings PostgreSQL, unpacks it once,
// and the data is there after a restart, after a kill too.
func TestReleaseCarriesPostgres(t *testing.T) {
	t.Parallel()
	content := released(t, "furrow-with-postgres")
	root := emptyMachine(t)
	if err := os.WriteFile(filepath.Join(root, "furrow"), content, 0o755); err != nil {
		t.Fatal(err)
	}
	p := onMachine(t, "/data", "--sandbox")
	p.command = func(args ...string) *exec.Cmd {
		// The mounts are its own, and end with it.
		const lockedIn = `mount -t proc proc "$0/proc" && exec chroot "$0" /furrow "$@"`
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "unshare", append([]string{"--mount", "sh", "-c", lockedIn, root}, args...)...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"} // where in that directory is nothing but the shell
		return cmd
	}
	said, err := p.command("version").CombinedOutput()
	if err != nil || !bytes.Contains(said, []byte("carried in this file")) {
		t.Errorf("furrow version: %v, %s", err, said)
	}
	// What a process left that was killed while it unpacked.
	left := filepath.Join(root, "var/lib/furrow/.postgresql-unpacking-1/bin")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}

	p.start()
	ida := newPerson(t, p)
	ida.setUp()
	ida.plan(today(t), freeRows()[:1], "1:30")
	before := ida.grid()
	unpacked := unpackedPostgres(t, root)

	p.stop()
	p.start()
	ida.logIn()
	if after := ida.grid(); after != before {
		t.Errorf("after a restart the week is another one:\n%s", words(after))
	}
	p.kill()
	p.start()
	ida.logIn()
	if after := ida.grid(); after != before {
		t.Errorf("after a kill the week is another one:\n%s", words(after))
	}
	if again := unpackedPostgres(t, root); !os.SameFile(unpacked, again) || !again.ModTime().Equal(unpacked.ModTime()) {
		t.Error("it was unpacked again")
	}
	if _, err := os.Stat(filepath.Dir(left)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left half unpacked is still there: %v", err)
	}
}

// unpackedPostgres is the one directory that PostgreSQL was unpacked into.
func unpackedPostgres(tb testing.TB, root string) os.FileInfo {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(root, "var/lib/furrow/postgresql-*"))
	if err != nil || len(found) != 1 {
		tb.Fatalf("unpacked: %v, %v", found, err)
	}
	info, err := os.Stat(found[0])
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

// previousRelease is the commit of the release that one upgrades from.
const previousRelease = "c0bb1e3"

// buildPrevious builds the previous release.
func buildPrevious(tb testing.TB) string {
	tb.Helper()
	src, binary := tb.TempDir(), filepath.Join(tb.TempDir(), "furrow")
	script := fmt.Sprintf("set -e; git -C .. archive %s | tar -x -C %q; cd %q; CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o %q .",
		previousRelease, src, src, binary)
	if out, err := exec.CommandContext(tb.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
		tb.Fatalf("the previous release, %s, cannot be built; a clone that is not whole lacks it (git fetch --unshallow): %v\n%s", previousRelease, err, tail(out, 5))
	}
	return binary
}

// Who upgrades may go back: the program of the previous release works on the
// data that the new one has migrated and used, and so does the new one after it.
func TestReleaseRollback(t *testing.T) {
	t.Parallel()
	next := filepath.Join(t.TempDir(), "furrow")
	if err := os.WriteFile(next, released(t, "furrow"), 0o700); err != nil {
		t.Fatal(err)
	}
	previous := buildPrevious(t)
	sandbox := sandboxtest.Start(t, "demo")
	p := onMachine(t, testpg.DataDir(t), "--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL)
	day, rows := today(t), freeRows()
	ida := newPerson(t, p)
	for i, version := range []string{previous, next, previous, next} {
		p.command = func(args ...string) *exec.Cmd {
			return exec.CommandContext(context.WithoutCancel(t.Context()), version, args...)
		}
		p.start()
		if i == 0 {
			ida.setUp()
		} else {
			ida.logIn()
		}
		ida.plan(day, rows[i:i+1], "1:30")
		ida.push()
		ida.inStep()
		for _, r := range rows[:i+1] {
			checkOnce(t, sandbox.Control, r, day, "1.5", "")
		}
		p.stop()
	}
}
