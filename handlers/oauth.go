package handlers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// oauthHandler connects a user who logs in at Harvest. What Harvest gives goes
// from its answer into the database, sealed, and nowhere else.
type oauthHandler struct {
	*harvestHandler
	oauth       OAuth
	redirectURI string
}

func newOAuthHandler(harvest *harvestHandler, deps Deps) *oauthHandler {
	h := &oauthHandler{harvestHandler: harvest, oauth: *deps.OAuth}
	if deps.PublicURL != nil {
		// From the configuration alone: a Host header is anybody's to choose.
		h.redirectURI = deps.PublicURL.JoinPath(views.OAuthCallbackPath).String()
	}
	return h
}

// identity is the origin to which start leads.
func (h *oauthHandler) identity() string {
	address, err := url.Parse(h.oauth.AuthorizeURL("", "", h.redirectURI))
	if err != nil {
		return ""
	}
	return originOf(address)
}

// secretText is 256 bits that nobody can guess, in 43 characters that a URL can
// hold as they are; also what RFC 7636 wants of a verifier.
func secretText() ledger.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return ledger.Secret(base64.RawURLEncoding.EncodeToString(b))
}

// challengeOf is the S256 challenge of a verifier (RFC 7636, section 4.2).
func challengeOf(verifier ledger.Secret) string {
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (h *oauthHandler) login(r *http.Request) db.OAuthLogin {
	return db.OAuthLogin{UserID: currentUser(r).ID, Session: h.sessions.token(r.Context())}
}

// start leads to Harvest, with a state that works once, in this session.
func (h *oauthHandler) start(w http.ResponseWriter, r *http.Request) error {
	state, verifier := secretText(), secretText()
	if err := h.store.BeginOAuth(r.Context(), h.login(r), state, verifier, h.now()); err != nil {
		return err
	}
	return h.redirect(w, r, h.oauth.AuthorizeURL(state.Reveal(), challengeOf(verifier), h.redirectURI))
}

const (
	loginUnknown = "This log-in at Harvest was not begun here within the last 10 minutes, or it has been used already. Nothing was changed. Begin again with the button below."
	loginRefused = "You did not let Furrow into Harvest, so nothing was changed."
	loginFailed  = "Harvest ended the log-in without letting Furrow in. Nothing was changed. Try again."
	loginSpent   = "Harvest does not accept the log-in any more. Nothing was changed. Begin again with the button below."
	loginEmpty   = "Your log-in opens no account of Harvest's time tracking. Nothing was changed. Ask for an invitation there, or log in as somebody else."
	choiceOver   = "There is no account to choose any more. Log in at Harvest again."
	choiceMade   = "Choose one of the accounts."
)

// callback is where Harvest leads back to. It always leads on, so that the code
// does not stay in the address, on a page, or in the history.
func (h *oauthHandler) callback(w http.ResponseWriter, r *http.Request) error {
	if requestOf(r).user == nil {
		return h.redirect(w, r, views.LoginURL(views.HarvestPath)) // without the code
	}
	query, login := r.URL.Query(), h.login(r)
	r.URL.RawQuery = "" // pages of errors may say where they are
	verifier, err := h.store.TakeOAuth(r.Context(), login, ledger.Secret(query.Get("state")), h.now())
	if errors.Is(err, planner.ErrNotFound) {
		return h.back(w, r, loginUnknown)
	}
	if err != nil {
		return err
	}
	code := query.Get("code")
	switch {
	case query.Get("error") == "access_denied":
		return h.back(w, r, loginRefused)
	case query.Get("error") != "", code == "":
		return h.back(w, r, loginFailed)
	}
	// All that is asked of Harvest has to be over in this time.
	ctx, cancel := context.WithTimeout(r.Context(), connectTimeout)
	defer cancel()
	pair, err := h.oauth.Exchange(ctx, code, verifier.Reveal(), h.redirectURI)
	var accounts []ledger.AccountChoice
	if err == nil {
		accounts, err = h.oauth.Accounts(ctx, pair.Access)
	}
	if err != nil {
		return h.problemBack(w, r, err)
	}
	accountID, err := h.onlyAccount(ctx, login.UserID, accounts)
	if err != nil {
		return err
	}
	switch {
	case len(accounts) == 0:
		return h.back(w, r, loginEmpty)
	case accountID == 0:
		if err := h.store.KeepOAuthChoice(r.Context(), login, pair, accounts, h.now()); err != nil {
			return err
		}
		return h.redirect(w, r, views.OAuthAccountPath)
	}
	account, week, sentence, err := h.adopt(ctx, r, pair, accountID)
	switch {
	case err != nil:
		return err
	case sentence != "":
		return h.back(w, r, sentence)
	default:
		return h.connected(w, r, account, week)
	}
}

// onlyAccount is the account that needs no choice: the only one, or the one
// that the user's plan belongs to. 0: there is none.
func (h *oauthHandler) onlyAccount(ctx context.Context, userID int64, accounts []ledger.AccountChoice) (int64, error) {
	if len(accounts) == 1 {
		return accounts[0].ID, nil
	}
	connection, err := h.store.Connection(ctx, userID)
	if err != nil && !errors.Is(err, planner.ErrNotFound) {
		return 0, err
	}
	if offers(accounts, connection.Account.AccountID) {
		return connection.Account.AccountID, nil
	}
	return 0, nil
}

func offers(accounts []ledger.AccountChoice, id int64) bool {
	return slices.ContainsFunc(accounts, func(a ledger.AccountChoice) bool { return a.ID == id })
}

// adopt asks Harvest who the user is in the account, within ctx, and stores the
// connection. sentence says why not, if it is Harvest's or the user's matter.
func (h *oauthHandler) adopt(ctx context.Context, r *http.Request, pair ledger.TokenPair, accountID int64) (account ledger.Account, week planner.Week, sentence string, err error) {
	user := currentUser(r)
	account, err = h.connect(ctx, pair.Access, accountID)
	if err != nil {
		sentence, err = h.problem(r, err)
		return account, week, sentence, err
	}
	week, err = h.save(r.Context(), user, account, func(tx *db.Tx) (int64, error) {
		return tx.ConnectOAuth(r.Context(), user.ID, pair, account)
	})
	if errors.Is(err, planner.ErrConflict) {
		pinned, err := h.store.Connection(r.Context(), user.ID)
		return account, week, pinnedSentence(pinned.Account, account), err
	}
	return account, week, "", err
}

// pinnedSentence is pinnedProblem for somebody who has no token in hands.
func pinnedSentence(pinned, other ledger.Account) string {
	if pinned.AccountID != other.AccountID {
		return pinnedProblem(pinned, other)["account_id"]
	}
	return belongsWords(pinned) + ", and you are logged in at Harvest as " + orWords(other.UserName, "somebody else") + ". Log out there, and in again as the same person."
}

// back shows the connection as it was, and why it still is.
func (h *oauthHandler) back(w http.ResponseWriter, r *http.Request, sentence string) error {
	h.sessions.flash(r.Context(), views.FlashBad, sentence)
	return h.redirect(w, r, views.HarvestPath)
}

func (h *oauthHandler) problemBack(w http.ResponseWriter, r *http.Request, err error) error {
	sentence, err := h.problem(r, err)
	if err != nil {
		return err
	}
	return h.back(w, r, sentence)
}

// problem tells why Harvest did not let somebody in. What is not Harvest's
// matter comes back as an error.
func (h *oauthHandler) problem(r *http.Request, err error) (string, error) {
	sentence := ""
	switch errs := connectProblem(err, 0); {
	case errors.Is(err, ledger.ErrClientRefused):
		sentence = "Harvest does not know this Furrow by its client ID and secret. Nothing was stored. Tell whoever runs it."
	case errors.Is(err, ledger.ErrAccessRevoked):
		sentence = loginSpent
	case errs == nil:
		return "", fmt.Errorf("connect by OAuth: %w", err)
	case errs[""] != "":
		sentence = errs[""]
	default:
		sentence = "Harvest does not let you into that account. Nothing was stored."
	}
	h.log.InfoContext(r.Context(), "connecting refused", "error", err.Error())
	return sentence, nil
}

// showAccounts asks which of several accounts is meant.
func (h *oauthHandler) showAccounts(w http.ResponseWriter, r *http.Request) error {
	_, accounts, err := h.store.OAuthChoice(r.Context(), h.login(r), h.now())
	if errors.Is(err, planner.ErrNotFound) {
		return h.back(w, r, choiceOver)
	}
	if err != nil {
		return err
	}
	return h.choicePage(w, r, http.StatusOK, accounts, views.Fields{})
}

func (h *oauthHandler) choicePage(w http.ResponseWriter, r *http.Request, status int, accounts []ledger.AccountChoice, fields views.Fields) error {
	page := views.AccountChoicePage{Chrome: h.chrome(r, "Which account?", views.NavSettings), Fields: fields}
	for _, a := range accounts {
		page.Accounts = append(page.Accounts, views.AccountOption{ID: a.ID, Name: orWords(a.Name, "An account without a name")})
	}
	return h.render(w, r, status, page.View())
}

// chooseAccount connects the account that was chosen. If Harvest is away, the
// choice stays open.
func (h *oauthHandler) chooseAccount(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	pair, accounts, err := h.store.OAuthChoice(r.Context(), h.login(r), h.now())
	if errors.Is(err, planner.ErrNotFound) {
		return h.back(w, r, choiceOver)
	}
	if err != nil {
		return err
	}
	refuse := func(status int, errs planner.FieldErrors) error {
		return h.choicePage(w, r, status, accounts, f.fields(errs, "account_id"))
	}
	accountID, err := strconv.ParseInt(f.text("account_id"), 10, 64)
	if err != nil || !offers(accounts, accountID) {
		return refuse(http.StatusUnprocessableEntity, planner.FieldErrors{"account_id": choiceMade})
	}
	ctx, cancel := context.WithTimeout(r.Context(), connectTimeout)
	defer cancel()
	account, week, sentence, err := h.adopt(ctx, r, pair, accountID)
	switch {
	case err != nil:
		return err
	case sentence != "" && account.AccountID != 0: // Harvest said who it is, and it is not who it was
		return refuse(http.StatusConflict, planner.FieldErrors{"": sentence})
	case sentence != "":
		return refuse(http.StatusUnprocessableEntity, planner.FieldErrors{"": sentence})
	default:
		return h.connected(w, r, account, week)
	}
}
