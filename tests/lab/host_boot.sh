#!/bin/sh
# Boots a lab host: host_boot.sh DIR. DIR/settings says which. It becomes
# unshare(1), whose only child is the host's PID 1; all mounts are in that one's
# mount namespace and end with it.
set -eu
dir=$1

# Where the cgroup hierarchies are. On a machine with version 1 each has a
# directory, on one with version 2 alone there is one hierarchy.
hierarchies() {
	if [ -e /sys/fs/cgroup/cgroup.procs ]; then
		echo /sys/fs/cgroup
	else
		for tasks in /sys/fs/cgroup/*/cgroup.procs; do dirname "$tasks"; done
	fi
}

# Outside: a cgroup in every hierarchy, which becomes the root of the host's
# cgroup namespace (cgroup_namespaces(7)).
outside() {
	for h in $(hierarchies); do
		mkdir -p "$h/$id"
		# A cpuset takes nobody in before it has processors and memory
		# (cpuset(7)).
		if [ -e "$h/$id/cpuset.cpus" ] && [ "$h" != /sys/fs/cgroup ]; then
			cat "$h/cpuset.cpus" >"$h/$id/cpuset.cpus"
			cat "$h/cpuset.mems" >"$h/$id/cpuset.mems"
		fi
		echo 0 >"$h/$id/cgroup.procs"
	done
	exec nsenter --net="$network" unshare --fork --kill-child --pid --mount --propagation private \
		--uts --ipc --cgroup sh "$0" "$dir" inside
}

# What a container manager gives to systemd: systemd.io/CONTAINER_INTERFACE.
# Kernel settings outside of the host's own network namespace are the machine's
# and cannot be written.
kernel_files() {
	mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
	mount --bind "$root/proc/sys" "$root/proc/sys"
	mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
	mount -o remount,bind,ro "$root/proc/sys"
	mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
	# Every mount of this type is a file system of its own.
	mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf "$root/sys/fs/bpf"
	if [ "$view" = v2 ]; then
		mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
		return
	fi
	mount -t tmpfs -o mode=755,nosuid,nodev,noexec tmpfs "$root/sys/fs/cgroup"
	for h in $(hierarchies); do
		hierarchy=${h##*/}
		mkdir "$root/sys/fs/cgroup/$hierarchy"
		case $hierarchy in
		unified) mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/$hierarchy" ;;
		systemd) mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/$hierarchy" ;;
		*) mount -t cgroup -o "$hierarchy" cgroup "$root/sys/fs/cgroup/$hierarchy" ;;
		esac
	done
}

devices() {
	mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
	for d in null zero full random urandom tty fuse; do
		[ -e "/dev/$d" ] || continue
		: >"$root/dev/$d"
		mount --bind "/dev/$d" "$root/dev/$d"
	done
	mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
	mount -t mqueue mqueue "$root/dev/mqueue"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s fd/0 "$root/dev/stdin"
	ln -s fd/1 "$root/dev/stdout"
	ln -s fd/2 "$root/dev/stderr"
}

inside() {
	# /proc is still that of the machine: this is the number of the host's
	# PID 1 as others see it.
	read -r pid _ </proc/self/stat
	root=$dir/root
	mount -t overlay -o "lowerdir=$tree,upperdir=$dir/upper,workdir=$dir/work" overlay "$root"
	kernel_files
	devices
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
	# The engines' own overlays cannot lie on an overlay.
	for engine in docker containerd containers; do
		mkdir -p "$root/var/lib/$engine"
		mount --bind "$dir/lib/$engine" "$root/var/lib/$engine"
	done
	if [ ! -s "$root/etc/hostname" ]; then
		echo "$name" >"$root/etc/hostname"
		printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$root/etc/hosts"
	fi
	hostname "$name"
	echo "$pid" >"$dir/pid.new"
	mv "$dir/pid.new" "$dir/pid"
	cd "$root"
	# Not chroot(2): "docker exec" would land in the machine's root.
	pivot_root . run
	cd /
	# shellcheck disable=SC2016 # another shell expands nothing here either
	exec env -i container=ibforge-lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -ec '
		umount -l /run
		mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
		ip link set lo up
		exec /sbin/init --log-target=journal'
}

# shellcheck source=/dev/null
. "$dir/settings" # id, name, view, tree, network
"${2:-outside}"
