package db

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// WriteAction is what an operator does to writes of others.
type WriteAction string

// The actions.
const (
	ActRetry   WriteAction = "retry"   // tries again at once
	ActLook    WriteAction = "look"    // looks at once what became of what is in doubt
	ActCancel  WriteAction = "cancel"  // gives up what waits, and was provably not sent
	ActResolve WriteAction = "resolve" // takes what Harvest has instead
	ActDrop    WriteAction = "drop"    // gives up what Harvest refused, or what was changed there
)

// WriteActions are all of them.
func WriteActions() []WriteAction {
	return []WriteAction{ActRetry, ActLook, ActResolve, ActCancel, ActDrop}
}

// States are those in which a write may be acted on. One that is being sent, or
// is through, never is.
func (a WriteAction) States() []ledger.State {
	switch a {
	case ActRetry:
		return []ledger.State{ledger.Retry, ledger.Blocked, ledger.Rejected}
	case ActLook:
		return []ledger.State{ledger.Uncertain}
	case ActCancel:
		return []ledger.State{ledger.Pending, ledger.Retry, ledger.Blocked}
	case ActResolve:
		return []ledger.State{ledger.Pending, ledger.Retry, ledger.Blocked, ledger.Rejected, ledger.Conflict}
	case ActDrop:
		return []ledger.State{ledger.Rejected, ledger.Conflict}
	default:
		return nil
	}
}

// Rings reports whether there is something to send, or to ask, after the action.
func (a WriteAction) Rings() bool { return a == ActRetry || a == ActLook }

// Notes reports whether the owner is told why.
func (a WriteAction) Notes() bool { return a == ActCancel || a == ActDrop || a == ActResolve }

// history is what the action is called in the history of a write.
func (a WriteAction) history() ledger.Action {
	switch a {
	case ActRetry:
		return ledger.ActionRetry
	case ActLook:
		return ledger.ActionLook
	default:
		return ledger.ActionDrop
	}
}

// among are the states of a search in which the action is possible.
func (a WriteAction) among(states []ledger.State) []ledger.State {
	may := a.States()
	if len(states) == 0 {
		return may
	}
	return slices.DeleteFunc(may, func(s ledger.State) bool { return !slices.Contains(states, s) })
}

// Why a write is spared by an action, though its state would allow it.
const (
	SparedOwner     = "owner"     // its owner must connect first
	SparedOvertaken = "overtaken" // a later write of the same entry decides
	SparedTimer     = "timer"     // it is of a timer, or of no entry any more
	SparedDoubt     = "doubt"     // another write of the entry is on its way, or in doubt
	SparedNothing   = "nothing"   // Harvest is not known to have the entry
	SparedEdited    = "edited"    // its owner has changed the plan since
	SparedMoved     = "moved"     // its state is another one by now
)

// spares is SQL that says why the action spares a write w of an entry p and a
// connection c; empty if it does not.
func (a WriteAction) spares() string {
	const (
		unconnected = "when c.state <> 'ok' then 'owner' "
		overtaken   = "when exists (select from writes l where l.pushed_entry_id = w.pushed_entry_id and l.id > w.id) then 'overtaken' "
	)
	switch a {
	case ActRetry:
		return "case " + unconnected + overtaken + "else '' end"
	case ActLook:
		return "case " + unconnected + "else '' end"
	case ActResolve:
		return `case when w.op not in ('create', 'update', 'delete', 'adopt') or p.kind <> 'plan' or p.removed_at is not null then 'timer' ` + overtaken + `
	when exists (select from writes f where f.pushed_entry_id = w.pushed_entry_id and f.state in ('sending', 'uncertain')) then 'doubt'
	when not exists (select from time_entries t where t.user_id = p.user_id and t.harvest_id = p.remote_id and t.deleted_at is null) then 'nothing'
	when not coalesce((select (l.minutes, l.note) = (p.planned_minutes, p.planned_note) from cells l
		where l.user_id = p.user_id and l.project_id = p.project_id and l.task_id = p.task_id and l.date = p.spent_date), (p.planned_minutes, p.planned_note) = (0, '')) then 'edited'
	else '' end`
	default:
		return "''"
	}
}

