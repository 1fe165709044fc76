package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"

	"furrow/db"
	"furrow/handlers"
)

// tlsFlags are how serve is reached over https without a proxy before it.
type tlsFlags struct {
	TLSDomains  []string `name:"tls-domain" env:"FURROW_TLS_DOMAIN" placeholder:"NAME,…" help:"Public names to serve over https. Their certificates are ordered and renewed by itself; with it you agree to the terms of the certificate authority."`
	TLSEmail    string   `name:"tls-email" env:"FURROW_TLS_EMAIL" placeholder:"ADDRESS" help:"Where the certificate authority writes to about them. Default: nowhere."`
	ACMEURL     string   `name:"acme-url" env:"FURROW_ACME_URL" placeholder:"URL" help:"Directory of the certificate authority, https or loopback. Default: that of Let's Encrypt."`
	ACMECAFile  string   `name:"acme-ca-file" env:"FURROW_ACME_CA_FILE" placeholder:"FILE" help:"Certificates (PEM) by which the certificate authority itself is trusted, for a private one. Default: those of the system."`
	TLSCertFile string   `name:"tls-cert-file" env:"FURROW_TLS_CERT_FILE" placeholder:"FILE" help:"Certificate of your own (PEM, with its chain) to serve https with. It is read again when the file changes."`
	TLSKeyFile  string   `name:"tls-key-file" env:"FURROW_TLS_KEY_FILE" placeholder:"FILE" help:"Private key (PEM) of that certificate."`
	HTTPListen  string   `name:"http-listen" env:"FURROW_HTTP_LISTEN" placeholder:"ADDRESS" help:"Address for plain http, host:port, where the certificate authority asks and all others are led to https; off: none. Default: :80 with --tls-domain."`
}

// noHTTP is the value of --http-listen for none.
const noHTTP = "off"

func (c *tlsFlags) acme() bool { return len(c.TLSDomains) > 0 }

// used reports whether pages are served over https.
func (c *tlsFlags) used() bool { return c.acme() || c.TLSCertFile != "" || c.TLSKeyFile != "" }

// check reads the values, fills in defaults, and reports all bad ones. A role
// that serves no pages needs no certificate.
func (c *tlsFlags) check(role handlers.Role) (errs []error) {
	if role == handlers.RoleWorker {
		*c = tlsFlags{}
	}
	for i, name := range c.TLSDomains {
		c.TLSDomains[i] = strings.ToLower(strings.TrimSpace(name))
		if !validDomain(c.TLSDomains[i]) {
			errs = append(errs, fmt.Errorf("--tls-domain %q is not a name such as plan.example.com", name))
		}
	}
	if c.acme() && (c.TLSCertFile != "" || c.TLSKeyFile != "") {
		errs = append(errs, errors.New("--tls-domain orders certificates and --tls-cert-file brings one along: set one of them"))
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		errs = append(errs, errors.New("--tls-cert-file and --tls-key-file belong together: set both or none"))
	}
	if !c.acme() && (c.TLSEmail != "" || c.ACMEURL != "" || c.ACMECAFile != "") {
		errs = append(errs, errors.New("--tls-email, --acme-url and --acme-ca-file need --tls-domain"))
	}
	if c.TLSEmail != "" && !handlers.ValidEmail(c.TLSEmail) {
		errs = append(errs, fmt.Errorf("--tls-email %q is not an e-mail address", c.TLSEmail))
	}
	if c.ACMEURL != "" && !trustworthy(c.ACMEURL) {
		errs = append(errs, fmt.Errorf("--acme-url %q is not an https address, nor one on this machine", c.ACMEURL))
	}
	if c.HTTPListen == "" && c.acme() {
		c.HTTPListen = ":80"
	}
	if c.HTTPListen == noHTTP {
		c.HTTPListen = ""
	}
	if c.HTTPListen != "" {
		if _, _, err := net.SplitHostPort(c.HTTPListen); err != nil {
			errs = append(errs, fmt.Errorf("--http-listen %q is not host:port", c.HTTPListen))
		}
		if !c.used() {
			errs = append(errs, errors.New("--http-listen leads to https: it needs --tls-domain or --tls-cert-file"))
		}
	}
	return errs
}

