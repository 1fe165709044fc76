package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"furrow/ledger"
	"furrow/planner"
)

func TestCheckEntries(t *testing.T) {
	t.Parallel()
	named := func(id string, p *ledger.Pushed) ledger.SentEntry {
		p.ID = id
		return ledger.SentEntry{Cell: planner.CellID{RowID: rowID, Date: week.Start}, Pushed: *p}
	}
	timer := named("t", changedThere())
	timer.Timer = true
	found := func(id int64, pushedID string) ledger.FoundEntry {
		return ledger.FoundEntry{RemoteID: id, PushedID: pushedID}
	}
	letGo := found(9, "")
	letGo.LetGo = true
	type want struct {
		Sent, Found, Doubles int
		Kinds                []ledger.CheckKind
		Unsent               int
	}
	for _, tt := range []struct {
		name  string
		sent  []ledger.SentEntry
		found []ledger.FoundEntry
		want  want
	}{
		{name: "nothing"},
		{name: "as it should be", sent: []ledger.SentEntry{named("a", pushed(nil))}, found: []ledger.FoundEntry{found(7, "a")}, want: want{Sent: 1, Found: 1}},
		{name: "deleted there", sent: []ledger.SentEntry{named("a", gone())}, want: want{Sent: 1, Kinds: []ledger.CheckKind{"gone"}}},
		{name: "another time", sent: []ledger.SentEntry{named("a", changedThere())}, found: []ledger.FoundEntry{found(7, "a")}, want: want{Sent: 1, Found: 1, Kinds: []ledger.CheckKind{"changed"}}},
		{name: "another note", sent: []ledger.SentEntry{named("a", pushed(func(p *ledger.Pushed) { p.RemoteNotes = "else" }))}, found: []ledger.FoundEntry{found(7, "a")}, want: want{Sent: 1, Found: 1, Kinds: []ledger.CheckKind{"changed"}}},
		{name: "a timer's time", sent: []ledger.SentEntry{timer}, found: []ledger.FoundEntry{found(7, "t")}, want: want{Sent: 1, Found: 1}},
		{name: "another day", sent: []ledger.SentEntry{named("a", moved())}, found: []ledger.FoundEntry{found(7, "a")}, want: want{Sent: 1, Found: 1, Kinds: []ledger.CheckKind{"moved"}}},
		{name: "the reference taken away by hand", sent: []ledger.SentEntry{named("a", pushed(nil))}, want: want{Sent: 1, Found: 1}},
		{name: "twice", sent: []ledger.SentEntry{named("a", pushed(nil))}, found: []ledger.FoundEntry{found(6, "a"), found(7, "a")}, want: want{Sent: 1, Found: 1, Doubles: 1, Kinds: []ledger.CheckKind{"double"}}},
		{name: "three times", sent: []ledger.SentEntry{named("a", pushed(nil))}, found: []ledger.FoundEntry{found(7, "a"), found(8, "a"), found(9, "a")}, want: want{Sent: 1, Found: 1, Doubles: 2, Kinds: []ledger.CheckKind{"double", "double"}}},
		{name: "nobody's", found: []ledger.FoundEntry{found(9, "")}, want: want{Kinds: []ledger.CheckKind{"unknown"}}},
		{name: "let go", found: []ledger.FoundEntry{letGo}},
		{name: "waiting", sent: []ledger.SentEntry{named("a", unsent(ledger.Retry))}, want: want{Unsent: 1}},
		{name: "in doubt, and there", sent: []ledger.SentEntry{named("a", unsent(ledger.Uncertain))}, found: []ledger.FoundEntry{found(7, "a")}, want: want{Unsent: 1}},
		{name: "in doubt, and there twice", sent: []ledger.SentEntry{named("a", unsent(ledger.Uncertain))}, found: []ledger.FoundEntry{found(7, "a"), found(8, "a")}, want: want{Doubles: 1, Kinds: []ledger.CheckKind{"double"}, Unsent: 1}},
		{name: "refused", sent: []ledger.SentEntry{named("a", unsent(ledger.Rejected))}, want: want{Unsent: 1}},
		{name: "given up", sent: []ledger.SentEntry{named("a", unsent(ledger.Dropped))}},
		{name: "sent, with a change that waits", sent: []ledger.SentEntry{named("a", with(pushed(nil), ledger.OpUpdate, ledger.Blocked))}, found: []ledger.FoundEntry{found(7, "a")}, want: want{Sent: 1, Found: 1, Unsent: 1}},
		{
			name: "several", sent: []ledger.SentEntry{named("a", pushed(nil)), named("b", gone()), named("c", pushed(func(p *ledger.Pushed) { p.RemoteID = 8 }))},
			found: []ledger.FoundEntry{found(7, "a"), found(8, "c"), found(9, "c")},
			want:  want{Sent: 3, Found: 2, Doubles: 1, Kinds: []ledger.CheckKind{"gone", "double"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check := ledger.CheckEntries(tt.sent, tt.found)
			got := want{Sent: check.Sent, Found: check.Found, Doubles: check.Doubles, Unsent: len(check.Unsent)}
			for _, f := range check.Findings {
				got.Kinds = append(got.Kinds, f.Kind)
				if (f.Sent == nil) != (f.Kind == ledger.CheckUnknown) || (f.Found != nil) != (f.Kind == ledger.CheckDouble || f.Kind == ledger.CheckUnknown) {
					t.Errorf("finding %+v", f)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
