package localpg

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// programEnv makes a copy of this test program a program that runs a server, as furrow does: the variable holds a
// programSpec. It prints a programState when the server is ready or could not start, and stops it when its standard
// input ends.
const programEnv = "FURROW_LOCALPG_PROGRAM"

type programSpec struct {
	DataDir, Spare string
	Settings       []string
	Attach         bool
	FileLimit      uint64 // bytes that a file may have, 0 for any
}

type programState struct {
	Error      string
	InUse      bool
	ConnString string
	Version    string
	PID        int
}

func TestMain(m *testing.M) {
	if text := os.Getenv(programEnv); text != "" {
		if err := runProgram(text); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	m.Run()
}

func runProgram(text string) error {
	var spec programSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	if spec.FileLimit > 0 {
		limit := syscall.Rlimit{Cur: spec.FileLimit, Max: spec.FileLimit}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
	}
	start := Start
	if spec.Attach {
		start = Attach
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server, err := start(context.Background(), Config{DataDir: spec.DataDir, Settings: spec.Settings, Log: log, spare: spec.Spare})
	var state programState
	if err != nil {
		state = programState{Error: err.Error(), InUse: errors.Is(err, ErrInUse)}
	} else {
		state = programState{ConnString: server.ConnString(), Version: server.Version(), PID: server.proc.Pid}
	}
	if err := json.NewEncoder(os.Stdout).Encode(state); err != nil || server == nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return server.Stop(context.Background())
}

// bench is a place where a program runs as one user.
type bench struct {
	testing.TB
	binary string
	root   string              // may be passed by everybody; everything of the test is in it
	data   string              // the data directory: not there yet, in a directory that belongs to the user
	spare  string              // instead of /var/lib/furrow
	cred   *syscall.Credential // nil is ourselves
}

// eachUser runs the test as this user, and as root also as nobody.
func eachUser(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	t.Run("self", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, nil))
	})
	if os.Geteuid() != 0 {
		return
	}
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		u, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		test(t, newBench(t, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}))
	})
}

// newBench does not use t.TempDir, which only its owner can enter.
func newBench(t *testing.T, cred *syscall.Credential) *bench {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "furrow-localpg-")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{TB: t, root: root, data: filepath.Join(root, "home", "data"), spare: filepath.Join(root, "spare"), cred: cred}
	b.Cleanup(func() {
		b.killServers()
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	b.must(os.Chmod(root, 0o755))
	b.mkdir(filepath.Join(root, "home"), 0o755)
	// go test keeps its program where nobody else can run it.
	self, err := os.Executable()
	b.must(err)
	b.binary = filepath.Join(root, "program")
	if err := os.Link(self, b.binary); err != nil {
		text, err := os.ReadFile(self)
		b.must(err)
		b.must(os.WriteFile(b.binary, text, 0o755))
	}
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// mkdir makes a directory that belongs to the user.
func (b *bench) mkdir(path string, mode fs.FileMode) {
	b.Helper()
	b.must(os.MkdirAll(path, mode))
	b.must(os.Chmod(path, mode))
	b.chown(path)
}

func (b *bench) write(path, text string) {
	b.Helper()
	b.must(os.WriteFile(path, []byte(text), 0o600))
	b.chown(path)
}

func (b *bench) chown(path string) {
	b.Helper()
	if b.cred != nil {
		b.must(os.Chown(path, int(b.cred.Uid), int(b.cred.Gid)))
	}
}

// killServers ends what a failed test left running below its directory.
func (b *bench) killServers() {
	filepath.WalkDir(b.root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "postmaster.pid" {
			return nil
		}
		if pid, _ := readPIDFile(filepath.Dir(path)); sameFile(fmt.Sprintf("/proc/%d/cwd", pid), filepath.Dir(path)) {
			syscall.Kill(pid, syscall.SIGQUIT)
			b.waitGone(pid)
		}
		return nil
	})
}

// program is one that runs, or has failed to start.
type program struct {
	*bench
	programState
	cmd   *exec.Cmd
	stdin io.Closer
	ended sync.Once
	err   error
}

func (b *bench) spec() programSpec { return programSpec{DataDir: b.data, Spare: b.spare} }

// launch starts a program, and does not wait until it is ready.
func (b *bench) launch(spec programSpec) (*program, *bufio.Reader) {
	b.Helper()
	text, err := json.Marshal(spec)
	b.must(err)
	cmd := exec.Command(b.binary)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), programEnv+"="+string(text), "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: b.cred}
	if testing.Verbose() {
		cmd.Stderr = os.Stderr
	}
	stdin, err := cmd.StdinPipe()
	b.must(err)
	stdout, err := cmd.StdoutPipe()
	b.must(err)
	b.must(cmd.Start())
	p := &program{bench: b, cmd: cmd, stdin: stdin}
	b.Cleanup(p.kill)
	return p, bufio.NewReader(stdout)
}

