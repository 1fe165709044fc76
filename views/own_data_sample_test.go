package views_test

import (
	"github.com/a-h/templ"

	"furrow/planner"
	"furrow/views"
)

// ownDataSamples are the pages of what is one's own.
func ownDataSamples() map[string]templ.Component {
	own := views.DeleteAccountPage{
		Chrome: chrome("Delete an account", views.NavSettings), Own: true, UserID: 3, Email: "ida@example.org",
		Cells: 1204, Changes: 388, Templates: 1, Recurrences: 2, Tokens: 2, Writes: 902, Harvest: "Berg Studio", Entries: 871,
	}
	other := own
	other.Own, other.Unsent, other.Fields = false, 3, views.Fields{
		Values: map[string]string{"email": "ada@example.org"},
		Errors: planner.FieldErrors{"email": "This is not the address of the account.", "drop": "Say that it is to be dropped.", "": "Something is being sent."},
	}
	last := views.DeleteAccountPage{Chrome: own.Chrome, Own: true, Email: "ida@example.org", LastAdmin: true}
	return map[string]templ.Component{
		"delete_account":       own.View(),
		"delete_account_other": other.View(),
		"delete_account_last":  last.View(),
		"account_gone":         views.AccountGonePage{Chrome: stranger("Deleted")}.View(),
		"export":               views.ExportPage{Chrome: chrome("Your data", views.NavSettings)}.View(),
	}
}

// linkSamples are the pages of links that work once.
func linkSamples() map[string]templ.Component {
	anybody := stranger("Forgot your password?")
	roles := []views.Option{{Value: "user", Label: "User: their own work alone", Selected: true}, {Value: "admin", Label: "Admin: acts on users, too"}}
	return map[string]templ.Component{
		"forgot":       views.ForgotPage{Chrome: anybody, Mail: true, Fields: views.Fields{Values: map[string]string{"email": "ida"}, Errors: planner.FieldErrors{"email": "This does not look like an email address."}}}.View(),
		"forgot_asked": views.ForgotPage{Chrome: anybody, Mail: true, Asked: true}.View(),
		"forgot_quiet": views.ForgotPage{Chrome: anybody}.View(),
		"join":         views.ChoosePasswordPage{Chrome: anybody, Joins: true, Email: "eve@example.org", Action: views.JoinPath("sample"), Fields: views.Fields{Errors: planner.FieldErrors{"password": "Use at least 12 characters."}}}.View(),
		"reset":        views.ChoosePasswordPage{Chrome: anybody, Email: "ida@example.org", Action: views.ResetPath("sample")}.View(),
		"reset_link":   views.ResetLinkPage{Chrome: chrome("A link", views.NavAdmin), Email: "ida@example.org", Link: "https://plan.example.org/reset/sample"}.View(),
		"invite":       views.InvitePage{Chrome: chrome("Invite somebody", views.NavAdmin), Mail: true, Roles: roles}.View(),
		"invite_link": views.InvitePage{
			Chrome: chrome("Invite somebody", views.NavAdmin), Roles: roles, Link: "https://plan.example.org/join/sample", LinkFor: "eve@example.org",
			Open: []views.OpenInvitation{{ID: 4, Email: "eve@example.org", Role: "user", MadeBy: "ida@example.org", Expires: at("30 Nov, 10:00")}},
		}.View(),
	}
}
