package views_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"furrow/views"
)

var (
	update  = flag.Bool("update", false, "rewrite the golden files")
	gallery = flag.String("gallery", "", "directory to write all sample pages to, for looking at them")
)

func renderTo(t testing.TB, c templ.Component) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestGolden compares every sample with its file in testdata.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, component := range samples() {
		if name == "week_big" {
			continue // for size and speed only
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := indent(t, renderTo(t, component))
			path := filepath.Join("testdata", name+".html")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got; -update rewrites it)\n%s", path, diff)
			}
		})
	}
}

// indent puts every tag and text on a line of its own. Blocks that are not
// closed properly are an error.
func indent(t testing.TB, page string) string {
	t.Helper()
	var out strings.Builder
	depth, open := 0, []string{}
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			break
		}
		token := tokens.Token()
		void := map[string]bool{"input": true, "img": true, "meta": true, "link": true, "br": true, "hr": true}[token.Data]
		switch kind {
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes nothing; open: %v", token.Data, open)
			}
			open = open[:len(open)-1]
			depth--
		case html.TextToken:
			token.Data = strings.Join(strings.Fields(token.Data), " ")
			if token.Data == "" {
				continue
			}
		}
		out.WriteString(strings.Repeat(" ", depth) + token.String() + "\n")
		if kind == html.StartTagToken && !void {
			open = append(open, token.Data)
			depth++
		}
	}
	if len(open) > 0 {
		t.Fatalf("left open: %v", open)
	}
	return out.String()
}

// TestMarkup checks on every sample what must hold everywhere: ids are unique,
// references point somewhere, controls have names, nothing needs inline script
// or style, and no htmx feature is used that evaluates text as code.
func TestMarkup(t *testing.T) {
	t.Parallel()
	for name, component := range samples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := renderTo(t, component)
			whole := strings.HasPrefix(text, "<!doctype html>")
			ids, references := map[string]int{}, []string{}
			tokens := html.NewTokenizer(strings.NewReader(text))
			labelled := map[string]bool{}
			type control struct{ id, markup string }
			var unnamed []control
			forms := 0
			for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
				token := tokens.Token()
				if token.Data == "form" && kind == html.StartTagToken {
					if forms++; forms > 1 {
						t.Errorf("a form inside a form: %s", token)
					}
				} else if token.Data == "form" && kind == html.EndTagToken {
					forms--
				}
				if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
					continue
				}
				if token.Data == "style" || token.Data == "script" && attr(token, "src") == "" {
					t.Errorf("inline %s", token.Data)
				}
				if id := attr(token, "id"); id != "" {
					ids[id]++
				}
				if token.Data == "label" {
					labelled[attr(token, "for")] = true
				}
				if isControl(token) && attr(token, "aria-label") == "" && attr(token, "aria-labelledby") == "" {
					unnamed = append(unnamed, control{attr(token, "id"), token.String()})
				}
				for _, a := range token.Attr {
					switch {
					case a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on"):
						t.Errorf("attribute %s in %s", a.Key, token)
					case strings.HasPrefix(a.Key, "hx-") && (strings.Contains(a.Val, "js:") || strings.Contains(a.Val, "javascript:")):
						t.Errorf("code in %s", token)
					case a.Key == "hx-trigger" && strings.Contains(a.Val, "["):
						t.Errorf("a trigger filter in %s", token)
					case a.Key == "href" && strings.HasPrefix(strings.ToLower(a.Val), "javascript"):
						t.Errorf("code in %s", token)
					case a.Key == "for", a.Key == "form":
						references = append(references, a.Val)
					case a.Key == "aria-labelledby", a.Key == "aria-describedby":
						references = append(references, strings.Fields(a.Val)...)
					}
				}
			}
			for id, n := range ids {
				if n > 1 {
					t.Errorf("id %q used %d times", id, n)
				}
			}
			for _, c := range unnamed {
				if c.id == "" || !labelled[c.id] {
					t.Errorf("no name for %s", c.markup)
				}
			}
			if whole {
				for _, id := range references {
					if ids[id] == 0 {
						t.Errorf("reference to %q, which is not there", id)
					}
				}
			}
		})
	}
}

func attr(token html.Token, key string) string {
	for _, a := range token.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func isControl(token html.Token) bool {
	switch token.Data {
	case "select", "textarea":
		return true
	case "input":
		_, hidden := map[string]bool{"hidden": true}[attr(token, "type")]
		for _, a := range token.Attr {
			hidden = hidden || a.Key == "hidden"
		}
		return !hidden
	default:
		return false
	}
}

// TestEnter checks on every sample what Enter in a field presses: the first
// button of the form. It must not be one of several answers.
func TestEnter(t *testing.T) {
	t.Parallel()
	for name, component := range samples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			typing, asked := false, false // in a form with a field to type in; its first button has been met
			tokens := html.NewTokenizer(strings.NewReader(renderTo(t, component)))
			for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
				token := tokens.Token()
				switch {
				case token.Data == "form" && kind == html.StartTagToken:
					typing, asked = false, false
				case token.Data == "input" && isControl(token) && attr(token, "type") != "radio" && attr(token, "type") != "checkbox":
					typing = true
				case token.Data == "button" && kind == html.StartTagToken && attr(token, "form") == "" && !asked:
					if asked = true; typing && attr(token, "name") != "" {
						t.Errorf("Enter in a field presses %s", token)
					}
				}
			}
		})
	}
}

// TestSize keeps the week page and the answer to one click small, before they are
// compressed: what is drawn. What is sent is measured in a browser.
func TestSize(t *testing.T) {
	t.Parallel()
	all := samples()
	big := renderTo(t, all["week_big"])
	const most = 130_000
	if len(big) > most {
		t.Errorf("a week of 60 rows is %d bytes; at most %d are meant", len(big), most)
	}
	g := bigGrid()
	one := views.ClientRows{Key: g.Clients[0].Key, Name: g.Clients[0].Name, Rows: g.Clients[0].Rows[:1]}
	click := renderTo(t, views.WeekChange{Grid: g, Clients: []views.ClientRows{one}}.View())
	t.Logf("page %d bytes, one click's answer %d", len(big), len(click))
	if len(click)*10 > len(big) {
		t.Errorf("one click's answer is %d bytes, more than a tenth of %d", len(click), len(big))
	}
}

// TestGallery writes every sample to a directory.
func TestGallery(t *testing.T) {
	t.Parallel()
	if *gallery == "" {
		t.Skip("no -gallery directory given")
	}
	for name, component := range samples() {
		if err := os.WriteFile(filepath.Join(*gallery, name+".html"), []byte(renderTo(t, component)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkWeekPage(b *testing.B) {
	page := views.WeekPage{Chrome: chrome("Week", views.NavWeek), Week: sampleWeek(), Status: done(), Grid: bigGrid(), AddRow: addRow()}
	var out bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := page.View().Render(b.Context(), &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len()), "bytes")
}
