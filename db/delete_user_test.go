package db_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// ofUser are the rows of all tables that name a user or their address, however it
// is written, by table.
func (f *fixture) ofUser(t *testing.T, userID int64, email string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, table := range tables(t, f.pool) {
		n := f.int(t, `select count(*) from `+table+` t, to_jsonb(t) as j
where $1::bigint in ((j ->> 'user_id')::bigint, (j ->> 'actor_id')::bigint) or strpos(lower(j::text), $2) > 0`, userID, email)
		if n > 0 {
			found[table] = n
		}
	}
	return found
}

// TestDeleteUser: nothing of a deleted user is left anywhere, and nothing of
// anybody else is gone.
func TestDeleteUser(t *testing.T) {
	t.Parallel()
	f := lived(t)
	bob := f.int(t, "select id from users where email = 'bob@example.com'")
	for _, statement := range []string{
		"insert into alerts (key, user_id, severity, sentence, advice, path) select 'connection ' || id, id, 'alert', 'It is broken.', 'Connect again.', '/' from users",
		"insert into sessions (token_hash, user_id, data, expires_at) select 'of ' || id, id, '', now() + interval '1 day' from users",
		"update harvest_connections set paused_by = 'ida@example.com'",
		"update api_gates set forced_by = 'ida@example.com'",
		"insert into account_links (purpose, email, role, made_by, expires_at) select 'invite', 'new' || id || '@example.com', 'user', id, now() + interval '1 day' from users",
		"insert into account_links (purpose, email, user_id, expires_at) select 'reset', email, id, now() + interval '1 day' from users",
		"insert into oauth_attempts (user_id, session_hash, sealed, expires_at) select id, '', '', now() + interval '1 day' from users",
		"insert into sync_runs (user_id, connection_id, trigger) select user_id, id, 'user' from harvest_connections",
		"insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, created_at, updated_at) select user_id, 9000 + project_id, project_id, task_id, '2026-11-23', 100, now(), now() from assignments",
		"insert into audit_events (actor_id, actor, action, subject, detail) select id, email, 'writes.retry', 'user ' || email, jsonb_build_object('count', 1, 'email', email) from users",
		"insert into audit_events (actor_id, actor, action, subject, detail) select id, email, 'writes.retry', 'write 1', 'null' from users",
		"insert into audit_events (actor, action, subject, detail) values ('bob@example.com', 'jobs.cancel_all', 'jobs', '{\"filter\": {\"user\": [\"Ida@example.com\"]}, \"reason\": \"ida@example.com, who asked\"}')",
		"insert into write_actions (mutation_id, actor_id, action, search, note, up_to, previewed) select 'a mutation of ' || id, id, 'drop', '{\"User\": \"Ida@Example.com\", \"Op\": \"create\"}', 'as IDA@example.com asked', 1, 1 from users",
		"update queue_pauses set reason = 'ida@example.com asked'",
		"update api_gates set forced_reason = 'ida@example.com asked'",
		"update harvest_connections set paused_reason = 'ida@example.com asked'",
		"insert into mails (recipient, subject, state, finished_at) values ('Ida@Example.com', 'Hello', 'sent', now())",
		"insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes) select c.user_id, c.id, a.project_id, a.task_id, '2026-11-23', 60, '', 100, '' from harvest_connections c join assignments a on a.user_id = c.user_id where c.user_id <> (select min(user_id) from harvest_connections)",
		"insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, mutation_id, state, finished_at, operator_note) select user_id, connection_id, id, 'create', 'r', '{}', 'a mutation', 'dropped', now(), 'given up, see ida@example.com.' from pushed_entries where user_id <> (select min(user_id) from harvest_connections)",
	} {
		if _, err := f.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.store.BeginLogin(t.Context(), "ida@example.com", "127.0.0.2", time.Now()); err != nil {
		t.Fatal(err)
	}
	f.plan(t, f.cell(2, 2), 30, "not sent yet")
	f.push(t, nil)
	before, others := f.ofUser(t, f.userID, "ida@example.com"), f.ofUser(t, int64(bob), "bob@example.com")
	if len(before) < 28 {
		t.Fatalf("only these tables hold something of the user's: %v", before)
	}
	b, err := f.store.Belongings(t.Context(), f.userID)
	if want := (db.Belongings{
		Email: "ida@example.com", Cells: 3, Changes: 5, Templates: 1, Recurrences: 3, Tokens: 1, Writes: 3, CompanyName: "Ida Berg Studio", Entries: 1, Unsent: 2,
	}); err != nil || b != want {
		t.Errorf("what goes is %+v, %v; want %+v", b, err, want)
	}

	if err := f.store.DeleteUser(t.Context(), f.userID, f.userID, false); !errors.Is(err, db.ErrUnsent) {
		t.Errorf("without dropping: %v", err)
	}
	if after := f.ofUser(t, f.userID, "ida@example.com"); len(after) != len(before) || f.held(t) {
		t.Errorf("a refused deletion left only %v, or a hold", after)
	}
	if err := f.store.DeleteUser(t.Context(), f.userID, f.userID, true); err != nil {
		t.Fatal(err)
	}
	if left := f.ofUser(t, f.userID, "ida@example.com"); len(left) != 0 {
		t.Errorf("left is %v", left)
	}
	for table, n := range f.ofUser(t, int64(bob), "bob@example.com") {
		if others[table] != n {
			t.Errorf("table %s has %d rows of somebody else, and had %d", table, n, others[table])
		}
	}
	called := "deleted user " + strconv.FormatInt(f.userID, 10)
	if n := f.int(t, "select count(*) from audit_events where actor = $1", called); n != 3 { // one was there, without an id
		t.Errorf("%d events of %s", n, called)
	}
	if n := f.int(t, `select count(*) from audit_events where subject = 'user ' || $1 and detail ->> 'email' = $1 and detail ->> 'count' = '1'`, called); n != 1 {
		t.Errorf("%d events about %s", n, called)
	}
	if n := f.int(t, `select count(*) from audit_events where action = 'account.delete' and subject = 'user ' || $1 and detail = '{"by": "the user", "dropped": 2}'`, strconv.FormatInt(f.userID, 10)); n != 1 {
		t.Errorf("the deletion was written down %d times", n)
	}
	if n := f.int(t, `select count(*) from write_actions where search = jsonb_build_object('User', $1::text, 'Op', 'create') and note = 'as ' || $1 || ' asked'`, called); n != 2 {
		t.Errorf("%d orders that name %s", n, called)
	}
	if n := f.int(t, `select count(*) from audit_events where detail = jsonb_build_object('filter', jsonb_build_object('user', jsonb_build_array($1::text)), 'reason', $1 || ', who asked')`, called); n != 1 {
		t.Errorf("%d events with %s in the filter", n, called)
	}
	if n := f.int(t, `select count(*) from writes where operator_note = 'given up, see ' || $1 || '.'`, called); n != 1 {
		t.Errorf("%d writes of somebody else with %s in the note", n, called)
	}
	// The job of a run that went with its user has nothing to do.
	if _, err := f.store.Run(t.Context(), 1, time.Now()); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("the run: %v", err)
	}
	if _, ok, err := f.store.TakeOutbox(t.Context(), f.connectionID, time.Minute, nil); ok || err != nil {
		t.Errorf("the outbox: %t, %v", ok, err)
	}
	if err := f.store.DeleteUser(t.Context(), f.userID, 0, true); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
}

