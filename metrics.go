package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"furrow/db"
	"furrow/handlers"
	"furrow/jobs"
	"furrow/ledger"
)

// metrics measures this process, for Prometheus. It is what the packages tell of their doings; no label is of a user.
// A nil *metrics measures nothing.
type metrics struct {
	listener net.Listener
	registry *prometheus.Registry
	requests *prometheus.HistogramVec // by route and status
	queries  *prometheus.HistogramVec // by name
	failures *prometheus.CounterVec   // queries that failed, by name
	jobs     *prometheus.CounterVec   // by kind and outcome
	jobRuns  *prometheus.HistogramVec // by kind
	jobWaits *prometheus.HistogramVec // by kind
	attempts *prometheus.CounterVec   // by action, outcome and reason
	calls    *prometheus.HistogramVec // by call and class
	waits    *prometheus.CounterVec   // by reason
}

// newMetrics measures, and listens on the address where it is to be told.
func newMetrics(ctx context.Context, address string) (*metrics, error) {
	listener, err := listen(ctx, address, "--metrics-listen or FURROW_METRICS_LISTEN")
	if err != nil {
		return nil, err
	}
	// Upper bounds of what is measured, in seconds.
	requestSeconds := []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	querySeconds := []float64{.0005, .002, .01, .05, .25, 1, 5}
	jobSeconds := []float64{.005, .02, .1, .5, 2, 10, 60, 600}
	m := &metrics{
		listener: listener,
		registry: prometheus.NewRegistry(),
		requests: histogram("furrow_http_request_seconds", "Time to answer requests, by route and status.", requestSeconds, "route", "status"),
		queries:  histogram("furrow_db_query_seconds", "Time of queries of the database, by their name.", querySeconds, "query"),
		failures: counter("furrow_db_query_failures_total", "Queries of the database that failed, by their name.", "query"),
		jobs:     counter("furrow_jobs_total", "Runs of jobs, by kind and outcome: done, waits (it is run again later) or failed.", "kind", "outcome"),
		jobRuns:  histogram("furrow_job_run_seconds", "Time that a run of a job took, by kind.", jobSeconds, "kind"),
		jobWaits: histogram("furrow_job_wait_seconds", "Time from when a job was due until it was run, by kind.", jobSeconds, "kind"),
		attempts: counter("furrow_write_attempts_total", "Steps of writes towards Harvest, by action, outcome and reason of a failure.", "action", "outcome", "reason"),
		calls:    histogram("furrow_harvest_call_seconds", "Time of calls to Harvest, by call and class of failure (empty: none).", requestSeconds, "call", "class"),
		waits:    counter("furrow_gate_waits_total", "Calls to Harvest that were kept back, by reason.", "reason"),
	}
	m.registry.MustRegister(m.requests, m.queries, m.failures, m.jobs, m.jobRuns, m.jobWaits, m.attempts, m.calls, m.waits,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "furrow_build_info", Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(build)
	return m, nil
}

func histogram(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Request is told of each request.
func (m *metrics) Request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// Query implements [db.Observer].
func (m *metrics) Query(name string, took time.Duration, err error) {
	m.queries.WithLabelValues(name).Observe(took.Seconds())
	if err != nil {
		m.failures.WithLabelValues(name).Inc()
	}
}

// Job implements [jobs.Observer].
func (m *metrics) Job(kind, outcome string, waited, took time.Duration) {
	m.jobs.WithLabelValues(kind, outcome).Inc()
	m.jobRuns.WithLabelValues(kind).Observe(took.Seconds())
	m.jobWaits.WithLabelValues(kind).Observe(waited.Seconds())
}

// Attempt implements [jobs.Observer].
func (m *metrics) Attempt(a ledger.Attempt) {
	m.attempts.WithLabelValues(string(a.Action), string(a.Outcome), a.Reason).Inc()
}

// Call implements [harvest.Observer].
func (m *metrics) Call(call string, class ledger.Class, _ int, took time.Duration) {
	m.calls.WithLabelValues(call, string(class)).Observe(took.Seconds())
}

// Wait implements [harvest.Observer].
func (m *metrics) Wait(why ledger.WaitReason) { m.waits.WithLabelValues(string(why)).Inc() }

// observers are who watches a pool of connections.
func (m *metrics) observers() []db.Observer {
	if m == nil {
		return nil
	}
	return []db.Observer{m}
}

// pool measures a pool of connections.
func (m *metrics) pool(name string, pool *pgxpool.Pool) {
	labels := prometheus.Labels{"pool": name}
	gauge := func(name, help string, value func(*pgxpool.Stat) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 { return value(pool.Stat()) }))
	}
	gauge("furrow_db_connections_max", "The most connections of a pool.", func(s *pgxpool.Stat) float64 { return float64(s.MaxConns()) })
	gauge("furrow_db_connections_open", "Open connections of a pool.", func(s *pgxpool.Stat) float64 { return float64(s.TotalConns()) })
	gauge("furrow_db_connections_used", "Connections of a pool in use.", func(s *pgxpool.Stat) float64 { return float64(s.AcquiredConns()) })
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: "furrow_db_connection_wait_seconds_total", Help: "Time waited for a connection of a pool.", ConstLabels: labels},
		func() float64 { return pool.Stat().AcquireDuration().Seconds() },
	))
}

