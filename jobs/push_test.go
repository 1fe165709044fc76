package jobs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

func TestPush(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.plan(t, b.cell(0, 0), 90, "Checkout wireframes")
	b.plan(t, b.cell(1, 0), 20, "")
	b.plan(t, b.cell(2, 4), 8*60, "Ærø & <b>\nsecond line")
	if n := b.confirm(t, nil); n != 3 {
		t.Fatalf("%d lines, want 3", n)
	}
	b.run(t, b.work())
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	if n := b.posts(t); n != 3 {
		t.Errorf("%d creates, want 3", n)
	}
	for _, w := range b.writes(t) {
		if got := story(w); got != "send applied" {
			t.Errorf("write %d: %s", w.ID, got)
		}
		if w.Sendings != 1 || w.RemoteID == 0 || w.FinishedAt.IsZero() {
			t.Errorf("write %+v", w)
		}
	}
	if n := b.confirm(t, nil); n != 0 {
		t.Errorf("pushing again sends %d lines", n)
	}

	// A change of the note, a change of the time, and a cell that is cleared.
	b.plan(t, b.cell(0, 0), 90, "Checkout wireframes, second round")
	b.plan(t, b.cell(1, 0), 45, "")
	b.plan(t, b.cell(2, 4), 0, "")
	if n := b.confirm(t, nil); n != 3 {
		t.Fatalf("%d lines, want 3", n)
	}
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	if posts, patches, deletes := b.posts(t), b.calls(t, http.MethodPatch, ""), b.calls(t, http.MethodDelete, ""); posts != 3 || patches != 2 || deletes != 1 {
		t.Errorf("%d creates, %d updates, %d deletes; want 3, 2, 1", posts, patches, deletes)
	}

	// What was deleted may be planned and pushed again; it is another entry then.
	b.plan(t, b.cell(2, 4), 60, "again")
	b.confirm(t, nil)
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
}

// TestFaultOutage lets all of Harvest be away for a while: the write waits and
// says so, and goes out by itself when Harvest is back.
func TestFaultOutage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		gate       bool
		status     int
		retryAfter int
		wantReason string
		wantCalls  int // until then; 0: not told
	}{
		{name: "16_429", status: 429, retryAfter: 2, wantReason: string(ledger.WaitAsked), wantCalls: 1},
		{name: "16_429_with_the_gate", status: 429, retryAfter: 2, gate: true, wantReason: string(ledger.WaitAsked), wantCalls: 1},
		{name: "20_503", status: 503, wantReason: string(ledger.ReasonServer)},
		{name: "20_503_with_the_breaker", status: 503, gate: true, wantReason: string(ledger.WaitBreaker), wantCalls: 5},
		{name: "20_503_that_asks_for_time", status: 503, retryAfter: 2, gate: true, wantReason: string(ledger.WaitAsked), wantCalls: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{gate: tt.gate})
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			b.plan(t, b.cell(1, 1), 15, "")
			b.fault(t, "", "/v2", sandbox.FaultStatus, 0, func(f *sandboxtest.Fault) { f.Status, f.RetryAfter = tt.status, tt.retryAfter })
			b.confirm(t, nil)
			b.run(t, b.work())
			b.run(t, b.work()) // what one was told holds for both
			waitFor(t, "a write that waits and says why", func() bool {
				w := b.writes(t)[0]
				return !w.State.Finished() && w.NotBefore.After(time.Now()) && w.Reason == tt.wantReason
			})
			if n := len(b.sandbox.Requests(t)); tt.wantCalls > 0 && n != tt.wantCalls {
				t.Errorf("%d calls, want %d", n, tt.wantCalls)
			}
			b.toldToWait(t, 2)
			// A change while it waits takes the place of what has not been sent.
			b.plan(t, b.cell(0, 1), 90, "Grid and type, more")
			b.confirm(t, nil)
			b.sandbox.ClearFaults(t)
			b.settled(t, ledger.Done, ledger.Superseded)
			b.exactlyAsPlanned(t)
			if n := b.posts(t); n != 2 {
				t.Errorf("%d creates, want 2", n)
			}
			b.noAttemptUsed(t)
			if !tt.gate {
				return
			}
			breakersClosed(t, b)
			asked := b.sandbox.Requests(t)
			if silence := asked[1].Time.Sub(asked[0].Time); silence < time.Duration(tt.retryAfter)*time.Second {
				t.Errorf("%v of silence, Harvest asked for %d s", silence, tt.retryAfter)
			}
		})
	}
}

