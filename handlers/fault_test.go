package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The tests of this file are rows of the fault matrix, and named after them.

// A database that takes no changes is told in words, and pages can be read on.
func TestFault53_ReadOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ida()
	ida := b.loggedIn(idaEmail)
	readOnly := func(on string) {
		// Several statements in one: they come over one connection, which may be read-only itself.
		b.exec("begin read write; do $$ begin execute format('alter database %I set default_transaction_read_only to " + on + "', current_database()); end $$; commit")
		b.pool.Reset() // a connection keeps what it began with
	}
	form := url.Values{"name": {"Ida's laptop"}}
	readOnly("on")
	for name, got := range map[string]answer{
		"form":         ida.post("/settings/tokens", form),
		"form by htmx": ida.post("/settings/tokens", form, hxRequest, "true"),
	} {
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "5" || !strings.Contains(got.body, "The database takes no changes right now") {
			t.Errorf("%s: status %d, Retry-After %q: %s", name, got.status, got.header.Get("Retry-After"), got.body)
		}
	}
	if got := ida.get("/settings"); got.status != http.StatusOK {
		t.Errorf("page: status %d: %s", got.status, got.body)
	}
	readOnly("off")
	if got := ida.post("/settings/tokens", form); got.status >= http.StatusBadRequest {
		t.Errorf("afterwards: status %d: %s", got.status, got.body)
	}
}
