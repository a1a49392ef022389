#!/usr/bin/env bash
# Runs ansible-test sanity on the collection as its artefact holds it, under the
# newest ansible-core of tests/tools/ansible/releases, without a container engine.
#
#	ansible_sanity.sh [OPTION...]    options go to ansible-test sanity
#
# What did not run is told at the end, with the reason.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.cache/bin:$PATH
tests/tools/ansible_setup.sh sanity
cache=$PWD/.cache/ansible
newest=$cache/$(awk '/^[0-9]/ { name = $1 } END { print name }' tests/tools/ansible/releases)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A home of its own: ansible-test keeps its environments there, and pip its
# settings, which ansible-test would not pass on from the environment.
export HOME=$cache/home
mkdir -p "$HOME/.config/pip" "$HOME/.ansible/test/cache"
printf '[global]\nquiet = 1\nno-index = true\nfind-links = %s\n' "$cache/wheels" >"$HOME/.config/pip/pip.conf"
# ansible-test would fetch get-pip.py, by this name. Pip's own wheel installs
# itself as well, and its hash was checked.
pip=$(echo "$cache"/wheels/pip-*.whl)
version=${pip##*/pip-}
version=${version%%-*}
cat >"$HOME/.ansible/test/cache/get_pip_${version//./_}.py" <<PYTHON
import sys
sys.path.insert(0, "$pip")
from pip._internal.cli.main import main
sys.exit(main(["install"] + [word for word in sys.argv[1:] if not word.startswith("--no-")]))
PYTHON

# The Pythons that are certain to be there; others on PATH may be stubs of a
# version manager, which ansible-test takes for interpreters.
mkdir "$scratch/bin"
ln -s "$cache/python/bin/python3.14" "$scratch/bin/python3.14"
main=$(readlink -f .cache/venv/bin/python3)
ln -s "$main" "$scratch/bin/$("$main" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')"
export PATH=$newest/bin:$scratch/bin:/usr/bin:/bin

# ansible-test wants the collection at its place, and no version control.
"$newest/bin/python3" tests/tools/ansible_artifact.py "$scratch/artefact" >/dev/null
tree=$scratch/ansible_collections/ibforge/fabric
mkdir -p "$tree/tests"
tar -xzf "$scratch"/artefact/*.tar.gz -C "$tree"
cp -r tests/sanity "$tree/tests/"
cd "$tree"
status=0
ansible-test sanity --local --color no "$@" 2>&1 | tee "$scratch/log" || status=$?

echo
echo "sanity: ran $(grep -c '^Running sanity test' "$scratch/log") tests under ansible-core ${newest##*/}"
# A linter that is missing is a warning there, and easily taken for a success.
grep -E '^(WARNING: )?(Skipping|Required program|See error output)' "$scratch/log" | sed 's/^WARNING: //; s/^/sanity: not run: /' | sort -u || true
exit $status
