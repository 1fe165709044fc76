package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// params are the values of a request's body or query: string, bool, json.Number, nil, params, or a
// list that nobody reads. Texts are read as numbers and truth values where one is wanted, as
// recorded of Harvest (section 1).
type params map[string]any

// parseBody reads a body by its content type. JSON that is not declared as JSON is not read.
func parseBody(contentType string, body []byte) (params, error) {
	p := params{}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return p, nil //nolint:nilerr // an absent or odd content type means: no parameters
	}
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		var m map[string]any
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("read JSON body: %w", err)
		}
		return nested(m), nil
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, fmt.Errorf("read form body: %w", err)
		}
		p.addForm(form)
	}
	return p, nil
}

func nested(m map[string]any) params {
	p := make(params, len(m))
	for k, v := range m {
		if sub, ok := v.(map[string]any); ok {
			v = nested(sub)
		}
		p[k] = v
	}
	return p
}

// addForm adds form values; name[key] makes a nested object, the last of several values wins.
func (p params) addForm(form url.Values) {
	for name, values := range form {
		if len(values) == 0 {
			continue
		}
		value := values[len(values)-1]
		outer, rest, ok := strings.Cut(name, "[")
		if !ok {
			p[name] = value
			continue
		}
		key, ok := strings.CutSuffix(rest, "]")
		if !ok || key == "" {
			continue // a list: no parameter of the API is one
		}
		sub, ok := p[outer].(params)
		if !ok {
			sub = params{}
			p[outer] = sub
		}
		sub[key] = value
	}
}

// given reports whether the key is there with a value that is neither null nor empty.
func (p params) given(key string) bool {
	v, ok := p[key]
	return ok && v != nil && v != ""
}

// has reports whether the key is there at all, be it null.
func (p params) has(key string) bool {
	_, ok := p[key]
	return ok
}

// text is a value as text; false if absent or null.
func (p params) text(key string) (string, bool) {
	switch v := p[key].(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// textOrNil is for columns that may be null.
func (p params) textOrNil(key string) *string {
	if v, ok := p.text(key); ok {
		return &v
	}
	return nil
}

var errNotNumber = errors.New("is not a number")

// number is a decimal value; nil if absent, null or empty.
func (p params) number(key string) (*dec, error) {
	text, _ := p.text(key)
	text = strings.TrimSpace(text)
	if text == "" {
		if p.given(key) {
			return nil, errNotNumber // a list or an object
		}
		return nil, nil
	}
	d, err := decimal.NewFromString(text)
	if err != nil || d.Exponent() > 15 || d.Exponent() < -30 {
		return nil, errNotNumber
	}
	return &dec{d}, nil
}

// id is an integer value, 0 if absent or not an integer.
func (p params) id(key string) int64 {
	d, err := p.number(key)
	if err != nil || d == nil || !d.IsInteger() {
		return 0
	}
	return d.IntPart()
}

// truth is a boolean value; ok is false if absent or unreadable.
func (p params) truth(key string) (value, ok bool) {
	text, _ := p.text(key)
	switch strings.ToLower(text) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// sub is a nested object.
func (p params) sub(key string) (params, bool) {
	v, ok := p[key].(params)
	return v, ok
}

// parseDate reads a calendar date, dashed or not, and returns it dashed.
func parseDate(text string) (string, bool) {
	for _, layout := range []string{time.DateOnly, "20060102"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	// Clients also send whole instants; the date is what counts.
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.Format(time.DateOnly), true
	}
	return "", false
}

// parseInstant reads an ISO 8601 date-time; without a zone it is UTC.
func parseInstant(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parseWallClock reads "2:59pm" or "14:59" as a minute of the day.
func parseWallClock(text string) (int, bool) {
	text = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), " ", "")
	for _, layout := range []string{"3:04pm", "15:04", "3pm", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Hour()*60 + t.Minute(), true
		}
	}
	return 0, false
}

// formatWallClock prints a minute of the day by the company's clock setting.
func formatWallClock(minute int, clock string) string {
	t := time.Date(2000, 1, 1, 0, minute, 0, 0, time.UTC)
	if clock == "12h" {
		return t.Format("3:04pm")
	}
	return t.Format("15:04")
}
