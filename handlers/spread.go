package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// spread is what is left of past days of a week, and how it could go to the rest.
type spread struct {
	plan      ledger.WeekPlan
	sheet     planner.Sheet
	today     planner.Date
	transfers []planner.Transfer
}

// spreadOf is of the row of a key, or of all rows if it is empty.
func (h *weekHandler) spreadOf(ctx context.Context, from weekSource, userID int64, week planner.Week, key string) (*spread, error) {
	var only *planner.RowID
	if key != "" {
		id, err := parseRowKey(key, "-")
		if err != nil {
			return nil, err
		}
		only = &id
	}
	plan, err := from.WeekPlan(ctx, userID, week)
	if err != nil {
		return nil, err
	}
	s := &spread{plan: plan, sheet: plan.Sheet(), today: plan.Profile.Today(h.now())}
	s.transfers = s.sheet.Spread(s.today, only)
	return s, nil
}

func (s *spread) shown() string { return shownTransfers(s.transfers, &s.sheet) }

// showSpread proposes how the rest goes to the days that are left.
func (h *weekHandler) showSpread(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	key := r.URL.Query().Get("row")
	s, err := h.spreadOf(r.Context(), h.store, currentUser(r).ID, week, key)
	if err != nil {
		return err
	}
	return h.spreadPage(w, r, s, key, nil, nil, http.StatusOK, "")
}

// spreadPage shows a proposal. With typed, it shows that instead, and what is
// wrong with it by row.
func (h *weekHandler) spreadPage(w http.ResponseWriter, r *http.Request, s *spread, key string, typed url.Values, errs map[planner.RowID]string, status int, problem string) error {
	format := s.plan.Profile.DurationFormat
	page := views.SpreadPage{
		Chrome: h.chrome(r, "Spread the rest", views.NavWeek), Week: s.plan.Week, Row: key, Format: format,
		MutationID: rand.Text(), Shown: s.shown(), Error: problem,
	}
	free := s.sheet.Free()
	for day, date := range s.plan.Week.Days() {
		if date >= s.today {
			page.Days = append(page.Days, views.SpreadDay{Day: day, Date: date, Free: free[day]})
		}
	}
	for i := range s.transfers {
		t := &s.transfers[i]
		row := s.plan.Row(t.ID)
		shown := views.SpreadRow{
			Key: rowKey(t.ID), Client: row.Client, Project: row.Project, Task: row.Task, Hue: hue(row.ClientID), Left: t.Unfinished, Error: errs[t.ID],
		}
		for _, d := range page.Days {
			shown.Locked[d.Day] = !s.sheet.Takes(t.ID, d.Day, 0)
			if t.Add[d.Day] > 0 {
				shown.Adds[d.Day] = format.Format(t.Add[d.Day])
			}
			if typed != nil {
				shown.Adds[d.Day] = typed.Get(views.CellField(shown.Key, d.Day))
			}
		}
		if left := t.Left(); left > 0 && typed == nil {
			shown.Unplaced = format.Format(left) + " does not fit: the rest of the week is full."
		}
		page.Rows = append(page.Rows, shown)
	}
	return h.render(w, r, status, page.View())
}

// spreadRest stores what was proposed, or typed over it.
func (h *weekHandler) spreadRest(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	key := r.URL.Query().Get("row")
	s, err := h.spreadOf(r.Context(), h.store, user.ID, week, key)
	if err != nil {
		return err
	}
	chosen, errs := s.read(f)
	if len(errs) > 0 {
		return h.spreadPage(w, r, s, key, f.Values, errs, http.StatusUnprocessableEntity, "")
	}
	if len(chosen) == 0 && len(s.transfers) > 0 {
		return h.spreadPage(w, r, s, key, f.Values, nil, http.StatusUnprocessableEntity, "Type how much goes to which day.")
	}
	return h.accept(w, r, week, f, func(from weekSource) (proposal, error) {
		now, err := h.spreadOf(r.Context(), from, user.ID, week, key)
		if err != nil {
			return proposal{}, err
		}
		var sum planner.Minutes
		for i := range chosen {
			sum += chosen[i].Unfinished - chosen[i].Left()
		}
		return proposal{
			kind: planner.ChangeSpread, shown: now.shown(), cells: planner.TransferEdits(now.sheet, now.sheet, now.today, chosen),
			said: s.plan.Profile.DurationFormat.Format(sum) + " spread over the rest of the week.",
		}, nil
	}, func(status int, problem string) error {
		if s, err = h.spreadOf(r.Context(), h.store, user.ID, week, key); err != nil {
			return err
		}
		return h.spreadPage(w, r, s, key, nil, nil, status, problem)
	})
}

// read reads how much goes where, and what of that cannot be, by row.
func (s *spread) read(f form) (chosen []planner.Transfer, errs map[planner.RowID]string) {
	errs = map[planner.RowID]string{}
	for i := range s.transfers {
		t := s.transfers[i]
		t.Add = [planner.DaysInWeek]planner.Minutes{}
		for day, date := range s.plan.Week.Days() {
			minutes, err := planner.ParseDuration(f.Get(views.CellField(rowKey(t.ID), day)))
			switch {
			case err != nil:
				errs[t.ID] = durationSentence(err)
			case minutes > 0 && (date < s.today || !s.sheet.Takes(t.ID, day, minutes)):
				errs[t.ID] = "No more than 24 hours go into " + date.Format("Monday") + "."
			default:
				t.Add[day] = minutes
			}
		}
		if errs[t.ID] == "" && t.Left() < 0 {
			errs[t.ID] = "That is " + s.plan.Profile.DurationFormat.Format(-t.Left()) + " more than is left."
		}
		if t.Left() < t.Unfinished {
			chosen = append(chosen, t)
		}
	}
	return chosen, errs
}

// durationSentence says why a typed duration is refused, where there are no
// buttons to answer a question with.
func durationSentence(err error) string {
	var ambiguous *planner.AmbiguousError
	if errors.As(err, &ambiguous) {
		n := strconv.Itoa(ambiguous.Number)
		return n + " what? Type " + n + "m or " + n + "h."
	}
	return refuse("", err).sentence
}
