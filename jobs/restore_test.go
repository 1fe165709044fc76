package jobs_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// backUp saves the database as furrow backup does.
func (b *bench) backUp(t *testing.T) *db.BackupFile {
	t.Helper()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "backup"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	spool, err := os.Create(filepath.Join(dir, "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	if _, err := db.Backup(t.Context(), b.pool, out, spool, dbtest.SecretKey(), "test"); err != nil {
		t.Fatal(err)
	}
	backup, err := db.OpenBackup(out)
	if err != nil {
		t.Fatal(err)
	}
	return backup
}

// restored is the same user on a database that was restored, with the same
// Harvest.
func (b *bench) restored(t *testing.T, backup *db.BackupFile) *bench {
	t.Helper()
	r := *b
	r.url = dbtest.EmptyURL(t)
	var err error
	r.site, err = openSite(t.Context(), r.url, harvest.Config{BaseURL: b.sandbox.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.pool.Close()
		r.harvest.Close()
	})
	if err := backup.CheckEmpty(t.Context(), r.pool); err != nil {
		t.Fatal(err)
	}
	if err := backup.Load(t.Context(), r.pool); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), r.pool); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.bell, err = jobs.New(r.pool, nil, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return &r
}

// pulling is work that starts the pulls that are due.
func (b *bench) pulling() *jobs.Work {
	work := b.work()
	work.StartPull = pullStarter(b, make(chan int64))
	return work
}

// free finds cells of the week on which Harvest has nothing.
func (b *bench) free(t *testing.T, n int) []planner.CellID {
	t.Helper()
	plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	taken := map[planner.CellID]bool{}
	for _, row := range plan.Rows {
		for i, c := range row.Cells {
			taken[planner.CellID{RowID: row.ID, Date: b.week.Day(i)}] = c.OthersCount > 0
		}
	}
	var cells []planner.CellID
	for i := range b.rows {
		for d := range 5 {
			if cell := b.cell(i, d); !taken[cell] && len(cells) < n {
				cells = append(cells, cell)
			}
		}
	}
	if len(cells) < n {
		t.Fatalf("only %d cells are free", len(cells))
	}
	return cells
}

// shown is what the week and the review say of a cell.
func (b *bench) shown(t *testing.T, id planner.CellID) string {
	t.Helper()
	plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, row := range plan.Rows {
		if row.ID == id.RowID {
			c := row.Cells[id.Date-b.week.Start]
			said = append(said, fmt.Sprintf("%d planned, %d tracked, %s", c.Planned, c.Tracked(), c.Mark()))
		}
	}
	for _, l := range plan.PushLines(nil, b.week.End()) {
		if l.Cell == id {
			said = append(said, fmt.Sprintf("%s %s %t", l.Action, l.Reason, l.Ticked))
		}
	}
	return strings.Join(said, ", ")
}

func ticked(l ledger.Line) bool { return l.Ticked }

// oncePerCell checks that Harvest has no cell of ours twice.
func (b *bench) oncePerCell(t *testing.T, want int) {
	t.Helper()
	have := map[string]int{}
	n := 0
	for _, list := range b.entries(t) {
		for _, e := range list {
			have[fmt.Sprint(e.SpentDate, e.Project.ID, e.Task.ID)]++
			n++
		}
	}
	for cell, n := range have {
		if n != 1 {
			t.Errorf("cell %s is in Harvest %d times", cell, n)
		}
	}
	if n != want {
		t.Errorf("%d entries of ours, want %d", n, want)
	}
}

// sentAfterListing checks that nothing was changed in Harvest before the weeks in
// view had been listed.
func (b *bench) sentAfterListing(t *testing.T) {
	t.Helper()
	requests := b.sandbox.Requests(t)
	listed := slices.IndexFunc(requests, func(r sandboxtest.Request) bool {
		return r.Path == entriesPath && strings.Contains(r.Query, "from=") && strings.Contains(r.Query, "to=") && r.Status == http.StatusOK
	})
	changed := slices.IndexFunc(requests, func(r sandboxtest.Request) bool { return r.Method != http.MethodGet })
	if listed < 0 || changed >= 0 && changed < listed {
		t.Errorf("request %d lists the weeks, and request %d changes something", listed, changed)
		for _, r := range requests {
			t.Logf("%s %s?%s -> %d", r.Method, r.Path, r.Query, r.Status)
		}
	}
}

