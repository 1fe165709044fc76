package handlers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// authHandler lets people in and out.
type authHandler struct {
	*site
	store     *db.Store
	passwords *passwords
	proxies   []netip.Prefix
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
}

// login answers a wrong password and an unknown address alike, and in the same
// time.
func (h *authHandler) login(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	in := loginForm{email: db.NormalEmail(f.Get("email")), password: f.Get("password"), next: localPath(f.Get("next"))}
	again := func(status int, sentence string) error {
		return h.loginPage(w, r, status, in.next, f.fields(planner.FieldErrors{"": sentence}, "email"))
	}
	userID, wait, err := h.verify(r.Context(), in, clientAddress(r, h.proxies))
	switch {
	case wait > 0:
		w.Header().Set("Retry-After", seconds(wait))
		return again(http.StatusTooManyRequests, "That were too many tries. Wait "+waitWords(wait)+", then try again.")
	case errors.Is(err, planner.ErrNotFound):
		return again(http.StatusUnprocessableEntity, "The email address and the password do not fit together.")
	case err != nil:
		return err
	}
	if err := h.sessions.login(r.Context(), userID); err != nil {
		return err
	}
	return h.redirect(w, r, in.next)
}

// verify returns who the form logs in. It returns planner.ErrNotFound if the
// password is not that of the account, or how long to wait if there were too
// many failures.
func (h *authHandler) verify(ctx context.Context, in loginForm, address string) (userID int64, wait time.Duration, err error) {
	wait, err = h.store.BeginLogin(ctx, in.email, address, h.now())
	if err != nil || wait > 0 {
		return 0, wait, err
	}
	userID, hash, err := h.store.LoginByEmail(ctx, in.email)
	if err != nil && !errors.Is(err, planner.ErrNotFound) {
		return 0, 0, err
	}
	fits, outdated, err := h.passwords.check(ctx, in.password, hash)
	if err != nil {
		return 0, 0, err
	}
	if !fits {
		return 0, 0, fmt.Errorf("log in: %w", planner.ErrNotFound)
	}
	if outdated {
		newHash, err := h.passwords.hash(ctx, in.password)
		if err != nil {
			return 0, 0, err
		}
		if err := h.store.Rehash(ctx, userID, hash, newHash); err != nil {
			return 0, 0, err
		}
	}
	return userID, 0, h.store.LoginSucceeded(ctx, in.email, address)
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

// clientAddress is the network address that a request came from, for counting:
// an IPv4 address, or the /64 network of an IPv6 one, which is what a single
// customer has. What proxies say is believed only of trusted ones.
func clientAddress(r *http.Request, proxies []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for len(forwarded) > 0 && trusted(address, proxies) {
		last := strings.TrimSpace(forwarded[len(forwarded)-1])
		forwarded = forwarded[:len(forwarded)-1]
		before, err := netip.ParseAddr(last)
		if err != nil {
			break
		}
		address = before
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		return netip.PrefixFrom(address, 64).Masked().String()
	}
	return address.String()
}

func trusted(address netip.Addr, proxies []netip.Prefix) bool {
	for _, prefix := range proxies {
		if prefix.Contains(address.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}
