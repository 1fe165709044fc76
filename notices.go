package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"furrow/jobs/mail"
	"furrow/jobs/webhook"
	"furrow/ledger"
	"furrow/ledger/notice"
)

// noticeConfig is how the program reaches people who are not looking at it.
type noticeConfig struct {
	SMTPURL       string   `name:"smtp-url" env:"FURROW_SMTP_URL" placeholder:"URL" help:"Server that sends mail: smtps://user@host for TLS from the start (port 465), smtp://user@host for STARTTLS (port 587), without either only on this machine. Empty: no mail is sent."`
	SMTPPassword  string   `name:"smtp-password-file" env:"FURROW_SMTP_PASSWORD_FILE" placeholder:"FILE" help:"File that holds the password of the user in --smtp-url."`
	MailFrom      string   `name:"mail-from" env:"FURROW_MAIL_FROM" placeholder:"ADDRESS" help:"Whom mails are from, such as 'Furrow <furrow@example.com>'. Needed with --smtp-url."`
	AlertMail     []string `name:"alert-mail" env:"FURROW_ALERT_MAIL" placeholder:"ADDRESS,…" help:"Whom alerts are mailed to. Needs --smtp-url."`
	AlertWebhook  string   `name:"alert-webhook" env:"FURROW_ALERT_WEBHOOK" placeholder:"URL" help:"Where alerts are posted as JSON, https or loopback."`
	WebhookSecret string   `name:"alert-webhook-secret-file" env:"FURROW_ALERT_WEBHOOK_SECRET_FILE" placeholder:"FILE" help:"File that holds the secret by which webhooks are signed (Standard Webhooks): whsec_ and 24 to 64 bytes in base64."`
}

// voice is what a noticeConfig means, checked.
type voice struct {
	mail    *mail.Sender    // nil: no mail is sent
	webhook *webhook.Sender // nil: nothing is posted
	to      []string        // whom alerts are mailed to
}

// channels are the ways to tell people, who find the program at site.
func (v *voice) channels(site *url.URL) notice.Channels {
	return notice.Channels{Mail: v.mail != nil, MailTo: v.to, Webhook: v.webhook != nil, Site: strings.TrimSuffix(site.String(), "/")}
}

// voice reads the configuration, and reports all that is wrong at once.
func (c *noticeConfig) voice() (voice, error) {
	v := voice{to: c.AlertMail}
	var mailErr, webhookErr error
	if c.SMTPURL != "" {
		v.mail, mailErr = c.sender()
	} else if c.SMTPPassword != "" || c.MailFrom != "" || len(c.AlertMail) > 0 {
		mailErr = errors.New("--smtp-password-file, --mail-from and --alert-mail need --smtp-url")
	}
	if c.AlertWebhook != "" {
		v.webhook, webhookErr = c.poster()
	} else if c.WebhookSecret != "" {
		webhookErr = errors.New("--alert-webhook-secret-file needs --alert-webhook")
	}
	errs := []error{mailErr, webhookErr}
	for _, address := range c.AlertMail {
		if !notice.IsAddress(address) {
			errs = append(errs, fmt.Errorf("--alert-mail %q is not an e-mail address", address))
		}
	}
	return v, errors.Join(errs...)
}

func (c *noticeConfig) sender() (*mail.Sender, error) {
	var password ledger.Secret
	if c.SMTPPassword != "" {
		var err error
		if password, err = readSecret(c.SMTPPassword, "the password of the mail server"); err != nil {
			return nil, err
		}
	}
	sender, err := mail.New(mail.Config{URL: c.SMTPURL, Password: password.Reveal(), From: c.MailFrom})
	if err != nil {
		return nil, fmt.Errorf("--smtp-url, --smtp-password-file and --mail-from: %w", err)
	}
	return sender, nil
}

func (c *noticeConfig) poster() (*webhook.Sender, error) {
	if c.WebhookSecret == "" {
		return nil, errors.New("--alert-webhook needs --alert-webhook-secret-file, so that the receiver can tell who posts")
	}
	secret, err := readSecret(c.WebhookSecret, "the secret of the webhook")
	if err != nil {
		return nil, err
	}
	poster, err := webhook.New(webhook.Config{URL: c.AlertWebhook, Secret: secret.Reveal(), Version: version})
	if err != nil {
		return nil, fmt.Errorf("--alert-webhook and --alert-webhook-secret-file: %w", err)
	}
	return poster, nil
}

// maxSecretFile is the largest file in bytes that is taken for a secret.
const maxSecretFile = 4 << 10

// readSecret reads a file that holds one secret and nothing else; what names it.
func readSecret(file, what string) (ledger.Secret, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read from %s: %w", what, file, errors.Unwrap(err))
	}
	secret := ledger.Secret(bytes.TrimSpace(text))
	if secret == "" || len(text) > maxSecretFile {
		return "", fmt.Errorf("the file %s does not hold %s", file, what)
	}
	return secret, nil
}

// parseDiskLimit reads "10%,1GiB", in which either may be missing.
func parseDiskLimit(text string) (limit notice.DiskLimit, err error) {
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		switch number, unit := strings.TrimRight(part, "%KMGTiB"), strings.TrimLeft(part, "0123456789"); unit {
		case "%":
			limit.Percent, err = strconv.Atoi(number)
			if limit.Percent > 100 {
				err = strconv.ErrRange
			}
		case "MiB":
			limit.Bytes, err = mebibytes(number, 1)
		case "GiB":
			limit.Bytes, err = mebibytes(number, 1<<10)
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			return limit, fmt.Errorf("--alert-disk-free %q is not a percentage, a size in MiB or GiB, or both, such as 10%%,1GiB", text)
		}
	}
	return limit, nil
}

func mebibytes(number string, factor uint64) (uint64, error) {
	n, err := strconv.ParseUint(number, 10, 24)
	return n * factor << 20, err
}

// Run sends a test through all channels, and says what came of each.
func (c *adminTestAlert) Run(ctx context.Context, env *environment) error {
	v, err := c.voice()
	if err != nil {
		return err
	}
	site, err := url.Parse(c.PublicURL)
	if err != nil {
		return fmt.Errorf("--public-url %q is not an address", c.PublicURL)
	}
	ch, test := v.channels(site), notice.Test(time.Now())
	if !ch.Operators() {
		return errors.New("there is nobody to tell: set --alert-mail with --smtp-url, or --alert-webhook, as for furrow serve")
	}
	var failed bool
	told := func(channel string, err error) {
		if err == nil {
			fmt.Fprintf(env.stdout, "%s: sent.\n", channel)
			return
		}
		failed = true
		fmt.Fprintf(env.stdout, "%s: %v.\n", channel, err)
	}
	for _, address := range v.to {
		letter := notice.Letter{Mail: ch.Message(test, address), MessageID: newMessageID(), Attempt: 1, CreatedAt: time.Now()}
		told("Mail to "+address, v.mail.Send(ctx, letter))
	}
	if v.webhook != nil {
		body, err := ch.Body(test)
		if err == nil {
			err = v.webhook.Post(ctx, notice.Webhook{MessageID: newMessageID(), Body: body, Attempt: 1, CreatedAt: time.Now()})
		}
		told("Webhook", err)
	}
	if failed {
		return errors.New("not all of it arrived")
	}
	return nil
}
