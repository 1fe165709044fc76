package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// authHandler lets people in and out.
type authHandler struct {
	*site
	store  *db.Store
	logins *logins
}

// home leads to where one wants to be: this week, the login page, or the setup
// of an instance without accounts.
func (h *authHandler) home(w http.ResponseWriter, r *http.Request) error {
	if requestOf(r).user != nil {
		return h.redirect(w, r, views.ThisWeekPath)
	}
	exist, err := h.store.UsersExist(r.Context())
	if err != nil {
		return err
	}
	if !exist {
		return h.redirect(w, r, views.SetupPath)
	}
	return h.redirect(w, r, views.LoginPath)
}

func (h *authHandler) showLogin(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	if requestOf(r).user != nil {
		return h.redirect(w, r, next)
	}
	exist, err := h.store.UsersExist(r.Context())
	if err != nil {
		return err
	}
	if !exist {
		return h.redirect(w, r, views.SetupPath)
	}
	return h.loginPage(w, r, http.StatusOK, next, views.Fields{})
}

func (h *authHandler) loginPage(w http.ResponseWriter, r *http.Request, status int, next string, fields views.Fields) error {
	page := views.LoginPage{Chrome: h.chrome(r, "Log in", views.NavNone), Next: next, Fields: fields}
	return h.render(w, r, status, page.View())
}

// loginForm is what was typed to log in.
type loginForm struct {
	email, password, next string
	remember              bool
}

// login answers a wrong password and an unknown address alike, and in the same
// time.
func (h *authHandler) login(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	in := loginForm{email: db.NormalEmail(f.Get("email")), password: f.Get("password"), next: localPath(f.Get("next")), remember: f.Has("remember")}
	again := func(status int, sentence string) error {
		return h.loginPage(w, r, status, in.next, f.fields(planner.FieldErrors{"": sentence}, "email", "remember"))
	}
	login, wait, err := h.verify(r.Context(), in, deviceOf(r.Context()).Address)
	switch {
	case wait > 0:
		return again(http.StatusTooManyRequests, tooManyTries(w, wait))
	case errors.Is(err, planner.ErrNotFound):
		return again(http.StatusUnprocessableEntity, "The email address and the password do not fit together.")
	case err != nil:
		return err
	}
	remember := in.remember && !login.Role.May(db.RoleViewer)
	if login.SecondFactor {
		if err := h.sessions.await(r.Context(), login.UserID, remember); err != nil {
			return err
		}
		return h.redirect(w, r, views.LoginCodeURL(in.next))
	}
	if err := h.sessions.login(r.Context(), login.UserID); err != nil {
		return err
	}
	if remember {
		h.sessions.remember(r.Context())
	}
	return h.redirect(w, r, in.next)
}

// verify returns who the form logs in. It returns planner.ErrNotFound if the
// password is not that of the account, or how long to wait if there were too
// many failures.
func (h *authHandler) verify(ctx context.Context, in loginForm, address string) (login db.Login, wait time.Duration, err error) {
	wait, err = h.logins.begin(ctx, in.email, address)
	if err != nil || wait > 0 {
		return login, wait, err
	}
	login, err = h.store.LoginByEmail(ctx, in.email)
	if err != nil && !errors.Is(err, planner.ErrNotFound) {
		return login, 0, err
	}
	fits, outdated, err := h.logins.passwords.check(ctx, in.password, login.PasswordHash)
	if err != nil {
		return login, 0, err
	}
	if !fits {
		return login, 0, fmt.Errorf("log in: %w", planner.ErrNotFound)
	}
	if outdated {
		newHash, err := h.logins.passwords.hash(ctx, in.password)
		if err != nil {
			return login, 0, err
		}
		if err := h.store.Rehash(ctx, login.UserID, login.PasswordHash, newHash); err != nil {
			return login, 0, err
		}
	}
	if login.SecondFactor {
		return login, 0, h.store.PasswordFits(ctx, in.email, address)
	}
	return login, 0, h.store.LoginSucceeded(ctx, in.email, address)
}

func (h *authHandler) logout(w http.ResponseWriter, r *http.Request) error {
	if err := h.sessions.logout(r.Context()); err != nil {
		return err
	}
	return h.redirect(w, r, views.LoginPath)
}

// waitWords tells a wait in words, rounded up.
func waitWords(d time.Duration) string {
	if d <= time.Minute {
		n := int((d + time.Second - 1) / time.Second)
		if n == 1 {
			return "a second"
		}
		return fmt.Sprintf("%d seconds", n)
	}
	return fmt.Sprintf("%d minutes", int((d+time.Minute-1)/time.Minute))
}
