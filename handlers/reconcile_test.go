package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// weekBundle is Ida in the middle of a week, connected, with two rows.
type weekBundle struct {
	*testBundle
	*browser
	userID, connection int64
	week               planner.Week
	rows               [2]planner.RowID
	path               string // of the week
}

// midweek starts the program on a Wednesday at noon.
func midweek(t *testing.T) *weekBundle {
	t.Helper()
	b := &weekBundle{testBundle: setup(t)}
	b.userID = b.ida()
	b.connection = b.connect(b.userID)
	b.week = planner.WeekOf(planner.DateOf(time.Now()), time.Monday).Next()
	b.clock.Store(int64(time.Until(b.week.Day(2).Time().Add(12 * time.Hour)).Seconds()))
	b.path = views.WeekPath(b.week)
	assignment := ledger.Assignment{
		ClientID: 1, ClientName: "Birch & Sons", Currency: "EUR", ProjectID: 2, ProjectName: "Website", TaskID: 3, TaskName: "Design", Billable: true,
	}
	other := assignment
	other.TaskID, other.TaskName = 4, "Review"
	if err := b.store.Mirror(ledger.Run{UserID: b.userID}).SaveAssignments(t.Context(), []ledger.Assignment{assignment, other}); err != nil {
		t.Fatal(err)
	}
	_, list, err := b.store.WeekPage(t.Context(), b.userID, b.week)
	if err != nil {
		t.Fatal(err)
	}
	b.rows = [2]planner.RowID{list[0].ID, list[1].ID}
	b.browser = b.loggedIn(idaEmail)
	return b
}

func (b *weekBundle) id(row, day int) planner.CellID {
	return planner.CellID{RowID: b.rows[row], Date: b.week.Day(day)}
}

func (b *weekBundle) cellPath(row, day int) string {
	return views.CellPath(b.week, rowKey(b.rows[row]), day)
}

