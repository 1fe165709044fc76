package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookAgain is how often the files of a certificate are looked at, at most.
const lookAgain = time.Second

// certificateFiles is a certificate that somebody else renews in its files.
type certificateFiles struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	served *tls.Certificate
	looked time.Time
	seen   [2]time.Time // when the files were changed, as of the last look
}

func newCertificateFiles(certFile, keyFile string, log *slog.Logger) (*certificateFiles, error) {
	f := &certificateFiles{certFile: certFile, keyFile: keyFile, log: log, looked: time.Now()}
	f.seen = f.changed()
	if err := f.load(); err != nil {
		return nil, err
	}
	return f, nil
}

// certificate returns the certificate for a handshake, as the files hold it now.
// While they hold none that can be used, the last one goes on.
func (f *certificateFiles) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < lookAgain {
		return f.served, nil
	}
	f.looked = time.Now()
	if changed := f.changed(); changed != f.seen {
		f.seen = changed
		if err := f.load(); err != nil {
			f.log.Warn("the changed certificate is not used; the one before is served on", "error", err)
		} else {
			f.log.Info("the changed certificate is served now", "until", f.served.Leaf.NotAfter)
		}
	}
	return f.served, nil
}

// changed is when the files were changed; no time for one that is not there.
func (f *certificateFiles) changed() (at [2]time.Time) {
	for i, file := range []string{f.certFile, f.keyFile} {
		if info, err := os.Stat(file); err == nil {
			at[i] = info.ModTime()
		}
	}
	return at
}

func (f *certificateFiles) load() error {
	var texts [2][]byte
	for i, file := range []string{f.certFile, f.keyFile} {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("the certificate cannot be read from %s: %w", file, errors.Unwrap(err))
		}
		texts[i] = text
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return fmt.Errorf("the certificate in %s and the key in %s cannot be used: %w", f.certFile, f.keyFile, err)
	}
	f.served = &pair
	return nil
}
