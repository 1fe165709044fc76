package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errForeignServer = errors.New("the server there serves another data directory")

// account is the user whom the server runs as; nil is ourselves.
type account struct {
	name     string
	uid, gid uint32
}

func (a *account) String() string {
	if a == nil {
		return "this user"
	}
	return "the user " + a.name
}

// place makes the data directory and says where its cluster is or will be.
func place(ctx context.Context, cfg *Config) (string, error) {
	var err error
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return "", unusable(cfg.DataDir, err)
	}
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // The server's user passes through.
	}
	if err := os.MkdirAll(cfg.DataDir, mode); err != nil {
		return "", unusable(cfg.DataDir, err)
	}
	dir := filepath.Join(cfg.DataDir, "postgres")
	if target, err := os.Readlink(dir); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(cfg.DataDir, target)
		}
		return target, nil
	}
	if os.Geteuid() != 0 {
		return dir, nil
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	}
	return placeForRoot(ctx, cfg, dir)
}

// placeForRoot moves a new cluster out of a directory that the server's user cannot reach. The new place has a random
// name, not one made from DataDir: who deletes the data directory to begin again must not find the old data.
func placeForRoot(ctx context.Context, cfg *Config, dir string) (string, error) {
	bin, err := cfg.find(ctx, 0, dir)
	if err != nil {
		return "", err
	}
	user, err := serverUser(dir)
	if err != nil {
		return "", err
	}
	cmd := command(ctx, user, filepath.Join(bin, "postgres"), "--version")
	cmd.Dir = cfg.DataDir // entered as that user, so this fails as the server would
	if cmd.Run() == nil {
		return dir, nil
	}
	cfg.Log.Info("the data directory is out of reach for the user that PostgreSQL runs as; its files go elsewhere",
		"data_dir", cfg.DataDir, "user", user.name, "to", cfg.spare)
	if err := os.MkdirAll(cfg.spare, 0o711); err != nil {
		return "", fmt.Errorf("%s cannot reach the data directory %s, and there is no other place (%w): "+
			"choose a directory it can reach with FURROW_DATA_DIR", user, cfg.DataDir, err)
	}
	home, err := os.MkdirTemp(cfg.spare, filepath.Base(cfg.DataDir)+"-")
	if err != nil {
		return "", unusable(cfg.spare, err)
	}
	if err := os.Chmod(home, 0o711); err != nil { // The cluster in it is 0700.
		return "", unusable(home, err)
	}
	target := filepath.Join(home, "postgres")
	if err := os.Symlink(target, dir); err != nil {
		os.Remove(home)                                         // It is empty.
		if other, linkErr := os.Readlink(dir); linkErr == nil { // made by another program just now
			return other, nil
		}
		return "", unusable(cfg.DataDir, err)
	}
	return target, nil
}

// inspect returns the major version that made the cluster, 0 if there is none yet.
func inspect(dir string) (major int, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return 0, nil
	case errors.Is(err, syscall.ENOTDIR):
		return 0, fmt.Errorf("%s is %w but a file: move it away, or choose another directory with FURROW_DATA_DIR", dir, ErrForeign)
	case err != nil:
		return 0, unusable(dir, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s holds files but is %w: move them away, or choose another directory with FURROW_DATA_DIR", dir, ErrForeign)
	}
	if err != nil {
		return 0, unusable(dir, err)
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(text)), ".") // "15", once "9.6"
	if major, err = strconv.Atoi(version); err != nil || major <= 0 {
		return 0, fmt.Errorf("%s is %w, its PG_VERSION says %q: move it away, or choose another directory with FURROW_DATA_DIR",
			dir, ErrForeign, text)
	}
	return major, nil
}

// serverUser is the owner of the cluster, or the one who is to own it: nil if we are not root.
func serverUser(dir string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, unusable(dir, err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		if owner.Uid == 0 {
			return nil, fmt.Errorf("%s belongs to root, as whom PostgreSQL does not run: give it to the user it was made by, as with `chown -R postgres: %[1]s`", dir)
		}
		return &account{"with the id " + strconv.Itoa(int(owner.Uid)), owner.Uid, owner.Gid}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return &account{name, uint32(uid), uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as: run furrow as another user")
}

// initCluster makes a cluster under another name and renames it when it is complete and on disk, so that one that was
// interrupted is never taken for a cluster. The caller holds the lock.
func initCluster(ctx context.Context, bin, dir string, user *account) error {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+initInfix)
	if err != nil {
		return unusable(filepath.Dir(dir), err)
	}
	defer os.RemoveAll(tmp) // After the rename it is gone.
	if user != nil {
		if err := os.Chown(tmp, int(user.uid), int(user.gid)); err != nil {
			return unusable(tmp, err)
		}
	}
	// Sorted by bytes, which no update of the system's library changes; letters are Unicode's.
	ctype := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		ctype = "en_US.UTF-8" // Older versions have no C.UTF-8.
	}
	cmd := command(ctx, user, filepath.Join(bin, "initdb"), "--pgdata="+tmp, "--username=furrow",
		"--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C", "--lc-ctype="+ctype, "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the database cannot be made in %s (%w): %s", dir, err, tail(out))
	}
	os.Remove(dir) // if it is there, and empty
	if err := os.Rename(tmp, dir); err != nil {
		return unusable(dir, err)
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return unusable(dir, err)
	}
	defer parent.Close()
	if err := parent.Sync(); err != nil {
		return unusable(dir, err)
	}
	return nil
}