// Spared are writes that an action leaves alone.
type Spared struct {
	State ledger.State
	Why   string
	N     int
}

// ActionPreview is what an action would do.
type ActionPreview struct {
	Can    map[ledger.State]int
	Cannot []Spared
	UpTo   int64 // highest id there was
}

// All is how many it would act on.
func (p ActionPreview) All() (n int) {
	for _, m := range p.Can {
		n += m
	}
	return n
}

// PreviewAction counts what an action would do to all writes that match, each
// one. What the states of do not allow is not counted; see [Store.CountSearch].
func (s *Store) PreviewAction(ctx context.Context, a WriteAction, f WriteSearch) (ActionPreview, error) {
	preview := ActionPreview{Can: map[ledger.State]int{}, UpTo: f.UpTo}
	var err error
	if f.UpTo == 0 {
		if preview.UpTo, err = s.q.WriteNewest(ctx); err != nil {
			return preview, fmt.Errorf("preview: %w", err)
		}
	}
	f.States, f.UpTo = a.among(f.States), preview.UpTo
	scan, err := scanOf(ctx, s.q, f)
	if err != nil {
		return preview, fmt.Errorf("read the search of writes: %w", err)
	}
	if scan.none || len(f.States) == 0 {
		return preview, nil
	}
	rows, err := scan.query(ctx, s.pool, "select w.state, "+a.spares()+" as why, count(*) from "+scan.all()+" group by 1, 2 order by 3 desc, 1, 2", nil)
	if err != nil {
		return preview, fmt.Errorf("preview: %w", err)
	}
	var one Spared
	_, err = pgx.ForEachRow(rows, []any{&one.State, &one.Why, &one.N}, func() error {
		if one.Why == "" {
			preview.Can[one.State] = one.N
		} else {
			preview.Cannot = append(preview.Cannot, one)
		}
		return nil
	})
	if err != nil {
		return preview, fmt.Errorf("preview: %w", err)
	}
	return preview, nil
}

// Acted is what an action has done to some writes.
type Acted struct {
	Changed     []int64
	Before      map[ledger.State]int // how these stood
	Spared      map[string]int       // how many others, by why
	Connections []int64              // of those that were changed
}

// ActOnWrites does an action to the writes of the ids for which it makes sense,
// and notes it in their history. note is for the owners. Whatever a worker does
// meanwhile goes first: the state of each write is looked at as it is changed.
func (tx *Tx) ActOnWrites(ctx context.Context, a WriteAction, ids []int64, note string) (Acted, error) {
	acted := Acted{Before: map[ledger.State]int{}, Spared: map[string]int{}}
	before, err := tx.actable(ctx, a, ids, &acted)
	chosen := slices.Sorted(maps.Keys(before))
	if err == nil && a == ActResolve {
		err = tx.resolve(ctx, chosen, note, &acted)
	} else if err == nil {
		err = tx.setAll(ctx, a, chosen, note, &acted)
	}
	if err != nil {
		return acted, fmt.Errorf("%s %d writes: %w", a, len(ids), err)
	}
	for _, id := range acted.Changed {
		acted.Before[before[id].state]++
		acted.Connections = append(acted.Connections, before[id].connectionID)
	}
	if moved := len(before) - len(acted.Changed); moved > 0 {
		acted.Spared[SparedMoved] += moved
	}
	slices.Sort(acted.Connections)
	acted.Connections = slices.Compact(acted.Connections)
	return acted, nil
}

// actable is a write that an action is possible for.
type actable struct {
	state        ledger.State
	connectionID int64
}

