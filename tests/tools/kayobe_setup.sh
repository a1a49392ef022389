#!/usr/bin/env bash
# Prepares Kayobe and Kolla-Ansible as their releases are, each in an environment
# of its own in .cache/kayobe/RELEASE. Quiet when there is nothing to do.
#
#	kayobe_setup.sh [RELEASE]...   by the names in kayobe/releases; all without one
#
# A release that no Python here can run is named on standard error and left
# out; the exit status is 3 then. Everything is pinned by hash, as in setup.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.cache/bin:$PATH
pins=tests/tools/kayobe
cache=.cache/kayobe
main=.cache/venv/bin/python3
# The one that ansible_setup.sh fetches: Debian 12 stops at 3.11, and Kayobe
# 2025.2 starts at 3.12.
fetched=.cache/ansible/python/bin/python3.14

# What Kayobe's and Kolla-Ansible's playbooks name. The whole package is ten
# times as much; Galaxy, where operators get them, is no part of the tests.
collections='ansible/netcommon ansible/posix ansible/utils community/crypto community/docker community/general
	community/library_inventory_filtering_v1 containers/podman'

say() { printf 'kayobe: %s\n' "$*"; }
die() {
	printf 'kayobe: %s\n' "$*" >&2
	exit 1
}

# between VERSION RANGE says whether 3.11 lies in 3.9-3.11.
between() {
	[ "$(printf '%s\n' "${2%-*}" "$1" "${2#*-}" | sort -V | sed -n 2p)" = "$1" ]
}

# python_for RANGE prints an interpreter, or nothing.
python_for() {
	local own
	own=$("$main" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	if between "$own" "$1"; then
		readlink -f "$main"
	elif between "${fetched##*python}" "$1"; then
		tests/tools/ansible_setup.sh python >&2
		printf '%s\n' "$PWD/$fetched"
	fi
}

quiet_pip() { PYTHONWARNINGS=ignore "$main" -m pip "$@"; }

environment() { # RELEASE PYTHON COLLECTIONS
	local home=$cache/$1 stamp from=$pins/ansible-$3.txt site
	stamp="$(cat "$pins/base.txt" "$pins/$1.txt" "$from" "$0" | sha256sum) $2"
	[ "$(cat "$home/.ibforge-stamp" 2>/dev/null)" != "$stamp" ] || return 0
	say "making $home with $2"
	rm -rf "$home"
	scratch=$(mkdir -p "$cache" && mktemp -d "$PWD/$cache/setup.XXXXXX")
	# The fetched Python has no ensurepip; the main environment's pip installs for it.
	"$2" -m venv --without-pip "$home"
	quiet_pip --python "$home/bin/python3" install --quiet --disable-pip-version-check --no-input --no-compile \
		--only-binary :all: --no-deps --require-hashes -r "$pins/base.txt" -r "$pins/$1.txt"
	quiet_pip download --quiet --disable-pip-version-check --no-input --no-deps --ignore-requires-python \
		--only-binary :all: --require-hashes -r "$from" -d "$scratch"
	site=$("$home/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	# shellcheck disable=SC2086 # names of collections are words
	"$main" - "$scratch"/*.whl "$site" $collections <<-'PYTHON'
		import sys, zipfile
		wheel, site, *names = sys.argv[1:]
		wanted = tuple(f"ansible_collections/{name}/" for name in names)
		with zipfile.ZipFile(wheel) as archive:
		    archive.extractall(site, [n for n in archive.namelist() if n.startswith(wanted) and "/tests/" not in n])
	PYTHON
	rm -rf "$scratch"
	printf '%s\n' "$stamp" >"$home/.ibforge-stamp"
}

release() { # NAME
	local line range from python
	line=$(awk -v name="$1" '$1 == name' "$pins/releases")
	[ -n "$line" ] || die "unknown release '$1'; cure: one of $(awk '/^[0-9]/ { printf "%s ", $1 }' "$pins/releases")"
	read -r _ _ _ _ from range <<<"$line"
	python=$(python_for "$range")
	if [ -z "$python" ]; then
		echo "kayobe: not run: $1 needs Python $range; here are $("$main" -V) and the one that can be fetched, ${fetched##*python}" >&2
		return 3
	fi
	environment "$1" "$python" "$from"
}

scratch=
trap 'rm -rf "$scratch"' EXIT
tests/tools/setup.sh go python
# shellcheck disable=SC2046 # names of releases are words
[ $# -gt 0 ] || set -- $(awk '/^[0-9]/ { print $1 }' "$pins/releases")
status=0
for name; do
	release "$name" || status=$?
done
exit $status
