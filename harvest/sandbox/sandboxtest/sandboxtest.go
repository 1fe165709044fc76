// Package sandboxtest starts sandboxes for tests and steers any sandbox over HTTP. It is apart from
// package sandbox so that programs do not link package testing.
package sandboxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"furrow/harvest/sandbox"
)

// Fault is a fault to arm; see package sandbox for the kinds.
type Fault = sandbox.Fault

// Match says which requests a fault is for.
type Match = sandbox.Match

// Request is a line of the request log.
type Request = sandbox.Request

// What every seed holds.
const (
	AccountID      = 1001           // of Ida Berg
	Token          = "1.pt.sandbox" // of Ida Berg, administrator
	MemberToken    = "2.pt.sandbox" // of Jonas Lind, member of the same account (not in the seed "empty")
	OtherAccountID = 2002           // of Maren Holt: start and end times, 12-hour clock
	OtherToken     = "3.pt.sandbox"
	UserID         = 2301 // Ida
	MemberUserID   = 2302 // Jonas
	OtherUserID    = 2401 // Maren
	OAuthClient    = "sandbox-client"
	OAuthSecret    = "sandbox-secret"
)

// Sandbox is a running sandbox that belongs to one test.
type Sandbox struct {
	Control
	// URL is its address, without a final slash.
	URL string
	// Server is the sandbox itself.
	Server *sandbox.Server
}

// Start starts a sandbox with a seed ("" is "demo") on a free port of the loopback interface. It stops
// with the test.
func Start(tb testing.TB, seed string) *Sandbox {
	tb.Helper()
	return StartWith(tb, sandbox.Options{Seed: seed})
}

// StartWith is Start with all options.
func StartWith(tb testing.TB, opts sandbox.Options) *Sandbox {
	tb.Helper()
	s, err := sandbox.New(opts)
	if err != nil {
		tb.Fatalf("start sandbox: %v", err)
	}
	web := httptest.NewServer(s)
	tb.Cleanup(func() {
		web.CloseClientConnections()
		if err := s.Close(); err != nil {
			tb.Errorf("close sandbox: %v", err)
		}
		web.Close()
	})
	return &Sandbox{Control: Control{BaseURL: web.URL}, URL: web.URL, Server: s}
}

// Control steers the sandbox at BaseURL over HTTP, wherever it runs.
type Control struct {
	BaseURL string
}

// call does a control call and decodes the answer into out, if not nil.
func (c Control) call(tb testing.TB, method, path string, in, out any) {
	tb.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			tb.Fatalf("sandbox %s %s: %v", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	// Not the test's context: clean-up functions steer sandboxes too.
	req, err := http.NewRequestWithContext(context.WithoutCancel(tb.Context()), method, strings.TrimRight(c.BaseURL, "/")+path, body)
	if err != nil {
		tb.Fatalf("sandbox %s %s: %v", method, path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatalf("sandbox %s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatalf("sandbox %s %s: %v", method, path, err)
	}
	if resp.StatusCode >= 300 {
		tb.Fatalf("sandbox %s %s: %d %s", method, path, resp.StatusCode, text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			tb.Fatalf("sandbox %s %s: %v", method, path, err)
		}
	}
}

// Reset starts over with a seed; "" is the one before.
func (c Control) Reset(tb testing.TB, seed string) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/reset", map[string]string{"seed": seed}, nil)
}

// Fault arms a fault and returns it as armed.
func (c Control) Fault(tb testing.TB, f Fault) Fault {
	tb.Helper()
	var armed Fault
	c.call(tb, http.MethodPost, "/_sandbox/faults", f, &armed)
	return armed
}

// Faults returns what is armed, with counts.
func (c Control) Faults(tb testing.TB) []Fault {
	tb.Helper()
	var out struct {
		Faults []Fault `json:"faults"`
	}
	c.call(tb, http.MethodGet, "/_sandbox/faults", nil, &out)
	return out.Faults
}

// ClearFaults disarms all faults.
func (c Control) ClearFaults(tb testing.TB) {
	tb.Helper()
	c.call(tb, http.MethodDelete, "/_sandbox/faults", nil, nil)
}

// Switch sets switches by name. The member "account" names the account for those that belong to one.
func (c Control) Switch(tb testing.TB, switches map[string]any) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/switches", switches, nil)
}

// Switches returns all switches and their values.
func (c Control) Switches(tb testing.TB) map[string]any {
	tb.Helper()
	var out map[string]any
	c.call(tb, http.MethodGet, "/_sandbox/switches", nil, &out)
	return out
}

// Now is the time on the sandbox's clock.
func (c Control) Now(tb testing.TB) time.Time {
	tb.Helper()
	var out struct {
		Now time.Time `json:"now"`
	}
	c.call(tb, http.MethodGet, "/_sandbox/clock", nil, &out)
	return out.Now
}

// SetClock sets the sandbox's clock, which goes on from there.
func (c Control) SetClock(tb testing.TB, now time.Time) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/clock", map[string]any{"now": now, "frozen": false}, nil)
}