// noAttemptUsed checks that no job failed.
func (b *bench) noAttemptUsed(t *testing.T) {
	t.Helper()
	list, err := b.bell.List(t.Context(), jobs.Filter{Most: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range list {
		if job.Attempt > 1 || len(job.Errors) > 0 {
			t.Errorf("job %+v", job)
		}
	}
}

// TestFaultRefused: what Harvest refuses waits for a person, in Harvest's words,
// and keeps nothing else from being sent. When the cause is gone it is sent if
// a person asks for that.
func TestFaultRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		refuse     func(*testing.T, *bench) // the next create
		repair     func(*testing.T, *bench)
		wantStatus int
		wantReason ledger.Reason
		wantWords  string
	}{
		{
			name: "27_403_role_lost", wantStatus: http.StatusForbidden, wantReason: ledger.ReasonForbidden,
			refuse: func(t *testing.T, b *bench) {
				b.fault(t, http.MethodPost, entriesPath, sandbox.FaultStatus, 1, answering(http.StatusForbidden))
			},
			repair: func(t *testing.T, b *bench) { b.sandbox.ClearFaults(t) },
		}, {
			name: "28_404_project_removed", wantStatus: http.StatusNotFound, wantReason: ledger.ReasonNotFound,
			refuse: func(t *testing.T, b *bench) {
				b.fault(t, http.MethodPost, entriesPath, sandbox.FaultStatus, 1, answering(http.StatusNotFound))
			},
			repair: func(t *testing.T, b *bench) { b.sandbox.ClearFaults(t) },
		}, {
			name: "28_project_archived", wantStatus: http.StatusUnprocessableEntity, wantReason: ledger.ReasonInvalid, wantWords: "archived",
			refuse: func(t *testing.T, b *bench) { b.activate(t, b.projectPath(t), false) },
			repair: func(t *testing.T, b *bench) { b.activate(t, b.projectPath(t), true) },
		}, {
			name: "31_locked", wantStatus: http.StatusUnprocessableEntity, wantReason: ledger.ReasonInvalid, wantWords: "locked",
			refuse: func(t *testing.T, b *bench) {
				b.sandbox.Lock(t, sandboxtest.UserID, b.week.Day(1).String(), b.week.Day(1).String())
			},
			repair: func(t *testing.T, b *bench) {
				b.sandbox.Unlock(t, sandboxtest.UserID, b.week.Day(1).String(), b.week.Day(1).String())
			},
		}, {
			name: "32_task_not_assigned", wantStatus: http.StatusUnprocessableEntity, wantReason: ledger.ReasonInvalid, wantWords: "not assigned",
			refuse: func(t *testing.T, b *bench) { b.activate(t, b.taskAssignmentPath(t), false) },
			repair: func(t *testing.T, b *bench) { b.activate(t, b.taskAssignmentPath(t), true) },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			tt.refuse(t, b)
			b.confirm(t, nil)
			b.plan(t, b.otherProject(t, 2), 30, "")
			b.confirm(t, nil)
			b.run(t, b.work())
			b.settled(t, ledger.Rejected, ledger.Done)
			refused := b.writes(t)[0]
			if refused.State != ledger.Rejected || refused.Status != tt.wantStatus || refused.Reason != string(tt.wantReason) || !strings.Contains(refused.Message, tt.wantWords) {
				t.Errorf("write %+v", refused)
			}
			if w := b.writes(t)[1]; w.State != ledger.Done {
				t.Errorf("the other project's write is %s", w.State)
			}
			plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
			if err != nil {
				t.Fatal(err)
			}
			if c := plan.Rows[0].Cells[1]; c.Planned != 75 || c.Note != "Grid and type" || c.Mark() == ledger.MarkInHarvest {
				t.Errorf("the cell is %+v", c)
			}

			tt.refuse(t, b)
			b.retry(t, refused.ID)
			b.settled(t, ledger.Rejected, ledger.Done)
			if n := b.posts(t); n != 3 {
				t.Errorf("%d creates, want one of each write and of each try", n)
			}
			tt.repair(t, b)
			b.retry(t, refused.ID)
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
			if got, want := story(b.writes(t)[0]), "send refused, retry asked, send refused, retry asked, send applied"; got != want {
				t.Errorf("history %q, want %q", got, want)
			}
			// What is done is not retried.
			if ids := b.retry(t, refused.ID); len(ids) != 0 {
				t.Errorf("retried %v", ids)
			}
		})
	}
}

