package planner

import "time"

// Profile is how weeks, instants and durations are told to a user: what they
// chose, else what Harvest says, else the default.
type Profile struct {
	WeekStart      time.Weekday
	TimeZone       string // IANA name
	Clock          string // "12h" or "24h"
	DurationFormat DurationFormat
	WeeklyCapacity Minutes
}

// Location returns the zone of the profile; UTC if this machine does not know it.
func (p Profile) Location() *time.Location {
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Today returns the date that now falls on in the zone of the profile.
func (p Profile) Today(now time.Time) Date { return DateOf(now.In(p.Location())) }

// Capacity returns what fits into a day: an even share of the week's capacity
// from Monday to Friday, nothing on the weekend.
func (p Profile) Capacity(day Date) Minutes {
	if wd := day.Weekday(); wd == time.Saturday || wd == time.Sunday {
		return 0
	}
	return p.WeeklyCapacity / 5
}
