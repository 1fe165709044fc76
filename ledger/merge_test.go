package ledger

import (
	"cmp"
	"testing"

	"pgregory.net/rapid"

	"furrow/planner"
)

// apply is what Harvest makes of an update.
func apply(e Entry, c Changes) Entry {
	if c.ProjectID != nil {
		e.ProjectID, e.TaskID = *c.ProjectID, *c.TaskID
	}
	if c.SpentDate != nil {
		e.SpentDate = *c.SpentDate
	}
	if c.Hours != nil {
		e.Hours = *c.Hours
	}
	if c.Start != nil {
		e.Start = *c.Start
	}
	if c.Notes != nil {
		e.Notes = *c.Notes
	}
	return e
}

func drawEntry(t *rapid.T, label string) Entry {
	few := rapid.IntRange(1, 3)
	return Entry{
		ProjectID: int64(few.Draw(t, label+" project")), TaskID: int64(few.Draw(t, label+" task")),
		SpentDate: planner.Date(few.Draw(t, label+" date")), Hours: planner.Hours(few.Draw(t, label+" hours")),
		Start: planner.TimeOfDay(rapid.IntRange(0, 3).Draw(t, label+" start")), Notes: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, label+" notes"),
	}
}

// TestMerge holds for any three entries: after what is left is sent, each field
// has the value of the side that changed it, and nobody's change is lost unless
// both changed the same field, which is told. Starts go with the hours.
func TestMerge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base, ours, theirs := drawEntry(t, "base"), drawEntry(t, "ours"), drawEntry(t, "theirs")
		left, ok := merge(base, ours, theirs)
		merged := apply(theirs, left)
		clash := false
		check := func(field string, base, ours, theirs, merged any) {
			want := ours
			switch {
			case ours == base:
				want = theirs
			case theirs != base && theirs != ours:
				clash, want = true, theirs
			}
			if merged != want {
				t.Errorf("%s: %v and %v from %v became %v, want %v", field, ours, theirs, base, merged, want)
			}
		}
		check("work", base.work(), ours.work(), theirs.work(), merged.work())
		check("date", base.SpentDate, ours.SpentDate, theirs.SpentDate, merged.SpentDate)
		check("hours", base.Hours, ours.Hours, theirs.Hours, merged.Hours)
		if start := cmp.Or(ours.Start, theirs.Start); left.Hours == nil && merged.Start != theirs.Start || left.Hours != nil && merged.Start != start {
			t.Errorf("start: %v and %v became %v with the hours %v", ours.Start, theirs.Start, merged.Start, left.Hours)
		}
		check("notes", base.Notes, ours.Notes, theirs.Notes, merged.Notes)
		if ok == clash {
			t.Errorf("ok is %v, a field was changed on both sides: %v", ok, clash)
		}
		if again, _ := merge(base, ours, merged); ok && again.Any() {
			t.Errorf("%+v is left after the merge", again)
		}
	})
}
