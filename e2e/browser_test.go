package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var errNoBrowser = errors.New("no Chromium is installed, which the browser tests need; on Debian or Ubuntu: sudo apt-get install chromium fonts-liberation")

// startBrowser starts a Chromium with a profile of its own. It ends with end.
func startBrowser(profile string) (ctx context.Context, end func(), err error) {
	var path string
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	} {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, func() {}, errNoBrowser
	}
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.WindowSize(1280, 900),
		chromedp.Flag("headless", "new"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true),
	)...)
	ctx, endBrowser := chromedp.NewContext(allocator)
	end = func() { endBrowser(); endAllocator() }
	if err := chromedp.Do(ctx); err != nil {
		end()
		return nil, func() {}, fmt.Errorf("start Chromium: %w", err)
	}
	return ctx, end, nil
}

// page is a tab of the browser.
type page struct {
	tb    testing.TB
	ctx   context.Context
	base  string
	trace *trace
	name  string // for the files that it leaves
}

// openTab opens a tab that shares nothing with other tests.
func openTab(tb testing.TB, p *program) *page {
	tb.Helper()
	browser, err := run.browser()
	if err != nil {
		tb.Fatal(err)
	}
	return newPage(tb, browser, p.URL, chromedp.WithNewBrowserContext())
}

// secondTab opens another tab with the same cookies.
func (p *page) secondTab() *page {
	p.tb.Helper()
	return newPage(p.tb, p.ctx, p.base)
}

func newPage(tb testing.TB, parent context.Context, base string, opts ...chromedp.ContextOption) *page {
	tb.Helper()
	p := &page{tb: tb, base: base, name: fmt.Sprintf("tab-%d", run.tabs.Add(1)), trace: &trace{byID: map[network.RequestID]*request{}}}
	ctx, cancel := chromedp.NewContext(parent, append(opts, chromedp.WithListener(p.trace.event))...)
	p.ctx = ctx
	tb.Cleanup(func() {
		p.trace.report(tb)
		if tb.Failed() {
			p.keep()
		}
		cancel()
	})
	p.must(chromedp.Do(ctx))
	command(p, network.Enable, network.EnableParams{})
	command(p, log.Enable, cdp.Empty{})
	command(p, accessibility.Enable, cdp.Empty{})
	command(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}) // as if each tab were in front
	return p
}

// loggedIn gives a tab the session of a person.
func (p *page) loggedIn(as *person) *page {
	p.tb.Helper()
	u := as.get("/healthz").url
	for _, c := range as.client.Jar.Cookies(u) {
		command(p, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: p.base})
	}
	return p
}

// command sends a command of the browser's protocol, which must succeed.
func command[P, R any](p *page, cmd cdp.Command[P, R], params P) R {
	p.tb.Helper()
	result, err := chromedp.Call(p.ctx, cmd, params)
	p.must(err)
	return result
}

func (p *page) must(err error) {
	p.tb.Helper()
	if err != nil {
		p.tb.Fatal(err)
	}
}

