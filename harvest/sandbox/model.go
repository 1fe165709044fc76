package sandbox

import (
	"cmp"
	"slices"
	"time"
)

// world is everything the sandbox remembers and what a state file holds. The
// server's mutex guards all of it.
type world struct {
	Seed       string              `json:"seed"`
	Accounts   map[int64]*account  `json:"accounts"`
	Identities map[int64]*identity `json:"identities"`
	Tokens     map[string]*token   `json:"tokens"`    // by secret
	Refreshes  map[string]*refresh `json:"refreshes"` // by secret
	Codes      map[string]*code    `json:"codes"`
	Next       map[string]int64    `json:"next"` // last id given out, by kind
	Offset     time.Duration       `json:"offset"`
	Frozen     *time.Time          `json:"frozen,omitempty"`
	Switches   switches            `json:"switches"`
}

// Kinds of ids. Every kind counts on its own, across accounts.
const (
	kindUser           = "user"
	kindClient         = "client"
	kindProject        = "project"
	kindTask           = "task"
	kindUserAssignment = "user_assignment"
	kindTaskAssignment = "task_assignment"
	kindEntry          = "time_entry"
	kindInvoice        = "invoice"
	kindExpense        = "expense"
	kindToken          = "token"
)

// id hands out the next id of a kind.
func (w *world) id(kind string) int64 {
	w.Next[kind]++
	return w.Next[kind]
}

// identity is a person at the identity service; its id is not the user id inside an account.
type identity struct {
	ID          int64        `json:"id"`
	FirstName   string       `json:"first_name"`
	LastName    string       `json:"last_name"`
	Email       string       `json:"email"`
	Memberships []membership `json:"memberships"`
}

// membership says which user an identity is in an account. UserID is 0 for products that the
// sandbox lists but does not serve (Forecast).
type membership struct {
	AccountID int64  `json:"account_id"`
	Name      string `json:"name"`
	Product   string `json:"product"`
	UserID    int64  `json:"user_id"`
}

func (p *identity) user(accountID int64) int64 {
	for _, m := range p.Memberships {
		if m.AccountID == accountID {
			return m.UserID
		}
	}
	return 0
}

type account struct {
	ID              int64                     `json:"id"`
	Name            string                    `json:"name"`
	Company         company                   `json:"company"`
	Rounding        string                    `json:"rounding"`
	Users           map[int64]*user           `json:"users"`
	Clients         map[int64]*client         `json:"clients"`
	Projects        map[int64]*project        `json:"projects"`
	Tasks           map[int64]*task           `json:"tasks"`
	UserAssignments map[int64]*userAssignment `json:"user_assignments"`
	TaskAssignments map[int64]*taskAssignment `json:"task_assignments"`
	Entries         map[int64]*entry          `json:"time_entries"`
	Locks           []weekLock                `json:"locks"`
	Invoices        map[int64]*invoice        `json:"invoices"`
	Expenses        map[int64]*expense        `json:"expenses"`
	Categories      map[int64]*category       `json:"expense_categories"`
	Roles           map[int64]*role           `json:"roles"`

	// Derived, rebuilt by index.
	byDate   []*entry // spent date newest first, then id highest first
	userJobs map[pair]*userAssignment
	taskJobs map[pair]*taskAssignment
	running  map[int64]*entry // by user
}

// pair is a project and a user, or a project and a task.
type pair struct{ project, other int64 }

func newAccount(id int64, name string) *account {
	a := &account{
		ID: id, Name: name, Rounding: roundingOff,
		Users: map[int64]*user{}, Clients: map[int64]*client{}, Projects: map[int64]*project{}, Tasks: map[int64]*task{},
		UserAssignments: map[int64]*userAssignment{}, TaskAssignments: map[int64]*taskAssignment{},
		Entries: map[int64]*entry{}, Invoices: map[int64]*invoice{}, Expenses: map[int64]*expense{},
		Categories: map[int64]*category{}, Roles: map[int64]*role{},
	}
	a.index()
	return a
}

