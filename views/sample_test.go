package views_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// The sample week: Monday 23 November 2026, seen on Wednesday.
func sampleWeek() planner.Week {
	return planner.Week{Start: planner.NewDate(2026, time.November, 23)}
}

func chrome(title string, active views.Nav) views.Chrome {
	return views.Chrome{
		Title: title, UserName: "Ida Berg", Email: "ida@example.org", SeesAdmin: true, Active: active,
		Assets:     views.Assets{CSS: "/static/app.css", HTMX: "/static/htmx.min.js", Script: "/static/app.js", Icon: "/static/icon.svg"},
		SandboxBar: &views.SandboxBar{Mode: views.OutageWell, Next: "/weeks/2026-11-23"},
	}
}

func stranger(title string) views.Chrome {
	c := chrome(title, views.NavNone)
	c.UserName, c.Email, c.SeesAdmin, c.SandboxBar = "", "", false, nil
	return c
}

func at(text string) views.Moment {
	return views.Moment{ISO: "2026-11-25T13:32:00Z", Text: text}
}

func bare(capacities ...planner.Minutes) views.WeekGrid {
	g := views.WeekGrid{Week: sampleWeek(), Format: planner.HoursMinutes, Version: 4107}
	for i := range g.Days {
		g.Days[i] = views.Day{Date: g.Week.Day(i), Capacity: capacities[i], Today: i == 2}
		g.Capacity += capacities[i]
	}
	return g
}

func workdays() []planner.Minutes { return []planner.Minutes{420, 420, 420, 420, 360, 0, 0} }

// sum fills the totals of a grid from its cells.
func sum(g *views.WeekGrid) {
	for c := range g.Clients {
		client := &g.Clients[c]
		for r := range client.Rows {
			row := &client.Rows[r]
			row.Client, row.Hue = client.Name, client.Hue
			for i := range row.Cells {
				row.Planned += row.Cells[i].Planned
				row.Tracked += row.Cells[i].Tracked
				g.Days[i].Planned += row.Cells[i].Planned
				g.Days[i].Tracked += row.Cells[i].Tracked
			}
			client.Planned += row.Planned
			client.Tracked += row.Tracked
		}
		g.Planned += client.Planned
		g.Tracked += client.Tracked
	}
}

func plan(m planner.Minutes) views.Cell {
	return views.Cell{Planned: m, State: views.CellPlanned}
}

func sent(m planner.Minutes) views.Cell {
	return views.Cell{Planned: m, Tracked: m.Hours(), State: views.CellInHarvest}
}

func typicalGrid() views.WeekGrid {
	g := bare(workdays()...)
	question, choices := views.AskHoursOrMinutes(20)
	g.Clients = []views.ClientRows{
		{Key: "11", Name: "Acme", Hue: 1, Rows: []views.Row{
			{Key: "4021-8801", Project: "Website", Task: "Design", Cells: [7]views.Cell{
				sent(90), {Planned: 90, Tracked: 200, State: views.CellInHarvest, Note: "Header and footer, second round"},
				plan(120), plan(120), {}, {}, {},
			}},
			{Key: "4021-8802", Project: "Website", Task: "Programming", Cells: [7]views.Cell{
				sent(150),
				{Planned: 180, State: views.CellWaiting, When: at("14:32"), Why: "Harvest did not answer (503). Safe here. Next try 14:32."},
				{Planned: 120, Tracked: 75, State: views.CellPlanned, Running: true},
				{Planned: 0, Typed: "20", Error: question, Choices: choices},
				plan(240), {}, {},
			}},
			{Key: "4022-8810", Project: "Support retainer", Task: "Meetings", Cells: [7]views.Cell{
				sent(30), {}, plan(30), {}, plan(30), {}, {},
			}},
		}},
		{Key: "12", Name: "Birch & Sons", Hue: 4, Rows: []views.Row{
			{Key: "4030-8801", Project: "Consulting", Task: "Workshop", Cells: [7]views.Cell{
				{Planned: 120, State: views.CellNeedsYou, Why: "Harvest refused it: the project is archived. Choose another project, or give it up."},
				{Planned: 60, State: views.CellUncertain, Why: "The answer got lost. Being looked up, nothing is sent twice.", When: at("14:33")},
				plan(60), plan(180), {}, {}, {},
			}},
			{Key: "4031-8802", Project: "Rebrand", Task: "Concept", Cells: [7]views.Cell{
				{}, {Planned: 60, Tracked: 150, State: views.CellChanged, Why: "Changed in Harvest to 1:30."},
				plan(90), {Typed: "abc", Error: "That is not a time. Try 1:30, 1.5 or 90m."}, {}, {}, {},
			}},
		}},
		{Key: "13", Name: "Cedar Collective", Hue: 8, Rows: []views.Row{
			{Key: "4040-8801", Project: "Annual report", Task: "Writing", NotPlanned: true, Cells: [7]views.Cell{
				{Tracked: 125}, {}, {Tracked: 50}, {}, {}, {}, {},
			}},
			{Key: "4040-8811", Project: "Annual report", Task: "Editing", Removable: true},
		}},
	}
	sum(&g)
	g.Days[0].Locked = "The timesheet of this day is approved."
	g.Days[1].Sendable, g.Days[2].Sendable, g.Sendable, g.Differ = 2, 4, 6, 3
	return g
}

