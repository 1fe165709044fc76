package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// saysDoctor runs furrow doctor on a data directory, beside a program that runs
// on it or not. It must say want of the private PostgreSQL, no ill of what is in
// it, and change nothing.
func saysDoctor(t *testing.T, furrow, want string, args ...string) {
	t.Helper()
	dir := args[len(args)-1]
	before := namesIn(t, dir)
	said, _ := runCommand(t, furrow, append([]string{"doctor", "--json"}, args...)...)
	said, _, _ = strings.Cut(said, "furrow: ") // Harvest is out of reach
	var findings []struct{ State, Check, Found string }
	if err := json.Unmarshal([]byte(said), &findings); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	of := map[string]string{}
	for _, f := range findings {
		of[f.Check] = f.State + " " + f.Found
	}
	if !strings.Contains(of["PostgreSQL"], want) {
		t.Errorf("PostgreSQL: %s, want %q", of["PostgreSQL"], want)
	}
	for _, name := range []string{"flags", "secret key", "durability", "schema", "connections", "clock", "encoding", "indexes"} {
		if of[name] != "" && !strings.HasPrefix(of[name], "ok ") {
			t.Errorf("%s: %s", name, of[name])
		}
	}
	if diff := cmp.Diff(before, namesIn(t, dir)); diff != "" {
		t.Errorf("it changed the directory:\n%s", diff)
	}
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
