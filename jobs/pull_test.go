package jobs_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// asInHarvest compares the mirror with the user's entries of the year.
func (b *bench) asInHarvest(t *testing.T) {
	t.Helper()
	want := map[int64]string{}
	from := planner.DateOf(planner.DateOf(time.Now()).Time().AddDate(-1, 0, 0)).String()
	for _, e := range b.sandbox.State(t).Entries() {
		if e.User.ID != b.harvestUser || e.SpentDate < from {
			continue
		}
		notes := ""
		if e.Notes != nil {
			notes = *e.Notes
		}
		want[e.ID] = fmt.Sprintf("%s %s %d/%d %q locked %t", e.SpentDate, e.Hours.StringFixed(2), e.Project.ID, e.Task.ID, notes, e.IsLocked)
	}
	rows, err := b.pool.Query(t.Context(), `select e.harvest_id, e.spent_date, e.hours, p.harvest_id, k.harvest_id, e.notes, e.is_locked
		from time_entries e join projects p on p.id = e.project_id join tasks k on k.id = e.task_id
		where e.user_id = $1 and e.deleted_at is null`, b.userID)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int64]string{}
	var id, project, task int64
	var date planner.Date
	var hours planner.Hours
	var notes string
	var locked bool
	_, err = pgx.ForEachRow(rows, []any{&id, &date, &hours, &project, &task, &notes, &locked}, func() error {
		got[id] = fmt.Sprintf("%s %s %d/%d %q locked %t", date, hours.Decimal(), project, task, notes, locked)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the mirror differs from Harvest (-harvest +mirror):\n%s", diff)
	}
}

// rowVersions tells for each row of the mirror which transaction wrote it.
func (b *bench) rowVersions(t *testing.T) map[int64]string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "select harvest_id, xmin::text from time_entries")
	if err != nil {
		t.Fatal(err)
	}
	versions := map[int64]string{}
	var id int64
	var version string
	if _, err := pgx.ForEachRow(rows, []any{&id, &version}, func() error { versions[id] = version; return nil }); err != nil {
		t.Fatal(err)
	}
	return versions
}

// own returns an entry of Ida's on a date that is so many days ago or longer.
func (b *bench) own(t *testing.T, daysAgo, atMost int) sandboxtest.TimeEntry {
	t.Helper()
	today := planner.DateOf(time.Now())
	for _, e := range b.sandbox.State(t).Entries() {
		date, err := planner.ParseDate(e.SpentDate)
		if err != nil {
			t.Fatal(err)
		}
		if ago := int(today - date); e.User.ID == sandboxtest.UserID && ago >= daysAgo && ago <= atMost {
			return e
		}
	}
	t.Fatalf("no entry between %d and %d days ago", daysAgo, atMost)
	return sandboxtest.TimeEntry{}
}

func TestPull(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.run(t, b.work())

	first := b.pulled(t)
	if first.State != ledger.RunDone || first.Entries != b.mirrored(t) || first.Entries < 500 || first.Page != 1 {
		t.Errorf("first run %+v, %d mirrored", first, b.mirrored(t))
	}
	b.asInHarvest(t)

	// Nothing new: nothing is written, and hardly anything asked.
	before := b.rowVersions(t)
	b.sandbox.ForgetRequests(t)
	second := b.pulled(t)
	if second.State != ledger.RunDone {
		t.Errorf("second run %+v", second)
	}
	if diff := cmp.Diff(before, b.rowVersions(t)); diff != "" {
		t.Errorf("a run without news rewrote rows:\n%s", diff)
	}
	if calls := b.sandbox.Requests(t); len(calls) > 3 {
		t.Errorf("%d calls for nothing new: %v", len(calls), calls)
	}

	// News of every kind, near and far.
	near, far, away := b.own(t, 1, 10), b.own(t, 200, 300), b.own(t, 11, 25)
	b.sandbox.WebUpdate(t, far.ID, map[string]any{"hours": 7.77, "notes": "long ago"})
	b.sandbox.WebDelete(t, near.ID)
	b.sandbox.WebUpdate(t, away.ID, map[string]any{"spent_date": planner.DateOf(time.Now()).AddDays(-100).String()})
	b.sandbox.WebCreate(t, map[string]any{
		"user_id": sandboxtest.UserID, "project_id": far.Project.ID, "task_id": far.Task.ID, "spent_date": b.week.Start.String(), "hours": 0.33, "notes": "by hand",
	})
	b.sandbox.ForgetRequests(t)
	third := b.pulled(t)
	if third.State != ledger.RunDone {
		t.Errorf("third run %+v", third)
	}
	b.asInHarvest(t)
	var removed, changed int
	err := b.pool.QueryRow(t.Context(), "select removed, changed from sync_runs where id = $1", third.ID).Scan(&removed, &changed)
	if err != nil || removed != 1 || changed != 3 {
		t.Errorf("%d removed and %d changed, %v; want 1 and 3", removed, changed, err)
	}
	// A deletion is believed only when Harvest has been asked for the entry itself.
	if n := b.calls(t, http.MethodGet, entriesPath+"/"+strconv.FormatInt(near.ID, 10)); n != 1 {
		t.Errorf("the deleted entry was asked for %d times", n)
	}

	// The job of a run that is over does nothing.
	b.sandbox.ForgetRequests(t)
	err = b.store.InTx(t.Context(), func(tx *db.Tx) error { return b.bell.Pull(t.Context(), tx, third.ID) })
	if err != nil {
		t.Fatal(err)
	}
	b.jobsEnd(t)
	if calls := b.sandbox.Requests(t); len(calls) != 0 {
		t.Errorf("a run that was over made %d calls", len(calls))
	}
}

