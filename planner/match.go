package planner

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Named is something that people look for by its words: a row by client,
// project and task, or a command by what it does.
type Named struct {
	Parts []string
	// Used is the latest date with time on it and Minutes how much there was;
	// zero if there was none. They decide between names that match alike.
	Used    Date
	Minutes Minutes
}

// Match is a name that a query finds.
type Match struct {
	At    int // place in what was searched
	Marks []Mark
	score int
}

// Mark is a piece of a name that the query matched, in bytes of one part.
type Mark struct {
	Part, From, To int
}

// How well a word of a query matches a name, best last.
const (
	noMatch    = iota
	withinWord // its letters in order, from the first of a word on: "wbst"
	overWords  // letters that begin words, and such that follow those: "awd", "acdes"
	insideWord // as it stands, but not from the beginning
	beginsWord
	isWord
)

// leastWithin is how many letters a word has that is looked for with gaps; a
// shorter one would be found in nearly every name.
const leastWithin = 3

// Rank finds the names that every word of a query matches, in any order, best
// first, and at most so many. Capital letters and accents do not matter, and
// letters may be left out of words where nothing matches otherwise. Of names that
// match alike, the one used last comes first, then the one with more time, then
// the earlier one. A query without words finds all.
func Rank(query string, all []Named, most int) []Match {
	s := searcher{folds: map[rune][]rune{}}
	words := s.words(query)
	found := make([]Match, 0, len(all))
	loosely := true // so is everything found
	for i := range all {
		if len(words) > 0 {
			s.read(all[i].Parts)
		}
		score, loose, ok := s.score(words)
		if !ok || loose && !loosely {
			continue
		}
		if loosely && !loose {
			found, loosely = found[:0], false
		}
		found = append(found, Match{At: i, score: score})
	}
	slices.SortFunc(found, func(a, b Match) int {
		if a.score != b.score {
			return b.score - a.score
		}
		x, y := &all[a.At], &all[b.At]
		return cmp.Or(int(y.Used-x.Used), int(y.Minutes-x.Minutes), a.At-b.At)
	})
	found = found[:min(most, len(found))]
	for i := range found {
		s.read(all[found[i].At].Parts)
		found[i].Marks = s.marks(words)
	}
	return found
}

// searcher holds one name at a time, folded: letters without case and accents,
// and where each came from.
type searcher struct {
	folds   map[rune][]rune // of letters beyond ASCII, as they are met
	letters []letter
	can     []bool // for over
}

// letter is a folded one. r is 0 between words.
type letter struct {
	r        rune
	begins   bool // a word
	part     int32
	from, to int32 // bytes of the part
}

// apostrophe reports whether r may be left out of a word: "adas" is "Ada's".
func apostrophe(r rune) bool { return r == '\'' || r == '’' }

// fold returns the letters that a rune is compared by: none for an accent that
// stands alone and for an apostrophe, 0 for what is no part of a word.
func (s *searcher) fold(r rune) []rune {
	if folded, ok := s.folds[r]; ok {
		return folded
	}
	var folded []rune
	switch {
	case unicode.Is(unicode.Mn, r) || apostrophe(r):
	case !unicode.IsLetter(r) && !unicode.IsNumber(r):
		folded = []rune{0}
	default:
		for _, f := range norm.NFKD.String(cases.Fold().String(string(r))) {
			switch {
			case unicode.Is(unicode.Mn, f):
			case f == 'ø': // a stroke is no accent that comes off by itself
				folded = append(folded, 'o')
			case f == 'ł':
				folded = append(folded, 'l')
			case f == 'đ':
				folded = append(folded, 'd')
			default:
				folded = append(folded, f)
			}
		}
	}
	s.folds[r] = folded
	return folded
}

// read takes a name in.
func (s *searcher) read(parts []string) {
	s.letters = s.letters[:0]
	for p, part := range parts {
		s.add(letter{part: int32(p)})
		for at, r := range part {
			l := letter{part: int32(p), from: int32(at), to: int32(at + utf8.RuneLen(r))}
			switch {
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
				l.r = r
				s.add(l)
			case 'A' <= r && r <= 'Z':
				l.r = r + ('a' - 'A')
				s.add(l)
			case r <= unicode.MaxASCII && !apostrophe(r):
				s.add(l)
			default:
				folded := s.fold(r)
				for _, l.r = range folded {
					s.add(l)
				}
				if len(folded) == 0 {
					s.letters[len(s.letters)-1].to = l.to // which the letter before has
				}
			}
		}
	}
	s.add(letter{part: int32(len(parts))})
}

func (s *searcher) add(l letter) {
	l.begins = l.r != 0 && s.letters[len(s.letters)-1].r == 0
	s.letters = append(s.letters, l)
}

// words are the folded words of a query.
func (s *searcher) words(query string) [][]rune {
	s.read([]string{query})
	var words [][]rune
	for _, l := range s.letters {
		if l.begins {
			words = append(words, nil)
		}
		if l.r != 0 {
			words[len(words)-1] = append(words[len(words)-1], l.r)
		}
	}
	return words
}

