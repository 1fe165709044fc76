package db_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

func cellURL(date planner.Date) string { return "https://furrow.example/weeks/" + date.String() }

// push confirms the lines of the week that pick likes, all if it is nil.
func (f *fixture) push(t *testing.T, pick func(ledger.Line) bool) int {
	t.Helper()
	n := 0
	f.in(t, func(tx *db.Tx) (err error) {
		n, err = f.pushIn(t.Context(), tx, rand.Text(), pick)
		return err
	})
	return n
}

func (f *fixture) pushIn(ctx context.Context, tx *db.Tx, mutation string, pick func(ledger.Line) bool) (int, error) {
	connectionID, state, err := tx.LockConnection(ctx, f.userID)
	if err != nil {
		return 0, err
	}
	if stored, err := tx.PushStored(ctx, f.userID, mutation); err != nil || stored {
		return 0, err
	}
	plan, err := tx.WeekPlan(ctx, f.userID, f.week)
	if err != nil {
		return 0, err
	}
	var lines []ledger.Line
	for _, line := range plan.PushLines(nil, f.week.End()) {
		if line.Sendable() && (pick == nil || pick(line)) {
			lines = append(lines, line)
		}
	}
	return len(lines), tx.AddWrites(ctx, f.userID, connectionID, state, plan, lines, mutation)
}

func (f *fixture) take(t *testing.T, term time.Duration) (ledger.LeasedOutbox, bool) {
	t.Helper()
	box, ok, err := f.store.TakeOutbox(t.Context(), f.connectionID, term, cellURL)
	if err != nil {
		t.Fatal(err)
	}
	return box, ok
}

func (f *fixture) mustTake(t *testing.T) ledger.LeasedOutbox {
	t.Helper()
	box, ok := f.take(t, time.Minute)
	if !ok {
		t.Fatal("somebody else has the lease")
	}
	return box
}

func next(t *testing.T, box ledger.Outbox) ledger.Write {
	t.Helper()
	w, ok, err := box.Next(t.Context())
	if err != nil || !ok {
		t.Fatalf("next: %t, %v", ok, err)
	}
	return w
}

func none(t *testing.T, box ledger.Outbox) {
	t.Helper()
	if w, ok, err := box.Next(t.Context()); err != nil || ok {
		t.Errorf("next: %+v, %t, %v; want none", w, ok, err)
	}
}

// made is Harvest's answer to w.
func (f *fixture) made(w ledger.Write, id int64) *ledger.RemoteEntry {
	at := time.Now().Truncate(time.Second)
	return &ledger.RemoteEntry{
		ID: id, UserID: 2001, ClientID: 1, ClientName: "Client 1", ProjectID: w.Entry.ProjectID, TaskID: w.Entry.TaskID, SpentDate: w.Entry.SpentDate,
		Hours: w.Entry.Hours, Notes: w.Entry.Notes, ReferenceID: w.Reference, ReferenceGroup: ledger.ReferenceGroup, CreatedAt: at, UpdatedAt: at,
	}
}

func settle(t *testing.T, box ledger.Outbox, w ledger.Write, r ledger.Result) {
	t.Helper()
	if r.Attempt.Action == "" {
		r.Attempt.Action = ledger.ActionSend
	}
	if err := box.Settle(t.Context(), w, r); err != nil {
		t.Fatal(err)
	}
}

