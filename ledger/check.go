package ledger

import "furrow/planner"

// SentEntry is an entry of ours on its cell, as the store knows it.
type SentEntry struct {
	Cell  planner.CellID
	Timer bool // made by a timer, so its time is not ours to say
	Pushed
}

// FoundEntry is an entry in Harvest that carries a reference of ours.
type FoundEntry struct {
	RemoteID int64
	Cell     planner.CellID
	Hours    planner.Hours
	Notes    string
	PushedID string // the entry of ours that has this reference; empty if none has
	LetGo    bool   // it was ours, and a person let go of it
	// Removal is the write that removes it as a double; nil if there is none.
	Removal *LastWrite
}

// CheckKind is what the self-check found.
type CheckKind string

// The kinds.
const (
	CheckGone    CheckKind = "gone"    // sent, and not found: it was deleted there
	CheckChanged CheckKind = "changed" // found with another time or note
	CheckMoved   CheckKind = "moved"   // found on another day, project or task
	CheckDouble  CheckKind = "double"  // found beside the one that was sent, with its reference
	CheckUnknown CheckKind = "unknown" // found with a reference of ours that nothing here has
)

// Finding is something that the self-check found to differ.
type Finding struct {
	Kind  CheckKind
	Sent  *SentEntry  // nil: CheckUnknown
	Found *FoundEntry // of CheckDouble and CheckUnknown
}

// Check compares what was sent with what Harvest has.
type Check struct {
	Sent     int // entries of ours that Harvest has confirmed
	Found    int // of these, how many it still has
	Doubles  int // entries that it has beside them with the same reference
	Findings []Finding
	// Unsent are the entries of ours with a write that is not through: waiting, in
	// doubt, refused, or met by a change in Harvest. They may be among those sent.
	Unsent []*SentEntry
}

// CheckEntries compares the entries of ours with the entries in Harvest that
// carry a reference of ours.
func CheckEntries(sent []SentEntry, found []FoundEntry) Check {
	var check Check
	find := func(kind CheckKind, s *SentEntry, f *FoundEntry) {
		check.Findings = append(check.Findings, Finding{Kind: kind, Sent: s, Found: f})
	}
	ours := make(map[string]*SentEntry, len(sent))
	kept := make(map[string]int64, len(sent)) // the entry in Harvest that is meant
	for i := range sent {
		s := &sent[i]
		ours[s.ID], kept[s.ID] = s, s.RemoteID
		if w := s.Write; w != nil && (!w.State.Finished() || w.State == Rejected || w.State == Conflict) {
			check.Unsent = append(check.Unsent, s)
		}
		if s.RemoteID == 0 {
			continue
		}
		check.Sent++
		if s.Gone {
			find(CheckGone, s, nil)
			continue
		}
		check.Found++
		switch {
		case s.MovedTo != nil:
			find(CheckMoved, s, nil)
		case !s.Timer && s.ChangedInHarvest():
			find(CheckChanged, s, nil)
		}
	}
	for i := range found {
		f := &found[i]
		s := ours[f.PushedID]
		switch {
		case s == nil && !f.LetGo:
			find(CheckUnknown, nil, f)
		case s == nil || kept[s.ID] == f.RemoteID:
		case kept[s.ID] == 0:
			kept[s.ID] = f.RemoteID // it is in doubt whether this one was sent
		default:
			check.Doubles++
			find(CheckDouble, s, f)
		}
	}
	return check
}
