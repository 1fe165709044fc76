package localpg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A PostgreSQL that the program carries comes first, wherever the server's user reaches it; a cluster of another version
// still gets the system's.
func TestFindCarried(t *testing.T) {
	t.Parallel()
	system, err := choose(t.Context(), binDirs(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, text := range map[string]string{"postgres": "#!/bin/sh\necho 'postgres (PostgreSQL) 99.1'\n", "initdb": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var places []string
	cfg := Config{DataDir: "/data", spare: "/spare", Carried: func(dir string) (string, error) {
		places = append(places, dir)
		return bin, nil
	}}
	for _, test := range []struct {
		major int
		want  string
	}{{0, bin}, {99, bin}, {versionOf(t.Context(), system), system}} {
		if got, err := cfg.find(t.Context(), test.major, "/data/postgres"); got != test.want || err != nil {
			t.Errorf("version %d is in %q, %v; want %q", test.major, got, err, test.want)
		}
	}
	want := "/data"
	if os.Geteuid() == 0 {
		want = "/spare"
	}
	for _, place := range places {
		if place != want {
			t.Errorf("unpacked in %s, want %s", place, want)
		}
	}
	if _, err := cfg.find(t.Context(), 98, "/data/postgres"); !errors.Is(err, ErrVersion) || errors.Is(err, ErrCannotRun) || !strings.Contains(err.Error(), "99 ("+bin+")") {
		t.Errorf("a version that nobody has: %v", err)
	}

	// One that does not run here, as with another C library, is as none.
	if err := os.WriteFile(filepath.Join(bin, "postgres"), []byte("#!/nowhere/ld.so\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := cfg.find(t.Context(), 0, "/data/postgres"); got != system || err != nil {
		t.Errorf("instead of it: %q, %v; want %q", got, err, system)
	}
	if _, err := cfg.find(t.Context(), 98, "/data/postgres"); !errors.Is(err, ErrCannotRun) {
		t.Errorf("with no other: %v", err)
	}
	full := errors.New("no room")
	cfg.Carried = func(string) (string, error) { return "", full }
	if _, err := cfg.find(t.Context(), 0, "/data/postgres"); !errors.Is(err, full) {
		t.Errorf("it cannot be unpacked: %v", err)
	}
}
