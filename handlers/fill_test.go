package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"furrow/planner"
	"furrow/views"
)

// proposalOf is the form of a page that proposes something, as a browser would
// send it.
func (b *weekBundle) proposalOf(path string) (action string, form url.Values) {
	b.t.Helper()
	got := b.get(path)
	page, err := goquery.NewDocumentFromReader(strings.NewReader(got.body))
	if err != nil {
		b.t.Fatal(err)
	}
	at := page.Find("form:has(input[name=shown])")
	if got.status != http.StatusOK || at.Length() != 1 {
		b.t.Fatalf("GET %s: %d, %d proposals: %s", path, got.status, at.Length(), page.Find("main").Text())
	}
	form = url.Values{}
	at.Find("input[name], select[name]").Each(func(_ int, s *goquery.Selection) {
		value := s.AttrOr("value", "")
		if goquery.NodeName(s) == "select" {
			value = s.Find("option[selected]").AttrOr("value", "")
		}
		if _, checked := s.Attr("checked"); checked || s.AttrOr("type", "") != "checkbox" {
			form.Add(s.AttrOr("name", ""), value)
		}
	})
	return at.AttrOr("action", ""), form
}

// accepts sends a form, which must be stored, and once only.
func (b *weekBundle) accepts(action string, form url.Values, kind planner.ChangeKind) {
	b.t.Helper()
	for range 2 {
		if got := b.post(action, form); got.status != http.StatusSeeOther {
			b.t.Fatalf("POST %s: %d: %s", action, got.status, got.text(b.t, "main"))
		}
	}
	if n := b.count("select count(*) from plan_changes where user_id = $1 and kind = $2", b.userID, string(kind)); n != 1 {
		b.t.Errorf("%d changes of the kind %s, want 1", n, kind)
	}
}

// minutes are what is planned on a row, by day of a week.
func (b *weekBundle) minutes(week planner.Week, row int) (days [planner.DaysInWeek]planner.Minutes) {
	b.t.Helper()
	plan, err := b.store.WeekPlan(b.t.Context(), b.userID, week)
	if err != nil {
		b.t.Fatal(err)
	}
	for day, date := range week.Days() {
		days[day] = plan.Cell(planner.CellID{RowID: b.rows[row], Date: date}).Planned
	}
	return days
}

func (b *weekBundle) undoLatest(week planner.Week) {
	b.t.Helper()
	if got := b.post(views.UndoPath(week), url.Values{"mutation_id": {"undo of " + strconv.FormatInt(time.Now().UnixNano(), 36)}}); got.status != http.StatusSeeOther {
		b.t.Fatalf("undo: %d: %s", got.status, got.text(b.t, "main"))
	}
}

type week7 = [planner.DaysInWeek]planner.Minutes

// TestCopyIsStoredOnceAsShown: a copy is stored as it was shown, once, and taken
// back as one. If it would not be that any more, it is shown again.
func TestCopyIsStoredOnceAsShown(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.plan(0, 0, 60, "a note")
	b.plan(1, 3, 90, "")
	next := b.week.Next()
	path := views.CopyURL(next, planner.CopyPlan, "")
	action, form := b.proposalOf(path)

	b.plan(0, 1, 15, "") // in another tab
	got := b.post(action, form)
	if got.status != http.StatusConflict || !strings.Contains(got.body, movedOnFill) || b.minutes(next, 0) != (week7{}) {
		t.Errorf("after a change: %d, planned %v", got.status, b.minutes(next, 0))
	}
	action, form = b.proposalOf(path)
	b.accepts(action, form, planner.ChangeCopyWeek)
	if b.minutes(next, 0) != (week7{60, 15}) || b.minutes(next, 1) != (week7{3: 90}) {
		t.Errorf("copied: %v, %v", b.minutes(next, 0), b.minutes(next, 1))
	}
	if said := b.get(path).text(t, "main"); !strings.Contains(said, "Nothing to add") || !strings.Contains(said, "It has a plan in this week already.") {
		t.Errorf("proposed once more: %s", said)
	}
	b.undoLatest(next)
	if b.minutes(next, 0) != (week7{}) || b.minutes(next, 1) != (week7{}) || b.minutes(b.week, 0) != (week7{60, 15}) {
		t.Error("the undo leaves something, or takes too much")
	}

	for address, want := range map[string]int{
		views.CopyURL(next, "all", ""):                                             http.StatusNotFound,
		views.CopyURL(next, planner.CopyPlan, "yesterday"):                         http.StatusNotFound,
		views.CopyURL(planner.Week{Start: next.Start + 1}, planner.CopyPlan, ""):   http.StatusNotFound,
		views.CopyURL(next, planner.CopyPlan, next.Start.String()):                 http.StatusOK, // the week itself: the one before
		views.CopyURL(next, planner.CopyPlan, b.week.Start.AddDays(-700).String()): http.StatusOK,
	} {
		if got := b.get(address); got.status != want {
			t.Errorf("GET %s: %d, want %d", address, got.status, want)
		}
	}
}

