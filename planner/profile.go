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
	// OwnCapacity is what the user wants to fit into each weekday, Sunday first.
	OwnCapacity [DaysInWeek]OwnCapacity
}

// OwnCapacity is a choice of what fits into a weekday. The zero value is none.
type OwnCapacity struct {
	Chosen  bool
	Minutes Minutes
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

// Capacity returns what fits into a day: what the user chose for its weekday, or
// the even share.
func (p Profile) Capacity(day Date) Minutes {
	if own := p.OwnCapacity[day.Weekday()]; own.Chosen {
		return own.Minutes
	}
	return p.EvenShare(day.Weekday())
}

// EvenShare returns what fits into a weekday by Harvest's word: an even share of
// the week's capacity from Monday to Friday, nothing on the weekend.
func (p Profile) EvenShare(day time.Weekday) Minutes {
	if day == time.Saturday || day == time.Sunday {
		return 0
	}
	return p.WeeklyCapacity / 5
}
