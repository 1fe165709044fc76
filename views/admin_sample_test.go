package views_test

import (
	"github.com/a-h/templ"

	"furrow/views"
)

// adminSamples are the admin pages but writes and jobs.
func adminSamples() map[string]templ.Component {
	audit := views.AdminTablePage{
		Chrome: chrome("Audit", views.NavAdmin), Tab: views.AdminAudit, Heading: "Audit", Intro: "What was done here.",
		Filter: &views.AdminFilter{Path: views.AdminAuditPath, Filtered: true, Fields: []views.AdminField{
			{Name: "actor", Label: "Who", Value: "ida@example.org", Most: 200, Hint: "ida@example.com"},
			{Name: "action", Label: "What", Options: []views.Option{{Label: "Everything"}, {Value: "writes.retry", Label: "tried a write again", Selected: true}}},
			{Name: "from", Label: "From", Type: "date", Value: "2026-11-23"},
		}},
		Table: views.AdminTable{
			Heading: "Audit", CSV: "/admin/audit.csv?actor=ida", Older: "/admin/audit?before=1-2",
			Columns: []views.Column{{Name: "When"}, {Name: "Who"}, {Name: "What"}, {Name: "To what"}, {Name: "Before and after"}},
			Rows: [][]views.TableCell{
				{{Text: "14:32"}, {Text: "ida@example.org"}, {Text: "tried a write again"}, {Text: "write 12", URL: "/ledger/12"}, {Text: "rejected → pending", Note: "owner: 3"}},
			},
		},
	}
	connections := views.AdminTablePage{
		Chrome: chrome("Connections", views.NavAdmin), Tab: views.AdminConnections, Heading: "Connections",
		Table: views.AdminTable{
			Heading: "Connections", Summary: "1 connected, 1 must connect again.", Poll: views.AdminLiveURL(views.AdminConnections, nil),
			Columns: []views.Column{{Name: "Id", Numbers: true}, {Name: "State"}},
			Rows: [][]views.TableCell{
				{{Text: "1", URL: "/admin/connections/1"}, {Text: "paused", Tone: views.FlashNote, Note: "until 15:30, a <reason>"}},
				{{Text: "2", URL: "/admin/connections/2"}, {Text: "must connect again", Tone: views.FlashBad, URL: "/admin/users/2"}},
				{{Text: "3"}, {Text: "connected", Tone: views.FlashGood, Actions: []views.TableAction{{URL: "/admin/schedules/x/run", Label: "Run now", Of: "something"}}}},
			},
		},
	}
	thing := views.AdminThingPage{
		Chrome: chrome("Connection 1", views.NavAdmin), Tab: views.AdminConnections, Back: views.AdminLink{URL: views.AdminConnsPath, Label: "Connections"},
		Heading: "Connection 1 of ida@example.org", Stand: views.TableCell{Text: "connected", Tone: views.FlashGood}, Said: "All is well with it.",
		Facts: []views.AdminFact{{Name: "User", Value: views.TableCell{Text: "ida@example.org", URL: "/admin/users/1"}}, {Name: "Unsent writes", Value: views.TableCell{Text: "3"}}},
		Links: []views.AdminLink{{URL: "/admin/audit?subject=connection+1", Label: "What was done to it"}},
		Forms: []views.AdminForm{
			{ID: "sync", Action: "/admin/connections/1/sync", Title: "Sync", Button: "Sync now"},
			{ID: "pause", Action: "/admin/connections/1/pause", Title: "Pause", Help: "Nothing is sent.", Button: "Pause", Fields: []views.AdminField{
				{Name: "reason", Label: "Why", Value: "x", Help: "Its user is told this sentence.", Error: "Say why, in at most 200 characters."},
				{Name: "term", Label: "For how long", Options: []views.Option{{Value: "15m", Label: "15 minutes"}, {Value: "1h", Label: "1 hour", Selected: true}}},
			}},
		},
	}
	viewed := thing
	viewed.Forms, viewed.Links, viewed.Said = nil, nil, ""
	labels := []string{"13:00", "14:00", "15:00"}
	chart := views.Chart{
		ID: "errors", Title: "What went wrong per hour", Summary: "What went wrong per hour from 13:00 to 15:00: at most 3, at 14:00", Most: "at most 3", Labels: labels,
		Series: []views.ChartSeries{
			{Name: "Not reached", Values: []float64{0, 1, 0}, Texts: []string{"0", "1", "0"}},
			{Name: "In doubt", Values: []float64{0, 2, 1}, Texts: []string{"0", "2", "1"}},
		},
	}
	flat := views.Chart{ID: "attempts", Title: "Attempts", Summary: "Attempts: none", Most: "none", Labels: labels, Series: []views.ChartSeries{{Name: "Attempts", Values: make([]float64, 3), Texts: []string{"0", "0", "0"}}}}
	spans := []views.Option{{Value: "1h", Label: "1 hour"}, {Label: "24 hours", Selected: true}}
	facts := []views.AdminFact{{Name: "Oldest unsent write", Value: views.TableCell{Text: "23 min", Tone: views.FlashBad, URL: "/admin/connections/1", Note: "of connection 1"}}}
	return map[string]templ.Component{
		"admin_audit":       audit.View(),
		"admin_connections": connections.View(),
		"admin_users_empty": views.AdminTablePage{Chrome: chrome("Users", views.NavAdmin), Tab: views.AdminUsers, Heading: "Users", Table: views.AdminTable{Empty: "Nobody yet."}}.View(),
		"admin_thing":       thing.View(),
		"admin_thing_view":  viewed.View(),
		"admin_overview":    views.AdminOverviewPage{Chrome: chrome("Administration", views.NavAdmin), Live: views.AdminOverview{Facts: facts}, Spans: spans}.View(),
		"admin_overview_bad": views.AdminOverviewPage{
			Chrome: chrome("Administration", views.NavAdmin), Spans: spans, Charts: []views.Chart{chart, flat},
			Live: views.AdminOverview{Facts: facts, Poll: views.AdminLiveURL(views.AdminHome, nil), Problems: []views.AdminProblem{
				{Tone: views.FlashBad, Text: "A write has waited for 23 min to be sent.", URL: "/admin/connections/1", Link: "Connection 1"},
				{Tone: views.FlashNote, Text: "A queue is paused.", URL: "/admin/queues/push", Link: "Queue push"},
			}},
		}.View(),
	}
}
