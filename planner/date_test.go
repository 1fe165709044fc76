package planner_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"furrow/planner"
)

// anyDate draws a date that a user can name, with its time as reference.
func anyDate(t *rapid.T, label string) (planner.Date, time.Time) {
	first := time.Date(1900, time.January, 1, 0, 0, 0, 0, time.UTC)
	days := rapid.IntRange(0, 300*365).Draw(t, label)
	at := first.AddDate(0, 0, days)
	return planner.DateOf(at), at
}

func TestDateAgreesWithTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		date, at := anyDate(t, "date")
		n := rapid.IntRange(-2000, 2000).Draw(t, "days")
		if !date.Time().Equal(at) || date.Weekday() != at.Weekday() || date.String() != at.Format(time.DateOnly) {
			t.Errorf("%v is %v", at, date)
		}
		later := at.AddDate(0, 0, n)
		if got := date.AddDays(n); !got.Time().Equal(later) || int(got-date) != n {
			t.Errorf("%v and %d days is %v, want %v", date, n, got, later)
		}
		if got := planner.NewDate(at.Year(), at.Month(), at.Day()); got != date {
			t.Errorf("%v, want %v", got, date)
		}
		if got, err := planner.ParseDate(date.String()); err != nil || got != date {
			t.Errorf("%v reads as %v, %v", date, got, err)
		}
		text, err := json.Marshal(date)
		var back planner.Date
		if err != nil || json.Unmarshal(text, &back) != nil || back != date {
			t.Errorf("%v became %s and %v, %v", date, text, back, err)
		}
		value, err := date.Value()
		if err != nil || back.Scan(value) != nil || back != date {
			t.Errorf("%v became %v and %v, %v", date, value, back, err)
		}
	})
}

// TestDateOfShowsTheWallClock: the date of an instant is the one that people in
// the zone read, whatever their clocks were set to that day.
func TestDateOfShowsTheWallClock(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Europe/Copenhagen", "America/New_York", "Pacific/Apia", "Pacific/Kiritimati", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(-2_000_000_000, 6_000_000_000).Draw(t, "unix"), 0).In(zone)
		want := at.Format(time.DateOnly)
		if got := planner.DateOf(at).String(); got != want {
			t.Errorf("%v is on %s", at, got)
		}
		if got := (planner.Profile{TimeZone: name}).Today(at.UTC()).String(); got != want {
			t.Errorf("%v is on %s", at, got)
		}
	})
}

