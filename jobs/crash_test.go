package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// A child is this test program as another process: it works the queue of a
// database against a sandbox, and at one step of a push it is killed or put to
// sleep, in the way that the kernel does it.

// childEnv holds the orders of a child as JSON; its presence makes one.
const childEnv = "FURROW_TEST_CHILD"

type childOrders struct {
	Database, Harvest string
	Step              step
	// Wake is a file. With it the child is stopped, not killed, and goes on
	// when the file is there.
	Wake   string
	UserID int64
	Week   planner.Week
}

// step is a moment of a push.
type step string

// The steps, in their order.
const (
	stepConfirming step = "confirming" // in the transaction that makes the writes
	stepConfirmed  step = "confirmed"  // after it; no worker has started
	stepLeased     step = "leased"     // the lease is taken, and nothing else
	stepBegun      step = "begun"      // the intent is committed; no byte has left
	stepApplied    step = "applied"    // Harvest has done it; its answer is not read
	stepAnswered   step = "answered"   // the answer is read; nothing is recorded
	stepSettled    step = "settled"    // the outcome is committed; the job is not
)

// child works until its step comes. What it says on its standard output is for
// the parent.
func child() {
	if err := runChild(context.Background()); err != nil {
		fmt.Println("error:", err)
	}
	os.Exit(3) // the step never came
}

func runChild(ctx context.Context) error {
	var orders childOrders
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &orders); err != nil {
		return err
	}
	trap := &trap{orders: orders}
	target, err := url.Parse(orders.Harvest)
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method != http.MethodGet {
			trap.at(stepApplied)
		}
		return nil
	}
	between := httptest.NewServer(proxy)
	defer between.Close()
	s, err := openSite(ctx, orders.Database, harvest.Config{BaseURL: between.URL})
	if err != nil {
		return err
	}
	work := s.work()
	work.Store = trappedStore{Store: s.store, trap: trap}
	work.Remote = func(ctx context.Context, connectionID int64, urgency jobs.Urgency) (ledger.Remote, error) {
		remote, err := s.remote(ctx, connectionID, urgency)
		return trappedRemote{Remote: remote, trap: trap}, err
	}
	queue, err := jobs.New(s.pool, work, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if orders.Step == stepConfirming || orders.Step == stepConfirmed {
		err := s.store.InTx(ctx, func(tx *db.Tx) error {
			_, err := s.push(ctx, tx, queue, orders.UserID, orders.Week, "mutation-of-child", nil)
			if err == nil {
				trap.at(stepConfirming)
			}
			return err
		})
		if err != nil {
			return err
		}
		trap.at(stepConfirmed)
	}
	if err := queue.Start(ctx); err != nil {
		return err
	}
	time.Sleep(time.Minute)
	return nil
}

// trap springs at a step, once.
type trap struct {
	orders childOrders
	once   sync.Once
}

