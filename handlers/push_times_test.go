package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// TestPushTimes: in an account with start and end times the review proposes when
// entries start, takes another time, and says what cannot be.
func TestPushTimes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	// Harvest has an entry of Tuesday, from half past eight to ten.
	b.exec(`
with c as (update harvest_connections set timestamp_timers = true, clock = '12h' where user_id = $1)
insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, started_minute, ended_minute, created_at, updated_at)
select $1, 77, project_id, task_id, date '2026-11-24', 150, 510, 600, now(), now() from cells where user_id = $1`, ada.user)
	version := in.get(adaPath).field(t, "version")
	in.post(adaPath+"/cells", url.Values{"version": {version}, "p." + ada.row + ".1": {"3:30"}, "p." + ada.row + ".2": {"2"}, "p." + ada.row + ".3": {"24:00"}})

	tuesday, wednesday, thursday := "start/"+ada.row+"/2026-11-24", "start/"+ada.row+"/2026-11-25", "start/"+ada.row+"/2026-11-26"
	byID := func(id string) string { return `[id="` + id + `"]` }
	review := in.get(adaPath + "/push")
	page := review.page(t)
	for _, tt := range []struct{ field, wantValue, wantTimes string }{
		{tuesday, "10:00am", "10:00am–12:00pm"}, {wednesday, "9:00am", "9:00am–11:00am"},
	} {
		input := page.Find(byID(tt.field))
		if got := input.AttrOr("value", "none"); got != tt.wantValue || input.AttrOr("name", "") != tt.field {
			t.Errorf("%s proposes %q, want %q", tt.field, got, tt.wantValue)
		}
		if got := strings.TrimSpace(input.Parent().Find(".num").Text()); got != tt.wantTimes {
			t.Errorf("%s shows %q, want %q", tt.field, got, tt.wantTimes)
		}
		if label := page.Find(`label[for="` + tt.field + `"]`).Text(); !strings.Contains(label, "Ada's project") {
			t.Errorf("%s is labelled %q", tt.field, label)
		}
	}
	if page.Find(byID(thursday)).Length() != 0 || !strings.Contains(page.Text(), "an entry of a whole day does not end before midnight") {
		t.Error("a whole day can be sent, or nothing is said")
	}
	var lines []string
	page.Find(`input[name="line"]:not([disabled])`).Each(func(_ int, line *goquery.Selection) {
		lines = append(lines, line.AttrOr("value", ""))
	})
	if len(lines) != 2 || !strings.Contains(lines[0], "@10:00/") {
		t.Fatalf("lines %q", lines)
	}
	mutation := review.field(t, "mutation_id")

	before := b.count("select count(*) from writes")
	for _, tt := range []struct{ typed, wantError string }{
		{"half past nine", "Write it like 9:00am or 2:30pm."}, {"25:00", "That is not a time of day."}, {"22:00", "It would not end before midnight then."},
		{"10:30pm", "It would not end before midnight then."}, {`"><b>x`, "That is not a time of day."},
	} {
		got := in.post(adaPath+"/push", url.Values{"mutation_id": {mutation}, "line": lines[1:], tuesday: {"1:00pm"}, wednesday: {tt.typed}})
		page := got.page(t)
		input := page.Find(byID(wednesday))
		if got.status != http.StatusUnprocessableEntity || input.AttrOr("value", "") != tt.typed || input.AttrOr("aria-invalid", "") != "true" {
			t.Errorf("%q: status %d, shown as %q", tt.typed, got.status, input.AttrOr("value", ""))
		}
		if said := page.Find(byID(input.AttrOr("aria-describedby", ""))).Text(); !strings.Contains(said, tt.wantError) {
			t.Errorf("%q is told as %q, want %q", tt.typed, said, tt.wantError)
		}
		// What else was typed and ticked stays as it was.
		if v := page.Find(byID(tuesday)).AttrOr("value", ""); v != "1:00pm" || page.Find(`input[name="line"][checked]`).Length() != 1 {
			t.Errorf("the other line shows %q, %d are ticked", v, page.Find(`input[name="line"][checked]`).Length())
		}
	}
	// A form from before something was tracked proposed another start.
	stale := strings.Replace(lines[0], "@10:00/", "@09:00/", 1)
	if got := in.post(adaPath+"/push", url.Values{"mutation_id": {mutation}, "line": {stale}}); got.status != http.StatusConflict {
		t.Errorf("a stale start: status %d", got.status)
	}
	if n := b.count("select count(*) from writes"); n != before {
		t.Fatalf("refused pushes made %d writes", n-before)
	}

	// One starts when it is told to, though it overlaps; one as proposed.
	got := in.post(adaPath+"/push", url.Values{"mutation_id": {mutation}, "line": lines, tuesday: {"9.30"}, wednesday: {""}})
	if got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	for date, want := range map[string]string{"2026-11-24": "09:30", "2026-11-25": "09:00"} {
		if n := b.count("select count(*) from writes where payload->>'spent_date' = $1 and payload->>'start' = $2", date, want); n != 1 {
			t.Errorf("%s does not start at %s", date, want)
		}
	}
	if text := in.get(adaPath).page(t).Text(); !strings.Contains(text, "2 lines are scheduled") || !strings.Contains(text, "1 of them overlaps another entry of its day.") {
		t.Errorf("after the push: %s", text)
	}
}

// TestNoRoomBeforeMidnight: a line that does not fit behind the day's last
// entry is sent only when somebody has said when it starts.
func TestNoRoomBeforeMidnight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada := b.ada()
	in := b.loggedIn(adaEmail)
	b.exec(`
with c as (update harvest_connections set timestamp_timers = true where user_id = $1)
insert into time_entries (user_id, harvest_id, project_id, task_id, spent_date, hours, started_minute, ended_minute, created_at, updated_at)
select $1, 77, project_id, task_id, date '2026-11-24', 100, 1330, 1390, now(), now() from cells where user_id = $1`, ada.user)
	version := in.get(adaPath).field(t, "version")
	in.post(adaPath+"/cells", url.Values{"version": {version}, "p." + ada.row + ".1": {"3"}})
	review := in.get(adaPath + "/push?day=2026-11-24")
	page := review.page(t)
	line := page.Find(`input[name="line"]:not([disabled])`)
	value, ticked := line.AttrOr("value", ""), line.Is("[checked]")
	if line.Length() != 1 || ticked || !strings.Contains(page.Text(), "there is no room for it. Say when it starts") {
		t.Fatalf("%d lines, ticked %t: %s", line.Length(), ticked, page.Text())
	}
	form := url.Values{"mutation_id": {review.field(t, "mutation_id")}, "day": {"2026-11-24"}, "line": {value}}
	if got := in.post(adaPath+"/push", form); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "Say when it starts.") {
		t.Errorf("without a start: status %d", got.status)
	}
	form.Set("start/"+ada.row+"/2026-11-24", "7:00")
	if got := in.post(adaPath+"/push", form); got.status != http.StatusSeeOther {
		t.Errorf("with a start: status %d", got.status)
	}
	if n := b.count("select count(*) from writes where payload->>'start' = '07:00'"); n != 1 {
		t.Errorf("%d writes start at 7:00", n)
	}
}