// activate opens or archives a record in Harvest.
func (b *bench) activate(t *testing.T, path string, active bool) {
	t.Helper()
	if status, body := b.sandbox.API(t, sandboxtest.Token, http.MethodPatch, path, map[string]any{"is_active": active}); status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
}

// harvestIDs are Harvest's ids of the project and the task of the first row.
func (b *bench) harvestIDs(t *testing.T) (project, task int64) {
	t.Helper()
	err := b.pool.QueryRow(t.Context(), "select p.harvest_id, k.harvest_id from projects p, tasks k where p.id = $1 and k.id = $2",
		b.rows[0].ProjectID, b.rows[0].TaskID).Scan(&project, &task)
	if err != nil {
		t.Fatal(err)
	}
	return project, task
}

func (b *bench) projectPath(t *testing.T) string {
	t.Helper()
	project, _ := b.harvestIDs(t)
	return fmt.Sprintf("/v2/projects/%d", project)
}

func (b *bench) taskAssignmentPath(t *testing.T) string {
	t.Helper()
	project, task := b.harvestIDs(t)
	path := b.projectPath(t) + "/task_assignments"
	_, body := b.sandbox.API(t, sandboxtest.Token, http.MethodGet, path, nil)
	var list struct {
		Assignments []struct {
			ID   int64           `json:"id"`
			Task sandboxtest.Ref `json:"task"`
		} `json:"task_assignments"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	for _, a := range list.Assignments {
		if a.Task.ID == task {
			return fmt.Sprintf("%s/%d", path, a.ID)
		}
	}
	t.Fatalf("task %d is not assigned to project %d", task, project)
	return ""
}

// otherProject is a cell of the day in a row of another project than the first.
func (b *bench) otherProject(t *testing.T, day int) planner.CellID {
	t.Helper()
	i := slices.IndexFunc(b.rows, func(row planner.RowID) bool { return row.ProjectID != b.rows[0].ProjectID })
	if i < 0 {
		t.Fatal("there is one project only")
	}
	return b.cell(i, day)
}

// retry is what an admin does with a write, or with all that may be if id is 0.
func (b *bench) retry(t *testing.T, id int64) []int64 {
	t.Helper()
	var ids []int64
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		var connections []int64
		var err error
		ids, connections, err = tx.RetryWrites(t.Context(), db.WriteFilter{ID: id})
		if err != nil {
			return err
		}
		for _, c := range connections {
			if err := b.bell.Push(t.Context(), tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestFault23_TokenRevoked(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.plan(t, b.cell(0, 1), 75, "Grid and type")
	b.plan(t, b.cell(1, 1), 30, "")
	b.sandbox.RevokeToken(t, sandboxtest.Token)
	b.confirm(t, nil)
	b.run(t, b.work())
	b.settled(t, ledger.Blocked)
	c, err := b.store.Connection(t.Context(), b.userID)
	if err != nil || c.State != ledger.NeedsReauth || c.Unfinished != 2 {
		t.Errorf("connection %+v, %v", c, err)
	}
	// A push meanwhile waits with the others.
	b.plan(t, b.cell(2, 1), 45, "")
	b.confirm(t, nil)
	b.settled(t, ledger.Blocked)
	asked := len(b.sandbox.Requests(t))

	b.sandbox.RestoreToken(t, sandboxtest.Token)
	b.connect(t)
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	if asked > 2 {
		t.Errorf("%d calls with a token that Harvest had refused", asked)
	}
}

func notFound(f *sandboxtest.Fault) { f.Status = http.StatusNotFound }

// TestPushChange is TestPushTrouble for updates and deletes of an entry that
// is in Harvest.
func TestPushChange(t *testing.T) {
	t.Parallel()
	drop := func(method string) func(*testing.T, *bench, int64) {
		return func(t *testing.T, b *bench, _ int64) {
			b.fault(t, method, entriesPath, sandbox.FaultApplyThenDrop, 1, nil)
		}
	}
	lost := func(method string) func(*testing.T, *bench, int64) {
		return func(t *testing.T, b *bench, _ int64) {
			b.fault(t, method, entriesPath, sandbox.FaultDropBefore, 1, nil)
		}
	}
	for _, tt := range []struct {
		name      string
		cleared   bool // delete instead of update
		arm       func(t *testing.T, b *bench, id int64)
		inDoubt   func(t *testing.T, b *bench, id int64) // when the first try has not been answered
		want      ledger.State
		wantStory string
		wantCalls int // PATCH or DELETE
	}{
		{name: "update, answer lost", arm: drop("PATCH"), want: ledger.Done, wantStory: "send unknown, look found", wantCalls: 1},
		{name: "update, request lost", arm: lost("PATCH"), want: ledger.Done, wantStory: "send unknown, look absent, send applied", wantCalls: 2},
		{name: "delete, answer lost", cleared: true, arm: drop("DELETE"), want: ledger.Done, wantStory: "send unknown, look found", wantCalls: 1},
		{name: "delete, request lost", cleared: true, arm: lost("DELETE"), want: ledger.Done, wantStory: "send unknown, look absent, send applied", wantCalls: 2},
		{
			name: "29 update, deleted in Harvest", want: ledger.Conflict, wantStory: "look gone",
			arm: func(t *testing.T, b *bench, id int64) { b.sandbox.WebDelete(t, id) },
		}, {
			name: "29 delete, deleted in Harvest", cleared: true, want: ledger.Done, wantStory: "look found",
			arm: func(t *testing.T, b *bench, id int64) { b.sandbox.WebDelete(t, id) },
		}, {
			name: "update, changed in Harvest", want: ledger.Conflict, wantStory: "look changed",
			arm: func(t *testing.T, b *bench, id int64) { b.sandbox.WebUpdate(t, id, map[string]any{"notes": "by hand"}) },
		}, {
			name: "delete, changed in Harvest", cleared: true, want: ledger.Conflict, wantStory: "look changed",
			arm: func(t *testing.T, b *bench, id int64) { b.sandbox.WebUpdate(t, id, map[string]any{"hours": 3}) },
		}, {
			name: "update, not found for a moment", want: ledger.Done, wantStory: "send refused, send applied", wantCalls: 2,
			arm: func(t *testing.T, b *bench, _ int64) {
				b.fault(t, "PATCH", entriesPath, sandbox.FaultStatus, 1, notFound)
			},
		}, {
			name: "delete, not found for a moment", cleared: true, want: ledger.Done, wantStory: "send refused, send applied", wantCalls: 2,
			arm: func(t *testing.T, b *bench, _ int64) {
				b.fault(t, "DELETE", entriesPath, sandbox.FaultStatus, 1, notFound)
			},
		}, {
			name: "update, request lost, and then not found for a moment", want: ledger.Done, wantStory: "send unknown, look absent, send applied", wantCalls: 2,
			arm: func(t *testing.T, b *bench, _ int64) {
				b.fault(t, "PATCH", entriesPath, sandbox.FaultDropBefore, 1, nil)
				b.fault(t, "GET", entriesPath, sandbox.FaultStatus, 1, notFound)
			},
		}, {
			name: "update, request lost and changed in Harvest", want: ledger.Conflict, wantStory: "send unknown, look changed", wantCalls: 1,
			arm: lost("PATCH"), inDoubt: func(t *testing.T, b *bench, id int64) { b.sandbox.WebUpdate(t, id, map[string]any{"notes": "by hand"}) },
		}, {
			name: "delete, request lost and changed in Harvest", cleared: true, want: ledger.Conflict, wantStory: "send unknown, look changed", wantCalls: 1,
			arm: lost("DELETE"), inDoubt: func(t *testing.T, b *bench, id int64) { b.sandbox.WebUpdate(t, id, map[string]any{"hours": 3}) },
		}, {
			name: "update, request lost and deleted in Harvest", want: ledger.Conflict, wantStory: "send unknown, look gone", wantCalls: 1,
			arm: lost("PATCH"), inDoubt: func(t *testing.T, b *bench, id int64) { b.sandbox.WebDelete(t, id) },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			b.confirm(t, nil)
			b.run(t, b.work())
			b.settled(t, ledger.Done)
			id := b.last(t).RemoteID
			method := http.MethodPatch
			if tt.cleared {
				method = http.MethodDelete
				b.plan(t, b.cell(0, 1), 0, "")
			} else {
				b.plan(t, b.cell(0, 1), 90, "Grid and type, more")
			}
			tt.arm(t, b, id)
			b.confirm(t, nil)
			if tt.inDoubt != nil {
				waitFor(t, "the doubt", func() bool { return b.last(t).State == ledger.Uncertain })
				tt.inDoubt(t, b, id)
			}
			waitFor(t, "the change", func() bool { return b.last(t).State.Finished() })
			w := b.last(t)
			if w.State != tt.want || story(w) != tt.wantStory {
				t.Errorf("%s after %q, want %s after %q", w.State, story(w), tt.want, tt.wantStory)
			}
			if n := b.calls(t, method, entriesPath); n != tt.wantCalls {
				t.Errorf("%d calls, want %d", n, tt.wantCalls)
			}
			if tt.want == ledger.Done {
				b.exactlyAsPlanned(t)
				return
			}
			plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
			if err != nil {
				t.Fatal(err)
			}
			if mark := plan.Rows[0].Cells[1].Mark(); mark != ledger.MarkChanged {
				t.Errorf("the cell is marked %q", mark)
			}
			// Ours goes over it only when a person has ticked it.
			lines := plan.PushLines(nil, b.week.End())
			if len(lines) != 1 || lines[0].Ticked || !lines[0].Sendable() {
				t.Fatalf("lines %+v", lines)
			}
			b.confirm(t, nil)
			b.settled(t, ledger.Done, ledger.Superseded)
			b.exactlyAsPlanned(t)
		})
	}
}

// TestPushAfterRestore: the database comes from a backup of before the push, so
// that Harvest has an entry of ours that nobody here knows of, and the plan has
// changed since. It is found, and brought to what is meant; unless somebody has
// changed it in Harvest, who is not overwritten unasked.
func TestPushAfterRestore(t *testing.T) {
	t.Parallel()
	for _, touched := range []bool{false, true} {
		t.Run("touched "+strconv.FormatBool(touched), func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			b.confirm(t, nil)
			b.drain(t)
			if touched {
				b.sandbox.Advance(t, time.Minute)
				b.sandbox.WebUpdate(t, b.last(t).RemoteID, map[string]any{"notes": "by hand"})
			}
			for _, statement := range []string{
				"update writes set state = 'pending', remote_id = null, finished_at = null, sent_at = null, attempts = 0",
				"update pushed_entries set remote_id = null, agreed_hours = null, agreed_notes = null, agreed_updated_at = null",
				"delete from time_entries",
			} {
				if _, err := b.pool.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			b.plan(t, b.cell(0, 1), 90, "Grid and type, more")
			b.confirm(t, nil)
			b.run(t, b.work())
			if touched {
				b.settled(t, ledger.Conflict, ledger.Superseded)
				plan, err := b.store.WeekPlan(t.Context(), b.userID, b.week)
				if err != nil {
					t.Fatal(err)
				}
				c := plan.Rows[0].Cells[1]
				lines := plan.PushLines(nil, b.week.End())
				if c.Mark() != ledger.MarkChanged || c.Ours.RemoteNotes != "by hand" || c.Others != 0 || len(lines) != 1 || lines[0].Ticked || lines[0].Action != ledger.LineUpdate {
					t.Errorf("cell %+v %+v, lines %+v", c, c.Ours, lines)
				}
				b.confirm(t, nil)
			}
			waitFor(t, "the write", func() bool { return b.last(t).State == ledger.Done })
			b.exactlyAsPlanned(t)
			if posts, patches := b.posts(t), b.calls(t, http.MethodPatch, entriesPath); posts != 1 || patches != 1 {
				t.Errorf("%d creates and %d updates, want 1 and 1", posts, patches)
			}
		})
	}
}

// TestFault30_WrongAccount: a wrong account, or access that was lost, is
// answered like an entry that does not exist. Nothing may be believed deleted.
func TestFault30_WrongAccount(t *testing.T) {
	t.Parallel()
	for _, cleared := range []bool{false, true} {
		t.Run("cleared "+strconv.FormatBool(cleared), func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			b.confirm(t, nil)
			b.run(t, b.work())
			b.settled(t, ledger.Done)
			b.fault(t, "", "/v2", sandbox.FaultStatus, 0, func(f *sandboxtest.Fault) { f.Status = 404 })
			if cleared {
				b.plan(t, b.cell(0, 1), 0, "")
			} else {
				b.plan(t, b.cell(0, 1), 90, "")
			}
			b.confirm(t, nil)
			waitFor(t, "a write that waits", func() bool { return b.last(t).State == ledger.Retry })
			if run := b.pulled(t); run.State != ledger.RunFailed {
				t.Errorf("run %+v", run)
			}
			if n := b.mirrored(t); n != 1 {
				t.Errorf("%d entries in the mirror, want the one", n)
			}
			b.sandbox.ClearFaults(t)
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
		})
	}
}

// TestFault21_PoisonEntry: Harvest fails on one entry, and only on that.
func TestFault21_PoisonEntry(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{gate: true})
	b.plan(t, b.cell(0, 1), 75, "poison")
	b.confirm(t, nil)
	b.run(t, b.work())
	b.settled(t, ledger.Done)
	id := b.last(t).RemoteID
	b.fault(t, "PATCH", entriesPath+"/"+strconv.FormatInt(id, 10), sandbox.FaultStatus, 0, func(f *sandboxtest.Fault) { f.Status = 500 })
	b.plan(t, b.cell(0, 1), 90, "poison")
	for i := 1; i < 5; i++ {
		b.plan(t, b.cell(i, 2), 30, "")
	}
	b.confirm(t, nil)
	waitFor(t, "the others", func() bool {
		done := 0
		for _, w := range b.writes(t) {
			if w.State == ledger.Done {
				done++
			}
		}
		return done == 5
	})
	for _, w := range b.writes(t) {
		if w.Op == ledger.OpUpdate && w.State.Finished() {
			t.Errorf("the poison is %s", w.State)
		}
	}
	b.sandbox.ClearFaults(t)
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
}

// TestFault63_TwoReplicas: any number of doorbells for writes that are done, or of
// processes that hear them, changes nothing.
func TestFault63_TwoReplicas(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	for i := range 5 {
		b.plan(t, b.cell(i, 1), 75, "Grid and type")
	}
	b.run(t, b.work())
	b.run(t, b.work())
	b.confirm(t, nil)
	b.ring(t, 10)
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	if n := b.posts(t); n != 5 {
		t.Errorf("%d creates, want 5", n)
	}
	asked := len(b.sandbox.Requests(t))
	b.ring(t, 5)
	waitFor(t, "the end of all jobs", func() bool {
		list, err := b.bell.List(t.Context(), jobFilter())
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
	if now := len(b.sandbox.Requests(t)); now != asked {
		t.Errorf("%d calls for nothing", now-asked)
	}
}

func (b *bench) ring(t *testing.T, times int) {
	t.Helper()
	err := b.store.InTx(t.Context(), func(tx *db.Tx) error {
		for range times {
			if err := b.bell.Push(t.Context(), tx, b.connectionID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPushMerge: somebody changes one field in Harvest and the user another
// here. Neither is lost, and nobody is asked.
func TestPushMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		minutes planner.Minutes
		note    string
		theirs  map[string]any
		want    string // hours and notes
	}{
		{"our hours, their notes", 90, "first", map[string]any{"notes": "by hand"}, "1.5 by hand"},
		{"our notes, their hours", 75, "second", map[string]any{"hours": 3}, "3 second"},
		{"both the same", 90, "first", map[string]any{"hours": 1.5}, "1.5 first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "first")
			b.confirm(t, nil)
			b.drain(t)
			id := b.last(t).RemoteID
			b.sandbox.WebUpdate(t, id, tt.theirs)
			b.plan(t, b.cell(0, 1), tt.minutes, tt.note)
			b.confirm(t, nil)
			b.drain(t)
			if w := b.last(t); w.State != ledger.Done {
				t.Errorf("%s after %q", w.State, story(w))
			}
			for _, list := range b.entries(t) {
				if len(list) != 1 || list[0].Hours.String()+" "+*list[0].Notes != tt.want {
					t.Errorf("Harvest has %s %s, want %s", list[0].Hours, *list[0].Notes, tt.want)
				}
			}
			if n := b.confirm(t, nil); n != 0 {
				t.Errorf("%d lines are left to send", n)
			}
		})
	}
}

// TestPushWhileOneIsUnderWay: later versions of a cell, or its deletion, that
// are confirmed while an earlier one may be arriving wait until that is known.
// Only the last of them is sent, to the entry that came of it.
func TestPushWhileOneIsUnderWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fault   string // of the create
		cleared bool
		calls   [3]int // POST, PATCH, DELETE
	}{
		{"64 create arrived, then changed", sandbox.FaultApplyThenDrop, false, [3]int{1, 1, 0}},
		{"64 create lost, then changed", sandbox.FaultDropBefore, false, [3]int{2, 0, 0}},
		{"65 create arrived, then cleared", sandbox.FaultApplyThenDrop, true, [3]int{1, 0, 1}},
		{"65 create lost, then cleared", sandbox.FaultDropBefore, true, [3]int{1, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "first")
			b.fault(t, "POST", entriesPath, tt.fault, 1, nil)
			b.confirm(t, nil)
			b.run(t, b.work())
			waitFor(t, "the doubt", func() bool { return b.last(t).State == ledger.Uncertain })
			versions := []planner.Minutes{80, 90}
			if tt.cleared {
				versions = []planner.Minutes{80, 0}
			}
			for _, minutes := range versions {
				note := ""
				if minutes > 0 {
					note = "second"
				}
				b.plan(t, b.cell(0, 1), minutes, note)
				if n := b.confirm(t, nil); n != 1 {
					t.Errorf("%d lines over one in doubt", n)
				}
			}
			b.settled(t, ledger.Done, ledger.Superseded)
			b.exactlyAsPlanned(t)
			calls := [3]int{b.posts(t), b.calls(t, http.MethodPatch, entriesPath), b.calls(t, http.MethodDelete, entriesPath)}
			if calls != tt.calls {
				t.Errorf("%v creates, updates and deletes, want %v", calls, tt.calls)
			}
		})
	}
}

// TestPushTakenBack: what has not been sent is taken back without a call.
func TestPushTakenBack(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	b.plan(t, b.cell(0, 1), 75, "first")
	b.confirm(t, nil)
	b.plan(t, b.cell(0, 1), 0, "")
	if n := b.confirm(t, nil); n != 1 {
		t.Errorf("%d lines", n)
	}
	b.run(t, b.work())
	b.settled(t, ledger.Superseded)
	b.exactlyAsPlanned(t)
	if n := len(b.sandbox.Requests(t)); n != 0 {
		t.Errorf("%d calls", n)
	}
}
