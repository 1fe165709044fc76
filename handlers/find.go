package handlers

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"unicode/utf8"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

const (
	// maxFound is how many rows the finder shows.
	maxFound = 12
	// maxQuery is the longest text that is looked for, in characters; more is cut
	// off.
	maxQuery = 200
	// usedFor is how many days back a row counts as used.
	usedFor = 365
)

// rowChoices are the rows that may be put into a week, and those that are in it.
type rowChoices struct {
	rows  []rowChoice
	named []planner.Named // the same in the same order, to be looked for
}

type rowChoice struct {
	id     planner.RowID
	name   db.RowName
	inWeek bool
}

// rowChoices reads a week and what may be put into it.
func (h *weekHandler) rowChoices(r *http.Request, week planner.Week) (ledger.WeekPlan, rowChoices, error) {
	user := currentUser(r)
	plan, assignments, err := h.store.WeekPage(r.Context(), user.ID, week)
	if err != nil {
		return plan, rowChoices{}, err
	}
	used, err := h.store.RowsUsed(r.Context(), user.ID, week.Start.AddDays(-usedFor), week.End())
	return plan, choicesOf(plan, assignments, used), err
}

// choicesOf lists each row once: what is assigned by name, then what is in the
// week without that, then the user's own rows of other weeks.
func choicesOf(plan ledger.WeekPlan, assignments []db.Assignment, used []db.UsedRow) rowChoices {
	var c rowChoices
	at := map[planner.RowID]int{}
	add := func(id planner.RowID, name db.RowName) *rowChoice {
		if _, known := at[id]; !known {
			at[id] = len(c.rows)
			c.rows = append(c.rows, rowChoice{id: id, name: name})
			c.named = append(c.named, planner.Named{Parts: []string{name.Client, name.Project, name.Task}})
		}
		return &c.rows[at[id]]
	}
	for _, a := range assignments {
		add(a.ID, db.RowName{ClientID: a.ClientID, Client: a.Client, Project: a.Project, Task: a.Task})
	}
	for i := range plan.Rows {
		r := &plan.Rows[i]
		add(r.ID, db.RowName{ClientID: r.ClientID, Client: r.Client, Project: r.Project, Task: r.Task}).inWeek = true
	}
	for _, u := range used {
		if _, known := at[u.ID]; !known && !u.Local {
			continue // used once, and not assigned any more
		}
		add(u.ID, u.Name)
		c.named[at[u.ID]].Used, c.named[at[u.ID]].Minutes = u.Last, u.Minutes
	}
	return c
}

// option is a row that was found, as it is shown.
func (c *rowChoices) option(m planner.Match) views.RowOption {
	row := &c.rows[m.At]
	return views.RowOption{
		Value: optionKey(row.id), Key: rowKey(row.id), Hue: hue(row.name.ClientID), InWeek: row.inWeek,
		Client:  views.Pieces(row.name.Client, 0, m.Marks),
		Project: views.Pieces(row.name.Project, 1, m.Marks),
		Task:    views.Pieces(row.name.Task, 2, m.Marks),
	}
}

// optionKey names a row that may be chosen; parseRowKey reads it.
func optionKey(id planner.RowID) string {
	return strconv.FormatInt(id.ProjectID, 10) + ":" + strconv.FormatInt(id.TaskID, 10)
}

// findRows answers the row finder.
func (h *weekHandler) findRows(w http.ResponseWriter, r *http.Request) error {
	week, err := exactWeek(r, currentUser(r))
	if err != nil {
		return err
	}
	plan, choices, err := h.rowChoices(r, week)
	if err != nil {
		return err
	}
	query := queryText(r, "q", maxQuery)
	finder := views.RowFinder{MutationID: rand.Text()}
	for _, m := range planner.Rank(query, choices.named, maxFound) {
		finder.Options = append(finder.Options, choices.option(m))
	}
	if len(finder.Options) == 0 {
		finder.New, finder.Hint = newRow(query, plan.Connection != nil)
	}
	return h.render(w, r, http.StatusOK, finder.View())
}

// newRow offers to make the row that is looked for in vain, or tells how. Those
// who have Harvest get their rows from there.
func newRow(query string, connected bool) (name, hint string) {
	switch _, _, _, ok := planner.SplitRow(query); {
	case connected:
		return "", "Nothing matches. Your rows come from Harvest: a project that is new there appears here after a sync."
	case ok:
		return query, ""
	default:
		return "", "Nothing matches. To make a new row, type client / project / task."
	}
}

// queryText is a text of the address, without what no database takes and no
// person types.
func queryText(r *http.Request, name string, most int) string {
	text := []rune{}
	for _, c := range r.URL.Query().Get(name) {
		if c != 0 && c != utf8.RuneError && len(text) < most {
			text = append(text, c)
		}
	}
	return string(text)
}