func (b *bench) try(spec programSpec) *program {
	b.Helper()
	p, stdout := b.launch(spec)
	line, err := stdout.ReadString('\n')
	b.must(err)
	if err := json.Unmarshal([]byte(line), &p.programState); err != nil {
		b.Fatalf("the program said %q", line)
	}
	return p
}

func (b *bench) start() *program {
	b.Helper()
	p := b.try(b.spec())
	if p.Error != "" {
		b.Fatalf("start: %s", p.Error)
	}
	return p
}

// startFails returns the sentence.
func (b *bench) startFails(spec programSpec) string {
	b.Helper()
	p := b.try(spec)
	if p.Error == "" {
		b.Fatal("the start succeeded")
	}
	p.stop()
	if strings.Contains(p.Error, "\n") {
		b.Errorf("the error has several lines: %s", p.Error)
	}
	return p.Error
}

func (p *program) stop() {
	p.Helper()
	p.ended.Do(func() {
		p.stdin.Close()
		p.err = p.cmd.Wait()
	})
	p.must(p.err)
}

// kill is kill -9.
func (p *program) kill() {
	p.ended.Do(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
}

func (p *program) query(sql string) string {
	p.Helper()
	conn, err := pgx.Connect(p.Context(), p.ConnString)
	p.must(err)
	defer conn.Close(context.Background())
	var answer string
	p.must(conn.QueryRow(p.Context(), sql).Scan(&answer))
	return answer
}

func (p *program) exec(sql string) {
	p.Helper()
	conn, err := pgx.Connect(p.Context(), p.ConnString)
	p.must(err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(p.Context(), sql)
	p.must(err)
}

// remember puts something into the database that recall finds.
func (p *program) remember(word string) {
	p.Helper()
	p.exec("CREATE TABLE IF NOT EXISTS memory (word text); INSERT INTO memory VALUES ('" + word + "')")
}

func (p *program) recall() string {
	p.Helper()
	return p.query("SELECT string_agg(word, ' ') FROM memory")
}

// alive is false for a process that has ended and whose new parent has not asked for its result yet.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func (b *bench) waitGone(pid int) {
	b.Helper()
	b.waitFor(fmt.Sprintf("the end of process %d", pid), func() bool { return !alive(pid) })
}

func (b *bench) waitFor(what string, done func() bool) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain for %s", what)
		}
	}
}

// snapshot is everything below a directory that a program could have changed.
func (b *bench) snapshot(dir string) string {
	b.Helper()
	var text strings.Builder
	b.must(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&text, path, info.Mode(), info.Size(), info.ModTime(), info.Sys().(*syscall.Stat_t).Uid)
		return nil
	}))
	return text.String()
}

