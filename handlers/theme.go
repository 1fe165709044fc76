package handlers

import (
	"net/http"
	"time"

	"furrow/planner"
	"furrow/views"
)

// themeCookie remembers light or dark for a browser, not for a person: a laptop
// may be dark and a phone light, and the login page, too, is right at its first
// paint.
const (
	themeCookie  = "theme"
	themeCookies = 365 * 24 * time.Hour
)

// theme is what the browser chose; empty follows its system.
func theme(r *http.Request) views.Theme {
	cookie, err := r.Cookie(themeCookie)
	if err != nil {
		return views.ThemeSystem
	}
	chosen := views.Theme(cookie.Value)
	if !chosen.Valid() {
		return views.ThemeSystem
	}
	return chosen
}

func (h *settingsHandler) setTheme(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	chosen := views.Theme(f.Get("theme"))
	if !chosen.Valid() {
		return planner.FieldErrors{"theme": "Furrow is light or dark, or follows the system."}
	}
	cookie := &http.Cookie{
		Name: themeCookie, Value: string(chosen), Path: "/", MaxAge: int(themeCookies / time.Second),
		Secure: h.https, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if chosen == views.ThemeSystem {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
	return h.redirect(w, r, views.SettingsPath)
}
