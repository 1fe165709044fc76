package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/planner"
	"furrow/views"
)

// schedules shows what runs by itself: how often, when it last did, what came of
// it, and when it is due again.
func (h *adminHandler) schedules(w http.ResponseWriter, r *http.Request) error {
	list, err := h.store.Schedules(r.Context())
	if err != nil {
		return err
	}
	page := views.AdminTablePage{
		Tab: views.AdminSchedules, Heading: "Schedules", Intro: "What runs by itself, in whichever process is first.",
		Table: views.AdminTable{
			Columns: []views.Column{{Name: "What"}, {Name: "Every", Short: true}, {Name: "Last start", Short: true}, {Name: "What came of it"}, {Name: "Took", Numbers: true}, {Name: "Next", Short: true}, {Name: "By hand"}},
			Empty:   "No worker has run yet.",
		},
	}
	moment, now := h.moments(r), h.now()
	for i := range list {
		s := &list[i]
		outcome := views.TableCell{Text: "well", Tone: views.FlashGood}
		if s.Failures > 0 {
			outcome = views.TableCell{Text: "failed " + strconv.Itoa(s.Failures) + " times in a row", Tone: views.FlashBad, Note: s.Error}
			if s.Failures == 1 {
				outcome.Text = "failed"
			}
		}
		does := views.TableCell{}
		if runnable(s.Name) && mayAct(r) {
			does.Actions = []views.TableAction{{URL: views.RunSchedulePath(s.Name), Label: "Run now", Of: scheduleWords(s.Name)}}
		}
		page.Table.Rows = append(page.Table.Rows, []views.TableCell{
			{Text: scheduleWords(s.Name)}, {Text: span(s.Every)}, {Text: ageOf(s.Started, now), Note: moment(s.Started).Text}, outcome,
			{Text: tookWords(s.Ended.Sub(s.Started))}, nextRun(s, now, moment), does,
		})
	}
	return h.table(w, r, page)
}

// late is how much longer than its interval something may stay away before it
// counts as late: a round of the sweep, and a start of the program.
const late = time.Minute

// nextRun tells when something is due again, or how late it is.
func nextRun(s *db.Schedule, now time.Time, moment func(time.Time) views.Moment) views.TableCell {
	next := s.Started.Add(s.Every)
	if lag := now.Sub(next); lag > late && s.Name != jobs.SchedulePulls {
		return views.TableCell{Text: span(lag) + " late", Tone: views.FlashBad}
	}
	if next.Before(now) {
		return views.TableCell{Text: "now"}
	}
	return views.TableCell{Text: moment(next).Text}
}

func tookWords(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatInt(max(d, 0).Milliseconds(), 10) + " ms"
	}
	return span(d)
}

// scheduleWords tells what runs by itself.
func scheduleWords(name string) string {
	switch name {
	case jobs.ScheduleSweep:
		return "Look for work that nobody is at"
	case jobs.SchedulePulls:
		return "Read what changed in Harvest"
	case jobs.ScheduleRecur:
		return "Plan recurring work"
	case jobs.ScheduleSample:
		return "Take samples for the charts"
	case jobs.ScheduleKeep:
		return "Remove what is over and too old"
	case jobs.ScheduleWatch:
		return "Look for what is wrong, and tell people"
	case ScheduleClean:
		return "Forget ended sessions and log-ins"
	default:
		return name
	}
}

// ScheduleClean is the name under which the program records that it removed
// ended sessions and log-ins.
const ScheduleClean = "sessions"

// runnable reports whether something that runs by itself may be run by hand: it
// is a job, of which there is one at a time.
func runnable(name string) bool { return name == jobs.ScheduleRecur }

// runSchedule runs something now.
func (h *adminHandler) runSchedule(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if !runnable(name) {
		return fmt.Errorf("run %q: %w", name, planner.ErrNotFound)
	}
	actor := currentUser(r).ID
	err := h.store.InTx(r.Context(), func(tx *db.Tx) error {
		if err := h.queue.RecurNow(r.Context(), tx); err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "schedules.run", "schedule "+name, map[string]any{})
	})
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "It is run as soon as a worker is free. Asked for twice within a minute, it is run once.")
	return h.redirect(w, r, views.AdminSchedulesPath)
}
