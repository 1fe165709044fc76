package db

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// batchSender is what a week is read through: the pool, or a transaction.
type batchSender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// WeekPlan returns everything that the page of a week shows. Whether the week
// begins on the user's first day of the week is for the caller to compare.
func (s *Store) WeekPlan(ctx context.Context, userID int64, week planner.Week) (ledger.WeekPlan, error) {
	return weekPlan(ctx, s.pool, userID, week, nil)
}

// WeekPage returns the plan of a week together with the assignments that may
// be added to it, in one round trip.
func (s *Store) WeekPage(ctx context.Context, userID int64, week planner.Week) (ledger.WeekPlan, []Assignment, error) {
	var assignments []Assignment
	plan, err := weekPlan(ctx, s.pool, userID, week, &assignments)
	return plan, assignments, err
}

// WeekPlan is [Store.WeekPlan] inside of a transaction.
func (tx *Tx) WeekPlan(ctx context.Context, userID int64, week planner.Week) (ledger.WeekPlan, error) {
	return weekPlan(ctx, tx, userID, week, nil)
}

// weekPlan sends its queries as one batch, so that a week costs one round trip
// however many rows it has. sqlc knows no batch of different queries; the SQL
// is sqlc's, the sending and reading is ours. assignments are given too if
// there is a place for them. The names come last, so that what they name is
// there when they are read.
func weekPlan(ctx context.Context, conn batchSender, userID int64, week planner.Week, assignments *[]Assignment) (ledger.WeekPlan, error) {
	var batch pgx.Batch
	first, last := week.Start, week.End()
	batch.Queue(dbgen.WeekHead, first, last, userID)
	batch.Queue(dbgen.WeekCells, first, userID, last)
	batch.Queue(dbgen.WeekTracked, first, userID, last)
	batch.Queue(dbgen.WeekPushed, first, userID, last)
	batch.Queue(dbgen.Timers, userID)
	batch.Queue(dbgen.ChangesNext, userID, first, last)
	month := week.Month()
	batch.Queue(dbgen.WeekOff, userID, first, last)
	batch.Queue(dbgen.WeekElsewhere, userID, month.Start, month.End(), first, last)
	batch.Queue(dbgen.WeekAhead, userID, first, last)
	batch.Queue(dbgen.WeekBudgets, userID)
	batch.Queue(dbgen.WeekRates, userID)
	batch.Queue(dbgen.WeekRowOrder, userID)
	batch.Queue(dbgen.WeekProjects, userID)
	batch.Queue(dbgen.WeekTasks, userID)
	batch.Queue(dbgen.WeekAssignments, userID)
	if assignments != nil {
		before := week.Previous()
		batch.Queue(dbgen.WeekLeft, userID, before.Start, before.End())
	}
	results := conn.SendBatch(ctx, &batch)

	r := weekReader{results: results, plan: ledger.WeekPlan{Week: week}, rows: make(map[planner.RowID]int, 64)}
	err := r.read(assignments)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return ledger.WeekPlan{}, fmt.Errorf("week %s of user %d: %w", week, userID, notFound(err))
	}
	return r.plan, nil
}

// weekReader reads the answers in the order in which weekPlan asked.
type weekReader struct {
	results          pgx.BatchResults
	plan             ledger.WeekPlan
	rows             map[planner.RowID]int // where the rows are in plan
	harvestWeekStart time.Weekday
	rates            map[planner.RowID]int64 // the user's own, in hundredths; those of projects have no task
}

func (r *weekReader) read(assignments *[]Assignment) error {
	head, err := one[dbgen.WeekHeadRow](r.results)
	if err != nil {
		return err
	}
	setHead(&r.plan, head)
	r.harvestWeekStart = time.Weekday(head.HarvestWeekStart)
	parts := []func() error{
		r.readCells, r.readTracked, r.readPushed, r.readTimers, r.readChanges, r.readOff, r.readElsewhere, r.readAhead, r.readBudgets, r.readRates,
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}
	names, err := r.readNames()
	if err != nil {
		return err
	}
	err = r.readAssignments(names, assignments)
	if err == nil && assignments != nil {
		err = r.readBefore()
	}
	return err
}

// each reads the rows of the next answer into the places that scans point to,
// and calls f after each. It saves the struct per row that would be read and
// thrown away at once.
func (r *weekReader) each(scans []any, f func()) error {
	rows, err := r.results.Query()
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, scans, func() error {
		f()
		return nil
	})
	return err
}

