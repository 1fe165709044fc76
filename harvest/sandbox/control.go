package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// controlRoutes are the calls of whoever runs the sandbox. They are outside the API: no token, no
// limits, no faults, not logged.
func (s *Server) controlRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(*http.Request) (any, error){
		"POST /_sandbox/reset":               s.controlReset,
		"GET /_sandbox/faults":               s.controlFaults,
		"POST /_sandbox/faults":              s.controlArm,
		"DELETE /_sandbox/faults":            s.controlClearFaults,
		"GET /_sandbox/switches":             s.controlSwitches,
		"POST /_sandbox/switches":            s.controlSwitch,
		"GET /_sandbox/clock":                s.controlClock,
		"POST /_sandbox/clock":               s.controlSetClock,
		"GET /_sandbox/requests":             s.controlRequests,
		"DELETE /_sandbox/requests":          s.controlForget,
		"GET /_sandbox/state":                s.controlState,
		"GET /_sandbox/outage":               s.controlOutage,
		"POST /_sandbox/outage":              s.controlSetOutage,
		"POST /_sandbox/locks":               s.controlLock,
		"POST /_sandbox/invoices":            s.controlInvoice,
		"POST /_sandbox/tokens":              s.controlToken,
		"POST /_sandbox/people":              s.controlPerson,
		"POST /_sandbox/time_entries":        s.controlWeb(s.createEntry),
		"PATCH /_sandbox/time_entries/{id}":  s.controlWeb(s.updateEntry),
		"DELETE /_sandbox/time_entries/{id}": s.controlWeb(s.deleteEntry),
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := h(r)
			var a answer
			switch reply, ok := v.(answer); {
			case err != nil:
				a = asJSON(http.StatusBadRequest, map[string]string{"error": err.Error()})
			case ok:
				a = reply
			default:
				a = asJSON(http.StatusOK, v)
			}
			if r.Method != http.MethodGet {
				s.changed()
			}
			writeAnswer(w, a)
		})
	}
	return mux
}

var errNoAccount = errors.New("there is no such account")

// readControl reads a JSON body into v; an empty body leaves v alone.
func readControl(r *http.Request, v any) error {
	dec := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

// Reset starts over with a seed ("" is the one before), at the time of the wall clock. Faults, the
// outage, limits, switches and the request log start over too. It returns ErrUnknownSeed.
func (s *Server) Reset(seed string) error {
	s.resetMu.Lock()
	defer s.resetMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if seed == "" {
		seed = s.world.Seed
	}
	w, err := newWorld(seed, s.wallClock())
	if err != nil {
		return err
	}
	s.world = w
	s.resets++
	s.faults.clear()
	s.limits.reset()
	s.requests.reset()
	if err := s.SetOutage(OutageNone); err != nil {
		return err
	}
	s.changed()
	return nil
}

func (s *Server) controlReset(r *http.Request) (any, error) {
	var body struct {
		Seed string `json:"seed"`
	}
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	if err := s.Reset(body.Seed); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return map[string]any{"seed": s.world.Seed, "now": s.now()}, nil
}

func (s *Server) controlFaults(*http.Request) (any, error) {
	return map[string]any{"faults": s.faults.list()}, nil
}

func (s *Server) controlArm(r *http.Request) (any, error) {
	var f Fault
	if err := readControl(r, &f); err != nil {
		return nil, err
	}
	return s.Arm(f)
}

func (s *Server) controlClearFaults(*http.Request) (any, error) {
	s.ClearFaults()
	return map[string]any{"faults": []Fault{}}, nil
}

func (s *Server) controlSwitch(r *http.Request) (any, error) {
	var wanted map[string]json.RawMessage
	if err := readControl(r, &wanted); err != nil {
		return nil, err
	}
	s.mu.Lock()
	err := s.setSwitches(wanted)
	s.mu.Unlock()
	if err != nil {
		return asJSON(http.StatusBadRequest, map[string]any{"error": err.Error(), "valid": switchNames()}), nil
	}
	return s.controlSwitches(r)
}

// controlSwitches shows all values; those of an account are of 1001 or of the parameter account.
func (s *Server) controlSwitches(r *http.Request) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a, err := s.controlAccount(r.URL.Query().Get("account"))
	if err != nil {
		return nil, err
	}
	own := a.switches()
	all := struct {
		switches
		accountSwitches
	}{s.world.Switches, own}
	all.Paging = maps.Clone(all.Paging)
	return all, nil
}

// controlAccount is the named account, 1001 by default.
func (s *Server) controlAccount(text string) (*account, error) {
	id := int64(1001)
	if text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, errNoAccount
		}
		id = n
	}
	if a := s.world.Accounts[id]; a != nil {
		return a, nil
	}
	return nil, errNoAccount
}

