// Package gate tests the gate to Harvest with everything real: several
// processes with many workers each call one sandbox for one connection, and the
// sandbox's log tells what reached it, and when.
package gate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/harvest"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
)

// Environment of a child process; the first one makes it one.
const (
	childDatabase = "FURROW_GATE_TEST_DATABASE"
	childHarvest  = "FURROW_GATE_TEST_HARVEST"
	childWorkers  = "FURROW_GATE_TEST_WORKERS"
)

func TestMain(m *testing.M) {
	if database := os.Getenv(childDatabase); database != "" {
		if err := hammer(database, os.Getenv(childHarvest), os.Getenv(childWorkers)); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// hammer calls Harvest from many workers, as fast as the gate lets it, until
// its standard input is closed.
func hammer(database, address, workers string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // ends with the parent
		cancel()
	}()
	pool, err := db.Open(ctx, database, 8)
	if err != nil {
		return err
	}
	defer pool.Close()
	adapter, err := harvest.New(harvest.Config{BaseURL: address, IDURL: address, Contact: "test@example.com", Gate: db.NewGate(pool)})
	if err != nil {
		return err
	}
	defer adapter.Close()
	n, err := strconv.Atoi(workers)
	if err != nil {
		return err
	}
	var working sync.WaitGroup
	for range n {
		working.Go(func() {
			client := adapter.Client(harvest.Credentials{
				Tokens: ledger.StaticToken(sandboxtest.Token), AccountID: sandboxtest.AccountID, UserID: sandboxtest.UserID, ConnectionID: 1,
			}, harvest.Interactive)
			for ctx.Err() == nil {
				_, err := client.EntriesByReference(ctx, "furrow:none:1")
				pause := time.Duration(0)
				var wait *ledger.WaitError
				if errors.As(err, &wait) {
					pause = wait.Wait
				}
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	working.Wait()
	return nil
}

// The limits that the sandbox keeps, as Harvest does (harvest-api.md, section 3).
const (
	limit  = 100
	window = 15 * time.Second
)

// inFlight is what a call that has passed the gate may take to reach the
// sandbox's log on a busy machine.
const inFlight = 500 * time.Millisecond

// Sixteen workers in three processes stay below the limit and use it; after a
// 429 they are silent for as long as they were asked to; and when Harvest is
// down, a handful of calls find out for all of them.
func TestGate(t *testing.T) {
	t.Parallel()
	database := dbtest.URL(t)
	stand := sandboxtest.Start(t, "demo")
	for _, workers := range []string{"6", "5", "5"} {
		startChild(t, database, stand.URL, workers)
	}

	// The limit. The first window holds the full burst and the steady pace after it,
	// which is the most that there can be.
	waitFor(t, time.Minute, "a window of calls", func() bool {
		log := stand.Requests(t)
		return len(log) > 0 && log[len(log)-1].Time.Sub(log[0].Time) > window+3*time.Second
	})
	log := stand.Requests(t)
	most := busiest(log)
	t.Logf("%d calls in %s, %d in the busiest %s", len(log), log[len(log)-1].Time.Sub(log[0].Time).Round(time.Second), most, window)
	if most > limit || most < 90 {
		t.Errorf("%d calls in the busiest %s, want 90 to %d", most, window, limit)
	}
	for _, call := range log {
		if call.Status == 429 {
			t.Fatalf("the sandbox refused call %d", call.Seq)
		}
	}

	// A 429.
	const silence = 4 * time.Second
	stand.Fault(t, sandboxtest.Fault{Fault: "status", Status: 429, RetryAfter: int(silence.Seconds()), Times: 1})
	var refused sandboxtest.Request
	waitFor(t, 20*time.Second, "a refused call", func() bool {
		for _, call := range stand.RequestsAfter(t, log[len(log)-1].Seq) {
			if call.Status == 429 {
				refused = call
				return true
			}
		}
		return false
	})
	var next sandboxtest.Request
	waitFor(t, 30*time.Second, "a call after the silence", func() bool {
		for _, call := range stand.RequestsAfter(t, refused.Seq) {
			if call.Time.Sub(refused.Time) > inFlight {
				next = call
				return true
			}
		}
		return false
	})
	if got := next.Time.Sub(refused.Time); got < silence {
		t.Errorf("a call came %s after the refusal, asked for were %s", got, silence)
	}

	// An outage.
	before := stand.Requests(t)
	stand.SetOutage(t, "503")
	last := before[len(before)-1].Seq
	var failed []sandboxtest.Request
	waitFor(t, time.Minute, "two probes of a Harvest that is down", func() bool {
		failed = failed[:0]
		for _, call := range stand.RequestsAfter(t, last) {
			if call.Status == 503 {
				failed = append(failed, call)
			}
		}
		return probes(failed) >= 2
	})
	opening := 0
	for _, call := range failed {
		if call.Time.Sub(failed[0].Time) < 3*time.Second {
			opening++
		}
	}
	t.Logf("%d calls found out that Harvest is down, then %d probes", opening, probes(failed))
	if opening > 5 {
		t.Errorf("%d failing calls before the breaker opened, want at most 5", opening)
	}
	for i := opening + 1; i < len(failed); i++ {
		if gap := failed[i].Time.Sub(failed[i-1].Time); gap < 3*time.Second {
			t.Errorf("two probes %s apart", gap)
		}
	}
	stand.SetOutage(t, "well")
	waitFor(t, 90*time.Second, "calls that go through again", func() bool {
		calls := stand.RequestsAfter(t, failed[len(failed)-1].Seq)
		return len(calls) > 20 && calls[len(calls)-1].Status == 200
	})
}

// probes counts the calls that came alone after the first ones.
func probes(failed []sandboxtest.Request) int {
	n := 0
	for _, call := range failed {
		if call.Time.Sub(failed[0].Time) >= 3*time.Second {
			n++
		}
	}
	return n
}

// busiest is the largest number of calls in any window.
func busiest(log []sandboxtest.Request) int {
	most, first := 0, 0
	for i := range log {
		for log[i].Time.Sub(log[first].Time) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// startChild starts a process that hammers until the test is over.
func startChild(t *testing.T, database, address, workers string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), childDatabase+"="+database, childHarvest+"="+address, childWorkers+"="+workers)
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := child.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("child: %v", err)
		}
	})
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, atMost time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(atMost); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("no %s within %s", what, atMost)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
