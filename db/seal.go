package db

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// SecretKeySize is the size of the secret key in bytes.
const SecretKeySize = 32

// ErrWrongKey: what is stored cannot be opened with this secret key.
var ErrWrongKey = errors.New("the secret key does not fit the stored credentials")

// Sealer encrypts credentials at rest with AES-256-GCM under a key derived
// from the secret key for this one purpose. What it seals is bound to the
// column and the user it belongs to, so that it opens nowhere else.
type Sealer struct {
	aead cipher.AEAD
}

// sealFormat is the first byte of everything sealed: which key and algorithm.
const sealFormat = 1

// What is sealed, by the column that holds it.
type sealedColumn string

const (
	sealedConnection sealedColumn = "harvest_connections.credentials"
	sealedAttempt    sealedColumn = "oauth_attempts.sealed"
)

// NewSealer derives the sealing key from secretKey, [SecretKeySize] bytes.
func NewSealer(secretKey []byte) (*Sealer, error) {
	if len(secretKey) != SecretKeySize {
		return nil, fmt.Errorf("secret key has %d bytes, not %d", len(secretKey), SecretKeySize)
	}
	key, err := hkdf.Key(sha256.New, secretKey, nil, "furrow harvest credentials v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

func (s *Sealer) seal(plain []byte, column sealedColumn, userID int64) []byte {
	return s.aead.Seal([]byte{sealFormat}, nil, plain, sealContext(column, userID))
}

func (s *Sealer) open(sealed []byte, column sealedColumn, userID int64) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealFormat {
		return nil, ErrWrongKey
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], sealContext(column, userID))
	if err != nil {
		return nil, ErrWrongKey
	}
	return plain, nil
}

func sealContext(column sealedColumn, userID int64) []byte {
	return []byte(string(column) + ":" + strconv.FormatInt(userID, 10))
}

// LoadSecretKey reads the secret key from file, and makes it there with mode
// 0600 if there is no such file.
func LoadSecretKey(file string) ([]byte, error) {
	key, err := os.ReadFile(file)
	switch {
	case err == nil && len(key) == SecretKeySize:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("the secret key file %s holds %d bytes, not %d; restore it from a backup, or move it away to begin anew and connect Harvest again", file, len(key), SecretKeySize)
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read the secret key: %w", err)
	}
	key = make([]byte, SecretKeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a secret key: %w", err)
	}
	err = StoreSecretKey(file, key)
	if errors.Is(err, os.ErrExist) {
		return LoadSecretKey(file)
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// StoreSecretKey makes the file with the key in it. [os.ErrExist]: there is one.
func StoreSecretKey(file string, key []byte) error {
	// O_EXCL: two programs that start at once must not each use a key of their own.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store the secret key: %w", err)
	}
	_, writeErr := f.Write(key)
	if err := errors.Join(writeErr, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("store the secret key: %w", err)
	}
	return nil
}
