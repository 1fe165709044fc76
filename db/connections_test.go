package db_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

func TestCredentialsAreSealed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	got, err := f.store.Credentials(ctx, f.connectionID)
	if err != nil || got.Token.Reveal() != token || got.UserID != f.userID || got.HarvestAccountID != 1001 || got.HarvestUserID != 2001 {
		t.Errorf("credentials %+v, %v", got, err)
	}
	var row string
	if err := f.pool.QueryRow(ctx, "select harvest_connections::text || encode(credentials, 'escape') from harvest_connections").Scan(&row); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row, token) || strings.Contains(row, "canary") {
		t.Errorf("the row shows the token: %s", row)
	}
	sealed := func(connectionID int64) (b []byte) {
		t.Helper()
		if err := f.pool.QueryRow(ctx, "select credentials from harvest_connections where id = $1", connectionID).Scan(&b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := sealed(f.connectionID)
	f.in(t, func(tx *db.Tx) error {
		_, err := tx.Connect(ctx, f.userID, token, account(1))
		return err
	})
	if bytes.Equal(first, sealed(f.connectionID)) {
		t.Error("the same token was sealed to the same bytes")
	}

	// With another key nothing opens, and the start says so.
	sealer, err := db.NewSealer([]byte(strings.Repeat("k", db.SecretKeySize)))
	if err != nil {
		t.Fatal(err)
	}
	wrong := db.NewStore(f.pool, sealer)
	if _, err := wrong.Credentials(ctx, f.connectionID); !errors.Is(err, db.ErrWrongKey) {
		t.Errorf("another key: %v", err)
	}
	if err := wrong.CheckSecretKey(ctx); !errors.Is(err, db.ErrWrongKey) {
		t.Errorf("another key at the start: %v", err)
	}
	if err := f.store.CheckSecretKey(ctx); err != nil {
		t.Error(err)
	}

	// A row that was copied to another user does not open, nor one that was changed.
	_, theirs := f.user(t, "jonas@example.com", 2)
	for what, statement := range map[string]string{
		"copied":  "update harvest_connections set credentials = (select credentials from harvest_connections where id <> $1) where id = $1",
		"changed": "update harvest_connections set credentials = set_byte(credentials, length(credentials) - 1, 1 + get_byte(credentials, length(credentials) - 1) % 255) where id = $1",
		"cut":     "update harvest_connections set credentials = substr(credentials, 1, 5) where id = $1",
		"emptied": "update harvest_connections set credentials = '' where id = $1",
	} {
		f.exec(t, statement, theirs)
		if got, err := f.store.Credentials(ctx, theirs); !errors.Is(err, db.ErrWrongKey) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	if _, err := f.store.Credentials(ctx, 1<<40); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("no such connection: %v", err)
	}
}

func TestConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	state := func(want ledger.ConnectionState) {
		t.Helper()
		c, err := f.store.Connection(ctx, f.userID)
		if err != nil || c.State != want {
			t.Errorf("connection %+v, %v; want %s", c, err, want)
		}
	}
	state(ledger.Connected)
	if err := f.store.RevokeConnection(ctx, f.connectionID); err != nil {
		t.Fatal(err)
	}
	state(ledger.NeedsReauth)
	if _, err := f.store.Credentials(ctx, f.connectionID); !errors.Is(err, ledger.ErrAccessRevoked) {
		t.Errorf("credentials of a revoked connection: %v", err)
	}
	connect := func(a ledger.Account) error {
		return f.store.InTx(ctx, func(tx *db.Tx) error {
			id, err := tx.Connect(ctx, f.userID, "another", a)
			if err == nil && id != f.connectionID {
				t.Errorf("connection %d became %d", f.connectionID, id)
			}
			return err
		})
	}
	if err := connect(account(7)); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("another account: %v", err)
	}
	otherUser := account(1)
	otherUser.UserID++
	if err := connect(otherUser); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("another user of the account: %v", err)
	}
	state(ledger.NeedsReauth)
	if err := connect(account(1)); err != nil {
		t.Error(err)
	}
	state(ledger.Connected)
	disconnect := func() error { return f.store.InTx(ctx, func(tx *db.Tx) error { return tx.Disconnect(ctx, f.userID) }) }
	if err := disconnect(); err != nil {
		t.Error(err)
	}
	state(ledger.Disconnected)
	if n := f.int(t, "select count(*) from harvest_connections where credentials is not null"); n != 0 {
		t.Error("the credentials are still there")
	}
	if err := disconnect(); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("disconnect twice: %v", err)
	}
	if err := f.store.CheckSecretKey(ctx); err != nil {
		t.Error(err)
	}
	if err := connect(account(1)); err != nil {
		t.Error(err)
	}
	state(ledger.Connected)
}
