package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is one in an archive; its name has slashes.
type file struct {
	name    string
	content []byte
}

// mode: programs are what lies in the middle of nothing, or in bin.
func (f file) mode() int64 {
	if f.name == "furrow" || strings.HasPrefix(f.name, "bin/") {
		return 0o755
	}
	return 0o644
}

// writeTar writes files in the order of their names, all from the same time and of nobody.
func writeTar(out io.Writer, top string, files []file, at time.Time) error {
	files = slices.SortedFunc(slices.Values(files), func(a, b file) int { return cmp.Compare(a.name, b.name) })
	w := tar.NewWriter(out)
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{
			Name: path.Join(top, f.name), Mode: f.mode(), Size: int64(len(f.content)), ModTime: at, Format: tar.FormatUSTAR,
		})
		if err != nil {
			return err
		}
		if _, err := w.Write(f.content); err != nil {
			return err
		}
	}
	return w.Close()
}

func (r *release) writeArchive(name, top string, files []file) error {
	var packed bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := errors.Join(writeTar(zipped, top, files, r.time), zipped.Close()); err != nil {
		return err
	}
	return os.WriteFile(name, packed.Bytes(), 0o644)
}

// readDir reads the files of a directory, which get the name under.
func readDir(dir, under string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, file{path.Join(under, entry.Name()), content})
	}
	return files, nil
}

// checkBinary: the program is for its machine, needs no library, and is not too large.
func checkBinary(t target, binary string) error {
	program, err := elf.Open(binary)
	if err != nil {
		return err
	}
	defer program.Close()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if program.Machine != machines[t.arch] {
		return fmt.Errorf("the program is for %s", program.Machine)
	}
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("the program is not static")
		}
	}
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	if !t.postgres && info.Size() > maxBinary {
		return fmt.Errorf("the program has %d bytes, more than the %d that it may", info.Size(), int(maxBinary))
	}
	return nil
}
