package handlers

import (
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// weekHandler answers for the page of a week: the grid, its cells and rows, the
// sync and its status, and the push.
type weekHandler struct {
	*site
	store *db.Store
	queue *jobs.Queue
}

// thisWeek leads to the current week in the user's zone.
func (h *weekHandler) thisWeek(w http.ResponseWriter, r *http.Request) error {
	return h.redirect(w, r, views.WeekPath(h.currentWeek(currentUser(r))))
}

func (h *weekHandler) currentWeek(user db.User) planner.Week {
	return planner.WeekOf(user.Profile.Today(h.now()), user.Profile.WeekStart)
}

// pathWeek reads the week of the address. A date that no week of the user
// begins with gives the week that holds it, and exact is false.
func pathWeek(r *http.Request, user db.User) (week planner.Week, exact bool, err error) {
	date, err := planner.ParseDate(r.PathValue("week"))
	if err != nil {
		return planner.Week{}, false, fmt.Errorf("week in the path: %w", planner.ErrNotFound)
	}
	week = planner.WeekOf(date, user.Profile.WeekStart)
	return week, week.Start == date, nil
}

// exactWeek is pathWeek for forms, which are only ever sent to a week's first day.
func exactWeek(r *http.Request, user db.User) (planner.Week, error) {
	week, exact, err := pathWeek(r, user)
	if err == nil && !exact {
		err = fmt.Errorf("week in the path: %w", planner.ErrNotFound)
	}
	return week, err
}

// weekForm reads what every form about a week comes with.
func weekForm(r *http.Request) (user db.User, week planner.Week, f form, err error) {
	user = currentUser(r)
	week, err = exactWeek(r, user)
	if err == nil {
		f, err = readForm(r)
	}
	return user, week, f, err
}

// weekMutation is [weekForm] for forms that are stored once, however often they are
// sent, with the id under which that is ([mutationID]).
func weekMutation(r *http.Request) (user db.User, week planner.Week, f form, mutation string, err error) {
	if user, week, f, err = weekForm(r); err == nil {
		mutation, err = mutationID(f)
	}
	return user, week, f, mutation, err
}

func (h *weekHandler) show(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	week, exact, err := pathWeek(r, user)
	if err != nil {
		return err
	}
	if !exact {
		return h.redirect(w, r, views.WeekPath(week))
	}
	page, err := h.page(r, week, views.Fields{})
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// page builds the page of a week from one reading of the database.
func (h *weekHandler) page(r *http.Request, week planner.Week, addRow views.Fields) (views.WeekPage, error) {
	user := currentUser(r)
	plan, assignments, err := h.store.WeekPage(r.Context(), user.ID, week)
	if err != nil {
		return views.WeekPage{}, err
	}
	return h.weekPage(r, h.builder(user, plan), assignments, addRow), nil
}

func (h *weekHandler) weekPage(r *http.Request, b *weekBuilder, assignments []db.Assignment, addRow views.Fields) views.WeekPage {
	plan, week := b.plan, b.plan.Week
	b.choosable = len(assignments) > 0
	page := views.WeekPage{
		Chrome:     h.chrome(r, "Week of "+week.Start.Format("2 January 2006"), views.NavWeek),
		Week:       week,
		IsThisWeek: week.Contains(b.today),
		Grid:       b.grid(),
		Status:     b.status(),
		AddRow:     addRowForm(plan, assignments, addRow),
		Fill:       b.fillMenu(),
		MutationID: rand.Text(),
	}
	if len(plan.Rows) == 0 && (plan.Connection == nil || plan.Connection.State == ledger.Connected) {
		connected := plan.Connection != nil
		if !connected || (plan.Run != nil && !plan.Run.State.Live()) {
			page.Begin = &views.Begin{Connected: connected, Sandbox: h.sandbox != nil, Admin: currentUser(r).Role.May(db.RoleAdmin)}
		}
	}
	return page
}

func addRowForm(plan ledger.WeekPlan, assignments []db.Assignment, fields views.Fields) views.AddRow {
	shown := make(map[planner.RowID]bool, len(plan.Rows))
	for i := range plan.Rows {
		shown[plan.Rows[i].ID] = true
	}
	absent := slices.DeleteFunc(slices.Clone(assignments), func(a db.Assignment) bool { return shown[a.ID] })
	return views.AddRow{Week: plan.Week, Fields: fields, Clients: byClient(absent, optionKey)}
}

// byClient puts assignments that stand beside each other under their client.
func byClient(assignments []db.Assignment, key func(planner.RowID) string) []views.ClientAssignments {
	var clients []views.ClientAssignments
	for _, a := range assignments {
		last := len(clients) - 1
		if last < 0 || clients[last].Name != a.Client {
			clients = append(clients, views.ClientAssignments{Name: a.Client})
			last++
		}
		clients[last].Assignments = append(clients[last].Assignments, views.AssignmentOption{Value: key(a.ID), Project: a.Project, Task: a.Task})
	}
	return clients
}

// weekBuilder turns a plan into what the views draw.
type weekBuilder struct {
	plan  ledger.WeekPlan
	now   time.Time
	zone  *time.Location
	today planner.Date
	// choosable: there are assignments to choose new rows from.
	choosable bool
	// typed are the inputs that were not stored, by cell.
	typed map[planner.CellID]refusedCell
	// print is the fingerprint, once it was asked for.
	print string
}

func (h *weekHandler) builder(user db.User, plan ledger.WeekPlan) *weekBuilder {
	b := &weekBuilder{plan: plan, now: h.now(), zone: user.Profile.Location()}
	b.today = planner.DateOf(b.now.In(b.zone))
	return b
}

func (b *weekBuilder) moment(t time.Time) views.Moment {
	return views.MomentAt(t, b.now, b.zone, b.plan.Profile.Clock)
}

func (b *weekBuilder) grid() views.WeekGrid {
	p := &b.plan
	g := views.WeekGrid{Week: p.Week, Format: p.Profile.DurationFormat, Version: p.Version, Undo: b.undoBar()}
	for i, date := range p.Week.Days() {
		g.Days[i] = views.Day{Date: date, Today: date == b.today, Capacity: p.Capacity(date), Locked: lockSentence(p.DayLocks[i])}
		g.Days[i].OffFor, g.Days[i].Off = p.DayOff(date)
		g.Capacity += g.Days[i].Capacity
	}
	g.Differ = p.CountDifferences(b.today)
	for i, n := range b.sendable() {
		g.Days[i].Sendable = n
		g.Sendable += n
	}
	rows := make([]views.Row, len(p.Rows)) // those of a client follow each other, so clients share it
	begin := 0
	for i := range p.Rows {
		rows[i] = b.row(&p.Rows[i])
		row := &rows[i]
		last := len(g.Clients) - 1
		if key := clientKey(p.Rows[i].ClientID); last < 0 || g.Clients[last].Key != key {
			g.Clients = append(g.Clients, views.ClientRows{Key: key, Name: row.Client, Hue: row.Hue})
			last++
			begin = i
		}
		client := &g.Clients[last]
		client.Rows = rows[begin : i+1 : i+1]
		client.Planned += row.Planned
		client.Tracked += row.Tracked
		for d := range row.Cells {
			g.Days[d].Planned += row.Cells[d].Planned
			g.Days[d].Tracked += row.Cells[d].Tracked
		}
		g.Planned += row.Planned
		g.Tracked += row.Tracked
	}
	budgets := p.BudgetForecasts(b.today)
	g.Money = b.money(budgets)
	b.markBudgets(&g, budgets)
	return g
}

// sendable counts by day what a push would send as it is proposed.
func (b *weekBuilder) sendable() (days [planner.DaysInWeek]int) {
	if b.plan.Connection == nil {
		return days
	}
	for _, line := range b.plan.PushLines(nil, b.today) {
		if line.Sendable() && line.Ticked {
			days[line.Cell.Date-b.plan.Week.Start]++
		}
	}
	return days
}

func clientKey(id int64) string { return strconv.FormatInt(id, 10) }

// hue spreads clients over the palette; ids are given in sequence, so the first
// twelve clients of a user differ.
func hue(clientID int64) int { return int(clientID % 12) }

// rowKey names a row in addresses and fields.
func rowKey(id planner.RowID) string {
	return strconv.FormatInt(id.ProjectID, 10) + "-" + strconv.FormatInt(id.TaskID, 10)
}

// parseRowKey reads what rowKey wrote, or the value of an assignment's option,
// which is separated by a colon.
func parseRowKey(key, separator string) (planner.RowID, error) {
	project, task, _ := strings.Cut(key, separator)
	projectID, err1 := strconv.ParseInt(project, 10, 64)
	taskID, err2 := strconv.ParseInt(task, 10, 64)
	if err1 != nil || err2 != nil {
		return planner.RowID{}, fmt.Errorf("row %q: %w", key, planner.ErrNotFound)
	}
	return planner.RowID{ProjectID: projectID, TaskID: taskID}, nil
}

func (b *weekBuilder) row(r *ledger.Row) views.Row {
	row := views.Row{
		Key: rowKey(r.ID), ProjectID: r.ID.ProjectID, Client: r.Client, Project: r.Project, Task: r.Task, Hue: hue(r.ClientID),
		Planned: r.Planned(), Tracked: r.Tracked(),
	}
	empty := true
	for i := range r.Cells {
		row.Cells[i] = b.cell(r, i)
		if t := r.Cells[i].Timer; t != nil {
			row.Tracked += t.Since(b.now).Hours()
		}
		empty = empty && row.Cells[i].State == views.CellBlank && row.Cells[i].Tracked == 0
	}
	row.NotPlanned = row.Planned == 0 && row.Tracked > 0 && !r.Kept
	row.Removable = r.Kept && empty
	return row
}

func (b *weekBuilder) cell(r *ledger.Row, day int) views.Cell {
	c := &r.Cells[day]
	cell := views.Cell{Planned: c.Planned, Tracked: c.Tracked(), Note: c.Note, Running: c.Running}
	cell.State, cell.Why, cell.When = b.state(c)
	cell.Timer = b.cellTimer(r, day)
	if t := c.Timer; t != nil {
		cell.Tracked += t.Since(b.now).Hours()
		if t.Refusal() != nil && cell.State != views.CellNeedsYou {
			cell.State, cell.Why, cell.When = views.CellNeedsYou, cell.Timer.Why, views.Moment{}
			cell.Timer.Why = ""
		}
	}
	if len(b.typed) > 0 {
		if t, ok := b.typed[planner.CellID{RowID: r.ID, Date: b.plan.Week.Day(day)}]; ok {
			cell.Typed, cell.Error, cell.Choices = t.typed, t.sentence, t.choices
		}
	}
	return cell
}

// state tells where a cell stands, why, and when something happens next.
func (b *weekBuilder) state(c *ledger.Cell) (state views.CellState, why string, when views.Moment) {
	write := &ledger.LastWrite{}
	if c.Ours != nil && c.Ours.Write != nil {
		write = c.Ours.Write
	}
	said := func() string {
		if sentence := b.stopped(write.State); sentence != "" {
			return sentence
		}
		return writeSentence(write.State, write.Reason, write.Status, write.Message, b.nextTry(write.NextTry))
	}
	switch c.Mark() {
	case ledger.MarkPlanned:
		return views.CellPlanned, "", when
	case ledger.MarkWaiting:
		return views.CellWaiting, said(), b.nextTry(write.NextTry)
	case ledger.MarkInHarvest:
		return views.CellInHarvest, keptDifferently(c), when
	case ledger.MarkUncertain:
		return views.CellUncertain, said(), b.nextTry(write.NextTry)
	case ledger.MarkNeedsYou:
		return views.CellNeedsYou, said(), when
	case ledger.MarkChanged:
		return views.CellChanged, b.changed(c), when
	case ledger.MarkLocked:
		return views.CellLocked, lockSentence(c.Locked), when
	default:
		return views.CellBlank, "", when
	}
}

// nextTry is when a waiting write is tried, if that is still to come.
func (b *weekBuilder) nextTry(t time.Time) views.Moment {
	if !t.After(b.now) {
		return views.Moment{}
	}
	return b.moment(t)
}

// changed tells what was changed in Harvest. The cell's page shows both sides,
// and lets the user choose.
func (b *weekBuilder) changed(c *ledger.Cell) string {
	const choose = " Open it to choose."
	o := c.Ours
	there := b.hours(o.RemoteHours)
	switch {
	case o.Gone || o.RemoteID == 0:
		return "It was deleted in Harvest. It is not sent again unless you say so." + choose
	case o.MovedTo != nil:
		return "It was moved in Harvest, and is on " + shortDay(o.MovedTo.Date) + " now." + choose
	case o.AgreedHours == 0:
		return "Harvest has " + there + ", sent from here at a time that Furrow's database does not go up to." + choose
	case o.RemoteHours == o.AgreedHours:
		return "Its note was changed in Harvest." + choose
	default:
		return "Harvest has " + there + ", sent from here was " + b.hours(o.AgreedHours) + "." + choose
	}
}

// keptDifferently says so where Harvest keeps another value than was planned.
func keptDifferently(c *ledger.Cell) string {
	if tracked := c.Tracked(); tracked.Minutes() == c.Planned || c.Others > 0 {
		return ""
	}
	return "Harvest keeps hundredths of an hour: " + c.Tracked().Decimal() + " h."
}

// status tells how Furrow stands with Harvest, and whether to ask again.
func (b *weekBuilder) status() views.SyncStatus {
	p := &b.plan
	s := views.SyncStatus{
		Week: p.Week, Waiting: p.Writes.Waiting, Unsure: p.Writes.Uncertain, NeedsYou: p.Writes.NeedsYou,
	}
	var connection ledger.ConnectionState
	if p.Connection != nil {
		connection = p.Connection.State
		s.At = b.moment(p.Connection.PulledAt)
	}
	s.Phase = syncPhase(connection, p.Run, b.held())
	if s.Phase == views.SyncRunning {
		s.Page, s.Pages, s.Entries = p.Run.Page, p.Run.Pages, p.Run.Entries
	}
	s.Sentence = b.sentence()
	live := p.Run != nil && p.Run.State.Live()
	busy := live || b.held() || s.Waiting+s.Unsure > 0
	if b.paused() {
		s.Phase, busy = views.SyncOperator, false
	}
	if connection == ledger.Connected && (busy || b.paused() || b.timerRuns()) {
		s.Poll, s.Slow = views.SyncStatusURL(p.Week, b.fingerprint()), !busy
	}
	return s
}

// timerRuns reports whether a timer runs on a cell of the week, so that what it
// has come to changes by itself.
func (b *weekBuilder) timerRuns() bool {
	for i := range b.plan.Rows {
		for d := range b.plan.Rows[i].Cells {
			if t := b.plan.Rows[i].Cells[d].Timer; t != nil && t.Running {
				return true
			}
		}
	}
	return false
}

// held reports whether nothing is sent, although the connection works, before a
// sync has shown what Harvest has.
func (b *weekBuilder) held() bool {
	c := b.plan.Connection
	return c != nil && c.State == ledger.Connected && c.Held
}

// paused reports whether an operator keeps a connection that works from being
// used.
func (b *weekBuilder) paused() bool {
	c := b.plan.Connection
	return c != nil && c.State == ledger.Connected && !c.Pause.Until.IsZero()
}

// stopped tells of a write that waits because nothing is sent; empty if that is
// not so.
func (b *weekBuilder) stopped(state ledger.State) string {
	c := b.plan.Connection
	if c == nil || c.State != ledger.Connected {
		return ""
	}
	return stoppedSentence(state, c.Pause, c.Held, b.moment)
}

// sentence tells how the exchange with Harvest stands, if there is anything to
// say.
func (b *weekBuilder) sentence() string {
	p := &b.plan
	if p.Connection == nil {
		return ""
	}
	counts := p.Writes
	if b.paused() {
		return sentences(pausedSentence(p.Connection.Pause, b.moment), "What you push is kept, and is sent by itself after that.", changesSafe(counts.Waiting+counts.Uncertain))
	}
	if !b.held() {
		return syncSentence(p.Run, counts, p.Connection.State, b.nextTry)
	}
	counts.NextTry = time.Time{} // the sync is what is tried next
	said := syncSentence(p.Run, counts, p.Connection.State, b.nextTry)
	if said == "" {
		said = changesSafe(counts.Waiting + counts.Uncertain)
	}
	return sentences(wentBack, said)
}

// syncPhase is the phase of the latest run. A connection that is held is about
// to have a run, whatever the one before it came to.
func syncPhase(connection ledger.ConnectionState, run *ledger.RunStatus, held bool) views.SyncPhase {
	switch {
	case connection == ledger.NeedsReauth:
		return views.SyncPaused
	case connection != ledger.Connected:
		return views.SyncNone
	case held && (run == nil || run.State == ledger.RunDone):
		return views.SyncQueued
	case run == nil:
		return views.SyncNever
	}
	switch run.State {
	case ledger.RunQueued:
		return views.SyncQueued
	case ledger.RunRunning, ledger.RunWaiting:
		return views.SyncRunning
	case ledger.RunFailed:
		return views.SyncFailed
	default:
		return views.SyncDone
	}
}

// fingerprint names what the grid shows, so that a poll only moves a grid that
// differs. Progress and counts, which are the status itself, are left out. It
// begins with choosableMark if the page lets the user choose new rows.
func (b *weekBuilder) fingerprint() string {
	if b.print != "" {
		return b.print
	}
	hash := fnv.New64a()
	p := &b.plan
	fmt.Fprintln(hash, p.Version, p.DayLocks, p.Undo, p.Redo, p.Off)
	week, month := p.Figures()
	fmt.Fprintln(hash, week, month, p.Finance.BudgetsAt)
	for _, f := range p.BudgetForecasts(b.today) {
		fmt.Fprintln(hash, f.Forecast)
	}
	for i := range p.Rows {
		r := &p.Rows[i]
		fmt.Fprintln(hash, r.ID, r.Kept, r.Active)
		for d := range r.Cells {
			c := &r.Cells[d]
			fmt.Fprint(hash, c.Planned, c.Others, c.Locked, c.Running, c.Note, '|')
			if t := c.Timer; t != nil {
				fmt.Fprint(hash, t.State(), t.Elapsed(b.now), t.Refusal() != nil)
			}
			if c.Ours != nil {
				state, why, when := b.state(c)
				fmt.Fprint(hash, c.Ours.RemoteHours, state, why, when.ISO)
			}
		}
	}
	mark := ""
	if b.choosable {
		mark = choosableMark
	}
	b.print = mark + strconv.FormatUint(hash.Sum64(), 36)
	return b.print
}

// choosableMark is no digit of base 36.
const choosableMark = "."

// refusedCell is an input that was not stored, and why.
type refusedCell struct {
	typed    string
	sentence string
	choices  []views.Choice
}
