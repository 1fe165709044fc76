package planner_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"furrow/planner"
)

func TestMoney(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ amount, currency, want, wantSigned, wantDecimal string }{
		{"21000", "GBP", "21,000.00\u00a0GBP", "+21,000.00\u00a0GBP", "21000.00"},
		{"999.999", "EUR", "1,000.00\u00a0EUR", "+1,000.00\u00a0EUR", "1000.00"},
		{"-1234567.5", "EUR", "−1,234,567.50\u00a0EUR", "−1,234,567.50\u00a0EUR", "-1234567.50"},
		{"-100", "", "−100.00", "−100.00", "-100.00"},
		{"-0.001", "EUR", "0.00\u00a0EUR", "+0.00\u00a0EUR", "0.00"},
		{"0", "", "0.00", "+0.00", "0.00"},
	} {
		got, ok := planner.ParseMoney(tt.amount, tt.currency)
		if !ok || got.String() != tt.want || got.Signed() != tt.wantSigned || got.Decimal() != tt.wantDecimal {
			t.Errorf("ParseMoney(%q, %q) = %q, %q, %q, %t; want %q, %q, %q", tt.amount, tt.currency, got, got.Signed(), got.Decimal(), ok, tt.want, tt.wantSigned, tt.wantDecimal)
		}
	}
	for _, text := range []string{"", "much", "1,50", "1e13", "-1e40"} {
		if got, ok := planner.ParseMoney(text, "EUR"); ok {
			t.Errorf("ParseMoney(%q) = %v", text, got)
		}
	}
}

