package views

import (
	"net/url"
	"strconv"
	"strings"

	"furrow/planner"
)

// Addresses without parameters. Pages are GET; the rest is said beside them.
const (
	HomePath           = "/"
	SetupPath          = "/setup"        // GET, POST
	LoginPath          = "/login"        // GET, POST
	ForgotPath         = "/login/forgot" // GET, POST
	LogoutPath         = "/logout"       // POST
	LoginCodePath      = "/login/code"   // GET, POST
	ConfirmPath        = "/confirm"      // GET, POST
	ThisWeekPath       = "/week"         // GET, redirects to the current week
	PalettePath        = "/palette"      // GET, of the current week
	SyncStatusPath     = "/sync/status"  // GET, partial
	LedgerPath         = "/ledger"
	LedgerLivePath     = "/ledger/live"                   // GET, partial
	LedgerCSVPath      = "/ledger.csv"                    // GET, a file
	TemplatesPath      = "/templates"                     // GET, POST
	RecurringPath      = "/recurring"                     // GET, POST
	SettingsPath       = "/settings"                      // GET, POST
	ThemePath          = "/settings/theme"                // POST
	CapacityPath       = "/settings/week"                 // GET, POST
	TimeOffPath        = "/settings/week/off"             // POST
	WorkAgainPath      = "/settings/week/off/remove"      // POST
	RatesPath          = "/settings/rates"                // GET, POST
	GoalPath           = "/settings/rates/goal"           // POST
	PasswordPath       = "/settings/password"             // POST
	SecondFactorPath   = "/settings/second-factor"        // GET, POST, which puts it in force
	BeginFactorPath    = "/settings/second-factor/begin"  // POST
	RecoveryCodesPath  = "/settings/second-factor/codes"  // POST
	RemoveFactorPath   = "/settings/second-factor/remove" // POST
	SessionsPath       = "/settings/sessions"
	RevokeSessionsPath = "/settings/sessions/revoke"    // POST, all but this one
	TokensPath         = "/settings/tokens"             // POST
	DeleteAccountPath  = "/settings/delete"             // GET, POST
	ExportPath         = "/settings/export"             // GET, POST, which gives a file
	HarvestPath        = "/settings/harvest"            // GET, POST
	DisconnectPath     = "/settings/harvest/disconnect" // POST
	OAuthPath          = "/settings/harvest/oauth"      // POST, leads to Harvest
	OAuthCallbackPath  = "/settings/harvest/callback"   // GET, where Harvest leads back to
	OAuthAccountPath   = "/settings/harvest/account"    // GET, POST
	AdminPath          = "/admin"
	AdminWritesPath    = "/admin/writes"
	AdminJobsPath      = "/admin/jobs"
	AdminConnsPath     = "/admin/connections"
	AdminLimitsPath    = "/admin/limits"
	AdminAlertsPath    = "/admin/alerts"
	AdminQueuesPath    = "/admin/queues"
	AdminSchedulesPath = "/admin/schedules"
	AdminAuditPath     = "/admin/audit"
	AdminAuditCSVPath  = "/admin/audit.csv" // GET, a file
	AdminUsersPath     = "/admin/users"
	InvitePath         = "/admin/users/invite" // GET, POST
	SandboxOutagePath  = "/sandbox/outage"     // POST
)

// WeekPath is the page of a week.
func WeekPath(week planner.Week) string { return "/weeks/" + week.String() }

// DayPath is the page of a week, scrolled to one of its days on a phone.
func DayPath(week planner.Week, day planner.Date) string {
	return WeekPath(week) + "#d" + strconv.Itoa(int(day-week.Start))
}

// WeekCellsPath takes what was typed in the grid (POST).
func WeekCellsPath(week planner.Week) string { return WeekPath(week) + "/cells" }

// CellPath is the page and the form of one cell (GET, POST). day counts from
// the first day of the week, 0 to 6.
func CellPath(week planner.Week, rowKey string, day int) string {
	return WeekPath(week) + "/cells/" + url.PathEscape(rowKey) + "/" + strconv.Itoa(day)
}