// FreezeClock sets the sandbox's clock and stops it there.
func (c Control) FreezeClock(tb testing.TB, now time.Time) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/clock", map[string]any{"now": now, "frozen": true}, nil)
}

// Advance moves the sandbox's clock.
func (c Control) Advance(tb testing.TB, d time.Duration) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/clock", map[string]any{"advance_s": d.Seconds()}, nil)
}

// SetOutage sets the outage mode: "well", "503", "429" or "drop".
func (c Control) SetOutage(tb testing.TB, mode string) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/outage", map[string]string{"mode": mode}, nil)
}

// Requests returns the request log, oldest first.
func (c Control) Requests(tb testing.TB) []Request {
	tb.Helper()
	return c.RequestsAfter(tb, 0)
}

// RequestsAfter returns the requests that came after the one with the sequence number.
func (c Control) RequestsAfter(tb testing.TB, seq int64) []Request {
	tb.Helper()
	var out struct {
		Requests []Request `json:"requests"`
	}
	c.call(tb, http.MethodGet, "/_sandbox/requests?after="+strconv.FormatInt(seq, 10), nil, &out)
	return out.Requests
}

// ForgetRequests empties the request log.
func (c Control) ForgetRequests(tb testing.TB) {
	tb.Helper()
	c.call(tb, http.MethodDelete, "/_sandbox/requests", nil, nil)
}

// Lock approves the days from..to (YYYY-MM-DD, inclusive) of a user of account 1001.
func (c Control) Lock(tb testing.TB, userID int64, from, to string) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/locks", map[string]any{"user_id": userID, "from": from, "to": to, "locked": true}, nil)
}

// Unlock withdraws an approval.
func (c Control) Unlock(tb testing.TB, userID int64, from, to string) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/locks", map[string]any{"user_id": userID, "from": from, "to": to, "locked": false}, nil)
}

// Invoice invoices the billable time of a project of account 1001 in a period, which locks it.
func (c Control) Invoice(tb testing.TB, projectID int64, from, to string) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/invoices", map[string]any{"project_id": projectID, "from": from, "to": to}, nil)
}

// RevokeToken makes a token invalid; it is named by itself or by its public part ("1.pt").
func (c Control) RevokeToken(tb testing.TB, token string) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/tokens", map[string]any{"token": token, "revoked": true}, nil)
}

// RestoreToken undoes RevokeToken.
func (c Control) RestoreToken(tb testing.TB, token string) {
	tb.Helper()
	c.call(tb, http.MethodPost, "/_sandbox/tokens", map[string]any{"token": token, "revoked": false}, nil)
}

// WebCreate makes a time entry as a person in Harvest's web app would, past all locks. The members are
// those of the API, and "account".
func (c Control) WebCreate(tb testing.TB, entry map[string]any) TimeEntry {
	tb.Helper()
	var e TimeEntry
	c.call(tb, http.MethodPost, "/_sandbox/time_entries", entry, &e)
	return e
}

// WebUpdate changes a time entry as a person in the web app; "external_reference": nil takes it away,
// "submitted": true hands it in for approval.
func (c Control) WebUpdate(tb testing.TB, id int64, changes map[string]any) TimeEntry {
	tb.Helper()
	var e TimeEntry
	c.call(tb, http.MethodPatch, "/_sandbox/time_entries/"+strconv.FormatInt(id, 10), changes, &e)
	return e
}

// WebDelete deletes a time entry as a person in the web app.
func (c Control) WebDelete(tb testing.TB, id int64) {
	tb.Helper()
	c.call(tb, http.MethodDelete, "/_sandbox/time_entries/"+strconv.FormatInt(id, 10), nil, nil)
}

