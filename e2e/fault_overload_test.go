package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"furrow/db/dbtest"
)

// What somebody else may notice of an attack, and what the program may need.
const (
	slowestPage    = time.Second     // 95 of 100 pages of a week are faster
	slowestRefusal = 3 * time.Second // 95 of 100 who are to wait are told so faster, by 200 at once
	mostResident   = 150             // MB

	// A machine on which 95 of 100 pages take longer before the attack has other
	// things to do, and all may take longer in proportion.
	calmPage = 100 * time.Millisecond
)

// attacked is a program that is attacked while Ida looks at her week.
type attacked struct {
	*site

	program *program
	address string
	busy    float64 // how much longer than calm pages take before the attack; at least 1
}

func newAttacked(t *testing.T, args ...string) *attacked {
	t.Helper()
	s := newSite(t, dbtest.URL(t))
	p := s.program(args...)
	s.setUp(p)
	s.ida.lines(oldWeek, 5)
	a := &attacked{site: s, program: p, address: strings.TrimPrefix(p.URL, "http://"), busy: 1}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	calm := a.pages(ctx)
	if p95 := calm[len(calm)*95/100]; p95 > calmPage {
		a.busy = float64(p95) / float64(calmPage)
		t.Logf("the machine is busy: 95 of 100 pages within %s", p95.Round(time.Millisecond))
	}
	return a
}

// allow is a time that is allowed on a calm machine, on this one.
func (a *attacked) allow(d time.Duration) time.Duration {
	return time.Duration(float64(d) * a.busy)
}

// pages looks at Ida's week until ctx is over, and returns how long that took
// each time, in order of length.
func (a *attacked) pages(ctx context.Context) []time.Duration {
	a.t.Helper()
	var took []time.Duration
	for ctx.Err() == nil {
		began := time.Now()
		if status, body, err := a.ida.try("/weeks/"+oldWeek.String(), nil); err != nil || status != http.StatusOK {
			a.t.Errorf("a page: %d %s, %v", status, body, err)
		}
		took = append(took, time.Since(began))
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	slices.Sort(took)
	return took
}

// resident is the memory in MB that the program has, and the most that it had.
func (a *attacked) resident() (now, most int) {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.program.cmd.Process.Pid))
	if err != nil {
		a.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch name {
		case "VmRSS":
			now = kilobytes / 1000
		case "VmHWM":
			most = kilobytes / 1000
		}
	}
	return now, most
}

// during lets Ida look at her week while the program is attacked for a time.
// The attackers end when their context does.
func (a *attacked) during(length time.Duration, attackers int, attack func(ctx context.Context, i int)) {
	a.t.Helper()
	quiet, _ := a.resident()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.t.Context()), length)
	defer cancel()
	var attacking sync.WaitGroup
	for i := range attackers {
		attacking.Go(func() { attack(ctx, i) })
	}
	took := a.pages(ctx)
	_, most := a.resident()
	attacking.Wait()
	p95 := took[len(took)*95/100]
	a.t.Logf("%d pages, half within %s, 95 of 100 within %s, the slowest after %s; %d MB resident before, %d MB at most", len(took),
		took[len(took)/2].Round(time.Millisecond), p95.Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), quiet, most)
	if p95 > a.allow(slowestPage) {
		a.t.Errorf("95 of 100 pages took up to %s, want %s", p95, a.allow(slowestPage))
	}
	if most > mostResident {
		a.t.Errorf("%d MB resident, want %d at most", most, mostResident)
	}
}

// dial opens a connection; nil when the attack is over.
func (a *attacked) dial(ctx context.Context) net.Conn {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.address)
	if err != nil {
		if ends, _ := ctx.Deadline(); time.Until(ends) > time.Second {
			a.t.Errorf("connect: %v", err)
		}
		return nil
	}
	return conn
}

