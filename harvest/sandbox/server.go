// Package sandbox is a stand-in for the Harvest API v2: an HTTP server with the data API, the
// identity service, a clock that can be moved, faults that can be armed and a log of requests. It
// serves tests, demonstrations and development, and owns everything that happens at Harvest's end of
// the wire; it knows nothing of the program that calls it.
//
// It follows the public documentation (https://help.getharvest.com/api-v2/) and, where that is
// silent, recordings and tests of public clients: the cassettes of fastruby/harvesting, the tests of
// 3AP-AG/harvest-client, the records of airbytehq/airbyte's source-harvest and the issues of
// harvesthq/api. What nobody has written down is a switch; see the switches' docs for the choices.
//
// Addresses: /v2 and /api/v2 (data), /oauth2/authorize, /api/v2/oauth2/token and /api/v2/accounts
// (identity), /_sandbox (control, see control.go).
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a sandbox starts.
type Options struct {
	// Seed is "demo" (also the meaning of ""), "empty" or "large".
	Seed string
	// StateFile, if set, is read at the start when it exists, which makes Seed irrelevant, and is
	// written shortly after each change and by Close.
	StateFile string
	// Now is the clock that the sandbox's own clock starts from; nil means time.Now.
	Now func() time.Time
	// Log gets one debug line per request and errors of the state file; nil means silence.
	Log *slog.Logger
}

// Server is a sandbox. It is an http.Handler and safe for concurrent use.
type Server struct {
	wallClock func() time.Time
	log       *slog.Logger
	stateFile string
	routes    []route
	control   *http.ServeMux

	mu         sync.RWMutex // guards world and clockMoved
	world      *world
	clockMoved chan struct{} // closed, and replaced, when the clock is set

	resetMu   sync.RWMutex // a late write comes wholly before a reset, or not at all
	resets    int          // guarded by resetMu; late writes of an older count are dropped
	late      sync.WaitGroup
	closing   chan struct{}
	closeMu   sync.Mutex
	closed    bool
	requestID atomic.Int64

	faults   faultTable
	limits   limiter
	requests requestLog
	saver    saver
}

// ErrUnknownSeed is returned by New and answered by the reset call for a seed that does not exist.
var ErrUnknownSeed = errors.New("unknown seed")

// New returns a sandbox that holds the named seed, or what the state file holds. It returns
// ErrUnknownSeed, or an error if the state file exists but cannot be read.
func New(opts Options) (*Server, error) {
	s := &Server{
		wallClock:  opts.Now,
		log:        opts.Log,
		stateFile:  opts.StateFile,
		clockMoved: make(chan struct{}),
		closing:    make(chan struct{}),
	}
	if s.wallClock == nil {
		s.wallClock = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.routes = s.apiRoutes()
	s.control = s.controlRoutes()
	w, err := loadState(opts.StateFile)
	if err != nil {
		return nil, err
	}
	if w == nil {
		if w, err = newWorld(opts.Seed, s.wallClock()); err != nil {
			return nil, err
		}
	}
	s.world = w
	return s, nil
}

// Close ends waiting faults and writes the state file if there is one and something changed.
func (s *Server) Close() error {
	s.closeMu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.closeMu.Unlock()
	s.late.Wait()
	return s.saveNow()
}

// Now is the time on the sandbox's clock, in UTC.
func (s *Server) Now() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.now()
}

// now is Now for callers that hold the mutex.
func (s *Server) now() time.Time {
	if s.world.Frozen != nil {
		return *s.world.Frozen
	}
	return s.wallClock().Add(s.world.Offset).UTC()
}

// maxBody bounds request bodies.
const maxBody = 4 << 20

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sandbox") {
		s.control.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeAnswer(w, badRequest("Bad Request"))
		return
	}
	c := newCall(r, body)
	s.mu.RLock()
	c.at = s.now()
	if t := s.world.Tokens[c.secret]; t != nil {
		c.tokenName = t.Name
	}
	s.mu.RUnlock()

	f := s.faults.pick(c)
	if f == nil {
		f = s.faults.outageFor(c)
	}
	w.Header().Set("Date", c.at.Format(http.TimeFormat)) // its own clock, so a client sees the skew
	status := s.serve(w, r, c, f)

	rec := Request{
		Time: c.at, Method: c.method, Path: c.rawPath, Query: redact(c.query), Fields: bodyFields(c), Token: c.tokenName,
		Account: c.accountID, UserAgent: c.userAgent, Status: status,
	}
	if f != nil {
		rec.Fault = f.Fault
	}
	s.requests.add(rec)
	s.log.DebugContext(r.Context(), "sandbox request", "method", c.method, "path", c.rawPath, "status", status, "fault", rec.Fault)
}

