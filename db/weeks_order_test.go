package db_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/planner"
)

// TestWeekRowsOrder: rows and assignments come by client, project and task, capital letters or not, whatever the order
// in which they are stored.
func TestWeekRowsOrder(t *testing.T) {
	t.Parallel()
	store, pool := dbtest.Store(t)
	ctx := t.Context()
	userID, err := store.CreateUser(ctx, "ida@example.com", "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	shuffled := func(names ...string) []string {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		return names
	}
	week := planner.WeekOf(planner.NewDate(2026, time.November, 23), time.Monday)
	exec("insert into clients (user_id, name) select $1, unnest($2::text[])", userID, shuffled("acme", "Birch", "cedar", "Acme"))
	exec("insert into projects (user_id, client_id, name) select $1, c.id, n from unnest($2::text[]) n, clients c order by random()",
		userID, shuffled("alpha", "Beta", "gamma"))
	exec("insert into tasks (user_id, name) select $1, unnest($2::text[])", userID, shuffled("design", "Editing", "printing", "Review"))
	exec("insert into assignments (user_id, project_id, task_id) select $1, p.id, t.id from projects p, tasks t", userID)
	exec(`insert into cells (user_id, project_id, task_id, date, minutes, version) select $1, p.id, t.id, $2::date + 1, p.id * 10 + t.id, 1
		from projects p, tasks t where (p.id + t.id) % 3 > 0 order by random()`, userID, week.Start.Time())
	exec(`insert into week_rows (user_id, week, project_id, task_id) select $1, $2, p.id, t.id from projects p, tasks t where (p.id + t.id) % 3 = 0`,
		userID, week.Start.Time())

	plan, assignments, err := store.WeekPage(ctx, userID, week)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Rows) != 48 || len(assignments) != 48 {
		t.Fatalf("%d rows and %d assignments, want 48 each", len(plan.Rows), len(assignments))
	}
	for i, row := range plan.Rows {
		if row.ID != assignments[i].ID || row.Client != assignments[i].Client || row.Project != assignments[i].Project || row.Task != assignments[i].Task {
			t.Errorf("row %d is %v %s, the assignment %v", i, row.ID, row.Project, assignments[i])
		}
		kept := (row.ID.ProjectID+row.ID.TaskID)%3 == 0
		want := planner.Minutes(row.ID.ProjectID*10 + row.ID.TaskID)
		if kept {
			want = 0
		}
		if row.Kept != kept || row.Cells[1].Planned != want {
			t.Errorf("row %v: kept %v with %d minutes, want %v with %d", row.ID, row.Kept, row.Cells[1].Planned, kept, want)
		}
		if i == 0 {
			continue
		}
		before := plan.Rows[i-1]
		if got := strings.Compare(strings.ToLower(before.Client), strings.ToLower(row.Client)); got > 0 ||
			got == 0 && before.ClientID > row.ClientID ||
			before.ClientID == row.ClientID && strings.ToLower(before.Project) > strings.ToLower(row.Project) ||
			before.ClientID == row.ClientID && before.Project == row.Project && strings.ToLower(before.Task) >= strings.ToLower(row.Task) {
			t.Errorf("%s/%s/%s comes before %s/%s/%s", before.Client, before.Project, before.Task, row.Client, row.Project, row.Task)
		}
	}
}
