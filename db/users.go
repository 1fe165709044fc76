package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// Role is what somebody may do besides their own work. Each role may do what
// those before it may.
type Role string

// The roles.
const (
	RoleUser     Role = "user"     // nothing
	RoleViewer   Role = "viewer"   // see the admin pages
	RoleOperator Role = "operator" // act on writes, jobs, connections and what holds calls back
	RoleAdmin    Role = "admin"    // act on users
)

// Roles returns all roles, the one that may do least first.
func Roles() []Role { return []Role{RoleUser, RoleViewer, RoleOperator, RoleAdmin} }

// May reports whether r may do what needs the role least.
func (r Role) May(least Role) bool {
	return slices.Index(Roles(), r) >= slices.Index(Roles(), least)
}

// User is somebody who may log in, with what they chose and what is in force
// for them.
type User struct {
	ID      int64
	Email   string
	Role    Role
	Created time.Time
	// Chosen overrides what the Harvest account says.
	Chosen Preferences
	// Profile is what is in force: the choice, then Harvest's setting, then the default.
	Profile planner.Profile
	// Timer is the one that runs or is about to, as of when the session was loaded;
	// nil for none, or without a session.
	Timer *ActiveTimer
	// Session is the one that the user was loaded with; nil for none.
	Session *Session
}

// Preferences are a user's own settings. Empty ones follow Harvest, or are as
// everybody has them at first.
type Preferences struct {
	WeekStart      *time.Weekday
	TimeZone       string // IANA name
	DurationFormat planner.DurationFormat
	LettersOff     bool // single letters do nothing
}

// UserSummary is a user as admins see them.
type UserSummary struct {
	ID              int64
	Email           string
	Role            Role
	Created         time.Time
	CompanyName     string // of the Harvest connection; empty if there is none
	ConnectionID    int64  // 0: there never was one
	ConnectionState ledger.ConnectionState
	Paused          bool      // the connection, by an operator
	Sessions        int       // that are alive
	Seen            time.Time // of these the last one, within minutes; zero: none
}

// NoConnection is the state of a connection that there never was, to filter by.
const NoConnection ledger.ConnectionState = "none"

// UserFilter chooses users. Zero fields do not filter.
type UserFilter struct {
	ID         int64
	Role       Role
	Connection ledger.ConnectionState // or [NoConnection]
	Search     string                 // in the address
	After      int64                  // only ids above
	Most       int                    // at most so many; 0: 50
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
		id, err = tx.q.UserCreate(ctx, dbgen.UserCreateParams{Email: NormalEmail(email), PasswordHash: passwordHash, Role: string(RoleAdmin)})
		if err != nil {
			return err
		}
		return tx.Audit(ctx, id, "account.create", userSubject(id), map[string]any{"role": RoleAdmin})
	})
	if err != nil {
		return 0, fmt.Errorf("create the first user: %w", err)
	}
	return id, nil
}

// CreateUser makes an account and returns its id. For the shell, where the
// caller has the machine. It returns [planner.ErrConflict] if the address is taken.
func (s *Store) CreateUser(ctx context.Context, email, passwordHash string, role Role) (int64, error) {
	var id int64
	err := s.InTx(ctx, func(tx *Tx) (err error) {
		id, err = tx.q.UserCreate(ctx, dbgen.UserCreateParams{Email: NormalEmail(email), PasswordHash: passwordHash, Role: string(role)})
		if isUniqueViolation(err) {
			return planner.ErrConflict
		}
		if err != nil {
			return err
		}
		return tx.Audit(ctx, 0, "account.create", userSubject(id), map[string]any{"role": role})
	})
	if err != nil {
		return 0, fmt.Errorf("create user: %w", err)
	}
	return id, nil
}

// SetRole gives the user with the address a role and ends all their sessions,
// which were begun with another. For the shell. It returns [planner.ErrNotFound]
// if nobody has the address, and [ErrLastAdmin] if no admin would be left.
func (s *Store) SetRole(ctx context.Context, email string, role Role) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		admins, err := tx.q.AdminsLock(ctx)
		if err != nil {
			return err
		}
		login, err := tx.q.UserLoginByEmail(ctx, NormalEmail(email))
		if err != nil {
			return notFound(err)
		}
		if role != RoleAdmin && slices.Equal(admins, []int64{login.ID}) {
			return ErrLastAdmin
		}
		before, err := tx.giveRole(ctx, login.ID, role)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, 0, "users.role", userSubject(login.ID), map[string]any{"before": before, "after": role})
	})
	if err != nil {
		return fmt.Errorf("set the role of a user: %w", err)
	}
	return nil
}

// giveRole ends the sessions of the user, too. It returns the role they had.
func (tx *Tx) giveRole(ctx context.Context, userID int64, role Role) (before Role, err error) {
	had, err := tx.q.UserRoleChange(ctx, dbgen.UserRoleChangeParams{ID: userID, Role: string(role)})
	if err != nil {
		return "", notFound(err)
	}
	return Role(had), tx.q.SessionsDeleteOfUser(ctx, userID)
}

// ResetPassword sets the password of the user with the address, ends all their
// sessions and forgets their failed logins. It returns [planner.ErrNotFound]
// if nobody has the address.
func (s *Store) ResetPassword(ctx context.Context, email, passwordHash string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		login, err := tx.q.UserLoginByEmail(ctx, NormalEmail(email))
		if err != nil {
			return notFound(err)
		}
		return tx.resetPassword(ctx, 0, login.ID, email, passwordHash, "password.reset")
	})
	if err != nil {
		return fmt.Errorf("reset password: %w", err)
	}
	return nil
}