// Hundreds of connections send a byte now and then, and never end what they
// began. Each is closed after a while, and comes again.
func TestFaultOverload_Slow(t *testing.T) {
	for _, tt := range []struct {
		name, begin string
		open        time.Duration // at most
	}{
		{"header", "GET /login HTTP/1.1\r\nHost: furrow.example\r\nX-Slow: ", 7 * time.Second},
		{"body", "POST /login HTTP/1.1\r\nHost: furrow.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000000\r\n\r\nemail=", 17 * time.Second},
		{"most of a body", "POST /login HTTP/1.1\r\nHost: furrow.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 120000\r\n\r\nemail=" + strings.Repeat("x", 100_000), 17 * time.Second},
		{"chunks", "POST /login HTTP/1.1\r\nHost: furrow.example\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\nF4240\r\nemail=", 17 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chaos(t)
			a := newAttacked(t)
			var closed, longest atomic.Int64
			a.during(20*time.Second, 500, func(ctx context.Context, _ int) {
				for ctx.Err() == nil {
					conn := a.dial(ctx)
					if conn == nil {
						return
					}
					began := time.Now()
					text := tt.begin
					for ctx.Err() == nil {
						if _, err := io.WriteString(conn, text); err != nil {
							closed.Add(1)
							for old := longest.Load(); int64(time.Since(began)) > old && !longest.CompareAndSwap(old, int64(time.Since(began))); old = longest.Load() {
							}
							break
						}
						text = "x"
						select {
						case <-ctx.Done():
						case <-time.After(200 * time.Millisecond):
						}
					}
					conn.Close()
				}
			})
			t.Logf("%d connections were closed, the last after %s", closed.Load(), time.Duration(longest.Load()).Round(time.Millisecond))
			if closed.Load() < 500 || time.Duration(longest.Load()) > a.allow(tt.open) {
				t.Errorf("%d were closed, after up to %s; want all within %s", closed.Load(), time.Duration(longest.Load()), a.allow(tt.open))
			}
		})
	}
}

// Forms of a gigabyte are refused before they are sent, and nothing of them is
// kept in memory.
func TestFaultOverload_HugeForms(t *testing.T) {
	chaos(t)
	a := newAttacked(t)
	const gigabyte = 1 << 30
	own, err := url.Parse(a.program.URL)
	if err != nil {
		t.Fatal(err)
	}
	var cookies strings.Builder
	for _, cookie := range a.ida.client.Jar.Cookies(own) {
		cookies.WriteString(cookie.String() + "; ")
	}
	kinds := []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/json", ""}
	paths := []string{"/login", "/weeks/" + oldWeek.String() + "/cells", "/settings", "/api/harvest-sync", "/nowhere"}
	var sent, refused, most atomic.Int64
	a.during(5*time.Second, 8, func(ctx context.Context, i int) {
		for n := i; ctx.Err() == nil; n++ {
			conn := a.dial(ctx)
			if conn == nil {
				return
			}
			length := fmt.Sprintf("Content-Length: %d", gigabyte)
			if n%2 == 0 {
				length = "Transfer-Encoding: chunked"
			}
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: furrow.example\r\nCookie: %s\r\nContent-Type: %s\r\n%s\r\n\r\n", paths[n%len(paths)], cookies.String(), kinds[n/2%len(kinds)], length)
			if n%2 == 0 {
				fmt.Fprintf(conn, "%x\r\n", gigabyte)
			}
			fmt.Fprint(conn, "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n")
			bytesSent := pour(conn, gigabyte)
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				if resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusOK {
					t.Errorf("%s: %d", paths[n%len(paths)], resp.StatusCode)
				}
				resp.Body.Close()
			}
			conn.Close()
			sent.Add(bytesSent)
			for old := most.Load(); bytesSent > old && !most.CompareAndSwap(old, bytesSent); old = most.Load() {
			}
			refused.Add(1)
		}
	})
	t.Logf("%d forms were refused, after %.1f MB on average and %.1f MB at most", refused.Load(), float64(sent.Load())/float64(refused.Load())/1e6, float64(most.Load())/1e6)
	if refused.Load() == 0 || most.Load() > 16<<20 {
		t.Errorf("%d forms were refused, one after %d bytes", refused.Load(), most.Load())
	}
}