// sent brings the first due write to its end.
func (f *fixture) sent(t *testing.T, id int64) ledger.Write {
	t.Helper()
	box := f.mustTake(t)
	w := next(t, box)
	if err := box.Begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	r := ledger.Result{State: ledger.Done, Attempt: ledger.Attempt{Outcome: ledger.OutcomeApplied}}
	if w.Op == ledger.OpDelete {
		r.Gone = true
	} else {
		r.Remote = f.made(w, id)
	}
	settle(t, box, w, r)
	if _, _, err := box.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (f *fixture) expire(t *testing.T) {
	t.Helper()
	f.exec(t, "update harvest_connections set lease_until = now() - interval '1 second'")
}

func (f *fixture) write(t *testing.T, id int64) db.WriteRecord {
	t.Helper()
	w, err := f.store.Write(t.Context(), f.userID, id)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestLease: one at a time sends for a connection, and whoever has lost the
// lease changes nothing more.
func TestLease(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.plan(t, f.cell(0, 0), 60, "")
	f.plan(t, f.cell(1, 0), 60, "")
	f.push(t, nil)

	first := f.mustTake(t)
	if _, ok := f.take(t, time.Minute); ok {
		t.Fatal("two have the lease")
	}
	w := next(t, first)
	if err := first.Begin(ctx, w); err != nil {
		t.Fatal(err)
	}
	// A lease that has run out is not enough to send under, even if nobody took it.
	another := w
	another.ID++
	f.expire(t)
	if err := first.Begin(ctx, another); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("begin after the lease: %v", err)
	}

	second := f.mustTake(t)
	for what, err := range map[string]error{
		"begin": first.Begin(ctx, another),
		"settle": first.Settle(ctx, w, ledger.Result{
			State: ledger.Done, Remote: f.made(w, 1), Attempt: ledger.Attempt{Action: ledger.ActionSend, Outcome: ledger.OutcomeApplied},
		}),
		"next": func() error { _, _, err := first.Next(ctx); return err }(),
	} {
		if !errors.Is(err, ledger.ErrFenced) {
			t.Errorf("%s after the lease was taken: %v", what, err)
		}
	}
	if err := first.Postpone(ctx, time.Hour, ledger.WaitAsked); err != nil && !errors.Is(err, ledger.ErrFenced) {
		t.Error(err)
	}
	if _, _, err := first.Release(ctx); err != nil {
		t.Error(err)
	}
	if got := f.write(t, w.ID); got.State != ledger.Sending || len(got.Attempts) != 0 || got.Sendings != 1 || got.RemoteID != 0 || got.NotBefore.After(time.Now()) {
		t.Errorf("the write after its sender was fenced off: %+v", got)
	}
	if got := f.write(t, another.ID); got.State != ledger.Pending || len(got.Attempts) != 0 || got.Sendings != 0 {
		t.Errorf("the write that was not begun: %+v", got)
	}
	if n := f.int(t, "select count(*) from time_entries"); n != 0 {
		t.Errorf("%d entries were mirrored", n)
	}
	if _, ok := f.take(t, time.Minute); ok {
		t.Error("the first gave away the lease of the second")
	}
	if got := next(t, second); got.ID != w.ID || got.State != ledger.Sending || got.SentAt.IsZero() {
		t.Errorf("the second sees %+v", got)
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.plan(t, f.cell(0, 0), 90, "a note")
	f.plan(t, f.cell(1, 1), 20, "")
	f.plan(t, f.cell(2, 2), 60, "")
	if n := f.push(t, nil); n != 3 {
		t.Fatalf("%d lines", n)
	}
	ids, err := f.store.ConnectionsWithDueWrites(ctx)
	if err != nil || len(ids) != 1 || ids[0] != f.connectionID {
		t.Errorf("due: %v, %v", ids, err)
	}
	box := f.mustTake(t)
	if ids, err := f.store.ConnectionsWithDueWrites(ctx); err != nil || len(ids) != 0 {
		t.Errorf("due while somebody works: %v, %v", ids, err)
	}

	w := next(t, box)
	want := ledger.Entry{ProjectID: 11, TaskID: 21, SpentDate: f.week.Day(0), Hours: 150, Notes: "a note"}
	if w.Op != ledger.OpCreate || w.State != ledger.Pending || w.Entry != want || w.Base != nil || w.RemoteID != 0 || !w.SentAt.IsZero() ||
		w.Permalink != cellURL(f.week.Day(0)) || !strings.HasPrefix(w.Reference, ledger.ReferenceGroup+":") || !strings.HasSuffix(w.Reference, ":1") {
		t.Errorf("write %+v", w)
	}
	if err := box.Begin(ctx, w); err != nil {
		t.Fatal(err)
	}
	if err := box.Begin(ctx, w); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("begun twice: %v", err)
	}
	if got := next(t, box); got.ID != w.ID || got.State != ledger.Sending || got.SentAgo < 0 || got.SentAgo > time.Minute {
		t.Errorf("a write found on its way: %+v", got)
	}
	settle(t, box, w, ledger.Result{State: ledger.Uncertain, Wait: time.Hour, Attempt: ledger.Attempt{Outcome: ledger.OutcomeKind(ledger.Unknown), Reason: "timeout", Status: 504}})
	if c := f.at(t, f.cell(0, 0)); c.Mark() != ledger.MarkUncertain || c.Ours.Write.Reason != "timeout" || c.Ours.Write.NextTry.Before(time.Now()) {
		t.Errorf("cell %+v", c.Ours)
	}

	second := next(t, box)
	if second.Entry.Hours != 33 {
		t.Errorf("20 minutes became %d hundredths", second.Entry.Hours)
	}
	if err := box.Begin(ctx, second); err != nil {
		t.Fatal(err)
	}
	settle(t, box, second, ledger.Result{State: ledger.Rejected, Attempt: ledger.Attempt{
		Outcome: ledger.OutcomeKind(ledger.Refused), Reason: "invalid", Status: 422, Message: "Harvest's words", RequestID: "r-1", Latency: 12 * time.Millisecond,
	}})
	if got := f.write(t, second.ID); got.State != ledger.Rejected || got.Message != "Harvest's words" || got.FinishedAt.IsZero() || len(got.Attempts) != 1 ||
		got.Attempts[0].Status != 422 || got.Attempts[0].RequestID != "r-1" || got.Attempts[0].Latency != 12*time.Millisecond {
		t.Errorf("write %+v", got)
	}

	third := next(t, box)
	settle(t, box, third, ledger.Result{State: ledger.Retry, Wait: time.Hour, Attempt: ledger.Attempt{Action: ledger.ActionLook, Outcome: "unknown", Reason: "server"}})
	none(t, box)
	if n := f.int(t, "select failures from writes where id = $1", third.ID); n != 1 {
		t.Errorf("%d failures", n)
	}
	if err := box.Postpone(ctx, 2*time.Hour, ledger.WaitBreaker); err != nil {
		t.Fatal(err)
	}
	if got := f.write(t, third.ID); got.NotBefore.Before(time.Now().Add(time.Hour+50*time.Minute)) || got.Reason != string(ledger.WaitBreaker) {
		t.Errorf("write %+v", got)
	}
	wait, more, err := box.Release(ctx)
	if err != nil || !more || wait < time.Hour || wait > 2*time.Hour {
		t.Errorf("release: %v, %t, %v", wait, more, err)
	}
	plan := f.weekPlan(t)
	if got := plan.Writes; got.Waiting != 1 || got.Uncertain != 1 || got.NeedsYou != 1 || got.NextTry.IsZero() {
		t.Errorf("counts %+v", got)
	}
}

// TestSettle: what Harvest was seen to hold is what the cell shows.
func TestSettle(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.plan(t, f.cell(0, 0), 90, "a")
	f.push(t, nil)
	w := f.sent(t, 70)
	c := f.at(t, f.cell(0, 0))
	if c.Mark() != ledger.MarkInHarvest || c.Ours.RemoteID != 70 || c.Ours.AgreedHours != 150 || c.Tracked() != 150 || c.Others != 0 {
		t.Errorf("cell %+v %+v", c, c.Ours)
	}
	if n := f.push(t, nil); n != 0 {
		t.Errorf("%d lines again", n)
	}

	f.plan(t, f.cell(0, 0), 120, "b")
	f.push(t, nil)
	box := f.mustTake(t)
	update := next(t, box)
	if update.Op != ledger.OpUpdate || update.RemoteID != 70 || update.Reference != w.Reference || update.Base == nil || update.Base.Hours != 150 || update.Base.Notes != "a" {
		t.Errorf("update %+v", update)
	}
	// Somebody changed it meanwhile.
	if err := box.Begin(t.Context(), update); err != nil {
		t.Fatal(err)
	}
	theirs := f.made(update, 70)
	theirs.Hours, theirs.Notes, theirs.UpdatedAt = 175, "by hand", theirs.UpdatedAt.Add(time.Minute)
	settle(t, box, update, ledger.Result{State: ledger.Conflict, Remote: theirs, Attempt: ledger.Attempt{Action: ledger.ActionLook, Outcome: ledger.OutcomeChanged}})
	if c := f.at(t, f.cell(0, 0)); c.Mark() != ledger.MarkChanged || c.Ours.RemoteHours != 175 || c.Ours.AgreedHours != 150 {
		t.Errorf("cell %+v", c.Ours)
	}
	if _, more, err := box.Release(t.Context()); err != nil || more {
		t.Errorf("release: %t, %v", more, err)
	}
	// Ours over theirs, deliberately: it starts from theirs.
	f.push(t, nil)
	box = f.mustTake(t)
	update = next(t, box)
	if update.Base == nil || update.Base.Hours != 175 || update.Base.Notes != "by hand" {
		t.Errorf("update %+v from %+v", update, update.Base)
	}
	if err := box.Begin(t.Context(), update); err != nil {
		t.Fatal(err)
	}
	// It was deleted meanwhile.
	settle(t, box, update, ledger.Result{State: ledger.Conflict, Gone: true, Attempt: ledger.Attempt{Outcome: ledger.OutcomeGone}})
	if c := f.at(t, f.cell(0, 0)); c.Mark() != ledger.MarkChanged || !c.Ours.Gone || c.Tracked() != 0 {
		t.Errorf("cell %+v", c.Ours)
	}
	if _, _, err := box.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Made anew, deliberately: another reference.
	f.push(t, nil)
	anew := f.sent(t, 71)
	if anew.Op != ledger.OpCreate || anew.RemoteID != 0 || anew.Base != nil || anew.Reference == w.Reference || !strings.HasSuffix(anew.Reference, ":2") {
		t.Errorf("create %+v", anew)
	}
	if c := f.at(t, f.cell(0, 0)); c.Mark() != ledger.MarkInHarvest || c.Ours.RemoteID != 71 {
		t.Errorf("cell %+v", c.Ours)
	}

	f.plan(t, f.cell(0, 0), 0, "")
	f.push(t, nil)
	if w := f.sent(t, 0); w.Op != ledger.OpDelete || w.RemoteID != 71 {
		t.Errorf("delete %+v", w)
	}
	if c := f.at(t, f.cell(0, 0)); c.Ours != nil || c.Tracked() != 0 {
		t.Errorf("cell %+v", c)
	}
	f.plan(t, f.cell(0, 0), 30, "")
	f.push(t, nil)
	if w := f.sent(t, 72); w.Op != ledger.OpCreate || !strings.HasSuffix(w.Reference, ":1") || w.Reference == anew.Reference {
		t.Errorf("create after a delete %+v", w)
	}
}

// TestReleaseSeesWhatIsBeingAdded: the end of a drain waits for whoever adds
// writes, and counts them.
func TestReleaseSeesWhatIsBeingAdded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.plan(t, f.cell(0, 0), 60, "")
	box := f.mustTake(t)
	none(t, box)
	type answer struct {
		more bool
		err  error
	}
	released := make(chan answer, 1)
	f.in(t, func(tx *db.Tx) error {
		if _, err := f.pushIn(t.Context(), tx, rand.Text(), nil); err != nil {
			return err
		}
		go func() {
			_, more, err := box.Release(context.WithoutCancel(t.Context()))
			released <- answer{more, err}
		}()
		f.blocked(t, 1)
		return nil
	})
	if a := <-released; a.err != nil || !a.more {
		t.Errorf("release: %t, %v; want more", a.more, a.err)
	}
}

