package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/db/localpg/testpg"
	"furrow/ledger"
)

// Whatever is wrong at the start is told in one sentence that says what to do,
// and nothing is left behind.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	shortKey := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(shortKey, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	emptyFile := filepath.Join(t.TempDir(), "client-secret")
	if err := os.WriteFile(emptyFile, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hookFile := filepath.Join(t.TempDir(), "webhook-secret")
	if err := os.WriteFile(hookFile, []byte(hookSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	sealed := dbtest.URL(t)
	storeCredentials(t, sealed)

	tests := []struct {
		name string
		args []string
		want string
	}{
		{"broken database address", []string{"--database-url", "postgres://nobody@127.0.0.1:1/none"}, "--database-url"},
		{"no address at all", []string{"--database-url", "::"}, "--database-url"},
		{"busy port", []string{"--listen", busy.Addr().String()}, "--listen"},
		{"bad listen address", []string{"--listen", "8080"}, "not host:port"},
		{"unreadable data directory", []string{"--data-dir", filepath.Join(file, "data")}, "data directory"},
		{"secret key cut short", []string{"--database-url", dbtest.URL(t), "--secret-key-file", shortKey}, "holds 5 bytes"},
		{"another secret key", []string{"--database-url", sealed}, "secret key"},
		{"Harvest over plain http", []string{"--database-url", dbtest.URL(t), "--harvest-url", "http://api.example.com"}, "https"},
		{"public URL without a scheme", []string{"--public-url", "furrow.example.com"}, "--public-url"},
		{"client without a secret", []string{"--harvest-client-id", "furrow"}, "--harvest-client-secret-file"},
		{"client secret is not there", []string{"--database-url", dbtest.URL(t), "--harvest-client-id", "furrow", "--harvest-client-secret-file", filepath.Join(file, "none")}, "client secret cannot be read"},
		{"client secret is empty", []string{"--database-url", dbtest.URL(t), "--harvest-client-id", "furrow", "--harvest-client-secret-file", emptyFile}, "does not hold the client secret"},
		{"mail server of an unknown kind", []string{"--smtp-url", "mail.example.com", "--mail-from", "furrow@example.com"}, "--smtp-url"},
		{"nobody to send mail from", []string{"--smtp-url", "smtps://mail.example.com"}, "--mail-from"},
		{"mail from somebody, and no server", []string{"--mail-from", "furrow@example.com"}, "need --smtp-url"},
		{"alerts to no address", []string{"--smtp-url", "smtp://localhost", "--mail-from", "furrow@example.com", "--alert-mail", "ops"}, "--alert-mail"},
		{"webhook without a secret", []string{"--alert-webhook", "https://hooks.example.com"}, "--alert-webhook-secret-file"},
		{"webhook in the clear", []string{"--alert-webhook", "http://hooks.example.com", "--alert-webhook-secret-file", hookFile}, "--alert-webhook"},
		{"days below zero", []string{"--keep-audit=-1"}, "--keep"},
		{"writes kept for a moment", []string{"--keep-writes", "29"}, "--keep-writes"},
		{"disk limit without a unit", []string{"--alert-disk-free", "10"}, "--alert-disk-free"},
		{"no password for the mail server", []string{"--smtp-url", "smtps://furrow@mail.example.com", "--mail-from", "furrow@example.com", "--smtp-password-file", emptyFile}, "does not hold the password of the mail server"},
		{"sandbox in a worker", []string{"--sandbox", "--role", "worker"}, "--role all"},
		{"too few connections", []string{"--web-connections", "1"}, "must be 4 or more"},
		{"endless drain", []string{"--drain-delay", "1h"}, "--drain-delay"},
		{"a pooler to nowhere", []string{"--database-pooled"}, "--database-url"},
		{"unknown role", []string{"--role", "boss"}, "role"},
		{"unknown flag", []string{"--no-such-flag"}, "unknown flag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", testpg.DataDir(t)}, tt.args...)
			var stdout, stderr bytes.Buffer
			err := run(ctx, args, func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)
			if err == nil {
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not name %q", err, tt.want)
			}
			if text := err.Error() + stderr.String(); strings.Contains(text, "goroutine ") {
				t.Errorf("a stack trace:\n%s", text)
			}
		})
	}
}

