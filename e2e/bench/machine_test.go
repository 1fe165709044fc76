package bench

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"furrow/db/localpg/testpg"
	"furrow/harvest/sandbox"
)

// What must hold on a small machine. Beyond these bounds the benchmark fails.
const (
	mostTogether = 150 << 10 // KiB, of the program and its PostgreSQL, idle
	mostProgram  = 40 << 10  // KiB, of the program alone
	mostBinary   = 40e6      // bytes
	mostReady    = time.Second
)

// BenchmarkMachine runs the program as one does on a small machine: with a PostgreSQL of its own, on the data of a backup.
// It looks at how soon it is ready, and at the memory of all its processes when it has nothing to do.
func BenchmarkMachine(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "furrow")
	size := buildProgram(b, binary)
	stand, err := sandbox.New(sandbox.Options{Seed: "demo"})
	if err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(stand)
	defer web.Close()
	dataDir := testpg.DataDir(b)
	if out, err := exec.CommandContext(b.Context(), binary, "restore", "../testdata/previous.backup", "--data-dir", dataDir).CombinedOutput(); err != nil {
		b.Fatalf("restore: %v: %s", err, out)
	}
	once(b, func() {
		var readies []time.Duration
		for range 5 {
			running := launchOwn(b, binary, dataDir, web.URL)
			readies = append(readies, running.ready)
			running.stop()
		}
		ready := median(readies)
		running := launchOwn(b, binary, dataDir, web.URL)
		defer running.stop()
		for range 20 { // somebody was there
			resp, err := http.Get("http://" + running.address + "/login")
			if err != nil {
				b.Fatal(err)
			}
			resp.Body.Close()
		}
		time.Sleep(5 * time.Second) // what the start began has ended
		program, together, processes := memoryOf(b, running.cmd.Process.Pid)

		b.ReportMetric(float64(together)/1024, "idle-together-MiB")
		b.ReportMetric(float64(program)/1024, "idle-program-MiB")
		table.add("ready with its own PostgreSQL", millis(ready), "", "", "< 1 s", ready < mostReady)
		table.add("idle, the program", mebibytes(program), "", "", "< 40 MiB", program < mostProgram)
		table.add(fmt.Sprintf("idle, with the %d processes of its PostgreSQL", processes-1), mebibytes(together), "", "", "< 150 MiB", together < mostTogether)
		if ready >= mostReady || program >= mostProgram || together >= mostTogether || size >= mostBinary {
			b.Errorf("ready after %s, %d KiB, %d KiB with PostgreSQL, binary of %d bytes: one is beyond its bound", ready, program, together, size)
		}
	})
}

// launchOwn starts the program with a PostgreSQL of its own and waits until it is ready.
func launchOwn(b *testing.B, binary, dataDir, harvest string) *launched {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	cmd := exec.CommandContext(b.Context(), binary, "serve", "--data-dir", dataDir, "--listen", address, "--harvest-url", harvest, "--harvest-id-url", harvest)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	l := &launched{p: &program{tb: b}, cmd: cmd, address: address}
	for time.Since(began) < 20*time.Second {
		if resp, err := http.Get("http://" + address + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				l.ready = time.Since(began)
				return l
			}
		}
		time.Sleep(time.Millisecond)
	}
	l.stop()
	b.Fatal("the program does not become ready")
	return nil
}

// memoryOf is the memory in KiB of a process, and of it with all that descend from it: what they share counts once
// among them.
func memoryOf(b *testing.B, pid int) (own, together, processes int) {
	b.Helper()
	parents := map[int]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		match := regexp.MustCompile(`^(\d+) \(.*\) \S (\d+)`).FindSubmatch(text)
		if err != nil || match == nil { // it has ended
			continue
		}
		child, _ := strconv.Atoi(string(match[1]))  // They are digits,
		parent, _ := strconv.Atoi(string(match[2])) // both.
		parents[child] = parent
	}
	for child := range parents {
		ancestor := child
		for ancestor != pid && ancestor > 1 {
			ancestor = parents[ancestor]
		}
		if ancestor != pid {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", child))
		match := regexp.MustCompile(`(?m)^Pss:\s+(\d+) kB`).FindSubmatch(text)
		if err != nil || match == nil {
			b.Skipf("memory is read from /proc: %v", err)
		}
		kib, _ := strconv.Atoi(string(match[1]))
		together += kib
		processes++
		if child == pid {
			own = kib
		}
	}
	return own, together, processes
}
