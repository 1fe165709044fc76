package planner_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/planner"
)

// quickRows are what the lines of these tests may mean.
var quickRows = []planner.Named{
	{Parts: []string{"Acme", "Website", "Design"}},
	{Parts: []string{"Acme", "Website", "Programming"}},
	{Parts: []string{"Birch", "Consulting", "Meetings"}},
	{Parts: []string{"Birch", "Website 2", "Design"}},
	{Parts: []string{"Cedar", "R&D", "Übung"}},
}

// took tells what a line was taken for: the row, its candidates, and the rest.
func took(q planner.Quick) string {
	var days []string
	for _, d := range q.Days {
		days = append(days, d.Format("2 Jan"))
	}
	if q.AnyDay {
		days = append(days, "(any)")
	}
	if q.Every {
		days = append(days, "(every)")
	}
	duration := planner.HoursMinutes.Format(q.Duration)
	if q.DurationErr != nil {
		duration = q.DurationErr.Error()
	}
	if q.Spare {
		duration += " (first)"
	}
	return fmt.Sprintf("%s=%d | %s | %s | %s", q.Part(planner.QuickRow), len(q.Rows), duration, strings.Join(days, ", "), q.Note)
}

func TestParseQuick(t *testing.T) {
	t.Parallel()
	monday := planner.NewDate(2026, time.November, 23)
	week, wednesday := planner.Week{Start: monday}, monday+2
	tests := []struct {
		name, line, want string
	}{
		{"everything", "birch consulting 2h tue+thu prep call", "birch consulting=1 | 2:00 | 24 Nov, 26 Nov | prep call"},
		{"in another order", "tue+thu 2h birch consulting prep call", "birch consulting=1 | 2:00 | 24 Nov, 26 Nov | prep call"},
		{"the note first", "prep call birch consulting 2h", "birch consulting=1 | 2:00 | 25 Nov, (any) | prep call"},
		{"capital letters and accents", "CEDAR uebung ubung :30 Today", "CEDAR=1 | 0:30 | 25 Nov | uebung ubung"},
		{"the words of the row apart", "birch 2h consulting tue", "birch consulting=1 | 2:00 | 24 Nov | "},
		{"a row that is clear takes no words after its time", "acme prog 2h design review", "acme prog=1 | 2:00 | 25 Nov, (any) | design review"},
		{"a row that is open does", "acme 2h design review", "acme design=1 | 2:00 | 25 Nov, (any) | review"},
		{"several rows", "website 1:30", "website=3 | 1:30 | 25 Nov, (any) | "},
		{"initials", "awd 90m", "awd=1 | 1:30 | 25 Nov, (any) | "},
		{"no row", "lunch 1h", "=0 | 1:00 | 25 Nov, (any) | lunch"},

		{"a bare small number", "acme design 2", "acme design=1 | 2:00 | 25 Nov, (any) | "},
		{"a bare large number", "acme design 30", "acme design=1 | 30 could be minutes | 25 Nov, (any) | "},
		{"two bare numbers", "acme design 2 3", "acme design=1 | several numbers could be the duration | 25 Nov, (any) | 2 3"},
		{"a number of a name", "birch website 2 1h", "birch website 2=1 | 1:00 | 25 Nov, (any) | "},
		{"a number beside a duration", "acme design 2h 3 calls", "acme design=1 | 2:00 | 25 Nov, (any) | 3 calls"},
		{"a number beside a decimal", "acme design 12 calls 1.5", "acme design=1 | 1:30 | 25 Nov, (any) | 12 calls"},
		{"a decimal beside a unit", "acme design 1.2 ready 2h", "acme design=1 | 2:00 | 25 Nov, (any) | 1.2 ready"},
		{"two durations", "acme design 2h not 3h", "acme design=1 | 2:00 (first) | 25 Nov, (any) | not 3h"},
		{"several words", "acme design 1 hour 30 min tue", "acme design=1 | 1:30 | 24 Nov | "},
		{"two words", "acme design 1h 30 tue", "acme design=1 | 1:30 | 24 Nov | "},
		{"a comma", "acme design, 1,5, tue", "acme design,=1 | 1:30 | 24 Nov | "},
		{"no duration", "acme design tue", "acme design=1 | no duration | 24 Nov | "},
		{"no time at all", "acme design 0h", "acme design=1 | no duration | 25 Nov, (any) | 0h"},
		{"too long", "acme design 25h", "acme design=1 | more than 24 hours | 25 Nov, (any) | "},
		{"negative", "acme design -2h", "acme design=1 | negative duration | 25 Nov, (any) | "},

		{"a span", "acme design 1h mon-fri", "acme design=1 | 1:00 | 23 Nov, 24 Nov, 25 Nov, 26 Nov, 27 Nov | "},
		{"a span in words", "acme design 1h Monday to Wednesday", "acme design=1 | 1:00 | 23 Nov, 24 Nov, 25 Nov | "},
		{"a span over the week's end", "acme design 1h sat–mon", "acme design=1 | 1:00 | 28 Nov, 29 Nov, 30 Nov | "},
		{"days in words", "acme design 1h tue and thurs, sunday", "acme design=1 | 1:00 | 24 Nov, 26 Nov, 29 Nov | "},
		{"days with blanks", "acme design 1h mon + tue , wed", "acme design=1 | 1:00 | 23 Nov, 24 Nov, 25 Nov | "},
		{"the same day twice", "acme design 1h wed today", "acme design=1 | 1:00 | 25 Nov | "},
		{"tomorrow", "acme design 1h tomorrow", "acme design=1 | 1:00 | 26 Nov | "},
		{"every", "acme design 1h every tue", "acme design=1 | 1:00 | 24 Nov, (every) | "},
		{"every without a day", "acme design 1h every detail", "acme design=1 | 1:00 | 25 Nov, (any) | every detail"},
		{"an ISO date", "acme design 1h 2026-12-01", "acme design=1 | 1:00 | 1 Dec | "},
		{"a date", "acme design 1h 24.11", "acme design=1 | 1:00 | 24 Nov | "},
		{"a date with dots", "acme design 1h 1.5.", "acme design=1 | 1:00 | 1 May | "},
		{"a date that would be a duration", "acme design 7.10 1h", "acme design=1 | 1:00 | 7 Oct | "},
		{"a span of dates", "acme design 1h 30.11-2.12", "acme design=1 | 1:00 | 30 Nov, 1 Dec, 2 Dec | "},
		{"a span of dates that runs back", "acme design 1h 24.11-2.11", "acme design=1 | 1:00 | 25 Nov, (any) | 24.11-2.11"},
		{"a month by name", "acme design 1h 24 nov", "acme design=1 | 1:00 | 24 Nov | "},
		{"a month by name, first", "acme design 1h November 24, 2026", "acme design=1 | 1:00 | 24 Nov | "},
		{"a date of the next year", "acme design 1h 4 jan", "acme design=1 | 1:00 | 4 Jan | "},
		{"no such date", "acme design 1h 31.11.", "acme design=1 | 1:00 | 25 Nov, (any) | 31.11."},
		{"a month alone", "acme design 1h may", "acme design=1 | 1:00 | 25 Nov, (any) | may"},

		{"a note in quotes", `acme design 1h "2h  on tue" today`, "acme design=1 | 1:00 | 25 Nov | 2h  on tue"},
		{"other quotes", "acme design “mon” 1h «x»", "acme design=1 | 1:00 | 25 Nov, (any) | mon x"},
		{"a quote that is not closed", `acme design 1h 5" screen`, `acme design=1 | 1:00 | 25 Nov, (any) | 5" screen`},
		{"punctuation alone", "acme 1h - + /", "acme=2 | 1:00 | 25 Nov, (any) | - + /"},
		{"nothing", "  ", "=0 | no duration | 25 Nov, (any) | "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := planner.ParseQuick(test.line, quickRows, week, wednesday)
			if diff := cmp.Diff(test.want, took(got)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", test.line, diff)
			}
		})
	}
}

