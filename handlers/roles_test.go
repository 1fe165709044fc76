package handlers

import (
	"cmp"
	"crypto/md5"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"furrow/db"
)

// leastRole is who may use a route, by its address: a rule apart from how routes
// are registered. A row of the table whose route is an exception says so.
func (a access) leastRole() db.Role {
	method, address, _ := strings.Cut(a.pattern, " ")
	switch {
	case a.least != "":
		return a.least
	case address != "/admin" && !strings.HasPrefix(address, "/admin/"):
		return db.RoleUser
	case strings.HasPrefix(address, "/admin/users/"):
		return db.RoleAdmin
	case method == http.MethodGet:
		return db.RoleViewer
	default:
		return db.RoleOperator
	}
}

// needsFresh reports whether a route needs a fresh log-in: every admin action
// does, and what the table marks.
func (a access) needsFresh() bool {
	return a.fresh || a.leastRole() != db.RoleUser && a.changes()
}

func (a access) changes() bool { return strings.HasPrefix(a.pattern, http.MethodPost) }

// asker is somebody with a role and nothing of their own.
type asker struct {
	*browser
	name  string
	role  db.Role
	stale bool // logged in too long ago for what matters
}

func (b *testBundle) askers() []asker {
	var all []asker
	for _, role := range db.Roles() {
		for _, stale := range []bool{false, true} {
			if stale && role != db.RoleUser && role != db.RoleAdmin {
				continue
			}
			name := fmt.Sprintf("%s, stale: %t", role, stale)
			email := strings.NewReplacer(", ", "-", ": ", "-").Replace(name) + "@example.com"
			id := b.user(email, false)
			if err := b.store.SetRole(b.t.Context(), email, role); err != nil {
				b.t.Fatal(err)
			}
			all = append(all, asker{b.loggedIn(email), name, role, stale})
			if !stale {
				continue
			}
			b.exec("update sessions set authenticated_at = now() - $1::interval where user_id = $2", db.FreshLogin, id)
		}
	}
	return all
}

// Nobody gets from any route more than their role allows, neither as a page nor
// as a fragment, and what is refused changes nothing. Whoever may, gets through.
func TestEveryRouteForEveryRole(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) {
		d.OAuth = &OAuth{AuthorizeURL: func(string, string, string) string { return "https://id.example.com/authorize" }}
	})
	ada := b.ada()
	b.exec("insert into api_gates (scope, step, burst) values ('provider', '1 second', 5)")
	table := slices.DeleteFunc(accesses(ada), func(a access) bool { return a.open && a.changes() }) // the same for everybody
	// What deletes comes last: the rest needs what it deletes.
	slices.SortStableFunc(table, func(a, c access) int { return cmp.Compare(a.deletes(), c.deletes()) })
	nobody, askers := b.browser(), b.askers()

	before := b.everything()
	for _, a := range table {
		if got := nobody.ask(a, "HX-Request", "true"); !a.open && got.status != http.StatusUnauthorized && !strings.HasPrefix(got.header.Get("HX-Redirect"), "/login?next=") {
			t.Errorf("nobody's %s for a fragment: status %d, want 401 or the login page", a.pattern, got.status)
		}
		for _, who := range askers {
			want, h1 := http.StatusNotFound, "Not found"
			switch {
			case !who.role.May(a.leastRole()):
			case who.stale && a.needsFresh():
				want, h1 = http.StatusForbidden, "Confirm that it is you"
			default:
				continue
			}
			if got := who.ask(a); got.status != want || got.text(t, "h1") != h1 {
				t.Errorf("%s's %s: status %d, want %d: %s", who.name, a.pattern, got.status, want, got.text(t, "h1"))
			}
			if got := who.ask(a, "HX-Request", "true"); got.status != want || want == http.StatusForbidden && !strings.HasPrefix(got.header.Get("HX-Redirect"), "/confirm?next=") {
				t.Errorf("%s's %s for a fragment: status %d, want %d", who.name, a.pattern, got.status, want)
			}
		}
	}
	for name, sum := range b.everything() {
		if before[name] != sum {
			t.Errorf("what was refused changed table %s", name)
		}
	}

	for _, a := range table {
		for _, who := range askers {
			if !who.role.May(a.leastRole()) || who.stale && a.needsFresh() {
				continue
			}
			want := []int{a.bob} // a role alone gives no way into what is somebody else's
			switch {
			case who.role == db.RoleUser:
			case a.staff != 0:
				want = []int{a.staff}
			case a.leastRole() != db.RoleUser:
				want = []int{http.StatusOK, http.StatusSeeOther, http.StatusConflict, http.StatusUnprocessableEntity}
			}
			if got := who.ask(a); !slices.Contains(want, got.status) {
				t.Errorf("%s's %s: status %d, want one of %v", who.name, a.pattern, got.status, want)
			}
		}
	}
}

// deletes is 1 for what takes away what others need.
func (a access) deletes() int {
	if strings.HasSuffix(a.pattern, "/delete") && a.changes() {
		return 1
	}
	return 0
}

// everything is a sum of each table but those of log-ins, which every request may change.
func (b *testBundle) everything() map[string]string {
	b.t.Helper()
	rows, err := b.pool.Query(b.t.Context(), `
select tablename, (xpath('/row/t/text()', query_to_xml(format('select string_agg(x::text, e''\n'' order by x::text) as t from %I x', tablename), true, true, '')))[1]::text
from pg_tables where schemaname = 'public' and tablename not in ('sessions', 'login_throttles')`)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	sums := map[string]string{}
	for rows.Next() {
		var name string
		var text *string
		if err := rows.Scan(&name, &text); err != nil {
			b.t.Fatal(err)
		}
		if text != nil {
			sums[name] = fmt.Sprintf("%x", md5.Sum([]byte(*text)))
		}
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	if len(sums) < 20 {
		b.t.Fatalf("only %d tables hold anything", len(sums))
	}
	return sums
}
