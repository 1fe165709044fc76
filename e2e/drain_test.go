package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// A program that is told to stop says so to a load balancer first, and goes on
// serving meanwhile, on connections that were open before as well.
func TestDrain(t *testing.T) {
	t.Parallel()
	const delay = 2 * time.Second
	p := startProgram(t, "--role", "web", "--drain-delay", delay.String())
	client := &http.Client{Transport: &http.Transport{}, Timeout: stopTimeout}
	login := func() (closes bool, err error) {
		resp, err := client.Get(p.URL + "/setup")
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return false, fmt.Errorf("status %d", resp.StatusCode)
		}
		return resp.Close, nil
	}
	if closes, err := login(); err != nil || closes {
		t.Fatalf("before: closes %t, %v", closes, err)
	}
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, patience, "the program not to be ready", func() error {
		status, err := p.get("/readyz")
		if err != nil {
			t.Fatalf("it does not say that it is not ready: %v", err)
		}
		if status != http.StatusServiceUnavailable {
			return errors.New("it is")
		}
		return nil
	})
	for range 2 { // on the open connection, and on a new one
		if closes, err := login(); err != nil || !closes {
			t.Errorf("while it leaves: closes %t, %v", closes, err)
		}
	}
	if err := <-p.exited; err != nil {
		t.Errorf("the program ended badly: %v", err)
	}
	p.cmd = nil
	if took := time.Since(began); took < delay {
		t.Errorf("it ended after %s", took)
	}
}
