package db_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/ledger"
)

// TestSealedColumns: each column that holds bytes is known to be sealed, or not to
// be. One that is missing among the sealed ones would be lost with the old key.
func TestSealedColumns(t *testing.T) {
	t.Parallel()
	_, pool := dbtest.Store(t)
	known := append([]string{
		"account_links.token_hash", "api_tokens.token_hash", "oauth_attempts.session_hash", "oauth_attempts.state_hash", "recovery_codes.code_hash", // hashes
		"sessions.data", // whose session it is, and a sentence for the next page
	}, db.SealedColumns()...)
	have := column[string](t, pool, `
select table_name || '.' || column_name from information_schema.columns
where table_schema = 'public' and data_type = 'bytea' and table_name !~ '^river_' order by 1`)
	slices.Sort(known)
	if !slices.Equal(have, known) {
		t.Errorf("the schema has   %v\nand it is known of %v: name a new one in sealedTables, or here", have, known)
	}
}

// vault is a database with something sealed in every place, and a key file.
type vault struct {
	pool   *pgxpool.Pool
	file   string
	userID int64
	store  *db.Store // of a process that runs all the time
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{file: filepath.Join(t.TempDir(), "secret.key"), pool: dbtest.New(t)}
	v.store = v.open(t)
	ctx := t.Context()
	var err error
	if v.userID, err = v.store.CreateUser(ctx, "ida@example.com", "hash", db.RoleUser); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		v.store.InTx(ctx, func(tx *db.Tx) error {
			if _, err := tx.Connect(ctx, v.userID, token, account(1)); err != nil {
				return err
			}
			_, err := tx.AddMail(ctx, db.Mail{To: "ida@example.com", Subject: "Hello", Text: "Hello."})
			return err
		}),
		v.store.BeginOAuth(ctx, db.OAuthLogin{UserID: v.userID, Session: "session"}, "state", "verifier", time.Now()),
		v.store.BeginSecondFactor(ctx, v.userID, "ABCDEFGH"),
		v.store.TLSCache().Store(ctx, "certificates/one", []byte("one")),
		v.store.TLSCache().Store(ctx, "certificates/two", []byte("two")),
	)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sealed is how many values newVault seals.
const sealed = 6

// open is a store as a process that starts now has it.
func (v *vault) open(t *testing.T) *db.Store {
	t.Helper()
	sealer, err := db.OpenSealer(v.file)
	if err != nil {
		t.Fatal(err)
	}
	return db.NewStore(v.pool, sealer)
}

// with is a store that knows one of the keys in the file alone.
func (v *vault) with(t *testing.T, key []byte) *db.Store {
	t.Helper()
	sealer, err := db.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	return db.NewStore(v.pool, sealer)
}

