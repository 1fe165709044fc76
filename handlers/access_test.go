package handlers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// The week in which everything of Ada's is, and what it is called. No page of
// anybody else may show any of these words.
const (
	adaEmail = "ada@example.com"
	adaWeek  = "2026-11-23"
	adaOff   = "2026-11-27" // a day off
)

var adaWords = []string{adaEmail, "Ada's client", "Ada's project", "Ada's task", "Ada's note", "Ada's studio", "Ada's token", "Ada's template", "Ada's day off"}

// adaIDs are the ids of what Ada has.
type adaIDs struct {
	user, order, connection, session, write, run, token, job, event, change, client, template, rule int64
	row                                                                                             string
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
		ids.connection = connection
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
		_, err := tx.KeepRow(ctx, ids.user, "ada's row", week, row)
		must(err)
		_, err = tx.EditCell(ctx, ids.user, db.CellEdit{
			Cell: planner.CellID{RowID: row, Date: day}, Planned: planned, Note: &note, MutationID: "ada's edit",
		})
		must(err)
		connection, state, err := tx.LockConnection(ctx, ids.user)
		must(err)
		plan, err := tx.WeekPlan(ctx, ids.user, week)
		must(err)
		must(tx.AddWrites(ctx, ids.user, connection, state, plan, plan.PushLines(nil, day), "ada's push"))
		return nil
	}))
	off, err := planner.ParseDate(adaOff)
	must(err)
	must(b.store.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.ChangePlan(ctx, ids.user, db.PlanChange{
			Kind: planner.ChangeTimeOff, MutationID: "ada's day off", Days: planner.TimeOff{First: off, Last: off, Name: "Ada's day off"}.Take(),
		})
		return err
	}))
	must(b.store.SetRates(ctx, ids.user, map[planner.RowID]planner.Rate{row: {PerHour: planner.Money{Minor: 12_345}, Known: true}}))
	b.loggedIn(adaEmail)
	must(b.pool.QueryRow(ctx, "select id from sessions where user_id = $1", ids.user).Scan(&ids.session))
	writes, err := b.store.Writes(ctx, db.WriteFilter{UserID: ids.user})
	must(err)
	ids.write = writes[0].ID
	_, err = b.store.CreateAPIToken(ctx, ids.user, "Ada's token")
	must(err)
	tokens, err := b.store.APITokens(ctx, ids.user)
	must(err)
	ids.token = tokens[0].ID
	must(b.store.InTx(ctx, func(tx *db.Tx) error {
		must(tx.MakeTemplate(ctx, ids.user, "Ada's template", planner.Pattern{{ID: row}}))
		user, err := b.store.User(ctx, ids.user)
		must(err)
		_, err = tx.MakeRecurrence(ctx, user, planner.Recurrence{
			Row: row, Days: planner.WeekdaysOf(time.Tuesday), Each: planner.Cell{Planned: 30, Note: "Ada's note"}, StartsOn: day, EndsOn: &day, // a Monday: it plans nothing
		}, day, "ada's recurring work")
		return err
	}))
	must(b.pool.QueryRow(ctx, "select id from week_templates where user_id = $1", ids.user).Scan(&ids.template))
	must(b.pool.QueryRow(ctx, "select id from recurrences where user_id = $1", ids.user).Scan(&ids.rule))
	must(b.store.InTx(ctx, func(tx *db.Tx) (err error) {
		ids.order, _, err = tx.OrderAction(ctx, db.ActionOrder{MutationID: "ada's order", ActorID: ids.user, Action: db.ActRetry, Search: db.WriteSearch{UpTo: 1}})
		return err
	}))
	must(b.pool.QueryRow(ctx, "select min(id) from river_job").Scan(&ids.job))
	must(b.pool.QueryRow(ctx, "select id from clients where user_id = $1", ids.user).Scan(&ids.client))
	must(b.pool.QueryRow(ctx, "select min(id) from plan_events where user_id = $1", ids.user).Scan(&ids.event))
	must(b.pool.QueryRow(ctx, "select max(id) from plan_changes where user_id = $1", ids.user).Scan(&ids.change))
	must(b.pool.QueryRow(ctx, "select min(id) from plan_changes where user_id = $1", ids.user).Scan(&ids.change))
	return ids
}

