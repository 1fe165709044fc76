// Package localpg owns the private PostgreSQL that runs when no database address is given: it finds the system's
// PostgreSQL, makes a cluster once, runs it as a child on a Unix socket that only its owner can reach, and stops it.
// What is in the database is left to package db.
//
// The cluster lives in DataDir/postgres. Beside it are postgres.log, the server's log, and postgres.lock, which the
// program that runs the server holds. PostgreSQL refuses to run as root; as root the server runs as the cluster's
// owner, which for a new one is the system user postgres, else nobody. If that user cannot reach DataDir (it lies
// under /root, say), a new cluster is put into a directory of its own in /var/lib/furrow, and DataDir/postgres is a
// symbolic link to it. A PostgreSQL that the program carries is unpacked in DataDir, or as root in /var/lib/furrow.
//
// It is our own because the libraries for this download binaries when they run, cannot run as root, and wipe a data
// directory of another version. Unix only.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	startTimeout = 2 * time.Minute  // to ready; crash recovery is part of it
	stopTimeout  = 30 * time.Second // for a fast shutdown, and then again for an immediate one
	pollInterval = 10 * time.Millisecond
	maxLogSize   = 5 << 20 // bytes; a larger log is put aside at start
)

// Errors that Start and Attach wrap. Each error they return is a sentence for the person who started the program.
var (
	ErrNotInstalled = errors.New("no PostgreSQL 14 or newer was found: install it with `apt-get install postgresql`, " +
		"or set FURROW_DATABASE_URL to the address of a database")
	ErrCannotRun = errors.New("the PostgreSQL that furrow carries does not run on this machine: it needs glibc 2.25 or newer (musl will not do), " +
		"libstdc++ and libgcc_s; install those, or PostgreSQL, or set FURROW_DATABASE_URL to the address of a database")
	ErrInUse   = errors.New("in use by another furrow")
	ErrVersion = errors.New("made by another major version of PostgreSQL")
	ErrForeign = errors.New("not a PostgreSQL cluster")
)

// Config says where the cluster is and how its server runs.
type Config struct {
	DataDir  string       // made if missing
	Log      *slog.Logger // nil: no log
	Settings []string     // "name=value", given to the server after our own

	// Carried unpacks a PostgreSQL that the program brings along below a directory, unless it is there already, and
	// returns where its programs are. It comes before the system's. nil: there is none.
	Carried func(dir string) (bin string, err error)

	// Detached leaves the server running at Stop and at the program's end. It is for tests, which share one.
	Detached bool

	// spare replaces /var/lib/furrow in this package's tests.
	spare string
}

// Server is a running PostgreSQL.
type Server struct {
	cfg     Config
	dir     string // the cluster
	socket  string // the directory of its socket
	version string
	proc    *os.Process
	owned   bool     // Stop stops it
	lock    *os.File // held while owned

	restarts int // that Keep tries

	once   sync.Once
	stop   chan struct{} // closed by once when Stop begins
	gone   chan struct{} // closed when the server's process has ended
	exited chan error
}

// Start runs the server of cfg.DataDir, and waits until it accepts connections. A server that a killed program left
// running is taken over. A data directory that another running program is responsible for is ErrInUse. Start never
// deletes or changes a cluster that exists.
func Start(ctx context.Context, cfg Config) (*Server, error) { return open(ctx, cfg, false) }

// Attach is Start for a command that may run beside the program that runs the server: it uses the server that runs,
// and does not stop it, or else starts one.
func Attach(ctx context.Context, cfg Config) (*Server, error) { return open(ctx, cfg, true) }

