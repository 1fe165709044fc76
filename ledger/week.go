package ledger

import (
	"time"

	"furrow/planner"
)

// Connection is what the pages know of a user's access to Harvest. It never
// holds the credentials.
type Connection struct {
	ID          int64
	State       ConnectionState
	Account     Account
	ConnectedAt time.Time
	PulledAt    time.Time // end of the last good pull; zero if none

	// When what changes rarely was read; zero if it never was.
	AccountAt     time.Time
	AssignmentsAt time.Time
	BudgetsAt     time.Time
	// Held: the store may have forgotten what was sent, so nothing is until a sync has shown what Harvest has.
	Held          bool
	Pause         Pause
	BudgetsHidden bool // Harvest does not show budgets to this user; those stored are as of BudgetsAt

	Unfinished int // writes that have not reached a final state
}

// Pause is an operator's: nothing is exchanged with Harvest for the connection
// until it is over. The zero value is none.
type Pause struct {
	Until  time.Time
	Reason string // in the operator's words
}

// ConnectionState says whether Harvest can be called for a connection.
type ConnectionState string

// The states of a connection.
const (
	Connected    ConnectionState = "ok"
	NeedsReauth  ConnectionState = "needs_reauth" // Harvest refused the credentials
	Disconnected ConnectionState = "disconnected" // by its owner
)

// WeekPlan is everything a week's page shows, of one user.
type WeekPlan struct {
	Week       planner.Week
	Profile    planner.Profile
	Connection *Connection // nil: never connected
	Version    int64       // newest plan event of the user in this week

	Undo     int64              // the change of this week that an undo takes back; 0: none
	UndoKind planner.ChangeKind // what that was
	Redo     int64              // the undo that a redo takes back; 0: none

	Rows []Row // by client, project and task name
	// DayLocks says for each day why Harvest takes no entries on it; empty if it does.
	DayLocks [planner.DaysInWeek]string
	Off      []planner.DayOff // by date
	Finance  Finance
	Spans    []Span      // when Harvest's entries of the week are, as far as they have a start
	Run      *RunStatus  // latest sync run; nil: none yet
	Writes   WriteCounts // of the user, over all weeks
	Before   WeekBefore  // only read for the page of the week
}

// WeekBefore is what the page of a week tells of the one before it.
type WeekBefore struct {
	HasRows    bool
	Unfinished planner.Minutes // what could be carried over; 0 if nobody wants to hear of it
}

// Cell returns a cell of the week; the zero Cell if its row is not shown.
func (p WeekPlan) Cell(id planner.CellID) Cell {
	for i := range p.Rows {
		if p.Rows[i].ID == id.RowID && p.Week.Contains(id.Date) {
			return p.Rows[i].Cells[id.Date-p.Week.Start]
		}
	}
	return Cell{}
}

// Capacity returns what fits into a day of the week: nothing on a day off.
func (p *WeekPlan) Capacity(day planner.Date) planner.Minutes {
	if _, off := p.DayOff(day); off {
		return 0
	}
	return p.Profile.Capacity(day)
}

// DayOff returns the name of a day off, which may be empty; ok is false if the
// day is none.
func (p *WeekPlan) DayOff(day planner.Date) (name string, ok bool) {
	for _, off := range p.Off {
		if off.Date == day {
			return off.Name, true
		}
	}
	return "", false
}

// WriteCounts are a user's unfinished business with Harvest.
type WriteCounts struct {
	Waiting   int       // queued, being sent, or to be tried again
	Uncertain int       // being looked up
	NeedsYou  int       // refused, changed meanwhile, or waiting for a reconnection
	NextTry   time.Time // earliest of the waiting ones; zero if none waits for a time
	Reason    string    // of the latest failure among the unfinished ones
	Status    int       // its HTTP status, if it had one
}

// Row is a client's project and task in a week.
type Row struct {
	ID       planner.RowID
	Client   string
	ClientID int64
	Project  string
	Task     string
	Rate     planner.Rate // the user's own, or else Harvest's
	Billable bool
	Active   bool // time may be logged on it in Harvest
	Archived bool // it was once, and may not be any more
	Kept     bool // put into this week by the user
	Cells    [planner.DaysInWeek]Cell
}