// timing is the typical grid with its timers: one runs past its plan, one is
// starting, one was refused, one runs elsewhere, and others can be started.
func timing() views.WeekGrid {
	g := typicalGrid()
	for c := range g.Clients {
		for r := range g.Clients[c].Rows {
			g.Clients[c].Rows[r].Cells[2].Timer.Can = views.StartTimer
		}
	}
	cell := func(client, row int) *views.Cell { return &g.Clients[client].Rows[row].Cells[2] }
	*cell(0, 1) = views.Cell{Planned: 60, Tracked: 133, State: views.CellPlanned, Running: true, Timer: views.CellTimer{Can: views.StopTimer, Word: "running since 9:14"}}
	*cell(0, 2) = views.Cell{Timer: views.CellTimer{Can: views.StopTimer, Word: "starting"}}
	cell(1, 0).State, cell(1, 0).Why = views.CellNeedsYou, "The timer was not started. Harvest refused it (422)."
	*cell(2, 0) = views.Cell{Tracked: 50, Running: true, Timer: views.CellTimer{Word: "running"}}
	return g
}

func runningTimer() *views.TimerBar {
	return &views.TimerBar{
		Client: "Acme", Project: "Website <new>", Task: "Programming", Hue: 1, Cell: views.CellPath(sampleWeek(), "4021-8802", 2), State: "running since 9:14",
		Elapsed: "1:20", Warning: "0:20 over the plan.", Stop: views.StopTimerPath(sampleWeek(), "4021-8802", 2), Next: "/weeks/2026-11-23",
	}
}

func bigGrid() views.WeekGrid {
	g := bare(workdays()...)
	names := []string{"Acme", "Birch & Sons", "Cedar Collective", "Dune Studio", "Elm Street Press", "Fjord Labs"}
	for c, name := range names {
		client := views.ClientRows{Key: string(rune('a' + c)), Name: name, Hue: c * 2}
		for r := range 10 {
			row := views.Row{
				Key:     "40" + string(rune('1'+c)) + string(rune('0'+r)) + "-88" + string(rune('0'+r)) + "1",
				Project: []string{"Website relaunch", "Support", "Annual report"}[r%3], Task: []string{"Design", "Programming", "Meetings", "Writing"}[r%4],
			}
			for i := range 5 {
				switch (c + r + i) % 5 {
				case 0:
					row.Cells[i] = sent(planner.Minutes(30 + 15*i))
				case 1:
					row.Cells[i] = plan(planner.Minutes(60 + 15*i))
				}
			}
			client.Rows = append(client.Rows, row)
		}
		g.Clients = append(g.Clients, client)
	}
	sum(&g)
	return g
}

func longGrid() views.WeekGrid {
	g := bare(workdays()...)
	long := "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
	g.Clients = []views.ClientRows{{Key: "9", Name: long + " <script>alert(1)</script>", Hue: 7, Rows: []views.Row{
		{Key: "1-1", Project: long, Task: strings.Repeat("Very long task name ", 6), Cells: [7]views.Cell{
			{Planned: 1440, Tracked: 2399, State: views.CellInHarvest, Note: strings.Repeat("note ", 60) + `"quoted" & <b>bold</b>`}, plan(90), {}, {}, {}, {}, {},
		}},
	}}}
	sum(&g)
	return g
}

func addRow() views.AddRow {
	return views.AddRow{Week: sampleWeek(), Clients: []views.ClientAssignments{
		{Name: "Acme", Assignments: []views.AssignmentOption{{Value: "4021:8803", Project: "Website", Task: "Review"}, {Value: "4022:8801", Project: "Support retainer", Task: "Design"}}},
		{Name: "Birch & Sons", Assignments: []views.AssignmentOption{{Value: "4030:8810", Project: "Consulting", Task: "Meetings"}}},
	}}
}

func done() views.SyncStatus {
	return views.SyncStatus{Week: sampleWeek(), Phase: views.SyncDone, At: at("14:31")}
}

