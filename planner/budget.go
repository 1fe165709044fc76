package planner

import (
	"cmp"
	"slices"
)

// Budget is what may be spent on a project, and what was, in minutes or, if
// InMoney, in hundredths of the currency's unit.
type Budget struct {
	ProjectID int64
	InMoney   bool
	Currency  string // of money
	Limit     int64
	Spent     int64
}

// Ahead is time that is planned on a cell and not tracked yet.
type Ahead struct {
	Cell     CellID
	Rest     Minutes
	Rate     Rate
	Billable bool
}

// Forecast is how a budget will stand when all that is ahead is done.
type Forecast struct {
	Budget
	Planned int64 // what is ahead, in the unit of the budget
	// Unrated is time ahead that counts for nothing in money, because its rate is
	// not known.
	Unrated Minutes
	// CrossedOn is the day on which what is ahead goes over the limit. Crossed is
	// false if none does, or all was spent before.
	CrossedOn Date
	Crossed   bool
}

// parts is how finely a forecast is counted, so that it is rounded once: a
// minute of a rate is a sixtieth of it.
const parts = 60

// Forecast adds what is ahead on the budget's project, in any order, to what was
// spent. Money is only spent on what is billable.
func (b Budget) Forecast(ahead []Ahead) Forecast {
	f := Forecast{Budget: b}
	mine := make([]Ahead, 0, len(ahead))
	for _, a := range ahead {
		if a.Cell.ProjectID != b.ProjectID || a.Rest <= 0 || b.InMoney && !a.Billable {
			continue
		}
		if b.InMoney && !a.Rate.Known {
			f.Unrated += a.Rest
			continue
		}
		mine = append(mine, a)
	}
	slices.SortFunc(mine, func(x, y Ahead) int { return cmp.Compare(x.Cell.Date, y.Cell.Date) })
	var planned int64
	room := (b.Limit - b.Spent) * parts
	for _, a := range mine {
		each := int64(parts)
		if b.InMoney {
			each = a.Rate.PerHour.Minor
		}
		planned += int64(a.Rest) * each
		if !f.Crossed && room >= 0 && planned > room {
			f.Crossed, f.CrossedOn = true, a.Cell.Date
		}
	}
	f.Planned = divide(planned, parts)
	return f
}

// Total is what is spent and ahead.
func (f Forecast) Total() int64 { return f.Spent + f.Planned }

// Over reports whether more is spent and ahead than there is.
func (f Forecast) Over() bool { return f.Crossed || f.Spent > f.Limit }

// nearPercent is how much of a budget is nearly all of it.
const nearPercent = 80

// Near reports whether the budget is nearly spent, or over.
func (f Forecast) Near() bool { return f.Over() || f.Total()*100 >= f.Limit*nearPercent }
