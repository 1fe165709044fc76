package planner

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Quick is a line of quick add taken apart: "birch consulting 2h tue+thu prep
// call" is a row, a duration, two days and a note.
type Quick struct {
	Words []QuickWord // all of the line, in order
	Rows  []Match     // what was searched and the line may mean, best first; a few at most

	Duration Minutes // more than 0, unless DurationErr says why it is not known
	// DurationErr is [ErrNoDuration], [ErrSeveralDurations], [*AmbiguousError] or
	// an error of [ParseDuration].
	DurationErr error
	// Spare: several durations are in the line. The first one counts, the others
	// are in the note.
	Spare bool

	Days []Date // in order, at least one
	// AnyDay: the line names no day, and Days is a guess.
	AnyDay bool
	// Every: the line asks for work on every such day, which quick add does not do.
	Every bool

	Note string
}

// QuickWord is a piece of the line, and what it was taken for.
type QuickWord struct {
	Text string // as typed, with its quotation marks
	Is   QuickPart
}

// QuickPart is what a word of the line is part of.
type QuickPart uint8

// The parts of a line. What is nothing else is the note.
const (
	QuickNote QuickPart = iota
	QuickRow
	QuickDuration
	QuickDay
)

// Reasons for which a line has no duration, beside those of [ParseDuration].
var (
	// ErrNoDuration: none was typed.
	ErrNoDuration = errors.New("no duration")
	// ErrSeveralDurations: several bare numbers could be it.
	ErrSeveralDurations = errors.New("several numbers could be the duration")
)

// MaxQuick is the longest line that is taken apart, in characters.
const MaxQuick = 500

// maxQuickRows is how many rows are offered for a line.
const maxQuickRows = 6

// ParseQuick takes a line apart. Weekdays are those of the week that is shown;
// dates without a year are the nearest to it. Without a day it is today's cell,
// or that of the first day of a week without today. No word is lost: each is in
// one part.
func ParseQuick(line string, rows []Named, week Week, today Date) Quick {
	p := quickParser{words: quickWords(line), week: week, today: today}
	p.findDays()
	p.findDuration()
	p.findRow(rows)
	p.finish()
	return p.Quick
}

// Part is the text of the words that are one part.
func (q *Quick) Part(part QuickPart) string {
	var texts []string
	for _, w := range q.Words {
		if w.Is == part {
			texts = append(texts, w.Text)
		}
	}
	return strings.Join(texts, " ")
}

// WithDuration is the line with another text for its duration.
func (q *Quick) WithDuration(text string) string {
	var texts []string
	for _, w := range q.Words {
		if w.Is == QuickDuration {
			w.Text, text = text, ""
		}
		if w.Text != "" {
			texts = append(texts, w.Text)
		}
	}
	return strings.Join(texts, " ")
}

// QuickCell is what a line does to a cell.
type QuickCell struct {
	Edit
	Before Cell
	// Err is [ErrTooLong] if the day would have more than 24 hours of the row, or
	// [ErrNoteTooLong].
	Err error
}

// ErrNoteTooLong: a note would have more than [MaxNote] characters.
var ErrNoteTooLong = errors.New("note too long")

// Cells are the cells that the line adds to, in a row. have tells what is
// planned there. Time comes on top of what there is, and a note below it unless
// it says so already.
func (q *Quick) Cells(row RowID, have func(CellID) Cell) []QuickCell {
	cells := make([]QuickCell, len(q.Days))
	for i, day := range q.Days {
		c := &cells[i]
		c.Cell = CellID{RowID: row, Date: day}
		c.Before = have(c.Cell)
		c.To = Cell{Planned: c.Before.Planned + q.Duration, Note: addNote(c.Before.Note, q.Note)}
		switch {
		case c.To.Planned > MaxCell:
			c.Err = ErrTooLong
		case utf8.RuneCountInString(c.To.Note) > MaxNote:
			c.Err = ErrNoteTooLong
		}
	}
	return cells
}

func addNote(note, more string) string {
	switch {
	case note == "" || more == "":
		return note + more
	case slices.Contains(strings.Split(note, "\n"), more):
		return note
	default:
		return note + "\n" + more
	}
}

// quickWord is a word while it is not known what it is.
type quickWord struct {
	text   string
	bare   string // without quotation marks, or without a comma at its end
	quoted bool
	taken  bool
	is     QuickPart
}

