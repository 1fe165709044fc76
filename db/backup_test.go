package db_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/ledger"
	"furrow/planner"
)

// backUp saves the database and returns the file's content.
func backUp(t *testing.T, pool *pgxpool.Pool) ([]byte, db.Manifest) {
	t.Helper()
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	var out bytes.Buffer
	m, err := db.Backup(t.Context(), pool, &out, spool, dbtest.SecretKey(), "v0-test")
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), m
}

func openBackup(t *testing.T, content []byte) (*db.BackupFile, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return db.OpenBackup(file)
}

// empty is a database that nobody has migrated.
func empty(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := db.Open(t.Context(), dbtest.EmptyURL(t), 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// restore does what furrow restore does with the database.
func restore(ctx context.Context, b *db.BackupFile, pool *pgxpool.Pool) error {
	if err := b.CheckEmpty(ctx, pool); err != nil {
		return err
	}
	if err := b.Load(ctx, pool); err != nil {
		return err
	}
	if err := db.Migrate(ctx, pool); err != nil {
		return err
	}
	_, err := db.NewStore(pool, nil).Hold(ctx)
	return err
}

func mustRestore(t *testing.T, content []byte, pool *pgxpool.Pool) {
	t.Helper()
	b, err := openBackup(t, content)
	if err == nil {
		err = restore(t.Context(), b, pool)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func column[T any](t *testing.T, pool *pgxpool.Pool, query string, args ...any) []T {
	t.Helper()
	rows, err := pool.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func tables(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return column[string](t, pool, "select tablename::text from pg_tables where schemaname = 'public' order by 1")
}

// rowsOf are the rows of a table as text, but for what a restore changes.
func rowsOf(t *testing.T, pool *pgxpool.Pool, table string) []string {
	t.Helper()
	return column[string](t, pool, "select (to_jsonb(x) - '{held_since,lease,lease_until}'::text[])::text from "+pgx.Identifier{table}.Sanitize()+" x order by 1")
}

// lived is a fixture in which something of every kind has happened.
func lived(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	other, _ := f.user(t, "bob@example.com", 2)
	f.assign(t, other, assignment(3, 31, 41))
	f.finish(t, f.startRun(t))
	f.plan(t, f.cell(0, 0), 90, "tab\tback\\slash, line\nbreak, \"quotes\", Ærø, \\N")
	f.plan(t, f.cell(1, 0), 30, "")
	f.change(t, db.PlanChange{Rows: []db.RowChange{{Week: f.week, Row: f.rows[2], Kept: true}}})
	f.change(t, db.PlanChange{Days: planner.TimeOff{First: f.week.End(), Last: f.week.End(), Name: "a long weekend"}.Take()})
	f.push(t, nil)
	f.sent(t, 501)
	for _, statement := range []string{
		"insert into api_tokens (user_id, name, token_hash) select id, 'laptop', decode(lpad(id::text, 4, '0'), 'hex') from users",
		"insert into client_orders (user_id, client_id, position) select user_id, id, 1 from clients",
		"insert into row_orders (user_id, project_id, task_id, position) select user_id, project_id, task_id, 1 from assignments",
		"insert into project_budgets (user_id, project_id, budget_by, is_monthly, budget) select user_id, id, 'project', false, 12.50 from projects",
		"insert into days_off (user_id, date, name) select id, '2026-12-24', 'Christmas' from users",
		"insert into rate_overrides (user_id, project_id, rate) select user_id, id, 80.50 from projects",
		"insert into week_templates (user_id, name) select id, 'Usual' from users",
		"insert into template_cells select t.id, a.project_id, a.task_id, 2, 60, 'a note' from week_templates t join assignments a on a.user_id = t.user_id",
		"insert into recurrences (user_id, mutation_id, project_id, task_id, weekdays, minutes, starts_on, filled_to) select user_id, 'a rule ' || project_id, project_id, task_id, 4, 60, '2026-11-23', '2027-05-30' from assignments",
		"insert into carry_dismissals select id, '2026-11-23' from users",
		"insert into write_actions (mutation_id, action, search, up_to, previewed) values ('a mutation', 'retry', '{}', 1, 1)",
		"insert into write_action_batches (action_id, number, last_id, changed) select id, 1, 1, 1 from write_actions",
		"insert into audit_events (actor, action, subject, detail) values ('ida@example.com', 'retry', 'write 1', '{\"count\": 1}')",
		"insert into sessions (token_hash, user_id, data, expires_at) select 'hash', min(id), '', now() + interval '1 day' from users",
		"insert into second_factors (user_id, sealed) select id, '' from users",
		"insert into recovery_codes (user_id, code_hash) select id, '\\x01' from users",
		"insert into login_throttles (subject) values ('address:127.0.0.1')",
		"insert into samples (at, attempts, errors) values (now(), 3, '{\"unknown\": 1}')",
		"insert into queue_pauses (queue, paused_until, reason, paused_by) values ('push', now(), 'a test', 'ida@example.com')",
		"insert into schedules values ('sweep', '10 s', now(), now())",
		"insert into api_gates (scope, step, burst) values ('provider', '1 second', 5)",
		"insert into mails (recipient, subject, sealed) values ('ida@example.com', 'Hello', 'sealed')",
		"insert into webhooks (body) values ('{}')",
		"insert into alerts (key, severity, sentence, advice, path) values ('disk', 'alert', 'It is full.', 'Make room.', '/admin')",
		"insert into process_reports (process, host, role, facts) values ('one', 'host', 'all', '{}')",
	} {
		f.exec(t, statement)
	}
	return f
}

// TestBackup: what is restored is what was saved, and nothing is sent from it.
func TestBackup(t *testing.T) {
	t.Parallel()
	f := lived(t)
	f.startRun(t) // is live
	f.mustTake(t) // and so is somebody who sends
	content, m := backUp(t, f.pool)
	restored := empty(t)
	mustRestore(t, content, restored)

	live := column[string](t, f.pool, "select (to_jsonb(x) - '{held_since,lease,lease_until}'::text[])::text from sync_runs x where state <> 'done'")
	for _, table := range m.Tables {
		want := slices.DeleteFunc(rowsOf(t, f.pool, table.Name), func(row string) bool { return slices.Contains(live, row) })
		if diff := cmp.Diff(want, rowsOf(t, restored, table.Name)); diff != "" {
			t.Errorf("table %s (-saved +restored):\n%s", table.Name, diff)
		}
		if len(want) == 0 {
			t.Errorf("table %s is empty, so nothing is known of it: let lived put a row there", table.Name)
		}
	}
	if len(live) != 1 {
		t.Errorf("%d live runs, want one to be left out", len(live))
	}
	for _, table := range append(db.TransientTables(), "river_job") {
		if rows := rowsOf(t, restored, table); len(rows) != 0 {
			t.Errorf("table %s was restored: %v", table, rows)
		}
	}
	if needed, err := db.MigrationNeeded(t.Context(), restored); err != nil || needed {
		t.Errorf("a migration is needed: %t, %v", needed, err)
	}
	g := *f
	g.pool, g.store = restored, dbtest.StoreOver(t, restored)
	if _, ok := g.take(t, 1); ok || !g.held(t) {
		t.Error("what was restored may be sent")
	}
	if n := g.int(t, "select count(*) from harvest_connections where held_since is null or lease is not null"); n != 0 {
		t.Errorf("%d connections are not held", n)
	}
	if err := g.store.CheckSecretKey(t.Context()); err != nil {
		t.Error(err)
	}
	// New rows get new ids.
	g.finish(t, g.startRun(t))
	g.plan(t, g.cell(2, 2), 45, "after")
	g.push(t, nil)
	g.user(t, "carl@example.com", 3)
	g.sent(t, 502)
}

// Every table is saved, or named as one that is not worth saving.
func TestEveryTableIsSaved(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, m := backUp(t, pool)
	known := append([]string{"goose_db_version"}, db.TransientTables()...)
	for _, table := range m.Tables {
		known = append(known, table.Name)
		want := column[string](t, pool, "select column_name::text from information_schema.columns where table_schema = 'public' and table_name = $1 order by ordinal_position", table.Name)
		if diff := cmp.Diff(want, table.Columns); diff != "" {
			t.Errorf("columns of %s (-table +backup):\n%s", table.Name, diff)
		}
	}
	have := slices.DeleteFunc(tables(t, pool), func(name string) bool { return strings.HasPrefix(name, "river_") })
	slices.Sort(known)
	if diff := cmp.Diff(have, known); diff != "" {
		t.Errorf("tables (-database +backup):\n%s", diff)
	}
}

// TestBackupIsOfOneMoment: whoever writes meanwhile is in it with all that one
// transaction did, or not at all.
func TestBackupIsOfOneMoment(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	writing := make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil && ctx.Err() == nil; i++ {
			err = f.store.InTx(ctx, func(tx *db.Tx) error {
				_, err := tx.EditCell(ctx, f.userID, edit(f.cell(i%3, i%7), 15, fmt.Sprint("note ", i), everything))
				return err
			})
		}
		writing <- err
	}()
	waitFor(t, "edits", func() bool { return f.int(t, "select count(*) from plan_events") > 20 })
	content, _ := backUp(t, f.pool)
	cancel()
	if err := <-writing; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	restored := empty(t)
	mustRestore(t, content, restored)
	torn := column[int](t, restored, `select (select count(*) from cells c left join plan_events e on e.id = c.version where e.id is null)
		+ (select count(*) from (select distinct on (project_id, task_id, date) * from plan_events order by project_id, task_id, date, id desc) e
		   left join cells c on c.version = e.id where c.version is null)`)
	if torn[0] != 0 {
		t.Errorf("%d cells and events do not fit together", torn[0])
	}
}

func TestBackupNeedsTheKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	for name, key := range map[string][]byte{"none": nil, "another": bytes.Repeat([]byte("k"), db.SecretKeySize)} {
		if _, err := db.Backup(t.Context(), f.pool, io.Discard, spool, key, "v0"); !errors.Is(err, db.ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := db.Backup(t.Context(), empty(t), io.Discard, spool, nil, "v0"); err == nil || !strings.Contains(err.Error(), "nothing to back up") {
		t.Errorf("an empty database: %v", err)
	}
}

// archived is a member of a backup.
type archived struct {
	name    string
	content []byte
}

func unpack(t *testing.T, content []byte) []archived {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	var list []archived
	for members := tar.NewReader(zipped); ; {
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(members)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, archived{h.Name, text})
	}
}

func pack(t *testing.T, list []archived) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for _, m := range list {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Size: int64(len(m.content)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// remade changes the manifest.
func remade(t *testing.T, list []archived, change func(*db.Manifest)) []archived {
	t.Helper()
	last := &list[len(list)-1]
	var m db.Manifest
	if err := json.Unmarshal(last.content, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	last.content = text
	return list
}

// TestBackupCutOff tries the file cut off after its first and last bytes and many
// in between, and with those bytes changed.
func TestBackupCutOff(t *testing.T) {
	t.Parallel()
	f := lived(t)
	content, _ := backUp(t, f.pool)
	path := filepath.Join(t.TempDir(), "backup")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	try := func(content []byte) error {
		if _, err := file.WriteAt(content, 0); err != nil {
			t.Fatal(err)
		}
		if err := file.Truncate(int64(len(content))); err != nil {
			t.Fatal(err)
		}
		_, err := db.OpenBackup(file)
		return err
	}
	if err := try(content); err != nil {
		t.Fatal(err)
	}
	for _, n := range places(len(content)) {
		if err := try(content[:n]); !errors.Is(err, db.ErrCutOff) && (n > 0 || !errors.Is(err, db.ErrNotBackup)) {
			t.Fatalf("cut after %d of %d bytes: %v", n, len(content), err)
		}
	}
	passed := 0
	for _, n := range places(len(content)) {
		changed := bytes.Clone(content)
		changed[n] ^= 0x10
		err := try(changed)
		switch {
		case err == nil: // gzip has bits that mean nothing, as the time in its header
			passed++
			if diff := cmp.Diff(unpack(t, content), unpack(t, changed), cmp.AllowUnexported(archived{})); diff != "" {
				t.Fatalf("byte %d of %d changed, and it passes with other content", n, len(content))
			}
		case !errors.Is(err, db.ErrDamaged) && !errors.Is(err, db.ErrCutOff) && !errors.Is(err, db.ErrNotBackup):
			t.Fatalf("byte %d of %d changed: %v", n, len(content), err)
		}
	}
	if passed > 20 {
		t.Errorf("%d of %d bytes may be changed unseen", passed, len(content))
	}
	if err := try(append(bytes.Clone(content), 0)); !errors.Is(err, db.ErrDamaged) {
		t.Errorf("one byte more: %v", err)
	}
	if err := try(append(bytes.Clone(content), content...)); !errors.Is(err, db.ErrDamaged) {
		t.Errorf("twice: %v", err)
	}
}

// places are all of the first and of the last bytes, where the ends of an archive
// and of its parts lie, and every eleventh of the others.
func places(size int) []int {
	var list []int
	for n := range size {
		if n < 50 || n > size-150 || n%11 == 0 {
			list = append(list, n)
		}
	}
	return list
}

// TestBackupDamaged packs files that are whole archives, and not what was saved.
func TestBackupDamaged(t *testing.T) {
	t.Parallel()
	f := lived(t)
	content, _ := backUp(t, f.pool)
	index := func(list []archived, name string) int {
		return slices.IndexFunc(list, func(m archived) bool { return m.name == name })
	}
	for _, tt := range []struct {
		name   string
		change func([]archived) []archived
		want   error
	}{
		{"something else", func([]archived) []archived { return []archived{{"README", []byte("hello")}} }, db.ErrNotBackup},
		{"nothing at all", func([]archived) []archived { return nil }, db.ErrNotBackup},
		{"no number for its format", func(l []archived) []archived { l[0].content = []byte("one"); return l }, db.ErrNotBackup},
		{"a newer format", func(l []archived) []archived { l[0].content = []byte("3\n"); return l }, db.ErrTooNew},
		{"a newer schema", func(l []archived) []archived {
			return remade(t, l, func(m *db.Manifest) { m.Schema = 1_000_000 })
		}, db.ErrTooNew},
		{"no manifest", func(l []archived) []archived { return l[:len(l)-1] }, db.ErrCutOff},
		{"only its beginning", func(l []archived) []archived { return l[:1] }, db.ErrCutOff},
		{"the manifest is half", func(l []archived) []archived {
			last := &l[len(l)-1]
			last.content = last.content[:len(last.content)/2]
			return l
		}, db.ErrCutOff},
		{"the last table is missing", func(l []archived) []archived { return slices.Delete(l, len(l)-3, len(l)-2) }, db.ErrDamaged},
		{"the first table is missing", func(l []archived) []archived { return slices.Delete(l, 1, 2) }, db.ErrDamaged},
		{"a table is there twice", func(l []archived) []archived { return slices.Insert(l, len(l)-2, l[1]) }, db.ErrDamaged},
		{"a row is missing", func(l []archived) []archived {
			m := &l[index(l, "tables/users")]
			_, rest, _ := bytes.Cut(m.content, []byte("\n"))
			m.content = rest
			return l
		}, db.ErrDamaged},
		{"a row is another", func(l []archived) []archived {
			m := &l[index(l, "tables/users")]
			m.content = bytes.Replace(m.content, []byte("ida@"), []byte("eva@"), 1)
			return l
		}, db.ErrDamaged},
		{"the manifest counts other rows", func(l []archived) []archived {
			return remade(t, l, func(m *db.Manifest) { m.Tables[0].Rows++ })
		}, db.ErrDamaged},
		{"the key is missing", func(l []archived) []archived { return slices.Delete(l, len(l)-2, len(l)-1) }, db.ErrDamaged},
		{"the key is another", func(l []archived) []archived { l[len(l)-2].content = make([]byte, db.SecretKeySize); return l }, db.ErrDamaged},
		{"the key is long", func(l []archived) []archived { l[len(l)-2].content = make([]byte, 1000); return l }, db.ErrDamaged},
		{"something unknown is in it", func(l []archived) []archived { return slices.Insert(l, 1, archived{"../passwd", nil}) }, db.ErrDamaged},
		{"something follows the manifest", func(l []archived) []archived { return append(l, l[1]) }, db.ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := openBackup(t, pack(t, tt.change(unpack(t, content))))
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want one that %v", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is not one sentence", err)
			}
		})
	}
	if _, err := openBackup(t, pack(t, unpack(t, content))); err != nil {
		t.Errorf("what was only packed again: %v", err)
	}
	if _, err := openBackup(t, []byte("#!/bin/sh\necho hello\n")); !errors.Is(err, db.ErrNotBackup) {
		t.Errorf("a script: %v", err)
	}
	directory, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	if _, err := db.OpenBackup(directory); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a directory: %v", err)
	}
}

// TestRestoreRefused: a database that is not an empty one of ours, or a backup
// that does not fit together, changes nothing.
func TestRestoreRefused(t *testing.T) {
	t.Parallel()
	f := lived(t)
	content, _ := backUp(t, f.pool)
	b, err := openBackup(t, content)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		database func() *pgxpool.Pool
		change   func(*db.Manifest)
		want     string
	}{
		{"accounts are in it", func() *pgxpool.Pool { return f.pool }, nil, "not empty"},
		{"another program's", func() *pgxpool.Pool {
			pool := empty(t)
			if _, err := pool.Exec(t.Context(), "create table users (id int)"); err != nil {
				t.Fatal(err)
			}
			return pool
		}, nil, "another program"},
		{"made for a newer schema", func() *pgxpool.Pool { return dbtest.New(t) }, func(m *db.Manifest) { m.Schema = 3 }, "newer schema"},
	} {
		pool := tt.database()
		before := map[string][]string{}
		for _, table := range tables(t, pool) {
			before[table] = rowsOf(t, pool, table)
		}
		other := *b
		if tt.change != nil {
			tt.change(&other.Manifest)
		}
		if err := restore(t.Context(), &other, pool); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		after := map[string][]string{}
		for _, table := range tables(t, pool) {
			after[table] = rowsOf(t, pool, table)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s: the database changed:\n%s", tt.name, diff)
		}
	}

	// A row that refers to one that is not there, in a file that is whole.
	list := unpack(t, content)
	at := slices.IndexFunc(list, func(m archived) bool { return m.name == "tables/tasks" })
	list[at].content = nil
	list = remade(t, list, func(m *db.Manifest) {
		for i := range m.Tables {
			if m.Tables[i].Name == "tasks" {
				sum := sha256.Sum256(nil)
				m.Tables[i].Rows, m.Tables[i].Hash = 0, hex.EncodeToString(sum[:])
			}
		}
	})
	b, err = openBackup(t, pack(t, list))
	if err != nil {
		t.Fatal(err)
	}
	pool := empty(t)
	if err := restore(t.Context(), b, pool); err == nil {
		t.Error("it was restored without its tasks")
	}
	for _, table := range b.Manifest.Tables {
		if rows := rowsOf(t, pool, table.Name); len(rows) != 0 {
			t.Errorf("%d rows are left in %s", len(rows), table.Name)
		}
	}
	// What failed may be tried again.
	mustRestore(t, content, pool)
}

// TestRestoreOlderSchema: the rows of a backup go through the migrations that
// came after it.
func TestRestoreOlderSchema(t *testing.T) {
	t.Parallel()
	old := empty(t)
	files, err := fs.Sub(db.MigrationFiles(), "migrations")
	if err != nil {
		t.Fatal(err)
	}
	sqlDB := stdlib.OpenDBFromPool(old)
	defer sqlDB.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, files)
	if err != nil {
		t.Fatal(err)
	}
	const before = 2 // without account_at, which the third one fills, and without the hold
	if _, err := provider.UpTo(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	const row = `with u as (insert into users (email, password_hash) values ('ida@example.com', 'hash') returning id)
		insert into harvest_connections (user_id, state, harvest_account_id, harvest_user_id, company_name, harvest_user_name, base_uri, week_start,
			time_zone, clock, duration_format, weekly_capacity, timestamp_timers, company_visible, connected_at)
		select id, 'disconnected', 1, 2, 'Ida', 'Ida', '', 1, 'UTC', '24h', 'decimal', 2100, false, true, '2026-01-02' from u`
	if _, err := old.Exec(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	content, m := backUp(t, old)
	if m.Schema != before {
		t.Fatalf("schema %d", m.Schema)
	}
	restored := empty(t)
	mustRestore(t, content, restored)
	if n := column[int](t, restored, "select count(*) from harvest_connections where account_at = '2026-01-02' and held_since is not null and lease is null"); n[0] != 1 {
		t.Errorf("%d connections were brought along", n[0])
	}
	if needed, err := db.MigrationNeeded(t.Context(), restored); err != nil || needed {
		t.Errorf("a migration is needed: %t, %v", needed, err)
	}
	if users := column[string](t, restored, "select email from users"); len(users) != 1 || users[0] != "ida@example.com" {
		t.Errorf("users %v", users)
	}

	// Between loading and the hold nothing is sent either.
	loaded := empty(t)
	b, err := openBackup(t, content)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Load(t.Context(), loaded); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), loaded); err != nil {
		t.Fatal(err)
	}
	if _, err := loaded.Exec(t.Context(), "update harvest_connections set state = 'ok', credentials = '\\x00'"); err != nil {
		t.Fatal(err)
	}
	store := db.NewStore(loaded, nil)
	if _, ok, err := store.TakeOutbox(t.Context(), 1, 1, cellURL); ok || err != nil {
		t.Errorf("what is only loaded may be sent: %t, %v", ok, err)
	}
	if list, err := store.Connections(t.Context(), db.ConnectionFilter{}); err != nil || list[0].State != ledger.Connected {
		t.Errorf("connections %+v, %v", list, err)
	}
}
