package db_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

func (f *fixture) hold(t *testing.T) {
	t.Helper()
	if n, err := f.store.Hold(t.Context()); err != nil || n < 1 {
		t.Fatalf("held %d connections, %v", n, err)
	}
}

func (f *fixture) held(t *testing.T) bool {
	t.Helper()
	c, err := f.store.Connection(t.Context(), f.userID)
	if err != nil {
		t.Fatal(err)
	}
	if plan := f.weekPlan(t); plan.Connection.Held != c.Held {
		t.Errorf("the week says held %t, the connection %t", plan.Connection.Held, c.Held)
	}
	return c.Held
}

func (f *fixture) startRun(t *testing.T) ledger.Run {
	t.Helper()
	var id int64
	f.in(t, func(tx *db.Tx) (err error) {
		id, _, err = tx.StartRun(t.Context(), f.userID, db.TriggerSchedule, nil, f.week.Start)
		return err
	})
	return f.runOf(t, id)
}

func (f *fixture) runOf(t *testing.T, id int64) ledger.Run {
	t.Helper()
	run, err := f.store.Run(t.Context(), id, f.week.Start.Time())
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func (f *fixture) finish(t *testing.T, run ledger.Run) {
	t.Helper()
	if err := f.store.Mirror(run).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) wantPulls(t *testing.T, when string, want int) {
	t.Helper()
	users, err := f.store.UsersWithOldPull(t.Context(), time.Hour)
	if err != nil || len(users) != want {
		t.Errorf("%s, pulls of %v are due, %v; want %d", when, users, err, want)
	}
}

// TestHold: while a connection is held, writes are accepted and none is sent;
// only a run that began under the hold, and ends well, lets go of it.
func TestHold(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.plan(t, f.cell(0, 0), 90, "before")
	f.push(t, nil)
	early := f.startRun(t)
	box := f.mustTake(t)
	w := next(t, box)
	f.wantPulls(t, "before the hold", 0)

	f.hold(t)
	if err := box.Begin(t.Context(), w); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("begin under the hold: %v", err)
	}
	if _, _, err := box.Next(t.Context()); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("next under the hold: %v", err)
	}
	if _, more, err := box.Release(t.Context()); err != nil || more {
		t.Errorf("release: more %t, %v", more, err)
	}
	f.plan(t, f.cell(1, 0), 30, "meanwhile")
	if n := f.push(t, nil); n != 1 {
		t.Errorf("%d lines were accepted", n)
	}
	nothing := func(when string) {
		t.Helper()
		if _, ok := f.take(t, time.Minute); ok {
			t.Errorf("%s, the lease was given", when)
		}
		if ids, err := f.store.ConnectionsWithDueWrites(t.Context()); err != nil || len(ids) != 0 {
			t.Errorf("%s, %v are rung for, %v", when, ids, err)
		}
		if !f.held(t) {
			t.Errorf("%s, it is not held", when)
		}
	}
	nothing("under the hold")

	f.wantPulls(t, "while an early run is live", 0)
	if early = f.runOf(t, early.ID); early.Held {
		t.Error("a run from before the hold thinks that it may end it")
	}
	f.finish(t, early)
	nothing("after a run that began before")
	f.wantPulls(t, "after a run that began before", 1)
	failed := f.startRun(t)
	if !failed.Held {
		t.Error("a run that began under the hold does not know of it")
	}
	f.wantPulls(t, "while a run is live", 0)
	if err := f.store.FailRun(t.Context(), failed.ID, "forbidden", 403); err != nil {
		t.Fatal(err)
	}
	nothing("after a run that failed")
	f.wantPulls(t, "right after a run that failed", 0)

	run := f.startRun(t)
	f.hold(t) // once more
	f.finish(t, run)
	nothing("after a run that began before the second hold")
	f.finish(t, f.startRun(t))
	if f.held(t) {
		t.Fatal("it is still held")
	}
	f.wantPulls(t, "after the hold", 0)
	if ids, err := f.store.ConnectionsWithDueWrites(t.Context()); err != nil || len(ids) != 1 {
		t.Errorf("%v are rung for, %v", ids, err)
	}
	f.sent(t, 501)
	f.sent(t, 502)
	none(t, f.mustTake(t))
}

