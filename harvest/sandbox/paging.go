package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"sort"
	"strconv"
)

const maxPerPage = 2000

// Paging styles of a resource, values of the paging switch.
const (
	pagingPage   = "page"   // page numbers and links with page numbers
	pagingCursor = "cursor" // links with cursors, numbers null between first and last page
	pagingMixed  = "mixed"  // links with cursors, numbers on every page
)

// position is a row's place in a list: newest first, then highest id first.
type position struct {
	At string `json:"at"`
	ID int64  `json:"id"`
}

func (p position) compare(q position) int {
	if c := cmp.Compare(q.At, p.At); c != 0 {
		return c
	}
	return cmp.Compare(q.ID, p.ID)
}

// cursor is what the opaque text holds.
type cursor struct {
	After  *position `json:"after,omitempty"`
	Before *position `json:"before,omitempty"`
}

func (c cursor) encode() string {
	b, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(text string) (cursor, bool) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &c) != nil {
		return c, false
	}
	return c, c.After != nil || c.Before != nil
}

// listing describes one list to be cut into pages.
type listing[T any] struct {
	resource string // name in the paging switch; "" is always paged by number
	key      string // name of the collection
	path     string // path of the links; empty means the path of the request
	rows     []T    // all that match, in order
	position func(T) position
	append   func([]byte, T) []byte
}

type pageNumbers struct {
	PerPage      int        `json:"per_page"`
	TotalPages   int        `json:"total_pages"`
	TotalEntries int        `json:"total_entries"`
	NextPage     *int       `json:"next_page"`
	PreviousPage *int       `json:"previous_page"`
	Page         *int       `json:"page"`
	Links        *pageLinks `json:"links,omitempty"`
}

type pageLinks struct {
	First    *string `json:"first"`
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Last     *string `json:"last"`
}

// answerList cuts a list and writes it with the collection as the first key (section 5).
func answerList[T any](s *Server, c *call, l listing[T]) answer {
	perPage := maxPerPage
	if text := c.query.Get("per_page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPerPage {
			return invalid("Invalid per_page parameter: it must be between 1 and 2000")
		}
		perPage = n
	}
	style := pagingPage
	if l.resource != "" && l.position != nil {
		style = s.world.Switches.Paging[l.resource]
	}
	total := len(l.rows)
	pages := max(1, (total+perPage-1)/perPage)

	start, numbered := 0, true
	if text := c.query.Get("cursor"); text != "" && l.position != nil {
		cur, ok := decodeCursor(text)
		if !ok {
			return invalid("Invalid cursor parameter")
		}
		start, numbered = l.seek(cur, perPage), false
	} else if text := c.query.Get("page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return invalid("Invalid page parameter")
		}
		start = min(n-1, pages) * perPage
	}
	start = min(start, pages*perPage)
	end := min(start+perPage, total)
	rows := l.rows[min(start, end):end]
	page := start/perPage + 1

	numbers := pageNumbers{PerPage: perPage, TotalPages: pages, TotalEntries: total}
	if numbered || style != pagingCursor || page == 1 || end >= total {
		numbers.Page = &page
		if end < total {
			numbers.NextPage = new(page + 1)
		}
		if start > 0 {
			numbers.PreviousPage = new(min(page-1, pages))
		}
	}
	if c.links != linksNone {
		numbers.Links = l.links(c, style, perPage, pages, page, start, end)
	}

	b := make([]byte, 0, 512+len(rows)*900)
	b = append(b, '{')
	b = appendString(b, l.key)
	b = append(b, ':', '[')
	for i, row := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.append(b, row)
	}
	tail, err := encode(numbers)
	if err != nil {
		return htmlError(http.StatusInternalServerError)
	}
	b = append(b, ']', ',')
	b = append(b, tail[1:]...)
	return rawJSON(http.StatusOK, b)
}

// seek finds the first row of the page that a cursor means. Rows that went away in between do not
// matter: the place is found by order, not by the row.
func (l listing[T]) seek(cur cursor, perPage int) int {
	if cur.After != nil {
		return sort.Search(len(l.rows), func(i int) bool { return l.position(l.rows[i]).compare(*cur.After) > 0 })
	}
	end := sort.Search(len(l.rows), func(i int) bool { return l.position(l.rows[i]).compare(*cur.Before) >= 0 })
	return max(0, end-perPage)
}

// links builds the four links: absolute, on the host that was called, parameters sorted by name,
// filters repeated. Credentials are never repeated.
func (l listing[T]) links(c *call, style string, perPage, pages, page, start, end int) *pageLinks {
	path := l.path
	if path == "" {
		path = c.path
	}
	link := func(ref, key, value string) *string {
		q := url.Values{}
		for name, values := range c.query {
			if name != "access_token" && name != "account_id" && name != "cursor" && name != "page" {
				q[name] = values
			}
		}
		q.Set("per_page", strconv.Itoa(perPage))
		q.Set("ref", ref)
		q.Set(key, value)
		return new(c.base + path + "?" + q.Encode())
	}
	links := &pageLinks{First: link("first", "page", "1"), Last: link("last", "page", strconv.Itoa(pages))}
	total := len(l.rows)
	if end < total {
		if style == pagingPage {
			links.Next = link("next", "page", strconv.Itoa(page+1))
		} else {
			last := l.position(l.rows[end-1])
			links.Next = link("next_cursor", "cursor", cursor{After: &last}.encode())
		}
	}
	if start > 0 && total > 0 {
		if style == pagingPage {
			links.Previous = link("previous", "page", strconv.Itoa(min(page-1, pages)))
		} else {
			first := position{At: "", ID: 0} // past the end: everything lies before
			if start < total {
				first = l.position(l.rows[start])
			}
			links.Previous = link("previous_cursor", "cursor", cursor{Before: &first}.encode())
		}
	}
	switch c.links {
	case linksForeign:
		links.Next = new("http://foreign.invalid" + path + "?page=2&ref=next")
	case linksRepeat:
		links.Next = new(c.base + c.rawPath + "?" + c.rawQuery)
	}
	return links
}

// appendAsJSON is the row writer of lists that are not worth a handwritten one.
func appendAsJSON[T any](view func(T) any) func([]byte, T) []byte {
	return func(b []byte, row T) []byte {
		text, err := encode(view(row))
		if err != nil {
			return append(b, "null"...)
		}
		return append(b, text...)
	}
}
