// Package harvest is the adapter to Harvest's API v2: it owns addresses,
// headers, deadlines, wire formats, paging and the question what a failed call
// proves. It speaks the types of packages planner and ledger and leaves every
// decision about what to send, to look up or to repeat to its callers.
//
// Facts about the API are cited as sections of harvest-api.md, or by the page
// below https://help.getharvest.com/api-v2/ that states them.
package harvest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"furrow/ledger"
)

// The addresses of the real Harvest (harvest-api.md, section 1).
const (
	DefaultBaseURL = "https://api.harvestapp.com"
	DefaultIDURL   = "https://id.getharvest.com"
)

// maxPerPage is the most rows that Harvest puts on a page.
const maxPerPage = 2000

// Config says where Harvest is and how to behave towards it. Zero values stand
// for the defaults named.
type Config struct {
	// BaseURL is the host of the data API, without path or with the path /v2;
	// default DefaultBaseURL. https, or plain http to a loopback address.
	BaseURL string
	// IDURL is the host of Harvest ID; default DefaultIDURL. Same rules.
	IDURL string

	// ClientID and ClientSecret are what Furrow is registered with at Harvest
	// ID, for connecting by OAuth; both empty if it is not. They belong to the
	// operator of this installation.
	ClientID     string
	ClientSecret ledger.Secret

	// UserAgent, Version and Contact make the User-Agent header, which Harvest
	// wants to be of the form "Name (address)" so that it can reach whoever runs
	// the program (introduction/overview/general). UserAgent is the name,
	// default "Furrow"; Version may be empty; Contact is the operator's e-mail
	// or web address.
	UserAgent string
	Version   string
	Contact   string

	// WriteTimeout ends a create, update or delete; default 10 s. Whoever
	// resolves unknown outcomes must wait longer than this after sending.
	WriteTimeout time.Duration
	// ReadTimeout ends one GET, body included; default 30 s.
	ReadTimeout time.Duration
	// PageSize is how many rows a page of a list may hold, from 1 to 2000;
	// default 2000, the most that Harvest gives (introduction/overview/pagination).
	PageSize int

	// RootCAs may vouch for an https address; nil: those that the system trusts.
	RootCAs *x509.CertPool

	Gate     ledger.Gate  // nil admits every call
	Log      *slog.Logger // nil: [slog.Default]
	Observer Observer     // nil: nobody
}

// Observer measures what is asked of Harvest. Its methods are called by many at
// once, and must be quick.
type Observer interface {
	// Call: a request was sent, or could not be. call is its method and path
	// template; class is empty if it did what it should; status is 0 without an answer.
	Call(call string, class ledger.Class, status int, took time.Duration)
	// Wait: the gate kept a call back.
	Wait(why ledger.WaitReason)
}

type noObserver struct{}

func (noObserver) Call(string, ledger.Class, int, time.Duration) {}
func (noObserver) Wait(ledger.WaitReason)                        {}

// Harvest is one Harvest and the connections kept open to it, shared by all
// clients. It is safe for concurrent use.
type Harvest struct {
	base         *url.URL     // scheme and host only
	id           *url.URL     // of Harvest ID; the same
	oauth        *oauthClient // nil: not registered
	userAgent    string
	writeTimeout time.Duration
	readTimeout  time.Duration
	perPage      string
	gate         ledger.Gate
	log          *slog.Logger
	observer     Observer
	http         *http.Client
	idHTTP       *http.Client
}

