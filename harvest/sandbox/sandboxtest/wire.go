package sandboxtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// WireFault is something that goes wrong between a program and a sandbox, below HTTP: on its way the
// request or the answer is cut, slowed down or lost, byte for byte.
type WireFault struct {
	Kind WireKind
	// Method is of the requests that it is for; empty is all. WireReset knows none yet.
	Method string
	Times  int // how often it strikes; 0 is until healed
	After  int // how many requests, or connections for WireReset, pass first
	// Part is how much of the request or the answer gets through, from 0 to 1.
	Part float64
	// Every is the time that one byte of the answer takes.
	Every time.Duration
}

// WireKind names what goes wrong on the wire.
type WireKind string

// The kinds. "Reset" is a TCP reset; what the other end has not read by then is lost.
const (
	WireReset      WireKind = "reset"       // a connection is reset as soon as it is made
	WireCutRequest WireKind = "cut request" // Part of the request is passed on, then both ends are reset
	WireSilence    WireKind = "silence"     // the request is swallowed, and never answered
	WireLoseAnswer WireKind = "lose answer" // Harvest has answered; instead of the answer there is a reset
	WireCutAnswer  WireKind = "cut answer"  // Part of the answer, then our half of the connection is closed in good order
	WireDrip       WireKind = "drip"        // the answer comes byte by byte
)

// WireOptions say how a wire begins.
type WireOptions struct {
	// Closed refuses connections, Full lets their packets vanish: until healed.
	Closed, Full bool
	// OnceEach: a connection is closed after one request, and the answer says so.
	OnceEach bool
	// Certificate, if not nil, makes it TLS; asked for each connection.
	Certificate func() *tls.Certificate
}

// Wire is a TCP proxy in front of a sandbox that can be cut. It handles a connection's requests one
// after the other, as HTTP/1.1 clients send them.
type Wire struct {
	URL    string
	target string
	opts   WireOptions

	socket  int // bound, and listening unless closed
	filling []net.Conn

	mu        sync.Mutex
	listener  net.Listener
	faults    []*WireFault
	conns     map[net.Conn]bool // true: idle
	connected int
	ended     bool
	running   sync.WaitGroup
}

// StartWire starts a wire to the sandbox on a free port of the loopback interface. It ends with the test.
func StartWire(tb testing.TB, s *Sandbox, opts WireOptions) *Wire {
	tb.Helper()
	w := &Wire{target: strings.TrimPrefix(s.URL, "http://"), opts: opts, conns: map[net.Conn]bool{}}
	// A socket that is bound and does not listen refuses connections, and keeps its port from others.
	var err error
	if w.socket, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0); err != nil {
		tb.Fatal(err)
	}
	syscall.CloseOnExec(w.socket)
	if err := syscall.Bind(w.socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		tb.Fatal(err)
	}
	name, err := syscall.Getsockname(w.socket)
	if err != nil {
		tb.Fatal(err)
	}
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	w.URL = "http://" + address.String()
	if opts.Certificate != nil {
		w.URL = "https://" + address.String()
	}
	tb.Cleanup(w.end)
	switch {
	case opts.Full:
		w.fill(tb, address.String())
	case !opts.Closed:
		w.open(tb)
	}
	return w
}

// fill lets connections wait to be accepted until there is no room for another.
func (w *Wire) fill(tb testing.TB, address string) {
	tb.Helper()
	if err := syscall.Listen(w.socket, 0); err != nil {
		tb.Fatal(err)
	}
	dialer := &net.Dialer{Timeout: 200 * time.Millisecond}
	for range 1000 {
		conn, err := dialer.DialContext(tb.Context(), "tcp", address)
		if err != nil {
			return
		}
		w.filling = append(w.filling, conn)
	}
	tb.Fatal("there is always room for one more")
}

func (w *Wire) open(tb testing.TB) {
	tb.Helper()
	if err := syscall.Listen(w.socket, 128); err != nil {
		tb.Fatal(err)
	}
	for _, conn := range w.filling {
		_ = conn.Close()
	}
	file := os.NewFile(uintptr(w.socket), "wire")
	defer file.Close()
	listener, err := net.FileListener(file) // a copy
	if err != nil {
		tb.Fatal(err)
	}
	w.mu.Lock()
	w.listener = listener
	w.mu.Unlock()
	w.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w.running.Go(func() { w.carry(conn) })
		}
	})
}

// Heal opens the wire, if it was not, and forgets all faults.
func (w *Wire) Heal(tb testing.TB) {
	tb.Helper()
	w.mu.Lock()
	w.faults = nil
	closed := w.listener == nil
	w.mu.Unlock()
	if closed {
		w.open(tb)
	}
}

