package dbtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
)

// Line is a way to a database that breaks when it is told to.
type Line struct {
	// URL is the address of the database by this way.
	URL string

	mu        sync.Mutex
	statement string // the next one breaks its connection; empty: none does
	moment    Moment
	cuts      int
}

// Moment is when a connection breaks.
type Moment string

// The moments, seen from the server: a statement that breaks its connection
// has not arrived, or has been done, but the answer does not arrive.
const (
	NotArrived Moment = "not arrived"
	NotTold    Moment = "not told"
)

// NewLine opens a way to the database at address. It ends with the test.
func NewLine(tb testing.TB, address string) *Line {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	network, server := "tcp", u.Host
	query := u.Query()
	if dir := query.Get("host"); dir != "" { // a Unix socket
		network, server = "unix", filepath.Join(dir, ".s.PGSQL."+query.Get("port"))
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	u.Host = listener.Addr().String()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	u.RawQuery = query.Encode()
	line := &Line{URL: u.String()}
	ctx, cancel := context.WithCancel(context.Background())
	tb.Cleanup(func() {
		cancel()
		listener.Close()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go line.connect(ctx, client, network, server)
		}
	}()
	return line
}

// Cut breaks the next connection on which a statement comes that is sent by
// itself, such as "begin" or "commit".
func (l *Line) Cut(statement string, moment Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statement, l.moment = statement, moment
}

// Cuts is how many connections were broken.
func (l *Line) Cuts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cuts
}

// breaks says whether a message breaks its connection, and when.
func (l *Line) breaks(kind byte, body []byte) (Moment, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.statement == "" || kind != 'Q' || !bytes.HasPrefix(body, []byte(l.statement)) {
		return "", false
	}
	l.statement = ""
	l.cuts++
	return l.moment, true
}

func (l *Line) connect(ctx context.Context, client net.Conn, network, address string) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return
	}
	defer server.Close()
	end := context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})
	defer end()
	answers := &gate{to: client}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(answers, server) // it ends with either side
		client.Close()
	}()
	l.pass(client, server, answers)
	server.Close()
	<-done
}

// pass brings messages from the client to the server until one of them breaks
// the connection. Their form: https://www.postgresql.org/docs/15/protocol-message-formats.html
func (l *Line) pass(client io.Reader, server io.Writer, answers *gate) {
	kind := []byte{} // the first message has none
	for {
		head := make([]byte, len(kind)+4)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[len(kind):])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		copy(kind, head)
		moment, breaks := Moment(""), false
		if len(kind) == 1 {
			moment, breaks = l.breaks(kind[0], body)
		}
		if breaks && moment == NotArrived {
			return
		}
		if breaks {
			answers.shut()
		}
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
		if breaks {
			<-answers.came
			return
		}
		kind = make([]byte, 1)
	}
}

// gate passes answers on until it is shut; then it drops them and says when
// the first one came.
type gate struct {
	to io.Writer

	mu   sync.Mutex
	came chan struct{} // nil: open
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.came = make(chan struct{})
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.came == nil {
		return g.to.Write(p)
	}
	select {
	case <-g.came:
	default:
		close(g.came)
	}
	return len(p), nil
}
