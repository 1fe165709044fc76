package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"furrow/planner"
	"furrow/views"
)

// Times of the balancer, as its like have them, but shorter.
const (
	probeEvery = 50 * time.Millisecond
	tryFor     = 10 * time.Second // a backend, when none is ready
)

// balancer stands before several programs, as nginx or Caddy would: it asks
// each whether it is ready, gives requests to those that are in turn, and gives
// one to the next if its connection was refused, or broke under a request that
// may be repeated. What broke otherwise is answered with 502.
type balancer struct {
	program // people reach it as they would reach a program

	backends []*backend
	turn     atomic.Int64
}

// backend is one of the programs.
type backend struct {
	*program

	proxy     *httputil.ReverseProxy
	transport *http.Transport
	ready     atomic.Bool  // when it was asked last
	served    atomic.Int64 // requests
}

func newBalancer(t *testing.T, programs ...*program) *balancer {
	t.Helper()
	b := &balancer{}
	for _, p := range programs {
		target, err := url.Parse(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		one := &backend{program: p, transport: &http.Transport{MaxIdleConnsPerHost: 16}}
		one.proxy = &httputil.ReverseProxy{
			Transport: one.transport,
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
			ErrorLog:  log.New(io.Discard, "", 0), // the test tells what broke
		}
		b.backends = append(b.backends, one)
	}
	front := httptest.NewServer(b)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var probing sync.WaitGroup
	for _, one := range b.backends {
		probing.Go(func() { one.probe(ctx) })
	}
	t.Cleanup(func() { front.Close(); cancel(); probing.Wait() })
	b.program = program{URL: front.URL, tb: t}
	b.settled(t)
	return b
}

// probe keeps in mind whether the program is ready.
func (b *backend) probe(ctx context.Context) {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL+"/readyz", nil)
		if err != nil {
			return
		}
		resp, err := client.Do(req)
		b.ready.Store(err == nil && resp.StatusCode == http.StatusOK)
		if err == nil {
			resp.Body.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
}

// settled waits until all backends are ready.
func (b *balancer) settled(t *testing.T) {
	t.Helper()
	waitFor(t, patience, "the backends to be ready", func() error {
		for _, one := range b.backends {
			if !one.ready.Load() {
				return fmt.Errorf("%s is not", one.URL)
			}
		}
		return nil
	})
}

// next is the backend whose turn it is, of those that are ready; nil if none is.
func (b *balancer) next() *backend {
	for range b.backends {
		if one := b.backends[b.turn.Add(1)%int64(len(b.backends))]; one.ready.Load() {
			return one
		}
	}
	return nil
}

// errRepeatable: the request may go to another backend.
var errRepeatable = errors.New("the request may be repeated")

// ServeHTTP gives a request to a backend.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for began := time.Now(); time.Since(began) < tryFor; time.Sleep(probeEvery) {
		one := b.next()
		if one == nil {
			continue
		}
		if !errors.Is(one.serve(w, r, body), errRepeatable) {
			return
		}
		one.ready.Store(false) // until it is asked again
	}
	http.Error(w, "no backend is ready", http.StatusBadGateway)
}

// serve has a request answered by one backend. If that cannot be, it answers
// 502, or returns errRepeatable and leaves the answer to another.
func (b *backend) serve(w http.ResponseWriter, r *http.Request, body []byte) (outcome error) {
	b.served.Add(1)
	proxy := *b.proxy
	proxy.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
		var op *net.OpError
		refused := errors.As(err, &op) && op.Op == "dial"
		if refused || r.Method == http.MethodGet || r.Method == http.MethodHead {
			outcome = errRepeatable
			return
		}
		http.Error(w, fmt.Sprintf("%s %s at %s: %v", r.Method, r.URL.Path, b.URL, err), http.StatusBadGateway)
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	proxy.ServeHTTP(w, r)
	return outcome
}

// visitor is a browser of somebody, that uses the programs through the
// balancer.
type visitor struct {
	who    *person
	base   string
	week   planner.Week // the next one to plan
	lines  int          // pushed so far
	asked  int
	broken []string // requests that got no answer of ours
}

// visit opens a browser of a person at the balancer.
func (b *balancer) visit(who *person, week planner.Week) *visitor {
	return &visitor{who: who, base: b.URL, week: week}
}

// once sends a request, and returns the answer; redirects are not followed.
func (v *visitor) once(ctx context.Context, path string, form url.Values) (status int, page *goquery.Document, err error) {
	client := *v.who.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	method := http.MethodPost
	if form == nil {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	page, err = goquery.NewDocumentFromReader(resp.Body)
	return resp.StatusCode, page, err
}

// ask sends a request until it is answered by a program. An answer that is a
// failure is an error.
func (v *visitor) ask(ctx context.Context, path string, form url.Values) (*goquery.Document, error) {
	for {
		v.asked++
		status, page, err := v.once(ctx, path, form)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			v.broken = append(v.broken, err.Error())
		case status == http.StatusBadGateway:
			v.broken = append(v.broken, words(page.Text()))
		case status >= http.StatusBadRequest:
			return nil, fmt.Errorf("%s: %d %s", path, status, words(page.Find("main").Text()))
		default:
			return page, nil
		}
		if len(v.broken) > mostBroken {
			return nil, fmt.Errorf("%s: no answer, again and again: %s", path, v.broken[len(v.broken)-1])
		}
	}
}

// mostBroken is how many requests of a visitor may be left without an answer.
const mostBroken = 20

// live plans a week, reviews it, pushes it, asks for a sync, and looks around
// for a while.
func (v *visitor) live(ctx context.Context, cells int, while time.Duration) error {
	began := time.Now()
	week := v.week.String()
	path := "/weeks/" + week
	page, err := v.ask(ctx, path, nil)
	if err != nil {
		return err
	}
	form := url.Values{"version": {page.Find("#week-version").AttrOr("value", "")}}
	option := page.Find("#add-row option").FilterFunction(func(_ int, s *goquery.Selection) bool {
		return strings.Contains(s.AttrOr("value", ""), ":")
	}).First().AttrOr("value", "")
	for day := range cells {
		form.Set(fmt.Sprintf("p.%s.%d", strings.Replace(option, ":", "-", 1), day), fmt.Sprintf("%dm", 60+day))
	}
	if _, err := v.ask(ctx, path+"/cells", form); err != nil {
		return err
	}
	review, err := v.ask(ctx, path+"/push", nil)
	if err != nil {
		return err
	}
	lines := fields(review.Find("#push-form"))
	if got := len(lines["line"]); got != cells {
		return fmt.Errorf("%s: %d lines to push, want %d", path, got, cells)
	}
	if _, err := v.ask(ctx, path+"/push", lines); err != nil {
		return err
	}
	v.lines += cells
	v.week = v.week.Next()
	if _, err := v.ask(ctx, path+"/sync", url.Values{}); err != nil {
		return err
	}
	for time.Since(began) < while {
		for _, other := range []string{path, views.SyncStatusPath + "?week=" + week, "/ledger", "/settings"} {
			if _, err := v.ask(ctx, other, nil); err != nil {
				return err
			}
			if _, err := v.ask(ctx, views.ThemePath, url.Values{"theme": {"dark"}}); err != nil {
				return err
			}
			time.Sleep(30 * time.Millisecond)
		}
	}
	return nil
}
