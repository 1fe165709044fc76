package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	gomail "github.com/wneessen/go-mail"

	"furrow/ledger/notice"
)

// server is a mail server that keeps what it took. Its members are set before it
// is used.
type server struct {
	atRcpt, atData error // what it answers
	dropAfterData  bool  // it takes the mail, and hangs up before it says so

	mu    sync.Mutex
	users []string
	mails []string
}

func (s *server) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails
}

type session struct {
	*server
	conn *smtp.Conn
}

func (s *server) NewSession(conn *smtp.Conn) (smtp.Session, error) { return &session{s, conn}, nil }

func (*session) Reset()                               {}
func (*session) Logout() error                        { return nil }
func (*session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error {
	return s.atRcpt
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.atData != nil {
		return s.atData
	}
	s.mu.Lock()
	s.mails = append(s.mails, string(text))
	s.mu.Unlock()
	if s.dropAfterData {
		s.conn.Conn().Close()
	}
	return nil
}

func (*session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "secret" {
			return smtp.ErrAuthFailed
		}
		s.mu.Lock()
		s.users = append(s.users, user)
		s.mu.Unlock()
		return nil
	}), nil
}

// start serves on loopback and returns the address; secure may be nil.
func (s *server) start(t *testing.T, secure *tls.Config, fromTheStart bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	backend := smtp.NewServer(s)
	backend.Domain, backend.AllowInsecureAuth, backend.ErrorLog = "localhost", true, quiet{}
	if fromTheStart {
		listener = tls.NewListener(listener, secure)
	} else {
		backend.TLSConfig = secure
	}
	go func() { _ = backend.Serve(listener) }()
	t.Cleanup(func() { backend.Close() })
	return address
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func newSender(t *testing.T, url, password string) *Sender {
	t.Helper()
	sender, err := New(Config{URL: url, Password: password, From: "Furrow <furrow@example.com>"})
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

func letter() notice.Letter {
	return notice.Letter{
		Mail: notice.Mail{To: "ida@example.com", Subject: "Grüße, Ærø", Text: "Zeile eins\n.\nŻółw; a line that is longer than a line of a mail may be, so that it has to be broken somewhere on its way\n"},
		ID:   7, MessageID: "0b1c", Attempt: 2, CreatedAt: time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC),
	}
}

// TestSend: what arrives is what was written, under the id of the letter, and
// says that no person wrote it.
func TestSend(t *testing.T) {
	t.Parallel()
	var s server
	address := s.start(t, nil, false)
	if err := newSender(t, "smtp://"+address, "").Send(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	mails := s.taken()
	if len(mails) != 1 {
		t.Fatalf("%d mails arrived", len(mails))
	}
	got, err := netmail.ReadMessage(strings.NewReader(mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"From": `"Furrow" <furrow@example.com>`, "To": "<ida@example.com>", "Message-Id": "<0b1c@example.com>", "Auto-Submitted": "auto-generated",
		"Content-Type": "text/plain; charset=UTF-8", "Date": "Mon, 23 Nov 2026 20:00:00 +0000",
	} {
		if value := got.Header.Get(header); value != want {
			t.Errorf("%s: %q, want %q", header, value, want)
		}
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject")); err != nil || subject != letter().Subject {
		t.Errorf("Subject: %q, %v", subject, err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if want := strings.ReplaceAll(letter().Text, "\n", "\r\n"); err != nil || strings.TrimRight(string(text), "\r\n")+"\r\n" != want {
		t.Errorf("text %q, want %q (%v)", text, want, err)
	}
}

// TestSecure: away from this machine nothing is said in the clear, and only to
// whom the certificate names.
func TestSecure(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(nil) // a certificate for example.com and loopback
	defer certified.Close()
	serving := &tls.Config{Certificates: certified.TLS.Certificates}
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	for _, tt := range []struct {
		name   string
		host   string // empty: TLS from the start, with loopback
		secure *tls.Config
		roots  *x509.CertPool
		sent   bool
	}{
		{"TLS from the start", "", serving, roots, true},
		{"unknown authority from the start", "", serving, x509.NewCertPool(), false},
		{"STARTTLS", "example.com", serving, roots, true},
		{"STARTTLS is not offered", "example.com", nil, roots, false},
		{"unknown authority", "example.com", serving, x509.NewCertPool(), false},
		{"another name", "mail.example.org", serving, roots, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s server
			address := s.start(t, tt.secure, tt.host == "")
			url := "smtps://furrow@" + address
			if tt.host != "" {
				url = "smtp://furrow@" + tt.host
			}
			sender := newSender(t, url, "secret")
			sender.options = append(sender.options, gomail.WithTLSConfig(&tls.Config{RootCAs: tt.roots, ServerName: sender.host}))
			if tt.host != "" { // there is no such host
				sender.options = append(sender.options, gomail.WithDialContextFunc(func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, address)
				}))
			}
			err := sender.Send(t.Context(), letter())
			if sent := len(s.taken()) == 1; sent != tt.sent || (err == nil) != tt.sent {
				t.Errorf("sent: %t, %v", sent, err)
			}
			if tt.sent != (len(s.users) == 1 && s.users[0] == "furrow") {
				t.Errorf("logged in: %v", s.users)
			}
		})
	}
}

// TestVerdict: only what the server says of this letter for good is final.
func TestVerdict(t *testing.T) {
	t.Parallel()
	answer := func(code int) error { return &smtp.SMTPError{Code: code, Message: "so I say"} }
	for _, tt := range []struct {
		name    string
		server  *server
		refused int // the code of a final refusal
		sent    bool
	}{
		{name: "taken", server: &server{}, sent: true},
		{name: "no such address", server: &server{atRcpt: answer(550)}, refused: 550},
		{name: "another time", server: &server{atRcpt: answer(450)}},
		{name: "not such a text", server: &server{atData: answer(554)}, refused: 554},
		{name: "the disk is full", server: &server{atData: answer(452)}},
		{name: "dropped after DATA", server: &server{dropAfterData: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := tt.server.start(t, nil, false)
			err := newSender(t, "smtp://furrow@"+address, "secret").Send(t.Context(), letter())
			var refused *notice.RefusedError
			switch {
			case tt.sent:
				if err != nil {
					t.Error(err)
				}
			case tt.refused != 0:
				if !errors.As(err, &refused) || refused.Code != tt.refused || !strings.Contains(refused.Text, "so I say") {
					t.Errorf("%v, want to be refused with %d", err, tt.refused)
				}
			case err == nil || errors.As(err, &refused):
				t.Errorf("%v, want an error that is not final", err)
			}
		})
	}
}

// TestUnreachable: a server that is down, does not speak, or does not know us is
// no reason to give a letter up.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	go func() {
		for conn, err := mute.Accept(); err == nil; conn, err = mute.Accept() {
			go func() { _, _ = bufio.NewReader(conn).ReadString('\n') }()
		}
	}()
	var s server
	for _, tt := range []struct{ name, url, password string }{
		{"down", "smtp://" + down.Addr().String(), ""},
		{"mute", "smtp://" + mute.Addr().String(), ""},
		{"wrong password", "smtp://furrow@" + s.start(t, nil, false), "wrong"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sender := newSender(t, tt.url, tt.password)
			sender.options = append(sender.options, gomail.WithTimeout(200*time.Millisecond))
			err := sender.Send(t.Context(), letter())
			var refused *notice.RefusedError
			if err == nil || errors.As(err, &refused) {
				t.Errorf("%v, want an error that is not final", err)
			}
			if err != nil && strings.Contains(err.Error(), "wrong") {
				t.Errorf("the password is told: %v", err)
			}
		})
	}
	if len(s.taken()) != 0 {
		t.Error("a mail was taken")
	}
}

