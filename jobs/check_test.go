package jobs_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/jobs"
	"furrow/ledger"
)

// checked syncs, and compares the week with Harvest.
func (b *bench) checked(t *testing.T) ledger.Check {
	t.Helper()
	b.pull(t)
	sent, found, err := b.store.WeekEntries(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.CheckEntries(sent, found)
}

// TestCheck makes in Harvest what the self-check is to find.
func TestCheck(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	for i := range 3 {
		b.plan(t, b.cell(i, 0), 60, "planned")
	}
	b.confirm(t, nil)
	b.drain(t)
	want := func(when string, sent, found, doubles, unsent int, kinds ...ledger.CheckKind) ledger.Check {
		t.Helper()
		check := b.checked(t)
		got := make([]ledger.CheckKind, len(check.Findings))
		for i, f := range check.Findings {
			got[i] = f.Kind
		}
		slices.Sort(got)
		if check.Sent != sent || check.Found != found || check.Doubles != doubles || len(check.Unsent) != unsent || !slices.Equal(got, kinds) {
			t.Errorf("%s: %d sent, %d found, %d double, %d unsent; %v", when, check.Sent, check.Found, check.Doubles, len(check.Unsent), got)
		}
		return check
	}
	want("as it was sent", 3, 3, 0, 0)

	ids := make([]int64, 3)
	for i, w := range b.writes(t) {
		ids[i] = w.RemoteID
	}
	b.sandbox.Advance(t, time.Minute)
	b.sandbox.WebDelete(t, ids[0])
	b.sandbox.WebUpdate(t, ids[1], map[string]any{"hours": 1.75})
	b.sandbox.WebUpdate(t, ids[2], map[string]any{"spent_date": b.week.Day(3).String()})
	want("after somebody was at it", 3, 2, 0, 0, ledger.CheckChanged, ledger.CheckGone, ledger.CheckMoved)

	// An entry with a reference of ours that this database has never made.
	stranger := b.cell(0, 4)
	made := b.webEntry(t, stranger, map[string]any{"external_reference": map[string]any{"id": "furrow:another:1", "group_id": ledger.ReferenceGroup, "permalink": cellURL(stranger.Date)}})
	check := want("with another Furrow's", 3, 2, 0, 0, ledger.CheckChanged, ledger.CheckGone, ledger.CheckMoved, ledger.CheckUnknown)
	for _, f := range check.Findings {
		if f.Kind == ledger.CheckUnknown && f.Found.RemoteID != made.ID {
			t.Errorf("not known: %+v", f.Found)
		}
	}

	// What waits is told apart from what was sent.
	b.plan(t, b.cell(0, 1), 30, "waits")
	b.confirm(t, func(l ledger.Line) bool { return l.Cell == b.cell(0, 1) })
	b.fault(t, "", entriesPath, sandbox.FaultStatus, 0, answering(http.StatusServiceUnavailable))
	b.drain(t)
	sent, found, err := b.store.WeekEntries(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	if check := ledger.CheckEntries(sent, found); check.Sent != 3 || len(check.Unsent) != 1 || check.Unsent[0].Write.State != ledger.Retry {
		t.Errorf("while one waits: %+v", check)
	}
}

// TestCheckDouble: a create that takes effect long after it was given up books
// a second time. The self-check sees that, until it is mended.
func TestCheckDouble(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.plan(t, b.cell(0, 0), 60, "planned")
	b.fault(t, http.MethodPost, entriesPath, sandbox.FaultApplyLate, 1, whenTold)
	b.confirm(t, nil)
	waitFor(t, "the write to be done", func() bool {
		b.drain(t)
		return b.last(t).State == ledger.Done
	})
	b.sandbox.Advance(t, late)
	waitFor(t, "the first request to take effect", func() bool {
		return len(b.entries(t)[b.reference(t)]) == 2
	})
	// The mirror learns of both; nothing has been removed yet.
	remote, err := b.remote(t.Context(), b.connectionID, jobs.Interactive)
	if err != nil {
		t.Fatal(err)
	}
	both, err := remote.EntriesByReference(t.Context(), b.reference(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range both {
		if err := b.store.Mirror(ledger.Run{UserID: b.userID}).SaveEntry(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	sent, found, err := b.store.WeekEntries(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	check := ledger.CheckEntries(sent, found)
	if check.Sent != 1 || check.Found != 1 || check.Doubles != 1 || len(check.Findings) != 1 || check.Findings[0].Found.Removal != nil {
		t.Errorf("%+v", check)
	}
	b.pull(t) // it makes the write that removes the double
	waitFor(t, "the double to be removed", func() bool {
		b.drain(t)
		check := b.checked(t)
		return check.Sent == 1 && check.Found == 1 && check.Doubles == 0 && len(check.Findings) == 0
	})
}

// reference is the external reference of the only entry of ours.
func (b *bench) reference(t *testing.T) string {
	t.Helper()
	var reference string
	if err := b.pool.QueryRow(t.Context(), "select min(reference) from writes").Scan(&reference); err != nil {
		t.Fatal(err)
	}
	return reference
}
