package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
)

// heads is what the heads of the seven days say, in order, without white space.
func (a answer) heads(t *testing.T) []string {
	t.Helper()
	var said []string
	for i := range 7 {
		said = append(said, squeezed(a.text(t, "#d"+strconv.Itoa(i))))
	}
	return said
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ada()
	in := b.loggedIn(adaEmail)
	page := in.get("/settings/week")
	if page.status != http.StatusOK || page.field(t, "capacity-1") != "" || !strings.Contains(page.text(t, ".weekdays"), "Harvest: 0:00") {
		t.Fatalf("status %d: %s", page.status, page.text(t, ".weekdays"))
	}
	for _, tt := range []struct{ typed, wantSaid string }{
		{"30", "Write 30m for minutes, or 30:00 for hours."}, {"25h", tooLong}, {"-1", negative}, {"much", notDuration},
	} {
		got := in.post("/settings/week", url.Values{"capacity-1": {tt.typed}, "capacity-2": {"6"}})
		if got.status != http.StatusUnprocessableEntity || got.field(t, "capacity-1") != tt.typed || got.field(t, "capacity-2") != "6" || !strings.Contains(got.text(t, "main"), tt.wantSaid) {
			t.Errorf("%q: status %d, kept %q: %s", tt.typed, got.status, got.field(t, "capacity-1"), got.text(t, ".weekdays"))
		}
	}
	if n := b.count("select count(*) from users where capacity <> '{-1,-1,-1,-1,-1,-1,-1}'"); n != 0 {
		t.Error("a refused form was stored")
	}
	form := url.Values{"capacity-1": {"1h"}, "capacity-2": {"6.5"}, "capacity-3": {"0"}, "capacity-4": {""}, "capacity-0": {"1:30"}}
	if got := in.post("/settings/week", form); got.status != http.StatusSeeOther || got.location() != "/settings/week" {
		t.Fatalf("status %d to %q", got.status, got.location())
	}
	page = in.get("/settings/week")
	for field, want := range map[string]string{"capacity-1": "1:00", "capacity-2": "6:30", "capacity-3": "0:00", "capacity-4": "", "capacity-0": "1:30"} {
		if got := page.field(t, field); got != want {
			t.Errorf("%s holds %q, want %q", field, got, want)
		}
	}
	if said := page.text(t, "main"); !strings.Contains(said, "9:00 a week") {
		t.Errorf("the sum is not said: %s", said)
	}
	// Ada has planned 1:30 on Monday.
	week := in.get(adaPath)
	for i, want := range []string{"1:30 of 1:00 0:30 over", "0:00 of 6:30 6:30 free", "day off", "day off", "Ada's day off", "day off", "0:00 of 1:30 1:30 free"} {
		if said := week.heads(t)[i]; !strings.Contains(said, squeezed(want)) {
			t.Errorf("day %d says %q, want %q", i, said, want)
		}
	}
	if said := squeezed(week.text(t, "#dw")); said != squeezed("Week 1:30 of 9:00 7:30 free this week") {
		t.Errorf("the week says %q", said)
	}
}

func TestTimeOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	in := b.loggedIn(idaEmail)
	for _, tt := range []struct{ first, last, name, wantSaid string }{
		{"", "", "", "Choose a date."},
		{"2026-12-24", "soon", "", "Choose a date, or none for a single day."},
		{"2026-12-24", "2026-12-23", "", "It ends before it begins."},
		{"2026-12-24", "2027-12-25", "", "That is more than a year."},
		{"2026-12-24", "", strings.Repeat("ü", 101), "That is too long"},
	} {
		got := in.post("/settings/week/off", url.Values{"first": {tt.first}, "last": {tt.last}, "name": {tt.name}})
		if got.status != http.StatusUnprocessableEntity || got.field(t, "last") != tt.last || got.field(t, "name") != tt.name || !strings.Contains(got.text(t, "main"), tt.wantSaid) {
			t.Errorf("%+v: status %d: %s", tt, got.status, got.text(t, "main"))
		}
	}
	if n := b.count("select count(*) from days_off"); n != 0 {
		t.Fatalf("%d days are off", n)
	}
	for _, form := range []url.Values{
		{"first": {"2026-12-24"}, "last": {"2027-01-01"}, "name": {"Christmas <3"}}, {"first": {"2026-12-28"}, "last": {""}, "name": {"dentist"}},
	} {
		if got := in.post("/settings/week/off", form); got.status != http.StatusSeeOther {
			t.Fatalf("status %d", got.status)
		}
	}
	page := in.get("/settings/week")
	said := strings.Join(strings.Fields(page.text(t, ".tokens")), " ")
	for _, want := range []string{"24 – 27 December 2026 Christmas <3 4 days", "Monday 28 December 2026 dentist 1 day", "29 December 2026 – 1 January 2027 Christmas <3 4 days"} {
		if !strings.Contains(said, want) {
			t.Errorf("not listed: %q in %q", want, said)
		}
	}
	if got := in.post("/settings/week/off/remove", url.Values{"first": {"2026-12-24"}, "last": {"2026-12-27"}}); got.status != http.StatusSeeOther {
		t.Errorf("status %d", got.status)
	}
	if n := b.count("select count(*) from days_off"); n != 5 {
		t.Errorf("%d days are off, want 5", n)
	}
	if got := in.post("/settings/week/off/remove", url.Values{"first": {"2026-12-24"}, "last": {"2026-12-27"}}); got.status != http.StatusNotFound {
		t.Errorf("removed again: status %d", got.status)
	}
}

