package bench

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/db/localpg"
	"furrow/handlers"
	"furrow/harvest"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
	"furrow/static"
	"furrow/views"
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

// run gives benchmarks a PostgreSQL that keeps what it is told, as the program's own does; the one that tests share
// is faster, and forgets.
func run(m *testing.M) int {
	if f := flag.Lookup("test.bench"); f == nil || f.Value.String() == "" || os.Getenv("FURROW_TEST_DATABASE_URL") != "" {
		defer table.print()
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "furrow-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil { // the server may run as another user
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server, err := localpg.Start(context.Background(), localpg.Config{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Stop(context.Background())
	os.Setenv("FURROW_TEST_DATABASE_URL", server.ConnString())
	defer table.print()
	return m.Run()
}

// results are the rows of the table that ends the run.
type results struct {
	mutex sync.Mutex
	rows  [][]string
	at    map[string]int
}

var table = results{at: map[string]int{}}

// add sets a row; a benchmark that is run again replaces its own.
func (t *results) add(name, ours, floor, ratio, aim string, met bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	verdict := "met"
	switch {
	case aim == "":
		verdict = ""
	case !met:
		verdict = "MISSED"
	}
	row := []string{name, ours, floor, ratio, aim, verdict}
	if i, ok := t.at[name]; ok {
		t.rows[i] = row
		return
	}
	t.at[name] = len(t.rows)
	t.rows = append(t.rows, row)
}

func (t *results) print() {
	if len(t.rows) == 0 {
		return
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\nwhat\tours\tfloor\tratio\taim\t")
	for _, row := range t.rows {
		fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	out.Flush()
}

// The forms of figures.
func rate(perSecond float64) string        { return fmt.Sprintf("%.0f/s", perSecond) }
func millis(d time.Duration) string        { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }
func ratioOf(r float64) string             { return fmt.Sprintf("%.2f", r) }
func kilobytes(n int) string               { return fmt.Sprintf("%.1f kB", float64(n)/1000) }
func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// once runs measure at least once, and hides the framework's own figures, which would tell of the whole measurement.
func once(b *testing.B, measure func()) {
	b.Helper()
	for b.Loop() {
		measure()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(0, "B/op")
	b.ReportMetric(0, "allocs/op")
}

// sample is what one slice of load told.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
}

func sampleOf(latencies []time.Duration, elapsed time.Duration) sample {
	slices.Sort(latencies)
	return sample{
		perSecond: float64(len(latencies)) / elapsed.Seconds(),
		p50:       latencies[len(latencies)/2],
		p99:       latencies[len(latencies)*99/100],
	}
}

// comparison is a measurement of ours beside the floor: medians of the slices, and of the ratios of neighbours.
type comparison struct {
	ours, floor     sample
	speed, p50Ratio float64
}

// compare runs ours and the floor in turn, A B A B.
func compare(rounds int, ours, floor func() sample) comparison {
	var a, b []sample
	var speed, p50 []float64
	for i := range rounds {
		first, second := ours, floor
		if i%2 == 1 {
			first, second = floor, ours
		}
		x, y := first(), second()
		if i%2 == 1 {
			x, y = y, x
		}
		a, b = append(a, x), append(b, y)
		speed = append(speed, x.perSecond/y.perSecond)
		p50 = append(p50, float64(x.p50)/float64(y.p50))
	}
	return comparison{medianSample(a), medianSample(b), median(speed), median(p50)}
}

func medianSample(samples []sample) sample {
	var s sample
	s.perSecond = median(collect(samples, func(s sample) float64 { return s.perSecond }))
	s.p50 = median(collect(samples, func(s sample) time.Duration { return s.p50 }))
	s.p99 = median(collect(samples, func(s sample) time.Duration { return s.p99 }))
	return s
}

func collect[T any](samples []sample, value func(sample) T) []T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	return values
}

func median[T float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// program is the parts of the program joined as package main joins them, with a user who is logged in and connected.
type program struct {
	tb         testing.TB
	pool       *pgxpool.Pool
	queuePool  *pgxpool.Pool
	url        string
	store      *db.Store
	queue      *jobs.Queue
	harvest    *harvest.Harvest
	sandbox    *sandboxtest.Sandbox // nil: none
	address    string               // host:port
	userID     int64
	connection int64
	cookie     string
	week       planner.Week
	trips      *atomic.Int64 // round trips to the database for pages
}

type options struct {
	rows  int                        // of the week
	seed  string                     // of the sandbox; empty: no sandbox
	work  bool                       // jobs are worked
	watch func(*db.Store) jobs.Store // what workers see instead of the store
}

const (
	email    = "ida@example.com"
	password = "a field of barley"
)

var hash = sync.OnceValues(func() (string, error) { return handlers.HashPassword(password) })

// The connections of package main.
const (
	webConns   = 16
	queueConns = 20
)

// start joins a program over a database of its own.
func start(tb testing.TB, o options) *program {
	tb.Helper()
	p := &program{tb: tb, url: dbtest.URL(tb), trips: new(atomic.Int64)}
	p.pool = p.countingPool(webConns)
	var err error
	if p.queuePool, err = db.Open(p.ctx(), p.url, queueConns); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.queuePool.Close)
	p.store = dbtest.StoreOver(tb, p.pool)
	p.week = planner.WeekOf(planner.DateOf(time.Now()), time.Monday)
	p.seed(o.rows)
	if o.seed != "" {
		p.sandbox = sandboxtest.Start(tb, o.seed)
		p.sandbox.Switch(tb, map[string]any{"limits": map[string]int{"general": 0, "reports": 0, "hourly": 0}})
		p.harvest, err = harvest.New(harvest.Config{BaseURL: p.sandbox.URL, IDURL: p.sandbox.URL, ReadTimeout: 40 * time.Second, Gate: db.NewGate(p.pool), Log: quiet()})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(p.harvest.Close)
	}
	p.makeQueue(o)
	public := &url.URL{Scheme: "http", Host: "localhost"}
	handler := handlers.New(handlers.Deps{
		Store: p.store, Jobs: p.queue,
		Static:    static.Handler(),
		Assets:    views.Assets{CSS: static.Path(static.CSS), HTMX: static.Path(static.HTMX), Script: static.Path(static.Script), Icon: static.Path(static.Icon)},
		PublicURL: public, Now: time.Now, Log: quiet(),
		Ready: func(context.Context) error { return nil },
	})
	p.address = serve(tb, handler)
	p.login()
	return p
}

func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func (p *program) ctx() context.Context { return context.WithoutCancel(p.tb.Context()) }

func (p *program) makeQueue(o options) {
	p.tb.Helper()
	var work *jobs.Work
	if o.work {
		var store jobs.Store = p.store
		if o.watch != nil {
			store = o.watch(p.store)
		}
		work = &jobs.Work{
			Store: store, Sweep: time.Hour,
			Remote: func(context.Context, int64, jobs.Urgency) (ledger.Remote, error) {
				return p.remote(), nil
			},
			StartPull: func(context.Context, int64) error { return nil },
			CellURL:   func(planner.Date) string { return "http://localhost" },
		}
	}
	var err error
	if p.queue, err = jobs.New(p.queuePool, work, quiet()); err != nil {
		p.tb.Fatal(err)
	}
	if err := p.queue.Start(p.ctx()); err != nil {
		p.tb.Fatal(err)
	}
	p.tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = p.queue.Stop(ctx) // jobs that wait for a slow sandbox are cut short
	})
}

// remote is the sandbox as its first user sees it.
func (p *program) remote() ledger.Remote {
	return p.harvest.Client(harvest.Credentials{
		Tokens: ledger.StaticToken(sandboxtest.Token), AccountID: sandboxtest.AccountID, UserID: sandboxtest.UserID, ConnectionID: p.connection,
	}, harvest.Background)
}

// serve serves on the loopback interface as the program does, and returns the address.
func serve(tb testing.TB, handler http.Handler) string {
	tb.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = handlers.NewServer(handler, quiet())
	server.Start()
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

// countingPool is db.Open with connections that count round trips.
func (p *program) countingPool(conns int32) *pgxpool.Pool {
	p.tb.Helper()
	config, err := pgxpool.ParseConfig(p.url)
	if err != nil {
		p.tb.Fatal(err)
	}
	config.MaxConns = conns
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &countingConn{Conn: conn, trips: p.trips}, err
	}
	for name, value := range map[string]string{
		"application_name": "furrow", "timezone": "UTC", "idle_in_transaction_session_timeout": "30s", "lock_timeout": "10s",
	} {
		config.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(p.ctx(), config)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.tb.Cleanup(pool.Close)
	return pool
}

// countingConn counts how often the client speaks after the server has.
type countingConn struct {
	net.Conn
	trips   *atomic.Int64
	waiting atomic.Bool
}

func (c *countingConn) Write(b []byte) (int, error) {
	if !c.waiting.Swap(true) {
		c.trips.Add(1)
	}
	return c.Conn.Write(b)
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.waiting.Store(false)
	}
	return n, err
}

func (p *program) exec(sql string, args ...any) {
	p.tb.Helper()
	if _, err := p.queuePool.Exec(p.ctx(), sql, args...); err != nil {
		p.tb.Fatal(err)
	}
}

func queryOne[T any](p *program, sql string, args ...any) T {
	p.tb.Helper()
	var value T
	if err := p.queuePool.QueryRow(p.ctx(), sql, args...).Scan(&value); err != nil {
		p.tb.Fatal(err)
	}
	return value
}

// seed makes a user with a connection and a week of rows: three of five workdays of each are planned, one of these
// is in Harvest, another day has time of Harvest's alone. Behind the week lies a year.
func (p *program) seed(rows int) {
	p.tb.Helper()
	passwordHash, err := hash()
	if err != nil {
		p.tb.Fatal(err)
	}
	if p.userID, err = p.store.CreateUser(p.ctx(), email, passwordHash, db.RoleAdmin); err != nil {
		p.tb.Fatal(err)
	}
	err = p.store.InTx(p.ctx(), func(tx *db.Tx) error {
		p.connection, err = tx.Connect(p.ctx(), p.userID, sandboxtest.Token, ledger.Account{
			AccountID: sandboxtest.AccountID, UserID: sandboxtest.UserID, CompanyName: "Ida Berg Studio", UserName: "Ida Berg", TimeZone: "UTC",
			WeekStart: time.Monday, Clock: "24h", DurationFormat: planner.HoursMinutes, WeeklyCapacity: 2100, BaseURI: "https://idaberg.example.com",
		})
		return err
	})
	if err != nil {
		p.tb.Fatal(err)
	}
	u, w := p.userID, p.week.Start.Time()
	p.exec(`insert into clients (user_id, harvest_id, name, currency) select $1, g, 'Client & Sons ' || g, 'EUR' from generate_series(1, 6) g`, u)
	p.exec(`insert into projects (user_id, client_id, harvest_id, name) select $1, c.id, 1000 + g, 'Website relaunch ' || g
		from generate_series(0, $2::int - 1) g join clients c on c.harvest_id = g % 6 + 1`, u, rows)
	p.exec(`insert into tasks (user_id, harvest_id, name) select $1, g, 'Design ' || g from generate_series(0, 7) g`, u)
	p.exec(`insert into assignments (user_id, project_id, task_id, hourly_rate) select $1, p.id, t.id, 95 from projects p join tasks t
		on t.harvest_id in (p.harvest_id % 8, (p.harvest_id + 1) % 8)`, u)
	const slots = `from projects p join tasks t on t.harvest_id = p.harvest_id % 8 cross join generate_series(0, 4) d `
	p.exec(`with events as (
			insert into plan_events (user_id, kind, mutation_id, project_id, task_id, date, minutes_before, minutes_after, note_before, note_after)
			select $1, 'edit', 'seeded-by-sql', p.id, t.id, $2::date + d, 0, 30 + 15 * (d + p.harvest_id % 4)::int, '',
				case when p.harvest_id % 4 = 0 then 'Header & footer, second round' else '' end `+slots+`where (p.harvest_id + d) % 5 < 3
			returning *)
		insert into cells (user_id, project_id, task_id, date, minutes, note, version)
		select user_id, project_id, task_id, date, minutes_after, note_after, id from events`, u, w)
	p.exec(`insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, created_at, updated_at)
		select $1, (p.harvest_id - 1000) * 10 + d, p.id, t.id, $2::date + d, 125, now(), now() `+slots+`where (p.harvest_id + d) % 5 = 3`, u, w)
	p.exec(`with sent as (
			insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes,
				remote_id, agreed_hours, agreed_notes)
			select user_id, $2::bigint, project_id, task_id, date, minutes, note, round(minutes / 0.6), note, 100000 + version,
				round(minutes / 0.6), note from cells c where user_id = $1 and (c.project_id + (date - $3::date)) % 3 = 0
			returning *), entries as (
			insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, notes, reference_id, created_at, updated_at)
			select user_id, remote_id, project_id, task_id, spent_date, hours, notes, id::text, now(), now() from sent)
		insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, remote_id, mutation_id, state, attempts, finished_at)
		select user_id, connection_id, id, 'create', id::text, '{}', remote_id, 'seeded-by-sql', 'done', 1, now() from sent`, u, p.connection, w)
	p.exec(`insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, created_at, updated_at)
		select $1, 1000000 + g, p.id, t.id, $2::date - 1 - g % 365, 100, now(), now() from generate_series(1, 2000) g
		join projects p on p.harvest_id = 1000 + g % $3::int join tasks t on t.harvest_id = g % 8`, u, w, rows)
	p.exec(`with sent as (
			insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes,
				remote_id, agreed_hours, agreed_notes)
			select distinct on (e.spent_date, e.project_id, e.task_id) user_id, $2::bigint, project_id, task_id, spent_date, 60, '', 100, '',
				harvest_id, 100, '' from time_entries e where user_id = $1 and harvest_id % 3 = 1 and harvest_id > 1000000
			returning *)
		insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, remote_id, mutation_id, state, attempts, finished_at)
		select user_id, connection_id, id, 'create', id::text, '{}', remote_id, 'seeded-by-sql', 'done', 1, now() from sent`, u, p.connection)
	p.exec(`insert into sync_runs (user_id, connection_id, trigger, state, phase, page, pages, entries, finished_at)
		select $1, $2, 'schedule', 'done', 'done', 1, 1, 5, now() from generate_series(1, 50)`, u, p.connection)
	p.exec(`update harvest_connections set pulled_at = now(), assignments_at = now(), entries_cursor = now()`)
	p.exec(`analyze`)
}

func (p *program) login() {
	p.tb.Helper()
	form := url.Values{"email": {email}, "password": {password}}.Encode()
	c := newClient(p.tb, p.address, "")
	a := c.post("/login", form)
	if a.status != http.StatusSeeOther {
		p.tb.Fatalf("log in: status %d: %s", a.status, a.body)
	}
	for _, cookie := range (&http.Response{Header: a.header()}).Cookies() {
		p.cookie = cookie.Name + "=" + cookie.Value
	}
}

// client is a browser that does next to nothing itself, so that what is measured is the server.
type client struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
	head    string // Host and Cookie
	extra   string // more header lines
	request []byte
	body    []byte
	heading []byte
}

// answer is valid until the client's next request.
type answer struct {
	status  int
	heading []byte
	body    []byte
}

func (a answer) header() http.Header {
	header := http.Header{}
	for line := range strings.SplitSeq(string(a.heading), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			header.Add(name, value)
		}
	}
	return header
}

