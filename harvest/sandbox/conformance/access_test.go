package conformance_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// addresses is section 1: hosts, paths, methods and bodies.
func addresses() []statement {
	form := func(s *service, extra string) string {
		return "project_id=" + s.project + "&task_id=" + s.task + "&spent_date=" + s.today + "&hours=1.5" + extra
	}
	return []statement{
		{"1/hosts/data_api_under_v2", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/users/me").want(t, 200)
		}},
		{"1/hosts/older_prefix_answers_the_same", read, func(t *testing.T, s *service) {
			s.get(t, "/api/v2/users/me").want(t, 200).body(t, string(s.get(t, "/v2/users/me").value))
		}},
		{"1/hosts/links_under_v2_for_the_older_prefix_too", read, func(t *testing.T, s *service) {
			first := s.get(t, "/api/v2/time_entries?per_page=1").want(t, 200).text(t, "links.first")
			if !strings.Contains(first, "/v2/time_entries?") || strings.Contains(first, "/api/") {
				t.Errorf("the first link is %s", first)
			}
		}},
		{"1/hosts/location_under_the_older_prefix", write, func(t *testing.T, s *service) {
			made := s.create(t)
			if got := made.header.Get("Location"); !strings.HasSuffix(got, "/api"+made.path("time_entries")) {
				t.Errorf("Location is %q", got)
			}
		}},
		{"1/hosts/location_on_the_called_host", own, func(t *testing.T, s *service) {
			made := s.create(t)
			same(t, "Location", made.header.Get("Location"), s.url+"/api"+made.path("time_entries"))
			s.get(t, made.header.Get("Location")).want(t, 200).is(t, "id", string(made.at("id")))
		}},
		{"1/paths/json_suffix", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/users/me.json").want(t, 200)
		}},
		{"1/paths/slash_before_the_query", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/time_entries/?per_page=1").want(t, 200)
		}},
		{"1/hosts/identity_service", read, func(t *testing.T, s *service) {
			s.get(t, s.idURL+"/api/v2/accounts").want(t, 200)
		}},
		{"1/hosts/web_app_per_account", read, func(t *testing.T, s *service) {
			r := s.get(t, "/v2/company")
			s.need(t, r.status == 200, "right to read the company")
			same(t, "base_uri", r.text(t, "base_uri"), "https://"+r.text(t, "full_domain"))
			if !strings.HasSuffix(r.text(t, "full_domain"), ".harvestapp.com") {
				t.Errorf("full_domain is %s", r.at("full_domain"))
			}
		}},
		{"1/methods/no_put", write, func(t *testing.T, s *service) {
			made := s.create(t)
			s.call(t, http.MethodPut, made.path("time_entries"), object("hours", 2)).html(t, 404)
		}},
		{"1/bodies/json", write, func(t *testing.T, s *service) {
			s.create(t).is(t, "hours", "1.5")
		}},
		{"1/bodies/form", write, func(t *testing.T, s *service) {
			r := s.with("Content-Type", "application/x-www-form-urlencoded").post(t, "/v2/time_entries", form(s, "")).want(t, 201)
			s.remove(t, r.path("time_entries"))
			r.is(t, "hours", "1.5")
		}},
		{"1/bodies/form_with_nested_object", write, func(t *testing.T, s *service) {
			r := s.with("Content-Type", "application/x-www-form-urlencoded").post(t, "/v2/time_entries", form(s, "&external_reference[id]=f1")).want(t, 201)
			s.remove(t, r.path("time_entries"))
			r.is(t, "external_reference.id", `"f1"`)
		}},
		{"1/bodies/everything_in_the_query", write, func(t *testing.T, s *service) {
			r := s.post(t, "/v2/time_entries?"+form(s, ""), nil).want(t, 201)
			s.remove(t, r.path("time_entries"))
			r.is(t, "hours", "1.5")
		}},
		{"1/bodies/json_needs_its_content_type", write, func(t *testing.T, s *service) {
			s.with("Content-Type", "text/plain").post(t, "/v2/time_entries", `{"project_id":`+s.project+`,"task_id":`+s.task+`,"spent_date":"`+s.today+`","hours":1}`).want(t, 422)
		}},
		{"1/bodies/texts_are_read_as_numbers_and_truth_values", write, func(t *testing.T, s *service) {
			r := s.create(t, "project_id", s.project, "task_id", s.task, "hours", "1.0")
			r.is(t, "hours", "1.0")
			r.is(t, "project.id", s.project)
		}},
		{"1/bodies/truth_values_as_texts", own, func(t *testing.T, s *service) {
			s.patch(t, "/v2/clients/1101", object("is_active", "false")).want(t, 200).is(t, "is_active", "false")
		}},
		{"1/bodies/unknown_keys_are_ignored_on_create", write, func(t *testing.T, s *service) {
			r := s.create(t, "id", 7, "created_at", "2001-01-01T00:00:00Z", "is_locked", true, "client", object("id", 3))
			if string(r.at("id")) == "7" || strings.HasPrefix(r.text(t, "created_at"), "2001") {
				t.Errorf("taken from the request: %s", r.value)
			}
		}},
		{"1/bodies/unknown_keys_are_ignored_on_update", write, func(t *testing.T, s *service) {
			made := s.create(t)
			r := s.patch(t, made.path("time_entries"), object("id", 7, "user", object("id", 3), "nonsense", []int{1}, "notes", "n")).want(t, 200)
			r.is(t, "id", string(made.at("id")))
			r.is(t, "notes", `"n"`)
		}},
		{"1/answers/content_type", read, func(t *testing.T, s *service) {
			same(t, "Content-Type", s.get(t, "/v2/users/me").header.Get("Content-Type"), "application/json; charset=utf-8")
		}},
		{"1/no_webhooks", read, func(t *testing.T, s *service) {
			s.get(t, "/v2/webhooks").html(t, 404)
		}},
		{"1/no_idempotency", write, func(t *testing.T, s *service) {
			s = s.with("Idempotency-Key", "one")
			if a, b := s.create(t), s.create(t); string(a.at("id")) == string(b.at("id")) {
				t.Error("two requests made one entry")
			}
		}},
	}
}

