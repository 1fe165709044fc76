package bench

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/views"
)

// outageLimit is what a page or click may take while Harvest takes half a minute for an answer.
const outageLimit = 100 * time.Millisecond

// BenchmarkHarvestSlow asks for every page and clicks everything while Harvest keeps each answer back for 30 s and jobs
// wait for it. Connecting is left out: it asks Harvest before it stores anything.
func BenchmarkHarvestSlow(b *testing.B) {
	p := start(b, options{rows: 60, seed: "demo", work: true})
	p.sandbox.Fault(b, sandboxtest.Fault{Fault: sandbox.FaultDelay, DelayMS: 30_000})
	c := p.client()
	week := views.WeekPath(p.week)
	htmx := p.client()
	htmx.extra = "HX-Request: true\r\n"
	cell := func() string {
		version := queryOne[int64](p, "select max(id) from plan_events")
		return url.Values{"version": {strconv.FormatInt(version, 10)}, p.cellField(2): {strconv.FormatInt(version%500+1, 10) + "m"}}.Encode()
	}
	key := strings.Split(p.cellField(2), ".")[1]
	pushed := ""
	written := func() string {
		return views.WritePath(queryOne[int64](p, "select max(id) from writes"))
	}
	// Of several tries the median counts: who waits for Harvest waits each time, and a busy machine is not Harvest.
	taken := map[string][]time.Duration{}
	once(b, func() {
		ask := func(route string, c *client, method, path, form string, statuses ...int) {
			for i := 0; i < 3; i++ {
				if method == "POST" && i > 0 {
					break
				}
				asked := time.Now()
				a := c.do(method, path, form)
				took := time.Since(asked)
				ok := false
				for _, status := range statuses {
					ok = ok || a.status == status
				}
				if !ok {
					b.Fatalf("%s: status %d: %.300s", route, a.status, a.body)
				}
				taken[route] = append(taken[route], took)
			}
		}
		get := func(path string) { ask("GET "+path, c, "GET", path, "", 200, 303) }
		// The jobs that wait for Harvest first.
		ask("POST /api/harvest-sync", c, "POST", "/api/harvest-sync", "", 202)
		pushed = p.reviewed(c)
		ask("POST push", c, "POST", week+"/push", pushed, 303)
		p.waitForJobs(2)
		for _, path := range []string{
			"/", "/healthz", "/readyz", views.ThisWeekPath, week, week + "/push", week + "/cells/" + key + "/2", views.SyncStatusPath + "?week=" + p.week.String(),
			views.LedgerPath, written(), views.SettingsPath, views.HarvestPath, views.AdminPath, views.AdminWritesPath, views.AdminJobsPath,
			views.AdminConnsPath, views.AdminLimitsPath, views.AdminAuditPath, views.AdminUsersPath,
		} {
			get(path)
		}
		ask("POST cells", htmx, "POST", week+"/cells", cell(), 200)
		ask("POST cells, no script", c, "POST", week+"/cells", cell(), 303)
		ask("POST sync", htmx, "POST", week+"/sync", "", 200)
		ask("POST sync, no script", c, "POST", week+"/sync", "", 303)
		ask("POST rows", c, "POST", week+"/rows", url.Values{"project_task": {strings.ReplaceAll(key, "-", ":")}}.Encode(), 303, 422)
		ask("POST rows/remove", c, "POST", week+"/rows/remove", url.Values{"row": {key}}.Encode(), 303, 404)
		ask("POST ledger drop", c, "POST", written()+"/drop", url.Values{"reason": {"not needed"}}.Encode(), 303, 409, 422)
		ask("POST ledger retry", c, "POST", written()+"/retry", "", 303, 409)
		ask("POST admin retry", c, "POST", views.AdminActPath(queryOne[int64](p, "select max(id) from writes"), "retry"), "", 200, 303, 409, 422)
		ask("GET /api/harvest-sync/{id}", c, "GET", "/api/harvest-sync/"+strconv.FormatInt(queryOne[int64](p, "select max(id) from sync_runs"), 10), "", 200)
		ask("POST settings", c, "POST", views.SettingsPath, "", 200, 303, 422)

		worst := ""
		slowest := map[string]time.Duration{}
		for _, route := range slices.Sorted(maps.Keys(taken)) {
			slowest[route] = median(slices.Clone(taken[route]))
			if worst == "" || slowest[route] > slowest[worst] {
				worst = route
			}
			if slowest[route] >= outageLimit {
				b.Logf("%s took %s", route, slowest[route])
			}
		}
		b.ReportMetric(milliseconds(slowest[worst]), "slowest-ms")
		b.ReportMetric(float64(len(slowest)), "routes")
		table.add(fmt.Sprintf("Harvest 30 s late, slowest of %d routes", len(slowest)), millis(slowest[worst])+", "+worst, "", "", "< 100 ms each", slowest[worst] < outageLimit)
		p.exec("update sync_runs set state = 'done' where state in ('queued', 'running', 'waiting')")
	})
}

// waitForJobs waits until n jobs run, and so hang on Harvest.
func (p *program) waitForJobs(n int) {
	p.tb.Helper()
	for range 500 {
		if queryOne[int](p, "select count(*) from river_job where state = 'running'") >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.tb.Fatalf("fewer than %d jobs wait for Harvest", n)
}