// TestFault50_RestoreOfAnOlderBackup: after the backup cells were pushed, changed
// and deleted. The restored database knows nothing of it, and its owner pushes
// all that she sees as not sent.
func TestFault50_RestoreOfAnOlderBackup(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	stop := b.run(t, b.work())
	b.pulledWell(t)
	cells := b.free(t, 8)
	kept, changed, deleted, waiting, inDoubt, planned, forgotten, twice := cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7]
	for _, cell := range []planner.CellID{kept, changed, deleted} {
		b.plan(t, cell, 90, "before")
	}
	b.confirm(t, nil)
	b.settled(t, ledger.Done)
	stop()
	b.plan(t, waiting, 30, "waiting")
	b.plan(t, inDoubt, 45, "in doubt")
	b.confirm(t, nil)
	b.exec(t, "update writes set state = 'sending', sent_at = now(), attempts = 1 where id = $1", b.last(t).ID)
	b.plan(t, planned, 60, "only planned")
	b.startRun(t) // and a run is live

	backup := b.backUp(t)

	stop = b.run(t, b.work())
	b.plan(t, forgotten, 75, "after")
	b.plan(t, twice, 105, "after")
	b.plan(t, changed, 120, "after")
	b.plan(t, deleted, 0, "")
	b.sandbox.Advance(t, 2*time.Second) // Harvest's times have whole seconds
	b.confirm(t, nil)
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	stop()

	r := b.restored(t, backup)
	r.sandbox.ForgetRequests(t)
	r.plan(t, twice, 105, "after") // she knows that she had
	if n := r.confirm(t, ticked); n != 2 {
		t.Errorf("%d lines were pushed before Harvest was compared, want those of what was planned and of what was planned again", n)
	}
	stop = r.run(t, r.work()) // without pulls
	r.ring(t, 3)
	r.jobsEnd(t)
	if calls := r.sandbox.Requests(t); len(calls) != 0 {
		t.Errorf("%d calls were made before the comparison: %v", len(calls), calls)
	}
	if got, want := r.shown(t, planned), "60 planned, 0 tracked, waiting, skip on_its_way false"; got != want {
		t.Errorf("a cell that was pushed meanwhile: %s; want %s", got, want)
	}
	stop()

	stop = r.run(t, r.pulling())
	r.settled(t, ledger.Done)
	r.sentAfterListing(t)
	for _, tt := range []struct {
		name string
		cell planner.CellID
		want string
	}{
		{"kept", kept, "90 planned, 150 tracked, in_harvest, skip already_sent false"},
		{"changed", changed, "90 planned, 200 tracked, changed, update changed false"},
		{"deleted", deleted, "90 planned, 0 tracked, changed, create gone false"},
		{"waiting", waiting, "30 planned, 50 tracked, in_harvest, skip already_sent false"},
		{"in doubt", inDoubt, "45 planned, 75 tracked, in_harvest, skip already_sent false"},
		{"only planned", planned, "60 planned, 100 tracked, in_harvest, skip already_sent false"},
		{"forgotten", forgotten, "0 planned, 125 tracked, changed, delete changed false"},
		{"planned and pushed again", twice, "105 planned, 175 tracked, in_harvest, skip already_sent false"},
	} {
		if diff := cmp.Diff(tt.want, r.shown(t, tt.cell)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if posts, patches, deletes := r.posts(t), r.calls(t, http.MethodPatch, ""), r.calls(t, http.MethodDelete, ""); posts+patches+deletes != 0 {
		t.Errorf("%d creates, %d updates and %d deletes for what Harvest has already", posts, patches, deletes)
	}
	r.oncePerCell(t, 7)

	// She pushes again, first what is proposed, and then everything.
	if n := r.confirm(t, ticked); n != 0 {
		t.Errorf("%d lines are proposed", n)
	}
	if n := r.confirm(t, nil); n != 3 {
		t.Errorf("%d lines can be sent, want those of what was changed, deleted and forgotten", n)
	}
	r.settled(t, ledger.Done)
	r.exactlyAsPlanned(t)
	r.oncePerCell(t, 7)
	stop()
}

// TestFault50_PullTrouble: while Harvest cannot be read, nothing is sent.
func TestFault50_PullTrouble(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	stop := b.run(t, b.work())
	b.pulledWell(t)
	cells := b.free(t, 2)
	b.plan(t, cells[0], 90, "before")
	backup := b.backUp(t)
	b.confirm(t, nil)
	b.settled(t, ledger.Done)
	stop()

	r := b.restored(t, backup)
	r.sandbox.ForgetRequests(t)
	r.confirm(t, nil)
	r.fault(t, http.MethodGet, entriesPath, sandbox.FaultStatus, 3, func(f *sandboxtest.Fault) { f.Status = http.StatusBadGateway })
	r.run(t, r.pulling())
	waitFor(t, "a run that waits", func() bool { return r.number(t, "select count(*) from sync_runs where state = 'waiting'") == 1 })
	if c := r.connection(t); !c.Held {
		t.Error("a run that could not read Harvest has ended the hold")
	}
	r.settled(t, ledger.Done)
	r.sentAfterListing(t)
	r.exactlyAsPlanned(t)
	if n := r.posts(t); n != 0 {
		t.Errorf("%d creates of what Harvest has", n)
	}
	if c := r.connection(t); c.Held {
		t.Error("it is still held")
	}
}

// TestFault49_Failover: the database fails over to a standby that misses the end
// of a push: what came of it (T3), that it was about to be sent (T2), or that it
// was ever confirmed (T1), so that its owner confirms it again. All is held by
// hand then; only what T1 lost needs that.
func TestFault49_Failover(t *testing.T) {
	t.Parallel()
	const unsettled = "remote_id = case when op = 'create' then null else remote_id end, finished_at = null, lookups = 0"
	lost := map[string]string{
		"T3": "update writes set state = 'sending', " + unsettled,
		"T2": "update writes set state = 'pending', sent_at = null, attempts = 0, " + unsettled,
		"T1": "delete from writes",
	}
	for _, op := range []ledger.Op{ledger.OpCreate, ledger.OpUpdate, ledger.OpDelete} {
		for _, tt := range []struct {
			lost string
			held bool
		}{{"T3", false}, {"T3", true}, {"T2", false}, {"T2", true}, {"T1", true}} {
			t.Run(fmt.Sprintf("%s/%s lost, held %t", op, tt.lost, tt.held), func(t *testing.T) {
				t.Parallel()
				b := setUp(t, benchOptions{})
				stop := b.run(t, b.work())
				b.pulledWell(t)
				cell := b.free(t, 1)[0]
				if op != ledger.OpCreate {
					b.plan(t, cell, 60, "before")
					b.confirm(t, nil)
					b.settled(t, ledger.Done)
				}
				// What the standby has of the entry and of its mirror.
				for _, table := range []string{"pushed_entries", "time_entries"} {
					b.exec(t, "create table standby_"+table+" as table "+table)
				}
				first := b.number(t, "select coalesce(max(id), 0) from writes")
				if op == ledger.OpDelete {
					b.plan(t, cell, 0, "")
				} else {
					b.plan(t, cell, 75, "sent")
				}
				b.sandbox.Advance(t, 2*time.Second)
				b.confirm(t, nil)
				b.settled(t, ledger.Done)
				stop()
				b.exec(t, lost[tt.lost]+" where id > $1", first)
				meant := "planned_minutes, planned_note, hours, notes" // that T1 stores
				seen := "generation, remote_id, agreed_hours, agreed_notes, agreed_updated_at, removed_at"
				switch {
				case tt.lost == "T1":
					b.exec(t, "delete from pushed_entries where id not in (select id from standby_pushed_entries)")
					seen += ", " + meant
				case op == ledger.OpCreate:
					b.exec(t, "update pushed_entries set remote_id = null, agreed_hours = null, agreed_notes = null, agreed_updated_at = null")
				}
				b.exec(t, "update pushed_entries p set ("+seen+") = (select "+seen+" from standby_pushed_entries s where s.id = p.id) where id in (select id from standby_pushed_entries)")
				b.exec(t, "delete from time_entries")
				b.exec(t, "insert into time_entries select * from standby_time_entries")
				b.sandbox.ForgetRequests(t)

				work := b.work()
				if tt.held {
					if _, err := b.store.Hold(t.Context()); err != nil {
						t.Fatal(err)
					}
					work = b.pulling()
				}
				if tt.lost == "T1" {
					if n := b.confirm(t, ticked); n != 1 {
						t.Errorf("%d lines, want the one that was lost", n)
					}
				}
				b.run(t, work)
				b.settled(t, ledger.Done)
				if tt.held {
					waitFor(t, "the end of the hold", func() bool { return !b.connection(t).Held })
				}
				b.exactlyAsPlanned(t)
				if posts, patches, deletes := b.posts(t), b.calls(t, http.MethodPatch, ""), b.calls(t, http.MethodDelete, ""); posts+patches+deletes != 0 {
					t.Errorf("%d creates, %d updates and %d deletes of what Harvest has done already", posts, patches, deletes)
				}
			})
		}
	}
}