// bodyFields are the names of the fields in a body; none if it cannot be read.
func bodyFields(c *call) []string {
	p, err := parseBody(c.contentType, c.body)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(p))
}

// redact takes credentials out of a query.
func redact(q url.Values) string {
	clean := url.Values{}
	for k, v := range q {
		switch k {
		case "access_token", "client_secret", "refresh_token", "code":
			v = []string{"redacted"}
		}
		clean[k] = v
	}
	return clean.Encode()
}

// linkMode says how the links of a list are spoilt.
type linkMode int

const (
	linksTrue linkMode = iota
	linksForeign
	linksRepeat
	linksNone
)

// call is one request on its way through the sandbox.
type call struct {
	method      string
	rawPath     string
	rawQuery    string
	path        string // without /api, .json and a final slash
	segments    []string
	query       url.Values
	contentType string
	body        []byte
	base        string // scheme and host that were called
	userAgent   string
	remote      string // the caller's address without the port
	secret      string
	accountID   string
	tokenName   string
	at          time.Time // when it came in
	links       linkMode

	// Known once it is let in.
	now     time.Time
	account *account
	me      *user
	web     bool // a person in the web app: locks do not bind
	ids     []int64
	params  params
}

func newCall(r *http.Request, body []byte) *call {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	query := r.URL.Query()
	c := &call{
		method: r.Method, rawPath: r.URL.Path, rawQuery: r.URL.RawQuery, query: query,
		contentType: r.Header.Get("Content-Type"), body: body, base: scheme + "://" + r.Host,
		userAgent: r.Header.Get("User-Agent"), accountID: r.Header.Get("Harvest-Account-Id"),
	}
	c.remote, _, _ = net.SplitHostPort(r.RemoteAddr)
	if kind, secret, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(kind, "bearer") {
		c.secret = strings.TrimSpace(secret)
	}
	if c.secret == "" {
		c.secret = query.Get("access_token")
	}
	if c.accountID == "" {
		c.accountID = query.Get("account_id")
	}
	c.path = canonicalPath(r.URL.Path)
	c.segments = strings.Split(strings.TrimPrefix(c.path, "/"), "/")
	return c
}

