package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// on is a cell of the one row that the tables move things in.
func on(day int) CellID { return CellID{RowID{1, 2}, Date(day)} }

func TestMove(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("æ", MaxNote)
	plan := map[CellID]Cell{
		on(1): {90, "prep"}, on(2): {30, "call"}, on(3): {60, "prep"}, on(4): {1400, ""}, on(5): {0, long}, on(6): {0, "only a note"},
	}
	tests := []struct {
		from, to int
		want     Cell // of the target
		wantFull bool
	}{
		{1, 9, Cell{90, "prep"}, false},
		{1, 2, Cell{120, "call\nprep"}, false},
		{1, 3, Cell{150, "prep"}, false},
		{1, 4, Cell{1490, "prep"}, true},
		{1, 5, Cell{90, long + "\nprep"}, true},
		{5, 9, Cell{0, long}, false},
		{4, 2, Cell{1430, "call"}, false},
		{4, 1, Cell{1490, "prep"}, true},
		{6, 1, Cell{90, "prep\nonly a note"}, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.from, " to ", tt.to), func(t *testing.T) {
			t.Parallel()
			moved, errMove := Move(plan, on(tt.from), on(tt.to))
			copied, errCopy := Copy(plan, on(tt.from), on(tt.to))
			target := Edit{Cell: on(tt.to), To: tt.want}
			if tt.wantFull {
				for _, err := range []error{errMove, errCopy} {
					if full, ok := errors.AsType[*NoRoomError](err); !ok || full.Edit != target {
						t.Errorf("%v, want that %v is no room", err, target)
					}
				}
				return
			}
			if errMove != nil || errCopy != nil {
				t.Fatal(errMove, errCopy)
			}
			if diff := cmp.Diff([]Edit{target}, copied); diff != "" {
				t.Errorf("copy (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]Edit{target, {Cell: on(tt.from)}}, moved); diff != "" {
				t.Errorf("move (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		planned Minutes
		with    []int
		want    map[int]Cell // of the cells that change; day 3 is split, with a note
	}{
		{60, []int{4}, map[int]Cell{3: {30, "n"}, 4: {30, "n"}}},
		{60, []int{5, 4, 4}, map[int]Cell{3: {20, "n"}, 4: {20, "n"}, 5: {20, "n"}}},
		{90, []int{2, 4, 5}, map[int]Cell{2: {25, "n"}, 3: {25, "n"}, 4: {20, "n"}, 5: {20, "n"}}},
		{92, []int{2, 4, 5}, map[int]Cell{2: {25, "n"}, 3: {25, "n"}, 4: {22, "n"}, 5: {20, "n"}}},
		{33, []int{9}, map[int]Cell{3: {18, "n"}, 9: {75, "there\nn"}}},
		{5, []int{4}, nil},
		{5, []int{2}, map[int]Cell{2: {5, "n"}, 3: {}}},
		{0, []int{4}, nil},
		{60, []int{3}, nil},
		{60, nil, nil},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.planned, tt.with), func(t *testing.T) {
			t.Parallel()
			plan := map[CellID]Cell{on(3): {tt.planned, "n"}, on(9): {60, "there"}}
			var with []CellID
			for _, day := range tt.with {
				with = append(with, on(day))
			}
			edits, err := Split(plan, on(3), with...)
			if err != nil {
				t.Fatal(err)
			}
			var got map[int]Cell
			for _, e := range edits {
				if got == nil {
					got = map[int]Cell{}
				}
				got[int(e.Cell.Date)] = e.To
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	_, err := Split(map[CellID]Cell{on(1): {60, ""}, on(2): {1420, ""}}, on(1), on(2))
	if full, ok := errors.AsType[*NoRoomError](err); !ok || full.Edit != (Edit{Cell: on(2), To: Cell{1450, ""}}) {
		t.Errorf("a share for a full day: %v", err)
	}
}

// Whatever is moved or split, the minutes stay the same in all, nothing of a note
// is lost, and no cell has more than it may. A copy adds exactly what was copied.
func TestMoveKeepsAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.Custom(func(t *rapid.T) CellID {
			return CellID{RowID{rapid.Int64Range(1, 2).Draw(t, "project"), 1}, Date(rapid.IntRange(0, 9).Draw(t, "date"))}
		})
		content := rapid.Custom(func(t *rapid.T) Cell {
			return Cell{Minutes(rapid.IntRange(0, int(MaxCell)).Draw(t, "minutes")), rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "note")}
		})
		plan := rapid.MapOfN(cell, content, 0, 12).Draw(t, "plan")
		from, to := cell.Draw(t, "from"), rapid.SliceOfN(cell, 1, 7).Draw(t, "to")

		for how, do := range map[string]func() ([]Edit, error){
			"move":  func() ([]Edit, error) { return Move(plan, from, to[0]) },
			"copy":  func() ([]Edit, error) { return Copy(plan, from, to[0]) },
			"split": func() ([]Edit, error) { return Split(plan, from, to...) },
		} {
			edits, err := do()
			if err != nil {
				continue // the tables check when there is no room
			}
			var more Minutes
			if how == "copy" && len(edits) > 0 {
				more = plan[from].Planned
			}
			was, is := sum(plan, nil), sum(plan, edits)
			if is != was+more {
				t.Fatalf("%s: %d minutes became %d, want %d more", how, was, is, more)
			}
			seen := map[CellID]bool{}
			for _, e := range edits {
				if seen[e.Cell] || e.To.Planned < 0 || e.To.Planned > MaxCell {
					t.Fatalf("%s: %v", how, edits)
				}
				seen[e.Cell] = true
				if e.Cell != from && !strings.Contains(e.To.Note, plan[e.Cell].Note) {
					t.Fatalf("%s: the note of %v is lost: %q", how, e.Cell, e.To.Note)
				}
			}
			if len(edits) > 0 && !slices.ContainsFunc(edits, func(e Edit) bool { return e.Cell != from && strings.Contains(e.To.Note, plan[from].Note) }) {
				t.Fatalf("%s: the note %q does not come along: %v", how, plan[from].Note, edits)
			}
		}
	})
}

// sum is what is planned in all once the edits are made.
func sum(plan map[CellID]Cell, edits []Edit) (minutes Minutes) {
	for _, c := range plan {
		minutes += c.Planned
	}
	for _, e := range edits {
		minutes += e.To.Planned - plan[e.Cell].Planned
	}
	return minutes
}

// Shares differ by one step at most, and the larger ones come first.
func TestShares(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, n := Minutes(rapid.IntRange(1, int(MaxCell)).Draw(t, "minutes")), rapid.IntRange(1, 31).Draw(t, "cells")
		all := shares(m, n)
		odd, total := 0, Minutes(0)
		for i, share := range all {
			total += share
			if share%shareStep != 0 {
				odd++
			}
			if i > 0 && share > all[i-1] {
				t.Fatalf("%v: a later one has more", all)
			}
		}
		if len(all) != n || total != m || odd > 1 || all[0]-all[n-1] > shareStep {
			t.Fatalf("%d among %d: %v", m, n, all)
		}
	})
}

func TestPutBefore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ order, moved, before, want string }{
		{"abcd", "c", "a", "cabd"}, {"abcd", "a", "c", "bacd"}, {"abcd", "a", "", "bcda"}, {"abcd", "d", "z", "abcd"},
		{"abcd", "b", "b", "abcd"}, {"abcd", "e", "b", "aebcd"}, {"", "a", "", "a"},
	} {
		order := strings.Split(tt.order, "")
		if got := strings.Join(PutBefore(order, tt.moved, tt.before), ""); got != tt.want {
			t.Errorf("%s before %q in %s: %s, want %s", tt.moved, tt.before, tt.order, got, tt.want)
		}
		if strings.Join(order, "") != tt.order {
			t.Errorf("%s became %v", tt.order, order)
		}
	}
}
