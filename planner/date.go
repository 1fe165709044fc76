package planner

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// Date is a calendar date without a zone, counted in days since 1970-01-01.
// Dates compare and subtract like integers. The zero value is 1970-01-01; a
// missing date is told by the code around it, never by zero.
type Date int32

// NewDate returns the date of the given year, month and day. Out-of-range
// values are normalised like [time.Date] does it.
func NewDate(year int, month time.Month, day int) Date {
	return DateOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// DateOf returns the calendar date that t shows in its own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

const secondsPerDay = 24 * 60 * 60

// ParseDate reads an ISO 8601 calendar date ("2026-11-23"). Years before 1900
// or after 2199 are refused: they are typing mistakes, and Harvest has no use
// for them.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("parse date %q: %w", s, err)
	}
	if t.Year() < 1900 || t.Year() > 2199 {
		return 0, fmt.Errorf("parse date %q: year out of range", s)
	}
	return DateOf(t), nil
}

// Time returns midnight UTC of the date.
func (d Date) Time() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// AddDays returns the date n days later; n may be negative.
func (d Date) AddDays(n int) Date { return d + Date(n) }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.Time().Weekday() }

// String returns the date in ISO 8601 form, "2026-11-23".
func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// Format formats the date with a layout of package time; only its date parts
// are meaningful.
func (d Date) Format(layout string) string { return d.Time().Format(layout) }

// MarshalText returns the ISO 8601 form.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the ISO 8601 form.
func (d *Date) UnmarshalText(text []byte) error {
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Scan reads a database date, which drivers deliver as midnight UTC.
func (d *Date) Scan(src any) error {
	t, ok := src.(time.Time)
	if !ok {
		return fmt.Errorf("scan date: unexpected %T", src)
	}
	*d = DateOf(t)
	return nil
}

// Value gives database drivers midnight UTC of the date.
func (d Date) Value() (driver.Value, error) { return d.Time(), nil }