// actable are those of the writes that the action is possible for; others are
// counted as spared.
func (tx *Tx) actable(ctx context.Context, a WriteAction, ids []int64, acted *Acted) (map[int64]actable, error) {
	rows, err := tx.Query(ctx, "select w.id, w.state, w.connection_id, case when w.state = any(@states::text[]) then "+a.spares()+" else 'moved' end from "+entriesOfWrites+
		" where w.id = any(@ids::bigint[])", pgx.QueryExecModeCacheDescribe, pgx.NamedArgs{"ids": ids, "states": stateNames(a.States())})
	if err != nil {
		return nil, err
	}
	before := map[int64]actable{}
	var id int64
	var w actable
	var why string
	_, err = pgx.ForEachRow(rows, []any{&id, &w.state, &w.connectionID, &why}, func() error {
		if why == "" {
			before[id] = w
		} else {
			acted.Spared[why]++
		}
		return nil
	})
	return before, err
}

// setAll is every action that sets the writes themselves.
func (tx *Tx) setAll(ctx context.Context, a WriteAction, ids []int64, note string, acted *Acted) (err error) {
	switch a {
	case ActRetry:
		acted.Changed, err = tx.q.WritesRetryChosen(ctx, ids)
	case ActLook:
		acted.Changed, err = tx.q.WritesLookChosen(ctx, ids)
	default:
		acted.Changed, err = tx.q.WritesDropChosen(ctx, dbgen.WritesDropChosenParams{Ids: ids, Note: note, States: stateNames(a.States())})
	}
	if err != nil {
		return err
	}
	return tx.q.WriteAttemptsByPerson(ctx, dbgen.WriteAttemptsByPersonParams{
		WriteIds: acted.Changed, Action: string(a.history()), Outcome: string(ledger.OutcomeByStaff),
	})
}

// resolve takes what Harvest has, write by write.
func (tx *Tx) resolve(ctx context.Context, ids []int64, note string, acted *Acted) error {
	for _, id := range ids {
		err := tx.try(ctx, func(tx *Tx) error { return tx.resolveOne(ctx, id) })
		switch {
		case err == nil:
			acted.Changed = append(acted.Changed, id)
		case !errors.Is(err, planner.ErrConflict):
			return fmt.Errorf("write %d: %w", id, err)
		}
	}
	return tx.q.WritesNote(ctx, dbgen.WritesNoteParams{Ids: acted.Changed, Note: note})
}

// try runs f so that what it did is undone if it fails, and nothing else.
func (tx *Tx) try(ctx context.Context, f func(*Tx) error) error {
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	if err := f(&Tx{Tx: savepoint, q: tx.q.WithTx(savepoint), sealer: tx.sealer}); err != nil {
		return errors.Join(err, savepoint.Rollback(context.WithoutCancel(ctx)))
	}
	return savepoint.Commit(ctx)
}

// resolveOne is what the owner of a write does by taking Harvest's side of its
// cell, under the same lock and with the same checks, and more: only if Harvest
// has the entry, and the owner has not planned otherwise since.
// [planner.ErrConflict]: that is not so any more.
func (tx *Tx) resolveOne(ctx context.Context, id int64) error {
	w, err := tx.q.WriteEntryOf(ctx, id)
	if err != nil {
		return notFound(err)
	}
	if _, _, err := tx.LockConnection(ctx, w.UserID); err != nil {
		return err
	}
	plan, err := tx.WeekPlan(ctx, w.UserID, planner.WeekOf(w.SpentDate, time.Monday))
	if err != nil {
		return err
	}
	cell := planner.CellID{RowID: planner.RowID{ProjectID: w.ProjectID, TaskID: w.TaskID}, Date: w.SpentDate}
	c := plan.Cell(cell)
	ours := c.Ours
	if ours == nil || ours.ID != w.PushedEntryID || ours.InFlight || ours.RemoteID == 0 || ours.Gone ||
		c.Planned != ours.PlannedMinutes || c.Note != ours.PlannedNote {
		return planner.ErrConflict
	}
	if c.InStep() { // nothing but the write is left
		return tx.giveUpWrites(ctx, ours.ID)
	}
	return tx.TakeTheirs(ctx, w.UserID, plan, Choice{Cell: cell, MutationID: rand.Text(), Seen: plan.Version})
}

// An operator's action on all that match is done in batches of so many, each in
// a transaction of its own. To take Harvest's side locks connections, so that
// those are short.
const (
	actionBatch  = 500
	resolveBatch = 20
)

