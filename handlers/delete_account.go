package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// deleteTimeout is what a deletion may take: it waits for what is being sent, and
// goes through every table.
const deleteTimeout = 25 * time.Second

// deleteAccountHandler deletes accounts: one's own, and those of others for
// admins.
type deleteAccountHandler struct {
	*site
	store  *db.Store
	logins *logins
}

func (h *deleteAccountHandler) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, currentUser(r).ID, http.StatusOK, views.Fields{})
}

// page names what goes with an account.
func (h *deleteAccountHandler) page(w http.ResponseWriter, r *http.Request, userID int64, status int, fields views.Fields) error {
	b, err := h.store.Belongings(r.Context(), userID)
	if err != nil {
		return err
	}
	own, nav := userID == currentUser(r).ID, views.NavAdmin
	if own {
		nav = views.NavSettings
	}
	return h.render(w, r, status, views.DeleteAccountPage{
		Chrome: h.chrome(r, "Delete an account", nav), Own: own, UserID: userID, Email: b.Email,
		Cells: b.Cells, Changes: b.Changes, Templates: b.Templates, Recurrences: b.Recurrences, Tokens: b.Tokens, Writes: b.Writes,
		Harvest: b.CompanyName, Entries: b.Entries, Unsent: b.Unsent, LastAdmin: b.LastAdmin, Fields: fields,
	}.View())
}

// deleteOwn deletes the account of whoever asks, and says goodbye.
func (h *deleteAccountHandler) deleteOwn(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	user := currentUser(r)
	fits, wait, err := h.logins.own(r.Context(), user, proof{password: new(f.Get("password"))})
	switch {
	case err != nil:
		return err
	case wait > 0:
		return h.page(w, r, user.ID, http.StatusTooManyRequests, f.fields(planner.FieldErrors{"password": tooManyTries(w, wait)}))
	case !fits:
		return h.page(w, r, user.ID, http.StatusUnprocessableEntity, f.fields(planner.FieldErrors{"password": "This is not your password."}))
	}
	if err := h.delete(w, r, user.ID, f.Has("drop")); err != nil {
		return h.refused(w, r, user.ID, f, err)
	}
	if err := h.sessions.logout(r.Context()); err != nil {
		return err
	}
	requestOf(r).user = nil
	return h.render(w, r, http.StatusOK, views.AccountGonePage{Chrome: h.chrome(r, "Deleted", views.NavNone)}.View())
}

// showUser names what goes with somebody else's account. Admins delete their own
// where everybody does.
func (h *deleteAccountHandler) showUser(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	if id == currentUser(r).ID {
		return h.redirect(w, r, views.DeleteAccountPath)
	}
	return h.page(w, r, id, http.StatusOK, views.Fields{})
}

func (h *deleteAccountHandler) deleteUser(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	if id == currentUser(r).ID {
		return h.redirect(w, r, views.DeleteAccountPath)
	}
	f, err := readForm(r)
	if err != nil {
		return err
	}
	b, err := h.store.Belongings(r.Context(), id)
	if err != nil {
		return err
	}
	if db.NormalEmail(f.Get("email")) != b.Email {
		return h.page(w, r, id, http.StatusUnprocessableEntity, f.fields(planner.FieldErrors{"email": "This is not the address of the account."}, "email"))
	}
	if err := h.delete(w, r, id, f.Has("drop")); err != nil {
		return h.refused(w, r, id, f, err)
	}
	h.sessions.flash(r.Context(), views.FlashGood, "The account "+b.Email+" is deleted.")
	return h.redirect(w, r, views.AdminUsersPath)
}

// delete takes longer than other requests may. Whoever asked for it does not
// undo it by leaving.
func (h *deleteAccountHandler) delete(w http.ResponseWriter, r *http.Request, userID int64, drop bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), deleteTimeout)
	defer cancel()
	err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(deleteTimeout + requestTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	actor := currentUser(r).ID
	if err := h.store.DeleteUser(ctx, userID, actor, drop); err != nil {
		return err
	}
	h.log.InfoContext(ctx, "account deleted", "user", userID, "by", actor)
	return nil
}

// refused says why an account was not deleted.
func (h *deleteAccountHandler) refused(w http.ResponseWriter, r *http.Request, userID int64, f form, err error) error {
	errs := planner.FieldErrors{}
	switch {
	case errors.Is(err, db.ErrUnsent):
		errs["drop"] = "Nothing was deleted. Say that it is to be dropped, or wait until it is sent."
	case errors.Is(err, db.ErrSending):
		errs[""] = "Something is being sent to Harvest at this moment, so nothing was deleted. Nothing more is begun. Try again in half a minute."
	case errors.Is(err, db.ErrLastAdmin):
		errs[""] = "Nothing was deleted, because nobody else is an admin."
	default:
		return err
	}
	return h.page(w, r, userID, http.StatusConflict, f.fields(errs, "email"))
}
