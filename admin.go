package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"furrow/db"
	"furrow/handlers"
	"furrow/planner"
)

// withStore runs f over the store of the configuration, migrated.
func withStore(ctx context.Context, c databaseConfig, env *environment, f func(*db.Store) error) error {
	d, err := openDatabase(ctx, c, env, shared)
	if err != nil {
		return err
	}
	defer d.close(env.log)
	if err := db.Migrate(ctx, d.pool); err != nil {
		return err
	}
	return f(db.NewStore(d.pool, nil)) // accounts need no secret key
}

// Run makes an account.
func (c *adminCreate) Run(ctx context.Context, env *environment) error {
	if !handlers.ValidEmail(c.Email) {
		return fmt.Errorf("%q is not an e-mail address", c.Email)
	}
	hash, err := newPassword(env, c.Email)
	if err != nil {
		return err
	}
	return withStore(ctx, c.databaseConfig, env, func(store *db.Store) error {
		role := db.RoleUser
		if c.Admin {
			role = db.RoleAdmin
		}
		_, err := store.CreateUser(ctx, c.Email, hash, role)
		if errors.Is(err, planner.ErrConflict) {
			return fmt.Errorf("there is an account for %s already", c.Email)
		}
		return told(env, err, "Made the account %s.\n", c.Email)
	})
}

// Run gives somebody a role.
func (c *adminPromote) Run(ctx context.Context, env *environment) error {
	return withStore(ctx, c.databaseConfig, env, func(store *db.Store) error {
		err := store.SetRole(ctx, c.Email, db.Role(c.Role))
		if errors.Is(err, db.ErrLastAdmin) {
			return errors.New("nothing was changed: nobody else is an admin; make somebody one first")
		}
		return told(env, unknownAccount(err, c.Email), "%s has the role %s now, and is logged out everywhere.\n", c.Email, c.Role)
	})
}

// Run gives somebody a new password.
func (c *adminResetPassword) Run(ctx context.Context, env *environment) error {
	hash, err := newPassword(env, c.Email)
	if err != nil {
		return err
	}
	return withStore(ctx, c.databaseConfig, env, func(store *db.Store) error {
		return told(env, unknownAccount(store.ResetPassword(ctx, c.Email, hash), c.Email), "%s has a new password and is logged out everywhere.\n", c.Email)
	})
}

// Run takes somebody's second factor away.
func (c *adminResetTOTP) Run(ctx context.Context, env *environment) error {
	return withStore(ctx, c.databaseConfig, env, func(store *db.Store) error {
		err := store.ResetSecondFactor(ctx, c.Email)
		if errors.Is(err, planner.ErrConflict) {
			return fmt.Errorf("%s has no second factor", c.Email)
		}
		return told(env, unknownAccount(err, c.Email), "%s logs in with the password alone now.\n", c.Email)
	})
}

func unknownAccount(err error, email string) error {
	if errors.Is(err, planner.ErrNotFound) {
		return fmt.Errorf("there is no account for %s", email)
	}
	return err
}

func told(env *environment, err error, format string, args ...any) error {
	if err == nil {
		fmt.Fprintf(env.stdout, format, args...)
	}
	return err
}

// newPassword reads a password, unseen on a terminal, and hashes it.
func newPassword(env *environment, email string) (hash string, err error) {
	var password string
	if file, ok := env.stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(env.stdout, "New password: ")
		typed, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(env.stdout)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		password = string(typed)
	} else {
		line, err := bufio.NewReader(env.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		password = strings.TrimRight(line, "\r\n")
	}
	if problem := handlers.PasswordProblem(password, email); problem != "" {
		return "", errors.New(problem)
	}
	return handlers.HashPassword(password)
}
