package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The one registered OAuth client.
const (
	oauthClientID     = "sandbox-client"
	oauthClientSecret = "sandbox-secret"
)

const (
	accessTokenLife = 14 * 24 * time.Hour
)

// token is a personal access token (no expiry) or an OAuth access token.
type token struct {
	Name       string     `json:"name"` // "1.pt": the part that may be shown
	IdentityID int64      `json:"identity_id"`
	Expires    *time.Time `json:"expires,omitempty"`
	Revoked    bool       `json:"revoked,omitempty"`
}

type refresh struct {
	IdentityID int64 `json:"identity_id"`
	Revoked    bool  `json:"revoked,omitempty"`
}

type code struct {
	IdentityID int64     `json:"identity_id"`
	Expires    time.Time `json:"expires"`
}

// secretText is hard to guess and long enough.
func secretText() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails, by its documentation
	return hex.EncodeToString(b)
}

// issue makes an access token for an identity. The mutex must be held for writing.
func (s *Server) issue(identityID int64) string {
	name := itoa(s.world.id(kindToken)) + ".at"
	secret := name + "." + secretText()
	s.world.Tokens[secret] = &token{Name: name, IdentityID: identityID, Expires: new(s.now().Add(accessTokenLife))}
	return secret
}

func (s *Server) issueRefresh(identityID int64) string {
	secret := itoa(s.world.id(kindToken)) + ".rt." + secretText()
	s.world.Refreshes[secret] = &refresh{IdentityID: identityID}
	return secret
}

