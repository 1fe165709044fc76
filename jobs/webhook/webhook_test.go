package webhook

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"furrow/ledger/notice"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func newSender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(Config{URL: url, Secret: secret, Version: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func webhook() notice.Webhook {
	return notice.Webhook{ID: 7, MessageID: "msg-7", Body: `{"type":"alert.opened","data":{"sentence":"Žluťoučký"}}`, Attempt: 1}
}

// TestSign: the example of the specification is signed as there.
func TestSign(t *testing.T) {
	t.Parallel()
	got := newSender(t, "https://hooks.example.com").sign(`msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}`)
	if want := "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestPost: what arrives passes the check of the specification's own library, and
// does not once anything of it is changed.
func TestPost(t *testing.T) {
	t.Parallel()
	verifier, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *http.Request, 1)
	bodies := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r
		bodies <- body
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	if err := newSender(t, server.URL+"/hook").Post(t.Context(), webhook()); err != nil {
		t.Fatal(err)
	}
	r, body := <-got, <-bodies
	if r.Method != http.MethodPost || r.URL.Path != "/hook" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "Furrow/1.2" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	if string(body) != webhook().Body {
		t.Errorf("body %s", body)
	}
	if err := verifier.Verify(body, r.Header); err != nil {
		t.Errorf("not verified: %v", err)
	}
	if verifier.Verify(append(body, ' '), r.Header) == nil {
		t.Error("another body is verified")
	}
	for _, header := range []string{standard.HeaderWebhookID, standard.HeaderWebhookTimestamp} {
		changed := r.Header.Clone()
		changed.Set(header, changed.Get(header)+"1")
		if verifier.Verify(body, changed) == nil {
			t.Errorf("another %s is verified", header)
		}
	}
}

// TestPostFails: whatever is not a success is an error, which does not tell the
// address. Nobody is followed anywhere, waited for, or read to the end.
func TestPostFails(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody was followed") }))
	defer elsewhere.Close()
	ended := make(chan struct{})
	for name, answer := range map[string]http.HandlerFunc{
		"an error":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"not found": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"a broken line": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then it is seen that the client goes away
			<-r.Context().Done()
		},
		"an endless error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway); flood(w, ended) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			s := newSender(t, server.URL+"/canary")
			s.client.Timeout = 500 * time.Millisecond
			err := s.Post(t.Context(), webhook())
			if err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("the error is %v", err)
			}
		})
	}
	<-ended
	down := httptest.NewServer(nil)
	down.Close()
	if err := newSender(t, down.URL+"/canary").Post(t.Context(), webhook()); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error is %v", err)
	}
}

// flood writes until nobody reads any more.
func flood(w http.ResponseWriter, ended chan<- struct{}) {
	defer close(ended)
	for chunk := make([]byte, 64<<10); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url, secret string
		ok          bool
	}{
		{"https://hooks.example.com/x?token=1", secret, true},
		{"https://10.0.0.7:8443/", secret, true}, // it is the operator's
		{"http://127.0.0.1:9000/", secret, true},
		{"http://[::1]/", secret, true},
		{"http://localhost/", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true},
		{"http://hooks.example.com/", secret, false},
		{"http://localhost.example.com/", secret, false},
		{"ftp://localhost/", secret, false},
		{"https:///path", secret, false},
		{"https://user:pass@hooks.example.com/", secret, false},
		{"", secret, false},
		{"https://hooks.example.com/", "", false},
		{"https://hooks.example.com/", "whsec_short", false},
		{"https://hooks.example.com/", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), false},
		{"https://hooks.example.com/", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)), false},
		{"https://hooks.example.com/", "not base64 at all, and long enough", false},
	} {
		if _, err := New(Config{URL: tt.url, Secret: tt.secret}); (err == nil) != tt.ok {
			t.Errorf("%s with %s: %v", tt.url, tt.secret, err)
		} else if err != nil && tt.secret != "" && strings.Contains(err.Error(), tt.secret) {
			t.Errorf("the secret is told: %v", err)
		}
	}
}
