package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox/sandboxtest"
)

// row is a row of the grid: what can be tracked in the sandbox's demo account.
type row struct{ client, project, task string }

func (r row) String() string { return r.client + " " + r.project + " " + r.task }

// Rows of the demo account in which nothing is tracked today.
func freeRows() []row {
	return []row{
		{"Birch & Co", "Consulting", "Workshops"},
		{"Harbour Books", "Catalogue Redesign", "Illustration"},
		{"Lumen Optik", "Brand Identity", "Research"},
		{"Kestrel Cycles", "Bike Configurator", "Testing"},
		{"Ida Berg Studio", "Administration", "Learning"},
	}
}

// today is the day that the demo account's user lives in.
func today(tb testing.TB) time.Time {
	tb.Helper()
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		tb.Fatal(err)
	}
	return time.Now().In(zone)
}

// dayOf counts from Monday, with which the demo account's weeks begin.
func dayOf(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

// entriesOf are the time entries of a row and day that carry a reference of
// ours.
func entriesOf(tb testing.TB, sandbox sandboxtest.Control, r row, day time.Time) []sandboxtest.TimeEntry {
	tb.Helper()
	var found []sandboxtest.TimeEntry
	for _, e := range sandbox.State(tb).Entries() {
		if e.SpentDate == day.Format(time.DateOnly) && e.Client.Name == r.client && e.Project.Name == r.project && e.Task.Name == r.task &&
			e.ExternalReference != nil && e.ExternalReference.ID != "" {
			found = append(found, e)
		}
	}
	return found
}

// onceInHarvest is nil if the sandbox holds a row and day exactly once, with
// hours ("1.5") and note.
func onceInHarvest(tb testing.TB, sandbox sandboxtest.Control, r row, day time.Time, hours, note string) error {
	tb.Helper()
	found := entriesOf(tb, sandbox, r, day)
	if len(found) != 1 {
		return fmt.Errorf("%s is in Harvest %d times: %v", r, len(found), found)
	}
	notes := ""
	if found[0].Notes != nil {
		notes = *found[0].Notes
	}
	if got := found[0].Hours.String(); got != hours || notes != note {
		return fmt.Errorf("%s is in Harvest with %s h and the note %q, want %s h and %q", r, got, notes, hours, note)
	}
	return nil
}

// checkOnce fails the test unless onceInHarvest.
func checkOnce(tb testing.TB, sandbox sandboxtest.Control, r row, day time.Time, hours, note string) {
	tb.Helper()
	if err := onceInHarvest(tb, sandbox, r, day, hours, note); err != nil {
		tb.Error(err)
	}
}

// trackElsewhere makes a time entry as Harvest's own pages do.
func trackElsewhere(tb testing.TB, sandbox sandboxtest.Control, r row, day time.Time, hours string) {
	tb.Helper()
	account := sandbox.State(tb).Account(sandboxtest.AccountID)
	entry := map[string]any{"user_id": sandboxtest.UserID, "spent_date": day.Format(time.DateOnly), "hours": json.Number(hours)}
	for _, p := range account.Projects {
		if p.Name == r.project {
			entry["project_id"] = p.ID
		}
	}
	for _, t := range account.Tasks {
		if t.Name == r.task {
			entry["task_id"] = t.ID
		}
	}
	sandbox.WebCreate(tb, entry)
}

// ours counts the time entries that Furrow made: those with a reference that
// leads to a week. The demo account has some of another program.
func ours(state sandboxtest.State) int {
	count := 0
	for _, e := range state.Entries() {
		if e.ExternalReference != nil && strings.Contains(e.ExternalReference.Permalink, "/weeks/") {
			count++
		}
	}
	return count
}
