package db_test

import (
	"slices"
	"testing"
	"time"

	"furrow/db"
	"furrow/db/dbtest"
)

// What an operator should know of a database is found in a real one, and a
// sound one is told to be sound.
func TestInspect(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	c, err := db.Inspect(t.Context(), pool, time.Minute, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if c.VersionNumber < 140000 || c.Version == "" || c.Encoding != "UTF8" || c.MaxConnections < 10 || c.Connections < 1 || c.Ahead.Abs() > time.Second {
		t.Errorf("%+v", c)
	}
	if c.Schema == 0 || c.Schema != c.KnownSchema || len(c.Idle)+len(c.Long)+len(c.Invalid) > 0 || len(c.Settings) != 3 {
		t.Errorf("%+v", c)
	}

	// Somebody forgets a transaction, another has a statement that does not end, and an index was not completed.
	idle, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Rollback(t.Context())
	busy, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Release()
	running := make(chan error, 1)
	go func() {
		_, err := busy.Exec(t.Context(), "select pg_sleep(60)")
		running <- err
	}()
	defer func() {
		if _, err := pool.Exec(t.Context(), "select pg_cancel_backend($1)", busy.Conn().PgConn().PID()); err != nil {
			t.Error(err)
		}
		if err := <-running; err == nil {
			t.Error("the statement was not cancelled")
		}
	}()
	if _, err := pool.Exec(t.Context(), "update pg_index set indisvalid = false where indexrelid = 'users_pkey'::regclass"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "both to be found", func() bool {
		c, err = db.Inspect(t.Context(), pool, time.Millisecond, time.Millisecond)
		return err == nil && len(c.Idle) == 1 && len(c.Long) == 1
	})
	if c.Idle[0].PID != int(idle.Conn().PgConn().PID()) || c.Long[0].PID != int(busy.Conn().PgConn().PID()) || c.Idle[0].Application == "" {
		t.Errorf("%+v, %+v", c.Idle, c.Long)
	}
	if !slices.Equal(c.Invalid, []string{"users_pkey"}) {
		t.Errorf("indexes %v", c.Invalid)
	}

	// A database that nobody has migrated.
	c, err = db.Inspect(t.Context(), empty(t), time.Minute, time.Minute)
	if err != nil || c.Schema != 0 || c.KnownSchema == 0 {
		t.Errorf("%+v, %v", c, err)
	}
}
