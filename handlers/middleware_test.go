package handlers

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"furrow/views"
)

func TestSecurityHeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, scheme := range []struct {
		name     string
		change   func(*Deps)
		wantHSTS string
		cookie   string
	}{
		{"http", func(*Deps) {}, "", "session"},
		{"https", overHTTPS, "max-age=31536000", "__Host-session"},
	} {
		t.Run(scheme.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, scheme.change)
			b.ida()
			stranger, ida := b.browser(), b.loggedIn(idaEmail)
			if got := ida.cookie().Name; got != scheme.cookie {
				t.Errorf("the cookie is called %q, want %q", got, scheme.cookie)
			}
			for _, test := range []struct {
				name         string
				got          answer
				wantStatus   int
				wantPersonal bool
			}{
				{"home", stranger.get("/"), http.StatusSeeOther, true},
				{"login", stranger.get("/login"), http.StatusOK, true},
				{"failed login", stranger.post("/login", nil), http.StatusUnprocessableEntity, true},
				{"setup", stranger.get("/setup"), http.StatusSeeOther, true},
				{"second setup", stranger.post("/setup", credentials("x@example.com", idaPassword)), http.StatusConflict, true},
				{"settings of a stranger", stranger.get("/settings"), http.StatusSeeOther, true},
				{"settings", ida.get("/settings"), http.StatusOK, true},
				{"not found", ida.get("/nowhere"), http.StatusNotFound, true},
				{"wrong method", ida.post("/healthz", nil), http.StatusMethodNotAllowed, true},
				{"cross-site", ida.post("/settings", nil, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, true},
				{"error", ida.post("/sandbox/outage", url.Values{"mode": {"429"}}), http.StatusInternalServerError, true},
				{"panic", ida.post("/sandbox/outage", url.Values{"mode": {"drop"}}), http.StatusInternalServerError, true},
				{"API", ida.get("/api/nothing"), http.StatusNotFound, true},
				{"health", ida.get("/healthz"), http.StatusOK, true},
				{"ready", ida.get("/readyz"), http.StatusOK, true},
				{"static", ida.get("/static/app.css"), http.StatusOK, false},
			} {
				if test.got.status != test.wantStatus {
					t.Errorf("%s: status %d, want %d", test.name, test.got.status, test.wantStatus)
				}
				for header, want := range map[string]string{
					"Content-Security-Policy":    csp,
					"X-Content-Type-Options":     "nosniff",
					"Referrer-Policy":            "same-origin",
					"Cross-Origin-Opener-Policy": "same-origin",
					"Strict-Transport-Security":  scheme.wantHSTS,
				} {
					if got := test.got.header.Get(header); got != want {
						t.Errorf("%s: %s is %q, want %q", test.name, header, got, want)
					}
				}
				if test.got.header.Get("Permissions-Policy") == "" || test.got.header.Get("X-Request-Id") == "" {
					t.Errorf("%s: Permissions-Policy or X-Request-Id is missing", test.name)
				}
				if got := test.got.header.Get("Cache-Control") == "no-store"; got != test.wantPersonal {
					t.Errorf("%s: Cache-Control is %q", test.name, test.got.header.Get("Cache-Control"))
				}
			}
		})
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		change     func(*Deps)
		wantName   string
		wantSecure bool
	}{
		{"http", func(*Deps) {}, "session", false},
		{"https", overHTTPS, "__Host-session", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.change)
			b.ida()
			got := b.browser().post("/login", credentials(idaEmail, idaPassword))
			cookie, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
			if err != nil {
				t.Fatal(err)
			}
			if cookie.Name != test.wantName || cookie.Secure != test.wantSecure || !cookie.HttpOnly ||
				cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
				t.Errorf("cookie: %s", got.header.Get("Set-Cookie"))
			}
			if cookie.MaxAge != 0 || !cookie.Expires.IsZero() {
				t.Errorf("the cookie outlives the browser: %s", got.header.Get("Set-Cookie"))
			}
			if n := b.count("select count(*) from sessions where token_hash = $1", cookie.Value); n != 0 {
				t.Error("the token itself is stored")
			}
		})
	}
}

