// Package static holds the files that browsers fetch: the style sheet, one
// small script, htmx and the icon. They are embedded, and served under names
// that carry their hash, so that they may be kept for ever. The style sheet and
// the script are each a folder of files, one after the other in the order of
// their names.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"math/bits"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

// Names of the files.
const (
	CSS    = "app.css"
	Script = "app.js"
	HTMX   = "htmx.min.js"
	Icon   = "icon.svg"
)

// hashSize is how much of a hash an address carries, in bytes.
const hashSize = 6

// prefix is where the files are served.
const prefix = "/static/"

//go:embed css/*.css js/*.js htmx.min.js icon.svg
var files embed.FS

// file is one embedded file and its compressed forms, which are made when they
// are first asked for. There are four files, so the memory is bounded.
type file struct {
	contentType string
	hash        string // first hashSize bytes of its SHA-256, in hex
	plain       []byte
	brotli      func() []byte
	gzip        func() []byte
}

// load reads all files once.
//
//nolint:gochecknoglobals // what is embedded never changes while the program runs
var load = sync.OnceValue(func() map[string]*file {
	types := map[string]string{
		CSS:    "text/css; charset=utf-8",
		Script: "text/javascript; charset=utf-8",
		HTMX:   "text/javascript; charset=utf-8",
		Icon:   "image/svg+xml",
	}
	all := make(map[string]*file, len(types))
	for name, contentType := range types {
		plain := content(name)
		sum := sha256.Sum256(plain)
		all[name] = &file{
			contentType: contentType,
			hash:        hex.EncodeToString(sum[:hashSize]),
			plain:       plain,
			brotli:      sync.OnceValue(func() []byte { return brotliOf(plain) }),
			gzip:        sync.OnceValue(func() []byte { return gzipOf(plain) }),
		}
	}
	return all
})

// content is what a file holds, or the files that it is made of.
func content(name string) []byte {
	parts := []string{name}
	if folder, made := map[string]string{CSS: "css/*.css", Script: "js/*.js"}[name]; made {
		parts, _ = fs.Glob(files, folder) // the pattern is well-formed
	}
	var all []byte
	for _, part := range parts {
		plain, err := files.ReadFile(part)
		if err != nil {
			panic("static: " + part + " is not embedded: " + err.Error()) // cannot happen: the build embeds it
		}
		all = append(all, plain...)
	}
	return all
}

// Path returns the address of an embedded file, with its hash:
// "/static/app.0f343b093112.css". An unknown name gives an address that
// answers 404.
func Path(name string) string {
	f, ok := load()[name]
	if !ok {
		return prefix + name
	}
	extension := path.Ext(name)
	return prefix + strings.TrimSuffix(name, extension) + "." + f.hash + extension
}

// IconURL returns the icon as a data URL, for pages that want one request less.
func IconURL() string {
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(load()[Icon].plain)
}

// Handler serves the files under the addresses that [Path] gives.
//
// An address with another hash is of another version, and gets the file of this
// one, not to be kept: while processes are restarted one after the other, a page
// of the new one may ask the old one for its style sheet, and what is nearly the
// right one is better than none. What a page must do, it does without either.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, own := find(r.URL.Path)
		if f == nil {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		caching := "public, max-age=31536000, immutable"
		if !own {
			caching = "no-store"
		}
		w.Header().Set("Cache-Control", caching)
		f.serve(w, r)
	})
}

// find returns the file of an address, or nil; own: the hash in it is the file's.
func find(address string) (f *file, own bool) {
	base, ok := strings.CutPrefix(address, prefix)
	if !ok {
		return nil, false
	}
	extension := path.Ext(base)
	stem := strings.TrimSuffix(base, extension)
	hash := strings.TrimPrefix(path.Ext(stem), ".")
	if sum, err := hex.DecodeString(hash); err != nil || len(sum) != hashSize {
		return nil, false
	}
	f = load()[strings.TrimSuffix(stem, "."+hash)+extension]
	return f, f != nil && f.hash == hash
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	body, encoding := f.plain, ""
	accepts := r.Header.Get("Accept-Encoding")
	switch {
	case acceptsCoding(accepts, "br"):
		body, encoding = f.brotli(), "br"
	case acceptsCoding(accepts, "gzip"):
		body, encoding = f.gzip(), "gzip"
	}
	tag := `"` + f.hash + encoding + `"`
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Vary", "Accept-Encoding")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("ETag", tag)
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
	}
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the browser is gone: nobody to tell
}

// acceptsCoding reports whether an Accept-Encoding header allows the coding.
// Weights other than a refusal ("q=0") are not compared: brotli is preferred.
func acceptsCoding(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		weight = strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		return strings.Trim(weight, "0.") != "" || weight == ""
	}
	return false
}

// Warm makes the compressed forms ahead of the first request, which would
// otherwise wait about a tenth of a second for each file.
func Warm() {
	for _, f := range load() {
		f.brotli()
		f.gzip()
	}
}

func brotliOf(plain []byte) []byte {
	var out bytes.Buffer
	// No larger a window than the files need: the default one takes tens of megabytes, which the program would keep.
	w := brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: max(10, bits.Len(uint(len(plain)))+1)})
	_, _ = w.Write(plain) // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func gzipOf(plain []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic("static: " + err.Error()) // cannot happen: the level is valid
	}
	_, _ = w.Write(plain) // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}
