#!/bin/sh
# Records events/*.jsonl anew: what ansible.posix.jsonl really writes for the
# plays in play/. Needs ansible-playbook on PATH. Paths of the machine are
# replaced, everything else is left as it came. The recordings are of
# ansible-core 2.18 with ansible.posix 1.6, but invalid-module-core-2.20.jsonl,
# which was made by hand because a newer core words that failure differently.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export ANSIBLE_STDOUT_CALLBACK=ansible.posix.jsonl ANSIBLE_VERBOSE_TO_STDERR=true

record() { # name, then arguments
	name=$1
	shift
	rm -rf "$work/w" && mkdir "$work/w"
	ansible-playbook "$@" -e workdir="$work/w" </dev/null 2>/dev/null >"$work/out" || true
	sed -e "s|$work/w|/srv/w|g" -e "s|$PWD/||g" -e "s|$HOME/.ansible|/home/op/.ansible|g" \
		-e 's|"cmd":\["/[^"]*python[0-9.]*"|"cmd":["python3"|g' "$work/out" >"events/$name.jsonl"
}

hosts=play/valid-inventory.yml
record valid-ok -i $hosts play/valid-ok.yml
record valid-changed -i $hosts play/valid-changed.yml
record valid-diff -i $hosts --check --diff play/valid-changed.yml
record valid-free -i $hosts play/valid-free.yml
record invalid-nolog -i $hosts play/invalid-nolog.yml
record invalid-task -i $hosts play/invalid-task.yml
record invalid-loop -i $hosts play/invalid-loop.yml
record invalid-module -i $hosts -e which=boom play/invalid-module.yml
record invalid-name -i $hosts -e which=name play/invalid-module.yml
record invalid-group -i $hosts play/invalid-group.yml
record invalid-unreachable -i play/valid-inventory-unreachable.yml play/valid-ok.yml
