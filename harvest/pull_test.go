package harvest_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

// mirror keeps in memory what a pull copies.
type mirror struct {
	assignments int
	entries     map[int64]ledger.RemoteEntry
	newest      time.Time
	budgets     []ledger.ProjectBudget
	gone        int
}

var _ ledger.Mirror = (*mirror)(nil)

func (m *mirror) Enter(context.Context, ledger.Phase) error { return nil }

func (m *mirror) AccountDue(context.Context, time.Duration, time.Duration) (bool, error) {
	return false, nil
}

func (m *mirror) SaveAccount(context.Context, ledger.Account) error { return nil }

// BudgetsDue says so once, as for a connection that has just been made.
func (m *mirror) BudgetsDue(context.Context, time.Duration) (bool, error) {
	return m.budgets == nil, nil
}

func (m *mirror) SaveBudgets(_ context.Context, budgets []ledger.ProjectBudget) error {
	m.budgets = budgets
	return nil
}

func (m *mirror) HideBudgets(context.Context) error { return nil }

func (m *mirror) SaveAssignments(_ context.Context, assignments []ledger.Assignment) error {
	m.assignments = len(assignments)
	return nil
}

func (m *mirror) SavePage(ctx context.Context, page ledger.EntryPage) error {
	for _, e := range page.Entries {
		_ = m.SaveEntry(ctx, e)
	}
	return nil
}

func (m *mirror) Known(_ context.Context, window ledger.Window) (ids []int64, err error) {
	for id, e := range m.entries {
		if e.SpentDate >= window.From && e.SpentDate <= window.To {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (m *mirror) MarkGone(_ context.Context, ids []int64) error {
	m.gone += len(ids)
	return nil
}

func (m *mirror) SaveEntry(_ context.Context, e ledger.RemoteEntry) error {
	m.entries[e.ID] = e
	if e.UpdatedAt.After(m.newest) {
		m.newest = e.UpdatedAt
	}
	return nil
}

func (m *mirror) Finish(context.Context) error { return nil }

// pulls is a sandbox with a year of entries, pulled from and into memory.
type pulls struct {
	*sandboxtest.Sandbox
	client *harvest.Client
	mirror *mirror
}

func setupPulls(tb testing.TB, seed string, pageSize int) *pulls {
	tb.Helper()
	p := &pulls{Sandbox: sandboxtest.Start(tb, seed)}
	p.Switch(tb, map[string]any{"limits": map[string]int{"general": 0}})
	h, err := harvest.New(harvest.Config{BaseURL: p.URL, PageSize: pageSize, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(h.Close)
	p.client = h.Client(ida(), harvest.Background)
	return p
}

// pull runs a pull and returns the requests that it took.
func (p *pulls) pull(tb testing.TB, run ledger.Run) int {
	tb.Helper()
	// Counts as requests come in; the log tells them when they are through.
	p.ClearFaults(tb)
	p.Fault(tb, sandboxtest.Fault{Fault: sandbox.FaultDelay})
	if err := ledger.Pull(tb.Context(), p.client, p.mirror, run, time.Hour); err != nil {
		tb.Fatal(err)
	}
	return p.Faults(tb)[0].Struck
}

func (p *pulls) first(tb testing.TB) int {
	tb.Helper()
	p.mirror = &mirror{entries: map[int64]ledger.RemoteEntry{}}
	today := planner.DateOf(p.Now(tb))
	return p.pull(tb, ledger.Run{Phase: ledger.PhaseQueued, YearFrom: today.AddDays(-366), Window: window(today)})
}

func (p *pulls) again(tb testing.TB) int {
	tb.Helper()
	return p.pull(tb, ledger.Run{Phase: ledger.PhaseQueued, UpdatedSince: p.mirror.newest, Window: window(planner.DateOf(p.Now(tb)))})
}

func window(today planner.Date) ledger.Window {
	return ledger.Window{From: today.AddDays(-28), To: today.AddDays(14)}
}

// TestRequestsUsed: what a pull costs of Harvest's patience.
func TestRequestsUsed(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2000, 100} {
		p := setupPulls(t, sandbox.SeedDemo, size)
		used := p.first(t)
		n := len(p.mirror.entries)
		if limit := (n+size-1)/size + 6; n < 900 || used > limit || p.mirror.assignments == 0 {
			t.Errorf("the first import of %d entries took %d calls, want %d at most", n, used, limit)
		}
		used = p.again(t)
		if limit := 3 + 2*(2000/size-1); used > limit || len(p.mirror.entries) != n || p.mirror.gone != 0 {
			t.Errorf("a pull of nothing new took %d calls, want %d at most", used, limit)
		}
	}
}

// BenchmarkPull pulls the large account into memory: calls and entries per
// second of a first import, then the calls of a pull that finds nothing new.
func BenchmarkPull(b *testing.B) {
	p := setupPulls(b, sandbox.SeedLarge, 0)
	var first, again, entries int
	for b.Loop() {
		first = p.first(b)
		entries += len(p.mirror.entries)
	}
	n := len(p.mirror.entries)
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(first), "calls/import")
	b.ReportMetric(float64(n), "entries")
	again = p.again(b)
	b.ReportMetric(float64(again), "calls/nothing-new")
	if first > (n+1999)/2000+6 || again > 3 {
		b.Errorf("%d calls for %d entries, %d for nothing new", first, n, again)
	}
}