// CellChoicePath takes an answer to how a cell differs from Harvest, an entry to
// adopt, or an earlier plan to put back (POST).
func CellChoicePath(week planner.Week, rowKey string, day int) string {
	return CellPath(week, rowKey, day) + "/choose"
}

// CellKey names a cell of a week in addresses and fields.
func CellKey(rowKey string, day int) string { return rowKey + "." + strconv.Itoa(day) }

// ReconcileURL is the page that steps through the cells of a week that differ
// from Harvest, at one of them ([CellKey]); at the first if cell is empty, and
// past the last if it is [ReconcileEnd].
func ReconcileURL(week planner.Week, cell string) string {
	return withQuery(WeekPath(week)+"/reconcile", "cell", cell)
}

// ReconcileEnd stands for no cell.
const ReconcileEnd = "end"

// CheckURL is the self-check of a week (GET), and where a new one is asked for
// (POST). run is the sync run that it waits for; empty for none.
func CheckURL(week planner.Week, run string) string {
	return withQuery(WeekPath(week)+"/check", "run", run)
}

// CheckResultURL is what the self-check polls.
func CheckResultURL(week planner.Week, run string) string {
	return withQuery(WeekPath(week)+"/check/result", "run", run)
}

// UndoPath takes a change of a week back (POST).
func UndoPath(week planner.Week) string { return WeekPath(week) + "/undo" }

// RedoPath takes the latest undo of a week back (POST).
func RedoPath(week planner.Week) string { return WeekPath(week) + "/redo" }

// PreviewPath answers what a week would come to with what was typed in the grid
// and is not stored (POST).
func PreviewPath(week planner.Week) string { return WeekPath(week) + "/preview" }

// DayOffPath makes a day of a week a day off, or a working day again (POST).
func DayOffPath(week planner.Week, day planner.Date) string {
	return WeekPath(week) + "/days/" + day.String() + "/off"
}

// WeekRowsPath adds a row to a week (POST).
func WeekRowsPath(week planner.Week) string { return WeekPath(week) + "/rows" }

// RowPath is the page of a row in a week.
func RowPath(week planner.Week, rowKey string) string {
	return WeekRowsPath(week) + "/" + url.PathEscape(rowKey)
}

// RowOrderPath puts a row before another one of its client, or a client before
// another one (POST).
func RowOrderPath(week planner.Week) string { return WeekRowsPath(week) + "/order" }

// MoveCellPath moves, copies or splits what is planned in a cell (POST).
func MoveCellPath(week planner.Week, rowKey string, day int) string {
	return CellPath(week, rowKey, day) + "/move"
}

// RemoveRowPath removes a row from a week (POST).
func RemoveRowPath(week planner.Week) string { return WeekPath(week) + "/rows/remove" }

// WeekSyncPath asks for a sync from the page of a week (POST).
func WeekSyncPath(week planner.Week) string { return WeekPath(week) + "/sync" }

// PushPath is the review of what would be sent to Harvest (GET), and where the
// ticked lines go (POST); of one day, or of the whole week if day is nil.
func PushPath(week planner.Week, day *planner.Date) string {
	path := WeekPath(week) + "/push"
	if day != nil {
		path += "?day=" + day.String()
	}
	return path
}

// SyncStatusURL is what the status component polls. since is opaque to the
// page: the server gave it, and uses it to send only what changed.
func SyncStatusURL(week planner.Week, since string) string {
	path := SyncStatusPath + "?week=" + week.String()
	if since != "" {
		path += "&since=" + url.QueryEscape(since)
	}
	return path
}

// WritePath is the page of one write of the ledger.
func WritePath(id int64) string { return "/ledger/" + strconv.FormatInt(id, 10) }

// RetryWritePath tries a write of one's own again (POST).
func RetryWritePath(id int64) string { return WritePath(id) + "/retry" }

// DropWritePath gives up a write of one's own (POST).
func DropWritePath(id int64) string { return WritePath(id) + "/drop" }

