package planner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"furrow/planner"
)

// marked shows a match with what is marked in brackets.
func marked(parts []string, marks []planner.Mark) string {
	out := make([]string, len(parts))
	copy(out, parts)
	for i := len(marks) - 1; i >= 0; i-- {
		m := marks[i]
		s := out[m.Part]
		out[m.Part] = s[:m.From] + "[" + s[m.From:m.To] + "]" + s[m.To:]
	}
	return strings.Join(out, " · ")
}

func TestRank(t *testing.T) {
	t.Parallel()
	rows := []planner.Named{
		{Parts: []string{"Acme", "Website", "Design"}},
		{Parts: []string{"Acme", "Website", "Programming"}},
		{Parts: []string{"Birch & Sons", "Consulting", "Meetings"}},
		{Parts: []string{"Überfluß", "Łódź Café", "Redesign"}},
		{Parts: []string{"Cafe\u0301 Noir", "R&D", "Meetings"}},
		{Parts: []string{"Ada’s", "Dave's", "Work"}},
		{Parts: []string{"Яблоко", "Сайт", "Дизайн"}},
	}
	tests := []struct {
		name, query string
		want        []string
	}{
		{"the beginnings of two words", "acm des", []string{"[Acm]e · Website · [Des]ign"}},
		{"in any order", "des acm", []string{"[Acm]e · Website · [Des]ign"}},
		{"a whole word before a beginning before an inside", "design", []string{"Acme · Website · [Design]", "Überfluß · Łódź Café · Re[design]"}},
		{"initials", "awd", []string{"[A]cme · [W]ebsite · [D]esign"}},
		{"beginnings run together", "acdes", []string{"[Ac]me · Website · [Des]ign"}},
		{"letters left out", "wbst prog", []string{"Acme · [W]e[bs]i[t]e · [Prog]ramming"}},
		{"letters left out only where nothing matches otherwise", "dsn", []string{"Acme · Website · [D]e[s]ig[n]"}},
		{"no accents typed", "lodz cafe", []string{"Überfluß · [Łódź] [Café] · Redesign"}},
		{"accents typed", "ÜBER", []string{"[Über]fluß · Łódź Café · Redesign"}},
		{"one letter that folds to two", "fluss", []string{"Über[fluß] · Łódź Café · Redesign"}},
		{"an accent that stands alone in the name", "café noir", []string{"[Cafe\u0301] [Noir] · R&D · Meetings"}},
		{"an apostrophe", "adas", []string{"[Ada’s] · Dave's · Work"}},
		{"another apostrophe", "ada's dave", []string{"[Ada’s] · [Dave']s · Work"}},
		{"letters of another script", "яблоко диз", []string{"[Яблоко] · Сайт · [Диз]айн"}},
		{"punctuation is no word", "birch & - con", []string{"[Birch] & Sons · [Con]sulting · Meetings"}},
		{"punctuation in a word", "r&d m", []string{"Cafe\u0301 Noir · [R]&[D] · [M]eetings"}},
		{"each word must match", "acme meetings", nil},
		{"nothing", "zebra", nil},
		{"marks that touch are one", "acme cme", []string{"[Acme] · Website · Design", "[Acme] · Website · Programming"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, m := range planner.Rank(test.query, rows, 12) {
				got = append(got, marked(rows[m.At].Parts, m.Marks))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Rank(%q) (-want +got):\n%s", test.query, diff)
			}
		})
	}
}