// TestSessionCost counts queries: they are what makes a page slow.
func TestSessionCost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida, stranger := b.loggedIn(idaEmail), b.browser()
	for _, test := range []struct {
		name string
		in   *browser
		path string
		want int64
	}{
		{"a page of a user", ida, "/", 1},
		{"a page that is not there", ida, "/nowhere", 1},
		{"static", ida, "/static/app.css", 0},
		{"health", ida, "/healthz", 0},
		{"a stranger led to the login", stranger, "/settings", 0},
		{"a stranger lost", stranger, "/nowhere", 0},
	} {
		before := b.queries.Load()
		got := test.in.get(test.path)
		if n := b.queries.Load() - before; n != test.want {
			t.Errorf("%s: %d queries, want %d", test.name, n, test.want)
		}
		if got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: sets a cookie", test.name)
		}
	}
}

func TestCrossSitePostsAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida := b.loggedIn(idaEmail)
	for _, path := range []string{"/setup", "/login", "/logout", "/settings", "/settings/theme", "/settings/password", "/settings/tokens",
		"/settings/tokens/1/revoke", "/sandbox/outage", "/api/harvest-sync", "/nowhere"} {
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Origin", "https://evil.example"},
			{"Origin", "null"},
		} {
			got := ida.post(path, url.Values{"mode": {"503"}, "name": {"theirs"}, "week_start": {"1"}}, header...)
			if got.status != http.StatusForbidden {
				t.Errorf("%s with %v: status %d", path, header, got.status)
			}
			if !strings.Contains(got.body, "another site") {
				t.Errorf("%s with %v: says %q", path, header, got.body)
			}
		}
	}
	if b.sandbox.Outage() != "well" || b.count("select count(*) from api_tokens") != 0 ||
		b.count("select count(*) from users where week_start is not null") != 0 {
		t.Error("something was changed")
	}
	if got := ida.get("/settings"); got.status != http.StatusOK {
		t.Errorf("the session is gone: status %d", got.status)
	}
	if got := ida.post("/sandbox/outage", url.Values{"mode": {"503"}}, "Sec-Fetch-Site", "same-origin"); got.status != http.StatusSeeOther {
		t.Errorf("our own form: status %d", got.status)
	}
}

func TestOddRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida := b.loggedIn(idaEmail)
	form := "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name       string
		got        answer
		wantStatus int
		wantText   string
	}{
		{"huge form", ida.do(http.MethodPost, "/settings", strings.NewReader("time_zone="+strings.Repeat("x", 2<<20)), "Content-Type", form), http.StatusRequestEntityTooLarge, "more than 1 MB"},
		{"huge form of a stranger", b.browser().do(http.MethodPost, "/login", strings.NewReader("email="+strings.Repeat("x", 2<<20)), "Content-Type", form), http.StatusRequestEntityTooLarge, "more than 1 MB"},
		{"malformed form", ida.do(http.MethodPost, "/settings", strings.NewReader("time_zone=%zz"), "Content-Type", form), http.StatusBadRequest, "arrived damaged"},
		{"malformed content type", ida.do(http.MethodPost, "/settings", strings.NewReader("a=b"), "Content-Type", "a/b/c;;"), http.StatusBadRequest, "arrived damaged"},
		{"unknown path", ida.get("/nowhere"), http.StatusNotFound, "nothing at this address"},
		{"unknown path of a stranger", b.browser().get("/nowhere"), http.StatusNotFound, "nothing at this address"},
		{"an id that is none", ida.post("/settings/tokens/abc/revoke", nil), http.StatusNotFound, "nothing at this address"},
		{"an id beyond all", ida.post("/settings/tokens/99999999999999999999/revoke", nil), http.StatusNotFound, "nothing at this address"},
		{"unknown outage", ida.post("/sandbox/outage", url.Values{"mode": {"worse"}}), http.StatusUnprocessableEntity, "no such mode"},
		{"error of a handler", ida.post("/sandbox/outage", url.Values{"mode": {"429"}}), http.StatusInternalServerError, "our mistake"},
	} {
		if test.got.status != test.wantStatus || !strings.Contains(test.got.text(t, "main"), test.wantText) {
			t.Errorf("%s: status %d, want %d; says %q", test.name, test.got.status, test.wantStatus, test.got.text(t, "main"))
		}
		if strings.Contains(test.got.body, "canary") {
			t.Errorf("%s: the error's own text is shown", test.name)
		}
	}
	if got := ida.do(http.MethodDelete, "/settings", nil); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("DELETE: status %d, Allow %q", got.status, got.header.Get("Allow"))
	}
	if got := ida.do(http.MethodHead, "/settings", nil); got.status != http.StatusOK || got.body != "" {
		t.Errorf("HEAD: status %d, body %q", got.status, got.body)
	}
	if got := ida.get("//settings"); got.location() != "/settings" {
		t.Errorf("an untidy path leads to %q", got.location())
	}
}

