package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"furrow/planner"
)

// mover is Ada with 90 minutes and a note on Monday, the pushed cell that ada makes,
// and a form that moves it.
type mover struct {
	*testBundle
	t    *testing.T
	ada  adaIDs
	in   *browser
	path string // of Monday's cell
}

func newMover(t *testing.T) *mover {
	t.Helper()
	b := setup(t)
	ada := b.ada()
	return &mover{b, t, ada, b.loggedIn(adaEmail), adaPath + "/cells/" + ada.row + "/0"}
}

// move sends the form of a cell's page with what is chosen in it.
func (m *mover) move(path string, chosen url.Values, header ...string) answer {
	m.t.Helper()
	form := url.Values{"version": {m.in.get(adaPath).field(m.t, "version")}}
	for name, values := range chosen {
		form[name] = values
	}
	return m.in.post(path+"/move", form, header...)
}

func (m *mover) plan(day int, typed string) {
	m.t.Helper()
	form := url.Values{"version": {m.in.get(adaPath).field(m.t, "version")}, "p." + m.ada.row + "." + strconv.Itoa(day): {typed}}
	if got := m.in.post(adaPath+"/cells", form); got.status != http.StatusSeeOther {
		m.t.Fatalf("plan: status %d", got.status)
	}
}

// is checks the plan of the week's days.
func (m *mover) is(what string, want ...planner.Minutes) {
	m.t.Helper()
	for day, minutes := range want {
		if got := m.planned(m.ada, day); got != minutes {
			m.t.Errorf("%s: day %d has %d minutes, want %d", what, day, got, minutes)
		}
	}
}

// note is the note of a day of Ada's row.
func (m *mover) note(day int) string {
	m.t.Helper()
	return m.in.get(adaPath+"/cells/"+m.ada.row+"/"+strconv.Itoa(day)).text(m.t, "#f-note")
}

// A cell is moved, copied and split by a plain form, each is told and undone as
// one, and a form counts once.
func TestMoveCell(t *testing.T) {
	t.Parallel()
	m := newMover(t)
	tests := []struct {
		chosen url.Values
		want   []planner.Minutes
		notes  []string
		says   string
	}{
		{url.Values{"how": {"move"}, "to": {"2026-11-24"}}, []planner.Minutes{0, 90, 0}, []string{"", "Ada's note"}, "Ada's project · Ada's task: 1:30 moved to Tuesday 24 November."},
		{url.Values{"how": {"copy"}, "to": {"2026-11-25"}}, []planner.Minutes{90, 0, 90}, []string{"Ada's note", "", "Ada's note"}, "1:30 copied to Wednesday 25 November."},
		{url.Values{"how": {"split"}, "to": {"2026-11-24", "2026-11-25"}}, []planner.Minutes{30, 30, 30}, []string{"Ada's note", "Ada's note", "Ada's note"}, "1:30 split over 3 days."},
		{url.Values{"how": {"move"}, "to": {"2026-11-22"}}, []planner.Minutes{0, 0, 0}, nil, "1:30 moved to Sunday 22 November, in the week before."},
		{url.Values{"how": {"copy"}, "to": {"2026-12-07"}}, []planner.Minutes{90, 0, 0}, nil, "1:30 copied to Monday 7 December, in another week."},
	}
	for i, tt := range tests {
		tt.chosen.Set("mutation_id", "a move of Ada's "+strconv.Itoa(i))
		for _, says := range []string{tt.says, "That is done already."} { // the second time because the answer got lost
			if got := m.move(m.path, tt.chosen); got.status != http.StatusSeeOther || got.location() != adaPath {
				t.Fatalf("%v: status %d: %s", tt.chosen, got.status, got.body)
			}
			if said := m.in.get(adaPath).text(t, "#notice"); !strings.Contains(said, says) {
				t.Errorf("%v: it says %q, want %q", tt.chosen, said, says)
			}
		}
		m.is(tt.chosen.Encode(), tt.want...)
		for day, note := range tt.notes {
			if got := m.note(day); got != note {
				t.Errorf("%v: the note of day %d is %q, want %q", tt.chosen, day, got, note)
			}
		}
		if got := m.in.post(adaPath+"/undo", url.Values{}); got.status != http.StatusSeeOther {
			t.Fatalf("undo %v: status %d", tt.chosen, got.status)
		}
		m.is("undone", 90, 0, 0)
	}
	if got := m.count("select count(*) from cells"); got != 1 {
		t.Errorf("%d cells are left, want the one", got)
	}
}

