package db

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
)

// BackupFile is a backup that was read to its end and found to be whole.
type BackupFile struct {
	Manifest  Manifest
	SecretKey []byte // or several, one after the other; nil: there is none

	file *os.File
}

// Errors that OpenBackup wraps. Each error that it returns is a sentence for the
// person who named the file.
var (
	ErrNotBackup = errors.New("is not a backup of furrow's")
	ErrCutOff    = errors.New("is cut off: its end is missing, so nothing of it was restored")
	ErrDamaged   = errors.New("is damaged, so nothing of it was restored")
	ErrTooNew    = errors.New("was made by a newer version of furrow: restore it with that version")
)

// OpenBackup reads a whole backup and compares it with what it says it holds.
// The file must stay open, and as it is, until it is restored.
func OpenBackup(file *os.File) (*BackupFile, error) {
	b := &BackupFile{file: file}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("the file %s %w", file.Name(), err)
	}
	return b, nil
}

func (b *BackupFile) check() error {
	var found []BackupTable
	complete := false
	err := b.walk(func(name string, content io.Reader) error {
		if complete {
			return fmt.Errorf("%w: something follows its end", ErrDamaged)
		}
		table, isTable := strings.CutPrefix(name, tablePrefix)
		switch {
		case isTable:
			hash, rows := sha256.New(), rowCounter(0)
			if _, err := io.Copy(io.MultiWriter(hash, &rows), content); err != nil {
				return unreadable(err)
			}
			found = append(found, BackupTable{Name: table, Rows: int64(rows), Hash: hex.EncodeToString(hash.Sum(nil))})
			return nil
		case name == keyMember:
			var err error
			if b.SecretKey, err = io.ReadAll(io.LimitReader(content, mostKeys*SecretKeySize+1)); err != nil {
				return unreadable(err)
			}
			return nil
		case name == manifestMember:
			complete = true
			if err := json.NewDecoder(content).Decode(&b.Manifest); err != nil {
				return unreadable(err)
			}
			return nil
		default:
			return fmt.Errorf("%w: it holds something unknown, %s", ErrDamaged, name)
		}
	})
	if err != nil {
		return err
	}
	if !complete {
		return ErrCutOff
	}
	newest, err := newestMigration()
	if err != nil {
		return err
	}
	if b.Manifest.Schema > newest {
		return fmt.Errorf("%w (%s; its schema is %d, and this version knows %d)", ErrTooNew, b.Manifest.Furrow, b.Manifest.Schema, newest)
	}
	return b.Manifest.compare(found, b.SecretKey)
}

// rowCounter counts the rows of a table: COPY ends each with a line break, and
// writes those inside of texts in another way.
type rowCounter int64

func (c *rowCounter) Write(p []byte) (int, error) {
	*c += rowCounter(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// compare returns an error if what was found is not what the manifest says.
func (m *Manifest) compare(found []BackupTable, key []byte) error {
	for i, want := range m.Tables {
		switch {
		case i >= len(found) || found[i].Name != want.Name:
			return fmt.Errorf("%w: table %s is missing", ErrDamaged, want.Name)
		case found[i].Rows != want.Rows:
			return fmt.Errorf("%w: table %s has %d rows, not %d", ErrDamaged, want.Name, found[i].Rows, want.Rows)
		case found[i].Hash != want.Hash:
			return fmt.Errorf("%w: table %s is not what was saved", ErrDamaged, want.Name)
		}
	}
	if len(found) > len(m.Tables) {
		return fmt.Errorf("%w: table %s was not saved with it", ErrDamaged, found[len(m.Tables)].Name)
	}
	if (m.KeyHash == "") != (key == nil) || key != nil && checksum(key) != m.KeyHash {
		return fmt.Errorf("%w: the secret key is not the one that was saved", ErrDamaged)
	}
	return nil
}

// walk calls f for each member after the first, which tells the format, and
// reads on to the checksum at the end. Errors of reading are told as what is
// wrong with the file; those of f come back as they are.
func (b *BackupFile) walk(f func(name string, content io.Reader) error) error {
	if err := rewind(b.file); err != nil {
		return err
	}
	raw := bufio.NewReader(b.file)
	zipped, err := gzip.NewReader(raw)
	if err != nil {
		return notBackup(err)
	}
	zipped.Multistream(false)
	members := tar.NewReader(zipped)
	first, err := members.Next()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		if _, ended := io.Copy(io.Discard, zipped); ended == nil {
			return ErrNotBackup // it is whole, and too short for an archive
		}
	}
	if err != nil {
		return notBackup(err)
	}
	if first.Name != formatMember {
		return ErrNotBackup
	}
	if err := checkFormat(members); err != nil {
		if _, damage := io.Copy(io.Discard, zipped); damage != nil {
			return unreadable(damage) // so the number may be another one
		}
		return err
	}
	for {
		member, err := members.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unreadable(err)
		}
		if err := f(member.Name, members); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, zipped); err != nil {
		return unreadable(err)
	}
	if _, err := raw.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows its end", ErrDamaged)
	}
	return nil
}

func checkFormat(content io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(content, 100))
	if err != nil {
		return unreadable(err)
	}
	format, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	switch {
	case err != nil || format < 1:
		return ErrNotBackup
	case format > backupFormat:
		return fmt.Errorf("%w (its format is %d, and this version knows %d)", ErrTooNew, format, backupFormat)
	default:
		return nil
	}
}