func sampleWrites() []views.Write {
	line := views.WriteLine{Op: ledger.OpCreate, Amount: "1:30", Client: "Acme", Project: "Website", Task: "Design", Hue: 1, Date: sampleWeek().Day(1), Note: "Header and footer"}
	tried := []views.Point{
		{Kind: views.PointPlain, At: at("14:29:30"), What: "Queued"},
		{Kind: views.PointBad, At: at("14:30:02"), What: "Create the entry", Outcome: "Harvest did not answer (503).", Message: "Try <later>", Status: 503, Latency: "240 ms", RequestID: "f3a9"},
		{Kind: views.PointGood, At: at("14:31:10"), What: "Look for the entry", Outcome: "It is not there, so it can be sent again.", Status: 200, Latency: "180 ms", RequestID: "f3b0"},
	}
	w := func(id int64, state ledger.State, why string, then ...views.Point) views.Write {
		return views.Write{
			ID: id, Line: line, State: state, Why: why, Queued: at("14:29"), Attempts: 2, History: slices.Concat(tried, then),
			Reference: "furrow:0d6c2f3a:1", WeekURL: views.DayPath(sampleWeek(), line.Date),
		}
	}
	waiting := w(41, ledger.Retry, "Harvest did not answer (503). It is safe here. Next try 14:32.", views.Point{Kind: views.PointNext, At: at("14:32"), What: "Next try"})
	waiting.CanRetry = true
	doneWrite := w(40, ledger.Done, "", views.Point{Kind: views.PointGood, At: at("14:31:20"), What: "Settled", Outcome: "It is in Harvest."})
	doneWrite.EntryID, doneWrite.EntryURL, doneWrite.Finished = 636709355, "https://example.harvestapp.com/time/636709355", at("14:30")
	refused := w(39, ledger.Rejected, "Harvest refused it: the project is archived. Choose another project, or give it up.")
	refused.Message, refused.CanRetry, refused.CanDrop = "Project is archived & closed <for good>", true, true
	unsure := w(38, ledger.Uncertain, "The answer got lost. It is looked up before anything is sent again.", views.Point{Kind: views.PointNext, What: "Next look", Outcome: "In a moment."})
	unsure.Line.Op, unsure.Line.Amount = ledger.OpUpdate, "2:00"
	unsure.Starts, unsure.Before, unsure.After = "09:00", "1:30, “Header”", "2:00, “Header <b>”"
	gone := w(37, ledger.Conflict, "Somebody deleted the entry in Harvest.")
	gone.Line.Op, gone.Line.Amount = ledger.OpDelete, ""
	fresh := w(36, ledger.Pending, "It waits to be sent. Next try in a moment.")
	fresh.Attempts, fresh.History = 0, tried[:1]
	return []views.Write{waiting, doneWrite, refused, unsure, gone, fresh}
}

func ledgerList() views.LedgerList {
	query := views.LedgerQuery{State: views.LedgerNeedsYou, Week: "2026-11-23", Client: "4", Search: `5% "off" <b>`}
	older := query
	older.Before = "36"
	return views.LedgerList{Query: query, States: states(), Moving: 3, Writes: sampleWrites(), Older: views.LedgerURL(older), Poll: views.LedgerLiveURL(query)}
}

func clientChoices() []views.Option {
	return []views.Option{{Label: "All clients"}, {Value: "4", Label: "Birch & Sons", Selected: true}, {Value: "5", Label: "Cedar <Collective>"}}
}

func states() []views.Option {
	return []views.Option{
		{Value: "", Label: "All", Selected: true, Count: 1284}, {Value: views.LedgerWaiting, Label: "Waiting", Count: 3},
		{Value: views.LedgerUncertain, Label: "Uncertain", Count: 1}, {Value: views.LedgerNeedsYou, Label: "Needs you", Count: 1},
		{Value: views.LedgerChanged, Label: "Changed in Harvest", Count: 1}, {Value: views.LedgerSent, Label: "In Harvest", Count: 1278},
	}
}

func pushPage() views.PushPage {
	week := sampleWeek()
	return views.PushPage{
		Chrome: chrome("Push the week", views.NavWeek), Week: week, Format: planner.HoursMinutes, MutationID: "7d1c", Connected: true,
		Days: []views.PushDay{
			{Date: week.Day(0), Locked: "The timesheet of this day is approved.", Lines: []views.PushLine{
				{Value: "a", Action: views.PushBlocked, Client: "Birch & Sons", Project: "Consulting", Task: "Workshop", Hue: 4, After: 200, Reason: "The day is approved in Harvest. Ask an administrator to reopen it."},
			}},
			{Date: week.Day(1), Lines: []views.PushLine{
				{Value: "b", Action: views.PushCreate, Ticked: true, Client: "Acme", Project: "Website", Task: "Design", Hue: 1, After: 150, Note: "Header and footer, second round", Money: "+€180.00"},
				{Value: "c", Action: views.PushUpdate, Ticked: true, Client: "Acme", Project: "Website", Task: "Programming", Hue: 1, Before: 100, After: 200, Money: "+€120.00"},
				{Value: "d", Action: views.PushSkip, Client: "Cedar Collective", Project: "Annual report", Task: "Writing", Hue: 8, Before: 125, After: 125, Reason: "Already tracked."},
			}},
			{Date: week.Day(4), Future: true, Lines: []views.PushLine{
				{Value: "e", Action: views.PushCreate, Client: "Acme", Project: "Website", Task: "Programming", Hue: 1, After: 400, Money: "+€480.00"},
				{Value: "f", Action: views.PushDelete, Client: "Acme", Project: "Support retainer", Task: "Meetings", Hue: 1, Before: 50, Money: "−€60.00"},
			}},
		},
	}
}

