#!/bin/sh
# Runs a program in the lab host whose directory this file is in: enter ARGV...
# Its cgroup is that of the host's PID 1: systemd knows it, and on cgroup
# version 2 the root may not have processes once it has controllers.
set -eu
dir=${0%/*}
# shellcheck source=/dev/null
. "$dir/settings" # id
down() {
	echo "the lab host in $dir is down" >&2
	exit 255 # what ssh(1) says of a host that it cannot reach
}
[ -r "$dir/pid" ] || down
read -r pid <"$dir/pid"
grep -qs "/$id\(/\|$\)" "/proc/$pid/cgroup" || down
for procs in /sys/fs/cgroup/"$id"/cgroup.procs /sys/fs/cgroup/*/"$id"/cgroup.procs; do
	[ -e "$procs" ] || continue
	h=${procs%/*}
	if [ -e "$h/init.scope" ]; then h=$h/init.scope; fi
	echo 0 >"$h/cgroup.procs"
done
exec nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup --root --wd="/proc/$pid/root/root" -- \
	env -i HOME=/root USER=root LOGNAME=root LANG=C.UTF-8 \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
