// Package conformance states what the API does, one test per statement, as far as it can be seen from
// outside: status, headers and bytes, over plain net/http. It holds no client of ours. A statement is
// named by its section in our notes on the API and a short phrase.
//
// By default every statement is put to a sandbox of its own. With FURROW_CONFORMANCE_URL (and _TOKEN,
// _ACCOUNT, _ID_URL for the identity service) they are put to that address instead: those that only
// read, and with FURROW_CONFORMANCE_WRITE=1 those that write, too. The writing ones track time on
// FURROW_CONFORMANCE_PROJECT and FURROW_CONFORMANCE_TASK, today, and take away what they made. The rest
// need the sandbox's clock, switches or faults and are not part of such a run.
package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
)

// group says what a statement needs.
type group int

const (
	read  group = iota // an account with some data
	write              // a project and a task to track time on
	own                // a sandbox
)

// statement is one thing that the API does.
type statement struct {
	name  string
	group group
	check func(*testing.T, *service)
}

func statements() []statement {
	return slices.Concat(
		addresses(), credentials(), oauth(), limits(), refusals(), pages(), changes(), hours(), timers(), locks(), references(),
		people(), clientsAndProjects(), assignments(), entries(), reports(), expenses(), emulation(),
	)
}

func TestConformance(t *testing.T) {
	all := statements()
	names := map[string]bool{}
	for _, st := range all {
		if names[st.name] {
			t.Errorf("two statements are called %s", st.name)
		}
		names[st.name] = true
	}
	if os.Getenv("FURROW_CONFORMANCE_URL") != "" {
		service := elsewhere(t)
		for _, st := range all {
			if st.group == read || st.group == write && os.Getenv("FURROW_CONFORMANCE_WRITE") == "1" {
				t.Run(st.name, func(t *testing.T) { st.check(t, service) })
			}
		}
		return
	}
	t.Parallel()
	for _, st := range all {
		t.Run(st.name, func(t *testing.T) {
			t.Parallel()
			st.check(t, here(t))
		})
	}
}

// service is an address that serves the API, and who calls it.
type service struct {
	url, idURL    string
	token         string
	account       string
	project, task string
	today         string // the day to track time on
	header        map[string]string
	client        *http.Client
	box           *sandboxtest.Sandbox // nil at another address
}

// noon is when a sandbox's clock stands: a Wednesday, twelve o'clock where its people are. The week
// before it is approved.
func noon() time.Time { return time.Date(2026, 1, 14, 11, 0, 0, 0, time.UTC) }

// here is the administrator of a new sandbox that does not limit requests.
func here(t *testing.T) *service {
	t.Helper()
	box := sandboxtest.StartWith(t, sandbox.Options{Now: noon})
	box.Switch(t, map[string]any{"limits": map[string]any{"general": 0, "reports": 0}})
	transport := &http.Transport{DisableKeepAlives: true}
	return &service{
		url: box.URL, idURL: box.URL, token: sandboxtest.Token, account: strconv.Itoa(sandboxtest.AccountID), project: "3101", task: "4101",
		today: "2026-01-14", client: plain(transport), box: box,
	}
}