// access is a request for what is Ada's, and what others get.
type access struct {
	pattern string
	path    string
	form    url.Values
	bob     int     // status that another user gets
	open    bool    // anonymous people may ask too
	fresh   bool    // needs a fresh log-in; admin actions always do
	least   db.Role // who may ask; empty: by the address, see leastRole
	staff   int     // status that those with a role get; 0: the same as bob, or any but a refusal of an admin page
}

func accesses(ada adaIDs) []access {
	id := func(n int64) string { return strconv.FormatInt(n, 10) }
	week, cell := "/weeks/"+adaWeek, "/weeks/"+adaWeek+"/cells/"+ada.row+"/0"
	optional := strings.Replace(ada.row, "-", ":", 1)
	const found, gone, done, refused = http.StatusOK, http.StatusNotFound, http.StatusSeeOther, http.StatusUnprocessableEntity
	hold := url.Values{"reason": {"a test"}, "term": {"1h"}}
	order := url.Values{"action": {"retry"}, "up_to": {"9"}, "previewed": {"1"}, "at": {time.Now().Format(time.RFC3339Nano)}}
	return []access{
		{pattern: "GET /healthz", path: "/healthz", bob: found, open: true},
		{pattern: "GET /readyz", path: "/readyz", bob: found, open: true},
		{pattern: "GET /static/", path: "/static/app.css", bob: found, open: true},
		{pattern: "GET /{$}", path: "/", bob: done, open: true},
		{pattern: "GET /setup", path: "/setup", bob: done, open: true},
		{pattern: "POST /setup", path: "/setup", form: url.Values{"email": {"eve@example.com"}, "password": {"a field of barley"}}, bob: http.StatusConflict, open: true},
		{pattern: "GET /login", path: "/login", bob: done, open: true},
		{pattern: "POST /login", path: "/login", form: url.Values{"email": {"eve@example.com"}, "password": {"a field of weeds"}}, bob: refused, open: true},

		{pattern: "GET /login/code", path: "/login/code", bob: done, open: true},
		{pattern: "POST /login/code", path: "/login/code", form: url.Values{"code": {"123456"}}, bob: done, open: true},
		{pattern: "GET /confirm", path: "/confirm?next=/settings", bob: found},
		{pattern: "POST /confirm", path: "/confirm", form: url.Values{"password": {"a field of weeds"}}, bob: refused},

		{pattern: "GET /login/forgot", path: "/login/forgot", bob: found, open: true},
		{pattern: "POST /login/forgot", path: "/login/forgot", form: url.Values{"email": {adaEmail}}, bob: http.StatusConflict, open: true},
		{pattern: "GET /reset/{token}", path: "/reset/nothing", bob: gone, open: true},
		{pattern: "POST /reset/{token}", path: "/reset/nothing", form: url.Values{"password": {"a field of weeds"}}, bob: gone, open: true},
		{pattern: "GET /join/{token}", path: "/join/nothing", bob: gone, open: true},
		{pattern: "POST /join/{token}", path: "/join/nothing", form: url.Values{"password": {"a field of weeds"}}, bob: gone, open: true},

		// Weeks, settings and lists are one's own: they are there, and hold nothing of Ada's.
		{pattern: "GET /week", path: "/week", bob: done},
		{pattern: "GET /weeks/{week}", path: week, bob: found},
		{pattern: "GET /weeks/{week}/push", path: week + "/push", bob: found},
		{pattern: "GET /weeks/{week}/reconcile", path: week + "/reconcile", bob: found},
		{pattern: "GET /weeks/{week}/check", path: week + "/check", bob: found},
		{pattern: "POST /weeks/{week}/check", path: week + "/check", bob: http.StatusConflict},
		{pattern: "GET /weeks/{week}/copy", path: "/weeks/2026-11-30/copy?from=" + adaWeek, bob: found},
		{pattern: "POST /weeks/{week}/copy", path: "/weeks/2026-11-30/copy?from=" + adaWeek, form: url.Values{"mutation_id": {"bob's copy"}, "shown": {""}}, bob: http.StatusConflict},
		{pattern: "GET /weeks/{week}/carry", path: "/weeks/2026-11-30/carry", bob: found},
		{pattern: "POST /weeks/{week}/carry", path: "/weeks/2026-11-30/carry", form: url.Values{"mutation_id": {"bob's carry-over"}, "row": {ada.row}, "day." + ada.row: {"0"}}, bob: http.StatusConflict},
		{pattern: "POST /weeks/{week}/carry/dismiss", path: week + "/carry/dismiss", bob: done},
		{pattern: "GET /weeks/{week}/spread", path: week + "/spread?row=" + ada.row, bob: found},
		{pattern: "POST /weeks/{week}/spread", path: week + "/spread", form: url.Values{"mutation_id": {"bob's spread"}, "shown": {""}, "p." + ada.row + ".6": {"1"}}, bob: http.StatusConflict},
		{pattern: "GET /templates", path: "/templates", bob: found},
		{pattern: "POST /templates", path: "/templates", form: url.Values{"week": {adaWeek}, "name": {""}}, bob: refused},
		{pattern: "GET /recurring", path: "/recurring", bob: found},
		{pattern: "GET /recurring/new", path: "/recurring/new", bob: found},
		{pattern: "GET /weeks/{week}/find", path: week + "/find?q=ada", bob: found},
		{pattern: "GET /weeks/{week}/quick", path: week + "/quick?line=ada+2h&row=" + optional, bob: found},
		{pattern: "POST /weeks/{week}/quick", path: week + "/quick", form: url.Values{"line": {"ada 2h"}, "row": {optional}, "shown": {optional + " ada 2h"}, "version": {"0"}, "mutation_id": {"bob's line"}}, bob: refused},
		{pattern: "GET /palette", path: "/palette?q=ada&week=" + adaWeek, bob: found},
		{pattern: "GET /weeks/{week}/history", path: week + "/history", bob: found},
		{pattern: "GET /sync/status", path: "/sync/status?week=" + adaWeek, bob: found},
		{pattern: "GET /settings", path: "/settings", bob: found},
		{pattern: "POST /settings", path: "/settings", form: url.Values{"week_start": {""}, "time_zone": {""}, "duration_format": {""}}, bob: done},
		{pattern: "POST /settings/theme", path: "/settings/theme", form: url.Values{"theme": {"dark"}}, bob: done},
		{pattern: "GET /settings/week", path: "/settings/week", bob: found},
		{pattern: "POST /weeks/{week}/preview", path: week + "/preview", form: url.Values{"version": {"0"}, "mutation_id": {"bob's preview"}, "p." + ada.row + ".0": {"2"}}, bob: found},
		{pattern: "POST /settings/week", path: "/settings/week", form: url.Values{"capacity-1": {"6:30"}}, bob: done},
		{pattern: "POST /settings/week/off", path: "/settings/week/off", form: url.Values{"first": {adaWeek}, "last": {""}, "name": {"mine"}}, bob: done},
		{pattern: "GET /settings/rates", path: "/settings/rates", bob: found},
		{pattern: "POST /settings/rates/goal", path: "/settings/rates/goal", form: url.Values{"amount": {""}}, bob: done},
		{pattern: "POST /weeks/{week}/days/{date}/off", path: week + "/days/" + adaWeek + "/off", form: url.Values{"off": {"no"}}, bob: done},
		{pattern: "POST /settings/password", path: "/settings/password", form: url.Values{"current_password": {"not it at all"}, "new_password": {"another field"}}, bob: refused, fresh: true},
		{pattern: "GET /settings/second-factor", path: "/settings/second-factor", bob: found},
		{pattern: "POST /settings/second-factor", path: "/settings/second-factor", form: url.Values{"code": {"123456"}}, bob: refused, fresh: true},
		{pattern: "POST /settings/second-factor/begin", path: "/settings/second-factor/begin", bob: done, fresh: true},
		{pattern: "POST /settings/second-factor/codes", path: "/settings/second-factor/codes", bob: gone, fresh: true},
		{pattern: "POST /settings/second-factor/remove", path: "/settings/second-factor/remove", form: url.Values{"code": {"123456"}}, bob: refused, fresh: true},
		{pattern: "GET /settings/sessions", path: "/settings/sessions", bob: found},
		{pattern: "POST /settings/sessions/revoke", path: "/settings/sessions/revoke", bob: done},
		{pattern: "POST /settings/tokens", path: "/settings/tokens", form: url.Values{"name": {""}}, bob: refused, fresh: true},
		{pattern: "GET /settings/delete", path: "/settings/delete", bob: found},
		{pattern: "POST /settings/delete", path: "/settings/delete", form: url.Values{"password": {"a field of weeds"}}, bob: refused, fresh: true},
		{pattern: "GET /settings/export", path: "/settings/export", bob: found},
		{pattern: "POST /settings/export", path: "/settings/export", bob: found, fresh: true},
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
		{pattern: "POST /settings/rates", path: "/settings/rates", form: url.Values{"rate." + ada.row: {"1"}}, bob: gone},
		{pattern: "POST /settings/week/off/remove", path: "/settings/week/off/remove", form: url.Values{"first": {adaOff}, "last": {adaOff}}, bob: gone},
		{pattern: "POST /weeks/{week}/cells", path: week + "/cells", form: url.Values{"version": {"0"}, "p." + ada.row + ".0": {"2"}}, bob: gone},
		{pattern: "GET /weeks/{week}/cells/{row}/{day}", path: cell, bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}", path: cell, form: url.Values{"version": {"0"}, "planned": {"2"}, "note": {"mine"}}, bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/start", path: cell + "/start", form: url.Values{"mutation_id": {"bob's timer"}}, bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/stop", path: cell + "/stop", bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/choose", path: cell + "/choose", form: url.Values{"choice": {"take"}, "version": {"0"}, "mutation_id": {"bob's choice"}}, bob: gone},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/choose", path: cell + "/choose", form: url.Values{"choice": {"restore"}, "version": {"0"}, "mutation_id": {"bob's choice"}, "event": {id(ada.event)}}, bob: gone},
		{pattern: "POST /weeks/{week}/reconcile", path: week + "/reconcile", form: url.Values{"choice": {"take"}, "version": {"0"}, "mutation_id": {"bob's choice"}, "row": {ada.row}, "day": {"0"}}, bob: gone},
		{pattern: "GET /weeks/{week}/check/result", path: week + "/check/result?run=" + id(ada.run), bob: gone},
		{pattern: "POST /weeks/{week}/undo", path: week + "/undo", form: url.Values{"change": {id(ada.change)}}, bob: gone},
		{pattern: "POST /weeks/{week}/redo", path: week + "/redo", bob: http.StatusConflict},
		{pattern: "POST /weeks/{week}/history/undo", path: week + "/history/undo", form: url.Values{"change": {id(ada.change)}}, bob: gone},
		{pattern: "GET /weeks/{week}/history/{change}", path: week + "/history/" + id(ada.change), bob: gone},
		{pattern: "POST /weeks/{week}/history/{change}", path: week + "/history/" + id(ada.change), form: url.Values{"seen": {"0"}, "mutation_id": {"bob's restoring"}}, bob: gone},
		{pattern: "POST /weeks/{week}/rows", path: week + "/rows", form: url.Values{"project_task": {optional}}, bob: refused},
		{pattern: "POST /weeks/{week}/cells/{row}/{day}/move", path: cell + "/move", form: url.Values{"how": {"move"}, "to": {"2026-11-24"}, "version": {"99999"}, "mutation_id": {"bob's move"}}, bob: gone},
		{pattern: "GET /weeks/{week}/rows/{row}", path: week + "/rows/" + ada.row, bob: gone},
		{pattern: "POST /weeks/{week}/rows/order", path: week + "/rows/order", form: url.Values{"row": {ada.row}, "by": {"up"}}, bob: gone},
		{pattern: "POST /weeks/{week}/rows/order", path: week + "/rows/order", form: url.Values{"client": {id(ada.client)}, "by": {"up"}}, bob: gone},
		{pattern: "POST /weeks/{week}/rows/remove", path: week + "/rows/remove", form: url.Values{"row": {ada.row}}, bob: gone},
		{pattern: "POST /weeks/{week}/push", path: week + "/push", form: url.Values{"mutation_id": {"bob's push"}, "line": {ada.row + "/" + adaWeek + "/create/0/150/\"\""}}, bob: gone},
		{pattern: "GET /weeks/{week}/templates/{id}", path: week + "/templates/" + id(ada.template), bob: gone},
		{pattern: "POST /weeks/{week}/templates/{id}", path: week + "/templates/" + id(ada.template), form: url.Values{"mutation_id": {"bob's template"}}, bob: gone},
		{pattern: "POST /templates/{id}/rename", path: "/templates/" + id(ada.template) + "/rename", form: url.Values{"name": {"Bob's"}}, bob: gone},
		{pattern: "POST /templates/{id}/delete", path: "/templates/" + id(ada.template) + "/delete", bob: gone},
		{pattern: "GET /recurring/new", path: "/recurring/new?row=" + ada.row, bob: gone},
		{pattern: "POST /recurring", path: "/recurring", form: ruleForm(ada.row, "bob's recurring work"), bob: gone},
		{pattern: "GET /recurring/{id}", path: "/recurring/" + id(ada.rule), bob: gone},
		{pattern: "POST /recurring/{id}", path: "/recurring/" + id(ada.rule), form: ruleForm(ada.row, "bob's recurring work"), bob: gone},
		{pattern: "POST /recurring/{id}/end", path: "/recurring/" + id(ada.rule) + "/end", form: url.Values{"before": {adaWeek}}, bob: gone},
		{pattern: "GET /api/harvest-sync/{id}", path: "/api/harvest-sync/" + id(ada.run), bob: gone},
		{pattern: "GET /ledger/{id}", path: "/ledger/" + id(ada.write), bob: gone},
		{pattern: "GET /ledger/{id}/live", path: "/ledger/" + id(ada.write) + "/live", bob: gone},
		{pattern: "POST /ledger/{id}/retry", path: "/ledger/" + id(ada.write) + "/retry", bob: gone},
		{pattern: "POST /ledger/{id}/drop", path: "/ledger/" + id(ada.write) + "/drop", bob: gone},
		{pattern: "POST /settings/sessions/{id}/revoke", path: "/settings/sessions/" + id(ada.session) + "/revoke", bob: gone},
		{pattern: "POST /settings/tokens/{id}/revoke", path: "/settings/tokens/" + id(ada.token) + "/revoke", bob: gone},

		// There are no admin pages for somebody who is no admin.
		{pattern: "GET /admin", path: "/admin", bob: gone},
		{pattern: "GET /admin/writes", path: "/admin/writes", bob: gone},
		{pattern: "GET /admin/writes/live", path: "/admin/writes/live", bob: gone},
		{pattern: "GET /admin/writes/preview", path: "/admin/writes/preview?action=retry", bob: gone, least: db.RoleOperator},
		{pattern: "GET /admin/writes/{id}", path: "/admin/writes/" + id(ada.write), bob: gone},
		{pattern: "GET /admin/writes/{id}/live", path: "/admin/writes/" + id(ada.write) + "/live", bob: gone},
		{pattern: "POST /admin/writes/{id}/{action}", path: "/admin/writes/" + id(ada.write) + "/retry", bob: gone},
		{pattern: "GET /admin/orders", path: "/admin/orders", bob: gone},
		{pattern: "POST /admin/orders", path: "/admin/orders", form: order, bob: gone},
		{pattern: "GET /admin/orders/{id}", path: "/admin/orders/" + id(ada.order), bob: gone},
		{pattern: "GET /admin/orders/{id}/live", path: "/admin/orders/" + id(ada.order) + "/live", bob: gone},
		{pattern: "GET /admin/jobs", path: "/admin/jobs", bob: gone},
		{pattern: "GET /admin/jobs/live", path: "/admin/jobs/live", bob: gone},
		{pattern: "GET /admin/jobs/preview", path: "/admin/jobs/preview?action=retry", bob: gone, least: db.RoleOperator},
		{pattern: "POST /admin/jobs/all/{action}", path: "/admin/jobs/all/retry", form: url.Values{"up_to": {"9"}}, bob: gone},
		{pattern: "POST /admin/jobs/{id}/{action}", path: "/admin/jobs/" + id(ada.job) + "/retry", bob: gone},
		{pattern: "GET /admin/live/{tab}", path: "/admin/live/connections", bob: gone},
		{pattern: "GET /admin/connections", path: "/admin/connections", bob: gone},
		{pattern: "GET /admin/connections/{id}", path: "/admin/connections/" + id(ada.connection), bob: gone},
		{pattern: "POST /admin/connections/{id}/pause", path: "/admin/connections/" + id(ada.connection) + "/pause", form: hold, bob: gone},
		{pattern: "POST /admin/connections/{id}/resume", path: "/admin/connections/" + id(ada.connection) + "/resume", bob: gone},
		{pattern: "POST /admin/connections/{id}/sync", path: "/admin/connections/" + id(ada.connection) + "/sync", bob: gone},
		{pattern: "GET /admin/limits", path: "/admin/limits", bob: gone},
		{pattern: "GET /admin/alerts", path: "/admin/alerts", bob: gone},
		{pattern: "GET /admin/limits/{scope}", path: "/admin/limits/provider", bob: gone},
		{pattern: "POST /admin/limits/{scope}/{state}", path: "/admin/limits/provider/open", form: hold, bob: gone},
		{pattern: "GET /admin/queues", path: "/admin/queues", bob: gone},
		{pattern: "GET /admin/queues/{queue}", path: "/admin/queues/push", bob: gone},
		{pattern: "POST /admin/queues/{queue}/pause", path: "/admin/queues/push/pause", form: hold, bob: gone},
		{pattern: "POST /admin/queues/{queue}/resume", path: "/admin/queues/push/resume", bob: gone},
		{pattern: "GET /admin/schedules", path: "/admin/schedules", bob: gone},
		{pattern: "POST /admin/schedules/{name}/run", path: "/admin/schedules/recurrences/run", bob: gone},
		{pattern: "GET /admin/audit", path: "/admin/audit", bob: gone},
		{pattern: "GET /admin/users/invite", path: "/admin/users/invite", bob: gone},
		{pattern: "POST /admin/users/invite", path: "/admin/users/invite", form: url.Values{"email": {"eve@example.com"}, "role": {"admin"}}, bob: gone},
		{pattern: "POST /admin/users/invite/{id}/revoke", path: "/admin/users/invite/1/revoke", bob: gone},
		{pattern: "POST /admin/users/{id}/reset-link", path: "/admin/users/" + id(ada.user) + "/reset-link", bob: gone},
		{pattern: "GET /admin/audit.csv", path: "/admin/audit.csv", bob: gone},
		{pattern: "GET /admin/users/{id}", path: "/admin/users/" + id(ada.user), bob: gone, least: db.RoleViewer},
		{pattern: "POST /admin/users/{id}/role", path: "/admin/users/" + id(ada.user) + "/role", form: url.Values{"role": {"admin"}}, bob: gone},
		{pattern: "GET /admin/users", path: "/admin/users", bob: gone},
		{pattern: "GET /admin/users/{id}/delete", path: "/admin/users/" + id(ada.user) + "/delete", bob: gone},
		{pattern: "POST /admin/users/{id}/delete", path: "/admin/users/" + id(ada.user) + "/delete", form: url.Values{"email": {adaEmail}, "drop": {"yes"}}, bob: gone},

		{pattern: "POST /logout", path: "/logout", bob: done, open: true},
	}
}

// ruleForm makes recurring work of a row, an hour every Tuesday from tomorrow on.
func ruleForm(row, mutation string) url.Values {
	from := planner.DateOf(time.Now().UTC()).AddDays(1) // wherever the reader is
	return url.Values{"mutation_id": {mutation}, "row": {row}, "day": {"2"}, "duration": {"1:00"}, "from": {from.String()}}
}

func (in *browser) ask(a access, header ...string) answer {
	if a.changes() {
		return in.post(a.path, a.form, header...)
	}
	return in.get(a.path, header...)
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
	for _, table := range []string{"cells", "plan_events", "week_rows", "week_templates", "recurrences", "carry_dismissals", "writes", "pushed_entries", "harvest_connections", "sync_runs", "sessions", "second_factors", "api_tokens", "assignments", "time_entries", "client_orders", "row_orders"} {
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
