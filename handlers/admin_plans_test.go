package handlers

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"furrow/db"
	"furrow/db/dbtest"
)

// asked notes queries.
type asked struct {
	lock    sync.Mutex
	queries []pgx.TraceQueryStartData
}

func (a *asked) note(query pgx.TraceQueryStartData) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.queries = append(a.queries, query)
}

// take returns what was asked since it was last called.
func (a *asked) take() []pgx.TraceQueryStartData {
	a.lock.Lock()
	defer a.lock.Unlock()
	queries := a.queries
	a.queries = nil
	return queries
}

// grows is what must never be read as a whole.
var grows = regexp.MustCompile(`Seq Scan on (writes|write_attempts|river_job|audit_events)\b`)

// TestAdminPlans asks PostgreSQL how it would answer the queries of each admin
// page. A page that is not in the file is not kept fast by it.
func TestAdminPlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := dbtest.Many(t.Context(), b.pool, 12_000, 12_000); err != nil {
		t.Fatal(err)
	}
	root := b.staff(db.RoleAdmin)
	addresses, err := os.ReadFile("testdata/admin_addresses.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen, explained := &asked{}, 0
	b.asked.Store(seen)
	for address := range strings.Lines(string(addresses)) {
		address = strings.TrimSpace(address)
		if !strings.HasPrefix(address, "/") {
			continue
		}
		seen.take()
		if got := root.get(address); got.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", address, got.status, got.text(t, "main"))
		}
		for _, query := range seen.take() {
			sql := strings.TrimSpace(query.SQL)
			if !slices.ContainsFunc([]string{"writes", "river_job", "audit_events", "write_attempts"}, func(table string) bool { return strings.Contains(sql, table) }) ||
				!regexp.MustCompile(`(?i)^(--[^\n]*\n)*\s*(select|with)`).MatchString(sql) {
				continue
			}
			rows, err := b.pool.Query(t.Context(), "explain "+sql, query.Args...)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatalf("explain for %s: %v\n%s", address, err, sql)
			}
			explained++
			if plan := strings.Join(lines, "\n"); grows.MatchString(plan) {
				t.Errorf("%s reads all there is:\n%s\n%s", address, sql, plan)
			}
		}
	}
	if explained < 200 {
		t.Errorf("only %d queries were seen", explained)
	}
}
