package harvest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
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

// entryScanner reads time entries (timesheets-api/timesheets/time-entries).
type entryScanner struct {
	scanner
	// Entries come sorted by date, so most dates are the one before.
	dateText []byte
	date     planner.Date
}

// entry reads one time entry. An entry that cannot be told apart, or whose
// date or hours cannot be read, is an error: a page must not be taken over
// half.
func (s *entryScanner) entry(e *ledger.RemoteEntry) {
	if !s.open('{') {
		s.fail(errKind)
		return
	}
	dated := false
	for s.more('}') {
		switch string(s.key()) {
		case "id":
			e.ID = s.id()
		case "spent_date":
			e.SpentDate, dated = s.spentDate()
		case "hours":
			e.Hours = s.hours()
		case "started_time":
			e.StartedTime = s.timeOfDay()
		case "ended_time":
			e.EndedTime = s.timeOfDay()
		case "notes":
			e.Notes = s.string()
		case "is_locked":
			e.IsLocked = s.flag()
		case "locked_reason":
			e.LockedReason = s.name()
		case "approval_status":
			e.ApprovalStatus = s.name()
		case "is_billed":
			e.IsBilled = s.flag()
		case "is_running":
			e.IsRunning = s.flag()
		case "billable":
			e.Billable = s.flag()
		case "timer_started_at":
			e.TimerStartedAt = s.instant()
		case "hours_without_timer":
			e.TimerBefore = s.hours()
		case "created_at":
			e.CreatedAt = s.instant()
		case "updated_at":
			e.UpdatedAt = s.instant()
		case "user":
			e.UserID, _, _ = s.named()
		case "client":
			e.ClientID, e.ClientName, e.Currency = s.named()
		case "project":
			e.ProjectID, e.ProjectName, _ = s.named()
		case "task":
			e.TaskID, e.TaskName, _ = s.named()
		case "external_reference":
			e.ReferenceID, e.ReferenceGroup = s.reference()
		default:
			s.skip()
		}
	}
	if !e.IsRunning {
		e.TimerStartedAt, e.TimerBefore = time.Time{}, 0
	}
	switch {
	case e.ID <= 0:
		s.fail(errNoID)
	case !dated:
		s.fail(errNotDate)
	}
}

// named reads an object with an id, a name and perhaps a currency. Null is an
// object without any: short forms have been nulled before.
func (s *entryScanner) named() (id int64, name, currency string) {
	if !s.open('{') {
		return 0, "", ""
	}
	for s.more('}') {
		switch string(s.key()) {
		case "id":
			id = s.id()
		case "name":
			name = s.name()
		case "currency":
			currency = s.name()
		default:
			s.skip()
		}
	}
	return id, name, currency
}

// reference reads an external reference. Its ids are texts, but other programs
// have sent numbers (harvest-api.md, section 9).
func (s *entryScanner) reference() (id, group string) {
	if !s.open('{') {
		return "", ""
	}
	for s.more('}') {
		switch string(s.key()) {
		case "id":
			id = s.string()
		case "group_id":
			group = s.name()
		default:
			s.skip()
		}
	}
	return id, group
}

func (s *entryScanner) id() int64 {
	id, err := integer(s.scalar())
	if err != nil {
		s.fail(err)
	}
	return id
}

func (s *entryScanner) hours() planner.Hours {
	h, err := hours(s.scalar())
	if err != nil {
		s.fail(err)
	}
	return h
}

// timeOfDay reads a time by either clock. One in a form that Harvest was not
// seen to write is none, rather than the end of every sync: hours say how long
// an entry is.
func (s *entryScanner) timeOfDay() planner.TimeOfDay {
	at, err := planner.ParseTimeOfDay(string(s.scalar()))
	if err != nil {
		return 0
	}
	return at
}

func (s *entryScanner) instant() time.Time {
	t, err := instant(s.scalar())
	if err != nil {
		s.fail(err)
	}
	return t
}

func (s *entryScanner) spentDate() (planner.Date, bool) {
	text := s.scalar()
	if len(text) == 0 {
		return 0, false
	}
	if !bytes.Equal(text, s.dateText) {
		date, err := planner.ParseDate(string(text))
		if err != nil {
			s.fail(errNotDate)
			return 0, false
		}
		s.date, s.dateText = date, append(s.dateText[:0], text...)
	}
	return s.date, true
}

