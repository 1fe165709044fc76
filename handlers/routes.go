package handlers

import (
	"net/http"

	"furrow/views"
)

// New returns the handler of the whole program.
func New(deps Deps) http.Handler {
	s := newSite(deps)
	mux := http.NewServeMux()

	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /readyz", ready(deps.Ready, deps.Log))
	if deps.Role == RoleWorker {
		return s.around(mux)
	}
	mux.Handle("GET /static/", deps.Static)

	passwords := newPasswords()
	auth := &authHandler{s, deps.Store, passwords, deps.TrustedProxies}
	setup := &setupHandler{s, deps.Store, passwords, deps.SetupToken, deps.PublicURL}
	settings := &settingsHandler{s, deps.Store, passwords}

	mux.Handle("GET /{$}", s.public(auth.home))
	mux.Handle("GET "+views.SetupPath, s.public(setup.show))
	mux.Handle("POST "+views.SetupPath, s.public(setup.create))
	mux.Handle("GET "+views.LoginPath, s.public(auth.showLogin))
	mux.Handle("POST "+views.LoginPath, s.public(auth.login))
	mux.Handle("POST "+views.LogoutPath, s.public(auth.logout))

	mux.Handle("GET "+views.SettingsPath, s.user(settings.show))
	mux.Handle("POST "+views.SettingsPath, s.user(settings.savePreferences))
	mux.Handle("POST "+views.PasswordPath, s.user(settings.changePassword))
	mux.Handle("POST "+views.TokensPath, s.user(settings.createToken))
	mux.Handle("POST "+views.TokensPath+"/{id}/revoke", s.user(settings.revokeToken))

	if deps.Sandbox != nil {
		sandbox := &sandboxHandler{s, deps.Sandbox}
		mux.Handle("POST "+views.SandboxOutagePath, s.user(sandbox.setOutage))
	}
	return s.around(mux)
}
