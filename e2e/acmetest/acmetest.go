// Package acmetest runs a certificate authority for tests: Let's Encrypt's
// pebble, in the test's own process. It asks names back as a real one does, by
// HTTP and by TLS; a resolver of its own leads all names below .test to this
// machine, and no others anywhere.
package acmetest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pebbleca "github.com/letsencrypt/pebble/v2/ca"
	pebbledb "github.com/letsencrypt/pebble/v2/db"
	pebbleva "github.com/letsencrypt/pebble/v2/va"
	pebblewfe "github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Authority is a certificate authority.
type Authority struct {
	URL    string         // of its directory
	CAFile string         // what it proves itself with to those who order
	Roots  *x509.CertPool // what its certificates end in

	orders atomic.Int64
	down   atomic.Bool
}

// Options are what an authority does.
type Options struct {
	HTTPPort, TLSPort int           // where it asks back; 0: nowhere that answers
	Validity          time.Duration // of its certificates; 0: 90 days
	Down              bool          // until Up
}

// Start runs an authority until the test ends.
func Start(tb testing.TB, o Options) *Authority {
	tb.Helper()
	if err := os.Setenv("PEBBLE_VA_NOSLEEP", "1"); err != nil { // it waits for seconds otherwise
		tb.Fatal(err)
	}
	if o.Validity == 0 {
		o.Validity = 90 * 24 * time.Hour
	}
	quiet := log.New(io.Discard, "", 0)
	store := pebbledb.NewMemoryStore()
	profiles := map[string]pebbleca.Profile{"default": {Description: "of the test", ValidityPeriod: uint64(o.Validity / time.Second)}}
	issuer := pebbleca.New(quiet, store, "", "ecdsa", 0, 1, profiles)
	validator := pebbleva.New(quiet, port(o.HTTPPort), port(o.TLSPort), false, startResolver(tb), store)
	front := pebblewfe.New(quiet, store, validator, issuer, []string{"pebble.test"}, false, false, 0, 0)
	handler := front.Handler()

	a := &Authority{Roots: x509.NewCertPool(), CAFile: filepath.Join(tb.TempDir(), "acme-ca.pem")}
	a.down.Store(o.Down)
	a.Roots.AddCert(issuer.GetRootCert(0).Cert)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.down.Load() {
			panic(http.ErrAbortHandler) // hangs up
		}
		if strings.HasPrefix(r.URL.Path, "/order-plz") {
			w = &orderCounter{w, &a.orders}
		}
		handler.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	tb.Cleanup(server.Close)
	a.URL = server.URL + pebblewfe.DirectoryPath
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(a.CAFile, certificate, 0o600); err != nil {
		tb.Fatal(err)
	}
	return a
}

// orderCounter counts the answers that confirm an order. Some are refused at
// first, as pebble tells one of twenty that its nonce is old.
type orderCounter struct {
	http.ResponseWriter

	orders *atomic.Int64
}

func (c *orderCounter) WriteHeader(status int) {
	if status == http.StatusCreated {
		c.orders.Add(1)
	}
	c.ResponseWriter.WriteHeader(status)
}

// port is one where nobody answers, for 0.
func port(n int) int {
	if n == 0 {
		return 1
	}
	return n
}

// Orders is how many orders were taken, whatever came of them.
func (a *Authority) Orders() int { return int(a.orders.Load()) }

// Up lets an authority that was down answer from now on.
func (a *Authority) Up() { a.down.Store(false) }

// Client returns a client that trusts the authority, and finds every name at
// the address of a TLS server.
func (a *Authority) Client(address string) *http.Client {
	dialer := &net.Dialer{}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: a.Roots},
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true, // each request shakes hands
	}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// startResolver answers for the names below .test, over TCP as pebble asks.
func startResolver(tb testing.TB) (address string) {
	tb.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &dns.Server{Listener: listener, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		answer := new(dns.Msg).SetReply(query)
		question := query.Question[0]
		switch {
		case !strings.HasSuffix(question.Name, ".test."):
			answer.Rcode = dns.RcodeNameError
		case question.Qtype == dns.TypeA:
			answer.Answer = []dns.RR{&dns.A{
				Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET},
				A:   net.IPv4(127, 0, 0, 1),
			}}
		}
		_ = w.WriteMsg(answer) // who asked is gone
	})}
	go func() { _ = server.ActivateAndServe() }() // until it is shut down
	tb.Cleanup(func() { _ = server.Shutdown() })
	return listener.Addr().String()
}
