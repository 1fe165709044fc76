package handlers

import (
	"fmt"
	"net/http"

	"furrow/db"
	"furrow/views"
)

// ownSessionsHandler shows people where they are logged in.
type ownSessionsHandler struct {
	*site
	store *db.Store
}

func (h *ownSessionsHandler) list(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	open, err := h.store.OpenSessions(r.Context(), user.ID)
	if err != nil {
		return err
	}
	page := views.SessionsPage{Chrome: h.chrome(r, "Where you are logged in", views.NavSettings)}
	now, zone := h.now(), user.Profile.Location()
	for _, s := range open {
		page.Sessions = append(page.Sessions, views.OpenSession{
			ID: s.ID, Current: s.ID == user.Session.ID, Device: deviceWords(s.Device.Agent), Address: s.Device.Address,
			Since: views.MomentAt(s.Since, now, zone, user.Profile.Clock), Seen: views.MomentAt(s.Seen, now, zone, user.Profile.Clock),
		})
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// revoke ends one session of the reader's, from its next request on.
func (h *ownSessionsHandler) revoke(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	if err := h.store.RevokeSession(r.Context(), currentUser(r).ID, id); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "That device is logged out.")
	return h.redirect(w, r, views.SessionsPath)
}

func (h *ownSessionsHandler) revokeOthers(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	n, err := h.store.RevokeOtherSessions(r.Context(), user.ID, user.Session.ID)
	if err != nil {
		return err
	}
	words := fmt.Sprintf("%d other devices are logged out.", n)
	if n == 1 {
		words = "The other device is logged out."
	}
	h.sessions.flash(r.Context(), views.FlashGood, words)
	return h.redirect(w, r, views.SessionsPath)
}
