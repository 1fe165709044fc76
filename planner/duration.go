package planner

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Minutes is planned time in whole minutes.
type Minutes int

// MaxCell is the most that one cell may hold: a whole day.
const MaxCell Minutes = 24 * 60

// Hours is a span of time in hundredths of an hour (0.01 h = 36 s), which is
// the precision that Harvest keeps (harvest-api.md, section 7).
type Hours int

// Hours returns the nearest hundredth of an hour.
func (m Minutes) Hours() Hours {
	if m < 0 {
		return -(-m).Hours()
	}
	return Hours((int(m)*100 + 30) / 60)
}

// Minutes returns the nearest whole minute. It is the inverse of
// [Minutes.Hours] for every whole number of minutes.
func (h Hours) Minutes() Minutes {
	if h < 0 {
		return -(-h).Minutes()
	}
	return Minutes((int(h)*60 + 50) / 100)
}

// Decimal returns the hours as decimal text with two digits, "1.50".
func (h Hours) Decimal() string {
	sign := ""
	if h < 0 {
		sign, h = "-", -h
	}
	return fmt.Sprintf("%s%d.%02d", sign, h/100, h%100)
}

// DurationFormat is how a user reads and writes durations.
type DurationFormat string

// The two formats of Harvest's account setting time_format.
const (
	HoursMinutes DurationFormat = "hours_minutes" // 1:30
	Decimal      DurationFormat = "decimal"       // 1.5
)

// Format writes m for people, exactly: never truncated, never rounded to
// something that would be read as another number of minutes.
func (f DurationFormat) Format(m Minutes) string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	if f != Decimal {
		// By hand: a page writes hundreds of them.
		rest := strconv.Itoa(int(m % 60))
		if m%60 < 10 {
			rest = "0" + rest
		}
		return sign + strconv.Itoa(int(m/60)) + ":" + rest
	}
	text := m.Hours().Decimal()
	text = strings.TrimSuffix(text, "0")
	text = strings.TrimSuffix(text, "0")
	return sign + strings.TrimSuffix(text, ".")
}

// Words spells m for screen readers and sentences: "1 hour 30", "45 minutes".
func (m Minutes) Words() string {
	hours, rest := int(m)/60, int(m)%60
	switch {
	case hours == 0 && rest == 1:
		return "1 minute"
	case hours == 0:
		return strconv.Itoa(rest) + " minutes"
	case hours == 1 && rest == 0:
		return "1 hour"
	case rest == 0:
		return strconv.Itoa(hours) + " hours"
	case hours == 1:
		return "1 hour " + strconv.Itoa(rest)
	default:
		return strconv.Itoa(hours) + " hours " + strconv.Itoa(rest)
	}
}

// Reasons for which a typed duration is refused.
var (
	// ErrNotDuration: the text is not a duration in any form we read.
	ErrNotDuration = errors.New("not a duration")
	// ErrNegative: time cannot be negative.
	ErrNegative = errors.New("negative duration")
	// ErrTooLong: more than a day.
	ErrTooLong = errors.New("more than 24 hours")
)

// AmbiguousError says that a bare whole number could be hours or minutes.
// Nothing is stored until the user has said which.
type AmbiguousError struct {
	Number int // as typed, 13 or more
}

func (e *AmbiguousError) Error() string { return strconv.Itoa(e.Number) + " could be minutes" }

// Forms of a duration. Every one is anchored and linear to match.
var (
	clockForm   = regexp.MustCompile(`^(\d{0,3}):([0-5]\d)$`)
	decimalForm = regexp.MustCompile(`^(\d{0,3})[.,](\d{1,6})\s*(?:h|hours?|hrs?)?$`)
	hoursForm   = regexp.MustCompile(`^(\d{1,3})\s*(?:h|hours?|hrs?)$`)
	mixedForm   = regexp.MustCompile(`^(\d{1,3})\s*(?:h|hours?|hrs?)\s*(\d{1,2})\s*(?:m|min|mins|minutes?)?$`)
	minutesForm = regexp.MustCompile(`^(\d{1,5})\s*(?:m|min|mins|minutes?)$`)
	bareForm    = regexp.MustCompile(`^\d{1,6}$`)
)

// ParseDuration reads a duration as people type it: "2", "2.5", "2,5", ".5",
// ":30", "1:30", "1h30", "1h 30m", "90m", "90min". Empty text and zero are 0
// minutes, which clears a cell. Bare whole numbers from 1 to 12 are hours;
// larger ones give [*AmbiguousError]. Other errors are [ErrNotDuration],
// [ErrNegative] and [ErrTooLong].
func ParseDuration(text string) (Minutes, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	if s == "" {
		return 0, nil
	}
	if rest, negative := strings.CutPrefix(strings.Replace(s, "−", "-", 1), "-"); negative {
		switch m, err := parsePositive(strings.TrimSpace(rest)); {
		case errors.Is(err, ErrNotDuration):
			return 0, ErrNotDuration
		case err == nil && m == 0:
			return 0, nil
		default:
			return 0, ErrNegative
		}
	}
	m, err := parsePositive(s)
	if err != nil {
		return 0, err
	}
	if m > MaxCell {
		return 0, ErrTooLong
	}
	return m, nil
}

func parsePositive(s string) (Minutes, error) {
	if g := clockForm.FindStringSubmatch(s); g != nil {
		return Minutes(number(g[1])*60 + number(g[2])), nil
	}
	if g := decimalForm.FindStringSubmatch(s); g != nil {
		return decimalHours(g[1], g[2]), nil
	}
	if g := mixedForm.FindStringSubmatch(s); g != nil {
		if number(g[2]) > 59 {
			return 0, ErrNotDuration
		}
		return Minutes(number(g[1])*60 + number(g[2])), nil
	}
	if g := hoursForm.FindStringSubmatch(s); g != nil {
		return Minutes(number(g[1]) * 60), nil
	}
	if g := minutesForm.FindStringSubmatch(s); g != nil {
		return Minutes(number(g[1])), nil
	}
	if bareForm.MatchString(s) {
		n := number(s)
		if n > 12 {
			return 0, &AmbiguousError{Number: n}
		}
		return Minutes(n * 60), nil
	}
	return 0, ErrNotDuration
}

// decimalHours rounds to the nearest minute in integers: whole hours plus
// fraction/10^digits of one.
func decimalHours(whole, fraction string) Minutes {
	scale := 1
	for range fraction {
		scale *= 10
	}
	return Minutes(number(whole)*60 + (number(fraction)*60*2+scale)/(2*scale))
}

// number reads up to six digits, so it cannot overflow; no digits are 0.
func number(digits string) int {
	n := 0
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	return n
}