func TestRankTies(t *testing.T) {
	t.Parallel()
	day := planner.NewDate(2026, time.November, 23)
	rows := []planner.Named{
		{Parts: []string{"Acme", "A", "never"}},
		{Parts: []string{"Acme", "B", "long ago, much"}, Used: day.AddDays(-60), Minutes: 6000},
		{Parts: []string{"Acme", "C", "yesterday, some"}, Used: day.AddDays(-1), Minutes: 60},
		{Parts: []string{"Acme", "D", "yesterday, more"}, Used: day.AddDays(-1), Minutes: 90},
		{Parts: []string{"Acme", "E", "never either"}},
	}
	for _, query := range []string{"acme", "", "·"} {
		var order []string
		for _, m := range planner.Rank(query, rows, len(rows)) {
			order = append(order, rows[m.At].Parts[1])
		}
		if want := []string{"D", "C", "B", "A", "E"}; !slices.Equal(order, want) {
			t.Errorf("Rank(%q): order %v, want %v", query, order, want)
		}
		if got := planner.Rank(query, rows, 2); len(got) != 2 {
			t.Errorf("Rank(%q): %d found, at most 2 asked for", query, len(got))
		}
	}
}

// Letters may only be left out where nothing matches as it was typed.
func TestRankLoosely(t *testing.T) {
	t.Parallel()
	rows := []planner.Named{{Parts: []string{"Meetings"}}, {Parts: []string{"Mtg notes"}}, {Parts: []string{"Montage"}}}
	if got := planner.Rank("mtg", rows, 9); len(got) != 1 || got[0].At != 1 {
		t.Errorf("with a row that begins so: %v, want that one alone", got)
	}
	if got := planner.Rank("mntg", rows, 9); len(got) != 1 || got[0].At != 2 {
		t.Errorf("without: %v, want what has the letters", got)
	}
}

func TestSplitRow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, want string
		wantOK     bool
	}{
		{"Acme / Website / Design", "Acme|Website|Design", true},
		{" Acme·Website > Design ", "Acme|Website|Design", true},
		{"Acme / Website", "||", false},
		{"Acme / / Design", "||", false},
		{"a/b/c/d", "||", false},
		{"", "||", false},
	}
	for _, test := range tests {
		client, project, task, ok := planner.SplitRow(test.text)
		if got := client + "|" + project + "|" + task; got != test.want || ok != test.wantOK {
			t.Errorf("SplitRow(%q) = %s, %v; want %s, %v", test.text, got, ok, test.want, test.wantOK)
		}
	}
}

// FuzzRank: no query and no name breaks it, what it marks lies in the name, and
// a name is found by itself.
func FuzzRank(f *testing.F) {
	f.Add("acm des", "Acme", "Design")
	f.Add("aaaaaaaaaaaaab", "a a a a a a a a a a a a a a", "b")
	f.Add("\xff\xfe", "\xffA\u0301", "İß")
	f.Fuzz(func(t *testing.T, query, one, two string) {
		rows := []planner.Named{{Parts: []string{one, two}}, {Parts: []string{two}}}
		for _, m := range planner.Rank(query, rows, 12) {
			at := 0
			for _, mark := range m.Marks {
				part := rows[m.At].Parts[mark.Part]
				if mark.From >= mark.To || mark.To > len(part) || utf8.ValidString(part) && !utf8.ValidString(part[mark.From:mark.To]) {
					t.Errorf("mark %v of %q", mark, part)
				}
				if here := mark.Part<<32 + mark.From; here < at {
					t.Errorf("marks %v out of order", m.Marks)
				} else {
					at = mark.Part<<32 + mark.To
				}
			}
		}
		if len(planner.Rank(one, rows[:1], 1)) != 1 {
			t.Errorf("%q does not find itself", one)
		}
	})
}

func BenchmarkRank(b *testing.B) {
	rows := make([]planner.Named, 1000)
	for i := range rows {
		rows[i] = planner.Named{Parts: []string{
			fmt.Sprintf("Client Number %d", i/20), fmt.Sprintf("Projekt für Größe %d", i/5), []string{"Design", "Programming", "Meetings", "Research", "Support"}[i%5],
		}}
	}
	for _, query := range []string{"cli des", "zzz", "cn 17 prog", ""} {
		b.Run(query, func(b *testing.B) {
			for b.Loop() {
				planner.Rank(query, rows, 12)
			}
		})
	}
}
