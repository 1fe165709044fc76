package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"time"

	"furrow/db"
	"furrow/handlers"
	"furrow/views"
)

// processConfig is what matters where several processes share the work.
type processConfig struct {
	WebConns   int           `name:"web-connections" default:"16" env:"FURROW_WEB_CONNECTIONS" placeholder:"N" help:"Connections to the database that pages take at most (${default}). A worker takes one."`
	QueueConns int           `name:"queue-connections" default:"20" env:"FURROW_QUEUE_CONNECTIONS" placeholder:"N" help:"Connections to the database that jobs take at most (${default}), and one more that listens for new ones. A web process takes a few, when somebody connects an account."`
	DrainDelay time.Duration `name:"drain-delay" default:"0s" env:"FURROW_DRAIN_DELAY" placeholder:"TIME" help:"How long a process that is told to stop goes on serving pages while /readyz says that it is not ready, so that a load balancer notices (${default}). Set it to a little more than the balancer takes."`
}

// minConns keeps one slow query from being in the way of everything: some for
// work that holds a transaction, and one for who asks meanwhile.
const minConns = 4

// maxDrainDelay is within what service managers can be told to wait.
const maxDrainDelay = 5 * time.Minute

// check reports all bad values at once.
func (c *processConfig) check() error {
	var errs []error
	if c.WebConns < minConns || c.QueueConns < minConns {
		errs = append(errs, fmt.Errorf("--web-connections and --queue-connections must be %d or more", minConns))
	}
	if c.DrainDelay < 0 || c.DrainDelay > maxDrainDelay {
		errs = append(errs, fmt.Errorf("--drain-delay %s is not between 0 and %s", c.DrainDelay, maxDrainDelay))
	}
	return errors.Join(errs...)
}

// setupToken is what the first account must show, printed at the start; empty if
// only this machine can reach the program, there are accounts, or no pages. It
// follows from the secret key, so that each of several processes takes it.
func (c *serveConfig) setupToken(ctx context.Context, env *environment, served served, store *db.Store, key []byte) (string, error) {
	exist, err := store.UsersExist(ctx)
	if err != nil || exist || served.loopback || handlers.Role(c.Role) == handlers.RoleWorker {
		return "", err
	}
	token, err := hkdf.Key(sha256.New, key, nil, "furrow setup token v1", 16)
	if err != nil {
		return "", fmt.Errorf("derive the setup token: %w", err)
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(token)
	fmt.Fprintf(env.stdout, "To make the first account, open %s and enter this setup token: %s\n", served.publicURL.JoinPath(views.SetupPath), text)
	return text, nil
}

// stop ends jobs and requests beside each other: jobs at once, requests when a
// load balancer has had time to notice that none should come here any more.
func (p *program) stop(ctx context.Context, servers []server) error {
	p.ready.Store(false)
	work := make(chan error, 1)
	go func() {
		jobs, cancel := context.WithTimeout(ctx, drainJobs)
		defer cancel()
		work <- p.queue.Stop(jobs)
	}()
	time.Sleep(p.drainDelay)
	requests, cancel := context.WithTimeout(ctx, drainRequests)
	defer cancel()
	err := shutdown(requests, servers)
	if p.https != nil {
		err = errors.Join(err, p.https.close(requests))
	}
	return errors.Join(err, <-work)
}

// leaving asks clients, once the program is about to stop, to take another
// connection for their next request. Those that are idle stay open for the
// requests that are on their way.
func (p *program) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.ready.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