// jobsEnd waits until every job is completed.
func (b *bench) jobsEnd(t *testing.T) {
	t.Helper()
	waitFor(t, "the end of all jobs", func() bool {
		list, err := b.bell.List(t.Context(), jobs.Filter{Most: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range list {
			if job.State != "completed" {
				return false
			}
		}
		return true
	})
}

// TestPullGoesOn interrupts the listing of the first year in all ways that pass
// by themselves. The pages that are stored are not fetched again.
func TestPullGoesOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		fault      sandboxtest.Fault
		wantReason string
	}{
		{name: "19_500", fault: sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 500, Times: 3}, wantReason: string(ledger.ReasonServer)},
		{name: "16_429", fault: sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 429, RetryAfter: 1, Times: 1}, wantReason: string(ledger.WaitAsked)},
		{name: "10_truncated", fault: sandboxtest.Fault{Fault: sandbox.FaultApplyThenTruncate, Times: 3}, wantReason: string(ledger.ReasonBroken)},
		{name: "37_foreign_next_link", fault: sandboxtest.Fault{Fault: sandbox.FaultForeignNextLink, Times: 1}, wantReason: string(ledger.ReasonUnreadable)},
		{name: "11_html", fault: sandboxtest.Fault{Fault: sandbox.FaultHTML200, Times: 1}, wantReason: string(ledger.ReasonUnreadable)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{pageSize: 100})
			tt.fault.Match = sandboxtest.Match{Method: http.MethodGet, Path: entriesPath}
			tt.fault.After = 3
			b.sandbox.Fault(t, tt.fault)
			id := b.startRun(t)
			b.run(t, b.work())
			waitFor(t, "a run that waits and says why", func() bool {
				run, err := b.store.RunStatus(t.Context(), b.userID, id)
				if err != nil || run.State == ledger.RunDone {
					t.Fatalf("run %+v, %v", run, err)
				}
				return run.State == ledger.RunWaiting && run.Reason == tt.wantReason && !run.NextTry.IsZero() && run.Page >= 1 && run.Entries >= 100
			})
			run := b.runEnds(t, id)
			if run.State != ledger.RunDone || run.Reason != "" || run.Entries != b.mirrored(t) {
				t.Errorf("run %+v, %d mirrored", run, b.mirrored(t))
			}
			b.asInHarvest(t)
			seen := map[string]int{}
			for _, r := range b.sandbox.Requests(t) {
				if r.Path == entriesPath && r.Status == http.StatusOK && r.Fault == "" {
					seen[r.Query]++
				}
			}
			again := 0
			for _, n := range seen {
				again += n - 1
			}
			// One page may have been under way while the one before it was stored.
			if again > 1 {
				t.Errorf("%d pages were fetched again: %v", again, seen)
			}
		})
	}
}

