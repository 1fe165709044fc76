package harvest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"furrow/ledger"
	"furrow/planner"
)

// The wire types name only the fields that are used. New fields appear and old
// ones vanish unannounced (harvest-api.md, section 13), so whatever is not
// needed to tell an entry apart may be missing or null.

// number is a JSON number as it is written, also if it comes as a string; null
// and "" are empty. Ids and hours never pass through a float.
type number = json.Number

// text is a string that may also come as a number: the parts of
// external_reference did (harvest-api.md, section 9).
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	if string(b) != "null" && b[0] != '{' && b[0] != '[' {
		*t = text(b)
	}
	return nil
}

// named is an object with an id and a name.
type named struct {
	ID   number `json:"id"`
	Name string `json:"name"`
}

type wireClient struct {
	ID       number `json:"id"`
	Name     string `json:"name"`
	Currency string `json:"currency"`
}

// wireEntry is a time entry (timesheets-api/timesheets/time-entries).
type wireEntry struct {
	ID             number     `json:"id"`
	SpentDate      string     `json:"spent_date"`
	Hours          number     `json:"hours"`
	Notes          string     `json:"notes"`
	IsLocked       bool       `json:"is_locked"`
	LockedReason   string     `json:"locked_reason"`
	ApprovalStatus string     `json:"approval_status"`
	IsBilled       bool       `json:"is_billed"`
	IsRunning      bool       `json:"is_running"`
	Billable       bool       `json:"billable"`
	CreatedAt      string     `json:"created_at"`
	UpdatedAt      string     `json:"updated_at"`
	User           named      `json:"user"`
	Client         wireClient `json:"client"`
	Project        named      `json:"project"`
	Task           named      `json:"task"`
	Reference      *struct {
		ID    text `json:"id"`
		Group text `json:"group_id"`
	} `json:"external_reference"`
}

// entry gives the wire entry its types. An entry that cannot be told apart, or
// whose date or hours cannot be read, is an error: a page must not be taken
// over half.
func (w *wireEntry) entry() (ledger.RemoteEntry, error) {
	var problem fieldErrors
	e := ledger.RemoteEntry{
		ID:             problem.id("id", w.ID),
		UserID:         problem.id("user.id", w.User.ID),
		ClientID:       problem.id("client.id", w.Client.ID),
		ClientName:     plain(w.Client.Name),
		Currency:       plain(w.Client.Currency),
		ProjectID:      problem.id("project.id", w.Project.ID),
		ProjectName:    plain(w.Project.Name),
		TaskID:         problem.id("task.id", w.Task.ID),
		TaskName:       plain(w.Task.Name),
		Notes:          plain(w.Notes),
		IsLocked:       w.IsLocked,
		LockedReason:   plain(w.LockedReason),
		ApprovalStatus: plain(w.ApprovalStatus),
		IsBilled:       w.IsBilled,
		IsRunning:      w.IsRunning,
		Billable:       w.Billable,
		CreatedAt:      problem.instant("created_at", w.CreatedAt),
		UpdatedAt:      problem.instant("updated_at", w.UpdatedAt),
	}
	if e.ID <= 0 && problem.err == nil {
		problem.err = errors.New("id: missing")
	}
	var err error
	if e.SpentDate, err = planner.ParseDate(w.SpentDate); err != nil {
		problem.add("spent_date", errNotDate)
	}
	if e.Hours, err = hours(w.Hours); err != nil {
		problem.add("hours", err)
	}
	if w.Reference != nil {
		e.ReferenceID, e.ReferenceGroup = plain(string(w.Reference.ID)), plain(string(w.Reference.Group))
	}
	return e, problem.err
}

var (
	errNotNumber  = errors.New("not a number of the expected size")
	errNotDate    = errors.New("not a date")
	errNotInstant = errors.New("not a date and time")
	errOtherEntry = errors.New("not the entry that was asked for")
)

// fieldErrors keeps the first field that could not be read. It names the field
// and never holds its value, which may be somebody's note.
type fieldErrors struct{ err error }

func (f *fieldErrors) add(field string, err error) {
	if f.err == nil && err != nil {
		f.err = fmt.Errorf("%s: %w", field, err)
	}
}

func (f *fieldErrors) id(field string, n number) int64 {
	id, err := integer(n)
	f.add(field, err)
	return id
}

func (f *fieldErrors) instant(field, s string) time.Time {
	t, err := instant(s)
	f.add(field, err)
	return t
}

