package handlers

import (
	"strings"
	"testing"
)

const owasp = "$argon2id$v=19$m=19456,t=2,p=1$"

func TestPasswords(t *testing.T) {
	t.Parallel()
	p := newPasswords(hashParams())
	hash, err := p.hash(t.Context(), idaPassword)
	if err != nil || !strings.HasPrefix(hash, owasp) || !strings.HasPrefix(p.dummy, owasp) {
		t.Errorf("hash %q and %q, %v", hash, p.dummy, err)
	}
	old, err := hashOfIda()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, password, hash string
		fits, outdated       bool
	}{
		{"the password", idaPassword, hash, true, false},
		{"another", idaPassword + "!", hash, false, false},
		{"longer than any", strings.Repeat("a", maxPassword+1), hash, false, false},
		{"of nobody", idaPassword, "", false, false},
		{"hashed with less work", idaPassword, old, true, true},
	} {
		fits, outdated, err := p.check(t.Context(), test.password, test.hash)
		if fits != test.fits || outdated != test.outdated || err != nil {
			t.Errorf("%s: fits %t, outdated %t, %v", test.name, fits, outdated, err)
		}
	}
}

// The program itself hashes as [hashParams] says, and a login mends a hash that
// was made otherwise.
func TestPasswordHashedAnew(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) { d.hash = nil })
	id := b.ida()
	b.loggedIn(idaEmail)
	if hash, err := b.store.PasswordHash(t.Context(), id); err != nil || !strings.HasPrefix(hash, owasp) {
		t.Errorf("the hash is %q, %v", hash, err)
	}
	b.loggedIn(idaEmail)
}
