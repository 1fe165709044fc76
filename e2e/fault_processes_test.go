package e2e

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"furrow/db/dbtest"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/planner"
)

// fleet is two processes that serve pages behind a balancer, two that work
// jobs, and people who use them all the time.
type fleet struct {
	*site

	balancer *balancer
	workers  []*program
	visitors []*visitor
	cells    int // that each visitor plans in a week
}

// drainDelay is longer than the balancer takes to notice.
const drainDelay = 500 * time.Millisecond

// newFleet starts the processes. web and worker are more arguments for each.
func newFleet(t *testing.T, s *site, web, worker []string) *fleet {
	t.Helper()
	f := &fleet{site: s, cells: 2}
	var pages []*program
	for range 2 {
		pages = append(pages, s.program(append([]string{"--role", "web", "--drain-delay", drainDelay.String()}, web...)...))
		f.workers = append(f.workers, s.program(append([]string{"--role", "worker"}, worker...)...))
	}
	s.setUp(pages[0])
	jonas := s.person(pages[1], "jonas@example.com", sandboxtest.MemberToken)
	f.balancer = newBalancer(t, pages...)
	week := oldWeek
	for _, who := range []*person{s.ida, s.ida, jonas, jonas} {
		f.visitors = append(f.visitors, f.balancer.visit(who, week))
		week = planner.Week{Start: week.Start.AddDays(52 * planner.DaysInWeek)}
	}
	// There are more moments in a call that takes longer.
	s.sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: "POST", Path: "/v2/time_entries"}, Fault: "delay", DelayMS: 60})
	return f
}

// during lets the people use the programs while f runs.
func (f *fleet) during(act func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	var living sync.WaitGroup
	for _, v := range f.visitors {
		living.Go(func() {
			for ctx.Err() == nil {
				// A week is lived to its end, so that it is known what must be in Harvest,
				// and no faster than Harvest takes it.
				if err := v.live(context.WithoutCancel(ctx), f.cells, 2*time.Second); err != nil {
					f.t.Error(err)
					return
				}
			}
		})
	}
	act()
	cancel()
	living.Wait()
}

// lines is how many lines were pushed.
func (f *fleet) lines() (lines, asked int, broken []string) {
	for _, v := range f.visitors {
		lines += v.lines
		asked += v.asked
		broken = append(broken, v.broken...)
	}
	return lines, asked, broken
}

// All processes are restarted, one after the other, under people who plan, push
// and read. None of their requests fails, and no job is cut short.
func TestFaultProcesses_RollingRestart(t *testing.T) {
	chaos(t)
	f := newFleet(t, newSite(t, dbtest.URL(t)), nil, nil)
	f.during(func() {
		for range 3 {
			for _, one := range f.balancer.backends {
				one.stop()
				one.start()
				f.balancer.settled(t)
			}
			for _, worker := range f.workers {
				worker.stop()
				worker.start()
			}
		}
	})
	lines, asked, broken := f.lines()
	t.Logf("%d requests; all of %d lines were sent after another %s", asked, lines, f.waitDone(maxSettle, lines).Round(time.Millisecond))
	for _, b := range broken {
		t.Errorf("a request failed: %s", b)
	}
	for _, one := range f.balancer.backends {
		if one.served.Load() < 20 {
			t.Errorf("%s served %d requests", one.URL, one.served.Load())
		}
	}
	if n := f.number("select count(*) from writes where failures > 0"); n > 0 {
		t.Errorf("%d writes have failed", n)
	}
	if n := f.number("select count(*) from river_job where cardinality(coalesce(errors, '{}')) > 0"); n > 0 {
		t.Errorf("%d jobs have failed", n)
	}
	f.exactly(lines)
}

// Any of the processes is killed at any moment, again and again. People see at
// most the connection broken that was served by the killed one, send the same
// form again, and everything is in Harvest once.
func TestFaultProcesses_KillAny(t *testing.T) {
	chaos(t)
	const length = 12 * time.Second
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	f := newFleet(t, newSite(t, dbtest.URL(t)), nil, nil)
	killed, stopped := 0, 0
	f.during(func() {
		for began := time.Now(); time.Since(began) < length && !t.Failed(); {
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond) // the moment
			victim := f.workers[random.IntN(len(f.workers))]
			if random.IntN(2) == 0 {
				victim = f.balancer.backends[random.IntN(len(f.balancer.backends))].program
			}
			if random.IntN(4) == 0 {
				victim.stop()
				stopped++
			} else {
				victim.kill()
				killed++
			}
			victim.start()
		}
	})
	lines, asked, broken := f.lines()
	t.Logf("%d processes were killed and %d stopped; %d of %d requests had to be sent again", killed, stopped, len(broken), asked)
	// What a killed one takes with it is at most one request of each browser.
	if most := killed * len(f.visitors); len(broken) > most {
		t.Errorf("%d requests broke, want at most %d: %q", len(broken), most, broken)
	}
	t.Logf("all of %d lines were sent after another %s", lines, f.waitDone(maxSettle, lines).Round(time.Millisecond))
	f.exactly(lines)
}
