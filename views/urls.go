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
	SetupPath          = "/setup"       // GET, POST
	LoginPath          = "/login"       // GET, POST
	LogoutPath         = "/logout"      // POST
	ThisWeekPath       = "/week"        // GET, redirects to the current week
	SyncStatusPath     = "/sync/status" // GET, partial
	LedgerPath         = "/ledger"
	LedgerLivePath     = "/ledger/live"                 // GET, partial
	LedgerCSVPath      = "/ledger.csv"                  // GET, a file
	SettingsPath       = "/settings"                    // GET, POST
	PasswordPath       = "/settings/password"           // POST
	TokensPath         = "/settings/tokens"             // POST
	HarvestPath        = "/settings/harvest"            // GET, POST
	DisconnectPath     = "/settings/harvest/disconnect" // POST
	OAuthPath          = "/settings/harvest/oauth"      // POST, leads to Harvest
	OAuthCallbackPath  = "/settings/harvest/callback"   // GET, where Harvest leads back to
	OAuthAccountPath   = "/settings/harvest/account"    // GET, POST
	AdminPath          = "/admin"
	AdminWritesPath    = "/admin/writes"
	AdminRetryPath     = "/admin/writes/retry" // POST, all that match
	AdminJobsPath      = "/admin/jobs"
	AdminJobsRetryPath = "/admin/jobs/retry" // POST, all that match
	AdminConnsPath     = "/admin/connections"
	AdminLimitsPath    = "/admin/limits"
	AdminAuditPath     = "/admin/audit"
	AdminUsersPath     = "/admin/users"
	SandboxOutagePath  = "/sandbox/outage" // POST
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

// WeekRowsPath adds a row to a week (POST).
func WeekRowsPath(week planner.Week) string { return WeekPath(week) + "/rows" }

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

// RevokeTokenPath revokes an API token (POST).
func RevokeTokenPath(id int64) string {
	return TokensPath + "/" + strconv.FormatInt(id, 10) + "/revoke"
}

// AdminWritesURL is the list of all writes, by state.
func AdminWritesURL(state, before string) string {
	return withQuery(AdminWritesPath, "state", state, "before", before)
}

// AdminRetryWritePath tries one write again (POST).
func AdminRetryWritePath(id int64) string {
	return AdminWritesPath + "/" + strconv.FormatInt(id, 10) + "/retry"
}

// ForceBreakerPath forces the breaker of a scope of the gate open or closed
// (POST). Scopes hold colons and digits.
func ForceBreakerPath(scope string, open bool) string {
	state := "closed"
	if open {
		state = "open"
	}
	return AdminLimitsPath + "/" + url.PathEscape(scope) + "/" + state
}

// AdminJobsURL is the list of jobs, by state.
func AdminJobsURL(state, before string) string {
	return withQuery(AdminJobsPath, "state", state, "before", before)
}

// AdminRetryJobPath runs one job again (POST).
func AdminRetryJobPath(id int64) string {
	return AdminJobsPath + "/" + strconv.FormatInt(id, 10) + "/retry"
}

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
