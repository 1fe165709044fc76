package db

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
)

// The values of a session, by their key in the session manager.
const (
	SessionUserID = "user_id" // int64: who is logged in
	SessionFlash  = "flash"   // Flash: said once, on the next page
	// SessionUser holds the User that was loaded together with the session. It
	// is read only: it is not stored.
	SessionUser = "user"
	// SessionStored is true in a session that came from the store. Such a
	// session is only ever updated, so that a request which is still under way
	// cannot bring back a session that was ended meanwhile. Remove it when the
	// token is renewed.
	SessionStored = "stored"
)

// Flash is a sentence for the next page. Kind is one of package views' tones.
type Flash struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// storedSession is a session as the table holds it.
type storedSession struct {
	Deadline time.Time `json:"deadline"`
	UserID   int64     `json:"user_id,omitempty"`
	Flash    *Flash    `json:"flash,omitempty"`
	Stored   bool      `json:"stored,omitempty"`
}

// SessionCodec writes and reads what [SessionStore] keeps. The session manager
// and the store must both be ours: the store looks into what the codec wrote.
type SessionCodec struct{}

// Encode writes the known values; unknown ones are an error, not a loss.
func (SessionCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	stored := storedSession{Deadline: deadline}
	for key, value := range values {
		ok := true
		switch key {
		case SessionUserID:
			stored.UserID, ok = value.(int64)
		case SessionFlash:
			var flash Flash
			flash, ok = value.(Flash)
			stored.Flash = &flash
		case SessionStored:
			stored.Stored, ok = value.(bool)
		case SessionUser:
		default:
			ok = false
		}
		if !ok {
			return nil, fmt.Errorf("encode session: unexpected %q of type %T", key, value)
		}
	}
	return json.Marshal(stored)
}

// Decode reads a session, and the user that the store put behind it.
func (SessionCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var stored storedSession
	if err := decoder.Decode(&stored); err != nil {
		return time.Time{}, nil, fmt.Errorf("decode session: %w", err)
	}
	values := map[string]any{SessionStored: true}
	if stored.Flash != nil {
		values[SessionFlash] = *stored.Flash
	}
	var user User
	switch err := decoder.Decode(&user); {
	case errors.Is(err, io.EOF): // nobody is logged in
	case err != nil:
		return time.Time{}, nil, fmt.Errorf("decode session's user: %w", err)
	default:
		values[SessionUserID], values[SessionUser] = stored.UserID, user
	}
	return stored.Deadline, values, nil
}

// SessionStore keeps sessions in the database. Finding one is a single round
// trip that brings its user along. It implements the store interfaces of
// package scs; tokens arrive hashed (HashTokenInStore) and expired sessions
// are never found.
type SessionStore struct {
	q *dbgen.Queries
}

// Sessions returns the store of sessions.
func (s *Store) Sessions() *SessionStore { return &SessionStore{q: s.q} }

// FindCtx returns the session of a token.
func (s *SessionStore) FindCtx(ctx context.Context, tokenHash string) ([]byte, bool, error) {
	row, err := s.q.SessionFind(ctx, tokenHash)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	if row.ID == nil || row.CreatedAt == nil {
		return row.Data, true, nil
	}
	user := userOf(dbgen.UserByIDRow{
		ID: *row.ID, Email: row.Email, IsAdmin: row.IsAdmin, CreatedAt: *row.CreatedAt,
		WeekStart: row.WeekStart, TimeZone: row.TimeZone, DurationFormat: row.DurationFormat,
		UsedWeekStart: row.UsedWeekStart, UsedTimeZone: row.UsedTimeZone,
		UsedDurationFormat: row.UsedDurationFormat, UsedClock: row.UsedClock, UsedCapacity: row.UsedCapacity,
	})
	if row.TimerProjectID != 0 {
		user.Timer = activeTimer(&row)
	}
	text, err := json.Marshal(user)
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	return append(append(row.Data, '\n'), text...), true, nil
}

// CommitCtx stores a session. One that came from the store and is no longer
// there stays away.
func (s *SessionStore) CommitCtx(ctx context.Context, tokenHash string, data []byte, expiry time.Time) error {
	var stored storedSession
	if err := json.Unmarshal(data, &stored); err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	var userID *int64
	if stored.UserID != 0 {
		userID = &stored.UserID
	}
	var err error
	if stored.Stored {
		err = s.q.SessionUpdate(ctx, dbgen.SessionUpdateParams{TokenHash: tokenHash, UserID: userID, Data: data, ExpiresAt: expiry})
	} else {
		err = s.q.SessionInsert(ctx, dbgen.SessionInsertParams{TokenHash: tokenHash, UserID: userID, Data: data, ExpiresAt: expiry})
	}
	if err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	return nil
}

// DeleteCtx ends a session.
func (s *SessionStore) DeleteCtx(ctx context.Context, tokenHash string) error {
	if err := s.q.SessionDelete(ctx, tokenHash); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// Find is FindCtx without a context; the session manager does not call it.
func (s *SessionStore) Find(tokenHash string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), tokenHash)
}

// Commit is CommitCtx without a context; the session manager does not call it.
func (s *SessionStore) Commit(tokenHash string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), tokenHash, data, expiry)
}

// Delete is DeleteCtx without a context; the session manager does not call it.
func (s *SessionStore) Delete(tokenHash string) error {
	return s.DeleteCtx(context.Background(), tokenHash)
}

// CleanSessions removes expired sessions and login failures that no longer
// count. It is meant to be called every few minutes, by any process.
func (s *Store) CleanSessions(ctx context.Context) error {
	if _, err := s.q.SessionsClean(ctx); err != nil {
		return fmt.Errorf("clean sessions: %w", err)
	}
	if _, err := s.q.ThrottlesClean(ctx, time.Now().Add(-failureMemory)); err != nil {
		return fmt.Errorf("clean login failures: %w", err)
	}
	return nil
}
