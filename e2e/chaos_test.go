package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

// Tests of the fault matrix that take long, because they wait for real leases,
// outages and deadlines. `make chaos` runs them, all with everything real: the
// built program, PostgreSQL, and the sandbox as a process of its own.

const chaosEnv = "FURROW_CHAOS"

// Times that the design promises.
const (
	maxRecovery = 32 * time.Second // from kill -9 until a line is sent again: a lease of 20 s, a sweep of 10 s, and the calls
	maxSettle   = 2 * time.Minute  // until what was in doubt is settled, too
)

// chaos begins a test that only `make chaos` runs.
func chaos(t *testing.T) {
	t.Helper()
	if os.Getenv(chaosEnv) == "" {
		t.Skip("it takes long: make chaos runs it")
	}
	t.Parallel()
}

// site is a database and a sandbox, with the programs that run on both.
type site struct {
	t        *testing.T
	database string
	data     string
	sandbox  sandboxtest.Control
	pool     *pgxpool.Pool // for looking into the database
	ida      *person
}

// newSite starts a sandbox beside a database.
func newSite(t *testing.T, database string) *site {
	t.Helper()
	stand := startCommand(t, "/_sandbox/clock", "sandbox", "--state", filepath.Join(t.TempDir(), "harvest.json"))
	s := &site{t: t, database: database, data: filepath.Join(t.TempDir(), "data"), sandbox: sandboxtest.Control{BaseURL: stand.URL}}
	s.open(database)
	return s
}

// open lets the test look into the database.
func (s *site) open(database string) {
	s.t.Helper()
	var err error
	if s.pool, err = db.Open(s.t.Context(), database, 3); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.pool.Close)
}

// program starts one more program.
func (s *site) program(args ...string) *program {
	s.t.Helper()
	return s.programOn(s.database, args...)
}

// programOn starts one that reaches the database by another address.
func (s *site) programOn(database string, args ...string) *program {
	s.t.Helper()
	return startOn(s.t, database, s.data, append([]string{"--harvest-url", s.sandbox.BaseURL, "--harvest-id-url", s.sandbox.BaseURL}, args...)...)
}

// setUp makes Ida's account by a program, and connects it.
func (s *site) setUp(p *program) {
	s.t.Helper()
	s.ida = newPerson(s.t, p)
	s.ida.setUp()
}

// person makes one more account, and connects it with a token.
func (s *site) person(p *program, email, token string) *person {
	s.t.Helper()
	binary, err := run.binary()
	if err != nil {
		s.t.Fatal(err)
	}
	create := exec.CommandContext(s.t.Context(), binary, "admin", "create", email, "--database-url", s.database)
	create.Stdin = strings.NewReader(password)
	if out, err := create.CombinedOutput(); err != nil {
		s.t.Fatalf("make an account: %v: %s", err, out)
	}
	who := newPerson(s.t, p)
	who.post("/login", url.Values{"email": {email}, "password": {password}})
	who.connect(token)
	return who
}

// oldWeek is long before anything that the sandbox holds.
var oldWeek = planner.Week{Start: planner.NewDate(2020, time.January, 6)}

// typed is a form that plans n cells of a week.
func (p *person) typed(week planner.Week, n int) url.Values {
	p.tb.Helper()
	page := p.get("/weeks/" + week.String())
	var rows []string
	page.Find("#add-row option").Each(func(_ int, option *goquery.Selection) {
		if value := option.AttrOr("value", ""); strings.Contains(value, ":") {
			rows = append(rows, strings.Replace(value, ":", "-", 1))
		}
	})
	form := url.Values{"version": {page.Find("#week-version").AttrOr("value", "")}}
	for i := range n {
		row, day := i/planner.DaysInWeek, i%planner.DaysInWeek
		if row >= len(rows) {
			p.tb.Fatalf("%d rows do not have %d cells", len(rows), n)
		}
		form.Set(fmt.Sprintf("p.%s.%d", rows[row], day), fmt.Sprintf("%dm", 60+i))
	}
	return form
}

// lines plans n cells of a week, and returns the form that pushes them.
func (p *person) lines(week planner.Week, n int) url.Values {
	p.tb.Helper()
	path := "/weeks/" + week.String()
	p.post(path+"/cells", p.typed(week, n))
	form := fields(p.get(path + "/push").Find("#push-form"))
	if got := len(form["line"]); got != n {
		p.tb.Fatalf("%d lines to push, want %d", got, n)
	}
	return form
}

