package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"furrow/db"
)

// Run saves the database and the secret key in one file, which is there whole or
// not at all.
func (c *backupConfig) Run(ctx context.Context, env *environment) error {
	if err := c.resolve(env.getenv); err != nil {
		return err
	}
	dir, file, err := c.place(time.Now())
	if err != nil {
		return err
	}
	if c.DatabaseURL == "" {
		// Opening it would make one.
		if _, err := os.Lstat(filepath.Join(c.DataDir, "postgres")); err != nil {
			return fmt.Errorf("there is nothing to back up: %s holds no database; set --data-dir or --database-url", c.DataDir)
		}
	}
	d, err := openDatabase(ctx, c.databaseConfig, env, shared)
	if err != nil {
		return err
	}
	defer d.close(env.log)
	key, err := c.existingKey()
	if err != nil {
		return err
	}
	var manifest db.Manifest
	err = replaceFile(file, func(out, spool *os.File) error {
		var err error
		manifest, err = db.Backup(ctx, d.pool, out, spool, key, version)
		return err
	})
	switch {
	case errors.Is(err, db.ErrWrongKey) && key == nil:
		return fmt.Errorf("there is no secret key in %s, and without it the stored Harvest tokens cannot be read: set --secret-key-file", c.keyFile())
	case errors.Is(err, db.ErrWrongKey):
		return fmt.Errorf("the secret key in %s is not the one that the stored Harvest tokens were encrypted with: set --secret-key-file", c.keyFile())
	case err != nil:
		return err
	}
	rows := int64(0)
	for _, t := range manifest.Tables {
		rows += t.Rows
	}
	fmt.Fprintf(env.stdout, "Saved %d rows of %d tables in %s. It holds the secret key: keep it as a secret.\n", rows, len(manifest.Tables), file)
	if c.Keep == 0 {
		return nil
	}
	removed, err := rotate(dir, file, c.Keep, time.Now())
	if removed > 0 {
		fmt.Fprintf(env.stdout, "Removed %d older backups.\n", removed)
	}
	return err
}

// place says which file to write; dir is empty if the operator named the file.
func (c *backupConfig) place(now time.Time) (dir, file string, err error) {
	info, err := os.Stat(c.File)
	switch {
	case c.Keep < 0:
		return "", "", errors.New("--keep must be at least 1")
	case err == nil && info.IsDir():
		return c.File, filepath.Join(c.File, now.UTC().Format(backupName)), nil
	case strings.HasSuffix(c.File, "/"):
		return "", "", fmt.Errorf("there is no directory %s: make it first, for who runs furrow alone", c.File)
	case c.Keep > 0:
		return "", "", fmt.Errorf("--keep is for backups in a directory, and %s is none", c.File)
	default:
		return "", c.File, nil
	}
}

// backupName is the name of a backup in a directory, as a layout of time in UTC;
// names sort by age.
const backupName = "furrow-20060102T150405Z.backup"

// abandoned is the age from which on nobody writes to an unfinished backup.
const abandoned = 24 * time.Hour

// rotate removes the oldest backups in dir, until with the newest, file, there
// are keep; and what backups that were killed have left. Nothing is touched that
// does not have a name of theirs.
func rotate(dir, file string, keep int, now time.Time) (removed int, err error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return 0, fmt.Errorf("older backups cannot be removed: %w", err)
	}
	var older []string
	for _, entry := range entries {
		name := entry.Name()
		taken, err := time.Parse(backupName, name)
		if err == nil && taken.Format(backupName) == name && entry.Type().IsRegular() && name != filepath.Base(file) {
			older = append(older, name)
		}
		if strings.HasPrefix(name, unfinished) {
			info, err := entry.Info()
			if err == nil && now.Sub(info.ModTime()) > abandoned {
				_ = os.Remove(filepath.Join(dir, name)) // the next one tries again
			}
		}
	}
	for _, name := range older[:max(0, len(older)-(keep-1))] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return removed, fmt.Errorf("an older backup cannot be removed: %w", err)
		}
		removed++
	}
	return removed, nil
}

// existingKey reads the secret key; nil if there is none.
func (c *keyConfig) existingKey() ([]byte, error) {
	if _, err := os.Stat(c.keyFile()); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return db.LoadSecretKey(c.keyFile())
}

