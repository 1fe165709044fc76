package handlers

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// recurringHandler answers for recurring work.
type recurringHandler struct {
	*site
	store *db.Store
}

func (h *recurringHandler) today(user db.User) planner.Date { return user.Profile.Today(h.now()) }

// horizon says up to which day recurring work is planned.
func (h *recurringHandler) horizon(user db.User) string {
	return longDate(planner.Horizon(h.today(user), user.Profile.WeekStart))
}

func longDate(d planner.Date) string { return d.Format("2 January 2006") }

func (h *recurringHandler) list(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	rules, err := h.store.Recurrences(r.Context(), user.ID)
	if err != nil {
		return err
	}
	page := views.RecurringPage{Chrome: h.chrome(r, "Recurring work", views.NavWeek), Horizon: h.horizon(user)}
	for i := range rules {
		rule := &rules[i]
		shown := views.RecurringRule{
			ID: rule.ID, Client: rule.Client, Project: rule.Project, Task: rule.Task, Hue: hue(rule.ClientID), Note: rule.Each.Note,
			Words: everyWords(rule.Days, user.Profile.WeekStart) + ", " + user.Profile.DurationFormat.Format(rule.Each.Planned),
			Span:  "from " + longDate(rule.StartsOn),
		}
		if rule.EndsOn != nil {
			shown.Span += " to " + longDate(*rule.EndsOn)
			shown.Over = *rule.EndsOn < h.today(user)
		}
		shown.State = ruleState(rule, shown.Over)
		page.Rules = append(page.Rules, shown)
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// ruleState says how far recurring work is planned.
func ruleState(rule *db.Recurrence, over bool) string {
	switch {
	case over:
		return "It has ended."
	case rule.Archived:
		return "Not planned beyond " + longDate(rule.FilledTo) + ": it is archived in Harvest."
	case rule.EndsOn != nil && *rule.EndsOn <= rule.FilledTo:
		return "Planned to its end."
	default:
		return "Planned up to " + longDate(rule.FilledTo) + "."
	}
}

// everyWords says on which days something recurs: "Every Tuesday and Thursday".
func everyWords(days planner.Weekdays, weekStart time.Weekday) string {
	switch days {
	case planner.WeekdaysOf(time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday):
		return "Monday to Friday"
	case planner.WeekdaysOf(weekdays(0)...):
		return "Every day"
	}
	var names []string
	for _, day := range weekdays(weekStart) {
		if days.Has(day) {
			names = append(names, day.String())
		}
	}
	last := len(names) - 1
	if last < 1 {
		return "Every " + strings.Join(names, "")
	}
	return "Every " + strings.Join(names[:last], ", ") + " and " + names[last]
}

// weekdays are the days of a week that begins on start.
func weekdays(start time.Weekday) []time.Weekday {
	days := make([]time.Weekday, planner.DaysInWeek)
	for i := range days {
		days[i] = (start + time.Weekday(i)) % planner.DaysInWeek
	}
	return days
}

// showNew is the form for recurring work, of a row and like its cell of a date if
// the address says so.
func (h *recurringHandler) showNew(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	today, day := h.today(user), planner.Weekdays(0)
	values := map[string]string{"from": today.String()}
	form := views.RecurringForm{Row: r.URL.Query().Get("row"), Fields: views.Fields{Values: values}}
	if text := r.URL.Query().Get("from"); text != "" {
		date, err := planner.ParseDate(text)
		if err != nil {
			return planner.ErrNotFound
		}
		values["from"], day = max(today, date).String(), planner.WeekdaysOf(date.Weekday())
		if row, err := parseRowKey(form.Row, "-"); err == nil {
			plan, err := h.store.WeekPlan(r.Context(), user.ID, planner.WeekOf(date, user.Profile.WeekStart))
			if err != nil {
				return err
			}
			if cell := plan.Cell(planner.CellID{RowID: row, Date: date}); cell.Planned > 0 {
				values["duration"], values["note"] = user.Profile.DurationFormat.Format(cell.Planned), cell.Note
			}
		}
	}
	return h.formPage(w, r, http.StatusOK, form, day)
}

// formPage shows the form with what only the store knows of it.
func (h *recurringHandler) formPage(w http.ResponseWriter, r *http.Request, status int, form views.RecurringForm, days planner.Weekdays) error {
	user := currentUser(r)
	form.Back, form.MutationID, form.Horizon = views.RecurringPath, rand.Text(), h.horizon(user)
	for _, day := range weekdays(user.Profile.WeekStart) {
		form.Days = append(form.Days, views.Option{Value: strconv.Itoa(int(day)), Label: day.String(), Selected: days.Has(day)})
	}
	switch {
	case form.Name != "":
	case form.Row != "":
		id, err := parseRowKey(form.Row, "-")
		if err != nil {
			return err
		}
		name, err := h.store.RowName(r.Context(), user.ID, id)
		if err != nil {
			return err
		}
		form.Name = rowTitle(name)
	default:
		choices, err := h.choices(r, user)
		if err != nil {
			return err
		}
		form.Choices = choices
	}
	title := "Repeat every week"
	if form.ID != 0 {
		title = "Change recurring work"
	}
	form.Chrome = h.chrome(r, title, views.NavWeek)
	return h.render(w, r, status, form.View())
}

func rowTitle(name db.RowName) string { return name.Client + " " + name.Project + " · " + name.Task }

// choices are the rows that may recur: what may be logged in Harvest, and the
// rows of this week.
func (h *recurringHandler) choices(r *http.Request, user db.User) ([]views.ClientAssignments, error) {
	plan, assignments, err := h.store.WeekPage(r.Context(), user.ID, planner.WeekOf(h.today(user), user.Profile.WeekStart))
	if err != nil {
		return nil, err
	}
	known := map[planner.RowID]bool{}
	for _, a := range assignments {
		known[a.ID] = true
	}
	for i := range plan.Rows {
		if row := &plan.Rows[i]; !row.Archived && !known[row.ID] {
			assignments = append(assignments, db.Assignment{ID: row.ID, Client: row.Client, Project: row.Project, Task: row.Task})
		}
	}
	return byClient(assignments, rowKey), nil
}

// readRule reads the form of recurring work. It does not begin before today.
func readRule(f form, today planner.Date) (rule planner.Recurrence, errs planner.FieldErrors) {
	errs = planner.FieldErrors{}
	row, err := parseRowKey(f.Get("row"), "-")
	if err != nil {
		errs["row"] = "Choose a project and task from the list."
	}
	rule.Row = row
	for _, text := range f.Values["day"] {
		if day, err := strconv.Atoi(text); err == nil && day >= 0 && day < planner.DaysInWeek {
			rule.Days |= planner.WeekdaysOf(time.Weekday(day))
		}
	}
	if rule.Days == 0 {
		errs["day"] = "Tick at least one day."
	}
	minutes, err := planner.ParseDuration(f.Get("duration"))
	switch {
	case err != nil:
		errs["duration"] = durationSentence(err)
	case minutes == 0:
		errs["duration"] = "Say how long it takes."
	}
	rule.Each = planner.Cell{Planned: minutes, Note: strings.ReplaceAll(f.text("note"), "\r\n", "\n")}
	checkNote(errs, rule.Each.Note)
	from, err := planner.ParseDate(f.text("from"))
	switch {
	case err != nil:
		errs["from"] = "Type a date, like " + today.String() + "."
	case from < today:
		errs["from"] = "It can begin today at the earliest."
	case from > planner.Horizon(today, time.Sunday):
		errs["from"] = "It can begin within half a year."
	}
	rule.StartsOn = from
	if f.text("until") != "" {
		until, err := planner.ParseDate(f.text("until"))
		switch {
		case err != nil:
			errs["until"] = "Type a date, or nothing."
		case until < from:
			errs["until"] = "That is before it begins."
		}
		rule.EndsOn = &until
	}
	return rule, errs
}

// ruleFields are the fields of the forms that hold a text.
func ruleFields() []string { return []string{"row", "duration", "note", "from", "until", "before"} }

func (h *recurringHandler) create(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	mutation, err := mutationID(f)
	if err != nil {
		return err
	}
	user := currentUser(r)
	today := h.today(user)
	rule, errs := readRule(f, today)
	if len(errs) > 0 {
		form := views.RecurringForm{Fields: f.fields(errs, ruleFields()...)}
		if errs["row"] == "" {
			form.Row = f.Get("row")
		}
		return h.formPage(w, r, http.StatusUnprocessableEntity, form, rule.Days)
	}
	var filled int
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
		filled, err = tx.MakeRecurrence(r.Context(), user, rule, today, mutation)
		return err
	})
	if err != nil {
		return err
	}
	said := everyWords(rule.Days, user.Profile.WeekStart) + ": " + counted(filled, "cell is", "cells are") + " planned up to " + h.horizon(user) + "."
	if left := comes(rule, planner.Horizon(today, user.Profile.WeekStart)) - filled; left > 0 && filled > 0 {
		said = sentences(said, counted(left, "cell was touched before and stays as it is.", "cells were touched before and stay as they are."))
	}
	h.sessions.flash(r.Context(), views.FlashGood, said)
	return h.redirect(w, r, views.RecurringPath)
}

