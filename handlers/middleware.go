package handlers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// handlerFunc answers a request, or returns why it could not. It changes the
// session before it calls render, redirect or writeJSON, which store it.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// request is what is known of the request under way: its id for the log and
// error pages, and who made it.
type request struct {
	id      string
	pattern string
	user    *db.User // nil: anonymous
	device  db.Device
}

type requestKey struct{}

func requestOf(r *http.Request) *request {
	if known, ok := r.Context().Value(requestKey{}).(*request); ok {
		return known
	}
	return &request{}
}

// deviceOf is what the request under way comes from.
func deviceOf(ctx context.Context) db.Device {
	if known, ok := ctx.Value(requestKey{}).(*request); ok {
		return known.device
	}
	return db.Device{}
}

// currentUser returns who made the request. Only for handlers behind user,
// admin or api, which see to it that there is somebody.
func currentUser(r *http.Request) db.User {
	user := requestOf(r).user
	if user == nil {
		panic("handlers: the route " + requestOf(r).pattern + " asks for the user without requiring one")
	}
	return *user
}

// around puts everything that concerns all requests before the routes, from
// the outside in: the log, recovery, headers, the cross-origin check, and the
// limit of the body. The cross-origin check comes before anything reads the
// session or the form.
func (s *site) around(mux *http.ServeMux) http.Handler {
	h := s.limitBody(s.route(mux))
	h = s.refuseCrossOrigin(h)
	h = s.secureHeaders(h)
	h = s.recoverPanics(h)
	return s.logRequests(h)
}

// limitBody bounds what a request may carry. One that says how large it is and
// is too large is refused before it is sent.
func (s *site) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxBody {
			personal(w)
			unread(w)
			s.fail(w, r, &http.MaxBytesError{Limit: maxBody})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// unread leaves the rest of what a request carries where it is, and closes the
// connection after the answer. Otherwise the server would wait for it, to read
// the next request after it.
func unread(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // not for the writers of tests
}

// readStranger reads what a request carries of somebody who is not logged in:
// of a few at once, for anybody may send it slowly.
func (s *site) readStranger(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	if !s.strangers.try() {
		return errBusy
	}
	defer s.strangers.release()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxStranger))
	if err != nil {
		return unreadable(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// route answers with a route, or with our own pages if there is none.
func (s *site) route(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		requestOf(r).pattern = pattern
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// The mux has an answer of its own: let it speak into the void, and say it on our pages.
		answer := voidWriter{header: http.Header{}}
		h.ServeHTTP(&answer, r)
		switch {
		case answer.status == http.StatusMethodNotAllowed:
			w.Header().Set("Allow", answer.header.Get("Allow"))
			s.public(func(http.ResponseWriter, *http.Request) error { return errMethod }).ServeHTTP(w, r)
		case answer.header.Get("Location") != "": // the same path, cleaned
			h.ServeHTTP(w, r)
		default:
			s.public(func(http.ResponseWriter, *http.Request) error { return planner.ErrNotFound }).ServeHTTP(w, r)
		}
	})
}

// voidWriter keeps status and header of an answer and drops the rest.
type voidWriter struct {
	header http.Header
	status int
}

func (v *voidWriter) Header() http.Header { return v.header }

func (v *voidWriter) WriteHeader(status int) {
	if v.status == 0 {
		v.status = status
	}
}

func (v *voidWriter) Write(b []byte) (int, error) {
	v.WriteHeader(http.StatusOK)
	return len(b), nil
}

// public serves everybody; it loads the session, so that the page knows who
// is logged in.
func (s *site) public(h handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		personal(w)
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		ctx, err := s.sessions.load(ctx, r)
		if err != nil {
			s.fail(w, r, fmt.Errorf("load the session: %w", err))
			return
		}
		r = r.WithContext(ctx)
		if user, ok := s.sessions.user(ctx); ok {
			requestOf(r).user = &user
			if err := s.sessions.seen(r, user.Session); err != nil { // a page can be read from a database that takes nothing
				s.log.WarnContext(ctx, "note a session", "error", err.Error())
			}
		} else if err := s.readStranger(w, r); err != nil {
			unread(w)
			s.fail(w, r, err)
			return
		}
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// user serves those who are logged in, and have the second factor if they have to.
func (s *site) user(h handlerFunc) http.Handler { return s.loggedIn(s.enrolled(h)) }

// loggedIn serves those who are logged in. Others are led to the login page; a
// request that carries something typed is answered in a way that keeps it.
func (s *site) loggedIn(h handlerFunc) http.Handler {
	return s.public(func(w http.ResponseWriter, r *http.Request) error {
		if requestOf(r).user != nil {
			return h(w, r)
		}
		if wantsFragment(r) || r.Method != http.MethodGet && r.Method != http.MethodHead {
			return errLoggedOut
		}
		return s.redirect(w, r, views.LoginURL(r.URL.RequestURI()))
	})
}

// viewer serves those who may see the admin pages.
func (s *site) viewer(h handlerFunc) http.Handler { return s.role(db.RoleViewer, h) }

// operator serves those who may act on what the admin pages show, but on users.
// Whoever acts must have logged in a short while ago.
func (s *site) operator(h handlerFunc) http.Handler { return s.role(db.RoleOperator, h) }

// admin serves those who may act on users, after a fresh log-in as well.
func (s *site) admin(h handlerFunc) http.Handler { return s.role(db.RoleAdmin, h) }

// role serves those who have a role, or one that may do more. To everybody else
// the address does not exist.
func (s *site) role(least db.Role, h handlerFunc) http.Handler {
	return s.user(func(w http.ResponseWriter, r *http.Request) error {
		if user := currentUser(r); !user.Role.May(least) {
			s.log.WarnContext(r.Context(), "admin page refused", "user", user.ID, "role", string(user.Role), "pattern", requestOf(r).pattern)
			return planner.ErrNotFound
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return s.fresh(h)(w, r)
		}
		return h(w, r)
	})
}

// fresh serves those who proved who they are a short while ago ([db.FreshLogin]).
// Others are asked to, and nothing is done: they are led back to where they were,
// and decide again.
func (s *site) fresh(h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if currentUser(r).Session.Fresh {
			return h(w, r)
		}
		next := pageOf(r)
		if isHTMX(r) {
			w.Header().Set(hxRedirect, views.ConfirmURL(next))
			w.WriteHeader(http.StatusForbidden)
			return nil
		}
		return s.confirmPage(w, r, http.StatusForbidden, next, views.Fields{})
	}
}

