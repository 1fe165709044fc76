package db_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// ours is a cell whose entry Harvest has as it was pushed: an hour, "ours".
func (f *fixture) ours(t *testing.T, cell planner.CellID, remoteID int64) {
	t.Helper()
	f.plan(t, cell, 60, "ours")
	if n := f.push(t, func(l ledger.Line) bool { return l.Cell == cell }); n != 1 {
		t.Fatalf("%d lines", n)
	}
	f.sent(t, remoteID)
}

// inHarvest is an entry as somebody made it in Harvest.
func (f *fixture) inHarvest(t *testing.T, cell planner.CellID, id int64, hours planner.Hours, notes string) ledger.RemoteEntry {
	t.Helper()
	at := time.Now().Add(time.Minute).Truncate(time.Second) // later than what was sent from here
	e := ledger.RemoteEntry{ID: id, UserID: 2001, ClientID: 1, ClientName: "Client 1", SpentDate: cell.Date, Hours: hours, Notes: notes, CreatedAt: at, UpdatedAt: at}
	err := f.pool.QueryRow(t.Context(), "select p.harvest_id, p.name, t.harvest_id, t.name from projects p, tasks t where p.id = $1 and t.id = $2",
		cell.ProjectID, cell.TaskID).Scan(&e.ProjectID, &e.ProjectName, &e.TaskID, &e.TaskName)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// seen is what a sync reads.
func (f *fixture) seen(t *testing.T, entries ...ledger.RemoteEntry) {
	t.Helper()
	for _, e := range entries {
		if err := f.mirror(f.userID).SaveEntry(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *fixture) gone(t *testing.T, id int64) {
	t.Helper()
	f.exec(t, "update time_entries set deleted_at = now() where harvest_id = $1", id)
}

// choose runs a choice about a cell, in the week as it stands.
func (f *fixture) choose(t *testing.T, userID int64, cell planner.CellID, seen int64, do func(*db.Tx, ledger.WeekPlan, db.Choice) error) error {
	t.Helper()
	return f.store.InTx(t.Context(), func(tx *db.Tx) error {
		if _, _, err := tx.LockConnection(t.Context(), userID); err != nil {
			return err
		}
		plan, err := tx.WeekPlan(t.Context(), userID, f.week)
		if err != nil {
			return err
		}
		return do(tx, plan, db.Choice{Cell: cell, MutationID: rand.Text(), Seen: seen})
	})
}

func (f *fixture) takeTheirs(t *testing.T, cell planner.CellID) error {
	t.Helper()
	return f.takeTheirsAs(t, f.userID, cell, everything)
}

func (f *fixture) takeTheirsAs(t *testing.T, userID int64, cell planner.CellID, seen int64) error {
	t.Helper()
	return f.choose(t, userID, cell, seen, func(tx *db.Tx, plan ledger.WeekPlan, c db.Choice) error {
		return tx.TakeTheirs(t.Context(), userID, plan, c)
	})
}

// event is a line of a cell's history, without its id and its time.
type event struct {
	Kind          planner.ChangeKind
	Before, After planner.Minutes
	NoteBefore    string
	NoteAfter     string
}

func (f *fixture) history(t *testing.T, cell planner.CellID) []event {
	t.Helper()
	list, err := f.store.CellHistory(t.Context(), f.userID, cell)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]event, len(list))
	for i, e := range list {
		events[i] = event{e.Kind, e.Before.Planned, e.After.Planned, e.Before.Note, e.After.Note}
	}
	return events
}

func TestTakeTheirs(t *testing.T) {
	t.Parallel()
	edited := event{planner.ChangeEdit, 0, 60, "", "ours"}
	took := func(after planner.Minutes, note string) event {
		return event{planner.ChangeTake, 60, after, "ours", note}
	}
	type there struct {
		planned planner.Minutes
		note    string
		ours    bool
		mark    ledger.Mark
	}
	for _, tt := range []struct {
		name    string
		happens func(*testing.T, *fixture) // after the entry, number 70, was sent
		want    ledger.Cell                // planned, note and others; the rest is compared beside it
		ours    planner.Hours              // of the entry of ours; 0: the cell has none
		mark    ledger.Mark
		event   event
		dropped int
		to      *there // of Tuesday in the second row
	}{
		{
			name: "another time",
			happens: func(t *testing.T, f *fixture) {
				f.seen(t, f.inHarvest(t, f.cell(0, 0), 70, 175, "ours"))
			},
			want: ledger.Cell{Planned: 105, Note: "ours"}, ours: 175, mark: ledger.MarkInHarvest, event: took(105, "ours"),
		}, {
			name: "a note only",
			happens: func(t *testing.T, f *fixture) {
				f.seen(t, f.inHarvest(t, f.cell(0, 0), 70, 100, "theirs"))
			},
			want: ledger.Cell{Planned: 60, Note: "theirs"}, ours: 100, mark: ledger.MarkInHarvest, event: took(60, "theirs"),
		}, {
			name: "time beside somebody else's",
			happens: func(t *testing.T, f *fixture) {
				f.seen(t, f.inHarvest(t, f.cell(0, 0), 70, 50, "theirs"), f.inHarvest(t, f.cell(0, 0), 71, 25, "phone"))
			},
			want: ledger.Cell{Planned: 45, Note: "theirs", Others: 25}, ours: 50, mark: ledger.MarkInHarvest, event: took(45, "theirs"),
		}, {
			name: "less than the plan, changed by nobody",
			happens: func(t *testing.T, f *fixture) {
				f.plan(t, f.cell(0, 0), 180, "more")
			},
			want: ledger.Cell{Planned: 60, Note: "ours"}, ours: 100, mark: ledger.MarkInHarvest,
			event: event{planner.ChangeTake, 180, 60, "more", "ours"},
		}, {
			name:    "deleted",
			happens: func(t *testing.T, f *fixture) { f.gone(t, 70) },
			mark:    ledger.MarkBlank, event: took(0, ""),
		}, {
			name: "deleted, and tracked anew by hand",
			happens: func(t *testing.T, f *fixture) {
				f.gone(t, 70)
				f.seen(t, f.inHarvest(t, f.cell(0, 0), 71, 50, "by hand"))
			},
			want: ledger.Cell{Planned: 30, Note: "ours", Others: 50}, mark: ledger.MarkInHarvest, event: took(30, "ours"),
		}, {
			name: "moved to an empty cell",
			happens: func(t *testing.T, f *fixture) {
				f.seen(t, f.inHarvest(t, f.cell(1, 1), 70, 100, "ours"))
			},
			mark: ledger.MarkBlank, event: took(0, ""),
			to: &there{planned: 60, note: "ours", ours: true, mark: ledger.MarkInHarvest},
		}, {
			name: "moved to a planned cell, which is not sent yet",
			happens: func(t *testing.T, f *fixture) {
				f.plan(t, f.cell(1, 1), 30, "there")
				f.seen(t, f.inHarvest(t, f.cell(1, 1), 70, 100, "ours"))
			},
			mark: ledger.MarkBlank, event: took(0, ""),
			to: &there{planned: 90, note: "there", ours: true, mark: ledger.MarkPlanned},
		}, {
			name: "moved onto another entry of ours",
			happens: func(t *testing.T, f *fixture) {
				f.ours(t, f.cell(1, 1), 71)
				f.seen(t, f.inHarvest(t, f.cell(1, 1), 70, 50, "ours"))
			},
			mark: ledger.MarkBlank, event: took(0, ""),
			to: &there{planned: 90, note: "ours", ours: true, mark: ledger.MarkInHarvest},
		}, {
			name: "with a change that waits",
			happens: func(t *testing.T, f *fixture) {
				f.plan(t, f.cell(0, 0), 120, "ours")
				f.push(t, nil)
				f.seen(t, f.inHarvest(t, f.cell(0, 0), 70, 175, "theirs"))
			},
			want: ledger.Cell{Planned: 105, Note: "theirs"}, ours: 175, mark: ledger.MarkInHarvest,
			event: event{planner.ChangeTake, 120, 105, "ours", "theirs"}, dropped: 1,
		}, {
			name: "with a change that met theirs",
			happens: func(t *testing.T, f *fixture) {
				f.plan(t, f.cell(0, 0), 120, "ours")
				f.push(t, nil)
				remote := f.inHarvest(t, f.cell(0, 0), 70, 175, "theirs")
				f.ends(t, ledger.Result{State: ledger.Conflict, Attempt: ledger.Attempt{Outcome: ledger.OutcomeChanged}, Remote: &remote})
			},
			want: ledger.Cell{Planned: 105, Note: "theirs"}, ours: 175, mark: ledger.MarkInHarvest,
			event: event{planner.ChangeTake, 120, 105, "ours", "theirs"}, dropped: 1,
		}, {
			name: "with a change that was refused",
			happens: func(t *testing.T, f *fixture) {
				f.plan(t, f.cell(0, 0), 120, "ours")
				f.push(t, nil)
				f.ends(t, ledger.Result{State: ledger.Rejected, Attempt: ledger.Attempt{Outcome: "refused", Reason: "invalid"}})
			},
			want: ledger.Cell{Planned: 60, Note: "ours"}, ours: 100, mark: ledger.MarkInHarvest,
			event: event{planner.ChangeTake, 120, 60, "ours", "ours"}, dropped: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			cell := f.cell(0, 0)
			f.ours(t, cell, 70)
			tt.happens(t, f)
			sent := f.int(t, "select count(*) from writes where state = 'pending'")
			if err := f.takeTheirs(t, cell); err != nil {
				t.Fatal(err)
			}
			got := f.at(t, cell)
			if got.Planned != tt.want.Planned || got.Note != tt.want.Note || got.Others != tt.want.Others || got.Mark() != tt.mark {
				t.Errorf("cell %+v, ours %+v, mark %q", got, got.Ours, got.Mark())
			}
			switch {
			case (got.Ours != nil) != (tt.ours != 0):
				t.Errorf("ours %+v", got.Ours)
			case got.Ours != nil && (got.Ours.AgreedHours != tt.ours || got.Ours.Meant != tt.ours || got.Differs()):
				t.Errorf("ours %+v", got.Ours)
			}
			if tt.to != nil {
				to := f.at(t, f.cell(1, 1))
				if to.Planned != tt.to.planned || to.Note != tt.to.note || (to.Ours != nil) != tt.to.ours || to.Mark() != tt.to.mark || to.Differs() {
					t.Errorf("there %+v, ours %+v, mark %q", to, to.Ours, to.Mark())
				}
			}
			history := f.history(t, cell)
			if diff := cmp.Diff(tt.event, history[0]); diff != "" {
				t.Errorf("latest line of the history (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(edited, history[len(history)-1]); diff != "" {
				t.Errorf("what was meant is not in the history (-want +got)\n%s", diff)
			}
			if n := f.states(t)[ledger.Dropped]; n != tt.dropped {
				t.Errorf("%d writes were given up, want %d", n, tt.dropped)
			}
			if n := f.int(t, "select count(*) from write_attempts where action = 'take'"); n != tt.dropped {
				t.Errorf("%d writes say why, want %d", n, tt.dropped)
			}
			if n := f.int(t, "select count(*) from writes where state = 'pending'"); n > sent {
				t.Error("something is sent to Harvest")
			}
			// There is nothing more to take, and nothing to send but what was planned before.
			if err := f.takeTheirs(t, cell); !errors.Is(err, planner.ErrConflict) {
				t.Errorf("again: %v", err)
			}
			if n := f.push(t, func(l ledger.Line) bool { return l.Cell == cell }); n != 0 {
				t.Errorf("%d lines to send", n)
			}
		})
	}
}

// ends brings the first due write to an end that is not the usual one.
func (f *fixture) ends(t *testing.T, r ledger.Result) {
	t.Helper()
	box := f.mustTake(t)
	w := next(t, box)
	if err := box.Begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	settle(t, box, w, r)
	if _, _, err := box.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestTakeTheirsElsewhere: an entry that was moved to another week is followed
// there, whatever was planned in that week since this one was edited.
func TestTakeTheirsElsewhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ours(t, f.cell(0, 0), 70)
	later := planner.CellID{RowID: f.rows[0], Date: f.week.Next().Day(1)}
	seen := f.weekPlan(t).Version
	f.plan(t, later, 30, "")
	f.seen(t, f.inHarvest(t, later, 70, 100, "ours"))
	if err := f.takeTheirsAs(t, f.userID, f.cell(0, 0), seen); err != nil {
		t.Fatal(err)
	}
	plan, err := f.store.WeekPlan(t.Context(), f.userID, f.week.Next())
	if err != nil {
		t.Fatal(err)
	}
	if c := plan.Cell(later); c.Planned != 90 || c.Note != "ours" || c.Ours == nil || c.Ours.RemoteID != 70 || c.Tracked() != 100 {
		t.Errorf("there %+v, ours %+v", c, c.Ours)
	}
}

// TestTakeTracked: a cell without an entry of ours can take what others tracked.
func TestTakeTracked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cell := f.cell(0, 0)
	f.plan(t, cell, 60, "meant")
	f.seen(t, f.inHarvest(t, cell, 71, 150, "by hand"))
	if err := f.takeTheirs(t, cell); err != nil {
		t.Fatal(err)
	}
	if c := f.at(t, cell); c.Planned != 90 || c.Note != "meant" || c.Ours != nil || c.Mark() != ledger.MarkInHarvest {
		t.Errorf("cell %+v", c)
	}
	// One that waits to be made is given up.
	other := f.cell(1, 0)
	f.plan(t, other, 60, "")
	f.push(t, func(l ledger.Line) bool { return l.Cell == other })
	if err := f.takeTheirs(t, other); err != nil {
		t.Fatal(err)
	}
	if c := f.at(t, other); c.Planned != 0 || c.Ours != nil || f.states(t)[ledger.Dropped] != 1 {
		t.Errorf("cell %+v", c)
	}
	none(t, f.mustTake(t))
}

func TestTakeTheirsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		happens func(*testing.T, *fixture)
		seen    func(*fixture) int64
		want    error
	}{
		{name: "nothing differs", happens: func(*testing.T, *fixture) {}, want: planner.ErrConflict},
		{
			name: "a change is on its way", want: planner.ErrConflict,
			happens: func(t *testing.T, f *fixture) {
				f.plan(t, f.cell(0, 0), 120, "ours")
				f.push(t, nil)
				f.ends(t, ledger.Result{State: ledger.Uncertain, Wait: time.Hour, Attempt: ledger.Attempt{Outcome: "unknown", Reason: "timeout"}})
				f.seen(t, f.inHarvest(t, f.cell(0, 0), 70, 175, "theirs"))
			},
		}, {
			name: "the plan was changed in another tab", want: planner.ErrConflict,
			happens: func(t *testing.T, f *fixture) {
				f.seen(t, f.inHarvest(t, f.cell(0, 0), 70, 175, "theirs"))
				f.plan(t, f.cell(0, 0), 90, "other tab")
			},
			seen: func(*fixture) int64 { return 1 },
		}, {
			name: "the plan became the same in another tab", want: planner.ErrConflict,
			happens: func(t *testing.T, f *fixture) {
				f.seen(t, f.inHarvest(t, f.cell(0, 0), 70, 175, "theirs"))
				f.plan(t, f.cell(0, 0), 105, "theirs")
			},
			seen: func(*fixture) int64 { return 1 },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.ours(t, f.cell(0, 0), 70)
			tt.happens(t, f)
			before := f.at(t, f.cell(0, 0))
			seen := everything
			if tt.seen != nil {
				seen = tt.seen(f)
			}
			if err := f.takeTheirsAs(t, f.userID, f.cell(0, 0), seen); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if diff := cmp.Diff(before, f.at(t, f.cell(0, 0))); diff != "" {
				t.Errorf("something changed (-before +after)\n%s", diff)
			}
		})
	}
	t.Run("somebody else's", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		other, _ := f.user(t, "jonas@example.com", 2)
		f.ours(t, f.cell(0, 0), 70)
		f.seen(t, f.inHarvest(t, f.cell(0, 0), 70, 175, "theirs"))
		if err := f.takeTheirsAs(t, other, f.cell(0, 0), everything); err == nil {
			t.Error("it was taken")
		}
		if c := f.at(t, f.cell(0, 0)); c.Planned != 60 || !c.Differs() {
			t.Errorf("cell %+v", c)
		}
	})
}