// timedPushPage is a review of an account with start and end times.
func timedPushPage() views.PushPage {
	p := pushPage()
	p.Error = "Nothing was sent yet: a start is not right."
	lines := p.Days[1].Lines
	lines[0].Start = &views.PushStart{Name: "start/3-4/2026-11-24", Value: "9:00am", Times: "9:00am–10:30am"}
	lines[1].Start = &views.PushStart{Name: "start/3-5/2026-11-24", Value: "half past nine", Times: "10:30am–12:30pm", Error: "That is not a time of day. Write it like 9:00am or 2:30pm."}
	p.Days[2].Lines[0].Start = &views.PushStart{Name: "start/3-5/2026-11-27"}
	p.Days[2].Lines[0].Reason = "Between the day's last entry and midnight there is no room for it. Say when it starts, and tick it."
	return p
}

func cellForm() views.CellForm {
	g := typicalGrid()
	return views.CellForm{
		Week: g.Week, Day: 1, Row: g.Clients[0].Rows[0], Format: g.Format, Version: g.Version,
		Entries: []views.CellEntry{{ID: 636709355, URL: "https://example.harvestapp.com/time/636709355", Hours: 150, Notes: "Header", Ours: true}, {ID: 636709356, Hours: 50, Notes: "Phone call"}},
		Writes:  []views.WriteBrief{{ID: 40, Line: sampleWrites()[1].Line, State: ledger.Done, At: at("14:30")}},
		Move:    moveForm(),
	}
}

func moveForm() *views.MoveForm {
	week := sampleWeek()
	form := &views.MoveForm{Action: views.MoveCellPath(week, "4021-8801", 1), Date: week.Day(1), Version: 4107, MutationID: "SAMPLEMUTATION"}
	for i, date := range week.Days() {
		form.Days[i] = views.MoveDay{Date: date, Locked: i == 0}
	}
	return form
}

func rowForm() views.RowForm {
	g := typicalGrid()
	return views.RowForm{
		Week: g.Week, Row: g.Clients[0].Rows[0], ClientKey: "11", Format: g.Format, Version: g.Version, MutationID: "SAMPLEMUTATION",
		Down: true, ClientUp: true, ClientDown: true, Removable: true,
		Goes: "6:30 on 4 days and 1 note go.", Stays: "What is in Harvest stays there, so the row stays in this week as “not planned”.",
	}
}

func choiceForm(action string) views.ChoiceForm {
	return views.ChoiceForm{Action: action, Version: 4107, Theirs: "3k9x", MutationID: "7d1c2e4f"}
}

// changedThere is a choice between the plan and what somebody made of it.
func changedThere() views.Settle {
	return views.Settle{
		Title: "Changed in Harvest", Kind: ledger.DiffersChanged,
		Sides: []views.Side{
			{Name: "Planned here", Amount: "1:30", Note: "Header and footer, second round"},
			{Name: "In Harvest", Amount: "1:45", Note: "Header <only>", Parts: "1:30 pushed from here, 0:15 not"},
			{Name: "Sent before", Amount: "1:30", Note: "Header and footer"},
		},
		Answers: views.Answers{
			ChoiceForm: choiceForm("/weeks/2026-11-23/cells/4021-8801/1/choose"), Line: "4021-8801/2026-11-24/update/175/150/\"\"",
			Buttons: []views.Answer{{Value: views.AnswerTake, Label: "Take Harvest's"}, {Value: views.AnswerSend, Label: "Keep mine"}},
		},
	}
}

func cellToSettle() views.CellForm {
	f := cellForm()
	settle := changedThere()
	f.Settle, f.Choice = &settle, settle.Answers.ChoiceForm
	f.Row.Cells[f.Day].State, f.Row.Cells[f.Day].Why = views.CellChanged, "Harvest has 1:45, sent from here was 1:30."
	f.Entries[1].Adopt = true
	f.History = []views.PlanChange{
		{Event: 9, At: at("14:20"), Why: "edited", Before: views.PlanValue{Amount: "1:15", Note: "Header"}, After: views.PlanValue{Amount: "1:30", Note: "Header and footer, second round"}, PutBack: true},
		{Event: 4, At: at("Mon 23 Nov, 09:12"), Why: "taken from Harvest", Before: views.PlanValue{}, After: views.PlanValue{Amount: "1:15", Note: "Header"}, PutBack: true},
	}
	return f
}

