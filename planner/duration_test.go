package planner_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"furrow/planner"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want planner.Minutes
	}{
		{"", 0}, {"   ", 0}, {"0", 0}, {"0:00", 0}, {"-0", 0}, {"0h", 0}, {"0.0", 0}, {"0m", 0},
		{"1", 60}, {"2", 120}, {"12", 720}, {" 2 ", 120}, {"02", 120},
		{"2.5", 150}, {"2,5", 150}, {".5", 30}, {",5", 30}, {"2.5h", 150}, {"2,5 h", 150}, {"0.25", 15}, {"0.33", 20}, {"0.333333", 20}, {"1.01", 61}, {"0.01", 1},
		{"0.008", 0}, {"0.009", 1}, {"7.75 hours", 465}, {"1.5 hrs", 90}, {"1.5 hr", 90},
		{":30", 30}, {"1:30", 90}, {"0:05", 5}, {"01:30", 90}, {"24:00", 1440}, {"008:00", 480},
		{"1h30", 90}, {"1h 30m", 90}, {"1 h 30 min", 90}, {"1H30M", 90}, {"1h5", 65}, {"1hour30minutes", 90}, {"1 hour 30", 90}, {"2hrs 15 mins", 135},
		{"8h", 480}, {"8 h", 480}, {"1 hour", 60}, {"24h", 1440},
		{"90m", 90}, {"90min", 90}, {"90 minutes", 90}, {"1 minute", 1}, {"1440m", 1440}, {"00090m", 90},
	} {
		if got, err := planner.ParseDuration(tt.text); err != nil || got != tt.want {
			t.Errorf("%q: %d, %v; want %d", tt.text, got, err, tt.want)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want error
	}{
		{"x", planner.ErrNotDuration}, {"1:60", planner.ErrNotDuration}, {"1:5", planner.ErrNotDuration}, {"1:", planner.ErrNotDuration}, {":", planner.ErrNotDuration},
		{".", planner.ErrNotDuration}, {"1.", planner.ErrNotDuration}, {"h", planner.ErrNotDuration}, {"1h60", planner.ErrNotDuration}, {"1h30s", planner.ErrNotDuration},
		{"1e3", planner.ErrNotDuration}, {"0x10", planner.ErrNotDuration}, {"1 2", planner.ErrNotDuration}, {"1:30:00", planner.ErrNotDuration}, {"+1", planner.ErrNotDuration},
		{"-", planner.ErrNotDuration}, {"--1", planner.ErrNotDuration}, {"-x", planner.ErrNotDuration}, {"1-2", planner.ErrNotDuration}, {"½", planner.ErrNotDuration},
		{"١", planner.ErrNotDuration}, {"1.0000000", planner.ErrNotDuration}, {"1000:00", planner.ErrNotDuration},
		{"-1", planner.ErrNegative}, {"−1", planner.ErrNegative}, {"-0:30", planner.ErrNegative}, {"- 2h", planner.ErrNegative}, {"-90", planner.ErrNegative}, {"-25h", planner.ErrNegative},
		{"24:01", planner.ErrTooLong}, {"25h", planner.ErrTooLong}, {"24.01", planner.ErrTooLong}, {"1441m", planner.ErrTooLong}, {"999:59", planner.ErrTooLong}, {"24h1", planner.ErrTooLong},
	} {
		if got, err := planner.ParseDuration(tt.text); !errors.Is(err, tt.want) {
			t.Errorf("%q: %d, %v; want %v", tt.text, got, err, tt.want)
		}
	}
}

func TestParseDurationAsks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"13": 13, "30": 30, "90": 90, "999999": 999999, "015": 15} {
		var ambiguous *planner.AmbiguousError
		if got, err := planner.ParseDuration(text); !errors.As(err, &ambiguous) || ambiguous.Number != want || got != 0 {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

// TestParseDurationIsQuick: a text that no field would hold is refused as fast
// as it is read. One by one, its signs took minutes.
func TestParseDurationIsQuick(t *testing.T) {
	t.Parallel()
	for _, text := range []string{strings.Repeat("-", 1<<20), strings.Repeat("1", 1<<20), "1" + strings.Repeat(" ", 1<<20) + "x", strings.Repeat("1:", 1<<19)} {
		if got, err := planner.ParseDuration(text); !errors.Is(err, planner.ErrNotDuration) {
			t.Errorf("%d bytes: %d, %v", len(text), got, err)
		}
	}
}

// FuzzParseDuration: whatever is typed, an answer is a time that fits a day, or
// one of the refusals, and the forms that people are shown are read back.
func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"", "1", "1:30", "1h30", "2,5", "-1", "90m", "13", "1.5h", "−0", "24:00", "99999999999", "\x00", "1h 59 min"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := planner.ParseDuration(text)
		var ambiguous *planner.AmbiguousError
		switch {
		case err == nil:
			if m < 0 || m > planner.MaxCell {
				t.Errorf("%q is %d minutes", text, m)
			}
			for _, format := range []planner.DurationFormat{planner.HoursMinutes, planner.Decimal} {
				if again, err := planner.ParseDuration(typed(format, m)); err != nil || again != m {
					t.Errorf("%q is %d minutes, shown as %q, read as %d, %v", text, m, format.Format(m), again, err)
				}
			}
		case m != 0:
			t.Errorf("%q: %d with %v", text, m, err)
		case errors.As(err, &ambiguous):
			if ambiguous.Number < 13 {
				t.Errorf("%q is said to be ambiguous", text)
			}
		case !errors.Is(err, planner.ErrNotDuration) && !errors.Is(err, planner.ErrNegative) && !errors.Is(err, planner.ErrTooLong):
			t.Errorf("%q: %v", text, err)
		}
		// Blanks around and capital letters change nothing.
		if utf8.ValidString(text) && strings.ToLower(text) == text && strings.ToLower(strings.ToUpper(text)) == text {
			again, errAgain := planner.ParseDuration("  " + strings.ToUpper(text) + "\t")
			if again != m || (err == nil) != (errAgain == nil) {
				t.Errorf("%q: %d, %v; in capitals %d, %v", text, m, err, again, errAgain)
			}
		}
	})
}

