package planner

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// NoRoomError says that a cell cannot take what is to be added to it.
type NoRoomError struct {
	Edit // what the cell would have become: more than a day, or too long a note
}

func (e *NoRoomError) Error() string { return "no room in " + e.Cell.Date.String() }

// Move puts what is planned on a cell into another one, in addition to what is
// there. plan holds the cells as they are; those that are not in it are empty.
// There are no edits if there is nothing to move, or nowhere. [*NoRoomError]:
// it does not fit.
func Move(plan map[CellID]Cell, from, to CellID) ([]Edit, error) {
	edits, err := Copy(plan, from, to)
	if len(edits) > 0 {
		edits = append(edits, Edit{Cell: from})
	}
	return edits, err
}

// Copy is [Move] that leaves the cell itself as it is.
func Copy(plan map[CellID]Cell, from, to CellID) ([]Edit, error) {
	if from == to || plan[from] == (Cell{}) {
		return nil, nil
	}
	edit, err := add(plan, to, plan[from])
	if err != nil {
		return nil, err
	}
	return []Edit{edit}, nil
}

// Split shares what is planned on a cell with others, in addition to what is
// there: everyone gets the same in steps of 5 minutes, and what is left over
// goes to the first ones by date. The note goes wherever a share goes. Nothing
// else about plan, edits and errors differs from [Move].
func Split(plan map[CellID]Cell, from CellID, with ...CellID) ([]Edit, error) {
	cells := append(slices.Clone(with), from)
	slices.SortFunc(cells, func(a, b CellID) int { return cmp.Or(cmp.Compare(a.Date, b.Date), a.Compare(b)) })
	cells = slices.Compact(cells)
	var edits []Edit
	whole := plan[from]
	for i, share := range shares(whole.Planned, len(cells)) {
		part := Cell{Planned: share, Note: whole.Note}
		if share == 0 {
			part = Cell{}
		}
		edit := Edit{Cell: from, To: part}
		if cells[i] != from {
			var err error
			if edit, err = add(plan, cells[i], part); err != nil {
				return nil, err
			}
		}
		if edit.To != plan[edit.Cell] {
			edits = append(edits, edit)
		}
	}
	return edits, nil
}

// shareStep is what shares are whole numbers of, but for one of them.
const shareStep Minutes = 5

// shares divides m among n; none if there is nothing to divide.
func shares(m Minutes, n int) []Minutes {
	if m == 0 {
		return nil
	}
	each := m / Minutes(n) / shareStep * shareStep
	rest := m - each*Minutes(n)
	all := make([]Minutes, n)
	for i := range all {
		more := min(rest, shareStep)
		all[i], rest = each+more, rest-more
	}
	return all
}

// add adds to what is planned on a cell.
func add(plan map[CellID]Cell, to CellID, more Cell) (Edit, error) {
	there := plan[to]
	edit := Edit{Cell: to, To: Cell{Planned: there.Planned + more.Planned, Note: joinNotes(there.Note, more.Note)}}
	if edit.To.Planned > MaxCell || utf8.RuneCountInString(edit.To.Note) > MaxNote {
		return Edit{}, &NoRoomError{edit}
	}
	return edit, nil
}

// joinNotes is both notes, each on lines of its own, or one if they are the same.
func joinNotes(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	default:
		return a + "\n" + b
	}
}
