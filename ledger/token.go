package ledger

import "context"

// TokenSource gives a connection's access token to the adapter. One that never
// expires and cannot be renewed is a source too.
type TokenSource interface {
	// Token returns the access token to use now, renewed in time before it
	// expires. It returns [ErrAccessRevoked] if the owner must connect again.
	Token(ctx context.Context) (Secret, error)

	// Renew is asked after Harvest has refused rejected with 401, which proves
	// that the call was not carried out. It returns another token: the one that
	// somebody else has got meanwhile, or a new one. However many callers in
	// however many processes ask at once, Harvest is asked once. It returns
	// [ErrAccessRevoked] if there is no other token to be had.
	Renew(ctx context.Context, rejected Secret) (Secret, error)
}

// StaticToken is a token that never expires: a personal access token.
type StaticToken Secret

// Token implements [TokenSource].
func (t StaticToken) Token(context.Context) (Secret, error) { return Secret(t), nil }

// Renew implements [TokenSource]: there is no other token.
func (t StaticToken) Renew(context.Context, Secret) (Secret, error) { return "", ErrAccessRevoked }

// String redacts.
func (StaticToken) String() string { return "[redacted]" }

// GoString redacts.
func (StaticToken) GoString() string { return "[redacted]" }
