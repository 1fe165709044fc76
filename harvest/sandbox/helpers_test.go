package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
)

// noon is a Wednesday; last week is 2026-01-05 to 2026-01-11.
func noon() time.Time { return time.Date(2026, 1, 14, 11, 0, 0, 0, time.UTC) }

// start starts a sandbox whose clock stands still at noon.
func start(t testing.TB, seed string) *sandboxtest.Sandbox {
	t.Helper()
	sb := sandboxtest.StartWith(t, sandbox.Options{Seed: seed, Now: noon})
	sb.Switch(t, map[string]any{"limits": map[string]any{"general": 0, "reports": 0}})
	return sb
}

// caller sends requests as one token would.
type caller struct {
	t       testing.TB
	base    string
	headers map[string]string
	client  *http.Client
}

func ida(t testing.TB, sb *sandboxtest.Sandbox) *caller {
	return as(t, sb, sandboxtest.Token, "1001")
}

func jonas(t testing.TB, sb *sandboxtest.Sandbox) *caller {
	return as(t, sb, sandboxtest.MemberToken, "1001")
}

func maren(t testing.TB, sb *sandboxtest.Sandbox) *caller {
	return as(t, sb, sandboxtest.OtherToken, "2002")
}

func as(t testing.TB, sb *sandboxtest.Sandbox, token, account string) *caller {
	return &caller{
		t: t, base: sb.URL,
		headers: map[string]string{
			"Authorization": "Bearer " + token, "Harvest-Account-Id": account, "User-Agent": "Test (test@example.com)",
		},
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// with returns a caller with one header changed; "" takes it away.
func (c *caller) with(name, value string) *caller {
	next := *c
	next.headers = map[string]string{}
	for k, v := range c.headers {
		next.headers[k] = v
	}
	next.headers[name] = value
	return &next
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// try sends a request; in is a JSON value, or a string that is sent as it is with the Content-Type of
// the caller's headers.
func (c *caller) try(method, path string, in any) (reply, error) {
	c.t.Helper()
	var body io.Reader
	kind := c.headers["Content-Type"]
	switch v := in.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		text, err := json.Marshal(in)
		if err != nil {
			c.t.Fatal(err)
		}
		body, kind = bytes.NewReader(text), "application/json"
	}
	if !strings.HasPrefix(path, "http") {
		path = c.base + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range c.headers {
		if v != "" {
			req.Header.Set(k, v)
		}
	}
	if c.headers["User-Agent"] == "" {
		req.Header["User-Agent"] = []string{""}
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	r := reply{status: resp.StatusCode, header: resp.Header}
	r.body, err = io.ReadAll(resp.Body)
	if err != nil {
		return r, err
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && len(r.body) > 0 {
		if err := json.Unmarshal(r.body, &r.json); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (c *caller) do(method, path string, in any) reply {
	c.t.Helper()
	r, err := c.try(method, path, in)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (c *caller) get(path string) reply {
	c.t.Helper()
	return c.do("GET", path, nil)
}

// want fails unless the status is as wanted.
func (r reply) want(t testing.TB, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// at digs a value out: at("links", "next").
func (r reply) at(path ...string) any {
	var v any = r.json
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func (r reply) id(t testing.TB) int64 {
	t.Helper()
	n, ok := r.json["id"].(float64)
	if !ok {
		t.Fatalf("no id: %s", r.body)
	}
	return int64(n)
}

// rows are the rows of a list, which are its first key.
func (r reply) rows(t testing.TB, key string) []map[string]any {
	t.Helper()
	if !bytes.HasPrefix(r.body, []byte(`{"`+key+`":[`)) {
		t.Fatalf("the collection %s is not the first key: %.80s", key, r.body)
	}
	list, _ := r.json[key].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("a row is not an object: %v", v)
		}
		out = append(out, m)
	}
	return out
}

// equal compares values as JSON would print them.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// entryOn is a valid new entry of the demo.
func entryOn(date string, more ...any) map[string]any {
	m := map[string]any{"project_id": 3101, "task_id": 4101, "spent_date": date, "hours": 1.5}
	for i := 0; i+1 < len(more); i += 2 {
		key, _ := more[i].(string)
		if more[i+1] == nil {
			delete(m, key)
			continue
		}
		m[key] = more[i+1]
	}
	return m
}