// With htmx the answer to a move are the rows that it touched.
func TestMoveAnswersWithItsRows(t *testing.T) {
	t.Parallel()
	m := newMover(t)
	other := m.secondRow(m.ada)
	if got := m.in.post(adaPath+"/rows/remove", url.Values{"row": {other}}); got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	got := m.move(m.path, url.Values{"how": {"move"}, "to": {"2026-11-24"}}, htmxHeaders...)
	if got.status != http.StatusOK || !strings.Contains(got.body, `id="r-`+m.ada.row+`"`) || strings.Contains(got.body, `id="r-`+other+`"`) {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	if said := got.text(t, ".toast"); !strings.Contains(said, "moved to Tuesday 24 November.") {
		t.Errorf("the toast says %q", said)
	}
	for _, day := range []string{"2026-11-22", "2026-12-07"} { // other weeks are not in the answer
		got := m.move(adaPath+"/cells/"+m.ada.row+"/1", url.Values{"how": {"copy"}, "to": {day}}, htmxHeaders...)
		if got.status != http.StatusOK || !strings.Contains(got.text(t, ".toast"), " week") {
			t.Errorf("to %s: status %d: %s", day, got.status, got.body)
		}
	}
	// A row that the week did not show comes with the whole grid.
	path := adaPath + "/cells/" + m.ada.row + "/1"
	got = m.move(path, url.Values{"how": {"copy"}, "to": {"2026-11-24"}, "to_row": {other}}, htmxHeaders...)
	if got.status != http.StatusOK || got.page(t).Find("#week-grid #r-"+other).Length() != 1 {
		t.Errorf("to another row: status %d: %s", got.status, got.body)
	}
}

// What cannot be moved stays, with a sentence where it was asked for.
func TestMoveRefused(t *testing.T) {
	t.Parallel()
	m := newMover(t)
	m.plan(1, "23:30")
	m.plan(2, "1")
	m.plan(3, "2")
	m.in.post(adaPath+"/cells/"+m.ada.row+"/4", url.Values{"version": {"99999"}, "planned": {""}, "note": {strings.Repeat("x", planner.MaxNote)}})
	m.exec(`insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, is_locked, created_at, updated_at)
		select user_id, 1, project_id, task_id, date '2026-11-25', 100, true, now(), now() from assignments where user_id = $1`, m.ada.user)
	wednesday := adaPath + "/cells/" + m.ada.row + "/2"
	tests := []struct {
		name   string
		path   string
		chosen url.Values
		want   int
		says   string
	}{
		{"no room", m.path, url.Values{"how": {"move"}, "to": {"2026-11-24"}}, 422, "Tuesday 24 November would hold 25:00. A day has 24 hours."},
		{"no room for the note", m.path, url.Values{"how": {"copy"}, "to": {"2026-11-27"}}, 422, "longer than 2000 characters"},
		{"to a locked cell", m.path, url.Values{"how": {"move"}, "to": {"2026-11-25"}}, 422, "Wednesday 25 November is locked in Harvest"},
		{"from a locked cell", wednesday, url.Values{"how": {"copy"}, "to": {"2026-11-26"}}, 422, "Wednesday 25 November is locked in Harvest"},
		{"a share for a locked cell", m.path, url.Values{"how": {"split"}, "to": {"2026-11-26", "2026-11-25"}}, 422, "Wednesday 25 November is locked in Harvest"},
		{"to itself", m.path, url.Values{"how": {"move"}, "to": {"2026-11-23"}}, 422, "There is nothing to do"},
		{"nothing", adaPath + "/cells/" + m.ada.row + "/6", url.Values{"how": {"move"}, "to": {"2026-11-24"}}, 422, "There is nothing to do"},
		{"no day", m.path, url.Values{"how": {"split"}}, 422, "Choose at least one other day."},
		{"no date", m.path, url.Values{"how": {"move"}, "to": {"tomorrow"}}, 422, "Choose a day"},
		{"seen too early", m.path, url.Values{"how": {"move"}, "to": {"2026-11-27"}, "version": {"0"}}, 422, "changed meanwhile"},
		{"no way of moving", m.path, url.Values{"how": {"throw"}, "to": {"2026-11-24"}}, 400, ""},
		{"no version", m.path, url.Values{"how": {"move"}, "to": {"2026-11-24"}, "version": {""}}, 400, ""},
		{"an unknown row", m.path, url.Values{"how": {"move"}, "to": {"2026-11-24"}, "to_row": {"1-99999"}}, 404, ""},
	}
	changes := m.count("select count(*) from plan_changes")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := m.move(tt.path, tt.chosen); got.status != tt.want || !strings.Contains(got.text(t, "main"), tt.says) {
				t.Errorf("page: status %d, want %d with %q: %s", got.status, tt.want, tt.says, got.text(t, "main"))
			}
			panel := m.move(tt.path, tt.chosen, append(htmxHeaders, hxTarget, "section#cell")...)
			if panel.status != tt.want || !strings.Contains(panel.body, tt.says) || tt.want == 422 && panel.page(t).Find("section#cell").Length() != 1 {
				t.Errorf("panel: status %d: %s", panel.status, panel.body)
			}
			grid := m.move(tt.path, tt.chosen, append(htmxHeaders, hxTarget, "div#notice")...)
			if grid.status != tt.want || !strings.Contains(grid.body, tt.says) || grid.page(t).Find("section#cell").Length() != 0 {
				t.Errorf("grid: status %d: %s", grid.status, grid.body)
			}
		})
	}
	if n := m.count("select count(*) from plan_changes"); n != changes {
		t.Errorf("%d changes were stored", n-changes)
	}
	m.is("refused", 90, 1410, 60, 120)
}
