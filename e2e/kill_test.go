package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// afterKill is how long it may take until everything is sent: the lease of the
// killed program runs out, what is in doubt is looked for twice, half a minute
// apart, and then sent.
const afterKill = 120 * time.Second

// killed is a program that was killed during a push, and runs again.
type killed struct {
	moment  string
	at      time.Time
	ida     *person
	sandbox *sandboxtest.Sandbox
	rows    []row
}

// kill -9 at any moment of a push: after a restart every confirmed line is in
// Harvest exactly once.
func TestKill(t *testing.T) {
	t.Parallel()
	day := today(t)
	rows, typed, hours := freeRows(), []string{"1:30", "2", "45m", "3.25", "0:06"}, []string{"1.5", "2", "0.75", "3.25", "0.1"}
	create := sandboxtest.Match{Method: "POST", Path: "/v2/time_entries"}
	look := sandboxtest.Match{Method: "GET", Path: "/v2/time_entries"}
	moments := []struct {
		name  string
		fault sandboxtest.Fault // the moment is when it strikes
		held  int               // or when Harvest holds so many lines
		twice bool              // it is killed again as soon as it runs
	}{
		// Those that may take longest to settle come first.
		{name: "when a create never arrived", fault: sandboxtest.Fault{Match: create, Fault: "drop_before", Times: 1, After: 2}},
		{name: "when three of five were sent", held: 3},
		{name: "when the push was answered"},
		{name: "while it looks before the first create", fault: sandboxtest.Fault{Match: look, Fault: "delay", DelayMS: 3000, Times: 1}},
		{name: "while Harvest is at the first create", fault: sandboxtest.Fault{Match: create, Fault: "delay", DelayMS: 3000, Times: 1}},
		{name: "while Harvest is at the last create", fault: sandboxtest.Fault{Match: create, Fault: "delay", DelayMS: 3000, Times: 1, After: 4}},
		{name: "when an answer was lost", fault: sandboxtest.Fault{Match: create, Fault: "apply_then_drop", Times: 1, After: 1}, twice: true},
		{name: "when Harvest takes its time after it hung up", fault: sandboxtest.Fault{Match: create, Fault: "apply_late", DelayMS: 4000, Times: 1, After: 1}},
	}
	all := make([]killed, 0, len(moments))
	for _, m := range moments {
		sandbox := sandboxtest.Start(t, "demo")
		program := startProgram(t, "--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL)
		ida := newPerson(t, program)
		ida.setUp()
		ida.plan(day, rows, typed...)
		if m.fault.Fault != "" {
			sandbox.Fault(t, m.fault)
		}
		ida.push()
		waitFor(t, patience, "the moment "+m.name, func() error {
			for _, f := range sandbox.Faults(t) {
				if f.Struck == 0 {
					return errors.New("no such call came")
				}
			}
			if held := ours(sandbox.State(t)); held < m.held {
				return fmt.Errorf("Harvest holds %d lines", held)
			}
			return nil
		})
		program.kill()
		at := time.Now()
		program.start()
		if m.twice {
			program.kill()
			program.start()
		}
		all = append(all, killed{m.name, at, ida, sandbox, rows})
	}
	for _, k := range all {
		waitFor(t, afterKill, "all to be sent; killed "+k.moment, func() error {
			if status := words(k.ida.get("/week").Find("#sync-status").Text()); !strings.Contains(status, "In step with Harvest") {
				return errors.New(status)
			}
			return nil
		})
		t.Logf("killed %s: all was sent within %s", k.moment, time.Since(k.at).Round(time.Second))
		for i, r := range rows {
			if err := onceInHarvest(t, k.sandbox.Control, r, day, hours[i], ""); err != nil {
				t.Errorf("killed %s: %v", k.moment, err)
			}
		}
		if got := ours(k.sandbox.State(t)); got != len(rows) {
			t.Errorf("killed %s: Harvest holds %d lines, want %d", k.moment, got, len(rows))
		}
	}
}
