package mail

import (
	"context"
	"fmt"

	gomail "github.com/wneessen/go-mail"
)

// Reach connects to the mail server, logs in if that is configured, and hangs
// up: what comes before each letter.
func (s *Sender) Reach(ctx context.Context) error {
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("prepare to reach the mail server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := client.DialWithContext(ctx); err != nil {
		return fmt.Errorf("reach the mail server %s: %w", s.host, err)
	}
	return client.Close()
}
