package db_test

import (
	"testing"

	"furrow/db"
	"furrow/db/dbtest"
)

// A program that was put back meets the schema of its successor. It changes nothing of it, and knows that it is newer.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), dbtest.URL(t), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	schema, known, err := db.Schema(t.Context(), pool)
	if err != nil || schema != known || known == 0 {
		t.Fatalf("the schema is %d of %d, %v; want them equal", schema, known, err)
	}
	for _, statement := range []string{
		"insert into goose_db_version (version_id, is_applied) values (90000, true)",
		"insert into river_migration (line, version) values ('main', 9000)",
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Migrate(t.Context(), pool); err != nil {
		t.Errorf("migrate: %v", err)
	}
	if needed, err := db.MigrationNeeded(t.Context(), pool); needed || err != nil {
		t.Errorf("migration needed: %v, %v", needed, err)
	}
	if newer, _, err := db.Schema(t.Context(), pool); newer != 90000 || err != nil {
		t.Errorf("the schema is %d, %v; want 90000", newer, err)
	}
}