func (f *fixture) adopt(t *testing.T, userID int64, cell planner.CellID, entry, seen int64) error {
	t.Helper()
	return f.choose(t, userID, cell, seen, func(tx *db.Tx, plan ledger.WeekPlan, c db.Choice) error {
		return tx.Adopt(t.Context(), userID, plan, entry, c)
	})
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		planned planner.Minutes
		note    string
		want    ledger.Cell // after Harvest has confirmed it
		mark    ledger.Mark
		line    ledger.LineAction // what a push offers then
		hours   planner.Hours
	}{
		{name: "without a plan", want: ledger.Cell{Planned: 90, Note: "by hand"}, mark: ledger.MarkInHarvest, line: ledger.LineSkip, hours: 0},
		{name: "planned as tracked", planned: 90, note: "by hand", want: ledger.Cell{Planned: 90, Note: "by hand"}, mark: ledger.MarkInHarvest, line: ledger.LineSkip},
		{name: "planned without a note", planned: 90, want: ledger.Cell{Planned: 90, Note: "by hand"}, mark: ledger.MarkInHarvest, line: ledger.LineSkip},
		{name: "only a note", note: "mine", want: ledger.Cell{Planned: 90, Note: "mine"}, mark: ledger.MarkPlanned, line: ledger.LineUpdate, hours: 150},
		{name: "more is planned", planned: 120, note: "mine", want: ledger.Cell{Planned: 120, Note: "mine"}, mark: ledger.MarkPlanned, line: ledger.LineUpdate, hours: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			cell := f.cell(0, 0)
			if tt.planned > 0 || tt.note != "" {
				f.plan(t, cell, tt.planned, tt.note)
			}
			f.seen(t, f.inHarvest(t, cell, 71, 150, "by hand"))
			if err := f.adopt(t, f.userID, cell, 71, everything); err != nil {
				t.Fatal(err)
			}
			if got := f.history(t, cell)[0].Kind; got != planner.ChangeAdopt {
				t.Errorf("the history says %q", got)
			}
			if c := f.at(t, cell); c.Mark() != ledger.MarkWaiting {
				t.Errorf("before Harvest has confirmed it: %q", c.Mark())
			}
			// Until then nothing else is sent about the cell: it would take the entry for another one.
			f.plan(t, cell, 45, "meanwhile")
			if n := f.push(t, nil); n != 0 {
				t.Errorf("%d lines over an adoption that waits", n)
			}
			f.plan(t, cell, tt.want.Planned, tt.want.Note)
			if err := f.adopt(t, f.userID, cell, 71, everything); !errors.Is(err, planner.ErrConflict) {
				t.Errorf("again: %v", err)
			}
			w := f.adopted(t)
			if w.Op != ledger.OpAdopt || w.RemoteID != 71 || w.Entry.Hours != 150 || w.Entry.Notes != "by hand" {
				t.Errorf("write %+v", w)
			}
			c := f.at(t, cell)
			if c.Planned != tt.want.Planned || c.Note != tt.want.Note || c.Others != 0 || c.Ours == nil || c.Ours.RemoteID != 71 || c.Mark() != tt.mark || c.Differs() {
				t.Errorf("cell %+v, ours %+v, mark %q", c, c.Ours, c.Mark())
			}
			lines := f.weekPlan(t).PushLines(nil, f.week.End())
			if len(lines) != 1 || lines[0].Action != tt.line || lines[0].Hours != tt.hours {
				t.Errorf("lines %+v", lines)
			}
			if err := f.adopt(t, f.userID, cell, 71, everything); !errors.Is(err, planner.ErrConflict) {
				t.Errorf("an entry that is ours: %v", err)
			}
		})
	}
}