func TestParseQuickDays(t *testing.T) {
	t.Parallel()
	saturday := planner.Week{Start: planner.NewDate(2026, time.December, 26)}
	tests := []struct {
		name, line string
		today      planner.Date
		want       planner.Date
	}{
		{"a week that begins on Saturday", "1h mon", saturday.Start, planner.NewDate(2026, time.December, 28)},
		{"today outside of the week", "1h", saturday.Start - 1, saturday.Start},
		{"a date after the year's end", "1h 2.01.", saturday.Start, planner.NewDate(2027, time.January, 2)},
		{"the year that was typed", "1h 2.01.2026", saturday.Start, planner.NewDate(2026, time.January, 2)},
		{"the nearest leap day", "1h 29 feb 2028", saturday.Start, planner.NewDate(2028, time.February, 29)},
	}
	for _, test := range tests {
		got := planner.ParseQuick(test.line, nil, saturday, test.today)
		if diff := cmp.Diff([]planner.Date{test.want}, got.Days); diff != "" {
			t.Errorf("%s: %q (-want +got):\n%s", test.name, test.line, diff)
		}
	}
}

func TestParseDay(t *testing.T) {
	t.Parallel()
	monday := planner.NewDate(2026, time.November, 23)
	tests := []struct {
		text   string
		want   planner.Date
		wantOK bool
	}{
		{"24.11", monday + 1, true},
		{" 24 nov ", monday + 1, true},
		{"tomorrow", monday + 3, true},
		{"fri", monday + 4, true},
		{"2026-12-07", monday + 14, true},
		{"mon-tue", 0, false},
		{"24.11 or so", 0, false},
		{"", 0, false},
	}
	for _, test := range tests {
		got, ok := planner.ParseDay(test.text, planner.Week{Start: monday}, monday+2)
		if got != test.want || ok != test.wantOK {
			t.Errorf("ParseDay(%q) = %v, %v; want %v, %v", test.text, got, ok, test.want, test.wantOK)
		}
	}
}

