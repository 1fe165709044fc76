package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"furrow/db"
	"furrow/ledger/notice"
)

func hostChecks() []check {
	return []check{
		{"user", lookAtUser},
		{"data directory", lookAtDataDir},
		{"disk", lookAtDisk},
		{"file system", lookAtFileSystem},
		{"secret key", lookAtKey},
		{"open files", lookAtOpenFiles},
		{"memory", lookAtMemory},
		{"service", lookAtService},
		{"backup", lookAtBackups},
	}
}

func lookAtUser(context.Context, *doctor) finding {
	if os.Geteuid() == 0 {
		return finding{State: warning, Found: "this is root", Do: "run furrow as a user of its own; for ports below 1024 it needs no more than CAP_NET_BIND_SERVICE"}
	}
	return finding{State: fine, Found: "not root"}
}

// lookAtDataDir: it holds the secret key and the private PostgreSQL.
func lookAtDataDir(_ context.Context, d *doctor) finding {
	dir := d.c.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{State: fine, Found: dir + " is not there yet; the first start makes it"}
	case err != nil:
		return finding{State: problem, Found: oneLine(err), Do: "let the user that furrow runs as pass to it, or choose another with --data-dir"}
	case !info.IsDir():
		return finding{State: problem, Found: dir + " is no directory", Do: "move it away, or choose another with --data-dir"}
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return finding{State: problem, Found: fmt.Sprintf("%s belongs to user %d, and this is user %d", dir, owner.Uid, os.Geteuid()),
			Do: "run this as the user that furrow runs as, or give it the directory with chown"}
	}
	if err := unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		return finding{State: problem, Found: fmt.Sprintf("%s cannot be written to: %v", dir, err), Do: "chmod u+rwx " + dir}
	}
	// As root, PostgreSQL runs as another user, who passes through.
	if mode := info.Mode().Perm(); mode&0o066 != 0 {
		return finding{State: warning, Found: fmt.Sprintf("others may look into %s (mode %04o)", dir, mode), Do: "chmod go-rw " + dir}
	}
	return finding{State: fine, Found: dir}
}

// existing is the data directory, or what is there of the way to it.
func (d *doctor) existing() string {
	dir := d.c.DataDir
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

func lookAtDisk(_ context.Context, d *doctor) finding {
	room, err := diskOf(d.existing())
	if err != nil {
		return finding{State: problem, Found: oneLine(err)}
	}
	return judgeDisk(room, d.served.diskLimit)
}

// tooLittle room is used up before anybody has made more.
const tooLittle = 256 << 20

// judgeDisk warns from where on the alert does.
func judgeDisk(room disk, limit notice.DiskLimit) finding {
	found := fmt.Sprintf("%d MB free of %d MB", room.free>>20, room.size>>20)
	const do = "make room, or move the data directory to a larger disk: a full disk stops everything that is written"
	switch {
	case room.free < tooLittle:
		return finding{State: problem, Found: found, Do: do}
	case room.allInodes > 0 && room.freeInodes*100 < room.allInodes:
		return finding{State: problem, Found: fmt.Sprintf("%s, but only for %d files of %d", found, room.freeInodes, room.allInodes), Do: do}
	case limit.Low(room.free, room.size):
		return finding{State: warning, Found: found, Do: do}
	}
	return finding{State: fine, Found: found}
}

// lookAtFileSystem: PostgreSQL needs one on which what is on disk stays there.
func lookAtFileSystem(_ context.Context, d *doctor) finding {
	file, err := os.Open(filepath.Join(d.root, "proc/self/mountinfo"))
	if err != nil {
		return finding{} // not Linux
	}
	defer file.Close()
	dir, err := filepath.EvalSymlinks(d.existing())
	if err != nil {
		return finding{State: problem, Found: oneLine(err)}
	}
	return judgeFileSystem(fileSystemOf(file, dir))
}

// fileSystemOf finds the type of the file system that a directory is on. The
// lines: https://www.kernel.org/doc/Documentation/filesystems/proc.txt, section 3.5.
func fileSystemOf(mounts io.Reader, dir string) string {
	kind, longest := "", -1
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields, types := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(types) < 1 {
			continue
		}
		mount := strings.TrimSuffix(strings.ReplaceAll(fields[4], `\040`, " "), "/")
		if (dir == mount || strings.HasPrefix(dir, mount+"/")) && len(mount) >= longest { // the last one on a place hides the others
			kind, longest = types[0], len(mount)
		}
	}
	return kind
}

func judgeFileSystem(kind string) finding {
	network := []string{"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "afs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone"}
	switch {
	case kind == "tmpfs" || kind == "ramfs":
		return finding{State: problem, Found: kind + ", which is gone after a restart of the machine", Do: "move the data directory to a disk"}
	case kind == "overlay":
		return finding{State: warning, Found: "overlay, which is gone with its container", Do: "mount a volume for the data directory"}
	case slices.Contains(network, kind):
		return finding{State: warning, Found: kind + ", a network file system, on which PostgreSQL may lose data", Do: "move the data directory to a local disk"}
	case kind == "":
		return finding{}
	}
	return finding{State: fine, Found: kind}
}

// lookAtKey reads the key as it is; [db.LoadSecretKey] would make one.
func lookAtKey(ctx context.Context, d *doctor) finding {
	path := d.c.keyFile()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.pool == nil:
		return finding{State: fine, Found: path + " is not there yet; the first start makes it"}
	case errors.Is(err, fs.ErrNotExist):
		return d.keyFits(ctx, make([]byte, db.SecretKeySize), path+" is not there; the next start makes one", "is not there, and what is stored needs it")
	case err != nil:
		return finding{State: problem, Found: oneLine(err), Do: "let the user that furrow runs as read it"}
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return finding{State: problem, Found: oneLine(err), Do: "let the user that furrow runs as read it"}
	}
	if !db.WholeKeys(key) {
		return finding{State: problem, Found: fmt.Sprintf("%s holds %d bytes, not %d", path, len(key), db.SecretKeySize), Do: "put the right file back, from a backup"}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return finding{State: problem, Found: fmt.Sprintf("others may read %s (mode %04o)", path, mode), Do: "chmod 600 " + path}
	}
	fits := d.keyFits(ctx, key, path, "does not open what is stored")
	if fits.State == fine && len(key) > db.SecretKeySize {
		return finding{State: warning, Found: path + " still holds the key that was replaced", Do: "run furrow rotate-key once more, then furrow rotate-key --finish"}
	}
	return fits
}