// integer reads a whole number as it is written: 17, 17.0 or 1.7e1, up to the
// limits of int64. Empty is 0.
func integer(n number) (int64, error) {
	if n == "" {
		return 0, nil
	}
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i, nil
	}
	d, err := exact(n)
	if err != nil || !d.IsInteger() || !d.BigInt().IsInt64() {
		return 0, errNotNumber
	}
	return d.IntPart(), nil
}

// hours reads a decimal number of hours and rounds it to hundredths, half away
// from zero; Harvest keeps no more digits (harvest-api.md, section 7). Empty
// is 0, a running entry's first moment.
func hours(n number) (planner.Hours, error) {
	if n == "" {
		return 0, nil
	}
	d, err := exact(n)
	if err != nil {
		return 0, err
	}
	hundredths := d.Shift(2).Round(0)
	if !hundredths.BigInt().IsInt64() {
		return 0, errNotNumber
	}
	i := hundredths.IntPart()
	if i > math.MaxInt32 || i < math.MinInt32 { // 21 million hours
		return 0, errNotNumber
	}
	return planner.Hours(i), nil
}

// exact reads a number without losing a digit. Long texts and far exponents
// are refused before they can grow into millions of digits.
func exact(n number) (decimal.Decimal, error) {
	if len(n) > 40 {
		return decimal.Decimal{}, errNotNumber
	}
	d, err := decimal.NewFromString(string(n))
	if err != nil || d.Exponent() > 20 || d.Exponent() < -40 {
		return decimal.Decimal{}, errNotNumber
	}
	return d, nil
}

// instant reads a UTC instant; empty is the zero time (harvest-api.md, section
// 13: empty ones occur).
func instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, errNotInstant
	}
	return t.UTC(), nil
}

// envelope is what every list has around its rows (introduction/overview/
// pagination). Links.Next is kept raw: null ends the list, while a missing one
// means that something else answered.
type envelope struct {
	TotalPages   number `json:"total_pages"`
	TotalEntries number `json:"total_entries"`
	Links        *struct {
		Next json.RawMessage `json:"next"`
	} `json:"links"`
}

var errNoLinks = errors.New("links.next: missing")

// next returns the address of the next page, empty on the last one.
func (e *envelope) next() (string, error) {
	if e.Links == nil || len(e.Links.Next) == 0 {
		return "", errNoLinks
	}
	if string(e.Links.Next) == "null" {
		return "", nil
	}
	var next string
	if json.Unmarshal(e.Links.Next, &next) != nil || next == "" {
		return "", errNoLinks
	}
	return next, nil
}

// count returns a total for display; one that cannot be read is 0, unknown.
func count(n number) int {
	i, err := integer(n)
	if err != nil || i < 0 || i > math.MaxInt32 {
		return 0
	}
	return int(i)
}

// entriesPage is a page of time entries.
type entriesPage struct {
	envelope
	Entries []wireEntry `json:"time_entries"`
}

// decodeEntries reads a page of time entries.
func decodeEntries(body []byte) (page ledger.EntryPage, next string, err error) {
	var wire entriesPage
	if err := json.Unmarshal(body, &wire); err != nil {
		return ledger.EntryPage{}, "", describe(err)
	}
	if wire.Entries == nil {
		return ledger.EntryPage{}, "", errors.New("time_entries: missing")
	}
	if next, err = wire.next(); err != nil {
		return ledger.EntryPage{}, "", err
	}
	page = ledger.EntryPage{Entries: make([]ledger.RemoteEntry, len(wire.Entries)), Pages: count(wire.TotalPages), Total: count(wire.TotalEntries)}
	for i := range wire.Entries {
		if page.Entries[i], err = wire.Entries[i].entry(); err != nil {
			return ledger.EntryPage{}, "", fmt.Errorf("time_entries: %w", err)
		}
	}
	return page, next, nil
}

// decodeEntry reads one time entry.
func decodeEntry(body []byte) (ledger.RemoteEntry, error) {
	var wire wireEntry
	if err := json.Unmarshal(body, &wire); err != nil {
		return ledger.RemoteEntry{}, describe(err)
	}
	return wire.entry()
}

// describe turns an error of package json into one without content of the
// body.
func describe(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s: unexpected %s", kind.Field, strings.SplitN(kind.Value, " ", 2)[0])
	}
	return errors.New("not well-formed JSON")
}

// plain removes NUL, which JSON can carry and the store cannot.
func plain(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "")
}