// TestFault36_PagesShift: while pages are fetched, entries come and go in front
// of those that were listed already, so that rows are listed twice or not at all.
func TestFault36_PagesShift(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, style string
		created     int // two are deleted
		cut         bool
	}{
		{"cursor, shrinks", "cursor", 0, false},
		{"cursor, grows", "cursor", 3, false},
		{"page, shrinks", "page", 0, false},
		{"page, grows", "page", 3, false},
		{"page, shrinks and is cut", "page", 0, true}, // what goes on knows what was seen before
		{"page, grows and is cut", "page", 3, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{pageSize: 100})
			b.sandbox.Switch(t, map[string]any{"paging": map[string]string{"time_entries": tt.style}})
			b.fault(t, http.MethodGet, entriesPath, sandbox.FaultDelay, 1, func(f *sandboxtest.Fault) { f.After, f.DelayMS = 2, 1000 })
			if tt.cut {
				b.fault(t, http.MethodGet, entriesPath, sandbox.FaultStatus, 3, func(f *sandboxtest.Fault) { f.After, f.Status = 3, 502 })
			}
			one, other := b.own(t, 1, 4), b.own(t, 5, 10) // in view, so that their end is seen
			id := b.startRun(t)
			b.run(t, b.work())
			waitFor(t, "the third page", func() bool { return b.sandbox.Faults(t)[0].Struck == 1 })
			b.sandbox.WebDelete(t, one.ID)
			b.sandbox.WebDelete(t, other.ID)
			for range tt.created {
				b.sandbox.WebCreate(t, map[string]any{
					"user_id": sandboxtest.UserID, "project_id": one.Project.ID, "task_id": one.Task.ID, "spent_date": b.week.Start.String(), "hours": 0.33,
				})
			}
			if run := b.runEnds(t, id); run.State != ledger.RunDone {
				t.Errorf("run %+v", run)
			}
			b.pulledWell(t)
			b.asInHarvest(t)
		})
	}
}

// TestPullWindowInterrupted: a listing that breaks off shows nothing to be
// deleted, however much of it is missing.
func TestPullWindowInterrupted(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{pageSize: 30})
	b.run(t, b.work())
	b.pulled(t)
	have := b.mirrored(t)
	b.sandbox.WebDelete(t, b.own(t, 1, 20).ID)
	// The first listing is by change and has one page or none; then comes the window.
	b.fault(t, http.MethodGet, entriesPath, sandbox.FaultStatus, 3, func(f *sandboxtest.Fault) { f.Status, f.After = 502, 3 })
	id := b.startRun(t)
	waitFor(t, "a run that waits", func() bool {
		run, err := b.store.RunStatus(t.Context(), b.userID, id)
		return err == nil && run.State == ledger.RunWaiting
	})
	if n := b.mirrored(t); n != have {
		t.Errorf("%d of %d entries are left after half a listing", n, have)
	}
	if run := b.runEnds(t, id); run.State != ledger.RunDone {
		t.Errorf("run %+v", run)
	}
	b.asInHarvest(t)
}

// TestPullOfAnEmptyAccount: there is no newest change to go on from, and a
// deletion is seen all the same.
func TestPullOfAnEmptyAccount(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{jonas: true}) // he has few to delete
	for _, e := range b.sandbox.State(t).Entries() {
		if e.User.ID == b.harvestUser {
			b.sandbox.WebDelete(t, e.ID)
		}
	}
	b.run(t, b.work())
	if run := b.pulled(t); run.State != ledger.RunDone || run.Entries != 0 {
		t.Errorf("run %+v", run)
	}
	b.plan(t, b.cell(0, 0), 60, "only one")
	b.confirm(t, nil)
	b.settled(t, ledger.Done)
	b.sandbox.WebDelete(t, b.last(t).RemoteID)
	if run := b.pulled(t); run.State != ledger.RunDone {
		t.Errorf("run %+v", run)
	}
	b.asInHarvest(t)
}

func TestPullRevoked(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.sandbox.RevokeToken(t, sandboxtest.Token)
	b.run(t, b.work())
	if run := b.pulled(t); run.State != ledger.RunFailed || run.Reason != string(ledger.ReasonAuth) {
		t.Errorf("run %+v", run)
	}
	if c, err := b.store.Connection(t.Context(), b.userID); err != nil || c.State != ledger.NeedsReauth {
		t.Errorf("connection %+v, %v", c, err)
	}
	b.sandbox.RestoreToken(t, sandboxtest.Token)
	b.connect(t)
	if run := b.pulled(t); run.State != ledger.RunDone {
		t.Errorf("run %+v", run)
	}
	b.asInHarvest(t)
}

// TestPullRevived: the run of a job that an admin retries goes on.
func TestPullRevived(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{pageSize: 100})
	b.fault(t, http.MethodGet, entriesPath, sandbox.FaultStatus, 1, func(f *sandboxtest.Fault) { f.Status, f.After = 403, 3 })
	b.run(t, b.work())
	run := b.pulled(t)
	if run.State != ledger.RunFailed || run.Status != 403 {
		t.Errorf("run %+v", run)
	}
	var job jobs.Record
	waitFor(t, "the cancelled job", func() bool {
		list, err := b.bell.List(t.Context(), jobs.Filter{State: "cancelled"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 {
			job = list[0]
		}
		return len(list) == 1
	})
	if len(job.Errors) != 1 || !strings.Contains(job.Errors[0].Text, "403") || strings.Contains(job.Errors[0].Text, sandboxtest.Token) {
		t.Errorf("job %+v", job)
	}
	if err := b.store.InTx(t.Context(), func(tx *db.Tx) error { return b.bell.Act(t.Context(), tx, jobs.RetryJob, job.ID) }); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of the run", func() bool {
		run, err := b.store.RunStatus(t.Context(), b.userID, run.ID)
		return err == nil && run.State == ledger.RunDone
	})
	b.asInHarvest(t)
}

