// Package views is what people see: templ components, the models they are
// rendered from, and the addresses they link to.
//
// Components are pure: the same model gives the same bytes. A model holds
// planner and ledger values or finished text; instants arrive as [Moment],
// already told in the reader's zone. Text from Harvest or from people is only
// ever written through templ's escaping. Nothing here reads a clock, a store or
// a request.
//
// Every form works without script. With htmx, a form whose answer replaces a
// part of the page carries hx-post beside its action, and the answer is that
// part, or ErrorFragment.
//
// The component of a model is its method View.
package views

import (
	"strconv"
	"time"

	"github.com/a-h/templ"

	"furrow/planner"
)

// Moment is an instant as the reader is told it.
type Moment struct {
	ISO  string // RFC 3339, for machines
	Text string // "14:32", "Tue 24 Nov, 14:32"
}

// MomentAt tells t in zone: the time alone if it is on the same date as now
// there, with the date otherwise. A zero t gives the zero Moment, which is
// shown as nothing. clock is "12h" or, by default, 24 hours.
func MomentAt(t, now time.Time, zone *time.Location, clock string) Moment {
	layout := "15:04"
	if clock == "12h" {
		layout = "3:04 pm"
	}
	return momentAt(t, now, zone, layout)
}

// ExactMomentAt is [MomentAt] to the second.
func ExactMomentAt(t, now time.Time, zone *time.Location, clock string) Moment {
	layout := "15:04:05"
	if clock == "12h" {
		layout = "3:04:05 pm"
	}
	return momentAt(t, now, zone, layout)
}

func momentAt(t, now time.Time, zone *time.Location, layout string) Moment {
	if t.IsZero() {
		return Moment{}
	}
	local, today := t.In(zone), now.In(zone)
	switch {
	case planner.DateOf(local) == planner.DateOf(today):
	case local.Year() == today.Year():
		layout = "Mon 2 Jan, " + layout
	default:
		layout = "2 Jan 2006, " + layout
	}
	return Moment{ISO: t.UTC().Format(time.RFC3339), Text: local.Format(layout)}
}

// IsZero reports whether there is nothing to tell.
func (m Moment) IsZero() bool { return m.Text == "" }

// Options are the choices of a select element or of a filter.
type Option struct {
	Value    string
	Label    string
	Selected bool
	Count    int // shown beside the label if the place shows counts
}

// Fields are a form as it was typed and what is wrong with it. Values and
// Errors are keyed by field name; secrets are never in Values. Errors[""] is
// about the form as a whole.
type Fields struct {
	Values map[string]string
	Errors planner.FieldErrors
}

// Value returns what was typed in a field.
func (f Fields) Value(name string) string { return f.Values[name] }

// Err returns what is wrong with a field, or nothing.
func (f Fields) Err(name string) string { return f.Errors[name] }

// Bad reports whether anything is wrong.
func (f Fields) Bad() bool { return len(f.Errors) > 0 }

// polled makes an element ask for itself again and again, at an address; never if
// that is empty. It stays as it is where the answer is an error.
func polled(every, url string) templ.OrderedAttributes {
	if url == "" {
		return nil
	}
	return templ.OrderedAttributes{
		{Key: "hx-get", Value: url}, {Key: "hx-trigger", Value: "every " + every}, {Key: "hx-swap", Value: "outerMorph"},
		{Key: "hx-status:4xx", Value: "swap:none"}, {Key: "hx-status:5xx", Value: "swap:none"},
	}
}

// hues is how many client colours the style sheet has.
const hues = 12

// hueClass is the CSS class of a client's hue; any number is folded into 0..11.
func hueClass(hue int) string { return "hue-" + strconv.Itoa(((hue%hues)+hues)%hues) }

func itoa(n int) string { return strconv.Itoa(n) }

// grouped writes a count with thousands separated: "5,412".
func grouped(n int) string {
	s := strconv.Itoa(n)
	if n < 0 {
		return "-" + grouped(-n)
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted is a number with its noun in the right form: "1 line", "3 lines".
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }
