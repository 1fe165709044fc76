package carried

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
)

type file struct {
	name string
	mode int64
	text string
}

func small() []file {
	return []file{
		{"bin/postgres", 0o755, "#!/bin/sh\n"},
		{"lib/libpq.so.5", 0o644, "library"},
		{"share/postgresql/timezone/Europe/Berlin", 0o644, "zone"},
	}
}

// archive packs files as tools/release does.
func archive(tb testing.TB, version string, files ...file) *Archive {
	tb.Helper()
	var packed bytes.Buffer
	zipped := brotli.NewWriter(&packed)
	w := tar.NewWriter(zipped)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text))}); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		tb.Fatal(err)
	}
	sum := sha256.Sum256(packed.Bytes())
	return parse(fmt.Sprintf("%s %s\n", version, hex.EncodeToString(sum[:])), packed.String())
}

// tree is what lies under a directory: modes, and the content of files.
func tree(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		found[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			found[name] += " " + string(text)
			return err
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func names(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

// It is unpacked once, whole, and for everybody to read; what was there is not touched again. What a process that was
// killed in the middle of it left is gone afterwards.
func TestUnpack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	left := filepath.Join(dir, unfinished+"123", "bin")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	a := archive(t, "17.10", small()...)
	bin, err := a.Unpack(dir)
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "postgresql-17.10-"+a.Hash[:12])
	if want := filepath.Join(home, "bin"); bin != want {
		t.Errorf("the programs are in %s, want %s", bin, want)
	}
	want := map[string]string{
		".": "drwxr-xr-x", "bin": "drwxr-xr-x", "lib": "drwxr-xr-x", "share": "drwxr-xr-x", "share/postgresql": "drwxr-xr-x",
		"share/postgresql/timezone": "drwxr-xr-x", "share/postgresql/timezone/Europe": "drwxr-xr-x",
		"bin/postgres": "-rwxr-xr-x #!/bin/sh\n", "lib/libpq.so.5": "-rw-r--r-- library", "share/postgresql/timezone/Europe/Berlin": "-rw-r--r-- zone",
	}
	if diff := cmp.Diff(want, tree(t, home)); diff != "" {
		t.Errorf("unpacked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{".postgresql.lock", filepath.Base(home)}, names(t, dir)); diff != "" {
		t.Errorf("the directory (-want +got):\n%s", diff)
	}

	before, err := os.Stat(home)
	if err != nil {
		t.Fatal(err)
	}
	a.Packed = "" // which nobody reads a second time
	if again, err := a.Unpack(dir); again != bin || err != nil {
		t.Errorf("again: %s, %v", again, err)
	}
	if after, err := os.Stat(home); err != nil || !os.SameFile(before, after) {
		t.Errorf("it was unpacked again: %v", err)
	}

}

// Another version goes beside the one before it, from which a server may still run; older ones make room, and nothing
// else does.
func TestUnpackAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "postgresql-mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := []string{".postgresql.lock"}
	for i, version := range []string{"17.9", "17.10", "17.11"} {
		a := archive(t, version, small()...)
		if _, err := a.Unpack(dir); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, a.name()), at, at); err != nil {
			t.Fatal(err)
		}
		if version != "17.9" {
			want = append(want, a.name())
		}
	}
	if diff := cmp.Diff(append(want, "postgresql-mine"), names(t, dir)); diff != "" {
		t.Errorf("the directory (-want +got):\n%s", diff)
	}
}

// Several processes that start at once, as threads here, all find one whole copy.
func TestUnpackTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := archive(t, "17.10", small()...)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			bin, err := a.Unpack(dir)
			if err != nil {
				t.Error(err)
				return
			}
			if text, err := os.ReadFile(filepath.Join(filepath.Dir(bin), "share/postgresql/timezone/Europe/Berlin")); err != nil || string(text) != "zone" {
				t.Errorf("the last file holds %q, %v", text, err)
			}
		})
	}
	group.Wait()
	if found := names(t, dir); len(found) != 2 {
		t.Errorf("the directory holds %v, want the lock and one copy", found)
	}
}

// A program's file that is damaged, an archive that would write elsewhere and a directory that cannot be written to
// are refused, and nothing is left.
func TestUnpackRefused(t *testing.T) {
	t.Parallel()
	damaged := archive(t, "17.10", small()...)
	damaged.Packed = damaged.Packed[:len(damaged.Packed)/2] + "?" + damaged.Packed[len(damaged.Packed)/2+1:]
	cut := archive(t, "17.10", small()...)
	cut.Packed = cut.Packed[:len(cut.Packed)/2]
	sum := sha256.Sum256([]byte(cut.Packed))
	cut.Hash = hex.EncodeToString(sum[:])
	tests := []struct {
		name    string
		archive *Archive
		want    string
	}{
		{"damaged", damaged, "damaged"},
		{"cut off", cut, "EOF"},
		{"outside", archive(t, "17.10", small()[0], file{"../outside", 0o644, "x"}), "escapes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			bin, err := tt.archive.Unpack(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "FURROW_DATA_DIR") {
				t.Errorf("%q, error %v; want one with %q", bin, err, tt.want)
			}
			if found := names(t, dir); len(found) != 1 {
				t.Errorf("the directory holds %v, want the lock alone", found)
			}
			if found := names(t, filepath.Dir(dir)); len(found) != 1 {
				t.Errorf("beside the directory lies %v", found)
			}
		})
	}
	t.Run("no directory", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := archive(t, "17.10", small()...).Unpack(path); err == nil || !strings.Contains(err.Error(), syscall.ENOTDIR.Error()) {
			t.Errorf("error %v, want one of ENOTDIR", err)
		}
	})
}
