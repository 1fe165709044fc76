package harvest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// maxPages ends a listing that does not end by itself: two million rows.
const maxPages = 1000

// The reasons for which a link is not followed.
var (
	errForeignLink  = errors.New("links.next: leads elsewhere")
	errRepeatedLink = errors.New("links.next: leads in a circle")
	errTooManyPages = errors.New("links.next: no end")
)

// apiPath reports whether p is a plain path of the data API. The older prefix
// /api/v2 answers the same (harvest-api.md, section 1).
func apiPath(p string) bool {
	if path.Clean(p) != p || strings.ContainsAny(p, "\\%") {
		return false
	}
	return strings.HasPrefix(p, "/v2/") || strings.HasPrefix(p, "/api/v2/")
}

// localLink checks a link to a next page and returns its path and query. The
// host must be our own, or the token would go elsewhere. The path may differ
// from the first request's: the list of the user's assignments links to
// /users/{id} instead of /users/me (harvest-api.md, section 5).
func (h *Harvest) localLink(link string) (string, error) {
	u, err := url.Parse(link)
	if err != nil || u.User != nil || u.Opaque != "" || !strings.EqualFold(u.Host, h.base.Host) || u.Scheme != h.base.Scheme {
		return "", errForeignLink
	}
	return hostless(u)
}

// resumeLink checks a path and query that localLink once gave. They have been
// kept elsewhere meanwhile.
func resumeLink(resume string) (string, error) {
	u, err := url.Parse(resume)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return "", errForeignLink
	}
	return hostless(u)
}

func hostless(u *url.URL) (string, error) {
	if u.RawPath != "" || u.Fragment != "" || !apiPath(u.Path) {
		return "", errForeignLink
	}
	query := u.Query().Encode() // drops what cannot be read
	if query == "" {
		return u.Path, nil
	}
	return u.Path + "?" + query, nil
}

// onePage is a page as a decoder gives it: rows and the link to the next page.
type onePage[T any] struct {
	rows T
	next string // path and query; empty on the last page
	err  error
	// panicked is what the decoder panicked with. It is raised again where the
	// listing is consumed: there a job can be failed, here the process would die.
	panicked any
}

// walk calls visit with each page from first on, a path and query, until
// visit returns false, a page fails or the last one is through. The next page
// is fetched while visit works. It returns the error of the failed page.
func walk[T any](ctx context.Context, c *Client, name, first string, decode func([]byte) (rows T, next string, err error), visit func(rows T, next string) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	seen := map[string]bool{}
	fetch := func(link string) <-chan onePage[T] {
		seen[link] = true
		ahead := make(chan onePage[T], 1)
		go func() {
			var result onePage[T]
			defer func() {
				result.panicked = recover()
				ahead <- result
			}()
			result = page(ctx, c, name, link, seen, decode)
		}()
		return ahead
	}
	ahead := fetch(first)
	defer func() {
		cancel()
		if ahead != nil {
			<-ahead // leave nothing running behind
		}
	}()
	for {
		current := <-ahead
		ahead = nil
		if current.panicked != nil {
			panic(current.panicked)
		}
		if current.err != nil {
			return current.err
		}
		if current.next != "" {
			ahead = fetch(current.next)
		}
		if !visit(current.rows, current.next) || current.next == "" {
			return nil
		}
	}
}

// page fetches one page. seen is only read, and only while nobody writes it.
func page[T any](ctx context.Context, c *Client, name, link string, seen map[string]bool, decode func([]byte) (T, string, error)) (result onePage[T]) {
	where, query, _ := strings.Cut(link, "?")
	result.err = c.do(ctx, call{
		method: http.MethodGet, path: where, name: name, query: query, class: classOf(name),
		decode: func(body []byte) error {
			rows, next, err := decode(body)
			if err != nil {
				return err
			}
			if next != "" {
				if next, err = c.h.localLink(next); err != nil {
					return err
				}
			}
			switch {
			case seen[next]:
				return errRepeatedLink
			case next != "" && len(seen) >= maxPages:
				return errTooManyPages
			}
			result.rows, result.next = rows, next
			return nil
		},
	})
	return result
}
