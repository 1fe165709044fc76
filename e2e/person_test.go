package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"furrow/harvest/sandbox/sandboxtest"
)

// The account of the tests.
const (
	email    = "ida@example.com"
	password = "a long sentence nobody guesses"
)

// person uses a program by its forms over plain HTTP. Tests whose point is
// elsewhere set themselves up with one.
type person struct {
	tb      testing.TB
	program *program
	client  *http.Client
}

func newPerson(tb testing.TB, p *program) *person {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &person{tb: tb, program: p, client: &http.Client{Jar: jar, Timeout: 10 * time.Second}}
}

// document is a page that came as an answer.
type document struct {
	*goquery.Document

	url    *url.URL // after redirects
	status int
	proto  string
	header http.Header
}

func (p *person) do(method, path string, form url.Values) document {
	p.tb.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(p.tb.Context()), method, p.program.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.client.Do(req)
	if err != nil {
		p.tb.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	parsed, err := goquery.NewDocumentFromReader(resp.Body)
	if err != nil {
		p.tb.Fatalf("%s %s: %v", method, path, err)
	}
	return document{Document: parsed, url: resp.Request.URL, status: resp.StatusCode, proto: resp.Proto, header: resp.Header}
}

func (p *person) get(path string) document {
	p.tb.Helper()
	return p.do(http.MethodGet, path, nil)
}

// post sends a form, which must be accepted.
func (p *person) post(path string, form url.Values) document {
	p.tb.Helper()
	d := p.do(http.MethodPost, path, form)
	if d.status != http.StatusOK {
		p.tb.Fatalf("POST %s: %d %s", path, d.status, words(d.Find("main").Text()))
	}
	return d
}

// setUp makes the first account, connects it with the sandbox, and waits until
// the first sync has ended.
func (p *person) setUp() {
	p.tb.Helper()
	p.post("/setup", url.Values{"email": {email}, "password": {password}})
	p.connect(sandboxtest.Token)
}

// connect connects the account with the sandbox by a token, and waits until the
// first sync has ended.
func (p *person) connect(token string) {
	p.tb.Helper()
	p.post("/settings/harvest", url.Values{"token": {token}, "account_id": {strconv.Itoa(sandboxtest.AccountID)}})
	waitFor(p.tb, patience, "the first sync to end", func() error {
		d := p.get("/week")
		if status := words(d.Find("#sync-status").Text()); !strings.Contains(status, "In step with Harvest") {
			return fmt.Errorf("status: %s", status)
		}
		return nil
	})
}

// fields are the values that a browser would send with a form, as it is.
func fields(form *goquery.Selection) url.Values {
	values := url.Values{}
	form.Find("input[name], textarea[name]").Each(func(_ int, s *goquery.Selection) {
		if kind := s.AttrOr("type", ""); kind == "checkbox" || kind == "radio" {
			if _, checked := s.Attr("checked"); !checked {
				return
			}
		}
		value := s.AttrOr("value", "")
		if goquery.NodeName(s) == "textarea" {
			value = s.Text()
		}
		values.Add(s.AttrOr("name", ""), value)
	})
	return values
}

// plan puts durations into blank cells of today's column, in rows that it adds.
func (p *person) plan(today time.Time, rows []row, durations ...string) {
	p.tb.Helper()
	week := p.get("/week").url.Path
	for i, r := range rows {
		option := p.get(week).Find("#add-row optgroup").FilterFunction(func(_ int, s *goquery.Selection) bool {
			return s.AttrOr("label", "") == r.client
		}).Find("option").FilterFunction(func(_ int, s *goquery.Selection) bool { return s.Text() == r.project+" · "+r.task })
		value, ok := option.Attr("value")
		if !ok {
			p.tb.Fatalf("%s cannot be added", r)
		}
		p.post(week+"/rows", url.Values{"project_task": {value}})
		field := fmt.Sprintf("p.%s.%d", strings.Replace(value, ":", "-", 1), dayOf(today))
		version := p.get(week).Find("#week-version").AttrOr("value", "")
		p.post(week+"/cells", url.Values{"version": {version}, field: {durations[i]}})
	}
}

// push sends everything that is ticked in the review of the week.
func (p *person) push() {
	p.tb.Helper()
	week := p.get("/week").url.Path
	p.post(week+"/push", fields(p.get(week+"/push").Find("#push-form")))
}

// words is a text with every run of white space as one blank.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }
