package harvest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"furrow/ledger"
)

// Addresses of Harvest ID (authentication-api/authentication).
const (
	authorizePath = "/oauth2/authorize"
	tokenPath     = "/api/v2/oauth2/token" //nolint:gosec // an address, no secret
	accountsPath  = "/api/v2/accounts"
)

// The values of connecting, declared where those who keep them find them.
type (
	TokenPair     = ledger.TokenPair
	AccountChoice = ledger.AccountChoice
)

// oauthClient is what the installation is registered with.
type oauthClient struct {
	id     string
	secret ledger.Secret
}

// OAuthConfigured reports whether connecting by OAuth is possible.
func (c Config) OAuthConfigured() bool { return c.ClientID != "" && c.ClientSecret != "" }

// OAuthConfigured reports whether connecting by OAuth is possible.
func (h *Harvest) OAuthConfigured() bool { return h.oauth != nil }

// AuthorizeURL is where to send a browser whose user shall allow access.
// Harvest sends it to redirectURI, with state and a code or an error, which
// must begin with the address that was registered. challenge is the S256
// challenge of a verifier (RFC 7636); Harvest documents no such parameter, and
// one that it ignores does no harm. Empty if OAuth is not configured.
func (h *Harvest) AuthorizeURL(state, challenge, redirectURI string) string {
	if h.oauth == nil {
		return ""
	}
	address := url.URL{Scheme: h.id.Scheme, Host: h.id.Host, Path: authorizePath, RawQuery: url.Values{
		"client_id":             {h.oauth.id},
		"response_type":         {"code"},
		"state":                 {state},
		"redirect_uri":          {redirectURI},
		"code_challenge":        {challenge},
		"code_challenge_method": {"S256"},
	}.Encode()}
	return address.String()
}

// Exchange trades the code of an authorization for tokens. It is used up by
// the attempt. Errors are those of [Harvest.Refresh]; ErrAccessRevoked says
// that the code is wrong, used or too old.
func (h *Harvest) Exchange(ctx context.Context, code, verifier, redirectURI string) (TokenPair, error) {
	return h.token(ctx, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"code_verifier": {verifier},
		"redirect_uri":  {redirectURI},
	}, ledger.Secret(code), ledger.Secret(verifier))
}

// Refresh gets new tokens for a refresh token. Whether the old one is dead
// afterwards is not documented, so two must not run at once, and the answer
// must be stored before it is used; ctx should outlive whoever asked.
//
// It returns [ledger.ErrAccessRevoked] if Harvest no longer accepts the refresh
// token, [ledger.ErrClientRefused] if it does not accept the installation,
// [*ledger.WaitError] if it asked to wait, and otherwise [*ledger.CallError].
// One of class Unknown leaves open whether new tokens were issued: then the
// old refresh token is all there is to try again with, and being refused it
// may mean that the new ones were lost. It does not go through the gate, which
// knows the limits of the data API alone.
func (h *Harvest) Refresh(ctx context.Context, refresh ledger.Secret) (TokenPair, error) {
	return h.token(ctx, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {refresh.Reveal()},
	}, refresh)
}

// token asks the token endpoint.
func (h *Harvest) token(ctx context.Context, form url.Values, secrets ...ledger.Secret) (pair TokenPair, err error) {
	c := h.Client(Credentials{}, Interactive)
	what := call{method: http.MethodPost, path: tokenPath, name: tokenPath, class: ledger.GateGeneral, identity: true, form: true, judge: judgeGrant}
	if h.oauth == nil {
		return TokenPair{}, fmt.Errorf("%w: %w", ledger.ErrClientRefused, c.failed(what, ledger.NotSent, ledger.ReasonInvalid))
	}
	form.Set("client_id", h.oauth.id)
	form.Set("client_secret", h.oauth.secret.Reveal())
	what.body = []byte(form.Encode())
	what.secrets = slices.Concat(secrets, []ledger.Secret{h.oauth.secret})

	ctx, cancel := context.WithTimeoutCause(ctx, h.writeTimeout, errDeadline)
	defer cancel()
	began := time.Now()
	what.decode = func(body []byte) (err error) {
		pair, err = decodeToken(body, began)
		return err
	}
	if err := c.try(ctx, what); err != nil {
		return TokenPair{}, err
	}
	return pair, nil
}