// canonicalPath strips what Harvest ignores: the older prefix, .json and a final slash.
func canonicalPath(path string) string {
	if rest, ok := strings.CutPrefix(path, "/api/"); ok {
		path = "/" + rest
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return strings.TrimSuffix(path, ".json")
}

// handler answers a call that has been let in. The mutex is held: for reading on GET, else for writing.
type handler func(*call) answer

type route struct {
	method   string
	segments []string
	handle   handler
}

// find returns the handler of a call and the ids in its path. An id that is not a number is -1,
// which no record has.
func (s *Server) find(c *call) (handler, []int64) {
	for _, r := range s.routes {
		if r.method == c.method {
			if ids, ok := r.match(c.segments); ok {
				return r.handle, ids
			}
		}
	}
	return nil, nil
}

func (r route) match(segments []string) ([]int64, bool) {
	if len(segments) != len(r.segments) {
		return nil, false
	}
	var ids []int64
	for i, want := range r.segments {
		got := segments[i]
		switch {
		case want == got:
		case want == "{id}" && got != "":
			id, err := strconv.ParseInt(got, 10, 64)
			if err != nil {
				id = -1
			}
			ids = append(ids, id)
		default:
			return nil, false
		}
	}
	return ids, true
}

func (s *Server) apiRoutes() []route {
	var routes []route
	add := func(method, path string, h handler) {
		routes = append(routes, route{method, strings.Split("v2/"+path, "/"), h})
	}
	add("GET", "time_entries", s.listEntries)
	add("POST", "time_entries", s.createEntry)
	add("GET", "time_entries/{id}", s.showEntry)
	add("PATCH", "time_entries/{id}", s.updateEntry)
	add("DELETE", "time_entries/{id}", s.deleteEntry)
	add("PATCH", "time_entries/{id}/stop", s.stopEntry)
	add("PATCH", "time_entries/{id}/restart", s.restartEntry)
	add("DELETE", "time_entries/{id}/external_reference", s.deleteReference)

	add("GET", "company", s.showCompany)
	add("PATCH", "company", s.updateCompany)
	add("GET", "users", s.listUsers)
	add("GET", "users/me", s.showMe)
	add("GET", "users/me/project_assignments", s.listMyProjects)
	add("GET", "users/{id}", s.showUser)
	add("POST", "users", s.createUser)
	add("PATCH", "users/{id}", s.updateUser)
	add("DELETE", "users/{id}", s.deleteUser)
	add("GET", "users/{id}/project_assignments", s.listUserProjects)
	add("GET", "users/{id}/teammates", s.listTeammates)
	add("PATCH", "users/{id}/teammates", s.updateTeammates)
	add("GET", "roles", s.listRoles)
	add("GET", "roles/{id}", s.showRole)

	add("GET", "clients", s.listClients)
	add("POST", "clients", s.createClient)
	add("GET", "clients/{id}", s.showClient)
	add("PATCH", "clients/{id}", s.updateClient)
	add("DELETE", "clients/{id}", s.deleteClient)

	add("GET", "projects", s.listProjects)
	add("POST", "projects", s.createProject)
	add("GET", "projects/{id}", s.showProject)
	add("PATCH", "projects/{id}", s.updateProject)
	add("DELETE", "projects/{id}", s.deleteProject)

	add("GET", "tasks", s.listTasks)
	add("POST", "tasks", s.createTask)
	add("GET", "tasks/{id}", s.showTask)
	add("PATCH", "tasks/{id}", s.updateTask)
	add("DELETE", "tasks/{id}", s.deleteTask)

	add("GET", "task_assignments", s.listTaskAssignments)
	add("GET", "projects/{id}/task_assignments", s.listTaskAssignments)
	add("POST", "projects/{id}/task_assignments", s.createTaskAssignment)
	add("GET", "projects/{id}/task_assignments/{id}", s.showTaskAssignment)
	add("PATCH", "projects/{id}/task_assignments/{id}", s.updateTaskAssignment)
	add("DELETE", "projects/{id}/task_assignments/{id}", s.deleteTaskAssignment)

	add("GET", "user_assignments", s.listUserAssignments)
	add("GET", "projects/{id}/user_assignments", s.listUserAssignments)
	add("POST", "projects/{id}/user_assignments", s.createUserAssignment)
	add("GET", "projects/{id}/user_assignments/{id}", s.showUserAssignment)
	add("PATCH", "projects/{id}/user_assignments/{id}", s.updateUserAssignment)
	add("DELETE", "projects/{id}/user_assignments/{id}", s.deleteUserAssignment)

	add("GET", "expenses", s.listExpenses)
	add("GET", "expenses/{id}", s.showExpense)
	add("GET", "expense_categories", s.listCategories)
	add("GET", "expense_categories/{id}", s.showCategory)

	add("GET", "reports/project_budget", s.reportBudget)
	add("GET", "reports/uninvoiced", s.reportUninvoiced)
	add("GET", "reports/time/clients", s.reportTime("clients"))
	add("GET", "reports/time/projects", s.reportTime("projects"))
	add("GET", "reports/time/tasks", s.reportTime("tasks"))
	add("GET", "reports/time/team", s.reportTime("team"))
	add("GET", "reports/expenses/clients", s.reportExpenses("clients"))
	add("GET", "reports/expenses/projects", s.reportExpenses("projects"))
	add("GET", "reports/expenses/categories", s.reportExpenses("categories"))
	add("GET", "reports/expenses/team", s.reportExpenses("team"))
	return routes
}

// process does what a request asks for and returns the answer.
func (s *Server) process(c *call) answer {
	var a answer
	began := time.Now()
	switch c.path {
	case "/oauth2/authorize":
		a = s.authorize(c)
	case "/v2/oauth2/token", "/v1/oauth2/token":
		a = s.exchange(c)
	case "/v2/accounts":
		a = s.listAccounts(c)
	default:
		a = s.processData(c)
	}
	if c.method != http.MethodGet {
		s.changed()
	}
	took := time.Since(began).Seconds()
	return a.with("X-Request-Id", fmt.Sprintf("sandbox-%08d", s.requestID.Add(1))).with("X-Runtime", strconv.FormatFloat(took, 'f', 6, 64))
}

// processData serves the data API: first who asks, then how often, then what.
func (s *Server) processData(c *call) answer {
	if !strings.HasPrefix(c.path, "/v2/") {
		return notRouted()
	}
	if c.userAgent == "" {
		return badRequest("A User-Agent header is required")
	}
	if c.method == http.MethodGet {
		s.mu.RLock()
		defer s.mu.RUnlock()
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	c.now = s.now()
	if refusal, ok := s.admit(c); !ok {
		return refusal
	}
	if refusal, ok := s.throttle(c); !ok {
		return refusal
	}
	handle, ids := s.find(c)
	if handle == nil {
		return notRouted()
	}
	c.ids = ids
	p, err := parseBody(c.contentType, c.body)
	if err != nil {
		return badRequest("Bad Request")
	}
	if c.method != http.MethodGet {
		// Parameters in the query count like a form's; the body wins.
		q := params{}
		q.addForm(c.query)
		for k, v := range q {
			if !p.has(k) {
				p[k] = v
			}
		}
	}
	c.params = p
	return handle(c)
}

// admit finds out who calls (section 2.1). The mutex must be held.
func (s *Server) admit(c *call) (answer, bool) {
	who := s.identify(c)
	if who == nil {
		return unauthorized(), false
	}
	if c.accountID == "" {
		switch s.world.Switches.MissingAccountHeader {
		case "404":
			return notFound(), false
		case "403":
			return forbidden(), false
		case "identity":
			if c.method == http.MethodGet && c.path == "/v2/users/me" {
				return asJSON(http.StatusOK, identityView{who.ID, who.FirstName, who.LastName, who.Email}), false
			}
		case "implied":
			for _, m := range who.Memberships {
				if m.UserID != 0 {
					return s.enter(c, who, m.AccountID)
				}
			}
		}
		return unauthorized(), false
	}
	id, err := strconv.ParseInt(strings.TrimSpace(c.accountID), 10, 64)
	if err != nil {
		id = -1
	}
	return s.enter(c, who, id)
}

// enter lets an identity into one of its accounts.
func (s *Server) enter(c *call, who *identity, accountID int64) (answer, bool) {
	a := s.world.Accounts[accountID]
	if a != nil {
		if u := a.Users[who.user(accountID)]; u != nil && u.IsActive {
			c.account, c.me = a, u
			return answer{}, true
		}
	}
	switch s.world.Switches.ForeignAccount {
	case "404":
		return notFound(), false
	case "403":
		return forbidden(), false
	}
	return unauthorized(), false
}

// identify returns whose token a call carries, nil if the token is not good (any more).
func (s *Server) identify(c *call) *identity {
	t := s.world.Tokens[c.secret]
	if t == nil || t.Revoked || (t.Expires != nil && !c.now.Before(*t.Expires)) {
		return nil
	}
	return s.world.Identities[t.IdentityID]
}

// location is the address of a new record; Harvest still names the older prefix.
func (c *call) location(path string, id int64) string {
	return c.base + "/api/v2/" + path + "/" + strconv.FormatInt(id, 10)
}

// created is the 201 of a POST.
func (c *call) created(path string, id int64, v any) answer {
	return asJSON(http.StatusCreated, v).with("Location", c.location(path, id))
}

// deleted is the answer of a DELETE: the record as it was, or nothing.
func (s *Server) deleted(a answer) answer {
	if s.world.Switches.DeleteBody == "empty" {
		return answer{status: http.StatusOK}
	}
	return a
}

func writeAnswer(w http.ResponseWriter, a answer) {
	h := w.Header()
	for k, v := range a.header {
		h[k] = v
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	// A client that went away is none of the sandbox's business.
	_, _ = w.Write(a.body)
}

// pause waits for a real duration, or until the sandbox closes or the context ends.
func (s *Server) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-s.closing:
	}
}
