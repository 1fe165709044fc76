package db

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
)

// SecretKeySize is the size of a secret key in bytes.
const SecretKeySize = 32

// ErrWrongKey: what is stored cannot be opened with this secret key.
var ErrWrongKey = errors.New("the secret key does not fit the stored credentials")

// Sealer encrypts at rest with AES-256-GCM under keys derived from the secret
// keys for this one purpose. What it seals is bound to the column and the row it
// belongs to, so that it opens nowhere else. The first key seals; each of them
// opens. Which one sealed something is not said beside it: trying the few there
// can be is quick, and what was sealed before there could be several stays as it is.
type Sealer struct {
	file string // the secret key file; empty: the keys never change
	ring atomic.Pointer[keyring]
}

// keyring is what the secret keys gave, the one that seals first.
type keyring struct {
	keys  []cipher.AEAD
	marks []string    // what tells the keys apart, and nothing of them
	stamp os.FileInfo // of the file that they are from; nil: of none
}

// sealFormat is the first byte of everything sealed: the algorithm.
const sealFormat = 1

// What is sealed, by the column that holds it. A new one goes into sealedTables
// as well, or what it holds is lost when the secret key is replaced; a test holds
// that list against the schema.
type sealedColumn string

const (
	sealedConnection sealedColumn = "harvest_connections.credentials"
	sealedAttempt    sealedColumn = "oauth_attempts.sealed"
	sealedFactor     sealedColumn = "second_factors.sealed"
	sealedMail       sealedColumn = "mails.sealed" // bound to the mail, not to a user
	// sealedTLS is followed by the key of the entry, so that one value cannot stand
	// in for another.
	sealedTLS = "tls_cache.sealed/"
)

// sealedTable says where sealed values are, and what each is bound to.
type sealedTable struct {
	table, column string
	id            string // SQL: the number that a value is bound to
	suffix        string // SQL: what follows the name of the column in its context
	// idle is an SQL condition: nobody compares the value with what they read before.
	idle string
}

// sealedTables are all places of sealed values.
func sealedTables() []sealedTable {
	return []sealedTable{
		{
			table: "harvest_connections", column: "credentials", id: "user_id", suffix: "''",
			// Whoever renews a token stores the new one in the place of the one they read.
			idle: "(refresh_lease_until is null or refresh_lease_until < clock_timestamp())",
		},
		{table: "oauth_attempts", column: "sealed", id: "user_id", suffix: "''", idle: "true"},
		{table: "second_factors", column: "sealed", id: "user_id", suffix: "''", idle: "true"},
		{table: "mails", column: "sealed", id: "id", suffix: "''", idle: "true"},
		{table: "tls_cache", column: "sealed", id: "0", suffix: "'/' || key", idle: "true"},
	}
}

// NewSealer derives what seals from secret keys one after the other,
// [SecretKeySize] bytes each.
func NewSealer(secretKeys []byte) (*Sealer, error) {
	ring, err := newKeyring(secretKeys)
	if err != nil {
		return nil, err
	}
	s := new(Sealer)
	s.ring.Store(ring)
	return s, nil
}

// OpenSealer is [NewSealer] for the secret key file, which is made if there is
// none. Keys that are put into the file later are noticed.
func OpenSealer(file string) (*Sealer, error) {
	if _, err := LoadSecretKey(file); err != nil {
		return nil, err
	}
	s := &Sealer{file: file}
	return s, s.reload()
}

func newKeyring(secretKeys []byte) (*keyring, error) {
	if !WholeKeys(secretKeys) {
		return nil, fmt.Errorf("the secret keys have %d bytes, which is not %d for each", len(secretKeys), SecretKeySize)
	}
	ring := new(keyring)
	for i := 0; i < len(secretKeys); i += SecretKeySize {
		aead, err := sealingKey(secretKeys[i : i+SecretKeySize])
		if err != nil {
			return nil, fmt.Errorf("derive the sealing key: %w", err)
		}
		mark, err := hkdf.Key(sha256.New, secretKeys[i:i+SecretKeySize], nil, "furrow secret key mark v1", 8)
		if err != nil {
			return nil, fmt.Errorf("derive the mark of a key: %w", err)
		}
		ring.keys, ring.marks = append(ring.keys, aead), append(ring.marks, hex.EncodeToString(mark))
	}
	return ring, nil
}

func sealingKey(secretKey []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secretKey, nil, "furrow harvest credentials v1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// reload reads the secret key file, and that of a key that is to be used next.
func (s *Sealer) reload() error {
	stamp, err := os.Stat(s.file) // before it is read: a change after this is noticed
	if err != nil {
		return fmt.Errorf("read the secret key: %w", err)
	}
	keys, err := readKeys(s.file)
	if err != nil {
		return err
	}
	ring, err := newKeyring(keys)
	if err != nil {
		return err
	}
	ring.stamp = stamp
	s.ring.Store(ring)
	return nil
}

// current is what the file holds now. A file that cannot be read changes nothing:
// the keys that are known go on working.
func (s *Sealer) current() *keyring {
	known := s.ring.Load()
	if s.file == "" {
		return known
	}
	stamp, err := os.Stat(s.file)
	if err == nil && (!os.SameFile(stamp, known.stamp) || !stamp.ModTime().Equal(known.stamp.ModTime())) && s.reload() == nil {
		return s.ring.Load()
	}
	return known
}

func (s *Sealer) seal(plain []byte, column sealedColumn, userID int64) []byte {
	return s.current().keys[0].Seal([]byte{sealFormat}, nil, plain, sealContext(column, userID))
}

func (s *Sealer) open(sealed []byte, column sealedColumn, userID int64) ([]byte, error) {
	plain, _, err := s.ring.Load().open(sealed, column, userID)
	if err != nil && s.file != "" && s.reload() == nil { // it may be of a key that is new
		plain, _, err = s.ring.Load().open(sealed, column, userID)
	}
	return plain, err
}

// open returns what was sealed, and whether that was by the key that seals now.
func (k *keyring) open(sealed []byte, column sealedColumn, userID int64) (plain []byte, newest bool, err error) {
	if len(sealed) == 0 || sealed[0] != sealFormat {
		return nil, false, ErrWrongKey
	}
	for i, key := range k.keys {
		plain, err := key.Open(nil, nil, sealed[1:], sealContext(column, userID))
		if err == nil {
			return plain, i == 0, nil
		}
	}
	return nil, false, ErrWrongKey
}

func sealContext(column sealedColumn, userID int64) []byte {
	return []byte(string(column) + ":" + strconv.FormatInt(userID, 10))
}
