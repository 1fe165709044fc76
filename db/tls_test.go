package db_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/planner"
)

func tlsCaches(t *testing.T) (a, b, otherKey *db.TLSCache) {
	t.Helper()
	pool := dbtest.New(t)
	sealer, err := db.NewSealer(dbtest.SecretKey())
	if err != nil {
		t.Fatal(err)
	}
	other, err := db.NewSealer(bytes.Repeat([]byte("o"), db.SecretKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return db.NewStore(pool, sealer).TLSCache(), db.NewStore(pool, sealer).TLSCache(), db.NewStore(pool, other).TLSCache()
}

// What one process stores, all others find, sealed at its place.
func TestTLSCache(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, b, otherKey := tlsCaches(t)
	for key, value := range map[string]string{"certs/ca/plan/plan.key": "first", "certs/ca/plan/plan.crt": "certificate", "certs/ca-2/x": "x", "certs/c_": "y"} {
		if err := a.Store(ctx, key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Store(ctx, "certs/ca/plan/plan.key", []byte("second")); err != nil {
		t.Fatal(err)
	}
	value, modified, err := a.Load(ctx, "certs/ca/plan/plan.key")
	if err != nil || string(value) != "second" || modified.IsZero() {
		t.Errorf("%q of %s, %v", value, modified, err)
	}
	if _, _, err := otherKey.Load(ctx, "certs/ca/plan/plan.key"); !errors.Is(err, db.ErrWrongKey) {
		t.Errorf("with another secret key: %v", err)
	}
	keys, err := b.Keys(ctx, "certs/ca")
	if diff := cmp.Diff([]string{"certs/ca/plan/plan.crt", "certs/ca/plan/plan.key"}, keys); diff != "" || err != nil {
		t.Errorf("%v, keys (-want +got):\n%s", err, diff)
	}
	if err := a.Delete(ctx, "certs/ca"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Load(ctx, "certs/ca/plan/plan.key"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
	keys, err = b.Keys(ctx, "certs")
	if diff := cmp.Diff([]string{"certs/c_", "certs/ca-2/x"}, keys); diff != "" || err != nil {
		t.Errorf("%v, keys that stay (-want +got):\n%s", err, diff)
	}
}

// One holder at a time, in whatever process; who ends lets go of everything.
func TestTLSLock(t *testing.T) {
	t.Parallel()
	a, b, _ := tlsCaches(t)
	ctx, cancel := context.WithCancel(t.Context())
	if err := a.Lock(ctx, "plan"); err != nil {
		t.Fatal(err)
	}
	if err := b.Lock(ctx, "another"); err != nil {
		t.Error(err)
	}
	second := make(chan error, 1)
	go func() { second <- b.Lock(ctx, "plan") }()
	if err := b.Unlock(ctx, "plan"); err != nil { // is not its own
		t.Error(err)
	}
	select {
	case err := <-second:
		t.Fatalf("two hold the lock, %v", err)
	default:
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("who waited: %v", err)
	}
	if err := a.UnlockAll(ctx); err != nil { // also when all is over
		t.Error(err)
	}
	if err := b.Lock(t.Context(), "plan"); err != nil {
		t.Error(err)
	}
	if err := b.UnlockAll(t.Context()); err != nil {
		t.Error(err)
	}
}
