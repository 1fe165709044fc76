package jobs_test

import (
	"fmt"
	"testing"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/planner"
)

// TestRecurrences: whoever starts, and however often, one job a day plans the
// recurring work of everybody half a year ahead. What is wrong with one user keeps
// nothing from another, and running the job again changes nothing.
func TestRecurrences(t *testing.T) {
	t.Parallel()
	ida := setUp(t, benchOptions{})
	jonas := ida.colleague(t)
	for _, b := range []*bench{ida, jonas} {
		user, err := b.store.User(t.Context(), b.userID)
		if err != nil {
			t.Fatal(err)
		}
		today := user.Profile.Today(time.Now())
		// Made three weeks ago, so that three more weeks have come within the horizon.
		rule := planner.Recurrence{Row: b.rows[0], Days: planner.WeekdaysOf(time.Tuesday), Each: planner.Cell{Planned: 60}, StartsOn: today}
		err = b.store.InTx(t.Context(), func(tx *db.Tx) error {
			_, err := tx.MakeRecurrence(t.Context(), user, rule, today.AddDays(-21), "a rule of this user")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	cells := func(b *bench) int { return b.number(t, "select count(*) from cells where user_id = $1", b.userID) }
	is := func(so string) bool {
		return ida.number(t, "select count(*) from river_job where kind = $1 and "+so, jobs.RecurArgs{}.Kind()) == 1
	}
	before := cells(ida)
	ida.exec(t, `create function refuse() returns trigger language plpgsql as 'begin raise exception ''not this one''; end'`)
	ida.exec(t, fmt.Sprintf("create trigger refuse before insert on plan_events for each row when (new.user_id = %d) execute function refuse()", ida.userID))

	stop := ida.run(t, ida.work())
	ida.run(t, ida.work()) // another process
	waitFor(t, "the job to fail for Ida", func() bool { return is("errors is not null") })
	if got := cells(jonas); got != before+3 || cells(ida) != before {
		t.Errorf("Jonas has %d cells, Ida %d; each had %d, and 3 are to come", got, cells(ida), before)
	}
	ida.exec(t, "drop trigger refuse on plan_events")
	waitFor(t, "the job to be done", func() bool { return is("state = 'completed'") })
	stop()
	ida.run(t, ida.work())
	for _, b := range []*bench{ida, jonas} {
		if got := cells(b); got != before+3 {
			t.Errorf("user %d has %d cells, want %d", b.userID, got, before+3)
		}
	}

	ida.exec(t, "update recurrences set filled_to = filled_to - 21") // as if the job had died before it could say so
	ida.exec(t, "update river_job set state = 'available', finalized_at = null where kind = $1", jobs.RecurArgs{}.Kind())
	waitFor(t, "the job to be done again", func() bool {
		return is("state = 'completed'") && ida.number(t, "select count(*) from recurrences where filled_to < current_date + 182") == 0
	})
	for _, b := range []*bench{ida, jonas} {
		if got := cells(b); got != before+3 {
			t.Errorf("user %d has %d cells after another run, want %d", b.userID, got, before+3)
		}
	}
	if n := ida.number(t, "select count(*) from river_job where kind = $1", jobs.RecurArgs{}.Kind()); n != 1 {
		t.Errorf("%d jobs in a day, want 1", n)
	}
}
