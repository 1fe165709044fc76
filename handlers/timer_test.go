package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
)

// mondayNoon puts the program's clock to noon of the Monday of Ada's week.
func (b *testBundle) mondayNoon() {
	b.t.Helper()
	noon := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	b.clock.Store(int64(time.Until(noon) / time.Second))
}

// settles brings the newest write of a user to its end: Harvest has an entry of
// its, with the hours, that was started so long ago if it runs.
func (b *testBundle) settles(userID int64, hours planner.Hours, started time.Duration) {
	b.t.Helper()
	ctx := b.t.Context()
	writes, err := b.store.Writes(ctx, db.WriteFilter{UserID: userID, Most: 1})
	if err != nil || len(writes) == 0 {
		b.t.Fatalf("writes: %v, %v", writes, err)
	}
	for _, statement := range []string{
		"update writes set state = 'done', remote_id = 70, finished_at = now() where id = $1",
		"update pushed_entries p set remote_id = 70 from writes w where w.id = $1 and p.id = w.pushed_entry_id",
	} {
		if _, err := b.pool.Exec(ctx, statement, writes[0].ID); err != nil {
			b.t.Fatal(err)
		}
	}
	_, err = b.pool.Exec(ctx, `
		insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, is_running, timer_started_at, created_at, updated_at)
		select p.user_id, 70, p.project_id, p.task_id, p.spent_date, $2, $3, $4, now(), now()
		from writes w join pushed_entries p on p.id = w.pushed_entry_id where w.id = $1
		on conflict (user_id, harvest_id) do update set hours = excluded.hours, is_running = excluded.is_running, timer_started_at = excluded.timer_started_at`,
		writes[0].ID, int(hours), started > 0, b.clockNow().Add(-started))
	if err != nil {
		b.t.Fatal(err)
	}
}

// secondRow puts another row into Ada's week, and returns its key.
func (b *testBundle) secondRow(ada adaIDs) string {
	b.t.Helper()
	var project, task int64
	err := b.pool.QueryRow(b.t.Context(), `
		with k as (insert into tasks (user_id, harvest_id, name) values ($1, 4, 'Second task') returning id),
		     a as (insert into assignments (user_id, project_id, task_id) select $1, p.id, k.id from projects p, k where p.user_id = $1 returning project_id, task_id)
		insert into week_rows (user_id, week, project_id, task_id) select $1, $2, project_id, task_id from a returning project_id, task_id`,
		ada.user, adaWeek).Scan(&project, &task)
	if err != nil {
		b.t.Fatal(err)
	}
	return rowKey(planner.RowID{ProjectID: project, TaskID: task})
}

