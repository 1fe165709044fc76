package sandbox

import (
	"sync"
	"time"
)

// maxRequests bounds the log; older ones go first.
const maxRequests = 100_000

// Request is a line of the request log. It never holds a secret: Token is the token's name, such as
// "1.pt", and credentials in the query are replaced.
type Request struct {
	Seq       int64     `json:"seq"`  // counts from 1 since the last reset
	Time      time.Time `json:"time"` // when it came in, by the sandbox's clock
	Method    string    `json:"method"`
	Path      string    `json:"path"` // as called
	Query     string    `json:"query"`
	Fields    []string  `json:"fields,omitempty"` // the names in the body, sorted; their values are nobody's business
	Token     string    `json:"token"`            // "" if the token is unknown
	Account   string    `json:"account"`
	UserAgent string    `json:"user_agent"`
	Status    int       `json:"status"` // 0 if the connection was cut before an answer
	Fault     string    `json:"fault,omitempty"`
}

type requestLog struct {
	mu   sync.Mutex
	ring []Request
	seq  int64
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	r.Seq = l.seq
	if len(l.ring) < maxRequests {
		l.ring = append(l.ring, r)
		return
	}
	l.ring[(l.seq-1)%maxRequests] = r
}

// after returns what came after a sequence number, oldest first.
func (l *requestLog) after(seq int64) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []Request{}
	for n := max(seq, l.seq-int64(len(l.ring))); n < l.seq; n++ {
		out = append(out, l.ring[n%maxRequests])
	}
	return out
}

func (l *requestLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring, l.seq = nil, 0
}

// Requests returns the log, oldest first.
func (s *Server) Requests() []Request { return s.requests.after(0) }
