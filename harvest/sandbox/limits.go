package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limiter keeps the sliding windows, one set per token or what the switch says.
type limiter struct {
	mu      sync.Mutex
	windows map[windowKey][]time.Time
}

type windowKey struct{ counter, kind string }

// take counts a request in a window, or says how long until there is room. A refused request does
// not count.
func (l *limiter) take(key windowKey, limit int, width time.Duration, now time.Time) (wait time.Duration, ok bool) {
	if limit <= 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil {
		l.windows = map[windowKey][]time.Time{}
	}
	seen := l.windows[key]
	for len(seen) > 0 && !seen[0].After(now.Add(-width)) {
		seen = seen[1:]
	}
	if len(seen) >= limit {
		l.windows[key] = seen
		return seen[0].Add(width).Sub(now), false
	}
	l.windows[key] = append(seen, now)
	return 0, true
}

func (l *limiter) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.windows = nil
}

// throttle applies the limits (section 3). The mutex must be held.
func (s *Server) throttle(c *call) (answer, bool) {
	lim := s.world.Switches.Limits
	kind, limit, width := "general", lim.General, seconds(lim.GeneralWindowS)
	if strings.HasPrefix(c.path, "/v2/reports/") {
		kind, limit, width = "reports", lim.Reports, seconds(lim.ReportsWindowS)
	}
	counter := s.counter(c)
	wait, ok := s.limits.take(windowKey{counter, "hourly"}, lim.Hourly, time.Hour, c.now)
	if ok {
		wait, ok = s.limits.take(windowKey{counter, kind}, limit, width, c.now)
	}
	if ok {
		return answer{}, true
	}
	sw := &s.world.Switches
	refusal := htmlError(sw.ThrottleStatus)
	switch sw.ThrottleBody {
	case "empty":
		refusal = answer{status: sw.ThrottleStatus}
	case "json":
		refusal = asJSON(sw.ThrottleStatus, messageBody{"Too many requests"})
	}
	return retryAfter(refusal, sw.RetryAfter, wait, c.now), false
}

// counter names whose requests are counted together.
func (s *Server) counter(c *call) string {
	switch s.world.Switches.LimitsPer {
	case "user":
		return "user " + itoa(c.me.ID)
	case "account":
		return "account " + itoa(c.account.ID)
	case "ip":
		return "ip " + c.remote
	}
	return "token " + c.tokenName
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// retryAfter sets the header in the style of the switch: seconds (rounded up), a date, or not at all.
func retryAfter(a answer, style string, wait time.Duration, now time.Time) answer {
	n := max(1, int((wait+time.Second-1)/time.Second))
	switch style {
	case "none":
		return a
	case "date":
		return a.with("Retry-After", now.Add(seconds(n)).UTC().Format(http.TimeFormat))
	}
	return a.with("Retry-After", strconv.Itoa(n))
}