// TestTimers: a timer is started from a cell, shows on every page, warns, and is
// stopped.
func TestTimers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mondayNoon()
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	cell := adaPath + "/cells/" + ada.row + "/"

	page := in.get(adaPath)
	if got := page.page(t).Find(`button.start`); got.Length() != 1 || got.AttrOr("formaction", "") != cell+"0/start" || got.AttrOr("form", "") != "timers" {
		t.Fatalf("buttons that start a timer: %d, %q", got.Length(), got.AttrOr("formaction", ""))
	}
	mutation := page.field(t, "mutation_id")
	if got := in.post(cell+"0/start", url.Values{"mutation_id": {"short"}}); got.status != http.StatusBadRequest {
		t.Errorf("a malformed mutation id: status %d", got.status)
	}
	if got := in.post(cell+"1/start", url.Values{"mutation_id": {mutation}}); got.status != http.StatusConflict || !strings.Contains(got.body, "only today") {
		t.Errorf("a timer for tomorrow: status %d", got.status)
	}
	jobs := b.count("select count(*) from river_job")
	for range 2 { // the same form twice is one timer
		if got := in.post(cell+"0/start", url.Values{"mutation_id": {mutation}}); got.status != http.StatusSeeOther || got.location() != adaPath+"#d0" {
			t.Fatalf("status %d to %q: %s", got.status, got.location(), got.body)
		}
	}
	if n := b.count("select count(*) from writes where op = 'start'"); n != 1 {
		t.Errorf("%d starts", n)
	}
	if n := b.count("select count(*) from river_job"); n != jobs+1 {
		t.Errorf("%d jobs, want 1", n-jobs)
	}
	if got := in.post(cell+"0/start", url.Values{"mutation_id": {"another timer"}}); got.status != http.StatusConflict || !strings.Contains(got.body, "starting on this cell already") {
		t.Errorf("a second timer: status %d", got.status)
	}
	for _, path := range []string{adaPath, "/ledger", "/settings"} {
		if got := in.get(path).text(t, "#timer .t"); got != "starting" {
			t.Errorf("%s: the timer is %q", path, got)
		}
	}

	b.settles(ada.user, 0, 75*time.Minute)
	page = in.get(adaPath)
	if got := page.text(t, ".grid .running"); got != "tracked 1:15 running since 10:45" {
		t.Errorf("the cell says %q", got)
	}
	if got := page.page(t).Find(`.grid .stop`); got.Length() != 1 || got.AttrOr("formaction", "") != cell+"0/stop" {
		t.Errorf("%d buttons that stop the timer", got.Length())
	}
	if got := page.text(t, "#timer .mark"); got != "" {
		t.Errorf("it warns %q within the plan", got)
	}
	if got := in.get("/settings"); strings.Join(strings.Fields(got.text(t, "#timer .t")), " ") != "1:15 running since 10:45" {
		t.Errorf("the timer is %q", got.text(t, "#timer .t"))
	} else if form := got.page(t).Find("#timer form"); form.AttrOr("action", "") != cell+"0/stop" || form.Find("[name=next]").AttrOr("value", "") != "/settings" {
		t.Error("no way to stop it")
	}

	// Half an hour later it is past its plan of 1:30, and the poll knows.
	poll := page.page(t).Find("#sync-status").AttrOr("hx-get", "")
	b.clock.Add(int64(30 * time.Minute / time.Second))
	live := in.get(poll)
	if got := live.text(t, ".running"); got != "tracked 1:45 running since 10:45" {
		t.Errorf("the poll says %q", got)
	}
	if !strings.Contains(live.text(t, ".diff"), "0:15 over the plan") || live.text(t, "#timer .mark") != "0:15 over the plan." {
		t.Errorf("the poll warns %q and %q", live.text(t, ".diff"), live.text(t, "#timer .mark"))
	}
	if got := live.page(t).Find("#timer [name=next]").AttrOr("value", ""); got != adaPath {
		t.Errorf("stopping it leads to %q", got)
	}
	// The day after, it is past its day.
	b.clock.Add(int64(12 * time.Hour / time.Second))
	if got := in.get("/ledger").text(t, "#timer .mark"); !strings.Contains(got, "It has been running since yesterday.") {
		t.Errorf("it warns %q", got)
	}
	if got := in.get(cell + "0"); got.page(t).Find(".timing button").Text() != "Stop the timer" || !strings.Contains(got.text(t, ".timing"), "since yesterday") {
		t.Errorf("the cell's page: %q", got.text(t, ".timing"))
	}

	if got := in.post(cell+"0/stop", url.Values{"next": {"/ledger"}}); got.status != http.StatusSeeOther || got.location() != "/ledger" {
		t.Fatalf("status %d to %q", got.status, got.location())
	}
	if got := in.get("/ledger").text(t, "#timer .t"); !strings.HasSuffix(got, "stopping") {
		t.Errorf("the timer is %q", got)
	}
	b.settles(ada.user, 175, 0)
	page = in.get(adaPath)
	if page.page(t).Find("#timer .timer").Length() != 0 || page.text(t, ".grid td.s-waiting > .t") != "tracked 1:45" {
		t.Errorf("after the stop: %q", page.text(t, ".grid"))
	}
	if got := in.post(cell+"0/stop", url.Values{"next": {"//elsewhere.example"}}); got.location() != "/" {
		t.Errorf("it leads to %q", got.location())
	}
	if got := in.get(adaPath).text(t, "#notice"); !strings.Contains(got, "No timer runs on that cell any more.") {
		t.Errorf("stopping nothing: %q", got)
	}
}

