package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/planner"
)

// The tests of this file are rows of the fault matrix, and named after them.

// over returns the fixture's store over another pool.
func (f *fixture) over(t *testing.T, pool *pgxpool.Pool, err error) *db.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return dbtest.StoreOver(t, pool)
}

func (f *fixture) url() string { return f.pool.Config().ConnString() }

// The connection breaks in the middle of a transaction, and around COMMIT,
// when nobody knows whether it was done. What finds itself by a mutation id is
// simply done again, on another connection; everything else is told as an
// error that may pass, and is never done twice.
func TestFault51_CommitUnknown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		statement string
		moment    dbtest.Moment
		stored    int // by the transaction that broke
	}{
		{"in the middle", "begin", dbtest.NotTold, 0},
		{"before it begins", "begin", dbtest.NotArrived, 0},
		{"before COMMIT", "commit", dbtest.NotArrived, 0},
		{"after COMMIT", "commit", dbtest.NotTold, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			line := dbtest.NewLine(t, f.url())
			pool, err := db.Open(t.Context(), line.URL, 4)
			store := f.over(t, pool, err)
			ctx := t.Context()
			editOnce := func(in func(context.Context, func(*db.Tx) error) error, cell planner.CellID, mutation string) error {
				minutes := planner.Minutes(90)
				return in(ctx, func(tx *db.Tx) error {
					_, err := tx.EditCell(ctx, f.userID, db.CellEdit{Cell: cell, Planned: minutes, MutationID: mutation})
					return err
				})
			}
			stored := func(mutation string) int {
				return f.int(t, "select count(*) from plan_events where mutation_id = $1", mutation)
			}

			line.Cut(dbtest.Cut{At: tt.statement, Moment: tt.moment})
			if err := editOnce(store.InMutation, f.cell(0, 0), "known-mutation"); err != nil {
				t.Errorf("what knows its mutation id was not done again: %v", err)
			}
			if n := stored("known-mutation"); n != 1 {
				t.Errorf("it was stored %d times", n)
			}
			line.Cut(dbtest.Cut{At: tt.statement, Moment: tt.moment})
			if err := editOnce(store.InTx, f.cell(1, 0), "other-mutation"); !db.Unavailable(err) {
				t.Errorf("the other one ended with %v", err)
			}
			if n := stored("other-mutation"); n != tt.stored {
				t.Errorf("the other one was stored %d times, want %d", n, tt.stored)
			}
			if n := line.Cuts(); n != 2 {
				t.Errorf("%d connections broke", n)
			}
		})
	}
}

// A caller who is gone is not kept waiting by tries.
func TestFault51_CallerIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	err := f.store.InMutation(ctx, func(tx *db.Tx) error {
		runs++
		cancel()
		_, err := tx.Exec(ctx, "select 1")
		return err
	})
	if !errors.Is(err, context.Canceled) || runs != 1 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

// Slow requests have taken every connection. The next one is not kept waiting
// for them, and a pool of its own is not touched at all.
func TestFault52_PoolExhausted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const conns = 3
	web, err := db.OpenImpatient(t.Context(), f.url(), conns)
	store := f.over(t, web, err)
	queue, err := db.Open(t.Context(), f.url(), 1)
	other := f.over(t, queue, err)

	lock, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "lock table users"); err != nil {
		t.Fatal(err)
	}
	held := make(chan error, conns)
	for range conns {
		go func() {
			_, err := store.User(context.WithoutCancel(t.Context()), f.userID)
			held <- err
		}()
	}
	f.blocked(t, conns)

	for name, ask := range map[string]func() error{
		"a query":       func() error { _, _, err := store.Gates(t.Context(), "", 10); return err },
		"a transaction": func() error { return store.InMutation(t.Context(), func(*db.Tx) error { return nil }) },
		"a page":        func() error { _, err := store.WeekPlan(t.Context(), f.userID, f.week); return err },
	} {
		began := time.Now()
		err := ask()
		if took := time.Since(began); !db.Unavailable(err) || took > 4*time.Second { // a lock is waited for for 10 s
			t.Errorf("%s ended after %s with %v", name, took, err)
		}
	}
	began := time.Now()
	if _, ok, err := other.TakeOutbox(t.Context(), f.connectionID, time.Minute, nil); err != nil || !ok {
		t.Errorf("the lease: %t, %v", ok, err)
	}
	if took := time.Since(began); took > 4*time.Second { // likewise
		t.Errorf("the lease took %s", took)
	}

	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range conns {
		if err := <-held; err != nil {
			t.Errorf("a slow request failed: %v", err)
		}
	}
	if _, _, err := store.Gates(t.Context(), "", 10); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// The database takes no changes. That is no fault of the request, and has a