// New returns the Harvest that cfg names. The error is a sentence for whoever
// wrote the configuration.
func New(cfg Config) (*Harvest, error) {
	base, err := parseBase("Harvest's API", cfg.BaseURL, DefaultBaseURL)
	if err != nil {
		return nil, err
	}
	id, err := parseBase("Harvest ID", cfg.IDURL, DefaultIDURL)
	if err != nil {
		return nil, err
	}
	if (cfg.ClientID == "") != (cfg.ClientSecret == "") {
		return nil, errors.New("the client id and the client secret for Harvest ID are set together or not at all")
	}
	h := &Harvest{
		base:         base,
		id:           id,
		userAgent:    userAgent(cfg),
		writeTimeout: orDefault(cfg.WriteTimeout, 10*time.Second),
		readTimeout:  orDefault(cfg.ReadTimeout, 30*time.Second),
		perPage:      strconv.Itoa(maxPerPage),
		gate:         cfg.Gate,
		log:          cfg.Log,
	}
	if cfg.PageSize > 0 {
		h.perPage = strconv.Itoa(min(cfg.PageSize, maxPerPage))
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.observer = cfg.Observer; h.observer == nil {
		h.observer = noObserver{}
	}
	if cfg.OAuthConfigured() {
		h.oauth = &oauthClient{id: cfg.ClientID, secret: cfg.ClientSecret}
	}
	h.http, h.idHTTP = newHTTPClient(base, cfg.RootCAs), newHTTPClient(id, cfg.RootCAs)
	return h, nil
}

// newHTTPClient returns a client for one host.
func newHTTPClient(base *url.URL, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second, Control: onlyLoopbackOrPublic(isLoopback(base.Hostname()))}
	return &http.Client{
		Transport: &http.Transport{
			// Proxy stays nil: a proxy from the environment would see the token's
			// host and, for a loopback address, everything.
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    3 * time.Second,
			TLSClientConfig:        &tls.Config{RootCAs: roots},
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        60 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		// A followed redirect could turn a POST into a GET and carry the token
		// elsewhere. Harvest's API does not redirect.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes the connections that are idle. Clients stay usable.
func (h *Harvest) Close() {
	h.http.CloseIdleConnections()
	h.idHTTP.CloseIdleConnections()
}

// Priority tells how much of the pace a client leaves to others.
type Priority int

// The priorities.
const (
	Interactive Priority = iota // somebody is waiting: may use all of it
	Background                  // leaves ten calls free for those who wait
)

// backgroundReserve is how many calls background work leaves free.
const backgroundReserve = 10

// Credentials are what a client acts with.
type Credentials struct {
	// Tokens gives the access token of each call; a [ledger.StaticToken] for a
	// personal one. nil is a connection without access.
	Tokens       ledger.TokenSource
	AccountID    int64
	UserID       int64 // Harvest's id of the user, which lists are limited to; 0 while connecting
	ConnectionID int64 // whose share of the gate is used; 0 while connecting: no gate
	// TimestampTimers: the account tracks start and end times, so it is sent those
	// and never hours; others are sent hours and never times (harvest-api.md,
	// section 7.1). Clock is how it writes times, "12h" or "24h".
	TimestampTimers bool
	Clock           string
}

// Client is Harvest for one connection. It is cheap to make, and safe for
// concurrent use.
type Client struct {
	h           *Harvest
	credentials Credentials
	reserve     int
}

var _ ledger.Remote = (*Client)(nil)

// Format keeps tokens out of whatever a client is printed into.
func (*Client) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "harvest.Client") }

// Format keeps the client secret out of whatever a Harvest is printed into.
func (*Harvest) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "harvest.Harvest") }

// Client returns a client that acts with c.
func (h *Harvest) Client(c Credentials, p Priority) *Client {
	if c.Tokens == nil {
		c.Tokens = ledger.StaticToken("")
	}
	client := &Client{h: h, credentials: c}
	if p == Background {
		client.reserve = backgroundReserve
	}
	return client
}

// parseBase reads an address that the program will send tokens to. what names
// it in the error.
func parseBase(what, address, fallback string) (*url.URL, error) {
	if address == "" {
		address = fallback
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		// The text of a parse error would repeat the address; so does this, short.
		return nil, fmt.Errorf("the address of %s is not a URL", what)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the address of %s must hold neither a user name nor a query", what)
	}
	// The version belongs to the paths; joined twice it made /v2/v2 elsewhere
	// (harvest-api.md, section 13).
	switch strings.TrimRight(u.Path, "/") {
	case "", "/v2", "/api/v2":
	default:
		return nil, fmt.Errorf("the address of %s must not hold a path", what)
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	default:
		return nil, fmt.Errorf("the address of %s must begin with https://, or name this machine with http://", what)
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

// isLoopback reports whether host names this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

var errAddressRefused = errors.New("address not allowed")

// onlyLoopbackOrPublic looks at the address that a name has resolved to, just
// before it is dialled: a name that points into the private network must not
// make us call it. If loopback is configured, only loopback is dialled.
func onlyLoopbackOrPublic(loopback bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		port, err := netip.ParseAddrPort(address)
		if err != nil {
			return errAddressRefused
		}
		addr := port.Addr().Unmap()
		if loopback && addr.IsLoopback() || !loopback && isPublic(addr) {
			return nil
		}
		return errAddressRefused
	}
}

// isPublic reports whether addr belongs to the public internet.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if nat64 := netip.MustParsePrefix("64:ff9b::/96"); nat64.Contains(addr) {
		b := addr.As16()
		return isPublic(netip.AddrFrom4([4]byte(b[12:])))
	}
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	for _, special := range []string{
		"0.0.0.0/8",                                         // "this" network
		"100.64.0.0/10",                                     // carrier-grade NAT
		"192.0.0.0/24",                                      // protocol assignments
		"198.18.0.0/15",                                     // benchmarks
		"240.0.0.0/4",                                       // reserved
		"64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", // ways to reach any IPv4 address
		"fec0::/10", // site-local of old
	} {
		if netip.MustParsePrefix(special).Contains(addr) {
			return false
		}
	}
	return true
}

// userAgent builds the header from printable ASCII without brackets.
func userAgent(cfg Config) string {
	clean := func(s, fallback string) string {
		s = strings.Map(func(r rune) rune {
			if r <= ' ' || r > '~' || r == '(' || r == ')' {
				return -1
			}
			return r
		}, s)
		if s == "" {
			return fallback
		}
		return s
	}
	agent := clean(cfg.UserAgent, "Furrow")
	if version := clean(cfg.Version, ""); version != "" {
		agent += "/" + version
	}
	return agent + " (" + clean(cfg.Contact, "furrow@localhost") + ")"
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}
