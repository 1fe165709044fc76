package ledger

import (
	"errors"
	"time"
)

// TokenPair is what Harvest issues for an authorization or a refresh token.
type TokenPair struct {
	Access Secret
	// Refresh is for getting the next pair. Empty: Harvest told none, and the
	// one that was used stays good. If there is one, the one that was used may
	// be dead already.
	Refresh Secret
	// ExpiresIn is how long Access is good for, and ExpiresAt until when, counted
	// from before it was asked for. Both are zero if Harvest did not say.
	ExpiresIn time.Duration
	ExpiresAt time.Time
}

// AccountChoice is a Harvest account that a token opens.
type AccountChoice struct {
	ID   int64
	Name string
}

// ErrClientRefused: Harvest ID does not know this installation, or not by
// these client credentials. Only the operator can repair that; no connection
// has lost its access.
var ErrClientRefused = errors.New("harvest refused the client id or secret of this installation")
