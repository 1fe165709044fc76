package handlers

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/views"
)

func TestMain(m *testing.M) {
	// These tests wait for the database more than they work. The command line comes later and wins.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const (
	idaEmail    = "ida@example.com"
	idaPassword = "a field of barley"
)

// cheapHash is what passwords cost in tests; the race detector makes the real
// work far dearer than it is.
func cheapHash() *argon2id.Params {
	return &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

func hashOfIda() (string, error) { return hashWith(cheapHash(), idaPassword) }

// testBundle is a running program over a database of its own.
type testBundle struct {
	t       *testing.T
	store   *db.Store
	queue   *jobs.Queue // enqueues; nothing works it
	pool    *pgxpool.Pool
	server  *httptest.Server
	sandbox *fakeSandbox
	log     *lockedBuffer
	clock   *atomic.Int64 // seconds that the clock is ahead
	queries *atomic.Int64
	asked   atomic.Pointer[asked] // what the queries are noted in, if anything
}

// setup starts the program; change adjusts what it is made from.
func setup(t *testing.T, change ...func(*Deps)) *testBundle {
	t.Helper()
	b := &testBundle{t: t, sandbox: &fakeSandbox{}, log: &lockedBuffer{}, clock: &atomic.Int64{}, queries: &atomic.Int64{}}
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.Tracer = countingTracer{b.queries, &b.asked}
	b.pool, err = pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.pool.Close)
	sealer, err := db.NewSealer(dbtest.SecretKey())
	if err != nil {
		t.Fatal(err)
	}
	b.store = db.NewStore(b.pool, sealer)
	log := slog.New(ledger.TracedLog(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	b.queue, err = jobs.New(b.pool, nil, log)
	if err != nil {
		t.Fatal(err)
	}

	server := httptest.NewUnstartedServer(nil)
	public, err := url.Parse("http://" + server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	deps := Deps{
		Store:     b.store,
		Jobs:      b.queue,
		Sandbox:   b.sandbox,
		Static:    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "static") }),
		Assets:    views.Assets{CSS: "/static/app.css", Script: "/static/app.js", HTMX: "/static/htmx.js", Icon: "/static/icon.svg"},
		PublicURL: public,
		Now:       b.clockNow,
		Log:       log,
		Ready:     func(context.Context) error { return nil },
		hash:      cheapHash(),
	}
	for _, c := range change {
		c(&deps)
	}
	server.Config = NewServer(New(deps), deps.Log)
	if deps.PublicURL.Scheme == "https" {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	b.server = server
	return b
}

func overHTTPS(d *Deps) {
	https := *d.PublicURL
	https.Scheme = "https"
	d.PublicURL = &https
}

// ida makes the usual user, an admin or not.
func (b *testBundle) ida() int64 { return b.user(idaEmail, false) }

func (b *testBundle) user(email string, admin bool) int64 {
	b.t.Helper()
	hash, err := hashOfIda()
	if err != nil {
		b.t.Fatal(err)
	}
	role := db.RoleUser
	if admin {
		role = db.RoleAdmin
	}
	id, err := b.store.CreateUser(b.t.Context(), email, hash, role)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// browser is somebody with cookies.
type browser struct {
	b      *testBundle
	client *http.Client
}

func (b *testBundle) browser() *browser {
	b.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	client := *b.server.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{b, &client}
}

// loggedIn is a browser in which the user with the address is logged in.
func (b *testBundle) loggedIn(email string) *browser {
	b.t.Helper()
	in := b.browser()
	if got := in.post("/login", url.Values{"email": {email}, "password": {idaPassword}}); got.status != http.StatusSeeOther {
		b.t.Fatalf("log in: status %d: %s", got.status, got.body)
	}
	return in
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

// text returns the text of what the selector finds.
func (a answer) text(t *testing.T, selector string) string {
	t.Helper()
	page, err := goquery.NewDocumentFromReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(page.Find(selector).Text())
}

func (in *browser) get(path string, header ...string) answer {
	in.b.t.Helper()
	return in.do(http.MethodGet, path, nil, header...)
}

func (in *browser) post(path string, form url.Values, header ...string) answer {
	in.b.t.Helper()
	header = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)
	return in.do(http.MethodPost, path, strings.NewReader(form.Encode()), header...)
}

// insist posts again and again while too many are at it, as on a slow machine.
func (in *browser) insist(path string, form url.Values) answer {
	for {
		if got := in.post(path, form); got.status != http.StatusServiceUnavailable || in.b.t.Context().Err() != nil {
			return got
		}
	}
}

func (in *browser) do(method, path string, body io.Reader, header ...string) answer {
	in.b.t.Helper()
	r, err := http.NewRequestWithContext(in.b.t.Context(), method, in.b.server.URL+path, body)
	if err != nil {
		in.b.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	response, err := in.client.Do(r)
	if err != nil {
		in.b.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		in.b.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// cookie returns the session cookie.
func (in *browser) cookie() *http.Cookie {
	in.b.t.Helper()
	at, err := url.Parse(in.b.server.URL)
	if err != nil {
		in.b.t.Fatal(err)
	}
	for _, c := range in.client.Jar.Cookies(at) {
		if strings.HasSuffix(c.Name, "session") {
			return c
		}
	}
	return &http.Cookie{}
}

// plant puts a session cookie into the browser.
func (in *browser) plant(value string) {
	in.b.t.Helper()
	at, err := url.Parse(in.b.server.URL)
	if err != nil {
		in.b.t.Fatal(err)
	}
	in.client.Jar.SetCookies(at, []*http.Cookie{{Name: "session", Value: value, Path: "/"}})
}

// count returns what a query for one number gives.
func (b *testBundle) count(query string, args ...any) int {
	b.t.Helper()
	var n int
	if err := b.pool.QueryRow(b.t.Context(), query, args...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// exec changes the database behind the program's back.
func (b *testBundle) exec(query string, args ...any) {
	b.t.Helper()
	if _, err := b.pool.Exec(b.t.Context(), query, args...); err != nil {
		b.t.Fatal(err)
	}
}

// breakDatabase takes the database away: it lets nobody in any more, and ends
// the connections there are.
func (b *testBundle) breakDatabase() {
	b.t.Helper()
	config := b.pool.Config().ConnConfig.Copy()
	name := config.Database
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(b.t.Context(), config)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close(b.t.Context()) }()
	for _, statement := range []string{
		"alter database " + pgx.Identifier{name}.Sanitize() + " with allow_connections false",
		"select pg_terminate_backend(pid) from pg_stat_activity where datname = '" + name + "'",
	} {
		if _, err := conn.Exec(b.t.Context(), statement); err != nil {
			b.t.Fatal(err)
		}
	}
}

type fakeSandbox struct {
	mu   sync.Mutex
	mode string
}

func (s *fakeSandbox) Outage() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == "" {
		return string(views.OutageWell)
	}
	return s.mode
}

// SetOutage panics and fails on demand: tests have no other way into a handler.
func (s *fakeSandbox) SetOutage(mode string) error {
	switch mode {
	case string(views.OutageDrop):
		panic("canary panic in a handler")
	case string(views.Outage429):
		return errors.New("canary error of a handler")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
	return nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type countingTracer struct {
	n     *atomic.Int64
	asked *atomic.Pointer[asked]
}

func (c countingTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	if asked := c.asked.Load(); asked != nil {
		asked.note(data)
	}
	return ctx
}

func (countingTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// clockNow is now by the program's clock.
func (b *testBundle) clockNow() time.Time {
	return time.Now().Add(time.Duration(b.clock.Load()) * time.Second)
}
