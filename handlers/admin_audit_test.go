package handlers

import (
	"testing"
	"time"

	"furrow/views"
)

// The audit tells instants by the reader's clock, and nothing of what is empty.
func TestAuditDetail(t *testing.T) {
	t.Parallel()
	moment := func(at time.Time) views.Moment { return views.Moment{Text: at.Format("15:04")} }
	for _, tt := range []struct{ name, detail, want, wantNote string }{
		{"a pause", `{"before":"not paused","after":"paused until 2026-11-24T00:36:34Z","reason":"It moves"}`, "not paused → paused until 00:36", "reason: It moves"},
		{"an order", `{"filter":{"User":"","Status":0,"SentBefore":"0001-01-01T00:00:00Z","States":["rejected","blocked"],"UpTo":12},"previewed":3}`, "", "filter: States rejected, blocked, UpTo 12; previewed: 3"},
		{"a batch", `{"count":3,"left alone":{},"writes":[10,11]}`, "", "count: 3; writes: 10, 11"},
		{"no object", `nothing`, "nothing", ""},
	} {
		if got := auditDetail(tt.detail, moment); got.Text != tt.want || got.Note != tt.wantNote {
			t.Errorf("%s: %q and %q, want %q and %q", tt.name, got.Text, got.Note, tt.want, tt.wantNote)
		}
	}
}
