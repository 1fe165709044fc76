package planner_test

import (
	"testing"

	"furrow/planner"
)

func TestMoney(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ amount, currency, want string }{
		{"21000", "GBP", "21,000.00\u00a0GBP"},
		{"999.999", "EUR", "1,000.00\u00a0EUR"},
		{"-1234567.5", "EUR", "−1,234,567.50\u00a0EUR"},
		{"-100", "", "−100.00"},
		{"-0.001", "EUR", "0.00\u00a0EUR"},
		{"0", "", "0.00"},
		{"", "EUR", ""},
		{"much", "EUR", ""},
	} {
		if got := planner.Money(tt.amount, tt.currency); got != tt.want {
			t.Errorf("Money(%q, %q) = %q, want %q", tt.amount, tt.currency, got, tt.want)
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
