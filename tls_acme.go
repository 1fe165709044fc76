package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"furrow/db"
	"furrow/planner"
)

// orderedCertificates are those that certmagic orders and renews. It was chosen
// before autocert because it says why an order failed, tries again in growing
// steps below the limits of the authority, and lets one process order for all.
type orderedCertificates struct {
	domains []string
	config  *certmagic.Config
	issuer  *certmagic.ACMEIssuer
	cache   *certmagic.Cache
	storage *tlsStorage
}

// newOrderedCertificates prepares the certificates of the flags. secure and
// plain are where the authority asks; plain is nil if nobody listens there.
func (c *tlsFlags) newOrderedCertificates(secure, plain net.Listener, store *db.Store, log *slog.Logger) (*orderedCertificates, error) {
	roots, err := c.acmeRoots()
	if err != nil {
		return nil, err
	}
	o := &orderedCertificates{domains: c.TLSDomains, storage: &tlsStorage{store.TLSCache(), log}}
	logger := zap.New(zapToSlog{log: log})
	o.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return o.config, nil },
		Logger:           logger,
	})
	o.config = certmagic.New(o.cache, certmagic.Config{
		Storage: o.storage,
		OnEvent: func(_ context.Context, event string, data map[string]any) error {
			tellCertificate(log, event, data)
			return nil
		},
		OCSP:   certmagic.OCSPConfig{DisableStapling: true}, // short-lived certificates have taken its place
		Logger: logger,
	})
	template := certmagic.ACMEIssuer{
		CA: c.ACMEURL, Email: c.TLSEmail, Agreed: true, TrustedRoots: roots,
		Logger:               zap.New(zapToSlog{log: log, quiet: true}),
		DisableHTTPChallenge: plain == nil,
	}
	// Where we listen, so that it does not open listeners of its own beside ours.
	host, port := portOf(secure)
	template.ListenHost, template.AltTLSALPNPort = host, port
	if plain != nil {
		_, template.AltHTTPPort = portOf(plain)
	}
	o.issuer = certmagic.NewACMEIssuer(o.config, template)
	o.config.Issuers = []certmagic.Issuer{o.issuer}
	return o, nil
}

func portOf(listener net.Listener) (host string, port int) {
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return "", 0
	}
	if !address.IP.IsUnspecified() {
		host = address.IP.String()
	}
	return host, address.Port
}

// tlsConfig serves the names of the list; a handshake for another one fails.
func (o *orderedCertificates) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: o.config.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1", "acme-tls/1"},
	}
}

// start loads what is stored and begins to order what is missing. It does not
// wait: a name without a certificate keeps none of the others waiting.
func (o *orderedCertificates) start(ctx context.Context) {
	// Only a synchronous call has something to return.
	_ = o.config.ManageAsync(ctx, o.domains)
}

// close ends the renewals, and lets another process order what is under way.
func (o *orderedCertificates) close(ctx context.Context) error {
	o.cache.Stop()
	return o.storage.UnlockAll(ctx)
}

// tellCertificate logs what became of an order, in words.
func tellCertificate(log *slog.Logger, event string, data map[string]any) {
	name, _ := data["identifier"].(string)
	switch event {
	case "cert_obtained":
		log.Info("a new certificate is here", "name", name)
	case "cert_failed":
		err, _ := data["error"].(error)
		attrs := []any{"name", name, "do", orderAdvice(err), "error", err}
		if left, renewal := data["remaining"].(time.Duration); renewal {
			log.Warn("the certificate could not be renewed yet; it is tried again by itself", append(attrs, "expires_in", left.Round(time.Minute))...)
			return
		}
		log.Warn("there is no certificate yet; it is tried again by itself", attrs...)
	}
}