// TestDeleteUserWhileSending: what is being sent is waited for, and nothing new
// is begun.
func TestDeleteUserWhileSending(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.plan(t, f.cell(0, 0), 60, "")
	f.push(t, nil)
	box := f.mustTake(t)
	if err := f.store.DeleteUserNow(t.Context(), f.userID); !errors.Is(err, db.ErrSending) {
		t.Errorf("while something is being sent: %v", err)
	}
	deleted := make(chan error, 1)
	go func() { deleted <- f.store.DeleteUser(t.Context(), f.userID, 0, true) }()
	waitFor(t, "a hold", func() bool {
		return f.int(t, "select count(*) from harvest_connections where held_since is not null") == 1
	})
	if _, _, err := box.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	if err := box.Settle(t.Context(), ledger.Write{ID: 1}, ledger.Result{State: ledger.Done}); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("who comes later: %v", err)
	}
}

// TestDeleteUserMeanwhile: what is being stored while a user is deleted does not
// stay behind.
func TestDeleteUserMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ table, store string }{
		{"time_entries", "insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, created_at, updated_at) select user_id, 1, project_id, task_id, '2026-11-23', 100, now(), now() from assignments limit 1"},
		{"mails", "with untold as (select from alerts for update) insert into mails (recipient, subject, sealed) select 'ida@example.com', 's', 'x' from untold"},
	} {
		t.Run(tt.table, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if _, err := f.pool.Exec(t.Context(), "insert into alerts (key, user_id, severity, sentence, advice, path) values ('revoked:1:user', $1, 'alert', 's', 'a', '/')", f.userID); err != nil {
				t.Fatal(err)
			}
			tx, err := f.pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(t.Context()) }()
			if _, err := tx.Exec(t.Context(), tt.store); err != nil {
				t.Fatal(err)
			}
			deleted := make(chan error, 1)
			go func() { deleted <- f.store.DeleteUser(t.Context(), f.userID, 0, true) }()
			f.blocked(t, 1)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-deleted; err != nil {
				t.Fatal(err)
			}
			if n := f.int(t, "select count(*) from "+tt.table); n != 0 {
				t.Errorf("%d %s are left", n, tt.table)
			}
		})
	}
}

