package db_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"furrow/db"
)

// Whatever else somebody may take for a backup is named as none, in one
// sentence.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	zipped := func(content string) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	unzipped := new(bytes.Buffer)
	backup := pack(t, []archived{{"furrow-backup", []byte("1\n")}})
	r, err := gzip.NewReader(bytes.NewReader(backup))
	if err == nil {
		_, err = unzipped.ReadFrom(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"nothing":               {},
		"text":                  []byte("To whom it may concern\n"),
		"zeros":                 make([]byte, 1<<20),
		"an SQL script":         []byte("--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n"),
		"pg_dump --format=c":    append([]byte("PGDMP\x01\x0e\x00\x04\x08\x01"), make([]byte, 4000)...),
		"a zipped script":       zipped("-- PostgreSQL database dump\n"),
		"a long zipped script":  zipped(strings.Repeat("insert into cells values (1);\n", 10_000)),
		"zipped nothing":        zipped(""),
		"zipped zeros":          zipped(string(make([]byte, 1<<20))),
		"an archive":            pack(t, []archived{{"etc/passwd", []byte("root")}, {"furrow-backup", []byte("1\n")}}),
		"a backup, unzipped":    unzipped.Bytes(),
		"a backup zipped twice": zipped(string(backup)),
		"a key":                 bytes.Repeat([]byte("k"), db.SecretKeySize),
	} {
		_, err := openBackup(t, content)
		if !errors.Is(err, db.ErrNotBackup) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key file is there whole or not at all, and never in the place of another.
func TestStoreSecretKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.key")
	first, second := bytes.Repeat([]byte("1"), db.SecretKeySize), bytes.Repeat([]byte("2"), db.SecretKeySize)
	if err := db.StoreSecretKey(path, first); err != nil {
		t.Fatal(err)
	}
	if err := db.StoreSecretKey(path, second); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second key: %v", err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, first) {
		t.Errorf("the key is %q, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("beside it: %v, %v", names, err)
	}
	if err := db.StoreSecretKey(filepath.Join(dir, "none", "secret.key"), first); err == nil {
		t.Error("stored in no directory")
	}
}

// A restore that was killed between loading and its end is finished by whoever
// starts next.
func TestFinishRestore(t *testing.T) {
	t.Parallel()
	f := lived(t)
	if held, err := f.store.FinishRestore(t.Context()); err != nil || held || f.held(t) {
		t.Errorf("before any restore: %t, %v", held, err)
	}
	content, _ := backUp(t, f.pool)
	b, err := openBackup(t, content)
	if err != nil {
		t.Fatal(err)
	}
	pool := empty(t)
	if err := b.Load(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	g := *f
	g.pool, g.store = pool, db.NewStore(pool, nil)
	if err := db.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if held, err := g.store.FinishRestore(t.Context()); err != nil || held != want || !g.held(t) {
			t.Errorf("held %t, %v; want %t", held, err, want)
		}
	}
}