// TestHoldWindow: the weeks that are listed anew reach over all that waits.
func TestHoldWindow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	week := f.week
	for _, far := range []int{-200, 100} {
		f.week = planner.WeekOf(week.Start.AddDays(far), time.Monday)
		f.plan(t, f.cell(0, 1), 60, "far")
		f.push(t, nil)
	}
	f.week = week
	usual := f.startRun(t)
	f.finish(t, usual)
	f.hold(t)
	run := f.startRun(t)
	if want := (ledger.Window{From: planner.WeekOf(week.Start.AddDays(-200), time.Monday).Day(1), To: planner.WeekOf(week.Start.AddDays(100), time.Monday).Day(1)}); run.Window != want || usual.Window == want {
		t.Errorf("window %v, before the hold %v, want %v", run.Window, usual.Window, want)
	}
}

// forget puts the ledger and the mirror back to before anything was sent: all of
// it, or only what came of the sending.
func (f *fixture) forget(t *testing.T, all bool) {
	t.Helper()
	statements := []string{
		"delete from time_entries",
		"update writes set state = 'pending', remote_id = null, finished_at = null, sent_at = null, attempts = 0",
		"update pushed_entries set remote_id = null, agreed_hours = null, agreed_notes = null, agreed_updated_at = null, removed_at = null",
	}
	if all {
		statements = append(statements, "delete from pushed_entries")
	}
	for _, statement := range statements {
		f.exec(t, statement)
	}
}

// compared ends the hold with a run that finds the entries in Harvest.
func (f *fixture) compared(t *testing.T, entries ...ledger.RemoteEntry) {
	t.Helper()
	run := f.startRun(t)
	if err := f.store.Mirror(run).SavePage(t.Context(), ledger.EntryPage{Entries: entries}); err != nil {
		t.Fatal(err)
	}
	f.finish(t, run)
	if f.held(t) {
		t.Fatal("it is still held")
	}
}

