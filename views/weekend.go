package views

import "time"

// folds reports whether a day is of a weekend with nothing in it, which may be
// shown as a narrow strip.
func (g *WeekGrid) folds(day int) bool {
	weekend := false
	for i := range g.Days {
		d := &g.Days[i]
		if wd := d.Date.Weekday(); wd != time.Saturday && wd != time.Sunday {
			continue
		}
		if d.Today || d.Planned > 0 || d.Tracked > 0 || d.Capacity > 0 {
			return false
		}
		weekend = weekend || i == day
	}
	return weekend
}

// unfolds reports whether the day has the button for the whole weekend.
func (g *WeekGrid) unfolds(day int) bool {
	for i := range day {
		if g.folds(i) {
			return false
		}
	}
	return g.folds(day)
}

// headClass is the class of a day's head.
func (g *WeekGrid) headClass(day int) string {
	if g.folds(day) {
		return g.Days[day].class() + " fold"
	}
	return g.Days[day].class()
}
