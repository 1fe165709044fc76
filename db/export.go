package db

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/planner"
)

// An export is everything of one user, as a zip archive of these files:
//
//	README.txt        what the others are
//	plan.csv, …       what people read: the plan, the time entries, the ledger, with names
//	data/TABLE.ndjson what programs read: each row of a table as a line of JSON
//
// What a user has in the database is in it, or named in [exportLeft].

// exportTable is a table in an export.
type exportTable struct {
	name  string
	about string // what a row of it is
	owned string // what makes a row the user's, whose id is $1; empty: its user_id
	order string
	left  string // columns left out, with commas: secrets, and what says only how this program is at it
}

func exportTables() []exportTable {
	return []exportTable{
		{name: "users", about: "your account and settings", owned: "id = $1", order: "id", left: "password_hash"},
		{
			name: "harvest_connections", about: "the connection with Harvest, without what opens it", order: "id",
			left: "credentials,lease,lease_until,refresh_lease,refresh_lease_until,refresh_not_before",
		},
		{name: "api_tokens", about: "API tokens by name, without the tokens", order: "id", left: "token_hash"},
		{name: "clients", about: "clients, as Harvest names them", order: "id"},
		{name: "projects", about: "projects", order: "id"},
		{name: "tasks", about: "tasks", order: "id"},
		{name: "assignments", about: "tasks of projects, with Harvest's rates", order: "project_id, task_id"},
		{name: "project_budgets", about: "budgets as Harvest last told them", order: "project_id"},
		{name: "rate_overrides", about: "rates of your own", order: "project_id, task_id"},
		{name: "client_orders", about: "the order that you put clients in", order: "position, client_id"},
		{name: "row_orders", about: "the order that you put rows in", order: "position, project_id, task_id"},
		{name: "days_off", about: "days off", order: "date"},
		{name: "cells", about: "the plan as it stands: a row, a day, minutes and a note", order: "date, project_id, task_id"},
		{name: "week_rows", about: "rows that were put into a week", order: "week, project_id, task_id"},
		{name: "plan_changes", about: "the history of the plan: what was done in one go", order: "id"},
		{name: "plan_events", about: "the history of the plan: each cell before and after", order: "id"},
		{name: "row_events", about: "the history of the plan: rows put in and taken out", order: "id"},
		{name: "day_events", about: "the history of the plan: days off before and after", order: "id"},
		{name: "week_templates", about: "templates by name", order: "id"},
		{
			name: "template_cells", about: "what the templates hold", order: "template_id, weekday, project_id, task_id",
			owned: "template_id in (select id from week_templates where user_id = $1)",
		},
		{name: "recurrences", about: "recurring work", order: "id"},
		{name: "carry_dismissals", about: "weeks in which nothing was to be carried over", order: "week"},
		{name: "time_entries", about: "time entries as Harvest last told them; hours in hundredths", order: "harvest_id"},
		{name: "pushed_entries", about: "time entries that Furrow made, and what they are meant to say", order: "spent_date, id"},
		{name: "writes", about: "the ledger: everything that was to be sent to Harvest", order: "id"},
		{
			name: "write_attempts", about: "the ledger: each attempt, and what came of it", order: "id",
			owned: "write_id in (select id from writes where user_id = $1)",
		},
		{
			name: "write_actions", about: "what you did to many lines of the ledger at once, as an operator", order: "id",
			owned: "actor_id = $1",
		},
		{name: "sync_runs", about: "syncs and what they found", order: "id"},
		{name: "alerts", about: "what you were told that needed you", order: "id"},
		{
			name: "mails", about: "mails that were sent to you, without their text, which is not kept", order: "id",
			owned: "recipient = (select email from users where id = $1)", left: "message_id,sealed,sending_at,ring_at",
		},
		{name: "audit_events", about: "what you did that was written down for those who run this Furrow", owned: "actor_id = $1", order: "id"},
	}
}

