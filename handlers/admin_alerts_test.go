package handlers

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"furrow/ledger/notice"
)

// TestAdminAlerts: what is wrong comes first, then what was. What was told to a
// user is theirs.
func TestAdminAlerts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ida := b.ida()
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	if got := root.get("/admin/alerts"); got.status != http.StatusOK || !strings.Contains(got.text(t, ".nothing"), "Nothing is wrong") {
		t.Errorf("empty: status %d, %q", got.status, got.text(t, ".nothing"))
	}
	for _, statement := range []string{
		`insert into alerts (key, severity, sentence, advice, path, opened_at, resolved_at) values
			('unsent', 'alert', 'It was stuck.', 'Look.', '/admin/writes', now(), now()),
			('disk', 'alert', 'The disk is <full>.', 'Make room.', '/admin/alerts', now(), null),
			('outage', 'information', 'Harvest is away.', 'Nothing.', '/admin/limits', now(), null),
			('queue', 'alert', 'Not for long yet.', 'Wait.', '/admin/jobs', null, null)`,
		"insert into alerts (key, severity, user_id, sentence, advice, path, opened_at) values ('revoked:1:user', 'alert', $1, 'Only for Ida.', 'Connect.', '/settings/harvest', now())",
	} {
		args := []any{ida}
		if !strings.Contains(statement, "$1") {
			args = nil
		}
		b.exec(statement, args...)
	}
	text := root.get("/admin/alerts").text(t, "table.list tbody")
	var places []int
	for _, sentence := range []string{"The disk is <full>.", "Harvest is away.", "It was stuck."} {
		places = append(places, strings.Index(text, sentence))
	}
	if !slices.IsSorted(places) || places[0] < 0 {
		t.Errorf("the page says %q", text)
	}
	for _, other := range []string{"Ida", "Not for long"} {
		if strings.Contains(text, other) {
			t.Errorf("the page says %q", text)
		}
	}
}

// TestAlertsLead: every alert leads to a page that there is.
func TestAlertsLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.user(rootEmail, true)
	root := b.loggedIn(rootEmail)
	now := time.Now()
	long := now.Add(-time.Hour)
	worker := notice.Process{Works: true, StartedAt: long, SeenAt: now, Finding: notice.Finding{Foreign: []int64{1}, Disks: []notice.Disk{{Low: true}}}}
	writes := notice.Writes{Count: 1, Connections: 1, Oldest: long}
	facts := notice.Facts{
		Now: now, Stuck: writes, Failing: writes, Revoked: []notice.Revoked{{ConnectionID: 1, UserID: 2}}, MailsUsers: true,
		Queue: notice.Queue{Due: 1, DueAt: long, Running: long}, Processes: []notice.Process{worker},
	}
	causes := notice.Causes(facts)
	facts.Processes[0].SeenAt = long
	causes = append(causes, notice.Causes(facts)...)
	keys := map[string]bool{}
	for _, c := range causes {
		keys[c.Key] = true
		if got := root.get(c.Path); got.status != http.StatusOK {
			t.Errorf("%s leads to %s: status %d", c.Key, c.Path, got.status)
		}
	}
	if len(keys) != 9 {
		t.Errorf("the causes are %v: let the facts be all that can be wrong", keys)
	}
}