// keep stores what a failed test sees.
func (p *page) keep() {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	if picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		keep(p.tb, p.name+".png", picture)
	}
	if html, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.documentElement.outerHTML`)); err == nil {
		keep(p.tb, p.name+".html", []byte(html))
	}
}

// open loads an address of the program.
func (p *page) open(path string) {
	p.tb.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.Navigate(p.base+path)))
}

// eval evaluates a script, and is tried again while the page is changing.
func eval[T any](p *page, script string) T {
	p.tb.Helper()
	var result T
	waitFor(p.tb, patience, "a script to run", func() (err error) {
		result, err = chromedp.Run(p.ctx, chromedp.Evaluate[T](script))
		return err
	})
	return result
}

// path is where the tab is.
func (p *page) path() string {
	p.tb.Helper()
	return eval[string](p, `location.pathname`)
}

// text is all that can be read on the page, white space normalised.
func (p *page) text() string {
	p.tb.Helper()
	return words(eval[string](p, `document.body?.innerText ?? ""`))
}

// sees waits until a text can be read on the page.
func (p *page) sees(text string) {
	p.tb.Helper()
	p.seesWithin(patience, text)
}

func (p *page) seesWithin(most time.Duration, text string) {
	p.tb.Helper()
	waitFor(p.tb, most, fmt.Sprintf("%q to be seen", text), func() error {
		if seen := p.text(); !strings.Contains(seen, text) {
			return fmt.Errorf("the page says: %s", seen)
		}
		return nil
	})
}

// match chooses elements by their accessible name.
type match func(name string) bool

func is(name string) match { return func(s string) bool { return s == name } }

func begins(name string) match { return func(s string) bool { return strings.HasPrefix(s, name) } }

// element is something on a page that has a role and a name.
type element struct {
	page  *page
	id    runtime.RemoteObjectID
	name  string
	again func() element // finds it once more, for a page that was loaded anew
}

// lookFor returns the elements of a role that match, as assistive technology
// has them, without waiting.
func (p *page) lookFor(role string, name match) ([]element, error) {
	root, err := chromedp.Call(p.ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "document", ObjectGroup: "e2e"})
	if err != nil {
		return nil, err
	}
	tree, err := chromedp.Call(p.ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: root.Result.ObjectID, Role: role})
	if err != nil {
		return nil, err
	}
	var found []element
	for _, node := range tree.Nodes {
		if node.Ignored || node.Name == nil {
			continue
		}
		var said string
		if err := json.Unmarshal(node.Name.Value, &said); err != nil {
			return nil, err
		}
		if said = words(said); !name(said) {
			continue
		}
		object, err := chromedp.Call(p.ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node.BackendDOMNodeID, ObjectGroup: "e2e"})
		if err != nil {
			return nil, err
		}
		found = append(found, element{page: p, id: object.Object.ObjectID, name: said, again: func() element { return p.find(role, name) }})
	}
	return found, nil
}

// find waits for the first element of a role that matches.
func (p *page) find(role string, name match) element {
	p.tb.Helper()
	var found []element
	waitFor(p.tb, patience, "a "+role, func() (err error) {
		if found, err = p.lookFor(role, name); err == nil && len(found) == 0 {
			all, _ := p.lookFor(role, func(string) bool { return true })
			var names []string
			for _, e := range all {
				names = append(names, e.name)
			}
			err = fmt.Errorf("there is none of that name among: %q", names)
		}
		return err
	})
	return found[0]
}

// call runs a function with the element as this.
func call[T any](e element, function string) (result T, err error) {
	answer, err := chromedp.Call(e.page.ctx, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: e.id, ReturnByValue: new(true), AwaitPromise: new(true),
	})
	if err != nil {
		return result, err
	}
	if answer.ExceptionDetails != nil {
		return result, errors.New(answer.ExceptionDetails.Text)
	}
	if len(answer.Result.Value) == 0 {
		return result, nil
	}
	return result, json.Unmarshal(answer.Result.Value, &result)
}

// mustCall is call that must succeed.
func mustCall[T any](e element, function string) T {
	e.page.tb.Helper()
	result, err := call[T](e, function)
	e.page.must(err)
	return result
}

// click clicks an element of a role where a person sees it: not behind
// something else.
func (p *page) click(role, name string) {
	p.tb.Helper()
	p.clickOn(role, is(name))
}

func (p *page) clickOn(role string, name match) {
	p.tb.Helper()
	waitFor(p.tb, patience, "a "+role+" that can be clicked", func() error {
		return p.find(role, name).click()
	})
}

// spot is where an element is in the tab, and whether it can be hit there.
type spot struct {
	X, Y float64
	Hit  bool
	Over string // what lies over it
}

func (e element) spot() (spot, error) {
	return call[spot](e, `function() {
		this.scrollIntoViewIfNeeded();
		const r = this.getBoundingClientRect(), X = r.x + r.width / 2, Y = r.y + r.height / 2;
		const top = document.elementFromPoint(X, Y);
		return { X, Y, Hit: !!top && (this === top || this.contains(top) || top.contains(this)) && !this.disabled, Over: top?.outerHTML.slice(0, 200) ?? "nothing" };
	}`)
}

// click clicks an element once it stays where it is.
func (e element) click() error {
	before, err := e.spot()
	if err != nil {
		return err
	}
	<-time.After(30 * time.Millisecond) // two frames
	at, err := e.spot()
	switch {
	case err != nil:
		return err
	case at != before:
		return fmt.Errorf("%q moves", e.name)
	case !at.Hit:
		return fmt.Errorf("%q is disabled, or behind %s", e.name, at.Over)
	}
	return chromedp.Do(e.page.ctx, chromedp.MouseClickXY(at.X, at.Y))
}

// focus puts the focus on an input by a click, with all of its text selected,
// and returns it as it then is.
func (e element) focus() element {
	e.page.tb.Helper()
	waitFor(e.page.tb, patience, "to click into "+e.name, func() error {
		e = e.again()
		if err := e.click(); err != nil {
			return err
		}
		_, err := call[any](e, `function() { this.select() }`)
		return err
	})
	return e
}

// write types a text in the place of what an input holds. F2 begins to edit a
// cell of the grid, and does nothing elsewhere.
func (e element) write(text string) {
	e.page.tb.Helper()
	e = e.focus()
	e.page.press(kb.F2)
	mustCall[any](e, `function() { this.select() }`)
	e.page.press(text)
	if text == "" {
		e.page.press(kb.Delete)
	}
}

func (e element) value() string {
	e.page.tb.Helper()
	return mustCall[string](e, `function() { return this.value }`)
}

// fill types a text into the input with a label.
func (p *page) fill(label, text string) {
	p.tb.Helper()
	p.find("textbox", is(label)).write(text)
}

// choose chooses an option of a select element by typing its words.
func (p *page) choose(label, option string) {
	p.tb.Helper()
	list := p.find("combobox", is(label))
	mustCall[any](list, `function() { this.focus() }`)
	p.press(option)
	if chosen := mustCall[string](list, `function() { return this.selectedOptions[0].label }`); chosen != option {
		p.tb.Fatalf("%s: %q was chosen, want %q", label, chosen, option)
	}
}

// press presses keys: text, or those of package kb.
func (p *page) press(keys string) {
	p.tb.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.KeyEvent(keys)))
}

// trace is what happened in a tab.
type trace struct {
	mu       sync.Mutex
	problems []string
	allowed  []string
	requests []*request
	byID     map[network.RequestID]*request
}

// request is one that a tab made.
type request struct {
	method, url string
	status      int64
	encoding    string
	bytes       int64 // of the answer on the wire, its head included
	done        bool
}

// event hears of everything in the tab.
func (t *trace) event(ev any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		said := ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			said += " " + ev.ExceptionDetails.Exception.Description
		}
		t.problems = append(t.problems, "exception: "+said)
	case *runtime.EventConsoleAPICalled:
		if ev.Type == "error" || ev.Type == "assert" || ev.Type == "warning" {
			said := []string{"console", string(ev.Type)}
			for _, arg := range ev.Args {
				said = append(said, string(arg.Value)+arg.Description)
			}
			t.problems = append(t.problems, strings.Join(said, " "))
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == "error" || ev.Entry.Level == "warning" {
			t.problems = append(t.problems, fmt.Sprintf("%s %s: %s %s", ev.Entry.Source, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		r := &request{method: ev.Request.Method, url: ev.Request.URL}
		t.byID[ev.RequestID] = r
		t.requests = append(t.requests, r)
	case *network.EventResponseReceived:
		if r := t.byID[ev.RequestID]; r != nil {
			r.status = ev.Response.Status
			for name, value := range ev.Response.Headers {
				if strings.EqualFold(name, "Content-Encoding") {
					r.encoding = fmt.Sprint(value)
				}
			}
		}
	case *network.EventLoadingFinished:
		if r := t.byID[ev.RequestID]; r != nil {
			r.bytes, r.done = int64(ev.EncodedDataLength), true
		}
	}
}

// expect tells of a problem that a test brings about itself, by a part of its
// words.
func (p *page) expect(problem string) {
	p.trace.mu.Lock()
	defer p.trace.mu.Unlock()
	p.trace.allowed = append(p.trace.allowed, problem)
}

// report fails the test for what no page may do: break a script, or offend
// against the Content-Security-Policy.
func (t *trace) report(tb testing.TB) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, problem := range t.problems {
		if !slices.ContainsFunc(t.allowed, func(part string) bool { return strings.Contains(problem, part) }) {
			tb.Errorf("the browser says: %s", problem)
		}
	}
}

// asked returns the requests to addresses that contain a part.
func (p *page) asked(part string) []request {
	p.trace.mu.Lock()
	defer p.trace.mu.Unlock()
	var found []request
	for _, r := range p.trace.requests {
		if strings.Contains(r.url, part) {
			found = append(found, *r)
		}
	}
	return found
}

// loaded waits until all requests to such addresses were answered in full, and
// returns them.
func (p *page) loaded(part string) (all []request) {
	p.tb.Helper()
	waitFor(p.tb, patience, "all of "+part+" to be loaded", func() error {
		all = p.asked(part)
		for _, r := range all {
			if !r.done {
				return fmt.Errorf("%s is not", r.url)
			}
		}
		return nil
	})
	return all
}
