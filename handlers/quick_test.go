package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"furrow/planner"
)

// chips are what a line was taken for, in words.
func (a answer) chips(t *testing.T) string {
	t.Helper()
	parts := a.page(t).Find("#quick-chips dd").Map(func(_ int, s *goquery.Selection) string { return spaced(s) })
	return strings.Join(parts, " | ")
}

// quickForm is the form of quick add as a browser would send it.
func (a answer) quickForm(t *testing.T) url.Values {
	t.Helper()
	form := url.Values{}
	a.page(t).Find("#quick input").Each(func(_ int, s *goquery.Selection) {
		if _, checked := s.Attr("checked"); checked || s.AttrOr("type", "") != "radio" {
			form.Set(s.AttrOr("name", ""), s.AttrOr("value", ""))
		}
	})
	return form
}

func TestQuickChips(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	b.secondRow(ada)
	in := b.loggedIn(adaEmail)
	const task, second = "Ada's client Ada's project Ada's task", "Ada's client Ada's project Second task"
	for _, test := range []struct {
		name, line, want string
		ready            bool
	}{
		{"everything", `second 2h tue+thu prep call`, second + " | 2:00 | Tue 24 Nov Thu 26 Nov | prep call", true},
		{"on top of what is there", `ada's task 1:30 mon`, "Which row " + task + " " + second + " | 1:30 | Mon 23 Nov 1:30 → becomes 3:00", true},
		{"several rows", `project 1h mon`, "Which row " + task + " " + second + " | 1:00 | Mon 23 Nov 1:30 → becomes 2:30", true},
		{"no row", `zebra 1h mon`, "No row has these words Add a row | 1:00 | Mon 23 Nov | zebra", false},
		{"no duration", `second mon`, second + " | How long? Add 2h, 1:30 or 90m. | Mon 23 Nov", false},
		{"an ambiguous duration", `second 20 mon`, second + " | 20 min? 20 min 20 h | Mon 23 Nov", false},
		{"more than a day", `ada's task 23h mon`, "Which row " + task + " " + second + " | 23:00 | Mon 23 Nov 1:30 → becomes 24:30 would be more than 24 hours", false},
		{"two durations", `second 1h mon 2h`, second + " | 1:00 Only 1h counts; the other times are in the note. | Mon 23 Nov | 2h", true},
		{"another week", `second 1h 2.12.2026`, second + " | 1:00 | Wed 2 Dec", true},
		{"HTML", `second 1h mon <b>x</b>`, second + " | 1:00 | Mon 23 Nov | <b>x</b>", true},
	} {
		got := in.get(adaPath + "/quick?line=" + url.QueryEscape(test.line))
		if chips := got.chips(t); got.status != http.StatusOK || chips != test.want {
			t.Errorf("%s: status %d\n got %s\nwant %s", test.name, got.status, chips, test.want)
		}
		if ready := got.page(t).Find("#quick-chips button").Length() == 1; ready != test.ready {
			t.Errorf("%s: ready %v, want %v", test.name, ready, test.ready)
		}
	}
	if got := in.get(adaPath + "/quick?line=second+20+mon"); got.page(t).Find("#quick-chips dd a").First().AttrOr("href", "") != adaPath+"/quick?line=second+20m+mon" {
		t.Errorf("the answer to a question: %s", got.body)
	}
	if got := in.get(adaPath+"/quick?line=x+every+tue").text(t, "#quick-chips .help"); !strings.Contains(got, "recurring work") {
		t.Errorf("every: %q", got)
	}
}

