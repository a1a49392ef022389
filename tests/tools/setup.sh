#!/bin/sh
# Prepares what the demonstration and the tests need on a Debian 12 that has
# git and make: packages, a Go toolchain, a Python environment, a linter.
#
#	tests/tools/setup.sh [apt|go|python|lint|bench]...
#
# Without arguments: apt go python. Everything that is not a Debian package
# goes into .cache, which git ignores; removing it undoes that part. A second
# run with nothing to do is quiet and takes a fraction of a second. One line
# says what is done and why; an error names the cure.
set -eu

# The one place for these versions. The sums are those of the Go checksum
# database (https://sum.golang.org/lookup/golang.org/toolchain@VERSION): with
# them here, a changed archive is noticed even if GOSUMDB is off.
go_version=1.25.14
go_sum_amd64=h1:XriDgll2yv4W2YeUo2X/WuUuy+iGJkXGH0CQloMBEXo=
go_sum_arm64=h1:tccCYNAEolyjUyQVNxD/wJuly2Sx85m+OUkzGIhO1oY=
# v2.13 and later need Go 1.26 (go.mod of github.com/golangci/golangci-lint).
lint_version=v2.12.2
python_minimum=3.11 # that of Debian 12

# Each with the reason why.
packages='
	ca-certificates    go-and-pip-speak-TLS
	git                the-go-command-and-galaxy-collections
	gcc                buildah-is-cgo
	libc6-dev          buildah-is-cgo
	python3            Ansible-and-Kayobe
	python3-venv       Ansible-and-Kayobe
	mmdebstrap         bootstraps-the-base-image
	runc               runs-build-steps
	docker.io          boots-the-images
	podman             boots-an-image-whose-ports-move
	docker-registry    images-are-pushed-and-pulled
	opensm             subnet-manager-on-the-simulated-fabric
	infiniband-diags   asks-the-simulated-fabric
	ibsim-utils        simulates-the-fabric
	libumad2sim0       simulates-the-fabric
	apache2-bin        stands-where-Horizon-stands
	haproxy            runs-the-example-of-HAProxy-in-Kolla
	prometheus         promtool-reads-what-Kolla-makes-for-it
	prometheus-blackbox-exporter  reads-what-Kolla-makes-for-it
	rsync              Kayobe-copies-inventories-with-it
	openssh-client     Kayobe-wants-a-key-pair
'
bench_packages='
	buildah            compared-with-ibforge-in-the-benchmarks
'

root=$(cd "$(dirname "$0")/../.." && pwd -P)
cache=$root/.cache
tmp=

say() { printf 'setup: %s\n' "$*"; }
die() {
	printf 'setup: %s\n' "$*" >&2
	exit 1
}

cleanup() {
	status=$?
	trap - EXIT
	allow_services
	disable_services
	if [ -n "$tmp" ]; then rm -rf "$tmp"; fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# scratch creates the directory $tmp, which does not outlive the script. It is
# in .cache so that a result can be moved into place by a rename.
scratch() {
	if [ -z "$tmp" ]; then
		tmp=$(mkdir -p "$cache" && mktemp -d "$cache/setup.XXXXXX") ||
			die "cannot write to $cache; cure: run this as the user who owns $root"
	fi
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "'$1' needs root and there is no sudo; cure: run tests/tools/setup.sh as root"
	fi
}

# --- Debian packages ---------------------------------------------------------

# invoke-rc.d(8) asks this program whether it may start a service.
policy=/usr/sbin/policy-rc.d
policy_saved=$policy.ibforge-saved
policy_held=

# forbid_services keeps packages from starting what they bring: the tests want
# the programs, and nobody asked for a docker or, on a host with InfiniBand, a
# subnet manager.
forbid_services() {
	scratch
	policy_held=1
	allow_services # after a run that was killed
	policy_held=1
	printf '#!/bin/sh\n# of ibforge, tests/tools/setup.sh, while it installs packages\nexit 101\n' >"$tmp/policy-rc.d"
	if [ -e "$policy" ]; then as_root mv "$policy" "$policy_saved"; fi
	as_root install -m 755 "$tmp/policy-rc.d" "$policy"
}

# allow_services puts things back as forbid_services found them.
allow_services() {
	if [ -z "$policy_held" ]; then return; fi
	policy_held=
	if [ -e "$policy_saved" ]; then
		as_root mv "$policy_saved" "$policy"
	elif grep -qs 'of ibforge, tests/tools/setup.sh' "$policy"; then
		as_root rm "$policy"
	fi
}

# missing prints those of the packages that are not installed.
missing() {
	command -v dpkg-query >/dev/null ||
		die "this is not Debian (no dpkg-query); cure: install what these packages have by hand, and call the other targets: $*"
	installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
	for package; do
		case "
$installed
" in
		*"
$package installed
"*) ;;
		*) printf '%s\n' "$package" ;;
		esac
	done
}