func reconcilePage() views.ReconcilePage {
	week := sampleWeek()
	moved := views.Settle{
		Title: "0:30 less than planned", Kind: ledger.DiffersLess, Sentence: "The day is approved in Harvest.",
		Sides: []views.Side{{Name: "Planned here", Amount: "2:00", Note: "Workshop, with slides"}, {Name: "In Harvest", Amount: "1:30", Parts: "not pushed from here"}},
		Answers: views.Answers{
			ChoiceForm: choiceForm(views.ReconcileURL(week, "")), Row: "4030-8801", Day: "1", Line: "x",
			Buttons: []views.Answer{{Value: views.AnswerTake, Label: "Plan 1:30, as tracked"}, {Value: views.AnswerSend, Label: "Send the missing 0:30"}},
			Move:    "Move 0:30 to", MoveTo: []views.Option{{Value: "2026-11-25", Label: "Wed 25 Nov"}, {Value: "2026-11-26", Label: "Thu 26 Nov"}},
			Leave: views.ReconcileURL(week, "4031-8802.1"),
		},
	}
	return views.ReconcilePage{
		Chrome: chrome("Reconcile", views.NavWeek), Week: week, At: 2,
		Previous: views.ReconcileURL(week, "4021-8801.0"), Next: views.ReconcileURL(week, "4031-8802.1"),
		Item: &views.ReconcileItem{
			Client: "Birch & Sons", Project: "Consulting", Task: "Workshop", Hue: 4, Day: "Tuesday 24 November", CellURL: views.CellPath(week, "4030-8801", 1), Settle: moved,
		},
		Cells: []views.ReconcileCell{
			{URL: views.ReconcileURL(week, "4021-8801.0"), Client: "Acme", Project: "Website", Task: "Design", Hue: 1, Day: "Mon 23 Nov", Words: "Changed in Harvest"},
			{URL: views.ReconcileURL(week, "4030-8801.1"), Client: "Birch & Sons", Project: "Consulting", Task: "Workshop", Hue: 4, Day: "Tue 24 Nov", Words: "0:30 less than planned", Current: true},
			{URL: views.ReconcileURL(week, "4031-8802.1"), Client: "Cedar Collective", Project: "Annual report", Task: "Writing and a long name", Hue: 8, Day: "Tue 24 Nov", Words: "2:15 tracked, not planned"},
		},
	}
}

func checkPage(result views.CheckResult) views.CheckPage {
	return views.CheckPage{Chrome: chrome("Check with Harvest", views.NavWeek), Week: sampleWeek(), Connected: true, Result: result}
}

func checkResult() views.CheckResult {
	week := sampleWeek()
	line := func(kind ledger.CheckKind, text string) views.CheckLine {
		return views.CheckLine{
			Client: "Birch & Sons", Project: "Consulting", Task: "Workshop", Hue: 4, Day: "Tue 24 Nov", URL: views.CellPath(week, "4030-8801", 1), Kind: kind, Text: text, Write: 40,
		}
	}
	waiting := line("", "Harvest did not answer (503). It is safe here. Next try 14:32.")
	waiting.State = ledger.Retry
	return views.CheckResult{
		Summary: "12 sent, 11 found, 1 double.", Fresh: true, Read: at("14:31"),
		Findings: []views.CheckLine{
			line(ledger.CheckGone, "1:30 was sent, and was deleted in Harvest since."), line(ledger.CheckChanged, "1:00 was sent, Harvest has 1:45."),
			line(ledger.CheckDouble, "It was booked a second time, as entry 75. Entry 74 stays. The other one is being removed."),
			line(ledger.CheckUnknown, "Entry 76 with 0:30 says that Furrow made it, but nothing here knows it."),
		},
		Unsent: []views.CheckLine{waiting},
	}
}

