package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"furrow/db"
	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/planner"
	"furrow/views"
)

func (h *linkHandler) showInvite(w http.ResponseWriter, r *http.Request) error {
	return h.invitePage(w, r, http.StatusOK, views.InvitePage{})
}

// invitePage shows who is invited; with holds what differs from the stored state:
// a form as it was typed, or a link just made.
func (h *linkHandler) invitePage(w http.ResponseWriter, r *http.Request, status int, with views.InvitePage) error {
	open, err := h.store.Invitations(r.Context())
	if err != nil {
		return err
	}
	page, profile := with, currentUser(r).Profile
	page.Mail = h.mail
	page.Roles = choose(with.Fields.Value("role"), roleOptions())
	for _, i := range open {
		page.Open = append(page.Open, views.OpenInvitation{
			ID: i.ID, Email: i.Email, Role: string(i.Role), MadeBy: orWords(i.MadeBy, "the shell"),
			Expires: views.MomentAt(i.Expires, h.now(), profile.Location(), profile.Clock),
		})
	}
	page.Chrome = h.chrome(r, "Invite somebody", views.NavAdmin)
	return h.render(w, r, status, page.View())
}

func roleOptions() []views.Option {
	return []views.Option{
		{Value: string(db.RoleUser), Label: "User: their own work alone"},
		{Value: string(db.RoleViewer), Label: "Viewer: sees the admin pages, too"},
		{Value: string(db.RoleOperator), Label: "Operator: acts on writes, jobs and connections, too"},
		{Value: string(db.RoleAdmin), Label: "Admin: acts on users, too"},
	}
}

// invite sends a link to somebody or, where no mails are sent, shows it in its
// answer; it is stored nowhere, so that one is a page and not a redirect.
func (h *linkHandler) invite(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	email, role, user := db.NormalEmail(f.Get("email")), db.Role(f.Get("role")), currentUser(r)
	again := func(status int, sentence string) error {
		return h.invitePage(w, r, status, views.InvitePage{Fields: f.fields(planner.FieldErrors{"email": sentence}, "email", "role")})
	}
	if !ValidEmail(email) {
		return again(http.StatusUnprocessableEntity, "This does not look like an email address.")
	}
	if !slices.Contains(db.Roles(), role) {
		return errMalformed
	}
	var token ledger.Secret
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		if token, err = tx.Invite(r.Context(), user.ID, email, role); err != nil || !h.mail {
			return err
		}
		return h.send(r.Context(), tx, inviteMail(h.publicURL, user.Email, email, token))
	})
	if errors.Is(err, planner.ErrConflict) {
		return again(http.StatusConflict, "There is an account for this address already.")
	}
	if err != nil {
		return err
	}
	if !h.mail {
		return h.invitePage(w, r, http.StatusOK, views.InvitePage{Link: InvitationURL(h.publicURL, token), LinkFor: email})
	}
	h.sessions.flash(r.Context(), views.FlashGood, email+" gets a mail with a link.")
	return h.redirect(w, r, views.InvitePath)
}

// send has a mail sent, once the transaction is committed.
func (h *linkHandler) send(ctx context.Context, tx *db.Tx, mail notice.Mail) error {
	id, err := tx.AddMail(ctx, mail)
	if err != nil {
		return err
	}
	return h.queue.Mail(ctx, tx, id)
}

func (h *linkHandler) revokeInvitation(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	if err := h.store.RevokeInvitation(r.Context(), currentUser(r).ID, id); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "The invitation is taken back. Its link does not work any more.")
	return h.redirect(w, r, views.InvitePath)
}

// resetLink sends somebody a link to choose a new password or, where no mails
// are sent, shows it, once.
func (h *linkHandler) resetLink(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	user, err := h.store.User(r.Context(), id)
	if err != nil {
		return err
	}
	var token ledger.Secret
	err = h.store.InTx(r.Context(), func(tx *db.Tx) (err error) {
		if token, err = tx.ResetLink(r.Context(), currentUser(r).ID, user.Email); err != nil || !h.mail {
			return err
		}
		return h.send(r.Context(), tx, ResetMail(h.publicURL, user.Email, token))
	})
	if err != nil {
		return err
	}
	if h.mail {
		h.sessions.flash(r.Context(), views.FlashGood, user.Email+" gets a mail with a link to choose a new password. Nothing changes before.")
		return h.redirect(w, r, views.AdminUsersPath)
	}
	page := views.ResetLinkPage{Chrome: h.chrome(r, "A link for "+user.Email, views.NavAdmin), Email: user.Email, Link: ResetURL(h.publicURL, token)}
	return h.render(w, r, http.StatusOK, page.View())
}