func (s *Server) controlClock(*http.Request) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return map[string]any{"now": s.now(), "frozen": s.world.Frozen != nil}, nil
}

// SetClock sets the sandbox's clock; it goes on from there unless frozen.
func (s *Server) SetClock(now time.Time, frozen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.Offset = now.Sub(s.wallClock())
	s.world.Frozen = nil
	if frozen {
		s.world.Frozen = new(now.UTC())
	}
	close(s.clockMoved)
	s.clockMoved = make(chan struct{})
}

// Advance moves the sandbox's clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.RLock()
	now, frozen := s.now(), s.world.Frozen != nil
	s.mu.RUnlock()
	s.SetClock(now.Add(d), frozen)
}

func (s *Server) controlSetClock(r *http.Request) (any, error) {
	var body struct {
		Now      *time.Time `json:"now"`
		AdvanceS float64    `json:"advance_s"`
		Frozen   *bool      `json:"frozen"`
	}
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	s.mu.RLock()
	now, frozen := s.now(), s.world.Frozen != nil
	s.mu.RUnlock()
	if body.Now != nil {
		now = *body.Now
	}
	if body.Frozen != nil {
		frozen = *body.Frozen
	}
	s.SetClock(now.Add(time.Duration(body.AdvanceS*float64(time.Second))), frozen)
	return s.controlClock(r)
}

// controlRequests shows the log; after=SEQ leaves out what is known already.
func (s *Server) controlRequests(r *http.Request) (any, error) {
	var after int64
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("after: %w", err)
		}
		after = n
	}
	return map[string]any{"requests": s.requests.after(after)}, nil
}

func (s *Server) controlForget(*http.Request) (any, error) {
	s.requests.reset()
	return map[string]any{"requests": []Request{}}, nil
}

func (s *Server) controlOutage(*http.Request) (any, error) {
	return map[string]any{"mode": s.Outage()}, nil
}

func (s *Server) controlSetOutage(r *http.Request) (any, error) {
	var body struct {
		Mode string `json:"mode"`
	}
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	if err := s.SetOutage(body.Mode); err != nil {
		return nil, err
	}
	return s.controlOutage(r)
}

// controlLock approves a period of a person, or withdraws the approval.
func (s *Server) controlLock(r *http.Request) (any, error) {
	body := struct {
		Account int64  `json:"account"`
		UserID  int64  `json:"user_id"`
		From    string `json:"from"`
		To      string `json:"to"`
		Locked  bool   `json:"locked"`
	}{Account: 1001, Locked: true}
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	from, okFrom := parseDate(body.From)
	to, okTo := parseDate(body.To)
	if !okFrom || !okTo || to < from {
		return nil, errors.New("from and to must be dates in order")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.world.Accounts[body.Account]
	if a == nil || a.Users[body.UserID] == nil {
		return nil, errors.New("there is no such account or user")
	}
	if body.Locked {
		a.Locks = append(a.Locks, weekLock{body.UserID, from, to})
	} else if err := a.unlock(body.UserID, from, to); err != nil {
		return nil, err
	}
	if s.world.Switches.ApprovalTouchesEntries {
		for _, e := range a.byDate {
			if e.UserID == body.UserID && from <= e.Date && e.Date <= to {
				e.UpdatedAt = second(s.now())
			}
		}
	}
	return map[string]any{"locks": slices.Clone(a.Locks)}, nil
}

// unlock takes a period out of a person's locks, splitting those that reach beyond it.
func (a *account) unlock(userID int64, from, to string) error {
	dayBefore, err := shiftDate(from, -1)
	if err != nil {
		return err
	}
	dayAfter, err := shiftDate(to, 1)
	if err != nil {
		return err
	}
	kept := []weekLock{}
	for _, l := range a.Locks {
		if l.UserID != userID || l.To < from || l.From > to {
			kept = append(kept, l)
			continue
		}
		if l.From < from {
			kept = append(kept, weekLock{userID, l.From, dayBefore})
		}
		if l.To > to {
			kept = append(kept, weekLock{userID, dayAfter, l.To})
		}
	}
	a.Locks = kept
	return nil
}

func shiftDate(date string, days int) (string, error) {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return "", fmt.Errorf("shift date: %w", err)
	}
	return t.AddDate(0, 0, days).Format(time.DateOnly), nil
}

