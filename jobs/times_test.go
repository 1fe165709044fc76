package jobs_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// trackTimes makes the account one with start and end times, there and here.
func (b *bench) trackTimes(t *testing.T, clock string) {
	t.Helper()
	b.sandbox.Switch(t, map[string]any{"account_mode": "timestamp", "clock": clock, "hours_on_timestamp_account": "rejected"})
	b.believe(t, true, clock)
}

// believe lets us take the account for one of a mode.
func (b *bench) believe(t *testing.T, timestamps bool, clock string) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), "update harvest_connections set timestamp_timers = $2, clock = $3 where id = $1", b.connectionID, timestamps, clock)
	if err != nil {
		t.Fatal(err)
	}
}

// times are when the entries of ours are in Harvest, as it shows them, by date.
func (b *bench) times(t *testing.T) []string {
	t.Helper()
	var times []string
	for _, list := range b.entries(t) {
		for _, e := range list {
			text := e.SpentDate + " none"
			if e.StartedTime != nil && e.EndedTime != nil {
				text = e.SpentDate + " " + *e.StartedTime + "-" + *e.EndedTime
			}
			times = append(times, text)
		}
	}
	slices.Sort(times)
	return times
}

// onlyOwnFields checks that no hours were sent to an account with times.
func (b *bench) onlyOwnFields(t *testing.T) {
	t.Helper()
	for _, r := range b.sandbox.Requests(t) {
		if slices.Contains(r.Fields, "hours") || slices.Contains(r.Fields, "started_time") != slices.Contains(r.Fields, "ended_time") {
			t.Errorf("%s %s was sent %q", r.Method, r.Path, r.Fields)
		}
	}
}

// TestPushTimes pushes a week to an account with start and end times, changes
// it, and clears it.
func TestPushTimes(t *testing.T) {
	t.Parallel()
	for _, clock := range []string{"24h", "12h"} {
		t.Run(clock, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.trackTimes(t, clock)
			b.plan(t, b.cell(0, 0), 90, "Checkout wireframes")
			b.plan(t, b.cell(1, 0), 20, "")
			b.plan(t, b.cell(2, 4), 8*60, "")
			b.confirm(t, nil)
			b.run(t, b.work())
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
			day := func(d, start, end int) string {
				at := func(m int) string { return planner.TimeAt(planner.Minutes(m)).Format(clock) }
				return b.week.Day(d).String() + " " + at(start) + "-" + at(end)
			}
			// Both rows of the first day, one after the other, in the order of the review.
			first, second := day(0, 540, 630), day(0, 630, 650)
			if got := b.times(t); !slices.Contains(got, first) || !slices.Contains(got, second) || !slices.Contains(got, day(4, 540, 1020)) {
				t.Errorf("times %q", got)
			}
			if n := b.confirm(t, nil); n != 0 {
				t.Errorf("pushing again sends %d lines", n)
			}

			// Meanwhile somebody moves an entry by an hour: its hours are the same.
			moved := b.byHours(t, "1.50")
			b.sandbox.WebUpdate(t, moved, map[string]any{"started_time": "7:00", "ended_time": "8:30"})
			b.plan(t, b.cell(0, 0), 45, "Checkout wireframes") // keeps the start that it has by now
			b.plan(t, b.cell(1, 0), 20, "a note alone")        // tells no times
			b.plan(t, b.cell(2, 4), 0, "")
			if n := b.confirm(t, nil); n != 3 {
				t.Fatalf("%d lines, want 3", n)
			}
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
			if got, want := b.times(t), []string{day(0, 420, 465), second}; !slices.Equal(got, sorted(want)) {
				t.Errorf("times %q, want %q", got, want)
			}
			b.onlyOwnFields(t)
			if posts, patches, deletes := b.posts(t), b.calls(t, http.MethodPatch, ""), b.calls(t, http.MethodDelete, ""); posts != 3 || patches != 2 || deletes != 1 {
				t.Errorf("%d creates, %d updates, %d deletes; want 3, 2, 1", posts, patches, deletes)
			}
		})
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// byHours is the entry of ours with so many hours.
func (b *bench) byHours(t *testing.T, hours string) int64 {
	t.Helper()
	for _, list := range b.entries(t) {
		for _, e := range list {
			if e.Hours.StringFixed(2) == hours {
				return e.ID
			}
		}
	}
	t.Fatalf("no entry of %s hours", hours)
	return 0
}

// TestPushTimesTrouble: a create, a change and a delete of an entry with times
// are each sent once, whatever becomes of the answer.
func TestPushTimesTrouble(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{sandbox.FaultApplyThenDrop, sandbox.FaultApplyThenStatus, sandbox.FaultDropBefore} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.trackTimes(t, "12h")
			b.run(t, b.work())
			applied := fault != sandbox.FaultDropBefore
			sendings := func(method string) {
				t.Helper()
				want := 2
				if applied {
					want = 1
				}
				if n := b.calls(t, method, entriesPath); n != want {
					t.Errorf("%d calls of %s, want %d", n, method, want)
				}
			}
			b.fault(t, http.MethodPost, entriesPath, fault, 1, nil)
			b.plan(t, b.cell(0, 0), 100, "x")
			b.confirm(t, nil)
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
			sendings(http.MethodPost)

			b.fault(t, http.MethodPatch, entriesPath, fault, 1, nil)
			b.plan(t, b.cell(0, 0), 130, "x")
			b.confirm(t, nil)
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
			sendings(http.MethodPatch)
			if got, want := b.times(t), []string{b.week.Day(0).String() + " 9:00am-11:10am"}; !slices.Equal(got, want) {
				t.Errorf("times %q, want %q", got, want)
			}

			b.fault(t, http.MethodDelete, entriesPath, fault, 1, nil)
			b.plan(t, b.cell(0, 0), 0, "")
			b.confirm(t, nil)
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
			sendings(http.MethodDelete)
			b.onlyOwnFields(t)
		})
	}
}