// row returns the row of an id, which is shown because it is asked for here.
// The pointer is good until the next call.
func (r *weekReader) row(id planner.RowID) *ledger.Row {
	at, ok := r.rows[id]
	if !ok {
		at = len(r.plan.Rows)
		r.rows[id] = at
		if at == cap(r.plan.Rows) {
			r.plan.Rows = slices.Grow(r.plan.Rows, max(at, 64)) // a row has a kilobyte
		}
		r.plan.Rows = append(r.plan.Rows, ledger.Row{ID: id})
	}
	return &r.plan.Rows[at]
}

func (r *weekReader) readCells() error {
	var v dbgen.WeekCellsRow
	return r.each([]any{&v.ProjectID, &v.TaskID, &v.Day, &v.Minutes, &v.Note, &v.Version, &v.Kept}, func() {
		row := r.row(planner.RowID{ProjectID: v.ProjectID, TaskID: v.TaskID})
		if v.Kept {
			row.Kept = true
			return
		}
		c := &row.Cells[v.Day]
		c.Planned, c.Note, c.Version = planner.Minutes(v.Minutes), v.Note, v.Version
	})
}

func (r *weekReader) readTracked() error {
	var v dbgen.WeekTrackedRow
	scans := []any{
		&v.ProjectID, &v.TaskID, &v.Day, &v.Hours, &v.Others, &v.IsRunning, &v.IsLocked, &v.LockedReason, &v.Approved,
		&v.HarvestID, &v.Started, &v.Ended, &v.Billable,
	}
	return r.each(scans, func() {
		day := r.plan.Week.Start.AddDays(int(v.Day))
		if v.Approved {
			lockWeek(&r.plan, planner.WeekOf(day, r.harvestWeekStart))
		}
		if !r.plan.Week.Contains(day) {
			return
		}
		c := &r.row(planner.RowID{ProjectID: v.ProjectID, TaskID: v.TaskID}).Cells[v.Day]
		c.Running = c.Running || v.IsRunning
		if v.IsLocked && (c.Locked == "" || c.Locked == lockedReason("") || v.LockedReason > c.Locked) {
			c.Locked = lockedReason(v.LockedReason) // of several, always the same
		}
		if v.Billable {
			c.Billed += planner.Hours(v.Hours)
		}
		if v.Others {
			c.Others += planner.Hours(v.Hours)
			c.OthersCount++
		}
		if v.Started >= 0 {
			r.plan.Spans = append(r.plan.Spans, span(&v, day))
		}
	})
}

// span is when an entry with a start is. One that ends before it starts goes on
// after midnight.
func span(v *dbgen.WeekTrackedRow, day planner.Date) ledger.Span {
	s := ledger.Span{RemoteID: v.HarvestID, Date: day, Start: planner.Minutes(v.Started), End: planner.Minutes(v.Ended), Running: v.IsRunning}
	if s.End < s.Start {
		s.End = planner.MaxCell
	}
	return s
}

func (r *weekReader) readPushed() error {
	var v dbgen.WeekPushedRow
	scans := []any{
		&v.ID, &v.ProjectID, &v.TaskID, &v.Day, &v.PlannedMinutes, &v.PlannedNote, &v.Hours, &v.Notes, &v.RemoteID, &v.AgreedHours, &v.AgreedNotes,
		&v.RemoteHours, &v.RemoteNotes, &v.RemoteProject, &v.RemoteTask, &v.RemoteDay, &v.Gone, &v.InFlight, &v.WriteID, &v.Op, &v.State, &v.NotBefore, &v.ErrorReason, &v.ErrorStatus, &v.ErrorMessage,
		&v.Start, &v.RemoteStarted,
	}
	return r.each(scans, func() {
		r.row(planner.RowID{ProjectID: v.ProjectID, TaskID: v.TaskID}).Cells[v.Day].Ours = pushedEntry(&v, r.plan.Week)
	})
}

// readTimers gives the cells of the week their timers. Of several, one that runs
// or is about to is shown.
func (r *weekReader) readTimers() error {
	rows, err := r.results.Query()
	if err != nil {
		return err
	}
	timers, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dbgen.TimersRow])
	for i := range timers {
		t := timerOf(&timers[i])
		if !r.plan.Week.Contains(t.Cell.Date) {
			continue
		}
		c := &r.row(t.Cell.RowID).Cells[t.Cell.Date-r.plan.Week.Start]
		if c.Timer == nil || !c.Timer.Active() {
			c.Timer = &t
		}
	}
	return err
}

func (r *weekReader) readChanges() error {
	next, err := one[dbgen.ChangesNextRow](r.results)
	r.plan.Undo, r.plan.UndoKind, r.plan.Redo = next.Undo, planner.ChangeKind(next.UndoKind), next.Redo
	return err
}

