package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/andybalholm/brotli"
)

// postgresDir holds the names and checksums of the packages that PostgreSQL comes from.
const postgresDir = "tools/release/postgres"

// packageOf is the package for a machine.
func packageOf(arch string) string {
	return "@embedded-postgres/linux-" + map[string]string{"amd64": "x64", "arm64": "arm64"}[arch]
}

// libraries are those that the server and initdb need and that not every system has; initdb needs libpq.
func libraries() []string {
	return []string{"libcrypto", "libssl", "libicudata", "libicui18n", "libicuuc", "liblzma", "libpq", "libxml2", "libz"}
}

// locked is what package-lock.json says of a package.
type locked struct {
	Version   string
	Integrity string
}

func (r *release) locked(arch string) (locked, error) {
	text, err := os.ReadFile(filepath.Join(r.src, postgresDir, "package-lock.json"))
	if err != nil {
		return locked{}, err
	}
	var lock struct{ Packages map[string]locked }
	if err := json.Unmarshal(text, &lock); err != nil {
		return locked{}, fmt.Errorf("package-lock.json: %w", err)
	}
	found := lock.Packages["node_modules/"+packageOf(arch)]
	if !strings.HasPrefix(found.Integrity, "sha512-") {
		return locked{}, fmt.Errorf("package-lock.json has no checksum for %s", packageOf(arch))
	}
	// "17.10.0-beta.17" is the 17th way to package PostgreSQL 17.10.
	found.Version, _, _ = strings.Cut(found.Version, ".0-")
	return found, nil
}

// packPostgres puts what the program is to carry beside the code that embeds it. npm compares what it fetches with
// package-lock.json. Both machines' packages are wanted, so npm must be told that it need not fit this one.
func (r *release) packPostgres(ctx context.Context) error {
	_, err := r.command(ctx, nil, "npm", "ci", "--prefix", postgresDir, "--force", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	if err != nil {
		return fmt.Errorf("fetch PostgreSQL: %w", err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		lock, err := r.locked(arch)
		if err != nil {
			return err
		}
		packed, err := r.pack(filepath.Join(r.src, postgresDir, "node_modules", packageOf(arch), "native"))
		if err != nil {
			return fmt.Errorf("pack PostgreSQL for %s: %w", arch, err)
		}
		sum := sha256.Sum256(packed)
		base := filepath.Join(r.src, "db/localpg/carried", "postgres_linux_"+arch)
		line := lock.Version + " " + hex.EncodeToString(sum[:]) + "\n"
		if err := errors.Join(os.WriteFile(base+".tar.br", packed, 0o644), os.WriteFile(base+".txt", []byte(line), 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// pack packs what a server needs of an installation.
func (r *release) pack(installation string) ([]byte, error) {
	files, err := r.postgresLicences()
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(installation, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		under, err := filepath.Rel(installation, name)
		if err != nil {
			return err
		}
		under, err = placeOf(filepath.ToSlash(under), name)
		if under == "" || err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		files = append(files, file{under, content})
		return err
	})
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	// More takes minutes and saves a tenth.
	zipped := brotli.NewWriterOptions(&packed, brotli.WriterOptions{Quality: 9, LGWin: 24})
	if err := errors.Join(writeTar(zipped, "", files, r.time), zipped.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// placeOf is the name that a file of the installation gets in the archive, "" if a server does not need it: extensions,
// conversions between encodings other than ours, and what others are built with.
func placeOf(name, file string) (string, error) {
	base := path.Base(name)
	switch dir := path.Dir(name); {
	case name == "bin/postgres", name == "bin/initdb":
		return name, nil
	case dir == "lib":
		for _, library := range libraries() {
			if strings.HasPrefix(base, library+".so") {
				return soname(dir, file)
			}
		}
		return "", nil
	case dir == "lib/postgresql": // initdb names them
		if base == "plpgsql.so" || base == "dict_snowball.so" {
			return name, nil
		}
		return "", nil
	case dir == "share/postgresql/extension":
		if strings.HasPrefix(base, "plpgsql") {
			return name, nil
		}
		return "", nil
	case strings.HasPrefix(name, "share/postgresql/"):
		return name, nil
	default:
		return "", nil
	}
}

// soname is what a library is looked for by. The package has links for that, which this way are not needed.
func soname(dir, file string) (string, error) {
	library, err := elf.Open(file)
	if err != nil {
		return "", err
	}
	defer library.Close()
	names, err := library.DynString(elf.DT_SONAME)
	if err != nil || len(names) != 1 {
		return "", fmt.Errorf("the name of the library %s: %v, %w", file, names, err)
	}
	return path.Join(dir, names[0]), nil
}

// postgresLicences are those of PostgreSQL and of the libraries that come with it.
func (r *release) postgresLicences() ([]file, error) {
	return readDir(filepath.Join(r.src, postgresDir, "licences"), "licences/postgresql")
}