// quickWords splits a line at its blanks. What stands in quotation marks is one
// word; a mark that is never closed is a character like others.
func quickWords(line string) []quickWord {
	var words []quickWord
	for {
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		if line == "" {
			return words
		}
		if text, inside, ok := cutQuoted(line); ok {
			words = append(words, quickWord{text: text, bare: strings.TrimSpace(inside), quoted: true, taken: true})
			line = line[len(text):]
			continue
		}
		end := strings.IndexFunc(line, unicode.IsSpace)
		if end < 0 {
			end = len(line)
		}
		text := line[:end]
		words = append(words, quickWord{text: text, bare: strings.TrimRight(text, ",;")})
		line = line[end:]
	}
}

func cutQuoted(line string) (text, inside string, ok bool) {
	for _, marks := range [][2]string{{`"`, `"`}, {"“", "”"}, {"„", "“"}, {"«", "»"}} {
		rest, opens := strings.CutPrefix(line, marks[0])
		if !opens {
			continue
		}
		if inside, _, ok := strings.Cut(rest, marks[1]); ok {
			return line[:len(marks[0])+len(inside)+len(marks[1])], inside, true
		}
	}
	return "", "", false
}

type quickParser struct {
	Quick

	words []quickWord
	week  Week
	today Date
}

// take gives words to a part of the line.
func (p *quickParser) take(from, to int, is QuickPart) {
	for i := from; i < to; i++ {
		p.words[i].taken, p.words[i].is = true, is
	}
}

// joined are so many free words from one on, with something between them; ok is
// false if there are not as many.
func (p *quickParser) joined(from, n int, between string) (text string, ok bool) {
	if from+n > len(p.words) {
		return "", false
	}
	texts := make([]string, n)
	for i := range texts {
		if w := p.words[from+i]; w.taken {
			return "", false
		}
		texts[i] = strings.ToLower(p.words[from+i].bare)
	}
	return strings.Join(texts, between), true
}

func (p *quickParser) findDays() {
	for i := 0; i < len(p.words); i++ {
		from := i
		every := !p.words[i].taken && strings.EqualFold(p.words[i].bare, "every")
		if every {
			from++
		}
		days, n := p.daysAt(from)
		if n == 0 {
			continue
		}
		p.Days = append(p.Days, days...)
		p.Every = p.Every || every
		p.take(i, from+n, QuickDay)
		i = from + n - 1
	}
	slices.Sort(p.Days)
	p.Days = slices.Compact(p.Days)
	if p.AnyDay = len(p.Days) == 0; p.AnyDay {
		p.Days = []Date{p.week.Start}
		if p.week.Contains(p.today) {
			p.Days[0] = p.today
		}
	}
}

// daysAt reads days from a word on, and tells how many words they took: "tue",
// "tue+thu", "mon - fri", "24 nov 2026".
func (p *quickParser) daysAt(from int) (days []Date, n int) {
	for _, n := range []int{3, 2} {
		if text, ok := p.joined(from, n, " "); ok {
			if day, ok := p.monthDay(text); ok {
				return []Date{day}, n
			}
		}
	}
	text, ok := p.joined(from, 1, "")
	if !ok {
		return nil, 0
	}
	if days, ok = p.days(text); !ok {
		return nil, 0
	}
	n = 1
	for {
		link, ok1 := p.joined(from+n, 1, "")
		next, ok2 := p.joined(from+n+1, 1, "")
		switch link {
		case "+", "&", "and", "": // a comma alone is left as ""
			link = "+"
		case "-", "–", "to":
			link = "-"
		default:
			return days, n
		}
		more, ok3 := p.days(text + link + next)
		if !ok1 || !ok2 || !ok3 {
			return days, n
		}
		days, text, n = more, text+link+next, n+2
	}
}

// days reads days without blanks: "tue", "tue+thu", "mon-fri,sun", "24.11".
func (p *quickParser) days(text string) (days []Date, ok bool) {
	for piece := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '+' || r == ',' || r == '/' || r == '&' }) {
		first, ok := p.day(piece)
		last := first
		if !ok {
			a, b, isSpan := strings.Cut(strings.ReplaceAll(piece, "–", "-"), "-")
			var ok1, ok2 bool
			first, ok1 = p.day(a)
			last, ok2 = p.day(b)
			if !isSpan || !ok1 || !ok2 {
				return nil, false
			}
			if last < first {
				last += DaysInWeek // "sat-mon" goes on into the next week
			}
		}
		if last < first || last-first > maxSpan {
			return nil, false
		}
		for ; first <= last; first++ {
			days = append(days, first)
		}
	}
	return days, len(days) > 0
}