// TestCarryOver: what is left of last week is offered, goes to this week as one
// change of both, and is offered no more; an undo brings it back.
func TestCarryOver(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.plan(0, -7, 120, "draft")
	b.plan(1, -6, 60, "")
	offer := func() string { t.Helper(); return b.get(b.path).text(t, ".offer:has(form) p") }
	if said := offer(); said != "3:00 from last week is unfinished" {
		t.Errorf("the week says %q", said)
	}
	path := views.CarryPath(b.week)
	action, form := b.proposalOf(path)
	form["row"] = form["row"][:1] // the other is not ticked
	day, err := strconv.Atoi(form.Get(views.CarryField(rowKey(b.rows[0]))))
	if err != nil || day != 2 {
		t.Fatalf("proposed for day %d, %v; want today", day, err)
	}
	for what, change := range map[string]func(url.Values){
		"a day that is over":       func(f url.Values) { f.Set(views.CarryField(f.Get("row")), "1") },
		"no day":                   func(f url.Values) { f.Del(views.CarryField(f.Get("row"))) },
		"a row that is not listed": func(f url.Values) { f.Set("row", "77-88") },
	} {
		wrong := url.Values{}
		for name, values := range form {
			wrong[name] = append([]string{}, values...)
		}
		change(wrong)
		if got := b.post(action, wrong); got.status != http.StatusConflict {
			t.Errorf("%s: %d", what, got.status)
		}
	}
	if got := b.post(action, url.Values{"mutation_id": form["mutation_id"], "shown": form["shown"]}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("nothing ticked: %d", got.status)
	}
	b.accepts(action, form, planner.ChangeCarryOver)
	last := b.week.Previous()
	if b.minutes(b.week, 0) != (week7{2: 120}) || b.minutes(last, 0) != (week7{}) || b.minutes(last, 1) != (week7{1: 60}) {
		t.Errorf("carried over: %v, last week %v and %v", b.minutes(b.week, 0), b.minutes(last, 0), b.minutes(last, 1))
	}
	if said := offer(); said != "1:00 from last week is unfinished" {
		t.Errorf("then the week says %q", said)
	}
	b.undoLatest(b.week)
	if b.minutes(b.week, 0) != (week7{}) || b.minutes(last, 0) != (week7{120}) {
		t.Error("the undo leaves something")
	}
	if got := b.post(views.DismissCarryPath(b.week), nil); got.status != http.StatusSeeOther || offer() != "" {
		t.Errorf("dismissed: %d, the week says %q", got.status, offer())
	}
	if said := b.get(views.CarryPath(b.week.Next())).text(t, "main"); !strings.Contains(said, "This is not the current week") {
		t.Errorf("in a week of which the one before is not over: %s", said)
	}
}