// TestNoHeaders: nobody writes headers through an address or a subject.
func TestNoHeaders(t *testing.T) {
	t.Parallel()
	var s server
	sender := newSender(t, "smtp://"+s.start(t, nil, false), "")
	for _, m := range []notice.Mail{
		{To: "ida@example.com\r\nBcc: eva@example.com", Subject: "Hello"},
		{To: "Ida <ida@example.com>", Subject: "Hello"},
		{To: "ida@example.com, eva@example.com", Subject: "Hello"},
		{To: "ida@example.com", Subject: "Hello\r\nBcc: eva@example.com"},
		{To: "ida@example.com", Subject: "Hello\nthere"},
		{To: "ida@example.com", Subject: ""},
		{To: "ida@example.com", Subject: "Hello", Text: "\xff"},
		{To: "", Subject: "Hello"},
	} {
		l := letter()
		l.Mail = m
		var refused *notice.RefusedError
		if err := sender.Send(t.Context(), l); !errors.As(err, &refused) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	if len(s.taken()) != 0 {
		t.Errorf("sent: %q", s.taken())
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg Config
		ok  bool
	}{
		{Config{URL: "smtps://furrow@mail.example.com", Password: "p", From: "furrow@example.com"}, true},
		{Config{URL: "smtp://mail.example.com:2525", From: "Furrow <furrow@example.com>"}, true},
		{Config{URL: "smtp://[::1]:25", From: "furrow@example.com"}, true},
		{Config{URL: "mail.example.com", From: "furrow@example.com"}, false},
		{Config{URL: "http://mail.example.com", From: "furrow@example.com"}, false},
		{Config{URL: "smtp://mail.example.com/path", From: "furrow@example.com"}, false},
		{Config{URL: "smtp://mail.example.com:0", From: "furrow@example.com"}, false},
		{Config{URL: "smtp://u:p@mail.example.com", From: "furrow@example.com"}, false},
		{Config{URL: "smtp://u@mail.example.com", From: "furrow@example.com"}, false},
		{Config{URL: "smtp://mail.example.com", Password: "p", From: "furrow@example.com"}, false},
		{Config{URL: "smtp://mail.example.com", From: "nobody"}, false},
		{Config{URL: "smtp://mail.example.com"}, false},
	} {
		if _, err := New(tt.cfg); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.cfg, err)
		}
	}
}
