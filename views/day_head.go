package views

import "furrow/planner"

// class marks a day in the head of its column.
func (d *Day) class() string {
	switch {
	case d.Planned > d.Capacity:
		return "day over"
	case d.Capacity == 0:
		return "day off"
	default:
		return "day"
	}
}

func (g *WeekGrid) weekClass() string {
	if g.Planned > g.Capacity {
		return "sum over"
	}
	return "sum"
}

// load is planned time beside capacity: "5:30 of 7:00".
func (g *WeekGrid) load(planned, capacity planner.Minutes) string {
	switch {
	case capacity == 0 && planned == 0:
		return "–"
	case capacity == 0:
		return g.Format.Format(planned)
	default:
		return g.Format.Format(planned) + " of " + g.Format.Format(capacity)
	}
}

// free is what is left of a day, in words.
func (g *WeekGrid) free(d *Day) string {
	switch {
	case d.Capacity == 0 && d.Planned > 0:
		return g.Format.Format(d.Planned) + " on a day off" + named(d.OffFor)
	case d.Capacity == 0:
		return "day off" + named(d.OffFor)
	default:
		return g.left(d.Planned, d.Capacity)
	}
}

func named(what string) string {
	if what == "" {
		return ""
	}
	return ": " + what
}

// freeWeek is what is left of the week, in words.
func (g *WeekGrid) freeWeek() string {
	if g.Capacity == 0 {
		return ""
	}
	return g.left(g.Planned, g.Capacity) + " this week"
}

func (g *WeekGrid) left(planned, capacity planner.Minutes) string {
	switch {
	case planned > capacity:
		return g.Format.Format(planned-capacity) + " over"
	case planned == capacity:
		return "full"
	default:
		return g.Format.Format(capacity-planned) + " free"
	}
}
