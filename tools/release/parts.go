package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// parts lists what the program was built from, in the format CycloneDX.
func (r *release) parts(ctx context.Context, t target, binary string) ([]byte, error) {
	out, err := r.command(ctx, nil, "go", "tool", "-modfile=tools/release/go.mod", "cyclonedx-gomod",
		"bin", "-json", "-noserial", "-notimestamp", "-version", r.version, binary)
	if err != nil {
		return nil, err
	}
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(out), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, fmt.Errorf("read the list of parts: %w", err)
	}
	if bom.Metadata == nil || bom.Components == nil {
		return nil, errors.New("the list of parts is empty")
	}
	bom.Metadata.Tools = nil // the tool was built on this machine, and has a checksum of its own
	if t.postgres {
		component, err := r.postgresComponent(t.arch)
		if err != nil {
			return nil, err
		}
		*bom.Components = append(*bom.Components, component)
	}
	var text bytes.Buffer
	err = cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(&bom)
	return text.Bytes(), err
}

// postgresComponent tells where PostgreSQL comes from.
func (r *release) postgresComponent(arch string) (cyclonedx.Component, error) {
	lock, err := r.locked(arch)
	if err != nil {
		return cyclonedx.Component{}, err
	}
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lock.Integrity, "sha512-"))
	if err != nil {
		return cyclonedx.Component{}, fmt.Errorf("the checksum of %s: %w", packageOf(arch), err)
	}
	var manifest struct{ Dependencies map[string]string }
	text, err := os.ReadFile(filepath.Join(r.src, postgresDir, "package.json"))
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil {
		return cyclonedx.Component{}, fmt.Errorf("package.json: %w", err)
	}
	purl := "pkg:npm/" + strings.Replace(packageOf(arch), "@", "%40", 1) + "@" + manifest.Dependencies[packageOf(arch)]
	return cyclonedx.Component{
		BOMRef: purl, Type: cyclonedx.ComponentTypeApplication, Name: "postgresql", Version: lock.Version, PackageURL: purl,
		Description: "with ICU, libxml2, OpenSSL, XZ Utils and zlib",
		Licenses:    &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "PostgreSQL"}}},
		Hashes:      &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA512, Value: hex.EncodeToString(sum)}},
	}, nil
}

// module is what go list tells of one.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// moduleLicences are the licences of Go, of the modules in the program, and of the script that it serves.
func (r *release) moduleLicences(ctx context.Context) ([]file, error) {
	root, err := r.command(ctx, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	modules := []module{{Path: "go", Dir: strings.TrimSpace(string(root))}}
	// Each module that a package of the program comes from, once for each such package.
	out, err := r.command(ctx, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS="}, "go", "list", "-deps", "-json=Module", ".")
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var pkg struct{ Module *module }
		if err := decoder.Decode(&pkg); err != nil {
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		if pkg.Module != nil && !pkg.Module.Main && !seen[pkg.Module.Path] {
			seen[pkg.Module.Path] = true
			modules = append(modules, *pkg.Module)
		}
	}
	script, err := os.ReadFile(filepath.Join(r.src, "static/htmx.LICENSE"))
	if err != nil {
		return nil, err
	}
	files := []file{{"licences/htmx/LICENSE", script}}
	for _, m := range modules {
		texts, err := licencesOf(m)
		if err != nil {
			return nil, err
		}
		files = append(files, texts...)
	}
	return files, nil
}

// licencesOf finds the licences that a module comes with.
func licencesOf(m module) ([]file, error) {
	isLicence := regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)`)
	all, err := readDir(m.Dir, "")
	if err != nil {
		return nil, err
	}
	var files []file
	for _, f := range all {
		if isLicence.MatchString(f.name) && !strings.HasSuffix(f.name, ".go") {
			files = append(files, file{path.Join("licences", m.Path, f.name), f.content})
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no licence was found in the module %s", m.Path)
	}
	return files, nil
}