// figures measures what all processes share, whenever somebody looks. Each process tells the same: of several, take
// the maximum, not the sum.
type figures struct {
	store *db.Store
	queue *jobs.Queue
	log   *slog.Logger

	writes, unsent, connections, alerts, breaker, blocked, due, dueAge, running, later, ok *prometheus.Desc
}

// figuresTimeout is the most that a look may take.
const figuresTimeout = 3 * time.Second

func newFigures(store *db.Store, queue *jobs.Queue, log *slog.Logger) *figures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &figures{
		store: store, queue: queue, log: log,
		writes:      desc("furrow_writes", "Writes that are not over, by state.", "state"),
		unsent:      desc("furrow_oldest_unsent_write_seconds", "Age of the oldest write that is to be sent by itself."),
		connections: desc("furrow_connections", "Connections with Harvest, by state.", "state"),
		alerts:      desc("furrow_alerts_open", "Open alerts of the operators, by kind; a kind without any is left out.", "kind"),
		breaker:     desc("furrow_breaker_open", "1 while the breaker towards Harvest as a whole is not closed."),
		blocked:     desc("furrow_gates_blocked", "Connections that Harvest asked to be silent."),
		due:         desc("furrow_jobs_due", "Jobs that a worker should take, by queue.", "queue"),
		dueAge:      desc("furrow_oldest_due_job_seconds", "Time that the longest of them has waited, by queue.", "queue"),
		running:     desc("furrow_jobs_running", "Jobs that run, by queue.", "queue"),
		later:       desc("furrow_jobs_later", "Jobs that are due later, by queue.", "queue"),
		ok:          desc("furrow_figures_ok", "1 if the figures that all processes share could be read."),
	}
}

// Describe implements [prometheus.Collector].
func (f *figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.writes, f.unsent, f.connections, f.alerts, f.breaker, f.blocked, f.due, f.dueAge, f.running, f.later, f.ok} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (f *figures) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), figuresTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	err := errors.Join(f.tellWrites(ctx, gauge), f.tellAlerts(ctx, gauge), f.tellGates(ctx, gauge), f.tellJobs(ctx, gauge))
	if err != nil {
		f.log.WarnContext(ctx, "measure", "error", err.Error())
		gauge(f.ok, 0)
		return
	}
	gauge(f.ok, 1)
}

type gaugeFunc func(d *prometheus.Desc, value float64, labels ...string)

func (f *figures) tellWrites(ctx context.Context, gauge gaugeFunc) error {
	writes, err := f.store.WriteFigures(ctx)
	if err != nil {
		return err
	}
	var oldest time.Duration
	for _, w := range writes {
		gauge(f.writes, float64(w.Count), string(w.State))
		switch w.State {
		case ledger.Pending, ledger.Sending, ledger.Uncertain, ledger.Retry:
			oldest = max(oldest, w.Oldest)
		default: // waits for a person
		}
	}
	gauge(f.unsent, oldest.Seconds())
	connections, err := f.store.ConnectionFigures(ctx)
	if err != nil {
		return err
	}
	for state, n := range connections {
		gauge(f.connections, float64(n), string(state))
	}
	return nil
}

func (f *figures) tellAlerts(ctx context.Context, gauge gaugeFunc) error {
	alerts, err := f.store.AlertFigures(ctx)
	if err != nil {
		return err
	}
	for kind, n := range alerts {
		gauge(f.alerts, float64(n), kind)
	}
	return nil
}

func (f *figures) tellGates(ctx context.Context, gauge gaugeFunc) error {
	gates, err := f.store.GateSummary(ctx)
	if err != nil {
		return err
	}
	broken := 0.
	if gates.Provider != db.BreakerClosed {
		broken = 1
	}
	gauge(f.breaker, broken)
	gauge(f.blocked, float64(gates.Asked))
	return nil
}

func (f *figures) tellJobs(ctx context.Context, gauge gaugeFunc) error {
	var backlogs []jobs.Backlog
	err := f.store.InTx(ctx, func(tx *db.Tx) (err error) {
		backlogs, err = f.queue.Backlogs(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	for _, b := range backlogs {
		gauge(f.due, float64(b.Due), b.Queue)
		gauge(f.dueAge, b.Oldest.Seconds(), b.Queue)
		gauge(f.running, float64(b.Running), b.Queue)
		gauge(f.later, float64(b.Later), b.Queue)
	}
	return nil
}

// server is what answers on the operator's own address: metrics, profiles, and the health of the process. Nobody is
// asked for a password there.
func (m *metrics) server(health http.Handler, log *slog.Logger) server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * figuresTimeout}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /healthz", health)
	mux.Handle("GET /readyz", health)
	s := server{handlers.NewServer(mux, log), m.listener}
	s.WriteTimeout = 2 * time.Minute // a profile takes its time
	return s
}
