package planner_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/planner"
)

func ahead(project int64, date planner.Date, rest planner.Minutes) planner.Ahead {
	return planner.Ahead{Cell: planner.CellID{RowID: planner.RowID{ProjectID: project, TaskID: 1}, Date: date}, Rest: rest}
}

func billed(a planner.Ahead, minor int64) planner.Ahead {
	a.Billable, a.Rate = true, planner.Rate{Known: true, PerHour: planner.Money{Minor: minor, Currency: "EUR"}}
	return a
}

func TestForecast(t *testing.T) {
	t.Parallel()
	hours := planner.Budget{ProjectID: 1, Limit: 40 * 60, Spent: 36 * 60}
	money := planner.Budget{ProjectID: 1, InMoney: true, Currency: "EUR", Limit: 100_000, Spent: 90_000}
	with := func(b planner.Budget, spent int64) planner.Budget {
		b.Spent = spent
		return b
	}
	for _, tt := range []struct {
		name        string
		budget      planner.Budget
		ahead       []planner.Ahead
		wantPlanned int64
		wantUnrated planner.Minutes
		wantCrossed planner.Date // 0: not
		wantOver    bool
		wantNear    bool
	}{
		{name: "nothing ahead", budget: hours, wantNear: true},
		{name: "far", budget: with(hours, 60), ahead: []planner.Ahead{ahead(1, 10, 60)}, wantPlanned: 60},
		{name: "just not near", budget: with(hours, 31*60), ahead: []planner.Ahead{ahead(1, 10, 59)}, wantPlanned: 59},
		{name: "near", budget: with(hours, 31*60), ahead: []planner.Ahead{ahead(1, 10, 60)}, wantPlanned: 60, wantNear: true},
		{name: "full", budget: hours, ahead: []planner.Ahead{ahead(1, 12, 60), ahead(1, 10, 180)}, wantPlanned: 240, wantNear: true},
		{
			name: "crossed, in order of dates", budget: hours, ahead: []planner.Ahead{ahead(1, 14, 60), ahead(1, 12, 61), ahead(1, 10, 180)},
			wantPlanned: 301, wantCrossed: 12, wantOver: true, wantNear: true,
		},
		{
			name: "crossed by two rows of a day", budget: hours, ahead: []planner.Ahead{ahead(1, 12, 150), ahead(1, 12, 150)},
			wantPlanned: 300, wantCrossed: 12, wantOver: true, wantNear: true,
		},
		{name: "over before", budget: with(hours, 41*60), ahead: []planner.Ahead{ahead(1, 12, 60)}, wantPlanned: 60, wantOver: true, wantNear: true},
		{name: "spent to the last minute", budget: with(hours, 40*60), ahead: []planner.Ahead{ahead(1, 12, 1)}, wantPlanned: 1, wantCrossed: 12, wantOver: true, wantNear: true},
		{name: "of another project", budget: hours, ahead: []planner.Ahead{ahead(2, 12, 600)}, wantNear: true},
		{name: "tracked more than planned", budget: hours, ahead: []planner.Ahead{ahead(1, 12, -600), ahead(1, 13, 120)}, wantPlanned: 120, wantNear: true},
		{name: "money, thirds of an hour", budget: money, ahead: []planner.Ahead{billed(ahead(1, 12, 20), 10_000), billed(ahead(1, 13, 20), 10_000)}, wantPlanned: 6667, wantNear: true},
		{
			name: "money, crossed", budget: money, ahead: []planner.Ahead{billed(ahead(1, 12, 60), 10_000), billed(ahead(1, 13, 1), 100)},
			wantPlanned: 10_002, wantCrossed: 13, wantOver: true, wantNear: true,
		},
		{
			name: "money, not billed and without a rate", budget: with(money, 0),
			ahead: []planner.Ahead{ahead(1, 12, 6000), {Cell: planner.CellID{RowID: planner.RowID{ProjectID: 1}}, Rest: 45, Billable: true}}, wantUnrated: 45,
		},
	} {
		got := tt.budget.Forecast(tt.ahead)
		want := planner.Forecast{Budget: tt.budget, Planned: tt.wantPlanned, Unrated: tt.wantUnrated, Crossed: tt.wantCrossed > 0, CrossedOn: tt.wantCrossed}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if got.Over() != tt.wantOver || got.Near() != tt.wantNear || got.Total() != tt.budget.Spent+tt.wantPlanned {
			t.Errorf("%s: over %t, near %t, total %d", tt.name, got.Over(), got.Near(), got.Total())
		}
	}
}

// The named day is the first one until whose end more is spent than there is,
// whatever the order in which the plan is told.
func TestForecastNamesTheDay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		budget := planner.Budget{
			ProjectID: 1, InMoney: rapid.Bool().Draw(rt, "money"), Limit: rapid.Int64Range(0, 5000).Draw(rt, "limit"), Spent: rapid.Int64Range(0, 5000).Draw(rt, "spent"),
		}
		plan := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) planner.Ahead {
			a := ahead(rapid.Int64Range(1, 2).Draw(rt, "project"), planner.Date(rapid.IntRange(1, 9).Draw(rt, "date")), planner.Minutes(rapid.IntRange(-10, 600).Draw(rt, "rest")))
			if rapid.Bool().Draw(rt, "billed") {
				a = billed(a, rapid.Int64Range(0, 9000).Draw(rt, "rate"))
			}
			return a
		}), 0, 10).Draw(rt, "plan")
		got := budget.Forecast(plan)
		if diff := cmp.Diff(got, budget.Forecast(rapid.Permutation(plan).Draw(rt, "order"))); diff != "" {
			rt.Fatal(diff)
		}
		over := func(until planner.Date) bool {
			var sixtieths int64
			for _, a := range plan {
				switch {
				case a.Cell.ProjectID != 1 || a.Cell.Date > until || a.Rest < 0:
				case !budget.InMoney:
					sixtieths += int64(a.Rest) * 60
				case a.Billable:
					sixtieths += int64(a.Rest) * a.Rate.PerHour.Minor
				}
			}
			return budget.Spent*60+sixtieths > budget.Limit*60
		}
		if got.Crossed != (over(9) && budget.Spent <= budget.Limit) || got.Over() != over(9) {
			rt.Fatalf("%+v", got)
		}
		if got.Crossed && (!over(got.CrossedOn) || over(got.CrossedOn-1)) {
			rt.Fatalf("crossed on %d: %+v", got.CrossedOn, plan)
		}
	})
}
