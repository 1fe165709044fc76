package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// drawPlan is a week with some rows of some clients.
func drawPlan(t *rapid.T) ledger.WeekPlan {
	plan := ledger.WeekPlan{Week: planner.WeekOf(planner.NewDate(2026, time.November, 23), time.Monday)}
	plan.Profile.DurationFormat = planner.HoursMinutes
	minutes, hours := rapid.IntRange(0, int(planner.MaxCell)), rapid.IntRange(0, 2400)
	for client := range rapid.IntRange(0, 4).Draw(t, "clients") {
		for row := range rapid.IntRange(1, 4).Draw(t, "rows") {
			r := ledger.Row{ID: planner.RowID{ProjectID: int64(client), TaskID: int64(row)}, ClientID: int64(client), Client: fmt.Sprint("client ", client)}
			for d := range r.Cells {
				c := &r.Cells[d]
				switch rapid.IntRange(0, 3).Draw(t, "what") {
				case 0:
				case 1:
					c.Planned = planner.Minutes(minutes.Draw(t, "planned"))
				case 2:
					c.Others, c.OthersCount = planner.Hours(hours.Draw(t, "others")), 1
				case 3:
					c.Planned = planner.Minutes(minutes.Draw(t, "planned"))
					own := planner.Hours(hours.Draw(t, "ours"))
					c.Ours = &ledger.Pushed{RemoteID: 1, RemoteHours: own, AgreedHours: own, PlannedMinutes: c.Planned}
				}
			}
			plan.Rows = append(plan.Rows, r)
		}
	}
	return plan
}

// Every total is the sum of the cells that it stands for, planned and tracked.
func TestTotalsAreSums(t *testing.T) {
	t.Parallel()
	type sum struct {
		planned planner.Minutes
		tracked planner.Hours
	}
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		b := weekBuilder{plan: plan, now: time.Date(2026, time.November, 25, 12, 0, 0, 0, time.UTC), zone: time.UTC, today: plan.Week.Day(2)}
		g := b.grid()
		var week sum
		var days [planner.DaysInWeek]sum
		rows := 0
		for _, client := range g.Clients {
			var ofClient sum
			for _, row := range client.Rows {
				rows++
				var ofRow sum
				for d := range row.Cells {
					c := &row.Cells[d]
					for _, s := range []*sum{&week, &days[d], &ofClient, &ofRow} {
						s.planned += c.Planned
						s.tracked += c.Tracked
					}
				}
				if got := (sum{row.Planned, row.Tracked}); got != ofRow {
					t.Errorf("row %s: %v, want %v", row.Key, got, ofRow)
				}
			}
			if got := (sum{client.Planned, client.Tracked}); got != ofClient {
				t.Errorf("client %s: %v, want %v", client.Key, got, ofClient)
			}
		}
		for d, want := range days {
			if got := (sum{g.Days[d].Planned, g.Days[d].Tracked}); got != want {
				t.Errorf("day %d: %v, want %v", d, got, want)
			}
		}
		if got := (sum{g.Planned, g.Tracked}); got != week {
			t.Errorf("week: %v, want %v", got, week)
		}
		if rows != len(plan.Rows) {
			t.Errorf("%d rows are shown of %d", rows, len(plan.Rows))
		}
	})
}

// What is typed into a day is planned for that date and shown on it again,
// whatever the user's zone and first day of the week are, over clock changes,
// leap days and weeks 53.
func TestDatesNeverShift(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	zones := []string{"UTC", "Europe/Copenhagen", "America/New_York", "Pacific/Apia", "Pacific/Kiritimati", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"}
	around := []planner.Date{
		planner.NewDate(2026, time.March, 29), planner.NewDate(2026, time.October, 25), planner.NewDate(2026, time.November, 1), // clocks
		planner.NewDate(2028, time.February, 29), planner.NewDate(2026, time.December, 31), planner.NewDate(2021, time.January, 1),
	}
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.SampledFrom([]time.Weekday{time.Saturday, time.Sunday, time.Monday}).Draw(t, "first day")
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		if err := b.store.SetPreferences(b.t.Context(), ada.user, db.Preferences{WeekStart: &start, TimeZone: zone}); err != nil {
			t.Fatal(err)
		}
		date := rapid.SampledFrom(around).Draw(t, "around").AddDays(rapid.IntRange(-9, 9).Draw(t, "days later"))
		week := planner.WeekOf(date, start)
		day := int(date - week.Start)
		minutes := rapid.IntRange(1, 720).Draw(t, "minutes")
		field := views.CellField(ada.row, day)

		if _, err := b.pool.Exec(b.t.Context(), "delete from cells; delete from plan_events"); err != nil {
			t.Fatal(err)
		}
		got := in.post(views.WeekPath(week)+"/cells", url.Values{"version": {"0"}, field: {fmt.Sprint(minutes, "m")}})
		if got.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
		var stored planner.Date
		if err := b.pool.QueryRow(b.t.Context(), "select date from cells where minutes = $1", minutes).Scan(&stored); err != nil || stored != date {
			t.Errorf("stored on %v, %v; want %v", stored, err, date)
		}
		if value := in.get(views.WeekPath(week)).field(b.t, field); value != planner.HoursMinutes.Format(planner.Minutes(minutes)) {
			t.Errorf("the cell of %v shows %q, want %d minutes", date, value, minutes)
		}

		// This week is the one on the user's calendar.
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		at := date.Time().Add(time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "time of day"))*time.Minute + 30*time.Second)
		b.clock.Store(int64(time.Until(at).Seconds()))
		want := views.WeekPath(planner.WeekOf(planner.DateOf(at.In(location)), start))
		if got := in.get("/week").location(); got != want {
			t.Errorf("at %v the week is %s, want %s", at.In(location), got, want)
		}
		b.clock.Store(0)
	})
}