// maxSpan is how many days after its first one a span of days may end.
const maxSpan = 31

// day reads one day without blanks.
func (p *quickParser) day(text string) (Date, bool) {
	switch text {
	case "today":
		return p.today, true
	case "tomorrow":
		return p.today + 1, true
	}
	if date, err := ParseDate(text); err == nil {
		return date, true
	}
	for day := range time.Saturday + 1 {
		name := strings.ToLower(day.String())
		short := len(text) >= 3 && len(text) <= 5 && strings.HasPrefix(name, text) // "tue", "tues", "thurs"
		if text == name || short {
			return p.week.Start + Date((int(day)-int(p.week.Start.Weekday())+DaysInWeek)%DaysInWeek), true
		}
	}
	return p.numbers(text)
}

// numbers reads "24.11", "24.11." and "24.11.2026". Months have two digits or a
// dot behind them, for "1.5" is an hour and a half.
func (p *quickParser) numbers(text string) (Date, bool) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	if len(parts) == 2 && len(parts[1]) != 2 {
		return 0, false
	}
	year := ""
	if len(parts) == 3 {
		year = parts[2]
	}
	month, ok := shortNumber(parts[1], 2)
	if !ok || month < 1 || month > 12 {
		return 0, false
	}
	return p.date(parts[0], time.Month(month), year)
}

// monthDay reads "24 nov", "nov 24" and "24. november 2026".
func (p *quickParser) monthDay(text string) (Date, bool) {
	parts := append(strings.Split(text, " "), "") // two words or three
	for _, at := range []int{1, 0} {
		if month, ok := monthOf(parts[at]); ok {
			return p.date(strings.TrimSuffix(parts[1-at], "."), month, parts[2])
		}
	}
	return 0, false
}

func monthOf(text string) (time.Month, bool) {
	for month := time.January; month <= time.December; month++ {
		if len(text) >= 3 && strings.HasPrefix(strings.ToLower(month.String()), text) {
			return month, true
		}
	}
	return 0, false
}

// date is a date of a year, or of the year in which it is nearest to the week.
func (p *quickParser) date(dayText string, month time.Month, yearText string) (Date, bool) {
	day, ok := shortNumber(dayText, 2)
	if !ok {
		return 0, false
	}
	valid := func(year int) (Date, bool) {
		date := NewDate(year, month, day)
		return date, date.Time().Day() == day && date.Time().Month() == month
	}
	if yearText != "" {
		year, ok := shortNumber(yearText, 4)
		if !ok || year < 1900 || year > 2199 {
			return 0, false
		}
		return valid(year)
	}
	var best Date
	found := false
	for _, years := range []int{0, -1, 1} {
		date, ok := valid(p.week.Start.Time().Year() + years)
		if ok && (!found || distance(date, p.week.Start) < distance(best, p.week.Start)) {
			best, found = date, true
		}
	}
	return best, found
}

func distance(a, b Date) Date { return max(a-b, b-a) }

// shortNumber reads a number of at most so many digits.
func shortNumber(text string, most int) (int, bool) {
	if len(text) > most || !bareForm.MatchString(text) {
		return 0, false
	}
	return number(text), true
}

// How sure it is that a text is meant as a duration.
const (
	noDuration = iota
	bareNumber // "2"
	hoursOnly  // "1.5"
	withUnit   // "2h", "1:30"
)

// maxDurationWords is how many words a duration has at most: "1 hour 30 min".
const maxDurationWords = 4

// durationAt reads a duration from a word on.
func (p *quickParser) durationAt(from int) (how, n int, m Minutes, err error) {
	for n := maxDurationWords; n > 0; n-- {
		text, ok := p.joined(from, n, " ")
		if !ok || n > 1 && !endsDuration(p.words[from+n-1].bare) {
			continue
		}
		m, err := ParseDuration(text)
		switch {
		case errors.Is(err, ErrNotDuration) || err == nil && m == 0:
		case bareForm.MatchString(text):
			return bareNumber, n, m, err
		case strings.ContainsAny(text, ":hm"):
			return withUnit, n, m, err
		case strings.ContainsAny(text, ".,"):
			return hoursOnly, n, m, err
		}
	}
	return noDuration, 1, 0, nil
}

// endsDuration reports whether a word may be the end of a longer duration: the 3
// of "2h 3 calls" is not.
func endsDuration(word string) bool {
	_, minutes := shortNumber(word, 2)
	return !bareForm.MatchString(word) || minutes && len(word) == 2
}

