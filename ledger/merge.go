package ledger

import (
	"cmp"

	"furrow/planner"
)

// Changes are the fields an update sends; nil fields are left alone. Project and
// task come together. So do hours and start in accounts that track start and end
// times, where the hours are what lies between the start and the end.
type Changes struct {
	ProjectID *int64
	TaskID    *int64
	SpentDate *planner.Date
	Hours     *planner.Hours
	Start     *planner.TimeOfDay
	Notes     *string
}

// Any reports whether there is a change at all.
func (c Changes) Any() bool { return c != Changes{} }

// in reports whether e has all of the changes.
func (c Changes) in(e Entry) bool {
	return isOr(c.ProjectID, e.ProjectID) && isOr(c.TaskID, e.TaskID) && isOr(c.SpentDate, e.SpentDate) && isOr(c.Hours, e.Hours) &&
		isOr(c.Start, e.Start) && isOr(c.Notes, e.Notes)
}

func isOr[T comparable](want *T, have T) bool { return want == nil || *want == have }

// merge brings together two changes of one entry, field by field: ours is what
// it is to say, theirs is what Harvest has, and base is what both began with.
// left is what must be sent so that Harvest has our changes beside its own. ok
// is false if both sides changed a field to different values; then nothing is
// to be sent before a person has chosen.
//
// When an entry starts is not a field that people differ about: with new hours
// goes the start that ours has, or else the one that the entry has by now.
func merge(base, ours, theirs Entry) (left Changes, ok bool) {
	work, workOK := mergeField(base.work(), ours.work(), theirs.work())
	if work != nil {
		left.ProjectID, left.TaskID = &work.projectID, &work.taskID
	}
	var hoursOK, dateOK, notesOK bool
	left.Hours, hoursOK = mergeField(base.Hours, ours.Hours, theirs.Hours)
	if start := cmp.Or(ours.Start, theirs.Start); left.Hours != nil && !start.IsZero() {
		left.Start = &start
	}
	left.SpentDate, dateOK = mergeField(base.SpentDate, ours.SpentDate, theirs.SpentDate)
	left.Notes, notesOK = mergeField(base.Notes, ours.Notes, theirs.Notes)
	return left, workOK && hoursOK && dateOK && notesOK
}

func mergeField[T comparable](base, ours, theirs T) (left *T, ok bool) {
	switch {
	case ours == theirs, ours == base:
		return nil, true
	case theirs == base:
		return &ours, true
	default:
		return nil, false
	}
}

// work is what an entry is about: a task is one of its project's.
type work struct{ projectID, taskID int64 }

func (e Entry) work() work { return work{e.ProjectID, e.TaskID} }
