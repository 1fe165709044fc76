package views_test

import (
	"time"

	"github.com/a-h/templ"

	"furrow/planner"
	"furrow/views"
)

func eur(minor int64) planner.Money { return planner.Money{Minor: minor, Currency: "EUR"} }

func gbp(minor int64) planner.Money { return planner.Money{Minor: minor, Currency: "GBP"} }

// sampleMoney is a strip with everything in it.
func sampleMoney() views.Money {
	return views.Money{
		AsOf: at("13:50"),
		Periods: []views.MoneyPeriod{
			{Name: "This week", Figures: planner.Figures{
				Planned: []planner.Money{eur(184_000), gbp(49_500)}, Earned: []planner.Money{eur(62_050)},
				PlannedTime: 1680, PlannedBillable: 1380, TrackedTime: 1125, TrackedBillable: 1125, PlannedUnrated: 180, TrackedUnrated: 75,
			}},
			{Name: "November", Figures: planner.Figures{
				Planned: []planner.Money{eur(712_000), gbp(132_000)}, Earned: []planner.Money{eur(612_050), gbp(120_000)},
				PlannedTime: 8400, PlannedBillable: 6900, TrackedTime: 12_125, TrackedBillable: 9000,
			}},
		},
		Goal: &views.GoalProgress{Goal: planner.Goal{Amount: eur(800_000), Every: planner.EveryMonth}, Earned: eur(612_050)},
		Budgets: []views.BudgetNote{
			{Project: "Website", Text: "42:00 of 40:00, crossed on Thursday", Over: true},
			{Project: "Consulting", Text: "10:30 of 12:00 in November, 1:30 left"},
		},
	}
}

func withMoney(g *views.WeekGrid) {
	g.Money = sampleMoney()
	g.Money.Format = g.Format
	g.Clients[0].Rows[0].Budget = &views.BudgetMark{Text: "over budget on Thursday", Over: true}
	g.Clients[0].Rows[2].Budget = &views.BudgetMark{}
	g.Clients[1].Rows[0].Budget = &views.BudgetMark{Text: "1:30 of the budget left"}
}

func capacityPage() views.CapacityPage {
	p := views.CapacityPage{Chrome: chrome("Capacity and time off", views.NavSettings), Week: "31:30"}
	for i, name := range []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"} {
		p.Days = append(p.Days, views.CapacityDay{Field: views.CapacityField((i + 1) % 7), Name: name, Harvest: "7:00"})
	}
	p.Days[4].Value = "3:30"
	p.TimeOff = []views.TimeOff{
		{TimeOff: planner.TimeOff{First: planner.NewDate(2026, time.December, 24), Last: planner.NewDate(2027, time.January, 1), Name: "Christmas <3"}},
		{TimeOff: planner.TimeOff{First: planner.NewDate(2026, time.May, 1), Last: planner.NewDate(2026, time.May, 1)}, Past: true},
	}
	return p
}

func ratesPage() views.RatesPage {
	field := func(name, label, value string) views.RateField {
		return views.RateField{Name: name, Label: label, Value: value}
	}
	return views.RatesPage{
		Chrome:     chrome("Rates and goal", views.NavSettings),
		Goal:       views.Fields{Values: map[string]string{"amount": "8000.00"}},
		Currencies: []views.Option{{Value: "EUR", Label: "EUR", Selected: true}, {Value: "GBP", Label: "GBP"}},
		Every:      []views.Option{{Value: "week", Label: "week"}, {Value: "month", Label: "month", Selected: true}},
		Clients: []views.RateClient{
			{Name: "Birch <& Co>", Hue: 4, Projects: []views.RateProject{{
				Name: "Webshop", Currency: "EUR", All: field("rate.11-0", "Rate for Birch <& Co> Webshop, all tasks", "80.00"),
				Tasks: []views.RateTask{
					{Name: "Design", Harvest: "95.00\u00a0EUR", Own: field("rate.11-21", "Rate for Birch <& Co> Webshop Design", "")},
					{Name: "Meetings", Harvest: "not billable", Own: field("rate.11-22", "Rate for Birch <& Co> Webshop Meetings", "")},
				},
			}}},
			{Name: "Harbour Books", Hue: 8, Projects: []views.RateProject{{
				Name: "Catalogue", Currency: "GBP", All: field("rate.12-0", "Rate for Harbour Books Catalogue, all tasks", ""),
				Tasks: []views.RateTask{{Name: "Design", Harvest: "not known", Own: field("rate.12-21", "Rate for Harbour Books Catalogue Design", "")}},
			}}},
		},
	}
}

func moneySamples() map[string]templ.Component {
	full := typicalGrid()
	off := bare(workdays()...)
	off.Days[1].Off, off.Days[1].OffFor, off.Days[1].Capacity = true, "dentist", 0
	off.Days[3].Off, off.Days[3].Capacity, off.Days[3].Planned = true, 0, 90
	off.Days[0].Planned, off.Days[2].Planned = 480, 420
	off.Planned, off.Capacity = 990, 1200
	withMoney(&full)
	reached := off
	reached.Money = views.Money{Periods: sampleMoney().Periods, Goal: &views.GoalProgress{Goal: planner.Goal{Amount: eur(60_000), Every: planner.EveryWeek}, Earned: eur(62_050)}}
	short, ahead := off, eur(30_000)
	short.Money = views.Money{Periods: sampleMoney().Periods, Goal: &views.GoalProgress{Goal: planner.Goal{Amount: eur(100_000), Every: planner.EveryWeek}, Earned: eur(62_050), Ahead: &ahead}}
	badCapacity := capacityPage()
	badCapacity.TimeOff = nil
	badCapacity.Days[0].Value, badCapacity.Days[0].Error = "30", "Write 30m for minutes, or 30:00 for hours."
	badCapacity.Off = views.Fields{Values: map[string]string{"first": "2026-12-24", "last": "2026-12-23"}, Errors: planner.FieldErrors{"last": "It ends before it begins."}}
	badRates := ratesPage()
	badRates.Error = "Nothing was saved yet: a rate is not right."
	badRates.Clients[0].Projects[0].Tasks[0].Own.Value, badRates.Clients[0].Projects[0].Tasks[0].Own.Error = "<b>", "Write it like 95, 82.50 or 82,50, without a currency."
	week := func(g views.WeekGrid) templ.Component {
		return views.WeekPage{Chrome: chrome("Week of 23 November", views.NavWeek), Week: g.Week, IsThisWeek: true, Status: done(), Grid: g, AddRow: addRow()}.View()
	}
	return map[string]templ.Component{
		"week_money":     week(full),
		"week_off":       week(reached),
		"week_short":     week(short),
		"preview":        views.WeekPreview{Grid: full}.View(),
		"capacity":       capacityPage().View(),
		"capacity_error": badCapacity.View(),
		"rates":          ratesPage().View(),
		"rates_error":    badRates.View(),
		"rates_none":     views.RatesPage{Chrome: chrome("Rates and goal", views.NavSettings), Currencies: []views.Option{{Label: "none", Selected: true}}}.View(),
	}
}