// name of its own.
func TestFault53_ReadOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pool, err := db.Open(t.Context(), f.url(), 2)
	store := f.over(t, pool, err)
	if _, err := pool.Exec(t.Context(), "do $$ begin execute format('alter database %I set default_transaction_read_only to on', current_database()); end $$"); err != nil {
		t.Fatal(err)
	}
	pool.Reset() // as a server that was restarted
	err = store.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.EditCell(t.Context(), f.userID, edit(f.cell(0, 0), 60, "", everything))
		return err
	})
	if !db.Unavailable(err) || !db.TakesNoChanges(err) {
		t.Errorf("an edit: %v", err)
	}
	if _, err := store.WeekPlan(t.Context(), f.userID, f.week); err != nil {
		t.Errorf("a page: %v", err)
	}
	full := &pgconn.PgError{Code: "53100"}
	if !db.Unavailable(full) || !db.TakesNoChanges(full) {
		t.Error("a full disk is not known")
	}
	if db.TakesNoChanges(&pgconn.PgError{Code: "57P01"}) {
		t.Error("a server that stops is taken for one that is full")
	}
}

// What the database threw back is run again as a whole: a deadlock, what could
// not be put in an order, and a lock that was not given in time.
func TestFault54_ThrownBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, code := range []string{"40P01", "40001", "55P03"} {
		for _, tt := range []struct{ failures, wantRuns int }{{0, 1}, {2, 3}, {3, 3}} {
			runs := 0
			err := f.store.InTx(t.Context(), func(tx *db.Tx) error {
				runs++
				if runs > tt.failures {
					return nil
				}
				_, err := tx.Exec(t.Context(), "do $$ begin raise exception 'thrown back' using errcode = '"+code+"'; end $$")
				return err
			})
			if gaveUp := tt.failures == tt.wantRuns; (err != nil) != gaveUp || db.Unavailable(err) != gaveUp {
				t.Errorf("%s, %d failures: %v", code, tt.failures, err)
			}
			if runs != tt.wantRuns {
				t.Errorf("%s, %d failures: it ran %d times, want %d", code, tt.failures, runs, tt.wantRuns)
			}
		}
	}
}

// Two transactions that lock the same rows in turn: one is thrown back, and
// both end well.
func TestFault54_Deadlock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	lock := func(tx *db.Tx, row int) error {
		_, err := tx.Exec(t.Context(), "select from projects where id = $1 for no key update", f.rows[row].ProjectID)
		return err
	}
	both := make(chan struct{}) // closed when each has its first lock
	first := make(chan struct{}, 2)
	runs := make(chan int, 2)
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		go func() {
			n := 0
			err := f.store.InTx(t.Context(), func(tx *db.Tx) error {
				n++
				if err := lock(tx, order[0]); err != nil {
					return err
				}
				if n == 1 {
					first <- struct{}{}
					<-both
				}
				return lock(tx, order[1])
			})
			if err != nil {
				t.Errorf("order %v: %v", order, err)
			}
			runs <- n
		}()
	}
	<-first
	<-first
	close(both)
	if a, b := <-runs, <-runs; a+b < 3 {
		t.Errorf("they ran %d and %d times: there was no deadlock", a, b)
	}
}

// A process that comes while another one migrates waits for its end; who serves
// already is not kept from it.
func TestFault55_MigrationLock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	migrating, err := f.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer migrating.Release()
	if _, err := migrating.Exec(t.Context(), "select pg_advisory_lock($1)", int64(0x6675_7272_6f77)); err != nil {
		t.Fatal(err)
	}
	comer, err := db.Open(t.Context(), f.url(), 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(comer.Close)
	migrated := make(chan error, 1)
	go func() { migrated <- db.Migrate(t.Context(), comer) }()
	waitFor(t, "it to have asked for the lock again", func() bool { return comer.Stat().AcquireCount() > 3 })
	f.plan(t, f.cell(0, 0), 60, "while another one waits")
	select {
	case err := <-migrated:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	if _, err := migrating.Exec(t.Context(), "select pg_advisory_unlock($1)", int64(0x6675_7272_6f77)); err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A transaction that was left open is ended by the server, so that it cannot
// hold its locks for ever.
func TestFault56_LeakedTransaction(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var limit string
	if err := f.pool.QueryRow(t.Context(), "show idle_in_transaction_session_timeout").Scan(&limit); err != nil || limit != "30s" {
		t.Errorf("limit %q, %v", limit, err)
	}
	leaked, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"set idle_in_transaction_session_timeout = '100ms'", "lock table cells"} {
		if _, err := leaked.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	f.plan(t, f.cell(0, 0), 60, "after the leak") // waits for the lock until the server takes it back
	if _, err = leaked.Exec(t.Context(), "select 1"); err == nil {
		t.Error("the leaked transaction goes on")
	}
	_ = leaked.Rollback(t.Context()) // gives the broken connection back
}
