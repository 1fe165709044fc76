package static_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"furrow/static"
)

// htmxSHA256 is the hash of dist/htmx.min.js in the npm package htmx.org@4.0.1.
const htmxSHA256 = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"

// read is a file as it lies, or the files that it is made of.
func read(t *testing.T, name string) (content []byte) {
	t.Helper()
	parts := []string{name}
	switch name {
	case static.CSS:
		parts, _ = filepath.Glob("css/*.css")
	case static.Script:
		parts, _ = filepath.Glob("js/*.js")
	}
	for _, part := range parts {
		plain, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, plain...)
	}
	return content
}

func TestHTMXIsTheOnePinned(t *testing.T) {
	t.Parallel()
	content := read(t, static.HTMX)
	sum := sha256.Sum256(content)
	if got := hex.EncodeToString(sum[:]); got != htmxSHA256 {
		t.Errorf("htmx.min.js has hash %s, want %s", got, htmxSHA256)
	}
	if !bytes.Contains(content, []byte(`"4.0.1"`)) {
		t.Error("htmx.min.js does not say that it is version 4.0.1")
	}
}

func get(t *testing.T, path, method string, header map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestHandler(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, accept, wantEncoding string
	}{
		{"nothing accepted", "", ""},
		{"all", "gzip, deflate, br, zstd", "br"},
		{"gzip only", "gzip", "gzip"},
		{"brotli refused", "br;q=0, gzip;q=0.5", "gzip"},
		{"brotli weighed", "br;q=0.1", "br"},
		{"others", "deflate, zstd", ""},
	}
	for _, name := range []string{static.CSS, static.Script, static.HTMX, static.Icon} {
		for _, test := range tests {
			t.Run(name+" "+test.name, func(t *testing.T) {
				t.Parallel()
				response := get(t, static.Path(name), http.MethodGet, map[string]string{"Accept-Encoding": test.accept})
				defer response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Fatalf("status %d", response.StatusCode)
				}
				if got := response.Header.Get("Content-Encoding"); got != test.wantEncoding {
					t.Errorf("encoding %q, want %q", got, test.wantEncoding)
				}
				if got := response.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
					t.Errorf("caching %q", got)
				}
				if got := response.Header.Get("Vary"); got != "Accept-Encoding" {
					t.Errorf("vary %q", got)
				}
				sent, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				if got := response.Header.Get("Content-Length"); got != strconv.Itoa(len(sent)) {
					t.Errorf("length %s of %d", got, len(sent))
				}
				var body io.Reader = bytes.NewReader(sent)
				switch test.wantEncoding {
				case "br":
					body = brotli.NewReader(body)
				case "gzip":
					if body, err = gzip.NewReader(body); err != nil {
						t.Fatal(err)
					}
				}
				plain, err := io.ReadAll(body)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(plain, read(t, name)) {
					t.Error("other bytes than the file's")
				}
			})
		}
	}
}

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	path := static.Path(static.CSS)
	tests := []struct {
		name, method, path, match string
		wantStatus                int
	}{
		{"the plain name", http.MethodGet, "/static/app.css", "", http.StatusNotFound},
		{"another hash of a name that is not", http.MethodGet, "/static/ape.000000000000.css", "", http.StatusNotFound},
		{"no hash", http.MethodGet, "/static/app.00000000000g.css", "", http.StatusNotFound},
		{"half a hash", http.MethodGet, "/static/app.000000.css", "", http.StatusNotFound},
		{"writing to another version", http.MethodPost, "/static/app.000000000000.css", "", http.StatusMethodNotAllowed},
		{"the folder", http.MethodGet, "/static/", "", http.StatusNotFound},
		{"a source file", http.MethodGet, "/static/static.go", "", http.StatusNotFound},
		{"a climb", http.MethodGet, "/static/../go.mod", "", http.StatusNotFound},
		{"writing", http.MethodPost, path, "", http.StatusMethodNotAllowed},
		{"only the head", http.MethodHead, path, "", http.StatusOK},
		{"what it has", http.MethodGet, path, `"` + strings.Split(path, ".")[1] + `"`, http.StatusNotModified},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response := get(t, test.path, test.method, map[string]string{"If-None-Match": test.match})
			defer response.Body.Close()
			if response.StatusCode != test.wantStatus {
				t.Errorf("status %d, want %d", response.StatusCode, test.wantStatus)
			}
		})
	}
}

