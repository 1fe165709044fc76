package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"furrow/db/dbtest"
)

// A directory keeps the newest backups. What furrow did not put there stays, and
// so does everything when the new backup fails.
func TestBackupRotation(t *testing.T) {
	t.Parallel()
	database, sealed := dbtest.URL(t), dbtest.URL(t)
	storeCredentials(t, sealed)

	foreign := []string{
		"furrow-20260101T000000Z.backup.old", "furrow-20260101.backup", "furrow-20260101T000000.5Z.backup",
		"my-furrow-20260101T000000Z.backup", "furrow.backup", "notes.txt",
	}
	old := []string{"furrow-20260101T000000Z.backup", "furrow-20260102T000000Z.backup", "furrow-20260103T000000Z.backup"}
	tests := []struct {
		name     string
		database string
		keep     string
		wantOld  []string
		wantNew  int
		wantErr  string
	}{
		{"all", database, "", old, 1, ""},
		{"as many as there are then", database, "--keep=4", old, 1, ""},
		{"two", database, "--keep=2", old[2:], 1, ""},
		{"the new one alone", database, "--keep=1", nil, 1, ""},
		{"it fails", sealed, "--keep=1", old, 0, "no secret key"},
		{"none", database, "--keep=-1", old, 0, "--keep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, name := range append(append([]string{".furrow-backup-1"}, foreign...), old...) {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"backup", dir, "--database-url", tt.database, "--data-dir", t.TempDir()}
			if tt.keep != "" {
				args = append(args, tt.keep)
			}
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), args, func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)
			if (err != nil) != (tt.wantErr != "") || (err != nil && !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("error %v, want one with %q", err, tt.wantErr)
			}
			names := namesIn(t, dir)
			made := 0
			for name := range names {
				if taken, err := time.Parse(backupName, name); err == nil && time.Since(taken) < time.Hour {
					made++
					delete(names, name)
				}
			}
			if made != tt.wantNew {
				t.Errorf("%d new backups, want %d", made, tt.wantNew)
			}
			want := map[string]bool{".furrow-backup-1": true} // somebody may be at it
			for _, name := range append(append([]string{}, foreign...), tt.wantOld...) {
				want[name] = true
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("the directory (-want +got):\n%s", diff)
			}
		})
	}
}

// What a killed backup left goes when nobody can be at it any more; and a clock
// that was set back does not make the newest backup the oldest.
func TestBackupRotationLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for name, age := range map[string]time.Duration{
		".furrow-backup-killed": 25 * time.Hour, ".furrow-backup-running": time.Hour,
		"furrow-20260102T000000Z.backup": 0, "furrow-20300101T000000Z.backup": time.Hour,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := rotate(dir, filepath.Join(dir, "furrow-20260102T000000Z.backup"), 1, now)
	if removed != 1 || err != nil {
		t.Errorf("removed %d, %v; want 1", removed, err)
	}
	want := map[string]bool{".furrow-backup-running": true, "furrow-20260102T000000Z.backup": true}
	if diff := cmp.Diff(want, namesIn(t, dir)); diff != "" {
		t.Errorf("the directory (-want +got):\n%s", diff)
	}
}

// Where a backup goes is settled before anything is opened.
func TestBackupPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 23, 21, 5, 9, 0, time.FixedZone("", 3600))
	tests := []struct {
		name, file string
		keep       int
		want       string
		wantErr    string
	}{
		{"a file", filepath.Join(dir, "x"), 0, filepath.Join(dir, "x"), ""},
		{"a directory", dir, 0, filepath.Join(dir, "furrow-20261123T200509Z.backup"), ""},
		{"no such directory", filepath.Join(dir, "x") + "/", 0, "", "no directory"},
		{"keeping files", filepath.Join(dir, "x"), 3, "", "--keep"},
	}
	for _, tt := range tests {
		c := backupConfig{File: tt.file, Keep: tt.keep}
		_, got, err := c.place(now)
		if got != tt.want || (err != nil) != (tt.wantErr != "") || (err != nil && !strings.Contains(err.Error(), tt.wantErr)) {
			t.Errorf("%s: %q, %v; want %q, %q", tt.name, got, err, tt.want, tt.wantErr)
		}
	}
}

func namesIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	return names
}
