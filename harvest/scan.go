package harvest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// scanner reads JSON once from left to right into whatever its caller makes of
// it. Pages of time entries are read with it because reading them decides how
// long an import takes: it needs less than a quarter of the time of encoding/json and a
// fraction of its memory, and knows the ways in which Harvest's numbers come.
// Small answers are read with encoding/json. Like that it refuses whatever is
// not JSON, in members that nobody wants too.
//
// After the first error every method does nothing and returns zero values, so
// that callers look at err once. Errors tell where, and never hold content.
type scanner struct {
	text  []byte
	at    int
	first bool // the next member is the first of its object or array
	depth int
	names map[string]string // names seen, see name
	err   error
}

// maxDepth bounds nesting, as encoding/json does, but where Harvest's answers
// end.
const maxDepth = 64

var (
	errSyntax = errors.New("not well-formed JSON")
	errKind   = errors.New("value of an unexpected kind")
)

func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %w", s.at, err)
		s.at = len(s.text)
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// open enters an object or array and reports whether there is one; null is
// read as none.
func (s *scanner) open(bracket byte) bool {
	switch s.peek() {
	case bracket:
		if s.depth++; s.depth > maxDepth {
			s.fail(errKind)
			return false
		}
		s.at++
		s.first = true
		return s.err == nil
	case 'n':
		s.literal("null")
	default:
		s.unexpected()
	}
	return false
}

// more reports whether another member follows, and leaves the object or array
// behind if not.
func (s *scanner) more(bracket byte) bool {
	if s.err != nil {
		return false
	}
	c := s.peek()
	if c == bracket {
		s.at++
		s.depth--
		s.first = false
		return false
	}
	if !s.first {
		if c != ',' {
			s.fail(errSyntax)
			return false
		}
		s.at++
	}
	s.first = false
	return true
}

// key reads the name of a member. It is valid until the next call.
func (s *scanner) key() []byte {
	if s.peek() != '"' {
		s.fail(errSyntax)
		return nil
	}
	key := s.quoted()
	if s.peek() != ':' {
		s.fail(errSyntax)
		return nil
	}
	s.at++
	return key
}

// end makes sure that nothing follows.
func (s *scanner) end() {
	if s.peek(); s.at != len(s.text) {
		s.fail(errSyntax)
	}
}

// literal reads a word.
func (s *scanner) literal(word string) {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		s.fail(errSyntax)
		return
	}
	s.at += len(word)
}

// unexpected fails on a value of another kind than wanted, or on no value.
func (s *scanner) unexpected() {
	s.skip()
	s.fail(errKind)
}

// flag reads true or false; null is false.
func (s *scanner) flag() bool {
	switch s.peek() {
	case 't':
		s.literal("true")
		return s.err == nil
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.unexpected()
	}
	return false
}

// scalar reads a string or a number as text; null is empty. It is valid until
// the next call.
func (s *scanner) scalar() []byte {
	switch c := s.peek(); {
	case c == '"':
		return s.quoted()
	case c == '-' || '0' <= c && c <= '9':
		return s.digits()
	case c == 'n':
		s.literal("null")
	default:
		s.unexpected()
	}
	return nil
}

// string reads a string or a number as text; null is empty.
func (s *scanner) string() string { return string(s.scalar()) }

// name is string for what comes up again and again in a page: each text is
// kept once.
func (s *scanner) name() string {
	b := s.scalar()
	if len(b) == 0 {
		return ""
	}
	if known, ok := s.names[string(b)]; ok {
		return known
	}
	if s.names == nil {
		s.names = map[string]string{}
	}
	name := string(b)
	s.names[name] = name
	return name
}

// quoted reads a string, without NUL, which JSON can carry and the store
// cannot.
func (s *scanner) quoted() []byte {
	start := s.at
	escaped := false
	for i := start + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			if b := s.text[start+1 : i]; !escaped && utf8.Valid(b) {
				return b
			}
			return s.unquote(start)
		case c == '\\':
			escaped = true
			i++ // whatever is escaped does not end the string
		case c < ' ':
			s.fail(errSyntax)
			return nil
		}
	}
	s.fail(errSyntax)
	return nil
}

// unquote leaves the rare string with escapes to encoding/json.
func (s *scanner) unquote(start int) []byte {
	var text string
	if json.Unmarshal(s.text[start:s.at], &text) != nil {
		s.fail(errSyntax)
		return nil
	}
	return []byte(plain(text))
}

// digits reads a number as it is written.
func (s *scanner) digits() []byte {
	start := s.at
	if s.text[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.text) && s.text[s.at] == '0' {
		s.at++
	} else if !s.run() {
		return nil
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if !s.run() {
			return nil
		}
	}
	if s.at < len(s.text) && (s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if !s.run() {
			return nil
		}
	}
	return s.text[start:s.at]
}

// run reads at least one digit.
func (s *scanner) run() bool {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	if s.at == start {
		s.fail(errSyntax)
		return false
	}
	return true
}

// skip reads any value and forgets it.
func (s *scanner) skip() {
	switch c := s.peek(); {
	case c == '"':
		s.quoted()
	case c == '-' || '0' <= c && c <= '9':
		s.digits()
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	case c == '{':
		for s.open('{'); s.more('}'); {
			s.key()
			s.skip()
		}
	case c == '[':
		for s.open('['); s.more(']'); {
			s.skip()
		}
	default:
		s.fail(errSyntax)
	}
}