// pour writes until the other side takes no more.
func pour(conn net.Conn, most int64) (sent int64) {
	block := bytes.Repeat([]byte("a"), 64<<10)
	for sent < most {
		_ = conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		n, err := conn.Write(block)
		sent += int64(n)
		if err != nil {
			return sent
		}
	}
	return sent
}

// Ten thousand connections are open and do nothing.
func TestFaultOverload_IdleConnections(t *testing.T) {
	chaos(t)
	const connections, dialers = 10_000, 20
	a := newAttacked(t)
	var open atomic.Int64
	a.during(a.allow(15*time.Second), dialers, func(ctx context.Context, _ int) {
		var mine []net.Conn
		for range connections / dialers {
			conn := a.dial(ctx)
			if conn == nil {
				break
			}
			mine = append(mine, conn)
			fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: furrow.example\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("connection %d: %v", open.Load(), err)
				break
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			open.Add(1)
		}
		<-ctx.Done()
		for _, conn := range mine {
			conn.Close()
		}
	})
	if open.Load() != connections {
		t.Errorf("%d connections were open, want %d", open.Load(), connections)
	}
}

// Hundreds try passwords, for many accounts from many addresses, or all for
// one from one.
func TestFaultOverload_Logins(t *testing.T) {
	for _, tt := range []struct {
		name     string
		account  func(i, n int) string
		address  func(i, n int) string
		throttle bool // most are told to wait, at once
	}{
		{"from everywhere", func(i, n int) string { return fmt.Sprintf("user%d.%d@example.com", i, n) }, func(i, n int) string { return fmt.Sprintf("10.%d.%d.%d", i, n/250, n%250) }, false},
		{"for one account", func(int, int) string { return "jo@example.com" }, func(i, n int) string { return fmt.Sprintf("10.%d.%d.%d", i, n/250, n%250) }, true},
		{"from one address", func(i, n int) string { return fmt.Sprintf("user%d.%d@example.com", i, n) }, func(int, int) string { return "10.0.0.1" }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chaos(t)
			a := newAttacked(t, "--trusted-proxies", "127.0.0.0/8")
			client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}, Timeout: 30 * time.Second}
			var mutex sync.Mutex
			answers := map[int][]time.Duration{}
			a.during(12*time.Second, 200, func(ctx context.Context, i int) {
				for n := 0; ctx.Err() == nil; n++ {
					form := "email=" + tt.account(i, n) + "&password=not+the+right+one"
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.program.URL+"/login", strings.NewReader(form))
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					req.Header.Set("X-Forwarded-For", tt.address(i, n))
					began := time.Now()
					resp, err := client.Do(req)
					if err != nil {
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
						return
					}
					resp.Body.Close()
					mutex.Lock()
					answers[resp.StatusCode] = append(answers[resp.StatusCode], time.Since(began))
					mutex.Unlock()
				}
			})
			for status, took := range answers {
				slices.Sort(took)
				t.Logf("%d answers with %d, 95 of 100 within %s", len(took), status, took[len(took)*95/100].Round(time.Millisecond))
				switch status {
				case http.StatusUnprocessableEntity, http.StatusServiceUnavailable: // wrong; too many at once
				case http.StatusTooManyRequests:
					if p95 := took[len(took)*95/100]; p95 > a.allow(slowestRefusal) {
						t.Errorf("who is told to wait is told so after %s", p95)
					}
				default:
					t.Errorf("%d answers with %d", len(took), status)
				}
			}
			if tt.throttle != (len(answers[http.StatusTooManyRequests]) > len(answers[http.StatusUnprocessableEntity])) {
				t.Errorf("%d were told to wait, %d that the password is wrong", len(answers[http.StatusTooManyRequests]), len(answers[http.StatusUnprocessableEntity]))
			}
			// Who knows the password gets in, during the attack's aftermath as well.
			if status, body, err := a.ida.try("/settings", nil); err != nil || status != http.StatusOK {
				t.Errorf("afterwards: %d %s, %v", status, body, err)
			}
		})
	}
}
