package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"furrow/db/dbtest"
	"furrow/db/localpg/testpg"
	"furrow/ledger/notice"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hook is a receiver of webhooks that takes only those that are signed. It
// returns the flags that lead to it.
func hook(t *testing.T, status int) (flags []string, bodies <-chan []byte) {
	t.Helper()
	verifier, err := standard.NewWebhook(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan []byte, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		if err != nil {
			t.Errorf("a webhook that is not signed: %v", err)
		}
		w.WriteHeader(status)
		arrived <- body
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(hookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--alert-webhook", server.URL, "--alert-webhook-secret-file", file}, arrived
}

// TestServeAlerts: the program tells of its own disk, measured for real.
func TestServeAlerts(t *testing.T) {
	t.Parallel()
	flags, bodies := hook(t, http.StatusOK)
	dir := testpg.DataDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", dir, "--database-url", dbtest.URL(t), "--alert-disk-free", "100%", "--public-url", "https://furrow.example/"}, flags...)
	go func() {
		ended <- run(ctx, args, func(string) string { return "" }, strings.NewReader(""), io.Discard, io.Discard)
	}()
	select {
	case body := <-bodies:
		var got struct {
			Type string
			Data struct{ Key, Sentence, URL string }
		}
		if err := json.Unmarshal(body, &got); err != nil || got.Type != "alert.opened" || !strings.HasPrefix(got.Data.Key, "disk:") || !strings.Contains(got.Data.Sentence, dir) || got.Data.URL != "https://furrow.example/admin/alerts" {
			t.Errorf("posted %s (%v)", body, err)
		}
	case err := <-ended:
		t.Fatalf("it ended: %v", err)
	case <-time.After(time.Minute):
		t.Error("no alert")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// inbox takes mail for all but nobody@.
type inbox struct{ arrived chan string }

func (b inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return b, nil }
func (inbox) Reset()                                        {}
func (inbox) Logout() error                                 { return nil }
func (inbox) Mail(string, *smtp.MailOptions) error          { return nil }
func (inbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, Message: "no such user here"}
	}
	return nil
}

func (b inbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	b.arrived <- string(text)
	return err
}

// TestTestAlert: a test goes through all channels, and each says what came of it.
func TestTestAlert(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in := inbox{make(chan string, 10)}
	server := smtp.NewServer(in)
	server.Domain = "localhost"
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	test := func(flags ...string) (string, error) {
		var stdout bytes.Buffer
		err := run(t.Context(), append([]string{"admin", "test-alert"}, flags...), func(string) string { return "" }, strings.NewReader(""), &stdout, io.Discard)
		return stdout.String(), err
	}
	mail := []string{"--smtp-url", "smtp://" + listener.Addr().String(), "--mail-from", "furrow@example.com", "--alert-mail"}

	good, bodies := hook(t, http.StatusAccepted)
	out, err := test(append(append(mail, "ops@example.com"), good...)...)
	if err != nil || out != "Mail to ops@example.com: sent.\nWebhook: sent.\n" {
		t.Errorf("%q, %v", out, err)
	}
	if text := <-in.arrived; !strings.Contains(text, "This is a test of the alerts.") {
		t.Errorf("mailed %s", text)
	}
	if body := <-bodies; !strings.Contains(string(body), `"key":"test"`) {
		t.Errorf("posted %s", body)
	}

	bad, _ := hook(t, http.StatusTeapot)
	out, err = test(append(append(mail, "nobody@example.com,ops@example.com"), bad...)...)
	if err == nil || !strings.Contains(out, "no such user here") || !strings.Contains(out, "Mail to ops@example.com: sent.") || !strings.Contains(out, "the answer is 418") {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := test(); err == nil || !strings.Contains(err.Error(), "nobody to tell") || out != "" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestDiskLimit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]notice.DiskLimit{
		"10%,1GiB": {Percent: 10, Bytes: 1 << 30}, "5%": {Percent: 5}, "512MiB": {Bytes: 512 << 20}, "2GiB, 1%": {Percent: 1, Bytes: 2 << 30}, "0%": {},
	} {
		if got, err := parseDiskLimit(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "10", "10 %", "101%", "-1%", "1GB", "GiB", "1.5GiB", "99999999999GiB", "10%,"} {
		if got, err := parseDiskLimit(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
	limit := notice.DiskLimit{Percent: 10, Bytes: 1 << 30}
	for _, tt := range []struct {
		free, total uint64
		low         bool
	}{{3 << 30, 20 << 30, false}, {1 << 30, 20 << 30, true}, {1<<30 - 1, 5 << 30, true}, {1 << 30, 5 << 30, false}} {
		if got := limit.Low(tt.free, tt.total); got != tt.low {
			t.Errorf("%d of %d: low is %t", tt.free, tt.total, got)
		}
	}
}