// orderAdvice says what to do about an order that failed. The kinds of problems
// are those of RFC 8555, section 6.7.
func orderAdvice(err error) string {
	var problem acme.Problem
	if !errors.As(err, &problem) {
		return "see that this machine reaches the certificate authority"
	}
	switch strings.TrimPrefix(problem.Type, "urn:ietf:params:acme:error:") {
	case "rateLimited":
		return "wait: the certificate authority has had too many orders for this name; restarting makes it worse"
	case "dns":
		return "let the name lead to this machine: its A or AAAA record is missing or wrong"
	case "connection", "tls", "unauthorized", "incorrectResponse":
		return "let the name lead to this machine alone, by its A and AAAA records, and ports 80 and 443 through to it"
	case "caa":
		return "change the CAA record of the domain, which forbids this certificate authority"
	case "rejectedIdentifier":
		return "choose another name: the certificate authority certifies no such names"
	default:
		return "see what the certificate authority says"
	}
}

// tlsStorage is where certmagic keeps everything: the cache in the database.
type tlsStorage struct {
	*db.TLSCache
	log *slog.Logger
}

// Load returns a value. One that another secret key sealed is lost, and as if it
// were not there: it is ordered again.
func (s *tlsStorage) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := s.load(ctx, key)
	return value, err
}

func (s *tlsStorage) load(ctx context.Context, key string) ([]byte, time.Time, error) {
	value, modified, err := s.TLSCache.Load(ctx, key)
	if errors.Is(err, db.ErrWrongKey) {
		s.log.Warn("what is stored for TLS does not open with this secret key; a new one takes its place", "key", key)
		err = planner.ErrNotFound
	}
	if errors.Is(err, planner.ErrNotFound) {
		err = fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return value, modified, err
}

// Exists reports whether there is a value at a key, or something below it.
func (s *tlsStorage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// Stat describes a key.
func (s *tlsStorage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, modified, err := s.load(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: modified, Size: int64(len(value)), IsTerminal: true}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return certmagic.KeyInfo{}, err
	}
	if _, err := s.List(ctx, key, false); err != nil {
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: key}, nil
}

// List returns the keys below a path: all, or those one step below it.
func (s *tlsStorage) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	keys, err := s.Keys(ctx, path)
	if err == nil && len(keys) == 0 {
		err = fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if err != nil || recursive {
		return keys, err
	}
	var below []string
	for _, key := range keys { // sorted, so that what is below the same step is side by side
		step, _, _ := strings.Cut(strings.TrimPrefix(key, path+"/"), "/")
		if step = path + "/" + step; len(below) == 0 || below[len(below)-1] != step {
			below = append(below, step)
		}
	}
	return below, nil
}

// zapToSlog is a logger for certmagic. What it counts as an error is for whoever
// runs the program, but for the course of an order, of which [tellCertificate]
// has the outcome; that, and the rest, is for debugging.
type zapToSlog struct {
	log   *slog.Logger
	quiet bool // all is for debugging
}

func (z zapToSlog) levelOf(entry zapcore.Entry) slog.Level {
	part, _, _ := strings.Cut(entry.LoggerName, ".")
	if z.quiet || entry.Level < zapcore.ErrorLevel || part == "obtain" || part == "renew" {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// Enabled implements [zapcore.Core], as do the others.
func (z zapToSlog) Enabled(level zapcore.Level) bool {
	return level >= zapcore.ErrorLevel || z.log.Enabled(context.Background(), slog.LevelDebug)
}

func (z zapToSlog) With(fields []zapcore.Field) zapcore.Core {
	return zapToSlog{slog.New(z.log.Handler().WithAttrs(attrsOf(fields))), z.quiet}
}

func (z zapToSlog) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if z.log.Enabled(context.Background(), z.levelOf(entry)) {
		return checked.AddCore(entry, z)
	}
	return checked
}

func (z zapToSlog) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	z.log.LogAttrs(context.Background(), z.levelOf(entry), "tls: "+entry.Message, attrsOf(fields)...)
	return nil
}

func (zapToSlog) Sync() error { return nil }

func attrsOf(fields []zapcore.Field) []slog.Attr {
	object := zapcore.NewMapObjectEncoder()
	attrs := make([]slog.Attr, 0, len(fields))
	for _, field := range fields {
		field.AddTo(object)
	}
	for name, value := range object.Fields {
		attrs = append(attrs, slog.Any(name, value))
	}
	return attrs
}