// TestSpread: what is left of past days goes where it is typed, no more than that,
// as one change.
func TestSpread(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.plan(0, 0, 120, "draft")
	b.plan(1, 1, 60, "")
	path := views.SpreadURL(b.week, rowKey(b.rows[0]))
	action, form := b.proposalOf(path)
	field := func(day int) string { return views.CellField(rowKey(b.rows[0]), day) }
	if got := [...]string{form.Get(field(2)), form.Get(field(3)), form.Get(field(4)), form.Get(views.CellField(rowKey(b.rows[1]), 2))}; got != [...]string{"0:30", "0:45", "0:45", ""} {
		t.Errorf("proposed: %q", got)
	}
	for typed, want := range map[string]string{
		"3": "That is 2:30 more than is left.", "x": notDuration, "30": "30 what? Type 30m or 30h.",
	} {
		form.Set(field(2), typed)
		got := b.post(action, form)
		if got.status != http.StatusUnprocessableEntity || got.text(t, ".error") != want {
			t.Errorf("%q: %d %q, want %q", typed, got.status, got.text(t, ".error"), want)
		}
		if !strings.Contains(got.body, `value="`+typed+`"`) {
			t.Errorf("%q is not in its field any more", typed)
		}
	}
	form.Set(field(2), "")
	form.Set(field(3), "1:00")
	form.Set(field(4), "")
	b.accepts(action, form, planner.ChangeSpread)
	if b.minutes(b.week, 0) != (week7{0: 60, 3: 60}) || b.minutes(b.week, 1) != (week7{1: 60}) {
		t.Errorf("spread: %v, the other row %v", b.minutes(b.week, 0), b.minutes(b.week, 1))
	}
	b.undoLatest(b.week)
	if b.minutes(b.week, 0) != (week7{0: 120}) {
		t.Errorf("undone: %v", b.minutes(b.week, 0))
	}
	b.plan(1, 2, planner.MaxCell, "")
	b.plan(1, 3, planner.MaxCell, "")
	b.plan(1, 4, planner.MaxCell, "")
	if said := b.get(path).text(t, ".reason"); said != "2:00 does not fit: the rest of the week is full." {
		t.Errorf("a full week: %q", said)
	}
}

// TestTemplateRoundTrip: a week is kept, applied to another one, renamed and
// deleted.
func TestTemplateRoundTrip(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.plan(0, 0, 60, "a note")
	b.plan(1, 6, 90, "")
	list := views.TemplatesURL(b.week)
	name := func(n string) url.Values { return url.Values{"week": {b.week.String()}, "name": {n}} }
	if got := b.post(list, name("Usual")); got.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	for typed, want := range map[string]string{
		"":                       "Give it a name.",
		"Usual":                  nameTaken,
		strings.Repeat("ø", 101): "That name is too long; 100 characters are the most.",
	} {
		if got := b.post(list, name(typed)); got.status != http.StatusUnprocessableEntity || got.text(t, ".error") != want {
			t.Errorf("%q: %d %q, want %q", typed, got.status, got.text(t, ".error"), want)
		}
	}
	id := int64(b.count("select id from week_templates"))
	next := b.week.Next()
	action, form := b.proposalOf(views.ApplyTemplatePath(next, id))
	b.accepts(action, form, planner.ChangeTemplate)
	if b.minutes(next, 0) != (week7{60}) || b.minutes(next, 1) != (week7{6: 90}) {
		t.Errorf("applied: %v, %v", b.minutes(next, 0), b.minutes(next, 1))
	}
	if got := b.post(list, name("Other")); got.status != http.StatusSeeOther {
		t.Fatal(got.body)
	}
	if got := b.post(views.RenameTemplatePath(id), name("Other")); got.status != http.StatusUnprocessableEntity || got.text(t, "details[open] .error") != nameTaken {
		t.Errorf("renamed to a name that is taken: %d", got.status)
	}
	if got := b.post(views.RenameTemplatePath(id), name("Standard")); got.status != http.StatusSeeOther || !strings.Contains(b.get(list).text(t, ".card h2"), "Standard") {
		t.Errorf("renamed: %d", got.status)
	}
	if got := b.post(views.DeleteTemplatePath(id), name("")); got.status != http.StatusSeeOther || strings.Contains(b.get(list).text(t, ".card h2"), "Standard") {
		t.Errorf("deleted: %d", got.status)
	}
}

