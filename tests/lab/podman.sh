#!/bin/sh
# podman of a lab, with the directory that this file is in for all it keeps. It
# runs in the namespaces of the keeper, which is this script as well.
set -eu
dir=$(CDPATH='' cd -- "${0%/*}" && pwd -P)
# shellcheck source=/dev/null
. "$dir/settings" # view, program

# Becomes PID 1 of the namespaces. All that podman leaves running, such as
# conmon, becomes its child and has to be waited for.
keep() {
	read -r pid _ </proc/self/stat
	mount -t proc -o nosuid,nodev,noexec proc /proc
	# podman's locks are in shared memory, under one name for all.
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm
	if [ "$view" = v2 ]; then
		while umount -R /sys/fs/cgroup 2>/dev/null; do :; done
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
	fi
	echo "$pid" >"$dir/pid.new"
	mv "$dir/pid.new" "$dir/pid"
	while :; do
		sleep 86400 &
		wait $!
	done
}

if [ "${1:-}" = ibforge-lab-keep ]; then keep; fi
read -r pid <"$dir/pid"
export CONTAINERS_CONF="$dir/containers.conf"
exec nsenter --target "$pid" --mount --pid --wd="$PWD" -- "$program" --root "$dir/root" --runroot "$dir/run" --tmpdir "$dir/tmp" \
	--storage-driver overlay "$@"