// unfinished begins the names of backups that are being written.
const unfinished = ".furrow-backup-"

// replaceFile lets write fill a file under another name beside path, and gives
// it its name when it is complete and on disk. spool is a second file, which is
// gone afterwards however this ends.
func replaceFile(path string, write func(out, spool *os.File) error) error {
	unwritable := func(err error) error {
		var failed *fs.PathError
		var link *os.LinkError
		switch {
		case errors.As(err, &failed):
			err = failed.Err
		case errors.As(err, &link):
			err = link.Err
		default:
			return err
		}
		return fmt.Errorf("the backup cannot be written to %s (%w): it was not made, and no part of it is left", path, err)
	}
	dir := filepath.Dir(path)
	spool, err := os.CreateTemp(dir, ".furrow-spool-*")
	if err != nil {
		return unwritable(err)
	}
	defer spool.Close()
	if err := os.Remove(spool.Name()); err != nil { // it goes when it is closed
		return unwritable(err)
	}
	out, err := os.CreateTemp(dir, unfinished+"*") // mode 0600
	if err != nil {
		return unwritable(err)
	}
	err = write(out, spool)
	if err == nil {
		err = out.Sync()
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		return errors.Join(unwritable(err), os.Remove(out.Name()))
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Run brings a backup into an empty database. The whole file is looked at before
// anything is touched.
func (c *restoreConfig) Run(ctx context.Context, env *environment) error {
	if err := c.resolve(env.getenv); err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("the backup %s cannot be read: %w", c.File, errors.Unwrap(err))
	}
	defer file.Close()
	backup, err := db.OpenBackup(file)
	if err != nil {
		return err
	}
	key, err := c.existingKey()
	if err != nil {
		return err
	}
	if key != nil && backup.SecretKey != nil && !db.HoldsKeys(key, backup.SecretKey) {
		return fmt.Errorf("there is another secret key in %s than in the backup: move it away, or set --secret-key-file to another place", c.keyFile())
	}
	if err := c.makeDataDir(); err != nil {
		return err
	}
	// Owned: a furrow that runs on it would go on with its own key.
	d, err := openDatabase(ctx, c.databaseConfig, env, owned)
	if err != nil {
		return c.withoutRoom(err)
	}
	defer d.close(env.log)
	if err := backup.CheckEmpty(ctx, d.pool); err != nil {
		return err
	}
	if key == nil && backup.SecretKey != nil {
		if err := db.StoreSecretKey(c.keyFile(), backup.SecretKey); err != nil {
			return c.withoutRoom(err)
		}
	}
	if err := backup.Load(ctx, d.pool); err != nil {
		if key == nil && backup.SecretKey != nil {
			if keyErr := os.Remove(c.keyFile()); keyErr != nil {
				err = fmt.Errorf("%w; and %w", err, keyErr)
			}
		}
		return c.withoutRoom(err)
	}
	err = db.Migrate(ctx, d.pool)
	if err == nil {
		_, err = db.NewStore(d.pool, nil).Hold(ctx)
	}
	if err != nil {
		return fmt.Errorf("all is restored; furrow serve does what is left of it when it starts: %w", err)
	}
	fmt.Fprintf(env.stdout, "Restored what was saved on %s. Nothing is sent before Harvest has been compared with it, which furrow serve does first.\n",
		backup.Manifest.TakenAt.Format(time.RFC1123))
	return nil
}

// withoutRoom adds to an error of a restore, which has changed nothing then, what
// is behind it when the disk is full. PostgreSQL's own words are not always clear:
// it breaks connections off when its log has no room.
func (c *restoreConfig) withoutRoom(err error) error {
	full := db.TakesNoChanges(err)
	if c.DatabaseURL == "" {
		room, diskErr := diskOf(c.DataDir)
		full = full || diskErr == nil && room.full()
	}
	if full {
		return fmt.Errorf("nothing was restored, for want of room on the disk of the database: make room there, and restore again (%w)", err)
	}
	return fmt.Errorf("nothing was restored: %w", err)
}

// Run holds all connections.
func (c *adminHold) Run(ctx context.Context, env *environment) error {
	return withStore(ctx, c.databaseConfig, env, func(store *db.Store) error {
		n, err := store.Hold(ctx)
		return told(env, err, "Nothing is sent for %d connections before Harvest has been compared with the database.\n", n)
	})
}
