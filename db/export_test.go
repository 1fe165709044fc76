package db_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/planner"
)

// export returns the files of a user's export by name.
func (f *fixture) export(t *testing.T, userID int64) map[string]string {
	t.Helper()
	export, err := f.store.BeginExport(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	var out bytes.Buffer
	if err := export.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, member := range archive.File {
		r, err := member.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[member.Name] = string(content)
	}
	return files
}

// TestExport: an export is all rows of a user and none of anybody else's.
func TestExport(t *testing.T) {
	t.Parallel()
	f := lived(t)
	f.plan(t, f.cell(1, 1), 45, "=1+1")
	f.in(t, func(tx *db.Tx) error { return tx.Audit(t.Context(), f.userID, "account.export", "user", nil) })
	_, err := f.pool.Exec(t.Context(), "insert into alerts (key, user_id, severity, sentence, advice, path) select 'connection ' || id, id, 'alert', 'It is broken.', 'Connect again.', '/' from users")
	if err != nil {
		t.Fatal(err)
	}
	f.exec(t, "update write_actions set actor_id = $1", f.userID)
	files := f.export(t, f.userID)
	for name, content := range files {
		if strings.Contains(content, "bob@example.com") || strings.Contains(content, "Client 3") {
			t.Errorf("%s holds something of somebody else:\n%s", name, content)
		}
		if name != "README.txt" && !strings.Contains(files["README.txt"], "  "+name+" ") {
			t.Errorf("the README does not tell what %s is", name)
		}
		if name == "README.txt" || strings.HasSuffix(name, ".csv") {
			continue
		}
		table := strings.TrimSuffix(strings.TrimPrefix(name, "data/"), ".ndjson")
		lines := strings.Count(content, "\n")
		if want := f.int(t, "select count(*) from "+table+" t where "+db.ExportOwned(table), f.userID); lines != want || want == 0 && table != "time_entries" && table != "carry_dismissals" {
			t.Errorf("%s has %d lines, and the table %d rows", name, lines, want)
		}
		for line := range strings.Lines(content) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: %q is not JSON", name, line)
			}
		}
	}
	plan, err := csv.NewReader(strings.NewReader(files["plan.csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{f.week.Day(0).String(), "Client 1", "Project 11", "Task 21", "90", "tab\tback\\slash, line\nbreak, \"quotes\", Ærø, \\N"}; len(plan) != 4 || !slices.Equal(plan[1], want) {
		t.Errorf("plan.csv is %q, want %q in it", plan, want)
	}
	if !strings.Contains(files["plan.csv"], ",'=1+1") {
		t.Errorf("plan.csv holds a formula: %q", files["plan.csv"])
	}
	ledger, err := csv.NewReader(strings.NewReader(files["ledger.csv"])).ReadAll()
	if err != nil || len(ledger) < 2 || len(ledger) != 1+strings.Count(files["data/writes.ndjson"], "\n") || ledger[1][4] != "Project 11" {
		t.Errorf("ledger.csv is %q, %v", ledger, err)
	}
}

// TestExportIsOneAtATime: a second one of the same user is turned away, until
// the first has ended; those of others are not.
func TestExportIsOneAtATime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other, _ := f.user(t, "bob@example.com", 2)
	first, err := f.store.BeginExport(t.Context(), f.userID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.BeginExport(t.Context(), f.userID); !errors.Is(err, planner.ErrConflict) {
		t.Errorf("two at a time: %v", err)
	}
	f.export(t, other)
	// It sees the moment at which it began.
	f.plan(t, f.cell(0, 0), 60, "later")
	var out bytes.Buffer
	if err := first.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if files := f.export(t, f.userID); !strings.Contains(files["plan.csv"], "later") {
		t.Error("the next one does not see what was planned meanwhile")
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range archive.File {
		if member.Name == "data/cells.ndjson" && member.UncompressedSize64 != 0 {
			t.Error("it sees what was planned after it had begun")
		}
	}
	if _, err := f.store.BeginExport(t.Context(), 1<<40); !errors.Is(err, planner.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

// TestEverythingIsExported: each table with something of a user is in an export
// or named as left out, and no column that holds a secret is in it.
func TestEverythingIsExported(t *testing.T) {
	t.Parallel()
	_, pool := dbtest.Store(t)
	of := column[string](t, pool, `
select table_name::text from information_schema.columns where table_schema = 'public' and column_name in ('user_id', 'actor_id') and table_name in
    (select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE')
union select conrelid::regclass::text from pg_constraint where contype = 'f' and confrelid in ('users'::regclass, 'writes'::regclass, 'week_templates'::regclass)
order by 1`)
	if len(of) < 20 {
		t.Fatalf("only %v refer to users", of)
	}
	for _, table := range of {
		_, in := db.ExportedColumns(table)
		if why := db.ExportLeft()[table]; in == (why != "") {
			t.Errorf("table %s: name it in exportTables, or in exportLeft with the reason", table)
		}
	}
	secret := regexp.MustCompile(`hash|secret|password|credential|sealed|token|lease|totp|code`)
	for _, table := range append(of, "users") {
		left, in := db.ExportedColumns(table)
		if !in {
			continue
		}
		columns := column[string](t, pool, "select column_name::text from information_schema.columns where table_schema = 'public' and table_name = $1", table)
		for _, c := range left {
			if !slices.Contains(columns, c) {
				t.Errorf("%s has no column %s to leave out", table, c)
			}
		}
		suspects := column[string](t, pool, "select column_name::text from information_schema.columns where table_schema = 'public' and table_name = $1 and (data_type = 'bytea' or column_name ~ $2)", table, secret.String())
		for _, c := range suspects {
			if fmt.Sprint(table, ".", c) != "projects.code" && !slices.Contains(left, c) {
				t.Errorf("column %s of %s looks like a secret, and is exported", c, table)
			}
		}
	}
}