// The lives that an access token can have: what Harvest told is two weeks.
const maxTokenLife = 10 * 365 * 24 * time.Hour

var errNoToken = errors.New("access_token or refresh_token: missing or unusable")

// decodeToken reads the answer of the token endpoint.
func decodeToken(body []byte, began time.Time) (TokenPair, error) {
	var wire struct {
		Access    string `json:"access_token"`
		Refresh   string `json:"refresh_token"`
		Type      string `json:"token_type"`
		ExpiresIn number `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return TokenPair{}, describe(err)
	}
	pair := TokenPair{Access: ledger.Secret(wire.Access), Refresh: ledger.Secret(wire.Refresh)}
	switch {
	case !sendable(pair.Access), pair.Refresh != "" && !sendable(pair.Refresh):
		return TokenPair{}, errNoToken
	case wire.Type != "" && !strings.EqualFold(wire.Type, "bearer"):
		return TokenPair{}, errors.New("token_type: not bearer")
	}
	if seconds, err := integer(wire.ExpiresIn); err == nil && seconds > 0 {
		pair.ExpiresIn = time.Duration(min(seconds, int64(maxTokenLife/time.Second))) * time.Second
		pair.ExpiresAt = began.Add(pair.ExpiresIn)
	}
	return pair, nil
}

// judgeGrant says what a refusal of the token endpoint means, by the code of
// RFC 6749 in it. Harvest's statuses are not documented. No words of the
// answer are kept: they may hold what was sent in any form.
func judgeGrant(refused *ledger.CallError, body []byte) error {
	var wire struct {
		Error text `json:"error"`
	}
	_ = json.Unmarshal(body, &wire) // one that cannot be read has no code
	code := string(wire.Error)
	if slices.Contains([]string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_token", "access_denied"}, code) {
		refused.Message = code
	}
	switch code {
	case "invalid_grant", "invalid_token", "access_denied":
		refused.Reason = ledger.ReasonAuth
		return fmt.Errorf("%w: %w", ledger.ErrAccessRevoked, refused)
	case "invalid_client", "unauthorized_client":
		return fmt.Errorf("%w: %w", ledger.ErrClientRefused, refused)
	}
	return refused
}

// Accounts returns the Harvest accounts that a token opens; there may be none.
// The user of this answer is Harvest ID's, not the one that time entries carry
// (harvest-api.md, section 2.4). Errors are those of [Client.Account].
func (h *Harvest) Accounts(ctx context.Context, token ledger.Secret) ([]AccountChoice, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, accountTimeout, errDeadline)
	defer cancel()
	c := h.Client(Credentials{Tokens: ledger.StaticToken(token)}, Interactive)
	var choices []AccountChoice
	err := c.do(ctx, call{
		method: http.MethodGet, path: accountsPath, name: accountsPath, class: ledger.GateGeneral, identity: true,
		decode: func(body []byte) (err error) {
			choices, err = decodeAccounts(body)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return choices, nil
}

func decodeAccounts(body []byte) ([]AccountChoice, error) {
	var wire struct {
		Accounts json.RawMessage `json:"accounts"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, describe(err)
	}
	if len(wire.Accounts) == 0 {
		return nil, errors.New("accounts: missing")
	}
	var accounts []struct {
		named
		Product string `json:"product"`
	}
	if err := json.Unmarshal(wire.Accounts, &accounts); err != nil {
		return nil, describe(err)
	}
	var choices []AccountChoice
	for _, a := range accounts {
		if a.Product != "harvest" {
			continue // Forecast has accounts of its own
		}
		id, err := integer(a.ID)
		if err != nil || id <= 0 {
			return nil, errNoID
		}
		choices = append(choices, AccountChoice{ID: id, Name: plain(a.Name)})
	}
	return choices, nil
}