// Planned returns the row's planned time.
func (r Row) Planned() planner.Minutes {
	var sum planner.Minutes
	for _, c := range r.Cells {
		sum += c.Planned
	}
	return sum
}

// Tracked returns the row's tracked time.
func (r Row) Tracked() planner.Hours {
	var sum planner.Hours
	for _, c := range r.Cells {
		sum += c.Tracked()
	}
	return sum
}

// Cell is a row on a date: what is planned, and what is known of Harvest.
type Cell struct {
	Planned planner.Minutes
	Note    string
	Version int64 // plan event that wrote it; 0 if there is none

	Others      planner.Hours // tracked by entries that do not say what is planned: not ours, of timers, or moved here in Harvest
	OthersCount int
	Running     bool
	Billed      planner.Hours // of what is tracked, on entries that are billable
	Locked      string        // Harvest's reason why entries of this cell are locked; empty if they are not

	Ours  *Pushed // nil: nothing of ours was ever pushed
	Timer *Timer  // nil: none runs, is to run, or was refused
}

// Plan is what is planned.
func (c Cell) Plan() planner.Cell { return planner.Cell{Planned: c.Planned, Note: c.Note} }

// Tracked returns what Harvest has on the row and date, ours and others'.
func (c Cell) Tracked() planner.Hours {
	if c.Ours != nil && c.Ours.MovedTo == nil {
		return c.Others + c.Ours.RemoteHours
	}
	return c.Others
}

// Pushed is the entry of ours that belongs to a cell.
type Pushed struct {
	ID             string          // UUID
	PlannedMinutes planner.Minutes // the plan that was last pushed
	PlannedNote    string
	Meant          planner.Hours // what we want Harvest to have
	MeantNotes     string
	RemoteID       int64         // 0: not known to be in Harvest
	AgreedHours    planner.Hours // 0: never agreed on
	AgreedNotes    string
	RemoteHours    planner.Hours // as mirrored; 0 if gone
	RemoteNotes    string
	RemoteStart    planner.TimeOfDay // as mirrored; none if it has no start
	Start          planner.TimeOfDay // when it will start as soon as its write is through; as mirrored if there is none
	Gone           bool              // it was in Harvest, and is not any more
	MovedTo        *planner.CellID   // where somebody put it in Harvest; nil: it is where we put it
	InFlight       bool              // a write of it was sent, and it is not known what came of it
	Write          *LastWrite
}

// ChangedInHarvest reports whether somebody changed the entry after we last
// agreed on it.
func (p Pushed) ChangedInHarvest() bool {
	return p.RemoteID != 0 && !p.Gone && (p.RemoteHours != p.AgreedHours || p.RemoteNotes != p.AgreedNotes || p.MovedTo != nil)
}

// LastWrite is the latest write of an entry of ours.
type LastWrite struct {
	ID      int64
	Op      Op
	State   State
	NextTry time.Time
	Reason  string // Reason or WaitReason of the latest failure
	Status  int
	Message string // Harvest's own words
}

// Mark is where a cell stands between here and Harvest.
type Mark string

// The marks. MarkBlank is a cell with neither plan nor history.
const (
	MarkBlank     Mark = ""
	MarkPlanned   Mark = "planned"    // only here
	MarkWaiting   Mark = "waiting"    // queued for Harvest
	MarkInHarvest Mark = "in_harvest" // confirmed, and still so; or tracked there by others
	MarkUncertain Mark = "uncertain"  // sent, no answer; being looked up
	MarkNeedsYou  Mark = "needs_you"  // refused; a person must act
	MarkChanged   Mark = "changed"    // changed or deleted in Harvest
	MarkLocked    Mark = "locked"     // Harvest takes no changes
)

