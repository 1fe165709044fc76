package views

import "furrow/planner"

// UndoBar is what can be taken back in a week.
type UndoBar struct {
	Week             planner.Week
	CanUndo, CanRedo bool
	Latest           string // what an undo takes back, in words; may be empty
	MutationID       string
}

// UndoLabel says what an undo takes back.
func (u UndoBar) UndoLabel() string {
	if u.Latest == "" {
		return "Undo the latest change"
	}
	return "Undo: " + u.Latest
}

// Toast is a sentence about a change that was just made, with the way back.
type Toast struct {
	Week       planner.Week
	Text       string
	Undo       int64 // the change; 0: it is no change that can be undone
	Redo       bool  // it was an undo, so there is a redo
	MutationID string
}

func (t Toast) path() string {
	if t.Redo {
		return RedoPath(t.Week)
	}
	return UndoPath(t.Week)
}