// TestSlowRequests: who sends a request that never ends, a byte at a time, is
// hung up on.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	readsAll := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	server.Config = NewServer(readsAll, slog.New(slog.DiscardHandler))
	server.Start()
	t.Cleanup(server.Close)
	for _, test := range []struct {
		name, begin string
		limit       time.Duration
	}{
		{"header", "GET / HTTP/1.1\r\nHost: furrow.example\r\nX-Slow: ", server.Config.ReadHeaderTimeout},
		{"body", "POST / HTTP/1.1\r\nHost: furrow.example\r\nContent-Length: 1000000\r\n\r\n", server.Config.ReadTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			began := time.Now()
			go func() {
				text := test.begin
				for {
					if _, err := io.WriteString(conn, text); err != nil {
						return
					}
					text = "x"
					time.Sleep(100 * time.Millisecond)
				}
			}()
			if err := conn.SetReadDeadline(began.Add(2 * test.limit)); err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, conn)
			if took := time.Since(began); errors.Is(err, os.ErrDeadlineExceeded) || took > 2*test.limit {
				t.Errorf("after %v the connection is still open", took)
			}
		})
	}
}

func TestPanicShowsNoStack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	got := b.loggedIn(idaEmail).post("/sandbox/outage", url.Values{"mode": {"drop"}})
	id := got.header.Get("X-Request-Id")
	if got.status != http.StatusInternalServerError || got.text(t, "code") != id || id == "" {
		t.Errorf("status %d, shows request %q, want %q", got.status, got.text(t, "code"), id)
	}
	for _, secret := range []string{"canary", "goroutine", ".go:"} {
		if strings.Contains(got.body, secret) {
			t.Errorf("the page holds %q", secret)
		}
	}
	if log := b.log.String(); !strings.Contains(log, "canary panic") || !strings.Contains(log, "sandbox.go:") || !strings.Contains(log, id) {
		t.Error("the log lacks the cause, the stack or the request")
	}
}

func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	in := b.loggedIn(idaEmail)
	in.get("/settings?token=canary-query")
	in.get("/canary-path")
	in.post("/login", credentials("canary-email@example.com", "canary-password"))
	token := in.post("/settings/tokens", url.Values{"name": {"laptop"}}).text(t, "code.secret")
	in.get("/api/x", "Authorization", "Bearer "+token)
	log := b.log.String()
	for _, secret := range []string{"canary", idaPassword, token, in.cookie().Value} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if !strings.Contains(log, `"route":"GET /settings"`) {
		t.Error("the log lacks the route")
	}
}

func TestStrangersAreTurnedAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	stranger := b.browser()
	for _, test := range []struct {
		name         string
		got          answer
		wantStatus   int
		wantLocation string
		wantRetarget string
		wantText     string
	}{
		{"page", stranger.get("/settings?x=1"), http.StatusSeeOther, "/login?next=%2Fsettings%3Fx%3D1", "", ""},
		{"form", stranger.post("/settings", nil), http.StatusUnauthorized, "", "", "reload this page to send it again"},
		{"form by htmx", stranger.post("/settings", nil, "HX-Request", "true", "HX-Request-Type", "partial"), http.StatusUnauthorized, "", noticeArea, "what you typed is still here"},
		{"partial by htmx", stranger.get("/settings", "HX-Request", "true", "HX-Request-Type", "partial"), http.StatusUnauthorized, "", noticeArea, "Log in"},
		{"password", stranger.post("/settings/password", nil), http.StatusUnauthorized, "", "", "logged out"},
		{"token", stranger.post("/settings/tokens", nil), http.StatusUnauthorized, "", "", "logged out"},
		{"revoke", stranger.post("/settings/tokens/1/revoke", nil), http.StatusUnauthorized, "", "", "logged out"},
		{"outage", stranger.post("/sandbox/outage", url.Values{"mode": {"503"}}), http.StatusUnauthorized, "", "", "logged out"},
	} {
		if test.got.status != test.wantStatus || test.got.location() != test.wantLocation ||
			test.got.header.Get(hxRetarget) != test.wantRetarget || !strings.Contains(test.got.body, test.wantText) {
			t.Errorf("%s: status %d to %q, into %q: %s", test.name, test.got.status, test.got.location(), test.got.header.Get(hxRetarget), test.got.body)
		}
	}
	if b.sandbox.Outage() != "well" {
		t.Error("a stranger turned the outage switch")
	}
}