// WriteLivePath is the polled part of a write's page (GET, partial).
func WriteLivePath(id int64) string { return WritePath(id) + "/live" }

// LedgerQuery is what of the ledger is shown. Empty values do not filter.
type LedgerQuery struct {
	State  string // LedgerWaiting and so on
	Week   string // a date of the week
	Client string // an id of ours
	Search string
	Before string // the id that the page begins below
}

func (q LedgerQuery) at(path string) string {
	return withQuery(path, "state", q.State, "week", q.Week, "client", q.Client, "q", q.Search, "before", q.Before)
}

// filters reports whether anything is left out, other than by the page.
func (q LedgerQuery) filters() bool {
	q.Before = ""
	return q != LedgerQuery{}
}

// LedgerURL is the ledger, filtered and paged.
func LedgerURL(q LedgerQuery) string { return q.at(LedgerPath) }

// LedgerLiveURL is the polled list of that page.
func LedgerLiveURL(q LedgerQuery) string { return q.at(LedgerLivePath) }

// LedgerCSVURL is all that the filters choose, as a file.
func LedgerCSVURL(q LedgerQuery) string {
	q.Before = ""
	return q.at(LedgerCSVPath)
}

// LoginURL is the login page that leads on to next.
func LoginURL(next string) string { return withQuery(LoginPath, "next", next) }

// LoginCodeURL is the second step of a log-in that leads on to next.
func LoginCodeURL(next string) string { return withQuery(LoginCodePath, "next", next) }

// RevokeSessionPath ends one session of one's own (POST).
func RevokeSessionPath(id int64) string {
	return SessionsPath + "/" + strconv.FormatInt(id, 10) + "/revoke"
}

// ConfirmURL asks somebody who is logged in to prove it again, and leads on to next.
func ConfirmURL(next string) string { return withQuery(ConfirmPath, "next", next) }

// RevokeTokenPath revokes an API token (POST).
func RevokeTokenPath(id int64) string {
	return TokensPath + "/" + strconv.FormatInt(id, 10) + "/revoke"
}

// Addresses of lists and actions of the admin pages.
const (
	AdminWritesLivePath  = "/admin/writes/live" // GET, partial
	AdminPreviewPath     = "/admin/writes/preview"
	AdminOrdersPath      = "/admin/orders"    // GET; POST: what is to be done to all writes that match
	AdminJobsLivePath    = "/admin/jobs/live" // GET, partial
	AdminJobsPreviewPath = "/admin/jobs/preview"
)

// WriteQuery is what of all writes is shown. Empty values do not filter.
type WriteQuery struct {
	State      string // a group, or a ledger.State
	User       string // in the owner's address
	Project    string // in the name of client, project or task
	Search     string // an id, a reference, or Harvest's words
	Reason     string // ledger.Reason or ledger.WaitReason
	Status     string // HTTP
	Op         string // ledger.Op
	Connection string
	Age        string // created at least so long ago: "1h"
	Sent       string // sent at least so long ago
	Sort       string // OldestFirst, or empty for newest first
	From       string // the id that the page begins behind
}

// OldestFirst is the value of [WriteQuery].Sort other than the usual.
const OldestFirst = "oldest"

// pairs are the names and values of the filters, as addresses and forms have
// them; where the page begins is the last one.
func (q WriteQuery) pairs() []string {
	return []string{
		"state", q.State, "user", q.User, "project", q.Project, "q", q.Search, "reason", q.Reason, "status", q.Status, "op", q.Op,
		"connection", q.Connection, "age", q.Age, "sent", q.Sent, "sort", q.Sort, "from", q.From,
	}
}

// Values are the filters that are in force, for forms that carry them on.
func (q WriteQuery) Values() map[string]string { return valuesOf(q.pairs()) }

// filters reports whether anything is left out, other than by state and page.
func (q WriteQuery) filters() bool {
	q.State, q.Sort, q.From = "", "", ""
	return q != WriteQuery{}
}

// AdminWritesURL is the list of all writes.
func AdminWritesURL(q WriteQuery) string { return withQuery(AdminWritesPath, q.pairs()...) }

