package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// apiTokenPrefix marks our tokens, so that scanners of leaked secrets and
// people know one when they see it.
const apiTokenPrefix = "frw_"

// maxAPITokens bounds what one user may have.
const maxAPITokens = 50

// APIToken is a token for the API, without the token itself, which is not kept.
type APIToken struct {
	ID       int64
	Name     string
	Created  time.Time
	LastUsed time.Time // to the minute; zero if never used
}

// CreateAPIToken makes a token with a name of 1 to 100 characters and returns
// it; it cannot be had again. It returns [planner.ErrConflict] if the user has
// too many.
func (s *Store) CreateAPIToken(ctx context.Context, userID int64, name string) (ledger.Secret, error) {
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	token := apiTokenPrefix + hex.EncodeToString(random)
	err := s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.q.APITokenCount(ctx, userID)
		if err != nil {
			return err
		}
		if n >= maxAPITokens {
			return planner.ErrConflict
		}
		_, err = tx.q.APITokenCreate(ctx, dbgen.APITokenCreateParams{UserID: userID, Name: name, TokenHash: hashAPIToken(token)})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("create token of user %d: %w", userID, err)
	}
	return ledger.Secret(token), nil
}

// APITokens returns the user's tokens, oldest first.
func (s *Store) APITokens(ctx context.Context, userID int64) ([]APIToken, error) {
	rows, err := s.q.APITokens(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("list tokens of user %d: %w", userID, err)
	}
	tokens := make([]APIToken, len(rows))
	for i, row := range rows {
		tokens[i] = APIToken{ID: row.ID, Name: row.Name, Created: row.CreatedAt}
		if row.LastUsedAt != nil {
			tokens[i].LastUsed = *row.LastUsedAt
		}
	}
	return tokens, nil
}

// RevokeAPIToken makes a token of the user worthless. It returns
// [planner.ErrNotFound] if the user has none of that id.
func (s *Store) RevokeAPIToken(ctx context.Context, userID, id int64) error {
	n, err := s.q.APITokenRevoke(ctx, dbgen.APITokenRevokeParams{UserID: userID, ID: id})
	if err == nil && n == 0 {
		err = planner.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("revoke token %d of user %d: %w", id, userID, err)
	}
	return nil
}

// APITokenUser returns whose token it is, and notes its use at most once a
// minute. It returns [planner.ErrNotFound] for anything that is not a token in
// force.
func (s *Store) APITokenUser(ctx context.Context, token ledger.Secret, now time.Time) (User, error) {
	if !strings.HasPrefix(token.Reveal(), apiTokenPrefix) {
		return User{}, planner.ErrNotFound
	}
	row, err := s.q.APITokenUser(ctx, dbgen.APITokenUserParams{TokenHash: hashAPIToken(token.Reveal()), Now: now})
	if err != nil {
		return User{}, fmt.Errorf("look up a token: %w", notFound(err))
	}
	return userOf(dbgen.UserByIDRow(row)), nil
}

// hashAPIToken needs no salt and no slow hash: the token is 256 random bits.
func hashAPIToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
