// Package webhook posts webhooks to one address, signed as the Standard Webhooks
// specification has it (github.com/standard-webhooks/standard-webhooks, version 1).
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"furrow/ledger/notice"
)

const (
	timeout   = 10 * time.Second
	maxAnswer = 4 << 10 // bytes that are read of an answer, which says nothing of interest
	minSecret = 24      // bytes, as the specification asks for
	maxSecret = 64
)

// Config is what a [Sender] needs.
type Config struct {
	// URL is where to post: https, or a program on this machine. It is the
	// operator's word, so that it may lie in a private network.
	URL string
	// Secret that the receiver has as well: "whsec_" and 24 to 64 bytes in base64.
	Secret string
	// Version of the program, for the User-Agent.
	Version string
}

// Sender posts webhooks.
type Sender struct {
	url    string
	secret []byte
	agent  string
	client *http.Client
	now    func() time.Time
}

// New returns a sender, or says what is wrong with cfg.
func New(cfg Config) (*Sender, error) {
	target, err := url.Parse(cfg.URL)
	if err != nil || target.Host == "" || target.User != nil || (target.Scheme != "https" && (target.Scheme != "http" || !isLoopback(target.Hostname()))) {
		return nil, errors.New("the address of the webhook is not of the form https://hooks.example.com/path")
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(cfg.Secret, "whsec_"))
	if err != nil || len(secret) < minSecret || len(secret) > maxSecret {
		return nil, errors.New("the secret of the webhook is not whsec_ and 24 to 64 bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	return &Sender{
		url: target.String(), secret: secret, agent: "Furrow/" + cfg.Version, now: time.Now,
		client: &http.Client{
			Timeout: timeout,
			// Where the operator's address leads to is not the operator's word.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Post implements the queue's Poster. Whatever is not a success may be tried
// again. The error does not name the address, which may be a secret itself.
func (s *Sender) Post(ctx context.Context, webhook notice.Webhook) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(webhook.Body))
	if err != nil {
		return fmt.Errorf("post the webhook: %w", withoutURL(err))
	}
	at := strconv.FormatInt(s.now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", s.agent)
	request.Header.Set("Webhook-Id", webhook.MessageID)
	request.Header.Set("Webhook-Timestamp", at)
	request.Header.Set("Webhook-Signature", "v1,"+s.sign(webhook.MessageID+"."+at+"."+webhook.Body))
	answer, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("post the webhook: %w", withoutURL(err))
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // so that the connection may be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("post the webhook: the answer is %d", answer.StatusCode)
	}
	return nil
}

func (s *Sender) sign(text string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