// TestRelink: one entry was sent from a cell and forgotten. What the cell and the
// review show after the comparison depends on what happened here meanwhile.
func TestRelink(t *testing.T) {
	t.Parallel()
	const there = 501
	again := func(minutes planner.Minutes, note string) func(*testing.T, *fixture) {
		return func(t *testing.T, f *fixture) {
			f.plan(t, f.cell(0, 1), 0, "")
			f.plan(t, f.cell(0, 1), minutes, note)
			f.push(t, nil)
		}
	}
	type seen struct {
		Mark   ledger.Mark
		Others planner.Hours
		Ours   bool
		Agreed planner.Hours
		Write  ledger.State // of the latest write; empty: none
		Line   string       // action, reason and whether it is ticked
	}
	for _, tt := range []struct {
		name    string
		all     bool // the entry itself is forgotten, not only that it was sent
		before  func(*testing.T, *fixture)
		harvest func(*ledger.RemoteEntry)
		want    seen
	}{
		{
			name: "known, as meant", // the drain looks before it sends, and finds it
			want: seen{Mark: ledger.MarkWaiting, Ours: true, Agreed: 150, Write: ledger.Pending, Line: "skip on_its_way false"},
		}, {
			name: "known, changed since", harvest: func(e *ledger.RemoteEntry) { e.Hours = 200 },
			want: seen{Mark: ledger.MarkWaiting, Ours: true, Agreed: 150, Write: ledger.Pending, Line: "skip on_its_way false"},
		}, {
			name: "known, given up meanwhile", before: func(t *testing.T, f *fixture) {
				f.plan(t, f.cell(0, 1), 0, "")
				f.push(t, nil)
			},
			want: seen{Mark: ledger.MarkPlanned, Ours: true, Agreed: 150, Line: "delete  true"},
		}, {
			name: "forgotten, as planned", all: true,
			want: seen{Mark: ledger.MarkInHarvest, Ours: true, Agreed: 150, Line: "skip already_sent false"},
		}, {
			name: "forgotten, and the plan differs", all: true, before: func(t *testing.T, f *fixture) { f.plan(t, f.cell(0, 1), 120, "sent") },
			want: seen{Mark: ledger.MarkChanged, Ours: true, Line: "update changed false"},
		}, {
			name: "forgotten, and so is the plan", all: true, before: func(t *testing.T, f *fixture) { f.plan(t, f.cell(0, 1), 0, "") },
			want: seen{Mark: ledger.MarkChanged, Ours: true, Line: "delete changed false"},
		}, {
			name: "forgotten, and pushed again", all: true, before: again(90, "sent"),
			want: seen{Mark: ledger.MarkInHarvest, Ours: true, Agreed: 150, Write: ledger.Done, Line: "skip already_sent false"},
		}, {
			name: "forgotten, and another time pushed", all: true, before: again(120, "sent"),
			want: seen{Mark: ledger.MarkChanged, Ours: true, Write: ledger.Conflict, Line: "update changed false"},
		}, {
			name: "forgotten, and the cell has one in Harvest", all: true, before: func(t *testing.T, f *fixture) {
				again(90, "sent")(t, f)
				f.exec(t, "update harvest_connections set held_since = null")
				f.sent(t, 777)
				f.hold(t)
			},
			want: seen{Mark: ledger.MarkInHarvest, Others: 150, Ours: true, Agreed: 150, Write: ledger.Done, Line: "skip already_sent false"},
		}, {
			name: "of another program", all: true, harvest: func(e *ledger.RemoteEntry) { e.ReferenceGroup = "toggl" },
			want: seen{Mark: ledger.MarkInHarvest, Others: 150, Line: "skip already_tracked false"},
		}, {
			name: "not a reference that we make", all: true, harvest: func(e *ledger.RemoteEntry) { e.ReferenceID = "furrow:1:1" },
			want: seen{Mark: ledger.MarkInHarvest, Others: 150, Line: "skip already_tracked false"},
		}, {
			name: "made anew since", before: func(t *testing.T, f *fixture) {
				f.finish(t, f.startRun(t)) // nothing is there
				f.sent(t, 400)
				if err := f.mirror(f.userID).MarkGone(t.Context(), []int64{400}); err != nil {
					t.Fatal(err)
				}
				f.hold(t)
			},
			harvest: func(e *ledger.RemoteEntry) { e.ReferenceID = strings.TrimSuffix(e.ReferenceID, "1") + "2" },
			want:    seen{Mark: ledger.MarkInHarvest, Ours: true, Agreed: 150, Write: ledger.Done, Line: "skip already_sent false"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.plan(t, f.cell(0, 1), 90, "sent")
			f.push(t, nil)
			entry := *f.made(f.sent(t, there), there)
			f.forget(t, tt.all)
			f.hold(t)
			if tt.before != nil {
				tt.before(t, f)
			}
			if tt.harvest != nil {
				tt.harvest(&entry)
			}
			f.compared(t, entry)
			plan := f.weekPlan(t)
			c := f.at(t, f.cell(0, 1))
			got := seen{Mark: c.Mark(), Others: c.Others, Ours: c.Ours != nil}
			if c.Ours != nil {
				got.Agreed = c.Ours.AgreedHours
				if c.Ours.Write != nil {
					got.Write = c.Ours.Write.State
				}
				if other := tt.want.Others != 0; (c.Ours.RemoteID == there) == other {
					t.Errorf("ours is entry %d", c.Ours.RemoteID)
				}
			}
			for _, l := range plan.PushLines(nil, f.week.End()) {
				ticked := " false"
				if l.Ticked {
					ticked = " true"
				}
				got.Line += string(l.Action) + " " + string(l.Reason) + ticked
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the cell (-want +got):\n%s", diff)
			}
		})
	}
}
