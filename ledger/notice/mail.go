// Package notice is what the program tells people who are not looking at it:
// mails, and the alerts of an operator. It owns their types, and the rules by
// which something is worth an alert. Storing is left to package db, sending to
// jobs and what it is given.
package notice

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Mail is what somebody is to be told by mail: plain text, to one address.
type Mail struct {
	To      string // an address such as ida@example.com, without a name
	Subject string // one line of at most 200 characters
	Text    string
}

// The limits of a mail.
const (
	maxAddress = 254
	maxSubject = 200 // characters
)

// ErrBadMail: there is no such address, or a subject that is not one line. What
// is told of it may come from a form, so this is also what keeps a form from
// writing headers.
var ErrBadMail = errors.New("not a mail that can be sent")

// Check returns [ErrBadMail] for a mail that must not be sent.
func (m Mail) Check() error {
	n := utf8.RuneCountInString(m.Subject)
	if !IsAddress(m.To) || n == 0 || n > maxSubject || strings.ContainsFunc(m.Subject, unicode.IsControl) || !utf8.ValidString(m.Subject+m.Text) {
		return ErrBadMail
	}
	return nil
}

// IsAddress reports whether text is an address and nothing else.
func IsAddress(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Name == "" && address.Address == text && len(text) <= maxAddress && !strings.ContainsFunc(text, unicode.IsControl)
}

// Letter is a mail on its way.
type Letter struct {
	Mail

	ID        int64
	MessageID string // the same for every attempt, and no other mail's
	Attempt   int    // the how manieth this is, from 1
	CreatedAt time.Time
}

// End is how a mail or a webhook ended.
type End string

// The ends. Only a mail is refused: its address is one of many, and the server
// that knows it said no for good.
const (
	Sent    End = "sent"
	Refused End = "refused"
	GivenUp End = "given_up"
)

// RefusedError is a server's last word on a letter: another attempt would end
// the same.
type RefusedError struct {
	Code int    // the server's, such as 550
	Text string // the server's own words
}

func (e *RefusedError) Error() string { return fmt.Sprintf("refused with %d: %s", e.Code, e.Text) }