// keyFits says whether a key opens what is stored; if so, or if nobody can tell,
// it is fine.
func (d *doctor) keyFits(ctx context.Context, key []byte, found, misfit string) finding {
	if d.pool == nil || d.condition.Schema != d.condition.KnownSchema {
		return finding{State: fine, Found: found}
	}
	sealer, err := db.NewSealer(key)
	if err == nil {
		err = db.NewStore(d.pool, sealer).CheckSecretKey(ctx)
	}
	switch {
	case errors.Is(err, db.ErrWrongKey):
		return finding{State: problem, Found: d.c.keyFile() + " " + misfit, Do: "put the right file back, or set --secret-key-file"}
	case err != nil:
		return finding{State: problem, Found: oneLine(err)}
	}
	return finding{State: fine, Found: found}
}

// enoughFiles is for some thousands of idle connections, and the database's.
const enoughFiles = 4096

func lookAtOpenFiles(context.Context, *doctor) finding {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return finding{State: warning, Found: oneLine(err)}
	}
	return judgeOpenFiles(uint64(limit.Max)) // Go raises its own to that
}

func judgeOpenFiles(limit uint64) finding {
	if limit < enoughFiles {
		return finding{State: warning, Found: fmt.Sprintf("%d at most, each connection takes one", limit), Do: "raise the limit (ulimit -n, or LimitNOFILE= in a unit of systemd)"}
	}
	return finding{State: fine, Found: fmt.Sprintf("%d at most", limit)}
}

// Memory in bytes. The program and its PostgreSQL take 150 MB when idle; each
// log-in under way takes 19 MB for its password.
const (
	littleMemory = 384 << 20
	tooSmall     = 192 << 20
)

func lookAtMemory(_ context.Context, d *doctor) finding {
	total, known := d.memory()
	switch found := fmt.Sprintf("%d MB", total>>20); {
	case !known:
		return finding{}
	case total < tooSmall:
		return finding{State: problem, Found: found, Do: "give it 512 MB or more: log-ins and PostgreSQL may be killed for want of memory"}
	case total < littleMemory:
		return finding{State: warning, Found: found, Do: "give it 512 MB or more, or add swap"}
	default:
		return finding{State: fine, Found: found}
	}
}

// memory is what this machine has, or what its container may use if that is less.
func (d *doctor) memory() (total uint64, known bool) {
	text, err := os.ReadFile(filepath.Join(d.root, "proc/meminfo"))
	if err != nil {
		return 0, false // not Linux
	}
	for line := range strings.Lines(string(text)) {
		if kilobytes, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kilobytes), "kB")), 10, 64)
			total, known = n<<10, err == nil
		}
	}
	for _, name := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(filepath.Join(d.root, name))
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil { // else "max"
			total = min(total, limit)
		}
	}
	return total, known
}

// lookAtService: something must start furrow after the machine does.
func lookAtService(_ context.Context, d *doctor) finding {
	if _, err := os.Stat(filepath.Join(d.root, "run/systemd/system")); err != nil {
		return finding{} // something else sees to it, as in a container
	}
	for _, dir := range []string{"etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"} {
		unit := filepath.Join(d.root, dir, "furrow.service")
		if _, err := os.Stat(unit); err == nil {
			return finding{State: fine, Found: unit}
		}
	}
	return finding{State: warning, Found: "systemd has no furrow.service, so nothing starts furrow with the machine", Do: "install the unit, see README.md"}
}

// oldBackup is more than a day, the two hours by which the timer may be late, and
// the time that a backup may take.
const oldBackup = 30 * time.Hour

func lookAtBackups(_ context.Context, d *doctor) finding {
	if d.c.BackupDir == "" {
		return finding{}
	}
	entries, err := os.ReadDir(d.c.BackupDir)
	if err != nil {
		return finding{State: problem, Found: oneLine(err), Do: "name the directory of the backups with --backup-dir"}
	}
	var newest time.Time
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && filepath.Ext(entry.Name()) == ".backup" && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	const do = "run furrow backup, and see why its timer does not"
	if newest.IsZero() {
		return finding{State: problem, Found: "there is none in " + d.c.BackupDir, Do: do}
	}
	age := d.now.Sub(newest)
	if age > oldBackup {
		return finding{State: problem, Found: fmt.Sprintf("the newest in %s is %d hours old", d.c.BackupDir, age/time.Hour), Do: do}
	}
	return finding{State: fine, Found: fmt.Sprintf("the newest in %s is %d hours old", d.c.BackupDir, age/time.Hour)}
}
