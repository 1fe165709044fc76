package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Names of faults. "Applied" means that the request has had its effect.
const (
	FaultStatus            = "status"              // answers Status, nothing applied
	FaultDropBefore        = "drop_before"         // connection reset, nothing applied
	FaultApplyThenDrop     = "apply_then_drop"     // applied, connection reset without an answer
	FaultApplyThenStatus   = "apply_then_status"   // applied, answers Status (502 if not set)
	FaultApplyThenTruncate = "apply_then_truncate" // applied, half of the answer, connection reset
	FaultApplyLate         = "apply_late"          // connection reset now, applied after DelayMS, or when the clock is moved so far
	FaultApplyTwice        = "apply_twice"         // applied twice, as if delivered twice; the first answer
	FaultDelay             = "delay"               // waits DelayMS, then as usual
	FaultSlowBody          = "slow_body"           // as usual, but the body drips over DelayMS (2000 if not set)
	FaultHTML200           = "html_200"            // answers 200 with a page, nothing applied
	FaultForeignNextLink   = "foreign_next_link"   // the list's next link leads to another host
	FaultRepeatNextLink    = "repeat_next_link"    // the list's next link is the request itself
	FaultNoLinks           = "no_links"            // the list has no links
	FaultHugeBody          = "huge_body"           // answers 200 with Bytes of JSON (64 MiB if not set), nothing applied
	FaultRedirect          = "redirect"            // answers 302 to Location (a foreign host if not set), nothing applied
)

// ErrFault is returned for a fault that cannot be armed.
var ErrFault = errors.New("fault not armed")

// Match says which requests a fault is for. Empty members match everything.
type Match struct {
	Method string `json:"method,omitempty"`
	// Path is a prefix of the path without /api, .json and a final slash: "/v2/time_entries".
	Path string `json:"path,omitempty"`
	// Token is a token, or its name, such as "1.pt".
	Token string `json:"token,omitempty"`
}

// Fault is something that goes wrong on the wire.
type Fault struct {
	ID    int64  `json:"id,omitempty"` // set when armed
	Match Match  `json:"match"`
	Fault string `json:"fault"`
	Times int    `json:"times"` // how often it strikes; 0 is until cleared
	After int    `json:"after"` // how many matching requests pass first

	Status     int    `json:"status,omitempty"`
	RetryAfter int    `json:"retry_after,omitempty"` // seconds; 0 sends no header
	Body       string `json:"body,omitempty"`        // json, html or empty; by default what Harvest sends with the status
	Message    string `json:"message,omitempty"`     // of a json body that has one
	DelayMS    int    `json:"delay_ms,omitempty"`
	Bytes      int64  `json:"bytes,omitempty"`
	Location   string `json:"location,omitempty"`

	Matched int `json:"matched"` // requests that matched so far
	Struck  int `json:"struck"`  // how often it struck
}

func (f *Fault) validate() error {
	known := []string{
		FaultStatus, FaultDropBefore, FaultApplyThenDrop, FaultApplyThenStatus, FaultApplyThenTruncate, FaultApplyLate, FaultApplyTwice,
		FaultDelay, FaultSlowBody, FaultHTML200, FaultForeignNextLink, FaultRepeatNextLink, FaultNoLinks, FaultHugeBody, FaultRedirect,
	}
	switch {
	case !slices.Contains(known, f.Fault):
		return fmt.Errorf("%w: there is no fault %q; there are %s", ErrFault, f.Fault, strings.Join(known, ", "))
	case f.Fault == FaultStatus && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("%w: status must be between 200 and 599", ErrFault)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("%w: status must be between 200 and 599", ErrFault)
	case !slices.Contains([]string{"", "json", "html", "empty"}, f.Body):
		return fmt.Errorf("%w: body must be json, html or empty", ErrFault)
	case f.Times < 0 || f.After < 0 || f.DelayMS < 0 || f.Bytes < 0 || f.RetryAfter < 0:
		return fmt.Errorf("%w: numbers must not be negative", ErrFault)
	}
	return nil
}

func (f *Fault) matches(c *call) bool {
	m := f.Match
	path := strings.TrimPrefix(m.Path, "/api")
	return (m.Method == "" || strings.EqualFold(m.Method, c.method)) && strings.HasPrefix(c.path, path) &&
		(m.Token == "" || m.Token == c.tokenName || m.Token == c.secret)
}

