#!/usr/bin/env bash
# Makes the .txt files of tests/tools/ansible anew, with hashes. Run it after a
# change of a version, and read the difference before it is committed.
set -euo pipefail
cd "$(dirname "$0")/ansible"
cache=../../../.cache
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# pin NAME VERSION writes NAME-VERSION.txt: that package alone, as a wheel.
pin() {
	echo "$1-$2.txt"
	"$cache/venv/bin/python3" -m pip download --quiet --disable-pip-version-check --no-deps --ignore-requires-python \
		--only-binary :all: -d "$scratch/$1-$2" "$1==$2"
	printf '# Of releases; made by tests/tools/ansible_pins.sh.\n%s==%s --hash=sha256:%s\n' "$1" "$2" \
		"$(sha256sum "$scratch/$1-$2"/*.whl | cut -d ' ' -f 1)" >"$1-$2.txt"
}

rm -f ansible-*.txt
awk '/^[0-9]/ { print "ansible-core", $1; print "ansible", $3 }' releases | sort -u | while read -r name version; do
	pin "$name" "$version"
done

# On the Python that ansible-test runs on; the same serves the older releases.
../ansible_setup.sh python
"$cache/ansible/python/bin/python3.14" -m venv --without-pip "$scratch/venv"
"$cache/venv/bin/python3" -m pip --python "$scratch/venv/bin/python3" install --quiet --disable-pip-version-check pip pip-tools==7.6.2
for file in core.in sanity.in; do
	echo "$file"
	"$scratch/venv/bin/pip-compile" --quiet --generate-hashes --strip-extras --allow-unsafe \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links "$file"
done