// controlInvoice invoices a project's billable time of a period, which locks it.
func (s *Server) controlInvoice(r *http.Request) (any, error) {
	body := struct {
		Account   int64  `json:"account"`
		ProjectID int64  `json:"project_id"`
		From      string `json:"from"`
		To        string `json:"to"`
	}{Account: 1001}
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	from, okFrom := parseDate(body.From)
	to, okTo := parseDate(body.To)
	if !okFrom || !okTo || to < from {
		return nil, errors.New("from and to must be dates in order")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.world.Accounts[body.Account]
	if a == nil || a.Projects[body.ProjectID] == nil {
		return nil, errors.New("there is no such account or project")
	}
	inv := s.world.invoice(a, body.ProjectID, from, to)
	for _, e := range a.byDate {
		if e.InvoiceID == inv.ID {
			e.UpdatedAt = second(s.now())
		}
	}
	return inv, nil
}

// invoice makes an invoice over a project's billable time of a period.
func (w *world) invoice(a *account, projectID int64, from, to string) *invoice {
	id := w.id(kindInvoice)
	inv := &invoice{ID: id, Number: strconv.FormatInt(id-60000, 10), ProjectID: projectID, From: from, To: to}
	a.Invoices[id] = inv
	for _, e := range a.byDate {
		if e.ProjectID == projectID && e.Billable && e.InvoiceID == 0 && !e.running() && from <= e.Date && e.Date <= to {
			e.InvoiceID = id
		}
	}
	return inv
}

// controlToken revokes a token, or brings it back.
func (s *Server) controlToken(r *http.Request) (any, error) {
	body := struct {
		Token   string `json:"token"`
		Revoked bool   `json:"revoked"`
	}{Revoked: true}
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, t := range s.world.Tokens {
		if body.Token == secret || body.Token == t.Name {
			t.Revoked = body.Revoked
			return map[string]any{"token": t.Name, "revoked": t.Revoked}, nil
		}
	}
	return nil, errors.New("there is no such token")
}

// controlPerson makes a person at the identity service: a member of any number of accounts, none
// included, with a user and roles in each, and a personal access token that opens them.
func (s *Server) controlPerson(r *http.Request) (any, error) {
	var body struct {
		FirstName string `json:"first_name"`
		LastName  string `json:"last_name"`
		Email     string `json:"email"`
		Accounts  []struct {
			ID          int64    `json:"id"`
			AccessRoles []string `json:"access_roles"`
		} `json:"accounts"`
	}
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.world
	for _, in := range body.Accounts {
		if w.Accounts[in.ID] == nil {
			return nil, errNoAccount
		}
	}
	who := &identity{ID: 950, FirstName: body.FirstName, LastName: body.LastName, Email: body.Email}
	for w.Identities[who.ID] != nil {
		who.ID++
	}
	users := map[string]int64{}
	for _, in := range body.Accounts {
		a, id := w.Accounts[in.ID], w.id(kindUser)
		at := second(s.now())
		a.Users[id] = &user{
			ID: id, FirstName: body.FirstName, LastName: body.LastName, Email: body.Email, Timezone: a.switches().Timezone, IsActive: true,
			WeeklyCapacity: a.Company.WeeklyCapacity, CreatedAt: at, UpdatedAt: at, AccessRoles: in.AccessRoles,
		}
		who.Memberships = append(who.Memberships, membership{AccountID: a.ID, Name: a.Name, Product: "harvest", UserID: id})
		users[itoa(a.ID)] = id
	}
	w.Identities[who.ID] = who
	name := itoa(w.id(kindToken)) + ".pt"
	secret := name + "." + secretText()
	w.Tokens[secret] = &token{Name: name, IdentityID: who.ID}
	return map[string]any{"identity_id": who.ID, "token": secret, "users": users}, nil
}

// controlWeb runs a handler of the API as a person in the web app: locks and limits do not bind. The
// account is the parameter or member account, 1001 by default; the person is user_id or the first
// administrator.
func (s *Server) controlWeb(handle handler) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return nil, fmt.Errorf("read body: %w", err)
		}
		c := newCall(r, body)
		if c.params, err = parseBody("application/json", body); err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		name := r.URL.Query().Get("account")
		if text, ok := c.params.text("account"); ok {
			name = text
		}
		if text := r.PathValue("id"); text != "" {
			id, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return notFound(), nil
			}
			c.ids = []int64{id}
			for _, a := range s.world.Accounts {
				if a.Entries[id] != nil {
					name = itoa(a.ID)
				}
			}
		}
		if c.account, err = s.controlAccount(name); err != nil {
			return nil, err
		}
		for _, id := range slices.Sorted(maps.Keys(c.account.Users)) {
			if u := c.account.Users[id]; u.admin() {
				c.me = u
				break
			}
		}
		if c.me == nil {
			return nil, errors.New("the account has no administrator")
		}
		c.now, c.web = s.now(), true
		return handle(c), nil
	}
}

