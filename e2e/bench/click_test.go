package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// clicks times n clicks; prepare, which is not timed, comes before each.
func clicks(n int, prepare, click func()) sample {
	latencies := make([]time.Duration, n)
	var elapsed time.Duration
	for i := range latencies {
		prepare()
		asked := time.Now()
		click()
		latencies[i] = time.Since(asked)
		elapsed += latencies[i]
	}
	return sampleOf(latencies, elapsed)
}

func expect(a answer, status int) {
	if a.status != status {
		panic(fmt.Sprintf("status %d, want %d: %s", a.status, status, a.body))
	}
}

// BenchmarkClick answers clicks that store something, beside a bare handler that stores a row and a job.
func BenchmarkClick(b *testing.B) {
	p := start(b, options{rows: 60})
	f := newFloors(p)
	c, floor := p.client(), newClient(b, f.serve(), p.cookie)
	token, err := p.store.CreateAPIToken(p.ctx(), p.userID, "benchmark")
	if err != nil {
		b.Fatal(err)
	}
	bearer := newClient(b, p.address, "")
	bearer.extra = "Authorization: Bearer " + token.Reveal() + "\r\n"
	fragment := p.client()
	fragment.extra = "HX-Request: true\r\n"

	endRun := func() {
		p.exec("update sync_runs set state = 'done' where user_id = $1 and state = 'queued'", p.userID)
	}
	var form string
	minutes := 0
	typeCell := func() {
		version := queryOne[int64](p, "select max(id) from plan_events where user_id = $1", p.userID)
		minutes = minutes%600 + 5
		form = url.Values{"version": {strconv.FormatInt(version, 10)}, p.cellField(1): {strconv.Itoa(minutes) + "m"}}.Encode()
	}
	for _, click := range []struct {
		name, aim string
		most      float64
		prepare   func()
		do        func()
	}{
		{"POST /api/harvest-sync to 202", "<= 1.00", 1, endRun, func() { expect(c.post("/api/harvest-sync", ""), http.StatusAccepted) }},
		{"the same with a token", "", 0, endRun, func() { expect(bearer.post("/api/harvest-sync", ""), http.StatusAccepted) }},
		{"sync, one under way", "", 0, func() {}, func() { expect(c.post("/api/harvest-sync", ""), http.StatusAccepted) }},
		{"cell stored, row answered", "<= 1.00", 1, typeCell, func() { expect(fragment.post(views.WeekCellsPath(p.week), form), http.StatusOK) }},
		{"cell stored, without script", "", 0, typeCell, func() { expect(c.post(views.WeekCellsPath(p.week), form), http.StatusSeeOther) }},
	} {
		b.Run(click.name, func(b *testing.B) {
			floorClick := func() { expect(floor.post("/click", ""), http.StatusAccepted) }
			clicks(30, click.prepare, click.do)
			clicks(30, click.prepare, floorClick)
			before := p.trips.Load()
			click.prepare()
			click.do()
			trips := p.trips.Load() - before
			once(b, func() {
				r := compare(9, func() sample { return clicks(40, click.prepare, click.do) },
					func() sample { return clicks(40, click.prepare, floorClick) })
				b.ReportMetric(r.p50Ratio, "ratio")
				b.ReportMetric(milliseconds(r.ours.p50), "p50-ms")
				b.ReportMetric(milliseconds(r.floor.p50), "floor-p50-ms")
				b.ReportMetric(float64(trips), "trips")
				table.add(click.name, fmt.Sprintf("p50 %s, %d trips", millis(r.ours.p50), trips), "p50 "+millis(r.floor.p50), ratioOf(r.p50Ratio),
					click.aim, r.p50Ratio <= click.most)
			})
		})
	}
}

// cellField names the cell of the first row on a day.
func (p *program) cellField(day int) string {
	key := queryOne[string](p, `select a.project_id || '-' || a.task_id from cells a where a.user_id = $1 and a.date between $2 and $3 order by 1 limit 1`,
		p.userID, p.week.Start.Time(), p.week.End().Time())
	return views.CellField(key, day)
}

// starts is the store as workers see it: it tells when a job begins, and leaves it nothing to do.
type starts struct {
	*db.Store
	began chan time.Time
}

func (s *starts) Run(context.Context, int64, time.Time) (ledger.Run, error) {
	s.began <- time.Now()
	return ledger.Run{State: ledger.RunDone}, nil
}

func (s *starts) TakeOutbox(context.Context, int64, time.Duration, func(planner.Date) string) (ledger.LeasedOutbox, bool, error) {
	s.began <- time.Now()
	return nil, false, nil
}

