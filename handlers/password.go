package handlers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"

	"github.com/alexedwards/argon2id"
)

// The length of a password in bytes. The upper end bounds the work of hashing.
const (
	minPassword = 12
	maxPassword = 1024
)

// hashParams are OWASP's minimum for Argon2id, which a small machine can bear
// several times at once: 19 MiB, two passes, one lane. A password whose hash
// was made with others is hashed anew at the next login.
func hashParams() *argon2id.Params {
	return &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// HashPassword returns the form in which a password is stored.
func HashPassword(password string) (string, error) { return hashWith(hashParams(), password) }

func hashWith(params *argon2id.Params, password string) (string, error) {
	hash, err := argon2id.CreateHash(password, params)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return hash, nil
}

// PasswordProblem says in a sentence why the password cannot be chosen by the
// user with the e-mail address; it is empty if it can.
func PasswordProblem(password, email string) string {
	switch {
	case len(password) < minPassword:
		return fmt.Sprintf("Use at least %d characters. A few words in a row are easy to remember.", minPassword)
	case len(password) > maxPassword:
		return fmt.Sprintf("Use at most %d characters.", maxPassword)
	case strings.EqualFold(password, email):
		return "Your email address is the first thing anybody would try. Choose something else."
	case easilyGuessed(password):
		return "This is one of the first things anybody would try. Choose something else."
	}
	return ""
}

// easilyGuessed knows the passwords of twelve characters and more that head
// the lists of leaked ones, and those made of one character.
func easilyGuessed(password string) bool {
	lower := strings.ToLower(password)
	if strings.Trim(lower, lower[:1]) == "" {
		return true
	}
	switch lower {
	case "123456789012", "1234567890123", "passwordpassword", "password1234", "password12345", "qwertyuiop12",
		"qwertyuiop123", "administrator", "letmeinletmein", "iloveyou1234", "1q2w3e4r5t6y":
		return true
	}
	return false
}

// passwords hashes and compares, a few at a time: each takes 19 MiB, and a
// processor for some 50 ms.
type passwords struct {
	params *argon2id.Params
	turns  turns
	dummy  string // the hash of a password that nobody knows
}

func newPasswords(params *argon2id.Params) *passwords {
	return &passwords{params: params, turns: newTurns(hashesAtOnce(runtime.GOMAXPROCS(0))), dummy: dummyHash(params)}
}

// hashesAtOnce leaves a processor to everybody else, and most of the memory of
// a small machine.
func hashesAtOnce(processors int) int { return min(max(1, processors-1), 4) }

// dummyHash is a hash that no password is known to have. It is made up rather
// than computed, which would take 19 MiB and half of the program's start.
func dummyHash(p *argon2id.Params) string {
	random := make([]byte, p.SaltLength+p.KeyLength)
	rand.Read(random) // never fails: crypto/rand ends the program instead
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.Memory, p.Iterations, p.Parallelism,
		text(random[:p.SaltLength]), text(random[p.SaltLength:]))
}

// hash is [HashPassword] in turn.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	release, err := p.turns.take(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return hashWith(p.params, password)
}

// check compares a password with a stored hash; an empty one, for a user who
// does not exist, takes as long and never fits. outdated asks to store the
// password's hash anew.
func (p *passwords) check(ctx context.Context, password, hash string) (fits, outdated bool, err error) {
	if len(password) > maxPassword {
		return false, false, nil
	}
	known := hash != ""
	if !known {
		hash = p.dummy
	}
	release, err := p.turns.take(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	fits, params, err := argon2id.CheckHash(password, hash)
	if err != nil {
		return false, false, fmt.Errorf("compare a password: %w", err)
	}
	return fits && known, *params != *p.params, nil
}