// State returns everything that the sandbox holds.
func (c Control) State(tb testing.TB) State {
	tb.Helper()
	var s State
	c.call(tb, http.MethodGet, "/_sandbox/state", nil, &s)
	return s
}

// Entries returns the time entries of account 1001 between two dates, both inclusive, which takes less
// time than all of the state.
func (c Control) Entries(tb testing.TB, from, to string) []TimeEntry {
	tb.Helper()
	var s State
	query := url.Values{"account": {strconv.Itoa(AccountID)}, "from": {from}, "to": {to}}
	c.call(tb, http.MethodGet, "/_sandbox/state?"+query.Encode(), nil, &s)
	return s.Entries()
}

// API does a call of the data API as a token of account 1001 would and returns status and body. It is
// for setting a test up and for looking at the result, such as archiving a project.
func (c Control) API(tb testing.TB, token, method, path string, in any) (status int, body []byte) {
	tb.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		tb.Fatalf("sandbox %s %s: %v", method, path, err)
	}
	var reader io.Reader
	if in != nil {
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(tb.Context()), method, strings.TrimRight(c.BaseURL, "/")+path, reader)
	if err != nil {
		tb.Fatalf("sandbox %s %s: %v", method, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Harvest-Account-Id", strconv.Itoa(AccountID))
	req.Header.Set("User-Agent", "sandboxtest (test@example.com)")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatalf("sandbox %s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		tb.Fatalf("sandbox %s %s: %v", method, path, err)
	}
	return resp.StatusCode, body
}

// AllowOAuth presses the button of the authorize page at an address and returns where the browser is
// sent to.
func (c Control) AllowOAuth(tb testing.TB, authorizeURL string) *url.URL {
	tb.Helper()
	u, err := url.Parse(authorizeURL)
	if err != nil {
		tb.Fatalf("sandbox authorize: %v", err)
	}
	form := strings.NewReader(u.RawQuery)
	u.RawQuery = ""
	req, err := http.NewRequestWithContext(context.WithoutCancel(tb.Context()), http.MethodPost, u.String(), form)
	if err != nil {
		tb.Fatalf("sandbox authorize: %v", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		tb.Fatalf("sandbox authorize: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	to, err := resp.Location()
	if err != nil {
		tb.Fatalf("sandbox authorize: status %d: %v", resp.StatusCode, err)
	}
	return to
}

// State is everything that a sandbox holds, in the words of the API.
type State struct {
	Now      time.Time `json:"now"`
	Seed     string    `json:"seed"`
	Outage   string    `json:"outage"`
	Faults   []Fault   `json:"faults"`
	Accounts []Account `json:"accounts"`
	Tokens   []struct {
		Name    string     `json:"name"`
		Expires *time.Time `json:"expires"`
		Revoked bool       `json:"revoked"`
	} `json:"tokens"`
}

// Account returns an account; the zero Account if there is none.
func (s State) Account(id int64) Account {
	for _, a := range s.Accounts {
		if a.ID == id {
			return a
		}
	}
	return Account{}
}

// Entries are the time entries of account 1001, spent date newest first.
func (s State) Entries() []TimeEntry { return s.Account(AccountID).Entries }

// Entry finds a time entry of any account.
func (s State) Entry(id int64) (TimeEntry, bool) {
	for _, a := range s.Accounts {
		for _, e := range a.Entries {
			if e.ID == id {
				return e, true
			}
		}
	}
	return TimeEntry{}, false
}

// EntriesByReference are the time entries of account 1001 that carry an external reference id.
func (s State) EntriesByReference(id string) []TimeEntry {
	var out []TimeEntry
	for _, e := range s.Entries() {
		if e.ExternalReference != nil && e.ExternalReference.ID == id {
			out = append(out, e)
		}
	}
	return out
}

// Account is one account's records.
type Account struct {
	ID              int64            `json:"id"`
	Name            string           `json:"name"`
	Company         map[string]any   `json:"company"`
	Rounding        string           `json:"rounding"`
	Users           []User           `json:"users"`
	Clients         []Client         `json:"clients"`
	Projects        []Project        `json:"projects"`
	Tasks           []Task           `json:"tasks"`
	TaskAssignments []TaskAssignment `json:"task_assignments"`
	UserAssignments []UserAssignment `json:"user_assignments"`
	Entries         []TimeEntry      `json:"time_entries"`
	Locks           []Lock           `json:"locks"`
	Invoices        []Invoice        `json:"invoices"`
}

// Ref is a record named inside another.
type Ref struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Currency string `json:"currency"`
	Code     string `json:"code"`
}

// User is a person of an account.
type User struct {
	ID          int64    `json:"id"`
	FirstName   string   `json:"first_name"`
	LastName    string   `json:"last_name"`
	Email       string   `json:"email"`
	Timezone    string   `json:"timezone"`
	IsActive    bool     `json:"is_active"`
	AccessRoles []string `json:"access_roles"`
}

// Client is a client.
type Client struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	IsActive bool   `json:"is_active"`
	Currency string `json:"currency"`
}

// Project is a project; its budget is in hours or money, as BudgetBy says.
type Project struct {
	ID              int64            `json:"id"`
	Name            string           `json:"name"`
	Code            string           `json:"code"`
	IsActive        bool             `json:"is_active"`
	IsBillable      bool             `json:"is_billable"`
	BudgetBy        string           `json:"budget_by"`
	BudgetIsMonthly bool             `json:"budget_is_monthly"`
	Budget          *decimal.Decimal `json:"budget"`
	Client          Ref              `json:"client"`
}

// Task is a task.
type Task struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	IsActive bool   `json:"is_active"`
}

// TaskAssignment allows a task on a project.
type TaskAssignment struct {
	ID       int64 `json:"id"`
	IsActive bool  `json:"is_active"`
	Billable bool  `json:"billable"`
	Project  Ref   `json:"project"`
	Task     Ref   `json:"task"`
}

// UserAssignment allows a person on a project.
type UserAssignment struct {
	ID               int64 `json:"id"`
	IsActive         bool  `json:"is_active"`
	IsProjectManager bool  `json:"is_project_manager"`
	Project          Ref   `json:"project"`
	User             Ref   `json:"user"`
}

// Lock is an approved period, dates inclusive.
type Lock struct {
	UserID int64  `json:"user_id"`
	From   string `json:"from"`
	To     string `json:"to"`
}

// Invoice locks a project's period, dates inclusive.
type Invoice struct {
	ID        int64  `json:"id"`
	Number    string `json:"number"`
	ProjectID int64  `json:"project_id"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// TimeEntry is a time entry as an administrator sees it. Hours are decimal hours.
type TimeEntry struct {
	ID                int64              `json:"id"`
	SpentDate         string             `json:"spent_date"`
	Hours             decimal.Decimal    `json:"hours"`
	HoursWithoutTimer decimal.Decimal    `json:"hours_without_timer"`
	RoundedHours      decimal.Decimal    `json:"rounded_hours"`
	Notes             *string            `json:"notes"`
	IsLocked          bool               `json:"is_locked"`
	LockedReason      *string            `json:"locked_reason"`
	ApprovalStatus    string             `json:"approval_status"`
	IsBilled          bool               `json:"is_billed"`
	IsRunning         bool               `json:"is_running"`
	TimerStartedAt    *time.Time         `json:"timer_started_at"`
	StartedTime       *string            `json:"started_time"`
	EndedTime         *string            `json:"ended_time"`
	Billable          bool               `json:"billable"`
	BillableRate      *decimal.Decimal   `json:"billable_rate"`
	CreatedAt         time.Time          `json:"created_at"`
	UpdatedAt         time.Time          `json:"updated_at"`
	User              Ref                `json:"user"`
	Client            Ref                `json:"client"`
	Project           Ref                `json:"project"`
	Task              Ref                `json:"task"`
	ExternalReference *ExternalReference `json:"external_reference"`
}

// String is short, for messages of tests.
func (e TimeEntry) String() string {
	return fmt.Sprintf("%d %s %s h %s/%s", e.ID, e.SpentDate, e.Hours, e.Project.Name, e.Task.Name)
}

// ExternalReference is an entry's external reference; members that are null are empty.
type ExternalReference struct {
	ID        string `json:"id"`
	GroupID   string `json:"group_id"`
	AccountID string `json:"account_id"`
	Permalink string `json:"permalink"`
	Service   string `json:"service"`
}
