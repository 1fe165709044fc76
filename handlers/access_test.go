package handlers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// The week in which everything of Ada's is, and what it is called. No page of
// anybody else may show any of these words.
const (
	adaEmail = "ada@example.com"
	adaWeek  = "2026-11-23"
)

var adaWords = []string{adaEmail, "Ada's client", "Ada's project", "Ada's task", "Ada's note", "Ada's studio", "Ada's token"}

// adaIDs are the ids of what Ada has.
type adaIDs struct {
	user, write, run, token, job, event int64
	row                                 string
}

// ada makes somebody with one of everything: a connection, a row, a cell, a
// write, a sync run, a job and an API token.
func (b *testBundle) ada() adaIDs {
	b.t.Helper()
	ctx := b.t.Context()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	ids := adaIDs{user: b.user(adaEmail, false)}
	day, err := planner.ParseDate(adaWeek)
	must(err)
	week := planner.Week{Start: day}
	must(b.store.InTx(ctx, func(tx *db.Tx) error {
		connection, err := tx.Connect(ctx, ids.user, "ada's secret token", ledger.Account{
			AccountID: 1, UserID: 2, CompanyName: "Ada's studio", WeekStart: 1, TimeZone: "UTC", Clock: "24h", DurationFormat: planner.HoursMinutes,
		})
		must(err)
		ids.run, _, err = tx.StartRun(ctx, ids.user, db.TriggerUser, nil, day)
		must(err)
		must(b.queue.Pull(ctx, tx, ids.run))
		must(b.queue.Push(ctx, tx, connection))
		return nil
	}))
	run, err := b.store.Run(ctx, ids.run, b.clockNow())
	must(err)
	must(b.store.Mirror(run).SaveAssignments(ctx, []ledger.Assignment{{
		ClientID: 1, ClientName: "Ada's client", Currency: "EUR", ProjectID: 2, ProjectName: "Ada's project", TaskID: 3, TaskName: "Ada's task",
	}}))
	_, assignments, err := b.store.WeekPage(ctx, ids.user, week)
	must(err)
	row := assignments[0].ID
	ids.row = rowKey(row)
	must(b.store.InTx(ctx, func(tx *db.Tx) error {
		planned, note := planner.Minutes(90), "Ada's note"
		must(tx.KeepRow(ctx, ids.user, week, row))
		_, err := tx.EditCell(ctx, ids.user, db.CellEdit{
			Cell: ledger.CellID{RowID: row, Date: day}, Planned: &planned, Note: &note, MutationID: "ada's edit",
		})
		must(err)
		connection, state, err := tx.LockConnection(ctx, ids.user)
		must(err)
		plan, err := tx.WeekPlan(ctx, ids.user, week)
		must(err)
		must(tx.AddWrites(ctx, ids.user, connection, state, plan, plan.PushLines(nil, day), "ada's push"))
		return nil
	}))
	writes, err := b.store.Writes(ctx, db.WriteFilter{UserID: ids.user})
	must(err)
	ids.write = writes[0].ID
	_, err = b.store.CreateAPIToken(ctx, ids.user, "Ada's token")
	must(err)
	tokens, err := b.store.APITokens(ctx, ids.user)
	must(err)
	ids.token = tokens[0].ID
	must(b.pool.QueryRow(ctx, "select min(id) from river_job").Scan(&ids.job))
	must(b.pool.QueryRow(ctx, "select min(id) from plan_events where user_id = $1", ids.user).Scan(&ids.event))
	return ids
}

// access is a request for what is Ada's, and what others get.
type access struct {
	pattern string
	path    string
	form    url.Values
	bob     int  // status that another user gets
	open    bool // anonymous people may ask too
}

func accesses(ada adaIDs) []access {
	id := func(n int64) string { return strconv.FormatInt(n, 10) }
	week, cell := "/weeks/"+adaWeek, "/weeks/"+adaWeek+"/cells/"+ada.row+"/0"
	optional := strings.Replace(ada.row, "-", ":", 1)
	const found, gone, done, refused = http.StatusOK, http.StatusNotFound, http.StatusSeeOther, http.StatusUnprocessableEntity
	return []access{
		{pattern: "GET /healthz", path: "/healthz", bob: found, open: true},
		{pattern: "GET /readyz", path: "/readyz", bob: found, open: true},
		{pattern: "GET /static/", path: "/static/app.css", bob: found, open: true},
		{pattern: "GET /{$}", path: "/", bob: done, open: true},
		{pattern: "GET /setup", path: "/setup", bob: done, open: true},
		{pattern: "POST /setup", path: "/setup", form: url.Values{"email": {"eve@example.com"}, "password": {"a field of barley"}}, bob: http.StatusConflict, open: true},
		{pattern: "GET /login", path: "/login", bob: done, open: true},
		{pattern: "POST /login", path: "/login", form: url.Values{"email": {"eve@example.com"}, "password": {"a field of weeds"}}, bob: refused, open: true},

		// Weeks, settings and lists are one's own: they are there, and hold nothing of Ada's.
		{pattern: "GET /week", path: "/week", bob: done},
		{pattern: "GET /weeks/{week}", path: week, bob: found},
		{pattern: "GET /weeks/{week}/push", path: week + "/push", bob: found},
		{pattern: "GET /weeks/{week}/reconcile", path: week + "/reconcile", bob: found},
		{pattern: "GET /weeks/{week}/check", path: week + "/check", bob: found},
		{pattern: "POST /weeks/{week}/check", path: week + "/check", bob: http.StatusConflict},
		{pattern: "GET /sync/status", path: "/sync/status?week=" + adaWeek, bob: found},
		{pattern: "GET /settings", path: "/settings", bob: found},
		{pattern: "POST /settings", path: "/settings", form: url.Values{"week_start": {""}, "time_zone": {""}, "duration_format": {""}}, bob: done},
		{pattern: "POST /settings/password", path: "/settings/password", form: url.Values{"current_password": {"not it at all"}, "new_password": {"another field"}}, bob: refused},
		{pattern: "POST /settings/tokens", path: "/settings/tokens", form: url.Values{"name": {""}}, bob: refused},
		{pattern: "GET /settings/harvest", path: "/settings/harvest", bob: found},
		{pattern: "POST /settings/harvest", path: "/settings/harvest", form: url.Values{"token": {""}, "account_id": {"1"}}, bob: refused},
		{pattern: "POST /settings/harvest/disconnect", path: "/settings/harvest/disconnect", bob: gone},
		{pattern: "POST /settings/harvest/oauth", path: "/settings/harvest/oauth", bob: done},
		{pattern: "GET /settings/harvest/callback", path: "/settings/harvest/callback?state=ada&code=hers", bob: done},
		{pattern: "GET /settings/harvest/account", path: "/settings/harvest/account", bob: done},
		{pattern: "POST /settings/harvest/account", path: "/settings/harvest/account", form: url.Values{"account_id": {"1"}}, bob: done},
		{pattern: "GET /ledger", path: "/ledger", bob: found},
		{pattern: "GET /ledger/live", path: "/ledger/live", bob: found},
		{pattern: "GET /ledger.csv", path: "/ledger.csv", bob: found},
		{pattern: "POST /weeks/{week}/sync", path: week + "/sync", bob: http.StatusConflict},
		{pattern: "POST /api/harvest-sync", path: "/api/harvest-sync", bob: http.StatusConflict},
		{pattern: "POST /sandbox/outage", path: "/sandbox/outage", form: url.Values{"mode": {"well"}, "next": {"/"}}, bob: done},

		// Whatever has an id of Ada's is not there.
		{pattern: "POST /weeks/{week}/cells", path: week + "/cells", form: url.Values{"version": {"0"}, "p." + ada.row + ".0": {"2"}}, bob: gone},
		{pattern: "GET /weeks/{week}/cells/{row}/{day}", path: cell, bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}", path: cell, form: url.Values{"version": {"0"}, "planned": {"2"}, "note": {"mine"}}, bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/start", path: cell + "/start", form: url.Values{"mutation_id": {"bob's timer"}}, bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/stop", path: cell + "/stop", bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/choose", path: cell + "/choose", form: url.Values{"choice": {"take"}, "version": {"0"}, "mutation_id": {"bob's choice"}}, bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/choose", path: cell + "/choose", form: url.Values{"choice": {"restore"}, "version": {"0"}, "mutation_id": {"bob's choice"}, "event": {id(ada.event)}}, bob: gone},
		{pattern: "POST /weeks/{week}/reconcile", path: week + "/reconcile", form: url.Values{"choice": {"take"}, "version": {"0"}, "mutation_id": {"bob's choice"}, "row": {ada.row}, "day": {"0"}}, bob: gone},
		{pattern: "GET /weeks/{week}/check/result", path: week + "/check/result?run=" + id(ada.run), bob: gone},
		{pattern: "POST /weeks/{week}/rows", path: week + "/rows", form: url.Values{"project_task": {optional}}, bob: refused},
		{pattern: "POST /weeks/{week}/rows/remove", path: week + "/rows/remove", form: url.Values{"row": {ada.row}}, bob: gone},
		{pattern: "POST /weeks/{week}/push", path: week + "/push", form: url.Values{"mutation_id": {"bob's push"}, "line": {ada.row + "/" + adaWeek + "/create/0/150/\"\""}}, bob: gone},
		{pattern: "GET /api/harvest-sync/{id}", path: "/api/harvest-sync/" + id(ada.run), bob: gone},
		{pattern: "GET /ledger/{id}", path: "/ledger/" + id(ada.write), bob: gone},
		{pattern: "GET /ledger/{id}/live", path: "/ledger/" + id(ada.write) + "/live", bob: gone},
		{pattern: "POST /ledger/{id}/retry", path: "/ledger/" + id(ada.write) + "/retry", bob: gone},
		{pattern: "POST /ledger/{id}/drop", path: "/ledger/" + id(ada.write) + "/drop", bob: gone},
		{pattern: "POST /settings/tokens/{id}/revoke", path: "/settings/tokens/" + id(ada.token) + "/revoke", bob: gone},

		// There are no admin pages for somebody who is no admin.
		{pattern: "GET /admin", path: "/admin", bob: gone},
		{pattern: "GET /admin/writes", path: "/admin/writes", bob: gone},
		{pattern: "POST /admin/writes/retry", path: "/admin/writes/retry", bob: gone},
		{pattern: "POST /admin/writes/{id}/retry", path: "/admin/writes/" + id(ada.write) + "/retry", bob: gone},
		{pattern: "GET /admin/jobs", path: "/admin/jobs", bob: gone},
		{pattern: "POST /admin/jobs/retry", path: "/admin/jobs/retry", bob: gone},
		{pattern: "POST /admin/jobs/{id}/retry", path: "/admin/jobs/" + id(ada.job) + "/retry", bob: gone},
		{pattern: "GET /admin/connections", path: "/admin/connections", bob: gone},
		{pattern: "GET /admin/limits", path: "/admin/limits", bob: gone},
		{pattern: "POST /admin/limits/{scope}/{state}", path: "/admin/limits/provider/open", bob: gone},
		{pattern: "GET /admin/audit", path: "/admin/audit", bob: gone},
		{pattern: "GET /admin/users", path: "/admin/users", bob: gone},

		{pattern: "POST /logout", path: "/logout", bob: done, open: true},
	}
}

