package db

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The secret key file holds one key. While that is being replaced, it holds the
// new one and, after it, the old one: the first one seals, and each opens. A key
// that is to be used next may lie in a file beside it, so that all machines know
// it before anything is sealed with it.
const (
	mostKeys   = 8
	nextSuffix = ".next"
)

// WholeKeys reports whether a file with this in it holds secret keys.
func WholeKeys(keys []byte) bool {
	return len(keys) > 0 && len(keys)%SecretKeySize == 0 && len(keys) <= mostKeys*SecretKeySize
}

// LoadSecretKey reads the secret keys from file, one after the other, and makes
// one there with mode 0600 if there is no such file.
func LoadSecretKey(file string) ([]byte, error) {
	keys, err := readKeys(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	err = StoreSecretKey(file, key)
	if errors.Is(err, fs.ErrExist) {
		return readKeys(file)
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

func newKey() ([]byte, error) {
	key := make([]byte, SecretKeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a secret key: %w", err)
	}
	return key, nil
}

// readKeys returns the keys of file, and the one that is to be used next.
func readKeys(file string) ([]byte, error) {
	keys, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	next, err := readKeyFile(file + nextSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return keys, nil
	}
	if err != nil {
		return nil, err
	}
	if !HoldsKeys(keys, next) {
		keys = append(keys, next...)
	}
	return keys, nil
}

func readKeyFile(file string) ([]byte, error) {
	keys, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the secret key: %w", err)
	}
	if !WholeKeys(keys) {
		return nil, fmt.Errorf("the secret key file %s holds %d bytes, not %d; restore it from a backup, or move it away to begin anew and connect Harvest again", file, len(keys), SecretKeySize)
	}
	return keys, nil
}

// HoldsKeys reports whether all of some keys are among others.
func HoldsKeys(keys, some []byte) bool {
	for i := 0; i+SecretKeySize <= len(some); i += SecretKeySize {
		if !holdsKey(keys, some[i:i+SecretKeySize]) {
			return false
		}
	}
	return true
}

func holdsKey(keys, key []byte) bool {
	for i := 0; i+SecretKeySize <= len(keys); i += SecretKeySize {
		if bytes.Equal(keys[i:i+SecretKeySize], key) {
			return true
		}
	}
	return false
}

// StoreSecretKey makes the file with the keys in it, whole or not at all.
// [os.ErrExist]: there is one.
func StoreSecretKey(file string, keys []byte) error {
	// A link and not a renaming: two programs that start at once must not each use
	// a key of their own.
	if err := storeKeys(file, keys, os.Link); err != nil {
		return fmt.Errorf("store the secret key: %w", err)
	}
	return nil
}

// AddKey makes the key that is to be used next, unless there is one. Whoever
// opens what is sealed knows it from here on.
func AddKey(file string) error {
	if _, err := readKeyFile(file); err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	if err := StoreSecretKey(file+nextSuffix, key); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// UseNewKey makes a new key, or the one that was to be used next, the one that
// seals. If another key is being replaced already, it changes nothing.
func UseNewKey(file string) error {
	keys, err := readKeyFile(file)
	if err != nil {
		return err
	}
	next, err := readKeyFile(file + nextSuffix)
	if errors.Is(err, fs.ErrNotExist) && len(keys) == SecretKeySize {
		next, err = newKey()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !holdsKey(keys, next) {
		if err := storeKeys(file, append(next, keys...), os.Rename); err != nil {
			return fmt.Errorf("store the new secret key: %w", err)
		}
	}
	if err := os.Remove(file + nextSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the key that is in use now: %w", err)
	}
	return nil
}

// RetireKeys leaves the file with the key that seals alone.
func RetireKeys(file string) error {
	keys, err := readKeyFile(file)
	if err != nil || len(keys) == SecretKeySize {
		return err
	}
	if err := storeKeys(file, keys[:SecretKeySize], os.Rename); err != nil {
		return fmt.Errorf("retire the old secret key: %w", err)
	}
	return nil
}

// storeKeys writes a file under another name, mode 0600, and gives it its name by
// name when it is on disk. It belongs to whoever the file at path, or at the one
// that it is beside, belongs to: who replaces a key may be root, and who uses it
// is not.
func storeKeys(path string, content []byte, name func(from, to string) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".furrow-key-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after a renaming there is nothing of that name
	_, err = f.Write(content)
	if err := errors.Join(err, keepOwner(f, path), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := name(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func keepOwner(f *os.File, path string) error {
	before, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		before, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	owner, ok := before.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
