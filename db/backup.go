package db

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A backup is a gzip'd tar archive of these members, in this order:
//
//	furrow-backup  the number of the format, so that the file is known for what it is
//	tables/NAME    the rows of a table in PostgreSQL's text format for COPY, tables in an order in which they can be loaded
//	secret.key     what the Harvest tokens are encrypted with, several keys while that is being replaced; missing if there is no key
//	manifest.json  what the file must hold; last, so that a file without it was cut off
const (
	backupFormat   = 2
	oneKeyFormat   = 1 // what versions without key rotation read as well
	formatMember   = "furrow-backup"
	tablePrefix    = "tables/"
	keyMember      = "secret.key"
	manifestMember = "manifest.json"
)

// Manifest says what a backup holds.
type Manifest struct {
	Furrow  string        `json:"furrow"` // version of the program that made it
	Schema  int64         `json:"schema"` // number of the newest migration
	TakenAt time.Time     `json:"taken_at"`
	Tables  []BackupTable `json:"tables"`
	KeyHash string        `json:"secret_key_sha256,omitempty"` // empty: there is no key
}

// BackupTable is a table in a backup.
type BackupTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	Hash    string   `json:"sha256"`

	refersTo []string
}

// TransientTables are ours and not in a backup: what they hold is over within
// days, and some of it must not come back. A session that was ended since would
// be alive again, a link that worked once would work once more, and a mail would
// be sent again.
func TransientTables() []string {
	return []string{
		"account_links", "alerts", "api_gates", "login_throttles", "mails", "oauth_attempts", "process_reports", "queue_pauses", "schedules", "sessions", "tls_cache", "tls_locks", "webhooks",
	}
}

// saved reports whether a table is in a backup. The queue's are not: a job is
// only a doorbell, and the sweeper rings for what is left to do.
func saved(table string) bool {
	return table != "goose_db_version" && !strings.HasPrefix(table, "river_") && !slices.Contains(TransientTables(), table)
}

