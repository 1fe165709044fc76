package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/planner"
)

// TLSCache keeps what TLS needs for public names where all processes find it:
// certificates, their private keys, the account at the certificate authority,
// and challenges under way. Keys are paths with slashes; one may be a value or
// stand above others, as files and directories do.
//
// It is left out of backups: who finds one should not be able to pretend to be
// this installation, and a restored one orders new certificates by itself.
type TLSCache struct {
	q      *dbgen.Queries
	sealer *Sealer

	mu   sync.Mutex
	held map[string]*heldLock
}

// TLSCache returns the cache of the store's database.
func (s *Store) TLSCache() *TLSCache {
	return &TLSCache{q: s.q, sealer: s.sealer, held: map[string]*heldLock{}}
}

// Load returns the value at a key and when it was stored. [planner.ErrNotFound],
// and [ErrWrongKey] if another secret key sealed it.
func (c *TLSCache) Load(ctx context.Context, key string) (value []byte, modified time.Time, err error) {
	row, err := c.q.TLSEntry(ctx, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, time.Time{}, planner.ErrNotFound
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("load %s: %w", key, err)
	}
	value, err = c.sealer.open(row.Sealed, sealedTLS+sealedColumn(key), 0)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("open %s: %w", key, err)
	}
	return value, row.ModifiedAt, nil
}

// Store puts a value at a key, in the place of what is there.
func (c *TLSCache) Store(ctx context.Context, key string, value []byte) error {
	sealed := c.sealer.seal(value, sealedTLS+sealedColumn(key), 0)
	if err := c.q.TLSEntryStore(ctx, dbgen.TLSEntryStoreParams{Key: key, Sealed: sealed}); err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return nil
}

// Delete removes the value at a key and all below it, if there are any.
func (c *TLSCache) Delete(ctx context.Context, key string) error {
	if err := c.q.TLSEntryDelete(ctx, key); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// Keys lists the keys below a path, sorted.
func (c *TLSCache) Keys(ctx context.Context, path string) ([]string, error) {
	keys, err := c.q.TLSKeys(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	return keys, nil
}

// A lock is kept by its holder, and free tlsLease after the holder has died. It
// is a row and not a lock of PostgreSQL's, which needs a connection of its own
// for as long as an order takes, and is none behind a pooler of transactions.
const (
	tlsLease    = 30 * time.Second
	tlsKeep     = 10 * time.Second
	tlsLockPoll = 500 * time.Millisecond
	tlsUnlock   = 5 * time.Second
)

type heldLock struct {
	holder string
	free   context.CancelFunc // ends what keeps it
}

// Lock waits until nobody else, in no process, holds the lock of a name, and
// holds it until [TLSCache.Unlock].
func (c *TLSCache) Lock(ctx context.Context, name string) error {
	holder := rand.Text()
	for {
		n, err := c.q.TLSLock(ctx, dbgen.TLSLockParams{Name: name, Holder: holder, Lease: tlsLease})
		if err != nil {
			return fmt.Errorf("lock %s: %w", name, err)
		}
		if n == 1 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", name, ctx.Err())
		case <-time.After(tlsLockPoll):
		}
	}
	// What holds it says when it is over, not who asked for it.
	keeping, free := context.WithCancel(context.WithoutCancel(ctx))
	c.mu.Lock()
	c.held[name] = &heldLock{holder, free}
	c.mu.Unlock()
	go c.keep(keeping, name, holder)
	return nil
}

// keep renews a lock until ctx is over. A renewal that fails is made up for by
// the next one, or somebody else takes the lock: certificates ordered twice do
// no harm.
func (c *TLSCache) keep(ctx context.Context, name, holder string) {
	ticker := time.NewTicker(tlsKeep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = c.q.TLSLockKeep(ctx, dbgen.TLSLockKeepParams{Name: name, Holder: holder, Lease: tlsLease}) // see above
		}
	}
}

// Unlock lets go of a lock that this process holds.
func (c *TLSCache) Unlock(ctx context.Context, name string) error {
	c.mu.Lock()
	held := c.held[name]
	delete(c.held, name)
	c.mu.Unlock()
	if held == nil {
		return nil
	}
	held.free()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tlsUnlock)
	defer cancel()
	if err := c.q.TLSUnlock(ctx, dbgen.TLSUnlockParams{Name: name, Holder: held.holder}); err != nil {
		return fmt.Errorf("unlock %s: %w", name, err)
	}
	return nil
}

// UnlockAll lets go of all locks, at the end of the program.
func (c *TLSCache) UnlockAll(ctx context.Context) error {
	c.mu.Lock()
	names := make([]string, 0, len(c.held))
	for name := range c.held {
		names = append(names, name)
	}
	c.mu.Unlock()
	var errs []error
	for _, name := range names {
		errs = append(errs, c.Unlock(ctx, name))
	}
	return errors.Join(errs...)
}