func TestQuickWithDuration(t *testing.T) {
	t.Parallel()
	q := planner.ParseQuick(`acme "a 30" 30 design`, quickRows, planner.Week{}, 0)
	if got, want := q.WithDuration("30m"), `acme "a 30" 30m design`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuickCells(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", planner.MaxNote)
	tests := []struct {
		name, line string
		before, to planner.Cell
		wantErr    error
	}{
		{"an empty cell", "1h call", planner.Cell{}, planner.Cell{Planned: 60, Note: "call"}, nil},
		{"time on top", "1h", planner.Cell{Planned: 30, Note: "x"}, planner.Cell{Planned: 90, Note: "x"}, nil},
		{"a note below", "1h call", planner.Cell{Planned: 30, Note: "x"}, planner.Cell{Planned: 90, Note: "x\ncall"}, nil},
		{"the same note", "1h call", planner.Cell{Planned: 30, Note: "x\ncall"}, planner.Cell{Planned: 90, Note: "x\ncall"}, nil},
		{"a whole day", "1h", planner.Cell{Planned: 23 * 60}, planner.Cell{Planned: 24 * 60}, nil},
		{"more than a day", "1h", planner.Cell{Planned: 23*60 + 1}, planner.Cell{Planned: 24*60 + 1}, planner.ErrTooLong},
		{"the longest note", "1h", planner.Cell{Note: long}, planner.Cell{Planned: 60, Note: long}, nil},
		{"a longer note", "1h x", planner.Cell{Note: long}, planner.Cell{Planned: 60, Note: long + "\nx"}, planner.ErrNoteTooLong},
	}
	for _, test := range tests {
		q := planner.ParseQuick(test.line, nil, planner.Week{}, 3)
		id := planner.CellID{RowID: planner.RowID{ProjectID: 1, TaskID: 2}, Date: 3}
		got := q.Cells(id.RowID, func(asked planner.CellID) planner.Cell {
			if asked != id {
				t.Errorf("%s: asked for %v, want %v", test.name, asked, id)
			}
			return test.before
		})
		want := []planner.QuickCell{{Edit: planner.Edit{Cell: id, To: test.to}, Before: test.before, Err: test.wantErr}}
		if diff := cmp.Diff(want, got, cmp.Comparer(errors.Is)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// FuzzParseQuick: no line breaks it, and none loses a word.
func FuzzParseQuick(f *testing.F) {
	for _, line := range []string{"birch consulting 2h tue+thu prep call", `a "b c 2h`, "every mon-fri 24. nov 1 hour 30", "+++ , , -- \xff", "2 3 30 1.5 24.11.2026 «»"} {
		f.Add(line)
	}
	week := planner.Week{Start: planner.NewDate(2026, time.November, 23)}
	f.Fuzz(func(t *testing.T, line string) {
		q := planner.ParseQuick(line, quickRows, week, week.Start)
		var parts []string
		for _, w := range q.Words {
			parts = append(parts, w.Text)
		}
		if got, want := letters(strings.Join(parts, "")), letters(line); got != want {
			t.Errorf("the words of %q are %q", line, parts)
		}
		for _, w := range q.Words {
			inside := strings.Trim(w.Text, `"“”„«» `)
			if w.Is == planner.QuickNote && !strings.Contains(q.Note, inside) {
				t.Errorf("%q: the note %q has lost %q", line, q.Note, inside)
			}
		}
		if len(q.Days) == 0 || (q.DurationErr == nil) != (q.Duration > 0) || q.Duration > planner.MaxCell {
			t.Errorf("%q: %+v", line, q)
		}
		if (len(q.Rows) > 0) != (q.Part(planner.QuickRow) != "") {
			t.Errorf("%q: %d rows by %q", line, len(q.Rows), q.Part(planner.QuickRow))
		}
	})
}

// letters is a text without its blanks.
func letters(text string) string { return strings.Join(strings.Fields(text), "") }
