package ledger

import "furrow/planner"

// Sheet returns the week as far as filling it, or another one from it, needs to
// know.
func (p *WeekPlan) Sheet() planner.Sheet {
	s := planner.Sheet{Week: p.Week, Rows: make([]planner.SheetRow, len(p.Rows))}
	for day, date := range p.Week.Days() {
		s.Capacity[day] = p.Capacity(date)
		s.Locked[day] = p.DayLocks[day] != ""
	}
	for i := range p.Rows {
		r := &p.Rows[i]
		s.Rows[i].ID, s.Rows[i].Archived = r.ID, r.Archived
		for day := range r.Cells {
			c := &r.Cells[day]
			s.Rows[i].Cells[day] = planner.SheetCell{
				Cell: c.Plan(), Tracked: c.booked().Minutes(), Locked: c.Locked != "",
			}
		}
	}
	return s
}

// booked is what Harvest has on the cell, or will have when what is on its way
// has arrived.
func (c *Cell) booked() planner.Hours {
	if c.Ours != nil && c.Ours.Write != nil {
		switch c.Ours.Write.State {
		case Pending, Sending, Uncertain, Retry:
			return c.Others + c.Ours.Meant
		}
	}
	return c.Tracked()
}
