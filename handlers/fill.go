package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// A week is filled in two steps: a page shows what is proposed, and its form
// stores just that. The proposal is made again from what is stored by then; if it
// is not what was shown, it is shown again instead.

// proposal is what a page proposes.
type proposal struct {
	kind  planner.ChangeKind
	cells []planner.Edit
	rows  []db.RowChange
	shown string // names what the page showed
	said  string // once it is stored
}

// weekSource is where weeks are read from: the store, or a transaction.
type weekSource interface {
	WeekPlan(ctx context.Context, userID int64, week planner.Week) (ledger.WeekPlan, error)
	TemplateWeek(ctx context.Context, userID, id int64) (db.TemplateWeek, error)
}

// movedOnFill is said where a proposal is shown again.
const movedOnFill = "Something changed meanwhile, and nothing was stored. This is how it looks now."

// accept stores what propose proposes, once. show shows the page again.
func (h *weekHandler) accept(w http.ResponseWriter, r *http.Request, week planner.Week, f form, propose func(weekSource) (proposal, error), show func(status int, problem string) error) error {
	mutation, err := mutationID(f)
	if err != nil {
		return err
	}
	user := currentUser(r)
	var changed db.Changed
	var p proposal
	err = h.store.InMutation(r.Context(), func(tx *db.Tx) (err error) {
		if changed.ID, err = tx.Stored(r.Context(), user.ID, mutation); err != nil || changed.ID != 0 {
			return err
		}
		if p, err = propose(tx); err != nil {
			return err
		}
		if p.shown != f.Get("shown") {
			return planner.ErrConflict
		}
		changed, err = tx.ChangePlan(r.Context(), user.ID, db.PlanChange{
			Kind: p.kind, MutationID: mutation, Seen: db.SeenAll, Cells: p.cells, Rows: p.rows, // nobody can have changed them since
		})
		return err
	})
	switch {
	case errors.Is(err, planner.ErrConflict):
		return show(http.StatusConflict, movedOnFill)
	case err != nil:
		return err
	case p.said == "":
		p.said = "That is stored already."
	}
	return h.changed(w, r, week, p.said, changed)
}

// fingerprint names values, so that a form can say what it was about.
func fingerprint(values ...any) string {
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%+v", values)
	return strconv.FormatUint(hash.Sum64(), 36)
}

// weekFilling is what a week gets from a pattern.
type weekFilling struct {
	planner.Filling

	plan  ledger.WeekPlan // of the week
	names map[planner.RowID]db.RowName
}

func (f *weekFilling) proposal(kind planner.ChangeKind) proposal {
	p := proposal{kind: kind, cells: f.Edits()}
	for _, row := range f.Added() {
		p.rows = append(p.rows, db.RowChange{Week: f.Week, Row: row, Kept: true})
	}
	p.shown = fingerprint(p.cells, p.rows)
	p.said = counted(len(p.rows), "row was added", "rows were added")
	if planned := f.planned(); planned > 0 {
		p.said += ", with " + f.plan.Profile.DurationFormat.Format(planned)
	}
	p.said += "."
	return p
}

// planned is what is added in all.
func (f *weekFilling) planned() (sum planner.Minutes) {
	for _, m := range f.Planned() {
		sum += m
	}
	return sum
}

// copyRequest says what is copied into a week, and how.
type copyRequest struct {
	week, source planner.Week
	way          planner.CopyWay
}

// readCopy reads the address of a copy. A week is not copied into itself.
func readCopy(query url.Values, user db.User, week planner.Week) (copyRequest, error) {
	c := copyRequest{week: week, source: week.Previous(), way: planner.CopyWay(query.Get("way"))}
	if c.way == "" {
		c.way = planner.CopyPlan
	}
	if !slices.Contains(planner.CopyWays(), c.way) {
		return c, fmt.Errorf("way %q to copy a week: %w", c.way, planner.ErrNotFound)
	}
	if from := query.Get("from"); from != "" {
		date, err := planner.ParseDate(from)
		if err != nil {
			return c, fmt.Errorf("week to copy: %w", planner.ErrNotFound)
		}
		if source := planner.WeekOf(date, user.Profile.WeekStart); source != week {
			c.source = source
		}
	}
	return c, nil
}

func (c copyRequest) filling(ctx context.Context, from weekSource, userID int64) (*weekFilling, error) {
	target, err := from.WeekPlan(ctx, userID, c.week)
	if err != nil {
		return nil, err
	}
	source, err := from.WeekPlan(ctx, userID, c.source)
	if err != nil {
		return nil, err
	}
	f := &weekFilling{plan: target, names: make(map[planner.RowID]db.RowName, len(source.Rows))}
	for i := range source.Rows {
		row := &source.Rows[i]
		f.names[row.ID] = db.RowName{ClientID: row.ClientID, Client: row.Client, Project: row.Project, Task: row.Task}
	}
	sheet, of := target.Sheet(), source.Sheet()
	f.Filling = sheet.Fill(of.Pattern(c.way))
	return f, nil
}