// TestAccess checks the fences themselves; which route has which is checked
// with the pages.
func TestAccess(t *testing.T) {
	t.Parallel()
	var s *site
	b := setup(t, func(d *Deps) { s = newSite(*d) })
	b.ida()
	b.user("ada@example.com", true)
	ida, ada, stranger := b.loggedIn(idaEmail), b.loggedIn("ada@example.com"), b.browser()
	token, err := b.store.CreateAPIToken(t.Context(), 1, "test")
	if err != nil {
		t.Fatal(err)
	}
	hello := func(w http.ResponseWriter, r *http.Request) error {
		return s.writeJSON(w, r, http.StatusOK, currentUser(r).Email)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /admin/hello", s.admin(hello))
	mux.Handle("POST /api/hello", s.api(hello))
	h := s.around(mux)
	call := func(in *browser, method, path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		if c := in.cookie(); c.Value != "" {
			r.AddCookie(c)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, test := range []struct {
		name       string
		got        *httptest.ResponseRecorder
		wantStatus int
		wantText   string
	}{
		{"admin", call(ada, http.MethodGet, "/admin/hello"), http.StatusOK, "ada@example.com"},
		{"user as admin", call(ida, http.MethodGet, "/admin/hello"), http.StatusNotFound, "nothing at this address"},
		{"user as admin by htmx", call(ida, http.MethodGet, "/admin/hello", hxRequest, "true"), http.StatusNotFound, "nothing at this address"},
		{"stranger as admin", call(stranger, http.MethodGet, "/admin/hello"), http.StatusSeeOther, ""},
		{"API by session", call(ida, http.MethodPost, "/api/hello"), http.StatusOK, idaEmail},
		{"API by token", call(stranger, http.MethodPost, "/api/hello", "Authorization", "Bearer "+token.Reveal()), http.StatusOK, idaEmail},
		{"token before session", call(ada, http.MethodPost, "/api/hello", "Authorization", "bearer "+token.Reveal()), http.StatusOK, idaEmail},
		{"API without anything", call(stranger, http.MethodPost, "/api/hello"), http.StatusUnauthorized, "API token"},
		{"bad token", call(ida, http.MethodPost, "/api/hello", "Authorization", "Bearer frw_0000"), http.StatusUnauthorized, "not valid"},
		{"no token", call(ida, http.MethodPost, "/api/hello", "Authorization", "Bearer "), http.StatusUnauthorized, "not valid"},
		{"not our token", call(stranger, http.MethodPost, "/api/hello", "Authorization", "Basic aWRhOmlkYQ=="), http.StatusUnauthorized, "API token"},
		{"token on a page", call(stranger, http.MethodGet, "/admin/hello", "Authorization", "Bearer "+token.Reveal()), http.StatusSeeOther, ""},
	} {
		if test.got.Code != test.wantStatus || !strings.Contains(test.got.Body.String(), test.wantText) {
			t.Errorf("%s: status %d, want %d: %s", test.name, test.got.Code, test.wantStatus, test.got.Body)
		}
		if api := strings.Contains(test.name, "API") || strings.Contains(test.name, "token"); api && test.wantStatus == http.StatusUnauthorized {
			var problem apiProblem
			if err := json.Unmarshal(test.got.Body.Bytes(), &problem); err != nil || problem.Message == "" || problem.RequestID == "" {
				t.Errorf("%s: not the API's way to tell an error: %s", test.name, test.got.Body)
			}
			if test.got.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s: WWW-Authenticate is missing", test.name)
			}
		}
	}
}

func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida := b.loggedIn(idaEmail)
	b.breakDatabase()
	for _, test := range []struct {
		name string
		got  answer
		want string
	}{
		{"page", ida.get("/settings"), "Everything saved is safe"},
		{"form", ida.post("/settings", nil), "Reload this page in a few seconds"},
		{"form by htmx", ida.post("/settings", nil, hxRequest, "true"), "still on this page"},
		{"login", b.browser().post("/login", credentials(idaEmail, idaPassword)), "Reload this page in a few seconds"},
	} {
		if test.got.status != http.StatusServiceUnavailable || test.got.header.Get("Retry-After") != "5" || !strings.Contains(test.got.body, test.want) {
			t.Errorf("%s: status %d, Retry-After %q: %s", test.name, test.got.status, test.got.header.Get("Retry-After"), test.got.body)
		}
	}
	if got := ida.get("/healthz"); got.status != http.StatusOK {
		t.Errorf("health: status %d", got.status)
	}
}

func TestCompressesPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida := b.loggedIn(idaEmail)
	plain := ida.get("/settings", "Accept-Encoding", "identity")
	packed := ida.get("/settings", "Accept-Encoding", "br, gzip;q=0.8")
	if packed.header.Get("Content-Encoding") != "gzip" || !strings.Contains(strings.Join(packed.header.Values("Vary"), ","), "Accept-Encoding") {
		t.Fatalf("headers: %v", packed.header)
	}
	reader, err := gzip.NewReader(strings.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if string(unpacked) != plain.body || len(packed.body)*2 > len(plain.body) {
		t.Errorf("%d bytes, packed %d, unpacked %d", len(plain.body), len(packed.body), len(unpacked))
	}
	if got := ida.get("/settings", "Accept-Encoding", "gzip;q=0"); got.header.Get("Content-Encoding") != "" {
		t.Error("compressed against the client's wish")
	}
	small := ida.post("/settings", nil, hxRequest, "true", "Accept-Encoding", "gzip", "Sec-Fetch-Site", "cross-site")
	if small.header.Get("Content-Encoding") != "" {
		t.Error("a small answer is compressed")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) {
		d.Role = RoleWorker
		d.Ready = func(context.Context) error { return errors.New("canary") }
	})
	in := b.browser()
	if got := in.get("/healthz"); got.status != http.StatusOK {
		t.Errorf("health: status %d", got.status)
	}
	if got := in.get("/readyz"); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "canary") {
		t.Errorf("ready: status %d: %s", got.status, got.body)
	}
	if got := in.get("/login"); got.status != http.StatusNotFound {
		t.Errorf("a worker serves pages: status %d", got.status)
	}
}

func TestRedirectByHTMX(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	got := b.loggedIn(idaEmail).post("/settings", nil, hxRequest, "true")
	if got.status != http.StatusNoContent || got.header.Get(hxRedirect) != views.SettingsPath {
		t.Errorf("status %d to %q", got.status, got.header.Get(hxRedirect))
	}
}