func TestRevokedOutbox(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.plan(t, f.cell(0, 0), 60, "")
	f.plan(t, f.cell(1, 0), 60, "")
	f.push(t, nil)
	box := f.mustTake(t)
	w := next(t, box)
	if err := box.Begin(ctx, w); err != nil {
		t.Fatal(err)
	}
	if err := box.Revoke(ctx); err != nil {
		t.Fatal(err)
	}
	none(t, box)
	if got := f.write(t, w.ID); got.State != ledger.Sending {
		t.Errorf("what is in doubt is %s", got.State)
	}
	if got := f.write(t, w.ID+1); got.State != ledger.Blocked || got.Reason != string(ledger.ReasonAuth) {
		t.Errorf("the other is %s", got.State)
	}
	// What is in doubt is recorded even now.
	settle(t, box, w, ledger.Result{State: ledger.Done, Remote: f.made(w, 5), Attempt: ledger.Attempt{Outcome: ledger.OutcomeApplied}})
	if _, more, err := box.Release(ctx); err != nil || more {
		t.Errorf("release: %t, %v", more, err)
	}
	if _, ok := f.take(t, time.Minute); ok {
		t.Error("a revoked connection gives a lease")
	}
	if ids, err := f.store.ConnectionsWithDueWrites(ctx); err != nil || len(ids) != 0 {
		t.Errorf("due: %v, %v", ids, err)
	}
	// Confirmed now, it waits; connecting wakes it.
	f.plan(t, f.cell(2, 0), 60, "")
	f.push(t, nil)
	if counts, err := f.store.CountWrites(ctx, db.WriteFilter{UserID: f.userID}); err != nil || counts.ByState[ledger.Blocked] != 2 || counts.ByState[ledger.Done] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	f.in(t, func(tx *db.Tx) error {
		_, err := tx.Connect(ctx, f.userID, token, account(1))
		return err
	})
	if counts, err := f.store.CountWrites(ctx, db.WriteFilter{}); err != nil || counts.ByState[ledger.Pending] != 2 {
		t.Errorf("counts %v, %v", counts, err)
	}
	if ids, err := f.store.ConnectionsWithDueWrites(ctx); err != nil || len(ids) != 1 {
		t.Errorf("due: %v, %v", ids, err)
	}
}
