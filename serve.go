package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"furrow/db"
	"furrow/handlers"
	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/planner"
	"furrow/static"
	"furrow/views"
)

// Times of the end: requests and jobs end beside each other, within what service
// managers allow by default.
const (
	drainRequests = 10 * time.Second
	drainJobs     = 15 * time.Second
	cleanEvery    = 10 * time.Minute
)

var errMigrationNeeded = errors.New("a migration is needed: run furrow migrate")

// Run serves until ctx is over.
func (c *serveConfig) Run(ctx context.Context, env *environment) error {
	served, err := c.check()
	if err != nil {
		return err
	}
	if err := c.resolve(env.getenv); err != nil {
		return err
	}
	if err := c.makeDataDir(); err != nil {
		return err
	}
	// First of all the port: a second program on it should touch nothing else.
	listener, err := listen(ctx, c.Listen, "--listen or FURROW_LISTEN")
	if err != nil {
		return err
	}
	defer listener.Close()
	var plain net.Listener
	if c.HTTPListen != "" {
		if plain, err = listen(ctx, c.HTTPListen, "--http-listen or FURROW_HTTP_LISTEN"); err != nil {
			return err
		}
		defer plain.Close()
	}
	if c.PublicURL == "" {
		served.foundAt(listener)
	}
	var m *metrics
	if c.Metrics != "" {
		if m, err = newMetrics(ctx, c.Metrics); err != nil {
			return err
		}
		defer m.listener.Close()
	}

	c.conns = c.WebConns
	d, err := openDatabase(ctx, c.databaseConfig, env, owned, m.observers()...)
	if err != nil {
		return err
	}
	defer d.close(env.log)
	if err := d.migrate(ctx, env.log); err != nil {
		return err
	}
	p, err := c.assemble(ctx, env, served, d, listener, m)
	if err != nil {
		return err
	}
	defer p.close(env.log)
	if c.used() {
		if p.https, err = c.secure(listener, plain, p.store, env.log); err != nil {
			return err
		}
	}
	servers := p.servers(served, listener, plain, env.log)
	if m != nil {
		servers = append(servers, m.server(p.handler, env.log))
	}
	return p.serve(ctx, env, servers, d)
}

// program is everything that runs.
type program struct {
	store      *db.Store // of the pages
	jobs       *db.Store // of the jobs, so that busy pages cannot keep them from what they need
	harvest    *harvest.Harvest
	sandbox    *sandbox.Server // nil: none
	queue      *jobs.Queue
	watch      *jobs.Watch
	handler    http.Handler
	https      *secured // nil: plain http
	metrics    *metrics // nil: nothing is measured
	ready      *atomic.Bool
	drainDelay time.Duration // from the end of ready to that of serving
	close      func(*slog.Logger)
}

// assemble builds the parts and joins them.
func (c *serveConfig) assemble(ctx context.Context, env *environment, served served, d *database, listener net.Listener, m *metrics) (*program, error) {
	p := &program{ready: new(atomic.Bool), drainDelay: c.DrainDelay, metrics: m}
	clientID, clientSecret, err := c.client()
	if err != nil {
		return nil, err
	}
	key, err := db.LoadSecretKey(c.keyFile())
	if err != nil {
		return nil, err
	}
	sealer, err := db.OpenSealer(c.keyFile())
	if err != nil {
		return nil, err
	}
	if p.store, err = c.openStore(ctx, d.pool, sealer); err != nil {
		return nil, err
	}
	if held, err := p.store.FinishRestore(ctx); err != nil {
		return nil, err
	} else if held {
		env.log.Warn("a restore was interrupted after all had been loaded; it is finished now, and nothing is sent before Harvest has been compared")
	}
	if c.Sandbox {
		p.sandbox, err = sandbox.New(sandbox.Options{StateFile: filepath.Join(c.DataDir, "sandbox.json"), Log: env.log})
		if err != nil {
			return nil, fmt.Errorf("start the sandbox: %w", err)
		}
		c.HarvestURL = "http://" + loopbackOf(listener)
		c.HarvestIDURL = c.HarvestURL
	}
	contact := c.Contact
	if contact == "" {
		contact = served.publicURL.String()
	}
	queuePool, err := db.Open(ctx, d.url, c.QueueConns, m.observers()...)
	if err != nil {
		return nil, err
	}
	p.jobs = db.NewStore(queuePool, sealer)
	config := harvest.Config{
		BaseURL: c.HarvestURL, IDURL: c.HarvestIDURL, ClientID: clientID, ClientSecret: clientSecret, Version: version, Contact: contact,
		ReadTimeout: readTimeout, Gate: db.NewGate(queuePool), Log: env.log,
	}
	if m != nil {
		config.Observer = m
	}
	p.harvest, err = harvest.New(config)
	if err != nil {
		queuePool.Close()
		return nil, err
	}
	p.close = func(log *slog.Logger) {
		queuePool.Close()
		p.harvest.Close()
		if p.sandbox != nil {
			if err := p.sandbox.Close(); err != nil {
				log.Error("store the sandbox", "error", err)
			}
		}
	}
	p.queue, err = jobs.New(queuePool, c.work(p, served), env.log)
	if err != nil {
		p.close(env.log)
		return nil, err
	}
	p.watch = c.watch(p, served, d.server != nil, env.log)
	if err := p.watch.Announce(ctx); err != nil {
		p.close(env.log)
		if errors.Is(err, db.ErrOtherKey) {
			err = fmt.Errorf("another process uses this database with another secret key than the one in %s; put its file there, or set --secret-key-file, or wait three minutes if it is one that has ended", c.keyFile())
		}
		return nil, err
	}
	setupToken, err := c.setupToken(ctx, env, served, p.store, key)
	if err != nil {
		p.close(env.log)
		return nil, err
	}
	p.handler = p.leaving(p.handlers(c, env, served, setupToken))
	if m != nil {
		m.pool("pages", d.pool)
		m.pool("jobs", queuePool)
		m.registry.MustRegister(newFigures(p.jobs, p.queue, env.log))
	}
	return p, nil
}

