package harvest_test

import (
	"net/http"
	"slices"
	"testing"

	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/ledger"
	"furrow/planner"
)

// setupMode is setup with an account of a mode and a clock.
func setupMode(t *testing.T, mode, clock string) *testBundle {
	t.Helper()
	b := setup(t, sandbox.SeedDemo, func(_ *harvest.Config, c *harvest.Credentials) {
		c.TimestampTimers, c.Clock = mode == "timestamp", clock
	})
	b.Switch(t, map[string]any{"account_mode": mode, "clock": clock, "hours_on_timestamp_account": "rejected"})
	return b
}

// sentFields are the fields of each create and update that reached Harvest.
func (b *testBundle) sentFields(t *testing.T) (sent [][]string) {
	t.Helper()
	for _, r := range b.Requests(t) {
		if r.Method == http.MethodPost || r.Method == http.MethodPatch {
			sent = append(sent, r.Fields)
		}
	}
	return sent
}

// TestModes: an account is sent the fields of its own mode and no others, by its
// own clock, whatever is known of an entry.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode, clock           string
		wantSent, wantNotSent []string
		wantStart, wantEnd    string // as Harvest shows them; empty: none
	}{
		{"duration", "24h", []string{"hours"}, []string{"started_time", "ended_time"}, "", ""},
		{"duration", "12h", []string{"hours"}, []string{"started_time", "ended_time"}, "", ""},
		{"timestamp", "24h", []string{"started_time", "ended_time"}, []string{"hours"}, "13:10", "14:55"},
		{"timestamp", "12h", []string{"started_time", "ended_time"}, []string{"hours"}, "1:10pm", "2:55pm"},
	} {
		t.Run(tt.mode+"/"+tt.clock, func(t *testing.T) {
			t.Parallel()
			b := setupMode(t, tt.mode, tt.clock)
			entry := b.freshEntry(t)
			entry.Start = planner.TimeAt(13*60 + 10)
			b.ForgetRequests(t)
			created, err := b.client.CreateEntry(t.Context(), entry, "reference", "")
			if err != nil {
				t.Fatal(err)
			}
			want := entry
			if tt.wantStart == "" {
				want.Start = 0
			}
			if created.Entry() != want || created.IsRunning || created.Entry().End().Format(tt.clock) != tt.wantEnd {
				t.Errorf("created %+v", created)
			}
			stored, _ := b.State(t).Entry(created.ID)
			if text(stored.StartedTime) != tt.wantStart || text(stored.EndedTime) != tt.wantEnd || stored.Hours.String() != "1.75" {
				t.Errorf("stored %s to %s, %s hours", text(stored.StartedTime), text(stored.EndedTime), stored.Hours)
			}

			hours, notes := planner.Hours(33), "shorter" // 20 minutes
			want.Hours, want.Notes = hours, notes
			changed, err := b.client.UpdateEntry(t.Context(), created.ID, ledger.Changes{Hours: &hours, Notes: &notes, Start: &entry.Start})
			if err != nil || changed.Entry() != want {
				t.Errorf("changed %+v, %v", changed, err)
			}
			found, err := b.client.EntriesByReference(t.Context(), "reference")
			if err != nil || len(found) != 1 || found[0] != changed {
				t.Errorf("found %+v, %v", found, err)
			}
			sent := b.sentFields(t)
			if len(sent) != 2 {
				t.Fatalf("sent %q", sent)
			}
			for _, fields := range sent {
				for _, field := range tt.wantSent {
					if !slices.Contains(fields, field) {
						t.Errorf("%s was not among %q", field, fields)
					}
				}
				for _, field := range tt.wantNotSent {
					if slices.Contains(fields, field) {
						t.Errorf("%s was among %q", field, fields)
					}
				}
			}

			// A change of the note is that and nothing else.
			b.ForgetRequests(t)
			changed, err = b.client.UpdateEntry(t.Context(), created.ID, ledger.Changes{Notes: new(string)})
			want.Notes = ""
			if err != nil || changed.Entry() != want {
				t.Errorf("changed %+v, %v", changed, err)
			}
			if sent := b.sentFields(t); len(sent) != 1 || !slices.Equal(sent[0], []string{"notes"}) {
				t.Errorf("sent %q", sent)
			}
			if err := b.client.DeleteEntry(t.Context(), created.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestTimesThatCannotBeSent: what Harvest would take for a timer, or for an
// entry over midnight, does not leave.
func TestTimesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	b := setupMode(t, "timestamp", "24h")
	entry := b.freshEntry(t)
	b.ForgetRequests(t)
	for _, tt := range []struct {
		name  string
		hours planner.Hours
		start planner.TimeOfDay
		want  ledger.Reason
	}{
		{"no start", 100, 0, ledger.ReasonTimes},
		{"until midnight", 100, planner.TimeAt(23 * 60), ledger.ReasonTimes},
		{"over midnight", 100, planner.TimeAt(23*60 + 30), ledger.ReasonTimes},
		{"a whole day", 2400, planner.TimeAt(0), ledger.ReasonTimes},
		{"no time", 0, planner.TimeAt(9 * 60), ledger.ReasonInvalid},
		{"less than none", -100, planner.TimeAt(9 * 60), ledger.ReasonInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			entry.Hours, entry.Start = tt.hours, tt.start
			_, err := b.client.CreateEntry(t.Context(), entry, "r", "")
			checkCall(t, err, ledger.Refused, tt.want, 0)
			_, err = b.client.UpdateEntry(t.Context(), 1, ledger.Changes{Hours: &tt.hours, Start: &tt.start})
			checkCall(t, err, ledger.Refused, tt.want, 0)
		})
	}
	hours := planner.Hours(100)
	_, err := b.client.UpdateEntry(t.Context(), 1, ledger.Changes{Hours: &hours})
	checkCall(t, err, ledger.Refused, ledger.ReasonTimes, 0)
	if sent := b.Requests(t); len(sent) != 0 {
		t.Errorf("sent %+v", sent)
	}
	entry.Hours, entry.Start = 98, planner.TimeAt(23*60) // 59 minutes
	created, err := b.client.CreateEntry(t.Context(), entry, "r", "")
	if err != nil || created.Hours != 98 || created.EndedTime != planner.TimeAt(23*60+59) {
		t.Errorf("created %+v, %v", created, err)
	}
}

// TestModeChanged: the account's mode was changed after its settings were read.
// The answer tells that Harvest did not do as it was asked, and no timer is left
// running.
func TestModeChanged(t *testing.T) {
	t.Parallel()

	t.Run("ToDurations", func(t *testing.T) {
		t.Parallel()
		b := setupMode(t, "timestamp", "24h")
		entry := b.freshEntry(t)
		entry.Start = planner.TimeAt(9 * 60)
		before, err := b.client.CreateEntry(t.Context(), entry, "before", "")
		if err != nil {
			t.Fatal(err)
		}
		b.Switch(t, map[string]any{"account_mode": "duration"})
		created, err := b.client.CreateEntry(t.Context(), entry, "after", "")
		if err != nil || created.IsRunning || created.Hours == entry.Hours || !created.Is("after") {
			t.Errorf("created %+v, %v", created, err)
		}
		hours := planner.Hours(300)
		changed, err := b.client.UpdateEntry(t.Context(), before.ID, ledger.Changes{Hours: &hours, Start: &entry.Start})
		if err != nil || changed.Hours != entry.Hours {
			t.Errorf("changed %+v, %v", changed, err)
		}
	})

	t.Run("ToTimes", func(t *testing.T) {
		t.Parallel()
		b := setupMode(t, "duration", "24h")
		entry := b.freshEntry(t)
		b.Switch(t, map[string]any{"account_mode": "timestamp"})
		_, err := b.client.CreateEntry(t.Context(), entry, "r", "")
		checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 422)
	})
}