// TestRecurringForm: recurring work is made, changed and ended, and what is wrong
// with its form is said beside the field.
func TestRecurringForm(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	today := b.week.Day(2)
	b.plan(0, 8, 15, "typed")
	form := func(changes ...string) url.Values {
		f := url.Values{"mutation_id": {"recurring mutation"}, "row": {rowKey(b.rows[0])}, "day": {"2"}, "duration": {"1:00"}, "note": {"stand-up"}, "from": {today.String()}, "until": {""}}
		for i := 0; i+1 < len(changes); i += 2 {
			f.Set(changes[i], changes[i+1])
		}
		return f
	}
	for _, tt := range []struct{ field, typed, want string }{
		{"row", "", "Choose a project and task from the list."},
		{"day", "7", "Tick at least one day."},
		{"duration", "0", "Say how long it takes."},
		{"duration", "13", "13 what? Type 13m or 13h."},
		{"duration", "25h", tooLong},
		{"note", strings.Repeat("n", 2001), "The note has 2001 characters. Harvest is sent at most 2000."},
		{"from", (today - 1).String(), "It can begin today at the earliest."},
		{"from", today.AddDays(400).String(), "It can begin within half a year."},
		{"from", "tomorrow", "Type a date, like " + today.String() + "."},
		{"until", (today - 1).String(), "That is before it begins."},
	} {
		got := b.post(views.RecurringPath, form(tt.field, tt.typed))
		if got.status != http.StatusUnprocessableEntity || got.text(t, ".error") != tt.want {
			t.Errorf("%s %q: %d %q, want %q", tt.field, tt.typed, got.status, got.text(t, ".error"), tt.want)
		}
	}
	if page := b.get(views.NewRecurringURL(rowKey(b.rows[0]), b.week.Day(8).String())); !strings.Contains(page.body, `value="0:15"`) || page.text(t, "textarea") != "typed" {
		t.Errorf("like a cell: %s", page.body)
	}
	if n := b.count("select count(*) from recurrences"); n != 0 {
		t.Fatalf("%d rules were made", n)
	}
	if page := b.get(views.NewRecurringURL(rowKey(b.rows[0]), today.AddDays(1).String())); !strings.Contains(page.body, `name="day" value="4" checked`) || page.text(t, ".card h2") != "Birch & Sons Website · Design" {
		t.Errorf("from a cell: %s", page.text(t, "main"))
	}

	for range 2 { // the second time it is stored already
		if got := b.post(views.RecurringPath, form()); got.status != http.StatusSeeOther {
			t.Fatalf("%d: %s", got.status, got.text(t, "main"))
		}
	}
	page := b.get(views.RecurringPath)
	for _, want := range []string{"Every Tuesday, 1:00", "from " + longDate(today), "Planned up to " + longDate(planner.Horizon(today, time.Monday)) + "."} {
		if !strings.Contains(page.text(t, "main"), want) {
			t.Errorf("the list does not say %q: %s", want, page.text(t, "main"))
		}
	}
	next := b.week.Next()
	if b.minutes(b.week, 0) != (week7{}) || b.minutes(next, 0) != (week7{1: 15}) || b.minutes(next.Next(), 0) != (week7{1: 60}) {
		t.Errorf("planned: %v, %v, %v", b.minutes(b.week, 0), b.minutes(next, 0), b.minutes(next.Next(), 0))
	}
	rule := views.RecurringRulePath(int64(b.count("select id from recurrences")))
	changed := form("mutation_id", "another mutation", "day", "5", "duration", "0:30", "from", next.Start.String())
	if got := b.post(rule, form("mutation_id", "another mutation", "duration", "soon")); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `value="soon"`) {
		t.Errorf("a wrong change: %d", got.status)
	}
	if got := b.post(rule, changed); got.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.status, got.text(t, "main"))
	}
	if b.minutes(next, 0) != (week7{1: 15, 4: 30}) || b.minutes(next.Next(), 0) != (week7{4: 30}) {
		t.Errorf("changed: %v, %v", b.minutes(next, 0), b.minutes(next.Next(), 0))
	}
	rule = views.RecurringRulePath(int64(b.count("select max(id) from recurrences")))
	if got := b.post(rule+"/end", url.Values{"before": {"never"}}); got.status != http.StatusUnprocessableEntity || got.text(t, ".error") != "Type a date." {
		t.Errorf("ended at no date: %d", got.status)
	}
	if got := b.post(rule+"/end", url.Values{"before": {next.Next().Start.String()}}); got.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.status, got.text(t, "main"))
	}
	if b.minutes(next, 0) != (week7{1: 15, 4: 30}) || b.minutes(next.Next(), 0) != (week7{}) {
		t.Errorf("ended: %v, %v", b.minutes(next, 0), b.minutes(next.Next(), 0))
	}
}

func TestEveryWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		days planner.Weekdays
		want string
	}{
		{planner.WeekdaysOf(time.Sunday), "Every Sunday"},
		{planner.WeekdaysOf(time.Sunday, time.Monday), "Every Monday and Sunday"},
		{planner.WeekdaysOf(time.Monday, time.Wednesday, time.Friday), "Every Monday, Wednesday and Friday"},
		{planner.WeekdaysOf(weekdays(time.Monday)[:5]...), "Monday to Friday"},
		{127, "Every day"},
	} {
		if got := everyWords(tt.days, time.Monday); got != tt.want {
			t.Errorf("%07b: %q, want %q", tt.days, got, tt.want)
		}
	}
}