// notBackup tells an error in the first bytes of a file, of which nothing is
// known yet.
func notBackup(err error) error {
	var failed *fs.PathError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &failed) {
		return unreadable(err)
	}
	return ErrNotBackup
}

// unreadable tells an error in the middle of a file: what was read is not what
// was written, or it could not be read.
func unreadable(err error) error {
	var failed *fs.PathError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCutOff
	case errors.As(err, &failed):
		return fmt.Errorf("cannot be read: %w", failed.Err)
	default:
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
}

// newestMigration is the schema that this version brings a database to.
func newestMigration() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		return 0, errors.Join(errors.New("read migrations"), err)
	}
	return goose.NumericComponent(path.Base(slices.Max(names)))
}

// CheckEmpty returns an error, a sentence for the person who wants to restore,
// if the database is not one that b can be restored into.
func (b *BackupFile) CheckEmpty(ctx context.Context, pool *pgxpool.Pool) error {
	return NewStore(pool, nil).InTx(ctx, func(tx *Tx) error {
		schema, err := schemaVersion(ctx, tx)
		if err != nil {
			return err
		}
		var made bool
		if err := tx.QueryRow(ctx, "select to_regclass('users') is not null").Scan(&made); err != nil {
			return fmt.Errorf("look for users: %w", err)
		}
		switch {
		case schema == 0 && made:
			return errors.New("the database belongs to another program: restore into an empty one")
		case schema == 0:
			return nil
		}
		if err := checkNoUsers(ctx, tx); err != nil {
			return err
		}
		if schema > b.Manifest.Schema {
			return fmt.Errorf("the database was made for a newer schema (%d) than that of the backup (%d): "+
				"restore into a database, or a data directory, on which furrow has not been started yet", schema, b.Manifest.Schema)
		}
		return nil
	})
}

func checkNoUsers(ctx context.Context, tx pgx.Tx) error {
	var users int
	if err := tx.QueryRow(ctx, "select count(*) from users").Scan(&users); err != nil {
		return fmt.Errorf("look for users: %w", err)
	}
	if users > 0 {
		return errors.New("the database is not empty: there are accounts in it, and a backup is restored into an empty one only")
	}
	return nil
}

// Load fills a database that [BackupFile.CheckEmpty] has found to be empty. Its
// schema is that of the backup then. If it fails, the database is still empty.
// Nothing is sent for any connection before [Store.Hold] was called, and has
// ended.
func (b *BackupFile) Load(ctx context.Context, pool *pgxpool.Pool) error {
	err := migrate(ctx, pool, func(provider *goose.Provider) error {
		_, err := provider.UpTo(ctx, b.Manifest.Schema)
		return err
	})
	if err != nil {
		return err
	}
	if err := NewStore(pool, nil).InTx(ctx, func(tx *Tx) error { return b.load(ctx, tx) }); err != nil {
		return fmt.Errorf("load the backup: %w", err)
	}
	return nil
}

// load fills the empty tables. Until the hold is set, for which the schema may
// have to be newer, a lease that nobody has keeps everything from being sent.
func (b *BackupFile) load(ctx context.Context, tx *Tx) error {
	if err := setCopyFormat(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "lock table users in exclusive mode"); err != nil {
		return err
	}
	if err := checkNoUsers(ctx, tx); err != nil {
		return err
	}
	tables := map[string]*BackupTable{}
	for i := range b.Manifest.Tables {
		tables[b.Manifest.Tables[i].Name] = &b.Manifest.Tables[i]
	}
	err := b.walk(func(name string, content io.Reader) error {
		name, isTable := strings.CutPrefix(name, tablePrefix)
		if !isTable {
			return nil
		}
		tag, err := tx.Conn().PgConn().CopyFrom(ctx, content, "copy "+tables[name].target()+" from stdin")
		if err == nil && tag.RowsAffected() != tables[name].Rows {
			err = fmt.Errorf("%d rows came in, not %d", tag.RowsAffected(), tables[name].Rows)
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := continueIdentities(ctx, tx); err != nil {
		return err
	}
	for _, statement := range []string{
		// No job is left that would go on with them.
		"delete from sync_runs where state in ('queued', 'running', 'waiting')",
		"update harvest_connections set lease = gen_random_uuid(), lease_until = clock_timestamp() + interval '100 years'",
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// continueIdentities lets new rows get ids beyond those that were loaded.
func continueIdentities(ctx context.Context, tx *Tx) error {
	const query = `
select c.relname::text, a.attname::text
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace and a.attidentity <> '' and not a.attisdropped`
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("find the tables with identities: %w", err)
	}
	type identity struct{ Table, Column string }
	identities, err := pgx.CollectRows(rows, pgx.RowToStructByPos[identity])
	if err != nil {
		return fmt.Errorf("find the tables with identities: %w", err)
	}
	for _, i := range identities {
		if !saved(i.Table) {
			continue
		}
		table, column := pgx.Identifier{i.Table}.Sanitize(), pgx.Identifier{i.Column}.Sanitize()
		_, err := tx.Exec(ctx, "select setval(pg_get_serial_sequence($1, $2), coalesce(max("+column+"), 0) + 1, false) from "+table, table, i.Column)
		if err != nil {
			return fmt.Errorf("continue the identities of %s: %w", i.Table, err)
		}
	}
	return nil
}
