# Needs Go 1.26, or an older one that fetches it. `make deps` installs the other programs, where it may.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(PATH):/usr/local/go/bin

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT := $(shell git rev-parse HEAD 2>/dev/null)

.PHONY: run build test chaos conformance e2e bench release release-test release-again generate lint deps deps-run deps-chaos
.DEFAULT_GOAL := build

# Not `go run`, which does not pass on a SIGTERM: this way the program stops its PostgreSQL whichever way make is ended.
run: deps-run build
	@export FURROW_DATA_DIR="$${FURROW_DATA_DIR:-.furrow}"; exec ./furrow serve --sandbox

# The version comes from git here, not from Go, which fails where git does.
build:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)" -o furrow .

# The tests in the browser drive programs that are built without the race detector, which would see nothing in them.
test: deps
	go test ./e2e
	go test -race -p 3 $$(go list ./... | grep -v '/e2e$$')

# The faults that take minutes (e2e/FAULTS.md): processes killed and stopped, databases that go away or are full; and every
# page looked at by axe-core in light and dark, wide and narrow. Then
# random edits, pushes, faults and crashes; ROUNDS=500 for a long night of them.
chaos: deps-chaos
	FURROW_CHAOS=1 go test -count=1 -timeout 30m -run '^(TestFault|TestBarriers)' ./e2e
	go test -count=1 -timeout 0 -run '^TestRandomFaults$$' ./jobs -rapid.checks=$(or $(ROUNDS),25)

# What the sandbox does, statement by statement; or another address: make conformance URL=https://... TOKEN=... ACCOUNT=...
# reads only, WRITE=1 PROJECT=... TASK=... tracks time there as well. ID_URL is the identity service, if it is elsewhere.
conformance: deps-run
	@export FURROW_CONFORMANCE_URL="$${URL:-$${FURROW_CONFORMANCE_URL:-}}" FURROW_CONFORMANCE_ID_URL="$${ID_URL:-$${FURROW_CONFORMANCE_ID_URL:-}}"; \
	export FURROW_CONFORMANCE_TOKEN="$${TOKEN:-$${FURROW_CONFORMANCE_TOKEN:-}}" FURROW_CONFORMANCE_ACCOUNT="$${ACCOUNT:-$${FURROW_CONFORMANCE_ACCOUNT:-}}"; \
	export FURROW_CONFORMANCE_WRITE="$${WRITE:-$${FURROW_CONFORMANCE_WRITE:-}}"; \
	export FURROW_CONFORMANCE_PROJECT="$${PROJECT:-$${FURROW_CONFORMANCE_PROJECT:-}}" FURROW_CONFORMANCE_TASK="$${TASK:-$${FURROW_CONFORMANCE_TASK:-}}"; \
	go test -count=1 -timeout 30m ./harvest/sandbox/conformance

e2e: deps
	go test -count=1 ./e2e/...

bench: deps
	go test -run '^$$' -bench . -benchmem $$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u)

# What is published, in dist: built from the last commit, not from what lies here. Needs npm, which fetches the PostgreSQL
# that a variant carries. See also `govulncheck ./...`, which needs its database from the network.
release: deps-run
	@$(call release,dist)

# The release twice, from two directories and with nothing kept of the first: the same bytes. Then what was made is tried:
# the variant with PostgreSQL where there is no other, and going back to the previous release.
release-test: release
	@again=$$(mktemp -d); trap 'chmod -R u+w "$$again"; rm -rf "$$again"' EXIT; \
	GOCACHE="$$again/cache" $(MAKE) --no-print-directory release-again AGAIN="$$again/dist" VERSION="$(VERSION)" COMMIT="$(COMMIT)"; \
	diff -r dist "$$again/dist" && echo "Built twice: the same bytes."
	FURROW_RELEASE="$(CURDIR)/dist" go test -count=1 -timeout 15m -v -run '^TestRelease' ./e2e

release-again:
	@$(call release,$(AGAIN))

# $(call release,DIR) builds the release into DIR.
define release
	case "$(VERSION)" in *-dirty|unknown) echo "A release is built from a commit: commit your changes first." >&2; exit 1;; esac; \
	command -v npm >/dev/null || { echo "Missing: npm. Install it, on Debian or Ubuntu with: sudo apt-get install npm" >&2; exit 1; }; \
	src=$$(mktemp -d); trap 'rm -rf "$$src"' EXIT; \
	git archive "$(COMMIT)" | tar -x -C "$$src"; \
	cd "$$src/tools/release"; go run . -src "$$src" -out "$(abspath $(1))" -version "$(VERSION)" -time "$$(git -C "$(CURDIR)" log -1 --format=%ct "$(COMMIT)")"
endef

generate:
	go tool -modfile=tools/go.mod templ generate -path views
	go tool -modfile=tools/go.mod sqlc generate

lint:
	go vet ./...
	go tool -modfile=tools/lint/go.mod golangci-lint run

# $(call need,PACKAGES) installs packages of Debian, as root or where sudo asks for no password.
define need
	if ! command -v apt-get >/dev/null || { [ "$$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; }; then \
		echo "Missing: $(1). Install it, on Debian or Ubuntu with: sudo apt-get install $(1)" >&2; exit 1; \
	fi; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	install="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(1)"; \
	$$install </dev/null || { $$sudo apt-get update </dev/null && $$install </dev/null; }
endef

# $(call any,NAMES) finds a program in PATH, or a file.
any = for name in $(1); do command -v "$$name" >/dev/null && break; done

deps-run:
	@$(call any,go) || { echo "Missing: Go 1.26. Install it from https://go.dev/dl/" >&2; exit 1; }
	@$(call any,postgres /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql@*/bin/postgres \
		/usr/local/opt/postgresql@*/bin/postgres) || { $(call need,postgresql); }

# Faults between several processes and their database need what stands between them.
deps-chaos: deps-run
	@$(call any,pgbouncer /usr/sbin/pgbouncer) || { $(call need,pgbouncer); }

# The race detector needs a C compiler, the browser tests a browser and a font.
deps: deps-run
	@$(call any,$(or $(CC),cc) gcc clang) || { $(call need,gcc libc6-dev); }
	@$(call any,chromium chromium-browser google-chrome google-chrome-stable headless-shell \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome") || { $(call need,chromium fonts-liberation); }
