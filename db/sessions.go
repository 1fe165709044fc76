package db

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/planner"
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
	// SessionPendingID is who gave the right password and has to show a code
	// next (int64). Nobody is logged in meanwhile.
	SessionPendingID = "pending_id"
	// SessionBegin holds a SessionStart, in a session that begins. It is write
	// only: the store keeps it beside the session.
	SessionBegin = "begin"
	// SessionRemembered is true (bool) in a session that outlives the browser. The
	// name is that of package scs.
	SessionRemembered = "__rememberMe"
)

// How long sessions are good for besides their deadline.
const (
	// FreshLogin is how long what needs a fresh log-in is open after one.
	FreshLogin = 15 * time.Minute
	// Sessions of those with a role end after StaffIdle without them, and at the
	// latest StaffLifetime after they logged in.
	StaffIdle     = time.Hour
	StaffLifetime = 12 * time.Hour
	// seenEvery is how exactly it is known when somebody was last there.
	seenEvery = 5 * time.Minute
)

// Session is what is known of the session that a user was loaded with.
type Session struct {
	ID           int64
	Since        time.Time
	Fresh        bool // its user proved who they are within FreshLogin
	Unseen       bool // it is time to note that they are there: [SessionStore.Seen]
	SecondFactor bool // they log in with a code besides the password
}

// Device is what a session is used from.
type Device struct {
	Address string // as logins are counted by it
	Agent   string // what the browser says that it is
}

// SessionStart is where and when a session begins.
type SessionStart struct {
	Device Device    `json:"device"`
	Since  time.Time `json:"since,omitzero"` // of the session that this one goes on with; zero for none
}

// OpenSession is a session in the list of its user's.
type OpenSession struct {
	ID     int64
	Since  time.Time
	Seen   time.Time // to a few minutes
	Device Device
}

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

	PendingID  int64         `json:"pending_id,omitempty"`
	Remembered bool          `json:"remembered,omitempty"`
	Begin      *SessionStart `json:"begin,omitempty"`
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
		case SessionPendingID:
			stored.PendingID, ok = value.(int64)
		case SessionRemembered:
			stored.Remembered, ok = value.(bool)
		case SessionBegin:
			var begin SessionStart
			begin, ok = value.(SessionStart)
			stored.Begin = &begin
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
	if stored.PendingID != 0 {
		values[SessionPendingID] = stored.PendingID
	}
	if stored.Remembered {
		values[SessionRemembered] = true
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
	row, err := s.q.SessionFind(ctx, dbgen.SessionFindParams{
		TokenHash: tokenHash, FreshFor: FreshLogin, SeenEvery: seenEvery, StaffIdle: StaffIdle, StaffLifetime: StaffLifetime,
	})
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
		ID: *row.ID, Email: row.Email, Role: row.Role, CreatedAt: *row.CreatedAt,
		WeekStart: row.WeekStart, TimeZone: row.TimeZone, DurationFormat: row.DurationFormat, LetterKeys: row.LetterKeys,
		UsedWeekStart: row.UsedWeekStart, UsedTimeZone: row.UsedTimeZone,
		UsedDurationFormat: row.UsedDurationFormat, UsedClock: row.UsedClock, UsedCapacity: row.UsedCapacity, Capacity: row.Capacity,
	})
	user.Session = &Session{ID: row.SessionID, Since: row.SessionCreatedAt, Fresh: row.Fresh, Unseen: row.Unseen, SecondFactor: row.SecondFactor}
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
	var err error
	if stored.Stored {
		err = s.q.SessionUpdate(ctx, dbgen.SessionUpdateParams{TokenHash: tokenHash, Data: data, ExpiresAt: expiry})
	} else {
		err = s.q.SessionInsert(ctx, stored.row(tokenHash, data, expiry))
	}
	if err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	return nil
}

// row is a session that begins.
func (stored storedSession) row(tokenHash string, data []byte, expiry time.Time) dbgen.SessionInsertParams {
	row := dbgen.SessionInsertParams{TokenHash: tokenHash, Data: data, ExpiresAt: expiry, AwaitsCode: stored.PendingID != 0}
	switch {
	case stored.UserID != 0:
		row.UserID = &stored.UserID
	case stored.PendingID != 0: // it ends with the user's sessions
		row.UserID = &stored.PendingID
	}
	if stored.Begin != nil {
		row.Address, row.Agent = stored.Begin.Device.Address, stored.Begin.Device.Agent
		if !stored.Begin.Since.IsZero() {
			row.CreatedAt = &stored.Begin.Since
		}
	}
	return row
}

// Seen notes that the user of a session is there.
func (s *SessionStore) Seen(ctx context.Context, id int64, from Device) error {
	if err := s.q.SessionSeen(ctx, dbgen.SessionSeenParams{ID: id, Address: from.Address, Agent: from.Agent}); err != nil {
		return fmt.Errorf("note session %d: %w", id, err)
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

// OpenSessions returns where the user is logged in, the one last used first.
func (s *Store) OpenSessions(ctx context.Context, userID int64) ([]OpenSession, error) {
	rows, err := s.q.SessionsOfUser(ctx, dbgen.SessionsOfUserParams{UserID: userID, StaffIdle: StaffIdle, StaffLifetime: StaffLifetime})
	if err != nil {
		return nil, fmt.Errorf("list sessions of user %d: %w", userID, err)
	}
	open := make([]OpenSession, len(rows))
	for i, row := range rows {
		open[i] = OpenSession{ID: row.ID, Since: row.CreatedAt, Seen: row.SeenAt, Device: Device{Address: row.Address, Agent: row.Agent}}
	}
	return open, nil
}

// RevokeSession ends a session of the user's. It returns [planner.ErrNotFound]
// if they have none of that id.
func (s *Store) RevokeSession(ctx context.Context, userID, id int64) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.q.SessionRevoke(ctx, dbgen.SessionRevokeParams{UserID: userID, ID: id})
		if err != nil {
			return err
		}
		if n == 0 {
			return planner.ErrNotFound
		}
		return tx.Audit(ctx, userID, "sessions.revoke", userSubject(userID), map[string]any{"count": n})
	})
	if err != nil {
		return fmt.Errorf("revoke session %d of user %d: %w", id, userID, err)
	}
	return nil
}

// RevokeOtherSessions ends all sessions of the user's but the one with the id,
// and returns how many those were.
func (s *Store) RevokeOtherSessions(ctx context.Context, userID, id int64) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.q.SessionsRevokeOthers(ctx, dbgen.SessionsRevokeOthersParams{UserID: userID, ID: id})
		if err != nil || n == 0 {
			return err
		}
		return tx.Audit(ctx, userID, "sessions.revoke", userSubject(userID), map[string]any{"count": n})
	})
	if err != nil {
		return 0, fmt.Errorf("revoke the other sessions of user %d: %w", userID, err)
	}
	return n, nil
}

// userSubject names a user in the audit.
func userSubject(id int64) string { return "user " + strconv.FormatInt(id, 10) }

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
