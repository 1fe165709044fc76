package db_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/planner"
)

func TestCreateFirstUserHasOneWinner(t *testing.T) {
	t.Parallel()
	store, _ := dbtest.Store(t)
	const rivals = 10
	errs := make([]error, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() {
			_, errs[i] = store.CreateFirstUser(t.Context(), string(rune('a'+i))+"@example.com", "hash")
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, planner.ErrConflict):
			t.Error(err)
		}
	}
	users, err := store.Users(t.Context(), db.UserFilter{})
	if err != nil || won != 1 || len(users) != 1 || users[0].Role != db.RoleAdmin {
		t.Errorf("%d won; users %+v, %v", won, users, err)
	}
	events, err := store.AuditEvents(t.Context(), db.AuditFilter{Action: "account.create", Most: 10})
	if err != nil || len(events) != 1 || events[0].Actor != users[0].Email || events[0].Detail != `{"role": "admin"}` {
		t.Errorf("the audit has %+v, %v", events, err)
	}
}

// TestAccountsFromTheShell: what the shell does to accounts is done, and audited.
func TestAccountsFromTheShell(t *testing.T) {
	t.Parallel()
	store, pool := dbtest.Store(t)
	ctx := t.Context()
	id, err := store.CreateUser(ctx, " Ida@Example.com", "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateUser(ctx, "ida@example.com", "hash", db.RoleAdmin); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("the address twice: %v", err)
	}
	if err := store.SetRole(ctx, "nobody@example.com", db.RoleAdmin); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("promote nobody: %v", err)
	}
	if err := store.SetRole(ctx, "IDA@example.com", db.RoleAdmin); err != nil {
		t.Error(err)
	}
	if err := store.ResetPassword(ctx, "nobody@example.com", "new hash"); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("reset nobody: %v", err)
	}
	sessions := store.Sessions()
	commit(t, sessions, "token", map[string]any{db.SessionUserID: id})
	if err := store.ResetPassword(ctx, "IDA@example.com", "new hash"); err != nil {
		t.Error(err)
	}
	if _, found, err := sessions.FindCtx(ctx, "token"); found || err != nil {
		t.Errorf("a session outlived the reset: %v, %v", found, err)
	}
	user, err := store.User(ctx, id)
	if err != nil || user.Role != db.RoleAdmin || user.Email != "ida@example.com" {
		t.Errorf("user %+v, %v", user, err)
	}
	if hash, err := store.PasswordHash(ctx, id); err != nil || hash != "new hash" {
		t.Errorf("hash %q, %v", hash, err)
	}
	audited := column[string](t, pool, "select concat_ws(' ', actor, action, subject, detail) from audit_events order by id")
	of := fmt.Sprintf("user %d", id)
	want := []string{
		"furrow account.create " + of + ` {"role": "user"}`, "furrow users.role " + of + ` {"after": "admin", "before": "user"}`, "furrow password.reset " + of + " {}",
	}
	if diff := cmp.Diff(want, audited); diff != "" {
		t.Errorf("the audit (-want +got):\n%s", diff)
	}
}

// TestRoles: each role may do what those before it may, and programs of the
// version before, which know admins only, go on working beside this one.
func TestRoles(t *testing.T) {
	t.Parallel()
	for i, role := range db.Roles() {
		for j, least := range db.Roles() {
			if may := role.May(least); may != (i >= j) {
				t.Errorf("%s may what needs %s: %v", role, least, may)
			}
		}
	}
	if db.Role("").May(db.RoleUser) {
		t.Error("no role may something")
	}
	store, pool := dbtest.Store(t)
	ctx := t.Context()
	id, err := store.CreateUser(ctx, "ida@example.com", "hash", db.RoleOperator)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		sql       string
		wantRole  db.Role
		wantAdmin bool
	}{
		{"select", db.RoleOperator, false},
		{"update users set is_admin = true", db.RoleAdmin, true},
		{"update users set role = 'viewer'", db.RoleViewer, false},
		{"update users set is_admin = false", db.RoleViewer, false},
		{"update users set is_admin = true", db.RoleAdmin, true},
		{"update users set is_admin = false", db.RoleUser, false},
		{"delete from users; insert into users (email, password_hash, is_admin) values ('ida@example.com', '', true)", db.RoleAdmin, true},
	} {
		if _, err := pool.Exec(ctx, step.sql); err != nil {
			t.Fatal(step.sql, err)
		}
		var role db.Role
		var admin bool
		if err := pool.QueryRow(ctx, "select role, is_admin from users").Scan(&role, &admin); err != nil {
			t.Fatal(err)
		}
		if role != step.wantRole || admin != step.wantAdmin {
			t.Errorf("%s of user %d: role %s, admin %v", step.sql, id, role, admin)
		}
	}
}