// TestPullLeavesOursAlone: a pull while writes are under way neither loses nor
// doubles anything.
func TestPullLeavesOursAlone(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	for i := range 4 {
		b.plan(t, b.cell(i, 2), 60, "ours")
	}
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultApplyThenDrop, 4, nil)
	b.confirm(t, nil)
	b.run(t, b.work())
	waitFor(t, "the doubt", func() bool { return b.posts(t) == 4 })
	if run := b.pulled(t); run.State != ledger.RunDone {
		t.Errorf("run %+v", run)
	}
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	b.asInHarvest(t)
	if n := b.posts(t); n != 4 {
		t.Errorf("%d creates", n)
	}
}

// TestSchedule: old mirrors are refreshed unasked, once.
func TestSchedule(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	asked := make(chan int64, 100)
	work := b.work()
	work.PullAge = time.Nanosecond
	work.StartPull = pullStarter(b, asked)
	b.run(t, work)
	if id := <-asked; id != b.userID {
		t.Errorf("a pull for user %d", id)
	}
	waitFor(t, "a scheduled run", func() bool {
		var n int
		err := b.pool.QueryRow(t.Context(), "select count(*) from sync_runs where state = 'done' and trigger = 'schedule'").Scan(&n)
		return err == nil && n >= 1
	})
}

// TestPullAbsenceOfAnotherAccount: what is missing from a listing is believed to
// be deleted only if the account is the right one.
func TestPullAbsenceOfAnotherAccount(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.run(t, b.work())
	b.pulled(t)
	before := b.mirrored(t)
	b.sandbox.WebDelete(t, b.own(t, 0, 14).ID)
	b.fault(t, "GET", "/v2/users/me", sandbox.FaultStatus, 1, func(f *sandboxtest.Fault) { f.Status = http.StatusForbidden })
	if run := b.pulled(t); run.State != ledger.RunFailed {
		t.Errorf("the run is %s", run.State)
	}
	if n := b.mirrored(t); n != before {
		t.Errorf("%d entries in the mirror, want all %d", n, before)
	}
	if run := b.pulled(t); run.State != ledger.RunDone {
		t.Errorf("the run is %s", run.State)
	}
	if n := b.mirrored(t); n != before-1 {
		t.Errorf("%d entries in the mirror, want %d", n, before-1)
	}
}

// TestPullWithoutJob: a run whose job was discarded, because its process died on
// the last try, is given up, so that another one can start. A run that is worked
// on is left alone however old it is.
func TestPullWithoutJob(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	id := b.startRun(t)
	for _, statement := range []string{
		"update river_job set state = 'discarded', finalized_at = now() where kind = 'harvest_pull'",
		"update sync_runs set created_at = created_at - interval '1 hour'",
	} {
		if _, err := b.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	b.run(t, b.work())
	if run := b.runEnds(t, id); run.State != ledger.RunFailed {
		t.Errorf("the run is %s", run.State)
	}
	b.fault(t, "GET", "/v2", sandbox.FaultDelay, 0, func(f *sandboxtest.Fault) { f.DelayMS = int((3 * sweep).Milliseconds()) })
	id = b.startRun(t)
	if _, err := b.pool.Exec(t.Context(), "update sync_runs set created_at = created_at - interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	if run := b.runEnds(t, id); run.State != ledger.RunDone {
		t.Errorf("the run is %s", run.State)
	}
}

// TestJobsOfADeletedUser: they have nothing to do, and end.
func TestJobsOfADeletedUser(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.startRun(t)
	b.plan(t, b.cell(0, 0), 60, "")
	b.confirm(t, nil)
	if err := b.store.DeleteUser(t.Context(), b.userID, 0, true); err != nil {
		t.Fatal(err)
	}
	before := len(b.sandbox.Requests(t))
	b.run(t, b.work())
	b.jobsEnd(t)
	if calls := b.sandbox.Requests(t)[before:]; len(calls) != 0 {
		t.Errorf("%d calls were made for somebody who is gone", len(calls))
	}
}
