package handlers

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// capacityHandler is what fits into the days of a user, and which are off.
type capacityHandler struct {
	*site
	store *db.Store
}

func (h *capacityHandler) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, nil, views.Fields{})
}

// page shows capacity and time off. typed, if not nil, is a form of capacities
// that was refused; off is one of time off.
func (h *capacityHandler) page(w http.ResponseWriter, r *http.Request, status int, typed *views.Fields, off views.Fields) error {
	user := currentUser(r)
	profile, today := user.Profile, user.Profile.Today(h.now())
	days, err := h.store.DaysOff(r.Context(), user.ID, planner.NewDate(today.Time().Year(), time.January, 1))
	if err != nil {
		return err
	}
	page := views.CapacityPage{Chrome: h.chrome(r, "Capacity and time off", views.NavSettings), Off: off}
	var week planner.Minutes
	for i := range planner.DaysInWeek {
		weekday := (profile.WeekStart + time.Weekday(i)) % planner.DaysInWeek
		day := views.CapacityDay{
			Field: views.CapacityField(int(weekday)), Name: weekday.String(), Harvest: profile.DurationFormat.Format(profile.EvenShare(weekday)),
		}
		fits := profile.EvenShare(weekday)
		if own := profile.OwnCapacity[weekday]; own.Chosen {
			fits, day.Value = own.Minutes, profile.DurationFormat.Format(own.Minutes)
		}
		if typed != nil {
			day.Value, day.Error = typed.Value(day.Field), typed.Err(day.Field)
		}
		week += fits
		page.Days = append(page.Days, day)
	}
	page.Week = profile.DurationFormat.Format(week)
	for _, t := range planner.TimesOff(days) {
		page.TimeOff = append(page.TimeOff, views.TimeOff{TimeOff: t, Past: t.Last < today})
	}
	return h.render(w, r, status, page.View())
}

func (h *capacityHandler) save(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	var own [planner.DaysInWeek]planner.OwnCapacity
	var names []string
	errs := planner.FieldErrors{}
	for i := range own {
		name := views.CapacityField(i)
		names = append(names, name)
		if f.text(name) == "" {
			continue
		}
		minutes, err := planner.ParseDuration(f.text(name))
		if err != nil {
			errs[name] = durationProblem(f.text(name), err)
		}
		own[i] = planner.OwnCapacity{Chosen: true, Minutes: minutes}
	}
	if len(errs) > 0 {
		typed := f.fields(errs, names...)
		return h.page(w, r, http.StatusUnprocessableEntity, &typed, views.Fields{})
	}
	if err := h.store.SetCapacity(r.Context(), currentUser(r).ID, own); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "Your capacity is saved.")
	return h.redirect(w, r, views.CapacityPath)
}

// durationProblem says why a duration was not read, where no button can ask.
func durationProblem(text string, err error) string {
	var ambiguous *planner.AmbiguousError
	if errors.As(err, &ambiguous) {
		n := strconv.Itoa(ambiguous.Number)
		return "Write " + n + "m for minutes, or " + n + ":00 for hours."
	}
	return refuse(text, err).sentence
}

func (h *capacityHandler) takeOff(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	off, errs := readTimeOff(f)
	if len(errs) > 0 {
		return h.page(w, r, http.StatusUnprocessableEntity, nil, f.fields(errs, "first", "last", "name"))
	}
	change := db.PlanChange{Kind: planner.ChangeTimeOff, MutationID: rand.Text(), Days: off.Take()}
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) error {
		_, err := tx.ChangePlan(r.Context(), currentUser(r).ID, change)
		return err
	})
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, timeOffWords(off)+" off now.")
	return h.redirect(w, r, views.CapacityPath)
}

// readTimeOff reads the form of time off. Without a last day it is one day.
func readTimeOff(f form) (off planner.TimeOff, errs planner.FieldErrors) {
	errs = planner.FieldErrors{}
	var err error
	if off.First, err = planner.ParseDate(f.text("first")); err != nil {
		errs["first"] = "Choose a date."
	}
	off.Last = off.First
	if f.text("last") != "" {
		if off.Last, err = planner.ParseDate(f.text("last")); err != nil {
			errs["last"] = "Choose a date, or none for a single day."
		}
	}
	switch {
	case len(errs) > 0:
	case off.Last < off.First:
		errs["last"] = "It ends before it begins."
	case off.Last-off.First >= planner.MostTimeOff:
		errs["last"] = "That is more than a year. Take it off in parts."
	}
	off.Name = f.text("name")
	if utf8.RuneCountInString(off.Name) > maxName {
		errs["name"] = "That is too long; 100 characters are the most."
	}
	return off, errs
}

func (h *capacityHandler) workAgain(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	off, errs := readTimeOff(f)
	if len(errs) > 0 {
		return errMalformed
	}
	change := db.PlanChange{Kind: planner.ChangeWorkAgain, MutationID: rand.Text(), Days: off.WorkAgain()}
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) error {
		changed, err := tx.ChangePlan(r.Context(), currentUser(r).ID, change)
		if err == nil && changed.ID == 0 {
			err = planner.ErrNotFound
		}
		return err
	})
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, timeOffWords(off)+" for working again.")
	return h.redirect(w, r, views.CapacityPath)
}

// timeOffWords begins a sentence about time off.
func timeOffWords(off planner.TimeOff) string {
	if off.First == off.Last {
		return off.First.Format("Monday 2 January 2006") + " is"
	}
	return off.First.Format("2 January 2006") + " to " + off.Last.Format("2 January 2006") + " are"
}

// setDayOff makes a day of a week a day off, or a working day again.
func (h *weekHandler) setDayOff(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	day, err := planner.ParseDate(r.PathValue("date"))
	if err != nil || !week.Contains(day) {
		return planner.ErrNotFound
	}
	mutation, err := dayMutation(f, day)
	if err != nil {
		return err
	}
	to, kind, said := planner.Workday{Off: true}, planner.ChangeTimeOff, day.Format("Monday 2 January")+" is a day off now."
	switch f.Get("off") {
	case "yes":
	case "no":
		to, kind, said = planner.Workday{}, planner.ChangeWorkAgain, day.Format("Monday 2 January")+" is a working day again."
	default:
		return errMalformed
	}
	var changed db.Changed
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) error {
		var err error
		if changed.ID, err = tx.Stored(r.Context(), user.ID, mutation); err != nil || changed.ID != 0 {
			return err // the same form again
		}
		now, err := tx.DaysNow(r.Context(), user.ID, []planner.Date{day})
		if err != nil || now[0].Off == to.Off { // what it is off for stays
			return err
		}
		changed, err = tx.ChangePlan(r.Context(), user.ID, db.PlanChange{Kind: kind, MutationID: mutation, Days: []planner.DayEdit{{Date: day, To: to}}})
		return err
	})
	if err != nil {
		return err
	}
	if !wantsFragment(r) {
		h.sessions.flash(r.Context(), views.FlashGood, said)
		return h.redirect(w, r, views.DayPath(week, day))
	}
	return h.changed(w, r, week, said, changed)
}

// dayMutation is the id of what a button of a day's head does. The buttons of a
// page have the same form, and more than one may be pressed before it is renewed.
func dayMutation(f form, day planner.Date) (string, error) {
	id, err := mutationID(f)
	if err == nil {
		id += "-" + day.String() + "-" + f.Get("off")
	}
	if len(id) > maxMutationID {
		err = errMalformed
	}
	return id, err
}
