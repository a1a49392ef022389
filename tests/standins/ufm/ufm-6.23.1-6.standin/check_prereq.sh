#!/bin/sh
# Stand-in for UFM: the install-time gates. What needs InfiniBand hardware only
# warns here, since earlier recipes ran the real installer in image builds.
here=$(dirname "$0")
. "$here/common_defines"
. "$here/functions"

distribution() {
	. /etc/os-release
	case " $ID ${ID_LIKE:-} " in
	*" debian "* | *" ubuntu "* | *" rhel "* | *" centos "* | *" fedora "*) ;;
	*) echo "$ID is not supported" && return 1 ;;
	esac
}
architecture() { [ "$(uname -m)" = x86_64 ] || { echo "$(uname -m) is not supported" && return 1; }; }
ib_interface() { [ -d /sys/class/infiniband ] && [ -n "$(ls /sys/class/infiniband)" ] || { echo "no InfiniBand device" && return 1; }; }
other_sm() { ! grep -qsx opensm /proc/[0-9]*/comm || { echo "an opensm runs on this machine" && return 1; }; }
timezone() { [ -e /etc/localtime ] || [ -e /etc/timezone ] || { echo "no timezone is set" && return 1; }; }
required() {
	missing=
	for program in "$@"; do
		command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
	done
	[ -z "$missing" ] || { echo "missing:$missing" && return 1; }
}
sudoers() { [ -d /etc/sudoers.d ] || { echo "/etc/sudoers.d does not exist" && return 1; }; }
included() { grep -Eq '^[@#]includedir[[:space:]]+/etc/sudoers.d' /etc/sudoers || { echo "/etc/sudoers does not include it" && return 1; }; }
resolves() { getent hosts "$1" >/dev/null || { echo "$1 does not resolve" && return 1; }; }
selinux() {
	! command -v getenforce >/dev/null 2>&1 || [ "$(getenforce)" != Enforcing ] || { echo "SELinux is enforcing" && return 1; }
}
disk() {
	free=$(df -Pk /opt | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$MIN_DISK_KB" ] || { echo "$free KB free below /opt, $MIN_DISK_KB needed" && return 1; }
}
# Not test -w: the installer is root, which may write everywhere.
writable_tmp() { case $(stat -c %A /tmp) in ????????w?) ;; *) echo "others cannot write to /tmp" && return 1 ;; esac; }
ufmapp() { ! id ufmapp >/dev/null 2>&1 || [ "$(id -gn ufmapp)" = ufmapp ] || { echo "user ufmapp is not in group ufmapp" && return 1; }; }

: >"$PREREQ_LOG"
check "Installed distribution" distribution
check "Server architecture" architecture
warn "NVIDIA Host Infiniband Networking Driver version" ib_interface
check "Other SM" other_sm
warn "Timezone configuration" timezone
check "Required packages" required "$(apache_name)" openssl python3 sudo crontab bc sqlite3 opensm sminfo
check "Sudoers directory existence" sudoers
check "Sudoers directory inclusion" included
warn "IB interface" ib_interface
check "Localhost resolving" resolves localhost
check "Hostname resolving" resolves "$(hostname)"
check "SELinux disabled" selinux
check "Available disk space" disk
check "Write permissions on /tmp for other" writable_tmp
check "Ufmapp user definitions" ufmapp
"$here/check_ports.sh" || PREREQ_FAILED=1
[ "$PREREQ_FAILED" = 0 ] || say "Prerequisites are not met, see $PREREQ_LOG"
exit "$PREREQ_FAILED"