// names are a user's projects and tasks by id, and the positions of rows that
// the user has put into an order.
type names struct {
	projects  map[int64]projectName
	tasks     map[int64]taskName
	positions map[planner.RowID]int
}

type projectName struct {
	client, name, currency string
	clientID               int64
	clientRank             int
	rank                   int // by client, then project
}

type taskName struct {
	name string
	rank int
}

// readNames reads projects and tasks and ranks them: clients as the user has put
// them, then everything by name, capital letters or not; ids decide between equal
// names. The comparison is ours rather than the database's, so that the order
// does not depend on its locale.
func (r *weekReader) readNames() (names, error) {
	n := names{}
	var o dbgen.WeekRowOrderRow
	err := r.each([]any{&o.ProjectID, &o.TaskID, &o.Position}, func() {
		if n.positions == nil {
			n.positions = map[planner.RowID]int{}
		}
		n.positions[planner.RowID{ProjectID: o.ProjectID, TaskID: o.TaskID}] = int(o.Position)
	})
	if err == nil {
		err = r.readProjects(&n)
	}
	if err == nil {
		err = r.readTasks(&n)
	}
	return n, err
}

// sortable is something that is sorted by its name.
type sortable[T any] struct {
	row   T
	lower string
}

func (r *weekReader) readProjects(n *names) error {
	type client struct {
		position int32
		lower    string
	}
	var p dbgen.WeekProjectsRow
	var projects []sortable[dbgen.WeekProjectsRow]
	clients := map[int64]client{}
	err := r.each([]any{&p.ID, &p.Name, &p.ClientID, &p.Client, &p.Currency, &p.Position}, func() {
		if _, ok := clients[p.ClientID]; !ok {
			clients[p.ClientID] = client{p.Position, strings.ToLower(p.Client)}
		}
		projects = append(projects, sortable[dbgen.WeekProjectsRow]{p, strings.ToLower(p.Name)})
	})
	if err != nil {
		return err
	}
	slices.SortFunc(projects, func(a, b sortable[dbgen.WeekProjectsRow]) int {
		if a.row.ClientID != b.row.ClientID {
			x, y := clients[a.row.ClientID], clients[b.row.ClientID]
			return cmp.Or(cmp.Compare(x.position, y.position), strings.Compare(x.lower, y.lower), cmp.Compare(a.row.ClientID, b.row.ClientID))
		}
		return cmp.Or(strings.Compare(a.lower, b.lower), cmp.Compare(a.row.ID, b.row.ID))
	})
	n.projects = make(map[int64]projectName, len(projects))
	clientRank := 0
	for rank, p := range projects {
		if rank > 0 && projects[rank-1].row.ClientID != p.row.ClientID {
			clientRank = rank
		}
		n.projects[p.row.ID] = projectName{
			client: p.row.Client, name: p.row.Name, currency: p.row.Currency, clientID: p.row.ClientID, clientRank: clientRank, rank: rank,
		}
	}
	return nil
}

func (r *weekReader) readTasks(n *names) error {
	var t dbgen.WeekTasksRow
	var tasks []sortable[dbgen.WeekTasksRow]
	err := r.each([]any{&t.ID, &t.Name}, func() {
		tasks = append(tasks, sortable[dbgen.WeekTasksRow]{t, strings.ToLower(t.Name)})
	})
	if err != nil {
		return err
	}
	slices.SortFunc(tasks, func(a, b sortable[dbgen.WeekTasksRow]) int {
		return cmp.Or(strings.Compare(a.lower, b.lower), cmp.Compare(a.row.ID, b.row.ID))
	})
	n.tasks = make(map[int64]taskName, len(tasks))
	for rank, t := range tasks {
		n.tasks[t.row.ID] = taskName{name: t.row.Name, rank: rank}
	}
	return nil
}

// rank is where a row stands: by client, then as the user has put it, then by
// project and task.
type rank struct{ client, position, name int }

func (a rank) compare(b rank) int {
	return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.position, b.position), cmp.Compare(a.name, b.name))
}

// rank returns the rank of a row. ok is false for one that was made after the
// names were read.
func (n names) rank(id planner.RowID) (r rank, ok bool) {
	project, projectKnown := n.projects[id.ProjectID]
	task, taskKnown := n.tasks[id.TaskID]
	position, put := n.positions[id]
	if !put {
		position = math.MaxInt
	}
	return rank{project.clientRank, position, project.rank*len(n.tasks) + task.rank}, projectKnown && taskKnown
}

// ranked is something with its place in the order of rows.
type ranked[T any] struct {
	what T
	rank rank
}