// AdminWritesLiveURL is the polled list of that page.
func AdminWritesLiveURL(q WriteQuery) string { return withQuery(AdminWritesLivePath, q.pairs()...) }

// AdminPreviewURL says what an action would do to all writes that match.
func AdminPreviewURL(action string, q WriteQuery) string {
	q.Sort, q.From = "", ""
	return withQuery(AdminPreviewPath, append(q.pairs(), "action", action)...)
}

// AdminWritePath is the page of one write, for those who run the program.
func AdminWritePath(id int64) string { return AdminWritesPath + "/" + strconv.FormatInt(id, 10) }

// AdminWriteLivePath is the polled part of that page (GET, partial).
func AdminWriteLivePath(id int64) string { return AdminWritePath(id) + "/live" }

// AdminActPath does something to one write (POST).
func AdminActPath(id int64, action string) string { return AdminWritePath(id) + "/" + action }

// AdminOrderPath is the page of an order.
func AdminOrderPath(id int64) string { return AdminOrdersPath + "/" + strconv.FormatInt(id, 10) }

// AdminOrderLivePath is the polled part of that page (GET, partial).
func AdminOrderLivePath(id int64) string { return AdminOrderPath(id) + "/live" }

// ForceBreakerPath forces the breaker of a scope of the gate open or closed
// (POST). Scopes hold colons and digits.
func ForceBreakerPath(scope string, open bool) string {
	state := "closed"
	if open {
		state = "open"
	}
	return AdminLimitsPath + "/" + url.PathEscape(scope) + "/" + state
}

// JobQuery is what of the jobs is shown. Empty values do not filter.
type JobQuery struct {
	State, Kind, Queue  string
	ID, Connection, Run string
	Before              string // the id that the page begins below
}

func (q JobQuery) pairs() []string {
	return []string{"state", q.State, "kind", q.Kind, "queue", q.Queue, "id", q.ID, "connection", q.Connection, "run", q.Run, "before", q.Before}
}

// Values are the filters that are in force, for forms that carry them on.
func (q JobQuery) Values() map[string]string { return valuesOf(q.pairs()) }

// filters reports whether anything is left out, other than by state and page.
func (q JobQuery) filters() bool {
	q.State, q.Before = "", ""
	return q != JobQuery{}
}

// AdminJobsURL is the list of jobs.
func AdminJobsURL(q JobQuery) string { return withQuery(AdminJobsPath, q.pairs()...) }

// AdminJobsLiveURL is the polled list of that page.
func AdminJobsLiveURL(q JobQuery) string { return withQuery(AdminJobsLivePath, q.pairs()...) }

// AdminJobsPreviewURL says what an action would do to all jobs that match.
func AdminJobsPreviewURL(action string, q JobQuery) string {
	q.Before = ""
	return withQuery(AdminJobsPreviewPath, append(q.pairs(), "action", action)...)
}

// AdminJobPath does something to one job (POST).
func AdminJobPath(id int64, action string) string {
	return AdminJobsPath + "/" + strconv.FormatInt(id, 10) + "/" + action
}

// AdminAllJobsPath does something to all jobs that match (POST).
func AdminAllJobsPath(action string) string { return AdminJobsPath + "/all/" + action }

// CellField is the name of a cell's input in the grid. day counts from 0 to 6.
func CellField(rowKey string, day int) string { return "p." + rowKey + "." + strconv.Itoa(day) }

// ParseCellField reads what [CellField] wrote; ok is false for other fields.
func ParseCellField(name string) (rowKey string, day int, ok bool) {
	rest, found := strings.CutPrefix(name, "p.")
	dot := strings.LastIndexByte(rest, '.')
	if !found || dot < 1 || dot != len(rest)-2 {
		return "", 0, false
	}
	day = int(rest[dot+1]) - '0'
	if day < 0 || day >= planner.DaysInWeek {
		return "", 0, false
	}
	return rest[:dot], day, true
}