type stateView struct {
	Now      time.Time      `json:"now"`
	Frozen   bool           `json:"frozen"`
	Seed     string         `json:"seed"`
	Outage   string         `json:"outage"`
	Faults   []Fault        `json:"faults"`
	Tokens   []tokenView    `json:"tokens"`
	Accounts []stateAccount `json:"accounts"`
}

type tokenView struct {
	Name       string     `json:"name"`
	IdentityID int64      `json:"identity_id"`
	Expires    *time.Time `json:"expires"`
	Revoked    bool       `json:"revoked"`
}

// stateAccount shows records as the API would to an administrator.
type stateAccount struct {
	ID              int64                `json:"id"`
	Name            string               `json:"name"`
	Company         company              `json:"company"`
	Rounding        string               `json:"rounding"`
	Users           []userView           `json:"users"`
	Clients         []*client            `json:"clients"`
	Projects        []projectFullView    `json:"projects"`
	Tasks           []*task              `json:"tasks"`
	TaskAssignments []taskAssignmentView `json:"task_assignments"`
	UserAssignments []userAssignmentView `json:"user_assignments"`
	Entries         []json.RawMessage    `json:"time_entries"`
	Locks           []weekLock           `json:"locks"`
	Invoices        []*invoice           `json:"invoices"`
	Expenses        []expenseView        `json:"expenses"`
}

// controlState shows everything, secrets of tokens excepted. account=ID shows one account only.
func (s *Server) controlState(r *http.Request) (any, error) {
	query := r.URL.Query()
	only, days := query.Get("account"), [2]string{query.Get("from"), query.Get("to")}
	faults, outage := s.faults.list(), s.Outage()
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := stateView{
		Now: s.now(), Frozen: s.world.Frozen != nil, Seed: s.world.Seed, Outage: outage, Faults: faults,
		Tokens: []tokenView{}, Accounts: []stateAccount{},
	}
	for _, secret := range slices.Sorted(maps.Keys(s.world.Tokens)) {
		t := s.world.Tokens[secret]
		v.Tokens = append(v.Tokens, tokenView{t.Name, t.IdentityID, t.Expires, t.Revoked})
	}
	for _, id := range slices.Sorted(maps.Keys(s.world.Accounts)) {
		if only == "" || only == itoa(id) {
			v.Accounts = append(v.Accounts, s.viewState(s.world.Accounts[id], days))
		}
	}
	// Encoded here: what it points to is guarded by the mutex.
	return asJSON(http.StatusOK, v), nil
}

// viewState tells all of an account, its time entries between two days, both
// inclusive; empty ones do not bound.
func (s *Server) viewState(a *account, days [2]string) stateAccount {
	c := &call{account: a, web: true, now: s.now()}
	v := stateAccount{
		ID: a.ID, Name: a.Name, Company: a.Company, Rounding: a.Rounding, Users: []userView{}, Projects: []projectFullView{},
		Clients: newest(a.Clients, clientPosition), Tasks: newest(a.Tasks, taskPosition), TaskAssignments: []taskAssignmentView{},
		UserAssignments: []userAssignmentView{}, Entries: []json.RawMessage{}, Locks: append([]weekLock{}, a.Locks...), Expenses: []expenseView{},
		Invoices: newest(a.Invoices, func(i *invoice) position { return position{"", i.ID} }),
	}
	for _, u := range newest(a.Users, func(u *user) position { return byCreation(u.CreatedAt, u.ID) }) {
		v.Users = append(v.Users, c.viewUser(u))
	}
	for _, p := range newest(a.Projects, projectPosition) {
		v.Projects = append(v.Projects, c.viewProjectFull(p))
	}
	for _, ta := range newest(a.TaskAssignments, taskAssignmentPosition) {
		v.TaskAssignments = append(v.TaskAssignments, c.viewTaskAssignment(ta, true))
	}
	for _, ua := range newest(a.UserAssignments, userAssignmentPosition) {
		v.UserAssignments = append(v.UserAssignments, c.viewUserAssignment(ua))
	}
	for _, x := range newest(a.Expenses, func(x *expense) position { return position{x.Date, x.ID} }) {
		v.Expenses = append(v.Expenses, c.viewExpense(x))
	}
	w := s.entryWriter(c)
	for _, e := range a.byDate {
		if day := e.Date; day >= days[0] && (days[1] == "" || day <= days[1]) {
			v.Entries = append(v.Entries, w.append(nil, e))
		}
	}
	return v
}
