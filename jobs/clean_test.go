package jobs_test

import (
	"testing"
	"time"

	"furrow/jobs"
)

// TestClean: whoever starts, once a day what is too old goes, and what is to be
// kept for ever stays.
func TestClean(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.exec(t, "insert into audit_events (at, actor, action, subject) values (now() - interval '3 years', 'ida@example.com', 'old', 'x')")
	o.exec(t, "insert into webhooks (body, state, finished_at) select '{}', 'sent', now() - make_interval(days => d) from unnest(array[1, 40]) d")
	work := func() *jobs.Work { return &jobs.Work{Keep: jobs.Retention{Notices: 30 * 24 * time.Hour}} }
	o.run(t, work())
	o.run(t, work())
	waitFor(t, "the job to be done", func() bool {
		return o.one(t, "select count(*)::text from river_job where kind = $1 and state = 'completed'", jobs.CleanArgs{}.Kind()) == "1"
	})
	if left := o.one(t, "select (select count(*) from webhooks)::text || (select count(*) from audit_events)"); left != "11" {
		t.Errorf("%s are left, want one webhook, and the audit", left)
	}
	if n := o.one(t, "select count(*)::text from river_job where kind = $1", jobs.CleanArgs{}.Kind()); n != "1" {
		t.Errorf("%s jobs in a day, want 1", n)
	}
}
