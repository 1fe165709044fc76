package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// confirmPage asks who is logged in to prove it again, and leads to next.
func (s *site) confirmPage(w http.ResponseWriter, r *http.Request, status int, next string, fields views.Fields) error {
	user := currentUser(r)
	return s.render(w, r, status, views.ConfirmPage{
		Chrome: s.chrome(r, "Confirm that it is you", views.NavNone), Email: user.Email, NeedsCode: user.Session.SecondFactor, Next: next, Fields: fields,
	}.View())
}

func (h *authHandler) showConfirm(w http.ResponseWriter, r *http.Request) error {
	return h.confirmPage(w, r, http.StatusOK, localPath(r.URL.Query().Get("next")), views.Fields{})
}

// confirm makes the log-in a fresh one. What needed it is not done: its page is
// shown again.
func (h *authHandler) confirm(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	user, next := currentUser(r), localPath(f.Get("next"))
	again := func(status int, sentence string) error {
		return h.confirmPage(w, r, status, next, views.Fields{Errors: planner.FieldErrors{"": sentence}})
	}
	asked := proof{password: new(f.Get("password"))}
	if user.Session.SecondFactor {
		asked.code = new(f.Get("code"))
	}
	fits, wait, err := h.logins.own(r.Context(), user, asked)
	switch {
	case err != nil:
		return err
	case wait > 0:
		return again(http.StatusTooManyRequests, tooManyTries(w, wait))
	case !fits && user.Session.SecondFactor:
		return again(http.StatusUnprocessableEntity, "The password or the code does not fit. Each code is good once.")
	case !fits:
		return again(http.StatusUnprocessableEntity, "This is not your password.")
	}
	if err := h.sessions.login(r.Context(), user.ID); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "Thank you. You are not asked again for 15 minutes. Nothing was done yet.")
	return h.redirect(w, r, next)
}

// logins compares what people prove with who they are.
type logins struct {
	store     *db.Store
	passwords *passwords
	counts    turns
	now       func() time.Time
}

// countsAtOnce bounds the connections to the database that a storm of logins
// takes, all of which may wait for one and the same row.
const countsAtOnce = 4

// begin is [db.Store.BeginLogin] in turn.
func (l *logins) begin(ctx context.Context, email, subject string) (wait time.Duration, err error) {
	release, err := l.counts.take(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	return l.store.BeginLogin(ctx, email, subject, l.now())
}

// proof is what is asked of somebody who is logged in; nil for what is not.
type proof struct {
	password *string
	code     *string
}

// own reports whether the proof is that of a user who is logged in. Guessing
// is throttled like a login, and wait is how long to wait after too much of it.
func (l *logins) own(ctx context.Context, user db.User, p proof) (fits bool, wait time.Duration, err error) {
	subject := "user " + strconv.FormatInt(user.ID, 10) // others at the address are not held up
	wait, err = l.begin(ctx, user.Email, subject)
	if err != nil || wait > 0 {
		return false, wait, err
	}
	if p.password != nil {
		if fits, err = l.password(ctx, user.ID, *p.password); err != nil || !fits {
			return false, 0, err
		}
	}
	if p.code != nil {
		if fits, err = l.code(ctx, user, *p.code); err != nil || !fits {
			return false, 0, err
		}
	}
	if p.code == nil && user.Session.SecondFactor {
		return true, 0, l.store.PasswordFits(ctx, user.Email, subject)
	}
	return true, 0, l.store.LoginSucceeded(ctx, user.Email, subject)
}

func (l *logins) password(ctx context.Context, userID int64, typed string) (fits bool, err error) {
	hash, err := l.store.PasswordHash(ctx, userID)
	if err != nil {
		return false, err
	}
	fits, _, err = l.passwords.check(ctx, typed, hash)
	return fits, err
}

// code reports whether what was typed is a code of the user's app, or a recovery
// code, that was not taken before; it is taken then.
func (l *logins) code(ctx context.Context, user db.User, typed string) (fits bool, err error) {
	if digits, ok := sixDigits(typed); ok {
		err = l.store.TakeCode(ctx, user.ID, func(secret ledger.Secret) (int64, bool) { return totpCode(secret, digits, l.now()) })
	} else {
		_, err = l.store.TakeRecoveryCode(ctx, user.ID, ledger.Secret(typed))
	}
	if errors.Is(err, planner.ErrNotFound) {
		return false, l.store.CodeFailed(ctx, user.ID, user.Email)
	}
	return err == nil, err
}

// tooManyTries says how long to wait, in a header too.
func tooManyTries(w http.ResponseWriter, wait time.Duration) string {
	w.Header().Set("Retry-After", seconds(wait))
	return "That were too many tries. Wait " + waitWords(wait) + ", then try again."
}