// TestTimerTakenBack: stopping what Harvest was never told of says so, and since
// when the time was not tracked.
func TestTimerTakenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mondayNoon()
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	cell := adaPath + "/cells/" + ada.row + "/0"

	// By starting another one.
	other := b.secondRow(ada)
	in.post(adaPath+"/cells/"+other+"/0/start", url.Values{"mutation_id": {"other timer"}})
	in.post(cell+"/start", url.Values{"mutation_id": {"ada's timer"}})
	if got := in.get(adaPath).text(t, "#notice"); !strings.Contains(got, "The one on Ada's project, Second task had not been started in Harvest yet") {
		t.Errorf("it says %q", got)
	}

	// By stopping it.
	b.exec("update writes set created_at = $1 where op = 'start'", b.clockNow().Add(-46*time.Minute))
	in.post(cell+"/stop", nil)
	page := in.get(adaPath)
	if got := page.text(t, "#notice"); !strings.Contains(got, "never ran and nothing was tracked. You asked for it at 11:14, 0:46 ago.") {
		t.Errorf("it says %q", got)
	}
	if page.page(t).Find("#timer .timer, .grid .running").Length() != 0 || page.page(t).Find(".grid .start").Length() != 2 {
		t.Error("the timer is still there")
	}
	write := "/ledger/" + strconv.Itoa(b.count("select min(id) from writes where op = 'start'"))
	if got := in.get(write); !strings.Contains(got.body, "It never ran, so nothing was tracked.") {
		t.Errorf("%s: status %d, without saying that nothing was tracked", write, got.status)
	}
}

// TestTimerRefused: the cell says why no timer was started.
func TestTimerRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mondayNoon()
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	cell := adaPath + "/cells/" + ada.row + "/0"
	in.post(cell+"/start", url.Values{"mutation_id": {"ada's timer"}})
	for _, tt := range []struct {
		reason ledger.Reason
		status int
		want   string
	}{
		{ledger.ReasonInvalid, http.StatusUnprocessableEntity, "The timer was not started. Harvest refused it (422). Start it again when that is settled."},
		{ledger.ReasonLate, 0, "Its day was over before Harvest could be told"},
	} {
		b.exec("update writes set state = 'rejected', error_reason = $1, error_status = $2 where op = 'start'", string(tt.reason), tt.status)
		page := in.get(adaPath)
		if got := page.page(t).Find(".grid td.s-needs .d").AttrOr("title", ""); !strings.Contains(got, tt.want) {
			t.Errorf("the cell says %q, want %q", got, tt.want)
		}
		if got := in.get(cell).text(t, ".state"); !strings.Contains(got, tt.want) {
			t.Errorf("its page says %q, want %q", got, tt.want)
		}
		if page.page(t).Find("#timer .timer").Length() != 0 || page.page(t).Find(".grid .start").Length() != 1 {
			t.Error("the timer shows as if it was to run")
		}
	}
}

// TestForeignTimer: one that was started in Harvest shows, and is not stopped from
// here.
func TestForeignTimer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mondayNoon()
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	project, task, _ := strings.Cut(ada.row, "-")
	ids := make([]int64, 2)
	for i, text := range []string{project, task} {
		var err error
		if ids[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	b.exec(`
		insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, is_running, timer_started_at, created_at, updated_at)
		values ($1, 90, $2, $3, '2026-11-23', 20, true, $4, now(), now())`, ada.user, ids[0], ids[1], b.clockNow().Add(-5*time.Minute))
	b.exec("update harvest_connections set base_uri = 'https://ada.example'")
	before := b.count("select count(*) from writes")
	page := in.get(adaPath)
	// Harvest told 0:12, which is more than what has passed since it was started.
	if got := page.text(t, ".grid .running"); got != "tracked 0:12 running since 11:55" {
		t.Errorf("the cell says %q", got)
	}
	if page.page(t).Find(".grid .stop, .grid .start, #timer form").Length() != 0 || page.page(t).Find("#timer a.button").AttrOr("href", "") != "https://ada.example/time" {
		t.Error("it can be changed from here")
	}
	in.post(adaPath+"/cells/"+ada.row+"/0/stop", nil)
	if got := in.get(adaPath).text(t, "#notice"); !strings.Contains(got, foreignTimer) {
		t.Errorf("it says %q", got)
	}
	if n := b.count("select count(*) from writes"); n != before {
		t.Errorf("%d writes", n-before)
	}
}
