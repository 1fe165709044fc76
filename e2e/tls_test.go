package e2e

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/db/dbtest"
	"furrow/e2e/acmetest"
	"furrow/harvest/sandbox/sandboxtest"
)

// secured is a program that serves the name plan.test over https, at an address
// that no resolver knows, and plain http at its program's URL.
type secured struct {
	*program

	https     string // host:port
	authority *acmetest.Authority
}

const tlsName = "plan.test"

// newSecured prepares a program with a data directory of its own. Where the
// authority asks is told to it, so there is one address for each kind.
func newSecured(t *testing.T, database, https, http string, authority *acmetest.Authority, args ...string) *secured {
	t.Helper()
	s := &secured{&program{tb: t, ready: "/readyz", home: t.TempDir(), URL: "http://" + http}, https, authority}
	s.log = filepath.Join(s.home, "program.log")
	s.args = append([]string{
		"serve", "--database-url", database, "--data-dir", filepath.Join(s.home, "data"), "--listen", https, "--http-listen", http,
		"--tls-domain", tlsName, "--acme-url", authority.URL, "--acme-ca-file", authority.CAFile,
	}, args...)
	t.Cleanup(func() {
		if s.cmd != nil {
			s.stop()
		}
	})
	return s
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// certificate shakes hands with the program as name, and returns the serial
// number of what it shows.
func (s *secured) certificate(name string) (serial string, err error) {
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: s.authority.Roots, ServerName: name}}
	conn, err := dialer.DialContext(s.tb.Context(), "tcp", s.https)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// certified waits until the program shows a certificate for its name.
func (s *secured) certified(most time.Duration) (serial string) {
	s.tb.Helper()
	waitFor(s.tb, most, "the certificate", func() (err error) {
		serial, err = s.certificate(tlsName)
		return err
	})
	return serial
}

// TestTLS: with a name and nothing else, people work over https and HTTP/2, by
// a certificate that all processes share and keep.
func TestTLS(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "demo")
	https, plain := freeAddress(t), freeAddress(t)
	authority := acmetest.Start(t, acmetest.Options{HTTPPort: portOf(t, plain), TLSPort: portOf(t, https)})
	database := dbtest.URL(t)
	toSandbox := []string{"--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL}
	first := newSecured(t, database, https, plain, authority, toSandbox...)
	first.start()
	serial := first.certified(patience)

	// Nobody is led astray on plain http, and nothing is taken there.
	noRedirect := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, tt := range []struct {
		method, host, path string
		status             int
		location           string
	}{
		{"GET", tlsName, "/week?x=1&y=%2F", http.StatusPermanentRedirect, "https://plan.test/week?x=1&y=%2F"},
		{"HEAD", "evil.example", "//evil.example/%2e", http.StatusPermanentRedirect, "https://plan.test//evil.example/%2e"},
		{"POST", tlsName, "/login", http.StatusForbidden, ""},
		{"GET", tlsName, "/.well-known/acme-challenge/none", http.StatusPermanentRedirect, "https://plan.test/.well-known/acme-challenge/none"},
		{"GET", "127.0.0.1", "/healthz", http.StatusOK, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, first.URL+tt.path, strings.NewReader("password=secret"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		resp, err := noRedirect.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location {
			t.Errorf("%s %s of %s: %d to %q, want %d to %q", tt.method, tt.path, tt.host, resp.StatusCode, resp.Header.Get("Location"), tt.status, tt.location)
		}
	}
	for _, name := range []string{"other.test", ""} {
		config := &tls.Config{ServerName: name, InsecureSkipVerify: true} // it must fail for another reason
		if conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", https); err == nil {
			conn.Close()
			t.Errorf("a handshake for %q succeeds", name)
		}
	}
	old := &tls.Config{RootCAs: authority.Roots, ServerName: tlsName, MaxVersion: tls.VersionTLS11}
	if conn, err := (&tls.Dialer{Config: old}).DialContext(t.Context(), "tcp", https); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}

	// An account, Harvest, and the week.
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	site := &program{tb: t, URL: "https://" + tlsName}
	ida := &person{tb: t, program: site, client: authority.Client(https)}
	ida.client.Jar = jar
	ida.setUp()
	ida.post("/logout", nil)
	ida.logIn()
	week := ida.get("/week")
	if week.proto != "HTTP/2.0" || week.Find("#week-grid").Length() != 1 || !strings.HasPrefix(week.url.String(), "https://plan.test/weeks/") {
		t.Errorf("the week is at %s over %s: %s", week.url, week.proto, words(week.Text()))
	}
	if hsts := week.header.Get("Strict-Transport-Security"); !strings.HasPrefix(hsts, "max-age=") {
		t.Errorf("Strict-Transport-Security: %q", hsts)
	}
	cookies := jar.Cookies(&url.URL{Scheme: "https", Host: tlsName, Path: "/"})
	if len(cookies) != 1 || cookies[0].Name != "__Host-session" {
		t.Errorf("cookies %v", cookies)
	}
	if cookies := jar.Cookies(&url.URL{Scheme: "http", Host: tlsName, Path: "/"}); len(cookies) != 0 {
		t.Errorf("cookies over plain http: %v", cookies)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://plan.test/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := ida.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site is answered %d", resp.StatusCode)
	}

	// Another process, and this one after a restart, show the same certificate.
	key := filepath.Join(first.home, "data", "secret.key")
	second := newSecured(t, database, freeAddress(t), freeAddress(t), authority, append(toSandbox, "--role", "web", "--secret-key-file", key)...)
	second.start()
	first.stop()
	first.start()
	for name, s := range map[string]*secured{"the other": second, "restarted": first} {
		if got := s.certified(patience); got != serial {
			t.Errorf("%s: certificate %s, want %s", name, got, serial)
		}
	}
	if n := authority.Orders(); n != 1 {
		t.Errorf("%d orders, want one for all", n)
	}
}

