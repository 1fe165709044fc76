// Package dbtest gives each test a migrated PostgreSQL database of its own.
//
// The server is the one named by FURROW_TEST_DATABASE_URL, or else a private
// one that the test processes share. The schema is built once per change of
// the migrations, as a template that each test clones.
package dbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"furrow/db"
	"furrow/db/localpg/testpg"
)

// setupTimeout bounds the making of one test database, the start of the
// server included.
const setupTimeout = 2 * time.Minute

// SecretKey is the key under which the tests' stores seal credentials.
func SecretKey() []byte { return []byte("test-key-test-key-test-key-test!") }

// Store returns a store over a fresh database.
func Store(tb testing.TB) (*db.Store, *pgxpool.Pool) {
	tb.Helper()
	pool := New(tb)
	return StoreOver(tb, pool), pool
}

// StoreOver returns a store over a pool of the test's own.
func StoreOver(tb testing.TB, pool *pgxpool.Pool) *db.Store {
	tb.Helper()
	sealer, err := db.NewSealer(SecretKey())
	if err != nil {
		tb.Fatal(err)
	}
	return db.NewStore(pool, sealer)
}

// New returns a pool over a fresh database that is dropped when the test has
// passed; a failed test keeps it and logs its address.
func New(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	pool, err := db.Open(ctx, URL(tb), 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// URL makes a fresh database like [New] and returns its address.
func URL(tb testing.TB) string {
	tb.Helper()
	return makeDatabase(tb, ensureTemplate)
}

// EmptyURL is [URL] of a database that nobody has migrated.
func EmptyURL(tb testing.TB) string {
	tb.Helper()
	return makeDatabase(tb, func(context.Context, string) (string, error) { return "template0", nil })
}

// makeDatabase clones what template returns the name of.
func makeDatabase(tb testing.TB, template func(ctx context.Context, server string) (string, error)) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()

	server := os.Getenv("FURROW_TEST_DATABASE_URL")
	if server == "" {
		url, release, err := testpg.StartForTests(ctx)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(release)
		server = url
	}
	from, err := template(ctx, server)
	if err != nil {
		tb.Fatalf("build the template database: %v", err)
	}
	name := "furrow_test_" + strings.ToLower(rand.Text()[:12])
	if err := createFrom(ctx, server, name, from); err != nil {
		tb.Fatalf("clone the template database: %v", err)
	}
	address, err := withDatabase(server, name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the database is kept: psql '%s'", address)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
		defer cancel()
		// force: a test that is over must not keep it alive by a forgotten connection.
		if err := execute(ctx, server, "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)"); err != nil {
			tb.Logf("drop the test database: %v", err)
		}
	})
	return address
}

// templateLock is the advisory lock under which templates are built.
const templateLock = 0x7465_6d70_6c61

// ensureTemplate returns the name of a database that has all migrations.
func ensureTemplate(ctx context.Context, server string) (string, error) {
	name, err := templateName()
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	// datistemplate is set last: a template without it was left half-built.
	const ready = "select exists (select from pg_database where datname = $1 and datistemplate)"
	var done bool
	if err := conn.QueryRow(ctx, ready, name).Scan(&done); err != nil || done {
		return name, err
	}
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", int64(templateLock)); err != nil {
		return "", err
	}
	if err := conn.QueryRow(ctx, ready, name).Scan(&done); err != nil || done {
		return name, err
	}
	quoted := pgx.Identifier{name}.Sanitize()
	for _, statement := range []string{"drop database if exists " + quoted + " with (force)", "create database " + quoted} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	address, err := withDatabase(server, name)
	if err != nil {
		return "", err
	}
	pool, err := db.Open(ctx, address, 4)
	if err != nil {
		return "", err
	}
	err = db.Migrate(ctx, pool)
	pool.Close()
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "alter database "+quoted+" is_template true")
	return name, err
}

// templateName is made from everything that shapes the schema.
func templateName() (string, error) {
	hash := sha256.New()
	files := db.MigrationFiles()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		fmt.Fprintf(hash, "%s\n%s\n", path, text)
		return err
	})
	if err != nil {
		return "", err
	}
	river, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		return "", err
	}
	for _, m := range river.AllVersions() {
		fmt.Fprintf(hash, "river %d\n%s\n", m.Version, m.SQLUp)
	}
	return "furrow_template_" + hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// createFrom clones a template. PostgreSQL refuses to copy a database that
// somebody is connected to for a moment, so that refusal is tried again.
func createFrom(ctx context.Context, server, name, template string) error {
	statement := "create database " + pgx.Identifier{name}.Sanitize() + " template " + pgx.Identifier{template}.Sanitize()
	for {
		err := execute(ctx, server, statement)
		var pgErr *pgconn.PgError
		if err == nil || !errors.As(err, &pgErr) || pgErr.Code != "55006" {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func execute(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// withDatabase returns the address of another database of the same server.
func withDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("read the address of the test server: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}
