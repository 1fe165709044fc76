package handlers

import (
	"fmt"
	"net/http"

	"furrow/planner"
	"furrow/views"
)

// showCode is the second step of a log-in: the password was right.
func (h *authHandler) showCode(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	if requestOf(r).user != nil {
		return h.redirect(w, r, next)
	}
	if _, _, ok := h.sessions.awaited(r.Context()); !ok {
		return h.redirect(w, r, views.LoginURL(next))
	}
	return h.codePage(w, r, http.StatusOK, next, "")
}

func (h *authHandler) codePage(w http.ResponseWriter, r *http.Request, status int, next, problem string) error {
	page := views.LoginCodePage{Chrome: h.chrome(r, "Log in", views.NavNone), Next: next}
	if problem != "" {
		page.Fields.Errors = planner.FieldErrors{"": problem}
	}
	return h.render(w, r, status, page.View())
}

// loginCode takes the code of who gave the right password before, in this session
// and a few minutes ago. Guessing it counts as guessing the password does.
func (h *authHandler) loginCode(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	next := localPath(f.Get("next"))
	userID, remember, ok := h.sessions.awaited(r.Context())
	switch {
	case requestOf(r).user != nil:
		return h.redirect(w, r, next)
	case !ok: // said without a session: nobody must be able to fill the table of them
		return h.loginPage(w, r, http.StatusUnprocessableEntity, next, views.Fields{Errors: planner.FieldErrors{"": "That took too long. Log in again."}})
	}
	user, err := h.store.User(r.Context(), userID)
	if err != nil {
		return err
	}
	address := deviceOf(r.Context()).Address
	wait, err := h.logins.begin(r.Context(), user.Email, address)
	if err != nil {
		return err
	}
	if wait > 0 {
		return h.codePage(w, r, http.StatusTooManyRequests, next, tooManyTries(w, wait))
	}
	fits, err := h.logins.code(r.Context(), user, f.Get("code"))
	if err != nil {
		return err
	}
	if !fits {
		return h.codePage(w, r, http.StatusUnprocessableEntity, next, wrongCode)
	}
	if err := h.store.LoginSucceeded(r.Context(), user.Email, address); err != nil {
		return err
	}
	if err := h.sessions.login(r.Context(), userID); err != nil {
		return err
	}
	if remember {
		h.sessions.remember(r.Context())
	}
	if _, app := sixDigits(f.Get("code")); !app {
		left, err := h.store.RecoveryCodesLeft(r.Context(), userID)
		if err != nil {
			return err
		}
		h.sessions.flash(r.Context(), views.FlashNote, fmt.Sprintf("You used up a recovery code. Of those you have %d left; the settings make new ones.", left))
	}
	return h.redirect(w, r, next)
}