// faultTable holds what is armed, and the outage.
type faultTable struct {
	mu     sync.Mutex
	armed  []*Fault
	lastID int64
	outage string
}

// Outage modes.
const (
	OutageNone = "well" // no outage
	Outage503  = "503"  // all requests are answered 503
	Outage429  = "429"  // all are answered 429 with Retry-After 15
	OutageDrop = "drop" // everything is applied, and every answer lost
)

// ErrOutage is returned for an outage mode that does not exist.
var ErrOutage = errors.New("outage mode must be one of well, 503, 429, drop")

// pick returns the fault that strikes a request: the first armed of those that match and are due.
func (t *faultTable) pick(c *call) *Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.armed {
		if f.Times > 0 && f.Struck >= f.Times || !f.matches(c) {
			continue
		}
		f.Matched++
		if f.Matched <= f.After {
			continue
		}
		f.Struck++
		return new(*f)
	}
	return nil
}

// outageFor is the outage as a fault. People pressing Allow are spared; programs are not.
func (t *faultTable) outageFor(c *call) *Fault {
	t.mu.Lock()
	mode := t.outage
	t.mu.Unlock()
	if c.path == "/oauth2/authorize" {
		return nil
	}
	switch mode {
	case Outage503:
		return &Fault{Fault: FaultStatus, Status: http.StatusServiceUnavailable}
	case Outage429:
		return &Fault{Fault: FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: 15}
	case OutageDrop:
		return &Fault{Fault: FaultApplyThenDrop}
	}
	return nil
}

func (t *faultTable) arm(f Fault) (Fault, error) {
	if err := f.validate(); err != nil {
		return Fault{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastID++
	f.ID, f.Matched, f.Struck = t.lastID, 0, 0
	t.armed = append(t.armed, &f)
	return f, nil
}

func (t *faultTable) list() []Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Fault, 0, len(t.armed))
	for _, f := range t.armed {
		out = append(out, *f)
	}
	return out
}

func (t *faultTable) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = nil
}

// Arm arms a fault, after those that are armed already. It returns ErrFault for one that makes no sense.
func (s *Server) Arm(f Fault) (Fault, error) { return s.faults.arm(f) }

// ClearFaults disarms all faults. The outage is not a fault and stays.
func (s *Server) ClearFaults() { s.faults.clear() }

// SetOutage sets the outage mode for all API requests: OutageNone, Outage503, Outage429 or
// OutageDrop. It returns ErrOutage for another. Armed faults come before the outage.
func (s *Server) SetOutage(mode string) error {
	if !slices.Contains([]string{OutageNone, Outage503, Outage429, OutageDrop}, mode) {
		return ErrOutage
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.outage = mode
	return nil
}

// Outage is the outage mode, OutageNone if all is well.
func (s *Server) Outage() string {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if s.faults.outage == "" {
		return OutageNone
	}
	return s.faults.outage
}

// serve answers a request as the fault wants it and returns the status that went out, 0 for none.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *call, f *Fault) int {
	if f == nil {
		f = &Fault{}
	}
	delay := time.Duration(f.DelayMS) * time.Millisecond
	switch f.Fault {
	case FaultStatus:
		a := s.faultAnswer(f, f.Status)
		writeAnswer(w, a)
		return a.status
	case FaultDropBefore:
		cut(w)
		return 0
	case FaultApplyThenDrop:
		s.process(c)
		cut(w)
		return 0
	case FaultApplyThenStatus:
		s.process(c)
		status := f.Status
		if status == 0 {
			status = http.StatusBadGateway
		}
		writeAnswer(w, s.faultAnswer(f, status))
		return status
	case FaultApplyThenTruncate:
		a := s.process(c)
		truncate(w, a)
		return a.status
	case FaultApplyLate:
		s.applyLate(c, delay)
		cut(w)
		return 0
	case FaultHTML200:
		writeAnswer(w, asHTML(http.StatusOK, htmlPage("Harvest", "Please sign in.")))
		return http.StatusOK
	case FaultHugeBody:
		hugeBody(w, f.Bytes)
		return http.StatusOK
	case FaultRedirect:
		to := f.Location
		if to == "" {
			to = "http://foreign.invalid" + c.rawPath
		}
		writeAnswer(w, answer{status: http.StatusFound}.with("Location", to))
		return http.StatusFound
	case FaultDelay:
		// The request has arrived, so it is handled even if the client does not wait.
		s.pause(context.WithoutCancel(r.Context()), delay)
	case FaultForeignNextLink:
		c.links = linksForeign
	case FaultRepeatNextLink:
		c.links = linksRepeat
	case FaultNoLinks:
		c.links = linksNone
	}
	again := *c
	a := s.process(c)
	switch f.Fault {
	case FaultApplyTwice:
		s.process(&again)
	case FaultSlowBody:
		if f.DelayMS == 0 {
			delay = 2 * time.Second
		}
		s.drip(r.Context(), w, a, delay)
		return a.status
	}
	writeAnswer(w, a)
	return a.status
}

