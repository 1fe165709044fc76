package main

import (
	"testing"
	"time"
)

// TestRetentionOfOrders: orders over many writes go with the audit, but not while
// somebody may send the form again that made them.
func TestRetentionOfOrders(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		audit int // days
		want  time.Duration
	}{
		{0, 0}, {1, 30 * day}, {365, 365 * day},
	} {
		keep, err := (&keepConfig{KeepAudit: tt.audit}).retention()
		if err != nil || keep.Orders != tt.want || keep.Audit != time.Duration(tt.audit)*day {
			t.Errorf("with %d days of audit: %+v, %v; want orders for %s", tt.audit, keep, err, tt.want)
		}
	}
}