func allowPage() *template.Template {
	return template.Must(template.New("allow").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sandbox: authorize</title></head>
<body><main>
<h1>Sandbox</h1>
<p>{{.ClientID}} asks for access to Harvest as {{.Person}}.</p>
<form method="post" action="/oauth2/authorize">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<button type="submit">Allow</button>
</form>
</main></body></html>
`))
}

type field struct{ Name, Value string }

// authorize shows the page with the one button, and sends the browser back when it is pressed
// (section 2.3). The parameter deny=1 stands for a person who refuses; login_hint chooses a person by
// e-mail address.
func (s *Server) authorize(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.method != http.MethodGet && c.method != http.MethodPost {
		return notRouted()
	}
	q := c.query
	if c.method == http.MethodPost {
		form, err := url.ParseQuery(string(c.body))
		if err != nil {
			return badRequest("Bad Request")
		}
		for k, v := range form {
			q[k] = v
		}
	}
	kind := q.Get("response_type")
	registered := s.world.Switches.RegisteredRedir
	if q.Get("redirect_uri") == "" {
		q.Set("redirect_uri", registered)
	}
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case q.Get("client_id") != oauthClientID:
		return asHTML(http.StatusUnauthorized, htmlPage("Unknown application", "There is no application with this client_id."))
	case err != nil || back.Host == "" || back.Scheme != "http" && back.Scheme != "https" || !strings.HasPrefix(q.Get("redirect_uri"), registered):
		return asHTML(http.StatusBadRequest, htmlPage("Bad redirect", "The redirect_uri does not match the registered one."))
	case kind != "code" && kind != "token":
		return asHTML(http.StatusBadRequest, htmlPage("Bad request", "The response_type must be code or token."))
	}
	who := s.person(q.Get("login_hint"))
	if who == nil {
		return asHTML(http.StatusBadRequest, htmlPage("Nobody there", "The sandbox has no such person."))
	}
	values := back.Query()
	if state := q.Get("state"); state != "" {
		values.Set("state", state)
	}
	switch {
	case q.Get("deny") != "":
		values.Set("error", "access_denied")
	case c.method == http.MethodGet:
		return allow(q, who)
	case kind == "token":
		values.Set("access_token", s.issue(who.ID))
		values.Set("token_type", "bearer")
		values.Set("expires_in", itoa(int64(accessTokenLife/time.Second)))
		values.Set("scope", who.scope())
	default:
		secret := secretText()
		s.world.Codes[secret] = &code{IdentityID: who.ID, Expires: s.now().Add(seconds(s.world.Switches.CodeLifeS))}
		values.Set("code", secret)
		values.Set("scope", who.scope())
	}
	back.RawQuery = values.Encode()
	return answer{status: http.StatusFound}.with("Location", back.String())
}

func allow(q url.Values, who *identity) answer {
	page := struct {
		ClientID, Person string
		Fields           []field
	}{ClientID: q.Get("client_id"), Person: who.FirstName + " " + who.LastName}
	for _, name := range []string{"client_id", "login_hint", "redirect_uri", "response_type", "state"} {
		if v := q.Get(name); v != "" {
			page.Fields = append(page.Fields, field{name, v})
		}
	}
	var b strings.Builder
	if err := allowPage().Execute(&b, page); err != nil {
		return htmlError(http.StatusInternalServerError)
	}
	return asHTML(http.StatusOK, b.String())
}

// person finds an identity by e-mail address; without one it is the first.
func (s *Server) person(email string) *identity {
	for _, id := range slices.Sorted(maps.Keys(s.world.Identities)) {
		if p := s.world.Identities[id]; email == "" || strings.EqualFold(p.Email, email) {
			return p
		}
	}
	return nil
}

// scope names the account when there is one only.
func (p *identity) scope() string {
	for _, m := range p.Memberships {
		if m.UserID != 0 {
			return "harvest:" + itoa(m.AccountID)
		}
	}
	return "harvest:all"
}

type tokenBody struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
}

// exchange is the token endpoint: a code or a refresh token for tokens.
func (s *Server) exchange(c *call) answer {
	if c.method != http.MethodPost {
		return notRouted()
	}
	p, err := parseBody(c.contentType, c.body)
	if err != nil {
		return asJSON(http.StatusBadRequest, oauthBody{"invalid_request", "The request body cannot be read."})
	}
	q := params{}
	q.addForm(c.query)
	get := func(key string) string {
		if v, ok := p.text(key); ok {
			return v
		}
		v, _ := q.text(key)
		return v
	}
	if get("client_id") != oauthClientID || get("client_secret") != oauthClientSecret {
		s.mu.RLock()
		status := http.StatusUnauthorized
		if s.world.Switches.WrongClient == "400" {
			status = http.StatusBadRequest
		}
		s.mu.RUnlock()
		return asJSON(status, oauthBody{"invalid_client", "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method."})
	}
	refused := asJSON(http.StatusBadRequest, oauthBody{"invalid_grant", "The provided access grant is invalid, expired, or revoked (e.g. invalid assertion, expired authorization token, bad end-user password credentials, or mismatching authorization code and redirection URI)."})

	s.mu.Lock()
	defer s.mu.Unlock()
	body := tokenBody{TokenType: "bearer", ExpiresIn: int64(accessTokenLife / time.Second)}
	switch get("grant_type") {
	case "authorization_code":
		found := s.world.Codes[get("code")]
		delete(s.world.Codes, get("code")) // single use
		if found == nil || !s.now().Before(found.Expires) {
			return refused
		}
		body.AccessToken = s.issue(found.IdentityID)
		body.RefreshToken = s.issueRefresh(found.IdentityID)
	case "refresh_token":
		secret := get("refresh_token")
		found := s.world.Refreshes[secret]
		if found == nil || found.Revoked {
			return refused
		}
		body.AccessToken = s.issue(found.IdentityID)
		switch s.world.Switches.RefreshTokenRotation {
		case "rotate":
			found.Revoked = true
			body.RefreshToken = s.issueRefresh(found.IdentityID)
		case "keep":
			body.RefreshToken = secret
		}
	default:
		return asJSON(http.StatusBadRequest, oauthBody{"unsupported_grant_type", "The authorization grant type is not supported."})
	}
	return asJSON(http.StatusOK, body)
}

type accountView struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Product string `json:"product"`
}

type identityView struct {
	ID        int64  `json:"id"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Email     string `json:"email"`
}

// listAccounts tells which accounts a token opens; it needs no account header (section 2.4).
func (s *Server) listAccounts(c *call) answer {
	if c.method != http.MethodGet {
		return notRouted()
	}
	if c.userAgent == "" {
		return badRequest("A User-Agent header is required")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	c.now = s.now()
	who := s.identify(c)
	if who == nil {
		return unauthorized()
	}
	accounts := []accountView{}
	for _, m := range who.Memberships {
		accounts = append(accounts, accountView{m.AccountID, m.Name, m.Product})
	}
	return asJSON(http.StatusOK, struct {
		User     identityView  `json:"user"`
		Accounts []accountView `json:"accounts"`
	}{identityView{who.ID, who.FirstName, who.LastName, who.Email}, accounts})
}