// findDuration takes the first of the texts that are most surely a duration.
func (p *quickParser) findDuration() {
	p.DurationErr = ErrNoDuration
	best, from, to, count := noDuration, 0, 0, 0
	for i := 0; i < len(p.words); {
		how, n, m, err := p.durationAt(i)
		switch {
		case how == noDuration:
		case how > best:
			best, from, to, count = how, i, i+n, 1
			p.Duration, p.DurationErr = m, err
		case how == best:
			count++
		}
		i += n
	}
	switch {
	case best == noDuration:
	case best == bareNumber && count > 1:
		p.Duration, p.DurationErr = 0, ErrSeveralDurations
	default:
		p.Spare = count > 1
		p.take(from, to, QuickDuration)
	}
}

// findRow takes the words that name a row: those that the line begins with, or
// else as many as there are beside each other. After another part of the line a
// word is only taken while it is open which row is meant.
func (p *quickParser) findRow(rows []Named) {
	var free []int
	for i, w := range p.words {
		if !w.taken {
			free = append(free, i)
		}
	}
	if len(free) == 0 {
		return
	}
	from, n := p.longestRun(free, rows)
	if n == 0 { // no word begins as any row does
		for n = 0; n < len(free) && len(Rank(p.query(free[:n+1]), rows, 1)) > 0; {
			n++
			if n < len(free) && free[n] > free[n-1]+1 {
				break
			}
		}
	}
	run := free[from : from+n]
	for _, i := range run {
		p.take(i, i+1, QuickRow)
	}
	if n > 0 {
		p.Rows = Rank(p.query(run), rows, maxQuickRows)
	}
}

func (p *quickParser) query(at []int) string {
	texts := make([]string, len(at))
	for i, w := range at {
		texts[i] = p.words[w].bare
	}
	return strings.Join(texts, " ")
}

// longestRun finds free words beside each other that rows begin with.
func (p *quickParser) longestRun(free []int, rows []Named) (from, n int) {
	begun := p.begun(free, rows)
	for start := range free {
		open := slices.Clone(begun[start])
		length := 0
		for at := start; at < len(free); at++ {
			if at > start && free[at] > free[at-1]+1 && count(open) == 1 {
				break
			}
			if !both(open, begun[at]) {
				break
			}
			length++
		}
		if length > n {
			from, n = start, length
		}
		if start == 0 && length > 0 {
			break
		}
	}
	return from, n
}

// begun tells for each free word which rows have a word that begins with it.
func (p *quickParser) begun(free []int, rows []Named) [][]bool {
	s := searcher{folds: map[rune][]rune{}}
	words := make([][][]rune, len(free))
	begun := make([][]bool, len(free))
	for i, at := range free {
		words[i] = s.words(p.words[at].bare)
		begun[i] = make([]bool, len(rows))
	}
	for r := range rows {
		s.read(rows[r].Parts)
		for i := range free {
			begun[i][r] = len(words[i]) > 0
			for _, w := range words[i] {
				begun[i][r] = begun[i][r] && s.begun(w)
			}
		}
	}
	return begun
}

// begun reports whether a word of the name begins with w; a single letter has
// to be a word of its own.
func (s *searcher) begun(w []rune) bool {
	for i, l := range s.letters {
		if l.begins && s.hasAt(w, i) && (len(w) > 1 || s.letters[i+1].r == 0) {
			return true
		}
	}
	return false
}

func count(set []bool) (n int) {
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}

// both leaves what is in both sets in the first, unless that is nothing.
func both(set, other []bool) bool {
	any := false
	for i := range set {
		any = any || set[i] && other[i]
	}
	if any {
		for i := range set {
			set[i] = set[i] && other[i]
		}
	}
	return any
}

// finish tells what each word became, and makes the note of the rest.
func (p *quickParser) finish() {
	var note []string
	for _, w := range p.words {
		p.Words = append(p.Words, QuickWord{Text: w.text, Is: w.is})
		switch {
		case w.is != QuickNote:
		case w.quoted:
			note = append(note, w.bare)
		default:
			note = append(note, w.text)
		}
	}
	p.Note = strings.TrimSpace(strings.Join(note, " "))
}

// ParseDay reads one date as it is typed in a line of quick add: "24.11",
// "24 nov", "tomorrow", "tue".
func ParseDay(text string, week Week, today Date) (Date, bool) {
	p := quickParser{words: quickWords(text), week: week, today: today}
	if days, n := p.daysAt(0); n > 0 && n == len(p.words) && len(days) == 1 {
		return days[0], true
	}
	return 0, false
}
