package jobs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest"
	"furrow/jobs"
	"furrow/ledger"
)

// logged keeps the lines of a log, which can be searched while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) holds(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// line returns the first line of a message that names the job, or nil.
func (l *logged) line(t *testing.T, message string, job int64) map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range strings.Lines(l.text.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == message && fields["job"] == float64(job) {
			return fields
		}
	}
	return nil
}

// counted notes what it is told.
type counted struct {
	mu       sync.Mutex
	jobs     map[string]int
	attempts map[ledger.OutcomeKind]int
}

func (c *counted) Job(kind, outcome string, waited, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waited >= 0 && took > 0 {
		c.jobs[kind+" "+outcome]++
	}
}

func (c *counted) Attempt(a ledger.Attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts[a.Outcome]++
}

// TestTrace: from the id of a request one finds the write, the job and the call
// that came of it, in the ledger and in the log; and what is done is measured.
func TestTrace(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	var out logged
	log := slog.New(ledger.TracedLog(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	h, err := harvest.New(harvest.Config{BaseURL: b.sandbox.URL, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b.harvest.Close()
	b.harvest = h
	work, count := b.work(), &counted{jobs: map[string]int{}, attempts: map[ledger.OutcomeKind]int{}}
	work.Observer = count
	queue, err := jobs.New(b.pool, work, log)
	if err != nil {
		t.Fatal(err)
	}
	b.plan(t, b.cell(0, 0), 90, "Checkout wireframes")
	ctx := ledger.WithTrace(t.Context(), ledger.Trace{Request: "the-request"})
	err = b.store.InTx(ctx, func(tx *db.Tx) error {
		n, err := b.push(ctx, tx, queue, b.userID, b.week, "the mutation", nil)
		if n != 1 {
			t.Errorf("%d lines", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.settled(t, ledger.Done)
	if err := queue.Stop(t.Context()); err != nil {
		t.Error(err)
	}

	var request string
	var write, job int64
	err = b.pool.QueryRow(t.Context(), "select w.request_id, w.id, a.job_id from writes w join write_attempts a on a.write_id = w.id").Scan(&request, &write, &job)
	if err != nil || request != "the-request" || job == 0 {
		t.Errorf("the ledger names request %q, job %d, %v", request, job, err)
	}
	for _, message := range []string{"harvest", "job"} {
		line := out.line(t, message, job)
		if line["request"] != request {
			t.Errorf("%s: %v", message, line)
		}
		if message == "harvest" && line["write"] != float64(write) {
			t.Errorf("%s names write %v, want %d", message, line["write"], write)
		}
	}
	if count.jobs["harvest_push done"] == 0 || count.attempts[ledger.OutcomeApplied] != 1 {
		t.Errorf("measured %v, %v", count.jobs, count.attempts)
	}
}
