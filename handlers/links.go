package handlers

import (
	"errors"
	"net/http"
	"net/url"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/planner"
	"furrow/views"
)

// linkHandler leads people in who have a link that works once: invitations, and
// new passwords. Looking at such a link uses nothing up: what checks mails for
// their readers does it too.
type linkHandler struct {
	*site
	store     *db.Store
	queue     *jobs.Queue
	passwords *passwords
	publicURL *url.URL
	mail      bool // mails are sent
}

// errLinkGone: a link does not work, for whatever reason.
func errLinkGone(err error) error {
	return say(err, "This link does not work any more: it was used, taken back, or it is too old. Ask for a new one.")
}

// linked is whom the link of the address is for.
func (h *linkHandler) linked(r *http.Request, purpose db.LinkPurpose) (email string, err error) {
	email, err = h.store.LinkFor(r.Context(), purpose, ledger.Secret(r.PathValue("token")))
	if errors.Is(err, planner.ErrNotFound) {
		err = errLinkGone(err)
	}
	return email, err
}

// choosePassword shows the form behind a link.
func (h *linkHandler) choosePassword(w http.ResponseWriter, r *http.Request, purpose db.LinkPurpose, status int, errs planner.FieldErrors) error {
	w.Header().Set("Referrer-Policy", "no-referrer") // the address is a secret
	email, err := h.linked(r, purpose)
	if err != nil {
		return err
	}
	token := r.PathValue("token")
	page := views.ChoosePasswordPage{Chrome: h.chrome(r, "Choose a new password", views.NavNone), Email: email, Action: views.ResetPath(token), Fields: views.Fields{Errors: errs}}
	if purpose == db.LinkInvite {
		page.Chrome.Title, page.Action, page.Joins = "Join Furrow", views.JoinPath(token), true
	}
	return h.render(w, r, status, page.View())
}

// chosenPassword returns the hash of what was chosen behind a link; it is empty
// if that was refused, which answers the request.
func (h *linkHandler) chosenPassword(w http.ResponseWriter, r *http.Request, purpose db.LinkPurpose) (hash string, err error) {
	f, err := readForm(r)
	if err != nil {
		return "", err
	}
	email, err := h.linked(r, purpose)
	if err != nil {
		return "", err
	}
	if problem := PasswordProblem(f.Get("password"), email); problem != "" {
		return "", h.choosePassword(w, r, purpose, http.StatusUnprocessableEntity, planner.FieldErrors{"password": problem})
	}
	return h.passwords.hash(r.Context(), f.Get("password"))
}

func (h *linkHandler) showJoin(w http.ResponseWriter, r *http.Request) error {
	return h.choosePassword(w, r, db.LinkInvite, http.StatusOK, nil)
}

// join makes the account and logs its owner in.
func (h *linkHandler) join(w http.ResponseWriter, r *http.Request) error {
	hash, err := h.chosenPassword(w, r, db.LinkInvite)
	if err != nil || hash == "" {
		return err
	}
	id, err := h.store.Join(r.Context(), ledger.Secret(r.PathValue("token")), hash)
	switch {
	case errors.Is(err, planner.ErrNotFound):
		return errLinkGone(err)
	case errors.Is(err, planner.ErrConflict):
		return say(err, "You have an account here already. Log in with its password, or ask for a new one on the login page.")
	case err != nil:
		return err
	}
	h.log.InfoContext(r.Context(), "joined", "user", id)
	if err := h.sessions.login(r.Context(), id); err != nil {
		return err
	}
	return h.redirect(w, r, views.HomePath)
}

func (h *linkHandler) showReset(w http.ResponseWriter, r *http.Request) error {
	return h.choosePassword(w, r, db.LinkReset, http.StatusOK, nil)
}

// reset stores the new password. It logs nobody in: a second factor is asked for
// as ever.
func (h *linkHandler) reset(w http.ResponseWriter, r *http.Request) error {
	hash, err := h.chosenPassword(w, r, db.LinkReset)
	if err != nil || hash == "" {
		return err
	}
	err = h.store.UseReset(r.Context(), ledger.Secret(r.PathValue("token")), hash)
	if errors.Is(err, planner.ErrNotFound) {
		return errLinkGone(err)
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "Your password is changed, and you are logged out everywhere. Log in with it.")
	return h.redirect(w, r, views.LoginPath)
}

func (h *linkHandler) showForgot(w http.ResponseWriter, r *http.Request) error {
	return h.forgotPage(w, r, http.StatusOK, false, views.Fields{})
}

func (h *linkHandler) forgotPage(w http.ResponseWriter, r *http.Request, status int, asked bool, fields views.Fields) error {
	page := views.ForgotPage{Chrome: h.chrome(r, "Forgot your password?", views.NavNone), Mail: h.mail, Asked: asked, Fields: fields}
	return h.render(w, r, status, page.View())
}

// forgot has a link sent, if somebody has the address. Its answer is the same if
// nobody has, and takes as long.
func (h *linkHandler) forgot(w http.ResponseWriter, r *http.Request) error {
	if !h.mail {
		return h.forgotPage(w, r, http.StatusConflict, false, views.Fields{})
	}
	f, err := readForm(r)
	if err != nil {
		return err
	}
	again := func(status int, sentence string) error {
		return h.forgotPage(w, r, status, false, f.fields(planner.FieldErrors{"email": sentence}, "email"))
	}
	email := f.text("email")
	if !ValidEmail(email) {
		return again(http.StatusUnprocessableEntity, "This does not look like an email address.")
	}
	wait, err := h.store.AskReset(r.Context(), email, deviceOf(r.Context()).Address, h.now(), func(tx *db.Tx, linkID int64) error {
		return h.queue.Reset(r.Context(), tx, linkID)
	})
	if err != nil {
		return err
	}
	if wait > 0 {
		return again(http.StatusTooManyRequests, tooManyTries(w, wait))
	}
	return h.forgotPage(w, r, http.StatusOK, true, views.Fields{})
}

// ResetMail is the mail that leads to a new password.
func ResetMail(publicURL *url.URL, email string, token ledger.Secret) notice.Mail {
	return notice.Mail{
		To: email, Subject: "A new password for Furrow",
		Text: "Somebody asked for a new password for your account at " + publicURL.String() + ".\n\n" +
			"If that was you, choose one within an hour at this address, which works once:\n\n" +
			ResetURL(publicURL, token) + "\n\n" +
			"If it was not you, do nothing: your password stays as it is.\n",
	}
}

// inviteMail is the mail that leads to an account.
func inviteMail(publicURL *url.URL, from, email string, token ledger.Secret) notice.Mail {
	return notice.Mail{
		To: email, Subject: "Your invitation to Furrow",
		Text: from + " invites you to plan your weeks with Furrow, at " + publicURL.String() + ".\n\n" +
			"Choose a password within seven days at this address, which works once:\n\n" +
			InvitationURL(publicURL, token) + "\n\n" +
			"If you do not know what this is about, do nothing.\n",
	}
}

// InvitationURL is where an invitation is followed.
func InvitationURL(publicURL *url.URL, token ledger.Secret) string {
	return publicURL.JoinPath(views.JoinPath(token.Reveal())).String()
}

// ResetURL is where a new password is chosen.
func ResetURL(publicURL *url.URL, token ledger.Secret) string {
	return publicURL.JoinPath(views.ResetPath(token.Reveal())).String()
}