func TestToday(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, zone, now, want string
	}{
		{"just before midnight", "Europe/Copenhagen", "2026-11-23T22:59:59Z", "2026-11-23"},
		{"midnight", "Europe/Copenhagen", "2026-11-23T23:00:00Z", "2026-11-24"},
		{"the night of 23 hours", "Europe/Copenhagen", "2026-03-29T01:30:00Z", "2026-03-29"},
		{"its end", "Europe/Copenhagen", "2026-03-29T21:59:59Z", "2026-03-29"},
		{"after its end", "Europe/Copenhagen", "2026-03-29T22:00:00Z", "2026-03-30"},
		{"the day of 25 hours", "Europe/Copenhagen", "2026-10-25T22:59:59Z", "2026-10-25"},
		{"after its end", "Europe/Copenhagen", "2026-10-25T23:00:00Z", "2026-10-26"},
		{"a midnight that does not exist", "America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-04"},
		{"far east", "Pacific/Kiritimati", "2026-12-31T10:00:00Z", "2027-01-01"},
		{"far west", "Pacific/Pago_Pago", "2027-01-01T10:59:59Z", "2026-12-31"},
		{"leap day", "UTC", "2028-02-29T12:00:00Z", "2028-02-29"},
		{"a zone that is not known", "Mars/Olympus", "2026-11-23T23:30:00Z", "2026-11-23"},
		{"none", "", "2026-11-23T23:30:00Z", "2026-11-23"},
	} {
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := (planner.Profile{TimeZone: tt.zone}).Today(now).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestParseDateRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "today", "2026-13-01", "2026-02-29", "2026-00-10", "2026-1-1", "1899-12-31", "2200-01-01", "0000-01-01", "2026-11-23T00:00:00Z", " 2026-11-23",
		"-2026-11-23", "20261123", "2026-11-31", "2026-11-23\x00", "٢٠٢٦-١١-٢٣",
	} {
		if got, err := planner.ParseDate(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	for _, text := range []string{"1900-01-01", "2199-12-31", "2028-02-29", "2000-02-29"} {
		if got, err := planner.ParseDate(text); err != nil || got.String() != text {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	var date planner.Date
	if err := date.Scan("2026-11-23"); err == nil {
		t.Error("a text was scanned")
	}
}

// TestWeeks: a week is the seven days that begin on its first weekday; weeks
// lie side by side and leave no day out, over leap days, year ends and weeks 53.
func TestWeeks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		date, at := anyDate(t, "date")
		start := time.Weekday(rapid.IntRange(0, 6).Draw(t, "start"))
		w := planner.WeekOf(date, start)
		if !w.Contains(date) || w.Start.Weekday() != start || date-w.Start < 0 || date-w.Start > 6 {
			t.Errorf("week %v of %v", w, date)
		}
		days := w.Days()
		for i, day := range days {
			if day != w.Day(i) || planner.WeekOf(day, start) != w || day != w.Start.AddDays(i) {
				t.Errorf("day %d of week %v is %v", i, w, day)
			}
		}
		if days[6] != w.End() || w.Contains(w.End()+1) || w.Contains(w.Start-1) {
			t.Errorf("week %v ends on %v", w, w.End())
		}
		if w.Next().Previous() != w || w.Next().Start != w.End()+1 || planner.WeekOf(w.End()+1, start) != w.Next() {
			t.Errorf("week %v is followed by %v", w, w.Next())
		}
		if start == time.Monday { // ISO weeks are the reference
			year, number := at.ISOWeek()
			for _, day := range days {
				if y, n := day.Time().ISOWeek(); y != year || n != number {
					t.Errorf("%v lies in week %d of %d, not in %d of %d", day, n, y, number, year)
				}
			}
		}
		if w.String() != w.Start.String() {
			t.Errorf("week %s begins on %s", w, w.Start)
		}
	})
}

func TestWeekTable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, date string
		start      time.Weekday
		want       string
	}{
		{"the first day", "2026-11-23", time.Monday, "2026-11-23"},
		{"the last day", "2026-11-29", time.Monday, "2026-11-23"},
		{"Sunday first", "2026-11-29", time.Sunday, "2026-11-29"},
		{"Saturday first", "2026-11-27", time.Saturday, "2026-11-21"},
		{"week 53", "2027-01-01", time.Monday, "2026-12-28"},
		{"over a leap day", "2028-03-01", time.Monday, "2028-02-28"},
		{"over the start of summer time", "2026-03-29", time.Monday, "2026-03-23"},
		{"before 1970", "1969-12-31", time.Monday, "1969-12-29"},
	} {
		date, err := planner.ParseDate(tt.date)
		if err != nil {
			t.Fatal(err)
		}
		if got := planner.WeekOf(date, tt.start).String(); got != tt.want {
			t.Errorf("%s: week of %s begins on %s, want %s", tt.name, tt.date, got, tt.want)
		}
	}
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	p := planner.Profile{WeeklyCapacity: 2250}
	week := planner.WeekOf(planner.NewDate(2026, time.November, 25), time.Sunday)
	var got []planner.Minutes
	for _, day := range week.Days() {
		got = append(got, p.Capacity(day))
	}
	for i, want := range []planner.Minutes{0, 450, 450, 450, 450, 450, 0} {
		if got[i] != want {
			t.Errorf("%v: %d, want %d", week.Day(i), got[i], want)
		}
	}
}
