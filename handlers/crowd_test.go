package handlers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// open opens a connection and sends text. It is closed with the test.
func open(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// status is that of the next answer on a connection; 0 if it is closed.
func status(t *testing.T, conn net.Conn) int {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// Of many connections without a request, those are closed that have been so for
// the longest time; requests under way do not count.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	const most = 3
	began, end := make(chan bool), make(chan bool)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			began <- true
			<-end
		}
	}))
	silent, idled := newSilentConns(most), make(chan bool, 100)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		silent.changed(conn, state)
		if state == http.StateIdle {
			idled <- true
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	const request = "GET / HTTP/1.1\r\nHost: furrow.example\r\n\r\n"
	long := open(t, address, "GET /long HTTP/1.1\r\nHost: furrow.example\r\n\r\n")
	<-began
	header := open(t, address, "GET / HTTP/1.1\r\nHost: fu") // the longest silent, as it will turn out
	var idle []net.Conn
	for range most {
		conn := open(t, address, request)
		if got := status(t, conn); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
		<-idled // a moment after the answer
		idle = append(idle, conn)
	}
	if got := status(t, header); got != 0 {
		t.Errorf("the one that sent half a header: status %d", got)
	}
	newest := open(t, address, request)
	if got := status(t, newest); got != http.StatusOK {
		t.Errorf("somebody new: status %d", got)
	}
	<-idled
	if got := status(t, idle[0]); got != 0 {
		t.Errorf("the one that was idle for the longest time: status %d", got)
	}
	for i, conn := range append(idle[1:], newest) {
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if got := status(t, conn); got != http.StatusOK {
			t.Errorf("idle connection %d: status %d", i+1, got)
		}
	}
	close(end)
	if got := status(t, long); got != http.StatusOK {
		t.Errorf("the request under way: status %d", got)
	}
}

// People who are not logged in and send their forms slowly keep at most each
// other from logging in.
func TestStrangersSendSlowly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida := b.loggedIn(idaEmail)
	address := b.server.Listener.Addr().String()
	begin := func(path string, length int) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: furrow.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\nemail=", path, length)
	}
	var slow []net.Conn
	for i := range 2 * strangersAtOnce {
		slow = append(slow, open(t, address, begin([]string{"/login", "/settings"}[i%2], 1000)))
	}
	refused := func() int {
		conn := open(t, address, begin("/login", 1000))
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0 // it is waited for
		}
		response.Body.Close()
		return response.StatusCode
	}
	for began := time.Now(); refused() != http.StatusServiceUnavailable; {
		if time.Since(began) > 10*time.Second {
			t.Fatal("all are waited for")
		}
	}
	if got := ida.post("/settings/theme", url.Values{"theme": {"dark"}}); got.status != http.StatusSeeOther {
		t.Errorf("who is logged in: status %d", got.status)
	}
	if got := b.browser().get("/login"); got.status != http.StatusOK {
		t.Errorf("the login page: status %d", got.status)
	}
	for _, conn := range slow {
		conn.Close()
	}
	for began := time.Now(); ; {
		got := b.browser().post("/login", credentials(idaEmail, idaPassword))
		if got.status == http.StatusSeeOther {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("afterwards: status %d", got.status)
		}
	}
}

func TestHashesAtOnce(t *testing.T) {
	t.Parallel()
	for processors, want := range map[int]int{1: 1, 2: 1, 3: 2, 5: 4, 64: 4} {
		if got := hashesAtOnce(processors); got != want {
			t.Errorf("with %d processors %d, want %d", processors, got, want)
		}
	}
}