// credentials is sections 2.1, 2.2 and 2.4.
func credentials() []statement {
	const refused = `{"error":"invalid_token","error_description":"The access token provided is expired, revoked, malformed or invalid for other reasons."}`
	missing := func(choice string, status int, body string) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			s.set(t, "missing_account_header", choice)
			s.with("Harvest-Account-Id", "").get(t, "/v2/users/me").want(t, status).body(t, body)
		}
	}
	foreign := func(choice string, status int, body string) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			s.set(t, "foreign_account", choice)
			s.with("Harvest-Account-Id", "2002").get(t, "/v2/users/me").want(t, status).body(t, body)
		}
	}
	const denied, lost = `{"message":"Not authorized!"}`, `{"status":404,"error":"Not Found"}`
	return []statement{
		{"2.1/token_is_required", read, func(t *testing.T, s *service) {
			s.with("Authorization", "").get(t, "/v2/users/me").want(t, 401).body(t, refused)
		}},
		{"2.1/account_header_in_any_case", read, func(t *testing.T, s *service) {
			s.with("Harvest-Account-Id", "").with("harvest-account-ID", s.account).get(t, "/v2/users/me").want(t, 200)
		}},
		{"2.1/identity_service_needs_no_account", read, func(t *testing.T, s *service) {
			s.with("Harvest-Account-Id", "").get(t, s.idURL+"/api/v2/accounts").want(t, 200)
		}},
		{"2.1/agent_is_required", read, func(t *testing.T, s *service) {
			s.with("User-Agent", "").get(t, "/v2/users/me").want(t, 400)
		}},
		{"2.1/credentials_in_the_query", own, func(t *testing.T, s *service) {
			bare := s.with("Authorization", "").with("Harvest-Account-Id", "")
			bare.get(t, "/v2/users/me?access_token="+s.token+"&account_id="+s.account).want(t, 200)
		}},
		{"2.1/accounts_have_separate_data", own, func(t *testing.T, s *service) {
			made := s.create(t)
			s.other().get(t, made.path("time_entries")).want(t, 404)
			s.other().get(t, "/v2/projects/3101").want(t, 404)
		}},
		{"2.1/no_account_header/401", own, missing("401", 401, refused)},
		{"2.1/no_account_header/403", own, missing("403", 403, denied)},
		{"2.1/no_account_header/404", own, missing("404", 404, lost)},
		{"2.1/no_account_header/default_is_401", own, func(t *testing.T, s *service) {
			s.with("Harvest-Account-Id", "").get(t, "/v2/users/me").want(t, 401)
		}},
		{"2.1/no_account_header/implied", own, func(t *testing.T, s *service) {
			s.set(t, "missing_account_header", "implied")
			s.with("Harvest-Account-Id", "").get(t, "/v2/users/me").want(t, 200).is(t, "id", "2301")
		}},
		{"2.1/no_account_header/identity", own, func(t *testing.T, s *service) {
			s.set(t, "missing_account_header", "identity")
			s.with("Harvest-Account-Id", "").get(t, "/v2/users/me").want(t, 200).is(t, "id", "901")
			s.with("Harvest-Account-Id", "").get(t, "/v2/company").want(t, 401)
		}},
		{"2.1/foreign_account/401", own, foreign("401", 401, refused)},
		{"2.1/foreign_account/403", own, foreign("403", 403, denied)},
		{"2.1/foreign_account/404", own, foreign("404", 404, lost)},
		{"2.1/one_token_for_several_accounts", own, func(t *testing.T, s *service) {
			made := s.person(t, object("id", 1001, "access_roles", []string{"member"}), object("id", 2002, "access_roles", []string{"administrator"}))
			for _, account := range []int64{1001, 2002} {
				me := s.as(made.text(t, "token"), account).get(t, "/v2/users/me").want(t, 200)
				me.is(t, "id", string(made.at(fmt.Sprintf("users.%d", account))))
			}
		}},
		{"2.2/personal_token_does_not_expire", own, func(t *testing.T, s *service) {
			s.box.Advance(t, 10*365*24*time.Hour)
			s.get(t, "/v2/users/me").want(t, 200)
		}},
		{"2.2/personal_token_can_be_revoked", own, func(t *testing.T, s *service) {
			s.box.RevokeToken(t, s.token)
			s.get(t, "/v2/users/me").want(t, 401).body(t, refused)
		}},
		{"2.2/personal_token_shape", own, func(t *testing.T, s *service) {
			if !regexp.MustCompile(`^\d+\.pt\..+`).MatchString(s.person(t).text(t, "token")) {
				t.Error("another shape")
			}
		}},
		{"2.4/accounts/fields", read, func(t *testing.T, s *service) {
			r := s.get(t, s.idURL+"/api/v2/accounts").want(t, 200)
			s.fields(t, r.value, "user obj, accounts list")
			s.fields(t, r.at("user"), "id int, first_name str, last_name str, email str")
			for _, a := range r.list(t, "accounts") {
				s.fields(t, a, "id int, name str, product str")
			}
		}},
		{"2.4/accounts/products", own, func(t *testing.T, s *service) {
			r := s.get(t, "/api/v2/accounts")
			r.is(t, "accounts.0.product", `"harvest"`)
			r.is(t, "accounts.1.product", `"forecast"`)
		}},
		{"2.4/accounts/may_be_empty", own, func(t *testing.T, s *service) {
			lonely := s.as(s.person(t).text(t, "token"), 1001)
			lonely.get(t, "/api/v2/accounts").want(t, 200).is(t, "accounts", "[]")
			lonely.get(t, "/v2/users/me").want(t, 401)
		}},
		{"2.4/accounts/identity_is_not_the_user", read, func(t *testing.T, s *service) {
			if string(s.get(t, s.idURL+"/api/v2/accounts").at("user.id")) == string(s.get(t, "/v2/users/me").at("id")) {
				t.Error("the ids are the same")
			}
		}},
		{"2.4/accounts/agent_is_required", read, func(t *testing.T, s *service) {
			s.with("User-Agent", "").get(t, s.idURL+"/api/v2/accounts").want(t, 400)
		}},
		{"2.4/accounts/token_is_required", read, func(t *testing.T, s *service) {
			s.with("Authorization", "Bearer 1.pt.nobody").get(t, s.idURL+"/api/v2/accounts").want(t, 401)
		}},
	}
}

