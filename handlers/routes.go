package handlers

import (
	"net/http"

	"furrow/views"
)

// New returns the handler of the whole program.
func New(deps Deps) http.Handler {
	s := newSite(deps)
	return s.around(s.routes(deps).mux)
}

// routes is the mux with the list of what was put into it, so that a test can
// see that it has met every route.
type routes struct {
	mux      *http.ServeMux
	patterns []string
}

// Handle adds a route.
func (r *routes) Handle(pattern string, h http.Handler) {
	r.mux.Handle(pattern, h)
	r.patterns = append(r.patterns, pattern)
}

// routes lists all addresses.
func (s *site) routes(deps Deps) *routes {
	mux := &routes{mux: http.NewServeMux()}

	mux.Handle("GET /healthz", http.HandlerFunc(healthy))
	mux.Handle("GET /readyz", ready(deps.Ready, deps.Log))
	if deps.Role == RoleWorker {
		return mux
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

	week := &weekHandler{s, deps.Store, deps.Jobs}
	mux.Handle("GET "+views.ThisWeekPath, s.user(week.thisWeek))
	mux.Handle("GET /weeks/{week}", s.user(week.show))
	mux.Handle("POST /weeks/{week}/cells", s.user(week.saveCells))
	mux.Handle("GET /weeks/{week}/cells/{row}/{day}", s.user(week.showCell))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}", s.user(week.saveCell))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}/start", s.user(week.startTimer))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}/stop", s.user(week.stopTimer))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}/choose", s.user(week.chooseCell))
	mux.Handle("GET /weeks/{week}/reconcile", s.user(week.showReconcile))
	mux.Handle("POST /weeks/{week}/reconcile", s.user(week.reconcile))
	mux.Handle("GET /weeks/{week}/check", s.user(week.showCheck))
	mux.Handle("POST /weeks/{week}/check", s.user(week.startCheck))
	mux.Handle("GET /weeks/{week}/check/result", s.user(week.checkResult))
	mux.Handle("POST /weeks/{week}/rows", s.user(week.addRow))
	mux.Handle("POST /weeks/{week}/rows/remove", s.user(week.removeRow))
	mux.Handle("GET /weeks/{week}/push", s.user(week.reviewPush))
	mux.Handle("POST /weeks/{week}/push", s.user(week.push))
	mux.Handle("POST /weeks/{week}/sync", s.user(week.startWeekSync))
	mux.Handle("GET "+views.SyncStatusPath, s.user(week.syncStatus))

	api := &apiHandler{week}
	mux.Handle("POST /api/harvest-sync", s.api(api.sync))
	mux.Handle("GET /api/harvest-sync/{id}", s.api(api.run))

	mux.Handle("GET "+views.SettingsPath, s.user(settings.show))
	mux.Handle("POST "+views.SettingsPath, s.user(settings.savePreferences))
	mux.Handle("POST "+views.PasswordPath, s.user(settings.changePassword))
	mux.Handle("POST "+views.TokensPath, s.user(settings.createToken))
	mux.Handle("POST "+views.TokensPath+"/{id}/revoke", s.user(settings.revokeToken))

	harvest := &harvestHandler{site: s, store: deps.Store, queue: deps.Jobs, connect: deps.Connect}
	mux.Handle("GET "+views.HarvestPath, s.user(harvest.show))
	mux.Handle("POST "+views.HarvestPath, s.user(harvest.create))
	mux.Handle("POST "+views.DisconnectPath, s.user(harvest.disconnect))
	if deps.OAuth != nil {
		oauth := newOAuthHandler(harvest, deps)
		harvest.identity = oauth.identity()
		mux.Handle("POST "+views.OAuthPath, s.user(oauth.start))
		mux.Handle("GET "+views.OAuthCallbackPath, s.public(oauth.callback))
		mux.Handle("GET "+views.OAuthAccountPath, s.user(oauth.showAccounts))
		mux.Handle("POST "+views.OAuthAccountPath, s.user(oauth.chooseAccount))
	}

	writes := &ledgerHandler{s, deps.Store, deps.Jobs}
	mux.Handle("GET "+views.LedgerPath, s.user(writes.list))
	mux.Handle("GET "+views.LedgerLivePath, s.user(writes.live))
	mux.Handle("GET "+views.LedgerCSVPath, s.user(writes.export))
	mux.Handle("GET "+views.LedgerPath+"/{id}", s.user(writes.show))
	mux.Handle("GET "+views.LedgerPath+"/{id}/live", s.user(writes.showLive))
	mux.Handle("POST "+views.LedgerPath+"/{id}/retry", s.user(writes.retry))
	mux.Handle("POST "+views.LedgerPath+"/{id}/drop", s.user(writes.drop))

	admin := &adminHandler{s, deps.Store, deps.Jobs}
	mux.Handle("GET "+views.AdminPath, s.admin(admin.home))
	mux.Handle("GET "+views.AdminWritesPath, s.admin(admin.writes))
	mux.Handle("POST "+views.AdminRetryPath, s.admin(admin.retryWrites))
	mux.Handle("POST "+views.AdminWritesPath+"/{id}/retry", s.admin(admin.retryWrite))
	mux.Handle("GET "+views.AdminJobsPath, s.admin(admin.jobs))
	mux.Handle("POST "+views.AdminJobsRetryPath, s.admin(admin.retryJobs))
	mux.Handle("POST "+views.AdminJobsPath+"/{id}/retry", s.admin(admin.retryJob))
	mux.Handle("GET "+views.AdminConnsPath, s.admin(admin.connections))
	mux.Handle("GET "+views.AdminLimitsPath, s.admin(admin.limits))
	mux.Handle("POST "+views.AdminLimitsPath+"/{scope}/{state}", s.admin(admin.forceBreaker))
	mux.Handle("GET "+views.AdminAuditPath, s.admin(admin.audit))
	mux.Handle("GET "+views.AdminUsersPath, s.admin(admin.users))

	if deps.Sandbox != nil {
		sandbox := &sandboxHandler{s, deps.Sandbox}
		mux.Handle("POST "+views.SandboxOutagePath, s.user(sandbox.setOutage))
	}
	return mux
}
