package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Condition is what an operator should know of a database. Nothing of what is
// stored in it is part of that.
type Condition struct {
	Version        string // of the server, as in "15.13 (Debian 15.13-0+deb12u1)"
	VersionNumber  int    // as in 150013
	Encoding       string
	Settings       map[string]string // those that durability depends on
	MaxConnections int               // for us, without those reserved
	Connections    int               // in use, ours included
	Ahead          time.Duration     // of the server's clock before ours, within half the time that asking takes
	Schema         int64             // number of the newest migration; 0: none
	KnownSchema    int64             // the newest that this program knows
	Idle           []Backend         // transactions that were left open
	Long           []Backend         // statements that run for long
	Invalid        []string          // indexes that are not used
}

// Backend is a connection of somebody, as the server sees it.
type Backend struct {
	PID         int
	Application string
	For         time.Duration
}

// Inspect looks at a database and its server. It changes nothing. idle and long
// are from when on an open transaction and a statement are worth a word.
func Inspect(ctx context.Context, pool *pgxpool.Pool, idle, long time.Duration) (Condition, error) {
	var c Condition
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return c, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing was changed
	err = c.server(ctx, tx)
	if err == nil {
		err = c.clock(ctx, tx)
	}
	if err == nil {
		err = c.backends(ctx, tx, idle, long)
	}
	if err == nil {
		err = c.indexes(ctx, tx)
	}
	if err != nil {
		return c, fmt.Errorf("look at the database: %w", err)
	}
	if c.Schema, err = schemaVersion(ctx, tx); err != nil {
		return c, err
	}
	c.KnownSchema, err = newestMigration()
	return c, err
}

func (c *Condition) server(ctx context.Context, tx pgx.Tx) error {
	const query = `select current_setting('server_version'), current_setting('server_version_num')::int, current_setting('server_encoding'),
		(select jsonb_object_agg(name, setting) from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')),
		current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
		(select count(*) from pg_stat_activity where backend_type = 'client backend')`
	return tx.QueryRow(ctx, query).Scan(&c.Version, &c.VersionNumber, &c.Encoding, &c.Settings, &c.MaxConnections, &c.Connections)
}

func (c *Condition) clock(ctx context.Context, tx pgx.Tx) error {
	var theirs time.Time
	before := time.Now()
	if err := tx.QueryRow(ctx, "select clock_timestamp()").Scan(&theirs); err != nil {
		return err
	}
	c.Ahead = theirs.Sub(before.Add(time.Since(before) / 2))
	return nil
}

func (c *Condition) backends(ctx context.Context, tx pgx.Tx, idleAge, longAge time.Duration) error {
	const query = `select state like 'idle in%', pid, application_name, extract(epoch from clock_timestamp() - case when state like 'idle in%' then state_change else query_start end)::float8
		from pg_stat_activity
		where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid() and (
			state like 'idle in%' and state_change < clock_timestamp() - $1::interval or state = 'active' and query_start < clock_timestamp() - $2::interval)
		order by 4 desc`
	rows, err := tx.Query(ctx, query, idleAge, longAge)
	if err != nil {
		return err
	}
	var idle bool
	var s Backend
	var age float64
	_, err = pgx.ForEachRow(rows, []any{&idle, &s.PID, &s.Application, &age}, func() error {
		s.For = seconds(age).Round(time.Second)
		if idle {
			c.Idle = append(c.Idle, s)
		} else {
			c.Long = append(c.Long, s)
		}
		return nil
	})
	return err
}

func (c *Condition) indexes(ctx context.Context, tx pgx.Tx) error {
	const query = `select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid
		where not i.indisvalid and c.relnamespace = current_schema()::regnamespace order by 1`
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return err
	}
	c.Invalid, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}