// A line is added once, as it was shown, and on top of what is planned then.
func TestQuickAdd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	second := b.secondRow(ada)
	in := b.loggedIn(adaEmail)
	show := func(line string) url.Values {
		t.Helper()
		return in.get(adaPath + "/quick?line=" + url.QueryEscape(line)).quickForm(t)
	}
	want := func(what string, mon, tue int) {
		t.Helper()
		if gotMon, gotTue := b.planned(ada, 0), b.planned(ada, 1); int(gotMon) != mon || int(gotTue) != tue {
			t.Errorf("%s: planned %d and %d, want %d and %d", what, gotMon, gotTue, mon, tue)
		}
	}
	form := show(`ada's task 1h mon+tue call`)
	for _, headers := range [][]string{nil, htmxHeaders} { // the second one because its answer got lost
		got := in.post(adaPath+"/quick", form, headers...)
		if headers == nil && (got.status != http.StatusSeeOther || got.location() != adaPath) {
			t.Fatalf("status %d to %q: %s", got.status, got.location(), got.body)
		}
		want("added", 150, 60)
	}
	if said := in.get(adaPath).text(t, "#notice"); said != "Ada's project · Ada's task: 1:00 added on Mon 23 Nov, Tue 24 Nov." {
		t.Errorf("it says %q", said)
	}
	if note := in.get(adaPath+"/cells/"+ada.row+"/0").text(t, "#f-note"); note != "Ada's note\ncall" {
		t.Errorf("the note is %q", note)
	}

	stale := show(`ada's task 1h tue`)
	got := in.post(adaPath+"/quick", show(`ada's task 30m tue`), htmxHeaders...)
	if got.status != http.StatusOK || !strings.Contains(got.text(t, ".toast"), "0:30 added on Tue 24 Nov.") {
		t.Fatalf("with htmx: status %d: %s", got.status, got.body)
	}
	want("added to Tuesday", 150, 90)
	got = in.post(adaPath+"/quick", stale, htmxHeaders...)
	if got.status != http.StatusConflict || !strings.Contains(got.body, "changed meanwhile") || !strings.Contains(got.chips(t), "1:30 → becomes 2:30") || got.header.Get(hxRetarget) != "#quick-chips" {
		t.Errorf("over a newer change: status %d: %s", got.status, got.body)
	}

	edited := show(`ada's task 1h tue`)
	edited.Set("line", "ada's task 5h tue")
	if got := in.post(adaPath+"/quick", edited); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.chips(t), "5:00") {
		t.Errorf("a line that was not shown: status %d: %s", got.status, got.chips(t))
	}
	other := show(`project 1h tue`)
	other.Set("row", strings.Replace(second, "-", ":", 1))
	if got := in.post(adaPath+"/quick", other); got.status != http.StatusUnprocessableEntity || got.quickForm(t).Get("row") != other.Get("row") {
		t.Errorf("a row that was not shown: status %d", got.status)
	}
	for _, line := range []string{"zebra 1h", "ada's task", "ada's task 23h tue", ""} {
		if got := in.post(adaPath+"/quick", show(line)); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%q: status %d", line, got.status)
		}
	}
	want("refused", 150, 90)
	in.post(adaPath+"/undo", url.Values{})
	want("one undo", 150, 60)
	in.post(adaPath+"/undo", url.Values{})
	want("another", 90, 0)
}

// Days that Harvest has locked are told as the grid tells them, and left out; the
// others are planned.
func TestQuickLocked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	b.secondRow(ada)
	entry := func(harvestID int, day string, approval string, locked bool) {
		t.Helper()
		_, err := b.pool.Exec(t.Context(), `insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, approval_status, is_locked, locked_reason, created_at, updated_at)
			select user_id, $2, project_id, task_id, $3::date, 100, $4, $5, '', now(), now() from assignments where user_id = $1 order by task_id limit 1`, ada.user, harvestID, day, approval, locked)
		if err != nil {
			t.Fatal(err)
		}
	}
	entry(1, "2026-11-25", "unsubmitted", true) // a cell
	entry(2, "2026-12-02", "approved", false)   // the whole next week
	in := b.loggedIn(adaEmail)
	ask := func(line string) answer { t.Helper(); return in.get(adaPath + "/quick?line=" + url.QueryEscape(line)) }
	const task, second = "Ada's client Ada's project Ada's task", "Ada's client Ada's project Second task"
	const cell = "locked Locked in Harvest: it takes no changes here."
	const week = "locked This week is approved in Harvest, so it takes no changes here."
	for _, test := range []struct {
		name, line, want, button string
	}{
		{"a cell", `ada's task 1h tue+wed+thu`, "Which row " + task + " " + second + " | 1:00 | Tue 24 Nov Wed 25 Nov " + cell + " Thu 26 Nov", "Add 2:00"},
		{"another row", `second 1h wed`, second + " | 1:00 | Wed 25 Nov", "Add 1:00"},
		{"an approved week", `second 1h 3.12.2026`, second + " | 1:00 | Thu 3 Dec " + week, ""},
		{"no row", `zebra 1h 3.12.2026`, "No row has these words Add a row | 1:00 | Thu 3 Dec " + week + " | zebra", ""},
	} {
		got := ask(test.line)
		if chips := got.chips(t); got.status != http.StatusOK || chips != test.want {
			t.Errorf("%s: status %d\n got %s\nwant %s", test.name, got.status, chips, test.want)
		}
		if button := spaced(got.page(t).Find("#quick-chips button")); button != test.button {
			t.Errorf("%s: the button says %q, want %q", test.name, button, test.button)
		}
	}
	form := ask(`ada's task 1h tue+wed+thu`).quickForm(t)
	if got := in.post(adaPath+"/quick", form, htmxHeaders...); got.status != http.StatusOK || !strings.Contains(got.text(t, ".toast"), "1:00 added on Tue 24 Nov, Thu 26 Nov.") {
		t.Errorf("status %d: %s", got.status, got.text(t, "*"))
	}
	for day, want := range map[int]planner.Minutes{1: 60, 2: 0, 3: 60} {
		if planned := b.planned(ada, day); planned != want {
			t.Errorf("day %d has %d minutes, want %d", day, planned, want)
		}
	}
	// What was shown before a day was locked is shown again, not added in part.
	form = ask(`second 1h tue+wed`).quickForm(t)
	if _, err := b.pool.Exec(t.Context(), "update time_entries set approval_status = 'approved' where harvest_id = 1"); err != nil {
		t.Fatal(err)
	}
	got := in.post(adaPath+"/quick", form, htmxHeaders...)
	if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.chips(t), week) || got.page(t).Find("#quick-chips button").Length() != 0 {
		t.Errorf("locked meanwhile: status %d: %s", got.status, got.chips(t))
	}
}
