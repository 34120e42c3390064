# The two commands of the README are `make demo` and `make test`.
# Also: `make build` (bin/drover and bin/drover-agent), `make ui`, `make lint`, `make bench`.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
DEMO_DIR ?= .demo

# Both programs are static: the agent has to run on routers that have no libc of ours, and the
# server gains nothing from one. The version is stamped here, so Go need not ask git for it.
GO_BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false \
	-ldflags '-s -w -X github.com/droverhq/drover/internal/version.Version=$(VERSION)'

UI_SOURCES := $(shell find ui \( -path ui/node_modules -o -path ui/dist -o -path ui/e2e -o -name '*.go' \) -prune -o -type f -print)

# Further flags of the benchmark, see bench/README.md: make bench BENCH='-n 1000 -only pairs'
BENCH ?=

.PHONY: build ui test lint demo bench

build: ui
	scripts/need go
	$(GO_BUILD) -o bin/drover ./cmd/drover
	$(GO_BUILD) -o bin/drover-agent ./cmd/drover-agent

# Nothing is built twice: npm ci runs when the lock file changes, vite when a source does.
ui: ui/dist/index.html

ui/node_modules/.package-lock.json: ui/package-lock.json
	scripts/need node npm
	cd ui && npm ci
	touch $@

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd ui && npm run build

# The real clusters of test/e2e come last and alone: with short election time-outs they measure how long
# a failure lasts, not how busy the machine is. The race detector needs a C compiler, the browser test a
# Chromium; instances are real services on Python's FastAPI, the benchmark's coordinator uses its httpx.
# That the Go files are formatted is checked by internal/archtest.
test: need-for-test ui
	cd ui && npm test
	go vet ./...
	go test -race -timeout 8m $$(go list ./... | grep -v /test/e2e)
	go test -race -timeout 8m ./test/e2e
	cd bench && go vet ./... && go test -race -timeout 2m ./...

.PHONY: need-for-test
need-for-test:
	scripts/need go node npm gcc chromium python3-fastapi python3-uvicorn python3-httpx

# The linters have a go.mod of their own, so that they add nothing to Drover's.
lint:
	scripts/need go
	go tool -modfile=tools/go.mod golangci-lint run

demo: build
	bin/drover dev --dir $(DEMO_DIR)

# The benchmark has a go.mod of its own, too. It runs the programs as they are shipped.
bench: build
	scripts/need python3-httpx
	cd bench && $(GO_BUILD) -o ../bin/drover-bench .
	bin/drover-bench -bin bin $(BENCH)
