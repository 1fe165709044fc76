// Release builds what is published of furrow, from a clean copy of the source: for each kind of machine an archive of the
// program alone and of the program that carries its own PostgreSQL, with licences, a list of parts and the files for
// systemd; and the checksums of all. The same source gives the same bytes, wherever it lies and whenever it is built.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"
)

// maxBinary is the most that the program may take without PostgreSQL, in bytes.
const maxBinary = 40e6

// target is one archive.
type target struct {
	arch     string // as Go names it
	postgres bool   // it carries one
}

func (t target) name(version string) string {
	name := "furrow"
	if t.postgres {
		name = "furrow-with-postgres"
	}
	return name + "_" + version + "_linux_" + t.arch
}

// release is one run.
type release struct {
	src, out string // directories
	version  string
	time     time.Time // of the commit; every file in an archive has it
	targets  []target
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var r release
	flag.StringVar(&r.src, "src", "", "a clean `copy` of the source; files are put into it")
	flag.StringVar(&r.out, "out", "", "the `directory` of what is made; what was in it goes")
	flag.StringVar(&r.version, "version", "", "what the program calls itself")
	seconds := flag.Int64("time", 0, "when the source was committed, in `seconds` since 1970")
	flag.Parse()
	r.time = time.Unix(*seconds, 0).UTC()
	r.targets = []target{{"amd64", false}, {"arm64", false}, {"amd64", true}, {"arm64", true}}
	if err := r.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r *release) run(ctx context.Context) error {
	if r.src == "" || r.out == "" || r.version == "" {
		return errors.New("-src, -out and -version are needed")
	}
	var err error
	if r.src, err = filepath.Abs(r.src); err != nil {
		return err
	}
	// What is there stays until the new release is whole.
	final := r.out
	if r.out, err = os.MkdirTemp(filepath.Dir(final), ".release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.out)
	if err := r.makeAll(ctx); err != nil {
		return err
	}
	return errors.Join(os.Chmod(r.out, 0o755), os.RemoveAll(final), os.Rename(r.out, final))
}

func (r *release) makeAll(ctx context.Context) error {
	if _, err := r.command(ctx, nil, "go", "mod", "verify"); err != nil {
		return err
	}
	if err := r.packPostgres(ctx); err != nil {
		return err
	}
	licences, err := r.moduleLicences(ctx)
	if err != nil {
		return err
	}
	for _, t := range r.targets {
		if err := r.make(ctx, t, licences); err != nil {
			return fmt.Errorf("%s: %w", t.name(r.version), err)
		}
	}
	return r.checksums()
}

// make builds one program and its archive.
func (r *release) make(ctx context.Context, t target, licences []file) error {
	work, err := os.MkdirTemp("", "furrow-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	binary := filepath.Join(work, "furrow")
	if err := r.build(ctx, t, binary); err != nil {
		return err
	}
	parts, err := r.parts(ctx, t, binary)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.out, t.name(r.version)+".cdx.json"), parts, 0o644); err != nil {
		return err
	}
	files := slices.Clone(licences)
	if t.postgres {
		texts, err := r.postgresLicences()
		if err != nil {
			return err
		}
		files = append(files, texts...)
	}
	for name, path := range map[string]string{"furrow": binary, "README.md": filepath.Join(r.src, "README.md")} {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, file{name, content})
	}
	files = append(files, file{"furrow.cdx.json", parts})
	units, err := readDir(filepath.Join(r.src, "tools/release/systemd"), "systemd")
	if err != nil {
		return err
	}
	archive := filepath.Join(r.out, t.name(r.version)+".tar.gz")
	if err := r.writeArchive(archive, t.name(r.version), append(files, units...)); err != nil {
		return err
	}
	return r.tell(t, binary, archive)
}

// build builds as `make build` does.
func (r *release) build(ctx context.Context, t target, binary string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=" + r.version, "-o", binary}
	if t.postgres {
		args = append(args, "-tags", "withpostgres")
	}
	if _, err := r.command(ctx, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + t.arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0"}, "go", append(args, ".")...); err != nil {
		return err
	}
	return checkBinary(t, binary)
}

// tell prints how large the program and its archive are.
func (r *release) tell(t target, binary, archive string) error {
	program, err := os.Stat(binary)
	if err != nil {
		return err
	}
	packed, err := os.Stat(archive)
	if err != nil {
		return err
	}
	fmt.Printf("%-60s %6.1f MB, the program %6.1f MB\n", filepath.Base(archive), float64(packed.Size())/1e6, float64(program.Size())/1e6)
	return nil
}

// checksums writes SHA256SUMS, in the form that sha256sum -c reads.
func (r *release) checksums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	sums, err := os.Create(filepath.Join(r.out, "SHA256SUMS"))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(sums)
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(r.out, entry.Name()))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		fmt.Fprintf(w, "%s  %s\n", hex.EncodeToString(sum[:]), entry.Name())
	}
	return errors.Join(w.Flush(), sums.Close())
}

// command runs a program in the copy of the source, with more environment, and returns what it prints.
func (r *release) command(ctx context.Context, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr = r.src, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return out, nil
}
