# ibforge: `make demo` shows the whole path, `make test` proves it.
# Both install what they need first; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# tests/tools/setup.sh puts a Go toolchain and golangci-lint into .cache/bin
# where the machine has none that is new enough.
export PATH := $(CURDIR)/.cache/bin:$(PATH)

# Without gpgme and btrfs headers: signatures are not in use, and the store's
# driver is overlay. Buildah needs cgo for its re-executed children.
TAGS := containers_image_openpgp,exclude_graphdriver_btrfs
export CGO_ENABLED := 1
GO := go
GOFLAGS_BUILD := -tags=$(TAGS) -trimpath

PACKAGES := ./builder/... ./cmd/... ./tests/...
SETUP := tests/tools/setup.sh
STORE ?= .cache/store

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what demo and test need: Debian packages, Go, Ansible
	@$(SETUP) apt go python

.PHONY: build
build: setup ## build bin/ibforge, and the two static programs that go into images and onto hosts
	@tests/tools/build.sh

.PHONY: demo
demo: build ## the whole path, from HCL to an OpenSM that is master; KEEP=1 leaves it up
	@$(GO) build $(GOFLAGS_BUILD) -o bin/demo ./tests/demo
	@exec bin/demo -store $(STORE) $(if $(KEEP),-keep)

.PHONY: test
test: ## everything: unit, golden, story, role and end-to-end tests, linters
	@tests/tools/test.sh

.PHONY: unit
unit: setup ## the tests that need neither root nor an engine
	@$(GO) test -tags=$(TAGS) ./builder/contract/... ./builder/spec/... ./builder/plan/... ./builder/engine ./builder/portmap ./builder/portmap/kolla/... ./builder/portmap/conflict/... ./cmd/ibforge-ports ./builder/cli/... ./tests/stories/... ./tests/arch/... ./tests/docs/...

.PHONY: test-matrix
test-matrix: build ## all engines, cgroup versions and services, 20 hosts, interrupted plays
	@IBFORGE_TEST_REQUIRE=1 IBFORGE_TEST_MATRIX=1 $(GO) test -tags=$(TAGS) -count=1 -timeout 90m -parallel 3 -run 'TestFailover|TestMatrix|TestUpgradeKeepsAMaster|TestTwentyHosts|TestInterrupted' -v ./tests/e2e
	@IBFORGE_TEST_REQUIRE=1 IBFORGE_TEST_MATRIX=1 $(GO) test -tags=$(TAGS) -count=1 -timeout 90m -parallel 2 -v ./tests/kayobe

.PHONY: e2e
e2e: build ## the end-to-end tests alone
	@IBFORGE_TEST_REQUIRE=1 $(GO) test -tags=$(TAGS) -count=1 -timeout 80m -parallel 4 ./tests/e2e/...

.PHONY: roles
roles: build ## the tests of the Ansible roles and of Kolla's port table alone
	@tests/tools/roles.sh

.PHONY: kayobe
kayobe: build ## the overlay with the real Kayobe and Kolla-Ansible alone
	@IBFORGE_TEST_REQUIRE=1 $(GO) test -tags=$(TAGS) -count=1 -timeout 80m -v ./tests/kayobe/...

.PHONY: lint
lint: ## golangci-lint, ansible-lint and yamllint
	@tests/tools/lint.sh

.PHONY: golden
golden: build ## rewrite the golden files from what the code does now
	@UPDATE=1 $(GO) test -tags=$(TAGS) -count=1 ./builder/... ./tests/stories/... ./tests/arch/...
	@UPDATE=1 .cache/venv/bin/pytest -q -p no:cacheprovider tests/kolla tests/docs
	@.cache/venv/bin/python tests/tools/role_docs.py --kayobe kayobe/files/ibforge.yml

.PHONY: fmt
fmt: setup ## format the Go code
	@gofmt -w builder cmd tests

.PHONY: bench
bench: build ## compare with docker build, buildah build and mmdebstrap, side by side
	@$(SETUP) bench
	@$(GO) build $(GOFLAGS_BUILD) -o bin/bench ./tests/bench
	@exec bin/bench

.PHONY: collection
collection: setup ## build the Ansible collection ibforge.fabric into dist/
	@.cache/venv/bin/ansible-galaxy collection build --force --output-path dist .

.PHONY: clean
clean: ## remove everything that was built or downloaded
	@rm -rf bin dist .cache