// send pushes n new lines of a week.
func (s *site) send(week planner.Week, n int) {
	s.t.Helper()
	s.ida.post("/weeks/"+week.String()+"/push", s.ida.lines(week, n))
}

// number is what a query counts.
func (s *site) number(query string, args ...any) int {
	s.t.Helper()
	var n int
	if err := s.pool.QueryRow(context.WithoutCancel(s.t.Context()), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// done is how many writes have been sent.
func (s *site) done() int {
	s.t.Helper()
	return s.number("select count(*) from writes where state = 'done'")
}

// waitDone waits until n writes have been sent.
func (s *site) waitDone(most time.Duration, n int) time.Duration {
	s.t.Helper()
	began := time.Now()
	waitFor(s.t, most, fmt.Sprintf("%d writes to be done", n), func() error {
		if done := s.done(); done < n {
			return fmt.Errorf("%d are", done)
		}
		return nil
	})
	return time.Since(began)
}

// struck waits until a fault of the sandbox has met its call.
func (s *site) struck() {
	s.t.Helper()
	waitFor(s.t, patience, "a call that meets the fault", func() error {
		for _, f := range s.sandbox.Faults(s.t) {
			if f.Struck > 0 {
				return nil
			}
		}
		return errors.New("there was none")
	})
}

// exactly checks the invariant: n lines were confirmed, and all have ended
// done, each once in Harvest, which holds what is planned and nothing else of
// ours; and no job has failed more often than it was killed.
func (s *site) exactly(n int) {
	s.t.Helper()
	if unfinished := s.number("select count(*) from writes where state <> 'done'"); unfinished > 0 || s.done() != n {
		s.t.Errorf("%d writes are done, want %d; %d are not", s.done(), n, unfinished)
	}
	want := map[string]int{}
	rows, err := s.pool.Query(context.WithoutCancel(s.t.Context()), `
		select p.harvest_id, t.harvest_id, c.date::text, c.minutes from cells c
		join projects p on p.id = c.project_id join tasks t on t.id = c.task_id where c.minutes > 0`)
	if err != nil {
		s.t.Fatal(err)
	}
	for rows.Next() {
		var project, task int64
		var date string
		var minutes planner.Minutes
		if err := rows.Scan(&project, &task, &date, &minutes); err != nil {
			s.t.Fatal(err)
		}
		want[fmt.Sprintf("%d/%d on %s: %s h", project, task, date, minutes.Hours().Decimal())]++
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	if len(want) != n {
		s.t.Errorf("%d cells are planned, want %d", len(want), n)
	}
	got, references := map[string]int{}, map[string]int{}
	for _, e := range s.sandbox.State(s.t).Entries() {
		if e.ExternalReference == nil || e.ExternalReference.GroupID != ledger.ReferenceGroup {
			continue
		}
		hours := planner.Hours(e.Hours.Shift(2).IntPart())
		got[fmt.Sprintf("%d/%d on %s: %s h", e.Project.ID, e.Task.ID, e.SpentDate, hours.Decimal())]++
		references[e.ExternalReference.ID]++
	}
	for reference, times := range references {
		if times != 1 {
			s.t.Errorf("%d entries carry %s", times, reference)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(want)) {
		if got[line] != 1 {
			s.t.Errorf("Harvest has %s %d times", line, got[line])
		}
		delete(got, line)
	}
	for line := range got {
		s.t.Errorf("Harvest has %s, which is not planned", line)
	}
	if s.t.Failed() {
		for _, r := range s.sandbox.Requests(s.t) {
			if r.Method != http.MethodGet {
				s.t.Logf("%s %s %s -> %d %s", r.Time.Format(time.TimeOnly), r.Method, r.Path, r.Status, r.Fault)
			}
		}
	}
}

// try sends a form and returns its answer, or why there was none. Redirects
// are not followed.
func (p *person) try(path string, form url.Values) (status int, body string, err error) {
	p.tb.Helper()
	client := *p.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	method := http.MethodPost
	if form == nil {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(p.tb.Context()), method, p.program.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	page, err := goquery.NewDocumentFromReader(resp.Body)
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, words(page.Find("body").Text()), nil
}