// showCopy shows what a week would get from another one.
func (h *weekHandler) showCopy(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	week, err := exactWeek(r, user)
	if err != nil {
		return err
	}
	c, err := readCopy(r.URL.Query(), user, week)
	if err != nil {
		return err
	}
	return h.copyPage(w, r, c, http.StatusOK, "")
}

// copyWeek stores it.
func (h *weekHandler) copyWeek(w http.ResponseWriter, r *http.Request) error {
	user, week, f, err := weekForm(r)
	if err != nil {
		return err
	}
	c, err := readCopy(r.URL.Query(), user, week)
	if err != nil {
		return err
	}
	return h.accept(w, r, week, f, func(from weekSource) (proposal, error) {
		filling, err := c.filling(r.Context(), from, user.ID)
		if err != nil {
			return proposal{}, err
		}
		return filling.proposal(planner.ChangeCopyWeek), nil
	}, func(status int, problem string) error { return h.copyPage(w, r, c, status, problem) })
}

func (h *weekHandler) copyPage(w http.ResponseWriter, r *http.Request, c copyRequest, status int, problem string) error {
	filling, err := c.filling(r.Context(), h.store, currentUser(r).ID)
	if err != nil {
		return err
	}
	page := filling.page(planner.ChangeCopyWeek)
	page.Title, page.Action, page.Error = "Copy a week", views.CopyURL(c.week, c.way, c.source.String()), problem
	if c.source == c.week.Previous() {
		page.Title = "Copy last week"
	}
	earlier, later := c.source.Previous(), c.source.Next()
	if earlier == c.week {
		earlier = earlier.Previous()
	}
	if later == c.week {
		later = later.Next()
	}
	page.Source = &views.FillSource{
		Week: c.source, Earlier: views.CopyURL(c.week, c.way, earlier.String()), Later: views.CopyURL(c.week, c.way, later.String()),
	}
	for _, way := range planner.CopyWays() {
		shown := views.FillWay{URL: views.CopyURL(c.week, way, c.source.String()), Current: way == c.way}
		shown.Label, shown.Help = copyWords(way)
		page.Ways = append(page.Ways, shown)
	}
	page.Chrome = h.chrome(r, page.Title, views.NavWeek)
	return h.render(w, r, status, page.View())
}

// copyWords says what a way to copy a week does.
func copyWords(way planner.CopyWay) (label, help string) {
	switch way {
	case planner.CopyRows:
		return "Rows", "without any time"
	case planner.CopyTracked:
		return "What I tracked", "becomes the plan"
	case planner.CopyUnfinished:
		return "Unfinished only", "planned and not tracked, with notes"
	default:
		return "Rows and plan", "with notes"
	}
}

// page shows the filling; the caller says what it is of.
func (f *weekFilling) page(kind planner.ChangeKind) views.FillPage {
	page := views.FillPage{
		Week: f.Week, Format: f.plan.Profile.DurationFormat, Added: f.planned(),
		MutationID: rand.Text(), Shown: f.proposal(kind).shown,
	}
	sheet, added := f.plan.Sheet(), f.Planned()
	planned := sheet.Planned()
	for day, date := range f.Week.Days() {
		page.Days[day] = views.FillDay{Date: date, Planned: planned[day] + added[day], Capacity: sheet.Capacity[day]}
	}
	for i := range f.Rows {
		row := &f.Rows[i]
		name := f.names[row.ID]
		shown := views.FillRow{
			Client: name.Client, Project: name.Project, Task: name.Task, Hue: hue(name.ClientID), Planned: row.Planned(), Why: skipSentence(row.Skipped),
		}
		for day, cell := range row.Cells {
			shown.Cells[day] = views.FillCell{Planned: cell.Planned, Note: cell.Note, Locked: row.Locked[day]}
		}
		if row.Skipped == "" {
			page.Rows = append(page.Rows, shown)
		} else {
			page.Skipped = append(page.Skipped, shown)
		}
	}
	return page
}

// skipSentence says why a row is not filled.
func skipSentence(why planner.Skip) string {
	switch why {
	case planner.SkipPlanned:
		return "It has a plan in this week already."
	case planner.SkipShown:
		return "It is in this week already."
	case planner.SkipArchived:
		return "It is archived in Harvest: nothing may be logged on it any more."
	case planner.SkipLocked:
		return "Harvest has locked its days."
	default:
		return ""
	}
}

// fillMenu is what the page of a week offers.
func (b *weekBuilder) fillMenu() views.FillMenu {
	p := &b.plan
	m := views.FillMenu{Week: p.Week, IsThis: p.Week.Contains(b.today), CopyLast: len(p.Rows) == 0 && p.Before.HasRows}
	if m.IsThis {
		m.Carry = b.amount(p.Before.Unfinished)
	}
	return m
}
