#!/usr/bin/env bash
# Prepares what the tests of the collection under several releases of
# ansible-core need, below .cache/ansible. Quiet when there is nothing to do.
#
#	ansible_setup.sh RELEASE...    environments, by the names in ansible/releases
#	ansible_setup.sh sanity        that of the newest, and what ansible-test installs
#	ansible_setup.sh python        the Python that is fetched for the newest alone
#
# A release that no Python here can run is named on standard error and left
# out; the exit status is 3 then. Everything is pinned by hash, as in setup.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.cache/bin:$PATH
pins=tests/tools/ansible
cache=.cache/ansible
main=.cache/venv/bin/python3

# A relocatable Python (python-build-standalone) as the Go module proxy has it:
# Debian 12 stops at 3.11, and ansible-core 2.20 starts at 3.12. The sum is that
# of the Go checksum database.
python_module=github.com/kluctl/go-embed-python@v0.0.0-3.14.6-20260610-1
python_sum=h1:oGUS7++Wm3LgxUfD6AmJgKbKQD2wdQFO9PzyJv6T+E4=
python_version=3.14

say() { printf 'ansible: %s\n' "$*"; }
die() {
	printf 'ansible: %s\n' "$*" >&2
	exit 1
}

scratch=
trap 'rm -rf "$scratch"' EXIT
new_scratch() {
	rm -rf "$scratch"
	mkdir -p "$cache"
	scratch=$(mktemp -d "$PWD/$cache/setup.XXXXXX")
}

# between VERSION RANGE says whether 3.11 lies in 3.9-3.11.
between() {
	[ "$(printf '%s\n' "${2%-*}" "$1" "${2#*-}" | sort -V | sed -n 2p)" = "$1" ]
}

fetch_python() {
	local home=$cache/python arch reply dir
	[ ! -x "$home/bin/python$python_version" ] || return 0
	case $(uname -m) in
	x86_64) arch=amd64 ;;
	aarch64) arch=arm64 ;;
	*) die "no Python $python_version is pinned for $(uname -m); cure: none yet, run the releases for Python 3.11" ;;
	esac
	say "fetching Python $python_version, because no newer ansible-core runs on an older one"
	new_scratch
	printf 'module empty\n' >"$scratch/go.mod"
	reply=$(cd "$scratch" && GOFLAGS=-modcacherw GOMODCACHE=$scratch/mod go mod download -json "$python_module") ||
		die "cannot download $python_module: $reply; cure: make the module proxy reachable (GOPROXY)"
	[ "$(sed -n 's/^.*"Sum": "\(.*\)".*$/\1/p' <<<"$reply")" = "$python_sum" ] ||
		die "$python_module has another sum than $python_sum; cure: find out who changed it; do not use it"
	dir=$scratch/mod/$python_module/python/internal/data/linux-$arch
	chmod -R u+w "$dir"
	# The module keeps binaries compressed, and says so in files.json.
	find "$dir" -name '*.gz' -exec gunzip {} +
	chmod 755 "$dir/bin/python$python_version"
	rm -rf "$home"
	mv "$dir" "$home"
}

# python_for RANGE prints an interpreter, or nothing.
python_for() {
	local own
	own=$("$main" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	if between "$own" "$1"; then
		readlink -f "$main"
	elif between "$python_version" "$1"; then
		fetch_python >&2
		printf '%s\n' "$PWD/$cache/python/bin/python$python_version"
	fi
}

# current DIRECTORY STAMP says whether the directory was made from this.
current() { [ "$(cat "$1/.ibforge-stamp" 2>/dev/null)" = "$2" ]; }

environment() { # RELEASE PYTHON
	local home=$cache/$1 stamp
	set -- "$@" "$pins/core.txt" "$pins/ansible-core-$1.txt"
	stamp="$(cat "$3" "$4" | sha256sum) $2"
	current "$home" "$stamp" && return
	say "making $home with $2"
	rm -rf "$home"
	# The fetched Python has no ensurepip; the main environment's pip installs for it.
	"$2" -m venv --without-pip "$home"
	PYTHONWARNINGS=ignore "$main" -m pip --python "$home/bin/python3" install --quiet --disable-pip-version-check --no-input \
		--only-binary :all: --no-deps --require-hashes -r "$3" -r "$4"
	printf '%s\n' "$stamp" >"$home/.ibforge-stamp"
}

collections() { # ANSIBLE
	local home=$cache/collections-$1 file=$pins/ansible-$1.txt stamp
	stamp=$(sha256sum <"$file")
	current "$home" "$stamp" && return
	say "taking collections out of ansible $1"
	new_scratch
	"$main" -m pip download --quiet --disable-pip-version-check --no-input --no-deps --ignore-requires-python \
		--only-binary :all: --require-hashes -r "$file" -d "$scratch"
	rm -rf "$home"
	"$main" - "$scratch"/*.whl "$home" <<-'PYTHON'
		import sys, zipfile
		wanted = tuple(f"ansible_collections/{name}/" for name in
		               ("community/docker", "community/library_inventory_filtering_v1", "containers/podman"))
		with zipfile.ZipFile(sys.argv[1]) as wheel:
		    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith(wanted)])
	PYTHON
	printf '%s\n' "$stamp" >"$home/.ibforge-stamp"
}

# wheels gathers what ansible-test will install, which it does without hashes.
wheels() { # PYTHON
	local home=$cache/wheels file=$pins/sanity.txt stamp
	stamp="$(sha256sum <"$file") $1"
	current "$home" "$stamp" && return
	say "gathering what ansible-test installs"
	rm -rf "$home"
	# pip download resolves for the interpreter that runs it; the wheels with
	# binaries must be those of the release's.
	"$main" -m pip download --quiet --disable-pip-version-check --no-input --no-deps --only-binary :all: --require-hashes \
		--python-version "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" -r "$pins/sanity.txt" -d "$home"
	printf '%s\n' "$stamp" >"$home/.ibforge-stamp"
}

release() { # NAME
	local line python
	line=$(awk -v name="$1" '$1 == name' "$pins/releases")
	[ -n "$line" ] || die "unknown release '$1'; cure: one of $(awk '/^[0-9]/ { printf "%s ", $1 }' "$pins/releases")sanity python"
	read -r _ range from _ <<<"$line"
	python=$(python_for "$range")
	if [ -z "$python" ]; then
		echo "ansible: not run: ansible-core $1 needs Python $range; here are $("$main" -V) and the one that can be fetched, $python_version" >&2
		return 3
	fi
	environment "$1" "$python"
	collections "$from"
}

tests/tools/setup.sh go python
status=0
for name; do
	case $name in
	python) fetch_python ;;
	sanity)
		newest=$(awk '/^[0-9]/ { name = $1 } END { print name }' "$pins/releases")
		release "$newest"
		wheels "$cache/$newest/bin/python3"
		;;
	*) release "$name" || status=$? ;;
	esac
done
exit $status
