#!/usr/bin/env bash
# Runs everything that make test promises. Installs what it needs itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.cache/bin:$PATH

# What cannot run because something is missing fails instead of being skipped.
export IBFORGE_TEST_REQUIRE=1
export CGO_ENABLED=1
tags=containers_image_openpgp,exclude_graphdriver_btrfs

start=$SECONDS
tests/tools/setup.sh apt go python lint
printf '%5ss  setup\n' $((SECONDS - start))

start=$SECONDS
tests/tools/build.sh
go vet -tags="$tags" ./...
printf '%5ss  compile\n' $((SECONDS - start))

# What the tests of engines and of Kayobe's releases have tried.
IBFORGE_TEST_REPORT=$(mktemp)
export IBFORGE_TEST_REPORT
trap 'rm -f "$IBFORGE_TEST_REPORT"' EXIT

status=0
tests/tools/parts.sh \
	lint tests/tools/lint.sh \
	roles tests/tools/roles.sh \
	sites tests/tools/sites.sh \
	'go test' "go test -tags=$tags -timeout 80m -parallel 4 ./..." || status=$?
printf '\n== matrix\n'
sort "$IBFORGE_TEST_REPORT"
exit "$status"