func (v *vault) keys(t *testing.T) []byte {
	t.Helper()
	keys, err := os.ReadFile(v.file)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// readable fails the test if a process that starts now, or the one that runs all
// the time, cannot use what is sealed, or something that the other one seals.
func (v *vault) readable(t *testing.T, when string) {
	t.Helper()
	ctx := t.Context()
	fresh := v.open(t)
	if n, err := fresh.CannotOpen(ctx, false); err != nil || n != 0 {
		t.Errorf("%s: %d values cannot be opened, %v", when, n, err)
	}
	id := func() (id int64) {
		if err := v.pool.QueryRow(ctx, "select id from harvest_connections").Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}()
	for name, store := range map[string]*db.Store{"a process that starts": fresh, "a process that runs": v.store} {
		if c, err := store.Credentials(ctx, id); err != nil || c.Token != token {
			t.Errorf("%s: %s does not get the token: %v", when, name, err)
		}
		if err := store.TLSCache().Store(ctx, "certificates/two", []byte(name)); err != nil {
			t.Fatal(err)
		}
		for _, other := range []*db.Store{fresh, v.store} {
			if value, _, err := other.TLSCache().Load(ctx, "certificates/two"); err != nil || string(value) != name {
				t.Errorf("%s: what %s sealed is %q, %v", when, name, value, err)
			}
		}
	}
}

// TestRotation interrupts a rotation after each of its steps: everything stays
// readable for processes that run and for those that start, and beginning again
// leads to the end.
func TestRotation(t *testing.T) {
	t.Parallel()
	steps := []struct {
		name string
		do   func(t *testing.T, v *vault) error
	}{
		{"begun", func(*testing.T, *vault) error { return nil }},
		{"a key was made", func(_ *testing.T, v *vault) error { return db.AddKey(v.file) }},
		{"it is in use, and still beside the file", func(t *testing.T, v *vault) error {
			next, err := os.ReadFile(v.file + ".next")
			if err != nil {
				return err
			}
			return errors.Join(db.UseNewKey(v.file), os.WriteFile(v.file+".next", next, 0o600))
		}},
		{"it is in use", func(_ *testing.T, v *vault) error { return db.UseNewKey(v.file) }},
		{"one table is sealed anew", func(t *testing.T, v *vault) error {
			return v.open(t).ResealTable(t.Context(), "harvest_connections")
		}},
		{"two are", func(t *testing.T, v *vault) error { return v.open(t).ResealTable(t.Context(), "tls_cache") }},
		{"all are", func(t *testing.T, v *vault) error {
			_, err := v.open(t).Reseal(t.Context())
			return err
		}},
		{"the old key is gone", func(_ *testing.T, v *vault) error { return db.RetireKeys(v.file) }},
	}
	for last := range steps {
		t.Run(steps[last].name, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			old := v.keys(t)
			for _, step := range steps[:last+1] {
				if err := step.do(t, v); err != nil {
					t.Fatal(step.name, err)
				}
			}
			v.readable(t, "interrupted")
			if last < len(steps)-1 {
				if err := db.UseNewKey(v.file); err != nil {
					t.Fatal(err)
				}
				if n := len(v.keys(t)); n != 2*db.SecretKeySize {
					t.Fatalf("the file has %d bytes", n)
				}
				if _, err := v.open(t).Reseal(t.Context()); err != nil {
					t.Fatal(err)
				}
				v.readable(t, "sealed anew")
				if err := db.RetireKeys(v.file); err != nil {
					t.Fatal(err)
				}
			}
			v.readable(t, "at the end")
			if key := v.keys(t); len(key) != db.SecretKeySize || bytes.Equal(key, old) {
				t.Errorf("the file has %d bytes", len(key))
			}
			if n, err := v.with(t, old).CannotOpen(t.Context(), false); err != nil || n != sealed {
				t.Errorf("the old key does not open %d of %d, %v", n, sealed, err)
			}
			if info, err := os.Stat(v.file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if left, err := filepath.Glob(filepath.Dir(v.file) + "/*"); err != nil || len(left) != 1 {
				t.Errorf("files %v, %v", left, err)
			}
		})
	}
}

// TestRotationWhileATokenIsRenewed: the pair that Harvest gives replaces the one
// that was read, so that one is left as it is until then.
func TestRotationWhileATokenIsRenewed(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	ctx := t.Context()
	var id int64
	err := v.store.InTx(ctx, func(tx *db.Tx) (err error) {
		id, err = tx.ConnectOAuth(ctx, v.userID, ledger.TokenPair{Access: "old", Refresh: "refresh", ExpiresAt: time.Now().Add(time.Second)}, account(1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	asked, answer := make(chan struct{}), make(chan struct{})
	source := v.store.Tokens(id, func(context.Context, ledger.Secret) (ledger.TokenPair, error) {
		close(asked)
		<-answer
		return ledger.TokenPair{Access: "new", Refresh: "newer", ExpiresAt: time.Now().Add(time.Hour)}, nil
	})
	renewed := make(chan error, 1)
	go func() {
		token, err := source.Token(ctx)
		if err == nil && token != "new" {
			err = errors.New("the token is " + token.Reveal())
		}
		renewed <- err
	}()
	<-asked
	if err := db.UseNewKey(v.file); err != nil {
		t.Fatal(err)
	}
	rotating := v.open(t)
	resealed := make(chan error, 1)
	go func() {
		_, err := rotating.Reseal(ctx)
		resealed <- err
	}()
	waitFor(t, "everything else to be sealed anew", func() bool {
		n, err := rotating.CannotOpen(ctx, true)
		return err == nil && n == 1
	})
	close(answer)
	if err := errors.Join(<-renewed, <-resealed); err != nil {
		t.Fatal(err)
	}
	if err := db.RetireKeys(v.file); err != nil {
		t.Fatal(err)
	}
	if c, err := v.open(t).Credentials(ctx, id); err != nil || c.Token != "new" {
		t.Errorf("the token is %q, %v", c.Token.Reveal(), err)
	}
}

// TestReseal: what no key opens is told, and nothing is thrown away for it.
func TestReseal(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	if n, err := v.store.Reseal(t.Context()); err != nil || n != 0 {
		t.Errorf("nothing is old, and %d were sealed anew, %v", n, err)
	}
	foreign := v.with(t, bytes.Repeat([]byte{1}, db.SecretKeySize))
	if _, err := foreign.Reseal(t.Context()); !errors.Is(err, db.ErrWrongKey) {
		t.Errorf("with a foreign key: %v", err)
	}
	v.readable(t, "afterwards")
	// A backup in the middle of it holds both keys, and is of use with each.
	if err := db.UseNewKey(v.file); err != nil {
		t.Fatal(err)
	}
	if err := v.open(t).ResealTable(t.Context(), "tls_cache"); err != nil {
		t.Fatal(err)
	}
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	var out bytes.Buffer
	if _, err := db.Backup(t.Context(), v.pool, &out, spool, v.keys(t), "v0-test"); err != nil {
		t.Fatal(err)
	}
	b, err := openBackup(t, out.Bytes())
	if err != nil || !bytes.Equal(b.SecretKey, v.keys(t)) {
		t.Errorf("the backup holds %d bytes of keys, %v", len(b.SecretKey), err)
	}
}
