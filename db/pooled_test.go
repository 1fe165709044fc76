package db_test

import (
	"testing"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/ledger"
)

func TestPooledAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ url, want string }{
		{"postgres://furrow@pooler/furrow", "postgres://furrow@pooler/furrow?default_query_exec_mode=cache_describe"},
		{"postgres://furrow@pooler/furrow?sslmode=require", "postgres://furrow@pooler/furrow?sslmode=require&default_query_exec_mode=cache_describe"},
		{"host=pooler dbname=furrow", "host=pooler dbname=furrow default_query_exec_mode=cache_describe"},
	} {
		if got := db.Pooled(tt.url); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.url, got, tt.want)
		}
	}
}

// Over a pooler of transactions nothing is left behind in a session, and each
// transaction has the limits that sessions have elsewhere.
func TestPooled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pool, err := db.Open(t.Context(), db.Pooled(f.url()), 1) // one, so that it is the same session always
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	f.store = dbtest.StoreOver(t, pool)
	const limits = "select current_setting('lock_timeout') || ' ' || current_setting('idle_in_transaction_session_timeout')"
	var before, within, after string
	if err := pool.QueryRow(t.Context(), limits).Scan(&before); err != nil {
		t.Fatal(err)
	}
	f.in(t, func(tx *db.Tx) error { return tx.QueryRow(t.Context(), limits).Scan(&within) })
	if err := pool.QueryRow(t.Context(), limits).Scan(&after); err != nil {
		t.Fatal(err)
	}
	if within != "10s 30s" || before != after || before == within {
		t.Errorf("limits: %q, in a transaction %q, then %q", before, within, after)
	}

	_, mirror := f.run(t)
	for range 2 {
		if err := mirror.SavePage(t.Context(), ledger.EntryPage{Entries: []ledger.RemoteEntry{f.remote(1, 11, 21, 0, 100, nil)}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.int(t, "select count(*) from time_entries"); n != 1 {
		t.Errorf("%d entries are stored", n)
	}
	var prepared, temporary int
	const left = "select (select count(*) from pg_prepared_statements), (select count(*) from pg_class where relpersistence = 't')"
	if err := pool.QueryRow(t.Context(), left).Scan(&prepared, &temporary); err != nil || prepared+temporary > 0 {
		t.Errorf("%d statements and %d tables are left behind, %v", prepared, temporary, err)
	}
}
