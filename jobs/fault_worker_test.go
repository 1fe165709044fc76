package jobs_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// tampered is a Harvest whose calls for a change do something besides.
type tampered struct {
	ledger.Remote
	created  func()         // after a create
	updating func(id int64) // before an update
}

func (r tampered) CreateEntry(ctx context.Context, entry ledger.Entry, reference, permalink string) (ledger.RemoteEntry, error) {
	created, err := r.Remote.CreateEntry(ctx, entry, reference, permalink)
	if r.created != nil {
		r.created()
	}
	return created, err
}

func (r tampered) UpdateEntry(ctx context.Context, id int64, changes ledger.Changes) (ledger.RemoteEntry, error) {
	if r.updating != nil {
		r.updating(id)
	}
	return r.Remote.UpdateEntry(ctx, id, changes)
}

// workWith is work at a Harvest that is tampered with.
func (b *bench) workWith(with tampered) *jobs.Work {
	work := b.work()
	work.Remote = func(ctx context.Context, connectionID int64, urgency jobs.Urgency) (ledger.Remote, error) {
		remote, err := b.remote(ctx, connectionID, urgency)
		with := with
		with.Remote = remote
		return with, err
	}
	return work
}

// TestFault43_WorkerPanics: what it was at is in doubt, and is looked up; the
// error that is kept of it holds nothing of what was sent.
func TestFault43_WorkerPanics(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.plan(t, b.cell(0, 1), 75, "a note that is nobody's business")
	b.plan(t, b.cell(1, 1), 15, "")
	b.confirm(t, nil)
	var once sync.Once
	b.run(t, b.workWith(tampered{created: func() {
		once.Do(func() {
			fields := map[string]map[string]bool{}
			fields["expected"]["unexpected"] = true
		})
	}}))
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	if got := story(b.writes(t)[0]); got != "look found" {
		t.Errorf("history %q", got)
	}
	if n := b.posts(t); n != 2 {
		t.Errorf("%d creates", n)
	}
	b.jobsRest(t)
	list, err := b.bell.List(t.Context(), jobs.Filter{Most: 1000})
	if err != nil {
		t.Fatal(err)
	}
	panics := 0
	for _, job := range list {
		for _, e := range job.Errors {
			panics++
			if !strings.Contains(e.Text, "nil map") {
				t.Errorf("error %q", e.Text)
			}
		}
	}
	if panics != 1 {
		t.Errorf("%d errors are told, want the panic", panics)
	}
	var leaks int
	err = b.pool.QueryRow(t.Context(), "select count(*) from river_job where river_job::text ~ 'business|1\\.pt\\.' or not (errors is null or errors::text ~ 'fault_worker_test.go')").Scan(&leaks)
	if err != nil || leaks != 0 {
		t.Errorf("%d jobs tell too much, or not where, %v", leaks, err)
	}
}

// TestFault44_WorkerHangs: a call that never ends and heeds no deadline keeps
// its connection's writes for as long as its lease. Another process goes on
// then, and what the first one finds out at last is not recorded.
func TestFault44_WorkerHangs(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	for i := range 3 {
		b.plan(t, b.cell(i, 1), 75, "")
	}
	b.confirm(t, nil)
	hangs, wakes := make(chan struct{}), make(chan struct{})
	var hung atomic.Bool
	wake := sync.OnceFunc(func() { close(wakes) })
	stop := b.run(t, b.workWith(tampered{created: func() {
		if hung.CompareAndSwap(false, true) {
			close(hangs)
			<-wakes
		}
	}}))
	t.Cleanup(wake) // before the queue is stopped, which waits for its workers
	<-hangs
	b.run(t, b.work())
	b.settled(t, ledger.Done)
	before := b.writes(t)
	wake()
	stop()
	for i, w := range b.writes(t) {
		if got, want := story(w), []string{"look found", "send applied", "send applied"}[i]; got != want || story(before[i]) != want {
			t.Errorf("history %q, then %q, want %q", story(before[i]), got, want)
		}
	}
	b.exactlyAsPlanned(t)
	if n := b.posts(t); n != 3 {
		t.Errorf("%d creates", n)
	}
}

// TestFault61_DoubleClick: however often and wherever one form arrives, its lines are pushed once.
func TestFault61_DoubleClick(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	for i := range 3 {
		b.plan(t, b.cell(i, 1), 75, "")
	}
	b.run(t, b.work())
	form := rand.Text()
	var clicks sync.WaitGroup
	for range 8 {
		clicks.Go(func() {
			err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
				_, err := b.push(t.Context(), tx, b.bell, b.userID, b.week, form, nil)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	clicks.Wait()
	b.settled(t, ledger.Done)
	if writes, posts := len(b.writes(t)), b.posts(t); writes != 3 || posts != 3 {
		t.Errorf("%d writes and %d creates, want 3 and 3", writes, posts)
	}
	b.exactlyAsPlanned(t)
}

// TestFault66_EditedMeanwhile: somebody edits the entry in Harvest after we have
// looked at it, and before our change arrives. Only the field that we send can
// be lost to them.
func TestFault66_EditedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		theirs    map[string]any
		want      string // hours and notes
		wantStory string
	}{
		{"another field", map[string]any{"notes": "by hand"}, "1.5 by hand", "send merged"},
		{"the same field", map[string]any{"hours": 3}, "1.5 ours", "send applied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "ours")
			b.confirm(t, nil)
			b.drain(t)
			b.plan(t, b.cell(0, 1), 90, "ours")
			b.confirm(t, nil)
			b.run(t, b.workWith(tampered{updating: func(id int64) { b.sandbox.WebUpdate(t, id, tt.theirs) }}))
			b.settled(t, ledger.Done)
			if got := story(b.last(t)); got != tt.wantStory {
				t.Errorf("history %q, want %q", got, tt.wantStory)
			}
			for _, list := range b.entries(t) {
				if len(list) != 1 || list[0].Hours.String()+" "+*list[0].Notes != tt.want {
					t.Errorf("Harvest has %v %q, want %s", list, *list[0].Notes, tt.want)
				}
			}
			// What it was when we looked is kept, to be put back.
			var before string
			err := b.pool.QueryRow(t.Context(), "select remote_before::text from writes where id = $1", b.last(t).ID).Scan(&before)
			if err != nil || !strings.Contains(before, "125") || !strings.Contains(before, "ours") {
				t.Errorf("before: %q, %v", before, err)
			}
			if n := b.confirm(t, nil); n != 0 {
				t.Errorf("%d lines are left to send", n)
			}
		})
	}
}

