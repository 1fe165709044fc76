package handlers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"furrow/db"
	"furrow/ledger"
	"furrow/views"
)

// sessionLifetime is how long a login lasts. There is no idle timeout, which
// would write to the database with every request.
const sessionLifetime = 14 * 24 * time.Hour

// sessions is who is logged in, and a flash; nothing else is ever put there.
type sessions struct {
	manager *scs.SessionManager
}

func newSessions(store *db.SessionStore, https bool) sessions {
	manager := scs.New()
	manager.Store = store
	manager.Codec = db.SessionCodec{}
	manager.HashTokenInStore = true
	manager.Lifetime = sessionLifetime
	manager.Cookie.Name = "session"
	if https {
		manager.Cookie.Name = "__Host-session"
	}
	manager.Cookie.Secure = https
	manager.Cookie.HttpOnly = true
	manager.Cookie.Path = "/"
	manager.Cookie.SameSite = http.SameSiteLaxMode
	return sessions{manager}
}

// load adds the session of the request's cookie to ctx, or an empty one. It
// asks the database once, and not at all without a cookie.
func (s sessions) load(ctx context.Context, r *http.Request) (context.Context, error) {
	token := ""
	if cookie, err := r.Cookie(s.manager.Cookie.Name); err == nil {
		token = cookie.Value
	}
	return s.manager.Load(ctx, token)
}

// empty adds a session that holds nothing and comes from nowhere to ctx.
func (s sessions) empty(ctx context.Context) context.Context {
	ctx, err := s.manager.Load(ctx, "")
	if err != nil {
		panic(err) // cannot happen: without a token nothing is looked up
	}
	return ctx
}

// save stores the session if it was changed, and sets the cookie. It must come
// before the first byte of the answer.
func (s sessions) save(ctx context.Context, w http.ResponseWriter) error {
	switch s.manager.Status(ctx) {
	case scs.Modified:
		token, expiry, err := s.manager.Commit(ctx)
		if err != nil {
			return fmt.Errorf("save the session: %w", err)
		}
		s.manager.WriteSessionCookie(ctx, w, token, expiry)
	case scs.Destroyed:
		s.manager.WriteSessionCookie(ctx, w, "", time.Time{})
	case scs.Unmodified:
	}
	return nil
}

// user returns who is logged in, as they were when the session was loaded.
func (s sessions) user(ctx context.Context) (db.User, bool) {
	user, ok := s.manager.Get(ctx, db.SessionUser).(db.User)
	return user, ok
}

// token returns the token of the session, to bind something to it. It is not to
// be stored or shown.
func (s sessions) token(ctx context.Context) ledger.Secret {
	return ledger.Secret(s.manager.Token(ctx))
}

// login makes the session the user's. The token is a new one, so that nobody
// who knew the old one is logged in with them.
func (s sessions) login(ctx context.Context, userID int64) error {
	if err := s.manager.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew the session: %w", err)
	}
	// What else was in it was somebody else's; and as a new one it may be stored.
	if err := s.manager.Clear(ctx); err != nil {
		return fmt.Errorf("clear the session: %w", err)
	}
	s.manager.Put(ctx, db.SessionUserID, userID)
	return nil
}

// logout ends the session; the cookie is worthless from here on.
func (s sessions) logout(ctx context.Context) error {
	if err := s.manager.Destroy(ctx); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return nil
}

// flash says text on the next page.
func (s sessions) flash(ctx context.Context, kind views.FlashKind, text string) {
	s.manager.Put(ctx, db.SessionFlash, db.Flash{Kind: string(kind), Text: text})
}

// takeFlash returns what is to be said, once.
func (s sessions) takeFlash(ctx context.Context) *views.Flash {
	flash, ok := s.manager.Pop(ctx, db.SessionFlash).(db.Flash)
	if !ok {
		return nil
	}
	return &views.Flash{Kind: views.FlashKind(flash.Kind), Text: flash.Text}
}
