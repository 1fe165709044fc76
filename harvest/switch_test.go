package harvest_test

import (
	"errors"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/ledger"
	"furrow/planner"
)

// The switches whose effect no other test of the adapter shows.

func TestWeekStartSwitch(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, nil)
	for _, day := range []time.Weekday{time.Saturday, time.Sunday, time.Monday} {
		b.Switch(t, map[string]any{"week_start_day": day.String()})
		got, err := b.client.Account(t.Context())
		if err != nil || got.WeekStart != day {
			t.Errorf("week starts on %s, %v, want %s", got.WeekStart, err, day)
		}
	}
}

// Both windows slide by the sandbox's clock, and what is asked for is waited for.
func TestLimitWindows(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, nil)
	b.Switch(t, map[string]any{"limits": map[string]int{"general": 1, "general_window_s": 40, "reports": 1, "reports_window_s": 70}})
	for _, call := range []struct {
		name   string
		window time.Duration
		do     func() error
	}{
		{"general", 40 * time.Second, func() error { _, err := b.client.Entry(t.Context(), 90000001); return err }},
		{"reports", 70 * time.Second, func() error { _, err := b.client.ProjectBudgets(t.Context()); return err }},
	} {
		if err := call.do(); err != nil {
			t.Fatalf("%s: the first call: %v", call.name, err)
		}
		var wait *ledger.WaitError
		if err := call.do(); !errors.As(err, &wait) || wait.Wait < call.window-2*time.Second || wait.Wait > call.window*5/4 {
			t.Errorf("%s: the second call gives %v, want a wait of %s and up to a fifth more", call.name, err, call.window)
		}
		b.Advance(t, call.window)
		if err := call.do(); err != nil {
			t.Errorf("%s: after the window: %v", call.name, err)
		}
	}
}

// An entry that the reference filter does not know yet is not found by it, and
// is found in the list of its day: the ledger looks at both.
func TestReferenceFilterLag(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.SeedDemo, nil)
	b.Switch(t, map[string]any{"reference_filter_lag_ms": 60_000})
	day := planner.DateOf(b.Now(t))
	const reference = "furrow:lag:1"
	made, err := b.client.CreateEntry(t.Context(), ledger.Entry{ProjectID: 3101, TaskID: 4101, SpentDate: day, Hours: 50}, reference, "https://example.com")
	if err != nil {
		t.Fatal(err)
	}
	found := func() int {
		t.Helper()
		entries, err := b.client.EntriesByReference(t.Context(), reference)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if n := found(); n != 0 {
		t.Errorf("the filter finds %d at once", n)
	}
	listed := false
	for page, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{From: &day, To: &day}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range page.Entries {
			listed = listed || entry.ID == made.ID && entry.Is(reference)
		}
	}
	if !listed {
		t.Error("the day does not list it")
	}
	b.Advance(t, time.Minute)
	if n := found(); n != 1 {
		t.Errorf("after the lag the filter finds %d", n)
	}
}