func TestStart(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		began := time.Now()
		p := b.start()
		first := time.Since(began)
		for _, check := range []struct{ sql, want string }{
			{"SELECT current_database()", "furrow"},
			{"SHOW listen_addresses", ""},
			{"SHOW unix_socket_directories", `"` + filepath.Join(b.data, "postgres") + `"`},
			{"SHOW fsync", "on"},
			{"SHOW full_page_writes", "on"},
			{"SHOW synchronous_commit", "on"},
			{"SHOW server_encoding", "UTF8"},
			{"SHOW timezone", "UTC"},
			{"SELECT lower('ÄÖ')", "äö"},
			{"SELECT string_agg(x, '' ORDER BY x) FROM unnest(array['b','a','B','A','ä']) x", "ABabä"},
		} {
			if got := p.query(check.sql); got != check.want {
				t.Errorf("%s: %q, want %q", check.sql, got, check.want)
			}
		}
		if version := p.query("SHOW server_version"); p.Version != version {
			t.Errorf("Version is %q, want %q", p.Version, version)
		}
		info, err := os.Stat(filepath.Join(b.data, "postgres"))
		b.must(err)
		if info.Mode().Perm() != 0o700 {
			t.Errorf("the cluster's mode is %v, want 0700", info.Mode())
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid == 0 {
			t.Error("the cluster belongs to root")
		}
		p.remember("first")
		p.stop()
		if alive(p.PID) {
			t.Error("the server runs after a clean stop")
		}
		entries, err := os.ReadDir(b.data)
		b.must(err)
		for _, entry := range entries {
			if !slices.Contains([]string{"postgres", "postgres.lock", "postgres.log"}, entry.Name()) {
				t.Errorf("the data directory holds %s", entry.Name())
			}
		}

		began = time.Now()
		p = b.start()
		later := time.Since(began)
		if got := p.recall(); got != "first" {
			t.Errorf("the second start finds %q, want %q", got, "first")
		}
		p.stop()
		t.Logf("first start %v, later start %v, each with the start of a program", first, later)
		if first > 30*time.Second || later > 10*time.Second {
			t.Error("that is too slow")
		}
	})
}

func TestStopBreaksOffWhatRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.start()
	conn, err := pgx.Connect(t.Context(), p.ConnString)
	b.must(err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "CREATE TABLE memory (word text)")
	b.must(err)
	_, err = conn.Exec(t.Context(), "BEGIN; INSERT INTO memory VALUES ('uncommitted')")
	b.must(err)
	p.stop()
	if alive(p.PID) {
		t.Error("the server runs after a clean stop")
	}
	p = b.start()
	if got := p.query("SELECT count(*)::text FROM memory"); got != "0" {
		t.Errorf("%s rows of a transaction that was broken off, want 0", got)
	}
	p.stop()
}

func TestTakeover(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		p := b.start()
		p.remember("before")
		p.kill()
		if !alive(p.PID) {
			t.Fatal("the server ended with the killed program")
		}
		next := b.start()
		if next.PID != p.PID || next.ConnString != p.ConnString {
			t.Errorf("the next program has the server %d at %s, want %d at %s", next.PID, next.ConnString, p.PID, p.ConnString)
		}
		if got := next.recall(); got != "before" {
			t.Errorf("the database holds %q, want %q", got, "before")
		}
		next.stop()
		b.waitGone(p.PID) // The last that it does is to remove postmaster.pid.
	})
}

// A program may be killed at any moment, in the middle of initdb too. What it leaves is never taken for a cluster, and
// never in the way.
func TestKilledWhileStarting(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		made := false
		for i := range 8 {
			delay := time.Duration(rand.IntN(900)) * time.Millisecond
			p, stdout := b.launch(b.spec())
			timer := time.AfterFunc(delay, func() { p.cmd.Process.Kill() })
			line, _ := stdout.ReadString('\n')
			timer.Stop()
			p.kill()
			if line != "" {
				b.must(json.Unmarshal([]byte(line), &p.programState))
			}
			if p.Error != "" {
				t.Fatalf("start %d: %s", i, p.Error)
			}
			if p.ConnString == "" {
				continue
			}
			if !made {
				p.remember("kept")
				made = true
			} else if got := p.recall(); got != "kept" {
				t.Fatalf("start %d finds %q, want %q", i, got, "kept")
			}
		}
		b.waitFor("the start that finds nothing to tidy up", func() bool { // An orphaned initdb may still be at work.
			b.start().stop()
			leftovers, err := filepath.Glob(filepath.Join(b.data, "postgres.init-*"))
			return err == nil && len(leftovers) == 0
		})
	})
}

// A power cut ends everything at once, and what was committed is there afterwards.
func TestEverythingKilled(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		p := b.start()
		p.remember("committed")
		p.kill()
		b.must(syscall.Kill(p.PID, syscall.SIGKILL))
		next := b.start()
		if next.PID == p.PID {
			t.Error("the killed server was taken over")
		}
		if got := next.recall(); got != "committed" {
			t.Errorf("the database holds %q, want %q", got, "committed")
		}
		next.stop()
	})
}

