package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"furrow/db"
)

// rotateConfig replaces the secret key, in steps each of which leaves everything
// readable wherever it is interrupted.
type rotateConfig struct {
	keyConfig

	Add    bool `xor:"step" help:"Only make the new key, in a file beside the secret key file that ends in .next. Copy that to all machines before the next step; with one machine this step is not needed."`
	Finish bool `xor:"step" help:"Throw the old key away. At the earliest a minute after the new one was put to use, and when all machines have the file with both."`
}

// rotateRest is how long a new key must have been in use before the old one is
// thrown away: who sealed something with the old one has stored it by then.
const rotateRest = time.Minute

// Run does one step.
func (c *rotateConfig) Run(ctx context.Context, env *environment) error {
	if err := c.resolve(env.getenv); err != nil {
		return err
	}
	file := c.keyFile()
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("there is no secret key in %s: set --secret-key-file", file)
	}
	if c.Add {
		return told(env, db.AddKey(file), "The new key is in %s.next. Copy it to all machines, then run furrow rotate-key.\n", file)
	}
	d, err := openDatabase(ctx, c.databaseConfig, env, shared)
	if err != nil {
		return err
	}
	defer d.close(env.log)
	if err := db.Migrate(ctx, d.pool); err != nil {
		return err
	}
	sealer, err := db.OpenSealer(file)
	if err != nil {
		return err
	}
	store := db.NewStore(d.pool, sealer)
	if err := c.checkKey(ctx, store); err != nil {
		return err
	}
	if c.Finish {
		return c.finish(ctx, env, store, file, info)
	}
	return c.use(ctx, env, store, file)
}

func (c *rotateConfig) checkKey(ctx context.Context, store *db.Store) error {
	if err := store.CheckSecretKey(ctx); errors.Is(err, db.ErrWrongKey) {
		return fmt.Errorf("the secret key in %s is not the one that the stored Harvest tokens were encrypted with; nothing was changed", c.keyFile())
	} else if err != nil {
		return err
	}
	return nil
}

// use makes a new key the one that seals, and seals everything with it.
func (c *rotateConfig) use(ctx context.Context, env *environment, store *db.Store, file string) error {
	if err := db.UseNewKey(file); err != nil {
		return err
	}
	n, err := reseal(ctx, store, "key.rotate")
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "The new key is in use, and %d values are sealed with it. Both keys are in %s.\n"+
		"With several machines, copy that file to all of them. Make a backup, and then, in a minute or later, run furrow rotate-key --finish.\n", n, file)
	return nil
}

// finish throws the old key away.
func (c *rotateConfig) finish(ctx context.Context, env *environment, store *db.Store, file string, info os.FileInfo) error {
	if info.Size() == db.SecretKeySize {
		return fmt.Errorf("there is one key alone in %s, so there is nothing to finish", file)
	}
	if rest := rotateRest - time.Since(info.ModTime()); rest > 0 {
		return fmt.Errorf("the new key was put to use a moment ago: run this again in %s", rest.Round(time.Second))
	}
	n, err := reseal(ctx, store, "key.finish")
	if err != nil {
		return err
	}
	return told(env, db.RetireKeys(file), "The old key is gone from %s; %d values were still sealed with it, and are no longer. "+
		"With several machines, copy that file to all of them. Backups made before still hold the old key.\n", file, n)
}

// reseal seals everything with the key that seals now, and writes down that it did.
func reseal(ctx context.Context, store *db.Store, action string) (int, error) {
	n, err := store.Reseal(ctx)
	switch {
	case errors.Is(err, db.ErrWrongKey):
		return n, fmt.Errorf("not everything can be opened with the keys there are, so all of them are kept: %w", err)
	case errors.Is(err, db.ErrStillSealed):
		return n, fmt.Errorf("all keys are kept; run this again in a minute: %w", err)
	case err != nil:
		return n, fmt.Errorf("all keys are kept; run this again: %w", err)
	}
	return n, store.InTx(ctx, func(tx *db.Tx) error {
		return tx.Audit(ctx, 0, action, "the secret key", map[string]any{"values": n})
	})
}
