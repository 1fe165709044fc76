package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"furrow/db/dbtest"
)

// The secret key is replaced in two steps from the shell, the second of which is
// not to be taken at once. What is sealed is read with the new key alone after it.
func TestRotateKey(t *testing.T) {
	t.Parallel()
	url, file := dbtest.URL(t), filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(file, dbtest.SecretKey(), 0o600); err != nil {
		t.Fatal(err)
	}
	storeCredentials(t, url)
	wrong := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(wrong, bytes.Repeat([]byte{1}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for _, step := range []struct {
		name             string
		args             []string
		age              time.Duration // of the file
		wantOut, wantErr string
		size             int64
	}{
		{"no key", []string{"--secret-key-file", file + ".none"}, 0, "", "there is no secret key", 32},
		{"a foreign key", []string{"--secret-key-file", wrong}, 0, "", "nothing was changed", 32},
		{"finish nothing", []string{"--finish"}, 0, "", "nothing to finish", 32},
		{"add", []string{"--add"}, 0, "secret.key.next", "", 32},
		{"add again", []string{"--add"}, 0, "secret.key.next", "", 32},
		{"rotate", nil, 0, "1 values are sealed with it", "", 64},
		{"rotate again", nil, 0, "0 values are sealed with it", "", 64},
		{"finish too early", []string{"--finish"}, 0, "", "a moment ago", 64},
		{"finish", []string{"--finish"}, 2 * time.Minute, "The old key is gone", "", 32},
	} {
		if step.age > 0 {
			at := time.Now().Add(-step.age)
			if err := os.Chtimes(file, at, at); err != nil {
				t.Fatal(err)
			}
		}
		args := append([]string{"rotate-key", "--database-url", url}, step.args...)
		if len(step.args) == 0 || step.args[0] != "--secret-key-file" {
			args = append(args, "--secret-key-file", file)
		}
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), args, func(string) string { return t.TempDir() }, strings.NewReader(""), &stdout, &stderr)
		if (err != nil) != (step.wantErr != "") || err != nil && !strings.Contains(err.Error(), step.wantErr) {
			t.Errorf("%s: error %v, want one with %q", step.name, err, step.wantErr)
		}
		if !strings.Contains(stdout.String(), step.wantOut) || size() != step.size {
			t.Errorf("%s: %d bytes, and it prints %q", step.name, size(), stdout.String())
		}
	}
	if key, err := os.ReadFile(file); err != nil || bytes.Equal(key, dbtest.SecretKey()) {
		t.Errorf("the key is the old one, %v", err)
	}
}