// TestPushTimesUncertain: a process that died after its create was taken, but
// before it heard of it, leaves a write that is looked up and not sent again.
func TestPushTimesUncertain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		taken     bool
		reference bool // Harvest keeps it
		wantPosts int
	}{
		{"taken", true, true, 1}, {"taken, the reference lost", true, false, 1}, {"not taken", false, true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.trackTimes(t, "24h")
			b.sandbox.Switch(t, map[string]any{"drop_external_reference": !tt.reference})
			b.plan(t, b.cell(0, 0), 100, "x")
			b.confirm(t, nil)
			box, ok, err := b.store.TakeOutbox(t.Context(), b.connectionID, time.Second, cellURL)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			w, _, err := box.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := box.Begin(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			if tt.taken {
				remote, err := b.remote(t.Context(), b.connectionID, jobs.Interactive)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := remote.CreateEntry(t.Context(), w.Entry, w.Reference, w.Permalink); err != nil {
					t.Fatal(err)
				}
			}
			b.run(t, b.work()) // the lease runs out by itself
			b.settled(t, ledger.Done)
			if n := b.posts(t); n != tt.wantPosts {
				t.Errorf("%d creates, want %d: %s", n, tt.wantPosts, story(b.last(t)))
			}
			if tt.reference {
				b.exactlyAsPlanned(t)
			}
		})
	}
}

// TestModeChanged: the account was changed from times to durations, or back,
// after its settings were read. Nothing is told to be in Harvest that is not,
// and after the next sync it can be sent.
func TestModeChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		timestamps bool // as it is now
		wantReason ledger.Reason
	}{
		{"to durations", false, ledger.ReasonMode}, {"to times", true, ledger.ReasonInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.run(t, b.work())
			was := map[bool]string{true: "timestamp", false: "duration"}
			b.sandbox.Switch(t, map[string]any{"account_mode": was[!tt.timestamps], "hours_on_timestamp_account": "rejected"})
			b.believe(t, !tt.timestamps, "24h")
			b.plan(t, b.cell(1, 1), 60, "made before")
			b.confirm(t, nil)
			b.settled(t, ledger.Done)

			b.sandbox.Switch(t, map[string]any{"account_mode": was[tt.timestamps]})
			b.plan(t, b.cell(0, 0), 90, "new")
			b.plan(t, b.cell(1, 1), 120, "changed")
			b.confirm(t, nil)
			b.settled(t, ledger.Done, ledger.Rejected)
			refused := 0
			for _, w := range b.writes(t) {
				if w.State == ledger.Rejected {
					refused++
					if w.Reason != string(tt.wantReason) {
						t.Errorf("write %d %s: reason %q, want %q; %s", w.ID, w.Op, w.Reason, tt.wantReason, story(w))
					}
				}
			}
			// A change of hours is read as one in an account with times too.
			if want := map[bool]int{false: 2, true: 1}[tt.timestamps]; refused < want {
				t.Errorf("%d writes were refused, want %d", refused, want)
			}
			for _, e := range b.sandbox.State(t).Entries() {
				if e.IsRunning && e.ExternalReference != nil {
					t.Errorf("a timer runs: %+v", e)
				}
			}

			b.age(t, "account_asked_at", 2*time.Hour)
			b.pulledWell(t)
			if c, err := b.store.Credentials(t.Context(), b.connectionID); err != nil || c.TimestampTimers != tt.timestamps {
				t.Fatalf("the settings were not read again: %+v, %v", c, err)
			}
			b.confirm(t, nil)
			waitFor(t, "nothing unfinished", func() bool {
				return !slices.ContainsFunc(b.writes(t), func(w db.WriteRecord) bool { return !w.State.Finished() })
			})
			b.exactlyAsPlanned(t)
		})
	}
}