// adopted lets Harvest confirm the adoption of an entry.
func (f *fixture) adopted(t *testing.T) ledger.Write {
	t.Helper()
	box := f.mustTake(t)
	w := next(t, box)
	if err := box.Begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	remote := f.made(w, w.RemoteID)
	remote.UpdatedAt = remote.UpdatedAt.Add(time.Hour)
	settle(t, box, w, ledger.Result{State: ledger.Done, Attempt: ledger.Attempt{Outcome: ledger.OutcomeApplied}, Remote: remote})
	if _, _, err := box.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAdoptRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other, _ := f.user(t, "jonas@example.com", 2)
	cell := f.cell(0, 0)
	theirs := f.inHarvest(t, cell, 71, 150, "by hand")
	locked, running, elsewhere := theirs, theirs, f.inHarvest(t, f.cell(1, 0), 74, 50, "")
	locked.ID, locked.IsLocked = 72, true
	running.ID, running.IsRunning = 73, true
	f.seen(t, theirs, locked, running, elsewhere)
	f.ours(t, f.cell(2, 0), 75)
	f.seen(t, f.inHarvest(t, f.cell(2, 0), 76, 50, ""))
	f.plan(t, f.cell(0, 1), 60, "")
	f.seen(t, f.inHarvest(t, f.cell(0, 1), 77, 50, ""))
	for _, tt := range []struct {
		name   string
		userID int64
		cell   planner.CellID
		entry  int64
		seen   int64
		want   error
	}{
		{"no such entry", f.userID, cell, 1 << 40, everything, planner.ErrNotFound},
		{"another cell's", f.userID, cell, 74, everything, planner.ErrNotFound},
		{"somebody else's", other, cell, 71, everything, planner.ErrNotFound},
		{"locked", f.userID, cell, 72, everything, planner.ErrConflict},
		{"its timer runs", f.userID, cell, 73, everything, planner.ErrConflict},
		{"ours", f.userID, f.cell(2, 0), 75, everything, planner.ErrConflict},
		{"beside one of ours", f.userID, f.cell(2, 0), 76, everything, planner.ErrConflict},
		{"the plan was changed in another tab", f.userID, f.cell(0, 1), 77, 1, planner.ErrConflict},
	} {
		if err := f.adopt(t, tt.userID, tt.cell, tt.entry, tt.seen); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if n := f.int(t, "select count(*) from writes where op = 'adopt'"); n != 0 {
		t.Errorf("%d adoptions", n)
	}
	if n := f.int(t, "select count(*) from plan_events where kind = 'adopt'"); n != 0 {
		t.Errorf("%d changes of the plan", n)
	}
}

// TestAdoptTakenBack: an adoption that was not sent is taken back by clearing
// the cell, and the entry stays as it is.
func TestAdoptTakenBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cell := f.cell(0, 0)
	f.seen(t, f.inHarvest(t, cell, 71, 150, "by hand"))
	if err := f.adopt(t, f.userID, cell, 71, everything); err != nil {
		t.Fatal(err)
	}
	f.plan(t, cell, 0, "")
	if n := f.push(t, func(l ledger.Line) bool { return l.Reason == ledger.LineTakenBack }); n != 1 {
		t.Errorf("%d lines", n)
	}
	none(t, f.mustTake(t))
	if c := f.at(t, cell); c.Ours != nil || c.Others != 150 {
		t.Errorf("cell %+v", c)
	}
	// It may be adopted later after all.
	if err := f.adopt(t, f.userID, cell, 71, everything); err != nil {
		t.Error(err)
	}
}

