package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// Outcomes that only exist on the web.
var (
	errLoggedOut   = errors.New("nobody is logged in")
	errBadToken    = errors.New("the API token is not valid")
	errCrossOrigin = errors.New("request of another site")
	errMethod      = errors.New("method not allowed")
	errMalformed   = errors.New("malformed request")
	errNotEnrolled = errors.New("a second factor is required")
	errBusy        = errors.New("too much at once")
)

// saidError is an error with its own sentence for people.
type saidError struct {
	err      error
	sentence string
}

func (e *saidError) Error() string { return e.err.Error() }
func (e *saidError) Unwrap() error { return e.err }

// say gives an error a sentence of its own, in place of the table's; the
// status stays that of err. The sentence tells what happened and what to do
// next, and holds nothing of err's text.
func say(err error, sentence string) error { return &saidError{err, sentence} }

// problem is how an error is told.
type problem struct {
	status     int
	title      string
	sentence   string
	link       string // label of a link to the login page; may be empty
	fields     planner.FieldErrors
	retryAfter time.Duration
}

// unavailableFor is how long a client should wait before it asks a database
// again that does not answer.
const unavailableFor = 5 * time.Second

// problemOf is the one table from errors to answers. Everything it does not
// know is our fault.
func problemOf(r *http.Request, err error) problem {
	p := tableProblem(r, err)
	var said *saidError
	if errors.As(err, &said) {
		p.sentence = said.sentence
	}
	return p
}

func tableProblem(r *http.Request, err error) problem {
	var tooLarge *http.MaxBytesError
	var fields planner.FieldErrors
	switch {
	case errors.As(err, &tooLarge):
		return problem{status: http.StatusRequestEntityTooLarge, title: "Too much at once",
			sentence: "That was more than " + sizeWords(tooLarge.Limit) + ", so nothing of it was saved. Send it in smaller parts."}
	case errors.Is(err, errMalformed):
		return problem{status: http.StatusBadRequest, title: "Not understood",
			sentence: "The form arrived damaged, so nothing was saved. Go back and send it again."}
	case errors.Is(err, errCrossOrigin):
		return problem{status: http.StatusForbidden, title: "Sent from another site",
			sentence: "Your browser says that this was sent from another site, so nothing was done. Open the page here and try again."}
	case errors.Is(err, errMethod):
		return problem{status: http.StatusMethodNotAllowed, title: "Not possible here",
			sentence: "This address does not take that kind of request. Nothing was changed."}
	case errors.Is(err, errLoggedOut):
		return loggedOutProblem(r)
	case errors.Is(err, errNotEnrolled):
		return problem{status: http.StatusForbidden, title: "A second factor first",
			sentence: "This Furrow asks everybody in your place for a second factor to log in with. Set it up first; nothing was done."}
	case errors.Is(err, errBadToken):
		return problem{status: http.StatusUnauthorized, title: "Token not valid",
			sentence: "This API token is not valid. Make a new one in the settings."}
	case errors.Is(err, planner.ErrNotFound):
		return problem{status: http.StatusNotFound, title: "Not found",
			sentence: "There is nothing at this address. It may have been removed, or the address has a typing mistake."}
	case errors.Is(err, planner.ErrConflict):
		return problem{status: http.StatusConflict, title: "Changed meanwhile",
			sentence: "Things changed since this page was loaded, so nothing was done. Load it again to see how they stand."}
	case errors.Is(err, planner.ErrForbidden):
		return problem{status: http.StatusForbidden, title: "Not allowed",
			sentence: "You may see this but not change it. Nothing was done."}
	case errors.As(err, &fields):
		return problem{status: http.StatusUnprocessableEntity, title: "Not saved", sentence: fieldSentences(fields), fields: fields}
	case db.TakesNoChanges(err):
		return noChangesProblem()
	case errors.Is(err, errBusy), errors.Is(err, context.DeadlineExceeded), db.Unavailable(err):
		return unavailableProblem(r)
	default:
		return unknownProblem()
	}
}

// sizeWords tells a limit in bytes.
func sizeWords(limit int64) string {
	if limit < 1<<20 {
		return strconv.FormatInt(limit>>10, 10) + " kB"
	}
	return strconv.FormatInt(limit>>20, 10) + " MB"
}

