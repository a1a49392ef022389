#!/usr/bin/env bash
# Makes the .txt files of tests/tools/kayobe anew, with hashes. Run it after a
# change of a version, and read the difference before it is committed.
set -euo pipefail
cd "$(dirname "$0")/kayobe"
python=$PWD/../../../.cache/venv/bin/python3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# pin NAME VERSION prints a package alone, as a wheel.
pin() {
	"$python" -m pip download --quiet --disable-pip-version-check --no-deps --ignore-requires-python \
		--only-binary :all: -d "$scratch/$1-$2" "$1==$2"
	printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$(sha256sum "$scratch/$1-$2"/*.whl | cut -d ' ' -f 1)"
}

rm -f ./*.txt
while read -r name kayobe kolla core collections _; do
	[[ $name == 2* ]] || continue
	echo "$name.txt"
	{
		echo "# Of releases; made by tests/tools/kayobe_pins.sh."
		pin kayobe "$kayobe"
		pin kolla-ansible "$kolla"
		pin ansible-core "$core"
	} >"$name.txt"
	[ -e "ansible-$collections.txt" ] || {
		echo "# Of releases; made by tests/tools/kayobe_pins.sh."
		pin ansible "$collections"
	} >"ansible-$collections.txt"
done <releases

# By the oldest Python: it wants what newer ones have of themselves, too.
echo base.txt
"$python" -m venv --without-pip "$scratch/venv"
"$python" -m pip --python "$scratch/venv/bin/python3" install --quiet --disable-pip-version-check pip pip-tools==7.6.2
# Both come from a release's own files; ansible-cached-lookup asks for them.
"$scratch/venv/bin/pip-compile" --quiet --generate-hashes --strip-extras --unsafe-package ansible --unsafe-package ansible-core \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links base.in