// After a crash of the machine, the number in postmaster.pid may be that of any process.
func TestStalePIDFile(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		p := b.start()
		p.remember("kept")
		pidFile := filepath.Join(b.data, "postgres", "postmaster.pid")
		text, err := os.ReadFile(pidFile)
		b.must(err)
		lockFile := filepath.Join(b.data, "postgres", ".s.PGSQL.5432.lock")
		p.stop()
		info, err := os.Stat(filepath.Join(b.data, "postgres"))
		b.must(err)
		owner := info.Sys().(*syscall.Stat_t)

		sleeper := exec.Command("sleep", "1000")
		if os.Geteuid() == 0 { // as the server's user, whose processes it takes for servers
			sleeper.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
		}
		b.must(sleeper.Start())
		defer sleeper.Wait()
		defer sleeper.Process.Kill()
		other := strconv.Itoa(sleeper.Process.Pid)

		_, rest, _ := strings.Cut(string(text), "\n")
		for _, content := range []string{other + "\n" + rest, other + "\n", "4194304\n" + rest, "1\n" + rest, "nonsense", ""} {
			for _, file := range []string{pidFile, lockFile} {
				b.must(os.WriteFile(file, []byte(content), 0o600))
				b.must(os.Chown(file, int(owner.Uid), int(owner.Gid)))
			}
			p := b.try(b.spec())
			if p.Error != "" {
				t.Errorf("start with a postmaster.pid of %q: %s", content, p.Error)
				continue
			}
			if got := p.recall(); got != "kept" {
				t.Errorf("the database holds %q, want %q", got, "kept")
			}
			p.stop()
		}
		// As root, a link that the server's user has made is not followed.
		valuable := filepath.Join(b.root, "valuable")
		b.must(os.WriteFile(valuable, []byte("content"), 0o600))
		b.must(os.Symlink(valuable, pidFile))
		b.startFails(b.spec())
		if text, err := os.ReadFile(valuable); err != nil || string(text) != "content" {
			t.Errorf("the file that postmaster.pid links to is %q, %v", text, err)
		}
		if !alive(sleeper.Process.Pid) {
			t.Error("the other process was ended")
		}
	})
}

// A copy of a directory whose server runs says in its files that this server runs.
func TestCopiedDirectory(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	original := b.start()
	original.remember("kept")
	original.exec("CHECKPOINT")
	first := b.data
	b.data += "-copy"
	if out, err := exec.Command("cp", "-a", first, b.data).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v: %s", err, out)
	}
	copied := b.start()
	if copied.PID == original.PID {
		t.Error("the server of the original was taken over for the copy")
	}
	copied.remember("copied")
	copied.stop()
	if got := original.recall(); got != "kept" {
		t.Errorf("the original holds %q, want %q", got, "kept")
	}
	original.stop()
}

func TestForeignDirectoryIsLeftAlone(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		b.mkdir(b.data, 0o755)
		b.mkdir(filepath.Join(b.data, "postgres"), 0o755)
		b.write(filepath.Join(b.data, "postgres", "thesis.txt"), "four years of work")
		before := b.snapshot(filepath.Join(b.data, "postgres"))
		if got := b.startFails(b.spec()); !strings.Contains(got, "not a PostgreSQL cluster: move them away") {
			t.Errorf("the error is %q", got)
		}
		if after := b.snapshot(filepath.Join(b.data, "postgres")); after != before {
			t.Errorf("the directory was\n%sand is\n%s", before, after)
		}

		b.must(os.RemoveAll(filepath.Join(b.data, "postgres")))
		b.write(filepath.Join(b.data, "postgres"), "a file")
		if got := b.startFails(b.spec()); !strings.Contains(got, "not a PostgreSQL cluster but a file") {
			t.Errorf("the error is %q", got)
		}
		if text, err := os.ReadFile(filepath.Join(b.data, "postgres")); err != nil || string(text) != "a file" {
			t.Errorf("the file is %q, %v", text, err)
		}

		b.must(os.Remove(filepath.Join(b.data, "postgres")))
		b.mkdir(filepath.Join(b.data, "postgres"), 0o755) // empty: nothing to lose
		b.start().stop()
	})
}

