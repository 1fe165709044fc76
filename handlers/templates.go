package handlers

import (
	"context"
	"errors"
	"net/http"
	"unicode/utf8"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// listTemplates shows the templates, beside the week that they may be applied to.
func (h *weekHandler) listTemplates(w http.ResponseWriter, r *http.Request) error {
	week, err := h.namedWeek(r, r.URL.Query().Get("week"))
	if err != nil {
		return err
	}
	return h.templatesPage(w, r, week, http.StatusOK, views.Fields{}, 0)
}

// namedWeek is the week that a date names; this week if there is none.
func (h *weekHandler) namedWeek(r *http.Request, text string) (planner.Week, error) {
	user := currentUser(r)
	if text == "" {
		return h.currentWeek(user), nil
	}
	date, err := planner.ParseDate(text)
	if err != nil {
		return planner.Week{}, planner.ErrNotFound
	}
	return planner.WeekOf(date, user.Profile.WeekStart), nil
}

func (h *weekHandler) templatesPage(w http.ResponseWriter, r *http.Request, week planner.Week, status int, fields views.Fields, renaming int64) error {
	user := currentUser(r)
	list, err := h.store.Templates(r.Context(), user.ID)
	if err != nil {
		return err
	}
	plan, err := h.store.WeekPlan(r.Context(), user.ID, week)
	if err != nil {
		return err
	}
	page := views.TemplatesPage{
		Chrome: h.chrome(r, "Templates", views.NavWeek), Week: week, Format: plan.Profile.DurationFormat, Rows: len(plan.Rows),
		Fields: fields, Renaming: renaming,
	}
	for _, t := range list {
		page.Templates = append(page.Templates, views.Template(t))
	}
	return h.render(w, r, status, page.View())
}

// templateName reads the name of a template, or says what is wrong with it.
func templateName(f form) (name, problem string) {
	name = f.text("name")
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return "", "Give it a name."
	case n > maxName:
		return "", "That name is too long; 100 characters are the most."
	default:
		return name, ""
	}
}

const nameTaken = "Another template has that name."

// keepTemplate keeps a week as a template.
func (h *weekHandler) keepTemplate(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	week, err := h.namedWeek(r, f.Get("week"))
	if err != nil {
		return err
	}
	user := currentUser(r)
	name, problem := templateName(f)
	if problem == "" {
		err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
			plan, err := tx.WeekPlan(r.Context(), user.ID, week)
			if err != nil {
				return err
			}
			sheet := plan.Sheet()
			return tx.MakeTemplate(r.Context(), user.ID, name, sheet.Pattern(planner.CopyPlan))
		})
		if errors.Is(err, planner.ErrConflict) {
			problem, err = nameTaken, nil
		}
	}
	if err != nil {
		return err
	}
	if problem != "" {
		return h.templatesPage(w, r, week, http.StatusUnprocessableEntity, f.fields(planner.FieldErrors{"name": problem}, "name"), 0)
	}
	h.sessions.flash(r.Context(), views.FlashGood, "The week is kept as “"+name+"”.")
	return h.redirect(w, r, views.TemplatesURL(week))
}

// templateForm reads what the forms about one template come with.
func (h *weekHandler) templateForm(r *http.Request) (id int64, week planner.Week, f form, err error) {
	if id, f, err = idForm(r); err == nil {
		week, err = h.namedWeek(r, f.Get("week"))
	}
	return id, week, f, err
}

func (h *weekHandler) renameTemplate(w http.ResponseWriter, r *http.Request) error {
	id, week, f, err := h.templateForm(r)
	if err != nil {
		return err
	}
	name, problem := templateName(f)
	if problem == "" {
		err = h.store.RenameTemplate(r.Context(), currentUser(r).ID, id, name)
		if errors.Is(err, planner.ErrConflict) {
			problem, err = nameTaken, nil
		}
	}
	if err != nil {
		return err
	}
	if problem != "" {
		return h.templatesPage(w, r, week, http.StatusUnprocessableEntity, f.fields(planner.FieldErrors{"name": problem}, "name"), id)
	}
	return h.redirect(w, r, views.TemplatesURL(week))
}

func (h *weekHandler) deleteTemplate(w http.ResponseWriter, r *http.Request) error {
	id, week, _, err := h.templateForm(r)
	if err != nil {
		return err
	}
	if err := h.store.DeleteTemplate(r.Context(), currentUser(r).ID, id); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "The template is deleted.")
	return h.redirect(w, r, views.TemplatesURL(week))
}

// templateFilling is what a week gets from a template.
func templateFilling(ctx context.Context, from weekSource, userID int64, week planner.Week, id int64) (*weekFilling, string, error) {
	template, err := from.TemplateWeek(ctx, userID, id)
	if err != nil {
		return nil, "", err
	}
	f := &weekFilling{names: make(map[planner.RowID]db.RowName, len(template.Rows))}
	if f.plan, err = from.WeekPlan(ctx, userID, week); err != nil {
		return nil, "", err
	}
	for i, row := range template.Pattern {
		f.names[row.ID] = template.Rows[i]
	}
	sheet := f.plan.Sheet()
	f.Filling = sheet.Fill(template.Pattern)
	return f, template.Name, nil
}

// showTemplate shows what a week would get from a template.
func (h *weekHandler) showTemplate(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	return h.templatePage(w, r, week, id, http.StatusOK, "")
}

func (h *weekHandler) templatePage(w http.ResponseWriter, r *http.Request, week planner.Week, id int64, status int, problem string) error {
	filling, name, err := templateFilling(r.Context(), h.store, currentUser(r).ID, week, id)
	if err != nil {
		return err
	}
	page := filling.page(planner.ChangeTemplate)
	page.Title, page.Action, page.Error = "Apply “"+name+"”", views.ApplyTemplatePath(week, id), problem
	page.Chrome = h.chrome(r, page.Title, views.NavWeek)
	return h.render(w, r, status, page.View())
}

// applyTemplate stores it.
func (h *weekHandler) applyTemplate(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	return h.accept(w, r, week, f, func(from weekSource) (proposal, error) {
		filling, _, err := templateFilling(r.Context(), from, user.ID, week, id)
		if err != nil {
			return proposal{}, err
		}
		return filling.proposal(planner.ChangeTemplate), nil
	}, func(status int, problem string) error { return h.templatePage(w, r, week, id, status, problem) })
}
