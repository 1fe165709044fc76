package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says what the packages of the program may import besides the standard library: ours by their path without
// the module's, others by the path of a module or of a tree in it. Tests may import anything; package main as well.
var mayImport = map[string][]string{
	"planner":       {"github.com/shopspring/decimal", "golang.org/x/text"}, // money; names as they are typed
	"ledger":        {"planner"},
	"ledger/notice": {},
	"static":        {"github.com/andybalholm/brotli"},
	"views":         {"planner", "ledger", "github.com/a-h/templ"},
	"harvest": {
		"planner", "ledger", "github.com/sethvargo/go-retry", "golang.org/x/oauth2", "github.com/shopspring/decimal",
	},
	"harvest/sandbox": {"github.com/shopspring/decimal"}, // nothing of ours: it must not share our mistakes
	"db": {
		"planner", "ledger", "ledger/notice", "db/dbgen", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3",
		"github.com/riverqueue/river/rivermigrate", "github.com/riverqueue/river/riverdriver/riverpgxv5",
	},
	"db/dbgen":           {"planner", "github.com/jackc/pgx/v5"},
	"db/localpg":         {"github.com/jackc/pgx/v5"},
	"db/localpg/carried": {"github.com/andybalholm/brotli"},
	"jobs":               {"planner", "ledger", "ledger/notice", "github.com/riverqueue/river", "github.com/jackc/pgx/v5"},
	"jobs/mail":          {"ledger/notice", "github.com/wneessen/go-mail"},
	"jobs/webhook":       {"ledger/notice"},
	"handlers": {
		"planner", "ledger", "ledger/notice", "views", "db", "jobs", "github.com/alexedwards/scs/v2", "github.com/alexedwards/argon2id",
		"github.com/pquerna/otp",
	},
}

// importedBy narrows who may import a package, whatever mayImport says.
var importedBy = map[string][]string{
	"db/dbgen": {"db"},
}

// forTests are packages that only tests import, and that may import anything.
var forTests = []string{"db/dbtest", "db/localpg/testpg", "harvest/sandbox/sandboxtest", "harvest/sandbox/conformance", "e2e"}

func TestImports(t *testing.T) {
	t.Parallel()
	const module = "furrow"
	seen := map[string]bool{}
	for _, pkg := range listPackages(t) {
		name, ours := strings.CutPrefix(pkg.ImportPath, module+"/")
		if !ours || isIn(name, forTests) { // package main, or a test's
			continue
		}
		seen[name] = true
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is not in the table: say what it may import", name)
			continue
		}
		for _, path := range pkg.Imports {
			imported, ours := strings.CutPrefix(path, module+"/")
			switch {
			case path == module:
				t.Errorf("%s imports package main", name)
			case ours && (!slices.Contains(allowed, imported) || isIn(imported, forTests)):
				t.Errorf("%s imports %s; of ours it may import %v", name, imported, allowed)
			case ours && importedBy[imported] != nil && !slices.Contains(importedBy[imported], name):
				t.Errorf("%s imports %s, which is for %v alone", name, imported, importedBy[imported])
			case !ours && !isStandard(path) && !isIn(path, allowed):
				t.Errorf("%s imports %s; it may import %v", name, path, allowed)
			}
		}
	}
	for name := range mayImport {
		if !seen[name] {
			t.Errorf("%s is in the table, but there is no such package", name)
		}
	}
}

// isIn reports whether one of trees is path or holds it.
func isIn(path string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool {
		return path == tree || strings.HasPrefix(path, tree+"/")
	})
}

// isStandard: the first element of every other path has a dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list the packages: %v: %s", err, &stderr)
	}
	var packages []listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg listedPackage
		err := decoder.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, pkg)
	}
}