# install_packages TABLE installs the packages in the first column.
install_packages() {
	# shellcheck disable=SC2046 # package names are words
	wanted=$(missing $(printf '%s\n' "$1" | awk 'NF { print $1 }'))
	if [ -z "$wanted" ]; then return; fi
	for package in $wanted; do
		why=$(printf '%s\n' "$1" | awk -v p="$package" '$1 == p { gsub("-", " ", $2); print $2 }')
		say "apt: installing $package: $why"
	done
	# containerd comes along with docker.io.
	newcomers=$(missing docker.io containerd docker-registry opensm haproxy prometheus prometheus-blackbox-exporter podman)
	scratch
	forbid_services
	# shellcheck disable=SC2086 # package names are words
	{
		as_root apt-get -q update &&
			as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $wanted
	} >"$tmp/apt.log" 2>&1 </dev/null || {
		tail -n 20 "$tmp/apt.log" >&2
		die "apt-get failed, see above; cure: repair apt (sources, network, a broken package), then run this again"
	}
	allow_services
	disable_services
}

# newcomers are packages with services that were not there before.
newcomers=

# disable_services keeps the newcomers from being started at the next boot,
# which policy-rc.d has no say in. It is part of the clean-up, too: a run that
# is interrupted may have installed them.
disable_services() {
	packages_new=$newcomers
	newcomers=
	if ! command -v systemctl >/dev/null; then return; fi
	for package in $packages_new; do
		if [ -n "$(missing "$package")" ]; then continue; fi
		case $package in
		docker.io) units='docker.service docker.socket' ;;
		podman) units='podman.service podman.socket podman-restart.service podman-auto-update.service podman-auto-update.timer' ;;
		*) units=$package.service ;;
		esac
		# shellcheck disable=SC2086 # unit names are words
		as_root systemctl --quiet disable $units 2>/dev/null ||
			die "cannot disable $units; cure: systemctl disable $units, or live with it being started at boot"
		say "apt: left disabled: $units: the tests start their own"
	done
}

# --- Go ----------------------------------------------------------------------

# at_least A B says whether version A is B or newer.
at_least() {
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# go_release GO prints the version of that go command itself, without it
# fetching another, and nothing if it does not run.
go_release() {
	(cd / && GOTOOLCHAIN=local "$1" version 2>/dev/null) | awk '{ sub("^go", "", $3); print $3 }'
}

# path_go prints the go command on PATH that is not our own wrapper.
path_go() {
	(
		IFS=:
		for dir in $PATH; do
			if [ "$dir" != "$cache/bin" ] && [ -x "$dir/go" ]; then
				printf '%s\n' "$dir/go"
				break
			fi
		done
	)
}

setup_go() {
	needed=$(awk '$1 == "go" { print $2; exit }' "$root/go.mod")
	go=$(path_go)
	if [ -z "$go" ] || ! at_least "$(go_release "$go")" "$needed"; then
		at_least "$go_version" "$needed" ||
			die "go.mod needs Go $needed and setup.sh pins $go_version; cure: raise go_version and its sums in tests/tools/setup.sh"
		if [ ! -x "$cache/go/go$go_version/bin/go" ]; then fetch_go "$needed"; fi
		go=$cache/go/go$go_version/bin/go
	fi
	mkdir -p "$cache/bin"
	# A wrapper, not a link: the go command may be one that looks at the name
	# it is called by, such as a version manager's.
	printf '#!/bin/sh\nexec "%s" "$@"\n' "$go" >"$cache/bin/.go"
	if cmp -s "$cache/bin/.go" "$cache/bin/go"; then
		rm "$cache/bin/.go"
	else
		chmod 755 "$cache/bin/.go"
		mv "$cache/bin/.go" "$cache/bin/go"
		say "go: .cache/bin/go stands for $go ($(go_release "$go"))"
	fi
}

# fetch_go NEEDED gets a toolchain from the Go module proxy, where it is a
# module whose files are not executable (https://go.dev/doc/toolchain). Debian's
# go command is too old to switch to it by itself, but can download it.
fetch_go() {
	boot=$go
	if [ -z "$boot" ]; then
		install_packages 'golang-go fetches-a-newer-Go'
		install_packages 'ca-certificates go-speaks-TLS'
		boot=/usr/bin/go
	fi
	case $(uname -m) in
	x86_64) arch=amd64 sum=$go_sum_amd64 ;;
	aarch64) arch=arm64 sum=$go_sum_arm64 ;;
	*) die "no Go toolchain is pinned for $(uname -m); cure: put Go $1 or newer on PATH" ;;
	esac
	module=golang.org/toolchain@v0.0.1-go$go_version.linux-$arch
	say "go: fetching $go_version, because go.mod needs $1 and PATH has ${go:-no go}${go:+, which is $(go_release "$go")}"
	scratch
	# A module of its own, or an old go command trips over ibforge's go.mod.
	mkdir "$tmp/empty"
	printf 'module empty\n' >"$tmp/empty/go.mod"
	(cd "$tmp/empty" && env GO111MODULE=on GOTOOLCHAIN=local GOFLAGS=-modcacherw GOPATH="$tmp/gopath" \
		GOMODCACHE="$tmp/mod" "$boot" mod download -json "$module") >"$tmp/module.json" 2>"$tmp/go.log" || {
		cat "$tmp/go.log" "$tmp/module.json" >&2
		die "cannot download $module, see above; cure: make the module proxy reachable (GOPROXY), or put Go $1 or newer on PATH"
	}
	got=$(sed -n 's/^.*"Sum": "\(.*\)".*$/\1/p' "$tmp/module.json")
	[ "$got" = "$sum" ] ||
		die "$module has the sum $got instead of $sum; cure: find out who changed it; do not use it"
	toolchain=$tmp/mod/$module
	chmod -R u+w "$toolchain"
	chmod 755 "$toolchain"/bin/* "$toolchain"/pkg/tool/*/*
	mkdir -p "$cache/go"
	mv "$toolchain" "$cache/go/go$go_version"
}