// faultAnswer is the answer of a status fault, by default in the shape that Harvest uses.
func (s *Server) faultAnswer(f *Fault, status int) answer {
	kind := f.Body
	if kind == "" {
		kind = "json"
		if status == http.StatusTooManyRequests || status >= 500 || status < 300 {
			kind = "html"
		}
	}
	text := f.Message
	var a answer
	switch {
	case kind == "html":
		a = htmlError(status)
	case kind == "empty":
		a = answer{status: status}
	case status == http.StatusUnauthorized:
		a = unauthorized()
	case status == http.StatusForbidden && text == "":
		a = forbidden()
	case status == http.StatusUnprocessableEntity || text != "":
		if text == "" {
			text = "The sandbox was told to refuse this"
		}
		a = asJSON(status, messageBody{text})
	default:
		a = asJSON(status, statusBody{status, http.StatusText(status)})
	}
	if f.RetryAfter > 0 {
		s.mu.RLock()
		style, now := s.world.Switches.RetryAfter, s.now()
		s.mu.RUnlock()
		a = retryAfter(a, style, seconds(f.RetryAfter), now)
	}
	return a
}

// applyLate lets a request take effect after its connection is gone, unless the sandbox is reset or
// closed before. The delay is over when the time has passed, or when the clock was moved so far.
func (s *Server) applyLate(c *call, delay time.Duration) {
	s.closeMu.Lock()
	defer s.closeMu.Unlock()
	if s.closed {
		return
	}
	s.resetMu.RLock()
	resets := s.resets
	s.resetMu.RUnlock()
	due, passed := s.Now().Add(delay), time.After(delay)
	s.late.Go(func() {
		for waiting := true; waiting; {
			s.mu.RLock()
			now, moved := s.now(), s.clockMoved
			s.mu.RUnlock()
			if !now.Before(due) {
				break
			}
			select {
			case <-passed:
				waiting = false
			case <-moved:
			case <-s.closing:
				return
			}
		}
		s.resetMu.RLock()
		defer s.resetMu.RUnlock()
		if s.resets == resets {
			s.process(c)
		}
	})
}

// hijack takes the connection over. Where that is not possible (HTTP/2, a recorder), the standard
// way to break an answer off is ErrAbortHandler.
func hijack(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn, rw
}

// reset closes a connection so that the other end sees a reset, not an orderly end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func cut(w http.ResponseWriter) {
	conn, _ := hijack(w)
	reset(conn)
}

// truncate promises the whole answer, sends half of it and closes. The close is an orderly one: a
// reset would throw away what the other end has not read yet.
func truncate(w http.ResponseWriter, a answer) {
	conn, rw := hijack(w)
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(rw, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	_ = a.header.Write(rw)
	_, _ = fmt.Fprintf(rw, "Content-Length: %d\r\n\r\n", max(len(a.body), 1))
	_, _ = rw.Write(a.body[:len(a.body)/2])
	_ = rw.Flush()
}

// drip sends the body in twenty pieces.
func (s *Server) drip(ctx context.Context, w http.ResponseWriter, a answer, total time.Duration) {
	const pieces = 20
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	flush := http.NewResponseController(w).Flush
	for i := range pieces {
		_, err := w.Write(a.body[len(a.body)*i/pieces : len(a.body)*(i+1)/pieces])
		if err != nil || ctx.Err() != nil {
			return
		}
		_ = flush()
		s.pause(ctx, total/pieces)
	}
}

// hugeBody sends a JSON document that is far too long.
func hugeBody(w http.ResponseWriter, size int64) {
	if size == 0 {
		size = 64 << 20
	}
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(http.StatusOK)
	chunk := []byte(strings.Repeat("x", 1<<16))
	if _, err := io.WriteString(w, `{"filler":"`); err != nil {
		return
	}
	for sent := int64(0); sent < size; sent += int64(len(chunk)) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	_, _ = io.WriteString(w, `"}`)
}