func (t *trap) at(s step) {
	if s != t.orders.Step {
		return
	}
	t.once.Do(func() {
		if t.orders.Wake == "" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal may take a moment
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		for {
			if _, err := os.Stat(t.orders.Wake); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

type trappedStore struct {
	jobs.Store
	trap *trap
}

func (s trappedStore) TakeOutbox(ctx context.Context, connectionID int64, term time.Duration, cellURL func(planner.Date) string) (ledger.LeasedOutbox, bool, error) {
	box, ok, err := s.Store.TakeOutbox(ctx, connectionID, term, cellURL)
	if !ok || err != nil {
		return nil, ok, err
	}
	s.trap.at(stepLeased)
	return trappedBox{LeasedOutbox: box, trap: s.trap}, true, nil
}

type trappedBox struct {
	ledger.LeasedOutbox
	trap *trap
}

func (b trappedBox) Begin(ctx context.Context, w ledger.Write) error {
	err := b.LeasedOutbox.Begin(ctx, w)
	if err == nil {
		b.trap.at(stepBegun)
	}
	return err
}

func (b trappedBox) Settle(ctx context.Context, w ledger.Write, r ledger.Result) error {
	err := b.LeasedOutbox.Settle(ctx, w, r)
	if errors.Is(err, ledger.ErrFenced) {
		fmt.Println("fenced")
		os.Exit(0)
	}
	if err == nil && r.State == ledger.Done {
		b.trap.at(stepSettled)
	}
	return err
}

type trappedRemote struct {
	ledger.Remote
	trap *trap
}

func (r trappedRemote) CreateEntry(ctx context.Context, entry ledger.Entry, reference, permalink string) (ledger.RemoteEntry, error) {
	created, err := r.Remote.CreateEntry(ctx, entry, reference, permalink)
	if err == nil {
		r.trap.at(stepAnswered)
	}
	return created, err
}

func (r trappedRemote) UpdateEntry(ctx context.Context, id int64, changes ledger.Changes) (ledger.RemoteEntry, error) {
	updated, err := r.Remote.UpdateEntry(ctx, id, changes)
	if err == nil {
		r.trap.at(stepAnswered)
	}
	return updated, err
}

func (r trappedRemote) StartTimer(ctx context.Context, start ledger.TimerStart, reference, permalink string) (ledger.RemoteEntry, error) {
	started, err := r.Remote.StartTimer(ctx, start, reference, permalink)
	if err == nil {
		r.trap.at(stepAnswered)
	}
	return started, err
}

func (r trappedRemote) RestartTimer(ctx context.Context, id int64) (ledger.RemoteEntry, error) {
	started, err := r.Remote.RestartTimer(ctx, id)
	if err == nil {
		r.trap.at(stepAnswered)
	}
	return started, err
}

func (r trappedRemote) StopTimer(ctx context.Context, id int64) (ledger.RemoteEntry, error) {
	stopped, err := r.Remote.StopTimer(ctx, id)
	if err == nil {
		r.trap.at(stepAnswered)
	}
	return stopped, err
}

func (r trappedRemote) DeleteEntry(ctx context.Context, id int64) error {
	err := r.Remote.DeleteEntry(ctx, id)
	if err == nil {
		r.trap.at(stepAnswered)
	}
	return err
}

// process is a child that runs.
type process struct {
	*exec.Cmd
	said bytes.Buffer
	wake string
}

func (b *bench) start(t *testing.T, s step, zombie bool) *process {
	t.Helper()
	orders := childOrders{Database: b.url, Harvest: b.sandbox.URL, Step: s, UserID: b.userID, Week: b.week}
	if zombie {
		orders.Wake = filepath.Join(t.TempDir(), "wake")
	}
	text, err := json.Marshal(orders)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.CommandContext(t.Context(), program), wake: orders.Wake}
	p.Env = append(os.Environ(), childEnv+"="+string(text))
	p.Stdout, p.Stderr = &p.said, &p.said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// killed lets a child run until it is killed at its step.
func (b *bench) killed(t *testing.T, s step) {
	t.Helper()
	p := b.start(t, s, false)
	err := p.Wait()
	status, ok := p.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended by itself: %v; it said %q", err, p.said.String())
	}
}

// TestCrash kills a process at every step of a push (the crash points of a
// write: before and after the intent, before and after the answer, before and
// after the outcome is recorded), and lets another one find what is left. Each
// time Harvest ends with exactly what was confirmed, and was asked for the
// change no more than once.
func TestCrash(t *testing.T) {
	t.Parallel()
	methods := map[ledger.Op]string{ledger.OpCreate: http.MethodPost, ledger.OpUpdate: http.MethodPatch, ledger.OpDelete: http.MethodDelete}
	for _, op := range []ledger.Op{ledger.OpCreate, ledger.OpUpdate, ledger.OpDelete} {
		for _, tt := range []struct {
			step      step
			wantLeft  ledger.State
			wantStory string
		}{
			{stepLeased, ledger.Pending, "send applied"},
			{stepBegun, ledger.Sending, "look absent, send applied"},
			{stepApplied, ledger.Sending, "look found"},
			{stepAnswered, ledger.Sending, "look found"},
			{stepSettled, ledger.Done, "send applied"},
		} {
			t.Run(string(op)+"/"+string(tt.step), func(t *testing.T) {
				t.Parallel()
				b := setUp(t, benchOptions{})
				if op != ledger.OpCreate {
					b.plan(t, b.cell(0, 1), 60, "before")
					b.confirm(t, nil)
					b.drain(t)
				}
				if op == ledger.OpDelete {
					b.plan(t, b.cell(0, 1), 0, "")
				} else {
					b.plan(t, b.cell(0, 1), 75, "Grid and type")
				}
				b.sandbox.ForgetRequests(t)
				b.confirm(t, nil)
				b.killed(t, tt.step)
				if w := b.last(t); w.State != tt.wantLeft || w.Op != op {
					t.Errorf("the killed process left %s in state %s, want %s", w.Op, w.State, tt.wantLeft)
				}

				b.run(t, b.work())
				b.settled(t, ledger.Done)
				b.exactlyAsPlanned(t)
				want := tt.wantStory
				if op == ledger.OpCreate && tt.step == stepBegun {
					want = "look absent, " + want // one empty look is no proof that nothing was made
				}
				if got := story(b.last(t)); got != want {
					t.Errorf("history %q, want %q", got, want)
				}
				if n := b.calls(t, methods[op], entriesPath); n != 1 {
					t.Errorf("Harvest was asked %d times", n)
				}
				if t.Failed() {
					b.tell(t, b.writes(t))
				}
			})
		}
	}
}

// TestCrashWhileConfirming kills the process that makes the writes.
func TestCrashWhileConfirming(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		step step
		want int // writes
	}{
		{stepConfirming, 0},
		{stepConfirmed, 1},
	} {
		t.Run(string(tt.step), func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			b.killed(t, tt.step)
			if n := len(b.writes(t)); n != tt.want {
				t.Fatalf("%d writes", n)
			}
			list, err := b.bell.List(t.Context(), jobs.Filter{})
			if err != nil || len(list) != tt.want {
				t.Errorf("%d jobs, %v", len(list), err)
			}
			// The form comes again, with the same mutation id.
			err = b.store.InTx(t.Context(), func(tx *db.Tx) error {
				_, err := b.push(t.Context(), tx, b.bell, b.userID, b.week, "mutation-of-child", nil)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(b.writes(t)); n != 1 {
				t.Errorf("%d writes after the form came again", n)
			}
			b.run(t, b.work())
			b.settled(t, ledger.Done)
			b.exactlyAsPlanned(t)
		})
	}
}

// TestZombie stops a process for longer than its lease. Another one takes over;
// when the first wakes, while the other is at it or after that, it must neither
// send nor record anything.
func TestZombie(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		step      step
		held      bool // wakes while the other has not settled the write yet
		wantStory string
	}{
		{"before the call", stepBegun, false, "look absent, look absent, send applied"},
		{"after the answer", stepAnswered, false, "look found"},
		{"before the call, early", stepBegun, true, "look absent, look absent, send applied"},
		{"after the answer, early", stepAnswered, true, "look found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, benchOptions{})
			b.plan(t, b.cell(0, 1), 75, "Grid and type")
			b.confirm(t, nil)
			zombie := b.start(t, tt.step, true)
			waitFor(t, "the child to be stopped", func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", zombie.Process.Pid))
				if err != nil {
					t.Fatal(err)
				}
				_, rest, _ := strings.Cut(string(stat), ") ")
				return strings.HasPrefix(rest, "T")
			})
			if tt.held {
				box := b.takeOver(t)
				if w, ok, err := box.Next(t.Context()); err != nil || !ok || w.State != ledger.Sending {
					t.Fatalf("next %+v, %t, %v", w, ok, err)
				}
				b.wake(t, zombie)
				if w := b.last(t); w.State != ledger.Sending || len(w.Attempts) != 0 {
					t.Errorf("the child has left %s after %q", w.State, story(w))
				}
				if _, more, err := box.Release(t.Context()); err != nil || !more {
					t.Errorf("release: %t, %v", more, err)
				}
				b.run(t, b.work())
				b.settled(t, ledger.Done)
			} else {
				b.run(t, b.work())
				b.settled(t, ledger.Done)
				b.wake(t, zombie)
			}
			if got := story(b.last(t)); got != tt.wantStory {
				t.Errorf("history %q, want %q", got, tt.wantStory)
			}
			b.exactlyAsPlanned(t)
			if n := b.posts(t); n != 1 {
				t.Errorf("%d creates", n)
			}
			if t.Failed() {
				b.tell(t, b.writes(t))
			}
		})
	}
}

// takeOver takes the lease as soon as that of another process has run out.
func (b *bench) takeOver(t *testing.T) ledger.LeasedOutbox {
	t.Helper()
	var box ledger.LeasedOutbox
	waitFor(t, "the end of the lease", func() bool {
		var ok bool
		var err error
		box, ok, err = b.store.TakeOutbox(t.Context(), b.connectionID, time.Minute, cellURL)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	})
	return box
}

// wake lets a stopped child go on, which must find that it is fenced off.
func (b *bench) wake(t *testing.T, zombie *process) {
	t.Helper()
	if err := os.WriteFile(zombie.wake, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Wait(); err != nil || !strings.Contains(zombie.said.String(), "fenced") {
		t.Errorf("the child was not fenced: %v, it said %q", err, zombie.said.String())
	}
}
