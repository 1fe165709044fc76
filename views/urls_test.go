package views_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/planner"
	"furrow/views"
)

func TestCellFields(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		wantKey string
		wantDay int
		wantOK  bool
	}{
		{views.CellField("4021-8801", 0), "4021-8801", 0, true},
		{views.CellField("local-7", 6), "local-7", 6, true},
		{"p.4021-8801.7", "", 0, false},
		{"p.4021-8801.12", "", 0, false},
		{"p.4021-8801.x", "", 0, false},
		{"p.4021-8801.", "", 0, false},
		{"p..3", "", 0, false},
		{"p.3", "", 0, false},
		{"version", "", 0, false},
		{"", "", 0, false},
	}
	for _, test := range tests {
		key, day, ok := views.ParseCellField(test.name)
		if key != test.wantKey || day != test.wantDay || ok != test.wantOK {
			t.Errorf("%q: %q %d %t, want %q %d %t", test.name, key, day, ok, test.wantKey, test.wantDay, test.wantOK)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	week := sampleWeek()
	day := week.Day(1)
	tests := []struct{ got, want string }{
		{views.WeekPath(week), "/weeks/2026-11-23"},
		{views.DayPath(week, day), "/weeks/2026-11-23#d1"},
		{views.CellPath(week, "4021-8801", 1), "/weeks/2026-11-23/cells/4021-8801/1"},
		{views.PushPath(week, nil), "/weeks/2026-11-23/push"},
		{views.PushPath(week, &day), "/weeks/2026-11-23/push?day=2026-11-24"},
		{views.SyncStatusURL(week, ""), "/sync/status?week=2026-11-23"},
		{views.SyncStatusURL(week, "a b"), "/sync/status?week=2026-11-23&since=a+b"},
		{views.LedgerURL(views.LedgerQuery{}), "/ledger"},
		{views.LedgerURL(views.LedgerQuery{State: "waiting", Before: "7"}), "/ledger?before=7&state=waiting"},
		{views.LedgerLiveURL(views.LedgerQuery{Week: "2026-11-23", Client: "4"}), "/ledger/live?client=4&week=2026-11-23"},
		{views.LedgerCSVURL(views.LedgerQuery{Search: "50% & more", Before: "7"}), "/ledger.csv?q=50%25+%26+more"},
		{views.WriteLivePath(12), "/ledger/12/live"},
		{views.LoginURL("/weeks/2026-11-23?x=1&y"), "/login?next=%2Fweeks%2F2026-11-23%3Fx%3D1%26y"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

func TestMomentAt(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("Berlin", 3600)
	now := time.Date(2026, time.November, 25, 13, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		at    time.Time
		clock string
		want  string
	}{
		{"today", time.Date(2026, time.November, 25, 13, 32, 0, 0, time.UTC), "24h", "14:32"},
		{"today, 12 hours", time.Date(2026, time.November, 25, 13, 32, 0, 0, time.UTC), "12h", "2:32 pm"},
		{"tomorrow only there", time.Date(2026, time.November, 25, 23, 30, 0, 0, time.UTC), "", "Thu 26 Nov, 00:30"},
		{"another year", time.Date(2025, time.November, 25, 13, 32, 0, 0, time.UTC), "24h", "25 Nov 2025, 14:32"},
		{"never", time.Time{}, "24h", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := views.MomentAt(test.at, now, berlin, test.clock)
			if got.Text != test.want || got.IsZero() != (test.want == "") {
				t.Errorf("%q, want %q", got.Text, test.want)
			}
		})
	}
}

func TestAskHoursOrMinutes(t *testing.T) {
	t.Parallel()
	question, choices := views.AskHoursOrMinutes(24)
	if question != "24 min?" {
		t.Errorf("question %q", question)
	}
	if diff := cmp.Diff([]views.Choice{{Value: "24m", Label: "24 min"}, {Value: "24h", Label: "24 h"}}, choices); diff != "" {
		t.Error(diff)
	}
	for _, number := range []int{25, 30, 99999} {
		if _, choices := views.AskHoursOrMinutes(number); len(choices) != 1 {
			t.Errorf("%d: %v", number, choices)
		}
	}
	for _, number := range []int{13, 24, 30} {
		_, choices := views.AskHoursOrMinutes(number)
		for _, c := range choices {
			if _, err := planner.ParseDuration(c.Value); err != nil {
				t.Errorf("the answer %q is not read: %v", c.Value, err)
			}
		}
	}
}
