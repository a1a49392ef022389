#!/bin/sh
# Stand-in for UFM: the install-time gate on ports. A port that somebody holds
# ends the installation.
here=$(dirname "$0")
. "$here/common_defines"
. "$here/functions"

# held PROTOCOL PORT looks the port up in /proc/net, state 0A being LISTEN;
# UDP sockets have no such state.
held() {
	port=$(printf '%04X' "$2")
	case $1 in
	tcp) state=0A ;;
	udp) state=07 ;;
	esac
	cat "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null |
		awk -v want="$port" -v state="$state" '{ n = split($2, a, ":") } a[n] == want && $4 == state { found = 1 } END { exit !found }'
}

free() {
	if held "$1" "$2"; then
		echo "$1 port $2 is in use"
		return 1
	fi
}

for port in $TCP_PORTS; do check "tcp port $port" free tcp "$port"; done
for port in $UDP_PORTS; do check "udp port $port" free udp "$port"; done
for port in $HTTPD_PORTS; do
	# A web server that runs already may hold these.
	if ! grep -qsx "$(apache_name)" /proc/[0-9]*/comm; then
		check "tcp port $port allowed for httpd" free tcp "$port"
	fi
done
exit "$PREREQ_FAILED"