// api serves programs with an API token, and pages with their session.
func (s *site) api(h handlerFunc) http.Handler {
	bySession := s.public(func(w http.ResponseWriter, r *http.Request) error {
		if requestOf(r).user == nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="furrow"`)
			return errLoggedOut
		}
		return s.enrolled(h)(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := bearer(r)
		if !ok {
			bySession.ServeHTTP(w, r)
			return
		}
		personal(w)
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		user, err := s.tokenUser(ctx, token, s.now())
		if errors.Is(err, planner.ErrNotFound) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="furrow", error="invalid_token"`)
			err = errBadToken
		}
		if err == nil {
			requestOf(r).user = &user
			err = h(w, r.WithContext(s.sessions.empty(ctx)))
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

func bearer(r *http.Request) (ledger.Secret, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return ledger.Secret(strings.TrimSpace(token)), ok && strings.EqualFold(scheme, "Bearer")
}

// personal keeps an answer out of every cache.
func personal(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "HX-Request")
}

// csp allows our own files and nothing else; no inline script or style.
const csp = cspFiles + "form-action 'self'; " + cspEnd

const (
	cspFiles = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
	cspEnd   = "base-uri 'none'; frame-ancestors 'none'"
)

// letFormsLeadTo widens the policy of one page: browsers hold a form's
// redirects against it too.
func letFormsLeadTo(w http.ResponseWriter, origin string) {
	w.Header().Set("Content-Security-Policy", cspFiles+"form-action 'self' "+origin+"; "+cspEnd)
}

func (s *site) secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if s.https {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// refuseCrossOrigin turns away what other sites make browsers send. Requests
// without the headers of a browser pass; the cookie's SameSite guards those.
func (s *site) refuseCrossOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	if s.origin != "" {
		// Behind a proxy that changes Host, our own origin would look foreign.
		if err := protection.AddTrustedOrigin(s.origin); err != nil {
			s.log.Warn("the public URL is not an origin", "origin", s.origin)
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		personal(w)
		s.fail(w, r, errCrossOrigin)
	}))
	return protection.Handler(next)
}

// recoverPanics answers 500 for a panic. The stack goes to the log alone.
func (s *site) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause)
			}
			s.log.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if answer, ok := w.(*recorder); ok && answer.status != 0 {
				panic(http.ErrAbortHandler) // too late for a page: break the connection off
			}
			personal(w)
			s.answer(w, r, unknownProblem())
		}()
		next.ServeHTTP(w, r)
	})
}

// recorder notes the status and size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	size   int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.size += n
	return n, err
}

// Unwrap is for [http.ResponseController].
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logRequests names each request and writes one line about it. The line has
// the route, not the address: paths and queries may carry secrets.
func (s *site) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		known := &request{id: newRequestID(), device: s.device(r)}
		ctx := ledger.WithTrace(r.Context(), ledger.Trace{Request: known.id})
		r = r.WithContext(context.WithValue(ctx, requestKey{}, known))
		w.Header().Set("X-Request-Id", known.id)
		answer := &recorder{ResponseWriter: w}
		defer func() {
			level := slog.LevelInfo
			if quietRoutes(known.pattern) {
				level = slog.LevelDebug
			}
			var userID int64
			if known.user != nil {
				userID = known.user.ID
			}
			took := time.Since(start)
			if s.observe != nil {
				s.observe(known.pattern, answer.status, took)
			}
			s.log.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("route", known.pattern),
				slog.Int("status", answer.status), slog.Int("bytes", answer.size), slog.Duration("took", took),
				slog.Int64("user", userID))
		}()
		next.ServeHTTP(answer, r)
	})
}

// quietRoutes are asked for all the time, by machines and by open pages.
func quietRoutes(pattern string) bool {
	switch pattern {
	case "GET /healthz", "GET /readyz", "GET /static/", "GET " + views.SyncStatusPath, "GET " + views.LedgerLivePath, "GET " + views.LedgerPath + "/{id}/live", "GET " + views.AdminPath + "/live/{tab}",
		"GET " + views.AdminWritesLivePath, "GET " + views.AdminWritesPath + "/{id}/live", "GET " + views.AdminOrdersPath + "/{id}/live", "GET " + views.AdminJobsLivePath:
		return true
	default:
		return false
	}
}

func newRequestID() string {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(id)
}

// originOf returns scheme and host of u.
func originOf(u *url.URL) string {
	if u == nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
