package planner

// Transfer is time that was planned on the days of a week before some date, was not
// tracked there, and goes to other days of the same row.
type Transfer struct {
	ID         RowID
	Unfinished Minutes             // what there is to move
	Add        [DaysInWeek]Minutes // by day of the week that it goes to
}

// Left returns what is not moved.
func (t *Transfer) Left() Minutes { return t.Unfinished - sumDays(t.Add) }

// CarryOver proposes for each row that a week left unfinished on which day of
// this week it could be done: the first one from today on with time free. With
// none free it is the first one on which it fits into 24 hours; what fits into
// none is left.
func (s *Sheet) CarryOver(last Sheet, today Date) []Transfer {
	free := s.Free()
	var moves []Transfer
	for i := range last.Rows {
		row := &last.Rows[i]
		move := Transfer{ID: row.ID, Unfinished: sumDays(row.rests(DaysInWeek))}
		if row.Archived || move.Unfinished == 0 {
			continue
		}
		first := -1
		for day := s.day(today); day < DaysInWeek; day++ {
			if !s.Takes(row.ID, day, move.Unfinished) {
				continue
			}
			if first < 0 || free[day] > 0 {
				first = day
			}
			if free[day] > 0 {
				break
			}
		}
		if first >= 0 {
			move.Add[first] = move.Unfinished
			free[first] = max(0, free[first]-move.Unfinished)
		}
		moves = append(moves, move)
	}
	return moves
}

// Takes reports whether a cell may be changed and has room in its 24 hours.
func (s *Sheet) Takes(id RowID, day int, more Minutes) bool {
	row, _ := s.row(id)
	c := row.Cells[day]
	return !s.Locked[day] && !c.Locked && c.Planned+more <= MaxCell
}

// quarter is what spread time is rounded to.
const quarter Minutes = 15

// Spread proposes how what is left of the days before today goes to the others
// of the week, by the time that is free on them. Days are not filled beyond
// their capacity: what does not fit is left. With only, it is of that row.
func (s *Sheet) Spread(today Date, only *RowID) []Transfer {
	from := s.day(today)
	free := s.Free()
	var moves []Transfer
	for i := range s.Rows {
		row := &s.Rows[i]
		move := Transfer{ID: row.ID, Unfinished: sumDays(row.rests(from))}
		if row.Archived || move.Unfinished == 0 || only != nil && *only != row.ID {
			continue
		}
		var room [DaysInWeek]Minutes
		for day := from; day < DaysInWeek; day++ {
			if s.Takes(row.ID, day, 0) {
				room[day] = min(free[day], MaxCell-row.Cells[day].Planned)
			}
		}
		move.Add = share(move.Unfinished, room)
		for day, m := range move.Add {
			free[day] -= m
		}
		moves = append(moves, move)
	}
	return moves
}

// share gives each day a part of a time by the room that it has, in steps of a
// quarter of an hour; what is less than that goes to the first day that has it.
func share(all Minutes, room [DaysInWeek]Minutes) [DaysInWeek]Minutes {
	var parts, steps [DaysInWeek]Minutes
	for day := range room {
		steps[day] = room[day] / quarter
	}
	whole, most := all/quarter, sumDays(steps)
	whole = min(whole, most)
	// Each day up to its share of what the days up to it have together: no step
	// is lost to rounding, and no day gets more than it has.
	var seen, given Minutes
	for day := range steps {
		seen += steps[day]
		if most > 0 {
			part := whole*seen/most - given
			parts[day] = part * quarter
			given += part
		}
	}
	rest := all - sumDays(parts)
	for day := range room {
		if rest < quarter && room[day]-parts[day] >= rest {
			parts[day] += rest
			break
		}
	}
	return parts
}

// TransferEdits returns what the cells of the week from become that has lost what is
// moved, up to a date, and those of the week to that has got it. Both may be the
// same week. What had a note takes it along, where there is none yet.
func TransferEdits(from, to Sheet, until Date, moves []Transfer) []Edit {
	var edits []Edit
	for _, move := range moves {
		source, _ := from.row(move.ID)
		target, _ := to.row(move.ID)
		left := sumDays(move.Add)
		note := ""
		rests := source.rests(from.day(until))
		for day := range rests {
			if note == "" && rests[day] > 0 {
				note = source.Cells[day].Note
			}
		}
		taken := false
		for day, more := range move.Add {
			if more == 0 {
				continue
			}
			cell := target.Cells[day].Cell
			cell.Planned += more
			if cell.Note == "" {
				cell.Note, taken = note, true
			}
			edits = append(edits, Edit{Cell: CellID{RowID: move.ID, Date: to.Week.Day(day)}, To: cell})
		}
		for day := range rests {
			less := min(left, rests[day])
			if less == 0 {
				continue
			}
			left -= less
			cell := source.Cells[day].Cell
			cell.Planned -= less
			if cell.Planned == 0 && cell.Note == note && taken {
				cell.Note = ""
			}
			edits = append(edits, Edit{Cell: CellID{RowID: move.ID, Date: from.Week.Day(day)}, To: cell})
		}
	}
	return edits
}