// Backup writes a backup of the database, as it stands at one moment, to out.
// Others may use the database meanwhile. spool is an empty file for one table at
// a time, as tar wants to know a size beforehand. key is the secret key, nil if
// there is none; a database that holds credentials is not backed up without the
// key that opens them ([ErrWrongKey]). furrow is the version of the program.
func Backup(ctx context.Context, pool *pgxpool.Pool, out io.Writer, spool *os.File, key []byte, furrow string) (Manifest, error) {
	// Not by InTx: it sees one moment, and is not run again, as out is written to.
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return Manifest{}, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing was changed
	if err := setCopyFormat(ctx, tx); err != nil {
		return Manifest{}, err
	}
	m := Manifest{Furrow: furrow, TakenAt: time.Now().UTC().Truncate(time.Second)}
	if m.Schema, err = schemaVersion(ctx, tx); err != nil {
		return Manifest{}, err
	}
	if m.Schema == 0 {
		return Manifest{}, errors.New("there is nothing to back up: the database holds nothing of furrow's yet")
	}
	if err := checkKey(ctx, tx, key); err != nil {
		return Manifest{}, err
	}
	if m.Tables, err = savedTables(ctx, tx); err != nil {
		return Manifest{}, err
	}
	zipped := gzip.NewWriter(out)
	w := &backupWriter{tar: tar.NewWriter(zipped), at: m.TakenAt}
	format := backupFormat
	if len(key) <= SecretKeySize {
		format = oneKeyFormat
	}
	if err := w.member(formatMember, []byte(strconv.Itoa(format)+"\n")); err != nil {
		return Manifest{}, err
	}
	for i := range m.Tables {
		if err := w.table(ctx, tx, spool, &m.Tables[i]); err != nil {
			return Manifest{}, fmt.Errorf("save table %s: %w", m.Tables[i].Name, err)
		}
	}
	if key != nil {
		m.KeyHash = checksum(key)
		if err := w.member(keyMember, key); err != nil {
			return Manifest{}, err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return Manifest{}, err
	}
	if err := w.member(manifestMember, text); err != nil {
		return Manifest{}, err
	}
	return m, errors.Join(w.tar.Close(), zipped.Close())
}

// setCopyFormat makes what COPY writes and reads the same wherever that is, and
// lets the transaction rest while a table is compressed.
func setCopyFormat(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local idle_in_transaction_session_timeout = 0")
	if err != nil {
		return fmt.Errorf("prepare to copy: %w", err)
	}
	return nil
}

// schemaVersion is the newest migration of a database; 0 if it has none.
func schemaVersion(ctx context.Context, tx pgx.Tx) (version int64, err error) {
	var migrated bool
	err = tx.QueryRow(ctx, "select to_regclass('goose_db_version') is not null").Scan(&migrated)
	if err == nil && migrated {
		err = tx.QueryRow(ctx, "select coalesce(max(version_id), 0) from goose_db_version where is_applied").Scan(&version)
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of the schema: %w", err)
	}
	return version, nil
}

// checkKey returns [ErrWrongKey] if the key does not open the stored credentials.
func checkKey(ctx context.Context, tx pgx.Tx, key []byte) error {
	var userID int64
	var sealed []byte
	err := tx.QueryRow(ctx, "select user_id, credentials from harvest_connections where credentials is not null order by id limit 1").Scan(&userID, &sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check the secret key: %w", err)
	}
	sealer, err := NewSealer(key)
	if err != nil {
		return ErrWrongKey
	}
	_, err = sealer.openCredentials(sealed, userID)
	return err
}

// savedTables finds the tables to be saved, each after those that it refers to.
func savedTables(ctx context.Context, tx pgx.Tx) ([]BackupTable, error) {
	const query = `
select c.relname::text,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum),
       array(select distinct r.relname::text from pg_constraint k join pg_class r on r.oid = k.confrelid
             where k.contype = 'f' and k.conrelid = c.oid and k.confrelid <> c.oid)
from pg_class c
where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
order by c.relname`
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	var found []BackupTable
	var t BackupTable
	_, err = pgx.ForEachRow(rows, []any{&t.Name, &t.Columns, &t.refersTo}, func() error {
		if saved(t.Name) {
			found = append(found, t)
		}
		t = BackupTable{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	return inLoadOrder(found)
}

func inLoadOrder(tables []BackupTable) ([]BackupTable, error) {
	ordered := make([]BackupTable, 0, len(tables))
	placed := map[string]bool{}
	for len(ordered) < len(tables) {
		before := len(ordered)
		for _, t := range tables {
			ready := !slices.ContainsFunc(t.refersTo, func(other string) bool { return !placed[other] })
			if !placed[t.Name] && ready {
				placed[t.Name] = true
				ordered = append(ordered, t)
			}
		}
		if len(ordered) == before {
			return nil, errors.New("there are tables that refer to each other in a circle, or to one that is not saved")
		}
	}
	return ordered, nil
}

type backupWriter struct {
	tar *tar.Writer
	at  time.Time
}

func (w *backupWriter) header(name string, size int64) error {
	return w.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: w.at})
}

func (w *backupWriter) member(name string, content []byte) error {
	if err := w.header(name, int64(len(content))); err != nil {
		return err
	}
	_, err := w.tar.Write(content)
	return err
}

// table copies a table into the spool, and from there into the archive.
func (w *backupWriter) table(ctx context.Context, tx pgx.Tx, spool *os.File, t *BackupTable) error {
	if err := errors.Join(rewind(spool), spool.Truncate(0)); err != nil {
		return err
	}
	hash := sha256.New()
	tag, err := tx.Conn().PgConn().CopyTo(ctx, io.MultiWriter(spool, hash), "copy "+t.target()+" to stdout")
	if err != nil {
		return err
	}
	t.Rows, t.Hash = tag.RowsAffected(), hex.EncodeToString(hash.Sum(nil))
	size, err := spool.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if err := errors.Join(w.header(tablePrefix+t.Name, size), rewind(spool)); err != nil {
		return err
	}
	_, err = io.Copy(w.tar, spool)
	return err
}

// target names the table and its columns for COPY.
func (t *BackupTable) target() string {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	return pgx.Identifier{t.Name}.Sanitize() + " (" + strings.Join(columns, ", ") + ")"
}

func rewind(f io.Seeker) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

func checksum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