// comes counts how often the work comes up to a date.
func comes(rule planner.Recurrence, to planner.Date) (n int) {
	for d := rule.StartsOn; d <= to; d++ {
		if rule.Falls(d) {
			n++
		}
	}
	return n
}

func (h *recurringHandler) showRule(w http.ResponseWriter, r *http.Request) error {
	return h.rulePage(w, r, http.StatusOK, nil, nil)
}

// rulePage shows recurring work to be changed, or what was typed of it.
func (h *recurringHandler) rulePage(w http.ResponseWriter, r *http.Request, status int, typed *form, errs planner.FieldErrors) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	user := currentUser(r)
	rule, err := h.store.Recurrence(r.Context(), user.ID, id)
	if err != nil {
		return err
	}
	today := h.today(user)
	values := map[string]string{
		"duration": user.Profile.DurationFormat.Format(rule.Each.Planned), "note": rule.Each.Note,
		"from": max(today, rule.StartsOn).String(), "before": max(today, rule.StartsOn).String(),
	}
	if rule.EndsOn != nil {
		values["until"] = rule.EndsOn.String()
	}
	page := views.RecurringForm{ID: id, Row: rowKey(rule.Row), Name: rowTitle(rule.RowName), Fields: views.Fields{Values: values, Errors: errs}}
	days := rule.Days
	if typed != nil {
		for _, name := range ruleFields() {
			if typed.Has(name) {
				values[name] = typed.Get(name)
			}
		}
		if typed.Has("duration") { // else it was the form that ends it
			now, _ := readRule(*typed, today)
			days = now.Days
		}
	}
	return h.formPage(w, r, status, page, days)
}

