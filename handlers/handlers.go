// Package handlers is the web side: the routes, what stands before them, the
// reading of forms, the building of view models, and the answers to errors.
//
// A handler parses, acts and renders, and returns an error for everything that
// went wrong; one table in errors.go turns errors into answers. It leaves
// rules to packages planner and ledger, storage to db, and HTML to views.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/alexedwards/argon2id"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/views"
)

// Role is which part of the work a process does.
type Role string

// The roles. A worker serves no pages, only its health.
const (
	RoleAll    Role = "all"
	RoleWeb    Role = "web"
	RoleWorker Role = "worker"
)

// SandboxControl is the outage switch of the sandbox that runs in this process.
// Modes are the values of [views.Outage].
type SandboxControl interface {
	Outage() string
	SetOutage(mode string) error
}

// OAuth is how somebody logs in at Harvest, as the adapter does it.
type OAuth struct {
	// AuthorizeURL is where Harvest asks its user, and leads back to redirectURI.
	AuthorizeURL func(state, challenge, redirectURI string) string
	Exchange     func(ctx context.Context, code, verifier, redirectURI string) (ledger.TokenPair, error)
	Accounts     func(ctx context.Context, token ledger.Secret) ([]ledger.AccountChoice, error)
}

// Deps is what the handlers need of the rest of the program.
type Deps struct {
	Store *db.Store
	Jobs  *jobs.Queue // where what the pages ask of Harvest is enqueued
	// Connect asks Harvest who the token belongs to. An accountID of 0 means the
	// only account of the token.
	Connect func(ctx context.Context, token ledger.Secret, accountID int64) (ledger.Account, error)
	OAuth   *OAuth         // nil: connecting is by personal access token only
	Sandbox SandboxControl // nil: there is none
	Static  http.Handler   // serves everything under /static/
	Assets  views.Assets
	// PublicURL is where people reach the program. With https, cookies are
	// Secure and browsers are told to stay with https.
	PublicURL *url.URL
	// SetupToken must be shown to make the first account; empty: not needed,
	// because only this machine can reach the program.
	SetupToken string
	// Mail reports whether mails are sent at all.
	Mail bool
	// RequireTOTP says who must log in with a code; empty: nobody.
	RequireTOTP Require
	// TrustedProxies may tell the client's address in X-Forwarded-For.
	TrustedProxies []netip.Prefix
	Now            func() time.Time
	Log            *slog.Logger
	// Ready returns nil if the schema is current, the database answers and the
	// queue runs.
	Ready func(ctx context.Context) error
	Role  Role // empty: RoleAll
	// Version of the program, as admins see it.
	Version string
	// Observe is told of each request: its route, "GET /weeks/{week}", or empty for
	// none, the status and the time it took. nil: nobody is. It must be quick.
	Observe func(route string, status int, took time.Duration)

	hash *argon2id.Params // nil: hashParams; most tests can do with less work
}

// The limits of one request.
const (
	maxBody        = 1 << 20   // bytes of a request
	maxStranger    = 128 << 10 // bytes of one by somebody who is not logged in
	maxHeader      = 16 << 10
	requestTimeout = 10 * time.Second // for a handler, the database included
	// Forms of people who are not logged in that are read at once, however slowly they send them.
	strangersAtOnce = 100
)

// NewServer returns a server for handler that slow or greedy clients cannot
// hold up.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ConnState:         newSilentConns(maxSilent).changed,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
