package views_test

import (
	"strings"
	"testing"

	"github.com/a-h/templ"

	"furrow/planner"
	"furrow/views"
)

// marked is a name of which the first letters were typed.
func marked(name string, letters int) []views.Piece {
	return views.Pieces(name, 0, []planner.Mark{{To: letters}})
}

func plainName(name string) []views.Piece { return views.Pieces(name, 0, nil) }

func rowOptions() []views.RowOption {
	return []views.RowOption{
		{Value: "4030:8810", Key: "4030-8810", Hue: 4, Client: marked("Birch & Sons", 5), Project: marked("Consulting", 4), Task: plainName("Meetings")},
		{Value: "4031:8801", Key: "4031-8801", Hue: 4, Client: marked("Birch & Sons", 5), Project: marked("Conservation <old>", 4), Task: plainName("Design"), InWeek: true},
	}
}

func quickForm() views.QuickForm {
	week := sampleWeek()
	rows := rowOptions()
	return views.QuickForm{
		Week: week, Format: planner.HoursMinutes, Line: `birch cons 2h tue+thu "prep" call`, MutationID: "a-mutation-id", Version: 4107,
		Rows:     []views.QuickRowOption{{Row: rows[0], Chosen: true}, {Row: rows[1]}},
		Duration: 120, Note: "prep call",
		Days: []views.QuickDay{{Date: week.Day(1), Before: 60, After: 180}, {Date: week.Day(3), After: 120}, {Date: week.Day(4), Locked: "Locked in Harvest: it takes no changes here."}},
	}
}

func historyPage() views.HistoryPage {
	design := views.HistoryCell{Hue: 2, Client: "Acme", Project: "Website", Task: "Design", Day: "Tue 24 Nov", Before: views.PlanValue{Amount: "1:30"}, After: views.PlanValue{Amount: "2:00", Note: "Header <b>"}}
	review := views.HistoryCell{Hue: 2, Client: "Acme", Project: "Website", Task: "Review", Day: "Wed 25 Nov", After: views.PlanValue{Amount: "0:30"}}
	added := views.HistoryRow{Hue: 4, Client: "Birch & Sons", Project: "Consulting", Task: "Meetings", Kept: true}
	away := []views.HistoryDays{
		{Days: "Wed 25 Nov", Before: "day off: dentist", After: "day off: Lisbon <3"},
		{Days: "Thu 26 Nov – Fri 27 Nov", Before: "working day", After: "day off: Lisbon <3"},
	}
	return views.HistoryPage{
		Chrome: chrome("History", views.NavWeek), Week: sampleWeek(), Older: "/weeks/2026-11-23/history?before=11",
		Changes: []views.HistoryChange{
			{ID: 15, At: at("14:32"), Name: "A quick add: 2 cells, 1:30 → 2:30", Cells: []views.HistoryCell{design, review}, Since: "1 of 2 cells were changed again since, and would stay as they are.", CanUndo: true, MutationID: "a-mutation-id"},
			{ID: 16, At: at("14:31"), Name: "Time off: 3 days", Days: away, CanUndo: true, MutationID: "e-mutation-id"},
			{ID: 14, At: at("14:30"), Name: "Adding a row: Consulting · Meetings", Rows: []views.HistoryRow{added}, Undone: at("14:31"), MutationID: "b-mutation-id"},
			{ID: 13, At: at("14:31"), Name: "A new order: Acme", Order: &views.HistoryOrder{Hue: 2, Of: "Acme", Before: "by name", After: "Website · Review, Website · Design"}, CanUndo: true, MutationID: "f-mutation-id"},
			{ID: 12, At: at("Mon 23 Nov, 09:12"), Name: "Website · Review, Wed 25 Nov: 0:00 → 0:30", Cells: []views.HistoryCell{review}, CanUndo: true, MutationID: "c-mutation-id"},
			{ID: 11, At: at("Mon 23 Nov, 09:10"), Name: "Website · Design, Tue 24 Nov: its note", Cells: []views.HistoryCell{design}, Since: "Changed again since.", MutationID: "d-mutation-id"},
		},
	}
}

