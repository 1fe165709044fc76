package db

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"furrow/ledger"
)

func TestSealedCredentials(t *testing.T) {
	t.Parallel()
	sealer, err := NewSealer(bytes.Repeat([]byte{7}, SecretKeySize))
	if err != nil {
		t.Fatal(err)
	}
	// As they were stored before there was anything but personal tokens.
	old := sealer.seal([]byte(`{"token":"1.pt.old"}`), sealedConnection, 3)
	if c, err := sealer.openCredentials(old, 3); err != nil || c != (sealedCredentials{Kind: PersonalToken, Token: "1.pt.old"}) {
		t.Errorf("old ones: kind %s, error %v", c.Kind, err)
	}
	pair := ledger.TokenPair{Access: "2.at.new", Refresh: "3.rt.new", ExpiresAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	sealed, err := sealer.sealCredentials(sealedPair(pair), 3)
	if err != nil || bytes.Contains(sealed, []byte("new")) {
		t.Fatalf("sealed in plain, or error %v", err)
	}
	if c, err := sealer.openCredentials(sealed, 3); err != nil || c != sealedPair(pair) {
		t.Errorf("a pair: kind %s, error %v", c.Kind, err)
	}
	if _, err := sealer.openCredentials(sealed, 4); !errors.Is(err, ErrWrongKey) {
		t.Errorf("of another user: %v", err)
	}
	if _, err := sealer.open(sealed, sealedAttempt, 3); !errors.Is(err, ErrWrongKey) {
		t.Errorf("of another column: %v", err)
	}
	if _, err := sealer.openCredentials(sealer.seal([]byte("{"), sealedConnection, 3), 3); !errors.Is(err, ErrWrongKey) {
		t.Errorf("not JSON: %v", err)
	}
}
