#!/usr/bin/env bash
# Runs the linters: golangci-lint, ansible-lint (production), yamllint, and
# shellcheck's little sister, sh -n.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.cache/bin:$PWD/.cache/venv/bin:$PATH
tests/tools/setup.sh go python lint

# Of this checkout alone: a cache that several share gives out the paths of
# whichever filled it, and the rules that go by paths then miss.
export GOLANGCI_LINT_CACHE=$PWD/.cache/golangci-lint

echo "golangci-lint"
# Another checkout may be at it: its lock is one for the machine.
golangci-lint run --allow-parallel-runners ./...
echo "yamllint"
yamllint --strict .
echo "ansible-lint"
# A collection is what lies below ansible_collections/NAMESPACE/NAME.
collections=$(mktemp -d)
trap 'rm -rf "$collections"' EXIT
mkdir -p "$collections/ansible_collections/ibforge"
ln -s "$PWD" "$collections/ansible_collections/ibforge/fabric"
ANSIBLE_COLLECTIONS_PATH=$collections ansible-lint --offline --strict
echo "sh -n"
for script in tests/tools/*.sh images/*/rootfs/usr/libexec/ibforge/*; do
	case $(head -n 1 "$script") in
	*bash) bash -n "$script" ;;
	*) sh -n "$script" ;;
	esac
done
echo "clean"