// validDomain reports whether a certificate for name can be ordered over http:
// no address, no wildcard; other letters than those of ASCII in their xn-- form.
func validDomain(name string) bool {
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	for part := range strings.SplitSeq(name, ".") {
		if !label.MatchString(part) {
			return false
		}
	}
	_, err := netip.ParseAddr(name)
	return err != nil && len(name) <= 253
}

// trustworthy reports whether nobody in between can change what is asked there.
func trustworthy(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

// secured is what serving https needs while it goes on.
type secured struct {
	config *tls.Config
	asked  func(http.Handler) http.Handler // answers the certificate authority on plain http, and leaves the rest
	start  func(context.Context)           // begins to order and renew
	close  func(context.Context) error
}

// secure prepares the certificates for listener. plain is where plain http is
// served beside it; nil: nowhere.
func (c *tlsFlags) secure(listener, plain net.Listener, store *db.Store, log *slog.Logger) (*secured, error) {
	if c.acme() {
		ordered, err := c.newOrderedCertificates(listener, plain, store, log)
		if err != nil {
			return nil, err
		}
		return &secured{ordered.tlsConfig(), ordered.issuer.HTTPChallengeHandler, ordered.start, ordered.close}, nil
	}
	files, err := newCertificateFiles(c.TLSCertFile, c.TLSKeyFile, log)
	if err != nil {
		return nil, err
	}
	return &secured{
		config: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.certificate},
		asked:  func(next http.Handler) http.Handler { return next },
		start:  func(context.Context) {},
		close:  func(context.Context) error { return nil },
	}, nil
}

// acmeRoots are the certificates by which the authority is trusted; nil: those
// of the system.
func (c *tlsFlags) acmeRoots() (*x509.CertPool, error) {
	if c.ACMECAFile == "" {
		return nil, nil // what crypto/tls takes for those
	}
	text, err := os.ReadFile(c.ACMECAFile)
	if err != nil {
		return nil, fmt.Errorf("--acme-ca-file cannot be read from %s: %w", c.ACMECAFile, errors.Unwrap(err))
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--acme-ca-file %s holds no certificate in PEM form", c.ACMECAFile)
	}
	return roots, nil
}

// server is one that listens.
type server struct {
	*http.Server

	listener net.Listener
}

// servers are those of the pages, first, and of plain http beside them.
func (p *program) servers(served served, listener, plain net.Listener, log *slog.Logger) []server {
	pages := server{handlers.NewServer(p.handler, log), listener}
	if p.https == nil {
		return []server{pages}
	}
	pages.TLSConfig = p.https.config
	if plain == nil {
		return []server{pages}
	}
	return []server{pages, {handlers.NewServer(p.https.asked(leadToHTTPS(served.publicURL, p.handler)), log), plain}}
}

// serve serves until it is shut down.
func (s server) serve() error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(s.listener, "", "") // with HTTP/2
	} else {
		err = s.Serve(s.listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func (s server) address() string {
	if s.TLSConfig != nil {
		return "https://" + s.listener.Addr().String()
	}
	return "http://" + s.listener.Addr().String()
}

// shutdown lets all servers end what is under way, side by side.
func shutdown(ctx context.Context, servers []server) error {
	ended := make(chan error, len(servers))
	for _, s := range servers {
		go func() { ended <- s.Shutdown(ctx) }()
	}
	var errs []error
	for range servers {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// listen opens an address that a flag names.
func listen(ctx context.Context, address, flag string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("cannot serve on %s: only root may use ports below 1024, or a program with CAP_NET_BIND_SERVICE "+
			"(in a unit of systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE); or choose another address with %s", address, flag)
	case err != nil:
		return nil, fmt.Errorf("cannot serve on %s: %w; choose another address with %s", address, errors.Unwrap(err), flag)
	}
	return listener, nil
}

// leadToHTTPS answers on plain http: health, for probes of this machine and its
// balancers, is told as it is. Readers are led to the public address, whatever
// name they came by. What carries something is refused, as it was readable on
// its way and should not seem to have arrived.
func leadToHTTPS(public *url.URL, site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/healthz" || r.URL.Path == "/readyz":
			site.ServeHTTP(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			to := url.URL{Scheme: public.Scheme, Host: public.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
			http.Redirect(w, r, to.String(), http.StatusPermanentRedirect)
		default:
			w.Header().Set("Connection", "close")
			http.Error(w, "Nothing is taken over plain http, where anybody can read it. Use "+public.String(), http.StatusForbidden)
		}
	})
}
