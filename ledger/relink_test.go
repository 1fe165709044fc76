package ledger_test

import (
	"testing"

	"furrow/ledger"
)

func TestRelinkReadsOurReferences(t *testing.T) {
	t.Parallel()
	const id = "0b0f6a0e-6c0e-4f6e-9d7c-2f1f3c9a5e11"
	for _, tt := range []struct {
		reference      string
		wantGeneration int // 0: none of ours
	}{
		{"furrow:" + id + ":1", 1},
		{"furrow:" + id + ":12", 12},
		{"furrow:" + id + ":0", 0},
		{"furrow:" + id + ":-1", 0},
		{"furrow:" + id + ":99999999999", 0},
		{"furrow:" + id + ":1:1", 0},
		{"furrow:" + id, 0},
		{"other:" + id + ":1", 0},
		{"furrow:0B0F6A0E-6C0E-4F6E-9D7C-2F1F3C9A5E11:1", 0}, // we write small letters
		{"furrow:x:1", 0},
		{"", 0},
	} {
		r, ok := ledger.Unlinked{Reference: tt.reference, RemoteID: 7, Hours: 150}.Relink()
		if ok != (tt.wantGeneration != 0) || r.Generation != tt.wantGeneration {
			t.Errorf("%q: generation %d, %t; want %d", tt.reference, r.Generation, ok, tt.wantGeneration)
		}
		if ok && (r.ID != id || r.RemoteID != 7) {
			t.Errorf("%q: %+v", tt.reference, r)
		}
	}
}

// Only what other entries leave of the plan was sent, so that is what is compared.
func TestRelinkComparesWithThePlan(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		cell       ledger.Cell
		wantAgreed bool
		wantPlan   int // minutes that count as pushed
	}{
		{"as planned", ledger.Cell{Planned: 90, Note: "n"}, true, 90},
		{"with what others tracked", ledger.Cell{Planned: 120, Note: "n", Others: 50, OthersCount: 1}, true, 120},
		{"another time", ledger.Cell{Planned: 60, Note: "n"}, false, 90},
		{"another note", ledger.Cell{Planned: 90, Note: "m"}, false, 90},
		{"no plan", ledger.Cell{}, false, 90},
	} {
		u := ledger.Unlinked{Reference: "furrow:0b0f6a0e-6c0e-4f6e-9d7c-2f1f3c9a5e11:1", Hours: 150, Notes: "n", Cell: tt.cell}
		r, ok := u.Relink()
		if !ok || r.Agreed != tt.wantAgreed || int(r.PlannedMinutes) != tt.wantPlan || r.Meant != 150 || r.MeantNotes != "n" {
			t.Errorf("%s: %+v, %t", tt.name, r, ok)
		}
		if r.Agreed != (r.AgreedHours == 150) {
			t.Errorf("%s: agreed on %d", tt.name, r.AgreedHours)
		}
	}
}
