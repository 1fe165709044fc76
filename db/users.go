package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"furrow/db/dbgen"
	"furrow/planner"
)

// User is somebody who may log in, with what they chose and what is in force
// for them.
type User struct {
	ID      int64
	Email   string
	IsAdmin bool
	Created time.Time
	// Chosen overrides what the Harvest account says.
	Chosen Preferences
	// Profile is what is in force: the choice, then Harvest's setting, then the default.
	Profile planner.Profile
	// Timer is the one that runs or is about to, as of when the session was loaded;
	// nil for none, or without a session.
	Timer *ActiveTimer
}

// Preferences are a user's own settings. Empty ones follow Harvest.
type Preferences struct {
	WeekStart      *time.Weekday
	TimeZone       string // IANA name
	DurationFormat planner.DurationFormat
}

// UserSummary is a user in the list of all.
type UserSummary struct {
	ID              int64
	Email           string
	IsAdmin         bool
	Created         time.Time
	CompanyName     string // of the Harvest connection; empty if there is none
	ConnectionState string
}

// NormalEmail is the form in which an e-mail address is stored and compared.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// UsersExist reports whether anybody has an account yet.
func (s *Store) UsersExist(ctx context.Context) (bool, error) {
	exist, err := s.q.UsersExist(ctx)
	if err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	return exist, nil
}

// CreateFirstUser makes the first account, an admin's, and returns its id. It
// returns [planner.ErrConflict] if there is an account already, also when two
// callers try at the same time.
func (s *Store) CreateFirstUser(ctx context.Context, email, passwordHash string) (int64, error) {
	var id int64
	err := s.InTx(ctx, func(tx *Tx) error {
		// Nobody else inserts until this ends; readers are not held up.
		if _, err := tx.Exec(ctx, "lock table users in share row exclusive mode"); err != nil {
			return err
		}
		exist, err := tx.q.UsersExist(ctx)
		if err != nil {
			return err
		}
		if exist {
			return planner.ErrConflict
		}
		id, err = tx.q.UserCreate(ctx, dbgen.UserCreateParams{Email: NormalEmail(email), PasswordHash: passwordHash, IsAdmin: true})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("create the first user: %w", err)
	}
	return id, nil
}

// CreateUser makes an account and returns its id. For the shell, where the
// caller has the machine. It returns [planner.ErrConflict] if the address is taken.
func (s *Store) CreateUser(ctx context.Context, email, passwordHash string, admin bool) (int64, error) {
	id, err := s.q.UserCreate(ctx, dbgen.UserCreateParams{Email: NormalEmail(email), PasswordHash: passwordHash, IsAdmin: admin})
	if isUniqueViolation(err) {
		err = planner.ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("create user: %w", err)
	}
	return id, nil
}

// PromoteUser makes a user an admin. It returns [planner.ErrNotFound] if
// nobody has the address.
func (s *Store) PromoteUser(ctx context.Context, email string) error {
	if _, err := s.q.UserPromote(ctx, NormalEmail(email)); err != nil {
		return fmt.Errorf("promote user: %w", notFound(err))
	}
	return nil
}

// ResetPassword sets the password of the user with the address, ends all their
// sessions and forgets their failed logins. It returns [planner.ErrNotFound]
// if nobody has the address.
func (s *Store) ResetPassword(ctx context.Context, email, passwordHash string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		id, err := tx.q.UserSetPasswordByEmail(ctx, dbgen.UserSetPasswordByEmailParams{Email: NormalEmail(email), PasswordHash: passwordHash})
		if err != nil {
			return notFound(err)
		}
		if err := tx.q.ThrottleForget(ctx, accountSubject(email)); err != nil {
			return err
		}
		return tx.q.SessionsDeleteOfUser(ctx, id)
	})
	if err != nil {
		return fmt.Errorf("reset password: %w", err)
	}
	return nil
}

// User returns a user; [planner.ErrNotFound] if there is none of that id.
func (s *Store) User(ctx context.Context, id int64) (User, error) {
	row, err := s.q.UserByID(ctx, id)
	if err != nil {
		return User{}, fmt.Errorf("user %d: %w", id, notFound(err))
	}
	return userOf(row), nil
}