func open(ctx context.Context, cfg Config, attach bool) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.spare == "" {
		cfg.spare = "/var/lib/furrow"
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	dir, err := place(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, dir: dir, restarts: maxRestarts,
		stop: make(chan struct{}), gone: make(chan struct{}), exited: make(chan error, 1),
	}
	for {
		s.lock, err = tryLock(filepath.Join(filepath.Dir(dir), "postgres.lock"))
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, unusable(cfg.DataDir, err)
		}
		if attach && s.findRunning(ctx) {
			cfg.Log.Debug("using the running PostgreSQL", "dir", dir)
			go s.watch(s.stop, s.gone, s.pollExit)
			return s, nil
		}
		// A program that was just killed may take a moment to let go of its lock.
		if !attach && time.Since(began) > time.Second {
			return nil, fmt.Errorf("the data directory %s is %w: stop that one, "+
				"or choose another directory with FURROW_DATA_DIR", cfg.DataDir, ErrInUse)
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return nil, fmt.Errorf("wait for the PostgreSQL that another furrow starts in %s: %w", dir, err)
		}
	}
	s.owned = !cfg.Detached
	if err := s.startLocked(ctx); err != nil {
		s.lock.Close()
		return nil, err
	}
	if !s.owned {
		s.lock.Close()
	}
	cfg.Log.Info("PostgreSQL is ready", "version", s.version, "dir", dir, "pid", s.proc.Pid, "took", time.Since(began))
	return s, nil
}

// startLocked takes over the server that runs, or starts one.
func (s *Server) startLocked(ctx context.Context) error {
	if s.findRunning(ctx) {
		s.cfg.Log.Info("took over the PostgreSQL that an earlier run left", "pid", s.proc.Pid)
		go s.watch(s.stop, s.gone, s.pollExit)
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("a PostgreSQL runs in %s but does not answer (%w): stop it, see its log %s", s.dir, err, s.logPath())
	}
	major, err := inspect(s.dir)
	if err != nil {
		return err
	}
	bin, err := s.cfg.find(ctx, major, s.dir)
	if err != nil {
		return err
	}
	user, err := serverUser(s.dir)
	if err != nil {
		return err
	}
	removeUnfinished(s.dir)
	if major == 0 {
		s.cfg.Log.Info("making the database", "dir", s.dir)
		if err := initCluster(ctx, bin, s.dir, user); err != nil {
			return err
		}
	}
	if err := s.disown(); err != nil {
		return err
	}
	if s.socket, err = socketDir(s.dir, user); err != nil {
		return err
	}
	if err := s.spawn(ctx, bin, user); err != nil {
		s.removeSocketDir()
		return err
	}
	return nil
}

func (s *Server) disown() error {
	for _, name := range []string{"postmaster.pid", ".s.PGSQL.5432.lock"} {
		if err := disownPIDFile(filepath.Join(s.dir, name)); err != nil {
			return unusable(s.dir, err)
		}
	}
	return nil
}

// spawn runs the server and waits until it is ready.
//
// The server is not tied to our life by a parent-death signal: that signal comes when the thread that forked ends, not
// the program, and a server left behind by a kill does no harm, for the next start takes it over. It gets a process
// group of its own, so that Ctrl+C in a terminal reaches us alone and we stop it when nobody uses it any more.
func (s *Server) spawn(ctx context.Context, bin string, user *account) error {
	if info, err := os.Stat(s.logPath()); err == nil && info.Size() > maxLogSize {
		os.Rename(s.logPath(), s.logPath()+".old") //nolint:errcheck // The log may as well grow.
	}
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("the log of PostgreSQL cannot be written (%w): delete it, or make it writable for this user", err)
	}
	defer log.Close()
	logStart, _ := log.Seek(0, io.SeekEnd) // If that fails, an error quotes older lines.

	args := []string{"-D", s.dir}
	for _, setting := range append(settings(s.socket), s.cfg.Settings...) {
		args = append(args, "-c", setting)
	}
	cmd := command(context.WithoutCancel(ctx), user, filepath.Join(bin, "postgres"), args...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("PostgreSQL cannot run in %s as %s (%w): that user must be able to pass every directory above it", s.dir, user, err)
	}
	s.proc, s.gone = cmd.Process, make(chan struct{})
	go s.watch(s.stop, s.gone, func() { cmd.Wait() }) //nolint:errcheck // What it says is in the log.

	err = s.waitReady(ctx)
	if err == nil {
		return nil
	}
	s.once.Do(func() { close(s.stop) })
	if stopErr := s.shutdown(context.WithoutCancel(ctx)); stopErr != nil {
		err = errors.Join(err, stopErr)
	}
	return fmt.Errorf("PostgreSQL did not start in %s (%w); its log %s ends: %s", s.dir, err, s.logPath(), lastLines(s.logPath(), logStart))
}