func plain(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// paced keeps below a hundred requests in fifteen seconds.
type paced struct{ next http.RoundTripper }

func (p paced) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(170 * time.Millisecond):
		return p.next.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// elsewhere is the address that the environment names.
func elsewhere(t *testing.T) *service {
	t.Helper()
	s := &service{
		url: strings.TrimRight(os.Getenv("FURROW_CONFORMANCE_URL"), "/"), idURL: strings.TrimRight(os.Getenv("FURROW_CONFORMANCE_ID_URL"), "/"),
		token: os.Getenv("FURROW_CONFORMANCE_TOKEN"), account: os.Getenv("FURROW_CONFORMANCE_ACCOUNT"),
		project: os.Getenv("FURROW_CONFORMANCE_PROJECT"), task: os.Getenv("FURROW_CONFORMANCE_TASK"),
		today: time.Now().Format(time.DateOnly), client: plain(paced{http.DefaultTransport}),
	}
	// The address is that of the host; the paths of the statements start with /v2.
	s.url = strings.TrimSuffix(s.url, "/v2")
	if s.idURL == "" {
		s.idURL = s.url
		if strings.HasSuffix(s.url, "//api.harvestapp.com") {
			s.idURL = "https://id.getharvest.com"
		}
	}
	if s.token == "" || s.account == "" {
		t.Fatal("FURROW_CONFORMANCE_TOKEN and FURROW_CONFORMANCE_ACCOUNT must be set")
	}
	if os.Getenv("FURROW_CONFORMANCE_WRITE") == "1" && (s.project == "" || s.task == "") {
		t.Fatal("FURROW_CONFORMANCE_PROJECT and FURROW_CONFORMANCE_TASK must be set to write")
	}
	return s
}

// need gives a statement up where another account lacks what it is about. A sandbox lacks nothing.
func (s *service) need(t *testing.T, has bool, what string) {
	t.Helper()
	switch {
	case has:
	case s.box != nil:
		t.Fatalf("the sandbox has no %s", what)
	default:
		t.Skipf("the account has no %s", what)
	}
}

// as is the service with another caller.
func (s *service) as(token string, account int64) *service {
	other := *s
	other.token, other.account = token, strconv.FormatInt(account, 10)
	return &other
}

// member is Jonas, other is Maren, who has an account with start and end times.
func (s *service) member() *service { return s.as(sandboxtest.MemberToken, sandboxtest.AccountID) }
func (s *service) other() *service  { return s.as(sandboxtest.OtherToken, sandboxtest.OtherAccountID) }

// manager makes a manager of the account, with what other rights are named, and returns the user's id.
func (s *service) manager(t *testing.T, rights ...string) (caller *service, userID string) {
	t.Helper()
	made := s.person(t, map[string]any{"id": s.account, "access_roles": append([]string{"manager"}, rights...)})
	return s.as(made.text(t, "token"), sandboxtest.AccountID), string(made.at("users." + s.account))
}

// person makes a person who is in these accounts.
func (s *service) person(t *testing.T, accounts ...map[string]any) value {
	t.Helper()
	for _, a := range accounts {
		a["id"] = json.Number(fmt.Sprint(a["id"]))
	}
	body := map[string]any{"first_name": "Pia", "last_name": "Holm", "email": "pia@example.com", "accounts": accounts}
	return s.post(t, "/_sandbox/people", body).want(t, 200).value
}

// set changes switches of the sandbox: a name, a value, and so on.
func (s *service) set(t *testing.T, pairs ...any) {
	t.Helper()
	s.box.Switch(t, object(pairs...))
}

// with is the service with one header changed; an empty one is not sent.
func (s *service) with(name, content string) *service {
	other := *s
	other.header = maps.Clone(s.header)
	if other.header == nil {
		other.header = map[string]string{}
	}
	other.header[name] = content
	return &other
}

// object makes a JSON object of names and values.
func object(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// entry is a request for a time entry of an hour and a half; a nil value takes a member away.
func (s *service) entry(pairs ...any) map[string]any {
	m := object("project_id", json.Number(s.project), "task_id", json.Number(s.task), "spent_date", s.today, "hours", 1.5)
	maps.Copy(m, object(pairs...))
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// create makes a time entry, and takes it away in the end.
func (s *service) create(t *testing.T, pairs ...any) reply {
	t.Helper()
	r := s.post(t, "/v2/time_entries", s.entry(pairs...)).want(t, 201)
	s.remove(t, "/v2/time_entries/"+string(r.at("id")))
	return r
}

// remove deletes a record when the test ends, which matters only at another address.
func (s *service) remove(t *testing.T, path string) {
	t.Helper()
	if s.box == nil {
		t.Cleanup(func() { s.call(t, http.MethodDelete, path, nil) })
	}
}

// path is the address of a record that an answer holds.
func (r reply) path(collection string) string { return "/v2/" + collection + "/" + string(r.at("id")) }

// value is JSON as it came.
type value []byte

// reply is an answer, read.
type reply struct {
	value

	status int
	header http.Header
}

func (s *service) get(t *testing.T, path string) reply {
	t.Helper()
	return s.call(t, http.MethodGet, path, nil)
}

func (s *service) post(t *testing.T, path string, body any) reply {
	t.Helper()
	return s.call(t, http.MethodPost, path, body)
}

func (s *service) patch(t *testing.T, path string, body any) reply {
	t.Helper()
	return s.call(t, http.MethodPatch, path, body)
}

func (s *service) delete(t *testing.T, path string) reply {
	t.Helper()
	return s.call(t, http.MethodDelete, path, nil)
}

func (s *service) call(t *testing.T, method, path string, body any) reply {
	t.Helper()
	r, err := s.try(t, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// try sends a request. The body is nil, a text, which needs a Content-Type of its own, or a JSON value.
func (s *service) try(t *testing.T, method, path string, body any) (reply, error) {
	t.Helper()
	header := map[string]string{
		"Authorization": "Bearer " + s.token, "Harvest-Account-Id": s.account, "User-Agent": "Conformance (conformance@example.com)",
	}
	var content io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(v)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
		header["Content-Type"] = "application/json"
	}
	maps.Copy(header, s.header)
	if strings.HasPrefix(path, "/") {
		path = s.url + path
	}
	// Not the test's context: clean-up calls too.
	req, err := http.NewRequest(method, path, content)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range header {
		if text != "" || name == "User-Agent" { // Go sends an agent of its own unless there is an empty one
			req.Header[name] = []string{text}
		}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return reply{value: text, status: resp.StatusCode, header: resp.Header}, err
}

// want fails unless the status is as wanted.
func (r reply) want(t *testing.T, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %.300s", r.status, status, r.value)
	}
	return r
}

// html fails unless the answer is a page with this status.
func (r reply) html(t *testing.T, status int) reply {
	t.Helper()
	r.want(t, status)
	if !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") || !bytes.Contains(r.value, []byte("<html")) {
		t.Fatalf("not a page but %q: %.100s", r.header.Get("Content-Type"), r.value)
	}
	return r
}

// at is the value at a path such as "links.next" or "time_entries.0.id"; nil if there is none.
func (v value) at(path string) value {
	for step := range strings.SplitSeq(path, ".") {
		if i, err := strconv.Atoi(step); err == nil && bytes.HasPrefix(bytes.TrimSpace(v), []byte("[")) {
			var list []json.RawMessage
			if json.Unmarshal(v, &list) != nil || i >= len(list) {
				return nil
			}
			v = value(list[i])
			continue
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(v, &members) != nil || members[step] == nil {
			return nil
		}
		v = value(members[step])
	}
	return v
}

// is fails unless the value at the path is this text of JSON, to the byte.
func (v value) is(t *testing.T, path, want string) {
	t.Helper()
	if got := string(v.at(path)); got != want {
		t.Errorf("%s is %s, want %s", path, got, want)
	}
}

// body fails unless the whole is this text, to the byte.
func (v value) body(t *testing.T, want string) {
	t.Helper()
	if string(v) != want {
		t.Errorf("the body is %s, want %s", v, want)
	}
}

func (v value) text(t *testing.T, path string) string {
	t.Helper()
	var text string
	if err := json.Unmarshal(v.at(path), &text); err != nil {
		t.Fatalf("%s is no text: %.200s", path, v.at(path))
	}
	return text
}

func (v value) number(t *testing.T, path string) int {
	t.Helper()
	n, err := strconv.Atoi(string(v.at(path)))
	if err != nil {
		t.Fatalf("%s is no integer: %.200s", path, v.at(path))
	}
	return n
}

func (v value) instant(t *testing.T, path string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, v.text(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// list is the array at the path.
func (v value) list(t *testing.T, path string) []value {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(v.at(path), &list); err != nil {
		t.Fatalf("%s is no list: %.200s", path, v.at(path))
	}
	out := make([]value, 0, len(list))
	for _, each := range list {
		out = append(out, value(each))
	}
	return out
}

// keys are the members' names, in order.
func (v value) keys(t *testing.T) []string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(v))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		t.Fatalf("no object: %.200s", v)
	}
	keys := []string{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, fmt.Sprint(name))
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func kinds() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"int": regexp.MustCompile(`^-?\d+$`), "dec": regexp.MustCompile(`^-?\d+\.\d+$`), "str": regexp.MustCompile(`^"`),
		"bool": regexp.MustCompile(`^(true|false)$`), "date": regexp.MustCompile(`^"\d{4}-\d\d-\d\d"$`),
		"dt": regexp.MustCompile(`^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"$`), "time": regexp.MustCompile(`^"\d{1,2}:\d\d(am|pm)?"$`),
		"obj": regexp.MustCompile(`^\{`), "list": regexp.MustCompile(`^\[`),
	}
}

// fields checks the members of an object against "name kind, name kind?, …": a sandbox has exactly
// these in this order, another account at least these. A question mark allows null.
func (s *service) fields(t *testing.T, v value, spec string) {
	t.Helper()
	kinds := kinds()
	var want []string
	for part := range strings.SplitSeq(spec, ",") {
		name, kind, _ := strings.Cut(strings.TrimSpace(part), " ")
		want = append(want, name)
		plain, nullable := strings.CutSuffix(kind, "?")
		got := v.at(name)
		switch {
		case got == nil:
			t.Errorf("%s is missing", name)
		case kinds[plain] == nil:
			t.Errorf("there is no kind %s", plain)
		case string(got) == "null":
			if !nullable {
				t.Errorf("%s is null", name)
			}
		case !kinds[plain].Match(got) && (s.box != nil || plain != "dec" || !kinds["int"].Match(got)):
			t.Errorf("%s is %.100s, want %s", name, got, kind)
		}
	}
	if got := v.keys(t); s.box != nil && !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
}

// walk follows the next links of a list and returns its rows and how many pages there were.
func (s *service) walk(t *testing.T, path, key string) (rows []value, pages int) {
	t.Helper()
	for path != "" {
		if pages++; pages > 200 {
			t.Fatal("the list does not end")
		}
		r := s.get(t, path).want(t, 200)
		rows = append(rows, r.list(t, key)...)
		path = ""
		if next := r.at("links.next"); next == nil {
			t.Fatal("there is no next link, not even null")
		} else if string(next) != "null" {
			path = r.text(t, "links.next")
		}
	}
	return rows, pages
}

// count is how many rows a list of time entries has.
func (s *service) count(t *testing.T, query string) int {
	t.Helper()
	return s.get(t, "/v2/time_entries?per_page=1&"+query).want(t, 200).number(t, "total_entries")
}

// same fails unless two things print alike.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}