// readTimeout ends one call that reads: within the lease of a drain.
const readTimeout = 15 * time.Second

func (c *serveConfig) openStore(ctx context.Context, pool *pgxpool.Pool, sealer *db.Sealer) (*db.Store, error) {
	store := db.NewStore(pool, sealer)
	if err := store.CheckSecretKey(ctx); errors.Is(err, db.ErrWrongKey) {
		return nil, fmt.Errorf("the secret key in %s is not the one that the stored Harvest tokens were encrypted with; put the right file back, or set --secret-key-file", c.keyFile())
	} else if err != nil {
		return nil, err
	}
	return store, nil
}

// work is what this process needs to work jobs; nil if it does not.
func (c *serveConfig) work(p *program, served served) *jobs.Work {
	if handlers.Role(c.Role) == handlers.RoleWeb {
		return nil
	}
	work := &jobs.Work{
		Store: p.jobs, PollOnly: c.Pooled, Keep: served.keep,
		Remote: func(ctx context.Context, connectionID int64, urgency jobs.Urgency) (ledger.Remote, error) {
			credentials, err := p.jobs.Credentials(ctx, connectionID)
			if err != nil {
				return nil, err
			}
			priority := harvest.Background
			if urgency == jobs.Interactive {
				priority = harvest.Interactive
			}
			return p.harvest.Client(harvest.Credentials{
				// Also for personal tokens: one that was replaced meanwhile is noticed.
				Tokens: p.jobs.Tokens(connectionID, p.harvest.Refresh), AccountID: credentials.HarvestAccountID, UserID: credentials.HarvestUserID, ConnectionID: connectionID,
				TimestampTimers: credentials.TimestampTimers, Clock: credentials.Clock,
			}, priority), nil
		},
		StartPull: func(ctx context.Context, userID int64) error {
			user, err := p.jobs.User(ctx, userID)
			if err != nil {
				return err
			}
			_, _, err = handlers.StartSync(ctx, p.jobs, p.queue, userID, db.TriggerSchedule, nil, user.Profile.Today(time.Now()))
			return err
		},
		CellURL: func(date planner.Date) string { return served.publicURL.JoinPath("weeks", date.String()).String() },
	}
	if p.metrics != nil {
		work.Observer = p.metrics
	}
	if served.mail != nil {
		work.Mailer = served.mail
		work.ResetMail = func(email string, token ledger.Secret) notice.Mail {
			return handlers.ResetMail(served.publicURL, email, token)
		}
	}
	if served.webhook != nil {
		work.Poster = served.webhook
	}
	return work
}

func (p *program) handlers(c *serveConfig, env *environment, served served, setupToken string) http.Handler {
	deps := handlers.Deps{
		Store: p.store,
		Jobs:  p.queue,
		Connect: func(ctx context.Context, token ledger.Secret, accountID int64) (ledger.Account, error) {
			return p.harvest.Client(harvest.Credentials{Tokens: ledger.StaticToken(token), AccountID: accountID}, harvest.Interactive).Account(ctx)
		},
		Static:         static.Handler(),
		Assets:         views.Assets{CSS: static.Path(static.CSS), HTMX: static.Path(static.HTMX), Script: static.Path(static.Script), Icon: static.IconURL()},
		PublicURL:      served.publicURL,
		SetupToken:     setupToken,
		Mail:           served.mail != nil,
		RequireTOTP:    handlers.Require(c.RequireTOTP),
		TrustedProxies: served.proxies,
		Now:            time.Now,
		Log:            env.log,
		Ready:          p.isReady,
		Role:           handlers.Role(c.Role),
		Version:        version,
	}
	if p.metrics != nil {
		deps.Observe = p.metrics.Request
	}
	if p.harvest.OAuthConfigured() {
		deps.OAuth = p.oauth(served)
	}
	if p.sandbox == nil {
		return handlers.New(deps)
	}
	deps.Sandbox = p.sandbox
	return besideSandbox(handlers.New(deps), p.sandbox)
}

