package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/db/localpg/testpg"
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

// TestStartBesideAnotherKey: on a database in which nothing is sealed yet, the
// second process with a key of its own is refused, and one with the key of the
// first is not.
func TestStartBesideAnotherKey(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	pool, err := db.Open(t.Context(), url, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	start := func(ctx context.Context, dir string, flags ...string) error {
		args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", dir, "--database-url", url}, flags...)
		return run(ctx, args, func(string) string { return "" }, strings.NewReader(""), io.Discard, io.Discard)
	}
	running := func(n int) {
		t.Helper()
		for reports := 0; reports < n; {
			if err := pool.QueryRow(t.Context(), "select count(*) from process_reports where seen_at > started_at").Scan(&reports); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	first := testpg.DataDir(t)
	go func() { ended <- start(ctx, first) }()
	running(1)
	late, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := start(late, testpg.DataDir(t)); err == nil || !strings.Contains(err.Error(), "--secret-key-file") {
		t.Errorf("with another key: %v", err)
	}
	go func() {
		ended <- start(ctx, testpg.DataDir(t), "--secret-key-file", filepath.Join(first, "secret.key"), "--role", "worker")
	}()
	running(2)
	cancel()
	if err := errors.Join(<-ended, <-ended); err != nil {
		t.Error(err)
	}
}
