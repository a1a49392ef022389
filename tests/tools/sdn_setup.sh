#!/usr/bin/env bash
# Prepares what tests/sdn needs, below .cache/sdn: an environment with Neutron's
# ML2 plugin, and beside it both generations of networking-mlnx, neo and ufm,
# each for PYTHONPATH. Quiet when there is nothing to do. Everything is pinned by
# hash (tests/tools/sdn), and comes from whichever package index pip is set to.
set -euo pipefail
cd "$(dirname "$0")/../.."
pins=tests/tools/sdn
cache=.cache/sdn
main=.cache/venv/bin/python3

pip() { PYTHONWARNINGS=ignore "$main" -m pip "$@" --quiet --disable-pip-version-check --no-input --no-deps --only-binary :all: --require-hashes; }

tests/tools/setup.sh python
stamp="$(cat "$pins"/*.txt | sha256sum) $(readlink -f "$main")"
[ "$(cat "$cache/.ibforge-stamp" 2>/dev/null)" != "$stamp" ] || exit 0
echo "sdn: making $cache, because tests/tools/sdn or Python is new"
rm -rf "$cache"
"$main" -m venv --without-pip "$cache/venv"
pip --python "$cache/venv/bin/python3" install -r "$pins/neutron.txt"
for generation in neo ufm; do
	pip install --target "$cache/$generation" -r "$pins/$generation.txt"
done
printf '%s\n' "$stamp" >"$cache/.ibforge-stamp"
