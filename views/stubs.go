package views

import "github.com/a-h/templ"

// View is not drawn yet.
func (m PushPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m LedgerPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m WritePage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m SetupPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m LoginPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m SettingsPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m HarvestPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m AdminWritesPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m AdminJobsPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m AdminTablePage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m ErrorPage) View() templ.Component { return templ.NopComponent }

// View is not drawn yet.
func (m ErrorFragment) View() templ.Component { return templ.NopComponent }
