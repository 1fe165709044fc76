package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/e2e/acmetest"
)

func TestTLSFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		c       serveConfig
		wantErr string
		listen  string
		plain   string
		public  string
	}{
		{"none", serveConfig{}, "", "127.0.0.1:8080", "", "http://127.0.0.1:8080"},
		{"a domain", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{" Plan.Example.com", "b.example.com"}}}, "", ":443", ":80", "https://plan.example.com"},
		{"no plain http", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{"plan.example.com"}, HTTPListen: "off"}}, "", ":443", "", "https://plan.example.com"},
		{"behind a forwarded port", serveConfig{Listen: ":8443", PublicURL: "https://plan.example.com:444", tlsFlags: tlsFlags{TLSDomains: []string{"plan.example.com"}}}, "", ":8443", ":80", "https://plan.example.com:444"},
		{"files", serveConfig{PublicURL: "https://plan.example.com", tlsFlags: tlsFlags{TLSCertFile: "c", TLSKeyFile: "k"}}, "", ":443", "", "https://plan.example.com"},
		{"a worker", serveConfig{Role: "worker", tlsFlags: tlsFlags{TLSDomains: []string{"plan.example.com"}, HTTPListen: ":80"}}, "", "127.0.0.1:8080", "", "http://127.0.0.1:8080"},
		{"files without a public URL", serveConfig{tlsFlags: tlsFlags{TLSCertFile: "c", TLSKeyFile: "k"}}, "set --public-url to an https address", "", "", ""},
		{"half of the files", serveConfig{PublicURL: "https://a", tlsFlags: tlsFlags{TLSCertFile: "c"}}, "belong together", "", "", ""},
		{"both ways", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{"a.example.com"}, TLSCertFile: "c", TLSKeyFile: "k"}}, "set one of them", "", "", ""},
		{"plain public URL", serveConfig{PublicURL: "http://a.example.com", tlsFlags: tlsFlags{TLSDomains: []string{"a.example.com"}}}, "set --public-url to an https address", "", "", ""},
		{"a wildcard", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{"*.example.com"}}}, "is not a name such as", "", "", ""},
		{"an address", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{"192.0.2.1"}}}, "is not a name such as", "", "", ""},
		{"a URL", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{"https://a.example.com"}}}, "is not a name such as", "", "", ""},
		{"an authority that anybody can be", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{"a.example.com"}, ACMEURL: "http://acme.example.com/dir"}}, "--acme-url", "", "", ""},
		{"an authority for nothing", serveConfig{tlsFlags: tlsFlags{ACMEURL: "https://acme.example.com/dir"}}, "need --tls-domain", "", "", ""},
		{"no e-mail address", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{"a.example.com"}, TLSEmail: "ida"}}, "--tls-email", "", "", ""},
		{"no address for plain http", serveConfig{tlsFlags: tlsFlags{TLSDomains: []string{"a.example.com"}, HTTPListen: "80"}}, "--http-listen", "", "", ""},
		{"plain http beside itself", serveConfig{tlsFlags: tlsFlags{HTTPListen: ":80"}}, "leads to https", "", "", ""},
		{"the sandbox in public", serveConfig{Role: "all", Sandbox: true, tlsFlags: tlsFlags{TLSDomains: []string{"a.example.com"}}}, "--sandbox", "", "", ""},
	} {
		tt.c.processConfig = processConfig{WebConns: minConns, QueueConns: minConns}
		tt.c.DiskFree = "10%"
		served, err := tt.c.check()
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%s: %v, want one with %q", tt.name, err, tt.wantErr)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if tt.c.Listen != tt.listen || tt.c.HTTPListen != tt.plain || served.publicURL.String() != tt.public {
			t.Errorf("%s: %s, %q, %s; want %s, %q, %s", tt.name, tt.c.Listen, tt.c.HTTPListen, served.publicURL, tt.listen, tt.plain, tt.public)
		}
	}
}

