// The tests of the workers run the real queue, the real store and the real
// adapter against the sandbox over HTTP. What goes wrong with the network is in
// fault_network_test.go, what Harvest does is in push_test.go and pull_test.go;
// crash_test.go kills processes in the middle of a push, and property_test.go
// does so at random. The numbers in names are rows of e2e/FAULTS.md.
//
// They are worth something only if they can fail. What fails when a promise of
// the drain is taken away was tried by taking it away:
//
//   - without the look before a write that is in doubt is sent again, and before
//     every create: TestFaultMatrix/05_*, TestCrash/*/applied and /answered,
//     TestPushChange, TestRandomFaults; without it before a create that was never
//     sent, TestPushAfterRestore;
//   - without the second look, TestFaultMatrix/05_and_the_reference_filter_lags
//     and TestFault05_ReferenceLost;
//   - without the fence, so that a lost lease is not noticed: TestZombie/*_early,
//     and TestLease of package db;
//   - without the intent that is committed before the call: TestCrash/*/begun,
//     /applied and /answered, TestRandomFaults, and most of TestFaultMatrix.
package jobs_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/harvest"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child() // does not return
	}
	for name, value := range map[string]string{
		"test.parallel":    "24", // these tests wait for leases and deadlines more than they work
		"rapid.checks":     "8",  // each has a database and a Harvest to ask
		"rapid.nofailfile": "true",
	} {
		if err := flag.Set(name, value); err != nil { // the command line comes later and wins
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// quick are times that fit together like the default ones, in seconds instead
// of tens of seconds.
func quick() ledger.Timing {
	return ledger.Timing{
		Lease: 3500 * time.Millisecond, Margin: 500 * time.Millisecond, Deadline: 2 * time.Second, Settle: 300 * time.Millisecond,
		LookAgain: 300 * time.Millisecond, Slice: 2 * time.Second, Calls: 20, Backoff: 100 * time.Millisecond, MaxWait: time.Second,
	}
}

const sweep = 300 * time.Millisecond

// site is what a process has: a database and a Harvest. It knows no test, so
// that child processes use it too.
type site struct {
	pool    *pgxpool.Pool
	store   *db.Store
	harvest *harvest.Harvest
}

func openSite(ctx context.Context, databaseURL string, cfg harvest.Config) (*site, error) {
	pool, err := db.Open(ctx, databaseURL, 12)
	if err != nil {
		return nil, err
	}
	sealer, err := db.NewSealer(dbtest.SecretKey())
	if err != nil {
		return nil, err
	}
	cfg.WriteTimeout, cfg.ReadTimeout, cfg.Log = quick().Deadline, 3*time.Second, slog.New(slog.DiscardHandler)
	h, err := harvest.New(cfg)
	if err != nil {
		return nil, err
	}
	return &site{pool: pool, store: db.NewStore(pool, sealer), harvest: h}, nil
}

func (s *site) remote(ctx context.Context, connectionID int64, _ jobs.Urgency) (ledger.Remote, error) {
	c, err := s.store.Credentials(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	return s.harvest.Client(harvest.Credentials{
		Tokens: ledger.StaticToken(c.Token), AccountID: c.HarvestAccountID, UserID: c.HarvestUserID, ConnectionID: connectionID,
		TimestampTimers: c.TimestampTimers, Clock: c.Clock,
	}, harvest.Interactive), nil
}

func cellURL(date planner.Date) string { return "https://furrow.example/weeks/" + date.String() }

func (s *site) work() *jobs.Work {
	return &jobs.Work{
		Store: s.store, Remote: s.remote, CellURL: cellURL, Timing: quick(), Sweep: sweep,
		StartPull: func(context.Context, int64) error { return nil },
	}
}

// push does what the handler of a confirmed push does, in a transaction: the
// lines that pick likes become writes, with a doorbell.
func (s *site) push(ctx context.Context, tx *db.Tx, queue *jobs.Queue, userID int64, week planner.Week, mutation string, pick func(ledger.Line) bool) (int, error) {
	connectionID, state, err := tx.LockConnection(ctx, userID)
	if err != nil {
		return 0, err
	}
	if stored, err := tx.PushStored(ctx, userID, mutation); err != nil || stored {
		return 0, err
	}
	plan, err := tx.WeekPlan(ctx, userID, week)
	if err != nil {
		return 0, err
	}
	var lines []ledger.Line
	for _, line := range plan.PushLines(nil, week.End()) {
		if line.Sendable() && (pick == nil || pick(line)) {
			lines = append(lines, line)
		}
	}
	if err := tx.AddWrites(ctx, userID, connectionID, state, plan, lines, mutation); err != nil {
		return 0, err
	}
	return len(lines), queue.Push(ctx, tx, connectionID)
}

// bench is a user who is connected to a sandbox, with everything around.
type bench struct {
	*site
	url          string // of the database
	sandbox      *sandboxtest.Sandbox
	wire         *sandboxtest.Wire // nil without one
	token        ledger.Secret
	harvestUser  int64
	userID       int64
	connectionID int64
	week         planner.Week
	rows         []planner.RowID // what may be logged on
	bell         *jobs.Queue     // enqueues only
}

// benchOptions changes what setUp makes. Zero fields leave it as it is.
type benchOptions struct {
	seed     string
	harvest  string                   // another address than the sandbox's
	wire     *sandboxtest.WireOptions // a wire of these to the sandbox
	roots    *x509.CertPool           // who may vouch for it
	jonas    bool                     // he is connected, not Ida
	gate     bool                     // with the gate to Harvest, whose breaker waits for seconds
	pageSize int
}

// setUp connects Ida, or Jonas, to a sandbox and reads the assignments, but not
// the entries.
func setUp(t *testing.T, o benchOptions) *bench {
	t.Helper()
	ctx := t.Context()
	b := &bench{url: dbtest.URL(t), sandbox: sandboxtest.Start(t, o.seed), token: sandboxtest.Token, harvestUser: sandboxtest.UserID}
	if o.jonas {
		b.token, b.harvestUser = sandboxtest.MemberToken, sandboxtest.MemberUserID
	}
	b.sandbox.Switch(t, map[string]any{"limits": map[string]any{"general": 0}})
	cfg := harvest.Config{BaseURL: b.sandbox.URL, PageSize: o.pageSize}
	if o.gate {
		pool, err := db.Open(ctx, b.url, 2)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		cfg.Gate = db.NewGate(pool)
	}
	if o.harvest != "" {
		cfg.BaseURL = o.harvest
	}
	if o.wire != nil {
		b.wire = sandboxtest.StartWire(t, b.sandbox, *o.wire)
		cfg.BaseURL, cfg.RootCAs = b.wire.URL, o.roots
	}
	var err error
	b.site, err = openSite(ctx, b.url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.pool.Close()
		b.harvest.Close()
	})
	b.bell, err = jobs.New(b.pool, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.week = planner.WeekOf(planner.DateOf(time.Now()), time.Monday)
	b.join(t, "ida@example.com")
	b.sandbox.ForgetRequests(t)
	return b
}

// join makes the user, and connects them.
func (b *bench) join(t *testing.T, email string) {
	t.Helper()
	ctx := t.Context()
	var err error
	b.userID, err = b.store.CreateUser(ctx, email, "hash", db.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	b.connect(t)
	direct, err := harvest.New(harvest.Config{BaseURL: b.sandbox.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	client := direct.Client(harvest.Credentials{Tokens: ledger.StaticToken(b.token), AccountID: sandboxtest.AccountID, UserID: b.harvestUser}, harvest.Interactive)
	assignments, err := client.Assignments(ctx)
	if err != nil {
		t.Fatal(err)
	}
	mirror := b.store.Mirror(ledger.Run{UserID: b.userID})
	if err := mirror.SaveAssignments(ctx, assignments); err != nil {
		t.Fatal(err)
	}
	_, list, err := b.store.WeekPage(ctx, b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	b.rows = nil
	for _, a := range list {
		b.rows = append(b.rows, a.ID)
	}
}

// colleague is Jonas beside Ida: the same program, database and Harvest.
func (b *bench) colleague(t *testing.T) *bench {
	t.Helper()
	c := *b
	c.token, c.harvestUser = sandboxtest.MemberToken, sandboxtest.MemberUserID
	c.join(t, "jonas@example.com")
	return &c
}

// connect stores the token, as if it had just been entered.
func (b *bench) connect(t *testing.T) {
	t.Helper()
	account := ledger.Account{
		AccountID: sandboxtest.AccountID, UserID: b.harvestUser, CompanyName: "Ida Berg Studio", UserName: "Ida Berg",
		BaseURI: "https://idaberg.harvestapp.com", TimeZone: "Europe/Copenhagen", WeekStart: time.Monday, Clock: "24h",
		DurationFormat: planner.HoursMinutes, WeeklyCapacity: 2250, CompanyVisible: true,
	}
	err := b.store.InTx(t.Context(), func(tx *db.Tx) (err error) {
		b.connectionID, err = tx.Connect(t.Context(), b.userID, b.token, account)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run starts a queue that works; it stops with the test, or by stop.
func (b *bench) run(t *testing.T, work *jobs.Work) (stop func()) {
	t.Helper()
	pool, err := db.Open(t.Context(), b.url, 12)
	if err != nil {
		t.Fatal(err)
	}
	queue, err := jobs.New(pool, work, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if err := queue.Stop(ctx); err != nil {
			t.Error(err)
		}
		pool.Close()
	}
	t.Cleanup(stop)
	return stop
}

// cell is the i-th row on the d-th day of the week.
func (b *bench) cell(i, d int) planner.CellID {
	return planner.CellID{RowID: b.rows[i], Date: b.week.Day(d)}
}

func (b *bench) plan(t *testing.T, cell planner.CellID, minutes planner.Minutes, note string) {
	t.Helper()
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.EditCell(t.Context(), b.userID, db.CellEdit{
			Cell: cell, Planned: minutes, Note: &note, MutationID: rand.Text(), Seen: 1 << 60,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// confirm pushes all lines of the week, or those that pick likes, and returns
// how many there were.
func (b *bench) confirm(t *testing.T, pick func(ledger.Line) bool) int {
	t.Helper()
	n := 0
	err := b.store.InTx(t.Context(), func(tx *db.Tx) (err error) {
		n, err = b.push(t.Context(), tx, b.bell, b.userID, b.week, rand.Text(), pick)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// drain sends what is due, without a queue.
func (b *bench) drain(t *testing.T) {
	t.Helper()
	remote, err := b.remote(t.Context(), b.connectionID, jobs.Interactive)
	if err != nil {
		t.Fatal(err)
	}
	box, ok, err := b.store.TakeOutbox(t.Context(), b.connectionID, quick().Lease, cellURL)
	if err != nil || !ok {
		t.Fatalf("the lease is taken (%t), %v", !ok, err)
	}
	if err := ledger.Drain(t.Context(), remote, box, quick()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := box.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// writes are the user's writes, oldest first.
func (b *bench) writes(t *testing.T) []db.WriteRecord {
	t.Helper()
	list, err := b.store.Writes(t.Context(), db.WriteFilter{UserID: b.userID, Most: 1000})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

// last is the latest write.
func (b *bench) last(t *testing.T) db.WriteRecord {
	t.Helper()
	list := b.writes(t)
	if len(list) == 0 {
		t.Fatal("no writes")
	}
	return list[len(list)-1]
}

// waitFor waits until cond holds. what is told when it never does.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	pause := 10 * time.Millisecond
	for end := time.Now().Add(3 * time.Minute); !cond(); time.Sleep(pause) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
		pause = min(pause*5/4, 100*time.Millisecond) // asking is work, and there are many who ask
	}
}

// settled waits until all writes are in one of the states.
func (b *bench) settled(t *testing.T, states ...ledger.State) {
	t.Helper()
	var list []db.WriteRecord
	defer func() {
		if t.Failed() {
			b.tell(t, list)
		}
	}()
	waitFor(t, fmt.Sprintf("all writes %v", states), func() bool {
		list = b.writes(t)
		return !slices.ContainsFunc(list, func(w db.WriteRecord) bool { return !slices.Contains(states, w.State) })
	})
}

func (b *bench) tell(t *testing.T, list []db.WriteRecord) {
	t.Helper()
	for _, w := range list {
		t.Logf("write %d %s: %s, reason %q, status %d, next %s; %s", w.ID, w.Op, w.State, w.Reason, w.Status, w.NotBefore, story(w))
	}
	for _, r := range b.sandbox.Requests(t) {
		t.Logf("request %s %s?%s -> %d %s", r.Method, r.Path, r.Query, r.Status, r.Fault)
	}
}

// story is the history of a write in short: "send unknown, look found".
func story(w db.WriteRecord) string {
	var parts []string
	for _, a := range w.Attempts {
		parts = append(parts, string(a.Action)+" "+string(a.Outcome))
	}
	return strings.Join(parts, ", ")
}

// entries are the user's entries of the week that carry a reference of ours.
func (b *bench) entries(t *testing.T) map[string][]sandboxtest.TimeEntry {
	t.Helper()
	found := map[string][]sandboxtest.TimeEntry{}
	for _, e := range b.sandbox.Entries(t, b.week.Start.String(), b.week.End().String()) {
		if e.User.ID == b.harvestUser && e.ExternalReference != nil && e.ExternalReference.GroupID == ledger.ReferenceGroup {
			found[e.ExternalReference.ID] = append(found[e.ExternalReference.ID], e)
		}
	}
	return found
}

// exactlyAsPlanned checks that Harvest has one entry of ours for each cell with
// planned time, as planned, and no others of ours.
func (b *bench) exactlyAsPlanned(t *testing.T) {
	t.Helper()
	for _, problem := range b.notAsPlanned(t) {
		t.Error(problem)
	}
}

// notAsPlanned tells how Harvest differs from the plan of the week.
func (b *bench) notAsPlanned(t *testing.T) []string {
	t.Helper()
	plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	type said struct {
		date, hours, notes, permalink string
	}
	want := map[int64]said{}
	for _, row := range plan.Rows {
		for i, c := range row.Cells {
			date := b.week.Day(i)
			switch {
			case c.Planned == 0:
				if c.Ours != nil && !c.Ours.Gone {
					problem("cleared cell %v on %s still has %+v", row.ID, date, c.Ours)
				}
				continue
			case c.Ours == nil || c.Ours.RemoteID == 0:
				problem("cell %v on %s is not in Harvest: %+v", row.ID, date, c.Ours)
				continue
			case c.Mark() != ledger.MarkInHarvest:
				problem("cell %v on %s is marked %q: %+v", row.ID, date, c.Mark(), c.Ours)
			}
			want[c.Ours.RemoteID] = said{date.String(), c.Planned.Hours().Decimal(), c.Note, cellURL(date)}
		}
	}
	have := 0
	for reference, list := range b.entries(t) {
		if len(list) != 1 {
			problem("%d entries carry %s: %v", len(list), reference, list)
		}
		for _, e := range list {
			have++
			note := ""
			if e.Notes != nil {
				note = *e.Notes
			}
			if got := (said{e.SpentDate, e.Hours.StringFixed(2), note, e.ExternalReference.Permalink}); got != want[e.ID] {
				problem("entry %d says %+v, want %+v", e.ID, got, want[e.ID])
			}
		}
	}
	if have != len(want) {
		problem("%d entries of ours in Harvest, want %d", have, len(want))
	}
	return problems
}

// calls counts the sandbox's requests of a method whose path begins with prefix.
func (b *bench) calls(t *testing.T, method, prefix string) int {
	t.Helper()
	n := 0
	for _, r := range b.sandbox.Requests(t) {
		if r.Method == method && strings.HasPrefix(r.Path, prefix) {
			n++
		}
	}
	return n
}

const entriesPath = "/v2/time_entries"

// posts counts the creates that reached the sandbox.
func (b *bench) posts(t *testing.T) int { t.Helper(); return b.calls(t, http.MethodPost, entriesPath) }

func (b *bench) fault(t *testing.T, method, path, kind string, times int, change func(*sandboxtest.Fault)) {
	t.Helper()
	f := sandboxtest.Fault{Match: sandboxtest.Match{Method: method, Path: path}, Fault: kind, Times: times}
	if change != nil {
		change(&f)
	}
	b.sandbox.Fault(t, f)
}

// pulled starts a sync run and waits for its end.
func (b *bench) pulled(t *testing.T) ledger.RunStatus {
	t.Helper()
	id := b.startRun(t)
	return b.runEnds(t, id)
}

func (b *bench) startRun(t *testing.T) int64 {
	t.Helper()
	var id int64
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		var joined bool
		var err error
		id, joined, err = tx.StartRun(t.Context(), b.userID, db.TriggerUser, nil, planner.DateOf(time.Now()))
		if err != nil || joined {
			return errors.Join(err)
		}
		return b.bell.Pull(t.Context(), tx, id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bench) runEnds(t *testing.T, id int64) ledger.RunStatus {
	t.Helper()
	var status ledger.RunStatus
	waitFor(t, fmt.Sprintf("the end of run %d", id), func() bool {
		var err error
		status, err = b.store.RunStatus(t.Context(), b.userID, id)
		if err != nil {
			t.Fatal(err)
		}
		return !status.State.Live()
	})
	return status
}

// mirrored counts the entries that the mirror holds, without deleted ones.
func (b *bench) mirrored(t *testing.T) int {
	t.Helper()
	var n int
	if err := b.pool.QueryRow(t.Context(), "select count(*) from time_entries where deleted_at is null").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A process whose queue has ended, for whatever reason, does not say that it is
// ready.
func TestAlive(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	queue, err := jobs.New(b.pool, b.work(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(queue.Alive(), b.bell.Alive()); err != nil {
		t.Error(err)
	}
	if err := queue.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if queue.Alive() == nil || b.bell.Alive() != nil {
		t.Errorf("after the end %v, without workers %v", queue.Alive(), b.bell.Alive())
	}
}
