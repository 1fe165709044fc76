package db

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// What tests from outside look at that nobody else needs.

func exportTableOf(name string) (exportTable, bool) {
	for _, t := range exportTables() {
		if t.name == name {
			return t, true
		}
	}
	return exportTable{}, false
}

// ExportOwned is the condition that makes a row of a table a user's.
func ExportOwned(table string) string {
	t, _ := exportTableOf(table)
	return t.ownedBy()
}

// ExportedColumns are the columns of an exported table that are left out.
func ExportedColumns(table string) (left []string, in bool) {
	t, in := exportTableOf(table)
	return strings.FieldsFunc(t.left, func(c rune) bool { return c == ',' }), in
}

// ExportLeft is [exportLeft].
func ExportLeft() map[string]string { return exportLeft() }

// DeleteUserNow is [Store.DeleteUser] that waits for nothing.
func (s *Store) DeleteUserNow(ctx context.Context, userID int64) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.deleteUser(ctx, userID, 0, true) })
}

// SealedColumns are the columns that hold what is sealed.
func SealedColumns() []string {
	var columns []string
	for _, t := range sealedTables() {
		columns = append(columns, t.table+"."+t.column)
	}
	return columns
}

// ResealTable is [Store.Reseal] that is interrupted after one table.
func (s *Store) ResealTable(ctx context.Context, table string) error {
	for _, t := range sealedTables() {
		if t.table != table {
			continue
		}
		old, err := s.oldValues(ctx, t)
		if err != nil {
			return err
		}
		for _, v := range old {
			if _, err := s.resealValue(ctx, t, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// CannotOpen counts the sealed values that the keys of the store do not open, or
// that its first key does not.
func (s *Store) CannotOpen(ctx context.Context, first bool) (n int, err error) {
	for _, t := range sealedTables() {
		rows, err := s.pool.Query(ctx, "select ("+t.id+")::bigint, "+t.suffix+", "+t.column+" from "+t.table+" where "+t.column+" is not null")
		if err != nil {
			return 0, err
		}
		var v sealedValue
		_, err = pgx.ForEachRow(rows, []any{&v.ID, &v.Suffix, &v.Sealed}, func() error {
			_, newest, err := s.sealer.ring.Load().open(v.Sealed, t.columnOf(v), v.ID)
			if err != nil || first && !newest {
				n++
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}
