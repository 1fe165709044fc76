// Package db is the store: it maps rows to the types of packages planner and
// ledger, and keeps the rules that need a transaction.
//
// Every method that touches what belongs to a user takes that user's id and
// carries it in the query itself. SQL lies in queries/, one file per
// aggregate, generated into dbgen, which nobody but this package imports. A
// few statements that sqlc cannot know (temporary tables, one-round-trip
// batches) are written here by hand, each with its reason.
package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"furrow/db/dbgen"
	"furrow/planner"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the database of one instance. It is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	sealer *Sealer
	q      *dbgen.Queries
}

// NewStore returns the store over pool. sealer encrypts Harvest credentials.
func NewStore(pool *pgxpool.Pool, sealer *Sealer) *Store {
	return &Store{pool: pool, sealer: sealer, q: dbgen.New(pool)}
}

// Tx is a transaction. It embeds [pgx.Tx], so that a job can be enqueued in it.
type Tx struct {
	pgx.Tx
	q      *dbgen.Queries
	sealer *Sealer
}

// Open connects to the database at url with at most maxConns connections
// (0: as the url says). It waits for the first connection, so that a wrong
// address is told at once.
func Open(ctx context.Context, url string, maxConns int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx redacts the password, but the text is long; the address is the operator's own.
		return nil, fmt.Errorf("read the database address: %w", err)
	}
	if maxConns > 0 {
		cfg.MaxConns = int32(maxConns)
	}
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = "furrow"
	params["timezone"] = "UTC"
	params["idle_in_transaction_session_timeout"] = "30s"
	params["lock_timeout"] = "10s"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach the database: %w", err)
	}
	return pool, nil
}

// MigrationFiles are the numbered SQL files, for test databases named by what
// is in them.
func MigrationFiles() fs.FS { return migrations }

// Migrate brings the schema to the newest version, the queue's tables first.
// Processes that start at the same time wait for each other under a lock of
// the database. Running it again changes nothing.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	river, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return fmt.Errorf("prepare the queue's migrations: %w", err)
	}
	provider, closeDB, err := gooseProvider(pool)
	if err != nil {
		return err
	}
	defer closeDB()
	// River's own migrations take no lock: run them on a connection that holds ours.
	err = withMigrationLock(ctx, pool, func() error {
		_, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// MigrationNeeded reports whether [Migrate] would change anything.
func MigrationNeeded(ctx context.Context, pool *pgxpool.Pool) (bool, error) {
	river, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return false, fmt.Errorf("prepare the queue's migrations: %w", err)
	}
	result, err := river.Validate(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("check the queue's tables: %w", err)
	}
	if !result.OK {
		return true, nil
	}
	provider, closeDB, err := gooseProvider(pool)
	if err != nil {
		return false, err
	}
	defer closeDB()
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return false, fmt.Errorf("check migrations: %w", err)
	}
	return pending, nil
}

func gooseProvider(pool *pgxpool.Pool) (*goose.Provider, func(), error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, nil, fmt.Errorf("read migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, nil, fmt.Errorf("prepare the migration lock: %w", err)
	}
	sqlDB := stdlib.OpenDBFromPool(pool)
	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, files, goose.WithSessionLocker(locker))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read migrations: %w", err), sqlDB.Close())
	}
	return provider, func() { _ = sqlDB.Close() }, nil // closes the wrapper; the pool stays open
}

// riverMigrationLock is the key of the advisory lock around the queue's
// migrations; any number that nobody else uses would do.
const riverMigrationLock = 0x6675_7272_6f77

func withMigrationLock(ctx context.Context, pool *pgxpool.Pool, f func() error) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "set lock_timeout = 0"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", int64(riverMigrationLock)); err != nil {
		return err
	}
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", int64(riverMigrationLock))
		_, _ = conn.Exec(context.WithoutCancel(ctx), "reset lock_timeout")
	}()
	return f()
}

// maxTxTries bounds how often a transaction that the database threw back is
// run again.
const maxTxTries = 3

// InTx runs f in a transaction and commits it. It is the only place that
// begins or commits. A transaction that the database threw back (deadlock,
// serialization) is run again, so f must do nothing that it could not do twice.
func (s *Store) InTx(ctx context.Context, f func(*Tx) error) error {
	for try := 1; ; try++ {
		err := s.inTxOnce(ctx, f)
		if err == nil || try == maxTxTries || !thrownBack(err) {
			return err
		}
	}
}

func (s *Store) inTxOnce(ctx context.Context, f func(*Tx) error) error {
	pgtx, err := s.pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// Rolls back with a context of its own: the caller's may be over, and an
	// open transaction would hold its locks. After a commit it does nothing.
	defer func() {
		rollbackCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = pgtx.Rollback(rollbackCtx)
	}()
	if err := f(&Tx{Tx: pgtx, q: s.q.WithTx(pgtx), sealer: s.sealer}); err != nil {
		return err
	}
	if err := pgtx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func thrownBack(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "40P01" || pgErr.Code == "40001")
}

func isUniqueViolation(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "23505"
}

// notFound turns the driver's "no rows" into the domain's word for it.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return planner.ErrNotFound
	}
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }
