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
	"math/rand/v2"
	"sync/atomic"
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
	pooled bool // see [Pooled]
}

// NewStore returns the store over pool. sealer encrypts Harvest credentials.
func NewStore(pool *pgxpool.Pool, sealer *Sealer) *Store {
	return &Store{pool: pool, sealer: sealer, q: dbgen.New(pool), pooled: isPooled(pool.Config().ConnConfig)}
}

// Tx is a transaction. It embeds [pgx.Tx], so that a job can be enqueued in it.
type Tx struct {
	pgx.Tx
	q      *dbgen.Queries
	sealer *Sealer
	pooled bool
}

// Open connects to the database at url with at most maxConns connections
// (0: as the url says). It waits for the first connection, so that a wrong
// address is told at once. An address that leads through a pooler of
// transactions is to be marked by [Pooled]. Observers are told of its queries.
func Open(ctx context.Context, url string, maxConns int, observers ...Observer) (*pgxpool.Pool, error) {
	return open(ctx, url, maxConns, tracerOf(nil, observers))
}

// acquireTimeout is how long [OpenImpatient]'s pool lets somebody wait for a
// connection.
const acquireTimeout = 1500 * time.Millisecond

// OpenImpatient is [Open] for those whom a person waits for: when all
// connections are busy, one that does not become free soon is not waited for.
// The error is one that [Unavailable] knows.
func OpenImpatient(ctx context.Context, url string, maxConns int, observers ...Observer) (*pgxpool.Pool, error) {
	var i impatience
	pool, err := open(ctx, url, maxConns, tracerOf(&i, observers))
	i.on.Store(true) // the first connection may take its time
	return pool, err
}

// impatience bounds the wait for a connection. A tracer is where the pool lets
// it be done: the context that it returns is the one of the wait.
type impatience struct{ on atomic.Bool }

type impatienceKey struct{}

func (i *impatience) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if !i.on.Load() {
		return ctx
	}
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	return context.WithValue(ctx, impatienceKey{}, cancel)
}

func (*impatience) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if cancel, ok := ctx.Value(impatienceKey{}).(context.CancelFunc); ok {
		cancel()
	}
}

func (*impatience) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (*impatience) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func open(ctx context.Context, url string, maxConns int, tracer pgx.QueryTracer) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx redacts the password, but the text is long; the address is the operator's own.
		return nil, fmt.Errorf("read the database address: %w", err)
	}
	if maxConns > 0 {
		cfg.MaxConns = int32(maxConns)
	}
	cfg.ConnConfig.Tracer = tracer
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = "furrow"
	params["timezone"] = "UTC"
	if !isPooled(cfg.ConnConfig) {
		cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, sessionLimits("session"))
			return err
		}
	}
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
	return migrate(ctx, pool, func(provider *goose.Provider) error {
		_, err := provider.Up(ctx)
		return err
	})
}

// migrate brings the queue's tables to their newest version, and ours to the one
// that up chooses.
func migrate(ctx context.Context, pool *pgxpool.Pool, up func(*goose.Provider) error) error {
	river, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return fmt.Errorf("prepare the queue's migrations: %w", err)
	}
	provider, closeDB, err := gooseProvider(pool)
	if err != nil {
		return err
	}
	defer closeDB()
	return withMigrationLock(ctx, pool, func() error {
		if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return fmt.Errorf("migrate the queue: %w", err)
		}
		if err := up(provider); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		return nil
	})
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

// Schema returns the number of the newest migration that the database has seen,
// and of the newest that this program knows. Migrations only add to a schema, so
// that a program works on that of its successor, too, and can be put back.
func Schema(ctx context.Context, pool *pgxpool.Pool) (schema, known int64, err error) {
	if known, err = newestMigration(); err != nil {
		return 0, 0, err
	}
	err = NewStore(pool, nil).InTx(ctx, func(tx *Tx) error {
		schema, err = schemaVersion(ctx, tx)
		return err
	})
	return schema, known, err
}

func gooseProvider(pool *pgxpool.Pool) (*goose.Provider, func(), error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, nil, fmt.Errorf("read migrations: %w", err)
	}
	sqlDB := stdlib.OpenDBFromPool(pool)
	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, files)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read migrations: %w", err), sqlDB.Close())
	}
	return provider, func() { _ = sqlDB.Close() }, nil // closes the wrapper; the pool stays open
}

// migrationLock is the key of the advisory lock around migrations; any number
// that nobody else uses would do. Versions before the lock held it around the
// queue's migrations alone, and goose's own around ours.
const migrationLock = 0x6675_7272_6f77

// lockRetry is how often a process that waits to migrate looks whether it may.
const lockRetry = 100 * time.Millisecond

// withMigrationLock runs f while no other process migrates. The lock is one of
// a transaction, which poolers leave alone as well. It is asked for again and
// again: who waited in the database could not be passed by an index that is
// made beside the running program, and so by the one that is waited for.
func withMigrationLock(ctx context.Context, pool *pgxpool.Pool, f func() error) error {
	for {
		locked, err := tryMigrationLock(ctx, pool, f)
		if locked || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for another process to migrate: %w", context.Cause(ctx))
		case <-time.After(lockRetry):
		}
	}
}

func tryMigrationLock(ctx context.Context, pool *pgxpool.Pool, f func() error) (locked bool, err error) {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return false, fmt.Errorf("begin to migrate: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // lets go of the lock
	if _, err := tx.Exec(ctx, "set local idle_in_transaction_session_timeout = 0"); err != nil {
		return false, fmt.Errorf("lock the migrations: %w", err)
	}
	const try = "select pg_try_advisory_xact_lock($1) and pg_try_advisory_xact_lock($2)"
	if err := tx.QueryRow(ctx, try, int64(migrationLock), lock.DefaultLockID).Scan(&locked); err != nil {
		return false, fmt.Errorf("lock the migrations: %w", err)
	}
	if !locked {
		return false, nil
	}
	return true, f()
}

// maxTxTries bounds how often a transaction is run again.
const maxTxTries = 3

// InTx runs f in a transaction and commits it. A transaction that the database
// threw back (deadlock, serialization, a lock that was not given in time) is
// run again, so f must do nothing that it could not do twice.
//
// An error that [Unavailable] knows may have come after the commit: then
// nobody knows whether what f did is stored.
func (s *Store) InTx(ctx context.Context, f func(*Tx) error) error {
	return s.inTx(ctx, f, thrownBack)
}

// InMutation is [Store.InTx] for an f that stores a mutation id with what it
// does, and does nothing if it finds it stored. It is run again on another
// connection when its own breaks, even if that was at COMMIT.
func (s *Store) InMutation(ctx context.Context, f func(*Tx) error) error {
	return s.inTx(ctx, f, func(err error) bool { return thrownBack(err) || errors.Is(err, errBroken) })
}

func (s *Store) inTx(ctx context.Context, f func(*Tx) error, again func(error) bool) error {
	for try := 1; ; try++ {
		err := s.inTxOnce(ctx, f)
		if err == nil || try == maxTxTries || ctx.Err() != nil || !again(err) {
			return err
		}
		// Two that threw each other back should not meet again.
		time.Sleep(rand.N(time.Duration(try) * 50 * time.Millisecond))
	}
}

// errBroken: the connection broke before the transaction was known to be over.
var errBroken = errors.New("the connection broke")

// inTxOnce is the only place that begins or commits.
func (s *Store) inTxOnce(ctx context.Context, f func(*Tx) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer conn.Release()
	err = inTxOn(ctx, conn, &Tx{q: s.q, sealer: s.sealer, pooled: s.pooled}, f)
	if err != nil && ctx.Err() == nil && conn.Conn().IsClosed() {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return err
}

func inTxOn(ctx context.Context, conn *pgxpool.Conn, tx *Tx, f func(*Tx) error) (err error) {
	if tx.Tx, err = conn.BeginTx(ctx, beginning(tx.pooled)); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	tx.q = tx.q.WithTx(tx.Tx)
	// Rolls back with a context of its own: the caller's may be over, and an
	// open transaction would hold its locks. After a commit it does nothing.
	defer func() {
		rollbackCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = tx.Rollback(rollbackCtx)
	}()
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// thrownBack reports whether a transaction was rolled back only because others
// were in its way.
func thrownBack(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "40P01" || pgErr.Code == "40001" || pgErr.Code == "55P03")
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

// Clock is the time by the database's clock.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	var now time.Time
	if err := s.pool.QueryRow(ctx, "select clock_timestamp()").Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	return now, nil
}