func TestReadMoney(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"95": 9500, "82.5": 8250, "82,50": 8250, "0": 0, "999999999,99": 99_999_999_999} {
		if got, err := planner.ReadMoney(text, "EUR"); err != nil || got != (planner.Money{Minor: want, Currency: "EUR"}) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "+1", "1,000", "1.234", ".5", "5.", "1e3", "95 EUR", "1000000000", "much"} {
		if got, err := planner.ReadMoney(text, "EUR"); !errors.Is(err, planner.ErrNotMoney) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		minor, want int64
		hours       planner.Hours
	}{
		{9550, 9550, 100}, {9550, -14325, -150}, {9999, 3300, 33}, {1, 1, 50}, {1, 0, 49}, {1, -1, -50}, {0, 0, 800},
	} {
		rate := planner.Rate{PerHour: planner.Money{Minor: tt.minor, Currency: "EUR"}, Known: true}
		if got := rate.Of(tt.hours); got != (planner.Money{Minor: tt.want, Currency: "EUR"}) {
			t.Errorf("%v an hour for %s h is %v, want %d", rate.PerHour, tt.hours.Decimal(), got, tt.want)
		}
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	rate := func(minor int64, currency string) planner.Rate {
		return planner.Rate{PerHour: planner.Money{Minor: minor, Currency: currency}, Known: true}
	}
	got := planner.Sum([]planner.Work{
		{Rate: rate(9000, "GBP"), Billable: true, Planned: 90, Tracked: 200, Billed: 150},
		{Rate: rate(10000, "EUR"), Billable: true, Planned: 20}, // 33.333…
		{Rate: rate(10000, "EUR"), Billable: true, Planned: 20},
		{Rate: rate(10000, "EUR"), Planned: 60, Tracked: 100},                        // is not billed
		{Rate: rate(10000, "EUR"), Planned: 30, Tracked: 50, Billed: 50},             // is not any more
		{Billable: true, Planned: 45, Tracked: 25, Billed: 25},                       // for how much?
		{Rate: rate(0, "USD"), Billable: true, Planned: 15, Tracked: 25, Billed: 25}, // for nothing
	})
	want := planner.Figures{
		Planned:     []planner.Money{{Minor: 6667, Currency: "EUR"}, {Minor: 13500, Currency: "GBP"}},
		Earned:      []planner.Money{{Minor: 5000, Currency: "EUR"}, {Minor: 13500, Currency: "GBP"}},
		PlannedTime: 280, PlannedBillable: 190, PlannedUnrated: 45,
		TrackedTime: 400, TrackedBillable: 250, TrackedUnrated: 25,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if gbp, usd := planner.In("GBP", got.Planned), planner.In("USD", got.Planned); gbp.Minor != 13500 || usd != (planner.Money{Currency: "USD"}) {
		t.Errorf("of which %v and %v", gbp, usd)
	}
}

func drawWork(rt *rapid.T) planner.Work {
	w := planner.Work{
		Billable: rapid.Bool().Draw(rt, "billable"), Planned: planner.Minutes(rapid.IntRange(0, 1440).Draw(rt, "planned")),
		Tracked: planner.Hours(rapid.IntRange(0, 2400).Draw(rt, "tracked")),
		Rate: planner.Rate{Known: rapid.Bool().Draw(rt, "known"), PerHour: planner.Money{
			Minor: rapid.Int64Range(0, 100_000_000).Draw(rt, "rate"), Currency: rapid.SampledFrom([]string{"", "EUR", "GBP"}).Draw(rt, "currency"),
		}},
	}
	w.Billed = planner.Hours(rapid.IntRange(0, int(w.Tracked)).Draw(rt, "billed"))
	return w
}

// However work is ordered and divided, it comes to the same; and no currency
// hears of another one.
func TestSumIsOneSum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawWork), 1, 12).Draw(rt, "work")
		want := planner.Sum(all)
		var divided []planner.Work
		for _, w := range all {
			a, b := w, w
			a.Planned = planner.Minutes(rapid.IntRange(0, int(w.Planned)).Draw(rt, "part"))
			b.Planned -= a.Planned
			a.Tracked, b.Tracked, a.Billed, b.Billed = w.Tracked, 0, w.Billed, 0
			divided = append(divided, b, a)
		}
		rand.Shuffle(len(divided), func(i, j int) { divided[i], divided[j] = divided[j], divided[i] })
		if diff := cmp.Diff(want, planner.Sum(divided)); diff != "" {
			rt.Error(diff)
		}
		for _, currency := range []string{"", "EUR", "GBP"} {
			alone := planner.Sum(slices.DeleteFunc(slices.Clone(all), func(w planner.Work) bool { return w.Rate.PerHour.Currency != currency }))
			if planner.In(currency, alone.Planned) != planner.In(currency, want.Planned) || planner.In(currency, alone.Earned) != planner.In(currency, want.Earned) {
				rt.Errorf("%s alone is %v and %v, among others %v and %v", currency, alone.Planned, alone.Earned, want.Planned, want.Earned)
			}
		}
	})
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		part, whole, want int
		wantOK            bool
	}{
		{0, 0, 0, false}, {0, 5, 0, true}, {1, 2000, 1, true}, {1, 3, 33, true}, {2, 3, 67, true}, {1999, 2000, 99, true}, {5, 5, 100, true},
	} {
		if got, ok := planner.Percent(tt.part, tt.whole); got != tt.want || ok != tt.wantOK {
			t.Errorf("%d of %d is %d %%, %t; want %d %%, %t", tt.part, tt.whole, got, ok, tt.want, tt.wantOK)
		}
	}
}

func TestHoursOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		want   planner.Hours
		wantOK bool
	}{
		{"460", 46000, true},
		{"46.75", 4675, true},
		{"-2.5", -250, true},
		{"0.005", 1, true},
		{"0", 0, true},
		{"1e9", 100_000_000_000, true},
		{"1e10", 0, false},
		{"-1e40", 0, false},
		{"", 0, false},
		{"1:30", 0, false},
	} {
		if got, ok := planner.HoursOf(tt.text); got != tt.want || ok != tt.wantOK {
			t.Errorf("HoursOf(%q) = %d, %t, want %d, %t", tt.text, got, ok, tt.want, tt.wantOK)
		}
	}
}
