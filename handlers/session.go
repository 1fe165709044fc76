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

// How long a log-in lasts. There is no idle timeout of the manager's, which would
// write to the database with every request; the store has its own for those who
// may do more, and an earlier end ([db.StaffIdle], [db.StaffLifetime]).
const (
	sessionLifetime    = 12 * time.Hour
	rememberedLifetime = 30 * 24 * time.Hour
	pendingLifetime    = 10 * time.Minute // from the password to the code
)

// sessions is who is logged in, and a flash; nothing else is ever put there.
type sessions struct {
	manager *scs.SessionManager
	store   *db.SessionStore
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
	manager.Cookie.Persist = false // but for those who want to be remembered
	return sessions{manager, store}
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

// login makes the session the user's, who has shown all that they log in with:
// the code, too, if they have one. The token is a new one, so that nobody who
// knew the old one is logged in with them. A session that is theirs already goes
// on as it was, with a fresh log-in.
func (s sessions) login(ctx context.Context, userID int64) error {
	var since time.Time
	remembered := false
	if before, known := s.user(ctx); known && before.ID == userID {
		since, remembered = before.Session.Since, s.manager.GetBool(ctx, db.SessionRemembered)
	}
	if err := s.begin(ctx, since); err != nil {
		return err
	}
	s.manager.Put(ctx, db.SessionUserID, userID)
	if remembered {
		s.remember(ctx)
	}
	return nil
}

// begin makes the session one that holds nothing, with a token of its own.
func (s sessions) begin(ctx context.Context, since time.Time) error {
	if err := s.manager.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew the session: %w", err)
	}
	// What else was in it was somebody else's; and as a new one it may be stored.
	if err := s.manager.Clear(ctx); err != nil {
		return fmt.Errorf("clear the session: %w", err)
	}
	s.manager.Put(ctx, db.SessionBegin, db.SessionStart{Device: deviceOf(ctx), Since: since})
	return nil
}

// remember lets the session, which just began, outlive the browser.
func (s sessions) remember(ctx context.Context) {
	s.manager.RememberMe(ctx, true)
	s.manager.SetDeadline(ctx, time.Now().Add(rememberedLifetime).UTC())
}

// await notes in the session that the user gave the password; nobody is logged
// in before the code.
func (s sessions) await(ctx context.Context, userID int64, remember bool) error {
	if err := s.begin(ctx, time.Time{}); err != nil {
		return err
	}
	s.manager.Put(ctx, db.SessionPendingID, userID)
	s.manager.RememberMe(ctx, remember)
	s.manager.SetDeadline(ctx, time.Now().Add(pendingLifetime).UTC())
	return nil
}

// awaited returns who has to show a code, and whether to remember them.
func (s sessions) awaited(ctx context.Context) (userID int64, remember, ok bool) {
	userID = s.manager.GetInt64(ctx, db.SessionPendingID)
	return userID, s.manager.GetBool(ctx, db.SessionRemembered), userID != 0
}

// seen notes that the user of the session is there, now and then. What open
// pages ask for by themselves does not count.
func (s sessions) seen(r *http.Request, session *db.Session) error {
	if !session.Unseen || r.Method == http.MethodGet && wantsFragment(r) {
		return nil
	}
	return s.store.Seen(r.Context(), session.ID, deviceOf(r.Context()))
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
