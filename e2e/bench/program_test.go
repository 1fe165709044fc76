package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"furrow/db/dbtest"
	"furrow/views"
)

// Load of the measurement of memory.
const (
	loads       = 4
	loadTime    = 2 * time.Second
	loadClients = 32
)

// BenchmarkProgram builds the program as it is released, starts it on existing data beside a running database, and
// looks at its size, its memory and what it sends.
func BenchmarkProgram(b *testing.B) {
	p := start(b, options{rows: 60})
	dir := b.TempDir()
	binary := filepath.Join(dir, "furrow")
	size := buildProgram(b, binary)
	key := filepath.Join(dir, "secret.key")
	if err := os.WriteFile(key, dbtest.SecretKey(), 0o600); err != nil {
		b.Fatal(err)
	}
	once(b, func() {
		var ready []time.Duration
		for range 5 {
			running := p.launch(binary, key)
			ready = append(ready, running.ready)
			running.stop()
		}
		running := p.launch(binary, key)
		defer running.stop()
		clients := p.clients(loadClients, running.address)
		clients[0].get("/weeks/" + p.week.String())
		time.Sleep(500 * time.Millisecond)
		idle := running.resident()
		var after []int
		for range loads {
			load(clients, loadTime, func(c *client) { expect(c.get("/weeks/"+p.week.String()), http.StatusOK) })
			after = append(after, running.resident())
		}
		first, files, second, whole, click := p.visits(running.address)

		b.ReportMetric(milliseconds(median(ready)), "ready-ms")
		b.ReportMetric(float64(idle)/1024, "idle-MiB")
		b.ReportMetric(float64(after[len(after)-1])/1024, "loaded-MiB")
		b.ReportMetric(float64(size)/1e6, "binary-MB")
		b.ReportMetric(float64(first)/1000, "first-visit-kB")
		b.ReportMetric(float64(second)/1000, "second-visit-kB")
		b.ReportMetric(float64(click)/1000, "click-kB")
		table.add("ready on existing data", millis(median(ready)), "", "", "<= 40 ms", median(ready) <= 40*time.Millisecond)
		table.add("resident, idle", mebibytes(idle), "", "", "<= 26 MiB", idle <= 26<<10)
		grown := fmt.Sprintf("after %d loads of %s at %d clients", loads, loadTime, loadClients)
		table.add("resident "+grown, mebibytes(after...), "", "", "<= 38 MiB, flat", after[len(after)-1] <= 38<<10)
		table.add("stripped binary", fmt.Sprintf("%.1f MB", float64(size)/1e6), "", "", "< 40 MB", size < mostBinary)
		table.add("first visit as sent", fmt.Sprintf("%s, %d files", kilobytes(first), files), "", "", "<= 35 kB, <= 4 files", first <= 35_000 && files <= 4)
		table.add("second visit as sent", kilobytes(second), "", "", "<= 12 kB", second <= 12_000)
		table.add("one click's answer, of the page", fmt.Sprintf("%s of %s", kilobytes(click), kilobytes(whole)), "", ratioOf(float64(click)/float64(whole)),
			"<= 0.10", float64(click) <= 0.1*float64(whole))
	})
}

// buildProgram builds the program as it is released, and returns its size in bytes.
func buildProgram(b *testing.B, binary string) int64 {
	b.Helper()
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "furrow")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build: %v: %s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// mebibytes formats kibibytes.
func mebibytes(kib ...int) string {
	texts := make([]string, len(kib))
	for i, n := range kib {
		texts[i] = fmt.Sprintf("%.1f", float64(n)/1024)
	}
	return strings.Join(texts, ", ") + " MiB"
}

// launched is a running program.
type launched struct {
	p       *program
	cmd     *exec.Cmd
	address string
	ready   time.Duration
}

// launch starts the built program on p's database and waits until it is ready.
func (p *program) launch(binary, key string) *launched {
	p.tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.tb.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	cmd := exec.CommandContext(context.Background(), binary, "serve")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Env = append(os.Environ(), "FURROW_DATABASE_URL="+p.url, "FURROW_SECRET_KEY_FILE="+key, "FURROW_DATA_DIR="+filepath.Dir(key), "FURROW_LISTEN="+address)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		p.tb.Fatal(err)
	}
	l := &launched{p: p, cmd: cmd, address: address}
	for time.Since(began) < 20*time.Second {
		response, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				l.ready = time.Since(began)
				return l
			}
		}
		time.Sleep(time.Millisecond)
	}
	l.stop()
	p.tb.Fatalf("the program does not become ready: %s", &output)
	return nil
}

func (l *launched) stop() {
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	_ = l.cmd.Wait()
}

// resident is the memory in KiB that the program holds.
func (l *launched) resident() int {
	l.p.tb.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(l.cmd.Process.Pid) + "/status")
	if err != nil {
		l.p.tb.Skipf("memory is read from /proc: %v", err)
	}
	match := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	n, err := strconv.Atoi(string(match[1]))
	if err != nil {
		l.p.tb.Fatal(err)
	}
	return n
}

// visits counts bytes on the wire, headers included, as a browser asks for them: a first visit of the week page with
// its files, a second one, and the answer to one edited cell.
func (p *program) visits(address string) (first, files, second, page, click int) {
	p.tb.Helper()
	c := newClient(p.tb, address, p.cookie)
	c.extra = "Accept-Encoding: gzip, deflate, br\r\n"
	week := views.WeekPath(p.week)
	a := c.get(week)
	expect(a, http.StatusOK)
	page = a.size()
	plain := newClient(p.tb, address, p.cookie).get(week)
	first, files = page, 1
	for _, match := range regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllSubmatch(plain.body, -1) {
		file := c.get(string(match[1]))
		expect(file, http.StatusOK)
		first += file.size()
		files++
		if !strings.Contains(file.header().Get("Cache-Control"), "immutable") {
			second += file.size()
		}
	}
	second += page
	c.extra += "HX-Request: true\r\n"
	version := queryOne[int64](p, "select max(id) from plan_events where user_id = $1", p.userID)
	a = c.post(week+"/cells", url.Values{"version": {strconv.FormatInt(version, 10)}, p.cellField(1): {"7h"}}.Encode())
	expect(a, http.StatusOK)
	return first, files, second, page, a.size()
}
