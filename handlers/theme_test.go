package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// attribute returns an attribute of what the selector finds; empty without it.
func (a answer) attribute(t *testing.T, selector, name string) string {
	t.Helper()
	page, err := goquery.NewDocumentFromReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	return page.Find(selector).AttrOr(name, "")
}

// A browser that chose a theme gets it with the first byte of every page, also
// of the login; others follow their system.
func TestTheme(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida, other := b.loggedIn(idaEmail), b.loggedIn(idaEmail)
	for _, test := range []struct {
		theme, wantRoot, wantSchemes, wantPressed string
	}{
		{"dark", "dark", "dark", "Dark"},
		{"light", "light", "light", "Light"},
		{"", "", "light dark", "System"},
	} {
		got := ida.post("/settings/theme", url.Values{"theme": {test.theme}})
		if got.status != http.StatusSeeOther || got.location() != "/settings" {
			t.Fatalf("%q: status %d to %s", test.theme, got.status, got.location())
		}
		page := ida.get("/settings")
		if root := page.attribute(t, "html", "data-theme"); root != test.wantRoot {
			t.Errorf("%q: the page is %q, want %q", test.theme, root, test.wantRoot)
		}
		if schemes := page.attribute(t, "meta[name=color-scheme]", "content"); schemes != test.wantSchemes {
			t.Errorf("%q: the page may be %q, want %q", test.theme, schemes, test.wantSchemes)
		}
		if chosen := page.text(t, `[name=theme][aria-pressed=true]`); chosen != test.wantPressed {
			t.Errorf("%q: %q is chosen, want %q", test.theme, chosen, test.wantPressed)
		}
	}
	ida.post("/settings/theme", url.Values{"theme": {"dark"}})
	if root := other.get("/settings").attribute(t, "html", "data-theme"); root != "" {
		t.Errorf("another browser is %q", root)
	}
	ida.post("/logout", nil)
	if root := ida.get("/login").attribute(t, "html", "data-theme"); root != "dark" {
		t.Errorf("the login is %q", root)
	}
	if got := other.post("/settings/theme", url.Values{"theme": {"sepia"}}); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "follows the system") {
		t.Errorf("an unknown theme: %d %s", got.status, got.body)
	}
	if root := other.get("/settings", "Cookie", "theme=sepia").attribute(t, "html", "data-theme"); root != "" {
		t.Errorf("a foreign cookie makes the page %q", root)
	}
}
