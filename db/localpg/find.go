package localpg

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const oldestMajor = 14

// find returns the directory of the programs of PostgreSQL: of exactly the major version given, that of the cluster in
// dir, or if that is 0 of the first one that is new enough.
func (c *Config) find(ctx context.Context, major int, dir string) (string, error) {
	if c.Carried == nil {
		return choose(ctx, binDirs(), major, dir)
	}
	place := c.DataDir
	if os.Geteuid() == 0 {
		place = c.spare // which the server's user reaches, wherever DataDir is
	}
	bin, err := c.Carried(place)
	if err != nil {
		return "", err
	}
	found, err := choose(ctx, append([]string{bin}, binDirs()...), major, dir)
	if err != nil && versionOf(ctx, bin) == 0 {
		out, _ := command(ctx, nil, filepath.Join(bin, "postgres"), "--version").CombinedOutput() // It says why.
		return "", fmt.Errorf("%w (%s)", ErrCannotRun, tail(out))
	}
	return found, err
}

func choose(ctx context.Context, bins []string, major int, dir string) (string, error) {
	var others []string
	for _, bin := range bins {
		version := versionOf(ctx, bin)
		if version >= oldestMajor && (major == 0 || version == major) {
			return bin, nil
		}
		if version != 0 {
			others = append(others, fmt.Sprintf("%d (%s)", version, bin))
		}
	}
	if major == 0 {
		return "", ErrNotInstalled
	}
	if major < oldestMajor {
		return "", fmt.Errorf("%s is %w: %d, and furrow needs 14 or newer; "+
			"bring it up to date with pg_upgrade, or set FURROW_DATABASE_URL to the address of a database", dir, ErrVersion, major)
	}
	here := "no PostgreSQL"
	if len(others) > 0 {
		here = "PostgreSQL " + strings.Join(others, ", ")
	}
	return "", fmt.Errorf("%s is %w: %d, and this machine has %s; install %[3]d with `apt-get install postgresql-%[3]d`, "+
		"or bring the directory up to date with pg_upgrade", dir, ErrVersion, major, here)
}

// Major is the major version of the system's PostgreSQL that a new cluster is made with. It returns ErrNotInstalled.
func Major(ctx context.Context) (int, error) {
	bin, err := choose(ctx, binDirs(), 0, "")
	if err != nil {
		return 0, err
	}
	return versionOf(ctx, bin), nil
}

// binDirs lists where PostgreSQL may be: PATH, then the usual places, newest version first.
func binDirs() []string {
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                   // Red Hat, from postgresql.org
		"/usr/lib/postgresql[0-9]*/bin",      // SUSE
		"/usr/libexec/postgresql[0-9]*",      // Alpine
		"/opt/homebrew/opt/postgresql@*/bin", // macOS
		"/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/[0-9]*/bin",
	} {
		matches, _ := filepath.Glob(pattern) // It is a valid pattern.
		found = append(found, matches...)
	}
	number := regexp.MustCompile(`[0-9]+`)
	slices.SortStableFunc(found, func(a, b string) int {
		numA, _ := strconv.Atoi(number.FindString(a)) // All have one.
		numB, _ := strconv.Atoi(number.FindString(b)) // As above.
		return cmp.Compare(numB, numA)
	})
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			found = slices.Insert(found, 0, filepath.Dir(real))
		}
	}
	return found
}

// versionOf returns the major version, 0 if the directory does not hold both programs that we need.
func versionOf(ctx context.Context, bin string) int {
	if _, err := exec.LookPath(filepath.Join(bin, "initdb")); err != nil {
		return 0
	}
	out, err := command(ctx, nil, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	match := regexp.MustCompile(`^postgres \(PostgreSQL\) ([0-9]+)`).FindSubmatch(out)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(string(match[1])) // They are digits.
	return major
}