// typed is m as it is shown, in a form that is not ambiguous when typed: the
// decimal form of 13 hours and more has no fraction to tell it from minutes.
func typed(f planner.DurationFormat, m planner.Minutes) string {
	text := f.Format(m)
	if !strings.ContainsAny(text, ".:") {
		text += "h"
	}
	return text
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		minutes      planner.Minutes
		clock, dec   string
		words, hours string
	}{
		{0, "0:00", "0", "0 minutes", "0.00"},
		{1, "0:01", "0.02", "1 minute", "0.02"},
		{20, "0:20", "0.33", "20 minutes", "0.33"},
		{30, "0:30", "0.5", "30 minutes", "0.50"},
		{45, "0:45", "0.75", "45 minutes", "0.75"},
		{60, "1:00", "1", "1 hour", "1.00"},
		{90, "1:30", "1.5", "1 hour 30", "1.50"},
		{120, "2:00", "2", "2 hours", "2.00"},
		{605, "10:05", "10.08", "10 hours 5", "10.08"},
		{600, "10:00", "10", "10 hours", "10.00"},
		{2250, "37:30", "37.5", "37 hours 30", "37.50"},
		{-90, "-1:30", "-1.5", "", "-1.50"},
		{-1, "-0:01", "-0.02", "", "-0.02"},
	} {
		if got := planner.HoursMinutes.Format(tt.minutes); got != tt.clock {
			t.Errorf("%d minutes: %q, want %q", tt.minutes, got, tt.clock)
		}
		if got := planner.Decimal.Format(tt.minutes); got != tt.dec {
			t.Errorf("%d minutes: %q, want %q", tt.minutes, got, tt.dec)
		}
		if got := tt.minutes.Words(); tt.words != "" && got != tt.words {
			t.Errorf("%d minutes: %q, want %q", tt.minutes, got, tt.words)
		}
		if got := tt.minutes.Hours().Decimal(); got != tt.hours {
			t.Errorf("%d minutes: %q hours, want %q", tt.minutes, got, tt.hours)
		}
	}
}

// TestMinutesAndHours: hundredths of an hour are finer than minutes, so minutes
// survive the way there and back, and no other minute is as near.
func TestMinutesAndHours(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := planner.Minutes(rapid.IntRange(-100_000, 100_000).Draw(t, "minutes"))
		h := m.Hours()
		if h.Minutes() != m {
			t.Errorf("%d minutes are %d hundredths are %d minutes", m, h, h.Minutes())
		}
		if (-m).Hours() != -h {
			t.Errorf("%d minutes are not the opposite of %d", m, -m)
		}
		if diff := int(h)*60 - int(m)*100; diff > 30 || diff < -30 {
			t.Errorf("%d minutes are not %d hundredths", m, h)
		}
		if next := (m + 1).Hours(); next <= h {
			t.Errorf("%d and %d minutes are %d and %d hundredths", m, m+1, h, next)
		}
		n := planner.Hours(rapid.IntRange(-100_000, 100_000).Draw(t, "hours"))
		if diff := int(n.Minutes())*100 - int(n)*60; diff > 50 || diff < -50 {
			t.Errorf("%d hundredths are not %d minutes", n, n.Minutes())
		}
	})
}

// TestTypedForms: every form that the parser promises gives the same minutes.
func TestTypedForms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := planner.Minutes(rapid.IntRange(0, int(planner.MaxCell)).Draw(t, "minutes"))
		hours, rest := int(m)/60, int(m)%60
		forms := []string{
			fmt.Sprintf("%d:%02d", hours, rest), fmt.Sprintf("%dh%d", hours, rest), fmt.Sprintf("%d h %02dm", hours, rest), fmt.Sprintf("%dm", m),
			fmt.Sprintf("%d min", m), m.Hours().Decimal(), strings.Replace(m.Hours().Decimal(), ".", ",", 1), m.Hours().Decimal() + "h",
			typed(planner.HoursMinutes, m), typed(planner.Decimal, m),
		}
		for _, form := range forms {
			if got, err := planner.ParseDuration(form); err != nil || got != m {
				t.Errorf("%q: %d, %v; want %d", form, got, err, m)
			}
		}
		if m > 0 {
			if _, err := planner.ParseDuration("-" + forms[0]); !errors.Is(err, planner.ErrNegative) {
				t.Errorf("-%s: %v", forms[0], err)
			}
		}
	})
}
