package db

import (
	"context"
	"fmt"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// readBefore reads what is left of the week before.
func (r *weekReader) readBefore() error {
	left, err := one[dbgen.WeekLeftRow](r.results)
	r.plan.Before = ledger.WeekBefore{HasRows: left.Rows, Unfinished: planner.Minutes(left.Unfinished)}
	return err
}

// DismissCarryOver remembers that nobody wants to hear in a week of what the week
// before left unfinished.
func (s *Store) DismissCarryOver(ctx context.Context, userID int64, week planner.Week) error {
	if err := s.q.CarryDismiss(ctx, dbgen.CarryDismissParams{UserID: userID, Week: week.Start}); err != nil {
		return fmt.Errorf("dismiss the carry-over to week %s of user %d: %w", week, userID, err)
	}
	return nil
}

// Template is a week under a name.
type Template struct {
	ID      int64
	Name    string
	Rows    int
	Planned planner.Minutes
}

// Templates returns the user's templates by name.
func (s *Store) Templates(ctx context.Context, userID int64) ([]Template, error) {
	rows, err := s.q.Templates(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("templates of user %d: %w", userID, err)
	}
	list := make([]Template, len(rows))
	for i, r := range rows {
		list[i] = Template{ID: r.ID, Name: r.Name, Rows: int(r.Rows), Planned: planner.Minutes(r.Minutes)}
	}
	return list, nil
}

// TemplateWeek is what a template fills a week with.
type TemplateWeek struct {
	ID      int64
	Name    string
	Pattern planner.Pattern
	Rows    []RowName // of the pattern
}

// TemplateWeek returns a template; [planner.ErrNotFound] if the user has none of
// that id.
func (tx *Tx) TemplateWeek(ctx context.Context, userID, id int64) (TemplateWeek, error) {
	return templateWeek(ctx, tx.q, userID, id)
}

// TemplateWeek is [Tx.TemplateWeek] outside of a transaction.
func (s *Store) TemplateWeek(ctx context.Context, userID, id int64) (TemplateWeek, error) {
	return templateWeek(ctx, s.q, userID, id)
}

func templateWeek(ctx context.Context, q *dbgen.Queries, userID, id int64) (TemplateWeek, error) {
	named, err := q.TemplateByID(ctx, dbgen.TemplateByIDParams{UserID: userID, ID: id})
	if err != nil {
		return TemplateWeek{}, fmt.Errorf("template %d of user %d: %w", id, userID, notFound(err))
	}
	cells, err := q.TemplateCells(ctx, dbgen.TemplateCellsParams{UserID: userID, ID: id})
	if err != nil {
		return TemplateWeek{}, fmt.Errorf("cells of template %d: %w", id, err)
	}
	t := TemplateWeek{ID: named.ID, Name: named.Name}
	for _, c := range cells {
		row := planner.RowID{ProjectID: c.ProjectID, TaskID: c.TaskID}
		if last := len(t.Pattern) - 1; last < 0 || t.Pattern[last].ID != row {
			t.Pattern = append(t.Pattern, planner.PatternRow{ID: row, Archived: c.Archived})
			t.Rows = append(t.Rows, RowName{ClientID: c.ClientID, Client: c.Client, Project: c.Project, Task: c.Task})
		}
		t.Pattern[len(t.Pattern)-1].Cells[c.Weekday] = planner.Cell{Planned: planner.Minutes(c.Minutes), Note: c.Note}
	}
	return t, nil
}

// MakeTemplate keeps a pattern under a name. [planner.ErrConflict]: there is one
// of that name.
func (tx *Tx) MakeTemplate(ctx context.Context, userID int64, name string, pattern planner.Pattern) error {
	id, err := tx.q.TemplateMake(ctx, dbgen.TemplateMakeParams{UserID: userID, Name: name})
	if err != nil {
		return fmt.Errorf("make a template of user %d: %w", userID, nameTaken(err))
	}
	cells := dbgen.TemplateCellsAddParams{TemplateID: id, UserID: userID}
	for i := range pattern {
		blank := pattern[i].Blank()
		for weekday, c := range pattern[i].Cells {
			if c == (planner.Cell{}) && (!blank || weekday > 0) {
				continue
			}
			cells.Projects = append(cells.Projects, pattern[i].ID.ProjectID)
			cells.Tasks = append(cells.Tasks, pattern[i].ID.TaskID)
			cells.Weekdays = append(cells.Weekdays, int16(weekday))
			cells.Minutes = append(cells.Minutes, int32(c.Planned))
			cells.Notes = append(cells.Notes, c.Note)
		}
	}
	if _, err := tx.q.TemplateCellsAdd(ctx, cells); err != nil {
		return fmt.Errorf("cells of template %d: %w", id, err)
	}
	return nil
}

// RenameTemplate gives a template another name. [planner.ErrNotFound]: the user
// has none of that id; [planner.ErrConflict]: another one has the name.
func (s *Store) RenameTemplate(ctx context.Context, userID, id int64, name string) error {
	n, err := s.q.TemplateRename(ctx, dbgen.TemplateRenameParams{UserID: userID, ID: id, Name: name})
	if err == nil && n == 0 {
		err = planner.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("rename template %d of user %d: %w", id, userID, nameTaken(err))
	}
	return nil
}

// DeleteTemplate deletes a template; [planner.ErrNotFound] if the user has none
// of that id. Weeks that were filled from it stay as they are.
func (s *Store) DeleteTemplate(ctx context.Context, userID, id int64) error {
	n, err := s.q.TemplateDelete(ctx, dbgen.TemplateDeleteParams{UserID: userID, ID: id})
	if err == nil && n == 0 {
		err = planner.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delete template %d of user %d: %w", id, userID, err)
	}
	return nil
}

// nameTaken turns the database's word for a name that is taken into the domain's.
func nameTaken(err error) error {
	if isUniqueViolation(err) {
		return planner.ErrConflict
	}
	return err
}
