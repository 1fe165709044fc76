package planner

// CopyWay is what of a week is copied into another one.
type CopyWay string

// The four ways.
const (
	CopyRows       CopyWay = "rows"       // only which rows there are
	CopyPlan       CopyWay = "plan"       // rows, and what is planned on them
	CopyTracked    CopyWay = "tracked"    // what was tracked becomes the plan
	CopyUnfinished CopyWay = "unfinished" // what was planned and not tracked
)

// CopyWays returns all of them, in the order in which they are offered.
func CopyWays() []CopyWay { return []CopyWay{CopyRows, CopyPlan, CopyTracked, CopyUnfinished} }

// Pattern is a week without dates: rows, and what is planned on weekdays.
type Pattern []PatternRow

// PatternRow is a row of a [Pattern].
type PatternRow struct {
	ID       RowID
	Archived bool             // nothing may be logged on it any more
	Cells    [DaysInWeek]Cell // by time.Weekday
}

// Blank reports whether nothing is planned on the row.
func (r *PatternRow) Blank() bool { return r.Cells == [DaysInWeek]Cell{} }

// Pattern returns what of the week is copied in one of the ways. Notes are part
// of the plan, and of what is unfinished.
func (s *Sheet) Pattern(way CopyWay) Pattern {
	var pattern Pattern
	for i := range s.Rows {
		r := &s.Rows[i]
		p := PatternRow{ID: r.ID, Archived: r.Archived}
		rests := r.rests(DaysInWeek)
		for day, c := range r.Cells {
			to := &p.Cells[s.Week.Day(day).Weekday()]
			switch way {
			case CopyPlan:
				*to = c.Cell
			case CopyTracked:
				to.Planned = min(c.Tracked, MaxCell)
			case CopyUnfinished:
				if rests[day] > 0 {
					*to = Cell{Planned: rests[day], Note: c.Note}
				}
			case CopyRows:
			}
		}
		if way == CopyRows || way == CopyPlan || !p.Blank() {
			pattern = append(pattern, p)
		}
	}
	return pattern
}

// Skip is why a row is not filled.
type Skip string

// The reasons. The empty one means that it is.
const (
	SkipPlanned  Skip = "planned"  // something is planned on it already
	SkipShown    Skip = "shown"    // it is there, and nothing would be planned on it
	SkipArchived Skip = "archived" // nothing may be logged on it any more
	SkipLocked   Skip = "locked"   // Harvest takes nothing on its days
)

// Filling is what a week gets from a pattern.
type Filling struct {
	Week Week
	Rows []FilledRow
}

// FilledRow is a row of a pattern, by the days of the week that is filled.
type FilledRow struct {
	ID      RowID
	Skipped Skip             // nothing of it is added
	Cells   [DaysInWeek]Cell // what is added
	Locked  [DaysInWeek]bool // days that are left out because they are locked
}

// Fill returns what the week gets from a pattern. Rows on which anything is
// planned are left alone, and so is what is locked.
func (s *Sheet) Fill(pattern Pattern) Filling {
	f := Filling{Week: s.Week, Rows: make([]FilledRow, len(pattern))}
	for i := range pattern {
		f.Rows[i] = s.fillRow(&pattern[i])
	}
	return f
}

func (s *Sheet) fillRow(p *PatternRow) FilledRow {
	f := FilledRow{ID: p.ID}
	row, shown := s.row(p.ID)
	switch {
	case p.Archived:
		f.Skipped = SkipArchived
	case row.hasPlan():
		f.Skipped = SkipPlanned
	case shown && p.Blank():
		f.Skipped = SkipShown
	}
	if f.Skipped != "" {
		return f
	}
	for day := range f.Cells {
		cell := p.Cells[s.Week.Day(day).Weekday()]
		if s.Locked[day] || row.Cells[day].Locked {
			f.Locked[day] = cell != Cell{}
			continue
		}
		f.Cells[day] = cell
	}
	if f.Cells == [DaysInWeek]Cell{} && !p.Blank() {
		f.Skipped = SkipLocked
	}
	return f
}

// Added returns the rows that are filled.
func (f *Filling) Added() []RowID {
	var rows []RowID
	for i := range f.Rows {
		if f.Rows[i].Skipped == "" {
			rows = append(rows, f.Rows[i].ID)
		}
	}
	return rows
}

// Edits returns what cells become.
func (f *Filling) Edits() []Edit {
	var edits []Edit
	for i := range f.Rows {
		for day, cell := range f.Rows[i].Cells {
			if cell != (Cell{}) {
				edits = append(edits, Edit{Cell: CellID{RowID: f.Rows[i].ID, Date: f.Week.Day(day)}, To: cell})
			}
		}
	}
	return edits
}

// Planned returns what is added to each day.
func (f *Filling) Planned() [DaysInWeek]Minutes {
	var sums [DaysInWeek]Minutes
	for i := range f.Rows {
		for day, cell := range f.Rows[i].Cells {
			sums[day] += cell.Planned
		}
	}
	return sums
}

// Planned returns what the row gets in all.
func (r *FilledRow) Planned() Minutes {
	var sum Minutes
	for _, cell := range r.Cells {
		sum += cell.Planned
	}
	return sum
}
