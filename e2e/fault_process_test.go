package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"furrow/db/dbtest"
	"furrow/harvest/sandbox/sandboxtest"
)

// A program is killed when it is about to commit a push, or has just done so.
// The person gets no answer, and sends the same form again.
func TestFault38_KillBeforeCommit(t *testing.T) {
	killAtCommit(t, dbtest.NotArrived, 0)
}

func TestFault39_KillAfterCommit(t *testing.T) {
	killAtCommit(t, dbtest.NotTold, 1)
}

func killAtCommit(t *testing.T, moment dbtest.Moment, stored int) {
	chaos(t)
	s := newSite(t, dbtest.URL(t))
	line := dbtest.NewLine(t, s.database)
	pages := s.programOn(line.URL, "--role", "web")
	worker := s.program("--role", "worker")
	s.setUp(pages)
	worker.stop() // what is stored stays to be seen
	form := s.ida.lines(oldWeek, 1)
	path := "/weeks/" + oldWeek.String() + "/push"
	line.Cut(dbtest.Cut{At: "commit", In: "insert into writes", Moment: moment, Then: func() { _ = pages.cmd.Process.Kill() }})
	if status, _, err := s.ida.try(path, form); err == nil {
		t.Fatalf("a killed program answered %d", status)
	}
	<-pages.exited
	pages.cmd = nil
	if n := s.number("select count(*) from writes"); n != stored {
		t.Errorf("%d writes are stored, want %d", n, stored)
	}
	pages.start()
	for range 2 {
		if status, body, err := s.ida.try(path, form); err != nil || status != http.StatusSeeOther {
			t.Fatalf("the form again: %d %s, %v", status, body, err)
		}
	}
	worker.start()
	s.waitDone(patience, 1)
	s.exactly(1)
}

// Two programs share a push of many lines, and are killed in turn, at any
// moment. Each time the other one goes on before half a minute is over.
func TestFault40_KillAtRandom(t *testing.T) {
	chaos(t)
	const lines, kills = 60, 4
	s := newSite(t, dbtest.URL(t))
	programs := []*program{s.program(), s.program()}
	s.setUp(programs[0])
	s.sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "POST"}, Fault: "delay", DelayMS: 60}) // more moments
	s.send(oldWeek, lines)
	for i := range kills {
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond) // the moment
		before := s.done()
		if before == lines {
			break
		}
		victim := programs[i%2]
		victim.kill()
		took := s.waitDone(maxRecovery, before+1)
		t.Logf("killed when %d lines were sent; the next one was after %s", before, took.Round(time.Millisecond))
		victim.start()
	}
	t.Logf("all were sent after another %s", s.waitDone(maxSettle, lines).Round(time.Millisecond))
	s.exactly(lines)
}

// Killed for want of memory: both at once, in the middle of a push, and nobody
// is left until they are started again.
func TestFault46_AllAreKilled(t *testing.T) {
	chaos(t)
	const lines = 12
	s := newSite(t, dbtest.URL(t))
	programs := []*program{s.program(), s.program()}
	s.setUp(programs[0])
	s.sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "POST"}, Fault: "delay", DelayMS: 200})
	s.send(oldWeek, lines)
	s.waitDone(patience, 2)
	for _, p := range programs {
		p.kill()
	}
	before := s.done()
	for _, p := range programs {
		p.start()
	}
	t.Logf("killed when %d lines were sent; the next one was after %s", before, s.waitDone(maxRecovery, before+1).Round(time.Millisecond))
	s.waitDone(maxSettle, lines)
	s.exactly(lines)
}

// The leader of the queue is killed. Pushes do not wait for its successor.
func TestFault41_KillLeader(t *testing.T) {
	chaos(t)
	s := newSite(t, dbtest.URL(t))
	leader := func() (id string) {
		_ = s.pool.QueryRow(t.Context(), "select leader_id from river_leader where expires_at > now()").Scan(&id)
		return id
	}
	elected := func(most time.Duration, old string) string {
		t.Helper()
		waitFor(t, most, "a leader", func() error {
			if now := leader(); now == "" || now == old {
				return fmt.Errorf("it is %q", now)
			}
			return nil
		})
		return leader()
	}
	first := s.program()
	was := elected(patience, "")
	second := s.program()
	s.setUp(second)
	form := s.ida.lines(oldWeek, 1)
	first.kill()
	if leader() != was {
		t.Fatal("the other one was the leader")
	}
	s.ida.post("/weeks/"+oldWeek.String()+"/push", form)
	took := s.waitDone(3*time.Second, 1)
	elected(25*time.Second, was)
	t.Logf("the push was sent after %s", took.Round(time.Millisecond))
	s.exactly(1)
}