// index rebuilds what is derived from the maps.
func (a *account) index() {
	a.byDate = make([]*entry, 0, len(a.Entries))
	a.running = map[int64]*entry{}
	for _, e := range a.Entries {
		a.byDate = append(a.byDate, e)
		if e.running() {
			a.running[e.UserID] = e
		}
	}
	slices.SortFunc(a.byDate, compareEntries)
	a.userJobs = make(map[pair]*userAssignment, len(a.UserAssignments))
	for _, ua := range a.UserAssignments {
		a.userJobs[pair{ua.ProjectID, ua.UserID}] = ua
	}
	a.taskJobs = make(map[pair]*taskAssignment, len(a.TaskAssignments))
	for _, ta := range a.TaskAssignments {
		a.taskJobs[pair{ta.ProjectID, ta.TaskID}] = ta
	}
}

// compareEntries orders entries as the list does: spent date newest first, then id highest first.
func compareEntries(x, y *entry) int {
	if c := cmp.Compare(y.Date, x.Date); c != 0 {
		return c
	}
	return cmp.Compare(y.ID, x.ID)
}

func (a *account) addEntry(e *entry) {
	a.Entries[e.ID] = e
	at, _ := slices.BinarySearchFunc(a.byDate, e, compareEntries)
	a.byDate = slices.Insert(a.byDate, at, e)
}

func (a *account) removeEntry(e *entry) {
	delete(a.Entries, e.ID)
	if at, ok := slices.BinarySearchFunc(a.byDate, e, compareEntries); ok {
		a.byDate = slices.Delete(a.byDate, at, at+1)
	}
	if a.running[e.UserID] == e {
		delete(a.running, e.UserID)
	}
}

// redate moves an entry to another spent date.
func (a *account) redate(e *entry, date string) {
	if at, ok := slices.BinarySearchFunc(a.byDate, e, compareEntries); ok {
		a.byDate = slices.Delete(a.byDate, at, at+1)
	}
	e.Date = date
	at, _ := slices.BinarySearchFunc(a.byDate, e, compareEntries)
	a.byDate = slices.Insert(a.byDate, at, e)
}

// company is the account's settings, fields in the order in which Harvest sends them.
type company struct {
	BaseURI               string `json:"base_uri"`
	FullDomain            string `json:"full_domain"`
	Name                  string `json:"name"`
	IsActive              bool   `json:"is_active"`
	WeekStartDay          string `json:"week_start_day"`
	WantsTimestampTimers  bool   `json:"wants_timestamp_timers"`
	TimeFormat            string `json:"time_format"`
	DateFormat            string `json:"date_format"`
	PlanType              string `json:"plan_type"`
	ExpenseFeature        bool   `json:"expense_feature"`
	InvoiceFeature        bool   `json:"invoice_feature"`
	EstimateFeature       bool   `json:"estimate_feature"`
	TeamFeature           bool   `json:"team_feature"`
	WeeklyCapacity        int64  `json:"weekly_capacity"` // seconds
	ApprovalFeature       bool   `json:"approval_feature"`
	Clock                 string `json:"clock"`
	Currency              string `json:"currency"`
	CurrencyCodeDisplay   string `json:"currency_code_display"`
	CurrencySymbolDisplay string `json:"currency_symbol_display"`
	DecimalSymbol         string `json:"decimal_symbol"`
	ThousandsSeparator    string `json:"thousands_separator"`
	ColorScheme           string `json:"color_scheme"`
}

type user struct {
	ID                int64     `json:"id"`
	FirstName         string    `json:"first_name"`
	LastName          string    `json:"last_name"`
	Email             string    `json:"email"`
	Telephone         string    `json:"telephone"`
	Timezone          string    `json:"timezone"`        // a Rails zone name
	WeeklyCapacity    int64     `json:"weekly_capacity"` // seconds
	AllFutureProjects bool      `json:"has_access_to_all_future_projects"`
	IsContractor      bool      `json:"is_contractor"`
	IsActive          bool      `json:"is_active"`
	CreatedAt         time.Time `json:"created_at"`
	UpdatedAt         time.Time `json:"updated_at"`
	DefaultHourlyRate *dec      `json:"default_hourly_rate"`
	CostRate          *dec      `json:"cost_rate"`
	Roles             []string  `json:"roles"`
	AccessRoles       []string  `json:"access_roles"`
	Teammates         []int64   `json:"teammates"` // whom a manager manages
}

func (u *user) name() string { return u.FirstName + " " + u.LastName }

func (u *user) admin() bool { return slices.Contains(u.AccessRoles, "administrator") }

func (u *user) manager() bool { return slices.Contains(u.AccessRoles, "manager") }

