package db_test

import (
	"bytes"
	"errors"
	"testing"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/ledger/notice"
)

// TestAnnounce: beside a process that runs, one with other keys alone is refused,
// unless what is stored tells which key is right.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	one, two := dbtest.SecretKey(), bytes.Repeat([]byte{2}, db.SecretKeySize)
	both := append(bytes.Clone(two), one...)
	for _, tt := range []struct {
		name     string
		first    []byte
		reports  int    // of the first
		then     string // SQL
		second   []byte
		connects []byte // that sealed credentials, if any
		want     error
	}{
		{"the same key", one, 0, "select", one, nil, nil},
		{"another key", one, 0, "select", two, nil, db.ErrOtherKey},
		{"another key, later", one, 2, "select", two, nil, db.ErrOtherKey},
		{"a key that is being replaced", both, 1, "select", one, nil, nil},
		{"a key that is going to be used", one, 1, "select", both, nil, nil},
		{"a process that ended", one, 1, "update process_reports set seen_at = now() - interval '4 minutes'", two, nil, nil},
		{"a process of the version before", one, 1, "update process_reports set facts = '{}'", two, nil, nil},
		{"credentials of the second", one, 1, "select", two, two, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, pool := dbtest.Store(t)
			store := func(keys []byte) *db.Store {
				sealer, err := db.NewSealer(keys)
				if err != nil {
					t.Fatal(err)
				}
				return db.NewStore(pool, sealer)
			}
			first := store(tt.first)
			if err := first.Announce(t.Context(), "first", "host", "web"); err != nil {
				t.Fatal(err)
			}
			for range tt.reports {
				if err := first.Report(t.Context(), "first", "host", "web", notice.Finding{}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := pool.Exec(t.Context(), tt.then); err != nil {
				t.Fatal(err)
			}
			if tt.connects != nil {
				connect(t, store(tt.connects))
			}
			if err := store(tt.second).Announce(t.Context(), "second", "host", "worker"); !errors.Is(err, tt.want) {
				t.Errorf("the second: %v, want %v", err, tt.want)
			}
			want := []string{"first", "second"}
			if tt.want != nil {
				want = want[:1]
			}
			if got := column[string](t, pool, "select process from process_reports order by 1"); len(got) != len(want) {
				t.Errorf("reports of %v, want %v", got, want)
			}
		})
	}
}

// connect stores credentials.
func connect(t *testing.T, store *db.Store) {
	t.Helper()
	id, err := store.CreateUser(t.Context(), "ida@example.com", "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	err = store.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Connect(t.Context(), id, token, account(1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnnounceAtOnce: of processes with different keys that start at once, one may run.
func TestAnnounceAtOnce(t *testing.T) {
	t.Parallel()
	_, pool := dbtest.Store(t)
	errs := make(chan error, 6)
	for i := range cap(errs) {
		sealer, err := db.NewSealer(bytes.Repeat([]byte{byte(i)}, db.SecretKeySize))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			errs <- db.NewStore(pool, sealer).Announce(t.Context(), string(rune('a'+i)), "host", "all")
		}()
	}
	running := 0
	for range cap(errs) {
		err := <-errs
		if err == nil {
			running++
		} else if !errors.Is(err, db.ErrOtherKey) {
			t.Error(err)
		}
	}
	if n := column[string](t, pool, "select process from process_reports"); running != 1 || len(n) != 1 {
		t.Errorf("%d run, reports of %v", running, n)
	}
}