func (a WriteAction) batch() int {
	if a == ActResolve {
		return resolveBatch
	}
	return actionBatch
}

// ActionOrder is an action on all writes that match.
type ActionOrder struct {
	ID         int64
	MutationID string // one per confirmed preview
	ActorID    int64  // 0: somebody who is gone
	Actor      string // address of theirs
	Action     WriteAction
	Search     WriteSearch // UpTo is the highest id that was previewed
	Note       string
	Previewed  int
	Changed    int
	Skipped    int
	CreatedAt  time.Time
	FinishedAt time.Time // zero while it is not through
}

// OrderAction stores an action to be done, and audits it. An order with the same
// mutation id is stored once: then isNew is false, and id that of the first.
func (tx *Tx) OrderAction(ctx context.Context, o ActionOrder) (id int64, isNew bool, err error) {
	search, err := json.Marshal(o.Search)
	if err != nil {
		return 0, false, err
	}
	id, err = tx.q.WriteActionAdd(ctx, dbgen.WriteActionAddParams{
		MutationID: o.MutationID, ActorID: &o.ActorID, Action: string(o.Action), Search: search, Note: o.Note, UpTo: o.Search.UpTo, Previewed: int64(o.Previewed),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		id, err = tx.q.WriteActionByMutation(ctx, o.MutationID)
		if err != nil {
			return 0, false, fmt.Errorf("find the order %s: %w", o.MutationID, err)
		}
		return id, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("order to %s writes: %w", o.Action, err)
	}
	return id, true, tx.Audit(ctx, o.ActorID, "writes."+string(o.Action)+"_all", "order "+strconv.FormatInt(id, 10), map[string]any{
		"filter": json.RawMessage(search), "previewed": o.Previewed, "note": o.Note,
	})
}

// StepAction does the next batch of an order and audits it, and reports whether
// there are more. ring is called for each connection that has something to send
// now. It may be called by several at a time, and again after a crash: what is
// done is stored with how far it went.
func (s *Store) StepAction(ctx context.Context, id int64, ring func(ctx context.Context, tx pgx.Tx, connectionID int64) error) (more bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		more = false
		order, err := tx.q.WriteActionLock(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // it is through, or somebody else is at it
		}
		if err != nil {
			return err
		}
		more, err = tx.stepAction(ctx, order, ring)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("next batch of order %d: %w", id, err)
	}
	return more, nil
}

func (tx *Tx) stepAction(ctx context.Context, order dbgen.WriteAction, ring func(context.Context, pgx.Tx, int64) error) (more bool, err error) {
	action := WriteAction(order.Action)
	var search WriteSearch
	if err := json.Unmarshal(order.Search, &search); err != nil {
		return false, err
	}
	search.States = action.among(search.States)
	scan, err := scanOf(ctx, tx.q, search)
	if err != nil {
		return false, err
	}
	page, err := scan.find(ctx, tx, order.DoneTo, true, action.batch())
	if err != nil {
		return false, err
	}
	step := dbgen.WriteActionStepParams{ID: order.ID, DoneTo: page.next, Finished: page.next == 0}
	if step.Finished {
		step.DoneTo = order.UpTo
	}
	if len(page.ids) > 0 {
		acted, err := tx.ActOnWrites(ctx, action, page.ids, order.Note)
		if err != nil {
			return false, err
		}
		if err := tx.noteBatch(ctx, order, step.DoneTo, acted); err != nil {
			return false, err
		}
		if action.Rings() {
			for _, connection := range acted.Connections {
				if err := ring(ctx, tx, connection); err != nil {
					return false, err
				}
			}
		}
		step.Changed, step.Skipped = int64(len(acted.Changed)), int64(len(page.ids)-len(acted.Changed))
	}
	return !step.Finished, tx.q.WriteActionStep(ctx, step)
}

// mostAuditedWrites is how many ids the audit of a batch names.
const mostAuditedWrites = 100