// valuesOf are the name-value pairs whose value is not empty.
func valuesOf(pairs []string) map[string]string {
	values := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values[pairs[i]] = pairs[i+1]
		}
	}
	return values
}

// withQuery appends name-value pairs whose value is not empty.
func withQuery(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// RowAnchorPath is the page of a week, scrolled to one of its rows.
func RowAnchorPath(week planner.Week, rowKey string) string { return WeekPath(week) + "#n-" + rowKey }

// FindRowURL is what the row finder asks, with what is typed (GET, partial).
func FindRowURL(week planner.Week, query string) string {
	return WeekPath(week) + "/find?q=" + url.QueryEscape(query)
}

// QuickURL is the quick add of a week, with a line and the row chosen for it
// (GET), and where it is sent (POST).
func QuickURL(week planner.Week, line, row string) string {
	return withQuery(WeekPath(week)+"/quick", "line", line, "row", row)
}

// PaletteURL is the list of all that can be done from a week, filtered.
func PaletteURL(week planner.Week, query string) string {
	return withQuery(PalettePath, "week", week.String(), "q", query)
}

// HistoryURL is what was done to the plan of a week; before is the id that the
// page begins below, and 0 for the latest.
func HistoryURL(week planner.Week, before int64) string {
	if before == 0 {
		return WeekPath(week) + "/history"
	}
	return withQuery(WeekPath(week)+"/history", "before", strconv.FormatInt(before, 10))
}

// HistoryUndoPath takes one change of a week back, from its history (POST).
func HistoryUndoPath(week planner.Week) string { return HistoryURL(week, 0) + "/undo" }

// RestorePath shows what a week would become as it was after a change (GET), and
// makes it so (POST). 0 is before all changes.
func RestorePath(week planner.Week, change int64) string {
	return HistoryURL(week, 0) + "/" + strconv.FormatInt(change, 10)
}

// AdminDeleteUserPath deletes a user (GET, POST).
func AdminDeleteUserPath(id int64) string {
	return AdminUsersPath + "/" + strconv.FormatInt(id, 10) + "/delete"
}

// RevokeInvitationPath takes an invitation back (POST).
func RevokeInvitationPath(id int64) string {
	return InvitePath + "/" + strconv.FormatInt(id, 10) + "/revoke"
}

// AdminResetLinkPath makes a link with which a user chooses a new password (POST).
func AdminResetLinkPath(id int64) string {
	return AdminUsersPath + "/" + strconv.FormatInt(id, 10) + "/reset-link"
}

// JoinPath is where an invitation is followed (GET, POST).
func JoinPath(token string) string { return "/join/" + url.PathEscape(token) }

// ResetPath is where a new password is chosen (GET, POST).
func ResetPath(token string) string { return "/reset/" + url.PathEscape(token) }

// AdminLiveURL is the polled part of a tab (GET, partial), with the filters in
// force.
func AdminLiveURL(tab AdminNav, query url.Values) string {
	path := AdminPath + "/live/" + string(tab)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// AdminConnPath is a connection as operators see it. What they do to it is POST
// below: pause, resume, sync.
func AdminConnPath(id int64) string { return AdminConnsPath + "/" + strconv.FormatInt(id, 10) }

// AdminQueuePath is a queue; POST below it: pause, resume.
func AdminQueuePath(name string) string { return AdminQueuesPath + "/" + url.PathEscape(name) }

// AdminGatePath is what holds calls of a scope back.
func AdminGatePath(scope string) string { return AdminLimitsPath + "/" + url.PathEscape(scope) }

// RunSchedulePath has something run now that else runs by itself (POST).
func RunSchedulePath(name string) string {
	return AdminSchedulesPath + "/" + url.PathEscape(name) + "/run"
}

// AdminUserPath is a user as admins see them; POST below it: role.
func AdminUserPath(id int64) string { return AdminUsersPath + "/" + strconv.FormatInt(id, 10) }

// AdminAuditURL is what was done to a subject, or by somebody; empty values do
// not filter.
func AdminAuditURL(actor, subject string) string {
	return withQuery(AdminAuditPath, "actor", actor, "subject", subject)
}
