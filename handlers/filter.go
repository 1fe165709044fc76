package handlers

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"furrow/planner"
)

// Filters of lists come with their address. What no page of ours leads to is not
// found.

// mostSearched is how many characters of a search are looked for. A longer one,
// such as a pasted note, is cut, and shown as it was cut.
const mostSearched = 200

// storable reports whether a text is one that browsers send and the database takes.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// filterText is the text that a filter looks for, cut where it is too long.
func filterText(query url.Values, name string) (string, error) {
	text := query.Get(name)
	if !storable(text) {
		return "", fmt.Errorf("filter %s %q: %w", name, text, planner.ErrNotFound)
	}
	runes := []rune(strings.TrimSpace(text))
	return string(runes[:min(len(runes), mostSearched)]), nil
}

// filterID reads a filter that is an id, or another number above 0; it is 0 if
// nothing is set.
func filterID(name, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("filter %s %q: %w", name, text, planner.ErrNotFound)
	}
	return id, nil
}