const back = "http://127.0.0.1:9/callback"

// authorize presses the button of the page, and returns what the redirect carries.
func (s *service) authorize(t *testing.T, more string) url.Values {
	t.Helper()
	form := url.Values{"client_id": {sandboxtest.OAuthClient}, "response_type": {"code"}, "redirect_uri": {back}}
	for name, texts := range query(t, "?"+more) {
		form[name] = texts
	}
	r := s.with("Content-Type", "application/x-www-form-urlencoded").post(t, "/oauth2/authorize", form.Encode()).want(t, 302)
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), back+"?") || to.Fragment != "" {
		t.Fatalf("sent to %s (%v)", to, err)
	}
	return to.Query()
}

// exchange asks for tokens.
func (s *service) exchange(t *testing.T, pairs ...any) reply {
	t.Helper()
	body := object("client_id", sandboxtest.OAuthClient, "client_secret", sandboxtest.OAuthSecret)
	for k, v := range object(pairs...) {
		body[k] = v
	}
	return s.with("Authorization", "").with("Harvest-Account-Id", "").post(t, "/api/v2/oauth2/token", body)
}

// tokens goes through the whole of authorization.
func (s *service) tokens(t *testing.T) reply {
	t.Helper()
	return s.exchange(t, "grant_type", "authorization_code", "code", s.authorize(t, "").Get("code")).want(t, 200)
}

