# Needs Go 1.26, or an older one that fetches it. `make deps` installs the other programs, where it may.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(PATH):/usr/local/go/bin

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: run build test chaos conformance e2e bench generate lint deps deps-run
.DEFAULT_GOAL := build

# Not `go run`, which does not pass on a SIGTERM: this way the program stops its PostgreSQL whichever way make is ended.
run: deps-run build
	@export FURROW_DATA_DIR="$${FURROW_DATA_DIR:-.furrow}"; exec ./furrow serve --sandbox

# The version comes from git here, not from Go, which fails where git does.
build:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)" -o furrow .

test: deps
	go test -race -p 3 ./...

# The faults that take minutes (e2e/FAULTS.md): processes killed and stopped, databases that go away or are full. Then
# random edits, pushes, faults and crashes; ROUNDS=500 for a long night of them.
chaos: deps-run
	FURROW_CHAOS=1 go test -count=1 -timeout 12m -run '^TestFault' ./e2e
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

# The race detector needs a C compiler, the browser tests a browser and a font.
deps: deps-run
	@$(call any,$(or $(CC),cc) gcc clang) || { $(call need,gcc libc6-dev); }
	@$(call any,chromium chromium-browser google-chrome google-chrome-stable headless-shell \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome") || { $(call need,chromium fonts-liberation); }
