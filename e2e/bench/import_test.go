package bench

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// BenchmarkImport reads fifty thousand entries from the sandbox and stores them, beside a COPY of the same rows into a
// temporary table, which is the fastest that PostgreSQL takes them.
func BenchmarkImport(b *testing.B) {
	p := start(b, options{rows: 60, seed: "large"})
	ctx := p.ctx()
	p.exec("delete from pushed_entries")
	remote := p.remote()
	pages := p.pages(remote)
	var entries []ledger.RemoteEntry
	for _, page := range pages {
		entries = append(entries, page.Entries...)
	}
	run := func() ledger.Run {
		p.exec("update sync_runs set state = 'done' where state = 'queued' or state = 'running'")
		var id int64
		err := p.store.InTx(ctx, func(tx *db.Tx) (err error) {
			id, _, err = tx.StartRun(ctx, p.userID, db.TriggerUser, nil, planner.DateOf(time.Now()))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		return ledger.Run{ID: id, UserID: p.userID, ConnectionID: p.connection, State: ledger.RunQueued, Phase: ledger.PhaseQueued, YearFrom: planner.DateOf(time.Now().AddDate(-6, 0, 0))}
	}
	empty := func() { p.exec("truncate time_entries") }
	perSecond := func(f func()) float64 {
		began := time.Now()
		f()
		return float64(len(entries)) / time.Since(began).Seconds()
	}
	save := func() float64 {
		mirror := p.store.Mirror(run())
		return perSecond(func() {
			for _, page := range pages {
				if err := mirror.SavePage(ctx, page); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	pull := func() float64 {
		r, mirror := run(), ledger.Mirror(nil)
		mirror = p.store.Mirror(r)
		return perSecond(func() {
			if err := ledger.Pull(ctx, remote, mirror, r, time.Minute); err != nil {
				b.Fatal(err)
			}
		})
	}
	empty()
	pull() // assignments, connections
	rewritten := -1
	var requests int
	once(b, func() {
		var floor, merge, stage, again, whole []float64
		for range 3 {
			floor = append(floor, perSecond(func() { p.copyRows(entries) }))
			empty()
			stage = append(stage, save())
			before := p.rowVersions()
			again = append(again, save())
			rewritten = p.rowVersions() - before
			merge = append(merge, perSecond(func() { p.mergeRows(entries) }))
			empty()
			p.sandbox.ForgetRequests(b)
			p.exec("delete from api_gates") // each import finds the pace unused, as a first one does
			whole = append(whole, pull())
			requests = len(p.sandbox.Requests(b))
		}
		for _, figure := range []struct {
			name, metric, aim string
			perSecond         []float64
			beside            string
			floor             []float64
			least             float64
			met               bool
		}{
			{"upsert, rows new", "upsert-ratio", ">= 0.50", stage, "COPY", floor, 0.5, true},
			{fmt.Sprintf("upsert, unchanged, %d rows rewritten", rewritten), "unchanged-ratio", ">= 0.70, none rewritten", again, "COPY", floor, 0.7, rewritten == 0},
			{fmt.Sprintf("import of %d, %d requests", len(entries), requests), "import-ratio", ">= 0.30", whole, "COPY", floor, 0.3, true},
			{"the same", "import-merge-ratio", ">= 0.50", whole, "COPY and merge", merge, 0.5, true},
		} {
			ratios := make([]float64, len(figure.floor))
			for i := range figure.floor {
				ratios[i] = figure.perSecond[i] / figure.floor[i]
			}
			ratio := median(ratios)
			beside := figure.beside + " " + rate(median(append([]float64(nil), figure.floor...)))
			table.add(figure.name, rate(median(figure.perSecond)), beside, ratioOf(ratio), figure.aim, figure.met && ratio >= figure.least)
			b.ReportMetric(ratio, figure.metric)
		}
		b.ReportMetric(float64(requests), "requests")
		b.ReportMetric(float64(rewritten), "rewritten")
	})
}

// pages lists all entries of the sandbox.
func (p *program) pages(remote ledger.Remote) []ledger.EntryPage {
	p.tb.Helper()
	from := planner.DateOf(time.Now().AddDate(-6, 0, 0))
	var pages []ledger.EntryPage
	for page, err := range remote.EntryPages(p.ctx(), ledger.EntryFilter{From: &from}) {
		if err != nil {
			p.tb.Fatal(err)
		}
		pages = append(pages, page)
	}
	return pages
}

// rowVersions changes whenever a stored row of the mirror is written.
func (p *program) rowVersions() int {
	p.tb.Helper()
	return queryOne[int](p, "select coalesce(sum(xmin::text::bigint % 1000003 + hashtext(ctid::text) % 1000), 0) from time_entries")
}

// copyRows is the first floor: COPY into a temporary table of the twenty columns that an entry is staged in.
func (p *program) copyRows(entries []ledger.RemoteEntry) { p.copyInto(entries, "") }

// mergeRows is the second floor: the same, and one merge of all rows at once into a table with a key.
func (p *program) mergeRows(entries []ledger.RemoteEntry) {
	p.exec("create table if not exists floor_mirror (like time_entries including constraints including indexes)")
	p.exec("truncate floor_mirror")
	p.copyInto(entries, `insert into floor_mirror as t (user_id, harvest_id, project_id, task_id, spent_date, hours, notes, is_locked,
			locked_reason, approval_status, is_billed, is_running, billable, reference_id, created_at, updated_at)
		select 1, harvest_id, project_id, task_id, spent_date, hours, notes, is_locked,
			locked_reason, approval_status, is_billed, is_running, billable, reference_id, created_at, updated_at
		from floor_entries
		on conflict (user_id, harvest_id) do update set hours = excluded.hours where t.hours is distinct from excluded.hours`)
}

func (p *program) copyInto(entries []ledger.RemoteEntry, then string) {
	ctx := p.ctx()
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `create temporary table floor_entries (
			harvest_id bigint, client_id bigint, client text, currency text, project_id bigint, project text, task_id bigint, task text,
			spent_date date, hours int, notes text, is_locked boolean, locked_reason text, approval_status text, is_billed boolean,
			is_running boolean, billable boolean, reference_id text, created_at timestamptz, updated_at timestamptz) on commit drop`)
		if err != nil {
			return err
		}
		n, err := tx.CopyFrom(ctx, pgx.Identifier{"floor_entries"}, []string{
			"harvest_id", "client_id", "client", "currency", "project_id", "project", "task_id", "task",
			"spent_date", "hours", "notes", "is_locked", "locked_reason", "approval_status", "is_billed",
			"is_running", "billable", "reference_id", "created_at", "updated_at",
		}, pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) {
			e := &entries[i]
			return []any{
				e.ID, e.ClientID, e.ClientName, e.Currency, e.ProjectID, e.ProjectName, e.TaskID, e.TaskName,
				e.SpentDate.Time(), int32(e.Hours), e.Notes, e.IsLocked, e.LockedReason, e.ApprovalStatus, e.IsBilled,
				e.IsRunning, e.Billable, e.ReferenceID, e.CreatedAt, e.UpdatedAt,
			}, nil
		}))
		if err == nil && int(n) != len(entries) {
			err = errors.New("rows are missing")
		}
		if err == nil && then != "" {
			_, err = tx.Exec(ctx, then)
		}
		return err
	})
	if err != nil {
		p.tb.Fatal(err)
	}
}
