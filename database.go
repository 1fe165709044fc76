package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/localpg"
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

// webConns and queueConns bound the connections to the database. The queue and
// its jobs have their own, so that busy pages cannot keep jobs from being
// finished: one for each job, and some for the queue itself.
const (
	webConns   = 16
	queueConns = 20
)

// stopTime is what the private server is given to end.
const stopTime = 20 * time.Second

// openDatabase opens the database of the configuration, and starts the private
// one if none is named.
func openDatabase(ctx context.Context, c databaseConfig, env *environment, shared bool) (*database, error) {
	d := &database{url: c.DatabaseURL}
	if d.url == "" {
		if err := c.resolve(env.getenv); err != nil {
			return nil, err
		}
		start := localpg.Start
		if shared {
			start = localpg.Attach
		}
		var err error
		d.server, err = start(ctx, localpg.Config{DataDir: c.DataDir, Log: env.log})
		if err != nil {
			return nil, err
		}
		d.url = d.server.ConnString()
	}
	var err error
	d.pool, err = db.OpenImpatient(ctx, d.url, webConns)
	if err != nil {
		d.close(env.log)
		return nil, fmt.Errorf("the database cannot be used; check --database-url or FURROW_DATABASE_URL: %w", err)
	}
	return d, nil
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