// Mark tells where the cell stands. The most pressing state wins: what is
// under way or refused, then what differs, then what agrees.
func (c Cell) Mark() Mark {
	if c.Ours != nil && c.Ours.Write != nil {
		switch w := c.Ours.Write; w.State {
		case Pending, Sending, Retry:
			return MarkWaiting
		case Uncertain:
			return MarkUncertain
		case Rejected, Blocked:
			return MarkNeedsYou
		case Conflict:
			return MarkChanged
		}
	}
	switch {
	case c.Ours != nil && c.Ours.Gone && c.Planned == 0 && c.Note == "":
		return MarkBlank // deleted there and cleared here
	case c.Ours != nil && (c.Ours.Gone || c.Ours.ChangedInHarvest()):
		return MarkChanged
	case c.Locked != "" && c.Planned > 0:
		return MarkLocked
	case c.Ours != nil && c.Ours.RemoteID != 0 && (c.asPushed() || c.saysPlan()):
		return MarkInHarvest
	case (c.Ours == nil || c.Ours.RemoteID == 0) && c.Planned > 0 && c.missing() == 0:
		return MarkInHarvest // tracked there, by entries that are not ours
	case c.Planned > 0 || c.Note != "":
		return MarkPlanned
	case c.Ours != nil && c.Ours.RemoteID != 0:
		return MarkPlanned // cleared here, still in Harvest
	default:
		return MarkBlank
	}
}

// Differs reports whether somebody changed or deleted the entry of ours in
// Harvest, so that a person must choose which is right.
func (c Cell) Differs() bool {
	return c.Ours != nil && (c.Ours.Gone || c.Ours.ChangedInHarvest() || c.Ours.Write != nil && c.Ours.Write.State == Conflict)
}

// InStep reports whether the plan is what Harvest has, and nothing of it waits,
// is in doubt or was refused.
func (c Cell) InStep() bool {
	if !c.asTracked() || c.Differs() {
		return false
	}
	if c.Ours == nil {
		return true
	}
	if w := c.Ours.Write; w != nil && (!w.State.Finished() || w.State == Rejected) {
		return false
	}
	return c.Ours.RemoteID == 0 || c.asPushed() || c.Note == c.Ours.RemoteNotes
}

// Taken returns what the plan becomes when Harvest's side is taken: what is
// tracked there, with the note of the entry of ours if it is there.
func (c Cell) Taken() (planned planner.Minutes, note string) {
	planned = min(c.Tracked().Minutes(), planner.MaxCell)
	switch {
	case c.Ours != nil && c.Ours.RemoteID != 0 && !c.Ours.Gone && c.Ours.MovedTo == nil:
		return planned, c.Ours.RemoteNotes
	case planned == 0:
		return 0, ""
	default:
		return planned, c.Note
	}
}

// asTracked reports whether the planned time is the tracked time. Each entry may
// be off by half a hundredth of an hour, and a plan has no more than a day.
func (c Cell) asTracked() bool {
	if planned, _ := c.Taken(); c.Planned == planned {
		return true
	}
	rest := c.Planned.Hours() - c.Tracked()
	return c.OthersCount > 0 && max(rest, -rest) <= planner.Hours((c.OthersCount+1)/2)
}

// Adopts reports whether an entry on the cell may become ours: there is none of
// ours in Harvest or on its way there.
func (c Cell) Adopts() bool {
	return c.Ours == nil || c.Settled() && !c.Ours.InFlight && (c.Ours.RemoteID == 0 || c.Ours.Gone)
}

// adopting reports whether the entry is about to become ours. Until then it
// counts as somebody else's, so nothing can be said about what is missing.
func (c Cell) adopting() bool {
	return c.Ours != nil && c.Ours.Write != nil && c.Ours.Write.Op == OpAdopt && !c.Ours.Write.State.Finished()
}

// Settled reports whether the last write of the cell has ended, so that a new
// one may be made.
func (c Cell) Settled() bool {
	return c.Ours == nil || c.Ours.Write == nil || c.Ours.Write.State.Finished()
}

// RunStatus is a sync run as people see it.
type RunStatus struct {
	ID         int64
	State      RunState
	Phase      Phase
	Page       int
	Pages      int // 0: Harvest does not say
	Entries    int
	NextTry    time.Time
	Reason     string
	Status     int
	CreatedAt  time.Time
	FinishedAt time.Time
}

// RunState is where a sync run stands.
type RunState string

// The states of a sync run.
const (
	RunQueued  RunState = "queued"
	RunRunning RunState = "running"
	RunWaiting RunState = "waiting" // for its next try
	RunDone    RunState = "done"
	RunFailed  RunState = "failed"
)

// Live reports whether the run is not over.
func (s RunState) Live() bool { return s == RunQueued || s == RunRunning || s == RunWaiting }