func loggedOutProblem(r *http.Request) problem {
	p := problem{status: http.StatusUnauthorized, title: "You are logged out", link: "Log in"}
	switch {
	case isAPI(r):
		p.sentence = "Send an API token as \"Authorization: Bearer …\", or log in."
	case wantsFragment(r):
		p.sentence = "You are logged out, so this is not saved yet. Log in in another tab, then send it again: what you typed is still here."
	default:
		p.sentence = "You are logged out, so this is not saved yet. Log in in another tab, then reload this page to send it again."
	}
	return p
}

func unavailableProblem(r *http.Request) problem {
	p := problem{status: http.StatusServiceUnavailable, title: "Not reachable for a moment", retryAfter: unavailableFor,
		sentence: "The database does not answer right now. Everything saved is safe. Try again in a few seconds."}
	switch {
	case isAPI(r) || r.Method == http.MethodGet || r.Method == http.MethodHead:
	case wantsFragment(r):
		p.sentence = "The database does not answer right now, so your changes may not be saved yet. They are still on this page: send them again in a few seconds."
	default:
		p.sentence = "The database does not answer right now, so your changes may not be saved yet. Reload this page in a few seconds to send them again."
	}
	return p
}

func noChangesProblem() problem {
	return problem{status: http.StatusServiceUnavailable, title: "Nothing can be saved right now", retryAfter: unavailableFor,
		sentence: "The database takes no changes right now, because its disk is full or it was made read-only, so this is not saved. Everything saved before is safe. Whoever runs Furrow must make room; after that, send it again."}
}

func unknownProblem() problem {
	return problem{status: http.StatusInternalServerError, title: "Something went wrong",
		sentence: "This is our mistake, and it is noted. What was saved before is safe. Try again; if it stays, give the number below to whoever runs Furrow."}
}

func fieldSentences(fields planner.FieldErrors) string {
	sentences := make([]string, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		sentences = append(sentences, fields[name])
	}
	return strings.Join(sentences, " ")
}

// fail answers a request that err ended, and logs what is ours to look into.
// The session is not stored: whatever the handler did to it did not happen.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the client left; there is nobody to answer
	}
	p := problemOf(r, err)
	level := slog.LevelDebug
	if p.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	known := requestOf(r)
	s.log.Log(r.Context(), level, "request failed", "error", err.Error(), "status", p.status, "route", known.pattern)
	s.answer(w, r, p)
}

// answer tells a problem as JSON, as a fragment in the message area, or as a page.
func (s *site) answer(w http.ResponseWriter, r *http.Request, p problem) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", seconds(p.retryAfter))
	}
	if isAPI(r) {
		s.answerJSON(w, r, p)
		return
	}
	shownID := ""
	if p.status >= http.StatusInternalServerError {
		shownID = requestOf(r).id
	}
	var c component
	if wantsFragment(r) {
		intoNotice(w)
		fragment := views.ErrorFragment{Sentence: p.sentence, RequestID: shownID, Link: p.link}
		if p.link != "" {
			fragment.URL = views.LoginPath
		}
		c = fragment.View()
	} else {
		c = views.ErrorPage{Chrome: s.bareChrome(r, p.title), Status: p.status, Title: p.title, Sentence: p.sentence, RequestID: shownID}.View()
	}
	buffer := s.buffer()
	defer s.release(buffer)
	// A context of its own: the request's may be what is over.
	if err := c.Render(context.WithoutCancel(r.Context()), buffer); err != nil {
		s.log.ErrorContext(r.Context(), "render an error", "error", err.Error())
		s.write(w, r, p.status, "text/plain; charset=utf-8", []byte(p.sentence))
		return
	}
	s.write(w, r, p.status, "text/html; charset=utf-8", buffer.Bytes())
}

// apiProblem is an error as the API tells it.
type apiProblem struct {
	Message   string              `json:"message"`
	Fields    planner.FieldErrors `json:"fields,omitempty"`
	RequestID string              `json:"request_id"`
}

func (s *site) answerJSON(w http.ResponseWriter, r *http.Request, p problem) {
	body, err := json.Marshal(apiProblem{Message: p.sentence, Fields: p.fields, RequestID: requestOf(r).id})
	if err != nil {
		body = []byte(`{}`) // cannot happen: strings only
	}
	s.write(w, r, p.status, "application/json", append(body, '\n'))
}

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// seconds is d for a Retry-After header, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