// noteBatch tells what a batch came to, to those who watch and to the audit.
func (tx *Tx) noteBatch(ctx context.Context, order dbgen.WriteAction, lastID int64, acted Acted) error {
	spared, err := json.Marshal(acted.Spared)
	if err != nil {
		return err
	}
	err = tx.q.WriteActionBatchAdd(ctx, dbgen.WriteActionBatchAddParams{
		ActionID: order.ID, LastID: lastID, Changed: int32(len(acted.Changed)), Skipped: spared,
	})
	if err != nil {
		return err
	}
	return tx.Audit(ctx, derefID(order.ActorID), "writes."+order.Action+"_batch", "order "+strconv.FormatInt(order.ID, 10), map[string]any{
		"count": len(acted.Changed), "before": acted.Before, "left alone": acted.Spared, "writes": acted.Changed[:min(len(acted.Changed), mostAuditedWrites)],
	})
}

// OpenActions are the orders of which no batch was done for an age, so that one
// whose job was lost is found again.
func (s *Store) OpenActions(ctx context.Context, age time.Duration) ([]int64, error) {
	ids, err := s.q.WriteActionsOpen(ctx, age)
	if err != nil {
		return nil, fmt.Errorf("list open orders: %w", err)
	}
	return ids, nil
}

// ActionBatch is what one batch of an order came to.
type ActionBatch struct {
	Number  int
	LastID  int64 // ids up to here
	Changed int
	Spared  map[string]int
	At      time.Time
}

// ActionOrder returns an order with its latest batches, newest first.
func (s *Store) ActionOrder(ctx context.Context, id int64, most int) (ActionOrder, []ActionBatch, error) {
	r, err := s.q.WriteActionRead(ctx, id)
	if err != nil {
		return ActionOrder{}, nil, fmt.Errorf("order %d: %w", id, notFound(err))
	}
	order, err := orderOf(dbgen.WriteActionsLatestRow(r))
	if err != nil {
		return ActionOrder{}, nil, err
	}
	rows, err := s.q.WriteActionBatches(ctx, dbgen.WriteActionBatchesParams{ActionID: id, Most: int32(most)})
	if err != nil {
		return ActionOrder{}, nil, fmt.Errorf("batches of order %d: %w", id, err)
	}
	batches := make([]ActionBatch, len(rows))
	for i, b := range rows {
		batches[i] = ActionBatch{Number: int(b.Number), LastID: b.LastID, Changed: int(b.Changed), At: b.At}
		if err := json.Unmarshal(b.Skipped, &batches[i].Spared); err != nil {
			return ActionOrder{}, nil, fmt.Errorf("read batch %d of order %d: %w", b.Number, id, err)
		}
	}
	return order, batches, nil
}

// ActionOrders returns the latest orders, newest first.
func (s *Store) ActionOrders(ctx context.Context, most int) ([]ActionOrder, error) {
	rows, err := s.q.WriteActionsLatest(ctx, int32(most))
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	orders := make([]ActionOrder, len(rows))
	for i, r := range rows {
		if orders[i], err = orderOf(r); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

func orderOf(r dbgen.WriteActionsLatestRow) (ActionOrder, error) {
	o := ActionOrder{
		ID: r.ID, MutationID: r.MutationID, ActorID: derefID(r.ActorID), Actor: r.Actor, Action: WriteAction(r.Action), Note: r.Note,
		Previewed: int(r.Previewed), Changed: int(r.Changed), Skipped: int(r.Skipped), CreatedAt: r.CreatedAt, FinishedAt: deref(r.FinishedAt),
	}
	if err := json.Unmarshal(r.Search, &o.Search); err != nil {
		return o, fmt.Errorf("read order %d: %w", r.ID, err)
	}
	return o, nil
}

// WriteState is where a write stands in the transaction.
func (tx *Tx) WriteState(ctx context.Context, id int64) (ledger.State, error) {
	state, err := tx.q.WriteState(ctx, id)
	if err != nil {
		return "", fmt.Errorf("state of write %d: %w", id, notFound(err))
	}
	return ledger.State(state), nil
}