// floorWorker tells when the floor's job begins.
type floorWorker struct {
	river.WorkerDefaults[floorArgs]
	began chan time.Time
}

func (w *floorWorker) Work(context.Context, *river.Job[floorArgs]) error {
	w.began <- time.Now()
	return nil
}

// BenchmarkJobStart times from the click to the first line of its job, through the real queue, beside a bare queue
// behind the click floor.
func BenchmarkJobStart(b *testing.B) {
	began := make(chan time.Time, 100)
	p := start(b, options{rows: 60, work: true, watch: func(s *db.Store) jobs.Store { return &starts{s, began} }})
	f := newFloors(p)
	floorBegan := make(chan time.Time, 100)
	stop := f.work(floorBegan)
	defer stop()
	c, floor := p.client(), newClient(b, f.serve(), p.cookie)

	timed := func(n int, began chan time.Time, prepare, click func()) sample {
		latencies := make([]time.Duration, n)
		for i := range latencies {
			prepare()
			asked := time.Now()
			click()
			latencies[i] = (<-began).Sub(asked)
		}
		return sampleOf(latencies, time.Second)
	}
	var review string
	for _, click := range []struct {
		name    string
		prepare func()
		do      func()
	}{
		{"sync to job start", func() {
			p.exec("update sync_runs set state = 'done' where user_id = $1 and state = 'queued'", p.userID)
		}, func() { expect(c.post("/api/harvest-sync", ""), http.StatusAccepted) }},
		{"push to job start", func() {
			p.exec("delete from pushed_entries where user_id = $1 and remote_id is null", p.userID)
			review = p.reviewed(c)
		}, func() { expect(c.post(views.PushPath(p.week, nil), review), http.StatusSeeOther) }},
	} {
		b.Run(click.name, func(b *testing.B) {
			ours := func(n int) sample { return timed(n, began, click.prepare, click.do) }
			bare := func(n int) sample {
				return timed(n, floorBegan, click.prepare, func() { expect(floor.post("/click", ""), http.StatusAccepted) })
			}
			ours(20)
			bare(20)
			once(b, func() {
				r := compare(7, func() sample { return ours(40) }, func() sample { return bare(40) })
				b.ReportMetric(milliseconds(r.ours.p50), "p50-ms")
				b.ReportMetric(milliseconds(r.ours.p99), "p99-ms")
				b.ReportMetric(milliseconds(r.floor.p50), "floor-p50-ms")
				b.ReportMetric(milliseconds(r.floor.p99), "floor-p99-ms")
				b.ReportMetric(r.p50Ratio, "ratio")
				table.add(click.name, "p50 "+millis(r.ours.p50)+", p99 "+millis(r.ours.p99), "p50 "+millis(r.floor.p50)+", p99 "+millis(r.floor.p99),
					ratioOf(r.p50Ratio), "p50 <= 3 ms, p99 <= 12 ms", r.ours.p50 <= 3*time.Millisecond && r.ours.p99 <= 12*time.Millisecond)
			})
		})
	}
}

// work works the floor's jobs as fast as a queue can, until stop is called.
func (f *floors) work(began chan time.Time) (stop func()) {
	f.p.tb.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, &floorWorker{began: began})
	const queue = "floor"
	config := func() *river.Config { return &river.Config{Logger: quiet(), FetchCooldown: time.Millisecond} }
	working := config()
	working.Workers, working.Queues = workers, map[string]river.QueueConfig{queue: {MaxWorkers: 10}}
	worker, err := river.NewClient(riverpgxv5.New(f.p.queuePool), working)
	if err != nil {
		f.p.tb.Fatal(err)
	}
	if f.river, err = river.NewClient(riverpgxv5.New(f.pool), config()); err != nil {
		f.p.tb.Fatal(err)
	}
	f.insert = &river.InsertOpts{Queue: queue}
	if err := worker.Start(f.p.ctx()); err != nil {
		f.p.tb.Fatal(err)
	}
	return func() { worker.StopAndCancel(context.Background()) }
}

// reviewed is the form of the push page with one of its lines ticked.
func (p *program) reviewed(c *client) string {
	a := c.get(views.PushPath(p.week, nil))
	expect(a, http.StatusOK)
	page, err := goquery.NewDocumentFromReader(bytes.NewReader(a.body))
	if err != nil {
		panic(err)
	}
	line, ok := page.Find("input[name=line]:not([disabled])").First().Attr("value")
	mutation, _ := page.Find("input[name=mutation_id]").Attr("value")
	if !ok {
		panic("the review has no lines")
	}
	return url.Values{"mutation_id": {mutation}, "line": {line}}.Encode()
}