func sortRanked[T any](all []ranked[T]) {
	slices.SortFunc(all, func(a, b ranked[T]) int { return a.rank.compare(b.rank) })
}

// readAssignments gives the rows what their assignments say, and their names
// and order. all, if not nil, becomes what may be added to the week.
func (r *weekReader) readAssignments(n names, all *[]Assignment) error {
	var v dbgen.WeekAssignmentsRow
	var active []ranked[planner.RowID]
	assigned := make(map[planner.RowID]terms, len(r.rows))
	err := r.each([]any{&v.ProjectID, &v.TaskID, &v.Active, &v.Billable, &v.Rate}, func() {
		id := planner.RowID{ProjectID: v.ProjectID, TaskID: v.TaskID}
		assigned[id] = terms{rate: v.Rate, billable: v.Billable}
		if at, ok := r.rows[id]; ok {
			r.plan.Rows[at].Active, r.plan.Rows[at].Archived = v.Active, !v.Active
		}
		if v.Active && all != nil {
			if rank, ok := n.rank(id); ok {
				active = append(active, ranked[planner.RowID]{id, rank})
			}
		}
	})
	if err != nil {
		return err
	}
	r.price(n, assigned)
	r.nameRows(n)
	if all == nil {
		return nil
	}
	sortRanked(active)
	*all = make([]Assignment, len(active))
	for i, a := range active {
		project := n.projects[a.what.ProjectID]
		(*all)[i] = Assignment{ID: a.what, ClientID: project.clientID, Client: project.client, Project: project.name, Task: n.tasks[a.what.TaskID].name}
	}
	return nil
}

// nameRows names the rows and sorts them, without those that were made after
// the names were read.
func (r *weekReader) nameRows(n names) {
	rows := r.plan.Rows
	order := make([]ranked[int], len(rows))
	known := len(rows)
	for at := range rows {
		row := &rows[at]
		rank, ok := n.rank(row.ID)
		if !ok {
			rank.client = math.MaxInt
			known--
		}
		project := n.projects[row.ID.ProjectID]
		row.Client, row.ClientID = project.client, project.clientID
		row.Project, row.Task = project.name, n.tasks[row.ID.TaskID].name
		order[at] = ranked[int]{at, rank}
	}
	sortRanked(order)
	// In place, circle by circle: a second set of rows would be most of what a page allocates.
	for begin := range order {
		first := rows[begin]
		for to := begin; order[to].what != to; {
			from := order[to].what
			order[to].what = to
			if from == begin {
				rows[to] = first
				break
			}
			rows[to] = rows[from]
			to = from
		}
	}
	r.plan.Rows = rows[:known]
}

// lockWeek marks the days of the account's week, which an approval locks as a
// whole, days without entries included (harvest-api.md, section 8).
func lockWeek(plan *ledger.WeekPlan, approved planner.Week) {
	for i, day := range plan.Week.Days() {
		if approved.Contains(day) {
			plan.DayLocks[i] = "approved"
		}
	}
}

// lockedReason is never empty, because an empty one means "not locked".
func lockedReason(harvest string) string {
	if harvest == "" {
		return "locked"
	}
	return harvest
}

func setHead(plan *ledger.WeekPlan, h dbgen.WeekHeadRow) {
	plan.Version = h.Version
	plan.Profile = planner.Profile{
		WeekStart: time.Weekday(h.WeekStart), TimeZone: h.TimeZone, Clock: h.Clock,
		DurationFormat: planner.DurationFormat(h.DurationFormat), WeeklyCapacity: planner.Minutes(h.WeeklyCapacity), OwnCapacity: ownCapacity(h.Capacity),
	}
	plan.Finance.Goal, plan.Finance.BudgetsAt = goalOf(h.Goal, h.GoalCurrency, h.GoalEvery), deref(h.BudgetsAt)
	if h.ConnectionID != nil {
		plan.Connection = &ledger.Connection{
			ID: *h.ConnectionID, State: ledger.ConnectionState(h.ConnectionState), Held: h.Held, PulledAt: deref(h.PulledAt),
			Pause:   ledger.Pause{Until: instant(h.PausedUntil), Reason: h.PausedReason},
			Account: ledger.Account{BaseURI: h.BaseUri, TimestampTimers: h.TimestampTimers},
		}
	}
	if h.RunID != 0 {
		plan.Run = &ledger.RunStatus{
			ID: h.RunID, State: ledger.RunState(h.RunState), Phase: ledger.Phase(h.RunPhase),
			Page: int(h.RunPage), Pages: int(h.RunPages), Entries: int(h.RunEntries), NextTry: deref(h.RunNextTry),
			Reason: h.RunReason, Status: int(h.RunStatus), CreatedAt: h.RunCreated, FinishedAt: deref(h.RunFinished),
		}
	}
	plan.Writes = ledger.WriteCounts{
		Waiting: int(h.Waiting), Uncertain: int(h.Uncertain), NeedsYou: int(h.NeedsYou),
		NextTry: instant(h.NextTry), Reason: h.Reason, Status: int(h.Status),
	}
}

