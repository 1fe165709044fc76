package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// secondFactorHandler lets people log in with a code besides the password.
type secondFactorHandler struct {
	*site
	store  *db.Store
	logins *logins
}

const wrongCode = "This code does not fit. Each code is good once, and for about a minute: wait for the next one."

func (h *secondFactorHandler) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, views.SecondFactorPage{})
}

// page shows how things stand; with holds what was typed wrong, or codes just made.
func (h *secondFactorHandler) page(w http.ResponseWriter, r *http.Request, status int, with views.SecondFactorPage) error {
	user, page := currentUser(r), with
	page.On = page.On || user.Session.SecondFactor
	page.Fresh, page.Required = user.Session.Fresh, h.mustEnrol(user) && !page.On
	switch {
	case page.On:
		left, err := h.store.RecoveryCodesLeft(r.Context(), user.ID)
		if err != nil {
			return err
		}
		page.CodesLeft = int(left)
	case page.Fresh:
		if err := h.begun(r, user, &page); err != nil {
			return err
		}
	}
	page.Chrome = h.chrome(r, "Second factor", views.NavSettings)
	return h.render(w, r, status, page.View())
}

// begun puts what an app has to know on the page, if that was asked for.
func (h *secondFactorHandler) begun(r *http.Request, user db.User, page *views.SecondFactorPage) error {
	secret, err := h.store.PendingSecondFactor(r.Context(), user.ID)
	if errors.Is(err, planner.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	page.Secret = grouped(secret.Reveal())
	page.QR, err = totpQR(secret, user.Email)
	return err
}

// grouped is a long secret in fours, as people copy it.
func grouped(secret string) string {
	var b strings.Builder
	for i, c := range secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// begin makes a secret, and the page shows it.
func (h *secondFactorHandler) begin(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	secret, err := newTOTPSecret(user.Email)
	if err != nil {
		return err
	}
	if err := h.store.BeginSecondFactor(r.Context(), user.ID, secret); err != nil {
		return err
	}
	return h.redirect(w, r, views.SecondFactorPath)
}

// enable puts the secret in force once a code shows that the app has it.
func (h *secondFactorHandler) enable(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	user := currentUser(r)
	typed, _ := sixDigits(f.Get("code"))
	codes, err := h.store.ConfirmSecondFactor(r.Context(), user.ID, user.Session.ID, func(secret ledger.Secret) (int64, bool) {
		return totpCode(secret, typed, h.now())
	})
	if errors.Is(err, planner.ErrNotFound) {
		return h.page(w, r, http.StatusUnprocessableEntity, views.SecondFactorPage{
			Fields: f.fields(planner.FieldErrors{"code": "This code does not fit. Look at the clock of your phone: it must be right to half a minute."}),
		})
	}
	if err != nil {
		return err
	}
	if err := h.sessions.login(r.Context(), user.ID); err != nil {
		return err
	}
	return h.showCodes(w, r, codes)
}

// renewCodes makes recovery codes in place of the old ones.
func (h *secondFactorHandler) renewCodes(w http.ResponseWriter, r *http.Request) error {
	codes, err := h.store.NewRecoveryCodes(r.Context(), currentUser(r).ID)
	if err != nil {
		return err
	}
	return h.showCodes(w, r, codes)
}

// showCodes shows the codes in its answer; they are stored nowhere, so the
// answer is a page and not a redirect.
func (h *secondFactorHandler) showCodes(w http.ResponseWriter, r *http.Request, codes []ledger.Secret) error {
	page := views.SecondFactorPage{On: true}
	for _, code := range codes {
		page.Codes = append(page.Codes, code.Reveal())
	}
	file := "Recovery codes of " + currentUser(r).Email + " for Furrow at " + h.origin + "\r\nEach is good once.\r\n\r\n" + strings.Join(page.Codes, "\r\n") + "\r\n"
	page.CodesFile = "data:text/plain;charset=utf-8," + url.PathEscape(file)
	return h.page(w, r, http.StatusOK, page)
}

// disable takes a code as well: a stolen session is not enough, however fresh.
func (h *secondFactorHandler) disable(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	user := currentUser(r)
	again := func(status int, sentence string) error {
		return h.page(w, r, status, views.SecondFactorPage{Fields: f.fields(planner.FieldErrors{"code": sentence})})
	}
	fits, wait, err := h.logins.own(r.Context(), user, proof{code: new(f.Get("code"))})
	switch {
	case err != nil:
		return err
	case wait > 0:
		return again(http.StatusTooManyRequests, tooManyTries(w, wait))
	case !fits:
		return again(http.StatusUnprocessableEntity, wrongCode)
	}
	if err := h.store.RemoveSecondFactor(r.Context(), user.ID); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "You log in with your password alone from now on.")
	return h.redirect(w, r, views.SecondFactorPath)
}

// Require says who must log in with a code besides the password.
type Require string

// The values of the flag.
const (
	RequireNone  Require = "none"
	RequireStaff Require = "staff" // those who see the admin pages
	RequireAll   Require = "all"
)

// mustEnrol reports whether a user has to set a second factor up before anything else.
func (s *site) mustEnrol(user db.User) bool {
	if user.Session == nil || user.Session.SecondFactor { // a program with a token, or enrolled
		return false
	}
	return s.require == RequireAll || s.require == RequireStaff && user.Role.May(db.RoleViewer)
}

// enrolled serves those who have a second factor or need none. Others are led to
// where they get one, and nothing else is done.
func (s *site) enrolled(h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch {
		case !s.mustEnrol(currentUser(r)):
			return h(w, r)
		case isHTMX(r):
			w.Header().Set(hxRedirect, views.SecondFactorPath)
			w.WriteHeader(http.StatusForbidden)
			return nil
		case isAPI(r) || r.Method != http.MethodGet && r.Method != http.MethodHead:
			return errNotEnrolled
		default:
			return s.redirect(w, r, views.SecondFactorPath)
		}
	}
}