// One click takes a day off, and one takes that back; a second press of either
// changes nothing.
func TestDayOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ada()
	in := b.loggedIn(adaEmail)
	if err := b.store.SetCapacity(t.Context(), b.userID(adaEmail), everyDay(420)); err != nil {
		t.Fatal(err)
	}
	press := func(day, off string, want int) {
		t.Helper()
		if got := in.post(adaPath+"/days/"+day+"/off", url.Values{"off": {off}}); got.status != want {
			t.Errorf("%s %s: status %d, want %d", day, off, got.status, want)
		}
	}
	monday := in.get(adaPath).page(t).Find("#d0 button[form=days-off]")
	if monday.AttrOr("formaction", "") != adaPath+"/days/"+adaWeek+"/off" || monday.AttrOr("value", "") != "yes" {
		t.Errorf("the button of Monday is %v", monday.Nodes)
	}
	for range 2 {
		press(adaWeek, "yes", http.StatusSeeOther)
	}
	page := in.get(adaPath)
	if said := page.text(t, "#notice"); !strings.Contains(said, "Monday 23 November is a day off now.") {
		t.Errorf("said is %q", said)
	}
	if said := page.heads(t)[0]; !strings.Contains(said, squeezed("1:30 on a day off")) || page.page(t).Find("#d0 button[form=days-off]").AttrOr("value", "") != "no" {
		t.Errorf("Monday says %q", said)
	}
	for range 2 {
		press(adaWeek, "no", http.StatusSeeOther)
	}
	page = in.get(adaPath)
	if said := page.text(t, "#notice"); !strings.Contains(said, "is a working day again") || !strings.Contains(page.heads(t)[0], squeezed("1:30 of 7:00 5:30 free")) {
		t.Errorf("said is %q, %q", said, page.heads(t)[0])
	}
	press("2026-11-30", "yes", http.StatusNotFound)
	press("today", "yes", http.StatusNotFound)
	press(adaWeek, "perhaps", http.StatusBadRequest)
}