// size is the number of bytes on the wire.
func (a answer) size() int { return len(a.heading) + len(a.body) }

// newClient makes a client that connects with its first request: the server closes connections that say nothing.
func newClient(tb testing.TB, address, cookie string) *client {
	tb.Helper()
	c := &client{address: address, head: " HTTP/1.1\r\nHost: " + address + "\r\n"}
	if cookie != "" {
		c.head += "Cookie: " + cookie + "\r\n"
	}
	tb.Cleanup(func() {
		if c.conn != nil {
			c.conn.Close()
		}
	})
	return c
}

func (p *program) client() *client { return newClient(p.tb, p.address, p.cookie) }

func (c *client) get(path string) answer { return c.do("GET", path, "") }

func (c *client) post(path, form string) answer {
	return c.do("POST", path, form)
}

// do is used by the goroutines of a load too, so it panics instead of ending the test.
func (c *client) do(method, path, form string) answer {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			panic(err)
		}
		c.conn, c.reader = conn, bufio.NewReaderSize(conn, 64<<10)
	}
	c.request = append(c.request[:0], method...)
	c.request = append(append(append(c.request, ' '), path...), c.head...)
	c.request = append(c.request, c.extra...)
	if method != http.MethodGet {
		c.request = append(c.request, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
		c.request = append(strconv.AppendInt(c.request, int64(len(form)), 10), "\r\n"...)
	}
	c.request = append(append(c.request, "\r\n"...), form...)
	if _, err := c.conn.Write(c.request); err != nil {
		panic(err)
	}
	a, err := c.read()
	if err != nil {
		panic(fmt.Errorf("%s %s: %w", method, path, err))
	}
	return a
}

func (c *client) read() (answer, error) {
	var a answer
	c.heading = c.heading[:0]
	length := 0
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		c.heading = append(c.heading, line...)
		switch {
		case a.status == 0:
			a.status, err = strconv.Atoi(string(line[9:12]))
			if err != nil {
				return a, err
			}
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[16:]))); err != nil {
				return a, err
			}
		case bytes.HasPrefix(line, []byte("Transfer-Encoding:")):
			return a, fmt.Errorf("unexpected %q", line)
		}
		if len(line) == 2 {
			break
		}
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	if _, err := io.ReadFull(c.reader, c.body); err != nil {
		return a, err
	}
	a.heading, a.body = c.heading, c.body
	return a, nil
}

// load lets each client ask again and again for a while.
func load(clients []*client, duration time.Duration, ask func(*client)) sample {
	var group sync.WaitGroup
	all := make([][]time.Duration, len(clients))
	begin := time.Now()
	for i, c := range clients {
		group.Go(func() {
			for time.Since(begin) < duration {
				asked := time.Now()
				ask(c)
				all[i] = append(all[i], time.Since(asked))
			}
		})
	}
	group.Wait()
	return sampleOf(slices.Concat(all...), time.Since(begin))
}
