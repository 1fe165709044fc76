package views_test

import (
	"github.com/a-h/templ"

	"furrow/ledger"
	"furrow/views"
)

// adminListSamples are the admin pages of writes and jobs.
func adminListSamples() map[string]templ.Component {
	line := sampleWrites()[0].Line
	line.Note = ""
	links := []views.CountedLink{
		{Label: "All", URL: "/admin/writes", Current: true, Count: views.Tally{N: 1003, More: true}},
		{Label: "Waiting", URL: "/admin/writes?state=waiting", Count: views.Tally{N: 3}},
	}
	query := views.WriteQuery{User: "ida@", Reason: "server"}
	filter := views.WritesFilter{
		Query: query, States: []views.Option{{Label: "All"}, {Value: "rejected", Label: "Only: refused"}},
		Reasons: []views.Option{{Label: "Any"}, {Value: "server", Label: "Failure at Harvest (5xx) (3)", Selected: true}},
		Ops:     []views.Option{{Label: "Anything"}}, Ages: []views.Option{{Label: "Any time"}}, Sents: []views.Option{{Label: "Any time"}}, Sorts: []views.Option{{Label: "Newest first"}},
		Users: []views.Option{{Value: "ida@example.org", Count: 3}}, Statuses: []views.Option{{Value: "503", Count: 1}},
	}
	rows := []views.AdminWrite{
		{ID: 41, Line: line, Owner: "ida@example.org", State: ledger.Retry, StateWord: "waits for another try", Cause: "Harvest did not answer (503).", Who: views.ActorNobody, Next: at("14:32"), Queued: at("14:29"), Tries: 2, CanRetry: true},
		{ID: 40, Line: line, Owner: "jon@example.org", State: ledger.Done, StateWord: "in Harvest", Queued: at("14:20"), Tries: 2},
		{ID: 39, Line: line, Owner: "ida@example.org", State: ledger.Pending, StateWord: "queued", Who: views.ActorNobody, Soon: true, Queued: at("14:10")},
	}
	list := views.AdminWritesList{
		Query: query, States: links, Rows: rows, CanAct: true, Next: "/admin/writes?from=39", Poll: "/admin/writes/live?user=ida%40",
		Actions: []views.CountedLink{{Label: "Try again", URL: "/admin/writes/preview?action=retry"}},
		Orders:  []views.CountedLink{{Label: "Order 3: try again", URL: "/admin/orders/3", Count: views.Tally{N: 500}}},
	}
	only := list
	only.CanAct, only.Actions, only.Rows, only.Orders, only.Short, only.Query.From, only.Poll = false, nil, nil, nil, true, "77", ""
	history := sampleWrites()[0].History
	history[1].JobID = 812
	one := views.AdminWriteLive{
		Write: rows[0], Told: "Harvest did not answer (503). It is safe here. Next try 14:32.", Advice: "Nothing needs to be done: it goes on by itself.",
		Message: "Try <later>", Hours: "1:30", Before: "1:00", EntryID: 636709355, EntryURL: "https://example.harvestapp.com/time", Reference: "furrow:0d6c2f3a:1",
		ConnectionID: 7, Connection: "connected", Request: "3ab9", History: history, Poll: "/admin/writes/41/live",
		Actions: []views.WriteAction{{Action: "retry", Label: "Try again now", Help: "It is sent at once."}, {Action: "cancel", Label: "Cancel before it is sent", Help: "It is given up.", Note: true}},
	}
	preview := views.ActionPreview{
		Chrome: chrome("Cancel", views.NavAdmin), Title: "Cancel: all that match", Sentence: "Writes that wait are given up.", Back: "/admin/writes?user=ida%40", Action: "/admin/orders",
		Hidden: []views.Option{{Value: "user", Label: "ida@"}, {Value: "up_to", Label: "41"}}, Can: []views.CountLine{{Count: views.Tally{N: 1200}, Words: "queued"}},
		Cannot: []views.CountLine{{Count: views.Tally{N: 1000, More: true}, Words: "in Harvest"}, {Count: views.Tally{N: 2}, Words: "refused: a later write of the same entry decides"}},
		All:    1200, One: "write", Many: "writes", Button: "Cancel before it is sent", Notes: true, Problem: "Say why.",
	}
	nothing := preview
	nothing.All, nothing.Can, nothing.Problem = 0, nil, ""
	order := views.OrderLive{
		ID: 3, Title: "Order 3: cancel", Filter: []views.FilterWord{{Name: "Owner", Value: "ida@"}}, Actor: "root@example.org", Made: at("14:30"), Note: "Wrong <project>",
		Previewed: 1200, Changed: 990, Skipped: 10, Back: "/admin/writes", Poll: "/admin/orders/3/live",
		Batches: []views.OrderBatch{{Number: 2, At: at("14:31"), UpTo: 812, Changed: 490, Spared: "10: it went on meanwhile"}, {Number: 1, At: at("14:30"), UpTo: 400, Changed: 500}},
	}
	through := order
	through.Changed, through.Finished, through.Poll = 1190, at("14:32"), ""
	jobs := views.JobsList{
		States: links, CanAct: true, Poll: "/admin/jobs/live", Actions: []views.CountedLink{{Label: "Run again", URL: "/admin/jobs/preview?action=retry"}},
		Jobs: []views.Job{
			{ID: 9, Kind: "harvest_push", Queue: "push", Args: `{"connection_id":1}`, State: "retryable", Attempt: 3, MaxAttempts: 25, Created: at("14:00"), Scheduled: at("14:40"), CanRetry: true, CanCancel: true, Waits: "Waits for Harvest until 14:40; waited once so far.", Rescued: "Rescued once: its process had died, or hung.", Request: "3ab9", Errors: []views.JobError{{At: at("14:20"), Attempt: 2, Text: "store: connection reset"}}},
			{ID: 8, Kind: "harvest_pull", Queue: "pull", Args: `{"sync_run_id":4}`, State: "completed", Good: true, Attempt: 1, MaxAttempts: 25, Created: at("13:00"), Finished: at("13:01"), Conflict: "It has already ended."},
		},
	}
	return map[string]templ.Component{
		"admin_writes":          views.AdminWritesPage{Chrome: chrome("Writes", views.NavAdmin), Filter: filter, List: list}.View(),
		"admin_writes_short":    only.View(),
		"admin_write":           views.AdminWritePage{Chrome: chrome("Write 41", views.NavAdmin), Live: one}.View(),
		"admin_preview":         preview.View(),
		"admin_preview_nothing": nothing.View(),
		"admin_order":           views.OrderPage{Chrome: chrome("Order 3", views.NavAdmin), Live: order}.View(),
		"admin_orders":          views.OrdersPage{Chrome: chrome("Orders", views.NavAdmin), Orders: []views.OrderLive{order, through}}.View(),
		"admin_orders_none":     views.OrdersPage{Chrome: chrome("Orders", views.NavAdmin)}.View(),
		"admin_jobs":            views.AdminJobsPage{Chrome: chrome("Jobs", views.NavAdmin), Filter: views.JobsFilter{Kinds: []views.Option{{Label: "Any"}}, Queues: []views.Option{{Label: "Any"}}}, List: jobs}.View(),
		"admin_jobs_empty":      views.JobsList{States: links, Query: views.JobQuery{Kind: "x"}}.View(),
	}
}