// TestDeleteUserOfLikeAddress: an address that holds the deleted one stays.
func TestDeleteUserOfLikeAddress(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, like := range []string{"frida@example.com", "an.ida@example.com", "ida@example.com.au", "ida@example.community"} {
		_, err := f.pool.Exec(t.Context(), `with order_of as (insert into write_actions (mutation_id, action, search, note, up_to, previewed) values ('order ' || $1, 'retry', jsonb_build_object('User', $1::text), $1, 1, 1))
insert into audit_events (actor, action, subject, detail) values ($1, 'writes.retry', 'user ' || $1, jsonb_build_object('email', $1::text))`, like)
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := func() []string {
		return column[string](t, f.pool, "select (to_jsonb(x) - 'id')::text from write_actions x union all select to_jsonb(x)::text from audit_events x where action = 'writes.retry' order by 1")
	}
	before := rows()
	if err := f.store.DeleteUser(t.Context(), f.userID, 0, true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, rows()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestLastAdmin: somebody who may act on users stays, also if two want to delete
// each other.
func TestLastAdmin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var admins []int64
	for _, name := range []string{"ann", "ben"} {
		id, err := f.store.CreateUser(t.Context(), name+"@example.com", "hash", db.RoleAdmin)
		if err != nil {
			t.Fatal(err)
		}
		admins = append(admins, id)
	}
	errs := make(chan error, 2)
	for i := range admins {
		go func() { errs <- f.store.DeleteUser(t.Context(), admins[i], admins[1-i], false) }()
	}
	first, second := <-errs, <-errs
	if (first == nil) == (second == nil) {
		t.Errorf("%v and %v, want one of them deleted", first, second)
	}
	for _, err := range []error{first, second} {
		if err != nil && !errors.Is(err, db.ErrLastAdmin) {
			t.Error(err)
		}
	}
	if n := f.int(t, "select count(*) from users where role = 'admin'"); n != 1 {
		t.Errorf("%d admins are left", n)
	}
	last := int64(f.int(t, "select id from users where role = 'admin'"))
	if b, err := f.store.Belongings(t.Context(), last); err != nil || !b.LastAdmin {
		t.Errorf("%+v, %v", b, err)
	}
	if err := f.store.DeleteUser(t.Context(), last, 0, true); !errors.Is(err, db.ErrLastAdmin) {
		t.Errorf("the last admin: %v", err)
	}
}

// TestLastAdminOfTwo: of two admins who take the role from each other at once, or
// one of whom deletes the other meanwhile, one stays an admin.
func TestLastAdminOfTwo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		second func(store *db.Store, actor, other int64) error
		want   error
	}{
		{"the role", func(store *db.Store, actor, other int64) error {
			return store.InTx(context.Background(), func(tx *db.Tx) error {
				_, err := tx.ChangeRole(context.Background(), actor, other, db.RoleUser)
				return err
			})
		}, planner.ErrForbidden},
		{"the account", func(store *db.Store, actor, other int64) error {
			return store.DeleteUser(context.Background(), other, actor, true)
		}, db.ErrLastAdmin},
		{"their own account", func(store *db.Store, _, other int64) error {
			return store.DeleteUser(context.Background(), other, other, true)
		}, db.ErrLastAdmin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			var admins []int64
			for _, name := range []string{"ann", "ben"} {
				id, err := f.store.CreateUser(t.Context(), name+"@example.com", "hash", db.RoleAdmin)
				if err != nil {
					t.Fatal(err)
				}
				admins = append(admins, id)
			}
			second := make(chan error, 1)
			err := f.store.InTx(t.Context(), func(tx *db.Tx) error {
				if before, err := tx.ChangeRole(t.Context(), admins[0], admins[1], db.RoleUser); err != nil || before != db.RoleAdmin {
					return fmt.Errorf("%s, %w", before, err)
				}
				go func() { second <- tt.second(f.store, admins[1], admins[0]) }()
				f.blocked(t, 1)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := <-second; !errors.Is(err, tt.want) {
				t.Errorf("the second of them: %v, want %v", err, tt.want)
			}
			if n := f.int(t, "select count(*) from users where role = 'admin' and email = 'ann@example.com'"); n != 1 {
				t.Errorf("%d admins are left", n)
			}
		})
	}
}
