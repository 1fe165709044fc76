package planner

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Money is a sum in hundredths of a currency's unit, whatever the currency:
// Harvest's rates have two digits.
type Money struct {
	Minor    int64
	Currency string // ISO 4217; may be empty
}

// mostMoney is far beyond every budget, in units; sums of such still fit.
const mostMoney = 1_000_000_000_000

// ParseMoney reads a sum from decimal text, to the nearest hundredth. ok is
// false if there is none in it.
func ParseMoney(text, currency string) (m Money, ok bool) {
	d, err := decimal.NewFromString(text)
	if err != nil || d.Abs().Cmp(decimal.New(mostMoney, 0)) > 0 {
		return Money{}, false
	}
	return Money{Minor: d.Shift(2).Round(0).IntPart(), Currency: currency}, true
}

// ErrNotMoney: the text is not a sum in any form we read.
var ErrNotMoney = errors.New("not a sum of money")

// moneyForm has no place for thousands separators: "1,000" may be either.
var moneyForm = regexp.MustCompile(`^\d{1,9}(?:[.,]\d{1,2})?$`)

// ReadMoney reads a sum as people type it: "95", "82.5", "82,50". The error is
// [ErrNotMoney].
func ReadMoney(text, currency string) (Money, error) {
	if !moneyForm.MatchString(text) {
		return Money{}, ErrNotMoney
	}
	m, ok := ParseMoney(strings.Replace(text, ",", ".", 1), currency)
	if !ok {
		return Money{}, ErrNotMoney
	}
	return m, nil
}

// Decimal returns the sum without its currency as decimal text, "1250.00".
func (m Money) Decimal() string { return decimal.New(m.Minor, -2).StringFixed(2) }

// Amount is the sum as people read it, without its currency: "1,250.00".
func (m Money) Amount() string {
	if m.Minor < 0 {
		return "−" + m.abs()
	}
	return m.abs()
}

// String is the sum as people read it: "1,250.00 EUR".
func (m Money) String() string { return m.Amount() + m.unit() }

// Signed is the sum as a change: "+1,250.00 EUR".
func (m Money) Signed() string {
	if m.Minor < 0 {
		return m.String()
	}
	return "+" + m.String()
}

func (m Money) abs() string {
	text := Money{Minor: max(m.Minor, -m.Minor)}.Decimal()
	for i := len(text) - len(".00") - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func (m Money) unit() string {
	if m.Currency == "" {
		return ""
	}
	return "\u00a0" + m.Currency
}

// mostHours is far beyond every budget, and what hundredths of an hour can hold.
const mostHours = 1_000_000_000

// HoursOf reads hours from decimal text, to the nearest hundredth. ok is false
// if there are none in it.
func HoursOf(text string) (h Hours, ok bool) {
	d, err := decimal.NewFromString(text)
	if err != nil || d.Abs().Cmp(decimal.New(mostHours, 0)) > 0 {
		return 0, false
	}
	return Hours(d.Shift(2).Round(0).IntPart()), true
}

// Rate is what an hour is worth. The zero Rate is not known.
type Rate struct {
	PerHour Money
	Known   bool
}

// Of is what hours are worth, to the nearest hundredth.
func (r Rate) Of(h Hours) Money {
	return Money{Minor: divide(r.PerHour.Minor*int64(h), 100), Currency: r.PerHour.Currency}
}

// divide rounds to the nearest, halves away from zero.
func divide(n, by int64) int64 {
	if n < 0 {
		return -divide(-n, by)
	}
	return (n + by/2) / by
}

// Work is time on a row. What was earned is told by the rate as it is now, not
// as it was when the time was tracked.
type Work struct {
	Row      RowID
	Rate     Rate
	Billable bool // what is planned is
	Planned  Minutes
	Tracked  Hours
	Billed   Hours // of Tracked, on entries that are billable
}

// Figures are what work comes to. What is billable without a known rate is in
// no sum of money.
type Figures struct {
	Planned, Earned []Money // by currency, without those that come to nothing

	PlannedTime, PlannedBillable, PlannedUnrated Minutes
	TrackedTime, TrackedBillable, TrackedUnrated Hours
}

// Sum adds work up. Money is rounded once, so it does not matter how the work is
// divided.
func Sum(work []Work) Figures {
	var f Figures
	planned, earned := purse{}, purse{}
	for i := range work {
		w := &work[i]
		f.PlannedTime += w.Planned
		f.TrackedTime += w.Tracked
		f.TrackedBillable += w.Billed
		if w.Billable {
			f.PlannedBillable += w.Planned
		}
		if !w.Rate.Known {
			f.TrackedUnrated += w.Billed
			if w.Billable {
				f.PlannedUnrated += w.Planned
			}
			continue
		}
		perHour := w.Rate.PerHour
		earned[perHour.Currency] += perHour.Minor * int64(w.Billed)
		if w.Billable {
			planned[perHour.Currency] += perHour.Minor * int64(w.Planned)
		}
	}
	f.Planned, f.Earned = planned.sums(60), earned.sums(100)
	return f
}

// purse is money by currency, in parts of its hundredths.
type purse map[string]int64

func (p purse) sums(parts int64) []Money {
	var sums []Money
	for currency, n := range p {
		if minor := divide(n, parts); minor != 0 {
			sums = append(sums, Money{minor, currency})
		}
	}
	slices.SortFunc(sums, func(a, b Money) int { return cmp.Compare(a.Currency, b.Currency) })
	return sums
}

// In returns the sum in a currency.
func In(currency string, sums []Money) Money {
	for _, m := range sums {
		if m.Currency == currency {
			return m
		}
	}
	return Money{Currency: currency}
}

// Percent is part of whole in percent. It is only 0 or 100 if it is exactly
// that. ok is false if there is nothing to be part of.
func Percent(part, whole int) (percent int, ok bool) {
	switch {
	case whole <= 0:
		return 0, false
	case part <= 0:
		return 0, true
	case part >= whole:
		return 100, true
	default:
		return min(max((part*100+whole/2)/whole, 1), 99), true
	}
}

// Goal is what somebody wants to earn.
type Goal struct {
	Amount Money
	Every  Period
}

// Period is how often a goal is to be reached.
type Period string

// The periods of goals.
const (
	EveryWeek  Period = "week"
	EveryMonth Period = "month"
)
