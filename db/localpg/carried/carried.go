// Package carried owns the PostgreSQL that a release may carry inside of the program, and unpacks it once. Finding,
// running and stopping a server is left to package localpg.
//
// Built with the tag withpostgres, the program holds the archive that tools/release has put beside this file.
package carried

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/andybalholm/brotli"
)

// Archive is a PostgreSQL: the directories bin, lib and share of an installation, which may lie anywhere.
type Archive struct {
	Version string // as in "17.10"
	Hash    string // SHA-256 of Packed, in hexadecimal
	Packed  string // a tar archive, compressed by brotli
}

// parse reads the line that tools/release writes about an archive: its version and its hash.
func parse(line, packed string) *Archive {
	version, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
	return &Archive{Version: version, Hash: hash, Packed: packed}
}

// Unpack unpacks the archive in a directory of its own below dir, named by what is in it, unless it is there already,
// and returns where the programs are. Processes that do so at the same time wait for each other; what one that was
// killed left is removed. Anybody who reaches dir may read the files, so that as root another user can run them.
// Errors are sentences for the person who started the program.
func (a *Archive) Unpack(dir string) (bin string, err error) {
	home := filepath.Join(dir, a.name())
	bin = filepath.Join(home, "bin")
	if isDir(home) {
		return bin, nil
	}
	if err := a.unpackInto(dir, home); err != nil {
		return "", fmt.Errorf("the PostgreSQL that furrow carries cannot be unpacked in %s (%w): "+
			"make room for 100 MB there, or choose another directory with FURROW_DATA_DIR", dir, err)
	}
	return bin, nil
}

func (a *Archive) name() string {
	return "postgresql-" + a.Version + "-" + a.Hash[:min(12, len(a.Hash))]
}

// unfinished begins the names of directories that are being filled.
const unfinished = ".postgresql-unpacking-"

func (a *Archive) unpackInto(dir, home string) error {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // the server's user passes through
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".postgresql.lock"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // which gives it back
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return &os.PathError{Op: "lock", Path: lock.Name(), Err: err}
	}
	if isDir(home) { // by another process meanwhile
		return nil
	}
	if err := removeUnfinished(dir); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, unfinished)
	if err != nil {
		return err
	}
	err = a.extract(tmp)
	if err == nil {
		syscall.Sync() // a name that survives a power cut without its files would never be repaired
		err = os.Rename(tmp, home)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return removeOlder(dir, home)
}

// removeOlder deletes the copies of earlier versions but the last, from which a server may still run. A program that is
// put back unpacks its own again. The caller holds the lock.
func removeOlder(dir, home string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var older []fs.FileInfo
	for _, entry := range entries {
		if !entry.IsDir() || !isCopy(entry.Name()) || entry.Name() == filepath.Base(home) {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		older = append(older, info)
	}
	slices.SortFunc(older, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range older[:max(0, len(older)-1)] {
		if err := os.RemoveAll(filepath.Join(dir, info.Name())); err != nil {
			return err
		}
	}
	return nil
}

// isCopy reports whether a name is one that name makes.
func isCopy(name string) bool {
	return regexp.MustCompile(`^postgresql-[0-9.]+-[0-9a-f]{12}$`).MatchString(name)
}

// removeUnfinished deletes what killed processes left. The caller holds the lock.
func removeUnfinished(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), unfinished) {
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// extract checks the archive and writes what is in it into dir, which is empty.
func (a *Archive) extract(dir string) error {
	if sum := sha256.Sum256([]byte(a.Packed)); hex.EncodeToString(sum[:]) != a.Hash {
		return errors.New("the program's file is damaged: install it again")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Chmod(".", 0o755); err != nil {
		return err
	}
	members := tar.NewReader(brotli.NewReader(strings.NewReader(a.Packed)))
	for {
		member, err := members.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := write(root, path.Clean(member.Name), fs.FileMode(member.Mode).Perm(), members); err != nil {
			return err
		}
	}
}

// write writes one file, and makes the directories above it.
func write(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	for i, c := range name {
		if c != '/' {
			continue
		}
		if err := root.Mkdir(name[:i], 0o755); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := root.Chmod(name[:i], 0o755); err != nil { // whatever the umask is
			return err
		}
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Chmod(mode), file.Close())
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