# --- Python ------------------------------------------------------------------

# find_python prints a Python that is new enough and can make environments.
find_python() {
	for python in "$(command -v python3 || true)" /usr/bin/python3; do
		if [ -n "$python" ] && "$python" -c "
import sys, venv, ensurepip
sys.exit(sys.version_info[:2] < tuple(map(int, '$python_minimum'.split('.'))))" 2>/dev/null; then
			printf '%s\n' "$python"
			return
		fi
	done
}

setup_python() {
	requirements=$root/tests/tools/requirements.txt
	venv=$cache/venv
	[ -e "$requirements" ] || die "tests/tools/requirements.txt is not there; cure: git checkout tests/tools/requirements.txt"
	# With the interpreter in it: an upgraded one does not find the modules.
	stamp="$(sha256sum <"$requirements") $(readlink -f "$venv/bin/python3" || true)"
	if [ -x "$venv/bin/python3" ] && [ "$(cat "$venv/.ibforge-stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
	python=$(find_python)
	[ -n "$python" ] ||
		die "no Python $python_minimum or newer with the modules venv and ensurepip; cure: tests/tools/setup.sh apt"
	say "python: making .cache/venv with $python, because tests/tools/requirements.txt or Python is new"
	rm -rf "$venv"
	mkdir -p "$cache"
	"$python" -m venv "$venv"
	# No configuration of pip is overridden: a mirror is the user's choice, and
	# the hashes hold whatever it serves.
	"$venv/bin/python3" -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes -r "$requirements" ||
		die "pip failed, see above; cure: make the package index reachable, or repair the hashes in tests/tools/requirements.txt"
	printf '%s %s\n' "$(sha256sum <"$requirements")" "$(readlink -f "$venv/bin/python3")" >"$venv/.ibforge-stamp"
}

# --- Linter ------------------------------------------------------------------

setup_lint() {
	setup_go
	# A linter refuses code for a newer Go than the one it was built with.
	stamp="$lint_version $(go_release "$cache/bin/go")"
	if [ -x "$cache/bin/golangci-lint" ] && [ "$(cat "$cache/bin/.golangci-lint-stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
	say "lint: building golangci-lint $stamp from source; this takes two to three minutes once"
	scratch
	(cd / && env GOBIN="$cache/bin" GOFLAGS= GOTOOLCHAIN=local CGO_ENABLED=0 \
		"$cache/bin/go" install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$lint_version") \
		>"$tmp/lint.log" 2>&1 || {
		tail -n 20 "$tmp/lint.log" >&2
		die "cannot build golangci-lint, see above; cure: make the module proxy reachable (GOPROXY)"
	}
	printf '%s\n' "$stamp" >"$cache/bin/.golangci-lint-stamp"
}

if [ $# -eq 0 ]; then set -- apt go python; fi
for target; do
	case $target in
	apt) install_packages "$packages" ;;
	bench) install_packages "$bench_packages" ;;
	go) setup_go ;;
	python) setup_python ;;
	lint) setup_lint ;;
	*) die "unknown target '$target'; cure: choose among apt go python lint bench" ;;
	esac
done
