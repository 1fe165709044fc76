package ledger

import (
	"regexp"
	"strconv"
	"strings"

	"furrow/planner"
)

// Unlinked is an entry in Harvest that carries a reference of ours, while no
// entry of ours is known to be it: the store was put back to an earlier state,
// and has forgotten that it was sent.
type Unlinked struct {
	RemoteID  int64
	Reference string
	Hours     planner.Hours
	Notes     string
	// Cell is what is planned where the entry is, and what else is tracked there.
	Cell Cell
}

// Relinked is what an [Unlinked] becomes.
type Relinked struct {
	Pushed

	Generation int
	// Agreed: the plan says what Harvest has. Otherwise nothing was ever agreed on
	// as far as we know, so that the entry counts as changed in Harvest, and a
	// person looks before a push goes over it.
	Agreed bool
}

// Relink makes an entry known again. ok is false if the reference is none of
// those that we make.
func (u Unlinked) Relink() (r Relinked, ok bool) {
	id, generation, ok := parseReference(u.Reference)
	if !ok {
		return Relinked{}, false
	}
	r = Relinked{Generation: generation, Pushed: Pushed{
		ID: id, PlannedMinutes: u.Hours.Minutes(), PlannedNote: u.Notes, Meant: u.Hours, MeantNotes: u.Notes, RemoteID: u.RemoteID,
	}}
	if c := u.Cell; c.Planned > 0 && c.missing() == u.Hours && c.Note == u.Notes {
		r.Agreed = true
		r.PlannedMinutes, r.AgreedHours, r.AgreedNotes = c.Planned, u.Hours, u.Notes
	}
	return r, true
}

// parseReference reads "furrow:", a UUID, and the generation.
func parseReference(reference string) (id string, generation int, ok bool) {
	group, rest, _ := strings.Cut(reference, ":")
	id, number, _ := strings.Cut(rest, ":")
	n, err := strconv.ParseInt(number, 10, 32)
	if group != ReferenceGroup || err != nil || n < 1 || !isUUID(id) {
		return "", 0, false
	}
	return id, int(n), true
}

func isUUID(text string) bool {
	matched, err := regexp.MatchString(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, text)
	return err == nil && matched
}
