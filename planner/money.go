package planner

import "github.com/shopspring/decimal"

// Money is a sum as people read it: "1,250.00 EUR", rounded to two digits. It is
// empty if amount, a decimal text, is.
func Money(amount, currency string) string {
	sum, err := decimal.NewFromString(amount)
	if err != nil {
		return ""
	}
	sign := ""
	if sum = sum.Round(2); sum.IsNegative() {
		sign, sum = "−", sum.Neg()
	}
	text := sum.StringFixed(2)
	for i := len(text) - len(".00") - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if currency != "" {
		text += "\u00a0" + currency
	}
	return sign + text
}

// mostHours is far beyond every budget, and what hundredths of an hour can hold.
const mostHours = 1_000_000_000

// HoursOf reads hours from decimal text, to the nearest hundredth. ok is false
// if there are none in it.
func HoursOf(text string) (h Hours, ok bool) {
	d, err := decimal.NewFromString(text)
	if err != nil || d.Abs().Cmp(decimal.New(mostHours, 0)) > 0 {
		return 0, false
	}
	return Hours(d.Shift(2).Round(0).IntPart()), true
}

// Worth is what hours are worth at rate, a decimal text in currency per hour:
// "+210.00 EUR", rounded to two digits, with its sign. It is empty if the rate
// is not known or there is nothing to pay.
func Worth(hours Hours, rate, currency string) string {
	perHour, err := decimal.NewFromString(rate)
	if err != nil || hours == 0 {
		return ""
	}
	sum := perHour.Mul(decimal.New(int64(hours), -2))
	sign := "+"
	if sum.IsNegative() {
		sign, sum = "−", sum.Neg()
	}
	text := sign + sum.StringFixed(2)
	if currency != "" {
		text += "\u00a0" + currency
	}
	return text
}