// settings are for a small machine, and for durability: what is committed survives a power cut.
func settings(socket string) []string {
	return []string{
		"listen_addresses=", "port=5432", "unix_socket_permissions=0700",
		`unix_socket_directories="` + strings.ReplaceAll(socket, `"`, `""`) + `"`,
		"fsync=on", "full_page_writes=on", "synchronous_commit=on",
		"max_connections=60", "shared_buffers=32MB", "huge_pages=off", "jit=off", "max_parallel_workers_per_gather=0",
		"min_wal_size=32MB", "max_wal_size=256MB",
		"timezone=UTC", "log_timezone=UTC", "logging_collector=off", "log_checkpoints=off",
		// Failed statements go to the client, and their text holds people's notes: keep it out of the log.
		"log_min_messages=log", "log_min_error_statement=panic", "log_error_verbosity=terse",
		"cluster_name=furrow",
	}
}

func (s *Server) waitReady(ctx context.Context) error {
	for {
		err := s.connectOnce(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.gone:
			return errors.New("it ended")
		case <-ctx.Done():
			return fmt.Errorf("%w; %w", ctx.Err(), err)
		case <-time.After(pollInterval):
		}
	}
}

// connectOnce finds out whether the server is ready and ours, and makes the database furrow if it is missing.
func (s *Server) connectOnce(ctx context.Context) error {
	conn, err := connect(ctx, s.socket, "furrow")
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == "3D000" { // invalid_catalog_name
		if conn, err = connect(ctx, s.socket, "postgres"); err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE DATABASE furrow")
		if err != nil {
			conn.Close(ctx) // The first error counts.
			return fmt.Errorf("make the database: %w", err)
		}
	}
	if err != nil {
		return err
	}
	defer conn.Close(ctx) // Nothing was written.
	var dir string
	if err := conn.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&dir); err != nil {
		return fmt.Errorf("ask for the data directory: %w", err)
	}
	if !sameFile(dir, s.dir) {
		return errForeignServer
	}
	s.version = conn.PgConn().ParameterStatus("server_version")
	return nil
}

func connect(ctx context.Context, socket, database string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(connString(socket, database))
	if err != nil {
		return nil, err
	}
	cfg.ConnectTimeout = 5 * time.Second
	return pgx.ConnectConfig(ctx, cfg)
}

func connString(socket, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("furrow"), Path: "/" + database}
	query := url.Values{"host": {socket}, "port": {"5432"}}.Encode()
	u.RawQuery = strings.ReplaceAll(query, "+", "%20") // pgx and libpq take a plus sign as it is
	return u.String()
}

// ConnString is the address of the database furrow, as a URL for pgx. Its user may do everything.
func (s *Server) ConnString() string { return connString(s.socket, "furrow") }

// Version is the server's own, as in "15.13 (Debian 15.13-0+deb12u1)".
func (s *Server) Version() string { return s.version }

// Exited receives an error if the server ends without Stop.
func (s *Server) Exited() <-chan error { return s.exited }

// Keep starts the server again whenever it has ended by itself, at the same address, until ctx is over. It returns an
// error only when that fails for minutes; then the server is not there. Stop must wait for its end. It takes the place
// of Exited.
func (s *Server) Keep(ctx context.Context) error {
	var began time.Time
	tries := 0
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-s.exited:
		}
		if time.Since(began) > steadyTime {
			tries = 0
		}
		for err != nil {
			if tries == s.restarts {
				return fmt.Errorf("PostgreSQL ended, and could not be started again in %d tries: %w", tries, err)
			}
			wait := restartWait(tries)
			tries++
			s.cfg.Log.Error("PostgreSQL is not running; it is started again", "in", wait, "try", tries, "error", err)
			if sleep(ctx, wait) != nil {
				return nil
			}
			began = time.Now()
			err = s.restart(ctx)
			if ctx.Err() != nil {
				return nil
			}
		}
		s.cfg.Log.Info("PostgreSQL runs again", "pid", s.proc.Pid, "took", time.Since(began))
	}
}

