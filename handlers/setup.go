package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// setupHandler makes the first account, and then never again.
type setupHandler struct {
	*site
	store     *db.Store
	passwords *passwords
	token     string // empty: not needed
	publicURL *url.URL
}

// show is the page of an instance without accounts; others are led to log in.
func (h *setupHandler) show(w http.ResponseWriter, r *http.Request) error {
	exist, err := h.store.UsersExist(r.Context())
	if err != nil {
		return err
	}
	if exist {
		return h.redirect(w, r, views.HomePath)
	}
	return h.page(w, r, http.StatusOK, views.Fields{})
}

func (h *setupHandler) page(w http.ResponseWriter, r *http.Request, status int, fields views.Fields) error {
	page := views.SetupPage{Chrome: h.chrome(r, "Set up", views.NavNone), Fields: fields, NeedsToken: h.token != ""}
	return h.render(w, r, status, page.View())
}

// create makes the account and logs its owner in. Of several at once, one wins.
func (h *setupHandler) create(w http.ResponseWriter, r *http.Request) error {
	if h.token == "" && !ownHost(r.Host, h.publicURL) {
		return errCrossOrigin
	}
	f, err := readForm(r)
	if err != nil {
		return err
	}
	exist, err := h.store.UsersExist(r.Context())
	if err != nil {
		return err
	}
	if exist {
		return errSetUp()
	}
	email, password := f.text("email"), f.Get("password")
	if errs := h.check(email, password, f.text("setup_token")); len(errs) > 0 {
		return h.page(w, r, http.StatusUnprocessableEntity, f.fields(errs, "email"))
	}
	hash, err := h.passwords.hash(r.Context(), password)
	if err != nil {
		return err
	}
	id, err := h.store.CreateFirstUser(r.Context(), email, hash)
	if errors.Is(err, planner.ErrConflict) {
		return errSetUp()
	}
	if err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "first account made", "user", id)
	if err := h.sessions.login(r.Context(), id); err != nil {
		return err
	}
	return h.redirect(w, r, views.HomePath)
}

func (h *setupHandler) check(email, password, token string) planner.FieldErrors {
	errs := planner.FieldErrors{}
	if !ValidEmail(email) {
		errs["email"] = "This does not look like an email address."
	}
	if problem := PasswordProblem(password, email); problem != "" {
		errs["password"] = problem
	}
	if h.token != "" && !sameSecret(token, h.token) {
		errs["setup_token"] = "This is not the token that Furrow printed when it started. Copy it from there; a restart prints a new one."
	}
	return errs
}

func errSetUp() error {
	return say(planner.ErrConflict, "Somebody has set up this Furrow already. Log in instead.")
}

// ValidEmail reports whether email can be the address of an account.
func ValidEmail(email string) bool {
	const longest = 254 // of an address that mail can reach
	address, err := mail.ParseAddress(email)
	return err == nil && address.Address == email && len(email) <= longest
}

// sameSecret compares in a time that tells nothing of either.
func sameSecret(a, b string) bool {
	hashA, hashB := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(hashA[:], hashB[:]) == 1
}

// ownHost reports whether a request is for a name of ours: the public one, or
// one that only this machine can mean. Another site could give its own name
// our loopback address and would then pass for the same origin.
func ownHost(host string, public *url.URL) bool {
	if public != nil && host == public.Host {
		return true
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if name == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && address.IsLoopback()
}