// score sums up how well the words match; ok is false if one does not, and loose
// tells that letters were left out of one.
func (s *searcher) score(words [][]rune) (sum int, loose, ok bool) {
	for _, w := range words {
		how, _ := s.match(w)
		if how == noMatch {
			return 0, false, false
		}
		loose = loose || how == withinWord
		sum += how
	}
	return sum, loose, true
}

// marks are the pieces that the words match, in order and apart.
func (s *searcher) marks(words [][]rune) []Mark {
	hit := make([]bool, len(s.letters))
	for _, w := range words {
		switch how, at := s.match(w); how {
		case isWord, beginsWord, insideWord:
			for i := range w {
				hit[at+i] = true
			}
		case overWords:
			s.over(w, hit)
		case withinWord:
			s.within(w, at, hit)
		}
	}
	var marks []Mark
	for i, l := range s.letters {
		if !hit[i] {
			continue
		}
		if n := len(marks) - 1; n >= 0 && marks[n].Part == int(l.part) && marks[n].To >= int(l.from) {
			marks[n].To = int(l.to)
			continue
		}
		marks = append(marks, Mark{Part: int(l.part), From: int(l.from), To: int(l.to)})
	}
	return marks
}

// match tells how well a word matches the name at best, and at which letter.
func (s *searcher) match(w []rune) (how, at int) {
	for i, l := range s.letters {
		if l.r != w[0] || !s.hasAt(w, i) {
			continue
		}
		switch {
		case !l.begins:
			if how < insideWord {
				how, at = insideWord, i
			}
		case s.letters[i+len(w)].r == 0:
			return isWord, i
		case how < beginsWord:
			how, at = beginsWord, i
		}
	}
	if how > noMatch {
		return how, at
	}
	if !s.holds(w) {
		return noMatch, 0
	}
	if s.over(w, nil) {
		return overWords, 0
	}
	if len(w) >= leastWithin {
		for i, l := range s.letters {
			if l.begins && s.within(w, i, nil) {
				return withinWord, i
			}
		}
	}
	return noMatch, 0
}

// hasAt reports whether a word stands at letter i. The last letter is always 0,
// so there is one after each word.
func (s *searcher) hasAt(w []rune, i int) bool {
	if i+len(w) >= len(s.letters) {
		return false
	}
	for k, r := range w {
		if s.letters[i+k].r != r {
			return false
		}
	}
	return true
}

// holds reports whether the letters of w are in the name, in order.
func (s *searcher) holds(w []rune) bool {
	k := 0
	for i := 0; i < len(s.letters) && k < len(w); i++ {
		if s.letters[i].r == w[k] {
			k++
		}
	}
	return k == len(w)
}

// over reports whether each letter of w begins a word or follows the one before
// it, and marks which. can[k*n+i] tells whether the letters from k on can be so
// placed with k at letter i; it is filled from behind, so that it takes as long
// as there are pairs, whatever repeats.
func (s *searcher) over(w []rune, hit []bool) bool {
	n := len(s.letters)
	s.can = slices.Grow(s.can[:0], len(w)*n)[:len(w)*n]
	first := -1
	for k := len(w) - 1; k >= 0; k-- {
		first = -1
		later := false // a word begins after i from which the rest can go on
		for i := n - 1; i >= 0; i-- {
			l := &s.letters[i]
			ok := l.r == w[k] && (k > 0 || l.begins)
			if ok && k+1 < len(w) {
				next := s.can[(k+1)*n:]
				ok = later || i+1 < n && next[i+1]
			}
			s.can[k*n+i] = ok
			if k+1 < len(w) && l.begins && s.can[(k+1)*n+i] {
				later = true
			}
			if ok {
				first = i
			}
		}
		if first < 0 {
			return false
		}
	}
	if hit == nil {
		return true
	}
	for k, i := 0, first; ; k++ {
		hit[i] = true
		if k+1 == len(w) {
			return true
		}
		next := s.can[(k+1)*n : (k+2)*n]
		if i++; next[i] {
			continue
		}
		for !next[i] || !s.letters[i].begins {
			i++
		}
	}
}

// within reports whether the letters of w are in the word that begins at letter
// i, in order and from its first one on, and marks them.
func (s *searcher) within(w []rune, i int, hit []bool) bool {
	k := 0
	for ; k < len(w) && s.letters[i].r != 0; i++ {
		if s.letters[i].r == w[k] {
			if hit != nil {
				hit[i] = true
			}
			k++
		} else if k == 0 {
			return false
		}
	}
	return k == len(w)
}

// SplitRow reads "client / project / task", as people write a row that is new.
// ok is false if it is not three names.
func SplitRow(text string) (client, project, task string, ok bool) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '·' || r == '>' })
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if len(parts) != 3 || slices.Contains(parts, "") {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}
