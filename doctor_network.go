package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"furrow/harvest"
)

func networkChecks() []check {
	return []check{
		{"listen", looksAtListen(func(c *doctorConfig) string { return c.Listen }, "--listen")},
		{"plain http", looksAtListen(func(c *doctorConfig) string { return c.HTTPListen }, "--http-listen")},
		{"metrics", looksAtListen(func(c *doctorConfig) string { return c.Metrics }, "--metrics-listen")},
		{"public URL", lookAtPublicURL},
		{"certificate", lookAtCertificate},
		{"Harvest", looksAtHarvest(func(c *doctorConfig) string { return c.HarvestURL }, harvest.DefaultBaseURL)},
		{"Harvest ID", looksAtHarvest(func(c *doctorConfig) string { return c.HarvestIDURL }, harvest.DefaultIDURL)},
		{"mail server", lookAtMail},
	}
}

// dialTime bounds each connection.
const dialTime = 5 * time.Second

// looksAtListen checks an address that serve listens on: it is free, or furrow
// answers there.
func looksAtListen(address func(*doctorConfig) string, flag string) func(context.Context, *doctor) finding {
	return func(ctx context.Context, d *doctor) finding {
		address := address(d.c)
		if !d.valid || address == "" {
			return finding{}
		}
		return lookAtAddress(ctx, address, flag)
	}
}

func lookAtAddress(ctx context.Context, address, flag string) finding {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		listener.Close()
		return finding{State: fine, Found: address + " is free"}
	case errors.Is(err, syscall.EADDRINUSE) && furrowAnswers(ctx, address):
		return finding{State: fine, Found: "furrow serves on " + address}
	case errors.Is(err, syscall.EADDRINUSE):
		return finding{State: problem, Found: "another program has " + address, Do: "stop it (ss -ltnp shows it), or choose another address with " + flag}
	case errors.Is(err, syscall.EACCES):
		return finding{State: problem, Found: "this user may not serve on " + address, Do: "give it CAP_NET_BIND_SERVICE (AmbientCapabilities= in a unit of systemd), or choose another address with " + flag}
	default:
		return finding{State: problem, Found: oneLine(err), Do: "choose an address of this machine with " + flag}
	}
}

// furrowAnswers asks for the health of what listens on an address, by http or
// https: there, certificates are for public names.
func furrowAnswers(ctx context.Context, address string) bool {
	client := http.Client{
		Timeout: dialTime,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // who it is does not matter, and nothing is told
			DisableKeepAlives: true,
		},
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return slices.ContainsFunc([]string{"http://", "https://"}, func(scheme string) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(host, port)+"/healthz", nil)
		if err != nil {
			return false
		}
		response, err := client.Do(request)
		if err != nil {
			// One that orders its certificates knows us by none of its names.
			return turnedAway(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, 10))
		return err == nil && string(text) == "ok\n"
	})
}

// turnedAway reports whether the other side of a TLS handshake ended it, as one
// does that has no certificate for the name.
func turnedAway(err error) bool {
	var failed *net.OpError
	return errors.As(err, &failed) && failed.Op == "remote error"
}

// lookAtPublicURL: behind a proxy or a router, the name leads elsewhere, and
// rightly so.
func lookAtPublicURL(ctx context.Context, d *doctor) finding {
	if !d.valid {
		return finding{}
	}
	host := d.served.publicURL.Hostname()
	if host == "" {
		return finding{State: fine, Found: "this machine alone"}
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return finding{State: warning, Found: oneLine(err), Do: "give " + host + " an A or AAAA record, or correct --public-url"}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return finding{State: warning, Found: oneLine(err)}
	}
	for _, address := range found {
		if address.IsLoopback() || slices.ContainsFunc(own, func(a net.Addr) bool {
			prefix, err := netip.ParsePrefix(a.String())
			return err == nil && prefix.Addr() == address.Unmap()
		}) {
			return finding{State: fine, Found: fmt.Sprintf("%s leads to this machine (%s)", d.served.publicURL, address.Unmap())}
		}
	}
	return finding{
		State: warning, Found: fmt.Sprintf("%s leads to %s, which is no address of this machine", d.served.publicURL, found[0].Unmap()),
		Do: "nothing if that is your proxy, balancer or router; else correct the name's A and AAAA records",
	}
}

// Times before the end of a certificate. Those that are renewed by themselves are
// so long before.
const (
	soonOver   = 14 * 24 * time.Hour
	soonOverBy = 5 // a part of its whole time, for those that are short
)