func (b *weekBundle) in(f func(tx *db.Tx) error) {
	b.t.Helper()
	if err := b.store.InTx(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
}

func (b *weekBundle) plan(row, day int, minutes planner.Minutes, note string) {
	b.t.Helper()
	b.in(func(tx *db.Tx) error {
		_, err := tx.EditCell(b.t.Context(), b.userID, db.CellEdit{
			Cell: b.id(row, day), Planned: minutes, Note: &note, MutationID: "edit-" + strconv.FormatInt(time.Now().UnixNano(), 36), Seen: 1 << 60,
		})
		return err
	})
}

func (b *weekBundle) cell(row, day int) ledger.Cell {
	b.t.Helper()
	plan, err := b.store.WeekPlan(b.t.Context(), b.userID, b.week)
	if err != nil {
		b.t.Fatal(err)
	}
	return plan.Cell(b.id(row, day))
}

// entry is what Harvest has, as a sync reads it.
func (b *weekBundle) entry(row, day int, id int64, hours planner.Hours, notes string, change ...func(*ledger.RemoteEntry)) {
	b.t.Helper()
	at := b.clockNow().Truncate(time.Second)
	e := ledger.RemoteEntry{
		ID: id, ClientID: 1, ClientName: "Birch & Sons", Currency: "EUR", ProjectID: 2, ProjectName: "Website", TaskID: int64(3 + row), TaskName: [2]string{"Design", "Review"}[row],
		SpentDate: b.week.Day(day), Hours: hours, Notes: notes, CreatedAt: at, UpdatedAt: at,
	}
	for _, c := range change {
		c(&e)
	}
	if err := b.store.Mirror(ledger.Run{UserID: b.userID}).SaveEntry(b.t.Context(), e); err != nil {
		b.t.Fatal(err)
	}
}

func (b *weekBundle) deleted(id int64) {
	b.t.Helper()
	b.exec("update time_entries set deleted_at = now() where harvest_id = $1", id)
}

// sends makes a write for the cell, and ends it with the result, if there is one.
func (b *weekBundle) sends(row, day int, end func(ledger.Write) ledger.Result) {
	b.t.Helper()
	ctx := b.t.Context()
	b.in(func(tx *db.Tx) error {
		connection, state, err := tx.LockConnection(ctx, b.userID)
		if err != nil {
			return err
		}
		plan, err := tx.WeekPlan(ctx, b.userID, b.week)
		if err != nil {
			return err
		}
		lines := slices.DeleteFunc(plan.PushLines(nil, b.week.End()), func(l ledger.Line) bool { return l.Cell != b.id(row, day) })
		return tx.AddWrites(ctx, b.userID, connection, state, plan, lines, "push-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	})
	if end == nil {
		return
	}
	box, ok, err := b.store.TakeOutbox(ctx, b.connection, time.Minute, func(planner.Date) string { return "" })
	if err != nil || !ok {
		b.t.Fatal(ok, err)
	}
	w, ok, err := box.Next(ctx)
	if err != nil || !ok {
		b.t.Fatal(ok, err)
	}
	if err := box.Begin(ctx, w); err != nil {
		b.t.Fatal(err)
	}
	if err := box.Settle(ctx, w, end(w)); err != nil {
		b.t.Fatal(err)
	}
	if _, _, err := box.Release(ctx); err != nil {
		b.t.Fatal(err)
	}
}

// sent plans an hour, "ours", and has it in Harvest.
func (b *weekBundle) sent(row, day int, id int64) {
	b.t.Helper()
	b.plan(row, day, 60, "ours")
	b.sends(row, day, func(w ledger.Write) ledger.Result {
		at := time.Now().Truncate(time.Second)
		return ledger.Result{State: ledger.Done, Attempt: ledger.Attempt{Action: ledger.ActionSend, Outcome: ledger.OutcomeApplied}, Remote: &ledger.RemoteEntry{
			ID: id, ClientID: 1, ClientName: "Birch & Sons", ProjectID: 2, ProjectName: "Website", TaskID: int64(3 + row), TaskName: [2]string{"Design", "Review"}[row],
			SpentDate: w.Entry.SpentDate, Hours: w.Entry.Hours, Notes: w.Entry.Notes, ReferenceID: w.Reference, ReferenceGroup: ledger.ReferenceGroup, CreatedAt: at, UpdatedAt: at,
		}}
	})
}

// refused is the answer of a Harvest that does not want it.
func refused(ledger.Write) ledger.Result {
	return ledger.Result{State: ledger.Rejected, Attempt: ledger.Attempt{
		Action: ledger.ActionSend, Outcome: ledger.OutcomeKind(ledger.Refused), Reason: string(ledger.ReasonInvalid), Status: 422, Message: "The project is archived",
	}}
}

// fieldsOf are the fields of a form, with the button that is pressed.
func (a answer) fieldsOf(t *testing.T, form, choice string) url.Values {
	t.Helper()
	found := a.page(t).Find(form).First()
	if found.Find(`button[name="choice"][value="`+choice+`"]`).Length() == 0 {
		t.Fatalf("%s has no answer %q: %s", form, choice, found.Text())
	}
	values := url.Values{"choice": {choice}}
	found.Find("input[name], select[name]").Each(func(_ int, s *goquery.Selection) {
		value := s.AttrOr("value", "")
		if s.Is("select") {
			value = s.Find("option").First().AttrOr("value", "")
		}
		values.Set(s.AttrOr("name", ""), value)
	})
	return values
}

const answersForm = "form.answers"

// labels are the buttons of the first form of answers.
func (a answer) labels(t *testing.T) []string {
	t.Helper()
	var labels []string
	a.page(t).Find(answersForm).First().Find("button").Each(func(_ int, s *goquery.Selection) { labels = append(labels, s.Text()) })
	return labels
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// says checks what can be read in an element, text by text.
func (a answer) says(t *testing.T, selector string, parts ...string) {
	t.Helper()
	var texts []string
	for _, root := range a.page(t).Find(selector).Nodes {
		for n := range root.Descendants() {
			if n.Type == html.TextNode {
				texts = append(texts, n.Data)
			}
		}
	}
	text := words(strings.Join(texts, " "))
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not say %q: %s", selector, part, text)
		}
	}
}

// TestTakeTheirs: both values are shown, one is taken, once; the loser is in the
// history, and can be put back.
func TestTakeTheirs(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	b.entry(0, 0, 70, 175, "theirs")
	cell := b.cellPath(0, 0)
	page := b.get(cell)
	page.says(t, ".settle", "Changed in Harvest", "Planned here 1:00 ours", "In Harvest 1:45 theirs", "Sent before 1:00 ours")
	if got := page.labels(t); !slices.Equal(got, []string{"Take Harvest's", "Keep mine"}) {
		t.Errorf("answers %q", got)
	}
	form := page.fieldsOf(t, answersForm, views.AnswerTake)
	writes := b.count("select count(*) from writes")
	for _, want := range []string{"The plan is what Harvest has.", "That is done already."} { // pressed twice
		got := b.post(cell+"/choose", form)
		if got.status != http.StatusSeeOther || got.location() != cell {
			t.Fatalf("status %d to %s: %s", got.status, got.location(), got.body)
		}
		b.get(cell).says(t, ".flash", want)
	}
	if c := b.cell(0, 0); c.Planned != 105 || c.Note != "theirs" || c.Mark() != ledger.MarkInHarvest {
		t.Errorf("cell %+v", c)
	}
	if n := b.count("select count(*) from plan_events where kind = 'take_theirs'"); n != 1 {
		t.Errorf("it was taken %d times", n)
	}
	if n := b.count("select count(*) from writes"); n != writes {
		t.Error("something is sent")
	}

	page = b.get(cell)
	if page.page(t).Find(".settle").Length() != 0 {
		t.Error("there is still something to settle")
	}
	page.says(t, "ol.entries", "taken from Harvest Put back 1:00 “ours” 1:00 “ours” → became 1:45 “theirs”")
	back := page.fieldsOf(t, "ol.entries form", views.AnswerRestore)
	for range 2 {
		if got := b.post(cell+"/choose", back); got.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	if c := b.cell(0, 0); c.Planned != 60 || c.Note != "ours" {
		t.Errorf("cell %+v", c)
	}
	if n := b.count("select count(*) from plan_events"); n != 3 {
		t.Errorf("%d changes of the plan, want 3", n)
	}
	if got := b.post(cell+"/choose", url.Values{"choice": {views.AnswerRestore}, "version": back["version"], "event": back["event"], "mutation_id": {"another form"}}); got.status != http.StatusSeeOther {
		t.Errorf("putting back what is there already: status %d", got.status)
	}
}

// TestKeepMine: the plan goes over what Harvest has, by a push of that one line.
func TestKeepMine(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	b.plan(1, 0, 30, "not asked about")
	b.entry(0, 0, 70, 175, "theirs")
	form := b.get(b.cellPath(0, 0)).fieldsOf(t, answersForm, views.AnswerSend)
	before := b.rung(b.connection)
	for range 2 {
		if got := b.post(b.cellPath(0, 0)+"/choose", form); got.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	writes, err := b.store.Writes(t.Context(), db.WriteFilter{UserID: b.userID, States: []ledger.State{ledger.Pending}})
	if err != nil || len(writes) != 1 {
		t.Fatalf("%d writes, %v", len(writes), err)
	}
	if w := writes[0]; w.Op != ledger.OpUpdate || w.RemoteID != 70 || w.Entry.Hours != 100 || w.Entry.Notes != "ours" {
		t.Errorf("write %+v", w)
	}
	if n := b.rung(b.connection) - before; n != 1 {
		t.Errorf("rung %d times", n)
	}
	if page := b.get(b.cellPath(0, 0)); page.page(t).Find(".settle").Length() != 0 {
		t.Error("it is asked about again while it is on its way")
	}
}

// TestSendTimed: in an account with start and end times what is missing starts
// where the review of a push proposes it, if there is room on the day.
func TestSendTimed(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.exec("update harvest_connections set timestamp_timers = true")
	b.plan(0, 0, 60, "")
	b.plan(1, 0, 90, "")
	form := b.get(b.cellPath(1, 0)).fieldsOf(t, answersForm, views.AnswerSend)
	if got := b.post(b.cellPath(1, 0)+"/choose", form); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	writes, err := b.store.Writes(t.Context(), db.WriteFilter{UserID: b.userID})
	if err != nil || len(writes) != 1 || writes[0].Entry.Start.IsZero() || writes[0].Entry.Hours != 150 {
		t.Errorf("writes %+v, %v", writes, err)
	}

	b.plan(0, 1, planner.MaxCell-60, "")
	page := b.get(b.cellPath(0, 1))
	if got := page.labels(t); !slices.Equal(got, []string{"Plan nothing, as tracked", "Move 23:00 to"}) {
		t.Errorf("answers %q", got)
	}
	page.says(t, ".settle", "It can be sent by “Review and push”, where you say when it starts.")
}

// TestChoiceIsStale: a choice between other values than those of the moment is
// not carried out, and the page says how things stand. Nothing is lost.
func TestChoiceIsStale(t *testing.T) {
	t.Parallel()
	for _, choice := range []string{views.AnswerTake, views.AnswerSend, views.AnswerRestore} {
		for _, tt := range []struct {
			name     string
			meantime func(*weekBundle)
			fine     string // an answer that does not mind
		}{
			{"the plan was edited in another tab", func(b *weekBundle) { b.plan(0, 0, 90, "other tab") }, ""},
			{"Harvest has something else by now", func(b *weekBundle) { b.entry(0, 0, 70, 200, "once more") }, views.AnswerRestore},
			{"only the note is another one by now", func(b *weekBundle) { b.entry(0, 0, 70, 175, "once more") }, views.AnswerRestore},
			{"it was deleted there by now", func(b *weekBundle) { b.deleted(70) }, views.AnswerRestore},
			{"mine was kept in another tab", func(b *weekBundle) { b.sends(0, 0, nil) }, views.AnswerRestore},
		} {
			if choice == tt.fine {
				continue
			}
			t.Run(choice+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				b := midweek(t)
				b.sent(0, 0, 70)
				b.entry(0, 0, 70, 175, "theirs")
				page := b.get(b.cellPath(0, 0))
				form := answersForm
				if choice == views.AnswerRestore {
					form = "ol.entries form"
				}
				values := page.fieldsOf(t, form, choice)
				tt.meantime(b)
				before := b.everythingOf(b.userID)
				got := b.post(b.cellPath(0, 0)+"/choose", values)
				if got.status != http.StatusConflict {
					t.Fatalf("status %d: %s", got.status, got.body)
				}
				got.says(t, "#cell", movedOn)
				if after := b.everythingOf(b.userID); after != before {
					t.Errorf("something changed:\n%s\nwas\n%s", after, before)
				}
				if part := b.post(b.cellPath(0, 0)+"/choose", values, htmxHeaders...); part.status != http.StatusConflict || strings.Contains(part.body, "<html") {
					t.Errorf("in the panel: status %d, %.100s", part.status, part.body)
				}
			})
		}
	}
}

// TestChoiceInTwoTabs: of two answers given at once one counts, and the other
// one is told how things stand.
func TestChoiceInTwoTabs(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	b.entry(0, 0, 70, 175, "theirs")
	answers := make(chan answer)
	tabs := [2]answer{b.get(b.cellPath(0, 0)), b.get(b.cellPath(0, 0))}
	for i, choice := range []string{views.AnswerTake, views.AnswerSend} {
		form := tabs[i].fieldsOf(t, answersForm, choice)
		go func() { answers <- b.post(b.cellPath(0, 0)+"/choose", form) }()
	}
	got := []int{(<-answers).status, (<-answers).status}
	slices.Sort(got)
	if !slices.Equal(got, []int{http.StatusSeeOther, http.StatusConflict}) {
		t.Errorf("status %v", got)
	}
	taken, kept := b.count("select count(*) from plan_events where kind = 'take_theirs'"), b.count("select count(*) from writes where state = 'pending'")
	if taken+kept != 1 {
		t.Errorf("taken %d times, kept %d times", taken, kept)
	}
}

func TestChoiceMalformed(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	b.entry(0, 0, 70, 175, "theirs")
	good := b.get(b.cellPath(0, 0)).fieldsOf(t, answersForm, views.AnswerTake)
	before := b.everythingOf(b.userID)
	for _, tt := range []struct {
		name, field, value string
		want               int
	}{
		{"no answer", "choice", "", http.StatusBadRequest},
		{"an unknown answer", "choice", "burn", http.StatusBadRequest},
		{"no version", "version", "", http.StatusBadRequest},
		{"a short mutation id", "mutation_id", "short", http.StatusBadRequest},
		{"a long mutation id", "mutation_id", strings.Repeat("x", 65), http.StatusBadRequest},
		{"no fingerprint", "theirs", "", http.StatusConflict},
		{"another line", "line", "1-1/2026-11-23/create/0/150/\"\"", http.StatusConflict},
		{"a day that is none", "to", "tomorrow", http.StatusBadRequest},
		{"a day of another week", "to", b.week.Next().Start.String(), http.StatusConflict},
		{"an entry that is none", "entry", "x", http.StatusBadRequest},
		{"an entry that is not there", "entry", "999", http.StatusNotFound},
		{"an event that is none", "event", "x", http.StatusBadRequest},
		{"an event that is not there", "event", "999999", http.StatusNotFound},
	} {
		form := url.Values{}
		for name, values := range good {
			form[name] = values
		}
		form.Set(tt.field, tt.value)
		if answer := map[string]string{"line": "send", "to": "move", "entry": "adopt", "event": "restore"}[tt.field]; answer != "" {
			form.Set("choice", answer)
		}
		if got := b.post(b.cellPath(0, 0)+"/choose", form); got.status != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, got.status, tt.want)
		}
	}
	if after := b.everythingOf(b.userID); after != before {
		t.Errorf("something changed:\n%s\nwas\n%s", after, before)
	}
}

// TestDeletedThere: what was deleted in Harvest is not made again by itself. Its
// row may go with it, and the plan can be put back all the same.
func TestDeletedThere(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	b.deleted(70)
	cell := b.cellPath(0, 0)
	page := b.get(cell)
	page.says(t, ".settle", "Deleted in Harvest", "Planned here 1:00", "In Harvest –", "Sent before 1:00", "It is not sent again unless you say so.")
	if got := page.labels(t); !slices.Equal(got, []string{"Clear it here too", "Send it again", "Move 1:00 to"}) {
		t.Errorf("answers %q", got)
	}
	if got := b.post(cell+"/choose", page.fieldsOf(t, answersForm, views.AnswerTake)); got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	if c := b.cell(0, 0); c.Planned != 0 || c.Ours != nil {
		t.Errorf("cell %+v", c)
	}
	back := b.get(cell).fieldsOf(t, "ol.entries form", views.AnswerRestore)
	if got := b.post(cell+"/choose", back); got.status != http.StatusSeeOther || b.cell(0, 0).Planned != 60 {
		t.Errorf("status %d, cell %+v", got.status, b.cell(0, 0))
	}

	b.sent(0, 1, 71)
	b.deleted(71)
	form := b.get(b.cellPath(0, 1)).fieldsOf(t, answersForm, views.AnswerSend)
	if got := b.post(b.cellPath(0, 1)+"/choose", form); got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	if c := b.cell(0, 1); c.Ours == nil || c.Ours.Write == nil || c.Ours.Write.Op != ledger.OpCreate || c.Ours.Gone {
		t.Errorf("ours %+v", c.Ours)
	}
}

func TestMovedThere(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.sent(0, 0, 70)
	b.entry(1, 2, 70, 100, "ours")
	page := b.get(b.cellPath(0, 0))
	where := "on " + shortDay(b.week.Day(2)) + " · Birch & Sons Website Review"
	page.says(t, ".settle", "Moved in Harvest", "In Harvest 1:00 "+where)
	if got := page.labels(t); !slices.Equal(got, []string{"Take Harvest's, plan it there", "Keep mine, move it back"}) {
		t.Errorf("answers %q", got)
	}
	if got := b.post(b.cellPath(0, 0)+"/choose", page.fieldsOf(t, answersForm, views.AnswerTake)); got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	if here, there := b.cell(0, 0), b.cell(1, 2); here.Planned != 0 || there.Planned != 60 || there.Mark() != ledger.MarkInHarvest {
		t.Errorf("here %+v, there %+v", here, there)
	}
}

// TestAdoptEntry: an entry that was not sent from here says what adopting means,
// and is not touched before that.
func TestAdoptEntry(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.entry(0, 0, 71, 150, "by hand")
	b.entry(0, 0, 72, 25, "invoiced", func(e *ledger.RemoteEntry) { e.IsLocked = true })
	page := b.get(b.cellPath(0, 0))
	page.says(t, "#adopt", "Furrow never changes an entry that it did not make.")
	if n := page.page(t).Find(`button[value="adopt"]`).Length(); n != 1 {
		t.Fatalf("%d entries can be adopted, want the one that is not locked", n)
	}
	form := page.fieldsOf(t, ".entries form", views.AnswerAdopt)
	locked := url.Values{}
	for name, values := range form {
		locked[name] = values
	}
	locked.Set("entry", "72")
	if got := b.post(b.cellPath(0, 0)+"/choose", locked); got.status != http.StatusConflict {
		t.Errorf("a locked one: status %d", got.status)
	}
	for range 2 {
		if got := b.post(b.cellPath(0, 0)+"/choose", form); got.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	if n := b.count("select count(*) from writes where op = 'adopt' and remote_id = 71"); n != 1 {
		t.Errorf("%d adoptions", n)
	}
	if n := b.rung(b.connection); n != 1 {
		t.Errorf("rung %d times", n)
	}
	if c := b.cell(0, 0); c.Planned != 105 || c.Note != "by hand" {
		t.Errorf("cell %+v", c)
	}
	if n := b.get(b.cellPath(0, 0)).page(t).Find(`button[value="adopt"]`).Length(); n != 0 {
		t.Error("another one can be adopted meanwhile")
	}
}

// TestReconcile steps through a week: each answer settles its cell, and leads to
// the next one that is left.
func TestReconcile(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	start := b.path + "/reconcile"
	if text := b.get(b.path).text(t, "#differ"); text != "" {
		t.Errorf("an empty week says %q", text)
	}
	b.get(start).says(t, "main", "The plan and Harvest agree")

	b.plan(0, 0, 120, "prep") // tracked in part
	b.entry(0, 0, 71, 150, "by hand")
	b.plan(1, 0, 60, "nothing of it") // moves on
	b.sent(0, 1, 70)                  // changed
	b.entry(0, 1, 70, 175, "theirs")
	b.plan(1, 1, 30, "archived") // refused
	b.sends(1, 1, refused)
	b.plan(0, 2, 60, "") // tracked in part, today
	b.entry(0, 2, 72, 50, "")
	b.entry(1, 3, 73, 100, "") // not planned
	b.plan(0, 3, 60, "")       // not worked yet

	link := b.get(b.path).page(t).Find("#differ a")
	if words(link.Text()) != "6 cells differ" || link.AttrOr("href", "") != start {
		t.Errorf("link %q to %q", link.Text(), link.AttrOr("href", ""))
	}
	page := b.get(start)
	page.says(t, ".steps", "0:30 less than planned", "1:00 less than planned", "Changed in Harvest", "Harvest refused it", "1:00 tracked, not planned")
	if n := page.page(t).Find(".steps li").Length(); n != 6 {
		t.Errorf("%d cells are listed", n)
	}

	// answer presses a button of the page, and returns the next one.
	step := func(page answer, choice string, change ...string) answer {
		t.Helper()
		form := page.fieldsOf(t, answersForm, choice)
		for i := 0; i+1 < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		got := b.post(start, form)
		if got.status != http.StatusSeeOther {
			t.Fatalf("%s: status %d: %s", choice, got.status, got.body)
		}
		return b.get(got.location())
	}

	page.says(t, ".stephead", "1 of 6")
	page.says(t, ".step", "Design", "Planned here 2:00", "In Harvest 1:30 not pushed from here")
	if got := page.labels(t); !slices.Equal(got, []string{"Plan 1:30, as tracked", "Send the missing 0:30", "Move 0:30 to"}) {
		t.Errorf("answers %q", got)
	}
	page = step(page, views.AnswerSend)
	if c := b.cell(0, 0); c.Ours == nil || c.Ours.Meant != 50 || c.Planned != 120 {
		t.Errorf("cell %+v, ours %+v", c, c.Ours)
	}

	page.says(t, ".stephead", "1 of 5")
	page.says(t, ".step", "Review", "1:00 less than planned")
	if got := page.fieldsOf(t, answersForm, views.AnswerMove).Get("to"); got != b.week.Day(2).String() {
		t.Errorf("the rest is proposed for %s, want today", got)
	}
	page = step(page, views.AnswerMove, "to", b.week.Day(4).String())
	if here, there := b.cell(1, 0), b.cell(1, 4); here.Planned != 0 || there.Planned != 60 || there.Note != "nothing of it" {
		t.Errorf("here %+v, there %+v", here, there)
	}

	page.says(t, ".step", "Changed in Harvest", "In Harvest 1:45")
	page = step(page, views.AnswerTake)
	if c := b.cell(0, 1); c.Planned != 105 || !c.InStep() {
		t.Errorf("cell %+v", c)
	}

	page.says(t, ".step", "Harvest refused it (422). Harvest said: “The project is archived”.")
	leave := page.page(t).Find(answersForm + " a")
	if words(leave.Text()) != "Leave it" {
		t.Fatalf("no way to leave it: %s", page.text(t, ".step"))
	}
	page = b.get(leave.AttrOr("href", ""))
	page.says(t, ".stephead", "2 of 3")
	page.says(t, ".step", "0:30 less than planned")
	page = step(page, views.AnswerTake)
	if c := b.cell(0, 2); c.Planned != 30 {
		t.Errorf("cell %+v", c)
	}

	page.says(t, ".stephead", "2 of 2")
	if got := page.labels(t); !slices.Equal(got, []string{"Plan 1:00, as tracked"}) {
		t.Errorf("answers %q", got)
	}
	page = step(page, views.AnswerTake)
	page.says(t, "main", "1 cell differs", "You have been through all of them.", "Harvest refused it")
	if b.cell(0, 3).Planned != 60 {
		t.Error("what is not worked yet was touched")
	}

	// From the list, the one that was left.
	page = b.get(page.page(t).Find(".steps a").AttrOr("href", ""))
	stale := page.fieldsOf(t, answersForm, views.AnswerTake)
	page = step(page, views.AnswerTake)
	page.says(t, "main", "The plan and Harvest agree")
	if got := b.get(b.path).text(t, "#differ"); got != "" {
		t.Errorf("the week says %q", got)
	}
	stale.Set("mutation_id", "a stale form")
	got := b.post(start, stale)
	if got.status != http.StatusConflict {
		t.Errorf("a stale answer: status %d", got.status)
	}
	got.says(t, "main", movedOn)
}

func TestReconcileAddress(t *testing.T) {
	t.Parallel()
	b := midweek(t)
	b.plan(0, 0, 60, "")
	b.plan(1, 1, 60, "")
	at := func(key string) string { return b.path + "/reconcile?cell=" + url.QueryEscape(key) }
	first, second := views.CellKey(rowKey(b.rows[0]), 0), views.CellKey(rowKey(b.rows[1]), 1)
	for _, tt := range []struct {
		key  string
		want int
		says string
	}{
		{"", http.StatusOK, "1 of 2"},
		{first, http.StatusOK, "1 of 2"},
		{second, http.StatusOK, "2 of 2"},
		{views.CellKey(rowKey(b.rows[1]), 0), http.StatusOK, "2 of 2"},
		{"9999-9999.0", http.StatusOK, "2 of 2"},
		{views.CellKey(rowKey(b.rows[1]), 2), http.StatusOK, "You have been through all"},
		{views.ReconcileEnd, http.StatusOK, "You have been through all"},
		{"nonsense", http.StatusNotFound, ""},
		{"1-1.9", http.StatusNotFound, ""},
		{"1-x.0", http.StatusNotFound, ""},
	} {
		got := b.get(at(tt.key))
		if got.status != tt.want || !strings.Contains(words(got.page(t).Find("main").Text()), tt.says) {
			t.Errorf("%q: status %d: %s", tt.key, got.status, words(got.page(t).Find("main").Text()))
		}
	}
	if got := b.get(views.WeekPath(planner.Week{Start: b.week.Day(1)}) + "/reconcile"); got.status != http.StatusNotFound {
		t.Errorf("another day than the first: status %d", got.status)
	}
	if got := b.post(b.path+"/reconcile", url.Values{"choice": {"take"}, "row": {"x"}, "day": {"0"}}); got.status != http.StatusNotFound {
		t.Errorf("no row: status %d", got.status)
	}
}