// issued is a certificate of its own for a name, in PEM form.
func issued(t *testing.T, name string, until time.Time) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A certificate of one's own is read again when it changes, and a bad one never
// takes the place of a good one.
func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	certificate, key := issued(t, "first.test", time.Now().Add(time.Hour))
	writeFile(t, certFile, certificate)
	if _, err := newCertificateFiles(certFile, keyFile, log); err == nil || !strings.Contains(err.Error(), keyFile) {
		t.Errorf("without a key: %v", err)
	}
	writeFile(t, keyFile, key)
	files, err := newCertificateFiles(certFile, keyFile, log)
	if err != nil {
		t.Fatal(err)
	}
	shown := func(change time.Time) string {
		t.Helper()
		for _, file := range []string{certFile, keyFile} {
			if err := os.Chtimes(file, change, change); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		files.looked = time.Time{} // long ago
		got, err := files.certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.Subject.CommonName
	}
	now := time.Now()
	if got := shown(now); got != "first.test" {
		t.Errorf("at first: %s", got)
	}
	other, otherKey := issued(t, "second.test", time.Now().Add(time.Hour))
	writeFile(t, certFile, other)
	if got := shown(now.Add(time.Minute)); got != "first.test" || !strings.Contains(said.String(), "is not used") {
		t.Errorf("with the key of another: %s, log: %s", got, &said)
	}
	writeFile(t, keyFile, otherKey)
	if got := shown(now.Add(2 * time.Minute)); got != "second.test" || !strings.Contains(said.String(), "is served now") {
		t.Errorf("replaced: %s, log: %s", got, &said)
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	if got := shown(now.Add(3 * time.Minute)); got != "second.test" {
		t.Errorf("after its file was removed: %s", got)
	}
}

func TestOrderAdvice(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"rateLimited": "wait", "dns": "A or AAAA", "connection": "ports 80 and 443", "unauthorized": "A and AAAA records", "caa": "CAA",
		"rejectedIdentifier": "another name", "serverInternal": "what the certificate authority says",
	} {
		err := fmt.Errorf("order: %w", acme.Problem{Type: "urn:ietf:params:acme:error:" + kind})
		if got := orderAdvice(err); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
	if got := orderAdvice(errors.New("connection refused")); !strings.Contains(got, "reaches the certificate authority") {
		t.Error(got)
	}
}

// keptLog keeps what is logged, for several goroutines.
type keptLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *keptLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *keptLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// orderer serves handshakes with ordered certificates.
type orderer struct {
	*orderedCertificates

	t         *testing.T
	listener  net.Listener
	authority *acmetest.Authority
	log       *keptLog
}

// newOrderer serves handshakes for name. open says whether the authority finds
// what it asks for.
func newOrderer(t *testing.T, store *db.Store, name string, open bool, validity time.Duration) *orderer {
	t.Helper()
	o := &orderer{t: t, log: &keptLog{}}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	options := acmetest.Options{Validity: validity}
	if open {
		options.HTTPPort, options.TLSPort = plain.Addr().(*net.TCPAddr).Port, o.listener.Addr().(*net.TCPAddr).Port
	}
	o.authority = acmetest.Start(t, options)
	flags := tlsFlags{TLSDomains: []string{name}, ACMEURL: o.authority.URL, ACMECAFile: o.authority.CAFile}
	o.orderedCertificates, err = flags.newOrderedCertificates(o.listener, plain, store, slog.New(slog.NewTextHandler(o.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	nothing := http.NotFoundHandler()
	asked := &http.Server{Handler: o.issuer.HTTPChallengeHandler(nothing)}
	pages := &http.Server{Handler: nothing, TLSConfig: o.tlsConfig(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go asked.Serve(plain)
	go pages.ServeTLS(o.listener, "", "")
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		asked.Close()
		pages.Close()
		if err := o.close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	o.start(ctx)
	return o
}

// shows waits until another certificate than the one before is shown. Until
// then, that one is.
func (o *orderer) shows(before string) (serial string) {
	o.t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: o.authority.Roots, ServerName: o.domains[0]}}
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := dialer.DialContext(o.t.Context(), "tcp", o.listener.Addr().String())
		if err == nil {
			serial = conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
			conn.Close()
			if serial != before {
				return serial
			}
		} else if before != "" {
			o.t.Fatalf("there was a certificate, and now: %v", err)
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("no other certificate than %q is shown: %v\n%s", before, err, o.log)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A certificate is renewed while the one before is served. What another secret
// key sealed does not stand in the way.
func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	store, pool := dbtest.Store(t)
	o := newOrderer(t, store, "renewed.test", true, 5*time.Minute) // soon over, as it is looked at every ten minutes
	first := o.shows("")
	if err := o.cache.RenewManagedCertificates(t.Context()); err != nil { // what happens every ten minutes
		t.Fatal(err)
	}
	o.shows(first)
	if said := o.log.String(); strings.Count(said, "a new certificate is here") != 2 || strings.Contains(said, "level=WARN") {
		t.Errorf("the log says: %s", said)
	}

	sealer, err := db.NewSealer(bytes.Repeat([]byte("o"), db.SecretKeySize))
	if err != nil {
		t.Fatal(err)
	}
	other := newOrderer(t, db.NewStore(pool, sealer), "renewed.test", true, time.Hour)
	other.shows("")
}

// An order that fails is told with what to do about it.
func TestCertificateIsRefused(t *testing.T) {
	t.Parallel()
	store, _ := dbtest.Store(t)
	o := newOrderer(t, store, "closed.test", false, time.Hour)
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(o.log.String(), "there is no certificate yet") {
		if time.Now().After(deadline) {
			t.Fatalf("the log says: %s", o.log)
		}
		<-time.After(20 * time.Millisecond)
	}
	if said := o.log.String(); !strings.Contains(said, "name=closed.test") || !strings.Contains(said, "ports 80 and 443") || strings.Count(said, "\n") != 1 {
		t.Errorf("the log says: %s", said)
	}
}