// A day off is a change of the plan like others: it counts once, is named in the
// history with what was before, and goes back by undo, redo and restore.
func TestDayOffIsAChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ada()
	in := b.loggedIn(adaEmail)
	if err := b.store.SetCapacity(t.Context(), b.userID(adaEmail), everyDay(420)); err != nil {
		t.Fatal(err)
	}
	const tuesday = "2026-11-24"
	press := func(day, off, mutation string) answer {
		t.Helper()
		got := in.post(adaPath+"/days/"+day+"/off", url.Values{"off": {off}, "mutation_id": {mutation}}, htmxHeaders...)
		if got.status != http.StatusOK {
			t.Fatalf("%s %s: status %d: %s", day, off, got.status, got.body)
		}
		return got
	}
	off := func(what string, want ...string) {
		t.Helper()
		var days []string
		in.get(adaPath).page(t).Find("#week-head button[form=days-off][value=no]").Each(func(_ int, s *goquery.Selection) {
			days = append(days, strings.TrimSuffix(strings.TrimPrefix(s.AttrOr("formaction", ""), adaPath+"/days/"), "/off"))
		})
		if diff := cmp.Diff(append(want, adaOff), days); diff != "" {
			t.Errorf("%s: days off (-want +got):\n%s", what, diff)
		}
	}
	mutation := in.get(adaPath).page(t).Find("input[form=days-off][name=mutation_id]").AttrOr("value", "")
	got := press(tuesday, "yes", mutation)
	if text := got.text(t, ".toast"); !strings.Contains(text, "Tuesday 24 November is a day off now.") || got.page(t).Find(".toast [name=change]").Length() != 1 || !strings.Contains(got.heads(t)[1], "dayoff") {
		t.Errorf("the toast says %q, Tuesday %q", text, got.heads(t)[1])
	}
	in.post(adaPath+"/undo", url.Values{"change": {got.field(t, "change")}})
	off("undone by its toast")
	press(tuesday, "yes", mutation) // the same once more, because its answer got lost
	off("sent again")
	press(adaWeek, "yes", mutation) // another day of the same page
	off("Monday", adaWeek)
	press(tuesday, "yes", "another press")
	off("both", adaWeek, tuesday)
	if said := in.get(adaPath).page(t).Find("#undo-form button").AttrOr("title", ""); said != "Undo: time off" {
		t.Errorf("the undo is called %q", said)
	}
	press(adaOff, "yes", "a stale page")
	if said := in.get(adaPath).heads(t)[4]; !strings.Contains(said, squeezed("Ada's day off")) {
		t.Errorf("the day off is called %q", said)
	}
	press(adaWeek, "no", "working again")
	in.post(adaPath+"/undo", url.Values{})
	off("working again undone", adaWeek, tuesday)
	in.post(adaPath+"/redo", url.Values{})
	off("working again redone", tuesday)

	history := in.get(adaPath + "/history")
	want := []string{
		"Done again: working again: Mon 23 Nov: day off → working day",
		"Undone: working again: Mon 23 Nov: working day → day off",
		"Working again: Mon 23 Nov: day off → working day",
		"Time off: Tue 24 Nov: working day → day off",
		"Time off: Mon 23 Nov: working day → day off",
		"Undone: time off: Tue 24 Nov: day off → working day",
		"Time off: Tue 24 Nov: working day → day off",
		"Time off: Fri 27 Nov: working day → day off: Ada's day off",
	}
	if diff := cmp.Diff(want, history.names(t)[:len(want)]); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	if text := history.page(t).Find(".changes > li").Eq(4).Text(); !strings.Contains(text, "Changed again since.") {
		t.Errorf("what was changed since says %q", text)
	}

	restore := history.page(t).Find(".changes > li").Eq(7).Find("a").AttrOr("href", "")
	shown := in.get(restore)
	rows := shown.page(t).Find("tbody tr").Map(func(_ int, s *goquery.Selection) string { return spaced(s) })
	if diff := cmp.Diff([]string{"Time off Tue 24 Nov day off working day"}, rows); diff != "" {
		t.Errorf("what a restore shows (-want +got):\n%s", diff)
	}
	form := url.Values{"seen": {shown.field(t, "seen")}, "mutation_id": {shown.field(t, "mutation_id")}}
	press(adaWeek, "yes", "meanwhile in another tab")
	if got := in.post(restore, form); got.status != http.StatusConflict || !strings.Contains(got.body, "changed meanwhile") {
		t.Errorf("restored over what was not shown: status %d", got.status)
	}
	shown = in.get(restore)
	in.post(restore, url.Values{"seen": {shown.field(t, "seen")}, "mutation_id": {shown.field(t, "mutation_id")}})
	off("restored")
	if name := in.get(adaPath + "/history").names(t)[0]; name != "Restoring the week: Mon 23 Nov – Tue 24 Nov: day off → working day" {
		t.Errorf("the restore is called %q", name)
	}
}

// Time off of the settings stands in the history of its weeks too.
func TestTimeOffIsAChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ada()
	in := b.loggedIn(adaEmail)
	for range 2 { // the second one changes nothing
		in.post("/settings/week/off", url.Values{"first": {adaOff}, "last": {"2026-12-01"}, "name": {"Lisbon"}})
	}
	for _, week := range []string{adaPath, "/weeks/2026-11-30"} {
		history := in.get(week + "/history")
		const want = "Time off: 5 days"
		if names := history.names(t); names[0] != want || len(names) > 1 && names[1] == want {
			t.Fatalf("the history of %s says %q", week, names)
		}
		rows := history.page(t).Find(".changes > li").First().Find("tbody tr").Map(func(_ int, s *goquery.Selection) string { return spaced(s) })
		if diff := cmp.Diff([]string{"Time off Fri 27 Nov day off: Ada's day off day off: Lisbon", "Time off Sat 28 Nov – Tue 1 Dec working day day off: Lisbon"}, rows); diff != "" {
			t.Errorf("its days (-want +got):\n%s", diff)
		}
	}
	in.post("/settings/week/off/remove", url.Values{"first": {"2026-11-28"}, "last": {"2026-11-29"}})
	in.post("/weeks/2026-11-30/undo", url.Values{})
	if said := in.get("/weeks/2026-11-30").text(t, "#notice"); !strings.Contains(said, "2 days were changed again since, and stay as they are.") {
		t.Errorf("said is %q", said)
	}
	if n := b.count("select count(*) from days_off"); n != 1 {
		t.Errorf("%d days are off, want Ada's alone", n)
	}
}
