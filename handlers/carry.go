package handlers

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"

	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// carryOver is what the week before has left, and where it could go.
type carryOver struct {
	last, week ledger.WeekPlan
	from, to   planner.Sheet
	today      planner.Date
	transfers  []planner.Transfer
}

func (h *weekHandler) carryOver(ctx context.Context, from weekSource, userID int64, week planner.Week) (*carryOver, error) {
	c := &carryOver{}
	var err error
	if c.week, err = from.WeekPlan(ctx, userID, week); err != nil {
		return nil, err
	}
	if c.last, err = from.WeekPlan(ctx, userID, week.Previous()); err != nil {
		return nil, err
	}
	c.from, c.to = c.last.Sheet(), c.week.Sheet()
	if c.today = c.week.Profile.Today(h.now()); week.Contains(c.today) { // only then is the one before over, and this one is not
		c.transfers = c.to.CarryOver(c.from, c.today)
	}
	return c, nil
}

// shown names what the page shows: what is left, and the cells it comes from.
func (c *carryOver) shown() string { return shownTransfers(c.transfers, &c.from, &c.to) }

func shownTransfers(transfers []planner.Transfer, sheets ...*planner.Sheet) string {
	values := []any{transfers}
	for _, s := range sheets {
		for _, row := range s.Rows {
			if slices.ContainsFunc(transfers, func(t planner.Transfer) bool { return t.ID == row.ID }) {
				values = append(values, row)
			}
		}
	}
	return fingerprint(values...)
}

// showCarry proposes where what the week before has left goes.
func (h *weekHandler) showCarry(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	return h.carryPage(w, r, week, http.StatusOK, "")
}

func (h *weekHandler) carryPage(w http.ResponseWriter, r *http.Request, week planner.Week, status int, problem string) error {
	c, err := h.carryOver(r.Context(), h.store, currentUser(r).ID, week)
	if err != nil {
		return err
	}
	format := c.week.Profile.DurationFormat
	page := views.CarryPage{
		Chrome: h.chrome(r, "Carry over", views.NavWeek), Week: week, Format: format, Current: week.Contains(c.today),
		MutationID: rand.Text(), Shown: c.shown(), Error: problem,
	}
	free := c.to.Free()
	for i := range c.transfers {
		t := &c.transfers[i]
		row := c.last.Row(t.ID)
		shown := views.CarryRow{
			Key: rowKey(t.ID), Client: row.Client, Project: row.Project, Task: row.Task, Hue: hue(row.ClientID), Amount: t.Unfinished, Ticked: t.Left() == 0,
		}
		for day, date := range week.Days() {
			if c.to.Takes(t.ID, day, t.Unfinished) && date >= c.today {
				shown.Days = append(shown.Days, views.Option{
					Value: strconv.Itoa(day), Label: shortDay(date) + ", " + format.Format(free[day]) + " free", Selected: t.Add[day] > 0,
				})
			}
		}
		page.Rows = append(page.Rows, shown)
	}
	return h.render(w, r, status, page.View())
}

// carry stores what was ticked.
func (h *weekHandler) carry(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	if len(f.Values["row"]) == 0 {
		return h.carryPage(w, r, week, http.StatusUnprocessableEntity, "Tick what is to be carried over.")
	}
	return h.accept(w, r, week, f, func(from weekSource) (proposal, error) {
		c, err := h.carryOver(r.Context(), from, user.ID, week)
		if err != nil {
			return proposal{}, err
		}
		p := proposal{kind: planner.ChangeCarryOver, shown: c.shown()}
		chosen, sum, err := c.chosen(f)
		p.cells = planner.TransferEdits(c.from, c.to, c.today, chosen)
		p.said = c.week.Profile.DurationFormat.Format(sum) + " carried over."
		return p, err
	}, func(status int, problem string) error { return h.carryPage(w, r, week, status, problem) })
}

// chosen are the transfers that were ticked, to the days that were chosen. What is
// not among those that were shown is no answer to them.
func (c *carryOver) chosen(f form) (chosen []planner.Transfer, sum planner.Minutes, err error) {
	for i := range c.transfers {
		t := c.transfers[i]
		key := rowKey(t.ID)
		if !slices.Contains(f.Values["row"], key) {
			continue
		}
		day, err := strconv.Atoi(f.Get(views.CarryField(key)))
		if err != nil || day < 0 || day >= planner.DaysInWeek || c.to.Week.Day(day) < c.today || !c.to.Takes(t.ID, day, t.Unfinished) {
			return nil, 0, planner.ErrConflict
		}
		t.Add = [planner.DaysInWeek]planner.Minutes{}
		t.Add[day] = t.Unfinished
		sum += t.Unfinished
		chosen = append(chosen, t)
	}
	if len(chosen) != len(f.Values["row"]) {
		return nil, 0, planner.ErrConflict
	}
	return chosen, sum, nil
}

// dismissCarry hears that nobody wants to be asked in this week.
func (h *weekHandler) dismissCarry(w http.ResponseWriter, r *http.Request) error {
	user, week, _, err := weekForm(r)
	if err != nil {
		return err
	}
	if err := h.store.DismissCarryOver(r.Context(), user.ID, week); err != nil {
		return err
	}
	return h.redirect(w, r, views.WeekPath(week))
}