func TestOtherMajorVersionIsLeftAlone(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		b.mkdir(b.data, 0o755)
		for version, want := range map[string]string{
			"9.6\n":     "9, and furrow needs 14 or newer",
			"13\n":      "13, and furrow needs 14 or newer",
			"99\n":      "99, and this machine has PostgreSQL 1",
			"fifteen\n": "its PG_VERSION says",
		} {
			b.mkdir(filepath.Join(b.data, "postgres"), 0o700)
			b.write(filepath.Join(b.data, "postgres", "PG_VERSION"), version)
			before := b.snapshot(filepath.Join(b.data, "postgres"))
			if got := b.startFails(b.spec()); !strings.Contains(got, want) {
				t.Errorf("version %q: the error is %q, want it to hold %q", version, got, want)
			}
			if after := b.snapshot(filepath.Join(b.data, "postgres")); after != before {
				t.Errorf("the directory was\n%sand is\n%s", before, after)
			}
		}
	})
}

func TestUnusableDirectory(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if os.Geteuid() == 0 { // root can use every directory
		b = newBench(t, &syscall.Credential{Uid: 65534, Gid: 65534})
	}
	b.start().stop()
	for _, test := range []struct {
		name string
		path string
		mode fs.FileMode
	}{
		{"data directory out of reach", filepath.Dir(b.data), 0},
		{"data directory not writable", b.data, 0o500},
		{"data directory unreadable", b.data, 0},
		{"cluster unreadable", filepath.Join(b.data, "postgres"), 0},
	} {
		info, err := os.Stat(test.path)
		b.must(err)
		if test.name == "data directory not writable" {
			b.must(os.Remove(filepath.Join(b.data, "postgres.lock")))
		}
		b.must(os.Chmod(test.path, test.mode))
		if got := b.startFails(b.spec()); !strings.Contains(got, "permission denied") || !strings.Contains(got, "FURROW_DATA_DIR") {
			t.Errorf("%s: the error is %q", test.name, got)
		}
		b.must(os.Chmod(test.path, info.Mode()))
	}
	b.start().stop()

	b.data = filepath.Join(b.root, "home", "a file")
	b.write(b.data, "")
	if got := b.startFails(b.spec()); !strings.Contains(got, "FURROW_DATA_DIR") {
		t.Errorf("a file as data directory: the error is %q", got)
	}
}

func TestUnusualPaths(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		home := filepath.Dir(b.data)
		for _, name := range []string{
			`with space, comma and "quotes"`, `[a-z]*?\ %20 'ü'`, strings.Repeat("long", 30) + "/" + strings.Repeat("path", 30),
		} {
			b.data = filepath.Join(home, name)
			p := b.start()
			p.remember("kept")
			p.kill()
			next := b.start()
			if next.PID != p.PID {
				t.Errorf("in %s, the server was not taken over", b.data)
			}
			socket := next.query("SHOW unix_socket_directories")
			next.stop()
			if strings.HasPrefix(socket, `"/tmp/furrow-socket-`) {
				if _, err := os.Stat(strings.Trim(socket, `"`)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the socket's directory %s is still there", socket)
				}
			}
			next = b.start()
			if got := next.recall(); got != "kept" {
				t.Errorf("in %s, the database holds %q, want %q", b.data, got, "kept")
			}
			next.stop()
		}
	})
}

func TestTwoAtOnce(t *testing.T) {
	eachUser(t, func(t *testing.T, b *bench) {
		for range 2 {
			var programs [2]*program
			var both sync.WaitGroup
			for i := range programs {
				both.Go(func() { programs[i] = b.try(b.spec()) })
			}
			both.Wait()
			winner, loser := programs[0], programs[1]
			if winner.Error != "" {
				winner, loser = loser, winner
			}
			want := "the data directory " + b.data + " is in use by another furrow: stop that one, or choose another directory with FURROW_DATA_DIR"
			if winner.Error != "" || !loser.InUse || loser.Error != want {
				t.Fatalf("the programs said %+v and %+v", winner.programState, loser.programState)
			}
			loser.stop()
			if got := winner.query("SELECT 'well'"); got != "well" {
				t.Errorf("the first one's server says %q", got)
			}
			winner.stop()
		}
	})
}