const (
	maxRestarts = 12          // in two and a half minutes
	steadyTime  = time.Minute // a server that ran for so long had not failed to start
)

// restartWait doubles from a quarter of a second to half a minute, after a first try at once.
func restartWait(tries int) time.Duration {
	if tries == 0 {
		return 0
	}
	return min(250*time.Millisecond<<(tries-1), 30*time.Second)
}

// restart starts a server that has ended. What it had left may be in use for a moment, then it fails.
func (s *Server) restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	major, err := inspect(s.dir)
	if err != nil {
		return err
	}
	bin, err := s.cfg.find(ctx, major, s.dir)
	if err != nil {
		return err
	}
	user, err := serverUser(s.dir)
	if err != nil {
		return err
	}
	if err := s.disown(); err != nil {
		return err
	}
	err = s.spawn(ctx, bin, user)
	if err != nil {
		s.once, s.stop = sync.Once{}, make(chan struct{}) // Stop is still to give back the lock
		select {
		case <-s.exited: //nolint:errcheck // It is the end of what was just started.
		default:
		}
	}
	return err
}

// Stop ends the server: it breaks off what still runs in it, writes everything to disk and waits for its end. If that
// takes longer than ctx allows, or 30 s, the server is told to drop everything and recover at its next start. A
// server that Stop is not responsible for (Attach, Detached) is left alone. Only the first call does anything.
func (s *Server) Stop(ctx context.Context) error {
	first := false
	s.once.Do(func() { first = true; close(s.stop) })
	if !first || !s.owned {
		return nil
	}
	err := s.shutdown(ctx)
	s.removeSocketDir()
	return errors.Join(err, s.lock.Close())
}

func (s *Server) shutdown(ctx context.Context) error {
	timeout := time.After(stopTimeout)
	s.proc.Signal(syscall.SIGINT) //nolint:errcheck // It fails when the process has ended, which is what we wait for.
	select {
	case <-s.gone:
		return nil
	case <-ctx.Done():
	case <-timeout:
	}
	s.cfg.Log.Warn("PostgreSQL is slow to stop; stopping it at once", "pid", s.proc.Pid)
	s.proc.Signal(syscall.SIGQUIT) //nolint:errcheck // As above.
	select {
	case <-s.gone:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("PostgreSQL (process %d) in %s does not stop", s.proc.Pid, s.dir)
	}
}

// watch reports the server's end, which wait waits for.
func (s *Server) watch(stop <-chan struct{}, gone chan<- struct{}, wait func()) {
	wait()
	defer close(gone)
	select {
	case <-stop:
	default:
		s.exited <- fmt.Errorf("PostgreSQL in %s ended by itself; its log %s ends: %s", s.dir, s.logPath(), lastLines(s.logPath(), 0))
	}
}

// pollExit waits for the end of a server that is not our child, or for a Stop that leaves it alone.
func (s *Server) pollExit() {
	stop := s.stop
	if s.owned {
		stop = nil
	}
	for {
		pid, _ := readPIDFile(s.dir)
		if pid != s.proc.Pid || s.proc.Signal(syscall.Signal(0)) != nil {
			return
		}
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *Server) logPath() string { return filepath.Join(filepath.Dir(s.dir), "postgres.log") }

func (s *Server) removeSocketDir() {
	if s.socket != "" && s.socket != s.dir {
		os.Remove(s.socket) // An empty directory in /tmp is no harm.
	}
}

// lastLines are the last few lines of a file after offset, on one line.
func lastLines(path string, offset int64) string {
	text, err := os.ReadFile(path)
	if err != nil || offset > int64(len(text)) {
		return "(unreadable)"
	}
	return tail(text[offset:])
}

func tail(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}

// tryLock returns EWOULDBLOCK if another process holds the lock. The lock ends with the process, however that ends.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}

func unusable(dir string, err error) error {
	return fmt.Errorf("the data directory %s cannot be used (%w): make it readable and writable for this user, "+
		"or choose another with FURROW_DATA_DIR", dir, err)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// command is one that runs as user, knows nothing of our environment, and is told to end when ctx does.
func command(ctx context.Context, user *account, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}