// samples are all pages and components in their states, by golden file name.
func samples() map[string]templ.Component {
	week := sampleWeek()
	page := func(change func(*views.WeekPage)) templ.Component {
		p := views.WeekPage{Chrome: chrome("Week of 23 November", views.NavWeek), Week: week, IsThisWeek: true, Status: done(), Grid: typicalGrid(), AddRow: addRow(), Fill: views.FillMenu{Week: week, IsThis: true}}
		if change != nil {
			change(&p)
		}
		return p.View()
	}
	typical := typicalGrid()
	running := views.SyncStatus{Week: week, Phase: views.SyncRunning, Page: 3, Pages: 11, Entries: 5412, Poll: views.SyncStatusURL(week, "s1")}
	down := views.SyncStatus{Week: week, Phase: views.SyncFailed, At: at("14:02"), Waiting: 3, Unsure: 1, NeedsYou: 1, Sentence: "Harvest did not answer (503). 3 changes are safe here. Next try 14:32.", Poll: views.SyncStatusURL(week, "s2")}
	profile := views.SettingsPage{
		Chrome: chrome("Settings", views.NavSettings), Email: "ida@example.org", Fresh: true,
		WeekStarts:      []views.Option{{Label: "From Harvest (Monday)", Selected: true}, {Value: "sunday", Label: "Sunday"}},
		DurationFormats: []views.Option{{Label: "From Harvest (1:30)", Selected: true}, {Value: "decimal", Label: "1.5"}},
		TimeZones:       []views.Option{{Label: "From Harvest (Europe/Berlin)", Selected: true}, {Value: "Europe/Oslo", Label: "Europe/Oslo"}},
		LetterKeys:      []views.Option{{Value: "on", Label: "On", Selected: true}, {Value: "off", Label: "Off"}},
		Tokens:          []views.APIToken{{ID: 1, Name: "laptop", Created: at("2 Nov, 10:00"), LastUsed: at("14:00")}, {ID: 2, Name: "phone", Created: at("3 Nov, 10:00")}},
		Harvest:         views.HarvestBrief{Connected: true, Account: "Berg Studio"},
	}
	profileNew := profile
	profileNew.NewToken = "frw_3fJ2mZ0sample"
	profileNew.Harvest = views.HarvestBrief{Sentence: "Harvest no longer accepts the token. Connect again."}
	profileNew.Password = views.Fields{Errors: planner.FieldErrors{"current_password": "That is not your password."}}
	harvest := views.HarvestPage{Chrome: chrome("Harvest", views.NavSettings), Connection: &views.Connection{
		Account: "Berg Studio", AccountID: 1001, AccountURL: "https://bergstudio.harvestapp.com", User: "Ida Berg", UserEmail: "ida@example.org",
		TakenOver: []views.Setting{{Name: "Week starts on", Value: "Monday"}, {Name: "Time zone", Value: "Europe/Berlin"}, {Name: "Hours", Value: "1:30"}, {Name: "Capacity", Value: "35:00 a week"}},
		LastSync:  at("14:31"), Since: at("2 Nov, 10:00"), Waiting: 3,
		SettingsAsOf: at("06:12"), ProjectsAsOf: at("14:31"), BudgetsAsOf: at("13:50"),
	}}
	harvest.Budgets = &views.Budgets{AsOf: at("13:50"), Rows: []views.BudgetRow{
		{Client: "Birch & Sons", Project: "Consulting", Budget: "12:00", Spent: "13:15", Remaining: "-1:15", Monthly: true, Over: true},
		{Client: "Fabrikam", Project: "Catalogue <2026>", Budget: "21,000.00\u00a0EUR", Spent: "8,250.50\u00a0EUR", Remaining: "12,749.50\u00a0EUR"},
		{Client: "Fabrikam", Project: "Webshop", Budget: "460:00"},
	}}
	broken := harvest
	lost := *harvest.Connection
	lost.Broken = "Harvest no longer accepts the token. Connect again; 3 changes are safe here."
	lost.BudgetsAsOf = views.Moment{}
	broken.Connection, broken.Budgets = &lost, &views.Budgets{Hidden: true}
	none := pushPage()
	none.Days = nil
	refusedPush := pushPage()
	day := week.Day(1)
	refusedPush.Day, refusedPush.Error = &day, "The plan changed in another tab meanwhile. Look again, then send."
	offline := pushPage()
	offline.Connected = false
	badCell := cellForm()
	badCell.Fields = views.Fields{Values: map[string]string{"planned": "abc", "note": "x"}, Errors: planner.FieldErrors{"planned": "That is not a time. Try 1:30, 1.5 or 90m."}}
	timed := views.SettingsPage{Chrome: chrome("Settings", views.NavSettings), Email: "ida@example.org"}
	timed.Chrome.Timer = runningTimer()
	timed.Chrome.Timer.Stop, timed.Chrome.Timer.Harvest = "", "https://example.harvestapp.com/time"
	timed.Chrome.Timer.Warning = "It has been running since yesterday."
	timedCell := cellForm()
	timedCell.MutationID = "SAMPLEMUTATION"
	timedCell.Row.Cells[1].Timer = views.CellTimer{Can: views.StopTimer, Word: "running since 9:14", Why: "0:20 over the plan."}
	change := views.WeekChange{Grid: typical, Clients: []views.ClientRows{typical.Clients[0]}, Toast: &views.Toast{Week: sampleWeek(), Text: "1 cell saved.", Undo: 7, MutationID: "a toast’s undo"}}
	change.Clients[0].Rows = change.Clients[0].Rows[:1]
	withFlash := func(c views.Chrome, kind views.FlashKind, text string) views.Chrome {
		c.Flash = &views.Flash{Kind: kind, Text: text}
		return c
	}
	atTheEnd := reconcilePage()
	atTheEnd.Item, atTheEnd.At = nil, 0
	staleStep := reconcilePage()
	staleStep.Item.Settle = changedThere()
	staleStep.Error, staleStep.Sentence = "Things changed since this page was shown, so nothing was done. This is how they stand now.", "Harvest did not answer (503). 3 changes are safe here. Next try 14:32."
	all := map[string]templ.Component{
		"cell_settle":      views.CellPage{Chrome: chrome("Cell", views.NavWeek), Form: cellToSettle()}.View(),
		"reconcile":        reconcilePage().View(),
		"reconcile_stale":  staleStep.View(),
		"reconcile_end":    atTheEnd.View(),
		"reconcile_none":   views.ReconcilePage{Chrome: chrome("Reconcile", views.NavWeek), Week: week}.View(),
		"copy":             fillPage().View(),
		"copy_none":        emptyFill().View(),
		"carry":            carryPage().View(),
		"carry_none":       views.CarryPage{Chrome: chrome("Carry over", views.NavWeek), Week: week, Current: true}.View(),
		"carry_other_week": views.CarryPage{Chrome: chrome("Carry over", views.NavWeek), Week: week}.View(),
		"spread":           spreadPage().View(),
		"spread_none":      views.SpreadPage{Chrome: chrome("Spread the rest", views.NavWeek), Week: week}.View(),
		"templates":        templatesPage().View(),
		"templates_none":   views.TemplatesPage{Chrome: chrome("Templates", views.NavWeek), Week: week}.View(),
		"recurring":        recurringPage().View(),
		"recurring_none":   views.RecurringPage{Chrome: chrome("Recurring work", views.NavWeek), Horizon: "30 May 2027"}.View(),
		"recurring_new":    recurringNew().View(),
		"recurring_change": recurringChange().View(),
		"week_offers": page(func(p *views.WeekPage) {
			p.Fill.Carry, p.Fill.CopyLast = "6:30", true
		}),
		"check":             checkPage(checkResult()).View(),
		"check_good":        checkPage(views.CheckResult{Summary: "12 sent, 12 found, 0 double.", Good: true, Fresh: true, Read: at("14:31")}).View(),
		"check_running":     checkPage(views.CheckResult{Summary: "12 sent, 12 found, 0 double.", Read: at("14:02"), Poll: views.CheckResultURL(week, "7"), Sentence: "Harvest did not answer (503). Next try 14:32."}).View(),
		"check_unconnected": views.CheckPage{Chrome: chrome("Check with Harvest", views.NavWeek), Week: week, Result: views.CheckResult{Summary: "0 sent, 0 found, 0 double."}}.View(),
		"setup":             views.SetupPage{Chrome: stranger("Welcome"), NeedsToken: true}.View(),
		"setup_error":       views.SetupPage{Chrome: stranger("Welcome"), Fields: views.Fields{Values: map[string]string{"email": "ida@"}, Errors: planner.FieldErrors{"email": "That is not an email address.", "password": "Use at least 12 characters."}}}.View(),
		"confirm":           views.ConfirmPage{Chrome: chrome("Confirm that it is you", views.NavNone), Email: "ida@example.org", Next: "/settings#h-tokens"}.View(),
		"confirm_code":      views.ConfirmPage{Chrome: chrome("Confirm that it is you", views.NavNone), Email: "ida@example.org", NeedsCode: true, Next: "/admin/writes", Fields: views.Fields{Errors: planner.FieldErrors{"": "The password or the code does not fit."}}}.View(),
		"login_code":        views.LoginCodePage{Chrome: stranger("Log in"), Next: "/week"}.View(),
		"factor_off":        views.SecondFactorPage{Chrome: chrome("Second factor", views.NavSettings), Required: true}.View(),
		"factor_begun":      views.SecondFactorPage{Chrome: chrome("Second factor", views.NavSettings), Fresh: true, QR: "data:image/png;base64,AAAA", Secret: "GEZD GNBV GY3T QOJQ", Fields: views.Fields{Errors: planner.FieldErrors{"code": "This code does not fit."}}}.View(),
		"factor_codes":      views.SecondFactorPage{Chrome: chrome("Second factor", views.NavSettings), Fresh: true, On: true, CodesLeft: 2, Codes: []string{"abcd-efgh-ijkl-mnop", "2345-6723-4567-2345"}, CodesFile: "data:text/plain;charset=utf-8,abcd-efgh-ijkl-mnop%0D%0A2345-6723-4567-2345"}.View(),
		"sessions":          views.SessionsPage{Chrome: chrome("Where you are logged in", views.NavSettings), Sessions: []views.OpenSession{{ID: 2, Current: true, Device: "Firefox on Linux", Address: "192.0.2.7", Since: at("13:02"), Seen: at("14:30")}, {ID: 1, Device: "Safari on iPhone", Since: at("2 Nov, 10:00"), Seen: at("3 Nov, 10:00")}}}.View(),
		"login":             views.LoginPage{Chrome: stranger("Log in"), Next: "/week"}.View(),
		"login_error":       views.LoginPage{Chrome: stranger("Log in"), Next: "/week", Fields: views.Fields{Values: map[string]string{"email": "ida@example.org"}, Errors: planner.FieldErrors{"": "Email or password is wrong."}}}.View(),
		"week":              page(nil),
		"week_empty": page(func(p *views.WeekPage) {
			p.Grid, p.Begin, p.AddRow, p.Status = bare(workdays()...), &views.Begin{Sandbox: true, Admin: true}, views.AddRow{Week: week}, views.SyncStatus{Week: week}
		}),
		"week_blank": page(func(p *views.WeekPage) {
			p.Grid, p.Begin, p.IsThisWeek = bare(workdays()...), &views.Begin{Connected: true}, false
			p.Grid.Days[2].Today = false
		}),
		"week_syncing": page(func(p *views.WeekPage) {
			p.Status = running
			p.Chrome = withFlash(p.Chrome, views.FlashNote, "A sync is already running.")
		}),
		"week_down": page(func(p *views.WeekPage) {
			p.Status = down
			p.Chrome.SandboxBar.Mode = views.Outage503
			p.Chrome = withFlash(p.Chrome, views.FlashBad, "One cell was not stored. It is marked below.")
		}),
		"week_long": page(func(p *views.WeekPage) { p.Grid = longGrid() }),
		"week_big":  page(func(p *views.WeekPage) { p.Grid = bigGrid() }),
		"week_decimal": page(func(p *views.WeekPage) {
			p.Grid = typicalGrid()
			p.Grid.Format = planner.Decimal
			p.Chrome.Theme = "dark"
		}),
		"week_timers": page(func(p *views.WeekPage) {
			p.Grid, p.MutationID, p.Chrome.Timer = timing(), "SAMPLEMUTATION", runningTimer()
			p.Status.Poll, p.Status.Slow = views.SyncStatusURL(week, "s3"), true
		}),
		"settings_timer":  timed.View(),
		"cell_timer":      timedCell.View(),
		"live_timer":      views.LivePartial{Status: done(), Timer: runningTimer()}.View(),
		"week_change":     change.View(),
		"live_grid":       views.LivePartial{Status: done(), Grid: &typical}.View(),
		"cell":            views.CellPage{Chrome: chrome("Cell", views.NavWeek), Form: cellForm()}.View(),
		"cell_error":      badCell.View(),
		"row":             views.RowPage{Chrome: chrome("Website · Design", views.NavWeek), Form: rowForm()}.View(),
		"push":            pushPage().View(),
		"push_refused":    refusedPush.View(),
		"push_times":      timedPushPage().View(),
		"push_nothing":    none.View(),
		"push_offline":    offline.View(),
		"ledger":          views.LedgerPage{Chrome: chrome("Ledger", views.NavLedger), CheckWeek: sampleWeek(), Clients: clientChoices(), List: ledgerList()}.View(),
		"ledger_empty":    views.LedgerPage{Chrome: chrome("Ledger", views.NavLedger), CheckWeek: sampleWeek(), List: views.LedgerList{States: states()}}.View(),
		"ledger_none":     views.LedgerPage{Chrome: chrome("Ledger", views.NavLedger), CheckWeek: sampleWeek(), Clients: clientChoices(), List: views.LedgerList{Query: views.LedgerQuery{Search: "nowhere"}, States: []views.Option{{Label: "All", Selected: true}, {Value: views.LedgerSent, Label: "In Harvest"}}}}.View(),
		"ledger_older":    views.LedgerPage{Chrome: chrome("Ledger", views.NavLedger), CheckWeek: sampleWeek(), Clients: clientChoices(), List: views.LedgerList{Query: views.LedgerQuery{State: views.LedgerSent, Before: "41"}, States: states(), Writes: sampleWrites()[1:2]}}.View(),
		"ledger_live":     ledgerList().View(),
		"write":           views.WritePage{Chrome: chrome("Write 39", views.NavLedger), Live: views.WriteLive{Write: sampleWrites()[2]}}.View(),
		"write_update":    views.WriteLive{Write: sampleWrites()[3]}.View(),
		"write_live":      views.WriteLive{Write: sampleWrites()[0], Poll: views.WriteLivePath(41)}.View(),
		"settings":        profile.View(),
		"settings_error":  profileNew.View(),
		"harvest":         harvest.View(),
		"harvest_broken":  broken.View(),
		"harvest_connect": views.HarvestPage{Chrome: chrome("Harvest", views.NavSettings), Sandbox: true, OAuthURL: "/settings/harvest/oauth", Fields: views.Fields{Values: map[string]string{"account_id": "1001"}, Errors: planner.FieldErrors{"token": "Harvest does not accept this token."}}}.View(),
		"harvest_token":   views.HarvestPage{Chrome: chrome("Harvest", views.NavSettings)}.View(),
		"account_choice":  views.AccountChoicePage{Chrome: chrome("Which account?", views.NavSettings), Accounts: []views.AccountOption{{ID: 1001, Name: "Berg Studio"}, {ID: 3003, Name: "Northwind <Studio>"}}}.View(),
		"account_refused": views.AccountChoicePage{Chrome: chrome("Which account?", views.NavSettings), Accounts: []views.AccountOption{{ID: 1001, Name: "Berg Studio"}, {ID: 3003, Name: "Northwind <Studio>"}}, Fields: views.Fields{Values: map[string]string{"account_id": "3003"}, Errors: planner.FieldErrors{"": "Harvest could not be reached. Try again in a minute.", "account_id": "Choose one of the accounts."}}}.View(),
		"error":           views.ErrorPage{Chrome: chrome("Not found", views.NavNone), Status: 404, Title: "There is nothing here", Sentence: "The address may be mistyped, or what was here is gone.", RequestID: "01JF3"}.View(),
		"error_stranger":  views.ErrorPage{Chrome: stranger("Error"), Status: 500, Title: "Something broke on our side", Sentence: "Nothing you typed was lost. Try again in a moment.", RequestID: "01JF3"}.View(),
		"error_fragment":  views.ErrorFragment{Sentence: "You are logged out. Your text is still here.", URL: "/login", Link: "Log in", RequestID: "01JF4"}.View(),
	}
	maps.Copy(all, moneySamples())
	maps.Copy(all, adminSamples())
	maps.Copy(all, adminListSamples())
	maps.Copy(all, ownDataSamples())
	maps.Copy(all, linkSamples())
	maps.Copy(all, quickStates())
	return all
}