// oauth is section 2.3, and the tokens of 2.2.
func oauth() []statement {
	rotation := func(choice string, check func(t *testing.T, s *service, old string, r reply)) func(*testing.T, *service) {
		return func(t *testing.T, s *service) {
			s.set(t, "refresh_token_rotation", choice)
			old := s.tokens(t).text(t, "refresh_token")
			r := s.exchange(t, "grant_type", "refresh_token", "refresh_token", old).want(t, 200)
			s.as(r.text(t, "access_token"), 1001).get(t, "/v2/users/me").want(t, 200)
			check(t, s, old, r)
		}
	}
	again := func(t *testing.T, s *service, token string, status int) {
		t.Helper()
		s.exchange(t, "grant_type", "refresh_token", "refresh_token", token).want(t, status)
	}
	return []statement{
		{"2.2/oauth_token_shape", own, func(t *testing.T, s *service) {
			if got := s.tokens(t).text(t, "access_token"); !regexp.MustCompile(`^\d+\.at\..+`).MatchString(got) {
				t.Error("another shape")
			}
		}},
		{"2.2/oauth_token_lives_fourteen_days", own, func(t *testing.T, s *service) {
			r := s.tokens(t)
			r.is(t, "expires_in", "1209600")
			caller := s.as(r.text(t, "access_token"), 1001)
			s.box.Advance(t, 14*24*time.Hour-time.Second)
			caller.get(t, "/v2/users/me").want(t, 200)
			s.box.Advance(t, time.Second)
			caller.get(t, "/v2/users/me").want(t, 401)
		}},
		{"2.3/authorize/page_for_the_browser", own, func(t *testing.T, s *service) {
			s.get(t, "/oauth2/authorize?client_id=sandbox-client&response_type=code&redirect_uri="+url.QueryEscape(back)).html(t, 200)
		}},
		{"2.3/authorize/code_and_scope", own, func(t *testing.T, s *service) {
			q := s.authorize(t, "")
			same(t, "scope", q.Get("scope"), "harvest:1001")
			if q.Get("code") == "" || q.Has("state") {
				t.Errorf("came back with %v", q)
			}
		}},
		{"2.3/authorize/scope_is_escaped", own, func(t *testing.T, s *service) {
			r := s.with("Content-Type", "application/x-www-form-urlencoded").
				post(t, "/oauth2/authorize", "client_id=sandbox-client&response_type=code&redirect_uri="+url.QueryEscape(back))
			if !strings.Contains(r.header.Get("Location"), "scope=harvest%3A1001") {
				t.Errorf("Location %s", r.header.Get("Location"))
			}
		}},
		{"2.3/authorize/state_comes_back", own, func(t *testing.T, s *service) {
			same(t, "state", s.authorize(t, "state=a%20b%26c").Get("state"), "a b&c")
		}},
		{"2.3/authorize/refusal", own, func(t *testing.T, s *service) {
			q := s.authorize(t, "state=x&deny=1")
			same(t, "query", q.Encode(), "error=access_denied&state=x")
		}},
		{"2.3/authorize/custom_scheme_is_refused", own, func(t *testing.T, s *service) {
			s.get(t, "/oauth2/authorize?client_id=sandbox-client&response_type=code&redirect_uri=app%3A%2F%2Fcallback").html(t, 400)
		}},
		{"2.3/authorize/redirect_starts_with_the_registered_one", own, func(t *testing.T, s *service) {
			s.set(t, "registered_redirect", back)
			s.authorize(t, "")
			s.get(t, "/oauth2/authorize?client_id=sandbox-client&response_type=code&redirect_uri="+url.QueryEscape(back+"/deeper")).html(t, 200)
			s.get(t, "/oauth2/authorize?client_id=sandbox-client&response_type=code&redirect_uri=https%3A%2F%2Fexample.com%2F").html(t, 400)
		}},
		{"2.3/authorize/redirect_is_optional", own, func(t *testing.T, s *service) {
			s.set(t, "registered_redirect", back)
			r := s.with("Content-Type", "application/x-www-form-urlencoded").post(t, "/oauth2/authorize", "client_id=sandbox-client&response_type=code").want(t, 302)
			if !strings.HasPrefix(r.header.Get("Location"), back+"?code=") {
				t.Errorf("Location %s", r.header.Get("Location"))
			}
		}},
		{"2.3/authorize/pkce_is_not_read", own, func(t *testing.T, s *service) {
			q := s.authorize(t, "code_challenge=abc&code_challenge_method=S256")
			s.exchange(t, "grant_type", "authorization_code", "code", q.Get("code")).want(t, 200)
		}},
		{"2.3/authorize/implicit_grant_answers_in_the_query", own, func(t *testing.T, s *service) {
			q := s.authorize(t, "state=x&response_type=token")
			for _, name := range []string{"access_token", "token_type", "expires_in", "scope", "state"} {
				if q.Get(name) == "" {
					t.Errorf("no %s", name)
				}
			}
			if q.Has("refresh_token") || q.Has("code") {
				t.Errorf("came back with %v", q)
			}
			s.as(q.Get("access_token"), 1001).get(t, "/v2/users/me").want(t, 200)
		}},
		{"2.3/token/json_body", own, func(t *testing.T, s *service) { s.tokens(t) }},
		{"2.3/token/form_body", own, func(t *testing.T, s *service) {
			body := url.Values{"client_id": {sandboxtest.OAuthClient}, "client_secret": {sandboxtest.OAuthSecret}, "grant_type": {"authorization_code"}}
			body.Set("code", s.authorize(t, "").Get("code"))
			s.with("Content-Type", "application/x-www-form-urlencoded").post(t, "/api/v2/oauth2/token", body.Encode()).want(t, 200)
		}},
		{"2.3/token/older_address_and_redirect_uri", own, func(t *testing.T, s *service) {
			s.post(t, "/api/v1/oauth2/token", object("client_id", sandboxtest.OAuthClient, "client_secret", sandboxtest.OAuthSecret,
				"grant_type", "authorization_code", "redirect_uri", back, "code", s.authorize(t, "").Get("code"))).want(t, 200)
		}},
		{"2.3/token/answer", own, func(t *testing.T, s *service) {
			r := s.tokens(t)
			s.fields(t, r.value, "access_token str, refresh_token str, token_type str, expires_in int")
			r.is(t, "token_type", `"bearer"`)
		}},
		{"2.3/token/opens_the_account", own, func(t *testing.T, s *service) {
			s.as(s.tokens(t).text(t, "access_token"), 1001).get(t, "/v2/users/me").want(t, 200).is(t, "id", "2301")
		}},
		{"2.3/token/code_works_once", own, func(t *testing.T, s *service) {
			code := s.authorize(t, "").Get("code")
			s.exchange(t, "grant_type", "authorization_code", "code", code).want(t, 200)
			s.exchange(t, "grant_type", "authorization_code", "code", code).want(t, 400).is(t, "error", `"invalid_grant"`)
		}},
		{"2.3/token/code_lives_ten_minutes", own, func(t *testing.T, s *service) {
			code := s.authorize(t, "").Get("code")
			s.box.Advance(t, 10*time.Minute)
			s.exchange(t, "grant_type", "authorization_code", "code", code).want(t, 400)
		}},
		{"2.3/token/code_life_switch", own, func(t *testing.T, s *service) {
			s.set(t, "code_life_s", 3600)
			code := s.authorize(t, "").Get("code")
			s.box.Advance(t, 59*time.Minute)
			s.exchange(t, "grant_type", "authorization_code", "code", code).want(t, 200)
		}},
		{"2.3/refresh/same_fields", own, func(t *testing.T, s *service) {
			r := s.exchange(t, "grant_type", "refresh_token", "refresh_token", s.tokens(t).text(t, "refresh_token")).want(t, 200)
			s.fields(t, r.value, "access_token str, refresh_token str, token_type str, expires_in int")
		}},
		{"2.3/refresh/rotation/rotate", own, rotation("rotate", func(t *testing.T, s *service, old string, r reply) {
			again(t, s, old, 400)
			again(t, s, r.text(t, "refresh_token"), 200)
		})},
		{"2.3/refresh/rotation/keep", own, rotation("keep", func(t *testing.T, s *service, old string, r reply) {
			same(t, "refresh token", r.text(t, "refresh_token") == old, true)
			again(t, s, old, 200)
		})},
		{"2.3/refresh/rotation/omit", own, rotation("omit", func(t *testing.T, s *service, old string, r reply) {
			s.fields(t, r.value, "access_token str, token_type str, expires_in int")
			again(t, s, old, 200)
		})},
		{"2.3/failure/invalid_grant", own, func(t *testing.T, s *service) {
			r := s.exchange(t, "grant_type", "refresh_token", "refresh_token", "x").want(t, 400)
			s.fields(t, r.value, "error str, error_description str")
			r.is(t, "error", `"invalid_grant"`)
		}},
		{"2.3/failure/invalid_client/401", own, func(t *testing.T, s *service) {
			s.exchange(t, "client_secret", "x", "grant_type", "refresh_token", "refresh_token", "x").want(t, 401).is(t, "error", `"invalid_client"`)
		}},
		{"2.3/failure/invalid_client/400", own, func(t *testing.T, s *service) {
			s.set(t, "wrong_client", "400")
			s.exchange(t, "client_id", "x", "grant_type", "refresh_token", "refresh_token", "x").want(t, 400).is(t, "error", `"invalid_client"`)
		}},
	}
}