// TestFault67_BulkPush: while one user pushes many entries at the pace that
// Harvest allows, another one's pushes go out at once. On a machine that has
// other work no time tells that, but how many of the many went out meanwhile does.
func TestFault67_BulkPush(t *testing.T) {
	t.Parallel()
	const bulk, clicks, most = 150, 10, 10
	b := setUp(t, benchOptions{gate: true})
	b.sandbox.Switch(t, map[string]any{"limits": map[string]any{"general": 100}})
	jonas := b.colleague(t)
	first := b.week
	var weeks []planner.Week
	for planned := 0; planned < bulk; b.week = planner.WeekOf(b.week.Start.AddDays(7), time.Monday) {
		weeks = append(weeks, b.week)
		err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
			minutes := planner.Minutes(15)
			for i := range min(len(b.rows)*planner.DaysInWeek, bulk-planned) {
				edit := db.CellEdit{Cell: b.cell(i/planner.DaysInWeek, i%planner.DaysInWeek), Planned: minutes, MutationID: rand.Text()}
				if _, err := tx.EditCell(t.Context(), b.userID, edit); err != nil {
					return err
				}
				planned++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b.confirm(t, nil)
	}
	b.week = first
	stop := b.run(t, b.work())

	done := func() int {
		counts, err := b.store.CountWrites(t.Context(), db.WriteFilter{UserID: b.userID})
		if err != nil {
			t.Fatal(err)
		}
		return counts.ByState[ledger.Done]
	}
	waitFor(t, "the first turn of the bulk", func() bool { return done() > 0 })
	var before []int
	for i := range clicks {
		jonas.plan(t, jonas.cell(i%len(jonas.rows), i/len(jonas.rows)), 30, "")
		clicked := done()
		if n := jonas.confirm(t, nil); n != 1 {
			t.Fatalf("%d lines", n)
		}
		waitFor(t, "the colleague's push", func() bool { return jonas.last(t).State == ledger.Done })
		before = append(before, done()-clicked)
	}
	slices.Sort(before)
	if before[clicks-2] > most { // all but one
		t.Errorf("pushes waited for %v of the bulk, want at most %d", before, most)
	}
	if n := done(); n == bulk {
		t.Error("the bulk was over before")
	}
	for _, r := range b.sandbox.Requests(t) {
		if r.Status == http.StatusTooManyRequests {
			t.Errorf("Harvest had to stop us: %+v", r)
		}
	}

	var refused int
	if err := b.pool.QueryRow(t.Context(), "select count(*) from write_attempts where outcome = 'wait'").Scan(&refused); err != nil || refused != 0 {
		t.Errorf("%d writes were on their way and then had to wait, %v", refused, err)
	}

	// The rest would take most of a minute at that pace. Ida gives it up.
	stop()
	for _, w := range b.writes(t) {
		if w.State == ledger.Done {
			continue
		}
		if err := b.store.InTx(t.Context(), func(tx *db.Tx) error { return tx.DropWrite(t.Context(), b.userID, w.ID) }); err != nil {
			t.Errorf("drop write %d, which is %s: %v", w.ID, w.State, err)
		}
	}
	sent := 0
	for _, b.week = range weeks {
		for reference, list := range b.entries(t) {
			sent++
			if len(list) != 1 {
				t.Errorf("%d entries carry %s", len(list), reference)
			}
		}
	}
	if sent != done() {
		t.Errorf("Harvest has %d entries, want %d", sent, done())
	}
	jonas.exactlyAsPlanned(t)
}

// TestFault68_RetriesAllMeanwhile: an admin who keeps asking for everything to be
// tried again while it is being sent hurries what waits, and doubles nothing.
func TestFault68_RetriesAllMeanwhile(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	for i := range 6 {
		b.plan(t, b.cell(i, 1), 75, "")
	}
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultApplyThenDrop, 2, nil)
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultDropBefore, 1, nil)
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultStatus, 1, answering(http.StatusForbidden))
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultStatus, 2, func(f *sandboxtest.Fault) { f.Status, f.RetryAfter = 429, 1 })
	b.confirm(t, nil)
	b.run(t, b.work())
	b.run(t, b.work())
	retried := 0
	waitFor(t, "everything to be sent", func() bool {
		retried += len(b.retry(t, 0))
		for _, w := range b.writes(t) {
			if w.State != ledger.Done {
				return false
			}
		}
		return true
	})
	b.exactlyAsPlanned(t)
	if n := b.posts(t); n != 6+4 {
		t.Errorf("%d creates, want one of each and one for each that had no effect", n)
	}
	for _, w := range b.writes(t) {
		if got := story(w); strings.Contains(got, "unknown, retry") {
			t.Errorf("what was in doubt was hurried: %s", got)
		}
	}
	if retried == 0 { // what had to wait may have gone before anybody asked
		t.Error("what was refused is sent without a retry")
	}
}
