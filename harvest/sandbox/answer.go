package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const (
	typeJSON = "application/json; charset=utf-8"
	typeHTML = "text/html; charset=UTF-8"
)

// answer is a whole response, kept back until it is decided what happens to it on the wire.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) with(key, value string) answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(key, value)
	return a
}

func rawJSON(status int, body []byte) answer {
	return answer{status: status, header: http.Header{"Content-Type": {typeJSON}}, body: body}
}

func asJSON(status int, v any) answer {
	body, err := encode(v)
	if err != nil {
		return htmlError(http.StatusInternalServerError)
	}
	return rawJSON(status, body)
}

// encode marshals without escaping HTML and without a final line feed.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

func asHTML(status int, page string) answer {
	return answer{status: status, header: http.Header{"Content-Type": {typeHTML}}, body: []byte(page)}
}

// The three JSON shapes of errors (section 4).

type messageBody struct {
	Message string `json:"message"`
}

type statusBody struct {
	Status int    `json:"status"`
	Error  string `json:"error"`
}

type oauthBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

const tokenRefused = "The access token provided is expired, revoked, malformed or invalid for other reasons."

// unauthorized is the 401 of a bad or expired token.
func unauthorized() answer {
	a := asJSON(http.StatusUnauthorized, oauthBody{"invalid_token", tokenRefused})
	a.header.Set("Content-Type", "application/json")
	return a.with("WWW-Authenticate", `Bearer realm="Harvest", error="invalid_token", error_description="`+tokenRefused+`"`)
}

// forbidden is the 403 of a role that is too low.
func forbidden() answer {
	const text = "Not authorized!"
	return asJSON(http.StatusForbidden, messageBody{text}).with("Hint", text)
}

// notFound is the 404 of an unknown record.
func notFound() answer {
	return asJSON(http.StatusNotFound, statusBody{http.StatusNotFound, "Not Found"})
}

// invalid is the 422 of failed validation: all faults in one sentence.
func invalid(faults ...string) answer {
	return asJSON(http.StatusUnprocessableEntity, messageBody{strings.Join(faults, ", ")})
}

// refusedDelete is the 422 of a record that others need.
func refusedDelete(text string) answer { return invalid(text).with("Hint", text) }

// badRequest is the 400 whose body nobody recorded.
func badRequest(text string) answer {
	return asJSON(http.StatusBadRequest, statusBody{http.StatusBadRequest, text})
}

// notRouted is the 404 of an address that leads nowhere: a page of about 4 kB.
func notRouted() answer {
	filler := strings.Repeat("<!-- Harvest -->\n", 210)
	return asHTML(http.StatusNotFound, htmlPage("The page you were looking for doesn't exist (404)",
		"You may have mistyped the address or the page may have moved.")+filler)
}

// htmlError is a page of the server or of what stands in front of it.
func htmlError(status int) answer {
	text := "We're sorry, but something went wrong. We've been notified about this issue and we'll take a look at it shortly."
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		text = "Harvest is temporarily unavailable."
	case http.StatusTooManyRequests:
		text = "You have sent too many requests. Please slow down."
	}
	return asHTML(status, htmlPage(fmt.Sprintf("%d %s", status, http.StatusText(status)), text))
}

func htmlPage(title, text string) string {
	return "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head>\n<body><h1>" + title + "</h1><p>" + text + "</p></body></html>\n"
}

// appendString writes a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := encode(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendText writes a JSON string or null.
func appendText(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return appendString(b, *s)
}