// storeCredentials connects a user under the tests' key, which is not the one
// that a fresh data directory makes.
func storeCredentials(t *testing.T, url string) {
	t.Helper()
	pool, err := db.Open(t.Context(), url, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store := dbtest.StoreOver(t, pool)
	id, err := store.CreateFirstUser(t.Context(), "ida@example.com", "hash")
	if err != nil {
		t.Fatal(err)
	}
	err = store.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Connect(t.Context(), id, "1.pt.sandbox", ledger.Account{
			AccountID: 1001, UserID: 2301, Clock: "24h", DurationFormat: "decimal", TimeZone: "UTC",
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Harvest must be able to lead back to us, whatever was said about where we are.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ network, listen, want string }{
		{"tcp4", "127.0.0.1:0", "http://127.0.0.1:PORT"},
		{"tcp4", ":0", "http://127.0.0.1:PORT"},
		{"tcp4", "0.0.0.0:0", "http://127.0.0.1:PORT"},
		{"tcp4", "0.0.0.0:8080", "http://127.0.0.1:PORT"},
		{"tcp4", "localhost:8080", "http://localhost:8080"},
		{"tcp4", "192.0.2.1:8080", "http://192.0.2.1:8080"},
	} {
		var listen net.ListenConfig
		listener, err := listen.Listen(t.Context(), tt.network, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		c := serveConfig{Listen: tt.listen, Role: "all", DiskFree: "10%", processConfig: processConfig{WebConns: minConns, QueueConns: minConns}}
		served, err := c.check()
		if err != nil {
			t.Fatal(err)
		}
		served.foundAt(listener)
		if want := strings.ReplaceAll(tt.want, "PORT", port); served.publicURL.String() != want {
			t.Errorf("%s: %s, want %s", tt.listen, served.publicURL, want)
		}
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"sandbox", "--help"}, {"migrate", "--help"}, {"admin", "--help"}, {"backup", "--help"}, {"restore", "--help"}, {"rotate-key", "--help"}} {
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), args, func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if !strings.Contains(stdout.String(), "Usage: furrow") {
			t.Errorf("%v prints %q", args, stdout.String())
		}
	}
}

// Accounts are made and changed from the shell.
func TestAdmin(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	export := filepath.Join(t.TempDir(), "ida.zip")
	tests := []struct {
		name    string
		args    []string
		stdin   string
		wantOut string
		wantErr string
	}{
		{"short password", []string{"create", "ida@example.com"}, "short\n", "", "12"},
		{"not an address", []string{"create", "ida"}, "a long password\n", "", "e-mail"},
		{"create", []string{"create", "Ida@Example.com", "--admin"}, "a long password\n", "Made the account", ""},
		{"again", []string{"create", "ida@example.com"}, "a long password\n", "", "already"},
		{"promote nobody", []string{"promote", "jo@example.com"}, "", "", "no account"},
		{"promote", []string{"promote", "ida@example.com"}, "", "has the role admin now", ""},
		{"demote the last admin", []string{"promote", "ida@example.com", "--role", "viewer"}, "", "", "nobody else"},
		{"export nobody", []string{"export", "jo@example.com", export}, "", "", "no account"},
		{"export", []string{"export", "IDA@example.com", export}, "", "Everything of IDA@example.com is in", ""},
		{"export over it", []string{"export", "ida@example.com", export}, "", "", "already"},
		{"delete the last admin", []string{"delete", "ida@example.com", "--yes"}, "", "has 0 planned cells", "nobody else"},
		{"create another", []string{"create", "jo@example.com"}, "a long password\n", "Made the account", ""},
		{"promote another", []string{"promote", "jo@example.com"}, "", "has the role admin now", ""},
		{"demote", []string{"promote", "jo@example.com", "--role", "user"}, "", "has the role user now", ""},
		{"invite", []string{"invite", "Eve@example.com", "--role", "viewer", "--public-url", "https://plan.example.com"}, "", "https://plan.example.com/join/", ""},
		{"invite who is there", []string{"invite", "jo@example.com"}, "", "", "already"},
		{"invite no address", []string{"invite", "jo"}, "", "", "e-mail"},
		{"reset link", []string{"reset-link", "JO@example.com"}, "", "http://127.0.0.1:8080/reset/", ""},
		{"reset link for nobody", []string{"reset-link", "al@example.com"}, "", "", "no account"},
		{"delete nobody", []string{"delete", "al@example.com", "--yes"}, "", "", "no account"},
		{"delete by mistake", []string{"delete", "jo@example.com"}, "", "jo@example.com has", "--yes"},
		{"delete", []string{"delete", "jo@example.com", "--yes"}, "", "is deleted", ""},
		{"hold", []string{"hold"}, "", "Nothing is sent for 0 connections", ""},
		{"reset the second factor of nobody", []string{"reset-totp", "jo@example.com"}, "", "", "no account"},
		{"reset no second factor", []string{"reset-totp", "ida@example.com"}, "", "", "has no second factor"},
		{"reset", []string{"reset-password", "ida@example.com"}, "another long password", "new password", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"admin"}, tt.args...)
			args = append(args, "--database-url", url)
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), args, func(string) string { return "" }, strings.NewReader(tt.stdin), &stdout, &stderr)
			if (err != nil) != (tt.wantErr != "") || (err != nil && !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("error %v, want one with %q", err, tt.wantErr)
			}
			if !strings.Contains(stdout.String(), tt.wantOut) {
				t.Errorf("prints %q, want %q", stdout.String(), tt.wantOut)
			}
		})
	}
}
