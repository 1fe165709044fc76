package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestThreatsAreTested checks the page of threats against the tests it names.
func TestThreatsAreTested(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("e2e/THREATS.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`)
	name := regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`")
	tests := map[string]map[string]map[string]bool{}
	rows := row.FindAllStringSubmatch(string(text), -1)
	for _, columns := range rows[1:] { // the first one is the head
		if rest := strings.Trim(name.ReplaceAllString(columns[4], ""), ", "); rest != "" || !name.MatchString(columns[4]) {
			t.Errorf("%s: %s: no test, or what is none: %q", columns[1], columns[2], rest)
		}
		for _, parts := range name.FindAllStringSubmatch(columns[4], -1) {
			if tests[parts[1]] == nil {
				tests[parts[1]] = testsIn(t, parts[1])
			}
			if _, ok := tests[parts[1]][parts[2]]; !ok {
				t.Errorf("%s: package %s has no %s", columns[2], parts[1], parts[2])
			}
		}
	}
	if len(rows) < 15 {
		t.Errorf("the table has %d rows", len(rows))
	}
}