// TestAdoptFails: an adoption that did not come about leaves a cell in which
// everything can still be done.
func TestAdoptFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		result ledger.Result
		mark   ledger.Mark
	}{
		{"another program's", ledger.Result{State: ledger.Rejected, Attempt: ledger.Attempt{Outcome: "refused", Reason: string(ledger.ReasonForeign)}}, ledger.MarkNeedsYou},
		{"gone meanwhile", ledger.Result{State: ledger.Conflict, Gone: true, Attempt: ledger.Attempt{Outcome: ledger.OutcomeGone}}, ledger.MarkChanged},
	} {
		failed := func(t *testing.T) (*fixture, planner.CellID) {
			f := newFixture(t)
			cell := f.cell(0, 0)
			f.seen(t, f.inHarvest(t, cell, 71, 150, "by hand"))
			if err := f.adopt(t, f.userID, cell, 71, everything); err != nil {
				t.Fatal(err)
			}
			f.ends(t, tt.result)
			if c := f.at(t, cell); c.Mark() != tt.mark || c.Ours.RemoteID != 0 {
				t.Errorf("cell %+v, mark %q", c, c.Mark())
			}
			return f, cell
		}
		t.Run(tt.name+", then what is there is taken", func(t *testing.T) {
			t.Parallel()
			f, cell := failed(t)
			tracked := f.at(t, cell).Tracked()
			if err := f.takeTheirs(t, cell); err != nil {
				t.Fatal(err)
			}
			if c := f.at(t, cell); c.Ours != nil || c.Planned != tracked.Minutes() || c.Differs() || f.states(t)[ledger.Dropped] != 1 {
				t.Errorf("cell %+v", c)
			}
		})
		t.Run(tt.name+", then the cell is cleared", func(t *testing.T) {
			t.Parallel()
			f, cell := failed(t)
			f.plan(t, cell, 0, "")
			if n := f.push(t, nil); n != 1 {
				t.Errorf("%d lines", n)
			}
			none(t, f.mustTake(t))
			if c := f.at(t, cell); c.Ours != nil {
				t.Errorf("ours %+v", c.Ours)
			}
		})
		t.Run(tt.name+", then another one is adopted", func(t *testing.T) {
			t.Parallel()
			f, cell := failed(t)
			f.seen(t, f.inHarvest(t, cell, 72, 50, "another"))
			if err := f.adopt(t, f.userID, cell, 72, everything); err != nil {
				t.Fatal(err)
			}
			if w := f.adopted(t); w.RemoteID != 72 {
				t.Errorf("write %+v", w)
			}
		})
		t.Run(tt.name+", then the rest is sent", func(t *testing.T) {
			t.Parallel()
			f, cell := failed(t)
			tracked := f.at(t, cell).Tracked()
			f.plan(t, cell, 180, "mine")
			if n := f.push(t, nil); n != 1 {
				t.Errorf("%d lines", n)
			}
			if w := f.sent(t, 80); w.Op != ledger.OpCreate || w.Entry.Hours != 300-tracked {
				t.Errorf("write %+v", w)
			}
		})
	}
}