// oauth is how people log in at Harvest.
func (p *program) oauth(served served) *handlers.OAuth {
	oauth := &handlers.OAuth{AuthorizeURL: p.harvest.AuthorizeURL, Exchange: p.harvest.Exchange, Accounts: p.harvest.Accounts}
	if p.sandbox != nil {
		// Browsers find the sandbox's pages where they find ours.
		oauth.AuthorizeURL = func(state, challenge, redirectURI string) string {
			page, err := url.Parse(p.harvest.AuthorizeURL(state, challenge, redirectURI))
			if err != nil {
				return ""
			}
			page.Scheme, page.Host = served.publicURL.Scheme, served.publicURL.Host
			return page.String()
		}
	}
	return oauth
}

// besideSandbox serves the addresses of the sandbox beside the program's own.
// Its control calls have no password, so other sites must not make a browser
// send them.
func besideSandbox(own http.Handler, stand *sandbox.Server) http.Handler {
	control := http.NewCrossOriginProtection().Handler(stand)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/_sandbox/"):
			control.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/v2/"), strings.HasPrefix(r.URL.Path, "/api/v2/"), strings.HasPrefix(r.URL.Path, "/oauth2/"):
			stand.ServeHTTP(w, r)
		default:
			own.ServeHTTP(w, r)
		}
	})
}

// isReady returns nil while the program takes requests, its queue works and its database answers. That the schema is
// current was seen to before.
func (p *program) isReady(ctx context.Context) error {
	if !p.ready.Load() {
		return errors.New("starting or stopping")
	}
	return errors.Join(p.queue.Alive(), p.store.Ping(ctx))
}

// serve runs the queue and the server until ctx is over or one of them, or the
// database, ends for good; then it stops them in reverse.
func (p *program) serve(ctx context.Context, env *environment, servers []server, d *database) error {
	if err := p.queue.Start(ctx); err != nil {
		return err
	}
	asked, address := ctx, servers[0].address() // before it serves, which changes what tells it
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		group.Go(s.serve)
	}
	if p.https != nil {
		p.https.start(ctx)
	}
	group.Go(func() error { return d.keep(ctx) })
	group.Go(func() error { return p.clean(ctx, env.log) })
	group.Go(func() error { return p.watch.Run(ctx) })
	group.Go(func() error {
		static.Warm()        // off the way to the first answer
		debug.FreeOSMemory() // what the start needed, and nothing needs again
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		if asked.Err() == nil {
			p.drainDelay = 0 // something failed: there is nothing to go on with
		}
		env.notify(notifyStopping)
		return p.stop(context.WithoutCancel(ctx), servers)
	})
	p.ready.Store(true)
	env.notify(notifyReady)
	env.log.Info("serving", "address", address, "sandbox", p.sandbox != nil)
	return group.Wait()
}

// clean removes ended sessions and log-ins now and then.
func (p *program) clean(ctx context.Context, log *slog.Logger) error {
	ticker := time.NewTicker(cleanEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			started := time.Now()
			err := errors.Join(p.store.CleanSessions(ctx), p.store.CleanOAuth(ctx), p.store.CleanLinks(ctx))
			if err = errors.Join(err, p.store.RanSchedule(ctx, handlers.ScheduleClean, cleanEvery, started, err)); err != nil && ctx.Err() == nil {
				log.Warn("clean sessions", "error", err)
			}
		}
	}
}

// loopbackOf is where this machine reaches a listener.
func loopbackOf(listener net.Listener) string {
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return listener.Addr().String()
	}
	host := "127.0.0.1"
	if address.IP.IsLoopback() {
		host = address.IP.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(address.Port))
}

// Run serves the stand-in Harvest alone until ctx is over.
func (c *sandboxConfig) Run(ctx context.Context, env *environment) error {
	stand, err := sandbox.New(sandbox.Options{Seed: c.Seed, StateFile: c.State, Log: env.log})
	if err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	listener, err := listen(ctx, c.Listen, "--listen")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: stand, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	env.log.Info("sandbox", "address", "http://"+listener.Addr().String(), "seed", c.Seed)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return stand.Close()
}