func (tx *Tx) resetPassword(ctx context.Context, actorID, userID int64, email, passwordHash, action string) error {
	if err := tx.q.ThrottleForget(ctx, accountSubject(email)); err != nil {
		return err
	}
	return tx.setPassword(ctx, actorID, userID, passwordHash, action)
}

// setPassword sets a user's password, ends all their sessions and audits it.
func (tx *Tx) setPassword(ctx context.Context, actorID, userID int64, passwordHash, action string) error {
	n, err := tx.q.UserSetPassword(ctx, dbgen.UserSetPasswordParams{ID: userID, PasswordHash: passwordHash})
	if err != nil {
		return err
	}
	if n == 0 {
		return planner.ErrNotFound
	}
	if err := tx.q.SessionsDeleteOfUser(ctx, userID); err != nil {
		return err
	}
	return tx.Audit(ctx, actorID, action, userSubject(userID), map[string]any{})
}

// User returns a user; [planner.ErrNotFound] if there is none of that id.
func (s *Store) User(ctx context.Context, id int64) (User, error) {
	row, err := s.q.UserByID(ctx, id)
	if err != nil {
		return User{}, fmt.Errorf("user %d: %w", id, notFound(err))
	}
	return userOf(row), nil
}

// Users returns the users that match, oldest account first.
func (s *Store) Users(ctx context.Context, f UserFilter) ([]UserSummary, error) {
	rows, err := s.plannedAnew().Users(ctx, dbgen.UsersParams{
		ID: nonzero(f.ID), Role: string(f.Role), Connection: string(f.Connection), After: nonzero(f.After),
		Pattern: WriteFilter{Search: f.Search}.pattern(), Most: WriteFilter{Most: f.Most}.most(),
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	users := make([]UserSummary, len(rows))
	for i, row := range rows {
		users[i] = UserSummary{
			ID: row.ID, Email: row.Email, Role: Role(row.Role), Created: row.CreatedAt, CompanyName: row.CompanyName,
			ConnectionID: row.ConnectionID, ConnectionState: ledger.ConnectionState(row.ConnectionState), Paused: row.Paused,
			Sessions: int(row.Sessions), Seen: instant(row.SeenAt),
		}
	}
	return users, nil
}

// UserSummary returns one user; [planner.ErrNotFound] if there is none of that id.
func (s *Store) UserSummary(ctx context.Context, id int64) (UserSummary, error) {
	list, err := s.Users(ctx, UserFilter{ID: id})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("user %d: %w", id, planner.ErrNotFound)
	}
	if err != nil {
		return UserSummary{}, err
	}
	return list[0], nil
}

// CountUsers counts everybody by role.
func (s *Store) CountUsers(ctx context.Context) (map[Role]int, error) {
	rows, err := s.q.UsersByRole(ctx)
	if err != nil {
		return nil, fmt.Errorf("count users: %w", err)
	}
	counts := make(map[Role]int, len(rows))
	for _, r := range rows {
		counts[Role(r.Role)] = int(r.Users)
	}
	return counts, nil
}

// ChangeRole gives a user a role, and ends their sessions: what they may do is
// asked for anew. It returns the role they had. [planner.ErrNotFound]: there is
// no such user; [planner.ErrConflict]: it is the admin's own, so that there is
// always one left; [planner.ErrForbidden]: the actor is no admin any more.
func (tx *Tx) ChangeRole(ctx context.Context, actorID, userID int64, role Role) (before Role, err error) {
	admins, err := tx.q.AdminsLock(ctx)
	switch {
	case err != nil:
	case !slices.Contains(admins, actorID):
		err = planner.ErrForbidden
	case actorID == userID:
		err = planner.ErrConflict
	}
	if err == nil {
		before, err = tx.giveRole(ctx, userID, role)
	}
	if err != nil {
		return "", fmt.Errorf("change the role of user %d: %w", userID, err)
	}
	return before, nil
}

// Login is what somebody logs in with.
type Login struct {
	UserID       int64
	Role         Role
	PasswordHash string
	SecondFactor bool // a code besides the password
}

// LoginByEmail returns how the user with the address logs in;
// [planner.ErrNotFound] if nobody has it.
func (s *Store) LoginByEmail(ctx context.Context, email string) (Login, error) {
	row, err := s.q.UserLoginByEmail(ctx, NormalEmail(email))
	if err != nil {
		return Login{}, fmt.Errorf("look up a login: %w", notFound(err))
	}
	return Login{UserID: row.ID, Role: Role(row.Role), PasswordHash: row.PasswordHash, SecondFactor: row.SecondFactor}, nil
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
	params := dbgen.UserSetPreferencesParams{ID: userID, TimeZone: nonEmpty(p.TimeZone), DurationFormat: nonEmpty(string(p.DurationFormat)), LetterKeys: !p.LettersOff}
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
	err := s.InTx(ctx, func(tx *Tx) error { return tx.setPassword(ctx, userID, userID, passwordHash, "password.change") })
	if err != nil {
		return fmt.Errorf("change password of user %d: %w", userID, err)
	}
	return nil
}

func userOf(row dbgen.UserByIDRow) User {
	u := User{
		ID: row.ID, Email: row.Email, Role: Role(row.Role), Created: row.CreatedAt,
		Profile: planner.Profile{
			WeekStart: time.Weekday(row.UsedWeekStart), TimeZone: row.UsedTimeZone, Clock: row.UsedClock,
			DurationFormat: planner.DurationFormat(row.UsedDurationFormat), WeeklyCapacity: planner.Minutes(row.UsedCapacity),
			OwnCapacity: ownCapacity(row.Capacity),
		},
	}
	u.Chosen.LettersOff = !row.LetterKeys
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
