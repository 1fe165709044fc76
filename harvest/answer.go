package harvest

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"furrow/ledger"
)

// Bounds of a wait that Harvest asks for, and what an answer without
// Retry-After stands for: the length of the window that it counts in for
// general calls, a minute for reports, whose window is too long to wait for
// blindly (harvest-api.md, section 3).
const (
	minWait     = time.Second
	maxWait     = 15 * time.Minute
	generalWait = 15 * time.Second
	reportsWait = time.Minute
)

// retryAfter reads the Retry-After header, in seconds or as a date, and keeps
// it between one second and 15 minutes. asked is false if there is none that
// can be read; wait is then the default of the class.
func retryAfter(header http.Header, class ledger.GateClass, now time.Time) (wait time.Duration, asked bool) {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return min(max(time.Duration(min(seconds, uint64(maxWait/time.Second)))*time.Second, minWait), maxWait), true
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), minWait), maxWait), true
	}
	if class == ledger.GateReports {
		return reportsWait, false
	}
	return generalWait, false
}

// jitter adds up to a fifth, so that those who were told the same wait do not
// come back at the same moment.
func jitter(wait time.Duration) time.Duration {
	return wait + rand.N(wait/5+1)
}

// clip cuts s to at most limit bytes at the end of a character, and makes one
// line of it.
func clip(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r == utf8.RuneError || unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