// Users returns everybody, oldest account first.
func (s *Store) Users(ctx context.Context) ([]UserSummary, error) {
	rows, err := s.q.Users(ctx)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	users := make([]UserSummary, len(rows))
	for i, row := range rows {
		users[i] = UserSummary{
			ID: row.ID, Email: row.Email, IsAdmin: row.IsAdmin, Created: row.CreatedAt,
			CompanyName: row.CompanyName, ConnectionState: row.ConnectionState,
		}
	}
	return users, nil
}

// LoginByEmail returns the id and the password hash of the user with the
// address; [planner.ErrNotFound] if nobody has it.
func (s *Store) LoginByEmail(ctx context.Context, email string) (id int64, passwordHash string, err error) {
	row, err := s.q.UserLoginByEmail(ctx, NormalEmail(email))
	if err != nil {
		return 0, "", fmt.Errorf("look up a login: %w", notFound(err))
	}
	return row.ID, row.PasswordHash, nil
}

// PasswordHash returns the password hash of a user.
func (s *Store) PasswordHash(ctx context.Context, userID int64) (string, error) {
	hash, err := s.q.UserPasswordHash(ctx, userID)
	if err != nil {
		return "", fmt.Errorf("password of user %d: %w", userID, notFound(err))
	}
	return hash, nil
}

// Rehash replaces the stored form of an unchanged password. It does nothing if
// the password was changed since oldHash was read.
func (s *Store) Rehash(ctx context.Context, userID int64, oldHash, newHash string) error {
	err := s.q.UserRehash(ctx, dbgen.UserRehashParams{ID: userID, OldHash: oldHash, NewHash: newHash})
	if err != nil {
		return fmt.Errorf("rehash password of user %d: %w", userID, err)
	}
	return nil
}

// SetPreferences stores what the user chose over Harvest's settings.
func (s *Store) SetPreferences(ctx context.Context, userID int64, p Preferences) error {
	params := dbgen.UserSetPreferencesParams{ID: userID, TimeZone: nonEmpty(p.TimeZone), DurationFormat: nonEmpty(string(p.DurationFormat))}
	if p.WeekStart != nil {
		day := int16(*p.WeekStart)
		params.WeekStart = &day
	}
	n, err := s.q.UserSetPreferences(ctx, params)
	if err == nil && n == 0 {
		err = planner.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("set preferences of user %d: %w", userID, err)
	}
	return nil
}

// ChangePassword sets the user's password and, in the same transaction, ends
// all their sessions. The caller renews the session it answers in.
func (s *Store) ChangePassword(ctx context.Context, userID int64, passwordHash string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.q.UserSetPassword(ctx, dbgen.UserSetPasswordParams{ID: userID, PasswordHash: passwordHash})
		if err != nil {
			return err
		}
		if n == 0 {
			return planner.ErrNotFound
		}
		return tx.q.SessionsDeleteOfUser(ctx, userID)
	})
	if err != nil {
		return fmt.Errorf("change password of user %d: %w", userID, err)
	}
	return nil
}

func userOf(row dbgen.UserByIDRow) User {
	u := User{
		ID: row.ID, Email: row.Email, IsAdmin: row.IsAdmin, Created: row.CreatedAt,
		Profile: planner.Profile{
			WeekStart: time.Weekday(row.UsedWeekStart), TimeZone: row.UsedTimeZone, Clock: row.UsedClock,
			DurationFormat: planner.DurationFormat(row.UsedDurationFormat), WeeklyCapacity: planner.Minutes(row.UsedCapacity),
		},
	}
	if row.WeekStart != nil {
		day := time.Weekday(*row.WeekStart)
		u.Chosen.WeekStart = &day
	}
	if row.TimeZone != nil {
		u.Chosen.TimeZone = *row.TimeZone
	}
	if row.DurationFormat != nil {
		u.Chosen.DurationFormat = planner.DurationFormat(*row.DurationFormat)
	}
	return u
}

// nonEmpty is s, or null for the empty string.
func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