// Break arms a fault, after those that are armed already.
func (w *Wire) Break(f WireFault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, &f)
}

// HangUp closes the connections that are kept alive and idle.
func (w *Wire) HangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn, idle := range w.conns {
		if idle {
			_ = conn.Close()
		}
	}
}

// Connections is how many were made.
func (w *Wire) Connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connected
}

func (w *Wire) end() {
	w.mu.Lock()
	w.ended = true
	if w.listener != nil {
		_ = w.listener.Close()
	} else {
		_ = syscall.Close(w.socket)
	}
	for conn := range w.conns {
		_ = conn.Close()
	}
	w.mu.Unlock()
	for _, conn := range w.filling {
		_ = conn.Close()
	}
	w.running.Wait()
}

// strike returns the fault for a connection, or for a request of one.
func (w *Wire) strike(matches func(*WireFault) bool) WireFault {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, f := range w.faults {
		if !matches(f) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				w.faults = append(w.faults[:i:i], w.faults[i+1:]...)
			}
		}
		return *f
	}
	return WireFault{}
}

// keep notes whether a connection is idle. It reports false if the wire has ended.
func (w *Wire) keep(conn net.Conn, idle bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[conn] = idle
	return !w.ended
}

// carry passes on what comes over one connection, until it ends.
func (w *Wire) carry(tcp net.Conn) {
	w.mu.Lock()
	w.connected++
	w.mu.Unlock()
	if f := w.strike(func(f *WireFault) bool { return f.Kind == WireReset }); f.Kind != "" {
		resetConn(tcp)
		return
	}
	defer func() {
		_ = tcp.Close()
		w.mu.Lock()
		delete(w.conns, tcp)
		w.mu.Unlock()
	}()
	client := tcp
	if w.opts.Certificate != nil {
		client = tls.Server(tcp, &tls.Config{Certificates: []tls.Certificate{*w.opts.Certificate()}})
	}
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", w.target)
	if err != nil {
		return
	}
	defer server.Close()
	l := &line{tcp: tcp, client: client, server: server}
	l.requests = bufio.NewReader(io.TeeReader(client, &l.sent))
	l.answers = bufio.NewReader(io.TeeReader(server, &l.answered))
	for w.keep(tcp, true) {
		if _, err := l.requests.Peek(1); err != nil || !w.keep(tcp, false) || !w.exchange(l) {
			return
		}
	}
}

// line is a client's connection and the one that continues it to the sandbox.
type line struct {
	tcp, client, server net.Conn // client is tcp, or TLS over it
	requests, answers   *bufio.Reader
	sent, answered      bytes.Buffer // what was read of the present request and its answer
}

// exchange passes on one request and its answer. It reports false if the connection is over then.
func (w *Wire) exchange(l *line) bool {
	request, err := http.ReadRequest(l.requests)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return false
	}
	f := w.strike(func(f *WireFault) bool { return f.Kind != WireReset && (f.Method == "" || f.Method == request.Method) })
	switch f.Kind {
	case WireCutRequest:
		_, _ = l.server.Write(portion(l.sent.Bytes(), f.Part))
		resetConn(l.server)
		resetConn(l.tcp)
		return false
	case WireSilence:
		_, _ = io.Copy(io.Discard, l.requests) // until the client gives up
		return false
	}
	if _, err := l.server.Write(l.sent.Bytes()); err != nil {
		return false
	}
	goOn := l.readAnswer(request)
	answer := l.answered.Bytes()
	if w.opts.OnceEach {
		answer = bytes.Replace(answer, []byte("\r\n"), []byte("\r\nConnection: close\r\n"), 1)
		goOn = false
	}
	l.sent.Reset()
	l.answered.Reset() // its bytes stay until the next answer
	switch f.Kind {
	case WireLoseAnswer:
		resetConn(l.tcp)
		return false
	case WireCutAnswer:
		_, _ = l.client.Write(portion(answer, f.Part))
		if half, ok := l.client.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, l.requests) // until the client closes its half
		return false
	case WireDrip:
		for i := range answer {
			if _, err := l.client.Write(answer[i : i+1]); err != nil {
				return false
			}
			time.Sleep(f.Every)
		}
		return goOn
	}
	_, err = l.client.Write(answer)
	return goOn && err == nil
}

// readAnswer reads one answer. It reports false if the sandbox cut it off, or closes the connection.
func (l *line) readAnswer(request *http.Request) bool {
	response, err := http.ReadResponse(l.answers, request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err == nil && !response.Close
}

func portion(b []byte, part float64) []byte { return b[:int(float64(len(b))*part)] }

// resetConn closes a connection so that the other end sees a reset, not an orderly end.
func resetConn(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