// quickStates are the pages and parts that finding, quick add, the palette and
// the history show.
func quickStates() map[string]templ.Component {
	week := sampleWeek()
	asked, blank := quickForm(), views.QuickForm{Week: week, MutationID: "a-mutation-id"}
	asked.Line, asked.Rows, asked.Duration, asked.DurationWhy = "zebra 20 25h every mon", nil, 0, "20 min?"
	asked.Choices = []views.QuickChoice{{Label: "20 min", Line: "zebra 20m 25h every mon"}, {Label: "20 h", Line: "zebra 20h 25h every mon"}}
	asked.Days, asked.AnyDay, asked.Every, asked.Spare = []views.QuickDay{{Date: week.Start, Problem: "would be more than 24 hours"}}, true, true, "20"
	asked.Problem = "The plan of these days was changed meanwhile. Below is what it would be now."
	rows := rowOptions()
	palette := views.PalettePage{Chrome: chrome("Find anything", views.NavNone), Week: week, Query: "con", Items: []views.PaletteItem{
		{Label: marked("Connection to Harvest", 3), URL: views.HarvestPath},
		{Label: marked("Undo", 0), Hint: "an edit", Post: views.UndoPath(week), MutationID: "a-mutation-id"},
		{Row: &rows[0], Hint: "add to this week", Post: views.WeekRowsPath(week), Name: "project_task", Value: rows[0].Value, MutationID: "b-mutation-id"},
		{Row: &rows[1], Hint: "in this week", URL: views.RowAnchorPath(week, rows[1].Key)},
	}}
	none := palette
	none.Items = nil
	page := historyPage()
	restore := views.RestorePage{
		Chrome: page.Chrome, Week: week, Change: 12, At: at("Mon 23 Nov, 09:12"), Cells: page.Changes[0].Cells, Rows: page.Changes[2].Rows, Days: page.Changes[1].Days, Seen: 16, MutationID: "a-mutation-id",
		Problem: "The plan was changed meanwhile. Below is what would change now.",
	}
	return map[string]templ.Component{
		"find":            views.RowFinder{MutationID: "a-mutation-id", Options: rows}.View(),
		"find_new":        views.RowFinder{MutationID: "a-mutation-id", New: "Own / <Garden> / Thinking"}.View(),
		"find_none":       views.RowFinder{MutationID: "a-mutation-id", Hint: "Nothing matches."}.View(),
		"quick":           views.QuickPage{Chrome: chrome("Quick add", views.NavNone), Form: quickForm()}.View(),
		"quick_asks":      views.QuickPage{Chrome: chrome("Quick add", views.NavNone), Form: asked}.View(),
		"quick_blank":     views.QuickPage{Chrome: chrome("Quick add", views.NavNone), Form: blank}.View(),
		"palette":         palette.View(),
		"palette_none":    none.View(),
		"history":         page.View(),
		"history_none":    views.HistoryPage{Chrome: page.Chrome, Week: week}.View(),
		"restore":         restore.View(),
		"restore_nothing": views.RestorePage{Chrome: page.Chrome, Week: week, Seen: 16}.View(),
	}
}

func TestPieces(t *testing.T) {
	t.Parallel()
	marks := []planner.Mark{{Part: 0, From: 0, To: 2}, {Part: 1, From: 1, To: 3}, {Part: 1, From: 4, To: 5}}
	for _, test := range []struct {
		part int
		want string
	}{{0, "[ab]cde"}, {1, "a[bc]d[e]"}, {2, "abcde"}} {
		var texts []string
		for _, p := range views.Pieces("abcde", test.part, marks) {
			if p.Hit {
				p.Text = "[" + p.Text + "]"
			}
			texts = append(texts, p.Text)
		}
		if got := strings.Join(texts, ""); got != test.want {
			t.Errorf("part %d: %s, want %s", test.part, got, test.want)
		}
	}
}
