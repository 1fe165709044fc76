package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrStillSealed: something is in use, and cannot be sealed anew just now.
var ErrStillSealed = errors.New("something is still sealed with an old secret key")

// How long [Store.Reseal] waits for what is in use: a renewed token is stored
// within less.
const (
	resealWait = time.Minute
	resealPoll = 500 * time.Millisecond
)

// Reseal seals everything with the first of the secret keys that was sealed with
// another one, and returns how much that was. Others use it all meanwhile: each
// value is replaced only if nobody else has replaced it. It may be stopped at any
// point, and called again. [ErrWrongKey]: there is something that no key opens.
// [ErrStillSealed]: something stays in use for too long.
func (s *Store) Reseal(ctx context.Context) (resealed int, err error) {
	for end := time.Now().Add(resealWait); ; {
		n, left, err := s.resealOnce(ctx)
		resealed += n
		switch {
		case err != nil:
			return resealed, err
		case left == 0:
			return resealed, nil
		case time.Now().After(end):
			return resealed, fmt.Errorf("%w: %d values are in use", ErrStillSealed, left)
		}
		select {
		case <-time.After(resealPoll):
		case <-ctx.Done():
			return resealed, ctx.Err()
		}
	}
}

// resealOnce goes through all values once. left counts those that were not
// replaced because they are in use, or were changed meanwhile.
func (s *Store) resealOnce(ctx context.Context) (resealed, left int, err error) {
	for _, t := range sealedTables() {
		old, err := s.oldValues(ctx, t)
		if err != nil {
			return resealed, left, fmt.Errorf("look through %s: %w", t.table, err)
		}
		for _, v := range old {
			done, err := s.resealValue(ctx, t, v)
			if err != nil {
				return resealed, left, fmt.Errorf("seal %s anew: %w", t.table, err)
			}
			if done {
				resealed++
			} else {
				left++
			}
		}
	}
	return resealed, left, nil
}

// sealedValue is a value with what it is bound to.
type sealedValue struct {
	ID     int64
	Suffix string
	Sealed []byte
}

func (t sealedTable) columnOf(v sealedValue) sealedColumn {
	return sealedColumn(t.table + "." + t.column + v.Suffix)
}

// oldValues returns the values of a table that the first key does not open. The
// statements name tables and columns of the list, which sqlc cannot.
func (s *Store) oldValues(ctx context.Context, t sealedTable) ([]sealedValue, error) {
	ring := s.sealer.current()
	rows, err := s.pool.Query(ctx, "select ("+t.id+")::bigint, "+t.suffix+", "+t.column+" from "+t.table+" where "+t.column+" is not null")
	if err != nil {
		return nil, err
	}
	var old []sealedValue
	var v sealedValue
	_, err = pgx.ForEachRow(rows, []any{&v.ID, &v.Suffix, &v.Sealed}, func() error {
		_, newest, err := ring.open(v.Sealed, t.columnOf(v), v.ID)
		if err == nil && !newest {
			old = append(old, sealedValue{ID: v.ID, Suffix: v.Suffix, Sealed: append([]byte(nil), v.Sealed...)})
		}
		return err
	})
	return old, err
}

// resealValue replaces a value, unless somebody relies on it or has replaced it.
func (s *Store) resealValue(ctx context.Context, t sealedTable, v sealedValue) (done bool, err error) {
	plain, err := s.sealer.open(v.Sealed, t.columnOf(v), v.ID)
	if err != nil {
		return false, err
	}
	tag, err := s.pool.Exec(ctx, "update "+t.table+" set "+t.column+" = $1 where ("+t.id+") = $2 and "+t.suffix+" = $3 and "+t.column+" = $4 and "+t.idle,
		s.sealer.seal(plain, t.columnOf(v), v.ID), v.ID, v.Suffix, v.Sealed)
	return tag.RowsAffected() > 0, err
}
