package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"furrow/db"
	"furrow/handlers"
	"furrow/ledger"
	"furrow/planner"
)

// adminExport takes everything of a user out.
type adminExport struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address of the account."`
	File  string `arg:"" help:"Zip file to make. There must be none of that name yet; only you may read it."`
}

// Run exports a user.
func (c *adminExport) Run(ctx context.Context, env *environment) error {
	return withStore(ctx, c.databaseConfig, env, func(store *db.Store) error {
		login, err := store.LoginByEmail(ctx, c.Email)
		if err != nil {
			return unknownAccount(err, c.Email)
		}
		return told(env, c.export(ctx, store, login.UserID), "Everything of %s is in %s.\n", c.Email, c.File)
	})
}

func (c *adminExport) export(ctx context.Context, store *db.Store, userID int64) (err error) {
	export, err := store.BeginExport(ctx, userID)
	if err != nil {
		return err
	}
	defer export.Close()
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is a file %s already: name another one", c.File)
	}
	if err != nil {
		return fmt.Errorf("the file %s cannot be made: %w", c.File, errors.Unwrap(err))
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			err = errors.Join(err, os.Remove(c.File))
		}
	}()
	if err := export.Write(ctx, file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return store.InTx(ctx, func(tx *db.Tx) error {
		return tx.Audit(ctx, 0, "account.export", fmt.Sprintf("user %d", userID), map[string]any{"from": "shell"})
	})
}

// adminDelete deletes a user.
type adminDelete struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address of the account."`
	Yes   bool   `help:"Do it. Without, it is only said what goes and what stays."`
	Drop  bool   `name:"drop-unsent" help:"Drop changes that have not reached Harvest. Without, an account that has some is not deleted."`
}

// Run deletes a user, or says what that would mean.
func (c *adminDelete) Run(ctx context.Context, env *environment) error {
	return withStore(ctx, c.databaseConfig, env, func(store *db.Store) error {
		login, err := store.LoginByEmail(ctx, c.Email)
		if err != nil {
			return unknownAccount(err, c.Email)
		}
		b, err := store.Belongings(ctx, login.UserID)
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "%s has %d planned cells with %d changes, %d templates, %d recurring rows, and %d lines of the ledger, %d of which have not reached Harvest.\n"+
			"Time entries in Harvest stay as they are. Backups made before still hold everything.\n",
			b.Email, b.Cells, b.Changes, b.Templates, b.Recurrences, b.Writes, b.Unsent)
		if !c.Yes {
			return errors.New("nothing was deleted: say --yes to do it")
		}
		err = store.DeleteUser(ctx, login.UserID, 0, c.Drop)
		switch {
		case errors.Is(err, db.ErrUnsent):
			return fmt.Errorf("nothing was deleted: %d changes have not reached Harvest; wait until they have, or say --drop-unsent", b.Unsent)
		case errors.Is(err, db.ErrSending):
			return errors.New("nothing was deleted: something is being sent to Harvest at this moment; try again in half a minute")
		case errors.Is(err, db.ErrLastAdmin):
			return errors.New("nothing was deleted: nobody else is an admin; make somebody one first, with furrow admin promote")
		}
		return told(env, err, "The account %s is deleted.\n", b.Email)
	})
}

// linkConfig is what commands take that print a link.
type linkConfig struct {
	databaseConfig

	Email     string `arg:"" help:"E-mail address of the account."`
	PublicURL string `name:"public-url" default:"http://127.0.0.1:8080" env:"FURROW_PUBLIC_URL" placeholder:"URL" help:"Where people reach the program (${default})."`
}

// adminInvite invites somebody.
type adminInvite struct {
	linkConfig

	Role string `enum:"user,viewer,operator,admin" default:"user" help:"Role of the account to be made: user, viewer, operator or admin (${default})."`
}

// adminResetLink makes a link to choose a new password.
type adminResetLink struct {
	linkConfig
}

// print makes a link in a transaction and prints it.
func (c *linkConfig) print(ctx context.Context, env *environment, what string, path func(*url.URL, ledger.Secret) string, issue func(*db.Tx) (ledger.Secret, error)) error {
	public, err := url.Parse(c.PublicURL)
	if err != nil || public.Host == "" {
		return fmt.Errorf("--public-url %q is not an http or https address", c.PublicURL)
	}
	return withStore(ctx, c.databaseConfig, env, func(store *db.Store) error {
		var token ledger.Secret
		err := store.InTx(ctx, func(tx *db.Tx) (err error) {
			token, err = issue(tx)
			return err
		})
		return told(env, err, "Give this link to %s. %s\n%s\n", c.Email, what, path(public, token))
	})
}

// Run prints an invitation.
func (c *adminInvite) Run(ctx context.Context, env *environment) error {
	if !handlers.ValidEmail(c.Email) {
		return fmt.Errorf("%q is not an e-mail address", c.Email)
	}
	err := c.print(ctx, env, "It works once, for seven days, and makes an account.", handlers.InvitationURL, func(tx *db.Tx) (ledger.Secret, error) {
		return tx.Invite(ctx, 0, c.Email, db.Role(c.Role))
	})
	if errors.Is(err, planner.ErrConflict) {
		return fmt.Errorf("there is an account for %s already", c.Email)
	}
	return err
}

// Run prints a link to choose a new password.
func (c *adminResetLink) Run(ctx context.Context, env *environment) error {
	err := c.print(ctx, env, "It works once, for an hour, and asks for a new password.", handlers.ResetURL, func(tx *db.Tx) (ledger.Secret, error) {
		return tx.ResetLink(ctx, 0, c.Email)
	})
	return unknownAccount(err, c.Email)
}