// exportLeft names the tables that hold something of a user and are in no
// export, each with the reason.
func exportLeft() map[string]string {
	return map[string]string{
		"sessions":       "it says where somebody is logged in now, and nothing else",
		"account_links":  "it holds links to join and to choose a password, which work once and for days",
		"oauth_attempts": "it holds a log-in at Harvest for minutes, sealed",
		"second_factors": "it holds what codes are made of, sealed",
		"recovery_codes": "it holds what opens the account, hashed",
	}
}

// exportSheet is a file for people, in CSV. Its query gives each row as an array
// of texts.
type exportSheet struct {
	file, about string
	columns     []string
	query       string
}

func exportSheets() []exportSheet {
	return []exportSheet{
		{
			file: "plan.csv", about: "what is planned: a line for each cell",
			columns: []string{"date", "client", "project", "task", "minutes", "note"},
			query: `
select array[c.date::text, k.name, p.name, t.name, c.minutes::text, c.note]
from cells c
join projects p on p.id = c.project_id join clients k on k.id = p.client_id join tasks t on t.id = c.task_id
where c.user_id = $1
order by c.date, k.name, p.name, t.name, c.project_id, c.task_id`,
		},
		{
			file: "time-entries.csv", about: "what Harvest has, as it was last told",
			columns: []string{"date", "client", "project", "task", "hours", "note", "billable", "locked", "deleted", "harvest_entry_id"},
			query: `
select array[e.spent_date::text, k.name, p.name, t.name, (e.hours / 100.0)::numeric(10, 2)::text, e.notes,
    case when e.billable then 'yes' else 'no' end, case when e.is_locked then 'yes' else 'no' end,
    case when e.deleted_at is null then 'no' else 'yes' end, e.harvest_id::text]
from time_entries e
join projects p on p.id = e.project_id join clients k on k.id = p.client_id join tasks t on t.id = e.task_id
where e.user_id = $1
order by e.spent_date, e.harvest_id`,
		},
		{
			file: "ledger.csv", about: "what was to be sent to Harvest, and what became of it",
			columns: []string{"id", "queued", "date", "client", "project", "task", "operation", "hours", "note", "state", "attempts", "settled", "harvest_entry_id", "reference"},
			query: `
select array[w.id::text, to_char(w.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), e.spent_date::text, k.name, p.name, t.name,
    replace(w.op, '_', ' '), ((w.payload ->> 'hours')::numeric / 100)::numeric(10, 2)::text, coalesce(w.payload ->> 'notes', ''), w.state, w.attempts::text,
    coalesce(to_char(w.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ''), coalesce(w.remote_id::text, ''), w.reference]
from writes w
join pushed_entries e on e.id = w.pushed_entry_id
join projects p on p.id = e.project_id join clients k on k.id = p.client_id join tasks t on t.id = e.task_id
where w.user_id = $1
order by w.id`,
		},
	}
}

// Export is one that has begun: it sees one moment of the database.
type Export struct {
	tx     pgx.Tx
	userID int64
	email  string
	at     time.Time
}

// BeginExport begins an export of what is userID's. It returns
// [planner.ErrConflict] while another one of that user is under way. It holds a
// connection to the database until it is closed.
func (s *Store) BeginExport(ctx context.Context, userID int64) (*Export, error) {
	e, err := s.beginExport(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("begin an export of user %d: %w", userID, err)
	}
	return e, nil
}

func (s *Store) beginExport(ctx context.Context, userID int64) (_ *Export, err error) {
	// Not by InTx: it sees one moment, and is not run again, as it is being read.
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	e := &Export{tx: tx, userID: userID}
	defer func() {
		if err != nil {
			e.Close()
		}
	}()
	// It rests while the reader is slow.
	if _, err := tx.Exec(ctx, "set local idle_in_transaction_session_timeout = 0"); err != nil {
		return nil, err
	}
	var alone bool
	err = tx.QueryRow(ctx, "select pg_try_advisory_xact_lock(hashtextextended('export of user ' || $1::bigint, 0)), now()", userID).Scan(&alone, &e.at)
	if err == nil && !alone {
		err = planner.ErrConflict
	}
	if err != nil {
		return nil, err
	}
	return e, notFound(tx.QueryRow(ctx, "select email from users where id = $1", userID).Scan(&e.email))
}

