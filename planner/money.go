package planner

import "github.com/shopspring/decimal"

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