// location is the user's zone; UTC if the name is unknown.
func (u *user) location() *time.Location {
	loc, err := zone(u.Timezone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// client, task and role are stored as they are sent.
type client struct {
	ID           int64     `json:"id"`
	Name         string    `json:"name"`
	IsActive     bool      `json:"is_active"`
	Address      *string   `json:"address"`
	StatementKey string    `json:"statement_key"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	Currency     string    `json:"currency"`
}

type task struct {
	ID                int64     `json:"id"`
	Name              string    `json:"name"`
	BillableByDefault bool      `json:"billable_by_default"`
	DefaultHourlyRate *dec      `json:"default_hourly_rate"`
	IsDefault         bool      `json:"is_default"`
	IsActive          bool      `json:"is_active"`
	CreatedAt         time.Time `json:"created_at"`
	UpdatedAt         time.Time `json:"updated_at"`
}

// project is stored as it is sent, but for the client object.
type project struct {
	ID                         int64     `json:"id"`
	Name                       string    `json:"name"`
	Code                       *string   `json:"code"`
	IsActive                   bool      `json:"is_active"`
	IsBillable                 bool      `json:"is_billable"`
	IsFixedFee                 bool      `json:"is_fixed_fee"`
	BillBy                     string    `json:"bill_by"`
	Budget                     *dec      `json:"budget"`
	BudgetBy                   string    `json:"budget_by"`
	BudgetIsMonthly            bool      `json:"budget_is_monthly"`
	NotifyWhenOverBudget       bool      `json:"notify_when_over_budget"`
	OverBudgetPercentage       dec       `json:"over_budget_notification_percentage"`
	ShowBudgetToAll            bool      `json:"show_budget_to_all"`
	CreatedAt                  time.Time `json:"created_at"`
	UpdatedAt                  time.Time `json:"updated_at"`
	StartsOn                   *string   `json:"starts_on"`
	EndsOn                     *string   `json:"ends_on"`
	OverBudgetNotificationDate *string   `json:"over_budget_notification_date"`
	Notes                      *string   `json:"notes"`
	CostBudget                 *dec      `json:"cost_budget"`
	CostBudgetIncludeExpenses  bool      `json:"cost_budget_include_expenses"`
	HourlyRate                 *dec      `json:"hourly_rate"`
	Fee                        *dec      `json:"fee"`
	ClientID                   int64     `json:"client_id"`
}

type userAssignment struct {
	ID               int64     `json:"id"`
	ProjectID        int64     `json:"project_id"`
	UserID           int64     `json:"user_id"`
	IsProjectManager bool      `json:"is_project_manager"`
	IsActive         bool      `json:"is_active"`
	UseDefaultRates  bool      `json:"use_default_rates"`
	Budget           *dec      `json:"budget"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
	HourlyRate       *dec      `json:"hourly_rate"`
}

type taskAssignment struct {
	ID         int64     `json:"id"`
	ProjectID  int64     `json:"project_id"`
	TaskID     int64     `json:"task_id"`
	Billable   bool      `json:"billable"`
	IsActive   bool      `json:"is_active"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	HourlyRate *dec      `json:"hourly_rate"`
	Budget     *dec      `json:"budget"`
}

type entry struct {
	ID           int64      `json:"id"`
	UserID       int64      `json:"user_id"`
	ProjectID    int64      `json:"project_id"`
	TaskID       int64      `json:"task_id"`
	Date         string     `json:"spent_date"`
	Hours        hundredths `json:"hours"` // without the running timer
	Notes        *string    `json:"notes"`
	Submitted    bool       `json:"submitted,omitempty"`
	InvoiceID    int64      `json:"invoice_id,omitempty"`
	TimerStarted *time.Time `json:"timer_started_at,omitempty"`
	Started      *int       `json:"started,omitempty"` // minute of the day in the user's zone
	Ended        *int       `json:"ended,omitempty"`
	Billable     bool       `json:"billable"`
	BillableRate *dec       `json:"billable_rate"`
	CostRate     *dec       `json:"cost_rate"`
	Reference    *reference `json:"external_reference,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

func (e *entry) running() bool { return e.TimerStarted != nil }

// reference is an entry's external reference. SetAt is when it was set, to the nanosecond, for the
// filter's lag.
type reference struct {
	ID        *string   `json:"id"`
	GroupID   *string   `json:"group_id"`
	AccountID *string   `json:"account_id"`
	Permalink *string   `json:"permalink"`
	SetAt     time.Time `json:"set_at"`
}

// weekLock is an approved period of one person; it covers days without entries too.
type weekLock struct {
	UserID int64  `json:"user_id"`
	From   string `json:"from"`
	To     string `json:"to"`
}

// invoice locks a project for a period.
type invoice struct {
	ID        int64  `json:"id"`
	Number    string `json:"number"`
	ProjectID int64  `json:"project_id"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// approved reports whether the person's day lies in an approved period.
func (a *account) approved(userID int64, date string) bool {
	for _, l := range a.Locks {
		if l.UserID == userID && l.From <= date && date <= l.To {
			return true
		}
	}
	return false
}

// invoiced reports whether the project's day lies in an invoiced period.
func (a *account) invoiced(projectID int64, date string) bool {
	for _, inv := range a.Invoices {
		if inv.ProjectID == projectID && inv.From <= date && date <= inv.To {
			return true
		}
	}
	return false
}

// archived says what of an entry's surroundings is archived, "" if nothing is.
func (a *account) archived(e *entry) string {
	p := a.Projects[e.ProjectID]
	switch {
	case p != nil && !p.IsActive:
		return "Project"
	case p != nil && a.Clients[p.ClientID] != nil && !a.Clients[p.ClientID].IsActive:
		return "Client"
	case a.Tasks[e.TaskID] != nil && !a.Tasks[e.TaskID].IsActive:
		return "Task"
	case a.Users[e.UserID] != nil && !a.Users[e.UserID].IsActive:
		return "Person"
	}
	return ""
}

// lockReason is the text of locked_reason, "" for a free entry (section 8).
func (a *account) lockReason(e *entry) string {
	approved, invoiced := a.approved(e.UserID, e.Date), e.InvoiceID != 0
	switch {
	case approved && invoiced:
		return "Item Invoiced and Approved and Locked for this Time Period"
	case approved:
		return "Item Approved and Locked for this Time Period"
	case invoiced:
		return "Item Invoiced and Locked for this Time Period"
	}
	if what := a.archived(e); what != "" {
		return "Item Locked because the " + what + " is Archived"
	}
	return ""
}

// rate is what an hour of the combination is billed at, nil if not billable.
func (a *account) rate(p *project, ua *userAssignment, ta *taskAssignment) *dec {
	if !p.IsBillable || ta == nil || !ta.Billable {
		return nil
	}
	switch p.BillBy {
	case "Project":
		return p.HourlyRate
	case "Tasks":
		if ta.HourlyRate != nil {
			return ta.HourlyRate
		}
		if t := a.Tasks[ta.TaskID]; t != nil {
			return t.DefaultHourlyRate
		}
	case "People":
		if ua == nil {
			return nil
		}
		if !ua.UseDefaultRates && ua.HourlyRate != nil {
			return ua.HourlyRate
		}
		if u := a.Users[ua.UserID]; u != nil {
			return u.DefaultHourlyRate
		}
	}
	return nil
}

// Values of the rounding switch.
const roundingOff = "off"

// rounded applies the account's rounding preference to one entry's hours (section 7).
func (a *account) rounded(h hundredths) hundredths {
	var step hundredths
	var up bool
	switch a.Rounding {
	case "nearest_6":
		step = 10
	case "nearest_15":
		step = 25
	case "nearest_30":
		step = 50
	case "up_6":
		step, up = 10, true
	case "up_15":
		step, up = 25, true
	case "up_30":
		step, up = 50, true
	default:
		return h
	}
	if up {
		return (h + step - 1) / step * step
	}
	return (h + step/2) / step * step
}

// hoursAt is what an entry shows at an instant: its hours and those of the running timer.
func (e *entry) hoursAt(now time.Time) hundredths {
	if !e.running() {
		return e.Hours
	}
	elapsed := max(now.Sub(*e.TimerStarted), 0)
	return e.Hours + hundredths((elapsed+18*time.Second)/(36*time.Second))
}

// newest returns the values of a map as lists show them: newest first.
func newest[T any](m map[int64]T, position func(T) position) []T {
	rows := make([]T, 0, len(m))
	for _, v := range m {
		rows = append(rows, v)
	}
	slices.SortFunc(rows, func(x, y T) int { return position(x).compare(position(y)) })
	return rows
}
