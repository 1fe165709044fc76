package handlers

import (
	"context"
	"fmt"
	"time"
)

// turns lets a few do at once what the program could not bear from everybody.
type turns chan struct{}

func newTurns(atOnce int) turns { return make(turns, atOnce) }

// turnWait is how long somebody waits for a turn.
const turnWait = 5 * time.Second

// take waits for a turn; errBusy if there is none in time.
func (t turns) take(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, turnWait, errBusy)
	defer cancel()
	select {
	case t <- struct{}{}:
		return t.release, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn: %w", context.Cause(ctx))
	}
}

// try takes a turn if there is one now.
func (t turns) try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

func (t turns) release() { <-t }
