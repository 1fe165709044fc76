package jobs_test

import (
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

// webEntry makes an hour and a half in a cell, as a person in Harvest's web app.
func (b *bench) webEntry(t *testing.T, cell planner.CellID, more map[string]any) sandboxtest.TimeEntry {
	t.Helper()
	entry := map[string]any{"user_id": b.harvestUser, "spent_date": cell.Date.String(), "hours": 1.5, "notes": "By hand"}
	var project, task int64
	err := b.pool.QueryRow(t.Context(), "select p.harvest_id, k.harvest_id from projects p, tasks k where p.id = $1 and k.id = $2",
		cell.ProjectID, cell.TaskID).Scan(&project, &task)
	if err != nil {
		t.Fatal(err)
	}
	entry["project_id"], entry["task_id"] = project, task
	for name, value := range more {
		entry[name] = value
	}
	return b.sandbox.WebCreate(t, entry)
}

// pull copies what Harvest has, as a sync does.
func (b *bench) pull(t *testing.T) {
	t.Helper()
	stop := b.run(t, b.work())
	defer stop()
	if run := b.pulled(t); run.State != ledger.RunDone {
		t.Fatalf("run %+v", run)
	}
}

func (b *bench) adopt(t *testing.T, cell planner.CellID, entryID int64) {
	t.Helper()
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		if _, _, err := tx.LockConnection(t.Context(), b.userID); err != nil {
			return err
		}
		plan, err := tx.WeekPlan(t.Context(), b.userID, b.week)
		if err != nil {
			return err
		}
		return tx.Adopt(t.Context(), b.userID, plan, entryID, db.Choice{Cell: cell, MutationID: rand.Text(), Seen: 1 << 60})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAdopt: an entry that somebody made in Harvest becomes ours when a person
// wants that, and only by its reference: all else stays as it is.
func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		more  map[string]any // of the entry
		then  func(*testing.T, *bench, sandboxtest.TimeEntry)
		want  ledger.State
		story string
		words string // the reason of a refusal
	}{
		{name: "plain", want: ledger.Done, story: "send applied"},
		{
			name: "the answer gets lost", want: ledger.Done, story: "send unknown, look found",
			then: func(t *testing.T, b *bench, _ sandboxtest.TimeEntry) {
				b.fault(t, http.MethodPatch, entriesPath, sandbox.FaultApplyThenDrop, 1, nil)
			},
		}, {
			name: "it carries another program's reference", want: ledger.Rejected, story: "look refused", words: string(ledger.ReasonForeign),
			more: map[string]any{"external_reference": map[string]any{"id": "9", "group_id": "board", "permalink": "https://board.example/9"}},
		}, {
			name: "somebody deletes it meanwhile", want: ledger.Conflict, story: "look gone",
			then: func(t *testing.T, b *bench, e sandboxtest.TimeEntry) { b.sandbox.WebDelete(t, e.ID) },
		}, {
			name: "somebody locks it meanwhile", want: ledger.Rejected, story: "send refused", words: string(ledger.ReasonInvalid),
			then: func(t *testing.T, b *bench, e sandboxtest.TimeEntry) {
				b.sandbox.Lock(t, b.harvestUser, e.SpentDate, e.SpentDate)
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{seed: "demo"})
			cell := b.emptyCell(t)
			made := b.webEntry(t, cell, tt.more)
			b.pull(t)
			b.adopt(t, cell, made.ID)
			if tt.then != nil {
				tt.then(t, b, made)
			}
			b.sandbox.ForgetRequests(t)
			waitFor(t, "the end of the adoption", func() bool {
				b.drain(t)
				return b.last(t).State.Finished()
			})
			w := b.last(t)
			if w.State != tt.want || story(w) != tt.story || w.Reason != tt.words {
				t.Errorf("%s, reason %q: %s", w.State, w.Reason, story(w))
			}
			entry, there := b.sandbox.State(t).Entry(made.ID)
			ours := there && entry.ExternalReference != nil && entry.ExternalReference.GroupID == ledger.ReferenceGroup
			if ours != (tt.want == ledger.Done) {
				t.Errorf("the entry carries a reference of ours: %t; %+v", ours, entry.ExternalReference)
			}
			if there && (entry.String() != made.String() || !entry.Hours.Equal(made.Hours)) {
				t.Errorf("the entry became %s, was %s", entry, made)
			}
			if n := b.posts(t); n != 0 {
				t.Errorf("%d entries were made", n)
			}
			if tt.want != ledger.Done {
				return
			}
			if entry.ExternalReference.Permalink != cellURL(cell.Date) {
				t.Errorf("reference %+v", entry.ExternalReference)
			}
			// It follows the plan now.
			b.plan(t, cell, 120, "Planned")
			if n := b.confirm(t, func(l ledger.Line) bool { return l.Cell == cell }); n != 1 {
				t.Errorf("%d lines", n)
			}
			b.drain(t)
			if e, _ := b.sandbox.State(t).Entry(made.ID); e.Hours.StringFixed(2) != "2.00" || e.Notes == nil || *e.Notes != "Planned" {
				t.Errorf("after a push the entry is %s", e)
			}
		})
	}
}

// emptyCell is a cell of the week, not later than today, on which Harvest has
// nothing.
func (b *bench) emptyCell(t *testing.T) planner.CellID {
	t.Helper()
	b.pull(t)
	plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	day := min(int(time.Now().UTC().Weekday()+6)%7, 4)
	for i := range b.rows {
		if cell := b.cell(i, day); plan.Cell(cell).Tracked() == 0 && plan.DayLocks[day] == "" {
			return cell
		}
	}
	t.Fatal("no cell is empty")
	return planner.CellID{}
}