// A program is told to stop while calls are under way: from then on it is not
// ready, it ends the call, gives back the rest, and ends well.
func TestFault42_Terminate(t *testing.T) {
	chaos(t)
	const lines = 5
	s := newSite(t, dbtest.URL(t))
	p := s.program()
	s.setUp(p)
	s.sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "POST"}, Fault: "delay", DelayMS: 4000})
	s.send(oldWeek, lines)
	s.struck()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 2*time.Second, "the program not to be ready", func() error {
		if status, err := p.get("/readyz"); err == nil && status == http.StatusOK {
			return errors.New("it is ready")
		}
		return nil
	})
	select {
	case err := <-p.exited:
		t.Fatalf("it ended before its call did: %v", err)
	default:
	}
	if err := <-p.exited; err != nil {
		t.Errorf("the program ended badly: %v", err)
	}
	p.cmd = nil
	took := time.Since(began)
	t.Logf("it ended after %s", took.Round(time.Millisecond))
	if took > 15*time.Second {
		t.Errorf("it took %s to end", took)
	}
	if n := s.done(); n != 1 {
		t.Errorf("%d writes are done, want the one that was under way", n)
	}
	if n := s.number("select count(*) from writes where state in ('sending', 'uncertain') or failures > 0"); n > 0 {
		t.Errorf("%d writes are in doubt", n)
	}
	if n := s.number("select count(*) from river_job where attempt > 1 or cardinality(coalesce(errors, '{}')) > 0 or state = 'running'"); n > 0 {
		t.Errorf("%d jobs have used up an attempt, or are taken to run", n)
	}
	s.sandbox.ClearFaults(t)
	p.start()
	s.waitDone(maxRecovery, lines)
	s.exactly(lines)
}

// A program is stopped for longer than its lease, while it looks before it
// sends or while it waits for an answer. When it wakes, another one has done
// its work, and it does nothing more.
func TestFault45_Zombie(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
	}{
		{"while it looks", http.MethodGet},
		{"while it sends", http.MethodPost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chaos(t)
			s := newSite(t, dbtest.URL(t))
			pages := s.program("--role", "web")
			zombie := s.program("--role", "worker")
			s.setUp(pages)
			s.sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: tt.method, Path: "/v2/time_entries"}, Fault: "delay", DelayMS: 1500, Times: 1})
			s.send(oldWeek, 1)
			s.struck()
			process := zombie.cmd.Process
			if err := process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			wake := func() { _ = process.Signal(syscall.SIGCONT) }
			t.Cleanup(wake)
			other := s.program("--role", "worker")
			t.Logf("the other one had it done after %s", s.waitDone(maxSettle, 1).Round(time.Millisecond))
			attempts := s.number("select count(*) from write_attempts")
			wake()
			waitFor(t, patience, "the first one to be awake", func() error {
				_, err := zombie.get("/readyz")
				return err
			})
			zombie.stop() // ends what it is at
			other.stop()
			if n := s.number("select count(*) from write_attempts"); n != attempts {
				t.Errorf("the first one has recorded %d more attempts", n-attempts)
			}
			posts := 0
			for _, r := range s.sandbox.Requests(t) {
				if r.Method == http.MethodPost && r.Path == "/v2/time_entries" {
					posts++
				}
			}
			if posts != 1 {
				t.Errorf("%d creates", posts)
			}
			s.exactly(1)
		})
	}
}

// One connection pushes hundreds of lines; another one's push of one line does
// not wait for them, and Harvest is never asked faster than it allows.
func TestFault67_Fairness(t *testing.T) {
	chaos(t)
	s := newSite(t, dbtest.URL(t))
	programs := []*program{s.program(), s.program()}
	s.setUp(programs[0])
	week := oldWeek
	const lines, weeks = 70, 7
	for range weeks {
		s.send(week, lines)
		week = week.Next()
	}
	jonas := s.person(programs[1], "jonas@example.com", sandboxtest.MemberToken)
	var slowest time.Duration
	for range 5 {
		form := jonas.lines(week, 1)
		began := time.Now()
		jonas.post("/weeks/"+week.String()+"/push", form)
		waitFor(t, patience, "Jonas's line to be sent", func() error {
			if s.number("select count(*) from writes w join users u on u.id = w.user_id where u.email = 'jonas@example.com' and w.state <> 'done'") > 0 {
				return errors.New("it is not")
			}
			return nil
		})
		slowest = max(slowest, time.Since(began))
		week = week.Next()
	}
	left := s.number("select count(*) from writes where state <> 'done'")
	t.Logf("the slowest of 5 single lines was in Harvest after %s, with %d of %d lines waiting", slowest.Round(time.Millisecond), left, lines*weeks)
	if left == 0 {
		t.Error("nothing was waiting any more")
	}
	if slowest > 3*time.Second {
		t.Errorf("a line of somebody else was sent after %s", slowest)
	}
	for _, r := range s.sandbox.Requests(t) {
		if r.Status == http.StatusTooManyRequests {
			t.Errorf("Harvest refused call %d for coming too fast", r.Seq)
		}
	}
}