// TestMoveRest: what was not worked goes to another day, in one step.
func TestMoveRest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	here, there := f.cell(0, 0), f.cell(0, 3)
	f.plan(t, here, 120, "prep")
	f.plan(t, there, 30, "")
	f.seen(t, f.inHarvest(t, here, 71, 75, "by hand"))
	move := func(to planner.Date, seen int64) error {
		return f.choose(t, f.userID, here, seen, func(tx *db.Tx, plan ledger.WeekPlan, c db.Choice) error {
			return tx.MoveRest(t.Context(), f.userID, plan, to, c)
		})
	}
	if err := move(there.Date, 1); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("a form that has not seen the target's plan: %v", err)
	}
	for _, to := range []planner.Date{here.Date, f.week.Start - 1, f.week.End() + 1} {
		if err := move(to, everything); !errors.Is(err, planner.ErrConflict) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if err := move(there.Date, everything); err != nil {
		t.Fatal(err)
	}
	if c := f.at(t, here); c.Planned != 45 || c.Note != "prep" {
		t.Errorf("here %+v", c)
	}
	if c := f.at(t, there); c.Planned != 105 || c.Note != "prep" {
		t.Errorf("there %+v", c)
	}
	want := []event{{planner.ChangeSettle, 30, 105, "", "prep"}, {planner.ChangeEdit, 0, 30, "", ""}}
	if diff := cmp.Diff(want, f.history(t, there)); diff != "" {
		t.Errorf("history (-want +got)\n%s", diff)
	}
	if err := move(there.Date, everything); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("nothing is left, but: %v", err)
	}
	// A day has no more than 24 hours.
	f.plan(t, here, 120, "prep")
	f.plan(t, there, planner.MaxCell-60, "")
	if err := move(there.Date, everything); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("past the end of the day: %v", err)
	}
	if c := f.at(t, here); c.Planned != 120 {
		t.Errorf("half of it was done: %+v", c)
	}
}

// TestCellHistory: the history of a cell is the user's own.
func TestCellHistory(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other, _ := f.user(t, "jonas@example.com", 2)
	cell := f.cell(0, 0)
	f.plan(t, cell, 60, "one")
	f.plan(t, cell, 90, "two")
	want := []event{{planner.ChangeEdit, 60, 90, "one", "two"}, {planner.ChangeEdit, 0, 60, "", "one"}}
	if diff := cmp.Diff(want, f.history(t, cell)); diff != "" {
		t.Errorf("history (-want +got)\n%s", diff)
	}
	if list, err := f.store.CellHistory(t.Context(), other, cell); err != nil || len(list) != 0 {
		t.Errorf("somebody else's: %v, %v", list, err)
	}
}
