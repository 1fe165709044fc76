package localpg

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
)

// Found is what there is of a private PostgreSQL.
type Found struct {
	Dir        string // the cluster
	Major      int    // version that made it; 0: it is not made yet
	Programs   string // directory of the programs that run it; empty: carried along
	ConnString string // of its server; empty: none runs
}

// Look finds out what Start would find in a data directory. It starts nothing,
// makes nothing, and waits for nothing. carried says that the program brings its
// own PostgreSQL, so that none is looked for. The errors are those of Start; what
// was found until then comes with them.
func Look(ctx context.Context, dataDir string, carried bool) (Found, error) {
	found := Found{Dir: filepath.Join(dataDir, "postgres")}
	if target, err := os.Readlink(found.Dir); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(dataDir, target)
		}
		found.Dir = target
	}
	var err error
	if found.Major, err = inspect(found.Dir); err != nil {
		return found, err
	}
	if !carried {
		if found.Programs, err = choose(ctx, binDirs(), found.Major, found.Dir); err != nil {
			return found, err
		}
	}
	pid, socket := readPIDFile(found.Dir)
	if pid <= 0 || syscall.Kill(pid, 0) != nil {
		return found, nil
	}
	conn, err := connect(ctx, socket, "furrow")
	if err != nil {
		return found, nil //nolint:nilerr // One that starts or stops does not run, as far as its users can tell.
	}
	defer conn.Close(ctx)
	var dir string
	if err := conn.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&dir); err == nil && sameFile(dir, found.Dir) {
		found.ConnString = connString(socket, "furrow")
	}
	return found, nil
}