func (in *browser) ask(a access) answer {
	if strings.HasPrefix(a.pattern, "POST ") {
		return in.post(a.path, a.form)
	}
	return in.get(a.path)
}

// Another user gets nothing of Ada's from any route, changes nothing of hers,
// and anonymous people get the login page. A route that is not in the table
// fails the test.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	var patterns []string
	b := setup(t, func(d *Deps) {
		d.OAuth = &OAuth{AuthorizeURL: func(string, string, string) string { return "https://id.example.com/authorize" }}
		patterns = newSite(*d).routes(*d).patterns
	})
	ada := b.ada()
	b.user(bobEmail, false)
	table := accesses(ada)

	covered := map[string]bool{}
	for _, a := range table {
		covered[a.pattern] = true
	}
	for _, pattern := range patterns {
		if !covered[pattern] {
			t.Errorf("no access is tested for %s", pattern)
		}
	}
	before := b.everythingOf(ada.user)

	anonymous := b.browser()
	for _, a := range table {
		if a.open {
			continue
		}
		got := anonymous.ask(a)
		switch {
		case strings.HasPrefix(a.path, "/api/"):
			if got.status != http.StatusUnauthorized {
				t.Errorf("anonymous %s: status %d, want 401", a.pattern, got.status)
			}
		case strings.HasPrefix(a.pattern, "GET "):
			if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location(), "/login?next=") {
				t.Errorf("anonymous %s: status %d to %q, want the login page", a.pattern, got.status, got.location())
			}
		default:
			if got.status != http.StatusUnauthorized {
				t.Errorf("anonymous %s: status %d, want 401", a.pattern, got.status)
			}
		}
	}

	bob := b.loggedIn(bobEmail)
	for _, a := range table {
		got := bob.ask(a)
		if got.status != a.bob {
			t.Errorf("Bob's %s: status %d, want %d", a.pattern, got.status, a.bob)
		}
		for _, word := range adaWords {
			if strings.Contains(got.body, word) || strings.Contains(got.body, strings.ReplaceAll(word, "'", "&#39;")) {
				t.Errorf("Bob's %s shows %q", a.pattern, word)
			}
		}
	}
	if after := b.everythingOf(ada.user); after != before {
		t.Errorf("something of Ada's changed:\n%s\nwas\n%s", after, before)
	}

	// The table can fail: Ada sees what Bob does not.
	in := b.loggedIn(adaEmail)
	for _, path := range []string{"/weeks/" + adaWeek, "/ledger/" + strconv.FormatInt(ada.write, 10), "/settings/harvest"} {
		got := in.get(path)
		if got.status != http.StatusOK || !slices.ContainsFunc(adaWords, func(word string) bool { return strings.Contains(got.body, strings.ReplaceAll(word, "'", "&#39;")) }) {
			t.Errorf("Ada's %s: status %d, without anything of hers", path, got.status)
		}
	}
}

// everythingOf is all rows of a user, as text.
func (b *testBundle) everythingOf(userID int64) string {
	b.t.Helper()
	all := map[string]string{}
	for _, table := range []string{"cells", "plan_events", "week_rows", "writes", "pushed_entries", "harvest_connections", "sync_runs", "api_tokens", "assignments", "time_entries"} {
		var text string
		err := b.pool.QueryRow(b.t.Context(), "select coalesce(string_agg(t::text, e'\\n' order by t::text), '') from "+table+" t where user_id = $1", userID).Scan(&text)
		if err != nil {
			b.t.Fatal(err)
		}
		all[table] = text
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}