// A page of another version gets the files of this one, and does not keep them.
func TestAnotherVersion(t *testing.T) {
	t.Parallel()
	for _, name := range []string{static.CSS, static.Script, static.HTMX, static.Icon} {
		own := static.Path(name)
		hash := own[strings.LastIndex(strings.TrimSuffix(own, filepath.Ext(own)), ".")+1 : len(own)-len(filepath.Ext(own))]
		response := get(t, strings.Replace(own, hash, "000000000000", 1), http.MethodGet, nil)
		sent, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK || response.Header.Get("Cache-Control") != "no-store" || !bytes.Equal(sent, read(t, name)) {
			t.Errorf("%s: status %d, caching %q, %d bytes", name, response.StatusCode, response.Header.Get("Cache-Control"), len(sent))
		}
	}
}

// TestSizes keeps the first visit of the week page within its 60 kB: a page of
// 40 rows takes about 12.
func TestSizes(t *testing.T) {
	t.Parallel()
	total := 0
	for _, name := range []string{static.CSS, static.Script, static.HTMX} {
		response := get(t, static.Path(name), http.MethodGet, map[string]string{"Accept-Encoding": "br"})
		sent, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes as brotli", name, len(sent))
		total += len(sent)
	}
	const most = 45_000
	t.Logf("%d bytes in all", total)
	if total > most {
		t.Errorf("%d bytes in all; at most %d are meant", total, most)
	}
}

// TestContrast checks text colours on the grounds they are set on, in both
// themes, against WCAG 2.2 AA (4.5 to 1), and lines of controls (3 to 1).
func TestContrast(t *testing.T) {
	t.Parallel()
	css := string(read(t, static.CSS))
	pair := func(pattern string) [][2]string {
		var pairs [][2]string
		for _, m := range regexp.MustCompile(pattern+`\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`).FindAllStringSubmatch(css, -1) {
			pairs = append(pairs, [2]string{m[1], m[2]})
		}
		if len(pairs) == 0 {
			t.Fatalf("nothing matches %s", pattern)
		}
		return pairs
	}
	grounds := []string{`--bg:`, `--surface:`, `--raised:`, `--tint:`}
	check := func(name string, ink [2]string, ground string, least float64) {
		t.Helper()
		for theme := range 2 {
			if got := contrast(ink[theme], pair(ground)[0][theme]); got < least {
				t.Errorf("%s %s on %s %s: %.2f, want %.1f", name, ink[theme], ground, pair(ground)[0][theme], got, least)
			}
		}
	}
	hues := pair(`--hue:`)
	if len(hues) != 12 {
		t.Errorf("%d hues, want 12", len(hues))
	}
	for _, ground := range grounds {
		for i, hue := range hues {
			check("hue "+strconv.Itoa(i), hue, ground, 4.5)
		}
		for i, state := range pair(`--s:`) {
			check("state "+strconv.Itoa(i), state, ground, 4.5)
		}
		check("ink", pair(`--ink:`)[0], ground, 4.5)
		check("muted", pair(`--muted:`)[0], ground, 4.5)
		check("accent", pair(`--accent:`)[0], ground, 4.5)
		check("edge", pair(`--edge:`)[0], ground, 3)
	}
	check("on accent", pair(`--on-accent:`)[0], `--accent:`, 4.5)
	check("ink", pair(`--ink:`)[0], `--bad-tint:`, 4.5)
	check("muted", pair(`--muted:`)[0], `--bad-tint:`, 4.5)
	for _, tone := range []string{`--bad:`, `--good:`, `--warn:`} {
		for _, ground := range append(grounds, `--bad-tint:`) {
			check(tone, pair(tone)[0], ground, 4.5)
		}
	}
}

// contrast is the WCAG contrast ratio of two colours.
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

func luminance(hexColour string) float64 {
	channel := func(at int) float64 {
		v, err := strconv.ParseUint(hexColour[at:at+2], 16, 8)
		if err != nil {
			return 0
		}
		c := float64(v) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(1) + 0.7152*channel(3) + 0.0722*channel(5)
}
