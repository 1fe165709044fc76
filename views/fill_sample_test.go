package views_test

import (
	"time"

	"furrow/planner"
	"furrow/views"
)

func fillPage() views.FillPage {
	week := sampleWeek()
	p := views.FillPage{
		Chrome: chrome("Copy last week", views.NavWeek), Week: week, Title: "Copy last week", Action: views.CopyURL(week, planner.CopyPlan, ""),
		Source: &views.FillSource{
			Week: week.Previous(), Earlier: views.CopyURL(week, planner.CopyPlan, "2026-11-09"), Later: views.CopyURL(week, planner.CopyPlan, "2026-11-30"),
		},
		Ways: []views.FillWay{
			{Label: "Rows", Help: "without any time", URL: views.CopyURL(week, planner.CopyRows, "")},
			{Label: "Rows and plan", Help: "with notes", URL: views.CopyURL(week, planner.CopyPlan, ""), Current: true},
		},
		Format: planner.HoursMinutes, Added: 750, MutationID: "sample-mutation", Shown: "1a2b",
		Skipped: []views.FillRow{{Client: "Birch & Sons", Project: "Consulting", Task: "Workshop", Hue: 4, Why: "It has a plan in this week already."}},
	}
	for i, date := range week.Days() {
		p.Days[i] = views.FillDay{Date: date, Planned: planner.Minutes(480 - 240*(i%2)), Capacity: 420}
	}
	p.Days[5].Capacity, p.Days[6].Capacity, p.Days[6].Planned = 0, 0, 0
	first := views.FillRow{Client: "Acme", Project: "Website", Task: "Design", Hue: 1, Planned: 750}
	first.Cells[0] = views.FillCell{Planned: 480, Note: "Draft of <the start page>"}
	first.Cells[1] = views.FillCell{Planned: 270}
	first.Cells[3] = views.FillCell{Locked: true}
	p.Rows = []views.FillRow{first, {Client: "Cedar Collective", Project: "Annual report", Task: "Writing and a long name", Hue: 8}}
	return p
}

// emptyFill is of a template, after something has changed.
func emptyFill() views.FillPage {
	p := fillPage()
	p.Chrome, p.Title, p.Source, p.Ways, p.Rows = chrome("Apply “Usual”", views.NavWeek), "Apply “Usual”", nil, nil, nil
	p.Error = "Something changed meanwhile, and nothing was stored. This is how it looks now."
	return p
}

func carryPage() views.CarryPage {
	return views.CarryPage{
		Current: true,
		Chrome:  chrome("Carry over", views.NavWeek), Week: sampleWeek(), Format: planner.HoursMinutes, MutationID: "sample-mutation", Shown: "1a2b",
		Error: "Tick what is to be carried over.",
		Rows: []views.CarryRow{
			{Key: "4021-8801", Client: "Acme", Project: "Website", Task: "Design", Hue: 1, Amount: 150, Ticked: true, Days: []views.Option{
				{Value: "2", Label: "Wed 25 Nov, 1:30 free"}, {Value: "3", Label: "Thu 26 Nov, 7:00 free", Selected: true},
			}},
			{Key: "4030-8801", Client: "Birch & Sons", Project: "Consulting", Task: "Workshop", Hue: 4, Amount: 1800},
		},
	}
}

func spreadPage() views.SpreadPage {
	week := sampleWeek()
	rows := []views.SpreadRow{
		{Key: "4021-8801", Client: "Acme", Project: "Website", Task: "Design", Hue: 1, Left: 150, Unplaced: "0:30 does not fit: the rest of the week is full."},
		{Key: "4030-8801", Client: "Birch & Sons", Project: "Consulting", Task: "Workshop", Hue: 4, Left: 60, Error: "That is 0:30 more than is left."},
	}
	rows[0].Adds[3], rows[0].Adds[4], rows[0].Locked[4] = "2:00", "", true
	rows[1].Adds[3] = "1:30"
	return views.SpreadPage{
		Chrome: chrome("Spread the rest", views.NavWeek), Week: week, Format: planner.HoursMinutes, MutationID: "sample-mutation", Shown: "1a2b",
		Days: []views.SpreadDay{{Day: 3, Date: week.Day(3), Free: 120}, {Day: 4, Date: week.Day(4), Free: 0}}, Rows: rows,
	}
}

func templatesPage() views.TemplatesPage {
	return views.TemplatesPage{
		Chrome: chrome("Templates", views.NavWeek), Week: sampleWeek(), Format: planner.HoursMinutes, Rows: 4,
		Templates: []views.Template{{ID: 1, Name: "Usual <week>", Rows: 7, Planned: 2100}, {ID: 2, Name: "Conference", Rows: 1}},
		Renaming:  2, Fields: views.Fields{Values: map[string]string{"name": "Usual <week>"}, Errors: planner.FieldErrors{"name": "Another template has that name."}},
	}
}

func recurringPage() views.RecurringPage {
	return views.RecurringPage{
		Chrome: chrome("Recurring work", views.NavWeek), Horizon: "30 May 2027",
		Rules: []views.RecurringRule{
			{ID: 1, Client: "Acme", Project: "Website", Task: "Design", Hue: 1, Words: "Every Tuesday and Thursday, 1:00", Note: "Stand-up", Span: "from 24 November 2026", State: "Planned up to 30 May 2027."},
			{ID: 2, Client: "Birch & Sons", Project: "Consulting", Task: "Workshop", Hue: 4, Words: "Every day, 0:15", Span: "from 1 June 2026 to 30 October 2026", State: "It has ended.", Over: true},
		},
	}
}

func weekdayOptions(ticked ...time.Weekday) []views.Option {
	days := make([]views.Option, planner.DaysInWeek)
	for i := range days {
		day := time.Weekday((i + 1) % planner.DaysInWeek)
		days[i] = views.Option{Value: string(rune('0' + int(day))), Label: day.String(), Selected: planner.WeekdaysOf(ticked...).Has(day)}
	}
	return days
}

func recurringNew() views.RecurringForm {
	return views.RecurringForm{
		Chrome: chrome("Repeat every week", views.NavWeek), Days: weekdayOptions(), Back: views.RecurringPath, MutationID: "sample-mutation", Horizon: "30 May 2027",
		Choices: []views.ClientAssignments{{Name: "Acme", Assignments: []views.AssignmentOption{{Value: "4021-8801", Project: "Website", Task: "Design"}}}},
		Fields: views.Fields{Values: map[string]string{"row": "4021-8801", "duration": "13", "from": "2026-11-20"}, Errors: planner.FieldErrors{
			"row": "Choose a project and task from the list.", "day": "Tick at least one day.", "duration": "13 what? Type 13m or 13h.", "from": "It can begin today at the earliest.",
		}},
	}
}

func recurringChange() views.RecurringForm {
	return views.RecurringForm{
		Chrome: chrome("Change recurring work", views.NavWeek), ID: 7, Row: "4021-8801", Name: "Acme Website · Design", Days: weekdayOptions(time.Tuesday),
		Back: views.RecurringPath, MutationID: "sample-mutation", Horizon: "30 May 2027",
		Fields: views.Fields{Values: map[string]string{"duration": "1:00", "note": "Stand-up", "from": "2026-11-25", "until": "2027-01-31", "before": "2026-11-25"}},
	}
}
