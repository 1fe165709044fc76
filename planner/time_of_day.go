package planner

import (
	"errors"
	"fmt"
	"strings"
)

// TimeOfDay is what a clock on the wall shows, in whole minutes, without a date
// and a zone. Times of day compare like integers. The zero value is no time at
// all: midnight is one minute more than nothing.
type TimeOfDay int16

// TimeAt returns the time that many minutes after midnight; none if that is not
// a time of the day.
func TimeAt(afterMidnight Minutes) TimeOfDay {
	if afterMidnight < 0 || afterMidnight >= MaxCell {
		return 0
	}
	return TimeOfDay(afterMidnight) + 1
}

// IsZero reports whether there is no time.
func (t TimeOfDay) IsZero() bool { return t == 0 }

// Minutes returns the minutes since midnight; 0 if there is no time.
func (t TimeOfDay) Minutes() Minutes { return Minutes(max(t, 1) - 1) }

// Add returns the time m later. There is none after midnight, and none after
// no time.
func (t TimeOfDay) Add(m Minutes) TimeOfDay {
	if t.IsZero() {
		return 0
	}
	return TimeAt(t.Minutes() + m)
}

// Format writes the time by the clock that people read, "12h" or "24h", in the
// forms that Harvest writes and reads: "2:59pm" and "14:59" (harvest-api.md,
// section 7). No time is empty.
func (t TimeOfDay) Format(clock string) string {
	if t.IsZero() {
		return ""
	}
	hour, minute := int(t.Minutes()/60), int(t.Minutes()%60)
	if clock != "12h" {
		return fmt.Sprintf("%02d:%02d", hour, minute)
	}
	half := "am"
	if hour >= 12 {
		half = "pm"
	}
	return fmt.Sprintf("%d:%02d%s", (hour+11)%12+1, minute, half)
}

// String returns the time by the 24-hour clock.
func (t TimeOfDay) String() string { return t.Format("24h") }

// MarshalText returns the form of [TimeOfDay.String].
func (t TimeOfDay) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the form of [TimeOfDay.String].
func (t *TimeOfDay) UnmarshalText(text []byte) (err error) {
	*t = 0
	if len(text) > 0 {
		*t, err = ParseTimeOfDay(string(text))
	}
	return err
}

// ErrNotTimeOfDay: the text is not a time of day in any form we read.
var ErrNotTimeOfDay = errors.New("not a time of day")

// ParseTimeOfDay reads a time of day by either clock, as Harvest writes it and
// as people type it: "14:59", "2:59pm", "2:59 PM", "9", "9.30", "9am". The
// error is [ErrNotTimeOfDay].
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	s, half := cutHalf(s)
	hours, minutes, parted := strings.Cut(s, ":")
	if !parted {
		hours, minutes, parted = strings.Cut(s, ".")
	}
	if len(hours) < 1 || len(hours) > 2 || parted && len(minutes) != 2 || !digits(hours) || !digits(minutes) {
		return 0, ErrNotTimeOfDay
	}
	hour, minute := number(hours), number(minutes)
	if half != "" {
		if hour < 1 || hour > 12 {
			return 0, ErrNotTimeOfDay
		}
		hour %= 12
		if half == "pm" {
			hour += 12
		}
	}
	if hour > 23 || minute > 59 {
		return 0, ErrNotTimeOfDay
	}
	return TimeAt(Minutes(hour*60 + minute)), nil
}

// cutHalf takes "am" or "pm" off the end.
func cutHalf(s string) (rest, half string) {
	for _, half := range []string{"am", "pm"} {
		if rest, ok := strings.CutSuffix(s, half); ok {
			return strings.TrimRight(rest, " "), half
		}
	}
	return s, ""
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