func TestRehashLosesToAChange(t *testing.T) {
	t.Parallel()
	store, _ := dbtest.Store(t)
	ctx := t.Context()
	id, err := store.CreateUser(ctx, "ida@example.com", "old", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, next, want string }{
		{"old", "rehashed", "rehashed"},
		{"old", "too late", "rehashed"},
	} {
		if err := store.Rehash(ctx, id, test.old, test.next); err != nil {
			t.Fatal(err)
		}
		if hash, err := store.PasswordHash(ctx, id); err != nil || hash != test.want {
			t.Errorf("hash %q, %v; want %q", hash, err, test.want)
		}
	}
}

func commit(t *testing.T, sessions *db.SessionStore, token string, values map[string]any) {
	t.Helper()
	expiry := time.Now().Add(time.Hour)
	data, err := db.SessionCodec{}.Encode(expiry, values)
	if err != nil {
		t.Fatal(err)
	}
	if err := sessions.CommitCtx(t.Context(), token, data, expiry); err != nil {
		t.Fatal(err)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	store, pool := dbtest.Store(t)
	ctx := t.Context()
	id, err := store.CreateUser(ctx, "ida@example.com", "hash", db.RoleAdmin)
	if err != nil {
		t.Fatal(err)
	}
	sessions := store.Sessions()
	commit(t, sessions, "token", map[string]any{db.SessionUserID: id, db.SessionFlash: db.Flash{Kind: "good", Text: "Saved.\n\"Done\""}})

	data, found, err := sessions.FindCtx(ctx, "token")
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	_, values, err := db.SessionCodec{}.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	user, ok := values[db.SessionUser].(db.User)
	if !ok || user.ID != id || user.Email != "ida@example.com" || user.Role != db.RoleAdmin || user.Profile.WeekStart != time.Monday || user.Profile.Clock != "24h" {
		t.Errorf("user %+v", values[db.SessionUser])
	}
	if values[db.SessionUserID] != id || values[db.SessionFlash] != (db.Flash{Kind: "good", Text: "Saved.\n\"Done\""}) {
		t.Errorf("values %v", values)
	}

	// A request that is under way stores what it read, after the session was ended.
	if err := sessions.DeleteCtx(ctx, "token"); err != nil {
		t.Fatal(err)
	}
	commit(t, sessions, "token", values)
	if _, found, err := sessions.FindCtx(ctx, "token"); found || err != nil {
		t.Errorf("an ended session came back: %v, %v", found, err)
	}

	// A session without a user.
	commit(t, sessions, "anonymous", map[string]any{db.SessionFlash: db.Flash{Text: "hello"}})
	data, found, err = sessions.FindCtx(ctx, "anonymous")
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	if _, values, err := (db.SessionCodec{}).Decode(data); err != nil || values[db.SessionUser] != nil || values[db.SessionUserID] != nil {
		t.Errorf("values %v, %v", values, err)
	}

	// Expired sessions are not found, and are cleaned away.
	if _, err := pool.Exec(ctx, "update sessions set expires_at = now() - interval '1 second'"); err != nil {
		t.Fatal(err)
	}
	if _, found, err := sessions.FindCtx(ctx, "anonymous"); found || err != nil {
		t.Errorf("an expired session: found %v, %v", found, err)
	}
	if err := store.CleanSessions(ctx); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := pool.QueryRow(ctx, "select count(*) from sessions").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d sessions are left, %v", n, err)
	}

	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := sessions.FindCtx(over, "token"); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that is over: %v", err)
	}
	if _, err := (db.SessionCodec{}).Encode(time.Now(), map[string]any{"token": "secret"}); err == nil {
		t.Error("a session takes anything")
	}
}

func TestThrottleGrowsAndForgets(t *testing.T) {
	t.Parallel()
	store, _ := dbtest.Store(t)
	ctx := t.Context()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	try := func(address string) time.Duration {
		t.Helper()
		wait, err := store.BeginLogin(ctx, "ida@example.com", address, now)
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	// Each try comes from an address of its own, so that only the account is held back.
	for i, want := range []time.Duration{0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		want *= time.Second
		if wait := try("try" + strconv.Itoa(i)); wait != 0 {
			t.Fatalf("try %d: has to wait %s after the wait was over", i+1, wait)
		}
		if want == 0 {
			continue
		}
		if wait := try("wait" + strconv.Itoa(i)); wait != want {
			t.Fatalf("after failure %d: has to wait %s, want %s", i+1, wait, want)
		}
		now = now.Add(want)
	}
	now = now.Add(25 * time.Hour)
	for i := range 4 {
		if wait := try("day" + strconv.Itoa(i)); wait != 0 {
			t.Errorf("a day later: has to wait %s", wait)
		}
	}
	if err := store.LoginSucceeded(ctx, "IDA@example.com", "day0"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if wait := try("after" + strconv.Itoa(i)); wait != 0 {
			t.Errorf("after a login: has to wait %s", wait)
		}
	}
}
