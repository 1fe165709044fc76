package handlers

import (
	"crypto/rand"
	"net/http"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// maxCommands is how many things the palette shows for a query.
const maxCommands = 14

// palette lists what can be done from a week: its commands, its rows and those
// that may be added, and the week of a date that is typed.
func (h *weekHandler) palette(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	week, err := h.namedWeek(r, r.URL.Query().Get("week"))
	if err != nil {
		return err
	}
	plan, choices, err := h.rowChoices(r, week)
	if err != nil {
		return err
	}
	query := queryText(r, "q", maxQuery)
	page := views.PalettePage{Chrome: h.bareChrome(r, "Find anything"), Week: week, Query: query}
	if date, ok := planner.ParseDay(query, week, user.Profile.Today(h.now())); ok {
		page.Items = append(page.Items, dateItem(planner.WeekOf(date, user.Profile.WeekStart), date))
	}
	commands := commandsOf(h.builder(user, plan), user.Role.May(db.RoleViewer))
	named := make([]planner.Named, len(commands), len(commands)+len(choices.named))
	for i, c := range commands {
		named[i] = planner.Named{Parts: []string{c.label, c.also}}
	}
	if query != "" { // there may be hundreds of rows, which nobody asked for yet
		named = append(named, choices.named...)
	}
	most := maxCommands
	if query == "" {
		most = len(commands)
	}
	for _, m := range planner.Rank(query, named, most) {
		if m.At < len(commands) {
			page.Items = append(page.Items, commands[m.At].item(m.Marks))
			continue
		}
		m.At -= len(commands)
		page.Items = append(page.Items, choices.item(m, week))
	}
	return h.render(w, r, http.StatusOK, page.View())
}

func dateItem(week planner.Week, date planner.Date) views.PaletteItem {
	label := []views.Piece{{Text: date.Format("Monday 2 January 2006"), Hit: true}}
	return views.PaletteItem{Label: label, Hint: "its week", URL: views.DayPath(week, date)}
}

// item leads to a row, or adds it to the week.
func (c *rowChoices) item(m planner.Match, week planner.Week) views.PaletteItem {
	row := c.option(m)
	if row.InWeek {
		return views.PaletteItem{Row: &row, Hint: "in this week", URL: views.RowAnchorPath(week, row.Key)}
	}
	return views.PaletteItem{Row: &row, Hint: "add to this week", Post: views.WeekRowsPath(week), Name: "project_task", Value: row.Value, MutationID: rand.Text()}
}

// command is something that can be done. also are other words for it.
type command struct {
	label, also string
	hint        string // its key, or more about it
	url         string // by GET; or
	post        string // by a form
}

func (c command) item(marks []planner.Mark) views.PaletteItem {
	item := views.PaletteItem{Label: views.Pieces(c.label, 0, marks), Hint: c.hint, URL: c.url, Post: c.post}
	if c.post != "" {
		item.MutationID = rand.Text()
	}
	return item
}

// commandsOf are the commands of a week, those that are used most first.
func commandsOf(b *weekBuilder, admin bool) []command {
	week := b.plan.Week
	all := []command{
		{label: "Quick add", also: "new plan line", hint: "q", url: views.QuickURL(week, "", "")},
		{label: "Add a row", also: "new project task", hint: "a", url: views.WeekPath(week) + "#add-row"},
		{label: "Review and push", also: "send to Harvest", hint: "p", url: views.PushPath(week, nil)},
		{label: "This week", also: "today current", hint: "t", url: views.ThisWeekPath},
		{label: "Previous week", also: "last back", hint: "[", url: views.WeekPath(week.Previous())},
		{label: "Next week", also: "forward", hint: "]", url: views.WeekPath(week.Next())},
	}
	if b.plan.Undo != 0 {
		all = append(all, command{label: "Undo", also: "take back", hint: changeName(b.plan.UndoKind), post: views.UndoPath(week)})
	}
	if b.plan.Redo != 0 {
		all = append(all, command{label: "Redo", also: "again", post: views.RedoPath(week)})
	}
	all = append(all,
		command{label: "Copy last week", also: "fill from another week rows plan tracked unfinished", url: views.CopyURL(week, "", "")},
		command{label: "Carry over", also: "unfinished work of last week", url: views.CarryPath(week)},
		command{label: "Spread the rest", also: "remaining days", url: views.SpreadURL(week, "")},
		command{label: "Templates", also: "fill a week", url: views.TemplatesURL(week)},
		command{label: "Recurring work", also: "every week repeat", url: views.RecurringPath},
		command{label: "History", also: "changes restore log", url: views.HistoryURL(week, 0)},
		command{label: "Reconcile", also: "differences with Harvest settle", url: views.ReconcileURL(week, "")},
		command{label: "Check this week with Harvest", also: "self-check double", url: views.CheckURL(week, "")},
		command{label: "Ledger", also: "sent writes", url: views.LedgerPath},
		command{label: "Settings", also: "preferences password tokens week start", url: views.SettingsPath},
		command{label: "Light or dark", also: "theme colours", url: views.SettingsPath + "#h-theme"},
		command{label: "Harvest connection", also: "account connect disconnect", url: views.HarvestPath},
	)
	if admin {
		all = append(all, command{label: "Admin", also: "jobs users limits audit", url: views.AdminPath})
	}
	return all
}
