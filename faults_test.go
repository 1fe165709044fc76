package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// faultRows is how many rows the table of faults has.
const faultRows = 86

// TestFaultsAreTested checks the table of faults against the tests it names.
func TestFaultsAreTested(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("e2e/FAULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	// Who looks for the test of a row that concerns writes, jobs or the database finds it by its number.
	numbered := func(row int) bool {
		return row <= 32 || row >= 36 && row <= 58 || row == 61 || row >= 63 && row <= 69
	}
	row := regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`)
	name := regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)((?:/[^`/]+)*)`")
	tests := map[string]map[string]map[string]bool{}
	rows := row.FindAllStringSubmatch(string(text), -1)
	for i, columns := range rows {
		number, cell, by := columns[1], columns[3], columns[4]
		if number != strconv.Itoa(i+1) {
			t.Errorf("row %s is the table's %d.", number, i+1)
		}
		if by != "make test" && by != "make chaos" && by != "make test, make chaos" {
			t.Errorf("row %s is run by %q", number, by)
		}
		if rest := strings.Trim(name.ReplaceAllString(cell, ""), ", "); rest != "" {
			t.Errorf("row %s: %q is no name of a test", number, rest)
		}
		own := regexp.MustCompile(`(TestFault|/)0?` + number + `(\D|$)`)
		if !name.MatchString(cell) || numbered(i+1) && !own.MatchString(cell) {
			t.Errorf("row %s has no test of its number: %s", number, cell)
		}
		for _, parts := range name.FindAllStringSubmatch(cell, -1) {
			directory, function := parts[1], parts[2]
			if tests[directory] == nil {
				tests[directory] = testsIn(t, directory)
			}
			known, ok := tests[directory][function]
			if !ok {
				t.Errorf("row %s: package %s has no %s", number, directory, function)
				continue
			}
			for _, subtest := range strings.Split(parts[3], "/")[1:] {
				if !known[subtest] {
					t.Errorf("row %s: %s.%s has no subtest %s", number, directory, function, subtest)
				}
			}
		}
	}
	if len(rows) != faultRows {
		t.Errorf("the table has %d rows, want %d", len(rows), faultRows)
	}
}

// testsIn returns, for each test function of a directory, the texts that it
// holds, in the form that the names of subtests have.
func testsIn(t *testing.T, directory string) map[string]map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(directory, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]bool{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Recv != nil || !strings.HasPrefix(function.Name.Name, "Test") {
				continue
			}
			texts := map[string]bool{}
			ast.Inspect(function, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					if text, err := strconv.Unquote(literal.Value); err == nil {
						texts[strings.ReplaceAll(text, " ", "_")] = true
					}
				}
				return true
			})
			found[function.Name.Name] = texts
		}
	}
	return found
}