func TestAttach(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	attach := b.spec()
	attach.Attach = true

	// Beside a program that is starting, or runs.
	owner, stdout := b.launch(b.spec())
	beside := b.try(attach)
	line, err := stdout.ReadString('\n')
	b.must(err)
	b.must(json.Unmarshal([]byte(line), &owner.programState))
	switch {
	case beside.Error != "":
		t.Fatalf("attach: %s", beside.Error)
	case owner.InUse: // The other one was faster, and is responsible.
		owner.stop()
		owner, beside = beside, b.try(attach)
	}
	if beside.PID != owner.PID || beside.ConnString != owner.ConnString {
		t.Errorf("attached to %+v, want %+v", beside.programState, owner.programState)
	}
	beside.remember("beside")
	beside.stop()
	if got := owner.recall(); got != "beside" {
		t.Errorf("the database holds %q, want %q", got, "beside")
	}
	owner.stop()

	// Alone, it does all by itself.
	alone := b.try(attach)
	if got := alone.recall(); got != "beside" {
		t.Errorf("the database holds %q, want %q", got, "beside")
	}
	alone.stop()
	if alive(alone.PID) {
		t.Error("the server runs after the only program's end")
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	full := b.spec()
	full.FileLimit = 200 << 10
	got := b.startFails(full)
	if !strings.Contains(got, "the database cannot be made in "+b.data) {
		t.Errorf("the error is %q", got)
	}
	t.Log(got)
	if entries, err := filepath.Glob(b.data + "/postgres.init-*"); err != nil || len(entries) > 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
	b.start().stop()

	broken := b.spec()
	broken.Settings = []string{"shared_buffers=plenty"}
	got = b.startFails(broken)
	if !strings.Contains(got, `invalid value for parameter "shared_buffers": "plenty"`) || !strings.Contains(got, "postgres.log") {
		t.Errorf("the error is %q, want it to hold the end of the log", got)
	}
	b.start().stop()
}

// As root the data directory may be out of reach for the server's user.
func TestRootInAPrivateDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 { // then it is the user's own directory, and there is nothing to be solved
		b := newBench(t, nil)
		b.mkdir(filepath.Dir(b.data), 0o700)
		b.start().stop()
		return
	}
	b := newBench(t, nil)
	b.mkdir(filepath.Dir(b.data), 0o700)
	b.mkdir(b.data, 0o700)
	p := b.start()
	p.remember("old")
	p.kill()
	next := b.start()
	if next.PID != p.PID {
		t.Error("the server was not taken over")
	}
	next.stop()

	target, err := os.Readlink(filepath.Join(b.data, "postgres"))
	b.must(err)
	if !strings.HasPrefix(target, b.spare+"/data-") {
		t.Errorf("the cluster is in %s, want it in %s", target, b.spare)
	}
	for _, dir := range []string{filepath.Dir(b.data), b.data} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s was opened for others: %v, %v", dir, info.Mode(), err)
		}
	}

	// Moved, it is the same; deleted, it is gone, although the files are still elsewhere.
	old := b.data
	b.data = filepath.Join(b.root, "home", "moved")
	b.must(os.Rename(old, b.data))
	p = b.start()
	if got := p.recall(); got != "old" {
		t.Errorf("the moved directory holds %q, want %q", got, "old")
	}
	p.stop()
	b.must(os.RemoveAll(b.data))
	p = b.start()
	if got := p.query("SELECT count(*)::text FROM pg_tables WHERE tablename = 'memory'"); got != "0" {
		t.Error("a new data directory shows the data of a deleted one")
	}
	p.stop()

	b.data = filepath.Join(b.root, "home", "two")
	var both sync.WaitGroup
	var programs [2]*program
	for i := range programs {
		both.Go(func() { programs[i] = b.try(b.spec()) })
	}
	both.Wait()
	if programs[0].InUse == programs[1].InUse {
		t.Errorf("two at once said %+v and %+v", programs[0].programState, programs[1].programState)
	}
	programs[0].stop()
	programs[1].stop()
}