// Close ends the export.
func (e *Export) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = e.tx.Rollback(ctx) // nothing was changed
}

// Write writes the archive to out while it is read from the database; no more
// than a row is held at once.
func (e *Export) Write(ctx context.Context, out io.Writer) error {
	buffered := bufio.NewWriterSize(out, 32<<10)
	archive := zip.NewWriter(buffered)
	err := e.file(archive, "README.txt", func(w io.Writer) error {
		_, err := io.WriteString(w, e.readme())
		return err
	})
	for _, s := range exportSheets() {
		if err == nil {
			err = e.file(archive, s.file, func(w io.Writer) error { return e.sheet(ctx, w, s) })
		}
	}
	for _, t := range exportTables() {
		if err == nil {
			err = e.file(archive, t.file(), func(w io.Writer) error { return e.table(ctx, w, t) })
		}
	}
	if err == nil {
		err = archive.Close()
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return fmt.Errorf("export user %d: %w", e.userID, err)
	}
	return nil
}

func (e *Export) file(archive *zip.Writer, name string, write func(io.Writer) error) error {
	w, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: e.at})
	if err == nil {
		err = write(w)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (t exportTable) file() string { return "data/" + t.name + ".ndjson" }

// ownedBy is the condition that makes a row the user's, whose id is $1.
func (t exportTable) ownedBy() string {
	if t.owned == "" {
		return "user_id = $1"
	}
	return t.owned
}

func (t exportTable) query() string {
	left := "user_id" // each row would say it again
	if t.left != "" {
		left += "," + t.left
	}
	return "select (to_jsonb(t) - '{" + left + "}'::text[])::text from " + t.name + " t where " + t.ownedBy() + " order by " + t.order
}

// table writes the rows of a table. The statements are not sqlc's, which has no
// way to read on while something is written.
func (e *Export) table(ctx context.Context, w io.Writer, t exportTable) error {
	rows, err := e.tx.Query(ctx, t.query(), e.userID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if _, err := w.Write(rows.RawValues()[0]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (e *Export) sheet(ctx context.Context, w io.Writer, s exportSheet) error {
	rows, err := e.tx.Query(ctx, s.query, e.userID)
	if err != nil {
		return err
	}
	defer rows.Close()
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(s.columns); err != nil {
		return err
	}
	for rows.Next() {
		var row []string
		if err := rows.Scan(&row); err != nil {
			return err
		}
		for i, cell := range row {
			row[i] = HarmlessCell(cell)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	if err := rows.Err(); err != nil {
		return err
	}
	return out.Error()
}

// HarmlessCell puts an apostrophe before text in a CSV file that a spreadsheet
// would take for a formula.
func HarmlessCell(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func (e *Export) readme() string {
	var text strings.Builder
	fmt.Fprintf(&text, `Everything that Furrow has of %s, as it stood on %s.

The sheets are CSV in UTF-8, with names, for a spreadsheet. Text that a spreadsheet
would take for a formula has an apostrophe before it.

`, e.email, e.at.UTC().Format("2 January 2006, 15:04:05 UTC"))
	for _, s := range exportSheets() {
		fmt.Fprintf(&text, "  %-32s %s\n", s.file, s.about)
	}
	text.WriteString(`
The data are complete, for programs: a line of JSON for each row. Rows refer to each
other by id; harvest_id is Harvest's own. Instants are in UTC, dates have no zone.

`)
	for _, t := range exportTables() {
		fmt.Fprintf(&text, "  %-32s %s\n", t.file(), t.about)
	}
	text.WriteString(`
Passwords, tokens and keys are not in it, nor is where you are logged in.
`)
	return text.String()
}
