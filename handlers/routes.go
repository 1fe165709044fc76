package handlers

import (
	"cmp"
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

	passwords := newPasswords(cmp.Or(deps.hash, hashParams()))
	logins := &logins{deps.Store, passwords, newTurns(countsAtOnce), deps.Now}
	auth := &authHandler{s, deps.Store, logins}
	setup := &setupHandler{s, deps.Store, passwords, deps.SetupToken, deps.PublicURL}
	settings := &settingsHandler{s, deps.Store, logins}

	mux.Handle("GET /{$}", s.public(auth.home))
	mux.Handle("GET "+views.SetupPath, s.public(setup.show))
	mux.Handle("POST "+views.SetupPath, s.public(setup.create))
	mux.Handle("GET "+views.LoginPath, s.public(auth.showLogin))
	mux.Handle("POST "+views.LoginPath, s.public(auth.login))
	mux.Handle("POST "+views.LogoutPath, s.public(auth.logout))
	mux.Handle("GET "+views.LoginCodePath, s.public(auth.showCode))
	mux.Handle("POST "+views.LoginCodePath, s.public(auth.loginCode))
	mux.Handle("GET "+views.ConfirmPath, s.loggedIn(auth.showConfirm))
	mux.Handle("POST "+views.ConfirmPath, s.loggedIn(auth.confirm))
	links := &linkHandler{s, deps.Store, deps.Jobs, passwords, deps.PublicURL, deps.Mail}
	mux.Handle("GET "+views.ForgotPath, s.public(links.showForgot))
	mux.Handle("POST "+views.ForgotPath, s.public(links.forgot))
	mux.Handle("GET /reset/{token}", s.public(links.showReset))
	mux.Handle("POST /reset/{token}", s.public(links.reset))
	mux.Handle("GET /join/{token}", s.public(links.showJoin))
	mux.Handle("POST /join/{token}", s.public(links.join))

	week := &weekHandler{s, deps.Store, deps.Jobs}
	mux.Handle("GET "+views.ThisWeekPath, s.user(week.thisWeek))
	mux.Handle("GET /weeks/{week}", s.user(week.show))
	mux.Handle("POST /weeks/{week}/cells", s.user(week.saveCells))
	mux.Handle("POST /weeks/{week}/preview", s.user(week.preview))
	mux.Handle("GET /weeks/{week}/cells/{row}/{day}", s.user(week.showCell))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}", s.user(week.saveCell))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}/start", s.user(week.startTimer))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}/stop", s.user(week.stopTimer))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}/choose", s.user(week.chooseCell))
	mux.Handle("POST /weeks/{week}/cells/{row}/{day}/move", s.user(week.moveCell))
	mux.Handle("GET /weeks/{week}/reconcile", s.user(week.showReconcile))
	mux.Handle("POST /weeks/{week}/reconcile", s.user(week.reconcile))
	mux.Handle("GET /weeks/{week}/check", s.user(week.showCheck))
	mux.Handle("POST /weeks/{week}/check", s.user(week.startCheck))
	mux.Handle("GET /weeks/{week}/check/result", s.user(week.checkResult))
	mux.Handle("POST /weeks/{week}/undo", s.user(week.undo))
	mux.Handle("POST /weeks/{week}/redo", s.user(week.redo))
	mux.Handle("GET /weeks/{week}/copy", s.user(week.showCopy))
	mux.Handle("POST /weeks/{week}/copy", s.user(week.copyWeek))
	mux.Handle("GET /weeks/{week}/templates/{id}", s.user(week.showTemplate))
	mux.Handle("POST /weeks/{week}/templates/{id}", s.user(week.applyTemplate))
	mux.Handle("GET /weeks/{week}/carry", s.user(week.showCarry))
	mux.Handle("POST /weeks/{week}/carry", s.user(week.carry))
	mux.Handle("POST /weeks/{week}/carry/dismiss", s.user(week.dismissCarry))
	mux.Handle("GET /weeks/{week}/spread", s.user(week.showSpread))
	mux.Handle("POST /weeks/{week}/spread", s.user(week.spreadRest))
	mux.Handle("GET "+views.TemplatesPath, s.user(week.listTemplates))
	mux.Handle("POST "+views.TemplatesPath, s.user(week.keepTemplate))
	mux.Handle("POST "+views.TemplatesPath+"/{id}/rename", s.user(week.renameTemplate))
	mux.Handle("POST "+views.TemplatesPath+"/{id}/delete", s.user(week.deleteTemplate))
	mux.Handle("POST /weeks/{week}/days/{date}/off", s.user(week.setDayOff))
	mux.Handle("GET /weeks/{week}/find", s.user(week.findRows))
	mux.Handle("GET /weeks/{week}/quick", s.user(week.showQuick))
	mux.Handle("POST /weeks/{week}/quick", s.user(week.quickAdd))
	mux.Handle("GET "+views.PalettePath, s.user(week.palette))
	mux.Handle("GET /weeks/{week}/history", s.user(week.history))
	mux.Handle("POST /weeks/{week}/history/undo", s.user(week.undoFromHistory))
	mux.Handle("GET /weeks/{week}/history/{change}", s.user(week.showRestore))
	mux.Handle("POST /weeks/{week}/history/{change}", s.user(week.restore))
	mux.Handle("POST /weeks/{week}/rows", s.user(week.addRow))
	mux.Handle("GET /weeks/{week}/rows/{row}", s.user(week.showRow))
	mux.Handle("POST /weeks/{week}/rows/order", s.user(week.orderRows))
	mux.Handle("POST /weeks/{week}/rows/remove", s.user(week.removeRow))
	mux.Handle("GET /weeks/{week}/push", s.user(week.reviewPush))
	mux.Handle("POST /weeks/{week}/push", s.user(week.push))
	mux.Handle("POST /weeks/{week}/sync", s.user(week.startWeekSync))
	mux.Handle("GET "+views.SyncStatusPath, s.user(week.syncStatus))

	recurring := &recurringHandler{s, deps.Store}
	mux.Handle("GET "+views.RecurringPath, s.user(recurring.list))
	mux.Handle("POST "+views.RecurringPath, s.user(recurring.create))
	mux.Handle("GET "+views.RecurringPath+"/new", s.user(recurring.showNew))
	mux.Handle("GET "+views.RecurringPath+"/{id}", s.user(recurring.showRule))
	mux.Handle("POST "+views.RecurringPath+"/{id}", s.user(recurring.change))
	mux.Handle("POST "+views.RecurringPath+"/{id}/end", s.user(recurring.end))

	api := &apiHandler{week}
	mux.Handle("POST /api/harvest-sync", s.api(api.sync))
	mux.Handle("GET /api/harvest-sync/{id}", s.api(api.run))

	mux.Handle("GET "+views.SettingsPath, s.user(settings.show))
	mux.Handle("POST "+views.SettingsPath, s.user(settings.savePreferences))
	mux.Handle("POST "+views.ThemePath, s.user(settings.setTheme))
	capacity := &capacityHandler{s, deps.Store}
	mux.Handle("GET "+views.CapacityPath, s.user(capacity.show))
	mux.Handle("POST "+views.CapacityPath, s.user(capacity.save))
	mux.Handle("POST "+views.TimeOffPath, s.user(capacity.takeOff))
	mux.Handle("POST "+views.WorkAgainPath, s.user(capacity.workAgain))
	rates := &ratesHandler{s, deps.Store}
	mux.Handle("GET "+views.RatesPath, s.user(rates.show))
	mux.Handle("POST "+views.RatesPath, s.user(rates.save))
	mux.Handle("POST "+views.GoalPath, s.user(rates.saveGoal))
	mux.Handle("POST "+views.PasswordPath, s.user(s.fresh(settings.changePassword)))
	mux.Handle("POST "+views.TokensPath, s.user(s.fresh(settings.createToken)))
	mux.Handle("POST "+views.TokensPath+"/{id}/revoke", s.user(settings.revokeToken))

	own := &ownDataHandler{s, deps.Store, newTurns(mostExports)}
	mux.Handle("GET "+views.ExportPath, s.user(own.showExport))
	mux.Handle("POST "+views.ExportPath, s.user(s.fresh(own.export)))
	remove := &deleteAccountHandler{s, deps.Store, logins}
	mux.Handle("GET "+views.DeleteAccountPath, s.user(remove.show))
	mux.Handle("POST "+views.DeleteAccountPath, s.user(s.fresh(remove.deleteOwn)))

	factor := &secondFactorHandler{s, deps.Store, logins}
	mux.Handle("GET "+views.SecondFactorPath, s.loggedIn(factor.show))
	mux.Handle("POST "+views.SecondFactorPath, s.loggedIn(s.fresh(factor.enable)))
	mux.Handle("POST "+views.BeginFactorPath, s.loggedIn(s.fresh(factor.begin)))
	mux.Handle("POST "+views.RecoveryCodesPath, s.loggedIn(s.fresh(factor.renewCodes)))
	mux.Handle("POST "+views.RemoveFactorPath, s.loggedIn(s.fresh(factor.disable)))
	ownSessions := &ownSessionsHandler{s, deps.Store}
	mux.Handle("GET "+views.SessionsPath, s.user(ownSessions.list))
	mux.Handle("POST "+views.SessionsPath+"/{id}/revoke", s.user(ownSessions.revoke))
	mux.Handle("POST "+views.RevokeSessionsPath, s.user(ownSessions.revokeOthers))

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

	admin := &adminHandler{s, deps.Store, deps.Jobs, deps.Version}
	mux.Handle("GET "+views.AdminPath, s.viewer(admin.overview))
	mux.Handle("GET "+views.AdminPath+"/live/{tab}", s.viewer(admin.live))
	mux.Handle("GET "+views.AdminWritesPath, s.viewer(admin.writes))
	mux.Handle("GET "+views.AdminWritesLivePath, s.viewer(admin.writesLive))
	mux.Handle("GET "+views.AdminPreviewPath, s.operator(admin.previewOrder))
	mux.Handle("GET "+views.AdminWritesPath+"/{id}", s.viewer(admin.write))
	mux.Handle("GET "+views.AdminWritesPath+"/{id}/live", s.viewer(admin.writeLive))
	mux.Handle("POST "+views.AdminWritesPath+"/{id}/{action}", s.operator(admin.actOnWrite))
	mux.Handle("GET "+views.AdminOrdersPath, s.viewer(admin.orders))
	mux.Handle("POST "+views.AdminOrdersPath, s.operator(admin.order))
	mux.Handle("GET "+views.AdminOrdersPath+"/{id}", s.viewer(admin.showOrder))
	mux.Handle("GET "+views.AdminOrdersPath+"/{id}/live", s.viewer(admin.orderLive))
	mux.Handle("GET "+views.AdminJobsPath, s.viewer(admin.jobs))
	mux.Handle("GET "+views.AdminJobsLivePath, s.viewer(admin.jobsLive))
	mux.Handle("GET "+views.AdminJobsPreviewPath, s.operator(admin.previewJobs))
	mux.Handle("POST "+views.AdminJobsPath+"/all/{action}", s.operator(admin.actOnJobs))
	mux.Handle("POST "+views.AdminJobsPath+"/{id}/{action}", s.operator(admin.actOnJob))
	mux.Handle("GET "+views.AdminConnsPath, s.viewer(admin.connections))
	mux.Handle("GET "+views.AdminConnsPath+"/{id}", s.viewer(admin.connection))
	mux.Handle("POST "+views.AdminConnsPath+"/{id}/pause", s.operator(admin.pauseConnection))
	mux.Handle("POST "+views.AdminConnsPath+"/{id}/resume", s.operator(admin.resumeConnection))
	mux.Handle("POST "+views.AdminConnsPath+"/{id}/sync", s.operator(admin.syncConnection))
	mux.Handle("GET "+views.AdminLimitsPath, s.viewer(admin.limits))
	mux.Handle("GET "+views.AdminLimitsPath+"/{scope}", s.viewer(admin.gate))
	mux.Handle("POST "+views.AdminLimitsPath+"/{scope}/{state}", s.operator(admin.forceBreaker))
	mux.Handle("GET "+views.AdminAlertsPath, s.viewer(admin.alerts))
	mux.Handle("GET "+views.AdminQueuesPath, s.viewer(admin.queues))
	mux.Handle("GET "+views.AdminQueuesPath+"/{queue}", s.viewer(admin.showQueue))
	mux.Handle("POST "+views.AdminQueuesPath+"/{queue}/pause", s.operator(admin.pauseQueue))
	mux.Handle("POST "+views.AdminQueuesPath+"/{queue}/resume", s.operator(admin.resumeQueue))
	mux.Handle("GET "+views.AdminSchedulesPath, s.viewer(admin.schedules))
	mux.Handle("POST "+views.AdminSchedulesPath+"/{name}/run", s.operator(admin.runSchedule))
	mux.Handle("GET "+views.AdminAuditPath, s.viewer(admin.audit))
	mux.Handle("GET "+views.AdminAuditCSVPath, s.viewer(admin.exportAudit))
	mux.Handle("GET "+views.AdminUsersPath, s.viewer(admin.users))
	mux.Handle("GET "+views.InvitePath, s.admin(links.showInvite))
	mux.Handle("POST "+views.InvitePath, s.admin(links.invite))
	mux.Handle("POST "+views.InvitePath+"/{id}/revoke", s.admin(links.revokeInvitation))
	mux.Handle("POST "+views.AdminUsersPath+"/{id}/reset-link", s.admin(links.resetLink))
	mux.Handle("GET "+views.AdminUsersPath+"/{id}", s.viewer(admin.user))
	mux.Handle("POST "+views.AdminUsersPath+"/{id}/role", s.admin(admin.changeRole))
	mux.Handle("GET "+views.AdminUsersPath+"/{id}/delete", s.admin(remove.showUser))
	mux.Handle("POST "+views.AdminUsersPath+"/{id}/delete", s.admin(remove.deleteUser))

	if deps.Sandbox != nil {
		sandbox := &sandboxHandler{s, deps.Sandbox}
		mux.Handle("POST "+views.SandboxOutagePath, s.user(sandbox.setOutage))
	}
	return mux
}