var (
	errNotNumber  = errors.New("not a number of the expected size")
	errNotDate    = errors.New("not a date")
	errNotInstant = errors.New("not a date and time")
	errNoID       = errors.New("id: missing")
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

// integer reads a whole number as it is written: 17, 17.0 or 1.7e1, up to the
// limits of int64. Empty is 0.
func integer[T []byte | number](n T) (int64, error) {
	if len(n) == 0 {
		return 0, nil
	}
	if i, ok := plainDigits(n); ok {
		return i, nil
	}
	d, err := exact(string(n))
	if err != nil || !d.IsInteger() || !d.BigInt().IsInt64() {
		return 0, errNotNumber
	}
	return d.IntPart(), nil
}

// hours reads a decimal number of hours and rounds it to hundredths, half away
// from zero; Harvest keeps no more digits (harvest-api.md, section 7). Empty
// is 0, a running entry's first moment.
func hours[T []byte | number](n T) (planner.Hours, error) {
	if len(n) == 0 {
		return 0, nil
	}
	// 8, 7.5 and 7.25 without the detour.
	for i, c := range []byte(n) {
		fraction := len(n) - i - 1
		if c != '.' || fraction < 1 || fraction > 2 {
			continue
		}
		whole, ok1 := plainDigits(n[:i])
		part, ok2 := plainDigits(n[i+1:])
		if !ok1 || !ok2 || whole > maxHours {
			break
		}
		if fraction == 1 {
			part *= 10
		}
		return planner.Hours(whole*100 + part), nil
	}
	d, err := exact(string(n))
	if err != nil || d.Abs().GreaterThan(decimal.New(maxHours, 0)) {
		return 0, errNotNumber
	}
	return planner.Hours(d.Shift(2).Round(0).IntPart()), nil
}

// maxHours is far above what an entry can hold, and low enough for an int.
const maxHours = 1_000_000

// plainDigits reads up to 18 digits and nothing else.
func plainDigits[T []byte | number](n T) (i int64, ok bool) {
	if len(n) == 0 || len(n) > 18 {
		return 0, false
	}
	for j := range len(n) {
		c := n[j]
		if c < '0' || c > '9' {
			return 0, false
		}
		i = i*10 + int64(c-'0')
	}
	return i, true
}

// exact reads a number without losing a digit. Long texts and far exponents
// are refused before they can grow into millions of digits.
func exact(n string) (decimal.Decimal, error) {
	if len(n) > 40 {
		return decimal.Decimal{}, errNotNumber
	}
	d, err := decimal.NewFromString(n)
	if err != nil || d.Exponent() > 20 || d.Exponent() < -40 {
		return decimal.Decimal{}, errNotNumber
	}
	return d, nil
}

// instant reads a UTC instant; empty is the zero time (harvest-api.md, section
// 13: empty ones occur).
func instant(text []byte) (t time.Time, err error) {
	if len(text) == 0 {
		return time.Time{}, nil
	}
	if t.UnmarshalText(text) != nil {
		return time.Time{}, errNotInstant
	}
	return t.UTC(), nil
}

// envelope is what every list has around its rows (introduction/overview/
// pagination). Links.Next is kept raw: null ends the list, while a missing one
// means that something else answered.
type envelope struct {
	Links *struct {
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

// decodeEntries reads a page of time entries and the link to the next one.
func decodeEntries(body []byte) (page ledger.EntryPage, next string, err error) {
	s := entryScanner{scanner: scanner{text: body}}
	listed, linked := false, false
	if !s.open('{') {
		s.fail(errKind)
	}
	for s.more('}') {
		switch string(s.key()) {
		case "time_entries":
			if listed = s.open('['); !listed {
				break
			}
			// An entry has about a kilobyte; a wrong guess costs a copy.
			page.Entries = make([]ledger.RemoteEntry, 0, min(len(body)/900+1, maxPerPage))
			for s.more(']') {
				page.Entries = append(page.Entries, ledger.RemoteEntry{})
				s.entry(&page.Entries[len(page.Entries)-1])
			}
		case "total_pages":
			page.Pages = s.count()
		case "total_entries":
			page.Total = s.count()
		case "links":
			next, linked = s.nextLink()
		default:
			s.skip()
		}
	}
	s.end()
	switch {
	case s.err != nil:
		return ledger.EntryPage{}, "", s.err
	case !listed:
		return ledger.EntryPage{}, "", errors.New("time_entries: missing")
	case !linked:
		return ledger.EntryPage{}, "", errNoLinks
	}
	return page, next, nil
}

// nextLink reads the links of a page; see envelope.
func (s *entryScanner) nextLink() (next string, linked bool) {
	if !s.open('{') {
		return "", false
	}
	for s.more('}') {
		if string(s.key()) != "next" {
			s.skip()
			continue
		}
		null := s.peek() == 'n'
		next = s.string()
		linked = null || next != ""
	}
	return next, linked
}

// count reads a total for display; one that makes no sense is 0, unknown.
func (s *entryScanner) count() int {
	i, err := integer(s.scalar())
	if err != nil || i < 0 || i > math.MaxInt32 {
		return 0
	}
	return int(i)
}

// decodeEntry reads one time entry.
func decodeEntry(body []byte) (entry ledger.RemoteEntry, err error) {
	s := entryScanner{scanner: scanner{text: body}}
	s.entry(&entry)
	s.end()
	return entry, s.err
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
