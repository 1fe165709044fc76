package notice

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Alert is a cause that is, or was, told.
type Alert struct {
	ID                     int64
	UID                    string // what receivers know it by
	Key                    string
	Severity               Severity
	UserID                 int64 // whom it is told; 0: the operators
	Sentence, Advice, Path string
	OpenedAt, ResolvedAt   time.Time // zero: not
}

// Resolved reports whether the cause is over.
func (a Alert) Resolved() bool { return !a.ResolvedAt.IsZero() }

// Channels are the ways in which a process can tell people.
type Channels struct {
	Mail    bool     // users can be told
	MailTo  []string // the operators' addresses; needs Mail
	Webhook bool
	Site    string // what paths are added to: "https://furrow.example.com"
}

// Operators reports whether there is a way to tell the operators.
func (c Channels) Operators() bool { return c.Webhook || c.Mail && len(c.MailTo) > 0 }

// Message is the mail to one address that tells of an alert, or of its end.
func (c Channels) Message(a Alert, to string) Mail {
	page := c.Site + a.Path
	switch {
	case a.UserID != 0:
		return Mail{To: to, Subject: "Furrow: please connect Harvest again", Text: fmt.Sprintf("%s\n\n%s\n\n%s\n", a.Sentence, a.Advice, page)}
	case a.Resolved():
		text := fmt.Sprintf("This is over since %s:\n\n%s\n\n%s\n", clock(a.ResolvedAt), a.Sentence, page)
		return Mail{To: to, Subject: subject("Resolved", a.Sentence), Text: text}
	case a.Severity == Information:
		return Mail{To: to, Subject: subject("For your information", a.Sentence), Text: fmt.Sprintf("%s\n\n%s\n\n%s\n", a.Sentence, a.Advice, page)}
	default:
		text := fmt.Sprintf("%s\n\nWhat to do: %s\n\n%s\n\nYou hear of this once, and again when it is over.\n", a.Sentence, a.Advice, page)
		return Mail{To: to, Subject: subject("Alert", a.Sentence), Text: text}
	}
}

// subject is a sentence in a line that is not too long for a list of mails.
func subject(word, sentence string) string {
	const most = 120
	text := []rune("Furrow: " + word + ": " + strings.TrimSuffix(sentence, "."))
	if len(text) > most {
		return string(text[:most-1]) + "…"
	}
	return string(text)
}

// Body is the JSON that tells a webhook of an alert, or of its end: type,
// timestamp and data, as the Standard Webhooks specification has it.
func (c Channels) Body(a Alert) (string, error) {
	type data struct {
		ID         string     `json:"id"` // the same for the alert and its end
		Key        string     `json:"key"`
		Severity   Severity   `json:"severity"`
		Sentence   string     `json:"sentence"`
		Advice     string     `json:"advice"`
		URL        string     `json:"url"`
		OpenedAt   time.Time  `json:"opened_at"`
		ResolvedAt *time.Time `json:"resolved_at"`
	}
	body := struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      data      `json:"data"`
	}{"alert.opened", a.OpenedAt.UTC(), data{ID: a.UID, Key: a.Key, Severity: a.Severity, Sentence: a.Sentence, Advice: a.Advice, URL: c.Site + a.Path, OpenedAt: a.OpenedAt.UTC()}}
	if a.Resolved() {
		at := a.ResolvedAt.UTC()
		body.Type, body.Timestamp, body.Data.ResolvedAt = "alert.resolved", at, &at
	}
	text, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("write the webhook of alert %d: %w", a.ID, err)
	}
	return string(text), nil
}

// Test is what a test of the channels tells.
func Test(now time.Time) Alert {
	return Alert{
		UID: "test", Key: "test", Severity: Information, Path: pageAlerts, OpenedAt: now,
		Sentence: "This is a test of the alerts.", Advice: "There is nothing to do: you get what you would get.",
	}
}

// Webhook is a webhook on its way.
type Webhook struct {
	ID        int64
	MessageID string // the same for every attempt, and no other webhook's
	Body      string // JSON
	Attempt   int    // the how manieth this is, from 1
	CreatedAt time.Time
}
