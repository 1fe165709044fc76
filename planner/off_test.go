package planner_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/planner"
)

func TestTimesOff(t *testing.T) {
	t.Parallel()
	got := planner.TimesOff([]planner.DayOff{{14, ""}, {11, "Sea"}, {10, "Sea"}, {12, ""}, {13, ""}, {16, ""}})
	want := []planner.TimeOff{{10, 11, "Sea"}, {12, 14, ""}, {16, 16, ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := planner.TimesOff(nil); got != nil {
		t.Errorf("of none %v", got)
	}
}

// What was put together comes apart again.
func TestTimesOffDays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dates := rapid.SliceOfDistinct(rapid.IntRange(0, 40), func(d int) int { return d }).Draw(rt, "dates")
		var days, again []planner.DayOff
		for _, d := range dates {
			days = append(days, planner.DayOff{Date: planner.Date(d), Name: rapid.SampledFrom([]string{"", "Sea"}).Draw(rt, "name")})
		}
		for _, off := range planner.TimesOff(days) {
			for _, d := range off.Days() {
				again = append(again, planner.DayOff{Date: d, Name: off.Name})
			}
		}
		slices.SortFunc(days, func(a, b planner.DayOff) int { return int(a.Date - b.Date) })
		if diff := cmp.Diff(days, again); diff != "" {
			rt.Error(diff)
		}
	})
}

func TestOwnCapacity(t *testing.T) {
	t.Parallel()
	p := planner.Profile{WeeklyCapacity: 2250}
	p.OwnCapacity[time.Monday] = planner.OwnCapacity{Chosen: true}
	p.OwnCapacity[time.Saturday] = planner.OwnCapacity{Chosen: true, Minutes: 120}
	monday := planner.NewDate(2026, time.November, 23)
	for i, want := range []planner.Minutes{0, 450, 450, 450, 450, 120, 0} {
		if got := p.Capacity(monday.AddDays(i)); got != want {
			t.Errorf("%s: %d, want %d", monday.AddDays(i).Weekday(), got, want)
		}
	}
}

func TestMonth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ week, wantFirst, wantLast string }{
		{"2026-11-23", "2026-11-01", "2026-11-30"},
		{"2026-11-30", "2026-12-01", "2026-12-31"}, // most of it is in December
		{"2026-10-29", "2026-11-01", "2026-11-30"},
		{"2026-10-28", "2026-10-01", "2026-10-31"},
		{"2028-02-26", "2028-02-01", "2028-02-29"},
		{"2026-12-29", "2027-01-01", "2027-01-31"},
	} {
		start, err := planner.ParseDate(tt.week)
		if err != nil {
			t.Fatal(err)
		}
		m := planner.Week{Start: start}.Month()
		if m.Start.String() != tt.wantFirst || m.End().String() != tt.wantLast {
			t.Errorf("week of %s: %s to %s, want %s to %s", tt.week, m.Start, m.End(), tt.wantFirst, tt.wantLast)
		}
		if !m.Contains(m.Start) || !m.Contains(m.End()) || m.Contains(m.Start-1) || m.Contains(m.Next().Start) {
			t.Errorf("%s holds the wrong days", tt.wantFirst)
		}
	}
}