// initInfix is in the names of clusters that are being made, after that of the cluster.
const initInfix = ".init-"

// removeUnfinished deletes what an interrupted initCluster left. The caller holds the lock.
func removeUnfinished(dir string) {
	names, err := filepath.Glob(globEscape(dir+initInfix) + "*")
	if err != nil {
		return
	}
	for _, name := range names {
		os.RemoveAll(name) // It is not in the way.
	}
}

func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// socketDir is the cluster itself, which nobody else can enter. A path too long for a socket address (103 bytes on
// some systems), or with the comma that separates hosts in an address, is replaced by a new directory in /tmp; not in
// TMPDIR, which may be as long, or out of the server's reach. The next program finds it through postmaster.pid.
func socketDir(dir string, user *account) (string, error) {
	if len(dir)+len("/.s.PGSQL.5432") <= 103 && !strings.Contains(dir, ",") {
		return dir, nil
	}
	short, err := os.MkdirTemp("/tmp", "furrow-socket-")
	if err != nil {
		return "", fmt.Errorf("make a directory for the socket of PostgreSQL: %w", err)
	}
	if user != nil {
		if err := os.Chown(short, int(user.uid), int(user.gid)); err != nil {
			return "", fmt.Errorf("make a directory for the socket of PostgreSQL: %w", err)
		}
	}
	return short, nil
}

// findRunning fills in s and returns true if a server for the cluster runs and is ready; it waits for one that is
// starting or stopping. It returns false if none runs, and when ctx is done.
//
// A postmaster.pid outlives its server after a crash, and then its number may be another process's.
func (s *Server) findRunning(ctx context.Context) bool {
	var silentSince time.Time
	for ctx.Err() == nil {
		pid, socket := readPIDFile(s.dir)
		if pid <= 0 {
			return false
		}
		if s.proc == nil || s.proc.Pid != pid {
			proc, err := os.FindProcess(pid)
			if err != nil {
				return false
			}
			s.proc = proc
		}
		if err := s.proc.Signal(syscall.Signal(0)); err != nil && !errors.Is(err, syscall.EPERM) {
			return false
		}
		ours, known := worksIn(pid, s.dir)
		if known && !ours {
			return false
		}
		s.socket = socket
		err := s.connectOnce(ctx)
		switch {
		case err == nil:
			return true
		case errors.Is(err, errForeignServer): // postmaster.pid was copied with the directory
			return false
		case ours || listens(ctx, socket):
			silentSince = time.Time{}
		case silentSince.IsZero():
			silentSince = time.Now()
		case time.Since(silentSince) > time.Second: // Only in its first moments does a server not listen.
			return false
		}
		sleep(ctx, pollInterval) //nolint:errcheck // The loop looks at ctx.
	}
	return false
}

// worksIn reports whether a process is in dir, which a server enters before it makes its postmaster.pid. It is known
// on Linux only, and not of a process that has ended.
func worksIn(pid int, dir string) (ours, known bool) {
	cwd := fmt.Sprintf("/proc/%d/cwd", pid)
	_, err := os.Stat(cwd)
	return err == nil && sameFile(cwd, dir), err == nil
}

func listens(ctx context.Context, socket string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(socket, ".s.PGSQL.5432"))
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// readPIDFile returns the process id (line 1) and the socket's directory (line 5) from postmaster.pid, 0 and "" if
// they are not there. The format: https://git.postgresql.org/, src/include/utils/pidfile.h.
func readPIDFile(dir string) (pid int, socket string) {
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return 0, ""
	}
	lines := strings.Split(string(text), "\n")
	pid, _ = strconv.Atoi(strings.TrimSpace(lines[0])) // Then it is 0.
	if len(lines) > 4 {
		socket = lines[4]
	}
	return pid, socket
}

// disownPIDFile makes the server ignore a file whose number is now that of another process of the same user, which it
// would take for a running server. It ignores its parent's number, ours; and the rest of postmaster.pid still lets it
// see whether an old server's children use the shared memory.
func disownPIDFile(path string) error {
	// As root we are in a directory of another user here, and follow no link that this user may have made.
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	if strings.HasPrefix(first, "-") { // a postgres --single, which has no socket to look for
		return nil
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0)
	return err
}
