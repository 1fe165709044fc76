package main

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

const unitsDir = "tools/release/systemd"

// settings are the values of a unit's settings, in order.
func settings(t *testing.T, unit string) map[string][]string {
	t.Helper()
	file, err := os.Open(filepath.Join(unitsDir, unit))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	found := map[string][]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(name, "#") {
			found[name] = append(found[name], value)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// The units for systemd call commands that there are, with variables that they
// know.
func TestUnits(t *testing.T) {
	t.Parallel()
	var line commandLine
	parser, err := kong.New(&line)
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]bool{"FURROW_LOG": true}
	var collect func(*kong.Node)
	collect = func(node *kong.Node) {
		for _, flag := range node.Flags {
			for _, name := range flag.Envs {
				variables[name] = true
			}
		}
		for _, child := range node.Children {
			collect(child)
		}
	}
	collect(parser.Model.Node)

	for unit, command := range map[string]string{"furrow.service": "serve", "furrow-backup.service": "backup <file>"} {
		start := settings(t, unit)["ExecStart"]
		if len(start) != 1 {
			t.Fatalf("%s starts %v", unit, start)
		}
		parsed, err := parser.Parse(strings.Fields(start[0])[1:])
		if err != nil || parsed.Command() != command {
			t.Errorf("%s starts %q: %v", unit, start, err)
		}
	}
	checked := 0
	for _, name := range []string{"furrow.service", "furrow-backup.service", "furrow.env"} {
		text, err := os.ReadFile(filepath.Join(unitsDir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(FURROW_[A-Z_]+)=`).FindAllSubmatch(text, -1) {
			checked++
			if !variables[string(match[1])] {
				t.Errorf("%s sets %s, which no command knows", name, match[1])
			}
		}
	}
	if checked < 5 {
		t.Errorf("%d variables were found in the units", checked)
	}
}

// A stop has the time for all that it does in order: requests and jobs beside
// each other, then the private server.
func TestUnitStopTime(t *testing.T) {
	t.Parallel()
	found := settings(t, "furrow.service")
	const dropTime = 30 * time.Second // what package localpg waits for a server that was told to drop everything
	most := max(drainRequests, drainJobs) + stopTime + dropTime
	given, err := time.ParseDuration(found["TimeoutStopSec"][0])
	if err != nil || given <= most {
		t.Errorf("the unit gives %s, %v; want more than %s", given, err, most)
	}
	if found["KillMode"][0] != "mixed" {
		t.Error("PostgreSQL is told to stop while furrow still works")
	}
}
