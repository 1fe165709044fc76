package dbtest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Line is a way to a database that breaks when it is told to.
type Line struct {
	// URL is the address of the database by this way.
	URL string

	mu   sync.Mutex
	next *Cut // nil: none
	cuts int
}

// Cut says which connection breaks, and when.
type Cut struct {
	At     string // the statement that breaks its connection, one that is sent by itself: "begin" or "commit"
	In     string // only in a transaction that has run a statement with this text; empty: in any
	Moment Moment
	Then   func() // what happens besides, before either side notices; may be nil
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

// Cut breaks a connection, once.
func (l *Line) Cut(c Cut) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = &c
}

// Cuts is how many connections were broken.
func (l *Line) Cuts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cuts
}

// conversation is what a connection has said.
type conversation struct {
	prepared map[string]string // statements by name
	run      []string          // since the transaction began
}

// hears takes a message in, and returns the cut that it meets.
func (l *Line) hears(c *conversation, kind byte, body []byte) *Cut {
	parts := strings.SplitN(string(body), "\x00", 3)
	switch {
	case kind == 'P' && len(parts) == 3: // parse: a name, a statement
		c.prepared[parts[0]] = parts[1]
	case kind == 'B' && len(parts) == 3: // bind: a portal, the name of a statement
		c.run = append(c.run, c.prepared[parts[1]])
	case kind == 'Q':
		if strings.HasPrefix(parts[0], "begin") {
			c.run = nil
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.next == nil || !strings.HasPrefix(parts[0], l.next.At) {
			return nil
		}
		in := func(statement string) bool { return strings.Contains(statement, l.next.In) }
		if l.next.In != "" && !slices.ContainsFunc(c.run, in) {
			return nil
		}
		cut := l.next
		l.next = nil
		l.cuts++
		return cut
	}
	return nil
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
	said := &conversation{prepared: map[string]string{}}
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
		var cut *Cut
		if len(kind) == 1 {
			cut = l.hears(said, kind[0], body)
		}
		if cut != nil && cut.Moment == NotTold {
			answers.shut()
		}
		if cut == nil || cut.Moment == NotTold {
			if _, err := server.Write(append(head, body...)); err != nil {
				return
			}
		}
		if cut != nil {
			if cut.Moment == NotTold {
				<-answers.came
			}
			if cut.Then != nil {
				cut.Then()
			}
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