// lookAtCertificate looks at what browsers are shown, or at the files that they
// would be shown.
func lookAtCertificate(ctx context.Context, d *doctor) finding {
	if !d.valid || d.served.publicURL.Scheme != "https" {
		return finding{}
	}
	host := d.served.publicURL.Hostname()
	if d.c.TLSCertFile != "" {
		pair, err := tls.LoadX509KeyPair(d.c.TLSCertFile, d.c.TLSKeyFile)
		if err != nil {
			return finding{State: problem, Found: oneLine(err), Do: "correct --tls-cert-file and --tls-key-file"}
		}
		return judgeCertificate(pair.Leaf, host, d.now)
	}
	address := d.served.publicURL.Host
	if d.c.acme() {
		address = d.c.Listen
	} else if d.served.publicURL.Port() == "" {
		address = net.JoinHostPort(host, "443")
	}
	return shownCertificate(ctx, address, host, d)
}

func shownCertificate(ctx context.Context, address, host string, d *doctor) finding {
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: dialTime},
		Config:    &tls.Config{ServerName: host, InsecureSkipVerify: true}, // what is wrong with it is found below
	}
	if strings.HasPrefix(address, ":") {
		address = "localhost" + address
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	switch {
	case turnedAway(err):
		return finding{State: problem, Found: "there is none for " + host, Do: "see in the log of furrow serve why none was ordered"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return finding{State: warning, Found: "nobody answers on " + address, Do: "start furrow serve, and what is before it, and run furrow doctor again"}
	case err != nil:
		return finding{State: warning, Found: oneLine(err), Do: "see that " + address + " can be reached"}
	}
	defer conn.Close()
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return finding{}
	}
	chain := secured.ConnectionState().PeerCertificates
	f := judgeCertificate(chain[0], host, d.now)
	if f.State != fine || d.c.ACMECAFile != "" { // a private authority, which this machine need not know
		return f
	}
	others := x509.NewCertPool()
	for _, c := range chain[1:] {
		others.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Intermediates: others, CurrentTime: d.now}); err != nil {
		return finding{State: problem, Found: oneLine(err), Do: "use a certificate that browsers trust, and send its chain along"}
	}
	return f
}

func judgeCertificate(c *x509.Certificate, host string, now time.Time) finding {
	left := c.NotAfter.Sub(now)
	found := fmt.Sprintf("for %s until %s", host, c.NotAfter.UTC().Format("2 January 2006 15:04 MST"))
	const do = "renew it; if furrow orders it, its log says what is in the way"
	switch {
	case c.VerifyHostname(host) != nil:
		return finding{State: problem, Found: fmt.Sprintf("it is not for %s but for %s", host, strings.Join(c.DNSNames, ", ")), Do: "use one that names " + host}
	case left <= 0 || c.NotBefore.After(now):
		return finding{State: problem, Found: found + ", and not now", Do: do}
	case left < min(soonOver, c.NotAfter.Sub(c.NotBefore)/soonOverBy):
		return finding{State: warning, Found: found, Do: do}
	}
	return finding{State: fine, Found: found}
}

// looksAtHarvest asks an address without saying who we are. Any answer shows that
// the way to it is open.
func looksAtHarvest(address func(*doctorConfig) string, standard string) func(context.Context, *doctor) finding {
	return func(ctx context.Context, d *doctor) finding {
		if d.c.Sandbox {
			return finding{}
		}
		return lookAtRemote(ctx, cmp.Or(address(d.c), standard))
	}
}

// lookAtRemote connects as the adapter does: without a proxy, which would see
// every token's traffic.
func lookAtRemote(ctx context.Context, address string) finding {
	client := http.Client{
		Timeout:       2 * dialTime,
		Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, TLSHandshakeTimeout: dialTime, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return finding{State: problem, Found: oneLine(err), Do: "correct the address"}
	}
	response, err := client.Do(request)
	if err == nil {
		response.Body.Close()
		return finding{State: fine, Found: address + " answers"}
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return finding{State: problem, Found: fmt.Sprintf("%s: %s", address, oneLine(err)), Do: remoteAdvice(err)}
}

func remoteAdvice(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		return "let this machine resolve names: see /etc/resolv.conf"
	case errors.As(err, &certificate):
		return "let nothing in between break up TLS, and keep the clock and the ca-certificates of this machine current"
	default:
		return "let this machine connect to it directly: furrow uses no proxy, so that none sees the tokens"
	}
}

func lookAtMail(ctx context.Context, d *doctor) finding {
	if d.served.mail == nil {
		return finding{}
	}
	if err := d.served.mail.Reach(ctx); err != nil {
		return finding{State: problem, Found: oneLine(err), Do: "check --smtp-url, --smtp-password-file, and that this machine may connect there"}
	}
	return finding{State: fine, Found: "it answers, and lets us in"}
}