// The authority is away at the start. Everything else goes on, and when it is
// back, the certificate comes without anybody's doing.
func TestFaultTLS_AuthorityIsDown(t *testing.T) {
	chaos(t)
	https, plain := freeAddress(t), freeAddress(t)
	authority := acmetest.Start(t, acmetest.Options{HTTPPort: portOf(t, plain), TLSPort: portOf(t, https), Down: true})
	s := newSecured(t, dbtest.URL(t), https, plain, authority)
	s.start()
	waitFor(t, patience, "the log to tell of it", func() error {
		said, err := os.ReadFile(s.log)
		if err == nil && !strings.Contains(string(said), "see that this machine reaches the certificate authority") {
			err = errors.New("it says nothing")
		}
		return err
	})
	if _, err := s.certificate(tlsName); err == nil {
		t.Error("there is a certificate")
	}
	authority.Up()
	s.certified(90 * time.Second) // it is tried again after a minute
}

// Two that start at once order once. One that is killed in the middle of an
// order is not waited for.
func TestFaultTLS_OneOrders(t *testing.T) {
	chaos(t)
	https, plain := freeAddress(t), freeAddress(t)
	authority := acmetest.Start(t, acmetest.Options{HTTPPort: portOf(t, plain), TLSPort: portOf(t, https), Down: true})
	database := dbtest.URL(t)
	key := filepath.Join(t.TempDir(), "secret.key")
	killed := newSecured(t, database, freeAddress(t), freeAddress(t), authority, "--secret-key-file", key)
	killed.start()
	waitFor(t, patience, "an order to begin", func() error {
		said, err := os.ReadFile(killed.log)
		if err == nil && !strings.Contains(string(said), "there is no certificate yet") {
			err = errors.New("there is none")
		}
		return err
	})
	killed.kill()
	authority.Up()
	a := newSecured(t, database, https, plain, authority, "--secret-key-file", key)
	b := newSecured(t, database, freeAddress(t), freeAddress(t), authority, "--secret-key-file", key)
	began := time.Now()
	a.start()
	b.start()
	serial := a.certified(40 * time.Second)
	t.Logf("there was a certificate %s after the start", time.Since(began).Round(time.Millisecond))
	if got := b.certified(patience); got != serial {
		t.Errorf("they show %s and %s", serial, got)
	}
	if n := authority.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
}