func pushedEntry(r *dbgen.WeekPushedRow, week planner.Week) *ledger.Pushed {
	p := &ledger.Pushed{
		ID: r.ID, PlannedMinutes: planner.Minutes(r.PlannedMinutes), PlannedNote: r.PlannedNote,
		Meant: planner.Hours(r.Hours), MeantNotes: r.Notes, RemoteID: r.RemoteID,
		AgreedHours: planner.Hours(r.AgreedHours), AgreedNotes: r.AgreedNotes, Gone: r.Gone, InFlight: r.InFlight,
	}
	if r.RemoteID != 0 && !r.Gone {
		p.RemoteHours, p.RemoteNotes = planner.Hours(r.RemoteHours), r.RemoteNotes
		p.RemoteStart = planner.TimeAt(planner.Minutes(r.RemoteStarted))
		p.Start = p.RemoteStart
		if r.RemoteProject != r.ProjectID || r.RemoteTask != r.TaskID || r.RemoteDay != r.Day {
			p.MovedTo = &planner.CellID{
				RowID: planner.RowID{ProjectID: r.RemoteProject, TaskID: r.RemoteTask}, Date: week.Start.AddDays(int(r.RemoteDay)),
			}
		}
	}
	if r.WriteID != 0 {
		p.Write = &ledger.LastWrite{
			ID: r.WriteID, Op: ledger.Op(r.Op), State: ledger.State(r.State), NextTry: instant(r.NotBefore),
			Reason: r.ErrorReason, Status: int(r.ErrorStatus), Message: r.ErrorMessage,
		}
		if start, err := planner.ParseTimeOfDay(r.Start); err == nil && !p.Write.State.Finished() {
			p.Start = start // where it will be
		}
	}
	return p
}

// Assignment is a row that the user may add: what can be logged in Harvest.
type Assignment struct {
	ID                    planner.RowID
	ClientID              int64
	Client, Project, Task string
}

// CellsAt returns the planned time of the cells of a week that have changed
// since a version, as it stood at that version. Cells that are not in it have
// not changed since.
func (tx *Tx) CellsAt(ctx context.Context, userID int64, week planner.Week, version int64) (map[planner.CellID]planner.Minutes, error) {
	rows, err := tx.q.CellsAt(ctx, dbgen.CellsAtParams{UserID: userID, FirstDay: week.Start, LastDay: week.End(), Version: version})
	if err != nil {
		return nil, fmt.Errorf("week %s of user %d at version %d: %w", week, userID, version, err)
	}
	at := make(map[planner.CellID]planner.Minutes, len(rows))
	for _, r := range rows {
		at[planner.CellID{RowID: planner.RowID{ProjectID: r.ProjectID, TaskID: r.TaskID}, Date: r.Date}] = planner.Minutes(r.MinutesBefore)
	}
	return at, nil
}

// CellEntry is a time entry of Harvest's in one cell.
type CellEntry struct {
	ID    int64 // Harvest's
	Hours planner.Hours
	Notes string
	Ours  bool
	Free  bool // not ours, not locked, and its timer does not run
}

// CellEntries returns what Harvest has on a cell, oldest first.
func (s *Store) CellEntries(ctx context.Context, userID int64, cell planner.CellID) ([]CellEntry, error) {
	rows, err := s.q.CellEntries(ctx, dbgen.CellEntriesParams{UserID: userID, ProjectID: cell.ProjectID, TaskID: cell.TaskID, Date: cell.Date})
	if err != nil {
		return nil, fmt.Errorf("entries of cell %v of user %d: %w", cell, userID, err)
	}
	entries := make([]CellEntry, len(rows))
	for i, r := range rows {
		entries[i] = CellEntry{ID: r.HarvestID, Hours: planner.Hours(r.Hours), Notes: r.Notes, Ours: r.Ours, Free: r.Free}
	}
	return entries, nil
}

func one[T any](results pgx.BatchResults) (T, error) {
	rows, err := results.Query()
	if err != nil {
		var zero T
		return zero, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
}

// deref gives the zero time for an absent one.
func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// instant reads the epoch, which the queries use for "none", as the zero time.
func instant(t time.Time) time.Time {
	if t.Unix() == 0 {
		return time.Time{}
	}
	return t
}
