package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/localpg"
	"furrow/db/localpg/carried"
)

// database is an open database, and the private server behind it, if there is one.
type database struct {
	url    string
	pool   *pgxpool.Pool
	server *localpg.Server // nil: somebody else runs it
}

// The ways to use the private PostgreSQL: as the program that runs it, or
// beside that program.
const (
	owned  = false
	shared = true
)

// commandConns is how many connections a command takes that does not serve.
const commandConns = 4

// stopTime is what the private server is given to end.
const stopTime = 20 * time.Second

// openDatabase opens the database of the configuration, and starts the private
// one if none is named. Observers are told of its queries.
func openDatabase(ctx context.Context, c databaseConfig, env *environment, shared bool, observers ...db.Observer) (*database, error) {
	d := &database{url: c.address()}
	if d.url == "" {
		if err := c.resolve(env.getenv); err != nil {
			return nil, err
		}
		start := localpg.Start
		if shared {
			start = localpg.Attach
		}
		var err error
		d.server, err = start(ctx, localpg.Config{DataDir: c.DataDir, Log: env.log, Carried: carriedPostgres()})
		if err != nil {
			return nil, err
		}
		d.url = d.server.ConnString()
	}
	var err error
	d.pool, err = db.OpenImpatient(ctx, d.url, cmp.Or(c.conns, commandConns), observers...)
	if err != nil {
		d.close(env.log)
		return nil, fmt.Errorf("the database cannot be used; check --database-url or FURROW_DATABASE_URL: %w", err)
	}
	return d, nil
}

// carriedPostgres is how to unpack the PostgreSQL in this program; nil: it has none.
func carriedPostgres() func(dir string) (string, error) {
	if archive := carried.PostgreSQL(); archive != nil {
		return archive.Unpack
	}
	return nil
}

// migrate brings the schema to the newest version that this program knows. One
// of a later program, which this one was put back for, stays.
func (d *database) migrate(ctx context.Context, log *slog.Logger) error {
	if err := db.Migrate(ctx, d.pool); err != nil {
		return err
	}
	schema, known, err := db.Schema(ctx, d.pool)
	if err == nil && schema > known {
		log.Warn("the database was used by a newer version of furrow; this one works on its schema, and shows nothing of what is new in it",
			"schema", schema, "known", known)
	}
	return err
}

// keep sees to it that the private server, if there is one, runs until ctx is
// over. Meanwhile it may be away for seconds, as any database may.
func (d *database) keep(ctx context.Context) error {
	if d.server == nil {
		return nil
	}
	return d.server.Keep(ctx)
}

// close closes the pool and stops the private server.
func (d *database) close(log *slog.Logger) {
	if d.pool != nil {
		d.pool.Close()
	}
	if d.server == nil {
		return
	}
	// The program's context is over by now; the server still ends in order.
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := d.server.Stop(ctx); err != nil {
		log.Error("stop PostgreSQL", "error", err)
	}
}

// Run migrates, or says whether that is needed.
func (c *migrateConfig) Run(ctx context.Context, env *environment) error {
	d, err := openDatabase(ctx, c.databaseConfig, env, shared)
	if err != nil {
		return err
	}
	defer d.close(env.log)
	needed, err := db.MigrationNeeded(ctx, d.pool)
	if err != nil {
		return err
	}
	switch {
	case !needed:
		fmt.Fprintln(env.stdout, "The schema is current.")
		return nil
	case c.Check:
		return errMigrationNeeded
	}
	if err := db.Migrate(ctx, d.pool); err != nil {
		return err
	}
	fmt.Fprintln(env.stdout, "Migrated.")
	return nil
}