func (h *recurringHandler) change(w http.ResponseWriter, r *http.Request) error {
	id, f, err := idForm(r)
	if err != nil {
		return err
	}
	mutation, err := mutationID(f)
	if err != nil {
		return err
	}
	user := currentUser(r)
	rule, errs := readRule(f, h.today(user))
	if len(errs) > 0 {
		return h.rulePage(w, r, http.StatusUnprocessableEntity, &f, errs)
	}
	var changed int
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
		changed, err = tx.ChangeRecurrence(r.Context(), user, id, rule, h.today(user), mutation)
		return err
	})
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "Changed from "+longDate(rule.StartsOn)+" on: "+counted(changed, "cell is", "cells are")+" different.")
	return h.redirect(w, r, views.RecurringPath)
}

func (h *recurringHandler) end(w http.ResponseWriter, r *http.Request) error {
	id, f, err := idForm(r)
	if err != nil {
		return err
	}
	before, err := planner.ParseDate(f.text("before"))
	if err != nil {
		return h.rulePage(w, r, http.StatusUnprocessableEntity, &f, planner.FieldErrors{"before": "Type a date."})
	}
	user := currentUser(r)
	var cleared int
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
		cleared, err = tx.EndRecurrence(r.Context(), user, id, before, h.today(user))
		return err
	})
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "Ended before "+longDate(before)+": "+counted(cleared, "cell was", "cells were")+" cleared.")
	return h.redirect(w, r, views.RecurringPath)
}
