package main

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"furrow/db"
	"furrow/db/dbtest"
)

// Each of several processes takes the token that another one has printed.
func TestSetupToken(t *testing.T) {
	t.Parallel()
	store, _ := dbtest.Store(t)
	token := func(role string, key []byte, loopback bool) string {
		t.Helper()
		var stdout bytes.Buffer
		c := serveConfig{Role: role}
		got, err := c.setupToken(t.Context(), &environment{stdout: &stdout}, served{publicURL: &url.URL{Scheme: "https", Host: "example.com"}, loopback: loopback}, store, key)
		if err != nil {
			t.Fatal(err)
		}
		if got != "" && !strings.HasSuffix(stdout.String(), "enter this setup token: "+got+"\n") {
			t.Errorf("printed %q for %q", stdout.String(), got)
		}
		return got
	}
	key := dbtest.SecretKey()
	other := bytes.Repeat([]byte{1}, db.SecretKeySize)
	first := token("web", key, false)
	if len(first) != 26 || token("web", key, false) != first || token("all", key, false) != first {
		t.Errorf("two processes, two tokens: %q", first)
	}
	if token("web", other, false) == first {
		t.Error("another key, the same token")
	}
	if got := token("worker", key, false) + token("web", key, true); got != "" {
		t.Errorf("a token where none is needed: %q", got)
	}
}