// As root, the server of a directory that another user made runs as this user, who can go on with it.
func TestRootInAnothersDirectory(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if os.Geteuid() == 0 {
		b = newBench(t, &syscall.Credential{Uid: 65534, Gid: 65534})
		b.mkdir(filepath.Dir(b.data), 0o700)
	}
	for i, cred := range []*syscall.Credential{b.cred, nil, b.cred} {
		b.cred = cred
		p := b.start()
		p.remember(strconv.Itoa(i))
		p.stop()
	}
	p := b.start()
	if got := p.recall(); got != "0 1 2" {
		t.Errorf("the database holds %q, want %q", got, "0 1 2")
	}
	p.stop()
}

func TestExited(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, takeover := range []bool{false, true} {
		if takeover {
			b.start().kill()
		}
		server, err := Start(t.Context(), Config{DataDir: b.data, spare: b.spare})
		b.must(err)
		select {
		case err := <-server.Exited():
			t.Fatalf("the server that runs exited: %v", err)
		default:
		}
		b.must(server.proc.Signal(syscall.SIGQUIT))
		select {
		case err := <-server.Exited():
			if !strings.Contains(err.Error(), "ended by itself") || !strings.Contains(err.Error(), "shut down") {
				t.Errorf("it exited with %q", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("nothing was said of the server's end")
		}
		b.must(server.Stop(t.Context()))
		b.must(server.Stop(t.Context()))
	}
}

// A server that is killed is started again, at its address and with what was in it; one that cannot be started is
// given up after a while.
func TestKeep(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	server, err := Start(t.Context(), Config{DataDir: b.data, spare: b.spare})
	b.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan error, 1)
	go func() { kept <- server.Keep(ctx) }()
	p := &program{bench: b, programState: programState{ConnString: server.ConnString()}}
	p.remember("kept")
	for range 2 {
		pid, _ := readPIDFile(server.dir)
		conn, err := pgx.Connect(t.Context(), p.ConnString)
		b.must(err)
		b.must(syscall.Kill(pid, syscall.SIGKILL))
		b.waitFor("the server to run again", func() bool {
			conn, err := pgx.Connect(t.Context(), p.ConnString)
			if err == nil {
				conn.Close(t.Context())
			}
			now, _ := readPIDFile(server.dir)
			return err == nil && now != pid
		})
		if words := p.recall(); words != "kept" {
			t.Errorf("it holds %q", words)
		}
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("a connection outlived the server")
		}
		conn.Close(t.Context())
	}
	cancel()
	b.must(<-kept)
	b.must(server.Stop(t.Context()))
	if alive(server.proc.Pid) {
		t.Error("the server runs after Stop")
	}
	b.start().stop()
}

// A server that cannot be started for a while is tried again, and for too long a while is given up.
func TestKeepTriesAgain(t *testing.T) {
	t.Parallel()
	for _, heals := range []bool{true, false} {
		t.Run(fmt.Sprintf("heals_%t", heals), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			server, err := Start(t.Context(), Config{DataDir: b.data, spare: b.spare})
			b.must(err)
			server.restarts = 3
			here, elsewhere := filepath.Join(server.dir, "global"), filepath.Join(server.dir, "elsewhere")
			b.must(os.Rename(here, elsewhere))
			b.must(server.proc.Signal(syscall.SIGQUIT))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			kept := make(chan error, 1)
			go func() { kept <- server.Keep(ctx) }()
			b.waitFor("a start that fails", func() bool {
				text, err := os.ReadFile(server.logPath())
				return err == nil && strings.Contains(string(text), "pg_control")
			})
			if heals {
				b.must(os.Rename(elsewhere, here))
				p := &program{bench: b, programState: programState{ConnString: server.ConnString()}}
				b.waitFor("the server to run again", func() bool {
					conn, err := pgx.Connect(t.Context(), p.ConnString)
					if err == nil {
						conn.Close(t.Context())
					}
					return err == nil
				})
				began := p.query("SELECT pg_postmaster_start_time()::text")
				time.Sleep(time.Second) // in which nobody starts it once more
				if now := p.query("SELECT pg_postmaster_start_time()::text"); now != began {
					t.Errorf("it began at %s, and again at %s", began, now)
				}
				cancel()
				b.must(<-kept)
			} else if err := <-kept; err == nil || !strings.Contains(err.Error(), "could not be started again in 3 tries") || !strings.Contains(err.Error(), "pg_control") {
				t.Errorf("it gave up with %v", err)
			}
			b.must(server.Stop(t.Context()))
			if !heals {
				b.must(os.Rename(elsewhere, here))
			}
			b.start().stop()
		})
	}
}

func TestStopWithoutTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	server, err := Start(t.Context(), Config{DataDir: b.data, spare: b.spare})
	b.must(err)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	b.must(server.Stop(now))
	if alive(server.proc.Pid) {
		t.Error("the server runs after Stop")
	}
	b.start().stop()
}

func TestStartIsCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i := range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(700))*time.Millisecond)
		server, err := Start(ctx, Config{DataDir: b.data, spare: b.spare})
		cancel()
		if err == nil {
			b.must(server.Stop(t.Context()))
		}
		if pid, _ := readPIDFile(filepath.Join(b.data, "postgres")); pid != 0 {
			t.Fatalf("start %d left the server %d: %v", i, pid, err)
		}
		if leftovers, _ := filepath.Glob(b.data + "/postgres.init-*"); len(leftovers) > 0 {
			t.Fatalf("start %d left %v: %v", i, leftovers, err)
		}
	}
	b.start().stop()
}

func TestLogIsPutAside(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.mkdir(b.data, 0o711)
	log := filepath.Join(b.data, "postgres.log")
	b.must(os.WriteFile(log, make([]byte, maxLogSize+1), 0o600))
	b.start().stop()
	if info, err := os.Stat(log + ".old"); err != nil || info.Size() != maxLogSize+1 {
		t.Errorf("the old log: %v", err)
	}
	text, err := os.ReadFile(log)
	b.must(err)
	if len(text) == 0 || len(text) > 1<<20 {
		t.Errorf("the log has %d bytes", len(text))
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	install := func(name, version string) string {
		bin := filepath.Join(dir, name)
		for _, program := range []string{"postgres", "initdb"} {
			if err := os.MkdirAll(bin, 0o755); err != nil {
				t.Fatal(err)
			}
			script := "#!/bin/sh\necho '" + program + " (PostgreSQL) " + version + "'\n"
			if err := os.WriteFile(filepath.Join(bin, program), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return bin
	}
	v13, v15, v17 := install("13", "13.4"), install("15", "15.18 (Debian 15.18-0+deb12u1)"), install("17", "17beta1")
	client := install("client", "16.1")
	if err := os.Remove(filepath.Join(client, "initdb")); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")

	for _, test := range []struct {
		name    string
		bins    []string
		major   int
		want    string
		wantErr error
		wantIn  string
	}{
		{"the first", []string{v15, v17}, 0, v15, nil, ""},
		{"new enough", []string{v13, client, missing, v17}, 0, v17, nil, ""},
		{"that of the cluster", []string{v15, v17}, 17, v17, nil, ""},
		{"none", nil, 0, "", ErrNotInstalled, "apt-get install postgresql"},
		{"none says the variable", nil, 0, "", ErrNotInstalled, "FURROW_DATABASE_URL"},
		{"old only", []string{v13}, 0, "", ErrNotInstalled, ""},
		{"another", []string{v13, v15}, 17, "", ErrVersion, "apt-get install postgresql-17"},
		{"another says which", []string{v13, v15}, 17, "", ErrVersion, "has PostgreSQL 13 (" + v13 + "), 15 ("},
		{"none for a cluster", nil, 17, "", ErrVersion, "has no PostgreSQL"},
		{"a cluster too old", []string{v13, v15}, 13, "", ErrVersion, "needs 14 or newer"},
	} {
		got, err := choose(t.Context(), test.bins, test.major, "/data/postgres")
		if got != test.want || !errors.Is(err, test.wantErr) {
			t.Errorf("%s: %q, %v; want %q, %v", test.name, got, err, test.want, test.wantErr)
		}
		if err != nil && !strings.Contains(err.Error(), test.wantIn) {
			t.Errorf("%s: the error %q does not hold %q", test.name, err, test.wantIn)
		}
	}
}
