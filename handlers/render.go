package handlers

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/views"
)

// site is what every page needs to be answered: the session, the frame of the
// page, and the way out. The structs of the page areas embed it.
type site struct {
	sessions  sessions
	assets    views.Assets
	sandbox   SandboxControl
	https     bool
	origin    string
	proxies   []netip.Prefix // may tell the client's address
	require   Require        // who must log in with a code
	log       *slog.Logger
	now       func() time.Time
	tokenUser func(context.Context, ledger.Secret, time.Time) (db.User, error)
	observe   func(route string, status int, took time.Duration) // nil: nobody measures
	buffers   sync.Pool                                          // *bytes.Buffer
	gzips     chan *gzip.Writer                                  // nil: not made yet
	strangers turns                                              // to send a form
}

// gzipLevel is where pages stop getting noticeably smaller.
const gzipLevel = 4

// minGzip is the size in bytes below which compressing is not worth it.
const minGzip = 1 << 10

// maxPooled is the capacity in bytes above which a buffer is not kept.
const maxPooled = 1 << 20

func newSite(deps Deps) *site {
	https := deps.PublicURL != nil && deps.PublicURL.Scheme == "https"
	s := &site{
		sessions:  newSessions(deps.Store.Sessions(), https),
		assets:    deps.Assets,
		sandbox:   deps.Sandbox,
		https:     https,
		origin:    originOf(deps.PublicURL),
		proxies:   deps.TrustedProxies,
		require:   deps.RequireTOTP,
		log:       deps.Log,
		now:       deps.Now,
		tokenUser: deps.Store.APITokenUser,
		observe:   deps.Observe,
		gzips:     make(chan *gzip.Writer, runtime.GOMAXPROCS(0)),
		strangers: newTurns(strangersAtOnce),
	}
	s.buffers.New = func() any { return new(bytes.Buffer) }
	for range cap(s.gzips) {
		s.gzips <- nil
	}
	return s
}

// component is what package views draws.
type component interface {
	Render(ctx context.Context, w io.Writer) error
}

// chrome is the frame of a page. It takes the flash out of the session, so it
// is called once, by the handler that shows the page.
func (s *site) chrome(r *http.Request, title string, active views.Nav) views.Chrome {
	c := s.bareChrome(r, title)
	c.Active = active
	c.Flash = s.sessions.takeFlash(r.Context())
	return c
}

// bareChrome is the frame without the flash, for pages on which nobody would
// look for it.
func (s *site) bareChrome(r *http.Request, title string) views.Chrome {
	c := views.Chrome{Title: title, Assets: s.assets, Theme: theme(r)}
	user := requestOf(r).user
	if user == nil {
		return c
	}
	c.UserName, c.Email, c.LettersOff = user.Email, user.Email, user.Chosen.LettersOff
	if s.mustEnrol(*user) {
		return c // the rest is not theirs yet
	}
	c.SeesAdmin = user.Role.May(db.RoleViewer)
	c.Timer = s.timerBar(r, user)
	if s.sandbox != nil {
		c.SandboxBar = &views.SandboxBar{Mode: views.Outage(s.sandbox.Outage()), Next: pageOf(r)}
	}
	return c
}

// pageOf is the address of the page that the reader looks at: the one asked
// for, or the one that the form was on.
func pageOf(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r.URL.RequestURI()
	}
	referer, err := url.Parse(r.Referer())
	if err != nil || referer.Host != r.Host {
		return views.HomePath
	}
	return localPath(referer.RequestURI())
}

// localPath is next if it is a path of this program, and the home page
// otherwise. Browsers read "//host", "/\host" and paths with control
// characters in them as addresses of other sites.
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsFunc(next, func(c rune) bool {
		return c == '\\' || c < ' ' || c == 0x7f
	}) {
		return views.HomePath
	}
	if u, err := url.Parse(next); err != nil || u.Scheme != "" || u.Host != "" {
		return views.HomePath
	}
	return next
}

// render answers with a component. It is drawn completely before the first
// byte is sent, so a failure can still become an error page.
func (s *site) render(w http.ResponseWriter, r *http.Request, status int, c component) error {
	buffer := s.buffer()
	defer s.release(buffer)
	if err := c.Render(r.Context(), buffer); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	if err := s.sessions.save(r.Context(), w); err != nil {
		return err
	}
	s.write(w, r, status, "text/html; charset=utf-8", buffer.Bytes())
	return nil
}

// redirect leads the browser to a path of ours, by GET. A page that asked by
// script is told to go there as a whole.
func (s *site) redirect(w http.ResponseWriter, r *http.Request, path string) error {
	if err := s.sessions.save(r.Context(), w); err != nil {
		return err
	}
	if isHTMX(r) {
		w.Header().Set(hxRedirect, path)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// writeJSON answers an API call. It leaves the session alone.
func (s *site) writeJSON(w http.ResponseWriter, r *http.Request, status int, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	s.write(w, r, status, "application/json", append(body, '\n'))
	return nil
}

// write sends a finished body, compressed if that helps.
func (s *site) write(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	if len(body) >= minGzip {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			buffer := s.buffer()
			defer s.release(buffer)
			s.compress(buffer, body)
			body = buffer.Bytes()
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody to tell
}

func (s *site) compress(to *bytes.Buffer, body []byte) {
	// No more at once than there are processors: a writer takes nearly a megabyte.
	zip := <-s.gzips
	defer func() { s.gzips <- zip }()
	if zip == nil {
		var err error
		if zip, err = gzip.NewWriterLevel(to, gzipLevel); err != nil {
			panic(err) // cannot happen: the level is valid
		}
	}
	zip.Reset(to)
	_, _ = zip.Write(body) // a bytes.Buffer takes everything
	_ = zip.Close()
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			return weight == "" || strings.Trim(weight, "0.") != ""
		}
	}
	return false
}

func (s *site) buffer() *bytes.Buffer {
	buffer, ok := s.buffers.Get().(*bytes.Buffer)
	if !ok {
		panic("handlers: foreign value in the pool")
	}
	return buffer
}

func (s *site) release(buffer *bytes.Buffer) {
	if buffer.Cap() > maxPooled {
		return
	}
	buffer.Reset()
	s.buffers.Put(buffer)
}
