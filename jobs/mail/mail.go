// Package mail sends letters by SMTP, over TLS unless the server is on the same
// machine.
package mail

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"furrow/ledger/notice"
)

// timeout ends the connecting, the log-in included, and then the sending: servers
// look at a mail before they say whether they take it.
const timeout = 20 * time.Second

// Config is what a [Sender] needs.
type Config struct {
	// URL names the server: smtps://host is TLS from the start, on port 465;
	// smtp://host becomes TLS by STARTTLS, on port 587, and is not used if that
	// fails, except that a server on this machine is spoken to in the clear. A
	// user in it logs in.
	URL string
	// Password of the user in URL.
	Password string
	// From is whom mails are from: "Furrow <furrow@example.com>", or the address.
	From string
}

// Sender sends letters. It keeps no connection: mails are rare.
type Sender struct {
	host    string
	from    string
	domain  string // of from, for Message-IDs
	options []gomail.Option
}

// New returns a sender, or says what is wrong with cfg.
func New(cfg Config) (*Sender, error) {
	server, err := url.Parse(cfg.URL)
	if err != nil || (server.Scheme != "smtp" && server.Scheme != "smtps") || server.Hostname() == "" || (server.Path != "" && server.Path != "/") || server.RawQuery != "" {
		return nil, errors.New("the address of the mail server is not of the form smtps://user@mail.example.com")
	}
	if _, ok := server.User.Password(); ok {
		return nil, errors.New("the address of the mail server holds a password, which belongs in a file")
	}
	if (server.User.Username() == "") != (cfg.Password == "") {
		return nil, errors.New("a user in the address of the mail server and a password belong together")
	}
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address that mails can be from", cfg.From)
	}
	s := &Sender{host: server.Hostname(), from: from.String(), domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:]}
	s.options = append(s.options, gomail.WithTimeout(timeout))
	port, auth := 587, gomail.SMTPAuthAutoDiscover
	switch {
	case server.Scheme == "smtps":
		port = 465
		s.options = append(s.options, gomail.WithSSL())
	case isLoopback(s.host):
		auth = gomail.SMTPAuthPlainNoEnc
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if text := server.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return nil, errors.New("the address of the mail server has no port that exists")
		}
	}
	s.options = append(s.options, gomail.WithPort(port))
	if user := server.User.Username(); user != "" {
		s.options = append(s.options, gomail.WithSMTPAuth(auth), gomail.WithUsername(user), gomail.WithPassword(cfg.Password))
	}
	if _, err := gomail.NewClient(s.host, s.options...); err != nil {
		return nil, fmt.Errorf("prepare to send mail: %w", err)
	}
	return s, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Send implements the queue's Mailer. It is over after 40 s, whatever the server
// does; ctx ends only the connecting.
func (s *Sender) Send(ctx context.Context, letter notice.Letter) error {
	if err := letter.Check(); err != nil {
		return &notice.RefusedError{Text: err.Error()}
	}
	message, err := s.message(letter)
	if err != nil {
		return fmt.Errorf("write the mail: %w", err)
	}
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("prepare to send mail: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	sendErr := client.SendWithSMTPClient(conn, message)
	// The goodbye changes nothing: the mail is with the server, or it is not.
	_ = client.CloseWithSMTPClient(conn)
	_ = conn.Close()
	if message.IsDelivered() {
		return nil
	}
	return verdict(sendErr)
}

func (s *Sender) message(letter notice.Letter) (*gomail.Msg, error) {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(m.From(s.from), m.To(letter.To)); err != nil {
		return nil, err
	}
	m.Subject(letter.Subject)
	m.SetDateWithValue(letter.CreatedAt)
	m.SetMessageIDWithValue(letter.MessageID + "@" + s.domain)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office replies
	m.SetBodyString(gomail.TypeTextPlain, letter.Text)
	return m, nil
}

// verdict tells a refusal of this letter, which is final, from all else, which
// may be better in an hour: a server that is ill, a sender it does not want yet,
// a line that broke.
func verdict(err error) error {
	var failed *gomail.SendError
	if !errors.As(err, &failed) || failed.ErrorCode() < 500 {
		return fmt.Errorf("send the mail: %w", err)
	}
	switch failed.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		return &notice.RefusedError{Code: failed.ErrorCode(), Text: failed.Error()}
	default:
		return fmt.Errorf("send the mail: %w", err)
	}
}
